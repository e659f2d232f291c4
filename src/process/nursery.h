/* process/nursery.h - a process that does nothing but have children.
 *
 * A nursery is forked once, from a process without threads, and stays small and single-threaded: so
 * it can fork cheaply and safely at any time, learns at once when a child ends, and its children
 * can be tied to its life by the kernel. It forks, reaps, and asks its ops what to do. When its
 * maker dies, it kills its children and goes.
 */
#ifndef KIN_PROCESS_NURSERY_H
#define KIN_PROCESS_NURSERY_H

#include "room.h"

typedef struct kin__nursery kin__nursery;

/* What a nursery's owner decides; all but `run` are called in the nursery. */
typedef struct kin__nursery_ops {
    const char *(*named)(void *ctx); /* what children are called, but for their numbers */
    /* The life of child `index`, in that child. Its process leaves with the value. */
    int (*run)(void *ctx, unsigned index);
    /* Child `index` has crashed, all of `crash` is there, and it is not reaped yet: the kernel may
     * be writing its core, for minutes. Other threads of its may still run for a moment; the one
     * that crashed does not. Comes once or not at all; `ended` comes after it. NULL: children are
     * not watched. */
    void (*crashed)(void *ctx, unsigned index, const kin__crash *crash);
    /* Child `index` has ended, with this exit code (-N: by signal N); it is reaped and swept.
     * `crash` is NULL, or how it had crashed before. */
    void (*ended)(void *ctx, unsigned index, int code, const kin__crash *crash);
    /* After every event: starts and kills children as needed. False: the nursery is done. */
    bool (*tend)(void *ctx, kin__nursery *nursery);
    /* Instead of all that: the nursery cannot live, and this is why. */
    void (*failed)(void *ctx, int code);
    /* The maker has died, and the children are about to be killed. May be NULL. */
    void (*forsaken)(void *ctx);
    /* What a nursery does that is not forked from its maker: it calls kin__nursery_live_for, with
     * `ctx`, a block of the family's, and the maker's pid, which are its arguments. */
    kin_fn life;
    /* The maker has died; so have all children. What was theirs together can be given back. */
    void (*orphaned)(void *ctx);
} kin__nursery_ops;

/* By which way a nursery comes to life: forked from its maker, unless that has threads; then, or
 * when it is wanted so, from the fork server; or as a fresh image of the program. */
enum kin__nursery_method {
    KIN__NURSERY_ANY = 0,
    KIN__NURSERY_FORKED,
    KIN__NURSERY_SERVED,
    KIN__NURSERY_SPAWNED,
};

/* Starts a nursery for up to `places` children. Its pid, or KIN_EAGAIN, KIN_ENOMEM...;
 * *ret_started is 0 when it is our child. KIN_ESTATE: what only kin_init makes possible. */
int kin__nursery_new(const kin__nursery_ops *ops, void *ctx, unsigned places,
                     enum kin__nursery_method method, uint64_t *ret_started);

/* What ops.life does: lives as a nursery, in this process, for that maker. */
_Noreturn void kin__nursery_live_for(const kin__nursery_ops *ops, void *ctx, unsigned places,
                                     pid_t maker);

/* For its maker: whether it has ended; waits until it has. */
bool kin__nursery_has_ended(pid_t nursery, uint64_t started);
void kin__nursery_see_end(pid_t nursery, uint64_t started);

/* Lives as a nursery, in this process, for nobody: its children are not tied to it and get the
 * signals that it had. `watched` is readable when there is something to do for ops.tend; when that
 * says that it is done the children live on. ops.orphaned and .failed are not needed. */
_Noreturn void kin__nursery_live(const kin__nursery_ops *ops, void *ctx, unsigned places,
                                 int watched);

/* For ops.tend: is there a child at this place, start one (its pid, or an error), kill it. */
bool kin__nursery_has(const kin__nursery *nursery, unsigned index);
int kin__nursery_start(kin__nursery *nursery, unsigned index);
void kin__nursery_kill(kin__nursery *nursery, unsigned index);
void kin__nursery_look_again(kin__nursery *nursery);            /* ops.tend is called again soon */
void kin__nursery_look_at(kin__nursery *nursery, int64_t when); /* or at that time */

/* From any process of the family: has the nursery call ops.tend now. */
void kin__nursery_poke(pid_t nursery);

#endif
