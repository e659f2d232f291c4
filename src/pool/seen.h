/* pool/seen.h - what can be seen of a pool's work: counts, times, and a trace.
 *
 * The times of kin_pool_stats are kept where .stats asks for them, the trace where KIN_TRACE does;
 * a pool that nobody looks at reads no clock. Both lie in the pool's block, a part for each place.
 * A part has one writer: the worker at its place; the supervisor (or who frees the pool) when
 * that one is dead, and until there is another.
 */
#ifndef KIN_POOL_SEEN_H
#define KIN_POOL_SEEN_H

#include "room.h"

/* ---- histogram.c: how often which time was taken, to within a sixteenth ---- */

#define KIN__BUCKETS 368

typedef struct kin__histogram {
    _Atomic uint64_t most; /* exactly */
    _Atomic uint64_t counts[KIN__BUCKETS];
} kin__histogram;

void kin__histogram_add(kin__histogram *h, uint64_t value);
void kin__histogram_join(kin__histogram *into, const kin__histogram *from);

/* What `percent` of the samples do not exceed; 0 when there are none. */
uint64_t kin__histogram_percentile(const kin__histogram *h, unsigned percent);

/* ---- journal.c: lines on their way into a file that others write to, too ---- */

#define KIN__JOURNAL_ROOM 32768
#define KIN__JOURNAL_LINE 512 /* bytes of a line at most */

typedef struct kin__journal {
    _Atomic uint64_t extent; /* of the text that is to be written: from << 32 | to */
    _Atomic uint64_t at;     /* where in the file that is being written; 0: it is not */
    uint32_t patience;       /* not written before it has grown to this */
    uint32_t dropped;        /* lines that could not be written, and made room */
    char text[KIN__JOURNAL_ROOM + KIN__JOURNAL_LINE];
} kin__journal;

/* Where the next line is to be put, KIN__JOURNAL_LINE bytes; it is in the journal when it is added.
 * A line is ",\n{ ... }}". */
char *kin__journal_line(kin__journal *journal);
void kin__journal_add(kin__journal *journal, size_t length);

/* Whether it is time to write; when that fails, lines are dropped at last. */
bool kin__journal_is_due(const kin__journal *journal);
void kin__journal_relieve(kin__journal *journal, const char *path);

/* Writes all there is: each line once, also when the last who did was killed at it. -errno. */
int kin__journal_write(kin__journal *journal, const char *path, int64_t deadline);

/* ---- trace.c: what happened when, for KIN_TRACE ---- */

#define KIN__TRACE_PATH 1024

/* What is to be told of a place. */
typedef struct kin__diary {
    _Atomic int64_t life;       /* since when there is a worker; 0: there is none */
    _Atomic int64_t task;       /* since when he runs one; 0: none */
    _Atomic uint64_t waited;    /* that one, in ns */
    _Atomic uintptr_t function; /* and it is this */
    _Atomic int lost;           /* the supervisor's: the code of a task that died with him */
    char name[KIN__TASK_NAME];  /* of its own; or "" */
    bool again;                 /* he is not the first here */
    kin__journal journal;
} kin__diary;

struct kin__trace {
    uint32_t first; /* the tid of place 0: no other pool of the maker's has it */
    char path[KIN__TRACE_PATH];
    kin__diary diaries[];
};

/* NULL: no trace is wanted. Looks at the environment when it is first called. */
const char *kin__trace_path(void);
void kin__trace_begin(kin_pool *pool, const char *path);
void kin__trace_starting(kin_pool *pool, unsigned index, int64_t now);
void kin__trace_life(kin_pool *pool, unsigned index);
void kin__trace_death(kin_pool *pool, unsigned index, int code);
void kin__trace_end(kin_pool *pool);
void kin__trace_write_due(kin_pool *pool, unsigned index);
void kin__trace_begin_task(kin__diary *diary, const kin__task *task, kin_fn function);
void kin__trace_task(kin_pool *pool, unsigned index, int64_t end, int code);

/* ---- stats.c: the hooks of the pool's other files; each does little when nobody looks ---- */

enum kin__doing { KIN__ABSENT = 0, KIN__STARTING, KIN__IDLE, KIN__BUSY, KIN__DOINGS };

struct kin__tally {
    _Alignas(64) _Atomic uint64_t doing; /* since when << 2 | what */
    _Atomic uint64_t spent[KIN__DOINGS]; /* ns, by all who were here, before that */
    kin__histogram wait, run;
};

/* In the maker: the bytes that this takes behind the pool and its places, and what they begin
 * with; zeroed so far. */
size_t kin__seen_size(const kin_pool_options *options, unsigned places);
void kin__seen_begin(kin_pool *pool, void *room, const kin_pool_options *options);

/* In who brings workers: one is about to start at this place; he is counted, and then started; that
 * came to nothing; he is gone, with a code. */
void kin__seen_starting(kin_pool *pool, unsigned index);
void kin__seen_started(kin_pool *pool, unsigned index);
void kin__seen_none_started(kin_pool *pool, unsigned index);
void kin__seen_gone(kin_pool *pool, unsigned index, int code);

/* In the supervisor: the worker there does not end what he runs. It has this code, or will be tried
 * again. */
void kin__seen_lost(kin_pool *pool, unsigned index, int code);

/* In who frees the pool, when all workers are gone. */
void kin__seen_end(kin_pool *pool);

/* In a task's submitter, before anybody else sees it. */
void kin__seen_submit(const kin_pool *pool, kin__task *task);

/* In a worker: he looks at the queue for the first time; begins a task; ended it with a code. */
void kin__seen_live(kin_pool *pool, unsigned index);
void kin__seen_task(kin_pool *pool, unsigned index, const kin__task *task, kin_fn function);
void kin__seen_task_end(kin_pool *pool, unsigned index, int code);
void kin__seen_rest(kin_pool *pool, unsigned index); /* there is time now */

#endif
