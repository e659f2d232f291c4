/* wire.c - one connection to a manager elsewhere: requests out, answers in.
 *
 * Idea. Small requests are gathered, and leave together; answers are read as many as are there, and
 * taken out of a buffer one by one. A wire knows which answers it is owed, in their order, and
 * where each of them goes.
 *
 *      gather --> out [ request | request |   ] --> socket --> in [ answer | answer | ans  ]
 *                                                                    |
 *                        owed [ place | nowhere | place | ... ]  <-- settle
 *
 * Rules.
 *   R1  Answers come in the order of their requests. So all that are owed are settled before the
 *       one that somebody waits for is taken.
 *   R2  Who cannot write reads meanwhile what he is owed. So no side waits for the other to read,
 *       whatever is under way; and no more than one answer is in the buffer in part.
 *   R3  What is gathered is under way: it leaves when its buffer is full, and before anybody waits
 *       for an answer. The first few leave early, so that the other side has something to do.
 *   R4  A buffer grows with what has arrived, not with what was announced.
 *   R5  After any failure here a wire is of no use: nobody knows how far it has got. What was
 *       answered before counts.
 *
 * Death. Of the other side: KIN_EEOF. Of ours: the connection ends.
 *
 * Not here. Whose a wire is (link.c), batches (batch.c), connecting (listener/).
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE 20        /* seconds for an answer */
#define OUT_ROOM 1024u     /* of what is gathered */
#define EARLY 8            /* requests that do not wait for more, when the other side is idle */
#define IN_ROOM 16384u     /* bytes read at once; also what is kept for the next answer */
#define AT_ONCE (1u << 20) /* more than that only after as much has arrived */
#define MOST ((size_t)1 << 30)

/* ---- its life -------------------------------------------------------------------------------- */

int kin__wire_new(const kin__link *link, kin__wire **ret)
{
    kin__wire *w = kin__os_calloc(1, sizeof *w);
    if (w == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a connection");
    }
    int rv = kin_connect(&w->conn, link->address, &link->options);
    if (rv < 0) {
        kin__os_free(w);
        return rv;
    }
    w->link = link;
    w->fd = kin_conn_fileno(w->conn);
    w->thread = kin__this_thread();
    w->tid = kin__os_thread_self().tid;
    *ret = w;
    return 0;
}

void kin__wire_free(kin__wire *w)
{
    kin_conn_free(w->conn);
    kin__os_free(w->in);
    kin__os_free(w->out);
    kin__os_free(w);
}

int64_t kin__wire_deadline(const kin__wire *w, double seconds)
{
    double most = w->link->options.timeout > 0 ? w->link->options.timeout : PATIENCE;
    int64_t deadline = KIN__NEVER;
    if (seconds != KIN_FOREVER) {
        (void)kin__deadline(most + seconds, &deadline);
    }
    return deadline;
}

