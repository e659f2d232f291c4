/* A SyncManager of Debian's python3, which knows HMAC-MD5 only, and our programs as its clients:
 * all its types by the verbs of this library, its death in the middle of a call, and its
 * return. */
#include "manager_peers.h"

#include <pthread.h>

/* One that serves; *ret_address, which has room for 64, is where, in our spelling. */
static kin_popen *python_serves(const char *at, char *ret_address)
{
    kin_popen *popen = start_python("manager_serves.py", "serve", at, SECRET);
    const char *line = line_of(popen);
    const char *colon = strrchr(at, ':');
    if (colon != NULL) {
        snprintf(ret_address, 64, "%.*s:%.20s", (int)(colon - at), at, line);
    } else {
        CHECK_STR(line, "path");
        snprintf(ret_address, 64, "%s", at);
    }
    return popen;
}

static kin_manager *connected(const char *address)
{
    kin_manager *m = NULL;
    CHECK_OK(kin_manager_connect(&m, address,
                                 KIN_OPT(kin_connect_options, .authkey = SECRET,
                                         .authkey_size = strlen(SECRET), .allow_md5 = true)));
    return m;
}

static void end(kin_manager *m, kin_popen *popen, const char *address)
{
    CHECK_OK(kin_manager_shutdown(m));
    kin_manager_free(m);
    ends_with(popen, "");
    (void)(address[0] == '/' ? unlink(address) : 0);
}

static int64_t as_int(kin_obj o)
{
    CHECK_EQ(kin_type_of(o), KIN_TYPE_INT);
    int64_t n = kin_as_int(o);
    kin_release(o);
    return n;
}

static void looks(kin_obj o, const char *expected)
{
    char *text = kin_repr(o);
    CHECK_STR(text, expected);
    free(text);
    kin_release(o);
}

/* ---- all its types --------------------------------------------------------------------------- */

static void use_dict(kin_manager *m)
{
    kin_shared_dict *d = NULL;
    kin_obj o, key;
    CHECK_OK(kin_manager_dict(m, &d, kin_dict(kin_str("a"), kin_int(1))));
    CHECK_OK(kin_shared_dict_set(d, kin_str("b"), kin_list(kin_float(2.5), kin_none())));
    CHECK_OK(kin_shared_dict_get(d, kin_str("b"), &o));
    looks(o, "[2.5, None]");
    CHECK_EQ(kin_shared_dict_len(d), 2);
    CHECK_EQ(kin_shared_dict_contains(d, kin_str("b")), 1);
    CHECK_EQ(kin_shared_dict_contains(d, kin_str("z")), 0);
    CHECK_ERROR(kin_shared_dict_get(d, kin_str("z"), &o), KIN_ENOTFOUND);
    CHECK_ERROR(kin_shared_dict_pop(d, kin_str("z"), &o), KIN_ENOTFOUND);
    CHECK_ERROR(kin_shared_dict_pop(d, kin_str("z"), NULL), KIN_ENOTFOUND);
    CHECK_OK(kin_shared_dict_update(d, kin_dict(kin_str("c"), kin_int(3))));
    CHECK_OK(kin_shared_dict_copy(d, &o));
    looks(o, "{'a': 1, 'b': [2.5, None], 'c': 3}");
    CHECK_OK(kin_shared_dict_keys(d, &o));
    looks(o, "['a', 'b', 'c']");
    CHECK_OK(kin_shared_dict_popitem(d, &key, &o));
    looks(key, "'c'");
    CHECK_EQ(as_int(o), 3);
    CHECK_OK(kin_shared_dict_clear(d));
    CHECK_ERROR(kin_shared_dict_popitem(d, &key, &o), KIN_ENOTFOUND);
    kin_shared_dict_free(d);
}

