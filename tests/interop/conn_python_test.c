/* Connections between this library and a live Python, over a socketpair that it inherits. */
#include "unit/obj/python.h"

#include <fcntl.h>
#include <kin/conn.h>
#include <kin/subprocess.h>
#include <signal.h>
#include <sys/socket.h>

/* What Python begins with: `conn`, and what the tests there share. */
#define PRELUDE                                                                                    \
    "import os, signal, socket, sys\n"                                                             \
    "from multiprocessing import BufferTooShort\n"                                                 \
    "from multiprocessing.connection import Connection\n"                                          \
    "from multiprocessing.reduction import recv_handle, send_handle\n"                             \
    "fd = int(sys.argv[1])\n"                                                                      \
    "conn = Connection(fd)\n"                                                                      \
    "def pattern(n): return (bytes(range(256)) * (n // 256 + 1))[:n]\n"                            \
    "SIZES = [0, 1, 255, 16384, 16385, 65536, 1 << 20]\n"

static const size_t sizes[] = { 0, 1, 255, 16384, 16385, 65536, 1 << 20 };
#define N_SIZES (sizeof sizes / sizeof *sizes)

typedef struct peer {
    kin_conn *conn;
    kin_popen *python;
    int raw; /* our end, as a descriptor of its own */
} peer;

static peer begin(const char *script)
{
    peer p = { .conn = NULL };
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    char number[12];
    char *text;
    snprintf(number, sizeof number, "%d", ends[1]);
    CHECK(asprintf(&text, PRELUDE "%s", script) > 0);
    const char *const argv[] = { PYTHON, "-c", text, number, NULL };
    CHECK_OK(kin_popen_new(&p.python, argv,
                           KIN_OPT(kin_run_options, .capture = true, .fds = &ends[1], .n_fds = 1)));
    free(text);
    close(ends[1]);
    p.raw = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
    CHECK_OK(kin_conn_new(&p.conn, ends[0], NULL));
    return p;
}

static void hang_up(peer *p)
{
    kin_conn_free(p->conn);
    p->conn = NULL;
    close(p->raw);
    p->raw = -1;
}

static void end_with(peer *p, int code)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(p->python, NULL, 0, KIN_FOREVER, &done));
    CHECK_(done.returncode == code, "Python ended with %d: %s", done.returncode, done.err);
    if (code == 0) {
        CHECK_STR(done.err, "");
    }
    kin_completed_process_done(&done);
    kin_popen_free(p->python);
    if (p->raw >= 0) {
        hang_up(p);
    }
}

static unsigned char *pattern(size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)i;
    }
    return bytes;
}

/* ---- objects --------------------------------------------------------------------------------- */

static kin_obj all_kinds(void)
{
    static const unsigned char large[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    return kin_list(kin_none(), kin_bool(true), kin_bool(false), kin_int(0), kin_int(-1),
                    kin_int(INT64_MAX), kin_int(INT64_MIN), kin_bigint(large, sizeof large, true),
                    kin_float(-2.5), kin_float(1e300), kin_str(""),
                    kin_str("h\xc3\xa9llo \xf0\x9f\x90\x8d"), kin_bytes("\0\xff", 2), kin_list(),
                    kin_tuple(kin_int(1), kin_tuple(), kin_list()),
                    kin_dict(kin_str("k"), kin_list(kin_int(1)), kin_int(2), kin_none()),
                    kin_set(kin_int(7), kin_str("s")), kin_range(0, 3000));
}

TEST(objects_of_all_kinds_go_to_python_and_come_back)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("while True:\n"
                   "    o = conn.recv()\n"
                   "    if o == 'end': break\n"
                   "    conn.send((type(o).__name__, o if type(o) is set else repr(o), o))\n");
    kin_obj all = all_kinds();
    for (size_t i = 0; i <= kin_len(all); i++) {
        kin_obj o = i < kin_len(all) ? kin_at(all, i) : all;
        kin_obj back;
        CHECK_OK(kin_conn_send(p.conn, kin_retain(o), KIN_FOREVER));
        CHECK_OK(kin_conn_recv(p.conn, &back, KIN_FOREVER));
        char *text = kin_repr(o);
        if (kin_type_of(o) == KIN_TYPE_SET || i == kin_len(all)) { /* in no order */
            CHECK(kin_equal(kin_at(back, 2), o));
        } else {
            CHECK_STR(kin_as_str(kin_at(back, 1)), text);
        }
        CHECK(kin_equal(kin_at(back, 2), o));
        free(text);
        kin_release(back);
    }
    kin_release(all);
    CHECK_OK(kin_conn_send(p.conn, kin_str("end"), KIN_FOREVER));
    end_with(&p, 0);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

TEST(bytes_of_all_sizes_come_from_python)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("for n in SIZES:\n"
                   "    conn.send_bytes(pattern(n))\n"
                   "    conn.send_bytes(pattern(n + 9), 4, n)\n");
    for (size_t i = 0; i < N_SIZES; i++) {
        unsigned char *expected = pattern(sizes[i] + 4);
        void *data = NULL;
        size_t size;
        CHECK_OK(kin_conn_recv_bytes(p.conn, &data, &size, KIN_FOREVER));
        CHECK_EQ(size, sizes[i]);
        CHECK_MEM(data, expected, size);
        CHECK_EQ(kin_conn_recv_bytes_into(p.conn, data, size, KIN_FOREVER), size);
        CHECK_MEM(data, expected + 4, size);
        free(data);
        free(expected);
    }
    end_with(&p, 0);
}

