/* domain/room.h - the memory that a family of processes shares, and who of the family is alive.
 *
 * For the rooms above, the domain is three things:
 *   - identities (table.c): kin__self() says who I am, kin__alive() whether another still is;
 *   - blocks (block.c): memory whose owner is known, so that nothing is lost when he dies;
 *   - refs: a block's address with its generation, so that a stale one is noticed.
 */
#ifndef KIN_DOMAIN_ROOM_H
#define KIN_DOMAIN_ROOM_H

#include "../base/room.h"
#include <kin/domain.h>

/* ---- who is who (table.c) ------------------------------------------------------------- */

/* Names one process of the family, for good: its slot in the table and the slot's generation.
 * 27 bits; 0 is nobody. Written into whatever a process claims. */
typedef uint32_t kin__id;
#define KIN__ID_BITS 27
#define KIN__NOBODY ((kin__id)0)
#define KIN__FAMILY ((kin__id)0xffffffffu) /* a block's owner only: belongs to all until freed */

/* This process. The first call of a process makes or joins the domain; after a bare fork() the
 * child joins as itself. KIN__NOBODY with a sentence when that fails. */
kin__id kin__self(void);

/* KIN_ENOMEM or whatever kept this process from joining; 0 when it is a member. */
int kin__join(void);

/* False once that process has ended (a zombie has): what it had claimed is then given back. The
 * usual answer costs some ten nanoseconds, so waiters may ask in a loop. */
bool kin__alive(kin__id id);

/* The pid behind an identity, or 0 when it has left. */
pid_t kin__pid_of(kin__id id);

/* How many of the family are alive, or not yet swept; sweeps the dead. */
unsigned kin__count_alive(void);

/* Called by whoever knows that `pid` has ended (its reaper): sweeps it now. */
void kin__ended(pid_t pid);

/* ---- guests: those of other machines for whom this process acts (table.c, guise.c) ------- */

/* Lets one in: somebody of the family from then on, until this process ends, or says that he has.
 * What he has claimed is given back then as a dead process's is. KIN__NOBODY with a sentence. Only
 * his host ends him, and when no thread acts as him any more. */
kin__id kin__guest_join(const char *name);
void kin__guest_end(kin__id guest);

/* Until the next call this thread acts as that guest; KIN__NOBODY: as this process. */
void kin__act_as(kin__id guest);

/* Who claims what this thread claims: locks, messages, places in a line. As kin__self() for all who
 * act as nobody else. Blocks are always the process's: they outlive its guests. */
kin__id kin__acting(void);
extern _Atomic bool
    kin__any_guise; /* most processes never have a guest, and look at nothing else */
static inline kin__id kin__actor(void)
{
    return atomic_load_explicit(&kin__any_guise, memory_order_relaxed) ? kin__acting()
                                                                       : kin__self();
}

/* ---- what they are called, and what they sleep for (who.c) ----------------------------- */

#define KIN__NAME_ROOM 32

typedef struct kin__who {
    kin__id id;
    pid_t pid;
    char name[KIN__NAME_ROOM];
    const void *waits_for; /* an address that he gave; NULL: he does not sleep */
    int64_t waits_since;   /* of kin__os_now() */
} kin__who;

/* What this process is called: "MainProcess" until then, or what its parent was called if that
 * forked it past us. 31 bytes of it. */
void kin__set_name(const char *name);

/* Who that is, or was: false when he is gone, and another has his place. */
bool kin__who_is(kin__id id, kin__who *ret);

/* The living member with that pid. */
kin__id kin__id_of(pid_t pid);

/* Visits all who are alive. */
void kin__each_member(void (*visit)(const kin__who *who, void *ctx), void *ctx);

/* Around a sleep. There is one note a process: of its threads, the last who fell asleep is told
 * of. */
void kin__note_wait(const void *what);
void kin__note_woken(const void *what);

/* ---- for a process that was not forked (map.c) ----------------------------------------- */

/* Where the family's memory is: what a fresh image needs to find it. */
typedef struct kin__place {
    uint64_t at;
    uint64_t size;
    int32_t fd; /* this process's descriptor of it */
} kin__place;

/* Of a family that this process has joined. */
void kin__domain_place(kin__place *ret_place);

/* This process has a family, and will be told where its memory is: until then it makes none of its
 * own, which would lie in the way. */
void kin__domain_await(void);

/* Maps the family's memory at the same address, in a process that has none yet; the descriptor is
 * ours then. KIN_EAGAIN when something else lies there in this image: another one may have better
 * luck. KIN_ECORRUPT when it is no family's memory. */
int kin__domain_attach(const kin__place *place);

