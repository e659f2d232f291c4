/* flat.c - flat copies: writing them, and discarding those that nobody reads. See flat.h. */
#include "flat.h"
#include <string.h>

/* ---- writing ----------------------------------------------------------------------- */

typedef struct writer {
    uint64_t *at;  /* the first word */
    size_t room;   /* words there are; 0: only count (R1) */
    size_t words;  /* written, or that would be */
    size_t memory; /* that a reader needs */
    bool buffers;
    kin__cargo *cargo; /* NULL: nothing with descriptors */
    memo_table *met;   /* what is named: its number, or UNFINISHED */
    size_t names;      /* given so far */
} writer;

#define UNFINISHED SIZE_MAX
enum { SHORT = 32 }; /* bytes of a text that is not named */

static void put_word(writer *w, uint64_t word)
{
    if (w->words < w->room) {
        w->at[w->words] = word;
    }
    w->words++;
}

static void put_head(writer *w, enum tag tag, uint64_t number)
{
    put_word(w, (uint64_t)tag | number << 8);
}

static void put_bytes(writer *w, const void *data, size_t size)
{
    size_t n = words_of(size);
    if (n > 0 && w->words + n <= w->room) {
        w->at[w->words + n - 1] = 0; /* what pads the last word */
        memcpy(&w->at[w->words], data, size);
    }
    w->words += n;
}

static void put_node(writer *w, size_t size)
{
    w->memory += words_of(size) * 8;
}

static bool is_small(kin_obj o)
{
    return o.type == KIN_TYPE_INT && !is_heap(o) && o.as.i >= -(INT64_C(1) << 55) &&
           o.as.i < INT64_C(1) << 55;
}

static int put_int(writer *w, kin_obj o)
{
    if (is_heap(o)) {
        const bigint *b = o.as.p;
        put_head(w, b->node.flags & NEGATIVE ? TAG_NEGATIVE : TAG_BIGINT, b->node.len);
        put_bytes(w, b->digits, b->node.len * sizeof b->digits[0]);
        put_node(w, sizeof *b + b->node.len * sizeof b->digits[0]);
    } else if (is_small(o)) {
        put_head(w, TAG_INT, (uint64_t)o.as.i);
    } else {
        put_head(w, TAG_INT64, 0);
        put_word(w, (uint64_t)o.as.i);
    }
    return 0;
}

static int put_text(writer *w, enum tag tag, const chars *t)
{
    put_head(w, tag, t->node.len);
    put_bytes(w, t->data, t->node.len);
    put_node(w, sizeof *t + t->node.len + 1);
    return 0;
}

static int put_func(writer *w, kin_obj o)
{
    uint64_t words[2];
    int rv = kin__func_pack((kin_fn)(uintptr_t)o.as.i, words);
    if (rv == 0) {
        put_head(w, TAG_FUNC, 0);
        put_word(w, words[0]);
        put_word(w, words[1]);
    }
    return rv;
}

static int put_buffer(writer *w, loan *l)
{
    /* Counting only looks; writing takes, once for all who hold the object (R3). */
    bool take = w->words + 3 <= w->room;
    kin__ref ref = take ? atomic_exchange(&l->block, 0) : atomic_load(&l->block);
    if (ref == 0) {
        return kin__fail(KIN_EFREED, "a buffer whose bytes were taken or sent before");
    }
    put_head(w, TAG_BUFFER, 0);
    put_word(w, ref);
    put_word(w, l->node.len);
    put_node(w, sizeof *l);
    w->buffers = true;
    return 0;
}

static int put_local(writer *w, kin_obj o)
{
    kin__parcel parcel;
    int rv = kin__local_pack(o, w->cargo, &parcel);
    if (rv < 0) {
        return rv;
    }
    put_head(w, TAG_LOCAL, (uint64_t)parcel.n);
    put_word(w, parcel.kind);
    put_word(w, parcel.note);
    put_word(w, parcel.thing);
    for (int i = 0; i < parcel.n; i++) {
        put_word(w, (uint64_t)parcel.fds[i]);
    }
    return 0;
}

