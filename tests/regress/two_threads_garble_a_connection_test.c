/* Python: "data in a pipe may become corrupted if two processes or threads try to write to the same
 * end at the same time". Threads take turns here. */
#include "unit/conn/ends.h"

#include <pthread.h>

enum { THREADS = 4, EACH = 100, SIZE = 50000 };

static kin_conn *shared;

static void *send_own_letter(void *arg)
{
    char bytes[SIZE];
    memset(bytes, *(char *)arg, SIZE);
    for (int i = 0; i < EACH; i++) {
        if (kin_conn_send_bytes(shared, bytes, (size_t)(SIZE - i), KIN_FOREVER) < 0) {
            return arg;
        }
    }
    return NULL;
}

static void *receive_half(void *conn)
{
    char bytes[SIZE];
    for (int i = 0; i < THREADS * EACH / 2; i++) {
        ssize_t size = kin_conn_recv_bytes_into(conn, bytes, SIZE, KIN_FOREVER);
        if (size <= 0) {
            return conn;
        }
        for (ssize_t k = 1; k < size; k++) {
            if (bytes[k] != bytes[0]) {
                return conn;
            }
        }
    }
    return NULL;
}

static void all_at_once(ends e)
{
    static char letters[THREADS] = { 'a', 'b', 'c', 'd' };
    pthread_t threads[THREADS + 2];
    shared = e.one;
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, send_own_letter, &letters[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[THREADS + i], NULL, receive_half, e.other), 0);
    }
    for (int i = 0; i < THREADS + 2; i++) {
        void *rv;
        pthread_join(threads[i], &rv);
        CHECK_NULL(rv);
    }
    CHECK_EQ(kin_conn_poll(e.other, 0), 0);
    end_both(&e);
}

TEST_WITHIN(60, threads_at_both_ends_of_a_socket_take_turns)
{
    all_at_once(strangers());
}

TEST_WITHIN(60, threads_at_both_ends_of_a_pipe_take_turns)
{
    all_at_once(relatives());
}
