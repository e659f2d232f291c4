/* Three producers with a queue each, and one consumer who takes from whichever has something. So he
 * could wait for events, processes, connections and descriptors beside them: kin_wait takes all.
 *
 * Python: while readers: for r in multiprocessing.connection.wait(readers): r.recv(), or, at its
 * EOFError, readers.remove(r)
 */
#include <kin.h>
#include <stdio.h>

#define PRODUCERS 3
#define MESSAGES 100

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    for (int i = 1; i <= MESSAGES; i++) {
        KIN_TRY(kin_queue_put(queue, kin_int(i * kin_arg_int(args, 1)), KIN_FOREVER));
    }
    KIN_TRY(kin_queue_close(queue)); /* there is no more to come; a queue that is closed is ready */
    return kin_none();
}

/* What there is just now, and whether there may be more. */
static bool take(kin_queue *queue, int64_t *sum)
{
    kin_obj message;
    int rv = kin_queue_get(queue, &message, 0); /* it would not wait: or somebody else was faster */
    if (rv == 0) {
        *sum += kin_as_int(message);
    } else if (rv != KIN_ECLOSED) {
        KIN_CHECK(rv);
    }
    return rv == 0;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_queue *queues[PRODUCERS];
    kin_waitable things[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        KIN_CHECK(kin_queue_new(&queues[i], KIN_OPT(kin_queue_options, .maxsize = 4)));
        KIN_CHECK(kin_start(NULL, produce, kin_args(kin_shared(queues[i]), kin_int(i + 1)), NULL));
        things[i] = kin_queue_waitable(queues[i]);
    }
    int64_t sum = 0;
    for (int left = PRODUCERS; left > 0;) {
        KIN_CHECK(kin_wait(things, (size_t)left, KIN_FOREVER));
        for (int i = left - 1; i >= 0; i--) {
            if (things[i].ready && !take(queues[i], &sum)) {
                kin_queue_free(queues[i]);
                left--;
                queues[i] = queues[left];
                things[i] = things[left];
            }
        }
    }
    printf("three producers are done; all they sent makes %lld\n", (long long)sum);
    return 0;
}
