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

static int meet(walk *w, kin_obj o)
{
    if (o.type == KIN_TYPE_BUFFER) {
        atomic_store(&((loan *)o.as.p)->block, 0);
    }
    return is_box(o) ? kin__walk_push(w, o.as.p) : 0;
}

void kin__walk_buffers(kin_obj o)
{
    walk w;
    kin__walk_begin(&w);
    int rv = meet(&w, o);
    for (frame *f = walk_top(&w); f != NULL && rv >= 0; f = walk_top(&w)) {
        if (f->at == slots(f->box)) {
            w.depth--;
        } else {
            rv = meet(&w, f->box->items[f->at++]);
        }
    }
    kin__walk_end(&w);
}
