/* A child crashes. What is its parent told, beside the exit code -11?
 *
 * Python: p.start(); p.join(); print(p.exitcode), with faulthandler.enable() for the rest
 */
#include <kin.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static kin_obj crash(kin_obj args)
{
    volatile int *nowhere = (volatile int *)(uintptr_t)kin_arg_int(args, 0);
    *nowhere = 1;
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    if (freopen("/dev/null", "w", stderr) == NULL) { /* a crash shows its frames there as well */
        return 1;
    }

    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, crash, kin_args(kin_int(16)), NULL));
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    printf("its exit code is %d\n", kin_process_exitcode(child));

    kin_crash_info info;
    KIN_CHECK(kin_process_crash_info(child, &info));
    printf("signal: %s\n", strsignal(info.signal));
    printf("kind: %s\n", info.code == SEGV_MAPERR ? "nothing is at that address" : "other");
    printf("address: %#llx\n", (unsigned long long)info.address);
    /* info.text says the same in words, and shows the stack: a line for each frame. */
    printf("frames: %s\n", strchr(info.text, '\n') != NULL ? "some" : "none");

    return 0;
}
