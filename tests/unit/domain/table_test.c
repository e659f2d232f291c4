#include "domain/map.h"
#include "harness.h"

#include <pthread.h>
#include <unistd.h>

TEST(a_process_has_one_identity)
{
    kin__id self = kin__self();
    CHECK_NE(self, KIN__NOBODY);
    CHECK_EQ(kin__self(), self);
    CHECK(kin__alive(self));
    CHECK_EQ(kin__pid_of(self), getpid());
    CHECK(!kin__alive(KIN__NOBODY));
    CHECK(!kin__alive(ID_OF(1000, 3)));
}

static int tell_identity(void *ctx)
{
    *(kin__id *)ctx = kin__self();
    return 0;
}

TEST(a_child_of_a_bare_fork_joins_as_itself)
{
    kin__id *theirs = test_shared(sizeof *theirs);
    kin__id self = kin__self();
    pid_t pid = fork();
    if (pid == 0) {
        *theirs = kin__self();
        _exit(kin__pid_of(*theirs) == getpid() && kin__alive(self) ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
    CHECK_NE(*theirs, self);
    CHECK(!kin__alive(*theirs));
}

static int live_until_told(void *ctx)
{
    struct {
        _Atomic kin__id id;
        _Atomic int go;
    } *box = ctx;
    box->id = kin__self();
    WAIT_UNTIL(box->go);
    return 0;
}

TEST(a_process_is_alive_until_it_ends_and_a_zombie_is_dead)
{
    struct {
        _Atomic kin__id id;
        _Atomic int go;
    } *box = test_shared(sizeof *box);
    kin__self();
    pid_t pid = test_child(live_until_told, box);
    WAIT_UNTIL(box->id != 0);
    CHECK(kin__alive(box->id));
    box->go = 1;
    WAIT_UNTIL(!kin__alive(box->id)); /* nobody has reaped it */
    CHECK_EQ(kin__pid_of(box->id), 0);
    CHECK_EQ(test_join(pid), 0);
}

TEST(slots_are_used_again_under_another_identity)
{
    kin__id *theirs = test_shared(sizeof *theirs);
    kin__self();
    kin__id last = 0;
    for (int i = 0; i < 20; i++) {
        pid_t pid = test_child(tell_identity, theirs);
        CHECK_EQ(test_join(pid), 0);
        kin__ended(pid);
        CHECK_NE(*theirs, last);
        CHECK_EQ(ID_SLOT(*theirs), 2);
        last = *theirs;
    }
}

static void *join_the_family(void *ctx)
{
    *(kin__id *)ctx = kin__self();
    return NULL;
}

static int outlive_the_thread_that_joined(void *ctx)
{
    struct {
        _Atomic kin__id id;
        _Atomic int go;
    } *box = ctx;
    pthread_t thread;
    kin__id id;
    pthread_create(&thread, NULL, join_the_family, &id);
    pthread_join(thread, NULL);
    box->id = id;
    WAIT_UNTIL(box->go);
    return 0;
}

TEST(a_process_lives_on_when_the_thread_that_joined_has_ended)
{
    struct {
        _Atomic kin__id id;
        _Atomic int go;
    } *box = test_shared(sizeof *box);
    kin__self();
    pid_t pid = test_child(outlive_the_thread_that_joined, box);
    WAIT_UNTIL(box->id != 0);
    CHECK(kin__alive(box->id)); /* its life is to be had, the proof says no */
    CHECK(kin__alive(box->id));
    box->go = 1;
    CHECK_EQ(test_join(pid), 0);
    CHECK(!kin__alive(box->id));
}

TEST(threads_that_join_at_once_are_one_member)
{
    enum { COUNT = 8 };
    pthread_t threads[COUNT];
    kin__id ids[COUNT];
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, join_the_family, &ids[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(ids[i], ids[0]);
    }
}

TEST(a_full_table_is_an_error_until_somebody_dies)
{
    kin__self();
    for (uint32_t i = 1; i < SLOTS; i++) {
        uint64_t state = atomic_load(&base()->slots[i].state);
        if (SLOT_PHASE(state) == SLOT_FREE) { /* taken by somebody who joins, and lives */
            atomic_store(&base()->slots[i].state, SLOT_STATE(getppid(), 1, SLOT_JOINING));
        }
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(kin__join() == KIN_EAGAIN ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
    pid_t dead = fork();
    if (dead == 0) {
        _exit(0);
    }
    CHECK_EQ(test_join(dead), 0);
    atomic_store(&base()->slots[77].state, SLOT_STATE(dead, 1, SLOT_JOINING));
    pid = fork();
    if (pid == 0) {
        _exit(kin__join() == 0 ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
}

TEST(the_dead_whom_nobody_asks_after_do_not_fill_the_table)
{
    kin__id *theirs = test_shared(sizeof *theirs);
    kin__self();
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(test_join(test_child(tell_identity, theirs)), 0);
        CHECK_LE(ID_SLOT(*theirs), 10);
    }
}
