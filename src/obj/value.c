/* value.c - objects without slots: scalars, text, bytes, errors; and reading them back. */
#include "node.h"
#include <kin/pickle.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- making ------------------------------------------------------------------------ */

kin_obj kin_none(void)
{
    return (kin_obj){ .type = KIN_TYPE_NONE };
}

kin_obj kin_bool(bool value)
{
    return (kin_obj){ .type = KIN_TYPE_BOOL, .as.i = value };
}

kin_obj kin_int(int64_t value)
{
    return (kin_obj){ .type = KIN_TYPE_INT, .as.i = value };
}

kin_obj kin_float(double value)
{
    return (kin_obj){ .type = KIN_TYPE_FLOAT, .as.f = value };
}

static chars *text_new(kin_type type, size_t size)
{
    if (size > SIZE_MAX / 2) {
        (void)kin__fail(KIN_ENOMEM, "%s of %zu bytes is too large", kin__type_name(type), size);
        return NULL;
    }
    chars *t = kin__node_new(type, sizeof *t + size + 1);
    if (t != NULL) {
        t->node.len = size;
        t->data[size] = 0;
    }
    return t;
}

static kin_obj copy_text(kin_type type, const void *data, size_t size)
{
    if (data == NULL && size > 0) {
        const char *verb = type == KIN_TYPE_STR ? "kin_strn" : "kin_bytes";
        return kin__obj_invalid(kin__fail(KIN_EINVAL, "%s: %zu bytes at NULL", verb, size));
    }
    chars *t = text_new(type, size);
    if (t == NULL) {
        return kin__obj_invalid(KIN_ENOMEM);
    }
    if (size > 0) {
        memcpy(t->data, data, size);
    }
    return of_node(t);
}

static kin_obj format_text(const char *verb, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = format == NULL ? -1 : vsnprintf(NULL, 0, format, args);
    chars *t = size < 0 ? NULL : text_new(KIN_TYPE_STR, (size_t)size);
    if (t != NULL) {
        (void)vsnprintf(t->data, (size_t)size + 1, format, again);
    }
    va_end(again);
    if (size < 0) {
        return kin__obj_invalid(kin__fail(KIN_EINVAL, "%s: the format cannot be printed", verb));
    }
    return t == NULL ? kin__obj_invalid(KIN_ENOMEM) : of_node(t);
}

kin_obj kin_str(const char *s)
{
    if (s == NULL) {
        return kin__obj_invalid(kin__fail(KIN_EINVAL, "kin_str: the text is NULL"));
    }
    return copy_text(KIN_TYPE_STR, s, strlen(s));
}

kin_obj kin_strn(const char *s, size_t size)
{
    return copy_text(KIN_TYPE_STR, s, size);
}

kin_obj kin_strf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kin_obj o = format_text("kin_strf", format, args);
    va_end(args);
    return o;
}

kin_obj kin_bytes(const void *data, size_t size)
{
    return copy_text(KIN_TYPE_BYTES, data, size);
}

kin_obj kin_bytearray(const void *data, size_t size)
{
    kin_obj o = copy_text(KIN_TYPE_BYTES, data, size);
    if (is_heap(o)) {
        ((node *)o.as.p)->flags = VARIANT;
    }
    return o;
}

kin_obj kin_error(int code, const char *format, ...)
{
    if (code >= 0) {
        return kin__obj_invalid(
            kin__fail(KIN_EINVAL, "kin_error: a code of %d is not negative", code));
    }
    va_list args;
    va_start(args, format);
    kin_obj text = format_text("kin_error", format, args);
    va_end(args);
    return kin__error_new(code, 0, text, kin_none());
}

/* Text and arguments are given. */
kin_obj kin__error_new(int code, unsigned mark, kin_obj text, kin_obj args)
{
    box *b = text.type == KIN_TYPE_INVALID ? NULL : kin__box_new(KIN_TYPE_ERROR, ERROR_SLOTS);
    if (b == NULL) {
        kin_obj failed = text.type == KIN_TYPE_INVALID ? text : kin__obj_invalid(KIN_ENOMEM);
        kin_release(text);
        kin_release(args);
        return failed;
    }
    b->node.code = code;
    b->node.mark = (uint16_t)mark;
    b->node.len = ERROR_SLOTS;
    b->items[ERROR_TEXT] = text;
    b->items[ERROR_ARGS] = args;
    return of_node(b);
}

