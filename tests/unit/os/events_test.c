/* Waiting for many connections at once. */
#include "harness.h"

#include <errno.h>
#include <unistd.h>

TEST(what_is_waited_for_may_change)
{
    int ends[2];
    kin__happened seen[4];
    int watch = kin__os_watch_new();
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(kin__os_watch_for(watch, ends[0], seen, 0, true), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(kin__os_watch_wait(watch, seen, 4, 0), 0);
    CHECK_EQ(kin__os_watch_for(watch, ends[0], seen, KIN__CAN_READ, false), 0);
    CHECK_EQ(kin__os_watch_wait(watch, seen, 4, KIN__NEVER), 1);
    CHECK_EQ(seen[0].what, KIN__CAN_READ);
    CHECK_PTR(seen[0].word, seen);
    CHECK_EQ(kin__os_watch_for(watch, ends[0], seen, KIN__CAN_WRITE, false), 0);
    CHECK_EQ(kin__os_watch_wait(watch, seen, 4, KIN__NEVER), 1);
    CHECK_EQ(seen[0].what, KIN__CAN_WRITE);
    close(ends[0]);
    close(ends[1]);
    close(watch);
}

TEST(hanging_up_is_told_of_in_any_case)
{
    int ends[2];
    kin__happened seen;
    int watch = kin__os_watch_new();
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(kin__os_watch_for(watch, ends[0], &seen, 0, true), 0);
    int copy = dup(ends[1]);
    kin__os_net_hang_up(ends[1]); /* also when there is a copy */
    CHECK_EQ(kin__os_watch_wait(watch, &seen, 1, KIN__NEVER), 1);
    CHECK_EQ(seen.what, KIN__HUNG_UP);
    close(copy);
    close(ends[0]);
    close(ends[1]);
    close(watch);
}

TEST(a_wait_ends_at_its_deadline)
{
    kin__happened seen;
    int watch = kin__os_watch_new();
    int64_t deadline = kin__os_now() + 20000000;
    CHECK_EQ(kin__os_watch_wait(watch, &seen, 1, deadline), 0);
    CHECK_GE(kin__os_now(), deadline);
    close(watch);
    CHECK_EQ(kin__os_watch_wait(watch, &seen, 1, 0), -EBADF);
}

TEST(the_kernel_knows_who_is_at_the_other_end)
{
    int ends[2];
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(kin__os_net_peer(ends[0]), getpid());
    CHECK_EQ(kin__os_net_peer(-1), 0);
    close(ends[0]);
    close(ends[1]);
}
