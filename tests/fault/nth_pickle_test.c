#include "harness.h"

#include <kin/pickle.h>

/* Every allocation fails once: KIN_ENOMEM, nothing handed out, what was given is gone. Leaks are
 * for the sanitizer. */

static kin_obj all_sorts(void)
{
    kin_obj shared = kin_str("shared");
    kin_obj keys = kin_dict();
    for (int i = 0; i < 40; i++) { /* an index, which may fail without anybody noticing */
        kin_setitem(&keys, kin_strf("key %d", i), kin_int(i));
    }
    char large[20000] = "";
    return kin_list(kin_retain(shared), shared, kin_bytes(large, sizeof large), keys,
                    kin_strn("\xff", 1), kin_bigint("\1\2\3\4\5\6\7\x88\x99", 9, true),
                    kin_exception("KeyError", kin_args(kin_int(1))), kin_error(KIN_EUSER, "e"),
                    kin_token("t", kin_str("a"), "i"), kin_range(0, 3000),
                    kin_set(kin_frozenset(kin_int(1))), kin_bytearray("a", 1));
}

typedef struct pickle {
    unsigned protocol;
    void *data;
    size_t size;
} pickle;

static int write_it(void *ctx)
{
    pickle *p = ctx;
    kin_dumps_options options = { .protocol = p->protocol };
    void *data = NULL;
    size_t size = 0;
    int rv = kin_dumps_with(all_sorts(), &options, &data, &size);
    CHECK_EQ(data != NULL, rv == 0);
    if (rv == 0) { /* also when it was an index for which there was no memory */
        free(p->data);
        p->data = data;
        p->size = size;
    }
    return rv;
}

static int read_it(void *ctx)
{
    const pickle *p = ctx;
    kin_obj o = kin_int(7);
    int rv = kin_loads(p->data, p->size, &o);
    CHECK_EQ(kin_type_of(o), rv == 0 ? KIN_TYPE_LIST : KIN_TYPE_INT);
    kin_release(o);
    return rv;
}

TEST(a_pickle_without_memory_fails_and_leaves_nothing)
{
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        pickle p = { .protocol = protocol };
        CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &p, .attempt = write_it), 60);
        CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &p, .attempt = read_it), 5);
        free(p.data);
    }
}

TEST(a_ring_without_memory_fails_and_leaves_nothing)
{
    static char ring[] = "](]q\0(]q\1h\0ah\1}q\2K\1h\0seh\0]q\3h\3a0e.";
    pickle p = { .data = ring, .size = sizeof ring - 1 };
    kin_obj o;
    CHECK_OK(kin_loads(p.data, p.size, &o));
    kin_release(o);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &p, .attempt = read_it), 1);
}

static int make_them(void *ctx)
{
    (void)ctx;
    kin_obj all[] = { kin_exception("OSError", kin_args(kin_int(2), kin_str("x"))),
                      kin_proxy(kin_token("t", kin_str("a"), "i"), "C", kin_tuple(kin_str("m"))),
                      kin_slice(kin_none(), kin_none(), kin_str("s")), kin_frozenset(kin_int(1)),
                      kin_bytearray("a", 1) };
    int rv = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int code = kin_type_of(all[i]) == KIN_TYPE_INVALID ? kin_error_code(all[i]) : 0;
        rv = rv < 0 ? rv : code;
        kin_release(all[i]);
    }
    return rv;
}

TEST(constructors_without_memory_yield_the_invalid_object)
{
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_them), 15);
}
