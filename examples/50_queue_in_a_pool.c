/* A queue between two tasks of a pool. It goes into their arguments like all that is shared: no
 * manager stands in between.
 *
 * Python: queue = Manager().Queue(10); pool = Pool(2); pool.apply_async(Producer, args=(queue,));
 * pool.apply_async(Consumer, args=(queue,)); pool.close(); pool.join()
 */
#include <kin.h>
#include <stdio.h>

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    KIN_TRY(kin_queue_put(queue, kin_str("a"), KIN_FOREVER));
    return kin_none();
}

static kin_obj consume(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    kin_obj message;
    KIN_TRY(kin_queue_get(queue, &message, KIN_FOREVER));
    return message;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = 10)));
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));

    kin_auto(kin_future) got = NULL;
    KIN_CHECK(kin_pool_submit(pool, consume, kin_args(kin_shared(queue)), NULL, &got));
    KIN_CHECK(kin_pool_submit(pool, produce, kin_args(kin_shared(queue)), NULL, NULL));
    KIN_CHECK(kin_pool_close(pool));
    KIN_CHECK(kin_pool_join(pool, KIN_FOREVER));

    kin_obj message;
    KIN_CHECK(kin_future_get(got, &message, 0));
    kin_print(message);
    kin_release(message);
    return 0;
}
