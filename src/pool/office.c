/* office.c - callbacks of this process: which are pending, which are due.
 *
 * Idea. Each process has one crowd (set.c) for all of its callbacks, and for each pool that has any
 * a post: what is pending there, and what is due. Who waits for a pool calls what is due at its
 * post; while anything is pending there he sleeps at the gate of that crowd, which his own task
 * opens as well. There is neither a post nor a crowd when there are no callbacks.
 *
 *      on_done --> pending --told--> due --a waiter--> called --> done
 *                     |               ^
 *                     +--pool's end---+
 *
 * Rules.
 *   R1  Everything changes under one lock, which nobody holds while he calls or sleeps.
 *   R2  A future that is pending, due or being called is held, as by who waits for it: freeing it
 *       sets a flag. So a callback may free any future, and a waiter's frame is safe.
 *   R3  Nobody calls at a post what became due while he is being called there: callbacks do not
 *       pile up on a stack. Who called him goes on when he is back.
 *   R4  A post is there as long as anything is pending, due or being called at it; the crowd as
 *       long as there is a post, or somebody sleeps there.
 *   R5  The helper is there as long as there is a post for it. Who joins a pool joins it, too.
 *
 * Death. All this is private. The sets go with their process (set.c). A forked child begins with
 * nothing: its parent's callbacks are the parent's. It may be a callback that forks: then the
 * child's frames are about posts that are no more, and leave them alone.
 *
 * Not here. Who adds callbacks, and who waits for them: callback.c.
 */
#include "office.h"

#include <pthread.h>

typedef struct frame {
    const kin__post *post;
    struct frame *outer;
} frame;

static _Thread_local frame *frames; /* whose callbacks this thread is in */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t helper_has_left = PTHREAD_COND_INITIALIZER;
static bool handles_forks;

kin__office kin__office_of_all;
_Atomic unsigned kin__office_posts;

void kin__office_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void kin__office_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

void kin__office_await_helper(void)
{
    pthread_cond_wait(&helper_has_left, &mutex);
}

void kin__office_helper_leaves(void)
{
    kin__office_of_all.helper = kin__office_of_all.unjoined ? KIN__HELPER_NONE : KIN__HELPER_LEFT;
    kin__office_of_all.unjoined = false;
    pthread_cond_broadcast(&helper_has_left);
}

bool kin__office_handles_forks(void)
{
    return handles_forks;
}

static void after_fork_in_child(void)
{
    kin__os_free(kin__office_of_all.seats);
    kin__os_free(kin__office_of_all.spare);
    kin__os_free(kin__office_of_all.crowd.sets); /* the sets are the parent's */
    kin__office_of_all = (kin__office){ .forks = kin__office_of_all.forks + 1 };
    atomic_store(&kin__office_posts, 0);
    helper_has_left = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    frames = NULL;
    kin__office_unlock();
}

/* Before there is a second thread. */
__attribute__((constructor)) static void handle_forks(void)
{
    handles_forks = pthread_atfork(kin__office_lock, kin__office_unlock, after_fork_in_child) == 0;
}

/* ---- seats: with the lock -------------------------------------------------------------------- */

static int add_seats(void)
{
    size_t n = kin__office_of_all.n_seats + KIN__SET_ROOM;
    kin_future **seats = kin__os_realloc(kin__office_of_all.seats, n * sizeof *seats);
    kin__office_of_all.seats = seats != NULL ? seats : kin__office_of_all.seats;
    size_t *spare =
        seats != NULL ? kin__os_realloc(kin__office_of_all.spare, n * sizeof *spare) : NULL;
    kin__office_of_all.spare = spare != NULL ? spare : kin__office_of_all.spare;
    if (spare == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for another callback");
    }
    int rv = kin__office_of_all.crowd.top != NULL
                 ? kin__crowd_grow(&kin__office_of_all.crowd)
                 : kin__crowd_new(&kin__office_of_all.crowd, KIN__SET_ROOM, NULL, 0);
    for (size_t i = n; rv == 0 && i > kin__office_of_all.n_seats; i--) {
        seats[i - 1] = NULL;
        spare[kin__office_of_all.n_spare++] = i - 1;
    }
    kin__office_of_all.n_seats = rv == 0 ? n : kin__office_of_all.n_seats;
    return rv;
}

int kin__office_take_seat(size_t *ret_seat)
{
    int rv = kin__office_of_all.n_spare == 0 ? add_seats() : 0;
    if (rv == 0) {
        *ret_seat = kin__office_of_all.spare[--kin__office_of_all.n_spare];
    }
    return rv;
}

