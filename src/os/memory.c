/* memory.c - memory files, their mapping and their growth; and the heap.
 *
 * Whoever grows a memory file past a limit is killed by the kernel, where a full disk would be an
 * error. kin__os_commit looks at the limits first and refuses in time. Between that look and the
 * step another process may take the room: it is as good as it gets, and no proof. */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define LITTLE 65536 /* bytes: looking whether there is room for them costs more than they do */

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3; some machines allow no other kind */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int kin__os_memfd(const char *name)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0) {
        return -errno;
    }
    /* a relative that truncated the file would have all others die of SIGBUS */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int kin__os_map_at(void *at, size_t size, int fd)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    void *got = mmap(at, size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);
    if (got == MAP_FAILED) {
        return -errno;
    }
    if (got != at) { /* old kernels and valgrind take the address for a hint */
        munmap(got, size);
        return -EEXIST;
    }
    /* a core dump of the whole reservation would take minutes; without it we merely lose time */
    madvise(at, size, MADV_DONTDUMP);
    return 0;
}

int kin__os_wiped_page(size_t size, void **ret_page)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return -errno;
    }
    if (madvise(page, size, MADV_WIPEONFORK) < 0) {
        int error = errno;
        munmap(page, size);
        return -error;
    }
    *ret_page = page;
    return 0;
}

int kin__os_shared_memory(size_t size, void **ret_at)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    *ret_at = at;
    return 0;
}

void kin__os_unmap(void *at, size_t size)
{
    munmap(at, size);
}

/* RLIMIT_FSIZE counts for memory files too, and raises SIGXFSZ, which kills. */
static bool file_may_reach(uint64_t end)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    return end <= limit.rlim_cur;
}

/* On older kernels an interrupted fallocate gives back all it had, and under a fast timer it would
 * start over for ever. So signals wait until it is done. */
static int fallocate_whole(int fd, int mode, uint64_t offset, uint64_t size)
{
    sigset_t all;
    sigset_t saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    int rv;
    do {
        rv = fallocate(fd, mode, (off_t)offset, (off_t)size) < 0 ? -errno : 0;
    } while (rv == -EINTR);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return rv;
}

int kin__os_commit(int fd, uint64_t offset, uint64_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOSPC;
    }
    if (size == 0) {
        return 0;
    }
    if (size > INT64_MAX || offset > INT64_MAX - size || !file_may_reach(offset + size) ||
        (size > LITTLE && !kin__os_has_memory(size))) {
        return -ENOSPC;
    }
    return fallocate_whole(fd, 0, offset, size);
}

int kin__os_punch(int fd, uint64_t offset, uint64_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    if (size == 0) {
        return 0;
    }
    return fallocate_whole(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

int kin__os_random(void *buffer, size_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOSYS;
    }
    unsigned char *at = buffer;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* ---- the heap ------------------------------------------------------------------------- */

static bool heap_fails(void)
{
    if (KIN__FAULT(KIN__FAULT_MEMORY)) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *kin__os_malloc(size_t size)
{
    return heap_fails() ? NULL : malloc(size > 0 ? size : 1);
}

void *kin__os_calloc(size_t count, size_t size)
{
    bool none = count == 0 || size == 0;
    return heap_fails() ? NULL : calloc(none ? 1 : count, none ? 1 : size);
}

void *kin__os_realloc(void *p, size_t size)
{
    return heap_fails() ? NULL : realloc(p, size > 0 ? size : 1); /* size 0 would free p */
}

void kin__os_free(void *p)
{
    free(p);
}

/* ---- memory of a thread ---------------------------------------------------------------------- */

static pthread_key_t kept;
static int kept_error;

static void make_kept(void)
{
    kept_error = pthread_key_create(&kept, free);
}

int kin__os_keep_for_thread(void *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_kept);
    return kept_error != 0 ? -kept_error : -pthread_setspecific(kept, p);
}
