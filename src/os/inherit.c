/* inherit.c - what a process takes over from the one that starts it: signals, directory,
 * descriptors, the program; and the tie by which it dies with it.
 *
 * The tie. A pipe that its reader asks to signal him (O_ASYNC) sends SIGKILL (F_SETSIG) when the
 * last writer is gone: also to one that spins with all signals blocked. Whom it signals belongs to
 * the open file, which relatives share; so each reader opens the pipe anew, through /proc.
 *
 * Death. The writing end is in one process alone, so the kernel closes it when that process ends,
 * however it does, and not before: threads may come and go (PR_SET_PDEATHSIG looks at a thread).
 */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "/proc/self/exe"

_Static_assert(sizeof(sigset_t) <= KIN__SIGNALS_SIZE, "a kin__signals has room for two sets");

/* ---- signals --------------------------------------------------------------------------- */

void kin__os_get_signals(kin__signals *ret)
{
    sigset_t mask;
    sigset_t ignored;
    sigemptyset(&ignored);
    for (int i = 1; i < NSIG; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
            sigaddset(&ignored, i);
        }
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    memcpy(ret->mask, &mask, sizeof mask);
    memcpy(ret->ignored, &ignored, sizeof ignored);
}

void kin__os_set_signals(const kin__signals *signals)
{
    sigset_t mask;
    sigset_t ignored;
    memcpy(&mask, signals->mask, sizeof mask);
    memcpy(&ignored, signals->ignored, sizeof ignored);
    for (int i = 1; i < NSIG; i++) {
        struct sigaction now;
        void (*wanted)(int) = sigismember(&ignored, i) == 1 ? SIG_IGN : SIG_DFL;
        if (sigaction(i, NULL, &now) == 0 && now.sa_handler != wanted) {
            struct sigaction then = { .sa_handler = wanted };
            sigaction(i, &then, NULL);
        }
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

bool kin__os_signal_name(int signal, char name[KIN__SIGNAL_NAME])
{
    const char *known = sigabbrev_np(signal);
    (void)snprintf(name, KIN__SIGNAL_NAME, "SIG%s", known != NULL ? known : "");
    return known != NULL;
}

/* ---- descriptors ------------------------------------------------------------------------ */

int kin__os_open_cwd(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

int kin__os_chdir_to(int directory)
{
    return fchdir(directory) < 0 ? -errno : 0;
}

bool kin__os_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int kin__os_move_above(int fd, int least)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (moved < 0) {
        return -errno;
    }
    close(fd);
    return moved;
}

int kin__os_clear_of_stdio(int fd)
{
    int moved = fd >= 0 && fd <= STDERR_FILENO ? kin__os_move_above(fd, STDERR_FILENO + 1) : fd;
    if (moved < 0 && fd >= 0) {
        close(fd);
    }
    return moved;
}

int kin__os_clear_both(const int ends[2], int ret_ends[2])
{
    int a = kin__os_clear_of_stdio(ends[0]);
    int b = kin__os_clear_of_stdio(ends[1]);
    if (a >= 0 && b >= 0) {
        ret_ends[0] = a;
        ret_ends[1] = b;
        return 0;
    }
    if (a >= 0) {
        close(a);
    }
    if (b >= 0) {
        close(b);
    }
    return a < 0 ? a : b;
}

int kin__os_move_to(int fd, int number)
{
    if (fd == number) {
        return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
    }
    if (dup2(fd, number) < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

int kin__os_replace(int fd, int number)
{
    if (dup3(fd, number, O_CLOEXEC) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    close(fd);
    return 0;
}

int kin__os_keep_from_exec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int kin__os_map_file(int fd, size_t size, void **ret_at)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    *ret_at = at;
    return 0;
}

int kin__os_file_size(int fd, uint64_t *ret_size)
{
    struct stat file;
    if (fstat(fd, &file) < 0) {
        return -errno;
    }
    *ret_size = (uint64_t)file.st_size;
    return 0;
}

/* ---- the program ------------------------------------------------------------------------ */

/* By its own name if that still leads to it: then ps shows that, and not "exe". */
int kin__os_own_program(char *path, size_t size)
{
    struct stat by_link;
    struct stat by_name;
    ssize_t length = readlink(PROGRAM, path, size - 1);
    if (length < 0 || stat(PROGRAM, &by_link) < 0) {
        return length < 0 ? -errno : -ENOENT;
    }
    path[length] = '\0';
    if (stat(path, &by_name) < 0 || by_name.st_ino != by_link.st_ino ||
        by_name.st_dev != by_link.st_dev) {
        snprintf(path, size, "%s", PROGRAM);
    }
    return 0;
}

extern char **environ;

const char *const *kin__os_environment(void)
{
    return (const char *const *)environ;
}

int kin__os_exec(const char *path, const char *const *argv, const char *const *env)
{
    execve(path, (char *const *)argv, (char *const *)env);
    return -errno;
}

/* ---- the tie ---------------------------------------------------------------------------- */

int kin__os_die_with_writer(int pipe_end)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipe_end);
    int own = kin__os_clear_of_stdio(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (own < 0) {
        return -errno;
    }
    if (fcntl(own, F_SETSIG, SIGKILL) < 0 || fcntl(own, F_SETOWN, getpid()) < 0 ||
        fcntl(own, F_SETFL, O_NONBLOCK | O_ASYNC) < 0) {
        int error = errno;
        close(own);
        return -error;
    }
    struct pollfd writer = { .fd = own, .events = POLLIN };
    if (poll(&writer, 1, 0) > 0) { /* he had gone before: there will be no signal */
        close(own);
        return -ESRCH;
    }
    return own;
}
