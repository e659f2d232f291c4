#include "harness.h"

#include <signal.h>
#include <sys/time.h>

#define MS INT64_C(1000000)

TEST(now_never_goes_back)
{
    int64_t before = kin__os_now();
    for (int i = 0; i < 1000; i++) {
        int64_t now = kin__os_now();
        CHECK_GE(now, before);
        before = now;
    }
}

TEST(all_processes_read_the_same_clock)
{
    int64_t *childs = test_shared(sizeof *childs);
    int64_t before = kin__os_now();
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        *childs = kin__os_now();
        kin__os_leave(0);
    }
    test_join(pid);
    CHECK_GE(*childs, before);
    CHECK_LE(*childs, kin__os_now());
}

TEST(sleep_until_lasts_to_its_deadline)
{
    int64_t deadline = kin__os_now() + 5 * MS;
    kin__os_sleep_until(deadline);
    CHECK_GE(kin__os_now(), deadline);
}

TEST(sleep_until_what_is_past_returns)
{
    kin__os_sleep_until(0);
    kin__os_sleep_until(kin__os_now() - 1);
    kin__os_sleep_until(INT64_MIN);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

TEST(signals_do_not_shorten_a_sleep)
{
    struct sigaction action = { .sa_handler = count_alarm };
    struct sigaction before;
    sigaction(SIGALRM, &action, &before);
    alarms = 0;
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 2000 }, { 0, 2000 } }, NULL);
    int64_t deadline = kin__os_now() + 30 * MS;
    kin__os_sleep_until(deadline);
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    sigaction(SIGALRM, &before, NULL);
    CHECK_GE(kin__os_now(), deadline);
    CHECK_GT(alarms, 0);
}

TEST(a_pause_and_a_yield_return)
{
    kin__os_pause();
    kin__os_yield();
}
