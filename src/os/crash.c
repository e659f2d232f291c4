/* crash.c - what a process says when it crashes.
 *
 * Idea. A handler on a stack of its own, for an overflow leaves no other, goes through steps. Each
 * is tried once: whoever crashes in one, or stays in it for a second, goes on with the next from
 * there. So the steps need not be safe; the first are the ones that matter most, and need nothing
 * at all.
 *
 *      publish 1, hook -> take frames -> name frames -> publish 2, hook -> print -> die of it
 *      signal, address     (unwinder)   (loader's lock)    all of it      (stderr)
 *              |                |             |                |
 *              +--- a crash, a second ------->+------->  ...  -+
 *
 * Rules.
 *   R1  Nothing here allocates, or uses stdio. The unwinder is linked in: backtrace() would load
 *       it, which takes a spawned child a fifth of a millisecond.
 *   R2  One thread reports. Others that crash meanwhile wait for the process's end.
 *   R3  The handler raises the signal again, to be delivered when it returns: so status, core and
 *       the registers in it are those of the crash, whoever sent the signal, and however often it
 *       crashed.
 *   R4  A process tells the record only if it watches itself: its forked children crash for
 *       themselves.
 *   R5  A disposition that is not the default one is somebody's, and stays.
 *   R6  Frames are told down to the thread's floor: what is below is the library's own.
 *
 * dladdr takes the loader's lock, and there is no other way to a module that was loaded a moment
 * ago. Who may hold that lock for ever (a thread that crashed in dlopen waits here) costs the
 * frames, not the rest.
 *
 * Death. Killed at any step: what was published is there, and the rest is not. The text is ended by
 * a zero at every moment, provided that the record was zeroed before.
 *
 * Not here. An overflow of the stack of a thread other than the one that called watch: it has no
 * other stack, and dies of SIGSEGV untold.
 */
#include "room.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#ifndef sigev_notify_thread_id /* glibc has not always had the name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Where it was; and out of a function that has just been called. */
#if defined(__x86_64__)
#define PC(r) ((uintptr_t)(r)->gregs[REG_RIP])
#define RETURN(r)                                                                                  \
    ((r)->gregs[REG_RIP] = *(const greg_t *)(uintptr_t)(r)->gregs[REG_RSP],                        \
     (r)->gregs[REG_RSP] += (greg_t)sizeof(greg_t))
#elif defined(__aarch64__)
#define PC(r) ((uintptr_t)(r)->pc)
#define RETURN(r) ((r)->pc = (r)->regs[30])
#else
#define PC(r) ((void)(r), UINTPTR_MAX)
#define RETURN(r) ((void)(r))
#endif

enum {
    STACK = 64 * 1024,
    STACK_ENOUGH = 16 * 1024, /* a smaller one, somebody else's, is replaced */
    FRAMES = 100,
    LINE = 256,
    NAME = 64,
};

static const struct {
    int number;
    const char *name;
} signals[] = {
    { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },   { SIGFPE, "SIGFPE" },
    { SIGILL, "SIGILL" },   { SIGABRT, "SIGABRT" },
};

enum { SIGNALS = sizeof signals / sizeof *signals };

static struct {
    pid_t pid; /* R4 */
    kin__crash *record;
    void (*hook)(void);
    char name[NAME];
} watched;

_Thread_local const void *kin__os_crash_floor; /* R6 */
atomic_bool kin__os_crash_quietly;

static struct {
    _Atomic uint64_t reporter; /* pid and thread; another pid is that of a parent who crashed */
    volatile sig_atomic_t step;
    siginfo_t info;
    const void *entry; /* where the handler returns to: the next frame is the crash */
    ucontext_t *context;
    void *frames[FRAMES];
    unsigned first; /* of them; before it is the handler */
    size_t begin;   /* of the text, after the process's name */
    size_t length;
    char bytes[2 * NAME + sizeof((kin__crash *)0)->text];
} report;

/* ---- text ----------------------------------------------------------------------------- */

typedef struct line {
    char bytes[LINE];
    size_t length;
} line;

static void put(line *to, const char *text)
{
    while (*text != '\0' && to->length < LINE) {
        to->bytes[to->length++] = *text++;
    }
}

static void put_number(line *to, uint64_t n, unsigned base)
{
    char digits[24];
    char *at = digits + sizeof digits;
    *--at = '\0';
    do {
        *--at = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    put(to, at);
}

/* A line that does not fit is left out, and with it all that follow. */
static bool add(const line *added)
{
    size_t room = report.begin + sizeof watched.record->text - 1;
    if (added->length > room - report.length) {
        return false;
    }
    memcpy(report.bytes + report.length, added->bytes, added->length);
    report.length += added->length;
    return true;
}

static const char *name_of(int signal)
{
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i].number == signal) {
            return signals[i].name;
        }
    }
    return "?";
}

static void add_process(void)
{
    line l = { .length = 0 };
    put(&l, watched.name);
    put(&l, " (process ");
    put_number(&l, (uint64_t)getpid(), 10);
    put(&l, ") crashed: ");
    report.length = 0;
    (void)add(&l);
    report.begin = report.length;
}

