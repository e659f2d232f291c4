/* address.c - what an address says, and being found at one.
 *
 * Idea. Four spellings, told apart by how they begin, so that no file and no host is ever guessed:
 *
 *      /path  ./path  ../path     a file of that name: 107 bytes for Python, here as long as it
 *                                 likes, but for the last part
 *      @name                      in no file system; 1 to 107 bytes, no zero in them
 *      host:port  [v6]:port       TCP
 *      :port  *:port              TCP on all interfaces, IPv4 and IPv6; only to listen
 *
 * Rules.
 *   R1  A path is bound by bind(), which gives it to one alone, and says so when it is there
 *       already.
 *   R2  What is there and is no socket stays. A socket that somebody has open stays: that is asked
 *       without him noticing (kin__os_net_is_bound), and holds from his bind() on, so nobody is
 *       taken for dead who has not begun to listen yet.
 *   R3  What is left is a file that nobody will ever listen at again. It is looked at, unlinked,
 *       and bound anew with the folder locked. So of two who found it one comes second, looks
 *       again, and finds the first. No lock file is left over, and the lock ends with its holder.
 *       Those who find nothing there need no lock: bind() is theirs or is not.
 *   R4  A path is made absolute, and remembered with its file: it is unlinked by its maker alone,
 *       wherever his working directory is then, and only while it leads to that file.
 *
 * Death. A path stays, for the next one (R3). A folder that was made for it stays, too.
 *
 * Not here. Who connects (listener.c), and connecting (connect.c).
 */
#include "room.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE INT64_C(2000000000) /* for the lock of a folder; others have it for microseconds */
#define ADDRESS_MOST 4096

/* ---- what it says ----------------------------------------------------------------------- */

static int refuse(const char *address, const char *why, const char *verb)
{
    return kin__fail(KIN_EINVAL, "%s: the address \"%.200s\" %s", verb, address, why);
}

static bool is_path(const char *address)
{
    return address[0] == '/' || strncmp(address, "./", 2) == 0 || strncmp(address, "../", 3) == 0;
}

static int find_path(kin__spots *ret, const char *address, const char *verb)
{
    int rv = kin__os_net_path(address, &ret->at[0], &ret->folder);
    ret->is_path = true;
    ret->n = 1;
    if (rv == -ENAMETOOLONG) {
        return refuse(address, "has a last part that is too long for a socket", verb);
    }
    return rv < 0 ? kin__fail_os(rv, "%s: \"%.200s\"", verb, address) : 0;
}

static int find_name(kin__spots *ret, const char *address, const char *verb)
{
    ret->n = 1;
    if (address[1] == '\0') {
        return refuse(address, "has no name after the @", verb);
    }
    return kin__os_net_abstract(address + 1, &ret->at[0]) < 0
               ? refuse(address, "has a name that is too long: 107 bytes at most", verb)
               : 0;
}

typedef struct host_port {
    char name[256]; /* "": all interfaces */
    const char *port;
} host_port;

/* "host:port" in two. What is wrong with it, or NULL. */
static const char *split(host_port *ret, const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL) {
        return "is none: \"host:port\", \"/path\", \"./path\" or \"@name\"";
    }
    size_t size = (size_t)(colon - address);
    bool bracketed = size >= 2 && address[0] == '[' && address[size - 1] == ']';
    const char *name = bracketed ? address + 1 : address;
    size -= bracketed ? 2 : 0;
    if (size >= sizeof ret->name) {
        return "has a host name that is too long";
    }
    if (!bracketed && memchr(name, ':', size) != NULL) {
        return "has more than one colon: an IPv6 address stands in brackets, \"[::1]:80\"";
    }
    memcpy(ret->name, name, size);
    ret->name[size] = '\0';
    if (strcmp(ret->name, "*") == 0) {
        ret->name[0] = '\0';
    }
    ret->port = colon + 1;
    return NULL;
}

static bool is_port(const char *text, bool or_any)
{
    unsigned port = 0;
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < digits && i < 6; i++) {
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return digits > 0 && digits <= 5 && text[digits] == '\0' && port <= 65535 &&
           (port > 0 || or_any);
}

