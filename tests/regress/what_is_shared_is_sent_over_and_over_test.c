/* A copy that writes what is shared wherever it is met makes 2^40 lists of forty: x = [x, x], and
 * loses that they were one. Pickles keep it; so does whatever travels in the family. */
#include "scene.h"

enum { TIMES = 40 };

static kin_obj doubled(void)
{
    kin_obj x = kin_list(kin_int(7));
    for (int i = 0; i < TIMES; i++) {
        x = kin_list(kin_retain(x), x);
    }
    return x;
}

/* How deep it is, if the innermost list is the same by all ways: what is added to it at one end is
 * seen at the other. Else -1. */
static int depth_of(kin_obj x)
{
    int depth = 0;
    kin_obj left = x, right = x;
    for (; kin_len(left) == 2 && kin_len(right) == 2; depth++) {
        left = kin_at(left, 0);
        right = kin_at(right, 1);
    }
    bool shared = kin_append(&left, kin_int(8)) == 0 && kin_len(right) == 2;
    return shared && kin_as_int(kin_at(right, 1)) == 8 ? depth : -1;
}

static kin_obj tell_depth(kin_obj args)
{
    return kin_int(depth_of(kin_arg(args, 0)));
}

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static void arrives(kin_obj o)
{
    CHECK_EQ(depth_of(o), TIMES);
    kin_release(o);
}

TEST(it_goes_through_a_queue)
{
    kin_queue *queue;
    CHECK_OK(kin_queue_new(&queue, NULL));
    kin_obj o;
    CHECK_OK(kin_queue_put(queue, doubled(), KIN_FOREVER));
    CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
    arrives(o);
    kin_queue_free(queue);
    nothing_is_left();
}

TEST(it_goes_through_a_pipe)
{
    kin_conn *a, *b;
    CHECK_OK(kin_pipe(&a, &b, true));
    kin_obj o;
    CHECK_OK(kin_conn_send(a, doubled(), KIN_FOREVER));
    CHECK_OK(kin_conn_recv(b, &o, KIN_FOREVER));
    arrives(o);
    kin_conn_free(a);
    kin_conn_free(b);
}

TEST(it_goes_to_a_pool_and_back)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, tell_depth, kin_args(doubled()), &o));
    CHECK_EQ(kin_as_int(o), TIMES);
    CHECK_OK(kin_pool_apply(pool, give_back, kin_args(doubled()), &o));
    arrives(o);
    kin_obj x = doubled();
    CHECK_OK(kin_pool_map(pool, tell_depth, kin_list(x, kin_retain(x)), NULL, &o));
    CHECK_EQ(kin_as_int(kin_at(o, 0)), TIMES);
    kin_release(o);
    free_whole(pool);
}

TEST(it_goes_to_a_process)
{
    kin_process *process;
    CHECK_OK(kin_start(&process, tell_depth, kin_args(doubled()), NULL));
    CHECK_OK(kin_process_join(process, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(process), TIMES);
    kin_process_free(process);
}

/* Each of the two that are sent has its end in the pipe; and it is one connection at the other
 * end. */
TEST(a_connection_that_is_there_twice_travels_once)
{
    kin_conn *a, *b, *c, *d;
    CHECK_OK(kin_pipe(&a, &b, true));
    CHECK_OK(kin_pipe(&c, &d, true));
    kin_obj o, one = kin_shared(c);
    CHECK_OK(kin_conn_send(a, kin_list(kin_retain(one), kin_tuple(one)), KIN_FOREVER));
    CHECK_OK(kin_conn_recv(b, &o, KIN_FOREVER));
    kin_conn *taken = kin_take(kin_conn, kin_at(o, 0));
    CHECK_NOT_NULL(taken);
    CHECK_PTR(kin_as(kin_conn, kin_at(kin_at(o, 1), 0)), taken);
    CHECK_OK(kin_conn_send(taken, kin_int(5), KIN_FOREVER));
    kin_release(o);
    CHECK_OK(kin_conn_recv(d, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 5);
    kin_conn_free(taken);
    kin_conn_free(a);
    kin_conn_free(b);
    kin_conn_free(c);
    kin_conn_free(d);
}
