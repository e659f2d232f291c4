/* A queue as a thing for kin_wait. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    kin_queue *queue;
    _Atomic int ready;
    _Atomic int got;
};

static struct scene *new_scene(uint64_t maxsize)
{
    struct scene *s = test_shared(sizeof *s);
    CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = maxsize)));
    return s;
}

static int is_ready(const struct scene *s)
{
    kin_waitable thing = kin_queue_waitable(s->queue);
    return kin_wait(&thing, 1, 0);
}

static void put(const struct scene *s, int number)
{
    CHECK_OK(kin_queue_put_bytes(s->queue, &number, sizeof number, 0));
}

static int get(const struct scene *s)
{
    int number;
    ssize_t size = kin_queue_get_bytes(s->queue, &number, sizeof number, 0);
    return size < 0 ? (int)size : number;
}

TEST(a_queue_is_ready_when_a_get_would_not_wait)
{
    struct scene *s = new_scene(0);
    CHECK_EQ(is_ready(s), 0);
    put(s, 1);
    CHECK_EQ(is_ready(s), 1);
    CHECK_EQ(is_ready(s), 1);
    CHECK_EQ(kin_queue_qsize(s->queue), 1);
    CHECK_EQ(get(s), 1);
    CHECK_EQ(is_ready(s), 0);
    for (int i = 0; i < 1000; i++) { /* over several rings */
        put(s, i);
    }
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(is_ready(s), 1);
        CHECK_EQ(get(s), i);
    }
    CHECK_EQ(is_ready(s), 0);
    CHECK_OK(kin_queue_close(s->queue));
    CHECK_EQ(is_ready(s), 1);
    CHECK_EQ(get(s), KIN_ECLOSED);
    kin_queue_free(s->queue);
}

TEST(an_object_and_an_empty_message_are_ready_too)
{
    struct scene *s = new_scene(2);
    kin_obj o;
    CHECK_OK(kin_queue_put_bytes(s->queue, NULL, 0, 0));
    CHECK_EQ(is_ready(s), 1);
    CHECK_OK(kin_queue_get(s->queue, &o, 0));
    kin_release(o);
    CHECK_OK(kin_queue_put(s->queue, kin_none(), 0));
    CHECK_EQ(is_ready(s), 1);
    CHECK_OK(kin_queue_get(s->queue, &o, 0));
    CHECK_EQ(is_ready(s), 0);
    kin_queue_free(s->queue);
}

/* Waits and gets until the queue is closed. */
static int drain(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable thing = kin_queue_waitable(s->queue);
    for (;;) {
        int rv = kin_wait(&thing, 1, KIN_FOREVER);
        s->ready += rv == 1;
        int number = get(s);
        if (rv != 1 || number == KIN_ECLOSED) {
            return rv != 1;
        }
        s->got += number != KIN_EEMPTY;
    }
}

TEST(sleepers_are_woken_by_each_put_and_by_the_end)
{
    struct scene *s = new_scene(0);
    pid_t first = test_child(drain, s);
    pid_t second = test_child(drain, s);
    for (int i = 0; i < 200; i++) {
        if (i % 20 == 0) {
            WAIT_UNTIL(test_is_asleep(first) && test_is_asleep(second));
        }
        put(s, i);
    }
    WAIT_UNTIL(s->got == 200);
    WAIT_UNTIL(test_is_asleep(first) && test_is_asleep(second));
    CHECK_OK(kin_queue_close(s->queue));
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(test_join(second), 0);
    CHECK_EQ(s->got, 200);
    kin_queue_free(s->queue);
}

static int claim_and_stop(void *ctx)
{
    struct scene *s = ctx;
    kin__claim claim;
    if (kin__queue_claim(s->queue, 0, KIN__NEVER, &claim) < 0) {
        return 1;
    }
    raise(SIGSTOP);
    atomic_store(&claim.cell->kind, KIN__CELL_BYTES);
    atomic_store(&claim.cell->size, 0);
    kin__queue_publish(s->queue, &claim, 1);
    return 0;
}

static int wait_once(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable thing = kin_queue_waitable(s->queue);
    s->ready = kin_wait(&thing, 1, KIN_FOREVER);
    return 0;
}

static void start_claimer(struct scene *s, pid_t *ret)
{
    int status;
    *ret = test_child(claim_and_stop, s);
    CHECK_EQ(waitpid(*ret, &status, WUNTRACED), *ret);
    CHECK(WIFSTOPPED(status));
}

TEST(a_claimed_cell_is_not_ready_before_it_is_published)
{
    struct scene *s = new_scene(0);
    pid_t claimer;
    start_claimer(s, &claimer);
    CHECK_EQ(is_ready(s), 0);
    pid_t waiter = test_child(wait_once, s);
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_EQ(s->ready, 0);
    kill(claimer, SIGCONT);
    CHECK_EQ(test_join(claimer), 0);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->ready, 1);
    kin_queue_free(s->queue);
}

/* What was put behind the dead one's cell is found by who naps for him. */
TEST(the_death_of_a_producer_in_the_way_is_noticed)
{
    struct scene *s = new_scene(0);
    pid_t claimer;
    start_claimer(s, &claimer);
    put(s, 7);
    pid_t waiter = test_child(wait_once, s);
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_EQ(s->ready, 0);
    kill(claimer, SIGKILL);
    CHECK_EQ(test_join(claimer), -SIGKILL);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->ready, 1);
    CHECK_EQ(get(s), 7);
    kin_queue_free(s->queue);
}

TEST(a_freed_queue_is_told)
{
    struct scene *s = new_scene(0);
    kin_waitable thing = kin_queue_waitable(s->queue);
    pid_t waiter = test_child(wait_once, s);
    WAIT_UNTIL(test_is_asleep(waiter));
    kin_queue *old = s->queue;
    kin_queue_free(old);
    CHECK_EQ(test_join(waiter), 0);
    CHECK(s->ready == 1 || s->ready == KIN_ECLOSED); /* closed, and then gone */
    CHECK_ERROR(kin_wait(&thing, 1, 0), KIN_EFREED);
    CHECK_CONTAINS(kin_errmsg(), "thing 0: the queue");
    s = new_scene(0);
    CHECK_PTR(s->queue, old);
    CHECK_ERROR(kin_wait(&thing, 1, 0), KIN_EFREED);
    kin_queue_free(s->queue);
}

TEST(what_is_no_queue_is_told)
{
    int here;
    kin_waitable things[2] = { kin_queue_waitable(NULL),
                               kin_queue_waitable((kin_queue *)(void *)&here) };
    CHECK_ERROR(kin_wait(things, 1, 0), KIN_EINVAL);
    CHECK_ERROR(kin_wait(things + 1, 1, KIN_FOREVER), KIN_EINVAL);
}
