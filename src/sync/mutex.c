/* mutex.c - the word of a lock, which does not die with its holder.
 *
 * Idea. One word says who holds the lock (of a kin_rlock also which thread of that process), and
 * whether somebody sleeps for it.
 *
 *      63 .. 32   31      30..29  28       27 ............ 1  0
 *     +--------+-------+--------+--------+------------------+----------+
 *     | thread | freed |   0    | hungry | holder's kin__id | sleepers |   0: nobody holds it
 *     +--------+-------+--------+--------+------------------+----------+
 *
 * Rules.
 *   R1  The lock is taken by one CAS: from free, or from the name of a dead process, to one's own.
 *   R2  Who is about to sleep sets the bit first, and sleeps on the lower half with the bit. Who
 *       takes the lock after a sleep, or gives up, leaves the bit set, since others may sleep
 *       still.
 *   R3  Who releases with the bit set wakes one. That one may lose the lock to somebody faster;
 *       then he sleeps again. (Handing it over instead would cost a wake-up at each change.)
 *   R4  Sleep is a nap; after it one asks whether the holder lives.
 *   R5  The freed bit stays until a new lock is made there. Since that may be before a sleeper has
 *       looked, who took the lock after a sleep looks whether it is still the one he came for.
 *   R6  Who has waited for HUNGER sets the hungry bit, and wakes with all others at the next
 *       release, which leaves the bit: from a word that is free but for it only the hungry take it.
 *       It is a plea and no claim, so nobody has to know who pleads: who finds it so for a whole
 *       nap, or has no time to sleep, takes it all the same.
 *
 * Measured on two cores shared with others (waits for a core are in it), the longest wait in some
 * seconds, without R6 and with it. Two processes that hold it 10 to 50 us and take it again at
 * once: median of ten runs 78 and 24 ms, the worst 304 and 53. Eight that hold it 30 to 300 us:
 * median of four 158 and 104 ms. Held for some ns, ten and thirty to sixty ms either way, which
 * is the scheduler's slices. The turns that they got through: about 1.8 times as many at 10 us, no
 * clear difference at others.
 *
 * Death. Killed while holding it: R1 and R4 give it to the next, with KIN_OWNER_DIED. Killed
 * between the release and the wake: the sleepers' naps end, and they find it free. Killed after the
 * wake, before he took it: the same; if he was hungry, the next one takes it a nap later. Killed in
 * kin_lock_free: the word is marked and nobody hangs; the block stays until somebody frees it
 * again.
 *
 * Not here. Who may take it, who may release it, how often (lock.c, rlock.c); how to spin (gate.c).
 */
#include "room.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define SLEEPERS KIN__MUTEX_SLEEPERS
#define HUNGRY KIN__MUTEX_HUNGRY
#define FREED (UINT64_C(1) << 31)
#define FIRST_NAP 1000000 /* ns */
#define HUNGER 10000000   /* ns */

