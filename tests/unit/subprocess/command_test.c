#include "programs.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- which program -------------------------------------------------------------------- */

/* A directory with two programs called kin-tool: in a/ it may not be executed, in b/ it says b. */
struct folder {
    char path[64];
    char a[80], b[80];
};

static void write_tool(const char *folder, const char *text, mode_t mode)
{
    char path[96];
    snprintf(path, sizeof path, "%s/kin-tool", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    CHECK_GE(fd, 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static void make_folder(struct folder *f)
{
    snprintf(f->path, sizeof f->path, "/tmp/kin-test-XXXXXX");
    CHECK_NOT_NULL(mkdtemp(f->path));
    snprintf(f->a, sizeof f->a, "%s/a", f->path);
    snprintf(f->b, sizeof f->b, "%s/b", f->path);
    CHECK_EQ(mkdir(f->a, 0700), 0);
    CHECK_EQ(mkdir(f->b, 0700), 0);
    write_tool(f->a, "#!/bin/sh\necho a\n", 0600);
    write_tool(f->b, "#!/bin/sh\necho b\n", 0700);
}

static void remove_folder(const struct folder *f)
{
    CHECK_OK(kin_run(ARGV("rm", "-r", f->path), NULL, NULL));
}

/* Runs kin-tool with that PATH: what it says, or the error's name. */
static const char *run_tool(const char *path, const char *cwd, const char *name)
{
    static char text[64];
    char variable[256];
    snprintf(variable, sizeof variable, "PATH=%s", path);
    const char *const env[] = { "X=1", variable, "PATH=/no/such", NULL };
    kin_completed_process done = { 0 };
    int rv = kin_run(ARGV(name), OPTIONS(.env = env, .cwd = cwd, .capture = true), &done);
    snprintf(text, sizeof text, "%s", rv < 0 ? kin_errname(rv) : done.out);
    kin_completed_process_done(&done);
    return text;
}

TEST(the_path_of_the_programs_own_environment_is_searched)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    struct folder f;
    char path[256];
    make_folder(&f);
    CHECK_STR(run_tool(f.b, NULL, "kin-tool"), "b\n");
    CHECK_STR(run_tool(f.a, NULL, "kin-tool"), "KIN_EACCES");
    CHECK_STR(run_tool(f.path, NULL, "kin-tool"), "KIN_ENOENT");
    snprintf(path, sizeof path, "/no/such:%s:%s", f.a, f.b);
    CHECK_STR(run_tool(path, NULL, "kin-tool"), "b\n"); /* what may not be run does not stop it */
    snprintf(path, sizeof path, "%s:/no/such", f.a);
    CHECK_STR(run_tool(path, NULL, "kin-tool"), "KIN_EACCES");
    remove_folder(&f);
}

TEST(an_empty_directory_of_the_path_is_the_one_it_starts_in)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    struct folder f;
    make_folder(&f);
    CHECK_STR(run_tool("", f.b, "kin-tool"), "b\n");
    CHECK_STR(run_tool("/no/such:", f.b, "kin-tool"), "b\n");
    CHECK_STR(run_tool(":/no/such", f.b, "kin-tool"), "b\n");
    CHECK_STR(run_tool("/no/such::/nor/this", f.b, "kin-tool"), "b\n");
    CHECK_STR(run_tool("/no/such", f.b, "kin-tool"), "KIN_ENOENT");
    remove_folder(&f);
}

TEST(a_name_with_a_slash_is_not_searched)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    struct folder f;
    char path[96];
    make_folder(&f);
    snprintf(path, sizeof path, "%s/kin-tool", f.b);
    CHECK_STR(run_tool("/no/such", NULL, path), "b\n");
    CHECK_STR(run_tool("/no/such", f.path, "b/kin-tool"), "b\n");
    CHECK_STR(run_tool(f.path, NULL, "b/kin-tool"), "KIN_ENOENT");
    CHECK_STR(run_tool(f.b, f.b, ""), "KIN_ENOENT");
    remove_folder(&f);
}

