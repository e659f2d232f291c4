/* The serving thread: its beginning and end, and that nobody holds up the others. */
#include "unit/manager/raw.h"

#include <fcntl.h>
#include <kin/process.h>
#include <poll.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

TEST(a_manager_serves_until_it_is_stopped_and_again)
{
    kin_manager *m = new_manager();
    CHECK_STR(kin_manager_address(m), "");
    for (int i = 0; i < 3; i++) {
        serve(m);
        CHECK_EQ(kin_manager_address(m)[0], '@');
        CHECK_ERROR(kin_manager_serve(
                        m, "@other", KIN_OPT(kin_serve_options, .authkey = "k", .authkey_size = 1)),
                    KIN_ESTATE);
        kin_release(control(m, "dummy", kin_tuple()));
        CHECK_OK(kin_manager_stop(m));
        CHECK_STR(kin_manager_address(m), "");
    }
    kin_manager_free(m);
}

TEST(a_manager_serves_by_a_port_and_by_a_path)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/kin-manager-test-%d", (int)getpid());
    const char *const addresses[] = { "127.0.0.1:0", path };
    for (size_t i = 0; i < 2; i++) {
        kin_manager *m = new_manager();
        serve_with(m, addresses[i], (kin_serve_options){ 0 });
        kin_release(control(m, "dummy", kin_tuple()));
        kin_manager_free(m);
    }
    CHECK(access(path, F_OK) < 0);
}

TEST(a_manager_needs_a_key)
{
    kin_manager *m = new_manager();
    CHECK_ERROR(kin_manager_serve(m, "@x", NULL), KIN_EINVAL);
    CHECK_ERROR(kin_manager_serve(m, "@x", KIN_OPT(kin_serve_options, .allow_md5 = true)),
                KIN_EINVAL);
    CHECK_ERROR(kin_manager_serve(m, "@x",
                                  KIN_OPT(kin_serve_options, .authkey = "k", .authkey_size = 1,
                                          .reserved = { 1 })),
                KIN_EINVAL);
    CHECK_ERROR(kin_manager_serve(m, "no such thing as this",
                                  KIN_OPT(kin_serve_options, .authkey = "k", .authkey_size = 1)),
                KIN_EINVAL);
    kin_manager_free(m);
}

static void count_refusals(int level, const char *text, void *count)
{
    CHECK_EQ(level, KIN_LOG_INFO);
    CHECK_CONTAINS(text, "another key");
    atomic_fetch_add((atomic_int *)count, 1);
}

TEST(who_does_not_know_the_key_is_refused_and_counted_and_logged_not_too_often)
{
    enum { TRIES = 20 };
    kin_manager *m = new_manager();
    kin_conn *conn = NULL;
    atomic_int logged = 0;
    (void)kin_log_set_level(KIN_LOG_INFO);
    kin_log_set_handler(count_refusals, &logged);
    double began = kin_now();
    serve(m);
    for (int i = 0; i < TRIES; i++) {
        CHECK_ERROR(
            kin_connect(&conn, kin_manager_address(m),
                        KIN_OPT(kin_connect_options, .authkey = "wrong", .authkey_size = 5)),
            KIN_EAUTH);
    }
    WAIT_UNTIL(stats(m).refused == TRIES);
    kin_release(control(m, "dummy", kin_tuple()));
    kin_manager_free(m);
    CHECK_GT(logged, 0);
    CHECK_LE(logged, 1 + (int)(kin_now() - began)); /* one a second */
    kin_log_set_handler(NULL, NULL);
}

