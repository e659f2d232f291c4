/* In Python what is put is carried to the reader by a thread of the writer, through a pipe that
 * takes 64 KiB: a child that has put more does not end before somebody reads, so join() before
 * get() hangs (CPython gh-73983, "by design"). Here what was put is there, and the child may end,
 * or be killed. */
#include "contract/start.h"
#include "scene.h"

static kin_obj put_bytes(kin_obj args)
{
    size_t size = (size_t)kin_arg_int(args, 1);
    char *bytes = malloc(size);
    SEE(bytes != NULL);
    memset(bytes, 'k', size);
    kin_obj item = kin_bytes(bytes, size);
    free(bytes);
    KIN_TRY(kin_queue_put(kin_arg_shared(args, 0), item, KIN_FOREVER));
    return kin_none();
}

static void is_whole(kin_obj item, size_t size)
{
    CHECK_EQ(kin_type_of(item), KIN_TYPE_BYTES);
    CHECK_EQ(kin_len(item), size);
    const char *bytes = kin_as_bytes(item);
    CHECK(bytes[0] == 'k' && memcmp(bytes, bytes + 1, size - 1) == 0);
}

EACH_METHOD(a_child_may_be_joined_before_its_items_are_taken)
{
    kin_queue *queue = new_queue();
    static const size_t sizes[] = { 1 << 20, 100 << 20 };
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(run_by(method, put_bytes, kin_args(kin_shared(queue), kin_int((int64_t)sizes[i]))),
                 0);
        kin_obj item;
        CHECK_OK(kin_queue_get(queue, &item, 0)); /* it is there already */
        is_whole(item, sizes[i]);
        kin_release(item);
    }
    kin_queue_free(queue);
}

static kin_obj put_and_die(kin_obj args)
{
    KIN_TRY(kin_call(put_bytes, kin_retain(args), NULL));
    kill(getpid(), SIGKILL);
    return kin_none();
}

TEST(items_of_a_child_that_was_killed_after_put_are_there)
{
    kin_queue *queue = new_queue();
    CHECK_EQ(run_by("fork", put_and_die, kin_args(kin_shared(queue), kin_int(1 << 20))), -SIGKILL);
    kin_obj item;
    CHECK_OK(kin_queue_get(queue, &item, 0));
    is_whole(item, 1 << 20);
    kin_release(item);
    kin_queue_free(queue);
    nothing_is_left();
}

TEST(many_children_with_much_to_say_are_joined_before_anybody_listens)
{
    kin_queue *queue = new_queue();
    for (int i = 0; i < 6; i++) {
        CHECK_OK(kin_start(NULL, put_bytes, kin_args(kin_shared(queue), kin_int(200000)), NULL));
    }
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK_EQ(kin_queue_qsize(queue), 6);
    for (int i = 0; i < 6; i++) {
        kin_obj item;
        CHECK_OK(kin_queue_get(queue, &item, 0));
        is_whole(item, 200000);
        kin_release(item);
    }
    kin_queue_free(queue);
    nothing_is_left();
}

static kin_obj return_much(kin_obj args)
{
    size_t size = 65 << 10;
    char *bytes = malloc(size);
    SEE(bytes != NULL);
    memset(bytes, 'k', size);
    kin_obj result = kin_bytes(bytes, size);
    free(bytes);
    (void)args;
    return result;
}

TEST(results_of_more_than_64_KiB_need_nobody_who_reads_them)
{
    kin_pool *pool = pool_of(3);
    kin_future *futures[20];
    for (int i = 0; i < 20; i++) {
        futures[i] = submit(pool, return_much, kin_args());
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    for (int i = 0; i < 20; i++) {
        kin_obj result;
        CHECK_OK(kin_future_get(futures[i], &result, 0));
        is_whole(result, 65 << 10);
        kin_release(result);
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}
