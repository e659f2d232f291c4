/* Letters out of bytes, whatever pieces these come in. */
#include "ends.h"

#include <pthread.h>

static void *receive(kin_conn *conn, size_t *ret_size, int *ret_rv)
{
    void *data = NULL;
    *ret_rv = kin_conn_recv_bytes(conn, &data, ret_size, 1);
    return data;
}

/* ---- heads: the table of interop.md ---------------------------------------------------------- */

static void check_head(uint64_t size, const char *expected)
{
    unsigned char head[12];
    char text[25];
    size_t n = kin__frame_head(size, head);
    for (size_t i = 0; i < n; i++) {
        snprintf(text + 2 * i, 3, "%02x", head[i]);
    }
    CHECK_STR(text, expected);
}

TEST(heads_are_pythons)
{
    check_head(0, "00000000");
    check_head(1, "00000001");
    check_head(16384, "00004000");
    check_head(16385, "00004001");
    check_head(2147483647, "7fffffff");
    check_head(2147483648, "ffffffff0000000080000000");
    check_head(UINT64_C(1) << 40, "ffffffff0000010000000000");
}

TEST(what_is_sent_is_a_head_and_the_bytes)
{
    ends e = with_raw();
    char bytes[16] = { 0 };
    CHECK_OK(kin_conn_send_bytes(e.one, "A", 1, 1));
    CHECK_OK(kin_conn_send_bytes(e.one, NULL, 0, 1));
    CHECK_EQ(read(e.raw, bytes, sizeof bytes), 9);
    CHECK_MEM(bytes, "\0\0\0\1A\0\0\0\0", 9);
    end_both(&e);
}

/* ---- what comes in --------------------------------------------------------------------------- */

static int receive_of(const char *bytes, size_t size, char *ret_text)
{
    ends e = with_raw();
    write_raw(&e, bytes, size);
    close(e.raw);
    e.raw = -1;
    size_t got = 0;
    int rv;
    char *data = receive(e.one, &got, &rv);
    if (rv == 0) {
        memcpy(ret_text, data, got);
        ret_text[got] = '\0';
        free(data);
    }
    end_both(&e);
    return rv;
}

TEST(letters_and_ends_are_told_apart)
{
    char text[64];
    CHECK_OK(receive_of("\0\0\0\5hello", 9, text));
    CHECK_STR(text, "hello");
    CHECK_OK(receive_of("\xff\xff\xff\xff\0\0\0\0\0\0\0\5hello", 17, text));
    CHECK_STR(text, "hello");
    CHECK_OK(receive_of("\0\0\0\0", 4, text));
    CHECK_STR(text, "");
    CHECK_ERROR(receive_of("", 0, text), KIN_EEOF);
    CHECK_ERROR(receive_of("\0\0", 2, text), KIN_EBROKEN);
    CHECK_ERROR(receive_of("\0\0\0\5", 4, text), KIN_EBROKEN);
    CHECK_ERROR(receive_of("\0\0\0\5he", 6, text), KIN_EBROKEN);
    CHECK_ERROR(receive_of("\xff\xff\xff\xff", 4, text), KIN_EBROKEN);
    CHECK_ERROR(receive_of("\xff\xff\xff\xff\0\0", 6, text), KIN_EBROKEN);
}

TEST(lengths_that_are_none_are_refused_for_good)
{
    static const char *const bad[] = { "\xff\xff\xff\xfe", "\x80\0\0\0", "\xff\xff\xff\x6b" };
    for (int i = 0; i < 3; i++) {
        ends e = with_raw();
        char bytes[64] = { 0 };
        memcpy(bytes, bad[i], 4);
        write_raw(&e, bytes, sizeof bytes);
        size_t size;
        int rv;
        (void)receive(e.one, &size, &rv);
        CHECK_ERROR(rv, KIN_EBROKEN);
        (void)receive(e.one, &size, &rv);
        CHECK_ERROR(rv, KIN_EBROKEN);
        CHECK_EQ(kin_conn_poll(e.one, 0), 1); /* a receive would not wait */
        end_both(&e);
    }
}

