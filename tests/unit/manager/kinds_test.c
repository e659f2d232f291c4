/* Kinds, and what their methods have in common: arguments, timeouts, iterators. */
#include "unit/manager/kinds.h"

TEST(a_kind_is_found_by_its_number_and_by_its_name_in_python)
{
    const char *const names[] = {
        "dict",          "list",  "set",     "Namespace", "Queue",
        "JoinableQueue", "Lock",  "RLock",   "Semaphore", "BoundedSemaphore",
        "Condition",     "Event", "Barrier", "Value",     "Array"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const kin__kind *kind = kin__kind_named(names[i]);
        CHECK_NOT_NULL(kind);
        CHECK_STR(kind->type_id, names[i]);
        CHECK_EQ(kin__kind_of(kind->kind)->kind, kind->kind);
    }
    CHECK_NULL(kin__kind_named("Pool"));
    CHECK_NULL(kin__kind_named("Iterator")); /* made by methods only */
    CHECK_NULL(kin__kind_of(0));
}

TEST(hidden_methods_are_answered_and_not_told_of)
{
    kin_obj names = kin__kind_names(&kin__kind_dict);
    CHECK_NOT_NULL(kin__kind_method(&kin__kind_dict, "#GETVALUE"));
    CHECK_NULL(kin__kind_method(&kin__kind_dict, "append"));
    bool has_keys = false;
    for (size_t i = 0; i < kin_len(names); i++) {
        CHECK_NE(kin_as_str(kin_at(names, i))[0], '#');
        has_keys = has_keys || strcmp(kin_as_str(kin_at(names, i)), "keys") == 0;
    }
    CHECK(has_keys);
    kin_release(names);
}

TEST(an_argument_comes_by_position_or_by_name)
{
    kin__asked asked = { .args = kin_args(kin_int(1), kin_int(2)),
                         .names = kin_dict(kin_str("c"), kin_int(3), kin_int(4), kin_int(5)) };
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 1, "c", kin_none())), 2);
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 2, "c", kin_none())), 3);
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 2, "d", kin_int(6))), 6);
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 2, NULL, kin_int(7))), 7);
    CHECK_EQ(kin_type_of(kin__asked_must(&asked, 2, "d")), KIN_TYPE_INVALID);
    CHECK_STR(kin_errmsg(), "missing argument 3: 'd'");
    int64_t i = 0;
    CHECK_OK(kin__asked_int(&asked, 2, "c", 9, &i));
    CHECK_EQ(i, 3);
    CHECK_OK(kin__asked_int(&asked, 2, "d", 9, &i));
    CHECK_EQ(i, 9);
    kin_release(asked.args);
    kin_release(asked.names);
}

static double timeout_of(kin_obj args, const char *pair)
{
    kin__asked asked = { .args = args };
    double timeout = -99;
    CHECK_OK(kin__asked_timeout(&asked, 0, pair, &timeout));
    kin_release(args);
    return timeout;
}

TEST(a_timeout_is_what_python_means_by_it)
{
    CHECK_FLOAT(timeout_of(kin_args(), "block"), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(true)), "block"), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(true), kin_int(2)), "block"), 2);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(true), kin_float(-1)), "blocking"), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(false)), "block"), 0);
    CHECK_FLOAT(timeout_of(kin_args(kin_int(0), kin_int(9)), "block"), 0);
    CHECK_FLOAT(timeout_of(kin_args(kin_none()), "block"), 0);
    CHECK_FLOAT(timeout_of(kin_args(), NULL), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_none()), NULL), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_float(0.5)), NULL), 0.5);
    CHECK_FLOAT(timeout_of(kin_args(kin_int(-7)), NULL), 0);
}

TEST(who_may_not_wait_tries_and_who_may_waits_for_what_is_left)
{
    kin__asked asked = { .began = kin__os_now() };
    CHECK_FLOAT(kin__asked_left(&asked, KIN_FOREVER), 0);
    CHECK(kin__asked_waits(&asked, 5, KIN_EEMPTY));
    CHECK(!kin__asked_waits(&asked, 0, KIN_EEMPTY));
    CHECK(!kin__asked_waits(&asked, 5, KIN_EFREED));
    CHECK(!kin__asked_waits(&asked, 5, 0));
    asked.may_wait = true;
    CHECK_FLOAT(kin__asked_left(&asked, KIN_FOREVER), KIN_FOREVER);
    asked.began -= 1000000000; /* a second ago */
    double left = kin__asked_left(&asked, 50);
    CHECK(left > 0 && left <= 49);
    CHECK_FLOAT(kin__asked_left(&asked, 0.5), 0);
    CHECK(!kin__asked_waits(&asked, 0.5, KIN_ETIMEDOUT));
}

