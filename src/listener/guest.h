/* guest.h - what a listener is made of; for listener.c and guest.c.
 *
 * Idea. Whoever connects is a guest until it is known who he is. One descriptor, the watch, polls
 * readable when there is something to do: somebody connects, a guest said something, the alarm
 * rings. Whoever accepts sleeps on the watch alone; awake, he does one of these things after
 * another, none of which can block, until there is a guest to hand out:
 *
 *      socket --\                 at work: [ soonest over ] <-> [   ] <-> [ latest ]
 *      guests ---+--> watch           |
 *      alarm  --/                     v  the key is right, or not, or the time is over
 *                                 known: [   ] -> [   ]      accept takes the first
 *
 * Rules.
 *   R1  One lock is for all listeners of this process. Nothing waits under it.
 *   R2  The alarm is set for when the first guest's time is over; and it rings as long as somebody
 *       is known whom nobody has taken. So the watch is readable whenever an accept would not
 *       wait, whoever looked before.
 *   R3  A guest has auth_timeout for each frame of his. So he has it to show that he knows the
 *       key; and who waits for us, because nobody accepted meanwhile, does not pay for that: what
 *       he sent is read before his time is said to be over.
 *   R4  There are at most GUESTS at work, or as many as there are descriptors; then the one whose
 *       time is over soonest goes. Who knows the key needs a millisecond.
 *   R5  A forked child has the socket, and begins with a watch and an alarm of its own: those that
 *       it has copies of are its parent's. Its parent's guests are closed there at once, so that
 *       they are gone when the parent says so.
 *   R6  Whoever frees a listener wakes those who accept there, and waits until they are out of it.
 *   R7  Python's sockets have no TCP_NODELAY: it says the last word of the handshake, and what it
 *       wants right after, and the second waits until the first is acknowledged. The kernel would
 *       take 40 ms for that; so it is told to do it at once.
 *
 * Death. Guests of a dead process learn it from the kernel. A path stays: address.c.
 */
#ifndef KIN_LISTENER_GUEST_H
#define KIN_LISTENER_GUEST_H

#include "room.h"

typedef struct kin__guest {
    struct kin__guest *next;
    struct kin__guest *previous; /* only of one at work */
    int fd;
    bool right;         /* of one who is known */
    const char *reason; /* of one who is known, and not right */
    int64_t deadline;
    kin__net_address from;
    kin__auth auth;
} kin__guest;

struct kin_listener {
    kin_listener *next; /* of this process */
    kin__bound bound;
    int watch;
    int alarm;
    int64_t alarm_at; /* KIN__NEVER: off */
    bool inherited;   /* R5: watch and alarm are a parent's */
    bool closed;
    bool is_private;   /* no forked child gets it */
    unsigned users;    /* threads that accept */
    kin__guest *first; /* at work */
    kin__guest *last;
    unsigned guests;
    kin__guest *known;
    char *key; /* NULL: there is none */
    size_t key_size;
    bool allow_md5;
    int64_t patience;
    char from[KIN__NET_PATH + 2];
};

/* Watch and alarm, with nobody at work: 0, -errno. */
int kin__guests_open(kin_listener *l);
void kin__guests_close(kin_listener *l);
void kin__guests_ring(kin_listener *l); /* now, and until something was done */

/* Does what is to be done, until somebody is known: 0, or -errno. Then mind the alarm. */
int kin__guests_work(kin_listener *l);
void kin__guests_mind_alarm(kin_listener *l);

/* The first of those who are known goes; all go. */
void kin__guests_drop_known(kin_listener *l);
void kin__guests_drop_all(kin_listener *l);

/* For kin_wait. Whether an accept would not wait, after all that can be done now was done; and the
 * descriptor that polls readable when it is worth asking again. A failure counts as ready: the
 * accept says it. */
bool kin__listener_has_ready(kin_listener *listener); /* and kin__listener_fd */

#endif
