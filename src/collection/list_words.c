/* list_words.c - the words of a shared list, under its lock: see list.h. */
#include "list.h"

#include <string.h>

#define CHUNK 8 /* values of one step: with all nodes that they may need they fit into a change */

static uint64_t get(const kin__word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed); /* under the lock */
}

/* ---- in and out ------------------------------------------------------------------------------ */

/* So many words are in the tree, or could be. What is counted after this is less than the memory
 * that the family has: so it ends, and fits into this process's, too. */
static bool is_sound(const kin__list *l)
{
    uint64_t begin = get(&l->begin);
    uint64_t end = get(&l->end);
    uint64_t rest = get(&l->rest);
    uint64_t reach = kin__radix_reach(&l->words);
    return begin <= end && end <= reach && rest <= reach - end &&
           kin__domain_has((end - begin + rest) * sizeof(kin__word));
}

int kin__list_enter(kin__list *l, const char *what)
{
    int rv = kin__change_begin((kin__change *)(void *)l, KIN__SHARED_LIST, what); /* NULL, too */
    if (rv == 0 && !is_sound(l)) {
        kin__change_end(&l->change);
        return kin__fail(KIN_ECORRUPT, "%s is scribbled over", what);
    }
    if (rv == 0 && get(&l->rest) != 0) {
        kin__list_clean(l); /* of somebody who died */
    }
    return rv;
}

void kin__list_leave(kin__list *l)
{
    kin__change_end(&l->change);
}

void kin__list_stir(kin__list *l)
{
    kin__change_write(&l->change, &l->version, get(&l->version) + 1);
}

void kin__list_settle(kin__list *l)
{
    kin__change_write(&l->change, &l->version, get(&l->version) + 2);
}

/* ---- looking --------------------------------------------------------------------------------- */

uint64_t kin__list_count(const kin__list *l)
{
    return get(&l->end) - get(&l->begin);
}

uint64_t kin__list_word(const kin__list *l, uint64_t index)
{
    const kin__word *at = kin__radix_at(&l->words, get(&l->begin) + index);
    return at != NULL ? get(at) : 0;
}

static int fail_lacking(void)
{
    return kin__fail(KIN_ECORRUPT, "a shared list lacks an item");
}

int kin__list_read(const kin__list *l, uint64_t index, kin_obj *ret)
{
    int rv = kin__value_read(kin__list_word(l, index), ret);
    return rv > 0 ? 0 : rv < 0 ? rv : fail_lacking();
}

int kin__list_index(int64_t index, uint64_t n, const char *verb, uint64_t *ret)
{
    uint64_t at = index < 0 ? (uint64_t)index + n : (uint64_t)index;
    if (at >= n) {
        return kin__fail(KIN_ERANGE, "%s: no index %lld in a list of %llu", verb, (long long)index,
                         (unsigned long long)n);
    }
    *ret = at;
    return 0;
}

int kin__list_make(kin_obj value, const char *verb, uint64_t *ret_word)
{
    int rv = kin__obj_check(value, verb);
    return rv < 0 ? rv : kin__value_make(value, ret_word);
}

int kin__list_check_items(kin_obj items, const char *verb)
{
    int rv = kin__obj_check(items, verb);
    bool fits = kin_type_of(items) == KIN_TYPE_LIST || kin_type_of(items) == KIN_TYPE_TUPLE;
    return rv < 0 || fits ? rv : kin__fail(KIN_ETYPE, "%s: items come as a list or tuple", verb);
}

/* ---- behind the end -------------------------------------------------------------------------- */

/* Lists a few of them to be put behind the rest. */
static int put_chunk(kin__list *l, kin_obj items, size_t from, size_t n, const char *verb)
{
    uint64_t at = get(&l->end) + get(&l->rest);
    for (size_t i = 0; i < n; i++) {
        uint64_t word = 0;
        int rv = kin__list_make(kin_at(items, from + i), verb, &word);
        if (rv == 0) {
            kin__change_new(&l->change, word);
            rv = kin__radix_put(&l->change, &l->words, at + i, word);
        }
        if (rv < 0) {
            kin__change_undo(&l->change);
            return rv;
        }
    }
    return 0;
}

int kin__list_stash(kin__list *l, kin_obj items, const char *verb)
{
    size_t n = kin_len(items);
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t few = n - i < CHUNK ? n - i : CHUNK;
        int rv = put_chunk(l, items, i, few, verb);
        if (rv == 0) {
            kin__change_write(&l->change, &l->rest, get(&l->rest) + few);
            rv = kin__change_commit(&l->change);
        }
        if (rv < 0) {
            kin__list_clean(l);
            return rv;
        }
        KIN__STEP("list.stashed");
    }
    return 0;
}

