/* Queues as they are served: what Python's queue says. */
#include "unit/manager/kinds.h"

TEST(items_go_through_in_order)
{
    served q = make("Queue", kin_args());
    CHECK_STR(said(q, "put", kin_args(kin_str("a"))), "None");
    CHECK_STR(said(q, "put_nowait", kin_args(kin_list(kin_int(1)))), "None");
    CHECK_STR(said(q, "qsize", kin_args()), "2");
    CHECK_STR(said(q, "empty", kin_args()), "False");
    CHECK_STR(said(q, "get", kin_args()), "'a'");
    CHECK_STR(said(q, "get_nowait", kin_args()), "[1]");
    CHECK_STR(said(q, "empty", kin_args()), "True");
    CHECK_STR(said(q, "full", kin_args()), "False");
    end(q);
}

TEST(an_empty_queue_is_waited_for_where_that_may_be_done)
{
    served q = make("Queue", kin_args());
    CHECK_STR(said(q, "get", kin_args()), "waits");
    CHECK_STR(said(q, "get", kin_args(kin_bool(true), kin_int(5))), "waits");
    CHECK_STR(said(q, "get_nowait", kin_args()), "queue.Empty: ");
    CHECK_STR(said(q, "get", kin_args(kin_bool(false))), "queue.Empty: ");
    CHECK_STR(said(q, "get", kin_args(kin_bool(true), kin_int(0))), "queue.Empty: ");
    CHECK_STR(said_with(q, "get", kin_args(), kin_dict(kin_str("block"), kin_bool(false))),
              "queue.Empty: ");
    q.may_wait = true;
    CHECK_STR(said(q, "get", kin_args(kin_bool(true), kin_float(0.01))), "queue.Empty: ");
    CHECK_STR(said(q, "get", kin_args(kin_bool(true), kin_str("x"))), "KIN_ETYPE");
    end(q);
}

TEST(a_full_queue_is_waited_for_where_that_may_be_done)
{
    served q = make("Queue", kin_args(kin_int(1)));
    CHECK_STR(said(q, "put", kin_args(kin_int(1))), "None");
    CHECK_STR(said(q, "full", kin_args()), "True");
    CHECK_STR(said(q, "put", kin_args(kin_int(2))), "waits");
    CHECK_STR(said(q, "put", kin_args(kin_int(2), kin_bool(true), kin_float(9))), "waits");
    CHECK_STR(said(q, "put_nowait", kin_args(kin_int(2))), "queue.Full: ");
    CHECK_STR(said_with(q, "put", kin_args(kin_int(2)), kin_dict(kin_str("timeout"), kin_int(0))),
              "queue.Full: ");
    CHECK_STR(said(q, "put", kin_args()), "KIN_ETYPE");
    CHECK_STR(said(q, "get", kin_args()), "1");
    CHECK_STR(said_with(q, "put", kin_args(), kin_dict(kin_str("item"), kin_int(3))), "None");
    CHECK_STR(said(q, "qsize", kin_args()), "1");
    end(q);
}

TEST(what_was_got_is_done_once)
{
    const char *const types[] = { "Queue", "JoinableQueue" };
    for (size_t i = 0; i < 2; i++) {
        served q = make_with(types[i], kin_args(), kin_dict(kin_str("maxsize"), kin_int(0)));
        CHECK_STR(said(q, "join", kin_args()), "None");
        CHECK_STR(said(q, "put", kin_args(kin_none())), "None");
        CHECK_STR(said(q, "join", kin_args()), "waits");
        CHECK_STR(said(q, "get", kin_args()), "None");
        CHECK_STR(said(q, "join", kin_args()), "waits");
        CHECK_STR(said(q, "task_done", kin_args()), "None");
        CHECK_STR(said(q, "join", kin_args()), "None");
        CHECK_STR(said(q, "task_done", kin_args()),
                  "ValueError: task_done() called too many times");
        end(q);
    }
}

TEST(a_size_that_is_none_is_refused_and_one_below_zero_is_no_bound)
{
    CHECK_EQ(cannot_make("Queue", kin_args(kin_str("x"))), KIN_ETYPE);
    served q = make("Queue", kin_args(kin_int(-1)));
    CHECK_STR(said(q, "put_nowait", kin_args(kin_int(1))), "None");
    CHECK_STR(said(q, "put_nowait", kin_args(kin_int(1))), "None");
    end(q);
}

TEST(less_than_no_time_is_an_error)
{
    served q = make("Queue", kin_args());
    CHECK_STR(said(q, "get", kin_args(kin_bool(true), kin_int(-1))), "KIN_EINVAL");
    CHECK_STR(said(q, "get", kin_args(kin_bool(false), kin_int(-1))), "queue.Empty: ");
    CHECK_STR(said(q, "put", kin_args(kin_int(1), kin_bool(true), kin_float(-0.5))), "KIN_EINVAL");
    end(q);
}
