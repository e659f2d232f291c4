/* hash.h - a hash table of longs in private memory, behind a mutex: what a shared dict is measured
 * by. There is one at a time, and only threads of one process can use it. */
#ifndef KIN_BENCH_HASH_H
#define KIN_BENCH_HASH_H

#include <stdbool.h>

bool hash_is_there(void);
void hash_new(void);
void hash_free(void);
void hash_set(long key, long value);
long hash_get(long key); /* -1: it is not there */
void hash_add(long key, long delta);

#endif
