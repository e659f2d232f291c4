/* frame_receive.h - this end receives, and each answer is judged; see frame_fuzz.h. */
#ifndef KIN_FRAME_RECEIVE_H
#define KIN_FRAME_RECEIVE_H

#include "frame_parse.h"
#include "frame_world.h"
#include <kin/pickle.h>

enum frame_way { FRAME_OBJECT, FRAME_BYTES, FRAME_INTO };

/* One call, and its answer. */
typedef struct frame_try {
    enum frame_way way;
    size_t room;
    ssize_t rv;
    kin_obj object;
    void *data; /* what came, or room for it; to be freed */
    size_t size;
    bool gone; /* the letter was handed out, or is lost */
} frame_try;

/* Whether descriptors came with the next byte. */
static inline bool frame_is_passed(const frame_world *w)
{
    for (unsigned i = 0; i < w->n_passed; i++) {
        if (w->passed[i].at == w->at) {
            return true;
        }
    }
    return false;
}

/* Answers stand between letters. */
static inline void frame_drop_answers(frame_world *w, bool not_passed)
{
    bool between = !w->broken && w->conn->inbox.head_size == 0;
    while (between && w->answers_due > 0 && w->at < w->written && w->wire[w->at] == 'A' &&
           !(not_passed && frame_is_passed(w))) {
        w->at++;
        w->answers_due--;
    }
}

/* What went beside the stream comes before what is in there; but for what was begun. */
static inline bool frame_is_beside(const frame_world *w)
{
    bool begun = w->conn->inbox.head_size > 0;
    return w->beside || (!begun && !w->broken && w->lane_at < w->n_lane);
}

static inline frame_letter frame_expect(const frame_world *w)
{
    static const uint8_t zeros[4096];
    if (frame_is_beside(w)) {
        size_t size = w->lane[w->lane_at];
        bool large = !w->announced && size > w->limit;
        return (frame_letter){ .what = large ? FRAME_LARGE : FRAME_WHOLE,
                               .told = true,
                               .kind = KIN__LETTER_BYTES,
                               .size = size,
                               .body = zeros };
    }
    const frame_stretch rest = { .at = w->wire + w->at,
                                 .size = w->written - w->at,
                                 .limit = w->announced ? UINT64_MAX : w->limit,
                                 .family = w->family,
                                 .ended = w->raw < 0 };
    return frame_parse(&rest);
}

/* How much of the stream was read. */
static inline size_t frame_consumed(const frame_world *w)
{
    return w->written - frame_unread(w);
}

/* The bytes of a letter in a block that is all right: a copy. */
static inline uint8_t *frame_posted(const frame_world *w, const frame_letter *l)
{
    for (unsigned i = 0; i < FRAME_BLOCKS; i++) {
        const uint8_t *block = kin__block_at(w->refs[i], KIN__MESSAGE, NULL);
        if (l->told && l->kind & KIN__LETTER_APART && l->block == w->refs[i] && block != NULL &&
            l->slot == w->slots[i] && l->slot != UINT32_MAX && kin__block_is_shared(l->block) &&
            kin__block_size(block) >= l->size) {
            uint8_t *copy = malloc((size_t)l->size + 1);
            memcpy(copy, block, (size_t)l->size);
            return copy;
        }
    }
    return NULL;
}

static inline void frame_call(frame_world *w, frame_try *t, double timeout)
{
    char here;
    const kin_obj none = { 0 };
    t->object = none;
    t->data = t->way == FRAME_INTO ? malloc(t->room) : &here;
    t->size = 12345;
    switch (t->way) {
    case FRAME_OBJECT:
        t->rv = kin_conn_recv(w->conn, &t->object, timeout);
        frame_must((t->rv == 0) == (kin_type_of(t->object) != KIN_TYPE_INVALID), "half an object");
        break;
    case FRAME_BYTES:
        t->rv = kin_conn_recv_bytes(w->conn, &t->data, &t->size, timeout);
        frame_must((t->rv == 0) == (t->data != &here), "half an answer");
        frame_must(t->rv == 0 || t->size == 12345, "half an answer");
        break;
    case FRAME_INTO:
        t->rv = kin_conn_recv_bytes_into(w->conn, t->data, t->room, timeout);
        t->size = t->rv < 0 ? t->size : (size_t)t->rv;
        break;
    }
    frame_must(t->rv >= 0 || kin_errmsg()[0] != '\0', "a failure without a sentence");
    t->data = t->data == &here ? NULL : t->data;
    t->gone = w->conn->inbox.head_size == 0;
}

