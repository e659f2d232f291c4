#include "unit/obj/pickles.h"

#include "obj/room.h"

TEST(protocol_4_is_the_default)
{
    check_dump(kin_none(), 0, "80044e2e");
    check_dump(kin_none(), 2, "80024e2e");
    check_dump(kin_none(), 5, "80054e2e");
}

TEST(boxes_by_protocol)
{
    check_dump(kin_list(), 4, "80045d2e");
    check_dump(kin_list(kin_int(1)), 4, "80045d4b01612e");
    check_dump(kin_list(kin_int(1), kin_int(2)), 4, "80045d284b014b02652e");
    check_dump(kin_tuple(), 4, "8004292e");
    check_dump(kin_tuple(kin_none(), kin_none(), kin_none()), 4, "80044e4e4e872e");
    check_dump(kin_tuple(kin_none(), kin_none(), kin_none(), kin_none()), 4, "8004284e4e4e4e742e");
    check_dump(kin_dict(kin_int(1), kin_none()), 4, "80047d4b014e732e");
    check_dump(kin_dict(kin_int(1), kin_none(), kin_int(2), kin_none()), 4,
               "80047d284b014e4b024e752e");
    check_dump(kin_set(), 4, "80048f2e");
    check_dump(kin_set(kin_int(1)), 4, "80048f284b01902e");
    check_dump(kin_frozenset(kin_int(1)), 4, "8004284b01912e");
    check_dump(kin_set(kin_int(1)), 2, "8002636275696c74696e730a7365740a5d4b016185522e");
    check_dump(kin_frozenset(), 3, "8003636275696c74696e730a66726f7a656e7365740a5d85522e");
}

TEST(what_holds_itself_is_written)
{
    kin_obj list = kin_list();
    CHECK_OK(kin_append(&list, kin_retain(list)));
    check_dump(kin_retain(list), 4, "80045d946800612e");
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_tuple(kin_retain(list))));
    kin_obj tuple = kin_retain(kin_at(list, 0));
    check_dump(kin_retain(tuple), 4,
               "80045d946800859461306801"
               "2e");
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_none()));
    kin_release(tuple);
    kin_release(list);
}

/* Tuple, frozenset, set and exception, each of which is in the memo by the time it could be
 * made. */
TEST(what_holds_itself_comes_back_in_all_protocols)
{
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        kin_obj list = kin_list();
        kin_obj all = kin_list(kin_tuple(kin_retain(list), kin_int(1), kin_int(2), kin_int(3)),
                               kin_slice(kin_retain(list), kin_none(), kin_none()),
                               kin_exception("ValueError", kin_args(kin_retain(list), kin_none())),
                               kin_dict(kin_int(1), kin_retain(list)),
                               kin_tuple(kin_retain(list), kin_none()));
        CHECK_OK(kin_append(&list, kin_retain(all)));
        char *text = kin_repr(all);
        survives(all, protocol, text, "a ring");
        for (size_t i = 0; i < kin_len(all); i++) {
            char *part = kin_repr(kin_at(all, i));
            survives(kin_at(all, i), protocol, part, "a part of a ring");
            free(part);
        }
        free(text);
        CHECK_OK(kin_setitem(&list, kin_int(0), kin_none()));
        kin_release(list);
        kin_release(all);
    }
}

TEST(an_island_can_be_written_and_read)
{
    kin_obj o;
    CHECK_OK(LOAD("]q\0(]q\1h\0a}q\2K\1h\1s\x8c\4texte.", &o));
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        survives(o, protocol, "[[[...]], {1: [[...]]}, 'text']", "an island");
    }
    kin_release(o);
}

TEST(batches_end_where_they_should)
{
    for (int64_t n = 998; n <= 2002; n += n == 1002 ? 996 : 1) {
        for (unsigned protocol = 2; protocol <= 4; protocol += 2) {
            kin_obj list = kin_list(), dict = kin_dict(), set = kin_set();
            for (int64_t i = 0; i < n; i++) {
                kin_append(&list, i % 7 == 0 ? kin_list() : kin_int(i));
                kin_setitem(&dict, kin_int(i), i % 3 == 0 ? kin_tuple(kin_int(i)) : kin_none());
                kin_append(&set, kin_int(i));
            }
            kin_obj all = kin_tuple(list, dict, set);
            char *text = kin_repr(all);
            survives(all, protocol, text, "batches");
            free(text);
            kin_release(all);
        }
    }
}

