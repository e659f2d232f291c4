/* peer.h - queues of others behind one interface, and ours as well: who asks one of them asks all
 * the same.
 *
 * A peer is opened in the parent; then a team is forked, of which the first members produce and the
 * others consume, and each enters. All of them exit when all have got what they wait for. A message
 * is copied in by put and out by get. What must work and does not ends the bench.
 */
#ifndef KIN_BENCH_PEER_H
#define KIN_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peer_shape {
    unsigned producers; /* members 0 to producers - 1; the next `consumers` of them get */
    unsigned consumers;
    size_t size;    /* of each message */
    unsigned bound; /* how many may wait, where there is a bound */
} peer_shape;

typedef struct peer {
    const char *name;
    /* NULL: this machine or this size is none for it; *ret_note says why. Else it may say what is
     * not as it was asked for. */
    void *(*open)(const peer_shape *shape, const char **ret_note);
    void (*enter)(void *queue, unsigned member); /* NULL: nothing to do */
    void (*put)(void *queue, const void *message, size_t size);
    void (*get)(void *queue, void *message, size_t size);
    void (*close)(void *queue);
    uint64_t (*memory)(void *queue); /* bytes that it holds; NULL: does not say */
} peer;

#define PEER_MEMBERS 64 /* at most, in all */

extern const peer peer_kin_bounded, peer_kin_unbounded; /* kin.c */
extern const peer peer_kin_by_reference;                /* large messages only: kin.c */
extern const peer peer_kin_many;                        /* one to one only: kin_many.c */
extern const peer peer_vyukov;                          /* the limit: spins, and nothing else */
extern const peer peer_mq, peer_pipe, peer_seqpacket;   /* the kernel's */
extern const peer peer_boost, peer_zmq, peer_nng;

/* absent.c: what opens those of them that were not there when this was built. */
void *peer_not_there(const peer_shape *shape, const char **ret_note);

#ifdef __cplusplus
}
#endif
#endif
