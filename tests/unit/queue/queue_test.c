#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <pthread.h>

static kin_queue *new_queue(uint64_t maxsize)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = maxsize)));
    return queue;
}

static int64_t get_int(kin_queue *queue)
{
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 10));
    int64_t value = kin_as_int(o);
    kin_release(o);
    return value;
}

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

TEST(messages_come_out_in_the_order_they_went_in)
{
    kin_queue *queue = new_queue(0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
            CHECK_EQ(kin_queue_qsize(queue), i + 1);
        }
        for (int i = 0; i < 1000; i++) {
            CHECK_EQ(get_int(queue), i);
        }
        CHECK_EQ(kin_queue_qsize(queue), 0);
    }
    kin_queue_free(queue);
}

TEST(a_message_is_an_object_of_any_kind)
{
    kin_queue *queue = new_queue(0);
    char *text = "[42, None, 'hello', 1.5, (True, b'\\x00'), {'k': {1, 2}}]";
    kin_obj o = kin_list(kin_int(42), kin_none(), kin_str("hello"), kin_float(1.5),
                         kin_tuple(kin_bool(true), kin_bytes("", 1)),
                         kin_dict(kin_str("k"), kin_set(kin_int(1), kin_int(2))));
    CHECK_OK(kin_queue_put(queue, kin_retain(o), 0));
    kin_obj back;
    CHECK_OK(kin_queue_get(queue, &back, 0));
    CHECK(kin_equal(o, back));
    char *repr = kin_repr(back);
    CHECK_STR(repr, text);
    kin__os_free(repr);
    kin_release(o);
    kin_release(back);
    kin_queue_free(queue);
}

TEST(bytes_of_any_size_go_through_unchanged)
{
    static char bytes[3 << 20];
    static char back[3 << 20];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 7 + i / 1000);
    }
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(0);
    const size_t sizes[] = { 0, 1, 39, 40, 41, 64, 1000, 65536, 3 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, bytes, sizes[i], 0));
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_EQ(kin_queue_get_bytes(queue, back, sizeof back, 0), sizes[i]);
        CHECK_EQ(memcmp(bytes, back, sizes[i]), 0);
    }
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(a_buffer_too_short_or_of_the_wrong_kind_loses_nothing)
{
    kin_queue *queue = new_queue(0);
    char back[100];
    CHECK_OK(kin_queue_put_bytes(queue, "0123456789", 10, 0));
    CHECK_ERROR(kin_queue_get_bytes(queue, back, 9, 0), KIN_EBUFTOOSHORT);
    CHECK_CONTAINS(kin_errmsg(), "10 bytes");
    CHECK_EQ(kin_queue_get_bytes(queue, back, 10, 0), 10);
    CHECK_OK(kin_queue_put(queue, kin_int(5), 0));
    CHECK_ERROR(kin_queue_get_bytes(queue, back, sizeof back, 0), KIN_ETYPE);
    CHECK_EQ(get_int(queue), 5);
    CHECK_OK(kin_queue_put_bytes(queue, "ab", 2, 0));
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 0));
    CHECK_EQ(kin_type_of(o), KIN_TYPE_BYTES);
    kin_release(o);
    kin_queue_free(queue);
}

static kin_queue *seen_queue;
static int unwanted; /* 0: a message that is too long; 1: one of the wrong kind */

/* Somebody has seen a message. Before he takes it another one does, and one that he would not want
 * lies in its cell. */
static void put_another_in_its_cell(const char *name)
{
    if (strcmp(name, "ring.seen") != 0) {
        return;
    }
    kin__step_hook(NULL);
    char back[8];
    CHECK_EQ(kin_queue_get_bytes(seen_queue, back, sizeof back, 0), 1);
    CHECK_OK(unwanted == 0 ? kin_queue_put_bytes(seen_queue, "0123456789", 10, 0)
                           : kin_queue_put(seen_queue, kin_int(5), 0));
}

TEST(only_the_message_that_is_next_is_refused)
{
    for (unwanted = 0; unwanted < 2; unwanted++) {
        seen_queue = new_queue(2);
        CHECK_OK(kin_queue_put_bytes(seen_queue, "a", 1, 0));
        CHECK_OK(kin_queue_put_bytes(seen_queue, "bc", 2, 0));
        char back[8];
        kin__step_hook(put_another_in_its_cell);
        CHECK_EQ(kin_queue_get_bytes(seen_queue, back, sizeof back, 0), 2);
        CHECK_MEM(back, "bc", 2);
        CHECK_ERROR(kin_queue_get_bytes(seen_queue, back, sizeof back, 0),
                    unwanted == 0 ? KIN_EBUFTOOSHORT : KIN_ETYPE);
        CHECK_EQ(kin_queue_qsize(seen_queue), 1);
        kin_queue_free(seen_queue);
    }
}

