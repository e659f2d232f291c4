/* Images of this program that do not turn into what they were started for, or only at a later
 * try. */
#include "contract/start.h"
#include "process/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what images do before main: the environment says ------------------------------------- */

#define LAZY "KIN_TEST_LAZY" /* leaves before kin_init, after trying to have children */
#define SQUAT "KIN_TEST_SQUAT"

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

/* What a program does above its kin_init. */
static void be_lazy(void)
{
    static const char *const methods[] = { "fork", "spawn", "forkserver" };
    int refused = 0;
    for (int i = 0; i < 3; i++) {
        kin_process *child = NULL;
        refused +=
            kin_start(&child, nothing, kin_args(),
                      KIN_OPT(kin_process_options, .start_method = methods[i])) == KIN_ESTATE;
    }
    refused += kin_fork() == KIN_ESTATE;
    printf("%d refused, ", refused);
    exit(0);
}

/* Takes the place of the family's memory: "address tries", of which the first ones find it
 * taken. */
static void squat(const char *text)
{
    unsigned long address;
    int tries, fd;
    if (sscanf(text, "%lx %d", &address, &tries) != 2) {
        return;
    }
    char path[64];
    snprintf(path, sizeof path, "/tmp/kin-squat-%d", (int)getppid());
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int done = (int)lseek(fd, 0, SEEK_END); /* a byte for each try */
    if (write(fd, "x", 1) == 1 && done < tries) {
        (void)mmap((void *)address, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0);
    }
    close(fd);
}

/* After the library's own constructor. */
__attribute__((constructor)) static void begin_image(void)
{
    const char *squatted = getenv(SQUAT);
    if (squatted != NULL) {
        squat(squatted);
    }
    if (getenv(LAZY) != NULL) {
        be_lazy();
    }
}

/* ---- running images ------------------------------------------------------------------------- */

/* Runs body(ctx) in a child whose stdout and stderr are caught; what it wrote. */
static const char *written_by(int (*body)(void *ctx), void *ctx, int expected)
{
    static char text[4096];
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        exit(body(ctx));
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)n;
    }
    text[length] = '\0';
    close(ends[0]);
    CHECK_EQ(test_join(pid), expected);
    return text;
}

/* This program with KIN__START=text, and a packet's descriptor if that is asked for. */
struct image {
    const char *start;
    int fd;
};

static int execute(void *ctx)
{
    const struct image *image = ctx;
    if (image->fd >= 0) {
        dup2(image->fd, 77);
    }
    setenv("KIN__START", image->start, 1);
    execl("/proc/self/exe", "spawn_test", "--list", (char *)NULL);
    return 99;
}

static const char *run_image(const char *start, int fd, int expected)
{
    return written_by(execute, &(struct image){ start, fd }, expected);
}

TEST(garbage_in_the_environment_is_told_or_ignored)
{
    static const char *const ignored[] = { "", "x", "c", "c7", "x7.0", "7.0", "c.0", "k\n7.0" };
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        CHECK_CONTAINS(run_image(ignored[i], -1, 0), "garbage_in_the_environment");
    }
    CHECK_CONTAINS(run_image("c77.0", -1, 1), "could not begin: ");
    CHECK_CONTAINS(run_image("s77.0", -1, 1), "its descriptor is not open");
    CHECK_CONTAINS(run_image("c-1.0", -1, 1), "its descriptor is not open");
    CHECK_CONTAINS(run_image("c99999999999999999999.0", -1, 1), "its descriptor is not open");
}

/* A packet as a child gets it. */
static int write_packet(void)
{
    const kin__packet_fds fds = { -1, -1 };
    kin_process *p = NULL;
    CHECK_OK(kin__join());
    CHECK_OK(kin_process_new(&p, nothing, kin_args(), NULL));
    int fd = kin__packet_write(p, &fds);
    CHECK_OK(fd);
    kin__os_unmap(p->record, RECORD_SIZE);
    p->record = NULL;
    kin_process_free(p);
    return fd;
}

