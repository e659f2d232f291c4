/* peers.h - who connects, in processes and threads of their own. */
#ifndef KIN_TEST_PEERS_H
#define KIN_TEST_PEERS_H

#include "unit/listener/place.h"

#include <pthread.h>

/* A thread that connects with this key, and what came of it. */
struct client {
    pthread_t thread;
    const char *address;
    kin_connect_options options;
    kin_conn *conn;
    int rv;
    char sentence[300];
};

static void *run_client(void *arg)
{
    struct client *c = arg;
    c->rv = kin_connect(&c->conn, c->address, &c->options);
    snprintf(c->sentence, sizeof c->sentence, "%s", c->rv < 0 ? kin_errmsg() : "");
    return NULL;
}

UNUSED static void begin_client(struct client *c, const char *address, const char *key)
{
    *c = (struct client){ .address = address, .options = { .authkey = key } };
    c->options.authkey_size = key != NULL ? strlen(key) : 0;
    CHECK_EQ(pthread_create(&c->thread, NULL, run_client, c), 0);
}

UNUSED static int join_client(struct client *c)
{
    CHECK_EQ(pthread_join(c->thread, NULL), 0);
    return c->rv;
}

/* Both ends of a new connection. */
UNUSED static void meet(kin_listener *l, const char *key, kin_conn **ret_server,
                        kin_conn **ret_client)
{
    struct client c;
    begin_client(&c, kin_listener_address(l), key);
    *ret_server = accepted(l);
    CHECK_EQ(join_client(&c), 0);
    *ret_client = c.conn;
}

#endif
