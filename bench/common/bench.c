/* bench.c - asks in turn, computes, prints. */
#include "bench.h"

#include <errno.h>
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ping.h"

#define ROUNDS 7
#define PATIENCE 100 /* seconds for a round: what hangs is ended */

typedef struct series {
    double round[ROUNDS];
} series;

typedef struct answers {
    series ours, floor, peer, others[BENCH_OTHERS];
    series line; /* a cache line to and fro */
} answers;

_Noreturn void bench_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s: %s; %s\n", file, line, what, strerror(errno), kin_errmsg());
    exit(1);
}

/* Seconds, from a script that prints them. 0: there is no such peer on this machine. */
static double ask_peer(const char *peer)
{
    char command[400];
    snprintf(command, sizeof command, "%s -B '%s'/%s", BENCH_PYTHON, BENCH_PEERS, peer);
    if (access(BENCH_PYTHON, X_OK) < 0) {
        return 0;
    }
    FILE *answer = popen(command, "r");
    double seconds = 0;
    BENCH_MUST(answer != NULL && fscanf(answer, "%lf", &seconds) == 1);
    BENCH_MUST(pclose(answer) == 0);
    return seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static series sorted(series s)
{
    qsort(s.round, ROUNDS, sizeof s.round[0], compare);
    return s;
}

/* Per round, and then the median. */
static double ratio(const series *a, const series *b)
{
    series s;
    for (int i = 0; i < ROUNDS; i++) {
        s.round[i] = a->round[i] / b->round[i];
    }
    return sorted(s).round[ROUNDS / 2];
}

static double in_unit(double seconds, const char *unit)
{
    if (strcmp(unit, "M/s") == 0) {
        return 1e-6 / seconds;
    }
    return seconds * (strcmp(unit, "ns") == 0 ? 1e9 : strcmp(unit, "us") == 0 ? 1e6 : 1e3);
}

/* An object with min, median and max; what comes after it in the object is the caller's. */
static void print_series(const char *who, const series *s, const char *unit)
{
    series v;
    for (int i = 0; i < ROUNDS; i++) {
        v.round[i] = in_unit(s->round[i], unit);
    }
    v = sorted(v);
    printf("\"%s\": {\"min\": %.4g, \"median\": %.4g, \"max\": %.4g", who, v.round[0],
           v.round[ROUNDS / 2], v.round[ROUNDS - 1]);
}

static void print_conditions(const bench_case *c, const series *line)
{
    double load = 0;
    (void)getloadavg(&load, 1);
    series s = sorted(*line);
    printf(", \"conditions\": \"%s; %d cpus, load %.1f; a cache line goes to and fro in ",
           c->conditions, bench_cpus(), load);
    printf("%.0f to %.0f ns; floor: %s; peer: %s\"}\n", s.round[0] * 1e9, s.round[ROUNDS - 1] * 1e9,
           c->floor_is, c->peer != NULL ? "CPython" : "none");
}

static void ask(const bench_case *c, answers *a)
{
    (void)c->floor(c->arg); /* warm */
    (void)c->ours(c->arg);
    for (int i = 0; i < ROUNDS; i++) {
        alarm(PATIENCE);
        a->line.round[i] = bench_ping_spinning();
        a->floor.round[i] = c->floor(c->arg);
        a->ours.round[i] = c->ours(c->arg);
        for (int k = 0; k < BENCH_OTHERS && c->others[k].name != NULL; k++) {
            a->others[k].round[i] = c->others[k].measure(c->arg);
        }
        a->peer.round[i] = c->peer != NULL ? ask_peer(c->peer) : 0;
    }
    alarm(0);
}

static void print_others(const bench_case *c, const answers *a)
{
    printf(", \"others\": {");
    for (int k = 0; k < BENCH_OTHERS && c->others[k].name != NULL; k++) {
        printf(k > 0 ? ", " : "");
        print_series(c->others[k].name, &a->others[k], c->unit);
        printf(", \"vs\": %.3g}", ratio(&a->others[k], &a->ours));
    }
    printf("}");
}

void bench_run(const bench_case *c)
{
    answers a;
    ask(c, &a);
    bool has_peer = a.peer.round[0] > 0;
    printf("{\"bench\": \"%s\", \"unit\": \"%s\", ", c->name, c->unit);
    print_series("ours", &a.ours, c->unit);
    printf("}, ");
    print_series("floor", &a.floor, c->unit);
    printf("}, ");
    if (has_peer) {
        print_series("peer", &a.peer, c->unit);
    }
    printf(has_peer ? "}" : "\"peer\": null");
    print_others(c, &a);
    printf(", \"vs_floor\": %.3g", ratio(&a.ours, &a.floor));
    if (has_peer) {
        printf(", \"vs_peer\": %.3g", ratio(&a.peer, &a.ours));
    } else {
        printf(", \"vs_peer\": null");
    }
    print_conditions(c, &a.line);
    fflush(stdout);
}
