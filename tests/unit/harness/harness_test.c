/* harness_test.c - that the harness sees what it should, and how its two loops are used.
 *
 * The example is a box in shared memory: whoever fills it claims it, writes it, publishes it. */
#include "base/room.h"
#include "harness_room.h"
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the kill loop, by an example ----------------------------------------------------- */

struct box {
    _Atomic int claimed, published;
    int value[2];
};

static void empty_box(void *ctx)
{
    memset(ctx, 0, sizeof(struct box));
}

static void fill_box(void *ctx)
{
    struct box *box = ctx;
    KIN__STEP("box.begin");
    atomic_store(&box->claimed, 1);
    KIN__STEP("box.claimed");
    box->value[0] = box->value[1] = 42;
    KIN__STEP("box.written");
    atomic_store(&box->published, 1);
    KIN__STEP("box.published");
    KIN__STEP("other.step");
}

static void published_is_written(void *ctx, const char *step)
{
    struct box *box = ctx;
    if (box->published) {
        CHECK_STR(step, "box.published");
        CHECK_EQ(box->value[0] + box->value[1], 84);
    }
}

TEST(a_box_is_whole_wherever_its_writer_dies)
{
    struct box *box = test_shared(sizeof *box);
    int kills = kill_loop("box.", box, .setup = empty_box, .victim = fill_box,
                          .check = published_is_written);
    CHECK_EQ(kills, 4);
    CHECK_EQ(box->published, 1); /* the last one got through */
}

static void is_there(void *ctx, const char *step)
{
    (void)ctx;
    CHECK_NE(step[0], 0);
    siginfo_t info;
    CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
}

TEST(a_victim_can_be_left_as_a_zombie)
{
    struct box *box = test_shared(sizeof *box);
    CHECK_EQ(kill_loop(NULL, box, .victim = fill_box, .check = is_there, .unreaped = true), 5);
}

static int fill_box_child(void *ctx)
{
    fill_box(ctx);
    return 0;
}

static void let_a_child_fill_it(void *ctx)
{
    test_join(test_child(fill_box_child, ctx));
    KIN__STEP("box.reaped");
}

static void is_step_of_the_family(void *ctx, const char *step)
{
    struct box *box = ctx;
    CHECK_EQ(box->published, strcmp(step, "box.published") == 0 || strcmp(step, "box.reaped") == 0);
}

TEST(steps_of_the_victims_children_count_when_asked)
{
    struct box *box = test_shared(sizeof *box);
    CHECK_EQ(kill_loop("box.", box, .setup = empty_box, .victim = let_a_child_fill_it,
                       .check = is_step_of_the_family, .anybody = true),
             5);
}

TEST(steps_of_the_victims_children_do_not_count_by_themselves)
{
    struct box *box = test_shared(sizeof *box);
    int kills = kill_loop("box.", box, .setup = empty_box, .victim = let_a_child_fill_it,
                          .check = is_step_of_the_family);
    CHECK_EQ(kills, 1);
}

static void do_nothing(void *ctx)
{
    (void)ctx;
}

TEST_FAILS(a_kill_loop_without_a_step_fails, "passed no step")
{
    kill_loop("box.", NULL, .victim = do_nothing, .check = is_there);
}

static void find_it_broken(void *ctx, const char *step)
{
    CHECK_EQ(((struct box *)ctx)->published, strcmp(step, "box.written") == 0);
}

TEST_FAILS(a_kill_loop_fails_when_its_check_does, "->published ==")
{
    struct box *box = test_shared(sizeof *box);
    kill_loop("box.", box, .setup = empty_box, .victim = fill_box, .check = find_it_broken);
}

static void crash(void *ctx)
{
    (void)ctx;
    KIN__STEP("box.begin");
    raise(SIGTERM);
}

TEST_FAILS(a_kill_loop_fails_when_the_victim_crashes, "the victim of step 2 ended with")
{
    struct box *box = test_shared(sizeof *box);
    kill_loop("box.", box, .victim = crash, .check = published_is_written);
}

/* ---- the fault loop ------------------------------------------------------------------- */

static int join_words(void *ctx)
{
    char *a = kin__os_malloc(8), *b = a ? kin__os_malloc(8) : NULL;
    int rv = b ? 0 : kin__fail(KIN_ENOMEM, "join: no memory for the words");
    *(int *)ctx += 1;
    kin__os_free(b);
    kin__os_free(a);
    return rv;
}

static void says_no_memory(void *ctx, int error)
{
    (void)ctx;
    CHECK_ERROR(error, KIN_ENOMEM);
}

TEST(every_allocation_fails_once)
{
    int attempts = 0;
    CHECK_EQ(
        fault_loop(KIN__FAULT_MEMORY, &attempts, .attempt = join_words, .check = says_no_memory),
        2);
    CHECK_EQ(attempts, 3);
}