void kin__list_clean(kin__list *l)
{
    int rv = 0;
    for (uint64_t rest = get(&l->rest); rest > 0 && rv == 0;) {
        for (int i = 0; i < CHUNK && rest > 0; i++) {
            uint64_t at = get(&l->end) + --rest;
            const kin__word *word = kin__radix_at(&l->words, at);
            kin__change_dead(&l->change, word != NULL ? get(word) : 0);
            kin__radix_clear(&l->change, &l->words, at, UINT64_MAX);
        }
        kin__change_write(&l->change, &l->rest, rest);
        rv = kin__change_commit(&l->change);
        KIN__STEP("list.cleaned");
    }
}

int kin__list_admit(kin__list *l)
{
    kin__change_write(&l->change, &l->end, get(&l->end) + get(&l->rest));
    kin__change_write(&l->change, &l->rest, 0);
    return kin__change_commit(&l->change);
}

/* R5. */
static int make_way(kin__list *l)
{
    uint64_t reach = kin__radix_reach(&l->words);
    bool is_full = get(&l->end) >= reach;
    return is_full && get(&l->begin) != 0 && get(&l->begin) >= reach / 2 ? kin__list_move(l, 0) : 0;
}

int kin__list_extend(kin__list *l, kin_obj items, const char *verb)
{
    size_t n = kin_len(items);
    int rv = make_way(l);
    if (rv < 0 || n > CHUNK) {
        rv = rv < 0 ? rv : kin__list_stash(l, items, verb);
        return rv < 0 ? rv : kin__list_admit(l);
    }
    rv = put_chunk(l, items, 0, n, verb);
    if (rv == 0) {
        kin__change_write(&l->change, &l->end, get(&l->end) + n);
        rv = kin__change_commit(&l->change);
    }
    return rv;
}

/* ---- all at once ----------------------------------------------------------------------------- */

uint64_t *kin__list_load(const kin__list *l, uint64_t more)
{
    uint64_t begin = get(&l->begin);
    uint64_t n = kin__list_count(l) + get(&l->rest);
    uint64_t *words = kin__os_malloc((n + more + 1) * sizeof *words);
    if (words == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for %llu words", (unsigned long long)n);
        return NULL;
    }
    const kin__word *at = NULL;
    for (uint64_t i = 0; i < n; i++, at += at != NULL) {
        if (at == NULL || (begin + i) % KIN__RADIX_FAN == 0) {
            at = kin__radix_at(&l->words, begin + i);
        }
        words[i] = at != NULL ? get(at) : 0;
    }
    return words;
}

static uint64_t next_word(void *ctx)
{
    const uint64_t **at = ctx;
    return *(*at)++;
}

static int rebuild(kin__list *l, const uint64_t *words, uint64_t begin, uint64_t n, uint64_t rest)
{
    kin__change *c = &l->change;
    uint64_t root = 0;
    int rv = kin__radix_build(begin, n + rest, next_word, &words, &root);
    if (rv < 0) {
        kin__change_undo(c);
        return rv;
    }
    kin__change_new_tree(c, root);
    kin__change_dead_tree(c, get(&l->words.root), KIN__NODES);
    kin__list_stir(l);
    kin__change_write(c, &l->words.root, root);
    kin__change_write(c, &l->begin, begin);
    kin__change_write(c, &l->end, begin + n);
    kin__change_write(c, &l->rest, rest);
    kin__list_settle(l);
    return kin__change_commit(c);
}

int kin__list_replace(kin__list *l, const uint64_t *words, uint64_t n, uint64_t rest)
{
    int rv = rebuild(l, words, 0, n, rest);
    kin__list_clean(l);
    return rv;
}

int kin__list_move(kin__list *l, uint64_t begin)
{
    uint64_t *words = kin__list_load(l, 0);
    if (words == NULL) {
        return kin__failure();
    }
    int rv = rebuild(l, words, begin, kin__list_count(l), get(&l->rest));
    kin__os_free(words);
    return rv;
}

int kin__list_clear(kin__list *l)
{
    kin__change *c = &l->change;
    kin__change_dead_tree(c, get(&l->words.root), KIN__VALUES);
    kin__list_stir(l);
    kin__change_write(c, &l->words.root, 0);
    kin__change_write(c, &l->begin, 0);
    kin__change_write(c, &l->end, 0);
    kin__change_write(c, &l->rest, 0);
    kin__list_settle(l);
    return kin__change_commit(c);
}

