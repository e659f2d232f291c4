#include "unit/listener/place.h"

#include "listener/room.h"
#include <kin/process.h>
#include <signal.h>

/* ---- what an address says -------------------------------------------------------------------- */

static int find(const char *address, bool to_listen, char *text, size_t size)
{
    kin__spots spots;
    int rv = kin__spots_find(&spots, address, to_listen, "it");
    if (rv == 0) {
        kin__os_net_text(&spots.at[0], text, size);
        kin__spots_forget(&spots);
    }
    return rv;
}

TEST(each_spelling_stands_for_one_kind_of_place)
{
    static const struct {
        const char *address, *means;
        bool to_listen;
    } cases[] = {
        { "/tmp/x", "/tmp/x", false },
        { "./x:1", "./x:1", false },
        { "../x", "../x", false },
        { "/x@y:80", "/x@y:80", false },
        { "@name", "@name", false },
        { "@/tmp/x:80", "@/tmp/x:80", false },
        { "127.0.0.1:80", "127.0.0.1:80", false },
        { "[::1]:65535", "[::1]:65535", false },
        { "[127.0.0.1]:1", "127.0.0.1:1", false },
        { "127.0.0.1:0", "127.0.0.1:0", true },
        { "localhost:7", "127.0.0.1:7", true }, /* that is where Python finds it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200] = "";
        CHECK_OK(find(cases[i].address, cases[i].to_listen, text, sizeof text));
        CHECK_STR(text, cases[i].means);
    }
}

TEST(an_address_without_a_host_is_all_interfaces_to_listen_on)
{
    static const char *const addresses[] = { ":0", "*:0", "[]:0" };
    for (size_t i = 0; i < 3; i++) {
        char text[200] = "";
        CHECK_OK(find(addresses[i], true, text, sizeof text));
        CHECK(strcmp(text, "[::]:0") == 0 || strcmp(text, "0.0.0.0:0") == 0);
        CHECK_ERROR(find(addresses[i], false, text, sizeof text), KIN_EINVAL);
    }
    char text[200];
    CHECK_ERROR(find(":80", false, text, sizeof text), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "no host to connect to");
}

TEST(what_is_no_address_is_refused_with_a_sentence)
{
    static const char *const addresses[] = {
        "",        "x",       "x.sock",        ".x",          "~/x",     "@",
        "1.2.3.4", "host",    "host:",         "host:http",   "host:-1", "host:+1",
        "host: 1", "host:1x", "::1",           "::1:80",      "[::1]",   "[::1]80",
        "[::1]:",  "h:65536", "h:99999999999", "host:000080", "a:b:80",
    };
    char text[200];
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        CHECK_ERROR(find(addresses[i], true, text, sizeof text), KIN_EINVAL);
        CHECK_CONTAINS(kin_errmsg(), addresses[i]);
        CHECK_ERROR(find(addresses[i], false, text, sizeof text), KIN_EINVAL);
    }
    CHECK_ERROR(find("host:0", false, text, sizeof text), KIN_EINVAL);
}

TEST(names_that_are_too_long_are_refused)
{
    char address[600], text[700];
    memset(address, 'x', sizeof address);
    address[599] = '\0';
    address[0] = '@';
    CHECK_ERROR(find(address, true, text, sizeof text), KIN_EINVAL);
    address[108] = '\0';
    CHECK_OK(find(address, true, text, sizeof text));
    CHECK_STR(text, address);
    address[108] = 'x';
    address[109] = '\0';
    CHECK_ERROR(find(address, true, text, sizeof text), KIN_EINVAL);
    address[109] = 'x';
    memcpy(address + 595, ":80", 4);
    CHECK_ERROR(find(address, true, text, sizeof text), KIN_EINVAL);
    memcpy(address, "/tmp/", 5);
    CHECK_ERROR(find(address, true, text, sizeof text), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "too long");
    memcpy(address, "/no/where/", 10);
    CHECK_ERROR(find(address, true, text, sizeof text), KIN_ENOENT);
}

TEST(a_host_that_is_none_is_not_found)
{
    char text[200];
    CHECK_ERROR(find("1.2.3.4.5:80", false, text, sizeof text), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "1.2.3.4.5:80");
}

/* ---- being found there -------------------------------------------------------------------- */

static kin__bound bound_to(const char *address)
{
    kin__bound b;
    CHECK_OK(kin__bound_open(&b, address, 8));
    return b;
}

static void end(kin__bound *b)
{
    kin__bound_unlink(b);
    kin__bound_close(b);
}

static int try_bind(const char *address)
{
    kin__bound b;
    int rv = kin__bound_open(&b, address, 8);
    if (rv == 0) {
        end(&b);
    } else {
        CHECK_EQ(b.socket, -1);
        CHECK_NULL(b.address);
    }
    return rv;
}

static void check_listens(const char *path)
{
    close(raw_client(path));
}

TEST(a_path_is_there_while_somebody_listens)
{
    enter_place();
    kin__bound b = bound_to(in_place("s"));
    CHECK_STR(b.address, in_place("s"));
    check_listens(b.address);
    end(&b);
    leave_place();
}

TEST(a_path_is_found_wherever_the_working_directory_is_later)
{
    enter_place();
    CHECK_EQ(chdir(place), 0);
    kin__bound b = bound_to("./s");
    CHECK_EQ(chdir("/"), 0);
    CHECK_STR(b.address, in_place("s"));
    check_listens(b.address);
    end(&b);
    leave_place();
}

TEST(a_path_that_no_address_has_room_for_is_listened_at)
{
    char folder[400];
    enter_place();
    memset(folder, 'd', sizeof folder);
    memcpy(folder, place, strlen(place));
    folder[strlen(place)] = '/';
    folder[250] = '\0';
    CHECK_EQ(mkdir(folder, 0700), 0);
    strcat(folder, "/s");
    kin__bound b = bound_to(folder);
    CHECK(is_there(folder));
    CHECK_ERROR(try_bind(folder), KIN_EEXIST);
    kin__spots spots;
    CHECK_OK(kin__spots_find(&spots, folder, false, "it"));
    int fd = kin__os_net_socket(&spots.at[0]);
    CHECK_EQ(kin__os_net_connect(fd, &spots.at[0], KIN__NEVER), 0);
    close(fd);
    kin__spots_forget(&spots);
    end(&b);
    leave_socket(in_place("s"));
    CHECK_EQ(rename(in_place("s"), folder), 0);
    CHECK_OK(try_bind(folder)); /* taken over, too */
    folder[250] = '\0';
    CHECK_EQ(rmdir(folder), 0);
    leave_place();
}

TEST(what_a_listener_left_over_is_taken_over)
{
    enter_place();
    const char *path = in_place("s");
    leave_socket(path);
    kin__bound b = bound_to(path);
    check_listens(path);
    end(&b);
    CHECK(!is_there(path));
    leave_place();
}

TEST(whoever_listens_keeps_his_path)
{
    enter_place();
    const char *path = in_place("s");
    kin__bound b = bound_to(path);
    CHECK_ERROR(try_bind(path), KIN_EEXIST);
    CHECK_CONTAINS(kin_errmsg(), "somebody listens");
    check_listens(path);
    end(&b);
    int fd = raw_listener(path, -1); /* he is about to */
    CHECK_ERROR(try_bind(path), KIN_EEXIST);
    CHECK_EQ(listen(fd, 1), 0);
    check_listens(path);
    close(fd);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

TEST(what_is_no_socket_stays)
{
    enter_place();
    const char *path = in_place("s");
    FILE *file = fopen(path, "w");
    fclose(file);
    CHECK_ERROR(try_bind(path), KIN_EEXIST);
    CHECK_CONTAINS(kin_errmsg(), "no socket");
    CHECK(is_there(path));
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(mkdir(path, 0700), 0);
    CHECK_ERROR(try_bind(path), KIN_EEXIST);
    CHECK_EQ(rmdir(path), 0);
    leave_socket(in_place("left"));
    CHECK_EQ(symlink(in_place("left"), path), 0);
    CHECK_ERROR(try_bind(path), KIN_EEXIST);
    CHECK(is_there(path));
    CHECK_EQ(unlink(in_place("left")), 0);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

TEST(a_folder_that_is_none_or_is_forbidden_is_an_error)
{
    CHECK_ERROR(try_bind("/nowhere/s"), KIN_ENOENT);
    CHECK_ERROR(try_bind("/proc/s"), KIN_ENOENT); /* nobody can make a file there */
}

TEST(a_path_that_has_become_somebody_elses_stays)
{
    enter_place();
    const char *path = in_place("s");
    kin__bound b = bound_to(path);
    CHECK_EQ(unlink(path), 0);
    int fd = raw_listener(path, 1);
    end(&b);
    check_listens(path);
    close(fd);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

/* ---- several who find what was left ---------------------------------------------------------- */

enum { RIVALS = 4, ROUNDS = 60 };

struct race {
    _Atomic int round;
    _Atomic int ready;
    _Atomic int over;
    _Atomic int won[ROUNDS];
    _Atomic int lost[ROUNDS];
};

/* In each round they bind at the same moment, and stay until all have tried. */
static int take_part(void *ctx)
{
    struct race *race = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&race->ready, 1);
        WAIT_UNTIL(atomic_load(&race->round) > i);
        kin__bound b;
        int rv = kin__bound_open(&b, in_place("s"), 1);
        atomic_fetch_add(rv == 0 ? &race->won[i] : &race->lost[i], 1);
        CHECK(rv == 0 || rv == KIN_EEXIST);
        WAIT_UNTIL(atomic_load(&race->won[i]) + atomic_load(&race->lost[i]) == RIVALS);
        if (rv == 0) { /* as one that is killed: the file stays */
            check_listens(in_place("s"));
            kin__bound_close(&b);
        }
        atomic_fetch_add(&race->over, 1);
    }
    return 0;
}

TEST(of_several_who_find_what_was_left_one_gets_it)
{
    struct race *race = test_shared(sizeof *race);
    pid_t rivals[RIVALS];
    enter_place();
    leave_socket(in_place("s"));
    for (int i = 0; i < RIVALS; i++) {
        rivals[i] = test_child(take_part, race);
    }
    for (int i = 0; i < ROUNDS; i++) {
        WAIT_UNTIL(atomic_load(&race->ready) == RIVALS * (i + 1));
        atomic_store(&race->round, i + 1);
        WAIT_UNTIL(atomic_load(&race->over) == RIVALS * (i + 1));
        CHECK_EQ(race->won[i], 1);
    }
    for (int i = 0; i < RIVALS; i++) {
        CHECK_EQ(test_join(rivals[i]), 0);
    }
    CHECK_EQ(unlink(in_place("s")), 0);
    leave_place();
}

/* Both of them see that nobody has it; the first one stops there, before he does anything. */
static _Atomic int *phase;

static void stop_here(const char *step)
{
    if (strcmp(step, "listen.left_over") == 0) {
        *phase = 1;
        WAIT_UNTIL(*phase == 2);
    }
}

static int stop_in_between(void *ctx)
{
    (void)ctx;
    kin__step_hook(stop_here);
    CHECK_OK(try_bind(in_place("s")));
    return 0;
}

TEST(who_looks_at_what_was_left_is_alone_with_it)
{
    enter_place();
    phase = test_shared(sizeof *phase);
    leave_socket(in_place("s"));
    pid_t pid = test_child(stop_in_between, NULL);
    WAIT_UNTIL(*phase == 1);
    CHECK_ERROR(try_bind(in_place("s")), KIN_EEXIST); /* after some patience */
    CHECK_CONTAINS(kin_errmsg(), "locked");
    *phase = 2;
    CHECK_EQ(test_join(pid), 0);
    leave_place();
}

static void leave_one(void *ctx)
{
    (void)unlink(ctx);
    leave_socket(ctx);
}

static void bind_once(void *ctx)
{
    CHECK_OK(try_bind(ctx));
}

static void check_can_be_had(void *ctx, const char *step)
{
    (void)step;
    CHECK_OK(try_bind(ctx));
}

TEST(whoever_is_killed_while_he_takes_over_keeps_nobody_out)
{
    enter_place();
    char path[100];
    snprintf(path, sizeof path, "%s", in_place("s"));
    CHECK_EQ(kill_loop("listen.", path, .setup = leave_one, .victim = bind_once,
                       .check = check_can_be_had),
             2);
    leave_place();
}

/* ---- other places ------------------------------------------------------------------------- */

TEST(the_address_says_which_port_it_became)
{
    kin__bound b = bound_to("127.0.0.1:0");
    CHECK_EQ(strncmp(b.address, "127.0.0.1:", 10), 0);
    CHECK_STR(strrchr(b.address, ':') + 1, b.address + 10);
    CHECK(strcmp(b.address, "127.0.0.1:0") != 0);
    CHECK_ERROR(try_bind(b.address), KIN_EEXIST);
    char address[64];
    snprintf(address, sizeof address, "%s", b.address);
    end(&b);
    CHECK_OK(try_bind(address)); /* at once */
}

TEST(an_abstract_name_is_its_holders_alone)
{
    char name[64];
    snprintf(name, sizeof name, "@kin-test-%d", (int)getpid());
    kin__bound b = bound_to(name);
    CHECK_STR(b.address, name);
    CHECK_ERROR(try_bind(name), KIN_EEXIST);
    end(&b);
    CHECK_OK(try_bind(name));
}

TEST(without_an_address_it_is_a_path_in_a_folder_of_its_own)
{
    struct stat info;
    enter_place();
    CHECK_EQ(setenv("TMPDIR", place, 1), 0);
    kin__bound a = bound_to(NULL), b = bound_to(NULL);
    CHECK(strcmp(a.address, b.address) != 0);
    CHECK_EQ(strncmp(a.address, place, strlen(place)), 0);
    check_listens(a.address);
    char folder[200];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(a.address, '/') - a.address), a.address);
    CHECK_EQ(stat(folder, &info), 0);
    CHECK_EQ(info.st_mode & 07777, 0700);
    end(&a);
    end(&b);
    leave_place();
}

static int unlink_and_close(void *ctx)
{
    end(ctx);
    return 0;
}

TEST(a_forked_child_does_not_unlink)
{
    enter_place();
    kin__bound b = bound_to(in_place("s"));
    CHECK_EQ(test_join(test_child(unlink_and_close, &b)), 0);
    check_listens(in_place("s"));
    end(&b);
    leave_place();
}

static int open_and_end(void *ctx)
{
    kin__bound b;
    int rv = kin__bound_open(&b, ctx, 1);
    if (rv == 0) {
        end(&b);
    }
    return rv;
}

TEST(without_memory_or_system_calls_nothing_is_left)
{
    enter_place();
    CHECK_EQ(setenv("TMPDIR", place, 1), 0);
    for (int kind = KIN__FAULT_CALL; kind <= KIN__FAULT_MEMORY; kind++) {
        enum kin__fault_kind what = (enum kin__fault_kind)kind;
        CHECK_GE(fault_loop(what, NULL, .attempt = open_and_end), 1);
        CHECK_GE(fault_loop(what, (void *)(uintptr_t)in_place("s"), .attempt = open_and_end), 1);
        char tcp[] = "127.0.0.1:0";
        CHECK_GE(fault_loop(what, tcp, .attempt = open_and_end), 1);
    }
    leave_place();
}
