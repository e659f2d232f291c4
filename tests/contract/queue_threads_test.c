/* The contract of queues among the threads of one process: TSan sees no other. */
#include "harness.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct task *helper;

struct task {
    pthread_t thread;
    int (*body)(void *);
    void *ctx;
    _Atomic pid_t tid;
    int result;
};

static void *run(void *ctx)
{
    helper h = ctx;
    h->tid = gettid();
    h->result = h->body(h->ctx);
    return NULL;
}

static helper start(int (*body)(void *), void *ctx)
{
    helper h = calloc(1, sizeof *h);
    h->body = body;
    h->ctx = ctx;
    CHECK_EQ(pthread_create(&h->thread, NULL, run, h), 0);
    return h;
}

static int end(helper h)
{
    pthread_join(h->thread, NULL);
    int result = h->result;
    free(h);
    return result;
}

static bool is_asleep(helper h)
{
    return h->tid != 0 && test_is_asleep(h->tid);
}

#include "queue_misuse.h" /* and queue_suite.h */

/* ---- threads and what they have to acknowledge ----------------------------------------------- */

static int get_many_and_leave(void *ctx)
{
    char back[10];
    for (int i = 0; i < 50; i++) {
        if (kin_queue_get_bytes(*(kin_queue **)ctx, back, sizeof back, 0) < 0) {
            return 1;
        }
    }
    return 0;
}

TEST(what_a_thread_leaves_stays_its_process_s)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
    for (int i = 0; i < 50; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, "a", 1, 0));
    }
    CHECK_EQ(end(start(get_many_and_leave, &queue)), 0); /* its notes go with it */
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    char back[10];
    CHECK_ERROR(kin_queue_get_bytes(queue, back, sizeof back, 0), KIN_EEMPTY);
    CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
    kin_queue_free(queue);
}

/* ---- no ticking ------------------------------------------------------------------------------ */

enum { IDLE_KINDS = 6, NAPS = 10 }; /* of 50 ms each would be 20 in the second that they wait */

struct idler {
    kin_queue *queue;
    int verb; /* 0: get, 1: put, 2: join */
    int code;
};

static int idle(void *ctx)
{
    const struct idler *i = ctx;
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_THREAD, &before);
    char back[100] = { 0 };
    int rv = i->verb == 0   ? (int)kin_queue_get_bytes(i->queue, back, sizeof back, 1.0)
             : i->verb == 1 ? kin_queue_put_bytes(i->queue, back, sizeof back, 1.0)
                            : kin_queue_join(i->queue, 1.0);
    getrusage(RUSAGE_THREAD, &after);
    return rv == i->code ? (int)(after.ru_nvcsw - before.ru_nvcsw) : -1;
}

/* While nobody has a message in hand, there is nobody who could die with it. */
TEST(who_waits_sleeps_once)
{
    static const kin_queue_options kinds[IDLE_KINDS] = {
        { .maxsize = 2 },
        { .joinable = true, .maxbytes = 350 },
        { .ack = true, .maxsize = 2 },
        { .ack = true, .maxbytes = 350 },
        { .wait_for_memory = true, .maxsize = 2 },
        { .joinable = true, .maxsize = 2 },
    };
    struct idler idlers[3 * IDLE_KINDS];
    helper helpers[3 * IDLE_KINDS];
    for (int i = 0; i < 3 * IDLE_KINDS; i++) {
        const kin_queue_options *kind = &kinds[i / 3];
        struct idler *it = &idlers[i];
        *it = (struct idler){ .queue = new_queue(kind), .verb = i % 3, .code = KIN_ETIMEDOUT };
        it->code = it->verb == 2 && !is_joinable(kind) ? KIN_ESTATE : it->code;
        char bytes[100] = { 0 };
        for (int n = 0; n < 2 && it->verb != 0; n++) {
            CHECK_OK(kin_queue_put_bytes(it->queue, bytes, sizeof bytes, 0));
        }
        helpers[i] = start(idle, it);
    }
    for (int i = 0; i < 3 * IDLE_KINDS; i++) {
        int sleeps = end(helpers[i]);
        CHECK_(sleeps >= 0 && sleeps < NAPS, "kind %d, verb %d: slept %d times", i / 3, i % 3,
               sleeps);
        kin_queue_free(idlers[i].queue);
    }
}
