/* Locks and the like, and queues: kin_interrupt ends every wait for them. */
#include "interrupt.h"

/* ---- locks and the like ---------------------------------------------------------------------- */

static kin_lock *lock;
static kin_rlock *rlock;
static kin_semaphore *plain, *owned;
static kin_event *event;
static kin_condition *condition;
static kin_barrier *barrier;
static kin_value *value;
static kin_array *array;
static pthread_t other;
static pthread_barrier_t stage;

/* Holds, in a thread of its own, what is a thread's. */
static void *hold(void *unused)
{
    (void)unused;
    CHECK_OK(kin_rlock_acquire(rlock, KIN_FOREVER));
    CHECK_OK(kin_condition_acquire(condition, KIN_FOREVER));
    CHECK_OK(kin_value_acquire(value, KIN_FOREVER));
    CHECK_OK(kin_array_acquire(array, KIN_FOREVER));
    pthread_barrier_wait(&stage);
    pthread_barrier_wait(&stage);
    CHECK_OK(kin_rlock_release(rlock));
    CHECK_OK(kin_condition_release(condition));
    CHECK_OK(kin_value_release(value));
    CHECK_OK(kin_array_release(array));
    return NULL;
}

static void begin_locks(void)
{
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK_OK(kin_rlock_new(&rlock, NULL));
    CHECK_OK(kin_semaphore_new(&plain, 0, NULL));
    CHECK_OK(kin_semaphore_new(&owned, 1, KIN_OPT(kin_semaphore_options, .owned = true)));
    CHECK_OK(kin_event_new(&event, NULL));
    CHECK_OK(kin_condition_new(&condition, NULL));
    CHECK_OK(kin_value_new(&value, 'i', kin_int(0), NULL));
    CHECK_OK(kin_array_new(&array, 'i', 4, kin_none(), NULL));
    CHECK_OK(kin_lock_acquire(lock, 0));
    CHECK_OK(kin_semaphore_acquire(owned, 0));
    pthread_barrier_init(&stage, NULL, 2);
    CHECK_EQ(pthread_create(&other, NULL, hold, NULL), 0);
    pthread_barrier_wait(&stage);
}

static void let_go(void)
{
    if (other != 0) {
        pthread_barrier_wait(&stage);
        pthread_join(other, NULL);
        other = 0;
    }
}

static void end_locks(void)
{
    let_go();
    kin_lock_free(lock);
    kin_rlock_free(rlock);
    kin_semaphore_free(plain);
    kin_semaphore_free(owned);
    kin_event_free(event);
    kin_condition_free(condition);
    kin_value_free(value);
    kin_array_free(array);
}

static int acquire_lock(void)
{
    return kin_lock_acquire(lock, KIN_FOREVER);
}

static void release_lock(void)
{
    CHECK_OK(kin_lock_release(lock));
}

static int acquire_rlock(void)
{
    int rv = kin_rlock_acquire(rlock, 1000);
    return rv < 0 ? rv : kin_rlock_release(rlock);
}

static int acquire_condition(void)
{
    int rv = kin_condition_acquire(condition, KIN_FOREVER);
    return rv < 0 ? rv : kin_condition_release(condition);
}

static int acquire_value(void)
{
    int rv = kin_value_acquire(value, KIN_FOREVER);
    return rv < 0 ? rv : kin_value_release(value);
}

static int acquire_array(void)
{
    int rv = kin_array_acquire(array, KIN_FOREVER);
    return rv < 0 ? rv : kin_array_release(array);
}

static int acquire_plain(void)
{
    return kin_semaphore_acquire(plain, KIN_FOREVER);
}

static void release_plain(void)
{
    CHECK_OK(kin_semaphore_release(plain));
}

static int acquire_owned(void)
{
    return kin_semaphore_acquire(owned, KIN_FOREVER);
}

static void release_owned(void)
{
    CHECK_OK(kin_semaphore_release(owned));
}

static int wait_event(void)
{
    return kin_event_wait(event, KIN_FOREVER);
}

static void set_event(void)
{
    CHECK_OK(kin_event_set(event));
}

static int wait_for_event(void)
{
    kin_waitable things[] = { kin_event_waitable(event) };
    return kin_wait(things, 1, KIN_FOREVER);
}

static double nap = 1000;

static void make_nap_short(void)
{
    nap = 0;
}

