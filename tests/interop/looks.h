/* looks.h - what an object looks like, as a text to compare with one of Python's
 * (pickle_python.py). Containers are numbered as one meets them: what is shared stays shared, what
 * holds itself does, too. */
#ifndef KIN_TEST_LOOKS_H
#define KIN_TEST_LOOKS_H

#include "unit/obj/python.h"

#include "obj/node.h"
#include <kin/pickle.h>

typedef struct look {
    FILE *out;
    const void *seen[20000];
    size_t n;
    bool plain; /* in a set: members are in no order, so nothing is numbered */
} look;

static void show(look *l, kin_obj o);

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_members(look *l, kin_obj set)
{
    char *texts[2000];
    size_t n = 0;
    kin_obj member;
    for (size_t pos = 0; kin_next_item(set, &pos, &member, NULL); n++) {
        size_t size;
        look *inner = calloc(1, sizeof *inner);
        inner->out = open_memstream(&texts[n], &size);
        inner->plain = true;
        show(inner, member);
        fclose(inner->out);
        free(inner);
    }
    qsort(texts, n, sizeof texts[0], compare_texts);
    for (size_t i = 0; i < n; i++) {
        fprintf(l->out, "%s%s", i > 0 ? "," : "", texts[i]);
        free(texts[i]);
    }
}

/* True when it was met before. */
static bool met(look *l, kin_obj o)
{
    bool unique = kin_len(o) > 0 || kin_type_of(o) != KIN_TYPE_TUPLE;
    unique = unique && (kin_len(o) > 0 || !is_frozenset(o));
    if (l->plain || !is_box(o) || !unique || kin_is_slice(o)) {
        return false;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->seen[i] == o.as.p) {
            fprintf(l->out, "@%zu", i);
            return true;
        }
    }
    CHECK(l->n < sizeof l->seen / sizeof l->seen[0]);
    l->seen[l->n++] = o.as.p;
    return false;
}

static void show_row(look *l, const char *open, kin_obj o, const char *close)
{
    fputs(open, l->out);
    for (size_t i = 0; i < kin_len(o); i++) {
        fputs(i > 0 ? "," : "", l->out);
        show(l, kin_at(o, i));
    }
    fputs(close, l->out);
}

static void show_dict(look *l, kin_obj o)
{
    kin_obj key;
    kin_obj value;
    const char *before = "{";
    for (size_t pos = 0; kin_next_item(o, &pos, &key, &value); before = ",") {
        fputs(before, l->out);
        show(l, key);
        fputc(':', l->out);
        show(l, value);
    }
    fputs(kin_len(o) > 0 ? "}" : "{}", l->out);
}

static void show_error(look *l, kin_obj o)
{
    const char *type = kin_error_type(o);
    if (type[0] == '\0') {
        fprintf(l->out, "error(%d,", kin_error_code(o));
        write_repr(l->out, ((const box *)o.as.p)->items[ERROR_TEXT], ")");
    } else {
        fputs(strrchr(type, '.') == NULL ? type : strrchr(type, '.') + 1, l->out);
        show(l, kin_error_args(o));
    }
}

static void show(look *l, kin_obj o)
{
    if (met(l, o)) {
        return;
    }
    switch (kin_type_of(o)) {
    case KIN_TYPE_LIST:
        show_row(l, "[", o, "]");
        return;
    case KIN_TYPE_TUPLE:
        show_row(l, kin_is_token(o) ? "token(" : kin_is_slice(o) ? "slice(" : "(", o, ")");
        return;
    case KIN_TYPE_DICT:
        show_dict(l, o);
        return;
    case KIN_TYPE_SET:
        fputs(kin_is_frozen(o) ? "frozenset{" : "set{", l->out);
        show_members(l, o);
        fputs("}", l->out);
        return;
    case KIN_TYPE_ERROR:
        show_error(l, o);
        return;
    default:
        write_repr(l->out, o, "");
    }
}

static char *text_of(kin_obj o)
{
    char *text;
    size_t size;
    look *l = calloc(1, sizeof *l);
    l->out = open_memstream(&text, &size);
    show(l, o);
    fclose(l->out);
    free(l);
    return text;
}

#endif
