/* What a process has to do when it ends: functions that are called once, the highest priority
 * first, in the process that registered them and in no child of it.
 *
 * Python: multiprocessing.util.Finalize(None, f, args=(…,), exitpriority=10); atexit.register(f)
 */
#include <kin.h>
#include <stdio.h>

static kin_obj say(kin_obj args)
{
    printf("%s: %s\n", kin_process_name(kin_current_process()), kin_arg_str(args, 0));
    fflush(stdout);
    return kin_none();
}

static kin_obj work(kin_obj args)
{
    KIN_TRY(kin_at_exit(say, kin_args(kin_str("I have worked"))));
    KIN_TRY(kin_event_wait(kin_as(kin_event, kin_arg(args, 0)), KIN_FOREVER));
    return kin_none();
}

static kin_obj let_go(kin_obj args)
{
    KIN_TRY(kin_event_set(kin_as(kin_event, kin_arg(args, 0))));
    return kin_none();
}

static kin_obj clean_up(kin_obj args)
{
    kin_event_free(kin_as(kin_event, kin_arg(args, 0)));
    printf("nobody needs the event any more\n");
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_event *go = NULL;
    KIN_CHECK(kin_event_new(&go, NULL));

    /* Below 0: when the children have ended. */
    KIN_CHECK(kin_at_exit_priority(clean_up, kin_args(kin_shared(go)), -1));
    KIN_CHECK(kin_at_exit(let_go, kin_args(kin_shared(go))));
    KIN_CHECK(kin_at_exit_priority(say, kin_args(kin_str("first")), 10));
    int id = kin_at_exit(say, kin_args(kin_str("never")));
    KIN_CHECK(id);
    KIN_CHECK(kin_at_exit_cancel(id));

    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, work, kin_args(kin_shared(go)), NULL));
    printf("main is over\n");
    return 0;
}
