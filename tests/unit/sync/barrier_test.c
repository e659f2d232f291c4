#include "contract/start.h"
#include "domain/room.h"
#include <kin/condition.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* What the test and its children share, also those that were not forked. */
struct world {
    kin_barrier *b;
    _Atomic int code[8]; /* by number of the child; 99 before */
    _Atomic int children;
    _Atomic int acted;
    _Atomic int came;
    _Atomic int wrong;
    int rounds;
    double timeout;
};

static struct world *new_world(unsigned parties, const kin_barrier_options *options)
{
    struct world *w = kin_alloc(sizeof *w);
    CHECK_NOT_NULL(w);
    for (int i = 0; i < 8; i++) {
        w->code[i] = 99;
    }
    w->timeout = KIN_FOREVER;
    CHECK_OK(kin_barrier_new(&w->b, parties, options));
    return w;
}

static void end_world(struct world *w)
{
    kin_barrier_free(w->b);
    kin_free(w);
}

static int wait_once(void *ctx)
{
    struct world *w = ctx;
    int me = w->children++;
    w->code[me] = kin_barrier_wait(w->b, w->timeout);
    return 0;
}

static pid_t start_waiter(struct world *w)
{
    pid_t pid = test_child(wait_once, w);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

/* ---- rounds ----------------------------------------------------------------------------- */

TEST(all_go_on_when_all_have_come_each_with_a_number)
{
    struct world *w = new_world(4, NULL);
    CHECK_EQ(kin_barrier_parties(w->b), 4);
    CHECK_EQ(kin_barrier_n_waiting(w->b), 0);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = start_waiter(w);
        CHECK_EQ(kin_barrier_n_waiting(w->b), i + 1);
        CHECK_EQ(w->code[i], 99);
    }
    unsigned numbers = 1u << kin_barrier_wait(w->b, KIN_FOREVER);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
        numbers |= 1u << w->code[i];
    }
    CHECK_EQ(numbers, 15);
    CHECK_EQ(kin_barrier_n_waiting(w->b), 0);
    CHECK(!kin_barrier_broken(w->b));
    end_world(w);
}

TEST(one_party_never_waits)
{
    struct world *w = new_world(1, NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(kin_barrier_wait(w->b, 0), 0);
    }
    end_world(w);
}

static int go_round(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < w->rounds; i++) {
        w->came++;
        int rv = kin_barrier_wait(w->b, KIN_FOREVER);
        if (rv < 0) {
            return 1;
        }
        w->wrong += w->came < 4 * (i + 1); /* somebody has not come yet */
    }
    return 0;
}

TEST_WITHIN(120, rounds_follow_one_another_while_some_are_leaving)
{
    struct world *w = new_world(4, NULL);
    w->rounds = 2000;
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = test_child(go_round, w);
    }
    CHECK_EQ(go_round(w), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(w->wrong, 0);
    CHECK_EQ(w->came, 4 * w->rounds);
    end_world(w);
}

/* More processes than parties: any two of them make a round. */
static int go_round_until_it_breaks(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        int rv = kin_barrier_wait(w->b, KIN_FOREVER);
        if (rv != 0 && rv != 1) {
            return rv == KIN_EBROKEN;
        }
        w->came += rv == 0;
        w->acted += rv == 1;
    }
}

TEST_WITHIN(120, more_processes_than_parties_make_rounds_as_they_come)
{
    struct world *w = new_world(2, NULL);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = test_child(go_round_until_it_breaks, w);
    }
    WAIT_UNTIL(w->came > 2000);
    CHECK_OK(kin_barrier_abort(w->b));
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(test_join(pids[i]), 1);
    }
    CHECK_EQ(w->came, w->acted); /* who went through knows it, also when it broke after */
    end_world(w);
}

