#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };

struct scene {
    kin_queue *queue;
    const char *stop_at; /* the step at which a child stops */
    _Atomic int ready;
    _Atomic int present;
    _Atomic int most;
    _Atomic int over;
    _Atomic int wakes;
    int rv;
};

static struct scene *new_scene(uint64_t maxsize)
{
    struct scene *s = test_shared(sizeof *s);
    CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = maxsize)));
    return s;
}

static int put(struct scene *s, int number, double timeout)
{
    return kin_queue_put_bytes(s->queue, &number, sizeof number, timeout);
}

static int get(struct scene *s, double timeout)
{
    int number;
    ssize_t size = kin_queue_get_bytes(s->queue, &number, sizeof number, timeout);
    return size < 0 ? (int)size : number;
}

/* ---- timeouts -------------------------------------------------------------------------------- */

TEST(a_timeout_of_zero_or_less_only_tries)
{
    struct scene *s = new_scene(1);
    CHECK_ERROR(get(s, 0), KIN_EEMPTY);
    CHECK_ERROR(get(s, -1e300), KIN_EEMPTY);
    CHECK_OK(put(s, 7, 0));
    CHECK_ERROR(put(s, 8, 0), KIN_EFULL);
    CHECK_ERROR(put(s, 8, -0.5), KIN_EFULL);
    CHECK_EQ(get(s, -1), 7);
    kin_queue_free(s->queue);
}

TEST(a_timeout_that_passes_is_said_and_takes_that_long)
{
    struct scene *s = new_scene(1);
    double before = kin_now();
    CHECK_ERROR(get(s, 0.06), KIN_ETIMEDOUT);
    CHECK(kin_now() - before >= 0.06);
    CHECK_CONTAINS(kin_errmsg(), "stayed empty");
    CHECK_OK(put(s, 7, 0.01));
    before = kin_now();
    CHECK_ERROR(put(s, 8, 0.06), KIN_ETIMEDOUT);
    CHECK(kin_now() - before >= 0.06);
    CHECK_CONTAINS(kin_errmsg(), "stayed full");
    CHECK_EQ(get(s, 1e9), 7);
    kin_queue_free(s->queue);
}

TEST(a_timeout_that_is_no_number_loses_nothing)
{
    struct scene *s = new_scene(1);
    CHECK_ERROR(put(s, 7, NAN), KIN_EINVAL);
    CHECK_EQ(kin_queue_qsize(s->queue), 0);
    CHECK_OK(put(s, 7, 0));
    CHECK_ERROR(get(s, NAN), KIN_EINVAL);
    CHECK_ERROR(put(s, 8, -NAN), KIN_EINVAL);
    CHECK_EQ(get(s, 0), 7);
    kin_queue_free(s->queue);
}

/* ---- sleepers -------------------------------------------------------------------------------- */

static int sleep_in_get(void *ctx)
{
    struct scene *s = ctx;
    return get(s, KIN_FOREVER) == KIN_ECLOSED ? 0 : 1;
}

static int sleep_in_put(void *ctx)
{
    struct scene *s = ctx;
    return put(s, 1, KIN_FOREVER) == KIN_ECLOSED ? 0 : 1;
}

enum { SLEEPERS = 3 };

static void let_sleep(struct scene *s, int (*body)(void *), pid_t pids[SLEEPERS])
{
    for (int i = 0; i < SLEEPERS; i++) {
        pids[i] = test_child(body, s);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        WAIT_UNTIL(test_is_asleep(pids[i]));
    }
}

static void all_are_told(const pid_t pids[SLEEPERS])
{
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
}

TEST(closing_wakes_those_who_get_and_those_who_put)
{
    pid_t pids[SLEEPERS];
    struct scene *s = new_scene(0);
    let_sleep(s, sleep_in_get, pids);
    CHECK_OK(kin_queue_close(s->queue));
    all_are_told(pids);
    kin_queue_free(s->queue);
    s = new_scene(1);
    CHECK_OK(put(s, 5, 0));
    let_sleep(s, sleep_in_put, pids);
    CHECK_OK(kin_queue_close(s->queue));
    all_are_told(pids);
    CHECK_EQ(get(s, 0), 5);
    CHECK_ERROR(get(s, KIN_FOREVER), KIN_ECLOSED);
    kin_queue_free(s->queue);
}

