/* What a child finds around it, by each start method: directory, signals, descriptors. */
#include "start.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

/* ---- directory ------------------------------------------------------------------------ */

static kin_obj know_directory(kin_obj args)
{
    struct stat here;
    SEE(stat(".", &here) == 0);
    SEE((int64_t)here.st_ino == kin_arg_int(args, 0));
    return kin_none();
}

EACH_METHOD(hands_over_the_working_directory)
{
    char folder[] = "/tmp/kin-start-XXXXXX";
    struct stat there;
    CHECK_EQ(run_by(method, nothing, kin_args()), 0); /* a server is elsewhere now */
    CHECK_NOT_NULL(mkdtemp(folder));
    CHECK_EQ(chdir(folder), 0);
    CHECK_EQ(stat(".", &there), 0);
    CHECK_EQ(run_by(method, know_directory, kin_args(kin_int((int64_t)there.st_ino))), 0);
    CHECK_EQ(rmdir(folder), 0); /* one that has no name any more */
    CHECK_EQ(run_by(method, know_directory, kin_args(kin_int((int64_t)there.st_ino))), 0);
}

/* ---- signals -------------------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
}

/* Which signals are blocked and which are ignored, in words. */
static kin_obj describe_signals(void)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    kin_obj words = kin_list();
    for (int i = 1; i < SIGRTMAX; i++) {
        struct sigaction now;
        if (sigismember(&mask, i) == 1) {
            (void)kin_append(&words, kin_strf("%d blocked", i));
        }
        if (sigaction(i, NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
            (void)kin_append(&words, kin_strf("%d ignored", i));
        }
    }
    return words;
}

static kin_obj know_signals(kin_obj args)
{
    kin_obj here = describe_signals();
    bool equal = kin_equal(here, kin_arg(args, 0));
    char *text = kin_repr(here);
    kin_release(here);
    kin_obj result = equal ? kin_none() : kin_error(KIN_EUSER, "%s", text);
    free(text);
    return result;
}

static void block(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

EACH_METHOD(hands_over_mask_and_ignored_signals)
{
    CHECK_EQ(run_by(method, know_signals, kin_args(describe_signals())), 0);
    block(SIG_BLOCK, SIGUSR1);
    block(SIG_BLOCK, SIGCHLD);
    block(SIG_BLOCK, SIGRTMIN + 3);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, on_signal);
    CHECK_EQ(run_by(method, know_signals, kin_args(describe_signals())), 0);
    block(SIG_UNBLOCK, SIGUSR1);
    block(SIG_BLOCK, SIGTERM);
    signal(SIGUSR2, SIG_DFL);
    signal(SIGINT, on_signal);
    CHECK_EQ(run_by(method, know_signals, kin_args(describe_signals())), 0);
}

static kin_obj die_by(kin_obj args)
{
    raise((int)kin_arg_int(args, 0));
    return kin_none();
}

EACH_METHOD(a_handler_is_not_handed_over_unless_it_forks)
{
    signal(SIGUSR1, on_signal);
    CHECK_EQ(run_by(method, die_by, kin_args(kin_int(SIGUSR1))), is_forked(method) ? 0 : -SIGUSR1);
}

/* ---- stdin, stdout, stderr ------------------------------------------------------------- */

static kin_obj copy_through(kin_obj args)
{
    char word[32] = "";
    (void)args;
    SEE(read(STDIN_FILENO, word, sizeof word - 1) > 0);
    SEE(write(STDOUT_FILENO, word, strlen(word)) > 0);
    fprintf(stderr, "(%s)", word);
    return kin_none();
}

static void expect(int from, const char *text)
{
    char got[64] = "";
    CHECK_GT(read(from, got, sizeof got - 1), 0);
    CHECK_STR(got, text);
    close(from);
}

static int redirect(int fd, int end)
{
    int saved = dup(fd);
    CHECK_EQ(dup2(end, fd), fd);
    close(end);
    return saved;
}

static void restore(int fd, int saved)
{
    CHECK_EQ(dup2(saved, fd), fd);
    close(saved);
}

