/* pool_fork.c - a process for each task, no more at once than there would be workers; each writes
 * its result into memory that they share. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_peer.h"

typedef struct fork_pool {
    unsigned workers;
    unsigned running;
} fork_pool;

static void *open_it(unsigned workers)
{
    fork_pool *p = calloc(1, sizeof *p);
    BENCH_MUST(p != NULL);
    p->workers = workers;
    return p;
}

/* Whichever ends first: there are no other children in this process. */
static void await_one(fork_pool *p)
{
    int status;
    BENCH_MUST(waitpid(-1, &status, 0) > 0 && status == 0);
    p->running--;
}

static void run(void *pool, const pool_job *job, uint64_t *results)
{
    fork_pool *p = pool;
    uint64_t *shared = bench_shared(job->n * sizeof *shared);
    for (size_t i = 0; i < job->n; i++) {
        if (p->running == p->workers) {
            await_one(p);
        }
        pid_t pid = fork();
        BENCH_MUST(pid >= 0);
        if (pid == 0) {
            shared[i] = job->work(job->first + i);
            _exit(0);
        }
        p->running++;
    }
    while (p->running > 0) {
        await_one(p);
    }
    memcpy(results, shared, job->n * sizeof *shared);
    BENCH_MUST(munmap(shared, job->n * sizeof *shared) == 0);
}

const pool_peer pool_peer_fork = {
    .name = "a fork for each task", .open = open_it, .run = run, .close = free
};
