/* condition.c - a place to wait for a change, with a lock around it.
 *
 * Idea. Who waits has a cell with his name, his place in the line, and a word of its own to sleep on.
 * Cells come in chunks, which are linked one behind the other and stay until the condition ends.
 *
 *     condition --> chunk --------> chunk --> (none yet)
 *                   [ who | order | word ]  [ free ]  [ who | order | word ] ...
 *
 *     a cell:  free --claim--> ours, no order --publish--> in the line
 *     its word:  AWAKE --> ASLEEP --notify--> NOTIFIED
 *                  \----notify---------^
 *
 * Who registers, notifies or leaves has the lock. So it is deaths that we guard against, and they
 * may come between any two steps.
 *
 * Rules.
 *   R1  A cell is claimed by one CAS that names the claimer, from free or from a dead process; one store
 *       of the order puts it into the line.
 *   R2  Whoever waits is in the line before he lets go of the lock: so no notification passes him by.
 *   R3  To notify is one CAS from AWAKE, or one system call that writes NOTIFIED and wakes: a sleeper
 *       who was not woken was not notified. So sleepers need not tick.
 *   R4  Whoever has waited looks at his word with the lock in hand: what came at the last moment,
 *       after his time was over but before he had the lock, is his.
 *   R5  A dead waiter's cell is freed by who would have notified it, and he takes the next.
 *   R6  A new chunk is linked while it is still its maker's. Who follows a link makes the chunk the
 *       family's; if its maker died and it was swept, the link is as good as none.
 *   R7  CLOSING is set before the sleepers are told that it is over: who is in the line by then is
 *       told, who comes later sees it. Whoever finds it set tells them again.
 *
 * Death. Killed before he was in the line: his cell is found by R1. In the line: R5. After he was
 * notified: that notification is gone with him, for he may have acted on it. Killed while notifying:
 * some were, the others were not; the lock goes to the next with KIN_OWNER_DIED. Killed in
 * kin_condition_free: R7, and it may be freed again; after it has ended, its memory stays until the family
 * ends.
 *
 * Not here. Locks, and how they are let go of and taken again (lock.c, rlock.c).
 */
#include "room.h"

#include <kin/condition.h>
#include <limits.h>
#include <string.h>

enum { IDLE, AWAKE, ASLEEP, NOTIFIED, CLOSED };

#define CLOSING ((uint64_t)1 << 63) /* in `order` */
#define ORDER_MASK (((uint64_t)1 << (64 - KIN__ID_BITS)) - 1)
#define CLAIM(order, who) (((order)&ORDER_MASK) << KIN__ID_BITS | (uint64_t)(who))
#define ORDER(claim) ((claim) >> KIN__ID_BITS) /* 0: not in the line */
#define WHO(claim) ((kin__id)((claim) & (((uint64_t)1 << KIN__ID_BITS) - 1)))

/* What lies behind a kin_condition. */
typedef struct condition {
    kin__head head;
    kin_rlock own;          /* if no other was named */
    uintptr_t lock;         /* the one that was named; with bit 0: a kin_rlock; 0: own */
    _Atomic kin__ref first; /* chunk */
    _Atomic uint64_t order; /* of the last who came, and CLOSING */
} condition;

_Static_assert(sizeof(condition) == sizeof(kin_condition), "condition.h has room for it");
_Static_assert(kin_condition_KIND == KIN__CONDITION, "condition.h says what the domain says");

typedef struct cell {
    _Atomic uint64_t claim; /* 0: free */
    kin__gate gate;         /* its word is the cell's */
    uint32_t unused;
} cell;

enum { CELLS = 15 };

typedef struct chunk {
    uint64_t no_head; /* 0: what lies here is no condition */
    _Atomic kin__ref next;
    cell cells[CELLS];
} chunk;

static condition *condition_at(const kin_condition *c)
{
    return (condition *)(void *)c;
}

/* ---- its lock --------------------------------------------------------------------------- */

static kin_lock *lock_of(condition *c)
{
    return c->lock != 0 && !(c->lock & 1u) ? (kin_lock *)c->lock : NULL;
}

static kin_rlock *rlock_of(condition *c)
{
    return c->lock != 0 ? (kin_rlock *)(c->lock - 1) : &c->own;
}

static int drop(condition *c, unsigned *ret_depth)
{
    return lock_of(c) != NULL ? kin__lock_drop(lock_of(c))
                              : kin__rlock_drop(rlock_of(c), ret_depth);
}

