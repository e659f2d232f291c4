/* Connections, listeners, processes and programs: kin_interrupt ends every wait for them. */
#include "interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

static char bytes[256];

/* ---- connections ----------------------------------------------------------------------------- */

static kin_conn *here, *there;
static int raw[2];

static void begin_pipe(void)
{
    CHECK_OK(kin_pipe(&here, &there, true));
}

static void begin_stranger(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw), 0);
    CHECK_OK(kin_conn_new(&here, raw[0], NULL));
    CHECK_OK(kin_conn_new(&there, raw[1], NULL));
}

static void begin_pipe_of_the_kernel(void)
{
    CHECK_EQ(pipe2(raw, O_CLOEXEC), 0);
    CHECK_OK(kin_conn_new(&here, raw[0], KIN_OPT(kin_conn_options, .read_only = true)));
    CHECK_OK(kin_conn_new(&there, raw[1], KIN_OPT(kin_conn_options, .write_only = true)));
}

static void fill(void)
{
    while (kin_conn_send_bytes(there, bytes, sizeof bytes, 0) == 0) {
    }
}

static void begin_full_pipe(void)
{
    begin_pipe();
    fill();
}

static void begin_full_stranger(void)
{
    begin_stranger();
    fill();
}

static void end_conn(void)
{
    kin_conn_free(here);
    kin_conn_free(there);
}

static int recv_object(void)
{
    kin_obj o;
    int rv = kin_conn_recv(here, &o, KIN_FOREVER);
    kin_release(rv < 0 ? kin_none() : o);
    return rv;
}

static int recv_within(void)
{
    void *data;
    size_t size;
    int rv = kin_conn_recv_bytes(here, &data, &size, 1000);
    if (rv == 0) {
        free(data);
    }
    return rv;
}

static int recv_into(void)
{
    return (int)kin_conn_recv_bytes_into(here, bytes, sizeof bytes, KIN_FOREVER);
}

static int poll_conn(void)
{
    return kin_conn_poll(here, KIN_FOREVER);
}

static int wait_for_conn(void)
{
    kin_waitable things[] = { kin_conn_waitable(here) };
    return kin_wait(things, 1, KIN_FOREVER);
}

static int recv_fd(void)
{
    int fd;
    int rv = kin_conn_recv_fd(here, &fd, KIN_FOREVER);
    if (rv == 0) {
        close(fd);
    }
    return rv;
}

static int send_one(void)
{
    return kin_conn_send_bytes(there, bytes, sizeof bytes, KIN_FOREVER);
}

static int send_object(void)
{
    return kin_conn_send(there, kin_str("an object"), 1000);
}

static void send_pickle(void)
{
    CHECK_OK(kin_conn_send(there, kin_str("an object"), 0));
}

static void send_fd(void)
{
    CHECK_OK(kin_conn_send_fd(there, 0, 0));
}

static void drain(void)
{
    while (kin_conn_recv_bytes_into(here, bytes, sizeof bytes, 0) >= 0) {
    }
}

TEST(connections_are_interrupted)
{
    static const struct row receives[] = {
        ROW(recv_object, send_pickle), ROW(recv_within, send_pickle),   ROW(recv_into, send_pickle),
        ROW(poll_conn, send_pickle),   ROW(wait_for_conn, send_pickle),
    };
    static const struct row fds[] = { ROW(recv_fd, send_fd) };
    static const struct row sends[] = { ROW(send_one, drain), ROW(send_object, drain) };
    INTERRUPT_EACH(receives, begin_pipe, end_conn);
    INTERRUPT_EACH(receives, begin_stranger, end_conn);
    INTERRUPT_EACH(receives, begin_pipe_of_the_kernel, end_conn);
    INTERRUPT_EACH(fds, begin_pipe, end_conn);
    INTERRUPT_EACH(fds, begin_stranger, end_conn);
    INTERRUPT_EACH(sends, begin_full_pipe, end_conn);
    INTERRUPT_EACH(sends, begin_full_stranger, end_conn);
}

/* ---- listeners ------------------------------------------------------------------------------- */

static kin_listener *listener;
static kin_conn *conn;
static int crowd[64];
static int n_crowd;
static char key[] = "a key";
static bool with_key;

static int new_socket(struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const char *name = kin_listener_address(listener);
    *at = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(at->sun_path, sizeof at->sun_path, "%s", name);
    CHECK_GE(fd, 0);
    return fd;
}

static void begin_listener(void)
{
    CHECK_OK(kin_listener_new(&listener, NULL, KIN_OPT(kin_listener_options, .backlog = 1)));
}

/* Until the next one has to wait. */
static void begin_crowded(void)
{
    with_key = false;
    begin_listener();
    for (n_crowd = 0; n_crowd < 64; n_crowd++) {
        struct sockaddr_un at;
        int fd = crowd[n_crowd] = new_socket(&at);
        if (connect(fd, (const struct sockaddr *)&at, sizeof at) < 0) {
            close(fd);
            break;
        }
    }
    CHECK_LT(n_crowd, 64);
}

/* Who connects is let in, and nobody answers him. */
static void begin_silent(void)
{
    with_key = true;
    n_crowd = 0;
    begin_listener();
}

static void leave_room(void)
{
    kin_conn *one;
    while (kin_listener_accept(listener, &one, 0) == 0) {
        kin_conn_free(one);
    }
}

static void forget_key(void)
{
    with_key = false;
}

