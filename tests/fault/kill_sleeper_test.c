/* One of several who sleep for a message is woken, and killed at every step from then on: the
 * message is another's, or was his; it is never left lying beside sleepers. The same with who puts
 * it, and with who closes the queue. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <unistd.h>

enum { OTHERS = 2 };

struct scene {
    kin_queue *queue;
    unsigned maxsize;
    size_t size;  /* bytes of a message */
    int messages; /* that are put while all sleep */
    pid_t others[OTHERS];
    pid_t putter;
    _Atomic pid_t victim;
    _Atomic int ready;            /* the others sleep */
    _Atomic int got;              /* by others */
    int (*next)(struct scene *s); /* what a survivor does with the closed queue */
};

static bool has_gone(pid_t pid)
{
    return kill(pid, 0) < 0;
}

static int get_one(struct scene *s)
{
    char bytes[5000];
    return (int)kin_queue_get_bytes(s->queue, bytes, sizeof bytes, KIN_FOREVER);
}

/* Sleeps behind the victim, and is not the first to be woken. */
static int sleep_behind(void *ctx)
{
    struct scene *s = ctx;
    WAIT_UNTIL(s->victim != 0 && (test_is_asleep(s->victim) || has_gone(s->victim)));
    s->ready++;
    for (;;) {
        int rv = get_one(s);
        if (rv < 0) {
            return rv == KIN_ECLOSED ? 0 : 1;
        }
        s->got++;
    }
}

static int put_for_all(void *ctx)
{
    struct scene *s = ctx;
    static const char bytes[3 * 5000];
    WAIT_UNTIL(s->ready == OTHERS);
    for (int i = 0; i < OTHERS; i++) {
        WAIT_UNTIL(test_is_asleep(s->others[i]));
    }
    return kin_queue_put_array(s->queue, bytes, s->size, (size_t)s->messages, 0) == s->messages ? 0
                                                                                                : 1;
}

static void start_all(struct scene *s)
{
    s->ready = s->got = 0;
    CHECK_OK(kin_queue_new(&s->queue, NULL));
    for (int i = 0; i < OTHERS; i++) {
        s->others[i] = test_child(sleep_behind, s);
    }
    s->putter = test_child(put_for_all, s);
}

static void begin(void *ctx)
{
    struct scene *s = ctx;
    s->victim = 0;
    start_all(s);
}

static void sleep_first(void *ctx)
{
    struct scene *s = ctx;
    s->victim = getpid();
    (void)get_one(s);
}

static bool is_idle(const kin__ring *ring, void *ctx)
{
    bool held;
    *(bool *)ctx = kin__ring_is_idle(ring, &held);
    return *(bool *)ctx;
}

/* Does not look after the dead as a get would. */
static bool is_drained(kin_queue *queue)
{
    bool idle = true;
    return kin__chain_each(queue, is_idle, &idle) && idle;
}

static void end(struct scene *s)
{
    CHECK_OK(kin_queue_close(s->queue));
    for (int i = 0; i < OTHERS; i++) {
        CHECK_EQ(test_join(s->others[i]), 0);
    }
    kin_queue_free(s->queue);
}

static void all_is_taken(void *ctx, const char *step)
{
    struct scene *s = ctx;
    CHECK_EQ(test_join(s->putter), 0);
    WAIT_UNTIL(is_drained(s->queue));
    end(s);
    CHECK_(s->got >= s->messages - 1, "killed at %s: others got %d of %d", step, s->got,
           s->messages);
}

/* One kind of steps after the other: how many a process passes while it joins depends on who died
 * before. */
static void kill_who_is_woken(size_t size, int messages)
{
    static const char *const rooms[] = { "ring.", "turnstile.", "message." };
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    for (int i = 0; i < (size > KIN__CELL_ROOM ? 3 : 2); i++) {
        *s = (struct scene){ .size = size, .messages = messages };
        kill_loop(rooms[i], s, .setup = begin, .victim = sleep_first, .check = all_is_taken);
        CHECK_EQ(test_join(s->putter), 0); /* he got through, and may have got one of them */
        WAIT_UNTIL(is_drained(s->queue));
        end(s);
    }
}

