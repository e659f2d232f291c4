/* link.h - what a link and its wires are; for link.c, wire.c and batch.c. */
#ifndef KIN_MANAGER_LINK_H
#define KIN_MANAGER_LINK_H

#include "room.h"

#define KIN__OWED 256 /* answers that are not here yet, of one wire */

/* One thread's connection. What is in `out` are whole requests, what is in `in` are answers, the
 * last one perhaps in part. */
struct kin__wire {
    struct kin__wire *next;
    const kin__link *link;
    kin_conn *conn;
    int fd;          /* of it: the bytes go past it */
    uint64_t number; /* of this link's wires, for good */
    uint32_t thread; /* whose, for good */
    pid_t tid;       /* its number while it is there */
    bool is_kin;     /* a manager of ours is at the other end */
    char *out;
    size_t out_size;
    char *in;
    size_t in_at, in_have, in_room;
    struct kin__owed {
        kin_obj *place; /* NULL: nowhere */
        bool counts;    /* when it is a failure */
    } owed[KIN__OWED];  /* a ring */
    unsigned first_owed, n_owed;
    bool batch;
    int64_t failed; /* of that batch */
};

struct kin__link {
    unsigned refs;
    pid_t pid;
    bool closed;
    kin__wire *wires;
    uint64_t n_made;            /* of them, so far */
    struct kin__proxy *proxies; /* that go with the manager: proxy.c */
    char *address;
    char *key;
    kin_connect_options options; /* with that key */
    char name[64];               /* what we say we are called */
};

/* ---- one connection (wire.c): codes below are failures of it, after which it is of no use ---- */

int kin__wire_new(const kin__link *link, kin__wire **ret);
void kin__wire_free(kin__wire *wire);

/* Until when an answer is waited for that may take `seconds` over there. */
int64_t kin__wire_deadline(const kin__wire *wire, double seconds);

/* A request as a frame; what it was given goes. `data` is to be freed. */
typedef struct kin__packed {
    void *data;
    const char *frame;
    size_t size;
} kin__packed;
int kin__wire_pack(const kin__request *request, kin__packed *ret);

/* Writes what was gathered, and then this (NULL: nothing). Or only gathers it, if there is room. */
int kin__wire_write(kin__wire *wire, const kin__packed *packed);
int kin__wire_gather(kin__wire *wire, const kin__packed *packed);

/* The answer to what was written or gathered last goes there later (NULL: nowhere). Before that, a
 * place for one is made, which may wait for others. */
int kin__wire_make_place(kin__wire *wire);
void kin__wire_owe(kin__wire *wire, kin_obj *place, bool counts);

/* The next answer that is owed goes where it belongs; all that are go there as errors. */
int kin__wire_settle(kin__wire *wire, int64_t deadline);
int kin__wire_settle_to(kin__wire *wire, unsigned n); /* until so many are owed, or fewer */
void kin__wire_fail_owed(kin__wire *wire, int rv);

/* The next answer: 0, and in *ret_rv what became of the request. */
int kin__wire_take(kin__wire *wire, int64_t deadline, bool *ret_proxy, kin_obj *ret, int *ret_rv);

/* ---- this thread's wire (link.c) ------------------------------------------------------------- */

/* *ret is NULL if it has none. Or one is made. */
int kin__link_find(kin__link *link, kin__wire **ret);
int kin__link_obtain(kin__link *link, kin__wire **ret);
void kin__link_cut(kin__link *link, kin__wire *wire);

/* The request is not sent. */
void kin__request_drop(const kin__request *request);

#endif
