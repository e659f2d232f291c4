/* A tour of kin, on this machine's own files:  tour [DIRECTORY]
 *
 * Says what it does and what it measured. The one larger piece of work is the SHA-256 of every
 * regular file under the directory (by default the C headers): serially, by a pool, and by
 * sha256sum, which must agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <kin.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if __has_include(<gmp.h>)
#include <gmp.h>
#define HAS_GMP 1
#else
#define HAS_GMP 0
#endif

/* ---- a process ---------------------------------------------------------------------------- */

static kin_obj greet(kin_obj args)
{
    printf("hello %s, from %s\n", kin_arg_str(args, 0), kin_process_name(kin_current_process()));
    return kin_none();
}

static void show_process(void)
{
    printf("\n== a function in a process of its own, by each start method\n");
    for (const char *const *method = kin_start_methods(); *method != NULL; method++) {
        double begin = kin_now();
        kin_auto(kin_process) child = NULL;
        KIN_CHECK(kin_start(&child, greet, kin_args(kin_str("world")),
                            KIN_OPT(kin_process_options, .start_method = *method)));
        KIN_CHECK(kin_process_join(child, KIN_FOREVER));
        printf("%-10s started, run and joined in %.2f ms; its exit code is %d\n", *method,
               (kin_now() - begin) * 1e3, kin_process_exitcode(child));
    }
}

/* ---- a process that crashes ---------------------------------------------------------------- */

static kin_obj touch_nothing(kin_obj args)
{
    volatile uintptr_t nowhere = 0x2a;
    (void)args;
    close(STDERR_FILENO); /* where its frames would go, too */
    *(volatile int *)nowhere = 1;
    return kin_none();
}

static void show_crash_info(void)
{
    printf("\n== a process that crashes, and what its parent learns\n");
    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, touch_nothing, kin_args(), NULL));
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    kin_crash_info info;
    KIN_CHECK(kin_process_crash_info(child, &info));
    int lines = 0;
    for (const char *at = info.text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    printf("%.*s, and %d frames; its exit code is %d\n", (int)strcspn(info.text, "\n"), info.text,
           lines, kin_process_exitcode(child));
}

/* ---- a queue ------------------------------------------------------------------------------ */

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    KIN_TRY(kin_queue_put(queue, kin_list(kin_int(42), kin_none(), kin_str("hello")), 0));
    for (int64_t i = 0; i < kin_arg_int(args, 1); i++) {
        KIN_TRY(kin_queue_put(queue, kin_int(i), 0));
    }
    KIN_TRY(kin_queue_close(queue));
    return kin_none();
}

static void show_queue(void)
{
    printf("\n== messages through a queue\n");
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, NULL));
    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, produce, kin_args(kin_shared(queue), kin_int(500000)), NULL));

    kin_obj message;
    KIN_CHECK(kin_queue_get(queue, &message, KIN_FOREVER));
    kin_print(message);
    kin_release(message);
    double begin = kin_now();
    int64_t count = 0;
    int64_t sum = 0;
    while (kin_queue_get(queue, &message, KIN_FOREVER) == 0) {
        count++;
        sum += kin_as_int(message);
        kin_release(message);
    }
    printf("then %lld ints, their sum is %lld: %.1f million a second\n", (long long)count,
           (long long)sum, (double)count / (kin_now() - begin) / 1e6);
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
}

/* ---- a lock and a value --------------------------------------------------------------------- */

static kin_obj add(kin_obj args)
{
    kin_value *total = kin_as(kin_value, kin_arg(args, 0));
    kin_rlock *lock = kin_value_lock(total);
    long *number = kin_value_ptr(total);
    for (int i = 0; i < 100000; i++) {
        KIN_WITH(lock) {
            *number += 1;
        }
    }
    KIN_TRY(kin_rlock_acquire(lock, KIN_FOREVER));
    raise(SIGKILL); /* with the lock in hand */
    return kin_none();
}

