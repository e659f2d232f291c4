/* frame.c - letters out of a stream: their heads, and what has arrived of one. See conn.h.
 *
 * The receiving half is resumable: whatever a call has read stands in the inbox, and the next call
 * goes on from there. What the stream ends with decides what the end means: between letters it is
 * the end, within one it is a letter cut off. */
#include "conn.h"

#include <errno.h>
#include <string.h>

#define AT_ONCE ((size_t)1 << 20) /* memory for a letter before any of it is here: only addresses */

/* ---- heads ---------------------------------------------------------------------------------- */

static void put_big_endian(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        at[i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
    }
}

static uint64_t get_big_endian(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

size_t kin__frame_head(uint64_t size, unsigned char ret_head[12])
{
    if (size <= INT32_MAX) {
        put_big_endian(ret_head, size, 4);
        return 4;
    }
    put_big_endian(ret_head, UINT32_MAX, 4);
    put_big_endian(ret_head + 4, size, 8);
    return 12;
}

/* ---- the inbox ------------------------------------------------------------------------------- */

static void clear_cargo(kin__inbox *in)
{
    for (int i = 0; in->cargo != NULL && i < in->cargo->n; i++) {
        kin__os_close(in->cargo->fds[i]);
    }
    kin__os_free(in->cargo);
    in->cargo = NULL;
}

void kin__inbox_clear(kin__inbox *in)
{
    if (in->room > 0) {
        kin__os_free(in->body);
    }
    if (in->block != NULL && in->owner == kin__self()) {
        kin__block_free(in->block);
    }
    clear_cargo(in);
    in->head_size = 0;
    in->announced = false;
    in->body = NULL;
    in->room = 0;
    in->arrived = 0;
    in->block = NULL;
    in->lost_fds = 0;
    atomic_store(&in->waiting, false);
}

/* R4: nothing that follows could be understood. */
static void give_up(kin__inbox *in)
{
    kin__inbox_clear(in);
    in->broken = KIN_EBROKEN;
    atomic_store(&in->waiting, true);
}

static int break_down(const kin__call *call, const char *why)
{
    give_up(&call->conn->inbox);
    return kin__fail(KIN_EBROKEN, "%s: %s", call->verb, why);
}

/* What the stream ended with, or what went wrong there. */
static int fail_read(const kin__call *call, ssize_t error)
{
    const kin__inbox *in = &call->conn->inbox;
    bool ended = error == 0 || (error == -ECONNRESET && call->conn->stream.is_local);
    if (ended) {
        kin__lane_abandon(call->conn);
    }
    if (ended && in->head_size == 0) {
        return kin__fail(KIN_EEOF, "%s: the other end is closed, and all was received", call->verb);
    }
    if (ended) {
        return break_down(call, "the other end was closed within a message");
    }
    if (error == -ECONNRESET) {
        return break_down(call, "the connection was reset");
    }
    return kin__conn_fail(call->verb, error);
}

/* An answer to a descriptor that was sent stands between letters, where a head would begin. */
static bool take_answer(kin_conn *conn)
{
    bool is_one = conn->inbox.head[0] == (unsigned char)KIN__ANSWER[0] &&
                  atomic_load(&conn->answers_due) > 0; /* only one thread takes any */
    atomic_fetch_sub(&conn->answers_due, is_one ? 1 : 0);
    return is_one;
}

/* Reads until `size` bytes of the head are here. */
static int read_head(const kin__call *call, size_t size)
{
    kin__inbox *in = &call->conn->inbox;
    while (in->head_size < size) {
        bool begins = in->head_size == 0;
        ssize_t n = kin__stream_read(&call->conn->stream, in->head + in->head_size,
                                     size - in->head_size, call->deadline);
        if (n <= 0) {
            return fail_read(call, n);
        }
        in->head_size += (size_t)n;
        while (begins && in->head_size > 0 && take_answer(call->conn)) {
            memmove(in->head, in->head + 1, --in->head_size);
        }
    }
    return 0;
}

/* R5 */
static void keep_fds(kin__inbox *in, const int *fds, int n)
{
    if (n <= 0) {
        in->lost_fds = n < 0 ? KIN_EMFILE : in->lost_fds;
        return;
    }
    kin__cargo *cargo = in->cargo == NULL ? kin__os_calloc(1, sizeof *cargo) : NULL;
    if (cargo == NULL) { /* no memory, or a letter in two parts, each with descriptors */
        for (int i = 0; i < n; i++) {
            kin__os_close(fds[i]);
        }
        in->lost_fds = KIN_ENOMEM;
        return;
    }
    memcpy(cargo->fds, fds, (size_t)n * sizeof *fds);
    cargo->n = n;
    in->cargo = cargo;
}

static int read_head_with_fds(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    while (in->head_size < sizeof in->head) {
        int fds[KIN__DESCRIPTORS_MOST];
        kin__message message = { .bytes = in->head + in->head_size,
                                 .size = sizeof in->head - in->head_size,
                                 .fds = fds };
        ssize_t n = kin__stream_receive(&call->conn->stream, &message, call->deadline);
        if (n <= 0) {
            return fail_read(call, n);
        }
        in->head_size += (size_t)n;
        keep_fds(in, fds, message.n_fds);
    }
    return 0;
}

/* Its kind and size are known, and its body where it is whole. */
static int note_announced(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    if (in->size > in->limit || in->size > SIZE_MAX / 2) {
        uint64_t size = in->size;
        give_up(in);
        return kin__fail(KIN_ERANGE, "%s: a message of %llu bytes is larger than the limit",
                         call->verb, (unsigned long long)size);
    }
    in->announced = true;
    in->owner = kin__self();
    bool whole = in->size == 0 || in->body != NULL || in->kind & KIN__LETTER_APART;
    atomic_store(&in->waiting, whole);
    return 0;
}

/* Descriptors by themselves come with one byte that says how many there are. A byte that came
 * without any, or is a mark's, is the first one of a letter. */
int kin__inbox_bypass(const kin__call *call, int ret_fds[KIN__DESCRIPTORS_MOST])
{
    kin__inbox *in = &call->conn->inbox;
    kin__message message = { .bytes = in->head, .size = 1, .fds = ret_fds };
    if (in->head_size > 0) {
        return 0;
    }
    int rv = kin__lane_enter(call);
    if (rv != 0) {
        return rv < 0 ? rv : note_announced(call);
    }
    ssize_t n;
    do {
        n = kin__stream_receive(&call->conn->stream, &message, call->deadline);
    } while (n > 0 && message.n_fds == 0 && take_answer(call->conn));
    kin__lane_leave(call->conn, n > 0 && in->head[0] != (unsigned char)KIN__MARK[0]);
    if (n <= 0) {
        return fail_read(call, n);
    }
    if (message.n_fds != 0 && in->head[0] != (unsigned char)KIN__MARK[0]) {
        return message.n_fds > 0 ? message.n_fds : kin__conn_fail(call->verb, message.n_fds);
    }
    keep_fds(in, ret_fds, message.n_fds);
    in->head_size = 1;
    return 0;
}

/* ---- announcements --------------------------------------------------------------------------- */

static int announce_stranger(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    int rv = read_head(call, 4);
    if (rv < 0) {
        return rv;
    }
    in->size = get_big_endian(in->head, 4);
    if (in->size == UINT32_MAX) {
        rv = read_head(call, 12);
        in->size = get_big_endian(in->head + 4, 8);
    } else if (in->size > INT32_MAX) {
        return break_down(call, "what came is no message's length");
    }
    in->kind = KIN__LETTER_BYTES;
    return rv;
}

static int announce_relative(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    int rv = kin__lane_enter(call);
    if (rv != 0) {
        return rv < 0 ? rv : 0;
    }
    rv = read_head_with_fds(call);
    kin__lane_leave(call->conn, rv == 0);
    if (rv < 0) {
        return rv;
    }
    kin__letter_head head;
    memcpy(&head, in->head, sizeof head);
    if (memcmp(head.mark, KIN__MARK, sizeof head.mark) != 0) {
        return break_down(call, "what came was not sent by a relative");
    }
    int came = in->cargo != NULL ? in->cargo->n : 0;
    if (came != head.n_fds && in->lost_fds == 0) {
        in->lost_fds = KIN_ECORRUPT;
    }
    in->kind = head.kind;
    in->size = head.size;
    if (in->size <= KIN__INLINE && !(in->kind & KIN__LETTER_APART)) {
        in->body = in->head + offsetof(kin__letter_head, u);
        in->arrived = in->size;
    }
    return 0;
}

int kin__inbox_announce(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    if (in->block != NULL && in->owner != kin__self()) { /* a parent's letter */
        kin__inbox_clear(in);
    }
    if (in->announced) {
        return 0;
    }
    int rv = call->conn->family ? announce_relative(call) : announce_stranger(call);
    return rv < 0 ? rv : note_announced(call);
}

/* ---- the body -------------------------------------------------------------------------------- */

/* R3: room for more, twice what has arrived. */
static int make_room(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    size_t room = in->room == 0 ? AT_ONCE : in->room * 2;
    room = room < in->size ? room : (size_t)in->size;
    unsigned char *body = kin__os_realloc(in->body, room > 0 ? room : 1);
    if (body == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a message of %llu bytes", call->verb,
                         (unsigned long long)in->size);
    }
    if (in->room == 0 && call->conn->family) {
        const kin__letter_head *head = (const kin__letter_head *)(const void *)in->head;
        memcpy(body, head->u.bytes, KIN__INLINE);
        in->arrived = KIN__INLINE;
    }
    in->body = body;
    in->room = room > 0 ? room : 1;
    return 0;
}

