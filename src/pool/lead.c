/* lead.c - what the caller of a loop does: calls the workers, takes part, sees them end, and says
 * what came of it. Workers who have not come when all is shared out are not waited for.
 *
 * Where calls have a limit he takes no part, for nobody could end him: he waits for the workers. Of
 * these each may be lost but once, so what a body that always overruns has left is not begun.
 */
#include "loop.h"

#include <stdio.h>

#define GLANCE 100000000 /* ns from one look at the progress to the next */

typedef struct lead {
    kin__loop *loop;
    const kin__lead *how;
    int64_t deadline;
    kin__progress progress;
    uint32_t called;      /* futures[1] ... */
    uint64_t begun;       /* so many indexes had been claimed in the end */
    kin_future **futures; /* of their tasks, by party; [0] is nobody's */
} lead;

static int call_worker(lead *l, uint32_t party)
{
    kin__task *task;
    int rv = kin__loop_task(l->how->pool, l->loop, party, &task);
    return rv < 0 ? rv : kin__pool_submit(l->how->pool, task, &l->futures[party], l->how->verb);
}

/* Some are better than none. */
static int call_workers(lead *l)
{
    int rv = 0;
    while (rv == 0 && l->called + 1 < l->loop->parties) {
        rv = call_worker(l, l->called + 1);
        l->called += rv == 0;
    }
    return l->called > 0 ? 0 : rv;
}

static bool go_on(void *ctx)
{
    lead *l = ctx;
    if (l->how->progress) {
        kin__progress_show(&l->progress, atomic_load(&l->loop->next), 0);
    }
    bool late = l->deadline != KIN__NEVER && kin__os_now() >= l->deadline;
    return !late && !kin__os_interrupt_is_due();
}

static int fail_late(const lead *l)
{
    if (kin__os_interrupted()) {
        return kin__fail(KIN_EINTR, "%s: interrupted; who is at work ends his share", l->how->verb);
    }
    return kin__fail(KIN_ETIMEDOUT,
                     "%s: not all was done within the timeout; who is at work ends his share",
                     l->how->verb);
}

/* Nobody has claimed it, and nobody will. */
static bool is_undone(const lead *l)
{
    return l->begun < l->loop->count;
}

static kin__task *task_of(const lead *l, uint32_t party)
{
    return kin__block_at(l->futures[party]->task, KIN__TASK, NULL);
}

/* Nothing is left to be claimed. */
static int see_workers_end(lead *l)
{
    for (uint32_t i = 1; i <= l->called; i++) {
        kin__task_withdraw(l->futures[i]->task, KIN__LOST_CANCELLED);
    }
    for (uint32_t i = 1; i <= l->called; i++) {
        int rv = kin__future_wait(l->futures[i], l->deadline, l->how->verb);
        if (rv < 0) {
            return rv == KIN_ETIMEDOUT ? fail_late(l) : rv;
        }
    }
    return 0;
}

/* In the caller's place, where he takes no part: until all have left, or it is too late. */
static int watch_workers(lead *l)
{
    for (uint32_t i = 1; i <= l->called;) {
        int64_t soon = kin__os_now() + GLANCE;
        int64_t until = l->how->progress && soon < l->deadline ? soon : l->deadline;
        int rv = kin__future_wait(l->futures[i], until, l->how->verb);
        if (rv < 0 && (rv != KIN_ETIMEDOUT || !go_on(l))) {
            return rv;
        }
        i += rv == 0;
    }
    return 0;
}

typedef struct lost {
    uint32_t shares;
    int code; /* why the first of them was lost */
    uint64_t begin, end;
    char why[400];
} lost;

/* What the party has left behind. */
static void look_at(const lead *l, uint32_t party, lost *all)
{
    const kin__party *p = &l->loop->party[party];
    uint64_t begin = atomic_load(&p->begin);
    uint64_t end = atomic_load(&p->end);
    bool has_share = begin < end;
    kin_obj result;
    int rv = kin_future_get(l->futures[party], &result, 0);
    if (rv == 0) {
        kin_release(result);
    } else if (has_share ? all->shares++ == 0 : is_undone(l) && all->code == 0) {
        *all = (lost){ .shares = has_share, .code = rv, .begin = begin, .end = end };
        snprintf(all->why, sizeof all->why, "%s", kin_errmsg());
    } else if (!has_share && KIN__TASK_PHASE(atomic_load(&task_of(l, party)->state)) ==
                                 KIN__TASK_DONE) { /* the others have done its work, too */
        kin_log(KIN_LOG_WARNING, "%s: a worker could not take part: %s", l->how->verb,
                kin_errmsg());
    }
}

