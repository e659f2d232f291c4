/* In Python each look into a manager's dict is a message to another process and one back. Relatives
 * have it in their memory, and ask nobody; others may send many calls at once. */
#include "scene.h"

#define KEY .authkey = "our key", .authkey_size = 7

enum { ITEMS = 1000 };

static int fill(void *ctx)
{
    for (int i = 0; i < ITEMS; i++) {
        CHECK_OK(kin_shared_dict_set(ctx, kin_int(i), kin_int(-i)));
    }
    return 0;
}

static uint64_t requests(kin_manager *m)
{
    kin_manager_info info;
    CHECK_OK(kin_manager_stats(m, &info));
    return info.requests;
}

TEST_WITHIN(60, relatives_send_no_requests)
{
    kin_manager *m = NULL;
    kin_shared_dict *d = NULL;
    CHECK_OK(kin_manager_new(&m, NULL));
    CHECK_OK(kin_manager_dict(m, &d, kin_none()));
    CHECK_OK(kin_manager_serve(m, "127.0.0.1:0", KIN_OPT(kin_serve_options, KEY)));
    CHECK_EQ(test_join(test_child(fill, d)), 0);
    CHECK_EQ(kin_shared_dict_len(d), ITEMS);
    CHECK_EQ(requests(m), 0);
    kin_manager_free(m);
    nothing_is_left();
}

TEST_WITHIN(60, a_batch_of_a_thousand_calls_does_not_wait_for_each)
{
    static kin_obj results[ITEMS];
    kin_manager *m = NULL, *far = NULL;
    kin_shared_dict *d = NULL;
    kin_obj proxy;
    CHECK_OK(kin_manager_new(&m, NULL));
    CHECK_OK(kin_manager_dict(m, &d, kin_none()));
    CHECK_EQ(fill(d), 0);
    CHECK_OK(kin_manager_register(m, "d", kin_shared(d)));
    CHECK_OK(kin_manager_serve(m, "127.0.0.1:0", KIN_OPT(kin_serve_options, KEY)));
    CHECK_OK(kin_manager_connect(&far, kin_manager_address(m), KIN_OPT(kin_connect_options, KEY)));
    CHECK_OK(kin_manager_call(far, "d", kin_args(), &proxy));
    CHECK_OK(kin_manager_begin_batch(far));
    for (int i = 0; i < ITEMS; i++) {
        CHECK_OK(
            kin_proxy_call(kin_as_shared(proxy), "__getitem__", kin_args(kin_int(i)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(far), 0);
    for (int i = 0; i < ITEMS; i++) {
        CHECK_EQ(kin_as_int(results[i]), -i);
    }
    kin_release(proxy);
    kin_manager_free(far);
    kin_manager_free(m);
    nothing_is_left();
}
