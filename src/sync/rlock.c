/* rlock.c - a lock that its thread may take again.
 *
 * Idea. The word of a kin_lock, with the thread in its upper half; so one CAS says which thread of
 * which process has it. How often, only that thread counts, and writes.
 *
 * Rules.
 *   R1  Whether it is ours is asked of the word alone: nobody else writes what makes that true or
 *       untrue.
 *   R2  The depth is written after the lock was taken, also the first 1: whatever a dead process
 *       has left there is of no matter.
 *   R3  A thread is known by a number that its process gave it, never twice: a thread that comes
 *       after one that ended with the lock does not have it. The kernel's number of it may come
 *       again, and would have to be asked for anew after a fork; ours may stay, for the process is
 *       another.
 *
 * Death. As in mutex.c. The thread of a live process that ended keeps the lock: nobody can know
 * whether what it guards is whole, and no other thread may say so.
 *
 * Not here. How to wait, and all about the word (mutex.c).
 */
#include "room.h"

/* What lies behind a kin_rlock. */
typedef struct rlock {
    kin__mutex mutex;
    _Atomic uint32_t depth;
} rlock;

_Static_assert(sizeof(rlock) <= sizeof(kin_rlock), "sync.h has room for it");
_Static_assert(kin_rlock_KIND == KIN__RLOCK, "sync.h says what the domain says");

static rlock *at(const kin_rlock *lock)
{
    return (rlock *)(void *)lock;
}

uint32_t kin__this_thread(void)
{
    static _Atomic uint32_t last;
    static _Thread_local uint32_t number;
    if (number == 0) {
        number = atomic_fetch_add(&last, 1) + 1;
    }
    return number;
}

/* What the word is when this thread has it. */
static int check(const kin_rlock *lock, const char *what, uint64_t *ret_mine)
{
    int rv = kin__head_check(lock, KIN__RLOCK, what);
    if (rv < 0) {
        return rv;
    }
    kin__id self = kin__actor();
    bool as_guest = self != kin__self(); /* whose calls come one after the other, in any thread */
    *ret_mine = kin__mutex_word(self, as_guest ? 1 : kin__this_thread());
    return self == KIN__NOBODY ? kin__failure() : 0;
}

static bool is_ours(const rlock *l, uint64_t mine)
{
    return kin__mutex_is_held_by(atomic_load_explicit(&l->mutex.word, memory_order_relaxed), mine);
}

static unsigned get_depth(const rlock *l)
{
    return atomic_load_explicit(&l->depth, memory_order_relaxed); /* R2: of this very thread */
}

static void set_depth(rlock *l, unsigned depth)
{
    atomic_store_explicit(&l->depth, depth, memory_order_relaxed);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(const kin_rlock_options *options, const char *verb)
{
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: the lock's reserved options must be zero", verb);
    }
    return 0;
}

