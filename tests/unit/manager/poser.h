/* poser.h - a server that is no manager: it lets one in, greets him as one of ours does, and then
 * does with the connection what a test wants. */
#ifndef KIN_TEST_MANAGER_POSER_H
#define KIN_TEST_MANAGER_POSER_H

#include "unit/manager/far.h"

#include <pthread.h>

typedef void poser_act(kin_conn *conn);

typedef struct poser {
    kin_listener *listener;
    poser_act *act;
    pthread_t thread;
} poser;

static void *pose(void *ctx)
{
    const poser *p = ctx;
    kin_conn *conn = NULL;
    kin_obj request;
    if (kin_listener_accept(p->listener, &conn, KIN_FOREVER) < 0) {
        return NULL;
    }
    CHECK_OK(kin_conn_recv(conn, &request, KIN_FOREVER));
    kin_release(request);
    CHECK_OK(kin_conn_send(conn, kin_tuple(kin_str("#RETURN"), kin_str("kin")), KIN_FOREVER));
    p->act(conn);
    kin_conn_free(conn);
    return NULL;
}

/* And who is connected to it. */
UNUSED static kin_manager *connect_to_poser(poser *p, poser_act *act, double timeout)
{
    char address[64];
    kin_manager *far = NULL;
    const kin_connect_options how = { .authkey = SECRET,
                                      .authkey_size = strlen(SECRET),
                                      .timeout = timeout };
    snprintf(address, sizeof address, "@kin-manager-test-%d", (int)getpid());
    CHECK_OK(kin_listener_new(
        &p->listener, address,
        KIN_OPT(kin_listener_options, .authkey = SECRET, .authkey_size = strlen(SECRET))));
    p->act = act;
    CHECK_EQ(pthread_create(&p->thread, NULL, pose, p), 0);
    CHECK_OK(kin_manager_connect(&far, address, &how));
    return far;
}

UNUSED static void end_poser(poser *p)
{
    CHECK_EQ(pthread_join(p->thread, NULL), 0);
    kin_listener_free(p->listener);
}

#endif
