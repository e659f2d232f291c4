/* The fork server: its preload, its life, and what becomes of children when it dies. */
#include "contract/start.h"
#include "domain/room.h"
#include "process/room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const kin_process_options served = { .start_method = "forkserver" };

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(7);
}

static kin_obj tell_parent(kin_obj args)
{
    (void)args;
    _Atomic int *server = kin_arg_shared(args, 0);
    *server = getppid();
    return kin_none();
}

/* Its pid, asked of a child. */
static pid_t find_server(void)
{
    _Atomic int *server = kin_alloc(sizeof *server);
    CHECK_EQ(run_with(&served, tell_parent, kin_args(kin_shared((const void *)(uintptr_t)server))),
             0);
    pid_t pid = *server;
    kin_free((void *)(uintptr_t)server);
    CHECK_GT(pid, 1);
    CHECK_NE(pid, getpid());
    return pid;
}

/* ---- methods ------------------------------------------------------------------------------ */

TEST(the_start_method_is_set_once_unless_forced)
{
    const char *const *methods = kin_start_methods();
    CHECK_STR(methods[0], "fork");
    CHECK_STR(methods[1], "spawn");
    CHECK_STR(methods[2], "forkserver");
    CHECK_NULL(methods[3]);
    CHECK_STR(kin_get_start_method(), "fork");
    CHECK_ERROR(kin_set_start_method("vfork", false), KIN_EINVAL);
    CHECK_ERROR(kin_set_start_method(NULL, true), KIN_EINVAL);
    CHECK_ERROR(kin_set_start_method("", true), KIN_EINVAL);
    CHECK_OK(kin_set_start_method("spawn", false));
    CHECK_STR(kin_get_start_method(), "spawn");
    CHECK_ERROR(kin_set_start_method("fork", false), KIN_ESTATE);
    CHECK_STR(kin_get_start_method(), "spawn");
    CHECK_OK(kin_set_start_method("forkserver", true));
    CHECK_STR(kin_get_start_method(), "forkserver");
    kin_process *child = NULL;
    CHECK_ERROR(kin_process_new(&child, give_back, kin_args(),
                                KIN_OPT(kin_process_options, .start_method = "vfork")),
                KIN_EINVAL);
    CHECK_NULL(child);
}

/* ---- the preload --------------------------------------------------------------------------- */

static int made; /* by the preload, so in all its children */

static kin_obj make_something(kin_obj args)
{
    SEE(kin_len(args) == 0);
    SEE(strcmp(kin_process_name(kin_current_process()), "forkserver") == 0);
    made++;
    return kin_none();
}

static kin_obj give_what_was_made(kin_obj args)
{
    (void)args;
    return kin_int(made);
}

TEST(the_preload_runs_once_in_the_server)
{
    CHECK_ERROR(kin_set_forkserver_preload(NULL), KIN_EINVAL);
    CHECK_OK(kin_set_forkserver_preload(give_back));
    CHECK_OK(kin_set_forkserver_preload(make_something)); /* the last one counts */
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run_with(&served, give_what_was_made, kin_args()), 1);
    }
    CHECK_ERROR(kin_set_forkserver_preload(give_back), KIN_ESTATE);
    CHECK_EQ(run_by("spawn", give_what_was_made, kin_args()), 0);
    CHECK_EQ(run_by("fork", give_what_was_made, kin_args()), 0);
}

static kin_obj make_and_fail(kin_obj args)
{
    made++;
    (void)args;
    return kin_error(KIN_EUSER, "no table to load");
}

TEST(a_preload_that_fails_is_told_of_and_the_server_goes_on)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    int rv = kin_set_forkserver_preload(make_and_fail);
    int code = run_with(&served, give_what_was_made, kin_args());
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    char text[200] = "";
    CHECK_OK(rv);
    CHECK_EQ(code, 1);
    CHECK_GT(read(ends[0], text, sizeof text - 1), 0);
    CHECK_CONTAINS(text, "no table to load");
    close(ends[0]);
}

/* ---- its life -------------------------------------------------------------------------------- */

TEST(the_server_is_nobodys_child_and_serves_all_relatives)
{
    pid_t server = find_server();
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_EQ(find_server(), server);
    kin__process_drop_server();
    WAIT_UNTIL(test_is_alone()); /* nobody can ask it any more */
    CHECK_NE(find_server(), server);
}

static kin_obj compare_servers(kin_obj args)
{
    _Atomic int *server = kin_alloc(sizeof *server);
    kin_process *child = NULL;
    KIN_TRY(kin_start(&child, tell_parent, kin_args(kin_shared((const void *)(uintptr_t)server)),
                      &served));
    KIN_TRY(kin_process_join(child, KIN_FOREVER));
    kin_process_free(child);
    bool same = *server == kin_arg_int(args, 0);
    kin_free((void *)(uintptr_t)server);
    SEE(same);
    return kin_none();
}

