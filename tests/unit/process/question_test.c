/* What may be asked about a child at odd moments. */
#include "contract/start.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const kin_process_options served = { .start_method = "forkserver" };

static kin_obj tell_parent_and_wait(kin_obj args)
{
    _Atomic int *parent = kin_arg_shared(args, 0);
    *parent = getppid();
    for (;;) {
        pause();
    }
    return kin_none();
}

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

TEST(who_asks_how_a_child_ended_waits_for_a_slow_server_and_nobody_else_does)
{
    int *server = kin_alloc(sizeof *server);
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, tell_parent_and_wait, kin_args(kin_shared(server)), &served));
    WAIT_UNTIL(*(_Atomic int *)server != 0);
    CHECK_EQ(kill(*server, SIGSTOP), 0);
    CHECK_OK(kin_process_kill(p));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK(!kin_process_is_alive(p));
    CHECK_EQ(kin_active_children(NULL, 0), 0);
    CHECK_EQ(kill(*server, SIGCONT), 0); /* in time only if none of those has waited in vain */
    CHECK_EQ(kin_process_exitcode(p), -SIGKILL);
    kin_process_free(p);
    kin_free(server);
}

static void *join_it(void *ctx)
{
    return kin_process_join(ctx, KIN_FOREVER) == 0 ? NULL : ctx;
}

static _Atomic pid_t joiner;

static void *join_and_tell(void *ctx)
{
    joiner = gettid();
    return join_it(ctx);
}

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_none();
}

TEST(a_child_may_be_freed_while_it_is_joined)
{
    kin_event *go = NULL;
    CHECK_OK(kin_event_new(&go, NULL));
    kin_process *p = start_by("fork", wait_for_event, kin_args(kin_shared(go)));
    pthread_t thread;
    void *failed = NULL;
    CHECK_EQ(pthread_create(&thread, NULL, join_and_tell, p), 0);
    WAIT_UNTIL(joiner != 0 && test_is_asleep(joiner));
    kin_process_free(p);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(pthread_join(thread, &failed), 0);
    CHECK_NULL(failed);
    kin_event_free(go);
}

TEST(who_was_reaped_by_somebody_else_has_a_sentinel_that_is_readable)
{
    kin_process *p = start_by("fork", nothing, kin_args());
    CHECK_EQ(waitpid(kin_process_pid(p), NULL, 0), kin_process_pid(p));
    int fd = kin_process_sentinel(p);
    bool ended;
    CHECK_GE(fd, 0);
    CHECK_EQ(kin__os_poll(&fd, &ended, 1, 0), 1);
    kin_process_free(p);
}

static kin_obj free_parent(kin_obj args)
{
    kin_process *parent = (kin_process *)(uintptr_t)kin_parent_process();
    (void)args;
    kin_process_free(parent);
    SEE(kin_process_is_alive(kin_parent_process()));
    SEE(kin_process_exitcode(parent) == KIN_ESTATE);
    return kin_none();
}

TEST(our_parent_is_not_freed)
{
    CHECK_EQ(run_by("fork", free_parent, kin_args()), 0);
    CHECK_EQ(run_by("spawn", free_parent, kin_args()), 0);
}

/* ---- kin_process_waitable -------------------------------------------------------------------- */

static kin_obj wait_for_word(kin_obj args)
{
    return kin_int(kin_event_wait(kin_as(kin_event, kin_arg(args, 0)), KIN_FOREVER) + 5);
}

TEST(a_process_is_ready_once_it_has_ended)
{
    kin_event *go[3];
    kin_process *p[3];
    kin_waitable things[3];
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_event_new(&go[i], NULL));
        CHECK_OK(
            kin_start(&p[i], wait_for_word, kin_args(kin_shared(go[i])), i == 2 ? &served : NULL));
        things[i] = kin_process_waitable(p[i]);
    }
    CHECK_EQ(kin_wait(things, 3, 0), 0);
    for (int i = 2; i >= 0; i--) {
        CHECK_OK(kin_event_set(go[i]));
        CHECK_EQ(kin_wait(things, (size_t)i + 1, KIN_FOREVER), 1);
        CHECK(things[i].ready);
        CHECK_EQ(kin_process_exitcode(p[i]), 5);
    }
    CHECK_EQ(kin_wait(things, 3, KIN_FOREVER), 3); /* and stays so */
    for (int i = 0; i < 3; i++) {
        kin_process_free(p[i]);
        kin_event_free(go[i]);
    }
}

TEST(a_process_that_was_not_started_cannot_be_waited_for)
{
    kin_process *p = NULL;
    CHECK_OK(kin_process_new(&p, nothing, kin_args(), NULL));
    kin_waitable things[2] = { kin_process_waitable(p), kin_process_waitable(NULL) };
    CHECK_ERROR(kin_wait(things, 2, 0), KIN_ESTATE);
    CHECK_CONTAINS(kin_errmsg(), "thing 0");
    CHECK_ERROR(kin_wait(things + 1, 1, 0), KIN_EINVAL);
    kin_process_free(p);
}
