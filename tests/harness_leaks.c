/* harness_leaks.c - what a test left behind.
 *
 * Idea. A leak is a line of text ("descriptor 5: /etc/passwd") that is there after the test and was
 * not before it; a test's leaks are the difference of two lists of such lines. */
#include "harness_room.h"
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

int64_t grace = 3000000000;

static void add(struct list *list, const char *format, ...) KIN_PRINTF(2, 3);

static void add(struct list *list, const char *format, ...)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->lines = realloc(list->lines, list->room * LINE_SIZE);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(list->lines[list->count++], LINE_SIZE, format, args);
    va_end(args);
}

static bool has(const struct list *list, const char *line)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->lines[i], line) == 0) {
            return true;
        }
    }
    return false;
}

#define DOMAIN "/memfd:kin (deleted)"

/* One descriptor of the domain is left out, the one that rings bells, those by which pollers are
 * interrupted, and the file through which Check talks. */
static void list_descriptors(struct list *list)
{
    DIR *dir = opendir("/proc/self/fd");
    bool domain = false;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char target[LINE_SIZE - 32];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        int fd = atoi(entry->d_name);
        if (n < 0 || fd == dirfd(dir) || fd == kin__os_ringer() || kin__os_is_seat(fd)) {
            continue;
        }
        target[n] = '\0';
        if (strstr(target, "/check_")) {
            continue;
        }
        if (!domain && strcmp(target, DOMAIN) == 0) {
            domain = true;
            continue;
        }
        add(list, "descriptor %d: %s", fd, target);
    }
    closedir(dir);
}

int test_count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        n += kin__os_is_open(fd) && !kin__os_is_seat(fd);
    }
    return n;
}

/* What ld.so and libc map by themselves, and the domain, are left out. */
static bool is_ours(const char *path)
{
    return (path[0] == '/' && strncmp(path, "/usr/", 5) != 0 && strncmp(path, "/lib", 4) != 0 &&
            strcmp(path, DOMAIN) != 0);
}

static void list_mappings(struct list *list)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4096 + 128];
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end, inode;
        char path[4096] = "";
        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu %4095[^\n]", &begin, &end, &inode, path) == 4 &&
            is_ours(path)) {
            add(list, "mapping of %.200s, %lu KiB (inode %lu)", path, (end - begin) / 1024, inode);
        }
    }
    if (maps) {
        fclose(maps);
    }
}

/* /dev/shm is the machine's, and suites beside this one leave names there for a moment. Who may do
 * so has one of his own; others only know what the harness's own test leaves on purpose. */
void have_own_names(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0) {
        (void)mount("kin-tests", "/dev/shm", "tmpfs", 0, "mode=1777");
    }
}

static bool is_somebody_elses(const char *name)
{
    return strncmp(name, "kin-harness", 11) == 0 &&
           strcmp(program_invocation_short_name, "harness_test") != 0;
}

static void list_names(struct list *list)
{
    DIR *dir = opendir("/dev/shm");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (is_somebody_elses(entry->d_name)) {
            continue;
        }
        add(list, "name in /dev/shm: %s", entry->d_name);
    }
    if (dir) {
        closedir(dir);
    }
}

void list_all(struct list *list)
{
    list_descriptors(list);
    list_mappings(list);
    list_names(list);
}

void check_left(const struct list *before, const char *when)
{
    struct list after = { 0 };
    list_all(&after);
    for (size_t i = 0; i < after.count; i++) {
        if (!has(before, after.lines[i])) {
            ck_abort_msg("left behind%s: %s", when, after.lines[i]);
        }
    }
    free(after.lines);
}

/* ---- processes ------------------------------------------------------------------------ */

struct process_stat {
    char name[64], state;
    int parent, group;
};

static bool read_stat(const char *path, struct process_stat *ret)
{
    char text[512];
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) {
        fclose(file);
    }
    text[n] = '\0';
    char *open = strchr(text, '('), *close = strrchr(text, ')'); /* names may hold any character */
    if (!open || !close) {
        return false;
    }
    snprintf(ret->name, sizeof ret->name, "%.*s", (int)(close - open - 1), open + 1);
    return sscanf(close + 1, " %c %d %d", &ret->state, &ret->parent, &ret->group) == 3;
}

bool test_is_asleep(pid_t tid)
{
    char path[64];
    struct process_stat stat;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)tid);
    return read_stat(path, &stat) && stat.state == 'S';
}

void check_children(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid > 0) {
        ck_abort_msg("left behind: child %d, which ended (status %#x) and was never waited for",
                     (int)pid, (unsigned)status);
    }
    if (pid == 0) {
        ck_abort_msg("left behind: a child that still runs");
    }
}

/* Another process that runs in the group that Check gave this test, where grandchildren stay. */
static pid_t find_relative(struct process_stat *ret)
{
    pid_t found = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; found == 0 && dir && (entry = readdir(dir));) {
        char path[64];
        pid_t pid = atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        bool is_one = pid > 0 && pid != getpid() && read_stat(path, ret) &&
                      ret->group == getpgrp() && ret->state != 'Z';
        found = is_one ? pid : 0;
    }
    closedir(dir);
    return found;
}

bool test_is_alone(void)
{
    struct process_stat stat;
    return find_relative(&stat) == 0;
}

/* They may still be about to end. */
void check_descendants(void)
{
    struct process_stat stat;
    int64_t deadline = kin__os_now() + grace;
    for (pid_t pid; (pid = find_relative(&stat)) != 0;) {
        if (kin__os_now() > deadline) {
            ck_abort_msg("left behind: process %d (%s), still running", (int)pid, stat.name);
        }
        test_nap();
    }
}
