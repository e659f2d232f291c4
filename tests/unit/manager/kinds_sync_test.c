/* What is held and awaited, as it is served: what Python's threading says. */
#include "unit/manager/kinds.h"

static const char *acquire_within(served s, double timeout)
{
    return said(s, "acquire", kin_args(kin_bool(true), kin_float(timeout)));
}

TEST(a_lock_is_held_once)
{
    served l = make("Lock", kin_args());
    CHECK_STR(said(l, "locked", kin_args()), "False");
    CHECK_STR(said(l, "acquire", kin_args()), "True");
    CHECK_STR(said(l, "locked", kin_args()), "True");
    CHECK_STR(said(l, "acquire", kin_args(kin_bool(false))), "False");
    CHECK_STR(said(l, "acquire", kin_args()), "waits");
    CHECK_STR(acquire_within(l, 1), "waits");
    CHECK_STR(acquire_within(l, -1), "waits");
    CHECK_STR(acquire_within(l, 0), "False");
    l.may_wait = true;
    CHECK_STR(acquire_within(l, 0.01), "False");
    CHECK_STR(said(l, "release", kin_args()), "None");
    CHECK_STR(said(l, "release", kin_args()), "RuntimeError: release unlocked lock");
    end(l);
}

TEST(an_rlock_is_held_many_times)
{
    served l = make("RLock", kin_args());
    CHECK_STR(said(l, "acquire", kin_args()), "True");
    CHECK_STR(said(l, "acquire", kin_args()), "True");
    CHECK_STR(said(l, "release", kin_args()), "None");
    CHECK_STR(said(l, "locked", kin_args()), "True");
    CHECK_STR(said(l, "release", kin_args()), "None");
    CHECK_STR(said(l, "locked", kin_args()), "False");
    CHECK_STR(said(l, "release", kin_args()), "RuntimeError: cannot release un-acquired lock");
    end(l);
}

TEST(a_semaphore_counts_and_a_bounded_one_knows_its_bound)
{
    served s = make("Semaphore", kin_args(kin_int(2)));
    served bounded = make_with("BoundedSemaphore", kin_args(), kin_dict());
    CHECK_STR(said(s, "acquire", kin_args()), "True");
    CHECK_STR(said(s, "acquire", kin_args()), "True");
    CHECK_STR(said(s, "locked", kin_args()), "True");
    CHECK_STR(said(s, "acquire", kin_args()), "waits");
    CHECK_STR(said(s, "acquire", kin_args(kin_bool(false))), "False");
    for (int i = 0; i < 3; i++) {
        CHECK_STR(said(s, "release", kin_args()), "None");
    }
    CHECK_STR(said(bounded, "acquire", kin_args()), "True");
    CHECK_STR(said(bounded, "release", kin_args()), "None");
    CHECK_STR(said(bounded, "release", kin_args()),
              "ValueError: Semaphore released too many times");
    CHECK_EQ(cannot_make("Semaphore", kin_args(kin_int(-1))), KIN_EINVAL);
    CHECK_EQ(cannot_make("Semaphore", kin_args(kin_str("x"))), KIN_ETYPE);
    end(s);
    end(bounded);
}

TEST(a_condition_is_awaited_and_notified_by_its_holder)
{
    served c = make("Condition", kin_args());
    CHECK_STR(said(c, "notify", kin_args()), "RuntimeError: cannot notify on un-acquired lock");
    CHECK_STR(said(c, "notify_all", kin_args()), "RuntimeError: cannot notify on un-acquired lock");
    CHECK_STR(said(c, "release", kin_args()), "RuntimeError: cannot release un-acquired lock");
    c.may_wait = true;
    CHECK_STR(said(c, "wait", kin_args(kin_int(1))),
              "RuntimeError: cannot wait on un-acquired lock");
    CHECK_STR(said(c, "acquire", kin_args()), "True");
    CHECK_STR(said(c, "wait", kin_args(kin_float(0.01))), "False");
    CHECK_STR(said(c, "notify", kin_args(kin_int(2))), "None");
    CHECK_STR(said(c, "notify", kin_args(kin_int(-2))), "None");
    CHECK_STR(said(c, "notify", kin_args(kin_str("x"))), "KIN_ETYPE");
    c.may_wait = false;
    CHECK_STR(said(c, "wait", kin_args()), "waits");
    CHECK_STR(said(c, "notify_all", kin_args()), "None");
    CHECK_STR(said(c, "release", kin_args()), "None");
    end(c);
}

/* More than one nap may not make it miss what happens between two of them. */
static int notify(void *ctx)
{
    const served *c = ctx;
    for (;;) { /* until somebody waited */
        if (kin_condition_acquire(c->thing, KIN_FOREVER) < 0) {
            return 1;
        }
        int woken = kin_condition_notify(c->thing, 1);
        if (kin_condition_release(c->thing) < 0) {
            return 2;
        }
        if (woken == 1) {
            return 0;
        }
    }
}

