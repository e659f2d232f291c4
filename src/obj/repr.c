/* repr.c - objects as text, exactly as Python's repr() and print() have it.
 *
 * Idea. Text is added to a growing buffer; where one is in nested boxes is a walk (walk.c). A box
 * that is met inside itself prints as [...]. Python has no words for errors of ours, functions,
 * shared things, proxies and named arguments: those are ours.
 */
#include "local.h"
#include "printable.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct writer {
    char *s;
    size_t size, room;
    bool fixed; /* what is beyond the room is cut off */
    int rv;     /* less than 0: no more is added */
} writer;

enum {
    CUT = -1,
    WIDE = 128, /* digits of an int; as decimal ones they are more than is shown of anything cut */
    DEEP = 100, /* boxes in boxes that are shown where something may be cut */
};

static bool make_room(writer *w, size_t more)
{
    if (w->rv < 0) {
        return false;
    }
    if (more < w->room - w->size) {
        return true;
    }
    if (w->fixed) {
        w->rv = CUT;
        return false;
    }
    size_t room = w->room * 2 + more + 64;
    char *s = kin__os_realloc(w->s, room);
    if (s == NULL) {
        w->rv = kin__fail(KIN_ENOMEM, "no memory for a repr of more than %zu bytes", w->size);
        return false;
    }
    w->s = s;
    w->room = room;
    return true;
}

static void add(writer *w, const char *s, size_t size)
{
    bool fits = make_room(w, size);
    if (fits || w->rv == CUT) {
        size_t n = fits ? size : w->room - w->size - 1;
        memcpy(w->s + w->size, s, n);
        w->size += n;
    }
}

static void add_text(writer *w, const char *s)
{
    add(w, s, strlen(s));
}

