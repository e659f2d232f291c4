/* limits.c - what this process may use, before the kernel says so the hard way.
 *
 * Idea.  Going past a cgroup's memory limit is answered with SIGKILL, not with an error. So we look
 * first. A process sits in a tree of cgroups, and each one on the way to the root has a say:
 *
 *     /sys/fs/cgroup          memory.max = max
 *      `- kubepods            memory.max = 8 GiB
 *          `- pod42           memory.max = 1 GiB  <- /proc/self/cgroup names this one
 *
 * Rules.
 *   R1  Every level is asked, and a file that is not there says nothing. So the same walk serves
 *       version 1, version 2, both at once, and containers, which see their own group as the root.
 *   R2  File pages count as free: the kernel drops them before it kills. A container that has read
 *       many files would otherwise look full for ever.
 *   R3  Nothing is kept between calls: a process may be moved, and limits change.
 *
 * Death.  Nothing here is shared.
 *
 * Not here.  Limits on files (RLIMIT_FSIZE): memory.c, beside the call that they concern.
 */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_ROOM 2048
#define NO_LIMIT UINT64_MAX

typedef void visit(const char *dir, bool version_2, void *ctx);

#if KIN__TESTING
static const char *pretended_root = "";

void kin__os_pretend_root(const char *root)
{
    pretended_root = root != NULL ? root : "";
}
#define ROOT pretended_root
#else
#define ROOT ""
#endif

int kin__os_read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    size_t length = 0;
    ssize_t n;
    do {
        n = read(fd, buffer + length, size - 1 - length);
        length += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && length < size - 1) || (n < 0 && errno == EINTR));
    int rv = n < 0 ? -errno : (int)length;
    close(fd);
    buffer[length] = '\0';
    return rv;
}

static int read_below(const char *dir, const char *file, char *buffer, size_t size)
{
    char path[PATH_ROOM];
    int length = snprintf(path, sizeof path, "%s/%s", dir, file);
    if (length >= (int)sizeof path) {
        return -ENAMETOOLONG;
    }
    return kin__os_read_file(path, buffer, size);
}

/* "max" and version 1's "-1" are both NO_LIMIT. */
static uint64_t parse(const char *text, char **ret_end)
{
    if (strncmp(text, "max", 3) == 0) {
        *ret_end = (char *)text + 3;
        return NO_LIMIT;
    }
    return strtoull(text, ret_end, 10);
}

static bool read_number(const char *dir, const char *file, uint64_t *ret_number)
{
    char text[64];
    if (read_below(dir, file, text, sizeof text) <= 0) {
        return false;
    }
    char *end;
    uint64_t number = parse(text, &end);
    if (end == text) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* The number behind a name at the beginning of a line, or 0. */
static uint64_t find_field(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0) {
            return strtoull(line + length, NULL, 10);
        }
    }
    return 0;
}

/* ---- the walk ------------------------------------------------------------------------- */

/* Calls `look` for root/path, its parent, ... and the root itself. */
static void walk_up(const char *root, const char *path, bool version_2, visit *look, void *ctx)
{
    char dir[PATH_ROOM];
    size_t root_length = strlen(root);
    int length = snprintf(dir, sizeof dir, "%s%s", root, path);
    if (length >= (int)sizeof dir) {
        return;
    }
    look(dir, version_2, ctx);
    while (strlen(dir) > root_length) {
        *strrchr(dir, '/') = '\0';
        look(dir, version_2, ctx);
    }
}

static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ',';
        bool ends = at[length] == '\0' || at[length] == ',';
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

/* `mount` is a directory in /sys/fs/cgroup, or "" for that one itself. */
static void walk_mount(const char *mount, const char *path, visit *look, void *ctx)
{
    char root[PATH_ROOM];
    bool version_2 = *mount == '\0';
    snprintf(root, sizeof root, "%s/sys/fs/cgroup%s%s", ROOT, version_2 ? "" : "/", mount);
    walk_up(root, strcmp(path, "/") == 0 ? "" : path, version_2, look, ctx);
}

/* A line of /proc/self/cgroup: "4:cpu,cpuacct:/path" of version 1, "0::/path" of version 2. A mount
 * of several controllers has the name of their list, and usually a link from the name of each. */
static void walk_line(char *line, const char *controller, visit *look, void *ctx)
{
    char *list = strchr(line, ':');
    char *path = list != NULL ? strchr(list + 1, ':') : NULL;
    if (path == NULL) {
        return;
    }
    *list++ = '\0';
    *path++ = '\0';
    if (*list != '\0' && !list_has(list, controller)) {
        return;
    }
    walk_mount(list, path, look, ctx);
    if (*list != '\0' && strcmp(list, controller) != 0) {
        walk_mount(controller, path, look, ctx);
    }
}

static void walk_cgroups(const char *controller, visit *look, void *ctx)
{
    char text[8192];
    if (read_below(ROOT, "proc/self/cgroup", text, sizeof text) <= 0) {
        return;
    }
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        walk_line(line, controller, look, ctx);
    }
}

/* ---- memory --------------------------------------------------------------------------- */

struct need {
    uint64_t size;
    bool fits;
};

