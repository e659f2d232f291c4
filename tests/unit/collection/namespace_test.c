/* kin_shared_namespace */
#include "harness.h"
#include <kin/collection.h>

TEST(attributes_are_set_and_got_by_name)
{
    kin_shared_namespace *n = NULL;
    kin_obj o = kin_none();
    CHECK_OK(kin_shared_namespace_new(
        &n, KIN_OPT(kin_shared_namespace_options, .items = kin_dict(kin_str("a"), kin_int(1)))));
    CHECK_OK(kin_shared_namespace_set(n, "b", kin_str("text")));
    CHECK_OK(kin_shared_namespace_get(n, "a", &o));
    CHECK_EQ(kin_as_int(o), 1);
    CHECK_OK(kin_shared_namespace_copy(n, &o));
    char *text = kin_repr(o);
    CHECK_STR(text, "{'a': 1, 'b': 'text'}");
    free(text);
    kin_release(o);
    CHECK_OK(kin_shared_namespace_del(n, "a"));
    CHECK_ERROR(kin_shared_namespace_del(n, "a"), KIN_ENOTFOUND);
    CHECK_ERROR(kin_shared_namespace_get(n, "a", &o), KIN_ENOTFOUND);
    CHECK_ERROR(kin_shared_namespace_get(n, NULL, &o), KIN_EINVAL);
    kin_shared_namespace_free(n);
}

TEST(names_are_strs)
{
    kin_shared_namespace *n = NULL;
    CHECK_ERROR(kin_shared_namespace_new(&n, KIN_OPT(kin_shared_namespace_options,
                                                     .items = kin_dict(kin_int(1), kin_int(1)))),
                KIN_ETYPE);
    CHECK_ERROR(
        kin_shared_namespace_new(&n, KIN_OPT(kin_shared_namespace_options, .items = kin_int(1))),
        KIN_ETYPE);
    CHECK(n == NULL);
}
