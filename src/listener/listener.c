/* listener.c - a place where connections arrive: making it, accepting, and its end. Idea and rules:
 * listener.h. Not here: guests (guest.c), and paths (address.c). */
#include "guest.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define SECONDS 20.0
#define BACKLOG 128

static const char verb_new[] = "kin_listener_new";
static const char verb_accept[] = "kin_listener_accept";

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER; /* one who accepted has */
static kin_listener *listeners;

/* Before anything else is done with it: R5. With the lock held. */
static int adopt(kin_listener *l)
{
    if (!l->inherited) {
        return 0;
    }
    kin__guests_close(l);
    int rv = kin__guests_open(l);
    l->inherited = rv < 0;
    return rv;
}

/* ---- around every fork, and at the end ---------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}

static void after_fork_in_child(void)
{
    for (kin_listener *l = listeners; l != NULL; l = l->next) {
        kin__guests_drop_all(l);
        if (l->is_private) {
            kin__guests_close(l);
            kin__os_close(l->bound.socket);
            l->bound.socket = -1;
        }
        l->inherited = true;
        l->users = 0;
    }
    left = (pthread_cond_t)PTHREAD_COND_INITIALIZER; /* who waits for it is in the parent */
    pthread_mutex_unlock(&mutex);
}

static bool handles_forks;

/* Before there is a second thread. */
__attribute__((constructor)) static void handle_forks(void)
{
    handles_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
}

/* This process ends, or leaves: its paths go. */
__attribute__((destructor)) static void leave(void)
{
    pthread_mutex_lock(&mutex);
    for (kin_listener *l = listeners; l != NULL; l = l->next) {
        kin__bound_unlink(&l->bound);
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- making and freeing ----------------------------------------------------------------- */

static int check(kin_listener **ret_listener, const kin_listener_options *options)
{
    if (ret_listener == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the place for the listener is NULL", verb_new);
    }
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", verb_new);
        }
    }
    if (options->backlog < 0) {
        return kin__fail(KIN_EINVAL, "%s: a backlog of %d", verb_new, options->backlog);
    }
    return kin__auth_check(options->authkey, options->authkey_size, options->auth_timeout,
                           verb_new);
}

/* What both of its ends share: nothing of it may be in use. */
static void destroy(kin_listener *l)
{
    kin__guests_drop_all(l);
    kin__guests_close(l);
    kin__bound_unlink(&l->bound);
    kin__bound_close(&l->bound);
    if (l->key != NULL) {
        kin__wipe(l->key, l->key_size);
    }
    kin__os_free(l->key);
    kin__os_free(l);
}

static int copy_options(kin_listener *l, const kin_listener_options *options)
{
    double seconds = options->auth_timeout > 0 ? options->auth_timeout : SECONDS;
    int64_t deadline = 0;
    l->allow_md5 = options->allow_md5;
    (void)kin__deadline(seconds, &deadline);
    l->patience = deadline == KIN__NEVER ? KIN__NEVER : (int64_t)(seconds * 1e9);
    if (options->authkey == NULL) {
        return 0;
    }
    l->key = kin__os_malloc(options->authkey_size);
    if (l->key == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a key", verb_new);
    }
    l->key_size = options->authkey_size;
    memcpy(l->key, options->authkey, l->key_size);
    return 0;
}

static int build(kin_listener *l, const char *address, const kin_listener_options *options)
{
    int rv = copy_options(l, options);
    rv = rv < 0 ? rv
                : kin__bound_open(&l->bound, address,
                                  options->backlog > 0 ? options->backlog : BACKLOG);
    if (rv < 0) {
        return rv;
    }
    rv = handles_forks ? kin__guests_open(l) : -ENOMEM;
    return rv < 0 ? kin__fail_os(rv, "%s: \"%.200s\"", verb_new, l->bound.address) : 0;
}

int kin_listener_new(kin_listener **ret_listener, const char *address,
                     const kin_listener_options *options)
{
    const kin_listener_options defaults = { 0 };
    options = options != NULL ? options : &defaults;
    int rv = check(ret_listener, options);
    kin_listener *l = rv < 0 ? NULL : kin__os_calloc(1, sizeof *l);
    if (l == NULL) {
        return rv < 0 ? rv : kin__fail(KIN_ENOMEM, "%s: no memory for a listener", verb_new);
    }
    l->bound.socket = l->watch = l->alarm = -1;
    rv = build(l, address, options);
    if (rv < 0) {
        destroy(l);
        return rv;
    }
    pthread_mutex_lock(&mutex);
    l->next = listeners;
    listeners = l;
    pthread_mutex_unlock(&mutex);
    kin__os_at_leave(leave);
    *ret_listener = l;
    return 0;
}

