/* link.c - the way to a manager elsewhere: connections, requests, answers.
 *
 * Idea. A Python manager takes two kinds of connection: one that ends after one request to the
 * manager itself (create, incref, ...), and one over which any number of calls to its things go,
 * one after the other. Ours says in its answer to accept_connection that it takes both over the
 * second kind: so a proxy costs one round trip and not three connections.
 *
 *      link { address, key }
 *        wire -- thread 1's connection          wire -- thread 2's
 *
 * Rules.
 *   R1  A wire is one thread's: over there a connection stands for who holds a lock. So a thread
 *       never gets one of another that had its number. The wire of a thread that has ended goes
 *       when another one is made and nobody has that number.
 *   R2  A wire that failed in the midst of a request is closed: nobody knows whether it was done.
 *       The call says so (KIN_EEOF, KIN_ETIMEDOUT), and the next one connects anew.
 *   R3  A forked child has copies of its parent's wires. It closes them, and says nothing on them.
 *   R4  In a batch no more is under way than the sockets hold, so that no side waits for the other
 *       to read.
 *
 * Death. Of the other side: KIN_EEOF. Of ours: over there all connections end.
 *
 * Not here. What a proxy is (proxy.c), which calls go this way (remote.c).
 */
#include "room.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 20 /* seconds for an answer */
#define BATCH_CALLS 64
#define BATCH_BYTES (64 << 10)
#define GREETING "kin" /* what one of ours answers to accept_connection */

typedef struct wire {
    struct wire *next;
    kin_conn *conn;
    uint32_t thread; /* whose, for good */
    pid_t tid;       /* its number while it is there */
    bool is_kin;
    bool batch;
    size_t under_way; /* in a batch: requests without an answer, of how many bytes */
    size_t bytes;
    int64_t failed;
    kin_obj *places[BATCH_CALLS];
    size_t sizes[BATCH_CALLS];
    size_t first; /* of the ring of places */
} wire;

struct kin__link {
    unsigned refs;
    pid_t pid;
    bool closed;
    wire *wires;
    struct kin__proxy *proxies; /* that go with the manager: proxy.c */
    char *address;
    char *key;
    kin_connect_options options; /* with that key */
    char name[64];               /* what we say we are called */
};

/* One for all links: nothing waits under it, and a fork takes it, so that the child has it free. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void kin__link_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void kin__link_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static void mind_forks(void)
{
    (void)pthread_atfork(kin__link_lock, kin__link_unlock, kin__link_unlock);
}

/* ---- wires ----------------------------------------------------------------------------------- */

static void free_wire(wire *w)
{
    kin_conn_free(w->conn);
    kin__os_free(w);
}

static bool is_of_ended_thread(const wire *w)
{
    return !kin__os_thread_is_there(w->tid);
}

/* Under the mutex. R1, R3 */
static void prune(kin__link *link, bool all)
{
    for (wire **at = &link->wires; *at != NULL;) {
        wire *w = *at;
        if (all || is_of_ended_thread(w)) {
            *at = w->next;
            free_wire(w);
        } else {
            at = &w->next;
        }
    }
}

static wire *find_wire(kin__link *link)
{
    uint32_t thread = kin__this_thread();
    wire *w = link->wires;
    while (w != NULL && w->thread != thread) {
        w = w->next;
    }
    return w;
}

/* This thread's wire, if it has one. */
static int wire_of(kin__link *link, wire **ret)
{
    kin__link_lock();
    if (link->pid != kin__os_getpid()) {
        prune(link, true);
        link->pid = kin__os_getpid();
    }
    int rv =
        link->closed ? kin__fail(KIN_ECLOSED, "the connection to %s was closed", link->address) : 0;
    *ret = find_wire(link);
    kin__link_unlock();
    return rv;
}

static void cut(kin__link *link, wire *w)
{
    kin__link_lock();
    for (wire **at = &link->wires; *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            free_wire(w);
            break;
        }
    }
    kin__link_unlock();
}

static double patience_of(const kin__link *link, double seconds)
{
    double most = link->options.timeout > 0 ? link->options.timeout : PATIENCE;
    return seconds == KIN_FOREVER ? KIN_FOREVER : most + seconds;
}

/* ---- requests and answers -------------------------------------------------------------------- */

static int pack(const kin__request *request, void **ret_data, size_t *ret_size)
{
    kin_obj ident = request->ident != NULL ? kin_str(request->ident) : kin_none();
    kin_obj names = kin_type_of(request->names) == KIN_TYPE_INVALID ? kin_dict() : request->names;
    return kin_dumps(kin_tuple(ident, kin_str(request->method), request->args, names), ret_data,
                     ret_size);
}

