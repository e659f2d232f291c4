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

static void print_series(const char *who, const series *s, const char *unit)
{
    series v;
    for (int i = 0; i < ROUNDS; i++) {
        v.round[i] = in_unit(s->round[i], unit);
    }
    v = sorted(v);
    printf(", \"%s\": {\"min\": %.4g, \"median\": %.4g, \"max\": %.4g}", who, v.round[0],
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

void bench_run(const bench_case *c)
{
    series ours, floor, peer, line;
    (void)c->floor(c->arg); /* warm */
    (void)c->ours(c->arg);
    for (int i = 0; i < ROUNDS; i++) {
        alarm(PATIENCE);
        line.round[i] = bench_ping_spinning();
        floor.round[i] = c->floor(c->arg);
        ours.round[i] = c->ours(c->arg);
        peer.round[i] = c->peer != NULL ? ask_peer(c->peer) : 0;
    }
    alarm(0);
    printf("{\"bench\": \"%s\", \"unit\": \"%s\"", c->name, c->unit);
    print_series("ours", &ours, c->unit);
    print_series("floor", &floor, c->unit);
    if (peer.round[0] > 0) {
        print_series("peer", &peer, c->unit);
    } else {
        printf(", \"peer\": null");
    }
    printf(", \"vs_floor\": %.3g", ratio(&ours, &floor));
    if (peer.round[0] > 0) {
        printf(", \"vs_peer\": %.3g", ratio(&peer, &ours));
    } else {
        printf(", \"vs_peer\": null");
    }
    print_conditions(c, &line);
    fflush(stdout);
}
