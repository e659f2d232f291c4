#include "harness.h"
#include <kin/domain.h>
#include <kin/process.h>
#include <kin/sync.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(7);
}

static kin_event *go;

static kin_process *start_waiting(void)
{
    kin_process *p = NULL;
    if (go == NULL) {
        CHECK_OK(kin_event_new(&go, NULL));
    }
    CHECK_OK(kin_start(&p, wait_for_event, kin_args(kin_shared(go)), NULL));
    return p;
}

static kin_process *start_returning(int code)
{
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, give_back, kin_args(kin_int(code)), NULL));
    return p;
}

static bool is_readable(int fd)
{
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    return poll(&polled, 1, 0) == 1;
}

static void check_sentinels(void)
{
    kin_process *p = start_waiting();
    int fd = kin_process_sentinel(p);
    CHECK_GE(fd, 0);
    CHECK_EQ(kin_process_sentinel(p), fd);
    CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    CHECK(!is_readable(fd));
    CHECK_OK(kin_event_set(go));
    WAIT_UNTIL(is_readable(fd));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(p), 7);
    CHECK_EQ(kin_process_sentinel(p), fd);
    CHECK(is_readable(fd));
    kin_process_free(p);
    kin_event_free(go);
    go = NULL;
}

TEST(a_sentinel_is_readable_once_its_child_has_ended)
{
    check_sentinels();
}

TEST(a_sentinel_that_is_asked_for_late_is_readable)
{
    kin_process *p = start_returning(0);
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    int fd = kin_process_sentinel(p);
    CHECK_GE(fd, 0);
    CHECK(is_readable(fd));
    CHECK_EQ(kin_process_sentinel(p), fd);
    kin_process_free(p);
}

TEST(ten_sentinels_are_awaited_at_once)
{
    kin_process *p[10];
    struct pollfd fds[10];
    for (int i = 0; i < 10; i++) {
        p[i] = start_waiting();
        fds[i] = (struct pollfd){ .fd = kin_process_sentinel(p[i]), .events = POLLIN };
        CHECK_GE(fds[i].fd, 0);
    }
    CHECK_EQ(poll(fds, 10, 0), 0);
    CHECK_OK(kin_process_kill(p[6]));
    CHECK_EQ(poll(fds, 10, -1), 1);
    CHECK_NE(fds[6].revents, 0);
    CHECK_OK(kin_event_set(go));
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_process_join(p[i], KIN_FOREVER));
        CHECK_EQ(kin_process_exitcode(p[i]), i == 6 ? -SIGKILL : 7);
        kin_process_free(p[i]);
    }
    kin_event_free(go);
}

/* ---- few descriptors, and none ---------------------------------------------------------- */

static int set_descriptor_limit(rlim_t limit)
{
    struct rlimit all;
    getrlimit(RLIMIT_NOFILE, &all);
    all.rlim_cur = limit;
    return setrlimit(RLIMIT_NOFILE, &all);
}

TEST(without_descriptors_children_start_and_sentinels_do_not)
{
    int pidfd = kin__os_pidfd(getpid());
    if (pidfd < 0) {
        SKIP("without pidfds every child needs a pipe");
    }
    close(pidfd);
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    kin_process_free(start_waiting()); /* what is opened once is open */
    CHECK_EQ(set_descriptor_limit(0), 0);
    kin_process *p = start_waiting();
    CHECK_ERROR(kin_process_sentinel(p), KIN_EMFILE);
    CHECK_ERROR(kin_process_join(p, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_process_join(p, 1000));
    CHECK_ERROR(kin_process_sentinel(p), KIN_EMFILE);
    CHECK_EQ(kin_process_exitcode(p), 7);
    CHECK_EQ(set_descriptor_limit(before.rlim_cur), 0);
    CHECK_GE(kin_process_sentinel(p), 0);
    kin_process_free(p);
    CHECK_OK(kin_join_children(KIN_FOREVER));
    kin_event_free(go);
}

static kin_obj count_descriptors(kin_obj args)
{
    int *count = kin_arg_shared(args, 0);
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        *count += entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir);
    }
    closedir(dir);
    return kin_none();
}

