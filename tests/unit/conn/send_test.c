/* Sending: all sizes, to ends that do not read, and descriptors. */
#include "ends.h"

#include <pthread.h>

typedef struct job {
    kin_conn *conn;
    const void *bytes;
    size_t size;
    double timeout;
    int rv;
} job;

static void *send_it(void *arg)
{
    job *j = arg;
    j->rv = kin_conn_send_bytes(j->conn, j->bytes, j->size, j->timeout);
    return NULL;
}

static void sizes_arrive(ends e)
{
    static const size_t sizes[] = { 0,     1,     47,    48,    49,     4092,    4096,   16384,
                                    16385, 32767, 32768, 65536, 212992, 1000000, 5000001 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *bytes = pattern(sizes[i]);
        job j = {
            .conn = e.other, .bytes = bytes, .size = sizes[i], .timeout = i % 2 ? 20 : 1e300
        };
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, send_it, &j), 0);
        check_bytes(e.one, bytes, sizes[i]);
        pthread_join(thread, NULL);
        CHECK_OK(j.rv);
        free(bytes);
    }
    end_both(&e);
}

TEST_WITHIN(60, all_sizes_arrive_between_relatives)
{
    sizes_arrive(relatives());
    CHECK_EQ(blocks_in_use(), 0);
}

TEST_WITHIN(60, all_sizes_arrive_between_strangers)
{
    sizes_arrive(strangers());
}

TEST_WITHIN(60, all_sizes_arrive_through_a_pipe_of_the_kernels)
{
    sizes_arrive(over_a_pipe());
}

/* ---- out of time ----------------------------------------------------------------------------- */

TEST(a_send_that_cannot_begin_changes_nothing)
{
    ends e = strangers();
    char byte = 'x';
    int n = 0;
    while (kin_conn_send_bytes(e.one, &byte, 1, 0) == 0) { /* until it is full */
        n++;
    }
    CHECK_GT(n, 10);
    CHECK_ERROR(kin_conn_send_bytes(e.one, &byte, 1, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_conn_send_bytes(e.one, &byte, 1, 0.001), KIN_ETIMEDOUT);
    for (int i = 0; i < n; i++) {
        check_bytes(e.other, "x", 1);
    }
    CHECK_EQ(kin_conn_poll(e.other, 0), 0);
    CHECK_OK(kin_conn_send_bytes(e.one, &byte, 1, 0));
    end_both(&e);
}

TEST(a_send_that_breaks_off_in_the_middle_breaks_that_direction_alone)
{
    ends e = strangers();
    unsigned char *bytes = pattern(3000000);
    CHECK_ERROR(kin_conn_send_bytes(e.one, bytes, 3000000, 0.001), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_conn_send_bytes(e.one, "x", 1, 1), KIN_EBROKEN);
    CHECK_ERROR(kin_conn_send(e.one, kin_none(), 1), KIN_EBROKEN);
    CHECK_OK(kin_conn_send_bytes(e.other, "back", 4, 1));
    check_bytes(e.one, "back", 4);
    kin_conn_free(e.one);
    e.one = NULL;
    void *data;
    size_t size;
    CHECK_ERROR(kin_conn_recv_bytes(e.other, &data, &size, 1), KIN_EBROKEN);
    free(bytes);
    end_both(&e);
}

TEST(nobody_at_the_other_end_is_closed)
{
    ends all[] = { relatives(), strangers() };
    for (int i = 0; i < 2; i++) {
        ends e = all[i];
        unsigned char *bytes = pattern(100000);
        kin_conn_free(e.other);
        e.other = NULL;
        CHECK_ERROR(kin_conn_send_bytes(e.one, "x", 1, 1), KIN_ECLOSED);
        CHECK_ERROR(kin_conn_send_bytes(e.one, bytes, 100000, 1), KIN_ECLOSED);
        CHECK_ERROR(kin_conn_send(e.one, kin_none(), 1), KIN_ECLOSED);
        free(bytes);
        end_both(&e);
    }
    CHECK_EQ(blocks_in_use(), 0);
}

/* So the end that a receive has told of says nothing about a stranger: what is sent tells. */
TEST(whoever_only_sends_no_more_can_still_be_sent_to)
{
    ends e = with_raw();
    void *data;
    size_t size;
    char got[16];
    CHECK_EQ(shutdown(e.raw, SHUT_WR), 0);
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, KIN_FOREVER), KIN_EEOF);
    CHECK_OK(kin_conn_send_bytes(e.one, "hello", 5, 1));
    CHECK_EQ(read(e.raw, got, sizeof got), 4 + 5);
    close(e.raw);
    e.raw = -1;
    CHECK_ERROR(kin_conn_send_bytes(e.one, "hello", 5, 1), KIN_ECLOSED);
    end_both(&e);
}

