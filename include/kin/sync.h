/* kin/sync.h - locks, semaphores and events that survive the death of whoever uses them.
 *
 * All lie in the family's memory: any process of the family may use one, also when it was made
 * after that process was started. A process that dies while it holds a lock does not keep it: the
 * next one who asks gets it and is told so, for what the lock guards may be half-changed.
 * Conditions and barriers are in <kin/condition.h>.
 *
 *     kin_lock *lock = NULL;
 *     kin_lock_new(&lock, NULL);
 *     ...
 *     KIN_WITH(lock) {                 // in any process of the family
 *         *counter += 1;
 *     }
 *     ...
 *     kin_lock_free(lock);             // by one of them, in the end
 *
 * Each can be made by its _new, or by its _init inside of a struct of yours that kin_alloc gave;
 * what was made by _new ends with _free, what was made by _init with _done, once, for the whole
 * family: who waits for it then wakes with KIN_ECLOSED, and who uses it later gets KIN_EFREED.
 *
 *     struct account {
 *         kin_lock lock;
 *         double amount;
 *     } *account = kin_alloc(sizeof *account);
 *     kin_lock_init(&account->lock, NULL);
 */
#ifndef KIN_SYNC_H
#define KIN_SYNC_H

#include <kin/base.h>
#include <stdio.h>

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
typedef struct kin_lock {
    uint64_t kin__private[2];
} kin_lock;
#define kin_lock_KIND 4 /* for kin_as(kin_lock, object) */

/* kin_rlock: a lock that the thread which has it may acquire again; it is free when it was released
 * as often.
 * Owner:     whoever frees it, once, for the whole family.
 * Threads:   any; it belongs to one thread of one process, who alone may release it.
 * Processes: every process of the family.
 * Fork:      shared, not copied; the child does not hold what its parent holds.
 * Death:     as a kin_lock. A thread that ends in a process that lives keeps it. */
typedef struct kin_rlock {
    uint64_t kin__private[4];
} kin_rlock;
#define kin_rlock_KIND 9

/* kin_semaphore: a number; who acquires takes one off, or waits while there is none.
 * Owner:     whoever frees it, once, for the whole family.
 * Threads:   any.
 * Processes: every process of the family; who releases need not have acquired, unless it is .owned.
 * Fork:      shared, not copied.
 * Death:     nobody hangs. What a dead process had acquired is gone, as for a signal that it took;
 *            if the semaphore is .owned, the next one who asks gets it, with KIN_OWNER_DIED. */
typedef struct kin_semaphore {
    uint64_t kin__private[4];
} kin_semaphore;
#define kin_semaphore_KIND 10
#define KIN_SEMAPHORE_MOST 2147483647u /* the greatest value of one that is not .owned */

/* kin_event: a flag to wait for.
 * Owner:     whoever frees it, once, for the whole family; it stays when its maker ends.
 * Threads:   any.
 * Processes: every process of the family.
 * Fork:      the event is shared, not copied.
 * Death:     a process killed inside kin_event_set has set it or has not; nobody hangs. */
typedef struct kin_event {
    uint64_t kin__private[2];
} kin_event;
#define kin_event_KIND 5

/* Nothing to choose yet. */
typedef struct kin_lock_options {
    uint64_t reserved[4]; /* must be zero */
} kin_lock_options;

typedef struct kin_rlock_options {
    uint64_t reserved[4]; /* must be zero */
} kin_rlock_options;

typedef struct kin_semaphore_options {
    bool bounded;         /* a release that would make it greater than at first is KIN_ESTATE */
    bool owned;           /* bounded, and it knows who has what: up to 65535 */
    uint64_t reserved[4]; /* must be zero */
} kin_semaphore_options;

typedef struct kin_event_options {
    uint64_t reserved[4]; /* must be zero */
} kin_event_options;

/* ---- locks ---------------------------------------------------------------------------- */

/* Makes a lock that nobody holds. `options` may be NULL. KIN_ENOMEM leaves *ret_lock alone. */
KIN_API int kin_lock_new(kin_lock **ret_lock, const kin_lock_options *options);

