/* Receiving: a letter in every form, and none that is lost. */
#include "ends.h"

#include <kin/pickle.h>

TEST(too_little_room_loses_nothing)
{
    ends all[] = { relatives(), strangers(), over_a_pipe() };
    for (int i = 0; i < 3; i++) {
        ends e = all[i];
        static const size_t sizes[] = { 1, 48, 100, 50000, 60000 };
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            size_t size = sizes[k];
            unsigned char *bytes = pattern(size);
            char *room = malloc(size);
            CHECK_OK(kin_conn_send_bytes(e.other, bytes, size, 5));
            CHECK_ERROR((int)kin_conn_recv_bytes_into(e.one, room, size - 1, 5), KIN_EBUFTOOSHORT);
            CHECK_ERROR((int)kin_conn_recv_bytes_into(e.one, NULL, 0, 5), KIN_EBUFTOOSHORT);
            CHECK_EQ(kin_conn_recv_bytes_into(e.one, room, size, 5), size);
            CHECK_MEM(room, bytes, size);
            free(room);
            free(bytes);
        }
        end_both(&e);
    }
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(an_empty_message_is_a_message)
{
    ends all[] = { relatives(), strangers(), over_a_pipe() };
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_conn_send_bytes(all[i].other, NULL, 0, 1));
        CHECK_OK(kin_conn_send_bytes(all[i].other, "", 0, 1));
        check_bytes(all[i].one, "", 0);
        CHECK_EQ(kin_conn_recv_bytes_into(all[i].one, NULL, 0, 1), 0);
        CHECK_EQ(kin_conn_poll(all[i].one, 0), 0);
        end_both(&all[i]);
    }
}

TEST(order_is_kept_between_small_and_large)
{
    ends e = relatives();
    unsigned char *bytes = pattern(60000);
    for (size_t i = 0; i < 14; i++) { /* more large ones than the post has slots */
        CHECK_OK(kin_conn_send_bytes(e.one, bytes, i % 2 ? 60000 - i : i, 5));
        check_bytes(e.other, bytes, i % 2 ? 60000 - i : i);
    }
    for (size_t i = 0; i < 10; i++) {
        CHECK_OK(kin_conn_send_bytes(e.one, bytes, 40000 + i, 5));
    }
    for (size_t i = 0; i < 10; i++) {
        check_bytes(e.other, bytes, 40000 + i);
    }
    free(bytes);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- objects as bytes, and bytes as objects -------------------------------------------------- */

TEST(an_object_is_received_as_its_pickle)
{
    ends all[] = { relatives(), strangers() };
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_conn_send(all[i].one, kin_none(), 1));
        check_bytes(all[i].other, "\x80\x04N.", 4);
        char room[4];
        CHECK_OK(kin_conn_send(all[i].one, kin_none(), 1));
        CHECK_ERROR((int)kin_conn_recv_bytes_into(all[i].other, room, 3, 1), KIN_EBUFTOOSHORT);
        CHECK_EQ(kin_conn_recv_bytes_into(all[i].other, room, 4, 1), 4);
        CHECK_MEM(room, "\x80\x04N.", 4);
        CHECK_EQ(kin_conn_poll(all[i].other, 0), 0);
        end_both(&all[i]);
    }
}

TEST(bytes_are_received_as_what_they_are_the_pickle_of)
{
    ends all[] = { relatives(), strangers() };
    for (int i = 0; i < 2; i++) {
        kin_obj o = { 0 };
        CHECK_OK(kin_conn_send_bytes(all[i].one, "\x80\x04N.", 4, 1));
        CHECK_OK(kin_conn_recv(all[i].other, &o, 1));
        CHECK(kin_is_none(o));
        CHECK_OK(kin_conn_send_bytes(all[i].one, "nonsense", 8, 1));
        CHECK_ERROR(kin_conn_recv(all[i].other, &o, 1), KIN_ECORRUPT);
        CHECK_OK(kin_conn_send_bytes(all[i].one, "\x80\x04N.", 4, 1));
        CHECK_OK(kin_conn_recv(all[i].other, &o, 1));
        end_both(&all[i]);
    }
}

