/* lock.c - a lock that does not die with its holder.
 *
 * Idea. One word says who holds the lock, and whether somebody sleeps for it.
 *
 *      31      30..28   27 ........... 1   0
 *     +-------+--------+----------------+---------+
 *     | freed |   0    | holder's kin__id | sleepers |      0: nobody holds it
 *     +-------+--------+----------------+---------+
 *
 * Rules.
 *   R1  The lock is taken by one CAS: from 0, or from the name of a dead process, to one's own.
 *   R2  Who is about to sleep sets the bit first, and sleeps on the word with the bit. Who takes the
 *       lock after a sleep keeps the bit set, since others may sleep still.
 *   R3  Who releases with the bit set wakes one. That one may lose the lock to somebody faster; then
 *       he sleeps again. (Handing it over instead would cost a wake-up at each change.)
 *   R4  Sleep is a nap; after it one asks whether the holder lives.
 *   R5  The freed bit stays until the block is a new lock. Since it may be that before a sleeper has
 *       looked, who took the lock after a sleep looks whether it is still the one he came for.
 *
 * Death. Killed while holding it: R1 and R4 give it to the next, with KIN_OWNER_DIED. Killed between
 * the release and the wake: the sleepers' naps end, and they find it free. Killed after the wake,
 * before he took it: the same. Killed in kin_lock_free: the word is marked and nobody hangs; the
 * block stays until somebody frees it again.
 *
 * Not here. How to spin, how to sleep at a gate (gate.c).
 */
#include "room.h"

#include <limits.h>

#define FREED ((uint32_t)1 << 31)
#define SLEEPERS ((uint32_t)1)
#define FIRST_NAP 1000000 /* ns */
#define HELD_BY(id) ((uint32_t)(id) << 1)
#define HOLDER(word) ((kin__id)((word) >> 1) & (((kin__id)1 << KIN__ID_BITS) - 1))

struct kin_lock {
    _Alignas(64) _Atomic uint32_t word; /* a cache line of its own */
};

_Static_assert(kin_lock_KIND == KIN__LOCK, "sync.h says what the domain says");

int kin_lock_new(kin_lock **ret_lock, const kin_lock_options *options)
{
    if (ret_lock == NULL) {
        return kin__fail(KIN_EINVAL, "kin_lock_new: nowhere to put the lock (NULL)");
    }
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "kin_lock_new: the lock's reserved options must be zero");
    }
    kin_lock *lock = kin__block_new(sizeof *lock, KIN__LOCK);
    if (lock == NULL) {
        return kin__failure();
    }
    atomic_store(&lock->word, 0);
    KIN__STEP("lock.new");
    kin__block_give(lock);
    *ret_lock = lock;
    return 0;
}

void kin_lock_free(kin_lock *lock)
{
    if (lock == NULL) {
        return;
    }
    if (kin__block_check(lock, KIN__LOCK, "kin_lock_free: the lock") < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
        return;
    }
    kin__ref ref = kin__block_ref(lock);
    uint32_t seen = atomic_exchange(&lock->word, FREED);
    KIN__STEP("lock.marked");
    if (seen & SLEEPERS) {
        kin__os_wake(&lock->word, INT_MAX);
    }
    KIN__STEP("lock.ended");
    (void)kin__block_discard(ref);
}

/* ---- acquire -------------------------------------------------------------------------- */

typedef struct attempt {
    kin_lock *lock;
    kin__ref ref; /* which lock we came for: R5 */
    uint32_t mine;
    int64_t deadline;
    int64_t nap; /* grows: most of those who die in a fight over a lock do so soon */
    bool slept;
} attempt;

static bool is_free(void *lock)
{
    return atomic_load_explicit(&((kin_lock *)lock)->word, memory_order_relaxed) == 0;
}

/* Changes the word from what was seen to ours; a bit that was there stays there. */
static bool take(attempt *a, uint32_t seen)
{
    uint32_t ours = a->mine | (seen & SLEEPERS) | (a->slept ? SLEEPERS : 0);
    return atomic_compare_exchange_strong(&a->lock->word, &seen, ours);
}

