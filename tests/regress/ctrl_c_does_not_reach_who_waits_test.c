/* In Python a Ctrl-C during Pool.map or join may be lost, or leave workers and a program that never
 * ends (CPython gh-75004, gh-88628). Here who waits is told, and frees the pool; and it does not
 * matter at which step it comes. */
#include "scene.h"

static kin_obj sleep_for_ever(kin_obj args)
{
    (void)args;
    return kin_int(kin_sleep(KIN_FOREVER));
}

static unsigned nth;

static void press_at_the_nth(const char *step)
{
    (void)step;
    if (--nth == 0) {
        kill(0, SIGINT);
    }
}

/* Until it is told; 3, or 4 when the step was not reached before the waiting began. */
static int map_for_ever(void *unused)
{
    (void)unused;
    kin_pool *pool;
    kin_obj results;
    setpgid(0, 0); /* which is what a terminal signals */
    CHECK_OK(kin_handle_sigint());
    kin__step_hook(press_at_the_nth);
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    kin_future *future;
    CHECK_OK(kin_pool_submit(pool, sleep_for_ever, kin_args(), NULL, &future));
    bool reached = nth == 0 || nth > 1000000;
    if (!reached) {
        kin__step_hook(NULL);
        kill(0, SIGINT);
    }
    CHECK_ERROR(kin_pool_map(pool, sleep_for_ever, kin_range(0, 20), NULL, &results), KIN_EINTR);
    CHECK_ERROR(kin_future_get(future, &results, 0), KIN_ETIMEDOUT); /* the workers go on */
    kin_future_free(future);
    kin_pool_free(pool);
    return reached ? 3 : 4;
}

TEST_WITHIN(120, who_maps_is_told_and_frees_the_pool)
{
    unsigned first = 1 + (unsigned)(test_random() % 5); /* other ones each time */
    for (int rv = 3; rv == 3; first += 5) {
        nth = first;
        rv = test_join(test_child(map_for_ever, NULL));
        CHECK_(rv == 3 || rv == 4, "at step %u it ended by %d", first, rv);
        WAIT_UNTIL(test_is_alone());
        nothing_is_left();
    }
    CHECK_GT(first, 10);
}
