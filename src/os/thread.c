/* thread.c - threads that the library starts, in a program that is somebody else's.
 *
 * They block all signals but those of faults, since those are the program's to take. A thread may
 * be ended by what it calls (pthread_exit, pthread_cancel): whoever cares is told by a guard. */
#include "interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define LAST_MOMENT 10000000 /* ns */

typedef struct beginning {
    void (*body)(void *ctx);
    void *ctx;
    uint32_t epoch; /* the interruptions before its birth */
} beginning;

_Static_assert(sizeof(pthread_t) <= sizeof(uintptr_t), "a thread's handle fits");

static void *begin(void *at)
{
    beginning b = *(beginning *)at;
    kin__os_free(at);
    kin__os_interrupt_know(b.epoch);
    b.body(b.ctx);
    return NULL;
}

int kin__os_thread_start(void (*body)(void *ctx), void *ctx)
{
    beginning *b = kin__os_malloc(sizeof *b);
    if (b == NULL) {
        return -ENOMEM;
    }
    *b = (beginning){ .body = body, .ctx = ctx, .epoch = kin__os_interrupt_epoch() };
    char signals[KIN__SIGNALS_SIZE];
    kin__os_block_signals(signals, sizeof signals);
    pthread_t thread;
    int rv = KIN__FAULT(KIN__FAULT_CALL) ? EAGAIN : pthread_create(&thread, NULL, begin, b);
    kin__os_restore_signals(signals, sizeof signals);
    if (rv != 0) {
        kin__os_free(b);
    }
    return -rv;
}

kin__thread kin__os_thread_self(void)
{
    return (kin__thread){ .handle = (uintptr_t)pthread_self(), .tid = gettid() };
}

/* Libc lets us go on a moment before the kernel has forgotten him, and counts him no more. (If
 * there is a new one of that number, we have waited in vain.) */
void kin__os_thread_join(kin__thread thread)
{
    int64_t patience = kin__os_now() + LAST_MOMENT;
    (void)pthread_join((pthread_t)thread.handle, NULL);
    while (tgkill(getpid(), thread.tid, 0) == 0 && kin__os_now() < patience) {
        kin__os_yield();
    }
}

void kin__os_thread_detach(kin__thread thread)
{
    (void)pthread_detach((pthread_t)thread.handle);
}

bool kin__os_thread_is_there(int tid)
{
    return tgkill(getpid(), tid, 0) == 0;
}

void kin__os_thread_guard(void (*body)(void *ctx), void (*left)(void *ctx), void *ctx)
{
    pthread_cleanup_push(left, ctx);
    body(ctx);
    pthread_cleanup_pop(0);
}

int kin__os_pin(unsigned nth)
{
    cpu_set_t allowed;
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) {
        return -errno;
    }
    unsigned left = nth % (unsigned)CPU_COUNT(&allowed); /* one at least */
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &allowed) && left-- == 0) {
            CPU_SET(i, &one);
            break;
        }
    }
    return sched_setaffinity(0, sizeof one, &one) < 0 ? -errno : 0;
}
