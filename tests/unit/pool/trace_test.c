#include "pool/seen.h"
#include "pool_scene.h"

#include <sys/wait.h>
#include <unistd.h>

/* ---- a trace as a reader sees it: whole JSON, and in it events ---- */

typedef struct event {
    char kind;
    char name[100], said[40]; /* what a name says: args.name */
    char error[40];           /* args.error, of what failed */
    long pid, tid, worker, code, dropped;
    double begin, span, wait;
} event;

static char path[64];
static event events[20000];
static size_t n_events;

static void begin_trace(void)
{
    snprintf(path, sizeof path, "/tmp/kin-trace-test-%d", (int)getpid());
    unlink(path);
    setenv("KIN_TRACE", path, 1);
}

static const char *text_of_file(void)
{
    static char text[1 << 22];
    FILE *file = fopen(path, "r");
    CHECK_NOT_NULL(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    CHECK_LT(n, sizeof text - 1);
    text[n] = '\0';
    fclose(file);
    return text;
}

static double number_in(const char *line, const char *key, double otherwise)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    return at != NULL ? strtod(at + strlen(quoted), NULL) : otherwise;
}

static void word_in(const char *line, const char *key, char *ret, size_t size)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    const char *at = strstr(line, quoted);
    CHECK_NOT_NULL(at);
    at += strlen(quoted);
    size_t n = strcspn(at, "\"");
    CHECK_LT(n, size);
    memcpy(ret, at, n);
    ret[n] = '\0';
}

static event event_in(const char *line)
{
    char kind[4];
    event e = { .pid = (long)number_in(line, "pid", -1),
                .tid = (long)number_in(line, "tid", -1),
                .code = (long)number_in(line, "code", 1),
                .dropped = (long)number_in(line, "dropped", 0),
                .begin = number_in(line, "ts", -1),
                .span = number_in(line, "dur", -1),
                .wait = number_in(line, "wait", -1) };
    word_in(line, "ph", kind, sizeof kind);
    word_in(line, "name", e.name, sizeof e.name);
    e.kind = kind[0];
    const char *args = strstr(line, "\"args\":{");
    CHECK_NOT_NULL(args);
    if (e.kind == 'M' && strstr(args, "name") != NULL) {
        word_in(args, "name", e.said, sizeof e.said);
    }
    if (strstr(args, "\"error\"") != NULL) {
        word_in(args, "error", e.error, sizeof e.error);
    }
    e.worker = (long)number_in(args, "pid", -1);
    return e;
}

/* That it is JSON is asked of who reads JSON, where there is one. */
static void check_json(void)
{
    char command[200];
    snprintf(command, sizeof command,
             "command -v python3 >/dev/null || exit 77; python3 -c 'import json, sys; "
             "json.load(open(\"%s\"))'",
             path);
    int status = system(command);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}

static void read_trace(void)
{
    check_json();
    const char *at = text_of_file();
    n_events = 0;
    while ((at = strstr(at, "\n{")) != NULL) {
        char line[KIN__JOURNAL_LINE];
        at++;
        size_t n = strcspn(at, "\n");
        CHECK_LT(n, sizeof line);
        memcpy(line, at, n);
        line[n] = '\0';
        CHECK_LT(n_events, sizeof events / sizeof *events);
        events[n_events++] = event_in(line);
    }
    unlink(path);
}

static bool is_life(const event *e)
{
    return e->kind == 'X' && strncmp(e->name, "worker ", 7) == 0;
}

static bool is_task(const event *e)
{
    return e->kind == 'X' && !is_life(e);
}

static size_t count(bool (*which)(const event *))
{
    size_t n = 0;
    for (size_t i = 0; i < n_events; i++) {
        n += which(&events[i]);
    }
    return n;
}

static bool is_death(const event *e)
{
    return e->kind == 'i' && strcmp(e->name, "death") == 0;
}

static bool is_restart(const event *e)
{
    return e->kind == 'i' && strcmp(e->name, "restart") == 0;
}

