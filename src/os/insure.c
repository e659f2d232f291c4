/* insure.c - a thread whose death changes a word, and wakes one who sleeps there.
 *
 * Idea. When a thread ends, however it does, the kernel goes through the robust futexes that it
 * holds: libc keeps a list of them for it. Beside that list stands what the thread is just about to
 * take or to let go. Libc uses that place only within its operations on robust mutexes; between
 * these it is free, and a word of ours may stand there. What becomes of the word then is up to it:
 *
 *     its thread bits say     the kernel
 *     ------------------      ------------------------------------------------------------------
 *     who has died            clears them, sets FUTEX_OWNER_DIED, and wakes one if FUTEX_WAITERS
 *     nobody                  changes nothing, and wakes one (since Linux 5.5)
 *     somebody else           does nothing
 *
 * Rules.
 *   R1  A thread is insured at one word at a time; it gives that up before it may become other
 *       memory, or does not care for a wake-up there.
 *   R2  An operation on a robust mutex would take the insurance away silently. So whoever is about
 *       to do one cashes in first: somebody else is woken, to answer for what this thread did.
 *
 * Death. The place is set before the word may name us, and cleared after it does not any more.
 *
 * Not here. What the word is good for (sync/turnstile.c). Where libc has no list (musl, before the
 * thread's first robust mutex; some emulators), or the kernel is older, nobody is insured. */
#include "room.h"

#include <linux/futex.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

_Static_assert(KIN__SLEEPERS == FUTEX_WAITERS && KIN__THREAD == FUTEX_TID_MASK, "as the kernel's");

_Thread_local _Atomic uint32_t *kin__os_insured;
_Atomic int kin__os_insured_threads;

static _Thread_local struct robust_list_head *head;
static _Thread_local uint32_t number;

/* Before that, who was woken and died before he wrote his number woke nobody. */
static bool kernel_is_new_enough(void)
{
    static _Atomic int known; /* 1 yes, -1 no */
    if (atomic_load_explicit(&known, memory_order_relaxed) == 0) {
        struct utsname name;
        char *rest = NULL;
        bool told = uname(&name) == 0;
        long major = told ? strtol(name.release, &rest, 10) : 0;
        long minor = told && *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
        bool yes = major > 5 || (major == 5 && minor >= 5);
        atomic_store_explicit(&known, yes ? 1 : -1, memory_order_relaxed);
    }
    return atomic_load_explicit(&known, memory_order_relaxed) > 0;
}

/* Only this thread's end reads it, so the compiler is all that could be in the way. */
static void set_pending(void *entry)
{
    atomic_signal_fence(memory_order_seq_cst);
    *(struct robust_list *volatile *)&head->list_op_pending = entry;
    atomic_signal_fence(memory_order_seq_cst);
}

/* A thread's list stays where it is; a forked child has another number, and may have no list. */
static bool find_list(uint32_t self)
{
    size_t size;
    if (number == self) {
        return true;
    }
    number = 0;
    head = NULL;
    if (!kernel_is_new_enough() || syscall(SYS_get_robust_list, 0, &head, &size) < 0 ||
        head == NULL || size != sizeof *head) {
        return false;
    }
    number = self;
    return true;
}

uint32_t kin__os_insure(_Atomic uint32_t *word)
{
    uint32_t self = (uint32_t)gettid();
    if (kin__os_insured == word && number == self) { /* or it is what we were forked from */
        return self;
    }
    if (KIN__FAULT(KIN__FAULT_CALL) || !find_list(self)) {
        return 0;
    }
    set_pending((char *)word - head->futex_offset);
    atomic_fetch_add_explicit(&kin__os_insured_threads, kin__os_insured == NULL,
                              memory_order_relaxed); /* read by this very thread */
    kin__os_insured = word;
    return self;
}

void kin__os_uninsure(void)
{
    if (kin__os_insured != NULL) {
        set_pending(NULL);
        kin__os_insured = NULL;
        atomic_fetch_sub_explicit(&kin__os_insured_threads, 1, memory_order_relaxed);
    }
}

/* Killed between the two: no thread stands there, and the kernel wakes one. */
void kin__os_cash_in(void)
{
    uint32_t ours = KIN__SLEEPERS | number;
    if (kin__os_insured != NULL && atomic_compare_exchange_strong(kin__os_insured, &ours, 0)) {
        KIN__STEP("insure.cashing");
        (void)kin__os_wake(kin__os_insured, 1);
    }
    kin__os_uninsure();
}
