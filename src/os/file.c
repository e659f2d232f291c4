/* file.c - a file that processes write to in turn, each while it has the file's lock. The lock
 * belongs to the open file, and is free when its holder is gone, or unlocks it: also one that a
 * child forked meanwhile has a copy of. */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAP 100000 /* ns between two tries: no wait for the lock could be ended */

static int lock(int fd, int64_t deadline)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int64_t now = kin__os_now();
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return -errno;
        }
        if (now >= deadline) {
            return -ETIMEDOUT;
        }
        kin__os_sleep_until(now + NAP);
    }
    return 0;
}

int kin__os_file_lock(const char *path, int64_t deadline)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    fd = fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
    if (fd < 0) {
        return fd;
    }
    struct stat is;
    int rv = fstat(fd, &is) < 0 ? -errno : S_ISREG(is.st_mode) ? 0 : -EINVAL;
    rv = rv < 0 ? rv : lock(fd, deadline);
    if (rv < 0) {
        close(fd);
        return rv;
    }
    return fd;
}

void kin__os_file_unlock(int fd)
{
    (void)flock(fd, LOCK_UN);
    close(fd);
}

ssize_t kin__os_file_read(int fd, void *buffer, size_t size, uint64_t offset)
{
    ssize_t n;
    do {
        n = pread(fd, buffer, size, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Past the limit a write raises SIGXFSZ, which kills. */
static bool is_allowed(uint64_t end)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
           end <= limit.rlim_cur;
}

int kin__os_file_write(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const char *from = bytes;
    if (!is_allowed(offset + size)) {
        return -EFBIG;
    }
    while (size > 0) {
        ssize_t n = KIN__FAULT(KIN__FAULT_CALL) ? 0 : pwrite(fd, from, size, (off_t)offset);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return n == 0 ? -ENOSPC : -errno;
        }
        from += n > 0 ? n : 0;
        offset += n > 0 ? (uint64_t)n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int kin__os_file_cut(int fd, uint64_t size)
{
    int rv;
    do {
        rv = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
    } while (rv == -EINTR);
    return rv;
}
