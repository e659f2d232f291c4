/* A watch in a loop, and producers who know nothing of it: in threads, for ThreadSanitizer, and in
 * processes. No ring is missed, however they fall. */
#include "unit/conn/loops.h"

#include <pthread.h>

enum { PRODUCERS = 3, MESSAGES = 3000 };

struct scene {
    kin_queue *queues[PRODUCERS];
    _Atomic int next; /* producer */
};

static struct scene *new_scene(void)
{
    struct scene *s = test_shared(sizeof *s);
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_OK(kin_queue_new(&s->queues[i], NULL));
    }
    return s;
}

static int produce(void *ctx)
{
    struct scene *s = ctx;
    kin_queue *queue = s->queues[atomic_fetch_add(&s->next, 1)];
    for (unsigned i = 1; i <= MESSAGES; i++) {
        if (kin_queue_put_bytes(queue, &i, sizeof i, KIN_FOREVER) < 0) {
            return 1;
        }
        if (i % 100 == 0) {
            test_nap(); /* that the loop falls asleep */
        }
    }
    return 0;
}

static void *produce_in_thread(void *ctx)
{
    return produce(ctx) == 0 ? NULL : ctx;
}

/* One message, though there may be more. */
static unsigned take(kin_queue *queue)
{
    unsigned number;
    CHECK_EQ(kin_queue_get_bytes(queue, &number, sizeof number, 0), sizeof number);
    return number;
}

static void consume(struct scene *s)
{
    kin_waitable things[PRODUCERS];
    unsigned last[PRODUCERS] = { 0 };
    for (int i = 0; i < PRODUCERS; i++) {
        things[i] = kin_queue_waitable(s->queues[i]);
    }
    kin_watch *watch = new_watch(things, PRODUCERS);
    for (int got = 0; got < PRODUCERS * MESSAGES;) {
        await(watch);
        CHECK_OK(kin_watch_look(watch, things));
        for (int i = 0; i < PRODUCERS; i++) {
            if (things[i].ready) {
                CHECK_EQ(take(s->queues[i]), last[i] + 1);
                last[i]++;
                got++;
            }
        }
    }
    come_to_rest(watch);
    kin_watch_free(watch);
    for (int i = 0; i < PRODUCERS; i++) {
        kin_queue_free(s->queues[i]);
    }
}

TEST(a_loop_misses_nothing_that_threads_put)
{
    struct scene *s = new_scene();
    pthread_t threads[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, produce_in_thread, s), 0);
    }
    consume(s);
    for (int i = 0; i < PRODUCERS; i++) {
        void *failed;
        CHECK_EQ(pthread_join(threads[i], &failed), 0);
        CHECK_NULL(failed);
    }
}

TEST(a_loop_misses_nothing_that_processes_put)
{
    struct scene *s = new_scene();
    pid_t pids[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        pids[i] = test_child(produce, s);
    }
    consume(s);
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
}
