#include "collection/room.h"
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static const char what[] = "a test: the list";

/* Something with a lock, and two words to be changed together. */
struct box {
    kin__change change;
    kin__word a, b;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static struct box *new_box(void)
{
    struct box *box = kin__head_new(sizeof *box, KIN__SHARED_LIST);
    CHECK_NOT_NULL(box);
    box->a = 0;
    box->b = 0;
    kin__change_init(&box->change, KIN__SHARED_LIST);
    kin__block_give(box);
    return box;
}

static void empty(kin__change *c)
{
    struct box *box = (struct box *)(void *)c;
    uint64_t a = box->a;
    kin__change_write(c, &box->a, 0);
    kin__change_write(c, &box->b, 0);
    kin__change_dead(c, a);
    CHECK_OK(kin__change_commit(c));
}

static void free_box(struct box *box)
{
    kin__change_free(&box->change, KIN__SHARED_LIST, empty, what);
}

static uint64_t text(int number)
{
    uint64_t word = 0;
    kin_obj o = kin_strf("a text with the number %d in it", number);
    CHECK_OK(kin__value_make(o, &word));
    kin_release(o);
    return word;
}

/* a becomes another text, and b its number. */
static int turn(struct box *box, int number)
{
    kin__change *c = (kin__change *)(void *)box; /* which may be NULL */
    int rv = kin__change_begin(c, KIN__SHARED_LIST, what);
    if (rv == 0) {
        uint64_t word = text(number);
        kin__change_new(c, word);
        kin__change_write(c, &box->a, word);
        kin__change_write(c, &box->b, (uint64_t)number);
        kin__change_dead(c, box->a);
        rv = kin__change_commit(c);
        kin__change_end(c);
    }
    return rv;
}

static void check_box(struct box *box, int number)
{
    kin_obj o;
    CHECK_EQ(box->b, number);
    CHECK_EQ(kin__value_read(box->a, &o), 1);
    kin_obj expected = kin_strf("a text with the number %d in it", number);
    CHECK(kin_equal(o, expected));
    kin_release(o);
    kin_release(expected);
}

TEST(a_change_writes_all_gives_what_is_new_and_frees_what_is_dead)
{
    kin__self();
    uint64_t before = blocks_in_use();
    struct box *box = new_box();
    for (int i = 0; i < 100; i++) {
        CHECK_OK(turn(box, i));
        check_box(box, i);
        CHECK_EQ(blocks_in_use(), before + 2);
    }
    free_box(box);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(what_is_not_committed_is_undone)
{
    kin__self();
    struct box *box = new_box();
    uint64_t before = blocks_in_use();
    kin__change *c = &box->change;
    CHECK_OK(kin__change_begin(c, KIN__SHARED_LIST, what));
    kin__change_new(c, text(1));
    kin__change_write(c, &box->b, 1);
    CHECK_EQ(kin__change_read(c, &box->b), 1);
    CHECK_EQ(kin__change_read(c, &box->a), 0);
    kin__change_end(c);
    CHECK_EQ(box->b, 0);
    CHECK_EQ(blocks_in_use(), before);
    CHECK_OK(turn(box, 3));
    check_box(box, 3);
    free_box(box);
}

TEST(what_has_too_many_parts_is_not_done)
{
    kin__self();
    struct box *box = new_box();
    uint64_t before = blocks_in_use();
    kin__change *c = &box->change;
    CHECK_OK(kin__change_begin(c, KIN__SHARED_LIST, what));
    for (int i = 0; i <= KIN__CHANGE_BLOCKS; i++) {
        kin__change_new(c, text(i));
    }
    kin__change_write(c, &box->b, 1);
    CHECK_ERROR(kin__change_commit(c), KIN_ECORRUPT);
    for (int i = 0; i <= KIN__CHANGE_WRITES; i++) {
        kin__change_write(c, &box->b, 1);
    }
    CHECK_ERROR(kin__change_commit(c), KIN_ECORRUPT);
    kin__change_end(c);
    CHECK_EQ(box->b, 0);
    CHECK_EQ(blocks_in_use(), before);
    free_box(box);
}

TEST(who_has_the_lock_cannot_wait_for_it)
{
    kin__self();
    struct box *box = new_box();
    CHECK_OK(kin__change_begin(&box->change, KIN__SHARED_LIST, what));
    CHECK_ERROR(turn(box, 1), KIN_EDEADLK);
    kin__change_end(&box->change);
    CHECK_OK(turn(box, 1));
    free_box(box);
}

static void *turn_from_a_thread(void *box)
{
    CHECK_OK(turn(box, 7));
    return NULL;
}

TEST(another_thread_waits_for_it)
{
    pthread_t thread;
    kin__self();
    struct box *box = new_box();
    CHECK_OK(kin__change_begin(&box->change, KIN__SHARED_LIST, what));
    CHECK_EQ(pthread_create(&thread, NULL, turn_from_a_thread, box), 0);
    WAIT_UNTIL(atomic_load(&box->change.lock.word) & KIN__MUTEX_SLEEPERS);
    CHECK_EQ(box->b, 0);
    kin__change_end(&box->change);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    check_box(box, 7);
    free_box(box);
}

TEST(what_was_freed_says_so)
{
    kin__self();
    struct box *box = new_box();
    free_box(box);
    CHECK_ERROR(turn(box, 1), KIN_EFREED);
    CHECK_ERROR(turn(NULL, 1), KIN_EINVAL);
}

/* ---- lanes ------------------------------------------------------------------------------- */

static void check_that_all_lanes_are_free(struct box *box)
{
    kin__mutex *lanes[KIN__CHANGE_LANES];
    for (int i = 0; i < KIN__CHANGE_LANES; i++) {
        lanes[i] = kin__change_enter_lane(&box->change);
        CHECK_NOT_NULL(lanes[i]);
    }
    CHECK_NULL(kin__change_enter_lane(&box->change));
    for (int i = 0; i < KIN__CHANGE_LANES; i++) {
        kin__change_leave_lane(lanes[i]);
    }
}

TEST(there_are_lanes_as_long_as_nobody_has_the_lock)
{
    kin__self();
    struct box *box = new_box();
    check_that_all_lanes_are_free(box);
    CHECK_OK(kin__change_begin(&box->change, KIN__SHARED_LIST, what));
    CHECK_NULL(kin__change_enter_lane(&box->change));
    kin__change_end(&box->change);
    check_that_all_lanes_are_free(box);
    free_box(box);
    CHECK_NULL(kin__change_enter_lane(&box->change));
}

TEST(who_takes_the_lock_waits_until_nobody_is_in_a_lane)
{
    pthread_t thread;
    kin__self();
    struct box *box = new_box();
    kin__mutex *lane = kin__change_enter_lane(&box->change);
    CHECK_NOT_NULL(lane);
    CHECK_EQ(pthread_create(&thread, NULL, turn_from_a_thread, box), 0);
    WAIT_UNTIL(atomic_load(&lane->word) & KIN__MUTEX_SLEEPERS);
    CHECK_EQ(box->b, 0);
    CHECK_NULL(kin__change_enter_lane(&box->change)); /* he comes first */
    kin__change_leave_lane(lane);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    check_box(box, 7);
    check_that_all_lanes_are_free(box);
    free_box(box);
}

TEST(who_is_in_a_lane_cannot_wait_for_the_lock)
{
    kin__self();
    struct box *box = new_box();
    kin__mutex *lane = kin__change_enter_lane(&box->change);
    CHECK_ERROR(turn(box, 1), KIN_EDEADLK);
    kin__change_leave_lane(lane);
    check_that_all_lanes_are_free(box);
    CHECK_OK(turn(box, 1));
    free_box(box);
}

static pid_t who_waits;

static void *interrupt_who_waits(void *box)
{
    struct box *b = box;
    kin__mutex *lane = kin__change_enter_lane(&b->change);
    CHECK_NOT_NULL(lane);
    b->b = 1;
    WAIT_UNTIL(atomic_load(&lane->word) & KIN__MUTEX_SLEEPERS && test_is_asleep(who_waits));
    (void)kin_interrupt();
    WAIT_UNTIL(b->b == 2);
    kin__change_leave_lane(lane);
    return NULL;
}

TEST(who_is_interrupted_while_he_waits_for_a_lane_has_no_lock)
{
    pthread_t thread;
    kin__self();
    struct box *box = new_box();
    who_waits = gettid();
    CHECK_EQ(pthread_create(&thread, NULL, interrupt_who_waits, box), 0);
    WAIT_UNTIL(box->b == 1);
    CHECK_ERROR(turn(box, 5), KIN_EINTR);
    CHECK_EQ(atomic_load(&box->change.lock.word), 0);
    box->b = 2;
    CHECK_OK(turn(box, 7));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    check_box(box, 7);
    free_box(box);
}

enum { CROSSINGS = 20000 };

static void *write_in_lanes(void *box)
{
    struct box *b = box;
    for (int written = 0; written < CROSSINGS;) {
        kin__mutex *lane = kin__change_enter_lane(&b->change);
        if (lane != NULL) {
            b->a = b->b + 1; /* who has the lock writes b */
            written++;
            kin__change_leave_lane(lane);
        }
    }
    return NULL;
}

TEST_WITHIN(120, nobody_writes_in_a_lane_while_another_has_the_lock)
{
    pthread_t thread;
    kin__self();
    struct box *box = new_box();
    kin__change *c = &box->change;
    int wrong = 0;
    CHECK_EQ(pthread_create(&thread, NULL, write_in_lanes, box), 0);
    for (int i = 0; i < CROSSINGS; i++) {
        CHECK_OK(kin__change_begin(c, KIN__SHARED_LIST, what));
        uint64_t a = box->a;
        box->b++;
        for (int pauses = 0; pauses < 20; pauses++) {
            kin__os_pause(); /* who came by mistake has time to write */
        }
        wrong += box->a != a;
        kin__change_end(c);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(wrong, 0);
    CHECK_OK(kin__change_begin(c, KIN__SHARED_LIST, what));
    box->a = 0; /* no block */
    kin__change_end(c);
    free_box(box);
}

static int die_in_a_lane(void *box)
{
    (void)kin__change_enter_lane(&((struct box *)box)->change);
    return raise(SIGKILL);
}

TEST(who_dies_in_a_lane_holds_nobody_up)
{
    kin__self();
    struct box *box = new_box();
    CHECK_EQ(test_join(test_child(die_in_a_lane, box)), -SIGKILL);
    kin__mutex *lane = kin__change_enter_lane(&box->change);
    CHECK_NOT_NULL(lane);
    kin__change_leave_lane(lane);
    CHECK_OK(turn(box, 1));
    check_that_all_lanes_are_free(box);
    free_box(box);
}

/* ---- deaths ------------------------------------------------------------------------------ */

struct scene {
    struct box *box;
    uint64_t blocks;
};

static void make_a_scene(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    s->box = new_box();
    CHECK_OK(turn(s->box, 1));
}

static void turn_to_two(void *ctx)
{
    (void)turn(((struct scene *)ctx)->box, 2);
}

/* By the sweep, or the next one's begin. */
static void it_is_old_or_new(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin__change *c = &s->box->change;
    CHECK_OK(kin__change_begin(c, KIN__SHARED_LIST, what));
    kin__change_end(c);
    uint64_t b = s->box->b;
    CHECK(b == 1 || b == 2);
    check_box(s->box, (int)b);
    WAIT_UNTIL(kin__count_alive() == 1);
    CHECK_(blocks_in_use() == s->blocks + 2, "killed at %s: a block is lost", step);
    CHECK_OK(turn(s->box, 3));
    check_box(s->box, 3);
    free_box(s->box);
    CHECK_EQ(blocks_in_use(), s->blocks);
}

TEST_WITHIN(60, who_is_killed_in_a_change_leaves_the_old_or_the_new)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(
        kill_loop(NULL, s, .setup = make_a_scene, .victim = turn_to_two, .check = it_is_old_or_new),
        8);
    free_box(s->box);
}

/* Killed again while the next one puts it right. */
static void turn_after_a_death(void *ctx)
{
    struct scene *s = ctx;
    (void)turn(s->box, 2);
}

static const char *die_at;

static int die_in_a_turn(void *ctx)
{
    struct scene *s = ctx;
    kin__step_arm(1, die_at);
    return turn(s->box, 2);
}

static void let_one_die(void *ctx)
{
    make_a_scene(ctx);
    CHECK_EQ(test_join(test_child(die_in_a_turn, ctx)), -SIGKILL);
}

/* At the steps of a change; those of the sweep, which are hundreds, after one of the deaths. */
TEST_WITHIN(300, who_is_killed_putting_it_right_is_followed_by_another)
{
    static const char *const steps[] = { "change.giving", "change.gave",    "change.given",
                                         "change.doing",  "change.written", "change.freed" };
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        die_at = steps[i];
        CHECK_GT(kill_loop(i == 0 ? NULL : "change.", s, .setup = let_one_die,
                           .victim = turn_after_a_death, .check = it_is_old_or_new),
                 8);
        free_box(s->box);
    }
}

static void free_it(void *ctx)
{
    free_box(((struct scene *)ctx)->box);
}

static void another_frees_it(void *ctx, const char *step)
{
    struct scene *s = ctx;
    WAIT_UNTIL(kin__count_alive() == 1);
    if (blocks_in_use() != s->blocks) {
        free_box(s->box);
    }
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: a block is lost", step);
}

TEST_WITHIN(60, who_is_killed_freeing_is_followed_by_another)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(
        kill_loop(NULL, s, .setup = make_a_scene, .victim = free_it, .check = another_frees_it), 8);
}
