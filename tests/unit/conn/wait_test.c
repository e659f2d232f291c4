#include "domain/room.h"
#include "harness.h"
#include <kin/wait.h>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 3000, STILL_WAITING = 1000 };

/* What a child waits for, and what came of that. */
struct scene {
    kin_event *events[3];
    int pipe[2];
    size_t n; /* of things: the events, then the pipe */
    double timeout;
    _Atomic int rv;
    _Atomic unsigned ready; /* a bit each */
    long sleeps;
};

static kin_event *new_event(void)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    return event;
}

static struct scene *new_scene(size_t n)
{
    struct scene *s = test_shared(sizeof *s);
    for (int i = 0; i < 3; i++) {
        s->events[i] = new_event();
    }
    CHECK_EQ(pipe(s->pipe), 0);
    s->n = n;
    s->timeout = KIN_FOREVER;
    s->rv = STILL_WAITING;
    return s;
}

static void free_scene(struct scene *s)
{
    for (int i = 0; i < 3; i++) {
        kin_event_free(s->events[i]);
    }
    close(s->pipe[0]);
    close(s->pipe[1]);
}

static unsigned bits_of(const kin_waitable *things, size_t n)
{
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits |= (unsigned)things[i].ready << i;
    }
    return bits;
}

static long sleeps(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

static int wait_here(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable things[4];
    for (int i = 0; i < 3; i++) {
        things[i] = kin_event_waitable(s->events[i]);
    }
    things[3] = kin_fd_waitable(s->pipe[0]);
    long before = sleeps();
    s->rv = kin_wait(things, s->n, s->timeout);
    s->sleeps = sleeps() - before;
    s->ready = bits_of(things, s->n);
    return 0;
}

static pid_t start_waiter(struct scene *s)
{
    s->rv = STILL_WAITING;
    s->ready = 0;
    pid_t pid = test_child(wait_here, s);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

/* ---- what is ready, and what is not --------------------------------------------------------- */

TEST(all_that_are_ready_are_marked_and_no_others)
{
    struct scene *s = new_scene(4);
    CHECK_OK(kin_event_set(s->events[1]));
    CHECK_EQ(wait_here(s), 0);
    CHECK_EQ(s->rv, 1);
    CHECK_EQ(s->ready, 2);
    CHECK_EQ(write(s->pipe[1], "x", 1), 1);
    CHECK_OK(kin_event_set(s->events[2]));
    CHECK_EQ(wait_here(s), 0);
    CHECK_EQ(s->rv, 3);
    CHECK_EQ(s->ready, 2 + 4 + 8);
    CHECK_OK(kin_event_clear(s->events[1]));
    CHECK_OK(kin_event_clear(s->events[2]));
    CHECK_EQ(wait_here(s), 0);
    CHECK_EQ(s->rv, 1);
    CHECK_EQ(s->ready, 8);
    free_scene(s);
}

TEST(marks_of_before_are_forgotten)
{
    kin_event *event = new_event();
    kin_waitable things[2] = { kin_event_waitable(event), kin_event_waitable(event) };
    CHECK_OK(kin_event_set(event));
    CHECK_EQ(kin_wait(things, 2, KIN_FOREVER), 2); /* the same thing twice */
    CHECK_OK(kin_event_clear(event));
    CHECK_EQ(kin_wait(things, 2, 0), 0);
    CHECK(!things[0].ready && !things[1].ready);
    CHECK_OK(kin_event_set(event));
    CHECK_EQ(kin_wait(things, 2, 0), 2); /* and used again */
    CHECK(things[0].ready && things[1].ready);
    kin_event_free(event);
}

TEST(a_timeout_takes_that_long_and_zero_only_tries)
{
    struct scene *s = new_scene(4);
    for (size_t n = 0; n <= 4; n++) {
        s->n = n;
        s->timeout = 0.06;
        double before = kin_now();
        CHECK_EQ(wait_here(s), 0);
        CHECK(kin_now() - before >= 0.06);
        CHECK_EQ(s->rv, 0);
        CHECK_EQ(s->ready, 0);
        s->timeout = -1;
        CHECK_EQ(wait_here(s), 0);
        CHECK_EQ(s->rv, 0);
        CHECK_EQ(s->sleeps, 0);
    }
    free_scene(s);
}

TEST(the_end_of_a_pipe_and_of_a_socket_is_ready)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    kin_waitable thing = kin_fd_waitable(ends[0]);
    CHECK_EQ(kin_wait(&thing, 1, 0), 0);
    close(ends[1]);
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    close(ends[0]);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    thing = kin_fd_waitable(ends[0]);
    CHECK_EQ(kin_wait(&thing, 1, 0), 0);
    CHECK_EQ(shutdown(ends[1], SHUT_WR), 0);
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    close(ends[0]);
    close(ends[1]);
}

/* ---- woken ----------------------------------------------------------------------------------- */

TEST(a_sleeper_is_woken_by_whatever_comes_first)
{
    struct scene *s = new_scene(4);
    for (int i = 0; i < 3; i++) {
        pid_t waiter = start_waiter(s);
        CHECK_OK(kin_event_set(s->events[i]));
        CHECK_EQ(test_join(waiter), 0);
        CHECK_EQ(s->rv, 1);
        CHECK_EQ(s->ready, 1u << i);
        CHECK_OK(kin_event_clear(s->events[i]));
    }
    pid_t waiter = start_waiter(s);
    CHECK_EQ(write(s->pipe[1], "x", 1), 1);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, 1);
    CHECK_EQ(s->ready, 8);
    free_scene(s);
}

