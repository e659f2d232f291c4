/* threads.c - an engine whose workers are threads of the pool's maker.
 *
 * Idea. The pool lies in the family's memory as any other; what is private, the threads' handles,
 * is a crew in the maker's own memory, found by the pool's ref. The maker is the supervisor: as he
 * lives his threads do, so nobody is to be looked after. All of them have his one identity.
 *
 *      entries -> [ ref of pool A | at_work | crew ] -> [ 0: free | 0 | NULL ] -> ...
 *                                              |
 *                                      seats: thread 0, thread 1 ... and empty ones
 *
 * Rules.
 *   R1  `at_work` counts the threads that have not left, and whoever still starts some. Who leaves
 *       last turns the phase to OVER, and cancels what nobody is there to run. Who comes later
 *       counts himself only while it is not 0: so the crew stays until he leaves.
 *   R2  A thread is not killed. Terminating cancels what is queued; a worker looks at the phase
 *       before he takes another task, and leaves.
 *   R3  Each thread writes its own handle into its seat. It is read by who joins it, when it has
 *       left the seat: whoever takes that, or the pool's end.
 *   R4  An entry is never unlinked: it is taken again by another pool. So a forked child may find
 *       the list at any moment; its parent's crews it leaves alone.
 *   R5  A task may end its thread (pthread_exit). It is lost, and another thread takes the seat.
 *   R6  One CAS takes a seat. Who finds himself surplus leaves it, and then looks whether he still
 *       is (Dekker's way: who resizes says how many before he looks for empty seats). So a pool
 *       that shrinks and grows again has as many threads as was said last.
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
    _Atomic bool taken;
    kin__thread thread;
} seat;

typedef struct crew {
    kin_pool *pool;
    struct entry *entry;
    char name[NAME];
    seat seats[];
} crew;

typedef struct entry {
    struct entry *next;
    _Atomic kin__ref pool;
    _Atomic unsigned at_work;
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

/* True: somebody was at work, and we are, too. */
static bool enter(entry *e)
{
    unsigned seen = atomic_load(&e->at_work);
    while (seen != 0) { /* R1 */
        if (atomic_compare_exchange_weak(&e->at_work, &seen, seen + 1)) {
            return true;
        }
    }
    return false;
}

static void leave(crew *c)
{
    kin_pool *pool = c->pool;
    if (atomic_fetch_sub(&c->entry->at_work, 1) == 1) { /* R1 */
        bool terminated = atomic_load(&pool->phase) == KIN__POOL_TERMINATING;
        kin__pool_cancel_queued(pool, terminated ? kin__pool_reason(pool) : KIN__LOST_ENDED);
        kin__pool_turn(pool, KIN__POOL_OVER);
    }
}

static bool is_wanted(const seat *s)
{
    const kin_pool *pool = s->crew->pool;
    return !kin__worker_is_surplus(pool, s->index) &&
           !atomic_load(&pool->workers[s->index].retired) &&
           atomic_load(&pool->phase) < KIN__POOL_TERMINATING;
}

static void work(void *ctx)
{
    const seat *s = ctx;
    while (kin__worker_live(s->crew->pool, s->index) == 0 && is_wanted(s)) {
    }
}

static bool take_seat(seat *s)
{
    bool taken = false;
    return atomic_compare_exchange_strong(&s->taken, &taken, true);
}

/* False: he is wanted again, and still has it. */
static bool leave_seat(seat *s)
{
    KIN__STEP("threads.leaving");
    atomic_store(&s->taken, false); /* R6 */
    return !is_wanted(s) || !take_seat(s);
}

static void live(void *ctx);

