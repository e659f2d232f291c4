/* process/nursery.h - a process that does nothing but have children.
 *
 * A nursery is forked once, while its maker is single-threaded, and stays small and single-threaded:
 * so it can fork cheaply and safely at any time, learns at once when a child ends, and its children
 * can be tied to its life by the kernel. It forks, reaps, and asks its ops what to do. When its maker
 * dies, it kills its children and goes.
 */
#ifndef KIN_PROCESS_NURSERY_H
#define KIN_PROCESS_NURSERY_H

#include "../domain/room.h"

typedef struct kin__nursery kin__nursery;

/* What a nursery's owner decides; all but `run` are called in the nursery. */
typedef struct kin__nursery_ops {
    /* The life of child `index`, in that child. Its process leaves with the value. */
    int (*run)(void *ctx, unsigned index);
    /* Child `index` has ended, with this exit code (-N: by signal N); it is reaped and swept. */
    void (*ended)(void *ctx, unsigned index, int code);
    /* After every event: starts and kills children as needed. False: the nursery is done. */
    bool (*tend)(void *ctx, kin__nursery *nursery);
    /* Instead of all that: the nursery cannot live, and this is why. */
    void (*failed)(void *ctx, int code);
    /* The maker has died; so have all children. What was theirs together can be given back. */
    void (*orphaned)(void *ctx);
} kin__nursery_ops;

/* Forks a nursery for up to `places` children. Its pid, or KIN_EAGAIN, KIN_ENOMEM... */
int kin__nursery_new(const kin__nursery_ops *ops, void *ctx, unsigned places);

/* For ops.tend: is there a child at this place, start one (its pid, or an error), kill it. */
bool kin__nursery_has(const kin__nursery *nursery, unsigned index);
int kin__nursery_start(kin__nursery *nursery, unsigned index);
void kin__nursery_kill(kin__nursery *nursery, unsigned index);
void kin__nursery_look_again(kin__nursery *nursery); /* ops.tend is called again soon */

/* From any process of the family: has the nursery call ops.tend now. */
void kin__nursery_poke(pid_t nursery);

#endif
