/* A crowd on one queue, and all the time somebody of it is SIGKILLed and replaced. Nothing may
 * hang. In a plain queue nothing may come twice, and nothing may be lost but what a dead consumer
 * had in his hand; where messages are acknowledged nothing at all is lost, and only that comes
 * twice. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { CROWD = 8, MOST = 4096, TESTS = 5 };
enum { MOST_MESSAGES = 32 << 20 }; /* of one storm; it ends sooner if there are more */

/* A set of messages, by their serial numbers. */
typedef struct set {
    _Atomic uint64_t words[MOST_MESSAGES / 64];
} set;

/* False: it was in there before. */
static bool add(set *s, uint32_t serial)
{
    uint64_t bit = (uint64_t)1 << serial % 64;
    return !(atomic_fetch_or(&s->words[serial / 64], bit) & bit);
}

static uint64_t count_without(const set *of, const set *without)
{
    uint64_t n = 0;
    for (size_t i = 0; i < MOST_MESSAGES / 64; i++) {
        n += (uint64_t)__builtin_popcountll(of->words[i] & ~without->words[i]);
    }
    return n;
}

/* Each life of a producer has a number of its own, and numbers its messages. */
struct life {
    _Atomic uint32_t sent; /* puts that have returned */
    _Atomic uint32_t seen; /* messages that consumers counted */
    _Atomic uint32_t last; /* number of the newest one, plus 1 */
};

struct storm {
    kin_queue *queue;
    bool ack;
    _Atomic uint32_t serials;
    _Atomic uint64_t again; /* messages that came more than once */
    set *put;               /* by a put that has returned */
    set *seen;              /* by a consumer, before he acknowledged it, or was killed */
    set *acked;             /* by an acknowledgement that has returned */
    _Atomic uint32_t lives;
    _Atomic uint32_t kills_of_consumers;
    _Atomic int over;
    struct life life[MOST];
};

struct message {
    uint32_t life, number, serial;
    uint64_t check;
    char filling[]; /* none, or as much as needs a block */
};

static uint64_t checksum(uint32_t life, uint32_t number)
{
    return (life * UINT64_C(0x9e3779b97f4a7c15)) ^ number;
}

/* The status of a life that went wrong; what went wrong is said here, for nobody else can tell. */
static int go_wrong(const char *verb, ssize_t rv)
{
    printf("# process %d: %s gave %s: %s\n", (int)getpid(), verb, kin_errname((int)rv),
           kin_errmsg());
    return 1;
}

static int produce(void *ctx)
{
    struct storm *s = ctx;
    uint32_t me = atomic_fetch_add(&s->lives, 1);
    char bytes[600] = { 0 };
    struct message *m = (struct message *)(void *)bytes;
    for (uint32_t i = 0; !s->over && me < MOST; i++) {
        *m = (struct message){ .life = me, .number = i, .check = checksum(me, i) };
        m->serial = atomic_fetch_add(&s->serials, 1);
        if (m->serial >= MOST_MESSAGES) {
            return 0;
        }
        size_t size = i % 3 == 0 ? sizeof bytes : sizeof *m;
        int rv = kin_queue_put_bytes(s->queue, bytes, size, 0.1);
        if (rv == 0) {
            s->life[me].sent = i + 1;
            add(s->put, m->serial);
        } else if (rv == KIN_ETIMEDOUT) {
            i--;
        } else {
            return go_wrong("put", rv);
        }
    }
    return 0;
}

static bool acknowledge(struct storm *s, uint32_t serial)
{
    if (!add(s->seen, serial)) {
        s->again++;
    }
    if (kin_queue_ack(s->queue) < 0) {
        return false;
    }
    add(s->acked, serial);
    return true;
}

static int consume(void *ctx)
{
    struct storm *s = ctx;
    char bytes[600];
    struct message *m = (struct message *)(void *)bytes;
    for (;;) {
        ssize_t size = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, KIN_FOREVER);
        if (size == KIN_ECLOSED) {
            return 0;
        }
        if (size < 0) {
            return go_wrong("get", size);
        }
        if (size < (ssize_t)sizeof *m || m->check != checksum(m->life, m->number)) {
            printf("# a message of %zd bytes says life %u, number %u, check %llx\n", size, m->life,
                   m->number, (unsigned long long)m->check);
            return 1;
        }
        if (s->ack && !acknowledge(s, m->serial)) {
            return go_wrong("ack", KIN_ESTATE);
        }
        s->life[m->life].seen++;
        uint32_t last = s->life[m->life].last;
        while (last <= m->number &&
               !atomic_compare_exchange_weak(&s->life[m->life].last, &last, m->number + 1)) {
        }
    }
}

