/* How many gets, sets and additions a second does a shared dict take, from one, two and four
 * processes? The floor is an array in shared memory, a robust mutex around each access: it knows
 * where a key is. Beside it GLib's hash table behind a mutex, in private memory, so by threads; a
 * Redis and CPython's Manager, one by one, and Redis sixteen at a time.
 *
 *     dict_ops [quick]
 */
#include <kin.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/bench.h"
#include "peers/hash.h"
#include "peers/redis.h"
#include "peers/threads.h"

enum { KEYS = 1000 };
enum { GET = REDIS_GET, SET = REDIS_SET, ADD = REDIS_ADD };

typedef struct question {
    unsigned processes;
    long times;
    int what; /* GET, SET, ADD */
} question;

static const int cpus[] = { 0, 1, 0, 1 };
static kin_shared_dict *dict;

static struct {
    pthread_mutex_t mutex;
    long numbers[KEYS];
} * array;

/* Keys in no order, the same for all who are asked. */
static long key_of(unsigned index, long i)
{
    return (long)(((unsigned long)i * 2654435761u + index * 40503u) % KEYS);
}

static void use_dict(unsigned index, const void *arg)
{
    const question *q = arg;
    for (long i = 0; i < q->times; i++) {
        kin_obj o;
        kin_obj key = kin_int(key_of(index, i));
        if (q->what == GET) {
            KIN_CHECK(kin_shared_dict_get(dict, key, &o));
        } else if (q->what == SET) {
            KIN_CHECK(kin_shared_dict_set(dict, key, kin_int(i)));
        } else {
            KIN_CHECK(kin_shared_dict_add(dict, key, kin_int(1), NULL));
        }
    }
}

static void use_hash(unsigned index, const void *arg)
{
    const question *q = arg;
    for (long i = 0; i < q->times; i++) {
        long key = key_of(index, i);
        if (q->what == GET) {
            BENCH_MUST(hash_get(key) >= 0);
        } else if (q->what == SET) {
            hash_set(key, i);
        } else {
            hash_add(key, 1);
        }
    }
}

static void use_array(unsigned index, const void *arg)
{
    const question *q = arg;
    for (long i = 0; i < q->times; i++) {
        volatile long *number = &array->numbers[key_of(index, i)];
        BENCH_MUST(pthread_mutex_lock(&array->mutex) == 0);
        *number = q->what == GET ? *number : q->what == SET ? i : *number + 1;
        BENCH_MUST(pthread_mutex_unlock(&array->mutex) == 0);
    }
}

static double per_call(const question *q, double seconds)
{
    return seconds / (double)q->times / q->processes;
}

static double ask_dict(const void *arg)
{
    const question *q = arg;
    return per_call(q, bench_team(q->processes, cpus, use_dict, q));
}

static double ask_hash(const void *arg)
{
    const question *q = arg;
    return per_call(q, threads_seconds(q->processes, cpus, use_hash, q));
}

static double ask_array(const void *arg)
{
    const question *q = arg;
    return per_call(q, bench_team(q->processes, cpus, use_array, q));
}

static void make_array(void)
{
    pthread_mutexattr_t how;
    array = bench_shared(sizeof *array);
    BENCH_MUST(pthread_mutexattr_init(&how) == 0);
    BENCH_MUST(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
    BENCH_MUST(pthread_mutex_init(&array->mutex, &how) == 0);
    pthread_mutexattr_destroy(&how);
}

static void fill(void)
{
    KIN_CHECK(kin_shared_dict_new(&dict, NULL));
    hash_new();
    make_array();
    for (long i = 0; i < KEYS; i++) {
        KIN_CHECK(kin_shared_dict_set(dict, kin_int(i), kin_int(i)));
        hash_set(i, i);
    }
}

static void ask(question q, bool has_redis, int rounds)
{
    static const char *const verbs[] = { "get", "set", "add" };
    char name[80];
    char script[80];
    redis_job alone = { q.what, q.processes, cpus, 2000, 1, KEYS, 0 };
    redis_job batched = { q.what, q.processes, cpus, 32000, 16, KEYS, 0 };
    snprintf(name, sizeof name, "shared dict: %s, %u process%s", verbs[q.what], q.processes,
             q.processes == 1 ? "" : "es");
    snprintf(script, sizeof script, "manager.py %s %u 1000", verbs[q.what], q.processes);
    bench_case c = { .name = name,
                     .unit = "M/s",
                     .ours = ask_dict,
                     .floor = ask_array,
                     .floor_is = "an array and a robust mutex",
                     .peer = script,
                     .conditions = q.processes == 1 ? "on cpu 0; servers of the others on cpu 1"
                                                    : "on cpus 0 and 1; servers on cpu 1",
                     .rounds = rounds,
                     .arg = &q };
    bench_other *next = c.others;
    if (hash_is_there()) {
        *next++ = (bench_other){ .name = "GLib's hash table and a mutex", .measure = ask_hash };
    }
    if (has_redis) {
        *next++ = (bench_other){ .name = "Redis", .measure = redis_seconds, .arg = &alone };
        *next = (bench_other){ .name = "Redis, 16 at a time", redis_seconds, .arg = &batched };
    }
    bench_run(&c);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    (void)bench_cpus();
    fill();
    bool has_redis = redis_start(1, KEYS);
    for (unsigned n = 1; n <= 4; n *= 2) {
        for (int what = GET; what <= ADD; what++) {
            ask((question){ n, 400000, what }, has_redis, quick ? 1 : 5);
        }
    }
    redis_stop();
    kin_shared_dict_free(dict);
    hash_free();
    return 0;
}