/* Reads the rest of the body to where there is room for `end` bytes of it. */
static int read_body(const kin__call *call, unsigned char *body, size_t end)
{
    kin__inbox *in = &call->conn->inbox;
    while (in->arrived < end) {
        ssize_t n = kin__stream_read(&call->conn->stream, body + in->arrived, end - in->arrived,
                                     call->deadline);
        if (n <= 0) {
            return fail_read(call, n);
        }
        in->arrived += (size_t)n;
    }
    return 0;
}

static int take_block(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    kin__letter_head head;
    memcpy(&head, in->head, sizeof head);
    in->block = kin__post_take(call->conn->post, call->conn->end, &head);
    in->body = in->block;
    in->owner = kin__self();
    if (in->block == NULL) {
        kin__inbox_clear(in);
        return kin__fail(KIN_ECORRUPT, "%s: a message's bytes are not where they should be",
                         call->verb);
    }
    in->arrived = (size_t)in->size;
    return 0;
}

/* What holds for a letter that is here, in whichever way it came. */
static int arrived(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    int lost = in->lost_fds;
    if (lost != 0) {
        kin__inbox_clear(in);
        return kin__fail(lost, "%s: a message came, but its descriptors could not be taken",
                         call->verb);
    }
    atomic_store(&in->waiting, true);
    return 0;
}