TEST(bytes_of_all_sizes_go_to_python)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("for n in SIZES:\n"
                   "    assert conn.poll(None)\n"
                   "    assert conn.recv_bytes() == pattern(n)\n"
                   "    room = bytearray(n + 3)\n"
                   "    assert conn.recv_bytes_into(room, 2) == n\n"
                   "    assert room == b'\\0\\0' + pattern(n) + b'\\0'\n"
                   "assert not conn.poll()\n"
                   "conn.send_bytes(b'done')\n");
    for (size_t i = 0; i < N_SIZES; i++) {
        unsigned char *bytes = pattern(sizes[i]);
        CHECK_OK(kin_conn_send_bytes(p.conn, bytes, sizes[i], KIN_FOREVER));
        CHECK_OK(kin_conn_send_bytes(p.conn, bytes, sizes[i], KIN_FOREVER));
        free(bytes);
    }
    char room[4];
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 4);
    end_with(&p, 0);
}

TEST(too_little_room_leaves_both_sides_in_step)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("try:\n"
                   "    conn.recv_bytes_into(bytearray(3))\n"
                   "    sys.exit(1)\n"
                   "except BufferTooShort as e:\n"
                   "    assert e.args[0] == b'long'\n"
                   "assert conn.recv_bytes() == b'next'\n"
                   "conn.send_bytes(b'long')\n"
                   "conn.send_bytes(b'next')\n");
    char room[4];
    CHECK_OK(kin_conn_send_bytes(p.conn, "long", 4, KIN_FOREVER));
    CHECK_OK(kin_conn_send_bytes(p.conn, "next", 4, KIN_FOREVER));
    CHECK_ERROR((int)kin_conn_recv_bytes_into(p.conn, room, 3, KIN_FOREVER), KIN_EBUFTOOSHORT);
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, 4, KIN_FOREVER), 4);
    CHECK_MEM(room, "long", 4);
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, 4, KIN_FOREVER), 4);
    CHECK_MEM(room, "next", 4);
    end_with(&p, 0);
}

TEST(the_escape_for_long_messages_is_read_on_both_sides)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    static const char escaped[] = "\xff\xff\xff\xff\0\0\0\0\0\0\0\5hello";
    peer p = begin("assert conn.recv_bytes() == b'hello'\n"
                   "os.write(fd, bytes.fromhex('ffffffff0000000000000005') + b'hello')\n");
    CHECK_EQ(write(p.raw, escaped, sizeof escaped - 1), sizeof escaped - 1);
    char room[5];
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 5);
    CHECK_MEM(room, "hello", 5);
    end_with(&p, 0);
}

/* ---- the end --------------------------------------------------------------------------------- */

TEST(python_sees_our_end_in_both_forms)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    static const char script[] =
        "assert conn.recv_bytes() == b'last'\n"
        "try:\n"
        "    conn.recv()\n"
        "except EOFError: sys.exit(3)\n"
        "except OSError as e: sys.exit(4 if 'end of file' in str(e) else 5)\n";
    for (int half = 0; half < 2; half++) {
        peer p = begin(script);
        CHECK_OK(kin_conn_send_bytes(p.conn, "last", 4, KIN_FOREVER));
        if (half) {
            CHECK_EQ(write(p.raw, "\0\0\0\5he", 6), 6);
        }
        hang_up(&p);
        end_with(&p, half ? 4 : 3);
    }
}

