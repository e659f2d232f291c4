/* Waiting for several things when memory is out, and when system calls fail. */
#include "domain/room.h"
#include "harness.h"
#include "sync/room.h"
#include <kin/queue.h>

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 40 }; /* more than lie on the stack */

struct world {
    kin_event *events[EVENTS];
    kin_queue *queue;
    int pipe[2];
    kin_waitable things[EVENTS + 2];
    size_t n;
};

static void make(struct world *w, size_t events)
{
    w->n = events + 2;
    for (size_t i = 0; i < events; i++) {
        CHECK_OK(kin_event_new(&w->events[i], NULL));
        w->things[i] = kin_event_waitable(w->events[i]);
    }
    CHECK_OK(kin_queue_new(&w->queue, NULL));
    CHECK_EQ(pipe(w->pipe), 0);
    w->things[events] = kin_queue_waitable(w->queue);
    w->things[events + 1] = kin_fd_waitable(w->pipe[0]);
}

static void unmake(struct world *w)
{
    for (size_t i = 0; i < w->n - 2; i++) {
        kin_event_free(w->events[i]);
    }
    kin_queue_free(w->queue);
    close(w->pipe[0]);
    close(w->pipe[1]);
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static int wait_a_moment(void *ctx)
{
    struct world *w = ctx;
    uint64_t blocks = count_blocks();
    int rv = kin_wait(w->things, w->n, 0.001);
    CHECK_EQ(count_blocks(), blocks);
    for (size_t i = 0; i < w->n; i++) {
        CHECK(!w->things[i].ready);
    }
    return rv;
}

static void is_out_of_memory(void *ctx, int error)
{
    (void)ctx;
    CHECK_EQ(error, KIN_ENOMEM);
}

TEST(no_memory_is_said)
{
    struct world w;
    make(&w, EVENTS);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &w, .attempt = wait_a_moment, .check = is_out_of_memory),
             2);
    unmake(&w);
}

/* No descriptor, or no random name, for a bell; nor memory of the kernel for a poll. */
static void has_no_bell(void *ctx, int error)
{
    (void)ctx;
    CHECK(error == KIN_EMFILE || error == KIN_EOS || error == KIN_ENOMEM);
}

TEST(system_calls_that_fail_are_said_or_do_no_harm)
{
    struct world w;
    make(&w, 2);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .attempt = wait_a_moment, .check = has_no_bell), 3);
    unmake(&w);
}

/* Whoever wakes has nobody to tell that he cannot: so he must. */
struct bell_world {
    kin__gate *gate;
    kin__bell bell;
};

static void forget_the_ringer(void *ctx)
{
    struct bell_world *w = ctx;
    if (kin__os_ringer() >= 0) {
        close(kin__os_ringer());
    }
    kin__bell_hush(&w->bell);
    (void)kin__gate_ticket(w->gate);
}

static int open_gate(void *ctx)
{
    struct bell_world *w = ctx;
    kin__gate_open(w->gate);
    bool told = false;
    while (kin__os_poll(&w->bell.fd, &told, 1, 0) == -ENOMEM) {
    }
    CHECK(told);
    return 0;
}

TEST(no_system_call_that_fails_keeps_a_bell_from_ringing)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max > 1024 ? 1024 : limit.rlim_max - 1;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct bell_world w = { .gate = kin_alloc(sizeof(kin__gate)) };
    CHECK_OK(kin__bell_hang(&w.gate, 1, &w.bell));
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .setup = forget_the_ringer, .attempt = open_gate), 2);
    kin__bell_drop(&w.bell);
    kin_free(w.gate);
}