/* The only right answer; 0: it depends on what the letter is. */
static inline int frame_right(const frame_world *w, const frame_letter *l, const frame_try *t)
{
    bool too_short = t->way == FRAME_INTO && l->told && !(l->kind & KIN__LETTER_OBJECT) &&
                     l->size > t->room && !w->pickled;
    if (w->broken || l->what == FRAME_NONE) {
        return KIN_EBROKEN;
    }
    switch (l->what) {
    case FRAME_WAIT:
        return too_short ? KIN_EBUFTOOSHORT : KIN_ETIMEDOUT;
    case FRAME_CUT:
        return too_short ? KIN_EBUFTOOSHORT : KIN_EBROKEN;
    case FRAME_END:
        return KIN_EEOF;
    case FRAME_LARGE:
        return KIN_ERANGE;
    default:
        return too_short ? KIN_EBUFTOOSHORT : 0;
    }
}

/* A letter of bytes that are known. */
static inline void frame_check_bytes(const frame_try *t, const uint8_t *body, size_t size)
{
    frame_must(t->gone, "a letter came, and stayed");
    if (t->way != FRAME_OBJECT) {
        frame_must(t->rv >= 0, "a letter was refused");
        frame_must(t->size == size, "a letter of another length");
        frame_must(size == 0 || memcmp(t->data, body, size) == 0, "a letter of other bytes");
        return;
    }
    kin_obj o;
    int rv = kin_loads(body, size, &o);
    frame_must(t->rv == rv, "an object where there is none, or none where one is");
    if (rv == 0) {
        kin_release(o);
    }
}

/* A letter that may be refused: R1. */
static inline void frame_check_refusal(const frame_letter *l, const frame_try *t)
{
    static const int never[] = { KIN_ETIMEDOUT, KIN_EEOF, KIN_EBROKEN, KIN_ECLOSED, KIN_ESTATE };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        frame_must(t->rv != never[i], "not what is wrong with a letter");
    }
    if (t->rv == KIN_EBUFTOOSHORT) {
        frame_must(t->way == FRAME_INTO && !t->gone, "it does not fit, and is lost");
    } else if (t->rv >= 0 || t->way == FRAME_OBJECT || !(l->kind & KIN__LETTER_OBJECT)) {
        frame_must(t->gone, "it will be there for ever");
    }
}

/* What is wrong with the descriptors that came with a relative's head; 0: nothing. */
static inline int frame_lost(const frame_world *w, const frame_letter *l)
{
    unsigned came = 0;
    int parts = 0;
    for (unsigned i = 0; i < w->n_passed; i++) {
        if (w->passed[i].at >= w->at && w->passed[i].at < w->at + sizeof(kin__letter_head)) {
            came = (unsigned)w->passed[i].n;
            parts++;
        }
    }
    if (!w->family || l->total == 0) {
        return 0;
    }
    return parts > 1 ? KIN_ENOMEM : came != l->n_fds ? KIN_ECORRUPT : 0;
}

static inline void frame_check_whole(frame_world *w, const frame_letter *l, const frame_try *t,
                                     const uint8_t *posted)
{
    bool apart = l->kind & KIN__LETTER_APART;
    bool object = l->kind & KIN__LETTER_OBJECT;
    int lost = apart && posted == NULL ? KIN_ECORRUPT : frame_lost(w, l);
    if (w->held) {
        frame_check_refusal(l, t);
    } else if (lost != 0) {
        frame_must(t->rv == lost && t->gone, "a letter that is not whole was received");
    } else if (!object) {
        frame_check_bytes(t, apart ? posted : l->body, (size_t)l->size);
    } else if (t->way != FRAME_OBJECT && l->n_fds > 0) {
        frame_must(t->rv == KIN_EUNSUPPORTED && !t->gone, "a pickle of descriptors");
    } else {
        frame_check_refusal(l, t);
    }
    w->letters += t->rv >= 0;
    w->refused += t->rv < 0 && t->gone;
    w->held = !t->gone && object;
    w->pickled = w->held && (w->pickled || t->rv == KIN_EBUFTOOSHORT);
}

/* R2, and where the next letter begins. */
static inline void frame_advance(frame_world *w, const frame_letter *l, const frame_try *t)
{
    bool over = l->what == FRAME_WHOLE && t->gone;
    w->cut += t->rv == KIN_EBROKEN && !w->broken;
    w->broken = w->broken || t->rv == KIN_EBROKEN || l->what == FRAME_LARGE;
    w->announced = !over && l->told;
    w->lane_at += over && l->total == 0;
    w->beside = !over && l->told && l->total == 0;
    w->at += over ? l->total : 0;
    size_t consumed = frame_consumed(w);
    frame_must(w->broken || consumed >= w->at, "a letter that was not read");
    frame_must(w->broken || consumed <= w->at + (over ? 0 : l->total),
               "more than a letter is read");
}

/* R3, on the whole, and for what is kept of a letter. */
static inline size_t frame_bound(const frame_world *w, const frame_letter *l)
{
    const void *block =
        l->told && l->kind & KIN__LETTER_APART ? kin__block_at(l->block, 0, NULL) : NULL;
    size_t arrived = w->written - w->at + (block != NULL ? kin__block_size(block) : 0);
    return ((size_t)1 << 20) + 65536 + 100 * arrived;
}

