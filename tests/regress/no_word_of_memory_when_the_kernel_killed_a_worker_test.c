/* In Python a worker that the kernel kills for want of memory is just gone: "A process in the
 * process pool was terminated abruptly". Here the failure says that memory had likely run out. */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define LIMIT "33554432"
#define MUCH ((size_t)256 << 20)

/* The path of this process's group, in the hierarchy that has memory; false: there is none. */
static bool find_group(char *path, size_t size)
{
    char line[512];
    char own[400];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        const char *root = strstr(line, ":memory:") != NULL ? "/sys/fs/cgroup/memory"
                           : strncmp(line, "0::", 3) == 0   ? "/sys/fs/cgroup"
                                                            : NULL;
        const char *at = root != NULL ? strrchr(line, ':') + 1 : "";
        (void)snprintf(own, sizeof own, "%.*s", (int)strcspn(at, "\n"), at);
        (void)snprintf(path, size, "%s%s", root != NULL ? root : "", own);
        found = root != NULL && access(path, W_OK) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static bool write_to(const char *group, const char *name, const char *text)
{
    char path[700];
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return written;
}

/* A group of its own with little memory, or none. */
static bool make_group(char *group, size_t size)
{
    char own[512];
    if (!find_group(own, sizeof own)) {
        return false;
    }
    (void)snprintf(group, size, "%s/kin-test-%d", own, (int)getpid());
    if (mkdir(group, 0700) != 0) {
        return false;
    }
    if (write_to(group, "memory.limit_in_bytes", LIMIT) || write_to(group, "memory.max", LIMIT)) {
        (void)write_to(group, "memory.swap.max", "0");
        return true;
    }
    rmdir(group);
    return false;
}

/* "0" is who writes it. */
static kin_obj eat(kin_obj args)
{
    if (!write_to(kin_arg_str(args, 0), "cgroup.procs", "0")) {
        return kin_error(KIN_EUSER, "the worker cannot go there");
    }
    char *much = malloc(MUCH);
    memset(much, 7, MUCH);
    int64_t sum = much[getpid() % 4096];
    free(much);
    return kin_int(sum);
}

TEST(a_worker_that_the_kernel_killed_for_want_of_memory_is_said_to_be)
{
    char group[600];
    if (!make_group(group, sizeof group)) {
        SKIP("no memory group can be made here: that wants root, and a cgroup that may be written");
    }
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_failure failure;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, eat, kin_args(kin_str(group)), NULL, &future));
    int rv = kin_future_get(future, &o, KIN_FOREVER);
    WAIT_UNTIL(rmdir(group) == 0 || errno == ENOENT);
    CHECK_ERROR(rv, KIN_ECRASHED);
    CHECK_OK(kin_future_failure(future, &failure));
    CHECK_EQ(failure.signal, SIGKILL);
    CHECK(failure.out_of_memory);
    CHECK_CONTAINS(failure.text, "likely out of memory");
    kin_future_free(future);
    free_whole(pool);
}
