/* many.c - waiting for many futures, each of which is looked at once.
 *
 * Each future has a seat, and its task a place in a crowd (set.c). Who is told of comes into a row,
 * and is handed out of it. As with a single future, the sleeper looks after the pools every 50 ms:
 * when one has died, all of its futures come into the row.
 */
#include "many.h"
#include "../conn/waitable.h"

static kin__task *task_at(const kin_future *future)
{
    return kin__block_at(future->task, KIN__TASK, NULL);
}

bool kin__future_failed(const kin_future *future)
{
    kin__task *task = task_at(future);
    if (future->parts != NULL && task != NULL && kin__task_is_over(task)) {
        return KIN__TASK_PHASE(atomic_load(&task->state)) != KIN__TASK_DONE ||
               kin__parts_failed(future->parts) != NULL;
    }
    return task == NULL || !kin__task_is_over(task) || kin__task_failed(task);
}

/* ---- the row --------------------------------------------------------------------------------- */

static void line_up(kin__many *many, size_t seat)
{
    many->seats[seat].told = true;
    many->seats[(many->first + many->waiting) % many->n].row = seat;
    many->waiting++;
}

/* It may be that nobody is there, or that he is not done: set.c, R3. */
static void told(void *ctx, size_t seat)
{
    kin__many *many = ctx;
    const kin__seat *s = seat < many->n ? &many->seats[seat] : NULL;
    if (s == NULL || s->future == NULL || s->told) {
        return;
    }
    const kin__task *task = task_at(s->future);
    if (task == NULL || kin__task_is_over(task)) {
        line_up(many, seat);
    }
}

static bool any_told(void *ctx)
{
    kin__many *many = ctx;
    kin__crowd_take(&many->crowd, told, many);
    return many->waiting != 0;
}

/* Nobody will tell of those whose pool has died. */
static void line_up_hopeless(kin__many *many)
{
    for (size_t p = 0; p < many->n_pools; p++) {
        kin__ref pool = many->pools[p];
        bool hopeless = kin__pool_hopeless(pool) < 0;
        if (hopeless) {
            kin__callbacks_forsake(pool);
        }
        for (size_t i = 0; hopeless && i < many->n; i++) {
            const kin__seat *seat = &many->seats[i];
            if (seat->future != NULL && !seat->told && seat->future->pool == pool) {
                line_up(many, i);
            }
        }
    }
}

/* ---- seats ----------------------------------------------------------------------------------- */

int kin__many_new(kin__many *many, size_t n)
{
    *many = (kin__many){ .n = n };
    int rv = kin__crowd_new(&many->crowd, n, NULL, 0);
    if (rv < 0) {
        return rv;
    }
    many->seats = kin__os_calloc(n, sizeof *many->seats);
    if (many->seats == NULL) {
        kin__crowd_end(&many->crowd);
        return kin__fail(KIN_ENOMEM, "no memory to wait for %zu futures", n);
    }
    return 0;
}

void kin__many_remove(kin__many *many, size_t seat)
{
    kin__task *task = task_at(many->seats[seat].future);
    if (task != NULL) {
        kin__crowd_leave(&many->crowd, seat, task, KIN__SET_WAITING);
    }
    if (atomic_load(&many->seats[seat].future->calling) == NULL) { /* else till the end of all */
        kin__future_release(many->seats[seat].held);
        many->seats[seat].held = NULL;
        many->held--;
    }
    many->seats[seat].future = NULL;
    many->seats[seat].told = false;
    many->taken--;
}

void kin__many_end(kin__many *many)
{
    for (size_t i = 0; many->taken + many->held != 0 && i < many->n; i++) {
        if (many->seats[i].future != NULL) {
            kin__many_remove(many, i);
        }
        if (many->seats[i].held != NULL) {
            kin__future_release(many->seats[i].held);
            many->held--;
        }
    }
    kin__crowd_end(&many->crowd);
    kin__os_free(many->seats);
    kin__os_free(many->pools);
    *many = (kin__many){ 0 };
}

/* They are few. */
static int remember_pool(kin__many *many, kin__ref pool)
{
    for (size_t i = many->n_pools; i > 0; i--) {
        if (many->pools[i - 1] == pool) {
            return 0;
        }
    }
    kin__ref *pools = kin__os_realloc(many->pools, (many->n_pools + 1) * sizeof *pools);
    if (pools == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory to wait for one more pool");
    }
    many->pools = pools;
    many->pools[many->n_pools++] = pool;
    return 0;
}

