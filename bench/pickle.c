/* What does it cost to write an object as a pickle, and to read it? */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench.h"

#define INTS 1000000
#define STRS 100000
#define RECORDS 120000 /* 10 MB of them, as Python writes it */

typedef struct subject {
    kin_obj object;
    void *data; /* its pickle */
    size_t size;
} subject;

static void write_it(const subject *s)
{
    void *data;
    size_t size;
    KIN_CHECK(kin_dumps(kin_retain(s->object), &data, &size));
    free(data);
}

static void read_it(const subject *s)
{
    kin_obj object;
    KIN_CHECK(kin_loads(s->data, s->size, &object));
    kin_release(object);
}

static void copy_it(const subject *s)
{
    void *copy = malloc(s->size);
    BENCH_MUST(copy != NULL);
    memcpy(copy, s->data, s->size);
    BENCH_MUST(memcmp(copy, s->data, 16) == 0);
    free(copy);
}

/* The best of three, after one to get warm; as the peer does it. */
static double best(void (*work)(const subject *s), const void *arg)
{
    double least = 1e9;
    for (int i = 0; i < 4; i++) {
        double begin = kin_now();
        work(arg);
        double seconds = kin_now() - begin;
        least = seconds < least && i > 0 ? seconds : least;
    }
    return least;
}

static double writing(const void *arg)
{
    return best(write_it, arg);
}

static double reading(const void *arg)
{
    return best(read_it, arg);
}

static double copying(const void *arg)
{
    return best(copy_it, arg);
}

static kin_obj strs(void)
{
    kin_obj list = kin_list();
    for (int i = 0; i < STRS; i++) {
        KIN_CHECK(kin_append(&list, kin_strf("key-%d", i)));
    }
    return list;
}

/* What a table of a database looks like; its records share their keys, as in Python. */
static kin_obj records(void)
{
    enum { KEYS = 7 };
    static const char *const names[KEYS] = { "id", "name", "score", "tags", "pos", "ok", "note" };
    kin_obj keys[KEYS];
    for (int i = 0; i < KEYS; i++) {
        keys[i] = kin_str(names[i]);
    }
    kin_obj first = kin_str("alpha");
    kin_obj last = kin_str("gamma");
    kin_obj list = kin_list();
    for (int i = 0; i < RECORDS; i++) {
        kin_obj values[KEYS] = {
            kin_int(i),
            kin_strf("user number %d", i),
            kin_float(i * 0.37),
            kin_list(kin_retain(first), kin_strf("t%d", i % 100), kin_retain(last)),
            kin_tuple(kin_int(i), kin_int(i * 2), kin_float(1.5)),
            kin_bool(i & 1),
            kin_none(),
        };
        kin_obj record = kin_dict();
        for (int k = 0; k < KEYS; k++) {
            KIN_CHECK(kin_setitem(&record, kin_retain(keys[k]), values[k]));
        }
        KIN_CHECK(kin_append(&list, record));
    }
    for (int i = 0; i < KEYS; i++) {
        kin_release(keys[i]);
    }
    kin_release(first);
    kin_release(last);
    return list;
}

/* Both questions about one object, which is made and released here. */
static void ask(const char *what, const char *peer, kin_obj object)
{
    char name[100];
    char script[100];
    subject s = { .object = object };
    KIN_CHECK(kin_dumps(kin_retain(object), &s.data, &s.size));
    for (int loads = 0; loads < 2; loads++) {
        (void)snprintf(name, sizeof name, "pickle: %s %s", loads ? "read" : "write", what);
        (void)snprintf(script, sizeof script, "pickle_.py %s %s", loads ? "loads" : "dumps", peer);
        bench_run(&(bench_case){ .name = name,
                                 .unit = "ms",
                                 .ours = loads ? reading : writing,
                                 .floor = copying,
                                 .floor_is = "memcpy of the pickle",
                                 .peer = script,
                                 .conditions = "on cpu 0, the peer is Python's C pickle",
                                 .arg = &s });
    }
    free(s.data);
    kin_release(object);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    ask("a million ints", "ints", kin_range(0, INTS));
    ask("100,000 short strs", "strs", strs());
    ask("10 MB of records", "records", records());
    return 0;
}