/* Ends the lock for all. NULL is fine; to free it twice changes nothing and is logged. */
KIN_API void kin_lock_free(kin_lock *lock);
KIN_AUTO(kin_lock)

/* The same in memory that the caller has, which must be the family's, and aligned to 8. After _done
 * it may be used for something else once those who waited have returned. */
KIN_API int kin_lock_init(kin_lock *lock, const kin_lock_options *options);
KIN_API void kin_lock_done(kin_lock *lock);

/* Takes the lock. 0, or KIN_OWNER_DIED (greater than 0: it is held all the same) when its last
 * holder died with it; KIN_ETIMEDOUT, KIN_ECLOSED when it is freed meanwhile, KIN_EFREED. A
 * timeout of 0 only tries. */
KIN_API int kin_lock_acquire(kin_lock *lock, double timeout);

/* Gives the lock back, whoever holds it. KIN_ESTATE when nobody does. */
KIN_API int kin_lock_release(kin_lock *lock);

/* Makes another process of the family the holder of a lock that this one holds: for who locks here
 * and has it released there. From then on it is his death that gives it back. KIN_ESTATE when this
 * process does not hold it, KIN_ENOTFOUND for a pid that is none of the family's, or that has
 * ended, or has not made its first call yet. */
KIN_API int kin_lock_hand_over(kin_lock *lock, int pid);

/* Like those of a lock. To release what is another thread's is KIN_ESTATE. */
KIN_API int kin_rlock_new(kin_rlock **ret_lock, const kin_rlock_options *options);
KIN_API void kin_rlock_free(kin_rlock *lock);
KIN_AUTO(kin_rlock)
KIN_API int kin_rlock_init(kin_rlock *lock, const kin_rlock_options *options);
KIN_API void kin_rlock_done(kin_rlock *lock);
KIN_API int kin_rlock_acquire(kin_rlock *lock, double timeout);
KIN_API int kin_rlock_release(kin_rlock *lock);

/* ---- semaphores ----------------------------------------------------------------------- */

/* Makes a semaphore of `value`. KIN_ERANGE for more than KIN_SEMAPHORE_MOST, or 65535 of an owned
 * one. */
KIN_API int kin_semaphore_new(kin_semaphore **ret_semaphore, unsigned value,
                              const kin_semaphore_options *options);
KIN_API void kin_semaphore_free(kin_semaphore *semaphore);
KIN_AUTO(kin_semaphore)
KIN_API int kin_semaphore_init(kin_semaphore *semaphore, unsigned value,
                               const kin_semaphore_options *options);
KIN_API void kin_semaphore_done(kin_semaphore *semaphore);

/* Takes one. 0; KIN_OWNER_DIED (it is taken all the same) when it was a dead process's;
 * KIN_ETIMEDOUT, KIN_ECLOSED, KIN_EFREED. */
KIN_API int kin_semaphore_acquire(kin_semaphore *semaphore, double timeout);

/* Gives one. KIN_ESTATE when it is bounded and full (none grows above KIN_SEMAPHORE_MOST), or owned
 * and this process has none. */
KIN_API int kin_semaphore_release(kin_semaphore *semaphore);

/* ---- events --------------------------------------------------------------------------- */

/* Makes an event that is not set. `options` may be NULL. KIN_ENOMEM leaves *ret_event alone. */
KIN_API int kin_event_new(kin_event **ret_event, const kin_event_options *options);

/* Ends the event for all, as kin_lock_free does with a lock. */
KIN_API void kin_event_free(kin_event *event);
KIN_AUTO(kin_event)
KIN_API int kin_event_init(kin_event *event, const kin_event_options *options);
KIN_API void kin_event_done(kin_event *event);

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

/* Who holds the lock, or held it when he died: 0 and his pid, and his name if `name` is not NULL
 * (up to `room` bytes, cut, with a zero; 31 bytes of a name are known); KIN_ENOTFOUND when nobody
 * does, or he died and another process has his place in the family since. */
KIN_API int kin_lock_owner(const kin_lock *lock, int *ret_pid, char *name, size_t room);
KIN_API int kin_rlock_owner(const kin_rlock *lock, int *ret_pid, char *name, size_t room);

