/* pool/room.h - what the files of the pool share: the pool, its workers, a task. */
#ifndef KIN_POOL_ROOM_H
#define KIN_POOL_ROOM_H

#include "../obj/room.h"
#include "../process/nursery.h"
#include "../queue/room.h"
#include "engine.h"
#include <kin/pool.h>

enum kin__pool_phase {
    KIN__POOL_STARTING = 0,
    KIN__POOL_OPEN,
    KIN__POOL_CLOSING,     /* workers end when the queue is drained */
    KIN__POOL_TERMINATING, /* workers are killed */
    KIN__POOL_OVER,        /* no worker is left, and none will be */
};

#define KIN__PLACES_MOST 1024u
#define KIN__PLACES_LEAST 64u /* what a pool may be resized to */
#define KIN__LOOKING_WORDS (KIN__PLACES_MOST / 64)

enum kin__stage { KIN__STAGE_NEW = 0, KIN__STAGE_BEGINS, KIN__STAGE_WORKS };
typedef struct kin__tally kin__tally; /* seen.h: the times of a place */
typedef struct kin__trace kin__trace; /* the same: what is told of all places */

/* A place for a worker; when he dies, another takes it. */
typedef struct kin__worker {
    _Alignas(64) _Atomic kin__id id; /* 0: he has not come so far */
    _Atomic pid_t pid;
    _Atomic kin__ref task;       /* what he works on, or did last: written before he claims it */
    _Atomic uint32_t stage;      /* enum kin__stage */
    _Atomic bool retired;        /* he found the queue closed and drained: nobody follows him */
    _Atomic uint64_t tasks_done; /* by all who were here */
    _Atomic uint32_t starts;     /* of workers here */
    _Atomic kin__ref again;      /* a task that whoever comes next shall begin with */
    uint64_t ooms;               /* the supervisor's: the kernel's count when he was started */
    _Atomic int64_t ends_at; /* limit.c: when the call that he is in must have returned; 0: ever */
    int64_t rests_until;     /* the supervisor's: nobody is started there before */
} kin__worker;

/* What each worker does once: rite.c. */
typedef struct kin__rite {
    uint64_t function[2];
    kin__ref args; /* a flat object; 0: none */
    bool wanted;
} kin__rite;

struct kin_pool {
    kin__ref self;
    pid_t maker;
    unsigned places;            /* for workers */
    _Atomic unsigned wanted;    /* so many of them have one, from the first on */
    uint32_t engine;            /* which: engine.c */
    _Atomic pid_t nursery;      /* processes.c: its pid; 0 once it was reaped */
    uint64_t nursery_started;   /* its maker's: as kin__nursery_new said */
    _Atomic kin__id supervisor; /* who turns the phase; 0 before it has come to life */
    _Atomic int failure;        /* why it did not */
    _Atomic uint32_t phase;
    kin__gate changed;    /* opened when the phase is */
    kin_queue *queue;     /* of refs to tasks */
    int64_t task_timeout; /* ns; 0: none */
    unsigned retries, max_tasks;
    uint64_t max_memory;
    bool pin;
    char name[64]; /* of workers */
    kin__rite initializer, finalizer;
    _Atomic kin__ref why;    /* it is broken: a sentence; 0: it is not */
    _Atomic int64_t look_at; /* limit.c: when the supervisor looks by himself */
    _Atomic uint64_t workers_started;
    _Atomic uint64_t errors; /* tasks that a worker ended, and they had failed */
    _Atomic uint64_t lost;   /* tasks that were ended otherwise */
    bool callback_thread;    /* its submitters' helpers call: callback.c */
    bool watched;            /* seen.h: there is one of these, behind the places */
    kin__tally *tallies;
    kin__trace *trace;
    _Alignas(64) kin__gate work;                  /* take.c: idle workers sleep here */
    _Atomic uint64_t looking[KIN__LOOKING_WORDS]; /* a bit for each who is awake and idle */
    kin__worker workers[];
};

