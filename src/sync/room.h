/* sync/room.h - what the primitives are made of: heads, gates, cells, the word of a lock. */
#ifndef KIN_SYNC_ROOM_H
#define KIN_SYNC_ROOM_H

#include "../domain/room.h"
#include <kin/condition.h>

/* ---- what everything here begins with (head.c) --------------------------------------------
 *
 * A primitive is a block of its own (by _new), or lies in a block of the user's (by _init). Either
 * way its first words say what it is, and since when: so a call on what is none, or was ended, is
 * told from one that is right, by looking at the cache line that it needs anyway. */
typedef struct kin__head {
    _Atomic uint32_t kind;   /* KIN__HEAD_OF(type), or with KIN__HEAD_ENDED */
    _Atomic uint32_t serial; /* another one each time that something is made here */
} kin__head;

#define KIN__HEAD_OF(type) (0x6b4e0000u | (uint32_t)(type))
#define KIN__HEAD_ENDED 0x00008000u

/* Two addresses of the family's memory, between which all is the family's; the first is the greater
 * one as long as there are none. That saves each call from asking the domain. */
extern _Atomic uintptr_t kin__head_least, kin__head_most;
int kin__head_look(const void *primitive, kin__type type, const char *what);

/* 0 for a primitive of that type; KIN_EINVAL (NULL, not in the family's memory, something else) or
 * KIN_EFREED with a sentence. `what` is "kin_lock_acquire: the lock". */
static inline int kin__head_check(const void *primitive, kin__type type, const char *what)
{
    const kin__head *head = primitive;
    uintptr_t at = (uintptr_t)primitive;
    bool is_known = at >= atomic_load_explicit(&kin__head_least, memory_order_relaxed) &&
                    at <= atomic_load_explicit(&kin__head_most, memory_order_relaxed) &&
                    at % _Alignof(kin__head) == 0;
    if (is_known && atomic_load_explicit(&head->kind, memory_order_acquire) == KIN__HEAD_OF(type)) {
        return 0; /* acquire: pairs with begin */
    }
    return kin__head_look(primitive, type, what);
}

/* For _new: a block of that type, still ours; NULL with a sentence. For _init: 0 when `memory` can
 * hold one of `size` bytes. */
void *kin__head_new(size_t size, kin__type type);
int kin__head_place(const void *memory, size_t size, const char *what);

/* When all else is ready: from now on it is one. The serial goes on from what stood there. */
void kin__head_begin(void *primitive, kin__type type);

/* For _free and _done: from now on it is none. False with a line in the log when it was none
 * before, or was made in the other way (`block`: by _new). The block of a freed one is discarded by
 * kin__head_discard, once its sleepers were woken. kin__head_may_end only asks: who wakes the
 * sleepers between the two can be killed there, and the next one may begin again. */
bool kin__head_may_end(const void *primitive, kin__type type, bool block, const char *what);
bool kin__head_end(void *primitive, kin__type type, bool block, const char *what);
void kin__head_discard(void *primitive);

static inline uint32_t kin__head_serial(const void *primitive)
{
    return atomic_load(&((const kin__head *)primitive)->serial);
}

/* Whether it is still the one that had this serial. The kind comes first: it says that the serial
 * is already a later one's (pairs with begin). */
static inline bool kin__head_is_still(const void *primitive, kin__type type, uint32_t serial)
{
    const kin__head *head = primitive;
    return atomic_load_explicit(&head->kind, memory_order_acquire) == KIN__HEAD_OF(type) &&
           atomic_load(&head->serial) == serial;
}

/* ---- gates: sleeping until a word changes, with death in mind (gate.c) ----------------------
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
#define KIN__NAP 50000000 /* ns between two looks at a holder who may have died */
_Static_assert(KIN__NAP <= 50000000, "sync.h promises 100 ms, of which the scheduler needs some");

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

/* Sleeps until the gate is opened after the ticket was taken: 0. Also 0 at a nap's end (when
 * `held`, and that is sooner than the deadline), and for no reason: look again. KIN_ETIMEDOUT at
 * the deadline, without a sentence, which is the caller's; KIN_EINTR, with one, when this process
 * was interrupted and the gate was not opened. Callers tell kin_dump of it, by kin__note_wait and
 * kin__note_woken. */
