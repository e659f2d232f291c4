/* pool/many.h - waiting for many tasks at once: sets, futures, parts of a map, callbacks. */
#ifndef KIN_POOL_MANY_H
#define KIN_POOL_MANY_H

#include "room.h"

/* ---- set.c: which of many tasks are over -------------------------------------------------- */

#define KIN__SET_WORDS 64u
#define KIN__SET_ROOM (KIN__SET_WORDS * 64u)
#define KIN__CROWD_MOST ((size_t)KIN__SET_ROOM * KIN__SET_ROOM)

typedef struct kin__set {
    kin__gate told;
    uint32_t counts;     /* not 0: all are waited for, and not any */
    _Atomic kin__ref up; /* a set that is told in turn; above all: of a task in parts */
    uint32_t place;      /* there; or the number of that task */
    _Atomic uint64_t words;
    _Atomic uint64_t bits[KIN__SET_WORDS];
} kin__set;

/* Tells the sets that a task is in. Once more is no harm. */
void kin__set_tell(kin__task *task);

/* As many sets as it takes for many tasks, and one above them: this process's own. */
typedef struct kin__crowd {
    kin__set *top;
    kin__set **sets;
    size_t n, most; /* of sets, of entries for them */
} kin__crowd;

/* With room for `n` tasks. When all n are over, that ends `parts`, which is given already and has
 * this number; a NULL: whoever waits takes them one by one. KIN_ENOMEM, KIN_ERANGE. */
int kin__crowd_new(kin__crowd *crowd, size_t n, kin__task *parts, uint32_t number);
int kin__crowd_grow(kin__crowd *crowd); /* by KIN__SET_ROOM, one that is not for parts */
void kin__crowd_end(kin__crowd *crowd); /* all have left */

/* KIN_ESTATE: it is in another one. `which` of a task's two sets. */
int kin__crowd_join(kin__crowd *crowd, size_t index, kin__task *task, unsigned which);
void kin__crowd_leave(kin__crowd *crowd, size_t index, kin__task *task, unsigned which);

/* Visits those of whom was told since: they are over, or nothing at all (who tells late may mean
 * somebody who has left long ago). `index` is below the room that there is. */
void kin__crowd_take(kin__crowd *crowd, void (*visit)(void *ctx, size_t index), void *ctx);

/* ---- many.c: waiting for any of many futures ----------------------------------------------- */

typedef struct kin__seat {
    kin_future *future; /* NULL: nobody's */
    kin_future *held;   /* for a callback may free it */
    bool told;          /* it is in the row of those who are done */
    size_t row;         /* not this one's, but the row itself: a place in it */
} kin__seat;

typedef struct kin__many {
    kin__crowd crowd;
    kin__seat *seats;
    size_t n, taken, held; /* seats, how many are, and how many hold somebody */
    size_t first, waiting; /* of the row, which goes round; and how many are in it */
    kin__ref *pools;       /* whose tasks they are */
    size_t n_pools;
} kin__many;

int kin__many_new(kin__many *many, size_t n);
void kin__many_end(kin__many *many); /* the futures stay whose they are */

/* At a seat that is free. KIN_ESTATE: it is waited for elsewhere, KIN_EDEADLK, KIN_ENOMEM. */
int kin__many_add(kin__many *many, size_t seat, kin_future *future, const char *verb);
void kin__many_remove(kin__many *many, size_t seat);

/* Waits until one is done, or never will be, and takes it out of its seat. At least one is taken.
 * KIN_ETIMEDOUT. */
int kin__many_next(kin__many *many, int64_t deadline, const char *verb, kin_future **ret_future,
                   size_t *ret_seat);

/* As many as there are seats. */
int kin__many_add_all(kin__many *many, kin_future *const futures[], const char *verb);

/* Of a future that is done: whether it failed. */
bool kin__future_failed(const kin_future *future);

/* ---- map.c: a list in chunks --------------------------------------------------------------- */

/* What is asked for. */
typedef struct kin__mapping {
    const char *verb;
    kin_pool *pool;
    kin_fn fn;
    const kin_map_options *options;
    uint16_t kind;
    size_t chunk; /* items in each */
} kin__mapping;

int kin__mapping_check(kin__mapping *m);

/* Items of a list, as a task. Takes nothing away from them. */
int kin__mapping_submit(const kin__mapping *m, kin_obj items, kin_future **ret_future);

/* The chunks of a list, in order; and the crowd in which they end the task of the whole. */
typedef struct kin__parts {
    size_t n, items;
    size_t chunk; /* items in each, but the last */
    kin_future **futures;
    kin__crowd crowd;
} kin__parts;

int kin__parts_result(const kin__parts *parts, kin__task *whole, kin_obj *ret_result);
void kin__parts_free(kin__parts *parts, kin__task *whole); /* whole: NULL if there is none */

/* The first that failed, of a future that is done; NULL: none has. */
kin_future *kin__parts_failed(const kin__parts *parts);

/* Whether a worker is at any of them. */
bool kin__parts_running(const kin__parts *parts);

/* Its future is done, and its chunks are cancelled. False: it was done. */
bool kin__map_cancel(kin_future *future, bool kill);

/* ---- iter.c, imap.c: one after the other ---------------------------------------------------- */

struct kin_iter {
    struct kin__imap *imap; /* NULL: it is of futures */
    kin__many many;
};

int kin__imap_next(struct kin__imap *imap, kin_obj *ret_result, int64_t deadline);
void kin__imap_free(struct kin__imap *imap); /* NULL is fine */

/* ---- callback.c ---------------------------------------------------------------------------- */

/* Before a task is submitted: later nothing fails. fn NULL: nothing, and NULL. */
int kin__callback_reserve(const kin_pool *pool, kin_done_fn fn, void *ctx,
                          struct kin__calling **ret_calling);
void kin__callback_begin(struct kin__calling *calling, kin_future *future, bool owned);
void kin__callback_cancel(struct kin__calling *calling);

/* Calls what is due at a pool, and the callback of `own` (may be NULL) if that is done. Whether
 * any was called. */
bool kin__callbacks_run(kin__ref pool, kin_future *own);
bool kin__callbacks_are_any(void); /* in this process */

/* The pool has died: all are due, and called. */
void kin__callbacks_forsake(kin__ref pool);

/* While callbacks are pending at a pool: the gate that opens when any is due, or the task (may be
 * NULL) is over. NULL: none is. */
typedef struct kin__lobby {
    kin__set *top;
    kin__task *task;
    size_t seat;
    uint32_t ticket;
    unsigned forks; /* it is of a process that has seen so many */
} kin__lobby;

kin__gate *kin__callbacks_enter(kin__lobby *lobby, kin__ref pool, kin__task *task);
void kin__callbacks_leave(kin__lobby *lobby);

/* Who has waited for a task, and does not any more: others who do must find a seat of their own. */
void kin__callbacks_pass_on(void);

/* Until all of a pool's that ends were called. KIN_ETIMEDOUT. */
int kin__callbacks_join(kin__ref pool, int64_t deadline);

#endif
