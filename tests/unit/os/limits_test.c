#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* A directory that pretends to be the root of a machine, with files in /proc and /sys. */
static char root[64];
static char made[64][128]; /* files and directories, in the order they were made */
static int made_count;

static void remember(const char *path)
{
    snprintf(made[made_count++], sizeof made[0], "%s", path);
}

static void put(const char *path, const char *text)
{
    char whole[128];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(whole, 0700) == 0) {
            remember(whole);
        }
        *slash = '/';
    }
    int fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        remember(whole);
    } else {
        fd = open(whole, O_WRONLY | O_TRUNC | O_CLOEXEC);
    }
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void begin_machine(const char *cgroup)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/kin-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    CHECK_NOT_NULL(mkdtemp(root));
    put("/proc/self/cgroup", cgroup);
    kin__os_pretend_root(root);
}

static void end_machine(void)
{
    kin__os_pretend_root(NULL);
    while (made_count > 0) {
        remove(made[--made_count]);
    }
    CHECK_EQ(rmdir(root), 0);
}

/* ---- processors ----------------------------------------------------------------------- */

static int count_affinity(void)
{
    cpu_set_t set;
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

static int at_most_affinity(int n)
{
    int affinity = count_affinity();
    return n < affinity ? n : affinity;
}

TEST(this_machine_has_a_processor)
{
    CHECK_GE(kin__os_cpu_count(), 1);
    CHECK_LE(kin__os_cpu_count(), count_affinity());
}

static int count_on_one(void *ctx)
{
    cpu_set_t set = *(cpu_set_t *)ctx;
    size_t first = 0;
    while (!CPU_ISSET(first, &set)) {
        first++;
    }
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    sched_setaffinity(0, sizeof set, &set);
    return kin__os_cpu_count();
}

TEST(affinity_limits_the_count)
{
    cpu_set_t set;
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    CHECK_EQ(test_join(test_child(count_on_one, &set)), 1);
}

TEST(without_cgroups_affinity_alone_counts)
{
    begin_machine("");
    CHECK_EQ(kin__os_cpu_count(), count_affinity());
    end_machine();
}

TEST(a_quota_is_rounded_up)
{
    begin_machine("0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    put("/sys/fs/cgroup/a/cpu.max", "100000 100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    put("/sys/fs/cgroup/a/cpu.max", "100001 100000\n");
    CHECK_EQ(kin__os_cpu_count(), at_most_affinity(2));
    put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    CHECK_EQ(kin__os_cpu_count(), count_affinity());
    end_machine();
}

TEST(the_quota_of_any_ancestor_counts)
{
    begin_machine("0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "20000 100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    end_machine();
}

TEST(a_container_sees_its_own_quota_at_the_root)
{
    begin_machine("0::/outer/name\n");
    put("/sys/fs/cgroup/cpu.max", "20000 100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    end_machine();
}

TEST(a_quota_of_version_1_counts)
{
    begin_machine("9:cpuacct,cpu:/a:b\n8:memory:/\n0::/\n");
    put("/sys/fs/cgroup/cpu/a:b/cpu.cfs_quota_us", "20000\n");
    put("/sys/fs/cgroup/cpu/a:b/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    put("/sys/fs/cgroup/cpu/a:b/cpu.cfs_quota_us", "-1\n");
    CHECK_EQ(kin__os_cpu_count(), count_affinity());
    end_machine();
}

TEST(a_quota_of_version_1_is_rounded_up_and_of_any_ancestor)
{
    begin_machine("9:cpu,cpuacct:/a/b/c\n");
    put("/sys/fs/cgroup/cpu/a/b/c/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/a/b/c/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(kin__os_cpu_count(), count_affinity());
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100001\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(kin__os_cpu_count(), at_most_affinity(2));
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "1000\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    end_machine();
}

TEST(a_container_of_version_1_sees_its_own_quota_at_the_root)
{
    begin_machine("4:cpu,cpuacct:/docker/0123abcd\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    end_machine();
}

TEST(a_mount_of_version_1_may_have_the_name_of_all_its_controllers)
{
    begin_machine("4:cpu,cpuacct:/a\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    end_machine();
}

TEST(the_least_quota_of_a_nest_counts)
{
    begin_machine("0::/a/b\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    CHECK_EQ(kin__os_cpu_count(), at_most_affinity(2));
    put("/sys/fs/cgroup/a/b/cpu.max", "1000 100000\n");
    CHECK_EQ(kin__os_cpu_count(), 1);
    end_machine();
}

TEST(a_quota_of_no_sense_says_nothing)
{
    static const char *const texts[] = { "", "\n", "0", "0 0", "x y", "100000", "100000 0", "max" };
    begin_machine("0::/a\ngarbage\n:\n::\n5:cpu\n\n9:xcpu,cpux:/a\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "1\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "1\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("/sys/fs/cgroup/a/cpu.max", texts[i]);
        CHECK_EQ(kin__os_cpu_count(), count_affinity());
    }
    end_machine();
}

TEST(all_processors_are_those_that_are_online)
{
    static const struct {
        const char *list;
        int count;
    } lists[] = { { "0\n", 1 },   { "0-3\n", 4 },       { "0-3,8,10-11\n", 7 },
                  { "1,3\n", 2 }, { "0-8191\n", 8192 }, { "0-1", 2 } };
    begin_machine("0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "1000 100000\n");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        put("/sys/devices/system/cpu/online", lists[i].list);
        CHECK_EQ(kin__os_processors(), lists[i].count);
    }
    end_machine();
}

TEST(a_list_of_processors_of_no_sense_is_not_believed)
{
    static const char *const lists[] = {
        "", "\n", "x", "3-1", "-1", "0-", "0,", "0-99999999999", "0-99999999999999999999",
    };
    begin_machine("");
    int machine = kin__os_processors();
    CHECK_GE(machine, 1);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        put("/sys/devices/system/cpu/online", lists[i]);
        CHECK_EQ(kin__os_processors(), machine);
    }
    end_machine();
}

static int count_all_on_one(void *ctx)
{
    count_on_one(ctx);
    return kin__os_processors();
}

TEST(affinity_does_not_limit_the_count_of_all)
{
    cpu_set_t set;
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    int all = kin__os_processors();
    CHECK_GE(all, count_affinity());
    CHECK_EQ(test_join(test_child(count_all_on_one, &set)), all & 0xff);
}

/* ---- memory --------------------------------------------------------------------------- */

TEST(this_machine_has_a_page_but_not_everything)
{
    CHECK(kin__os_has_memory(4096));
    CHECK(!kin__os_has_memory(UINT64_C(1) << 60));
    CHECK(!kin__os_has_memory(UINT64_MAX));
}

TEST(what_cannot_be_seen_refuses_nothing)
{
    begin_machine("0::/a\n");
    CHECK(kin__os_has_memory(1000 * GIB));
    put("/sys/fs/cgroup/a/memory.max", "garbage");
    put("/sys/fs/cgroup/a/memory.current", "garbage");
    CHECK(kin__os_has_memory(1000 * GIB));
    end_machine();
}

TEST(a_cgroups_limit_refuses_what_does_not_fit)
{
    begin_machine("0::/a\n");
    put("/sys/fs/cgroup/a/memory.max", "104857600\n");    /* 100 MiB */
    put("/sys/fs/cgroup/a/memory.current", "94371840\n"); /* 90 MiB */
    CHECK(kin__os_has_memory(7 * MIB));
    CHECK(!kin__os_has_memory(11 * MIB));
    put("/sys/fs/cgroup/a/memory.current", "209715200\n"); /* the limit was lowered */
    CHECK(!kin__os_has_memory(4096));
    put("/sys/fs/cgroup/a/memory.max", "max\n");
    CHECK(kin__os_has_memory(1000 * GIB));
    end_machine();
}

TEST(the_limit_of_any_ancestor_counts)
{
    begin_machine("0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/memory.current", "0\n");
    put("/sys/fs/cgroup/a/memory.max", "104857600\n");
    put("/sys/fs/cgroup/a/memory.current", "94371840\n");
    CHECK(kin__os_has_memory(7 * MIB));
    CHECK(!kin__os_has_memory(11 * MIB));
    end_machine();
}

TEST(file_pages_in_a_cgroup_count_as_free)
{
    begin_machine("0::/a\n");
    put("/sys/fs/cgroup/a/memory.max", "104857600\n");
    put("/sys/fs/cgroup/a/memory.current", "104857600\n");
    put("/sys/fs/cgroup/a/memory.stat", "anon 1\nfile 90\nworkingset_active_file 1073741824\n"
                                        "inactive_file 10485760\nactive_file 10485760\n");
    CHECK(kin__os_has_memory(17 * MIB));
    CHECK(!kin__os_has_memory(21 * MIB));
    end_machine();
}

TEST(a_limit_of_version_1_counts)
{
    begin_machine("9:cpu:/\n8:memory:/a/b\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "9000000000\n");
    put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600\n");
    put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "104857600\n");
    put("/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 1073741824\n"
                                               "total_inactive_file 10485760\n"
                                               "total_active_file 10485760\n");
    CHECK(kin__os_has_memory(17 * MIB));
    CHECK(!kin__os_has_memory(21 * MIB));
    end_machine();
}

TEST(the_machines_free_memory_counts)
{
    begin_machine("");
    put("/proc/meminfo", "MemTotal:        1048576 kB\n"
                         "MemFree:               0 kB\n"
                         "MemAvailable:     524288 kB\n");
    CHECK(kin__os_has_memory(500 * MIB));
    CHECK(!kin__os_has_memory(511 * MIB)); /* a margin stays */
    CHECK(!kin__os_has_memory(513 * MIB));
    end_machine();
}

/* ---- addresses ------------------------------------------------------------------------ */

static int look_at_address_room(void *ctx)
{
    char text[64];
    uint64_t *room = ctx;
    if (kin__os_read_file("/proc/self/statm", text, sizeof text) < 0) {
        return 1;
    }
    uint64_t used = strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (setrlimit(RLIMIT_AS, &(struct rlimit){ used + GIB, used + GIB }) < 0) {
        return 2;
    }
    *room = kin__os_address_room();
    return 0;
}

TEST(kills_for_want_of_memory_are_counted_in_both_versions_of_cgroups)
{
    begin_machine("0::/\n");
    CHECK_EQ(kin__os_oom_kills(), 0);
    put("/proc/vmstat", "nr_free_pages 100\noom_kill 3\nnr_dirty 7\n");
    CHECK_EQ(kin__os_oom_kills(), 3);
    put("/sys/fs/cgroup/memory.events", "low 1\nmax 4\noom 9\noom_kill 5\noom_group_kill 0\n");
    CHECK_EQ(kin__os_oom_kills(), 8);
    put("/proc/self/cgroup", "3:memory:/\n");
    put("/sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 20\n");
    CHECK_EQ(kin__os_oom_kills(), 23);
    end_machine();
}

TEST(address_room_is_what_the_limit_leaves)
{
    uint64_t *room = test_shared(sizeof *room);
    CHECK_EQ(test_join(test_child(look_at_address_room, room)), 0);
    CHECK_LE(*room, GIB);
    CHECK_GE(*room, GIB - 16 * MIB);
}

TEST(address_room_is_endless_without_a_limit)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur != RLIM_INFINITY) {
        SKIP("this process has a limit");
    }
    CHECK(kin__os_address_room() == UINT64_MAX);
}

/* ---- small files ---------------------------------------------------------------------- */

TEST(read_file_reads_the_beginning_as_a_string)
{
    char text[8];
    begin_machine("0123456789");
    char path[128];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    CHECK_EQ(kin__os_read_file(path, text, sizeof text), 7);
    CHECK_STR(text, "0123456");
    put("/proc/self/cgroup", "");
    CHECK_EQ(kin__os_read_file(path, text, sizeof text), 0);
    CHECK_STR(text, "");
    end_machine();
}

TEST(read_file_says_why_it_cannot)
{
    char text[8];
    CHECK_EQ(kin__os_read_file("/proc/no such file", text, sizeof text), -ENOENT);
    CHECK_EQ(kin__os_read_file("/proc", text, sizeof text), -EISDIR);
}
