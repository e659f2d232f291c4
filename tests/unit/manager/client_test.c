/* One connection: frames in, answers out, bounds. */
#include "unit/manager/raw.h"

static kin_manager *with_queue(kin_queue **ret_queue, char *ident)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_queue(m, ret_queue, NULL));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(*ret_queue)));
    serve(m);
    create(m, "queue", ident);
    return m;
}

TEST(half_a_frame_and_then_silence_holds_up_nobody)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *silent = enter_for_methods(m);
    for (int i = 0; i < 7; i++) {
        CHECK_EQ(write(kin_conn_fileno(silent), &"\0\0\0\5abc"[i], 1), 1);
        kin_release(control(m, "dummy", kin_tuple()));
    }
    CHECK_EQ(write(kin_conn_fileno(silent), "de", 2), 2); /* whole, and nonsense */
    hear_failure(silent, "#TRACEBACK", "UnpicklingError");
    kin_obj o = ask(silent, ident, "qsize", kin_tuple()); /* it goes on */
    CHECK_EQ(kin_as_int(o), 0);
    kin_conn_free(silent);
    kin_manager_free(m);
}

TEST(lengths_that_cannot_be_end_the_connection)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, ident);
    static const char *const headers[] = { "\xff\xff\xff\xfe", "\x80\0\0\0",
                                           "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                           "\x7f\xff\xff\xff" };
    for (size_t i = 0; i < 4; i++) {
        kin_conn *conn = enter(m);
        CHECK_GT(write(kin_conn_fileno(conn), headers[i], i == 2 ? 12 : 4), 0);
        CHECK(is_over(conn));
        kin_conn_free(conn);
    }
    CHECK_EQ(stats(m).refused, 4);
    kin_manager_free(m);
}

TEST(a_long_header_may_announce_a_short_frame)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *conn = enter(m);
    void *bytes;
    size_t size;
    CHECK_OK(
        kin_dumps(kin_tuple(kin_none(), kin_str("dummy"), kin_tuple(), kin_dict()), &bytes, &size));
    char header[12] = "\xff\xff\xff\xff";
    header[11] = (char)size;
    CHECK_EQ(write(kin_conn_fileno(conn), header, 12), 12);
    CHECK_EQ(write(kin_conn_fileno(conn), bytes, size), (ssize_t)size);
    kin_release(hear_return(conn));
    free(bytes);
    kin_conn_free(conn);
    kin_manager_free(m);
}

enum { MOST = 10000 };

/* A request to put so many bytes, as a frame: how large it is. */
static size_t put_frame(char *at, const char *ident, size_t length)
{
    static const char bytes[MOST];
    void *body;
    size_t size;
    CHECK_OK(kin_dumps(
        kin_tuple(kin_str(ident), kin_str("put"), kin_tuple(kin_bytes(bytes, length)), kin_dict()),
        &body, &size));
    const char header[4] = { 0, 0, (char)(size >> 8), (char)size };
    memcpy(at, header, sizeof header);
    memcpy(at + sizeof header, body, size);
    free(body);
    return sizeof header + size;
}

