/* Jobs for whoever comes: a server with a queue of jobs and a dict of results, and three workers
 * that know its address and the key, two in C (this program) and one in Python (86_worker.py), as
 * on other machines. A proxy is used as what it stands for: by the calls of queues and dicts.
 *
 * Python: Manager.register("jobs", ...); manager = Manager(("", 5000), b"our secret")
 */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"
#define KEY .authkey = "our secret", .authkey_size = 10
enum { JOBS = 12, WORKERS = 3 };

static kin_obj steps(int64_t n)
{
    int64_t count = 0;
    for (; n != 1; count++) {
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    }
    (void)kin_sleep(0.01); /* a job takes its time */
    return kin_int(count);
}

static int work(const char *address)
{
    kin_auto(kin_manager) manager = NULL;
    kin_obj jobs, results, all_here, job;
    int done = 0;
    KIN_CHECK(kin_manager_connect(&manager, address, KIN_OPT(kin_connect_options, KEY)));
    KIN_CHECK(kin_manager_call(manager, "jobs", kin_args(), &jobs));
    KIN_CHECK(kin_manager_call(manager, "results", kin_args(), &results));
    KIN_CHECK(kin_manager_call(manager, "all_here", kin_args(), &all_here));
    KIN_CHECK(kin_barrier_wait(kin_as(kin_barrier, all_here), KIN_FOREVER));
    for (;; done++) {
        KIN_CHECK(kin_queue_get(kin_as(kin_queue, jobs), &job, KIN_FOREVER));
        if (kin_is_none(job)) {
            break;
        }
        kin_shared_dict *into = kin_as(kin_shared_dict, results);
        KIN_CHECK(kin_shared_dict_set(into, job, steps(kin_as_int(job))));
    }
    fprintf(stderr, "a worker in C: %d jobs\n", done);
    kin_release(jobs);
    kin_release(results);
    kin_release(all_here);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        return work(argv[1]);
    }
    if (access(PYTHON, X_OK) < 0) {
        return 77; /* there is no Python */
    }
    kin_auto(kin_manager) manager = NULL;
    kin_queue *jobs;
    kin_shared_dict *results;
    kin_barrier *all_here; /* so that nobody has done it all before another has come */
    KIN_CHECK(kin_manager_new(&manager, NULL));
    KIN_CHECK(kin_manager_queue(manager, &jobs, NULL));
    KIN_CHECK(kin_manager_dict(manager, &results, kin_none()));
    KIN_CHECK(kin_manager_barrier(manager, &all_here, WORKERS));
    KIN_CHECK(kin_manager_register(manager, "all_here", kin_shared(all_here)));
    KIN_CHECK(kin_manager_register(manager, "jobs", kin_shared(jobs)));
    KIN_CHECK(kin_manager_register(manager, "results", kin_shared(results)));
    KIN_CHECK(kin_manager_serve(manager, "127.0.0.1:0", /* 0: a port that is free */
                                KIN_OPT(kin_serve_options, KEY, .allow_md5 = true)));

    const char *address = kin_manager_address(manager);
    const char *const workers[WORKERS][4] = { { PYTHON, "86_worker.py", address },
                                              { argv[0], address },
                                              { argv[0], address } };
    kin_popen *running[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        KIN_CHECK(kin_popen_new(&running[i], workers[i], NULL));
    }
    for (int n = 1; n <= JOBS + WORKERS; n++) {
        KIN_CHECK(kin_queue_put(jobs, n <= JOBS ? kin_int(n) : kin_none(), KIN_FOREVER));
    }
    int failed = 0;
    for (int i = 0; i < WORKERS; i++) {
        failed += kin_popen_wait(running[i], KIN_FOREVER) != 0;
        kin_popen_free(running[i]);
    }

    kin_obj all;
    KIN_CHECK(kin_shared_dict_copy(results, &all));
    for (int n = 1; n <= JOBS; n++) {
        printf("%d: %lld steps\n", n, (long long)kin_as_int(kin_lookup(all, kin_int(n))));
    }
    kin_release(all);
    return failed;
}