TEST(an_event_that_is_cleared_at_once_has_still_been_set)
{
    struct scene *s = new_scene(3);
    pid_t waiter = start_waiter(s);
    kill(waiter, SIGSTOP);
    CHECK_OK(kin_event_set(s->events[2]));
    CHECK_OK(kin_event_clear(s->events[2]));
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, 1);
    CHECK_EQ(s->ready, 4);
    free_scene(s);
}

TEST(all_that_became_ready_in_a_sleep_are_marked)
{
    struct scene *s = new_scene(4);
    pid_t waiter = start_waiter(s);
    kill(waiter, SIGSTOP);
    CHECK_EQ(write(s->pipe[1], "x", 1), 1);
    CHECK_OK(kin_event_set(s->events[0]));
    CHECK_OK(kin_event_set(s->events[2]));
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, 3);
    CHECK_EQ(s->ready, 1 + 4 + 8);
    free_scene(s);
}

TEST(all_who_sleep_for_an_event_are_woken)
{
    struct scene *s[5];
    pid_t waiters[5];
    s[0] = new_scene(4);
    for (int i = 0; i < 5; i++) {
        s[i] = i == 0 ? s[0] : test_shared(sizeof **s);
        *s[i] = *s[0];
        waiters[i] = start_waiter(s[i]);
    }
    CHECK_OK(kin_event_set(s[0]->events[0]));
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(test_join(waiters[i]), 0);
        CHECK_EQ(s[i]->rv, 1);
    }
    free_scene(s[0]);
}

TEST(who_sleeps_with_nothing_held_does_not_tick)
{
    struct scene *s = new_scene(4);
    s->timeout = 1;
    CHECK_EQ(wait_here(s), 0);
    CHECK_EQ(s->rv, 0);
    CHECK_LT(s->sleeps, 10); /* naps would be 20 and more */
    free_scene(s);
}

static void on_signal(int signal)
{
    (void)signal;
}

static int wait_through_signals(void *ctx)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    return wait_here(ctx);
}

TEST(a_signal_handler_does_not_end_it)
{
    struct scene *s = new_scene(4);
    pid_t waiter = test_child(wait_through_signals, s);
    for (int i = 0; i < 3; i++) {
        WAIT_UNTIL(test_is_asleep(waiter));
        kill(waiter, SIGUSR1);
    }
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_EQ(s->rv, STILL_WAITING);
    CHECK_OK(kin_event_set(s->events[0]));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, 1);
    free_scene(s);
}

static void *wait_in_thread(void *ctx)
{
    (void)wait_here(ctx);
    return NULL;
}

TEST(threads_of_one_process_wait_for_the_same_things)
{
    struct scene *s[4];
    pthread_t threads[4];
    s[0] = new_scene(4);
    for (int i = 0; i < 4; i++) {
        s[i] = i == 0 ? s[0] : test_shared(sizeof **s);
        *s[i] = *s[0];
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_in_thread, s[i]), 0);
    }
    CHECK_OK(kin_event_set(s[0]->events[2])); /* asleep or not yet */
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(s[i]->rv, 1);
        CHECK_EQ(s[i]->ready, 4);
    }
    free_scene(s[0]);
}

/* ---- many ------------------------------------------------------------------------------------ */

static kin_waitable *things_for(kin_event **events, size_t n)
{
    kin_waitable *things = malloc(n * sizeof *things);
    for (size_t i = 0; i < n; i++) {
        events[i] = new_event();
        things[i] = kin_event_waitable(events[i]);
    }
    return things;
}

struct crowd {
    kin_event *events[MANY];
    _Atomic int rv;
    _Atomic int last;
};

static int wait_for_crowd(void *ctx)
{
    struct crowd *c = ctx;
    kin_waitable *things = malloc(MANY * sizeof *things);
    for (int i = 0; i < MANY; i++) {
        things[i] = kin_event_waitable(c->events[i]);
    }
    c->rv = kin_wait(things, MANY, KIN_FOREVER);
    for (int i = 0; i < MANY; i++) {
        c->last = things[i].ready ? i : c->last;
    }
    free(things);
    return 0;
}

