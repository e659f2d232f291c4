/* walk.c - the path from an outermost box to where one is in it, without recursion in C. */
#include "node.h"
#include <string.h>

void kin__walk_begin(walk *w)
{
    w->frames = w->first;
    w->depth = 0;
    w->room = sizeof w->first / sizeof w->first[0];
}

static int grow(walk *w)
{
    size_t room = w->room * 2;
    bool first = w->frames == w->first;
    frame *frames = kin__os_realloc(first ? NULL : w->frames, room * sizeof *frames);
    if (frames == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory to go %zu levels deep into an object", w->depth);
    }
    if (first) {
        memcpy(frames, w->first, sizeof w->first);
    }
    w->frames = frames;
    w->room = room;
    return 0;
}

/* Only what has a second reference can be met again on the way down: a box that was made once and
 * put in one place costs no search. (The outermost one may be borrowed from a place further
 * down.) */
static bool on_path(const walk *w, box *b)
{
    if (atomic_load_explicit(&b->node.count, memory_order_relaxed) == 1) {
        return w->depth > 0 && w->frames[0].box == b;
    }
    for (size_t i = w->depth; i-- > 0;) {
        if (w->frames[i].box == b) {
            return true;
        }
    }
    return false;
}

int kin__walk_push(walk *w, box *b)
{
    return on_path(w, b) ? ON_PATH : kin__walk_enter(w, b);
}

int kin__walk_enter(walk *w, box *b)
{
    if (w->depth == w->room) {
        int rv = grow(w);
        if (rv < 0) {
            return rv;
        }
    }
    w->frames[w->depth++] = (frame){ .box = b };
    return 0;
}

void kin__walk_end(walk *w)
{
    if (w->frames != w->first) {
        kin__os_free(w->frames);
    }
}

enum { NOTHING_NEW = 1 };

/* 0: it is to be visited. */
static int meet(walk *w, memo_table *met, kin_obj o)
{
    node *n = is_heap(o) ? o.as.p : NULL;
    if (n == NULL || kin__memo_find(met, n) != NULL) {
        return NOTHING_NEW;
    }
    return w->depth == 0 || has_others(n) ? kin__memo_add(met, n, 0) : 0;
}

int kin__walk_nodes(kin_obj o, int (*visit)(kin_obj o, void *ctx), void *ctx)
{
    walk w;
    memo_table met;
    kin__walk_begin(&w);
    memo_begin(&met);
    int rv;
    for (;;) {
        rv = meet(&w, &met, o);
        rv = rv == 0 ? visit(o, ctx) : rv;
        rv = rv == 0 && is_box(o) ? kin__walk_enter(&w, o.as.p) : rv;
        while (w.depth > 0 && walk_top(&w)->at == slots(walk_top(&w)->box)) {
            w.depth--;
        }
        if (rv < 0 || w.depth == 0) {
            break;
        }
        frame *f = walk_top(&w);
        o = f->box->items[f->at++];
    }
    memo_end(&met);
    kin__walk_end(&w);
    return rv < 0 ? rv : 0;
}

static int empty(kin_obj o, void *unused)
{
    (void)unused;
    if (o.type == KIN_TYPE_BUFFER) {
        atomic_store(&((loan *)o.as.p)->block, 0);
    }
    return 0;
}

void kin__walk_buffers(kin_obj o)
{
    (void)kin__walk_nodes(o, empty, NULL);
}