/* What was asked already takes no room from what is as large as it may be. */
TEST(the_largest_request_may_follow_a_small_one_at_once)
{
    char ident[40];
    char frames[2 * MOST];
    kin_queue *queue = NULL;
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_queue(m, &queue, 0));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(queue)));
    serve_with(m, NULL, (kin_serve_options){ .max_message = MOST });
    create(m, "queue", ident);
    kin_conn *conn = enter_for_methods(m);
    size_t around = put_frame(frames, ident, MOST / 2) - 4 - MOST / 2;
    size_t small = put_frame(frames, ident, 10);
    size_t n = small + put_frame(frames + small, ident, MOST - around);
    CHECK_EQ(n, small + 4 + MOST);
    CHECK_EQ(write(kin_conn_fileno(conn), frames, n), (ssize_t)n);
    kin_release(hear_return(conn));
    kin_release(hear_return(conn));
    CHECK_EQ(kin_queue_qsize(queue), 2);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(many_requests_at_once_are_answered_in_order)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *conn = enter_for_methods(m);
    for (int i = 0; i < 500; i++) {
        send_request(conn, ident, "put", kin_tuple(kin_int(i)));
    }
    for (int i = 0; i < 500; i++) {
        send_request(conn, ident, "get", kin_tuple());
    }
    for (int i = 0; i < 500; i++) {
        kin_release(hear_return(conn));
    }
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(kin_as_int(hear_return(conn)), i);
    }
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(who_does_not_read_his_answers_is_not_read_from)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *conn = enter_for_methods(m);
    char *text = calloc(1, 100000);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_queue_put(queue, kin_bytes(text, 100000), 0));
    }
    for (int i = 0; i < 20; i++) {
        send_request(conn, ident, "get", kin_tuple());
    }
    WAIT_UNTIL(stats(m).bytes_out > 0);
    kin_release(control(m, "dummy", kin_tuple()));
    CHECK(kin_queue_qsize(queue) > 5); /* they wait for him */
    for (int i = 0; i < 20; i++) {
        kin_obj o = hear_return(conn);
        CHECK_EQ(kin_len(o), 100000);
        kin_release(o);
    }
    CHECK_EQ(kin_queue_qsize(queue), 0);
    free(text);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST_WITHIN(60, large_requests_and_answers_pass)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *conn = enter_for_methods(m);
    size_t size = 5000000;
    char *bytes = calloc(1, size);
    kin_release(ask(conn, ident, "put", kin_tuple(kin_bytes(bytes, size))));
    kin_obj o = ask(conn, ident, "get", kin_tuple());
    CHECK_EQ(kin_len(o), size);
    kin_release(o);
    free(bytes);
    kin_conn_free(conn);
    kin_manager_free(m);
}

/* On a socket for both, IPv4 looks like ::ffff:127.0.0.1. */
TEST(a_client_by_ipv4_reaches_us_by_an_address_of_ipv4)
{
    kin_manager *m = new_manager();
    kin_shared_list *list = NULL;
    const kin_serve_options options = { .authkey = SECRET, .authkey_size = strlen(SECRET) };
    if (kin_manager_serve(m, "[::]:0", &options) < 0) {
        kin_manager_free(m);
        SKIP("no IPv6 here");
    }
    CHECK_OK(kin_manager_list(m, &list, kin_none()));
    CHECK_OK(kin_manager_register(m, "list", kin_shared(list)));
    char address[64], word[20];
    kin_conn *conn = NULL;
    snprintf(address, sizeof address, "127.0.0.1:%s", strrchr(kin_manager_address(m), ':') + 1);
    CHECK_OK(kin_connect(
        &conn, address,
        KIN_OPT(kin_connect_options, .authkey = SECRET, .authkey_size = strlen(SECRET))));
    send_request(conn, NULL, "call", kin_tuple(kin_str("list")));
    kin_obj proxy = hear(conn, word);
    CHECK_STR(word, "#PROXY");
    CHECK_STR(kin_as_str(kin_at(kin_at(kin_at(proxy, 1), 1), 0)), "127.0.0.1");
    kin_release(proxy);
    kin_conn_free(conn);
    kin_manager_free(m);
}

typedef struct stopped {
    const char *ident;
    kin_conn *plug, *flood, *polite;
    uint64_t requests;
    kin_manager *m;
} stopped;

/* `n` of them, in one piece. */
static void add_often(kin_conn *conn, const char *ident, const char *key, size_t n)
{
    void *one;
    size_t size;
    CHECK_OK(kin_dumps(
        kin_tuple(kin_str(ident), kin_str("#ADD"), kin_tuple(kin_str(key), kin_int(1)), kin_dict()),
        &one, &size));
    char *all = calloc(n, 4 + size);
    for (size_t i = 0; i < n; i++) {
        all[i * (4 + size) + 3] = (char)size;
        memcpy(all + i * (4 + size) + 4, one, size);
    }
    CHECK_EQ(write(kin_conn_fileno(conn), all, n * (4 + size)), (ssize_t)(n * (4 + size)));
    free(all);
    free(one);
}

