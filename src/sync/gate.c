/* gate.c - sleeping at a gate, and looking busily for a moment before it.
 *
 * Idea of the spin. A partner who is awake on another core answers in a fraction of a microsecond,
 * while a sleep costs fifty: so we look for some ten microseconds first. But the partner may need
 * this very core; so we yield between looks, and he gets it at once. And the core may be wanted by
 * somebody who just computes; then a yield costs his whole slice, some milliseconds, where a sleep
 * would have cost five microseconds. A yield that took long tells us so, and makes us shy: for a
 * while we spin without yielding, and when that was in vain we do not spin at all the next times.
 *
 * Shyness is catching: who spins without yielding makes the others' yields long. So a yield is
 * long only when the others' spins do not explain it; the first one makes us shy for a moment only
 * (at its start every process meets one), and for longer where more than one in ninety is long. And
 * what we count against the spin is our own time, not what others did in our yields.
 *
 * Measured (microseconds a round trip of two events, both on one core / on two; of a condition,
 * both on one core; a round of a barrier of eight, on two cores):
 *     no spin 2.9 / 120, 16, 38    spin without yield 27 / 1.4, 53, 48    this one 3.1 / 2, 4, 8
 *     and the events with a busy loop on each core:
 *     no spin 6 / 101    spin without yield 32 / 9    yielding spin 2500 / 4500    this one 7 / 4
 * (medians on a machine with other work; that alone makes 2 of the 0.3 between two cores.)
 *
 * How many processors this process may use says nothing about where its partner is: two that are
 * pinned to a core each want the spin most of all. So the machine's count. A family that is
 * pinned to one core as a whole loses nothing by it, since a yield is cheaper than a sleep there,
 * too: 3.2 us for events (no spin 3.3), 3.5 for a condition (16), 18 for a barrier of eight (21).
 *
 * The sleep and its discipline are described in room.h. */
#include "room.h"

#include <errno.h>

#define SPIN 10000         /* ns of our own; what a yield takes is not ours */
#define SPIN_IN_ALL 100000 /* ns with the yields */
#define PAUSES 32          /* between two yields; some 0.4 us */
#define PAUSES_RARE 256    /* of who would rather find many things than one at once; 3 us */
#define LONG_YIELD 200000  /* ns: somebody who computes has used this core meanwhile */
#define SHY_LEAST 2000000  /* ns until we dare to yield again, when such yields are rare */
#define SHY_MOST 100000000 /* when they are the rule */
#define SHY_GROWTH 4       /* after each long yield */
#define FORGETTING 64      /* shorter by a 64th after each short one */
#define SHY_WAITS 16       /* that sleep at once after a spin in vain */

static _Thread_local struct {
    int64_t until;
    int64_t time; /* how long the next long yield makes us shy */
    unsigned waits_to_skip;
} shy = { .time = SHY_LEAST };

static bool has_partner_core(void)
{
    static _Atomic int cpus;
    int n = atomic_load_explicit(&cpus, memory_order_relaxed);
    if (n == 0) {
        n = kin__os_processors();
        atomic_store_explicit(&cpus, n, memory_order_relaxed);
    }
    return n > 1;
}

static void pause_for(int pauses)
{
    for (int i = 0; i < pauses; i++) {
        kin__os_pause();
    }
}

/* Looks, `pauses` apart and then rarer, until it is time to yield: each look takes the cache line
 * away from whoever is about to write it. */
static bool look(bool (*ready)(void *), void *ctx, int pauses)
{
    if (pauses > PAUSES) {
        pause_for(pauses);
        return ready(ctx);
    }
    for (int i = 0, next = 0; i < PAUSES; i++) {
        if (i >= next) {
            if (ready(ctx)) {
                return true;
            }
            next = i + (i > pauses ? i : pauses);
        }
        kin__os_pause();
    }
    return false;
}

/* Yields unless we are shy; the time after it. */
static int64_t give_way(int64_t now)
{
    if (now < shy.until) {
        return now;
    }
    kin__os_yield();
    int64_t after = kin__os_now();
    if (after - now <= LONG_YIELD) {
        shy.time -= (shy.time - SHY_LEAST) / FORGETTING;
        return after;
    }
    shy.until = after + shy.time;
    shy.time = shy.time < SHY_MOST / SHY_GROWTH ? shy.time * SHY_GROWTH : SHY_MOST;
    return after;
}

static bool spin(bool (*ready)(void *), void *ctx, int pauses)
{
    if (shy.waits_to_skip > 0 || !has_partner_core()) {
        shy.waits_to_skip -= shy.waits_to_skip > 0;
        return ready(ctx);
    }
    int64_t begin = kin__os_now();
    int64_t now = begin;
    for (int64_t spent = 0; spent < SPIN && now - begin < SPIN_IN_ALL;) {
        if (look(ready, ctx, pauses)) {
            return true;
        }
        int64_t looked = kin__os_now();
        spent += looked - now;
        now = give_way(looked);
    }
    shy.waits_to_skip = now < shy.until ? SHY_WAITS : 0;
    return ready(ctx);
}

bool kin__spin(bool (*ready)(void *), void *ctx)
{
    return spin(ready, ctx, 1);
}

bool kin__spin_near(bool (*ready)(void *), void *ctx)
{
    return spin(ready, ctx, PAUSES / 8);
}

bool kin__spin_aside(bool (*ready)(void *), void *ctx)
{
    return spin(ready, ctx, PAUSES);
}

_Thread_local const void *kin__taken_from;

bool kin__spin_to_take(const void *from, bool (*ready)(void *), void *ctx)
{
    return spin(ready, ctx, kin__taken_from == from ? PAUSES_RARE : 1);
}

/* In this order: who is killed in between leaves the bit, by which the next one rings again. And
 * once more: who hung his bell between the two, and found that another had taken what was there,
 * has lost his ticket by the second (bell.c, R3). */
void kin__gate_wake(kin__gate *gate)
{
    kin__bell_ring(gate);
    KIN__STEP("gate.rung");
    kin__os_add_and_wake(&gate->word);
    KIN__STEP("gate.opened");
    kin__bell_ring(gate);
}

/* Those who have a ticket and do not sleep yet look again. When nobody slept, the bit goes. */
void kin__gate_wake_one(kin__gate *gate)
{
    atomic_fetch_add(&gate->word, 2);
    if (kin__os_wake(&gate->word, 1) == 0) {
        kin__gate_wake(gate);
    }
}

int kin__sleep_on(_Atomic uint32_t *word, uint32_t seen, int64_t deadline, bool held)
{
    int64_t until = deadline;
    if (held) {
        int64_t nap_ends = kin__os_now() + KIN__NAP;
        until = nap_ends < deadline ? nap_ends : deadline;
    }
    int rv = kin__os_wait(word, seen, until);
    if (rv == -ETIMEDOUT) {
        return until == deadline ? KIN_ETIMEDOUT : 0;
    }
    if (rv == -EINTR) {
        return kin__fail(KIN_EINTR, "interrupted while waiting");
    }
    bool looks_again = rv == 0 || rv == -EAGAIN;
    return looks_again ? 0 : kin__fail_os(rv, "cannot sleep on a word of the family's memory");
}

int kin__gate_sleep(kin__gate *gate, uint32_t ticket, int64_t deadline, bool held)
{
    return kin__sleep_on(&gate->word, ticket, deadline, held);
}

int kin__gate_doze(kin__gate *gate, uint32_t ticket, int64_t deadline, bool held)
{
    kin__os_shield();
    int rv = kin__gate_sleep(gate, ticket, deadline, held);
    kin__os_unshield();
    return rv;
}
