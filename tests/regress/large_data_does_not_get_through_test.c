/* In Python a large argument is copied through a pipe, above 2 GiB or with a full /dev/shm it
 * fails, kills with SIGBUS or hangs (bpo-17560, gh-81366), and each shared tensor costs a
 * descriptor until there are none. Here it lies in shared memory, a full one is an error, and
 * descriptors are not used at all. */
#include "scene.h"

#define HUNDRED_MB ((size_t)100 << 20)

static kin_obj much(size_t size)
{
    char *bytes = malloc(size);
    CHECK_NOT_NULL(bytes);
    memset(bytes, 'k', size);
    kin_obj o = kin_bytes(bytes, size);
    free(bytes);
    return o;
}

static void is_much(kin_obj o, size_t size)
{
    CHECK_EQ(kin_len(o), size);
    const char *bytes = kin_as_bytes(o);
    CHECK(bytes[0] == 'k' && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static kin_obj echo(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj echo_through_queues(kin_obj args)
{
    kin_obj o;
    KIN_TRY(kin_queue_get(kin_arg_shared(args, 0), &o, KIN_FOREVER));
    KIN_TRY(kin_queue_put(kin_arg_shared(args, 1), o, KIN_FOREVER));
    return kin_none();
}

TEST_WITHIN(120, a_hundred_megabytes_go_through_queues_and_back)
{
    kin_queue *there = new_queue(), *back = new_queue();
    CHECK_OK(kin_start(NULL, echo_through_queues, kin_args(kin_shared(there), kin_shared(back)),
                       KIN_OPT(kin_process_options, .start_method = "spawn")));
    CHECK_OK(kin_queue_put(there, much(HUNDRED_MB), KIN_FOREVER));
    kin_obj o;
    CHECK_OK(kin_queue_get(back, &o, KIN_FOREVER));
    is_much(o, HUNDRED_MB);
    kin_release(o);
    CHECK_OK(kin_join_children(KIN_FOREVER));
    kin_queue_free(there);
    kin_queue_free(back);
    nothing_is_left();
}

TEST_WITHIN(120, a_hundred_megabytes_go_to_a_task_and_back)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, echo, kin_args(much(HUNDRED_MB)), &o));
    is_much(o, HUNDRED_MB);
    kin_release(o);
    free_whole(pool);
}

static kin_obj fill(kin_obj args)
{
    char *memory = kin_as_shared(kin_arg(args, 0));
    memset(memory, 'x', HUNDRED_MB);
    return kin_none();
}

TEST(a_hundred_megabytes_need_not_be_copied)
{
    kin_pool *pool = pool_of(1);
    char *memory = kin_alloc(HUNDRED_MB);
    CHECK_OK(kin_pool_apply(pool, fill, kin_args(kin_shared(memory)), NULL));
    CHECK_EQ(memory[HUNDRED_MB - 1], 'x');
    kin_free(memory);
    free_whole(pool);
}

static kin_obj return_too_much(kin_obj args)
{
    (void)args;
    static char bytes[20 << 20];
    return kin_bytes(bytes, sizeof bytes);
}

TEST(a_full_memory_is_an_error_and_all_that_was_there_is_still_there)
{
    CHECK_OK(kin_domain_setup(KIN_OPT(kin_domain_options, .max_memory = 32 << 20)));
    kin_pool *pool = pool_of(1);
    kin_queue *queue = new_queue();
    int put = 0, rv;
    while ((rv = kin_queue_put(queue, much(4 << 20), KIN_FOREVER)) == 0) {
        put++;
    }
    CHECK_EQ(rv, KIN_ENOMEM);
    CHECK_CONTAINS(kin_errmsg(), "memory");
    CHECK_GE(put, 4);
    CHECK_LE(put, 8);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, echo, kin_args(much(20 << 20)), &o), KIN_ENOMEM);
    CHECK_ERROR(kin_pool_apply(pool, return_too_much, kin_args(), &o), KIN_ENOMEM);
    CHECK_CONTAINS(kin_errmsg(), "memory");
    works(pool);
    CHECK_EQ(kin_queue_qsize(queue), put);
    while (put-- > 0) {
        CHECK_OK(kin_queue_get(queue, &o, 0));
        is_much(o, 4 << 20);
        kin_release(o);
    }
    CHECK_OK(kin_queue_put(queue, much(4 << 20), KIN_FOREVER)); /* there is room again */
    kin_queue_free(queue);
    free_whole(pool);
}

TEST(a_thousand_buffers_in_flight_use_no_descriptors)
{
    enum { BUFFERS = 1000, SIZE = 10000 };
    kin_queue *queue = new_queue();
    int before = test_count_descriptors();
    for (int i = 0; i < BUFFERS; i++) {
        CHECK_OK(kin_queue_put(queue, kin_buffer(kin_alloc(SIZE), SIZE), KIN_FOREVER));
    }
    CHECK_EQ(test_count_descriptors(), before);
    CHECK_EQ(kin_queue_qsize(queue), BUFFERS);
    kin_queue_free(queue);
    CHECK_EQ(test_count_descriptors(), before);
}
