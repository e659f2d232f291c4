/* kin/condition.h - conditions and barriers: waiting for one another, also for those who die.
 *
 *     kin_condition *changed = NULL;                  // with a lock of its own
 *     kin_condition_new(&changed, NULL);
 *     ...
 *     kin_condition_acquire(changed, KIN_FOREVER);
 *     while (!*ready) {
 *         kin_condition_wait(changed, KIN_FOREVER);   // lets go of the lock while it sleeps
 *     }
 *     kin_condition_release(changed);
 */
#ifndef KIN_CONDITION_H
#define KIN_CONDITION_H

#include <kin/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_condition: a place to wait, with a lock around it.
 * Owner:     whoever frees it, once, for the whole family; a lock that the options named stays.
 * Threads:   any.
 * Processes: every process of the family.
 * Fork:      shared, not copied.
 * Death:     who dies while he waits swallows no notification that comes after it; one that he
 *            had been given goes with him. Who dies while he notifies has notified some, or none;
 *            the lock goes on as a lock does. So who takes it with KIN_OWNER_DIED notifies, for
 *            the dead may not have come to that; and where others may die, all are notified. */
typedef struct kin_condition {
    uint64_t kin__private[8];
} kin_condition;
#define kin_condition_KIND 11

typedef struct kin_condition_options {
    kin_lock *lock;       /* the lock that it is about; */
    kin_rlock *rlock;     /* or this one; none: a kin_rlock of its own */
    uint64_t reserved[4]; /* must be zero */
} kin_condition_options;

/* kin_barrier: a number of parties of which each waits until all have come.
 * Owner:     whoever frees it, once, for the whole family.
 * Threads:   any; each is a party.
 * Processes: every process of the family.
 * Fork:      shared, not copied.
 * Death:     when somebody dies who has come and waits, the barrier breaks: the others get
 *            KIN_EBROKEN within 100 ms. */
typedef struct kin_barrier {
    uint64_t kin__private[8];
} kin_barrier;
#define kin_barrier_KIND 12

typedef struct kin_barrier_options {
    /* the last to come calls it, before any goes on; all have to have it: a function of the
     * program, or of a library that they have loaded */
    void (*action)(void *ctx);
    void *ctx;            /* in the family's memory, or NULL */
    double timeout;       /* seconds for those who wait without one; 0: none */
    uint64_t reserved[4]; /* must be zero */
} kin_barrier_options;

/* ---- conditions ------------------------------------------------------------------------ */

/* Makes a condition. `options` may be NULL; a lock that they name has to be freed after it.
 * KIN_ENOMEM leaves *ret_condition alone. */
KIN_API int kin_condition_new(kin_condition **ret_condition, const kin_condition_options *options);

/* Ends the condition for all, as kin_lock_free does with a lock. */
KIN_API void kin_condition_free(kin_condition *condition);
KIN_AUTO(kin_condition)

/* The same in memory that the caller has, as kin_lock_init does. */
KIN_API int kin_condition_init(kin_condition *condition, const kin_condition_options *options);
KIN_API void kin_condition_done(kin_condition *condition);

/* Those of its lock. */
KIN_API int kin_condition_acquire(kin_condition *condition, double timeout);
KIN_API int kin_condition_release(kin_condition *condition);

/* Lets go of the lock (of an rlock wholly), sleeps until it is notified, and takes the lock again,
 * however that ended and however long that takes: 0, or KIN_OWNER_DIED (also at the end of the
 * time) when who had the lock in between died with it; KIN_ETIMEDOUT. It may also return for no
 * reason: look whether what you wait for is true. KIN_ENOMEM, with the lock, when there is no room
 * to wait. KIN_ECLOSED when the condition was freed: still with the lock, if the options named one
 * (release it by its own verb: the condition's knows it no more); without, if the lock has ended,
 * as a condition's own does. KIN_ESTATE when this process does not hold the lock. */
KIN_API int kin_condition_wait(kin_condition *condition, double timeout);

/* Waits until predicate(ctx), which is called with the lock held, once at first and once after each
 * wake-up, is true: 0, or KIN_OWNER_DIED when somebody died with the lock meanwhile. KIN_ETIMEDOUT
 * when it was false at the end of the time. */
KIN_API int kin_condition_wait_for(kin_condition *condition, bool (*predicate)(void *ctx),
                                   void *ctx, double timeout);

/* Wakes the `n` who have waited longest, or all, of those who live. KIN_ESTATE when this process
 * does not hold the lock. How many were woken. */
KIN_API int kin_condition_notify(kin_condition *condition, unsigned n);
KIN_API int kin_condition_notify_all(kin_condition *condition);

/* ---- barriers --------------------------------------------------------------------------- */

/* Makes a barrier for so many parties, 1 to 65535. */
KIN_API int kin_barrier_new(kin_barrier **ret_barrier, unsigned parties,
                            const kin_barrier_options *options);

/* Ends the barrier for all, as kin_lock_free does with a lock. */
KIN_API void kin_barrier_free(kin_barrier *barrier);
KIN_AUTO(kin_barrier)

/* The same in memory that the caller has, as kin_lock_init does. */
KIN_API int kin_barrier_init(kin_barrier *barrier, unsigned parties,
                             const kin_barrier_options *options);
KIN_API void kin_barrier_done(kin_barrier *barrier);

/* Waits until all parties have come: each gets a number of its own, 0 to parties - 1. KIN_EBROKEN
 * when it is broken, or breaks meanwhile; KIN_ETIMEDOUT, which breaks it for the others;
 * KIN_ENOTFOUND, which does so too, when this process has not loaded the action. Where more come
 * than there are parties, the rest are of the next round; whose time is over before that begins
 * breaks nothing. */
KIN_API int kin_barrier_wait(kin_barrier *barrier, double timeout);

/* Breaks it, for who waits and who comes. */
KIN_API int kin_barrier_abort(kin_barrier *barrier);

/* Makes it whole again; who waits then gets KIN_EBROKEN. */
KIN_API int kin_barrier_reset(kin_barrier *barrier);

/* ---- questions --------------------------------------------------------------------------- */

/* How many there are, and how many of them have come. */
KIN_API int kin_barrier_parties(const kin_barrier *barrier);
KIN_API int kin_barrier_n_waiting(const kin_barrier *barrier);

/* Whether it is broken. False, with a sentence, for what is no barrier. */
KIN_API bool kin_barrier_broken(const kin_barrier *barrier);

#ifdef __cplusplus
}
#endif
#endif
