/* entry.c - keys as bytes, and the entries that hold them; rules R1 to R3 of table.h.
 *
 * A key is compared by its flat bytes, which settles it between ints, strs and bytes, and for a NaN
 * as well. What else has the same hash and other bytes may be equal all the same (1, 1.0 and True;
 * frozensets): then a copy is made an object again, and asked. */
#include "table.h"

#include <string.h>

/* ---- keys ------------------------------------------------------------------------------------ */

/* Near hashes become far ones, and nobody outside can say which keys fall together. */
static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

static int write_flat(kin_obj object, const char *verb, kin__key *key)
{
    int rv = kin__flat_size_of_lasting(object, &key->size);
    if (rv < 0) {
        return rv;
    }
    key->flat = key->size <= sizeof key->room ? key->room : kin__os_malloc(key->size);
    if (key->flat == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a key of %zu bytes", verb, key->size);
    }
    rv = kin__flat_write(object, key->flat, key->size);
    if (rv < 0) {
        kin__key_done(key);
    }
    return rv;
}

int kin__key_make(const kin__table *t, kin_obj object, const char *verb, kin__key *ret)
{
    int rv = kin__obj_check(object, verb);
    if (rv < 0) {
        return rv;
    }
    int64_t hash = kin_hash(object);
    if (hash == -1) {
        return kin__failure();
    }
    ret->object = object;
    ret->hash = mix((uint64_t)hash ^ kin__peek(&t->seed));
    return write_flat(object, verb, ret);
}

void kin__key_done(kin__key *key)
{
    if (key->flat != key->room) {
        kin__os_free(key->flat);
    }
}

/* ---- entries --------------------------------------------------------------------------------- */

kin__entry *kin__entry_new(const kin__table *t, const kin__key *key, uint64_t position)
{
    kin__entry *e = kin__block_new(sizeof *e + key->size, KIN__MESSAGE);
    if (e == NULL) {
        return NULL;
    }
    kin__fill(&e->life, kin__peek(&t->life));
    kin__fill(&e->hash, key->hash);
    kin__fill(&e->position, position);
    kin__fill(&e->value, 0);
    kin__fill(&e->size, key->size);
    for (size_t i = 0; i < key->size / 8; i++) {
        kin__fill(&e->key[i], key->flat[i]);
    }
    return e;
}

static bool is_same(const kin__entry *e, const kin__key *key)
{
    size_t n = key->size / 8;
    size_t i = 0;
    while (i < n && kin__peek(&e->key[i]) == key->flat[i]) {
        i++;
    }
    return i == n;
}

int kin__entry_is(const kin__key *key, uint64_t life, kin__ref ref, kin__entry **ret)
{
    kin__entry *e = kin__block_place(ref, sizeof *e + key->size);
    *ret = e;
    if (e == NULL || kin__peek(&e->hash) != key->hash || kin__peek(&e->life) != life) {
        return 0;
    }
    if (kin__peek(&e->size) == key->size && is_same(e, key)) {
        return 1;
    }
    if (kin__flat_is_plain(key->flat[0]) && kin__flat_is_plain(kin__peek(&e->key[0]))) {
        return 0;
    }
    kin_obj other;
    int rv = kin__entry_key(e, ref, &other);
    if (rv == 1) {
        rv = kin_equal(key->object, other);
        kin_release(other);
    }
    return rv;
}

/* Reads it from a copy that does not change any more. */
static int read_copy(const kin__entry *e, kin__ref ref, size_t size, uint64_t *copy, kin_obj *ret)
{
    kin__peek_words(copy, e->key, size / 8);
    if (!kin__block_is_shared(ref)) {
        return 0;
    }
    int rv = kin__flat_read(copy, size, ret);
    return rv < 0 ? rv : 1;
}

int kin__entry_key(const kin__entry *e, kin__ref ref, kin_obj *ret)
{
    uint64_t room[64];
    uint64_t size = kin__peek(&e->size);
    if (!kin__block_is_shared(ref)) {
        return 0;
    }
    if (size > UINT64_MAX / 2 || !kin__in_domain(e, sizeof *e + size)) {
        return kin__fail(KIN_ECORRUPT, "a key of a shared dict is scribbled over");
    }
    uint64_t *copy = size <= sizeof room ? room : kin__os_malloc(size);
    if (copy == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a key of %llu bytes", (unsigned long long)size);
    }
    int rv = read_copy(e, ref, size, copy, ret);
    if (copy != room) {
        kin__os_free(copy);
    }
    return rv;
}