static void drop(const kin__request *request)
{
    kin_release(request->args);
    kin_release(request->names);
}

static bool is_str(kin_obj o, const char *text)
{
    return kin_type_of(o) == KIN_TYPE_STR && strcmp(kin_as_str(o), text) == 0;
}

/* The last line of a traceback says what happened: "KeyError: 'name'". */
static int fail_by_traceback(const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '\n') {
        n--;
    }
    size_t from = n;
    while (from > 0 && text[from - 1] != '\n') {
        from--;
    }
    bool unknown = strncmp(text + from, "KeyError", 8) == 0;
    return kin__fail(unknown ? KIN_ENOTFOUND : KIN_EUSER, "the manager says: %.*s",
                     (int)(n - from > 500 ? 500 : n - from), text + from);
}

static int fail_by_error(kin_obj error)
{
    if (!kin_is_error(error)) {
        return kin__fail(KIN_EUSER, "the manager says that it failed, and not how");
    }
    int code = kin_error_code(error);
    const char *type = kin_error_type(error);
    return kin__fail(code, "%s%s%s", type, type[0] != '\0' ? ": " : "", kin_error_text(error));
}

static int no_answer(const char *why)
{
    return kin__fail(KIN_ECORRUPT, "what the manager sent is no answer: %s", why);
}

/* Of an answer: what it brings. */
static int open_answer(kin_obj answer, bool *ret_proxy, kin_obj *ret)
{
    kin_type type = kin_type_of(answer);
    if ((type != KIN_TYPE_TUPLE && type != KIN_TYPE_LIST) || kin_len(answer) != 2) {
        return no_answer("not a pair");
    }
    kin_obj what = kin_at(answer, 0), payload = kin_at(answer, 1);
    if (is_str(what, "#RETURN") || is_str(what, "#PROXY")) {
        if (ret_proxy != NULL) {
            *ret_proxy = is_str(what, "#PROXY");
        }
        *ret = kin_retain(payload);
        return 0;
    }
    if (is_str(what, "#ERROR")) {
        return fail_by_error(payload);
    }
    if (is_str(what, "#TRACEBACK") && kin_type_of(payload) == KIN_TYPE_STR) {
        return fail_by_traceback(kin_as_str(payload));
    }
    if (is_str(what, "#UNSERIALIZABLE")) {
        return kin__fail(KIN_EUNSUPPORTED, "the manager cannot send the result");
    }
    return no_answer("of an unknown kind");
}

/* 0, or a failure of the connection. *ret_rv: what became of the request. */
static int receive(wire *w, double seconds, bool *ret_proxy, kin_obj *ret, int *ret_rv)
{
    kin_obj answer;
    int rv = kin_conn_recv(w->conn, &answer, seconds);
    if (rv < 0) {
        return rv;
    }
    *ret_rv = open_answer(answer, ret_proxy, ret);
    kin_release(answer);
    return 0;
}

static int send_bytes(const kin__link *link, wire *w, const void *data, size_t size)
{
    int rv = kin_conn_send_bytes(w->conn, data, size, patience_of(link, 0));
    return rv == KIN_ECLOSED
               ? kin__fail(KIN_EEOF, "the manager at %s has ended the connection", link->address)
               : rv;
}

/* One request over a connection of its own, or over a wire. 0, or a failure of the connection. */
static int exchange(const kin__link *link, wire *w, const kin__request *request, kin_obj *ret,
                    int *ret_rv)
{
    void *data;
    size_t size;
    *ret_rv = pack(request, &data, &size);
    if (*ret_rv < 0) {
        return 0;
    }
    double seconds = patience_of(link, request->seconds);
    int rv = send_bytes(link, w, data, size);
    kin__os_free(data);
    return rv < 0 ? rv : receive(w, seconds, request->ret_proxy, ret, ret_rv);
}

static int connect_wire(kin__link *link, wire **ret)
{
    wire *w = kin__os_calloc(1, sizeof *w);
    if (w == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a connection");
    }
    int rv = kin_connect(&w->conn, link->address, &link->options);
    if (rv < 0) {
        kin__os_free(w);
        return rv;
    }
    w->thread = kin__this_thread();
    w->tid = kin__os_thread_self().tid;
    *ret = w;
    return 0;
}

/* To the manager itself, over a connection that it closes afterwards. */
static int ask_manager(kin__link *link, const kin__request *request, kin_obj *ret)
{
    wire *w;
    int answered;
    int rv = connect_wire(link, &w);
    if (rv < 0) {
        drop(request);
        return rv;
    }
    rv = exchange(link, w, request, ret, &answered);
    free_wire(w);
    return rv < 0 ? rv : answered;
}