TEST(freeing_wakes_those_who_get_and_those_who_put)
{
    pid_t pids[SLEEPERS];
    struct scene *s = new_scene(0);
    let_sleep(s, sleep_in_get, pids);
    kin_queue_free(s->queue);
    all_are_told(pids);
    s = new_scene(1);
    CHECK_OK(put(s, 5, 0));
    let_sleep(s, sleep_in_put, pids);
    kin_queue_free(s->queue);
    all_are_told(pids);
}

/* Who wakes late finds another queue at the same place, and must not use it. */
TEST(a_sleeper_of_a_freed_queue_leaves_the_next_one_alone)
{
    for (int putting = 0; putting < 2; putting++) {
        struct scene *s = new_scene(1);
        if (putting) {
            CHECK_OK(put(s, 5, 0));
        }
        pid_t pids[SLEEPERS];
        let_sleep(s, putting ? sleep_in_put : sleep_in_get, pids);
        for (int i = 0; i < SLEEPERS; i++) {
            kill(pids[i], SIGSTOP);
        }
        kin_queue *old = s->queue;
        kin_queue_free(old);
        CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = 1)));
        CHECK_PTR(s->queue, old);
        if (!putting) {
            CHECK_OK(put(s, 9, 0));
        }
        for (int i = 0; i < SLEEPERS; i++) {
            kill(pids[i], SIGCONT);
        }
        all_are_told(pids);
        CHECK_EQ(kin_queue_qsize(s->queue), !putting);
        CHECK_EQ(get(s, 0), putting ? KIN_EEMPTY : 9);
        kin_queue_free(s->queue);
    }
}

/* ---- how many are woken ---------------------------------------------------------------------- */

enum { CROWD = 4, MESSAGES = 20 };

static struct scene *crowds_scene;

static void count_wakes(const char *name)
{
    crowds_scene->wakes += strcmp(name, "turnstile.woken") == 0;
}

static int get_all(void *ctx)
{
    crowds_scene = ctx;
    kin__self();
    kin__step_hook(count_wakes);
    int rv;
    while ((rv = get(crowds_scene, KIN_FOREVER)) >= 0) {
        crowds_scene->present++;
    }
    return rv == KIN_ECLOSED ? 0 : 1;
}

static bool all_sleep(const pid_t *pids)
{
    bool rv = true;
    for (int i = 0; i < CROWD; i++) {
        rv = rv && test_is_asleep(pids[i]);
    }
    return rv;
}

static int put_many(void *ctx)
{
    crowds_scene = ctx;
    kin__self();
    kin__step_hook(count_wakes);
    int rv;
    while ((rv = put(crowds_scene, 1, KIN_FOREVER)) >= 0) {
        crowds_scene->present++;
    }
    return rv == KIN_ECLOSED ? 0 : 1;
}

static void start_crowd(struct scene *s, int (*body)(void *), pid_t pids[CROWD])
{
    for (int i = 0; i < CROWD; i++) {
        pids[i] = test_child(body, s);
        WAIT_UNTIL(test_is_asleep(pids[i]));
    }
    s->wakes = s->present = 0;
}

static void end_crowd(struct scene *s, const pid_t pids[CROWD])
{
    CHECK_OK(kin_queue_close(s->queue));
    for (int i = 0; i < CROWD; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    kin_queue_free(s->queue);
}

TEST(each_message_wakes_one_of_those_who_sleep)
{
    struct scene *s = new_scene(0);
    pid_t pids[CROWD];
    start_crowd(s, get_all, pids);
    for (int i = 0; i < MESSAGES; i++) {
        CHECK_OK(put(s, i, 0));
        WAIT_UNTIL(s->present == i + 1 && all_sleep(pids));
        CHECK_EQ(s->wakes, i + 1);
    }
    end_crowd(s, pids);
}

TEST(each_message_that_is_taken_wakes_one_of_those_who_wait_for_room)
{
    struct scene *s = new_scene(3);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(put(s, 1, 0));
    }
    pid_t pids[CROWD];
    start_crowd(s, put_many, pids);
    for (int i = 0; i < MESSAGES; i++) {
        CHECK_EQ(get(s, 0), 1);
        WAIT_UNTIL(s->present == i + 1 && all_sleep(pids));
        CHECK_EQ(s->wakes, i + 1);
    }
    end_crowd(s, pids);
}

