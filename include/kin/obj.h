/* kin/obj.h - what processes say to each other: values like Python's.
 *
 *     kin_obj point = kin_dict(kin_str("x"), kin_int(3), kin_str("tags"), kin_list(kin_str("a")));
 *     int64_t x = kin_as_int(kin_lookup(point, kin_str("x")));
 *     kin_release(point);
 *
 * Who owns what, the whole rule:
 *   - What you pass to a constructor or a verb (put, submit, append, lookup, return) is given away,
 *     also when the call fails. So constructors nest.
 *   - What a call hands out through a pointer is yours: kin_release it.
 *   - What you read out of another object (kin_at, kin_arg, kin_lookup, kin_next_item) is borrowed:
 *     it lives as long as that object, and need not be released. It carries a mark, so it may be
 *     passed on like any other: `return kin_arg(args, 0)` is right. kin_retain makes it yours.
 *   - Questions (kin_len, kin_as_..., kin_repr, kin_equal) never take anything away.
 *
 * A constructor that fails yields the invalid object, and whoever is given that fails with the
 * same code: build first, check once. kin_is_error() tells it. KIN_DEBUG=objects in the
 * environment fills what was released with garbage and logs what is released twice.
 */
#ifndef KIN_OBJ_H
#define KIN_OBJ_H

#include <kin/base.h>

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

typedef enum kin_type {
    KIN_TYPE_INVALID, /* no object: what a failed constructor or reader returns, or all zeros */
    KIN_TYPE_NONE,
    KIN_TYPE_BOOL,
    KIN_TYPE_INT, /* of any size */
    KIN_TYPE_FLOAT,
    KIN_TYPE_FUNC,   /* a C function */
    KIN_TYPE_SHARED, /* a queue, a lock, memory of kin_alloc... of the family */
    KIN_TYPE_STR,
    KIN_TYPE_BYTES,
    KIN_TYPE_BUFFER, /* bytes of kin_alloc on their way to a new owner */
    KIN_TYPE_ERROR,  /* a code and a text: how a task fails */
    KIN_TYPE_LIST,
    KIN_TYPE_TUPLE,
    KIN_TYPE_DICT,
    KIN_TYPE_SET,
} kin_type;

/* kin_obj: one value, or a reference to one; copying the struct counts nothing. The fields are
 * private. All zeros is the invalid object.
 *
 * Owner:     whoever made it or was given it, until released or given away.
 * Threads:   references may be taken, dropped and read anywhere; whoever changes a list, dict or
 *            set must be alone with it meanwhile.
 * Processes: a private copy in each; queues and pools carry it over.
 * Fork:      the child has a copy.
 * Death:     private memory, gone with its process. */
typedef struct kin_obj {
    uint8_t type;
    uint8_t flags;
    uint16_t spare;
    int32_t code;
    union {
        int64_t i;
        double f;
        void *p;
    } as;
} kin_obj;

/* What processes and pools run. `args` is a tuple and borrowed, the result is given. */
typedef kin_obj (*kin_fn)(kin_obj args);

/* ---- making objects; all of them may return the invalid object ---------------------------- */

/* These need no memory, so they never fail. */
KIN_API kin_obj kin_none(void);
KIN_API kin_obj kin_bool(bool value);
KIN_API kin_obj kin_int(int64_t value);
KIN_API kin_obj kin_float(double value);

/* Text and bytes, copied. Text is meant to be UTF-8; other bytes stay as they are. */
KIN_API kin_obj kin_str(const char *text);
KIN_API kin_obj kin_strn(const char *text, size_t size);
KIN_API kin_obj kin_strf(const char *format, ...) KIN_PRINTF(1, 2);
KIN_API kin_obj kin_bytes(const void *data, size_t size);

/* An int of any size from its magnitude, least significant byte first. */
KIN_API kin_obj kin_bigint(const void *magnitude, size_t size, bool negative);

/* kin_list(a, b, ...), kin_tuple(...), kin_set(...): of none to many objects, evaluated from left
 * to right. kin_dict(key, value, key, value, ...). kin_args(...) is a tuple, for functions. */
#ifdef __cplusplus
#define KIN_MAKE(make, ...) kin_make(make, { __VA_ARGS__ })
#else
#define KIN_ITEMS(...) ((const kin_obj[]){ { 0 }, __VA_ARGS__ })
#define KIN_MAKE(make, ...)                                                                        \
    make(KIN_ITEMS(__VA_ARGS__) + 1, sizeof(KIN_ITEMS(__VA_ARGS__)) / sizeof(kin_obj) - 1)
