/* What does it cost to run a program that does nothing, and to wait for it? */
#include <kin.h>
#include <spawn.h>
#include <sys/wait.h>

#include "common/bench.h"

#define TIMES 200
#define TRUE "/usr/bin/true"

extern char **environ;

static double ours(const void *arg)
{
    (void)arg;
    const char *const argv[] = { TRUE, NULL };
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        kin_completed_process done = { 0 };
        KIN_CHECK(kin_run(argv, NULL, &done));
        BENCH_MUST(done.returncode == 0);
        kin_completed_process_done(&done);
    }
    return (kin_now() - begin) / TIMES;
}

static double bare(const void *arg)
{
    (void)arg;
    char *argv[] = { TRUE, NULL };
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        pid_t pid;
        int status;
        BENCH_MUST(posix_spawn(&pid, TRUE, NULL, NULL, argv, environ) == 0);
        BENCH_MUST(waitpid(pid, &status, 0) == pid && status == 0);
    }
    return (kin_now() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    bench_run(&(bench_case){ .name = "subprocess: run `true`",
                             .unit = "ms",
                             .ours = ours,
                             .floor = bare,
                             .floor_is = "posix_spawn, waitpid",
                             .peer = "run_command.py " TRUE " 50",
                             .conditions = "all on one processor" });
    return 0;
}
