/* How many messages a second go through a queue, from one process to one, 32 at a time? Beside them
 * those that go one at a time.
 *
 *     queue_batch [quick]
 */
#include <kin.h>
#include <stdio.h>
#include <string.h>

#include "common/bench.h"
#include "common/stream.h"

enum { OURS, LIMIT, OTHERS };
static const peer *const peers[] = { &peer_kin_many, &peer_vyukov, &peer_kin_bounded, &peer_boost };
#define PEERS (sizeof peers / sizeof peers[0])

static double ours(const void *streams)
{
    return bench_stream_run(&((const bench_stream *)streams)[OURS]);
}

static double limit(const void *streams)
{
    return bench_stream_run(&((const bench_stream *)streams)[LIMIT]);
}

static void ask(size_t size, bool quick)
{
    bench_stream streams[PEERS];
    char name[80];
    snprintf(name, sizeof name, "queue: 1 to 1, %zu bytes, 32 at a time", size);
    bench_case question = { .name = name,
                            .unit = "M/s",
                            .ours = ours,
                            .floor = limit,
                            .floor_is = "a spinning Vyukov ring, one at a time",
                            .conditions = "on cpu 0 and cpu 1; bounds are 1024 messages",
                            .arg = streams,
                            .rounds = quick ? 3 : 5 };
    for (size_t i = 0; i < PEERS; i++) {
        const char *note = NULL;
        streams[i] = (bench_stream){ .peer = peers[i],
                                     .shape = { 1, 1, size, 1024 },
                                     .multiple = i == OURS ? 32 : 1,
                                     .seconds = quick ? 0.03 : 0.25 };
        if (bench_stream_open(&streams[i], &note) && i >= OTHERS) {
            question.others[i - OTHERS] = (bench_other){ .name = peers[i]->name,
                                                         .measure = bench_stream_run,
                                                         .arg = &streams[i] };
        }
    }
    bench_run(&question);
    for (size_t i = 0; i < PEERS; i++) {
        bench_stream_close(&streams[i]);
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    ask(8, quick);
    ask(64, quick);
    ask(1024, quick);
    return 0;
}
