/* Two children: what one puts the other gets. The queue is bounded, so neither runs far ahead.
 *
 * Python: q = Queue(10); Process(target=producer, args=(q,)), Process(target=consumer, args=(q,));
 * both started, both joined
 */
#include <kin.h>
#include <stdio.h>

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    static const char *const what[] = { "a", "b", "c" };
    for (int i = 0; i < 3; i++) {
        KIN_TRY(kin_queue_put(queue, kin_str(what[i]), KIN_FOREVER));
    }
    KIN_TRY(kin_queue_close(queue)); /* there is no more to come */
    return kin_none();
}

static kin_obj consume(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    kin_obj message;
    int rv;
    while ((rv = kin_queue_get(queue, &message, KIN_FOREVER)) == 0) {
        kin_print(message);
        kin_release(message);
    }
    return rv == KIN_ECLOSED ? kin_none() : kin_error(rv, "%s", kin_errmsg());
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = 2)));

    kin_auto(kin_process) producer = NULL;
    kin_auto(kin_process) consumer = NULL;
    KIN_CHECK(kin_start(&producer, produce, kin_args(kin_shared(queue)), NULL));
    KIN_CHECK(kin_start(&consumer, consume, kin_args(kin_shared(queue)), NULL));
    KIN_CHECK(kin_process_join(producer, KIN_FOREVER));
    KIN_CHECK(kin_process_join(consumer, KIN_FOREVER));
    printf("both have ended\n");
    return 0;
}
