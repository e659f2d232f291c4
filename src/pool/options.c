/* options.c - what a pool is told when it is made: checked, and written into the pool.
 *
 * The arguments of initializer and finalizer are flat copies in blocks of the family's, which each
 * worker reads. A flat copy with buffers can be read only once: they are refused.
 *
 * Death. The maker killed: the copies are his until the pool is the family's, and go with it then.
 */
#include "room.h"

#include <stdio.h>
#include <string.h>

static int check_threads(const kin_pool_options *o)
{
    const char *what = o->task_timeout > 0           ? ".task_timeout"
                       : o->max_memory_per_child > 0 ? ".max_memory_per_child"
                       : o->start_method != NULL     ? ".start_method"
                                                     : NULL;
    return o->threads != 0 && what != NULL
               ? kin__fail(KIN_EUNSUPPORTED, "kin_pool_new: %s: only processes can do that", what)
               : 0;
}

int kin__pool_method(const kin_pool_options *o)
{
    static const char *const methods[] = { "fork", "forkserver", "spawn" };
    for (int i = 0; o->start_method != NULL && i < 3; i++) {
        if (strcmp(o->start_method, methods[i]) == 0) {
            return i + 1;
        }
    }
    return o->start_method == NULL ? 0
                                   : kin__fail(KIN_EINVAL,
                                               "kin_pool_new: \"%s\" is no start method: there "
                                               "are fork, forkserver, spawn",
                                               o->start_method);
}

static bool is_absent(kin_obj o)
{
    const kin_obj zero = { 0 };
    return memcmp(&o, &zero, sizeof o) == 0;
}

static int check_rite(kin_fn fn, kin_obj args, const char *what)
{
    if (is_absent(args)) {
        return 0;
    }
    if (fn == NULL) {
        return kin__fail(KIN_EINVAL, "kin_pool_new: there are arguments, and no %s", what);
    }
    int rv = kin__obj_check(args, "kin_pool_new");
    if (rv == 0 && kin_type_of(args) != KIN_TYPE_TUPLE) {
        rv = kin__fail(KIN_ETYPE,
                       "kin_pool_new: the arguments of the %s are no tuple; see kin_args", what);
    }
    return rv;
}

int kin__pool_check_options(const kin_pool_options *o)
{
    int64_t unused;
    if (kin__any_set(o->reserved)) {
        return kin__fail(KIN_EINVAL, "kin_pool_new: a reserved option is not zero");
    }
    unsigned workers = o->processes > o->threads ? o->processes : o->threads;
    if (workers > KIN__PLACES_MOST) {
        return kin__fail(KIN_EINVAL, "kin_pool_new: %u workers are more than %u", workers,
                         KIN__PLACES_MOST);
    }
    int rv = kin__limit_of(o->task_timeout, "kin_pool_new: .task_timeout", &unused);
    rv = rv < 0 ? rv : kin__pool_method(o);
    rv = rv < 0 ? rv : check_threads(o);
    rv = rv < 0 ? rv : check_rite(o->initializer, o->initargs, "initializer");
    return rv < 0 ? rv : check_rite(o->finalizer, o->finalargs, "finalizer");
}

/* ---- into the pool --------------------------------------------------------------------------- */

/* A block of ours with the flat copy. */
static int copy_args(kin_obj args, kin__ref *ret_ref)
{
    size_t size;
    int rv = kin__flat_size(args, &size);
    void *block = rv < 0 ? NULL : kin__block_new(size, KIN__MESSAGE);
    if (block == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    rv = kin__flat_write(args, block, size);
    if (rv == 0 && kin__flat_has_buffers(block, size)) {
        kin__flat_discard(block, size);
        rv = kin__fail(KIN_EINVAL, "kin_pool_new: a buffer goes to one worker, and not to each");
    }
    if (rv < 0) {
        kin__block_free(block);
        return rv;
    }
    *ret_ref = kin__block_ref(block);
    return 0;
}

static int set_rite(kin__rite *rite, kin_fn fn, kin_obj args)
{
    int rv = fn == NULL ? 0 : kin__func_pack(fn, rite->function);
    if (fn == NULL || rv < 0) {
        return rv;
    }
    rite->wanted = true;
    return is_absent(args) ? 0 : copy_args(args, &rite->args);
}

int kin__pool_set_options(kin_pool *pool, const kin_pool_options *o)
{
    const char *name = o->name != NULL && *o->name != '\0' ? o->name : "kin-worker";
    (void)snprintf(pool->name, sizeof pool->name, "%s", name);
    (void)kin__limit_of(o->task_timeout, "", &pool->task_timeout);
    atomic_store(&pool->look_at, KIN__NEVER);
    pool->retries = o->retries;
    pool->max_tasks = o->max_tasks_per_child;
    pool->max_memory = o->max_memory_per_child;
    pool->pin = o->pin;
    int rv = set_rite(&pool->initializer, o->initializer, o->initargs);
    return rv < 0 ? rv : set_rite(&pool->finalizer, o->finalizer, o->finalargs);
}

void kin__pool_give_options(kin_pool *pool)
{
    const kin__ref refs[] = { pool->initializer.args, pool->finalizer.args };
    for (size_t i = 0; i < 2; i++) {
        (void)kin__block_share(refs[i]);
    }
}

void kin__pool_discard_options(kin_pool *pool)
{
    kin__ref refs[] = { pool->initializer.args, pool->finalizer.args, atomic_load(&pool->why) };
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        if (refs[i] != 0 && kin__block_share(refs[i])) {
            (void)kin__block_discard(refs[i]);
        }
    }
}

/* ---- how many -------------------------------------------------------------------------------- */

/* All workers of a pool that each make a pool have the processors together. */
static unsigned share_of_processors(void)
{
    kin__ref outer = kin__worker_pool();
    const kin_pool *pool = outer != 0 ? kin__block_at(outer, KIN__POOL, NULL) : NULL;
    unsigned workers = pool != NULL ? atomic_load(&pool->wanted) : 1;
    unsigned share = (unsigned)kin_cpu_count() / (workers > 0 ? workers : 1);
    return share > 0 ? share : 1;
}

unsigned kin__pool_workers(const kin_pool_options *o)
{
    return o->threads != 0 ? o->threads : o->processes != 0 ? o->processes : share_of_processors();
}

int kin_pool_resize(kin_pool *pool, unsigned workers)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_resize: the pool");
    if (rv < 0) {
        return rv;
    }
    const kin__engine *engine = kin__engine_of(pool);
    if (engine->bring == NULL) {
        return kin__fail(KIN_EUNSUPPORTED, "kin_pool_resize: \"%s\" has workers of a fixed number",
                         engine->scheme);
    }
    if (workers == 0 || workers > pool->places) {
        return kin__fail(KIN_ERANGE, "kin_pool_resize: %u workers: from 1 to %u there may be",
                         workers, pool->places);
    }
    if (atomic_load(&pool->phase) >= KIN__POOL_CLOSING) {
        return kin__fail(KIN_ECLOSED, "kin_pool_resize: the pool is closed");
    }
    unsigned before = atomic_exchange(&pool->wanted, workers);
    KIN__STEP("pool.resized");
    kin__pool_call_all(pool); /* who is too many leaves */
    rv = engine->bring(pool, before);
    if (rv < 0 && atomic_compare_exchange_strong(&pool->wanted, &workers, before)) {
        kin__pool_call_all(pool);
    }
    return rv;
}