static int retake(condition *c, unsigned depth)
{
    return lock_of(c) != NULL ? kin__lock_retake(lock_of(c), KIN__NEVER)
                              : kin__rlock_retake(rlock_of(c), depth, KIN__NEVER);
}

/* What both kinds of locks begin with. */
static kin__mutex *mutex_of(condition *c)
{
    return lock_of(c) != NULL ? (kin__mutex *)(void *)lock_of(c)
                              : (kin__mutex *)(void *)rlock_of(c);
}

static bool is_free(void *mutex)
{
    return atomic_load_explicit(&((kin__mutex *)mutex)->word, memory_order_relaxed) == 0;
}

static bool is_held(condition *c)
{
    if (lock_of(c) == NULL) {
        return kin_rlock_depth(rlock_of(c)) > 0;
    }
    return kin__mutex_holder(atomic_load(&mutex_of(c)->word)) == kin__self();
}

static int check_lock(condition *c, const char *what)
{
    return lock_of(c) != NULL ? kin__head_check(lock_of(c), KIN__LOCK, what)
                              : kin__head_check(rlock_of(c), KIN__RLOCK, what);
}

/* ---- cells ------------------------------------------------------------------------------ */

static chunk *follow(_Atomic kin__ref *link)
{
    kin__ref ref = atomic_load(link);
    return ref != 0 && kin__block_share(ref) ? kin__block_at(ref, KIN__CONDITION, NULL)
                                             : NULL; /* R6 */
}

/* The chunk that another one is linked to, made if need be. */
static chunk *follow_or_make(_Atomic kin__ref *link)
{
    kin__ref seen = atomic_load(link);
    chunk *there = follow(link);
    if (there != NULL) {
        return there;
    }
    chunk *made = kin__block_new(sizeof *made, KIN__CONDITION);
    if (made == NULL) {
        return NULL;
    }
    memset(made, 0, sizeof *made);
    KIN__STEP("condition.chunk");
    if (!atomic_compare_exchange_strong(link, &seen, kin__block_ref(made))) {
        (void)kin__block_free(made); /* somebody else works under a lock that he should not have */
        return follow(link);
    }
    KIN__STEP("condition.linked");
    kin__block_give(made);
    return made;
}

/* Calls visit(cell, ctx) for all cells, until it says that this is the one. */
static cell *find(condition *c, bool (*visit)(cell *, void *), void *ctx)
{
    for (chunk *ch = follow(&c->first); ch != NULL; ch = follow(&ch->next)) {
        for (int i = 0; i < CELLS; i++) {
            if (visit(&ch->cells[i], ctx)) {
                return &ch->cells[i];
            }
        }
    }
    return NULL;
}

static bool is_in_line(uint64_t claim, uint32_t word)
{
    return ORDER(claim) != 0 && (word == AWAKE || word == ASLEEP);
}

