/* served.h - a manager in a process of its own, and who connects to it. */
#ifndef KIN_BENCH_SERVED_H
#define KIN_BENCH_SERVED_H

#include <kin.h>

#define SERVED_UNIX "@kin-bench" /* one bench runs at a time */
#define SERVED_TCP "127.0.0.1:0"
#define SERVED_KEY .authkey = "secret key", .authkey_size = 10

/* Serves a dict of the numbers below `keys` as "dict", and a lock as "lock", on that processor. */
void served_start(const char *address, int cpu, long keys);
void served_stop(void);

/* To it, from this process. */
kin_manager *served_connect(void);

#endif
