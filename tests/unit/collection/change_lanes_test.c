/* The lanes of change.c: R7 and R8 there. */
#include "box.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

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

/* At the step between the lane and the second look at the lock: R7 and R8. */
static struct box *looked_at;
static void (*meanwhile)(void);

static void come_between(const char *step)
{
    if (strcmp(step, "change.lane") == 0) {
        kin__step_hook(NULL);
        meanwhile();
    }
}

static kin__mutex *enter_lane_while(struct box *box, void (*happens)(void))
{
    looked_at = box;
    meanwhile = happens;
    kin__step_hook(come_between);
    kin__mutex *lane = kin__change_enter_lane(&box->change);
    kin__step_hook(NULL);
    return lane;
}

static void take_the_lock(void)
{
    uint64_t another = kin__mutex_word(kin__self(), kin__this_thread() + 1);
    CHECK(kin__mutex_take_free(&looked_at->change.lock, another));
}

TEST(who_finds_the_lock_taken_once_he_has_a_lane_leaves_that)
{
    kin__self();
    struct box *box = new_box();
    CHECK_NULL(enter_lane_while(box, take_the_lock));
    atomic_store(&box->change.lock.word, 0);
    check_that_all_lanes_are_free(box);
    free_box(box);
}

static void make_it_anew(void)
{
    kin__change_init(&looked_at->change, KIN__SHARED_LIST);
}

TEST(a_lane_of_a_collection_that_was_freed_is_none_of_the_next_one_there)
{
    kin__self();
    struct box *box = new_box();
    CHECK_NULL(enter_lane_while(box, make_it_anew));
    check_that_all_lanes_are_free(box);
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

static int turn_as_a_child(void *box)
{
    return turn(box, 5);
}

TEST(who_dies_with_the_lock_while_he_waits_for_a_lane_holds_nobody_up)
{
    kin__self();
    struct box *box = new_box();
    kin__mutex *lane = kin__change_enter_lane(&box->change);
    CHECK_NOT_NULL(lane);
    pid_t child = test_child(turn_as_a_child, box);
    WAIT_UNTIL(atomic_load(&lane->word) & KIN__MUTEX_SLEEPERS);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(test_join(child), -SIGKILL);
    CHECK_NULL(kin__change_enter_lane(&box->change)); /* the lock is the dead one's */
    kin__change_leave_lane(lane);
    CHECK_EQ(box->b, 0);
    CHECK_OK(turn(box, 1));
    check_box(box, 1);
    check_that_all_lanes_are_free(box);
    free_box(box);
}
