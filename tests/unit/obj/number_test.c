#include "python.h"

#include "obj/node.h"

static void check_float(double value, const char *expected)
{
    char got[FLOAT_TEXT];
    kin__float_text(value, got);
    CHECK_STR(got, expected);
}

TEST(floats_print_as_in_python)
{
    check_float(0.0, "0.0");
    check_float(-0.0, "-0.0");
    check_float(1, "1.0");
    check_float(0.1, "0.1");
    check_float(1e15, "1000000000000000.0");
    check_float(1e16, "1e+16");
    check_float(9999999999999998.0, "9999999999999998.0");
    check_float(123456789012345680.0, "1.2345678901234568e+17");
    check_float(1e-4, "0.0001");
    check_float(1e-5, "1e-05");
    check_float(1.5e-7, "1.5e-07");
    check_float(1e100, "1e+100");
    check_float(5e-324, "5e-324");
    check_float(-1.7976931348623157e308, "-1.7976931348623157e+308");
    check_float(INFINITY, "inf");
    check_float(-INFINITY, "-inf");
    check_float(NAN, "nan");
}

TEST(many_floats_print_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("import struct\n"
                        "def wrong(line):\n"
                        "    bits, text = line.split()\n"
                        "    value = struct.unpack('<d', int(bits, 16).to_bytes(8, 'little'))[0]\n"
                        "    return text != repr(value) and (text, value)\n");
    for (int i = 0; i < 12000; i++) {
        double value = i < 2200   ? ldexp(1, i - 1100)                          /* powers of two */
                       : i < 2900 ? strtod("1e-330", NULL) + pow(10, i - 2550)  /* and of ten */
                       : i < 4000 ? ldexp((double)(test_random() % 100), -1074) /* subnormal */
                       : i < 6000 ? (double)(test_random() % 1000000) / 1000
                       : i < 8000 ? (double)(int64_t)test_random()
                                  : random_double();
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        char got[FLOAT_TEXT];
        kin__float_text(value, got);
        fprintf(pipe, "%llx %s\n", (unsigned long long)bits, got);
    }
    python_agrees(pipe);
}

TEST(what_fits_64_bits_is_no_bigint)
{
    static const uint8_t top[8] = { 0, 0, 0, 0, 0, 0, 0, 0x80 };
    CHECK_EQ(kin_as_int(kin_bigint(top, 8, true)), INT64_MIN);
    CHECK_EQ(kin_as_int(kin_bigint("\xff\xff\xff\xff\xff\xff\xff\x7f\0\0", 10, false)), INT64_MAX);
    CHECK_EQ(kin_as_int(kin_bigint(NULL, 0, true)), 0);
    kin_obj big = kin_bigint(top, 8, false);
    int64_t value = 7;
    CHECK_ERROR(kin_to_int(big, &value), KIN_ERANGE);
    CHECK_EQ(value, 7);
    CHECK_EQ(kin_as_int(big), 0);
    kin_release(big);
}

TEST(a_bigint_from_null_is_refused)
{
    CHECK_EQ(kin_error_code(kin_bigint(NULL, 5, false)), KIN_EINVAL);
}

TEST(bigints_go_in_and_out_again)
{
    for (int i = 0; i < 2000; i++) {
        uint8_t in[40], out[40];
        for (size_t j = 0; j < sizeof in; j++) {
            in[j] = (uint8_t)test_random();
        }
        size_t size = (size_t)(test_random() % sizeof in);
        kin_obj o = kin_bigint(in, size, i % 2);
        while (size > 0 && in[size - 1] == 0) {
            size--;
        }
        bool negative = false;
        CHECK_EQ(kin_to_bigint(o, NULL, 0, NULL), size);
        CHECK_EQ(kin_to_bigint(o, out, sizeof out, &negative), size);
        CHECK_EQ(memcmp(in, out, size), 0);
        CHECK_EQ(negative, i % 2 && size > 0);
        if (size > 0) {
            CHECK_ERROR(kin_to_bigint(o, out, size - 1, &negative), KIN_EBUFTOOSHORT);
        }
        kin_release(o);
    }
}

TEST(to_bigint_takes_ints_only)
{
    kin_obj o = kin_float(1);
    CHECK_ERROR(kin_to_bigint(o, NULL, 0, NULL), KIN_ETYPE);
    uint8_t byte = 7;
    CHECK_EQ(kin_to_bigint(kin_bool(true), &byte, 1, NULL), 1);
    CHECK_EQ(byte, 1);
}

TEST(ints_become_floats_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("def wrong(line):\n"
                        "    i, f = line.split()\n"
                        "    return float(int(i)) != float(f) and line\n");
    for (int i = 0; i < 4000; i++) {
        uint8_t bytes[40] = { 0 };
        for (size_t j = 0; j < sizeof bytes; j++) { /* many zeros and ones: ties */
            bytes[j] = (uint8_t)(test_random() % 3 ? 0 : test_random() % 2 ? 0xff : test_random());
        }
        kin_obj o = kin_bigint(bytes, 1 + (size_t)(test_random() % sizeof bytes), i % 2);
        double value;
        CHECK_OK(kin_to_float(o, &value));
        write_repr(pipe, o, " ");
        fprintf(pipe, "%.17g\n", value);
        kin_release(o);
    }
    python_agrees(pipe);
}

TEST(an_int_too_large_for_a_float_is_out_of_range)
{
    uint8_t bytes[200];
    memset(bytes, 0xff, sizeof bytes);
    for (size_t size = 128; size <= sizeof bytes; size++) {
        kin_obj o = kin_bigint(bytes, size, false);
        double value = 3;
        CHECK_ERROR(kin_to_float(o, &value), KIN_ERANGE);
        CHECK_FLOAT(value, 3);
        kin_release(o);
    }
    kin_obj o = kin_bigint(bytes, 127, false);
    CHECK_OK(kin_to_float(o, NULL));
    kin_release(o);
}

TEST(ints_of_any_size_print_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("def wrong(line):\n"
                        "    sign, hexadecimal, text = line.split()\n"
                        "    return text != str(int(sign + hexadecimal, 16)) and line\n");
    for (int i = 0; i < 4000; i++) {
        uint8_t bytes[3000];
        size_t size = (size_t)(test_random() % (i % 100 ? 30 : sizeof bytes));
        for (size_t j = 0; j < size; j++) {
            bytes[j] = (uint8_t)test_random();
        }
        fprintf(pipe, "%c 0", i % 2 ? '-' : '+');
        for (size_t j = size; j-- > 0;) {
            fprintf(pipe, "%02x", bytes[j]);
        }
        fprintf(pipe, " ");
        kin_obj o = kin_bigint(bytes, size, i % 2);
        write_repr(pipe, o, "\n");
        kin_release(o);
    }
    python_agrees(pipe);
}