static void show_lock(void)
{
    printf("\n== two processes add to a value, and are killed while they hold its lock\n");
    kin_auto(kin_value) total = NULL;
    KIN_CHECK(kin_value_new(&total, 'l', kin_int(0), NULL));
    kin_process *children[2];
    for (int i = 0; i < 2; i++) {
        KIN_CHECK(kin_start(&children[i], add, kin_args(kin_shared(total)), NULL));
    }
    for (int i = 0; i < 2; i++) {
        KIN_CHECK(kin_process_join(children[i], KIN_FOREVER));
        kin_process_free(children[i]);
    }
    int rv = kin_rlock_acquire(kin_value_lock(total), KIN_FOREVER);
    KIN_CHECK(rv);
    printf("both are gone, the lock was had all the same (%s); the total is %ld\n",
           rv == KIN_OWNER_DIED ? "its owner had died" : "it was free",
           *(long *)kin_value_ptr(total));
    KIN_CHECK(kin_rlock_release(kin_value_lock(total)));
}

/* ---- a pipe ---------------------------------------------------------------------------------- */

static kin_obj answer(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    kin_obj message;
    while (kin_conn_recv(conn, &message, KIN_FOREVER) == 0) {
        KIN_TRY(kin_conn_send(conn, message, KIN_FOREVER));
    }
    return kin_none();
}

static void show_pipe(void)
{
    printf("\n== messages there and back through a pipe\n");
    kin_auto(kin_conn) ours = NULL;
    kin_auto(kin_conn) theirs = NULL;
    KIN_CHECK(kin_pipe(&ours, &theirs, true));
    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, answer, kin_args(kin_shared(theirs)),
                        KIN_OPT(kin_process_options, .start_method = "spawn")));
    kin_conn_free(theirs);
    theirs = NULL;
    kin_obj echo;
    double begin = kin_now();
    for (int i = 0; i < 10000; i++) {
        KIN_CHECK(kin_conn_send(ours, kin_tuple(kin_int(i), kin_str("again")), KIN_FOREVER));
        KIN_CHECK(kin_conn_recv(ours, &echo, KIN_FOREVER));
        kin_release(echo);
    }
    printf("10000 in %.0f ms, with a spawned child\n", (kin_now() - begin) * 1e3);
    kin_conn_free(ours); /* the child reads the end of it */
    ours = NULL;
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
}

/* ---- a listener ------------------------------------------------------------------------------ */

/* It knows an address and a key, and might as well be a Python program. */
static kin_obj call_on(kin_obj args)
{
    const char *key = kin_arg_str(args, 1);
    kin_auto(kin_conn) conn = NULL;
    double begin = kin_now();
    int rv = kin_connect(&conn, kin_arg_str(args, 0),
                         KIN_OPT(kin_connect_options, .authkey = key, .authkey_size = strlen(key)));
    double seconds = kin_now() - begin;
    if (rv < 0) {
        printf("with \"%s\": %s\n", key, kin_errname(rv));
        return kin_none();
    }
    printf("with \"%s\": connected, and the keys compared, in %.2f ms\n", key, seconds * 1e3);
    kin_obj reply;
    KIN_TRY(kin_conn_send(conn, kin_dict(kin_str("add"), kin_range(1, 101)), 30));
    KIN_TRY(kin_conn_recv(conn, &reply, 30));
    kin_print(reply);
    kin_release(reply);
    return kin_none();
}

static void serve(kin_conn *conn)
{
    kin_obj request;
    int64_t sum = 0;
    KIN_CHECK(kin_conn_recv(conn, &request, 30));
    kin_obj numbers = kin_lookup(request, kin_str("add"));
    for (size_t i = 0; i < kin_len(numbers); i++) {
        sum += kin_as_int(kin_at(numbers, i));
    }
    kin_release(request);
    KIN_CHECK(kin_conn_send(conn, kin_dict(kin_str("sum"), kin_int(sum)), 30));
}

