/* The contract of pools: of forked processes, of the fork server's, where the program has threads,
 * and of threads. */
#include "harness.h"

#include <pthread.h>
#include <unistd.h>

static void *idle(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

/* From now on this program has threads. */
static void have_a_thread(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, idle, NULL), 0);
}

#define ENGINES(ENGINE_, seconds, name)                                                            \
    ENGINE_(forked, nothing, true, .processes = 1, seconds, name)                                  \
    ENGINE_(served, have_a_thread, true, .processes = 1, seconds, name)                            \
    ENGINE_(threaded, nothing, false, .threads = 1, seconds, name)

#include "pool_suite.h"
