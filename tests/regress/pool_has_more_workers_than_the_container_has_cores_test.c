/* In Python cpu_count() says what the machine has, so a pool in a container with a quota of one
 * core starts sixty-four workers (CPython gh-80235, gh-149452). Here affinity and quota count,
 * rounded up. */
#include "scene.h"

#include <sched.h>
#include <sys/stat.h>

/* A directory that pretends to be the root of a machine whose cgroup has such a quota. */
struct machine {
    char root[64];
    char paths[8][128]; /* in the order in which they were made */
    int count;
};

static void make(struct machine *m, const char *name, const char *text)
{
    char *path = m->paths[m->count++];
    snprintf(path, sizeof m->paths[0], "%s%s", m->root, name);
    if (text == NULL) {
        CHECK_EQ(mkdir(path, 0700), 0);
        return;
    }
    FILE *file = fopen(path, "wex");
    CHECK_NOT_NULL(file);
    CHECK_GE(fputs(text, file), 0);
    fclose(file);
}

static void begin_machine(struct machine *m, const char *quota)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(m->root, sizeof m->root, "%s/kin-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    CHECK_NOT_NULL(mkdtemp(m->root));
    make(m, "/proc", NULL);
    make(m, "/proc/self", NULL);
    make(m, "/proc/self/cgroup", "0::/\n");
    make(m, "/sys", NULL);
    make(m, "/sys/fs", NULL);
    make(m, "/sys/fs/cgroup", NULL);
    make(m, "/sys/fs/cgroup/cpu.max", quota);
    kin__os_pretend_root(m->root);
}

static void end_machine(struct machine *m)
{
    kin__os_pretend_root(NULL);
    while (m->count > 0) {
        CHECK_EQ(remove(m->paths[--m->count]), 0);
    }
    CHECK_EQ(rmdir(m->root), 0);
}

static int count_with_quota(const char *quota)
{
    struct machine m = { .count = 0 };
    begin_machine(&m, quota);
    int count = kin_cpu_count();
    end_machine(&m);
    return count;
}

static int count_affinity(void)
{
    cpu_set_t set;
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

TEST(the_count_is_what_the_quota_leaves_rounded_up)
{
    if (count_affinity() < 2) {
        SKIP("one processor is as few as there can be");
    }
    CHECK_EQ(count_with_quota("max 100000\n"), count_affinity());
    CHECK_EQ(count_with_quota("100000 100000\n"), 1);
    CHECK_EQ(count_with_quota("20000 100000\n"), 1);
    CHECK_EQ(count_with_quota("150000 100000\n"), 2);
}

TEST(a_pool_has_as_many_workers)
{
    if (count_affinity() < 2) {
        SKIP("one processor is as few as there can be");
    }
    struct machine m = { .count = 0 };
    CHECK_EQ(members(), 1); /* so that the family's memory is not made on that machine */
    begin_machine(&m, "100000 100000\n");
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, NULL));
    end_machine(&m);
    works(pool);
    CHECK_EQ(members(), 3); /* this process, the supervisor, one worker */
    free_whole(pool);
}
