/* conn/waitable.h - what a room makes its kin_waitables of (wait.c). */
#ifndef KIN_CONN_WAITABLE_H
#define KIN_CONN_WAITABLE_H

#include <kin/wait.h>

/* What kin_wait asks of a kind of thing. A descriptor tells of it (`fd`), or a gate in the family's
 * memory (`look` and `gate`). */
struct kin__gate;
typedef struct kin__waitable_ops {
    const char *name; /* "the connection" */

    /* The descriptor that polls readable; a code with a sentence. */
    int (*fd)(const kin_waitable *thing);
    bool fd_hints; /* and when it does, only a look tells */

    /* Around polls that may wait: the descriptor tells of everything between the two, but for what
     * a look after watch finds. watch gives a code with a sentence. May be NULL. */
    int (*watch)(const kin_waitable *thing);
    void (*unwatch)(const kin_waitable *thing);

    /* Whether it is ready: 1, 0, or a code with a sentence. May be NULL beside fd. `first`: in this
     * call of kin_wait, which has not slept yet. *ret_held, false before: somebody is at work on
     * it, whose death would change the answer: look again after a nap. */
    int (*look)(kin_waitable *thing, bool first, bool *ret_held);

    /* The gate that is opened when the answer may have changed. */
    struct kin__gate *(*gate)(const kin_waitable *thing);
} kin__waitable_ops;

#endif
