/* In Python "A process in the process pool was terminated abruptly", and that is all: neither which
 * one nor why (CPython gh-139462 adds pid and exit code in 3.15). Here the error has pid, signal,
 * address and the frames of the stack. */
#include "scene.h"

#include <sys/mman.h>

struct notes {
    _Atomic pid_t pid;
    _Atomic uintptr_t address;
};

static __attribute__((noinline, no_sanitize("undefined"))) int touch(uintptr_t address)
{
    *(volatile char *)address = 1;
    return 1;
}

static kin_obj touch_nothing(kin_obj args)
{
    struct notes *notes = kin_arg_shared(args, 0);
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    notes->pid = getpid();
    notes->address = (uintptr_t)page + 40;
    return kin_int(touch(notes->address));
}

static kin_obj be_killed(kin_obj args)
{
    struct notes *notes = kin_arg_shared(args, 0);
    notes->pid = getpid();
    kill(getpid(), SIGKILL);
    return kin_none();
}

static kin_obj leave(kin_obj args)
{
    struct notes *notes = kin_arg_shared(args, 0);
    notes->pid = getpid();
    _exit(42);
}

static const char *where(const struct notes *notes)
{
    static char text[64];
    snprintf(text, sizeof text, "at address 0x%jx", (uintmax_t)notes->address);
    return text;
}

static const char *who(const struct notes *notes)
{
    static char text[64];
    snprintf(text, sizeof text, "worker %d ", (int)notes->pid);
    return text;
}

TEST(a_failed_task_says_which_worker_died_of_what_and_where)
{
    kin_pool *pool = pool_of(2);
    struct notes *notes = kin_alloc(sizeof *notes);
    CHECK_ERROR(kin_pool_apply(pool, touch_nothing, kin_args(kin_shared(notes)), NULL),
                KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), who(notes));
    CHECK_CONTAINS(kin_errmsg(), "signal 11 (SIGSEGV)");
    CHECK_CONTAINS(kin_errmsg(), where(notes));
    CHECK_CONTAINS(kin_errmsg(), "\n  #0 ");
    CHECK_CONTAINS(kin_errmsg(), "\n  #1 "); /* the task's function */
    CHECK_ERROR(kin_pool_apply(pool, be_killed, kin_args(kin_shared(notes)), NULL), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), who(notes));
    CHECK_CONTAINS(kin_errmsg(), "signal 9");
    CHECK_ERROR(kin_pool_apply(pool, leave, kin_args(kin_shared(notes)), NULL), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), who(notes));
    CHECK_CONTAINS(kin_errmsg(), "exit code 42");
    kin_free(notes);
    free_whole(pool);
}

static void crash_tells(const char *method)
{
    struct notes *notes = kin_alloc(sizeof *notes);
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, touch_nothing, kin_args(kin_shared(notes)),
                       KIN_OPT(kin_process_options, .start_method = method)));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(child), -SIGSEGV);
    CHECK_EQ(kin_process_pid(child), notes->pid);
    kin_crash_info crash;
    CHECK_OK(kin_process_crash_info(child, &crash));
    CHECK_EQ(crash.signal, SIGSEGV);
    CHECK_EQ(crash.address, notes->address);
    CHECK_CONTAINS(crash.text, where(notes));
    CHECK_CONTAINS(crash.text, "\n  #0 ");
    kin_process_free(child);
    kin_free(notes);
}

TEST(a_child_that_crashed_tells_its_parent_signal_address_and_frames)
{
    crash_tells("fork");
    crash_tells("spawn");
    crash_tells("forkserver");
}
