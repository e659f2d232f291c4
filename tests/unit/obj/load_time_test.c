/* What a hostile pickle fetches from its memo again and again, a few bytes for each time, must not
 * be looked through each time. Where it is, a test here needs minutes to hours, and ends by its
 * time limit. */
#include "unit/obj/pickles.h"

/* ---- long pickles ---------------------------------------------------------------------------- */

typedef struct text {
    char *data;
    size_t size;
} text;

static text begin(size_t room)
{
    text t = { .data = malloc(room) };
    CHECK_NOT_NULL(t.data);
    return t;
}

static void put(text *t, const void *bytes, size_t size)
{
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
}
#define PUT(t, literal) put(t, literal, sizeof(literal) - 1)

/* An opcode, a length of four bytes, and as many bytes. */
static void put_large(text *t, char opcode, uint32_t size, char byte)
{
    put(t, &opcode, 1);
    put(t, &size, sizeof size);
    memset(t->data + t->size, byte, size);
    t->size += size;
}

static int load(text *t, kin_obj *ret)
{
    int rv = kin_loads(t->data, t->size, ret);
    free(t->data);
    return rv;
}

/* ---- the texts of exceptions ----------------------------------------------------------------- */

enum { MANY = 20000, LARGE = 32 << 20 };

TEST(a_large_int_in_an_exception_is_told_by_its_size)
{
    kin_obj o;
    text t = begin((1 << 20) + MANY * 8);
    PUT(&t, "cbuiltins\nValueError\nqa");
    put_large(&t, '\x8b', 1 << 20, '\x7f');
    PUT(&t, "\x85qbR");
    for (int i = 0; i < MANY; i++) {
        PUT(&t, "hahbR0");
    }
    PUT(&t, ".");
    CHECK_OK(load(&t, &o));
    CHECK_STR(kin_error_text(o), "<int of 8388607 bits>");
    kin_release(o);
}

TEST(a_large_text_in_an_exception_is_looked_at_as_far_as_it_is_shown)
{
    kin_obj o;
    text t = begin(LARGE + MANY * 8);
    PUT(&t, "cbuiltins\nKeyError\nqa");
    put_large(&t, 'X', LARGE, 'x');
    PUT(&t, "\x85qbR");
    for (int i = 0; i < MANY; i++) {
        PUT(&t, "hahbR0");
    }
    PUT(&t, ".");
    CHECK_OK(load(&t, &o));
    CHECK_EQ(strspn(kin_error_text(o) + 1, "x"), strlen(kin_error_text(o)) - strlen("'..."));
    kin_release(o);
}

TEST(a_deep_object_in_an_exception_is_shown_as_deep_as_anybody_reads)
{
    kin_obj deep = kin_int(1);
    for (int i = 0; i < 5000; i++) {
        deep = kin_list(deep);
    }
    kin_obj o = kin_exception("KeyError", kin_args(deep));
    CHECK_EQ(strspn(kin_error_text(o), "["), 100);
    CHECK_STR(kin_error_text(o) + 100, "...");
    kin_release(o);
}

TEST(an_int_that_can_be_shown_is_shown)
{
    uint8_t bytes[513];
    memset(bytes, 0xff, sizeof bytes);
    for (size_t size = 511; size <= 513; size++) {
        kin_obj o = kin_exception("ValueError", kin_args(kin_bigint(bytes, size, true)));
        const char *seen = kin_error_text(o);
        if (size > 512) {
            CHECK_STR(seen, "<int of 4104 bits>");
        } else {
            CHECK_GT(strlen(seen), 990);
            CHECK_EQ(strspn(seen, "-0123456789"), strlen(seen) - strlen("..."));
        }
        kin_release(o);
    }
}

/* ---- proxies and tokens ---------------------------------------------------------------------- */

#define OF_MANAGERS "cmultiprocessing.managers\n"

TEST(what_many_proxies_expose_is_not_looked_through_for_each)
{
    enum { NAMES = 2000000 };
    kin_obj o;
    text t = begin(NAMES * 2 + MANY * 16 + 400);
    PUT(&t, OF_MANAGERS "RebuildProxy\nqa" OF_MANAGERS "DictProxy\nqb" OF_MANAGERS "Token\n)\x81");
    PUT(&t, "X\1\0\0\0tX\1\0\0\0aX\1\0\0\0i\x87"
            "bqcX\6\0\0\0pickleqd}X\7\0\0\0exposed(X\1\0\0\0nqe");
    for (int i = 1; i < NAMES; i++) {
        PUT(&t, "he");
    }
    PUT(&t, "tsqf");
    for (int i = 0; i < MANY; i++) {
        PUT(&t, "ha(hbhchdhftR0");
    }
    PUT(&t, ".");
    CHECK_ERROR(load(&t, &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
}

TEST(tokens_as_keys_count_with_all_that_is_in_them)
{
    enum { TYPE = 2 << 20 };
    kin_obj o;
    text t = begin(TYPE + MANY * 30);
    PUT(&t, OF_MANAGERS "Token\nqa");
    put_large(&t, 'X', TYPE, 'x');
    PUT(&t, "qb\x8f(");
    for (int i = 0; i < MANY; i++) {
        char id[12];
        snprintf(id, sizeof id, "%05d", i);
        PUT(&t, "ha)\x81hbhbX\5\0\0\0");
        put(&t, id, 5);
        PUT(&t, "\x87"
                "b");
    }
    PUT(&t, "\x90.");
    CHECK_ERROR(load(&t, &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
}

#define TOKEN                                                                                      \
    "X\1\0\0\0tX\1\0\0\0aX\1\0\0\0i\x87"                                                           \
    "b"

TEST(a_token_is_a_key_once_it_has_its_state)
{
    CHECK_LOADS("\x8f(" OF_MANAGERS "Token\n)\x81" TOKEN "\x90.",
                "{Token(typeid='t', address='a', id='i')}");
    /* and before, neither it nor what it is in: it could become a large one in there */
    CHECK_REFUSED("\x8f(" OF_MANAGERS "Token\n)\x81q\0\x90h\0" TOKEN ".", KIN_ERANGE,
                  "too long to compare");
    CHECK_REFUSED("\x8f(" OF_MANAGERS "Token\n)\x81q\0\x85q\1h\0" TOKEN "0\x90.", KIN_ERANGE,
                  "too long to compare");
}

/* ---- ints ------------------------------------------------------------------------------------ */

TEST(large_ints_in_keys_cost_more_than_texts_do)
{
    kin_obj o;
    text t = begin((1 << 20) + MANY * 10);
    PUT(&t, "\x8f(");
    put_large(&t, '\x8b', 1 << 20, '\x7f');
    PUT(&t, "qa");
    for (int i = 0; i < 1000; i++) {
        PUT(&t, "haJ");
        put(&t, &(int32_t){ i }, 4);
        PUT(&t, "\x86");
    }
    PUT(&t, "\x90.");
    CHECK_ERROR(load(&t, &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
    t = begin((1 << 20) + 100);
    PUT(&t, "}");
    put_large(&t, '\x8b', 1 << 20, '\x7f');
    PUT(&t, "Ns.");
    CHECK_OK(load(&t, &o)); /* one alone is fine */
    kin_release(o);
}
