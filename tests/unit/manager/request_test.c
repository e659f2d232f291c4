/* What clients send, and what is wrong with it. */
#include "unit/manager/raw.h"

static kin_manager *with_lock(char *ident)
{
    kin_manager *m = new_manager();
    kin_lock *lock;
    CHECK_OK(kin_manager_lock(m, &lock));
    CHECK_OK(kin_manager_register(m, "lock", kin_shared(lock)));
    serve(m);
    create(m, "lock", ident);
    return m;
}

TEST(a_request_may_be_a_list)
{
    char ident[40];
    kin_manager *m = with_lock(ident);
    kin_conn *conn = enter_for_methods(m);
    CHECK_OK(kin_conn_send(
        conn, kin_list(kin_str(ident), kin_str("acquire"), kin_list(kin_bool(false)), kin_dict()),
        KIN_FOREVER));
    CHECK(kin_as_bool(hear_return(conn)));
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(what_is_no_request_is_told_so_and_the_connection_goes_on)
{
    char ident[40];
    kin_manager *m = with_lock(ident);
    kin_conn *conn = enter_for_methods(m);
    const kin_obj wrong[] = {
        kin_none(),
        kin_tuple(kin_str(ident), kin_str("acquire"), kin_tuple()),
        kin_tuple(kin_str(ident), kin_int(1), kin_tuple(), kin_dict()),
        kin_tuple(kin_str(ident), kin_str("acquire"), kin_int(1), kin_dict()),
        kin_tuple(kin_str(ident), kin_str("acquire"), kin_tuple(), kin_tuple()),
        kin_tuple(kin_str(ident), kin_str("acquire"), kin_tuple(),
                  kin_dict(kin_int(1), kin_int(2))),
    };
    size_t n = sizeof wrong / sizeof *wrong;
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(kin_conn_send(conn, wrong[i], KIN_FOREVER));
        hear_failure(conn, "#TRACEBACK", "TypeError");
    }
    CHECK_EQ(stats(m).refused, n);
    kin_release(ask(conn, ident, "acquire", kin_tuple()));
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(garbage_is_refused)
{
    char ident[40];
    kin_manager *m = with_lock(ident);
    kin_conn *conn = enter(m);
    CHECK_OK(kin_conn_send_bytes(conn, "RebuildProxy, and nonsense", 26, KIN_FOREVER));
    hear_failure(conn, "#TRACEBACK", "UnpicklingError");
    CHECK(is_over(conn)); /* it was the first request */
    kin_conn_free(conn);
    conn = enter_for_methods(m);
    CHECK_OK(kin_conn_send_bytes(conn, "", 0, KIN_FOREVER));
    hear_failure(conn, "#TRACEBACK", "UnpicklingError");
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(only_methods_that_are_there_are_called)
{
    char ident[40];
    kin_manager *m = with_lock(ident);
    kin_conn *conn = enter_for_methods(m);
    send_request(conn, ident, "__class__", kin_tuple());
    hear_failure(conn, "#TRACEBACK", "AttributeError");
    send_request(conn, "77", "acquire", kin_tuple());
    hear_failure(conn, "#TRACEBACK", "KeyError: '77'");
    send_request(conn, NULL, "acquire", kin_tuple());
    hear_failure(conn, "#TRACEBACK", "KeyError");
    kin_obj text = ask(conn, ident, "__repr__", kin_tuple());
    CHECK_STR(kin_as_str(text), "<Lock object>");
    kin_release(text);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(a_thing_that_was_freed_is_an_error)
{
    kin_manager *m = new_manager();
    kin_lock *lock;
    char ident[40];
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK_OK(kin_manager_register(m, "lock", kin_shared(lock)));
    serve(m);
    create(m, "lock", ident);
    kin_conn *conn = enter_for_methods(m);
    kin_lock_free(lock);
    send_request(conn, ident, "acquire", kin_tuple());
    hear_failure(conn, "#ERROR", "freed");
    kin_conn_free(conn);
    kin_manager_free(m);
}

/* Bytes as of a hostile client, mostly near to what is right. */
TEST_WITHIN(60, scribbled_requests_break_nothing)
{
    char ident[40];
    kin_manager *m = with_lock(ident);
    void *bytes;
    size_t size;
    CHECK_OK(kin_dumps(
        kin_tuple(kin_str(ident), kin_str("release"), kin_tuple(kin_bool(false)), kin_dict()),
        &bytes, &size));
    kin_conn *conn = enter_for_methods(m);
    char *copy = malloc(size);
    char kind[20];
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, bytes, size);
        for (int j = 0; j <= i % 3; j++) {
            copy[test_random() % size] = (char)test_random();
        }
        CHECK_OK(kin_conn_send_bytes(conn, copy, size, KIN_FOREVER));
        kin_obj reply;
        CHECK_OK(kin_conn_recv(conn, &reply, KIN_FOREVER));
        snprintf(kind, sizeof kind, "%s", kin_as_str(kin_at(reply, 0)));
        CHECK_EQ(kind[0], '#');
        kin_release(reply);
    }
    free(copy);
    free(bytes);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(what_a_method_does_not_take_is_refused_before_anything_is_done)
{
    kin_manager *m = new_manager();
    kin_shared_dict *dict;
    char ident[40];
    CHECK_OK(kin_manager_dict(m, &dict, kin_dict(kin_int(1), kin_int(2))));
    CHECK_OK(kin_manager_register(m, "dict", kin_shared(dict)));
    serve(m);
    create(m, "dict", ident);
    kin_conn *conn = enter_for_methods(m);
    CHECK_OK(kin_conn_send(conn,
                           kin_tuple(kin_str(ident), kin_str("clear"), kin_tuple(),
                                     kin_dict(kin_str("x"), kin_int(1))),
                           KIN_FOREVER));
    hear_failure(conn, "#ERROR", "clear() got an unexpected keyword argument 'x'");
    send_request(conn, ident, "clear", kin_tuple(kin_int(1)));
    hear_failure(conn, "#ERROR", "clear() takes at most 0 positional arguments (1 given)");
    CHECK_EQ(kin_shared_dict_len(dict), 1);
    kin_release(ask(conn, ident, "clear", kin_tuple()));
    CHECK_EQ(kin_shared_dict_len(dict), 0);
    control_fails(m, "create", kin_tuple(kin_str("Lock"), kin_int(1)), "#ERROR",
                  "Lock() takes at most 0");
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(what_a_request_takes_decoded_is_bound_by_what_all_leave)
{
    enum { ITEMS = 250000, HALF = 1 << 20 };
    static char half[HALF]; /* of a request that does not come to its end */
    kin_manager *m = new_manager();
    serve_with(m, NULL, (kin_serve_options){ .allow_create = true, .max_memory = 7 << 20 });
    kin_obj many = kin_list();
    for (int i = 0; i < ITEMS; i++) {
        CHECK_OK(kin_append(&many, kin_none()));
    }
    kin_conn *other = enter_for_methods(m);
    uint64_t before = stats(m).bytes_in;
    memset(half, 0, sizeof half);
    memcpy(half, "\x00\x20\x00\x00", 4); /* 2 MiB are announced */
    CHECK_EQ(write(kin_conn_fileno(other), half, sizeof half), (ssize_t)sizeof half);
    WAIT_UNTIL(stats(m).bytes_in >= before + sizeof half);
    control_fails(m, "create", kin_tuple(kin_str("list"), kin_retain(many)), "#TRACEBACK",
                  "UnpicklingError");
    kin_conn_free(other);
    WAIT_UNTIL(stats(m).clients == 0);
    kin_release(control(m, "create", kin_tuple(kin_str("list"), many)));
    kin_manager_free(m);
}
