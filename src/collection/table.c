/* table.c - entries in a table: read without the lock, changed with it. See table.h.
 *
 * Rules, beside those there.
 *   R6  Readers try some times, and then take the lock: a call that ends in any case.
 *   R7  How many there are is written after the values. So it is asked while no change is being
 *       written: in between, others may have seen the new entry already.
 *   R8  A key's value is one word. To replace it is to write that: the old block is freed after it,
 *       and who is reading finds his copy no good.
 *   R9  Where neither the old word nor the new one has a block, there is nothing to be freed, and
 *       nothing to be done again: that is one CAS, in a lane. It is the step, and loses none.
 *   R10 What was there before the lock is there if the index leads to it still. What was not there
 *       is not, if no key came since in this life: the position of the next one tells, which only
 *       grows.
 *
 * Death. A table is freed as it is cleared, in one change, to life 0. Who finds that life under the
 * lock leaves; who frees it once more does the rest.
 */
#include "table.h"

#define TRIES 64

static const char corrupt[] = "%s is scribbled over";

/* ---- life ------------------------------------------------------------------------------------ */

/* Differs from all before it, and is not 0. */
static uint64_t next_life(uint64_t life)
{
    uint64_t next = (life ^ life >> 31) * UINT64_C(0xbf58476d1ce4e5b9) + 1;
    return next != 0 ? next : 1;
}

/* Nobody outside the family can know it. */
static uint64_t secret(void)
{
    static _Atomic uint64_t kept;
    uint64_t drawn = atomic_load_explicit(&kept, memory_order_relaxed);
    if (drawn == 0) {
        (void)kin__os_random(&drawn, sizeof drawn);
        atomic_store_explicit(&kept, drawn, memory_order_relaxed);
    }
    return drawn;
}

kin__table *kin__table_new(kin__type type)
{
    kin__table *t = kin__head_new(sizeof *t, type);
    if (t == NULL) {
        return NULL;
    }
    uint64_t life = next_life(kin__block_ref(t));
    kin__fill(&t->life, life);
    kin__fill(&t->seed, next_life(secret() ^ life));
    kin__fill(&t->directory, 0);
    kin__fill(&t->order.root, 0);
    kin__fill(&t->version, 0);
    kin__fill(&t->count, 0);
    kin__fill(&t->next, 0);
    kin__change_init(&t->change, type);
    return t;
}

/* Another life, or none. */
static int empty(kin__table *t, uint64_t life)
{
    kin__change *c = &t->change;
    kin__change_dead_tree(c, kin__peek(&t->order.root), KIN__ENTRIES);
    kin__change_dead_index(c, kin__peek(&t->directory));
    kin__change_write(c, &t->life, life);
    kin__change_write(c, &t->directory, 0);
    kin__change_write(c, &t->order.root, 0);
    kin__change_write(c, &t->version, kin__peek(&t->version) + 1);
    kin__change_write(c, &t->count, 0);
    return kin__change_commit(c);
}

int kin__table_clear(const kin__on *on)
{
    return empty(on->table, next_life(kin__peek(&on->table->life)));
}

static void empty_for_good(kin__change *c)
{
    (void)empty((kin__table *)(void *)c, 0); /* so few writes fit */
}

void kin__table_free(const kin__on *on)
{
    if (on->table != NULL) {
        kin__change_free(&on->table->change, on->type, empty_for_good, on->what);
    }
}

static int fail_freed(const kin__on *on)
{
    return kin__fail(KIN_EFREED, "%s was freed", on->what);
}

int kin__table_enter(const kin__on *on)
{
    int rv = kin__change_begin(&on->table->change, on->type, on->what);
    if (rv == 0 && kin__peek(&on->table->life) == 0) { /* R5 */
        kin__change_end(&on->table->change);
        return fail_freed(on);
    }
    return rv;
}