int kin__inbox_fill(const kin__call *call)
{
    kin__inbox *in = &call->conn->inbox;
    int rv = kin__inbox_announce(call);
    if (rv == 0 && in->kind & KIN__LETTER_APART && in->block == NULL) {
        rv = take_block(call);
    }
    while (rv == 0 && (in->body == NULL || in->arrived < in->size)) {
        if (in->body == NULL || in->arrived == in->room) {
            rv = make_room(call);
        }
        size_t end = in->room < in->size ? in->room : (size_t)in->size;
        rv = rv < 0 ? rv : read_body(call, in->body, end);
    }
    return rv < 0 ? rv : arrived(call);
}

/* The rest cannot be had now: what is already in the caller's room comes home. */
static int come_home(const kin__call *call, const unsigned char *at, int code)
{
    kin__inbox *in = &call->conn->inbox;
    unsigned char *body = kin__os_malloc(in->arrived);
    if (body == NULL) {
        return break_down(call, "no memory for a message that has arrived in part");
    }
    memcpy(body, at, in->arrived);
    in->body = body;
    in->room = in->arrived;
    return code;
}

int kin__inbox_fill_into(const kin__call *call, void *at)
{
    kin__inbox *in = &call->conn->inbox;
    if (in->body != NULL || in->kind & KIN__LETTER_APART || in->lost_fds != 0) {
        int rv = kin__inbox_fill(call);
        if (rv == 0 && in->size > 0) {
            memcpy(at, in->body, (size_t)in->size);
        }
        return rv;
    }
    if (call->conn->family) {
        const kin__letter_head *head = (const kin__letter_head *)(const void *)in->head;
        memcpy(at, head->u.bytes, KIN__INLINE);
        in->arrived = KIN__INLINE;
    }
    int rv = read_body(call, at, (size_t)in->size);
    return rv < 0 && in->arrived > 0 ? come_home(call, at, rv) : rv;
}
