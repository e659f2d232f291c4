/* time.c - the one clock of the library, and ways to let time pass. Every deadline is an absolute
 * time of this clock: it never jumps, and all processes of a machine read the same. */
#include "room.h"

#include <sched.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

int64_t kin__os_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

void kin__os_sleep_until(int64_t deadline)
{
    struct timespec until = { .tv_sec = deadline / SECOND, .tv_nsec = deadline % SECOND };
    while (kin__os_now() < deadline) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

void kin__os_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

void kin__os_yield(void)
{
    sched_yield();
}
