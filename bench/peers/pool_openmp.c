/* pool_openmp.c - a parallel loop of OpenMP's, which hands out one index at a time. */
#include <omp.h>
#include <stdlib.h>

#include "pool_peer.h"

static void *open_it(unsigned workers)
{
    omp_set_num_threads((int)workers);
    return malloc(1);
}

static void run(void *pool, const pool_job *job, uint64_t *results)
{
    (void)pool;
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = 0; i < job->n; i++) {
        results[i] = job->work(job->first + i);
    }
}

const pool_peer pool_peer_openmp = {
    .name = "OpenMP dynamic,1", .open = open_it, .run = run, .close = free
};
