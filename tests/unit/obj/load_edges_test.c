/* Pickles that no Python writes: what lies just beyond what is read. */
#include "unit/obj/pickles.h"

#define TOKEN "cmultiprocessing.managers\nToken\n)\x81"
#define REBUILD "cmultiprocessing.managers\nRebuildProxy\n"
#define PROXY "cmultiprocessing.managers\nDictProxy\n"
#define T "X\1\0\0\0t"

/* ---- the stack ------------------------------------------------------------------------------- */

TEST(what_lies_before_the_last_mark_is_out_of_reach)
{
    CHECK_REFUSED("N((tK\1\x87.", KIN_ECORRUPT, "too little on the stack");
    CHECK_REFUSED("](K\1a.", KIN_ECORRUPT, "too little on the stack");
    CHECK_REFUSED("]((K\1et.", KIN_ECORRUPT, "too little on the stack");
    CHECK_REFUSED("}((K\1Nut.", KIN_ECORRUPT, "too little on the stack");
    CHECK_REFUSED("\x8f((K\1\x90t.", KIN_ECORRUPT, "too little on the stack");
    /* POP takes the mark itself, and not what is before it */
    CHECK_REFUSED("N((t0"
                  "0t.",
                  KIN_ECORRUPT, "there is no mark");
    CHECK_LOADS("N((t0"
                "0.",
                "None");
}

/* ---- the memo -------------------------------------------------------------------------------- */

