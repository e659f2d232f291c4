/* shm.c - segments of memory that have a name: files in /dev/shm.
 *
 * A name leads to a segment until somebody unlinks it, and may lead to another one after that. So
 * whoever wants to unlink his own, later, remembers which file it was; and holds a lock on the file
 * (which the kernel takes back when he dies), so that of two who look at once only one unlinks. */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name as shm_open wants it: with a slash. One that it has already makes no difference. */
static int with_slash(const char *name, char path[KIN__SHM_NAME + 1])
{
    size_t size = strlen(name);
    if (size >= KIN__SHM_NAME) {
        return -ENAMETOOLONG;
    }
    path[0] = '/';
    memcpy(path + 1, name, size + 1);
    return 0;
}

static int open_segment(const char *name, int flags)
{
    char path[KIN__SHM_NAME + 1];
    int rv = with_slash(name, path);
    if (rv < 0) {
        return rv;
    }
    int fd = shm_open(path, flags, 0600); /* close-on-exec by itself */
    return fd < 0 ? -errno : fd;
}

int kin__os_shm_create(const char *name, uint64_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = open_segment(name, O_CREAT | O_EXCL | O_RDWR);
    if (fd < 0) {
        return fd;
    }
    /* all of it, now: what is not there when it is written would be a SIGBUS */
    int rv = kin__os_commit(fd, 0, size);
    if (rv < 0) {
        kin__os_shm_unlink(name);
        close(fd);
        return rv;
    }
    return fd;
}

int kin__os_shm_open(const char *name)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    return open_segment(name, O_RDWR);
}

int kin__os_shm_unlink(const char *name)
{
    char path[KIN__SHM_NAME + 1];
    int rv = with_slash(name, path);
    return rv == 0 && shm_unlink(path) < 0 ? -errno : rv;
}

int kin__os_shm_look(int fd, uint64_t *ret_size, uint64_t *ret_id)
{
    struct stat file;
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EIO;
    }
    if (fstat(fd, &file) < 0) {
        return -errno;
    }
    *ret_size = (uint64_t)file.st_size;
    *ret_id = (uint64_t)file.st_ino;
    return 0;
}

/* 0 when it is that file. */
static int tell(int fd, uint64_t id)
{
    uint64_t found = 0;
    uint64_t size;
    int rv = kin__os_shm_look(fd, &size, &found);
    return rv == 0 && found != id ? -ENOENT : rv;
}

/* With the file locked. Until then somebody may have unlinked it, and made another. */
static int unlink_locked(int fd, const char *name, uint64_t id)
{
    int rv = tell(fd, id);
    int again = rv < 0 ? rv : open_segment(name, O_RDONLY);
    if (again < 0) {
        return again;
    }
    rv = tell(again, id);
    close(again);
    KIN__STEP("shm.found");
    return rv < 0 ? rv : kin__os_shm_unlink(name);
}

int kin__os_shm_unlink_own(const char *name, uint64_t id)
{
    int fd = open_segment(name, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    KIN__STEP("shm.opened");
    int rv = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : unlink_locked(fd, name, id);
    flock(fd, LOCK_UN); /* a child that was forked meanwhile has the descriptor, too */
    close(fd);
    return rv;
}
