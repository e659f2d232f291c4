#include "unit/obj/pickles.h"

/* ---- what Python writes ------------------------------------------------------------ */

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        CHECK_EQ(sscanf(hex + i * 2, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return n;
}

static void check_vector(char *line)
{
    uint8_t bytes[2000];
    char *rest = line;
    const char *name = strsep(&rest, "\t");
    unsigned protocol = (unsigned)atoi(strsep(&rest, "\t"));
    size_t size = from_hex(strsep(&rest, "\t"), bytes);
    const char *wanted = strsep(&rest, "\n");
    kin_obj o;
    int rv = kin_loads(bytes, size, &o);
    if (strcmp(wanted, "!") == 0) {
        CHECK_ERROR(rv, KIN_EUNSUPPORTED);
        CHECK_CONTAINS(kin_errmsg(), " at byte ");
        return;
    }
    CHECK_(rv == 0, "%s of protocol %u: %s", name, protocol, kin_errmsg());
    check_named_repr(o, wanted, name);
    for (unsigned p = 2; p <= 5; p++) {
        survives(o, p, wanted, name);
    }
    kin_release(o);
}

TEST(what_pythons_write_is_read_and_written)
{
    FILE *file = fopen(KIN_TESTS_AT "/interop/pickle_vectors.txt", "r");
    CHECK_NOT_NULL(file);
    char line[8000];
    int n = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] != '#') {
            check_vector(line);
            n++;
        }
    }
    fclose(file);
    CHECK_GE(n, 390);
}

/* ---- what there is besides --------------------------------------------------------- */

TEST(what_follows_the_end_is_ignored_and_no_protocol_need_be_named)
{
    CHECK_LOADS("\x80\4K\1.rest", "1");
    CHECK_LOADS("K\1.", "1");
    CHECK_LOADS("\x80\0K\1.", "1");
    CHECK_LOADS("\x80\4\x95\3\0\0\0\0\0\0\0K\1.", "1");
    CHECK_LOADS("NNK\1.", "1"); /* what is left on the stack, too */
    CHECK_LOADS("(NK\1.", "1"); /* and marks */
    CHECK_LOADS("](e.", "[]");  /* batches of none */
    CHECK_LOADS("}(u.", "{}");
    CHECK_LOADS("\x8f(\x90.", "set()");
    CHECK_LOADS("](K\1K\2eK\3a.", "[1, 2, 3]");
    CHECK_LOADS("N(0.", "None"); /* POP drops a mark */
    CHECK_LOADS("N(K\1K\2"
                "1.",
                "None");
}

/* ---- what is refused --------------------------------------------------------------- */

TEST(opcodes_are_named_with_their_place)
{
    CHECK_REFUSED("\x80\4N2.", KIN_EUNSUPPORTED, "kin_loads: DUP (0x32) at byte 3: ");
    CHECK_REFUSED("I1\n.", KIN_EUNSUPPORTED, "INT (0x49) at byte 0");
    CHECK_REFUSED("P1\n.", KIN_EUNSUPPORTED, "PERSID (0x50)");
    CHECK_REFUSED("\x82\1.", KIN_EUNSUPPORTED, "EXT1 (0x82)");
    CHECK_REFUSED("\x97.", KIN_EUNSUPPORTED, "NEXT_BUFFER (0x97)");
    CHECK_REFUSED("N\xff.", KIN_ECORRUPT, "? (0xff) at byte 1: this is no opcode");
    CHECK_REFUSED("\x80\6N.", KIN_EUNSUPPORTED, "PROTO (0x80) at byte 0: protocol 6");
    CHECK_REFUSED("", KIN_ECORRUPT, "an empty pickle");
    CHECK_REFUSED("N", KIN_ECORRUPT, "at byte 1, the end: no STOP came");
}

