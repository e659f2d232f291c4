#include "unit/listener/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SECRET "secret key"

static int reach(const char *address, double timeout, const char *key)
{
    kin_conn *conn = NULL;
    int rv = kin_connect(&conn, address,
                         KIN_OPT(kin_connect_options, .timeout = timeout, .authkey = key,
                                 .authkey_size = key != NULL ? strlen(key) : 0));
    CHECK_EQ(rv == 0, conn != NULL);
    kin_conn_free(conn);
    return rv;
}

TEST(options_that_make_no_sense_are_refused)
{
    kin_conn *conn = NULL;
    CHECK_ERROR(kin_connect(NULL, "@x", NULL), KIN_EINVAL);
    CHECK_ERROR(kin_connect(&conn, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_connect(&conn, "@x", KIN_OPT(kin_connect_options, .timeout = -1)), KIN_EINVAL);
    CHECK_ERROR(kin_connect(&conn, "@x", KIN_OPT(kin_connect_options, .timeout = (double)NAN)),
                KIN_EINVAL);
    CHECK_ERROR(kin_connect(&conn, "@x", KIN_OPT(kin_connect_options, .authkey = "")), KIN_EINVAL);
    CHECK_ERROR(kin_connect(&conn, "@x", KIN_OPT(kin_connect_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK_ERROR(kin_connect(&conn, "nonsense", NULL), KIN_EINVAL);
    CHECK_NULL(conn);
}

TEST(each_way_of_not_being_there_has_its_code)
{
    enter_place();
    CHECK_ERROR(reach(in_place("s"), 0, NULL), KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), in_place("s"));
    CHECK_ERROR(reach("/nowhere/s", 0, NULL), KIN_ENOENT);
    leave_socket(in_place("s"));
    CHECK_ERROR(reach(in_place("s"), 0, NULL), KIN_EREFUSED);
    CHECK_EQ(unlink(in_place("s")), 0);
    fclose(fopen(in_place("s"), "w"));
    CHECK_ERROR(reach(in_place("s"), 0, NULL), KIN_EREFUSED);
    CHECK_EQ(unlink(in_place("s")), 0);
    CHECK_ERROR(reach("@kin-nobody-has-this-name", 0, NULL), KIN_EREFUSED);
    CHECK_ERROR(reach("1.2.3.4.5:80", 0, NULL), KIN_ENOTFOUND);
    kin_listener *l = listener_at("127.0.0.1:0", NULL);
    char address[64];
    snprintf(address, sizeof address, "%s", kin_listener_address(l));
    kin_listener_free(l);
    CHECK_ERROR(reach(address, 0, NULL), KIN_EREFUSED);
    leave_place();
}

/* No file can be opened from now on: not /etc/hosts, and not what names the name servers. */
static bool forbid_files(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int reach_without_files(void *address)
{
    CHECK_ERROR(reach("@kin-nobody-has-this-name", 0, NULL), KIN_EREFUSED); /* what is done once */
    if (!forbid_files()) {
        return 77;
    }
    CHECK_LT(open("/etc/hosts", O_RDONLY | O_CLOEXEC), 0);
    CHECK_OK(reach(address, 0, NULL));
    return 0;
}

TEST(a_host_that_is_a_number_is_not_looked_up)
{
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0" };
    for (size_t i = 0; i < 2; i++) {
        kin_listener *l = listener_at(addresses[i], NULL);
        int code = test_join(test_child(reach_without_files, (void *)kin_listener_address(l)));
        kin_listener_free(l);
        if (code == 77) {
            SKIP("no system call can be forbidden here");
        }
        CHECK_EQ(code, 0);
    }
}

TEST(a_socket_for_datagrams_is_refused)
{
    enter_place();
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = unix_address(in_place("s"));
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_ERROR(reach(in_place("s"), 0, NULL), KIN_EREFUSED);
    close(fd);
    CHECK_EQ(unlink(in_place("s")), 0);
    leave_place();
}

TEST(all_addresses_of_a_host_are_tried)
{
    static const char *const loopbacks[] = { "127.0.0.1:0", "[::1]:0" };
    int reached = 0;
    for (int i = 0; i < 2; i++) {
        kin_listener *l = listener_at(loopbacks[i], NULL);
        char address[64];
        snprintf(address, sizeof address, "localhost%s", strrchr(kin_listener_address(l), ':'));
        reached += reach(address, 0, NULL) == 0;
        kin_listener_free(l);
    }
    CHECK_GE(reached, 1); /* two, where localhost has two addresses */
}

TEST(who_listens_on_all_interfaces_is_reached_by_ipv4_and_ipv6)
{
    char address[64];
    kin_listener *l = listener_at(":0", NULL);
    const char *port = strrchr(kin_listener_address(l), ':');
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    CHECK_OK(reach(address, 0, NULL));
    CHECK_OK(reach(kin_listener_address(l), 0, NULL)); /* as it is printed */
    if (kin_listener_address(l)[0] == '[') {
        snprintf(address, sizeof address, "[::1]%s", port);
        CHECK_OK(reach(address, 0, NULL));
    }
    kin_listener_free(l);
}

/* ---- time ------------------------------------------------------------------------------- */

TEST(a_listener_that_takes_nobody_is_waited_for_as_long_as_the_timeout_says)
{
    enter_place();
    int fd = raw_listener(in_place("s"), 0);
    int first = raw_client(in_place("s"));
    double begin = kin_now();
    CHECK_ERROR(reach(in_place("s"), 0.02, NULL), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    close(first);
    close(fd);
    CHECK_EQ(unlink(in_place("s")), 0);
    leave_place();
}

/* It has no key, say, and waits for a message, as we wait for a challenge. */
TEST(a_listener_that_is_silent_is_waited_for_as_long_as_the_timeout_says)
{
    enter_place();
    int fd = raw_listener(in_place("s"), 4);
    double begin = kin_now();
    CHECK_ERROR(reach(in_place("s"), 0.02, SECRET), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    CHECK_CONTAINS(kin_errmsg(), "handshake");
    close(fd);
    CHECK_EQ(unlink(in_place("s")), 0);
    leave_place();
}

/* ---- listeners that do not know the key ---------------------------------------------------- */

struct impostor {
    pthread_t thread;
    int listener;
    const char *says;
    size_t size;
};

static void *deceive(void *arg)
{
    const struct impostor *i = arg;
    int fd = accept(i->listener, NULL, NULL);
    if (i->size > 0) {
        CHECK_EQ(write(fd, i->says, i->size), i->size);
        char heard[4];
        (void)recv(fd, heard, 4, MSG_WAITALL);
    }
    close(fd);
    return NULL;
}

static void check_impostor(const void *says, size_t size, const char *part)
{
    struct impostor i = { .listener = raw_listener(in_place("s"), 4), .says = says, .size = size };
    CHECK_EQ(pthread_create(&i.thread, NULL, deceive, &i), 0);
    CHECK_ERROR(reach(in_place("s"), 0, SECRET), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), part);
    CHECK_EQ(pthread_join(i.thread, NULL), 0);
    close(i.listener);
    CHECK_EQ(unlink(in_place("s")), 0);
}

TEST(a_listener_that_does_not_know_the_key_is_found_out)
{
    static const char pickle[] = "\0\0\0\4\x80\4N.";
    static const char old[] = "\0\0\0\x1f#CHALLENGE#01234567890123456789";
    static const char large[] = "\x7f\xff\xff\xff";
    static const char untested[] = "\0\0\0\x13#CHALLENGE#{sha256}\0\0\0\t#WELCOME#";
    enter_place();
    check_impostor("", 0, "hung up");
    check_impostor(pickle, 8, "no challenge");
    check_impostor(large, 4, "too long");
    check_impostor(old, 35, "allow_md5");
    check_impostor(untested, 36, "not known");
    leave_place();
}

TEST(a_listener_without_a_key_keeps_one_with_a_key_waiting)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), NULL);
    struct client c;
    begin_client(&c, in_place("s"), SECRET);
    kin_conn *conn = accepted(l);
    kin_conn_free(conn); /* a server that gives up after a while */
    CHECK_EQ(join_client(&c), KIN_EAUTH);
    CHECK_CONTAINS(c.sentence, "hung up");
    kin_listener_free(l);
    leave_place();
}
