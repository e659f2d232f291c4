/* run.c - a program from its start to its end, in one call.
 *
 * Death.  However the call ends, the program has: by itself, or killed here. One that a SIGKILL
 * does not end at once (it is somebody else's, or the kernel holds it) is let go. */
#include "popen.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define GRACE INT64_C(1000000000) /* for a killed one to be gone */

void kin_completed_process_done(kin_completed_process *completed)
{
    if (completed != NULL) {
        kin__os_free(completed->out);
        kin__os_free(completed->err);
        *completed = (kin_completed_process){ 0 };
    }
}

static int check(const char *const argv[], const kin_run_options *options)
{
    int rv = kin__subprocess_check(argv, options, "kin_run");
    if (rv < 0) {
        return rv;
    }
    if (options->input != NULL && options->in == KIN_DEVNULL) {
        return kin__fail(KIN_EINVAL, "kin_run: .input needs a pipe, and .in is KIN_DEVNULL");
    }
    if (options->input != NULL && options->in > 0) {
        return kin__fail(KIN_EINVAL, "kin_run: .input needs a pipe, and .in is descriptor %d",
                         options->in);
    }
    if (options->input == NULL && options->input_size > 0) {
        return kin__fail(KIN_EINVAL, "kin_run: .input is NULL, and has %zu bytes",
                         options->input_size);
    }
    if (!(options->timeout >= 0)) {
        return kin__fail(KIN_EINVAL, "kin_run: a timeout of %g seconds", options->timeout);
    }
    return 0;
}

static size_t input_size(const kin_run_options *options)
{
    bool is_string = options->input != NULL && options->input_size == 0;
    return is_string ? strlen(options->input) : options->input_size;
}

static void end(kin_popen *p)
{
    kin__os_shield();
    if (kin__popen_signal(p, SIGKILL) == 0) {
        (void)kin__popen_await(p, kin__os_now() + GRACE);
    }
    kin__os_unshield();
}

static int judge(const kin_popen *p, const kin_run_options *options)
{
    if (!options->check || p->returncode == 0) {
        return 0;
    }
    if (p->returncode == KIN_ENOTFOUND) {
        return kin__fail(KIN_ENOTFOUND, "kin_run: somebody else has reaped %s (pid %d)", p->name,
                         (int)p->pid);
    }
    return p->returncode > 0
               ? kin__fail(KIN_EFAILED, "kin_run: %s ended with %d", p->name, p->returncode)
               : kin__fail(KIN_EFAILED, "kin_run: %s was ended by signal %d", p->name,
                           -p->returncode);
}

/* Whether *ret_completed is to be had. */
static bool is_to_tell(int rv)
{
    return rv == 0 || rv == KIN_ETIMEDOUT || rv == KIN_EFAILED || rv == KIN_ENOTFOUND;
}

static int finish(kin_popen *p, const kin_run_options *options, int rv)
{
    if (rv == 0) {
        return judge(p, options);
    }
    end(p);
    kin__popen_drain(p);
    return rv == -ETIMEDOUT
               ? kin__fail(KIN_ETIMEDOUT,
                           "kin_run: %s (pid %d) was not done after %g seconds, and %s", p->name,
                           (int)p->pid, options->timeout,
                           p->returncode == KIN_RUNNING ? "could not be killed" : "was killed")
               : kin__fail_os(rv, "kin_run: cannot talk to %s", p->name);
}

int kin_run(const char *const argv[], const kin_run_options *options,
            kin_completed_process *ret_completed)
{
    const kin_run_options mine = options != NULL ? *options : (kin_run_options){ 0 };
    int64_t deadline = KIN__NEVER;
    int rv = check(argv, &mine);
    if (rv == 0 && mine.timeout > 0) {
        rv = kin__deadline(mine.timeout, &deadline);
    }
    kin_popen *p = NULL;
    rv = rv < 0 ? rv : kin__popen_start(&p, argv, &mine, "kin_run");
    if (rv < 0) {
        return rv;
    }
    rv = kin__popen_begin(p, mine.input, input_size(&mine), "kin_run");
    if (rv < 0) {
        end(p);
    } else {
        rv = kin__popen_talk(p, deadline);
        rv = rv < 0 ? rv : kin__popen_await(p, deadline);
        rv = finish(p, &mine, rv);
    }
    if (is_to_tell(rv)) {
        kin__popen_hand_over(p, ret_completed);
    }
    kin_popen_free(p);
    return rv;
}