/* R5: instead of the end of `work`. */
static void left(void *ctx)
{
    seat *s = ctx;
    kin_pool *pool = s->crew->pool;
    kin__thread self = s->thread;
    kin__worker *place = &pool->workers[s->index];
    bool in_task = kin__worker_abandon(pool, place);
    kin__seen_gone(pool, s->index, 1);
    if (atomic_load(&place->stage) == KIN__STAGE_BEGINS) {
        kin__pool_break(pool, "the pool is broken: its initializer ended its worker's thread");
    }
    if (in_task) {
        come(pool, s->index);
    }
    if (in_task && kin__os_thread_start(live, ctx) == 0) {
        kin__os_thread_detach(self); /* nobody finds it any more; it touches nothing of the pool */
    } else {
        kin__task_withdraw(atomic_exchange(&place->again, 0), KIN__LOST_CRASHED);
        atomic_store(&s->taken, false);
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
    for (;;) {
        kin__os_thread_guard(work, left, s);
        kin__seen_gone(s->crew->pool, s->index, 0);
        if (leave_seat(s)) {
            break;
        }
        come(s->crew->pool, s->index);
    }
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

static void join_former(seat *s)
{
    if (s->thread.handle != 0) {
        kin__os_thread_join(s->thread);
        s->thread = (kin__thread){ 0 };
    }
}

/* At a seat that is ours. */
static int start_thread(seat *s)
{
    kin_pool *pool = s->crew->pool;
    join_former(s); /* R3 */
    atomic_fetch_add(&s->crew->entry->at_work, 1);
    come(pool, s->index);
    int rv = kin__os_thread_start(live, s);
    if (rv < 0) {
        kin__seen_none_started(pool, s->index);
        atomic_store(&s->taken, false);
        atomic_fetch_sub(&s->crew->entry->at_work, 1); /* whoever starts them is still there */
    }
    atomic_fetch_add(&pool->workers_started, rv == 0);
    return rv;
}

/* At all empty seats that are wanted. */
static int start_threads(crew *c, const char *verb)
{
    unsigned wanted = atomic_load(&c->pool->wanted);
    int rv = 0;
    for (unsigned i = 0; i < wanted && rv == 0; i++) {
        rv = take_seat(&c->seats[i]) ? start_thread(&c->seats[i]) : 0;
        rv = rv < 0
                 ? kin__fail_os(rv, "%s: thread %u of %u could not be started", verb, i + 1, wanted)
                 : 0;
    }
    return rv;
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
    c->entry = e;
    atomic_store(&e->crew, c);
    atomic_store(&pool->supervisor, kin__self());
    atomic_store(&e->at_work, 1);
    rv = start_threads(c, "kin_pool_new");
    if (rv < 0) { /* all of them, or none that stays */
        (void)kin_queue_close(pool->queue);
        kin__pool_call_all(pool);
    }
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

/* The threads are the maker's. The pool may end meanwhile, and its entry be another's. */
static int bring(kin_pool *pool, unsigned before)
{
    if (atomic_load(&pool->wanted) <= before && pool->maker != kin__os_getpid()) {
        return 0;
    }
    if (pool->maker != kin__os_getpid()) {
        return kin__fail(KIN_ESTATE,
                         "kin_pool_resize: only the pool's maker can start more threads");
    }
    kin__ref self = pool->self;
    entry *e = entry_of(self, false);
    if (e == NULL || !enter(e)) {
        return kin__fail(KIN_ECLOSED, "kin_pool_resize: the pool has ended");
    }
    crew *c = atomic_load(&e->crew);
    int rv = atomic_load(&e->pool) == self
                 ? start_threads(c, "kin_pool_resize")
                 : kin__fail(KIN_ECLOSED, "kin_pool_resize: the pool has ended");
    leave(c);
    return rv;
}

static void reap(kin_pool *pool)
{
    entry *e = entry_of(pool->self, false);
    crew *c = e != NULL ? atomic_exchange(&e->crew, NULL) : NULL;
    for (unsigned i = 0; c != NULL && i < pool->places; i++) {
        join_former(&c->seats[i]);
    }
    if (c != NULL) {
        kin__os_free(c);
        atomic_store(&e->pool, 0);
    }
}

const kin__engine kin__engine_threads = {
    .scheme = "threads",
    .kills = false,
    .start = start,
    .bring = bring,
    .stir = stir,
    .reap = reap,
};
