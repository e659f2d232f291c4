/* loop.c - indexes that are shared out: who is free claims the next share of them.
 *
 * Idea. A loop is one block of the family's; no messages are sent but a task for each worker that
 * names it. All that is shared is the first index that nobody has: a claim is one CAS which moves
 * it on. What a share may cost is measured as they go, so that the CAS costs nothing beside it.
 *
 *     0 ......................... next ........................ count
 *      done, or in a party's hands  |        nobody's
 *                                   +--- CAS --> begin .. end in the party's place
 *
 * Rules.
 *   R1  A party writes the share into its place before it claims it, and wipes it out when all of
 *       it is done. What stands there after its death may be half-done; all else is done, or will
 *       be by others.
 *   R2  A place is written by its party alone; the caller reads it when the party's task is over.
 *   R3  The caller ends a loop early by one exchange of `next` with `count`.
 *   R4  A party says that it has left, and then looks whether all have: who finds that frees the
 *       loop. A worker's party leaves when its task is freed, by whoever frees that: task.c sees to
 *       it that somebody does. More than one may find it: both know the refs from before.
 *   R5  A body may fork, and the child may return from it: it is no party, and stops there.
 *   R6  Where calls have a limit each is noted (limit.c), and moves the begin in the party's place:
 *       that is the index of who overran. The caller takes no part then.
 *
 * Death. A worker killed before his CAS: the share is the next one's, and is named none the less,
 * since nobody can tell; after it: his task is lost, and his place says with which share. His task
 * is freed as any other of a dead worker, and so he has left. Killed while he frees the loop: he
 * stands in his task's state, and who frees that task for him finds the same (R4). The caller
 * killed: the workers do the rest; his tasks are freed with the pool, and the last of them frees
 * the loop, for a dead caller has left. Killed before there was a task, or after all were freed:
 * the pool's end frees it (kin__loops_forsake).
 *
 * Not here. The caller's side (lead.c); what is done for an index (for.c, array.c).
 */
#include "loop.h"

#include <stdio.h>
#include <string.h>

#define COST 75000.0 /* ns that a share of the automatic schedule is to cost */
#define GROWTH 16    /* times the last one it may be, whatever that had cost */
#define LEAST 32     /* towards the end shares get smaller, down to that part of it */

typedef struct ticket { /* a task's arguments */
    kin__ref loop;
    uint32_t party;
} ticket;

static _Thread_local void *part_of_thread;

void *kin_for_part(void)
{
    return part_of_thread;
}

/* ---- shares ---------------------------------------------------------------------------------- */

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many of those that are left. */
static uint64_t share_of(const kin__runner *r, uint64_t left)
{
    const kin__loop *loop = r->loop;
    uint64_t half = left / 2 / loop->parties;
    uint64_t size = loop->grain;
    if (loop->schedule == KIN_SCHEDULE_AUTO) {
        uint64_t least = r->fit / LEAST + 1;
        size = half > least ? least_of(half, r->fit) : least;
    } else if (loop->schedule == KIN_SCHEDULE_GUIDED && half > size) {
        size = half;
    }
    return least_of(size, left);
}

static bool take_share(kin__runner *r)
{
    kin__loop *loop = r->loop;
    uint64_t seen = r->end;
    while (seen < loop->count) {
        uint64_t end = seen + share_of(r, loop->count - seen);
        atomic_store_explicit(&r->me->begin, seen, memory_order_relaxed); /* R1: before the CAS */
        atomic_store_explicit(&r->me->end, end, memory_order_relaxed);
        KIN__STEP("loop.named");
        if (atomic_compare_exchange_strong(&loop->next, &seen, end)) {
            r->begin = seen;
            r->end = end;
            KIN__STEP("loop.claimed");
            return true;
        }
    }
    atomic_store_explicit(&r->me->end, 0, memory_order_relaxed);
    return false;
}

static void call_for_struct(const kin__runner *r, uint64_t i)
{
    kin_struct_fn fn = (kin_struct_fn)(void (*)(void))r->function;
    const kin_map_array *a = &r->loop->arrays;
    const char *in = a->in;
    char *out = a->out;
    int rv = fn(in + i * a->in_size, out + i * a->out_size, a->ctx);
    if (rv < 0 && r->me->failure == 0) {
        r->me->failed = i;
        r->me->failure = rv;
    }
}

