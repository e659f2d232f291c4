/* request_fuzz.h - a client who knows the key sends a manager anything: by the fuzzer, and by the
 * test that replays its corpus.
 *
 * Idea. An input is a row of frames: two bytes of size, and a request of that size. The manager is
 * a server without its thread, and with an object of each kind, whose idents are 1, 2, 3, ... each
 * time; so an input means the same whenever it is run. A call that goes to the crew is made here,
 * if it makes something; one that waits is given up.
 *
 *     how | size | a request | size | a request | ...     how: 1: calls of methods; 2: one of ours
 *     how | n | n bytes | n | n bytes | ...               4: they come as bytes, headers included
 *
 * Rules.
 *   R1  Each request has one answer (shutdown: two), or ends the connection.
 *   R2  The memory that one takes is counted, and in the end all of it is given back.
 *   R3  In the end no block of the family's memory is left.
 */
#ifndef KIN_REQUEST_FUZZ_H
#define KIN_REQUEST_FUZZ_H

#include "manager/server.h"
#include <kin/domain.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_NAMED = 1, REQUEST_KIN = 2, REQUEST_BYTES = 4 };

typedef struct request_world {
    kin__server server;
    kin_manager *manager;
    unsigned requests, returned, refused; /* how often */
} request_world;

/* Ends the program, so that the fuzzer keeps the input. */
static inline void request_must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s (%s)\n", what, kin_errmsg());
        abort();
    }
}

static inline uint64_t request_count_blocks(void)
{
    kin_usage_info usage;
    request_must(kin_usage(&usage) == 0, "it cannot be counted");
    return usage.blocks;
}

/* ---- the server ----------------------------------------------------------------------------- */

static inline kin_obj request_echo(kin_obj args)
{
    return kin_retain(args);
}

/* One of each kind that clients may make, empty or small: idents 1 to f. */
static inline void request_make_objects(kin__server *server)
{
    static const char *const kinds[] = {
        "dict",      "list",         "Namespace", "Queue",
        "Lock",      "RLock",        "Semaphore", "BoundedSemaphore",
        "Condition", "Event",        "Barrier",   "Value",
        "Array",     "JoinableQueue"
    };
    const kin_obj one = kin_tuple(kin_int(1));
    const kin_obj typed = kin_tuple(kin_str("i"), kin_list(kin_int(1), kin_int(2)));
    const kin_obj value = kin_tuple(kin_str("i"), kin_int(1));
    const kin_obj empty = kin_tuple(), names = kin_dict();
    server->objects.next = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const kin__kind *kind = kin__kind_named(kinds[i]);
        kin_obj args = strcmp(kinds[i], "Barrier") == 0 ? one
                       : strcmp(kinds[i], "Value") == 0 ? value
                       : strcmp(kinds[i], "Array") == 0 ? typed
                                                        : empty;
        void *thing = NULL;
        request_must(kind != NULL && kind->make(args, names, &thing) == 0, "no such kind");
        kin__object *object = kin__objects_add(&server->objects, kind, thing);
        request_must(object != NULL, "no object");
        object->pins++; /* an input cannot end it */
    }
    kin_release(one);
    kin_release(typed);
    kin_release(value);
    kin_release(empty);
    kin_release(names);
}

static inline void request_open(request_world *w)
{
    kin__server *server = &w->server;
    request_must(kin_manager_new(&w->manager, NULL) == 0, "no manager");
    request_must(kin_manager_register(w->manager, "echo", kin_func(request_echo)) == 0, "no name");
    *server = (kin__server){ .manager = w->manager,
                             .allow_create = true,
                             .max_clients = 10,
                             .max_message = 1 << 16,
                             .max_memory = 8 << 20,
                             .fresh = -1 };
    request_must(kin_listener_new(&server->listener, NULL, NULL) == 0, "no listener");
    server->watch = kin__os_watch_new();
    server->flag = kin__os_flag_new();
    request_must(server->watch >= 0 && server->flag >= 0, "no descriptors");
    request_must(kin__crew_begin(&server->crew) == 0, "no crew");
    server->crew.idle = 1000; /* so that it starts nobody */
    pthread_mutex_init(&server->mutex, NULL);
    kin__objects_begin(&server->objects);
    request_make_objects(server);
}

static inline void request_unpin(kin__object *object, void *ctx)
{
    kin__objects *objects = ctx;
    if (object->pins > 0) {
        kin__object_unpin(objects, object);
    }
}

static inline void request_close(request_world *w)
{
    kin__server *server = &w->server;
    kin__objects_each(&server->objects, request_unpin, &server->objects);
    kin__objects_end(&server->objects);
    kin__holders_end(&server->holders);
    request_must(server->memory == 0, "memory was not given back");
    kin__crew_end(&server->crew);
    pthread_mutex_destroy(&server->mutex);
    close(server->watch);
    close(server->flag);
    kin_listener_free(server->listener);
    kin_manager_free(w->manager);
}

/* ---- the client ----------------------------------------------------------------------------- */

