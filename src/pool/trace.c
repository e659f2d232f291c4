/* trace.c - what happened when, for KIN_TRACE: a file of Chrome's trace events, for Perfetto.
 *
 * Idea. A place is a track; on it are the lives of its workers, and in a life the tasks. Each is
 * one "complete" event, told when it is over; deaths and restarts are moments. A line is made at
 * once, and lies in the place's journal until that is half full, its worker is dead, or the pool
 * ends.
 *
 *     place 1   [ worker 4711 ..................x][ worker 4718 .........]
 *                 [square] [square]  [stay ....]     [square]
 *
 * Rules.
 *   R1  The environment is read once, by the first pool of a process; children of a fork know it.
 *   R2  What a worker is at stands in his diary while he is, so that whoever finds him dead can
 *       tell what he would have told.
 *   R3  The trace never fails a pool: a file that cannot be written costs a warning, and events.
 *
 * Death. A worker killed: his supervisor tells the rest, and writes it; if the file is locked for
 * longer than a moment, who comes next to the place does, or who frees the pool. The maker or the
 * supervisor killed: who gives the pool's memory back does. All at once: what the journals had is
 * lost, and the file is whole.
 */
#include "../os/module.h"
#include "seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME 96
#define NAMES 16
#define PATIENCE 1000000000 /* ns for a file's lock, where nobody waits for us */
#define MOMENT 5000000      /* the same for a supervisor: others may have died meanwhile */

static _Atomic(const char *) wanted; /* NULL: not looked yet; "": no trace */
static _Atomic uint32_t next_tid = 1;

/* ---- the file's name ------------------------------------------------------------------------- */

static char *absolute(const char *path)
{
    char *whole = kin__os_malloc(KIN__TRACE_PATH);
    int rv = whole != NULL ? kin__os_net_absolute(path, whole, KIN__TRACE_PATH) : -ENOMEM;
    if (rv == 0) {
        return whole;
    }
    (void)kin__fail_os(rv, "KIN_TRACE: cannot find the whole path of \"%s\"", path);
    kin_log(KIN_LOG_WARNING, "%s", kin_errmsg());
    kin__os_free(whole);
    return NULL;
}

const char *kin__trace_path(void)
{
    const char *path = atomic_load(&wanted);
    if (path == NULL) { /* R1 */
        const char *text = getenv("KIN_TRACE");
        char *whole = text != NULL && text[0] != '\0' ? absolute(text) : NULL;
        const char *mine = whole != NULL ? whole : "";
        if (atomic_compare_exchange_strong(&wanted, &path, mine)) {
            path = mine;
        } else {
            kin__os_free(whole);
        }
    }
    return path[0] != '\0' ? path : NULL;
}

/* ---- names of functions ---------------------------------------------------------------------- */

typedef struct known {
    uintptr_t function;
    char name[NAME];
} known;

static _Thread_local known names[NAMES];

/* As it may stand in a string of JSON; and "}}" is at the ends of lines only (journal.c). */
static void make_harmless(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\' || *text == '}') {
            *text = '?';
        }
    }
}