static void show_listener(void)
{
    printf("\n== a listener, a client who guesses its key, and one who knows it\n");
    kin_auto(kin_listener) listener = NULL;
    KIN_CHECK(kin_listener_new(
        &listener, NULL,
        KIN_OPT(kin_listener_options, .authkey = "our secret", .authkey_size = 10)));
    const char *const keys[] = { "a guess", "our secret" };
    for (int i = 0; i < 2; i++) {
        kin_obj address = kin_str(kin_listener_address(listener));
        kin_auto(kin_process) client = NULL;
        KIN_CHECK(kin_start(&client, call_on, kin_args(address, kin_str(keys[i])), NULL));
        kin_auto(kin_conn) conn = NULL;
        if (kin_listener_accept(listener, &conn, 30) == 0) {
            serve(conn);
        }
        KIN_CHECK(kin_process_join(client, KIN_FOREVER));
    }
}

/* ---- a pool ------------------------------------------------------------------------------- */

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static void show_map(kin_pool *pool)
{
    printf("\n== squares, by a pool of %d workers\n", kin_cpu_count());
    kin_obj squares;
    KIN_CHECK(kin_pool_map(pool, square, kin_range(0, 10), NULL, &squares));
    kin_print(squares);
    kin_release(squares);
    double begin = kin_now();
    KIN_CHECK(kin_pool_map(pool, square, kin_range(0, 1000000), NULL, &squares));
    double seconds = kin_now() - begin;
    printf("of a million numbers in %.0f ms; the last is %lld\n", seconds * 1e3,
           (long long)kin_as_int(kin_at(squares, kin_len(squares) - 1)));
    kin_release(squares);
}

/* Calls the task for each item: serially where there is no pool, else by that. The results. */
static kin_obj call_each(kin_pool *pool, kin_fn task, kin_obj items, const kin_map_options *options)
{
    kin_obj results = kin_list();
    for (size_t i = 0; pool == NULL && i < kin_len(items); i++) {
        kin_obj one;
        KIN_CHECK(kin_call(task, kin_args(kin_at(items, i)), &one));
        KIN_CHECK(kin_append(&results, one));
    }
    if (pool != NULL) {
        kin_release(results);
        KIN_CHECK(kin_pool_map(pool, task, kin_retain(items), options, &results));
    }
    kin_release(items);
    return results;
}

/* ---- Fibonacci numbers ---------------------------------------------------------------------- */

static int64_t fib(int64_t n)
{
    return n <= 2 ? 1 : fib(n - 1) + fib(n - 2);
}

static kin_obj fib_task(kin_obj args)
{
    return kin_int(fib(kin_arg_int(args, 0)));
}

/* Seconds of the fastest of five rounds. */
static double time_fibonacci(kin_pool *pool)
{
    double fastest = KIN_FOREVER;
    for (int round = 0; round < 5; round++) {
        double begin = kin_now();
        const kin_map_options *options = KIN_OPT(kin_map_options, .chunksize = 1);
        kin_obj numbers = call_each(pool, fib_task, kin_range(25, 35), options);
        double seconds = kin_now() - begin;
        fastest = seconds < fastest ? seconds : fastest;
        if (kin_as_int(kin_at(numbers, 9)) != 5702887) {
            printf("fib(34) IS WRONG\n");
        }
        kin_release(numbers);
    }
    return fastest;
}

static void show_fibonacci(kin_pool *processes)
{
    unsigned cores = (unsigned)kin_cpu_count();
    printf("\n== fib(25) to fib(34), the fastest of five rounds\n");
    kin_auto(kin_pool) threads = NULL;
    KIN_CHECK(kin_pool_new(&threads, KIN_OPT(kin_pool_options, .threads = cores)));
    double alone = time_fibonacci(NULL);
    printf("serially         %6.1f ms\n", alone * 1e3);
    double seconds = time_fibonacci(threads);
    printf("by %3u threads   %6.1f ms, %.2f times as fast\n", cores, seconds * 1e3,
           alone / seconds);
    seconds = time_fibonacci(processes);
    printf("by %3u processes %6.1f ms, %.2f times as fast\n", cores, seconds * 1e3,
           alone / seconds);
}

/* ---- factorials ----------------------------------------------------------------------------- */

#if HAS_GMP
static kin_obj factorial(kin_obj args)
{
    mpz_t number;
    size_t size;
    mpz_init(number);
    mpz_fac_ui(number, (unsigned long)kin_arg_int(args, 0));
    void *bytes = mpz_export(NULL, &size, -1, 1, 0, 0, number); /* the lowest byte first */
    kin_obj result = kin_bigint(bytes, size, false);
    free(bytes);
    mpz_clear(number);
    return result;
}