static uint64_t reclaimable(const char *dir, bool version_2)
{
    char text[4096];
    if (read_below(dir, "memory.stat", text, sizeof text) <= 0) {
        return 0;
    }
    return find_field(text, version_2 ? "inactive_file " : "total_inactive_file ") +
           find_field(text, version_2 ? "active_file " : "total_active_file ");
}

static void look_at_memory(const char *dir, bool version_2, void *ctx)
{
    struct need *need = ctx;
    uint64_t limit;
    uint64_t used;
    if (!read_number(dir, version_2 ? "memory.max" : "memory.limit_in_bytes", &limit) ||
        limit == NO_LIMIT ||
        !read_number(dir, version_2 ? "memory.current" : "memory.usage_in_bytes", &used)) {
        return;
    }
    uint64_t room = limit > used ? limit - used : 0;
    if (room < need->size) { /* the statistics are dear, so only now */
        room += reclaimable(dir, version_2);
    }
    need->fits = need->fits && room >= need->size;
}

/* The margin is for what comes along with memory (page tables, the file's index), and for others
 * who take some between our look and our step. */
static bool machine_has(uint64_t size)
{
    char text[1024];
    if (read_below(ROOT, "proc/meminfo", text, sizeof text) <= 0) {
        return true;
    }
    uint64_t available = find_field(text, "MemAvailable:") * 1024;
    uint64_t margin = find_field(text, "MemTotal:") * 1024 / 128;
    return available >= margin && available - margin >= size;
}

bool kin__os_has_memory(uint64_t size)
{
    const uint64_t margin = (UINT64_C(2) << 20) + size / 64;
    if (size > UINT64_MAX - margin || !machine_has(size)) {
        return false;
    }
    struct need need = { .size = size + margin, .fits = true };
    walk_cgroups("memory", look_at_memory, &need);
    return need.fits;
}

/* A group counts what was killed in it and below it. */
static void look_at_kills(const char *dir, bool version_2, void *ctx)
{
    uint64_t *kills = ctx;
    char text[512];
    if (read_below(dir, version_2 ? "memory.events" : "memory.oom_control", text, sizeof text) >
        0) {
        *kills += find_field(text, "oom_kill ");
    }
}

uint64_t kin__os_oom_kills(void)
{
    uint64_t kills = 0;
    walk_cgroups("memory", look_at_kills, &kills);
    char text[16384];
    if (read_below(ROOT, "proc/vmstat", text, sizeof text) > 0) {
        kills += find_field(text, "oom_kill ");
    }
    return kills;
}

uint64_t kin__os_resident(void)
{
    char text[128];
    unsigned long pages = 0;
    if (read_below("/proc/self", "statm", text, sizeof text) > 0) {
        char *end;
        (void)strtoul(text, &end, 10); /* its size in addresses */
        pages = strtoul(end, NULL, 10);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t kin__os_address_room(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return UINT64_MAX;
    }
    uint64_t pages = 0;
    read_number("/proc/self", "statm", &pages);
    uint64_t used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

/* ---- processors ----------------------------------------------------------------------- */

static void look_at_quota(const char *dir, bool version_2, void *ctx)
{
    uint64_t *cpus = ctx;
    char text[64];
    uint64_t quota = NO_LIMIT;
    uint64_t period = 0;
    if (!version_2) {
        read_number(dir, "cpu.cfs_quota_us", &quota);
        read_number(dir, "cpu.cfs_period_us", &period);
    } else if (read_below(dir, "cpu.max", text, sizeof text) > 0) {
        char *end;
        quota = parse(text, &end);
        period = parse(end, &end);
    }
    if (quota == NO_LIMIT || period == 0) {
        return;
    }
    uint64_t allowed = quota / period + (quota % period != 0);
    *cpus = allowed < *cpus ? allowed : *cpus;
}

static uint64_t count_affinity(void)
{
    cpu_set_t sets[8]; /* the kernel's most is 8192 processors */
    if (sched_getaffinity(0, sizeof sets, sets) < 0) {
        return 1;
    }
    return (uint64_t)CPU_COUNT_S(sizeof sets, sets);
}

int kin__os_cpu_count(void)
{
    uint64_t cpus = count_affinity();
    walk_cgroups("cpu", look_at_quota, &cpus);
    return cpus > 0 ? (int)cpus : 1;
}

/* The number that *text begins with, and past it; -1 when there is none. */
static long take_number(const char **text)
{
    if (**text < '0' || **text > '9') {
        return -1;
    }
    char *end;
    long number = strtol(*text, &end, 10);
    *text = end;
    return number <= INT_MAX ? number : -1;
}

/* How many numbers there are in "0-3,8,10-11"; 0 when that is no such list. */
static long count_list(const char *text)
{
    for (long count = 0;; text++) {
        long from = take_number(&text);
        long to = from;
        if (*text == '-') {
            text++;
            to = take_number(&text);
        }
        if (from < 0 || to < from) {
            return 0;
        }
        count += to - from + 1;
        if (*text != ',') {
            return count;
        }
    }
}

/* The kernel's list first: sysconf counts no more than the affinity has in musl, and in glibc
 * 2.34. */
int kin__os_processors(void)
{
    char text[4096];
    bool told = read_below(ROOT, "sys/devices/system/cpu/online", text, sizeof text) > 0;
    long n = told ? count_list(text) : 0;
    n = n > 0 ? n : sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n <= INT_MAX ? (int)n : 1;
}
