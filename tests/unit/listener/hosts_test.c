/* Hosts with several addresses, whatever the machine calls localhost: here the resolver is the
 * test's own. */
#include "unit/listener/peers.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/time.h>

/* ---- a resolver ---------------------------------------------------------------------------- */

static const char *found[2]; /* numeric addresses, in that order; NULL: no more */

static struct addrinfo *one_of(const char *text, unsigned short port, struct addrinfo *next)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in6 at;
    } *made = calloc(1, sizeof *made);
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&made->at;
    bool is_v4 = inet_pton(AF_INET, text, &v4->sin_addr) == 1;
    if (!is_v4) {
        CHECK_EQ(inet_pton(AF_INET6, text, &made->at.sin6_addr), 1);
    }
    made->at.sin6_family = is_v4 ? AF_INET : AF_INET6;
    made->at.sin6_port = htons(port); /* where it is in the other kind, too */
    made->info = (struct addrinfo){ .ai_family = made->at.sin6_family,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_addr = (struct sockaddr *)(void *)&made->at,
                                    .ai_addrlen = is_v4 ? sizeof *v4 : sizeof made->at,
                                    .ai_next = next };
    return &made->info;
}

/* Instead of the C library's. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *wanted,
                struct addrinfo **ret)
{
    (void)wanted;
    unsigned short number = (unsigned short)atoi(port);
    const char *const all[] = { "0.0.0.0", "::" };
    const char *const *names = host == NULL ? all : found;
    *ret = names[1] != NULL ? one_of(names[1], number, NULL) : NULL;
    *ret = one_of(names[0], number, *ret);
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

static void host_is(const char *first, const char *second)
{
    found[0] = first;
    found[1] = second;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)(void *)&at, sizeof at) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static const char *address_with_port_of(const kin_listener *l)
{
    static char address[64];
    snprintf(address, sizeof address, "somewhere%s", strrchr(kin_listener_address(l), ':'));
    return address;
}

static int reach(const char *address, double timeout)
{
    kin_conn *conn = NULL;
    int rv = kin_connect(&conn, address, KIN_OPT(kin_connect_options, .timeout = timeout));
    CHECK_EQ(rv == 0, conn != NULL);
    kin_conn_free(conn);
    return rv;
}

TEST(all_addresses_of_a_host_are_tried_until_one_answers)
{
    host_is("127.0.0.1", NULL);
    kin_listener *l = listener_at("somewhere:0", NULL);
    const char *address = address_with_port_of(l);
    host_is("127.0.0.2", "127.0.0.1");
    CHECK_OK(reach(address, 0));
    host_is("127.0.0.1", "127.0.0.2");
    CHECK_OK(reach(address, 0));
    host_is("127.0.0.2", "127.0.0.3");
    CHECK_ERROR(reach(address, 0), KIN_EREFUSED);
    kin_listener_free(l);
}

/* Whoever connects there is not answered: as many wait as may. */
static int swallower(const kin_listener *l, int ret_waiting[2])
{
    int port = atoi(strrchr(kin_listener_address(l), ':') + 1);
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((unsigned short)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)(void *)&at, sizeof at), 0);
    CHECK_EQ(listen(fd, 0), 0);
    for (int i = 0; i < 2; i++) {
        ret_waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(ret_waiting[i], (struct sockaddr *)(void *)&at, sizeof at);
    }
    return fd;
}

static void close_all(int fd, const int waiting[2])
{
    close(fd);
    close(waiting[0]);
    close(waiting[1]);
}

/* A thread that accepts one, who needs some time to show that he knows the key. */
static void *accept_one(void *arg)
{
    kin_conn_free(accepted(arg));
    return NULL;
}

TEST(an_address_that_swallows_what_is_sent_to_it_leaves_time_for_the_next)
{
    int waiting[2];
    pthread_t thread;
    kin_conn *conn = NULL;
    host_is("127.0.0.1", NULL);
    kin_listener *l = listener_at("somewhere:0", KIN_OPT(kin_listener_options, KEY));
    int fd = swallower(l, waiting);
    host_is("127.0.0.2", "127.0.0.1");
    CHECK_EQ(pthread_create(&thread, NULL, accept_one, l), 0);
    CHECK_OK(kin_connect(&conn, address_with_port_of(l),
                         KIN_OPT(kin_connect_options, KEY, .timeout = 3)));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    kin_conn_free(conn);
    close_all(fd, waiting);
    kin_listener_free(l);
}

static void ignore(int signal)
{
    (void)signal;
}

TEST(signals_do_not_change_how_long_one_tries_nor_what_is_said_then)
{
    int waiting[2];
    host_is("127.0.0.1", NULL);
    kin_listener *l = listener_at("somewhere:0", NULL);
    int fd = swallower(l, waiting);
    host_is("127.0.0.2", NULL);
    struct sigaction action = { .sa_handler = ignore };
    struct itimerval often = { .it_interval.tv_usec = 5000, .it_value.tv_usec = 5000 };
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    double begin = kin_now();
    CHECK_ERROR(reach(address_with_port_of(l), 0.1), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.1);
    CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
    close_all(fd, waiting);
    kin_listener_free(l);
}

/* ---- listening ------------------------------------------------------------------------------ */

static void check_listens_at(const char *begin)
{
    kin_listener *l = listener_at("somewhere:0", NULL);
    CHECK_(strncmp(kin_listener_address(l), begin, strlen(begin)) == 0, "%s is not at %s",
           kin_listener_address(l), begin);
    kin_listener_free(l);
}

TEST(of_a_names_addresses_an_ipv4_one_is_taken_if_there_is_one)
{
    host_is("127.0.0.1", "::1");
    check_listens_at("127.0.0.1:");
    host_is("::1", "127.0.0.1");
    check_listens_at("127.0.0.1:");
    if (has_ipv6()) {
        host_is("::1", NULL);
        check_listens_at("[::1]:");
    }
}

TEST(an_address_that_cannot_be_had_is_not_the_last_word)
{
    host_is("192.0.2.1", "127.0.0.1");
    check_listens_at("127.0.0.1:");
    kin_listener *l = NULL;
    host_is("192.0.2.1", NULL);
    CHECK_ERROR(kin_listener_new(&l, "somewhere:0", NULL), KIN_EOS);
    CHECK_CONTAINS(kin_errmsg(), "somewhere:0");
}

TEST(all_interfaces_are_those_of_ipv6_too_where_there_is_one)
{
    if (!has_ipv6()) {
        SKIP("this machine has no IPv6");
    }
    kin_listener *l = listener_at(":0", NULL);
    const char *address = address_with_port_of(l);
    CHECK_EQ(strncmp(kin_listener_address(l), "[::]:", 5), 0);
    host_is("127.0.0.1", NULL);
    CHECK_OK(reach(address, 0));
    host_is("::1", NULL);
    CHECK_OK(reach(address, 0));
    kin_listener_free(l);
}