static const char *name_of(uintptr_t function)
{
    known *k = &names[function / 16 % NAMES];
    if (k->function != function) {
        kin__os_function_name(function, k->name, sizeof k->name);
        make_harmless(k->name);
        k->function = function;
    }
    return k->name;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* A line is written between two tasks: this is many times faster than snprintf. */
static char *put(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

static char *put_number(char *at, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    memcpy(at, digits + i, sizeof digits - i);
    return at + sizeof digits - i;
}

static char *put_signed(char *at, int n)
{
    if (n < 0) {
        *at++ = '-';
    }
    return put_number(at, n < 0 ? (uint64_t) - (int64_t)n : (uint64_t)n);
}

/* Nanoseconds as microseconds, which the format wants. */
static char *put_micros(char *at, int64_t ns)
{
    uint64_t whole = ns > 0 ? (uint64_t)ns : 0;
    unsigned rest = (unsigned)(whole % 1000);
    at = put_number(at, whole / 1000);
    *at++ = '.';
    *at++ = (char)('0' + rest / 100);
    *at++ = (char)('0' + rest / 10 % 10);
    *at++ = (char)('0' + rest % 10);
    return at;
}

/* Up to the name's opening quote. */
static char *open_event(const kin_pool *pool, unsigned index, const char *kind)
{
    char *at = kin__journal_line(&pool->trace->diaries[index].journal);
    at = put(put(put(at, ",\n{\"ph\":\""), kind), "\",\"pid\":");
    at = put(put_number(at, (uint64_t)pool->maker), ",\"tid\":");
    return put_number(at, pool->trace->first + index);
}

static char *put_span(char *at, int64_t begin, int64_t end)
{
    at = put_micros(put(at, ",\"ts\":"), begin);
    return put_micros(put(at, ",\"dur\":"), end - begin);
}

static void close_event(kin__diary *diary, char *at)
{
    at = put(at, "}}");
    kin__journal_add(&diary->journal, (size_t)(at - kin__journal_line(&diary->journal)));
}

static void tell_name(const kin_pool *pool, unsigned index, const char *what, const char *name,
                      uint64_t number)
{
    char *at = put(open_event(pool, index, "M"), ",\"name\":\"");
    at = put(put(put(at, what), "\",\"args\":{\"name\":\""), name);
    at = put(put_number(at, number), "\"");
    close_event(&pool->trace->diaries[index], at);
}

static void tell_moment(const kin_pool *pool, unsigned index, int64_t when, const char *name,
                        int code)
{
    char *at = put_micros(put(open_event(pool, index, "i"), ",\"s\":\"t\",\"ts\":"), when);
    at = put(put(put(at, ",\"name\":\""), name), "\",\"args\":{\"code\":");
    close_event(&pool->trace->diaries[index], put_signed(at, code));
}

void kin__trace_begin_task(kin__diary *diary, const kin__task *task, kin_fn function)
{
    size_t length;
    const char *name = kin__task_own_name(task, &length);
    memcpy(diary->name, name, length);
    diary->name[length] = '\0';
    make_harmless(diary->name);
    atomic_store_explicit(&diary->function, (uintptr_t)(void (*)(void))function,
                          memory_order_relaxed);
}

void kin__trace_task(kin_pool *pool, unsigned index, int64_t end, int code)
{
    kin__diary *diary = &pool->trace->diaries[index];
    int64_t begin = atomic_load_explicit(&diary->task, memory_order_relaxed);
    char *at = put_span(open_event(pool, index, "X"), begin, end);
    at = put(put(at, ",\"name\":\""),
             diary->name[0] != '\0' ? diary->name : name_of(diary->function));
    at = put_micros(put(at, "\",\"args\":{\"wait\":"), (int64_t)diary->waited);
    at = put_signed(put(at, ",\"code\":"), code);
    if (code != 0) {
        at = put(put(put(at, ",\"error\":\""), kin_errname(code)), "\"");
    }
    close_event(diary, at);
    atomic_store_explicit(&diary->task, 0, memory_order_release); /* R2 */
}

static void tell_life(kin_pool *pool, unsigned index, int64_t end, int code)
{
    kin__diary *diary = &pool->trace->diaries[index];
    uint64_t pid = (uint64_t)atomic_load(&pool->workers[index].pid);
    char *at = put_span(open_event(pool, index, "X"), atomic_load(&diary->life), end);
    at = put_number(put(at, ",\"name\":\"worker "), pid);
    at = put_number(put(at, "\",\"args\":{\"pid\":"), pid);
    at = put_number(put(at, ",\"dropped\":"), diary->journal.dropped);
    close_event(diary, put_signed(put(at, ",\"code\":"), code));
    diary->journal.dropped = 0;
}

/* ---- what happens ---------------------------------------------------------------------------- */

/* In the maker, before there are workers. */
void kin__trace_begin(kin_pool *pool, const char *path)
{
    kin__trace *trace = pool->trace;
    trace->first = atomic_fetch_add(&next_tid, pool->places);
    (void)strncpy(trace->path, path, sizeof trace->path - 1);
    tell_name(pool, 0, "process_name", "pools of ", (uint64_t)pool->maker);
    int rv = kin__journal_write(&trace->diaries[0].journal, path, kin__os_now() + PATIENCE);
    if (rv < 0) { /* R3 */
        (void)kin__fail_os(rv, "KIN_TRACE: no trace can be written to %s", path);
        kin_log(KIN_LOG_WARNING, "%s", kin_errmsg());
        pool->trace = NULL;
    }
}

void kin__trace_write_due(kin_pool *pool, unsigned index)
{
    kin__journal *journal = &pool->trace->diaries[index].journal;
    if (kin__journal_is_due(journal)) {
        kin__journal_relieve(journal, pool->trace->path);
    }
}

/* Before the fork: until then there is no other writer. */
void kin__trace_starting(kin_pool *pool, unsigned index, int64_t now)
{
    kin__diary *diary = &pool->trace->diaries[index];
    diary->again = atomic_load(&pool->workers[index].starts) != 0;
    if (!diary->again) {
        tell_name(pool, index, "thread_name", "worker ", index + 1);
    }
    atomic_store(&diary->lost, 0);
    atomic_store(&diary->life, now);
}

/* In the worker. */
void kin__trace_life(kin_pool *pool, unsigned index)
{
    kin__diary *diary = &pool->trace->diaries[index];
    if (diary->again) {
        tell_moment(pool, index, atomic_load(&diary->life), "restart", 0);
    }
}

/* He is dead. */
void kin__trace_death(kin_pool *pool, unsigned index, int code)
{
    kin__diary *diary = &pool->trace->diaries[index];
    int64_t now = kin__os_now();
    if (atomic_load(&diary->life) == 0) {
        return;
    }
    kin__trace_write_due(pool, index);
    if (atomic_load(&diary->task) != 0) { /* R2 */
        int lost = atomic_load(&diary->lost);
        kin__trace_task(pool, index, now, lost != 0 ? lost : KIN_ECRASHED);
    }
    if (code != 0 && atomic_load(&pool->phase) < KIN__POOL_TERMINATING) {
        tell_moment(pool, index, now, "death", code);
    }
    tell_life(pool, index, now, code);
    atomic_store(&diary->life, 0);
    (void)kin__journal_write(&diary->journal, pool->trace->path, now + MOMENT);
}

/* What is left. */
void kin__trace_end(kin_pool *pool)
{
    int64_t deadline = kin__os_now() + PATIENCE;
    for (unsigned i = 0; i < pool->places; i++) {
        (void)kin__journal_write(&pool->trace->diaries[i].journal, pool->trace->path, deadline);
    }
}
