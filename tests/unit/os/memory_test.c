#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static int new_file(void)
{
    int fd = kin__os_memfd("test");
    CHECK_GE(fd, 0);
    return fd;
}

static uint64_t bytes_taken(int fd)
{
    struct stat stat;
    fstat(fd, &stat);
    return (uint64_t)stat.st_blocks * 512;
}

/* An address where `size` bytes are free. */
static void *free_place(size_t size)
{
    void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    munmap(at, size);
    return at;
}

/* ---- files ---------------------------------------------------------------------------- */

TEST(a_memory_file_closes_on_exec)
{
    int fd = new_file();
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    kin__os_close(fd);
}

TEST(a_memory_file_grows_and_never_shrinks)
{
    int fd = new_file();
    CHECK_EQ(kin__os_commit(fd, 0, MIB), 0);
    CHECK_EQ(ftruncate(fd, 0), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(ftruncate(fd, (off_t)(2 * MIB)), 0);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), -1);
    kin__os_close(fd);
}

/* ---- mapping -------------------------------------------------------------------------- */

TEST(map_at_maps_at_exactly_that_place_and_commits_nothing)
{
    int fd = new_file();
    char *at = free_place(4 * GIB);
    CHECK_EQ(kin__os_map_at(at, 4 * GIB, fd), 0);
    CHECK_EQ(bytes_taken(fd), 0);
    CHECK_EQ(kin__os_commit(fd, 0, MIB), 0);
    at[MIB - 1] = 'x';
    CHECK_EQ(bytes_taken(fd), MIB);
    munmap(at, 4 * GIB);
    kin__os_close(fd);
}

TEST(map_at_refuses_a_place_that_is_taken)
{
    int fd = new_file();
    char *at = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *at = 'x';
    CHECK_EQ(kin__os_map_at(at, MIB, fd), -EEXIST);
    CHECK_EQ(kin__os_map_at(at - MIB, 2 * MIB, fd), -EEXIST);
    CHECK_EQ(*at, 'x');
    munmap(at, MIB);
    kin__os_close(fd);
}

static int write_42(void *at)
{
    *(int *)at = 42;
    return 0;
}

TEST(what_a_child_writes_its_parent_reads)
{
    int fd = new_file();
    int *at = free_place(MIB);
    CHECK_EQ(kin__os_map_at(at, MIB, fd), 0);
    CHECK_EQ(kin__os_commit(fd, 0, 4096), 0);
    CHECK_EQ(test_join(test_child(write_42, at)), 0);
    CHECK_EQ(*at, 42);
    munmap(at, MIB);
    kin__os_close(fd);
}

TEST(shared_memory_is_zeroed_and_what_a_child_writes_there_its_parent_reads)
{
    void *at = NULL;
    CHECK_EQ(kin__os_shared_memory(2 * MIB, &at), 0);
    CHECK_EQ(((int *)at)[0], 0);
    CHECK_EQ(((char *)at)[2 * MIB - 1], 0);
    CHECK_EQ(test_join(test_child(write_42, at)), 0);
    CHECK_EQ(((int *)at)[0], 42);
    kin__os_unmap(at, 2 * MIB);
    CHECK_EQ(kin__os_shared_memory(SIZE_MAX / 2, &at), -ENOMEM);
}

/* Whether the mapping that begins at `at` has this flag in /proc/self/smaps. */
static bool has_flag(const void *at, const char *flag)
{
    char line[512];
    char begin[32];
    bool there = false;
    snprintf(begin, sizeof begin, "%08lx-", (unsigned long)(uintptr_t)at);
    FILE *maps = fopen("/proc/self/smaps", "re");
    while (fgets(line, sizeof line, maps) != NULL) {
        there = there || strncmp(line, begin, strlen(begin)) == 0;
        if (there && strncmp(line, "VmFlags:", 8) == 0) {
            break;
        }
    }
    fclose(maps);
    return there && strstr(line, flag) != NULL;
}

TEST(a_mapping_stays_out_of_core_dumps)
{
    int fd = new_file();
    void *at = free_place(GIB);
    CHECK_EQ(kin__os_map_at(at, GIB, fd), 0);
    CHECK(has_flag(at, " dd "));
    munmap(at, GIB);
    kin__os_close(fd);
}

/* ---- growing -------------------------------------------------------------------------- */

