/* connect.c - reaching somebody at an address.
 *
 * One deadline is for all of it. Of a host with several addresses each gets its part of what is
 * left, so that one that swallows what is sent to it leaves time for the next. */
#include "room.h"

#include <errno.h>

#define SECONDS 20.0

static const char verb[] = "kin_connect";

static int check(kin_conn **ret_conn, const char *address, const kin_connect_options *options)
{
    if (ret_conn == NULL || address == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the %s is NULL", verb,
                         address == NULL ? "address" : "place for the connection");
    }
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", verb);
        }
    }
    return kin__auth_check(options->authkey, options->authkey_size, options->timeout, verb);
}

/* -errno, with a sentence. */
static int fail(int error, const char *address)
{
    switch (error) {
    case -ECONNREFUSED:
        return kin__fail(KIN_EREFUSED, "%s: nobody listens at \"%.200s\"", verb, address);
    case -ETIMEDOUT:
        return kin__fail(KIN_ETIMEDOUT, "%s: nobody answered at \"%.200s\" in time", verb, address);
    case -EPROTOTYPE:
        return kin__fail(KIN_EREFUSED, "%s: \"%.200s\" is a socket for no streams", verb, address);
    default:
        return kin__fail_os(error, "%s: \"%.200s\"", verb, address);
    }
}

/* The part of the time that one of `n` tries has. */
static int64_t part_of(int64_t deadline, int n)
{
    int64_t now = kin__os_now();
    return n == 1 || deadline == KIN__NEVER || deadline < now ? deadline
                                                              : now + (deadline - now) / n;
}

/* A socket that is connected to one of the spots, or -errno of the last. */
static int reach(const kin__spots *spots, int64_t deadline)
{
    int rv = -ECONNREFUSED;
    for (int i = 0; i < spots->n && rv < 0 && rv != -EINTR; i++) {
        int fd = kin__os_net_socket(&spots->at[i]);
        rv = fd;
        if (fd >= 0) {
            rv = kin__os_net_connect(fd, &spots->at[i], part_of(deadline, spots->n - i));
            rv = rv < 0 ? rv : fd;
        }
        if (rv < 0 && fd >= 0) {
            kin__os_close(fd);
        }
    }
    return rv;
}

static int shake_hands(int fd, const char *address, const kin_connect_options *options,
                       int64_t deadline)
{
    kin__auth auth;
    kin__bytes key = { options->authkey, options->authkey_size };
    int rv = kin__auth_begin(&auth, false, key, options->allow_md5);
    if (rv < 0) {
        return fail(rv, address);
    }
    kin__auth_wish wish = kin__auth_drive(&auth, fd);
    while (wish == KIN__AUTH_RECEIVE) {
        rv = kin__auth_await(fd, deadline);
        if (rv == -ETIMEDOUT) {
            return kin__fail(KIN_ETIMEDOUT,
                             "%s: whoever is at \"%.200s\" let the handshake rest: has he no key?",
                             verb, address);
        }
        wish = rv < 0 ? KIN__AUTH_FAILED : kin__auth_drive(&auth, fd);
    }
    if (rv < 0) {
        return fail(rv, address);
    }
    return wish == KIN__AUTH_DONE ? 0
                                  : kin__fail(KIN_EAUTH, "%s: whoever is at \"%.200s\" %s", verb,
                                              address, auth.reason);
}

static int make(kin_conn **ret_conn, int fd, const char *address,
                const kin_connect_options *options, int64_t deadline)
{
    int rv = options->authkey != NULL ? shake_hands(fd, address, options, deadline) : 0;
    kin_conn *conn = rv == 0 ? kin__conn_over(fd, true, true, false) : NULL;
    if (conn == NULL) {
        kin__os_close(fd);
        return rv < 0 ? rv : kin__failure();
    }
    *ret_conn = conn;
    return 0;
}

int kin_connect(kin_conn **ret_conn, const char *address, const kin_connect_options *options)
{
    const kin_connect_options defaults = { 0 };
    options = options != NULL ? options : &defaults;
    int64_t deadline = 0;
    int rv = check(ret_conn, address, options);
    rv = rv < 0 ? rv : kin__deadline(options->timeout > 0 ? options->timeout : SECONDS, &deadline);
    kin__spots spots = { .folder = -1 };
    rv = rv < 0 ? rv : kin__spots_find(&spots, address, false, verb);
    if (rv < 0) {
        return rv;
    }
    int fd = reach(&spots, deadline);
    kin__spots_forget(&spots);
    return fd < 0 ? fail(fd, address) : make(ret_conn, fd, address, options, deadline);
}
