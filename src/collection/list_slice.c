/* list_slice.c - slices of a shared list, and what else moves many of its items. See list.h. */
#include "list.h"

#include <kin/pickle.h>

#include <string.h>

/* Which items a slice names: start, start + step, ... */
typedef struct range {
    uint64_t start, count;
    int64_t step;
} range;

/* ---- what it names --------------------------------------------------------------------------- */

/* An int, or of one beyond 64 bits the nearest. */
static int read_int(kin_obj o, int64_t *ret)
{
    bool is_negative;
    int rv = kin_to_int(o, ret);
    if (rv == KIN_ERANGE && kin_to_bigint(o, NULL, 0, &is_negative) >= 0) {
        *ret = is_negative ? INT64_MIN : INT64_MAX;
        rv = 0;
    }
    return rv;
}

/* A bound; what lies beyond the ends becomes `least` or `most`. */
static int read_bound(kin_obj bound, int64_t n, int64_t least, int64_t most, int64_t *ret)
{
    int64_t i;
    if (kin_is_none(bound)) {
        return 0;
    }
    int rv = read_int(bound, &i);
    if (rv == 0) {
        i = i < 0 ? i + n : i;
        *ret = i < least ? least : i > most ? most : i;
    }
    return rv;
}

static int read_step(kin_obj step, const char *verb, int64_t *ret)
{
    int rv = kin_is_none(step) ? 0 : read_int(step, ret);
    if (rv == 0 && *ret == 0) {
        return kin__fail(KIN_EINVAL, "%s: a slice's step cannot be 0", verb);
    }
    *ret = *ret == INT64_MIN ? -INT64_MAX : *ret;
    return rv;
}

static int read_slice(kin_obj slice, uint64_t count, const char *verb, range *ret)
{
    int64_t n = (int64_t)count;
    int64_t step = 1;
    int rv = kin__obj_check(slice, verb);
    if (rv == 0 && !kin_is_slice(slice)) {
        rv = kin__fail(KIN_ETYPE, "%s: items are named by a kin_slice", verb);
    }
    rv = rv < 0 ? rv : read_step(kin_at(slice, 2), verb, &step);
    bool down = step < 0;
    int64_t start = down ? n - 1 : 0;
    int64_t stop = down ? -1 : n;
    int64_t least = down ? -1 : 0;
    int64_t most = down ? n - 1 : n;
    rv = rv < 0 ? rv : read_bound(kin_at(slice, 0), n, least, most, &start);
    rv = rv < 0 ? rv : read_bound(kin_at(slice, 1), n, least, most, &stop);
    if (rv < 0) {
        return rv;
    }
    int64_t length = down ? start - stop : stop - start;
    int64_t stride = down ? -step : step;
    *ret = (range){ .start = (uint64_t)start,
                    .step = step,
                    .count = length > 0 ? (uint64_t)((length - 1) / stride + 1) : 0 };
    return 0;
}

static uint64_t item_of(const range *r, uint64_t i)
{
    return r->start + i * (uint64_t)r->step;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_items(const kin__list *l, const range *r, const char *verb, kin_obj *ret)
{
    kin_obj all = kin__obj_list_for(r->count);
    int rv = kin__obj_check(all, verb);
    for (uint64_t i = 0; i < r->count && rv == 0; i++) {
        kin_obj o;
        rv = kin__list_read(l, item_of(r, i), &o);
        rv = rv < 0 ? rv : kin_append(&all, o);
    }
    if (rv < 0) {
        kin_release(all);
        return rv;
    }
    *ret = all;
    return 0;
}

static int read_all(const kin__list *l, const char *verb, kin_obj *ret)
{
    const range all = { .count = kin__list_count(l), .step = 1 };
    return read_items(l, &all, verb, ret);
}

int kin_shared_list_copy(kin_shared_list *list, kin_obj *ret_list)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__getitem__", kin__remote_whole(), ret_list);
    }
    kin__list *l = kin__list_of(list);
    int rv = ret_list != NULL
                 ? kin__list_enter(l, "kin_shared_list_copy: the list")
                 : kin__fail(KIN_EINVAL, "kin_shared_list_copy: nowhere to put it (NULL)");
    if (rv == 0) {
        rv = read_all(l, "kin_shared_list_copy", ret_list);
        kin__list_leave(l);
    }
    return rv;
}