TEST(the_memo_counts_its_entries_and_not_how_often_they_were_put)
{
    CHECK_LOADS("K\1q\0q\0K\2\x94"
                "0h\1.",
                "2");
    CHECK_LOADS("cbuiltins\nlist\nq\0q\0\x94"
                "0h\1)R.",
                "[]");
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int load_int_of(size_t size)
{
    char *data = calloc(1, size + 6);
    uint32_t n = (uint32_t)size;
    data[0] = '\x8b';
    memcpy(data + 1, &n, sizeof n);
    data[4 + size] = 1;
    data[5 + size] = '.';
    int rv = load_with(data, size + 6, (kin_loads_options){ 0 });
    free(data);
    return rv;
}

TEST(an_int_of_a_mebibyte_is_read_and_a_larger_one_is_not)
{
    CHECK_OK(load_int_of(1 << 20));
    CHECK_ERROR(load_int_of((1 << 20) + 1), KIN_ERANGE);
}

static int load_within(const char *begin, const char *again, size_t n, const char *last,
                       size_t max_memory)
{
    char data[4000] = "";
    strcat(data, begin);
    for (size_t i = 0; i < n; i++) {
        strcat(data, again);
    }
    strcat(data, last);
    return load_with(data, strlen(data), (kin_loads_options){ .max_memory = max_memory });
}

TEST(the_stack_the_memo_and_the_marks_take_memory_too)
{
    CHECK_ERROR(load_within("", "N", 1000, ".", 10000), KIN_ERANGE);
    CHECK_OK(load_within("", "N", 1000, ".", 60000));
    CHECK_ERROR(load_within("N", "\x94", 1000, ".", 10000), KIN_ERANGE);
    CHECK_OK(load_within("N", "\x94", 1000, ".", 60000));
    CHECK_ERROR(load_within("", "(", 1000, "N.", 10000), KIN_ERANGE);
    CHECK_ERROR(load_within("N", "(t0", 1000, ".", 10000), KIN_ERANGE); /* what is thrown away */
    CHECK_ERROR(load_within("]", "Na", 1000, ".", 10000), KIN_ERANGE);  /* slots of a list */
    CHECK_ERROR(load_within("N", "q\xff", 1, ".", 100), KIN_ERANGE);
}

TEST(the_index_of_a_large_set_is_counted)
{
    char data[4000] = "\x8f(";
    char *at = data + 2;
    for (uint16_t i = 0; i < 1000; i++) {
        *at++ = 'M';
        at = mempcpy(at, &i, 2);
    }
    at = mempcpy(at, "\x90.", 2);
    size_t size = (size_t)(at - data);
    CHECK_ERROR(load_with(data, size, (kin_loads_options){ .max_memory = 70000 }), KIN_ERANGE);
    CHECK_OK(load_with(data, size, (kin_loads_options){ .max_memory = 200000 }));
    memcpy(at - 2, "t.", 2); /* a tuple has none */
    CHECK_OK(load_with(data, size, (kin_loads_options){ .max_memory = 70000 }));
}

TEST(an_exception_is_a_level_above_its_arguments)
{
    const char pickle[] = "cbuiltins\nValueError\nK\1\x85R.";
    CHECK_OK(load_with(pickle, sizeof pickle - 1, (kin_loads_options){ .max_depth = 2 }));
    CHECK_ERROR(load_with(pickle, sizeof pickle - 1, (kin_loads_options){ .max_depth = 1 }),
                KIN_ERANGE);
}

/* ---- keys ------------------------------------------------------------------------------------ */

TEST(of_equal_keys_that_are_texts_one_is_kept_and_none_is_lost)
{
    CHECK_LOADS("}(\x8c\1aK\1\x8c\1a\x8c\1bu.", "{'a': 'b'}");
    CHECK_LOADS("}(\x8c\1a\x8c\1x\x8c\1a\x8c\1bu.", "{'a': 'b'}");
    CHECK_LOADS("\x8f(\x8c\1a\x8c\1a\x90.", "{'a'}");
    CHECK_LOADS("(\x8c\1a\x8c\1a\x91.", "frozenset({'a'})");
}

/* 2^40 steps to look at all of it, by another way each time. */
TEST(whatever_keys_are_made_of_counts)
{
    CHECK_ERROR(load_many("}(\x91", "qa0(haha\x86\x91", 40, "Ns."), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
    char towers[600] = "cbuiltins\nValueError\nqv0";
    for (int tower = 0; tower < 2; tower++) {
        strcat(towers, "N");
        for (int i = 0; i < 40; i++) {
            strcat(towers, "qaha\x86");
        }
        strcat(towers, tower == 0 ? "qt0" : "qu0");
    }
    /* two exceptions of which nobody can tell in time whether they are equal */
    strcat(towers, "\x8f(hvht\x85Rhvhu\x85R\x90.");
    CHECK_ERROR(load_with(towers, strlen(towers), (kin_loads_options){ 0 }), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
}

TEST(long_texts_in_many_keys_count)
{
    enum { LONG = 2 << 20, KEYS = 40000 };
    char *data = malloc(LONG + KEYS * 8 + 20);
    char *at = mempcpy(data, "\x8f(X\0\0\x20\0", 7);
    memset(at, 'x', LONG);
    at = mempcpy(at + LONG, "qa", 2);
    for (int32_t i = 0; i < KEYS; i++) {
        at = mempcpy(at, "haJ", 3);
        at = mempcpy(at, &i, 4);
        at = mempcpy(at, "\x86", 1);
    }
    at = mempcpy(at, "\x90.", 2);
    CHECK_ERROR(load_with(data, (size_t)(at - data), (kin_loads_options){ 0 }), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
    free(data);
}

/* ---- values ---------------------------------------------------------------------------------- */

TEST(an_int_that_is_longer_than_it_need_be_is_the_same_int)
{
    static const char *const pickles[] = { "\x8a\x9\xff\xff\xff\xff\xff\xff\xff\xff\xff.",
                                           "\x8a\xc\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                           "\xff." };
    for (int i = 0; i < 2; i++) {
        kin_obj o;
        int64_t value = 0;
        CHECK_OK(kin_loads(pickles[i], strlen(pickles[i]), &o));
        CHECK_OK(kin_to_int(o, &value));
        CHECK_EQ(value, -1);
        CHECK(kin_equal(o, kin_int(-1)));
        CHECK_EQ(kin_hash(o), kin_hash(kin_int(-1)));
        kin_release(o);
    }
}

TEST(a_byte_of_latin1_is_a_byte)
{
    CHECK_LOADS("c_codecs\nencode\nX\2\0\0\0\xc3\xbfX\6\0\0\0latin1\x86R.", "b'\\xff'");
    CHECK_REFUSED("c_codecs\nencode\nX\2\0\0\0\xc4\x80X\6\0\0\0latin1\x86R.", KIN_ECORRUPT,
                  "not in latin1");
}

/* ---- globals --------------------------------------------------------------------------------- */

TEST(a_name_is_one_of_the_list_or_none)
{
    static const char *const pickles[] = { "cbuiltins\nlis\n)R.",
                                           "cbuiltins\nlistx\n)R.",
                                           "cbuiltin\nlist\n)R.",
                                           "cbuiltinsx\nlist\n)R.",
                                           "c\n\n)R.",
                                           "cbuiltins\n\n)R.",
                                           "c\nlist\n)R.",
                                           "cbuiltins\nLIST\n)R.",
                                           "cbuiltins\nlist.append\n)R.",
                                           "cbuiltins.list\nappend\n)R.",
                                           "cbuiltins\nKeyErro\n)R.",
                                           "cqueu\nEmpty\n)R." };
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++) {
        kin_obj o = kin_int(7);
        CHECK_ERROR(kin_loads(pickles[i], strlen(pickles[i]), &o), KIN_EUNSUPPORTED);
        CHECK_CONTAINS(kin_errmsg(), "not one of those that are known");
    }
}

TEST(arguments_are_as_many_as_they_should_be)
{
    CHECK_REFUSED("cbuiltins\nlist\n]N\x86R.", KIN_EUNSUPPORTED, "a list of arguments");
    CHECK_REFUSED("cbuiltins\nset\n]]\x86R.", KIN_EUNSUPPORTED, "a set of arguments");
    /* a slice is no tuple of arguments */
    CHECK_REFUSED("cbuiltins\nValueError\ncbuiltins\nslice\nNNN\x87RR.", KIN_ECORRUPT,
                  "no class and its arguments");
}

TEST(a_code_that_is_none_is_left_aside)
{
    kin_obj o;
    CHECK_OK(LOAD("cbuiltins\nValueError\nX\1\0\0\0a\x85R}X\x8\0\0\0kin_code\x8a\6\x11\xec\xff\xff"
                  "\xfe\xff"
                  "sb.",
                  &o));
    CHECK_EQ(kin_error_code(o), KIN_EINVAL);
    CHECK_STR(kin_error_type(o), "ValueError");
    kin_release(o);
}

TEST(a_token_is_made_of_a_type_an_address_and_an_id)
{
    CHECK_LOADS(TOKEN T T T "\x87"
                            "b.",
                "Token(typeid='t', address='t', id='t')");
    CHECK_REFUSED(TOKEN "K\1" T T "\x87"
                        "b.",
                  KIN_EUNSUPPORTED, "a Token of");
    CHECK_REFUSED(TOKEN T T "K\1\x87"
                            "b.",
                  KIN_EUNSUPPORTED, "a Token of");
    CHECK_REFUSED(TOKEN T "K\1" T "\x87"
                          "b.",
                  KIN_EUNSUPPORTED, "a Token of");
    CHECK_REFUSED(TOKEN "cbuiltins\nslice\n" T T T "\x87"
                        "Rb.",
                  KIN_EUNSUPPORTED, "a Token of");
    CHECK_REFUSED(TOKEN T T T "\x87"
                              "b" T T T "\x87"
                              "b.",
                  KIN_ECORRUPT, "has no state"); /* twice */
}

#define STATE                                                                                      \
    T T T "\x87"                                                                                   \
          "b"

TEST(a_proxy_is_made_of_a_class_a_token_and_names)
{
    CHECK_LOADS(REBUILD "(" PROXY TOKEN STATE T "}tR.",
                "DictProxy(typeid='t', address='t', id='t')");
    CHECK_REFUSED(REBUILD "(" PROXY TOKEN T "}tR.", KIN_EUNSUPPORTED, "a proxy of");
    CHECK_REFUSED(REBUILD "(cbuiltins\nlist\n" TOKEN STATE T "}tR.", KIN_EUNSUPPORTED,
                  "a proxy of");
    CHECK_REFUSED(REBUILD "(cbuiltins\nKeyError\n" TOKEN STATE T "}tR.", KIN_EUNSUPPORTED,
                  "a proxy of");
    CHECK_REFUSED(REBUILD "(N" TOKEN STATE T "}tR.", KIN_EUNSUPPORTED, "a proxy of");
    CHECK_REFUSED(REBUILD "(" PROXY "N" T "}tR.", KIN_EUNSUPPORTED, "a proxy of");
    CHECK_REFUSED(REBUILD "(" PROXY TOKEN STATE T "}X\7\0\0\0exposedK\1stR.", KIN_EUNSUPPORTED,
                  "a proxy of");
    CHECK_REFUSED(REBUILD "(" PROXY TOKEN STATE T "}X\7\0\0\0exposedK\1\x85stR.", KIN_EUNSUPPORTED,
                  "a proxy of");
}