EACH_METHOD(hands_over_stdio_as_it_is_at_the_start)
{
    int in[2], out[2], err[2];
    CHECK_EQ(run_by(method, nothing, kin_args()), 0); /* a server has the old ones */
    CHECK(pipe(in) == 0 && pipe(out) == 0 && pipe(err) == 0);
    CHECK_EQ(write(in[1], "word", 4), 4);
    close(in[1]);
    fflush(NULL);
    int saved[3] = { redirect(0, in[0]), redirect(1, out[1]), redirect(2, err[1]) };
    kin_process *child = start_by(method, copy_through, kin_args());
    for (int i = 0; i < 3; i++) {
        restore(i, saved[i]);
    }
    CHECK_EQ(end(child), 0);
    expect(out[0], "word");
    expect(err[0], "(word)");
}

static kin_obj know_closed(kin_obj args)
{
    SEE(fcntl(0, F_GETFD) < 0 && errno == EBADF);
    SEE(fcntl(1, F_GETFD) < 0 && errno == EBADF);
    SEE(fcntl(2, F_GETFD) >= 0);
    int *noted = kin_arg_shared(args, 0);
    *noted = 1;
    return kin_none();
}

EACH_METHOD(what_is_closed_of_stdio_stays_closed)
{
    int *noted = kin_alloc(sizeof *noted);
    fflush(NULL);
    int saved[2] = { dup(0), dup(1) };
    close(0);
    close(1);
    kin_process *child = NULL;
    int rv = kin_start(&child, know_closed, kin_args(kin_shared(noted)),
                       KIN_OPT(kin_process_options, .start_method = method));
    restore(0, saved[0]);
    restore(1, saved[1]);
    CHECK_OK(rv);
    CHECK_EQ(end(child), 0);
    CHECK_EQ(*noted, 1);
    kin_free(noted);
}

EACH_METHOD(what_is_closed_of_stdio_stays_closed_for_daemons)
{
    int *noted = kin_alloc(sizeof *noted);
    fflush(NULL);
    int saved[2] = { dup(0), dup(1) };
    close(0);
    close(1);
    kin_process *child = NULL;
    int rv = kin_start(&child, know_closed, kin_args(kin_shared(noted)),
                       KIN_OPT(kin_process_options, .start_method = method, .daemon = true));
    restore(0, saved[0]);
    restore(1, saved[1]);
    CHECK_OK(rv);
    CHECK_EQ(end(child), 0);
    CHECK_EQ(*noted, 1);
    kin_free(noted);
}

/* ---- other descriptors ------------------------------------------------------------------ */

/* Every descriptor of this process, as "7 /path", but the one that looks. */
static kin_obj list_descriptors(void)
{
    kin_obj found = kin_list();
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char target[200];
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof target);
        if (size >= 0 && atoi(entry->d_name) != dirfd(folder)) {
            (void)kin_append(&found, kin_strf("%s %.*s", entry->d_name, (int)size, target));
        }
    }
    closedir(folder);
    return found;
}

/* kind of descriptor -> how many of them, without 0, 1 and 2 */
static void count(int counts[4], int *promised, const int *fds, size_t n)
{
    static const char *const kinds[] = { "/memfd:kin (", "socket:", "pipe:" };
    kin_obj found = list_descriptors();
    for (size_t i = 0; i < kin_len(found); i++) {
        const char *text = kin_as_str(kin_at(found, i));
        int fd = atoi(text), kind = 0;
        bool is_promised = false;
        for (size_t j = 0; j < n; j++) {
            is_promised = is_promised || fds[j] == fd;
        }
        while (kind < 3 && strstr(text, kinds[kind]) == NULL) {
            kind++;
        }
        *promised += is_promised;
        counts[kind] += fd > 2 && !is_promised;
    }
    kin_release(found);
}

/* It has the listed ones, and beside them nothing but what the library needs. */
static kin_obj count_descriptors(kin_obj args)
{
    kin_obj list = kin_arg(args, 0);
    int fds[16], counts[4] = { 0 }, promised = 0;
    for (size_t i = 0; i < kin_len(list); i++) {
        fds[i] = (int)kin_as_int(kin_at(list, i));
    }
    count(counts, &promised, fds, kin_len(list));
    kin_obj all = list_descriptors();
    char *text = kin_repr(all);
    kin_release(all);
    bool good = promised == (int)kin_len(list) && counts[0] == 1 &&
                counts[1] == kin_arg_int(args, 1) && counts[2] == kin_arg_int(args, 2) &&
                counts[3] == 0;
    kin_obj result = good ? kin_none() : kin_error(KIN_EUSER, "descriptors: %s", text);
    free(text);
    return result;
}