/* ---- one item ------------------------------------------------------------------------------ */

int kin__list_set(kin__list *l, uint64_t index, uint64_t word)
{
    kin__word *at = kin__radix_at(&l->words, get(&l->begin) + index);
    if (at == NULL) {
        kin__value_drop(word);
        return fail_lacking();
    }
    kin__change_new(&l->change, word);
    kin__change_dead(&l->change, get(at));
    kin__change_write(&l->change, at, word);
    return kin__change_commit(&l->change);
}

static int put_last(kin__list *l, uint64_t word)
{
    int rv = make_way(l);
    uint64_t end = get(&l->end);
    if (rv < 0) {
        kin__value_drop(word);
        return rv;
    }
    kin__change_new(&l->change, word);
    rv = kin__radix_put(&l->change, &l->words, end, word);
    if (rv < 0) {
        kin__change_undo(&l->change);
        return rv;
    }
    kin__change_write(&l->change, &l->end, end + 1);
    return kin__change_commit(&l->change);
}

static int put_first(kin__list *l, uint64_t word)
{
    uint64_t n = kin__list_count(l);
    uint64_t margin = n / KIN__RADIX_FAN * KIN__RADIX_FAN + KIN__RADIX_FAN;
    int rv = get(&l->begin) == 0 ? kin__list_move(l, margin) : 0;
    uint64_t begin = get(&l->begin);
    if (rv < 0) {
        kin__value_drop(word);
        return rv;
    }
    kin__change_new(&l->change, word);
    rv = kin__radix_put(&l->change, &l->words, begin - 1, word);
    if (rv < 0) {
        kin__change_undo(&l->change);
        return rv;
    }
    kin__list_stir(l);
    kin__change_write(&l->change, &l->begin, begin - 1);
    kin__list_settle(l);
    return kin__change_commit(&l->change);
}

int kin__list_insert(kin__list *l, uint64_t index, uint64_t word)
{
    uint64_t n = kin__list_count(l);
    if (index == n) {
        return put_last(l, word);
    }
    if (index == 0) {
        return put_first(l, word);
    }
    uint64_t *words = kin__list_load(l, 1);
    if (words == NULL) {
        kin__value_drop(word);
        return kin__failure();
    }
    memmove(words + index + 1, words + index, (n - index) * sizeof *words);
    words[index] = word;
    kin__change_new(&l->change, word);
    int rv = kin__list_replace(l, words, n + 1, 0);
    kin__os_free(words);
    return rv;
}

/* Takes out the item at a position at either end; what is left goes from begin to end. */
static int take_end(kin__list *l, uint64_t at, uint64_t begin, uint64_t end, uint64_t keep)
{
    kin__change_dead(&l->change, kin__list_word(l, at - get(&l->begin)));
    kin__list_stir(l);
    kin__change_write(&l->change, &l->begin, begin);
    kin__change_write(&l->change, &l->end, end);
    kin__radix_clear(&l->change, &l->words, at, keep);
    kin__list_settle(l);
    return kin__change_commit(&l->change);
}

static int take_first(kin__list *l)
{
    uint64_t begin = get(&l->begin);
    return take_end(l, begin, begin + 1, get(&l->end), UINT64_MAX);
}

static int take_last(kin__list *l)
{
    uint64_t last = get(&l->end) - 1;
    return take_end(l, last, get(&l->begin), last, UINT64_MAX);
}

/* The next one comes to position 0. If that is in this one's node, the node is kept for it: so a
 * list whose items come and go one by one needs no block for each. */
static int take_only(kin__list *l)
{
    uint64_t begin = get(&l->begin);
    uint64_t keep = begin < KIN__RADIX_FAN ? 0 : UINT64_MAX;
    return take_end(l, begin, 0, 0, keep);
}

int kin__list_remove(kin__list *l, uint64_t index)
{
    uint64_t n = kin__list_count(l);
    if (n == 1) {
        return take_only(l);
    }
    if (index == 0 || index == n - 1) {
        return index == 0 ? take_first(l) : take_last(l);
    }
    uint64_t *words = kin__list_load(l, 0);
    if (words == NULL) {
        return kin__failure();
    }
    kin__change_dead(&l->change, words[index]);
    memmove(words + index, words + index + 1, (n - 1 - index) * sizeof *words);
    int rv = kin__list_replace(l, words, n - 1, 0);
    kin__os_free(words);
    return rv;
}