static int descriptors_of_a_child(void)
{
    int *count = kin_alloc(sizeof *count);
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, count_descriptors, kin_args(kin_shared(count)), NULL));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    kin_process_free(p);
    int rv = *count;
    kin_free(count);
    return rv;
}

TEST(a_child_does_not_keep_its_siblings_sentinels)
{
    int before = descriptors_of_a_child();
    kin_process *running = start_waiting();
    kin_process *ended = start_returning(0);
    CHECK_GE(kin_process_sentinel(running), 0);
    CHECK_OK(kin_process_join(ended, KIN_FOREVER));
    CHECK_GE(kin_process_sentinel(ended), 0);
    CHECK_EQ(descriptors_of_a_child(), before);
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_process_join(running, KIN_FOREVER));
    kin_process_free(running);
    kin_process_free(ended);
    kin_event_free(go);
}

static kin_obj open_sentinel_of_parent(kin_obj args)
{
    (void)args;
    kin_process *p = NULL;
    int before = descriptors_of_a_child();
    int fd = kin_process_sentinel(kin_parent_process());
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK(!is_readable(fd));
    CHECK_EQ(descriptors_of_a_child(), before);
    if (kin_process_pid(kin_parent_process()) == kin_arg_int(args, 0)) {
        KIN_TRY(kin_start(&p, open_sentinel_of_parent, kin_args(kin_int(0)), NULL));
        KIN_TRY(kin_process_join(p, KIN_FOREVER)); /* it has a parent and a sentinel of its own */
        int code = kin_process_exitcode(p);
        kin_process_free(p);
        return kin_int(code);
    }
    return kin_int(5);
}

TEST(a_child_does_not_keep_the_sentinel_that_its_parent_has_of_his)
{
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, open_sentinel_of_parent, kin_args(kin_int(getpid())), NULL));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(p), 5);
    kin_process_free(p);
}

TEST(the_first_process_has_no_sentinel)
{
    CHECK_ERROR(kin_process_sentinel(kin_current_process()), KIN_ESTATE);
    CHECK_ERROR(kin_process_sentinel(kin_parent_process()), KIN_EINVAL);
}

/* ---- no pidfds ------------------------------------------------------------------------------ */

/* A kernel before 5.3, or one whose owner allows no pidfds. */
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

static kin_obj leave_a_child_behind(kin_obj args)
{
    kin_process *p = NULL;
    KIN_TRY(kin_start(&p, wait_for_event, kin_args(kin_arg(args, 0)), NULL));
    KIN_TRY(kin_event_set(kin_arg_shared(args, 1)));
    _exit(2); /* and joins it not */
}

static int live_without_pidfds(void *ctx)
{
    (void)ctx;
    if (!forbid_pidfds()) {
        return 77;
    }
    check_sentinels();
    CHECK_OK(kin_event_new(&go, NULL));
    kin_event *there = NULL;
    CHECK_OK(kin_event_new(&there, NULL));
    kin_process *p = NULL;
    CHECK_OK(
        kin_start(&p, leave_a_child_behind, kin_args(kin_shared(go), kin_shared(there)), NULL));
    int fd = kin_process_sentinel(p);
    CHECK_OK(kin_event_wait(there, KIN_FOREVER));
    WAIT_UNTIL(is_readable(fd)); /* the grandchild does not hold its parent's lifeline */
    CHECK_OK(kin_process_join(p, 1000));
    CHECK_EQ(kin_process_exitcode(p), 2);
    CHECK_OK(kin_event_set(go));
    kin_process_free(p);
    int before = descriptors_of_a_child();
    kin_process *waiting[2] = { start_waiting(), start_waiting() };
    CHECK_EQ(descriptors_of_a_child(), before);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_process_join(waiting[i], 1000));
        kin_process_free(waiting[i]);
    }
    kin_event_free(there);
    kin_event_free(go);
    return 0;
}

TEST(where_there_are_no_pidfds_pipes_will_do)
{
    int code = test_join(test_child(live_without_pidfds, NULL));
    if (code == 77) {
        SKIP("no system call can be forbidden here");
    }
    CHECK_EQ(code, 0);
}
