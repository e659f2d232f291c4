/* obj/room.h - what the rooms above need of objects: taking what was given, and flat copies.
 *
 * A consumer (put, submit, ...) is given an object. It first sees whether that is one at all, works
 * with it while it is whole, and ends with kin__obj_drop() on every way out:
 *
 *     size_t size;
 *     int rv = kin__flat_size(o, &size);       // the invalid object fails here, with its code
 *     if (rv == 0) {
 *         void *at = ...;                      // aligned to 8
 *         rv = kin__flat_write(o, at, size);
 *     }
 *     kin__obj_drop(o);
 *
 * Or it keeps the object: kin__obj_own().
 */
#ifndef KIN_OBJ_ROOM_H
#define KIN_OBJ_ROOM_H

#include "../domain/room.h"
#include <kin/obj.h>

/* What was given as a reference of our own: a borrowed one is retained. */
kin_obj kin__obj_own(kin_obj given);

/* The same object with the borrowed mark: as a function gets its arguments. */
kin_obj kin__obj_lend(kin_obj o);

/* Releases what was given; a borrowed one stays its owner's. */
void kin__obj_drop(kin_obj given);

/* What was given to another process by a fork, which has a copy: forgets the buffers in it, for
 * their bytes are that process's now, and releases it. */
void kin__obj_sent(kin_obj o);

/* Items [from, from + n) of a list or tuple as a list: no copy, and no reference to anything. It
 * lies in `room`, and is of use until somebody changes those items. */
typedef struct kin__excerpt {
    uint64_t words[6];
} kin__excerpt;
kin_obj kin__obj_excerpt(kin_obj items, size_t from, size_t n, kin__excerpt *room);

/* A tuple of one that nobody else has gets another item, which is taken then. False: somebody has
 * it, or it is no such tuple, or memory is being watched: make a new one. */
bool kin__obj_refill(kin_obj tuple, kin_obj item);

/* The items of a list or tuple that the caller alone has: he may put others there. */
kin_obj *kin__obj_slots(kin_obj row);

/* An empty list with room for `n` items. */
kin_obj kin__obj_list_for(size_t n);

/* 0, or the code of an invalid object with a sentence, which quotes kin_errmsg() if that still says
 * why: "kin_queue_put: the object is invalid, since making or reading it failed: kin_str: ...". */
int kin__obj_check(kin_obj o, const char *verb);

/* The invalid object that carries `code`. */
kin_obj kin__obj_invalid(int code);

/* What a kin_fn returned, sorted into result and failure: 0 and an owned object, or the code of the
 * error with its text as the sentence. Call it before the arguments are dropped. */
int kin__obj_result(kin_obj returned, kin_obj *ret_result);

/* ---- flat copies (flat.c) ---------------------------------------------------------- */

/* How many bytes the flat copy takes, a multiple of 8. The invalid object's code; KIN_EINVAL for
 * what contains itself; KIN_ENOTFOUND for a function of no module; KIN_ERANGE. */
int kin__flat_size(kin_obj o, size_t *ret_size);

/* The same for a copy that is to be read more than once: KIN_EUNSUPPORTED with buffers. */
int kin__flat_size_of_lasting(kin_obj o, size_t *ret_size);

/* Writes the flat copy: bytes without pointers, for any process of the family. `at` is aligned to
 * 8, `size` what kin__flat_size said. What buffers hold moves into the copy. */
int kin__flat_write(kin_obj o, void *at, size_t size);

/* Makes an object from a flat copy, in one allocation. Bytes that are no flat copy, and bytes that
 * change meanwhile, give KIN_ECORRUPT. A flat copy may be read once if it holds buffers. */
int kin__flat_read(const void *at, size_t size, kin_obj *ret);

/* Reads the flat copy of a list of `n`, and appends its items to a list that has room for them. */
int kin__flat_extend(const void *at, size_t size, kin_obj list, size_t n);

/* For a flat copy that nobody will read: frees the buffers in it. */
void kin__flat_discard(const void *at, size_t size);

