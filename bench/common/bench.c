/* bench.c - asks in turn, computes, prints. */
#include "bench.h"

#include <errno.h>
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ping.h"

#define PATIENCE 100 /* seconds for a round: what hangs is ended */

typedef struct answers {
    bench_series ours, floor, peer, others[BENCH_OTHERS];
    bench_series line; /* a cache line to and fro */
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

static bench_series sorted(bench_series s)
{
    qsort(s.round, (size_t)s.rounds, sizeof s.round[0], compare);
    return s;
}

double bench_series_ratio(const bench_series *a, const bench_series *b)
{
    bench_series s = { .rounds = a->rounds };
    for (int i = 0; i < s.rounds; i++) {
        s.round[i] = a->round[i] / b->round[i];
    }
    return sorted(s).round[s.rounds / 2];
}

static double in_unit(double seconds, const char *unit)
{
    if (strcmp(unit, "M/s") == 0) {
        return 1e-6 / seconds;
    }
    return seconds * (strcmp(unit, "ns") == 0 ? 1e9 : strcmp(unit, "us") == 0 ? 1e6 : 1e3);
}

/* What comes after the median and so on in the object is the caller's. */
static void print_open(const char *who, const bench_series *s, const char *unit)
{
    bench_series v = { .rounds = s->rounds };
    for (int i = 0; i < v.rounds; i++) {
        v.round[i] = in_unit(s->round[i], unit);
    }
    v = sorted(v);
    printf("\"%s\": {\"min\": %.4g, \"median\": %.4g, \"max\": %.4g", who, v.round[0],
           v.round[v.rounds / 2], v.round[v.rounds - 1]);
}

void bench_series_print(const char *who, const bench_series *s, const char *unit)
{
    print_open(who, s, unit);
    printf("}");
}

static void print_conditions(const bench_case *c, const bench_series *line)
{
    double load = 0;
    (void)getloadavg(&load, 1);
    bench_series s = sorted(*line);
    printf(", \"conditions\": \"%s; %d cpus, load %.1f; a cache line goes to and fro in ",
           c->conditions, bench_cpus(), load);
    printf("%.0f to %.0f ns; floor: %s; peer: %s\"}\n", s.round[0] * 1e9,
           s.round[s.rounds - 1] * 1e9, c->floor_is, c->peer != NULL ? "CPython" : "none");
}

static double ask_other(const bench_case *c, const bench_other *other)
{
    if (other->script != NULL) {
        return ask_peer(other->script);
    }
    return other->measure(other->arg != NULL ? other->arg : c->arg);
}

static void note(bench_series *s, double seconds)
{
    s->round[s->rounds++] = seconds;
}

static void ask(const bench_case *c, answers *a)
{
    int rounds = c->rounds != 0 ? c->rounds : BENCH_ROUNDS;
    (void)c->floor(c->arg); /* warm */
    (void)c->ours(c->arg);
    for (int i = 0; i < rounds; i++) {
        alarm(PATIENCE);
        note(&a->line, bench_ping_spinning());
        note(&a->floor, c->floor(c->arg));
        note(&a->ours, c->ours(c->arg));
        for (int k = 0; k < BENCH_OTHERS && c->others[k].name != NULL; k++) {
            note(&a->others[k], ask_other(c, &c->others[k]));
        }
        note(&a->peer, c->peer != NULL ? ask_peer(c->peer) : 0);
    }
    alarm(0);
}

static void print_others(const bench_case *c, const answers *a)
{
    bool first = true;
    printf(", \"others\": {");
    for (int k = 0; k < BENCH_OTHERS && c->others[k].name != NULL; k++) {
        if (a->others[k].round[0] > 0) { /* else there is no such script's language here */
            printf(first ? "" : ", ");
            print_open(c->others[k].name, &a->others[k], c->unit);
            printf(", \"vs\": %.3g}", bench_series_ratio(&a->others[k], &a->ours));
            first = false;
        }
    }
    printf("}");
}

void bench_run(const bench_case *c)
{
    answers a = { 0 };
    ask(c, &a);
    bool has_peer = a.peer.round[0] > 0;
    printf("{\"bench\": \"%s\", \"unit\": \"%s\", ", c->name, c->unit);
    bench_series_print("ours", &a.ours, c->unit);
    printf(", ");
    bench_series_print("floor", &a.floor, c->unit);
    printf(", ");
    if (has_peer) {
        bench_series_print("peer", &a.peer, c->unit);
    } else {
        printf("\"peer\": null");
    }
    print_others(c, &a);
    printf(", \"vs_floor\": %.3g", bench_series_ratio(&a.ours, &a.floor));
    if (has_peer) {
        printf(", \"vs_peer\": %.3g", bench_series_ratio(&a.peer, &a.ours));
    } else {
        printf(", \"vs_peer\": null");
    }
    print_conditions(c, &a.line);
    fflush(stdout);
}
