/* A manager of ours, and Python programs that use all of it; that die in the middle of it; that
 * come in crowds; beside others who are slow, or mean no good. */
#include "manager_peers.h"

static kin_obj sum(kin_obj args)
{
    int64_t total = 0;
    for (size_t i = 0; i < kin_len(args); i++) {
        total += kin_arg_int(args, i);
    }
    kin_obj more = kin_kwarg(args, "more");
    return kin_int(total + (kin_type_of(more) == KIN_TYPE_INT ? kin_as_int(more) : 0));
}

static kin_obj divide(kin_obj args)
{
    (void)args;
    return kin_exception("ZeroDivisionError", kin_args(kin_str("by design")));
}

struct served {
    kin_manager *manager;
    kin_shared_dict *board;
    kin_queue *queue;
    kin_lock *lock;
    kin_event *event;
    kin_barrier *barrier;
};

static struct served serve_python(const char *at, bool allow_create)
{
    struct served s = { .manager = new_manager() };
    kin_manager *m = s.manager;
    CHECK_OK(kin_manager_dict(m, &s.board, kin_dict(kin_str("a"), kin_int(1))));
    CHECK_OK(kin_manager_queue(m, &s.queue, NULL));
    CHECK_OK(kin_manager_lock(m, &s.lock));
    CHECK_OK(kin_manager_event(m, &s.event));
    CHECK_OK(kin_manager_barrier(m, &s.barrier, 2));
    CHECK_OK(kin_manager_register(m, "get_event", kin_shared(s.event)));
    CHECK_OK(kin_manager_register(m, "fails", kin_func(divide)));
    CHECK_OK(kin_manager_register(m, "get_barrier", kin_shared(s.barrier)));
    CHECK_OK(kin_manager_register(m, "get_board", kin_shared(s.board)));
    CHECK_OK(kin_manager_register(m, "get_queue", kin_shared(s.queue)));
    CHECK_OK(kin_manager_register(m, "get_lock", kin_shared(s.lock)));
    CHECK_OK(kin_manager_register(m, "get_sum", kin_func(sum)));
    serve_with(m, at, (kin_serve_options){ .allow_md5 = true, .allow_create = allow_create });
    return s;
}

static kin_popen *python(const struct served *s, const char *role)
{
    return start_python("manager_types.py", role, kin_manager_address(s->manager), SECRET);
}

/* By the other program: what a user would write first. */
static kin_popen *python_client(const struct served *s, const char *role)
{
    return start_python("manager_client.py", role, kin_manager_address(s->manager), SECRET);
}

/* ---- all there is ---------------------------------------------------------------------------- */

TEST_WITHIN(60, python_calls_what_is_registered_over_unix_and_tcp)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct served s = serve_python(address_of_kind(i), false);
        ends_with(python_client(&s, "calls"),
                  "[1, 'two', {'three': 3.0}] 0 True\n"
                  "_queue.Empty _queue.Empty\n"
                  "True False None\n"
                  "True True\n"
                  "6 4\n"
                  "multiprocessing.managers.RemoteError builtins.ZeroDivisionError\n"
                  "True True True\n"
                  "done\n");
        kin_manager_free(s.manager);
    }
}

TEST_WITHIN(60, python_makes_things_of_the_default_types_and_nests_them)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct served s = serve_python(address_of_kind(i), true);
        ends_with(python_client(&s, "default_types"), "queue.Full True 1 2\n"
                                                      "True True None None builtins.RuntimeError\n"
                                                      "7\n"
                                                      "True\n"
                                                      "EventProxy True\n"
                                                      "done\n");
        WAIT_UNTIL(kin_manager_number_of_objects(s.manager) == 0); /* it has ended */
        kin_manager_free(s.manager);
    }
}

TEST_WITHIN(60, python_uses_dicts_lists_namespaces_and_arrays)
{
    NEEDS_PYTHON;
    struct served s = serve_python(address_of_kind(0), true);
    ends_with(python_client(&s, "collections"),
              "1 [2] [1, 2, 3, 4] 4 ['a', 'b', 'row'] builtins.KeyError\n"
              "4 builtins.IndexError {'k': (1,)}\n"
              "1 two builtins.AttributeError\n"
              "True 3\n"
              "done\n");
    kin_manager_free(s.manager);
}

TEST_WITHIN(60, twenty_threads_of_python_at_once)
{
    NEEDS_PYTHON;
    struct served s = serve_python(address_of_kind(0), false);
    ends_with(python_client(&s, "many"), "3800\ndone\n");
    kin_manager_free(s.manager);
}

TEST_WITHIN(120, python_uses_every_default_type_over_unix_and_tcp)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct served s = serve_python(address_of_kind(i), true);
        ends_with(python(&s, "types"), "done\n");
        kin_manager_free(s.manager);
    }
}

TEST_WITHIN(120, python_changes_what_is_nested_in_place)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct served s = serve_python(address_of_kind(i), true);
        ends_with(python(&s, "nested"), "done\n");
        kin_manager_free(s.manager);
    }
}

TEST_WITHIN(60, python_gets_what_is_registered_and_makes_nothing_where_that_is_not_allowed)
{
    NEEDS_PYTHON;
    struct served s = serve_python(address_of_kind(0), false);
    ends_with(python(&s, "strict"), "done\n");
    kin_manager_free(s.manager);
}

TEST_WITHIN(60, python_with_another_key_is_refused_and_the_next_one_is_served)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct served s = serve_python(address_of_kind(i), true);
        ends_with(start_python("manager_types.py", "types", kin_manager_address(s.manager),
                               "another key"),
                  "AuthenticationError: digest sent was rejected\n");
        ends_with(python(&s, "board"), "done\n");
        kin_manager_free(s.manager);
    }
}