static void check_lives(struct storm *s)
{
    uint64_t sent = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < s->lives; i++) {
        CHECK_LE(s->life[i].last, s->life[i].sent + 1); /* killed between publish and count */
        CHECK_LE(s->life[i].seen, s->life[i].sent + 1);
        sent += s->life[i].sent;
        seen += s->life[i].seen;
    }
    printf("# %u lives, %llu messages, %u consumers killed\n", s->lives, (unsigned long long)sent,
           s->kills_of_consumers);
    CHECK_GT(seen, 0);
    CHECK_GE(seen + s->kills_of_consumers, sent);
}

/* Each consumer has one message at a time: so as many as were killed may come again, or be
 * acknowledged without the consumer having noted it. */
static void check_acknowledged(struct storm *s)
{
    uint64_t unseen = count_without(s->put, s->seen);
    uint64_t unacked = count_without(s->put, s->acked);
    printf(
        "# %u lives, %u messages, %u consumers killed, %llu came again, of %llu nobody noted that "
        "they were acknowledged\n",
        s->lives, s->serials, s->kills_of_consumers, (unsigned long long)s->again,
        (unsigned long long)unacked);
    CHECK_EQ(unseen, 0);
    CHECK_LE(unacked, s->kills_of_consumers);
    CHECK_LE(s->again, s->kills_of_consumers);
    CHECK_EQ(kin_queue_qsize(s->queue), 0);
    CHECK_OK(kin_queue_join(s->queue, 0));
}

/* All storms together take twice as long as the variable says: it is for one of two. */
static double storm_seconds(void)
{
    const char *text = getenv("KIN_STORM_SECONDS");
    return (text != NULL ? atof(text) : 3) * 2 / TESTS;
}

static struct storm *begin(const kin_queue_options *options)
{
    struct storm *s = test_shared(sizeof *s);
    s->ack = options->ack;
    s->put = test_shared(sizeof(set));
    s->seen = test_shared(sizeof(set));
    s->acked = test_shared(sizeof(set));
    CHECK_OK(kin_queue_new(&s->queue, options));
    return s;
}

static void rage(const kin_queue_options *options)
{
    struct storm *s = begin(options);
    pid_t pids[CROWD];
    for (int i = 0; i < CROWD; i++) {
        pids[i] = test_child(i % 2 ? consume : produce, s);
    }
    double end = kin_now() + storm_seconds();
    while (kin_now() < end && s->lives < MOST - CROWD && s->serials < MOST_MESSAGES - 1000) {
        int victim = (int)(test_random() % CROWD);
        kin__os_sleep_until(kin__os_now() + (int64_t)(test_random() % 8000000));
        kill(pids[victim], SIGKILL);
        CHECK_EQ(test_join(pids[victim]), -SIGKILL);
        s->kills_of_consumers += (uint32_t)victim % 2;
        pids[victim] = test_child(victim % 2 ? consume : produce, s);
    }
    s->over = 1;
    for (int i = 0; i < CROWD; i += 2) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_OK(kin_queue_close(s->queue));
    for (int i = 1; i < CROWD; i += 2) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    if (s->ack) {
        check_acknowledged(s);
    } else {
        check_lives(s);
    }
    kin_queue_free(s->queue);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST_WITHIN(200, an_unbounded_queue_survives_the_storm)
{
    rage(&(const kin_queue_options){ .maxsize = 0 });
}

TEST_WITHIN(200, a_bounded_queue_survives_the_storm)
{
    rage(&(const kin_queue_options){ .maxsize = 50 });
}

TEST_WITHIN(200, a_queue_bounded_by_bytes_survives_the_storm)
{
    rage(&(const kin_queue_options){ .maxbytes = 20000 });
}

TEST_WITHIN(200, nothing_is_lost_in_the_storm_where_messages_are_acknowledged)
{
    rage(&(const kin_queue_options){ .ack = true });
}

TEST_WITHIN(200, nothing_is_lost_in_the_storm_in_a_bounded_queue_that_is_acknowledged)
{
    rage(&(const kin_queue_options){ .ack = true, .maxsize = 50 });
}