int kin__gate_sleep(kin__gate *gate, uint32_t ticket, int64_t deadline, bool held);

/* The same of who has nobody to say KIN_EINTR to: an interruption does not end it. */
int kin__gate_doze(kin__gate *gate, uint32_t ticket, int64_t deadline, bool held);

/* Wakes all sleepers; a load when there are none. Call it after a seq_cst write. */
void kin__gate_wake(kin__gate *gate);
static inline void kin__gate_open(kin__gate *gate)
{
    if (atomic_load(&gate->word) & 1u) {
        kin__gate_wake(gate);
    }
}

/* Wakes one: only where somebody notices that he died before he acted on it, and wakes all then. No
 * bells ring. */
void kin__gate_wake_one(kin__gate *gate);

/* What a gate's sleep is made of: on a word, if it is what was seen. */
int kin__sleep_on(_Atomic uint32_t *word, uint32_t seen, int64_t deadline, bool held);

/* ---- turnstiles: sleeping where one is woken for each thing that comes (turnstile.c) ---------
 *
 * Who waits: watch, look, sleep, and from the beginning; at the end leave, which he may put off
 * until he is done with what he took. Who gives: claim, hold, publish, release. Nobody who is
 * insured may ask for long-held locks of libc; kin__alive knows that. */
typedef struct kin__turnstile {
    _Atomic uint32_t word; /* zero: nobody sleeps */
} kin__turnstile;

/* What to sleep on, if the look that comes now finds nothing. 0: this thread cannot be insured,
 * and sleeps at a gate. */
uint32_t kin__turnstile_watch(kin__turnstile *t);

/* As kin__gate_sleep. */
int kin__turnstile_sleep(kin__turnstile *t, uint32_t seen, int64_t deadline, bool held);

/* After a look, and no sleep: nothing is left there, not even what others hold; or there is. */
void kin__turnstile_leave(kin__turnstile *t, bool nothing_left);

/* Whether this thread has to leave. */
static inline bool kin__turnstile_is_watched(const kin__turnstile *t)
{
    return kin__os_is_insured_at(&t->word);
}

/* A load when nobody sleeps. seq_cst, as the claim before it: who sleeps later sees that. */
void kin__turnstile_answer(kin__turnstile *t);
static inline void kin__turnstile_hold(kin__turnstile *t)
{
    if (atomic_load(&t->word) != 0) {
        kin__turnstile_answer(t);
    }
}
void kin__turnstile_open(kin__turnstile *t, int n); /* wakes up to n */
void kin__turnstile_release(kin__turnstile *t);

/* Looks `ready(ctx)` over and over for some ten microseconds, where a second processor makes that
 * worthwhile, before a sleep would cost fifty. True as soon as it is ready. */
bool kin__spin(bool (*ready)(void *), void *ctx);

/* The same with fewer looks, for what somebody else is at work on: each look takes the cache line
 * away from him. `near`: he is about to finish. */
bool kin__spin_near(bool (*ready)(void *), void *ctx);
bool kin__spin_aside(bool (*ready)(void *), void *ctx);

/* For a message from a queue or a connection. Who takes one after the other looks rarely when there
 * is none: right behind the sender he would take the cache line away from him at each message (8
 * bytes in a queue, 1 to 1: 4.5 M/s; so 14). Who gives in between may be answering: he looks often.
 * What this thread has taken from last, or NULL if it put, sent or set something since. */
extern _Thread_local const void *kin__taken_from;
bool kin__spin_to_take(const void *from, bool (*ready)(void *), void *ctx);

/* ---- a row of cells with names in them (cells.c) --------------------------------------------- */

#define KIN__CELLS_MOST 65535u
#define KIN__TAG_BITS 35
#define KIN__TAG_MASK (((uint64_t)1 << KIN__TAG_BITS) - 1)

#define KIN__CELL(tag, state, who)                                                                 \
    ((uint64_t)(tag) << (KIN__ID_BITS + 2) | (uint64_t)(state) << KIN__ID_BITS | (uint64_t)(who))
