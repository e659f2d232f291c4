/* A manager elsewhere: connecting to it, and what it is asked for. */
#include "unit/manager/far.h"

static kin_obj add_one(kin_obj args)
{
    return kin_int(kin_arg_int(args, 0) + 1);
}

static kin_obj fail_today(kin_obj args)
{
    return kin_error(KIN_ERANGE, "no %s today", kin_arg_str(args, 0));
}

static kin_obj make_a_mistake(kin_obj args)
{
    (void)args;
    return kin_error(5, "a code that is none");
}

static kin_manager *serving(void)
{
    kin_manager *m = new_manager();
    serve(m);
    return m;
}

TEST(a_function_is_called_by_its_name)
{
    kin_manager *m = serving(), *far = connect_to(m);
    kin_obj o;
    CHECK_OK(kin_manager_register(m, "add_one", kin_func(add_one)));
    CHECK_OK(kin_manager_call(far, "add_one", kin_args(kin_int(41)), &o));
    CHECK_EQ(kin_as_int(o), 42);
    CHECK_OK(kin_manager_call(far, "add_one", kin_args(kin_int(1)), NULL));
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(what_fails_there_fails_here_with_its_code_and_its_text)
{
    kin_manager *m = serving(), *far = connect_to(m);
    kin_obj o;
    CHECK_OK(kin_manager_register(m, "fail", kin_func(fail_today)));
    CHECK_ERROR(kin_manager_call(far, "fail", kin_args(kin_str("luck")), &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "no luck today");
    CHECK_ERROR(kin_manager_call(far, "nobody", kin_args(), &o), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "nobody");
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_result_that_is_none_says_why_as_it_does_here)
{
    kin_manager *m = serving(), *far = connect_to(m);
    kin_obj o;
    CHECK_OK(kin_manager_register(m, "mistake", kin_func(make_a_mistake)));
    CHECK_ERROR(kin_manager_call(far, "mistake", kin_args(), &o), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "a code of 5 is not negative");
    CHECK_ERROR(kin_call(make_a_mistake, kin_args(), &o), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "a code of 5 is not negative");
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(things_are_made_there_if_the_manager_makes_them)
{
    kin_manager *m = serving(), *far = connect_to(m);
    kin_manager *strict = new_manager();
    kin_shared_dict *dict = NULL;
    kin_queue *queue = NULL;
    kin_pool *pool = NULL;
    CHECK_OK(kin_manager_dict(far, &dict, kin_dict(kin_str("a"), kin_int(1))));
    CHECK_STR(answer_of(dict, "copy", kin_args()), "{'a': 1}");
    CHECK_EQ(kin_manager_number_of_objects(far), 1);
    CHECK_ERROR(kin_manager_pool(far, &pool, NULL), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_manager_queue(far, &queue, KIN_OPT(kin_queue_options, .ack = true)),
                KIN_EUNSUPPORTED);
    kin_shared_dict_free(dict);
    CHECK_EQ(kin_manager_number_of_objects(far), 0);
    kin_manager_free(far);

    serve_with(strict, "@kin-manager-strict", (kin_serve_options){ 0 });
    far = connect_to(strict);
    CHECK_ERROR(kin_manager_queue(far, &queue, NULL), KIN_EUNSUPPORTED);
    CHECK_NULL(queue);
    kin_manager_free(far);
    kin_manager_free(strict);
    kin_manager_free(m);
}

TEST(who_does_not_know_the_key_is_not_connected)
{
    kin_manager *m = serving(), *far = NULL;
    const char *address = kin_manager_address(m);
    CHECK_ERROR(
        kin_manager_connect(&far, address,
                            KIN_OPT(kin_connect_options, .authkey = "wrong", .authkey_size = 5)),
        KIN_EAUTH);
    CHECK(kin_manager_connect(&far, "@kin-nobody-is-there", NULL) < 0);
    CHECK_ERROR(kin_manager_connect(&far, address, NULL), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "a manager has a key");
    CHECK_ERROR(kin_manager_connect(&far, address, &(kin_connect_options){ .timeout = 1 }),
                KIN_EINVAL);
    CHECK_ERROR(kin_manager_connect(&far, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_manager_connect(NULL, address, NULL), KIN_EINVAL);
    CHECK_NULL(far);
    kin_manager_free(m);
}

TEST(a_manager_here_is_not_asked_as_one_elsewhere_nor_the_other_way_round)
{
    kin_manager *m = serving(), *far = connect_to(m);
    kin_obj o;
    CHECK_ERROR(kin_manager_call(m, "x", kin_args(), &o), KIN_ESTATE);
    CHECK_ERROR(kin_manager_begin_batch(m), KIN_ESTATE);
    CHECK_ERROR(kin_manager_end_batch(m), KIN_ESTATE);
    CHECK_ERROR(kin_manager_shutdown(m), KIN_ESTATE);
    CHECK_ERROR(kin_manager_register(far, "f", kin_func(add_one)), KIN_EUNSUPPORTED);
    CHECK_ERROR(
        kin_manager_serve(far, "@x", KIN_OPT(kin_serve_options, .authkey = "k", .authkey_size = 1)),
        KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_manager_join(far, 0), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_manager_stop(far), KIN_EUNSUPPORTED);
    kin_semaphore *s;
    CHECK_ERROR(kin_manager_semaphore(far, &s, 1, KIN_OPT(kin_semaphore_options, .owned = true)),
                KIN_EUNSUPPORTED);
    CHECK_STR(kin_manager_address(far), "");
    CHECK_ERROR(kin_manager_call(far, NULL, kin_args(kin_list()), &o), KIN_EINVAL);
    CHECK_ERROR(kin_manager_call(NULL, "x", kin_args(kin_list()), &o), KIN_EINVAL);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(who_asks_it_to_end_ends_the_join_there)
{
    kin_manager *m = serving(), *far = connect_to(m);
    CHECK_ERROR(kin_manager_join(m, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_manager_shutdown(far));
    CHECK_OK(kin_manager_join(m, KIN_FOREVER));
    kin_manager_free(far);
    kin_manager_free(m);
}

/* A client that is no relative of anybody's mind: a process of its own. */
static int use_from_elsewhere(void *ctx)
{
    kin_manager *far = NULL;
    kin_obj o;
    int rv = kin_manager_connect(
        &far, ctx, KIN_OPT(kin_connect_options, .authkey = SECRET, .authkey_size = strlen(SECRET)));
    rv = rv < 0 ? rv : kin_manager_call(far, "add_one", kin_args(kin_int(6)), &o);
    int64_t n = rv == 0 ? kin_as_int(o) : rv;
    kin_manager_free(far);
    return (int)n;
}

TEST(another_process_connects_by_a_port)
{
    kin_manager *m = new_manager();
    char address[64];
    CHECK_OK(kin_manager_register(m, "add_one", kin_func(add_one)));
    serve_with(m, "127.0.0.1:0", (kin_serve_options){ 0 });
    snprintf(address, sizeof address, "%s", kin_manager_address(m));
    CHECK_EQ(test_join(test_child(use_from_elsewhere, address)), 7);
    kin_manager_free(m);
}
