/* Bytes over a descriptor, in parts and with a deadline. */
#include "ends.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

typedef struct pair {
    kin__stream in, out;
} pair;

static pair sockets(void)
{
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    return (pair){ .in = { .fd = fds[0], .is_socket = true, .is_local = true },
                   .out = { .fd = fds[1], .is_socket = true, .is_local = true } };
}

static pair pipes(int flags)
{
    int fds[2];
    CHECK_EQ(pipe2(fds, flags), 0);
    return (pair){ .in = { .fd = fds[0] }, .out = { .fd = fds[1] } };
}

static void end(pair *p)
{
    close(p->in.fd);
    close(p->out.fd);
}

static int64_t soon(void)
{
    return kin__os_now() + 5000000;
}

static void reads_what_there_is(pair p)
{
    char bytes[100];
    CHECK_EQ(kin__stream_read(&p.in, bytes, sizeof bytes, 0), -ETIMEDOUT);
    CHECK_EQ(kin__stream_read(&p.in, bytes, sizeof bytes, soon()), -ETIMEDOUT);
    CHECK_EQ(write(p.out.fd, "hello", 5), 5);
    CHECK_EQ(kin__stream_read(&p.in, bytes, sizeof bytes, 0), 5);
    CHECK_EQ(write(p.out.fd, "hello", 5), 5);
    CHECK_EQ(kin__stream_read(&p.in, bytes, 2, KIN__NEVER), 2);
    CHECK_EQ(kin__stream_read(&p.in, bytes, sizeof bytes, KIN__NEVER), 3);
    close(p.out.fd);
    CHECK_EQ(kin__stream_read(&p.in, bytes, sizeof bytes, 0), 0);
    close(p.in.fd);
}

TEST(a_read_gets_what_there_is_or_waits_or_sees_the_end)
{
    reads_what_there_is(sockets());
    reads_what_there_is(pipes(0));
    reads_what_there_is(pipes(O_NONBLOCK));
}

/* A stream that nobody reads takes so much, and then time runs out; what went is counted. */
static void writes_until_it_is_full(pair p)
{
    size_t size = 3 << 20;
    unsigned char *bytes = pattern(size);
    const kin__bytes parts[2] = { { bytes, 3 }, { bytes + 3, size - 3 } };
    size_t sent = 0;
    CHECK_EQ(kin__stream_write(&p.out, parts, NULL, soon(), &sent), -ETIMEDOUT);
    CHECK_GT(sent, 1000);
    CHECK_LT(sent, size);
    size_t more = 0;
    CHECK_EQ(kin__stream_write(&p.out, parts, NULL, 0, &more), -ETIMEDOUT);
    unsigned char *got = malloc(sent + more);
    for (size_t n = 0; n < sent;) {
        ssize_t rv = kin__stream_read(&p.in, got + n, sent - n, 0);
        CHECK_GT(rv, 0);
        n += (size_t)rv;
    }
    CHECK_MEM(got, bytes, sent);
    free(got);
    free(bytes);
    end(&p);
}

TEST(a_write_that_runs_out_of_time_says_how_much_went)
{
    writes_until_it_is_full(sockets());
    writes_until_it_is_full(pipes(0));
    writes_until_it_is_full(pipes(O_NONBLOCK));
}

TEST(nobody_at_the_other_end_is_an_error_and_no_signal)
{
    pair all[] = { sockets(), pipes(0) };
    for (int i = 0; i < 2; i++) {
        const kin__bytes parts[2] = { { "x", 1 }, { NULL, 0 } };
        size_t sent;
        close(all[i].in.fd);
        CHECK_EQ(kin__stream_write(&all[i].out, parts, NULL, KIN__NEVER, &sent), -EPIPE);
        CHECK_EQ(sent, 0);
        close(all[i].out.fd);
    }
}

/* ---- through signals, a byte at a time ------------------------------------------------------- */

static void ignore(int signal)
{
    (void)signal;
}

/* Whether it looks busily before it sleeps: then it reads more often than before and after. */
static bool looks(pair *p)
{
    char byte;
    kin__fault_arm(KIN__FAULT_CALL, 4);
    ssize_t rv = kin__stream_read(&p->in, &byte, 1, kin__os_now());
    bool fired = kin__fault_fired();
    kin__fault_arm(KIN__FAULT_CALL, 0);
    CHECK_EQ(rv, fired ? -ENOMEM : -ETIMEDOUT);
    return fired;
}

static void wait_in_vain(pair *p, int times)
{
    char byte;
    for (int i = 0; i < times; i++) {
        CHECK_EQ(kin__stream_read(&p->in, &byte, 1, kin__os_now()), -ETIMEDOUT);
    }
}

TEST(who_is_waited_for_in_vain_is_looked_for_rarely)
{
    pair p = sockets();
    CHECK(looks(&p));
    wait_in_vain(&p, 9);
    CHECK(!looks(&p));
    wait_in_vain(&p, 6);
    CHECK(looks(&p));
    CHECK(looks(&p)); /* it ended with a look: now it is worth one */
    end(&p);
}

static void *drip(void *arg)
{
    const pair *p = arg;
    for (int i = 0; i < 300; i++) {
        if (write(p->out.fd, "x", 1) != 1) {
            return arg;
        }
    }
    return NULL;
}

static atomic_bool over;

static void *annoy(void *arg)
{
    while (!over) {
        pthread_kill(*(pthread_t *)arg, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

TEST(signals_and_single_bytes_change_nothing)
{
    pair p = sockets();
    pthread_t self = pthread_self();
    pthread_t writer, annoyer;
    void *rv;
    char bytes[300];
    CHECK_EQ(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = ignore }, NULL), 0);
    CHECK_EQ(pthread_create(&annoyer, NULL, annoy, &self), 0);
    CHECK_EQ(pthread_create(&writer, NULL, drip, &p), 0);
    for (size_t n = 0; n < sizeof bytes;) {
        ssize_t got = kin__stream_read(&p.in, bytes + n, sizeof bytes - n,
                                       n % 2 ? KIN__NEVER : kin__os_now() + INT64_C(20000000000));
        CHECK_GT(got, 0);
        n += (size_t)got;
    }
    over = true;
    pthread_join(writer, &rv);
    CHECK_NULL(rv);
    pthread_join(annoyer, NULL);
    end(&p);
}
