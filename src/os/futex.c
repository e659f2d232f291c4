/* futex.c - sleeping on a word in shared memory, and waking who sleeps there.
 *
 * The futexes are shared ones (no FUTEX_PRIVATE_FLAG): the word lies in memory of several
 * processes, and the kernel finds it by its page in the file. */
#include "interrupt.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(_Atomic uint32_t) == 4, "a futex word is four bytes");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "words in shared memory must be lock-free");

int kin__os_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return 0; /* woken for no reason, as the kernel may */
    }
    int rv = -EAGAIN;
    while (rv == -EAGAIN || rv == -EINTR) {
        if (atomic_load(word) != expected) {
            return -EAGAIN;
        }
        if (kin__os_interrupted()) {
            return -EINTR;
        }
        rv = kin__os_sleep_on(word, expected, deadline);
    }
    return rv;
}

int kin__os_wake(_Atomic uint32_t *word, int n)
{
    long rv = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
    return rv < 0 ? -errno : (int)rv;
}

/* The second word that FUTEX_WAKE_OP changes is the first one again. Its sleepers are all awake by
 * the time the kernel looks at the second number, so what that says is of no matter. */
int kin__os_change_and_wake(_Atomic uint32_t *word, enum kin__change change, int n)
{
    long rv = -1;
    if (!KIN__FAULT(KIN__FAULT_CALL)) {
        int op = change == KIN__ADD ? FUTEX_OP(FUTEX_OP_ADD, n, FUTEX_OP_CMP_EQ, 0)
                                    : FUTEX_OP(FUTEX_OP_SET, n, FUTEX_OP_CMP_EQ, 0);
        rv = syscall(SYS_futex, word, FUTEX_WAKE_OP, INT_MAX, (void *)INT_MAX, word, op);
    }
    if (rv >= 0) {
        return (int)rv;
    }
    if (change == KIN__ADD) { /* emulators do not know it; there a SIGKILL can split the two */
        atomic_fetch_add(word, (uint32_t)n);
    } else {
        atomic_store(word, (uint32_t)n);
    }
    return kin__os_wake(word, INT_MAX);
}

/* The second number must count for nothing here, so it is for a word that was 1: none of these. */
int kin__os_clear_and_wake(_Atomic uint32_t *word, int n)
{
    int op = FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 1);
    long rv = KIN__FAULT(KIN__FAULT_CALL)
                  ? -1
                  : syscall(SYS_futex, word, FUTEX_WAKE_OP, n, NULL, word, op);
    if (rv >= 0) {
        return (int)rv;
    }
    atomic_store(word, 0);
    return kin__os_wake(word, n);
}

int kin__os_add_and_wake(_Atomic uint32_t *word)
{
    return kin__os_change_and_wake(word, KIN__ADD, 1);
}