TEST(commit_takes_the_memory_at_once)
{
    int fd = new_file();
    CHECK_EQ(kin__os_commit(fd, MIB, 3 * MIB), 0);
    CHECK_EQ(bytes_taken(fd), 3 * MIB);
    CHECK_EQ(kin__os_commit(fd, MIB, 3 * MIB), 0);
    CHECK_EQ(bytes_taken(fd), 3 * MIB);
    kin__os_close(fd);
}

TEST(commit_of_nothing_succeeds)
{
    int fd = new_file();
    CHECK_EQ(kin__os_commit(fd, 0, 0), 0);
    CHECK_EQ(kin__os_punch(fd, 0, 0), 0);
    CHECK_EQ(bytes_taken(fd), 0);
    kin__os_close(fd);
}

TEST(commit_refuses_more_than_there_is)
{
    int fd = new_file();
    CHECK_EQ(kin__os_commit(fd, 0, UINT64_C(1) << 50), -ENOSPC);
    CHECK_EQ(kin__os_commit(fd, 0, UINT64_MAX), -ENOSPC);
    CHECK_EQ(kin__os_commit(fd, INT64_MAX, 4096), -ENOSPC);
    CHECK_EQ(kin__os_commit(fd, UINT64_MAX, 4096), -ENOSPC);
    CHECK_EQ(bytes_taken(fd), 0);
    kin__os_close(fd);
}

static int commit_past_file_limit(void *ctx)
{
    int fd = *(int *)ctx;
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ MIB, MIB });
    int past = kin__os_commit(fd, 0, MIB + 4096);
    int beside = kin__os_commit(fd, MIB, 4096);
    int at = kin__os_commit(fd, 0, MIB);
    return past == -ENOSPC && beside == -ENOSPC && at == 0 ? 0 : 1;
}

TEST(commit_past_the_file_size_limit_is_an_error_and_no_signal)
{
    int fd = new_file();
    CHECK_EQ(test_join(test_child(commit_past_file_limit, &fd)), 0);
    kin__os_close(fd);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

TEST(commit_ends_though_signals_rain)
{
    int fd = new_file();
    struct sigaction action = { .sa_handler = count_alarm };
    struct sigaction before;
    sigaction(SIGALRM, &action, &before);
    alarms = 0;
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 2000 }, { 0, 2000 } }, NULL);
    int rv = kin__os_commit(fd, 0, 32 * MIB);
    WAIT_UNTIL(alarms > 0);
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    sigaction(SIGALRM, &before, NULL);
    CHECK_EQ(rv, 0);
    CHECK_EQ(bytes_taken(fd), 32 * MIB);
    kin__os_close(fd);
}

TEST(punch_gives_pages_back_and_they_read_as_zeros)
{
    int fd = new_file();
    char *at = free_place(MIB);
    CHECK_EQ(kin__os_map_at(at, MIB, fd), 0);
    CHECK_EQ(kin__os_commit(fd, 0, MIB), 0);
    memset(at, 'x', MIB);
    CHECK_EQ(kin__os_punch(fd, 4096, MIB - 8192), 0);
    CHECK_EQ(bytes_taken(fd), 8192);
    CHECK_EQ(at[4095], 'x');
    CHECK_EQ(at[4096], 0);
    CHECK_EQ(at[MIB - 4096], 'x');
    munmap(at, MIB);
    kin__os_close(fd);
}

/* ---- the page that forks do not copy --------------------------------------------------- */

static int is_not_42(void *page)
{
    return *(int *)page != 42 ? *(int *)page : 1;
}

TEST(a_wiped_page_reads_as_zeros_in_a_child)
{
    int *page;
    int rv = kin__os_wiped_page(4096, (void **)&page);
    if (rv == -EINVAL) {
        SKIP("this kernel has no MADV_WIPEONFORK");
    }
    CHECK_EQ(rv, 0);
    *page = 42;
    CHECK_EQ(test_join(test_child(is_not_42, page)), 0);
    CHECK_EQ(*page, 42);
    munmap(page, 4096);
}

/* ---- random bytes ----------------------------------------------------------------------- */