/* Has an address of that kind first, if there is one. */
static void prefer(kin__spots *spots, bool ipv4)
{
    for (int i = 1; i < spots->n; i++) {
        if (kin__os_net_is_ipv4(&spots->at[i]) == ipv4 &&
            kin__os_net_is_ipv4(&spots->at[0]) != ipv4) {
            kin__net_address first = spots->at[i];
            spots->at[i] = spots->at[0];
            spots->at[0] = first;
        }
    }
}

static int find_host(kin__spots *ret, const char *address, bool to_listen, const char *verb)
{
    host_port host;
    const char *wrong = split(&host, address);
    if (wrong == NULL && !is_port(host.port, to_listen)) {
        wrong = to_listen ? "has no port from 0 to 65535 after its last colon"
                          : "has no port from 1 to 65535 after its last colon";
    }
    bool all = wrong == NULL && host.name[0] == '\0';
    if (all && !to_listen) {
        wrong = "says no host to connect to";
    }
    if (wrong != NULL) {
        return refuse(address, wrong, verb);
    }
    const char *why = "";
    ret->n = kin__os_net_resolve(all ? NULL : host.name, host.port, ret->at, KIN__SPOTS, &why);
    if (ret->n == 0) {
        return kin__fail(KIN_ENOTFOUND, "%s: the host of \"%.200s\" is not found: %s", verb,
                         address, why);
    }
    if (to_listen) { /* an IPv6 socket for all hears IPv4 too; else Python knows only that */
        prefer(ret, !all);
    }
    return 0;
}

int kin__spots_find(kin__spots *ret, const char *address, bool to_listen, const char *verb)
{
    *ret = (kin__spots){ .folder = -1 };
    if (is_path(address)) {
        return find_path(ret, address, verb);
    }
    return address[0] == '@' ? find_name(ret, address, verb)
                             : find_host(ret, address, to_listen, verb);
}

void kin__spots_forget(kin__spots *spots)
{
    if (spots->folder >= 0) {
        kin__os_close(spots->folder);
    }
    spots->folder = -1;
}

/* ---- being found there ------------------------------------------------------------------ */

#define VERB "kin_listener_new"

/* With the folder locked (R3): 0, when what was left over is gone. */
static int clear(const char *address, const kin__net_address *at)
{
    kin__net_file file;
    int rv = kin__os_net_file(address, &file);
    if (rv == -ENOENT) {
        return 0; /* it went by itself */
    }
    if (rv < 0) {
        return kin__fail_os(rv, VERB ": \"%.200s\"", address);
    }
    if (!file.is_socket) {
        return kin__fail(KIN_EEXIST, VERB ": something that is no socket is at \"%.200s\"",
                         address);
    }
    if (kin__os_net_is_bound(at)) {
        return kin__fail(KIN_EEXIST, VERB ": somebody listens at \"%.200s\"", address);
    }
    KIN__STEP("listen.left_over");
    rv = kin__os_net_unlink(address, &file);
    return rv < 0 && rv != -ENOENT
               ? kin__fail_os(rv, VERB ": \"%.200s\" is left over, and stays", address)
               : 0;
}

/* Binds where something was: 0, or a code. */
static int take_over(int socket, const char *address, const kin__net_address *at)
{
    int lock = kin__os_net_lock_folder(address, kin__os_now() + PATIENCE);
    if (lock == -ETIMEDOUT) {
        return kin__fail(KIN_EEXIST, VERB ": something is at \"%.200s\", and its folder is locked",
                         address);
    }
    int bound = -EADDRINUSE;
    int rv = 0;
    while (rv == 0 && bound == -EADDRINUSE) { /* who finds nothing there needs no lock */
        rv = clear(address, at);
        KIN__STEP("listen.cleared");
        bound = rv == 0 ? kin__os_net_bind(socket, at) : bound;
    }
    kin__os_net_unlock_folder(lock);
    return rv == 0 && bound < 0 ? kin__fail_os(bound, VERB ": \"%.200s\"", address) : rv;
}

