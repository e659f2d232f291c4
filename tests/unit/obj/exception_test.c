#include "unit/obj/pickles.h"

#include "obj/room.h"

TEST(an_exception_has_type_code_text_and_arguments)
{
    kin_obj o = kin_exception("ValueError", kin_args(kin_str("bad"), kin_int(3)));
    CHECK(kin_is_error(o));
    CHECK_EQ(kin_type_of(o), KIN_TYPE_ERROR);
    CHECK_STR(kin_error_type(o), "ValueError");
    CHECK_EQ(kin_error_code(o), KIN_EINVAL);
    CHECK_STR(kin_error_text(o), "('bad', 3)");
    CHECK_EQ(kin_as_int(kin_at(kin_error_args(o), 1)), 3);
    CHECK_EQ(kin_len(o), 0);
    check_named_repr(o, "ValueError('bad', 3)", "it");
    kin_release(o);
}

TEST(an_error_of_ours_has_no_type_and_no_arguments)
{
    kin_obj o = kin_error(KIN_EUSER - 1, "text %d", 1);
    CHECK_STR(kin_error_type(o), "");
    CHECK_EQ(kin_error_code(kin_error_args(o)), KIN_ENOTFOUND);
    CHECK_STR(kin_error_text(o), "text 1");
    check_named_repr(o, "kin_error(-10001, 'text 1')", "it");
    kin_release(o);
    CHECK_STR(kin_error_type(kin_int(1)), "");
    CHECK_STR(kin_error_type((kin_obj){ 0 }), "");
}

TEST(types_have_codes_and_codes_have_types)
{
    static const struct {
        const char *type;
        int code;
    } all[] = {
        { "queue.Empty", KIN_EEMPTY },
        { "queue.Full", KIN_EFULL },
        { "EOFError", KIN_EEOF },
        { "TimeoutError", KIN_ETIMEDOUT },
        { "multiprocessing.context.TimeoutError", KIN_ETIMEDOUT },
        { "multiprocessing.context.AuthenticationError", KIN_EAUTH },
        { "multiprocessing.context.BufferTooShort", KIN_EBUFTOOSHORT },
        { "threading.BrokenBarrierError", KIN_EBROKEN },
        { "MemoryError", KIN_ENOMEM },
        { "KeyError", KIN_ENOTFOUND },
        { "TypeError", KIN_ETYPE },
        { "OverflowError", KIN_ERANGE },
        { "IndexError", KIN_ERANGE },
        { "builtins.ValueError", KIN_EINVAL },
        { "NotImplementedError", KIN_EUNSUPPORTED },
        { "concurrent.futures._base.CancelledError", KIN_ECANCELLED },
        { "FileNotFoundError", KIN_ENOENT },
        { "RuntimeError", KIN_EUSER },
        { "ZeroDivisionError", KIN_EUSER },
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        kin_obj o = kin_exception(all[i].type, kin_args());
        CHECK_EQ(kin_error_code(o), all[i].code);
        CHECK_STR(kin_error_text(o), "");
        for (unsigned p = 2; p <= 5; p++) {
            char *text = kin_repr(o);
            survives(o, p, text, all[i].type);
            free(text);
        }
        kin_release(o);
    }
}

TEST(an_error_of_ours_comes_back_as_it_was)
{
    for (int code = KIN_EUSER - 5; code < 0; code++) {
        kin_obj o = kin_error(code, "it's wrong");
        char *text = kin_repr(o);
        survives(o, 2 + (unsigned)-code % 4, text, "an error");
        free(text);
        kin_release(o);
    }
    kin_obj o;
    /* only with the argument that it has if we wrote it */
    CHECK_OK(LOAD("cbuiltins\nValueError\nK\1\x85R}X\x8\0\0\0kin_codeJ\0\0\0\xff"
                  "sb.",
                  &o));
    CHECK_STR(kin_error_type(o), "ValueError");
    kin_release(o);
    CHECK_OK(LOAD("cbuiltins\nValueError\nX\1\0\0\0a\x85R}X\x8\0\0\0kin_codeK\1sb.", &o));
    CHECK_EQ(kin_error_code(o), KIN_EINVAL);
    kin_release(o);
}

