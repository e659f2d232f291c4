#include "python.h"

#include <locale.h>
#include <sys/wait.h>

#define CHECK_REPR(object, expected)                                                               \
    do {                                                                                           \
        kin_obj test_o = (object);                                                                 \
        char *test_text = kin_repr(test_o);                                                        \
        CHECK_STR(test_text, expected);                                                            \
        free(test_text);                                                                           \
        kin_release(test_o);                                                                       \
    } while (0)

TEST(scalars_print_as_in_python)
{
    CHECK_REPR(kin_none(), "None");
    CHECK_REPR(kin_bool(true), "True");
    CHECK_REPR(kin_bool(false), "False");
    CHECK_REPR(kin_int(INT64_MIN), "-9223372036854775808");
    CHECK_REPR(kin_float(1e16), "1e+16");
    CHECK_REPR(kin_bigint("\0\0\0\0\0\0\0\0\1", 9, true), "-18446744073709551616");
}

TEST(containers_print_as_in_python)
{
    CHECK_REPR(kin_list(), "[]");
    CHECK_REPR(kin_tuple(), "()");
    CHECK_REPR(kin_dict(), "{}");
    CHECK_REPR(kin_set(), "set()");
    CHECK_REPR(kin_tuple(kin_int(1)), "(1,)");
    CHECK_REPR(kin_tuple(kin_int(1), kin_int(2)), "(1, 2)");
    CHECK_REPR(kin_set(kin_int(1), kin_str("b")), "{1, 'b'}");
    CHECK_REPR(kin_dict(kin_str("a"), kin_list(kin_none(), kin_tuple()), kin_int(2), kin_set()),
               "{'a': [None, ()], 2: set()}");
}

TEST(a_str_is_quoted_as_in_python)
{
    CHECK_REPR(kin_str("plain"), "'plain'");
    CHECK_REPR(kin_str("it's"), "\"it's\"");
    CHECK_REPR(kin_str("\"it's\""), "'\"it\\'s\"'");
    CHECK_REPR(kin_str("a\\b\n\r\t\x01\x7f"), "'a\\\\b\\n\\r\\t\\x01\\x7f'");
    CHECK_REPR(kin_strn("a\0b", 3), "'a\\x00b'");
    CHECK_REPR(kin_str("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
               "'caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80'");
    CHECK_REPR(kin_str("\xc2\xa0\xc2\xad\xe2\x80\xa8\xf3\xa0\x80\x81"),
               "'\\xa0\\xad\\u2028\\U000e0001'");
}

TEST(bytes_that_are_no_utf8_show_as_surrogates)
{
    CHECK_REPR(kin_str("\xff"), "'\\udcff'");
    CHECK_REPR(kin_str("\xe2\x82z"), "'\\udce2\\udc82z'");
    CHECK_REPR(kin_str("\xc0\x80"), "'\\udcc0\\udc80'");
    CHECK_REPR(kin_str("\xed\xa0\x80"), "'\\ud800'"); /* half a pair, as Python pickles it */
    CHECK_REPR(kin_str("\xf4\x90\x80\x80"), "'\\udcf4\\udc90\\udc80\\udc80'");
}

TEST(bytes_print_as_in_python)
{
    CHECK_REPR(kin_bytes("\0a'\xff\n\\", 6), "b\"\\x00a'\\xff\\n\\\\\"");
    CHECK_REPR(kin_bytes("'\"", 2), "b'\\'\"'");
    CHECK_REPR(kin_bytes(NULL, 0), "b''");
}

TEST(what_python_does_not_have_prints_too)
{
    CHECK_REPR(kin_error(KIN_EUSER - 1, "a %s", "b'c"), "kin_error(-10001, \"a b'c\")");
    CHECK_REPR(kin_args_kw(kin_args(kin_int(1)), kin_dict(kin_str("n"), kin_int(2))),
               "(1, **{'n': 2})");
    CHECK_REPR(kin_args_kw(kin_args(), kin_dict()), "(**{})");
    CHECK_REPR(kin_str(NULL), "<invalid: invalid argument>");
    char *text = kin_repr(kin_func((kin_fn)0x1234));
    CHECK_STR(text, "<function at 0x1234>");
    free(text);
}

TEST(a_list_in_itself_prints_as_dots)
{
    kin_obj list = kin_list(kin_int(1));
    kin_obj dict = kin_dict(kin_str("list"), kin_retain(list));
    CHECK_OK(kin_append(&list, kin_retain(dict)));
    CHECK_OK(kin_append(&list, kin_tuple(kin_retain(list), kin_retain(dict))));
    char *text = kin_repr(list);
    CHECK_STR(text, "[1, {'list': [...]}, ([...], {'list': [...]})]");
    free(text);
    text = kin_repr(dict);
    CHECK_STR(text, "{'list': [1, {...}, ([...], {...})]}");
    free(text);
    CHECK_OK(kin_setitem(&list, kin_int(1), kin_none())); /* or it is never freed */
    CHECK_OK(kin_setitem(&list, kin_int(-1), kin_none()));
    kin_release(dict);
    kin_release(list);
}

TEST(the_same_list_twice_prints_twice)
{
    kin_obj list = kin_list(kin_int(1));
    CHECK_REPR(kin_list(kin_retain(list), kin_list(kin_retain(list))), "[[1], [[1]]]");
    kin_release(list);
}

TEST(a_hundred_thousand_levels_print)
{
    enum { DEEP = 100000 };
    kin_obj o = kin_list();
    for (int i = 1; i < DEEP; i++) {
        o = kin_list(o);
    }
    char *text = kin_repr(o);
    CHECK_EQ(strlen(text), 2 * DEEP);
    CHECK_EQ(strspn(text, "["), DEEP);
    free(text);
    kin_release(o);
}

enum { FINE, WRONG, NO_LOCALE };

/* In a child, since a locale stays mapped. */
static int print_in_german(void *ctx)
{
    (void)ctx;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) {
        return NO_LOCALE;
    }
    char *half = kin_repr(kin_float(1234.5)), *tiny = kin_repr(kin_float(1.5e-7));
    return strcmp(half, "1234.5") == 0 && strcmp(tiny, "1.5e-07") == 0 ? FINE : WRONG;
}

