/* semaphore.c - a number that is taken from, and waited for.
 *
 * Idea. A plain semaphore is one word:
 *
 *      31 ............ 1   0
 *     +-----------------+---------+      0 | 0   none left, nobody sleeps
 *     |      value      | sleepers |     0 | 1   none left, and somebody may sleep
 *     +-----------------+---------+      v | .   some left, and nobody sleeps
 *
 * One that is .owned has a cell for each permit instead, with the name of who has it, or nothing.
 * What a dead process had is found by looking at the cells.
 *
 * Rules, plain.
 *   R1  One sleeps on the word only while it is "0 | 1", and only the kernel makes something else
 *       of that: FUTEX_WAKE_OP adds one and wakes all. So nobody sleeps while there is something,
 *       and a CAS of whoever finds something may drop the bit.
 *   R2  All wake, since a single one may be killed before he takes it.
 *   R3  The kernel adds without looking. Were that one too many, whoever does it takes it back;
 *       until then nobody sees it, for the value is cut at `most` by all who look.
 *   R4  CLOSED cannot be reached by counting. It stays until another semaphore is made there.
 * Rules, owned.
 *   R5  A permit is taken by one CAS on its cell: from nobody, or from a dead process, to oneself.
 *   R6  Who finds no cell sleeps at the gate, which is opened when one is given back; since all are
 *       somebody's, he sleeps in naps, and looks whether those live.
 *   R7  The cells are spoilt before they are freed: so a CAS that is late finds nothing to take.
 *   R8  `near` is a hint: just behind the last cell that was taken, or at the one that was given
 *       back. Who takes looks upwards from it, who gives back downwards, so that a process that has
 *       many finds each at once.
 *
 * Death. Plain: killed before the CAS or the system call, nothing happened; after it, it is done.
 * What he had acquired is gone with him. Owned: killed before he opened the gate, the naps end.
 * Killed in kin_semaphore_free: nobody hangs; it may be freed again, or has ended, and then its
 * memory stays until the family ends. (A sleeper of a plain one who is stopped just before he
 * sleeps, until it was freed, made anew and slept at, wakes only with the new one's sleepers.)
 */
#include "room.h"

#define SLEEPERS UINT32_C(1)
#define VALUE(word) ((word) >> 1)
#define WORD(value) ((uint32_t)(value) << 1)
#define ONE ((int)WORD(1))
#define CLOSED (-2047)
#define IS_CLOSED(word) (((word)&SLEEPERS) != 0 && VALUE(word) > KIN_SEMAPHORE_MOST / 2) /* R4 */
#define OWNED_MOST KIN__CELLS_MOST

enum { FREE, HELD, SPOILT }; /* a cell */

/* What lies behind a kin_semaphore. */
typedef struct semaphore {
    kin__head head;
    kin__gate gate; /* its word is the semaphore's, unless that is owned */
    _Atomic uint32_t most;
    _Atomic uint32_t near;   /* owned: R8 */
    _Atomic uintptr_t cells; /* owned: `most` of them; 0 if it is plain */
} semaphore;

_Static_assert(sizeof(semaphore) == sizeof(kin_semaphore), "sync.h has room for it");
_Static_assert(kin_semaphore_KIND == KIN__SEMAPHORE, "sync.h says what the domain says");

static semaphore *semaphore_at(const kin_semaphore *s)
{
    return (semaphore *)(void *)s;
}

static bool is_owned(const semaphore *s)
{
    return atomic_load(&s->cells) != 0;
}

static kin__cells cells_of(const semaphore *s)
{
    return kin__cells_of(&s->cells, &s->most);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(unsigned value, const kin_semaphore_options *options, const char *verb)
{
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: the semaphore's reserved options must be zero", verb);
    }
    unsigned most = options != NULL && options->owned ? OWNED_MOST : KIN_SEMAPHORE_MOST;
    if (value > most) {
        return kin__fail(KIN_ERANGE, "%s: a value of %u is more than %u", verb, value, most);
    }
    return 0;
}

