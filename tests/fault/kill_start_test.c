/* SIGKILL at every step of each way to start a process: to the starter, to the child, to the fork
 * server and to the image that it comes from. */
#include "contract/start.h"
#include "domain/room.h"

#include <sys/wait.h>

struct scene {
    const char *method;
    kin_lock *lock;
    kin_queue *queue;
    kin_usage_info before;
    int daemon;
};

static kin_obj work(kin_obj args)
{
    kin_lock *lock = kin_arg_shared(args, 0);
    int rv = kin_lock_acquire(lock, KIN_FOREVER);
    KIN_TRY(rv);
    KIN_TRY(kin_queue_put(kin_arg_shared(args, 1), kin_arg(args, 2), KIN_FOREVER));
    KIN_TRY(kin_lock_release(lock));
    return kin_int(7);
}

static void open_scene(void *ctx)
{
    struct scene *s = ctx;
    CHECK_OK(kin_lock_new(&s->lock, NULL));
    CHECK_OK(kin_queue_new(&s->queue, NULL));
    CHECK_OK(kin_usage(&s->before));
}

/* Starts and joins two: the second start may find a server that has died. */
static void start_two(void *ctx)
{
    struct scene *s = ctx;
    const kin_process_options options = { .start_method = s->method, .daemon = s->daemon };
    for (int i = 0; i < 2; i++) {
        kin_process *child = NULL;
        int rv =
            kin_start(&child, work, kin_args(kin_shared(s->lock), kin_shared(s->queue), kin_int(i)),
                      &options);
        if (rv == 0) {
            CHECK_OK(kin_process_join(child, KIN_FOREVER));
            int code = kin_process_exitcode(child);
            CHECK(code == 7 || code == -9 || code == KIN_ENOTFOUND);
        }
        kin_process_free(child);
    }
}

static uint64_t members(void)
{
    kin_usage_info now;
    CHECK_OK(kin_usage(&now));
    return now.processes;
}

static void survive(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin_usage_info after;
    (void)step;
    WAIT_UNTIL(test_is_alone()); /* whom the dead had started ends, and so does a server */
    CHECK_OK(kin_lock_acquire(s->lock, KIN_FOREVER));
    CHECK_OK(kin_lock_release(s->lock));
    int n = 0;
    for (kin_obj got; kin_queue_get(s->queue, &got, 0) == 0; n++) {
        kin_release(got);
    }
    CHECK_LE(n, 2);
    WAIT_UNTIL(members() ==
               s->before.processes); /* a thread of a sanitizer's outlives its process */
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, s->before.blocks);
    kin_lock_free(s->lock);
    kin_queue_free(s->queue);
}

static void kill_everywhere(const char *method, int daemon, int least)
{
    struct scene scene = { .method = method, .daemon = daemon };
    kin__self();
    CHECK_GE(kill_loop("start.", &scene, .setup = open_scene, .victim = start_two, .check = survive,
                       .anybody = true),
             least);
}

EACH_METHOD_WITHIN(300, is_killed_anywhere)
{
    kill_everywhere(method, 0, is_forked(method) ? 10 : 12);
}

EACH_METHOD_WITHIN(300, of_daemons_is_killed_anywhere)
{
    kill_everywhere(method, true, is_forked(method) ? 10 : 12);
}
