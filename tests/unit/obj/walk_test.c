#include "harness.h"

#include "obj/node.h"

TEST(a_walk_goes_deep_and_comes_back)
{
    kin_obj list = kin_list();
    walk path;
    kin__walk_begin(&path);
    CHECK_NULL(walk_top(&path));
    box *boxes[1000];
    for (size_t i = 0; i < 1000; i++) {
        boxes[i] = list.as.p;
        CHECK_EQ(kin__walk_push(&path, list.as.p), 0);
        walk_top(&path)->at = i;
        list = kin_list(list);
    }
    for (size_t i = 1000; i-- > 0;) {
        CHECK_PTR(walk_top(&path)->box, boxes[i]);
        CHECK_EQ(walk_top(&path)->at, i);
        path.depth--;
    }
    kin__walk_end(&path);
    kin_release(list);
}

TEST(a_walk_empties_buffers_and_keeps_the_rest)
{
    void *memory = kin_alloc(10);
    kin_obj buffer = kin_buffer(memory, 10);
    kin_obj list = kin_list(kin_int(1), kin_dict(kin_str("x"), kin_retain(buffer)));
    kin__walk_buffers(list);
    CHECK_NULL(kin_take_buffer(buffer, NULL));
    CHECK_EQ(kin_len(buffer), 10);
    CHECK_EQ(kin_len(kin_at(list, 1)), 1);
    kin_release(list);
    kin_release(buffer);
    kin_free(memory);
}

static int count(kin_obj o, void *ctx)
{
    (void)o;
    ++*(int *)ctx;
    return 0;
}

TEST(each_node_is_visited_once)
{
    kin_obj x = kin_list(kin_str("leaf"), kin_int(1));
    for (int i = 0; i < 60; i++) {
        x = kin_list(kin_retain(x), x);
    }
    int n = 0;
    CHECK_OK(kin__walk_nodes(x, count, &n));
    CHECK_EQ(n, 62);
    kin_release(x);
    kin_obj ring = kin_list(kin_none());
    CHECK_OK(kin_setitem(&ring, kin_int(0), kin_tuple(kin_retain(ring))));
    n = 0;
    CHECK_OK(kin__walk_nodes(ring, count, &n));
    CHECK_EQ(n, 2);
    CHECK_OK(kin_setitem(&ring, kin_int(0), kin_none()));
    kin_release(ring);
    n = 0;
    CHECK_OK(kin__walk_nodes(kin_int(5), count, &n));
    CHECK_EQ(n, 0);
}

TEST(a_walk_knows_what_it_is_in)
{
    kin_obj a = kin_list();
    kin_obj b = kin_list(kin_retain(a));
    walk path;
    kin__walk_begin(&path);
    CHECK_EQ(kin__walk_push(&path, a.as.p), 0);
    CHECK_EQ(kin__walk_push(&path, b.as.p), 0);
    CHECK_EQ(kin__walk_push(&path, a.as.p), ON_PATH);
    CHECK_EQ(path.depth, 2);
    path.depth = 1;
    CHECK_EQ(kin__walk_push(&path, b.as.p), 0);
    kin__walk_end(&path);
    kin_release(a);
    kin_release(b);
}