TEST(the_text_of_one_argument_is_that_argument)
{
    kin_obj text = kin_str("a long text");
    kin_obj o = kin_exception("ValueError", kin_args(kin_retain(text)));
    CHECK_PTR(kin_error_text(o), kin_as_str(text));
    kin_obj outer = kin_exception("RuntimeError", kin_args(o));
    CHECK_STR(kin_error_text(outer), "a long text");
    check_named_repr(outer, "RuntimeError(ValueError('a long text'))", "it");
    kin_release(outer);
    kin_release(text);
}

TEST(a_long_repr_is_cut)
{
    kin_obj o = kin_exception("KeyError", kin_args(kin_range(0, 10000)));
    CHECK_LT(strlen(kin_error_text(o)), 1000);
    CHECK_CONTAINS(kin_error_text(o), "[0, 1, 2");
    CHECK_CONTAINS(kin_error_text(o), "...");
    kin_release(o);
    char file[2000] = "";
    memset(file, 'x', sizeof file - 1);
    o = kin_exception("OSError", kin_args(kin_str(file), kin_str(file), kin_str(file)));
    CHECK_LE(strlen(kin_error_text(o)), 1000);
    kin_release(o);
}

TEST(os_errors_become_what_their_number_says)
{
    kin_obj o = kin_exception("OSError", kin_args(kin_int(2), kin_str("nope"), kin_str("/x")));
    CHECK_STR(kin_error_type(o), "FileNotFoundError");
    CHECK_STR(kin_error_text(o), "[Errno 2] nope: '/x'");
    check_named_repr(o, "FileNotFoundError(2, 'nope')", "it");
    CHECK_EQ(kin_len(kin_error_args(o)), 3);
    kin_release(o);
    o = kin_exception("OSError", kin_args(kin_int(1), kin_str("nope")));
    CHECK_EQ(kin_error_code(o), KIN_EACCES);
    kin_release(o);
}

TEST(what_is_no_exception_is_told)
{
    CHECK_EQ(kin_error_code(kin_exception("NoError", kin_args(kin_str("x")))), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "NoError");
    CHECK_EQ(kin_error_code(kin_exception("os.ValueError", kin_args())), KIN_ENOTFOUND);
    CHECK_EQ(kin_error_code(kin_exception(NULL, kin_args())), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_exception("ValueError", kin_list())), KIN_ETYPE);
    CHECK_EQ(
        kin_error_code(kin_exception("ValueError", kin_slice(kin_none(), kin_none(), kin_none()))),
        KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_exception("ValueError", (kin_obj){ 0 })), KIN_EINVAL);
}

static kin_obj flat(kin_obj o)
{
    size_t size;
    kin_obj again;
    CHECK_OK(kin__flat_size(o, &size));
    void *at = malloc(size);
    CHECK_OK(kin__flat_write(o, at, size));
    CHECK_OK(kin__flat_read(at, size, &again));
    free(at);
    return again;
}

TEST(exceptions_survive_a_flat_copy)
{
    kin_obj o = kin_list(kin_exception("queue.Empty", kin_args(kin_list(kin_int(1)))),
                         kin_error(KIN_EUSER, "ours"), kin_exception("EOFError", kin_args()));
    kin_obj again = flat(o);
    CHECK(kin_equal(o, again));
    check_named_repr(again, "[Empty([1]), kin_error(-10000, 'ours'), EOFError()]", "they");
    CHECK_EQ(kin_error_code(kin_at(again, 0)), KIN_EEMPTY);
    kin_release(o);
    kin_release(again);
}

TEST(exceptions_are_equal_when_all_of_them_is)
{
    kin_obj o = kin_exception("KeyError", kin_args(kin_int(1)));
    kin_obj others[] = {
        kin_exception("KeyError", kin_args(kin_int(2))),
        kin_exception("IndexError", kin_args(kin_int(1))),
        kin_exception("KeyError", kin_args(kin_int(1), kin_int(1))),
        kin_error(KIN_ENOTFOUND, "1"),
        kin_str("1"),
    };
    kin_obj same = kin_exception("KeyError", kin_args(kin_int(1)));
    CHECK(kin_equal(o, same));
    CHECK_EQ(kin_hash(o), kin_hash(same));
    for (size_t i = 0; i < 5; i++) {
        CHECK(!kin_equal(o, others[i]));
        kin_release(others[i]);
    }
    kin_release(o);
    kin_release(same);
}
