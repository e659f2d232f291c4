#include "domain/map.h"
#include "harness.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct box {
    _Atomic kin__id id;
    _Atomic int go;
    int thing;
};

static void check_is(kin__id id, const char *name, pid_t pid)
{
    kin__who who;
    CHECK(kin__who_is(id, &who));
    CHECK_STR(who.name, name);
    CHECK_EQ(who.pid, pid);
    CHECK_EQ(who.id, id);
}

TEST(the_first_process_has_a_name)
{
    check_is(kin__self(), "MainProcess", getpid());
    kin__set_name("Main");
    check_is(kin__self(), "Main", getpid());
    kin__set_name("");
    check_is(kin__self(), "", getpid());
}

TEST(a_name_from_before_it_joined_is_kept)
{
    kin__set_name("early");
    check_is(kin__self(), "early", getpid());
}

TEST(a_long_name_is_cut_between_characters)
{
    kin__set_name("0123456789012345678901234567890");
    check_is(kin__self(), "0123456789012345678901234567890", getpid());
    kin__set_name("01234567890123456789012345678901");
    check_is(kin__self(), "0123456789012345678901234567890", getpid());
    kin__set_name("012345678901234567890123456789\u00fc");
    check_is(kin__self(), "012345678901234567890123456789", getpid());
}

static int live_until_told(void *ctx)
{
    struct box *box = ctx;
    box->id = kin__self();
    WAIT_UNTIL(box->go == 1);
    kin__set_name("child");
    kin__note_wait(&box->thing);
    box->go = 2;
    WAIT_UNTIL(box->go == 3);
    return 0;
}

TEST(a_bare_fork_has_its_parents_name_until_it_has_another)
{
    struct box *box = test_shared(sizeof *box);
    kin__self();
    kin__set_name("parent");
    pid_t pid = test_child(live_until_told, box);
    WAIT_UNTIL(box->id != 0);
    check_is(box->id, "parent", pid);
    box->go = 1;
    WAIT_UNTIL(box->go == 2);
    check_is(box->id, "child", pid);
    check_is(kin__self(), "parent", getpid());
    box->go = 3;
    CHECK_EQ(test_join(pid), 0);
}

TEST(the_dead_are_known_until_another_has_the_place)
{
    struct box *box = test_shared(sizeof *box);
    kin__self();
    box->go = 1;
    pid_t pid = test_child(live_until_told, box);
    WAIT_UNTIL(box->go == 2);
    CHECK_EQ(kin__id_of(pid), box->id);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    CHECK_EQ(kin__id_of(pid), KIN__NOBODY);
    CHECK(!kin__alive(box->id));
    check_is(box->id, "child", pid);
    kin__id before = box->id;
    box->go = 3;
    pid_t second = test_child(live_until_told, box);
    WAIT_UNTIL(box->id != before);
    kin__who who;
    CHECK_EQ(ID_SLOT(box->id), ID_SLOT(before));
    CHECK(!kin__who_is(before, &who));
    CHECK(kin__who_is(box->id, &who));
    CHECK_NULL(who.waits_for); /* that was the other's */
    kill(second, SIGKILL);
    CHECK_EQ(test_join(second), -SIGKILL);
}

TEST(nobody_is_nobody)
{
    kin__who who;
    CHECK(!kin__who_is(KIN__NOBODY, &who));
    CHECK_EQ(kin__id_of(getpid()), KIN__NOBODY); /* not yet */
    kin__self();
    CHECK(!kin__who_is(KIN__NOBODY, &who));
    CHECK(!kin__who_is(ID_OF(1000, 3), &who));
    CHECK_EQ(kin__id_of(getpid()), kin__self());
    CHECK_EQ(kin__id_of(getppid()), KIN__NOBODY);
    CHECK_EQ(kin__id_of(0), KIN__NOBODY);
}

TEST(a_note_is_taken_back_by_who_wrote_it)
{
    int a = 0, b = 0;
    kin__who who;
    kin__note_wait(&a); /* not a member yet: of no matter */
    kin__id self = kin__self();
    kin__note_wait(&a);
    CHECK(kin__who_is(self, &who));
    CHECK_PTR(who.waits_for, &a);
    CHECK_GT(who.waits_since, 0);
    kin__note_wait(&b); /* another thread */
    kin__note_woken(&a);
    CHECK(kin__who_is(self, &who));
    CHECK_PTR(who.waits_for, &b);
    kin__note_woken(&b);
    CHECK(kin__who_is(self, &who));
    CHECK_NULL(who.waits_for);
}

static void count(const kin__who *who, void *ctx)
{
    *(int *)ctx += who->pid > 0 && kin__alive(who->id) && strcmp(who->name, "MainProcess") == 0;
}

TEST(the_living_are_visited)
{
    struct box *box = test_shared(sizeof *box);
    kin__self();
    pid_t pid = test_child(live_until_told, box);
    WAIT_UNTIL(box->id != 0);
    int n = 0;
    kin__each_member(count, &n);
    CHECK_EQ(n, 2);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    n = 0;
    kin__each_member(count, &n);
    CHECK_EQ(n, 1);
}
