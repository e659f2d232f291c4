/* Keys that have much in common: Python may well write them, and nobody can tell them from an
 * attack. So whoever trusts the other side has to be able to say so. */
#include "unit/obj/pickles.h"

/* {(t, 0): None, (t, 1): None, ...} where t is a tuple of a thousand. */
static size_t write_keys(char *data, int n)
{
    char *at = mempcpy(data, "}((", 3);
    at = memset(at, 'N', 1000);
    at = mempcpy(at + 1000, "tqa0", 4);
    for (int32_t i = 0; i < n; i++) {
        at = mempcpy(at, "haJ", 3);
        at = mempcpy(at, &i, 4);
        at = mempcpy(at, "\x86N", 2);
    }
    at = mempcpy(at, "u.", 2);
    return (size_t)(at - data);
}

TEST(keys_that_cost_much_are_read_where_much_memory_is_allowed)
{
    static char data[100000];
    kin_obj o;
    size_t size = write_keys(data, 3000);
    CHECK_ERROR(load_with(data, size, (kin_loads_options){ 0 }), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
    CHECK_ERROR(load_with(data, size, (kin_loads_options){ .max_memory = 4000000 }), KIN_ERANGE);
    kin_loads_options options = { .max_memory = 100000000 };
    CHECK_OK(kin_loads_with(data, size, &options, &o));
    CHECK_EQ(kin_len(o), 3000);
    kin_release(o);
}

TEST(little_memory_does_not_mean_that_keys_cannot_be_compared)
{
    static char data[100000];
    size_t size = write_keys(data, 50);
    CHECK_OK(load_with(data, size, (kin_loads_options){ .max_memory = 80000 }));
}