static int after_the_last(const char *how)
{
    char *script;
    char room[8];
    CHECK(asprintf(&script, "conn.send_bytes(b'last')\n%s\n", how) > 0);
    peer p = begin(script);
    free(script);
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 4);
    void *data = NULL;
    size_t size;
    int rv = kin_conn_recv_bytes(p.conn, &data, &size, KIN_FOREVER);
    CHECK_EQ(kin_conn_recv_bytes(p.conn, &data, &size, KIN_FOREVER), rv);
    end_with(&p, strstr(how, "KILL") != NULL ? -SIGKILL : 0);
    return rv;
}

TEST(we_see_pythons_end_in_both_forms)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    CHECK_ERROR(after_the_last("conn.close()"), KIN_EEOF);
    CHECK_ERROR(after_the_last("os.kill(os.getpid(), signal.SIGKILL)"), KIN_EEOF);
    CHECK_ERROR(after_the_last("os.write(fd, b'\\0\\0')"), KIN_EBROKEN);
    CHECK_ERROR(after_the_last("os.write(fd, b'\\0\\0\\0\\5he')"), KIN_EBROKEN);
}

/* A large message whose sender is killed while the kernel has taken a part of it. */
TEST(a_python_that_is_killed_in_the_middle_of_a_message_is_told)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    CHECK_ERROR(after_the_last("os.write(fd, b'\\0\\x98\\x96\\x80' + b'x' * 100000)\n"
                               "os.kill(os.getpid(), signal.SIGKILL)"),
                KIN_EBROKEN);
}

TEST(a_python_that_was_killed_takes_no_more)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("os.kill(os.getpid(), signal.SIGKILL)\n");
    unsigned char *bytes = pattern(1 << 20);
    CHECK_ERROR(kin_conn_send_bytes(p.conn, bytes, 1 << 20, KIN_FOREVER), KIN_ECLOSED);
    free(bytes);
    end_with(&p, -SIGKILL);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

TEST(a_handle_comes_from_python)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("r, w = os.pipe()\n"
                   "conn.send_bytes(b'before')\n"
                   "send_handle(conn, w, os.getppid())\n"
                   "conn.send_bytes(b'after')\n"
                   "os.close(w)\n"
                   "assert os.read(r, 100) == b'through it'\n");
    char room[8];
    int fd = -1;
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 6);
    CHECK_OK(kin_conn_recv_fd(p.conn, &fd, KIN_FOREVER));
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 5);
    CHECK_EQ(write(fd, "through it", 10), 10);
    close(fd);
    end_with(&p, 0);
}

/* Python 3.14 and later, in an earlier one: what that does on another system. */
#define ANSWERING                                                                                  \
    "from multiprocessing import reduction\n"                                                      \
    "reduction.ACKNOWLEDGE = True\n"

TEST(handles_that_python_wants_answered_come_and_go)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin(ANSWERING "r, w = os.pipe()\n"
                             "send_handle(conn, w, os.getppid())\n"
                             "conn.send_bytes(b'between')\n"
                             "w = recv_handle(conn)\n"
                             "conn.send_bytes(b'after')\n"
                             "assert os.read(r, 100) == b'through it'\n"
                             "os.write(w, b'back')\n");
    int ends[2];
    char room[16];
    int fd = -1;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_OK(kin_conn_set_fd_answers(p.conn, true));
    CHECK_OK(kin_conn_recv_fd(p.conn, &fd, KIN_FOREVER));
    CHECK_OK(kin_conn_send_fd(p.conn, ends[1], KIN_FOREVER));
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 7);
    CHECK_EQ(kin_conn_recv_bytes_into(p.conn, room, sizeof room, KIN_FOREVER), 5);
    CHECK_EQ(write(fd, "through it", 10), 10);
    close(fd);
    close(ends[1]);
    CHECK_EQ(read(ends[0], room, sizeof room), 4);
    close(ends[0]);
    end_with(&p, 0);
}

TEST(a_handle_goes_to_python)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    peer p = begin("assert conn.recv_bytes() == b'before'\n"
                   "w = recv_handle(conn)\n"
                   "assert conn.recv_bytes() == b'after'\n"
                   "os.write(w, b'through it')\n");
    int ends[2];
    char room[16];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_OK(kin_conn_send_bytes(p.conn, "before", 6, KIN_FOREVER));
    CHECK_OK(kin_conn_send_fd(p.conn, ends[1], KIN_FOREVER));
    CHECK_OK(kin_conn_send_bytes(p.conn, "after", 5, KIN_FOREVER));
    close(ends[1]);
    CHECK_EQ(read(ends[0], room, sizeof room), 10);
    CHECK_MEM(room, "through it", 10);
    close(ends[0]);
    end_with(&p, 0);
}
