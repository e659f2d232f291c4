/* call.c - functions and what goes in and out of them; and how short programs give up. */
#include "node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- arguments --------------------------------------------------------------------- */

static int check_names(kin_obj args, kin_obj names)
{
    if (args.type != KIN_TYPE_TUPLE) {
        return kin__obj_mismatch(args, "kin_args_kw", "a tuple");
    }
    if (((const node *)args.as.p)->flags & KWARGS) {
        return kin__fail(KIN_EINVAL, "kin_args_kw: the arguments have names already");
    }
    if (names.type != KIN_TYPE_DICT) {
        return kin__obj_mismatch(names, "kin_args_kw", "a dict");
    }
    kin_obj name;
    for (size_t pos = 0; kin_next_item(names, &pos, &name, NULL);) {
        if (name.type != KIN_TYPE_STR) {
            return kin__obj_mismatch(name, "kin_args_kw", "a name, which is a str");
        }
    }
    return 0;
}

kin_obj kin_args_kw(kin_obj args, kin_obj names)
{
    int rv = check_names(args, names);
    size_t n = rv < 0 ? 0 : kin_len(args);
    box *b = rv < 0 ? NULL : kin__box_new(KIN_TYPE_TUPLE, n + 1);
    if (b == NULL) {
        kin_release(args);
        kin_release(names);
        return kin__obj_invalid(rv < 0 ? rv : KIN_ENOMEM);
    }
    for (size_t i = 0; i < n; i++) {
        b->items[i] = kin_retain(kin_at(args, i));
    }
    b->items[n] = kin__obj_own(names);
    b->node.len = n;
    b->node.flags = KWARGS;
    kin_release(args);
    return of_node(b);
}

kin_obj kin_arg(kin_obj args, size_t index)
{
    if (args.type != KIN_TYPE_TUPLE) {
        return kin__obj_invalid(kin__obj_mismatch(args, "kin_arg", "a tuple"));
    }
    const box *b = args.as.p;
    if (index >= b->node.len) {
        int rv =
            kin__fail(KIN_ERANGE, "kin_arg: argument %zu of %zu is missing", index, b->node.len);
        return kin__obj_invalid(rv);
    }
    return borrowed(b->items[index]);
}

kin_obj kin_kwarg(kin_obj args, const char *name)
{
    if (args.type != KIN_TYPE_TUPLE) {
        return kin__obj_invalid(kin__obj_mismatch(args, "kin_kwarg", "a tuple"));
    }
    if (name == NULL) {
        return kin__obj_invalid(kin__fail(KIN_EINVAL, "kin_kwarg: the name is NULL"));
    }
    const box *b = args.as.p;
    kin_obj key;
    kin_obj value;
    kin_obj names = b->node.flags & KWARGS ? b->items[b->node.len] : kin_none();
    for (size_t pos = 0; names.type == KIN_TYPE_DICT && kin_next_item(names, &pos, &key, &value);) {
        if (key.type == KIN_TYPE_STR && strcmp(kin_as_str(key), name) == 0) {
            return value;
        }
    }
    return kin__obj_invalid(kin__fail(KIN_ENOTFOUND, "kin_kwarg: there is no argument %s", name));
}

/* For kin_arg_int and its like, whose readers would tell less of a missing argument. */
static bool there(kin_obj arg)
{
    return arg.type != KIN_TYPE_INVALID;
}

int64_t kin_arg_int(kin_obj args, size_t index)
{
    kin_obj arg = kin_arg(args, index);
    return there(arg) ? kin_as_int(arg) : 0;
}

double kin_arg_float(kin_obj args, size_t index)
{
    kin_obj arg = kin_arg(args, index);
    return there(arg) ? kin_as_float(arg) : 0;
}

const char *kin_arg_str(kin_obj args, size_t index)
{
    kin_obj arg = kin_arg(args, index);
    return there(arg) ? kin_as_str(arg) : "";
}

void *kin_arg_shared(kin_obj args, size_t index)
{
    kin_obj arg = kin_arg(args, index);
    return there(arg) ? kin_as_shared(arg) : NULL;
}

/* ---- calls ------------------------------------------------------------------------- */

int kin__obj_result(kin_obj returned, kin_obj *ret_result)
{
    int code = kin_error_code(returned);
    if (code == 0) {
        *ret_result = kin__obj_own(returned);
        return 0;
    }
    if (returned.type == KIN_TYPE_INVALID) {
        return kin__obj_check(returned, "the function's result");
    }
    (void)kin__fail(code, "%s", kin_error_text(returned));
    kin_release(returned);
    return code;
}

kin_obj kin__obj_lend(kin_obj o)
{
    return borrowed(o);
}

int kin_call(kin_fn function, kin_obj args, kin_obj *ret_result)
{
    if (function == NULL || args.type != KIN_TYPE_TUPLE) {
        int rv = function == NULL ? kin__fail(KIN_EINVAL, "kin_call: the function is NULL")
                                  : kin__obj_mismatch(args, "kin_call", "a tuple");
        kin_release(args);
        return rv;
    }
    kin_obj result;
    int rv = kin__obj_result(function(borrowed(args)), &result);
    kin_release(args);
    if (rv < 0) {
        return rv;
    }
    if (ret_result != NULL) {
        *ret_result = result;
    } else {
        kin_release(result);
    }
    return 0;
}

int64_t kin_check(int64_t rv, const char *call, const char *file, int line)
{
    if (rv >= 0) {
        return rv;
    }
    (void)fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, call, kin_errname((int)rv),
                  kin_errmsg());
    exit(1);
}
