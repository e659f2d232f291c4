#include "unit/obj/pickles.h"

TEST(what_managers_send_becomes_tokens_and_dicts)
{
    kin_obj o;
    CHECK_OK(LOAD("\x80\2cmultiprocessing.managers\nRebuildProxy\n(cmultiprocessing.managers\n"
                  "AutoProxy\ncmultiprocessing.managers\nToken\n)\x81X\4\0\0\0dictX\2\0\0\0/aX\2"
                  "\0\0\0007f\x87"
                  "bX\6\0\0\0pickle}X\7\0\0\0exposedX\3\0\0\0getX\3\0\0\0put\x86stR.",
                  &o));
    CHECK(kin_is_token(o));
    check_named_repr(o, "AutoProxy(typeid='dict', address='/a', id='7f')", "the proxy");
    CHECK_EQ(kin_len(o), 5);
    CHECK_STR(kin_as_str(kin_at(o, 3)), "AutoProxy");
    CHECK_STR(kin_as_str(kin_at(kin_at(o, 4), 1)), "put");
    for (unsigned p = 2; p <= 5; p++) {
        survives(o, p, "AutoProxy(typeid='dict', address='/a', id='7f')", "the proxy");
    }
    kin_release(o);
    CHECK_LOADS("cmultiprocessing.managers\nNamespace\n)\x81}X\1\0\0\0xK\1sb.", "{'x': 1}");
    CHECK_LOADS("cmultiprocessing.managers\nValue\n)\x81}(X\1\0\0\0xK\1X\1\0\0\0yK\2ub.",
                "{'x': 1, 'y': 2}");
    CHECK_LOADS("cmultiprocessing.pool\nrebuild_exc\ncbuiltins\nKeyError\nK\1\x85RX\1\0\0\0t\x86R.",
                "KeyError(1)");
}

TEST(a_range_is_a_list_as_long_as_memory_lasts)
{
    CHECK_LOADS("cbuiltins\nrange\nK\0K\4K\1\x87R.", "[0, 1, 2, 3]");
    CHECK_LOADS("c__builtin__\nxrange\nK\5K\0J\xfe\xff\xff\xff\x87R.", "[5, 3, 1]");
    CHECK_LOADS("cbuiltins\nrange\nK\3K\3K\1\x87R.", "[]");
    CHECK_LOADS("cbuiltins\nrange\n\x8a\x08\0\0\0\0\0\0\0@\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
                "\x8a\x08\0\0\0\0\0\0\0@\x87R.",
                "[4611686018427387904]");
    CHECK_REFUSED("cbuiltins\nrange\nK\0J\0\0\0\x7fK\1\x87R.", KIN_ERANGE, "");
    CHECK_REFUSED("cbuiltins\nrange\nK\0K\4K\0\x87R.", KIN_EUNSUPPORTED, "range of arguments");
    CHECK_REFUSED("cbuiltins\nrange\nK\0K\4\x86R.", KIN_EUNSUPPORTED, "range of arguments");
}

TEST(a_global_that_is_not_in_the_list_is_refused_where_it_stands)
{
    CHECK_REFUSED("\x80\4(\x8c\2os\x8c\6system\x93\x8c\2id\x85R.", KIN_EUNSUPPORTED,
                  "kin_loads: STACK_GLOBAL (0x93) at byte 15: the global os.system is not one of "
                  "those that are known");
    CHECK_REFUSED("cos\nsystem\n.", KIN_EUNSUPPORTED,
                  "GLOBAL (0x63) at byte 0: the global os.system");
    CHECK_REFUSED("cbuiltins\neval\n.", KIN_EUNSUPPORTED, "builtins.eval");
    CHECK_REFUSED("cb\x1b[1m\nx\n.", KIN_EUNSUPPORTED, "b?[1m.x");
    CHECK_REFUSED("c__main__\nError\n)R.", KIN_EUNSUPPORTED, "__main__.Error");
    CHECK_REFUSED("cbuiltins\nlist", KIN_ECORRUPT, "a line without an end");
    CHECK_REFUSED("K\1K\2\x93.", KIN_ECORRUPT, "no strs");
}