#define KIN__CELL_TAG(cell) ((cell) >> (KIN__ID_BITS + 2))
#define KIN__CELL_STATE(cell) ((unsigned)((cell) >> KIN__ID_BITS & 3u))
#define KIN__CELL_WHO(cell) ((kin__id)((cell) & (((uint64_t)1 << KIN__ID_BITS) - 1)))

typedef struct kin__cells {
    _Atomic uint64_t *at;
    uint32_t n; /* 0: there are none, or what says where they are was scribbled over */
} kin__cells;

kin__cells kin__cells_of(const _Atomic uintptr_t *at, const _Atomic uint32_t *count);

/* Empties all, under a tag that was not there before; which is that. Its state is 0. */
uint64_t kin__cells_begin(kin__cells cells);

/* A cell that was claimed. */
typedef struct kin__claimed {
    _Atomic uint64_t *at;
    uint32_t index; /* before: where to begin to look */
    uint64_t seen;  /* what stood there */
    uint64_t ours;  /* what stands there now */
} kin__claimed;

/* Claims a cell for which may(seen, dead_too, ctx) says what to write there, which is not 0;
 * whether the dead are asked after there is said by dead_too. False when there is none. */
bool kin__cells_claim(kin__cells cells,
                      uint64_t (*may)(uint64_t seen, bool dead_too, const void *ctx),
                      const void *ctx, kin__claimed *ret);

/* From what was seen to something else; false when it is not that any more. */
static inline bool kin__word_change(_Atomic uint64_t *cell, uint64_t seen, uint64_t to)
{
    return atomic_compare_exchange_strong(cell, &seen, to);
}

/* ---- sleeping at many gates, and over descriptors (bell.c) ----------------------------------- */

/* A descriptor that polls readable once one of some gates was opened. One thread at a time; a
 * forked child may close the descriptor, and must leave the rest. */
typedef struct kin__bell {
    int fd;
    uint32_t cell; /* where it hangs */
    kin__ref self;
    struct kin__bell_block *block;
} kin__bell;

/* Hangs a bell for `n` gates. Take a ticket of each after it, and after each kin__bell_hush, look
 * again, and only then poll. KIN_ENOMEM, KIN_EMFILE, KIN_EAGAIN: there are 2048 of them. */
int kin__bell_hang(kin__gate *const *gates, size_t n, kin__bell *ret);
void kin__bell_hush(const kin__bell *bell); /* it has rung */
void kin__bell_drop(const kin__bell *bell);

/* For gate.c: rings all that hang for that gate. */
void kin__bell_ring(const kin__gate *gate);

/* ---- an event for kin_wait (event.c) --------------------------------------------------------- */

/* What to remember of an event: which one it is. */
uint64_t kin__event_note(const kin_event *e);

/* 1 when it is set, or was since the `first` look; 0. KIN_EINVAL, KIN_EFREED when it is not the one
 * of the note at first, KIN_ECLOSED after that. */
int kin__event_look(const kin_event *e, bool first, uint64_t *note);
kin__gate *kin__event_gate(const kin_event *e);

/* ---- the word of a lock (mutex.c) ------------------------------------------------------------ */

/* What a kin_lock and a kin_rlock begin with. */
typedef struct kin__mutex {
    kin__head head;
    _Atomic uint64_t word; /* see mutex.c; 0: free */
} kin__mutex;

#define KIN__MUTEX_SLEEPERS UINT64_C(1)
#define KIN__MUTEX_HUNGRY (UINT64_C(1) << 28)

/* Wakes one who sleeps for it; all, if it was left to the hungry. */
void kin__mutex_wake(kin__mutex *mutex, uint64_t left);

/* Whose a word is, KIN__NOBODY for a free one; and which of his threads, if that is said. */
static inline kin__id kin__mutex_holder(uint64_t word)
{
    return (kin__id)((uint32_t)word >> 1 & (((uint32_t)1 << KIN__ID_BITS) - 1));
}