static void no_end(void)
{
    nap = 1000;
}

static int sleep_long(void)
{
    return kin_sleep(nap);
}

static int wait_for_nothing(void)
{
    return kin_wait(NULL, 0, nap);
}

TEST(locks_and_the_like_are_interrupted)
{
    static const struct row rows[] = {
        ROW(acquire_lock, release_lock),   ROW(acquire_rlock, let_go),
        ROW(acquire_condition, let_go),    ROW(acquire_value, let_go),
        ROW(acquire_array, let_go),        ROW(acquire_plain, release_plain),
        ROW(acquire_owned, release_owned), ROW(wait_event, set_event),
        ROW(wait_for_event, set_event),
    };
    INTERRUPT_EACH(rows, begin_locks, end_locks);
}

TEST(sleeps_are_interrupted)
{
    static const struct row rows[] = {
        ROW(sleep_long, make_nap_short),
        ROW(wait_for_nothing, make_nap_short),
    };
    INTERRUPT_EACH(rows, no_end, no_end);
}

/* ---- conditions and barriers ----------------------------------------------------------------- */

static atomic_bool changed;

static bool has_changed(void *unused)
{
    (void)unused;
    return atomic_load(&changed);
}

static int wait_condition(void)
{
    return kin_condition_wait(condition, KIN_FOREVER);
}

static int wait_for_change(void)
{
    return kin_condition_wait_for(condition, has_changed, NULL, KIN_FOREVER);
}

static void *notify(void *unused)
{
    (void)unused;
    CHECK_OK(kin_condition_acquire(condition, KIN_FOREVER));
    atomic_store(&changed, true);
    CHECK_EQ(kin_condition_notify_all(condition), 1);
    CHECK_OK(kin_condition_release(condition));
    return NULL;
}

/* We hold the lock, as after every wait: so the other one gets it when we wait again. */
static void have_it_notified(void)
{
    CHECK_EQ(kin_rlock_depth(rlock), 1);
    CHECK_EQ(pthread_create(&other, NULL, notify, NULL), 0);
}

static void begin_condition(void)
{
    atomic_store(&changed, false);
    CHECK_OK(kin_rlock_new(&rlock, NULL));
    CHECK_OK(kin_condition_new(&condition, KIN_OPT(kin_condition_options, .rlock = rlock)));
    CHECK_OK(kin_condition_acquire(condition, 0));
}

static void end_condition(void)
{
    pthread_join(other, NULL);
    CHECK_EQ(kin_rlock_depth(rlock), 1);
    CHECK_OK(kin_condition_release(condition));
    kin_condition_free(condition);
    kin_rlock_free(rlock);
}

TEST(who_waits_for_a_condition_has_its_lock_again)
{
    static const struct row rows[] = { ROW(wait_condition, have_it_notified),
                                       ROW(wait_for_change, have_it_notified) };
    INTERRUPT_EACH(rows, begin_condition, end_condition);
}

static void *come_to_the_barrier(void *unused)
{
    (void)unused;
    CHECK_OK(kin_barrier_wait(barrier, KIN_FOREVER));
    return NULL;
}

static int wait_barrier(void)
{
    return kin_barrier_wait(barrier, KIN_FOREVER);
}

static void reset_barrier(void)
{
    CHECK(kin_barrier_broken(barrier));
    CHECK_OK(kin_barrier_reset(barrier));
    CHECK_EQ(pthread_create(&other, NULL, come_to_the_barrier, NULL), 0);
}

static void begin_barrier(void)
{
    CHECK_OK(kin_barrier_new(&barrier, 2, NULL));
}

static void end_barrier(void)
{
    pthread_join(other, NULL);
    kin_barrier_free(barrier);
}

TEST(an_interrupted_barrier_is_broken_and_can_be_reset)
{
    static const struct row rows[] = { ROW(wait_barrier, reset_barrier) };
    INTERRUPT_EACH(rows, begin_barrier, end_barrier);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static kin_queue *queue;
static char bytes[256];

static void begin_empty(void)
{
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .joinable = true)));
}

static void begin_full(void)
{
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = 2)));
    CHECK_OK(kin_queue_put_bytes(queue, "one", 3, 0));
    CHECK_OK(kin_queue_put_bytes(queue, "two", 3, 0));
}

