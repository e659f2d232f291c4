/* The lane beside a pipe's socket: when letters go there, in which order they come, and who may die
 * or leave with letters in it. */
#include "ends.h"

#include <kin/sync.h>
#include <kin/wait.h>
#include <poll.h>
#include <signal.h>

enum { CELLS = 128, LARGE = 20000 };

static const char zeros[LARGE];

/* Ends where the first one has waited, so that letters to it go by the lane. */
static void open_lane(const ends *e)
{
    kin_obj o;
    CHECK_ERROR(kin_conn_recv(e->one, &o, 0.001), KIN_ETIMEDOUT);
    CHECK(kin__lane_is_open(e->other));
}

static ends with_open_lane(void)
{
    ends e = relatives();
    CHECK(!kin__lane_is_open(e.other));
    open_lane(&e);
    return e;
}

static bool is_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 0) == 1;
}

static void send_number(kin_conn *conn, int number)
{
    CHECK_OK(kin_conn_send(conn, kin_int(number), 5));
}

static void check_number(kin_conn *conn, int number)
{
    kin_obj o;
    CHECK_OK(kin_conn_recv(conn, &o, 5));
    CHECK_EQ(kin_as_int(o), number);
    kin_release(o);
}

static void check_nothing(kin_conn *conn)
{
    kin_obj o;
    CHECK_ERROR(kin_conn_recv(conn, &o, 0), KIN_ETIMEDOUT);
}

/* ---- letters in it --------------------------------------------------------------------------- */

TEST(what_is_sent_to_one_who_has_waited_does_not_go_through_the_socket)
{
    ends e = with_open_lane();
    send_number(e.other, 1);
    send_number(e.other, 2);
    CHECK(!is_readable(e.one->stream.fd));
    check_number(e.one, 1);
    check_number(e.one, 2);
    check_nothing(e.one);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(bytes_and_objects_of_all_sizes_come_as_they_were)
{
    static const size_t sizes[] = { 0,  1,  39, 40,   41,   47,    48,    49,
                                    50, 63, 64, 1000, 9000, 16383, 16384, 100000 };
    ends e = with_open_lane();
    unsigned char *bytes = pattern(100000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(kin__lane_is_open(e.other));
        CHECK_OK(kin_conn_send_bytes(e.other, bytes, sizes[i], 1));
        CHECK_OK(kin_conn_send(e.other, kin_bytes(bytes, sizes[i]), 1));
        CHECK(!is_readable(e.one->stream.fd));
        check_bytes(e.one, bytes, sizes[i]);
        kin_obj o;
        CHECK_OK(kin_conn_recv(e.one, &o, 1));
        CHECK_EQ(kin_len(o), sizes[i]);
        CHECK(sizes[i] == 0 || memcmp(kin_as_bytes(o), bytes, sizes[i]) == 0);
        kin_release(o);
    }
    free(bytes);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(what_does_not_fit_stays_and_what_is_beyond_the_limit_ends_it)
{
    ends e = with_open_lane();
    char small[2];
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, small, sizeof small, 1), KIN_EBUFTOOSHORT);
    CHECK_EQ(kin_conn_poll(e.one, 0), 1);
    check_bytes(e.one, "hello", 5);
    CHECK_OK(kin_conn_set_limit(e.one, 4));
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    kin_obj o;
    CHECK_ERROR(kin_conn_recv(e.one, &o, 1), KIN_ERANGE);
    CHECK_ERROR(kin_conn_recv(e.one, &o, 1), KIN_EBROKEN);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

static int free_copy(void *conn)
{
    kin_conn_free(conn);
    return 0;
}

static int receive_nothing(void *conn)
{
    kin_obj o;
    int rv = kin_conn_recv(conn, &o, 0);
    return rv == KIN_ETIMEDOUT ? 0 : 1;
}

TEST(what_has_arrived_is_not_a_childs)
{
    ends e = with_open_lane();
    unsigned char *bytes = pattern(LARGE);
    char small[2];
    CHECK_OK(kin_conn_send_bytes(e.other, bytes, LARGE, 1));
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, small, sizeof small, 1), KIN_EBUFTOOSHORT);
    uint64_t before = blocks_in_use();
    CHECK_EQ(test_join(test_child(free_copy, e.one)), 0);
    CHECK_EQ(test_join(test_child(receive_nothing, e.one)), 0);
    CHECK_EQ(blocks_in_use(), before);
    check_bytes(e.one, bytes, LARGE);
    free(bytes);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- from one way to the other --------------------------------------------------------------- */

