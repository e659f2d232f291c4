/* condition.c - a place to wait for a change, with a lock around it.
 *
 * Idea. Who waits gets into a line (line.c), lets go of the lock, sleeps until he is told, and
 * takes the lock again.
 *
 *     wait:     [lock held]  enter -- drop -- spin, sleep ------- take -- leave  [lock held]
 *                                                 ^
 *     notify:   [lock held] ----------------------+               [lock held]
 *
 * Rules.
 *   R1  Whoever waits is in the line before he lets go of the lock: so no notification passes him
 *       by.
 *   R2  Whoever has waited looks at his place with the lock in hand: what came at the last moment,
 *       after his time was over but before he had the lock, is his.
 *   R3  While he is awake he looks at his own cell alone, and then at the lock with pauses in
 *       between: what he looks at is what the others have to write. (Two processes that take turns
 *       on two cores: 1.4 us a round without this rule, 1.1 with it.)
 *   R4  A lock that was named outlives the condition. So the waiter knows it by himself, with its
 *       serial, and comes back with it also when the condition has ended.
 *
 * Death. Of waiters and notifiers: line.c; the lock goes to the next with KIN_OWNER_DIED. Killed in
 * kin_condition_free: it may be freed again, or whoever comes next tells those who wait; after it
 * has ended, its memory stays until the family ends.
 *
 * Not here. Locks, and how they are let go of and taken again (lock.c, rlock.c).
 */
#include "line.h"

#include <kin/condition.h>
#include <limits.h>

/* Which lock it is: the address of a kin_lock, or that of a kin_rlock with bit 0. */
typedef uintptr_t its_lock;

/* What lies behind a kin_condition. */
typedef struct condition {
    kin__head head;
    kin_rlock own; /* if no other was named */
    its_lock lock;
    kin__line line;
} condition;

_Static_assert(sizeof(condition) == sizeof(kin_condition), "condition.h has room for it");
_Static_assert(kin_condition_KIND == KIN__CONDITION, "condition.h says what the domain says");

static condition *condition_at(const kin_condition *c)
{
    return (condition *)(void *)c;
}

/* ---- its lock --------------------------------------------------------------------------- */

static its_lock own_of(const condition *c)
{
    return (uintptr_t)&c->own | 1u;
}

static bool is_rlock(its_lock lock)
{
    return lock & 1u;
}

static kin_lock *lock_of(its_lock lock)
{
    return (kin_lock *)lock;
}

static kin_rlock *rlock_of(its_lock lock)
{
    return (kin_rlock *)(lock - 1);
}

/* What both kinds of locks begin with. */
static kin__mutex *mutex_of(its_lock lock)
{
    return (kin__mutex *)(lock & ~(its_lock)1);
}

static kin__type type_of(its_lock lock)
{
    return is_rlock(lock) ? KIN__RLOCK : KIN__LOCK;
}

static int drop(its_lock lock, unsigned *ret_depth)
{
    return is_rlock(lock) ? kin__rlock_drop(rlock_of(lock), ret_depth)
                          : kin__lock_drop(lock_of(lock));
}

static int take(its_lock lock, unsigned depth)
{
    return is_rlock(lock) ? kin__rlock_retake(rlock_of(lock), depth, KIN__NEVER)
                          : kin__lock_retake(lock_of(lock), KIN__NEVER);
}

static bool is_held(its_lock lock)
{
    if (is_rlock(lock)) {
        return kin_rlock_depth(rlock_of(lock)) > 0;
    }
    return kin__mutex_holder(atomic_load(&mutex_of(lock)->word)) == kin__actor();
}

const kin_rlock *kin__condition_own_lock(const kin_condition *public)
{
    const condition *c = condition_at(public);
    return c->lock == own_of(c) ? &c->own : NULL;
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(const kin_condition_options *o, const char *verb, const char *named)
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
    bool is_none = o->lock == NULL && o->rlock == NULL;
    return is_none            ? 0
           : o->rlock != NULL ? kin__head_check(o->rlock, KIN__RLOCK, named)
                              : kin__head_check(o->lock, KIN__LOCK, named);
}

static int begin(condition *c, const kin_condition_options *o)
{
    bool is_named = o != NULL && (o->lock != NULL || o->rlock != NULL);
    c->lock = !is_named         ? own_of(c)
              : o->lock != NULL ? (uintptr_t)o->lock
                                : (uintptr_t)o->rlock | 1u;
    int rv = is_named ? 0 : kin_rlock_init(&c->own, NULL);
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
    int rv = check_options(options, "kin_condition_new", "kin_condition_new: the lock it names");
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
    int rv = check_options(options, "kin_condition_init", "kin_condition_init: the lock it names");
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
    if (c->lock == own_of(c)) {
        kin_rlock_done(&c->own);
    }
    kin__line_discard(&c->line);
    return true;
}