/* A task's state is a word: its phase, some flags, and who has it in hand: he runs it, or has ended
 * it and wakes who waits for it, or frees it. While nobody has, there is a part of its ref instead
 * (task.c R7), or of parts, a number. */
enum kin__task_phase {
    KIN__TASK_QUEUED = 1, /* 0 is what there may be in the place of a task */
    KIN__TASK_RUNNING,
    KIN__TASK_IN_PARTS, /* it waits for the tasks in a set, which end it: set.c */
    KIN__TASK_DONE,     /* there is a flat object: what it returned, or the error it is */
    KIN__TASK_LOST,     /* `reason` says why; a record in `result`, if there is one, says more */
};

enum kin__task_reason {
    KIN__LOST_NOT_SENT = 0, /* its result could not be sent */
    KIN__LOST_CRASHED,
    KIN__LOST_OVERRUN,
    KIN__LOST_CANCELLED,
    KIN__LOST_TERMINATED,
    KIN__LOST_ENDED,   /* the pool ended before the task did */
    KIN__LOST_BROKEN,  /* the supervisor was killed */
    KIN__LOST_UNBEGUN, /* the pool's initializer failed */
    KIN__LOST_REASONS,
};

#define KIN__TASK_LET_GO ((uint64_t)1 << 40)  /* its future was freed */
#define KIN__TASK_WATCHED ((uint64_t)1 << 41) /* who ends it shall tell */
#define KIN__TASK_OVERRUN ((uint64_t)1 << 42) /* condemned: its runner is about to be killed */
#define KIN__TASK_CANCEL ((uint64_t)1 << 43)  /* the same */
#define KIN__TASK_CONDEMNED (KIN__TASK_OVERRUN | KIN__TASK_CANCEL)
#define KIN__TASK_FLAGS (KIN__TASK_LET_GO | KIN__TASK_WATCHED)
#define KIN__TASK_PHASE(state) ((enum kin__task_phase)((state) >> 32 & 0xff))
#define KIN__TASK_REASON(state) ((enum kin__task_reason)((state) >> 44 & 0xff))
#define KIN__TASK_RUNNER(state) ((kin__id)(state))
#define KIN__TASK_STATE(phase, runner) ((uint64_t)(phase) << 32 | (runner))
/* What is no address of a ref: no other task there has the same. */
#define KIN__TASK_QUEUED_AS(ref) KIN__TASK_STATE(KIN__TASK_QUEUED, (uint32_t)((ref) >> 32))
#define KIN__TASK_LOST_FOR(reason, runner)                                                         \
    ((uint64_t)(reason) << 44 | KIN__TASK_STATE(KIN__TASK_LOST, runner))

enum kin__task_kind {
    KIN__TASK_CALL = 1,
    KIN__TASK_MAP = 2,   /* a list of items; the list of results */
    KIN__TASK_STAR = 4,  /* an item is the arguments */
    KIN__TASK_LOOP = 8,  /* no call: its arguments name a loop (loop.c) */
    KIN__TASK_EACH = 16, /* of a map: errors are among the results */
};

#define KIN__RESULT_ROOM 32

/* Whose callback a task has, and who waits for it among others. */
enum { KIN__SET_CALLING, KIN__SET_WAITING, KIN__SETS }; /* in this order they are told */

typedef struct kin__task {
    _Atomic uint64_t state;
    _Atomic kin__ref result; /* a block: a flat object, or a kin__loss; 0: `small` has it */
    kin__ref pool;
    kin__id submitter;
    kin__gate finished;
    _Atomic pid_t worker;      /* who began it */
    _Atomic uint16_t attempts; /* how often it was begun */
    uint16_t retried, retries; /* how often it was put back, by the supervisor, and may be */
    uint16_t name_size;        /* of its own name, which follows the arguments, with its 0 */
    uint16_t kind;
    int64_t submitted;                                 /* when; 0: nobody asks */
    uint16_t small_size;                               /* of what is in `small` */
    _Atomic bool args_read, result_read;               /* then the buffers in it are somebody's */
    _Alignas(8) unsigned char small[KIN__RESULT_ROOM]; /* a flat object that fits */
    int64_t limit;                                     /* ns for a call of it; 0: none */
    _Atomic kin__ref sets[KIN__SETS];                  /* set.c: who shall be told */
    _Atomic uint32_t places[KIN__SETS];                /* as which one */
    uint64_t function[2];                              /* module and offset: obj/flat.c */
    uint64_t size;
    _Alignas(8) unsigned char args[]; /* a flat object: the arguments, or a list of items */
} kin__task;

