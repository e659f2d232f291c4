/* pool/engine.h - what a pool asks of whoever runs its tasks.
 *
 * A pool is a queue of tasks in the family's memory. An engine brings workers to it: processes
 * (supervise.c), threads (threads.c), or whatever a plug-in has. Its workers take tasks by
 * kin__pool_take, run and end them (worker.c does all that in kin__worker_live), and somebody of it
 * is the pool's supervisor: as long as he lives, he turns the phase as the pool's end comes.
 *
 * An engine that does not kill has workers that leave by themselves when the pool is terminated:
 * kin__worker_live returns when the task in hand is done. Whoever is last turns the phase to OVER,
 * after kin__pool_cancel_queued. What an engine needs in private it finds by pool->self; what is to
 * be seen of its workers it says by kin__seen_starting and its like (seen.h).
 */
#ifndef KIN_POOL_ENGINE_H
#define KIN_POOL_ENGINE_H

#include "../base/room.h"
#include <kin/pool.h>

typedef struct kin__engine {
    const char *scheme; /* of pool options: .engine = "scheme://..." */
    bool kills;         /* a task that runs can be ended: by the end of who runs it */

    /* Brings workers. 0: there is a supervisor, and he has turned the phase to OPEN. */
    int (*start)(kin_pool *pool, const kin_pool_options *options);

    /* In any process of the family: pool->wanted says how many workers there shall be, and there
     * were so many before; who is one too many leaves by himself. 0: the others come. NULL: their
     * number is fixed. */
    int (*bring)(kin_pool *pool, unsigned before);

    /* In any process of the family: the phase was turned, or a task condemned; have a look. */
    void (*stir)(kin_pool *pool);

    /* In the maker, once the phase is OVER or the supervisor is dead: what start took is given
     * back. */
    void (*reap)(kin_pool *pool);
} kin__engine;

extern const kin__engine kin__engine_processes; /* supervise.c */
extern const kin__engine kin__engine_threads;   /* threads.c */

/* Before the first pool of its scheme: the number of engines is small and fixed. KIN_EFULL. */
int kin__engine_add(const kin__engine *engine);

/* Which one those options want; less than 0: KIN_EINVAL, KIN_EUNSUPPORTED. */
int kin__engine_choose(const kin_pool_options *options);
const kin__engine *kin__engine_of(const kin_pool *pool);

#endif