#endif
#define kin_list(...) KIN_MAKE(kin_list_n, __VA_ARGS__)
#define kin_tuple(...) KIN_MAKE(kin_tuple_n, __VA_ARGS__)
#define kin_dict(...) KIN_MAKE(kin_dict_n, __VA_ARGS__)
#define kin_set(...) KIN_MAKE(kin_set_n, __VA_ARGS__)
#define kin_args(...) KIN_MAKE(kin_tuple_n, __VA_ARGS__)

/* The same from an array of `n` objects; for a dict key, value, key, value (and `n` is even). */
KIN_API kin_obj kin_list_n(const kin_obj *items, size_t n);
KIN_API kin_obj kin_tuple_n(const kin_obj *items, size_t n);
KIN_API kin_obj kin_dict_n(const kin_obj *items, size_t n);
KIN_API kin_obj kin_set_n(const kin_obj *items, size_t n);

/* The list of ints from `from` up to, not including, `to`. */
KIN_API kin_obj kin_range(int64_t from, int64_t to);

/* Arguments with names besides: kin_args_kw(kin_args(a), kin_dict(kin_str("depth"), b)). The
 * names are no part of the tuple's length; kin_kwarg reads them. */
KIN_API kin_obj kin_args_kw(kin_obj args, kin_obj names);

/* What a failing task returns. The code is negative: one of ours, or KIN_EUSER and below. */
KIN_API kin_obj kin_error(int code, const char *format, ...) KIN_PRINTF(2, 3);

/* A function; and a queue, a lock, memory of kin_alloc... as an object, which does not own it but
 * notices when it has been freed. KIN_EINVAL for a pointer into the middle of one. */
KIN_API kin_obj kin_func(kin_fn function);
KIN_API kin_obj kin_shared(const void *thing);

/* Hands `size` bytes of kin_alloc over without copying them: they are freed with the object unless
 * kin_take_buffer takes them out. Sending the object empties it here. */
KIN_API kin_obj kin_buffer(void *memory, size_t size);

/* ---- keeping and dropping ----------------------------------------------------------------- */

/* Makes a reference that is yours; drops one. Nothing happens when a borrowed one is released. */
KIN_API kin_obj kin_retain(kin_obj o);
KIN_API void kin_release(kin_obj o);

/* ---- changing and calling ----------------------------------------------------------------- */

/* Adds to the end of a list, or into a set. All who hold the list see it. A list that comes to
 * hold itself is never freed, unless kin_setitem breaks the ring. */
KIN_API int kin_append(kin_obj *list, kin_obj value);

/* dict[key] = value, or list[index] = value. KIN_ETYPE for a key that cannot be one (a list). */
KIN_API int kin_setitem(kin_obj *dict, kin_obj key, kin_obj value);

/* The value of a key, or a set's equal member. Borrowed; invalid (KIN_ENOTFOUND) when missing. */
KIN_API kin_obj kin_lookup(kin_obj dict, kin_obj key);

/* Calls a function here and now. 0 and its result, or the code of the error it returned, whose
 * text becomes kin_errmsg(). `ret_result` may be NULL. */
KIN_API int kin_call(kin_fn function, kin_obj args, kin_obj *ret_result);

/* What an object owns, now yours: a buffer's bytes, to kin_free; kin_take(kin_conn, o): a
 * connection that arrived with it, or a proxy of kin_manager_call. NULL when it was taken or sent
 * before. */
KIN_API void *kin_take_buffer(kin_obj o, size_t *ret_size);
#define kin_take(type, o) ((type *)kin_take_shared_type((o), type##_KIND))
KIN_API void *kin_take_shared_type(kin_obj o, int kind);

/* ---- questions ---------------------------------------------------------------------------- */

/* What it is; how many items it has, or bytes (a str: bytes, not characters), else 0; an item of a
 * list or tuple: borrowed; invalid (KIN_ERANGE) beyond the end. */
KIN_API kin_type kin_type_of(kin_obj o);
KIN_API bool kin_is_none(kin_obj o);
KIN_API size_t kin_len(kin_obj o);
KIN_API kin_obj kin_at(kin_obj o, size_t index);

/* Walks through a dict or set in the order of insertion: begin with *pos = 0, until false. Key and
 * value are borrowed; either pointer may be NULL. A set's members are keys, their value is none. */
KIN_API bool kin_next_item(kin_obj dict, size_t *pos, kin_obj *key, kin_obj *value);

