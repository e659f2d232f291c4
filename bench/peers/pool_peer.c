/* pool_peer.c - asks those who run tasks, each in a process of its own. */
#include "pool_peer.h"

#include <stdlib.h>
#include <string.h>

typedef struct question {
    const pool_peer *peer;
    pool_job job;
} question;

static void *the_pool; /* in that process */
static uint64_t *results;

static void run_once(const question *q)
{
    uint64_t sum = 0;
    q->peer->run(the_pool, &q->job, results);
    for (size_t i = 0; i < q->job.n; i++) {
        sum += results[i];
    }
    BENCH_MUST(sum == q->job.sum);
}

static void enter(unsigned index, const void *arg)
{
    const question *q = arg;
    (void)index;
    results = calloc(q->job.n, sizeof *results);
    BENCH_MUST(results != NULL);
    if (!q->job.cold) {
        pool_job before = q->job;
        before.n = before.warm != 0 ? before.warm : before.n;
        the_pool = q->peer->open(q->job.workers);
        q->peer->run(the_pool, &before, results);
    }
}

static void play(unsigned index, const void *arg)
{
    const question *q = arg;
    (void)index;
    for (long i = 0; i < q->job.times; i++) {
        bench_busy(q->job.busy);
        if (q->job.cold) {
            the_pool = q->peer->open(q->job.workers);
        }
        run_once(q);
        if (q->job.cold) {
            q->peer->close(the_pool);
        }
    }
}

static double seconds_of(const void *arg)
{
    const question *q = arg;
    double seconds =
        bench_team_entered(1, NULL, enter, play, q) / (double)q->job.times - q->job.busy;
    return q->job.each ? seconds / (double)q->job.n : seconds;
}

double pool_peer_seconds(const pool_peer *peer, const pool_job *job)
{
    return peer->open != NULL ? seconds_of(&(question){ peer, *job }) : 0;
}

/* ---- who is asked ---------------------------------------------------------------------------- */

static bench_other *next_other(bench_case *c)
{
    int i = 0;
    while (i < BENCH_OTHERS && c->others[i].name != NULL) {
        i++;
    }
    BENCH_MUST(i < BENCH_OTHERS);
    return &c->others[i];
}

static void note_absent(const char *name, char *note)
{
    size_t length = strlen(note);
    snprintf(note + length, POOL_NOTE - length, "; %s: not there", name);
}

/* They last as long as the program, as cases do. */
void pool_peer_add(bench_case *c, const pool_peer *peer, const pool_job *job, char *note)
{
    if (peer->open == NULL) {
        note_absent(peer->name, note);
        return;
    }
    question *q = malloc(sizeof *q);
    BENCH_MUST(q != NULL);
    *q = (question){ peer, *job };
    *next_other(c) = (bench_other){ .name = peer->name, .measure = seconds_of, .arg = q };
}

static bool is_there(const char *kind)
{
    bool of_joblib = strcmp(kind, "loky") == 0 || strcmp(kind, "joblib") == 0;
    return system(of_joblib ? BENCH_PYTHON " -c 'import joblib' 2>/dev/null"
                            : BENCH_PYTHON " -c '' 2>/dev/null") == 0;
}

void pool_script_add(bench_case *c, const char *what, const char *kind, int n, char *note)
{
    if (!is_there(kind)) {
        note_absent(kind, note);
        return;
    }
    char *script = malloc(100);
    BENCH_MUST(script != NULL);
    snprintf(script, 100, "pool_tasks.py %s %s %d", what, kind, n);
    if (strcmp(kind, "Pool") == 0) {
        c->peer = script;
    } else {
        *next_other(c) = (bench_other){ .name = kind, .script = script };
    }
}

FILE *pool_script(const char *arguments)
{
    char command[400];
    snprintf(command, sizeof command, BENCH_PYTHON " -B '%s'/pool_tasks.py %s 2>/dev/null",
             BENCH_PEERS, arguments);
    return is_there("Pool") ? popen(command, "r") : NULL;
}

/* ---- stand-ins for those that are not there: tools/deps -------------------------------------- */

#if !BENCH_HAS_GLIB
const pool_peer pool_peer_glib = { .name = "GLib threads" };
#endif
#if !BENCH_HAS_LIBUV
const pool_peer pool_peer_libuv = { .name = "libuv threads" };
#endif
#if !BENCH_HAS_OPENMP
const pool_peer pool_peer_openmp = { .name = "OpenMP dynamic,1" };
#endif