static const event *first(bool (*which)(const event *))
{
    for (size_t i = 0; i < n_events; i++) {
        if (which(&events[i])) {
            return &events[i];
        }
    }
    CHECK_(false, "there is no such event among %zu", n_events);
    return NULL;
}

/* Times are printed to a nanosecond, and read as doubles. */
#define HAIR 0.01

static bool is_within(const event *e, const event *life)
{
    return e->pid == life->pid && e->tid == life->tid && e->begin >= life->begin - HAIR &&
           e->begin + e->span <= life->begin + life->span + HAIR;
}

/* Each task lies in one life of its place; tasks of a place follow one another, as they were
 * told. */
static void check_nesting(void)
{
    for (size_t i = 0; i < n_events; i++) {
        size_t lives = 0;
        for (size_t j = 0; is_task(&events[i]) && j < n_events; j++) {
            lives += is_life(&events[j]) && is_within(&events[i], &events[j]);
        }
        CHECK_EQ(lives, is_task(&events[i]) ? 1 : 0);
        for (size_t j = i + 1; is_task(&events[i]) && j < n_events; j++) {
            if (is_task(&events[j]) && events[j].tid == events[i].tid &&
                events[j].pid == events[i].pid) {
                CHECK(events[j].begin >= events[i].begin + events[i].span - HAIR);
                break;
            }
        }
    }
}

/* ---- tests ---- */

TEST(without_the_variable_there_is_no_trace)
{
    unsetenv("KIN_TRACE");
    kin_pool *pool = pool_of(1);
    CHECK_NULL(pool->trace);
    free_whole(pool);
}

TEST(each_task_is_told_once_inside_of_its_workers_life)
{
    begin_trace();
    double begun = (double)kin__os_now() * 1e-3;
    kin_pool *pool = pool_of(2);
    kin_obj results;
    CHECK_OK(kin_pool_map(pool, square, kin_range(0, 1000),
                          KIN_OPT(kin_map_options, .chunksize = 1), &results));
    kin_release(results);
    free_whole(pool);
    double over = (double)kin__os_now() * 1e-3;
    read_trace();
    CHECK_EQ(count(is_task), 1000);
    CHECK_EQ(count(is_life), 2);
    CHECK_EQ(count(is_death), 0);
    CHECK_EQ(count(is_restart), 0);
    check_nesting();
    for (size_t i = 0; i < n_events; i++) {
        const event *e = &events[i];
        CHECK(e->kind == 'M' || (e->begin >= begun - HAIR && e->begin <= over + HAIR));
        if (is_task(e)) {
            CHECK_EQ(e->code, 0);
            CHECK(e->wait >= 0 && e->begin - e->wait >= begun - HAIR);
            CHECK(e->span >= 0);
            CHECK_CONTAINS(e->name, "trace_test+0x"); /* of a static function the file's */
            CHECK_STR(e->name, first(is_task)->name);
        }
        if (is_life(e)) {
            CHECK_EQ(e->pid, getpid());
            CHECK_EQ(e->dropped, 0);
            CHECK_EQ(strtol(e->name + 7, NULL, 10), e->worker);
        }
    }
    CHECK_STR(events[1].name, "process_name");
    CHECK_CONTAINS(events[1].said, "pools of ");
}

static kin_obj failing(kin_obj args)
{
    (void)args;
    return kin_error(KIN_EUSER, "it was to fail");
}

TEST(a_task_is_told_with_its_code)
{
    begin_trace();
    kin_pool *pool = pool_of(1);
    CHECK_ERROR(kin_pool_apply(pool, failing, kin_args(), NULL), KIN_EUSER);
    free_whole(pool);
    read_trace();
    CHECK_EQ(count(is_task), 1);
    CHECK_EQ(first(is_task)->code, KIN_EUSER);
}