TEST(a_letter_with_a_descriptor_goes_through_the_socket_and_keeps_its_place)
{
    ends e = with_open_lane();
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    for (int round = 0; round < 3; round++) {
        CHECK(kin__lane_is_open(e.other));
        send_number(e.other, 1);
        send_number(e.other, 2);
        CHECK_OK(kin_conn_send(e.other, kin_descriptor(fds[0]), 1));
        CHECK(!kin__lane_is_open(e.other));
        send_number(e.other, 4);
        CHECK_OK(kin_conn_send_fd(e.other, fds[0], 1));
        send_number(e.other, 6);
        check_number(e.one, 1);
        check_number(e.one, 2);
        kin_obj o;
        CHECK_OK(kin_conn_recv(e.one, &o, 1));
        CHECK_GE(kin_as_descriptor(o), 0);
        kin_release(o);
        check_number(e.one, 4);
        int fd;
        CHECK_OK(kin_conn_recv_fd(e.one, &fd, 1));
        close(fd);
        CHECK(!kin__lane_is_open(e.other));
        check_number(e.one, 6);
    }
    send_number(e.other, 7);
    int fd;
    CHECK_ERROR(kin_conn_recv_fd(e.one, &fd, 1), KIN_ESTATE);
    check_number(e.one, 7);
    close(fds[0]);
    close(fds[1]);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_full_lane_is_followed_by_the_socket)
{
    ends e = with_open_lane();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CELLS + 50; i++) {
            CHECK_EQ(kin__lane_is_open(e.other), i <= CELLS);
            CHECK_EQ(is_readable(e.one->stream.fd), i > CELLS);
            send_number(e.other, i);
        }
        for (int i = 0; i < CELLS + 50; i++) {
            CHECK_EQ(kin__lane_is_open(e.other), false);
            check_number(e.one, i);
        }
        CHECK(kin__lane_is_open(e.other));
        CHECK(!is_readable(e.one->stream.fd));
    }
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(few_large_letters_are_in_it_at_once)
{
    ends e = with_open_lane();
    uint64_t before = blocks_in_use();
    unsigned char *bytes = pattern(LARGE);
    for (int i = 0; i < 18; i++) { /* 8 in the lane, 8 in slots, 2 in the socket */
        bytes[0] = (unsigned char)i;
        CHECK_OK(kin_conn_send_bytes(e.other, bytes, LARGE, 5));
    }
    CHECK_EQ(blocks_in_use(), before + 16);
    for (int i = 0; i < 18; i++) {
        bytes[0] = (unsigned char)i;
        check_bytes(e.one, bytes, LARGE);
    }
    CHECK_EQ(blocks_in_use(), before);
    CHECK(kin__lane_is_open(e.other));
    free(bytes);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(what_could_not_be_sent_does_not_close_it_for_good)
{
    ends e = relatives();
    char *bytes = calloc(1, 10000);
    int sent = 0;
    while (kin_conn_send_bytes(e.other, bytes, 10000, 0) == 0) {
        sent++;
    }
    bool cut = e.other->broken < 0; /* it may have gone in part: then nothing can follow */
    for (int i = 0; i < sent; i++) {
        check_bytes(e.one, bytes, 10000);
    }
    if (!cut) {
        open_lane(&e);
    }
    free(bytes);
    end_both(&e);
}

/* ---- those who wait without receiving -------------------------------------------------------- */

TEST(poll_and_wait_tell_of_what_is_in_it)
{
    ends e = with_open_lane();
    kin_waitable thing = kin_conn_waitable(e.one);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_conn_poll(e.one, 0), 0);
        CHECK_EQ(kin_conn_poll(e.one, 0.001), 0);
        CHECK_EQ(kin_wait(&thing, 1, 0), 0);
        CHECK_EQ(kin_wait(&thing, 1, 0.001), 0);
        CHECK(kin__lane_is_open(e.other));
        send_number(e.other, i);
        CHECK_EQ(kin_conn_poll(e.one, 0), 1);
        CHECK_EQ(kin_conn_poll(e.one, KIN_FOREVER), 1);
        CHECK_EQ(kin_wait(&thing, 1, 0), 1);
        CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
        check_number(e.one, i);
    }
    end_both(&e);
}