/* The bytes of its cells; an empty set of them has a place, too. */
static size_t size_of_cells(unsigned value, const kin_semaphore_options *options)
{
    bool owned = options != NULL && options->owned;
    return owned ? (value > 0 ? value : 1) * sizeof(uint64_t) : 0;
}

static void begin(semaphore *s, unsigned value, const kin_semaphore_options *options,
                  void *cells_at)
{
    bool bounded = options != NULL && (options->bounded || options->owned);
    atomic_store(&s->most, bounded ? value : KIN_SEMAPHORE_MOST);
    atomic_store(&s->near, 0);
    atomic_store(&s->cells, (uintptr_t)cells_at);
    if (cells_at != NULL) {
        (void)kin__cells_begin(cells_of(s));
        kin__gate_renew(&s->gate);
    } else {
        atomic_store(&s->gate.word, WORD(value));
    }
    KIN__STEP("semaphore.new");
}

int kin_semaphore_new(kin_semaphore **ret_semaphore, unsigned value,
                      const kin_semaphore_options *options)
{
    if (ret_semaphore == NULL) {
        return kin__fail(KIN_EINVAL, "kin_semaphore_new: nowhere to put the semaphore (NULL)");
    }
    int rv = check_options(value, options, "kin_semaphore_new");
    size_t more = size_of_cells(value, options);
    kin_semaphore *made = rv < 0 ? NULL : kin__head_new(sizeof *made + more, KIN__SEMAPHORE);
    if (made == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    begin(semaphore_at(made), value, options, more > 0 ? made + 1 : NULL);
    kin__head_begin(made, KIN__SEMAPHORE);
    kin__block_give(made);
    *ret_semaphore = made;
    return 0;
}

int kin_semaphore_init(kin_semaphore *s, unsigned value, const kin_semaphore_options *options)
{
    int rv = check_options(value, options, "kin_semaphore_init");
    rv = rv < 0 ? rv : kin__head_place(s, sizeof *s, "kin_semaphore_init");
    size_t more = rv < 0 ? 0 : size_of_cells(value, options);
    void *made = more > 0 ? kin__block_new(more, KIN__SEMAPHORE) : NULL;
    if (rv < 0 || (more > 0 && made == NULL)) {
        return rv < 0 ? rv : kin__failure();
    }
    begin(semaphore_at(s), value, options, made);
    if (made != NULL) {
        kin__block_give(made);
    }
    kin__head_begin(s, KIN__SEMAPHORE);
    return 0;
}

/* What an owned one leaves when it has ended. */
static void spoil(semaphore *s)
{
    kin__cells c = cells_of(s);
    for (uint32_t i = 0; i < c.n; i++) {
        atomic_store(&c.at[i], KIN__CELL(0, SPOILT, KIN__NOBODY)); /* R7 */
    }
    KIN__STEP("semaphore.spoilt");
    kin__gate_open(&s->gate);
}

static bool end(kin_semaphore *public, bool block, const char *what)
{
    semaphore *s = semaphore_at(public);
    if (!kin__head_may_end(s, KIN__SEMAPHORE, block, what)) {
        return false;
    }
    uintptr_t more = atomic_load(&s->cells);
    if (more == 0) { /* its sleepers do not nap: nobody may end it without waking them */
        kin__os_change_and_wake(&s->gate.word, KIN__SET, CLOSED);
        KIN__STEP("semaphore.closed");
    }
    if (!kin__head_end(s, KIN__SEMAPHORE, block, what)) {
        return false;
    }
    KIN__STEP("semaphore.ended");
    if (more != 0) {
        spoil(s);
    }
    if (more != 0 && !block) {
        (void)kin__block_free((void *)more);
    }
    return true;
}

void kin_semaphore_free(kin_semaphore *s)
{
    if (s != NULL && !kin__remote_free(s, KIN__SEMAPHORE) &&
        end(s, true, "kin_semaphore_free: the semaphore")) {
        kin__head_discard(s);
    }
}

void kin_semaphore_done(kin_semaphore *s)
{
    if (s != NULL) {
        (void)end(s, false, "kin_semaphore_done: the semaphore");
    }
}

/* ---- a plain one ------------------------------------------------------------------------ */

typedef struct attempt {
    semaphore *s;
    uint32_t serial; /* which semaphore we came for */
    int64_t deadline;
} attempt;

static bool is_still(const attempt *a)
{
    return kin__head_is_still(a->s, KIN__SEMAPHORE, a->serial);
}

static int fail_closed(void)
{
    return kin__fail(KIN_ECLOSED, "kin_semaphore_acquire: the semaphore was freed meanwhile");
}

static int fail_empty(void)
{
    return kin__fail(KIN_ETIMEDOUT, "kin_semaphore_acquire: none is left");
}

static uint32_t value_of(const semaphore *s, uint32_t word)
{
    uint32_t most = atomic_load_explicit(&s->most, memory_order_relaxed);
    return VALUE(word) < most ? VALUE(word) : most; /* R3 */
}

static bool is_more(void *ctx)
{
    const attempt *a = ctx;
    return VALUE(atomic_load_explicit(&a->s->gate.word, memory_order_relaxed)) > 0;
}

static bool take_one(semaphore *s, uint32_t seen)
{
    uint32_t less = WORD(value_of(s, seen) - 1);
    return atomic_compare_exchange_strong(&s->gate.word, &seen, less); /* R1 */
}

static bool take_at_once(semaphore *s)
{
    uint32_t seen = atomic_load_explicit(&s->gate.word, memory_order_relaxed);
    bool taken = value_of(s, seen) > 0 && !IS_CLOSED(seen) && take_one(s, seen);
    if (taken) {
        KIN__STEP("semaphore.taken");
    }
    return taken;
}

/* From "none left": says that we sleep, and sleeps. */
static int sleep_plain(const attempt *a, uint32_t seen)
{
    if (!kin__may_wait(a->deadline)) {
        return fail_empty();
    }
    if (seen != SLEEPERS && !atomic_compare_exchange_strong(&a->s->gate.word, &seen, SLEEPERS)) {
        return 0;
    }
    KIN__STEP("semaphore.waiting");
    kin__note_wait(a->s);
    int rv = kin__gate_sleep(&a->s->gate, SLEEPERS, a->deadline, false);
    kin__note_woken(a->s);
    bool came = VALUE(atomic_load(&a->s->gate.word)) > 0; /* at the last moment */
    return rv != KIN_ETIMEDOUT ? rv : came ? 0 : fail_empty();
}

static int acquire_plain(attempt *a)
{
    semaphore *s = a->s;
    bool spins = kin__may_wait(a->deadline);
    for (;;) {
        uint32_t seen = atomic_load(&s->gate.word);
        if (IS_CLOSED(seen) || !is_still(a)) {
            return fail_closed();
        }
        if (value_of(s, seen) == 0) {
            int rv = spins ? 0 : sleep_plain(a, seen);
            if (rv < 0) {
                return rv;
            }
            (void)(spins && kin__spin(is_more, a));
            spins = false;
        } else if (take_one(s, seen)) {
            break;
        }
    }
    KIN__STEP("semaphore.taken");
    if (is_still(a)) {
        return 0;
    }
    kin__os_change_and_wake(&s->gate.word, KIN__ADD, ONE); /* it was another one's */
    return fail_closed();
}

static int fail_full(const semaphore *s)
{
    return kin__fail(KIN_ESTATE, "kin_semaphore_release: the semaphore has its greatest value, %u",
                     atomic_load(&s->most));
}

/* Wakes all who sleep, and gives one. */
static int give_and_wake(semaphore *s)
{
    kin__os_change_and_wake(&s->gate.word, KIN__ADD, ONE);
    KIN__STEP("semaphore.woken");
    uint32_t most = atomic_load(&s->most);
    uint32_t seen = atomic_load(&s->gate.word);
    while (VALUE(seen) > most && !IS_CLOSED(seen)) { /* R3 */
        if (atomic_compare_exchange_strong(&s->gate.word, &seen, WORD(most))) {
            return fail_full(s);
        }
    }
    return 0;
}

static int release_plain(semaphore *s)
{
    uint32_t seen = atomic_load_explicit(&s->gate.word, memory_order_relaxed);
    for (;;) {
        if (IS_CLOSED(seen)) {
            return kin__fail(KIN_EFREED, "kin_semaphore_release: the semaphore was freed");
        }
        uint32_t value = value_of(s, seen);
        if (value >= atomic_load_explicit(&s->most, memory_order_relaxed)) {
            return fail_full(s);
        }
        KIN__STEP("semaphore.releasing");
        if (seen == SLEEPERS) {
            return give_and_wake(s);
        }
        if (atomic_compare_exchange_strong(&s->gate.word, &seen, WORD(value + 1))) { /* R1 */
            return 0;
        }
    }
}

/* ---- one that is owned ------------------------------------------------------------------ */

/* What to write into a cell to have it; 0: it is not to be had. */
static uint64_t may_take(uint64_t seen, bool dead_too, const void *self)
{
    bool is_free = KIN__CELL_STATE(seen) == FREE;
    bool is_dead = dead_too && KIN__CELL_STATE(seen) == HELD && !kin__alive(KIN__CELL_WHO(seen));
    return is_free || is_dead ? KIN__CELL(KIN__CELL_TAG(seen), HELD, *(const kin__id *)self) : 0;
}

/* Gives a cell back; false when it is not ours any more. */
static bool give_back(semaphore *s, _Atomic uint64_t *cell, uint64_t ours)
{
    if (!kin__word_change(cell, ours, KIN__CELL(KIN__CELL_TAG(ours), FREE, KIN__NOBODY))) {
        return false;
    }
    KIN__STEP("semaphore.freed");
    kin__gate_open(&s->gate);
    return true;
}

/* 0, KIN_OWNER_DIED, KIN_ECLOSED; KIN_ETIMEDOUT, without a sentence, when there is none. */
static int try_owned(const attempt *a, kin__id self)
{
    semaphore *s = a->s;
    kin__claimed claim = { .index = atomic_load_explicit(&s->near, memory_order_relaxed) };
    if (!is_still(a)) {
        return fail_closed();
    }
    if (!kin__cells_claim(cells_of(s), may_take, &self, &claim)) { /* R5 */
        return KIN_ETIMEDOUT;
    }
    KIN__STEP("semaphore.claimed");
    if (!is_still(a)) { /* it is ours, but of another one than we came for */
        (void)give_back(s, claim.at, claim.ours);
        return fail_closed();
    }
    atomic_store_explicit(&s->near, claim.index + 1, memory_order_relaxed); /* R8 */
    return KIN__CELL_STATE(claim.seen) == HELD ? KIN_OWNER_DIED : 0;
}

static int acquire_owned(const attempt *a)
{
    kin__id self = kin__actor();
    if (self == KIN__NOBODY) {
        return kin__failure();
    }
    int rv = try_owned(a, self);
    while (rv == KIN_ETIMEDOUT && kin__may_wait(a->deadline)) {
        uint32_t ticket = kin__gate_ticket(&a->s->gate);
        rv = try_owned(a, self);
        if (rv != KIN_ETIMEDOUT) {
            break;
        }
        KIN__STEP("semaphore.waiting");
        kin__note_wait(a->s);
        int slept = kin__gate_sleep(&a->s->gate, ticket, a->deadline, true); /* R6 */
        kin__note_woken(a->s);
        if (slept < 0) {
            return slept == KIN_ETIMEDOUT ? fail_empty() : slept;
        }
    }
    return rv == KIN_ETIMEDOUT ? fail_empty() : rv;
}

static int release_owned(semaphore *s)
{
    kin__id self = kin__actor();
    kin__cells c = cells_of(s);
    uint32_t index = atomic_load_explicit(&s->near, memory_order_relaxed); /* R8 */
    for (uint32_t i = 0; i < c.n && self != KIN__NOBODY; i++) {
        index = (index - 1 < c.n ? index : c.n) - 1;
        uint64_t seen = atomic_load_explicit(&c.at[index], memory_order_relaxed);
        if (KIN__CELL_STATE(seen) != HELD || KIN__CELL_WHO(seen) != self) {
            continue;
        }
        KIN__STEP("semaphore.releasing");
        if (give_back(s, &c.at[index], seen)) {
            atomic_store_explicit(&s->near, index, memory_order_relaxed);
            return 0;
        }
    }
    return kin__fail(KIN_ESTATE, "kin_semaphore_release: this process has none of it");
}

/* How many can be had. */
static uint32_t count_free(const semaphore *s)
{
    uint32_t count = 0;
    kin__cells c = cells_of(s);
    for (uint32_t i = 0; i < c.n; i++) {
        count += may_take(atomic_load(&c.at[i]), true, &(kin__id){ KIN__NOBODY }) != 0;
    }
    return count;
}

unsigned kin__semaphore_held_by(const kin_semaphore *public, kin__id id)
{
    const semaphore *s = semaphore_at(public);
    kin__cells c = is_owned(s) ? cells_of(s) : (kin__cells){ NULL, 0 };
    unsigned count = 0;
    for (uint32_t i = 0; i < c.n; i++) {
        uint64_t cell = atomic_load_explicit(&c.at[i], memory_order_relaxed);
        count += KIN__CELL_STATE(cell) == HELD && KIN__CELL_WHO(cell) == id;
    }
    return count;
}

/* ---- verbs and questions ---------------------------------------------------------------- */

/* What cannot be had in passing. */
static int acquire(semaphore *s, double timeout)
{
    attempt a = { .s = s, .serial = kin__head_serial(s) };
    int rv = kin__deadline(timeout, &a.deadline);
    if (rv < 0) {
        return rv;
    }
    return is_owned(s) ? acquire_owned(&a) : acquire_plain(&a);
}

int kin_semaphore_acquire(kin_semaphore *public, double timeout)
{
    semaphore *s = semaphore_at(public);
    int rv = kin__head_check(s, KIN__SEMAPHORE, "kin_semaphore_acquire: the semaphore");
    bool is_number = timeout == timeout;
    if (rv < 0) {
        return kin__remote_acquire(s, KIN__SEMAPHORE, timeout, rv);
    }
    if (is_number && !is_owned(s) && take_at_once(s)) {
        return 0;
    }
    return acquire(s, timeout);
}

int kin_semaphore_release(kin_semaphore *public)
{
    semaphore *s = semaphore_at(public);
    int rv = kin__head_check(s, KIN__SEMAPHORE, "kin_semaphore_release: the semaphore");
    if (rv < 0) {
        return kin__remote_release(s, KIN__SEMAPHORE, rv);
    }
    return is_owned(s) ? release_owned(s) : release_plain(s);
}

int kin_semaphore_value(const kin_semaphore *public)
{
    const semaphore *s = semaphore_at(public);
    int rv = kin__head_check(s, KIN__SEMAPHORE, "kin_semaphore_value: the semaphore");
    if (rv < 0) {
        return -1;
    }
    uint32_t seen = atomic_load(&s->gate.word);
    return (int)(is_owned(s) ? count_free(s) : IS_CLOSED(seen) ? 0 : value_of(s, seen));
}

bool kin_semaphore_locked(const kin_semaphore *s)
{
    return kin__is_remote(s, KIN__SEMAPHORE) ? kin__remote_ask(s, KIN__SEMAPHORE, "locked", 0) > 0
                                             : kin_semaphore_value(s) == 0;
}
