/* scene.h - what the tests of the pains share: a pool, tasks for it, and the look afterwards. They
 * speak to the library as its users do, through kin.h alone. */
#ifndef KIN_REGRESS_SCENE_H
#define KIN_REGRESS_SCENE_H

#include "harness.h"
#include <kin.h>
#include <signal.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

UNUSED static kin_pool *pool_of(unsigned processes)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = processes)));
    return pool;
}

UNUSED static unsigned members(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.processes;
}

/* Of the family only this process is left, and of its memory nothing. */
UNUSED static void nothing_is_left(void)
{
    WAIT_UNTIL(members() == 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

UNUSED static void free_whole(kin_pool *pool)
{
    kin_pool_free(pool);
    nothing_is_left();
}

UNUSED static kin_future *submit(kin_pool *pool, kin_fn fn, kin_obj args)
{
    kin_future *future = NULL;
    CHECK_OK(kin_pool_submit(pool, fn, args, NULL, &future));
    return future;
}

UNUSED static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

/* The pool is as good as new: all that is asked of it comes back right. */
UNUSED static void works(kin_pool *pool)
{
    kin_obj results;
    CHECK_OK(kin_pool_map(pool, square, kin_range(0, 20), NULL, &results));
    for (size_t i = 0; i < 20; i++) {
        CHECK_EQ(kin_as_int(kin_at(results, i)), (int64_t)(i * i));
    }
    kin_release(results);
}

UNUSED static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(7);
}

UNUSED static kin_event *new_event(void)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    return event;
}

UNUSED static kin_queue *new_queue(void)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    return queue;
}

#endif
