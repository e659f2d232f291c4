/* event.c - a flag that wakes all who wait for it.
 *
 * Idea. One word counts how often the event was set, and says what it is now:
 *
 *      31 ................... 2   1 0
 *     +------------------------+-------+      CLEAR --set--> SETTING --helped--> SET
 *     | how often it was set   | state |        ^                                 |
 *     +------------------------+-------+        +-------------clear---------------+
 *
 * Setting takes two steps, for a process may be killed between telling the sleepers and saying that
 * it is set. Both can be done by anybody, any number of times; whoever finds the event in SETTING
 * helps it along before he does anything else. So nobody has to know who began, or whether he lives.
 *
 * Rules.
 *   R1  From CLEAR to SETTING by one CAS, which counts.
 *   R2  From SETTING to SET by CAS, only after the gate was opened: who sleeps at the gate then is
 *       awake or on his way, and who comes later sees SETTING and does not sleep.
 *   R3  A waiter remembers the count that he came with. When it is another, the event was set
 *       meanwhile, and he goes, also when it was cleared again since.
 *   R4  The freed state stays until the block is a new event, whose count goes on from there: so
 *       a waiter who is late notices, and then sees by the block's generation that his is gone.
 *
 * Death. Killed before R1: nothing happened. In SETTING: the next one who looks, for whatever
 * reason, finishes; until then nobody has seen it set, so it is not. After R2: done. The same goes
 * for a death in kin_event_free: whoever finds it freed wakes the sleepers.
 *
 * Not here. How to sleep at a gate (gate.c).
 */
#include "room.h"

enum state { CLEAR, SETTING, SET, FREED };

#define STATE(word) ((enum state)((word)&3u))
#define COUNT(word) ((word) >> 2)
#define WORD(count, state) ((uint32_t)(count) << 2 | (uint32_t)(state))

struct kin_event {
    _Alignas(64) _Atomic uint32_t word;
    kin__gate gate;
};

_Static_assert(kin_event_KIND == KIN__EVENT, "sync.h says what the domain says");

/* What the event is: CLEAR, SET or FREED, for SETTING is helped along. */
static uint32_t look(kin_event *event)
{
    for (;;) {
        uint32_t seen = atomic_load(&event->word);
        if (STATE(seen) == CLEAR || STATE(seen) == SET) {
            return seen;
        }
        kin__gate_open(&event->gate);
        KIN__STEP("event.opened");
        if (STATE(seen) == FREED) {
            return seen;
        }
        atomic_compare_exchange_strong(&event->word, &seen, WORD(COUNT(seen), SET));
    }
}

int kin_event_new(kin_event **ret_event, const kin_event_options *options)
{
    if (ret_event == NULL) {
        return kin__fail(KIN_EINVAL, "kin_event_new: nowhere to put the event (NULL)");
    }
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "kin_event_new: the event's reserved options must be zero");
    }
    kin_event *event = kin__block_new(sizeof *event, KIN__EVENT);
    if (event == NULL) {
        return kin__failure();
    }
    kin__gate_renew(&event->gate);
    atomic_store(&event->word, WORD(COUNT(atomic_load(&event->word)) + 1, CLEAR)); /* R4 */
    KIN__STEP("event.new");
    kin__block_give(event);
    *ret_event = event;
    return 0;
}

void kin_event_free(kin_event *event)
{
    if (event == NULL) {
        return;
    }
    if (kin__block_check(event, KIN__EVENT, "kin_event_free: the event") < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
        return;
    }
    kin__ref ref = kin__block_ref(event);
    atomic_fetch_or(&event->word, FREED);
    KIN__STEP("event.marked");
    (void)look(event);
    KIN__STEP("event.ended");
    (void)kin__block_discard(ref);
}

/* ---- set and clear -------------------------------------------------------------------- */

/* Brings it to `wanted`, if it is not there yet. */
static int bring(kin_event *event, enum state wanted, const char *verb)
{
    int rv = kin__block_check(event, KIN__EVENT, verb);
    if (rv < 0) {
        return rv;
    }
    for (;;) {
        uint32_t seen = look(event);
        if (STATE(seen) == FREED) {
            return kin__fail(KIN_EFREED, "%s was freed", verb);
        }
        uint32_t next = wanted == SET ? WORD(COUNT(seen) + 1, SETTING) : WORD(COUNT(seen), CLEAR);
        if (STATE(seen) == wanted || atomic_compare_exchange_strong(&event->word, &seen, next)) {
            KIN__STEP("event.changed");
            (void)look(event);
            return 0;
        }
    }
}

int kin_event_set(kin_event *event)
{
    return bring(event, SET, "kin_event_set: the event");
}

int kin_event_clear(kin_event *event)
{
    return bring(event, CLEAR, "kin_event_clear: the event");
}

bool kin_event_is_set(const kin_event *event)
{
    /* looking may help along; no event lies in constant memory */
    return kin__block_check(event, KIN__EVENT, "kin_event_is_set: the event") == 0 &&
           STATE(look((kin_event *)event)) == SET;
}

/* ---- wait ----------------------------------------------------------------------------- */

typedef struct wait {
    kin_event *event;
    kin__ref ref;
    uint32_t came; /* the word as it was at first */
} wait;

/* Whether the wait is over. */
static bool is_over(void *ctx)
{
    const wait *w = ctx;
    uint32_t seen = look(w->event);
    return STATE(seen) != CLEAR || COUNT(seen) != COUNT(w->came);
}

static int outcome(const wait *w)
{
    bool same = kin__block_ref(w->event) == w->ref; /* R4 */
    if (!same || STATE(atomic_load(&w->event->word)) == FREED) {
        return kin__fail(KIN_ECLOSED, "kin_event_wait: the event was freed meanwhile");
    }
    return 0;
}

int kin_event_wait(kin_event *event, double timeout)
{
    int64_t deadline;
    int rv = kin__block_check(event, KIN__EVENT, "kin_event_wait: the event");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    wait w = { .event = event, .ref = kin__block_ref(event), .came = look(event) };
    if (STATE(w.came) != CLEAR || (kin__may_wait(deadline) && kin__spin(is_over, &w))) {
        return outcome(&w);
    }
    for (rv = kin__may_wait(deadline) ? 0 : KIN_ETIMEDOUT; rv == 0;) {
        uint32_t ticket = kin__gate_ticket(&event->gate);
        if (is_over(&w)) {
            return outcome(&w);
        }
        KIN__STEP("event.asleep");
        rv = kin__gate_sleep(&event->gate, ticket, deadline, false);
    }
    return rv == KIN_ETIMEDOUT ? kin__fail(rv, "kin_event_wait: the event is not set") : rv;
}
