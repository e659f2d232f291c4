/* Parents, children and their children, by each start method: who ends whom, who waits for whom. */
#include "domain/room.h"
#include "start.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a test shares with two generations. */
struct world {
    kin_event *go;
    _Atomic kin__id child;
    _Atomic kin__id other;
    _Atomic int done;
};

static struct world *new_world(void)
{
    struct world *w = kin_alloc(sizeof *w);
    CHECK_OK(kin_event_new(&w->go, NULL));
    return w;
}

static void free_world(struct world *w)
{
    kin_event_free(w->go);
    kin_free(w);
}

static kin_obj wait_then_work(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    w->child = kin__self();
    KIN_TRY(kin_event_wait(w->go, KIN_FOREVER));
    w->done++;
    return kin_none();
}

/* Spins, with every signal blocked that can be. */
static kin_obj spin(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    w->child = kin__self();
    for (;;) {
        kin__os_pause();
    }
    return kin_none();
}

/* ---- main's end ------------------------------------------------------------------------- */

struct plan {
    struct world *world;
    const char *method;
    kin_fn function;
    int daemon;
    bool let_go;
    bool linger; /* to be killed */
};

static void *start_planned(void *ctx)
{
    const struct plan *plan = ctx;
    kin_process *child = NULL;
    CHECK_OK(kin_start(
        &child, plan->function, kin_args(kin_shared(plan->world)),
        KIN_OPT(kin_process_options, .daemon = plan->daemon, .start_method = plan->method)));
    WAIT_UNTIL(plan->world->child);
    if (plan->let_go) {
        kin_process_free(child);
    }
    return NULL;
}

static int start_and_end(void *ctx)
{
    struct plan *plan = ctx;
    start_planned(plan);
    while (plan->linger) {
        pause();
    }
    exit(0);
}

EACH_METHOD(mains_end_joins_its_children)
{
    struct world *w = new_world();
    for (int let_go = 0; let_go < 2; let_go++) {
        struct plan plan = { w, method, wait_then_work, .let_go = let_go };
        pid_t pid = test_child(start_and_end, &plan);
        WAIT_UNTIL(w->child);
        WAIT_UNTIL(test_is_asleep(pid));
        CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
        CHECK_OK(kin_event_set(w->go));
        CHECK_EQ(test_join(pid), 0);
        CHECK_EQ(w->done, 1 + let_go);
        CHECK_OK(kin_event_clear(w->go));
        w->child = 0;
    }
    free_world(w);
}

EACH_METHOD(mains_end_kills_its_daemons)
{
    struct world *w = new_world();
    for (int let_go = 0; let_go < 2; let_go++) {
        struct plan plan = { w, method, wait_then_work, .daemon = true, .let_go = let_go };
        CHECK_EQ(test_join(test_child(start_and_end, &plan)), 0);
        CHECK(!kin__alive(w->child));
        w->child = 0;
    }
    CHECK_EQ(w->done, 0);
    free_world(w);
}

/* ---- a parent that is killed ------------------------------------------------------------ */

static void kill_parent(struct plan *plan)
{
    plan->linger = true;
    pid_t pid = test_child(start_and_end, plan);
    WAIT_UNTIL(plan->world->child);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

EACH_METHOD(a_daemon_dies_with_a_parent_who_is_killed)
{
    struct world *w = new_world();
    kill_parent(&(struct plan){ w, method, wait_then_work, .daemon = true });
    WAIT_UNTIL(!kin__alive(w->child));
    w->child = 0;
    kill_parent(&(struct plan){ w, method, spin, .daemon = true });
    WAIT_UNTIL(!kin__alive(w->child));
    free_world(w);
}

EACH_METHOD(a_child_that_is_no_daemon_lives_on)
{
    struct world *w = new_world();
    kill_parent(&(struct plan){ w, method, wait_then_work, .daemon = 0 });
    CHECK(kin__alive(w->child));
    CHECK_OK(kin_event_set(w->go));
    WAIT_UNTIL(!kin__alive(w->child));
    CHECK_EQ(w->done, 1);
    free_world(w);
}

EACH_METHOD(a_daemon_outlives_the_thread_that_started_it)
{
    kin_log_set_level(KIN_LOG_ERROR); /* fork warns of the thread */
    struct world *w = new_world();
    struct plan plan = { w, method, wait_then_work, .daemon = true, .let_go = true };
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, start_planned, &plan), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(kin_event_set(w->go));
    CHECK_EQ(run_by(method, wait_then_work, kin_args(kin_shared(w))), 0);
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK_EQ(w->done, 2);
    free_world(w);
}

/* ---- a child's own children -------------------------------------------------------------- */

static kin_obj be_a_parent(kin_obj args)
{
    kin_process *child = NULL;
    KIN_TRY(kin_start(&child, wait_then_work, kin_args(kin_arg(args, 0)),
                      KIN_OPT(kin_process_options, .start_method = kin_arg_str(args, 1),
                              .daemon = kin_as_bool(kin_arg(args, 2)))));
    struct world *w = kin_arg_shared(args, 0);
    while (w->child == 0) {
        kin__os_yield();
    }
    kin_process_free(child);
    return kin_int(5);
}

static const char *const methods[] = { "fork", "spawn", "forkserver" };