static void use_list(kin_manager *m)
{
    kin_shared_list *l = NULL;
    kin_obj o;
    CHECK_OK(kin_manager_list(m, &l, kin_list(kin_int(3), kin_int(1), kin_int(2))));
    CHECK_OK(kin_shared_list_sort(l, NULL, NULL));
    CHECK_OK(kin_shared_list_append(l, kin_str("end")));
    CHECK_OK(kin_shared_list_extend(l, kin_list(kin_int(8), kin_int(9))));
    CHECK_OK(kin_shared_list_insert(l, 0, kin_int(0)));
    CHECK_OK(kin_shared_list_set(l, 1, kin_int(11)));
    CHECK_OK(kin_shared_list_get_slice(l, kin_slice(kin_int(0), kin_int(4), kin_int(2)), &o));
    looks(o, "[0, 2]");
    CHECK_OK(kin_shared_list_pop(l, -1, &o));
    CHECK_EQ(as_int(o), 9);
    CHECK_EQ(kin_shared_list_index(l, kin_str("end")), 4);
    CHECK_ERROR(kin_shared_list_index(l, kin_str("nothing")), KIN_ENOTFOUND);
    CHECK_ERROR(kin_shared_list_get(l, 99, &o), KIN_ERANGE);
    CHECK_OK(kin_shared_list_remove(l, kin_str("end")));
    CHECK_ERROR(kin_shared_list_remove(l, kin_str("end")), KIN_ENOTFOUND);
    CHECK_OK(kin_shared_list_reverse(l));
    CHECK_OK(kin_shared_list_copy(l, &o));
    looks(o, "[8, 3, 2, 11, 0]");
    CHECK_EQ(kin_shared_list_len(l), 5);
    kin_shared_list_free(l);
}

static void use_namespace(kin_manager *m)
{
    kin_shared_namespace *n = NULL;
    kin_obj o;
    CHECK_OK(kin_manager_namespace(m, &n, kin_none()));
    CHECK_OK(kin_shared_namespace_set(n, "x", kin_int(5)));
    CHECK_OK(kin_shared_namespace_get(n, "x", &o));
    CHECK_EQ(as_int(o), 5);
    CHECK_OK(kin_shared_namespace_del(n, "x"));
    CHECK_ERROR(kin_shared_namespace_get(n, "x", &o), KIN_ENOTFOUND);
    kin_shared_namespace_free(n);
}

static void use_queues(kin_manager *m)
{
    for (int joinable = 0; joinable < 2; joinable++) {
        kin_queue *q = NULL;
        kin_obj o;
        CHECK_OK(kin_manager_queue(
            m, &q, KIN_OPT(kin_queue_options, .maxsize = 1, .joinable = joinable == 1)));
        CHECK_OK(kin_queue_put(q, kin_str("work"), KIN_FOREVER));
        CHECK_ERROR(kin_queue_put(q, kin_int(2), 0), KIN_EFULL);
        CHECK_ERROR(kin_queue_put(q, kin_int(2), 0.01), KIN_ETIMEDOUT);
        CHECK_EQ(kin_queue_qsize(q), 1);
        CHECK_OK(kin_queue_get(q, &o, KIN_FOREVER));
        looks(o, "'work'");
        CHECK_ERROR(kin_queue_get(q, &o, 0), KIN_EEMPTY);
        CHECK_ERROR(kin_queue_get(q, &o, 0.01), KIN_ETIMEDOUT);
        if (joinable) {
            CHECK_OK(kin_queue_task_done(q));
            CHECK_OK(kin_queue_join(q, KIN_FOREVER));
        }
        kin_queue_free(q);
    }
}

