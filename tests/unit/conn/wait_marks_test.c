/* When kin_wait fails none is marked, whatever an earlier call has marked. */
#include "harness.h"
#include <kin/wait.h>

enum { MANY = 40 };

static void mark_all(kin_waitable *things, size_t n)
{
    CHECK_EQ(kin_wait(things, n, 0), (int)n);
}

static void check_none_is_marked(const kin_waitable *things, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(!things[i].ready);
    }
}

TEST(a_call_that_fails_leaves_no_mark_of_one_before)
{
    kin_event *event = NULL;
    kin_waitable things[MANY];
    CHECK_OK(kin_event_new(&event, NULL));
    CHECK_OK(kin_event_set(event));
    for (int i = 0; i < MANY; i++) {
        things[i] = kin_event_waitable(event);
    }
    mark_all(things, MANY);
    CHECK_ERROR(kin_wait(things, MANY, (double)NAN), KIN_EINVAL);
    check_none_is_marked(things, MANY);
    mark_all(things, MANY);
    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    CHECK_ERROR(kin_wait(things, MANY, 0), KIN_ENOMEM);
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    check_none_is_marked(things, MANY);
    mark_all(things, MANY);
    kin_event_free(event);
    CHECK_ERROR(kin_wait(things, MANY, 0), KIN_EFREED);
    check_none_is_marked(things, MANY);
}
