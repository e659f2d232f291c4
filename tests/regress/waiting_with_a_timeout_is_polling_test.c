/* In Python, up to 3.14, waiting for a child with a timeout is a loop of naps: it wakes a processor
 * up to 2,000 times a second, and sees the end late (CPython gh-83069). Here who waits sleeps until
 * it happens. */
#include "contract/start.h"
#include "scene.h"

#include <sys/resource.h>

enum { NAPS = 10 }; /* of 50 ms each would be 20 in the second that we wait */

/* How often we have gone to sleep. */
static long sleeps(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

/* Without descriptors of processes (before Linux 5.3) there is no other way than naps. */
static bool has_pidfds(void)
{
    int fd = kin__os_pidfd(getpid());
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

EACH_METHOD(join_sleeps_once)
{
    if (!has_pidfds()) {
        SKIP("this kernel has no pidfds");
    }
    kin_event *go = new_event();
    kin_process *child = start_by(method, wait_for_event, kin_args(kin_shared(go)));
    long before = sleeps();
    CHECK_ERROR(kin_process_join(child, 1.0), KIN_ETIMEDOUT);
    CHECK_LT(sleeps() - before, NAPS);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(end(child), 7);
    kin_event_free(go);
}

TEST(waiting_for_a_program_sleeps_once)
{
    if (!has_pidfds()) {
        SKIP("this kernel has no pidfds");
    }
    kin_popen *cat = NULL;
    CHECK_OK(kin_popen_new(&cat, (const char *const[]){ "cat", NULL },
                           KIN_OPT(kin_run_options, .in = KIN_PIPE)));
    long before = sleeps();
    CHECK_ERROR(kin_popen_wait(cat, 1.0), KIN_ETIMEDOUT);
    CHECK_LT(sleeps() - before, NAPS);
    CHECK_OK(kin_popen_close_stdin(cat));
    CHECK_EQ(kin_popen_wait(cat, KIN_FOREVER), 0);
    kin_popen_free(cat);
}

TEST(waiting_for_a_message_sleeps_once)
{
    kin_queue *queue = new_queue();
    kin_obj o;
    long before = sleeps();
    CHECK_ERROR(kin_queue_get(queue, &o, 1.0), KIN_ETIMEDOUT);
    CHECK_LT(sleeps() - before, NAPS);
    kin_queue_free(queue);
}
