/* serve.c - the serving thread: its beginning, its turns, its end; and what a fork makes of it. */
#include "server.h"

#include <errno.h>

#define EVENTS 64
#define CLIENTS 1000u
#define MESSAGE ((size_t)64 << 20)
#define MEMORY ((size_t)256 << 20)
#define SECOND INT64_C(1000000000)
#define PAUSE (SECOND / 10)    /* when nobody can be accepted, for want of descriptors or memory */
#define PATIENCE (20 * SECOND) /* for the first request, and for reading its answer */

/* ---- forks: R7 ------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static kin__server *servers;

void kin__server_lock_descriptors(void)
{
    pthread_mutex_lock(&mutex);
}

void kin__server_unlock_descriptors(void)
{
    pthread_mutex_unlock(&mutex);
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        kin__os_close(*fd);
    }
    *fd = -1;
}

static void after_fork_in_child(void)
{
    for (kin__server *server = servers; server != NULL; server = server->next) {
        for (kin__client *c = server->clients; c != NULL; c = c->next) {
            close_one(&c->fd);
        }
        close_one(&server->fresh);
        close_one(&server->watch);
        close_one(&server->flag);
        pthread_mutex_init(&server->manager->mutex, NULL); /* it may have been that thread's */
    }
    servers = NULL;
    kin__server_unlock_descriptors();
}

static bool handles_forks;

/* Before there is a second thread. */
__attribute__((constructor)) static void handle_forks(void)
{
    handles_forks = pthread_atfork(kin__server_lock_descriptors, kin__server_unlock_descriptors,
                                   after_fork_in_child) == 0;
}

static void enlist(kin__server *server)
{
    kin__server_lock_descriptors();
    server->next = servers;
    servers = server;
    kin__server_unlock_descriptors();
}

static void unlist(const kin__server *server)
{
    kin__server_lock_descriptors();
    kin__server **at = &servers;
    while (*at != NULL && *at != server) {
        at = &(*at)->next;
    }
    *at = *at == server ? server->next : *at;
    kin__server_unlock_descriptors();
}

/* ---- memory for buffers ---------------------------------------------------------------------- */

static kin__client *largest(const kin__server *server)
{
    kin__client *found = NULL;
    for (kin__client *c = server->clients; c != NULL; c = c->next) {
        if (!c->dead && (found == NULL || c->room + c->out_size > found->room + found->out_size)) {
            found = c;
        }
    }
    return found;
}

bool kin__server_charge(kin__server *server, kin__client *client, size_t bytes)
{
    while (!client->dead && bytes > server->max_memory - server->memory) {
        kin__client *most = largest(server);
        bool is_his = most->room + most->out_size <= client->room + client->out_size + bytes;
        atomic_fetch_add(&server->refused, 1);
        kin__client_drop(is_his ? client : most);
    }
    server->memory += client->dead ? 0 : bytes;
    return !client->dead;
}

void kin__server_discharge(kin__server *server, size_t bytes)
{
    server->memory -= bytes;
}

/* ---- calls that are done --------------------------------------------------------------------- */

void kin__server_hand_in(kin__server *server, kin__job *job)
{
    pthread_mutex_lock(&server->mutex);
    job->next = server->done;
    server->done = job;
    kin__os_flag_set(server->flag, true); /* with the lock: else the server may be gone by then */
    pthread_mutex_unlock(&server->mutex);
}