static int accept_wire(kin__link *link, wire *w)
{
    kin_obj greeting;
    int answered;
    kin__request request = { .method = "accept_connection",
                             .args = kin_tuple(kin_str(link->name)) };
    int rv = exchange(link, w, &request, &greeting, &answered);
    rv = rv < 0 ? rv : answered;
    if (rv == 0) {
        w->is_kin = is_str(greeting, GREETING);
        kin_release(greeting);
    }
    return rv;
}

static int make_wire(kin__link *link, wire **ret)
{
    int rv = connect_wire(link, ret);
    if (rv < 0) {
        return rv;
    }
    rv = accept_wire(link, *ret);
    if (rv < 0) {
        free_wire(*ret);
        return rv;
    }
    kin__link_lock();
    prune(link, false);
    (*ret)->next = link->wires;
    link->wires = *ret;
    kin__link_unlock();
    return 0;
}

/* This thread's wire, which is made if there is none. */
static int obtain_wire(kin__link *link, wire **ret)
{
    int rv = wire_of(link, ret);
    return rv < 0 || *ret != NULL ? rv : make_wire(link, ret);
}

static int broken(kin__link *link, wire *w, int rv)
{
    cut(link, w); /* R2 */
    return rv == KIN_ETIMEDOUT
               ? kin__fail(rv,
                           "the manager at %s did not answer in time; whether it has done "
                           "what it was asked for is not known",
                           link->address)
               : rv;
}

int kin__link_ask(kin__link *link, const kin__request *request, kin_obj *ret)
{
    wire *w;
    int answered;
    int rv = obtain_wire(link, &w);
    if (rv < 0) {
        drop(request);
        return rv;
    }
    if (request->ident == NULL && !w->is_kin) {
        return ask_manager(link, request, ret);
    }
    if (w->batch) {
        drop(request);
        return kin__fail(KIN_ESTATE, "between kin_manager_begin_batch and kin_manager_end_batch "
                                     "there may be kin_proxy_call only");
    }
    rv = exchange(link, w, request, ret, &answered);
    return rv < 0 ? broken(link, w, rv) : answered;
}

/* ---- many in a row --------------------------------------------------------------------------- */

int kin__link_begin(kin__link *link)
{
    wire *w;
    int rv = obtain_wire(link, &w);
    if (rv == 0 && w->batch) {
        return kin__fail(KIN_ESTATE, "kin_manager_begin_batch: this thread has begun one");
    }
    if (rv == 0) {
        w->batch = true;
        w->failed = 0;
    }
    return rv;
}

bool kin__link_is_batch(kin__link *link)
{
    wire *w;
    return wire_of(link, &w) == 0 && w != NULL && w->batch;
}

bool kin__link_is_kin(kin__link *link)
{
    wire *w;
    return obtain_wire(link, &w) == 0 && w->is_kin;
}

static void settle(wire *w, kin_obj result)
{
    kin_obj *place = w->places[w->first];
    if (place != NULL) {
        *place = result;
    } else {
        kin_release(result);
    }
    w->bytes -= w->sizes[w->first];
    w->first = (w->first + 1) % BATCH_CALLS;
    w->under_way--;
}

/* The answer to the first that is under way. */
static int take_answer(kin__link *link, wire *w)
{
    kin_obj result;
    int answered;
    int rv = receive(w, patience_of(link, 0), NULL, &result, &answered);
    if (rv < 0) {
        return rv;
    }
    if (answered < 0) {
        w->failed++;
        result = kin_error(answered, "%s", kin_errmsg());
    }
    settle(w, result);
    return 0;
}

static void fail_all(wire *w, int rv)
{
    while (w->under_way > 0) {
        w->failed++;
        settle(w, kin_error(rv, "%s", kin_errmsg()));
    }
}

static int send_packed(kin__link *link, wire *w, const void *data, size_t size)
{
    int rv = 0;
    while (rv == 0 && w->under_way > 0 &&
           (w->under_way == BATCH_CALLS || w->bytes + size > BATCH_BYTES)) { /* R4 */
        rv = take_answer(link, w);
    }
    return rv < 0 ? rv : send_bytes(link, w, data, size);
}

int kin__link_send(kin__link *link, const kin__request *request, kin_obj *ret_place)
{
    wire *w;
    void *data;
    size_t size;
    int rv = wire_of(link, &w);
    if (rv < 0 || w == NULL || !w->batch) {
        drop(request);
        return rv < 0 ? rv : kin__fail(KIN_EEOF, "the connection broke in the midst of a batch");
    }
    rv = pack(request, &data, &size);
    if (rv < 0) {
        return rv;
    }
    rv = send_packed(link, w, data, size);
    kin__os_free(data);
    if (rv < 0) {
        fail_all(w, rv);
        cut(link, w);
        return rv;
    }
    size_t i = (w->first + w->under_way++) % BATCH_CALLS;
    w->places[i] = ret_place;
    w->sizes[i] = size;
    w->bytes += size;
    return 0;
}

