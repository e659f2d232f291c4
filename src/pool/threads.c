/* threads.c - an engine whose workers are threads of the pool's maker.
 *
 * Idea. The pool lies in the family's memory as any other; what is private, the threads' handles,
 * is a crew in the maker's own memory, found by the pool's ref. The maker is the supervisor: as he
 * lives his threads do, so nobody is to be looked after. All of them have his one identity.
 *
 *      entries -> [ ref of pool A | crew ] -> [ 0: free | NULL ] -> [ ref of pool B | crew ]
 *                                    |
 *                             at_work, seats: thread 0, thread 1 ...
 *
 * Rules.
 *   R1  `at_work` counts the threads that have not left, and whoever still starts some. Who leaves
 *       last turns the phase to OVER, and cancels what nobody is there to run.
 *   R2  A thread is not killed. Terminating cancels what is queued; a worker looks at the phase
 *       before he takes another task, and leaves.
 *   R3  Each thread writes its own handle into its seat. They are read by who joins them, when all
 *       have left.
 *   R4  An entry is never unlinked: it is taken again by another pool. So a forked child may find
 *       the list at any moment; its parent's crews it leaves alone.
 *   R5  A task may end its thread (pthread_exit). It is lost, and another thread takes the seat.
 *
 * Death. The maker killed: so are his threads; futures of relatives find `supervisor` dead:
 * KIN_EBROKEN. The pool's blocks stay until the family ends. A thread that crashes is the program's
 * crash.
 */
#include "seen.h"

#include <stdio.h>

#define NAME 16 /* bytes of a thread's name, with its 0 */

typedef struct seat {
    struct crew *crew;
    unsigned index;
    kin__thread thread;
} seat;

typedef struct crew {
    kin_pool *pool;
    char name[NAME];
    _Atomic unsigned at_work;
    seat seats[];
} crew;

typedef struct entry {
    struct entry *next;
    _Atomic kin__ref pool;
    crew *_Atomic crew;
} entry;

static entry *_Atomic entries;

/* An entry for that pool, or NULL; with `make`, a new one. */
static entry *entry_of(kin__ref pool, bool make)
{
    for (entry *e = atomic_load(&entries); e != NULL; e = e->next) {
        kin__ref seen = make ? 0 : pool;
        if (atomic_compare_exchange_strong(&e->pool, &seen, pool)) {
            return e;
        }
    }
    entry *e = make ? kin__os_calloc(1, sizeof *e) : NULL;
    if (e == NULL) {
        return NULL;
    }
    atomic_store(&e->pool, pool);
    e->next = atomic_load(&entries);
    while (!atomic_compare_exchange_weak(&entries, &e->next, e)) {
    }
    return e;
}

/* ---- a thread -------------------------------------------------------------------------------- */

static void come(kin_pool *pool, unsigned index)
{
    kin__seen_starting(pool, index);
    kin__seen_started(pool, index);
}

static void leave(crew *c)
{
    kin_pool *pool = c->pool;
    if (atomic_fetch_sub(&c->at_work, 1) == 1) { /* R1 */
        bool terminated = atomic_load(&pool->phase) == KIN__POOL_TERMINATING;
        kin__pool_cancel_queued(pool, terminated ? kin__pool_reason(pool) : KIN__LOST_ENDED);
        kin__pool_turn(pool, KIN__POOL_OVER);
    }
}

static void work(void *ctx)
{
    const seat *s = ctx;
    kin__worker *worker = &s->crew->pool->workers[s->index];
    while (kin__worker_live(s->crew->pool, s->index) == 0 && !atomic_load(&worker->retired)) {
    }
}

static void live(void *ctx);

/* R5: instead of the end of `work`. */
static void left(void *ctx)
{
    const seat *s = ctx;
    kin_pool *pool = s->crew->pool;
    kin__thread self = s->thread;
    bool in_task = kin__worker_abandon();
    kin__seen_gone(pool, s->index, 1);
    if (in_task) {
        come(pool, s->index);
    }
    if (in_task && kin__os_thread_start(live, ctx) == 0) {
        kin__os_thread_detach(self); /* nobody finds it any more; it touches nothing of the pool */
    } else {
        leave(s->crew);
    }
}