static void show_factorials(void)
{
    printf("\n== the factorials of 1 to 100, by GMP\n");
    double begin = kin_now();
    kin_obj expected = call_each(NULL, factorial, kin_range(1, 101), NULL);
    printf("serially                 %7.2f ms\n", (kin_now() - begin) * 1e3);

    static const char *const when[] = { "a cold pool: made, used", "a warm one: used again" };
    begin = kin_now();
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 4)));
    for (int i = 0; i < 2; i++) {
        kin_obj numbers = call_each(pool, factorial, kin_range(1, 101), NULL);
        printf("%-24s %7.2f ms, %s\n", when[i], (kin_now() - begin) * 1e3,
               kin_equal(numbers, expected) ? "the same numbers" : "OTHER NUMBERS");
        kin_release(numbers);
        begin = kin_now();
    }
    kin_release(expected);
}
#else
static void show_factorials(void)
{
    printf("\n== no factorials: GMP is not there\n");
}
#endif

/* ---- SHA-256 of files --------------------------------------------------------------------- */

/* The regular files under a directory, a list; links are not followed. */
static kin_obj walk(const char *directory, double *ret_megabytes)
{
    kin_obj paths = kin_list();
    FTS *tree = fts_open((char *[]){ (char *)directory, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    *ret_megabytes = 0;
    for (FTSENT *entry; tree != NULL && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode)) {
            KIN_CHECK(kin_append(&paths, kin_str(entry->fts_path)));
            *ret_megabytes += (double)entry->fts_statp->st_size / 1e6;
        } else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            fprintf(stderr, "%s: %s\n", entry->fts_path, strerror(entry->fts_errno));
        }
    }
    fts_close(tree);
    return paths;
}

/* The task: a file's SHA-256 in hex, or why it cannot be read. */
static kin_obj digest(kin_obj args)
{
    static unsigned char buffer[1 << 17];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        return kin_error(KIN_EUSER, "libcrypto has no SHA-256");
    }
    int file = open(kin_arg_str(args, 0), O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    while (file >= 0 && (n = read(file, buffer, sizeof buffer)) > 0) {
        EVP_DigestUpdate(context, buffer, (size_t)n);
    }
    int error = n < 0 ? errno : 0;
    unsigned char sum[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(context, sum, NULL);
    EVP_MD_CTX_free(context);
    if (file >= 0) {
        close(file);
    }
    char hex[65];
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    }
    return kin_str(error == 0 ? hex : strerror(error));
}

/* What sha256sum says of the same files: a dict of path and hex. Names and lines end with NULs, so
 * they may hold anything. */
static kin_obj ask_sha256sum(kin_obj paths)
{
    static const char *const argv[] = { "xargs", "-0r", "sha256sum", "-z", "--", NULL };
    char *names = NULL;
    size_t size = 0;
    FILE *list = open_memstream(&names, &size);
    for (size_t i = 0; list != NULL && i < kin_len(paths); i++) {
        fwrite(kin_as_str(kin_at(paths, i)), 1, kin_len(kin_at(paths, i)) + 1, list);
    }
    kin_obj sums = kin_dict();
    if (list == NULL || fclose(list) != 0 || size == 0) {
        free(names);
        return sums;
    }
    kin_completed_process done = { 0 };
    KIN_CHECK(kin_run(argv,
                      KIN_OPT(kin_run_options, .input = names, .input_size = size, .out = KIN_PIPE,
                              .err = KIN_DEVNULL),
                      &done));
    for (char *line = done.out; line < done.out + done.out_size; line += strlen(line) + 1) {
        if (strlen(line) > 66) {
            KIN_CHECK(kin_setitem(&sums, kin_str(line + 66), kin_strn(line, 64)));
        }
    }
    kin_completed_process_done(&done);
    free(names);
    return sums;
}

