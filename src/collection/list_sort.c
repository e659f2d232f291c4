/* list_sort.c - a shared list in order, as Python sorts one. See list.h. */
#include "list.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define DEEPEST 200                        /* rows in rows that are compared */
#define EXACT (INT64_C(1) << DBL_MANT_DIG) /* up to here each int is a double */

/* ---- which comes first ----------------------------------------------------------------------- */

static int sign_of(bool more, bool less)
{
    return more - less;
}

static int compare_large(kin_obj a, kin_obj b, int *ret)
{
    kin__magnitudes m;
    int rv = kin__magnitudes_load(a, b, &m);
    if (rv < 0) {
        return rv;
    }
    int order = kin__magnitudes_compare(&m);
    if (m.negative[0] != m.negative[1]) {
        *ret = m.negative[0] ? -1 : 1;
    } else {
        *ret = m.negative[0] ? -order : order;
    }
    kin__magnitudes_done(&m);
    return 0;
}

static int compare_ints(kin_obj a, kin_obj b, int *ret)
{
    int64_t i, j;
    if (kin_to_int(a, &i) < 0 || kin_to_int(b, &j) < 0) {
        return compare_large(a, b, ret);
    }
    *ret = sign_of(i > j, i < j);
    return 0;
}

static int order_of(double a, double b)
{
    return sign_of(a > b, a < b);
}

/* The int that a double without a fraction is. */
static kin_obj int_of(double whole)
{
    uint8_t magnitude[DBL_MAX_EXP / 8];
    double rest = fabs(whole);
    for (int i = sizeof magnitude; i-- > 0;) {
        double unit = ldexp(1, 8 * i);
        magnitude[i] = (uint8_t)(rest / unit);
        rest -= magnitude[i] * unit;
    }
    return kin_bigint(magnitude, sizeof magnitude, whole < 0);
}

/* Exactly: most ints beyond 53 bits are no doubles, and some are larger than all of them. */
static int compare_with_float(kin_obj a, double f, int *ret)
{
    int64_t i;
    bool is_exact = kin_to_int(a, &i) == 0 && i >= -EXACT && i <= EXACT;
    if (is_exact || !isfinite(f)) {
        *ret = order_of(is_exact ? (double)i : 0, f);
        return 0;
    }
    double whole;
    (void)modf(f, &whole);
    kin_obj b = int_of(whole);
    int rv = kin__obj_check(b, "kin_shared_list_sort");
    rv = rv < 0 ? rv : compare_ints(a, b, ret);
    *ret = rv == 0 && *ret == 0 ? order_of(whole, f) : *ret;
    kin_release(b);
    return rv;
}

static int compare_numbers(kin_obj a, kin_obj b, int *ret)
{
    bool floats[2] = { kin_type_of(a) == KIN_TYPE_FLOAT, kin_type_of(b) == KIN_TYPE_FLOAT };
    if (floats[0] && floats[1]) {
        *ret = order_of(kin_as_float(a), kin_as_float(b));
        return 0;
    }
    if (floats[0]) {
        int rv = compare_with_float(b, kin_as_float(a), ret);
        *ret = -*ret;
        return rv;
    }
    return floats[1] ? compare_with_float(a, kin_as_float(b), ret) : compare_ints(a, b, ret);
}

static int compare_texts(const void *a, size_t n, const void *b, size_t m)
{
    int order = memcmp(a, b, n < m ? n : m);
    return order != 0 ? order : sign_of(n > m, n < m);
}

static int compare(kin_obj a, kin_obj b, int depth, int *ret);

static int compare_rows(kin_obj a, kin_obj b, int depth, int *ret)
{
    size_t n = kin_len(a);
    size_t m = kin_len(b);
    if (depth == DEEPEST) {
        return kin__fail(KIN_ERANGE, "kin_shared_list_sort: rows in rows, %d deep", DEEPEST);
    }
    for (size_t i = 0; i < n && i < m; i++) {
        int rv = kin_equal(kin_at(a, i), kin_at(b, i))
                     ? 0
                     : compare(kin_at(a, i), kin_at(b, i), depth + 1, ret);
        if (rv < 0 || *ret != 0) {
            return rv;
        }
    }
    *ret = sign_of(n > m, n < m);
    return 0;
}

