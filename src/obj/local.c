/* local.c - objects that stand for private things around descriptors: a connection, say.
 *
 * Idea. Such a thing lies in this process alone, so kin_shared cannot tell it by its address: what
 * exists is noted in a list that is looked through. As an object it is a pointer; on its way to
 * another process it is its descriptors and a note, of which another one is made there.
 *
 *      kin_shared(conn)  -->  local { thing, ops } -- pack --> descriptors, note -- unpack -> local
 *
 * Rules.
 *   R1  An object made by kin_shared borrows the thing. One that arrived owns it, until it is
 *       taken.
 *   R2  A thing that was freed meanwhile is told from one that was not: it is in the list no more.
 *   R3  The list only grows, by whole pages, and has no lock: a forked child can use its copy.
 *
 * Death. Private memory; descriptors go with their process.
 */
#include "local.h"

enum { CELLS = 126 };

typedef struct entry {
    _Atomic(void *) thing; /* NULL: free */
    const kin__local_ops *ops;
} entry;

typedef struct page {
    entry entries[CELLS];
    _Atomic(struct page *) next;
} page;

static page first;
static const kin__local_ops *_Atomic kinds[4];

/* ---- the list ---------------------------------------------------------------------------- */

void kin__local_kind(const kin__local_ops *ops)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const kin__local_ops *seen = NULL;
        if (atomic_compare_exchange_strong(&kinds[i], &seen, ops) || seen == ops) {
            return;
        }
    }
}

static const kin__local_ops *ops_of(uint64_t kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const kin__local_ops *ops = atomic_load(&kinds[i]);
        if (ops != NULL && (uint64_t)ops->kind == kind) {
            return ops;
        }
    }
    return NULL;
}

static page *page_after(page *p)
{
    page *next = atomic_load(&p->next);
    if (next != NULL) {
        return next;
    }
    page *made = kin__os_calloc(1, sizeof *made);
    if (made != NULL && atomic_compare_exchange_strong(&p->next, &next, made)) {
        return made;
    }
    kin__os_free(made);
    return next;
}

/* A cell is claimed by an address that is no thing's, so that the ops are there before the
 * thing. */
static bool enter(page *p, void *thing, const kin__local_ops *ops)
{
    for (unsigned i = 0; i < CELLS; i++) {
        void *seen = NULL;
        if (atomic_compare_exchange_strong(&p->entries[i].thing, &seen, &first)) {
            p->entries[i].ops = ops;
            atomic_store(&p->entries[i].thing, thing);
            return true;
        }
    }
    return false;
}

int kin__local_enter(void *thing, const kin__local_ops *ops)
{
    kin__local_kind(ops);
    for (page *p = &first; p != NULL; p = page_after(p)) {
        if (enter(p, thing, ops)) {
            return 0;
        }
    }
    return kin__fail(KIN_ENOMEM, "no memory for a list of what this process has");
}

static entry *find(const void *thing)
{
    for (page *p = &first; p != NULL; p = atomic_load(&p->next)) {
        for (unsigned i = 0; i < CELLS; i++) {
            if (atomic_load(&p->entries[i].thing) == thing) {
                return &p->entries[i];
            }
        }
    }
    return NULL;
}

const kin__local_ops *kin__local_ops_of(const void *thing)
{
    const entry *at = thing != NULL && thing != &first ? find(thing) : NULL;
    return at != NULL ? at->ops : NULL;
}

void kin__local_leave(void *thing)
{
    entry *at = find(thing);
    if (at != NULL) {
        atomic_store(&at->thing, NULL);
    }
}

/* ---- as an object ------------------------------------------------------------------------- */

kin_obj kin__local_object(void *thing, const kin__local_ops *ops, bool owned)
{
    local *l = kin__node_new(KIN_TYPE_SHARED, sizeof *l);
    if (l == NULL) {
        return kin__obj_invalid(KIN_ENOMEM);
    }
    l->thing = thing;
    l->ops = ops;
    atomic_init(&l->owned, owned);
    return of_node(l);
}

bool kin__local_find(const void *thing, kin_obj *ret)
{
    entry *at = thing != NULL && thing != &first ? find(thing) : NULL;
    if (at != NULL) {
        *ret = kin__local_object(atomic_load(&at->thing), at->ops, false);
    }
    return at != NULL;
}