/* How a task was lost, in a block; its text, and frames of a crash, follow, both ended by a 0. */
typedef struct kin__loss {
    int32_t code;
    int32_t signal;
    int32_t exitcode;
    int32_t out_of_memory;
    uint64_t address;
    uint32_t text_size; /* with its 0; the rest are the frames */
    char text[];
} kin__loss;

#define KIN__TASK_NAME 128
#define KIN__WHY 512 /* bytes of why a task was lost: as long as a sentence may be */

/* Room for a loss. */
typedef union kin__obituary {
    kin__loss loss;
    char room[sizeof(kin__loss) + KIN__WHY + sizeof(((kin__crash *)0)->text)];
} kin__obituary;

/* ---- task.c ---- */

typedef struct kin__plan {
    kin_fn fn;
    kin_obj args;
    uint16_t kind;
    const kin_submit_options *how; /* or NULL */
} kin__plan;

/* A task with nothing in it, of ours, with room for its arguments. */
kin__task *kin__task_blank(const kin_pool *pool, size_t size, uint16_t kind);

/* Writes a task into the domain, owned by this process. Takes nothing away from the arguments. */
int kin__task_make(kin_pool *pool, const kin__plan *plan, kin__task **ret_task);
int kin__task_new(kin_pool *pool, kin_fn fn, kin_obj args, uint16_t kind, kin__task **ret_task);

/* Notes who runs it, or did, as often as one likes. */
void kin__task_begun(kin__task *task, pid_t worker);

/* Claims a queued task for this process, whose pid that is. NULL: it is not queued any more. */
kin__task *kin__task_claim(kin__ref ref, pid_t pid);

/* If it is still queued nobody will run it. */
void kin__task_withdraw(kin__ref ref, enum kin__task_reason reason);

/* Ends a running task of this process with what its function returned, which is taken. False: it
 * was condemned meanwhile, and so is this process. */
bool kin__task_finish(kin__task *task, kin_obj returned);

/* Ends a task that is in this state (but for flags). False when it is not. A loss may be NULL. */
bool kin__task_lose(kin__task *task, uint64_t state, enum kin__task_reason reason,
                    const kin__loss *loss);

/* The same for what a dead process was running; what it had ended already is brought to its end.
 * False when it had nothing to do with this task. */
bool kin__task_lose_of(kin__task *task, kin__id dead, enum kin__task_reason reason,
                       const kin__loss *loss);

/* Puts a task back that a dead process ran: it is QUEUED again, and in nobody's hand. False: it has
 * been tried as often as it may, cannot be run again, or is not to. */
bool kin__task_retry(kin__task *task, kin__id dead);

/* A task that this worker runs shall not go on: sets one of KIN__TASK_CONDEMNED. He leaves when he
 * is at its end; his death ends it. False when he does not run it any more. */
bool kin__task_condemn(kin__task *task, kin__id runner, uint64_t flag);

/* Whether this worker runs it, or ran it when he died. */
bool kin__task_is_run_by(const kin__task *task, kin__id runner);

/* Which of these flags a task has that this worker runs, or ran when he died. */
uint64_t kin__task_condemned(const kin__task *task, kin__id runner);

/* The pool has ended: a task that has not is lost, one that nobody can free any more is freed. */
void kin__task_forsake(kin__task *task, enum kin__task_reason reason);

/* Frees a task that nobody else has seen. */
void kin__task_free(kin__task *task);

