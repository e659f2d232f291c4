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
 * helps it along before he does anything else. So nobody has to know who began, or whether he
 * lives.
 *
 * Rules.
 *   R1  From CLEAR to SETTING by one CAS, which counts.
 *   R2  From SETTING to SET by CAS, only after the gate was opened: who sleeps at the gate then is
 *       awake or on his way, and who comes later sees SETTING and does not sleep.
 *   R3  A waiter remembers the count that he came with. When it is another, the event was set
 *       meanwhile, and he goes, also when it was cleared again since.
 *   R4  The freed state stays until a new event is made there, whose count goes on from there: so
 *       a waiter who is late notices, and then sees by the head's serial that his is gone.
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

/* What lies behind a kin_event. */
typedef struct event {
    kin__head head;
    _Atomic uint32_t word;
    kin__gate gate;
} event;

_Static_assert(sizeof(event) <= sizeof(kin_event), "sync.h has room for it");
_Static_assert(kin_event_KIND == KIN__EVENT, "sync.h says what the domain says");

static event *event_at(const kin_event *e)
{
    return (event *)(void *)e; /* looking may help along; no event lies in constant memory */
}

/* What the event is: CLEAR, SET or FREED, for SETTING is helped along. */
static uint32_t look(event *e)
{
    for (;;) {
        uint32_t seen = atomic_load(&e->word);
        if (STATE(seen) == CLEAR || STATE(seen) == SET) {
            return seen;
        }
        kin__gate_open(&e->gate);
        KIN__STEP("event.opened");
        if (STATE(seen) == FREED) {
            return seen;
        }
        atomic_compare_exchange_strong(&e->word, &seen, WORD(COUNT(seen), SET));
    }
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(const kin_event_options *options, const char *verb)
{
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: the event's reserved options must be zero", verb);
    }
    return 0;
}

static void begin(event *e)
{
    kin__gate_renew(&e->gate);
    atomic_store(&e->word, WORD(COUNT(atomic_load(&e->word)) + 1, CLEAR)); /* R4 */
    KIN__STEP("event.new");
    kin__head_begin(e, KIN__EVENT);
}

