/* Large blocks: 4 GiB at once, written here and there, by relatives too; messages of 1 GiB. */
#include "harness.h"
#include "os/room.h"
#include <kin/domain.h>
#include <kin/queue.h>
#include <kin/share.h>

#define GIB ((uint64_t)1 << 30)

enum { PLACES = 4096 };

static size_t place(size_t i, size_t size)
{
    return i == PLACES - 1 ? size - 1 : size / PLACES * i + i;
}

static int write_there(void *ctx)
{
    unsigned char *memory = ctx;
    for (size_t i = 0; i < PLACES; i++) {
        memory[place(i, 4 * GIB)] = (unsigned char)(i * 7 + 1);
    }
    return 0;
}

TEST_WITHIN(300, four_gibibytes_are_written_here_and_there)
{
    if (!kin__os_has_memory(5 * GIB)) {
        SKIP("there are not 5 GiB of memory");
    }
    unsigned char *memory = kin_alloc(4 * GIB);
    CHECK_NOT_NULL(memory);
    CHECK_EQ(test_join(test_child(write_there, memory)), 0);
    for (size_t i = 0; i < PLACES; i++) {
        CHECK_EQ(memory[place(i, 4 * GIB)], (unsigned char)(i * 7 + 1));
    }
    CHECK_EQ(memory[1000], 0);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_GE(usage.used, 4 * GIB);
    kin_free(memory);
    kin_array *array = NULL; /* in the same memory */
    CHECK_OK(kin_array_new(&array, 'd', GIB / 8, kin_none(), NULL));
    CHECK_OK(kin_array_set(array, -1, kin_float(1.5)));
    kin_obj o;
    CHECK_OK(kin_array_get(array, GIB / 8 - 1, &o));
    CHECK_FLOAT(kin_as_float(o), 1.5);
    kin_array_free(array);
    CHECK_OK(kin_usage(&usage));
    CHECK_LE(usage.committed, 5 * GIB);
}

static void fill_here_and_there(unsigned char *memory)
{
    for (size_t i = 0; i < PLACES; i++) {
        memory[place(i, GIB)] = (unsigned char)(i * 5 + 3);
    }
}

static int check_here_and_there(const unsigned char *memory)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (memory[place(i, GIB)] != (unsigned char)(i * 5 + 3)) {
            return 1;
        }
    }
    return 0;
}

static int read_in_place(void *ctx)
{
    kin_message message;
    if (kin_queue_peek(ctx, &message, KIN_FOREVER) < 0 || message.size != GIB) {
        return 2;
    }
    int rv = check_here_and_there(message.bytes);
    return kin_queue_consume(ctx, &message) < 0 ? 3 : rv;
}

/* It lies in the family's memory once: the child reads it where its parent wrote it. */
TEST_WITHIN(300, a_message_of_a_gibibyte_is_handed_over)
{
    if (!kin__os_has_memory(5 * GIB / 4)) {
        SKIP("there are not 1.25 GiB of memory");
    }
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxbytes = GIB + 64 + 1000)));
    static const char zeros[1000];
    void *memory;
    CHECK_OK(kin_queue_reserve(queue, GIB, &memory));
    fill_here_and_there(memory);
    CHECK_OK(kin_queue_commit(queue, memory, GIB, 0));
    CHECK_ERROR(kin_queue_put_bytes(queue, zeros, 1000, 0), KIN_EFULL);
    CHECK_EQ(test_join(test_child(read_in_place, queue)), 0);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_LE(usage.committed, 5 * GIB / 4);
    CHECK_OK(kin_queue_put_bytes(queue, zeros, 1000 - 64, 0));
    kin_queue_free(queue);
}

TEST_WITHIN(300, a_message_of_a_gibibyte_is_copied_in_and_out)
{
    if (!kin__os_has_memory(4 * GIB)) {
        SKIP("there are not 4 GiB of memory");
    }
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    unsigned char *memory = malloc(GIB);
    CHECK_NOT_NULL(memory);
    fill_here_and_there(memory);
    CHECK_OK(kin_queue_put_bytes(queue, memory, GIB, 0));
    CHECK_ERROR(kin_queue_get_bytes(queue, memory, GIB - 1, 0), KIN_EBUFTOOSHORT);
    memset(memory, 0, GIB);
    CHECK_EQ(kin_queue_get_bytes(queue, memory, GIB, 0), GIB);
    CHECK_EQ(check_here_and_there(memory), 0);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_LE(usage.used, 1 << 20);
    free(memory);
    kin_queue_free(queue);
}