TEST(thousands_of_events_are_waited_for)
{
    struct crowd *c = test_shared(sizeof *c);
    free(things_for(c->events, MANY));
    const int chosen[] = { 0, 1234, MANY - 1 };
    for (int i = 0; i < 3; i++) {
        pid_t waiter = test_child(wait_for_crowd, c);
        WAIT_UNTIL(test_is_asleep(waiter));
        CHECK_OK(kin_event_set(c->events[chosen[i]]));
        CHECK_EQ(test_join(waiter), 0);
        CHECK_EQ(c->rv, 1);
        CHECK_EQ(c->last, chosen[i]);
        CHECK_OK(kin_event_clear(c->events[chosen[i]]));
    }
    for (int i = 0; i < MANY; i++) {
        kin_event_free(c->events[i]);
    }
}

/* poll refuses more entries than there may be descriptors; here all of them are two. */
TEST(more_entries_than_descriptors_are_waited_for)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    kin_event *event = new_event();
    kin_waitable things[401];
    for (int i = 0; i < 400; i++) {
        things[i] = kin_fd_waitable(ends[i % 2]);
    }
    things[400] = kin_event_waitable(event);
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = { .rlim_cur = 64, .rlim_max = before.rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(kin_wait(things, 401, 0.01), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(kin_wait(things, 401, KIN_FOREVER), 200);
    for (int i = 0; i < 400; i++) {
        CHECK_EQ(things[i].ready, i % 2 == 0);
    }
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(ends[0]);
    close(ends[1]);
    kin_event_free(event);
}

/* ---- what cannot be waited for --------------------------------------------------------------- */

TEST(a_thing_that_is_none_is_told_by_its_index)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    kin_event *event = new_event();
    CHECK_OK(kin_event_set(event));
    kin_waitable things[3] = { kin_event_waitable(event), kin_fd_waitable(ends[0]),
                               kin_fd_waitable(-1) };
    CHECK_ERROR(kin_wait(things, 3, 0), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "thing 2");
    CHECK(!things[0].ready);
    things[2] = kin_fd_waitable(ends[1] + 20);
    CHECK_ERROR(kin_wait(things, 3, 0), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "thing 2: descriptor");
    CHECK(!things[0].ready);
    things[1] = (kin_waitable){ .fd = 0 };
    CHECK_ERROR(kin_wait(things, 3, 0), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "thing 1");
    things[1] = kin_event_waitable(NULL);
    CHECK_ERROR(kin_wait(things, 2, 0), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "thing 1: the event is NULL");
    things[1] = kin_event_waitable((kin_event *)(void *)&things);
    CHECK_ERROR(kin_wait(things, 2, KIN_FOREVER), KIN_EINVAL);
    CHECK_EQ(kin_wait(things, 1, 0), 1); /* and nothing was lost */
    close(ends[0]);
    close(ends[1]);
    kin_event_free(event);
}

TEST(arguments_that_make_no_sense_are_refused)
{
    kin_waitable thing = kin_fd_waitable(0);
    CHECK_ERROR(kin_wait(NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR(kin_wait(&thing, 1, NAN), KIN_EINVAL);
    CHECK_ERROR(kin_wait(&thing, SIZE_MAX, 0), KIN_EINVAL);
    CHECK_ERROR(kin_wait(NULL, 0, KIN_FOREVER), KIN_EINVAL);
    CHECK_EQ(kin_wait(NULL, 0, 0), 0);
}

TEST(a_freed_event_is_told_also_when_another_lies_there)
{
    kin_event *event = new_event();
    kin_waitable thing = kin_event_waitable(event);
    kin_event_free(event);
    CHECK_ERROR(kin_wait(&thing, 1, 0), KIN_EFREED);
    kin_event *another = new_event();
    CHECK_PTR(another, event);
    CHECK_OK(kin_event_set(another));
    CHECK_ERROR(kin_wait(&thing, 1, 0), KIN_EFREED);
    CHECK_CONTAINS(kin_errmsg(), "thing 0: the event was freed");
    kin_event_free(another);
}

TEST(a_sleeper_learns_that_an_event_was_freed_and_maybe_made_anew)
{
    struct scene *s = new_scene(4);
    pid_t waiter = start_waiter(s);
    kin_event_free(s->events[1]);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, KIN_ECLOSED);
    s->events[1] = new_event();
    waiter = start_waiter(s);
    kill(waiter, SIGSTOP);
    kin_event *old = s->events[1];
    kin_event_free(old);
    s->events[1] = new_event();
    CHECK_PTR(s->events[1], old);
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, KIN_ECLOSED);
    CHECK_EQ(s->ready, 0);
    free_scene(s);
}

TEST(kin_dump_tells_of_who_waits)
{
    struct scene *s = new_scene(4);
    pid_t waiter = start_waiter(s);
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    CHECK_OK(kin_dump(to));
    fclose(to);
    CHECK_CONTAINS(text, "waits for event");
    free(text);
    CHECK_OK(kin_event_set(s->events[0]));
    CHECK_EQ(test_join(waiter), 0);
    free_scene(s);
}