static void take_in(kin__server *server)
{
    kin__os_flag_set(server->flag, false);
    pthread_mutex_lock(&server->mutex);
    kin__job *job = server->done;
    server->done = NULL;
    pthread_mutex_unlock(&server->mutex);
    while (job != NULL) {
        kin__call *call = (kin__call *)(void *)job;
        kin__client *client = call->client;
        job = job->next;
        atomic_fetch_sub(&server->waiting, 1);
        client->since = kin__os_now();
        kin__call_done(call);
        if (!client->dead) {
            kin__client_go_on(client);
        }
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void listen_again(kin__server *server)
{
    int fd = kin__listener_fd(server->listener);
    server->listens = fd >= 0 && kin__os_watch_for(server->watch, fd, &server->listener,
                                                   KIN__CAN_READ, true) == 0;
}

static void listen_no_more(kin__server *server)
{
    kin__os_watch_remove(server->watch, kin__listener_fd(server->listener));
    server->listens = false;
}

static bool is_full(const kin__server *server)
{
    return atomic_load(&server->n_clients) >= server->max_clients;
}

/* A line a second at most, for strangers do not tire. */
static void log_refusal(kin__server *server)
{
    int64_t now = kin__os_now();
    if (now >= server->log_again) {
        server->log_again = now + SECOND;
        kin_log(KIN_LOG_INFO, "%s", kin_errmsg());
    }
}

/* Those who wait to be accepted; as many as there is room for. */
static void welcome(kin__server *server)
{
    int rv = 1;
    kin__net_address from;
    for (int i = 0; i < EVENTS && !is_full(server) && (rv > 0 || rv == KIN_EAUTH); i++) {
        rv = kin__listener_next(server->listener, &server->fresh, &from); /* R7: by its own lock */
        if (rv > 0) {
            kin__server_lock_descriptors();
            kin__client_new(server, server->fresh, &from);
            server->fresh = -1;
            kin__server_unlock_descriptors();
        } else if (rv == KIN_EAUTH) {
            atomic_fetch_add(&server->refused, 1);
            log_refusal(server);
        }
    }
    if (is_full(server) || (rv < 0 && rv != KIN_EAUTH)) {
        listen_no_more(server);
        server->listens_at = is_full(server) ? 0 : kin__os_now() + PAUSE;
    }
}

static void bury_the_dead(kin__server *server)
{
    kin__client **at = &server->dead;
    while (*at != NULL) {
        kin__client *c = *at;
        if (c->call != NULL) { /* it is on its way back */
            at = &c->next_dead;
            continue;
        }
        *at = c->next_dead;
        kin__client_bury(c);
    }
}

/* Who does not come to the point goes. When to look again. */
static int64_t look_after_clients(kin__server *server, int64_t now)
{
    int64_t again = KIN__NEVER;
    for (kin__client *c = server->clients; c != NULL; c = c->next) {
        bool counts = !c->dead && !c->named && c->call == NULL && c->resumes == 0;
        if (counts && now - c->since > PATIENCE) {
            atomic_fetch_add(&server->refused, 1);
            kin__client_drop(c);
        }
        again = counts ? now + SECOND : again;
    }
    return again;
}

/* Whoever had to stop in the midst of what he had sent. When the first of them may go on. */
static int64_t give_turns(kin__server *server)
{
    int64_t now = kin__os_now();
    int64_t again = KIN__NEVER;
    for (kin__client *c = server->clients; c != NULL; c = c->next) {
        int64_t his = kin__client_turn(c, now);
        again = his < again ? his : again;
    }
    return again;
}

/* When the next turn is due, whatever happens. */
static int64_t tidy(kin__server *server)
{
    int64_t now = kin__os_now();
    bury_the_dead(server);
    int64_t clients = look_after_clients(server, now);
    bury_the_dead(server);
    int64_t holders = kin__holders_look(&server->holders, &server->objects, now);
    int64_t again = clients < holders ? clients : holders;
    if (!server->listens && !is_full(server)) {
        if (now >= server->listens_at) {
            listen_again(server);
            server->listens_at = now + PAUSE; /* if that failed */
        }
        again = again < server->listens_at ? again : server->listens_at;
    }
    return again;
}

/* Calls that are done come last: by then it is known who has left, and what they brought him goes
 * back. */
static void act_on(kin__server *server, const kin__happened *events, int n)
{
    bool any_done = false;
    for (int i = 0; i < n; i++) {
        if (events[i].word == &server->listener) {
            welcome(server);
        } else if (events[i].word == &server->flag) {
            any_done = true;
        } else {
            kin__client_event(events[i].word, events[i].what);
        }
    }
    if (any_done) {
        take_in(server);
    }
}

/* One after the other, as their calls come back: one may wait for a lock that another one holds,
 * and that goes back when he is buried. */
static void end_clients(kin__server *server)
{
    for (kin__client *c = server->clients; c != NULL; c = c->next) {
        kin__client_drop(c);
    }
    bury_the_dead(server);
    while (server->clients != NULL) {
        kin__happened event;
        (void)kin__os_watch_wait(server->watch, &event, 1, KIN__NEVER);
        take_in(server);
        bury_the_dead(server);
    }
}

static void end_all(kin__server *server)
{
    if (server->listens) {
        listen_no_more(server);
    }
    end_clients(server);
    kin__crew_end(&server->crew);
    kin__objects_end(&server->objects);
    kin__holders_end(&server->holders);
}

typedef struct turn {
    const kin__server *server;
    kin__happened events[EVENTS];
    int n;
} turn;

static bool look(void *ctx)
{
    turn *t = ctx;
    t->n = kin__os_watch_wait(t->server->watch, t->events, EVENTS, 0);
    return t->n != 0;
}

/* Who has just had something to do looks for more busily for a moment: a client who gets his answer
 * asks for the next thing sooner than a sleep would last. */
static void wait_for_events(turn *t, int64_t until)
{
    bool had = t->n > 0;
    t->n = 0;
    if (!had || until <= kin__os_now() || !kin__spin_aside(look, t)) {
        t->n = kin__os_watch_wait(t->server->watch, t->events, EVENTS, until);
    }
}

static void serve(void *ctx)
{
    kin__server *server = ctx;
    turn t = { .server = server };
    server->thread = kin__os_thread_self();
    atomic_store(&server->started, true);
    int64_t resumes = KIN__NEVER;
    while (!atomic_load(&server->over)) {
        int64_t until = tidy(server);
        wait_for_events(&t, resumes < until ? resumes : until);
        server->turn++;
        act_on(server, t.events, t.n);
        resumes = give_turns(server);
    }
    end_all(server);
}

/* ---- the beginning and the end --------------------------------------------------------------- */

static void set_bounds(kin__server *server, const kin_serve_options *o)
{
    server->allow_create = o->allow_create;
    server->max_clients = o->max_clients > 0 ? o->max_clients : CLIENTS;
    server->max_message = o->max_message > 0 ? o->max_message : MESSAGE;
    server->max_memory = o->max_memory > 0 ? o->max_memory : MEMORY;
    server->pace = o->max_rate > 0 ? 1 + (int64_t)((uint64_t)(SECOND - 1) / o->max_rate) : 0;
}

static int open_watch(kin__server *server)
{
    int rv = server->watch = kin__os_watch_new();
    rv = rv < 0 ? rv : (server->flag = kin__os_flag_new());
    rv = rv < 0
             ? rv
             : kin__os_watch_for(server->watch, server->flag, &server->flag, KIN__CAN_READ, true);
    if (rv < 0) {
        return kin__fail_os(rv, "kin_manager_serve: \"%.200s\"", kin__server_address(server));
    }
    listen_again(server);
    return 0;
}

static void destroy(kin__server *server)
{
    unlist(server);
    kin_listener_free(server->listener);
    close_one(&server->watch);
    close_one(&server->flag);
    kin__os_free(server);
}

static int start(kin__server *server)
{
    int rv = handles_forks ? kin__crew_begin(&server->crew)
                           : kin__fail(KIN_ENOMEM, "kin_manager_serve: no memory to mind forks");
    if (rv < 0) {
        return rv;
    }
    kin__listener_keep_private(server->listener);
    enlist(server);
    pthread_mutex_init(&server->mutex, NULL);
    rv = kin__os_thread_start(serve, server);
    if (rv < 0) {
        kin__crew_end(&server->crew);
        pthread_mutex_destroy(&server->mutex);
        return kin__fail_os(rv, "kin_manager_serve: cannot start a thread");
    }
    return 0;
}

int kin__server_new(kin__server **ret, kin_manager *manager, const char *address,
                    const kin_serve_options *options)
{
    kin__server *server = kin__os_calloc(1, sizeof *server);
    if (server == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_manager_serve: no memory for a server");
    }
    server->manager = manager;
    server->pid = kin__os_getpid();
    server->watch = server->flag = server->fresh = -1;
    set_bounds(server, options);
    kin__objects_begin(&server->objects);
    int rv = kin_listener_new(&server->listener, address,
                              KIN_OPT(kin_listener_options, .authkey = options->authkey,
                                      .authkey_size = options->authkey_size,
                                      .allow_md5 = options->allow_md5));
    rv = rv < 0 ? rv : open_watch(server);
    rv = rv < 0 ? rv : start(server);
    if (rv < 0) {
        destroy(server);
        return rv;
    }
    *ret = server;
    return 0;
}

bool kin__server_free(kin__server *server)
{
    bool ours = server->pid == kin__os_getpid();
    if (ours) {
        atomic_store(&server->over, true);
        kin__os_flag_set(server->flag, true);
        while (!atomic_load(&server->started)) {
            kin__os_yield();
        }
        kin__os_thread_join(server->thread);
        pthread_mutex_destroy(&server->mutex);
    } /* else it is what a fork has copied: the threads are our parent's */
    destroy(server);
    return ours;
}

/* ---- questions ------------------------------------------------------------------------------- */

const char *kin__server_address(const kin__server *server)
{
    return kin_listener_address(server->listener);
}

uint64_t kin__server_referenced(const kin__server *server)
{
    return atomic_load(&server->objects.referenced);
}

void kin__server_stats(kin__server *server, kin_manager_info *ret)
{
    *ret = (kin_manager_info){ .clients = atomic_load(&server->n_clients),
                               .objects = atomic_load(&server->objects.count),
                               .requests = atomic_load(&server->requests),
                               .refused = atomic_load(&server->refused),
                               .waiting = atomic_load(&server->waiting),
                               .bytes_in = atomic_load(&server->bytes_in),
                               .bytes_out = atomic_load(&server->bytes_out) };
}
