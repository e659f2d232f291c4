/* pool_peer.h - what else runs tasks in C programs, behind one interface: threads, and bare forks.
 *
 * A peer is asked in a process of its own, so that no thread of it is left in the bench, whose
 * next pool would be another one then. What must work and does not ends the bench.
 */
#ifndef KIN_BENCH_POOL_PEER_H
#define KIN_BENCH_POOL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../common/bench.h"

typedef uint64_t (*pool_work)(uint64_t);

/* work(first), work(first + 1) ...: `n` tasks, each on its own; all are submitted, then all results
 * taken; and this so many times. */
typedef struct pool_job {
    pool_work work;
    uint64_t first;
    size_t n;
    size_t warm; /* so many are run before the time begins; 0: all */
    long times;
    unsigned workers;
    bool each;    /* the answer is for one task, not for one of the times */
    bool cold;    /* the time has in it the making of the pool, and its end */
    double busy;  /* seconds that the submitter computes before each of the times: not counted */
    uint64_t sum; /* of all results */
} pool_job;

typedef struct pool_peer {
    const char *name;
    void *(*open)(unsigned workers); /* NULL: it was not there when this was built */
    void (*run)(void *pool, const pool_job *job, uint64_t *results);
    void (*close)(void *pool);
} pool_peer;

extern const pool_peer pool_peer_glib, pool_peer_libuv, pool_peer_openmp, pool_peer_fork;

/* 0: it is not there; else seconds. */
double pool_peer_seconds(const pool_peer *peer, const pool_job *job);

#define POOL_NOTE 400 /* bytes for a case's conditions */

/* Adds it to those whom a case asks, or to its conditions that it is not there. */
void pool_peer_add(bench_case *c, const pool_peer *peer, const pool_job *job, char *note);

/* The same for pool_tasks.py, with such a kind of pool; "Pool" is the peer, all else are others. */
void pool_script_add(bench_case *c, const char *what, const char *kind, int n, char *note);

/* What pool_tasks.py prints with these arguments: to pclose. NULL: there is no Python. */
FILE *pool_script(const char *arguments);

#endif
