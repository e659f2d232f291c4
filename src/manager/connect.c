/* connect.c - a manager that is elsewhere: connecting to it, and what it is asked for. */
#include "proxy.h"

/* ---- what manager.c asks for ----------------------------------------------------------------- */

int kin__far_make(kin__link *link, const kin__kind *kind, kin_obj args, kin_obj names, void **ret)
{
    kin__proxy *proxy;
    int rv = kin__proxy_create(link, kind->type_id, args, names, &proxy);
    if (rv == KIN_ENOTFOUND) {
        return kin__fail(KIN_EUNSUPPORTED, "the manager makes no %s for its clients",
                         kind->type_id);
    }
    if (rv == 0) {
        kin__proxy_keep(proxy);
        *ret = proxy;
    }
    return rv;
}

static int ask_for_int(kin__link *link, const char *method, int64_t *ret)
{
    kin_obj result;
    kin__request request = { .method = method, .args = kin_tuple() };
    int rv = kin__link_ask(link, &request, &result);
    if (rv == 0) {
        rv = ret != NULL ? kin_to_int(result, ret) : 0;
        kin_release(result);
    }
    return rv;
}

int64_t kin__far_count(kin__link *link)
{
    int64_t n;
    int rv = ask_for_int(link, "number_of_objects", &n);
    return rv < 0 ? rv : n;
}

void kin__far_end(kin__link *link)
{
    kin__batch_abandon(link);
    kin__proxies_free(link);
    kin__link_close(link);
    kin__link_drop(link);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

int kin_manager_connect(kin_manager **ret_manager, const char *address,
                        const kin_connect_options *options)
{
    kin__link *link = NULL;
    if (ret_manager == NULL || address == NULL) {
        return kin__fail(KIN_EINVAL, "kin_manager_connect: the %s is NULL",
                         address == NULL ? "address" : "place for the manager");
    }
    if (options == NULL || options->authkey == NULL) {
        return kin__fail(KIN_EINVAL, "kin_manager_connect: a manager has a key, and the options "
                                     "name none (.authkey)");
    }
    int rv = kin__link_open(&link, address, options);
    if (rv < 0) {
        return rv;
    }
    kin__remote_begin();
    rv = kin__manager_new(ret_manager, link);
    if (rv < 0) {
        kin__far_end(link);
    }
    return rv;
}

/* The link of a manager elsewhere. */
static int find_link(const kin_manager *manager, const char *verb, kin__link **ret)
{
    if (manager == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the manager is NULL", verb);
    }
    if (manager->link == NULL) {
        return kin__fail(KIN_ESTATE,
                         "%s: the manager is this process's own: use its things as "
                         "they are",
                         verb);
    }
    *ret = manager->link;
    return 0;
}

int kin_manager_call(kin_manager *manager, const char *name, kin_obj args, kin_obj *ret_result)
{
    static const char verb[] = "kin_manager_call";
    kin__link *link = NULL;
    kin_obj result;
    int rv = find_link(manager, verb, &link);
    if (rv == 0 && name == NULL) {
        rv = kin__fail(KIN_EINVAL, "%s: the name is NULL", verb);
    }
    if (rv < 0) {
        kin__obj_drop(args);
        return rv;
    }
    rv = kin__proxy_call_name(link, name, args, &result);
    if (rv == 0 && ret_result != NULL) {
        *ret_result = result;
    } else if (rv == 0) {
        kin_release(result);
    }
    return rv;
}

int kin_manager_shutdown(kin_manager *manager)
{
    kin__link *link = NULL;
    int rv = find_link(manager, "kin_manager_shutdown", &link);
    rv = rv < 0 ? rv : ask_for_int(link, "shutdown", NULL);
    return rv == KIN_EEOF ? 0 : rv; /* it was faster to end than to answer */
}

int kin_manager_begin_batch(kin_manager *manager)
{
    kin__link *link = NULL;
    int rv = find_link(manager, "kin_manager_begin_batch", &link);
    return rv < 0 ? rv : kin__batch_begin(link);
}

int64_t kin_manager_end_batch(kin_manager *manager)
{
    kin__link *link = NULL;
    int rv = find_link(manager, "kin_manager_end_batch", &link);
    return rv < 0 ? rv : kin__batch_end(link);
}
