/* Guests: somebody of the family who is no process, and for whom a thread acts. */
#include "domain/map.h"
#include "harness.h"

#include <kin/queue.h>
#include <kin/sync.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

TEST(a_guest_lives_until_his_host_says_so)
{
    kin__id guest = kin__guest_join("ann");
    kin__who who;
    CHECK_NE(guest, KIN__NOBODY);
    CHECK_NE(guest, kin__self());
    CHECK(kin__alive(guest));
    CHECK_EQ(kin__pid_of(guest), getpid());
    CHECK(kin__who_is(guest, &who));
    CHECK_STR(who.name, "ann");
    kin__guest_end(guest);
    CHECK(!kin__alive(guest));
    kin__guest_end(guest); /* nobody, or another one: nothing happens */
    kin__guest_end(kin__self());
    CHECK(kin__alive(kin__self()));
}

TEST(a_guest_is_no_process)
{
    unsigned before = kin__self() != KIN__NOBODY ? kin__count_alive() : 0;
    kin__id guest = kin__guest_join("ann");
    CHECK_EQ(kin__count_alive(), before);
    CHECK_EQ(kin__id_of(getpid()), kin__self());
    kin__guest_end(guest);
}

TEST(slots_of_guests_are_used_again)
{
    kin__id first = kin__guest_join("1");
    kin__guest_end(first);
    for (int i = 0; i < 3000; i++) { /* more than there are slots */
        kin__id guest = kin__guest_join("another");
        CHECK_NE(guest, first);
        CHECK(kin__alive(guest));
        kin__guest_end(guest);
    }
    CHECK(!kin__alive(first));
}

TEST(a_lock_that_a_guest_held_goes_to_the_next_when_he_ends)
{
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    kin__id ann = kin__guest_join("ann"), bob = kin__guest_join("bob");
    kin__act_as(ann);
    CHECK_EQ(kin_lock_acquire(lock, 0), 0);
    kin__act_as(bob);
    CHECK_ERROR(kin_lock_acquire(lock, 0), KIN_ETIMEDOUT);
    kin__guest_end(ann);
    CHECK_EQ(kin_lock_acquire(lock, KIN_FOREVER), KIN_OWNER_DIED);
    CHECK_OK(kin_lock_release(lock));
    kin__act_as(KIN__NOBODY);
    kin__guest_end(bob);
    kin_lock_free(lock);
}

struct release {
    kin_rlock *lock;
    kin__id as;
    int rv;
};

static void *release_as(void *ctx)
{
    struct release *r = ctx;
    kin__act_as(r->as);
    r->rv = kin_rlock_release(r->lock);
    return NULL;
}

TEST(an_rlock_of_a_guest_is_his_in_every_thread_that_acts_as_him)
{
    kin_rlock *lock = NULL;
    pthread_t thread;
    CHECK_OK(kin_rlock_new(&lock, NULL));
    kin__id ann = kin__guest_join("ann"), bob = kin__guest_join("bob");
    kin__act_as(ann);
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0);
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0);
    kin__act_as(bob);
    CHECK_ERROR(kin_rlock_release(lock), KIN_ESTATE);
    struct release r = { .lock = lock, .as = ann };
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&thread, NULL, release_as, &r), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(r.rv, 0);
    }
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0); /* bob's */
    kin__act_as(KIN__NOBODY);
    CHECK_ERROR(kin_rlock_acquire(lock, 0), KIN_ETIMEDOUT);
    kin__guest_end(ann);
    kin__guest_end(bob);
    CHECK_EQ(kin_rlock_acquire(lock, KIN_FOREVER), KIN_OWNER_DIED);
    kin_rlock_free(lock);
}

TEST(blocks_that_are_made_for_a_guest_outlive_him)
{
    kin_queue *queue = NULL;
    kin_obj o;
    char text[300];
    memset(text, 'x', sizeof text);
    CHECK_OK(kin_queue_new(&queue, NULL));
    kin__id ann = kin__guest_join("ann");
    kin__act_as(ann);
    char *own = kin__block_new(100, KIN__RAW); /* not given to the family yet */
    CHECK_OK(kin_queue_put(queue, kin_bytes(text, sizeof text), 0));
    kin__act_as(KIN__NOBODY);
    kin__guest_end(ann);
    CHECK(!kin__alive(ann));
    CHECK_EQ(kin__block_free(own), 0);
    CHECK_OK(kin_queue_get(queue, &o, 0));
    CHECK_EQ(kin_len(o), sizeof text);
    kin_release(o);
    kin_queue_free(queue);
}

TEST(what_a_guest_had_not_acknowledged_comes_back)
{
    kin_queue *queue = NULL;
    kin_obj o;
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .ack = true)));
    CHECK_OK(kin_queue_put(queue, kin_int(7), 0));
    kin__id ann = kin__guest_join("ann");
    kin__act_as(ann);
    CHECK_OK(kin_queue_get(queue, &o, 0));
    kin__act_as(KIN__NOBODY);
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EEMPTY);
    kin__guest_end(ann);
    CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 7);
    CHECK_OK(kin_queue_ack(queue));
    kin_queue_free(queue);
}

struct box {
    kin_lock *lock;
    _Atomic kin__id guest;
    _Atomic int held;
};

static int hold_as_guest(void *ctx)
{
    struct box *box = ctx;
    box->guest = kin__guest_join("ann");
    kin__act_as(box->guest);
    box->held = kin_lock_acquire(box->lock, 0) == 0;
    WAIT_UNTIL(false);
    return 0;
}

TEST(guests_die_with_their_host)
{
    struct box *box = test_shared(sizeof *box);
    CHECK_OK(kin_lock_new(&box->lock, NULL));
    pid_t pid = test_child(hold_as_guest, box);
    WAIT_UNTIL(box->held);
    CHECK(kin__alive(box->guest));
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(kin_lock_acquire(box->lock, KIN_FOREVER), KIN_OWNER_DIED);
    CHECK(!kin__alive(box->guest));
    CHECK_EQ(test_join(pid), -SIGKILL);
    kin_lock_free(box->lock);
}

TEST(a_child_that_is_forked_by_who_acts_as_a_guest_is_itself)
{
    kin__id ann = kin__guest_join("ann");
    kin__act_as(ann);
    CHECK_EQ(kin__actor(), ann);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(kin__actor() == kin__self() && kin__actor() != ann ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
    kin__act_as(KIN__NOBODY);
    kin__guest_end(ann);
}

static void come_and_go(void *ctx)
{
    kin__id guest = kin__guest_join("ann");
    (void)ctx;
    kin__act_as(guest);
    kin__act_as(KIN__NOBODY);
    kin__guest_end(guest);
}

static void is_swept(void *ctx, const char *step)
{
    (void)ctx;
    (void)step;
    CHECK_EQ(kin__count_alive(), 1);
    for (uint32_t i = 1; i <= atomic_load(&base()->top_slot); i++) {
        enum slot_phase phase = SLOT_PHASE(atomic_load(&base()->slots[i].state));
        kin__id id = ID_OF(i, SLOT_GENERATION(atomic_load(&base()->slots[i].state)));
        CHECK(phase == SLOT_FREE || phase == SLOT_JOINING || id == kin__self() || !kin__alive(id));
    }
}

TEST(a_host_may_die_at_any_step_of_a_guests_coming_and_going)
{
    kin__self();
    CHECK_GT(kill_loop("table.", NULL, .victim = come_and_go, .check = is_swept), 4);
}
