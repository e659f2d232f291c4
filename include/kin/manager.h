/* kin/manager.h - shared things that belong together, and for who is no relative.
 *
 * A manager makes shared things and frees them all at once. Relatives use them directly, as ever:
 *
 *     kin_manager *m;
 *     kin_shared_dict *scores;
 *     KIN_CHECK(kin_manager_new(&m, NULL));
 *     KIN_CHECK(kin_manager_dict(m, &scores, kin_dict(kin_str("ann"), kin_int(1))));
 *
 * Programs elsewhere, in C or Python, are served over a socket, by names:
 *
 *     KIN_CHECK(kin_manager_register(m, "scores", kin_shared(scores)));
 *     kin_serve_options with = { .authkey = "abc", .authkey_size = 3 };
 *     KIN_CHECK(kin_manager_serve(m, "0.0.0.0:5000", &with));
 *
 *     // elsewhere
 *     kin_connect_options by = { .authkey = "abc", .authkey_size = 3 };
 *     KIN_CHECK(kin_manager_connect(&m, "server:5000", &by));
 *     KIN_CHECK(kin_manager_call(m, "scores", kin_args(), &o));
 *     kin_shared_dict *scores = kin_as(kin_shared_dict, o);   // a proxy: the same calls work on it
 *     KIN_CHECK(kin_shared_dict_add(scores, kin_str("ann"), kin_int(1), NULL));
 *
 * What is spoken is the protocol of Python's managers (multiprocessing.managers): a BaseManager of
 * Python connects to ours, and kin_manager_connect to a SyncManager of Python.
 *
 * Who knows the key may do what is registered and nothing else: no other name is looked up, and no
 * code is run that was not registered. What he sends is bounded in size, number and, if you like,
 * rate; a client that is slow, stuck, or gone holds up nobody, and who floods has his turns like
 * everybody else.
 */
#ifndef KIN_MANAGER_H
#define KIN_MANAGER_H

#include <kin/collection.h>
#include <kin/condition.h>
#include <kin/listener.h>
#include <kin/pool.h>
#include <kin/queue.h>
#include <kin/share.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_manager: shared things that are freed together; or a connection to a manager elsewhere.
 *
 * Owner:     who made it frees it, and with it all that it made.
 * Threads:   any. Each thread has a connection of its own to a manager elsewhere.
 * Processes: the manager is one process's; the things are the family's.
 * Fork:      a child uses the things, and frees nothing. Proxies connect anew in it.
 * Death:     of its process: the things stay, as long as the family does; who is connected is told
 *            KIN_EEOF. Of a client: what he held (locks, permits of .owned semaphores, messages
 *            that he had not acknowledged) is given back when his connection ends, his references
 *            when his process has, or 60 s after his host's last connection by TCP.
 */
typedef struct kin_manager kin_manager;

typedef struct kin_manager_options {
    uint64_t reserved[4]; /* must be zero */
} kin_manager_options;

typedef struct kin_serve_options {
    const void *authkey; /* a manager needs one: KIN_EINVAL without */
    size_t authkey_size;
    bool allow_md5;       /* also clients that only know HMAC-MD5: Python up to 3.11 */
    bool allow_create;    /* clients may make things of the default types: dict, list, Queue, ... */
    size_t max_clients;   /* connections at once, others wait; 0: 1000 */
    size_t max_message;   /* bytes of a request; 0: 64 MiB */
    size_t max_memory;    /* bytes that all connections may have waiting; 0: 256 MiB */
    size_t max_rate;      /* requests a second of one program, or host by TCP; 0: not bounded */
    uint64_t reserved[4]; /* must be zero */
} kin_serve_options;

/* ---- here ----------------------------------------------------------------------------------- */

/* Makes one that has made nothing yet, without process or thread. KIN_EINVAL, KIN_ENOMEM, or what
 * kept this process from joining its family. */
KIN_API int kin_manager_new(kin_manager **ret_manager, const kin_manager_options *options);

/* Stops serving, and frees what it made, if nobody has freed it before. Of one elsewhere: frees the
 * proxies that it made, and ends the connections; proxies from calls say KIN_ECLOSED then. NULL is
 * fine. */
KIN_API void kin_manager_free(kin_manager *manager);
KIN_AUTO(kin_manager)

/* Makes a thing that the manager owns. On a manager elsewhere it is made there, and what comes back
 * is a proxy, which kin_X_free may end sooner; the thing goes with its last proxy. `items` is given
 * away; none, or an object of all zeros: it is empty. Errors as of kin_X_new; KIN_EUNSUPPORTED from
 * a manager that does not make such things for clients, for options that do not travel, and for
 * pools, which are for relatives. */
KIN_API int kin_manager_dict(kin_manager *manager, kin_shared_dict **ret, kin_obj items);
KIN_API int kin_manager_list(kin_manager *manager, kin_shared_list **ret, kin_obj items);
KIN_API int kin_manager_set(kin_manager *manager, kin_shared_set **ret, kin_obj items);
KIN_API int kin_manager_namespace(kin_manager *manager, kin_shared_namespace **ret, kin_obj items);
KIN_API int kin_manager_queue(kin_manager *manager, kin_queue **ret,
                              const kin_queue_options *options);
KIN_API int kin_manager_lock(kin_manager *manager, kin_lock **ret);
KIN_API int kin_manager_rlock(kin_manager *manager, kin_rlock **ret);
KIN_API int kin_manager_semaphore(kin_manager *manager, kin_semaphore **ret, unsigned value,
                                  const kin_semaphore_options *options);
