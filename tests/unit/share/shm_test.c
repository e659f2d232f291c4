#include "domain/room.h"
#include "harness.h"
#include <fcntl.h>
#include <kin/domain.h>
#include <kin/process.h>
#include <kin/share.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *ours(void)
{
    static char name[64];
    snprintf(name, sizeof name, "kin-shm-test-%d", (int)getpid());
    return name;
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return access(path, F_OK) == 0;
}

static kin_shm *make(const char *name)
{
    kin_shm *shm = NULL;
    CHECK_OK(kin_shm_create(&shm, name, 100));
    return shm;
}

TEST(a_segment_is_found_by_its_name)
{
    kin_shm *made = make(ours()), *found = NULL;
    CHECK_OK(kin_shm_open(&found, ours()));
    CHECK_EQ(kin_shm_size(made), 100);
    CHECK_EQ(kin_shm_size(found), 100);
    CHECK_STR(kin_shm_name(found), ours());
    char *a = kin_shm_ptr(made), *b = kin_shm_ptr(found);
    CHECK(a != b);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(a[i], 0);
    }
    a[99] = 'x';
    CHECK_EQ(b[99], 'x');
    kin_shm_free(made);
    CHECK_EQ(b[99], 'x');
    CHECK_OK(kin_shm_unlink(ours()));
    CHECK_EQ(b[99], 'x');
    CHECK_ERROR(kin_shm_unlink(ours()), KIN_ENOENT);
    CHECK_ERROR(kin_shm_open(&made, ours()), KIN_ENOENT);
    kin_shm_free(found);
    kin_shm_free(NULL);
}

TEST(a_segment_without_a_name_gets_one_like_pythons)
{
    kin_shm *a = make(NULL), *b = make(NULL);
    CHECK_EQ(strlen(kin_shm_name(a)), 12);
    CHECK_MEM(kin_shm_name(a), "psm_", 4);
    CHECK_EQ(strspn(kin_shm_name(a) + 4, "0123456789abcdef"), 8);
    CHECK(strcmp(kin_shm_name(a), kin_shm_name(b)) != 0);
    CHECK_OK(kin_shm_unlink(kin_shm_name(a)));
    CHECK_OK(kin_shm_unlink(kin_shm_name(b)));
    kin_shm_free(a);
    kin_shm_free(b);
}

TEST(a_slash_in_front_makes_no_difference)
{
    char slashed[64];
    snprintf(slashed, sizeof slashed, "/%s", ours());
    kin_shm *shm = make(slashed);
    CHECK_STR(kin_shm_name(shm), ours());
    kin_shm_free(shm);
    CHECK_OK(kin_shm_open(&shm, ours()));
    kin_shm_free(shm);
    CHECK_OK(kin_shm_unlink(slashed));
}