TEST_WITHIN(120, who_is_woken_for_a_message_may_die_anywhere)
{
    kill_who_is_woken(8, 1);
}

TEST_WITHIN(120, who_is_woken_for_a_large_message_may_die_anywhere)
{
    kill_who_is_woken(5000, 1);
}

TEST_WITHIN(120, who_is_woken_for_the_first_of_some_may_die_anywhere)
{
    kill_who_is_woken(8, 3);
}

/* ---- who puts -------------------------------------------------------------------------------- */

static void begin_without_putter(void *ctx)
{
    struct scene *s = ctx;
    s->victim = getpid(); /* nobody to sleep behind: we sleep in join */
    start_all(s);
    CHECK_EQ(test_join(s->putter), 0); /* the others sleep */
}

static void put_two(void *ctx)
{
    struct scene *s = ctx;
    static const char bytes[2 * 8];
    (void)kin_queue_put_array(s->queue, bytes, 8, 2, 0);
}

/* What he published is taken, without another put; and so is what comes after. */
static void what_he_put_is_taken(void *ctx, const char *step)
{
    struct scene *s = ctx;
    (void)step;
    WAIT_UNTIL(kin_queue_qsize(s->queue) == 0);
    CHECK_OK(kin_queue_put_bytes(s->queue, "", 1, 0));
    WAIT_UNTIL(kin_queue_qsize(s->queue) == 0 && s->got > 0);
    end(s);
}

TEST_WITHIN(120, who_puts_for_sleepers_may_die_anywhere)
{
    static const char *const rooms[] = { "ring.", "turnstile.", "queue." };
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    for (int i = 0; i < 3; i++) {
        *s = (struct scene){ .size = 8 };
        kill_loop(rooms[i], s, .setup = begin_without_putter, .victim = put_two,
                  .check = what_he_put_is_taken);
        WAIT_UNTIL(is_drained(s->queue));
        end(s);
        CHECK_EQ(s->got, 2);
    }
}

/* ---- who waits for room ---------------------------------------------------------------------- */

static int put_behind(void *ctx)
{
    struct scene *s = ctx;
    WAIT_UNTIL(s->victim != 0 && (test_is_asleep(s->victim) || has_gone(s->victim)));
    s->ready++;
    int rv;
    do {
        rv = kin_queue_put_bytes(s->queue, "", 1, KIN_FOREVER);
    } while (rv == 0);
    return rv == KIN_ECLOSED ? 0 : 1;
}

static int take_for_all(void *ctx)
{
    struct scene *s = ctx;
    WAIT_UNTIL(s->ready == OTHERS);
    for (int i = 0; i < OTHERS; i++) {
        WAIT_UNTIL(test_is_asleep(s->others[i]));
    }
    char byte;
    return s->messages == 0 || kin_queue_get_bytes(s->queue, &byte, 1, 0) == 1 ? 0 : 1;
}

static void fill_up(struct scene *s)
{
    s->ready = 0;
    CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = s->maxsize)));
    for (unsigned i = 0; i < s->maxsize; i++) {
        CHECK_OK(kin_queue_put_bytes(s->queue, "", 1, 0));
    }
    for (int i = 0; i < OTHERS; i++) {
        s->others[i] = test_child(put_behind, s);
    }
    s->putter = test_child(take_for_all, s);
}

static void begin_full(void *ctx)
{
    struct scene *s = ctx;
    s->victim = 0;
    fill_up(s);
}

static void sleep_first_for_room(void *ctx)
{
    struct scene *s = ctx;
    s->victim = getpid();
    (void)kin_queue_put_bytes(s->queue, "", 1, KIN_FOREVER);
}

/* Behind messages that nobody takes, a dead one's cell may stay his until they are taken. */
static void it_is_full_again(void *ctx, const char *step)
{
    struct scene *s = ctx;
    (void)step;
    CHECK_EQ(test_join(s->putter), 0);
    if (s->maxsize == 1) {
        WAIT_UNTIL(kin_queue_qsize(s->queue) == 1);
    }
    for (unsigned i = 0; i < 2 * s->maxsize; i++) {
        CHECK_EQ(get_one(s), 1);
    }
    WAIT_UNTIL(kin_queue_qsize(s->queue) == s->maxsize);
    end(s);
}

