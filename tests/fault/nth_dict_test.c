/* Shared dicts when memory is out: they are as they were, and nothing is left of what was tried. */
#include "domain/room.h"
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

#define TEXT "a text that takes a block of its own"

struct scene {
    kin_shared_dict *dict;
    int before;
    uint64_t blocks;
    kin_obj items;
};

static uint64_t count_blocks(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static void set_up(void *ctx)
{
    struct scene *s = ctx;
    kin_shared_dict_free(s->dict);
    kin_release(s->items);
    CHECK_OK(kin_shared_dict_new(&s->dict, NULL));
    for (int i = 0; i < s->before; i++) {
        CHECK_OK(kin_shared_dict_set(s->dict, kin_int(i), kin_str(TEXT)));
    }
    CHECK_OK(kin_shared_dict_items(s->dict, &s->items));
    s->blocks = count_blocks();
}

static void it_is_as_it_was(void *ctx, int error)
{
    struct scene *s = ctx;
    kin_obj now;
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_EQ(count_blocks(), s->blocks);
    CHECK_OK(kin_shared_dict_items(s->dict, &now));
    CHECK(kin_equal(now, s->items));
    kin_release(now);
}

static int attempt(struct scene *s, int (*try_it)(void *ctx))
{
    int failed = fault_loop(KIN__FAULT_MEMORY, s, .setup = set_up, .attempt = try_it,
                            .check = it_is_as_it_was);
    kin_shared_dict_free(s->dict);
    kin_release(s->items);
    s->dict = NULL;
    s->items = kin_none();
    return failed;
}

static int set_new(void *ctx)
{
    const struct scene *s = ctx;
    return kin_shared_dict_set(s->dict, kin_str("a key that is new"), kin_str(TEXT));
}

static int set_old(void *ctx)
{
    const struct scene *s = ctx;
    return kin_shared_dict_set(s->dict, kin_int(1), kin_str(TEXT TEXT));
}

static int add_old(void *ctx)
{
    const struct scene *s = ctx;
    kin_obj o = kin_none();
    int rv = kin_shared_dict_add(s->dict, kin_int(1), kin_str(TEXT), &o);
    kin_release(o);
    return rv;
}

static int set_default(void *ctx)
{
    const struct scene *s = ctx;
    kin_obj o = kin_none();
    int rv = kin_shared_dict_setdefault(s->dict, kin_str("new"), kin_list(kin_int(1)), &o);
    kin_release(o);
    return rv < 0 ? rv : 0;
}

static int take_all_ways(void *ctx)
{
    const struct scene *s = ctx;
    kin_obj o = kin_none();
    int rv = kin_shared_dict_get(s->dict, kin_int(1), &o);
    kin_release(o);
    o = kin_none();
    rv = rv < 0 ? rv : kin_shared_dict_copy(s->dict, &o);
    kin_release(o);
    o = kin_none();
    rv = rv < 0 ? rv : kin_shared_dict_pop(s->dict, kin_int(1), &o);
    kin_release(o);
    return rv;
}

TEST_WITHIN(120, a_dict_without_memory_is_as_it_was)
{
    struct scene s = { .items = kin_none() };
    CHECK_GE(attempt(&s, set_new), 4); /* and the first segment */
    s.before = 28;
    CHECK_GE(attempt(&s, set_new), 4); /* and a larger one */
    s.before = 64;
    CHECK_GE(attempt(&s, set_new), 4); /* and nodes of the order */
    CHECK_GE(attempt(&s, set_old), 2);
    CHECK_GE(attempt(&s, add_old), 3);
    CHECK_GE(attempt(&s, set_default), 3);
    CHECK_GE(attempt(&s, take_all_ways), 3);
}

static int make_with_items(void *ctx)
{
    kin_shared_dict *d = NULL;
    (void)ctx;
    int rv = kin_shared_dict_new(
        &d, KIN_OPT(kin_shared_dict_options,
                    .items = kin_dict(kin_int(1), kin_str(TEXT), kin_str("b"), kin_list())));
    CHECK((d != NULL) == (rv == 0));
    kin_shared_dict_free(d);
    return rv;
}

static void nothing_is_left(void *ctx, int error)
{
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_EQ(count_blocks(), *(uint64_t *)ctx);
}

TEST(a_dict_without_memory_is_not_half_made)
{
    kin__self();
    uint64_t blocks = count_blocks();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &blocks, .attempt = make_with_items,
                        .check = nothing_is_left),
             6);
}
