/* os/room.h - the only door to the kernel.
 *
 * Every system call of the library is made in this room, for three reasons: the rest is portable
 * thought, faults can be injected here, and one place knows what a kernel may refuse. Functions
 * return 0 (or a count, or a descriptor) or -errno; they set no sentence, that is their callers'
 * job. Interrupted calls are retried here.
 */
#ifndef KIN_OS_ROOM_H
#define KIN_OS_ROOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- time (time.c) -------------------------------------------------------------------- */

#define KIN__NEVER INT64_MAX /* a deadline that does not come */

int64_t kin__os_now(void); /* CLOCK_MONOTONIC, nanoseconds */
void kin__os_sleep_until(int64_t deadline);
void kin__os_pause(void); /* what a spinning core does between two looks */
void kin__os_yield(void); /* lets another process of this core run */

/* ---- limits (limits.c) ---------------------------------------------------------------- */

int kin__os_cpu_count(void);  /* min(affinity, cgroup quota rounded up), at least 1 */
int kin__os_processors(void); /* of the machine, online: a partner may run on any of them */

/* Whether `size` more bytes of memory fit what can be seen: the limits of this process's cgroups
 * (file pages that would be reclaimed first count as free) and the machine's free memory. */
bool kin__os_has_memory(uint64_t size);

/* The address space that this process may still reserve, in bytes; UINT64_MAX without a limit. */
uint64_t kin__os_address_room(void);

/* The beginning of a small file as a string. Its length, or -errno. */
int kin__os_read_file(const char *path, char *buffer, size_t size);

/* ---- memory (memory.c) ---------------------------------------------------------------- */

/* A memory file that can grow and never shrink, close-on-exec. The descriptor, or -errno. */
int kin__os_memfd(const char *name);

/* Maps `size` bytes of `fd`, shared, at exactly `at`; nothing is committed. -EEXIST when
 * something is in the way. */
int kin__os_map_at(void *at, size_t size, int fd);

/* Private memory of this process that reads as zeros in a forked child. -errno where the kernel
 * cannot do that (before Linux 4.14, or emulated). */
int kin__os_wiped_page(size_t size, void **ret_page);
void kin__os_unmap(void *at, size_t size);

/* Commits bytes of a memory file. Looks first whether the limits that can be seen (cgroup,
 * RLIMIT_FSIZE, free memory) leave room, since going past them kills: -ENOSPC. */
int kin__os_commit(int fd, uint64_t offset, uint64_t size);

/* Gives the pages behind a committed range back to the kernel. They read as zeros after; commit
 * them again before they are written. */
int kin__os_punch(int fd, uint64_t offset, uint64_t size);

int kin__os_random(void *buffer, size_t size);

/* malloc and friends, for all rooms: the test build makes the nth of them fail. A size of 0 gives
 * a pointer like any other. */
void *kin__os_malloc(size_t size);
void *kin__os_calloc(size_t count, size_t size);
void *kin__os_realloc(void *p, size_t size);
void kin__os_free(void *p);

/* ---- waiting on a word in shared memory (futex.c) ------------------------------------- */

/* Sleeps while *word == expected: 0 woken (or for no reason), -EAGAIN it was different at once,
 * -ETIMEDOUT, -EINTR a signal handler ran. */
int kin__os_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* Wakes up to `n` sleepers; how many there were. */
int kin__os_wake(_Atomic uint32_t *word, int n);

/* Adds 1 to *word and wakes all its sleepers, in one system call that a SIGKILL cannot split. */
int kin__os_add_and_wake(_Atomic uint32_t *word);

/* ---- processes (process.c) ------------------------------------------------------------ */

pid_t kin__os_getpid(void);
pid_t kin__os_getppid(void);

/* fork, with stdout and stderr flushed before it and the hooks below run after it in the child.
 * The child's pid, 0 in the child, or -errno. */
pid_t kin__os_fork(void);

/* Runs `hook` in every child of kin__os_fork, oldest first. At most 8 of them. */
void kin__os_at_fork_child(void (*hook)(void));

/* Leaves a child: stdout and stderr are flushed, nothing else of its parent's runs. */
_Noreturn void kin__os_leave(int status);

/* When a process started, in clock ticks since boot: with the pid, it names one process for
 * good. -ESRCH when there is none, or only a zombie; others of -errno when it cannot be told. */
int kin__os_start_time(pid_t pid, uint64_t *ret_ticks);