/* Whether somebody has it; and how often this thread has. */
KIN_API bool kin_rlock_locked(const kin_rlock *lock);
KIN_API unsigned kin_rlock_depth(const kin_rlock *lock);

/* How many are left now, those of the dead among them if it is owned; and whether none is. -1,
 * false, with a sentence, for what is no semaphore. */
KIN_API int kin_semaphore_value(const kin_semaphore *semaphore);
KIN_API bool kin_semaphore_locked(const kin_semaphore *semaphore);

/* Prints who of the family holds what, and who waits for what, a line each: all that was made by a
 * _new here, and the queues; and each process that sleeps for one of these, in one thread of it. */
KIN_API int kin_dump(FILE *stream);

/* Whether the event is set. False, with a sentence, for what is no event. */
KIN_API bool kin_event_is_set(const kin_event *event);

/* ---- locks for a block or a scope -------------------------------------------------------
 * For a kin_lock, kin_rlock or kin_semaphore, or the lock of a kin_condition:
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
        kin__hold_scope(KIN__HOLD(KIN__FIRST_TWO(__VA_ARGS__, NULL, NULL)))

#define KIN__WITH(held, lock_and_code)                                                             \
    for (KIN__HELD(held) = KIN__HOLD(KIN__FIRST_TWO lock_and_code); !held.over; held.over = true)  \
        if (held.thing != NULL)
#define KIN__HELD(held) kin__held held __attribute__((cleanup(kin__held_end), unused))
#define KIN__FIRST_TWO(lock, code, ...) lock, code
#define KIN__UNIQUE(name, number) KIN__UNIQUE_(name, number)
#define KIN__UNIQUE_(name, number) name##number
#define KIN__HOLD(...) KIN__HOLD_(__VA_ARGS__)
#ifdef __cplusplus
#define KIN__HOLD_(held_lock, code) kin__hold(held_lock, code)
#else
#define KIN__HOLD_(held_lock, code)                                                                \
    _Generic((held_lock), kin_lock *                                                               \
             : kin__hold_lock, kin_rlock *                                                         \
             : kin__hold_rlock, kin_semaphore *                                                    \
             : kin__hold_semaphore, struct kin_condition *                                         \
             : kin__hold_condition)(held_lock, code)
#endif

typedef struct kin__held {
    void *thing; /* NULL: not acquired */
    void (*release)(void *thing);
    bool over;
} kin__held;

/* Of <kin/condition.h>. */
struct kin_condition;
KIN_API int kin_condition_acquire(struct kin_condition *condition, double timeout);
KIN_API int kin_condition_release(struct kin_condition *condition);

#define KIN__HELD_TYPES(X) X(lock) X(rlock) X(semaphore) X(condition)
#define KIN__HOLDS(type)                                                                           \
    static inline void kin__release_##type(void *thing)                                            \
    {                                                                                              \
        (void)kin_##type##_release((struct kin_##type *)thing);                                    \
    }                                                                                              \
    static inline kin__held kin__hold_##type(struct kin_##type *thing, int *ret_code)              \
    {                                                                                              \
        int rv = kin_##type##_acquire(thing, KIN_FOREVER);                                         \
        kin__held held = { rv >= 0 ? thing : NULL, kin__release_##type, false };                   \
        if (ret_code != NULL) {                                                                    \
            *ret_code = rv;                                                                        \
        }                                                                                          \
        return held;                                                                               \
    }
KIN__HELD_TYPES(KIN__HOLDS)

static inline kin__held kin__hold_scope(kin__held held)
{
    if (held.thing == NULL) {
        kin_log(KIN_LOG_ERROR, "KIN_HOLD goes on without the lock: %s", kin_errmsg());
    }
    return held;
}

static inline void kin__held_end(kin__held *held)
{
    if (held->thing != NULL) {
        held->release(held->thing);
    }
}

#ifdef __cplusplus
}
#define KIN__HOLDS_CPP(type)                                                                       \
    static inline kin__held kin__hold(struct kin_##type *thing, int *ret_code)                     \
    {                                                                                              \
        return kin__hold_##type(thing, ret_code);                                                  \
    }
KIN__HELD_TYPES(KIN__HOLDS_CPP)
#endif
#endif
