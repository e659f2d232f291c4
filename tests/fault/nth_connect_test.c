/* Listening, connecting and accepting when memory is out, and when system calls fail. */
#include "unit/listener/peers.h"

#include <signal.h>

#define SECRET "secret key"

struct attempt {
    kin_listener *l;
    const char *key;
    struct client client;
};

static int listen_and_end(void *ctx)
{
    kin_listener *l = NULL;
    int rv = kin_listener_new(&l, ctx, KIN_OPT(kin_listener_options, KEY));
    CHECK_EQ(rv == 0, l != NULL);
    kin_listener_free(l);
    return rv;
}

TEST(a_listener_that_cannot_be_had_leaves_nothing)
{
    enter_place();
    CHECK_EQ(setenv("TMPDIR", place, 1), 0);
    for (int kind = KIN__FAULT_CALL; kind <= KIN__FAULT_MEMORY; kind++) {
        enum kin__fault_kind what = (enum kin__fault_kind)kind;
        CHECK_GE(fault_loop(what, NULL, .attempt = listen_and_end), 3);
        CHECK_GE(fault_loop(what, (void *)(uintptr_t)in_place("s"), .attempt = listen_and_end), 3);
    }
    leave_place();
}

/* Accepts in a process of its own, whatever becomes of those who connect. */
static int serve(void *ctx)
{
    for (;;) {
        kin_conn *conn = NULL;
        int rv = kin_listener_accept(ctx, &conn, KIN_FOREVER);
        CHECK(rv == 0 || rv == KIN_EAUTH);
        kin_conn_free(conn);
    }
    return 0;
}

static int connect_and_end(void *ctx)
{
    const struct attempt *it = ctx;
    kin_conn *conn = NULL;
    int rv = kin_connect(&conn, kin_listener_address(it->l),
                         KIN_OPT(kin_connect_options, .authkey = it->key,
                                 .authkey_size = it->key != NULL ? strlen(it->key) : 0));
    CHECK_EQ(rv == 0, conn != NULL);
    kin_conn_free(conn);
    return rv;
}

TEST(who_cannot_connect_has_a_code_and_leaves_nothing)
{
    const char *const keys[] = { NULL, SECRET };
    for (int i = 0; i < 2; i++) {
        struct attempt it = { .key = keys[i] };
        it.l = listener_at(NULL, KIN_OPT(kin_listener_options, .authkey = it.key,
                                         .authkey_size = it.key != NULL ? strlen(it.key) : 0));
        pid_t server = test_child(serve, it.l);
        CHECK_GE(fault_loop(KIN__FAULT_CALL, &it, .attempt = connect_and_end), 2);
        CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &it, .attempt = connect_and_end), 1);
        CHECK_EQ(kill(server, SIGKILL), 0);
        CHECK_EQ(test_join(server), -SIGKILL);
        kin_listener_free(it.l);
    }
}

/* ---- accepting ------------------------------------------------------------------------ */

static int connect_on(void *ctx)
{
    for (;;) {
        (void)connect_and_end(ctx);
    }
    return 0;
}

static int accept_and_end(void *ctx)
{
    kin_listener *l = ((struct attempt *)ctx)->l;
    kin_conn *conn = NULL;
    int rv = kin_listener_accept(l, &conn, KIN_FOREVER);
    CHECK_EQ(rv == 0, conn != NULL);
    if (rv == KIN_ENOMEM) { /* who had shown that he knows the key is still there */
        CHECK_OK(kin_listener_accept(l, &conn, KIN_FOREVER));
    }
    kin_conn_free(conn);
    return rv;
}

TEST(an_accept_that_fails_has_a_code_and_leaves_nothing)
{
    const char *const keys[] = { NULL, SECRET };
    for (int i = 0; i < 2; i++) {
        struct attempt it = { .key = keys[i] };
        it.l = listener_at(NULL, KIN_OPT(kin_listener_options, .authkey = it.key,
                                         .authkey_size = it.key != NULL ? strlen(it.key) : 0));
        pid_t client = test_child(connect_on, &it);
        CHECK_GE(fault_loop(KIN__FAULT_CALL, &it, .attempt = accept_and_end), 1);
        CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &it, .attempt = accept_and_end), 2);
        CHECK_EQ(kill(client, SIGKILL), 0);
        CHECK_EQ(test_join(client), -SIGKILL);
        kin_listener_free(it.l);
    }
}
