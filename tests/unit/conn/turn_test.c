/* Turns of two threads at one end. */
#include "ends.h"

#include <errno.h>
#include <pthread.h>

static kin__turn turn;
static int inside, most;

static void *take_turns(void *unused)
{
    for (int i = 0; i < 2000; i++) {
        if (kin__turn_take(&turn, kin__self(), KIN__NEVER) < 0) {
            return turn.word ? &turn : unused;
        }
        most = ++inside > most ? inside : most;
        inside--;
        kin__turn_give(&turn);
    }
    return NULL;
}

TEST(one_thread_at_a_time_has_the_turn)
{
    pthread_t threads[4];
    void *rv;
    kin__self();
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, take_turns, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &rv);
        CHECK_NULL(rv);
    }
    CHECK_EQ(most, 1);
    CHECK_EQ(atomic_load(&turn.word), 0);
}

TEST(who_waits_in_vain_is_told)
{
    kin__id self = kin__self();
    CHECK_EQ(kin__turn_take(&turn, self, 0), 0);
    CHECK_EQ(kin__turn_take(&turn, self, 0), -ETIMEDOUT);
    CHECK_EQ(kin__turn_take(&turn, self, kin__os_now() + 1000000), -ETIMEDOUT);
    kin__turn_give(&turn);
    CHECK_EQ(kin__turn_take(&turn, self, 0), 0);
}

static int take_in_child(void *unused)
{
    (void)unused;
    int rv = kin__turn_take(&turn, kin__self(), 0);
    return rv == 0 && kin__turn_take(&turn, kin__self(), 0) == -ETIMEDOUT ? 0 : 1;
}

TEST(a_turn_that_a_thread_of_the_parent_has_is_nobodys_in_a_child)
{
    CHECK_EQ(kin__turn_take(&turn, kin__self(), 0), 0);
    CHECK_EQ(test_join(test_child(take_in_child, NULL)), 0);
}