int64_t kin__link_end(kin__link *link)
{
    wire *w;
    int rv = wire_of(link, &w);
    if (rv < 0 || w == NULL || !w->batch) {
        return rv < 0 ? rv
                      : kin__fail(KIN_ESTATE, "kin_manager_end_batch: none was begun, or its "
                                              "connection broke");
    }
    while (w->under_way > 0 && rv == 0) {
        rv = take_answer(link, w);
    }
    if (rv < 0) {
        fail_all(w, rv);
    }
    int64_t failed = w->failed;
    w->batch = false;
    if (rv < 0) {
        cut(link, w);
    }
    return failed;
}

/* ---- the link -------------------------------------------------------------------------------- */

static void name_ourselves(kin__link *link)
{
    uint64_t number = 0;
    (void)kin__os_random(&number, sizeof number);
    (void)snprintf(link->name, sizeof link->name, "kin:%d:%016llx", (int)kin__os_getpid(),
                   (unsigned long long)number);
}

static void free_link(kin__link *link)
{
    prune(link, true);
    if (link->key != NULL) {
        kin__wipe(link->key, link->options.authkey_size);
    }
    kin__os_free(link->key);
    kin__os_free(link->address);
    kin__os_free(link);
}

static bool copy_options(kin__link *link, const char *address, const kin_connect_options *options)
{
    size_t n = strlen(address) + 1;
    link->options = options != NULL ? *options : (kin_connect_options){ 0 };
    link->address = kin__os_malloc(n);
    link->key = kin__os_malloc(link->options.authkey_size + 1);
    if (link->address == NULL || link->key == NULL) {
        return false;
    }
    memcpy(link->address, address, n);
    if (link->options.authkey != NULL) {
        memcpy(link->key, link->options.authkey, link->options.authkey_size);
        link->options.authkey = link->key;
    }
    return true;
}

int kin__link_open(kin__link **ret_link, const char *address, const kin_connect_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, mind_forks);
    kin__link *link = kin__os_calloc(1, sizeof *link);
    if (link == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_manager_connect: no memory");
    }
    link->refs = 1;
    link->pid = kin__os_getpid();
    name_ourselves(link);
    if (!copy_options(link, address, options)) {
        free_link(link);
        return kin__fail(KIN_ENOMEM, "kin_manager_connect: no memory");
    }
    wire *w;
    int rv = make_wire(link, &w);
    if (rv < 0) {
        free_link(link);
        return rv;
    }
    *ret_link = link;
    return 0;
}

kin__link *kin__link_keep(kin__link *link)
{
    kin__link_lock();
    link->refs++;
    kin__link_unlock();
    return link;
}

void kin__link_drop(kin__link *link)
{
    kin__link_lock();
    bool last = --link->refs == 0;
    kin__link_unlock();
    if (last) {
        free_link(link);
    }
}

struct kin__proxy **kin__link_proxies(kin__link *link)
{
    return &link->proxies;
}

void kin__link_close(kin__link *link)
{
    kin__link_lock();
    link->closed = true;
    uint32_t thread = kin__this_thread();
    for (wire **at = &link->wires; *at != NULL;) {
        wire *w = *at;
        if (w->thread == thread ||
            is_of_ended_thread(w)) { /* others may be in the midst of a call */
            *at = w->next;
            free_wire(w);
        } else {
            (void)kin__os_net_shut(kin_conn_fileno(w->conn));
            at = &w->next;
        }
    }
    kin__link_unlock();
}

static kin_obj abstract(const char *address)
{
    char name[128] = { 0 };
    size_t n = strlen(address);
    n = n < sizeof name ? n : sizeof name;
    memcpy(name + 1, address + 1, n - 1);
    return kin_bytes(name, n);
}

/* "host:port" as Python has it: a pair; a path, or an abstract name ("@name"), as it is. */
kin_obj kin__link_address(const kin__link *link)
{
    const char *address = link->address;
    const char *colon = strrchr(address, ':');
    if (address[0] == '/' || colon == NULL) {
        return address[0] == '@' ? abstract(address) : kin_str(address);
    }
    bool brackets = address[0] == '[' && colon > address && colon[-1] == ']';
    size_t n = (size_t)(colon - address);
    return kin_tuple(brackets ? kin_strn(address + 1, n - 2) : kin_strn(address, n),
                     kin_int(strtol(colon + 1, NULL, 10)));
}