/* R2 */
int kin__local_thing(kin_obj o, void **ret_thing)
{
    const local *l = o.as.p;
    if (l->ops->listed && find(l->thing) == NULL) {
        return kin__fail(KIN_EFREED, "%s at %p was freed", l->ops->name, l->thing);
    }
    *ret_thing = l->thing;
    return 0;
}

int kin__local_kind_of(kin_obj o)
{
    return is_local(o) ? ((const local *)o.as.p)->ops->kind : 0;
}

bool kin__local_can_be(kin_obj o, int kind)
{
    const local *l = o.as.p;
    return l->ops->can_be != NULL && l->ops->can_be(l->thing, kind);
}

void *kin_take_shared_type(kin_obj o, int kind)
{
    void *thing = kin_as_shared_type(o, kind);
    if (thing != NULL && is_local(o) && !atomic_exchange(&((local *)o.as.p)->owned, false)) {
        (void)kin__fail(KIN_ESTATE,
                        "kin_take: %s is not the object's own: it was taken before, or "
                        "did not arrive with it",
                        ((local *)o.as.p)->ops->name);
        return NULL;
    }
    return thing;
}

void kin__local_bury(node *n)
{
    local *l = (local *)(void *)n;
    if (atomic_load(&l->owned)) {
        l->ops->free(l->thing);
    }
}

/* ---- on its way ---------------------------------------------------------------------------- */

int kin__local_pack(kin_obj o, kin__cargo *cargo, kin__parcel *ret)
{
    const local *l = o.as.p;
    void *thing = NULL;
    if (l->ops->stays != NULL) {
        return kin__fail(KIN_EUNSUPPORTED, "%s", l->ops->stays);
    }
    if (cargo == NULL) {
        return kin__fail(KIN_EUNSUPPORTED,
                         "%s cannot be sent this way: only to a process that starts, and in "
                         "messages between relatives",
                         l->ops->name);
    }
    int rv = kin__local_thing(o, &thing);
    rv = rv < 0 ? rv : l->ops->pack(thing, ret->fds, &ret->note);
    if (rv < 0) {
        return rv;
    }
    if (rv > KIN__DESCRIPTORS_MOST - cargo->n) {
        return kin__fail(KIN_ERANGE, "more than %d descriptors in one message",
                         KIN__DESCRIPTORS_MOST);
    }
    for (int i = 0; i < rv; i++) {
        cargo->fds[cargo->n++] = ret->fds[i];
    }
    ret->n = rv;
    ret->kind = (uint64_t)l->ops->kind;
    ret->thing = (uint64_t)(uintptr_t)thing;
    return 0;
}

static int fail_parcel(const char *why)
{
    return kin__fail(KIN_ECORRUPT, "these bytes are no object: %s", why);
}

/* The descriptors that have arrived belong to the cargo until they are handed out here. */
int kin__local_unpack(kin__parcel *parcel, kin__cargo *cargo, kin_obj *ret)
{
    const kin__local_ops *ops = ops_of(parcel->kind);
    if (cargo == NULL || ops == NULL) {
        return fail_parcel("something with descriptors where none can be");
    }
    if (cargo->how == KIN__CARGO_BACK) {
        void *thing = (void *)(uintptr_t)parcel->thing;
        *ret = kin__local_object(thing, ops, false);
        return ret->type == KIN_TYPE_INVALID ? KIN_ENOMEM : 0;
    }
    bool arrived = cargo->how == KIN__CARGO_ARRIVED;
    if (arrived && parcel->n > cargo->n - cargo->taken) {
        return fail_parcel("fewer descriptors have arrived than it tells of");
    }
    for (int i = 0; arrived && i < parcel->n; i++) {
        parcel->fds[i] = cargo->fds[cargo->taken++];
    }
    void *thing = ops->unpack(parcel->fds, parcel->n, parcel->note);
    if (thing == NULL) {
        return kin__failure();
    }
    *ret = kin__local_object(thing, ops, true);
    if (ret->type == KIN_TYPE_INVALID) {
        ops->free(thing);
        return KIN_ENOMEM;
    }
    return 0;
}

/* ---- before a process starts ---------------------------------------------------------------- */

static int add_descriptors(kin_obj o, void *cargo)
{
    kin__parcel parcel;
    return is_local(o) ? kin__local_pack(o, cargo, &parcel) : 0;
}

int kin__local_fds(kin_obj o, kin__cargo *cargo)
{
    return kin__walk_nodes(o, add_descriptors, cargo);
}
