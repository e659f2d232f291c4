/* shareable_list.c - lists in named segments, as Python's ShareableList lays them out.
 *
 * Idea. All of a list is in its segment, and all of its layout was fixed when it was made: how
 * many items, and how much room each has. Only an item's bytes change, and what it is.
 *
 *     0     8              8(N+2)     8(N+2)+D      8(N+2)+D+8N
 *     +-----+--------------+----------+-------------+---------+
 *     |  N  |  N+1 offsets |   data   |  N formats  | N codes |
 *     +-----+--------------+----------+-------------+---------+
 *             into the data; the last one is D
 *
 *     format and code of   none "xxxxxx?x" 3   bool "xxxxxxx?" 0   int "q" 0   float "d" 0
 *                          a str that has 16 bytes of room "16s" 1, of bytes "16s" 2
 *
 * Rules.
 *   R1  N and D are read when the list is opened, and checked against the segment; what is read
 *       later, offsets and formats, is checked each time: anybody may write there.
 *   R2  A text's room is the multiple of 8 above its length in bytes. (Python counts characters,
 *       and cuts what is not ASCII; it reads ours whole.)
 *   R3  What does not fit changes nothing. (Python has changed the format by then.)
 *
 * Death. There is no lock, and an item is written in three parts: who dies in the midst leaves
 * that item half-written.
 *
 * Not here. Names and mappings (shm.c).
 */
#include "room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum code { PLAIN = 0, TEXT = 1, BYTES = 2, NOTHING = 3 };

#define FORMAT 8           /* bytes of a format */
#define TEXT_MOST 9999992u /* whose format has 8 characters */
#define NONE_FORMAT "xxxxxx?x"
#define BOOL_FORMAT "xxxxxxx?"

struct kin_shareable_list {
    kin_shm *shm;
    char *at;
    uint64_t count; /* N */
    uint64_t data;  /* where it begins */
    uint64_t room;  /* D */
};

/* ---- the layout --------------------------------------------------------------------- */

static uint64_t get_word(const kin_shareable_list *l, uint64_t offset)
{
    uint64_t word;
    memcpy(&word, l->at + offset, sizeof word);
    return word;
}

static void put_word(const kin_shareable_list *l, uint64_t offset, uint64_t word)
{
    memcpy(l->at + offset, &word, sizeof word);
}

static char *format_at(const kin_shareable_list *l, uint64_t i)
{
    return l->at + l->data + l->room + FORMAT * i;
}

static char *code_at(const kin_shareable_list *l, uint64_t i)
{
    return l->at + l->data + l->room + FORMAT * l->count + i;
}

/* Where an item lies, and how much room it has. */
typedef struct cell {
    char *at;
    uint64_t room;
} cell;

static int cell_of(const kin_shareable_list *l, uint64_t i, const char *verb, cell *ret)
{
    uint64_t from = get_word(l, 8 * (i + 1));
    uint64_t to = get_word(l, 8 * (i + 2));
    if (from > to || to > l->room) { /* R1 */
        return kin__fail(KIN_ECORRUPT, "%s: item %llu of \"%s\" lies outside of the list", verb,
                         (unsigned long long)i, kin_shm_name(l->shm));
    }
    *ret = (cell){ l->at + l->data + from, to - from };
    return 0;
}

/* ---- an object as an item ----------------------------------------------------------- */

typedef struct item {
    enum code code;
    char format[FORMAT + 1]; /* of a text: once its room is known */
    const void *bytes;       /* of a text */
    uint64_t size;
    uint64_t bits; /* of all others */
} item;

static int describe_text(kin_obj o, const char *verb, item *ret)
{
    bool is_text = kin_type_of(o) == KIN_TYPE_STR;
    ret->code = is_text ? TEXT : BYTES;
    ret->bytes = is_text ? (const void *)kin_as_str(o) : kin_as_bytes(o);
    ret->size = kin_len(o);
    if (ret->size >= TEXT_MOST) {
        return kin__fail(KIN_ERANGE, "%s: a text of %zu bytes is too long for an item", verb,
                         kin_len(o));
    }
    return 0;
}

