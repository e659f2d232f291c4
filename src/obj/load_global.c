/* load_global.c - reading pickles: the closed list of globals, and what is made with them.
 *
 * Idea. A global is a place in a table: the exceptions (exception.c), and below what else Python's
 * pickles of data and of managers have. What is in none of them is refused where it is named.
 */
#include "load.h"
#include <string.h>

typedef int (*maker)(load *l, box *args, kin_obj *ret);

typedef struct global {
    const char *module, *name;
    maker call;  /* of REDUCE; NULL: it cannot be called */
    maker fresh; /* of NEWOBJ */
} global;

enum { OTHERS = 1000 }; /* the code of the first that is no exception */

static int wrong_args(const load *l, const char *what)
{
    return kin__load_fail(l, KIN_EUNSUPPORTED, "%s of arguments that kin does not know", what);
}

static int made(void *n, kin_obj *ret)
{
    if (n == NULL) {
        return kin__failure();
    }
    *ret = of_node(n);
    return 0;
}

static const char *class_name(kin_obj class_of);

/* ---- builtins ---------------------------------------------------------------------- */

static int convert(load *l, const box *args, kin_type type, uint8_t flags, kin_obj *ret)
{
    size_t from = l->stack.n;
    int rv = 0;
    if (args->node.len > 0) {
        kin_obj o = args->items[0];
        bool fine = o.type == KIN_TYPE_LIST || o.type == KIN_TYPE_TUPLE || o.type == KIN_TYPE_SET;
        rv = fine && args->node.len == 1 ? kin__load_spread(l, o.as.p)
                                         : wrong_args(l, kin__type_name(type));
    }
    return rv < 0 ? rv : kin__load_make(l, type, flags, from, ret);
}

static int make_list(load *l, box *args, kin_obj *ret)
{
    return convert(l, args, KIN_TYPE_LIST, 0, ret);
}

static int make_tuple(load *l, box *args, kin_obj *ret)
{
    return convert(l, args, KIN_TYPE_TUPLE, 0, ret);
}

static int make_set(load *l, box *args, kin_obj *ret)
{
    return convert(l, args, KIN_TYPE_SET, 0, ret);
}

static int make_frozenset(load *l, box *args, kin_obj *ret)
{
    return convert(l, args, KIN_TYPE_SET, VARIANT, ret);
}

static int make_dict(load *l, box *args, kin_obj *ret)
{
    return args->node.len > 0 ? wrong_args(l, "a dict")
                              : made(kin__load_box(l, KIN_TYPE_DICT, 0), ret);
}

static int make_bytes(load *l, box *args, kin_obj *ret)
{
    bool given = args->node.len == 1 && args->items[0].type == KIN_TYPE_BYTES;
    if (args->node.len > 0 && !given) {
        return wrong_args(l, "bytes");
    }
    size_t size = given ? kin_len(args->items[0]) : 0;
    chars *t = kin__load_leaf(l, KIN_TYPE_BYTES, sizeof *t + size + 1);
    if (t != NULL) {
        t->node.len = size;
        memcpy(t->data, given ? kin_as_bytes(args->items[0]) : "", size);
        t->data[size] = 0;
    }
    return made(t, ret);
}

static int make_bytearray(load *l, box *args, kin_obj *ret)
{
    int rv = make_bytes(l, args, ret);
    if (rv == 0) {
        ((node *)ret->as.p)->flags |= VARIANT;
    }
    return rv;
}

