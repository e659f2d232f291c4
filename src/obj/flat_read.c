/* flat_read.c - flat copies: reading them, whatever was scribbled over them. See flat.h. */
#include "flat.h"
#include <string.h>

typedef struct reader {
    const uint64_t *at, *end;
    bundle *bundle; /* NULL: the object is a leaf and allocated by itself */
    uint32_t nodes; /* in the bundle */
    char *free;     /* the rest of it, between the nodes and the names */
    size_t free_size;
    node **names;      /* what was named, the first one last: where they end */
    box *open;         /* the innermost box that is not whole */
    kin__cargo *cargo; /* NULL: nothing with descriptors */
    local *made;       /* these, to be released when the rest cannot be read */
    kin_obj *apart;    /* NULL, or where the outermost box, a list, has its items: */
    size_t n_apart;    /* so many */
} reader;

static int corrupt(const char *what)
{
    return kin__fail(KIN_ECORRUPT, "these bytes are no object: %s", what);
}

static size_t left(const reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next word; the caller has looked that there is one. Loaded once, whoever scribbles (R2). */
static uint64_t get_word(reader *r)
{
    return *(const volatile uint64_t *)r->at++;
}

static void *get_node(reader *r, kin_type type, size_t size)
{
    if (r->bundle == NULL) {
        return kin__node_new(type, size);
    }
    size = words_of(size) * 8;
    if (size > r->free_size) {
        (void)corrupt("it needs more memory than it says");
        return NULL;
    }
    node *n = (node *)(void *)r->free;
    r->free += size;
    r->free_size -= size;
    memset(n, 0, sizeof *n);
    atomic_init(&n->count, 1);
    n->type = (uint8_t)type;
    n->back = (uint32_t)(((char *)n - (char *)r->bundle) / 8);
    r->nodes++;
    return n;
}

/* What get_node failed with. */
static int no_node(const reader *r)
{
    return r->bundle == NULL ? KIN_ENOMEM : KIN_ECORRUPT;
}

static int get_text(reader *r, enum tag tag, uint64_t size, kin_obj *ret)
{
    kin_type type = tag == TAG_STR ? KIN_TYPE_STR : KIN_TYPE_BYTES;
    if (size > left(r) * 8) {
        return corrupt("a text is cut off");
    }
    chars *t = get_node(r, type, sizeof *t + size + 1);
    if (t == NULL) {
        return no_node(r);
    }
    t->node.len = size;
    t->node.flags = tag == TAG_BYTEARRAY ? VARIANT : 0;
    memcpy(t->data, r->at, size);
    t->data[size] = 0;
    r->at += words_of(size);
    *ret = of_node(t);
    return 0;
}

static int get_bigint(reader *r, bool negative, uint64_t digits, kin_obj *ret)
{
    if (digits > left(r) * 2 || digits < 2) {
        return corrupt("an int is cut off");
    }
    bigint *b = get_node(r, KIN_TYPE_INT, sizeof *b + digits * sizeof b->digits[0]);
    if (b == NULL) {
        return no_node(r);
    }
    b->node.len = digits;
    b->node.flags = negative;
    memcpy(b->digits, r->at, digits * sizeof b->digits[0]);
    r->at += words_of(digits * sizeof b->digits[0]);
    *ret = of_node(b);
    /* The rules of a bigint: no 0 at the top, and beyond int64_t. */
    uint64_t low = (uint64_t)b->digits[1] << 32 | b->digits[0];
    if (b->digits[digits - 1] == 0 || (digits == 2 && low <= (uint64_t)INT64_MAX + negative)) {
        if (r->bundle == NULL) {
            kin_release(*ret);
        }
        return corrupt("a small int as a large one");
    }
    return 0;
}

static int get_buffer(reader *r, kin_obj *ret)
{
    int rv = 0;
    kin__ref ref = get_word(r);
    uint64_t size = get_word(r);
    void *memory = kin__block_at(ref, KIN__RAW, &rv);
    if (memory == NULL) {
        return rv;
    }
    if (size > kin__block_size(memory)) {
        return corrupt("a buffer is longer than its memory");
    }
    loan *l = get_node(r, KIN_TYPE_BUFFER, sizeof *l);
    if (l == NULL) {
        return no_node(r);
    }
    l->node.len = size;
    atomic_init(&l->block, ref);
    *ret = of_node(l);
    return 0;
}

static int get_local(reader *r, uint64_t n, kin_obj *ret)
{
    if (n > KIN__LOCAL_FDS || left(r) < n + 3) {
        return corrupt("something with descriptors is cut off");
    }
    kin__parcel parcel = { .n = (int)n };
    parcel.kind = get_word(r);
    parcel.note = get_word(r);
    parcel.thing = get_word(r);
    for (uint64_t i = 0; i < n; i++) {
        parcel.fds[i] = (int)get_word(r);
    }
    int rv = kin__local_unpack(&parcel, r->cargo, ret);
    if (rv == 0 && r->bundle != NULL) {
        local *l = ret->as.p;
        l->made = r->made;
        r->made = l;
    }
    return rv;
}

/* Of what refers to them nothing is left. */
static void release_made(reader *r)
{
    for (local *l = r->made; l != NULL;) {
        local *before = l->made;
        atomic_store_explicit(&l->node.count, 1, memory_order_relaxed); /* ours alone */
        kin_release(of_node(l));
        l = before;
    }
}

static int get_func(reader *r, kin_obj *ret)
{
    uint64_t words[2];
    words[0] = get_word(r);
    words[1] = get_word(r);
    kin_fn function = NULL;
    int rv = kin__func_unpack(words, &function);
    *ret = (kin_obj){ .type = KIN_TYPE_FUNC, .as.i = (int64_t)(uintptr_t)function };
    return rv;
}

static int get_box(reader *r, enum tag tag, uint64_t n, kin_obj *ret)
{
    static const struct kind {
        kin_type type;
        uint8_t flags;
        uint16_t mark;
    } kinds[] = {
        [TAG_LIST] = { .type = KIN_TYPE_LIST },
        [TAG_TUPLE] = { .type = KIN_TYPE_TUPLE },
        [TAG_ARGS] = { .type = KIN_TYPE_TUPLE, .flags = KWARGS },
        [TAG_TOKEN] = { .type = KIN_TYPE_TUPLE, .mark = MARK_TOKEN },
        [TAG_SLICE] = { .type = KIN_TYPE_TUPLE, .mark = MARK_SLICE },
        [TAG_DICT] = { .type = KIN_TYPE_DICT },
        [TAG_SET] = { .type = KIN_TYPE_SET },
        [TAG_FROZENSET] = { .type = KIN_TYPE_SET, .flags = VARIANT },
        [TAG_ERROR] = { .type = KIN_TYPE_ERROR },
    };
    const struct kind *kind = &kinds[tag];
    size_t each = kind->type == KIN_TYPE_DICT ? 2 : 1;
    bool args = tag == TAG_ARGS;
    if (r->bundle == NULL || n > left(r) / each || (args && n >= left(r))) {
        return corrupt("a container is cut off");
    }
    kin_obj *apart = r->apart;
    r->apart = NULL;
    if (apart != NULL && (tag != TAG_LIST || n != r->n_apart)) {
        return corrupt("a list of another length");
    }
    box *b = get_node(r, kind->type, box_size(apart == NULL ? n * each + args : 0));
    if (b == NULL) {
        return no_node(r);
    }
    b->node.len = n;
    b->node.flags = kind->flags;
    b->node.mark = kind->mark;
    b->items = apart == NULL ? b->inside : apart;
    b->room = 0; /* R4 */
    b->u.link = r->open;
    r->open = b;
    *ret = of_node(b);
    return 0;
}

static int get_error(reader *r, uint64_t what, kin_obj *ret)
{
    int32_t code = (int32_t)(uint32_t)what;
    uint64_t mark = what >> 32;
    if (code >= 0 || (mark > 0 && kin__exception_type((unsigned)mark) == NULL)) {
        return corrupt("an error of no code or type");
    }
    int rv = get_box(r, TAG_ERROR, ERROR_SLOTS, ret);
    if (rv == 0) {
        node *n = ret->as.p;
        n->code = code;
        n->mark = (uint16_t)mark;
    }
    return rv;
}

static int get_scalar(reader *r, uint64_t head, kin_obj *ret)
{
    uint64_t bits;
    switch ((uint8_t)head) {
    case TAG_NONE:
        *ret = (kin_obj){ .type = KIN_TYPE_NONE };
        return 0;
    case TAG_FALSE:
    case TAG_TRUE:
        *ret = (kin_obj){ .type = KIN_TYPE_BOOL, .as.i = (uint8_t)head == TAG_TRUE };
        return 0;
    case TAG_INT:
        *ret = (kin_obj){ .type = KIN_TYPE_INT, .as.i = (int64_t)head >> 8 };
        return 0;
    case TAG_INT64:
        *ret = (kin_obj){ .type = KIN_TYPE_INT, .as.i = (int64_t)get_word(r) };
        return 0;
    case TAG_SHARED:
        *ret = (kin_obj){ .type = KIN_TYPE_SHARED, .as.i = (int64_t)get_word(r) };
        return 0;
    case TAG_FLOAT:
        bits = get_word(r);
        *ret = (kin_obj){ .type = KIN_TYPE_FLOAT };
        memcpy(&ret->as.f, &bits, sizeof bits);
        return 0;
    default:
        return corrupt("an unknown type");
    }
}

static node **last_name(const reader *r)
{
    return (node **)(void *)(r->free + r->free_size);
}

static int get_again(const reader *r, uint64_t number, kin_obj *ret)
{
    if (r->bundle == NULL || number >= (size_t)(r->names - last_name(r))) {
        return corrupt("it speaks of what has not come yet");
    }
    node *n = r->names[-(ptrdiff_t)number - 1];
    uint32_t count = atomic_load_explicit(&n->count, memory_order_relaxed); /* ours alone */
    if (count == UINT32_MAX) {
        return corrupt("it speaks of one object too often");
    }
    atomic_store_explicit(&n->count, count + 1, memory_order_relaxed);
    *ret = of_node(n);
    return 0;
}

/* What a head without NAMED_BIT begins; the slots of a box are left to the caller. */
static int get_new(reader *r, uint64_t head, kin_obj *ret)
{
    uint64_t number = head >> 8;
    if (left(r) < words_after((uint8_t)head)) {
        return corrupt("a value is cut off");
    }
    switch ((uint8_t)head) {
    case TAG_STR:
    case TAG_BYTES:
    case TAG_BYTEARRAY:
        return get_text(r, (enum tag)(uint8_t)head, number, ret);
    case TAG_ERROR:
        return get_error(r, number, ret);
    case TAG_BIGINT:
    case TAG_NEGATIVE:
        return get_bigint(r, (uint8_t)head == TAG_NEGATIVE, number, ret);
    case TAG_FUNC:
        return get_func(r, ret);
    case TAG_BUFFER:
        return get_buffer(r, ret);
    case TAG_LOCAL:
        return get_local(r, number, ret);
    case TAG_AGAIN:
        return get_again(r, number, ret);
    case TAG_LIST:
    case TAG_TUPLE:
    case TAG_ARGS:
    case TAG_DICT:
    case TAG_SET:
    case TAG_FROZENSET:
    case TAG_TOKEN:
    case TAG_SLICE:
        return get_box(r, (enum tag)(uint8_t)head, number, ret);
    default:
        return get_scalar(r, head, ret);
    }
}

static int add_name(reader *r, node *n)
{
    if (r->free_size < sizeof n) {
        return corrupt("it needs more memory than it says");
    }
    r->free_size -= sizeof n;
    *last_name(r) = n;
    return 0;
}

/* R5: a leaf is whole, a box will be. */
static int name(reader *r, kin_obj o, bool again)
{
    if (r->bundle == NULL) {
        kin_release(o);
    }
    if (r->bundle == NULL || again || !is_heap(o)) {
        return corrupt("a name for what has none of its own");
    }
    if (!is_box(o)) {
        return add_name(r, o.as.p);
    }
    ((node *)o.as.p)->flags |= NAMED;
    return 0;
}

static int get_object(reader *r, kin_obj *ret)
{
    if (left(r) == 0) {
        return corrupt("it is cut off");
    }
    uint64_t head = get_word(r);
    int rv = get_new(r, head & ~(uint64_t)NAMED_BIT, ret);
    bool again = (head & TAG_BITS) == TAG_AGAIN;
    return rv == 0 && head & NAMED_BIT ? name(r, *ret, again) : rv;
}

static bool is_wrong(const box *b)
{
    if (b->node.type == KIN_TYPE_ERROR) {
        kin_type args = b->node.mark > 0 ? KIN_TYPE_TUPLE : KIN_TYPE_NONE;
        return b->items[ERROR_TEXT].type != KIN_TYPE_STR || b->items[ERROR_ARGS].type != args;
    }
    if (b->node.type != KIN_TYPE_TUPLE) {
        return false;
    }
    return b->node.mark > 0 ? !kin__token_is_sane(b)
                            : b->node.flags & KWARGS && b->items[b->node.len].type != KIN_TYPE_DICT;
}

static int close_box(reader *r, box *b)
{
    r->open = b->u.link;
    atomic_init(&b->u.index, NULL);
    if (is_wrong(b)) {
        return corrupt("named arguments or an error's are something else");
    }
    if (!(b->node.flags & NAMED)) {
        return 0;
    }
    b->node.flags ^= NAMED;
    return add_name(r, &b->node);
}

/* Boxes whose last slot has been read are done: the next slot to read, or NULL at the end. */
static int close_boxes(reader *r, kin_obj **ret_slot)
{
    int rv = 0;
    while (r->open != NULL && r->open->room == slots(r->open) && rv == 0) {
        rv = close_box(r, r->open);
    }
    *ret_slot = r->open == NULL ? NULL : &r->open->items[r->open->room++];
    return rv;
}

/* The short cut of the writer: small ints, but for the last slot of a box. */
static void get_small_ints(reader *r, kin_obj **slot, box *b)
{
    const volatile uint64_t *at = r->at;
    size_t most = slots(b) - b->room < left(r) ? slots(b) - b->room : left(r);
    size_t n = 0;
    for (uint64_t head; n < most && (uint8_t)(head = at[n]) == TAG_INT; n++) {
        (*slot)[n] = (kin_obj){ .type = KIN_TYPE_INT, .as.i = (int64_t)head >> 8 };
    }
    r->at += n;
    b->room += n;
    *slot += n;
}

static int get_all(reader *r, kin_obj *ret)
{
    kin_obj *slot = ret;
    int rv = 0;
    while (slot != NULL && rv == 0) {
        if (r->open != NULL) {
            get_small_ints(r, &slot, r->open);
        }
        rv = get_object(r, slot);
        rv = rv < 0 ? rv : close_boxes(r, &slot);
    }
    return rv == 0 && left(r) > 0 ? corrupt("more follows") : rv;
}

static int get_bundle(reader *r, size_t size, kin_obj *ret)
{
    size_t memory = (size_t)(get_word(r) >> 9), spared = r->n_apart * sizeof(kin_obj);
    /* No object takes more than nine times its words: an empty list with a name does. */
    if (memory < sizeof(bundle) + spared || memory > size * 9 || memory > BUNDLE_MAX) {
        return corrupt("it cannot need that much memory");
    }
    memory -= spared;
    r->bundle = kin__os_malloc(memory);
    if (r->bundle == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for an object of %zu bytes", memory);
    }
    r->free = (char *)(r->bundle + 1);
    r->free_size = (memory - sizeof(bundle)) / sizeof(node *) * sizeof(node *);
    r->names = last_name(r);
    kin_obj made;
    int rv = get_all(r, &made);
    if (rv == 0 && !is_box(made)) {
        rv = corrupt("a bundle of nothing");
    }
    if (rv < 0) {
        release_made(r);
        kin__os_free(r->bundle);
        return rv;
    }
    atomic_init(&r->bundle->live, r->nodes);
    r->bundle->kept = 0;
    *ret = made;
    return 0;
}

int kin__flat_read(const void *at, size_t size, kin_obj *ret)
{
    return kin__flat_read_with(at, size, NULL, ret);
}

int kin__flat_read_with(const void *at, size_t size, kin__cargo *cargo, kin_obj *ret)
{
    reader r = { .at = at, .end = (const uint64_t *)at + size / 8, .cargo = cargo };
    if (size % 8 != 0 || size == 0 || (uintptr_t)at % 8 != 0) {
        return corrupt("their number is no multiple of 8");
    }
    if ((uint8_t) * (const volatile uint64_t *)r.at == TAG_BUNDLE) {
        return get_bundle(&r, size, ret);
    }
    kin_obj made;
    int rv = get_object(&r, &made);
    if (rv == 0 && left(&r) > 0) {
        kin_release(made);
        rv = corrupt("more follows");
    }
    if (rv == 0) {
        *ret = made;
    }
    return rv;
}

int kin__flat_extend(const void *at, size_t size, kin_obj list, size_t n)
{
    box *b = list.as.p;
    reader r = { .at = at,
                 .end = (const uint64_t *)at + size / 8,
                 .apart = b->items + b->node.len,
                 .n_apart = n };
    if (size % 8 != 0 || size == 0 || (uintptr_t)at % 8 != 0 ||
        (uint8_t) * (const volatile uint64_t *)r.at != TAG_BUNDLE) {
        return corrupt("they are no list");
    }
    kin_obj made;
    int rv = get_bundle(&r, size, &made);
    if (rv == 0) {
        box *empty = made.as.p; /* its items are the other list's now */
        empty->items = empty->inside;
        empty->node.len = 0;
        kin_release(made);
        b->node.len += n;
    }
    return rv;
}
