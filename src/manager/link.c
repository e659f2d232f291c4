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
 *   R4  What nobody needs to know the answer of is not waited for, if the other side is one of
 *       ours: that is done before whatever this thread asks for next, and before the link is
 *       closed. (A connection of its own, as Python needs it, is waited for: who closed it too
 *       early would be a failure over there.)
 *
 * Death. Of the other side: KIN_EEOF. Of ours: over there all connections end.
 *
 * Not here. Bytes (wire.c), many in a row (batch.c), what a proxy is (proxy.c), which calls go this
 * way (remote.c).
 */
#include "link.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GREETING "kin" /* what one of ours answers to accept_connection */

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

static bool is_of_ended_thread(const kin__wire *w)
{
    return !kin__os_thread_is_there(w->tid);
}

/* Under the mutex. R1, R3 */
static void prune(kin__link *link, bool all)
{
    for (kin__wire **at = &link->wires; *at != NULL;) {
        kin__wire *w = *at;
        if (all || is_of_ended_thread(w)) {
            *at = w->next;
            kin__wire_free(w);
        } else {
            at = &w->next;
        }
    }
}

static kin__wire *find_wire(kin__link *link)
{
    uint32_t thread = kin__this_thread();
    kin__wire *w = link->wires;
    while (w != NULL && w->thread != thread) {
        w = w->next;
    }
    return w;
}

/* This thread's wire, if it has one. */
int kin__link_find(kin__link *link, kin__wire **ret)
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

uint64_t kin__link_wire_number(kin__link *link)
{
    kin__link_lock();
    const kin__wire *w = find_wire(link);
    uint64_t number = w != NULL && w->is_kin ? w->number : 0;
    kin__link_unlock();
    return number;
}

bool kin__link_has(const kin__link *link, uint64_t number)
{
    const kin__wire *w = link->wires;
    while (w != NULL && w->number != number) {
        w = w->next;
    }
    return w != NULL;
}

void kin__link_cut(kin__link *link, kin__wire *w)
{
    kin__link_lock();
    for (kin__wire **at = &link->wires; *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            kin__wire_free(w);
            break;
        }
    }
    kin__link_unlock();
}

/* ---- requests and answers -------------------------------------------------------------------- */

void kin__request_drop(const kin__request *request)
{
    kin_release(request->args);
    kin_release(request->names);
}

/* 0, or a failure of the connection. *ret_rv: what became of the request. */
static int exchange(kin__wire *w, const kin__request *request, kin_obj *ret, int *ret_rv)
{
    kin__packed packed;
    int64_t deadline = kin__wire_deadline(w, request->seconds);
    *ret_rv = kin__wire_pack(request, &packed);
    if (*ret_rv < 0) {
        return 0;
    }
    int rv = kin__wire_write(w, &packed);
    kin__os_free(packed.data);
    while (rv == 0 && w->n_owed > 0) {
        rv = kin__wire_settle(w, deadline);
    }
    return rv < 0 ? rv : kin__wire_take(w, deadline, request->ret_proxy, ret, ret_rv);
}

/* To the manager itself, over a connection that it closes afterwards. */
static int ask_manager(const kin__link *link, const kin__request *request, kin_obj *ret)
{
    kin__wire *w;
    int answered;
    int rv = kin__wire_new(link, &w);
    if (rv < 0) {
        kin__request_drop(request);
        return rv;
    }
    rv = exchange(w, request, ret, &answered);
    kin__wire_free(w);
    return rv < 0 ? rv : answered;
}

static int introduce(kin__wire *w)
{
    kin_obj greeting;
    int answered;
    kin__request request = { .method = "accept_connection",
                             .args = kin_tuple(kin_str(w->link->name)) };
    int rv = exchange(w, &request, &greeting, &answered);
    rv = rv < 0 ? rv : answered;
    if (rv == 0) {
        w->is_kin =
            kin_type_of(greeting) == KIN_TYPE_STR && strcmp(kin_as_str(greeting), GREETING) == 0;
        kin_release(greeting);
    }
    return rv;
}

static int make_wire(kin__link *link, kin__wire **ret)
{
    int rv = kin__wire_new(link, ret);
    if (rv < 0) {
        return rv;
    }
    rv = introduce(*ret);
    if (rv < 0) {
        kin__wire_free(*ret);
        return rv;
    }
    kin__link_lock();
    prune(link, false);
    (*ret)->number = ++link->n_made;
    (*ret)->next = link->wires;
    link->wires = *ret;
    kin__link_unlock();
    return 0;
}

int kin__link_obtain(kin__link *link, kin__wire **ret)
{
    int rv = kin__link_find(link, ret);
    return rv < 0 || *ret != NULL ? rv : make_wire(link, ret);
}

bool kin__link_is_kin(kin__link *link)
{
    kin__wire *w;
    return kin__link_obtain(link, &w) == 0 && w->is_kin;
}

int kin__link_ask(kin__link *link, const kin__request *request, kin_obj *ret)
{
    kin__wire *w;
    int answered;
    int rv = kin__link_obtain(link, &w);
    if (rv < 0) {
        kin__request_drop(request);
        return rv;
    }
    if (w->batch) {
        kin__request_drop(request);
        return kin__fail(KIN_ESTATE, "between kin_manager_begin_batch and kin_manager_end_batch "
                                     "there may be kin_proxy_call only");
    }
    if (request->ident == NULL && !w->is_kin) {
        return ask_manager(link, request, ret);
    }
    rv = exchange(w, request, ret, &answered);
    if (rv < 0) {
        kin__link_cut(link, w); /* R2 */
    }
    return rv < 0 ? rv : answered;
}

/* ---- what nobody waits for ------------------------------------------------------------------- */

/* R4. In a batch it leaves with that. */
static int leave_word(kin__wire *w, const kin__request *request)
{
    kin__packed packed;
    if (kin__wire_pack(request, &packed) < 0) {
        return 0;
    }
    int rv = kin__wire_make_place(w);
    if (rv == 0) {
        rv = w->batch ? kin__wire_gather(w, &packed) : kin__wire_write(w, &packed);
    }
    kin__os_free(packed.data);
    if (rv == 0) {
        kin__wire_owe(w, NULL, false);
    }
    return rv;
}

/* In its turn: a Python manager is told elsewhere, and so when all before it is answered. */
void kin__link_tell(kin__link *link, const kin__request *request)
{
    kin__wire *w;
    kin_obj unused;
    int rv = kin__link_obtain(link, &w);
    if (rv < 0) {
        kin__request_drop(request);
        return;
    }
    bool is_kin = w->is_kin;
    rv = is_kin ? leave_word(w, request) : kin__wire_settle_to(w, 0);
    if (rv < 0) {
        kin__wire_fail_owed(w, rv);
        kin__link_cut(link, w); /* R2 */
    }
    if (!is_kin && ask_manager(link, request, &unused) == 0) {
        kin_release(unused);
    }
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
    kin__wire *w;
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

/* R4 */
static void settle_all(kin__link *link)
{
    kin__wire *w;
    int rv = kin__link_find(link, &w);
    if (rv == 0 && w != NULL && !w->batch) {
        (void)kin__wire_settle_to(w, 0);
    }
}

void kin__link_close(kin__link *link)
{
    settle_all(link);
    kin__link_lock();
    link->closed = true;
    uint32_t thread = kin__this_thread();
    for (kin__wire **at = &link->wires; *at != NULL;) {
        kin__wire *w = *at;
        if (w->thread == thread ||
            is_of_ended_thread(w)) { /* others may be in the midst of a call */
            *at = w->next;
            kin__wire_free(w);
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