/* A descriptor that polls readable when `pid` has ended. -ENOSYS on old kernels. */
int kin__os_pidfd(pid_t pid);

/* Whether the process `pid` that started at `ticks` has ended (a zombie has). False when it cannot
 * be told: the living are never taken for dead. */
bool kin__os_has_ended(pid_t pid, uint64_t ticks);

/* Waits for a child to end without reaping it; pidfd may be -1 where there is none. 0, -ETIMEDOUT,
 * -EINTR, -ECHILD. */
int kin__os_wait_child(pid_t pid, int pidfd, int64_t deadline);

/* Reaps a child that has ended: 0 and its wait status, -EAGAIN while it runs, -ECHILD. `pid` may
 * be -1 for any; *ret_pid says which. */
int kin__os_reap(pid_t pid, int *ret_status, pid_t *ret_pid);

/* A wait status as Python's exit code: minus the signal that killed it, or what it exited with. */
int kin__os_exit_code(int status);

int kin__os_kill(pid_t pid, int signal);

/* This process dies by SIGKILL when its parent's thread ends. Only for children of processes
 * that have one thread. -ESRCH when the parent is gone already. */
int kin__os_die_with_parent(pid_t parent);

void kin__os_set_name(const char *name); /* what ps shows; 15 bytes of it */
void kin__os_ignore_signal(int signal);
void kin__os_default_signal(int signal);

/* Blocks every signal in this thread but the ones that faults raise; restore undoes it. `saved`
 * has room for KIN__SIGNALS_SIZE bytes, so that callers need no <signal.h>. */
#define KIN__SIGNALS_SIZE 128
void kin__os_block_signals(void *saved, size_t size);
void kin__os_restore_signals(const void *saved, size_t size);

int kin__os_thread_count(void); /* threads of this process, or 1 when it cannot be told */

/* ---- descriptors (descriptor.c) -------------------------------------------------------- */

int kin__os_close(int fd);
bool kin__os_is_terminal(int fd);
int kin__os_pipe(int ret_ends[2]); /* close-on-exec */

/* Waits until one of `n` descriptors is readable; those below 0 are skipped, and one that was hung
 * up counts as readable. How many are, -ETIMEDOUT, -EINTR, -EBADF. */
int kin__os_poll(const int *fds, bool *ret_ready, int n, int64_t deadline);

/* Writes a line to stderr, at once and in one piece, past stdio. */
void kin__os_complain(const char *text, size_t size);

/* A descriptor that reads as ready when SIGCHLD arrives; the signal itself is blocked. */
int kin__os_child_signal_fd(void);
void kin__os_drain_signals(int fd);

/* ---- faults (fault.c) ----------------------------------------------------------------- */

/* KIN__STEP("room.what") marks a place where the death of this process would leave shared memory
 * half-changed. In the test build a test can have the process SIGKILLed at its nth step; in every
 * other build it is nothing. KIN__FAULT(kind) is true when the nth call of that kind is to fail. */
#if KIN__TESTING
enum kin__fault_kind { KIN__FAULT_CALL, KIN__FAULT_MEMORY };
void kin__step(const char *name);
bool kin__fault(enum kin__fault_kind kind);
#define KIN__STEP(name) kin__step(name)
#define KIN__FAULT(kind) kin__fault(kind)
#else
#define KIN__STEP(name) ((void)0)
#define KIN__FAULT(kind) false
#endif

#if KIN__TESTING
/* Makes limits.c read its /proc and /sys files below `root`; NULL: the real ones. */
void kin__os_pretend_root(const char *root);
/* Dies at the nth step from now on; 0: never. `only` (may be NULL) counts steps whose name begins
 * so. In a forked child the count starts anew, at never. */
void kin__step_arm(unsigned nth, const char *only);
/* How many steps this process has passed since kin__step_arm, and the name of the last. */
unsigned kin__step_count(void);
const char *kin__step_last(void);
/* Before it dies of a step, a process copies the step's name to `shared`, where its parent can read
 * it. Forked children inherit this one setting. NULL: nowhere. */
void kin__step_report(char *shared, size_t size);
/* Calls `hook` at every step instead of dying there (to stop a process in the middle). */
void kin__step_hook(void (*hook)(const char *name));
/* The nth call of that kind fails from now on, once; 0: none. In a forked child none does. fired
 * says whether it has happened, until the next one is armed. */
void kin__fault_arm(enum kin__fault_kind kind, unsigned nth);
bool kin__fault_fired(void);
#endif

#endif