/* The half that the kernel looks at. */
static _Atomic uint32_t *lower_half(kin__mutex *mutex)
{
    _Atomic uint32_t *halves = (_Atomic uint32_t *)(void *)&mutex->word;
    return halves + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static bool is_unheld(uint64_t word)
{
    return kin__mutex_holder(word) == KIN__NOBODY && !(word & FREED);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

void kin__mutex_begin(kin__mutex *mutex, kin__type type)
{
    atomic_store(&mutex->word, 0);
    KIN__STEP("lock.new");
    kin__head_begin(mutex, type);
}

bool kin__mutex_end(kin__mutex *mutex, kin__type type, bool block, const char *what)
{
    if (!kin__head_may_end(mutex, type, block, what)) {
        return false;
    }
    uint64_t seen = atomic_exchange(&mutex->word, FREED);
    KIN__STEP("lock.marked");
    if (seen & SLEEPERS) {
        kin__os_wake(lower_half(mutex), INT_MAX);
    }
    KIN__STEP("lock.ended");
    return kin__head_end(mutex, type, block, what);
}

/* ---- waiting -------------------------------------------------------------------------- */

typedef struct attempt {
    kin__mutex *mutex;
    kin__type type;
    uint32_t serial; /* which lock we came for: R5 */
    uint64_t mine;
    int64_t deadline;
    int64_t nap; /* grows: most of those who die in a fight over a lock do so soon */
    int64_t hungry_at;
    bool noted, slept, hungry;
    const char *what;
} attempt;

bool kin__mutex_is_free(void *mutex)
{
    return atomic_load_explicit(&((kin__mutex *)mutex)->word, memory_order_relaxed) == 0;
}

static int fail_freed(const attempt *a)
{
    return kin__fail(KIN_ECLOSED, "%s was freed meanwhile", a->what);
}

static bool is_still(const attempt *a)
{
    return kin__head_is_still(a->mutex, a->type, a->serial);
}

/* Whether we may take what we have seen; *ret_code is what it means then. */
static bool may_take(const attempt *a, uint64_t seen, int *ret_code)
{
    *ret_code = 0;
    if (is_unheld(seen)) {
        return !(seen & HUNGRY) || a->hungry || !kin__may_wait(a->deadline); /* R6 */
    }
    *ret_code = KIN_OWNER_DIED;
    return !kin__alive(kin__mutex_holder(seen));
}

/* Changes the word from what was seen to ours; that somebody sleeps stays there. */
static bool take(attempt *a, uint64_t seen)
{
    uint64_t ours = a->mine | (seen & SLEEPERS) | (a->slept ? SLEEPERS : 0);
    return atomic_compare_exchange_strong(&a->mutex->word, &seen, ours);
}

/* It is ours, but is it the lock that we came for? */
static int keep(attempt *a, int code)
{
    if (is_still(a)) {
        return code;
    }
    uint64_t seen = atomic_load(&a->mutex->word);
    while (kin__mutex_is_held_by(seen, a->mine) && !kin__mutex_release(a->mutex, &seen)) {
    }
    return fail_freed(a);
}

static int fail_held(const attempt *a, uint64_t seen)
{
    return kin__fail(KIN_ETIMEDOUT, "%s is still held by process %d", a->what,
                     (int)kin__pid_of(kin__mutex_holder(seen)));
}

/* Who was woken, and gives up, says again that others may sleep: the one who has the lock now did
 * not find that said. */
static int give_up(const attempt *a, uint64_t seen)
{
    if (a->slept && !(seen & SLEEPERS) &&
        !atomic_compare_exchange_strong(&a->mutex->word, &seen, seen | SLEEPERS)) {
        return 0; /* look again */
    }
    return fail_held(a, seen);
}

/* Says that we sleep, and sleeps until `until`: 0, or KIN_EINTR. */
static int sleep_until(attempt *a, uint64_t seen, int64_t until)
{
    uint64_t asleep = seen | SLEEPERS | (a->hungry ? HUNGRY : 0);
    if (asleep != seen && !atomic_compare_exchange_strong(&a->mutex->word, &seen, asleep)) {
        return 0;
    }
    KIN__STEP("lock.waiting");
    if (!a->noted) {
        kin__note_wait(a->mutex);
        a->noted = true;
    }
    int rv = kin__os_wait(lower_half(a->mutex), (uint32_t)asleep, until);
    a->slept = true;
    a->hungry = a->hungry || (rv == -ETIMEDOUT && is_unheld(asleep));
    return rv == -EINTR ? kin__fail(KIN_EINTR, "%s: interrupted while waiting", a->what) : 0;
}

static int nap(attempt *a, uint64_t seen)
{
    int64_t now = kin__may_wait(a->deadline) ? kin__os_now() : 0;
    if (now >= a->deadline) {
        a->hungry = is_unheld(seen);
        return a->hungry ? 0 : give_up(a, seen);
    }
    a->hungry_at = a->hungry_at != 0 ? a->hungry_at : now + HUNGER;
    a->hungry = a->hungry || now >= a->hungry_at;
    int64_t longest = a->hungry || a->hungry_at - now > a->nap ? a->nap : a->hungry_at - now;
    a->nap = a->nap * 2 < KIN__NAP ? a->nap * 2 : KIN__NAP;
    return sleep_until(a, seen, a->deadline - now < longest ? a->deadline : now + longest);
}

static int wait_for(attempt *a)
{
    for (;;) {
        uint64_t seen = atomic_load(&a->mutex->word);
        int code;
        if (seen & FREED || !is_still(a)) {
            return fail_freed(a);
        }
        if (!may_take(a, seen, &code)) {
            int rv = nap(a, seen);
            if (rv < 0) {
                return rv;
            }
            continue;
        }
        KIN__STEP("lock.taking");
        if (take(a, seen)) {
            return keep(a, code);
        }
    }
}

int kin__mutex_wait(kin__mutex *mutex, kin__type type, uint64_t mine, int64_t deadline,
                    const char *what)
{
    attempt a = { .mutex = mutex,
                  .type = type,
                  .serial = kin__head_serial(mutex),
                  .mine = mine,
                  .deadline = deadline,
                  .nap = FIRST_NAP,
                  .what = what };
    if (kin__may_wait(deadline)) {
        (void)kin__spin_aside(kin__mutex_is_free, mutex);
    }
    int rv = wait_for(&a);
    if (a.noted) {
        kin__note_woken(mutex);
    }
    return rv;
}

/* ---- release ------------------------------------------------------------------------------ */

void kin__mutex_wake(kin__mutex *mutex, uint64_t left)
{
    kin__os_wake(lower_half(mutex), left & HUNGRY ? INT_MAX : 1);
}

int kin__mutex_fail_unheld(uint64_t seen, const char *what)
{
    return seen & FREED ? kin__fail(KIN_EFREED, "%s was freed", what)
                        : kin__fail(KIN_ESTATE, "%s is held by nobody", what);
}

static int check_held(uint64_t seen, uint64_t mine, const char *what)
{
    if (kin__mutex_holder(seen) == KIN__NOBODY) {
        return kin__mutex_fail_unheld(seen, what);
    }
    if (!kin__mutex_is_held_by(seen, mine)) {
        return kin__fail(KIN_ESTATE, "%s is held by %s of process %d", what,
                         kin__mutex_thread(mine) != 0 ? "another thread" : "a thread",
                         (int)kin__pid_of(kin__mutex_holder(seen)));
    }
    return 0;
}

int kin__mutex_drop(kin__mutex *mutex, uint64_t mine, const char *what)
{
    int rv;
    uint64_t seen = atomic_load(&mutex->word);
    do {
        rv = check_held(seen, mine, what);
    } while (rv == 0 && !kin__mutex_release(mutex, &seen));
    return rv;
}

int kin__mutex_hand_over(kin__mutex *mutex, uint64_t mine, uint64_t theirs, const char *what)
{
    uint64_t seen = atomic_load(&mutex->word);
    int rv;
    do {
        rv = check_held(seen, mine, what);
        KIN__STEP("lock.handing");
    } while (rv == 0 && !atomic_compare_exchange_weak(&mutex->word, &seen,
                                                      theirs | (seen & (SLEEPERS | HUNGRY))));
    KIN__STEP("lock.handed");
    return rv;
}

/* ---- who has it --------------------------------------------------------------------------- */

bool kin__mutex_is_locked(kin__mutex *mutex)
{
    kin__id holder = kin__mutex_holder(atomic_load(&mutex->word));
    return holder != KIN__NOBODY && kin__alive(holder);
}

int kin__mutex_owner(kin__mutex *mutex, const char *what, kin__who *ret)
{
    uint64_t seen = atomic_load(&mutex->word);
    kin__id holder = kin__mutex_holder(seen);
    if (seen & FREED) {
        return kin__mutex_fail_unheld(seen, what);
    }
    if (holder == KIN__NOBODY) {
        return kin__fail(KIN_ENOTFOUND, "%s is held by nobody", what);
    }
    if (!kin__who_is(holder, ret)) {
        return kin__fail(KIN_ENOTFOUND, "%s was held by a process that died, and is forgotten",
                         what);
    }
    return 0;
}

int kin__mutex_tell_owner(kin__mutex *mutex, const char *what, int *ret_pid, char *name,
                          size_t room)
{
    kin__who who;
    int rv = ret_pid == NULL ? kin__fail(KIN_EINVAL, "%s: nowhere to put the pid (NULL)", what)
                             : kin__mutex_owner(mutex, what, &who);
    if (rv < 0) {
        return rv;
    }
    *ret_pid = (int)who.pid;
    if (name != NULL && room > 0) {
        size_t length = strnlen(who.name, room);
        memcpy(name, who.name, length < room ? length : room - 1);
        name[length < room ? length : kin__cut(name, room - 1)] = '\0';
    }
    return 0;
}