/* Protocol 2 has no bytes: they are a str of as many characters, encode(text, 'latin1'). */
static int make_encoded(load *l, box *args, kin_obj *ret)
{
    if (args->node.len != 2 || args->items[0].type != KIN_TYPE_STR ||
        args->items[1].type != KIN_TYPE_STR || strcmp(kin_as_str(args->items[1]), "latin1") != 0) {
        return wrong_args(l, "encode");
    }
    const chars *from = args->items[0].as.p;
    chars *t = kin__load_leaf(l, KIN_TYPE_BYTES, sizeof *t + from->node.len + 1);
    if (t == NULL) {
        return kin__failure();
    }
    size_t size = 0;
    for (size_t i = 0; i < from->node.len;) {
        uint32_t c = 0;
        i += kin__utf8_decode(from->data + i, from->node.len - i, &c);
        if (c > 0xff) {
            return kin__load_fail(l, KIN_ECORRUPT, "a character that is not in latin1");
        }
        t->data[size++] = (char)c;
    }
    t->node.len = size;
    t->data[size] = 0;
    *ret = of_node(t);
    return 0;
}

static int make_slice(load *l, box *args, kin_obj *ret)
{
    size_t from = l->stack.n;
    int rv = args->node.len != 3 ? wrong_args(l, "slice") : kin__load_spread(l, args);
    rv = rv < 0 ? rv : kin__load_make(l, KIN_TYPE_TUPLE, 0, from, ret);
    if (rv == 0) {
        ((node *)ret->as.p)->mark = MARK_SLICE;
    }
    return rv;
}

/* A list, for there are no ranges here; what it takes is charged as it grows. */
static int make_range(load *l, box *args, kin_obj *ret)
{
    int64_t at[3] = { 0 };
    size_t from = l->stack.n;
    bool fine = args->node.len == 3;
    for (size_t i = 0; i < 3 && fine; i++) {
        fine = args->items[i].type == KIN_TYPE_INT && kin_to_int(args->items[i], &at[i]) == 0;
    }
    int rv = fine && at[2] != 0 ? 0 : wrong_args(l, "range");
    bool more = true;
    for (int64_t i = at[0]; rv == 0 && more && (at[2] > 0 ? i < at[1] : i > at[1]);) {
        rv = push(l, kin_int(i));
        more = !__builtin_add_overflow(i, at[2], &i);
    }
    return rv < 0 ? rv : kin__load_make(l, KIN_TYPE_LIST, 0, from, ret);
}

/* ---- exceptions -------------------------------------------------------------------- */

static int make_text(load *l, kin_obj same, const char *text, size_t size, kin_obj *ret)
{
    *ret = same;
    ret->flags &= (uint8_t)~BORROWED;
    if (same.type != KIN_TYPE_INVALID) {
        return kin__load_fetch(l, same);
    }
    chars *t = kin__load_leaf(l, KIN_TYPE_STR, sizeof *t + size + 1);
    if (t != NULL) {
        t->node.len = size;
        memcpy(t->data, text, size);
        t->data[size] = 0;
    }
    return made(t, ret);
}

static int make_exception(load *l, unsigned mark, box *args, kin_obj *ret)
{
    char buffer[EXCEPTION_TEXT];
    size_t size = 0;
    mark = kin__exception_narrow(mark, args);
    kin_obj same = kin__exception_text(mark, args, buffer, &size);
    kin_obj text = { 0 };
    box *b = kin__load_box(l, KIN_TYPE_ERROR, ERROR_SLOTS);
    int rv = b == NULL ? kin__failure() : make_text(l, same, buffer, size, &text);
    rv = rv < 0 ? rv : kin__load_fetch(l, of_node(args));
    if (rv == 0 && kin__load_depth(&args->node) >= l->max_depth) {
        rv = kin__load_too_deep(l);
    }
    if (rv < 0) {
        return rv;
    }
    b->node.mark = (uint16_t)mark;
    b->node.len = ERROR_SLOTS;
    b->node.code = kin__exception_type(mark)->code;
    b->room = kin__load_depth(&args->node) + 1;
    b->items[ERROR_TEXT] = text;
    b->items[ERROR_ARGS] = of_node(args);
    *ret = of_node(b);
    return 0;
}

/* An exception and the text of its traceback, which we leave. */
static int make_rebuilt(load *l, box *args, kin_obj *ret)
{
    if (args->node.len != 2 || args->items[0].type != KIN_TYPE_ERROR) {
        return wrong_args(l, "rebuild_exc");
    }
    *ret = args->items[0];
    return kin__load_fetch(l, *ret);
}

