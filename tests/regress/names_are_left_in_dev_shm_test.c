/* In Python locks and shared memory have names in /dev/shm, which stay when their makers are
 * killed, and a tracker process that removes them too early, too late, or with a warning (CPython
 * gh-82300). Here nothing has a name: all is in one memory file that goes with the last process of
 * the family. */
#include "scene.h"

#include <dirent.h>

static kin_obj hold_everything(kin_obj args)
{
    _Atomic int *there = kin_arg_shared(args, 0);
    KIN_TRY(kin_lock_acquire(kin_arg_shared(args, 1), KIN_FOREVER));
    (*there)++;
    for (;;) {
        pause();
    }
    return kin_none();
}

static int have_one_of_everything(void *ctx)
{
    _Atomic int *told = ctx, *there = kin_alloc(sizeof *there);
    static const char *const methods[] = { "fork", "spawn", "forkserver" };
    kin_pool *pool = pool_of(2);
    kin_queue *queue = new_queue();
    CHECK_OK(kin_queue_put(queue, kin_bytes((char[100000]){ 0 }, 100000), 0));
    CHECK_OK(kin_event_set(new_event()));
    for (int i = 0; i < 4; i++) {
        kin_lock *lock = NULL;
        CHECK_OK(kin_lock_new(&lock, NULL));
        kin_obj args = kin_args(kin_shared((const void *)(uintptr_t)there), kin_shared(lock));
        if (i < 3) {
            CHECK_OK(kin_start(
                NULL, hold_everything, args,
                KIN_OPT(kin_process_options, .daemon = true, .start_method = methods[i])));
        } else {
            CHECK_OK(kin_pool_submit(pool, hold_everything, args, NULL, NULL));
        }
    }
    for (;;) {
        *told = *there;
        test_nap();
    }
    return 0;
}

/* Whether a process maps shared memory that has a name somewhere. */
static bool maps_what_has_a_name(const char *pid, char *line, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "re");
    bool found = false;
    while (!found && maps != NULL && fgets(line, (int)size, maps) != NULL) {
        const char *name = strchr(line, '/');
        found = strstr(line, "rw-s") != NULL && name != NULL && strncmp(name, "/memfd:", 7) != 0 &&
                strncmp(name, "/dev/zero (deleted)", 19) != 0;
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return found;
}

static int check_the_family(void)
{
    int count = 0;
    DIR *proc = opendir("/proc");
    CHECK_NOT_NULL(proc);
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        char line[4096] = "";
        pid_t pid = atoi(entry->d_name);
        if (pid > 0 && getpgid(pid) == getpgrp()) {
            CHECK_(!maps_what_has_a_name(entry->d_name, line, sizeof line), "process %d maps %s",
                   (int)pid, line);
            count++;
        }
    }
    closedir(proc);
    return count;
}

static int names(void)
{
    int count = 0;
    DIR *dir = opendir("/dev/shm");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        count += strncmp(entry->d_name, "kin-harness", 11) != 0; /* a test of the harness's */
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

TEST(nothing_that_a_family_has_has_a_name_and_so_nothing_stays)
{
    if (getpgrp() != getpid()) {
        SKIP("needs a process group of its own");
    }
    int before = names();
    _Atomic int *told = test_shared(sizeof *told);
    pid_t parent = test_child(have_one_of_everything, told);
    WAIT_UNTIL(*told == 4);
    CHECK_GE(check_the_family(), 9); /* us, it, 3 daemons, the server, the supervisor, 2 workers */
    CHECK_EQ(names(), before);
    kill(parent, SIGKILL);
    CHECK_EQ(test_join(parent), -SIGKILL);
    WAIT_UNTIL(test_is_alone());
    CHECK_EQ(names(), before);
}
