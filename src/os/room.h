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

/* Bytes of this process that are in memory. */
uint64_t kin__os_resident(void);

/* Whether `size` more bytes of memory fit what can be seen: the limits of this process's cgroups
 * (file pages that would be reclaimed first count as free) and the machine's free memory. */
bool kin__os_has_memory(uint64_t size);

/* How often the kernel has killed for want of memory, in this process's cgroup and on the
 * machine. */
uint64_t kin__os_oom_kills(void);

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

/* Maps a memory file, shared, wherever there is room. */
int kin__os_map_file(int fd, size_t size, void **ret_at);
int kin__os_file_size(int fd, uint64_t *ret_size);

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

/* Zeroed memory that this process shares with the children it forks from now on; kin__os_unmap. */
int kin__os_shared_memory(size_t size, void **ret_at);

/* malloc and friends, for all rooms: the test build makes the nth of them fail. A size of 0 gives
 * a pointer like any other. */
void *kin__os_malloc(size_t size);
void *kin__os_calloc(size_t count, size_t size);
void *kin__os_realloc(void *p, size_t size);

/* Frees it when this thread ends, unless it was told to keep something else, or NULL, by then. */
int kin__os_keep_for_thread(void *p);
void kin__os_free(void *p);

/* ---- named segments (shm.c) -------------------------------------------------------------- */

#define KIN__SHM_NAME 256 /* bytes of a name, with its zero */

/* A descriptor of a new segment of `size` zeroed bytes that are all there, or of an old one.
 * -EEXIST, -ENOENT, -EINVAL for what is no name; -ENOSPC. */
int kin__os_shm_create(const char *name, uint64_t size);
int kin__os_shm_open(const char *name);
int kin__os_shm_unlink(const char *name);

/* How large it is, and what tells it from others; unlinking a name while it leads to that one:
 * -ENOENT when it does not, -EWOULDBLOCK when somebody else is just about to. */
int kin__os_shm_look(int fd, uint64_t *ret_size, uint64_t *ret_id);
int kin__os_shm_unlink_own(const char *name, uint64_t id);

/* ---- waiting on a word in shared memory (futex.c) ------------------------------------- */

/* Sleeps while *word == expected: 0 woken (or for no reason), -EAGAIN it was different,
 * -ETIMEDOUT, -EINTR this process was interrupted, and *word was still `expected`. */
int kin__os_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* Wakes up to `n` sleepers; how many there were. */
int kin__os_wake(_Atomic uint32_t *word, int n);

/* Adds n to *word, or sets it to n (-2048 to 2047), and wakes all its sleepers, in one system call
 * that a SIGKILL cannot split. How many woke. */
enum kin__change { KIN__ADD, KIN__SET };
int kin__os_change_and_wake(_Atomic uint32_t *word, enum kin__change change, int n);
int kin__os_add_and_wake(_Atomic uint32_t *word); /* adds 1 */

/* The same for a turnstile's word: sets it to 0 and wakes up to `n`. */
int kin__os_clear_and_wake(_Atomic uint32_t *word, int n);

/* ---- interruptions (interrupt.c) ------------------------------------------------------- */

/* Ends, from a signal handler or anywhere, the sleeps of this process in kin__os_wait,
 * kin__os_poll, kin__os_poll_stdio, kin__os_stream_wait, kin__os_wait_child and kin__os_sleep, with
 * -EINTR. A thread that is in none of them is told in the next one that would last; each thread
 * once. Nothing else ends these sleeps: not a signal handler by itself. */
void kin__os_interrupt(void);

/* SIGINT does that from now on; and what it does by default when nobody has been told of the one
 * before. An ignored one stays ignored. */
int kin__os_handle_sigint(void);

/* Between the two this thread's sleeps are not interrupted; it is told after that. They nest. */
void kin__os_shield(void);
void kin__os_unshield(void);

/* Whether this thread is to be told; the second tells it; the third has it told again, for who
 * found at the last moment that he has what he slept for. */
bool kin__os_interrupt_is_due(void);
bool kin__os_interrupted(void);
void kin__os_interrupt_again(void);

/* From now on this thread, and no other, is interrupted by kin__os_interrupt_at(word), too;
 * `only`: and not with the process. NULL: as ever. */
