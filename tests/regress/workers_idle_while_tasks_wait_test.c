/* Celery's workers on billiard, a fork of Python's pool, wedge from time to time: they are idle,
 * and tasks wait (celery/celery#4185, #4855, #9781). Who of them should have taken the next one was
 * stopped or killed in the middle of it, with a lock in his hand. Here nobody has to take a task:
 * whoever waits for one wakes the others. */
#include "scene.h"

enum { WORKERS = 3 };

struct meeting {
    _Atomic int here;
    _Atomic pid_t pids[WORKERS];
};

static kin_obj meet_all(kin_obj args)
{
    struct meeting *meeting = kin_arg_shared(args, 0);
    int place = atomic_fetch_add(&meeting->here, 1);
    meeting->pids[place] = getpid();
    WAIT_UNTIL(meeting->here == WORKERS);
    return kin_int(place);
}

/* The pids of all the workers, who are idle then, or about to be. */
static void list_workers(kin_pool *pool, struct meeting *meeting)
{
    kin_future *futures[WORKERS];
    meeting->here = 0;
    for (int i = 0; i < WORKERS; i++) {
        futures[i] = submit(pool, meet_all, kin_args(kin_shared(meeting)));
    }
    CHECK_OK(kin_futures_wait(futures, WORKERS, KIN_ALL_COMPLETED, KIN_FOREVER));
    for (int i = 0; i < WORKERS; i++) {
        kin_future_free(futures[i]);
    }
}

static bool is_stopped(pid_t pid)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    CHECK_NOT_NULL(file);
    CHECK_EQ(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    fclose(file);
    return state == 'T';
}

TEST(workers_that_are_stopped_anywhere_hold_up_nobody)
{
    kin_pool *pool = pool_of(WORKERS);
    struct meeting *meeting = kin_alloc(sizeof *meeting);
    for (int round = 0; round < 20; round++) {
        list_workers(pool, meeting);
        for (int i = 1; i < WORKERS; i++) { /* still busy with the end of a task, looking, asleep */
            kill(meeting->pids[i], SIGSTOP);
        }
        for (int i = 1; i < WORKERS; i++) {
            WAIT_UNTIL(is_stopped(meeting->pids[i]));
        }
        for (int i = 0; i < 20; i++) {
            kin_obj o;
            CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), &o));
            CHECK_EQ(kin_as_int(o), i * i);
        }
        for (int i = 1; i < WORKERS; i++) {
            kill(meeting->pids[i], SIGCONT);
        }
    }
    kin_free(meeting);
    free_whole(pool);
}

TEST(idle_workers_that_are_killed_leave_no_task_behind)
{
    kin_pool *pool = pool_of(WORKERS);
    struct meeting *meeting = kin_alloc(sizeof *meeting);
    for (int round = 0; round < 20; round++) {
        kin_future *futures[10];
        list_workers(pool, meeting);
        int wounded = 0;
        for (int i = 0; i < 10; i++) {
            futures[i] = submit(pool, square, kin_args(kin_int(i)));
            if (i % 4 == 1) {
                kill(meeting->pids[i / 4], SIGKILL);
                wounded++;
            }
        }
        int crashed = 0;
        for (int i = 0; i < 10; i++) {
            kin_obj o;
            int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
            CHECK(rv == KIN_ECRASHED || (rv == 0 && kin_as_int(o) == i * i));
            crashed += rv < 0;
            kin_future_free(futures[i]);
        }
        CHECK_LE(crashed, wounded); /* those who were killed at a task */
    }
    kin_free(meeting);
    free_whole(pool);
}
