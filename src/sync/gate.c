/* gate.c - sleeping at a gate, and looking busily for a moment before it.
 *
 * Idea of the spin. A partner who is awake on another core answers in a fraction of a microsecond,
 * while a sleep costs fifty: so we look for some ten microseconds first. But the partner may need
 * this very core; so we yield between looks, and he gets it at once. And the core may be wanted by
 * somebody who just computes; then a yield costs his whole slice, some milliseconds, where a sleep
 * would have cost five microseconds. A yield that took long tells us so, and makes us shy: for a
 * while we spin without yielding, and when that was in vain we do not spin at all the next times.
 *
 * Measured for a ping-pong (microseconds a round trip, one core for both / two cores):
 *     no spin 2.5 / 74    spin without yield 27 / 0.3    this one 2.9 / 0.4
 *     and with a busy loop on each core:
 *     no spin 5 / 115     yielding spin 1410 / 14        this one 6 / 1.1
 *
 * The sleep and its discipline are described in room.h. */
#include "room.h"

#include <errno.h>

#define SPIN 10000         /* ns */
#define PAUSES 32          /* between two yields; some 0.4 us */
#define LONG_YIELD 50000   /* ns: somebody else has used this core meanwhile */
#define SHY_TIME 100000000 /* ns until we dare to yield again */
#define SHY_WAITS 16       /* that sleep at once after a spin in vain */

static _Thread_local int64_t shy_until;
static _Thread_local unsigned waits_to_skip;

static bool has_partner_core(void)
{
    static _Atomic int cpus;
    int n = atomic_load_explicit(&cpus, memory_order_relaxed);
    if (n == 0) {
        n = kin__os_processors(); /* this process may be pinned to one, its partner to another */
        atomic_store_explicit(&cpus, n, memory_order_relaxed);
    }
    return n > 1;
}

/* Looks, `pauses` apart and then rarer, until it is time to yield: each look takes the cache line away
 * from whoever is about to write it. */
static bool look(bool (*ready)(void *), void *ctx, int pauses)
{
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

static void yield_unless_shy(int64_t now)
{
    if (now < shy_until) {
        return;
    }
    kin__os_yield();
    int64_t after = kin__os_now();
    if (after - now > LONG_YIELD) {
        shy_until = after + SHY_TIME;
    }
}

static bool spin(bool (*ready)(void *), void *ctx, int pauses)
{
    if (waits_to_skip > 0 || !has_partner_core()) {
        waits_to_skip -= waits_to_skip > 0;
        return ready(ctx);
    }
    for (int64_t now = kin__os_now(), end = now + SPIN; now < end; now = kin__os_now()) {
        if (look(ready, ctx, pauses)) {
            return true;
        }
        yield_unless_shy(now);
    }
    waits_to_skip = kin__os_now() < shy_until ? SHY_WAITS : 0;
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

int kin__gate_sleep(kin__gate *gate, uint32_t ticket, int64_t deadline, bool held)
{
    int64_t until = deadline;
    if (held) {
        int64_t nap_ends = kin__os_now() + KIN__NAP;
        until = nap_ends < deadline ? nap_ends : deadline;
    }
    int rv = kin__os_wait(&gate->word, ticket, until);
    if (rv == -ETIMEDOUT) {
        return until == deadline ? KIN_ETIMEDOUT : 0;
    }
    bool looks_again = rv == 0 || rv == -EAGAIN || rv == -EINTR;
    return looks_again ? 0 : kin__fail_os(rv, "cannot sleep on a word of the family's memory");
}
