/* A reader that never ends of itself is terminated; the queue that it slept in is none the worse.
 *
 * Python: pw = Process(target=write, args=(q,)); pr = Process(target=read, args=(q,));
 * pw.join(); pr.terminate(), where read does: while True: value = q.get(True)
 */
#include <kin.h>
#include <signal.h>
#include <stdio.h>

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    KIN_TRY(kin_queue_put(queue, kin_str("A"), KIN_FOREVER));
    KIN_TRY(kin_queue_put(queue, kin_str("B"), KIN_FOREVER));
    return kin_none();
}

static kin_obj pass_on(kin_obj args)
{
    kin_queue *from = kin_as(kin_queue, kin_arg(args, 0));
    kin_queue *to = kin_as(kin_queue, kin_arg(args, 1));
    for (;;) {
        kin_obj message;
        KIN_TRY(kin_queue_get(from, &message, KIN_FOREVER));
        KIN_TRY(kin_queue_put(to, message, KIN_FOREVER));
    }
}

static void get_and_print(const char *who, kin_queue *queue)
{
    kin_obj message;
    KIN_CHECK(kin_queue_get(queue, &message, KIN_FOREVER));
    printf("%s got %s\n", who, kin_as_str(message));
    kin_release(message);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    kin_auto(kin_queue) seen = NULL;
    KIN_CHECK(kin_queue_new(&queue, NULL));
    KIN_CHECK(kin_queue_new(&seen, NULL));
    kin_auto(kin_process) writer = NULL;
    kin_auto(kin_process) reader = NULL;
    KIN_CHECK(kin_start(&writer, produce, kin_args(kin_shared(queue)), NULL));
    KIN_CHECK(kin_start(&reader, pass_on, kin_args(kin_shared(queue), kin_shared(seen)), NULL));

    KIN_CHECK(kin_process_join(writer, KIN_FOREVER));
    get_and_print("the reader", seen);
    get_and_print("the reader", seen);
    KIN_CHECK(kin_process_terminate(reader));
    KIN_CHECK(kin_process_join(reader, KIN_FOREVER));
    printf("SIGTERM ended it: %s\n", kin_process_exitcode(reader) == -SIGTERM ? "yes" : "no");

    KIN_CHECK(kin_queue_put(queue, kin_str("C"), KIN_FOREVER));
    get_and_print("main", queue);
    return 0;
}
