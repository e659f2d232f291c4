/* stream.h - messages through a queue, from producers to consumers, of whatever kind it is. */
#ifndef KIN_BENCH_STREAM_H
#define KIN_BENCH_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "../peers/peer.h"

typedef struct bench_stream {
    const peer *peer;
    peer_shape shape;
    bool anywhere;  /* not pinned; else producers are on cpu 0 and consumers on cpu 1 */
    double seconds; /* that a run should last */
    void *queue;
    uint64_t multiple; /* 0, or 1: any; else that of which each member puts or gets a multiple */
    uint64_t each;     /* of all messages there are this many times producers times consumers */
} bench_stream;

/* Opens the queue and finds out how many messages make a run as long as it should be. False: the
 * peer cannot; either way *ret_note may say something. */
bool bench_stream_open(bench_stream *s, const char **ret_note);

/* Seconds for a message, from the begin of the first process to the end of the last: producers
 * stamp each message and put it whole, consumers get it whole and read the stamps. Checks their
 * sums. */
double bench_stream_run(const void *stream);

/* That one is not open is fine. */
void bench_stream_close(bench_stream *s);

#endif
