/* local.h - private things around descriptors, as the files of this room see them. See local.c. */
#ifndef KIN_OBJ_LOCAL_H
#define KIN_OBJ_LOCAL_H

#include "node.h"

typedef struct local { /* a KIN_TYPE_SHARED that is on the heap */
    node node;
    void *thing;
    const kin__local_ops *ops;
    atomic_bool owned;  /* it arrived, and nobody has taken it */
    struct local *made; /* while a flat copy is read: the one before */
} local;

static inline bool is_local(kin_obj o)
{
    return o.type == KIN_TYPE_SHARED && is_heap(o);
}

/* What tells one shared thing from another. */
static inline int64_t shared_key(kin_obj o)
{
    return is_local(o) ? (int64_t)(intptr_t)((const local *)o.as.p)->thing : o.as.i;
}

/* Whether it is one of ours: then *ret is an object for it, or the invalid one. */
bool kin__local_find(const void *thing, kin_obj *ret);

int kin__local_thing(kin_obj o, void **ret_thing); /* KIN_EFREED */
int kin__local_kind_of(kin_obj o);                 /* 0: not local */
bool kin__local_can_be(kin_obj o, int kind);       /* of one that stands */
void kin__local_bury(node *n);

/* One of them in a flat copy. */
typedef struct kin__parcel {
    uint64_t kind, note, thing;
    int n;
    int fds[KIN__LOCAL_FDS];
} kin__parcel;

int kin__local_pack(kin_obj o, kin__cargo *cargo, kin__parcel *ret);
int kin__local_unpack(kin__parcel *parcel, kin__cargo *cargo, kin_obj *ret);

#endif
