#include "domain/map.h"
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

/* ---- growth --------------------------------------------------------------------------------- */

TEST(the_domain_grows_by_steps)
{
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    unsigned steps = 0;
    kin__self();
    uint64_t top = atomic_load(&base()->top);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = kin_alloc(20000);
        CHECK_NOT_NULL(blocks[i]);
        uint64_t now = atomic_load(&base()->top);
        if (now != top) {
            CHECK_GE(now - top, 16);
            CHECK_LE(now - top, 256);
            steps++;
            top = now;
        }
    }
    CHECK_GT(steps, 3);
    CHECK_LE(steps, 40);
    for (int i = 0; i < COUNT; i++) {
        kin_free(blocks[i]);
    }
}

TEST(a_block_larger_than_a_step_is_a_step_of_its_own)
{
    size_t size = (size_t)64 << 20;
    char *p = kin_alloc(size);
    CHECK_NOT_NULL(p);
    p[size - 1] = 1;
    CHECK_EQ(atomic_load(&base()->top), size / PAGE_SIZE);
    CHECK(kin__in_domain(p, size));
    CHECK(!kin__in_domain(p, size + 1));
    CHECK(!kin__in_domain(p - 1, 1));
    CHECK(!kin__in_domain(&p, 1));
    CHECK(!kin__in_domain(p + 1, SIZE_MAX));
    kin_free(p);
}

struct growth {
    _Atomic int ready;
    char *blocks[2][40];
};

static struct growth *growth;

static int grow(void *ctx)
{
    char **mine = ctx;
    growth->ready++;
    WAIT_UNTIL(growth->ready == 2);
    for (int i = 0; i < 40; i++) {
        mine[i] = kin_alloc(300000);
        if (mine[i] == NULL) {
            return 1;
        }
        memset(mine[i], i + 1, 300000);
    }
    return 0;
}

TEST(two_processes_may_grow_the_domain_at_once)
{
    growth = test_shared(sizeof *growth);
    kin__self();
    pid_t a = test_child(grow, growth->blocks[0]);
    pid_t b = test_child(grow, growth->blocks[1]);
    CHECK_EQ(test_join(a), 0);
    CHECK_EQ(test_join(b), 0);
    for (int i = 0; i < 80; i++) {
        char *p = growth->blocks[i / 40][i % 40];
        for (size_t k = 0; k < 300000; k += 999) {
            CHECK_EQ(p[k], i % 40 + 1);
        }
        kin_free(p);
    }
    CHECK_EQ(usage().blocks, 0);
}

/* ---- refusal --------------------------------------------------------------------------------- */

/* Allocates until there is no more, and frees it all; how many bytes there were. */
static uint64_t use_up(size_t size)
{
    enum { MOST = 4000 };
    static void *blocks[MOST];
    int n = 0;
    while (n < MOST && (blocks[n] = kin_alloc(size)) != NULL) {
        n++;
    }
    CHECK_LT(n, MOST);
    CHECK(kin_errmsg()[0]);
    uint64_t bytes = (uint64_t)n * size;
    while (n > 0) {
        kin_free(blocks[--n]);
    }
    return bytes;
}

static void check_limit(uint64_t limit)
{
    uint64_t small = use_up(20000);
    CHECK_CONTAINS(kin_errmsg(), "memory is full");
    CHECK_LE(usage().committed, limit + 100000);
    CHECK_GT(small, limit * 8 / 10);
    uint64_t large = use_up(500000); /* the same memory again */
    CHECK_GT(large, limit * 8 / 10);
    CHECK_LE(large, limit);
    CHECK_EQ(usage().blocks, 0);
    void *p = kin_alloc(limit + 1);
    CHECK_NULL(p);
    p = kin_alloc(limit - PAGE_SIZE);
    CHECK_NOT_NULL(p);
    kin_free(p);
}

TEST(max_memory_is_kept)
{
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 20 << 20 }));
    check_limit(20 << 20);
}

TEST(max_memory_may_come_from_the_environment)
{
    setenv("KIN_MEMORY", "20M", 1);
    check_limit(20 << 20);
}

TEST(the_program_overrules_the_environment)
{
    setenv("KIN_MEMORY", "1M", 1);
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 20 << 20 }));
    check_limit(20 << 20);
}

static void count_warning(int level, const char *text, void *ctx)
{
    (void)level;
    *(int *)ctx += strstr(text, "KIN_MEMORY") != NULL;
}

static int ignores(void *value)
{
    int warnings = 0;
    setenv("KIN_MEMORY", value, 1);
    kin_log_set_handler(count_warning, &warnings);
    void *p = kin_alloc(10);
    return p != NULL && warnings == 1 && base()->max_memory == UINT64_MAX ? 0 : 1;
}

