/* How often a second can a shared list be appended to, read and written, by one process and by
 * two? */
#include <kin.h>

#include <stdlib.h>

#include "common/bench.h"

typedef struct question {
    unsigned processes;
    long times; /* of each */
    bench_role ours, floor;
} question;

static kin_shared_list *list;
static long *row; /* of malloc: what a process has by itself */

static void append(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        KIN_CHECK(kin_shared_list_append(list, kin_int(i)));
    }
}

static void append_text(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        KIN_CHECK(kin_shared_list_append(list, kin_str("a text of thirty-two bytes, or so")));
    }
}

static void append_to_row(unsigned index, const void *arg)
{
    long times = ((const question *)arg)->times;
    kin_obj *grown = NULL;
    (void)index;
    for (long i = 0, room = 0; i < times; i++) {
        if (i == room) {
            room = room * 2 + 8;
            grown = realloc(grown, (size_t)room * sizeof *grown);
            BENCH_MUST(grown != NULL);
        }
        ((volatile kin_obj *)grown)[i].as.i = i;
    }
    free(grown);
}

static void get(unsigned index, const void *arg)
{
    long times = ((const question *)arg)->times;
    int64_t n = kin_shared_list_len(list);
    int64_t at = index;
    for (long i = 0; i < times; i++) {
        kin_obj o;
        at = (at + 7919) % n;
        KIN_CHECK(kin_shared_list_get(list, at, &o));
        kin_release(o);
    }
}

static void get_from_row(unsigned index, const void *arg)
{
    long times = ((const question *)arg)->times;
    int64_t n = kin_shared_list_len(list);
    int64_t at = index;
    for (long i = 0; i < times; i++) {
        at = (at + 7919) % n;
        (void)((volatile long *)row)[at];
    }
}

static void set(unsigned index, const void *arg)
{
    int64_t n = kin_shared_list_len(list);
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        KIN_CHECK(kin_shared_list_set(list, (i * 2 + index) % n, kin_int(i)));
    }
}

static void set_row(unsigned index, const void *arg)
{
    int64_t n = kin_shared_list_len(list);
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        ((volatile long *)row)[(i * 2 + index) % n] = i;
    }
}

static void take_turns(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        KIN_CHECK(kin_shared_list_append(list, kin_int(i)));
        KIN_CHECK(kin_shared_list_pop(list, 0, NULL));
    }
}

static void make_and_free(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        kin_shared_list *made;
        KIN_CHECK(kin_shared_list_new(&made, NULL));
        kin_shared_list_free(made);
    }
}

static double measure(const question *q, bench_role role)
{
    static const int cpus[] = { 0, 1 };
    return bench_team(q->processes, cpus, role, q) / (double)(q->processes * q->times);
}

static double ours(const void *arg)
{
    return measure(arg, ((const question *)arg)->ours);
}

static double ours_from_nothing(const void *arg)
{
    const question *q = arg;
    KIN_CHECK(kin_shared_list_clear(list));
    double seconds = measure(q, q->ours);
    BENCH_MUST(kin_shared_list_len(list) == q->processes * q->times);
    return seconds;
}

static double least(const void *arg)
{
    return measure(arg, ((const question *)arg)->floor);
}

static void ask(const char *name, bench_measure how, question q)
{
    bool appends = q.ours == append;
    bench_run(&(bench_case){ .name = name,
                             .unit = "M/s",
                             .ours = how,
                             .floor = least,
                             .floor_is = "a row of a process of its own, without a lock",
                             .peer = !appends           ? NULL
                                     : q.processes == 1 ? "manager.py append 1 1000"
                                                        : "manager.py append 2 1000",
                             .conditions = q.processes == 1 ? "on cpu 0" : "on cpu 0 and cpu 1",
                             .arg = &q });
}

int main(int argc, char **argv)
{
    enum { N = 1000000 };
    KIN_CHECK(kin_init(argc, argv));
    KIN_CHECK(kin_shared_list_new(&list, NULL));
    row = calloc(4 * N, sizeof *row);
    BENCH_MUST(row != NULL);
    ask("list: append an int", ours_from_nothing, (question){ 1, N, append, append_to_row });
    ask("list: append an int, two processes", ours_from_nothing,
        (question){ 2, N / 4, append, append_to_row });
    ask("list: append a text", ours_from_nothing,
        (question){ 1, N / 4, append_text, append_to_row });
    KIN_CHECK(kin_shared_list_clear(list));
    KIN_CHECK(kin_shared_list_extend(list, kin_range(0, N)));
    ask("list: get one of a million ints", ours, (question){ 1, N, get, get_from_row });
    ask("list: get one of a million ints, two processes", ours,
        (question){ 2, N, get, get_from_row });
    ask("list: set one of a million ints", ours, (question){ 1, N, set, set_row });
    ask("list: set one of a million ints, two processes", ours,
        (question){ 2, N / 4, set, set_row });
    ask("list: append one, pop the first", ours, (question){ 1, N / 4, take_turns, append_to_row });
    ask("list: make one and free it", ours, (question){ 1, N / 10, make_and_free, append_to_row });
    kin_shared_list_free(list);
    free(row);
    return 0;
}