EACH_METHOD(a_childs_end_joins_its_own_children)
{
    struct world *w = new_world();
    for (int i = 0; i < 3; i++) {
        kin_process *child = start_by(
            method, be_a_parent, kin_args(kin_shared(w), kin_str(methods[i]), kin_bool(false)));
        WAIT_UNTIL(w->child);
        CHECK_ERROR(kin_process_join(child, 0), KIN_ETIMEDOUT);
        CHECK_OK(kin_event_set(w->go));
        CHECK_EQ(end(child), 5);
        CHECK_EQ(w->done, i + 1);
        CHECK_OK(kin_event_clear(w->go));
        w->child = 0;
    }
    free_world(w);
}

EACH_METHOD(a_childs_end_kills_its_own_daemons)
{
    struct world *w = new_world();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run_by(method, be_a_parent,
                        kin_args(kin_shared(w), kin_str(methods[i]), kin_bool(true))),
                 5);
        CHECK(!kin__alive(w->child));
        w->child = 0;
    }
    CHECK_EQ(w->done, 0);
    free_world(w);
}

/* ---- the parent, as its child sees it ----------------------------------------------------- */

/* Sees it end. */
static kin_obj watch_parent(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    kin_process *parent = (kin_process *)(uintptr_t)kin_parent_process();
    SEE(parent != NULL);
    SEE(kin_process_is_alive(parent));
    SEE(kin_process_join(parent, 0) == KIN_ETIMEDOUT);
    SEE(kin_process_join(parent, 0.01) == KIN_ETIMEDOUT);
    SEE(kin_process_kill(parent) < 0);
    w->child = kin__self();
    SEE(kin_process_join(parent, KIN_FOREVER) == 0);
    SEE(!kin_process_is_alive(parent));
    kin_waitable end = kin_process_waitable(parent); /* not asked for until now */
    SEE(kin_wait(&end, 1, KIN_FOREVER) == 1);
    w->done = 1;
    return kin_none();
}

EACH_METHOD(a_child_may_join_its_parent)
{
    struct world *w = new_world();
    kill_parent(&(struct plan){ w, method, watch_parent, .daemon = 0 });
    WAIT_UNTIL(w->done);
    WAIT_UNTIL(!kin__alive(w->child));
    free_world(w);
}

static kin_obj wait_for_parent(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    int fd = kin_process_sentinel(kin_parent_process());
    SEE(fd > STDERR_FILENO);
    kin_waitable things[] = { kin_event_waitable(w->go), kin_process_waitable(kin_parent_process()),
                              kin_fd_waitable(fd) };
    SEE(kin_wait(things, 3, 0) == 0);
    w->child = kin__self();
    SEE(kin_wait(things + 1, 1, KIN_FOREVER) == 1);
    SEE(kin_wait(things, 3, KIN_FOREVER) == 2); /* and stays so */
    SEE(!things[0].ready && things[1].ready && things[2].ready);
    SEE(kin_process_sentinel(kin_parent_process()) == fd);
    w->done = 1;
    return kin_none();
}

EACH_METHOD(a_child_may_wait_for_its_parents_end_among_others)
{
    struct world *w = new_world();
    kill_parent(&(struct plan){ w, method, wait_for_parent, .daemon = 0 });
    WAIT_UNTIL(w->done);
    WAIT_UNTIL(!kin__alive(w->child));
    free_world(w);
}

/* ---- processes of others ------------------------------------------------------------------ */

static kin_process *shared_by_fork;

static int use_a_sibling(void *ctx)
{
    (void)ctx;
    CHECK_ERROR(kin_process_start(shared_by_fork), KIN_ESTATE);
    CHECK_ERROR(kin_process_join(shared_by_fork, 0), KIN_ESTATE);
    CHECK_ERROR(kin_process_kill(shared_by_fork), KIN_ESTATE);
    CHECK_ERROR(kin_process_sentinel(shared_by_fork), KIN_ESTATE);
    CHECK_ERROR(kin_process_exitcode(shared_by_fork), KIN_ESTATE);
    CHECK(!kin_process_is_alive(shared_by_fork));
    CHECK_STR(kin_process_name(shared_by_fork), "Process-1");
    CHECK_EQ(kin_join_children(0), 0);
    CHECK_EQ(kin_active_children(NULL, 0), 0);
    kin_process_free(shared_by_fork);
    return 0;
}

EACH_METHOD(a_process_is_its_makers)
{
    struct world *w = new_world();
    CHECK_OK(kin_process_new(&shared_by_fork, wait_then_work, kin_args(kin_shared(w)),
                             KIN_OPT(kin_process_options, .start_method = method)));
    CHECK_OK(kin_process_start(shared_by_fork));
    CHECK_EQ(test_join(test_child(use_a_sibling, NULL)), 0);
    CHECK_OK(kin_event_set(w->go));
    CHECK_EQ(end(shared_by_fork), 0);
    free_world(w);
}

/* A bare fork of the user's, of a process with children, has children by any method. */
static int have_a_child(void *ctx)
{
    struct plan *plan = ctx;
    CHECK_OK(kin_event_set(plan->world->go));
    return run_by(plan->method, wait_then_work, kin_args(kin_shared(plan->world)));
}

EACH_METHOD(a_bare_forks_child_may_have_children)
{
    struct world *w = new_world();
    struct plan plan = { .world = w, .method = method };
    kin_process *first = start_by(method, wait_then_work, kin_args(kin_shared(w)));
    CHECK_EQ(test_join(test_child(have_a_child, &plan)), 0);
    CHECK_EQ(end(first), 0);
    CHECK_EQ(w->done, 2);
    free_world(w);
}
