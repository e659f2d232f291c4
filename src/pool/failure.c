/* failure.c - why there is no result: written by the supervisor, told to who has the future.
 *
 * How a worker died is a kin__loss: a sentence, the frames of a crash, and numbers. It becomes the
 * lost task's `result` (task.c R1). Who asks makes a private copy, once for a future, so that the
 * strings live as long as that.
 *
 * Death. Of whoever writes or reads: task.c. What is read here is not to be trusted.
 */
#include "many.h"

#include "../os/module.h"
#include <stdio.h>
#include <string.h>

/* ---- in the supervisor ----------------------------------------------------------------------- */

const char *kin__task_own_name(const kin__task *task, size_t *ret_length)
{
    size_t room = kin__block_size(task) - sizeof *task;
    size_t size = task->name_size;
    bool whole =
        size != 0 && size <= KIN__TASK_NAME && task->size <= room && size <= room - task->size;
    *ret_length = whole ? size - 1 : 0;
    return whole ? (const char *)task->args + task->size : "";
}

/* The task's own name, or its function's; "" when neither is known. */
static void name_of(const kin__task *task, char *name, size_t size)
{
    size_t length;
    const char *own = kin__task_own_name(task, &length);
    kin_fn fn;
    name[0] = '\0';
    if (length != 0) {
        (void)snprintf(name, size, "%.*s", (int)length, own);
    } else if (kin__func_unpack(task->function, &fn) == 0) {
        kin__os_symbol_name((uintptr_t)fn, name, size);
    }
}

/* ' "square", which was begun 3 times', as far as there is something to say. */
static void introduce(const kin__task *task, char *text, size_t size)
{
    char name[KIN__TASK_NAME];
    unsigned begun = atomic_load(&task->attempts);
    name_of(task, name, sizeof name);
    int length = name[0] != '\0' ? snprintf(text, size, " \"%s\"", name) : 0;
    text[length] = '\0';
    if (begun > 1) {
        (void)snprintf(text + length, size - (size_t)length, ", which was begun %u times", begun);
    }
}

/* No line of it is cut. */
static void write_sentence(const kin__death *death, const char *task, char *text)
{
    int length;
    long pid = atomic_load(&death->worker->pid);
    const kin__crash *crash = death->crash;
    if (death->limit != 0) {
        length = snprintf(text, KIN__WHY,
                          "the task%s ran over its limit of %g s, and worker %ld was ended", task,
                          (double)death->limit / 1e9, pid);
    } else if (crash != NULL) {
        length = snprintf(text, KIN__WHY, "worker %ld crashed in the task%s: %.*s", pid, task,
                          (int)sizeof crash->text - 1, crash->text);
    } else if (death->code < 0) {
        length = snprintf(text, KIN__WHY, "worker %ld died of signal %d (%s) in the task%s%s", pid,
                          -death->code, strsignal(-death->code), task,
                          death->out_of_memory ? ": likely out of memory" : "");
    } else {
        length = snprintf(text, KIN__WHY, "worker %ld left with exit code %d in the task%s", pid,
                          death->code, task);
    }
    char *line = strrchr(text, '\n');
    if (length >= KIN__WHY && line != NULL) {
        *line = '\0';
    }
}

const kin__loss *kin__failure_write(const kin__task *task, const kin__death *death,
                                    kin__obituary *room)
{
    char who[KIN__TASK_NAME + 40];
    kin__loss *loss = &room->loss;
    const kin__crash *crash = death->limit == 0 ? death->crash : NULL;
    *loss = (kin__loss){ .code = death->limit != 0 ? KIN_EOVERRUN : KIN_ECRASHED,
                         .out_of_memory = death->out_of_memory };
    if (crash != NULL) {
        loss->signal = crash->signal;
        loss->address = crash->address;
    } else if (death->limit == 0) {
        loss->signal = death->code < 0 ? -death->code : 0;
        loss->exitcode = death->code > 0 ? death->code : 0;
    }
    introduce(task, who, sizeof who);
    write_sentence(death, who, loss->text);
    loss->text_size = (uint32_t)strlen(loss->text) + 1;
    const char *frames = crash != NULL ? memchr(crash->text, '\n', sizeof crash->text - 1) : NULL;
    size_t most = sizeof crash->text;
    (void)snprintf(loss->text + loss->text_size, most, "%.*s",
                   frames != NULL ? (int)(crash->text + most - 2 - frames) : 0,
                   frames != NULL ? frames + 1 : "");
    return loss;
}

