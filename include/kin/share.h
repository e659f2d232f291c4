/* kin/share.h - values, arrays, named segments: numbers and bytes that several processes use.
 *
 * A kin_value is one number or struct, a kin_array is a row of them. They lie in the family's
 * memory with a lock beside them. get and set check, and take the lock meanwhile; through the
 * plain pointer it is as fast as any memory, and the lock is yours to take:
 *
 *     kin_value *sum = NULL;
 *     kin_value_new(&sum, 'd', kin_float(0), NULL);
 *     ...
 *     kin_value_acquire(sum, KIN_FOREVER);          // in any process of the family
 *     *(double *)kin_value_ptr(sum) += 0.5;         // (a get and a set would be two steps)
 *     kin_value_release(sum);
 *
 * A type code says which C type an item has, as in Python's sharedctypes:
 *
 *     b B  signed, unsigned char    h H  short    i I  int    l L  long    q Q  long long
 *     f d  float, double            ?    bool     c    char   u    wchar_t       w  uint32_t
 *
 * As an object a 'c' is one byte of bytes, a 'u' or 'w' one character of a str. 0 is any struct of
 * yours; as an object it is its bytes.
 *
 * For what is neither, there is kin_alloc. Whoever is no relative finds memory by its name:
 * kin_shm and kin_shareable_list are Python's SharedMemory and ShareableList, the same names and
 * the same bytes.
 */
#ifndef KIN_SHARE_H
#define KIN_SHARE_H

#include <kin/obj.h>
#include <kin/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_value: one item of a C type, and a lock.
 * Owner:     whoever frees it, once, for the whole family; it stays when its maker ends.
 * Threads:   any; the lock belongs to a thread, and get and set take it.
 * Processes: every process of the family, at the same address.
 * Fork:      shared, not copied.
 * Death:     who dies with the lock leaves it to the next, who is told (KIN_OWNER_DIED) that the
 *            value may be half-written; a number that kin_value_set writes never is. */
typedef struct kin_value kin_value;
#define kin_value_KIND 13 /* for kin_as(kin_value, object) */

/* kin_array: a row of items of a C type, of fixed length, and a lock.
 * Owner:     whoever frees it, once, for the whole family; it stays when its maker ends.
 * Threads:   any; the lock belongs to a thread, and what reads or writes items takes it.
 * Processes: every process of the family, at the same address.
 * Fork:      shared, not copied.
 * Death:     as of a kin_value; who dies in the midst of a slice has written some of its items. */
typedef struct kin_array kin_array;
#define kin_array_KIND 14

/* kin_shm: a segment of memory with a name, which any process of this machine and user may open.
 * Owner:     whoever opened or created it frees this handle of his. The memory goes when its name
 *            was unlinked and nobody has it mapped any more; who unlinks is to be agreed on.
 * Threads:   any; the bytes are as safe as you make them.
 * Processes: the handle is one process's; hand over the name, and have it opened.
 * Fork:      the child's copy of the handle is good, at the same address, and the child's to
 *            free.
 * Death:     the bytes stay. The name stays, too, unless kin_shm_unlink_at_exit was called. If
 *            somebody shortens the file, who touches what is gone dies of SIGBUS. */
typedef struct kin_shm kin_shm;

/* kin_shareable_list: a list of fixed length in a segment of memory with a name; its items are
 * none, bool, int, float, str and bytes.
 * Owner:     as of a kin_shm.
 * Threads:   any, but there is no lock: who writes an item must be alone with it.
 * Processes: the handle is one process's; others, Python too, open it by its name.
 * Fork:      the child's copy of the handle is good, and the child's to free.
 * Death:     who dies in the midst of writing an item leaves it half-written; the others stay. */
typedef struct kin_shareable_list kin_shareable_list;

typedef struct kin_value_options {
    size_t size;          /* of a struct; with a type code of 0 only */
    const void *bytes;    /* what a struct is at first, instead of zeros */
    kin_rlock *lock;      /* the lock to use, which stays its maker's; NULL: one of its own */
    bool no_lock;         /* there is none: get and set of a number are whole all the same */
    uint64_t reserved[4]; /* must be zero */
} kin_value_options;

typedef struct kin_array_options {
    size_t size;     /* of one struct; with a type code of 0 only */
    kin_rlock *lock; /* these two as above */
    bool no_lock;
    uint64_t reserved[4]; /* must be zero */
} kin_array_options;

