/* start.c - starting a program: its stdio and our ends of the pipes to it.
 *
 * Rules.
 *   R1  No descriptor of ours is 0, 1 or 2, also when these are closed here: there it would be what
 *       the program inherits.
 *   R2  What the program wrote and what was printed before come in their order where both go to the
 *       same place: so stdout and stderr are flushed first.
 */
#include "popen.h"

#include <string.h>

#define NAME_MOST 100 /* bytes of a name that are shown; it may be a whole script for the shell */

/* The descriptors of one start, by 0, 1 and 2. */
struct plan {
    int theirs[3]; /* what the program gets */
    int ours[3];   /* our ends; -1 */
    int lent[3];   /* to be closed here when it has started; -1 */
};

void kin__popen_close(int *fd)
{
    if (*fd >= 0) {
        (void)kin__os_close(*fd);
    }
    *fd = -1;
}

static void close_three(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        kin__popen_close(&fds[i]);
    }
}

/* R1. -1 stays -1. */
static int lift(int *fd)
{
    if (*fd < 0 || *fd > 2) {
        return 0;
    }
    int moved = kin__os_move_above(*fd, 3);
    *fd = moved < 0 ? *fd : moved;
    return moved < 0 ? moved : 0;
}

static int plan_pipe(struct plan *plan, int i)
{
    int ends[2];
    int rv = kin__os_pipe(ends);
    if (rv < 0) {
        return rv;
    }
    plan->ours[i] = ends[i == 0 ? 1 : 0];
    plan->lent[i] = ends[i == 0 ? 0 : 1];
    rv = lift(&plan->ours[i]);
    return rv < 0 ? rv : lift(&plan->lent[i]);
}

static int plan_one(struct plan *plan, int i, int wanted)
{
    int rv = 0;
    if (wanted == KIN_PIPE) {
        rv = plan_pipe(plan, i);
    } else if (wanted == KIN_DEVNULL) {
        rv = plan->lent[i] = kin__os_open_null();
        rv = rv < 0 ? rv : lift(&plan->lent[i]);
    }
    plan->theirs[i] = plan->lent[i] >= 0      ? plan->lent[i]
                      : wanted == KIN_INHERIT ? i
                      : wanted == KIN_STDOUT  ? plan->theirs[1]
                                              : wanted;
    return rv < 0 ? rv : 0;
}

/* Where there is no stdout, there is none to go to. */
static void plan_closed(struct plan *plan)
{
    if (plan->theirs[2] == 1 && !kin__os_is_open(1)) {
        plan->theirs[2] = -1;
    }
}

static int make_plan(struct plan *plan, const kin_run_options *options)
{
    bool capture = options->capture;
    const int wanted[3] = {
        options->input != NULL ? KIN_PIPE : options->in,
        capture && options->out == KIN_INHERIT ? KIN_PIPE : options->out,
        capture && options->err == KIN_INHERIT ? KIN_PIPE : options->err,
    };
    *plan = (struct plan){ .ours = { -1, -1, -1 }, .lent = { -1, -1, -1 } };
    int rv = 0;
    for (int i = 0; i < 3 && rv == 0; i++) {
        rv = plan_one(plan, i, wanted[i]);
    }
    if (rv < 0) {
        close_three(plan->ours);
        close_three(plan->lent);
    }
    plan_closed(plan);
    return rv;
}

/* ---- the start ------------------------------------------------------------------------ */

static pid_t spawn(const struct command *command, const kin_run_options *options,
                   const struct plan *plan, int *ret_pidfd, bool *ret_in_cwd)
{
    kin__spawn how = {
        .paths = command->paths,
        .argv = command->argv,
        .env = options->env,
        .cwd = options->cwd,
        .stdio = { plan->theirs[0], plan->theirs[1], plan->theirs[2] },
        .keep = options->fds,
        .n_keep = options->n_fds,
        .group = options->group,
        .session = options->session,
        .ret_in_cwd = ret_in_cwd,
        .ret_pidfd = ret_pidfd,
    };
    kin__os_flush();
    return kin__os_spawn(&how);
}

static kin_popen *allocate(const char *name)
{
    static const char whole[] = "\"", cut[] = "...\"";
    size_t line = strcspn(name, "\n");
    size_t length = line < NAME_MOST ? line : NAME_MOST;
    bool is_cut = name[length] != '\0';
    kin_popen *p = kin__os_calloc(1, sizeof *p + 1 + length + sizeof cut);
    if (p != NULL) {
        p->name[0] = '"';
        memcpy(p->name + 1, name, length);
        size_t end = 1 + kin__cut(p->name + 1, length);
        memcpy(p->name + end, is_cut ? cut : whole, is_cut ? sizeof cut : sizeof whole);
    }
    return p;
}

static void fill_in(kin_popen *p, const kin_run_options *options, const struct plan *plan)
{
    p->maker = kin__os_getpid();
    p->group = options->group || options->session;
    p->returncode = KIN_RUNNING;
    p->stdin_fd = plan->ours[0];
    p->has_stdin = plan->ours[0] >= 0;
    p->out.fd = plan->ours[1];
    p->err.fd = plan->ours[2];
}

static int start(kin_popen *p, const struct command *command, const kin_run_options *options,
                 const char *verb)
{
    struct plan plan;
    bool in_cwd = false;
    int rv = make_plan(&plan, options);
    if (rv < 0) {
        return kin__fail_os(rv, "%s: no stdin, stdout and stderr for %s", verb, p->name);
    }
    p->pid = spawn(command, options, &plan, &p->pidfd, &in_cwd);
    close_three(plan.lent);
    if (p->pid > 0) {
        fill_in(p, options, &plan);
        return 0;
    }
    close_three(plan.ours);
    return in_cwd ? kin__fail_os(p->pid, "%s: cannot start %s in the directory \"%s\"", verb,
                                 p->name, options->cwd)
                  : kin__fail_os(p->pid, "%s: cannot start the program %s", verb, p->name);
}

int kin__popen_start(kin_popen **ret_popen, const char *const argv[],
                     const kin_run_options *options, const char *verb)
{
    kin__popen_reap_strays();
    struct command command;
    int rv = kin__subprocess_find(&command, argv, options);
    kin_popen *p = rv < 0 ? NULL : allocate(command.name);
    rv = p == NULL ? kin__fail(KIN_ENOMEM, "%s: no memory to start \"%.100s\"", verb, argv[0])
                   : start(p, &command, options, verb);
    kin__subprocess_forget(&command);
    if (rv < 0) {
        kin__os_free(p);
        return rv;
    }
    *ret_popen = p;
    return 0;
}

int kin_popen_new(kin_popen **ret_popen, const char *const argv[], const kin_run_options *options)
{
    if (ret_popen == NULL) {
        return kin__fail(KIN_EINVAL, "kin_popen_new: ret_popen is NULL");
    }
    kin_run_options mine = options != NULL ? *options : (kin_run_options){ 0 };
    mine.input = NULL;
    int rv = kin__subprocess_check(argv, &mine, "kin_popen_new");
    return rv < 0 ? rv : kin__popen_start(ret_popen, argv, &mine, "kin_popen_new");
}
