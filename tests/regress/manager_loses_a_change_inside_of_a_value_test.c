/* In Python d["row"].append(1) changes a copy of a plain list, and nobody says so (gh-91192,
 * gh-76719). What is nested as a shared thing is changed in place: by relatives, and over a
 * network. */
#include "scene.h"

#define KEY .authkey = "our key", .authkey_size = 7

/* d["row"][0]["n"] += 1 */
static void count_within(kin_shared_dict *d)
{
    kin_obj row, inner;
    CHECK_OK(kin_shared_dict_get(d, kin_str("row"), &row));
    CHECK_OK(kin_shared_list_get(kin_as(kin_shared_list, row), 0, &inner));
    CHECK_OK(kin_shared_dict_add(kin_as(kin_shared_dict, inner), kin_str("n"), kin_int(1), NULL));
    kin_release(inner);
    kin_release(row);
}

static int child(void *ctx)
{
    count_within(ctx);
    return 0;
}

TEST_WITHIN(60, a_dict_in_a_list_in_a_dict_is_changed_in_place)
{
    kin_manager *m = NULL, *far = NULL;
    kin_shared_dict *d = NULL, *inner = NULL;
    kin_shared_list *row = NULL;
    kin_obj proxy, n;
    CHECK_OK(kin_manager_new(&m, NULL));
    CHECK_OK(kin_manager_dict(m, &inner, kin_dict(kin_str("n"), kin_int(0))));
    CHECK_OK(kin_manager_list(m, &row, kin_list(kin_shared(inner))));
    CHECK_OK(kin_manager_dict(m, &d, kin_dict(kin_str("row"), kin_shared(row))));
    count_within(d);
    CHECK_EQ(test_join(test_child(child, d)), 0);
    CHECK_OK(kin_manager_register(m, "d", kin_shared(d)));
    CHECK_OK(kin_manager_serve(m, "127.0.0.1:0", KIN_OPT(kin_serve_options, KEY)));
    CHECK_OK(kin_manager_connect(&far, kin_manager_address(m), KIN_OPT(kin_connect_options, KEY)));
    CHECK_OK(kin_manager_call(far, "d", kin_args(), &proxy));
    count_within(kin_as(kin_shared_dict, proxy));
    kin_release(proxy);
    kin_manager_free(far);
    CHECK_OK(kin_shared_dict_get(inner, kin_str("n"), &n));
    CHECK_EQ(kin_as_int(n), 3);
    kin_manager_free(m);
    nothing_is_left();
}
