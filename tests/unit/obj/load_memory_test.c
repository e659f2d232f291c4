#include "unit/obj/pickles.h"

#include "obj/room.h"

/* Leaks are for the sanitizer: each test here leaves with one if a count is wrong. */

static kin_obj load(const void *data, size_t size)
{
    kin_obj o;
    CHECK_OK(kin_loads(data, size, &o));
    return o;
}
#define LOADED(pickle) load(pickle, sizeof(pickle) - 1)

static void check_repr(kin_obj o, const char *wanted)
{
    char *text = kin_repr(o);
    CHECK_STR(text, wanted);
    free(text);
}

/* ---- what is shared ---------------------------------------------------------------- */

TEST(what_was_one_object_is_one_again)
{
    kin_obj o = LOADED("](]q\0h\0e.");
    kin_obj first = kin_at(o, 0);
    CHECK_OK(kin_append(&first, kin_int(1)));
    check_repr(o, "[[1], [1]]");
    kin_release(o);
    o = LOADED("](\x8c\1aq\0h\0e.");
    CHECK_PTR(kin_as_str(kin_at(o, 0)), kin_as_str(kin_at(o, 1)));
    kin_release(o);
}

TEST(a_part_outlives_the_rest)
{
    kin_obj o = LOADED("}(\x8c\1k](\x8c\4text\x8c\5otherq\0eK\1h\0u.");
    kin_obj list = kin_retain(kin_lookup(o, kin_str("k")));
    kin_obj other = kin_retain(kin_lookup(o, kin_int(1)));
    kin_release(o);
    check_repr(list, "['text', 'other']");
    kin_release(list);
    check_repr(other, "'other'");
    kin_release(other);
}

TEST(what_was_loaded_can_grow)
{
    kin_obj o = LOADED("](K\1K\2e.");
    kin_obj dict = LOADED("}(K\1\x8c\1aK\2\x8c\1bu.");
    kin_obj set = LOADED("\x8f(K\1K\2\x90.");
    for (int i = 3; i < 3000; i++) {
        CHECK_OK(kin_append(&o, kin_int(i)));
        CHECK_OK(kin_append(&set, kin_int(i)));
        CHECK_OK(kin_setitem(&dict, kin_int(i), kin_strf("%d", i)));
    }
    CHECK_EQ(kin_len(o) + kin_len(set) + kin_len(dict), 2999 * 3);
    CHECK_STR(kin_as_str(kin_lookup(dict, kin_int(2))), "b");
    CHECK_STR(kin_as_str(kin_lookup(dict, kin_int(2000))), "2000");
    CHECK_EQ(kin_as_int(kin_lookup(set, kin_int(1))), 1);
    kin_release(o);
    kin_release(dict);
    kin_release(set);
}

/* More than a bundle holds: lists whose slots begin in one and go on elsewhere. */
TEST(large_ones_are_whole)
{
    kin_obj made = kin_list();
    for (int i = 0; i < 5000; i++) {
        kin_obj inner = kin_list(kin_strf("text number %d", i));
        for (int j = 0; j < i % 40; j++) {
            kin_append(&inner, kin_tuple(kin_int(j), kin_str("x"), kin_float(j)));
        }
        kin_append(&made, inner);
    }
    char *big = calloc(1, 100000);
    kin_append(&made, kin_bytes(big, 100000));
    free(big);
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        void *data;
        size_t size;
        CHECK_OK(kin_dumps_with(kin_retain(made), KIN_OPT(kin_dumps_options, .protocol = protocol),
                                &data, &size));
        kin_obj o = load(data, size);
        CHECK(kin_equal(o, made));
        kin_obj part = kin_retain(kin_at(o, 4321));
        kin_release(o);
        CHECK(kin_equal(part, kin_at(made, 4321)));
        kin_release(part);
        free(data);
    }
    kin_release(made);
}

/* ---- islands ----------------------------------------------------------------------- */

