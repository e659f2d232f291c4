/* pool_libuv.c - the threads of libuv. A process has one pool; its first task settles its size. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "pool_peer.h"

typedef struct uv_pool {
    uv_loop_t loop;
    pool_work work;
} uv_pool;

typedef struct uv_task {
    uv_work_t request; /* first */
    pool_work work;
    uint64_t argument;
    uint64_t *result;
} uv_task;

static void *open_it(unsigned workers)
{
    char size[20];
    snprintf(size, sizeof size, "%u", workers);
    BENCH_MUST(setenv("UV_THREADPOOL_SIZE", size, 1) == 0);
    uv_pool *p = calloc(1, sizeof *p);
    BENCH_MUST(p != NULL && uv_loop_init(&p->loop) == 0);
    return p;
}

static void do_task(uv_work_t *request)
{
    uv_task *t = (uv_task *)request;
    *t->result = t->work(t->argument);
}

static void end_task(uv_work_t *request, int status)
{
    BENCH_MUST(status == 0);
    free(request);
}

static void run(void *pool, const pool_job *job, uint64_t *results)
{
    uv_pool *p = pool;
    for (size_t i = 0; i < job->n; i++) {
        uv_task *task = malloc(sizeof *task);
        BENCH_MUST(task != NULL);
        *task = (uv_task){ .work = job->work, .argument = job->first + i, .result = &results[i] };
        BENCH_MUST(uv_queue_work(&p->loop, &task->request, do_task, end_task) == 0);
    }
    BENCH_MUST(uv_run(&p->loop, UV_RUN_DEFAULT) == 0);
}

/* Its threads end with the process. */
static void close_it(void *pool)
{
    uv_pool *p = pool;
    BENCH_MUST(uv_loop_close(&p->loop) == 0);
    free(p);
}

const pool_peer pool_peer_libuv = {
    .name = "libuv threads", .open = open_it, .run = run, .close = close_it
};
