/* engine.c - which engines there are. Their numbers are the same in all processes that add them in
 * the same order; a process that knows an engine's pool, and not the engine, leaves the stirring to
 * others. */
#include "room.h"

#include <string.h>

#define ENGINES_MOST 8

static const kin__engine nothing = { .scheme = "" };
static const kin__engine *_Atomic engines[ENGINES_MOST] = {
    &kin__engine_processes,
    &kin__engine_threads,
};

int kin__engine_add(const kin__engine *engine)
{
    for (int i = 0; i < ENGINES_MOST; i++) {
        const kin__engine *there = NULL;
        if (atomic_compare_exchange_strong(&engines[i], &there, engine) || there == engine) {
            return i;
        }
    }
    return kin__fail(KIN_EFULL, "there are %d engines already", ENGINES_MOST);
}

static int find(const char *address)
{
    const char *colon = strstr(address, "://");
    for (int i = 0; colon != NULL && i < ENGINES_MOST; i++) {
        const kin__engine *engine = atomic_load(&engines[i]);
        size_t length = engine != NULL ? strlen(engine->scheme) : 0;
        if (length != 0 && length == (size_t)(colon - address) &&
            memcmp(engine->scheme, address, length) == 0) {
            return i;
        }
    }
    return kin__fail(KIN_EUNSUPPORTED, "kin_pool_new: there is no engine for \"%s\"", address);
}

int kin__engine_choose(const kin_pool_options *options)
{
    if (options->engine != NULL) {
        return find(options->engine);
    }
    if (options->threads != 0 && options->processes != 0) {
        return kin__fail(KIN_EINVAL, "kin_pool_new: .threads or .processes, not both");
    }
    return options->threads != 0 ? 1 : 0;
}

const kin__engine *kin__engine_of(const kin_pool *pool)
{
    const kin__engine *engine =
        pool->engine < ENGINES_MOST ? atomic_load(&engines[pool->engine]) : NULL;
    return engine != NULL ? engine : &nothing;
}