static void use_locks(kin_manager *m)
{
    kin_lock *lock = NULL;
    kin_rlock *rlock = NULL;
    kin_semaphore *s = NULL;
    CHECK_OK(kin_manager_lock(m, &lock));
    CHECK_OK(kin_lock_acquire(lock, KIN_FOREVER));
    CHECK_ERROR(kin_lock_acquire(lock, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_lock_acquire(lock, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_lock_release(lock));
    CHECK_ERROR(kin_lock_release(lock), KIN_ESTATE);
    kin_lock_free(lock);
    CHECK_OK(kin_manager_rlock(m, &rlock));
    CHECK_OK(kin_rlock_acquire(rlock, KIN_FOREVER));
    CHECK_OK(kin_rlock_acquire(rlock, 0));
    CHECK_OK(kin_rlock_release(rlock));
    CHECK_OK(kin_rlock_release(rlock));
    CHECK_ERROR(kin_rlock_release(rlock), KIN_ESTATE);
    kin_rlock_free(rlock);
    for (int bounded = 0; bounded < 2; bounded++) {
        CHECK_OK(kin_manager_semaphore(m, &s, 1,
                                       KIN_OPT(kin_semaphore_options, .bounded = bounded == 1)));
        CHECK_OK(kin_semaphore_acquire(s, KIN_FOREVER));
        CHECK_ERROR(kin_semaphore_acquire(s, 0), KIN_ETIMEDOUT);
        CHECK_OK(kin_semaphore_release(s));
        CHECK(bounded ? kin_semaphore_release(s) < 0 : kin_semaphore_release(s) == 0);
        kin_semaphore_free(s);
    }
}

static void use_waits(kin_manager *m)
{
    kin_event *e = NULL;
    kin_condition *c = NULL;
    kin_barrier *b = NULL;
    CHECK_OK(kin_manager_event(m, &e));
    CHECK_ERROR(kin_event_wait(e, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(e));
    CHECK_OK(kin_event_wait(e, KIN_FOREVER));
    CHECK(kin_event_is_set(e));
    CHECK_OK(kin_event_clear(e));
    CHECK(!kin_event_is_set(e));
    kin_event_free(e);
    CHECK_OK(kin_manager_condition(m, &c));
    CHECK_OK(kin_condition_acquire(c, KIN_FOREVER));
    CHECK_ERROR(kin_condition_wait(c, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_condition_notify(c, 1));
    CHECK_OK(kin_condition_notify_all(c));
    CHECK_OK(kin_condition_release(c));
    CHECK_ERROR(kin_condition_notify(c, 1), KIN_ESTATE);
    kin_condition_free(c);
    CHECK_OK(kin_manager_barrier(m, &b, 1));
    CHECK_EQ(kin_barrier_wait(b, KIN_FOREVER), 0);
    CHECK_EQ(kin_barrier_parties(b), 1);
    CHECK_OK(kin_barrier_abort(b));
    CHECK(kin_barrier_broken(b));
    CHECK_ERROR(kin_barrier_wait(b, KIN_FOREVER), KIN_EBROKEN);
    kin_barrier_free(b);
}

/* What only ours have methods for. */
static void use_what_python_has_not(kin_manager *m)
{
    kin_shared_dict *d = NULL;
    kin_obj o, members;
    CHECK_OK(kin_manager_dict(m, &d, kin_none()));
    CHECK_EQ(kin_shared_dict_setdefault(d, kin_str("a"), kin_int(1), &o), 0); /* it tells nothing */
    CHECK_EQ(as_int(o), 1);
    CHECK_EQ(kin_shared_dict_setdefault(d, kin_str("a"), kin_int(2), &o), 0);
    CHECK_EQ(as_int(o), 1);
    kin_shared_dict_free(d);
    CHECK_OK(kin_manager_call(m, "members", kin_args(), &members));
    kin_shared_set *s = kin_as(kin_shared_set, members);
    CHECK_NOT_NULL(s);
    CHECK_EQ(kin_shared_set_add(s, kin_str("x")), 1);
    CHECK_EQ(kin_shared_set_add(s, kin_str("x")), 0);
    CHECK_EQ(kin_shared_set_len(s), 1);
    CHECK_EQ(kin_shared_set_discard(s, kin_str("x")), 1);
    CHECK_EQ(kin_shared_set_discard(s, kin_str("x")), 0);
    kin_release(members);
}

static void use_values(kin_manager *m)
{
    kin_value *v = NULL;
    kin_array *a = NULL;
    kin_obj o;
    CHECK_OK(kin_manager_value(m, &v, 'i', kin_int(5)));
    CHECK_OK(kin_value_set(v, kin_int(6)));
    CHECK_OK(kin_value_get(v, &o));
    CHECK_EQ(as_int(o), 6);
    kin_value_free(v);
    CHECK_OK(kin_manager_array(m, &a, 'd', kin_list(kin_float(1.5), kin_float(2.5))));
    CHECK_OK(kin_array_set(a, 0, kin_float(9)));
    CHECK_OK(kin_array_get(a, 0, &o));
    CHECK_FLOAT(kin_as_float(o), 9);
    CHECK_EQ(kin_array_len(a), 2);
    CHECK_ERROR(kin_array_get(a, 2, &o), KIN_ERANGE);
    kin_array_free(a);
}

TEST_WITHIN(120, every_type_of_a_python_manager_by_our_own_verbs_over_unix_and_tcp)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        char address[64];
        kin_popen *popen = python_serves(address_of_kind(i), address);
        kin_manager *m = connected(address);
        use_dict(m);
        use_list(m);
        use_namespace(m);
        use_queues(m);
        use_locks(m);
        use_waits(m);
        use_values(m);
        use_what_python_has_not(m);
        CHECK_EQ(kin_manager_number_of_objects(m), 0); /* all was given back */
        end(m, popen, address);
    }
}

static void *get_proxy(kin_manager *m, const char *name, kin_obj *ret)
{
    CHECK_OK(kin_manager_call(m, name, kin_args(), ret));
    return kin_as_shared(*ret);
}

TEST_WITHIN(60, what_is_nested_over_there_is_a_proxy_here_and_exceptions_are_themselves)
{
    NEEDS_PYTHON;
    char address[64];
    kin_shared_dict *d = NULL;
    kin_shared_list *l = NULL;
    kin_obj inner, who, o;
    kin_popen *popen = python_serves(address_of_kind(2), address);
    kin_manager *m = connected(address);
    CHECK_OK(kin_manager_dict(m, &d, kin_none()));
    CHECK_OK(kin_manager_list(m, &l, kin_none()));
    CHECK_OK(kin_shared_dict_set(d, kin_str("row"), kin_shared(l)));
    CHECK_OK(kin_shared_dict_get(d, kin_str("row"), &inner));
    CHECK_OK(kin_shared_list_append(kin_as(kin_shared_list, inner), kin_int(7)));
    CHECK_EQ(kin_shared_list_len(l), 1);
    kin_release(inner);
    void *proxy = get_proxy(m, "who", &who);
    CHECK_ERROR(kin_proxy_call(proxy, "breaks", kin_args(), &o), KIN_EUSER);
    CHECK_CONTAINS(kin_errmsg(), "ZeroDivisionError: by design");
    CHECK_ERROR(kin_proxy_call(proxy, "nothing", kin_args(), &o), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "nothing");
    CHECK_ERROR(kin_manager_call(m, "nobody", kin_args(), &o), KIN_ENOTFOUND);
    kin_release(who);
    kin_shared_list_free(l);
    kin_shared_dict_free(d);
    end(m, popen, address);
}

TEST_WITHIN(60, a_python_manager_refuses_another_key)
{
    NEEDS_PYTHON;
    char address[64];
    kin_manager *m = NULL;
    for (size_t i = 0; i < ADDRESSES; i++) {
        kin_popen *popen = python_serves(address_of_kind(i), address);
        CHECK_ERROR(kin_manager_connect(&m, address,
                                        KIN_OPT(kin_connect_options, .authkey = "another",
                                                .authkey_size = 7, .allow_md5 = true)),
                    KIN_EAUTH);
        CHECK_NULL(m);
        end(connected(address), popen, address);
    }
}

/* ---- its death, and its return --------------------------------------------------------------- */

struct entrant {
    const void *gate;
    int rv;
};

static void *enter_gate(void *ctx)
{
    struct entrant *e = ctx;
    e->rv = kin_proxy_call(e->gate, "enter", kin_args(), NULL);
    return NULL;
}

TEST_WITHIN(120, a_python_manager_is_killed_in_the_middle_of_a_call_and_the_next_one_is_found)
{
    NEEDS_PYTHON;
    for (size_t i = 0; i < ADDRESSES; i++) {
        char address[64], again[64];
        kin_popen *popen = python_serves(address_of_kind(i), address);
        kin_manager *m = connected(address);
        kin_shared_dict *d = NULL, *fresh = NULL;
        kin_obj gate, o;
        CHECK_OK(kin_manager_dict(m, &d, kin_none()));
        struct entrant e = { .gate = get_proxy(m, "gate", &gate) };
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, enter_gate, &e), 0);
        CHECK_STR(line_of(popen), "entered");
        kill_python(popen);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(e.rv, KIN_EEOF);
        CHECK_ERROR(kin_shared_dict_get(d, kin_str("a"), &o),
                    KIN_EEOF);                                 /* as we had a connection */
        CHECK_LT(kin_shared_dict_get(d, kin_str("a"), &o), 0); /* nobody is there */
        popen = python_serves(address, again);
        CHECK_STR(again, address);
        CHECK_LT(kin_shared_dict_get(d, kin_str("a"), &o), 0); /* it was the other one's */
        CHECK_OK(kin_manager_dict(m, &fresh, kin_dict(kin_str("a"), kin_int(1))));
        CHECK_OK(kin_shared_dict_get(fresh, kin_str("a"), &o));
        CHECK_EQ(as_int(o), 1);
        kin_release(gate);
        kin_shared_dict_free(d);
        kin_shared_dict_free(fresh);
        end(m, popen, address);
    }
}