/* What moved into a message that did not leave is gone, as the rule says, and leaks nothing. */
TEST(a_buffer_in_an_object_that_could_not_be_sent_is_freed)
{
    ends e = relatives();
    kin_conn_close(e.other);
    kin_obj small = kin_list(kin_buffer(kin_alloc(100), 100));
    CHECK_ERROR(kin_conn_send(e.one, small, 1), KIN_ECLOSED);
    char *text = calloc(1, 100000);
    kin_obj large = kin_list(kin_buffer(kin_alloc(100), 100), kin_bytes(text, 100000));
    free(text);
    CHECK_ERROR(kin_conn_send(e.one, large, 1), KIN_ECLOSED);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_buffer_moves_without_a_copy)
{
    ends e = relatives();
    char *memory = kin_alloc(1000000);
    memory[999999] = 7;
    CHECK_OK(kin_conn_send(e.one, kin_buffer(memory, 1000000), 1));
    kin_obj o;
    size_t size;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    CHECK_PTR(kin_take_buffer(o, &size), memory);
    CHECK_EQ(size, 1000000);
    kin_free(memory);
    kin_release(o);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(the_invalid_object_is_refused)
{
    ends e = relatives();
    CHECK_ERROR(kin_conn_send(e.one, (kin_obj){ 0 }, 1), KIN_EINVAL);
    CHECK_EQ(kin_conn_poll(e.other, 0), 0);
    end_both(&e);
}

/* ---- two threads ----------------------------------------------------------------------------- */

static void *send_many(void *arg)
{
    const job *j = arg;
    for (int i = 0; i < 50; i++) {
        if (kin_conn_send_bytes(j->conn, j->bytes, j->size, KIN_FOREVER) < 0) {
            return arg;
        }
    }
    return NULL;
}

static void threads_do_not_mix(ends e)
{
    unsigned char *bytes = pattern(100000);
    job jobs[2] = { { .conn = e.one, .bytes = bytes, .size = 100000 },
                    { .conn = e.one, .bytes = bytes, .size = 30000 } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, send_many, &jobs[i]), 0);
    }
    for (int i = 0; i < 100; i++) {
        void *data;
        size_t size;
        CHECK_OK(kin_conn_recv_bytes(e.other, &data, &size, 20));
        CHECK(size == 100000 || size == 30000);
        CHECK_MEM(data, bytes, size);
        free(data);
    }
    for (int i = 0; i < 2; i++) {
        void *rv;
        pthread_join(threads[i], &rv);
        CHECK_NULL(rv);
    }
    free(bytes);
    end_both(&e);
}

TEST_WITHIN(60, messages_of_two_threads_do_not_mix)
{
    threads_do_not_mix(strangers());
    threads_do_not_mix(relatives());
}

/* ---- a descriptor as it is ------------------------------------------------------------------- */

TEST(a_descriptor_goes_as_one_byte_that_says_how_many)
{
    ends e = with_raw();
    int fds[KIN__DESCRIPTORS_MOST];
    char byte;
    kin__message message = { .bytes = &byte, .size = 1, .fds = fds };
    CHECK_OK(kin_conn_send_fd(e.one, 0, 1));
    CHECK_EQ(kin__os_stream_receive(e.raw, &message, true), 1);
    CHECK_EQ(byte, 1);
    CHECK_EQ(message.n_fds, 1);
    close(fds[0]);
    end_both(&e);
}

TEST(a_descriptor_is_sent_over_a_unix_socket_alone)
{
    ends e = over_a_pipe();
    CHECK_ERROR(kin_conn_send_fd(e.other, 0, 1), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_conn_recv_fd(e.one, &(int){ 0 }, 0), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_conn_send_fd(e.other, -1, 1), KIN_EINVAL);
    CHECK_ERROR(kin_conn_send_fd(e.other, 1000, 1), KIN_EINVAL);
    end_both(&e);
}