/* Of a cell in the line: false when it is not any more. */
static bool wake(cell *at, uint32_t news)
{
    uint32_t seen = AWAKE;
    if (atomic_compare_exchange_strong(&at->gate.word, &seen, news)) {
        return true;
    }
    if (seen != ASLEEP) {
        return false;
    }
    kin__os_change_and_wake(&at->gate.word, KIN__SET, (int)news);
    return true;
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(const kin_condition_options *o, const char *verb)
{
    if (o == NULL) {
        return 0;
    }
    if (kin__any_set(o->reserved) || (o->lock != NULL && o->rlock != NULL)) {
        return kin__fail(KIN_EINVAL, "%s: %s", verb,
                         o->lock != NULL && o->rlock != NULL
                             ? "a lock and an rlock are one too many"
                             : "the condition's reserved options must be zero");
    }
    int rv = o->lock != NULL ? kin__head_check(o->lock, KIN__LOCK, "kin_condition: the lock") : 0;
    return o->rlock != NULL ? kin__head_check(o->rlock, KIN__RLOCK, "kin_condition: the rlock")
                            : rv;
}

static int begin(condition *c, const kin_condition_options *o)
{
    c->lock = o == NULL ? 0 : o->lock != NULL ? (uintptr_t)o->lock : (uintptr_t)o->rlock;
    c->lock |= o != NULL && o->rlock != NULL ? 1u : 0;
    int rv = c->lock != 0 ? 0 : kin_rlock_init(&c->own, NULL);
    atomic_store(&c->first, 0);
    atomic_store(&c->order, 0);
    KIN__STEP("condition.new");
    if (rv == 0) {
        kin__head_begin(c, KIN__CONDITION);
    }
    return rv;
}

int kin_condition_new(kin_condition **ret_condition, const kin_condition_options *options)
{
    if (ret_condition == NULL) {
        return kin__fail(KIN_EINVAL, "kin_condition_new: nowhere to put the condition (NULL)");
    }
    int rv = check_options(options, "kin_condition_new");
    kin_condition *made = rv < 0 ? NULL : kin__head_new(sizeof *made, KIN__CONDITION);
    if (made == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    rv = begin(condition_at(made), options);
    if (rv < 0) {
        (void)kin__block_free(made);
        return rv;
    }
    kin__block_give(made);
    *ret_condition = made;
    return 0;
}

int kin_condition_init(kin_condition *c, const kin_condition_options *options)
{
    int rv = check_options(options, "kin_condition_init");
    rv = rv < 0 ? rv : kin__head_place(c, sizeof *c, "kin_condition_init");
    return rv < 0 ? rv : begin(condition_at(c), options);
}

static bool close_cell(cell *at, void *ctx)
{
    (void)ctx;
    if (is_in_line(atomic_load(&at->claim), atomic_load(&at->gate.word)) && wake(at, CLOSED)) {
        KIN__STEP("condition.told");
    }
    return false;
}

static void discard_chunks(condition *c)
{
    kin__ref ref = atomic_exchange(&c->first, 0);
    while (ref != 0 && kin__block_share(ref)) {
        chunk *ch = kin__block_at(ref, KIN__CONDITION, NULL);
        kin__ref next = ch != NULL ? atomic_load(&ch->next) : 0;
        (void)kin__block_discard(ref);
        ref = next;
    }
}

static bool end(kin_condition *public, bool block, const char *what)
{
    condition *c = condition_at(public);
    if (!kin__head_may_end(c, KIN__CONDITION, block, what)) {
        return false;
    }
    atomic_fetch_or(&c->order, CLOSING); /* R7 */
    KIN__STEP("condition.closing");
    (void)find(c, close_cell, NULL);
    if (!kin__head_end(c, KIN__CONDITION, block, what)) {
        return false;
    }
    KIN__STEP("condition.ended");
    if (c->lock == 0) {
        kin_rlock_done(&c->own);
    }
    discard_chunks(c);
    return true;
}

void kin_condition_free(kin_condition *c)
{
    if (c != NULL && end(c, true, "kin_condition_free: the condition")) {
        kin__head_discard(c);
    }
}

void kin_condition_done(kin_condition *c)
{
    if (c != NULL) {
        (void)end(c, false, "kin_condition_done: the condition");
    }
}

/* ---- what all verbs begin with ------------------------------------------------------------ */

typedef struct names {
    const char *condition, *lock;
} names;

#define NAMES(verb) (&(const names){ #verb ": the condition", #verb ": the condition's lock" })

static int check(const kin_condition *public, const names *n)
{
    int rv = kin__head_check(public, KIN__CONDITION, n->condition);
    if (rv < 0) {
        return rv;
    }
    condition *c = condition_at(public);
    if (atomic_load(&c->order) & CLOSING) {
        (void)find(c, close_cell, NULL); /* R7 */
        return kin__fail(KIN_EFREED, "%s was freed", n->condition);
    }
    return check_lock(c, n->lock);
}

static int check_held(const kin_condition *public, const names *n)
{
    int rv = check(public, n);
    if (rv == 0 && !is_held(condition_at(public))) {
        return kin__fail(KIN_ESTATE, "%s is not held by %s", n->lock,
                         lock_of(condition_at(public)) != NULL ? "this process" : "this thread");
    }
    return rv;
}

int kin_condition_acquire(kin_condition *public, double timeout)
{
    int rv = check(public, NAMES(kin_condition_acquire));
    if (rv < 0) {
        return rv;
    }
    condition *c = condition_at(public);
    return lock_of(c) != NULL ? kin_lock_acquire(lock_of(c), timeout)
                              : kin_rlock_acquire(rlock_of(c), timeout);
}

int kin_condition_release(kin_condition *public)
{
    int rv = check(public, NAMES(kin_condition_release));
    if (rv < 0) {
        return rv;
    }
    condition *c = condition_at(public);
    return lock_of(c) != NULL ? kin_lock_release(lock_of(c)) : kin_rlock_release(rlock_of(c));
}

/* ---- wait ------------------------------------------------------------------------------- */

typedef struct waiter {
    condition *c;
    uint32_t serial; /* which condition we came for */
    kin__id self;
    cell *at;
    uint64_t claim;
    unsigned depth;
    bool awake; /* has not slept */
} waiter;

static bool is_open(const waiter *w)
{
    return kin__head_is_still(w->c, KIN__CONDITION, w->serial) &&
           !(atomic_load(&w->c->order) & CLOSING);
}

static bool claim_free(cell *at, void *self)
{
    uint64_t seen = 0;
    return atomic_load_explicit(&at->claim, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong(&at->claim, &seen, CLAIM(0, *(kin__id *)self));
}

static bool claim_dead(cell *at, void *self)
{
    uint64_t seen = atomic_load(&at->claim);
    return !kin__alive(WHO(seen)) &&
           atomic_compare_exchange_strong(&at->claim, &seen, CLAIM(0, *(kin__id *)self));
}

/* In a chunk that is made for it. */
static cell *claim_new(condition *c, kin__id self)
{
    _Atomic kin__ref *link = &c->first;
    for (chunk *ch = follow_or_make(link); ch != NULL; ch = follow_or_make(link)) {
        for (int i = 0; i < CELLS; i++) {
            if (claim_free(&ch->cells[i], &self)) {
                return &ch->cells[i];
            }
        }
        link = &ch->next;
    }
    return NULL;
}

/* Gets into the line: R1. */
static int get_in_line(waiter *w)
{
    w->at = find(w->c, claim_free, &w->self);
    w->at = w->at != NULL ? w->at : find(w->c, claim_dead, &w->self);
    w->at = w->at != NULL ? w->at : claim_new(w->c, w->self);
    if (w->at == NULL) {
        return kin__failure();
    }
    KIN__STEP("condition.claimed");
    uint64_t order = 0;
    while ((order & ORDER_MASK) == 0) {
        order = atomic_fetch_add(&w->c->order, 1) + 1;
    }
    w->claim = CLAIM(order, w->self);
    atomic_store(&w->at->gate.word, AWAKE);
    atomic_store(&w->at->claim, w->claim);
    KIN__STEP("condition.registered");
    return 0;
}

static void leave_line(const waiter *w)
{
    uint64_t seen = w->claim;
    (void)atomic_compare_exchange_strong(&w->at->claim, &seen, 0);
}

/* Whether there is news. */
static bool is_over(void *ctx)
{
    const waiter *w = ctx;
    uint32_t word = atomic_load(&w->at->gate.word);
    return (word != AWAKE && word != ASLEEP) || !is_open(w);
}

/* 0, or KIN_ETIMEDOUT without a sentence. */
static int sleep_in_line(waiter *w, int64_t deadline)
{
    if (kin__may_wait(deadline)) {
        w->awake = kin__spin(is_over, w);
    }
    while (!is_over(w)) {
        uint32_t seen = AWAKE;
        if (!atomic_compare_exchange_strong(&w->at->gate.word, &seen, ASLEEP) && seen != ASLEEP) {
            continue;
        }
        KIN__STEP("condition.asleep");
        kin__note_wait(w->c);
        int rv = kin__may_wait(deadline) ? kin__gate_sleep(&w->at->gate, ASLEEP, deadline, false)
                                         : KIN_ETIMEDOUT;
        kin__note_woken(w->c);
        if (rv < 0) {
            return rv;
        }
    }
    return 0;
}

static int fail_closed(void)
{
    return kin__fail(KIN_ECLOSED,
                     "kin_condition_wait: the condition or its lock was freed meanwhile");
}

/* With what sleeping gave: takes the lock again, and leaves the line. */
static int come_back(waiter *w, int slept)
{
    if (!is_open(w)) {
        return fail_closed();
    }
    if (w->awake) { /* who notified us is about to let go of it: nearer than a lock's waiters look */
        (void)kin__spin(is_free, mutex_of(w->c));
    }
    int rv = retake(w->c, w->depth);
    bool notified = atomic_load(&w->at->gate.word) == NOTIFIED; /* R4 */
    bool open = is_open(w);
    if (open) {
        leave_line(w);
    }
    if (rv < 0 || !open) {
        unsigned depth;
        (void)(rv < 0 ? 0 : drop(w->c, &depth));
        return fail_closed();
    }
    KIN__STEP("condition.back");
    if (notified || rv > 0 || slept == 0) {
        return rv;
    }
    return slept == KIN_ETIMEDOUT ? kin__fail(slept, "kin_condition_wait: nobody notified us")
                                  : slept;
}

/* The caller holds the lock. */
static int wait_until(condition *c, int64_t deadline)
{
    waiter w = { .c = c, .serial = kin__head_serial(c), .self = kin__self() };
    int rv = w.self == KIN__NOBODY ? kin__failure() : get_in_line(&w);
    if (rv < 0) {
        return rv;
    }
    rv = drop(c, &w.depth); /* R2 */
    if (rv < 0) {
        leave_line(&w);
        return is_open(&w) ? rv : fail_closed();
    }
    KIN__STEP("condition.dropped");
    return come_back(&w, sleep_in_line(&w, deadline));
}

int kin_condition_wait(kin_condition *c, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    rv = rv < 0 ? rv : check_held(c, NAMES(kin_condition_wait));
    return rv < 0 ? rv : wait_until(condition_at(c), deadline);
}

int kin_condition_wait_for(kin_condition *c, bool (*predicate)(void *ctx), void *ctx,
                           double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && predicate == NULL) {
        rv = kin__fail(KIN_EINVAL, "kin_condition_wait_for: the predicate is NULL");
    }
    rv = rv < 0 ? rv : check_held(c, NAMES(kin_condition_wait_for));
    int code = 0;
    while (rv >= 0 && !predicate(ctx)) {
        rv = kin__may_wait(deadline) ? wait_until(condition_at(c), deadline) : KIN_ETIMEDOUT;
        code = rv > 0 ? rv : code;
        if (rv == KIN_ETIMEDOUT && !predicate(ctx)) {
            return kin__fail(rv, "kin_condition_wait_for: it is not true yet%s",
                             code > 0 ? ", and who had the lock meanwhile died with it" : "");
        }
        rv = rv == KIN_ETIMEDOUT ? 0 : rv;
    }
    return rv < 0 ? rv : code;
}

/* ---- notify ----------------------------------------------------------------------------- */

typedef struct line {
    uint64_t now;     /* the order of the last who came */
    uint64_t younger; /* than so old are those that are looked for */
    uint64_t age;     /* the oldest of them so far */
    cell *oldest;
    unsigned woken;
} line;

/* Tells him; false when he is dead, or was told before. */
static bool notify_cell(cell *at)
{
    uint64_t claim = atomic_load(&at->claim);
    if (!is_in_line(claim, atomic_load(&at->gate.word))) {
        return false;
    }
    if (!kin__alive(WHO(claim))) {
        (void)atomic_compare_exchange_strong(&at->claim, &claim, 0); /* R5 */
        return false;
    }
    bool woken = wake(at, NOTIFIED); /* R3 */
    KIN__STEP("condition.notified");
    return woken;
}

static bool notify_any(cell *at, void *ctx)
{
    line *l = ctx;
    l->woken += notify_cell(at);
    return false;
}

static bool note_oldest(cell *at, void *ctx)
{
    line *l = ctx;
    uint64_t claim = atomic_load(&at->claim);
    uint64_t age = (l->now - ORDER(claim)) & ORDER_MASK; /* orders wrap around */
    bool is_candidate = is_in_line(claim, atomic_load(&at->gate.word)) && age < l->younger;
    if (is_candidate && (l->oldest == NULL || age > l->age)) {
        l->oldest = at;
        l->age = age;
    }
    return false;
}

static int notify(kin_condition *public, unsigned n, const names *verb)
{
    int rv = check_held(public, verb);
    if (rv < 0) {
        return rv;
    }
    condition *c = condition_at(public);
    line l = { .now = atomic_load(&c->order), .younger = UINT64_MAX };
    if (n == UINT_MAX) {
        (void)find(c, notify_any, &l);
    }
    while (l.woken < n && n != UINT_MAX) {
        l.oldest = NULL;
        (void)find(c, note_oldest, &l);
        if (l.oldest == NULL) {
            break;
        }
        l.younger = l.age;
        l.woken += notify_cell(l.oldest);
    }
    return (int)l.woken;
}

int kin_condition_notify(kin_condition *c, unsigned n)
{
    return notify(c, n, NAMES(kin_condition_notify));
}

int kin_condition_notify_all(kin_condition *c)
{
    return notify(c, UINT_MAX, NAMES(kin_condition_notify_all));
}
