/* shared.c - objects that stand for something outside: a block of the domain, bytes on their way,
 * a function.
 *
 * A shared thing is held by its ref, that is address and generation: whoever asks for it after it
 * was freed is told so. A buffer owns its block until it gives it away, once, by one exchange. */
#include "../os/module.h"
#include "local.h"

/* ---- shared ------------------------------------------------------------------------ */

static int refuse(const void *thing, const char *verb)
{
    if (thing != NULL && kin__in_domain(thing, 1)) {
        return kin__fail(KIN_EINVAL,
                         "%s: %p lies in the family's memory, but is not the beginning of anything "
                         "there; a place inside a block cannot be shared, only the block",
                         verb, thing);
    }
    return kin__fail(KIN_EINVAL, "%s: %p is not in the family's memory (kin_alloc)", verb, thing);
}

/* The ref of a block of whatever type. */
static int ref_of(const void *thing, const char *verb, kin__ref *ret_ref)
{
    kin__type type = thing == NULL ? 0 : kin__block_type(thing);
    if (type == 0) {
        return refuse(thing, verb);
    }
    int rv = kin__block_check(thing, type, verb);
    if (rv == 0) {
        *ret_ref = kin__block_ref(thing);
    }
    return rv;
}

kin_obj kin_shared(const void *thing)
{
    kin__ref ref;
    kin_obj o;
    if (thing != NULL && !kin__in_domain(thing, 1) && kin__local_find(thing, &o)) {
        return o;
    }
    int rv = ref_of(thing, "kin_shared", &ref);
    if (rv < 0) {
        return kin__obj_invalid(rv);
    }
    return (kin_obj){ .type = KIN_TYPE_SHARED, .as.i = (int64_t)ref };
}

int kin_to_shared(kin_obj o, void **ret_thing)
{
    if (o.type != KIN_TYPE_SHARED) {
        return kin__obj_mismatch(o, "kin_to_shared", "a shared thing");
    }
    int rv = 0;
    void *thing = NULL;
    if (is_local(o)) {
        rv = kin__local_thing(o, &thing);
    } else {
        thing = kin__block_at((kin__ref)o.as.i, 0, &rv);
    }
    if (thing == NULL) {
        return rv;
    }
    if (ret_thing != NULL) {
        *ret_thing = thing;
    }
    return 0;
}

void *kin_as_shared(kin_obj o)
{
    void *thing = NULL;
    (void)kin_to_shared(o, &thing);
    return thing;
}

int (*_Atomic kin__remote_call)(const void *thing, const char *method, kin_obj args, double seconds,
                                kin_obj *ret);

void *kin_as_shared_type(kin_obj o, int kind)
{
    void *thing = kin_as_shared(o);
    int is = is_local(o) ? kin__local_kind_of(o) : (int)kin__block_type(thing);
    if (thing != NULL && is != kind && !(is_local(o) && kin__local_can_be(o, kind))) {
        (void)kin__fail(KIN_ETYPE, "kin_as: the shared thing at %p is of another type", thing);
        return NULL;
    }
    return thing;
}

/* ---- buffers ----------------------------------------------------------------------- */

kin_obj kin_buffer(void *memory, size_t size)
{
    kin__ref ref;
    int rv = ref_of(memory, "kin_buffer", &ref);
    if (rv < 0) {
        return kin__obj_invalid(rv);
    }
    if (kin__block_type(memory) != KIN__RAW || size > kin__block_size(memory)) {
        return kin__obj_invalid(kin__fail(
            KIN_EINVAL, "kin_buffer: %p is not memory of kin_alloc with %zu bytes", memory, size));
    }
    loan *l = kin__node_new(KIN_TYPE_BUFFER, sizeof *l);
    if (l == NULL) {
        (void)kin__block_discard(ref); /* it was given, and the call failed */
        return kin__obj_invalid(KIN_ENOMEM);
    }
    l->node.len = size;
    atomic_init(&l->block, ref);
    return of_node(l);
}

void *kin_take_buffer(kin_obj o, size_t *ret_size)
{
    if (o.type != KIN_TYPE_BUFFER) {
        (void)kin__obj_mismatch(o, "kin_take_buffer", "a buffer");
        return NULL;
    }
    loan *l = o.as.p;
    kin__ref ref = atomic_exchange(&l->block, 0);
    if (ref == 0) {
        (void)kin__fail(KIN_EFREED, "kin_take_buffer: the bytes were taken or sent before");
        return NULL;
    }
    void *memory = kin__block_at(ref, KIN__RAW, NULL);
    if (memory != NULL && ret_size != NULL) {
        *ret_size = l->node.len;
    }
    return memory;
}

/* ---- functions --------------------------------------------------------------------- */

kin_obj kin_func(kin_fn function)
{
    if (function == NULL) {
        return kin__obj_invalid(kin__fail(KIN_EINVAL, "kin_func: the function is NULL"));
    }
    return (kin_obj){ .type = KIN_TYPE_FUNC, .as.i = (int64_t)(uintptr_t)function };
}

int kin_to_func(kin_obj o, kin_fn *ret_function)
{
    if (o.type != KIN_TYPE_FUNC) {
        return kin__obj_mismatch(o, "kin_to_func", "a function");
    }
    if (ret_function != NULL) {
        *ret_function = (kin_fn)(uintptr_t)o.as.i;
    }
    return 0;
}

kin_fn kin_as_func(kin_obj o)
{
    kin_fn function = NULL;
    (void)kin_to_func(o, &function);
    return function;
}

int kin__func_pack(kin_fn function, uint64_t ret_words[2])
{
    if (kin__os_module_of((uintptr_t)function, &ret_words[0], &ret_words[1]) < 0) {
        return kin__fail(KIN_ENOTFOUND, "the function at %#lx is in no module of this program",
                         (unsigned long)(uintptr_t)function);
    }
    return 0;
}

int kin__func_unpack(const uint64_t words[2], kin_fn *ret_function)
{
    uintptr_t at;
    int rv = kin__os_module_at(words[0], words[1], &at);
    if (rv == 0) {
        *ret_function = (kin_fn)at;
        return 0;
    }
    if (rv == -KIN__NO_MODULE) {
        return kin__fail(KIN_ENOTFOUND,
                         "a function of module %016llx, which this process has not loaded, or "
                         "in another build",
                         (unsigned long long)words[0]);
    }
    return kin__fail(KIN_ECORRUPT, "a function at %#llx, outside the code of module %016llx",
                     (unsigned long long)words[1], (unsigned long long)words[0]);
}