TEST(classes_are_nothing_but_what_is_called)
{
    CHECK_REFUSED("cbuiltins\nlist\n.", KIN_EUNSUPPORTED, "a class among the data");
    CHECK_REFUSED("]cbuiltins\nlist\na.", KIN_EUNSUPPORTED, "APPEND (0x61) at byte 16: a class");
    CHECK_REFUSED("}K\1cbuiltins\nlist\ns.", KIN_EUNSUPPORTED, "a class among the data");
    CHECK_REFUSED("cbuiltins\nlist\n\x85.", KIN_EUNSUPPORTED, "a class among the data");
    CHECK_REFUSED("cbuiltins\nlist\nq\0"
                  "0h\0.",
                  KIN_EUNSUPPORTED, "a class among the data");
    CHECK_REFUSED("cbuiltins\nlist\ncbuiltins\nset\n\x85\x85R.", KIN_EUNSUPPORTED, "a class");
    CHECK_REFUSED("cbuiltins\nKeyError\ncbuiltins\nset\n\x85R.", KIN_EUNSUPPORTED, "a class");
    CHECK_REFUSED("cbuiltins\nKeyError\n)\x81.", KIN_EUNSUPPORTED, "not made so");
    CHECK_REFUSED("cmultiprocessing.managers\nToken\n)R.", KIN_EUNSUPPORTED, "not made so");
    CHECK_REFUSED("cmultiprocessing.managers\nDictProxy\n)R.", KIN_EUNSUPPORTED, "not made so");
    CHECK_REFUSED("K\1)R.", KIN_ECORRUPT, "no class");
    CHECK_REFUSED("cbuiltins\nlist\nK\1R.", KIN_ECORRUPT, "no class and its arguments");
    CHECK_REFUSED("cbuiltins\nKeyError\n)Rcbuiltins\nset\nb.", KIN_EUNSUPPORTED, "a class");
}

TEST(arguments_and_states_have_to_fit)
{
    CHECK_REFUSED("cbuiltins\nlist\nK\1\x85R.", KIN_EUNSUPPORTED,
                  "REDUCE (0x52) at byte 18: a list of");
    CHECK_REFUSED("cbuiltins\ndict\n]\x85R.", KIN_EUNSUPPORTED, "a dict of arguments");
    CHECK_REFUSED("cbuiltins\nbytes\nK\5\x85R.", KIN_EUNSUPPORTED, "bytes of arguments");
    CHECK_REFUSED("cbuiltins\nslice\nN\x85R.", KIN_EUNSUPPORTED, "slice of arguments");
    CHECK_REFUSED("c_codecs\nencode\nX\1\0\0\0aX\4\0\0\0utf8\x86R.", KIN_EUNSUPPORTED, "encode");
    CHECK_REFUSED("c_codecs\nencode\nX\3\0\0\0\xe2\x82\xacX\6\0\0\0latin1\x86R.", KIN_ECORRUPT,
                  "not in latin1");
    CHECK_REFUSED("cmultiprocessing.managers\nToken\n)\x81.", KIN_ECORRUPT, "without its state");
    CHECK_REFUSED("cmultiprocessing.managers\nToken\n)\x81K\1b.", KIN_EUNSUPPORTED, "Token of");
    CHECK_REFUSED("cmultiprocessing.managers\nToken\n)\x81NNN\x87"
                  "b.",
                  KIN_EUNSUPPORTED, "Token");
    CHECK_REFUSED("cmultiprocessing.managers\nNamespace\n)\x81K\1b.", KIN_EUNSUPPORTED,
                  "Namespace");
    CHECK_REFUSED("cmultiprocessing.managers\nRebuildProxy\n)R.", KIN_EUNSUPPORTED, "a proxy");
    CHECK_REFUSED("}}b.", KIN_ECORRUPT, "BUILD (0x62) at byte 2: a dict has no state");
    CHECK_REFUSED("K\1}b.", KIN_ECORRUPT, "an int has no state");
}
