#include "unit/conn/ends.h"
#include "unit/conn/loops.h"
#include "unit/listener/peers.h"
#include <kin/process.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { MANY = 3000, SOME_NAPS = 200 /* ms */ };

static kin_event *new_event(void)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    return event;
}

static kin_queue *new_queue(void)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    return queue;
}

static void put(kin_queue *queue, int number)
{
    CHECK_OK(kin_queue_put_bytes(queue, &number, sizeof number, 0));
}

static int get(kin_queue *queue)
{
    int number;
    CHECK_EQ(kin_queue_get_bytes(queue, &number, sizeof number, 0), sizeof number);
    return number;
}

/* ---- each kind ------------------------------------------------------------------------------ */

TEST(a_watch_of_a_queue_is_readable_until_a_look_finds_it_empty)
{
    kin_queue *queue = new_queue();
    kin_waitable thing = kin_queue_waitable(queue);
    kin_watch *watch = new_watch(&thing, 1);
    await(watch); /* nobody has looked yet */
    come_to_rest(watch);
    for (int round = 0; round < 100; round++) {
        put(queue, round);
        put(queue, round + 1);
        check_told(watch, 1);
        CHECK_EQ(get(queue), round);
        check_told(watch, 1);
        CHECK_EQ(get(queue), round + 1);
        come_to_rest(watch);
    }
    CHECK_OK(kin_queue_close(queue)); /* a get would not wait */
    check_told(watch, 1);
    check_told(watch, 1);
    kin_watch_free(watch);
    kin_queue_free(queue);
}

TEST(a_watch_of_an_event_tells_of_it_while_it_is_set)
{
    kin_event *event = new_event();
    kin_waitable thing = kin_event_waitable(event);
    kin_watch *watch = new_watch(&thing, 1);
    come_to_rest(watch);
    for (int round = 0; round < 10; round++) {
        CHECK_OK(kin_event_set(event));
        check_told(watch, 1);
        check_told(watch, 1);
        CHECK_OK(kin_event_clear(event));
        come_to_rest(watch);
    }
    kin_watch_free(watch);
    kin_event_free(event);
}

/* R5 */
TEST(an_event_that_was_set_and_cleared_is_told_of_once_each_time)
{
    kin_event *event = new_event();
    kin_waitable thing = kin_event_waitable(event);
    kin_watch *watch = new_watch(&thing, 1);
    for (int round = 0; round < 10; round++) {
        CHECK_OK(kin_event_set(event)); /* the first time before anybody has looked */
        CHECK_OK(kin_event_clear(event));
        check_told(watch, 1);
        come_to_rest(watch);
    }
    CHECK_OK(kin_event_set(event));
    check_told(watch, 1);
    CHECK_OK(kin_event_clear(event)); /* after it was told of */
    CHECK_OK(kin_event_set(event));
    CHECK_OK(kin_event_clear(event));
    check_told(watch, 1);
    come_to_rest(watch);
    kin_watch_free(watch);
    kin_event_free(event);
}

static void check_conn(ends e)
{
    kin_waitable thing = kin_conn_waitable(e.one);
    kin_watch *watch = new_watch(&thing, 1);
    come_to_rest(watch);
    for (int round = 0; round < 3; round++) {
        char none; /* who waits himself may be reached in another way than by the descriptor */
        CHECK_ERROR(kin_conn_recv_bytes_into(e.one, &none, 1, 0.001), KIN_ETIMEDOUT);
        CHECK_OK(kin_conn_send_bytes(e.other, "first", 5, 1));
        CHECK_OK(kin_conn_send_bytes(e.other, "second", 6, 1));
        check_told(watch, 1);
        check_bytes(e.one, "first", 5);
        check_told(watch, 1); /* of what may have been read ahead */
        check_bytes(e.one, "second", 6);
        come_to_rest(watch);
    }
    kin_conn_free(e.other);
    check_told(watch, 1);
    kin_watch_free(watch);
    kin_conn_free(e.one);
}

TEST(a_watch_of_a_connection_tells_of_messages_and_of_the_end)
{
    check_conn(relatives());
    check_conn(strangers());
    check_conn(over_a_pipe());
}