static void end_listener(void)
{
    for (int i = 0; i < n_crowd; i++) {
        close(crowd[i]);
    }
    n_crowd = 0;
    kin_conn_free(conn);
    conn = NULL;
    kin_listener_free(listener);
}

static int accept_one(void)
{
    int rv = kin_listener_accept(listener, &conn, KIN_FOREVER);
    return rv;
}

static int wait_for_listener(void)
{
    kin_waitable things[] = { kin_listener_waitable(listener) };
    return kin_wait(things, 1, KIN_FOREVER);
}

static int connect_there(void)
{
    return kin_connect(&conn, kin_listener_address(listener),
                       KIN_OPT(kin_connect_options, .authkey = with_key ? key : NULL,
                               .authkey_size = with_key ? sizeof key - 1 : 0, .timeout = 1000));
}

static void come(void)
{
    struct sockaddr_un at;
    crowd[0] = new_socket(&at);
    n_crowd = 1;
    CHECK_EQ(connect(crowd[0], (const struct sockaddr *)&at, sizeof at), 0);
}

TEST(listeners_and_who_connects_are_interrupted)
{
    static const struct row accepts[] = { ROW(accept_one, come), ROW(wait_for_listener, come) };
    static const struct row connects[] = { ROW(connect_there, leave_room) };
    static const struct row handshakes[] = { ROW(connect_there, forget_key) };
    INTERRUPT_EACH(accepts, begin_listener, end_listener);
    INTERRUPT_EACH(connects, begin_crowded, end_listener);
    INTERRUPT_EACH(handshakes, begin_silent, end_listener);
}

/* ---- processes and programs ------------------------------------------------------------------ */

static kin_process *process;
static kin_popen *popen_;
static kin_completed_process completed;
static const char *seconds;

static kin_obj sleep_on(kin_obj args)
{
    (void)args;
    return kin_sleep(1000) < 0 ? kin_none() : kin_int(1);
}

static void begin_process(void)
{
    CHECK_OK(kin_start(&process, sleep_on, kin_args(), NULL));
}

static void kill_process(void)
{
    CHECK_OK(kin_process_kill(process));
}

static void end_process(void)
{
    CHECK_EQ(kin_process_exitcode(process), -SIGKILL);
    kin_process_free(process);
}

static int join_process(void)
{
    return kin_process_join(process, KIN_FOREVER);
}

static int join_process_within(void)
{
    return kin_process_join(process, 1000);
}

static int join_children(void)
{
    return kin_join_children(KIN_FOREVER);
}

static int wait_for_process(void)
{
    kin_waitable things[] = { kin_process_waitable(process) };
    int rv = kin_wait(things, 1, KIN_FOREVER);
    return rv < 0 ? rv : kin_process_join(process, KIN_FOREVER);
}

static void begin_program(void)
{
    static const char *const argv[] = { "cat", NULL };
    seconds = "1000";
    CHECK_OK(
        kin_popen_new(&popen_, argv, KIN_OPT(kin_run_options, .in = KIN_PIPE, .capture = true)));
}

static void close_its_stdin(void)
{
    CHECK_OK(kin_popen_close_stdin(popen_));
}

static int wait_program(void)
{
    return kin_popen_wait(popen_, KIN_FOREVER);
}

static void end_program(void)
{
    kin_popen_free(popen_);
}

static int run_program(void)
{
    const char *const argv[] = { "sleep", seconds, NULL };
    return kin_run(argv, NULL, NULL);
}

static void make_it_long(void)
{
    seconds = "1000";
}

static void make_it_short(void)
{
    seconds = "0";
}

TEST(processes_and_programs_are_interrupted)
{
    static const struct row processes[] = {
        ROW(join_process, kill_process),
        ROW(join_process_within, kill_process),
        ROW(join_children, kill_process),
        ROW(wait_for_process, kill_process),
    };
    static const struct row programs[] = { ROW(wait_program, close_its_stdin) };
    static const struct row runs[] = { ROW(run_program, make_it_short) };
    INTERRUPT_EACH(processes, begin_process, end_process);
    INTERRUPT_EACH(programs, begin_program, end_program);
    INTERRUPT_EACH(runs, make_it_long, make_it_short);
}

/* Its input is not needed after that, and all of it arrives. */
TEST(who_communicates_is_interrupted_and_loses_nothing)
{
    static const char *const argv[] = { "sh", "-c", "read line; kill -STOP $$; cat", NULL };
    enum { SIZE = 1 << 20 };
    char *input = malloc(SIZE);
    memset(input, 'k', SIZE);
    input[0] = '\n';
    CHECK_OK(
        kin_popen_new(&popen_, argv, KIN_OPT(kin_run_options, .in = KIN_PIPE, .capture = true)));
    pthread_t interrupter;
    pid_t self = gettid();
    CHECK_EQ(pthread_create(&interrupter, NULL, interrupt_sleeper, &self), 0);
    CHECK_ERROR(kin_popen_communicate(popen_, input, SIZE, KIN_FOREVER, &completed), KIN_EINTR);
    pthread_join(interrupter, NULL);
    free(input);
    while (kin_popen_communicate(popen_, NULL, 0, 0.01, &completed) == KIN_ETIMEDOUT) {
        CHECK_OK(kin_popen_send_signal(popen_, SIGCONT));
    }
    CHECK_EQ(completed.returncode, 0);
    CHECK_EQ(completed.out_size, SIZE - 1);
    kin_completed_process_done(&completed);
    kin_popen_free(popen_);
}