TEST(a_late_one_finds_that_his_round_was_completed)
{
    struct world *w = new_world(2, NULL);
    pid_t late = start_waiter(w);
    kill(late, SIGSTOP);
    CHECK_OK(kin_barrier_wait(w->b, KIN_FOREVER));
    for (int i = 0; i < 3; i++) { /* while he has not left yet, the next rounds use his cell */
        pid_t other = start_waiter(w);
        CHECK_OK(kin_barrier_wait(w->b, KIN_FOREVER));
        CHECK_EQ(test_join(other), 0);
    }
    CHECK_OK(kin_barrier_abort(w->b));
    kill(late, SIGCONT);
    CHECK_EQ(test_join(late), 0);
    CHECK(w->code[0] == 0 || w->code[0] == 1);
    end_world(w);
}

/* ---- the action ------------------------------------------------------------------------- */

static void count_action(void *ctx)
{
    struct world *w = *(struct world **)ctx;
    w->acted++;
    w->wrong += w->acted * 4 != w->came;
}

TEST_WITHIN(120, one_party_acts_before_any_goes_on)
{
    struct world **at = kin_alloc(sizeof *at);
    struct world *w = new_world(4, KIN_OPT(kin_barrier_options, .action = count_action, .ctx = at));
    *at = w;
    w->rounds = 500;
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = test_child(go_round, w);
    }
    CHECK_EQ(go_round(w), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(w->acted, w->rounds);
    CHECK_EQ(w->wrong, 0);
    end_world(w);
    kin_free(at);
}

static void end_in_action(void *ctx)
{
    (void)ctx;
    _exit(5);
}

TEST(who_dies_in_the_action_breaks_it)
{
    struct world *w = new_world(2, KIN_OPT(kin_barrier_options, .action = end_in_action));
    pid_t waiter = start_waiter(w);
    CHECK_EQ(test_join(test_child(wait_once, w)), 5);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[0], KIN_EBROKEN);
    CHECK(kin_barrier_broken(w->b));
    end_world(w);
}

static void abort_it(void *ctx)
{
    struct world *w = *(struct world **)ctx;
    CHECK_OK(kin_barrier_abort(w->b));
}

TEST(an_action_may_break_it)
{
    struct world **at = kin_alloc(sizeof *at);
    struct world *w = new_world(2, KIN_OPT(kin_barrier_options, .action = abort_it, .ctx = at));
    *at = w;
    pid_t waiter = start_waiter(w);
    CHECK_ERROR(kin_barrier_wait(w->b, KIN_FOREVER), KIN_EBROKEN);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[0], KIN_EBROKEN);
    end_world(w);
    kin_free(at);
}

/* ---- breaking --------------------------------------------------------------------------- */

