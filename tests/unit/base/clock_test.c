#include "harness.h"

#include "base/room.h"
#include <math.h>

#define MS INT64_C(1000000)

TEST(a_timeout_becomes_a_time_to_come)
{
    int64_t before = kin__os_now();
    int64_t deadline;
    CHECK_OK(kin__deadline(1.5, &deadline));
    CHECK_GE(deadline, before + 1500 * MS);
    CHECK_LE(deadline, kin__os_now() + 1500 * MS);
    CHECK(kin__may_wait(deadline));
}

TEST(no_time_at_all_is_now_or_never)
{
    static const double timeouts[] = { 0.0, -0.0, -1.0, -1e300, -INFINITY };
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int64_t deadline = 42;
        CHECK_OK(kin__deadline(timeouts[i], &deadline));
        CHECK_EQ(deadline, 0);
        CHECK(!kin__may_wait(deadline));
    }
}

TEST(the_shortest_timeout_may_still_wait)
{
    int64_t deadline;
    CHECK_OK(kin__deadline(1e-300, &deadline));
    CHECK(kin__may_wait(deadline));
    CHECK_LE(deadline, kin__os_now());
}

TEST(for_ever_has_no_end_and_nothing_overflows)
{
    static const double timeouts[] = { KIN_FOREVER, INFINITY, 1e308, 1e18, 9.3e9, 4e9 };
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int64_t deadline;
        CHECK_OK(kin__deadline(timeouts[i], &deadline));
        CHECK_EQ(deadline, KIN__NEVER);
        CHECK(kin__may_wait(deadline));
    }
    int64_t deadline;
    CHECK_OK(kin__deadline(3.9e9, &deadline));
    CHECK_GT(deadline, 3900000000 * 1000 * MS);
    CHECK_LT(deadline, KIN__NEVER);
}

TEST(a_timeout_that_is_no_number_is_refused)
{
    int64_t deadline = 42;
    CHECK_ERROR(kin__deadline(NAN, &deadline), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "NaN");
    CHECK_EQ(deadline, 42);
    CHECK_ERROR(kin_sleep(NAN), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_sleep: ");
}

TEST(now_is_in_seconds)
{
    double before = (double)kin__os_now() / 1e9;
    double now = kin_now();
    CHECK(before <= now);
    CHECK(now <= (double)kin__os_now() / 1e9);
}

TEST(sleep_lasts_as_long_as_it_is_told)
{
    double before = kin_now();
    CHECK_OK(kin_sleep(0.005));
    CHECK(kin_now() - before >= 0.005 - 1e-6);
}

TEST(sleep_of_no_time_returns)
{
    CHECK_OK(kin_sleep(0));
    CHECK_OK(kin_sleep(-1));
    CHECK_OK(kin_sleep(-INFINITY));
}

TEST(there_is_a_processor)
{
    CHECK_GE(kin_cpu_count(), 1);
    CHECK_GE(kin_cpu_count_all(), kin_cpu_count());
}