KIN_API int kin_manager_condition(kin_manager *manager, kin_condition **ret);
KIN_API int kin_manager_event(kin_manager *manager, kin_event **ret);
KIN_API int kin_manager_barrier(kin_manager *manager, kin_barrier **ret, unsigned parties);
KIN_API int kin_manager_value(kin_manager *manager, kin_value **ret, char typecode,
                              kin_obj initial);
KIN_API int kin_manager_array(kin_manager *manager, kin_array **ret, char typecode,
                              kin_obj initial);
KIN_API int kin_manager_pool(kin_manager *manager, kin_pool **ret, const kin_pool_options *options);

/* ---- for others: serving -------------------------------------------------------------------- */

/* From now on clients may ask for that name: kin_shared(thing), any of those above, or
 * kin_func(fn), which is called with what the client passes, in a thread of its own, and whose
 * result is handed to him; if it crashes, so does this process. When he is gone meanwhile, its next
 * wait says KIN_EINTR, once, and what it returns is dropped. The object is given away; the thing
 * stays whose it is. KIN_EEXIST for a name that is there; KIN_ETYPE, KIN_EUNSUPPORTED for what
 * cannot be served: pools, connections. */
KIN_API int kin_manager_register(kin_manager *manager, const char *name, kin_obj object);

/* Serves at that address (kin_listener_new) by a thread of this process, and returns. Names may be
 * registered before and after. KIN_ESTATE when it serves already; others as of kin_listener_new.
 * Who is refused for his key is logged (KIN_LOG_INFO), a line a second at most. What clients have
 * made goes when serving ends. */
KIN_API int kin_manager_serve(kin_manager *manager, const char *address,
                              const kin_serve_options *options);

/* Where it serves; "" when it does not. Of ":5000" that is "[::]:5000", all interfaces, where
 * nobody can connect to: clients are to be told a host's name, and the port. */
KIN_API const char *kin_manager_address(const kin_manager *manager);

/* Waits until a client asks it to shut down, or kin_manager_stop is called; not at all when it does
 * not serve: 0; KIN_ETIMEDOUT, KIN_EINTR. Serving goes on until stop or free. */
KIN_API int kin_manager_join(kin_manager *manager, double timeout);
KIN_API int kin_manager_stop(kin_manager *manager); /* serving ends; the things stay */

typedef struct kin_manager_info {
    uint64_t clients;  /* connected now */
    uint64_t objects;  /* that clients can name now */
    uint64_t requests; /* so far */
    uint64_t refused;  /* who did not know the key, broke a bound, or sent what is no request */
    uint64_t waiting;  /* calls of clients that wait */
    uint64_t bytes_in, bytes_out;
} kin_manager_info;

/* What clients have done so far, and what they have now; zeros when it does not serve. */
KIN_API int kin_manager_stats(kin_manager *manager, kin_manager_info *ret_info);

/* How many objects clients hold references to, here or elsewhere. */
KIN_API int64_t kin_manager_number_of_objects(kin_manager *manager);

/* ---- for others: using ---------------------------------------------------------------------- */

/* Connects to a manager, of kin or Python. Errors as of kin_connect; KIN_EINVAL without a key. Each
 * thread that makes calls gets a connection of its own at its first one, by the same options;
 * .timeout is also how long a call waits for its answer beyond what it asks for (0: 20 s; then
 * KIN_ETIMEDOUT, and the connection is closed). A connection that breaks fails the call that was at
 * work, with KIN_EEOF, for nobody knows whether it was done; the next call connects anew. Locks
 * that the thread had are held no longer then: their release says KIN_ESTATE. */
KIN_API int kin_manager_connect(kin_manager **ret_manager, const char *address,
                                const kin_connect_options *options);

/* Asks for what is registered under that name: kin_shared(proxy) for a thing, to be used by its
 * own calls or by kin_proxy_call; what a function returned. `args` is given away. The proxy is
 * freed with the object; with kin_take(kin_queue, object) instead of kin_as it is yours, until
 * kin_queue_free. KIN_ENOTFOUND: no such name. What failed there fails here with its code
 * and its text. */
KIN_API int kin_manager_call(kin_manager *manager, const char *name, kin_obj args,
                             kin_obj *ret_result);

/* A method of a proxy by its name in Python ("put", "__getitem__"); NULL for ret is fine. */
KIN_API int kin_proxy_call(const void *proxy, const char *method, kin_obj args,
                           kin_obj *ret_result);

/* Between these two, calls of kin_proxy_call by this thread on proxies of that manager are sent
 * without waiting, and their *ret_result are set until the end, in which also all failures are: an
 * error object each. What would be a proxy comes as a token (kin_is_token). Other calls by this
 * thread on that manager say KIN_ESTATE meanwhile, also a second begin; a proxy that is freed
 * meanwhile gives its reference back in its turn. How many failed. When the connection breaks, the
 * call that finds out says KIN_EEOF, all before it that had no answer are errors, and the batch is
 * over: its end says KIN_ESTATE. kin_manager_free without an end sends what was begun, and sets
 * nothing any more. */
KIN_API int kin_manager_begin_batch(kin_manager *manager);
KIN_API int64_t kin_manager_end_batch(kin_manager *manager);

/* Asks the manager elsewhere to end: one of ours ends its kin_manager_join, and its program
 * decides; one of Python's ends. */
KIN_API int kin_manager_shutdown(kin_manager *manager);

#ifdef __cplusplus
}
#endif
#endif
