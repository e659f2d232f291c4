/* Those who wait for a condition: places in a line, without anybody who sleeps. */
#include "harness.h"
#include "sync/line.h"

#include <limits.h>

enum { MANY = 100 };

static kin__line *new_line(void)
{
    kin__line *line = kin_alloc(sizeof *line);
    CHECK_NOT_NULL(line);
    kin__line_begin(line);
    return line;
}

static void end_line(kin__line *line)
{
    kin__line_close(line);
    kin__line_discard(line);
    kin_free(line);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

static kin__place_in_line enter(kin__line *line)
{
    kin__place_in_line place;
    CHECK_OK(kin__line_enter(line, kin__self(), &place));
    CHECK(!kin__line_is_told(&place));
    return place;
}

TEST(those_who_came_first_are_notified_first)
{
    kin__line *line = new_line();
    kin__place_in_line places[MANY];
    for (int i = 0; i < MANY; i++) {
        places[i] = enter(line);
    }
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(kin__line_notify(line, 1), 1);
        CHECK(kin__line_is_notified(&places[i]));
        CHECK(!kin__line_is_told(&places[i + 1]));
    }
    CHECK_EQ(kin__line_notify(line, 10), 10);
    CHECK(kin__line_is_notified(&places[49]));
    CHECK(!kin__line_is_told(&places[50]));
    CHECK_EQ(kin__line_notify(line, UINT_MAX), MANY - 50);
    CHECK_EQ(kin__line_notify(line, UINT_MAX), 0);
    for (int i = 0; i < MANY; i++) {
        CHECK(kin__line_is_notified(&places[i]));
    }
    end_line(line);
}

TEST(who_has_left_is_not_notified)
{
    kin__line *line = new_line();
    kin__place_in_line first = enter(line), second = enter(line);
    kin__line_leave(&first);
    CHECK_EQ(kin__line_notify(line, 2), 1);
    CHECK(kin__line_is_notified(&second));
    kin__line_leave(&second);
    kin__place_in_line third = enter(line);
    CHECK_PTR(third.cell, first.cell);
    kin__line_leave(&first); /* it is not his any more */
    CHECK_EQ(kin__line_notify(line, 1), 1);
    end_line(line);
}

/* Orders are counted in 37 bits; 0 is no order. */
TEST(the_order_may_wrap_around)
{
    kin__line *line = new_line();
    atomic_store(&line->order, ((uint64_t)1 << 37) - 2);
    kin__place_in_line places[3];
    for (int i = 0; i < 3; i++) {
        places[i] = enter(line);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin__line_notify(line, 1), 1);
        CHECK(kin__line_is_notified(&places[i]));
    }
    end_line(line);
}

static int enter_and_die(void *ctx)
{
    kin__place_in_line place;
    return kin__line_enter(ctx, kin__self(), &place);
}

TEST(the_dead_are_passed_over_and_their_places_used_again)
{
    kin__line *line = new_line();
    kin__place_in_line first = enter(line);
    kin__line_leave(&first);
    CHECK_EQ(test_join(test_child(enter_and_die, line)), 0);
    kin__place_in_line second = enter(line);
    CHECK_EQ(kin__line_notify(line, 1), 1);
    CHECK(kin__line_is_notified(&second));
    CHECK_PTR(enter(line).cell, first.cell);
    end_line(line);
}

TEST(all_are_told_when_it_closes)
{
    kin__line *line = new_line();
    kin__place_in_line early = enter(line);
    CHECK(!kin__line_is_closing(line));
    kin__line_close(line);
    CHECK(kin__line_is_closing(line));
    CHECK(kin__line_is_told(&early));
    CHECK(!kin__line_is_notified(&early));
    kin__place_in_line late = enter(line);
    kin__line_close(line); /* as whoever finds it closing does */
    CHECK(kin__line_is_told(&late));
    end_line(line);
}

TEST(a_sleep_of_no_time_and_one_for_what_has_come_end_at_once)
{
    kin__line *line = new_line();
    kin__place_in_line place = enter(line);
    CHECK_EQ(kin__line_sleep(&place, 0), KIN_ETIMEDOUT);
    CHECK_EQ(kin__line_sleep(&place, kin__os_now() + 1000000), KIN_ETIMEDOUT);
    CHECK_EQ(kin__line_notify(line, 1), 1); /* by the word of one who was asleep */
    CHECK_EQ(kin__line_sleep(&place, KIN__NEVER), 0);
    CHECK(kin__line_is_notified(&place));
    end_line(line);
}
