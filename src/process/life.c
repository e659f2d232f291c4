/* life.c - what this process is, and what a child does from its first moment to its last.
 *
 * A child comes out of its start in the middle of its parent's program (fork), in the middle of the
 * server's, or at the top of its own main. From here on the three are the same: it runs its
 * function and leaves by _exit, so that nothing is done twice: not the frames above, not atexit,
 * not what stands in a stdio buffer.
 *
 * Death. A daemon ties itself to its parent before it does anything else; if the parent is dead by
 * then it leaves. The exit code is left in the record before the kernel is told: so it is known
 * also when somebody else has reaped us.
 */
#include "child.h"

#include <errno.h>
#include <stdio.h>

static kin_process main_process = {
    .name = "MainProcess", .number = "", .sentinel = -1, .lifeline = -1, .news = -1, .line = -1
};
static kin_process *current = &main_process;
static kin_process *parent; /* NULL: we are the first */

kin_process *kin__process_current(void)
{
    return current;
}

const kin_process *kin_current_process(void)
{
    return current;
}

const kin_process *kin_parent_process(void)
{
    return parent;
}

void kin__process_become(kin_process *self, kin_process *starter)
{
    self->maker = 0;
    self->pid = kin__os_getpid();
    current = self;
    kin__set_name(self->name);
    if (starter != parent) {
        starter->next =
            parent; /* somebody may have asked for it; and what is reachable is no leak */
        parent = starter;
    }
    kin__process_forget_key();
}

/* With the key that we have, a daemon: so are its children, unless they are told otherwise. */
int kin__process_become_worker(const char *name, kin_process *maker)
{
    kin_process like = { .name = name, .number = current->number, .daemon = true };
    like.key = kin__process_key(&like.key_size);
    kin_process *self = like.key != NULL ? kin__process_make(&like) : NULL;
    if (self == NULL) {
        return KIN_ENOMEM;
    }
    kin__process_become(self, maker);
    return 0;
}

static int exit_code(kin_obj returned)
{
    kin_obj result;
    int64_t code = 0;
    int rv = kin__obj_result(returned, &result);
    if (rv < 0) {
        (void)fprintf(stderr, "%s: %s (%s)\n", current->name, kin_errmsg(), kin_errname(rv));
        return 1;
    }
    if (kin_type_of(result) == KIN_TYPE_BOOL) {
        code = kin_as_bool(result);
    } else if (kin_type_of(result) == KIN_TYPE_INT && kin_to_int(result, &code) < 0) {
        code = -1; /* too large for any code */
    }
    kin_release(result);
    return (int)(code & 0xff);
}

static void tie(const kin_process *self, int tether)
{
    int rv = kin__process_tie(tether);
    if (rv < 0 && rv != -ESRCH) {
        (void)kin__fail_os(rv, "a daemon cannot be tied to its parent");
        (void)fprintf(stderr, "%s: %s\n", self->name, kin_errmsg());
    }
    if (rv < 0) {
        kin__os_leave(1);
    }
}

static void leave_code(kin__record *record, int code)
{
    if (record != NULL) {
        record->exitcode = code;
        atomic_store_explicit(&record->left, 1, memory_order_release); /* pairs with settle() */
    }
}

/* What came along for the connections among the arguments is theirs alone. */
static void keep_carried(const kin_process *self)
{
    kin__cargo carried = { .n = 0 };
    int rv = self->method != METHOD_FORK ? kin__local_fds(self->args, &carried) : 0;
    for (int i = 0; i < carried.n && rv >= 0; i++) {
        (void)kin__os_keep_from_exec(carried.fds[i]);
    }
}

_Noreturn void kin__process_live(kin_process *self, int tether)
{
    if (tether >= 0) {
        tie(self, tether);
    }
    kin__os_watch_crashes(self->record != NULL ? &self->record->crash : NULL, self->name, NULL);
    keep_carried(self);
    KIN__STEP("start.living");
    int code = exit_code(self->function(kin__obj_lend(self->args)));
    kin_release(self->args);
    kin__process_finish();
    KIN__STEP("start.finished");
    leave_code(self->record, code);
    KIN__STEP("start.left");
    kin__os_leave(code);
}