static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

static void add_signal(void)
{
    const siginfo_t *info = &report.info;
    line l = { .length = 0 };
    put(&l, "signal ");
    put_number(&l, (uint64_t)info->si_signo, 10);
    put(&l, " (");
    put(&l, name_of(info->si_signo));
    put(&l, ")");
    if (!was_sent(info) && info->si_code != SI_KERNEL) {
        put(&l, " at address 0x");
        put_number(&l, (uintptr_t)info->si_addr, 16);
    } else if (!was_sent(info)) {
        put(&l, " at an address that the kernel does not tell");
    } else if (info->si_pid != getpid()) {
        put(&l, ", sent by process ");
        put_number(&l, (uint64_t)info->si_pid, 10);
    }
    (void)add(&l);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Module and offset as addr2line wants them. */
static bool add_frame(unsigned number, const char *pc)
{
    line l = { .length = 0 };
    put(&l, "\n  #");
    put_number(&l, number, 10);
    put(&l, " ");
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1(pc, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) {
        put(&l, "0x");
        put_number(&l, (uintptr_t)pc, 16);
        return add(&l);
    }
    put(&l, last_part(info.dli_fname));
    put(&l, "+0x");
    put_number(&l, (uintptr_t)pc - map->l_addr, 16);
    if (info.dli_sname != NULL) {
        put(&l, " ");
        put(&l, info.dli_sname);
    }
    return add(&l);
}

/* ---- the steps ------------------------------------------------------------------------ */

static void publish(uint32_t state)
{
    kin__crash *record = watched.pid == getpid() ? watched.record : NULL; /* R4 */
    if (record != NULL) {
        memcpy(record->text, report.bytes + report.begin, report.length - report.begin);
        /* pairs with the acquire of whoever reads the record */
        atomic_store_explicit(&record->published, state, memory_order_release);
    }
    if (watched.hook != NULL && watched.pid == getpid()) {
        watched.hook();
    }
}

static void tell_signal(void)
{
    add_process();
    add_signal();
    if (watched.pid == getpid() && watched.record != NULL) {
        bool fault = !was_sent(&report.info);
        watched.record->signal = report.info.si_signo;
        watched.record->code = report.info.si_code;
        watched.record->thread = gettid();
        watched.record->address = fault ? (uintptr_t)report.info.si_addr : 0;
    }
    publish(1);
    KIN__STEP("crash.signal");
}

struct walk {
    uintptr_t floor, last; /* where the frame before ends; UINTPTR_MAX: none, on this stack */
    unsigned taken;
};

/* The frames of the handler itself come first; under a sanitizer it was not the kernel who
 * called. */
static _Unwind_Reason_Code take_frame(struct _Unwind_Context *frame, void *ctx)
{
    struct walk *walk = ctx;
    void *pc = (void *)_Unwind_GetIP(frame);
    uintptr_t end = (uintptr_t)_Unwind_GetCFA(frame);
    if (walk->last <= walk->floor && end > walk->floor) {
        report.frames[--walk->taken] = NULL; /* R6: the floor lies in it */
        return _URC_END_OF_STACK;
    }
    if (walk->taken == FRAMES) {
        return _URC_END_OF_STACK;
    }
    report.frames[walk->taken++] = pc;
    report.first = pc == report.entry ? walk->taken : report.first;
    walk->last = pc == report.entry ? UINTPTR_MAX : end;
    return _URC_NO_REASON;
}

/* From a call of nothing (NULL, or what is no code) no unwinder knows the way: it begins at the
 * caller then. The registers are put back for the core. */
static void take_frames(void)
{
    struct walk walk = { .floor = (uintptr_t)kin__os_crash_floor, .last = UINTPTR_MAX };
    report.first = 0;
    memset(report.frames, 0,
           sizeof report.frames); /* what is there counts if we crash on the way */
    mcontext_t *registers = &report.context->uc_mcontext;
    mcontext_t saved = *registers;
    if (report.info.si_signo == SIGSEGV && (uintptr_t)report.info.si_addr == PC(registers)) {
        RETURN(registers);
    }
    (void)_Unwind_Backtrace(take_frame, &walk);
    *registers = saved;
}

static void name_frames(void)
{
    unsigned first = report.first;
    for (unsigned i = first; i < FRAMES && report.frames[i] != NULL; i++) {
        const char *pc = report.frames[i];
        if (!add_frame(i - first, i > first ? pc - 1 : pc)) { /* the call, not what follows it */
            return;
        }
    }
}

static void tell_frames(void)
{
    publish(2);
    KIN__STEP("crash.told");
}

static void print(void)
{
    report.bytes[report.length] = '\n';
    if (!atomic_load(&kin__os_crash_quietly)) {
        kin__os_complain(report.bytes, report.length + 1);
    }
}

/* R3: blocked, it waits for the handler's return. */
static void die(void)
{
    int signal = report.info.si_signo;
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    pthread_sigmask(SIG_BLOCK, &only, NULL);
    kin__os_default_signal(signal);
    raise(signal);
}

static void go_on(void)
{
    static void (*const steps[])(void) = { tell_signal, take_frames, name_frames, tell_frames,
                                           print };
    while (report.step < (int)(sizeof steps / sizeof *steps)) {
        int step = report.step;
        report.step = step + 1;
        steps[step]();
    }
    die();
}

/* ---- the handlers --------------------------------------------------------------------- */

/* Only faults get through, and the timer: no handler of the program's shall run now. */
static void shut_out_others(void)
{
    sigset_t others;
    sigfillset(&others);
    sigdelset(&others, SIGALRM);
    for (int i = 0; i < SIGNALS; i++) {
        sigdelset(&others, signals[i].number);
    }
    pthread_sigmask(SIG_SETMASK, &others, NULL);
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
    uint64_t reporter = atomic_load(&report.reporter);
    (void)context;
    if (info->si_code == SI_TIMER && info->si_value.sival_ptr != &report) {
        return; /* the program has a timer, too */
    }
    if ((pid_t)(reporter & UINT32_MAX) != gettid()) {
        (void)syscall(SYS_tgkill, getpid(), (pid_t)(reporter & UINT32_MAX), signal);
        return;
    }
    shut_out_others();
    go_on();
}

/* In this thread: a signal for the process may go to another one, that sits in sigwait. */
static bool ring_here(void)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
    event.sigev_value.sival_ptr = &report;
    event.sigev_notify_thread_id = gettid();
    const long second[4] = { 1, 0, 1, 0 }; /* the kernel's itimerspec */
    int timer;                             /* its timer_t: libc's may allocate */
    return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) == 0 &&
           syscall(SYS_timer_settime, timer, 0, second, NULL) == 0;
}