TEST(errors_become_exceptions_and_errors_again)
{
    check_dump(
        kin_error(KIN_EEMPTY, "gone"), 4,
        "80048c0571756575658c05456d707479938c04676f6e6585527d8c086b696e5f636f64654a11ecffff73"
        "622e");
}

/* The only reference to the tuple is one that comes back to it. */
TEST(a_part_of_a_ring_is_one_object)
{
    kin_obj list = kin_list(kin_tuple(kin_none(), kin_none()));
    kin_obj holder = kin_list(kin_list());
    kin_obj inner = kin_at(holder, 0);
    CHECK_OK(kin_append(&inner, kin_retain(list)));
    CHECK_OK(kin_setitem(&list, kin_int(0), holder));
    check_dump(kin_at(list, 0), 4,
               "80045d945d5d9468"
               "0061616"
               "12e");
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_none()));
    kin_release(list);
}

static int dump(kin_obj o, kin_dumps_options options)
{
    void *data = NULL;
    size_t size = 7;
    int rv = kin_dumps_with(o, &options, &data, &size);
    CHECK(rv == 0 || (data == NULL && size == 7));
    free(data);
    return rv;
}

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

TEST(what_means_nothing_elsewhere_is_refused)
{
    kin_dumps_options any = { 0 };
    CHECK_ERROR(dump(kin_func(nothing), any), KIN_EUNSUPPORTED);
    CHECK_CONTAINS(kin_errmsg(), "kin_dumps: a function means nothing outside of the family");
    CHECK_ERROR(dump(kin_list(kin_str("x"), kin_func(nothing)), any), KIN_EUNSUPPORTED);
    CHECK_ERROR(dump(kin_args_kw(kin_args(), kin_dict(kin_str("n"), kin_none())), any),
                KIN_EUNSUPPORTED);
    CHECK_ERROR(dump(kin_args_kw(kin_args(kin_int(1)), kin_dict()), any), KIN_EUNSUPPORTED);
    CHECK_ERROR(dump((kin_obj){ 0 }, any), KIN_EINVAL);
    CHECK_ERROR(dump(kin_error(0, "not an error"), any), KIN_EINVAL);
}

TEST(options_are_looked_at)
{
    CHECK_ERROR(dump(kin_none(), (kin_dumps_options){ .protocol = 1 }), KIN_EINVAL);
    CHECK_ERROR(dump(kin_none(), (kin_dumps_options){ .protocol = 6 }), KIN_EINVAL);
    CHECK_ERROR(dump(kin_none(), (kin_dumps_options){ .reserved = { 1 } }), KIN_EINVAL);
    CHECK_ERROR(kin_dumps(kin_str("x"), NULL, NULL), KIN_EINVAL);
}

TEST(depth_has_a_limit)
{
    kin_obj o = kin_none();
    for (int i = 0; i < 10000; i++) {
        o = kin_list(o);
    }
    CHECK_OK(dump(kin_retain(o), (kin_dumps_options){ 0 }));
    o = kin_list(o);
    CHECK_ERROR(dump(kin_retain(o), (kin_dumps_options){ 0 }), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "more than 10000 levels");
    for (int i = 0; i < 100000; i++) {
        o = kin_list(o);
    }
    CHECK_OK(dump(o, (kin_dumps_options){ .max_depth = 1000000 }));
}

TEST(room_can_be_left_in_front)
{
    void *data;
    size_t size;
    CHECK_OK(kin__dumps(kin_none(), NULL, 12, &data, &size));
    CHECK_EQ(size, 16);
    CHECK_MEM((char *)data + 12, "\x80\4N.", 4);
    free(data);
}