static int describe(kin_obj o, const char *verb, item *ret)
{
    int rv = kin__obj_check(o, verb);
    if (rv < 0) {
        return rv;
    }
    *ret = (item){ .code = PLAIN, .size = 8 };
    switch (kin_type_of(o)) {
    case KIN_TYPE_NONE:
        ret->code = NOTHING;
        memcpy(ret->format, NONE_FORMAT, FORMAT);
        return 0;
    case KIN_TYPE_BOOL:
        memcpy(ret->format, BOOL_FORMAT, FORMAT);
        ((char *)&ret->bits)[7] = (char)kin_as_bool(o);
        return 0;
    case KIN_TYPE_INT:
        ret->format[0] = 'q';
        return kin__share_pack('q', o, verb, &ret->bits);
    case KIN_TYPE_FLOAT:
        ret->format[0] = 'd';
        return kin__share_pack('d', o, verb, &ret->bits);
    case KIN_TYPE_STR:
    case KIN_TYPE_BYTES:
        return describe_text(o, verb, ret);
    default:
        return kin__fail(KIN_ETYPE, "%s: an item is none, a bool, an int, a float, a str or bytes",
                         verb);
    }
}

static uint64_t room_for(const item *t)
{
    return t->code == TEXT || t->code == BYTES ? 8 * (t->size / 8 + 1) : 8;
}

/* Writes it all, with a format of 8 bytes, into room that is enough. */
static void write_item(const kin_shareable_list *l, uint64_t i, cell c, const item *t)
{
    memcpy(format_at(l, i), t->format, FORMAT);
    *code_at(l, i) = (char)t->code;
    KIN__STEP("share.item");
    if (t->bytes == NULL) {
        memcpy(c.at, &t->bits, sizeof t->bits);
        return;
    }
    memcpy(c.at, t->bytes, t->size);
    memset(c.at + t->size, 0, c.room - t->size);
}

static void name_room(item *t, uint64_t room)
{
    if (t->bytes != NULL) {
        char format[32];
        memset(t->format, 0, sizeof t->format);
        int n = snprintf(format, sizeof format, "%llus", (unsigned long long)room);
        memcpy(t->format, format, n <= FORMAT ? (size_t)n : FORMAT);
    }
}

/* ---- an item as an object ----------------------------------------------------------- */

/* The n of "ns", at most `room`; 0 for what is no such format. */
static uint64_t text_room(const char format[FORMAT + 1], uint64_t room)
{
    char *end;
    unsigned long n = format[0] >= '0' && format[0] <= '9' ? strtoul(format, &end, 10) : 0;
    return n != 0 && n <= room && end[0] == 's' && end[1] == '\0' ? n : 0;
}

static kin_obj read_text(cell c, uint64_t n, enum code code)
{
    while (n > 0 && c.at[n - 1] == '\0') {
        n--;
    }
    return code == TEXT ? kin_strn(c.at, n) : kin_bytes(c.at, n);
}

static kin_obj read_item(const kin_shareable_list *l, uint64_t i, const char *verb)
{
    cell c;
    if (cell_of(l, i, verb, &c) < 0) {
        return kin__obj_invalid(KIN_ECORRUPT);
    }
    char format[FORMAT + 1] = { 0 };
    memcpy(format, format_at(l, i), FORMAT);
    enum code code = (enum code)(unsigned char)*code_at(l, i);
    uint64_t n = text_room(format, c.room);
    if (code == NOTHING) {
        return kin_none();
    }
    if (n > 0 && (code == TEXT || code == BYTES)) {
        return read_text(c, n, code);
    }
    if (code == PLAIN && c.room >= 8) {
        uint64_t bits;
        memcpy(&bits, c.at, sizeof bits);
        if (strcmp(format, "q") == 0 || strcmp(format, "d") == 0) {
            return kin__share_unpack(format[0], bits);
        }
        if (strcmp(format, BOOL_FORMAT) == 0) {
            return kin_bool(c.at[7] != 0);
        }
    }
    return kin__obj_invalid(kin__fail(KIN_ECORRUPT, "%s: item %llu of \"%s\" is of no known kind",
                                      verb, (unsigned long long)i, kin_shm_name(l->shm)));
}

/* ---- life --------------------------------------------------------------------------- */

/* In 64 bits also where a size_t has 32. */
static uint64_t total_size(const kin_shareable_list *l)
{
    return l->data + l->room + (FORMAT + 1) * l->count;
}

/* Writes all, from the end of the offsets to their beginning: N makes it a list. */
static int lay_out(kin_shareable_list *l, kin_obj items, const char *verb)
{
    uint64_t offset = 0;
    l->at = kin_shm_ptr(l->shm);
    for (uint64_t i = 0; i < l->count; i++) {
        item t;
        int rv = describe(kin_at(items, i), verb, &t); /* it was right the first time */
        if (rv < 0) {
            return rv;
        }
        cell c = { l->at + l->data + offset, room_for(&t) };
        name_room(&t, c.room);
        put_word(l, 8 * (i + 1), offset);
        write_item(l, i, c, &t);
        offset += c.room;
    }
    put_word(l, 8 * (l->count + 1), offset);
    put_word(l, 0, l->count);
    return 0;
}