TEST(large_objects_arrive_as_they_were)
{
    ends e = relatives();
    for (size_t n = 1; n < 300000; n *= 7) {
        kin_obj list = kin_range(0, (int64_t)n);
        CHECK_OK(kin_conn_send(e.one, kin_retain(list), 5));
        kin_obj back;
        CHECK_OK(kin_conn_recv(e.other, &back, 5));
        CHECK(kin_equal(list, back));
        kin_release(list);
        kin_release(back);
    }
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_buffer_that_has_no_pickle_can_still_be_received)
{
    ends e = relatives();
    for (size_t size = 8; size < 100000; size *= 100) {
        char *memory = kin_alloc(10);
        char *text = calloc(1, size);
        void *data;
        size_t got;
        kin_obj o;
        CHECK_OK(kin_conn_send(e.one, kin_list(kin_buffer(memory, 10), kin_bytes(text, size)), 1));
        CHECK_ERROR(kin_conn_recv_bytes(e.other, &data, &got, 1), KIN_EUNSUPPORTED);
        CHECK_EQ(kin_conn_poll(e.other, 0), 1);
        CHECK_OK(kin_conn_recv(e.other, &o, 1));
        CHECK_PTR(kin_take_buffer(kin_at(o, 0), &got), memory);
        kin_release(o);
        kin_free(memory);
        free(text);
    }
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- the end --------------------------------------------------------------------------------- */

TEST(what_was_sent_wholly_is_received_before_the_end)
{
    ends all[] = { relatives(), strangers(), over_a_pipe() };
    for (int i = 0; i < 3; i++) {
        ends e = all[i];
        unsigned char *bytes = pattern(50000);
        CHECK_OK(kin_conn_send_bytes(e.other, "one", 3, 1));
        CHECK_OK(kin_conn_send_bytes(e.other, bytes, 50000, 1));
        kin_conn_free(e.other);
        e.other = NULL;
        check_bytes(e.one, "one", 3);
        check_bytes(e.one, bytes, 50000);
        void *data;
        size_t size;
        CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, KIN_FOREVER), KIN_EEOF);
        free(bytes);
        end_both(&e);
    }
    CHECK_EQ(blocks_in_use(), 0);
}

/* The kernel calls it a reset when the other end is closed with something unread. */
TEST(an_end_that_had_not_read_everything_is_an_end)
{
    ends all[] = { relatives(), strangers() };
    for (int i = 0; i < 2; i++) {
        ends e = all[i];
        CHECK_OK(kin_conn_send_bytes(e.one, "unread", 6, 1));
        CHECK_OK(kin_conn_send_bytes(e.other, "read", 4, 1));
        kin_conn_free(e.other);
        e.other = NULL;
        check_bytes(e.one, "read", 4);
        void *data;
        size_t size;
        CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 1), KIN_EEOF);
        CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 1), KIN_EEOF);
        end_both(&e);
    }
}

/* ---- a descriptor as it is ------------------------------------------------------------------- */

TEST(descriptors_and_messages_take_turns)
{
    ends all[] = { relatives(), strangers() };
    for (int i = 0; i < 2; i++) {
        ends e = all[i];
        int fds[2];
        int got = -1;
        CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
        CHECK_ERROR(kin_conn_recv_fd(e.other, &got, 0), KIN_ETIMEDOUT);
        CHECK_OK(kin_conn_send_bytes(e.one, "before", 6, 1));
        CHECK_OK(kin_conn_send_fd(e.one, fds[1], 1));
        CHECK_OK(kin_conn_send_bytes(e.one, "after", 5, 1));
        close(fds[1]);
        CHECK_ERROR(kin_conn_recv_fd(e.other, &got, 1), KIN_ESTATE); /* a message comes first */
        check_bytes(e.other, "before", 6);
        CHECK_OK(kin_conn_recv_fd(e.other, &got, 1));
        check_bytes(e.other, "after", 5);
        CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
        CHECK_EQ(write(got, "x", 1), 1);
        close(got);
        char letter;
        CHECK_EQ(read(fds[0], &letter, 1), 1);
        close(fds[0]);
        kin_conn_close(e.one);
        CHECK_ERROR(kin_conn_recv_fd(e.other, &got, 1), KIN_EEOF);
        end_both(&e);
    }
}

TEST(of_several_descriptors_the_first_is_kept)
{
    ends e = with_raw();
    int fds[2];
    int got = -1;
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    kin__bytes parts[2] = { { "\2", 1 }, { NULL, 0 } };
    CHECK_EQ(kin__os_stream_write(e.raw, parts, (const int[]){ fds[1], fds[1] }, 2, true), 1);
    close(fds[1]);
    CHECK_OK(kin_conn_recv_fd(e.one, &got, 1));
    close(got);
    char letter;
    CHECK_EQ(read(fds[0], &letter, 1), 0);
    close(fds[0]);
    end_both(&e);
}

