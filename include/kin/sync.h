/* kin/sync.h - locks and events that survive the death of whoever uses them.
 *
 * Both lie in the family's memory: any process of the family may use one, also when it was made
 * after that process was started. A process that dies while it holds a lock does not keep it: the
 * next one who asks gets it and is told so, for what the lock guards may be half-changed.
 *
 *     kin_lock *lock = NULL;
 *     kin_lock_new(&lock, NULL);
 *     ...
 *     KIN_WITH(lock) {                 // in any process of the family
 *         *counter += 1;
 *     }
 *     ...
 *     kin_lock_free(lock);             // by one of them, in the end
 */
#ifndef KIN_SYNC_H
#define KIN_SYNC_H

#include <kin/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_lock: at most one thread of one process has it at a time.
 * It is not recursive: who acquires it twice waits for himself. As in Python, whoever wants may
 * release it, not only who acquired it.
 * Owner:     whoever frees it, once, for the whole family; it stays when its maker ends.
 * Threads:   any; two threads of one process exclude each other like two processes.
 * Processes: every process of the family.
 * Fork:      the lock is shared, not copied; the child does not hold what its parent holds.
 * Death:     a lock whose holder ended, however, is given to the next who asks, with
 *            KIN_OWNER_DIED; who sleeps for it wakes within 100 ms. */
typedef struct kin_lock kin_lock;
#define kin_lock_KIND 4 /* for kin_as(kin_lock, object) */

/* kin_event: a flag to wait for.
 * Owner:     whoever frees it, once, for the whole family; it stays when its maker ends.
 * Threads:   any.
 * Processes: every process of the family.
 * Fork:      the event is shared, not copied.
 * Death:     a process killed inside kin_event_set has set it or has not; nobody hangs. */
typedef struct kin_event kin_event;
#define kin_event_KIND 5 /* for kin_as(kin_event, object) */

/* Nothing to choose yet. */
typedef struct kin_lock_options {
    uint64_t reserved[4]; /* must be zero */
} kin_lock_options;

typedef struct kin_event_options {
    uint64_t reserved[4]; /* must be zero */
} kin_event_options;

/* ---- locks ---------------------------------------------------------------------------- */

/* Makes a lock that nobody holds. `options` may be NULL. KIN_ENOMEM leaves *ret_lock alone. */
KIN_API int kin_lock_new(kin_lock **ret_lock, const kin_lock_options *options);

/* Ends the lock for all: who waits for it wakes with KIN_ECLOSED, who uses it later gets
 * KIN_EFREED. NULL is fine; to free it twice changes nothing and is logged. */
KIN_API void kin_lock_free(kin_lock *lock);
KIN_AUTO(kin_lock)

/* Takes the lock. 0, or KIN_OWNER_DIED (greater than 0: it is held all the same) when its last
 * holder died with it; KIN_ETIMEDOUT, KIN_ECLOSED when it is freed meanwhile, KIN_EFREED. A
 * timeout of 0 only tries. */
KIN_API int kin_lock_acquire(kin_lock *lock, double timeout);

/* Gives the lock back, whoever holds it. KIN_ESTATE when nobody does. */
KIN_API int kin_lock_release(kin_lock *lock);

/* ---- events --------------------------------------------------------------------------- */

/* Makes an event that is not set. `options` may be NULL. KIN_ENOMEM leaves *ret_event alone. */
KIN_API int kin_event_new(kin_event **ret_event, const kin_event_options *options);

/* Ends the event for all, as kin_lock_free does with a lock. */
KIN_API void kin_event_free(kin_event *event);
KIN_AUTO(kin_event)

/* Sets the event and wakes all who wait: each of them gets through, also when it is cleared right
 * after. To set it twice is to set it once. */
KIN_API int kin_event_set(kin_event *event);

/* From now on it is not set, and whoever comes waits. */
KIN_API int kin_event_clear(kin_event *event);

/* Waits until the event is set: 0 at once when it is; KIN_ETIMEDOUT, KIN_ECLOSED when it is freed
 * meanwhile, KIN_EFREED. It stays set. */
KIN_API int kin_event_wait(kin_event *event, double timeout);

/* ---- questions ------------------------------------------------------------------------ */

/* Whether somebody who is alive holds the lock. False, with a sentence, for what is no lock. */
KIN_API bool kin_lock_locked(const kin_lock *lock);

/* Whether the event is set. False, with a sentence, for what is no event. */
KIN_API bool kin_event_is_set(const kin_event *event);

/* ---- locks for a block or a scope -------------------------------------------------------
 *
 *     KIN_WITH(lock) {
 *         ...
 *     } else {
 *         fprintf(stderr, "%s\n", kin_errmsg());   // not acquired: it was freed
 *     }
 *
 * KIN_WITH waits for the lock, and releases it on every way out of the block: its end, return,
 * goto, and break or continue, which leave this block (not a loop around it). The else is optional.
 * KIN_HOLD(lock); holds it from there to the end of the scope; that it cannot be had is logged.
 *
 * Both tell what kin_lock_acquire returned to who wants to know:
 *
 *     int rv;
 *     KIN_WITH(lock, &rv) {
 *         if (rv == KIN_OWNER_DIED) {
 *             ...                                  // mend what he may have left half-done
 *         }
 *         ...
 *     }
 */
#define KIN_WITH(...) KIN__WITH(KIN__UNIQUE(kin__held_, __COUNTER__), (__VA_ARGS__, NULL, NULL))
#define KIN_HOLD(...)                                                                              \
    KIN__HELD(KIN__UNIQUE(kin__held_, __COUNTER__)) =                                              \
        kin__hold_scope(KIN__FIRST_TWO(__VA_ARGS__, NULL, NULL))

#define KIN__WITH(held, lock_and_code)                                                             \
    for (KIN__HELD(held) = kin__hold(KIN__FIRST_TWO lock_and_code); !held.over; held.over = true)  \
        if (held.lock != NULL)
#define KIN__HELD(held) kin__held held __attribute__((cleanup(kin__held_end), unused))
#define KIN__FIRST_TWO(lock, code, ...) lock, code
#define KIN__UNIQUE(name, number) KIN__UNIQUE_(name, number)
#define KIN__UNIQUE_(name, number) name##number

typedef struct kin__held {
    kin_lock *lock; /* NULL: not acquired */
    bool over;
} kin__held;

static inline kin__held kin__hold(kin_lock *lock, int *ret_code)
{
    int rv = kin_lock_acquire(lock, KIN_FOREVER);
    kin__held held = { rv >= 0 ? lock : NULL, false };
    if (ret_code != NULL) {
        *ret_code = rv;
    }
    return held;
}

static inline kin__held kin__hold_scope(kin_lock *lock, int *ret_code)
{
    kin__held held = kin__hold(lock, ret_code);
    if (held.lock == NULL) {
        kin_log(KIN_LOG_ERROR, "KIN_HOLD goes on without the lock: %s", kin_errmsg());
    }
    return held;
}

static inline void kin__held_end(kin__held *held)
{
    if (held->lock != NULL) {
        (void)kin_lock_release(held->lock);
    }
}

#ifdef __cplusplus
}
#endif
#endif