TEST(a_watch_of_a_listener_tells_of_those_who_know_the_key)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    kin_waitable thing = kin_listener_waitable(l);
    kin_watch *watch = new_watch(&thing, 1);
    come_to_rest(watch);
    struct client c;
    begin_client(&c, kin_listener_address(l), "secret key");
    do { /* he knocks, and answers: looks that find nothing let him in */
        await(watch);
    } while (kin_watch_look(watch, NULL) == 0);
    kin_conn *server = NULL;
    CHECK_OK(kin_listener_accept(l, &server, 0));
    CHECK_EQ(join_client(&c), 0);
    come_to_rest(watch);
    kin_watch_free(watch);
    kin_conn_free(server);
    kin_conn_free(c.conn);
    kin_listener_free(l);
    leave_place();
}

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_as(kin_event, kin_arg(args, 0)), KIN_FOREVER));
    return kin_none();
}

TEST(a_watch_of_a_process_tells_of_its_end)
{
    kin_event *event = new_event();
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, wait_for_event, kin_args(kin_shared(event)), NULL));
    kin_waitable thing = kin_process_waitable(p);
    kin_watch *watch = new_watch(&thing, 1);
    come_to_rest(watch);
    CHECK_OK(kin_event_set(event));
    check_told(watch, 1);
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    check_told(watch, 1);
    kin_watch_free(watch);
    kin_process_free(p);
    kin_event_free(event);
}

TEST(a_watch_of_descriptors_tells_of_each_also_of_one_that_is_there_twice)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    kin_waitable things[3] = { kin_fd_waitable(fds[0]), kin_fd_waitable(fds[0]),
                               kin_fd_waitable(fds[1]) };
    kin_watch *watch = new_watch(things, 3);
    come_to_rest(watch);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    await(watch);
    CHECK_EQ(kin_watch_look(watch, things), 2);
    CHECK(things[0].ready && things[1].ready && !things[2].ready);
    char got;
    CHECK_EQ(read(fds[0], &got, 1), 1);
    come_to_rest(watch);
    kin_watch_free(watch);
    close(fds[0]);
    close(fds[1]);
}

/* poll says so, and epoll refuses it. */
TEST(a_file_is_always_ready)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    kin_waitable thing = kin_fd_waitable(file);
    kin_watch *watch = new_watch(&thing, 1);
    check_told(watch, 1);
    check_told(watch, 1);
    kin_watch_free(watch);
    close(file);
}

static kin_queue *put_into;

static void put_when_hushed(const char *name)
{
    if (strcmp(name, "watch.hushed") == 0) {
        kin__step_hook(NULL);
        put(put_into, 1);
    }
}

/* R2: after the first look, and before there is a ticket by which anybody would ring. */
TEST(what_comes_during_a_look_is_found_by_it)
{
    put_into = new_queue();
    kin_waitable thing = kin_queue_waitable(put_into);
    kin_watch *watch = new_watch(&thing, 1);
    kin__step_hook(put_when_hushed);
    CHECK_EQ(kin_watch_look(watch, NULL), 1);
    CHECK_EQ(get(put_into), 1);
    come_to_rest(watch);
    kin_watch_free(watch);
    kin_queue_free(put_into);
}

/* ---- several -------------------------------------------------------------------------------- */

TEST(a_look_marks_all_that_are_ready_and_no_others)
{
    kin_event *event = new_event();
    kin_queue *queue = new_queue();
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    kin_waitable things[3] = { kin_event_waitable(event), kin_queue_waitable(queue),
                               kin_fd_waitable(fds[0]) };
    kin_watch *watch = new_watch(things, 3);
    CHECK_EQ(kin_watch_look(watch, things), 0);
    put(queue, 1);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    await(watch);
    CHECK_EQ(kin_watch_look(watch, things), 2);
    CHECK(!things[0].ready && things[1].ready && things[2].ready);
    CHECK_OK(kin_event_set(event));
    CHECK_EQ(get(queue), 1);
    CHECK_EQ(kin_watch_look(watch, things), 2);
    CHECK(things[0].ready && !things[1].ready && things[2].ready);
    CHECK_OK(kin_event_clear(event));
    close(fds[1]);
    char got;
    CHECK_EQ(read(fds[0], &got, 1), 1);
    CHECK_EQ(kin_watch_look(watch, things), 1); /* its end */
    CHECK(!things[0].ready && !things[1].ready && things[2].ready);
    kin_watch_free(watch);
    close(fds[0]);
    kin_event_free(event);
    kin_queue_free(queue);
}