TEST(a_client_that_asks_for_too_much_is_dropped)
{
    kin_manager *m = new_manager();
    serve_with(m, NULL, (kin_serve_options){ .max_message = 1000 });
    char many[2000] = { 0 };
    kin_conn *conn = enter(m);
    send_request(conn, NULL, "dummy", kin_tuple(kin_bytes(many, 900)));
    kin_release(hear_return(conn));
    kin_conn_free(conn);
    conn = enter(m);
    (void)kin_conn_send_bytes(conn, many, sizeof many, KIN_FOREVER);
    CHECK(is_over(conn));
    CHECK_EQ(stats(m).refused, 1);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(beyond_all_memory_the_largest_client_goes)
{
    kin_manager *m = new_manager();
    serve_with(m, NULL, (kin_serve_options){ .max_memory = 200000 });
    kin_conn *large = enter(m), *small = enter(m);
    char *half = calloc(1, 150000);
    half[1] = 4; /* a frame of 256 KiB, of which there will be a part */
    CHECK_EQ(write(kin_conn_fileno(small), half, 1000), 1000);
    CHECK_GT(write(kin_conn_fileno(large), half, 150000), 100000); /* it may be over by then */
    CHECK(is_over(large));
    CHECK_EQ(stats(m).refused, 1);
    kin_release(control(m, "dummy", kin_tuple()));
    free(half);
    kin_conn_free(large);
    kin_conn_free(small);
    kin_manager_free(m);
}

TEST(when_there_are_too_many_the_next_one_waits)
{
    kin_manager *m = new_manager();
    serve_with(m, NULL, (kin_serve_options){ .max_clients = 2 });
    kin_conn *a = enter_for_methods(m), *b = enter_for_methods(m), *c = NULL;
    const kin_connect_options how = { .authkey = SECRET,
                                      .authkey_size = strlen(SECRET),
                                      .timeout = 0.1 };
    CHECK_ERROR(kin_connect(&c, kin_manager_address(m), &how), KIN_ETIMEDOUT);
    kin_conn_free(a);
    kin_release(control(m, "dummy", kin_tuple()));
    kin_conn_free(b);
    kin_manager_free(m);
}

static int ask_and_wait(void *ctx)
{
    const kin_manager *m = ctx;
    kin_conn *conn = enter_for_methods(m);
    send_request(conn, "1", "nothing", kin_tuple());
    kill(getpid(), SIGKILL);
    return 0;
}

/* Processor time of this process, in milliseconds. */
static int64_t spent(void)
{
    return clock() / (CLOCKS_PER_SEC / 1000);
}

TEST(without_descriptors_the_server_does_not_spin)
{
    kin_manager *m = new_manager();
    struct rlimit before;
    serve(m);
    kin_conn *conn = enter_for_methods(m);
    int own = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &(const struct rlimit){ (rlim_t)own + 1, before.rlim_max }));
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    const char *name = kin_manager_address(m) + 1;
    memcpy(at.sun_path + 1, name, strlen(name));
    CHECK_OK(connect(own, (struct sockaddr *)&at,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))));
    int64_t began = spent();
    struct pollfd nothing = { .fd = own, .events = POLLIN };
    CHECK_EQ(poll(&nothing, 1, 1000), 0); /* nobody has a descriptor for him */
    CHECK_LT(spent() - began, 100);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_EQ(poll(&nothing, 1, -1), 1); /* the challenge */
    close(own);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(a_client_that_is_killed_is_no_client_any_more)
{
    kin_manager *m = new_manager();
    serve(m);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(test_join(test_child(ask_and_wait, m)), -SIGKILL);
    }
    WAIT_UNTIL(stats(m).clients == 0);
    kin_manager_free(m);
}

TEST_WITHIN(60, two_hundred_clients_at_once)
{
    kin_manager *m = new_manager();
    kin_queue *queue = NULL;
    kin_conn *conns[200];
    char ident[40];
    CHECK_OK(kin_manager_queue(m, &queue, NULL));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(queue)));
    serve(m);
    create(m, "queue", ident);
    for (int i = 0; i < 200; i++) {
        conns[i] = enter_for_methods(m);
    }
    CHECK_EQ(stats(m).clients, 200);
    for (int i = 0; i < 200; i++) { /* all wait */
        send_request(conns[i], ident, "get", kin_tuple());
    }
    WAIT_UNTIL(stats(m).waiting == 200);
    for (int i = 0; i < 200; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
    }
    int64_t sum = 0;
    for (int i = 0; i < 200; i++) {
        kin_obj o = hear_return(conns[i]);
        sum += kin_as_int(o);
        kin_conn_free(conns[i]);
    }
    CHECK_EQ(sum, 199 * 100);
    WAIT_UNTIL(stats(m).clients == 0);
    kin_manager_free(m);
}

TEST(stopping_ends_what_waits)
{
    kin_manager *m = new_manager();
    kin_event *event = NULL;
    char ident[40];
    CHECK_OK(kin_manager_event(m, &event));
    CHECK_OK(kin_manager_register(m, "event", kin_shared(event)));
    serve(m);
    create(m, "event", ident);
    kin_conn *conn = enter_for_methods(m);
    send_request(conn, ident, "wait", kin_tuple());
    WAIT_UNTIL(stats(m).waiting == 1);
    CHECK_OK(kin_manager_stop(m));
    CHECK(is_over(conn));
    CHECK(!kin_event_is_set(event)); /* it is there still */
    kin_conn_free(conn);
    kin_manager_free(m);
}