/* The future is let go: whoever ends the task frees it; or it is freed now. */
void kin__task_let_go(kin__task *task);

bool kin__task_is_over(const kin__task *task);

/* Ends a task in parts, whose state has this number in it: all of them are over. */
void kin__task_whole(kin__task *task, uint32_t number);

/* From now on its gate is opened when it is over; it may be already. */
void kin__task_watch(kin__task *task);

/* ---- result.c: what a task came to ---- */

/* 0 and what it returned, or its code with the sentence. */
int kin__task_result(kin__task *task, kin_obj *ret_result);

/* The same of a chunk of a map: its `n` results come to the end of a list that has room. */
int kin__task_results(kin__task *task, kin_obj list, size_t n);

/* Whether it is over, and badly. */
bool kin__task_failed(const kin__task *task);

/* Of a task that was lost for this reason. */
int kin__task_code_of(enum kin__task_reason reason);

/* How much of `small` is its result. */
size_t kin__task_small_size(const kin__task *task);

/* ---- submit.c: tasks go in, futures come out; `verb` is whose sentences they are ---- */

struct kin_future {
    kin__ref task;
    kin__ref pool;
    struct kin__told *_Atomic told;       /* failure.c: NULL until somebody asks */
    struct kin__parts *parts;             /* of a map: many.h; else NULL */
    struct kin__calling *_Atomic calling; /* callback.c; NULL: nothing */
    _Atomic uint32_t uses;                /* by those who come back to it; and KIN__FUTURE_FREED */
};

#define KIN__FUTURE_FREED ((uint32_t)1 << 31)

int kin__pool_submit(kin_pool *pool, kin__task *task, kin_future **ret_future, const char *verb);

/* The task of a future; NULL: the future is, or its task is gone, and the code with a sentence. */
kin__task *kin__future_task(const kin_future *future, const char *verb, int *ret_code);

/* Waits for a task's end: 0, KIN_ETIMEDOUT, KIN_EBROKEN, KIN_EDEADLK. */
int kin__future_wait(kin_future *future, int64_t deadline, const char *verb);

/* Between these two it may be freed, as by a callback, and stays all the same. */
void kin__future_hold(kin_future *future);
void kin__future_release(kin_future *future);

/* If nobody has begun it, nobody will. */
void kin__future_withdraw(const kin_future *future);

/* Why a pool's task will never be over by itself: a code with its sentence; or 0. */
int kin__pool_hopeless(kin__ref pool);

/* Tasks that nobody has begun, though workers sleep: who should have seen them may be stopped. And
 * a pool that is terminated, of which the engine has not heard: who did it may have been killed. */
void kin__pool_offer_again(kin__ref pool);

/* ---- take.c: how idle workers come by their tasks ---- */

/* The next task, claimed. NULL: KIN_ECLOSED when the queue is closed and drained, 0 when there was
 * nothing in it for us. */
kin__task *kin__pool_take(kin_pool *pool, unsigned index, int *ret_code);

void kin__pool_offer(kin_pool *pool);    /* a task was queued: wakes a worker, if none looks */
void kin__pool_call_all(kin_pool *pool); /* wakes all */
void kin__pool_worker_gone(kin_pool *pool, unsigned index); /* he may have been at it */
void kin__pool_cancel_queued(kin_pool *pool, enum kin__task_reason reason);

/* ---- limit.c ---- */

/* Around a call of a task's function that may take `limit`. False: it took longer, and this worker
 * must leave. */
void kin__limit_begin(kin_pool *pool, kin__worker *me, int64_t limit);
bool kin__limit_end(kin__worker *me);

/* The calls that a worker makes for one task. */
typedef struct kin__calls {
    kin_pool *pool;
    kin__worker *me;
    int64_t limit;  /* of each, in ns; 0: none */
    bool condemned; /* one took longer, and he must leave */
} kin__calls;

/* The supervisor's: condemns what has overrun. When to do so again, or KIN__NEVER. */
int64_t kin__limit_enforce(kin_pool *pool);

