#include "box.h"

#include <pthread.h>
#include <signal.h>

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

TEST(as_many_blocks_as_there_is_room_for_are_given_and_freed)
{
    kin__self();
    struct box *box = new_box();
    uint64_t before = blocks_in_use();
    uint64_t words[KIN__CHANGE_BLOCKS];
    kin__change *c = &box->change;
    CHECK_OK(kin__change_begin(c, KIN__SHARED_LIST, what));
    for (int i = 0; i < KIN__CHANGE_BLOCKS; i++) {
        words[i] = text(i);
        kin__change_new(c, words[i]);
    }
    kin__change_write(c, &box->b, 1);
    CHECK_OK(kin__change_commit(c));
    CHECK_EQ(box->b, 1);
    CHECK_EQ(blocks_in_use(), before + KIN__CHANGE_BLOCKS);
    for (int i = 0; i < KIN__CHANGE_BLOCKS; i++) {
        CHECK(kin__block_is_shared(words[i]));
        kin__change_dead(c, words[i]);
    }
    CHECK_OK(kin__change_commit(c));
    kin__change_end(c);
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
