/* A queue of a manager, in a pool: one worker puts, the other gets.
 *
 * Python: queue = Manager().Queue(10); pool.apply_async(Producer, args=(queue,)), and Consumer
 */
#include <kin.h>

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
    kin_print(message);
    kin_release(message);
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_manager) manager = NULL;
    kin_queue *queue;
    kin_pool *pool;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    KIN_CHECK(kin_manager_queue(manager, &queue, KIN_OPT(kin_queue_options, .maxsize = 10)));
    KIN_CHECK(kin_manager_pool(manager, &pool, KIN_OPT(kin_pool_options, .processes = 2)));

    KIN_CHECK(kin_pool_submit(pool, produce, kin_args(kin_shared(queue)), NULL, NULL));
    KIN_CHECK(kin_pool_submit(pool, consume, kin_args(kin_shared(queue)), NULL, NULL));
    KIN_CHECK(kin_pool_close(pool));
    KIN_CHECK(kin_pool_join(pool, KIN_FOREVER));
    return 0;
}
