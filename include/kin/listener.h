/* kin/listener.h - meeting strangers: somebody listens at an address, others connect to it.
 *
 *     kin_listener_new(&listener, "/tmp/jobs.sock",
 *                      KIN_OPT(kin_listener_options, .authkey = key, .authkey_size = n));
 *     kin_listener_accept(listener, &conn, KIN_FOREVER);
 *     ...
 *     kin_connect(&conn, "/tmp/jobs.sock",
 *                 KIN_OPT(kin_connect_options, .authkey = key, .authkey_size = n));
 *
 * Addresses are "/path" (or "./path"), of any length (where that is more than 107 bytes, the last
 * part has 80 at most); "@name", which is in no file system; "host:port" and "[::1]:port"; and, to
 * listen on all interfaces, ":port". Either side may be a Python program, with
 * multiprocessing.connection's Listener and Client. Who meets at an address is a stranger there,
 * also a relative.
 */
#ifndef KIN_LISTENER_H
#define KIN_LISTENER_H

#include <kin/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_listener: a place where connections arrive.
 * Owner:     its maker. A path that it made is unlinked when that process frees it or ends.
 * Threads:   any, several may accept. When one frees it, the others are told KIN_ECLOSED.
 * Processes: the one that made it, and those it forked.
 * Fork:      the child's copy works, and takes some of those who connect; the path stays its
 *            parent's.
 * Death:     of its maker, by a signal: a path stays, and is taken over by the next listener there,
 *            unless a forked child has a copy. Who connects is told that nobody listens. */
typedef struct kin_listener kin_listener;

typedef struct kin_listener_options {
    const void *authkey; /* NULL: nobody has to know a key */
    size_t authkey_size;
    bool allow_md5;       /* also those who only know HMAC-MD5: Python up to 3.11 */
    int backlog;          /* how many may wait to be accepted; 0: 128 */
    double auth_timeout;  /* seconds for one who connects to show that he knows the key; 0: 20 */
    uint64_t reserved[4]; /* must be zero */
} kin_listener_options;

typedef struct kin_connect_options {
    const void *authkey; /* NULL: there is no key */
    size_t authkey_size;
    bool allow_md5;       /* also a listener that only knows HMAC-MD5: Python up to 3.11 */
    double timeout;       /* seconds for all of it; 0: 20 */
    uint64_t reserved[4]; /* must be zero */
} kin_connect_options;

/* ---- making and ending ------------------------------------------------------------------ */

/* Listens there. NULL: on a path of its own, in a new folder that only this user can read. Port 0:
 * one that is free; kin_listener_address says which. A path left over by a listener that is gone
 * is taken over; KIN_EEXIST when somebody listens there, or something else is at the path. Of a
 * name's addresses an IPv4 one is taken, if there is one: Python knows no others. A name is looked
 * up as by kin_connect. */
KIN_API int kin_listener_new(kin_listener **ret_listener, const char *address,
                             const kin_listener_options *options);
KIN_API void kin_listener_free(kin_listener *listener);
KIN_AUTO(kin_listener)

/* ---- meeting ------------------------------------------------------------------------------ */

/* The next who connects, once he has shown that he knows the key. Those who are slow to show it,
 * or silent, are waited for beside the others, while somebody accepts: up to 256 of them, then the
 * first one goes. KIN_EAUTH: one did not know it, or was silent, and is closed; the next call goes
 * on with the others. KIN_EMFILE and KIN_ENOMEM: he waits. KIN_ETIMEDOUT, KIN_ECLOSED. */
KIN_API int kin_listener_accept(kin_listener *listener, kin_conn **ret_conn, double timeout);

/* Connects to a listener, kin's or Python's. KIN_ENOENT: there is no such path; KIN_EREFUSED:
 * nobody listens there; KIN_ENOTFOUND: no such host; KIN_ETIMEDOUT; KIN_EAUTH: one of the two did
 * not show that he knows the key. Whether there is a key has to be the same on both sides: a
 * listener without one says nothing to who has one, until the timeout.
 *
 * The timeout does not end the look-up of a host's name, which is libc's affair. Where a name
 * server is silent that takes 10 seconds and more, and the call so much longer; then there may be
 * no time left to connect in. Numbers ("127.0.0.1", "[::1]") are looked up nowhere, and a name that
 * stands in /etc/hosts there alone: use these where a time has to be kept. Or have libc give up
 * sooner: RES_OPTIONS="timeout:1 attempts:1" in the environment, or options in resolv.conf. */
KIN_API int kin_connect(kin_conn **ret_conn, const char *address,
                        const kin_connect_options *options);

/* ---- questions ---------------------------------------------------------------------------- */

/* Where it listens, as kin_connect takes it (a path from the root, a port that is a number); and
 * the address of who was accepted last, "" before the first and for who came by a path. Both live
 * as long as the listener, the second until the next accept. */
KIN_API const char *kin_listener_address(const kin_listener *listener);
KIN_API const char *kin_listener_last_accepted(const kin_listener *listener);

/* Ready when an accept would not wait. */
KIN_API kin_waitable kin_listener_waitable(kin_listener *listener);

#ifdef __cplusplus
}
#endif
#endif
