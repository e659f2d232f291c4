/* Large blocks: 4 GiB at once, written here and there, by relatives too. */
#include "harness.h"
#include "os/room.h"
#include <kin/domain.h>
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