TEST(random_fills_the_whole_buffer_differently_each_time)
{
    enum { SIZE = 1 << 16 };
    unsigned char *a = kin__os_calloc(2, SIZE);
    unsigned char *b = a + SIZE;
    CHECK_EQ(kin__os_random(a, SIZE), 0);
    CHECK_EQ(kin__os_random(b, SIZE), 0);
    CHECK_NE(memcmp(a, b, 16), 0);
    unsigned zeros = 0;
    for (int i = SIZE - 16; i < SIZE; i++) {
        zeros += a[i] == 0;
    }
    CHECK_LT(zeros, 16);
    kin__os_free(a);
    CHECK_EQ(kin__os_random(NULL, 0), 0);
}

/* ---- the heap --------------------------------------------------------------------------- */

TEST(nothing_at_all_can_be_allocated_too)
{
    void *p = kin__os_malloc(0);
    CHECK_NOT_NULL(p);
    p = kin__os_realloc(p, 0);
    CHECK_NOT_NULL(p);
    kin__os_free(p);
    p = kin__os_calloc(0, 8);
    CHECK_NOT_NULL(p);
    kin__os_free(p);
    kin__os_free(NULL);
}

TEST(calloc_zeroes)
{
    unsigned char *p = kin__os_calloc(16, 16);
    for (int i = 0; i < 256; i++) {
        CHECK_EQ(p[i], 0);
    }
    kin__os_free(p);
}

TEST(the_nth_allocation_fails)
{
    char *p = kin__os_malloc(8);
    strcpy(p, "kept");
    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    CHECK_NULL(kin__os_realloc(p, 16));
    CHECK_EQ(errno, ENOMEM);
    CHECK_STR(p, "kept");

    kin__fault_arm(KIN__FAULT_MEMORY, 2);
    p = kin__os_realloc(p, 16);
    CHECK_STR(p, "kept");
    CHECK_NULL(kin__os_malloc(8));
    kin__os_free(p);

    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    CHECK_NULL(kin__os_calloc(8, 8));
}

/* ---- calls that fail on demand ---------------------------------------------------------- */

#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        kin__fault_arm(KIN__FAULT_CALL, 1);                                                        \
        CHECK_EQ(call, error);                                                                     \
        CHECK(kin__fault_fired());                                                                 \
    } while (0)

TEST(every_call_can_be_made_to_fail)
{
    int fd = new_file();
    void *place = free_place(MIB);
    void *page = NULL;
    CHECK_FAILS(kin__os_memfd("test"), -EMFILE);
    CHECK_FAILS(kin__os_map_at(place, MIB, fd), -ENOMEM);
    CHECK_FAILS(kin__os_wiped_page(4096, &page), -ENOMEM);
    CHECK_FAILS(kin__os_shared_memory(4096, &page), -ENOMEM);
    CHECK_NULL(page);
    CHECK_FAILS(kin__os_commit(fd, 0, MIB), -ENOSPC);
    CHECK_FAILS(kin__os_punch(fd, 0, MIB), -ENOMEM);
    CHECK_FAILS(kin__os_random(&page, sizeof page), -ENOSYS);
    kin__os_close(fd);
}

static int open_without_descriptors(void *ctx)
{
    (void)ctx;
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 });
    return -kin__os_memfd("test");
}

TEST(without_descriptors_there_is_no_memory_file)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload != NULL && strstr(preload, "vgpreload") != NULL) {
        SKIP("valgrind has descriptors in reserve");
    }
    CHECK_EQ(test_join(test_child(open_without_descriptors, NULL)), EMFILE);
}

/* ---- memory of a thread ------------------------------------------------------------------ */

static void *keep(void *ctx)
{
    void **kept = ctx;
    for (int i = 0; i < 3 && kin__os_keep_for_thread(kept[i]) == 0; i++) {
        ctx = NULL;
    }
    return ctx;
}

/* What is kept last. Under LeakSanitizer it shows that the thread's end frees it, and that nothing
 * is freed twice. */
TEST(what_is_kept_for_a_thread_goes_with_it)
{
    void *replaced = malloc(10);
    void *kept[3] = { NULL, replaced, malloc(1000) };
    pthread_t thread;
    void *failed;
    CHECK_EQ(pthread_create(&thread, NULL, keep, kept), 0);
    CHECK_EQ(pthread_join(thread, &failed), 0);
    CHECK_NULL(failed);
    free(replaced); /* is not the thread's any more */
    CHECK_EQ(kin__os_keep_for_thread(NULL), 0);
}