TEST(an_iterator_goes_on_to_its_end_and_stays_there)
{
    kin__asked asked = { 0 };
    kin_obj o;
    CHECK_OK(kin__asked_iterator(&asked, kin_list(kin_str("a"), kin_int(1)), &o));
    served it = { .kind = asked.new_kind, .thing = asked.new_thing };
    CHECK_STR(said(it, "__next__", kin_args()), "'a'");
    CHECK_STR(said(it, "__next__", kin_args()), "1");
    CHECK_STR(said(it, "__next__", kin_args()), "StopIteration: ");
    CHECK_STR(said(it, "__next__", kin_args()), "StopIteration: ");
    end(it);
}

/* What Python's take: by position, and by which names. */
static const struct {
    const kin__kind *kind;
    const char *methods; /* with so many arguments: "2 get pop" */
} takes[] = {
    { &kin__kind_dict, "0 __iter__ __len__ __reversed__ clear copy items keys popitem values "
                       "#GETVALUE" },
    { &kin__kind_dict,
      "1 __contains__ __delitem__ __getitem__ __or__ __ror__ __ior__ update #NEXT" },
    { &kin__kind_dict, "2 __setitem__ get pop setdefault #ADD #SETDEFAULT" },
    { &kin__kind_dict, "3 #CAS" },
    { &kin__kind_list, "0 __len__ __reversed__ clear copy reverse sort #GETVALUE" },
    { &kin__kind_list, "1 __add__ __contains__ __delitem__ __getitem__ __mul__ __rmul__ __iadd__ "
                       "__imul__ append count extend pop remove" },
    { &kin__kind_list, "2 __setitem__ insert #ADD" },
    { &kin__kind_list, "3 index #CAS" },
    { &kin__kind_set, "0 __iter__ __len__ clear copy pop #GETVALUE" },
    { &kin__kind_set, "1 __and__ __contains__ __ge__ __gt__ __iand__ __ior__ __isub__ __ixor__ "
                      "__le__ __lt__ __or__ __rand__ __ror__ __rsub__ __rxor__ __sub__ __xor__ add "
                      "discard isdisjoint issubset issuperset remove symmetric_difference "
                      "symmetric_difference_update #ADD #DISCARD #NEXT" },
    { &kin__kind_set, "9 difference difference_update intersection intersection_update union "
                      "update" }, /* any number */
    { &kin__kind_namespace, "0 #GETVALUE" },
    { &kin__kind_namespace, "1 __getattribute__ __delattr__" },
    { &kin__kind_namespace, "2 __setattr__" },
    { &kin__kind_queue, "0 empty full get_nowait join qsize task_done" },
    { &kin__kind_queue, "1 put_nowait" },
    { &kin__kind_queue, "2 get" },
    { &kin__kind_queue, "3 put" },
    { &kin__kind_lock, "0 release locked" },
    { &kin__kind_lock, "2 acquire" },
    { &kin__kind_rlock, "0 release locked" },
    { &kin__kind_rlock, "2 acquire" },
    { &kin__kind_semaphore, "0 locked" },
    { &kin__kind_semaphore, "1 release" },
    { &kin__kind_semaphore, "2 acquire" },
    { &kin__kind_condition, "0 release notify_all" },
    { &kin__kind_condition, "1 wait notify" },
    { &kin__kind_condition, "2 acquire" },
    { &kin__kind_event, "0 is_set set clear" },
    { &kin__kind_event, "1 wait" },
    { &kin__kind_barrier, "0 abort reset" },
    { &kin__kind_barrier, "1 __getattribute__ wait" },
    { &kin__kind_value, "0 get" },
    { &kin__kind_value, "1 set" },
    { &kin__kind_array, "0 __len__" },
    { &kin__kind_array, "1 __getitem__" },
    { &kin__kind_array, "2 __setitem__" },
    { &kin__kind_iterator, "0 __next__" },
};

static int check_takes(const kin__takes *t, size_t n, const char *name)
{
    kin_obj args = kin_list();
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(kin_append(&args, kin_int(1)));
    }
    kin_obj names = name != NULL ? kin_dict(kin_str(name), kin_int(1)) : kin_dict();
    int rv = kin__takes_check(t, "method", args, names);
    kin_release(args);
    kin_release(names);
    return rv;
}

static size_t count_methods(const kin__kind *kind)
{
    size_t n = 0;
    while (kind->methods[n].name != NULL) {
        n++;
    }
    return n;
}