/* For at most 200 bytes. */
static void add_format(writer *w, const char *format, ...) KIN_PRINTF(2, 3);
static void add_format(writer *w, const char *format, ...)
{
    char s[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(s, sizeof s, format, args);
    va_end(args);
    add_text(w, s);
}

/* ---- text -------------------------------------------------------------------------- */

static bool is_printable(uint32_t c)
{
    size_t low = 0;
    size_t high = sizeof printable_changes / sizeof printable_changes[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (printable_changes[middle] <= c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low % 2 != 0;
}

/* Single quotes, but for a text that has those and no double ones. What is cut off is not looked
 * at. */
static char quote_of(const writer *w, const chars *t)
{
    size_t size = w->fixed && t->node.len > w->room ? w->room : t->node.len;
    return memchr(t->data, '\'', size) && !memchr(t->data, '"', size) ? '"' : '\'';
}

/* What str and bytes have in common; false when `c` needs no escape of these. */
static bool add_escape(writer *w, uint32_t c, char quote)
{
    const char *named = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (named != NULL) {
        add(w, named, 2);
    } else if (c == '\\' || c == (uint32_t)quote) {
        add(w, (char[]){ '\\', (char)c }, 2);
    } else if (c < ' ' || c == 0x7f) {
        add_format(w, "\\x%02x", (unsigned)c);
    } else {
        return false;
    }
    return true;
}

/* A byte that is no UTF-8 is shown as Python's surrogateescape has it. */
static size_t add_char(writer *w, const char *s, size_t size, char quote)
{
    uint32_t c;
    size_t n = kin__utf8_decode(s, size, &c);
    if (n == 0) {
        add_format(w, "\\udc%02x", (unsigned)(uint8_t)*s);
        return 1;
    }
    if (add_escape(w, c, quote)) {
        return n;
    }
    if (c < 0x7f || is_printable(c)) {
        add(w, s, n);
    } else {
        add_format(w, c > 0xffff ? "\\U%08x" : c > 0xff ? "\\u%04x" : "\\x%02x", (unsigned)c);
    }
    return n;
}

static void add_str(writer *w, const chars *t)
{
    char quote = quote_of(w, t);
    add(w, &quote, 1);
    for (size_t i = 0; i < t->node.len && w->rv == 0;) {
        i += add_char(w, t->data + i, t->node.len - i, quote);
    }
    add(w, &quote, 1);
}

static void add_bytes(writer *w, const chars *t)
{
    char quote = quote_of(w, t);
    bool array = t->node.flags & VARIANT;
    add_text(w, array ? "bytearray(b" : "b");
    add(w, &quote, 1);
    for (size_t i = 0; i < t->node.len && w->rv == 0; i++) {
        uint8_t c = (uint8_t)t->data[i];
        if (c > 0x7f) {
            add_format(w, "\\x%02x", c);
        } else if (!add_escape(w, c, array ? '\'' : quote)) { /* a bytearray's always are */
            add(w, t->data + i, 1);
        }
    }
    add(w, &quote, 1);
    add_text(w, array ? ")" : "");
}

/* ---- what has no slots ------------------------------------------------------------- */

/* The time for all digits grows by the square of their number. */
static void add_bigint(writer *w, const bigint *b)
{
    size_t n = b->node.len;
    if (w->fixed && n > WIDE) {
        add_format(w, "<int of %zu bits>", n * 32 - (size_t)__builtin_clz(b->digits[n - 1]));
        return;
    }
    char *s = kin__bigint_text(b);
    if (s == NULL) {
        w->rv = KIN_ENOMEM;
        return;
    }
    add_text(w, s);
    kin__os_free(s);
}

static void add_shared(writer *w, kin__ref ref)
{
    static const char *const names[KIN__TYPE_COUNT] = {
        [KIN__RAW] = "memory",
        [KIN__LOCK] = "kin_lock",
        [KIN__EVENT] = "kin_event",
        [KIN__QUEUE] = "kin_queue",
        [KIN__POOL] = "kin_pool",
        [KIN__RLOCK] = "kin_rlock",
        [KIN__SEMAPHORE] = "kin_semaphore",
        [KIN__CONDITION] = "kin_condition",
        [KIN__BARRIER] = "kin_barrier",
        [KIN__VALUE] = "kin_value",
        [KIN__ARRAY] = "kin_array",
        [KIN__SHARED_DICT] = "kin_shared_dict",
        [KIN__SHARED_LIST] = "kin_shared_list",
        [KIN__SHARED_SET] = "kin_shared_set",
        [KIN__SHARED_NAMESPACE] = "kin_shared_namespace",
    };
    void *thing = kin__block_at(ref, 0, NULL);
    kin__type type = thing == NULL ? 0 : kin__block_type(thing);
    if (thing == NULL) {
        add_text(w, "<shared, freed>");
    } else if (type < KIN__TYPE_COUNT && names[type] != NULL) {
        add_format(w, "<%s at %p>", names[type], thing);
    } else {
        add_format(w, "<shared at %p>", thing);
    }
}

static void add_local(writer *w, const local *l)
{
    bool is_gone = l->ops->listed && kin__local_ops_of(l->thing) == NULL;
    if (l->ops->used_as != NULL && !is_gone) {
        add_format(w, "<%s (%s) at %p>", l->ops->name, l->ops->used_as(l->thing), l->thing);
    } else {
        add_format(w, "<%s at %p>", l->ops->name, l->thing);
    }
}

static void add_float(writer *w, double value)
{
    char s[FLOAT_TEXT];
    kin__float_text(value, s);
    add_text(w, s);
}

static void add_leaf(writer *w, kin_obj o)
{
    switch ((kin_type)o.type) {
    case KIN_TYPE_NONE:
        add_text(w, "None");
        return;
    case KIN_TYPE_BOOL:
        add_text(w, o.as.i ? "True" : "False");
        return;
    case KIN_TYPE_INT:
        if (is_heap(o)) {
            add_bigint(w, o.as.p);
        } else {
            add_format(w, "%lld", (long long)o.as.i);
        }
        return;
    case KIN_TYPE_FLOAT:
        add_float(w, o.as.f);
        return;
    case KIN_TYPE_FUNC:
        add_format(w, "<function at %#llx>", (unsigned long long)o.as.i);
        return;
    case KIN_TYPE_SHARED:
        if (is_local(o)) {
            add_local(w, o.as.p);
        } else {
            add_shared(w, (kin__ref)o.as.i);
        }
        return;
    case KIN_TYPE_STR:
        add_str(w, o.as.p);
        return;
    case KIN_TYPE_BYTES:
        add_bytes(w, o.as.p);
        return;
    case KIN_TYPE_BUFFER:
        add_format(w, "<buffer of %zu bytes>", ((const node *)o.as.p)->len);
        return;
    default:
        add_format(w, "<invalid: %s>", kin_error_text(o));
    }
}

/* ---- boxes ------------------------------------------------------------------------- */

typedef struct words {
    const char *open, *close, *again;
} words;

static const words *words_of(const box *b)
{
    static const words all[] = {
        [KIN_TYPE_ERROR] = { "", ")", "(...)" },
        [KIN_TYPE_LIST] = { "[", "]", "[...]" },
        [KIN_TYPE_TUPLE] = { "(", ")", "(...)" },
        [KIN_TYPE_DICT] = { "{", "}", "{...}" },
    };
    static const words sets[2][2] = {
        { { "set(", ")", "" }, { "{", "}", "set(...)" } },
        { { "frozenset(", ")", "" }, { "frozenset({", "})", "frozenset(...)" } },
    };
    static const words marked[] = {
        [MARK_TOKEN] = { "Token(", ")", "Token(...)" },
        [MARK_SLICE] = { "slice(", ")", "slice(...)" },
    };
    if (b->node.type == KIN_TYPE_SET) {
        return &sets[(b->node.flags & VARIANT) != 0][b->node.len > 0];
    }
    bool mark = b->node.type == KIN_TYPE_TUPLE && b->node.mark > 0;
    return mark ? &marked[b->node.mark] : &all[b->node.type];
}

static size_t shown_slots(const box *b)
{
    bool token = b->node.type == KIN_TYPE_TUPLE && b->node.mark == MARK_TOKEN;
    return token ? TOKEN_SLOTS : slots(b);
}

static void open_box(writer *w, const box *b)
{
    if (b->node.type == KIN_TYPE_TUPLE && b->node.mark == MARK_TOKEN && b->node.len > PROXY_CLASS) {
        add_text(w, kin_as_str(b->items[PROXY_CLASS]));
        add_text(w, "(");
    } else {
        add_text(w, words_of(b)->open);
    }
}

/* A tuple of one has a comma, but for an exception's arguments, which follow its name. */
static void close_box(writer *w, const walk *path)
{
    const frame *f = &path->frames[path->depth - 1];
    const box *b = f->box;
    bool plain = b->node.type == KIN_TYPE_TUPLE && b->node.mark == 0;
    bool args = path->depth > 1 && f[-1].box->node.type == KIN_TYPE_ERROR;
    add_text(w, plain && slots(b) == 1 && b->node.len == 1 && !args ? ",)" : words_of(b)->close);
}

/* What stands before a slot. */
static void separate(writer *w, const box *b, size_t slot)
{
    static const char *const names[] = { "typeid=", "address=", "id=" };
    if (b->node.type == KIN_TYPE_DICT && slot % 2 == 1) {
        add_text(w, ": ");
    } else if (slot > 0) {
        add_text(w, ", ");
    }
    if (b->node.type == KIN_TYPE_TUPLE && b->node.mark == MARK_TOKEN) {
        add_text(w, names[slot]);
    } else if (b->node.type == KIN_TYPE_TUPLE && slot == b->node.len) {
        add_text(w, "**"); /* the named arguments */
    }
}

/* An error of ours is its code and text, an exception its name and arguments, of which that of
 * files does not show all. */
static void enter_error(writer *w, walk *path, const box *b)
{
    const exception_type *type = kin__exception_type(b->node.mark);
    if (type == NULL) {
        add_format(w, "kin_error(%d, ", (int)b->node.code);
        add_str(w, b->items[ERROR_TEXT].as.p);
        add_text(w, ")");
        path->depth--;
        return;
    }
    box *args = b->items[ERROR_ARGS].as.p;
    add_text(w, type->name);
    int rv = kin__walk_push(path, args);
    if (rv == 0) {
        add_text(w, "(");
        walk_top(path)->u.end = kin__exception_shown(b->node.mark, args);
        path->frames[path->depth - 2].at = ERROR_SLOTS;
    } else {
        w->rv = rv < 0 ? rv : w->rv;
        add_text(w, "(...)");
        path->depth--;
    }
}

static void enter(writer *w, walk *path, box *b)
{
    int rv = w->fixed && path->depth >= DEEP ? CUT : kin__walk_push(path, b);
    if (rv < 0) {
        w->rv = rv;
    } else if (rv == ON_PATH) {
        add_text(w, words_of(b)->again);
    } else if (b->node.type == KIN_TYPE_ERROR) {
        walk_top(path)->u.end = ERROR_SLOTS;
        enter_error(w, path, b);
    } else {
        walk_top(path)->u.end = shown_slots(b);
        open_box(w, b);
    }
}

static void add_boxes(writer *w, box *outermost)
{
    walk path;
    kin__walk_begin(&path);
    enter(w, &path, outermost);
    for (frame *f = walk_top(&path); f != NULL && w->rv == 0; f = walk_top(&path)) {
        if (f->at == f->u.end) {
            if (f->box->node.type != KIN_TYPE_ERROR) {
                close_box(w, &path);
            }
            path.depth--;
            continue;
        }
        separate(w, f->box, f->at);
        kin_obj o = f->box->items[f->at++];
        if (is_box(o)) {
            enter(w, &path, o.as.p);
        } else {
            add_leaf(w, o);
        }
    }
    kin__walk_end(&path);
}

static void add_any(writer *w, kin_obj o)
{
    if (is_box(o)) {
        add_boxes(w, o.as.p);
    } else {
        add_leaf(w, o);
    }
}

size_t kin__repr_cut(kin_obj o, char *ret_text, size_t room)
{
    writer w = { .s = ret_text, .room = room - (sizeof "..." - 1), .fixed = true };
    add_any(&w, o);
    ret_text[w.size] = 0;
    if (w.rv < 0) {
        w.size = kin__cut(ret_text, w.size);
        memcpy(ret_text + w.size, "...", sizeof "...");
        w.size += sizeof "..." - 1;
    }
    return w.size;
}

void kin__repr_brief(kin_obj o, char ret_text[BRIEF])
{
    (void)kin__repr_cut(o, ret_text, BRIEF);
}

char *kin_repr(kin_obj o)
{
    writer w = { 0 };
    add_any(&w, o);
    if (!make_room(&w, 1)) {
        kin__os_free(w.s);
        return NULL;
    }
    w.s[w.size] = 0;
    return w.s;
}

int kin_print(kin_obj o)
{
    bool raw = o.type == KIN_TYPE_STR;
    char *s = raw ? NULL : kin_repr(o);
    if (!raw && s == NULL) {
        return KIN_ENOMEM;
    }
    const char *data = raw ? kin_as_str(o) : s;
    size_t size = raw ? kin_len(o) : strlen(s);
    flockfile(stdout); /* a line stays a line */
    bool printed = fwrite(data, 1, size, stdout) == size && putc('\n', stdout) != EOF;
    funlockfile(stdout);
    kin__os_free(s);
    return printed ? 0 : kin__fail(KIN_EOS, "kin_print: stdout does not take it");
}
