/* fault.c - the deaths and failures that tests order. Compiled to nothing in other builds.
 *
 * All of it belongs to one process: the first look after a fork finds another pid and starts anew,
 * with nothing armed. So a test that arms its child cannot kill its grandchildren. */
#include "room.h"

#if KIN__TESTING

#include <signal.h>
#include <string.h>
#include <unistd.h>

typedef void (*step_hook)(const char *name);

enum { KINDS = KIN__FAULT_MEMORY + 1 };

static _Atomic pid_t owner;
static _Atomic unsigned steps_armed;
static _Atomic unsigned steps_passed;
static _Atomic(const char *) steps_only;
static _Atomic(const char *) step_last;
static _Atomic(step_hook) hook_at_step;

static char *report;
static size_t report_size;

static _Atomic unsigned calls_armed[KINDS];
static _Atomic unsigned calls_passed[KINDS];
static atomic_bool fired;

static void start_anew_after_fork(void)
{
    pid_t self = getpid();
    if (atomic_exchange(&owner, self) == self) {
        return;
    }
    steps_armed = 0;
    steps_passed = 0;
    steps_only = NULL;
    step_last = NULL;
    hook_at_step = (step_hook)0;
    for (int kind = 0; kind < KINDS; kind++) {
        calls_armed[kind] = 0;
    }
    fired = false;
}

/* ---- steps ---------------------------------------------------------------------------- */

static void die_here(const char *name)
{
    if (report != NULL && report_size > 0) {
        strncpy(report, name, report_size - 1);
        report[report_size - 1] = '\0';
    }
    for (;;) {
        kill(getpid(), SIGKILL);
    }
}

void kin__step(const char *name)
{
    start_anew_after_fork();
    const char *only = steps_only;
    if (only != NULL && strncmp(name, only, strlen(only)) != 0) {
        return;
    }
    step_last = name;
    unsigned passed = ++steps_passed;
    step_hook hook = hook_at_step;
    if (hook != NULL) {
        hook(name);
    } else if (passed == steps_armed) {
        die_here(name);
    }
}

void kin__step_arm(unsigned nth, const char *only)
{
    start_anew_after_fork();
    steps_armed = 0;
    steps_passed = 0;
    step_last = NULL;
    steps_only = only;
    steps_armed = nth;
}

unsigned kin__step_count(void)
{
    start_anew_after_fork();
    return steps_passed;
}

const char *kin__step_last(void)
{
    start_anew_after_fork();
    return step_last;
}

void kin__step_report(char *shared, size_t size)
{
    report = shared;
    report_size = size;
}

void kin__step_hook(void (*hook)(const char *name))
{
    start_anew_after_fork();
    hook_at_step = hook;
}

/* ---- failing calls -------------------------------------------------------------------- */

bool kin__fault(enum kin__fault_kind kind)
{
    if (calls_armed[kind] == 0) {
        return false; /* the usual case costs no system call */
    }
    start_anew_after_fork();
    unsigned nth = calls_armed[kind];
    if (nth == 0 || ++calls_passed[kind] != nth) {
        return false;
    }
    fired = true;
    return true;
}

void kin__fault_arm(enum kin__fault_kind kind, unsigned nth)
{
    start_anew_after_fork();
    calls_armed[kind] = 0;
    calls_passed[kind] = 0;
    fired = nth == 0 && fired; /* disarming keeps the answer */
    calls_armed[kind] = nth;
}

bool kin__fault_fired(void)
{
    start_anew_after_fork();
    return fired;
}

#else
typedef int kin__no_faults_here; /* a file of ISO C has a declaration */
#endif
