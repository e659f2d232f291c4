/* In Python, connection.wait says of the number of a descriptor that was closed that it is ready;
 * who then reads it fails, or reads what somebody else has opened since. And it raises KeyError for
 * a thing that is there twice. Here the first is an error that says which one it is, and the second
 * is fine. */
#include "scene.h"

TEST(a_descriptor_that_was_closed_is_an_error_and_nothing_is_marked)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    int stale = dup(ends[0]);
    close(stale);
    kin_waitable things[3] = { kin_fd_waitable(ends[0]), kin_fd_waitable(stale),
                               kin_fd_waitable(ends[0]) };
    CHECK_ERROR(kin_wait(things, 3, KIN_FOREVER), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "thing 1");
    CHECK(!things[0].ready);
    things[1] = things[0];
    CHECK_EQ(kin_wait(things, 3, KIN_FOREVER), 3);
    close(ends[0]);
    close(ends[1]);
}