/* ---- for who has the future ------------------------------------------------------------------ */

/* The private copy, with its strings behind it. */
typedef struct kin__told {
    kin_failure failure;
    char strings[];
} told;

/* What the supervisor wrote of this task, checked; NULL: nothing. */
static const kin__loss *loss_of(const kin__task *task)
{
    size_t size;
    kin__ref ref = atomic_load(&task->result);
    const kin__loss *loss = ref != 0 ? kin__block_shared(ref, KIN__MESSAGE, &size) : NULL;
    bool lost = KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_LOST;
    bool whole = lost && loss != NULL && size > sizeof *loss && loss->text_size > 0 &&
                 loss->text_size < size - sizeof *loss;
    return whole ? loss : NULL;
}

/* Keeps a string of at most `room` bytes behind the copy. */
static const char *keep(char **at, const char *text, size_t room)
{
    char *kept = *at;
    size_t length = strnlen(text, room);
    memcpy(kept, text, length);
    kept[length] = '\0';
    *at += length + 1;
    return kept;
}

/* The sentence is kin_errmsg's. */
static told *tell(const kin__task *task, int code, const char *name)
{
    const kin__loss *loss = loss_of(task);
    size_t room = loss != NULL ? kin__block_size(loss) - sizeof *loss - loss->text_size : 0;
    const char *frames = loss != NULL ? loss->text + loss->text_size : "";
    const char *text = kin_errmsg();
    size_t text_room = strlen(text);
    told *t = kin__os_calloc(1, sizeof *t + text_room + strlen(name) + room + 3);
    if (t == NULL) {
        return NULL;
    }
    char *at = t->strings;
    t->failure = (kin_failure){ .code = code,
                                .pid = atomic_load(&task->worker),
                                .attempts = atomic_load(&task->attempts) };
    t->failure.text = keep(&at, text, text_room);
    t->failure.task = keep(&at, name, strlen(name));
    t->failure.frames = keep(&at, frames, room);
    if (loss != NULL) {
        t->failure.signal = loss->signal;
        t->failure.exitcode = loss->exitcode;
        t->failure.address = loss->address;
        t->failure.out_of_memory = loss->out_of_memory != 0;
    }
    return t;
}

/* The code, with its sentence; 0: it has not failed, so far. */
static int code_of(const kin_future *future, kin__task *task)
{
    if (!kin__task_is_over(task)) {
        return kin__pool_hopeless(future->pool);
    }
    return kin__task_failed(task) ? kin__task_result(task, &(kin_obj){ 0 }) : 0;
}

/* Of a map that is done: the chunk whose failure is its own. It lives as long. */
static kin_future *failed_chunk(const kin_future *future, const kin__task *task)
{
    bool done = KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_DONE;
    return future->parts != NULL && done ? kin__parts_failed(future->parts) : NULL;
}

int kin_future_failure(kin_future *future, kin_failure *ret_failure)
{
    int rv;
    kin__task *task = kin__future_task(future, "kin_future_failure", &rv);
    if (task == NULL || ret_failure == NULL) {
        return task == NULL ? rv : kin__fail(KIN_EINVAL, "kin_future_failure: the place is NULL");
    }
    kin_future *chunk = failed_chunk(future, task);
    if (chunk != NULL) {
        return kin_future_failure(chunk, ret_failure);
    }
    told *t = atomic_load(&future->told);
    if (t == NULL) {
        char name[KIN__TASK_NAME];
        name_of(task, name, sizeof name); /* first: it may fail with a sentence of its own */
        rv = code_of(future, task);
        if (rv == 0) {
            return kin__fail(KIN_ESTATE, "kin_future_failure: the task has not failed");
        }
        t = tell(task, rv, name);
        if (t == NULL) {
            return kin__fail(KIN_ENOMEM, "kin_future_failure: no memory for what is known");
        }
        told *first = NULL;
        if (!atomic_compare_exchange_strong(&future->told, &first, t)) {
            kin__os_free(t); /* another thread was faster */
            t = first;
        }
    }
    *ret_failure = t->failure;
    return 0;
}