void kin_listener_free(kin_listener *l)
{
    if (l == NULL) {
        return;
    }
    pthread_mutex_lock(&mutex);
    kin_listener **at = &listeners;
    while (*at != NULL && *at != l) {
        at = &(*at)->next;
    }
    *at = *at == l ? l->next : *at;
    l->closed = true;
    if (l->users > 0) {
        kin__guests_ring(l);
    }
    while (l->users > 0) { /* R6 */
        pthread_cond_wait(&left, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    destroy(l);
}

/* ---- accepting ------------------------------------------------------------------------ */

static int fail_guest(const kin_listener *l, const kin__guest *g)
{
    char from[sizeof l->from];
    kin__os_net_text(&g->from, from, sizeof from);
    return kin__fail(KIN_EAUTH, "%s: who connected to \"%.200s\"%s%s %s", verb_accept,
                     l->bound.address, from[0] != '\0' ? " from " : "", from, g->reason);
}

/* The first of those who are known: 0, or a code. */
static int take(kin_listener *l, kin_conn **ret_conn)
{
    kin__guest *g = l->known;
    int rv = g->right ? 0 : fail_guest(l, g);
    if (rv == 0) {
        kin_conn *conn = kin__conn_over(g->fd, true, true, false);
        if (conn == NULL) {
            return kin__failure(); /* he stays, until there is memory for him */
        }
        g->fd = -1;
        kin__os_net_text(&g->from, l->from, sizeof l->from);
        *ret_conn = conn;
    }
    kin__guests_drop_known(l);
    return rv;
}

/* Whether the call is over, with *ret_code; else there is nothing to do now. With the lock held. */
static bool try_accept(kin_listener *l, kin_conn **ret_conn, int *ret_code)
{
    if (l->closed) { /* R6 */
        *ret_code = kin__fail(KIN_ECLOSED, "%s: the listener was freed", verb_accept);
        return true;
    }
    int rv = adopt(l);
    rv = rv < 0 ? rv : kin__guests_work(l);
    if (l->known != NULL) {
        *ret_code = take(l, ret_conn);
    } else if (rv < 0) {
        *ret_code = kin__fail_os(rv, "%s: \"%.200s\"", verb_accept, l->bound.address);
    }
    kin__guests_mind_alarm(l);
    return *ret_code <= 0;
}

/* With the lock held, but for the sleep. */
static int accept_until(kin_listener *l, kin_conn **ret_conn, int64_t deadline)
{
    int code = 1;
    bool late = !kin__may_wait(deadline);
    while (!try_accept(l, ret_conn, &code)) {
        if (late) {
            return kin__fail(KIN_ETIMEDOUT, "%s: nobody connected to \"%.200s\" in time",
                             verb_accept, l->bound.address);
        }
        int watch = l->watch;
        bool shakes = l->first != NULL;
        pthread_mutex_unlock(&mutex);
        int rv = shakes ? kin__auth_await(watch, deadline)
                        : kin__os_stream_wait(watch, KIN__READ, deadline);
        late = kin__os_now() >= deadline;
        pthread_mutex_lock(&mutex);
        if (rv == -EINTR) {
            return kin__fail(KIN_EINTR, "%s: interrupted while waiting", verb_accept);
        }
    }
    return code;
}

int kin_listener_accept(kin_listener *l, kin_conn **ret_conn, double timeout)
{
    int64_t deadline = 0;
    if (l == NULL || ret_conn == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the %s is NULL", verb_accept,
                         l == NULL ? "listener" : "place for the connection");
    }
    int rv = kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    pthread_mutex_lock(&mutex);
    l->users++;
    rv = accept_until(l, ret_conn, deadline);
    if (--l->users == 0) {
        pthread_cond_broadcast(&left);
    }
    pthread_mutex_unlock(&mutex);
    return rv;
}

/* ---- for who accepts beside other work ------------------------------------------------------ */

void kin__listener_keep_private(kin_listener *l)
{
    pthread_mutex_lock(&mutex);
    l->is_private = true;
    pthread_mutex_unlock(&mutex);
}

int kin__listener_next(kin_listener *l, int *ret_fd, kin__net_address *ret_from)
{
    pthread_mutex_lock(&mutex);
    int rv = adopt(l);
    rv = rv < 0 ? rv : kin__guests_work(l);
    int code = rv < 0 ? kin__fail_os(rv, "%s: \"%.200s\"", verb_accept, l->bound.address) : 0;
    kin__guest *g = l->known;
    if (g != NULL) {
        code = g->right ? 1 : fail_guest(l, g);
        if (g->right) {
            *ret_fd = g->fd;
            *ret_from = g->from;
            g->fd = -1;
        }
        kin__guests_drop_known(l);
    }
    kin__guests_mind_alarm(l);
    pthread_mutex_unlock(&mutex);
    return code;
}

/* ---- questions ------------------------------------------------------------------------ */

bool kin__listener_has_ready(kin_listener *l)
{
    pthread_mutex_lock(&mutex);
    bool ready = adopt(l) < 0 || kin__guests_work(l) < 0 || l->known != NULL;
    kin__guests_mind_alarm(l);
    pthread_mutex_unlock(&mutex);
    return ready;
}

int kin__listener_fd(kin_listener *l)
{
    pthread_mutex_lock(&mutex);
    int rv = adopt(l);
    int fd = l->watch;
    pthread_mutex_unlock(&mutex);
    return rv < 0 ? kin__fail_os(rv, "the listener at \"%.200s\"", l->bound.address) : fd;
}

static bool is_one(const kin_listener *l, const char *verb)
{
    if (l == NULL) {
        (void)kin__fail(KIN_EINVAL, "%s: the listener is NULL", verb);
    }
    return l != NULL;
}

const char *kin_listener_address(const kin_listener *l)
{
    return is_one(l, "kin_listener_address") ? l->bound.address : "";
}

const char *kin_listener_last_accepted(const kin_listener *l)
{
    return is_one(l, "kin_listener_last_accepted") ? l->from : "";
}

/* ---- for kin_wait ---------------------------------------------------------------------------- */

static int fd_of(const kin_waitable *thing)
{
    return thing->thing != NULL ? kin__listener_fd(thing->thing)
                                : kin__fail(KIN_EINVAL, "the listener is NULL");
}

static int look(kin_waitable *thing, bool first, bool *ret_held)
{
    (void)first;
    (void)ret_held;
    return kin__listener_has_ready(thing->thing);
}

kin_waitable kin_listener_waitable(kin_listener *listener)
{
    static const kin__waitable_ops ops = {
        .name = "the listener's descriptor", .fd = fd_of, .fd_hints = true, .look = look
    };
    return (kin_waitable){ .fd = -1, .thing = listener, .ops = &ops };
}
