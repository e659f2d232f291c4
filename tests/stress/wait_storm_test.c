/* Producers and consumers who meet in kin_wait, some of whom are killed at random moments: what is
 * put is taken by those who sleep, all are told to stop, and nothing of the dead is left. */
#include "domain/room.h"
#include "harness.h"
#include <kin/queue.h>

#include <signal.h>
#include <unistd.h>

enum { QUEUES = 4, PRODUCERS = 3, CONSUMERS = 3, MESSAGES = 1500, ROUNDS = 30 };

struct storm {
    kin_queue *queues[QUEUES];
    kin_event *stop;
    uint64_t seed;
};

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static int produce(void *ctx)
{
    struct storm *s = ctx;
    uint64_t seed = s->seed;
    for (int i = 0; i < MESSAGES; i++) {
        if (kin_queue_put_bytes(s->queues[next(&seed) % QUEUES], &i, sizeof i, KIN_FOREVER) < 0) {
            return 1;
        }
        if (next(&seed) % 100 == 0) {
            test_nap(); /* time to fall asleep */
        }
    }
    return 0;
}

static int consume(void *ctx)
{
    struct storm *s = ctx;
    kin_waitable things[QUEUES + 1];
    for (int i = 0; i < QUEUES; i++) {
        things[i] = kin_queue_waitable(s->queues[i]);
    }
    things[QUEUES] = kin_event_waitable(s->stop);
    for (;;) {
        if (kin_wait(things, QUEUES + 1, KIN_FOREVER) < 1) {
            return 1;
        }
        for (int i = 0; i < QUEUES; i++) {
            int number;
            (void)(things[i].ready &&
                   kin_queue_get_bytes(s->queues[i], &number, sizeof number, 0) == 0);
        }
        if (things[QUEUES].ready) {
            return 0;
        }
    }
}

static void start(struct storm *s, pid_t *ret_pids, int n, int (*role)(void *))
{
    for (int i = 0; i < n; i++) {
        s->seed = test_random();
        ret_pids[i] = test_child(role, s);
    }
}

static void kill_some(struct storm *s)
{
    pid_t victims[2];
    start(s, &victims[0], 1, produce);
    start(s, &victims[1], 1, consume);
    for (int i = 0; i < 2; i++) {
        for (uint64_t naps = test_random() % 8; naps > 0; naps--) {
            test_nap();
        }
        kill(victims[i], SIGKILL);
        (void)test_join(victims[i]); /* the producer may have been done */
    }
}

static bool all_taken(const struct storm *s)
{
    int64_t left = 0;
    for (int i = 0; i < QUEUES; i++) {
        left += kin_queue_qsize(s->queues[i]);
    }
    return left == 0;
}

static void begin(struct storm *s)
{
    for (int i = 0; i < QUEUES; i++) {
        CHECK_OK(kin_queue_new(&s->queues[i], NULL));
    }
    CHECK_OK(kin_event_new(&s->stop, NULL));
}

static void finish(struct storm *s)
{
    kin_usage_info usage;
    for (int i = 0; i < QUEUES; i++) {
        kin_queue_free(s->queues[i]);
    }
    kin_event_free(s->stop);
    CHECK_EQ(kin__count_alive(), 1);
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST_WITHIN(300, who_sleeps_in_kin_wait_is_woken_though_others_are_killed)
{
    struct storm s;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t consumers[CONSUMERS];
        pid_t producers[PRODUCERS];
        begin(&s);
        start(&s, consumers, CONSUMERS, consume);
        start(&s, producers, PRODUCERS, produce);
        kill_some(&s);
        for (int i = 0; i < PRODUCERS; i++) {
            CHECK_EQ(test_join(producers[i]), 0);
        }
        WAIT_UNTIL(all_taken(&s));
        CHECK_OK(kin_event_set(s.stop));
        for (int i = 0; i < CONSUMERS; i++) {
            CHECK_EQ(test_join(consumers[i]), 0);
        }
        finish(&s);
    }
}