/* ---- managers ---------------------------------------------------------------------- */

static int make_token(load *l, box *args, kin_obj *ret)
{
    box *b = args->node.len > 0 ? NULL : kin__load_box(l, KIN_TYPE_TUPLE, TOKEN_SLOTS);
    if (b == NULL) {
        return args->node.len > 0 ? wrong_args(l, "a Token") : kin__failure();
    }
    for (; b->node.len < TOKEN_SLOTS; b->node.len++) {
        b->items[b->node.len] = kin_none();
    }
    b->node.mark = MARK_TOKEN;
    b->node.flags |= UNBUILT;
    l->unbuilt++;
    *ret = of_node(b);
    return 0;
}

static int build_token(load *l, box *b, kin_obj state)
{
    const box *from = state.as.p;
    if (state.type != KIN_TYPE_TUPLE || from->node.len != TOKEN_SLOTS || from->node.mark != 0 ||
        from->items[0].type != KIN_TYPE_STR || !kin__is_address(from->items[1]) ||
        from->items[2].type != KIN_TYPE_STR) {
        return wrong_args(l, "a Token");
    }
    int rv = 0;
    for (size_t i = 0; i < TOKEN_SLOTS && rv == 0; i++) {
        rv = kin__load_fetch(l, from->items[i]);
        b->items[i] = from->items[i];
    }
    b->node.code = 2; /* an address may be a tuple */
    b->node.flags &= (uint8_t)~UNBUILT;
    l->unbuilt--;
    kin__load_weigh(b);
    return rv;
}

/* A Namespace or a Value. */
static int make_namespace(load *l, box *args, kin_obj *ret)
{
    int rv = make_dict(l, args, ret);
    if (rv == 0) {
        ((node *)ret->as.p)->flags |= UNBUILT;
    }
    return rv;
}

static bool is_token(kin_obj o)
{
    const node *n = o.as.p;
    return o.type == KIN_TYPE_TUPLE && n->mark == MARK_TOKEN && n->len == TOKEN_SLOTS &&
           !(n->flags & UNBUILT);
}

static kin_obj exposed_in(const box *dict)
{
    for (size_t i = 0; i < dict->node.len && i < 4; i++) { /* it has one entry, or two */
        kin_obj key = dict->items[i * 2];
        if (key.type == KIN_TYPE_STR && strcmp(kin_as_str(key), "exposed") == 0) {
            return dict->items[i * 2 + 1];
        }
    }
    return kin_none();
}

/* The class in the arguments becomes its name there, too (R4). */
static int name_class(load *l, kin_obj *class_of)
{
    kin_obj name;
    const char *text = class_name(*class_of);
    int rv = make_text(l, (kin_obj){ 0 }, text, strlen(text), &name);
    if (rv == 0) {
        l->classes--;
        *class_of = name;
    }
    return rv;
}

/* Of a proxy's class, its token, 'pickle', and a dict that may have what it exposes. */
static int make_proxy(load *l, box *args, kin_obj *ret)
{
    const kin_obj *items = args->items;
    kin_obj exposed = args->node.len == 4 && items[3].type == KIN_TYPE_DICT
                          ? exposed_in(items[3].as.p)
                          : (kin_obj){ 0 };
    int rv = kin__load_look(l, exposed);
    if (rv < 0) {
        return rv;
    }
    if (!kin__is_exposed(exposed) || !is_token(items[1]) || !is_class(items[0]) ||
        class_name(items[0]) == NULL) {
        return wrong_args(l, "a proxy");
    }
    rv = name_class(l, &args->items[0]);
    size_t from = l->stack.n;
    rv = rv < 0 ? rv : kin__load_spread(l, items[1].as.p);
    rv = rv < 0 ? rv : kin__load_fetch(l, items[0]);
    rv = rv < 0 ? rv : push(l, items[0]);
    rv = rv < 0 ? rv : kin__load_fetch(l, exposed);
    rv = rv < 0 ? rv : is_box(exposed) ? push_any(l, exposed) : push(l, exposed);
    rv = rv < 0 ? rv : kin__load_make(l, KIN_TYPE_TUPLE, 0, from, ret);
    if (rv == 0) {
        ((node *)ret->as.p)->mark = MARK_TOKEN;
    }
    return rv;
}

