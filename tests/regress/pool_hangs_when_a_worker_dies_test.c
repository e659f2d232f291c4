/* In Python a worker that is killed, by the kernel short of memory, by a fault or by os._exit,
 * takes its task along: get() on it never returns, and map() hangs for ever (CPython gh-66587, open
 * since 2014). Here that task fails, the worker is replaced, and no other task notices. */
#include "scene.h"

#include <sys/mman.h>

static __attribute__((no_sanitize("undefined"))) kin_obj die(kin_obj args)
{
    const char *how = kin_arg_str(args, 0);
    if (strcmp(how, "SIGKILL") == 0) {
        kill(getpid(), SIGKILL);
    } else if (strcmp(how, "segfault") == 0) {
        *(volatile char *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
    } else if (strcmp(how, "abort") == 0) {
        abort();
    } else if (strcmp(how, "exit") == 0) {
        exit(0);
    }
    _exit(0); /* also with a code that says that all is well */
}

TEST(the_task_of_a_dead_worker_fails_and_the_others_go_on)
{
    static const char *const ways[] = { "SIGKILL", "segfault", "abort", "exit", "_exit" };
    kin_pool *pool = pool_of(2);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        kin_future *others[10];
        kin_obj o;
        for (int k = 0; k < 5; k++) {
            others[k] = submit(pool, square, kin_args(kin_int(k)));
        }
        kin_future *doomed = submit(pool, die, kin_args(kin_str(ways[i])));
        for (int k = 5; k < 10; k++) {
            others[k] = submit(pool, square, kin_args(kin_int(k)));
        }
        CHECK_ERROR(kin_future_get(doomed, &o, KIN_FOREVER), KIN_ECRASHED);
        kin_future_free(doomed);
        for (int k = 0; k < 10; k++) {
            CHECK_OK(kin_future_get(others[k], &o, KIN_FOREVER));
            CHECK_EQ(kin_as_int(o), k * k);
            kin_future_free(others[k]);
        }
    }
    free_whole(pool);
}

static kin_obj die_at_every_third(kin_obj args)
{
    if (kin_arg_int(args, 0) % 3 == 0) {
        kill(getpid(), SIGKILL);
    }
    return square(args);
}

TEST(exactly_the_tasks_that_killed_their_workers_fail)
{
    kin_pool *pool = pool_of(2);
    kin_future *futures[30];
    for (int i = 0; i < 30; i++) {
        futures[i] = submit(pool, die_at_every_third, kin_args(kin_int(i)));
    }
    for (int i = 0; i < 30; i++) {
        kin_obj o;
        int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
        CHECK_EQ(rv, i % 3 == 0 ? KIN_ECRASHED : 0);
        CHECK(rv < 0 || kin_as_int(o) == i * i);
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}

TEST(a_map_whose_worker_dies_ends)
{
    kin_pool *pool = pool_of(2);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(pool, die_at_every_third, kin_range(1, 20), NULL, &results),
                KIN_ECRASHED);
    works(pool);
    free_whole(pool);
}

/* What the kernel does to the largest process when memory is out. */
struct victim {
    _Atomic pid_t pid;
};

static kin_obj eat_memory(kin_obj args)
{
    struct victim *victim = kin_arg_shared(args, 0);
    size_t room = 16 << 20;
    char *eaten = malloc(room);
    for (;;) {
        memset(eaten, (int)victim->pid, room);
        victim->pid = getpid();
    }
    return kin_none();
}

TEST(a_worker_that_the_kernel_kills_for_its_memory_costs_its_task)
{
    kin_pool *pool = pool_of(2);
    struct victim *victim = kin_alloc(sizeof *victim);
    kin_future *doomed = submit(pool, eat_memory, kin_args(kin_shared(victim)));
    WAIT_UNTIL(victim->pid);
    kill(victim->pid, SIGKILL);
    kin_obj o;
    CHECK_ERROR(kin_future_get(doomed, &o, KIN_FOREVER), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "signal 9");
    kin_future_free(doomed);
    works(pool);
    kin_free(victim);
    free_whole(pool);
}
