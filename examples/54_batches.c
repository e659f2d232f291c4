/* Structs by the batch: one call puts many, one call takes as many as are there. Each is a message
 * of its own, so several may put and take in batches of any size. */
#include <kin.h>
#include <stdio.h>

enum { SENSORS = 3, READINGS = 10000, PUT = 50, GET = 200 };

typedef struct reading {
    int sensor, number;
    double celsius;
} reading;

static kin_obj measure(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    int sensor = (int)kin_arg_int(args, 1);
    reading batch[PUT];
    for (int n = 0; n < READINGS; n += PUT) {
        for (int i = 0; i < PUT; i++) {
            batch[i] = (reading){ .sensor = sensor, .number = n + i, .celsius = 20 + sensor };
        }
        KIN_TRY((int)kin_queue_put_array(queue, batch, sizeof batch[0], PUT, KIN_FOREVER));
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = 1024)));
    for (int i = 0; i < SENSORS; i++) {
        KIN_CHECK(kin_start(NULL, measure, kin_args(kin_shared(queue), kin_int(i)), NULL));
    }

    int seen[SENSORS] = { 0 };
    double sum[SENSORS] = { 0 };
    for (int left = SENSORS * READINGS; left > 0;) {
        reading batch[GET];
        ssize_t n = kin_queue_get_array(queue, batch, sizeof batch[0], GET, KIN_FOREVER);
        KIN_CHECK(n);
        for (ssize_t i = 0; i < n; i++) {
            int s = batch[i].sensor;
            KIN_CHECK(batch[i].number == seen[s] ? 0
                                                 : KIN_ECORRUPT); /* each sensor's in its order */
            seen[s]++;
            sum[s] += batch[i].celsius;
        }
        left -= (int)n;
    }
    for (int i = 0; i < SENSORS; i++) {
        printf("sensor %d: %d readings, %.1f degrees on average\n", i, seen[i], sum[i] / seen[i]);
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    return 0;
}
