/* pool/office.h - what office.c and callback.c share: callbacks that are pending or due. */
#ifndef KIN_POOL_OFFICE_H
#define KIN_POOL_OFFICE_H

#include "many.h"

enum kin__call_state { KIN__CALL_PENDING, KIN__CALL_DUE, KIN__CALL_BEGUN, KIN__CALL_DONE };

/* Of a pool. */
typedef struct kin__post {
    struct kin__post *next;
    kin__ref pool;
    bool threaded;       /* the helper calls */
    kin_future *pending; /* a list */
    kin_future *due, **due_end;
    unsigned running;
} kin__post;

typedef struct kin__calling {
    kin_done_fn fn;
    void *ctx;
    kin__post *post;
    kin_future *next, **at; /* in a list, and who points to it */
    size_t seat;
    enum kin__call_state state;
} kin__calling;

typedef struct kin__office {
    kin__crowd crowd;
    kin_future **seats; /* NULL: free, or of a waiter */
    size_t *spare;      /* those that are free */
    size_t n_seats, n_spare;
    unsigned sleepers;
    bool crowded;   /* one of them has no seat, for another has it who waits for the same task */
    unsigned forks; /* that this process came from, since there was a first */
    kin__post *posts;
    enum { KIN__HELPER_NONE, KIN__HELPER_AT_WORK, KIN__HELPER_LEFT } helper;
    kin__thread thread;
    bool unjoined; /* who would have joined it was in it, or in another callback */
} kin__office;

extern kin__office kin__office_of_all;
extern _Atomic unsigned kin__office_posts; /* so that others need no lock */

void kin__office_lock(void);
void kin__office_unlock(void);
void kin__office_await_helper(void); /* lets go of the lock meanwhile, for a helper that leaves */
void kin__office_helper_leaves(void);
bool kin__office_handles_forks(void);

/* With the lock from here on. */
int kin__office_take_seat(size_t *ret_seat);
void kin__office_free_seat(size_t seat);
void kin__office_wake(void);  /* who sleeps there */
void kin__office_close(void); /* R4 */

kin__post *kin__post_find(kin__ref pool);
kin__post *kin__post_of(const kin_pool *pool);   /* a new one if need be; NULL with a sentence */
void kin__post_close(kin__post *post);           /* R4; NULL is fine */
bool kin__post_is_around(const kin__post *post); /* this thread is in a callback of it */
bool kin__post_in_any(void);                     /* or of any */

/* Makes due who is; all of a post. */
void kin__post_sort_out(void);
void kin__post_sort_out_at(size_t seat);
void kin__post_forsake(kin__post *post);

/* Calls the oldest that is due. False: none is; or it has forked, and this is the child. The lock
 * is let go meanwhile. */
bool kin__post_call_one(kin__post *post);

#endif