/* ---- the list ---------------------------------------------------------------------- */

#define PROXY(name)                                                                                \
    {                                                                                              \
        MANAGERS, name, NULL, NULL                                                                 \
    }

static const global globals[] = {
    { "builtins", "list", make_list, NULL },
    { "builtins", "tuple", make_tuple, NULL },
    { "builtins", "dict", make_dict, NULL },
    { "builtins", "set", make_set, NULL },
    { "builtins", "frozenset", make_frozenset, NULL },
    { "builtins", "bytes", make_bytes, NULL },
    { "builtins", "bytearray", make_bytearray, NULL },
    { "builtins", "slice", make_slice, NULL },
    { "builtins", "range", make_range, NULL },
    { "builtins", "xrange", make_range, NULL }, /* in protocol 2 */
    { "_codecs", "encode", make_encoded, NULL },
    { "array", "array", kin__load_array, NULL },
    { "collections", "OrderedDict", make_dict, NULL },
    { "multiprocessing.pool", "rebuild_exc", make_rebuilt, NULL },
    { MANAGERS, "Token", NULL, make_token },
    { MANAGERS, "Namespace", NULL, make_namespace },
    { MANAGERS, "Value", NULL, make_namespace },
    { MANAGERS, "RebuildProxy", make_proxy, NULL },
    PROXY("AcquirerProxy"),
    PROXY("ArrayProxy"),
    PROXY("AutoProxy"),
    PROXY("BarrierProxy"),
    PROXY("ConditionProxy"),
    PROXY("DictProxy"),
    PROXY("EventProxy"),
    PROXY("IteratorProxy"),
    PROXY("ListProxy"),
    PROXY("NamespaceProxy"),
    PROXY("PoolProxy"),
    PROXY("SetProxy"),
    PROXY("ValueProxy"),
};

enum { GLOBALS = sizeof globals / sizeof globals[0] };

/* NULL for what is no proxy's class. */
static const char *class_name(kin_obj class_of)
{
    const global *g = class_of.code < OTHERS ? NULL : &globals[class_of.code - OTHERS];
    return g != NULL && g->call == NULL && g->fresh == NULL ? g->name : NULL;
}

static bool is_text(const char *text, const char *s, size_t size)
{
    return strlen(text) == size && memcmp(text, s, size) == 0;
}

/* Names of protocol 2 are those of Python 2. */
static const char *today(const char *module, size_t *size)
{
    static const char *const renamed[][2] = {
        { "__builtin__", "builtins" },
        { "exceptions", "builtins" },
        { "Queue", "queue" },
        { "_queue", "queue" },
        { "multiprocessing", "multiprocessing.context" },
    };
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        if (is_text(renamed[i][0], module, *size)) {
            *size = strlen(renamed[i][1]);
            return renamed[i][1];
        }
    }
    return module;
}

/* The begin of what a pickle says, whatever that is. */
static void brief(line from, char ret_text[BRIEF])
{
    size_t n = from.size < BRIEF - 1 ? from.size : BRIEF - 1;
    for (size_t i = 0; i < n; i++) {
        ret_text[i] = from.s[i] >= ' ' && from.s[i] < 0x7f ? from.s[i] : '?';
    }
    ret_text[n] = '\0';
}

