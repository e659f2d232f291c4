/* token.c - tuples that stand for something of Python's: slices, a manager's tokens and proxies. */
#include "node.h"
#include <kin/pickle.h>

/* What a socket is bound to: a path, an abstract name, or host and port. */
bool kin__is_address(kin_obj o)
{
    if (o.type != KIN_TYPE_TUPLE) {
        return o.type == KIN_TYPE_STR || (o.type == KIN_TYPE_BYTES && !is_bytearray(o));
    }
    const box *b = o.as.p;
    return slots(b) == 2 && b->node.len == 2 && b->node.mark == 0 &&
           b->items[0].type == KIN_TYPE_STR && b->items[1].type == KIN_TYPE_INT;
}

/* None, or a tuple of names. */
bool kin__is_exposed(kin_obj o)
{
    if (o.type != KIN_TYPE_TUPLE) {
        return o.type == KIN_TYPE_NONE;
    }
    const box *b = o.as.p;
    for (size_t i = 0; i < slots(b); i++) {
        if (b->items[i].type != KIN_TYPE_STR) {
            return false;
        }
    }
    return b->node.mark == 0;
}

bool kin__token_is_sane(const box *b)
{
    if (b->node.mark == MARK_SLICE) {
        return b->node.len == 3;
    }
    const kin_obj *items = b->items;
    bool proxy = b->node.len == PROXY_SLOTS;
    if ((!proxy && b->node.len != TOKEN_SLOTS) || items[TOKEN_TYPE].type != KIN_TYPE_STR ||
        items[TOKEN_ID].type != KIN_TYPE_STR || !kin__is_address(items[TOKEN_ADDRESS])) {
        return false;
    }
    return !proxy ||
           (items[PROXY_CLASS].type == KIN_TYPE_STR && kin__is_exposed(items[PROXY_EXPOSED]));
}

static kin_obj marked(kin_obj tuple, unsigned mark, const char *verb)
{
    if (tuple.type == KIN_TYPE_INVALID) {
        return tuple;
    }
    box *b = tuple.as.p;
    b->node.mark = (uint16_t)mark;
    if (!kin__token_is_sane(b)) {
        kin_release(tuple);
        return kin__obj_invalid(kin__fail(KIN_ETYPE, "%s: not what such a thing is made of", verb));
    }
    return tuple;
}

static bool has_mark(kin_obj o, unsigned mark)
{
    return o.type == KIN_TYPE_TUPLE && ((const node *)o.as.p)->mark == mark;
}

kin_obj kin_slice(kin_obj start, kin_obj stop, kin_obj step)
{
    return marked(kin_tuple(start, stop, step), MARK_SLICE, "kin_slice");
}

bool kin_is_slice(kin_obj o)
{
    return has_mark(o, MARK_SLICE);
}

kin_obj kin_token(const char *type_id, kin_obj address, const char *id)
{
    return marked(kin_tuple(kin_str(type_id), address, kin_str(id)), MARK_TOKEN, "kin_token");
}

kin_obj kin_proxy(kin_obj token, const char *class_name, kin_obj exposed)
{
    if (!kin_is_token(token)) {
        int rv = kin__obj_mismatch(token, "kin_proxy", "a token");
        kin_release(token);
        kin_release(exposed);
        return kin__obj_invalid(rv);
    }
    kin_obj o = kin_tuple(kin_at(token, TOKEN_TYPE), kin_at(token, TOKEN_ADDRESS),
                          kin_at(token, TOKEN_ID), kin_str(class_name), exposed);
    kin_release(token);
    return marked(o, MARK_TOKEN, "kin_proxy");
}

bool kin_is_token(kin_obj o)
{
    return has_mark(o, MARK_TOKEN);
}

bool kin_is_frozen(kin_obj o)
{
    switch ((kin_type)o.type) {
    case KIN_TYPE_INVALID:
    case KIN_TYPE_SHARED:
    case KIN_TYPE_BUFFER:
    case KIN_TYPE_LIST:
    case KIN_TYPE_DICT:
        return false;
    case KIN_TYPE_BYTES:
        return !is_bytearray(o);
    case KIN_TYPE_SET:
        return is_frozenset(o);
    default:
        return true;
    }
}