TEST(a_timeout_breaks_it)
{
    struct world *w = new_world(3, NULL);
    pid_t waiter = start_waiter(w);
    double begin = kin_now();
    CHECK_ERROR(kin_barrier_wait(w->b, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[0], KIN_EBROKEN);
    CHECK(kin_barrier_broken(w->b));
    CHECK_EQ(kin_barrier_n_waiting(w->b), 0);
    CHECK_ERROR(kin_barrier_wait(w->b, KIN_FOREVER), KIN_EBROKEN);
    end_world(w);
}

TEST(a_timeout_of_zero_is_fine_for_the_last_and_breaks_it_for_others)
{
    struct world *w = new_world(2, NULL);
    pid_t waiter = start_waiter(w);
    CHECK_GE(kin_barrier_wait(w->b, 0), 0);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_GE(w->code[0], 0);
    CHECK_ERROR(kin_barrier_wait(w->b, -1), KIN_ETIMEDOUT);
    CHECK(kin_barrier_broken(w->b));
    end_world(w);
}

static void act_until_stage_one(void *ctx)
{
    struct world *w = *(struct world **)ctx;
    w->acted = 1;
    WAIT_UNTIL(w->came == 1);
}

TEST(whose_time_is_over_before_he_has_a_place_breaks_nothing)
{
    struct world **at = kin_alloc(sizeof *at);
    struct world *w =
        new_world(2, KIN_OPT(kin_barrier_options, .action = act_until_stage_one, .ctx = at));
    *at = w;
    pid_t first = start_waiter(w);
    pid_t second = test_child(wait_once, w);
    WAIT_UNTIL(w->acted == 1);
    CHECK_ERROR(kin_barrier_wait(w->b, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_barrier_wait(w->b, 0.001), KIN_ETIMEDOUT);
    CHECK(!kin_barrier_broken(w->b));
    w->came = 1;
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(test_join(second), 0);
    CHECK_EQ(w->code[0] + w->code[1], 1);
    end_world(w);
    kin_free(at);
}

TEST(the_options_timeout_is_for_those_who_wait_without_one)
{
    struct world *w = new_world(2, KIN_OPT(kin_barrier_options, .timeout = 0.02));
    CHECK_ERROR(kin_barrier_wait(w->b, KIN_FOREVER), KIN_ETIMEDOUT);
    CHECK_OK(kin_barrier_reset(w->b));
    double begin = kin_now();
    CHECK_ERROR(kin_barrier_wait(w->b, 0.1), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.1);
    end_world(w);
}

TEST(abort_breaks_it_for_who_waits_and_who_comes)
{
    struct world *w = new_world(2, NULL);
    pid_t waiter = start_waiter(w);
    CHECK_OK(kin_barrier_abort(w->b));
    CHECK_OK(kin_barrier_abort(w->b));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[0], KIN_EBROKEN);
    CHECK_ERROR(kin_barrier_wait(w->b, KIN_FOREVER), KIN_EBROKEN);
    CHECK(kin_barrier_broken(w->b));
    end_world(w);
}

static void makes_a_round(struct world *w)
{
    w->children = 4;
    pid_t waiter = start_waiter(w);
    CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_GE(w->code[4], 0);
}

TEST(reset_makes_it_whole_again)
{
    struct world *w = new_world(2, NULL);
    CHECK_OK(kin_barrier_reset(w->b));
    makes_a_round(w);
    CHECK_OK(kin_barrier_abort(w->b));
    CHECK_OK(kin_barrier_reset(w->b));
    CHECK(!kin_barrier_broken(w->b));
    makes_a_round(w);
    end_world(w);
}

TEST(reset_tells_those_who_wait_that_it_is_broken)
{
    struct world *w = new_world(2, NULL);
    pid_t waiter = start_waiter(w);
    CHECK_OK(kin_barrier_reset(w->b));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[0], KIN_EBROKEN);
    CHECK(!kin_barrier_broken(w->b));
    CHECK_EQ(kin_barrier_n_waiting(w->b), 0);
    makes_a_round(w);
    end_world(w);
}

