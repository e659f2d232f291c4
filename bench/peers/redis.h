/* redis.h - a redis-server of our own, on a Unix socket, and who asks it without a library. */
#ifndef KIN_BENCH_REDIS_H
#define KIN_BENCH_REDIS_H

#include <stdbool.h>

enum { REDIS_GET, REDIS_SET, REDIS_ADD, REDIS_APPEND };

typedef struct redis_job {
    int what; /* one of those */
    unsigned clients;
    const int *cpus; /* of each client; NULL: anywhere */
    long times;      /* for each client */
    long batch;      /* so many are sent before their answers are read */
    long keys;
    long size; /* of a value in bytes; 0: a number */
} redis_job;

/* Starts it on that processor, with numbers for so many keys; it ends with this program at the
 * latest. false: there is no redis-server on this machine. */
bool redis_start(int cpu, long keys);
void redis_stop(void);

/* Seconds for one of a redis_job; it needs a server. */
double redis_seconds(const void *job);

#endif