/* R6 */
static void run_limited(const kin__runner *r)
{
    kin__calls *c = r->calls;
    kin__body body = (kin__body)(void (*)(void))r->function;
    for (uint64_t i = r->begin; i < r->end && !c->condemned; i++) {
        atomic_store_explicit(&r->me->begin, i, memory_order_relaxed);
        kin__limit_begin(c->pool, c->me, c->limit);
        if (r->loop->of_structs) {
            call_for_struct(r, i);
        } else {
            body(r->loop->base + i, r->loop->arrays.ctx);
        }
        if (kin__self() != r->self) {
            return; /* R5: it is not his to say that the call has returned */
        }
        c->condemned = !kin__limit_end(c->me);
    }
}

static void run_share(const kin__runner *r)
{
    if (r->calls != NULL) {
        run_limited(r);
        return;
    }
    for (uint64_t i = r->begin; r->loop->of_structs && i < r->end; i++) {
        call_for_struct(r, i);
    }
    if (r->loop->of_structs) {
        return;
    }
    kin__body body = (kin__body)(void (*)(void))r->function;
    void *ctx = r->loop->arrays.ctx;
    uint64_t end = r->loop->base + r->end;
    uint64_t i = r->loop->base + r->begin;
    for (; end - i >= 4; i += 4) { /* a fifth faster where a body does next to nothing */
        body(i, ctx);
        body(i + 1, ctx);
        body(i + 2, ctx);
        body(i + 3, ctx);
    }
    for (; i < end; i++) {
        body(i, ctx);
    }
}

/* Learns from the share that was begun then; it is now. */
static int64_t learn(kin__runner *r, int64_t begun)
{
    int64_t now = kin__os_now();
    uint64_t size = r->end - r->begin;
    double fit = (double)size * COST / (double)(now > begun ? now - begun : 1);
    r->fit = fit < (double)size * GROWTH ? (uint64_t)fit + 1 : size * GROWTH;
    return now;
}

bool kin__loop_take_part(kin__runner *r, bool (*go_on)(void *), void *ctx)
{
    void *outer = part_of_thread;
    bool measured = r->loop->schedule == KIN_SCHEDULE_AUTO;
    int64_t begun = measured ? kin__os_now() : 0;
    bool is_child = false;
    part_of_thread = r->part;
    while ((go_on == NULL || go_on(ctx)) && take_share(r)) {
        r->me->worked = true;
        run_share(r);
        is_child = kin__self() != r->self; /* R5 */
        if (is_child || (r->calls != NULL && r->calls->condemned)) {
            break;
        }
        atomic_store_explicit(&r->me->end, 0, memory_order_release); /* R1: after the share */
        begun = measured ? learn(r, begun) : 0;
    }
    part_of_thread = outer;
    return !is_child;
}

/* ---- the block ------------------------------------------------------------------------------- */

int kin__loop_new(kin_pool *pool, kin_fn function, uint64_t count, kin__loop **ret_loop)
{
    uint64_t words[2];
    int rv = kin__func_pack(function, words);
    if (rv < 0) {
        return rv;
    }
    /* in a worker of that pool the caller does it all: he would wait for himself */
    bool alone = pool->self == kin__worker_pool();
    int64_t limit = alone ? 0 : pool->task_timeout;
    uint64_t most = limit != 0 ? count : count - 1;
    uint64_t others = alone ? 0 : least_of(atomic_load(&pool->wanted), most);
    size_t size = sizeof(kin__loop) + (others + 1) * sizeof(kin__party);
    kin__loop *loop = kin__block_new(size, KIN__LOOP);
    if (loop == NULL) {
        return kin__failure();
    }
    memset(loop, 0, size);
    loop->self = kin__block_ref(loop);
    loop->pool = pool->self;
    loop->caller = kin__self();
    loop->parties = (uint32_t)others + 1;
    loop->count = count;
    loop->limit = limit;
    memcpy(loop->function, words, sizeof words);
    for (uint32_t i = 1; i < loop->parties; i++) {
        atomic_store(&loop->party[i].left, true); /* until there is a task for him */
    }
    *ret_loop = loop;
    return 0;
}

void kin__loop_free(kin__loop *loop)
{
    void *memory = loop->memory != 0 ? kin__block_find(loop->memory, KIN__RAW) : NULL;
    if (memory != NULL) {
        kin__block_free(memory);
    }
    kin__block_free(loop);
}

