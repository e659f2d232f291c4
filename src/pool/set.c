/* set.c - which of many tasks are over: told by those who end them, bit by bit.
 *
 * Idea. Who waits for n tasks would look at n words after each wake-up. So a task points to a set,
 * and to its place there; whoever ends it sets its bit, the bit of that word, and opens the gate.
 * The waiter takes whole words, and has looked at each task once when all are over.
 *
 *      task --> set of 4096                top                     waiter
 *               bits  0100 0000 ...        bits  1 0 0 ...         sleeps at top->told, then takes
 *               words 1 0 0 ...    --up--> words 1        --gate-> words, bits, words, bits
 *
 * A set that counts keeps its bits, and passes on only that it is full; the one above it ends a
 * task in parts (map.c).
 *
 * Rules.
 *   R1  Telling is: the bit, the bit of its word, then what is above, then the gate. All of it may
 *       be done again; taking goes the other way round, by exchanges.
 *   R2  Who joins a task writes its set, then its place, then asks to be told; if the task was over
 *       by then, he tells the set himself. So a teller who saw an old place harms nobody.
 *   R3  Sets are of a stable type, and all of one size: who tells late writes into a set that may
 *       be somebody else's by now, and sets a bit too much. Who takes a bit looks at the task.
 *   R4  A task in parts is not ended by such a one: its state has a number that the set knows, too.
 *       Its set may be full too early, so who collects the parts waits for each of them.
 *
 * Death. Who tells stands in the task's state till he has done so: his supervisor tells again (R1).
 * The waiter's sets are his own: the sweep frees them, and who tells finds none.
 *
 * Not here. Waiting: many.c. What callbacks do with it: callback.c.
 */
#include "many.h"

#include <string.h>

/* ---- telling --------------------------------------------------------------------------------- */

/* R1. Whether what is above shall be told. */
static bool note(kin__set *set, uint32_t place)
{
    _Atomic uint64_t *word = &set->bits[place / 64];
    uint64_t bit = (uint64_t)1 << place % 64;
    uint64_t word_bit = (uint64_t)1 << place / 64;
    bool full = (atomic_fetch_or(word, bit) | bit) == UINT64_MAX;
    KIN__STEP("set.bit");
    if (set->counts != 0) {
        return full && (atomic_fetch_or(&set->words, word_bit) | word_bit) == UINT64_MAX;
    }
    atomic_fetch_or(&set->words, word_bit);
    KIN__STEP("set.word");
    return true;
}

/* The set of a ref, and above it the next, which are three at the most. */
static void tell(kin__ref ref, uint32_t place)
{
    for (int i = 0; i < 3; i++) {
        kin__set *set = kin__block_find(ref, KIN__TOLD);
        if (set == NULL || place >= KIN__SET_ROOM || !note(set, place)) {
            return;
        }
        place = set->place;
        ref = atomic_load(&set->up);
        KIN__STEP("set.noted");
        kin__gate_open(&set->told);
        kin__task *parts = set->counts != 0 ? kin__block_find(ref, KIN__TASK) : NULL;
        if (parts != NULL) {
            kin__task_whole(parts, place); /* R4 */
            return;
        }
    }
}

