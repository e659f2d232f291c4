/* pool_glib.c - GLib's GThreadPool, with threads of its own; the last task to end tells. */
#include <glib.h>

#include "pool_peer.h"

typedef struct glib_pool {
    GThreadPool *threads;
    pool_work work;
    GMutex lock;
    GCond ended;
    gint left;
} glib_pool;

typedef struct glib_task {
    uint64_t argument;
    uint64_t *result;
} glib_task;

static void do_task(void *task, void *pool)
{
    glib_task *t = task;
    glib_pool *p = pool;
    *t->result = p->work(t->argument);
    g_free(t);
    if (g_atomic_int_dec_and_test(&p->left)) {
        g_mutex_lock(&p->lock);
        g_cond_signal(&p->ended);
        g_mutex_unlock(&p->lock);
    }
}

static void *open_it(unsigned workers)
{
    glib_pool *p = g_new0(glib_pool, 1);
    g_mutex_init(&p->lock);
    g_cond_init(&p->ended);
    p->threads = g_thread_pool_new(do_task, p, (gint)workers, TRUE, NULL);
    BENCH_MUST(p->threads != NULL);
    return p;
}

static void run(void *pool, const pool_job *job, uint64_t *results)
{
    glib_pool *p = pool;
    p->work = job->work;
    g_atomic_int_set(&p->left, (gint)job->n);
    for (size_t i = 0; i < job->n; i++) {
        glib_task *task = g_new(glib_task, 1);
        *task = (glib_task){ job->first + i, &results[i] };
        BENCH_MUST(g_thread_pool_push(p->threads, task, NULL));
    }
    g_mutex_lock(&p->lock);
    while (g_atomic_int_get(&p->left) != 0) {
        g_cond_wait(&p->ended, &p->lock);
    }
    g_mutex_unlock(&p->lock);
}

static void close_it(void *pool)
{
    glib_pool *p = pool;
    g_thread_pool_free(p->threads, FALSE, TRUE);
    g_mutex_clear(&p->lock);
    g_cond_clear(&p->ended);
    g_free(p);
}

const pool_peer pool_peer_glib = {
    .name = "GLib threads", .open = open_it, .run = run, .close = close_it
};
