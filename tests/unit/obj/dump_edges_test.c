/* Numbers that take one byte and then four, and what else changes at a border. */
#include "unit/obj/pickles.h"

#include "obj/node.h"

/* ---- many that are there twice --------------------------------------------------------------- */

enum { SHARED = 700 };

static kin_obj list_of_pairs(void)
{
    kin_obj all = kin_list();
    kin_obj again = kin_list();
    for (int i = 0; i < SHARED; i++) {
        kin_obj one = kin_list(kin_int(i));
        CHECK_OK(kin_append(&all, kin_retain(one)));
        CHECK_OK(kin_append(&again, one));
    }
    for (int i = SHARED; i < 2 * SHARED; i++) { /* no more in the memo than they need be */
        CHECK_OK(kin_append(&all, kin_list(kin_int(i))));
    }
    CHECK_OK(kin_append(&all, again));
    return all;
}

TEST(each_of_many_that_are_there_twice_is_itself_again)
{
    kin_obj all = list_of_pairs();
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        void *data;
        size_t size;
        kin_obj o;
        CHECK_OK(kin_dumps_with(kin_retain(all), KIN_OPT(kin_dumps_options, .protocol = protocol),
                                &data, &size));
        CHECK_OK(kin_loads(data, size, &o));
        CHECK(kin_equal(o, all));
        kin_obj again = kin_at(o, 2 * SHARED);
        for (size_t i = 0; i < SHARED; i++) {
            kin_obj one = kin_at(o, i);
            CHECK_OK(kin_append(&one, kin_none()));
            CHECK_EQ(kin_len(kin_at(again, i)), 2);
            CHECK_EQ(kin_as_int(kin_at(kin_at(again, i), 0)), i);
        }
        kin_release(o);
        free(data);
    }
    kin_release(all);
}

/* ---- ints ------------------------------------------------------------------------------------ */

static void check_int(const uint8_t *bytes, size_t size, bool negative)
{
    void *data;
    size_t written;
    kin_obj again;
    kin_obj o = kin_bigint(bytes, size, negative);
    CHECK_OK(kin_dumps(kin_retain(o), &data, &written));
    CHECK_OK(kin_loads(data, written, &again));
    CHECK(kin_equal(o, again));
    kin_release(again);
    kin_release(o);
    free(data);
}

TEST(ints_of_about_256_bytes_are_the_same_again)
{
    uint8_t bytes[300];
    for (size_t size = 250; size < 262; size++) {
        for (unsigned top = 0x7f; top <= 0x81; top++) {
            memset(bytes, 0, sizeof bytes);
            bytes[size - 1] = (uint8_t)top;
            check_int(bytes, size, false);
            check_int(bytes, size, true);
            memset(bytes, 0xff, size - 1);
            check_int(bytes, size, false);
            check_int(bytes, size, true);
        }
    }
}

/* ---- protocols ------------------------------------------------------------------------------- */

TEST(an_opcode_is_only_used_in_a_protocol_that_has_it)
{
    check_dump(kin_bytearray("abc", 3), 4,
               "80048c086275696c74696e738c0962797465617272617993430361626385522e");
    check_dump(kin_bytearray("", 0), 4, "80048c086275696c74696e738c096279746561727261799329522e");
    check_dump(kin_bytes("a", 1), 3,
               "800343016"
               "12e");
}

TEST(every_reserved_option_has_to_be_zero)
{
    for (int i = 0; i < 4; i++) {
        kin_dumps_options dumps = { 0 };
        kin_loads_options loads = { 0 };
        void *data = NULL;
        size_t size = 0;
        kin_obj o;
        dumps.reserved[i] = 1;
        loads.reserved[i] = 1;
        CHECK_ERROR(kin_dumps_with(kin_str("given away"), &dumps, &data, &size), KIN_EINVAL);
        CHECK_NULL(data);
        CHECK_ERROR(kin_loads_with("N.", 2, &loads, &o), KIN_EINVAL);
    }
}

/* ---- exceptions of the system ---------------------------------------------------------------- */

static void check_type(kin_obj args, const char *wanted)
{
    kin_obj o = kin_exception("OSError", args);
    CHECK_STR(kin_error_type(o), wanted);
    kin_release(o);
}

TEST(an_oserror_is_narrowed_by_two_to_five_arguments_as_in_python)
{
    kin_obj n = kin_none();
    check_type(kin_args(), "OSError");
    check_type(kin_args(kin_int(2)), "OSError");
    check_type(kin_args(kin_int(2), kin_str("x")), "FileNotFoundError");
    check_type(kin_args(kin_int(2), kin_str("x"), n, n, n), "FileNotFoundError");
    check_type(kin_args(kin_int(2), kin_str("x"), n, n, n, n), "OSError");
    check_type(kin_args(kin_float(2), kin_str("x")), "OSError");
    check_type(kin_args(kin_bigint("\2\0\0\0\0\0\0\0\0\1", 10, false), kin_str("x")), "OSError");
}

/* ---- bundles that are kept ------------------------------------------------------------------- */

TEST(of_several_bundles_that_are_kept_none_takes_anothers_place)
{
    bundle *kept[5];
    for (int i = 0; i < 5; i++) {
        kept[i] = kin__os_malloc(BUNDLE_KEPT);
    }
    for (int i = 0; i < 5; i++) {
        if (!kin__bundle_keep(kept[i])) {
            for (; i < 5; i++) {
                kin__os_free(kept[i]);
            }
            SKIP("nothing is kept under this sanitizer");
        }
    }
    for (int i = 0; i < 5; i++) {
        bundle *b = kin__bundle_take();
        bool known = false;
        for (int k = 0; k < 5; k++) {
            known = known || kept[k] == b;
            kept[k] = kept[k] == b ? NULL : kept[k];
        }
        CHECK(known);
        kin__os_free(b);
    }
}
