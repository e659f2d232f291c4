/* manager/room.h - what a manager, its server and its proxies are made of. */
#ifndef KIN_MANAGER_ROOM_H
#define KIN_MANAGER_ROOM_H

#include "../listener/room.h"
#include "../obj/room.h"
#include "../sync/room.h"
#include <kin/manager.h>
#include <kin/pickle.h>
#include <pthread.h>

/* ---- frames (framing.c) ---------------------------------------------------------------------- */

typedef struct kin__frame {
    const char *body;
    size_t size;
    size_t whole; /* with its header; 0: that is not known yet */
} kin__frame;

/* 1: there is one; 0: not all of it is there; KIN_ERANGE, without a sentence: it is larger than
 * `most`. */
int kin__framing_look(const char *bytes, size_t have, size_t most, kin__frame *ret);

/* The header before a body; where it begins. There is room for that. */
#define KIN__FRAME_HEADER 12
char *kin__framing_put(char *body, size_t size);

/* ---- a manager elsewhere (link.c) -------------------------------------------------------------
 *
 * A link is the way to a manager: where it is, its key, and a connection for each thread that uses
 * it. It is counted, for its proxies need it as long as they live. */
typedef struct kin__link kin__link;

/* Connects once, to see whether it is there. `ret_link` holds one reference. */
int kin__link_open(kin__link **ret_link, const char *address, const kin_connect_options *options);
kin__link *kin__link_keep(kin__link *link);
void kin__link_drop(kin__link *link);
struct kin__proxy **kin__link_proxies(kin__link *link); /* of a manager, under the lock: */
void kin__link_lock(void);
void kin__link_unlock(void);
void kin__link_close(kin__link *link); /* all its connections; calls say KIN_ECLOSED from then on */

bool kin__link_is_kin(kin__link *link); /* it is a manager of ours */

/* What a token of its things has as address. */
kin_obj kin__link_address(const kin__link *link);

/* One request; ident NULL: to the manager itself. What it asks for may take `seconds` longer than
 * an answer takes at all. `args` is given. 0 and what came back, in *ret; or the code and the text
 * of what failed there. *ret_proxy (may be NULL) is whether *ret is a token of a new thing, with
 * its names: ((names...), token). */
typedef struct kin__request {
    const char *ident;
    const char *method;
    kin_obj args;
    kin_obj names; /* given, too; invalid: none */
    double seconds;
    bool *ret_proxy;
} kin__request;
int kin__link_ask(kin__link *link, const kin__request *request, kin_obj *ret);

/* The same to the manager itself, and nobody waits for the answer, if it is one of ours. */
void kin__link_tell(kin__link *link, const kin__request *request);

/* The number of this thread's wire to one of ours; 0: it has none. And, under the lock, whether
 * there is one of that number (0: no). */
uint64_t kin__link_wire_number(kin__link *link);
bool kin__link_has(const kin__link *link, uint64_t number);

/* Many in a row (batch.c): this thread's batch, NULL if it has begun none; each result has its
 * place (NULL: nowhere) at the latest in the end. How many have failed, or a code. */
typedef struct kin__wire kin__wire;
int kin__batch_begin(kin__link *link);
kin__wire *kin__batch_of(kin__link *link);
int kin__batch_add(kin__link *link, kin__wire *batch, const kin__request *request,
                   kin_obj *ret_place);
int64_t kin__batch_end(kin__link *link);
void kin__batch_abandon(kin__link *link); /* no place is touched any more; if there is one */

/* From now on the verbs of other rooms know proxies (remote.c). */
void kin__remote_begin(void);

/* ---- what can be served (kinds_*.c): which methods a thing has, by their names in Python ---- */

/* One call of a client. Nothing in it is trusted; all is borrowed. */
typedef struct kin__asked {
    void *thing;
    kin_obj args;  /* a tuple or list */
    kin_obj names; /* a dict: what was given by name */
    bool may_wait; /* false: say *ret_waits instead of waiting */
    bool waits;    /* it would have to wait: call again, where that may be done */
    int64_t began; /* when it was called first, of kin__os_now() */
    kin_manager *manager;

    /* When the answer is a new thing, which the client names from now on. */
    const struct kin__kind *new_kind;
    void *new_thing;
} kin__asked;

/* 0 and an object to answer with, which may be an error like any other value; or a code with a
 * sentence, which becomes the exception that Python raises there; or KIN__RAISED and an error
 * object, for a certain one (kin__asked_raise). */
enum { KIN__RAISED = 1 << 20 };
typedef int (*kin__served)(kin__asked *asked, kin_obj *ret);

/* How many arguments by position, and which by name: those of the first ones in their order, with a
 * space in between; "**": any; NULL: none. All zeros: none at all. */
typedef struct kin__takes {
    size_t most;
    const char *names;
} kin__takes;
#define KIN__ANY SIZE_MAX

/* Whether these may be passed: KIN_ETYPE, with Python's sentence, before anything is done. */
int kin__takes_check(const kin__takes *takes, const char *what, kin_obj args, kin_obj names);

