/* Messages between processes: values of any shape, there as soon as put returns. */
#include <kin.h>
#include <stdio.h>

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    for (int64_t i = 1; i <= kin_arg_int(args, 2); i++) {
        KIN_TRY(kin_queue_put(queue, kin_tuple(kin_arg(args, 1), kin_int(i)), KIN_FOREVER));
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, NULL));

    KIN_CHECK(kin_queue_put(queue, kin_list(kin_int(42), kin_none(), kin_str("hello")), 0));
    kin_obj message;
    KIN_CHECK(kin_queue_get(queue, &message, 0));
    kin_print(message);
    kin_release(message);

    /* Two producers, which have ended before anybody takes what they put. */
    kin_auto(kin_process) ada = NULL;
    kin_auto(kin_process) bob = NULL;
    KIN_CHECK(
        kin_start(&ada, produce, kin_args(kin_shared(queue), kin_str("ada"), kin_int(100)), NULL));
    KIN_CHECK(
        kin_start(&bob, produce, kin_args(kin_shared(queue), kin_str("bob"), kin_int(50)), NULL));
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    KIN_CHECK(kin_queue_close(queue));
    printf("%lld messages wait\n", (long long)kin_queue_qsize(queue));

    /* Each producer's messages come in its order; a closed queue ends when it is drained. */
    kin_obj last = kin_dict();
    int rv;
    while ((rv = kin_queue_get(queue, &message, KIN_FOREVER)) == 0) {
        KIN_CHECK(kin_setitem(&last, kin_at(message, 0), kin_at(message, 1)));
        kin_release(message);
    }
    printf("ada's last is %lld, bob's is %lld\n",
           (long long)kin_as_int(kin_lookup(last, kin_str("ada"))),
           (long long)kin_as_int(kin_lookup(last, kin_str("bob"))));
    kin_release(last);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    return 0;
}
