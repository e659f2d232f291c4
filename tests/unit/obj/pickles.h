/* pickles.h - what the tests of kin_loads share. */
#ifndef KIN_TEST_PICKLES_H
#define KIN_TEST_PICKLES_H

#include "harness.h"

#include <kin/obj.h>
#include <kin/pickle.h>

static inline void check_named_repr(kin_obj o, const char *wanted, const char *name)
{
    char *text = kin_repr(o);
    CHECK_NOT_NULL(text);
    CHECK_(strcmp(text, wanted) == 0, "%s is %s and not %s", name, text, wanted);
    free(text);
}

static inline void survives(kin_obj o, unsigned protocol, const char *wanted, const char *name)
{
    void *data;
    size_t size;
    kin_obj again;
    bool same = kin_equal(o, o);
    CHECK_OK(kin_dumps_with(kin_retain(o), KIN_OPT(kin_dumps_options, .protocol = protocol), &data,
                            &size));
    CHECK_OK(kin_loads(data, size, &again));
    check_named_repr(again, wanted, name);
    CHECK_(!same || strstr(wanted, "...") || kin_equal(o, again), "%s has changed", name);
    kin_release(again);
    free(data);
}

/* A pickle in C's escapes. */
#define LOAD(pickle, ret) kin_loads(pickle, sizeof(pickle) - 1, ret)

#define CHECK_LOADS(pickle, wanted)                                                                \
    do {                                                                                           \
        kin_obj loaded;                                                                            \
        CHECK_OK(LOAD(pickle, &loaded));                                                           \
        check_named_repr(loaded, wanted, #pickle);                                                 \
        kin_release(loaded);                                                                       \
    } while (0)

#define CHECK_REFUSED(pickle, code, why)                                                           \
    do {                                                                                           \
        kin_obj loaded = kin_int(7);                                                               \
        CHECK_ERROR(LOAD(pickle, &loaded), code);                                                  \
        CHECK_CONTAINS(kin_errmsg(), why);                                                         \
        CHECK_EQ(kin_as_int(loaded), 7);                                                           \
    } while (0)

static inline int load_with(const void *data, size_t size, kin_loads_options options)
{
    kin_obj o;
    int rv = kin_loads_with(data, size, &options, &o);
    if (rv == 0) {
        kin_release(o);
    }
    return rv;
}

/* `n` times the same bytes, between others. */
static inline int load_many(const char *begin, const char *again, size_t n, const char *last)
{
    size_t sizes[] = { strlen(begin), strlen(again), strlen(last) };
    size_t size = sizes[0] + sizes[1] * n + sizes[2];
    char *data = malloc(size);
    char *at = mempcpy(data, begin, sizes[0]);
    for (size_t i = 0; i < n; i++) {
        at = mempcpy(at, again, sizes[1]);
    }
    memcpy(at, last, sizes[2]);
    int rv = load_with(data, size, (kin_loads_options){ 0 });
    free(data);
    return rv;
}

/* The pickle of an object in hex. */
static inline void check_dump(kin_obj o, unsigned protocol, const char *wanted)
{
    void *data;
    size_t size;
    char hex[400] = "";
    CHECK_OK(kin_dumps_with(o, KIN_OPT(kin_dumps_options, .protocol = protocol), &data, &size));
    CHECK_LT(size, sizeof hex / 2);
    for (size_t i = 0; i < size; i++) {
        sprintf(hex + i * 2, "%02x", ((uint8_t *)data)[i]);
    }
    CHECK_STR(hex, wanted);
    free(data);
}

#endif
