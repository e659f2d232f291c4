/* interrupt.h - calls that wait, each of which is interrupted in two ways: while it sleeps, and a
 * moment before it. It says KIN_EINTR, and succeeds when it is called again and what it waits for
 * has been done. */
#ifndef KIN_INTERRUPT_H
#define KIN_INTERRUPT_H

#include "harness.h"
#include <kin.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

struct row {
    const char *name;
    int (*call)(void);
    void (*unblock)(void);
};

#define ROW(name, unblock)                                                                         \
    {                                                                                              \
#name, name, unblock                                                                       \
    }

static inline void *interrupt_sleeper(void *tid)
{
    while (!test_is_asleep(*(const pid_t *)tid)) {
        sched_yield();
    }
    (void)kin_interrupt();
    return NULL;
}

static inline int call_and_interrupt(const struct row *row, bool asleep)
{
    pthread_t interrupter;
    pid_t self = gettid();
    if (!asleep) {
        CHECK_OK(kin_interrupt());
        return row->call();
    }
    CHECK_EQ(pthread_create(&interrupter, NULL, interrupt_sleeper, &self), 0);
    int rv = row->call();
    pthread_join(interrupter, NULL);
    return rv;
}

static inline void interrupt_each(const struct row *rows, size_t n, void (*begin)(void),
                                  void (*end)(void))
{
    for (size_t i = 0; i < 2 * n; i++) {
        const struct row *row = &rows[i / 2];
        begin();
        int rv = call_and_interrupt(row, i % 2 == 0);
        CHECK_(rv == KIN_EINTR, "%s gave %d (%s)", row->name, rv, kin_errmsg());
        CHECK(kin_errmsg()[0] != '\0');
        row->unblock();
        rv = row->call();
        CHECK_(rv >= 0, "%s again: %s", row->name, kin_errmsg());
        end();
    }
}

#define INTERRUPT_EACH(rows, begin, end)                                                           \
    interrupt_each(rows, sizeof(rows) / sizeof *(rows), begin, end)

#endif
