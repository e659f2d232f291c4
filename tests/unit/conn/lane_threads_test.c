/* Letters of all kinds, by the lane and by the socket in turn, among processes, and among threads
 * alone for ThreadSanitizer: it sees one process. */
#include "ends.h"

#include <kin/wait.h>
#include <pthread.h>

enum { LARGE = 20000 };

static const char zeros[LARGE];

enum { SENDERS = 3, EACH = 3000 };

struct crowd {
    ends e;
    int sender, senders;
    _Atomic bool polls;
};

/* Several at once send small ones alone: a larger one is more than one write to the socket. */
static kin_obj some_object(const struct crowd *c, int i)
{
    kin_obj number = kin_int(c->sender * EACH + i);
    uint64_t what = c->senders > 1 ? 0 : (uint64_t)i * 2654435761u >> 9 & 63u;
    size_t size = what < 60 ? what * 10 : what == 63 ? LARGE : 2000;
    return what < 40    ? number
           : what == 60 ? kin_list(number, kin_descriptor(STDERR_FILENO))
                        : kin_list(number, kin_bytes(zeros, size));
}

static int be_sender(void *ctx)
{
    const struct crowd *c = ctx;
    kin_conn_free(c->e.one);
    for (int i = 0; i < EACH; i++) {
        CHECK_OK(kin_conn_send(c->e.other, some_object(c, i), KIN_FOREVER));
        if (test_random() % 64 == 0) {
            test_nap();
        }
    }
    return 0;
}

static int receive_any(kin_conn *conn, kin_obj *ret)
{
    kin_waitable thing = kin_conn_waitable(conn);
    switch (test_random() % 4) {
    case 0:
        return kin_conn_recv(conn, ret, 0);
    case 1:
        CHECK_OK(kin_conn_poll(conn, 0.001));
        return kin_conn_recv(conn, ret, 0);
    case 2:
        CHECK_OK(kin_wait(&thing, 1, 0.001));
        return kin_conn_recv(conn, ret, 0.001);
    default:
        return kin_conn_recv(conn, ret, KIN_FOREVER);
    }
}

static void check_all(kin_conn *conn, int senders)
{
    int next[SENDERS] = { 0 };
    kin_obj o;
    for (int got = 0; got < senders * EACH;) {
        int rv = receive_any(conn, &o);
        if (rv == 0) {
            int number = (int)kin_as_int(kin_type_of(o) == KIN_TYPE_INT ? o : kin_at(o, 0));
            CHECK_EQ(number % EACH, next[number / EACH]++);
            kin_release(o);
            got++;
        } else {
            CHECK_ERROR(rv, KIN_ETIMEDOUT);
        }
    }
    CHECK_ERROR(kin_conn_recv(conn, &o, KIN_FOREVER), KIN_EEOF);
}

static void storm(int senders)
{
    struct crowd c = { .e = relatives(), .senders = senders };
    pid_t children[SENDERS];
    for (c.sender = 0; c.sender < senders; c.sender++) {
        children[c.sender] = test_child(be_sender, &c);
    }
    kin_conn_free(c.e.other);
    c.e.other = NULL;
    check_all(c.e.one, senders);
    for (int i = 0; i < senders; i++) {
        CHECK_EQ(test_join(children[i]), 0);
    }
    end_both(&c.e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST_WITHIN(120, letters_of_all_kinds_keep_their_order_however_they_are_received)
{
    for (int i = 0; i < 3; i++) {
        storm(1);
        storm(SENDERS);
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *send_from_thread(void *ctx)
{
    struct crowd *c = ctx;
    for (int i = 0; i < EACH; i++) {
        if (kin_conn_send(c->e.other, some_object(c, i), KIN_FOREVER) < 0) {
            return c;
        }
    }
    kin_conn_free(c->e.other);
    return NULL;
}

static void *poll_from_thread(void *ctx)
{
    struct crowd *c = ctx;
    kin_waitable thing = kin_conn_waitable(c->e.one);
    while (atomic_load(&c->polls)) {
        if (kin_conn_poll(c->e.one, 0.0001) < 0 || kin_wait(&thing, 1, 0.0001) < 0) {
            return c;
        }
    }
    return NULL;
}

TEST_WITHIN(120, threads_send_poll_and_receive_at_once)
{
    struct crowd c = { .e = relatives(), .senders = 1, .polls = true };
    pthread_t sender, poller;
    void *failed;
    CHECK_EQ(pthread_create(&sender, NULL, send_from_thread, &c), 0);
    CHECK_EQ(pthread_create(&poller, NULL, poll_from_thread, &c), 0);
    check_all(c.e.one, 1);
    atomic_store(&c.polls, false);
    CHECK_EQ(pthread_join(sender, &failed), 0);
    CHECK_NULL(failed);
    CHECK_EQ(pthread_join(poller, &failed), 0);
    CHECK_NULL(failed);
    kin_conn_free(c.e.one);
    CHECK_EQ(blocks_in_use(), 0);
}
