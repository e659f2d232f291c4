/* A queue between main and its child, in both directions.
 *
 * Python: q.put('yangyang'); p.start(); p.join(); print(q.get()), where the child gets and puts
 * Python: p.start(); print(q.get()); p.join(), where the child does q.put([42, None, 'hello'])
 */
#include <kin.h>
#include <stdio.h>

static kin_obj answer(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    kin_obj message;
    KIN_TRY(kin_queue_get(queue, &message, KIN_FOREVER));
    printf("the child got %s\n", kin_as_str(message));
    kin_release(message);
    KIN_TRY(kin_queue_put(queue, kin_str("shiyi"), KIN_FOREVER));
    return kin_none();
}

static kin_obj put_three(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    KIN_TRY(kin_queue_put(queue, kin_list(kin_int(42), kin_none(), kin_str("hello")), KIN_FOREVER));
    return kin_none();
}

static void get_and_print(kin_queue *queue)
{
    kin_obj message;
    KIN_CHECK(kin_queue_get(queue, &message, KIN_FOREVER));
    kin_print(message);
    kin_release(message);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, NULL));

    kin_auto(kin_process) first = NULL;
    KIN_CHECK(kin_queue_put(queue, kin_str("yangyang"), KIN_FOREVER));
    KIN_CHECK(kin_start(&first, answer, kin_args(kin_shared(queue)), NULL));
    KIN_CHECK(kin_process_join(first, KIN_FOREVER));
    get_and_print(queue);

    kin_auto(kin_process) second = NULL;
    KIN_CHECK(kin_start(&second, put_three, kin_args(kin_shared(queue)), NULL));
    get_and_print(queue);
    KIN_CHECK(kin_process_join(second, KIN_FOREVER));
    return 0;
}