void kin__loop_join(kin__loop *loop, uint32_t party, kin_fn function, kin__runner *ret_runner)
{
    *ret_runner =
        (kin__runner){ .loop = loop,
                       .me = &loop->party[party],
                       .self = kin__self(),
                       .function = function,
                       .part = loop->parts != NULL ? loop->parts + party * loop->part_size : NULL,
                       .end = atomic_load(&loop->next),
                       .fit = 1 };
}

/* The loop of a ref; how many parties fit in it. */
static kin__loop *loop_at(kin__ref ref, uint32_t *ret_parties)
{
    size_t size;
    kin__loop *loop = kin__block_shared(ref, KIN__LOOP, &size);
    if (loop == NULL || size <= sizeof *loop) {
        return NULL;
    }
    *ret_parties = (uint32_t)least_of(loop->parties, (size - sizeof *loop) / sizeof(kin__party));
    return loop;
}

static void discard(kin__ref loop, kin__ref memory)
{
    (void)kin__block_discard(memory);
    KIN__STEP("loop.emptied");
    (void)kin__block_discard(loop);
}

void kin__loop_leave(kin__ref ref, uint32_t party)
{
    uint32_t parties;
    kin__loop *loop = loop_at(ref, &parties);
    if (loop == NULL || party >= parties) {
        return;
    }
    if (party == 0 && loop->caller != kin__self()) {
        return; /* R5 */
    }
    kin__ref memory = loop->memory; /* R4: the loop is surely there until the next line */
    kin__id caller = loop->caller;
    atomic_store(&loop->party[party].left, true);
    KIN__STEP("loop.left");
    for (uint32_t i = 0; i < parties; i++) {
        if (!atomic_load(&loop->party[i].left) && (i > 0 || kin__alive(caller))) {
            return;
        }
    }
    discard(ref, memory);
}

static void forsake(void *block, void *ctx)
{
    const kin__loop *loop = block;
    const kin_pool *pool = ctx;
    if (kin__block_is_shared(loop->self) && loop->pool == pool->self && !kin__alive(loop->caller)) {
        discard(loop->self, loop->memory);
    }
}

void kin__loops_forsake(kin_pool *pool)
{
    kin__block_each(KIN__LOOP, forsake, pool);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

int kin__loop_task(kin_pool *pool, kin__loop *loop, uint32_t party, kin__task **ret_task)
{
    kin__task *task = kin__task_blank(pool, sizeof(ticket), KIN__TASK_LOOP);
    if (task == NULL) {
        return kin__failure();
    }
    memcpy(task->function, loop->function, sizeof task->function);
    task->size = sizeof(ticket);
    task->limit = loop->limit;
    atomic_store(&task->args_read, true); /* they are no flat object */
    *(ticket *)(void *)task->args = (ticket){ .loop = loop->self, .party = party };
    atomic_store(&loop->party[party].left, false);
    *ret_task = task;
    return 0;
}

void kin__loop_task_freed(const kin__task *task)
{
    const ticket *t = (const ticket *)(const void *)task->args;
    kin__loop_leave(t->loop, t->party);
}

/* In a worker: his party. */
static int serve(const ticket *t, kin_fn function, kin__calls *calls)
{
    uint32_t parties;
    kin__runner runner;
    kin__loop *loop = loop_at(t->loop, &parties);
    if (loop == NULL || t->party >= parties) {
        return kin__fail(KIN_ECORRUPT, "a loop is not where its task says");
    }
    kin__loop_join(loop, t->party, function, &runner);
    runner.calls = calls->limit != 0 ? calls : NULL;
    if (atomic_load(&runner.me->begin) < atomic_load(&runner.me->end)) {
        return kin__fail(KIN_ECRASHED, "the loop's worker died, and his share is not tried again");
    }
    if (runner.part != NULL && !kin__in_domain(runner.part, loop->part_size)) {
        return kin__fail(KIN_ECORRUPT, "the parts of a loop are not in the family's memory");
    }
    if (!kin__loop_take_part(&runner, NULL, NULL)) {
        kin__os_leave(0); /* R5 */
    }
    return 0;
}

kin_obj kin__loop_serve(const kin__task *task, kin_fn function, kin__calls *calls)
{
    int rv = serve((const ticket *)(const void *)task->args, function, calls);
    return rv < 0 ? kin_error(rv, "%s", kin_errmsg()) : kin_none();
}
