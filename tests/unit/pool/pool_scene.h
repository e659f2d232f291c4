/* What the tests of the pool share: a pool of two, tasks to give it, and the look afterwards. */
#ifndef KIN_POOL_SCENE_H
#define KIN_POOL_SCENE_H

#include "harness.h"
#include "pool/room.h"

#include <signal.h>

__attribute__((unused)) static kin_pool *pool_of(unsigned processes)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = processes)));
    return pool;
}

/* Frees the pool; nobody and nothing of it may be left. */
__attribute__((unused)) static void free_whole(kin_pool *pool)
{
    kin_pool_free(pool);
    CHECK_EQ(kin__count_alive(), 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

__attribute__((unused)) static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

__attribute__((unused)) static kin_obj echo(kin_obj args)
{
    return kin_arg(args, 0);
}

__attribute__((unused)) static kin_obj die_of(kin_obj args)
{
    kin__os_kill(kin__os_getpid(), (int)kin_arg_int(args, 0));
    for (;;) {
        kin__os_yield();
    }
    return kin_none();
}

__attribute__((unused)) static kin_obj stay(kin_obj args)
{
    for (;;) {
        kin__os_yield();
    }
    return args;
}

#endif
