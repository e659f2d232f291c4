/* change.c - steps that are done wholly or not at all, whoever is killed in them.
 *
 * Idea. Who changes a collection holds its lock, and first prepares all that is new in blocks of
 * his own. Then he writes a list of what is to be done into the collection, and does it. Each item
 * of the list can be done twice: so whoever finds the list of somebody who died does it again.
 *
 *     IDLE --- new blocks are listed ---> GIVING --- all are the family's ---> DOING
 *      ^ \________ one store, and nothing else ______________                    |
 *      |                                                     |                   v
 *      +-----------------------------------------------------+---------------- FREEING
 *
 * Rules.
 *   R1  The list is complete before the phase says that it is there.
 *   R2  A block is the family's only in GIVING or later: until then it goes with its maker.
 *   R3  In DOING it will be done, by whomever: words are stored in the order of the list, each in
 *       one piece. Then, in FREEING, blocks are freed, which a ref lets happen once; nothing is
 *       stored again there, for what was freed may be another's.
 *   R4  Readers see each store as it comes. So the order of the list is part of what each operation
 *       promises them.
 *   R5  Of a tree the root is given first and freed last: so who has to free what was given, or to
 *       go on freeing, finds all of it from the root.
 *   R6  Beyond its room nothing is listed; the list is too long then, and is not done.
 *   R7  To write one word where no block comes or goes, a lane is enough. There are some, so that
 *       such writers do not take each other's cache lines. Who has a lane looks whether the lock
 *       is free; who has the lock waits until each lane was: one of the two sees the other.
 *   R8  Lanes are made free before a new collection's lock is. So a lane that is still ours when
 *       the lock was free is of this collection, not of one that was freed here.
 *
 * Death. In IDLE: what was prepared is freed by the sweep of the dead. In GIVING: the next holder
 * frees what was given, the sweep the rest. In DOING or FREEING: the next holder does that again.
 * In a lane: the word is written or not, and the next one to have the lock frees the lane.
 *
 * Not here. The lock (sync/mutex.c), what is changed (list.c, table.c).
 */
#include "room.h"

enum { IDLE, GIVING, DOING, FREEING };

static uint64_t get(const kin__word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed); /* the lock has ordered it */
}

static void set(kin__word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release); /* stores stay in their order */
}

static uint32_t count(const _Atomic uint32_t *n, uint32_t most)
{
    uint32_t seen = atomic_load_explicit(n, memory_order_relaxed);
    return seen < most ? seen : most; /* it may be scribbled over */
}

static void set_count(_Atomic uint32_t *n, uint32_t value)
{
    atomic_store_explicit(n, value, memory_order_release); /* as set */
}

static uint32_t count_writes(const kin__change *c)
{
    return count(&c->writes, KIN__CHANGE_WRITES);
}

static uint32_t count_news(const kin__change *c)
{
    return count(&c->news, KIN__CHANGE_BLOCKS);
}

static uint32_t count_deads(const kin__change *c)
{
    return count(&c->deads, KIN__CHANGE_BLOCKS);
}

static void enter(kin__change *c, uint32_t phase)
{
    atomic_store_explicit(&c->phase, phase, memory_order_release); /* R1; pairs with the lock */
}

/* Trees are rare: their cache line is not taken from other writers without need. */
static void forget(kin__change *c)
{
    set_count(&c->writes, 0);
    set_count(&c->news, 0);
    set_count(&c->deads, 0);
    if ((get(&c->new_tree) | get(&c->dead_tree) | get(&c->dead_index)) != 0) {
        set(&c->new_tree, 0);
        set(&c->dead_tree, 0);
        set(&c->dead_index, 0);
    }
}

/* ---- the list ------------------------------------------------------------------------------- */

static bool is_block(uint64_t ref)
{
    return ref != 0 && !(ref & KIN__WORD_SMALL);
}

void kin__change_new(kin__change *c, uint64_t ref)
{
    uint32_t n = atomic_load_explicit(&c->news, memory_order_relaxed);
    if (!is_block(ref)) {
        return;
    }
    if (n < KIN__CHANGE_BLOCKS) {
        set(&c->new_[n], ref);
    } else {
        kin__value_drop(ref); /* R6 */
    }
    set_count(&c->news, n + 1);
}

void kin__change_write(kin__change *c, kin__word *at, uint64_t value)
{
    uint32_t n = atomic_load_explicit(&c->writes, memory_order_relaxed);
    if (n < KIN__CHANGE_WRITES) {
        set(&c->write[n].at, (uintptr_t)at);
        set(&c->write[n].value, value);
    }
    set_count(&c->writes, n + 1);
}

void kin__change_dead(kin__change *c, uint64_t ref)
{
    uint32_t n = atomic_load_explicit(&c->deads, memory_order_relaxed);
    if (!is_block(ref)) {
        return;
    }
    if (n < KIN__CHANGE_BLOCKS) {
        set(&c->dead[n], ref);
    }
    set_count(&c->deads, n + 1);
}

