/* Many calls in a row: results in their places, and what breaks in their midst. */
#include "unit/manager/poser.h"

TEST(a_batch_of_a_thousand_brings_all_results_in_their_places)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    static kin_obj results[1000];
    kin_obj o = call_for(far, "dict");
    const void *proxy = kin_as(kin_shared_dict, o);
    CHECK_OK(kin_manager_begin_batch(far));
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(
            kin_proxy_call(proxy, "setdefault", kin_args(kin_int(i), kin_int(i * 2)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(far), 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(kin_as_int(results[i]), i * 2);
    }
    CHECK_EQ(kin_shared_dict_len(dict), 1000);
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(what_fails_in_a_batch_is_an_error_in_its_place)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj a, b, o = call_for(far, "dict");
    const void *proxy = kin_as(kin_shared_dict, o);
    CHECK_ERROR(kin_manager_end_batch(far), KIN_ESTATE);
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_ERROR(kin_manager_begin_batch(far), KIN_ESTATE);
    CHECK_OK(kin_proxy_call(proxy, "__getitem__", kin_args(kin_str("no")), &a));
    CHECK_OK(kin_proxy_call(proxy, "__len__", kin_args(), &b));
    CHECK_OK(kin_proxy_call(proxy, "pop", kin_args(kin_str("no")), NULL));
    CHECK_EQ(kin_manager_end_batch(far), 2);
    CHECK(kin_is_error(a));
    CHECK_EQ(kin_error_code(a), KIN_ENOTFOUND);
    CHECK_EQ(kin_as_int(b), 0);
    CHECK_STR(answer_of(proxy, "__len__", kin_args()), "0"); /* as before */
    kin_release(a);
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_call_for_a_name_in_the_midst_of_a_batch_is_refused)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj o, item = call_for(far, "dict");
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_ERROR(kin_manager_call(far, "dict", kin_args(), &o), KIN_ESTATE);
    CHECK_EQ(kin_manager_end_batch(far), 0);
    kin_release(item);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_batch_that_is_cut_fails_what_was_under_way)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj result = kin_none(), o = call_for(far, "dict");
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_OK(kin_manager_stop(m));
    int rv = kin_proxy_call(kin_as(kin_shared_dict, o), "__len__", kin_args(), &result);
    int64_t failed = kin_manager_end_batch(far);
    CHECK(rv < 0 || (failed == 1 && kin_is_error(result)));
    kin_release(result);
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

/* ---- what is large in both directions -------------------------------------------------------- */

enum { LARGE = 60000, CALLS = 400 };

static kin_obj large(char fill)
{
    static char bytes[LARGE];
    memset(bytes, fill, sizeof bytes);
    return kin_bytes(bytes, sizeof bytes);
}

