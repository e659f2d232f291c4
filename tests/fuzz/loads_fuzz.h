/* loads_fuzz.h - what is done with the bytes: by the fuzzer, and by the test that replays its
 * corpus. */
#ifndef KIN_LOADS_FUZZ_H
#define KIN_LOADS_FUZZ_H

#include <kin/obj.h>
#include <kin/pickle.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program, so that the fuzzer keeps the input. */
static inline void fuzz_must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s (%s)\n", what, kin_errmsg());
        abort();
    }
}

/* How many objects one meets in it: what refers to itself, or to one thing again and again, has
 * more than can be looked at. `*nan` when one of them differs from itself. */
static inline void fuzz_count(kin_obj o, int depth, int *left, bool *nan)
{
    kin_obj key;
    kin_obj value;
    *left -= depth > 100 ? *left : 1;
    *nan = *nan || (kin_type_of(o) == KIN_TYPE_FLOAT && isnan(kin_as_float(o)));
    if (kin_type_of(o) == KIN_TYPE_ERROR && kin_error_type(o)[0] != '\0') {
        fuzz_count(kin_error_args(o), depth + 1, left, nan);
    }
    bool row = kin_type_of(o) == KIN_TYPE_LIST || kin_type_of(o) == KIN_TYPE_TUPLE;
    for (size_t i = 0; row && i < kin_len(o) && *left > 0; i++) {
        fuzz_count(kin_at(o, i), depth + 1, left, nan);
    }
    bool table = kin_type_of(o) == KIN_TYPE_DICT || kin_type_of(o) == KIN_TYPE_SET;
    for (size_t pos = 0; table && *left > 0 && kin_next_item(o, &pos, &key, &value);) {
        fuzz_count(key, depth + 1, left, nan);
        fuzz_count(value, depth + 1, left, nan);
    }
}

static inline void fuzz_compare(kin_obj o, kin_obj again)
{
    int left = 3000;
    bool nan = false;
    fuzz_count(o, 0, &left, &nan);
    if (left <= 0) {
        return;
    }
    char *one = kin_repr(o);
    char *other = kin_repr(again);
    fuzz_must(strcmp(one, other) == 0, "it was written and read, and looks different");
    free(one);
    free(other);
    fuzz_must(nan || kin_equal(o, again), "it was written and read, and is another");
    fuzz_must(kin_hash(o) == kin_hash(again), "it was written and read, and has another hash");
}

/* What was read can be written, and read again. (A ring may be deeper when it is written: where
 * that begins is another place.) */
static inline void fuzz_write(kin_obj o, unsigned protocol)
{
    void *data;
    size_t size;
    kin_obj again;
    kin_loads_options options = { .max_memory = SIZE_MAX / 2, .max_depth = 1000000 };
    int rv =
        kin_dumps_with(kin_retain(o), &(kin_dumps_options){ .protocol = protocol }, &data, &size);
    fuzz_must(rv == 0 || rv == KIN_ERANGE, "it was read, but cannot be written");
    if (rv < 0) {
        return;
    }
    rv = kin_loads_with(data, size, &options, &again);
    fuzz_must(rv == 0 || rv == KIN_ERANGE, "it was written, but cannot be read");
    if (rv == 0) {
        fuzz_compare(o, again);
        kin_release(again);
    }
    free(data);
}

/* The object, if it is one: to be released. */
static inline bool fuzz_read(const uint8_t *data, size_t size, kin_obj *ret)
{
    *ret = (kin_obj){ 0 };
    int rv = kin_loads(data, size, ret);
    bool made = kin_type_of(*ret) != KIN_TYPE_INVALID;
    fuzz_must(made == (rv == 0) && (made || kin_errmsg()[0] != '\0'), "neither made nor refused");
    return made;
}

#endif
