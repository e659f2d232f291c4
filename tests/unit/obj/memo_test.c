#include "harness.h"

#include "obj/node.h"

TEST(nodes_are_found_with_their_numbers)
{
    enum { N = 5000 };
    static node nodes[N];
    memo_table m;
    memo_begin(&m);
    CHECK_NULL(kin__memo_find(&m, &nodes[0]));
    for (size_t i = 0; i < N; i += 2) {
        CHECK_OK(kin__memo_add(&m, &nodes[i], i));
        CHECK_NULL(kin__memo_find(&m, &nodes[i + 1]));
    }
    for (size_t i = 0; i < N; i++) {
        const memo_cell *c = kin__memo_find(&m, &nodes[i]);
        CHECK_EQ(c != NULL, i % 2 == 0);
        CHECK_EQ(c == NULL ? i : c->number, i);
    }
    CHECK_EQ(m.used, N / 2);
    memo_end(&m);
}

TEST(a_few_take_no_memory)
{
    node nodes[MEMO_FIRST / 2];
    memo_table m;
    memo_begin(&m);
    for (size_t i = 0; i < MEMO_FIRST / 2; i++) {
        CHECK_OK(kin__memo_add(&m, &nodes[i], i));
    }
    CHECK_PTR(m.cells, m.first);
    memo_end(&m);
}