TEST(without_a_path_there_is_a_default_one)
{
    kin_completed_process done = { 0 };
    const char *const env[] = { NULL };
    CHECK_OK(kin_run(ARGV("true"), OPTIONS(.env = env), &done));
    CHECK_EQ(done.returncode, 0);
    unsetenv("PATH");
    CHECK_OK(kin_run(ARGV("false"), NULL, &done));
    CHECK_EQ(done.returncode, 1);
    setenv("PATH", "/no/such", 1);
    if (!under_valgrind()) {
        CHECK_ERROR(kin_run(ARGV("true"), NULL, &done), KIN_ENOENT);
    }
}

TEST(a_line_for_the_shell_has_arguments_of_its_own)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_run(ARGV("echo $0 $2 $1; exit 5", "zero", "one", "two"),
                     OPTIONS(.shell = true, .capture = true), &done));
    CHECK_EQ(done.returncode, 5);
    CHECK_STR(done.out, "zero two one\n");
    kin_completed_process_done(&done);
    CHECK_EQ(run_line("no-such-command-of-the-shell 2>/dev/null"), 127);
}

/* ---- what cannot be started ----------------------------------------------------------- */

/* Tries both ways to start; neither gives anything. */
static void refuse(const char *const argv[], const kin_run_options *options, int code)
{
    kin_completed_process done = { .returncode = 77 };
    kin_popen *popen = (kin_popen *)&done;
    CHECK_ERROR(kin_run(argv, options, &done), code);
    CHECK_EQ(done.returncode, 77);
    CHECK_NULL(done.out);
    CHECK_ERROR(kin_popen_new(&popen, argv, options), code);
    CHECK_PTR(popen, &done);
}

TEST(a_missing_program_is_told_from_a_missing_directory)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    refuse(ARGV("no-such-program", "-x"), NULL, KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), "the program \"no-such-program\": ");
    refuse(ARGV("/no/such/program"), NULL, KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), "/no/such/program");
    refuse(ARGV("true"), OPTIONS(.cwd = "/no/such/directory"), KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), "the directory \"/no/such/directory\": ");
    refuse(ARGV("true"), OPTIONS(.cwd = ""), KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), "cannot start \"true\" in the directory \"\": ");
    refuse(ARGV("exit 0"), OPTIONS(.cwd = "/no/such/directory", .shell = true), KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), "the directory \"/no/such/directory\": ");
    refuse(ARGV(""), NULL, KIN_ENOENT);
    CHECK_CONTAINS(kin_errmsg(), "the program \"\": ");
}

TEST(what_may_not_be_executed_is_said_to_be_so)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    refuse(ARGV("/etc/passwd"), NULL, KIN_EACCES);
    CHECK_CONTAINS(kin_errmsg(), "/etc/passwd");
    refuse(ARGV("/usr"), NULL, KIN_EACCES);
}

TEST(a_long_name_is_cut_in_sentences_between_two_characters)
{
    char name[400] = "/";
    for (int i = 0; i < 150; i++) {
        strcat(name, "\xc3\xa9");
    }
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    refuse(ARGV(name), NULL, KIN_EOS); /* a component may have 255 bytes */
    CHECK_CONTAINS(kin_errmsg(), "\xc3\xa9...\": ");
}

TEST(a_script_is_shown_as_far_as_its_first_line_goes)
{
    const kin_run_options *options = OPTIONS(.shell = true, .check = true);
    CHECK_ERROR(kin_run(ARGV("exit 3"), options, NULL), KIN_EFAILED);
    CHECK_STR(kin_errmsg(), "kin_run: \"exit 3\" ended with 3");
    CHECK_ERROR(kin_run(ARGV("exit 3\necho never"), options, NULL), KIN_EFAILED);
    CHECK_STR(kin_errmsg(), "kin_run: \"exit 3...\" ended with 3");
    char line[200] = "exit 3; ";
    memset(line + 8, '#', 150);
    CHECK_ERROR(kin_run(ARGV(line), options, NULL), KIN_EFAILED);
    line[100] = '\0';
    char sentence[300];
    snprintf(sentence, sizeof sentence, "kin_run: \"%s...\" ended with 3", line);
    CHECK_STR(kin_errmsg(), sentence);
}