/* Whether there are buffers in it; whether it is an error. Of what nobody writes to any more. */
bool kin__flat_has_buffers(const void *at, size_t size);
bool kin__flat_is_error(const void *at, size_t size);

/* By its first word, whether a copy is an int of 64 bits, a str or bytes: two such objects are
 * equal if the bytes of their copies are, and only then. */
bool kin__flat_is_plain(uint64_t first);

/* ---- private things around descriptors (local.c) --------------------------------------
 *
 * A connection is no block of the family's memory. It can travel where descriptors can: to a
 * process that starts, and in messages between relatives. */
#define KIN__LOCAL_FDS 4

typedef struct kin__local_ops {
    int kind;         /* as kin_conn_KIND: 64 and above, which no type of a block is */
    const char *name; /* "the connection" */
    bool listed;      /* its things are entered */
    const char
        *stays; /* why it cannot be sent to any process; NULL: it can, and has all of these */

    /* Its descriptors, which stay its own, and what else there is to tell: how many, or a code. */
    int (*pack)(void *thing, int ret_fds[KIN__LOCAL_FDS], uint64_t *ret_note);

    /* One made of descriptors, which are its own, also when it fails: NULL with a sentence. Where
     * `n` is not what it should be: that is KIN_ECORRUPT. */
    void *(*unpack)(const int *fds, int n, uint64_t note);
    void (*free)(void *thing);

    /* Whether it may be used as a thing of that kind, too; NULL: no. */
    bool (*can_be)(const void *thing, int kind);

    /* For people: as what. NULL: it is what its name says. */
    const char *(*used_as)(const void *thing);
} kin__local_ops;

/* Those of a thing that was entered; NULL when it was not. */
const kin__local_ops *kin__local_ops_of(const void *thing);

/* From now on kin_shared takes that thing; from now on it does not. KIN_ENOMEM. */
int kin__local_enter(void *thing, const kin__local_ops *ops);
void kin__local_leave(void *thing);

/* For a process that may be sent one before it has made any. */
void kin__local_kind(const kin__local_ops *ops);

/* An object for a thing that is not listed; `owned`: freed with it. */
kin_obj kin__local_object(void *thing, const kin__local_ops *ops, bool owned);

/* What travels beside a flat copy. */
typedef struct kin__cargo {
    enum {
        KIN__CARGO_ARRIVED, /* these descriptors came with the bytes */
        KIN__CARGO_SAME,    /* they have the same numbers here as they had there */
        KIN__CARGO_BACK,    /* the bytes have not gone anywhere */
    } how;
    int n;
    int taken; /* by what was read: the rest is the caller's to close */
    int fds[KIN__DESCRIPTORS_MOST];
} kin__cargo;

/* As above. Without a cargo (NULL) such things are KIN_EUNSUPPORTED. Descriptors are added to it
 * each time that it is given. */
int kin__flat_size_with(kin_obj o, kin__cargo *cargo, size_t *ret_size);
int kin__flat_write_with(kin_obj o, void *at, size_t size, kin__cargo *cargo);
int kin__flat_read_with(const void *at, size_t size, kin__cargo *cargo, kin_obj *ret);

/* The descriptors of all such things in an object. */
int kin__local_fds(kin_obj o, kin__cargo *cargo);

/* kin_dumps_with that leaves `before` bytes free at the begin, which count in *ret_size. */
struct kin_dumps_options;
int kin__dumps(kin_obj o, const struct kin_dumps_options *options, size_t before, void **ret_data,
               size_t *ret_size);

/* A method of a thing of another machine (kin__is_remote): args are given; it may take `seconds`
 * over there. `ret` may be NULL. */
extern int (*_Atomic kin__remote_call)(const void *thing, const char *method, kin_obj args,
                                       double seconds, kin_obj *ret);

/* A function as two words: the id of its module and the offset in there. */
int kin__func_pack(kin_fn function, uint64_t ret_words[2]);

/* The other way: KIN_ENOTFOUND when this process has no such module, KIN_ECORRUPT when the offset
 * is not in its code. */
int kin__func_unpack(const uint64_t words[2], kin_fn *ret_function);

#endif