void kin__table_leave(const kin__on *on)
{
    kin__change_end(&on->table->change);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What a reader's try is about. */
typedef struct question {
    const kin__on *on;
    const kin__key *key;
    kin_obj *value; /* NULL: only whether it is there */
    uint64_t *pos;  /* of who goes through all */
    kin_obj *ret_key;
} question;

/* Tries it without the lock, and at last with it. */
static int ask(const question *q, int (*attempt)(const question *q))
{
    int rv = KIN__AGAIN;
    for (int i = 0; i < TRIES && rv == KIN__AGAIN; i++) {
        rv = attempt(q);
    }
    if (rv != KIN__AGAIN) {
        return rv;
    }
    rv = kin__table_enter(q->on);
    if (rv < 0) {
        return rv;
    }
    rv = attempt(q);
    kin__table_leave(q->on);
    return rv != KIN__AGAIN ? rv : kin__fail(KIN_ECORRUPT, corrupt, q->on->what);
}

/* Of an entry that was good after the word was loaded: R2. */
static int read_word(uint64_t word, kin_obj *ret)
{
    if (word == 0 || ret == NULL) {
        return word != 0 ? KIN__FOUND : KIN__MISSING;
    }
    int rv = kin__value_read(word, ret);
    return rv == 0 ? KIN__AGAIN : rv;
}

static int try_get(const question *q)
{
    kin__spot spot;
    int rv = kin__index_find(q->on->table, q->key, &spot);
    if (rv != KIN__FOUND) {
        return rv;
    }
    uint64_t word = kin__peek(&spot.entry->value);
    return kin__index_holds(q->on->table, &spot) ? read_word(word, q->value) : KIN__AGAIN;
}

static int look_up(const kin__on *on, const kin__key *key, kin_obj *ret)
{
    const question q = { .on = on, .key = key, .value = ret };
    int rv = ask(&q, try_get);
    return rv == KIN__MISSING && kin__peek(&on->table->life) == 0 ? fail_freed(on) : rv;
}

int kin__table_get(const kin__on *on, const kin__key *key, kin_obj *ret)
{
    return look_up(on, key, ret);
}

int kin__table_has(const kin__on *on, const kin__key *key)
{
    return look_up(on, key, NULL);
}

/* R7 */
int64_t kin__table_len(const kin__on *on)
{
    kin__table *t = on->table;
    for (int i = 0; i < TRIES; i++) {
        bool still = !kin__change_is_writing(&t->change);
        uint64_t count = kin__peek(&t->count);
        if (still) {
            return kin__peek(&t->life) != 0 ? (int64_t)count : fail_freed(on);
        }
    }
    int rv = kin__table_enter(on);
    if (rv < 0) {
        return rv;
    }
    int64_t count = (int64_t)kin__peek(&t->count);
    kin__table_leave(on);
    return count;
}

/* ---- one after the other --------------------------------------------------------------------- */

/* Key and value of the entry at a position: KIN__MISSING when it has none (any more). */
static int read_both(const question *q, kin__ref ref, uint64_t position)
{
    kin__entry *e = kin__block_place(ref, sizeof *e);
    if (e == NULL || kin__peek(&e->life) != kin__peek(&q->on->table->life) ||
        kin__peek(&e->position) != position) {
        return KIN__AGAIN;
    }
    kin_obj value = kin_none();
    uint64_t word = kin__peek(&e->value);
    if (!kin__block_is_shared(ref)) {
        return KIN__AGAIN;
    }
    int seen = read_word(word, q->value != NULL ? &value : NULL);
    if (seen != KIN__FOUND) {
        return seen;
    }
    int rv = q->ret_key != NULL ? kin__entry_key(e, ref, q->ret_key) : 1;
    if (rv != 1) {
        kin_release(value);
        return rv == 0 ? KIN__AGAIN : rv;
    }
    if (q->value != NULL) {
        *q->value = value;
    }
    return KIN__FOUND;
}

/* That nothing lies between is true if no node was taken out while we looked. */
static int try_next(const question *q)
{
    kin__table *t = q->on->table;
    for (uint64_t position = *q->pos;; position++) {
        uint64_t version = kin__peek(&t->version);
        uint64_t word;
        bool any = kin__radix_next(&t->order, &position, &word);
        if (kin__peek(&t->version) != version) {
            return KIN__AGAIN;
        }
        int rv = any ? read_both(q, word, position) : KIN__MISSING;
        if (rv == KIN__FOUND) {
            *q->pos = position + 1;
        }
        if (!any || rv != KIN__MISSING) {
            return rv;
        }
    }
}

int kin__table_next(const kin__on *on, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value)
{
    const question q = { .on = on, .value = ret_value, .pos = pos, .ret_key = ret_key };
    int rv = ask(&q, try_next);
    return rv == KIN__MISSING && kin__peek(&on->table->life) == 0 ? fail_freed(on) : rv;
}

int kin__table_each(const kin__on *on, const kin__tour *tour)
{
    uint64_t pos = 0;
    for (;;) {
        kin_obj key = kin_none();
        kin_obj value = kin_none();
        const question q = { .on = on,
                             .pos = &pos,
                             .value = tour->values ? &value : NULL,
                             .ret_key = tour->keys ? &key : NULL };
        int rv = try_next(&q);
        if (rv != KIN__FOUND) {
            return rv == KIN__AGAIN ? kin__fail(KIN_ECORRUPT, corrupt, on->what) : rv;
        }
        rv = tour->visit(key, value, tour->ctx);
        if (rv < 0) {
            return rv;
        }
    }
}

/* ---- changing one word ----------------------------------------------------------------------- */

static bool renew(kin__word *value, kin__table_next_word next, void *ctx)
{
    uint64_t old = kin__peek(value);
    uint64_t word;
    do {
        if (!(old & KIN__WORD_SMALL) || !next(old, ctx, &word)) {
            return false;
        }
    } while (!atomic_compare_exchange_strong(value, &old, word));
    KIN__STEP("table.renewed");
    return true;
}

/* The lane is held for the proof and the CAS only: meanwhile what the index leads to stays. */
bool kin__table_renew(const kin__on *on, const kin__glance *glance, kin__table_next_word next,
                      void *ctx)
{
    kin__table *t = on->table;
    const kin__spot *spot = &glance->spot;
    kin__mutex *lane = glance->seen == KIN__FOUND ? kin__change_enter_lane(&t->change) : NULL;
    if (lane == NULL) {
        return false;
    }
    bool done = kin__index_holds(t, spot) && renew(&spot->entry->value, next, ctx);
    kin__change_leave_lane(lane);
    return done;
}

/* ---- changing: all of it with the lock ------------------------------------------------------- */

int kin__table_find(const kin__on *on, const kin__key *key, kin__spot *ret)
{
    int rv = kin__index_find(on->table, key, ret);
    return rv == KIN__AGAIN ? kin__fail(KIN_ECORRUPT, corrupt, on->what) : rv;
}

void kin__table_glance(const kin__on *on, const kin__key *key, kin__glance *ret)
{
    ret->life = kin__peek(&on->table->life);
    ret->next = kin__peek(&on->table->next);
    ret->seen = kin__index_find(on->table, key, &ret->spot);
}

/* R10 */
static bool is_still(const kin__table *t, const kin__glance *glance)
{
    if (glance->seen == KIN__FOUND) {
        return kin__index_holds(t, &glance->spot);
    }
    return glance->seen == KIN__MISSING && kin__peek(&t->life) == glance->life &&
           kin__peek(&t->next) == glance->next;
}

int kin__table_find_again(const kin__on *on, const kin__key *key, kin__glance *glance)
{
    return is_still(on->table, glance) ? glance->seen : kin__table_find(on, key, &glance->spot);
}

int kin__table_value(const kin__on *on, const kin__spot *spot, kin_obj *ret)
{
    int seen = read_word(kin__peek(&spot->entry->value), ret);
    if (seen == KIN__FOUND || seen < 0) {
        return seen < 0 ? seen : 0;
    }
    return kin__fail(KIN_ECORRUPT, corrupt, on->what);
}

int kin__table_insert(const kin__on *on, const kin__key *key, uint64_t word)
{
    kin__table *t = on->table;
    kin__change *c = &t->change;
    uint64_t position = kin__peek(&t->next);
    kin__change_new(c, word);
    kin__entry *e = kin__entry_new(t, key, position);
    if (e == NULL) {
        return kin__failure();
    }
    kin__ref ref = kin__block_ref(e);
    kin__change_new(c, ref);
    int rv = kin__radix_put(c, &t->order, position, ref); /* R3 of table.h */
    if (rv == 0) {
        rv = kin__index_put(t, key->hash, ref);
    }
    if (rv < 0) {
        return rv;
    }
    kin__change_write(c, &e->value, word);
    kin__change_write(c, &t->count, kin__peek(&t->count) + 1);
    kin__change_write(c, &t->next, position + 1);
    return kin__change_commit(c);
}

int kin__table_replace(const kin__on *on, const kin__spot *spot, uint64_t word)
{
    kin__change *c = &on->table->change;
    kin__change_new(c, word); /* R8 */
    kin__change_write(c, &spot->entry->value, word);
    kin__change_dead(c, kin__peek(&spot->entry->value));
    return kin__change_commit(c);
}

int kin__table_remove(const kin__on *on, const kin__spot *spot)
{
    kin__table *t = on->table;
    kin__change *c = &t->change;
    kin__entry *e = spot->entry;
    if (kin__peek(&t->count) <= 1) {
        return kin__table_clear(on);
    }
    kin__change_write(c, &e->value, 0);
    kin__index_remove(t, spot);
    kin__radix_clear(c, &t->order, kin__peek(&e->position), kin__peek(&t->next));
    kin__change_write(c, &t->version, kin__peek(&t->version) + 1);
    kin__change_write(c, &t->count, kin__peek(&t->count) - 1);
    kin__change_dead(c, kin__peek(&e->value));
    kin__change_dead(c, spot->ref);
    return kin__change_commit(c);
}
