/* turnstile.c - sleeping where one is woken for each thing that comes, though he may die of it.
 *
 * Idea. Who opens a gate wakes all, since a single woken sleeper might be killed before he acts. At
 * a turnstile one is woken, and the kernel wakes the next when he dies. For that somebody has to
 * answer for what is there: his thread's number stands in the word, and the thread is insured
 * (os/insure.c), so that its death changes the word and wakes one.
 *
 *     SLEEPERS   number
 *        0         0      nobody sleeps; or somebody was woken, and has not come to look yet
 *        1         0      somebody may sleep, beside nothing (or: whoever answered has died)
 *        1         n      thread n answers for all that is there
 *
 *     who waits:  word = (1, me), unless it is (1, 0) or another's --> look
 *                   nothing there              word = (1, 0), if it is still (1, me); sleep
 *                   held by who may die        nap on (1, me)
 *                   it was not (1, me)         sleep on what it was
 *                   something, and it is done  word = (1, 0) if there is no more; else wake one
 *     who gives:  claim; if the word is not 0: word = (1, me); publish; word = 0 and wake one
 *
 * Rules.
 *   R1  Who answers has looked after he wrote his number, or is about to. He takes it out only when
 *       he has seen that nothing is there, not even held by others; or when he wakes one instead.
 *   R2  Nobody sleeps but on what he saw in the word before he looked, or on (1, 0) that he wrote.
 *       So to fall asleep late is safe: (1, 0) says that there was nothing when it was written, and
 *       (1, n) that n answers. A bit alone would not do: it is the same before and after.
 *   R3  Who gives takes over from whoever answers: who looked before him cannot settle on nothing.
 *   R4  To wake is one system call that clears the word: who is woken looks after that; who was
 *       about to sleep does not.
 *
 * Death. Who answers: the word is (1, died), so who was about to sleep does not, and one is woken.
 * Who was woken, before he wrote his number: nobody's stands there, so the next one is woken. Who
 * does not answer: nothing is lost. Who gives, between claim and publish, where the word was 0:
 * whoever looks later sees that it is held. But who was woken and is stopped (SIGSTOP, a debugger)
 * before he leaves is alive: what came lies there until he goes on, or somebody gives again.
 *
 * Not here. Looking (queue/wait.c); proved in tests/model/turnstile.pml. */
#include "room.h"

#include <limits.h>

static uint32_t holder(uint32_t word)
{
    return word & KIN__THREAD;
}

uint32_t kin__turnstile_watch(kin__turnstile *t)
{
    uint32_t self = kin__os_insure(&t->word);
    uint32_t seen = atomic_load(&t->word);
    if (self == 0) {
        return 0;
    }
    KIN__STEP("turnstile.insured");
    do {
        bool another = holder(seen) != 0 && holder(seen) != self;
        if (another || seen == KIN__SLEEPERS) { /* or nothing was there, until somebody writes */
            return seen;
        }
    } while (!atomic_compare_exchange_weak(&t->word, &seen, KIN__SLEEPERS | self));
    KIN__STEP("turnstile.watching");
    return KIN__SLEEPERS | self;
}

int kin__turnstile_sleep(kin__turnstile *t, uint32_t seen, int64_t deadline, bool held)
{
    bool ours = holder(seen) == kin__os_insure(&t->word);
    if (ours && !held) {
        if (!atomic_compare_exchange_strong(&t->word, &seen, KIN__SLEEPERS)) {
            return 0;
        }
        seen = KIN__SLEEPERS;
    }
    int rv = kin__sleep_on(&t->word, seen, deadline, ours && held);
    KIN__STEP("turnstile.woken");
    return rv;
}

void kin__turnstile_leave(kin__turnstile *t, bool nothing_left)
{
    uint32_t ours = KIN__SLEEPERS | kin__os_insure(&t->word);
    KIN__STEP("turnstile.leaving");
    if (nothing_left) {
        atomic_compare_exchange_strong(&t->word, &ours, KIN__SLEEPERS);
    }
    kin__os_cash_in(); /* if we still answer */
}

/* Who cannot be insured, or is insured elsewhere, wakes one now: who looks, and sees it held. */
void kin__turnstile_answer(kin__turnstile *t)
{
    uint32_t self = kin__os_insured == NULL ? kin__os_insure(&t->word) : 0;
    if (self == 0) {
        kin__turnstile_open(t, 1);
        return;
    }
    KIN__STEP("turnstile.insured");
    uint32_t seen = atomic_load(&t->word);
    while (seen != 0 && !atomic_compare_exchange_weak(&t->word, &seen, KIN__SLEEPERS | self)) {
    }
    KIN__STEP("turnstile.answering");
}

void kin__turnstile_open(kin__turnstile *t, int n)
{
    if (atomic_load(&t->word) != 0) {
        (void)kin__os_clear_and_wake(&t->word, n);
    }
}

void kin__turnstile_release(kin__turnstile *t)
{
    kin__turnstile_open(t, 1);
    KIN__STEP("turnstile.opened");
    if (kin__os_is_insured_at(&t->word)) {
        kin__os_uninsure();
    }
}