TEST(what_holds_itself_is_freed_at_once)
{
    kin_release(LOADED("]q\0h\0a."));
    kin_release(LOADED("}q\0\x8c\4selfh\0s."));
    kin_release(LOADED("]q\0(h\0\x8c\4texth\0h\0e."));
    kin_release(LOADED("]q\0h\0\x85q\1a0h\1.")); /* t = ([t],) */
    kin_release(LOADED("cbuiltins\nValueError\n]q\0\x85Rq\1h\0h\1a."));
    kin_obj o = LOADED("]q\0](h\0h\0ea."); /* a = [[a, a]] */
    check_repr(o, "[[[...], [...]]]");
    kin_release(o);
}

TEST(any_reference_keeps_an_island)
{
    kin_obj outer =
        LOADED("]q\0(]q\1h\0a}q\2K\1h\1s\x8c\4texte."); /* a = [[a], {1: a[0]}, 'text'] */
    kin_obj inner = kin_retain(kin_at(outer, 0));
    kin_obj dict = kin_retain(kin_at(outer, 1));
    kin_obj text = kin_retain(kin_at(outer, 2));
    kin_release(outer);
    check_repr(inner, "[[[...], {1: [...]}, 'text']]");
    kin_release(inner);
    CHECK_STR(kin_as_str(kin_at(kin_at(kin_lookup(dict, kin_int(1)), 0), 2)), "text");
    kin_release(dict);
    CHECK_STR(kin_as_str(text), "text"); /* a leaf is none of it */
    kin_release(text);
}

TEST(an_island_can_be_changed)
{
    kin_obj o = LOADED("]q\0(h\0]e."); /* a = [a, []] */
    kin_obj own = kin_list(kin_str("own"));
    CHECK_OK(kin_append(&o, kin_retain(own)));
    CHECK_OK(kin_append(&own, kin_at(o, 1))); /* holds the island */
    CHECK_OK(kin_setitem(&o, kin_int(0), kin_str("no ring any more")));
    check_repr(o, "['no ring any more', [], ['own', []]]");
    CHECK_OK(kin_setitem(&o, kin_int(2), kin_none())); /* else own and the island hold each other */
    kin_release(o);
    check_repr(own, "['own', []]");
    kin_release(own);
}

TEST(rings_that_were_thrown_away_are_freed)
{
    kin_release(LOADED("]q\0h\0a0K\1."));        /* nothing but the ring */
    kin_release(LOADED("](]q\0h\0a0\x8c\1te.")); /* beside the result */
    kin_release(LOADED("]q\0h\0a0\x8c\4text.")); /* the result is a leaf */
    kin_release(LOADED("]q\0h\0aK\1."));         /* left on the stack */
    kin_release(LOADED("}(K\1]q\0h\0aK\1Nu."));  /* its place was taken */
    kin_release(LOADED("]q\0h\0a\x8c\4textq\1\x30"
                       "0h\1."));
}

/* a = [a, b'...'] with so many bytes that they lie in a bundle of their own, which may go before
 * the island does. */
static kin_obj with_large_leaf(void)
{
    enum { HEAD = 11, LEAF = 70000 };
    static char data[HEAD + LEAF + 2] = "]q\0(h\0B\x70\x11\1";
    memcpy(data + HEAD + LEAF, "e.", 2);
    return load(data, sizeof data);
}

TEST(an_island_has_large_leaves_too)
{
    kin_obj o = with_large_leaf();
    kin_obj bytes = kin_retain(kin_at(o, 1));
    kin_release(o);
    CHECK_EQ(kin_len(bytes), 70000);
    kin_release(bytes);
    o = with_large_leaf();
    CHECK_OK(kin_setitem(&o, kin_int(1), kin_none()));
    check_repr(o, "[[...], None]");
    kin_release(o);
}

TEST(rings_are_told_by_those_who_cannot_follow_them)
{
    kin_obj o = LOADED("]q\0h\0a.");
    kin_obj other = LOADED("]q\0h\0a.");
    size_t size;
    CHECK(kin_equal(o, o));
    CHECK(!kin_equal(o, other));
    CHECK_EQ(kin_hash(o), -1);
    CHECK_ERROR(kin__flat_size(o, &size), KIN_EINVAL);
    kin_release(o);
    kin_release(other);
}

