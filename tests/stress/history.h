/* history.h - whether what several did with a queue at once, and were told, can
 * have happened one after the other.
 *
 * Idea. Each call began and ended at some time of one clock. A history is
 * linear if a moment can be chosen for each call, between its begin and its
 * end, so that a simple queue would have given the same answers in that order.
 * Wing and Gong's search: take one of the calls that can be next, try it on the
 * simple queue, and go on; else take it back. Lowe's memory of what was in vain
 * makes it fast.
 *
 *     a  |--put 1--|       |---get: 1---|
 *     b       |----get: empty----|           linear: b's get, a's put, a's get
 *
 * Rules, of a queue as kin/queue.h promises it.
 *   R1  Messages come out in the order in which they went in, whoever put them,
 * each once. R2  There are never more than `room`; with `ack`, those count that
 * are not acknowledged. R3  "Empty" is said when there is none; or when the
 * next one's put has not returned yet. R4  "Full" is said when there are
 * `room`; and what is being taken, by a get that has not returned yet, still
 * has its room then, and so has all behind it. Where messages are `counted`,
 * under a lock, it is said also while any other call has not returned. A
 * `strict` queue knows no "yet".
 */
#ifndef KIN_HISTORY_H
#define KIN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { OPS_MOST = 64, MESSAGES_MOST = 192, SEEN_ROOM = 1 << 14 };

enum op_kind { PUT, GET, ACK };

struct op {
    enum op_kind kind;
    bool refused;        /* full, or empty */
    bool follows;        /* comes after the op before it in the list: of one call */
    uint32_t value;      /* of the message; each has another */
    uint64_t begin, end; /* of the call: times of the clock, all different but for
                          those of a call */
};

struct rules {
    unsigned room; /* 0: there is always room */
    bool ack, counted, strict;
};

struct history {
    unsigned before_n, n, after_n;
    uint32_t before[MESSAGES_MOST]; /* what was in the queue at the beginning */
    struct op ops[OPS_MOST];
    uint32_t after[MESSAGES_MOST]; /* and at the end */
};

/* ---- the simple queue
 * ------------------------------------------------------------------------ */

struct message {
    uint32_t value;
    uint64_t put_ends; /* 0: long ago */
    uint64_t get_ends; /* when it was taken */
};

struct search {
    const struct history *history;
    const struct rules *rules;
    uint64_t done; /* a bit for each op */
    uint64_t now;  /* not before this: when the last of them began that are done */
    unsigned in, out, acked;
    unsigned lasting; /* from which message on they are there at the end */
    struct message messages[MESSAGES_MOST];
    uint64_t seen[SEEN_ROOM];
    unsigned seen_n;
};

static inline bool is_done(const struct search *s, unsigned i)
{
    return s->done >> i & 1;
}

/* The earliest end of an op that is to be done. */
static inline uint64_t soonest_end(const struct search *s)
{
    uint64_t soonest = UINT64_MAX;
    for (unsigned i = 0; i < s->history->n; i++) {
        if (!is_done(s, i) && s->history->ops[i].end < soonest) {
            soonest = s->history->ops[i].end;
        }
    }
    return soonest;
}

/* The oldest message that a get has in hand at that time, or the oldest in the
 * queue. */
static inline unsigned oldest_in_hand(const struct search *s, uint64_t now)
{
    unsigned i = 0;
    while (i < s->out && s->messages[i].get_ends <= now) {
        i++;
    }
    return i;
}

static inline bool is_somebody_there(const struct search *s, const struct op *but, uint64_t now)
{
    uint64_t soonest = soonest_end(s);
    for (unsigned i = 0; i < s->history->n; i++) {
        const struct op *op = &s->history->ops[i];
        if (op != but && op->begin < soonest && op->end > now) {
            return true;
        }
    }
    return false;
}

static inline unsigned used(const struct search *s)
{
    return s->in - (s->rules->ack ? s->acked : s->out);
}

static inline bool may_say_full(const struct search *s, const struct op *op, uint64_t now)
{
    const struct rules *r = s->rules;
    if (r->room == 0 || used(s) >= r->room || r->strict) {
        return r->room != 0 && used(s) >= r->room;
    }
    bool in_hand = !r->ack && s->in - oldest_in_hand(s, now) >= r->room;
    return in_hand || (r->counted && is_somebody_there(s, op, now)); /* R4 */
}

