#include "harness.h"

#include <kin.h>
#include <unistd.h>

TEST(a_descriptor_is_an_object_that_does_not_own_it)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    kin_obj o = kin_descriptor(ends[1]);
    CHECK_EQ(kin_as_descriptor(o), ends[1]);
    CHECK_EQ(kin_take_descriptor(o), -1);
    kin_release(o);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    close(ends[0]);
    close(ends[1]);
}

TEST(what_is_no_descriptor_is_told)
{
    CHECK_EQ(kin_descriptor(-1).code, KIN_EINVAL);
    CHECK_EQ(kin_descriptor(987).code, KIN_EINVAL);
    CHECK_EQ(kin_as_descriptor(kin_int(1)), -1);
    CHECK_EQ(kin_take_descriptor(kin_none()), -1);
}