/* ---- values ------------------------------------------------------------------------- */

/* Makes a value. `initial` is given away; kin_none() means zeros. KIN_EINVAL for an unknown type
 * code, KIN_ETYPE, KIN_ERANGE for an initial value that does not fit it, KIN_ENOMEM. */
KIN_API int kin_value_new(kin_value **ret_value, char typecode, kin_obj initial,
                          const kin_value_options *options);

/* Ends the value, and its own lock, for all; NULL is fine. To free it twice is logged. */
KIN_API void kin_value_free(kin_value *value);
KIN_AUTO(kin_value)

/* Reads, or writes, under the lock. 0, or KIN_OWNER_DIED (it was done all the same; a call that
 * fails leaves that to the next one); KIN_ETYPE, KIN_ERANGE: nothing was written; KIN_EFREED,
 * KIN_ECLOSED when it was freed while we waited. What kin_value_get hands out is yours, what
 * kin_value_set is given is gone. */
KIN_API int kin_value_get(kin_value *value, kin_obj *ret_object);
KIN_API int kin_value_set(kin_value *value, kin_obj object);

/* The lock, for more than one step: as kin_rlock_acquire and _release. KIN_ESTATE: it has none. */
KIN_API int kin_value_acquire(kin_value *value, double timeout);
KIN_API int kin_value_release(kin_value *value);

/* Where it lies: for all of the family, until it is freed. NULL, with a sentence, for what is
 * none. */
KIN_API void *kin_value_ptr(kin_value *value);

/* Its lock, which is borrowed; NULL, with a sentence, when it has none. */
KIN_API kin_rlock *kin_value_lock(kin_value *value);

/* ---- arrays ------------------------------------------------------------------------- */

/* Makes an array of `length` items. `initial` is given away; it is none (zeros), or a list or
 * tuple, bytes, or for 'u' and 'w' a str, whose items are copied: as many as `length`, fewer (zeros
 * follow), or any number with a length of 0. Errors as of kin_value_new; KIN_ERANGE when there
 * are more. */
KIN_API int kin_array_new(kin_array **ret_array, char typecode, size_t length, kin_obj initial,
                          const kin_array_options *options);

/* As kin_value_free. */
KIN_API void kin_array_free(kin_array *array);
KIN_AUTO(kin_array)

/* A new array with the same items, and, if the first has a lock, one of its own. */
KIN_API int kin_array_copy(kin_array *array, kin_array **ret_array);

/* One item, under the lock; -1 is the last one. KIN_ERANGE beyond the ends, others as of a
 * value. */
KIN_API int kin_array_get(kin_array *array, int64_t index, kin_obj *ret_object);
KIN_API int kin_array_set(kin_array *array, int64_t index, kin_obj object);

/* Items from `from` up to, not including, `to`, as Python's array[from:to]: negative ones count
 * from the end, what lies beyond is cut, so (0, INT64_MAX) is all. A list; of a 'c' array bytes,
 * of a 'u' or 'w' array a str. To set a slice takes as many items as it has (KIN_ERANGE), and
 * writes all of them or none. */
KIN_API int kin_array_slice(kin_array *array, int64_t from, int64_t to, kin_obj *ret_list);
KIN_API int kin_array_set_slice(kin_array *array, int64_t from, int64_t to, kin_obj list);

/* A 'c', 'u' or 'w' array as a string that ends at its first zero, or with the array. To set it to
 * a shorter one writes a zero after that; KIN_ERANGE for a longer one. */
KIN_API int kin_array_value(kin_array *array, kin_obj *ret_string);
KIN_API int kin_array_set_value(kin_array *array, kin_obj string);

/* All bytes of a 'c' array, zeros too; and its first bytes, as many as are given. */
KIN_API int kin_array_raw(kin_array *array, kin_obj *ret_bytes);
KIN_API int kin_array_set_raw(kin_array *array, kin_obj bytes);

/* As those of a value. */
KIN_API int kin_array_acquire(kin_array *array, double timeout);
KIN_API int kin_array_release(kin_array *array);
KIN_API kin_rlock *kin_array_lock(kin_array *array);

/* The first item, aligned to 64: a C array. NULL, with a sentence, for what is none. */
KIN_API void *kin_array_data(kin_array *array);