void kin__os_interrupt_by(_Atomic uint32_t *word, bool only);
void kin__os_interrupt_at(_Atomic uint32_t *word);

/* 0 at the deadline, or -EINTR. */
int kin__os_sleep(int64_t deadline);

/* Whether this descriptor is one of those that stay, by which pollers are woken. */
bool kin__os_is_seat(int fd);

/* ---- a thread whose death wakes somebody (insure.c) ------------------------------------ */

#define KIN__SLEEPERS 0x80000000u /* in a word that threads are insured at */
#define KIN__THREAD 0x3fffffffu   /* whose death concerns it; 0: everybody's */

/* Where this thread is insured; NULL: nowhere. */
extern _Thread_local _Atomic uint32_t *kin__os_insured;

/* The same for who asks at each message. What is a thread's own costs some nanoseconds in a shared
 * library; so how many are insured at all comes first. (A forked child may count too many.) */
extern _Atomic int kin__os_insured_threads;
static inline bool kin__os_is_insured_at(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(&kin__os_insured_threads, memory_order_relaxed) != 0 &&
           kin__os_insured == word;
}

/* From now on this thread's death wakes one who sleeps on the word, if that names this thread or
 * none; if this one, it changes the word. This thread's number; 0: it cannot be insured. */
uint32_t kin__os_insure(_Atomic uint32_t *word);
void kin__os_uninsure(void);

/* The same, and if the word says KIN__SLEEPERS and this thread, it is 0 then, and one was woken. */
void kin__os_cash_in(void);

/* ---- processes (process.c) ------------------------------------------------------------ */

pid_t kin__os_getpid(void);
pid_t kin__os_getppid(void);

/* fork, with stdout and stderr flushed before it and the hooks below run after it in the child.
 * The child's pid, 0 in the child, or -errno. */
pid_t kin__os_fork(void);

/* Runs `hook` in every child of kin__os_fork, oldest first. At most 8 of them. */
void kin__os_at_fork_child(void (*hook)(void));

/* Writes out what stands in stdout and stderr, unless another thread is at them. */
void kin__os_flush(void);

/* Leaves a child: stdout and stderr are flushed, nothing else of its parent's runs. */
_Noreturn void kin__os_leave(int status);

/* Runs `hook` in kin__os_leave of this process and its children. At most 8 of them. */
void kin__os_at_leave(void (*hook)(void));

/* When a process started, in clock ticks since boot: with the pid, it names one process for
 * good. -ESRCH when there is none, or only a zombie; others of -errno when it cannot be told. */
int kin__os_start_time(pid_t pid, uint64_t *ret_ticks);

/* A descriptor that polls readable when `pid` has ended. -ENOSYS on old kernels. */
int kin__os_pidfd(pid_t pid);

/* Whether the process `pid` that started at `ticks` has ended (a zombie has). False when it cannot
 * be told: the living are never taken for dead. */
bool kin__os_has_ended(pid_t pid, uint64_t ticks);

/* Waits for a child to end without reaping it; pidfd may be -1 where there is none. 0, -ETIMEDOUT,
 * -ECHILD, -EINTR this process was interrupted. */
int kin__os_wait_child(pid_t pid, int pidfd, int64_t deadline);

/* Reaps a child that has ended: 0 and its wait status, -EAGAIN while it runs, -ECHILD. `pid` may
 * be -1 for any; *ret_pid says which. */
int kin__os_reap(pid_t pid, int *ret_status, pid_t *ret_pid);

/* A wait status as Python's exit code: minus the signal that killed it, or what it exited with. */
int kin__os_exit_code(int status);

int kin__os_kill(pid_t pid, int signal);

/* The same for whoever a pidfd names; 0 also when he has ended. */
int kin__os_signal_by(int pidfd, int signal);

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

/* ---- threads (thread.c) ------------------------------------------------------------------ */

/* A thread of this process; all zeros: none. */
typedef struct kin__thread {
    uintptr_t handle;
    pid_t tid;
} kin__thread;

/* Runs body(ctx) in a thread of its own, which blocks all signals but those of faults. 0, or
 * -EAGAIN, -ENOMEM. Somebody has to join it, once, or detach it. */