TEST_WITHIN(120, who_is_woken_for_room_may_die_anywhere)
{
    static const char *const rooms[] = { "ring.", "turnstile.", "queue." };
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    for (int i = 0; i < 6; i++) {
        *s = (struct scene){ .maxsize = i % 2 ? 3 : 1, .messages = 1 };
        kill_loop(rooms[i / 2], s, .setup = begin_full, .victim = sleep_first_for_room,
                  .check = it_is_full_again);
        it_is_full_again(s, NULL);
    }
}

static void begin_full_and_asleep(void *ctx)
{
    struct scene *s = ctx;
    s->victim = getpid();
    fill_up(s);
    CHECK_EQ(test_join(s->putter), 0);
}

static void take_one(void *ctx)
{
    (void)get_one(ctx);
}

/* What he finished is filled again; what he had in his hand is there when somebody looks. */
static void no_room_is_left(void *ctx, const char *step)
{
    struct scene *s = ctx;
    (void)step;
    WAIT_UNTIL(!is_drained(s->queue));
    CHECK_EQ(get_one(s), 1);
    WAIT_UNTIL(kin_queue_qsize(s->queue) == 1);
    end(s);
}

TEST_WITHIN(120, who_takes_from_a_full_queue_may_die_anywhere)
{
    static const char *const rooms[] = { "ring.", "turnstile." };
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    for (int i = 0; i < 2; i++) {
        *s = (struct scene){ .maxsize = 1 };
        kill_loop(rooms[i], s, .setup = begin_full_and_asleep, .victim = take_one,
                  .check = no_room_is_left);
        no_room_is_left(s, NULL);
    }
}

/* ---- who closes ------------------------------------------------------------------------------ */

static int close_again(struct scene *s)
{
    return kin_queue_close(s->queue) == 0 ? KIN_ECLOSED : 1;
}

static int put_another(struct scene *s)
{
    return kin_queue_put_bytes(s->queue, "", 1, 0);
}

static void close_it(void *ctx)
{
    (void)kin_queue_close(((struct scene *)ctx)->queue);
}

static void all_leave(void *ctx, const char *step)
{
    struct scene *s = ctx;
    (void)step;
    CHECK_EQ(s->next(s), KIN_ECLOSED);
    for (int i = 0; i < OTHERS; i++) {
        CHECK_EQ(test_join(s->others[i]), 0);
    }
    kin_queue_free(s->queue);
}

static void kill_who_closes(int (*next)(struct scene *s))
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .next = next };
    kin__self();
    kill_loop("queue.", s, .setup = begin_without_putter, .victim = close_it, .check = all_leave);
    end(s);
}

TEST_WITHIN(60, who_closes_again_when_who_closed_died_tells_all)
{
    kill_who_closes(close_again);
}

TEST_WITHIN(60, who_puts_when_who_closed_died_tells_all)
{
    kill_who_closes(put_another);
}

TEST_WITHIN(60, who_gets_when_who_closed_died_tells_all)
{
    kill_who_closes(get_one);
}

static int sleep_in_put(void *ctx)
{
    struct scene *s = ctx;
    return kin_queue_put_bytes(s->queue, "", 1, KIN_FOREVER) == KIN_ECLOSED ? 0 : 1;
}

static void fill_and_let_others_sleep(void *ctx)
{
    struct scene *s = ctx;
    CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = 1)));
    CHECK_OK(kin_queue_put_bytes(s->queue, "", 1, 0));
    for (int i = 0; i < OTHERS; i++) {
        s->others[i] = test_child(sleep_in_put, s);
        WAIT_UNTIL(test_is_asleep(s->others[i]));
    }
}

TEST_WITHIN(60, who_puts_tells_those_who_wait_for_room_in_a_queue_closed_by_the_dead)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .next = put_another };
    kin__self();
    kill_loop("queue.", s, .setup = fill_and_let_others_sleep, .victim = close_it,
              .check = all_leave);
    end(s);
}
