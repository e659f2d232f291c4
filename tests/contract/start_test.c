/* What a child is given, by each start method: its function, its arguments, who it is. */
#include "base/room.h"
#include "start.h"

#include <dlfcn.h>
#include <unistd.h>

/* ---- arguments ------------------------------------------------------------------------ */

static kin_obj twice(kin_obj args)
{
    return kin_int(2 * kin_arg_int(args, 0));
}

/* Every type that is no reference. */
static kin_obj everything(void)
{
    static const unsigned char big[20] = { 1, 2, 3, [19] = 9 };
    return kin_list(
        kin_none(), kin_bool(true), kin_int(-42), kin_bigint(big, sizeof big, true), kin_float(0.1),
        kin_str("grün"), kin_str(""), kin_bytes("a\0b", 3),
        kin_tuple(kin_list(), kin_tuple(kin_int(1))), kin_set(kin_int(1), kin_str("one")),
        kin_dict(kin_str("list"), kin_list(kin_int(1), kin_dict(kin_int(2), kin_none()))));
}

static kin_obj compare(kin_obj args)
{
    kin_obj expected = everything();
    bool equal = kin_equal(kin_arg(args, 0), expected);
    kin_release(expected);
    SEE(equal);
    SEE(kin_len(args) == 3);
    SEE(kin_error_code(kin_arg(args, 1)) == KIN_EUSER - 1);
    SEE(strcmp(kin_error_text(kin_arg(args, 1)), "it is 7") == 0);
    SEE(kin_as_func(kin_arg(args, 2)) == twice);
    SEE(kin_as_float(kin_kwarg(args, "depth")) > 1.4);
    return kin_int(5);
}

EACH_METHOD(hands_over_arguments_of_every_type)
{
    kin_obj args = kin_args_kw(
        kin_args(everything(), kin_error(KIN_EUSER - 1, "it is %d", 7), kin_func(twice)),
        kin_dict(kin_str("depth"), kin_float(1.5)));
    CHECK_EQ(run_by(method, compare, args), 5);
    CHECK_EQ(run_by(method, twice, kin_args(kin_int(21))), 42);
}

static kin_obj measure(kin_obj args)
{
    const unsigned char *bytes = kin_as_bytes(kin_arg(args, 0));
    size_t size = kin_len(kin_arg(args, 0));
    SEE(size == 3000000 && bytes[0] == 'x' && bytes[size - 1] == 'y');
    return kin_none();
}

EACH_METHOD(hands_over_large_arguments)
{
    char *bytes = malloc(3000000);
    memset(bytes, 'x', 3000000);
    bytes[2999999] = 'y';
    CHECK_EQ(run_by(method, measure, kin_args(kin_bytes(bytes, 3000000))), 0);
    free(bytes);
}

static kin_obj use_the_familys(kin_obj args)
{
    kin_obj things = kin_lookup(kin_arg(args, 0), kin_str("things"));
    kin_queue *queue = kin_as(kin_queue, kin_at(things, 0));
    kin_lock *lock = kin_as(kin_lock, kin_at(things, 1));
    kin_event *event = kin_as(kin_event, kin_at(things, 2));
    long *memory = kin_as_shared(kin_at(things, 3));
    SEE(queue != NULL && lock != NULL && event != NULL && memory != NULL);
    SEE((intptr_t)memory == kin_arg_int(args, 1)); /* at the same address */
    SEE(*memory == 77);
    SEE(kin_lock_acquire(lock, 0) == KIN_ETIMEDOUT);
    SEE(kin_queue_put(queue, kin_list(kin_str("from"), kin_int(getpid())), 10) == 0);
    SEE(kin_event_set(event) == 0);
    SEE(kin_lock_acquire(lock, KIN_FOREVER) >= 0);
    *memory = 78;
    SEE(kin_lock_release(lock) == 0);
    return kin_none();
}

EACH_METHOD(hands_over_things_of_the_family)
{
    kin_queue *queue = NULL;
    kin_lock *lock = NULL;
    kin_event *event = NULL;
    long *memory = kin_alloc(sizeof *memory);
    CHECK_OK(kin_queue_new(&queue, NULL));
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK_OK(kin_event_new(&event, NULL));
    *memory = 77;
    CHECK_OK(kin_lock_acquire(lock, KIN_FOREVER));
    kin_obj things =
        kin_list(kin_shared(queue), kin_shared(lock), kin_shared(event), kin_shared(memory));
    kin_process *child =
        start_by(method, use_the_familys,
                 kin_args(kin_dict(kin_str("things"), things), kin_int((intptr_t)memory)));
    kin_obj said;
    CHECK_OK(kin_queue_get(queue, &said, KIN_FOREVER));
    CHECK_EQ(kin_as_int(kin_at(said, 1)), kin_process_pid(child));
    kin_release(said);
    CHECK_OK(kin_event_wait(event, KIN_FOREVER));
    CHECK_OK(kin_lock_release(lock));
    CHECK_EQ(end(child), 0);
    CHECK_EQ(*memory, 78);
    kin_queue_free(queue);
    kin_lock_free(lock);
    kin_event_free(event);
    kin_free(memory);
}

