/* callback.c - callbacks of futures: who adds them, who calls them, and who waits for that.
 * The rules are in office.c.
 */
#include "office.h"

static kin__office *const office = &kin__office_of_all;

static kin__task *task_at(const kin_future *future)
{
    return kin__block_at(future->task, KIN__TASK, NULL);
}

/* ---- the helper ------------------------------------------------------------------------------ */

/* A post of the helper's: one where something is due, or any. */
static kin__post *threaded_post(bool due)
{
    kin__post *p = office->posts;
    while (p != NULL && !(p->threaded && (!due || p->due != NULL))) {
        p = p->next;
    }
    return p;
}

static void forsake_hopeless(void)
{
    for (kin__post *p = office->posts; p != NULL; p = p->next) {
        if (p->threaded && kin__pool_hopeless(p->pool) < 0) {
            kin__post_forsake(p);
        }
    }
}

static void help(void *unused)
{
    (void)unused;
    kin__office_lock();
    office->thread = kin__os_thread_self();
    while (threaded_post(false) != NULL) {
        uint32_t ticket = kin__gate_ticket(&office->crowd.top->told);
        kin__post_sort_out();
        forsake_hopeless();
        kin__post *p = threaded_post(true);
        if (p != NULL) {
            (void)kin__post_call_one(p);
            kin__post_close(p);
            continue;
        }
        kin__gate *gate = &office->crowd.top->told;
        office->sleepers++;
        kin__office_unlock();
        (void)kin__gate_doze(gate, ticket, KIN__NEVER, true);
        kin__office_lock();
        office->sleepers--;
    }
    if (office->unjoined) {
        kin__os_thread_detach(office->thread);
    }
    kin__office_helper_leaves();
    kin__office_close();
    kin__office_unlock();
}

/* R5. With the lock. */
static void join_helper(void)
{
    while (office->helper == KIN__HELPER_AT_WORK && threaded_post(false) == NULL) {
        kin__office_await_helper();
    }
    if (office->helper == KIN__HELPER_LEFT) {
        kin__os_thread_join(office->thread); /* he does not need the lock any more */
        office->helper = KIN__HELPER_NONE;
    }
}

static int start_helper(void)
{
    if (office->helper == KIN__HELPER_LEFT) {
        join_helper();
    }
    int rv = office->helper == KIN__HELPER_AT_WORK ? 0 : kin__os_thread_start(help, NULL);
    if (rv < 0) {
        return kin__fail_os(rv, "cannot start a thread for callbacks");
    }
    office->helper = KIN__HELPER_AT_WORK;
    return 0;
}

/* ---- for who submits ------------------------------------------------------------------------- */

/* With the lock. The post stays until begin or cancel: it counts as running. */
static int prepare(const kin_pool *pool, kin__calling *c)
{
    int rv = kin__office_take_seat(&c->seat);
    if (rv < 0) {
        return rv;
    }
    c->post = kin__post_of(pool);
    rv = c->post == NULL ? kin__failure() : c->post->threaded ? start_helper() : 0;
    if (rv < 0) {
        kin__office_free_seat(c->seat);
        kin__post_close(c->post);
    } else {
        c->post->running++;
    }
    return rv;
}

int kin__callback_reserve(const kin_pool *pool, kin_done_fn fn, void *ctx,
                          kin__calling **ret_calling)
{
    kin__calling *c = fn != NULL ? kin__os_calloc(1, sizeof *c) : NULL;
    *ret_calling = c;
    if (fn == NULL) {
        return 0;
    }
    if (c == NULL || !kin__office_handles_forks()) {
        kin__os_free(c);
        return kin__fail(KIN_ENOMEM, "no memory for another callback");
    }
    *c = (kin__calling){ .fn = fn, .ctx = ctx };
    kin__office_lock();
    int rv = prepare(pool, c);
    kin__office_close();
    kin__office_unlock();
    if (rv < 0) {
        *ret_calling = NULL;
        kin__os_free(c);
    }
    return rv;
}

void kin__callback_cancel(kin__calling *c)
{
    if (c != NULL) {
        kin__office_lock();
        kin__office_free_seat(c->seat);
        c->post->running--;
        kin__post_close(c->post);
        kin__office_unlock();
        kin__os_free(c);
    }
}

void kin__callback_begin(kin__calling *c, kin_future *future, bool owned)
{
    if (c == NULL) {
        return;
    }
    kin__task *task = task_at(future);
    kin__office_lock();
    kin__post *p = c->post;
    p->running--;
    kin__future_hold(future);
    c->next = p->pending;
    c->at = &p->pending;
    if (c->next != NULL) {
        atomic_load(&c->next->calling)->at = &c->next;
    }
    p->pending = future;
    atomic_store(&future->calling, c);
    office->seats[c->seat] = future;
    if (task != NULL) { /* where a waiter's may have been: it opens the same gate */
        atomic_store(&task->sets[KIN__SET_CALLING], 0);
        (void)kin__crowd_join(&office->crowd, c->seat, task, KIN__SET_CALLING);
    }
    kin__office_wake();
    kin__office_unlock();
    if (!owned) {
        kin_future_free(future);
    }
}

