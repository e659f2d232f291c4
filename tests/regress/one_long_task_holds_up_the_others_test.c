/* Pools that deal their tasks out in turn leave those that were dealt to a busy worker behind its
 * long task, while others idle (ray-project/ray#29453). Here whoever is free takes the next one. */
#include "scene.h"

TEST(short_tasks_do_not_wait_for_a_long_one)
{
    kin_pool *pool = pool_of(2);
    kin_event *go = new_event();
    kin_future *waiting = submit(pool, wait_for_event, kin_args(kin_shared(go)));
    kin_future *others[100];
    kin_obj o;
    for (int i = 0; i < 100; i++) {
        others[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_future_get(others[i], &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i * i);
        kin_future_free(others[i]);
    }
    CHECK(!kin_future_done(waiting));
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_future_get(waiting, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 7);
    kin_future_free(waiting);
    kin_event_free(go);
    free_whole(pool);
}
