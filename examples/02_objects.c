/* 02_objects - values that can cross between processes: made, read, compared, printed.
 *
 * Whatever is passed to a constructor is given away, so they nest; what is read out of another
 * object is borrowed. At the end one kin_release per object that was kept.
 */
#include <kin/obj.h>
#include <stdio.h>

static kin_obj area(kin_obj args)
{
    double width = kin_as_float(kin_kwarg(args, "width"));
    if (width < 0) {
        return kin_error(KIN_EUSER, "a width of %g makes no sense", width);
    }
    return kin_float(width * kin_arg_float(args, 0));
}

int main(void)
{
    kin_obj point = kin_dict(kin_str("name"), kin_str("caf\xc3\xa9"), /* é */
                             kin_str("at"), kin_tuple(kin_int(3), kin_float(0.1)), kin_str("tags"),
                             kin_list(kin_none(), kin_bool(true), kin_bytes("\0\1", 2)));
    KIN_CHECK(kin_setitem(&point, kin_str("seen"), kin_set(kin_int(1), kin_float(1.0))));
    kin_print(point);

    /* Reading: borrowed, nothing to release. */
    kin_obj tags = kin_lookup(point, kin_str("tags"));
    for (size_t i = 0; i < kin_len(tags); i++) {
        kin_print(kin_at(tags, i));
    }
    printf("x is %lld\n", (long long)kin_as_int(kin_at(kin_lookup(point, kin_str("at")), 0)));

    /* Borrowed ones may be given on: the new list takes its own reference. */
    kin_obj pair = kin_list(kin_lookup(point, kin_str("at")), kin_at(tags, 2));
    kin_release(point);
    kin_print(pair);
    kin_release(pair);

    /* A wrong type is no crash, and the failure is a sentence. */
    int64_t number;
    kin_obj text = kin_str("seven");
    if (kin_to_int(text, &number) < 0) {
        printf("%s\n", kin_errmsg());
    }
    kin_release(text);

    /* Named arguments; and a function that fails says why. */
    kin_obj result;
    kin_obj args = kin_args_kw(kin_args(kin_int(2)), kin_dict(kin_str("width"), kin_float(1.5)));
    KIN_CHECK(kin_call(area, args, &result));
    kin_print(result);
    kin_release(result);
    args = kin_args_kw(kin_args(kin_int(2)), kin_dict(kin_str("width"), kin_int(-1)));
    int rv = kin_call(area, args, &result);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    return 0;
}