static int fail_silently(void *ctx)
{
    (void)ctx;
    void *p = kin__os_malloc(8);
    kin__os_free(p);
    return p ? 0 : -1;
}

TEST_FAILS(a_failure_needs_a_code_and_a_sentence, "gave -1 and the sentence \"\"")
{
    fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = fail_silently);
}

static int leak_when_out_of_memory(void *ctx)
{
    (void)ctx;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    void *p = kin__os_malloc(8);
    if (!p) {
        return kin__fail(KIN_ENOMEM, "leak: no memory");
    }
    kin__os_free(p);
    close(fd);
    return 0;
}

TEST_FAILS(a_failed_attempt_may_not_leak, "left behind when a call failed: descriptor")
{
    fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = leak_when_out_of_memory);
}

static int succeed(void *ctx)
{
    (void)ctx;
    return 0;
}

TEST_FAILS(a_fault_loop_needs_something_to_fail, "nothing to fail")
{
    fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = succeed);
}

/* ---- leaks ---------------------------------------------------------------------------- */

TEST_FAILS(an_open_descriptor_fails_its_test, ": /dev/null")
{
    CHECK_GE(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}

TEST(one_memory_file_of_the_domain_may_stay_open)
{
    CHECK_GE(memfd_create("kin", MFD_CLOEXEC), 0);
}

TEST_FAILS(a_second_memory_file_of_the_domain_fails_its_test, "/memfd:kin")
{
    CHECK_GE(memfd_create("kin", MFD_CLOEXEC), 0);
    CHECK_GE(memfd_create("kin", MFD_CLOEXEC), 0);
}

TEST_FAILS(shared_memory_left_mapped_fails_its_test, "mapping of /dev/zero")
{
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

__attribute__((destructor)) static void unlink_name(void)
{
    shm_unlink("/kin-harness"); /* of the test below, when this program ends */
}

TEST_FAILS(a_name_in_dev_shm_fails_its_test, "name in /dev/shm: kin-harness")
{
    int fd = shm_open("/kin-harness", O_CREAT | O_RDWR, 0600);
    CHECK_GE(fd, 0);
    close(fd);
}

static int leave(void *ctx)
{
    return ctx ? *(int *)ctx : 0;
}

static int wait_for_ever(void *ctx)
{
    (void)ctx;
    while (pause() < 0) {
    }
    return 0;
}

TEST_FAILS(a_zombie_fails_its_test, "was never waited for")
{
    pid_t pid = test_child(leave, NULL);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

TEST_FAILS(a_running_child_fails_its_test, "a child that still runs")
{
    test_child(wait_for_ever, NULL);
}

static int leave_a_child_behind(void *ctx)
{
    return test_child(wait_for_ever, ctx) < 0;
}

TEST_FAILS(a_running_grandchild_fails_its_test, "still running")
{
    grace = 50000000;
    CHECK_EQ(test_join(test_child(leave_a_child_behind, NULL)), 0);
}

/* ---- helpers and checks --------------------------------------------------------------- */

TEST(join_tells_a_status_from_a_signal)
{
    int status = 7;
    CHECK_EQ(test_join(test_child(leave, &status)), 7);
    pid_t pid = test_child(wait_for_ever, NULL);
    WAIT_UNTIL(test_is_asleep(pid));
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

TEST(shared_memory_is_zeroed_aligned_and_seen_by_children)
{
    int *a = test_shared(sizeof *a), *b = test_shared(sizeof *b);
    CHECK_EQ(*a | *b, 0);
    CHECK_EQ((uintptr_t)a % 64 + (uintptr_t)b % 64, 0);
    CHECK(a != b);
    CHECK_EQ(test_join(test_child(leave, NULL)), 0);
}

TEST_FAILS(numbers_that_differ_are_both_printed, "2 + 2 == 5, but it is 4 against 5")
{
    CHECK_EQ(2 + 2, 5);
}

TEST_FAILS(strings_that_differ_are_both_printed, "but it is \"kin\" against NULL")
{
    CHECK_STR("kin", NULL);
}

TEST_FAILS(doubles_that_differ_are_both_printed, "0.10000000000000001 against 0.25")
{
    CHECK_FLOAT(0.1, 0.25);
}

TEST_FAILS(a_wrong_error_is_printed_by_name, "gave KIN_ENOMEM (-5401) and not KIN_ECLOSED: test:")
{
    CHECK_ERROR(kin__fail(KIN_ENOMEM, "test: none left"), KIN_ECLOSED);
}

TEST_FULL_(a_test_that_takes_too_long_fails, 0.1, "timeout expired")
{
    wait_for_ever(NULL);
}

TEST(equal_things_are_equal)
{
    CHECK_EQ((uint64_t)UINT64_MAX, UINT64_MAX);
    CHECK_FLOAT(NAN, NAN);
    CHECK_STR(NULL, NULL);
    CHECK_CONTAINS("a descriptor", "script");
    CHECK_LT(-1, 1);
}