static int measure(kin_obj items, const char *verb, kin_shareable_list *ret)
{
    int rv = kin__obj_check(items, verb);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(items) != KIN_TYPE_LIST && kin_type_of(items) != KIN_TYPE_TUPLE) {
        return kin__fail(KIN_ETYPE, "%s: the items are no list", verb);
    }
    *ret = (kin_shareable_list){ .count = kin_len(items), .data = 8 * (kin_len(items) + 2) };
    for (uint64_t i = 0; i < ret->count && rv == 0; i++) {
        item t;
        rv = describe(kin_at(items, i), verb, &t);
        ret->room += room_for(&t);
    }
    return rv;
}

static int keep(const kin_shareable_list *made, const char *verb, kin_shareable_list **ret_list)
{
    kin_shareable_list *list = kin__os_malloc(sizeof *list);
    if (list == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a handle", verb);
    }
    *list = *made;
    *ret_list = list;
    return 0;
}

static int create(kin_shareable_list **ret_list, kin_obj items, const char *name)
{
    static const char verb[] = "kin_shareable_list_new";
    kin_shareable_list made;
    int rv = ret_list == NULL ? kin__fail(KIN_EINVAL, "%s: the place for the list is NULL", verb)
                              : measure(items, verb, &made);
    if (rv == 0 && total_size(&made) > SIZE_MAX / 2) {
        rv = kin__fail(KIN_ENOMEM, "%s: a list of %llu bytes is too large", verb,
                       (unsigned long long)total_size(&made));
    }
    rv = rv < 0 ? rv : kin_shm_create(&made.shm, name, (size_t)total_size(&made));
    if (rv < 0) {
        return rv;
    }
    rv = lay_out(&made, items, verb);
    rv = rv < 0 ? rv : keep(&made, verb, ret_list);
    if (rv < 0) {
        (void)kin_shm_unlink(kin_shm_name(made.shm));
        kin_shm_free(made.shm);
    }
    return rv;
}

int kin_shareable_list_new(kin_shareable_list **ret_list, kin_obj items, const char *name)
{
    int rv = create(ret_list, items, name);
    kin__obj_drop(items);
    return rv;
}

/* R1 */
static int recognise(kin_shareable_list *l)
{
    uint64_t size = kin_shm_size(l->shm);
    l->at = kin_shm_ptr(l->shm);
    l->count = size >= 16 ? get_word(l, 0) : UINT64_MAX;
    l->data = 8 * (l->count + 2);
    bool good = l->count < size / 17 + 1 && l->data <= size;
    l->room = good ? get_word(l, 8 * (l->count + 1)) : 0;
    if (!good || l->room > size || total_size(l) > size) {
        return kin__fail(KIN_ECORRUPT, "kin_shareable_list_open: the segment \"%s\" holds no list",
                         kin_shm_name(l->shm));
    }
    return 0;
}

int kin_shareable_list_open(kin_shareable_list **ret_list, const char *name)
{
    kin_shareable_list found = { 0 };
    if (ret_list == NULL) {
        return kin__fail(KIN_EINVAL, "kin_shareable_list_open: the place for the list is NULL");
    }
    int rv = kin_shm_open(&found.shm, name);
    if (rv < 0) {
        return rv;
    }
    rv = recognise(&found);
    rv = rv < 0 ? rv : keep(&found, "kin_shareable_list_open", ret_list);
    if (rv < 0) {
        kin_shm_free(found.shm);
    }
    return rv;
}

void kin_shareable_list_free(kin_shareable_list *list)
{
    if (list != NULL) {
        kin_shm_free(list->shm);
        kin__os_free(list);
    }
}

/* ---- items -------------------------------------------------------------------------- */

static int check(const kin_shareable_list *list, const char *verb)
{
    return list != NULL ? 0 : kin__fail(KIN_EINVAL, "%s: the list is NULL", verb);
}