/* A function's arguments, by place and by name. Borrowed; invalid when missing. */
KIN_API kin_obj kin_arg(kin_obj args, size_t index);
KIN_API kin_obj kin_kwarg(kin_obj args, const char *name);
KIN_API int64_t kin_arg_int(kin_obj args, size_t index);
KIN_API double kin_arg_float(kin_obj args, size_t index);
KIN_API const char *kin_arg_str(kin_obj args, size_t index);
KIN_API void *kin_arg_shared(kin_obj args, size_t index);

/* Whether it is an error or the invalid object; its code and text, 0 and "" for what is neither. */
KIN_API bool kin_is_error(kin_obj o);
KIN_API int kin_error_code(kin_obj o);
KIN_API const char *kin_error_text(kin_obj o);

/* The C value; 0, "" or NULL for what is of another type, and kin_errmsg() says so. An int is also
 * a float, a bool also an int. Text and bytes live as long as the object, with a zero byte at the
 * end that kin_len does not count. */
KIN_API bool kin_as_bool(kin_obj o);
KIN_API int64_t kin_as_int(kin_obj o);
KIN_API double kin_as_float(kin_obj o);
KIN_API const char *kin_as_str(kin_obj o);
KIN_API const void *kin_as_bytes(kin_obj o);
KIN_API kin_fn kin_as_func(kin_obj o);
KIN_API void *kin_as_shared(kin_obj o);

/* kin_as(kin_queue, o): a shared thing of that type; NULL for any other, and for one that was
 * freed, as it may be that lies in a dict. kin_errmsg() says which; kin_to_shared has a code. */
#define kin_as(type, o) ((type *)kin_as_shared_type((o), type##_KIND))
KIN_API void *kin_as_shared_type(kin_obj o, int kind);

/* The same, checked: KIN_ETYPE, or KIN_ERANGE for an int that does not fit. */
KIN_API int kin_to_bool(kin_obj o, bool *ret_value);
KIN_API int kin_to_int(kin_obj o, int64_t *ret_value);
KIN_API int kin_to_float(kin_obj o, double *ret_value);
KIN_API int kin_to_str(kin_obj o, const char **ret_text);
KIN_API int kin_to_bytes(kin_obj o, const void **ret_data, size_t *ret_size);
KIN_API int kin_to_func(kin_obj o, kin_fn *ret_function);
KIN_API int kin_to_shared(kin_obj o, void **ret_thing);

/* The magnitude of an int, least significant byte first: how many bytes it has (0 for 0).
 * KIN_EBUFTOOSHORT when `room` is less; with a NULL `magnitude` it only counts. */
KIN_API int kin_to_bigint(kin_obj o, void *magnitude, size_t room, bool *ret_negative);

/* Python's ==. 1 equals 1.0 and true; text never equals bytes. */
KIN_API bool kin_equal(kin_obj a, kin_obj b);

/* Equal objects have equal hashes, in all processes (but a function's). -1: it cannot be a key. */
KIN_API int64_t kin_hash(kin_obj o);

/* Python's repr(); free() it. NULL when memory is out. */
KIN_API char *kin_repr(kin_obj o);

/* Python's print(): the text of a str, else its repr, and a newline, on stdout. */
KIN_API int kin_print(kin_obj o);

/* ---- for short programs ------------------------------------------------------------------- */

/* Options, zero but for what is named: KIN_OPT(kin_queue_options, .maxsize = 10). Not in C++. */
#ifndef __cplusplus
#define KIN_OPT(type, ...) (&(const type){ __VA_ARGS__ })
#endif

/* Prints the sentence of a failed call and exits with 1, else it is the call's value; KIN_TRY
 * returns from a task with the failure as its result. */
#define KIN_CHECK(call) kin_check((call), #call, __FILE__, __LINE__)
KIN_API int64_t kin_check(int64_t rv, const char *call, const char *file, int line);
#define KIN_TRY(call)                                                                              \
    do {                                                                                           \
        int64_t kin_try_rv = (call);                                                               \
        if (kin_try_rv < 0) {                                                                      \
            return kin_error((int)kin_try_rv, "%s", kin_errmsg());                                 \
        }                                                                                          \
    } while (0)

#ifdef __cplusplus
}

inline kin_obj kin_make(kin_obj (*make)(const kin_obj *, size_t),
                        std::initializer_list<kin_obj> items)
{
    return make(items.begin(), items.size());
}
#endif
#endif
