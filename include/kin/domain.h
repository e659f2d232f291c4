/* kin/domain.h - memory that the whole family of processes shares.
 *
 * The first call into the library makes the family's domain: one range of addresses, mapped at the
 * same place in this process and in all its descendants. What lies there is reached through plain
 * pointers, from all of them, also when it was made after they were started. The kernel frees it
 * when the last of the family is gone, however it went.
 *
 *     long *counter = kin_alloc(sizeof *counter);      // zeroed
 *     kin_start(&child, count, kin_args(kin_shared(counter)), NULL);
 *
 * Memory of kin_alloc:
 * Owner:     whoever calls kin_free, once; until then it stays, also when its maker dies.
 * Threads:   any thread may alloc and free; the bytes are as safe as you make them.
 * Processes: every process of the family, at the same address.
 * Fork:      the child sees the same memory, not a copy.
 * Death:     a process killed inside kin_alloc or kin_free loses nothing; nobody hangs.
 */
#ifndef KIN_DOMAIN_H
#define KIN_DOMAIN_H

#include <kin/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `size` zeroed bytes that the family shares, aligned to 16 (from 64 bytes on to 64). NULL when
 * there is no room (kin_errmsg() says why), and for a size of 0. kin_shared and kin_free want this
 * very pointer, not one to a place inside. */
KIN_API void *kin_alloc(size_t size);

/* The same bytes in `size` bytes elsewhere; what is added is zeroed, and the old place is freed. So
 * no relative may use that any more: who has the pointer must be told of the new one. NULL: memory
 * is out, or it is not from kin_alloc, and the old place is as it was. A NULL `memory` is a
 * kin_alloc. */
KIN_API void *kin_realloc(void *memory, size_t size);

/* Frees what kin_alloc gave; NULL is fine. A pointer that is not from kin_alloc, or was freed
 * before, changes nothing and is logged. */
KIN_API void kin_free(void *memory);

/* What the domain holds, in bytes. */
typedef struct kin_usage_info {
    uint64_t reserved;  /* addresses set aside */
    uint64_t committed; /* memory taken from the kernel */
    uint64_t used;      /* in blocks that somebody holds, rounded up to their size class */
    uint64_t blocks;    /* how many of these */
    unsigned processes; /* members that are alive */
} kin_usage_info;

/* Counts, after what the dead held was given back; takes time in proportion to the domain's
 * size. */
KIN_API int kin_usage(kin_usage_info *ret_usage);

/* How the domain is to be made: before any other call into the library, else KIN_ESTATE. */
typedef struct kin_domain_options {
    uint64_t max_memory;  /* bytes the family may take; 0: what the machine allows, or KIN_MEMORY
                            from the environment ("512M", "2G") */
    uint64_t reserved[4]; /* must be zero */
} kin_domain_options;

/* Sets that up. 0, KIN_EINVAL, KIN_ESTATE: the family's memory is made already. */
KIN_API int kin_domain_setup(const kin_domain_options *options);

#ifdef __cplusplus
}
#endif
#endif
