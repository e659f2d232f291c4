/* lock.c - a lock that belongs to a process, whose threads exclude each other all the same.
 *
 * All about the word is in mutex.c. Here is who may do what with it: anybody may release it, so no
 * thread is written there; to hand it over, or to let go of it for a condition, one's process must
 * have it.
 */
#include "room.h"

_Static_assert(sizeof(kin__mutex) <= sizeof(kin_lock), "sync.h has room for it");
_Static_assert(kin_lock_KIND == KIN__LOCK, "sync.h says what the domain says");

static kin__mutex *mutex_of(const kin_lock *lock)
{
    return (kin__mutex *)(void *)lock;
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(const kin_lock_options *options, const char *verb)
{
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: the lock's reserved options must be zero", verb);
    }
    return 0;
}

int kin_lock_new(kin_lock **ret_lock, const kin_lock_options *options)
{
    if (ret_lock == NULL) {
        return kin__fail(KIN_EINVAL, "kin_lock_new: nowhere to put the lock (NULL)");
    }
    int rv = check_options(options, "kin_lock_new");
    kin_lock *made = rv < 0 ? NULL : kin__head_new(sizeof *made, KIN__LOCK);
    if (made == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    kin__mutex_begin(mutex_of(made), KIN__LOCK);
    kin__block_give(made);
    *ret_lock = made;
    return 0;
}

int kin_lock_init(kin_lock *lock, const kin_lock_options *options)
{
    int rv = check_options(options, "kin_lock_init");
    rv = rv < 0 ? rv : kin__head_place(lock, sizeof *lock, "kin_lock_init");
    if (rv == 0) {
        kin__mutex_begin(mutex_of(lock), KIN__LOCK);
    }
    return rv;
}

void kin_lock_free(kin_lock *lock)
{
    if (lock != NULL && !kin__remote_free(lock, KIN__LOCK) &&
        kin__mutex_end(mutex_of(lock), KIN__LOCK, true, "kin_lock_free: the lock")) {
        kin__head_discard(lock);
    }
}

void kin_lock_done(kin_lock *lock)
{
    if (lock != NULL) {
        (void)kin__mutex_end(mutex_of(lock), KIN__LOCK, false, "kin_lock_done: the lock");
    }
}

/* ---- acquire and release ---------------------------------------------------------------- */

static int check(const kin_lock *lock, const char *what, kin__id *ret_self)
{
    int rv = kin__head_check(lock, KIN__LOCK, what);
    if (rv == 0) {
        *ret_self = kin__actor();
        rv = *ret_self == KIN__NOBODY ? kin__failure() : 0;
    }
    return rv;
}

static int wait_until(kin_lock *lock, kin__id self, int64_t deadline, const char *what)
{
    return kin__mutex_wait(mutex_of(lock), KIN__LOCK, kin__mutex_word(self, 0), deadline, what);
}

int kin_lock_acquire(kin_lock *lock, double timeout)
{
    kin__id self;
    int64_t deadline;
    int rv = check(lock, "kin_lock_acquire: the lock", &self);
    bool is_number = timeout == timeout;
    if (rv < 0) {
        return kin__remote_acquire(lock, KIN__LOCK, timeout, rv);
    }
    if (is_number && kin__mutex_take_free(mutex_of(lock), kin__mutex_word(self, 0))) {
        return rv;
    }
    rv = kin__deadline(timeout, &deadline);
    return rv < 0 ? rv : wait_until(lock, self, deadline, "kin_lock_acquire: the lock");
}

int kin_lock_release(kin_lock *lock)
{
    int rv = kin__head_check(lock, KIN__LOCK, "kin_lock_release: the lock");
    if (rv < 0) {
        return kin__remote_release(lock, KIN__LOCK, rv);
    }
    uint64_t seen = atomic_load_explicit(&mutex_of(lock)->word, memory_order_relaxed);
    do {
        if (kin__mutex_holder(seen) == KIN__NOBODY) {
            return kin__mutex_fail_unheld(seen, "kin_lock_release: the lock");
        }
    } while (!kin__mutex_release(mutex_of(lock), &seen));
    return 0;
}

/* ---- for conditions --------------------------------------------------------------------- */

int kin__lock_drop(kin_lock *lock)
{
    kin__id self;
    int rv = check(lock, "the lock", &self);
    return rv < 0 ? rv : kin__mutex_drop(mutex_of(lock), kin__mutex_word(self, 0), "the lock");
}

int kin__lock_retake(kin_lock *lock, int64_t deadline)
{
    kin__id self;
    int rv = check(lock, "the lock", &self);
    return rv < 0 || kin__mutex_take_free(mutex_of(lock), kin__mutex_word(self, 0))
               ? rv
               : wait_until(lock, self, deadline, "the lock");
}

/* ---- who has it --------------------------------------------------------------------------- */

int kin_lock_hand_over(kin_lock *lock, int pid)
{
    static const char what[] = "kin_lock_hand_over: the lock";
    kin__id self;
    int rv = check(lock, what, &self);
    if (rv < 0) {
        return rv;
    }
    kin__id heir = pid > 0 ? kin__id_of(pid) : KIN__NOBODY;
    if (heir == KIN__NOBODY) {
        return kin__fail(KIN_ENOTFOUND, "%s: process %d is no living one of the family", what, pid);
    }
    return kin__mutex_hand_over(mutex_of(lock), kin__mutex_word(self, 0), kin__mutex_word(heir, 0),
                                what);
}

bool kin_lock_locked(const kin_lock *lock)
{
    int rv = kin__head_check(lock, KIN__LOCK, "kin_lock_locked: the lock");
    return rv < 0 ? kin__remote_ask(lock, KIN__LOCK, "locked", 0) > 0
                  : kin__mutex_is_locked(mutex_of(lock));
}

int kin_lock_owner(const kin_lock *lock, int *ret_pid, char *name, size_t room)
{
    static const char what[] = "kin_lock_owner: the lock";
    int rv = kin__head_check(lock, KIN__LOCK, what);
    return rv < 0 ? rv : kin__mutex_tell_owner(mutex_of(lock), what, ret_pid, name, room);
}
