/* What do the entries of a dict cost, from a thousand to ten million of them, and values of 8 bytes
 * to 1 MiB: how many a second come in, are got, are set anew, and go; how much memory does each
 * take, and how much of it is there still when all are gone?
 *
 *     dict_growth [quick]     up to 100,000
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/hash.h"

#define VALUES_MOST (1ul << 30) /* bytes in all */

typedef struct growth {
    bench_series in, get, set, out;
    double bytes; /* of an entry, its value among them */
    double kept;  /* of an entry, when all are gone */
} growth;

static kin_shared_dict *dict;
static char *value;
static size_t value_size; /* 0: a number */

static kin_obj value_of(long i)
{
    return value_size == 0 ? kin_int(i) : kin_bytes(value, value_size);
}

static void dict_set(long i)
{
    KIN_CHECK(kin_shared_dict_set(dict, kin_int(i), value_of(i)));
}

static void dict_get(long i)
{
    kin_obj o;
    KIN_CHECK(kin_shared_dict_get(dict, kin_int(i), &o));
    kin_release(o);
}

static void dict_pop(long i)
{
    KIN_CHECK(kin_shared_dict_pop(dict, kin_int(i), NULL));
}

static void hash_set_same(long i)
{
    hash_set(i, i);
}

static void hash_get_one(long i)
{
    BENCH_MUST(hash_get(i) >= 0);
}

/* Each key once, for `entries` is a power of ten and the step ends in 7; in no order that a cache
 * could like. */
static void note_all(bench_series *s, void (*verb)(long), long entries)
{
    long step = 7368787 % entries;
    long key = 0;
    double begin = kin_now();
    for (long i = 0; i < entries; i++) {
        verb(key);
        key += step;
        key -= key >= entries ? entries : 0;
    }
    s->round[s->rounds++] = (kin_now() - begin) / (double)entries;
}

static double used(void)
{
    kin_usage_info usage;
    KIN_CHECK(kin_usage(&usage));
    return (double)usage.used;
}

static void ask_dict(growth *g, long entries)
{
    double before = used();
    KIN_CHECK(kin_shared_dict_new(&dict, NULL));
    note_all(&g->in, dict_set, entries);
    g->bytes = (used() - before) / (double)entries;
    note_all(&g->get, dict_get, entries);
    note_all(&g->set, dict_set, entries);
    note_all(&g->out, dict_pop, entries);
    g->kept = (used() - before) / (double)entries;
    kin_shared_dict_free(dict);
}

static void ask_hash(growth *g, long entries)
{
    hash_new();
    note_all(&g->in, hash_set_same, entries);
    note_all(&g->get, hash_get_one, entries);
    note_all(&g->set, hash_set_same, entries);
    hash_free();
}

static void print(const char *before, const char *what, const bench_series *s)
{
    printf("%s", before);
    bench_series_print(what, s, "M/s");
}

static void print_all(const growth *ours, const growth *hash)
{
    print("\"ours\": {", "in", &ours->in);
    print(", ", "get", &ours->get);
    print(", ", "set", &ours->set);
    print(", ", "out", &ours->out);
    printf(", \"bytes\": %.1f, \"kept\": %.1f}, ", ours->bytes, ours->kept);
    if (hash->in.rounds > 0) {
        print("\"GLib\": {", "in", &hash->in);
        print(", ", "get", &hash->get);
        print(", ", "set", &hash->set);
        printf("}, ");
    }
}

static void ask(long entries, size_t size, int rounds)
{
    growth ours = { 0 };
    growth hash = { 0 };
    double load = 0;
    value_size = size;
    for (int i = 0; i < rounds; i++) {
        alarm(200);
        ask_dict(&ours, entries);
        if (hash_is_there() && size == 0) {
            ask_hash(&hash, entries);
        }
    }
    (void)getloadavg(&load, 1);
    if (size == 0) {
        printf("{\"bench\": \"dict: growth, %ld numbers\", \"unit\": \"M/s\", ", entries);
    } else {
        printf("{\"bench\": \"dict: growth, %ld of %zu bytes\", \"unit\": \"M/s\", ", entries,
               size);
    }
    print_all(&ours, &hash);
    printf("\"conditions\": \"on cpu 0, keys in no order; load %.1f\"}\n", load);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    long most = quick ? 100000 : 10000000;
    value = calloc(1, 1 << 20);
    BENCH_MUST(value != NULL);
    bench_pin(0);
    for (long entries = 1000; entries <= most; entries *= 10) {
        ask(entries, 0, quick || entries > 1000000 ? 1 : 3);
    }
    for (size_t size = 8; size <= 1 << 20; size *= size < 1 << 10 ? 128 : 32) {
        for (long entries = size < 1 << 20 ? 1000 : 100; entries <= (quick ? 10000 : 1000000);
             entries *= 10) {
            if ((size_t)entries * size <= VALUES_MOST / (quick ? 10 : 1)) {
                ask(entries, size, quick ? 1 : 3);
            }
        }
    }
    free(value);
    return 0;
}