TEST(every_method_takes_what_pythons_takes_and_no_more)
{
    size_t looked_at = 0, all = 0;
    for (size_t i = 0; i < sizeof takes / sizeof takes[0]; i++) {
        char text[400];
        char *rest = NULL;
        snprintf(text, sizeof text, "%s", takes[i].methods);
        size_t most = (size_t)atoi(strtok_r(text, " ", &rest));
        for (char *name; (name = strtok_r(NULL, " ", &rest)) != NULL; looked_at++) {
            const kin__method *m = kin__kind_method(takes[i].kind, name);
            bool takes_any = m != NULL && m->takes.names != NULL && m->takes.names[0] == '*';
            CHECK_(m != NULL, "there is no %s", name);
            CHECK_OK(check_takes(&m->takes, most, NULL));
            CHECK_EQ(check_takes(&m->takes, most + 1, NULL), most == 9 ? 0 : KIN_ETYPE);
            CHECK_EQ(check_takes(&m->takes, 0, "x"), takes_any ? 0 : KIN_ETYPE);
            CHECK_EQ(takes_any, takes[i].kind == &kin__kind_dict && strcmp(name, "update") == 0);
        }
        all += i == 0 || takes[i].kind != takes[i - 1].kind ? count_methods(takes[i].kind) : 0;
    }
    CHECK_EQ(looked_at, all);
}

TEST(an_argument_by_name_is_known_and_comes_once)
{
    static const struct {
        const kin__kind *kind;
        const char *method; /* NULL: what makes one */
        const char *names[4];
    } rows[] = {
        { &kin__kind_list, "sort", { "key", "reverse" } },
        { &kin__kind_queue, "put", { "item", "block", "timeout" } },
        { &kin__kind_queue, "put_nowait", { "item" } },
        { &kin__kind_queue, "get", { "block", "timeout" } },
        { &kin__kind_lock, "acquire", { "blocking", "timeout" } },
        { &kin__kind_rlock, "acquire", { "blocking", "timeout" } },
        { &kin__kind_semaphore, "acquire", { "blocking", "timeout" } },
        { &kin__kind_semaphore, "release", { "n" } },
        { &kin__kind_condition, "acquire", { "blocking", "timeout" } },
        { &kin__kind_condition, "wait", { "timeout" } },
        { &kin__kind_condition, "notify", { "n" } },
        { &kin__kind_event, "wait", { "timeout" } },
        { &kin__kind_barrier, "wait", { "timeout" } },
        { &kin__kind_value, "set", { "value" } },
        { &kin__kind_queue, NULL, { "maxsize" } },
        { &kin__kind_joinable_queue, NULL, { "maxsize" } },
        { &kin__kind_semaphore, NULL, { "value" } },
        { &kin__kind_bounded_semaphore, NULL, { "value" } },
        { &kin__kind_condition, NULL, { "lock" } },
        { &kin__kind_barrier, NULL, { "parties", "action", "timeout" } },
        { &kin__kind_value, NULL, { "typecode", "value", "lock" } },
        { &kin__kind_array, NULL, { "typecode", "sequence", "lock" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const kin__takes *t = rows[i].method != NULL
                                  ? &kin__kind_method(rows[i].kind, rows[i].method)->takes
                                  : &rows[i].kind->takes;
        for (size_t n = 0; rows[i].names[n] != NULL; n++) {
            CHECK_OK(check_takes(t, 0, rows[i].names[n]));
            CHECK_OK(check_takes(t, n < t->most ? n : 0, rows[i].names[n]));
            CHECK_EQ(check_takes(t, n + 1, rows[i].names[n]), KIN_ETYPE);
        }
        CHECK_ERROR(check_takes(t, 0, "x"), KIN_ETYPE);
        CHECK_ERROR(check_takes(t, 0, "loc"), KIN_ETYPE); /* no beginning of one, and not two */
        CHECK_ERROR(check_takes(t, 0, "block timeout"), KIN_ETYPE);
        CHECK_ERROR(check_takes(t, t->most + 1, NULL), KIN_ETYPE);
    }
    CHECK_ERROR(check_takes(&kin__kind_lock.takes, 1, NULL), KIN_ETYPE);
    CHECK_ERROR(check_takes(&kin__kind_event.takes, 0, "x"), KIN_ETYPE);
    CHECK_ERROR(check_takes(&kin__kind_namespace.takes, 1, NULL), KIN_ETYPE);
    CHECK_OK(check_takes(&kin__kind_namespace.takes, 0, "x"));
    CHECK_OK(check_takes(&kin__kind_dict.takes, 1, "x"));
}