/* ---- threads, forks, batches ----------------------------------------------------------------- */

static int64_t who_serves(const void *proxy)
{
    kin_obj o;
    CHECK_OK(kin_proxy_call(proxy, "serves", kin_args(), &o));
    return as_int(o);
}

struct asker {
    const void *proxy;
    int64_t served_by;
};

static void *ask_who(void *ctx)
{
    struct asker *a = ctx;
    a->served_by = who_serves(a->proxy);
    return NULL;
}

static int child_is_served_by_another(void *ctx)
{
    const struct asker *a = ctx;
    return who_serves(a->proxy) != a->served_by ? 0 : 1;
}

TEST_WITHIN(60, each_thread_and_each_forked_child_has_a_connection_of_its_own)
{
    NEEDS_PYTHON;
    char address[64];
    kin_popen *popen = python_serves(address_of_kind(0), address);
    kin_manager *m = connected(address);
    kin_obj who;
    struct asker own = { .proxy = get_proxy(m, "who", &who) }, other = { .proxy = own.proxy };
    pthread_t thread;
    ask_who(&own);
    CHECK_EQ(own.served_by, who_serves(own.proxy));
    CHECK_EQ(pthread_create(&thread, NULL, ask_who, &other), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_NE(own.served_by, other.served_by);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(test_child(child_is_served_by_another, &own)), 0);
    }
    CHECK_EQ(own.served_by, who_serves(own.proxy)); /* and ours is still ours */
    kin_release(who);
    end(m, popen, address);
}