static void live(void *ctx)
{
    seat *s = ctx;
    char name[NAME + 12];
    s->thread = kin__os_thread_self(); /* R3 */
    snprintf(name, sizeof name, "%s-%u", s->crew->name, s->index + 1);
    kin__os_set_name(name);
    kin__os_thread_guard(work, left, s);
    kin__seen_gone(s->crew->pool, s->index, 0);
    leave(s->crew);
}

/* ---- the engine ------------------------------------------------------------------------------ */

static int check(const kin_pool_options *options)
{
    const char *why = options->task_timeout != 0 ? ".task_timeout: a thread cannot be killed"
                      : options->max_memory_per_child != 0
                          ? ".max_memory_per_child: threads have one memory"
                      : options->start_method != NULL ? ".start_method: that is for processes"
                                                      : NULL;
    return why == NULL ? 0 : kin__fail(KIN_EUNSUPPORTED, "kin_pool_new: .threads with %s", why);
}

static crew *new_crew(kin_pool *pool, const kin_pool_options *options)
{
    crew *c = kin__os_calloc(1, sizeof *c + pool->places * sizeof(seat));
    if (c == NULL) {
        return NULL;
    }
    c->pool = pool;
    snprintf(c->name, sizeof c->name, "%s", options->name != NULL ? options->name : "kin-worker");
    for (unsigned i = 0; i < pool->places; i++) {
        c->seats[i] = (seat){ .crew = c, .index = i };
    }
    return c;
}

/* All of them, or none that stays. */
static int start_threads(crew *c)
{
    kin_pool *pool = c->pool;
    int rv = 0;
    for (unsigned i = 0; i < pool->places && rv == 0; i++) {
        atomic_fetch_add(&c->at_work, 1);
        come(pool, i);
        rv = kin__os_thread_start(live, &c->seats[i]);
        atomic_fetch_add(&pool->workers_started, rv == 0);
    }
    if (rv == 0) {
        return 0;
    }
    (void)kin_queue_close(pool->queue);
    kin__pool_call_all(pool);
    atomic_fetch_sub(&c->at_work, 1); /* who could not be started */
    return kin__fail_os(rv, "kin_pool_new: thread %u of %u could not be started",
                        (unsigned)atomic_load(&pool->workers_started) + 1, pool->places);
}

static int start(kin_pool *pool, const kin_pool_options *options)
{
    int rv = check(options);
    if (rv < 0) {
        return rv;
    }
    crew *c = new_crew(pool, options);
    entry *e = c != NULL ? entry_of(pool->self, true) : NULL;
    if (e == NULL) {
        kin__os_free(c);
        return kin__fail(KIN_ENOMEM, "kin_pool_new: no memory for %u threads", pool->places);
    }
    atomic_store(&e->crew, c);
    atomic_store(&pool->supervisor, kin__self());
    atomic_store(&c->at_work, 1);
    rv = start_threads(c);
    kin__pool_turn(pool, rv == 0 ? KIN__POOL_OPEN : KIN__POOL_TERMINATING);
    leave(c);
    if (rv < 0) {
        (void)kin__pool_await(pool, KIN__POOL_OVER, KIN__NEVER);
    }
    return rv;
}

static void stir(kin_pool *pool)
{
    if (atomic_load(&pool->phase) == KIN__POOL_TERMINATING) { /* R2 */
        kin__pool_cancel_queued(pool, kin__pool_reason(pool));
        kin__pool_call_all(pool);
    }
}

static void reap(kin_pool *pool)
{
    entry *e = entry_of(pool->self, false);
    crew *c = e != NULL ? atomic_exchange(&e->crew, NULL) : NULL;
    for (unsigned i = 0; c != NULL && i < pool->places; i++) {
        if (c->seats[i].thread.handle != 0) {
            kin__os_thread_join(c->seats[i].thread);
        }
    }
    if (c != NULL) {
        kin__os_free(c);
        atomic_store(&e->pool, 0);
    }
}

const kin__engine kin__engine_threads = {
    .scheme = "threads", .kills = false, .start = start, .stir = stir, .reap = reap
};