void kin__office_free_seat(size_t seat)
{
    kin__office_of_all.seats[seat] = NULL;
    kin__office_of_all.spare[kin__office_of_all.n_spare++] = seat;
}

void kin__office_close(void)
{
    if (kin__office_of_all.posts == NULL && kin__office_of_all.sleepers == 0 &&
        kin__office_of_all.n_spare == kin__office_of_all.n_seats) {
        kin__crowd_end(&kin__office_of_all.crowd);
        kin__os_free(kin__office_of_all.seats);
        kin__os_free(kin__office_of_all.spare);
        kin__office_of_all.seats = NULL;
        kin__office_of_all.spare = NULL;
        kin__office_of_all.n_seats = 0;
        kin__office_of_all.n_spare = 0;
    }
}

void kin__office_wake(void)
{
    if (kin__office_of_all.crowd.top != NULL) {
        kin__gate_open(&kin__office_of_all.crowd.top->told);
    }
}

/* ---- posts: with the lock -------------------------------------------------------------------- */

kin__post *kin__post_find(kin__ref pool)
{
    kin__post *p = kin__office_of_all.posts;
    while (p != NULL && p->pool != pool) {
        p = p->next;
    }
    return p;
}

kin__post *kin__post_of(const kin_pool *pool)
{
    kin__post *p = kin__post_find(pool->self);
    if (p != NULL) {
        return p;
    }
    p = kin__os_calloc(1, sizeof *p);
    if (p == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for another callback");
        return NULL;
    }
    *p = (kin__post){ .next = kin__office_of_all.posts,
                      .pool = pool->self,
                      .threaded = pool->callback_thread };
    p->due_end = &p->due;
    kin__office_of_all.posts = p;
    atomic_fetch_add(&kin__office_posts, 1);
    return p;
}

void kin__post_close(kin__post *p)
{
    if (p == NULL || p->pending != NULL || p->due != NULL || p->running != 0) {
        return;
    }
    kin__post **at = &kin__office_of_all.posts;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    atomic_fetch_sub(&kin__office_posts, 1);
    kin__os_free(p);
    kin__office_wake();
    kin__office_close();
}

bool kin__post_in_any(void)
{
    return frames != NULL;
}

bool kin__post_is_around(const kin__post *p)
{
    const frame *f = frames;
    while (f != NULL && f->post != p) {
        f = f->outer;
    }
    return f != NULL;
}

/* ---- from pending to done: with the lock ----------------------------------------------------- */

static kin__task *task_at(const kin_future *future)
{
    return kin__block_at(future->task, KIN__TASK, NULL);
}

static void make_due(kin_future *future)
{
    kin__calling *c = future->calling;
    kin__task *task = task_at(future);
    if (task != NULL) {
        kin__crowd_leave(&kin__office_of_all.crowd, c->seat, task, KIN__SET_CALLING);
    }
    kin__office_free_seat(c->seat);
    *c->at = c->next;
    if (c->next != NULL) {
        atomic_load(&c->next->calling)->at = c->at;
    }
    c->next = NULL;
    c->state = KIN__CALL_DUE;
    *c->post->due_end = future;
    c->post->due_end = &c->next;
}

static void told(void *ctx, size_t seat)
{
    (void)ctx;
    kin_future *future = seat < kin__office_of_all.n_seats ? kin__office_of_all.seats[seat] : NULL;
    const kin__task *task = future != NULL ? task_at(future) : NULL;
    if (future != NULL && (task == NULL || kin__task_is_over(task))) {
        make_due(future);
    }
}

void kin__post_sort_out_at(size_t seat)
{
    told(NULL, seat);
}

void kin__post_sort_out(void)
{
    if (kin__office_of_all.crowd.top != NULL) {
        kin__crowd_take(&kin__office_of_all.crowd, told, NULL);
    }
}

void kin__post_forsake(kin__post *p)
{
    while (p->pending != NULL) {
        make_due(p->pending);
    }
}

bool kin__post_call_one(kin__post *p)
{
    kin_future *future = p->due;
    if (future == NULL) {
        return false;
    }
    kin__calling *c = future->calling;
    unsigned forks = kin__office_of_all.forks;
    p->due = c->next;
    p->due_end = p->due == NULL ? &p->due : p->due_end;
    p->running++;
    c->state = KIN__CALL_BEGUN;
    frame here = { .post = p, .outer = frames };
    frames = &here;
    kin__office_unlock();
    c->fn(future, c->ctx);
    kin__office_lock();
    if (forks != kin__office_of_all.forks) {
        return false;
    }
    frames = here.outer;
    p->running--;
    c->state = KIN__CALL_DONE;
    kin__future_release(future);
    kin__office_wake();
    return true;
}