/* Has the family's memory behind another descriptor from now on. */
void kin__domain_moved(int fd);

/* ---- blocks (block.c) ----------------------------------------------------------------- */

/* What a block holds. A block of a stable type never changes its type, so that a ref to a freed
 * one is noticed for good. */
typedef enum kin__type {
    KIN__RAW = 1, /* bytes of the user: kin_alloc */
    KIN__MESSAGE, /* a flat object, or a message's bytes */
    KIN__RING,    /* a ring of a queue (queue/ring.c) */
    KIN__STABLE,  /* --- stable types from here */
    KIN__LOCK = KIN__STABLE,
    KIN__EVENT,
    KIN__QUEUE,
    KIN__POOL,
    KIN__TASK,
    KIN__RLOCK,
    KIN__SEMAPHORE,
    KIN__CONDITION,
    KIN__BARRIER,
    KIN__VALUE,
    KIN__ARRAY,
    KIN__SEGMENT,     /* a name in /dev/shm that goes with its owner (share/shm.c) */
    KIN__POST,        /* what is on its way between the ends of a pipe (conn/post.c) */
    KIN__BELL,        /* of who sleeps for several things (sync/bell.c) */
    KIN__LOOP,        /* indexes that a pool's workers share out (pool/loop.c) */
    KIN__TOLD,        /* which of many tasks are over (pool/set.c) */
    KIN__SHARED_DICT, /* these four: collection/ */
    KIN__SHARED_LIST,
    KIN__SHARED_SET,
    KIN__SHARED_NAMESPACE,
    KIN__TYPE_COUNT,
} kin__type;

/* A block's place and generation in one word: never 0 for a block, and never with the highest bit,
 * by which words that may hold other things tell them apart (collection/). */
typedef uint64_t kin__ref;

/* A block of at least `size` bytes (not zeroed, aligned to 16, from 64 bytes up to 64), owned by
 * this process: when it dies before it gives the block away, the block is freed. NULL with a
 * sentence: KIN_ENOMEM. */
void *kin__block_new(size_t size, kin__type type);

/* The same, and what it is called. */
void *kin__block_new_ref(size_t size, kin__type type, kin__ref *ret_ref);

/* The same, with zeros from `from` on: written, unless it is fresh from the kernel. */
void *kin__block_new_zeroed(size_t size, kin__type type, size_t from);

/* All of it zeros, and the family's already. */
void *kin__block_new_given(size_t size, kin__type type);

/* Hands a block of this process to the family: from now on it lives until it is freed. Its ref. */
kin__ref kin__block_give(void *block);

/* The other way: this process answers for a block of the family from now on. False when the block
 * is gone or is somebody else's. */
bool kin__block_take(kin__ref ref);

/* Frees a block, whoever owns it. 0, KIN_EFREED, KIN_EINVAL for what is no block. */
int kin__block_free(void *block);
int kin__block_free_type(void *block, kin__type type); /* KIN_EINVAL for one of another type, too */

/* Frees the block if it is still the one that the ref names, and the family's. */
bool kin__block_discard(kin__ref ref);

/* Whether it is. */
bool kin__block_is_shared(kin__ref ref);

/* Makes a block the family's, whoever had it; false when it is gone. */
bool kin__block_share(kin__ref ref);

kin__ref kin__block_ref(const void *block);

/* Where the block of a ref lies, or lay: `size` bytes that can be read, whatever stands there now;
 * else NULL. It is not looked whether the ref is good. */
void *kin__block_place(kin__ref ref, size_t size);

/* The block of a ref while it is the one that it names, of that type, and the family's: else NULL,
 * without a sentence. */
void *kin__block_shared(kin__ref ref, kin__type type, size_t *ret_size);

/* The same whoever has it. */
void *kin__block_find(kin__ref ref, kin__type type);

/* The block of a ref: NULL with a sentence when it was freed (KIN_EFREED), is no block or not of
 * that type (KIN_ECORRUPT). type 0: any. *ret_code (may be NULL) says which. */
void *kin__block_at(kin__ref ref, kin__type type, int *ret_code);

/* Checks a pointer that a user handed us: 0, or KIN_EINVAL (NULL, or no block of that type), or
 * KIN_EFREED. `what` is the word for it in the sentence, as "put: the queue". */
int kin__block_check(const void *p, kin__type type, const char *what);

/* Visits every block of a stable type that is somebody's; the visitor may free it. */
void kin__block_each(kin__type type, void (*visit)(void *block, void *ctx), void *ctx);

size_t kin__block_size(const void *block);    /* the bytes asked for */
kin__type kin__block_type(const void *block); /* 0 when it is no block's beginning */

