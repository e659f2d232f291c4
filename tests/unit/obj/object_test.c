#include "harness.h"

#include "obj/node.h"
#include <stdio.h>
#include <stdlib.h>

static unsigned count_of(kin_obj o)
{
    return atomic_load(&((node *)o.as.p)->count);
}

TEST(an_object_is_16_bytes_and_all_zeros_are_invalid)
{
    CHECK_EQ(sizeof(kin_obj), 16);
    kin_obj zero = { 0 };
    CHECK_EQ(kin_type_of(zero), KIN_TYPE_INVALID);
    CHECK(kin_is_error(zero));
    CHECK_ERROR(kin__obj_check(zero, "put"), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "never made");
    kin_release(zero);
    CHECK_EQ(kin_retain(zero).type, KIN_TYPE_INVALID);
}

TEST(an_invalid_object_says_why_to_whoever_gets_it)
{
    kin_obj invalid = kin__obj_invalid(KIN_ENOMEM);
    CHECK_EQ(kin_error_code(invalid), KIN_ENOMEM);
    CHECK_STR(kin_error_text(invalid), "out of memory");
    CHECK_ERROR(kin__obj_check(invalid, "put"), KIN_ENOMEM);
    CHECK_CONTAINS(kin_errmsg(), "put");
    CHECK_ERROR(kin_to_int(invalid, NULL), KIN_ENOMEM);
    CHECK_EQ(kin__obj_check(kin_none(), "put"), 0);
}

TEST(retain_counts_and_release_counts_back)
{
    kin_obj o = kin_str("x");
    CHECK_EQ(count_of(o), 1);
    kin_obj second = kin_retain(o);
    CHECK_EQ(count_of(o), 2);
    kin_release(second);
    CHECK_EQ(count_of(o), 1);
    CHECK_STR(kin_as_str(o), "x");
    kin_release(o);
}

TEST(a_borrowed_one_may_be_released_and_given_away_without_harm)
{
    kin_obj list = kin_list(kin_str("x"));
    kin_obj item = kin_at(list, 0);
    CHECK_EQ(count_of(item), 1);
    kin_release(item);
    kin_release(item);
    CHECK_EQ(count_of(item), 1);
    kin_obj other = kin_list(item, item, kin_retain(item));
    CHECK_EQ(count_of(item), 4);
    kin_release(list);
    CHECK_STR(kin_as_str(kin_at(other, 2)), "x");
    CHECK_EQ(count_of(kin_at(other, 0)), 3);
    kin_release(other);
}

TEST(own_takes_a_reference_only_of_what_is_borrowed)
{
    kin_obj list = kin_list(kin_str("x"));
    kin_obj given = kin__obj_own(kin_at(list, 0));
    CHECK_EQ(count_of(given), 2);
    CHECK_EQ(count_of(kin__obj_own(given)), 2);
    kin__obj_drop(kin_at(list, 0));
    CHECK_EQ(count_of(given), 2);
    kin__obj_drop(given);
    CHECK_EQ(count_of(kin_at(list, 0)), 1);
    kin_release(list);
}

TEST(a_list_a_million_deep_is_released)
{
    kin_obj list = kin_list();
    for (int i = 0; i < 1000000; i++) {
        list = i % 2 ? kin_list(kin_int(i), list) : kin_dict(kin_str("next"), list);
    }
    kin_release(list);
}

TEST(a_million_levels_shared_twice_are_released_once)
{
    kin_obj list = kin_list(kin_str("end"));
    kin_obj end = kin_retain(kin_at(list, 0));
    for (int i = 0; i < 1000; i++) {
        list = kin_list(kin_retain(list), list);
    }
    CHECK_EQ(count_of(end), 2);
    kin_release(list);
    CHECK_EQ(count_of(end), 1);
    kin_release(end);
}

/* ---- KIN_DEBUG=objects ------------------------------------------------------------------ */

static char last_line[200];
static int lines;

static void keep_line(int level, const char *line, void *ctx)
{
    (void)ctx;
    CHECK_EQ(level, KIN_LOG_ERROR);
    snprintf(last_line, sizeof last_line, "%s", line);
    lines++;
}

static void debug_objects(void)
{
    setenv("KIN_DEBUG", "objects", 1);
    kin_log_set_handler(keep_line, NULL);
}

TEST(a_double_release_is_logged_with_its_type)
{
    debug_objects();
    kin_obj o = kin_str("x");
    kin_obj list = kin_list(kin_int(1));
    kin_release(o);
    CHECK_EQ(lines, 0);
    kin_release(o);
    CHECK_EQ(lines, 1);
    CHECK_CONTAINS(last_line, "kin_release: a str at ");
    CHECK_CONTAINS(last_line, "released before");
    kin_release(list);
    kin_release(list);
    CHECK_CONTAINS(last_line, "a list");
    CHECK_EQ(lines, 2);
}

TEST(a_retain_after_the_last_release_is_logged_and_invalid)
{
    debug_objects();
    kin_obj o = kin_bytes("abc", 3);
    kin_release(o);
    CHECK_EQ(kin_error_code(kin_retain(o)), KIN_EFREED);
    CHECK_CONTAINS(last_line, "kin_retain: bytes at ");
}

TEST(what_was_released_is_full_of_garbage)
{
    debug_objects();
    kin_obj o = kin_str("secret");
    const char *secret = kin_as_str(o);
    kin_release(o);
    CHECK_STR(secret, "\xdb\xdb\xdb\xdb\xdb\xdb");
    kin_obj list = kin_list(kin_int(1));
    kin_release(list);
    CHECK_EQ(kin_len(list), 0);
    kin_obj big = kin_bigint("\1\2\3\4\5\6\7\x88\x99", 9, false);
    const uint32_t *digits = ((bigint *)big.as.p)->digits;
    kin_release(big);
    CHECK_EQ(digits[0], 0xdbdbdbdb);
}

TEST(an_item_released_by_mistake_is_named_when_its_list_goes)
{
    debug_objects();
    kin_obj list = kin_list(kin_str("x"));
    kin_obj item = ((box *)list.as.p)->items[0]; /* as a program with a stale copy has it */
    kin_release(item);
    kin_release(list);
    CHECK_EQ(lines, 1);
    CHECK_CONTAINS(last_line, "a str");
}

TEST(the_dead_are_kept_for_a_while_and_no_longer)
{
    debug_objects();
    for (int i = 0; i < 5000; i++) { /* leaks are for the sanitizer to find */
        kin_release(kin_list(kin_str("x"), kin_dict(kin_int(1), kin_bytes("y", 1))));
    }
    CHECK_EQ(lines, 0);
}