static inline kin__client *request_enter(request_world *w, int *ret_other, unsigned how)
{
    int fds[2];
    kin__net_address nowhere = { 0 };
    request_must(kin__os_stream_pair(true, fds) == 0, "no descriptors");
    kin__client_new(&w->server, fds[0], &nowhere);
    kin__client *client = w->server.clients;
    request_must(client != NULL, "no client");
    client->named = how & REQUEST_NAMED;
    client->is_kin = how & REQUEST_KIN;
    *ret_other = fds[1];
    return client;
}

/* What the crew would do. */
static inline void request_do_jobs(request_world *w)
{
    kin__crew *crew = &w->server.crew;
    for (kin__job *job = crew->first; job != NULL; job = crew->first) {
        kin__call *call = (kin__call *)(void *)job;
        crew->first = job->next;
        crew->waiting--;
        crew->last = crew->first == NULL ? &crew->first : crew->last;
        if (call->method == NULL) {
            job->run(job);
            w->server.done = NULL;
        } else {
            call->result = kin_none();
        }
        kin__call_done(call);
    }
}

static inline void request_look_at(request_world *w, const unsigned char *bytes, size_t size)
{
    kin_obj answer = { 0 };
    request_must(kin_loads(bytes, size, &answer) == 0, "an answer that cannot be read");
    const char *word = kin_as_str(kin_at(answer, 0));
    request_must(kin_len(answer) == 2 && word[0] == '#', "an answer that is none");
    w->returned += strcmp(word, "#RETURN") == 0 || strcmp(word, "#PROXY") == 0;
    w->refused += strcmp(word, "#TRACEBACK") == 0;
    kin_release(answer);
}

/* How many whole answers there are; they are forgotten. */
static inline unsigned request_take_answers(request_world *w, kin__client *client)
{
    unsigned n = 0;
    for (kin__reply *r = client->out, *next; r != NULL; r = next) {
        next = r->next;
        for (size_t at = 0; at < r->size; n++) {
            const unsigned char *head = (const unsigned char *)r->bytes + at;
            size_t size =
                (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
            request_must(size + 4 <= r->size - at, "an answer that is cut");
            request_look_at(w, head + 4, size);
            at += 4 + size;
        }
        kin__server_discharge(&w->server, r->size);
        kin__os_free(r->bytes);
        kin__os_free(r);
    }
    client->out = NULL;
    client->last_out = &client->out;
    client->out_size = 0;
    return n;
}

static inline void request_ask(request_world *w, kin__client *client, const void *bytes,
                               size_t size)
{
    kin__client_asks(client, bytes, size);
    request_do_jobs(w);
    request_must(client->call == NULL, "a call is left");
    w->requests++;
    unsigned n = client->dead ? 1 : request_take_answers(w, client);
    request_must(n == 1 || n == 2, "not one answer");
}

/* ---- the same as bytes, through the socket --------------------------------------------------- */

static inline void request_hear_all(int other)
{
    char bytes[4096];
    while (recv(other, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

/* All that can be done with what has come. */
static inline void request_go_on(request_world *w, kin__client *client, int other)
{
    while (!client->dead && (client->call != NULL || client->resumes != 0 || client->out != NULL)) {
        w->server.turn++;
        request_do_jobs(w);
        request_must(client->call == NULL, "a call is left");
        (void)kin__client_turn(client, KIN__NEVER);
        if (!client->dead) {
            kin__client_go_on(client);
        }
        request_hear_all(other);
    }
}

static inline void request_send_bytes(request_world *w, kin__client *client, int other,
                                      const uint8_t *data, size_t size)
{
    while (size > 1 && !client->dead) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;
        (void)send(other, data + 1, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        kin__client_event(client, KIN__CAN_READ);
        request_go_on(w, client, other);
        request_must(client->room <= 2 * w->server.max_message, "a buffer beyond its bound");
        data += 1 + n;
        size -= 1 + n;
    }
    w->requests += (unsigned)atomic_load(&w->server.requests);
}

/* ---- all together --------------------------------------------------------------------------- */

static inline void request_send_all(request_world *w, const uint8_t *data, size_t size)
{
    int other;
    kin__client *client = request_enter(w, &other, data[0]);
    unsigned how = data[0];
    data++;
    size--;
    if (how & REQUEST_BYTES) {
        request_send_bytes(w, client, other, data, size);
        size = 0;
    }
    for (size_t most = size; size >= 2 && !client->dead && !client->ending;) {
        size_t n = (size_t)data[0] << 8 | data[1];
        n = n < size - 2 ? n : size - 2;
        request_ask(w, client, data + 2, n);
        data += 2 + n;
        size -= 2 + n;
        request_must(size < most, "it does not go on");
    }
    kin__client_drop(client);
    kin__client_bury(client);
    close(other);
}

static inline request_world request_run(const uint8_t *data, size_t size)
{
    static request_world w;
    request_must(kin__self() != KIN__NOBODY, "no family");
    uint64_t blocks = request_count_blocks();
    w = (request_world){ .requests = 0 };
    request_open(&w);
    if (size > 0) {
        request_send_all(&w, data, size);
    }
    request_close(&w);
    request_must(request_count_blocks() == blocks, "blocks are left");
    return w;
}

#endif
