/* Who refers to what. */
#include "harness.h"
#include "manager/server.h"

#include <unistd.h>

#define MINUTE INT64_C(61000000000)

static kin__objects objects;
static kin__holder *all;

static kin__object *begin(void)
{
    all = NULL;
    kin__objects_begin(&objects);
    return kin__objects_add_value(&objects, kin_int(1));
}

TEST(references_are_a_hosts_for_a_minute_after_its_last_connection)
{
    kin__object *o = begin();
    kin__holder *h = kin__holder_enter(&all, 0, "10.1.2.3");
    CHECK_PTR(kin__holder_enter(&all, 0, "10.1.2.3"), h);
    CHECK_OK(kin__holder_ref(h, &objects, o));
    kin__holder_leave(h);
    int64_t now = kin__os_now();
    (void)kin__holders_look(&all, &objects, now + MINUTE);
    CHECK_EQ(o->refs, 1); /* one connection is open */
    kin__holder_leave(h);
    CHECK_NE(kin__holders_look(&all, &objects, now), KIN__NEVER);
    CHECK_EQ(objects.count, 1);
    CHECK_EQ(kin__holders_look(&all, &objects, kin__os_now() + MINUTE), KIN__NEVER);
    CHECK_EQ(objects.count, 0);
    CHECK_NULL(all);
    kin__objects_end(&objects);
}

static int live(void *ctx)
{
    WAIT_UNTIL(*(_Atomic int *)ctx);
    return 0;
}

TEST(references_are_a_processs_until_it_has_ended)
{
    _Atomic int *go = test_shared(sizeof *go);
    kin__object *o = begin();
    pid_t pid = test_child(live, (void *)go);
    kin__holder *h = kin__holder_enter(&all, pid, "");
    kin__holder *ours = kin__holder_enter(&all, getpid(), "");
    CHECK(h != ours);
    CHECK_OK(kin__holder_ref(h, &objects, o));
    CHECK_OK(kin__holder_ref(h, &objects, o));
    kin__holder_leave(h);
    kin__holder_leave(ours);
    (void)kin__holders_look(&all, &objects, kin__os_now() + MINUTE);
    CHECK_EQ(o->refs, 2);
    *go = 1;
    CHECK_EQ(test_join(pid), 0);
    (void)kin__holders_look(&all, &objects, kin__os_now());
    CHECK_EQ(objects.count, 0);
    CHECK_NULL(all);
    kin__objects_end(&objects);
}

TEST(nobody_gives_back_what_is_anothers)
{
    kin__object *o = begin();
    kin__holder *a = kin__holder_enter(&all, 0, "a"), *b = kin__holder_enter(&all, 0, "b");
    CHECK_OK(kin__holder_ref(a, &objects, o));
    CHECK(!kin__holder_unref(b, &objects, o));
    CHECK_EQ(o->refs, 1);
    CHECK(kin__holder_unref(a, &objects, o));
    CHECK_EQ(objects.count, 0);
    kin__holders_end(&all);
    kin__objects_end(&objects);
}

TEST(what_is_booked_comes_at_its_pace_after_a_second_s_worth)
{
    all = NULL;
    kin__holder *h = kin__holder_enter(&all, 0, "host");
    const int64_t now = 5000000000, pace = 250000000;
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(kin__holder_book(h, now, pace), 0);
    }
    CHECK_EQ(kin__holder_book(h, now, pace), now + pace);
    CHECK_EQ(kin__holder_book(h, now, pace), now + 2 * pace);
    CHECK_EQ(kin__holder_book(h, now + 3 * pace, pace), 0); /* its time has come */
    kin__holder_leave(h);
    (void)kin__holders_look(&all, NULL, now + 3 * pace);
    CHECK_PTR(kin__holder_enter(&all, 0, "host"), h); /* nobody is new by connecting anew */
    kin__holder_leave(h);
    (void)kin__holders_look(&all, NULL, now + 30 * pace);
    CHECK_NULL(all);
}
