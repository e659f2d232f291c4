/* Watches when memory is out, and when system calls fail. */
#include "unit/conn/ends.h"
#include "unit/conn/loops.h"

enum { EVENTS = 40 }; /* more than are looked at without memory */

struct world {
    kin_event *events[EVENTS];
    int pipe[2];
    kin_waitable things[EVENTS + 1];
    size_t n;
    kin_watch *watch;
};

static void make(struct world *w, size_t events)
{
    w->n = events + 1;
    for (size_t i = 0; i < events; i++) {
        CHECK_OK(kin_event_new(&w->events[i], NULL));
        w->things[i] = kin_event_waitable(w->events[i]);
    }
    CHECK_EQ(pipe(w->pipe), 0);
    w->things[events] = kin_fd_waitable(w->pipe[0]);
}

static void unmake(struct world *w)
{
    for (size_t i = 0; i < w->n - 1; i++) {
        kin_event_free(w->events[i]);
    }
    close(w->pipe[0]);
    close(w->pipe[1]);
}

static int begin_and_end(void *ctx)
{
    struct world *w = ctx;
    uint64_t blocks = blocks_in_use();
    kin_watch *watch = NULL;
    int rv = kin_watch_new(&watch, w->things, w->n);
    CHECK_EQ(watch == NULL, rv < 0);
    kin_watch_free(watch);
    CHECK_EQ(blocks_in_use(), blocks);
    return rv;
}

static void is_out_of_memory(void *ctx, int error)
{
    (void)ctx;
    CHECK_EQ(error, KIN_ENOMEM);
}

static void has_no_descriptor(void *ctx, int error)
{
    (void)ctx;
    CHECK(error == KIN_EMFILE || error == KIN_ENOMEM || error == KIN_EOS);
}

TEST(a_watch_that_cannot_be_made_says_so_and_leaves_nothing)
{
    struct world w;
    make(&w, EVENTS);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &w, .attempt = begin_and_end, .check = is_out_of_memory),
             3);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .attempt = begin_and_end, .check = has_no_descriptor),
             6);
    unmake(&w);
}

static int look(void *ctx)
{
    struct world *w = ctx;
    return kin_watch_look(w->watch, w->things);
}

/* A failed look is followed by another. */
static void is_still_readable(void *ctx, int error)
{
    struct world *w = ctx;
    CHECK_EQ(error, KIN_ENOMEM);
    await(w->watch);
}

TEST(a_look_that_fails_does_no_harm)
{
    struct world w;
    make(&w, EVENTS);
    w.watch = new_watch(w.things, w.n);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &w, .attempt = look, .check = is_still_readable), 2);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .attempt = look), 2);
    come_to_rest(w.watch);
    CHECK_OK(kin_event_set(w.events[EVENTS - 1]));
    check_told(w.watch, 1);
    kin_watch_free(w.watch);
    unmake(&w);
}
