/* listener/room.h - what addresses, keys and handshakes are to the files of this room. */
#ifndef KIN_LISTENER_ROOM_H
#define KIN_LISTENER_ROOM_H

#include "../conn/room.h"
#include <kin/listener.h>

/* ---- addresses (address.c) --------------------------------------------------------------- */

#define KIN__SPOTS 8

/* Where to connect to, or to listen: what an address stands for. */
typedef struct kin__spots {
    kin__net_address at[KIN__SPOTS];
    int n;
    int folder; /* has to stay open while they are used; -1 */
    bool is_path;
} kin__spots;

/* KIN_EINVAL for what is no address, KIN_ENOTFOUND for a host without one. */
int kin__spots_find(kin__spots *ret, const char *address, bool to_listen, const char *verb);
void kin__spots_forget(kin__spots *spots);

/* A socket that listens, and the path that was made for it. */
typedef struct kin__bound {
    int socket;    /* -1 */
    char *address; /* as kin_connect takes it */
    bool is_path;  /* that is a path, to be unlinked while it leads to: */
    kin__net_file file;
    size_t folder; /* this many bytes of it are a folder that was made for it; 0: none was */
    pid_t maker;
} kin__bound;

/* `address` NULL: some path. On failure nothing is left of it. */
int kin__bound_open(kin__bound *ret, const char *address, int backlog);
void kin__bound_unlink(kin__bound *bound); /* when this process made it */
void kin__bound_close(kin__bound *bound);

/* ---- digests (digest.c) --------------------------------------------------------------------- */

typedef enum kin__digest {
    KIN__MD5,
    KIN__SHA256,
    KIN__SHA384,
    KIN__SHA3_256,
    KIN__SHA3_384,
} kin__digest;

#define KIN__DIGEST_MOST 48

size_t kin__digest_size(kin__digest digest);
/* 0, or -errno: there is no libcrypto, or it refuses this digest. */
int kin__hmac(kin__digest digest, kin__bytes key, kin__bytes data, unsigned char *ret);
void kin__wipe(void *secret, size_t size); /* also when nobody will read it */

/* ---- who knows the key (auth.c) ------------------------------------------------------------ */

#define KIN__AUTH_FRAME 256 /* bytes, without the four of the length */
#define KIN__AUTH_CHALLENGE 48

/* One side of a handshake; it knows of no descriptor. */
typedef struct kin__auth {
    kin__bytes key; /* borrowed */
    bool listens;
    bool allow_md5;
    unsigned got;       /* frames that have come: what the next one means */
    const char *reason; /* why it failed, after "who: "; NULL: it has not */
    size_t to_send;     /* of what is in `out`; as much as `sent` has gone */
    size_t sent;
    size_t have; /* of the frame in `in`, with its length */
    unsigned char in[4 + KIN__AUTH_FRAME];
    unsigned char out[64];
    unsigned char challenge[KIN__AUTH_CHALLENGE]; /* ours */
} kin__auth;

typedef enum kin__auth_wish {
    KIN__AUTH_FAILED = -1,
    KIN__AUTH_RECEIVE, /* up to so many bytes, into there */
    KIN__AUTH_SEND,    /* from there */
    KIN__AUTH_DONE,
} kin__auth_wish;

/* 0, or a failed system call: there are no random bytes. */
int kin__auth_begin(kin__auth *auth, bool listens, kin__bytes key, bool allow_md5);

/* What it wants to be done next, and then: what came of that, n of its bytes or -errno (0 received:
 * the end). */
kin__auth_wish kin__auth_next(kin__auth *auth, void **ret_bytes, size_t *ret_size);
void kin__auth_went(kin__auth *auth, kin__auth_wish wish, ssize_t n);

/* Does it over a socket that does not block, as far as that goes: KIN__AUTH_DONE;
 * KIN__AUTH_RECEIVE: when there is more to read; KIN__AUTH_FAILED: reason says why. */
kin__auth_wish kin__auth_drive(kin__auth *auth, int fd);

/* Until there is something to read: 0, or -errno. */
int kin__auth_await(int fd, int64_t deadline);

/* Options that make sense: 0, KIN_EINVAL. */
int kin__auth_check(const void *key, size_t size, double timeout, const char *verb);

/* ---- accepting beside other work (listener.c) --------------------------------------------- */

/* A descriptor that polls readable when it is worth asking for the next one; a code. */
int kin__listener_fd(kin_listener *listener);

/* Children that are forked from now on do not listen there, and have none of its descriptors. */
void kin__listener_keep_private(kin_listener *listener);

/* 1: somebody who knows the key, whose descriptor is the caller's now; 0: nobody, now; KIN_EAUTH:
 * one who does not, and is gone; other codes. Never waits. */
int kin__listener_next(kin_listener *listener, int *ret_fd, kin__net_address *ret_from);

#endif