/* ---- bad input ------------------------------------------------------------------------ */

TEST(there_has_to_be_a_program)
{
    refuse(NULL, NULL, KIN_EINVAL);
    refuse((const char *const[]){ NULL }, NULL, KIN_EINVAL);
    refuse((const char *const[]){ NULL }, OPTIONS(.shell = true), KIN_EINVAL);
    CHECK_ERROR(kin_popen_new(NULL, ARGV("true"), NULL), KIN_EINVAL);
}

TEST(options_that_are_none_are_refused)
{
    for (int i = 0; i < 4; i++) {
        kin_run_options options = { .in = 0 };
        options.reserved[i] = 1;
        refuse(ARGV("true"), &options, KIN_EINVAL);
    }
    refuse(ARGV("true"), OPTIONS(.in = KIN_STDOUT), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), ".in cannot be KIN_STDOUT");
    refuse(ARGV("true"), OPTIONS(.out = KIN_STDOUT), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), ".out cannot be KIN_STDOUT");
    refuse(ARGV("true"), OPTIONS(.in = -4), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), ".in cannot be -4");
    refuse(ARGV("true"), OPTIONS(.out = -4), KIN_EINVAL);
    refuse(ARGV("true"), OPTIONS(.err = -4), KIN_EINVAL);
}

TEST(where_reserved_options_are_not_zero_nothing_else_is_complained_of)
{
    kin_run_options options = { .in = -4, .input_size = 1, .timeout = -1, .n_fds = 1 };
    options.reserved[3] = 1;
    refuse(NULL, &options, KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_popen_new: a reserved option is not zero");
    CHECK_ERROR(kin_run(NULL, &options, NULL), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_run: a reserved option is not zero");
}

TEST(descriptors_have_to_be_open)
{
    refuse(ARGV("true"), OPTIONS(.in = 99), KIN_EINVAL);
    refuse(ARGV("true"), OPTIONS(.out = 99), KIN_EINVAL);
    refuse(ARGV("true"), OPTIONS(.err = 99), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "99");
    refuse(ARGV("true"), OPTIONS(.fds = NULL, .n_fds = 1), KIN_EINVAL);
    refuse(ARGV("true"), OPTIONS(.fds = (int[]){ 1, 99 }, .n_fds = 2), KIN_EINVAL);
    refuse(ARGV("true"), OPTIONS(.fds = (int[]){ -1 }, .n_fds = 1), KIN_EINVAL);
}

static void refuse_to_run(const kin_run_options *options)
{
    kin_completed_process done = { .returncode = 77 };
    CHECK_ERROR(kin_run(ARGV("true"), options, &done), KIN_EINVAL);
    CHECK_EQ(done.returncode, 77);
}

TEST(what_matters_to_run_alone_is_refused_there_alone)
{
    refuse_to_run(OPTIONS(.input = "x", .in = KIN_DEVNULL));
    CHECK_CONTAINS(kin_errmsg(), ".in is KIN_DEVNULL");
    refuse_to_run(OPTIONS(.input = "x", .in = 1));
    CHECK_CONTAINS(kin_errmsg(), ".in is descriptor 1");
    refuse_to_run(OPTIONS(.input_size = 1));
    refuse_to_run(OPTIONS(.timeout = -1));
    refuse_to_run(OPTIONS(.timeout = (double)NAN));
    kin_popen *popen = NULL;
    CHECK_OK(kin_popen_new(
        &popen, ARGV("true"),
        OPTIONS(.input = "x", .in = KIN_DEVNULL, .timeout = (double)NAN, .check = true)));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
}