static kin_future *submit_named(kin_pool *pool, kin_fn fn, int arg, const char *name)
{
    double timeout = strcmp(name, "sloth") == 0 ? 0.01 : 0;
    kin_future *future;
    CHECK_OK(kin_pool_submit(pool, fn, kin_args(kin_int(arg)),
                             KIN_OPT(kin_submit_options, .name = name, .timeout = timeout),
                             &future));
    return future;
}

static void check_told(const char *name, int code)
{
    size_t told = 0;
    for (size_t i = 0; i < n_events; i++) {
        bool same = is_task(&events[i]) && strcmp(events[i].name, name) == 0;
        told += same;
        CHECK_EQ(same ? events[i].code : code, code);
        CHECK_STR(same ? events[i].error : "", same && code != 0 ? kin_errname(code) : "");
    }
    CHECK_EQ(told, 1);
}

TEST(what_overran_was_cancelled_or_terminated_says_so_under_its_name)
{
    begin_trace();
    kin_pool *pool = pool_of(1);
    kin_future *future[] = {
        submit_named(pool, stay, 0, "sloth"),          submit_named(pool, stay, 0, "unwanted"),
        submit_named(pool, die_of, SIGKILL, "victim"), submit_named(pool, square, 3, "\"}},\n{ \\"),
        submit_named(pool, stay, 0, "last"),
    };
    CHECK_ERROR(kin_future_get(future[0], &(kin_obj){ 0 }, KIN_FOREVER), KIN_EOVERRUN);
    WAIT_UNTIL(kin_future_running(future[1]));
    CHECK_OK(kin_future_cancel(future[1], KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK_OK(kin_future_wait(future[3], KIN_FOREVER));
    WAIT_UNTIL(atomic_load(&pool->trace->diaries[0].task) != 0);
    CHECK_OK(kin_pool_terminate(pool));
    for (int i = 0; i < 5; i++) {
        (void)kin_future_wait(future[i], KIN_FOREVER);
        kin_future_free(future[i]);
    }
    free_whole(pool);
    read_trace();
    CHECK_EQ(count(is_task), 5);
    check_told("sloth", KIN_EOVERRUN);
    check_told("unwanted", KIN_ECANCELLED);
    check_told("victim", KIN_ECRASHED);
    check_told("???,?{ ?", 0);
    check_told("last", KIN_ECANCELLED);
    check_nesting();
}

TEST(what_could_not_be_written_when_a_worker_left_is_written_at_the_end)
{
    begin_trace();
    kin_pool *pool = pool_of(2);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), NULL));
    int fd = kin__os_file_lock(path, KIN__NEVER); /* as somebody who is stopped at it */
    CHECK_GE(fd, 0);
    CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), NULL), KIN_ECRASHED);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    kin__os_file_unlock(fd);
    free_whole(pool);
    read_trace();
    CHECK_EQ(count(is_task), 2);
    CHECK_EQ(count(is_death), 1);
    CHECK_EQ(count(is_life), 3);
}

TEST(what_the_killed_had_done_is_told_and_his_restart)
{
    begin_trace();
    kin_pool *pool = pool_of(1);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL));
        CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), NULL), KIN_ECRASHED);
    }
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(5)), NULL));
    free_whole(pool);
    read_trace();
    CHECK_EQ(count(is_task), 9);
    CHECK_EQ(count(is_life), 5);
    CHECK_EQ(count(is_death), 4);
    CHECK_EQ(count(is_restart), 4);
    check_nesting();
    size_t crashed = 0;
    for (size_t i = 0; i < n_events; i++) {
        crashed += is_task(&events[i]) && events[i].code == KIN_ECRASHED;
        CHECK(!is_death(&events[i]) || events[i].code == -SIGKILL);
    }
    CHECK_EQ(crashed, 4);
}

