/* Programs when memory is out, and when system calls fail. */
#include "harness.h"
#include <kin/subprocess.h>
#include <unistd.h>

#define TEXT "some text\n"

struct attempt {
    const char *const *argv;
    const char *input;
    bool popen;
    double timeout;
};

static int run(const struct attempt *it)
{
    kin_completed_process done = { .returncode = 77 };
    const kin_run_options options = { .input = it->input, .capture = true, .err = KIN_DEVNULL };
    int rv = kin_run(it->argv, &options, &done);
    if (rv < 0) {
        CHECK_EQ(done.returncode, 77);
        CHECK_NULL(done.out);
        return rv;
    }
    CHECK_EQ(done.returncode, 0);
    CHECK_STR(done.out, it->input);
    kin_completed_process_done(&done);
    return rv;
}

/* A communication that failed may be tried again. */
static int talk(const struct attempt *it)
{
    kin_popen *popen = NULL;
    kin_completed_process done = { .returncode = 77 };
    int rv = kin_popen_new(&popen, it->argv,
                           &(const kin_run_options){ .in = KIN_PIPE, .out = KIN_PIPE });
    if (rv < 0) {
        CHECK_NULL(popen);
        return rv;
    }
    char *input = strdup(it->input);
    rv = kin_popen_communicate(popen, input, strlen(input), it->timeout, &done);
    free(input); /* it was lent for the call */
    if (rv < 0) {
        CHECK_EQ(done.returncode, 77);
        int again = kin_popen_communicate(popen, NULL, 0, 1000, &done);
        CHECK_EQ(again, 0);
    }
    CHECK_EQ(done.returncode, 0);
    CHECK(rv < 0 || strcmp(done.out, it->input) == 0);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
    return rv;
}

static int attempt(void *ctx)
{
    const struct attempt *it = ctx;
    return it->popen ? talk(it) : run(it);
}

static const char *const cat[] = { "cat", NULL };

TEST(without_memory_a_run_fails_and_leaves_nothing)
{
    static char large[100000]; /* so that buffers have to grow */
    memset(large, 'x', sizeof large - 1);
    struct attempt it = { .argv = cat, .input = large, .timeout = KIN_FOREVER };
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &it, .attempt = attempt), 6);
    it.popen = true;
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &it, .attempt = attempt), 6);
    it.timeout = 1000;
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &it, .attempt = attempt), 7);
}

TEST(no_system_call_that_fails_leaves_a_program_behind)
{
    struct attempt it = { .argv = cat, .input = TEXT, .timeout = KIN_FOREVER };
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &it, .attempt = attempt), 6);
    it.popen = true;
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &it, .attempt = attempt), 6);
}

static int run_line(void *ctx)
{
    const char *const argv[] = { ctx, NULL };
    return kin_run(argv, &(const kin_run_options){ .shell = true }, NULL);
}

TEST(without_memory_a_line_is_not_run)
{
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, "exit 0", .attempt = run_line), 2);
}