static int compare(kin_obj a, kin_obj b, int depth, int *ret)
{
    kin_type type = kin_type_of(a);
    *ret = 0;
    if (kin__is_number(a) && kin__is_number(b)) {
        return compare_numbers(a, b, ret);
    }
    if (type == kin_type_of(b)) {
        switch (type) {
        case KIN_TYPE_STR:
            *ret = compare_texts(kin_as_str(a), kin_len(a), kin_as_str(b), kin_len(b));
            return 0;
        case KIN_TYPE_BYTES:
            *ret = compare_texts(kin_as_bytes(a), kin_len(a), kin_as_bytes(b), kin_len(b));
            return 0;
        case KIN_TYPE_LIST:
        case KIN_TYPE_TUPLE:
            return compare_rows(a, b, depth, ret);
        default:
            break;
        }
    }
    return kin__fail(KIN_ETYPE, "kin_shared_list_sort: two of the items cannot be compared");
}

/* ---- merging --------------------------------------------------------------------------------- */

typedef struct item {
    kin_obj object;
    uint64_t word;
} item;

typedef struct sorter {
    item *items, *other; /* n of them each */
    uint64_t n;
    bool (*less)(kin_obj, kin_obj, void *);
    void *ctx;
    bool backwards; /* what is equal stays in its order all the same, as in Python */
    int rv;         /* of the first comparison that failed: from then on all is as it should be */
} sorter;

static bool is_before(sorter *s, const item *a, const item *b)
{
    int order = 0;
    if (s->less != NULL) {
        return s->less(kin__obj_lend(a->object), kin__obj_lend(b->object), s->ctx);
    }
    s->rv = s->rv < 0 ? s->rv : compare(a->object, b->object, 0, &order);
    return s->backwards ? order > 0 : order < 0;
}

/* [low, middle) and [middle, high), which are in order, from items to other. */
static void merge(sorter *s, uint64_t low, uint64_t middle, uint64_t high)
{
    uint64_t a = low;
    uint64_t b = middle;
    for (uint64_t to = low; to < high; to++) {
        bool second = a == middle || (b < high && is_before(s, &s->items[b], &s->items[a]));
        s->other[to] = s->items[second ? b++ : a++];
    }
}

static int sort(sorter *s)
{
    for (uint64_t run = 1; run < s->n && s->rv == 0; run *= 2) {
        for (uint64_t low = 0; low < s->n; low += 2 * run) {
            uint64_t middle = low + run < s->n ? low + run : s->n;
            merge(s, low, middle, middle + run < s->n ? middle + run : s->n);
        }
        item *sorted = s->other;
        s->other = s->items;
        s->items = sorted;
    }
    return s->rv;
}

/* ---- the list -------------------------------------------------------------------------------- */

static int read_items(const kin__list *l, sorter *s)
{
    int rv = 0;
    for (s->n = 0; s->n < kin__list_count(l) && rv == 0; s->n += rv == 0) {
        s->items[s->n].word = kin__list_word(l, s->n);
        rv = kin__list_read(l, s->n, &s->items[s->n].object);
    }
    return rv;
}

static int replace(kin__list *l, const sorter *s)
{
    uint64_t *words = kin__list_load(l, 0);
    if (words == NULL) {
        return kin__failure();
    }
    for (uint64_t i = 0; i < s->n; i++) {
        words[i] = s->items[i].word;
    }
    int rv = kin__list_replace(l, words, s->n, 0);
    kin__os_free(words);
    return rv;
}

static int sort_list(kin__list *l, sorter s)
{
    uint64_t n = kin__list_count(l);
    item *room = kin__os_malloc((2 * n + 1) * sizeof *room);
    s.items = room;
    if (room == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_shared_list_sort: no memory for %llu items",
                         (unsigned long long)n);
    }
    s.other = room + n;
    int rv = read_items(l, &s);
    rv = rv < 0 ? rv : sort(&s);
    rv = rv < 0 ? rv : replace(l, &s);
    for (uint64_t i = 0; i < s.n; i++) {
        kin_release(s.items[i].object);
    }
    kin__os_free(room);
    return rv;
}

static int sort_as(kin_shared_list *list, sorter how)
{
    kin__list *l = kin__list_of(list);
    int rv = kin__list_enter(l, "kin_shared_list_sort: the list");
    if (rv == 0) {
        rv = sort_list(l, how);
        kin__list_leave(l);
    }
    return rv;
}

int kin__list_sort_backwards(kin_shared_list *list)
{
    return sort_as(list, (sorter){ .backwards = true });
}

int kin_shared_list_sort(kin_shared_list *list, bool (*less)(kin_obj, kin_obj, void *), void *ctx)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return less == NULL ? kin__remote_do(list, "sort", kin_tuple(), NULL)
                            : kin__remote_refuse("kin_shared_list_sort: by a function");
    }
    return sort_as(list, (sorter){ .less = less, .ctx = ctx });
}
