#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *new_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/kin-file-test-%d", (int)getpid());
    unlink(path);
    return path;
}

TEST(a_locked_file_is_read_written_and_cut)
{
    const char *path = new_path();
    char text[16] = "";
    uint64_t size;
    int fd = kin__os_file_lock(path, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(kin__os_file_write(fd, "hello, world", 12, 0), 0);
    CHECK_EQ(kin__os_file_write(fd, "W", 1, 7), 0);
    CHECK_EQ(kin__os_file_cut(fd, 11), 0);
    CHECK_EQ(kin__os_file_size(fd, &size), 0);
    CHECK_EQ(size, 11);
    CHECK_EQ(kin__os_file_read(fd, text, sizeof text, 2), 9);
    CHECK_STR(text, "llo, Worl");
    CHECK_EQ(kin__os_file_read(fd, text, sizeof text, 11), 0);
    kin__os_file_unlock(fd);
    unlink(path);
}

TEST(one_at_a_time_has_the_lock)
{
    const char *path = new_path();
    int fd = kin__os_file_lock(path, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(kin__os_file_lock(path, 0), -ETIMEDOUT);
    CHECK_EQ(kin__os_file_lock(path, kin__os_now() + 1000000), -ETIMEDOUT);
    kin__os_file_unlock(fd);
    fd = kin__os_file_lock(path, 0);
    CHECK_GE(fd, 0);
    kin__os_file_unlock(fd);
    unlink(path);
}

static int lock_and_die(void *path)
{
    (void)kin__os_file_lock(path, 0);
    raise(SIGKILL);
    return 0;
}

TEST(the_lock_of_the_dead_is_free)
{
    const char *path = new_path();
    CHECK_EQ(test_join(test_child(lock_and_die, (void *)(uintptr_t)path)), -SIGKILL);
    int fd = kin__os_file_lock(path, 0);
    CHECK_GE(fd, 0);
    kin__os_file_unlock(fd);
    unlink(path);
}

TEST(what_is_no_regular_file_is_refused)
{
    const char *path = new_path();
    CHECK_EQ(kin__os_file_lock("/dev/null", 0), -EINVAL);
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(kin__os_file_lock(path, 0), -EINVAL);
    unlink(path);
    CHECK_EQ(kin__os_file_lock("/tmp", 0), -EISDIR);
    CHECK_EQ(kin__os_file_lock("/nowhere/at/all", 0), -ENOENT);
}

TEST(a_write_past_the_limit_fails_and_does_not_kill)
{
    const char *path = new_path();
    int fd = kin__os_file_lock(path, 0);
    struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int fits = kin__os_file_write(fd, "0123456789", 10, 0);
    int not = kin__os_file_write(fd, "x", 1, 10);
    limit.rlim_cur = RLIM_INFINITY; /* the framework writes files, too */
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_EQ(fits, 0);
    CHECK_EQ(not, -EFBIG);
    kin__os_file_unlock(fd);
    unlink(path);
}