/* ---- somebody stops in the middle ------------------------------------------------------------ */

static struct scene *scene_of_child;

static void stop_there(const char *name)
{
    if (strcmp(name, scene_of_child->stop_at) == 0) {
        kin__step_hook(NULL);
        scene_of_child->ready = 1;
        kill(getpid(), SIGSTOP);
    }
}

static int put_and_stop(void *ctx)
{
    scene_of_child = ctx;
    kin__self();
    kin__step_hook(stop_there);
    return put(ctx, 1, 1) == 0 ? 0 : 1;
}

static int get_and_stop(void *ctx)
{
    scene_of_child = ctx;
    kin__self();
    kin__step_hook(stop_there);
    return get(ctx, 1) >= 0 ? 0 : 1;
}

static pid_t stop_somebody(struct scene *s, int (*body)(void *), const char *at)
{
    s->stop_at = at;
    s->ready = 0;
    pid_t pid = test_child(body, s);
    WAIT_UNTIL(s->ready);
    return pid;
}

TEST(a_stopped_producer_holds_back_messages_and_nobodys_timeout)
{
    struct scene *s = new_scene(0);
    CHECK_OK(put(s, 0, 0));
    pid_t pid = stop_somebody(s, put_and_stop, "ring.claimed");
    for (int i = 2; i < 500; i++) { /* also into further rings */
        CHECK_OK(put(s, i, 0));
    }
    CHECK_EQ(get(s, 0), 0);
    CHECK_ERROR(get(s, 0), KIN_EEMPTY);
    CHECK_ERROR(get(s, 0.12), KIN_ETIMEDOUT);
    kill(pid, SIGCONT);
    for (int i = 1; i < 500; i++) {
        CHECK_EQ(get(s, KIN_FOREVER), i);
    }
    CHECK_EQ(test_join(pid), 0);
    kin_queue_free(s->queue);
}

TEST(a_stopped_producer_who_is_killed_at_last_lets_the_messages_go)
{
    struct scene *s = new_scene(5);
    pid_t pid = stop_somebody(s, put_and_stop, "ring.claimed");
    for (int i = 2; i < 6; i++) {
        CHECK_OK(put(s, i, 0));
    }
    CHECK_ERROR(put(s, 6, 0), KIN_EFULL);
    CHECK_ERROR(put(s, 6, 0.06), KIN_ETIMEDOUT);
    CHECK_ERROR(get(s, 0.06), KIN_ETIMEDOUT);
    kill(pid, SIGKILL);
    CHECK_EQ(get(s, KIN_FOREVER), 2);
    CHECK_OK(put(s, 6, KIN_FOREVER));
    CHECK_EQ(test_join(pid), -SIGKILL);
    kin_queue_free(s->queue);
}

TEST(a_stopped_taker_is_passed_over)
{
    struct scene *s = new_scene(0);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(put(s, i, 0));
    }
    pid_t pid = stop_somebody(s, get_and_stop, "ring.taken");
    for (int i = 1; i < 10; i++) {
        CHECK_EQ(get(s, 0), i);
    }
    CHECK_ERROR(get(s, 0), KIN_EEMPTY);
    kill(pid, SIGKILL);
    CHECK_EQ(get(s, KIN_FOREVER), 0); /* what he had in his hand is back */
    CHECK_EQ(test_join(pid), -SIGKILL);
    kin_queue_free(s->queue);
}

static void log_nothing(int level, const char *text, void *ctx)
{
    (void)level;
    *(int *)ctx += strstr(text, "stopped") != NULL;
}

