/* The contract of pools whose workers are somebody else's: here, of an engine that lies outside of
 * the library's pool, and knows of that what pool/engine.h, room.h and seen.h say.
 *
 * Its workers are children of the maker's, who is the supervisor: as he lives, so do they. They
 * leave by themselves, and the last one turns the phase. It does not look after who dies. */
#include "harness.h"
#include "pool/seen.h"

#include <pthread.h>

enum { WORKERS_MOST = 8, CREWS = 64 };

/* The maker's own: whom he reaps. */
static struct crew {
    kin__ref pool;
    pid_t pids[WORKERS_MOST];
} crews[CREWS];

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static struct crew *crew_of(kin__ref pool, kin__ref instead)
{
    struct crew *found = NULL;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < CREWS && found == NULL; i++) {
        found = crews[i].pool == pool ? &crews[i] : NULL;
    }
    if (found != NULL) {
        found->pool = instead;
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

static _Noreturn void live_inline(kin_pool *pool, unsigned index)
{
    int status = kin__os_die_with_parent(pool->maker) < 0 ? 1 : kin__worker_run(pool, index);
    bool all_have_left = true;
    for (unsigned i = 0; i < atomic_load(&pool->wanted); i++) {
        all_have_left &= atomic_load(&pool->workers[i].retired);
    }
    if (all_have_left) {
        kin__pool_cancel_queued(pool, KIN__LOST_TERMINATED);
        kin__pool_turn(pool, KIN__POOL_OVER);
    }
    kin__os_leave(status);
}

static int start_inline(kin_pool *pool, const kin_pool_options *options)
{
    struct crew *crew = atomic_load(&pool->wanted) <= WORKERS_MOST ? crew_of(0, pool->self) : NULL;
    if (crew == NULL || options->threads != 0) {
        return kin__fail(KIN_EUNSUPPORTED, "kin_pool_new: that is too much for this engine");
    }
    atomic_store(&pool->supervisor, kin__self());
    kin__pool_turn(pool, KIN__POOL_OPEN);
    for (unsigned i = 0; i < atomic_load(&pool->wanted); i++) {
        kin__seen_starting(pool, i);
        kin__seen_started(pool, i);
        crew->pids[i] = kin__os_fork();
        CHECK_GE(crew->pids[i], 0);
        if (crew->pids[i] == 0) {
            live_inline(pool, i);
        }
    }
    return 0;
}

static void stir_inline(kin_pool *pool)
{
    if (atomic_load(&pool->phase) == KIN__POOL_TERMINATING) {
        kin__pool_cancel_queued(pool, KIN__LOST_TERMINATED);
        kin__pool_call_all(pool);
    }
}

static void reap_inline(kin_pool *pool)
{
    struct crew *crew = crew_of(pool->self, pool->self);
    for (unsigned i = 0; crew != NULL && i < atomic_load(&pool->wanted); i++) {
        CHECK_EQ(test_join(crew->pids[i]), 0);
        kin__ended(crew->pids[i]);
    }
    (void)crew_of(pool->self, 0);
}

static const kin__engine inline_engine = {
    .scheme = "inline", .start = start_inline, .stir = stir_inline, .reap = reap_inline
};

static void add_engine(void)
{
    CHECK_OK(kin__engine_add(&inline_engine));
}

#define ENGINES(ENGINE_, seconds, name)                                                            \
    ENGINE_(inline, add_engine, false, .engine = "inline://", seconds, name)

#include "pool_suite.h"

/* ---- which engine ---------------------------------------------------------------------------- */

TEST(an_engine_is_there_once_it_was_added)
{
    kin_pool *pool = NULL;
    const kin_pool_options options = { .processes = 2, .engine = "inline://anywhere?at=all" };
    CHECK_ERROR(kin_pool_new(&pool, &options), KIN_EUNSUPPORTED);
    CHECK_CONTAINS(kin_errmsg(), "inline://anywhere?at=all");
    CHECK_NULL(pool);
    add_engine();
    CHECK_OK(kin_pool_new(&pool, &options));
    CHECK_PTR(kin__engine_of(pool), &inline_engine);
    free_whole(pool);
}

TEST(what_an_engine_cannot_start_is_no_pool)
{
    kin_pool *pool = NULL;
    add_engine();
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = WORKERS_MOST + 1,
                                            .engine = "inline://")),
                KIN_EUNSUPPORTED);
    CHECK_NULL(pool);
    CHECK_EQ(blocks_in_use(), 0);
}