int kin_shared_list_get_slice(kin_shared_list *list, kin_obj slice, kin_obj *ret_items)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__getitem__", kin_tuple(slice), ret_items);
    }
    static const char verb[] = "kin_shared_list_get_slice";
    kin__list *l = kin__list_of(list);
    range r;
    int rv = ret_items != NULL ? kin__list_enter(l, "kin_shared_list_get_slice: the list")
                               : kin__fail(KIN_EINVAL, "%s: nowhere to put it (NULL)", verb);
    if (rv == 0) {
        rv = read_slice(slice, kin__list_count(l), verb, &r);
        rv = rv < 0 ? rv : read_items(l, &r, verb, ret_items);
        kin__list_leave(l);
    }
    kin__obj_drop(slice);
    return rv;
}

/* ---- replacing ------------------------------------------------------------------------------- */

/* a, b becomes b, a: that many words each. */
static int swap_runs(uint64_t *words, uint64_t a, uint64_t b)
{
    uint64_t *first = kin__os_malloc((a + 1) * sizeof *first);
    if (first == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for %llu words", (unsigned long long)a);
    }
    memcpy(first, words, a * sizeof *first);
    memmove(words, words + a, b * sizeof *words);
    memcpy(words + b, first, a * sizeof *first);
    kin__os_free(first);
    return 0;
}

/* The words that are replaced go to the end, where the new ones are now, and these to their place:
 * n are in the list, m behind it. Then n - count + m are in it, and count behind. */
static int exchange(uint64_t *words, const range *r, uint64_t n, uint64_t m)
{
    if (r->step != 1) {
        for (uint64_t i = 0; i < m; i++) {
            uint64_t word = words[item_of(r, i)];
            words[item_of(r, i)] = words[n + i];
            words[n + i] = word;
        }
        return 0;
    }
    uint64_t after = n - r->start - r->count;
    uint64_t *at = words + r->start; /* old, after, new */
    int rv = swap_runs(at, r->count, after + m);
    return rv < 0 ? rv : swap_runs(at, after, m);
}

static int check_size(const range *r, uint64_t m, const char *verb)
{
    if (r->step != 1 && r->count != m) {
        return kin__fail(KIN_ERANGE, "%s: %llu items for a slice of %llu", verb,
                         (unsigned long long)m, (unsigned long long)r->count);
    }
    return 0;
}

static int set_slice(kin__list *l, const range *r, kin_obj items, const char *verb)
{
    uint64_t n = kin__list_count(l);
    uint64_t m = kin_len(items);
    int rv = check_size(r, m, verb);
    rv = rv < 0 ? rv : kin__list_stash(l, items, verb);
    if (rv < 0) {
        return rv;
    }
    uint64_t *words = kin__list_load(l, 0);
    rv = words == NULL ? kin__failure() : exchange(words, r, n, m);
    if (rv == 0) {
        rv = kin__list_replace(l, words, n - r->count + m, r->count);
    } else {
        kin__list_clean(l);
    }
    kin__os_free(words);
    return rv;
}

int kin_shared_list_set_slice(kin_shared_list *list, kin_obj slice, kin_obj items)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__setitem__", kin_tuple(slice, items), NULL);
    }
    static const char verb[] = "kin_shared_list_set_slice";
    kin__list *l = kin__list_of(list);
    range r;
    int rv = kin__list_check_items(items, verb);
    rv = rv < 0 ? rv : kin__list_enter(l, "kin_shared_list_set_slice: the list");
    if (rv == 0) {
        rv = read_slice(slice, kin__list_count(l), verb, &r);
        rv = rv < 0 ? rv : set_slice(l, &r, items, verb);
        kin__list_leave(l);
    }
    kin__obj_drop(slice);
    kin__obj_drop(items);
    return rv;
}

/* The same the other way round, and upwards. */
static range upwards(range r)
{
    if (r.step < 0 && r.count > 0) {
        r = (range){ .start = item_of(&r, r.count - 1), .step = -r.step, .count = r.count };
    }
    return r;
}