int kin__os_thread_start(void (*body)(void *ctx), void *ctx);
kin__thread kin__os_thread_self(void);
void kin__os_thread_join(
    kin__thread thread); /* kin__os_thread_count does not count it after that */
void kin__os_thread_detach(kin__thread thread);
bool kin__os_thread_is_there(int tid); /* one of this process */

/* Calls body(ctx). If that ends this thread (pthread_exit), left(ctx) is called on the way out. */
void kin__os_thread_guard(void (*body)(void *ctx), void (*left)(void *ctx), void *ctx);

/* This thread stays on the nth of the processors that it may run on, counted round and round. */
int kin__os_pin(unsigned nth);

/* ---- starting another program (spawn.c) ------------------------------------------------ */

typedef struct kin__spawn {
    const char *const *paths; /* tried in this order until one can be executed; NULL ends them */
    const char *const *argv;
    const char *const *env; /* NULL: ours */
    const char *cwd;        /* NULL: ours */
    int stdio[3];           /* what becomes 0, 1 and 2, any of ours; -1: closed */
    const int *keep; /* further descriptors that it has, under their numbers, and no others */
    size_t n_keep;
    bool group, session; /* of its own */
    const void *signals; /* the mask it begins with (KIN__SIGNALS_SIZE bytes); NULL: none blocked */
    bool *ret_in_cwd;    /* may be NULL: whether it was the directory that made it fail */
    int *ret_pidfd; /* may be NULL: its pidfd, of this very process whoever reaps it; -1 without */
} kin__spawn;

/* Starts a program, at a cost that does not grow with this process: its pid, or -errno when it
 * could not be started (-ENOENT: no such program; -EBADF: a descriptor that is not open). Signals
 * ignored here are ignored there, others are at their defaults. Flushes nothing. */
pid_t kin__os_spawn(const kin__spawn *how);

/* The exit code of a child that has ended, minus the signal that killed it: 0, and it is reaped
 * (with `keep` it is not yet); 1: somebody else had reaped it, and the pidfd knew; -EAGAIN: it
 * runs; -ECHILD: nobody knows. pidfd may be -1. */
int kin__os_ended(pid_t pid, int pidfd, bool keep, int *ret_code);

/* Signals the group that a process leads or led, also when somebody has reaped that: 0 when there
 * is nobody left, too; -EINVAL or -ENOSYS where the kernel cannot (before Linux 6.9), -EBADF. */
int kin__os_signal_group_by(int pidfd, int signal);

/* ---- messages with descriptors (message.c) ---------------------------------------------- */

#define KIN__DESCRIPTORS_MOST 253 /* that one message carries */

/* Two ends of a socket whose messages keep their bounds; close-on-exec. */
int kin__os_socketpair(int ret_ends[2]);

typedef struct kin__message {
    void *bytes;
    size_t size;
    int *fds;
    int n_fds;
} kin__message;

/* 0, or -EPIPE when nobody holds the other end, or -errno; descriptors are copied. */
int kin__os_send(int socket, const kin__message *message);

/* Takes a message into the room that *message says, and sets how many descriptors came. How many
 * bytes did, 0 at the end; -EAGAIN when there is none yet and we are not to wait; -EMFILE,
 * -EMSGSIZE: it did not fit, and is gone. */
int kin__os_receive(int socket, kin__message *message, bool wait);

/* ---- byte streams: sockets and pipes (socket.c) ------------------------------------------ */

typedef struct kin__stream_info {
    bool is_socket; /* else the end of a pipe */
    bool is_local;  /* its other end is on this machine */
    bool readable, writable;
} kin__stream_info;

/* What a descriptor is: -EPROTOTYPE for what is no stream. From then on TCP does not wait for
 * more. */
int kin__os_stream_look(int fd, kin__stream_info *ret);

/* Two ends of a Unix socket, close-on-exec; not `duplex`: what the second writes, the first
 * reads. */
int kin__os_stream_pair(bool duplex, int ret_ends[2]);

/* Until it can be read or written, or either of them, or is at its end: 0, -ETIMEDOUT, -EBADF,
 * -EINTR this process was interrupted. */