/* An object out of anything: it can be asked. */
static inline void frame_use(kin_obj o)
{
    void *data;
    size_t size;
    free(kin_repr(o));
    (void)kin_hash(o);
    (void)kin_equal(o, o);
    if (kin_dumps(kin_retain(o), &data, &size) == 0) {
        free(data);
    }
    kin_release(o);
}

static inline ssize_t frame_receive(frame_world *w, enum frame_way way, size_t room, bool forever)
{
    frame_try t = { .way = way, .room = room };
    frame_drop_answers(w, false);
    frame_letter l = frame_expect(w);
    uint8_t *posted = frame_posted(w, &l);
    bool had_memory = kin__block_is_shared(w->refs[FRAME_MEMORY]);
    size_t bound = frame_bound(w, &l);
    size_t before = frame_memory.most = frame_memory.now + (way == FRAME_INTO ? room : 0);
    frame_call(w, &t, forever && (w->broken || l.what != FRAME_WAIT) ? KIN_FOREVER : 0);
    const kin__inbox *in = &w->conn->inbox;
    frame_must(frame_memory.most <= before + bound, "it took more memory than it may");
    frame_must(in->room <= 1 << 20 || in->room <= 2 * in->arrived, "more than it may keep");
    int right = frame_right(w, &l, &t);
    frame_must(right == 0 || t.rv == right, "another answer was right");
    if (right == 0) {
        frame_check_whole(w, &l, &t, posted);
    }
    frame_must(t.gone || kin__block_is_shared(w->refs[FRAME_MEMORY]) == had_memory,
               "a letter stays, and what it owns is gone");
    frame_advance(w, &l, &t);
    free(posted);
    free(t.data);
    if (kin_type_of(t.object) != KIN_TYPE_INVALID) {
        frame_use(t.object);
    }
    return t.rv;
}

static inline void frame_poll(frame_world *w)
{
    frame_letter l = frame_expect(w);
    bool any = w->broken || l.what != FRAME_WAIT || frame_unread(w) > 0 || w->lane_at < w->n_lane;
    frame_must(kin_conn_poll(w->conn, 0) == any, "it polls wrongly");
}

/* Whether descriptors come by themselves. */
static inline bool frame_bypassed(const frame_world *w)
{
    return w->at < w->written && frame_is_passed(w) && w->wire[w->at] != 0xff;
}

static inline int frame_right_fd(const frame_world *w, const frame_letter *l, bool begun)
{
    if (w->broken) {
        return KIN_EBROKEN;
    }
    if (!w->is_socket) {
        return KIN_EUNSUPPORTED;
    }
    if (l->total == 0) {
        return l->what == FRAME_LARGE ? KIN_ERANGE : KIN_ESTATE;
    }
    if (begun || w->written > w->at) {
        return begun || !frame_bypassed(w) ? KIN_ESTATE : 0;
    }
    return w->raw < 0 ? KIN_EEOF : KIN_ETIMEDOUT;
}

static inline void frame_receive_fd(frame_world *w)
{
    int fd = -1;
    bool begun = w->conn->inbox.head_size > 0;
    frame_drop_answers(w, true);
    frame_letter l = frame_expect(w);
    int right = frame_right_fd(w, &l, begun);
    int rv = kin_conn_recv_fd(w->conn, &fd, 0);
    bool unanswered = right == 0 && w->answers && (rv == KIN_ECLOSED || rv == KIN_ETIMEDOUT);
    frame_must(rv == right || unanswered, "another answer was right for a descriptor");
    frame_must(rv == 0 ? close(fd) == 0 : fd == -1, "half a descriptor");
    w->at += right == 0;
    w->descriptors += rv == 0;
    w->broken = w->broken || rv == KIN_ERANGE;
    if (rv == KIN_ESTATE && l.total == 0) {
        w->beside = w->announced = true;
    }
    frame_must(begun || w->broken || frame_consumed(w) == w->at + (rv == KIN_ESTATE && !w->beside),
               "it read a letter");
}

/* What was sent is answered; or so this end is told. */
static inline void frame_send_fd(frame_world *w, bool answers)
{
    int rv = kin_conn_set_fd_answers(w->conn, answers);
    frame_must(rv == (w->family ? KIN_ESTATE : 0), "another answer was right about answers");
    w->answers = rv == 0 && answers;
    rv = kin_conn_send_fd(w->conn, w->spare[0], 0);
    w->answers_due += rv == 0 && w->answers;
}

static inline void frame_limit(frame_world *w)
{
    uint64_t limit = (uint64_t)1 << frame_next(w, 1) % 64;
    int rv = kin_conn_set_limit(w->conn, limit);
    frame_must(rv == (w->broken ? KIN_EBROKEN : 0), "another answer was right for a limit");
    w->limit = rv == 0 ? limit : w->limit;
}

#endif
