/* sync/room.h - sleeping until a word in shared memory changes, with death in mind.
 *
 * Idea. A gate is one word: bit 0 says "somebody sleeps here", the rest counts openings. Sleeping
 * and waking are safe when anybody is SIGKILLed anywhere, by one discipline of its users:
 *
 *   whoever changes what others wait for
 *     1. claims it (one CAS that writes his identity),
 *     2. opens the gate: all sleepers wake, and see that it is held,
 *     3. publishes the change (one atomic store, seq_cst),
 *     4. opens the gate again.
 *
 *   whoever waits
 *     1. looks; done if it is there,
 *     2. takes a ticket, looks AGAIN,
 *     3. sleeps on the ticket: for good while nobody holds what he waits for; else in naps of
 *        KIN__NAP, asking kin__alive() about the holder after each.
 *
 * Death. Killed before 1: nothing happened. Between 1 and 3: whoever sleeps has been woken at 2 (or
 * came later, and saw the claim) and naps, so he finds the death. Between 3 and 4: he naps too,
 * and finds the change. Nobody sleeps for good on what a dead process should have told him.
 * Opening is a single system call, so the "somebody sleeps" bit cannot be lost half-way; and it
 * wakes all, since a single woken sleeper might be killed before he acts on it.
 */
#ifndef KIN_SYNC_ROOM_H
#define KIN_SYNC_ROOM_H

#include "../domain/room.h"
#include <kin/sync.h>

#define KIN__NAP 50000000 /* ns between two looks at a holder who may have died */

typedef struct kin__gate {
    _Atomic uint32_t word; /* zero is a gate nobody sleeps at */
} kin__gate;

/* For the maker of an object in memory that was one of its kind before: the numbers go on, so that
 * whoever is late for the old gate does not fall asleep at the new one. */
static inline void kin__gate_renew(kin__gate *gate)
{
    atomic_store(&gate->word, (atomic_load(&gate->word) | 1u) + 1u);
}

/* Announces a sleeper. Look at the condition again after this, and only then sleep. */
static inline uint32_t kin__gate_ticket(kin__gate *gate)
{
    return atomic_fetch_or(&gate->word, 1u) | 1u;
}

/* Sleeps until the gate is opened after the ticket was taken: 0. Also 0 at a nap's end (when `held`,
 * and that is sooner than the deadline), after a signal handler, and for no reason: look again.
 * KIN_ETIMEDOUT at the deadline, without a sentence, which is the caller's. */
int kin__gate_sleep(kin__gate *gate, uint32_t ticket, int64_t deadline, bool held);

/* Wakes all sleepers; a load when there are none. Call it after a seq_cst write. */
static inline void kin__gate_open(kin__gate *gate)
{
    if (atomic_load(&gate->word) & 1u) {
        kin__os_add_and_wake(&gate->word);
    }
}

/* Looks `ready(ctx)` over and over for some ten microseconds, where a second processor makes that
 * worthwhile, before a sleep would cost fifty. True as soon as it is ready. */
bool kin__spin(bool (*ready)(void *), void *ctx);

/* The same with fewer looks, for what somebody else is at work on: each look takes the cache line
 * away from him. */
bool kin__spin_aside(bool (*ready)(void *), void *ctx);

/* Whether reserved options are used, by a program that expects a later version. */
static inline bool kin__any_set(const uint64_t reserved[4])
{
    return (reserved[0] | reserved[1] | reserved[2] | reserved[3]) != 0;
}

#endif