TEST(a_locale_changes_nothing)
{
    int status = test_join(test_child(print_in_german, NULL));
    if (status == NO_LOCALE) {
        SKIP("no locale with a decimal comma");
    }
    CHECK_EQ(status, FINE);
}

/* ---- against Python ---------------------------------------------------------------- */

static kin_obj random_str(void)
{
    char s[64];
    size_t n = 0;
    while (n < 50 && test_random() % 12) {
        uint32_t c = (uint32_t)(test_random() % 4 == 0   ? test_random() % 0x110000
                                : test_random() % 3 == 0 ? test_random() % 0x3000
                                                         : test_random() % 0x80);
        if (c >= 0xd800 && c < 0xe000) {
            continue;
        }
        if (c < 0x80) {
            s[n++] = (char)c;
        } else if (c < 0x800) {
            s[n++] = (char)(0xc0 | c >> 6);
            s[n++] = (char)(0x80 | (c & 0x3f));
        } else {
            if (c < 0x10000) {
                s[n++] = (char)(0xe0 | c >> 12);
            } else {
                s[n++] = (char)(0xf0 | c >> 18);
                s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
            }
            s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
            s[n++] = (char)(0x80 | (c & 0x3f));
        }
    }
    return kin_strn(s, n);
}

static kin_obj random_leaf(void)
{
    switch (test_random() % 7) {
    case 0:
        return kin_none();
    case 1:
        return kin_bool(test_random() % 2);
    case 2:
        return random_int();
    case 3:
        return kin_float(random_double());
    case 4: {
        uint64_t bytes[3] = { test_random(), test_random(), test_random() };
        return kin_bytes(bytes, (size_t)(test_random() % sizeof bytes));
    }
    default:
        return random_str();
    }
}

static kin_obj random_object(int depth)
{
    if (depth == 0 || test_random() % 3 == 0) {
        return random_leaf();
    }
    kin_obj items[6];
    size_t n = (size_t)(test_random() % 4);
    bool dict = test_random() % 3 == 0;
    for (size_t i = 0; i < n; i++) {
        items[i] = random_object(depth - 1);
    }
    if (!dict) {
        return test_random() % 2 ? kin_list_n(items, n) : kin_tuple_n(items, n);
    }
    kin_obj o = kin_dict();
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(kin_setitem(&o, random_str(), items[i]));
    }
    return o;
}

TEST(random_objects_print_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("names = {'nan': float('nan'), 'inf': float('inf')}\n"
                        "def wrong(line):\n"
                        "    return repr(eval(line, names)) != line and line\n");
    for (int i = 0; i < 5000; i++) {
        kin_obj o = random_object(4);
        write_repr(pipe, o, "\n");
        kin_release(o);
    }
    python_agrees(pipe);
}

TEST(every_character_prints_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("def wrong(line):\n"
                        "    c, text = line.split(' ', 1)\n"
                        "    return text != repr(chr(int(c))) and line\n");
    for (unsigned c = 0; c < 0x110000; c++) {
        char s[5] = { (char)c };
        if (c >= 0x10000) {
            snprintf(s, sizeof s, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f),
                     0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
        } else if (c >= 0x800) {
            snprintf(s, sizeof s, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f),
                     0x80 | (c & 0x3f));
        } else if (c >= 0x80) {
            snprintf(s, sizeof s, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
        }
        kin_obj o = kin_strn(s, c == 0 ? 1 : strlen(s));
        fprintf(pipe, "%u ", c);
        write_repr(pipe, o, "\n");
        kin_release(o);
    }
    python_agrees(pipe);
}

/* ---- print ------------------------------------------------------------------------- */

static int print_both(void *ctx)
{
    (void)ctx;
    kin_obj text = kin_strn("it's\0raw", 8);
    kin_obj list = kin_list(kin_retain(text));
    int rv = kin_print(text);
    rv = rv < 0 ? rv : kin_print(list);
    kin_release(text);
    kin_release(list);
    return rv < 0;
}

TEST(print_shows_a_str_raw_and_others_as_repr)
{
    char path[] = "/tmp/kin-print-XXXXXX";
    int fd = mkstemp(path);
    CHECK_GE(fd, 0);
    int saved = dup(1);
    dup2(fd, 1);
    int status = test_join(test_child(print_both, NULL));
    dup2(saved, 1);
    close(saved);
    CHECK_EQ(status, 0);
    char got[100] = { 0 };
    ssize_t size = pread(fd, got, sizeof got, 0);
    close(fd);
    unlink(path);
    static const char expected[] = "it's\0raw\n[\"it's\\x00raw\"]\n";
    CHECK_EQ(size, sizeof expected - 1);
    CHECK_EQ(memcmp(got, expected, sizeof expected - 1), 0);
}

static int print_to_full(void *ctx)
{
    (void)ctx;
    if (freopen("/dev/full", "w", stdout) == NULL) {
        return 1;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    return kin_print(kin_int(1)) == KIN_EOS && kin_errmsg()[0] ? 0 : 2;
}

TEST(print_tells_when_stdout_takes_nothing)
{
    CHECK_EQ(test_join(test_child(print_to_full, NULL)), 0);
}