/* Of an option: 0, or KIN_EINVAL. */
int kin__limit_of(double seconds, const char *what, int64_t *ret_limit);

/* ---- options.c ---- */

int kin__pool_check_options(const kin_pool_options *options);
int kin__pool_method(const kin_pool_options *options); /* enum kin__nursery_method */
unsigned kin__pool_workers(const kin_pool_options *options);

/* Into a pool that is still ours; makes what it refers to the family's; discards it. */
int kin__pool_set_options(kin_pool *pool, const kin_pool_options *options);
void kin__pool_give_options(kin_pool *pool);
void kin__pool_discard_options(kin_pool *pool);

/* ---- rite.c ---- */

/* What a worker does first: false when the pool's initializer failed. And last. */
bool kin__rite_begin(kin_pool *pool, kin__worker *me);
void kin__rite_end(kin_pool *pool);

/* Ends the pool, and every future says this sentence; what its tasks are lost for once it was
 * terminated; fails with the sentence, KIN_EBROKEN. */
void kin__pool_break(kin_pool *pool, const char *why);
enum kin__task_reason kin__pool_reason(const kin_pool *pool);
int kin__pool_fail_why(const kin_pool *pool, const char *verb);

/* ---- failure.c ---- */

/* How a worker came to his end. */
typedef struct kin__death {
    const kin__worker *worker;
    int code;                /* as an exit code */
    const kin__crash *crash; /* or NULL */
    int64_t limit;           /* he was ended for the task took longer; 0: he was not */
    bool out_of_memory;
} kin__death;

/* What its submitter called it, without a 0; "": nothing. */
const char *kin__task_own_name(const kin__task *task, size_t *ret_length);

/* The same as why his task was lost. */
const kin__loss *kin__failure_write(const kin__task *task, const kin__death *death,
                                    kin__obituary *room);

/* ---- worker.c ---- */

/* The life of worker `index`, a process of its own: its exit status. */
int kin__worker_run(void *pool, unsigned index);

/* The same for a thread: 0 when it retired, or is to be replaced. */
int kin__worker_live(kin_pool *pool, unsigned index);

/* Whether there are too many workers, and this one is to leave. */
bool kin__worker_is_surplus(const kin_pool *pool, unsigned index);

/* A task that is queued again goes among what waits; or, when that is closed, whoever comes next to
 * this place begins with it. */
void kin__worker_put_back(kin_pool *pool, kin__worker *place, kin__ref ref);

/* For a thread that is about to end, by the will of a task: the task is put back, or lost. False:
 * it was at none, or that had ended. */
bool kin__worker_abandon(kin_pool *pool, kin__worker *me);

/* The pool that this thread is a worker of, or 0 (also in a worker's child). */
kin__ref kin__worker_pool(void);

/* ---- loop.c (more in loop.h) ---- */

/* A task of kind KIN__TASK_LOOP: takes part in the loop; and what its freeing means to that. */
kin_obj kin__loop_serve(const kin__task *task, kin_fn function, kin__calls *calls);
void kin__loop_task_freed(const kin__task *task);

/* The pool has ended: frees the loops whose caller has died. */
void kin__loops_forsake(kin_pool *pool);

/* ---- pool.c ---- */
void kin__pool_turn(kin_pool *pool, uint32_t phase); /* and wakes who waits for it */
void kin__pool_stir(
    kin_pool *pool); /* if it is terminated: tells the engine, once more is no harm */
void kin__pool_free_parts(kin_pool *pool); /* when nobody works in it any more */
int kin__pool_await(kin_pool *pool, uint32_t phase, int64_t deadline);

/* ---- progress.c ---- */
typedef struct kin__progress {
    bool bar; /* on a terminal; else lines */
    size_t total;
    double begun, shown;
    double every; /* seconds between two of them, at least */
} kin__progress;

void kin__progress_begin(kin__progress *progress, size_t total);
void kin__progress_show(kin__progress *progress, size_t done, size_t failed);
void kin__progress_end(kin__progress *progress, size_t done, size_t failed);

#endif
