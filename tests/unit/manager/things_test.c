/* Things and tokens inside of other objects. */
#include "harness.h"
#include "manager/room.h"

/* Each thing becomes "x"; a token fails where ctx says so. */
static int to_x(kin_obj o, void *ctx, kin_obj *ret)
{
    int *counter = ctx;
    if (kin_is_token(o) && *counter < 0) {
        return kin__fail(KIN_EUNSUPPORTED, "no tokens here");
    }
    if (kin_is_token(o)) {
        return 0;
    }
    ++*counter;
    *ret = kin_strf("x%d", *counter);
    return 1;
}

static int map(kin_obj o, int *counter, const char *expected)
{
    kin_obj mapped;
    int rv = kin__map_things(o, to_x, counter, &mapped);
    kin_release(o);
    if (rv == 0) {
        char *text = kin_repr(mapped);
        CHECK_STR(text, expected);
        free(text);
        kin_release(mapped);
    }
    return rv;
}

static kin_event *new_event(void)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    return event;
}

TEST(what_has_no_thing_in_it_is_handed_on_as_it_is)
{
    int counter = 0;
    kin_obj mapped, o = kin_list(kin_int(1), kin_dict(kin_str("a"), kin_tuple(kin_str("b"))));
    CHECK_OK(kin__map_things(o, to_x, &counter, &mapped));
    CHECK_OK(kin_append(&mapped, kin_int(2))); /* it is the same list */
    CHECK_EQ(kin_len(o), 3);
    CHECK_EQ(counter, 0);
    kin_release(mapped);
    kin_release(o);
}

TEST(things_are_found_in_lists_tuples_and_dicts)
{
    int counter = 0;
    kin_auto(kin_event) event = new_event();
    CHECK_OK(map(kin_shared(event), &counter, "'x1'"));
    CHECK_OK(map(kin_tuple(kin_int(1), kin_list(kin_str("s"), kin_shared(event)), kin_none()),
                 &counter, "(1, ['s', 'x2'], None)"));
    CHECK_OK(map(kin_dict(kin_str("a"), kin_shared(event), kin_int(2),
                          kin_dict(kin_str("b"), kin_list(kin_shared(event)))),
                 &counter, "{'a': 'x3', 2: {'b': ['x4']}}"));
}

TEST(what_is_mapped_leaves_the_original_alone)
{
    int counter = 0;
    kin_auto(kin_event) event = new_event();
    kin_obj mapped, o = kin_list(kin_shared(event), kin_str("text"));
    CHECK_OK(kin__map_things(o, to_x, &counter, &mapped));
    CHECK_PTR(kin_as_shared(kin_at(o, 0)), event);
    CHECK_STR(kin_as_str(kin_at(mapped, 0)), "x1");
    kin_release(o);
    CHECK_STR(kin_as_str(kin_at(mapped, 1)), "text");
    kin_release(mapped);
}

TEST(a_token_that_stays_one_is_kept)
{
    int counter = 0;
    kin_obj mapped, o = kin_list(kin_token("Queue", kin_str("/tmp/x"), "17"));
    CHECK_OK(kin__map_things(o, to_x, &counter, &mapped));
    CHECK(kin_is_token(kin_at(mapped, 0)));
    CHECK_STR(kin_as_str(kin_at(kin_at(mapped, 0), 2)), "17");
    kin_release(mapped);
    kin_release(o);
}

/* And nothing is left behind: the leak sanitizer would say so. */
TEST(what_cannot_be_mapped_fails_the_whole)
{
    int counter = -9;
    kin_auto(kin_event) event = new_event();
    kin_obj token = kin_token("Queue", kin_str("/tmp/x"), "17");
    CHECK_ERROR(map(kin_list(kin_shared(event), kin_retain(token)), &counter, ""),
                KIN_EUNSUPPORTED);
    CHECK_ERROR(map(kin_tuple(kin_str("a"), kin_dict(kin_int(1), kin_str("b"), kin_int(2), token)),
                    &counter, ""),
                KIN_EUNSUPPORTED);
}
