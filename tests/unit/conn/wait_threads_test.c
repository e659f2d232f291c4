/* kin_wait among threads alone, for ThreadSanitizer: it sees one process. */
#include "harness.h"
#include <kin/queue.h>
#include <pthread.h>

enum { PRODUCERS = 3, CONSUMERS = 3, MESSAGES = 2000 };

struct scene {
    kin_queue *queues[PRODUCERS];
    kin_event *stop;
    _Atomic unsigned got;
    _Atomic unsigned sum;
};

struct producer {
    pthread_t thread;
    kin_queue *queue;
};

static void *produce(void *ctx)
{
    struct producer *p = ctx;
    for (unsigned i = 1; i <= MESSAGES; i++) {
        if (kin_queue_put_bytes(p->queue, &i, sizeof i, KIN_FOREVER) < 0) {
            return p;
        }
        if (i % 100 == 0) {
            test_nap(); /* that consumers fall asleep */
        }
    }
    return NULL;
}

static void take(struct scene *s, kin_queue *queue)
{
    unsigned number;
    if (kin_queue_get_bytes(queue, &number, sizeof number, 0) > 0) {
        s->sum += number;
        s->got++;
    }
}

static void *consume(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable things[PRODUCERS + 1];
    for (int i = 0; i < PRODUCERS; i++) {
        things[i] = kin_queue_waitable(s->queues[i]);
    }
    things[PRODUCERS] = kin_event_waitable(s->stop);
    for (;;) {
        if (kin_wait(things, PRODUCERS + 1, KIN_FOREVER) <= 0) {
            return s;
        }
        for (int i = 0; i < PRODUCERS; i++) {
            if (things[i].ready) {
                take(s, s->queues[i]);
            }
        }
        if (things[PRODUCERS].ready) {
            return NULL;
        }
    }
}

TEST(each_message_wakes_somebody_until_all_are_told_to_stop)
{
    static struct scene s;
    struct producer producers[PRODUCERS];
    pthread_t consumers[CONSUMERS];
    void *failed;
    CHECK_OK(kin_event_new(&s.stop, NULL));
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_OK(kin_queue_new(&s.queues[i], NULL));
    }
    for (int i = 0; i < CONSUMERS; i++) {
        CHECK_EQ(pthread_create(&consumers[i], NULL, consume, &s), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].queue = s.queues[i];
        CHECK_EQ(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_EQ(pthread_join(producers[i].thread, &failed), 0);
        CHECK_NULL(failed);
    }
    WAIT_UNTIL(s.got == PRODUCERS * MESSAGES);
    CHECK_EQ(s.sum, PRODUCERS * (MESSAGES * (MESSAGES + 1) / 2));
    CHECK_OK(kin_event_set(s.stop));
    for (int i = 0; i < CONSUMERS; i++) {
        CHECK_EQ(pthread_join(consumers[i], &failed), 0);
        CHECK_NULL(failed);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        kin_queue_free(s.queues[i]);
    }
    kin_event_free(s.stop);
}