enum kin__direction { KIN__READ, KIN__WRITE, KIN__EITHER };
int kin__os_stream_wait(int fd, enum kin__direction direction, int64_t deadline);

/* How many bytes of a socket were read, 0 at its end. -EAGAIN when there are none and we are not to
 * wait (or the descriptor is not). */
ssize_t kin__os_stream_read(int fd, void *at, size_t size, bool wait);

/* The same with descriptors: there is room for KIN__DESCRIPTORS_MOST at message->fds, and how many
 * came is set, or -EMFILE. */
ssize_t kin__os_stream_receive(int fd, kin__message *message, bool wait);

/* How many bytes of two parts were sent, and with the first the descriptors; -EAGAIN, -EPIPE. */
typedef struct kin__bytes {
    const void *at;
    size_t size;
} kin__bytes;
ssize_t kin__os_stream_write(int fd, const kin__bytes parts[2], const int *fds, int n_fds,
                             bool wait);

#define KIN__PIPE_PIECE 4096 /* a pipe that polls writable takes that much and does not block */

/* Gives a socket a name that nobody else has while anybody has that socket; and whether nobody has.
 * Both are meant in this process's network, which the third tells from others. */
int kin__os_stream_name(int fd, const char *name);
bool kin__os_name_is_free(const char *name);
uint64_t kin__os_network(void);

/* ---- bells (bell.c) ---------------------------------------------------------------------- */

/* A descriptor that polls readable once somebody has rung its name, until it is hushed.
 * -EADDRINUSE: another one has that name. */
int kin__os_bell(uint64_t name);
void kin__os_hush(int bell);

/* Rings a bell of any process, without waiting: 0 also when that was not necessary. -ECONNREFUSED:
 * there is no such bell, or it cannot be reached from here; -EMFILE, -ENFILE. */
int kin__os_ring(uint64_t name);
int kin__os_ringer(void); /* the one descriptor that stays from it, or -1 */

/* ---- what a new process takes over (inherit.c) ------------------------------------------- */

/* The mask of a thread, and the signals that its process ignores. */
typedef struct kin__signals {
    char mask[KIN__SIGNALS_SIZE];
    char ignored[KIN__SIGNALS_SIZE];
} kin__signals;

void kin__os_get_signals(kin__signals *ret);
void kin__os_set_signals(const kin__signals *signals); /* all others to their defaults */

#define KIN__SIGNAL_NAME 16
bool kin__os_signal_name(int signal, char name[KIN__SIGNAL_NAME]); /* "SIGTERM"; false: unknown */

int kin__os_open_cwd(void); /* a descriptor of the working directory */
int kin__os_chdir_to(int directory);

bool kin__os_is_open(int fd);
int kin__os_move_above(int fd, int least); /* the new number, close-on-exec, or -errno */
/* A new descriptor that is not to be taken for stdin, stdout or stderr where those are closed: its
 * number, maybe another one; -errno, and it is closed. What is below 0 stays. */
int kin__os_clear_of_stdio(int fd);
int kin__os_clear_both(const int ends[2], int ret_ends[2]); /* or none of them is left */
int kin__os_move_to(int fd, int number);                    /* it outlives an exec there */
int kin__os_replace(int fd, int number); /* in one moment, for threads; fd is closed */
int kin__os_keep_from_exec(int fd);      /* makes it close-on-exec */

int kin__os_own_program(char *path, size_t size); /* a path that leads to this very file */
const char *const *kin__os_environment(void);
int kin__os_exec(const char *path, const char *const *argv, const char *const *env);

/* This process dies by SIGKILL when nobody holds the writing end of that pipe any more. The
 * descriptor that does it, not to be closed; -ESRCH when nobody does already. */
int kin__os_die_with_writer(int pipe_end);

/* ---- crashes (crash.c) ----------------------------------------------------------------- */

/* How a process crashed, in memory that another process sees; zeroed before that process starts. */
typedef struct kin__crash {
    _Atomic uint32_t published; /* 0: it has not; 1: all but the frames in the text; 2: all of it */
    int32_t signal;
    int32_t code;     /* si_code; 0 and below: the signal was sent */
    int32_t thread;   /* the process's pid when it was its first thread */
    uint64_t address; /* si_addr, 0 when the signal was sent */
    char text[2024];  /* from 1 on: signal and address in a line; then a line for each frame */
} kin__crash;

