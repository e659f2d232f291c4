/* What does it cost to start a process by fork, and to join it? */
#include <kin.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench.h"

#define TIMES 300

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

static double ours(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        kin_process *child;
        KIN_CHECK(kin_start(&child, nothing, kin_args(), NULL));
        KIN_CHECK(kin_process_join(child, KIN_FOREVER));
        kin_process_free(child);
    }
    return (kin_now() - begin) / TIMES;
}

static double bare(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        BENCH_MUST(waitpid(pid, NULL, 0) == pid);
    }
    return (kin_now() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_run(&(bench_case){ .name = "process: start and join, by fork",
                             .unit = "ms",
                             .ours = ours,
                             .floor = bare,
                             .floor_is = "fork, _exit, waitpid",
                             .peer = "process_start.py 100",
                             .conditions = "a small parent, not pinned" });
    return 0;
}