/* The depth of a ring is how far one gets before one is where one was. */
TEST(the_depth_of_an_island_is_measured)
{
    kin_obj o;
    kin_loads_options options = { .max_depth = 3 };
    CHECK_OK(kin_loads_with("]q\0]h\0aa.", 10, &options, &o));
    kin_release(o);
    /* b is in a before c is in b, and so on: nothing else would tell */
    const char deep[] = "]q\0]q\1a]q\2]q\3ah\1h\2a0h\0ah\3h\0a0.";
    CHECK_ERROR(kin_loads_with(deep, sizeof deep - 1, &options, &o), KIN_ERANGE);
    options.max_depth = 4;
    CHECK_OK(kin_loads_with(deep, sizeof deep - 1, &options, &o));
    kin_release(o);
}

/* ---- bundles ----------------------------------------------------------------------- */

TEST(bundles_are_used_again)
{
    kin_obj made = kin_list();
    for (int i = 0; i < 20000; i++) {
        kin_append(&made, kin_strf("text number %d", i));
    }
    void *data;
    size_t size;
    CHECK_OK(kin_dumps(kin_retain(made), &data, &size));
    for (int i = 0; i < 20; i++) {
        kin_obj one = load(data, size);
        kin_obj other = load(data, size);
        kin_release(one);
        one = load(data, size);
        CHECK(kin_equal(one, made) && kin_equal(other, made));
        kin_release(one);
        kin_release(other);
    }
    kin_release(made);
    free(data);
}

/* ---- bounds ------------------------------------------------------------------------ */

/* What one byte is worth most of: each has to fit, since Python may send it. */
TEST(the_smallest_things_fit_into_the_default_memory)
{
    CHECK_OK(load_many("(", "]", 200000, "t."));
    CHECK_OK(load_many("](", "}\x94", 200000, "e."));
    CHECK_OK(load_many("(", "N", 200000, "t."));
    CHECK_OK(load_many("", "(", 200000, "N."));
    CHECK_OK(load_many("N", "\x94", 200000, "."));
    CHECK_OK(load_many("](", "\x8f(K\1\x90", 100000, "e."));
}

/* Copies of what the memo holds: four bytes for each, and a megabyte of memory. */
TEST(copies_of_what_is_large_are_counted)
{
    enum { NONES = 60000 };
    char begin[NONES + 60] = "cbuiltins\nlist\nqa(";
    memset(begin + strlen(begin), 'N', NONES);
    strcat(begin, "t\x85qb0");
    CHECK_OK(load_many(begin, "hahbR", 1, "."));
    CHECK_ERROR(load_many(begin, "hahbR", 50, "."), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "more memory than may be taken");
}

/* Tuples of twice the same tuple: 2^40 steps to look at all of it. */
TEST(keys_that_take_long_to_compare_are_refused)
{
    CHECK_OK(load_many("}N", "qaha\x86", 20, "0.")); /* as long as it is no key */
    CHECK_ERROR(load_many("}N", "qaha\x86", 20, "Ns."), KIN_ERANGE);
    CHECK_ERROR(load_many("}N", "qaha\x86", 40, "Ns."), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
    CHECK_OK(load_many("]N", "qaha\x86", 40, "a.")); /* as a value it is fine */
}

/* Ints whose places in an index are all the same one: each would be compared with all before. */
TEST(keys_that_collide_are_refused_before_they_take_long)
{
    enum { KEYS = 60000 };
    uint8_t *data = malloc(KEYS * 10 + 10);
    size_t size = 2;
    memcpy(data, "\x8f(", 2);
    for (uint64_t i = 1, n = 0; n < KEYS; i++) {
        uint64_t key = i * UINT64_C(0xf1de83e19937733d); /* times the index's constant it is i */
        if (key < (UINT64_C(1) << 61) - 1) {
            memcpy(data + size, "\x8a\x8", 2);
            memcpy(data + size + 2, &key, 8);
            size += 10;
            n++;
        }
    }
    memcpy(data + size, "\x90.", 2);
    CHECK_ERROR(load_with(data, size + 2, (kin_loads_options){ 0 }), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "too long to compare");
    free(data);
}
