/* pool/loop.h - indexes that the workers of a pool and its caller share out among themselves:
 * loop.c is what each of them does, lead.c what the caller does besides; the verbs are in for.c
 * and array.c.
 */
#ifndef KIN_POOL_LOOP_H
#define KIN_POOL_LOOP_H

#include "room.h"

typedef void (*kin__body)(size_t index, void *ctx);

/* Who takes part: [0] is the caller, [i] whoever runs the loop's task i. He alone writes there. */
typedef struct kin__party {
    _Alignas(64) _Atomic uint64_t begin; /* the share in his hands: there is one if begin < end */
    _Atomic uint64_t end;
    _Atomic bool left; /* he is done with the loop; a caller who was killed does not say so */
    bool worked;       /* he has had a share */
    int failure;       /* of the first struct that failed him, and which it was */
    uint64_t failed;
} kin__party;

typedef struct kin__loop {
    kin__ref self;
    kin__ref pool;
    kin__ref memory; /* a block that goes with the loop: parts of a reduction, copies; or 0 */
    kin__id caller;
    uint32_t parties;
    uint64_t base;  /* the first index; the others are counted from it */
    uint64_t count; /* of indexes */
    uint64_t grain;
    int64_t
        limit; /* ns for a call; then the caller makes none, for nobody could end him; 0: none */
    kin_schedule schedule;
    bool of_structs;      /* the function is a kin_struct_fn, for these: */
    kin_map_array arrays; /* its ctx counts for both */
    uint64_t function[2];
    char *parts;                        /* of a reduction, one for each party; or NULL */
    size_t part_size;                   /* from one to the next */
    _Alignas(64) _Atomic uint64_t next; /* the first that nobody has claimed */
    _Alignas(64) kin__party party[];
} kin__loop;

/* One party at work, in his own memory. */
typedef struct kin__runner {
    kin__loop *loop;
    kin__party *me;
    kin__id self;
    kin_fn function;     /* to be cast to what it is */
    void *part;          /* of a reduction */
    kin__calls *calls;   /* NULL: they have no limit */
    uint64_t begin, end; /* the last share he had */
    uint64_t fit;        /* so many indexes make a share of the right cost */
} kin__runner;

/* ---- loop.c ---- */

/* A loop of this process's, for `count` indexes; what is zero then is to be filled in. */
int kin__loop_new(kin_pool *pool, kin_fn function, uint64_t count, kin__loop **ret_loop);

/* Frees a loop that was not led. */
void kin__loop_free(kin__loop *loop);

/* This process as that party of it. */
void kin__loop_join(kin__loop *loop, uint32_t party, kin_fn function, kin__runner *ret_runner);

/* Takes shares until there are none, go_on(ctx) says no (it may be NULL), or a call is condemned.
 * False: a body has forked, and this is the child. */
bool kin__loop_take_part(kin__runner *runner, bool (*go_on)(void *), void *ctx);

/* Writes a task for a party of a loop that is the family's. */
int kin__loop_task(kin_pool *pool, kin__loop *loop, uint32_t party, kin__task **ret_task);

/* That party is done with it. Who says so last frees the loop. For party 0 only the caller counts,
 * and no child that he has forked meanwhile. */
void kin__loop_leave(kin__ref loop, uint32_t party);

/* ---- lead.c ---- */

typedef struct kin__lead {
    kin_pool *pool;
    const char *verb;
    kin_fn function;
    double timeout; /* 0: none */
    bool progress;
} kin__lead;

/* Has it done, by this process and by the workers. 0 when all was done; or why not: KIN_ETIMEDOUT,
 * what a worker died of. *ret_over: nobody is at it any more, so what is done stands. The loop is
 * the family's then, and stays until this party leaves it, which is the next thing to do. */
int kin__loop_lead(kin__loop *loop, const kin__lead *how, bool *ret_over);

#endif