void kin_condition_free(kin_condition *c)
{
    if (c != NULL && !kin__remote_free(c, KIN__CONDITION) &&
        end(c, true, "kin_condition_free: the condition")) {
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
    return kin__head_check(mutex_of(c->lock), type_of(c->lock), n->lock);
}

static int check_held(const kin_condition *public, const names *n)
{
    int rv = check(public, n);
    its_lock lock = rv < 0 ? 0 : condition_at(public)->lock;
    if (rv == 0 && !is_held(lock)) {
        return kin__fail(KIN_ESTATE, "%s is not held by this %s", n->lock,
                         is_rlock(lock) ? "thread" : "process");
    }
    return rv;
}

int kin_condition_acquire(kin_condition *public, double timeout)
{
    int rv = check(public, NAMES(kin_condition_acquire));
    if (rv < 0) {
        return kin__remote_acquire(public, KIN__CONDITION, timeout, rv);
    }
    its_lock lock = condition_at(public)->lock;
    return is_rlock(lock) ? kin_rlock_acquire(rlock_of(lock), timeout)
                          : kin_lock_acquire(lock_of(lock), timeout);
}

int kin_condition_release(kin_condition *public)
{
    int rv = check(public, NAMES(kin_condition_release));
    if (rv < 0) {
        return kin__remote_release(public, KIN__CONDITION, rv);
    }
    its_lock lock = condition_at(public)->lock;
    return is_rlock(lock) ? kin_rlock_release(rlock_of(lock)) : kin_lock_release(lock_of(lock));
}

/* ---- wait ------------------------------------------------------------------------------- */

typedef struct waiter {
    condition *c;
    uint32_t serial; /* which condition we came for */
    its_lock lock;
    uint32_t lock_serial; /* R4 */
    kin__place_in_line place;
    unsigned depth;
    bool awake; /* has not slept */
} waiter;

static bool is_open(const waiter *w)
{
    return kin__head_is_still(w->c, KIN__CONDITION, w->serial) &&
           !kin__line_is_closing(&w->c->line);
}

/* Until there is news: 0; KIN_ETIMEDOUT without a sentence, KIN_EINTR. */
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

static int fail_without_lock(void)
{
    return kin__fail(KIN_ECLOSED, "kin_condition_wait: the condition's lock was freed meanwhile");
}

static int fail_with_lock(bool owner_died)
{
    return kin__fail(KIN_ECLOSED,
                     "kin_condition_wait: the condition was freed meanwhile; its lock is held%s",
                     owner_died ? ", and who had it died with it" : "");
}

/* Whether there still is the lock that we let go of: a condition's own ends with it. */
static bool has_lock(const waiter *w)
{
    return kin__head_is_still(mutex_of(w->lock), type_of(w->lock), w->lock_serial) &&
           (w->lock != own_of(w->c) || is_open(w));
}

/* 0 or KIN_OWNER_DIED; KIN_ECLOSED when there is none any more. */
static int retake(waiter *w)
{
    kin__os_shield(); /* who has waited has the lock, whatever ended it */
    int rv = has_lock(w) ? take(w->lock, w->depth) : KIN_ECLOSED;
    kin__os_unshield();
    if (rv >= 0 && !has_lock(w)) {
        (void)drop(w->lock, &w->depth); /* it is another one, or has ended since */
        rv = KIN_ECLOSED;
    }
    return rv < 0 ? fail_without_lock() : rv;
}

/* With what sleeping gave: takes the lock again, and leaves the line. */
static int come_back(waiter *w, int slept)
{
    if (w->awake) { /* who notified us is about to let go of it */
        (void)kin__spin_near(kin__mutex_is_free, mutex_of(w->lock)); /* R3 */
    }
    int rv = retake(w);
    bool notified = kin__line_is_notified(&w->place); /* R2 */
    bool open = is_open(w);
    if (open) {
        kin__line_leave(&w->place);
    }
    if (rv < 0) {
        return rv;
    }
    KIN__STEP("condition.back");
    if (!open) {
        return fail_with_lock(rv > 0); /* R4 */
    }
    if (notified || rv > 0 || slept == 0) {
        if (slept == KIN_EINTR) {
            kin__os_interrupt_again();
        }
        return rv;
    }
    return slept == KIN_ETIMEDOUT ? kin__fail(slept, "kin_condition_wait: nobody notified us")
                                  : slept;
}

/* The caller holds the lock. */
static int wait_until(condition *c, int64_t deadline)
{
    waiter w = { .c = c, .serial = kin__head_serial(c), .lock = c->lock };
    w.lock_serial = kin__head_serial(mutex_of(w.lock));
    kin__id self = kin__actor();
    int rv = self == KIN__NOBODY ? kin__failure() : kin__line_enter(&c->line, self, &w.place);
    if (rv < 0) {
        return rv;
    }
    rv = drop(w.lock, &w.depth); /* R1 */
    if (rv < 0) {
        kin__line_leave(&w.place);
        return is_open(&w) ? rv : fail_without_lock();
    }
    KIN__STEP("condition.dropped");
    return come_back(&w, sleep_in_line(&w, deadline));
}

int kin_condition_wait(kin_condition *c, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    rv = check_held(c, NAMES(kin_condition_wait));
    return rv < 0 ? kin__remote_wait(c, KIN__CONDITION, timeout, rv)
                  : wait_until(condition_at(c), deadline);
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
    if (kin__is_remote(c, KIN__CONDITION)) {
        return kin__remote_ops_now()->tell(c, "notify", n);
    }
    return notify(c, n, NAMES(kin_condition_notify));
}

int kin_condition_notify_all(kin_condition *c)
{
    int rv = notify(c, UINT_MAX, NAMES(kin_condition_notify_all));
    return rv < 0 ? kin__remote_tell(c, KIN__CONDITION, "notify_all", rv) : rv;
}