/* ---- answers to descriptors ------------------------------------------------------------------ */

#define LETTER "\0\0\0\4blue"

static void put(const ends *e, const char *bytes, size_t size)
{
    CHECK_EQ(write(e->raw, bytes, size), (ssize_t)size);
}

TEST(answers_to_descriptors_are_dropped_between_letters)
{
    ends e = with_raw();
    CHECK_OK(kin_conn_set_fd_answers(e.one, true));
    for (int i = 0; i < 4; i++) {
        CHECK_OK(kin_conn_send_fd(e.one, 0, 1));
    }
    put(&e, LETTER "AA" LETTER, 2 * 8 + 2);
    check_bytes(e.one, "blue", 4); /* sent before he received */
    check_bytes(e.one, "blue", 4);
    put(&e, "A", 1);
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, (char[8]){ 0 }, 8, 0), KIN_ETIMEDOUT);
    put(&e, "A", 1);
    close(e.raw);
    e.raw = -1;
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, (char[8]){ 0 }, 8, 1), KIN_EEOF);
    end_both(&e);
}

TEST(a_letter_that_begins_like_an_answer_is_one_when_none_is_due)
{
    ends e = with_raw();
    CHECK_OK(kin_conn_set_fd_answers(e.one, true));
    CHECK_OK(kin_conn_send_fd(e.one, 0, 1));
    put(&e, "AA", 2);
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, (char[8]){ 0 }, 8, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_conn_send_fd(e.one, 0, 1)); /* is not answered by what came before */
    put(&e, "\0\0\0", 3);
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, (char[8]){ 0 }, 8, 1), KIN_ERANGE);
    end_both(&e);
}

TEST(a_descriptor_that_was_not_sent_gets_no_answer)
{
    ends e = with_raw();
    CHECK_OK(kin_conn_set_fd_answers(e.one, true));
    close(e.raw);
    e.raw = -1;
    CHECK_ERROR(kin_conn_send_fd(e.one, 0, 1), KIN_ECLOSED);
    CHECK_EQ(e.one->answers_due, 0);
    end_both(&e);
}

TEST(a_descriptor_is_answered_where_that_is_wanted)
{
    for (int i = 0; i < 2; i++) {
        ends e = with_raw();
        kin__bytes parts[2] = { { "\1", 1 }, { NULL, 0 } };
        int got = -1;
        char byte = 0;
        CHECK_OK(kin_conn_set_fd_answers(e.one, i == 1));
        CHECK_OK(kin_conn_send_fd(e.one, 0, 1));
        if (i == 1) {
            put(&e, "A", 1); /* is dropped by this call, too */
        }
        CHECK_EQ(recv(e.raw, &byte, 1, 0), 1);
        CHECK_EQ(kin__os_stream_write(e.raw, parts, (const int[]){ 0 }, 1, true), 1);
        CHECK_OK(kin_conn_recv_fd(e.one, &got, 1));
        close(got);
        CHECK_EQ(recv(e.raw, &byte, 1, MSG_DONTWAIT), i == 1 ? 1 : -1);
        CHECK_EQ(byte, i == 1 ? 'A' : 1);
        end_both(&e);
    }
}

TEST(a_descriptor_that_cannot_be_answered_is_not_received)
{
    ends e = with_raw();
    kin__bytes parts[2] = { { "\1", 1 }, { NULL, 0 } };
    int got = -1;
    CHECK_OK(kin_conn_set_fd_answers(e.one, true));
    CHECK_EQ(kin__os_stream_write(e.raw, parts, (const int[]){ 0 }, 1, true), 1);
    close(e.raw);
    e.raw = -1;
    CHECK_ERROR(kin_conn_recv_fd(e.one, &got, 1), KIN_ECLOSED);
    CHECK_EQ(got, -1);
    end_both(&e);
}

TEST(relatives_do_not_answer)
{
    ends e = relatives();
    CHECK_ERROR(kin_conn_set_fd_answers(e.one, true), KIN_ESTATE);
    CHECK_ERROR(kin_conn_set_fd_answers(NULL, true), KIN_EINVAL);
    end_both(&e);
}
