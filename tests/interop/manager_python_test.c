/* A manager of ours that serves Debian's python3, unmodified, which knows HMAC-MD5 only. */
#include "unit/manager/raw.h"

#include <kin/subprocess.h>

#define PYTHON "/usr/bin/python3"

static bool has_python(void)
{
    return access(PYTHON, X_OK) == 0;
}

/* Python's spelling of an address. */
static const char *python_address(const char *address)
{
    static char text[300];
    if (address[0] == '@') {
        snprintf(text, sizeof text, "'\\0%s'", address + 1);
    } else if (address[0] == '/') {
        snprintf(text, sizeof text, "'%s'", address);
    } else {
        const char *colon = strrchr(address, ':');
        snprintf(text, sizeof text, "('%.*s', %s)", (int)(colon - address), address, colon + 1);
    }
    return text;
}

static kin_popen *python(const char *role, const kin_manager *m, const char *key)
{
    kin_popen *popen = NULL;
    char literal[100];
    snprintf(literal, sizeof literal, "b'%s'", key);
    const char *const argv[] = { PYTHON,
                                 "-B",
                                 KIN_TESTS_AT "/interop/manager_client.py",
                                 role,
                                 python_address(kin_manager_address(m)),
                                 literal,
                                 NULL };
    CHECK_OK(kin_popen_new(
        &popen, argv,
        KIN_OPT(kin_run_options, .in = KIN_PIPE, .out = KIN_PIPE, .err = KIN_STDOUT)));
    return popen;
}

static void prints(kin_popen *popen, const char *expected)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_STR(done.out, expected);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

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
    kin_queue *queue;
    kin_lock *lock;
    kin_event *event;
};

static struct served serve_python(const char *at, bool allow_create)
{
    struct served s = { .manager = new_manager() };
    kin_manager *m = s.manager;
    CHECK_OK(kin_manager_queue(m, &s.queue, NULL));
    CHECK_OK(kin_manager_lock(m, &s.lock));
    CHECK_OK(kin_manager_event(m, &s.event));
    CHECK_OK(kin_manager_register(m, "get_queue", kin_shared(s.queue)));
    CHECK_OK(kin_manager_register(m, "get_lock", kin_shared(s.lock)));
    CHECK_OK(kin_manager_register(m, "get_event", kin_shared(s.event)));
    CHECK_OK(kin_manager_register(m, "get_sum", kin_func(sum)));
    CHECK_OK(kin_manager_register(m, "fails", kin_func(divide)));
    serve_with(m, at, (kin_serve_options){ .allow_md5 = true, .allow_create = allow_create });
    return s;
}

/* A name, a path, a port. */
static const char *address(size_t i)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/kin-manager-python-%d", (int)getpid());
    return i == 0 ? NULL : i == 1 ? path : "127.0.0.1:0";
}

TEST_WITHIN(60, python_calls_what_is_registered_over_unix_and_tcp)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    for (size_t i = 0; i < 3; i++) {
        struct served s = serve_python(address(i), false);
        prints(python("calls", s.manager, SECRET),
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
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    for (size_t i = 0; i < 3; i++) {
        struct served s = serve_python(address(i), true);
        prints(python("default_types", s.manager, SECRET),
               "queue.Full True 1 2\n"
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
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    struct served s = serve_python(NULL, true);
    prints(python("collections", s.manager, SECRET),
           "1 [2] [1, 2, 3, 4] 4 ['a', 'b', 'row'] builtins.KeyError\n"
           "4 builtins.IndexError {'k': (1,)}\n"
           "1 two builtins.AttributeError\n"
           "True 3\n"
           "done\n");
    kin_manager_free(s.manager);
}

TEST(python_that_does_not_know_the_key_is_refused)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    struct served s = serve_python(NULL, false);
    prints(python("calls", s.manager, "another key"),
           "AuthenticationError: digest sent was rejected\n");
    kin_manager_free(s.manager);
}

TEST_WITHIN(60, twenty_threads_of_python_at_once)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    struct served s = serve_python(NULL, false);
    prints(python("many", s.manager, SECRET), "3800\ndone\n");
    kin_manager_free(s.manager);
}

TEST(a_lock_of_a_python_that_is_killed_goes_to_the_next)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    struct served s = serve_python(NULL, false);
    kin_popen *popen = python("hold", s.manager, SECRET);
    for (char byte = 0; byte != '\n';) { /* "held" */
        CHECK_EQ(read(kin_popen_stdout(popen), &byte, 1), 1);
    }
    CHECK_ERROR(kin_lock_acquire(s.lock, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_popen_kill(popen));
    CHECK_EQ(kin_lock_acquire(s.lock, KIN_FOREVER), KIN_OWNER_DIED);
    prints(popen, "");
    CHECK_OK(kin_lock_release(s.lock));
    WAIT_UNTIL(kin_manager_number_of_objects(s.manager) == 0);
    kin_manager_free(s.manager);
}
