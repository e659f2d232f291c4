#include "harness.h"

#include "obj/room.h"
#include <kin/domain.h>
#include <stdlib.h>

/* Every allocation of this room fails once: constructors yield the invalid object, verbs
 * KIN_ENOMEM, what was given is gone and what was there stays as it was. Leaks are for the
 * sanitizer. */

static kin_obj big(void)
{
    return kin_bigint("\1\2\3\4\5\6\7\x88\x99", 9, true);
}

static int released(kin_obj o)
{
    int code = kin_error_code(o);
    if (code == 0) {
        kin_release(o);
        return 0;
    }
    return kin__obj_check(o, "test"); /* the sentence of whoever gets it */
}

static int make_nested(void *ctx)
{
    (void)ctx;
    return released(
        kin_list(kin_str("a"), kin_strf("%d", 1), kin_bytes("b", 1), big(), kin_range(0, 10),
                 kin_dict(kin_str("k"), kin_tuple(kin_str("v")), kin_int(1), kin_set(kin_str("m"))),
                 kin_args_kw(kin_args(kin_str("x")), kin_dict(kin_str("n"), kin_list()))));
}

static int make_error(void *ctx)
{
    (void)ctx;
    kin_obj o = kin_error(KIN_EUSER, "text");
    if (kin_error_code(o) == KIN_EUSER) {
        kin_release(o);
        return 0;
    }
    return kin_error_code(o);
}

TEST(constructors_yield_the_invalid_object)
{
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_nested), 17);
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_error), 2);
}

/* ---- verbs ------------------------------------------------------------------------- */

static int append_one(void *ctx)
{
    kin_obj *list = ctx;
    size_t before = kin_len(*list);
    int rv = kin_append(list, kin_str("one more"));
    CHECK_EQ(kin_len(*list), before + (rv == 0));
    return rv;
}

static int add_member(void *ctx)
{
    kin_obj *set = ctx;
    size_t before = kin_len(*set);
    int rv = kin_append(set, kin_strf("member %zu", before));
    CHECK_EQ(kin_len(*set), before + (rv == 0));
    return rv;
}

static int set_one(void *ctx)
{
    kin_obj *dict = ctx;
    size_t before = kin_len(*dict);
    int rv = kin_setitem(dict, kin_strf("key %zu", before), kin_str("one more"));
    CHECK_EQ(kin_len(*dict), before + (rv == 0));
    return rv;
}

TEST(append_and_setitem_leave_what_was_there)
{
    kin_obj list = kin_list(), dict = kin_dict(), set = kin_set();
    for (int i = 0; i < 40; i++) {
        fault_loop(KIN__FAULT_MEMORY, &list, .attempt = append_one);
        fault_loop(KIN__FAULT_MEMORY, &dict, .attempt = set_one);
        fault_loop(KIN__FAULT_MEMORY, &set, .attempt = add_member);
    }
    CHECK_GE(kin_len(set), 40); /* more: an index that failed is no failure */
    for (size_t i = 0; i < kin_len(dict); i++) {
        CHECK_STR(kin_as_str(kin_lookup(dict, kin_strf("key %zu", i))), "one more");
    }
    kin_release(list);
    kin_release(dict);
    kin_release(set);
}

static int look_up(void *ctx)
{
    kin_obj *dict = ctx;
    kin_obj found = kin_lookup(*dict, kin_int(15));
    CHECK_EQ(kin_as_int(found), 15);
    kin_obj missing = kin_lookup(*dict, kin_str("none"));
    return kin_error_code(missing) == KIN_ENOTFOUND ? 0 : kin_error_code(missing);
}

TEST(lookup_goes_without_an_index_when_there_is_no_memory)
{
    kin_obj dict = kin_dict();
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_setitem(&dict, kin_int(i), kin_int(i)));
    }
    fault_loop(KIN__FAULT_MEMORY, &dict, .attempt = look_up);
    kin_release(dict);
}

static kin_obj first(kin_obj args)
{
    return kin_arg(args, 0);
}

static int call(void *ctx)
{
    (void)ctx;
    kin_obj result;
    int rv = kin_call(first, kin_args(kin_str("x")), &result);
    if (rv == 0) {
        kin_release(result);
    }
    return rv;
}

TEST(a_call_without_memory_for_its_arguments_fails)
{
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = call), 2);
}

/* ---- walks: deep enough to need memory --------------------------------------------- */

static kin_obj deep(void)
{
    kin_obj o = kin_tuple(big());
    for (int i = 0; i < 60; i++) {
        o = kin_tuple(o);
    }
    return o;
}

static int show(void *ctx)
{
    kin_obj *o = ctx;
    char *text = kin_repr(*o);
    free(text);
    return text == NULL ? KIN_ENOMEM : 0;
}

static int hash(void *ctx)
{
    kin_obj *o = ctx;
    return kin_hash(*o) == -1 ? KIN_ENOMEM : 0;
}

static int compare(void *ctx)
{
    kin_obj *o = ctx;
    return kin_equal(o[0], o[1]) ? 0 : KIN_ENOMEM;
}

static int copy(void *ctx)
{
    kin_obj *o = ctx, back;
    size_t size = 0;
    int rv = kin__flat_size(*o, &size);
    if (rv < 0) {
        return rv;
    }
    void *at = malloc(size);
    rv = kin__flat_write(*o, at, size);
    rv = rv < 0 ? rv : kin__flat_read(at, size, &back);
    free(at);
    if (rv == 0) {
        kin_release(back);
    }
    return rv;
}

TEST(repr_hash_equal_and_copies_fail_cleanly)
{
    kin_obj o[2] = { deep(), deep() };
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, o, .attempt = show), 4);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, o, .attempt = hash), 2);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, o, .attempt = compare), 2);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, o, .attempt = copy), 5);
    kin_release(o[0]);
    kin_release(o[1]);
}

TEST(what_is_shared_is_copied_or_not)
{
    kin_obj o = kin_list();
    for (int i = 0; i < 100; i++) {
        kin_obj inner = kin_list(kin_int(i));
        CHECK_OK(kin_append(&o, kin_tuple(kin_retain(inner), inner)));
    }
    /* Two memos grow twice each, and there is the bundle. */
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, &o, .attempt = copy), 5);
    kin_release(o);
}

static int copy_leaf(void *ctx)
{
    (void)ctx;
    kin_obj o = kin_str("x");
    int rv = kin_error_code(o);
    rv = rv < 0 ? rv : copy(&o);
    kin_release(o);
    return rv;
}

TEST(a_leaf_is_copied_or_not)
{
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = copy_leaf), 2);
}

static int make_buffer(void *ctx)
{
    (void)ctx;
    void *memory = kin_alloc(100);
    if (memory == NULL) {
        return KIN_ENOMEM;
    }
    return released(kin_buffer(memory, 100));
}

TEST(a_buffer_without_memory_for_its_object_is_freed)
{
    kin_usage_info before, after;
    CHECK_OK(kin_usage(&before));
    fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_buffer);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
}
