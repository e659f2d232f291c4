/* condition.c - a place to wait for a change, with a lock around it.
 *
 * Idea. Who waits gets into a line (line.c), lets go of the lock, sleeps until he is told, and takes the
 * lock again.
 *
 *     wait:     [lock held]  enter -- drop -- spin, sleep ------- take -- leave  [lock held]
 *                                                 ^
 *     notify:   [lock held] ----------------------+               [lock held]
 *
 * Rules.
 *   R1  Whoever waits is in the line before he lets go of the lock: so no notification passes him by.
 *   R2  Whoever has waited looks at his place with the lock in hand: what came at the last moment,
 *       after his time was over but before he had the lock, is his.
 *   R3  While he is awake he looks at his own cell alone, and then at the lock with pauses in between:
 *       what he looks at is what the others have to write. (Two processes that take turns on two cores:
 *       1.4 us a round without this rule, 1.1 with it.)
 *
 * Death. Of waiters and notifiers: line.c; the lock goes to the next with KIN_OWNER_DIED. Killed in
 * kin_condition_free: it may be freed again, or whoever comes next tells those who wait; after it has
 * ended, its memory stays until the family ends.
 *
 * Not here. Locks, and how they are let go of and taken again (lock.c, rlock.c).
 */
#include "line.h"

#include <kin/condition.h>
#include <limits.h>

/* What lies behind a kin_condition. */
typedef struct condition {
    kin__head head;
    kin_rlock own;  /* if no other was named */
    uintptr_t lock; /* the one that was named; with bit 0: a kin_rlock; 0: own */
    kin__line line;
} condition;

_Static_assert(sizeof(condition) == sizeof(kin_condition), "condition.h has room for it");
_Static_assert(kin_condition_KIND == KIN__CONDITION, "condition.h says what the domain says");

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
    kin__line_begin(&c->line);
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

static bool end(kin_condition *public, bool block, const char *what)
{
    condition *c = condition_at(public);
    if (!kin__head_may_end(c, KIN__CONDITION, block, what)) {
        return false;
    }
    kin__line_close(&c->line);
    if (!kin__head_end(c, KIN__CONDITION, block, what)) {
        return false;
    }
    KIN__STEP("condition.ended");
    if (c->lock == 0) {
        kin_rlock_done(&c->own);
    }
    kin__line_discard(&c->line);
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
    if (kin__line_is_closing(&c->line)) {
        kin__line_close(&c->line); /* for who was killed at it */
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
    kin__place_in_line place;
    unsigned depth;
    bool awake; /* has not slept */
} waiter;

static bool is_open(const waiter *w)
{
    return kin__head_is_still(w->c, KIN__CONDITION, w->serial) &&
           !kin__line_is_closing(&w->c->line);
}

/* Until there is news: 0, or KIN_ETIMEDOUT without a sentence. */
static int sleep_in_line(waiter *w, int64_t deadline)
{
    w->awake = kin__may_wait(deadline) && is_open(w) && kin__spin(kin__line_is_told, &w->place);
    int rv = 0;
    if (w->awake) {
        return rv;
    }
    kin__note_wait(w->c);
    while (rv == 0 && !kin__line_is_told(&w->place) && is_open(w)) {
        rv = kin__line_sleep(&w->place, deadline);
    }
    kin__note_woken(w->c);
    return rv;
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
    if (w->awake) { /* who notified us is about to let go of it */
        (void)kin__spin_near(is_free, mutex_of(w->c)); /* R3 */
    }
    int rv = retake(w->c, w->depth);
    bool notified = kin__line_is_notified(&w->place); /* R2 */
    bool open = is_open(w);
    if (open) {
        kin__line_leave(&w->place);
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
    waiter w = { .c = c, .serial = kin__head_serial(c) };
    kin__id self = kin__self();
    int rv = self == KIN__NOBODY ? kin__failure() : kin__line_enter(&c->line, self, &w.place);
    if (rv < 0) {
        return rv;
    }
    rv = drop(c, &w.depth); /* R1 */
    if (rv < 0) {
        kin__line_leave(&w.place);
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
    bool is_true = rv == 0 && predicate(ctx);
    while (rv == 0 && !is_true) {
        bool waits = kin__may_wait(deadline);
        rv = waits ? wait_until(condition_at(c), deadline) : KIN_ETIMEDOUT;
        code = rv > 0 ? rv : code;
        is_true = waits && (rv >= 0 || rv == KIN_ETIMEDOUT) && predicate(ctx);
        if (rv == KIN_ETIMEDOUT && !is_true) {
            return kin__fail(rv, "kin_condition_wait_for: it is not true yet%s",
                             code > 0 ? ", and who had the lock meanwhile died with it" : "");
        }
        rv = rv > 0 ? 0 : rv;
    }
    return is_true ? code : rv;
}

/* ---- notify ----------------------------------------------------------------------------- */

static int notify(kin_condition *public, unsigned n, const names *verb)
{
    int rv = check_held(public, verb);
    return rv < 0 ? rv : (int)kin__line_notify(&condition_at(public)->line, n);
}

int kin_condition_notify(kin_condition *c, unsigned n)
{
    return notify(c, n, NAMES(kin_condition_notify));
}

int kin_condition_notify_all(kin_condition *c)
{
    return notify(c, UINT_MAX, NAMES(kin_condition_notify_all));
}
