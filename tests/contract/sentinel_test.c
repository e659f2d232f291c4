/* Children of each start method where the kernel has no pidfds (before 5.3), or allows none. */
#include "start.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool forbid_pidfds(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool is_readable(int fd)
{
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    return poll(&polled, 1, 0) == 1;
}

struct world {
    kin_event *go;
    _Atomic int begun; /* and then they wait */
    _Atomic int ended;
};

static kin_obj wait_for_event(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    w->begun++;
    KIN_TRY(kin_event_wait(w->go, KIN_FOREVER));
    w->ended++;
    return kin_int(7);
}

/* Its own child is no sign of its life. */
static kin_obj leave_a_child_behind(kin_obj args)
{
    kin_process *p = NULL;
    struct world *w = kin_arg_shared(args, 0);
    int begun = w->begun;
    KIN_TRY(kin_start(&p, wait_for_event, kin_args(kin_arg(args, 0)),
                      KIN_OPT(kin_process_options, .start_method = kin_arg_str(args, 1))));
    while (w->begun == begun) {
        kin__os_yield();
    }
    _exit(2); /* and joins it not */
}

static void check_waiting(const char *method, struct world *w)
{
    kin_process *p = start_by(method, wait_for_event, kin_args(kin_shared(w)));
    int fd = kin_process_sentinel(p);
    CHECK_OK(fd);
    CHECK(!is_readable(fd));
    CHECK_ERROR(kin_process_join(p, 0.01), KIN_ETIMEDOUT);
    CHECK(kin_process_is_alive(p));
    CHECK_OK(kin_process_terminate(p));
    WAIT_UNTIL(is_readable(fd));
    CHECK_EQ(end(p), -SIGTERM);
}

static int live_without_pidfds(void *ctx)
{
    const char *method = ctx;
    static const char *const methods[] = { "fork", "spawn", "forkserver" };
    if (!forbid_pidfds()) {
        return 77;
    }
    struct world *w = kin_alloc(sizeof *w);
    CHECK_OK(kin_event_new(&w->go, NULL));
    check_waiting(method, w);
    for (int i = 0; i < 3; i++) {
        kin_process *p =
            start_by(method, leave_a_child_behind, kin_args(kin_shared(w), kin_str(methods[i])));
        int fd = kin_process_sentinel(p);
        WAIT_UNTIL(is_readable(fd));
        CHECK_EQ(end(p), 2);
    }
    kin_process *p = start_by(method, wait_for_event, kin_args(kin_shared(w)));
    CHECK_OK(kin_event_set(w->go));
    CHECK_OK(kin_process_join(p, 1000));
    CHECK_EQ(end(p), 7);
    WAIT_UNTIL(w->ended == 4); /* all but the one that was told to end */
    kin_event_free(w->go);
    kin_free(w);
    return 0;
}

EACH_METHOD(is_watched_without_pidfds)
{
    char name[16];
    snprintf(name, sizeof name, "%s", method);
    int code = test_join(test_child(live_without_pidfds, name));
    if (code == 77) {
        SKIP("no system call can be forbidden here");
    }
    CHECK_EQ(code, 0);
}