/* He was there when it was reset, and again when it was broken and reset, and looks only now. */
TEST(a_late_one_finds_that_his_round_was_broken)
{
    struct world *w = new_world(3, NULL);
    pid_t late = start_waiter(w);
    kill(late, SIGSTOP);
    CHECK_OK(kin_barrier_abort(w->b));
    CHECK_OK(kin_barrier_reset(w->b));
    pid_t others[2];
    for (int i = 0; i < 2; i++) {
        others[i] = start_waiter(w);
    }
    CHECK_EQ(kin_barrier_n_waiting(w->b), 2);
    CHECK_OK(kin_barrier_reset(w->b));
    CHECK_OK(kin_barrier_reset(w->b));
    kill(late, SIGCONT);
    CHECK_EQ(test_join(late), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(test_join(others[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(w->code[i], KIN_EBROKEN);
    }
    end_world(w);
}

/* His cell is not free for others before he has seen what became of his round. */
TEST(who_was_told_of_a_reset_keeps_his_place_until_he_has_looked)
{
    struct world *w = new_world(2, NULL);
    pid_t late = start_waiter(w);
    kill(late, SIGSTOP);
    CHECK_OK(kin_barrier_reset(w->b));
    pid_t next = start_waiter(w);
    pid_t last = start_waiter(w);
    CHECK_EQ(kin_barrier_n_waiting(w->b), 1);
    kill(late, SIGCONT);
    CHECK_EQ(test_join(late), 0);
    CHECK_EQ(test_join(next), 0);
    CHECK_EQ(test_join(last), 0);
    CHECK_EQ(w->code[0], KIN_EBROKEN);
    CHECK_EQ(w->code[1] + w->code[2], 1);
    end_world(w);
}

static int reset_for_ever(void *ctx)
{
    struct world *w = ctx;
    while (w->acted == 0) {
        if (kin_barrier_reset(w->b) < 0 || kin_barrier_wait(w->b, 0.0001) == KIN_EFREED) {
            return 1;
        }
    }
    return 0;
}

static int come_for_ever(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < w->rounds; i++) {
        int rv = kin_barrier_wait(w->b, KIN_FOREVER);
        if (rv != KIN_EBROKEN && rv != 0 && rv != 1) {
            return 1;
        }
    }
    return 0;
}

TEST_WITHIN(120, rounds_resets_and_timeouts_at_once_hang_nobody)
{
    struct world *w = new_world(2, NULL);
    w->rounds = 3000;
    pid_t resetter = test_child(reset_for_ever, w);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = test_child(come_for_ever, w);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    w->acted = 1;
    CHECK_EQ(test_join(resetter), 0);
    CHECK_OK(kin_barrier_reset(w->b));
    makes_a_round(w);
    end_world(w);
}

/* ---- death ------------------------------------------------------------------------------ */

TEST(a_party_that_dies_while_it_waits_breaks_it)
{
    struct world *w = new_world(3, NULL);
    pid_t doomed = start_waiter(w);
    pid_t waiter = start_waiter(w);
    kill_child(doomed);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[1], KIN_EBROKEN);
    CHECK(kin_barrier_broken(w->b));
    CHECK_OK(kin_barrier_reset(w->b));
    w->children = 4;
    pid_t a = start_waiter(w);
    pid_t b = start_waiter(w);
    CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
    CHECK_EQ(test_join(a), 0);
    CHECK_EQ(test_join(b), 0);
    end_world(w);
}

TEST(a_party_that_died_alone_is_found_by_the_next_who_asks)
{
    struct world *w = new_world(2, NULL);
    kill_child(start_waiter(w));
    CHECK_EQ(kin_barrier_n_waiting(w->b), 0);
    CHECK(kin_barrier_broken(w->b));
    CHECK_OK(kin_barrier_reset(w->b));
    kill_child(start_waiter(w));
    CHECK_ERROR(kin_barrier_wait(w->b, KIN_FOREVER), KIN_EBROKEN);
    end_world(w);
}

TEST(who_dies_after_his_round_breaks_nothing)
{
    struct world *w = new_world(2, NULL);
    pid_t late = start_waiter(w);
    kill(late, SIGSTOP);
    CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
    kill_child(late);
    CHECK(!kin_barrier_broken(w->b));
    makes_a_round(w);
    end_world(w);
}

/* ---- threads ---------------------------------------------------------------------------- */

static void *wait_in_thread(void *ctx)
{
    (void)wait_once(ctx);
    return NULL;
}

TEST(threads_are_parties_of_their_own)
{
    struct world *w = new_world(3, NULL);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_in_thread, w), 0);
    }
    int number = kin_barrier_wait(w->b, KIN_FOREVER);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(number + w->code[0] + w->code[1], 3);
    end_world(w);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

TEST(who_waits_when_it_is_freed_is_told)
{
    struct world *w = new_world(3, NULL);
    uint64_t blocks = count_blocks();
    pid_t a = start_waiter(w);
    pid_t b = start_waiter(w);
    kin_barrier_free(w->b);
    CHECK_EQ(test_join(a), 0);
    CHECK_EQ(test_join(b), 0);
    CHECK_EQ(w->code[0], KIN_ECLOSED);
    CHECK_EQ(w->code[1], KIN_ECLOSED);
    CHECK_EQ(count_blocks(), blocks - 1);
    CHECK_ERROR(kin_barrier_wait(w->b, 0), KIN_EFREED);
    CHECK_ERROR(kin_barrier_abort(w->b), KIN_EFREED);
    CHECK_ERROR(kin_barrier_reset(w->b), KIN_EFREED);
    CHECK_ERROR(kin_barrier_parties(w->b), KIN_EFREED);
    CHECK_ERROR(kin_barrier_n_waiting(w->b), KIN_EFREED);
    CHECK(!kin_barrier_broken(w->b));
    kin_free(w);
}

