/* A task with arguments that have names: some have a default, and some it does not know.
 *
 * Python: def timeline(id, count=200, page=1, **keys): …
 *         pool.apply_async(timeline, kwds=dict(id=mid, page=i))
 */
#include <kin.h>
#include <stdio.h>

#define PAGES 3

static int64_t named_or(kin_obj args, const char *name, int64_t otherwise)
{
    kin_obj value = kin_kwarg(args, name);
    return kin_is_error(value) ? otherwise : kin_as_int(value);
}

/* The address of a page. `keys` are for the service alone, and go into it as they are. */
static kin_obj timeline(kin_obj args)
{
    kin_obj id = kin_kwarg(args, "id");
    if (kin_is_error(id)) {
        return kin_error(KIN_EUSER, "timeline needs an id");
    }
    char address[200];
    int size = snprintf(address, sizeof address, "/timeline?id=%lld&count=%lld&page=%lld",
                        (long long)kin_as_int(id), (long long)named_or(args, "count", 200),
                        (long long)named_or(args, "page", 1));
    kin_obj key, value, keys = kin_kwarg(args, "keys");
    for (size_t pos = 0; kin_next_item(keys, &pos, &key, &value);) {
        size += snprintf(address + size, sizeof address - (size_t)size, "&%s=%s", kin_as_str(key),
                         kin_as_str(value));
    }
    return kin_strn(address, (size_t)size);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));

    kin_future *futures[PAGES];
    for (int page = 1; page <= PAGES; page++) {
        kin_obj names =
            kin_dict(kin_str("id"), kin_int(3664072912104801), kin_str("page"), kin_int(page),
                     kin_str("keys"), kin_dict(kin_str("token"), kin_strf("t%d", page)));
        KIN_CHECK(kin_pool_submit(pool, timeline, kin_args_kw(kin_args(), names), NULL,
                                  &futures[page - 1]));
    }
    for (int i = 0; i < PAGES; i++) {
        kin_obj address;
        KIN_CHECK(kin_future_get(futures[i], &address, KIN_FOREVER));
        kin_print(address);
        kin_release(address);
        kin_future_free(futures[i]);
    }

    int rv = kin_pool_apply(pool, timeline, kin_args(), NULL);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    return 0;
}