/* What alarm the program had set is none any more, nor is one that waits. */
static void limit_steps(void)
{
    struct sigaction action = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigset_t alarm;
    sigfillset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    struct itimerval second = { .it_interval = { .tv_sec = 0 } };
    setitimer(ITIMER_REAL, &second, NULL);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    for (int i = 0; i < 2; i++) { /* the thread's and the process's */
        (void)sigtimedwait(&alarm, NULL, &(struct timespec){ .tv_sec = 0 });
    }
    if (!ring_here()) {
        second.it_interval.tv_sec = second.it_value.tv_sec = 1;
        setitimer(ITIMER_REAL, &second, NULL);
    }
}

/* Whether this thread reports; *ret_again: it did so already, when it crashed once more. */
static bool is_reporter(bool *ret_again)
{
    uint64_t pid = (uint64_t)getpid();
    uint64_t self = pid << 32 | (uint32_t)gettid();
    uint64_t there = atomic_load(&report.reporter);
    *ret_again = there == self;
    while (there >> 32 != pid) {
        if (atomic_compare_exchange_weak(&report.reporter, &there, self)) {
            return true;
        }
    }
    return there == self;
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    bool again;
    while (!is_reporter(&again)) { /* R2 */
        pause();
    }
    if (!again) {
        report.step = 0;
        report.info = *info;
        report.info.si_signo = signal;
        report.entry = __builtin_return_address(0);
        report.context = context;
        limit_steps();
    }
    shut_out_others(); /* now: a SIGALRM of the program's that waits would end it */
    go_on();
}

/* ---- watching ------------------------------------------------------------------------- */

static _Atomic(char *) stack; /* a page below it traps */

static void map_stack(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *at = mmap(NULL, page + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return; /* all is told but overflows */
    }
    mprotect(at, page, PROT_NONE);
    char *nobodys = NULL;
    if (!atomic_compare_exchange_strong(&stack, &nobodys, at + page)) {
        munmap(at, page + STACK);
    }
}

void kin__os_prime_crashes(void)
{
    static atomic_bool primed;
    if (atomic_load(&primed)) {
        return;
    }
    map_stack();
    Dl_info info;
    struct link_map *map;
    (void)dladdr1(&primed, &info, (void **)&map, RTLD_DL_LINKMAP); /* bound lazily */
    atomic_store(&primed, true);
}

static void use_stack(void)
{
    stack_t now;
    stack_t ours = { .ss_sp = atomic_load(&stack), .ss_size = STACK };
    bool enough =
        sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE) && now.ss_size >= STACK_ENOUGH;
    if (!enough && ours.ss_sp != NULL) {
        sigaltstack(&ours, NULL);
    }
}

void kin__os_watch_crashes(kin__crash *record, const char *name, void (*hook)(void))
{
    kin__os_prime_crashes();
    use_stack();
    watched.record = record;
    watched.hook = hook;
    watched.pid = getpid();
    for (int i = 0; i < NAME - 1; i++) { /* strncpy's page of libc, to be mapped, takes 1 us */
        watched.name[i] = *name != '\0' ? *name++ : '\0';
    }
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigfillset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(signals[i].number, NULL, &now) == 0 && now.sa_handler == SIG_DFL) { /* R5 */
            sigaction(signals[i].number, &action, NULL);
        }
    }
}
