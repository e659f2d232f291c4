#include "harness.h"
#include "sync/room.h"

struct thing {
    kin__head head;
    uint64_t rest;
};

static char logged[256];

static void keep_line(int level, const char *text, void *ctx)
{
    (void)level;
    (void)ctx;
    snprintf(logged, sizeof logged, "%s", text);
}

static struct thing *new_thing(void)
{
    struct thing *t = kin__head_new(sizeof *t, KIN__BARRIER);
    CHECK_NOT_NULL(t);
    kin__head_begin(t, KIN__BARRIER);
    kin__block_give(t);
    return t;
}

TEST(it_is_what_it_began_as_until_it_ends)
{
    struct thing *t = new_thing();
    CHECK_EQ(kin__head_check(t, KIN__BARRIER, "test: the thing"), 0);
    CHECK_ERROR(kin__head_check(t, KIN__LOCK, "test: the thing"), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "is no such thing: was it made");
    CHECK_ERROR(kin__head_check((char *)t + 1, KIN__LOCK, "test: the thing"), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "not aligned");
    CHECK_ERROR(kin__head_check(logged, KIN__LOCK, "test: the thing"), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "not in the family's memory");
    CHECK(kin__head_end(t, KIN__BARRIER, true, "test: the thing"));
    CHECK_ERROR(kin__head_check(t, KIN__BARRIER, "test: the thing"), KIN_EFREED);
    CHECK_CONTAINS(kin_errmsg(), "test: the thing was freed");
    kin__head_discard(t);
    CHECK_ERROR(kin__head_check(t, KIN__BARRIER, "test: the thing"), KIN_EFREED);
}

TEST(what_is_made_at_the_same_place_is_another)
{
    struct thing *t = new_thing();
    uint32_t serial = kin__head_serial(t);
    CHECK(kin__head_is_still(t, KIN__BARRIER, serial));
    CHECK(kin__head_end(t, KIN__BARRIER, true, "test: the thing"));
    CHECK(!kin__head_is_still(t, KIN__BARRIER, serial));
    kin__head_discard(t);
    CHECK_PTR(new_thing(), t);
    CHECK(!kin__head_is_still(t, KIN__BARRIER, serial));
    CHECK(kin__head_is_still(t, KIN__BARRIER, kin__head_serial(t)));
    CHECK(kin__head_end(t, KIN__BARRIER, true, "test: the thing"));
    kin__head_discard(t);
}

TEST(it_ends_once)
{
    struct thing *t = new_thing();
    CHECK(kin__head_may_end(t, KIN__BARRIER, true, "test: the thing"));
    CHECK(kin__head_end(t, KIN__BARRIER, true, "test: the thing"));
    kin_log_set_handler(keep_line, NULL);
    CHECK(!kin__head_may_end(t, KIN__BARRIER, true, "test: the thing"));
    CHECK(!kin__head_end(t, KIN__BARRIER, true, "test: the thing"));
    CHECK_STR(logged, "test: the thing was freed");
    kin_log_set_handler(NULL, NULL);
    kin__head_discard(t);
}

TEST(what_lies_in_a_struct_is_no_block_to_free)
{
    struct {
        uint64_t before;
        struct thing thing;
    } *mine = kin_alloc(sizeof *mine);
    CHECK_OK(kin__head_place(&mine->thing, sizeof mine->thing, "test"));
    kin__head_begin(&mine->thing, KIN__BARRIER);
    kin_log_set_handler(keep_line, NULL);
    CHECK(!kin__head_end(&mine->thing, KIN__BARRIER, true, "test: the thing"));
    CHECK_CONTAINS(logged, "_done");
    CHECK_EQ(kin__head_check(&mine->thing, KIN__BARRIER, "test: the thing"), 0);
    struct thing *t = new_thing();
    CHECK(!kin__head_end(t, KIN__BARRIER, false, "test: the thing"));
    CHECK_CONTAINS(logged, "_free");
    kin_log_set_handler(NULL, NULL);
    CHECK(kin__head_end(&mine->thing, KIN__BARRIER, false, "test: the thing"));
    CHECK(kin__head_end(t, KIN__BARRIER, true, "test: the thing"));
    kin__head_discard(t);
    kin_free(mine);
}

TEST(what_is_elsewhere_is_refused)
{
    char *raw = kin_alloc(64);
    struct thing here = { .rest = 0 };
    void *wrong[] = { NULL, &here, raw, raw + 1, (void *)8 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_ERROR(kin__head_check(wrong[i], KIN__LOCK, "test: the lock"), KIN_EINVAL);
    }
    CHECK_ERROR(kin__head_place(NULL, 16, "test"), KIN_EINVAL);
    CHECK_ERROR(kin__head_place(&here, 16, "test"), KIN_EINVAL);
    CHECK_ERROR(kin__head_place(raw + 4, 16, "test"), KIN_EINVAL);
    CHECK_OK(kin__head_place(raw + 8, 16, "test"));
    kin_free(raw);
}
