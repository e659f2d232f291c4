#include "contract/start.h"
#include "domain/room.h"
#include "sync/room.h"

#include <signal.h>
#include <unistd.h>

/* What the test and its children share. */
struct world {
    kin_semaphore *s;
    _Atomic int stage;
    _Atomic int code;
    _Atomic int got;
};

static const kin_semaphore_options bounded = { .bounded = true };
static const kin_semaphore_options owned = { .owned = true };

static struct world *new_world(unsigned value, const kin_semaphore_options *options)
{
    struct world *w = test_shared(sizeof *w);
    w->code = 99;
    CHECK_OK(kin_semaphore_new(&w->s, value, options));
    return w;
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static int acquire_it(void *ctx)
{
    struct world *w = ctx;
    int rv = kin_semaphore_acquire(w->s, KIN_FOREVER);
    w->code = rv;
    w->got += rv >= 0;
    return 0;
}

/* A child that sleeps for one. */
static pid_t start_waiter(struct world *w)
{
    pid_t pid = test_child(acquire_it, w);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

static int hold_for_ever(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_semaphore_acquire(w->s, KIN_FOREVER);
    w->stage = 1;
    while (pause() < 0) {
    }
    return 0;
}

static pid_t start_holder(struct world *w)
{
    w->stage = 0;
    pid_t pid = test_child(hold_for_ever, w);
    WAIT_UNTIL(w->stage == 1);
    return pid;
}

static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

/* ---- numbers ---------------------------------------------------------------------------- */

static void is_counted_down_and_up(const kin_semaphore_options *options)
{
    kin_auto(kin_semaphore) s = NULL;
    CHECK_OK(kin_semaphore_new(&s, 2, options));
    CHECK_EQ(kin_semaphore_value(s), 2);
    CHECK(!kin_semaphore_locked(s));
    CHECK_EQ(kin_semaphore_acquire(s, 0), 0);
    CHECK_EQ(kin_semaphore_value(s), 1);
    CHECK_EQ(kin_semaphore_acquire(s, KIN_FOREVER), 0);
    CHECK_EQ(kin_semaphore_value(s), 0);
    CHECK(kin_semaphore_locked(s));
    CHECK_ERROR(kin_semaphore_acquire(s, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_semaphore_acquire(s, -1), KIN_ETIMEDOUT);
    double begin = kin_now();
    CHECK_ERROR(kin_semaphore_acquire(s, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    CHECK_EQ(kin_semaphore_release(s), 0);
    CHECK_EQ(kin_semaphore_release(s), 0);
    CHECK_EQ(kin_semaphore_value(s), 2);
}

TEST(a_semaphore_counts_down_and_up)
{
    is_counted_down_and_up(NULL);
    is_counted_down_and_up(&bounded);
    is_counted_down_and_up(&owned);
}

TEST(a_plain_one_grows_as_far_as_a_number_goes)
{
    kin_auto(kin_semaphore) s = NULL;
    CHECK_OK(kin_semaphore_new(&s, 0, NULL));
    for (int i = 1; i <= 5; i++) {
        CHECK_EQ(kin_semaphore_release(s), 0);
        CHECK_EQ(kin_semaphore_value(s), i);
    }
    kin_auto(kin_semaphore) greatest = NULL;
    CHECK_OK(kin_semaphore_new(&greatest, KIN_SEMAPHORE_MOST, NULL));
    CHECK_EQ(kin_semaphore_value(greatest), KIN_SEMAPHORE_MOST);
    CHECK_ERROR(kin_semaphore_release(greatest), KIN_ESTATE);
    CHECK_OK(kin_semaphore_acquire(greatest, 0));
    CHECK_OK(kin_semaphore_release(greatest));
    CHECK_ERROR(kin_semaphore_new(&s, KIN_SEMAPHORE_MOST + 1, NULL), KIN_ERANGE);
}

TEST(a_bounded_one_does_not_grow_above_its_first_value)
{
    kin_auto(kin_semaphore) s = NULL;
    CHECK_OK(kin_semaphore_new(&s, 1, &bounded));
    CHECK_ERROR(kin_semaphore_release(s), KIN_ESTATE);
    CHECK_OK(kin_semaphore_acquire(s, 0));
    CHECK_OK(kin_semaphore_release(s));
    CHECK_ERROR(kin_semaphore_release(s), KIN_ESTATE);
    CHECK_EQ(kin_semaphore_value(s), 1);
    kin_auto(kin_semaphore) none = NULL;
    CHECK_OK(kin_semaphore_new(&none, 0, &bounded));
    CHECK_ERROR(kin_semaphore_release(none), KIN_ESTATE);
    CHECK_ERROR(kin_semaphore_acquire(none, 0.001), KIN_ETIMEDOUT);
}

/* What may happen when two release at once what only one had: the kernel adds without looking. */
TEST(one_that_is_too_many_is_not_seen)
{
    kin_auto(kin_semaphore) s = NULL;
    CHECK_OK(kin_semaphore_new(&s, 1, &bounded));
    kin__gate *gate = (kin__gate *)(void *)((kin__head *)(void *)s + 1);
    atomic_store(&gate->word, 2u << 1);
    CHECK_EQ(kin_semaphore_value(s), 1);
    CHECK_ERROR(kin_semaphore_release(s), KIN_ESTATE);
    CHECK_EQ(kin_semaphore_acquire(s, 0), 0);
    CHECK_ERROR(kin_semaphore_acquire(s, 0), KIN_ETIMEDOUT);
}

/* ---- sleeping --------------------------------------------------------------------------- */

static void lets_so_many_sleepers_through(const kin_semaphore_options *options)
{
    struct world *w = new_world(2, options);
    CHECK_OK(kin_semaphore_acquire(w->s, 0));
    CHECK_OK(kin_semaphore_acquire(w->s, 0));
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = start_waiter(w);
    }
    CHECK_OK(kin_semaphore_release(w->s));
    WAIT_UNTIL(w->got >= 1);
    CHECK_OK(kin_semaphore_release(w->s));
    WAIT_UNTIL(w->got >= 2);
    if (options == NULL) { /* what those had is gone with them; of an owned one, others get it */
        CHECK_EQ(w->got, 2);
        CHECK_OK(kin_semaphore_release(w->s));
        CHECK_OK(kin_semaphore_release(w->s));
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(w->got, 4);
    kin_semaphore_free(w->s);
}

TEST(each_release_lets_one_sleeper_through)
{
    lets_so_many_sleepers_through(NULL);
    lets_so_many_sleepers_through(&owned);
}

/* How often a process slept, by /proc. */
static long count_sleeps(pid_t pid)
{
    char path[64], line[128];
    long count = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    CHECK_NOT_NULL(f);
    while (fgets(line, sizeof line, f) != NULL) {
        (void)sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    }
    fclose(f);
    return count;
}

TEST(who_waits_for_a_plain_one_does_not_tick)
{
    struct world *w = new_world(0, NULL);
    pid_t pid = start_waiter(w);
    long before = count_sleeps(pid);
    CHECK_GT(before, 0);
    kin_auto(kin_semaphore) other = NULL;
    CHECK_OK(kin_semaphore_new(&other, 0, NULL));
    CHECK_ERROR(kin_semaphore_acquire(other, 0.2), KIN_ETIMEDOUT);
    CHECK_EQ(count_sleeps(pid), before);
    CHECK_OK(kin_semaphore_release(w->s));
    CHECK_EQ(test_join(pid), 0);
    kin_semaphore_free(w->s);
}

static int take_turns(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 1000; i++) {
        if (kin_semaphore_acquire(w->s, KIN_FOREVER) != 0) {
            return 1;
        }
        int seen = w->got;
        w->stage += w->code == 0; /* nobody else may be here */
        w->code = 1;
        w->got = seen + 1;
        w->code = 0;
        if (kin_semaphore_release(w->s) != 0) {
            return 2;
        }
    }
    return 0;
}

static void is_as_good_as_a_lock(const kin_semaphore_options *options)
{
    struct world *w = new_world(1, options);
    pid_t pids[4];
    w->code = 0;
    for (int i = 0; i < 4; i++) {
        pids[i] = test_child(take_turns, w);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(w->got, 4000);
    CHECK_EQ(w->stage, 4000);
    CHECK_EQ(kin_semaphore_value(w->s), 1);
    kin_semaphore_free(w->s);
}

TEST_WITHIN(120, one_of_one_excludes_as_a_lock_does)
{
    is_as_good_as_a_lock(NULL);
    is_as_good_as_a_lock(&bounded);
    is_as_good_as_a_lock(&owned);
}

/* ---- death ------------------------------------------------------------------------------ */

TEST(what_a_dead_process_had_is_gone_from_a_plain_one)
{
    struct world *w = new_world(2, NULL);
    kill_child(start_holder(w));
    CHECK_EQ(kin_semaphore_value(w->s), 1);
    CHECK_EQ(kin_semaphore_acquire(w->s, 0), 0);
    CHECK_ERROR(kin_semaphore_acquire(w->s, 0.12), KIN_ETIMEDOUT);
    kin_semaphore_free(w->s);
}

TEST(what_a_dead_process_had_is_the_next_ones_if_it_is_owned)
{
    struct world *w = new_world(1, &owned);
    pid_t holder = start_holder(w);
    CHECK_EQ(kin_semaphore_value(w->s), 0);
    CHECK_ERROR(kin_semaphore_acquire(w->s, 0), KIN_ETIMEDOUT);
    kill_child(holder);
    CHECK_EQ(kin_semaphore_value(w->s), 1);
    CHECK_EQ(kin_semaphore_acquire(w->s, 0), KIN_OWNER_DIED);
    CHECK_OK(kin_semaphore_release(w->s));
    CHECK_EQ(kin_semaphore_acquire(w->s, 0), 0);
    kin_semaphore_free(w->s);
}

TEST(who_sleeps_for_an_owned_one_learns_of_a_death)
{
    struct world *w = new_world(1, &owned);
    pid_t holder = start_holder(w);
    pid_t waiter = start_waiter(w);
    kill(holder, SIGKILL);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, KIN_OWNER_DIED);
    CHECK_EQ(test_join(holder), -SIGKILL);
    kin_semaphore_free(w->s);
}

static int release_it(void *ctx)
{
    struct world *w = ctx;
    return kin_semaphore_release(w->s) == KIN_ESTATE;
}

TEST(only_who_has_some_releases_an_owned_one)
{
    struct world *w = new_world(2, &owned);
    CHECK_ERROR(kin_semaphore_release(w->s), KIN_ESTATE);
    CHECK_OK(kin_semaphore_acquire(w->s, 0));
    CHECK_EQ(test_join(test_child(release_it, w)), 1);
    CHECK_OK(kin_semaphore_release(w->s));
    CHECK_ERROR(kin_semaphore_release(w->s), KIN_ESTATE);
    CHECK_EQ(kin_semaphore_value(w->s), 2);
    kin_semaphore_free(w->s);
    struct world *plain = new_world(0, NULL);
    CHECK_EQ(test_join(test_child(release_it, plain)), 0);
    CHECK_OK(kin_semaphore_acquire(plain->s, 0));
    kin_semaphore_free(plain->s);
}

enum { MOST = 65535 };

static int take_some(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 1000; i++) {
        if (kin_semaphore_acquire(w->s, 0) != 0) {
            return 1;
        }
    }
    return kin_semaphore_value(w->s) == 5 ? 0 : 2;
}

TEST(an_owned_one_may_be_large_or_empty)
{
    struct world *w = new_world(MOST, &owned);
    for (int i = 0; i < MOST; i++) {
        CHECK_EQ(kin_semaphore_acquire(w->s, 0), 0);
    }
    CHECK(kin_semaphore_locked(w->s));
    CHECK_ERROR(kin_semaphore_acquire(w->s, 0), KIN_ETIMEDOUT);
    for (int i = 0; i < 1005; i++) {
        CHECK_EQ(kin_semaphore_release(w->s), 0);
    }
    CHECK_EQ(test_join(test_child(take_some, w)), 0);
    CHECK_EQ(kin_semaphore_value(w->s), 1005); /* what the dead had among them */
    for (int i = 1005; i < MOST; i++) {
        CHECK_EQ(kin_semaphore_release(w->s), 0);
    }
    CHECK_ERROR(kin_semaphore_release(w->s), KIN_ESTATE);
    CHECK_EQ(kin_semaphore_value(w->s), MOST);
    kin_semaphore_free(w->s);

    kin_semaphore *s;
    CHECK_OK(kin_semaphore_new(&s, 0, &owned));
    CHECK_EQ(kin_semaphore_value(s), 0);
    CHECK_ERROR(kin_semaphore_acquire(s, 0.001), KIN_ETIMEDOUT);
    kin_semaphore_free(s);
    CHECK_ERROR(kin_semaphore_new(&s, MOST + 1, &owned), KIN_ERANGE);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static void tells_who_waits_that_it_was_freed(const kin_semaphore_options *options)
{
    struct world *w = new_world(1, options);
    CHECK_OK(kin_semaphore_acquire(w->s, 0));
    uint64_t blocks = count_blocks();
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = start_waiter(w);
    }
    kin_semaphore_free(w->s);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(w->got, 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    CHECK_EQ(count_blocks(), blocks - 1);
    CHECK_ERROR(kin_semaphore_acquire(w->s, 0), KIN_EFREED);
    CHECK_ERROR(kin_semaphore_release(w->s), KIN_EFREED);
    CHECK_EQ(kin_semaphore_value(w->s), -1);
    CHECK(!kin_semaphore_locked(w->s));
}

TEST(who_waits_when_it_is_freed_is_told)
{
    tells_who_waits_that_it_was_freed(NULL);
    tells_who_waits_that_it_was_freed(&bounded);
    tells_who_waits_that_it_was_freed(&owned);
}

struct pool_of_things {
    int things;
    kin_semaphore free_ones;
    long counter;
};

static void lies_in_a_struct(const kin_semaphore_options *options)
{
    struct pool_of_things *pool = kin_alloc(sizeof *pool);
    struct world *w = test_shared(sizeof *w);
    uint64_t blocks = count_blocks();
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_semaphore_init(&pool->free_ones, 1, options));
        CHECK_OK(kin_semaphore_acquire(&pool->free_ones, 0));
        w->s = &pool->free_ones;
        pid_t pid = start_waiter(w);
        CHECK_OK(kin_semaphore_release(&pool->free_ones));
        CHECK_EQ(test_join(pid), 0);
        CHECK_EQ(w->got, i + 1);
        kin_semaphore_done(&pool->free_ones);
        CHECK_ERROR(kin_semaphore_acquire(&pool->free_ones, 0), KIN_EFREED);
        CHECK_EQ(count_blocks(), blocks);
    }
    CHECK_EQ(pool->counter, 0);
    kin_free(pool);
}

TEST(one_may_lie_in_a_struct)
{
    lies_in_a_struct(NULL);
    lies_in_a_struct(&owned);
}

static void ignore_log(int level, const char *text, void *ctx)
{
    int *lines = ctx;
    CHECK(level >= KIN_LOG_WARNING && text[0]);
    ++*lines;
}

TEST(what_is_wrong_is_said_and_changes_nothing)
{
    kin_semaphore *s = NULL;
    kin_semaphore_options later = { .reserved = { 0, 0, 1 } };
    CHECK_ERROR(kin_semaphore_new(NULL, 1, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_semaphore_new(&s, 1, &later), KIN_EINVAL);
    CHECK_NULL(s);
    CHECK_ERROR(kin_semaphore_init(NULL, 1, NULL), KIN_EINVAL);
    kin_semaphore *local = (kin_semaphore *)&(kin_semaphore){ 0 };
    CHECK_ERROR(kin_semaphore_init(local, 1, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_semaphore_acquire(local, 0), KIN_EINVAL);
    CHECK_ERROR(kin_semaphore_acquire(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_semaphore_release(NULL), KIN_EINVAL);
    CHECK_EQ(kin_semaphore_value(NULL), -1);
    CHECK(!kin_semaphore_locked(NULL));
    CHECK_OK(kin_semaphore_new(&s, 1, NULL));
    CHECK_ERROR(kin_semaphore_acquire(s, NAN), KIN_EINVAL);
    CHECK_EQ(kin_semaphore_value(s), 1);
    CHECK_ERROR(kin_lock_acquire((kin_lock *)(void *)s, 0), KIN_EINVAL);
    CHECK_ERROR(kin_semaphore_acquire((kin_semaphore *)((char *)s + 1), 0), KIN_EINVAL);

    int lines = 0;
    kin_log_set_handler(ignore_log, &lines);
    kin_semaphore_free(NULL);
    kin_semaphore_done(NULL);
    kin_semaphore_done(s); /* is _free's */
    CHECK_EQ(lines, 1);
    CHECK_OK(kin_semaphore_acquire(s, 0));
    kin_semaphore_free(s);
    kin_semaphore_free(s);
    CHECK_EQ(lines, 2);
    kin_log_set_handler(NULL, NULL);
}

/* ---- every start method ----------------------------------------------------------------- */

static kin_obj give_back(kin_obj args)
{
    kin_semaphore *ping = kin_as(kin_semaphore, kin_arg(args, 0));
    kin_queue *later = kin_arg_shared(args, 1);
    kin_obj o;
    SEE(ping != NULL);
    SEE(kin_queue_get(later, &o, KIN_FOREVER) == 0);
    kin_semaphore *pong = kin_as(kin_semaphore, o);
    SEE(pong != NULL);
    for (int i = 0; i < 100; i++) {
        SEE(kin_semaphore_acquire(ping, KIN_FOREVER) == 0);
        SEE(kin_semaphore_release(pong) == 0);
    }
    return kin_none();
}

EACH_METHOD(a_child_gets_one_when_it_starts_and_another_later)
{
    kin_semaphore *ping, *pong;
    kin_queue *later;
    CHECK_OK(kin_semaphore_new(&ping, 0, NULL));
    CHECK_OK(kin_queue_new(&later, NULL));
    kin_process *child = start_by(method, give_back, kin_args(kin_shared(ping), kin_shared(later)));
    CHECK_OK(kin_semaphore_new(&pong, 0, &(kin_semaphore_options){ 0 }));
    CHECK_OK(kin_queue_put(later, kin_shared(pong), KIN_FOREVER));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_semaphore_release(ping));
        CHECK_EQ(kin_semaphore_acquire(pong, KIN_FOREVER), 0);
    }
    CHECK_EQ(end(child), 0);
    kin_semaphore_free(ping);
    kin_semaphore_free(pong);
    kin_queue_free(later);
}

static int hold_one(kin_semaphore *s)
{
    KIN_HOLD(s);
    return kin_semaphore_value(s);
}

TEST(a_block_and_a_scope_give_a_permit_back)
{
    kin_semaphore *s = NULL;
    CHECK_OK(kin_semaphore_new(&s, 2, NULL));
    int rv = -1;
    KIN_WITH(s, &rv) {
        CHECK_EQ(rv, 0);
        CHECK_EQ(hold_one(s), 0);
        CHECK_EQ(kin_semaphore_value(s), 1);
    }
    CHECK_EQ(kin_semaphore_value(s), 2);
    kin_semaphore_free(s);
    KIN_WITH(s) {
        CHECK(false);
    }
    else
    {
        CHECK_CONTAINS(kin_errmsg(), "kin_semaphore_acquire: the semaphore was freed");
    }
}
