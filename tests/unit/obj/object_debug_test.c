#include "harness.h"

#include "obj/node.h"
#include <stdio.h>
#include <stdlib.h>

/* KIN_DEBUG=objects. The library looks at the environment once: so these are a program of their
 * own. */

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
    lines = 0;
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

TEST(a_tuple_of_arguments_is_not_used_again)
{
    debug_objects();
    kin_obj args = kin_args(kin_int(1));
    CHECK(!kin__obj_refill(args, kin_int(2)));
    CHECK_EQ(kin_as_int(kin_at(args, 0)), 1);
    kin_release(args);
    CHECK_EQ(lines, 0);
}