TEST_WITHIN(60, a_thousand_calls_in_a_batch_come_back_in_order_with_their_failures)
{
    NEEDS_PYTHON;
    enum { CALLS = 1000 };
    static kin_obj results[CALLS];
    char address[64];
    kin_shared_list *l = NULL;
    kin_popen *popen = python_serves(address_of_kind(2), address);
    kin_manager *m = connected(address);
    CHECK_OK(kin_manager_list(m, &l, kin_none()));
    CHECK_OK(kin_manager_begin_batch(m));
    for (int i = 0; i < CALLS; i++) {
        CHECK_OK(i % 10 == 9 ? kin_proxy_call(l, "pop", kin_args(kin_int(i)), &results[i])
                 : i % 2 == 0
                     ? kin_proxy_call(l, "append", kin_args(kin_int(i)), &results[i])
                     : kin_proxy_call(l, "__getitem__", kin_args(kin_int(-1)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(m), CALLS / 10);
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQ(kin_is_error(results[i]), i % 10 == 9); /* there is no such index */
        CHECK(i % 2 == 0 || i % 10 == 9 || kin_as_int(results[i]) == i - 1);
        kin_release(results[i]);
    }
    CHECK_EQ(kin_shared_list_len(l), CALLS / 2);
    kin_shared_list_free(l);
    end(m, popen, address);
}

TEST(a_proxy_that_is_freed_in_a_batch_goes_after_what_was_asked_of_it)
{
    NEEDS_PYTHON;
    enum { CALLS = 20 };
    kin_obj results[CALLS], o;
    char address[64];
    kin_shared_list *l = NULL;
    kin_popen *popen = python_serves(address_of_kind(2), address);
    kin_manager *m = connected(address);
    CHECK_OK(kin_manager_list(m, &l, kin_none()));
    CHECK_OK(kin_manager_begin_batch(m));
    for (int i = 0; i < CALLS; i++) {
        CHECK_OK(kin_proxy_call(l, "append", kin_args(kin_int(i)), &results[i]));
    }
    CHECK_ERROR(kin_manager_call(m, "who", kin_args(), &o), KIN_ESTATE);
    kin_shared_list_free(l);
    CHECK_EQ(kin_manager_end_batch(m), 0);
    for (int i = 0; i < CALLS; i++) {
        kin_release(results[i]);
    }
    end(m, popen, address);
}
