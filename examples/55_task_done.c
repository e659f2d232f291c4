/* Who puts work into a queue waits until all of it is done, and not only taken.
 *
 * Python: q = JoinableQueue(); Process(target=worker, daemon=True).start(); q.put(item) for each;
 * q.join(), where worker does: while True: item = q.get(); …; q.task_done()
 */
#include <kin.h>
#include <stdatomic.h>
#include <stdio.h>

enum { WORKERS = 3, ROUNDS = 2, ITEMS = 100 };

static kin_obj work(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    atomic_int *total = kin_arg_shared(args, 1);
    kin_obj item;
    while (kin_queue_get(queue, &item, KIN_FOREVER) == 0) {
        atomic_fetch_add(total, (int)kin_as_int(item));
        kin_release(item);
        KIN_TRY(kin_queue_task_done(queue));
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .joinable = true)));
    atomic_int *total = kin_alloc(sizeof *total);
    KIN_CHECK(total != NULL ? 0 : KIN_ENOMEM);
    for (int i = 0; i < WORKERS; i++) {
        KIN_CHECK(kin_start(NULL, work, kin_args(kin_shared(queue), kin_shared(total)),
                            KIN_OPT(kin_process_options, .daemon = true)));
    }

    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 1; i <= ITEMS; i++) {
            KIN_CHECK(kin_queue_put(queue, kin_int(i), KIN_FOREVER));
        }
        KIN_CHECK(kin_queue_join(queue, KIN_FOREVER));
        printf("after round %d the total is %d\n", round, atomic_load(total));
    }
    return 0; /* the workers are daemons, and end with us */
}
