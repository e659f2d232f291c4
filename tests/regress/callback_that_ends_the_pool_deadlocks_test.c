/* In Python an error_callback that calls pool.terminate() hangs for ever, for it is called in the
 * very thread that terminate waits for; and one that raises ends that thread, and with it all
 * results (CPython gh-87129, gh-79492). Here a callback is called in a thread that waits, with
 * nothing in its hand: it may call what it likes. */
#include "scene.h"

static kin_obj fail_always(kin_obj args)
{
    return kin_error(KIN_EUSER, "task %d", (int)kin_arg_int(args, 0));
}

struct scene {
    kin_pool *pool;
    int way, called;
};

enum { CLOSE, TERMINATE, JOIN, FREE, SUBMIT, WAYS };

/* Of the first task that fails; the others find the pool so. */
static void end_the_pool(kin_future *future, void *ctx)
{
    struct scene *s = ctx;
    kin_obj o;
    CHECK(kin_future_done(future));
    if (s->called++ > 0) {
        return;
    }
    switch (s->way) {
    case CLOSE:
        CHECK_OK(kin_pool_close(s->pool));
        break;
    case TERMINATE:
        CHECK_OK(kin_pool_terminate(s->pool));
        break;
    case JOIN:
        CHECK_OK(kin_pool_close(s->pool));
        CHECK_OK(kin_pool_join(s->pool, KIN_FOREVER));
        break;
    case FREE:
        kin_pool_free(s->pool);
        s->pool = NULL;
        break;
    default:
        CHECK_OK(kin_pool_apply(s->pool, square, kin_args(kin_int(6)), &o));
        CHECK_EQ(kin_as_int(o), 36);
    }
}

TEST(a_callback_may_end_the_pool_in_every_way)
{
    enum { TASKS = 10 };
    for (int way = 0; way < WAYS; way++) {
        struct scene s = { .pool = pool_of(2), .way = way };
        kin_future *futures[TASKS];
        const kin_submit_options options = { .on_done = end_the_pool, .ctx = &s };
        for (int i = 0; i < TASKS; i++) {
            CHECK_OK(
                kin_pool_submit(s.pool, fail_always, kin_args(kin_int(i)), &options, &futures[i]));
        }
        for (int i = 0; i < TASKS; i++) {
            kin_obj o;
            int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
            CHECK_(rv == KIN_EUSER || rv == KIN_ECANCELLED, "way %d: %s", way, kin_errname(rv));
        }
        CHECK_GE(s.called, 1);
        kin_pool_free(s.pool);
        CHECK_EQ(s.called, TASKS);
        for (int i = 0; i < TASKS; i++) {
            kin_future_free(futures[i]);
        }
        nothing_is_left();
    }
}
