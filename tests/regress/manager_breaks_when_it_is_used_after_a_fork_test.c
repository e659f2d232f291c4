/* In Python a proxy that a fork has copied speaks over its parent's connection, so that answers go
 * to whoever reads first (gh-119937, gh-101320). Here each process and each thread has its own. */
#include "scene.h"

#define KEY .authkey = "our key", .authkey_size = 7

enum { CHILDREN = 4, TIMES = 100 };

static kin_manager *serving(void)
{
    kin_manager *m = NULL;
    CHECK_OK(kin_manager_new(&m, NULL));
    CHECK_OK(
        kin_manager_serve(m, "127.0.0.1:0", KIN_OPT(kin_serve_options, KEY, .allow_create = true)));
    return m;
}

static kin_manager *connected_to(const kin_manager *m)
{
    kin_manager *far = NULL;
    CHECK_OK(kin_manager_connect(&far, kin_manager_address(m), KIN_OPT(kin_connect_options, KEY)));
    return far;
}

static int count(void *ctx)
{
    kin_shared_dict *board = ctx;
    kin_obj text;
    for (int i = 0; i < TIMES; i++) {
        CHECK_OK(kin_shared_dict_add(board, kin_str("n"), kin_int(1), NULL));
        CHECK_OK(kin_shared_dict_get(board, kin_str("who"), &text));
        CHECK_STR(kin_as_str(text), "the parent's");
        kin_release(text);
    }
    return 0;
}

TEST_WITHIN(60, children_use_a_proxy_of_their_parent_at_the_same_time)
{
    kin_manager *m = serving(), *far = connected_to(m);
    kin_shared_dict *board = NULL;
    pid_t children[CHILDREN];
    kin_obj n;
    CHECK_OK(kin_manager_dict(far, &board, kin_dict(kin_str("who"), kin_str("the parent's"))));
    CHECK_OK(kin_shared_dict_set(board, kin_str("n"), kin_int(0)));
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = test_child(count, board);
    }
    CHECK_EQ(count(board), 0);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQ(test_join(children[i]), 0);
    }
    CHECK_OK(kin_shared_dict_get(board, kin_str("n"), &n));
    CHECK_EQ(kin_as_int(n), (CHILDREN + 1) * TIMES);
    kin_shared_dict_free(board);
    kin_manager_free(far);
    kin_manager_free(m);
    nothing_is_left();
}
