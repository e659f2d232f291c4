/* threads.h - the same in threads, for what only they can share. */
#ifndef KIN_BENCH_THREADS_H
#define KIN_BENCH_THREADS_H

#include "../common/bench.h"

/* As bench_team, with threads of one process that is made for them; 8 at most. */
double threads_seconds(unsigned n, const int *cpus, bench_role role, const void *arg);

#endif