static int put_leaf(writer *w, kin_obj o)
{
    uint64_t bits;
    switch ((kin_type)o.type) {
    case KIN_TYPE_NONE:
        put_head(w, TAG_NONE, 0);
        return 0;
    case KIN_TYPE_BOOL:
        put_head(w, o.as.i ? TAG_TRUE : TAG_FALSE, 0);
        return 0;
    case KIN_TYPE_INT:
        return put_int(w, o);
    case KIN_TYPE_FLOAT:
        memcpy(&bits, &o.as.f, sizeof bits);
        put_head(w, TAG_FLOAT, 0);
        put_word(w, bits);
        return 0;
    case KIN_TYPE_FUNC:
        return put_func(w, o);
    case KIN_TYPE_SHARED:
        if (is_local(o)) {
            return put_local(w, o);
        }
        put_head(w, TAG_SHARED, 0);
        put_word(w, (uint64_t)o.as.i);
        return 0;
    case KIN_TYPE_STR:
        return put_text(w, TAG_STR, o.as.p);
    case KIN_TYPE_BYTES:
        return put_text(w, is_bytearray(o) ? TAG_BYTEARRAY : TAG_BYTES, o.as.p);
    case KIN_TYPE_BUFFER:
        return put_buffer(w, o.as.p);
    default:
        return kin__obj_check(o, "sending");
    }
}

static enum tag tag_of(const box *b)
{
    bool variant = b->node.flags & VARIANT;
    switch (b->node.type) {
    case KIN_TYPE_ERROR:
        return TAG_ERROR;
    case KIN_TYPE_LIST:
        return TAG_LIST;
    case KIN_TYPE_TUPLE:
        return b->node.mark == MARK_TOKEN   ? TAG_TOKEN
               : b->node.mark == MARK_SLICE ? TAG_SLICE
               : variant                    ? TAG_ARGS
                                            : TAG_TUPLE;
    case KIN_TYPE_DICT:
        return TAG_DICT;
    default:
        return variant ? TAG_FROZENSET : TAG_SET;
    }
}

static int put_box(writer *w, walk *path, box *b)
{
    enum tag tag = tag_of(b);
    uint64_t error = (uint32_t)b->node.code | (uint64_t)b->node.mark << 32;
    put_head(w, tag, tag == TAG_ERROR ? error : b->node.len);
    put_node(w, box_size(slots(b)));
    return kin__walk_enter(path, b);
}

static int put_object(writer *w, walk *path, kin_obj o)
{
    return is_box(o) ? put_box(w, path, o.as.p) : put_leaf(w, o);
}

/* Not inlined: it is rare, and what is not shared shall not wait for it. */
__attribute__((noinline)) static int put_shared(writer *w, walk *path, kin_obj o)
{
    const memo_cell *before = kin__memo_find(w->met, o.as.p);
    if ((before != NULL && before->number == UNFINISHED) || o.as.p == path->frames[0].box) {
        return kin__fail(KIN_EINVAL, "an object that contains itself cannot be sent");
    }
    if (before != NULL) {
        put_head(w, TAG_AGAIN, before->number);
        return 0;
    }
    size_t head = w->words;
    int rv = put_object(w, path, o);
    if (rv < 0) {
        return rv;
    }
    if (head < w->room) {
        w->at[head] |= NAMED_BIT;
    }
    if (is_box(o)) {
        walk_top(path)->u.named = true;
    }
    put_node(w, sizeof(node *)); /* where the reader keeps what was named */
    return kin__memo_add(w->met, o.as.p, is_box(o) ? UNFINISHED : w->names++);
}

/* R6. The outermost box may be borrowed from a place further down, and nobody else have it. */
static bool is_met_again(const walk *path, const node *n)
{
    if (has_others(n)) {
        bool may_be_short = n->type == KIN_TYPE_STR || (n->type == KIN_TYPE_BYTES && n->flags == 0);
        return !may_be_short || n->len > SHORT;
    }
    return n == &path->frames[0].box->node;
}

static int put_item(writer *w, walk *path, kin_obj o)
{
    bool again = is_heap(o) && is_met_again(path, o.as.p);
    return again ? put_shared(w, path, o) : put_object(w, path, o);
}

static void close_box(writer *w, walk *path)
{
    const frame *f = walk_top(path);
    if (f->u.named) {
        kin__memo_find(w->met, &f->box->node)->number = w->names++;
    }
    path->depth--;
}

/* Rows of small ints are what pools are fed with most: a short cut through them. */
static void put_small_ints(writer *w, frame *f)
{
    const kin_obj *items = f->box->items + f->at;
    size_t most = slots(f->box) - f->at;
    size_t n = 0;
    while (n < most && is_small(items[n])) {
        n++;
    }
    uint64_t *at = w->words + n <= w->room ? &w->at[w->words] : NULL;
    for (size_t i = 0; at != NULL && i < n; i++) {
        at[i] = TAG_INT | (uint64_t)items[i].as.i << 8;
    }
    w->words += n;
    f->at += n;
}