/* poll would refuse more entries than descriptors, if gates were among them. */
TEST(thousands_are_watched_by_who_may_have_few_descriptors)
{
    kin_event *events[MANY];
    kin_waitable *things = malloc(MANY * sizeof *things);
    for (int i = 0; i < MANY; i++) {
        events[i] = new_event();
        things[i] = kin_event_waitable(events[i]);
    }
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 64, before.rlim_max }), 0);
    kin_watch *watch = new_watch(things, MANY);
    for (int i = 0; i < MANY; i += MANY / 3) {
        come_to_rest(watch);
        CHECK_OK(kin_event_set(events[i]));
        await(watch);
        CHECK_EQ(kin_watch_look(watch, things), 1);
        CHECK(things[i].ready);
        CHECK_OK(kin_event_clear(events[i]));
    }
    kin_watch_free(watch);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < MANY; i++) {
        kin_event_free(events[i]);
    }
    free(things);
}

/* ---- in loops of all kinds ------------------------------------------------------------------ */

TEST(kin_wait_and_another_watch_can_hold_a_watch)
{
    kin_event *event = new_event();
    kin_waitable thing = kin_event_waitable(event);
    kin_watch *inner = new_watch(&thing, 1);
    thing = kin_fd_waitable(kin_watch_fileno(inner));
    kin_watch *outer = new_watch(&thing, 1);
    come_to_rest(inner);
    come_to_rest(outer);
    CHECK_OK(kin_event_set(event));
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    check_told(outer, 1);
    CHECK_EQ(kin_watch_look(inner, NULL), 1);
    kin_watch_free(outer);
    kin_watch_free(inner);
    kin_event_free(event);
}

TEST(who_is_told_of_changes_only_looks_until_there_is_nothing)
{
    kin_queue *queue = new_queue();
    kin_waitable thing = kin_queue_waitable(queue);
    kin_watch *watch = new_watch(&thing, 1);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event told = { .events = EPOLLIN | EPOLLET };
    CHECK_EQ(epoll_ctl(loop, EPOLL_CTL_ADD, kin_watch_fileno(watch), &told), 0);
    for (int round = 0; round < 100; round++) {
        CHECK_EQ(epoll_wait(loop, &told, 1, -1), 1);
        while (kin_watch_look(watch, &thing) > 0) {
            (void)get(queue);
        }
        for (int i = 0; i <= round % 3; i++) {
            put(queue, i);
        }
    }
    kin_watch_free(watch);
    close(loop);
    kin_queue_free(queue);
}

/* ---- at rest, and not ----------------------------------------------------------------------- */

TEST(a_watch_at_rest_does_not_tick)
{
    kin_event *event = new_event();
    kin_queue *queue = new_queue();
    kin_waitable things[2] = { kin_event_waitable(event), kin_queue_waitable(queue) };
    kin_watch *watch = new_watch(things, 2);
    come_to_rest(watch);
    CHECK(!polls_within(watch, SOME_NAPS));
    put(queue, 1);
    CHECK_EQ(get(queue), 1);
    await(watch); /* it has been there, and may be still: that is told once */
    come_to_rest(watch);
    CHECK(!polls_within(watch, SOME_NAPS));
    kin_watch_free(watch);
    kin_event_free(event);
    kin_queue_free(queue);
}

static void stop_at_claim(const char *name)
{
    if (strcmp(name, "ring.claimed") == 0) {
        raise(SIGSTOP);
    }
}

static int stop_in_put(void *ctx)
{
    kin__step_hook(stop_at_claim);
    return kin_queue_put_bytes(ctx, "x", 1, 0);
}

/* The message of another lies behind what he has claimed, and his death rings no bell. */
TEST(a_producer_who_is_killed_at_work_holds_up_a_watch_for_a_nap_at_most)
{
    kin_queue *queue = new_queue();
    kin_waitable thing = kin_queue_waitable(queue);
    kin_watch *watch = new_watch(&thing, 1);
    pid_t producer = test_child(stop_in_put, queue);
    int status;
    CHECK_EQ(waitpid(producer, &status, WUNTRACED), producer);
    CHECK(WIFSTOPPED(status));
    put(queue, 7);
    for (int nap = 0; nap < 3; nap++) {
        await(watch);
        CHECK_EQ(kin_watch_look(watch, NULL), 0);
    }
    kill(producer, SIGKILL);
    CHECK_EQ(test_join(producer), -SIGKILL);
    check_told(watch, 1);
    CHECK_EQ(get(queue), 7);
    come_to_rest(watch);
    CHECK(!polls_within(watch, SOME_NAPS));
    kin_watch_free(watch);
    kin_queue_free(queue);
}
