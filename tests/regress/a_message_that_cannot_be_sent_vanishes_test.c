/* In Python put() hands the object to a thread, and that is where pickling fails: put() has
 * returned as if all were well, a traceback appears from nowhere, or not at all, and the item is
 * gone (CPython gh-84376, gh-79423). Here put itself fails, and says why. */
#include "scene.h"

static kin_obj that_contains_itself(void)
{
    kin_obj dict = kin_dict(kin_int(1), kin_int(2));
    CHECK_OK(kin_setitem(&dict, kin_str("me"), kin_retain(dict)));
    return dict;
}

TEST(who_puts_what_cannot_be_sent_is_told_and_the_queue_goes_on)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = 2)));
    kin_obj knot = that_contains_itself();
    for (int i = 0; i < 10; i++) { /* more than there are places: none is used up */
        CHECK_ERROR(kin_queue_put(queue, kin_retain(knot), KIN_FOREVER), KIN_EINVAL);
        CHECK_CONTAINS(kin_errmsg(), "contains itself");
        CHECK_EQ(kin_queue_qsize(queue), 0);
    }
    CHECK_OK(kin_setitem(&knot, kin_str("me"), kin_none())); /* or it would never go */
    kin_release(knot);
    CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
    CHECK_OK(kin_queue_put(queue, kin_int(2), 0));
    for (int i = 1; i <= 2; i++) {
        kin_obj o;
        CHECK_OK(kin_queue_get(queue, &o, 0));
        CHECK_EQ(kin_as_int(o), i);
    }
    kin_queue_free(queue);
    nothing_is_left();
}