/* ", the rest is done", or what is not; the numbers are the caller's. */
static void say_rest(const lead *l, char *text, size_t size)
{
    unsigned long long base = l->loop->base;
    if (is_undone(l)) {
        snprintf(text, size, "%llu to %llu were not begun", base + l->begun,
                 base + l->loop->count - 1);
    } else {
        snprintf(text, size, "the rest is done");
    }
}

static int judge(const lead *l)
{
    lost all = { 0 };
    for (uint32_t i = 1; i <= l->called; i++) {
        look_at(l, i, &all);
    }
    if (all.code == 0) {
        return 0;
    }
    uint64_t base = l->loop->base;
    char more[40] = "", rest[80];
    say_rest(l, rest, sizeof rest);
    if (all.shares == 0) {
        return kin__fail(all.code, "%s: %s: %s", l->how->verb, rest, all.why);
    }
    if (all.shares > 1) {
        snprintf(more, sizeof more, " (and %u other shares)", all.shares - 1);
    }
    return kin__fail(all.code, "%s: %llu to %llu%s may be half-done, %s: %s", l->how->verb,
                     (unsigned long long)(base + all.begin),
                     (unsigned long long)(base + all.end - 1), more, rest, all.why);
}

/* 0 when there is nothing left to claim; KIN_ETIMEDOUT. */
static int take_part(lead *l)
{
    kin__runner runner;
    kin__loop_join(l->loop, 0, l->how->function, &runner);
    if (!kin__loop_take_part(&runner, go_on, l)) {
        return kin__fail(KIN_ESTATE, "%s: this is a child that its function has forked",
                         l->how->verb);
    }
    return atomic_load(&l->loop->next) < l->loop->count ? KIN_ETIMEDOUT : 0;
}

static int see_it_done(lead *l, bool *ret_over)
{
    kin__loop *loop = l->loop;
    int rv = loop->limit != 0 ? watch_workers(l) : take_part(l);
    if (rv < 0 && rv != KIN_ETIMEDOUT) {
        return rv;
    }
    l->begun = atomic_exchange(&loop->next, loop->count);
    int ended = see_workers_end(l);
    if (ended < 0) {
        return ended;
    }
    if (rv < 0 && is_undone(l)) {
        return fail_late(l);
    }
    *ret_over = true;
    return judge(l);
}

/* What does not depend on the number of workers has been filled in. */
static void settle_grain(kin__loop *loop)
{
    if (loop->schedule == KIN_SCHEDULE_STATIC) {
        uint32_t hands = loop->limit != 0 ? loop->parties - 1 : loop->parties;
        loop->grain = (loop->count - 1) / hands + 1;
    } else if (loop->grain == 0) {
        loop->grain = 1;
    }
}

static void give(kin__loop *loop)
{
    kin__block_give(loop);
    KIN__STEP("loop.given");
    void *memory = loop->memory != 0 ? kin__block_find(loop->memory, KIN__RAW) : NULL;
    if (memory != NULL) {
        kin__block_give(memory);
    }
}

static int run(lead *l, bool *ret_over)
{
    bool is_worker = l->how->pool->self == kin__worker_pool();
    if (!is_worker && atomic_load(&l->how->pool->phase) >= KIN__POOL_CLOSING) {
        return kin__fail(KIN_ECLOSED, "%s: the pool is closed", l->how->verb);
    }
    int rv = call_workers(l);
    if (rv < 0) {
        return rv;
    }
    kin__progress_begin(&l->progress, l->loop->count);
    rv = see_it_done(l, ret_over);
    if (kin__self() == l->loop->caller) {
        if (l->how->progress) {
            size_t done = atomic_load(&l->loop->next);
            kin__progress_end(&l->progress, done < l->loop->count ? done : l->loop->count, 0);
        }
        for (uint32_t i = 1; i <= l->called; i++) {
            kin_future_free(l->futures[i]);
        }
    }
    return rv;
}

int kin__loop_lead(kin__loop *loop, const kin__lead *how, bool *ret_over)
{
    lead l = { .loop = loop, .how = how };
    give(loop);
    settle_grain(loop);
    *ret_over = false;
    int rv = kin__deadline(how->timeout != 0 ? how->timeout : KIN_FOREVER, &l.deadline);
    if (rv < 0) {
        return rv;
    }
    l.futures = kin__os_calloc(loop->parties, sizeof *l.futures);
    if (l.futures == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for the workers' futures", how->verb);
    }
    rv = run(&l, ret_over);
    kin__os_free(l.futures);
    return rv;
}
