#include "harness.h"

#include <signal.h>

TEST(kin_interrupt_ends_the_next_sleep_and_no_other)
{
    CHECK_EQ(kin_interrupt(), 0);
    CHECK_OK(kin_sleep(0));
    CHECK_ERROR(kin_sleep(1000), KIN_EINTR);
    CHECK_OK(kin_sleep(0.001));
}

TEST(ctrl_c_ends_the_next_sleep)
{
    CHECK_EQ(kin_handle_sigint(), 0);
    raise(SIGINT);
    CHECK_ERROR(kin_sleep(1000), KIN_EINTR);
    raise(SIGINT);
    CHECK_ERROR(kin_sleep(1000), KIN_EINTR);
}