/* Says how many agree, and names the others. */
static void compare(kin_obj paths, kin_obj digests, kin_obj sums)
{
    size_t agree = 0;
    size_t unreadable = 0;
    for (size_t i = 0; i < kin_len(paths); i++) {
        kin_obj expected = kin_lookup(sums, kin_at(paths, i));
        if (kin_equal(kin_at(digests, i), expected)) {
            agree++;
            continue;
        }
        unreadable += kin_is_error(expected);
        fprintf(stderr, "%s: %s; sha256sum: %s\n", kin_as_str(kin_at(paths, i)),
                kin_as_str(kin_at(digests, i)),
                kin_is_error(expected) ? "nothing" : kin_as_str(expected));
    }
    printf("%zu of %zu agree with sha256sum", agree, kin_len(paths));
    if (unreadable > 0) {
        printf("; %zu it could not read either", unreadable);
    }
    printf("\n");
}

static double report(const char *who, double begin, double megabytes)
{
    double seconds = kin_now() - begin;
    printf("%-22s %8.1f ms  %6.0f MB/s\n", who, seconds * 1e3, megabytes / seconds);
    return seconds;
}

static void show_digests(kin_pool *pool, const char *directory)
{
    printf("\n== SHA-256 of every regular file under %s\n", directory);
    double megabytes;
    kin_obj paths = walk(directory, &megabytes);
    if (kin_len(paths) == 0) {
        printf("there is none\n");
        kin_release(paths);
        return;
    }
    printf("%zu files, %.1f MB; sha256sum goes first, so that all are in memory\n", kin_len(paths),
           megabytes);

    double begin = kin_now();
    kin_obj sums = ask_sha256sum(paths);
    report("sha256sum", begin, megabytes);

    begin = kin_now();
    kin_obj serial = call_each(NULL, digest, kin_retain(paths), NULL);
    double alone = report("this process", begin, megabytes);

    begin = kin_now();
    kin_obj digests = call_each(pool, digest, kin_retain(paths),
                                KIN_OPT(kin_map_options, .chunksize = 16, .progress = true));
    double together = report("kin_pool_map", begin, megabytes);

    printf("the pool was %.2f times as fast; %s\n", alone / together,
           kin_equal(serial, digests) ? "the results are the same" : "THE RESULTS DIFFER");
    compare(paths, digests, sums);
    kin_release(digests);
    kin_release(serial);
    kin_release(sums);
    kin_release(paths);
}

/* ---- a shared dict, and a manager ------------------------------------------------------------ */

/* Counts the files of each kind: by the end of their names. */
static kin_obj count_kinds(kin_obj args)
{
    kin_shared_dict *kinds = kin_as(kin_shared_dict, kin_arg(args, 0));
    kin_obj paths = kin_arg(args, 1);
    size_t step = (size_t)kin_arg_int(args, 3);
    for (size_t i = (size_t)kin_arg_int(args, 2); i < kin_len(paths); i += step) {
        const char *name = strrchr(kin_as_str(kin_at(paths, i)), '/') + 1;
        const char *dot = strrchr(name, '.');
        KIN_TRY(kin_shared_dict_add(kinds, kin_str(dot != NULL ? dot : "none"), kin_int(1), NULL));
    }
    return kin_none();
}

/* What a program on another machine would do. */
static kin_obj ask_manager(kin_obj args)
{
    enum { CALLS = 2000 };
    kin_auto(kin_manager) manager = NULL;
    kin_obj o, n;
    KIN_TRY(kin_manager_connect(
        &manager, kin_arg_str(args, 0),
        KIN_OPT(kin_connect_options, .authkey = "our secret", .authkey_size = 10)));
    KIN_TRY(kin_manager_call(manager, "kinds", kin_args(), &o));
    double begin = kin_now();
    for (int i = 0; i < CALLS; i++) {
        KIN_TRY(kin_shared_dict_get(kin_as(kin_shared_dict, o), kin_str(".h"), &n));
    }
    printf("a client is told by the manager that %lld end in .h: %.0f us a call\n",
           (long long)kin_as_int(n), (kin_now() - begin) * 1e6 / CALLS);
    kin_release(o);
    return kin_none();
}

