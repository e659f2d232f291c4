/* kin/pickle.h - objects as Python's pickles: what goes over sockets, and into files.
 *
 *     void *data;
 *     size_t size;
 *     KIN_CHECK(kin_dumps(kin_list(kin_int(1), kin_str("two")), &data, &size));
 *     kin_obj o;
 *     KIN_CHECK(kin_loads(data, size, &o));     // Python: pickle.loads(data) == [1, 'two']
 *     kin_release(o);
 *     free(data);
 *
 * What Python writes with protocols 2 to 5 of none, bool, int, float, str, bytes, bytearray, list,
 * tuple, dict, set, frozenset, slices, exceptions and the tokens of managers is read. So are an
 * OrderedDict, a manager's Namespace and Value (as dicts) and an array.array, as managers send it,
 * and a range (as lists). Nothing is ever imported, called or looked up by a name: what else there
 * is in a pickle is refused, and the sentence has opcode and offset.
 *
 * Who sits at the other end may be hostile. Reading takes 100 bytes of memory for each byte
 * received and 64 KiB at most (an empty list is one byte of a pickle, and 88 here), no recursion,
 * and time in proportion. What refers to itself, which Python can send, is freed as a whole: when
 * nothing outside refers to any of it. What several places refer to is one object here, too.
 *
 * Below is also what only Python has: bytearray and frozenset, which are kinds of KIN_TYPE_BYTES
 * and KIN_TYPE_SET; exceptions, which are errors; slices and tokens, which are tuples.
 */
#ifndef KIN_PICKLE_H
#define KIN_PICKLE_H

#include <kin/obj.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kin_dumps_options {
    unsigned protocol;    /* 2 to 5; 0: 4, which every Python from 3.4 reads */
    size_t max_depth;     /* boxes in boxes; 0: 10,000 */
    uint64_t reserved[4]; /* must be zero */
} kin_dumps_options;

typedef struct kin_loads_options {
    size_t max_size;   /* bytes of a pickle; 0: any */
    size_t max_depth;  /* boxes in boxes; 0: 10,000 */
    size_t max_memory; /* bytes taken meanwhile, and steps to compare keys; 0: 100 for each byte of
                          the pickle, and 65,536 (of the steps never fewer) */
    size_t max_memo;   /* places for what is referred to twice; 0: as many as it has bytes */
    size_t max_int;    /* bytes of one int; 0: 1 MiB */
    uint64_t reserved[4]; /* must be zero */
} kin_loads_options;

/* ---- there and back ----------------------------------------------------------------------- */

/* Writes an object, which is given away, as a pickle; free() it. KIN_EUNSUPPORTED for what means
 * nothing elsewhere: functions, shared things, buffers, named arguments. KIN_ERANGE for what is too
 * deep. Bytes of a str that are no UTF-8 are written as os.fsdecode has them. An error becomes the
 * exception that comes closest, and its code an attribute, kin_code. */
KIN_API int kin_dumps(kin_obj o, void **ret_data, size_t *ret_size);
KIN_API int kin_dumps_with(kin_obj o, const kin_dumps_options *options, void **ret_data,
                           size_t *ret_size);

/* Reads a pickle; what follows its end is ignored, as in Python. KIN_ECORRUPT: it is none, or cut
 * off; KIN_EUNSUPPORTED: it has what only Python has; KIN_ETYPE: a key that cannot be one;
 * KIN_ERANGE: more than the options allow. */
KIN_API int kin_loads(const void *data, size_t size, kin_obj *ret);
KIN_API int kin_loads_with(const void *data, size_t size, const kin_loads_options *options,
                           kin_obj *ret);

/* ---- bytearray and frozenset -------------------------------------------------------------- */

/* Bytes, and equal to bytes, but no key of a dict. */
KIN_API kin_obj kin_bytearray(const void *data, size_t size);

/* A set, and equal to a set, that can be a key and takes no more members. */
#define kin_frozenset(...) KIN_MAKE(kin_frozenset_n, __VA_ARGS__)
KIN_API kin_obj kin_frozenset_n(const kin_obj *items, size_t n);

/* Whether it stays as it is for good: all but lists, dicts, sets, bytearrays, buffers and shared
 * things do. What a tuple holds may change none the less. */
KIN_API bool kin_is_frozen(kin_obj o);

/* ---- exceptions --------------------------------------------------------------------------- */

/* An error that is an exception of Python: kin_exception("KeyError", kin_args(kin_str("k"))). The
 * type is a builtin one's name, or another's with its module ("queue.Empty"); KIN_ENOTFOUND for one
 * that kin does not know. `args` are given. Its code is the one of ours that comes closest,
 * KIN_EUSER if none does; its text is what str() says of it (cut after a thousand bytes if it is a
 * repr, where an int of more than 4096 bits is told by its size). */
KIN_API kin_obj kin_exception(const char *type, kin_obj args);

/* The type as above, "" for errors of kin_error and all else; the tuple of arguments, borrowed,
 * invalid (KIN_ENOTFOUND) where there are none. */
KIN_API const char *kin_error_type(kin_obj o);
KIN_API kin_obj kin_error_args(kin_obj o);

/* ---- slices and tokens -------------------------------------------------------------------- */

/* Python's slice: a tuple of the three, of which each may be none. They are given. */
KIN_API kin_obj kin_slice(kin_obj start, kin_obj stop, kin_obj step);
KIN_API bool kin_is_slice(kin_obj o);

/* How a manager names one of its objects: a tuple of typeid, address (a str, bytes, or a tuple of
 * host and port, which is given) and id. A proxy that arrives is one with two items more: the name
 * of its class ("DictProxy"), and a tuple of the methods that it exposes, or none. */
KIN_API kin_obj kin_token(const char *type_id, kin_obj address, const char *id);
KIN_API kin_obj kin_proxy(kin_obj token, const char *class_name, kin_obj exposed);
KIN_API bool kin_is_token(kin_obj o);

#ifdef __cplusplus
}
#endif
#endif