TEST(what_cannot_be_a_segment_is_refused)
{
    kin_shm *shm = NULL;
    CHECK_ERROR(kin_shm_create(&shm, ours(), 0), KIN_EINVAL);
    CHECK_ERROR(kin_shm_create(NULL, ours(), 1), KIN_EINVAL);
    CHECK_ERROR(kin_shm_create(&shm, "a/b", 1), KIN_EINVAL);
    CHECK_ERROR(kin_shm_create(&shm, "", 1), KIN_EINVAL);
    CHECK_ERROR(kin_shm_create(&shm, "///", 1), KIN_EINVAL);
    char endless[300];
    memset(endless, 'n', sizeof endless - 1);
    endless[299] = '\0';
    CHECK_ERROR(kin_shm_create(&shm, endless, 1), KIN_EINVAL);
    CHECK_ERROR(kin_shm_open(&shm, endless), KIN_EINVAL);
    CHECK_ERROR(kin_shm_unlink(endless), KIN_EINVAL);
    CHECK_ERROR(kin_shm_create(&shm, ours(), (size_t)1 << 60), KIN_ENOMEM);
    CHECK_ERROR(kin_shm_open(&shm, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shm_open(NULL, ours()), KIN_EINVAL);
    CHECK_ERROR(kin_shm_unlink(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shm_unlink_at_exit(NULL, true), KIN_EINVAL);
    CHECK_NULL(shm);
    CHECK_NULL(kin_shm_ptr(NULL));
    CHECK_EQ(kin_shm_size(NULL), 0);
    CHECK_STR(kin_shm_name(NULL), "");
    shm = make(ours());
    kin_shm *second = NULL;
    CHECK_ERROR(kin_shm_create(&second, ours(), 1), KIN_EEXIST);
    CHECK_CONTAINS(kin_errmsg(), "already");
    CHECK_NULL(second);
    CHECK_OK(kin_shm_unlink(ours()));
    kin_shm_free(shm);
}

TEST(a_segment_whose_maker_is_not_ready_is_said_to_be_so)
{
    int fd = shm_open(ours(), O_CREAT | O_RDWR, 0600);
    kin_shm *shm = NULL;
    CHECK_ERROR(kin_shm_open(&shm, ours()), KIN_ESTATE);
    CHECK_NULL(shm);
    close(fd);
    CHECK_OK(kin_shm_unlink(ours()));
}

static int write_there(void *ctx)
{
    *(char *)kin_shm_ptr(ctx) = 'c';
    kin_shm_free(ctx);
    return 0;
}

TEST(a_forked_child_has_the_handle_too)
{
    kin_shm *shm = make(ours());
    CHECK_OK(kin_shm_unlink(ours()));
    CHECK_EQ(test_join(test_child(write_there, shm)), 0);
    CHECK_EQ(*(char *)kin_shm_ptr(shm), 'c');
    kin_shm_free(shm);
}

/* ---- names that go with their owner ------------------------------------------------- */

struct plan {
    char name[64];
    int way;
};
enum way { RETURNS, EXITS, LEAVES, IS_KILLED };

static int own(void *ctx)
{
    struct plan *p = ctx;
    kin_shm *shm = NULL;
    if (kin_shm_create(&shm, p->name, 10) < 0 || kin_shm_unlink_at_exit(shm, true) < 0 ||
        kin_shm_unlink_at_exit(shm, true) < 0) {
        return 1;
    }
    kin_shm_free(shm);
    switch ((enum way)p->way) {
    case EXITS:
        exit(7);
    case LEAVES:
        kin__os_leave(7);
    case IS_KILLED:
        raise(SIGKILL);
        break;
    case RETURNS:
        break;
    }
    return 7;
}

static kin_obj own_as_task(kin_obj args)
{
    return kin_int(own(kin_arg_shared(args, 0)));
}

TEST(a_name_goes_when_its_owner_ends)
{
    struct plan *p = test_shared(sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", ours());
    for (p->way = EXITS; p->way <= LEAVES; p->way++) {
        CHECK_EQ(test_join(test_child(own, p)), 7);
        CHECK(!is_there(ours()));
    }
}

TEST(a_name_goes_when_its_owners_function_returns)
{
    struct plan *p = kin_alloc(sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", ours());
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, own_as_task, kin_args(kin_shared(p)), NULL));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(child), 7);
    CHECK(!is_there(ours()));
    kin_process_free(child);
    kin_free(p);
}

static int exit_at_once(void *ctx)
{
    (void)ctx;
    exit(0);
}

TEST(a_name_whose_owner_was_killed_is_unlinked_by_a_relative)
{
    struct plan *p = test_shared(sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", ours());
    p->way = IS_KILLED;
    kin__self();
    CHECK_EQ(test_join(test_child(own, p)), -SIGKILL);
    CHECK(is_there(ours()));
    kin_shm *mine = make(ours()); /* where the dead one's was in the way */
    CHECK_EQ(kin_shm_size(mine), 100);
    CHECK_ERROR(kin_shm_create(&mine, ours(), 1), KIN_EEXIST);
    CHECK_OK(kin_shm_unlink(ours()));
    kin_shm_free(mine);

    CHECK_EQ(test_join(test_child(own, p)), -SIGKILL);
    CHECK_EQ(test_join(test_child(exit_at_once, NULL)), 0); /* any who exits */
    CHECK(!is_there(ours()));
}

static struct {
    const char *step;
    int rv;
    kin_shm *shm;
} rival;

/* Another relative comes across the same note, and wants the same name. */
static void be_rival(const char *step)
{
    if (strcmp(step, rival.step) == 0) {
        kin__step_hook(NULL);
        rival.rv = kin_shm_create(&rival.shm, ours(), 20);
        rival.step = NULL;
    }
}

TEST(of_two_who_want_a_dead_ones_name_one_gets_it)
{
    static const char *const steps[] = { "shm.opened", "shm.found" };
    struct plan *p = test_shared(sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", ours());
    p->way = IS_KILLED;
    kin__self();
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(test_join(test_child(own, p)), -SIGKILL);
        kin_shm *mine = NULL, *found = NULL;
        rival.step = steps[i];
        rival.shm = NULL;
        kin__step_hook(be_rival);
        int rv = kin_shm_create(&mine, ours(), 10);
        CHECK_NULL(rival.step);
        CHECK_EQ(rv == 0 ? rival.rv : rv, KIN_EEXIST);
        CHECK_EQ(rv == 0 ? rv : rival.rv, 0);
        CHECK_OK(kin_shm_open(&found, ours()));
        CHECK_EQ(kin_shm_size(found), rv == 0 ? 10 : 20);
        CHECK_OK(kin_shm_unlink(ours()));
        kin_shm_free(mine);
        kin_shm_free(found);
        kin_shm_free(rival.shm);
    }
}

/* Out of descriptors, say, just then: whoever comes next does it. */
TEST(a_name_that_could_not_be_unlinked_is_unlinked_later)
{
    struct plan *p = test_shared(sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", ours());
    p->way = IS_KILLED;
    kin__self();
    bool failed = true;
    for (unsigned nth = 1; failed; nth++) {
        kin_shm *mine = NULL;
        CHECK_EQ(test_join(test_child(own, p)), -SIGKILL);
        kin__fault_arm(KIN__FAULT_CALL, nth);
        int rv = kin_shm_create(&mine, ours(), 10);
        failed = kin__fault_fired();
        kin__fault_arm(KIN__FAULT_CALL, 0);
        if (rv < 0) {
            CHECK_OK(kin_shm_create(&mine, ours(), 10));
        }
        CHECK_OK(kin_shm_unlink(ours()));
        kin_shm_free(mine);
    }
}

TEST(only_the_owners_end_counts_and_only_while_he_wants_it)
{
    kin_shm *shm = make(ours());
    CHECK_OK(kin_shm_unlink_at_exit(shm, true));
    CHECK_EQ(test_join(test_child(exit_at_once, NULL)), 0);
    CHECK(is_there(ours()));
    kin_usage_info with, without;
    CHECK_OK(kin_usage(&with));
    CHECK_OK(kin_shm_unlink_at_exit(shm, false));
    CHECK_OK(kin_usage(&without));
    CHECK_EQ(without.blocks, with.blocks - 1);
    CHECK_OK(kin_shm_unlink_at_exit(shm, true));
    CHECK_OK(kin_shm_unlink(ours())); /* the note goes with the name */
    CHECK_OK(kin_usage(&without));
    CHECK_EQ(without.blocks, with.blocks - 1);
    kin_shm_free(shm);
}

static int own_what_is_replaced(void *ctx)
{
    kin_shm *shm = NULL;
    if (kin_shm_create(&shm, ctx, 10) < 0 || kin_shm_unlink_at_exit(shm, true) < 0) {
        return 1;
    }
    shm_unlink(ctx); /* somebody else does, and makes another of that name */
    close(shm_open(ctx, O_CREAT | O_RDWR, 0600));
    kin__os_leave(0);
}

TEST(another_segment_of_that_name_is_left_alone)
{
    char name[64];
    snprintf(name, sizeof name, "%s", ours());
    CHECK_EQ(test_join(test_child(own_what_is_replaced, name)), 0);
    CHECK(is_there(ours()));
    CHECK_OK(kin_shm_unlink(ours()));
}