static int put_boxes(writer *w, box *outermost)
{
    walk path;
    memo_table met;
    kin__walk_begin(&path);
    memo_begin(&met);
    w->met = &met;
    int rv = put_box(w, &path, outermost);
    for (frame *f = walk_top(&path); f != NULL && rv == 0; f = walk_top(&path)) {
        put_small_ints(w, f);
        if (f->at == slots(f->box)) {
            close_box(w, &path);
            continue;
        }
        rv = put_item(w, &path, f->box->items[f->at++]);
        if (w->memory > BUNDLE_MAX) {
            rv = kin__fail(KIN_ERANGE, "an object of more than %zu bytes cannot be sent",
                           BUNDLE_MAX);
        }
    }
    memo_end(&met);
    kin__walk_end(&path);
    return rv;
}

static int put_all(writer *w, kin_obj o)
{
    if (!is_box(o)) {
        return put_leaf(w, o);
    }
    put_word(w, 0);
    w->memory = sizeof(bundle);
    int rv = put_boxes(w, o.as.p);
    if (w->room > 0) {
        w->at[0] = TAG_BUNDLE | (w->memory * 2 + w->buffers) << 8;
    }
    return rv;
}

int kin__flat_size(kin_obj o, size_t *ret_size)
{
    return kin__flat_size_with(o, NULL, ret_size);
}

int kin__flat_size_with(kin_obj o, kin__cargo *cargo, size_t *ret_size)
{
    writer w = { .cargo = cargo };
    int rv = put_all(&w, o);
    if (rv == 0) {
        *ret_size = w.words * 8;
    }
    return rv;
}

int kin__flat_size_of_lasting(kin_obj o, size_t *ret_size)
{
    writer w = { .cargo = NULL };
    int rv = put_all(&w, o);
    if (rv == 0 && w.buffers) {
        return kin__fail(KIN_EUNSUPPORTED, "a buffer has one owner, and cannot be kept for many");
    }
    if (rv == 0) {
        *ret_size = w.words * 8;
    }
    return rv;
}

int kin__flat_write(kin_obj o, void *at, size_t size)
{
    return kin__flat_write_with(o, at, size, NULL);
}

int kin__flat_write_with(kin_obj o, void *at, size_t size, kin__cargo *cargo)
{
    writer w = { .at = at, .room = size / 8, .cargo = cargo };
    if (w.room == 0) {
        return kin__fail(KIN_EINVAL, "no object is flat in %zu bytes", size);
    }
    int rv = put_all(&w, o);
    if (rv == 0 && w.words != w.room) {
        rv = kin__fail(KIN_ESTATE, "the object was changed by another thread while it was sent");
    }
    if (rv < 0) {
        kin__flat_discard(at, (w.words < w.room ? w.words : w.room) * 8);
    }
    return rv;
}

/* ---- discarding -------------------------------------------------------------------- */

/* Words of a head's object that follow it, but for the slots of a box. */
static uint64_t words_of_head(uint64_t head)
{
    uint64_t number = head >> 8;
    unsigned tag = head & TAG_BITS;
    switch (tag) {
    case TAG_STR:
    case TAG_BYTES:
    case TAG_BYTEARRAY:
        return words_of(number);
    case TAG_BIGINT:
    case TAG_NEGATIVE:
        return words_of(number * sizeof(uint32_t));
    case TAG_LOCAL:
        return number + 3;
    default:
        return words_after(tag);
    }
}

bool kin__flat_has_buffers(const void *at, size_t size)
{
    const volatile uint64_t *words = at;
    uint64_t first = size >= 8 ? words[0] : 0;
    return (uint8_t)first == TAG_BUNDLE ? first >> 8 & 1 : (uint8_t)first == TAG_BUFFER;
}

bool kin__flat_is_error(const void *at, size_t size)
{
    const volatile uint64_t *words = at;
    uint64_t first = size >= 8 ? words[0] : 0;
    uint64_t head = (uint8_t)first == TAG_BUNDLE && size >= 16 ? words[1] : first;
    return (uint8_t)head == TAG_ERROR;
}

bool kin__flat_is_plain(uint64_t first)
{
    uint8_t tag = (uint8_t)first;
    return tag == TAG_INT || tag == TAG_INT64 || tag == TAG_STR || tag == TAG_BYTES;
}

void kin__flat_discard(const void *at, size_t size)
{
    const volatile uint64_t *words = at;
    size_t n = size / 8;
    if (!kin__flat_has_buffers(at, size)) {
        return;
    }
    for (size_t i = 0; i < n;) {
        uint64_t head = words[i++];
        uint64_t more = words_of_head(head);
        if (more > n - i) {
            return;
        }
        kin__ref buffer = (head & TAG_BITS) == TAG_BUFFER ? words[i] : 0;
        if (kin__block_find(buffer, KIN__RAW) != NULL) { /* and no other's queue */
            (void)kin__block_discard(buffer);
        }
        i += more;
    }
}