TEST(an_empty_queue_and_a_full_one_say_so_or_wait)
{
    kin_queue *queue = new_queue(3);
    kin_obj o;
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EEMPTY);
    CHECK_ERROR(kin_queue_get(queue, &o, -1), KIN_EEMPTY);
    CHECK_ERROR(kin_queue_get(queue, &o, 0.02), KIN_ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
    }
    CHECK_ERROR(kin_queue_put(queue, kin_str("one too many"), 0), KIN_EFULL);
    CHECK_ERROR(kin_queue_put(queue, kin_int(3), 0.02), KIN_ETIMEDOUT);
    CHECK_EQ(kin_queue_qsize(queue), 3);
    CHECK_EQ(get_int(queue), 0);
    CHECK_OK(kin_queue_put(queue, kin_int(3), 0));
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(get_int(queue), i);
    }
    kin_queue_free(queue);
}

TEST(a_bound_of_one_holds_one)
{
    kin_queue *queue = new_queue(1);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
        CHECK_ERROR(kin_queue_put(queue, kin_int(i), 0), KIN_EFULL);
        CHECK_EQ(get_int(queue), i);
    }
    kin_queue_free(queue);
}

TEST(a_closed_queue_is_drained_and_then_says_so)
{
    kin_queue *queue = new_queue(0);
    CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
    CHECK_OK(kin_queue_close(queue));
    CHECK_OK(kin_queue_close(queue));
    CHECK_ERROR(kin_queue_put(queue, kin_int(2), KIN_FOREVER), KIN_ECLOSED);
    CHECK_EQ(get_int(queue), 1);
    kin_obj o;
    CHECK_ERROR(kin_queue_get(queue, &o, KIN_FOREVER), KIN_ECLOSED);
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_ECLOSED);
    kin_queue_free(queue);
}

