/* Several threads and processes at one listener, and what one of them does at a bad moment. */
#include "unit/listener/peers.h"

#include <signal.h>

/* ---- forked while others accept -------------------------------------------------------------- */

struct sleeper {
    pthread_t thread;
    kin_listener *l;
    _Atomic pid_t tid;
    int rv;
};

static void *sleep_in_accept(void *arg)
{
    struct sleeper *s = arg;
    kin_conn *conn = NULL;
    s->tid = (pid_t)gettid();
    s->rv = kin_listener_accept(s->l, &conn, KIN_FOREVER);
    kin_conn_free(conn);
    return NULL;
}

static void begin_sleeper(struct sleeper *s)
{
    CHECK_EQ(pthread_create(&s->thread, NULL, sleep_in_accept, s), 0);
    WAIT_UNTIL(s->tid != 0 && test_is_asleep(s->tid));
}

static int free_it(void *ctx)
{
    kin_listener_free(ctx); /* nobody accepts here */
    return 0;
}

static int use_and_free_it(void *ctx)
{
    kin_conn *conn = NULL;
    int before = test_count_descriptors();
    CHECK_ERROR(kin_listener_accept(ctx, &conn, 0), KIN_ETIMEDOUT);
    CHECK_EQ(test_count_descriptors(), before); /* for a watch and an alarm others, and none more */
    kin_listener_free(ctx);
    CHECK_EQ(test_count_descriptors(), before - 3);
    return 0;
}

TEST(a_child_that_was_forked_while_others_accept_can_use_it_and_free_it)
{
    enter_place();
    struct sleeper s = { .l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY)) };
    begin_sleeper(&s);
    CHECK_EQ(test_join(test_child(free_it, s.l)), 0);
    CHECK_EQ(test_join(test_child(use_and_free_it, s.l)), 0);
    kin_listener_free(s.l);
    CHECK_EQ(pthread_join(s.thread, NULL), 0);
    CHECK_EQ(s.rv, KIN_ECLOSED);
    leave_place();
}

struct heir {
    kin_listener *l;
    int low; /* a descriptor below the listener's */
    _Atomic bool begins;
};

/* Its own watch has another number than that of its parent. */
static int wait_for_it(void *ctx)
{
    struct heir *heir = ctx;
    kin_conn *conn = NULL;
    kin_waitable thing = kin_listener_waitable(heir->l);
    close(heir->low);
    heir->begins = true;
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    CHECK_OK(kin_listener_accept(heir->l, &conn, 0));
    kin_conn_free(conn);
    kin_listener_free(heir->l);
    return 0;
}

TEST(a_forked_child_waits_for_it_beside_other_things)
{
    kin_conn *conn = NULL;
    enter_place();
    struct heir *heir = test_shared(sizeof *heir);
    heir->low = dup(STDERR_FILENO);
    heir->l = listener_at(in_place("s"), NULL);
    pid_t pid = test_child(wait_for_it, heir);
    WAIT_UNTIL(heir->begins && test_is_asleep(pid));
    CHECK_OK(kin_connect(&conn, in_place("s"), NULL));
    CHECK_EQ(test_join(pid), 0);
    kin_conn_free(conn);
    close(heir->low);
    kin_listener_free(heir->l);
    leave_place();
}

/* ---- freed while somebody is slow to leave --------------------------------------------------- */

static int gate[2];

static void stay_here(int signal)
{
    char byte;
    (void)signal;
    (void)!read(gate[0], &byte, 1);
}

struct freer {
    pthread_t thread;
    kin_listener *l;
    _Atomic pid_t tid;
    _Atomic bool done;
};

static void *free_in_thread(void *arg)
{
    struct freer *f = arg;
    f->tid = (pid_t)gettid();
    kin_listener_free(f->l);
    f->done = true;
    return NULL;
}

TEST(who_frees_it_waits_until_those_who_accept_are_out_of_it)
{
    enter_place();
    struct sigaction action = { .sa_handler = stay_here };
    CHECK_EQ(pipe(gate), 0);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    struct sleeper s = { .l = listener_at(in_place("s"), NULL) };
    begin_sleeper(&s);
    CHECK_EQ(pthread_kill(s.thread, SIGUSR1), 0); /* he is in there until he may go on */
    struct freer f = { .l = s.l };
    CHECK_EQ(pthread_create(&f.thread, NULL, free_in_thread, &f), 0);
    WAIT_UNTIL(f.done || (f.tid != 0 && test_is_asleep(f.tid)));
    CHECK(!f.done);
    CHECK_EQ(write(gate[1], "x", 1), 1);
    CHECK_EQ(pthread_join(f.thread, NULL), 0);
    CHECK_EQ(pthread_join(s.thread, NULL), 0);
    CHECK_EQ(s.rv, KIN_ECLOSED);
    close(gate[0]);
    close(gate[1]);
    leave_place();
}

/* ---- several at once ------------------------------------------------------------------------- */

enum { SERVERS = 3, CLIENTS = 60 };

struct crowd {
    kin_listener *l;
    _Atomic int served;
    _Atomic bool over;
};

/* All of them wake up for one who connects, and find him gone but for one. */
static void serve(struct crowd *c)
{
    while (!c->over) {
        kin_conn *conn = NULL;
        int rv = kin_listener_accept(c->l, &conn, 0.05);
        CHECK(rv == 0 || rv == KIN_ETIMEDOUT);
        c->served += rv == 0;
        kin_conn_free(conn);
    }
}

static int serve_in_child(void *ctx)
{
    struct crowd *c = ctx;
    serve(c);
    kin_listener_free(c->l);
    return 0;
}

static void *serve_in_thread(void *ctx)
{
    serve(ctx);
    return NULL;
}

TEST(of_several_processes_that_accept_one_gets_each_who_connects)
{
    pid_t servers[SERVERS];
    pthread_t thread;
    kin_conn *clients[CLIENTS];
    struct crowd *c = test_shared(sizeof *c);
    enter_place();
    c->l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    for (int i = 0; i < SERVERS; i++) {
        servers[i] = test_child(serve_in_child, c);
    }
    CHECK_EQ(pthread_create(&thread, NULL, serve_in_thread, c), 0);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(kin_connect(&clients[i], in_place("s"), KIN_OPT(kin_connect_options, KEY)));
    }
    WAIT_UNTIL(c->served == CLIENTS);
    c->over = true;
    for (int i = 0; i < SERVERS; i++) {
        CHECK_EQ(test_join(servers[i]), 0);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(c->served, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        kin_conn_free(clients[i]);
    }
    kin_listener_free(c->l);
    leave_place();
}
