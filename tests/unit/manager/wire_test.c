/* One connection: answers in pieces, together, cut off, too large, and such as are none. */
#include "unit/manager/poser.h"

static const char *const lies[][2] = { { "#LIE", "" },
                                       { "#TRACEBACK", "x\nKeyError: 'y'\n" },
                                       { "#TRACEBACK", "x\n  y\nValueError: no z" },
                                       { "#TRACEBACK", "a.thing.of.theirs" },
                                       { "#UNSERIALIZABLE", "x" },
                                       { "#ERROR", "x" } };

static void lie(kin_conn *conn)
{
    kin_obj request;
    size_t n = 0, most = sizeof lies / sizeof lies[0];
    while (kin_conn_recv(conn, &request, KIN_FOREVER) == 0) {
        kin_release(request);
        kin_obj answer = n < most    ? kin_tuple(kin_str(lies[n][0]), kin_str(lies[n][1]))
                         : n == most ? kin_tuple(kin_str("#PROXY"), kin_str("what?"))
                                     : kin_int(5);
        (void)kin_conn_send(conn, answer, KIN_FOREVER);
        n++;
    }
}

TEST(answers_that_are_none_are_errors)
{
    poser p;
    kin_obj o;
    kin_manager *far = connect_to_poser(&p, lie, 0);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ECORRUPT);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "KeyError: 'y'");
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "ValueError: no z");
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_EUSER);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_EUSER);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ECORRUPT);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ECORRUPT);
    kin_manager_free(far);
    end_poser(&p);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

enum { LARGE = 3000000 }; /* more than is made room for at once */

static void put_frame(kin_conn *conn, kin_obj answer, size_t step)
{
    void *data;
    size_t size;
    int fd = kin_conn_fileno(conn);
    CHECK_OK(kin_dumps(answer, &data, &size));
    const unsigned char head[4] = { (unsigned char)(size >> 24), (unsigned char)(size >> 16),
                                    (unsigned char)(size >> 8), (unsigned char)size };
    for (size_t i = 0; i < sizeof head; i++) {
        CHECK_EQ(write(fd, head + i, 1), 1);
    }
    for (size_t at = 0; at < size; at += step) {
        size_t n = step < size - at ? step : size - at;
        CHECK_EQ(write(fd, (char *)data + at, n), (ssize_t)n);
    }
    free(data);
}

static void answer_in_pieces(kin_conn *conn)
{
    static char bytes[LARGE];
    static const size_t steps[] = { 1, 7, 100000 };
    kin_obj request;
    for (size_t i = 0; i < 3 && kin_conn_recv(conn, &request, KIN_FOREVER) == 0; i++) {
        kin_release(request);
        bytes[i] = 'x';
        put_frame(conn,
                  kin_tuple(kin_str("#RETURN"), kin_bytes(bytes, i == 2 ? sizeof bytes : 10 + i)),
                  steps[i]);
    }
}

TEST(an_answer_comes_in_pieces_and_is_whole)
{
    poser p;
    kin_manager *far = connect_to_poser(&p, answer_in_pieces, 0);
    for (size_t i = 0; i < 3; i++) {
        kin_obj o = call_for(far, "x");
        CHECK_EQ(kin_len(o), i == 2 ? LARGE : 10 + i);
        CHECK_EQ(((const char *)kin_as_bytes(o))[i], 'x');
        kin_release(o);
    }
    kin_manager_free(far);
    end_poser(&p);
}

static const unsigned char *ending;
static size_t ending_size;

static void end_with(kin_conn *conn)
{
    kin_obj request;
    CHECK_OK(kin_conn_recv(conn, &request, KIN_FOREVER));
    kin_release(request);
    CHECK_EQ(write(kin_conn_fileno(conn), ending, ending_size), (ssize_t)ending_size);
}

static void ends_with(const unsigned char *bytes, size_t size, int code)
{
    poser p;
    kin_obj o;
    ending = bytes;
    ending_size = size;
    kin_manager *far = connect_to_poser(&p, end_with, 5);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), code);
    end_poser(&p);
    CHECK(kin_manager_call(far, "x", kin_args(), &o) < 0); /* nobody is there any more */
    kin_manager_free(far);
}

TEST(an_answer_that_is_cut_off_is_the_end)
{
    static const unsigned char bytes[] = { 0, 0, 0, 20, 0x80 };
    for (size_t i = 0; i <= sizeof bytes; i++) {
        ends_with(bytes, i, KIN_EEOF);
    }
}

TEST(an_answer_that_is_too_large_is_refused_before_it_has_come)
{
    static const unsigned char large[] = { 0x40, 0, 0, 1, 0x80 };
    static const unsigned char larger[] = { 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0 };
    ends_with(large, sizeof large, KIN_ERANGE);
    ends_with(larger, sizeof larger, KIN_ERANGE);
}

TEST(a_pickle_that_is_none_is_the_end_of_the_connection)
{
    static const unsigned char bytes[] = { 0, 0, 0, 2, 'x', 'y' };
    ends_with(bytes, sizeof bytes, KIN_ECORRUPT);
}
