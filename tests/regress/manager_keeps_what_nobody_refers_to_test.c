/* In Python a manager's process grows: what a killed client referred to stays for good, and so does
 * what was handed from one client to another (gh-103136). Here references are the clients', and go
 * with them. */
#include "scene.h"

#define KEY .authkey = "our key", .authkey_size = 7

enum { THINGS = 50 };

static void make_many(const kin_manager *m)
{
    kin_manager *far = NULL;
    CHECK_OK(kin_manager_connect(&far, kin_manager_address(m), KIN_OPT(kin_connect_options, KEY)));
    for (int i = 0; i < THINGS; i++) {
        kin_shared_list *list = NULL;
        CHECK_OK(kin_manager_list(far, &list, kin_list(kin_int(i))));
    }
}

static int make_and_die(void *ctx)
{
    make_many(ctx);
    raise(SIGKILL);
    return 0;
}

static uint64_t blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

TEST_WITHIN(60, what_killed_clients_referred_to_is_freed)
{
    kin_manager *m = NULL;
    char own[40];
    snprintf(own, sizeof own, "@kin-regress-keeps-%d", (int)getpid());
    CHECK_OK(kin_manager_new(&m, NULL));
    CHECK_OK(kin_manager_serve(m, own, KIN_OPT(kin_serve_options, KEY, .allow_create = true)));
    uint64_t before = blocks();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(test_child(make_and_die, m)), -SIGKILL);
    }
    WAIT_UNTIL(kin_manager_number_of_objects(m) == 0);
    WAIT_UNTIL(blocks() <= before);
    kin_manager_free(m);
    nothing_is_left();
}