static inline bool may_say_empty(const struct search *s, uint64_t now)
{
    return s->in == s->out || (!s->rules->strict && s->messages[s->out].put_ends > now); /* R3 */
}

/* We know what was there at the end, and so, where in the queue it was all the
 * time. */
static inline bool can_be_next(const struct search *s, uint32_t value)
{
    return s->in < s->lasting || s->history->after[s->in - s->lasting] == value;
}

/* Does it at `now`, if the answer would have been that. */
static inline bool apply(struct search *s, const struct op *op, uint64_t now)
{
    switch (op->kind) {
    case PUT:
        if (op->refused) {
            return may_say_full(s, op, now);
        }
        if ((s->rules->room != 0 && used(s) >= s->rules->room) || !can_be_next(s, op->value)) {
            return false; /* R2 */
        }
        s->messages[s->in++] = (struct message){ .value = op->value, .put_ends = op->end };
        return true;
    case GET:
        if (op->refused) {
            return may_say_empty(s, now);
        }
        if (s->in == s->out || s->messages[s->out].value != op->value) {
            return false; /* R1 */
        }
        s->messages[s->out++].get_ends = op->end;
        return true;
    default:
        s->acked++;
        return s->acked <= s->out;
    }
}

/* ---- the search
 * ------------------------------------------------------------------------------
 */

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
    hash ^= word + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 31;
}

/* False: we were here before, in vain. */
static inline bool is_new(struct search *s)
{
    uint64_t hash = mix(s->in, s->done);
    for (unsigned i = oldest_in_hand(s, s->now); i < s->in; i++) {
        hash = mix(hash, s->messages[i].value);
    }
    hash |= 1;
    unsigned i = (unsigned)(hash >> 32) % SEEN_ROOM;
    while (s->seen[i] != 0 && s->seen[i] != hash) {
        i = (i + 1) % SEEN_ROOM;
    }
    bool known = s->seen[i] == hash;
    if (!known && s->seen_n < SEEN_ROOM / 2) {
        s->seen[i] = hash;
        s->seen_n++;
    }
    return !known;
}

static inline bool is_as_found(const struct search *s)
{
    const struct history *h = s->history;
    bool same = s->in - s->out == h->after_n;
    for (unsigned i = 0; same && i < h->after_n; i++) {
        same = s->messages[s->out + i].value == h->after[i];
    }
    return same;
}

static inline bool search(struct search *s);

static inline bool go_on_with(struct search *s, unsigned i)
{
    const struct op *op = &s->history->ops[i];
    uint64_t now = s->now;
    unsigned in = s->in;
    unsigned out = s->out;
    unsigned acked = s->acked;
    if (apply(s, op, op->begin > now ? op->begin : now)) {
        s->done |= UINT64_C(1) << i;
        s->now = op->begin > now ? op->begin : now;
        if (search(s)) {
            return true;
        }
        s->done &= ~(UINT64_C(1) << i);
    }
    s->now = now;
    s->in = in;
    s->out = out;
    s->acked = acked;
    return false;
}

/* Whether what is to be done can be done from here. */
static inline bool search(struct search *s)
{
    const struct history *h = s->history;
    if (s->done == (h->n < 64 ? (UINT64_C(1) << h->n) - 1 : UINT64_MAX)) {
        return is_as_found(s);
    }
    if (!is_new(s)) {
        return false;
    }
    uint64_t soonest = soonest_end(s);
    for (unsigned i = 0; i < h->n; i++) {
        bool waits = h->ops[i].begin > soonest || (h->ops[i].follows && !is_done(s, i - 1));
        if (!is_done(s, i) && !waits && go_on_with(s, i)) {
            return true;
        }
    }
    return false;
}

static inline bool is_linear(const struct history *h, struct rules rules)
{
    static struct search s;
    memset(&s, 0, sizeof s);
    s.history = h;
    s.rules = &rules;
    for (unsigned i = 0; i < h->before_n; i++) {
        s.messages[s.in++].value = h->before[i];
    }
    unsigned all = h->before_n;
    for (unsigned i = 0; i < h->n; i++) {
        all += h->ops[i].kind == PUT && !h->ops[i].refused;
    }
    s.lasting = all - h->after_n;
    return all >= h->after_n && search(&s);
}

#endif
