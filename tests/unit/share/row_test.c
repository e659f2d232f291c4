#include "harness.h"
#include "share/room.h"

static kin__view make(char code, uint64_t length)
{
    const kin__row_plan plan = {
        .verb = "test", .type = KIN__ARRAY, .code = code, .length = length
    };
    kin__view view = { .row = NULL };
    CHECK_OK(kin__row_new(&plan, &view));
    return view;
}

TEST(a_plan_that_makes_no_sense_is_refused)
{
    kin_rlock *lock = NULL;
    CHECK_OK(kin_rlock_new(&lock, NULL));
    kin__view view = { .row = NULL };
    const kin__row_plan bad[] = {
        { .verb = "test", .type = KIN__ARRAY, .code = 'x', .length = 1 },
        { .verb = "test", .type = KIN__ARRAY, .code = 0, .length = 1 },
        { .verb = "test", .type = KIN__ARRAY, .code = 'i', .size = 4, .length = 1 },
        { .verb = "test",
          .type = KIN__ARRAY,
          .code = 'i',
          .length = 1,
          .lock = lock,
          .no_lock = true },
        { .verb = "test",
          .type = KIN__ARRAY,
          .code = 'i',
          .length = 1,
          .lock = (kin_rlock *)&view },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERROR(kin__row_new(&bad[i], &view), KIN_EINVAL);
    }
    const kin__row_plan large[] = {
        { .verb = "test", .type = KIN__ARRAY, .code = 'd', .length = UINT64_MAX },
        { .verb = "test", .type = KIN__ARRAY, .code = 'd', .length = UINT64_MAX / 8 },
        { .verb = "test", .type = KIN__ARRAY, .code = 'b', .length = (uint64_t)1 << 50 },
        { .verb = "test", .type = KIN__ARRAY, .code = 'b', .length = (uint64_t)1 << 56 },
    };
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        CHECK_ERROR(kin__row_new(&large[i], &view), KIN_ENOMEM);
    }
    CHECK_NULL(view.row);
    kin_rlock_free(lock);
}

TEST(items_begin_with_a_cache_line_and_are_zero)
{
    for (int round = 0; round < 2; round++) { /* the second is in the memory of the first */
        kin__view view = make('d', 100);
        CHECK_EQ((uintptr_t)view.row->data % 64, 0);
        for (uint64_t i = 0; i < 100; i++) {
            CHECK_FLOAT(*(double *)kin__row_at(&view, i), 0);
            *(double *)kin__row_at(&view, i) = 1;
        }
        kin__row_give(view.row);
        kin__row_free(view.row, KIN__ARRAY, "test: the row");
    }
}

TEST(a_row_that_was_not_given_is_dropped)
{
    kin_usage_info before, after;
    CHECK_OK(kin_usage(&before));
    kin__row_drop(make('i', 10).row);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
}

/* Whoever scribbles over length and size finds nobody who reads beyond the block. */
TEST(a_row_that_was_scribbled_over_is_refused)
{
    kin__row *row = make('i', 10).row;
    kin__view view;
    static const struct {
        uint64_t length;
        uint32_t size;
    } bad[] = { { UINT64_MAX, 4 }, { 11, 4 }, { 10, 8 }, { 10, 0 }, { 10, 1 }, { 1, UINT32_MAX } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        row->length = bad[i].length;
        row->size = bad[i].size;
        CHECK_ERROR(kin__row_look(row, KIN__ARRAY, "test: the row", &view), KIN_ECORRUPT);
        kin_obj o;
        CHECK_ERROR(kin_array_get((kin_array *)row, 10, &o), KIN_ECORRUPT);
        CHECK_EQ(kin_array_len((kin_array *)row), 0);
        CHECK_CONTAINS(kin_errmsg(), "scribbled");
    }
    row->length = 10;
    row->size = 4;
    row->lock = (kin_rlock *)(void *)&view;
    CHECK_ERROR(kin_array_acquire((kin_array *)row, 0), KIN_EINVAL);
    CHECK_ERROR(kin_array_set((kin_array *)row, 0, kin_int(1)), KIN_EINVAL);
    row->lock = &row->own;
    CHECK_ERROR(kin__row_look(row, KIN__VALUE, "test: the row", &view), KIN_EINVAL);
    CHECK_OK(kin__row_look(row, KIN__ARRAY, "test: the row", &view));
    kin__row_drop(row);
}

/* What was looked at stays as it was, whoever scribbles there afterwards. */
TEST(a_view_is_a_copy)
{
    kin__view view = make('i', 10);
    view.row->length = UINT64_MAX;
    view.row->size = UINT32_MAX;
    CHECK_EQ(view.length, 10);
    kin__row_put(&view, 9, &(kin__item){ .bits = 7 });
    CHECK_EQ(((int *)(void *)view.row->data)[9], 7);
    kin__row_drop(view.row);
}

TEST(a_source_is_looked_through_before_anything_is_written)
{
    kin__view view = make('b', 3);
    kin__source s;
    kin_obj list = kin_list(kin_int(1), kin_int(2), kin_int(300));
    CHECK_OK(kin__row_source('b', 1, list, "test", &s));
    CHECK_EQ(s.count, 3);
    CHECK_ERROR(kin__row_pour(&view, 0, s, true, "test"), KIN_ERANGE);
    CHECK_EQ(view.row->data[0], 0);
    kin_release(list);
    CHECK_ERROR(kin__row_source('b', 1, kin_int(3), "test", &s), KIN_ETYPE);
    CHECK_ERROR(kin__row_source('b', 1, (kin_obj){ 0 }, "test", &s), KIN_EINVAL);
    kin__row_drop(view.row);
}
