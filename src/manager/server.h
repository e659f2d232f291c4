/* server.h - what serves clients elsewhere; for the files that do.
 *
 * Idea. One thread does everything that cannot wait: it accepts, reads requests, tries each call at
 * once, and writes answers. A call that has to wait, or runs code of the user's, goes to a thread
 * of the crew, and its client is not read from until it is back.
 *
 *      listener --> client --> request --> names, objects --> call ---- at once ----+
 *                  (frames)   (control,    (objects.c,         |                    v
 *                   client.c)  or a method) holders.c)         +--> crew.c --> answer --> client
 *
 * Rules.
 *   R1  Clients, objects and holders are the serving thread's alone: no locks. Others hand it calls
 *       that are done, by a list with a lock and a flag, and read counters, which are atomic.
 *   R2  A client acts as a guest of the family, from his first call on, in whatever thread that is
 *       made. He has one call at a time; and he is not ended before that is back.
 *   R3  Each buffer counts, from its first byte to its last: of one client (max_message, and what
 *       he has not read), and of all (max_memory: then whoever has most in them is gone).
 *   R4  What a call uses is pinned: an object goes when nobody refers to it, and no call is at it.
 *   R5  References are a program's, not a connection's, for Python sends each on a connection of
 *       its own (holders.c).
 *   R6  Clients take turns, of a bounded length (client.c, R4): all who have sent something get one
 *       before anybody gets his next. How many requests a program may send may be bounded, too.
 *   R7  A forked child closes its copies of our descriptors at once, so that who is connected is
 *       told of our death though children live. So they change under a lock that forks take.
 *   R8  A client that is gone in the midst of a turn is buried at the turn's end: until then there
 *       may be events of his in hand.
 *
 * Death. Of a client: what he claimed goes back by his guest's end, his references by his
 * program's. Of this process: clients are told by the kernel.
 *
 * Not here. What a thing's methods are: kinds.c.
 */
#ifndef KIN_MANAGER_SERVER_H
#define KIN_MANAGER_SERVER_H

#include "../queue/room.h"
#include "room.h"

typedef struct kin__server kin__server;
typedef struct kin__client kin__client;
typedef struct kin__holder kin__holder;

/* ---- objects: what clients can name (objects.c) ------------------------------------------- */

typedef struct kin__object {
    struct kin__object *next;       /* of the same row, by number */
    struct kin__object *next_thing; /* of the same row, by thing */
    uint64_t number;                /* its ident, in hexadecimal */
    const kin__kind *kind;
    kin_obj held; /* the shared thing, or a plain value; none: of a private thing */
    void *thing;  /* a private one */
    uint64_t refs;
    unsigned pins;  /* R4 */
    bool permanent; /* a thing of somebody else's: the entry stays while that does */
    bool owned;     /* made for a client: it goes with its last reference */
} kin__object;

#define KIN__OBJECT_ROWS 1024
typedef struct kin__objects {
    kin__object *by_number[KIN__OBJECT_ROWS];
    kin__object *by_thing[KIN__OBJECT_ROWS];
    uint64_t next;
    _Atomic uint64_t count, referenced;
} kin__objects;

#define KIN__IDENT 20 /* bytes of one, with its zero */

void kin__objects_begin(kin__objects *objects);
void kin__objects_end(kin__objects *objects); /* frees what it owns */
kin__object *kin__objects_find(kin__objects *objects, const char *ident);
void kin__object_ident(const kin__object *object, char ident[KIN__IDENT]);

/* That of a shared thing, made if there is none: NULL with a sentence. */
kin__object *kin__objects_of(kin__objects *objects, kin_obj shared);

/* A new one: of a thing that was made for a client, or a plain value; which is given, also when it
 * fails. NULL with a sentence. */
kin__object *kin__objects_add(kin__objects *objects, const kin__kind *kind, void *thing);
kin__object *kin__objects_add_value(kin__objects *objects, kin_obj value);

void kin__object_ref(kin__objects *objects, kin__object *object);
void kin__object_unref(kin__objects *objects, kin__object *object, uint64_t n);
void kin__object_unpin(kin__objects *objects, kin__object *object);