void kin__set_tell(kin__task *task)
{
    for (unsigned i = 0; i < KIN__SETS; i++) {
        kin__ref ref = atomic_load(&task->sets[i]);
        if (ref != 0) {
            tell(ref, atomic_load(&task->places[i]));
        }
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

/* For `n` tasks or sets; a set that counts has the rest already. */
static kin__set *new_set(size_t n, bool counts)
{
    kin__set *set = kin__block_new(sizeof *set, KIN__TOLD);
    if (set == NULL) {
        return NULL;
    }
    uint64_t full_words = 0;
    for (unsigned w = 0; w < KIN__SET_WORDS; w++) {
        size_t left = n > (size_t)w * 64 ? n - (size_t)w * 64 : 0;
        uint64_t rest = left == 0 ? UINT64_MAX : left >= 64 ? 0 : UINT64_MAX << left;
        atomic_store_explicit(&set->bits[w], counts ? rest : 0, memory_order_relaxed);
        full_words |= (uint64_t)(left == 0) << w;
    }
    atomic_store(&set->words, counts ? full_words : 0);
    atomic_store(&set->up, 0);
    set->counts = counts;
    set->place = 0;
    kin__gate_renew(&set->told);
    return set;
}

static int add_set(kin__crowd *crowd, size_t n, bool counts)
{
    kin__set *set = new_set(n, counts);
    if (set == NULL) {
        return kin__failure();
    }
    set->place = (uint32_t)crowd->n;
    atomic_store(&set->up, kin__block_ref(crowd->top));
    crowd->sets[crowd->n++] = set;
    return 0;
}

static int make_room(kin__crowd *crowd, size_t sets)
{
    if (sets <= crowd->most) {
        return 0;
    }
    if (sets > KIN__SET_ROOM) {
        return kin__fail(KIN_ERANGE, "more than %zu tasks at once", KIN__CROWD_MOST);
    }
    kin__set **room = kin__os_realloc(crowd->sets, sets * sizeof *room);
    if (room == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory to wait for %zu tasks", sets * KIN__SET_ROOM);
    }
    crowd->sets = room;
    crowd->most = sets;
    return 0;
}

int kin__crowd_new(kin__crowd *crowd, size_t n, kin__task *parts, uint32_t number)
{
    size_t sets = n / KIN__SET_ROOM + (n % KIN__SET_ROOM != 0 || n == 0);
    *crowd = (kin__crowd){ 0 };
    int rv = make_room(crowd, sets);
    if (rv == 0) {
        crowd->top = new_set(sets, parts != NULL);
        rv = crowd->top == NULL ? kin__failure() : 0;
    }
    if (rv == 0 && parts != NULL) {
        crowd->top->place = number;
        atomic_store(&crowd->top->up, kin__block_ref(parts));
    }
    for (size_t i = 0; rv == 0 && i < sets; i++) {
        size_t left = n - i * KIN__SET_ROOM;
        rv = add_set(crowd, left < KIN__SET_ROOM ? left : KIN__SET_ROOM, parts != NULL);
    }
    if (rv < 0) {
        kin__crowd_end(crowd);
    }
    return rv;
}

int kin__crowd_grow(kin__crowd *crowd)
{
    int rv = make_room(crowd, crowd->n + 1);
    return rv < 0 ? rv : add_set(crowd, KIN__SET_ROOM, false);
}

void kin__crowd_end(kin__crowd *crowd)
{
    for (size_t i = 0; i < crowd->n; i++) {
        kin__block_free(crowd->sets[i]);
    }
    if (crowd->top != NULL) {
        kin__block_free(crowd->top);
    }
    kin__os_free(crowd->sets);
    *crowd = (kin__crowd){ 0 };
}

/* ---- who is in it ---------------------------------------------------------------------------- */

int kin__crowd_join(kin__crowd *crowd, size_t index, kin__task *task, unsigned which)
{
    kin__ref none = 0;
    kin__ref ref = kin__block_ref(crowd->sets[index / KIN__SET_ROOM]);
    uint32_t place = (uint32_t)(index % KIN__SET_ROOM);
    if (!atomic_compare_exchange_strong(&task->sets[which], &none, ref)) {
        return kin__fail(KIN_ESTATE, "somebody waits for this future, among others, already");
    }
    atomic_store(&task->places[which], place); /* R2 */
    kin__task_watch(task);
    if (kin__task_is_over(task)) {
        tell(ref, place);
    }
    return 0;
}

void kin__crowd_leave(kin__crowd *crowd, size_t index, kin__task *task, unsigned which)
{
    kin__ref ours = kin__block_ref(crowd->sets[index / KIN__SET_ROOM]);
    atomic_compare_exchange_strong(&task->sets[which], &ours, 0);
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Visits the bits of a set, and takes them out: R1. */
static void take(kin__set *set, size_t first, void (*visit)(void *ctx, size_t index), void *ctx)
{
    uint64_t words = atomic_load(&set->words) != 0 ? atomic_exchange(&set->words, 0) : 0;
    for (; words != 0; words &= words - 1) {
        unsigned w = (unsigned)__builtin_ctzll(words);
        uint64_t bits = atomic_exchange(&set->bits[w], 0);
        for (; bits != 0; bits &= bits - 1) {
            visit(ctx, first + (size_t)w * 64 + (unsigned)__builtin_ctzll(bits));
        }
    }
}

typedef struct taking {
    kin__crowd *crowd;
    void (*visit)(void *ctx, size_t index);
    void *ctx;
} taking;

static void take_below(void *ctx, size_t index)
{
    const taking *t = ctx;
    if (index < t->crowd->n) {
        take(t->crowd->sets[index], index * KIN__SET_ROOM, t->visit, t->ctx);
    }
}

void kin__crowd_take(kin__crowd *crowd, void (*visit)(void *ctx, size_t index), void *ctx)
{
    taking t = { .crowd = crowd, .visit = visit, .ctx = ctx };
    take(crowd->top, 0, take_below, &t);
}