void kin__change_new_tree(kin__change *c, uint64_t root)
{
    set(&c->new_tree, root);
}

void kin__change_dead_tree(kin__change *c, uint64_t root, kin__contents contents)
{
    set(&c->dead_tree, root);
    set_count(&c->dead_contents, (uint32_t)contents);
}

void kin__change_dead_index(kin__change *c, uint64_t root)
{
    set(&c->dead_index, root);
}

bool kin__change_is_writing(const kin__change *c)
{
    return atomic_load_explicit(&c->phase, memory_order_acquire) == DOING; /* pairs with enter */
}

uint64_t kin__change_read(kin__change *c, const kin__word *at)
{
    for (uint32_t i = count_writes(c); i-- > 0;) {
        if (get(&c->write[i].at) == (uintptr_t)at) {
            return get(&c->write[i].value);
        }
    }
    return get(at);
}

/* ---- doing it ------------------------------------------------------------------------------- */

static void give_all(kin__change *c)
{
    uint32_t n = count_news(c);
    for (uint32_t i = 0; i < n; i++) {
        kin__value_give(get(&c->new_[i]));
        KIN__STEP("change.gave");
    }
    kin__radix_give(get(&c->new_tree));
}

static void store(const struct kin__change_write *write)
{
    kin__word *at = (kin__word *)(uintptr_t)get(&write->at);
    if (kin__in_domain(at, sizeof *at) && (uintptr_t)at % sizeof *at == 0) {
        atomic_store_explicit(at, get(&write->value), memory_order_release); /* with kin__peek */
    }
}

/* In FREEING. */
static void free_all(kin__change *c)
{
    uint32_t n = count_deads(c);
    for (uint32_t i = 0; i < n; i++) {
        (void)kin__block_discard(get(&c->dead[i]));
        KIN__STEP("change.freed");
    }
    kin__contents contents =
        (kin__contents)atomic_load_explicit(&c->dead_contents, memory_order_relaxed);
    kin__radix_drop(get(&c->dead_tree), contents);
    kin__index_drop(get(&c->dead_index));
    enter(c, IDLE);
    KIN__STEP("change.done");
}

/* From DOING on: R3. */
static void finish(kin__change *c)
{
    uint32_t n = count_writes(c);
    for (uint32_t i = 0; i < n; i++) {
        store(&c->write[i]);
        KIN__STEP("change.written");
    }
    enter(c, FREEING);
    KIN__STEP("change.freeing");
    free_all(c);
}

static bool is_too_long(const kin__change *c)
{
    return atomic_load_explicit(&c->writes, memory_order_relaxed) > KIN__CHANGE_WRITES ||
           atomic_load_explicit(&c->news, memory_order_relaxed) > KIN__CHANGE_BLOCKS ||
           atomic_load_explicit(&c->deads, memory_order_relaxed) > KIN__CHANGE_BLOCKS;
}

int kin__change_commit(kin__change *c)
{
    if (is_too_long(c)) {
        kin__change_undo(c);
        return kin__fail(KIN_ECORRUPT, "a step of a shared collection has too many parts");
    }
    uint32_t news = count_news(c);
    bool is_new = news + get(&c->new_tree) != 0;
    bool is_old = count_deads(c) + get(&c->dead_tree) + get(&c->dead_index) != 0;
    if (!is_new && !is_old && count_writes(c) == 1) {
        store(&c->write[0]); /* that is one step by itself */
        forget(c);
        return 0;
    }
    KIN__STEP("change.listed");
    if (is_new) {
        enter(c, GIVING);
        KIN__STEP("change.giving");
        give_all(c);
        KIN__STEP("change.given");
    }
    enter(c, DOING);
    KIN__STEP("change.doing");
    finish(c);
    forget(c);
    return 0;
}

void kin__change_undo(kin__change *c)
{
    uint32_t n = count_news(c);
    for (uint32_t i = 0; i < n; i++) {
        kin__value_drop(get(&c->new_[i]));
        KIN__STEP("change.undone");
    }
    kin__radix_drop(get(&c->new_tree), KIN__NODES);
    forget(c);
}

/* ---- the lock ------------------------------------------------------------------------------- */

static void recover(kin__change *c)
{
    KIN__STEP("change.recovering");
    switch (atomic_load_explicit(&c->phase, memory_order_relaxed)) {
    case GIVING:
        kin__change_undo(c);
        break;
    case DOING:
        finish(c);
        break;
    case FREEING:
        free_all(c);
        break;
    default:
        break;
    }
    enter(c, IDLE);
    KIN__STEP("change.recovered");
}

static uint64_t our_word(void)
{
    kin__id self = kin__self();
    return self == KIN__NOBODY ? 0 : kin__mutex_word(self, kin__this_thread());
}

