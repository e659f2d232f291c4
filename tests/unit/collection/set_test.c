/* kin_shared_set */
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

static kin_shared_set *set_of(kin_obj items)
{
    kin_shared_set *s = NULL;
    CHECK_OK(kin_shared_set_new(&s, KIN_OPT(kin_shared_set_options, .items = items)));
    return s;
}

TEST(a_member_is_in_it_once)
{
    kin_shared_set *s = set_of(kin_list(kin_int(1), kin_int(2), kin_int(1)));
    CHECK_EQ(kin_shared_set_len(s), 2);
    CHECK_EQ(kin_shared_set_add(s, kin_int(2)), 0);
    CHECK_EQ(kin_shared_set_add(s, kin_str("three")), 1);
    CHECK_EQ(kin_shared_set_contains(s, kin_str("three")), 1);
    CHECK_EQ(kin_shared_set_discard(s, kin_str("three")), 1);
    CHECK_EQ(kin_shared_set_discard(s, kin_str("three")), 0);
    CHECK_EQ(kin_shared_set_contains(s, kin_str("three")), 0);
    CHECK_ERROR(kin_shared_set_add(s, kin_list()), KIN_ETYPE);
    kin_shared_set_free(s);
}

TEST(all_of_a_set_at_once)
{
    kin_shared_set *s = set_of((kin_obj){ 0 });
    kin_obj o;
    CHECK_OK(kin_shared_set_update(s, kin_set(kin_int(3), kin_int(4))));
    CHECK_OK(kin_shared_set_update(s, kin_tuple(kin_int(4), kin_int(5))));
    CHECK_ERROR(kin_shared_set_update(s, kin_int(4)), KIN_ETYPE);
    CHECK_OK(kin_shared_set_copy(s, &o));
    char *text = kin_repr(o);
    CHECK_STR(text, "{3, 4, 5}");
    free(text);
    kin_release(o);
    uint64_t pos = 0;
    for (int i = 3; i <= 5; i++) {
        CHECK_EQ(kin_shared_set_next(s, &pos, &o), 1);
        CHECK_EQ(kin_as_int(o), i);
    }
    CHECK_EQ(kin_shared_set_next(s, &pos, &o), 0);
    CHECK_OK(kin_shared_set_pop(s, &o));
    CHECK_EQ(kin_as_int(o), 5);
    CHECK_OK(kin_shared_set_clear(s));
    CHECK_ERROR(kin_shared_set_pop(s, &o), KIN_ENOTFOUND);
    kin_shared_set_free(s);
}