TEST(what_is_large_in_both_directions_is_read_while_it_is_written)
{
    static kin_obj results[CALLS];
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj o = call_for(far, "dict");
    const void *proxy = kin_as(kin_shared_dict, o);
    CHECK_OK(kin_manager_begin_batch(far));
    for (int i = 0; i < CALLS; i++) { /* small ones that bring much, and large ones */
        bool sets = i % 4 == 0;
        CHECK_OK(sets ? kin_proxy_call(proxy, "__setitem__",
                                       kin_args(kin_int(0), large((char)('a' + i / 4 % 26))), NULL)
                      : kin_proxy_call(proxy, "__getitem__", kin_args(kin_int(0)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(far), 0);
    for (int i = 0; i < CALLS; i++) {
        if (i % 4 != 0) {
            CHECK_EQ(kin_len(results[i]), LARGE);
            CHECK_EQ(((const char *)kin_as_bytes(results[i]))[LARGE - 1], 'a' + i / 4 % 26);
            kin_release(results[i]);
        }
    }
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

/* Answers one request after the other, as Python does: it reads none while it writes. Each answer
 * is as large as its request. */
static void echo(kin_conn *conn)
{
    kin_obj request;
    while (kin_conn_recv(conn, &request, KIN_FOREVER) == 0) {
        kin_obj args = kin_at(request, 2);
        if (kin_is_none(kin_at(request, 0))) { /* a name: the thing */
            kin_obj names = kin_tuple(kin_str("echo"));
            kin_obj token = kin_token("thing", kin_str("@"), "1");
            (void)kin_conn_send(conn, kin_tuple(kin_str("#PROXY"), kin_tuple(names, token)),
                                KIN_FOREVER);
        } else {
            (void)kin_conn_send(conn, kin_tuple(kin_str("#RETURN"), kin_retain(kin_at(args, 0))),
                                KIN_FOREVER);
        }
        kin_release(request);
    }
}

TEST(a_server_that_answers_one_by_one_is_read_from_while_it_is_written_to)
{
    static kin_obj results[CALLS];
    poser p;
    kin_manager *far = connect_to_poser(&p, echo, 0);
    kin_obj o = call_for(far, "thing");
    CHECK_OK(kin_manager_begin_batch(far));
    for (int i = 0; i < CALLS; i++) {
        CHECK_OK(kin_proxy_call(kin_as_shared(o), "echo", kin_args(large((char)i)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(far), 0);
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQ(kin_len(results[i]), LARGE);
        CHECK_EQ(((const char *)kin_as_bytes(results[i]))[0], (char)i);
        kin_release(results[i]);
    }
    kin_manager_free(far);
    kin_release(o);
    end_poser(&p);
}

/* ---- what breaks ----------------------------------------------------------------------------- */

/* Answers the first three, and hangs up in the midst of the fourth one's answer. */
static void answer_three(kin_conn *conn)
{
    static const char half[] = { 0, 0, 0, 20, (char)0x80 };
    kin_obj request;
    for (int i = 0; i < 4 && kin_conn_recv(conn, &request, KIN_FOREVER) == 0; i++) {
        kin_release(request);
        kin_obj names = kin_tuple(kin_str("echo"));
        (void)kin_conn_send(conn,
                            i == 0
                                ? kin_tuple(kin_str("#PROXY"),
                                            kin_tuple(names, kin_token("thing", kin_str("@"), "1")))
                                : kin_tuple(kin_str("#RETURN"), kin_int(i)),
                            KIN_FOREVER);
        if (i != 0) {
            kin_release(names);
        }
    }
    CHECK_EQ(write(kin_conn_fileno(conn), half, sizeof half), (ssize_t)sizeof half);
}

TEST(what_was_answered_before_the_connection_broke_is_there)
{
    kin_obj results[10];
    poser p;
    kin_manager *far = connect_to_poser(&p, answer_three, 0);
    kin_obj o = call_for(far, "thing");
    CHECK_OK(kin_manager_begin_batch(far));
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_proxy_call(kin_as_shared(o), "echo", kin_args(kin_int(i)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(far), 7);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(i < 3 ? kin_as_int(results[i]) : kin_error_code(results[i]),
                 i < 3 ? i + 1 : KIN_EEOF);
        kin_release(results[i]);
    }
    kin_manager_free(far);
    kin_release(o);
    end_poser(&p);
}

enum { MANY = 400, ANSWERED = 200 };

/* Answers so many with one write, and is gone. */
static void answer_at_once(kin_conn *conn)
{
    static char answers[ANSWERED * 64];
    size_t n = 0;
    kin_obj request;
    CHECK_OK(kin_conn_recv(conn, &request, KIN_FOREVER));
    kin_release(request);
    CHECK_OK(kin_conn_send(
        conn,
        kin_tuple(kin_str("#PROXY"),
                  kin_tuple(kin_tuple(kin_str("echo")), kin_token("thing", kin_str("@"), "1"))),
        KIN_FOREVER));
    for (int i = 0; i < ANSWERED; i++) {
        void *body;
        size_t size;
        CHECK_OK(kin_conn_recv(conn, &request, KIN_FOREVER));
        kin_release(request);
        CHECK_OK(kin_dumps(kin_tuple(kin_str("#RETURN"), kin_int(i)), &body, &size));
        const char header[4] = { 0, 0, 0, (char)size };
        memcpy(answers + n, header, sizeof header);
        memcpy(answers + n + sizeof header, body, size);
        n += sizeof header + size;
        free(body);
    }
    CHECK_EQ(write(kin_conn_fileno(conn), answers, n), (ssize_t)n);
}

/* More answers are read at once than are waited for then. */
TEST(what_was_read_before_the_connection_broke_is_there)
{
    static kin_obj results[MANY];
    poser p;
    int added = 0;
    kin_manager *far = connect_to_poser(&p, answer_at_once, 0);
    kin_obj o = call_for(far, "thing");
    CHECK_OK(kin_manager_begin_batch(far));
    while (added < MANY && kin_proxy_call(kin_as_shared(o), "echo", kin_args(kin_int(added)),
                                          &results[added]) == 0) {
        added++;
    }
    CHECK(added >= ANSWERED && added < MANY);
    for (int i = 0; i < added; i++) {
        CHECK_EQ(i < ANSWERED ? kin_as_int(results[i]) : kin_error_code(results[i]),
                 i < ANSWERED ? i : KIN_EEOF);
        kin_release(results[i]);
    }
    kin_manager_free(far);
    kin_release(o);
    end_poser(&p);
}