/* NULL: it has none of that name. */
const kin__method *kin__object_method(const kin__object *object, const char *name);

/* What its methods get; NULL with a sentence when that was freed. */
void *kin__object_thing(kin__object *object);
void kin__objects_each(kin__objects *objects, void (*visit)(kin__object *object, void *ctx),
                       void *ctx);

/* ---- who refers to them (holders.c) ---------------------------------------------------------- */

/* The program at the other end: a process, or a host. Each call of it is one more connection. */
kin__holder *kin__holder_enter(kin__holder **all, pid_t pid, const char *host);
void kin__holder_leave(kin__holder *holder);

/* One more request of it, of which one may come in each `pace` ns: 0, now; or when. */
int64_t kin__holder_book(kin__holder *holder, int64_t now, int64_t pace);
int kin__holder_ref(kin__holder *holder, kin__objects *objects, kin__object *object);
bool kin__holder_unref(kin__holder *holder, kin__objects *objects, kin__object *object);

/* Those who are gone give theirs back. When to look again. */
int64_t kin__holders_look(kin__holder **all, kin__objects *objects, int64_t now);
void kin__holders_end(kin__holder **all);

/* ---- threads for calls that wait (crew.c) ---------------------------------------------------- */

typedef struct kin__job {
    struct kin__job *next;
    void (*run)(struct kin__job *job);
} kin__job;

typedef struct kin__crew {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    kin__job *first, **last;
    unsigned idle, waiting;
    bool over;
    struct kin__hand_of_crew *members;
} kin__crew;

int kin__crew_begin(kin__crew *crew);
int kin__crew_do(kin__crew *crew, kin__job *job); /* KIN_EAGAIN, KIN_ENOMEM: no thread for it */
void kin__crew_end(kin__crew *crew);              /* what was begun is done first */

/* ---- calls (call.c) -------------------------------------------------------------------------- */

typedef struct kin__call {
    kin__job job;
    kin__client *client;
    kin_obj request;     /* as it was sent */
    kin_obj args, names; /* of it, with things in the place of their proxies */
    kin__object *object; /* pinned; NULL: it makes one */
    kin__served method;  /* one of these three */
    void (*undo)(kin__asked *asked, kin_obj result); /* of that method */
    const kin__kind *kind;
    kin_fn function;
    kin__asked asked;
    kin_obj result;
    bool raised;               /* that is what it failed with, and no value */
    _Atomic uint32_t unwanted; /* 1: its client is gone */
} kin__call;

/* A method of an object; something made, by a kind or a function that was registered. The
 * request is given. */
void kin__call_method(kin__client *client, kin__object *object, const kin__method *method,
                      kin_obj request);
void kin__call_maker(kin__client *client, const kin__kind *kind, kin_fn function, kin_obj request);
void kin__call_done(kin__call *call); /* by the serving thread */
void kin__call_free(kin__call *call);
void kin__call_cut(kin__call *call); /* its client is gone */

/* ---- requests and answers (request.c, control.c, answer.c) ----------------------------------- */

void kin__client_asks(kin__client *client, const void *bytes, size_t size);
bool kin__is_ident_known(kin__client *client, kin_obj ident, kin__object **ret); /* or it answers */

bool kin__is_call(kin_obj request); /* the control call of that name */

/* One of the control calls; the request is given. */
void kin__control(kin__client *client, kin_obj request);

/* The payload is given. */
void kin__answer(kin__client *client, const char *kind, kin_obj payload);
void kin__answer_trouble(kin__client *client, const char *type, const char *text); /* #TRACEBACK */
void kin__answer_failure(kin__client *client); /* the same, of this thread's last sentence */
void kin__answer_object(kin__client *client, kin__object *object); /* what create says: a new ref */
void kin__answer_proxy(kin__client *client, kin__object *object);  /* #PROXY: the same */

/* A code with this thread's last sentence as the exception that comes closest. */
kin_obj kin__exception_for(int code);

/* ---- things and their proxies (nested.c) ----------------------------------------------------- */