static void show_manager(const char *directory)
{
    enum { COUNTERS = 4 };
    printf("\n== the kinds of these files, counted by %d processes in one dict\n", COUNTERS);
    double megabytes;
    kin_obj paths = walk(directory, &megabytes);
    kin_auto(kin_manager) manager = NULL;
    kin_shared_dict *kinds;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    KIN_CHECK(kin_manager_dict(manager, &kinds, kin_dict(kin_str(".h"), kin_int(0))));
    double begin = kin_now();
    for (int i = 0; i < COUNTERS; i++) {
        kin_obj args =
            kin_args(kin_shared(kinds), kin_retain(paths), kin_int(i), kin_int(COUNTERS));
        KIN_CHECK(kin_start(NULL, count_kinds, args, NULL));
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    double seconds = kin_now() - begin;
    kin_obj counts;
    int64_t sum = 0;
    KIN_CHECK(kin_shared_dict_values(kinds, &counts));
    for (size_t i = 0; i < kin_len(counts); i++) {
        sum += kin_as_int(kin_at(counts, i));
    }
    printf("%lld of %zu files, %zu kinds, in %.1f ms: no addition is lost\n", (long long)sum,
           kin_len(paths), kin_len(counts), seconds * 1e3);
    kin_release(counts);
    kin_release(paths);

    KIN_CHECK(kin_manager_register(manager, "kinds", kin_shared(kinds)));
    KIN_CHECK(
        kin_manager_serve(manager, "127.0.0.1:0",
                          KIN_OPT(kin_serve_options, .authkey = "our secret", .authkey_size = 10)));
    kin_auto(kin_process) client = NULL;
    kin_obj address = kin_str(kin_manager_address(manager));
    KIN_CHECK(kin_start(&client, ask_manager, kin_args(address),
                        KIN_OPT(kin_process_options, .start_method = "spawn")));
    KIN_CHECK(kin_process_join(client, KIN_FOREVER));
}

/* ---- a crash ------------------------------------------------------------------------------ */

struct tally {
    _Atomic long ran;
    double died;
};

static kin_obj count_or_die(kin_obj args)
{
    struct tally *tally = kin_arg_shared(args, 0);
    if (kin_arg_int(args, 1) == 500) {
        tally->died = kin_now();
        raise(SIGKILL);
    }
    atomic_fetch_add(&tally->ran, 1);
    return kin_none();
}

static void show_crash(kin_pool *pool)
{
    printf("\n== a worker is killed in the middle of a map\n");
    struct tally *tally = kin_alloc(sizeof *tally);
    kin_obj items = kin_list();
    for (int i = 0; i < 1000; i++) {
        KIN_CHECK(kin_append(&items, kin_tuple(kin_shared(tally), kin_int(i))));
    }
    kin_obj results;
    int rv = kin_pool_map(pool, count_or_die, items,
                          KIN_OPT(kin_map_options, .chunksize = 1, .star = true), &results);
    printf("the map ended %.1f ms later with %s: %s\n", (kin_now() - tally->died) * 1e3,
           kin_errname(rv), kin_errmsg());
    printf("the other %ld tasks were run", atomic_load(&tally->ran));
    kin_free(tally);

    KIN_CHECK(kin_pool_apply(pool, square, kin_args(kin_int(12)), &results));
    printf("; the pool goes on, 12 squared is %lld\n", (long long)kin_as_int(results));
    kin_release(results);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    const char *directory = argc > 1 ? argv[1] : "/usr/include";
    if (argc > 2) {
        fprintf(stderr, "usage: %s [DIRECTORY]\n", argv[0]);
        return 1;
    }
    struct stat status;
    if (stat(directory, &status) < 0 || !S_ISDIR(status.st_mode)) {
        fprintf(stderr, "%s: there is no such directory\n", directory);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* a log has the lines in order */
    show_process();
    show_crash_info();
    show_queue();
    show_lock();
    show_pipe();
    show_listener();
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL));
    show_map(pool);
    show_fibonacci(pool);
    show_factorials();
    show_digests(pool, directory);
    show_manager(directory);
    show_crash(pool);
    return 0;
}
