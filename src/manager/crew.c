/* crew.c - threads for calls that wait.
 *
 * A job goes to a thread that is idle, or else to a new one: so none waits for another, however
 * long that takes. How many there are is bounded by whoever gives them jobs: a client has one at a
 * time. A few that have nothing to do are kept. */
#include "server.h"

#define KEPT 4u

typedef struct kin__hand_of_crew {
    struct kin__hand_of_crew *next;
    kin__crew *crew;
    kin__thread thread;
    bool left; /* and is to be joined */
} member;

int kin__crew_begin(kin__crew *crew)
{
    *crew = (kin__crew){ .last = &crew->first };
    int rv = pthread_mutex_init(&crew->mutex, NULL);
    rv = rv != 0 ? rv : pthread_cond_init(&crew->wake, NULL);
    return rv != 0 ? kin__fail_os(-rv, "no lock for the manager's threads") : 0;
}

/* With the lock held. */
static kin__job *next_job(kin__crew *crew)
{
    kin__job *job = crew->first;
    crew->first = job->next;
    crew->last = crew->first == NULL ? &crew->first : crew->last;
    crew->waiting--;
    return job;
}

/* False: this thread is not needed any more. With the lock held. */
static bool await_job(kin__crew *crew)
{
    if (crew->first == NULL && crew->idle >= KEPT) {
        return false;
    }
    crew->idle++;
    while (crew->first == NULL && !crew->over) {
        pthread_cond_wait(&crew->wake, &crew->mutex);
    }
    crew->idle--;
    return crew->first != NULL;
}

static void work(void *ctx)
{
    member *self = ctx;
    kin__crew *crew = self->crew;
    pthread_mutex_lock(&crew->mutex);
    self->thread = kin__os_thread_self();
    while (await_job(crew)) {
        kin__job *job = next_job(crew);
        pthread_mutex_unlock(&crew->mutex);
        job->run(job);
        pthread_mutex_lock(&crew->mutex);
    }
    self->left = true;
    pthread_cond_broadcast(&crew->wake); /* for who waits for all to leave */
    pthread_mutex_unlock(&crew->mutex);
}

/* Joins those who have left. */
static void reap(kin__crew *crew)
{
    pthread_mutex_lock(&crew->mutex);
    for (member **at = &crew->members; *at != NULL;) {
        member *m = *at;
        if (!m->left) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        kin__os_thread_join(m->thread); /* it was the last that it did with the lock */
        kin__os_free(m);
    }
    pthread_mutex_unlock(&crew->mutex);
}

static int start(kin__crew *crew)
{
    reap(crew);
    member *m = kin__os_calloc(1, sizeof *m);
    if (m == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a thread");
    }
    m->crew = crew;
    int rv = kin__os_thread_start(work, m);
    if (rv < 0) {
        kin__os_free(m);
        return kin__fail_os(rv, "cannot start a thread for a call that waits");
    }
    pthread_mutex_lock(&crew->mutex);
    m->next = crew->members;
    crew->members = m;
    pthread_mutex_unlock(&crew->mutex);
    return 0;
}

/* Takes it back, if nobody has taken it yet. */
static bool withdraw(kin__crew *crew, const kin__job *job)
{
    kin__job **at = &crew->first;
    pthread_mutex_lock(&crew->mutex);
    while (*at != NULL && *at != job) {
        at = &(*at)->next;
    }
    bool there = *at != NULL;
    if (there) {
        *at = job->next;
        crew->last = *at == NULL ? at : crew->last;
        crew->waiting--;
    }
    pthread_mutex_unlock(&crew->mutex);
    return there;
}

int kin__crew_do(kin__crew *crew, kin__job *job)
{
    pthread_mutex_lock(&crew->mutex);
    job->next = NULL;
    *crew->last = job;
    crew->last = &job->next;
    bool enough = crew->idle >= ++crew->waiting;
    pthread_cond_signal(&crew->wake);
    pthread_mutex_unlock(&crew->mutex);
    int rv = enough ? 0 : start(crew);
    return rv < 0 && withdraw(crew, job) ? rv : 0;
}

void kin__crew_end(kin__crew *crew)
{
    pthread_mutex_lock(&crew->mutex);
    crew->over = true;
    pthread_cond_broadcast(&crew->wake);
    while (crew->members != NULL) {
        member *m = crew->members;
        while (!m->left) {
            pthread_cond_wait(&crew->wake, &crew->mutex);
        }
        crew->members = m->next;
        kin__os_thread_join(m->thread);
        kin__os_free(m);
    }
    pthread_mutex_unlock(&crew->mutex);
    pthread_cond_destroy(&crew->wake);
    pthread_mutex_destroy(&crew->mutex);
}