static kin_obj take_one(kin_obj args)
{
    char **kept = kin_arg_shared(args, 0);
    size_t size = 0;
    kept[0] = kin_take_buffer(kin_arg(args, 1), &size);
    SEE(kept[0] != NULL);
    kept[0][0]++;
    return kin_int((int64_t)size); /* the other one goes with the arguments */
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

EACH_METHOD(hands_over_buffers)
{
    char **kept = kin_alloc(sizeof *kept);
    char *taken = kin_alloc(50);
    taken[0] = 'a';
    uint64_t before = count_blocks();
    kin_obj args = kin_args(kin_shared(kept), kin_buffer(taken, 50), kin_buffer(kin_alloc(60), 60));
    CHECK_EQ(run_by(method, take_one, args), 50);
    CHECK_PTR(*kept, taken);
    CHECK_EQ(taken[0], 'b');
    CHECK_EQ(count_blocks(), before);
    kin_free(taken);
    kin_free(kept);
}

/* ---- functions ------------------------------------------------------------------------ */

static kin_obj know_functions(kin_obj args)
{
    uintptr_t here = (uintptr_t)dlsym(RTLD_DEFAULT, "getpid");
    SEE(kin_as_func(kin_arg(args, 0)) == know_functions);
    SEE((uintptr_t)kin_as_func(kin_arg(args, 1)) == here);
    return kin_none();
}

EACH_METHOD(hands_over_functions)
{
    kin_fn of_libc = (kin_fn)(uintptr_t)dlsym(RTLD_DEFAULT, "getpid");
    CHECK_EQ(run_by(method, know_functions, kin_args(kin_func(know_functions), kin_func(of_libc))),
             0);
}

struct plug_in {
    const char *method;
    const char *folder;
    bool removed; /* before the child could load it */
};

/* A kin_obj with its fields: the int 7. */
#define SOURCE                                                                                     \
    "typedef struct { unsigned char type, flags; unsigned short spare; int code; long i; } obj; "  \
    "obj plugged(obj args) { obj seven = { %d, 0, 0, 0, 7 }; (void)args; return seven; }"

static bool build(const char *folder)
{
    char command[600];
    snprintf(command, sizeof command,
             "echo '" SOURCE "' | cc -shared -fPIC -xc - -o %s/plug.so 2>/dev/null", KIN_TYPE_INT,
             folder);
    return system(command) == 0;
}

/* In a child, since what was loaded stays mapped, which the harness would call a leak. */
static int start_plugged(void *ctx)
{
    const struct plug_in *plug_in = ctx;
    char path[64];
    snprintf(path, sizeof path, "%s/plug.so", plug_in->folder);
    void *module = dlopen(path, RTLD_NOW);
    kin_fn plugged = module != NULL ? (kin_fn)(uintptr_t)dlsym(module, "plugged") : NULL;
    CHECK_NOT_NULL(module);
    kin_obj result;
    CHECK_OK(kin_call(plugged, kin_args(), &result));
    CHECK_EQ(kin_as_int(result), 7);
    if (plug_in->removed) {
        unlink(path);
    }
    return run_by(plug_in->method, plugged, kin_args());
}

static int try_plug_in(const char *method, bool removed)
{
    char folder[] = "/tmp/kin-start-XXXXXX";
    CHECK_NOT_NULL(mkdtemp(folder));
    struct plug_in plug_in = { method, folder, removed };
    int code = build(folder) ? test_join(test_child(start_plugged, &plug_in)) : -1;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
    return code;
}

EACH_METHOD(runs_a_function_of_a_plug_in)
{
    int code = try_plug_in(method, false);
    if (code < 0) {
        SKIP("no compiler");
    }
    CHECK_EQ(code, 7);
}

EACH_METHOD(refuses_a_function_of_a_plug_in_that_is_gone)
{
    int code = try_plug_in(method, true);
    if (code < 0) {
        SKIP("no compiler");
    }
    CHECK_EQ(code, is_forked(method) ? 7 : 1);
}

/* ---- who it is ------------------------------------------------------------------------ */

/* name, parent's name, parent's pid */
static kin_obj know_names(kin_obj args)
{
    const kin_process *me = kin_current_process();
    const kin_process *parent = kin_parent_process();
    SEE(strcmp(kin_process_name(me), kin_arg_str(args, 0)) == 0);
    SEE(kin_process_pid(me) == getpid());
    SEE(kin_process_is_alive(me));
    SEE(kin_process_exitcode(me) == KIN_RUNNING);
    SEE(parent != NULL && strcmp(kin_process_name(parent), kin_arg_str(args, 1)) == 0);
    SEE(kin_process_pid(parent) == kin_arg_int(args, 2));
    SEE(kin_process_is_alive(parent));
    return kin_none();
}

static kin_obj name_a_child(kin_obj args)
{
    const char *method = kin_arg_str(args, 0);
    const char *name = kin_arg_str(args, 1);
    kin_process *child = NULL;
    char expected[64];
    for (int i = 1; i <= 2; i++) {
        snprintf(expected, sizeof expected, "%s:%d", name, i);
        KIN_TRY(kin_start(&child, know_names,
                          kin_args(kin_str(expected), kin_str(name), kin_int(getpid())),
                          KIN_OPT(kin_process_options, .start_method = method)));
        SEE(kin_process_join(child, KIN_FOREVER) == 0);
        SEE(kin_process_exitcode(child) == 0);
        kin_process_free(child);
    }
    return kin_none();
}

EACH_METHOD(hands_over_names_and_numbers)
{
    kin_process_options options = { .start_method = method };
    kin_obj parent = kin_str("MainProcess");
    CHECK_EQ(run_with(&options, know_names,
                      kin_args(kin_str("Process-1"), kin_retain(parent), kin_int(getpid()))),
             0);
    options.name = "worker, und grün";
    CHECK_EQ(run_with(&options, know_names,
                      kin_args(kin_str("worker, und grün"), parent, kin_int(getpid()))),
             0);
    options.name = NULL;
    CHECK_EQ(run_with(&options, name_a_child, kin_args(kin_str(method), kin_str("Process-3"))), 0);
    options.name = "";
    CHECK_EQ(run_with(&options, know_names,
                      kin_args(kin_str(""), kin_str("MainProcess"), kin_int(getpid()))),
             0);
}

/* The daemon flags of this process and of those that it makes. */
static kin_obj know_flags(kin_obj args)
{
    bool daemon = kin_as_bool(kin_arg(args, 0));
    SEE(kin_process_daemon(kin_current_process()) == daemon);
    kin_process *child = NULL;
    KIN_TRY(kin_process_new(&child, know_flags, kin_args(), NULL));
    SEE(kin_process_daemon(child) == daemon);
    kin_process_free(child);
    KIN_TRY(kin_process_new(&child, know_flags, kin_args(),
                            KIN_OPT(kin_process_options, .daemon = KIN_NO)));
    SEE(!kin_process_daemon(child));
    kin_process_free(child);
    return kin_none();
}

EACH_METHOD(hands_over_the_daemon_flag)
{
    kin_process_options options = { .start_method = method };
    CHECK_EQ(run_with(&options, know_flags, kin_args(kin_bool(false))), 0);
    options.daemon = true;
    CHECK_EQ(run_with(&options, know_flags, kin_args(kin_bool(true))), 0);
    options.daemon = KIN_NO;
    CHECK_EQ(run_with(&options, know_flags, kin_args(kin_bool(false))), 0);
}

static kin_obj own_key(void)
{
    size_t size = 0;
    const void *key = kin_process_authkey(kin_current_process(), &size);
    return key != NULL ? kin_bytes(key, size) : kin_none();
}

static kin_obj know_the_key(kin_obj args)
{
    kin_obj key = own_key();
    bool same = kin_equal(key, kin_arg(args, 0));
    kin_release(key);
    SEE(same);
    kin_process *child = NULL;
    KIN_TRY(kin_process_new(&child, know_the_key, kin_args(), NULL));
    size_t size = 0;
    const void *inherited = kin_process_authkey(child, &size);
    SEE(size == kin_len(kin_arg(args, 0)));
    SEE(memcmp(inherited, kin_as_bytes(kin_arg(args, 0)), size) == 0);
    kin_process_free(child);
    return kin_none();
}

EACH_METHOD(hands_over_the_authkey)
{
    kin_process_options options = { .start_method = method };
    kin_obj key = own_key();
    CHECK_EQ(kin_len(key), 32);
    CHECK_EQ(run_with(&options, know_the_key, kin_args(key)), 0);
    CHECK_OK(kin_set_authkey("other", 5));
    CHECK_EQ(run_with(&options, know_the_key, kin_args(kin_bytes("other", 5))), 0);
    options.authkey = "a\0b";
    options.authkey_size = 3;
    CHECK_EQ(run_with(&options, know_the_key, kin_args(kin_bytes("a\0b", 3))), 0);
    options.authkey = NULL;
    options.authkey_size = 0;
    CHECK_EQ(run_with(&options, know_the_key, kin_args(kin_bytes("other", 5))), 0);
}

static kin_obj know_settings(kin_obj args)
{
    SEE(strcmp(kin_get_start_method(), kin_arg_str(args, 0)) == 0);
    SEE(kin__log_level() == kin_arg_int(args, 1));
    return kin_none();
}

EACH_METHOD(hands_over_default_method_and_log_level)
{
    static const char *const methods[] = { "spawn", "fork", "forkserver" };
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_set_start_method(methods[i], true));
        CHECK_OK(kin_log_set_level(i == 0 ? KIN_LOG_ERROR : i == 1 ? KIN_LOG_INFO : KIN_LOG_DEBUG));
        CHECK_EQ(
            run_by(method, know_settings, kin_args(kin_str(methods[i]), kin_int(kin__log_level()))),
            0);
    }
    CHECK_OK(kin_set_start_method(method, true));
    CHECK_EQ(run_with(NULL, know_settings, kin_args(kin_str(method), kin_int(kin__log_level()))),
             0);
}
