#include "harness.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BELLS = 400 }; /* more than one socket can ring before any of them is heard */

static uint64_t a_name(void)
{
    uint64_t name;
    CHECK_EQ(kin__os_random(&name, sizeof name), 0);
    return name;
}

static bool has_rung(int bell)
{
    bool told = false;
    return kin__os_poll(&bell, &told, 1, 0) == 1 && told;
}

TEST(a_bell_polls_readable_from_its_ringing_until_it_is_hushed)
{
    uint64_t name = a_name();
    int bell = kin__os_bell(name);
    CHECK_GE(bell, 0);
    CHECK(!has_rung(bell));
    CHECK_EQ(kin__os_ring(name), 0);
    CHECK(has_rung(bell));
    kin__os_hush(bell);
    CHECK(!has_rung(bell));
    kin__os_close(bell);
}

TEST(to_ring_a_bell_any_number_of_times_does_not_wait)
{
    uint64_t name = a_name();
    int bell = kin__os_bell(name);
    for (int i = 0; i < 10000; i++) {
        CHECK_EQ(kin__os_ring(name), 0);
    }
    CHECK(has_rung(bell));
    kin__os_hush(bell);
    CHECK(!has_rung(bell));
    kin__os_close(bell);
}

TEST(a_bell_that_nobody_hears_keeps_no_other_from_ringing)
{
    uint64_t names[BELLS];
    int bells[BELLS];
    for (int i = 0; i < BELLS; i++) {
        names[i] = a_name();
        bells[i] = kin__os_bell(names[i]);
        CHECK_GE(bells[i], 0);
    }
    for (int i = 0; i < BELLS; i++) {
        CHECK_EQ(kin__os_ring(names[i]), 0);
    }
    for (int i = 0; i < BELLS; i++) {
        CHECK(has_rung(bells[i]));
        kin__os_close(bells[i]);
    }
}

TEST(a_name_belongs_to_one_bell_and_goes_with_it)
{
    uint64_t name = a_name();
    int bell = kin__os_bell(name);
    CHECK_EQ(kin__os_bell(name), -EADDRINUSE);
    kin__os_close(bell);
    CHECK_EQ(kin__os_ring(name), -ECONNREFUSED);
}

/* Somebody closes all that is open, or something else has its number since. */
TEST(a_ringer_that_was_closed_is_made_again)
{
    uint64_t name = a_name();
    int bell = kin__os_bell(name);
    CHECK_EQ(kin__os_ring(name), 0);
    kin__os_hush(bell);
    int old = kin__os_ringer();
    CHECK_GE(old, 0);
    close(old);
    CHECK_EQ(kin__os_ring(name), 0);
    CHECK(has_rung(bell));
    kin__os_hush(bell);
    int number = kin__os_ringer();
    CHECK_EQ(dup2(STDERR_FILENO, number), number);
    CHECK_EQ(kin__os_ring(name), 0);
    CHECK(has_rung(bell));
    if (kin__os_ringer() != number) {
        close(number);
    }
    kin__os_close(bell);
}

static void fill(int *ret_fds, int most)
{
    for (int i = 0; i < most; i++) {
        ret_fds[i] = dup(STDERR_FILENO);
        if (ret_fds[i] < 0) {
            return;
        }
    }
}

TEST(a_process_without_descriptors_rings_past_its_limit)
{
    uint64_t name = a_name();
    int bell = kin__os_bell(name);
    int fds[64];
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = { .rlim_cur = 32, .rlim_max = before.rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    fill(fds, 64);
    CHECK_EQ(kin__os_ring(name), 0);
    struct rlimit after;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
    CHECK_EQ(after.rlim_cur, 32);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK(has_rung(bell));
    for (int i = 0; i < 64 && fds[i] >= 0; i++) {
        close(fds[i]);
    }
    kin__os_close(bell);
}

static int ring_it(void *ctx)
{
    return kin__os_ring(*(uint64_t *)ctx) == 0 ? 0 : 1;
}

TEST(a_bell_is_rung_from_other_processes)
{
    uint64_t name = a_name();
    int bell = kin__os_bell(name);
    CHECK_EQ(test_join(test_child(ring_it, &name)), 0); /* with a ringer of its own */
    CHECK(has_rung(bell));
    kin__os_hush(bell);
    CHECK_EQ(kin__os_ring(name), 0);
    kin__os_hush(bell);
    CHECK_EQ(test_join(test_child(ring_it, &name)), 0); /* with the one that it inherited */
    CHECK(has_rung(bell));
    kin__os_close(bell);
}