int kin_future_on_done(kin_future *future, kin_done_fn fn, void *ctx)
{
    int rv;
    if (kin__future_task(future, "kin_future_on_done", &rv) == NULL) {
        return rv;
    }
    if (fn == NULL) {
        return kin__fail(KIN_EINVAL, "kin_future_on_done: the function is NULL");
    }
    const kin_pool *pool = kin__block_at(future->pool, KIN__POOL, &rv);
    if (pool == NULL) {
        return rv;
    }
    kin__calling *c;
    rv = kin__callback_reserve(pool, fn, ctx, &c);
    kin__calling *none = NULL;
    if (rv == 0 && !atomic_compare_exchange_strong(&future->calling, &none, c)) {
        kin__callback_cancel(c);
        return kin__fail(KIN_ESTATE, "kin_future_on_done: this future has a callback already");
    }
    if (rv == 0) {
        kin__callback_begin(c, future, true);
    }
    return rv;
}

/* ---- for who waits --------------------------------------------------------------------------- */

bool kin__callbacks_are_any(void)
{
    return atomic_load(&kin__office_posts) != 0;
}

bool kin__callbacks_run(kin__ref pool, kin_future *own)
{
    if (!kin__callbacks_are_any()) {
        return false;
    }
    bool any = false;
    kin__office_lock();
    kin__post *p = kin__post_find(pool);
    if (p != NULL && !p->threaded && !kin__post_is_around(p)) {
        const kin__calling *c = own != NULL ? atomic_load(&own->calling) : NULL;
        if (c != NULL && c->state == KIN__CALL_PENDING) {
            kin__post_sort_out_at(c->seat); /* who ended it may not have told yet */
        }
        do {
            kin__post_sort_out();
        } while (kin__post_call_one(p) && (any = true));
        kin__post_close(p);
    }
    kin__office_unlock();
    return any;
}

void kin__callbacks_forsake(kin__ref pool)
{
    if (atomic_load(&kin__office_posts) == 0) {
        return;
    }
    kin__office_lock();
    kin__post *p = kin__post_find(pool);
    if (p != NULL) {
        kin__post_forsake(p);
        kin__office_wake();
    }
    kin__office_unlock();
    (void)kin__callbacks_run(pool, NULL);
}

kin__gate *kin__callbacks_enter(kin__lobby *lobby, kin__ref pool, kin__task *task)
{
    *lobby = (kin__lobby){ 0 };
    if (atomic_load(&kin__office_posts) == 0) {
        return NULL;
    }
    kin__office_lock();
    const kin__post *p = kin__post_find(pool);
    if (p != NULL && !p->threaded && !kin__post_is_around(p)) {
        lobby->top = office->crowd.top;
        lobby->ticket = kin__gate_ticket(&lobby->top->told); /* now: to hear who passes on */
        lobby->forks = office->forks;
        office->sleepers++;
    }
    if (lobby->top != NULL && task != NULL && kin__office_take_seat(&lobby->seat) == 0) {
        lobby->task = task;
        office->crowded |= kin__crowd_join(&office->crowd, lobby->seat, task, KIN__SET_CALLING) < 0;
    }
    kin__office_unlock();
    return lobby->top != NULL ? &lobby->top->told : NULL;
}

void kin__callbacks_leave(kin__lobby *lobby)
{
    if (lobby->top == NULL) {
        return;
    }
    kin__office_lock();
    if (lobby->forks != office->forks) {
        kin__office_unlock();
        return;
    }
    if (lobby->task != NULL) {
        uint32_t place = (uint32_t)(lobby->seat % KIN__SET_ROOM);
        if (atomic_load(&lobby->task->places[KIN__SET_CALLING]) ==
            place) { /* it is not another's */
            kin__crowd_leave(&office->crowd, lobby->seat, lobby->task, KIN__SET_CALLING);
        }
        kin__office_free_seat(lobby->seat);
    }
    office->sleepers--;
    kin__office_close();
    kin__office_unlock();
}

void kin__callbacks_pass_on(void)
{
    if (atomic_load(&kin__office_posts) == 0) {
        return;
    }
    kin__office_lock();
    if (office->crowded) {
        office->crowded = false;
        kin__office_wake();
    }
    kin__office_unlock();
}

/* Whether what is to be awaited at a pool's end is over. With the lock. In a callback nobody waits
 * for those that others are in: they may wait for him. */
static bool is_settled(const kin__post *p)
{
    return p == NULL || kin__post_is_around(p) ||
           (kin__post_in_any() && p->pending == NULL && p->due == NULL);
}

int kin__callbacks_join(kin__ref pool, int64_t deadline)
{
    int rv = 0;
    kin__office_lock();
    while (rv == 0 && !is_settled(kin__post_find(pool))) {
        kin__gate *gate = &office->crowd.top->told;
        uint32_t ticket = kin__gate_ticket(gate);
        unsigned forks = office->forks;
        office->sleepers++;
        kin__office_unlock();
        bool called = kin__callbacks_run(pool, NULL);
        if (!called && kin__pool_hopeless(pool) < 0) {
            kin__callbacks_forsake(pool);
        }
        if (!called) {
            rv = kin__may_wait(deadline) ? kin__gate_sleep(gate, ticket, deadline, true)
                                         : KIN_ETIMEDOUT;
        }
        kin__office_lock();
        office->sleepers -= office->forks == forks;
        kin__office_close();
    }
    bool settled = is_settled(kin__post_find(pool));
    if (settled && !kin__post_in_any()) {
        join_helper();
    }
    office->unjoined |= kin__post_in_any() && office->helper == KIN__HELPER_AT_WORK;
    kin__office_unlock();
    return settled ? 0
           : rv == KIN_ETIMEDOUT
               ? kin__fail(rv, "kin_pool_join: not all callbacks were called within the timeout")
               : rv;
}