/* ---- asking ------------------------------------------------------------------------ */

kin_type kin_type_of(kin_obj o)
{
    return (kin_type)o.type;
}

bool kin_is_none(kin_obj o)
{
    return o.type == KIN_TYPE_NONE;
}

size_t kin_len(kin_obj o)
{
    return is_heap(o) && o.type >= KIN_TYPE_STR && o.type != KIN_TYPE_ERROR
               ? ((const node *)o.as.p)->len
               : 0;
}

bool kin_is_error(kin_obj o)
{
    return o.type == KIN_TYPE_ERROR || o.type == KIN_TYPE_INVALID;
}

int kin_error_code(kin_obj o)
{
    if (o.type == KIN_TYPE_ERROR) {
        return ((const node *)o.as.p)->code;
    }
    if (o.type == KIN_TYPE_INVALID) {
        return o.code >= 0 ? KIN_EINVAL : o.code;
    }
    return 0;
}

const char *kin_error_text(kin_obj o)
{
    if (o.type == KIN_TYPE_ERROR) {
        return kin_as_str(((const box *)o.as.p)->items[ERROR_TEXT]);
    }
    return o.type == KIN_TYPE_INVALID ? kin_strerror(kin_error_code(o)) : "";
}

/* ---- reading, checked -------------------------------------------------------------- */

/* With no place for the value these still check. */
#define PUT(ret, value)                                                                            \
    do {                                                                                           \
        if ((ret) != NULL) {                                                                       \
            *(ret) = (value);                                                                      \
        }                                                                                          \
    } while (0)

int kin_to_bool(kin_obj o, bool *ret_value)
{
    if (o.type != KIN_TYPE_BOOL) {
        return kin__obj_mismatch(o, "kin_to_bool", "a bool");
    }
    PUT(ret_value, o.as.i != 0);
    return 0;
}

int kin_to_int(kin_obj o, int64_t *ret_value)
{
    if (o.type != KIN_TYPE_INT && o.type != KIN_TYPE_BOOL) {
        return kin__obj_mismatch(o, "kin_to_int", "an int");
    }
    if (is_heap(o)) {
        return kin__fail(KIN_ERANGE, "kin_to_int: an int of %zu bits does not fit 64",
                         ((const node *)o.as.p)->len * 32);
    }
    PUT(ret_value, o.as.i);
    return 0;
}

int kin_to_float(kin_obj o, double *ret_value)
{
    if (o.type != KIN_TYPE_FLOAT && o.type != KIN_TYPE_INT && o.type != KIN_TYPE_BOOL) {
        return kin__obj_mismatch(o, "kin_to_float", "a float");
    }
    double value = o.type == KIN_TYPE_FLOAT ? o.as.f : (double)o.as.i;
    int rv = is_big(o) ? kin__bigint_to_float(o.as.p, &value) : 0;
    if (rv == 0) {
        PUT(ret_value, value);
    }
    return rv;
}

int kin_to_str(kin_obj o, const char **ret_text)
{
    if (o.type != KIN_TYPE_STR) {
        return kin__obj_mismatch(o, "kin_to_str", "a str");
    }
    PUT(ret_text, ((const chars *)o.as.p)->data);
    return 0;
}

int kin_to_bytes(kin_obj o, const void **ret_data, size_t *ret_size)
{
    if (o.type != KIN_TYPE_BYTES) {
        return kin__obj_mismatch(o, "kin_to_bytes", "bytes");
    }
    const chars *t = o.as.p;
    PUT(ret_data, t->data);
    PUT(ret_size, t->node.len);
    return 0;
}

/* ---- reading, short ---------------------------------------------------------------- */

bool kin_as_bool(kin_obj o)
{
    bool value = false;
    (void)kin_to_bool(o, &value);
    return value;
}

int64_t kin_as_int(kin_obj o)
{
    int64_t value = 0;
    (void)kin_to_int(o, &value);
    return value;
}

double kin_as_float(kin_obj o)
{
    double value = 0;
    (void)kin_to_float(o, &value);
    return value;
}

const char *kin_as_str(kin_obj o)
{
    const char *value = "";
    (void)kin_to_str(o, &value);
    return value;
}

const void *kin_as_bytes(kin_obj o)
{
    const void *value = NULL;
    (void)kin_to_bytes(o, &value, NULL);
    return value;
}