/* Who has waited at a condition takes its lock again, however long that takes. */
TEST(stopping_ends_who_waits_for_a_lock_that_another_client_holds)
{
    kin_manager *m = new_manager();
    kin_condition *condition = NULL;
    char ident[40];
    CHECK_OK(kin_manager_condition(m, &condition));
    CHECK_OK(kin_manager_register(m, "condition", kin_shared(condition)));
    serve(m);
    create(m, "condition", ident);
    kin_conn *waits = enter_for_methods(m), *holds = enter_for_methods(m);
    kin_release(ask(waits, ident, "acquire", kin_tuple()));
    send_request(waits, ident, "wait", kin_tuple());
    kin_release(ask(holds, ident, "acquire", kin_tuple())); /* so the first one waits by now */
    kin_release(ask(holds, ident, "notify", kin_tuple()));
    CHECK_OK(kin_manager_stop(m));
    kin_conn_free(waits);
    kin_conn_free(holds);
    kin_manager_free(m);
}

static kin_obj fork_one(kin_obj args)
{
    bool by_hand = kin_as_bool(kin_arg(args, 0));
    pid_t pid = by_hand ? fork() : kin_fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return kin_int(pid);
}

typedef struct place {
    char address[64];
    int ends[2];
} place;

static int serve_there(void *ctx)
{
    const place *at = ctx;
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_register(m, "fork", kin_func(fork_one)));
    serve_with(m, at->address, (kin_serve_options){ 0 });
    CHECK_EQ(write(at->ends[1], "x", 1), 1);
    return kin_manager_join(m, KIN_FOREVER);
}

static pid_t fork_at(kin_manager *far, bool by_hand)
{
    kin_obj pid;
    CHECK_OK(kin_manager_call(far, "fork", kin_args(kin_bool(by_hand)), &pid));
    return (pid_t)kin_as_int(pid);
}

TEST(clients_are_told_of_the_death_of_a_server_whose_children_live)
{
    place at;
    char byte;
    kin_manager *far = NULL;
    snprintf(at.address, sizeof at.address, "@kin-manager-test-%d", (int)getpid());
    CHECK_EQ(pipe2(at.ends, O_CLOEXEC), 0);
    pid_t server = test_child(serve_there, &at);
    CHECK_EQ(read(at.ends[0], &byte, 1), 1);
    kin_connect_options how = { .authkey = SECRET, .authkey_size = strlen(SECRET) };
    CHECK_OK(kin_manager_connect(&far, at.address, &how));
    kin_conn *idle = NULL;
    CHECK_OK(kin_connect(&idle, at.address, &how));
    pid_t children[] = { fork_at(far, false), fork_at(far, true) };
    kill(server, SIGKILL);
    CHECK_EQ(test_join(server), -SIGKILL);
    CHECK(is_over(idle));
    kin_obj none;
    CHECK_ERROR(kin_manager_call(far, "fork", kin_args(), &none), KIN_EEOF);
    CHECK(kin_connect(&idle, at.address, &how) < 0); /* nobody listens there */
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kill(children[i], 0), 0); /* it is there */
        kill(children[i], SIGKILL);
    }
    close(at.ends[0]);
    close(at.ends[1]);
    kin_conn_free(idle);
    kin_manager_free(far);
}

TEST(a_forked_child_frees_its_copy_and_the_manager_serves_on)
{
    kin_manager *m = new_manager();
    serve(m);
    kin_conn *conn = enter_for_methods(m);
    pid_t pid = fork();
    if (pid == 0) {
        kin_manager_free(m);
        _exit(0);
    }
    CHECK_EQ(test_join(pid), 0);
    send_request(conn, "1", "nothing", kin_tuple());
    hear_failure(conn, "#TRACEBACK", "KeyError");
    kin_conn_free(conn);
    kin_manager_free(m);
}

static int64_t processor_time(void)
{
    struct rusage used;
    CHECK_EQ(getrusage(RUSAGE_SELF, &used), 0);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec +
           used.ru_stime.tv_usec;
}

TEST(an_idle_manager_sleeps_after_its_last_request)
{
    kin_manager *m = new_manager();
    serve(m);
    kin_conn *conn = enter_for_methods(m);
    for (int i = 0; i < 100; i++) {
        send_request(conn, "1", "nothing", kin_tuple());
        hear_failure(conn, "#TRACEBACK", "KeyError");
    }
    int64_t before = processor_time();
    CHECK_OK(kin_sleep(0.5));
    CHECK_LT(processor_time() - before, 100000);
    kin_conn_free(conn);
    kin_manager_free(m);
}