static void check_descriptors(const char *method, int daemon, int servers)
{
    int ends[4];
    CHECK(pipe(ends) == 0 && pipe(ends + 2) == 0); /* inheritable, and not all of them listed */
    const int fds[] = { ends[1], ends[2] };
    CHECK_EQ(run_with(KIN_OPT(kin_process_options, .start_method = method, .daemon = daemon,
                              .fds = fds, .n_fds = 2),
                      count_descriptors,
                      kin_args(kin_list(kin_int(fds[0]), kin_int(fds[1])), kin_int(servers),
                               kin_int(daemon > 0))),
             0);
    CHECK_EQ(run_with(KIN_OPT(kin_process_options, .start_method = method, .daemon = daemon),
                      count_descriptors,
                      kin_args(kin_list(), kin_int(servers), kin_int(daemon > 0))),
             0);
    for (int i = 0; i < 4; i++) {
        close(ends[i]);
    }
}

TEST(a_spawned_child_holds_what_is_listed_and_nothing_else)
{
    check_descriptors("spawn", false, 0);
    check_descriptors("spawn", true, 0);
    CHECK_EQ(run_by("forkserver", nothing, kin_args()), 0);
    check_descriptors("spawn", false, 1); /* which it may ask, too */
    check_descriptors("spawn", true, 1);
}

TEST(a_served_child_holds_what_is_listed_and_nothing_else)
{
    check_descriptors("forkserver", false, 1);
    check_descriptors("forkserver", true, 1);
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    kin_process *others[3];
    for (int i = 0; i < 3; i++) {
        others[i] = start_by("forkserver", nothing, kin_args());
    }
    check_descriptors("forkserver", false, 1); /* nothing of its siblings' */
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(end(others[i]), 0);
    }
    kin_event_free(event);
}

/* Writes "n" into each listed descriptor n. */
static kin_obj write_numbers(kin_obj args)
{
    kin_obj list = kin_arg(args, 0);
    for (size_t i = 0; i < kin_len(list); i++) {
        int fd = (int)kin_as_int(kin_at(list, i));
        char text[16];
        int size = snprintf(text, sizeof text, "%d", fd);
        SEE(write(fd, text, (size_t)size) == size);
    }
    return kin_none();
}

static void give_numbers(const char *method, const int *fds, int n, int *ends)
{
    kin_obj list = kin_list();
    for (int i = 0; i < n; i++) {
        int made[2];
        CHECK_EQ(pipe(made), 0);
        ends[i] = fcntl(made[0], F_DUPFD, 200);
        int high = fcntl(made[1], F_DUPFD, 200);
        close(made[0]);
        close(made[1]);
        CHECK_EQ(dup2(high, fds[i]), fds[i]);
        close(high);
        CHECK_OK(kin_append(&list, kin_int(fds[i])));
    }
    CHECK_EQ(run_with(KIN_OPT(kin_process_options, .start_method = method, .fds = fds,
                              .n_fds = (size_t)n),
                      write_numbers, kin_args(list)),
             0);
    for (int i = 0; i < n; i++) {
        char expected[16];
        close(fds[i]);
        snprintf(expected, sizeof expected, "%d", fds[i]);
        expect(ends[i], expected);
    }
}

/* The first free numbers are those that server and library have in theirs. */
EACH_METHOD(listed_descriptors_keep_their_numbers)
{
    int ends[40], fds[40], n = 0;
    CHECK_EQ(run_by(method, nothing, kin_args()), 0);
    for (int fd = 3; n < 40; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            fds[n++] = fd;
        }
    }
    give_numbers(method, fds, n, ends);
    const int far[] = { 900, 803, 500 };
    give_numbers(method, far, 3, ends);
}

EACH_METHOD(what_is_listed_must_be_open)
{
    kin_process *child = NULL;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    const kin_process_options options = { .start_method = method, .fds = ends, .n_fds = 2 };
    close(ends[0]);
    CHECK_ERROR(kin_process_new(&child, nothing, kin_args(), &options), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "not open");
    CHECK_EQ(dup2(ends[1], ends[0]), ends[0]);
    CHECK_OK(kin_process_new(&child, nothing, kin_args(), &options));
    close(ends[0]);
    int rv = kin_process_start(child); /* closed in between */
    CHECK(is_forked(method) ? rv == 0 : rv < 0);
    CHECK_EQ(dup2(ends[1], ends[0]), ends[0]);
    if (rv < 0) {
        CHECK_OK(kin_process_start(child));
    }
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ(end(child), 0);
}