int kin_event_new(kin_event **ret_event, const kin_event_options *options)
{
    if (ret_event == NULL) {
        return kin__fail(KIN_EINVAL, "kin_event_new: nowhere to put the event (NULL)");
    }
    int rv = check_options(options, "kin_event_new");
    kin_event *made = rv < 0 ? NULL : kin__head_new(sizeof *made, KIN__EVENT);
    if (made == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    begin(event_at(made));
    kin__block_give(made);
    *ret_event = made;
    return 0;
}

int kin_event_init(kin_event *e, const kin_event_options *options)
{
    int rv = check_options(options, "kin_event_init");
    rv = rv < 0 ? rv : kin__head_place(e, sizeof *e, "kin_event_init");
    if (rv == 0) {
        begin(event_at(e));
    }
    return rv;
}

static bool end(kin_event *e, bool block, const char *what)
{
    if (!kin__head_may_end(e, KIN__EVENT, block, what)) {
        return false;
    }
    atomic_fetch_or(&event_at(e)->word, FREED);
    KIN__STEP("event.marked");
    (void)look(event_at(e));
    KIN__STEP("event.ended");
    return kin__head_end(e, KIN__EVENT, block, what);
}

void kin_event_free(kin_event *e)
{
    if (e != NULL && !kin__remote_free(e, KIN__EVENT) &&
        end(e, true, "kin_event_free: the event")) {
        kin__head_discard(e);
    }
}

void kin_event_done(kin_event *e)
{
    if (e != NULL) {
        (void)end(e, false, "kin_event_done: the event");
    }
}

/* ---- set and clear -------------------------------------------------------------------- */

/* Brings it to `wanted`, if it is not there yet. */
static int bring(kin_event *public, enum state wanted, const char *what)
{
    int rv = kin__head_check(public, KIN__EVENT, what);
    if (rv < 0) {
        return kin__remote_tell(public, KIN__EVENT, wanted == SET ? "set" : "clear", rv);
    }
    event *e = event_at(public);
    for (;;) {
        uint32_t seen = look(e);
        if (STATE(seen) == FREED) {
            return kin__fail(KIN_EFREED, "%s was freed", what);
        }
        uint32_t next = wanted == SET ? WORD(COUNT(seen) + 1, SETTING) : WORD(COUNT(seen), CLEAR);
        if (STATE(seen) == wanted || atomic_compare_exchange_strong(&e->word, &seen, next)) {
            KIN__STEP("event.changed");
            (void)look(e);
            return 0;
        }
    }
}

int kin_event_set(kin_event *e)
{
    kin__taken_from = NULL;
    return bring(e, SET, "kin_event_set: the event");
}

int kin_event_clear(kin_event *e)
{
    return bring(e, CLEAR, "kin_event_clear: the event");
}

bool kin_event_is_set(const kin_event *e)
{
    int rv = kin__head_check(e, KIN__EVENT, "kin_event_is_set: the event");
    return rv < 0 ? kin__remote_ask(e, KIN__EVENT, "is_set", 0) > 0
                  : STATE(look(event_at(e))) == SET;
}

/* ---- wait ----------------------------------------------------------------------------- */

typedef struct wait {
    event *event;
    uint32_t serial; /* which event we came for */
    uint32_t came;   /* the word as it was at first */
} wait;

static bool is_still(const wait *w)
{
    return kin__head_is_still(w->event, KIN__EVENT, w->serial);
}

/* Whether the wait is over. */
static bool is_over(void *ctx)
{
    const wait *w = ctx;
    if (!is_still(w)) {
        return true; /* and what lies there is not to be touched */
    }
    uint32_t seen = look(w->event);
    return STATE(seen) != CLEAR || COUNT(seen) != COUNT(w->came);
}

static int outcome(const wait *w)
{
    if (STATE(atomic_load(&w->event->word)) == FREED || !is_still(w)) { /* R4: in this order */
        return kin__fail(KIN_ECLOSED, "kin_event_wait: the event was freed meanwhile");
    }
    return 0;
}

static int sleep_for(wait *w, int64_t deadline)
{
    while (!is_over(w)) {
        uint32_t ticket = kin__gate_ticket(&w->event->gate);
        if (is_over(w)) {
            break;
        }
        KIN__STEP("event.asleep");
        int rv = kin__gate_sleep(&w->event->gate, ticket, deadline, false);
        if (rv == KIN_EINTR || (rv < 0 && !is_over(w))) { /* what came at the last moment counts */
            return rv;
        }
    }
    return outcome(w);
}

int kin_event_wait(kin_event *e, double timeout)
{
    int64_t deadline;
    int rv = kin__head_check(e, KIN__EVENT, "kin_event_wait: the event");
    if (rv < 0) {
        return kin__remote_wait(e, KIN__EVENT, timeout, rv);
    }
    rv = kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    wait w = { .event = event_at(e), .serial = kin__head_serial(e), .came = look(event_at(e)) };
    if (STATE(w.came) != CLEAR || (kin__may_wait(deadline) && kin__spin(is_over, &w))) {
        return outcome(&w);
    }
    rv = KIN_ETIMEDOUT;
    if (kin__may_wait(deadline)) {
        kin__note_wait(e);
        rv = sleep_for(&w, deadline);
        kin__note_woken(e);
    }
    return rv == KIN_ETIMEDOUT ? kin__fail(rv, "kin_event_wait: the event is not set") : rv;
}

/* ---- for kin_wait: the note is the serial, and below it the word of the first look ----------- */

uint64_t kin__event_note(const kin_event *e)
{
    int rv = kin__head_check(e, KIN__EVENT, "kin_event_waitable: the event");
    return rv < 0 ? 0 : (uint64_t)kin__head_serial(e) << 32;
}

static int fail_gone(bool first)
{
    return first ? kin__fail(KIN_EFREED, "the event was freed")
                 : kin__fail(KIN_ECLOSED, "the event was freed meanwhile");
}

int kin__event_look(const kin_event *public, bool first, uint64_t *note)
{
    wait w = { .event = event_at(public), .serial = (uint32_t)(*note >> 32) };
    int rv = first ? kin__head_check(public, KIN__EVENT, "the event") : 0;
    if (rv < 0) {
        return rv;
    }
    if (!is_still(&w)) {
        return fail_gone(first);
    }
    uint32_t seen = look(w.event);
    w.came = first ? seen : (uint32_t)*note;
    *note = (uint64_t)w.serial << 32 | w.came;
    if (STATE(seen) == FREED || !is_still(&w)) { /* R4 */
        return fail_gone(first);
    }
    return STATE(seen) == SET || COUNT(seen) != COUNT(w.came);
}

kin__gate *kin__event_gate(const kin_event *e)
{
    return &event_at(e)->gate;
}