static int fail(const kin__wire *w, ssize_t error)
{
    switch (error) {
    case 0:
    case -EPIPE:
    case -ECONNRESET:
        return kin__fail(KIN_EEOF, "the manager at %s has ended the connection", w->link->address);
    case -ETIMEDOUT:
        return kin__fail(KIN_ETIMEDOUT,
                         "the manager at %s did not answer in time; whether it has done what it "
                         "was asked for is not known",
                         w->link->address);
    default:
        return kin__fail_os(error == -ENOBUFS ? -ENOMEM : (int)error, "the manager at %s",
                            w->link->address);
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

int kin__wire_pack(const kin__request *request, kin__packed *ret)
{
    size_t size;
    kin_obj ident = request->ident != NULL ? kin_str(request->ident) : kin_none();
    kin_obj names = kin_type_of(request->names) == KIN_TYPE_INVALID ? kin_dict() : request->names;
    int rv = kin__dumps(kin_tuple(ident, kin_str(request->method), request->args, names), NULL,
                        KIN__FRAME_HEADER, &ret->data, &size);
    if (rv < 0) {
        return rv;
    }
    char *body = (char *)ret->data + KIN__FRAME_HEADER;
    ret->frame = kin__framing_put(body, size - KIN__FRAME_HEADER);
    ret->size = size - (size_t)(ret->frame - (char *)ret->data);
    return 0;
}

static int settle_what_is_here(kin__wire *w);
static ssize_t read_some(kin__wire *w);

/* R5: what was answered before the end counts. */
static int fail_write(kin__wire *w, ssize_t error)
{
    while (settle_what_is_here(w) == 0 && w->n_owed > 0 && read_some(w) > 0) {
    }
    return fail(w, error);
}

/* R2 */
static int wait_for_room(kin__wire *w, int64_t deadline)
{
    bool reads = w->n_owed > 0;
    int rv = kin__os_stream_wait(w->fd, reads ? KIN__EITHER : KIN__WRITE, deadline);
    ssize_t n = rv == 0 && reads ? read_some(w) : rv == 0 ? -EAGAIN : rv;
    return n <= 0 && n != -EAGAIN ? fail_write(w, n) : settle_what_is_here(w);
}

int kin__wire_write(kin__wire *w, const kin__packed *packed)
{
    int64_t deadline = kin__wire_deadline(w, 0);
    kin__bytes parts[2] = { { w->out, w->out_size }, { NULL, 0 } };
    if (packed != NULL) {
        parts[1] = (kin__bytes){ packed->frame, packed->size };
    }
    w->out_size = 0;
    while (parts[0].size + parts[1].size > 0) {
        ssize_t n = kin__os_stream_write(w->fd, parts, NULL, 0, false);
        if (n >= 0) {
            kin__stream_skip(parts, (size_t)n);
            continue;
        }
        int rv = n == -EAGAIN ? wait_for_room(w, deadline) : fail_write(w, n);
        if (rv < 0) {
            return rv;
        }
    }
    return 0;
}

int kin__wire_gather(kin__wire *w, const kin__packed *packed)
{
    if (w->out == NULL) {
        w->out = kin__os_malloc(OUT_ROOM);
    }
    if (w->out == NULL || packed->size > OUT_ROOM - w->out_size || w->n_owed == EARLY - 1) {
        return kin__wire_write(w, packed);
    }
    memcpy(w->out + w->out_size, packed->frame, packed->size);
    w->out_size += packed->size;
    return 0;
}

/* ---- what answers say ------------------------------------------------------------------------ */

static bool is_str(kin_obj o, const char *text)
{
    return kin_type_of(o) == KIN_TYPE_STR && strcmp(kin_as_str(o), text) == 0;
}

/* Of "KeyError: 'name'"; KIN_EUSER for what is no exception that we know. */
static int code_of(const char *line)
{
    char type[64];
    size_t n = strcspn(line, ":\n");
    if (n >= sizeof type) {
        return KIN_EUSER;
    }
    (void)snprintf(type, sizeof type, "%.*s", (int)n, line);
    kin_obj exception = kin_exception(type, kin_args());
    bool is_known = kin_type_of(exception) == KIN_TYPE_ERROR;
    int code = is_known ? kin_error_code(exception) : KIN_EUSER;
    kin_release(exception);
    return code;
}

/* The last line of a traceback says what happened: "KeyError: 'name'". */
static int fail_by_traceback(const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '\n') {
        n--;
    }
    size_t from = n;
    while (from > 0 && text[from - 1] != '\n') {
        from--;
    }
    return kin__fail(code_of(text + from), "the manager says: %.*s",
                     (int)(n - from > 500 ? 500 : n - from), text + from);
}

static int fail_by_error(kin_obj error)
{
    if (!kin_is_error(error)) {
        return kin__fail(KIN_EUSER, "the manager says that it failed, and not how");
    }
    int code = kin_error_code(error);
    const char *type = kin_error_type(error);
    return kin__fail(code, "%s%s%s", type, type[0] != '\0' ? ": " : "", kin_error_text(error));
}

static int no_answer(const char *why)
{
    return kin__fail(KIN_ECORRUPT, "what the manager sent is no answer: %s", why);
}

/* Of an answer: what it brings. */
static int open_answer(kin_obj answer, bool *ret_proxy, kin_obj *ret)
{
    kin_type type = kin_type_of(answer);
    if ((type != KIN_TYPE_TUPLE && type != KIN_TYPE_LIST) || kin_len(answer) != 2) {
        return no_answer("not a pair");
    }
    kin_obj what = kin_at(answer, 0), payload = kin_at(answer, 1);
    if (is_str(what, "#RETURN") || is_str(what, "#PROXY")) {
        if (ret_proxy != NULL) {
            *ret_proxy = is_str(what, "#PROXY");
        }
        *ret = kin_retain(payload);
        return 0;
    }
    if (is_str(what, "#ERROR")) {
        return fail_by_error(payload);
    }
    if (is_str(what, "#TRACEBACK") && kin_type_of(payload) == KIN_TYPE_STR) {
        return fail_by_traceback(kin_as_str(payload));
    }
    if (is_str(what, "#UNSERIALIZABLE")) {
        return kin__fail(KIN_EUNSUPPORTED, "the manager cannot send the result");
    }
    return no_answer("of an unknown kind");
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Of the first answer: 1, 0 when not all of it is here, or a code. */
static int look(const kin__wire *w, kin__frame *ret)
{
    if (w->in_have == w->in_at) {
        return 0;
    }
    int rv = kin__framing_look(w->in + w->in_at, w->in_have - w->in_at, MOST, ret);
    return rv < 0 ? kin__fail(rv, "the manager at %s sends an answer of more than %zu bytes",
                              w->link->address, MOST)
                  : rv;
}

static void let_go(kin__wire *w, size_t size)
{
    w->in_at += size;
    if (w->in_at < w->in_have) {
        return;
    }
    w->in_at = w->in_have = 0;
    if (w->in_room > IN_ROOM) {
        kin__os_free(w->in);
        w->in = NULL;
        w->in_room = 0;
    }
}

/* R4: for the rest of the first answer, as far as it is known. */
static int make_room(kin__wire *w)
{
    kin__frame f = { .whole = 0 };
    if (w->in_at > 0 && w->in_have > 0) {
        memmove(w->in, w->in + w->in_at, w->in_have - w->in_at);
        w->in_have -= w->in_at;
        w->in_at = 0;
    }
    if (w->in_have < w->in_room) {
        return 0;
    }
    if (w->in_have > 0) {
        (void)kin__framing_look(w->in, w->in_have, MOST, &f);
    }
    size_t room = w->in_have > AT_ONCE / 2 ? 2 * w->in_have : AT_ONCE;
    room = room < f.whole ? room : f.whole > IN_ROOM ? f.whole : IN_ROOM;
    char *in = kin__os_realloc(w->in, room);
    if (in == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for an answer of %zu bytes", f.whole);
    }
    w->in = in;
    w->in_room = room;
    return 0;
}

/* As kin__os_stream_read. */
static ssize_t read_some(kin__wire *w)
{
    if (make_room(w) < 0) {
        return -ENOMEM;
    }
    ssize_t n = kin__os_stream_read(w->fd, w->in + w->in_have, w->in_room - w->in_have, false);
    w->in_have += n > 0 ? (size_t)n : 0;
    return n;
}

typedef struct reading {
    kin__wire *w;
    ssize_t n;
} reading;

static bool has_read(void *ctx)
{
    reading *r = ctx;
    r->n = read_some(r->w);
    return r->n != -EAGAIN;
}

/* One of ours answers faster than a sleep lasts. */
static int read_more(kin__wire *w, int64_t deadline)
{
    reading r = { .w = w };
    (void)(w->is_kin ? kin__spin_aside(has_read, &r) : has_read(&r));
    while (r.n == -EAGAIN) {
        int rv = kin__os_stream_wait(w->fd, KIN__READ, deadline);
        r.n = rv < 0 ? rv : read_some(w);
    }
    return r.n <= 0 ? fail(w, r.n) : 0;
}

static int await(kin__wire *w, int64_t deadline, kin__frame *ret)
{
    int rv = look(w, ret);
    while (rv == 0) {
        rv = read_more(w, deadline);
        rv = rv < 0 ? rv : look(w, ret);
    }
    return rv < 0 ? rv : 0;
}

int kin__wire_take(kin__wire *w, int64_t deadline, bool *ret_proxy, kin_obj *ret, int *ret_rv)
{
    kin__frame f;
    kin_obj answer;
    int rv = await(w, deadline, &f);
    rv = rv < 0 ? rv : kin_loads(f.body, f.size, &answer);
    if (rv < 0) {
        return rv;
    }
    let_go(w, f.whole);
    *ret_rv = open_answer(answer, ret_proxy, ret);
    kin_release(answer);
    return 0;
}

/* ---- those that are owed --------------------------------------------------------------------- */

static void put_first(kin__wire *w, kin_obj result)
{
    const struct kin__owed *first = &w->owed[w->first_owed];
    if (first->place != NULL) {
        *first->place = result;
    } else {
        kin_release(result);
    }
    w->first_owed = (w->first_owed + 1) % KIN__OWED;
    w->n_owed--;
}

int kin__wire_settle(kin__wire *w, int64_t deadline)
{
    kin_obj result;
    int answered;
    int rv = kin__wire_take(w, deadline, NULL, &result, &answered);
    if (rv < 0) {
        return rv;
    }
    if (answered < 0) {
        w->failed += w->owed[w->first_owed].counts;
        result = kin_error(answered, "%s", kin_errmsg());
    }
    put_first(w, result);
    return 0;
}

int kin__wire_settle_to(kin__wire *w, unsigned n)
{
    int rv = kin__wire_write(w, NULL); /* R3 */
    while (rv == 0 && w->n_owed > n) {
        rv = kin__wire_settle(w, kin__wire_deadline(w, 0));
    }
    return rv;
}

static int settle_what_is_here(kin__wire *w)
{
    kin__frame f;
    int rv = 0;
    while (rv == 0 && w->n_owed > 0 && (rv = look(w, &f)) > 0) {
        rv = kin__wire_settle(w, 0);
    }
    return rv;
}

void kin__wire_fail_owed(kin__wire *w, int rv)
{
    while (w->n_owed > 0) {
        w->failed += w->owed[w->first_owed].counts;
        put_first(w, kin_error(rv, "%s", kin_errmsg()));
    }
}

int kin__wire_make_place(kin__wire *w)
{
    return w->n_owed == KIN__OWED ? kin__wire_settle_to(w, KIN__OWED / 2) : 0;
}

void kin__wire_owe(kin__wire *w, kin_obj *place, bool counts)
{
    w->owed[(w->first_owed + w->n_owed++) % KIN__OWED] = (struct kin__owed){ place, counts };
}