/* An object with things of ours for the proxies in it; and the other way. 0, or a code. */
int kin__nested_resolve(kin__client *client, kin_obj o, kin_obj *ret);
int kin__nested_name(kin__client *client, kin_obj o, kin_obj *ret);
kin_obj kin__tuple_from(kin_obj row, size_t from); /* of a list or tuple, from there on */
kin_obj kin__nested_token(kin__client *client, const kin__object *object);

/* ---- clients (client.c) ---------------------------------------------------------------------- */

typedef struct kin__reply {
    struct kin__reply *next;
    char *bytes;
    size_t size, sent;
} kin__reply;

struct kin__client {
    kin__client *next, *previous;
    kin__client *next_dead;
    kin__server *server;
    int fd;
    kin__id guest; /* KIN__NOBODY: he has made no call yet */
    kin__hand hand;
    kin__holder *holder;
    kin_obj address; /* by which he reaches us, as Python has it */
    bool named;      /* he has said accept_connection: calls of methods follow */
    bool is_kin;     /* and that he is one of ours: control.c */
    bool ending;     /* when all is written */
    bool dead;       /* R8 */
    unsigned watched;
    int64_t since;
    char *in;
    size_t from, have, room; /* what is not asked yet: in[from ... have) */
    int64_t resumes; /* when he may ask what he has sent; 0: there is nothing. client.c, R4 */
    bool booked;     /* that is paid for */
    uint64_t turn;   /* of the server's, when he had one last */
    kin__reply *out, **last_out;
    size_t out_size;
    kin__call *call; /* at work */
};

void kin__client_new(kin__server *server, int fd, const kin__net_address *from); /* R7: locked */
void kin__client_event(kin__client *client, unsigned what);
void kin__client_go_on(kin__client *client); /* after a call: with what has come meanwhile */

/* If there is something to resume, and he has not had this turn yet. When to look again. */
int64_t kin__client_turn(kin__client *client, int64_t now);
void kin__client_drop(kin__client *client);
void kin__client_bury(kin__client *client);
bool kin__client_is_guest(kin__client *client); /* he is from now on; false with a sentence */

/* Takes the bytes, `free`s them: a whole frame. */
void kin__client_send(kin__client *client, char *bytes, size_t size);

/* ---- the serving thread (serve.c) ------------------------------------------------------------ */

struct kin__server {
    kin__server *next; /* of this process: R7 */
    kin_manager *manager;
    pid_t pid; /* whose thread serves */
    kin_listener *listener;
    int watch, flag;
    kin__thread thread;
    atomic_bool over;
    bool listens;       /* whoever connects is looked at: else there are too many */
    int64_t listens_at; /* again, not before this */
    bool allow_create;
    size_t max_clients, max_message, max_memory;
    size_t memory; /* R3 */
    int64_t pace;  /* ns between two requests of a program; 0: as they come */
    uint64_t turn;
    int64_t log_again;
    kin__client *clients, *dead;
    int fresh; /* the descriptor of one who is to be the next client; -1 */
    kin__holder *holders;
    kin__objects objects;
    kin__crew crew;
    pthread_mutex_t mutex; /* of these two */
    kin__job *done;
    atomic_bool started;
    _Atomic uint64_t n_clients, requests, refused, waiting, bytes_in, bytes_out;
};

int kin__server_new(kin__server **ret, kin_manager *manager, const char *address,
                    const kin_serve_options *options);
bool kin__server_free(kin__server *server); /* false: it was a forked child's copy */
const char *kin__server_address(const kin__server *server);
void kin__server_stats(kin__server *server, kin_manager_info *ret);
uint64_t kin__server_referenced(const kin__server *server);

/* The lock of R7: nothing waits under it. */
void kin__server_lock_descriptors(void);
void kin__server_unlock_descriptors(void);

/* Any thread: this call is done. */
void kin__server_hand_in(kin__server *server, kin__job *job);

/* More memory for a client's buffers: false, and he may be dropped, when there is none. Less. */
bool kin__server_charge(kin__server *server, kin__client *client, size_t bytes);
void kin__server_discharge(kin__server *server, size_t bytes);

int kin__manager_keep(kin_manager *manager, void *thing, void (*end)(void *thing));

#endif