static int find(const kin_shareable_list *l, int64_t index, const char *verb, uint64_t *ret_i)
{
    int rv = check(l, verb);
    if (rv < 0) {
        return rv;
    }
    *ret_i = index < 0 ? l->count + (uint64_t)index : (uint64_t)index;
    if (*ret_i >= l->count) {
        return kin__fail(KIN_ERANGE, "%s: there is no item %lld in a list of %llu", verb,
                         (long long)index, (unsigned long long)l->count);
    }
    return 0;
}

int kin_shareable_list_get(kin_shareable_list *list, int64_t index, kin_obj *ret_object)
{
    uint64_t i = 0;
    if (ret_object == NULL) {
        return kin__fail(KIN_EINVAL, "kin_shareable_list_get: the place for the object is NULL");
    }
    int rv = find(list, index, "kin_shareable_list_get", &i);
    if (rv < 0) {
        return rv;
    }
    kin_obj read = read_item(list, i, "kin_shareable_list_get");
    if (kin_is_error(read)) {
        return kin_error_code(read);
    }
    *ret_object = read;
    return 0;
}

/* A text's format says the room that it has, not its length: so it may be as long again. */
static int replace(const kin_shareable_list *l, uint64_t i, kin_obj object, const char *verb)
{
    item t;
    cell c;
    int rv = describe(object, verb, &t);
    rv = rv < 0 ? rv : cell_of(l, i, verb, &c);
    if (rv < 0) {
        return rv;
    }
    if (t.size > c.room) {
        return kin__fail(KIN_ERANGE, "%s: %llu bytes into an item that has room for %llu", verb,
                         (unsigned long long)t.size, (unsigned long long)c.room);
    }
    name_room(&t, c.room);
    write_item(l, i, c, &t);
    return 0;
}

int kin_shareable_list_set(kin_shareable_list *list, int64_t index, kin_obj object)
{
    uint64_t i = 0;
    int rv = find(list, index, "kin_shareable_list_set", &i);
    rv = rv < 0 ? rv : replace(list, i, object, "kin_shareable_list_set");
    kin__obj_drop(object);
    return rv;
}

/* ---- questions ---------------------------------------------------------------------- */

int64_t kin_shareable_list_len(kin_shareable_list *list)
{
    int rv = check(list, "kin_shareable_list_len");
    return rv < 0 ? rv : (int64_t)list->count;
}

/* Which is the `first` that equals, or else how many do. */
static int64_t look(const kin_shareable_list *l, kin_obj wanted, bool first, const char *verb)
{
    int64_t found = 0;
    int rv = check(l, verb);
    rv = rv < 0 ? rv : kin__obj_check(wanted, verb);
    for (uint64_t i = 0; rv == 0 && i < l->count; i++) {
        kin_obj read = read_item(l, i, verb);
        if (kin_is_error(read)) {
            return kin_error_code(read);
        }
        bool same = kin_equal(read, wanted);
        kin_release(read);
        if (same && first) {
            return (int64_t)i;
        }
        found += same;
    }
    return rv < 0 ? rv : first ? kin__fail(KIN_ENOTFOUND, "%s: no item equals it", verb) : found;
}

int64_t kin_shareable_list_count(kin_shareable_list *list, kin_obj object)
{
    int64_t count = look(list, object, false, "kin_shareable_list_count");
    kin__obj_drop(object);
    return count;
}

int64_t kin_shareable_list_index(kin_shareable_list *list, kin_obj object)
{
    int64_t index = look(list, object, true, "kin_shareable_list_index");
    kin__obj_drop(object);
    return index;
}

int kin_shareable_list_format(kin_shareable_list *list, kin_obj *ret_text)
{
    int rv = check(list, "kin_shareable_list_format");
    if (rv < 0 || ret_text == NULL) {
        return rv < 0 ? rv : kin__fail(KIN_EINVAL, "kin_shareable_list_format: NULL for the text");
    }
    char *text = kin__os_malloc(FORMAT * list->count);
    if (text == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_shareable_list_format: no memory for the text");
    }
    size_t size = 0;
    for (uint64_t i = 0; i < list->count; i++) {
        char format[FORMAT];
        memcpy(format, format_at(list, i), FORMAT);
        for (int k = 0; k < FORMAT && format[k] != '\0'; k++) {
            text[size++] = format[k];
        }
    }
    kin_obj made = kin_strn(text, size);
    kin__os_free(text);
    if (kin_is_error(made)) {
        return kin_error_code(made);
    }
    *ret_text = made;
    return 0;
}

kin_shm *kin_shareable_list_shm(kin_shareable_list *list)
{
    return check(list, "kin_shareable_list_shm") < 0 ? NULL : list->shm;
}
