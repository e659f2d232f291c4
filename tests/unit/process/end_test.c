/* What becomes of children when their parent ends. */
#include "domain/room.h"
#include "harness.h"
#include <kin/process.h>
#include <kin/sync.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    kin_event *go;
    _Atomic kin__id child;
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

struct plan {
    struct world *world;
    bool daemon;
    bool let_go;
    bool linger; /* to be killed */
};

static int start_and_end(void *ctx)
{
    const struct plan *plan = ctx;
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, wait_then_work, kin_args(kin_shared(plan->world)),
                       &(kin_process_options){ .daemon = plan->daemon }));
    WAIT_UNTIL(plan->world->child);
    if (plan->let_go) {
        kin_process_free(child);
    }
    while (plan->linger) {
        pause();
    }
    exit(0);
}

TEST(mains_end_joins_its_children)
{
    struct world *w = new_world();
    for (int let_go = 0; let_go < 2; let_go++) {
        struct plan plan = { .world = w, .let_go = let_go };
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

TEST(mains_end_kills_its_daemons)
{
    struct world *w = new_world();
    for (int let_go = 0; let_go < 2; let_go++) {
        struct plan plan = { .world = w, .daemon = true, .let_go = let_go };
        CHECK_EQ(test_join(test_child(start_and_end, &plan)), 0);
        CHECK(!kin__alive(w->child));
        w->child = 0;
    }
    CHECK_EQ(w->done, 0);
    free_world(w);
}

static kin_obj be_a_parent(kin_obj args)
{
    kin_process *child = NULL;
    KIN_TRY(kin_start(&child, wait_then_work, kin_args(kin_arg(args, 0)), NULL));
    kin_process_free(child);
    return kin_int(5);
}

TEST(a_childs_end_joins_its_own_children)
{
    struct world *w = new_world();
    kin_auto(kin_process) child = NULL;
    CHECK_OK(kin_start(&child, be_a_parent, kin_args(kin_shared(w)), NULL));
    WAIT_UNTIL(w->child);
    CHECK_ERROR(kin_process_join(child, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(w->go));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(child), 5);
    CHECK_EQ(w->done, 1);
    free_world(w);
}

TEST(a_daemon_dies_with_a_parent_who_is_killed)
{
    struct world *w = new_world();
    struct plan plan = { .world = w, .daemon = true, .linger = true };
    pid_t pid = test_child(start_and_end, &plan);
    WAIT_UNTIL(w->child);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    WAIT_UNTIL(!kin__alive(w->child));
    free_world(w);
}

TEST(a_child_that_is_no_daemon_lives_on)
{
    struct world *w = new_world();
    struct plan plan = { .world = w, .linger = true };
    pid_t pid = test_child(start_and_end, &plan);
    WAIT_UNTIL(w->child);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    CHECK(kin__alive(w->child));
    CHECK_OK(kin_event_set(w->go));
    WAIT_UNTIL(!kin__alive(w->child));
    CHECK_EQ(w->done, 1);
    free_world(w);
}

/* ---- daemons that come late ------------------------------------------------------------------ */

static kin_obj wait_in_vain(kin_obj args)
{
    (void)args;
    for (;;) {
        pause();
    }
    return kin_none();
}

/* When the daemons have been killed, another one comes; then the last child may end. */
static void *replace_daemon(void *ctx)
{
    struct world *w = ctx;
    kin_process *first = NULL;
    CHECK_OK(kin_start(&first, wait_in_vain, kin_args(), &(kin_process_options){ .daemon = true }));
    w->child = 1;
    CHECK_OK(kin_process_join(first, KIN_FOREVER));
    CHECK_OK(kin_start(NULL, wait_in_vain, kin_args(), &(kin_process_options){ .daemon = true }));
    CHECK_OK(kin_event_set(w->go));
    return NULL;
}

static kin_obj wait_for_go(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    KIN_TRY(kin_event_wait(w->go, KIN_FOREVER));
    return kin_none();
}

static int end_beside_a_thread(void *ctx)
{
    struct world *w = ctx;
    pthread_t thread;
    CHECK_OK(kin_start(NULL, wait_for_go, kin_args(kin_shared(w)), NULL));
    CHECK_EQ(pthread_create(&thread, NULL, replace_daemon, w), 0);
    CHECK_EQ(pthread_detach(thread), 0);
    WAIT_UNTIL(w->child);
    exit(0);
}

TEST(mains_end_kills_daemons_that_a_thread_starts_meanwhile)
{
    struct world *w = new_world();
    CHECK_EQ(test_join(test_child(end_beside_a_thread, w)), 0);
    free_world(w);
}
