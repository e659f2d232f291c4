/* for.c - kin_pool_for: a function of an index, for many of them; a reduction of what they give.
 *
 * Each party that had a share has a part of the reduction in the loop's memory, on cache lines of
 * its own. The caller combines them, in the order of parties, when nobody is at work any more.
 */
#include "loop.h"

#define VERB "kin_pool_for"
#define LINE 64

typedef struct wish {
    kin_pool *pool;
    size_t begin, end;
    kin__body body;
    void *ctx;
    const kin_for_options *options;
} wish;

static int check_options(const kin_for_options *o)
{
    if (kin__any_set(o->reserved)) {
        return kin__fail(KIN_EINVAL, VERB ": a reserved option is not zero");
    }
    if ((unsigned)o->schedule > KIN_SCHEDULE_GUIDED) {
        return kin__fail(KIN_EINVAL, VERB ": %d is no schedule", (int)o->schedule);
    }
    bool any = o->result != NULL || o->combine != NULL || o->result_size != 0;
    if (any && (o->result == NULL || o->combine == NULL || o->result_size == 0)) {
        return kin__fail(KIN_EINVAL, VERB ": a reduction wants all of .result, .result_size and "
                                          ".combine");
    }
    return 0;
}

static int check(const wish *w)
{
    int rv = kin__block_check(w->pool, KIN__POOL, VERB ": the pool");
    rv = rv < 0 ? rv : check_options(w->options);
    if (rv < 0) {
        return rv;
    }
    if (w->body == NULL) {
        return kin__fail(KIN_EINVAL, VERB ": the body is NULL");
    }
    if (w->begin > w->end) {
        return kin__fail(KIN_EINVAL, VERB ": the end, %zu, is before the begin, %zu", w->end,
                         w->begin);
    }
    if (w->ctx != NULL && !kin__in_domain(w->ctx, 1)) {
        return kin__fail(KIN_EINVAL,
                         VERB ": the ctx at %p is private memory, which workers do not "
                              "share; make it by kin_alloc",
                         w->ctx);
    }
    return 0;
}

/* Room for the parts. */
static int make_parts(kin__loop *loop, size_t size)
{
    if (size > SIZE_MAX / 2 / loop->parties - LINE) {
        return kin__fail(KIN_ERANGE, VERB ": %u parts of %zu bytes are too many", loop->parties,
                         size);
    }
    loop->part_size = (size + LINE - 1) / LINE * LINE;
    loop->parts = kin__block_new_zeroed(loop->parties * loop->part_size, KIN__RAW, 0);
    if (loop->parts == NULL) {
        return kin__failure();
    }
    loop->memory = kin__block_ref(loop->parts);
    return 0;
}

static int make(const wish *w, kin__loop **ret_loop)
{
    kin__loop *loop;
    const kin_for_options *o = w->options;
    kin_fn function = (kin_fn)(void (*)(void))w->body;
    int rv = kin__loop_new(w->pool, function, w->end - w->begin, &loop);
    if (rv < 0) {
        return rv;
    }
    loop->base = w->begin;
    loop->schedule = o->schedule;
    loop->grain = o->grain;
    loop->arrays.ctx = w->ctx;
    rv = o->result != NULL ? make_parts(loop, o->result_size) : 0;
    if (rv < 0) {
        kin__loop_free(loop);
        return rv;
    }
    *ret_loop = loop;
    return 0;
}

static void combine(const kin__loop *loop, const kin_for_options *o)
{
    for (uint32_t i = 0; o->result != NULL && i < loop->parties; i++) {
        if (loop->party[i].worked) {
            o->combine(o->result, loop->parts + i * loop->part_size);
        }
    }
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
                      .function = (kin_fn)(void (*)(void))w->body,
                      .timeout = w->options->timeout };
    rv = kin__loop_lead(loop, &how, &over);
    if (rv == 0) {
        combine(loop, w->options);
    }
    kin__loop_leave(ref, 0);
    return rv;
}

int kin_pool_for(kin_pool *pool, size_t begin, size_t end, void (*body)(size_t, void *), void *ctx,
                 const kin_for_options *options)
{
    const kin_for_options defaults = { 0 };
    wish w = { .pool = pool,
               .begin = begin,
               .end = end,
               .body = body,
               .ctx = ctx,
               .options = options != NULL ? options : &defaults };
    int rv = check(&w);
    return rv < 0 || begin == end ? rv : run(&w);
}