TEST(lengths_beyond_the_limit_take_no_memory)
{
    static const char *const large[] = { "\xff\xff\xff\xff\0\0\1\0\0\0\0\0",
                                         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" };
    for (int i = 0; i < 2; i++) {
        ends e = with_raw();
        write_raw(&e, large[i], 12);
        size_t size;
        int rv;
        (void)receive(e.one, &size, &rv);
        CHECK_ERROR(rv, KIN_ERANGE);
        CHECK_CONTAINS(kin_errmsg(), i == 0 ? "1099511627776" : "18446744073709551615");
        end_both(&e);
    }
}

TEST(a_length_that_was_only_announced_takes_little_memory)
{
    ends e = with_raw();
    write_raw(&e, "\x3f\xff\xff\xff some", 9);
    size_t size;
    int rv;
    void *data = NULL;
    CHECK_ERROR(rv = kin_conn_recv_bytes(e.one, &data, &size, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(e.one->inbox.arrived, 5);
    CHECK_LE(e.one->inbox.room, 1 << 20);
    end_both(&e);
}

/* ---- byte by byte ---------------------------------------------------------------------------- */

/* Each piece comes after a receive that ran out of time. */
static void drip_feed(ends e, const unsigned char *wire, size_t wire_size, size_t body)
{
    char room[300];
    for (size_t i = 0; i + 1 < wire_size; i++) {
        write_raw(&e, wire + i, 1);
        if (i % 3 == 0) {
            void *data;
            size_t size;
            CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 0), KIN_ETIMEDOUT);
        } else {
            CHECK_ERROR((int)kin_conn_recv_bytes_into(e.one, room, sizeof room, 0), KIN_ETIMEDOUT);
        }
    }
    write_raw(&e, wire + wire_size - 1, 1);
    CHECK_EQ(kin_conn_recv_bytes_into(e.one, room, sizeof room, 0), body);
    unsigned char *expected = pattern(body);
    CHECK_MEM(room, expected, body);
    free(expected);
    CHECK_EQ(kin_conn_poll(e.one, 0), 0);
    end_both(&e);
}

TEST(what_has_arrived_when_time_runs_out_is_kept)
{
    unsigned char wire[312];
    unsigned char *bytes = pattern(300);
    memcpy(wire, "\0\0\0\144", 4);
    memcpy(wire + 4, bytes, 100);
    drip_feed(with_raw(), wire, 104, 100);
    memcpy(wire, "\xff\xff\xff\xff\0\0\0\0\0\0\0\144", 12);
    memcpy(wire + 12, bytes, 100);
    drip_feed(with_raw(), wire, 112, 100);
    kin__letter_head head = { .mark = KIN__MARK, .kind = KIN__LETTER_BYTES, .size = 200 };
    memcpy(head.u.bytes, bytes, sizeof head.u.bytes);
    memcpy(wire, &head, sizeof head);
    memcpy(wire + 64, bytes + 48, 152);
    drip_feed(relative_with_raw(), wire, 216, 200);
    head.size = 40;
    memcpy(wire, &head, sizeof head);
    drip_feed(relative_with_raw(), wire, 64, 40);
    free(bytes);
}

/* ---- relatives' heads ------------------------------------------------------------------------ */

TEST(a_head_that_no_relative_sends_is_refused)
{
    ends e = relative_with_raw();
    char bytes[64] = "\0\0\0\5hello";
    write_raw(&e, bytes, sizeof bytes);
    size_t size;
    int rv;
    (void)receive(e.one, &size, &rv);
    CHECK_ERROR(rv, KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "relative");
    end_both(&e);
}

TEST(a_block_that_is_none_loses_one_letter)
{
    ends e = relative_with_raw();
    kin__letter_head head = { .mark = KIN__MARK,
                              .kind = KIN__LETTER_BYTES | KIN__LETTER_APART,
                              .size = 100000,
                              .u.apart = { .block = UINT64_C(0x123456789abcdef), .slot = 77 } };
    write_raw(&e, &head, sizeof head);
    head = (kin__letter_head){ .mark = KIN__MARK, .kind = KIN__LETTER_BYTES, .size = 2 };
    memcpy(head.u.bytes, "ok", 2);
    write_raw(&e, &head, sizeof head);
    size_t size;
    int rv;
    (void)receive(e.one, &size, &rv);
    CHECK_ERROR(rv, KIN_ECORRUPT);
    check_bytes(e.one, "ok", 2);
    end_both(&e);
}

TEST(bytes_that_are_no_object_lose_one_letter)
{
    ends e = relative_with_raw();
    kin__letter_head head = { .mark = KIN__MARK, .kind = KIN__LETTER_OBJECT, .size = 16 };
    memset(head.u.bytes, 0xee, sizeof head.u.bytes);
    for (int i = 0; i < 2; i++) {
        write_raw(&e, &head, sizeof head);
    }
    head = (kin__letter_head){ .mark = KIN__MARK, .kind = KIN__LETTER_BYTES, .size = 2 };
    memcpy(head.u.bytes, "ok", 2);
    write_raw(&e, &head, sizeof head);
    kin_obj o;
    void *data;
    size_t size;
    CHECK_ERROR(kin_conn_recv(e.one, &o, 1), KIN_ECORRUPT);
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 1), KIN_ECORRUPT);
    check_bytes(e.one, "ok", 2);
    end_both(&e);
}

TEST(descriptors_that_a_head_does_not_tell_of_are_closed)
{
    ends e = relative_with_raw();
    kin__letter_head head = { .mark = KIN__MARK, .kind = KIN__LETTER_BYTES, .size = 2 };
    kin__bytes parts[2] = { { &head, sizeof head }, { NULL, 0 } };
    CHECK_EQ(kin__os_stream_write(e.raw, parts, (const int[]){ 0, 1, 2 }, 3, true), 64);
    size_t size;
    int rv;
    (void)receive(e.one, &size, &rv);
    CHECK_ERROR(rv, KIN_ECORRUPT);
    CHECK_EQ(kin_conn_poll(e.one, 0), 0);
    end_both(&e);
}

TEST(descriptors_of_a_stranger_are_closed)
{
    ends e = with_raw();
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    kin__bytes parts[2] = { { "\0\0\0\2ok", 6 }, { NULL, 0 } };
    CHECK_EQ(kin__os_stream_write(e.raw, parts, &fds[1], 1, true), 6);
    close(fds[1]);
    check_bytes(e.one, "ok", 2);
    char letter;
    CHECK_EQ(read(fds[0], &letter, 1), 0);
    close(fds[0]);
    end_both(&e);
}
