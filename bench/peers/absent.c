/* absent.c - stands in for those that were not on the machine which built this: tools/deps. */
#include "hash.h"
#include "peer.h"

void *peer_not_there(const peer_shape *shape, const char **ret_note)
{
    (void)shape;
    *ret_note = "was not there when this was built";
    return NULL;
}

#if !BENCH_HAS_BOOST
const peer peer_boost = { .name = "Boost", .open = peer_not_there };
#endif
#if !BENCH_HAS_ZMQ
const peer peer_zmq = { .name = "ZeroMQ ipc", .open = peer_not_there };
#endif
#if !BENCH_HAS_NNG
const peer peer_nng = { .name = "nng ipc", .open = peer_not_there };
#endif

#if !BENCH_HAS_GLIB
bool hash_is_there(void)
{
    return false;
}

void hash_new(void)
{
}

void hash_free(void)
{
}

void hash_set(long key, long value)
{
    (void)key;
    (void)value;
}

long hash_get(long key)
{
    (void)key;
    return -1;
}

void hash_add(long key, long delta)
{
    (void)key;
    (void)delta;
}
#endif
