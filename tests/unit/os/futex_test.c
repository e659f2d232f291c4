#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define MS INT64_C(1000000)

/* Shared with children that sleep on it. */
struct place {
    _Atomic uint32_t word;
    _Atomic int near; /* how many are about to sleep, or do */
};

static int sleep_once(void *ctx)
{
    struct place *place = ctx;
    place->near++;
    return -kin__os_wait(&place->word, 0, KIN__NEVER);
}

/* Starts children that sleep on the word, and waits until they do. */
static void start_sleepers(struct place *place, pid_t *pids, int n)
{
    for (int i = 0; i < n; i++) {
        pids[i] = test_child(sleep_once, place);
        WAIT_UNTIL(place->near == i + 1 && test_is_asleep(pids[i]));
    }
}

TEST(wait_says_when_the_word_was_different_at_once)
{
    _Atomic uint32_t word = 7;
    CHECK_EQ(kin__os_wait(&word, 8, KIN__NEVER), -EAGAIN);
}

TEST(wait_times_out_at_its_deadline)
{
    _Atomic uint32_t word = 7;
    int64_t deadline = kin__os_now() + 5 * MS;
    CHECK_EQ(kin__os_wait(&word, 7, deadline), -ETIMEDOUT);
    CHECK_GE(kin__os_now(), deadline);
}

TEST(wait_until_what_is_past_only_looks)
{
    _Atomic uint32_t word = 7;
    CHECK_EQ(kin__os_wait(&word, 7, 0), -ETIMEDOUT);
}

TEST(wake_wakes_as_many_as_it_is_told)
{
    struct place *place = test_shared(sizeof *place);
    pid_t pids[3];
    start_sleepers(place, pids, 3);
    CHECK_EQ(kin__os_wake(&place->word, 2), 2);
    CHECK_EQ(kin__os_wake(&place->word, 100), 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
}

TEST(wake_without_sleepers_finds_none)
{
    _Atomic uint32_t word = 7;
    CHECK_EQ(kin__os_wake(&word, 1), 0);
}

TEST(add_and_wake_adds_one_and_wakes_all_processes)
{
    struct place *place = test_shared(sizeof *place);
    pid_t pids[3];
    start_sleepers(place, pids, 3);
    CHECK_EQ(kin__os_add_and_wake(&place->word), 3);
    CHECK_EQ(place->word, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
}

TEST(change_and_wake_adds_or_sets_any_small_number)
{
    struct place *place = test_shared(sizeof *place);
    for (int faults = 0; faults < 2; faults++) { /* also where the kernel refuses it */
        pid_t pids[2];
        place->word = 0;
        place->near = 0;
        start_sleepers(place, pids, 2);
        kin__fault_arm(KIN__FAULT_CALL, (unsigned)faults);
        CHECK_EQ(kin__os_change_and_wake(&place->word, KIN__SET, -2047), 2);
        CHECK_EQ(place->word, UINT32_MAX - 2046);
        kin__fault_arm(KIN__FAULT_CALL, (unsigned)faults);
        CHECK_EQ(kin__os_change_and_wake(&place->word, KIN__ADD, 2), 0);
        CHECK_EQ(place->word, UINT32_MAX - 2044);
        kin__fault_arm(KIN__FAULT_CALL, 0);
        CHECK_EQ(test_join(pids[0]), 0);
        CHECK_EQ(test_join(pids[1]), 0);
    }
}

TEST(add_and_wake_wraps_around)
{
    _Atomic uint32_t word = UINT32_MAX;
    CHECK_EQ(kin__os_add_and_wake(&word), 0);
    CHECK_EQ(word, 0);
}

TEST(add_and_wake_works_where_the_kernel_refuses_it)
{
    struct place *place = test_shared(sizeof *place);
    pid_t pids[2];
    start_sleepers(place, pids, 2);
    kin__fault_arm(KIN__FAULT_CALL, 1);
    CHECK_EQ(kin__os_add_and_wake(&place->word), 2);
    CHECK(kin__fault_fired());
    CHECK_EQ(place->word, 1);
    CHECK_EQ(test_join(pids[0]), 0);
    CHECK_EQ(test_join(pids[1]), 0);
}

static void interrupt(int signal)
{
    (void)signal;
    kin__os_interrupt();
}

static int sleep_with_handler(void *ctx)
{
    struct sigaction action = { .sa_handler = interrupt };
    sigaction(SIGUSR1, &action, NULL);
    return sleep_once(ctx);
}

TEST(a_signal_handler_may_interrupt_a_wait)
{
    struct place *place = test_shared(sizeof *place);
    pid_t pid = test_child(sleep_with_handler, place);
    WAIT_UNTIL(place->near == 1 && test_is_asleep(pid));
    CHECK_EQ(kin__os_kill(pid, SIGUSR1), 0);
    CHECK_EQ(test_join(pid), EINTR);
}

TEST(a_faulted_wait_wakes_for_no_reason)
{
    _Atomic uint32_t word = 7;
    kin__fault_arm(KIN__FAULT_CALL, 1);
    CHECK_EQ(kin__os_wait(&word, 7, KIN__NEVER), 0);
    CHECK(kin__fault_fired());
}