struct scene {
    ends e;
    kin_event *event;
    _Atomic int step, told;
};

static struct scene *new_scene(void)
{
    struct scene *s = test_shared(sizeof *s);
    s->e = with_open_lane();
    return s;
}

static int poll_once(void *ctx)
{
    struct scene *s = ctx;
    s->told = kin_conn_poll(s->e.one, KIN_FOREVER);
    return 0;
}

static int wait_once(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable things[2] = { kin_conn_waitable(s->e.one), kin_event_waitable(s->event) };
    s->told = kin_wait(things, s->event != NULL ? 2 : 1, KIN_FOREVER);
    return 0;
}

static int receive_once(void *ctx)
{
    struct scene *s = ctx;
    kin_obj o;
    int rv = kin_conn_recv(s->e.one, &o, KIN_FOREVER);
    s->told = rv < 0 ? rv : (int)kin_as_int(o);
    return 0;
}

/* While he sleeps nobody else opens it either. */
static void wake(struct scene *s, int (*sleeper)(void *), int told)
{
    pid_t child = test_child(sleeper, s);
    WAIT_UNTIL(!kin__lane_is_open(s->e.other) && test_is_asleep(child));
    check_nothing(s->e.one);
    CHECK(!kin__lane_is_open(s->e.other));
    send_number(s->e.other, 1);
    CHECK_EQ(test_join(child), 0);
    CHECK_EQ(s->told, told);
}

TEST(whoever_sleeps_is_woken)
{
    struct scene *s = new_scene();
    wake(s, poll_once, 1);
    check_number(s->e.one, 1);
    wake(s, wait_once, 1);
    check_number(s->e.one, 1);
    CHECK_OK(kin_event_new(&s->event, NULL));
    wake(s, wait_once, 1);
    check_number(s->e.one, 1);
    wake(s, receive_once, 1);
    open_lane(&s->e);
    kin_event_free(s->event);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_sleeper_who_was_killed_leaves_it_closed_and_nothing_else)
{
    struct scene *s = new_scene();
    pid_t child = test_child(receive_once, s);
    WAIT_UNTIL(!kin__lane_is_open(s->e.other) && test_is_asleep(child));
    kill(child, SIGKILL);
    CHECK_EQ(test_join(child), -SIGKILL);
    for (int i = 0; i < 5; i++) {
        check_nothing(s->e.one);
        send_number(s->e.other, i);
        check_number(s->e.one, i);
    }
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_descriptor_that_was_asked_for_tells_of_all_that_comes)
{
    ends e = with_open_lane();
    send_number(e.other, 1);
    send_number(e.other, 2);
    int fd = kin_conn_fileno(e.one);
    CHECK(!is_readable(fd)); /* what was there before is there */
    send_number(e.other, 3);
    CHECK(is_readable(fd));
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(kin_conn_poll(e.one, 0), 1);
        check_number(e.one, i);
    }
    CHECK_EQ(kin_conn_poll(e.one, 0), 0);
    CHECK(!is_readable(fd));
    for (int i = 0; i < 3; i++) {
        check_nothing(e.one);
        send_number(e.other, i);
        CHECK(is_readable(fd));
        check_number(e.one, i);
    }
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- the end of an end ----------------------------------------------------------------------- */