static int wait_for(kin__mutex *mutex, kin__type type, uint64_t mine, const char *what)
{
    if (kin__mutex_is_held_by(atomic_load(&mutex->word), mine)) {
        return kin__fail(KIN_EDEADLK, "%s is being changed by this thread, in kin_..._apply", what);
    }
    return kin__mutex_wait(mutex, type, mine, KIN__NEVER, what);
}

static void release(kin__mutex *mutex)
{
    uint64_t mine = our_word();
    uint64_t seen = atomic_load(&mutex->word);
    while (kin__mutex_is_held_by(seen, mine) && !kin__mutex_release(mutex, &seen)) {
    }
}

/* R7 */
static int empty_lanes(kin__change *c, kin__type type, uint64_t mine, const char *what)
{
    for (unsigned i = 0; i < KIN__CHANGE_LANES; i++) {
        kin__mutex *lane = &c->lane[i].mutex;
        uint64_t seen = atomic_load(&lane->word);
        int rv = seen == 0 ? 0 : wait_for(lane, type, mine, what);
        if (rv < 0) {
            return rv;
        }
        if (seen != 0) {
            release(lane);
        }
    }
    return 0;
}

int kin__change_begin(kin__change *c, kin__type type, const char *what)
{
    int rv = kin__head_check(c, type, what);
    uint64_t mine = rv < 0 ? 0 : our_word();
    if (mine == 0) {
        return rv < 0 ? rv : kin__failure();
    }
    if (!kin__mutex_take_free(&c->lock, mine)) {
        rv = wait_for(&c->lock, type, mine, what);
    } else if (kin__head_check(c, type, what) < 0) {
        release(&c->lock);
        rv = kin__fail(KIN_ECLOSED, "%s was freed meanwhile", what);
    }
    if (rv < 0) {
        return rv;
    }
    if (rv == KIN_OWNER_DIED) {
        recover(c);
    }
    rv = empty_lanes(c, type, mine, what);
    if (rv < 0) {
        release(&c->lock);
        return rv;
    }
    forget(c);
    return 0;
}

void kin__change_end(kin__change *c)
{
    if (count_news(c) + get(&c->new_tree) != 0) {
        kin__change_undo(c);
    }
    release(&c->lock);
}

/* ---- lanes ---------------------------------------------------------------------------------- */

static bool is_free(const kin__change *c)
{
    return atomic_load(&c->lock.word) == 0;
}

kin__mutex *kin__change_enter_lane(kin__change *c)
{
    uint64_t mine = is_free(c) ? our_word() : 0;
    for (unsigned i = 0; i < KIN__CHANGE_LANES && mine != 0; i++) {
        uint64_t first = kin__mutex_holder(mine) + kin__mutex_thread(mine);
        kin__mutex *lane = &c->lane[(first + i) % KIN__CHANGE_LANES].mutex;
        if (!kin__mutex_take_free(lane, mine)) {
            continue;
        }
        KIN__STEP("change.lane");
        if (is_free(c) && atomic_load(&lane->word) == mine) { /* R7; R8 */
            return lane;
        }
        release(lane);
        return NULL;
    }
    return NULL;
}

void kin__change_leave_lane(kin__mutex *lane)
{
    release(lane);
}

/* ---- the beginning and the end -------------------------------------------------------------- */

void kin__change_init(kin__change *c, kin__type type)
{
    enter(c, IDLE);
    for (unsigned i = 0; i < KIN__CHANGE_LANES; i++) {
        kin__mutex_begin(&c->lane[i].mutex, type);
    }
    kin__mutex_begin(&c->lock, type); /* R8 */
}

/* Whether it had ended, and who ended it was killed before he freed the block. The ref was taken
 * before: so it is not a later one's. */
static bool end_of_the_dead(const kin__change *c, kin__type type, kin__ref ref)
{
    uint32_t kind = atomic_load(&c->lock.head.kind);
    return kind == (KIN__HEAD_OF(type) | KIN__HEAD_ENDED) && kin__block_discard(ref);
}

void kin__change_free(kin__change *c, kin__type type, void (*empty)(kin__change *c),
                      const char *what)
{
    kin__ref ref = c == NULL ? 0 : kin__block_ref(c);
    if (c == NULL || (ref != 0 && end_of_the_dead(c, type, ref))) {
        return;
    }
    if (!kin__head_may_end(c, type, true, what)) {
        return;
    }
    uint32_t serial = kin__head_serial(c);
    kin__os_shield(); /* nobody would free it later */
    int rv = kin__change_begin(c, type, what);
    kin__os_unshield();
    if (rv == 0) {
        empty(c);
        KIN__STEP("change.emptied");
    } else if (rv != KIN_ECLOSED || !kin__head_is_still(c, type, serial)) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
        return;
    }
    if (kin__mutex_end(&c->lock, type, true, what)) {
        KIN__STEP("change.ended");
        (void)kin__block_discard(ref);
    }
}