int kin__load_class(load *l, line module, line name, kin_obj *ret)
{
    size_t size = module.size;
    const char *now = today(module.s, &size);
    unsigned mark = kin__exception_find(now, size, name.s, name.size);
    for (unsigned i = 0; i < GLOBALS && mark == 0; i++) {
        if (is_text(globals[i].name, name.s, name.size) && is_text(globals[i].module, now, size)) {
            mark = OTHERS + i;
        }
    }
    if (mark == 0) {
        char text[2][BRIEF];
        brief(module, text[0]);
        brief(name, text[1]);
        return kin__load_fail(l, KIN_EUNSUPPORTED,
                              "the global %s.%s is not one of those that are known", text[0],
                              text[1]);
    }
    *ret = (kin_obj){ .code = (int32_t)mark };
    return 0;
}

int kin__load_call(load *l, kin_obj class_of, kin_obj args, bool fresh, kin_obj *ret)
{
    if (!is_class(class_of) || args.type != KIN_TYPE_TUPLE ||
        ((const node *)args.as.p)->mark != 0) {
        return kin__load_fail(l, KIN_ECORRUPT, "no class and its arguments");
    }
    if (class_of.code < OTHERS && !fresh) {
        return make_exception(l, (unsigned)class_of.code, args.as.p, ret);
    }
    const global *g = class_of.code < OTHERS ? NULL : &globals[class_of.code - OTHERS];
    maker make = g == NULL ? NULL : fresh ? g->fresh : g->call;
    if (make == NULL) {
        return kin__load_fail(l, KIN_EUNSUPPORTED, "this is not made so");
    }
    return make(l, args.as.p, ret);
}

/* ---- states ------------------------------------------------------------------------ */

static bool find_code(const box *dict, int32_t *ret_code)
{
    for (size_t i = 0; i < dict->node.len && i < 4; i++) { /* where it is, it is the first */
        kin_obj key = dict->items[i * 2];
        kin_obj value = dict->items[i * 2 + 1];
        if (key.type == KIN_TYPE_STR && strcmp(kin_as_str(key), CODE_NAME) == 0 &&
            value.type == KIN_TYPE_INT && !is_heap(value) && value.as.i < 0 &&
            value.as.i >= INT32_MIN) {
            *ret_code = (int32_t)value.as.i;
            return true;
        }
    }
    return false;
}

/* An error of ours was sent as an exception of its text, with its code as an attribute. Other state
 * is left aside. */
static int build_error(load *l, box *error, kin_obj state)
{
    int32_t code = 0;
    kin_obj args = error->items[ERROR_ARGS];
    const box *from = is_box(args) ? args.as.p : NULL;
    if (from == NULL || from->node.len != 1 || from->items[0].type != KIN_TYPE_STR ||
        state.type != KIN_TYPE_DICT || !find_code(state.as.p, &code)) {
        return 0;
    }
    int rv = kin__load_fetch(l, from->items[0]);
    rv = rv < 0 ? rv : pile_push(l, &l->bin, error->items[ERROR_TEXT]);
    rv = rv < 0 ? rv : pile_push(l, &l->bin, args);
    if (rv == 0) {
        error->node.code = code;
        error->node.mark = 0;
        error->items[ERROR_TEXT] = from->items[0];
        error->items[ERROR_ARGS] = kin_none();
    }
    return rv;
}

int kin__load_build(load *l, kin_obj state)
{
    kin_obj o = l->stack.items[l->stack.n - 1];
    box *b = is_box(o) ? o.as.p : NULL;
    if (o.type == KIN_TYPE_ERROR) {
        return build_error(l, b, state);
    }
    if (b == NULL || !(b->node.flags & UNBUILT)) {
        return kin__load_fail(l, KIN_ECORRUPT, "%s has no state", kin__type_name((kin_type)o.type));
    }
    if (o.type == KIN_TYPE_TUPLE) {
        return build_token(l, b, state);
    }
    if (state.type != KIN_TYPE_DICT) {
        return wrong_args(l, "a Namespace");
    }
    size_t from = l->stack.n;
    int rv = kin__load_spread(l, state.as.p);
    return rv < 0 ? rv : kin__load_fill(l, KIN_TYPE_DICT, from);
}