/* The words that go come behind those that stay. */
static void part(uint64_t *words, uint64_t *gone, uint64_t n, const range *r)
{
    uint64_t stay = 0;
    uint64_t go = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (go < r->count && i == item_of(r, go)) {
            gone[go++] = words[i];
        } else {
            words[stay++] = words[i];
        }
    }
    memcpy(words + stay, gone, go * sizeof *words);
}

static int del_slice(kin__list *l, const range *r)
{
    uint64_t n = kin__list_count(l);
    if (r->count == 0) {
        return 0;
    }
    if (r->count == n) {
        return kin__list_clear(l);
    }
    uint64_t *words = kin__list_load(l, r->count);
    if (words == NULL) {
        return kin__failure();
    }
    part(words, words + n, n, r);
    int rv = kin__list_replace(l, words, n - r->count, r->count);
    kin__os_free(words);
    return rv;
}

int kin_shared_list_del_slice(kin_shared_list *list, kin_obj slice)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__delitem__", kin_tuple(slice), NULL);
    }
    kin__list *l = kin__list_of(list);
    range r;
    int rv = kin__list_enter(l, "kin_shared_list_del_slice: the list");
    if (rv == 0) {
        rv = read_slice(slice, kin__list_count(l), "kin_shared_list_del_slice", &r);
        r = rv < 0 ? (range){ 0 } : upwards(r);
        rv = rv < 0 ? rv : del_slice(l, &r);
        kin__list_leave(l);
    }
    kin__obj_drop(slice);
    return rv;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int reverse(kin__list *l)
{
    uint64_t n = kin__list_count(l);
    uint64_t *words = kin__list_load(l, 0);
    if (words == NULL) {
        return kin__failure();
    }
    for (uint64_t i = 0; i < n / 2; i++) {
        uint64_t word = words[i];
        words[i] = words[n - 1 - i];
        words[n - 1 - i] = word;
    }
    int rv = kin__list_replace(l, words, n, 0);
    kin__os_free(words);
    return rv;
}

int kin_shared_list_reverse(kin_shared_list *list)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "reverse", kin_tuple(), NULL);
    }
    kin__list *l = kin__list_of(list);
    int rv = kin__list_enter(l, "kin_shared_list_reverse: the list");
    if (rv == 0) {
        rv = reverse(l);
        kin__list_leave(l);
    }
    return rv;
}

static int repeat(kin__list *l, int64_t times)
{
    static const char verb[] = "kin_shared_list_repeat";
    kin_obj items;
    if (times <= 0) {
        return kin__list_clear(l);
    }
    uint64_t n = kin__list_count(l);
    if (n == 0) {
        return 0;
    }
    if ((uint64_t)times > SIZE_MAX / sizeof(kin__word) / n ||
        !kin__domain_may_have(n * (uint64_t)times * sizeof(kin__word))) {
        return kin__fail(KIN_ENOMEM, "%s: %llu items %lld times are more than memory holds", verb,
                         (unsigned long long)n, (long long)times);
    }
    int rv = read_all(l, verb, &items);
    if (rv < 0) {
        return rv;
    }
    for (int64_t i = 1; i < times && rv == 0; i++) {
        rv = kin__list_stash(l, items, verb);
    }
    kin_release(items);
    return rv < 0 ? rv : kin__list_admit(l);
}

int kin_shared_list_repeat(kin_shared_list *list, int64_t times)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__imul__", kin_tuple(kin_int(times)), NULL);
    }
    kin__list *l = kin__list_of(list);
    int rv = kin__list_enter(l, "kin_shared_list_repeat: the list");
    if (rv == 0) {
        rv = repeat(l, times);
        kin__list_leave(l);
    }
    return rv;
}

int kin_shared_list_clear(kin_shared_list *list)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__delitem__", kin__remote_whole(), NULL);
    }
    kin__list *l = kin__list_of(list);
    int rv = kin__list_enter(l, "kin_shared_list_clear: the list");
    if (rv == 0) {
        rv = kin__list_clear(l);
        kin__list_leave(l);
    }
    return rv;
}