/* From now on a fault of this process (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) that finds no
 * handler is told: to *record, which may be NULL, to `hook`, which may be NULL too and is called in
 * the signal handler after each step of record->published, and with its frames to stderr, where
 * `name` names this process. Then the process dies of it as if there were no handler. Forked
 * children go on telling stderr; record and hook are told only of the process that called this. */
void kin__os_watch_crashes(kin__crash *record, const char *name, void (*hook)(void));

/* What of that takes time, and is inherited by forked children: before a fork, done once for all.
 * Changes no disposition. */
void kin__os_prime_crashes(void);

/* Of this thread's frames none is told from the one on that this lies in, as
 * __builtin_frame_address(0) does; NULL: all are. */
extern _Thread_local const void *kin__os_crash_floor;

/* Nothing is written to stderr; the record tells it all the same. */
extern atomic_bool kin__os_crash_quietly;

/* ---- descriptors (descriptor.c) -------------------------------------------------------- */

int kin__os_close(int fd);
bool kin__os_is_terminal(int fd);
int kin__os_pipe(int ret_ends[2]); /* close-on-exec */

/* Waits until one of `n` descriptors is readable; those below 0 are skipped, and one that was hung
 * up counts as readable. How many are, -ETIMEDOUT, -EBADF, -EINTR this process was interrupted. */
int kin__os_poll(const int *fds, bool *ret_ready, int n, int64_t deadline);

/* The same for three: whether the first may be written to, and the others read. */
int kin__os_poll_stdio(const int fds[3], bool ret_ready[3], int64_t deadline);

/* How many bytes were read (0: the end) or written, -EAGAIN. No SIGPIPE: -EPIPE. */
ssize_t kin__os_read(int fd, void *buffer, size_t size);
ssize_t kin__os_write(int fd, const void *bytes, size_t size);
int kin__os_never_block(int pipe_end); /* a read or a write there: -EAGAIN */
int kin__os_open_null(void);

/* Writes a line to stderr, at once and in one piece, past stdio. */
void kin__os_complain(const char *text, size_t size);

/* A descriptor that reads as ready when SIGCHLD arrives; the signal itself is blocked. */
int kin__os_child_signal_fd(void);
void kin__os_drain_signals(int fd);

/* ---- a file that several write to (file.c) ----------------------------------------------- */

/* Opens a regular file, made if there is none, and locks it against others who do: the descriptor,
 * -ETIMEDOUT, -EINVAL for another sort of file. Unlocking closes it. */
int kin__os_file_lock(const char *path, int64_t deadline);
void kin__os_file_unlock(int fd);

/* Writing fails, or writes all; some may be there when it fails. */
ssize_t kin__os_file_read(int fd, void *buffer, size_t size, uint64_t offset);
int kin__os_file_write(int fd, const void *bytes, size_t size, uint64_t offset);
int kin__os_file_cut(int fd, uint64_t size);

/* ---- sockets that others find by an address (net.c) ---------------------------------------- */

#define KIN__NET_PATH 107 /* bytes of a name that an address of the kernel's has room for */

/* Where a socket is, in the kernel's words. */
typedef struct kin__net_address {
    uint32_t size; /* of what is used; 0: nowhere */
    _Alignas(8) unsigned char bytes[128];
} kin__net_address;

/* The address of a path of any length. What is longer than KIN__NET_PATH goes through a descriptor
 * of its folder, which has to stay open while the address is used: *ret_folder, else -1.
 * -ENAMETOOLONG: the path's last part alone is too long; -ENOENT: no such folder. */
int kin__os_net_path(const char *path, kin__net_address *ret, int *ret_folder);
int kin__os_net_abstract(const char *name, kin__net_address *ret); /* in no file system */

/* Addresses of a host, or of all interfaces of this one (NULL): how many, best first; or 0, and in
 * words why. `numeric`: a name is not looked up, which may take the resolver seconds. */
int kin__os_net_resolve(const char *host, const char *port, kin__net_address *ret, int room,
                        const char **ret_why);