struct race {
    kin_barrier start;
    int runners;
};

TEST(one_may_lie_in_a_struct)
{
    struct race *race = kin_alloc(sizeof *race);
    struct world *w = kin_alloc(sizeof *w);
    w->timeout = KIN_FOREVER;
    w->b = &race->start;
    uint64_t blocks = count_blocks();
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_barrier_init(&race->start, 2, NULL));
        makes_a_round(w);
        kin_barrier_done(&race->start);
        CHECK_ERROR(kin_barrier_wait(&race->start, 0), KIN_EFREED);
        CHECK_EQ(count_blocks(), blocks);
    }
    CHECK_EQ(race->runners, 0);
    kin_free(race);
    kin_free(w);
}

TEST(what_is_wrong_is_said_and_changes_nothing)
{
    kin_barrier *b = NULL;
    int local = 0;
    CHECK_ERROR(kin_barrier_new(NULL, 1, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_new(&b, 0, NULL), KIN_ERANGE);
    CHECK_ERROR(kin_barrier_new(&b, 65536, NULL), KIN_ERANGE);
    CHECK_ERROR(kin_barrier_new(&b, 1, KIN_OPT(kin_barrier_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK_ERROR(kin_barrier_new(&b, 1, KIN_OPT(kin_barrier_options, .timeout = NAN)), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_new(&b, 1, KIN_OPT(kin_barrier_options, .timeout = -1)), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_new(&b, 1, KIN_OPT(kin_barrier_options, .ctx = &local)), KIN_EINVAL);
    union {
        int *data;
        void (*code)(void *);
    } wild = { .data = &local };
    CHECK_ERROR(kin_barrier_new(&b, 1, KIN_OPT(kin_barrier_options, .action = wild.code)),
                KIN_ENOTFOUND);
    CHECK_NULL(b);
    CHECK_ERROR(kin_barrier_init((kin_barrier *)(void *)&local, 1, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_wait(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_abort(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_reset(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_barrier_parties(NULL), KIN_EINVAL);
    CHECK(!kin_barrier_broken(NULL));
    CHECK_OK(kin_barrier_new(&b, 65535, NULL));
    CHECK_EQ(kin_barrier_parties(b), 65535);
    CHECK_ERROR(kin_barrier_wait(b, NAN), KIN_EINVAL);
    CHECK_EQ(kin_barrier_n_waiting(b), 0);
    CHECK(!kin_barrier_broken(b));
    kin_barrier_free(b);
    kin_barrier_free(NULL);
    kin_barrier_done(NULL);
}

/* ---- every start method ----------------------------------------------------------------- */

static kin_obj take_part(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    kin_barrier *b = kin_as(kin_barrier, kin_arg(args, 1));
    SEE(b != NULL && b == w->b);
    for (int i = 0; i < 50; i++) {
        w->came++;
        int rv = kin_barrier_wait(b, KIN_FOREVER);
        SEE(rv == 0 || rv == 1);
    }
    return kin_none();
}

static void act_in_any_image(void *ctx)
{
    struct world *w = *(struct world **)ctx;
    w->acted++;
}

EACH_METHOD(a_child_takes_part_and_acts_when_it_is_the_last)
{
    struct world **at = kin_alloc(sizeof *at);
    struct world *w =
        new_world(2, KIN_OPT(kin_barrier_options, .action = act_in_any_image, .ctx = at));
    *at = w;
    kin_process *child = start_by(method, take_part, kin_args(kin_shared(w), kin_shared(w->b)));
    for (int i = 0; i < 50; i++) {
        CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
    }
    CHECK_EQ(end(child), 0);
    CHECK_EQ(w->acted, 50);
    end_world(w);
    kin_free(at);
}