/* While the serving thread waits for the lock of the dict, which we have: what comes is there at
 * once, to the last byte. */
static kin_obj flood_it(kin_obj value, void *ctx)
{
    stopped *s = ctx;
    add_often(s->plug, s->ident, "plug", 1);
    WAIT_UNTIL(stats(s->m).requests == s->requests + 1);
    CHECK_EQ(write(kin_conn_fileno(s->flood), "", 1), 1); /* the last byte of a long one */
    add_often(s->flood, s->ident, "flood", 600);
    add_often(s->polite, s->ident, "polite", 1);
    send_request(s->polite, s->ident, "get", kin_tuple(kin_str("flood"), kin_int(0)));
    return kin_retain(value);
}

TEST_WITHIN(60, who_floods_has_his_turns_and_so_have_the_others)
{
    char ident[40];
    kin_shared_dict *dict = NULL;
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_dict(m, &dict, kin_dict(kin_str("x"), kin_int(0))));
    CHECK_OK(kin_manager_register(m, "dict", kin_shared(dict)));
    serve(m);
    create(m, "dict", ident);
    stopped s = { ident, enter_for_methods(m), enter_for_methods(m), enter_for_methods(m), 0, m };
    char *half = calloc(1, 200000); /* so his buffer is a large one: all of it fits in there */
    half[1] = (char)(199997 >> 16); /* and one byte more than there is yet */
    half[2] = (char)(199997 >> 8 & 0xff);
    half[3] = (char)(199997 & 0xff);
    uint64_t in = stats(m).bytes_in;
    for (size_t at = 0; at < 200000;) {
        ssize_t n = write(kin_conn_fileno(s.flood), half + at, 200000 - at);
        CHECK_GT(n, 0);
        at += (size_t)n;
    }
    WAIT_UNTIL(stats(m).bytes_in == in + 200000);
    s.requests = stats(m).requests;
    CHECK_OK(kin_shared_dict_apply(dict, kin_str("x"), flood_it, &s));
    kin_release(hear_return(s.polite));
    int64_t before_him = kin_as_int(hear_return(s.polite));
    CHECK_LE(before_him, 200); /* two turns of the other one */
    hear_failure(s.flood, "#TRACEBACK", "UnpicklingError");
    for (int i = 1; i <= 600; i++) { /* nothing of it is lost */
        CHECK_EQ(kin_as_int(hear_return(s.flood)), i);
    }
    free(half);
    kin_conn_free(s.plug);
    kin_conn_free(s.flood);
    kin_conn_free(s.polite);
    kin_manager_free(m);
}

static int ask_once(void *ctx)
{
    const kin_manager *m = ctx;
    kin_conn *own = enter_for_methods(m);
    send_request(own, "1", "nothing", kin_tuple());
    hear_failure(own, "#TRACEBACK", "KeyError");
    kin_conn_free(own);
    return 0;
}

TEST_WITHIN(60, a_rate_holds_back_one_program_and_no_other)
{
    char ident[40];
    kin_shared_dict *dict = NULL;
    kin_obj n;
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_dict(m, &dict, kin_none()));
    CHECK_OK(kin_manager_register(m, "dict", kin_shared(dict)));
    serve_with(m, NULL, (kin_serve_options){ .max_rate = 2 });
    double began = kin_now();
    create(m, "dict", ident);
    kin_conn *conn = enter_for_methods(m);
    add_often(conn, ident, "n", 500);
    kin_release(hear_return(conn));
    kin_release(hear_return(conn));
    CHECK_GE((int64_t)((kin_now() - began) * 1000), 999); /* two at once, and two more */
    CHECK_EQ(test_join(test_child(ask_once, m)), 0);
    CHECK_OK(kin_shared_dict_get(dict, kin_str("n"), &n));
    CHECK_LT(kin_as_int(n), 500);
    kin_release(n);
    kin_conn_free(conn);
    WAIT_UNTIL(stats(m).clients == 0);
    kin_manager_free(m);
}
