/* array.c - kin_pool_map_array: structs in, structs out, and no objects made.
 *
 * A loop over their numbers. Workers see the family's memory only: arrays that lie elsewhere are
 * copied into a block that goes with the loop, since workers may write there for longer than the
 * caller waits, or lives.
 */
#include "loop.h"

#include <string.h>

#define VERB "kin_pool_map_array"
#define LINE 64

typedef struct wish {
    kin_pool *pool;
    kin_struct_fn fn;
    const kin_map_array *arrays;
    const kin_map_options *options;
    size_t in_bytes, out_bytes;
    bool copies_in, copies_out; /* into the loop's memory */
} wish;

static int check_sizes(wish *w)
{
    const kin_map_array *a = w->arrays;
    if (a->in == NULL || a->out == NULL || a->in_size == 0 || a->out_size == 0) {
        return kin__fail(KIN_EINVAL, VERB ": .in, .in_size, .out or .out_size is not given");
    }
    if (a->n > SIZE_MAX / 4 / a->in_size || a->n > SIZE_MAX / 4 / a->out_size) {
        return kin__fail(KIN_ERANGE, VERB ": %zu structs of %zu and %zu bytes are too many", a->n,
                         a->in_size, a->out_size);
    }
    w->in_bytes = a->n * a->in_size;
    w->out_bytes = a->n * a->out_size;
    uintptr_t in = (uintptr_t)a->in;
    uintptr_t out = (uintptr_t)a->out;
    bool overlap = in < out + w->out_bytes && out < in + w->in_bytes;
    if (overlap && (in != out || a->in_size != a->out_size)) {
        return kin__fail(KIN_EINVAL, VERB ": .out overlaps .in, and is not the same array");
    }
    return 0;
}

/* Whether an array is private. One that only begins in the family's memory is a mistake. */
static int look_where(const void *at, size_t size, const char *what, bool *ret_private)
{
    *ret_private = !kin__in_domain(at, size);
    if (*ret_private && kin__in_domain(at, 1)) {
        return kin__fail(KIN_EINVAL, VERB ": %s ends outside of the family's memory", what);
    }
    return 0;
}

static int check(wish *w)
{
    int rv = kin__block_check(w->pool, KIN__POOL, VERB ": the pool");
    if (rv < 0) {
        return rv;
    }
    if (kin__any_set(w->options->reserved)) {
        return kin__fail(KIN_EINVAL, VERB ": a reserved option is not zero");
    }
    if (w->fn == NULL || w->arrays == NULL) {
        return kin__fail(KIN_EINVAL, VERB ": the function, or the arrays, are NULL");
    }
    const kin_map_array *a = w->arrays;
    if (a->ctx != NULL && !kin__in_domain(a->ctx, 1)) {
        return kin__fail(KIN_EINVAL,
                         VERB ": the .ctx at %p is private memory, which workers do "
                              "not share; make it by kin_alloc",
                         a->ctx);
    }
    if (a->n == 0) {
        return 0;
    }
    rv = check_sizes(w);
    rv = rv < 0 ? rv : look_where(a->in, w->in_bytes, ".in", &w->copies_in);
    return rv < 0 ? rv : look_where(a->out, w->out_bytes, ".out", &w->copies_out);
}

/* Copies what is private. `out` too: a struct that fails leaves there what was there. */
static int make_copies(const wish *w, kin__loop *loop)
{
    bool in_place = w->arrays->in == w->arrays->out;
    size_t in_room = w->copies_in && !in_place ? (w->in_bytes + LINE - 1) / LINE * LINE : 0;
    size_t out_room = w->copies_out ? w->out_bytes : 0;
    if (in_room + out_room == 0) {
        return 0;
    }
    char *copy = kin__block_new(in_room + out_room, KIN__RAW);
    if (copy == NULL) {
        return kin__failure();
    }
    loop->memory = kin__block_ref(copy);
    if (in_room != 0) {
        memcpy(copy, w->arrays->in, w->in_bytes);
        loop->arrays.in = copy;
    }
    if (out_room != 0) {
        memcpy(copy + in_room, w->arrays->out, w->out_bytes);
        loop->arrays.out = copy + in_room;
        loop->arrays.in = in_place ? loop->arrays.out : loop->arrays.in;
    }
    return 0;
}

static int make(const wish *w, kin__loop **ret_loop)
{
    kin__loop *loop;
    int rv = kin__loop_new(w->pool, (kin_fn)(void (*)(void))w->fn, w->arrays->n, &loop);
    if (rv < 0) {
        return rv;
    }
    loop->of_structs = true;
    loop->arrays = *w->arrays;
    loop->grain = w->options->chunksize;
    loop->schedule = loop->grain != 0 ? KIN_SCHEDULE_DYNAMIC : KIN_SCHEDULE_AUTO;
    rv = make_copies(w, loop);
    if (rv < 0) {
        kin__loop_free(loop);
        return rv;
    }
    *ret_loop = loop;
    return 0;
}

/* The first struct that failed, if any did. */
static int judge(const kin__loop *loop)
{
    const kin__party *first = NULL;
    for (uint32_t i = 0; i < loop->parties; i++) {
        const kin__party *p = &loop->party[i];
        if (p->failure < 0 && (first == NULL || p->failed < first->failed)) {
            first = p;
        }
    }
    return first == NULL
               ? 0
               : kin__fail(first->failure, VERB ": struct %llu failed with %s",
                           (unsigned long long)first->failed, kin_errname(first->failure));
}

static int run(const wish *w)
{
    kin__loop *loop;
    bool over;
    int rv = make(w, &loop);
    if (rv < 0) {
        return rv;
    }
    kin__ref ref = loop->self;
    kin__lead how = { .pool = w->pool,
                      .verb = VERB,
                      .function = (kin_fn)(void (*)(void))w->fn,
                      .timeout = w->options->timeout,
                      .progress = w->options->progress };
    rv = kin__loop_lead(loop, &how, &over);
    if (over && w->copies_out) {
        memcpy(w->arrays->out, loop->arrays.out, w->out_bytes);
    }
    rv = rv == 0 ? judge(loop) : rv;
    kin__loop_leave(ref, 0);
    return rv;
}

int kin_pool_map_array(kin_pool *pool, kin_struct_fn fn, const kin_map_array *arrays,
                       const kin_map_options *options)
{
    const kin_map_options defaults = { 0 };
    wish w = {
        .pool = pool, .fn = fn, .arrays = arrays, .options = options != NULL ? options : &defaults
    };
    int rv = check(&w);
    return rv < 0 || arrays->n == 0 ? rv : run(&w);
}