int kin__many_add(kin__many *many, size_t seat, kin_future *future, const char *verb)
{
    int rv;
    kin__task *task = kin__block_at(future->task, KIN__TASK, &rv);
    if (task == NULL) {
        return rv;
    }
    if (future->pool == kin__worker_pool() && !kin__task_is_over(task)) {
        return kin__fail(KIN_EDEADLK, "%s: a worker waits for a task of its own pool", verb);
    }
    rv = remember_pool(many, future->pool);
    rv = rv < 0 ? rv : kin__crowd_join(&many->crowd, seat, task, KIN__SET_WAITING);
    if (rv < 0) {
        return rv;
    }
    many->seats[seat].future = future;
    many->taken++;
    kin__future_hold(future);
    many->seats[seat].held = future;
    many->held++;
    return 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static bool run_callbacks(const kin__many *many)
{
    bool any = false;
    for (size_t i = 0; i < many->n_pools; i++) {
        any |= kin__callbacks_run(many->pools[i], NULL);
    }
    return any;
}

/* While callbacks are pending, who tells our sets tells those of the callbacks as well. */
static kin__gate *enter(const kin__many *many, kin__lobby *lobby)
{
    kin__gate *gate = NULL;
    for (size_t i = 0; gate == NULL && i < many->n_pools; i++) {
        gate = kin__callbacks_enter(lobby, many->pools[i], NULL);
    }
    if (gate == NULL) {
        return &many->crowd.top->told;
    }
    atomic_store(&many->crowd.top->up, kin__block_ref(lobby->top));
    return gate;
}

/* A look, and a sleep. */
static int look(kin__many *many, int64_t deadline)
{
    kin__lobby lobby = { 0 };
    kin__gate *gate = enter(many, &lobby);
    uint32_t ticket = kin__gate_ticket(gate);
    int rv = 0;
    if (!any_told(many) && !run_callbacks(many)) {
        line_up_hopeless(many);
        for (size_t i = 0; many->waiting == 0 && i < many->n_pools; i++) {
            kin__pool_offer_again(many->pools[i]);
        }
        if (many->waiting == 0) {
            rv = kin__may_wait(deadline) ? kin__gate_sleep(gate, ticket, deadline, true)
                                         : KIN_ETIMEDOUT;
        }
    }
    kin__callbacks_leave(&lobby);
    return rv;
}

static int await(kin__many *many, int64_t deadline, const char *verb)
{
    if (any_told(many) || (kin__may_wait(deadline) && kin__spin(any_told, many))) {
        return 0;
    }
    for (;;) {
        int rv = look(many, deadline);
        if (rv != KIN_EINTR && any_told(many)) {
            return 0;
        }
        if (rv < 0) {
            return rv == KIN_ETIMEDOUT ? kin__fail(rv, "%s: none is done within the timeout", verb)
                                       : rv;
        }
    }
}

int kin__many_next(kin__many *many, int64_t deadline, const char *verb, kin_future **ret_future,
                   size_t *ret_seat)
{
    (void)run_callbacks(many);
    int rv = many->waiting != 0 ? 0 : await(many, deadline, verb);
    if (rv < 0) {
        return rv;
    }
    *ret_seat = many->seats[many->first].row;
    many->first = (many->first + 1) % many->n;
    many->waiting--;
    *ret_future = many->seats[*ret_seat].future;
    kin__many_remove(many, *ret_seat);
    (void)kin__callbacks_run((*ret_future)->pool, *ret_future); /* its own as well */
    return 0;
}

/* ---- kin_futures_wait ------------------------------------------------------------------------ */

static int wait_for(kin__many *many, kin_return_when when, int64_t deadline)
{
    while (many->taken != 0) {
        kin_future *done;
        size_t seat;
        int rv = kin__many_next(many, deadline, "kin_futures_wait", &done, &seat);
        if (rv < 0) {
            return rv == KIN_ETIMEDOUT
                       ? kin__fail(rv, "kin_futures_wait: not enough are done within the timeout")
                       : rv;
        }
        if (when == KIN_FIRST_COMPLETED || (when == KIN_FIRST_ERROR && kin__future_failed(done))) {
            return 0;
        }
    }
    return 0;
}

int kin__many_add_all(kin__many *many, kin_future *const futures[], const char *verb)
{
    for (size_t i = 0; i < many->n; i++) {
        int rv = futures[i] == NULL ? kin__fail(KIN_EINVAL, "%s: future %zu is NULL", verb, i)
                                    : kin__many_add(many, i, futures[i], verb);
        if (rv < 0) {
            return rv;
        }
    }
    return 0;
}

int kin_futures_wait(kin_future *const futures[], size_t n, kin_return_when when, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && ((futures == NULL && n != 0) || (unsigned)when > KIN_FIRST_ERROR)) {
        rv = kin__fail(KIN_EINVAL, "kin_futures_wait: the futures are NULL, or there is no such "
                                   "kin_return_when");
    }
    if (rv < 0 || n == 0) {
        return rv;
    }
    kin__many many;
    rv = kin__many_new(&many, n);
    if (rv < 0) {
        return rv;
    }
    rv = kin__many_add_all(&many, futures, "kin_futures_wait");
    rv = rv < 0 ? rv : wait_for(&many, when, deadline);
    kin__many_end(&many);
    return rv;
}

/* ---- for kin_wait ---------------------------------------------------------------------------- */

/* It calls no callbacks: one might free a future that stands among the things of the same call. */

/* The supervisor might be killed before he ends it: then only a look tells. */
static int look_at_future(kin_waitable *thing, bool first, bool *ret_held)
{
    const kin_future *future = thing->thing;
    int code = KIN_EINVAL;
    kin__task *task = future != NULL ? kin__block_at(future->task, KIN__TASK, &code) : NULL;
    if (task == NULL) {
        return future != NULL ? code : kin__fail(code, "the future is NULL");
    }
    if (first) {
        kin__task_watch(task);
    }
    if (kin__task_is_over(task) || kin__pool_hopeless(future->pool) < 0) {
        return 1;
    }
    uint64_t now = (uint64_t)kin__os_now();
    if (now - thing->note >= KIN__NAP) { /* not at each look of a spin */
        thing->note = now;
        kin__pool_offer_again(future->pool);
    }
    *ret_held = true;
    return 0;
}

static kin__gate *gate_of_future(const kin_waitable *thing)
{
    const kin_future *future = thing->thing;
    return &task_at(future)->finished;
}

kin_waitable kin_future_waitable(kin_future *future)
{
    static const kin__waitable_ops ops = { .name = "the future",
                                           .look = look_at_future,
                                           .gate = gate_of_future };
    return (kin_waitable){ .fd = -1, .thing = future, .ops = &ops };
}
