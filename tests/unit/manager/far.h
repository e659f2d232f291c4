/* far.h - a manager of this process, and another one that is connected to it. */
#ifndef KIN_TEST_MANAGER_FAR_H
#define KIN_TEST_MANAGER_FAR_H

#include "unit/manager/raw.h"

UNUSED static kin_manager *connect_with(const kin_manager *here, kin_connect_options options)
{
    kin_manager *far = NULL;
    options.authkey = SECRET;
    options.authkey_size = strlen(SECRET);
    CHECK_OK(kin_manager_connect(&far, kin_manager_address(here), &options));
    return far;
}

UNUSED static kin_manager *connect_to(const kin_manager *here)
{
    return connect_with(here, (kin_connect_options){ 0 });
}

/* A manager that serves, with a dict in it. */
UNUSED static kin_manager *with_dict(kin_shared_dict **ret)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_dict(m, ret, kin_none()));
    CHECK_OK(kin_manager_register(m, "dict", kin_shared(*ret)));
    serve(m);
    return m;
}

/* What is registered there under a name. */
UNUSED static kin_obj call_for(kin_manager *far, const char *name)
{
    kin_obj o;
    CHECK_OK(kin_manager_call(far, name, kin_args(), &o));
    return o;
}

/* A method of a proxy, and what comes of it, as Python writes it; an error by its name. */
UNUSED static const char *answer_of(const void *proxy, const char *method, kin_obj args)
{
    static char text[1000];
    kin_obj o;
    int rv = kin_proxy_call(proxy, method, args, &o);
    if (rv < 0) {
        (void)snprintf(text, sizeof text, "%s", kin_errname(rv));
        return text;
    }
    char *repr = kin_repr(o);
    (void)snprintf(text, sizeof text, "%s", repr);
    free(repr);
    kin_release(o);
    return text;
}

#endif
