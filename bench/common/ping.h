/* ping.h - two processes that take turns, with nothing in between: floors of a round trip. */
#ifndef KIN_BENCH_PING_H
#define KIN_BENCH_PING_H

typedef struct bench_ping {
    long trips;
    const int *cpus; /* of the two; NULL: anywhere */
    double busy;     /* seconds that each computes before it answers: time to fall asleep */
} bench_ping;

/* Seconds of a round trip, what both computed not counted: asleep on a futex in between; */
double bench_ping_futex(const bench_ping *ping);

/* or looking all the time, on two processors: a cache line going to and fro. */
double bench_ping_spinning(void);

#endif