static void begin_heavy(void)
{
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxbytes = 400)));
    CHECK_OK(kin_queue_put_bytes(queue, bytes, sizeof bytes, 0));
}

static void end_queue(void)
{
    kin_queue_free(queue);
}

static int get(void)
{
    kin_obj o;
    int rv = kin_queue_get(queue, &o, KIN_FOREVER);
    kin_release(rv < 0 ? kin_none() : o);
    return rv;
}

static int get_many(void)
{
    kin_obj o[2];
    int rv = (int)kin_queue_get_many(queue, o, 2, 1000);
    kin_release(rv < 0 ? kin_none() : o[0]);
    return rv;
}

static int get_bytes(void)
{
    return (int)kin_queue_get_bytes(queue, bytes, sizeof bytes, KIN_FOREVER);
}

static int get_array(void)
{
    return (int)kin_queue_get_array(queue, bytes, 3, 2, KIN_FOREVER);
}

static int peek(void)
{
    kin_message message;
    int rv = kin_queue_peek(queue, &message, KIN_FOREVER);
    return rv < 0 ? rv : kin_queue_consume(queue, &message);
}

static int wait_for_queue(void)
{
    kin_waitable things[] = { kin_queue_waitable(queue) };
    return kin_wait(things, 1, KIN_FOREVER);
}

static void put_three(void)
{
    CHECK_OK(kin_queue_put_bytes(queue, "abc", 3, 0));
}

static int put(void)
{
    return kin_queue_put(queue, kin_int(5), KIN_FOREVER);
}

static int put_large(void)
{
    return kin_queue_put(queue, kin_bytes(bytes, sizeof bytes), KIN_FOREVER);
}

static int put_bytes(void)
{
    return kin_queue_put_bytes(queue, "abc", 3, 1000);
}

static int put_many(void)
{
    const kin_obj objects[] = { kin_str("one") };
    return (int)kin_queue_put_many(queue, objects, 1, KIN_FOREVER);
}

static int put_array(void)
{
    return (int)kin_queue_put_array(queue, bytes, 3, 1, KIN_FOREVER);
}

static int commit(void)
{
    void *reserved;
    CHECK_OK(kin_queue_reserve(queue, 100, &reserved));
    return kin_queue_commit(queue, reserved, 100, KIN_FOREVER);
}

static void take_one(void)
{
    CHECK_OK(kin_queue_get_bytes(queue, bytes, sizeof bytes, 0));
}

static void take_and_tell(void)
{
    take_one();
    CHECK_OK(kin_queue_task_done(queue));
    CHECK(kin_queue_empty(queue));
}

static int join_queue(void)
{
    return kin_queue_join(queue, KIN_FOREVER);
}

static void begin_joinable(void)
{
    begin_empty();
    put_three();
}

TEST(queues_are_interrupted)
{
    static const struct row takes[] = {
        ROW(get, put_three),  ROW(get_many, put_three),  ROW(get_bytes, put_three),
        ROW(peek, put_three), ROW(get_array, put_three), ROW(wait_for_queue, put_three),
    };
    static const struct row puts[] = {
        ROW(put, take_one),       ROW(put_bytes, take_one), ROW(put_many, take_one),
        ROW(put_array, take_one), ROW(commit, take_one),
    };
    static const struct row heavy[] = { ROW(put_large, take_one) };
    static const struct row joins[] = { ROW(join_queue, take_and_tell) };
    INTERRUPT_EACH(takes, begin_empty, end_queue);
    INTERRUPT_EACH(puts, begin_full, end_queue);
    INTERRUPT_EACH(heavy, begin_heavy, end_queue);
    INTERRUPT_EACH(joins, begin_joinable, end_queue);
}

/* What got in is told first, and then the interruption. */
TEST(who_has_put_some_of_many_is_interrupted_the_next_time)
{
    const kin_obj objects[] = { kin_int(1), kin_int(2), kin_int(3), kin_int(4) };
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = 2)));
    CHECK_OK(kin_interrupt());
    CHECK_EQ(kin_queue_put_many(queue, objects, 4, KIN_FOREVER), 2);
    CHECK_ERROR(put(), KIN_EINTR);
    CHECK_ERROR(kin_queue_put_bytes(queue, "", 0, 0), KIN_EFULL);
    kin_queue_free(queue);
}
