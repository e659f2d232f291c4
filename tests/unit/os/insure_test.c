#include "harness.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Shared with children. */
struct place {
    _Atomic uint32_t word;
    _Atomic uint32_t number;
    uint32_t others_number;
    uint32_t rest; /* what the word says beside the number */
    bool by_number;
};

static int sleep_on_it(void *ctx)
{
    struct place *p = ctx;
    return -kin__os_wait(&p->word, p->word, KIN__NEVER);
}

static int insure_and_stop(void *ctx)
{
    struct place *p = ctx;
    uint32_t number = kin__os_insure(&p->word);
    if (number == 0) {
        return 1;
    }
    p->word = p->by_number ? KIN__SLEEPERS | number : KIN__SLEEPERS | p->others_number;
    p->number = number;
    for (;;) {
        pause();
    }
}

static pid_t start_insured(struct place *p)
{
    pid_t pid = test_child(insure_and_stop, p);
    WAIT_UNTIL(p->number != 0);
    return pid;
}

static pid_t start_sleeper(struct place *p)
{
    pid_t pid = test_child(sleep_on_it, p);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

TEST(the_death_of_who_stands_in_the_word_changes_it_and_wakes_one)
{
    struct place *p = test_shared(sizeof *p);
    p->by_number = true;
    pid_t insured = start_insured(p);
    CHECK_EQ(p->number, insured);
    pid_t first = start_sleeper(p);
    pid_t second = start_sleeper(p);
    end(insured);
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(p->word, KIN__SLEEPERS | FUTEX_OWNER_DIED);
    CHECK(test_is_asleep(second));
    CHECK_EQ(kin__os_wake(&p->word, 2), 1);
    CHECK_EQ(test_join(second), 0);
}

TEST(a_death_where_nobody_stands_in_the_word_wakes_one)
{
    struct place *p = test_shared(sizeof *p);
    pid_t insured = start_insured(p);
    pid_t sleeper = start_sleeper(p);
    end(insured);
    CHECK_EQ(test_join(sleeper), 0);
    CHECK_EQ(p->word, KIN__SLEEPERS);
}

TEST(a_death_is_nothing_to_who_sleeps_where_another_stands_in_the_word)
{
    struct place *p = test_shared(sizeof *p);
    p->others_number = 1;
    pid_t insured = start_insured(p);
    pid_t sleeper = start_sleeper(p);
    end(insured);
    CHECK_EQ(p->word, KIN__SLEEPERS | 1u);
    CHECK(test_is_asleep(sleeper));
    CHECK_EQ(kin__os_wake(&p->word, 1), 1);
    CHECK_EQ(test_join(sleeper), 0);
}

static void *insure_and_end(void *ctx)
{
    struct place *p = ctx;
    p->number = kin__os_insure(&p->word);
    p->word = KIN__SLEEPERS | p->number;
    return NULL;
}

TEST(the_end_of_a_thread_counts_as_a_death)
{
    struct place *p = test_shared(sizeof *p);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, insure_and_end, p), 0);
    pthread_join(thread, NULL);
    WAIT_UNTIL(p->word == (KIN__SLEEPERS | FUTEX_OWNER_DIED));
}

static int cash_in(void *ctx)
{
    struct place *p = ctx;
    uint32_t number = kin__os_insure(&p->word);
    p->word = KIN__SLEEPERS | number;
    p->number = number;
    WAIT_UNTIL(p->rest);
    kin__os_cash_in();
    return kin__os_insured == NULL && p->word == 0 ? 0 : 1;
}

TEST(who_cashes_in_wakes_one_and_is_not_insured_any_more)
{
    struct place *p = test_shared(sizeof *p);
    pid_t insured = test_child(cash_in, p);
    WAIT_UNTIL(p->number != 0);
    pid_t first = start_sleeper(p);
    pid_t second = start_sleeper(p);
    p->rest = 1;
    CHECK_EQ(test_join(insured), 0);
    CHECK_EQ(test_join(first), 0);
    CHECK(test_is_asleep(second));
    CHECK_EQ(kin__os_wake(&p->word, 1), 1);
    CHECK_EQ(test_join(second), 0);
}

TEST(a_forked_child_stands_there_by_its_own_number)
{
    struct place *p = test_shared(sizeof *p);
    p->rest = 1;
    CHECK_EQ(kin__os_insure(&p->word), gettid());
    CHECK_EQ(test_join(test_child(cash_in, p)), 0);
    CHECK_PTR(kin__os_insured, &p->word);
    kin__os_uninsure();
    CHECK_EQ(test_join(test_child(cash_in, p)), 0);
}

TEST(cashing_in_is_nothing_where_another_stands_in_the_word)
{
    _Atomic uint32_t word = KIN__SLEEPERS | 1u;
    CHECK_EQ(kin__os_insure(&word), gettid());
    CHECK_PTR(kin__os_insured, &word);
    kin__os_cash_in();
    CHECK_EQ(word, KIN__SLEEPERS | 1u);
    CHECK_PTR(kin__os_insured, NULL);
    kin__os_cash_in();
    kin__os_uninsure();
}

TEST(a_robust_mutex_may_be_used_before_and_after)
{
    _Atomic uint32_t word = 0;
    pthread_mutexattr_t how;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &how);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(kin__os_insure(&word), gettid());
        kin__os_uninsure();
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    pthread_mutex_destroy(&mutex);
    pthread_mutexattr_destroy(&how);
}

static int without_a_list(void *ctx)
{
    struct place *p = ctx;
    return syscall(SYS_set_robust_list, NULL, sizeof(struct robust_list_head)) == 0 &&
                   kin__os_insure(&p->word) == 0 && kin__os_insured == NULL
               ? 0
               : 1;
}

TEST(who_has_no_list_cannot_be_insured)
{
    CHECK_EQ(test_join(test_child(without_a_list, test_shared(sizeof(struct place)))), 0);
}
