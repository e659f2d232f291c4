#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct line {
    int ends[2];
};

static struct line open_line(void)
{
    struct line l;
    CHECK_EQ(kin__os_socketpair(l.ends), 0);
    return l;
}

static void close_line(struct line *l)
{
    kin__os_close(l->ends[0]);
    kin__os_close(l->ends[1]);
}

static int send_text(int socket, const char *text, int *fds, int n_fds)
{
    const kin__message m = { (void *)(uintptr_t)text, strlen(text), fds, n_fds };
    return kin__os_send(socket, &m);
}

TEST(messages_keep_their_bounds)
{
    struct line l = open_line();
    char got[16] = { 0 };
    kin__message m = { got, sizeof got, NULL, 0 };
    CHECK_EQ(fcntl(l.ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, false), -EAGAIN);
    CHECK_EQ(send_text(l.ends[0], "one", NULL, 0), 0);
    CHECK_EQ(send_text(l.ends[0], "three", NULL, 0), 0);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), 3);
    CHECK_MEM(got, "one", 3);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), 5);
    CHECK_MEM(got, "three", 5);
    close_line(&l);
}

static bool same_file(int a, int b)
{
    struct stat x;
    struct stat y;
    CHECK_EQ(fstat(a, &x), 0);
    CHECK_EQ(fstat(b, &y), 0);
    return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

TEST(descriptors_travel_and_close_on_exec)
{
    struct line l = open_line();
    int sent[2];
    int taken[4] = { -1, -1, -1, -1 };
    char got[16];
    kin__message m = { got, sizeof got, taken, 4 };
    CHECK_EQ(kin__os_pipe(sent), 0);
    CHECK_EQ(send_text(l.ends[0], "x", sent, 2), 0);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), 1);
    CHECK_EQ(m.n_fds, 2);
    CHECK(same_file(sent[0], taken[0]) && same_file(sent[1], taken[1]));
    CHECK_EQ(fcntl(taken[0], F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        kin__os_close(sent[i]);
        kin__os_close(taken[i]);
    }
    close_line(&l);
}

TEST(as_many_descriptors_as_a_message_carries)
{
    struct line l = open_line();
    int sent[KIN__DESCRIPTORS_MOST];
    int taken[KIN__DESCRIPTORS_MOST];
    char got[4];
    kin__message m = { got, sizeof got, taken, KIN__DESCRIPTORS_MOST };
    for (int i = 0; i < KIN__DESCRIPTORS_MOST; i++) {
        sent[i] = l.ends[0];
    }
    CHECK_EQ(send_text(l.ends[0], "x", sent, KIN__DESCRIPTORS_MOST), 0);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), 1);
    CHECK_EQ(m.n_fds, KIN__DESCRIPTORS_MOST);
    for (int i = 0; i < m.n_fds; i++) {
        kin__os_close(taken[i]);
    }
    close_line(&l);
}

TEST(a_message_that_does_not_fit_leaves_no_descriptor)
{
    struct line l = open_line();
    int sent[3] = { l.ends[0], l.ends[0], l.ends[0] };
    int taken[1];
    char got[4];
    kin__message few = { got, sizeof got, taken, 1 };
    CHECK_EQ(send_text(l.ends[0], "x", sent, 3), 0);
    CHECK_EQ(kin__os_receive(l.ends[1], &few, true), -EMSGSIZE);
    kin__message small = { got, sizeof got, taken, 1 };
    CHECK_EQ(send_text(l.ends[0], "too long", sent, 1), 0);
    CHECK_EQ(kin__os_receive(l.ends[1], &small, true), -EMSGSIZE);
    close_line(&l); /* what is left open fails the test */
}

TEST(descriptors_that_are_too_many_here_are_an_error)
{
    struct line l = open_line();
    int sent[8] = { l.ends[0], l.ends[0], l.ends[0], l.ends[0],
                    l.ends[0], l.ends[0], l.ends[0], l.ends[0] };
    int taken[8];
    char got[4];
    kin__message m = { got, sizeof got, taken, 8 };
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(send_text(l.ends[0], "x", sent, 8), 0);
    int next = dup(0);
    const struct rlimit tight = { (rlim_t)next + 2, limit.rlim_max };
    close(next);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close_line(&l);
}

TEST(an_end_that_nobody_holds_is_an_end_and_no_signal)
{
    struct line l = open_line();
    char got[4];
    kin__message m = { got, sizeof got, NULL, 0 };
    CHECK_EQ(send_text(l.ends[0], "x", NULL, 0), 0);
    kin__os_close(l.ends[0]);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), 1);
    CHECK_EQ(kin__os_receive(l.ends[1], &m, true), 0);
    CHECK_EQ(send_text(l.ends[1], "x", NULL, 0), -EPIPE);
    kin__os_close(l.ends[1]);
}