/* He may write into his cell at any time: so that ring must not become something else. */
TEST(a_queue_is_freed_beside_a_stopped_producer_who_harms_nobody)
{
    struct scene *s = new_scene(0);
    pid_t pid = stop_somebody(s, put_and_stop, "ring.claimed");
    int warnings = 0;
    kin_log_set_handler(log_nothing, &warnings);
    CHECK_OK(kin_interrupt());
    kin_queue_free(s->queue);
    kin_log_set_handler(NULL, NULL);
    CHECK_EQ(warnings, 1);
    CHECK_ERROR(kin_sleep(1), KIN_EINTR); /* who frees could not say so */
    enum { COUNT = 50, SIZE = 4200 };
    char *others[COUNT];
    for (int i = 0; i < COUNT; i++) {
        others[i] = kin_alloc(SIZE);
    }
    kill(pid, SIGCONT);
    test_join(pid);
    static const char zeros[SIZE];
    for (int i = 0; i < COUNT; i++) {
        CHECK_MEM(others[i], zeros, SIZE);
        kin_free(others[i]);
    }
}

TEST(freeing_waits_for_who_is_in_the_middle)
{
    struct scene *s = new_scene(0);
    CHECK_OK(put(s, 4, 0));
    kin_usage_info before;
    CHECK_OK(kin_usage(&before));
    pid_t pid = stop_somebody(s, get_and_stop, "ring.taken");
    pid_t helper = fork();
    if (helper == 0) { /* lets him go on while we wait for him */
        for (int i = 0; i < 50; i++) {
            test_nap();
        }
        kill(pid, SIGCONT);
        _exit(0);
    }
    kin_queue_free(s->queue);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(test_join(helper), 0);
    kin_usage_info after;
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks - 2);
}

/* ---- the bound ------------------------------------------------------------------------------- */

enum { BOUND = 3 };

/* Counts what is in the queue: after a put returned, before a get begins. So never too much. */
static int fill(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < 3000; i++) {
        if (put(s, i, KIN_FOREVER) < 0) {
            return 1;
        }
        int now = atomic_fetch_add(&s->present, 1) + 1;
        int most = s->most;
        while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now)) {
        }
    }
    return 0;
}

static int empty(void *ctx)
{
    struct scene *s = ctx;
    for (;;) {
        kin__claim claim;
        int rv = kin__queue_take(s->queue, &anything, KIN__NEVER, &claim);
        if (rv < 0) {
            return rv == KIN_ECLOSED ? 0 : 1;
        }
        atomic_fetch_sub(&s->present, 1); /* still in its cell: so present is counted too low */
        kin__queue_finish(s->queue, &claim);
    }
}

TEST_WITHIN(120, a_bound_is_exact_under_contention)
{
    struct scene *s = new_scene(BOUND);
    pid_t pids[6];
    for (int i = 0; i < 6; i++) {
        pids[i] = test_child(i < 3 ? fill : empty, s);
    }
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
        if (i == 2) {
            CHECK_OK(kin_queue_close(s->queue));
        }
    }
    CHECK_LE(s->most, BOUND);
    CHECK_EQ(s->present, 0);
    kin_queue_free(s->queue);
}

/* ---- a process that cannot join -------------------------------------------------------------- */

static int use_without_descriptors(void *ctx)
{
    struct scene *s = ctx;
    struct rlimit none = { 3, 3 };
    setrlimit(RLIMIT_NOFILE, &none);
    while (dup(0) >= 0) {
    }
    char large[1000] = { 0 };
    if (put(s, 1, 0) != KIN_EMFILE || !kin_errmsg()[0] || get(s, 0) != KIN_EMFILE ||
        kin_queue_put_bytes(s->queue, large, sizeof large, 0) != KIN_EMFILE) {
        return 1;
    }
    kin_obj o;
    return kin_queue_get(s->queue, &o, KIN_FOREVER) == KIN_EMFILE ? 0 : 2;
}

TEST(a_process_without_descriptors_loses_no_message)
{
    struct scene *s = new_scene(0);
    CHECK_OK(put(s, 7, 0));
    CHECK_EQ(test_join(test_child(use_without_descriptors, s)), 0);
    CHECK_EQ(get(s, 0), 7);
    CHECK_ERROR(get(s, 0), KIN_EEMPTY);
    kin_queue_free(s->queue);
}