/* Each beginning of a pickle of everything. */
TEST(a_pickle_that_is_cut_off_is_refused)
{
    kin_obj o = kin_list(
        kin_int(1), kin_int(70000), kin_bigint("\1\2\3\4\5\6\7\x88\x99", 9, false), kin_float(1.5),
        kin_str("text"), kin_bytes("b", 1), kin_bytearray("ba", 2), kin_tuple(kin_none()),
        kin_dict(kin_str("k"), kin_set(kin_int(1)), kin_int(2), kin_frozenset(kin_int(2))),
        kin_exception("KeyError", kin_args(kin_str("k"))), kin_error(KIN_ESTATE, "e"),
        kin_token("t", kin_str("a"), "i"), kin_slice(kin_none(), kin_none(), kin_none()));
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        void *data;
        size_t size;
        CHECK_OK(kin_dumps_with(kin_retain(o), KIN_OPT(kin_dumps_options, .protocol = protocol),
                                &data, &size));
        for (size_t n = 0; n < size; n++) {
            kin_obj part;
            void *copy = malloc(n > 0 ? n : 1); /* so that a byte too far is seen */
            memcpy(copy, data, n);
            CHECK_ERROR(kin_loads(copy, n, &part), KIN_ECORRUPT);
            free(copy);
        }
        free(data);
    }
    kin_release(o);
}

TEST(wrong_calls_are_told)
{
    kin_obj o;
    CHECK_ERROR(kin_loads(NULL, 1, &o), KIN_EINVAL);
    CHECK_ERROR(kin_loads("N.", 2, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_loads_with("N.", 2, KIN_OPT(kin_loads_options, .reserved = { 0, 1 }), &o),
                KIN_EINVAL);
    CHECK_ERROR(kin_loads(NULL, 0, &o), KIN_ECORRUPT);
}

/* ---- limits ------------------------------------------------------------------------ */

TEST(size_depth_memo_and_ints_have_limits)
{
    CHECK_OK(load_with("N.", 2, (kin_loads_options){ .max_size = 2 }));
    CHECK_ERROR(load_with("N..", 3, (kin_loads_options){ .max_size = 2 }), KIN_ERANGE);
    CHECK_OK(load_with("N\x85\x85.", 4, (kin_loads_options){ .max_depth = 2 }));
    CHECK_ERROR(load_with("N\x85\x85.", 4, (kin_loads_options){ .max_depth = 1 }), KIN_ERANGE);
    CHECK_ERROR(load_with("]]]aa.", 6, (kin_loads_options){ .max_depth = 2 }), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "at byte 4: it is more than 2 levels deep");
    CHECK_OK(load_with("N\x94\x94.", 4, (kin_loads_options){ .max_memo = 2 }));
    CHECK_ERROR(load_with("N\x94\x94.", 4, (kin_loads_options){ .max_memo = 1 }), KIN_ERANGE);
    CHECK_ERROR(load_with("Nr\xff\xff\xff\xff.", 7, (kin_loads_options){ 0 }), KIN_ERANGE);
    CHECK_OK(load_with("\x8a\2\0\1.", 5, (kin_loads_options){ .max_int = 2 }));
    CHECK_ERROR(load_with("\x8a\2\0\1.", 5, (kin_loads_options){ .max_int = 1 }), KIN_ERANGE);
    CHECK_ERROR(load_with("](NNNe.", 7, (kin_loads_options){ .max_memory = 200 }), KIN_ERANGE);
}

TEST(numbers_that_describe_much_memory_are_held_against_what_there_is)
{
    CHECK_REFUSED("B\xff\xff\xff\x7f"
                  "a.",
                  KIN_ECORRUPT, "cut off: 2147483647 bytes");
    CHECK_REFUSED("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                  "a.",
                  KIN_ECORRUPT, "cut off");
    CHECK_REFUSED("\x96\xff\xff\xff\xff\xff\xff\xff\x7f"
                  "a.",
                  KIN_ECORRUPT, "cut off");
    CHECK_REFUSED("\x8b\xff\xff\xff\xff"
                  "a.",
                  KIN_ECORRUPT, "cut off");
    CHECK_REFUSED("\x95\xff\xff\xff\xff\xff\xff\xff\xff"
                  "N.",
                  KIN_ECORRUPT, "cut off");
}
