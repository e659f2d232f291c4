/* What a process object knows, from before its child starts until after it has ended.
 *
 * Python: p = Process(target=f, args=(…,), kwargs={…}, name=…); p.pid, p.is_alive(), p.exitcode;
 * p.start(); p.join(timeout)
 */
#include <kin.h>
#include <stdio.h>

static kin_obj get_page(kin_obj args)
{
    kin_event *arrived = kin_as(kin_event, kin_kwarg(args, "arrived"));
    KIN_TRY(kin_event_wait(arrived, KIN_FOREVER));
    printf("%s: got page %lld\n", kin_process_name(kin_current_process()),
           (long long)kin_arg_int(args, 0));
    return kin_none();
}

static void tell(const char *when, const kin_process *p)
{
    int code = kin_process_exitcode(p);
    printf("%-8s pid %s, %s, ", when, kin_process_pid(p) > 0 ? "known" : "not known",
           kin_process_is_alive(p) ? "alive" : "not alive");
    if (code == KIN_RUNNING) {
        printf("no exit code\n");
    } else {
        printf("exit code %d\n", code);
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    setvbuf(stdout, NULL, _IOLBF, 0); /* lines of two processes in their order, into a file too */
    kin_auto(kin_event) arrived = NULL;
    KIN_CHECK(kin_event_new(&arrived, NULL));

    kin_auto(kin_process) p = NULL;
    kin_obj args =
        kin_args_kw(kin_args(kin_int(2)), kin_dict(kin_str("arrived"), kin_shared(arrived)));
    KIN_CHECK(kin_process_new(&p, get_page, args, KIN_OPT(kin_process_options, .name = "reader")));
    tell("made:", p);
    if (kin_process_join(p, KIN_FOREVER) == KIN_ESTATE) {
        printf("%s\n", kin_errmsg());
    }

    KIN_CHECK(kin_process_start(p));
    tell("started:", p);
    if (kin_process_join(p, 0.01) == KIN_ETIMEDOUT) {
        printf("it takes longer than 10 ms\n");
    }
    if (kin_process_start(p) == KIN_ESTATE) {
        printf("%s\n", kin_errmsg());
    }

    KIN_CHECK(kin_event_set(arrived));
    KIN_CHECK(kin_process_join(p, KIN_FOREVER));
    tell("ended:", p);
    return 0;
}