/* Where the family's bells hang: none at `top` or above. NULL before there is a family. */
#define KIN__BELLS 2048
typedef struct kin__bells {
    _Atomic uint32_t top;
    struct kin__bell_cell {
        _Atomic kin__ref bell; /* 0, or a block that may be gone */
        _Atomic uint64_t rung;
    } cells[KIN__BELLS]; /* sync/bell.c */
} kin__bells;
kin__bells *kin__domain_bells(void);

/* Whether [p, p + size) lies in the committed part of the domain. Where that begins and how much of
 * it this process has seen: it only grows. */
extern _Atomic uintptr_t kin__domain_first;
extern _Atomic size_t kin__domain_seen;
bool kin__in_domain_now(const void *p, size_t size);

static inline bool kin__in_domain(const void *p, size_t size)
{
    size_t seen =
        atomic_load_explicit(&kin__domain_seen, memory_order_acquire); /* pairs with now */
    size_t at = (uintptr_t)p - atomic_load_explicit(&kin__domain_first, memory_order_relaxed);
    return (at < seen && size <= seen - at) || kin__in_domain_now(p, size);
}

/* Whether it may ever have so many bytes. */
bool kin__domain_may_have(uint64_t size);

/* Whether there are so many bytes in it at all. */
static inline bool kin__domain_has(size_t size)
{
    uintptr_t first = atomic_load_explicit(&kin__domain_first, memory_order_relaxed);
    return kin__in_domain((const void *)first, size);
}

/* ---- things of other machines (manager/remote.c) -------------------------------------------
 *
 * What a verb was given may be no thing of the family's memory, and yet be right: a proxy. NULL as
 * long as this process has none. A verb asks here when it has failed to find the thing:
 *
 *     int rv = kin__head_check(lock, KIN__LOCK, "kin_lock_acquire: the lock");
 *     if (rv < 0) {
 *         return kin__remote_acquire(lock, KIN__LOCK, timeout, rv);
 *     }
 */
typedef struct kin__remote_ops {
    bool (*is)(const void *thing, int kind);
    int (*acquire)(void *thing, int kind, double timeout);
    int (*release)(void *thing, int kind);
    int (*wait)(const void *thing, double timeout);
    int (*tell)(const void *thing, const char *method, int64_t number);       /* -1: none */
    int (*ask)(const void *thing, const char *method, const char *attribute); /* or NULL */
    void (*free)(void *thing);
} kin__remote_ops;

extern const kin__remote_ops *_Atomic kin__remote;

static inline const kin__remote_ops *kin__remote_ops_now(void)
{
    return atomic_load_explicit(&kin__remote, memory_order_acquire); /* pairs with its one store */
}

static inline bool kin__is_remote(const void *thing, int kind)
{
    const kin__remote_ops *ops = kin__remote_ops_now();
    return ops != NULL && thing != NULL && !kin__in_domain(thing, 1) && ops->is(thing, kind);
}

/* What a verb says that does not ask here. */
static inline int kin__fail_remote(const char *what)
{
    return kin__fail(KIN_EUNSUPPORTED, "%s is a proxy: this call is for relatives", what);
}

/* What they say; or rv, when it is no such thing. */
static inline int kin__remote_acquire(void *thing, int kind, double timeout, int rv)
{
    return kin__is_remote(thing, kind) ? kin__remote_ops_now()->acquire(thing, kind, timeout) : rv;
}

static inline int kin__remote_release(void *thing, int kind, int rv)
{
    return kin__is_remote(thing, kind) ? kin__remote_ops_now()->release(thing, kind) : rv;
}

static inline int kin__remote_wait(const void *thing, int kind, double timeout, int rv)
{
    return kin__is_remote(thing, kind) ? kin__remote_ops_now()->wait(thing, timeout) : rv;
}

static inline int kin__remote_tell(const void *thing, int kind, const char *method, int rv)
{
    return kin__is_remote(thing, kind) ? kin__remote_ops_now()->tell(thing, method, -1) : rv;
}

static inline int kin__remote_ask(const void *thing, int kind, const char *method, int rv)
{
    return kin__is_remote(thing, kind) ? kin__remote_ops_now()->ask(thing, method, NULL) : rv;
}

static inline int kin__remote_read(const void *thing, int kind, const char *attribute, int rv)
{
    return kin__is_remote(thing, kind)
               ? kin__remote_ops_now()->ask(thing, "__getattribute__", attribute)
               : rv;
}

/* Frees a proxy: false when it is none. */
static inline bool kin__remote_free(void *thing, int kind)
{
    if (!kin__is_remote(thing, kind)) {
        return false;
    }
    kin__remote_ops_now()->free(thing);
    return true;
}

#endif