TEST(bad_arguments_are_refused_with_a_sentence)
{
    kin_queue *queue = new_queue(0);
    kin_obj o;
    CHECK_ERROR(kin_queue_new(NULL, NULL), KIN_EINVAL);
    kin_queue *other = NULL;
    CHECK_ERROR(kin_queue_new(&other, KIN_OPT(kin_queue_options, .maxsize = UINT64_MAX)),
                KIN_EINVAL);
    CHECK_ERROR(kin_queue_new(&other, KIN_OPT(kin_queue_options, .reserved = { 0, 1 })),
                KIN_EINVAL);
    CHECK_NULL(other);
    CHECK_ERROR(kin_queue_put(NULL, kin_str("given away all the same"), 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_put(queue, kin_list(kin_str("a")), NAN), KIN_EINVAL);
    CHECK_ERROR(kin_queue_put(queue, (kin_obj){ 0 }, 0), kin_error_code((kin_obj){ 0 }));
    CHECK_ERROR(kin_queue_get(NULL, &o, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_get(queue, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_get(queue, &o, NAN), KIN_EINVAL);
    CHECK_ERROR(kin_queue_put_bytes(queue, NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_get_bytes(queue, NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_close(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_queue_qsize(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_queue_put((kin_queue *)(void *)&queue, kin_int(1), 0), KIN_EINVAL);
    CHECK_EQ(kin_queue_qsize(queue), 0);
    kin_queue_free(NULL);
    kin_queue_free(queue);
}

TEST(a_freed_queue_says_so)
{
    kin_queue *queue = new_queue(0);
    kin_obj handle = kin_shared(queue);
    CHECK_PTR(kin_as(kin_queue, handle), queue);
    kin_queue_free(queue);
    kin_obj o;
    CHECK_ERROR(kin_queue_put(queue, kin_int(1), 0), KIN_EFREED);
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EFREED);
    CHECK_ERROR(kin_queue_close(queue), KIN_EFREED);
    CHECK_NULL(kin_as(kin_queue, handle));
    kin_queue *next = new_queue(0); /* may lie at the same place: the handle notices */
    CHECK_NULL(kin_as(kin_queue, handle));
    kin_queue_free(next);
    kin_release(handle);
}

TEST(a_queue_travels_through_a_queue)
{
    kin_queue *outer = new_queue(0);
    kin_queue *inner = new_queue(0);
    CHECK_OK(kin_queue_put(outer, kin_tuple(kin_str("here"), kin_shared(inner)), 0));
    kin_obj o;
    CHECK_OK(kin_queue_get(outer, &o, 0));
    CHECK_PTR(kin_as(kin_queue, kin_at(o, 1)), inner);
    kin_release(o);
    kin_queue_free(inner);
    kin_queue_free(outer);
}

TEST(a_freed_queue_gives_back_what_was_in_it)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(0);
    char bytes[1000] = { 0 };
    for (int i = 0; i < 300; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, bytes, sizeof bytes, 0));
        CHECK_OK(kin_queue_put(queue, kin_buffer(kin_alloc(100), 100), 0));
    }
    CHECK_GT(blocks_in_use(), before + 600);
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(rings_are_given_back_once_they_are_drained)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(0);
    for (int i = 0; i < 100000; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
    }
    for (int i = 0; i < 100000; i++) {
        CHECK_EQ(get_int(queue), i);
    }
    kin_obj o;
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EEMPTY);
    CHECK_EQ(blocks_in_use(), before + 2); /* the queue and its last ring */
    kin_queue_free(queue);
}

/* ---- several processes and threads ----------------------------------------------------------- */

enum { EACH = 20000 };

struct crowd {
    kin_queue *queue;
    _Atomic uint64_t sum;
    _Atomic uint64_t count;
    _Atomic int disorder;
    _Atomic int next;
};

static int produce(void *ctx)
{
    struct crowd *c = ctx;
    uint32_t message[2] = { (uint32_t)atomic_fetch_add(&c->next, 1), 0 };
    for (uint32_t i = 0; i < EACH; i++) {
        message[1] = i;
        if (kin_queue_put_bytes(c->queue, message, sizeof message, KIN_FOREVER) < 0) {
            return 1;
        }
    }
    return 0;
}

static int consume(void *ctx)
{
    struct crowd *c = ctx;
    int64_t last[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    uint32_t message[2];
    ssize_t size;
    while ((size = kin_queue_get_bytes(c->queue, message, sizeof message, KIN_FOREVER)) > 0) {
        c->disorder += message[1] <= last[message[0]];
        last[message[0]] = message[1];
        c->sum += message[1];
        c->count++;
    }
    return size == KIN_ECLOSED ? 0 : 1;
}

static void check_crowd(struct crowd *c, int producers)
{
    CHECK_EQ(c->count, (uint64_t)producers * EACH);
    CHECK_EQ(c->sum, (uint64_t)producers * EACH * (EACH - 1) / 2);
    CHECK_EQ(c->disorder, 0);
}

static void run_processes(uint64_t maxsize, int producers, int consumers)
{
    struct crowd *c = test_shared(sizeof *c);
    c->queue = new_queue(maxsize);
    pid_t pids[16];
    for (int i = 0; i < producers + consumers; i++) {
        pids[i] = test_child(i < producers ? produce : consume, c);
    }
    for (int i = 0; i < producers + consumers; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
        if (i == producers - 1) {
            CHECK_OK(kin_queue_close(c->queue));
        }
    }
    check_crowd(c, producers);
    kin_queue_free(c->queue);
}

TEST(one_producer_to_one_consumer)
{
    run_processes(0, 1, 1);
}

TEST(four_producers_to_four_consumers)
{
    run_processes(0, 4, 4);
}

TEST_WITHIN(60, four_producers_to_four_consumers_through_a_bounded_queue)
{
    run_processes(10, 4, 4);
}

TEST_WITHIN(60, a_bound_of_one_passes_everything)
{
    run_processes(1, 2, 2);
}

static void *produce_thread(void *ctx)
{
    return produce(ctx) == 0 ? NULL : ctx;
}

static void *consume_thread(void *ctx)
{
    return consume(ctx) == 0 ? NULL : ctx;
}

static void run_threads(uint64_t maxsize)
{
    static struct crowd c;
    c = (struct crowd){ .queue = new_queue(maxsize) };
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, i < 2 ? produce_thread : consume_thread, &c), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK_NULL(failed);
        if (i == 1) {
            CHECK_OK(kin_queue_close(c.queue));
        }
    }
    check_crowd(&c, 2);
    kin_queue_free(c.queue);
}

TEST_WITHIN(120, threads_of_one_process_share_a_queue)
{
    run_threads(0);
}

TEST_WITHIN(120, threads_of_one_process_share_a_bounded_queue)
{
    run_threads(100);
}

static int wait_in_vain(void *ctx)
{
    kin_obj o;
    kin_queue *queue = *(kin_queue **)ctx;
    return kin_queue_get(queue, &o, KIN_FOREVER) == KIN_ECLOSED ? 0 : 1;
}

TEST(sleepers_wake_when_the_queue_is_closed_or_freed)
{
    for (int freed = 0; freed < 2; freed++) {
        kin_queue *queue = new_queue(0);
        pid_t pid = test_child(wait_in_vain, &queue);
        WAIT_UNTIL(test_is_asleep(pid));
        if (freed) {
            kin_queue_free(queue);
        } else {
            CHECK_OK(kin_queue_close(queue));
        }
        CHECK_EQ(test_join(pid), 0);
        if (!freed) {
            kin_queue_free(queue);
        }
    }
}

static int put_and_leave_at_once(void *ctx)
{
    kin_queue *queue = *(kin_queue **)ctx;
    static char bytes[10 << 20];
    bytes[sizeof bytes - 1] = 9;
    kin_queue_put_bytes(queue, bytes, sizeof bytes, 0);
    kin__os_kill(kin__os_getpid(), 9);
    return 0;
}

TEST(a_producer_that_dies_right_after_put_loses_nothing)
{
    kin_queue *queue = new_queue(0);
    CHECK_EQ(test_join(test_child(put_and_leave_at_once, &queue)), -9);
    static char back[10 << 20];
    CHECK_EQ(kin_queue_get_bytes(queue, back, sizeof back, 0), sizeof back);
    CHECK_EQ(back[sizeof back - 1], 9);
    kin_queue_free(queue);
}