/* ---- death ----------------------------------------------------------------------------------- */

TEST_WITHIN(60, python_is_killed_in_the_middle_of_a_call)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct served s = serve_python(address_of_kind(i), false);
        kin_obj message;
        kin_popen *popen = python(&s, "hold");
        CHECK_STR(line_of(popen), "held");
        WAIT_UNTIL(stats(s.manager).waiting == 1); /* it is in its get */
        kill_python(popen);
        CHECK_EQ(kin_lock_acquire(s.lock, KIN_FOREVER), KIN_OWNER_DIED);
        CHECK_OK(kin_lock_release(s.lock));
        WAIT_UNTIL(stats(s.manager).waiting == 0);
        WAIT_UNTIL(stats(s.manager).clients == 0);
        CHECK_OK(kin_queue_put(s.queue, kin_int(1), 0)); /* nobody takes it with him */
        CHECK_OK(kin_queue_get(s.queue, &message, 0));
        ends_with(python(&s, "board"), "done\n");
        bool is_tcp = i == ADDRESSES - 1; /* there it takes a minute */
        WAIT_UNTIL(is_tcp || kin_manager_number_of_objects(s.manager) == 0);
        kin_manager_free(s.manager);
    }
}

TEST_WITHIN(60, a_barrier_breaks_when_a_python_that_waits_there_is_killed)
{
    NEEDS_PYTHON;
    struct served s = serve_python("127.0.0.1:0", false);
    kin_popen *popen = python(&s, "meet");
    WAIT_UNTIL(kin_barrier_n_waiting(s.barrier) == 1);
    kill_python(popen);
    WAIT_UNTIL(kin_barrier_broken(s.barrier));
    WAIT_UNTIL(stats(s.manager).waiting == 0);
    kin_manager_free(s.manager);
}

TEST_WITHIN(60, a_manager_stops_while_a_python_waits_at_a_barrier)
{
    NEEDS_PYTHON;
    struct served s = serve_python("127.0.0.1:0", false);
    kin_popen *popen = python(&s, "meet");
    WAIT_UNTIL(kin_barrier_n_waiting(s.barrier) == 1);
    CHECK_OK(kin_manager_stop(s.manager));
    CHECK(kin_barrier_broken(s.barrier));
    CHECK_CONTAINS(line_of(popen), "Error"); /* EOFError, or ConnectionResetError */
    ends_with(popen, "");
    kin_manager_free(s.manager);
}

/* ---- crowds, and those who mean no good ------------------------------------------------------ */

TEST_WITHIN(120, two_hundred_connections_of_python_at_once)
{
    NEEDS_PYTHON;
    struct served s = serve_python("127.0.0.1:0", false);
    kin_popen *popen = python(&s, "crowd");
    CHECK_STR(line_of(popen), "all");
    CHECK_GE(stats(s.manager).clients, 200);
    ends_with(popen, "done\n");
    CHECK_EQ(kin_shared_dict_len(s.board), 201);
    WAIT_UNTIL(stats(s.manager).clients == 0);
    kin_manager_free(s.manager);
}

/* Lists in lists. */
static size_t deep(char *bytes, size_t depth)
{
    memcpy(bytes, "\x80\x04", 2);
    memset(bytes + 2, ']', depth);
    memset(bytes + 2 + depth, 'a', depth - 1);
    bytes[2 * depth + 1] = '.';
    return 2 * depth + 2;
}

static void send_frame(kin_conn *conn, const char *bytes, size_t size)
{
    CHECK_OK(kin_conn_send_bytes(conn, bytes, size, KIN_FOREVER));
}

TEST_WITHIN(120, python_is_served_beside_the_slow_and_the_hostile)
{
    NEEDS_PYTHON;
    enum { DEPTH = 200000 };
    static const char half[] = { 0, 0, 1, 0, 'h', 'a', 'l', 'f' };
    static const char huge[] = { '\xff', '\xff', '\xff', '\xff', '\x7f', 0, 0, 0, 0, 0, 0, 0, 'x' };
    char *bytes = malloc(2 * DEPTH + 2);
    struct served s = serve_python("127.0.0.1:0", true);
    kin_conn *slow = enter(s.manager), *slow_later = enter_for_methods(s.manager);
    CHECK_EQ(write(kin_conn_fileno(slow), half, sizeof half), sizeof half);
    CHECK_EQ(write(kin_conn_fileno(slow_later), half, sizeof half), sizeof half);
    kin_popen *popen = python(&s, "types");
    for (int i = 0; i < 50; i++) {
        kin_conn *garbage = enter_for_methods(s.manager), *nest = enter(s.manager),
                 *large = enter_for_methods(s.manager);
        send_frame(garbage, "not a pickle", 12);
        hear_failure(garbage, "#TRACEBACK", "UnpicklingError");
        send_frame(nest, bytes, deep(bytes, DEPTH));
        hear_failure(nest, "#TRACEBACK", "UnpicklingError");
        CHECK(is_over(nest)); /* it was the first request */
        CHECK_EQ(write(kin_conn_fileno(large), huge, sizeof huge), sizeof huge);
        CHECK(is_over(large));
        kin_conn_free(garbage);
        kin_conn_free(nest);
        kin_conn_free(large);
    }
    ends_with(popen, "done\n");
    CHECK_GE(stats(s.manager).refused, 150);
    kin_conn_free(slow);
    kin_conn_free(slow_later);
    kin_manager_free(s.manager);
    free(bytes);
}