TEST(several_pools_share_the_file)
{
    begin_trace();
    kin_pool *one = pool_of(1);
    kin_pool *two = pool_of(1);
    CHECK_OK(kin_pool_apply(one, square, kin_args(kin_int(5)), NULL));
    CHECK_OK(kin_pool_apply(two, square, kin_args(kin_int(5)), NULL));
    kin_pool_free(one);
    check_json();
    CHECK_OK(kin_pool_apply(two, square, kin_args(kin_int(5)), NULL));
    kin_pool_free(two);
    check_json();
    kin_pool *three = pool_of(1);
    CHECK_OK(kin_pool_apply(three, square, kin_args(kin_int(5)), NULL));
    free_whole(three);
    read_trace();
    CHECK_EQ(count(is_task), 4);
    CHECK_EQ(count(is_life), 3);
    check_nesting(); /* no two of them have a track in common */
}

static int make_pool_and_be_killed(void *unused)
{
    (void)unused;
    kin_pool *pool = pool_of(1);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(5)), NULL));
    raise(SIGKILL);
    return 0;
}

TEST(when_the_maker_is_killed_the_trace_is_whole)
{
    begin_trace();
    CHECK_EQ(test_join(test_child(make_pool_and_be_killed, NULL)), -SIGKILL);
    WAIT_UNTIL(test_is_alone());
    read_trace();
    CHECK_EQ(count(is_task), 1);
    CHECK_EQ(count(is_life), 1);
    check_nesting();
}

TEST(when_the_supervisor_is_killed_nothing_is_missing_either)
{
    begin_trace();
    kin_pool *pool = pool_of(1);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(5)), NULL));
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    kin_pool_free(pool);
    WAIT_UNTIL(test_is_alone());
    read_trace();
    CHECK_EQ(count(is_task), 1);
    CHECK_EQ(count(is_life), 1);
    CHECK_EQ(first(is_life)->code, -SIGKILL);
}

TEST(what_runs_when_the_supervisor_is_killed_is_broken)
{
    begin_trace();
    kin_pool *pool = pool_of(1);
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, NULL));
    WAIT_UNTIL(atomic_load(&pool->trace->diaries[0].task) != 0);
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    kin_pool_free(pool);
    WAIT_UNTIL(test_is_alone());
    read_trace();
    CHECK_EQ(count(is_task), 1);
    CHECK_EQ(first(is_task)->code, KIN_EBROKEN);
}

TEST(a_trace_that_cannot_be_written_costs_a_warning_and_no_pool)
{
    setenv("KIN_TRACE", "/nowhere/at/all", 1);
    kin_log_set_level(KIN_LOG_OFF);
    kin_pool *pool = pool_of(1);
    CHECK_NULL(pool->trace);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(5)), NULL));
    free_whole(pool);
}

TEST(many_tasks_are_written_while_they_run)
{
    begin_trace();
    kin_pool *pool = pool_of(1);
    kin_obj results;
    CHECK_OK(kin_pool_map(pool, square, kin_range(0, 2000),
                          KIN_OPT(kin_map_options, .chunksize = 1), &results));
    kin_release(results);
    CHECK_GT(strlen(text_of_file()), KIN__JOURNAL_ROOM);
    check_json();
    free_whole(pool);
    read_trace();
    CHECK_EQ(count(is_task), 2000);
    check_nesting();
}

/* A worker is killed at each step of what he does with his journal. */
static void run_some(void *ctx)
{
    (void)ctx;
    kin_pool *pool;
    if (kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1)) < 0) {
        return; /* its supervisor was killed at once */
    }
    for (int i = 0; i < 5; i++) {
        (void)kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL);
    }
    kin_pool_free(pool);
}

static void look(void *ctx, const char *step)
{
    (void)ctx;
    (void)step;
    WAIT_UNTIL(test_is_alone());
    if (access(path, F_OK) == 0 && strlen(text_of_file()) > 0) {
        read_trace();
        CHECK_LE(count(is_task), 5);
        check_nesting();
    }
}

TEST(whoever_is_killed_at_his_journal_the_trace_is_whole)
{
    begin_trace();
    int kills = kill_loop("journal.", NULL, .victim = run_some, .check = look, .anybody = true);
    CHECK_GE(kills, 10);
    unlink(path);
}