static int fail_freed(void)
{
    return kin__fail(KIN_ECLOSED, "kin_lock_acquire: the lock was freed meanwhile");
}

/* It is ours, but is it the lock that we came for? */
static int keep(attempt *a, int code)
{
    if (kin__block_ref(a->lock) == a->ref) {
        return code;
    }
    (void)kin_lock_release(a->lock);
    return fail_freed();
}

static int sleep_on(attempt *a, uint32_t seen)
{
    bool tries = !kin__may_wait(a->deadline);
    if (!tries && !(seen & SLEEPERS) &&
        !atomic_compare_exchange_strong(&a->lock->word, &seen, seen | SLEEPERS)) {
        return 0;
    }
    KIN__STEP("lock.waiting");
    int64_t now = tries ? 0 : kin__os_now();
    if (now >= a->deadline) {
        return kin__fail(KIN_ETIMEDOUT, "kin_lock_acquire: process %d still holds the lock",
                         (int)kin__pid_of(HOLDER(seen)));
    }
    int64_t until = a->deadline - now < a->nap ? a->deadline : now + a->nap;
    (void)kin__os_wait(&a->lock->word, seen | SLEEPERS, until);
    a->nap = a->nap * 2 < KIN__NAP ? a->nap * 2 : KIN__NAP;
    a->slept = true;
    return 0;
}

/* The lock was not free. */
static int acquire_slowly(attempt *a)
{
    if (kin__may_wait(a->deadline)) {
        (void)kin__spin_aside(is_free, a->lock);
    }
    for (;;) {
        uint32_t seen = atomic_load(&a->lock->word);
        if (seen & FREED) {
            return fail_freed();
        }
        if (seen == 0) {
            if (take(a, seen)) {
                return keep(a, 0);
            }
            continue;
        }
        if (!kin__alive(HOLDER(seen))) {
            if (take(a, seen)) {
                return keep(a, KIN_OWNER_DIED);
            }
            continue;
        }
        int rv = sleep_on(a, seen);
        if (rv < 0) {
            return rv;
        }
    }
}

int kin_lock_acquire(kin_lock *lock, double timeout)
{
    int rv = kin__block_check(lock, KIN__LOCK, "kin_lock_acquire: the lock");
    kin__id self = rv < 0 ? KIN__NOBODY : kin__self();
    if (self == KIN__NOBODY) {
        return rv < 0 ? rv : kin__failure();
    }
    uint32_t seen = 0;
    bool is_number = timeout == timeout;
    if (is_number && atomic_compare_exchange_strong(&lock->word, &seen, HELD_BY(self))) {
        return 0;
    }
    attempt a = {
        .lock = lock, .ref = kin__block_ref(lock), .mine = HELD_BY(self), .nap = FIRST_NAP
    };
    rv = kin__deadline(timeout, &a.deadline);
    return rv < 0 ? rv : acquire_slowly(&a);
}

/* ---- release -------------------------------------------------------------------------- */

int kin_lock_release(kin_lock *lock)
{
    int rv = kin__block_check(lock, KIN__LOCK, "kin_lock_release: the lock");
    if (rv < 0) {
        return rv;
    }
    uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
    do {
        if (seen & FREED) {
            return kin__fail(KIN_EFREED, "kin_lock_release: the lock was freed");
        }
        if (seen == 0) {
            return kin__fail(KIN_ESTATE, "kin_lock_release: nobody holds the lock");
        }
        KIN__STEP("lock.held");
    } while (!atomic_compare_exchange_weak(&lock->word, &seen, 0));
    KIN__STEP("lock.released");
    if (seen & SLEEPERS) {
        kin__os_wake(&lock->word, 1);
    }
    return 0;
}

bool kin_lock_locked(const kin_lock *lock)
{
    if (kin__block_check(lock, KIN__LOCK, "kin_lock_locked: the lock") < 0) {
        return false;
    }
    uint32_t seen = atomic_load(&lock->word);
    return !(seen & FREED) && seen != 0 && kin__alive(HOLDER(seen));
}
