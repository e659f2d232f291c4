/* list.h - for the tests of shared lists. */
#ifndef TEST_LIST_H
#define TEST_LIST_H

#include "harness.h"
#include <kin.h>

static inline uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static inline kin_shared_list *new_list(kin_obj items)
{
    kin_shared_list *list = NULL;
    CHECK_OK(kin_shared_list_new(&list, KIN_OPT(kin_shared_list_options, .items = items)));
    return list;
}

/* All of it, as repr shows it. */
#define CHECK_LIST(list, text) check_list(list, text, __LINE__)
static inline void check_list(kin_shared_list *list, const char *text, int line)
{
    kin_obj all;
    CHECK_OK(kin_shared_list_copy(list, &all));
    CHECK_EQ(kin_shared_list_len(list), kin_len(all));
    char *seen = kin_repr(all);
    CHECK_(strcmp(seen, text) == 0, "line %d: %s, not %s", line, seen, text);
    free(seen);
    kin_release(all);
}

static inline int64_t int_at(kin_shared_list *list, int64_t index)
{
    kin_obj o;
    CHECK_OK(kin_shared_list_get(list, index, &o));
    int64_t i = kin_as_int(o);
    kin_release(o);
    return i;
}

#endif