TEST(children_of_each_method_ask_the_same_server)
{
    int server = find_server();
    CHECK_EQ(run_by("fork", compare_servers, kin_args(kin_int(server))), 0);
    CHECK_EQ(run_by("spawn", compare_servers, kin_args(kin_int(server))), 0);
    CHECK_EQ(run_by("forkserver", compare_servers, kin_args(kin_int(server))), 0);
}

static int leave_children(void *ctx)
{
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, wait_for_event, kin_args(kin_shared(ctx)), &served));
    kin__os_leave(0); /* without waiting for it */
}

TEST(a_server_lives_as_long_as_a_child_of_it)
{
    kin_event *go = NULL;
    CHECK_OK(kin_event_new(&go, NULL));
    CHECK_EQ(test_join(test_child(leave_children, go)), 0);
    CHECK(!test_is_alone());
    CHECK_OK(kin_event_set(go));
    WAIT_UNTIL(test_is_alone());
    kin_event_free(go);
}

/* ---- its death ------------------------------------------------------------------------------- */

static void kill_server(pid_t server)
{
    int fd = kin__os_pidfd(server);
    bool ended;
    kill(server, SIGKILL);
    CHECK_EQ(kin__os_poll(&fd, &ended, 1, KIN__NEVER), 1);
    close(fd);
}

TEST(children_outlive_their_server)
{
    kin_event *go = NULL;
    CHECK_OK(kin_event_new(&go, NULL));
    pid_t server = find_server();
    kin_process *p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = start_by("forkserver", wait_for_event, kin_args(kin_shared(go)));
    }
    kill_server(server);
    CHECK_ERROR(kin_process_join(p[0], 0.01), KIN_ETIMEDOUT);
    CHECK_EQ(kin_active_children(NULL, 0), 3);
    CHECK_OK(kin_process_kill(p[0]));
    CHECK_OK(kin_process_join(p[0], KIN_FOREVER));
    CHECK_ERROR(kin_process_exitcode(p[0]), KIN_ENOTFOUND);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(end(p[1]), 7);
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK_EQ(end(p[2]), 7);
    kin_process_free(p[0]);
    CHECK_EQ(run_with(&served, give_back, kin_args(kin_int(3))), 3); /* by another server */
    CHECK_NE(find_server(), server);
    kin_event_free(go);
}

TEST(a_preload_runs_in_the_next_server_too)
{
    CHECK_OK(kin_set_forkserver_preload(make_something));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run_with(&served, give_what_was_made, kin_args()), 1);
        kill_server(find_server());
    }
}

static atomic_bool enough;

static void *start_and_join(void *ctx)
{
    while (!enough) {
        kin_process *p = NULL;
        int rv = kin_start(&p, give_back, kin_args(kin_int(5)), &served);
        if (rv < 0) {
            continue; /* its server was killed, and so was the next one */
        }
        if (kin_process_join(p, KIN_FOREVER) < 0) {
            return ctx;
        }
        int code = kin_process_exitcode(p);
        kin_process_free(p);
        if (code != 5) {
            return ctx;
        }
    }
    return NULL;
}

/* Any process of that name in our group. */
static pid_t some_server(void)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(proc)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        int fd = atoi(entry->d_name) > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0 && read(fd, name, sizeof name - 1) > 0 &&
            strcmp(name, "kin-forkserver\n") == 0 && getpgid(atoi(entry->d_name)) == getpgrp()) {
            found = atoi(entry->d_name);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    closedir(proc);
    return found;
}

TEST_WITHIN(120, servers_may_be_killed_beside_busy_threads)
{
    pthread_t threads[3];
    int here;
    CHECK_OK(kin__join());
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, start_and_join, &here), 0);
    }
    for (int i = 0; i < 30;) {
        pid_t server = some_server();
        if (server > 0) {
            kill_server(server);
            i++;
        }
        kin__os_yield();
    }
    enough = true;
    for (int i = 0; i < 3; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
}

/* ---- more than it can carry ------------------------------------------------------------------ */

TEST(too_many_descriptors_are_refused)
{
    int fds[300], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    kin_process *child = NULL;
    for (int i = 0; i < 300; i++) {
        fds[i] = dup(null);
    }
    kin_process_options options = served;
    options.fds = fds;
    options.n_fds = 300;
    CHECK_ERROR(kin_start(&child, give_back, kin_args(kin_int(1)), &options), KIN_EINVAL);
    options.n_fds = 240;
    CHECK_EQ(run_with(&options, give_back, kin_args(kin_int(1))), 1);
    options.start_method = "spawn";
    options.n_fds = 300;
    CHECK_EQ(run_with(&options, give_back, kin_args(kin_int(1))), 1);
    for (int i = 0; i < 300; i++) {
        close(fds[i]);
    }
    close(null);
}