TEST(garbage_behind_the_descriptor_is_told)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_CONTAINS(run_image("c77.0", ends[0], 1), "it is too short");
    close(ends[0]);
    close(ends[1]);
    int fd = memfd_create("garbage", 0);
    CHECK_EQ(ftruncate(fd, 100000), 0);
    CHECK_CONTAINS(run_image("c77.0", fd, 1), "it does not begin like one");
    close(fd);
    fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_CONTAINS(run_image("c77.0", fd, 1), "could not begin");
    close(fd);
    fd = write_packet();
    CHECK_CONTAINS(run_image("c77.0", fd, 1), "could not begin"); /* without the family's memory */
    close(fd);
}

/* ---- images that do not come to kin_init ----------------------------------------------------- */

static kin_process *start_quietly(const char *method, int *ret_rv)
{
    kin_process *child = NULL;
    *ret_rv = kin_start(&child, nothing, kin_args(),
                        KIN_OPT(kin_process_options, .start_method = method));
    return child;
}

static int spawn_lazy(void *ctx)
{
    int rv;
    setenv(LAZY, "1", 1);
    kin_process *child = start_quietly(ctx, &rv);
    unsetenv(LAZY);
    return rv < 0 ? 50 : end(child);
}

TEST(an_image_without_kin_init_fails_and_has_no_children)
{
    char method[] = "spawn";
    const char *text = written_by(spawn_lazy, method, 1);
    CHECK_CONTAINS(text, "4 refused, ");
    CHECK_CONTAINS(text, "ended without calling kin_init");
}

static int serve_lazily(void *ctx)
{
    int rv, again;
    setenv(LAZY, "1", 1);
    kin_process *child = start_quietly(ctx, &rv);
    CHECK_NULL(child);
    CHECK_ERROR(rv, KIN_EBROKEN);
    unsetenv(LAZY);
    child = start_quietly(ctx, &again);
    return again < 0 ? 50 : end(child);
}

TEST(a_server_without_kin_init_is_an_error_and_may_be_tried_again)
{
    char method[] = "forkserver";
    CHECK_CONTAINS(written_by(serve_lazily, method, 0), "4 refused, ");
}

TEST(a_program_without_kin_init_can_only_fork)
{
    static const char *const methods[] = { "spawn", "forkserver" };
    kin__process_ready = false;
    for (int i = 0; i < 2; i++) {
        int rv;
        CHECK_NULL(start_quietly(methods[i], &rv));
        CHECK_EQ(rv, KIN_ESTATE);
        CHECK_CONTAINS(kin_errmsg(), "kin_init(argc, argv)");
    }
    CHECK_EQ(run_by("fork", nothing, kin_args()), 0);
    kin__process_ready = true;
}

/* ---- images in which something lies where the family's memory belongs ------------------------ */

static int spawn_squatted(int tries)
{
    kin__place place;
    char text[64], path[64];
    int rv;
    CHECK_OK(kin__join());
    kin__domain_place(&place);
    snprintf(text, sizeof text, "%lx %d", (unsigned long)place.at + (1 << 20), tries);
    snprintf(path, sizeof path, "/tmp/kin-squat-%d", (int)getpid());
    setenv(SQUAT, text, 1);
    kin_process *child = start_quietly("spawn", &rv);
    unsetenv(SQUAT);
    CHECK_OK(rv);
    int code = end(child);
    unlink(path);
    return code;
}

TEST(an_image_tries_again_when_the_address_is_taken)
{
    CHECK_EQ(spawn_squatted(0), 0);
    CHECK_EQ(spawn_squatted(1), 0);
    CHECK_EQ(spawn_squatted(5), 0);
}

static int spawn_where_all_is_taken(void *ctx)
{
    (void)ctx;
    return spawn_squatted(1000);
}

TEST(an_image_gives_up_some_time)
{
    CHECK_CONTAINS(written_by(spawn_where_all_is_taken, NULL, 1), "cannot map the family's memory");
}

/* ---- arguments of main ----------------------------------------------------------------------- */

static kin_obj know_environment(kin_obj args)
{
    (void)args;
    SEE(getenv("KIN__START") == NULL);
    SEE(strcmp(getenv("KIN_TEST_WORD"), "word") == 0);
    return kin_none();
}

TEST(an_image_has_the_environment_and_nothing_of_ours)
{
    setenv("KIN_TEST_WORD", "word", 1);
    CHECK_EQ(run_by("spawn", know_environment, kin_args()), 0);
    CHECK_EQ(run_by("forkserver", know_environment, kin_args()), 0);
    CHECK_EQ(run_by("fork", know_environment, kin_args()), 0);
}