TEST(who_waits_for_a_condition_is_woken)
{
    served c = make("Condition", kin_args());
    c.may_wait = true;
    CHECK_STR(said(c, "acquire", kin_args()), "True");
    pid_t pid = test_child(notify, &c);
    const char *answer;
    do {
        answer = said(c, "wait", kin_args());
    } while (strcmp(answer, "waits") == 0);
    CHECK_STR(answer, "True");
    CHECK_STR(said(c, "release", kin_args()), "None");
    CHECK_EQ(test_join(pid), 0);
    end(c);
}

TEST(an_event_is_set_and_cleared)
{
    served e = make("Event", kin_args());
    CHECK_STR(said(e, "is_set", kin_args()), "False");
    CHECK_STR(said(e, "wait", kin_args()), "waits");
    CHECK_STR(said(e, "wait", kin_args(kin_int(0))), "False");
    CHECK_STR(said(e, "wait", kin_args(kin_int(-1))), "False");
    CHECK_STR(said(e, "set", kin_args()), "None");
    CHECK_STR(said(e, "wait", kin_args()), "True");
    CHECK_STR(said(e, "clear", kin_args()), "None");
    CHECK_STR(said(e, "is_set", kin_args()), "False");
    end(e);
}

TEST(a_barrier_lets_all_through_or_breaks)
{
    served b = make("Barrier", kin_args(kin_int(1)));
    CHECK(kin__kind_method(b.kind, "wait")->waits);
    b.may_wait = true;
    CHECK_STR(said(b, "wait", kin_args()), "0");
    CHECK_STR(said(b, "__getattribute__", kin_args(kin_str("parties"))), "1");
    CHECK_STR(said(b, "__getattribute__", kin_args(kin_str("n_waiting"))), "0");
    CHECK_STR(said(b, "abort", kin_args()), "None");
    CHECK_STR(said(b, "__getattribute__", kin_args(kin_str("broken"))), "True");
    CHECK_STR(said(b, "wait", kin_args()), "threading.BrokenBarrierError: ");
    CHECK_STR(said(b, "reset", kin_args()), "None");
    CHECK_STR(said(b, "wait", kin_args()), "0");
    CHECK_CONTAINS(said(b, "__getattribute__", kin_args(kin_str("x"))), "AttributeError: ");
    CHECK_CONTAINS(said(b, "__getattribute__", kin_args()), "AttributeError: ");
    end(b);
    CHECK_EQ(cannot_make("Barrier", kin_args(kin_int(0))), KIN_EINVAL);
    CHECK_EQ(cannot_make("Barrier", kin_args()), KIN_EINVAL);
}

TEST(a_barrier_that_is_not_reached_in_time_breaks)
{
    served b = make("Barrier", kin_args(kin_int(2)));
    b.may_wait = true;
    CHECK_STR(said(b, "wait", kin_args(kin_float(0.01))), "threading.BrokenBarrierError: ");
    CHECK_STR(said(b, "__getattribute__", kin_args(kin_str("broken"))), "True");
    end(b);
}

TEST(a_condition_has_the_lock_that_it_was_given)
{
    served lock = make("Lock", kin_args()), rlock = make("RLock", kin_args());
    served event = make("Event", kin_args());
    served c = make("Condition", kin_args(kin_shared(lock.thing)));
    served d = make("Condition", kin_args(kin_shared(rlock.thing)));
    CHECK_STR(said(c, "acquire", kin_args()), "True");
    CHECK_STR(said(lock, "locked", kin_args()), "True");
    CHECK_STR(said(lock, "acquire", kin_args(kin_bool(false))), "False");
    CHECK_STR(said(c, "release", kin_args()), "None");
    CHECK_STR(said(d, "acquire", kin_args()), "True");
    CHECK_STR(said(rlock, "locked", kin_args()), "True");
    CHECK_STR(said(rlock, "release", kin_args()), "None");
    CHECK_EQ(cannot_make("Condition", kin_args(kin_shared(event.thing))), KIN_ETYPE);
    CHECK_EQ(cannot_make("Condition", kin_args(kin_int(5))), KIN_ETYPE);
    end(c);
    end(d);
    end(event);
    end(lock);
    end(rlock);
}

TEST(a_barrier_has_the_timeout_that_it_was_given_and_no_action)
{
    served b =
        make_with("Barrier", kin_args(kin_int(2)), kin_dict(kin_str("timeout"), kin_float(0.01)));
    b.may_wait = true;
    CHECK_STR(said(b, "wait", kin_args(kin_none())), "threading.BrokenBarrierError: ");
    end(b);
    CHECK_EQ(cannot_make("Barrier", kin_args(kin_int(2), kin_str("action"))), KIN_EUNSUPPORTED);
}

TEST(permits_are_released_one_by_one)
{
    served s = make("Semaphore", kin_args(kin_int(1)));
    CHECK_STR(said(s, "release", kin_args(kin_int(2))), "KIN_EUNSUPPORTED");
    CHECK_STR(said(s, "release", kin_args(kin_int(1))), "None");
    end(s);
}
