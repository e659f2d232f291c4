/* Children that answer, each over a pipe of its own, and all the time one of them is SIGKILLed and
 * replaced. Nobody hangs, nothing comes garbled, nothing is left. And messages beyond 2 GiB. */
#include "unit/conn/ends.h"

#include <signal.h>
#include <sys/mman.h>

enum { CROWD = 4, LARGEST = 200000 };

typedef struct child {
    kin_conn *conn;
    kin_conn *theirs;
    pid_t pid;
} child;

static int echo(void *ctx)
{
    const child *c = ctx;
    void *data;
    size_t size;
    int rv;
    while ((rv = kin_conn_recv_bytes(c->theirs, &data, &size, KIN_FOREVER)) == 0) {
        rv = kin_conn_send_bytes(c->theirs, data, size, KIN_FOREVER);
        free(data);
        if (rv < 0) {
            return 0;
        }
    }
    return rv == KIN_EEOF ? 0 : 1;
}

static void start(child *c)
{
    CHECK_OK(kin_pipe(&c->conn, &c->theirs, true));
    c->pid = test_child(echo, c);
    kin_conn_free(c->theirs); /* so that the child alone has it */
}

static void bury(child *c)
{
    kill(c->pid, SIGKILL);
    CHECK_EQ(test_join(c->pid), -SIGKILL);
    kin_conn_free(c->conn);
}

static size_t random_size(void)
{
    return (size_t)(test_random() % (test_random() % 2 ? LARGEST : 100));
}

/* True: the child answered. */
static bool talk(const child *c, const unsigned char *bytes, bool killed)
{
    size_t size = random_size();
    void *data;
    size_t got;
    int rv = kin_conn_send_bytes(c->conn, bytes, size, KIN_FOREVER);
    rv = rv < 0 ? rv : kin_conn_recv_bytes(c->conn, &data, &got, KIN_FOREVER);
    if (rv == 0) {
        CHECK_EQ(got, size);
        CHECK_MEM(data, bytes, size);
        free(data);
        return true;
    }
    CHECK(killed);
    CHECK(rv == KIN_ECLOSED || rv == KIN_EEOF || rv == KIN_EBROKEN);
    return false;
}

static double storm_seconds(void)
{
    const char *text = getenv("KIN_STORM_SECONDS");
    return text != NULL ? atof(text) : 3;
}

/* Kills the child while it is at work. */
static pid_t assassin(const child *c)
{
    pid_t pid = fork();
    if (pid == 0) {
        kin__os_sleep_until(kin__os_now() + (int64_t)(test_random() % 3000000));
        kill(c->pid, SIGKILL);
        _exit(0);
    }
    return pid;
}

TEST_WITHIN(200, pipes_survive_the_storm)
{
    child crowd[CROWD];
    unsigned char *bytes = pattern(LARGEST);
    int talks = 0;
    int kills = 0;
    for (int i = 0; i < CROWD; i++) {
        start(&crowd[i]);
    }
    for (double end = kin_now() + storm_seconds(); kin_now() < end;) {
        child *c = &crowd[test_random() % CROWD];
        for (int i = 0; i < 20; i++) {
            talks += talk(&crowd[test_random() % CROWD], bytes, false);
        }
        pid_t killer = assassin(c);
        while (talk(c, bytes, true)) {
            talks++;
        }
        CHECK_EQ(test_join(killer), 0);
        bury(c);
        start(c);
        kills++;
    }
    for (int i = 0; i < CROWD; i++) {
        bury(&crowd[i]);
    }
    for (int i = 0; i <= kills; i++) { /* pipes look after what is left of others */
        ends e = relatives();
        end_both(&e);
    }
    printf("# %d answers, %d killed\n", talks, kills);
    free(bytes);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- beyond 2 GiB ---------------------------------------------------------------------------- */

#define HUGE ((size_t)3 << 30)

/* Whose shadows take several times as much. */
static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#endif
#endif
    return false;
}

/* Pages that nobody writes to are all one. */
static unsigned char *huge(void)
{
    unsigned char *bytes = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(bytes != MAP_FAILED);
    for (size_t i = 0; i < HUGE; i += HUGE / 1000 + 7) {
        bytes[i] = (unsigned char)(i >> 12 | 1);
    }
    bytes[HUGE - 1] = 42;
    return bytes;
}

static int send_huge(void *ctx)
{
    unsigned char *bytes = huge();
    return kin_conn_send_bytes(ctx, bytes, HUGE, KIN_FOREVER) == 0 ? 0 : 1;
}

static void receive_huge(ends e)
{
    pid_t sender = test_child(send_huge, e.other);
    kin_conn_free(e.other);
    e.other = NULL;
    CHECK_OK(kin_conn_set_limit(e.one, UINT64_MAX));
    unsigned char *data = NULL;
    size_t size;
    CHECK_OK(kin_conn_recv_bytes(e.one, (void **)&data, &size, KIN_FOREVER));
    CHECK_EQ(size, HUGE);
    for (size_t i = 0; i < HUGE; i += HUGE / 1000 + 7) {
        CHECK_EQ(data[i], (unsigned char)(i >> 12 | 1));
    }
    CHECK_EQ(data[HUGE - 1], 42);
    free(data);
    CHECK_EQ(test_join(sender), 0);
    end_both(&e);
}

TEST_WITHIN(600, three_gibibytes_go_over_a_socket)
{
    if (is_sanitized() || !kin__os_has_memory(2 * HUGE)) {
        SKIP("there are not 6 GiB of memory, or a sanitizer wants them");
    }
    receive_huge(strangers());
}

TEST_WITHIN(600, three_gibibytes_go_between_relatives)
{
    if (is_sanitized() || !kin__os_has_memory(3 * HUGE)) {
        SKIP("there are not 9 GiB of memory, or a sanitizer wants them");
    }
    receive_huge(relatives());
    CHECK_EQ(blocks_in_use(), 0);
}