TEST(what_is_in_it_comes_before_the_end)
{
    ends e = with_open_lane();
    for (int i = 0; i < 5; i++) {
        send_number(e.other, i);
    }
    kin_conn_free(e.other);
    e.other = NULL;
    for (int i = 0; i < 5; i++) {
        check_number(e.one, i);
    }
    kin_obj o;
    CHECK_ERROR(kin_conn_recv(e.one, &o, KIN_FOREVER), KIN_EEOF);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(what_nobody_receives_goes_with_the_end_and_whoever_sends_is_told)
{
    ends e = with_open_lane();
    for (int i = 0; i < 3; i++) {
        send_number(e.other, i);
        CHECK_OK(kin_conn_send(e.other, kin_buffer(kin_alloc(50), 50), 1));
        CHECK_OK(kin_conn_send_bytes(e.other, zeros, 100, 1));
        CHECK_OK(kin_conn_send(e.other, kin_bytes(zeros, LARGE), 1));
    }
    kin_conn_free(e.one);
    e.one = NULL;
    CHECK_ERROR(kin_conn_send(e.other, kin_int(1), 1), KIN_ECLOSED);
    CHECK_EQ(blocks_in_use(), 2); /* the post and the ring */
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

static int wait_and_stay(void *ctx)
{
    struct scene *s = ctx;
    kin_conn_free(s->e.other);
    kin_obj o;
    check_number(s->e.one, 0);
    CHECK_ERROR(kin_conn_recv(s->e.one, &o, 0.001), KIN_ETIMEDOUT);
    s->step = 1;
    pause();
    return 0;
}

static pid_t have_it_opened(struct scene *s)
{
    send_number(s->e.other, 0);
    pid_t child = test_child(wait_and_stay, s);
    WAIT_UNTIL(s->step == 1);
    CHECK(kin__lane_is_open(s->e.other));
    for (int i = 1; i <= 3; i++) {
        send_number(s->e.other, i);
    }
    return child;
}

static void kill_him(pid_t child)
{
    kill(child, SIGKILL);
    CHECK_EQ(test_join(child), -SIGKILL);
}

TEST(whoever_has_a_copy_goes_on_when_its_opener_dies)
{
    struct scene *s = new_scene();
    kill_him(have_it_opened(s));
    CHECK(!is_readable(s->e.one->stream.fd));
    send_number(s->e.other, 4);
    CHECK(is_readable(s->e.one->stream.fd));
    for (int i = 1; i <= 4; i++) {
        check_number(s->e.one, i);
    }
    open_lane(&s->e);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* As who is dying does: his descriptors are closed, and for a moment he is still alive. */
static int wait_and_be_dying(void *ctx)
{
    struct scene *s = ctx;
    kin_conn_free(s->e.other);
    kin_obj o;
    CHECK_ERROR(kin_conn_recv(s->e.one, &o, 0.001), KIN_ETIMEDOUT);
    close(s->e.one->stream.fd);
    pause();
    return 0;
}

TEST(whoever_was_told_of_the_end_sends_nothing_to_one_who_is_dying)
{
    struct scene *s = new_scene();
    pid_t child = test_child(wait_and_be_dying, s);
    kin_conn_free(s->e.one);
    kin_obj o;
    CHECK_ERROR(kin_conn_recv(s->e.other, &o, KIN_FOREVER), KIN_EEOF);
    s->e.one = NULL; /* not before: the child reads it, too */
    CHECK_ERROR(kin_conn_send(s->e.other, kin_int(1), 1), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_send(s->e.other, kin_bytes(zeros, LARGE), 1), KIN_ECLOSED);
    kill_him(child);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(whoever_sends_to_a_dead_opener_is_told_at_once)
{
    struct scene *s = new_scene();
    pid_t child = have_it_opened(s);
    kin_conn_free(s->e.one);
    s->e.one = NULL;
    kill_him(child);
    CHECK_ERROR(kin_conn_send(s->e.other, kin_int(1), 1), KIN_ECLOSED);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

static int receive_when_told(void *ctx)
{
    struct scene *s = ctx;
    WAIT_UNTIL(s->step == 1);
    check_number(s->e.one, 1);
    check_number(s->e.one, 2);
    return 0;
}

TEST(whoever_closes_his_copy_closes_what_he_opened)
{
    struct scene *s = new_scene();
    pid_t child = test_child(receive_when_told, s);
    send_number(s->e.other, 1);
    kin_conn_free(s->e.one);
    CHECK(!kin__lane_is_open(s->e.other));
    send_number(s->e.other, 2);
    s->step = 1;
    CHECK_EQ(test_join(child), 0);
    s->e.one = NULL;
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

static int receive_three(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 1; i <= 3; i++) {
        check_number(s->e.one, i);
    }
    return 0;
}

TEST(another_process_takes_what_is_in_it)
{
    struct scene *s = new_scene();
    for (int i = 1; i <= 5; i++) {
        send_number(s->e.other, i);
    }
    CHECK_EQ(test_join(test_child(receive_three, s)), 0);
    check_number(s->e.one, 4);
    ends outer = relatives();
    CHECK_OK(kin_conn_send(outer.other, kin_shared(s->e.one), 1));
    end_both(&s->e);
    kin_obj o;
    CHECK_OK(kin_conn_recv(outer.one, &o, 1));
    check_number(kin_as(kin_conn, o), 5);
    kin_release(o);
    end_both(&outer);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- somebody has a cell in hand ------------------------------------------------------------- */

static int claim_and_stay(void *ctx)
{
    struct scene *s = ctx;
    kin__ring ring = kin__ring_at(s->e.one->in->ring);
    kin__claim claim;
    CHECK_EQ(kin__ring_claim(&ring, 0, &claim), KIN__GOT);
    s->step = 1;
    WAIT_UNTIL(s->step == 2);
    CHECK(!kin__lane_is_open(s->e.other) || s->told);
    kin__ring_forgo(&claim);
    return 0;
}

TEST(who_sleeps_waits_for_whoever_is_about_to_put)
{
    struct scene *s = new_scene();
    kin_obj o;
    pid_t child = test_child(claim_and_stay, s);
    WAIT_UNTIL(s->step == 1);
    CHECK_EQ(kin_conn_poll(s->e.one, 0), 1); /* the beginning of a message */
    CHECK_ERROR(kin_conn_recv(s->e.one, &o, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_conn_recv(s->e.one, &o, 0.01), KIN_ETIMEDOUT);
    CHECK(kin__lane_is_open(s->e.other));
    send_number(s->e.other, 1);
    CHECK_ERROR(kin_conn_recv(s->e.one, &o, 0.01), KIN_ETIMEDOUT); /* his comes first */
    s->told = 1;
    s->step = 2;
    CHECK_EQ(test_join(child), 0);
    check_number(s->e.one, 1);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* As somebody who was stopped after he had seen the lane open. */
static int put_late(void *ctx)
{
    struct scene *s = ctx;
    kin__ring ring = kin__ring_at(s->e.one->in->ring);
    kin__parcel p = { .size = 1, .kind = KIN__CELL_BYTES, .bytes = "1" };
    kin__claim claim;
    CHECK_OK(kin__parcel_pack(&p, "put"));
    CHECK_EQ(kin__ring_claim(&ring, 0, &claim), KIN__GOT);
    s->step = 1;
    WAIT_UNTIL(s->step == 2);
    CHECK_OK(kin__parcel_fill(&p, &claim));
    kin__ring_publish(&claim);
    CHECK_OK(kin_conn_send_bytes(s->e.other, "2", 1, 5));
    return 0;
}

static int receive_two(void *ctx)
{
    struct scene *s = ctx;
    check_bytes(s->e.one, "1", 1);
    check_bytes(s->e.one, "2", 1);
    return 0;
}

TEST(who_was_about_to_put_comes_before_his_next_one)
{
    struct scene *s = new_scene();
    pid_t sender = test_child(put_late, s);
    WAIT_UNTIL(s->step == 1);
    pid_t receiver = test_child(receive_two, s);
    WAIT_UNTIL(!kin__lane_is_open(s->e.other) && test_is_asleep(receiver));
    s->step = 2;
    CHECK_EQ(test_join(sender), 0);
    CHECK_EQ(test_join(receiver), 0);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(whoever_died_when_about_to_put_is_not_waited_for)
{
    struct scene *s = new_scene();
    pid_t child = test_child(claim_and_stay, s);
    WAIT_UNTIL(s->step == 1);
    send_number(s->e.other, 1);
    kill_him(child);
    check_number(s->e.one, 1);
    check_nothing(s->e.one);
    CHECK_EQ(kin_conn_poll(s->e.one, 0), 0);
    end_both(&s->e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(without_memory_for_it_all_goes_through_the_socket)
{
    ends e = relatives();
    kin_obj o;
    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    CHECK_ERROR(kin_conn_recv(e.one, &o, 0.001), KIN_ETIMEDOUT);
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    CHECK(!kin__lane_is_open(e.other));
    send_number(e.other, 1);
    CHECK(is_readable(e.one->stream.fd));
    check_number(e.one, 1);
    open_lane(&e);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}