bool kin__os_net_is_ipv4(const kin__net_address *at);

/* "1.2.3.4:80", "[::1]:80", "/path", "@name", "" for a socket that has none. Cut to `size`. */
void kin__os_net_text(const kin__net_address *at, char *text, size_t size);

/* A stream socket for such an address, close-on-exec. */
int kin__os_net_socket(const kin__net_address *at);
int kin__os_net_bind(int socket, const kin__net_address *at);
int kin__os_net_listen(int socket, int backlog);
/* What comes next over TCP is acknowledged at once. Nothing over a path. */
void kin__os_net_hurry(int socket);
int kin__os_net_shut(int socket); /* who sleeps at it wakes, here and over there */
int kin__os_net_own_address(int socket, kin__net_address *ret);

/* The next who has connected; -EAGAIN when there is none. The socket that listens never blocks, the
 * new one may. */
int kin__os_net_accept(int socket, kin__net_address *ret_from);

/* -ETIMEDOUT, -ECONNREFUSED, -ENOENT... */
int kin__os_net_connect(int socket, const kin__net_address *at, int64_t deadline);

/* Which file a path leads to, without following a link; and whether that is a socket. */
typedef struct kin__net_file {
    uint64_t device;
    uint64_t number;
    bool is_socket;
} kin__net_file;

int kin__os_net_file(const char *path, kin__net_file *ret);
int kin__os_net_unlink(const char *path, const kin__net_file *file); /* -ENOENT: it is another */

/* Whether some process has the socket open that a path leads to. Nobody there notices. */
bool kin__os_net_is_bound(const kin__net_address *at);

/* A path from the root; -ERANGE. */
int kin__os_net_absolute(const char *path, char *ret, size_t size);

/* The lock of the folder that a path is in: a descriptor, to be unlocked; -ETIMEDOUT; other -errno
 * where folders cannot be locked. It is free when its holder is gone. */
int kin__os_net_lock_folder(const char *path, int64_t deadline);
void kin__os_net_unlock_folder(int folder);

/* A new folder that only this user can look into: $TMPDIR/kin-XXXXXX, or below /tmp. */
int kin__os_net_make_folder(char *path, size_t size);
void kin__os_net_remove_folder(const char *path); /* an empty one */

/* A descriptor that polls readable when one of those is that are added to it; for each there is a
 * word to know it by. next: 1 and the word of one, in turn; 0: none is readable now. */
int kin__os_watch_new(void);
int kin__os_watch_add(int watch, int fd, void *word);
void kin__os_watch_remove(int watch, int fd);
int kin__os_watch_next(int watch, void **ret_word);

/* The same with what each is waited for, which may change; hanging up is told of in any case
 * (events.c). wait: how many there are, 0 at the deadline or for no reason. */
enum { KIN__CAN_READ = 1, KIN__CAN_WRITE = 2, KIN__HUNG_UP = 4 };
typedef struct kin__happened {
    void *word;
    unsigned what;
} kin__happened;
int kin__os_watch_for(int watch, int fd, void *word, unsigned what, bool is_new);
int kin__os_watch_wait(int watch, kin__happened *ret, int room, int64_t deadline);

/* Who made the connection at the other end of a Unix socket; 0: it cannot be told. */
pid_t kin__os_net_peer(int socket);

/* The other end is told now, also when a forked process has a copy of this one. */
void kin__os_net_hang_up(int socket);

/* A descriptor that polls readable from then on until it is set anew. */
int kin__os_alarm_new(void);
void kin__os_alarm_set(int alarm, int64_t when);

/* A descriptor that polls readable while it is up: at once, where an alarm takes an interrupt. */
int kin__os_flag_new(void);
void kin__os_flag_set(int flag, bool up);

/* ---- keyed digests (crypto.c) ------------------------------------------------------------ */

/* HMAC by a digest of libcrypto's ("SHA256"): how many bytes, KIN__HMAC_MOST at most. -ENOSYS where
 * there is no libcrypto, -ENOTSUP where it refuses this digest. */
#define KIN__HMAC_MOST 64
int kin__os_hmac(const char *digest, kin__bytes key, kin__bytes data, unsigned char *ret);

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