typedef struct kin__method {
    const char *name;
    kin__served call;
    kin__takes takes;
    bool hidden; /* is answered, and not told of */
    bool waits;  /* always in a thread of its own */
    bool whole;  /* goes through all items: so, too, where they are many */

    /* When nobody is there any more to be told what it brought; `result` is borrowed. NULL: that is
     * gone, or goes back with the client. */
    void (*undo)(kin__asked *asked, kin_obj result);
} kin__method;

typedef struct kin__kind {
    const char *type_id;           /* as SyncManager has it: "dict"; NULL: none */
    const char *class_name;        /* "DictProxy" */
    int kind;                      /* kin_shared_dict_KIND; 0: a plain object */
    const kin__method *methods;    /* up to one without a name */
    int64_t (*count)(void *thing); /* its items; NULL: it has none, or few */

    /* What create makes, and of what; NULL: nothing. args and names are borrowed. */
    kin__takes takes;
    int (*make)(kin_obj args, kin_obj names, void **ret_thing);
    void (*free)(void *thing);
} kin__kind;

const kin__kind *kin__kind_of(int kind);               /* NULL: it cannot be served */
const kin__kind *kin__kind_named(const char *type_id); /* of the default types */
const kin__method *kin__kind_method(const kin__kind *kind, const char *name);

kin_obj kin__kind_names(const kin__kind *kind); /* what is told of: a tuple */

/* Another object like this one, in which each thing and each token was replaced by what map() says:
 * 1 and another one, 0 for the same, or a code. */
int kin__map_things(kin_obj o, int (*map)(kin_obj o, void *ctx, kin_obj *ret), void *ctx,
                    kin_obj *ret);

/* For methods. An argument by position, or by name; what is said where there is none. */
kin_obj kin__asked_arg(const kin__asked *asked, size_t i, const char *name, kin_obj otherwise);

/* That one, which there must be: invalid, with a sentence, where it is not. */
kin_obj kin__asked_must(const kin__asked *asked, size_t i, const char *name);

/* Argument i as an index of a list, none being `otherwise`. */
int kin__asked_int(const kin__asked *asked, size_t i, const char *name, int64_t otherwise,
                   int64_t *ret);

/* How long it may wait, by Python's pair of arguments from i on ("block" or "blocking", and then
 * "timeout") or, if `pair` is NULL, by a timeout alone. None is for ever. Less than 0 is so, too,
 * for locks, an error for queues, and no time at all where it is alone. */
int kin__asked_timeout(const kin__asked *asked, size_t i, const char *pair, double *ret);

/* Of a timeout, what to wait for now: 0 where it may not wait, else what is left of it. */
double kin__asked_left(const kin__asked *asked, double timeout);

/* After such a try that said `rv`: true when it may not wait here, but would have to, and
 * asked->waits was set. */
bool kin__asked_waits(kin__asked *asked, double timeout, int rv);

/* An exception as the answer: KIN__RAISED. `args` are given. */
int kin__asked_raise(kin_obj *ret, const char *type, kin_obj args);

/* What most verbs come to: none, true or false, an int; codes as they are. */
int kin__asked_none(int rv, kin_obj *ret);
int kin__asked_bool(int rv, kin_obj *ret);
int kin__asked_count(int64_t rv, kin_obj *ret);

/* An iterator over a list, which is given: the answer. */
int kin__asked_iterator(kin__asked *asked, kin_obj list, kin_obj *ret);

extern const kin__kind kin__kind_dict, kin__kind_list, kin__kind_set, kin__kind_namespace,
    kin__kind_queue, kin__kind_joinable_queue, kin__kind_lock, kin__kind_rlock, kin__kind_semaphore,
    kin__kind_bounded_semaphore, kin__kind_condition, kin__kind_event, kin__kind_barrier,
    kin__kind_value, kin__kind_array, kin__kind_iterator;

/* ---- a manager (manager.c, make.c) ----------------------------------------------------------- */

struct kin_manager {
    kin__link *link; /* NULL: it is this one, here */
    pid_t maker;
    pthread_mutex_t mutex; /* of what follows */
    struct kin__made *made;
    struct kin__name *names;
    struct kin__server *server; /* NULL: it does not serve */
    kin_event *ended;           /* set: nothing is served, or somebody wants it to end */
};

/* Of one elsewhere, whose link is its own then; NULL: of one here. */
int kin__manager_new(kin_manager **ret, kin__link *link);

/* What one elsewhere is asked for (connect.c): a proxy of what it makes, args (a tuple) and names
 * (a dict) being given; how many things are referred to. And the end of its link. */
int kin__far_make(kin__link *link, const kin__kind *kind, kin_obj args, kin_obj names, void **ret);
int64_t kin__far_count(kin__link *link);
void kin__far_end(kin__link *link);
int kin__manager_check(const kin_manager *manager, const void *place, const char *verb);

/* What is registered under a name: an object of the caller's; false: nothing. */
bool kin__manager_name(kin_manager *manager, const char *name, kin_obj *ret);

#endif
