/* pool/room.h - what the files of the pool share: the pool, its workers, a task. */
#ifndef KIN_POOL_ROOM_H
#define KIN_POOL_ROOM_H

#include "../obj/room.h"
#include "../process/nursery.h"
#include "../queue/room.h"
#include <kin/pool.h>

enum kin__pool_phase {
    KIN__POOL_STARTING = 0,
    KIN__POOL_OPEN,
    KIN__POOL_CLOSING,     /* workers end when the queue is drained */
    KIN__POOL_TERMINATING, /* workers are killed */
    KIN__POOL_OVER,        /* no worker is left, and none will be */
};

/* A place for a worker; when he dies, another takes it. */
typedef struct kin__worker {
    _Alignas(64) _Atomic kin__id id; /* 0: he has not come so far */
    _Atomic pid_t pid;
    _Atomic kin__ref task; /* what he works on, or did last: written before he claims it */
    _Atomic bool retired;  /* he found the queue closed and drained: nobody follows him */
    _Atomic uint64_t tasks_done;
    int64_t rests_until; /* the nursery's: nobody is started there before */
} kin__worker;

struct kin_pool {
    kin__ref self;
    pid_t maker;
    unsigned places;
    _Atomic pid_t nursery;      /* its pid; 0 once it was reaped */
    uint64_t nursery_started;   /* its maker's: as kin__nursery_new said */
    _Atomic kin__id supervisor; /* its identity; 0 before it has come to life */
    _Atomic int failure;        /* why it did not */
    _Atomic uint32_t phase;
    kin__gate changed; /* opened when the phase is */
    kin_queue *queue;  /* of refs to tasks */
    _Atomic uint64_t workers_started;
    kin__worker workers[];
};

/* A task's state is a word: its phase, whether its future has been let go, and who has it in hand:
 * he runs it, or has ended it and wakes who waits for it, or frees it. */
enum kin__task_phase {
    KIN__TASK_QUEUED = 0,
    KIN__TASK_RUNNING,
    KIN__TASK_DONE, /* `result` is a flat object: what it returned, or the error it is */
    KIN__TASK_LOST, /* `code` and `text` say why, or an error in `result`, which has more room */
};

#define KIN__TASK_LET_GO ((uint64_t)1 << 40)
#define KIN__TASK_PHASE(state) ((enum kin__task_phase)((state) >> 32 & 0xff))
#define KIN__TASK_RUNNER(state) ((kin__id)(state))
#define KIN__TASK_STATE(phase, runner) ((uint64_t)(phase) << 32 | (runner))

enum kin__task_kind { KIN__TASK_CALL = 1, KIN__TASK_MAP = 2, KIN__TASK_STAR = 4 };

typedef struct kin__task {
    _Atomic uint64_t state;
    _Atomic kin__ref result; /* a block that holds a flat object */
    kin__ref pool;
    kin__id submitter;
    uint32_t kind;
    kin__gate finished;
    int32_t code;
    char text[162];
    _Atomic bool args_read, result_read; /* then the buffers in it are somebody's */
    uint64_t function[2];                /* module and offset: obj/flat.c */
    uint64_t size;
    _Alignas(8) unsigned char args[]; /* a flat object: the arguments, or a list of items */
} kin__task;

/* ---- task.c ---- */

/* Writes a task into the domain, owned by this process. Takes nothing away from `args`. */
int kin__task_new(kin_pool *pool, kin_fn fn, kin_obj args, uint32_t kind, kin__task **ret_task);

/* Claims a queued task for this process. False when it is not queued any more. */
bool kin__task_claim(kin__task *task);

/* Ends a running task of this process with what its function returned, which is taken. */
void kin__task_finish(kin__task *task, kin_obj returned);

/* Ends a task that nobody works on any more. False when it is not in that state (any more). */
bool kin__task_lose(kin__task *task, uint64_t state, int code, const char *text);

/* The same for what a dead process was running; what it had ended already is brought to its end.
 * False when it had nothing to do with this task. */
bool kin__task_lose_of(kin__task *task, kin__id dead, int code, const char *text);

/* The pool has ended: a task that has not is lost, one that nobody can free any more is freed. */
void kin__task_forsake(kin__task *task, int code, const char *text);

/* Frees a task that nobody else has seen. */
void kin__task_free(kin__task *task);

/* The future is let go: whoever ends the task frees it; or it is freed now. */
void kin__task_let_go(kin__task *task);

bool kin__task_is_over(const kin__task *task);

/* 0 and what it returned, or its code with the sentence. */
int kin__task_result(kin__task *task, kin_obj *ret_result);

/* ---- submit.c: tasks go in, futures come out; `verb` is whose sentences they are ---- */

int kin__pool_submit(kin_pool *pool, kin__task *task, kin_future **ret_future, const char *verb);

/* Waits for a task's end: 0, KIN_ETIMEDOUT, KIN_EBROKEN, KIN_EDEADLK. */
int kin__future_wait(kin_future *future, int64_t deadline, const char *verb);

/* ---- worker.c ---- */

/* The life of worker `index`: the exit status of its process. */
int kin__worker_run(void *pool, unsigned index);

/* The pool that this process is a worker of, or 0 (also in a worker's child). */
kin__ref kin__worker_pool(void);

/* ---- supervise.c: what the nursery is told ---- */
extern const kin__nursery_ops kin__supervise_ops;
kin_obj kin__supervise_served(kin_obj args); /* the same, for a nursery of the fork server's */

void kin__pool_turn(kin_pool *pool, uint32_t phase); /* and wakes who waits for it */

/* ---- pool.c ---- */
void kin__pool_free_parts(kin_pool *pool); /* when nobody works in it any more */

/* ---- progress.c ---- */
typedef struct kin__progress {
    bool shown;
    size_t total;
    double begun, drawn;
} kin__progress;

void kin__progress_begin(kin__progress *progress, bool wanted, size_t total);
void kin__progress_show(kin__progress *progress, size_t done);
void kin__progress_end(kin__progress *progress);

#endif
