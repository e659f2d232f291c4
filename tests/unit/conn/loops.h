/* loops.h - what an event loop does with a watch. */
#ifndef KIN_TEST_LOOPS_H
#define KIN_TEST_LOOPS_H

#include "harness.h"
#include <kin/queue.h>

#include <errno.h>
#include <poll.h>

static inline kin_watch *new_watch(const kin_waitable *things, size_t n)
{
    kin_watch *watch = NULL;
    CHECK_OK(kin_watch_new(&watch, things, n));
    return watch;
}

static inline bool polls_within(const kin_watch *watch, int milliseconds)
{
    struct pollfd polled = { .fd = kin_watch_fileno(watch), .events = POLLIN };
    CHECK_OK(polled.fd);
    int rv = poll(&polled, 1, milliseconds);
    return rv == 1 && polled.revents & POLLIN;
}

/* Until it is readable; the time limit is the test's. */
static inline void await(const kin_watch *watch)
{
    while (!polls_within(watch, -1)) {
    }
}

/* From here on it is readable only when something happens. */
static inline void come_to_rest(kin_watch *watch)
{
    CHECK_EQ(kin_watch_look(watch, NULL), 0);
    CHECK(!polls_within(watch, 0));
}

/* The descriptor told, and so did the look. */
static inline void check_told(kin_watch *watch, int n)
{
    await(watch);
    CHECK_EQ(kin_watch_look(watch, NULL), n);
    await(watch);
}

#endif