TEST(nonsense_in_the_environment_is_ignored_with_a_warning)
{
    char *values[] = { "", "M", "-5M", "0", "12X", "12MB", "1 M", "20000000T", "x" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        CHECK_(test_join(test_child(ignores, values[i])) == 0, "KIN_MEMORY=\"%s\"", values[i]);
    }
}

static int accepts_units(void *unused)
{
    (void)unused;
    setenv("KIN_MEMORY", "3G", 1);
    return kin__self() != 0 && base()->max_memory == (uint64_t)3 << 30 ? 0 : 1;
}

TEST(the_environment_may_say_gigabytes)
{
    CHECK_EQ(test_join(test_child(accepts_units, NULL)), 0);
}

TEST(setup_comes_first_or_is_refused)
{
    CHECK_ERROR(kin_domain_setup(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_domain_setup(&(kin_domain_options){ .reserved = { 0, 0, 0, 1 } }), KIN_EINVAL);
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ 0 }));
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ 0 }));
    kin__self();
    CHECK_ERROR(kin_domain_setup(&(kin_domain_options){ 0 }), KIN_ESTATE);
}

TEST(a_limit_too_small_for_anything_is_an_error_later)
{
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 1 }));
    CHECK_NULL(kin_alloc(10));
    CHECK_CONTAINS(kin_errmsg(), "full");
    CHECK_EQ(usage().blocks, 0);
}

/* A child that may write files of so many bytes only. */
static int live_with_file_limit(void *ctx)
{
    struct rlimit limit = { *(rlim_t *)ctx, *(rlim_t *)ctx };
    setrlimit(RLIMIT_FSIZE, &limit);
    if (kin_alloc((size_t)64 << 20) != NULL || !kin_errmsg()[0]) {
        return 1;
    }
    return 0;
}

TEST(a_limit_of_file_sizes_is_an_error_and_no_signal)
{
    rlim_t sizes[] = { 0, 4096, 1 << 20, 40 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_EQ(test_join(test_child(live_with_file_limit, &sizes[i])), 0);
    }
    void *p = kin_alloc(100);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* the domain is there before */
        CHECK_EQ(test_join(test_child(live_with_file_limit, &sizes[i])), 0);
    }
    kin_free(p);
}

static int live_with_few_addresses(void *ctx)
{
    rlim_t more = *(rlim_t *)ctx;
    uint64_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL || fscanf(statm, "%lu", &pages) != 1) {
        return 2;
    }
    fclose(statm);
    struct rlimit limit = { pages * 4096 + more, pages * 4096 + more };
    setrlimit(RLIMIT_AS, &limit);
    char *p = kin_alloc(100000);
    bool enough = more > (128 << 20) + (1 << 20);
    return (p != NULL) == enough && (enough || kin_errmsg()[0]) ? 0 : 1;
}

TEST(few_addresses_make_a_small_domain_or_an_error)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("sanitizers need addresses");
#endif
    rlim_t sizes[] = { 1 << 20, 64 << 20, 100 << 20, 140 << 20, (rlim_t)1 << 30, (rlim_t)40 << 30 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_EQ(test_join(test_child(live_with_few_addresses, &sizes[i])), 0);
    }
}

static int live_without_descriptors(void *unused)
{
    (void)unused;
    struct rlimit few = { 5, 5 };
    setrlimit(RLIMIT_NOFILE, &few);
    while (dup(0) >= 0) {
    }
    kin_usage_info info;
    bool refused = kin_alloc(10) == NULL && strstr(kin_errmsg(), "cannot make") != NULL &&
                   kin_usage(&info) == KIN_EMFILE && base() == NULL;
    close(4);
    bool works = kin_alloc(10) == NULL; /* one for the memory, one to read /proc */
    close(3);
    return !refused ? 1 : !works ? 2 : kin_alloc(10) == NULL ? 3 : 0;
}

TEST(no_descriptors_at_the_first_call_is_said_and_can_be_mended)
{
    CHECK_EQ(test_join(test_child(live_without_descriptors, NULL)), 0);
}

/* ---- where stdio is closed ------------------------------------------------------------------- */

TEST(the_domains_descriptor_is_not_where_a_stream_writes)
{
    int out = kin__os_move_above(STDOUT_FILENO, 100);
    CHECK_GE(out, 0);
    kin__self();
    kin__place place;
    kin__domain_place(&place);
    CHECK_GT(place.fd, STDERR_FILENO);
    CHECK_OK(kin__os_move_to(out, STDOUT_FILENO));
}