int kin_rlock_new(kin_rlock **ret_lock, const kin_rlock_options *options)
{
    if (ret_lock == NULL) {
        return kin__fail(KIN_EINVAL, "kin_rlock_new: nowhere to put the lock (NULL)");
    }
    int rv = check_options(options, "kin_rlock_new");
    kin_rlock *made = rv < 0 ? NULL : kin__head_new(sizeof *made, KIN__RLOCK);
    if (made == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    kin__mutex_begin(&at(made)->mutex, KIN__RLOCK);
    kin__block_give(made);
    *ret_lock = made;
    return 0;
}

int kin_rlock_init(kin_rlock *lock, const kin_rlock_options *options)
{
    int rv = check_options(options, "kin_rlock_init");
    rv = rv < 0 ? rv : kin__head_place(lock, sizeof *lock, "kin_rlock_init");
    if (rv == 0) {
        kin__mutex_begin(&at(lock)->mutex, KIN__RLOCK);
    }
    return rv;
}

void kin_rlock_free(kin_rlock *lock)
{
    if (lock != NULL && !kin__remote_free(lock, KIN__RLOCK) &&
        kin__mutex_end(&at(lock)->mutex, KIN__RLOCK, true, "kin_rlock_free: the lock")) {
        kin__head_discard(lock);
    }
}

void kin_rlock_done(kin_rlock *lock)
{
    if (lock != NULL) {
        (void)kin__mutex_end(&at(lock)->mutex, KIN__RLOCK, false, "kin_rlock_done: the lock");
    }
}

/* ---- acquire and release ---------------------------------------------------------------- */

/* It is ours once more. */
static int deepen(rlock *l)
{
    unsigned depth = get_depth(l);
    if (depth == UINT32_MAX) {
        return kin__fail(KIN_ERANGE, "kin_rlock_acquire: this thread has the lock too often");
    }
    set_depth(l, depth + 1);
    return 0;
}

/* Takes what is not ours. */
static int take(rlock *l, uint64_t mine, int64_t deadline, unsigned depth)
{
    int rv =
        kin__mutex_take_free(&l->mutex, mine)
            ? 0
            : kin__mutex_wait(&l->mutex, KIN__RLOCK, mine, deadline, "kin_rlock_acquire: the lock");
    if (rv >= 0) {
        KIN__STEP("rlock.taken");
        set_depth(l, depth);
    }
    return rv;
}

int kin_rlock_acquire(kin_rlock *lock, double timeout)
{
    uint64_t mine;
    int64_t deadline = 0;
    int rv = check(lock, "kin_rlock_acquire: the lock", &mine);
    if (rv < 0) {
        return kin__remote_acquire(lock, KIN__RLOCK, timeout, rv);
    }
    bool is_number = timeout == timeout;
    if (is_number && is_ours(at(lock), mine)) {
        return deepen(at(lock));
    }
    if (is_number && kin__mutex_take_free(&at(lock)->mutex, mine)) {
        KIN__STEP("rlock.taken");
        set_depth(at(lock), 1);
        return 0;
    }
    rv = kin__deadline(timeout, &deadline);
    return rv < 0 ? rv : take(at(lock), mine, deadline, 1);
}

int kin_rlock_release(kin_rlock *lock)
{
    static const char what[] = "kin_rlock_release: the lock";
    uint64_t mine;
    int rv = check(lock, what, &mine);
    if (rv < 0) {
        return kin__remote_release(lock, KIN__RLOCK, rv);
    }
    if (is_ours(at(lock), mine) && get_depth(at(lock)) > 1) {
        set_depth(at(lock), get_depth(at(lock)) - 1);
        return 0;
    }
    return kin__mutex_drop(&at(lock)->mutex, mine, what);
}

int kin__rlock_drop(kin_rlock *lock, unsigned *ret_depth)
{
    uint64_t mine;
    int rv = check(lock, "the lock", &mine);
    if (rv < 0) {
        return rv;
    }
    unsigned depth = get_depth(at(lock));
    rv = kin__mutex_drop(&at(lock)->mutex, mine, "the lock");
    *ret_depth = rv < 0 ? *ret_depth : depth;
    return rv;
}

int kin__rlock_retake(kin_rlock *lock, unsigned depth, int64_t deadline)
{
    uint64_t mine;
    int rv = check(lock, "the lock", &mine);
    return rv < 0 ? rv : take(at(lock), mine, deadline, depth);
}

/* ---- questions ---------------------------------------------------------------------------- */

bool kin_rlock_locked(const kin_rlock *lock)
{
    int rv = kin__head_check(lock, KIN__RLOCK, "kin_rlock_locked: the lock");
    return rv < 0 ? kin__remote_ask(lock, KIN__RLOCK, "locked", 0) > 0
                  : kin__mutex_is_locked(&at(lock)->mutex);
}

unsigned kin_rlock_depth(const kin_rlock *lock)
{
    uint64_t mine;
    bool ours = check(lock, "kin_rlock_depth: the lock", &mine) == 0 && is_ours(at(lock), mine);
    return ours ? get_depth(at(lock)) : 0;
}

unsigned kin__rlock_depth_of(const kin_rlock *lock)
{
    return get_depth(at(lock));
}

int kin_rlock_owner(const kin_rlock *lock, int *ret_pid, char *name, size_t room)
{
    static const char what[] = "kin_rlock_owner: the lock";
    int rv = kin__head_check(lock, KIN__RLOCK, what);
    return rv < 0 ? rv : kin__mutex_tell_owner(&at(lock)->mutex, what, ret_pid, name, room);
}