/* How many items; the bytes of one; the type code. 0, with a sentence, for what is none. */
KIN_API size_t kin_array_len(kin_array *array);
KIN_API size_t kin_array_itemsize(kin_array *array);
KIN_API char kin_array_typecode(kin_array *array);

/* ---- named segments ----------------------------------------------------------------- */

/* Creates a segment of `size` zeroed bytes. With a name of NULL it gets one, psm_ and eight hex
 * digits, as in Python. All its memory is there at once, or KIN_ENOMEM. KIN_EEXIST: there is one
 * of that name; KIN_EINVAL: a size of 0, or no name for a file. */
KIN_API int kin_shm_create(kin_shm **ret_shm, const char *name, size_t size);

/* Opens what there is, whoever made it. KIN_ENOENT, KIN_EACCES; KIN_ESTATE: its maker has not
 * given it a size yet. Who opens a segment of a Python process must leave unlinking to it, and a
 * Python process that opens one of ours unlinks it when it ends, unless it says track=False (from
 * 3.13), or resource_tracker.unregister(shm._name, 'shared_memory'), after opening it. */
KIN_API int kin_shm_open(kin_shm **ret_shm, const char *name);

/* Unmaps it in this process; NULL is fine. The name, and others' mappings, stay. */
KIN_API void kin_shm_free(kin_shm *shm);
KIN_AUTO(kin_shm)

/* Removes a name: nobody can open it any more; who has it mapped goes on. KIN_ENOENT when there is
 * none. Best done as soon as all have opened it, for then nothing is left however they end. */
KIN_API int kin_shm_unlink(const char *name);

/* From now on the segment's name is removed when this process ends: by exit(), or by returning
 * from main or from its function; with false it is not any more. If the process is killed, a
 * relative does it: the next one that ends by exit(), or that wants to create a segment of that
 * name. There is no process that watches, so when the whole family is killed at once the name
 * stays. Freeing the handle changes none of this. */
KIN_API int kin_shm_unlink_at_exit(kin_shm *shm, bool unlinks);

/* Its bytes, how many, and its name without a slash. NULL, 0, "", with a sentence, for NULL. */
KIN_API void *kin_shm_ptr(const kin_shm *shm);
KIN_API size_t kin_shm_size(const kin_shm *shm);
KIN_API const char *kin_shm_name(const kin_shm *shm);

/* ---- lists in named segments -------------------------------------------------------- */

/* Creates a list with the items of a list or tuple, which is given away, under a name as of
 * kin_shm_create. KIN_ETYPE for an item of another kind, KIN_ERANGE for an int beyond 64 bits or
 * a text over 9 MB. A str or bytes has room for its bytes, rounded up to the next multiple of 8
 * above; zeros at the end of one are not kept. */
KIN_API int kin_shareable_list_new(kin_shareable_list **ret_list, kin_obj items, const char *name);

/* Opens one. Errors as of kin_shm_open; KIN_ECORRUPT when the segment holds no list. */
KIN_API int kin_shareable_list_open(kin_shareable_list **ret_list, const char *name);

/* As kin_shm_free: the list stays under its name. */
KIN_API void kin_shareable_list_free(kin_shareable_list *list);
KIN_AUTO(kin_shareable_list)

/* One item; -1 is the last. KIN_ERANGE beyond the ends; KIN_ECORRUPT for an item that is none. */
KIN_API int kin_shareable_list_get(kin_shareable_list *list, int64_t index, kin_obj *ret_object);

/* Replaces one, by any of those kinds, which is given away. KIN_ERANGE for a text that is longer
 * than the item's room. */
KIN_API int kin_shareable_list_set(kin_shareable_list *list, int64_t index, kin_obj object);

/* How many items; how many equal the object, and the first that does (KIN_ENOTFOUND). Objects are
 * given away. */
KIN_API int64_t kin_shareable_list_len(kin_shareable_list *list);
KIN_API int64_t kin_shareable_list_count(kin_shareable_list *list, kin_obj object);
KIN_API int64_t kin_shareable_list_index(kin_shareable_list *list, kin_obj object);

/* What the items are, as a format of Python's struct module. */
KIN_API int kin_shareable_list_format(kin_shareable_list *list, kin_obj *ret_text);

/* The segment, which is borrowed: its name, and kin_shm_unlink_at_exit. */
KIN_API kin_shm *kin_shareable_list_shm(kin_shareable_list *list);

#ifdef __cplusplus
}
#endif
#endif
