/* bench.h - what the benches share: rounds in turn, teams of processes, pinning, JSON.
 *
 * A bench asks one question of three: of kin (ours), of the least that the machine must do for it
 * (the floor), and of CPython's multiprocessing (the peer); and of what else a C program might use
 * (others). They are asked in turn, round after round, so that a slow moment of the machine hits
 * all of them; and what is compared is what was measured in the same round.
 */
#ifndef KIN_BENCH_H
#define KIN_BENCH_H

#include <stdbool.h>
#include <stddef.h>

/* Does it some thousand times; returns the seconds that one of them took. */
typedef double (*bench_measure)(const void *arg);

typedef struct bench_other {
    const char *name;
    bench_measure measure;
    const void *arg;    /* NULL: that of the case */
    const char *script; /* instead of measure: in peers/, and its arguments */
} bench_other;

#define BENCH_OTHERS 12
#define BENCH_ROUNDS 7 /* at most, and if nothing else is said */

typedef struct bench_case {
    const char *name;
    const char *unit; /* "ns", "us", "ms": of one operation; "M/s": millions of them a second */
    bench_measure ours;
    bench_measure floor;
    const char *floor_is;
    const char *peer; /* a script in peers/, and its arguments; NULL: there is none */
    const char *conditions;
    const void *arg;                  /* for ours, floor and others */
    bench_other others[BENCH_OTHERS]; /* beside the peer; as many as have a name */
    int rounds;                       /* 0: BENCH_ROUNDS */
} bench_case;

/* Asks, and prints one JSON object. */
void bench_run(const bench_case *c);

/* For those who ask in a way of their own: one after the other in each round, as seconds. */
typedef struct bench_series {
    int rounds;
    double round[BENCH_ROUNDS];
} bench_series;

/* "who": {min, median, max} in that unit, without a newline. */
void bench_series_print(const char *who, const bench_series *s, const char *unit);
/* The median of what the rounds give when one is divided by the other. */
double bench_series_ratio(const bench_series *a, const bench_series *b);

/* Processors, counted among those that this program may use. */
#define BENCH_FREE (-1)
int bench_cpus(void);
void bench_pin(int cpu);

#define BENCH_TEAM_MOST 64
typedef void (*bench_role)(unsigned index, const void *arg);

/* Runs role(index, arg) in `n` processes at the same moment, on cpus[index] each (NULL: anywhere);
 * returns the seconds from the first one's begin to the last one's end. */
double bench_team(unsigned n, const int *cpus, bench_role role, const void *arg);

/* The same of role; before the first one begins with it all have done `enter`, and nobody ends
 * before all have. */
double bench_team_entered(unsigned n, const int *cpus, bench_role enter, bench_role role,
                          const void *arg);

/* Zeroed memory that the team shares, without the library. */
void *bench_shared(size_t size);

/* Computes for that long. */
void bench_busy(double seconds);

/* Ends the bench, saying where, when something that must work does not. */
#define BENCH_MUST(what) ((what) ? (void)0 : bench_fail(#what, __FILE__, __LINE__))
_Noreturn void bench_fail(const char *what, const char *file, int line);

#endif