static inline uint32_t kin__mutex_thread(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/* The number of this thread, of all that its process ever had; not 0. */
uint32_t kin__this_thread(void);

/* What is written to hold it. thread 0: all of them. */
static inline uint64_t kin__mutex_word(kin__id id, uint32_t thread)
{
    return (uint64_t)thread << 32 | (uint64_t)id << 1;
}

static inline bool kin__mutex_is_held_by(uint64_t word, uint64_t mine)
{
    return kin__mutex_holder(word) == kin__mutex_holder(mine) &&
           kin__mutex_thread(word) == kin__mutex_thread(mine);
}

/* Takes what is free and wanted by nobody. */
static inline bool kin__mutex_take_free(kin__mutex *mutex, uint64_t mine)
{
    uint64_t seen = 0;
    return atomic_compare_exchange_strong(&mutex->word, &seen, mine);
}

/* Of a kin__mutex: a look, for who spins. */
bool kin__mutex_is_free(void *mutex);

/* When that did not succeed: waits. 0, KIN_OWNER_DIED, KIN_ETIMEDOUT, KIN_ECLOSED.
 * `what` is "kin_lock_acquire: the lock". */
int kin__mutex_wait(kin__mutex *mutex, kin__type type, uint64_t mine, int64_t deadline,
                    const char *what);

/* From the word that was seen, held by whoever is allowed to say so, to free; false when it has
 * changed meanwhile, and *seen says how. */
static inline bool kin__mutex_release(kin__mutex *mutex, uint64_t *seen)
{
    uint64_t left = *seen & KIN__MUTEX_HUNGRY ? KIN__MUTEX_HUNGRY | KIN__MUTEX_SLEEPERS : 0;
    KIN__STEP("lock.held");
    if (!atomic_compare_exchange_strong(&mutex->word, seen, left)) {
        return false;
    }
    KIN__STEP("lock.released");
    if (*seen & KIN__MUTEX_SLEEPERS) {
        kin__mutex_wake(mutex, left);
    }
    return true;
}

/* Why nobody holds it: KIN_EFREED or KIN_ESTATE. */
int kin__mutex_fail_unheld(uint64_t seen, const char *what);

/* The same for who holds it as `mine`: KIN_ESTATE when he does not, KIN_EFREED. */
int kin__mutex_drop(kin__mutex *mutex, uint64_t mine, const char *what);

/* From him to another, who need not know. */
int kin__mutex_hand_over(kin__mutex *mutex, uint64_t mine, uint64_t theirs, const char *what);

/* Whether somebody who is alive holds it; who does, or did when he died: 0 or KIN_ENOTFOUND. */
bool kin__mutex_is_locked(kin__mutex *mutex);
int kin__mutex_owner(kin__mutex *mutex, const char *what, kin__who *ret);
int kin__mutex_tell_owner(kin__mutex *mutex, const char *what, int *ret_pid, char *name,
                          size_t room);

/* All of _new and _init but the place, the head's beginning included; and of _free and _done. */
void kin__mutex_begin(kin__mutex *mutex, kin__type type);
bool kin__mutex_end(kin__mutex *mutex, kin__type type, bool block, const char *what);

/* For conditions: lets go of a lock that this process (this thread) holds, wholly: KIN_ESTATE when
 * it does not. And takes it again: 0, KIN_OWNER_DIED, KIN_ETIMEDOUT, KIN_ECLOSED, KIN_EFREED. That
 * it is the lock of before is told by its serial. */
int kin__lock_drop(kin_lock *lock);
int kin__lock_retake(kin_lock *lock, int64_t deadline);
int kin__rlock_drop(kin_rlock *lock, unsigned *ret_depth);
int kin__rlock_retake(kin_rlock *lock, unsigned depth, int64_t deadline);

/* Its holder's, which may change just now. */
unsigned kin__rlock_depth_of(const kin_rlock *lock);

/* A condition's own lock; NULL when another one was named. */
const kin_rlock *kin__condition_own_lock(const kin_condition *condition);

/* How many of an owned semaphore a process has. */
unsigned kin__semaphore_held_by(const kin_semaphore *semaphore, kin__id id);

/* For a higher room, before main: has kin_dump tell of its blocks of that type, too. tell() prints
 * the rest of a line, from ": " on, of a thing that may change or even be freed meanwhile. */
void kin__dump_add(kin__type type, const char *name, void (*tell)(const void *p, FILE *stream));

/* Whether reserved options are used, by a program that expects a later version. */
static inline bool kin__any_set(const uint64_t reserved[4])
{
    return (reserved[0] | reserved[1] | reserved[2] | reserved[3]) != 0;
}

#endif
