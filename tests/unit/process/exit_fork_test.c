/* A process's end, and forks: what a process registered is its own. */
#include "domain/room.h"
#include "exit_scene.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static int ids[1];

/* ---- never in a child ------------------------------------------------------------------- */

static kin_obj do_nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

static kin_obj exit_at_once(kin_obj args)
{
    (void)args;
    exit(0);
}

static kin_obj register_one_more(kin_obj args)
{
    (void)args;
    CHECK_OK(kin_at_exit(note, number(2)));
    CHECK_EQ(run(do_nothing), 0);
    CHECK_OK(kin_at_exit_priority(note, number(3), 5));
    CHECK_ERROR(kin_at_exit_cancel(ids[0]), KIN_ENOTFOUND);
    return kin_none();
}

static void have_children(void)
{
    ids[0] = kin_at_exit(note, number(1));
    CHECK_OK(kin_at_exit_priority(note, number(4), -1));
    CHECK_EQ(run(do_nothing), 0);
    CHECK_EQ(run(exit_at_once), 0);
    pid_t pid = fork();
    if (pid == 0) {
        exit(0);
    }
    CHECK_EQ(test_join(pid), 0);
    pid = kin_fork();
    if (pid == 0) {
        CHECK_EQ(run(do_nothing), 0);
        exit(0);
    }
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(notes->count, 0);
    CHECK_EQ(run(register_one_more), 0);
    CHECK_NOTES(3, 2);
}

TEST(a_child_calls_its_own_and_not_its_parents)
{
    begin();
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_EQ(end(way, have_children), 7);
        CHECK_NOTES(1, 4);
    }
}

static char *lent;

static void register_a_buffer(void)
{
    CHECK_OK(kin_at_exit(note, kin_args(kin_int(1), kin_list(kin_buffer(lent, 10)))));
    CHECK_EQ(run(do_nothing), 0);
    lent[0] = 'x'; /* a child that frees it would have it poisoned */
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    notes->list[NOTES - 1] = (int)usage.blocks;
}

TEST(a_child_leaves_its_parents_arguments_alone)
{
    begin();
    lent = kin_alloc(10);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(end(MAIN_ENDS, register_a_buffer), 7);
    CHECK_NOTES(1);
    CHECK_EQ(notes->list[NOTES - 1], usage.blocks);
    uint64_t before = usage.blocks;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, before - 1); /* freed with the arguments, after the call */
}

static void be_killed(void)
{
    CHECK_OK(kin_at_exit(note, number(1)));
    kill(getpid(), SIGTERM);
}

TEST(who_is_killed_calls_nothing)
{
    begin();
    CHECK_EQ(end(MAIN_ENDS, be_killed), -SIGTERM);
    CHECK_EQ(notes->count, 0);
}

/* ---- forks at the end ------------------------------------------------------------------- */

static kin_obj fork_at_the_end(kin_obj args)
{
    (void)note(args);
    pid_t pid = fork();
    if (pid == 0) {
        exit(0);
    }
    CHECK_EQ(test_join(pid), 0);
    int rv = kin_fork();
    if (rv == 0) {
        return kin_none(); /* goes on with its parent's end, which is not its own */
    }
    CHECK_EQ(test_join(rv), 7);
    return kin_none();
}

static void register_forks(void)
{
    CHECK_OK(kin_at_exit(note, number(1)));
    CHECK_OK(kin_at_exit(fork_at_the_end, number(2)));
    CHECK_OK(kin_at_exit_priority(note, number(3), -1));
}

TEST(a_fork_at_the_end_calls_nothing_twice)
{
    begin();
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_EQ(end(way, register_forks), 7);
        CHECK_NOTES(2, 1, 3);
    }
}

/* ---- threads ---------------------------------------------------------------------------- */

#define THREADS 4
#define EACH 100

static void register_one(void)
{
    CHECK_OK(kin_at_exit(note, number(2)));
}

static atomic_bool enough;

static void *register_a_hundred(void *ctx)
{
    int first = *(int *)ctx * EACH;
    for (int i = 0; i < EACH || !enough; i++) {
        if (i < EACH && kin_at_exit_priority(note, number(first + i), i % 3 - 1) < 0) {
            return ctx;
        }
        int id = kin_at_exit(note, number(NOTES));
        if (id < 0 || kin_at_exit_cancel(id) < 0) {
            return ctx;
        }
    }
    return NULL;
}

static void register_in_threads(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK_EQ(pthread_create(&threads[i], NULL, register_a_hundred, &numbers[i]), 0);
    }
    for (int i = 0; i < 20; i++) { /* the child finds no lock held, and nothing of its parent's */
        pid_t pid = fork();
        if (pid == 0) {
            prepare = register_one;
            leave(NULL);
        }
        CHECK_EQ(test_join(pid), 7);
    }
    CHECK_EQ(notes->count, 20);
    notes->count = 0;
    enough = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        CHECK_EQ(pthread_join(threads[i], &failed), 0);
        CHECK_NULL(failed);
    }
}

TEST_WITHIN(60, threads_may_register_at_once_and_fork)
{
    begin();
    kin_log_set_level(KIN_LOG_ERROR);
    CHECK_EQ(end(MAIN_ENDS, register_in_threads), 7);
    CHECK_EQ(notes->count, THREADS * EACH);
    bool seen[THREADS * EACH] = { false };
    for (int i = 0; i < notes->count; i++) {
        int n = notes->list[i];
        CHECK(n < THREADS * EACH && !seen[n]);
        seen[n] = true;
    }
}