/* Binds a socket to one spot, and has it listen: 0, -errno, or a code of ours with a sentence. */
static int settle(kin__bound *b, const kin__spots *spots, int i, int backlog)
{
    b->socket = kin__os_net_socket(&spots->at[i]);
    int rv = b->socket < 0 ? b->socket : kin__os_net_bind(b->socket, &spots->at[i]);
    if (rv == -EADDRINUSE && spots->is_path) {
        rv = take_over(b->socket, b->address, &spots->at[i]);
    }
    if (rv == 0 && spots->is_path) {
        rv = kin__os_net_file(b->address, &b->file);
        b->is_path = rv == 0;
    }
    return rv < 0 ? rv : kin__os_net_listen(b->socket, backlog);
}

/* The first of the spots that can be had. */
static int settle_somewhere(kin__bound *b, const kin__spots *spots, int backlog)
{
    int rv = 0;
    for (int i = 0; i < spots->n; i++) {
        rv = settle(b, spots, i, backlog);
        if (rv == 0) {
            return 0;
        }
        if (b->socket >= 0) {
            kin__os_close(b->socket);
            b->socket = -1;
        }
    }
    if (rv == -EADDRINUSE) {
        return kin__fail(KIN_EEXIST, VERB ": somebody listens at \"%.200s\"", b->address);
    }
    return rv > -4096 ? kin__fail_os(rv, VERB ": \"%.200s\"", b->address) : rv;
}

/* What the address became: a port of 0 another one. */
static int note_address(kin__bound *b)
{
    kin__net_address at;
    int rv = kin__os_net_own_address(b->socket, &at);
    if (rv < 0) {
        return kin__fail_os(rv, VERB ": \"%.200s\"", b->address);
    }
    kin__os_net_text(&at, b->address, ADDRESS_MOST);
    return 0;
}

/* The address, made absolute, or made at all, into b->address. */
static int begin(kin__bound *b, const char *address)
{
    *b = (kin__bound){ .socket = -1, .maker = kin__os_getpid() };
    b->address = kin__os_malloc(ADDRESS_MOST);
    if (b->address == NULL) {
        return kin__fail(KIN_ENOMEM, VERB ": no memory for an address");
    }
    int rv = 0;
    if (address == NULL) {
        rv = kin__os_net_make_folder(b->address, ADDRESS_MOST - sizeof "/listener");
        b->folder = rv == 0 ? strlen(b->address) : 0;
        memcpy(b->address + b->folder, "/listener", sizeof "/listener");
        return rv < 0 ? kin__fail_os(rv, VERB ": no folder for a socket") : 0;
    }
    if (is_path(address)) {
        rv = kin__os_net_absolute(address, b->address, ADDRESS_MOST);
        return rv < 0 ? kin__fail_os(rv, VERB ": \"%.200s\"", address) : 0;
    }
    size_t size = strlen(address) + 1;
    if (size > ADDRESS_MOST) {
        return refuse(address, "is too long", VERB);
    }
    memcpy(b->address, address, size);
    return 0;
}

int kin__bound_open(kin__bound *ret, const char *address, int backlog)
{
    kin__spots spots = { .folder = -1 };
    int rv = begin(ret, address);
    rv = rv < 0 ? rv : kin__spots_find(&spots, ret->address, true, VERB);
    rv = rv < 0 ? rv : settle_somewhere(ret, &spots, backlog);
    if (rv == 0 && !spots.is_path && ret->address[0] != '@') {
        rv = note_address(ret);
    }
    kin__spots_forget(&spots);
    if (rv < 0) {
        kin__bound_unlink(ret);
        kin__bound_close(ret);
    }
    return rv;
}

void kin__bound_unlink(kin__bound *b)
{
    if (b->maker != kin__os_getpid()) {
        return;
    }
    if (b->is_path) { /* R4 */
        (void)kin__os_net_unlink(b->address, &b->file);
        b->is_path = false;
    }
    if (b->folder != 0) {
        b->address[b->folder] = '\0';
        kin__os_net_remove_folder(b->address);
        b->folder = 0;
    }
}

void kin__bound_close(kin__bound *b)
{
    if (b->socket >= 0) {
        kin__os_close(b->socket);
    }
    kin__os_free(b->address);
    *b = (kin__bound){ .socket = -1 };
}
