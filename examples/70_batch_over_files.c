/* A batch over files with a reader that has bugs: one file crashes it, one keeps it for ever, one
 * kills it the first time. The others are read all the same, and of those three it is known why.
 */
#include <kin.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES 10

static const char *const traps[FILES] = { [3] = "crash", [5] = "loop", [8] = "once" };

/* Counts the words of a file, unless it stumbles over one of them. */
static kin_obj count_words(kin_obj args)
{
    atomic_bool *had_once = kin_arg_shared(args, 1);
    char word[64];
    int64_t n = 0;
    FILE *file = fopen(kin_arg_str(args, 0), "r");
    if (file == NULL) {
        return kin_error(KIN_EUSER, "it cannot be opened");
    }
    for (; fscanf(file, "%63s", word) == 1; n++) {
        if (strcmp(word, "crash") == 0) {
            raise(SIGSEGV);
        } else if (strcmp(word, "loop") == 0) {
            KIN_TRY(kin_sleep(KIN_FOREVER));
        } else if (strcmp(word, "once") == 0 && !atomic_exchange(had_once, true)) {
            raise(SIGKILL);
        }
    }
    fclose(file);
    return kin_int(n);
}

static void report(kin_future *future)
{
    kin_obj words;
    kin_failure why;
    if (kin_future_get(future, &words, KIN_FOREVER) == 0) {
        printf("%lld words\n", (long long)kin_as_int(words));
        kin_release(words);
    } else if (kin_future_failure(future, &why) == 0) {
        printf("%s: %s, begun %u times%s\n", why.task, kin_errname(why.code), why.attempts,
               why.signal == SIGSEGV ? ", ended by a segmentation fault" : "");
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    char folder[] = "/tmp/kin-batch-XXXXXX";
    char paths[FILES][sizeof folder + 16];
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d.txt", folder, i);
        FILE *file = fopen(paths[i], "w");
        fprintf(file, "what stands in file %d %s\n", i, traps[i] != NULL ? traps[i] : "");
        fclose(file);
    }

    kin_auto(kin_pool) pool = NULL; /* each file is tried twice, for two seconds at most */
    KIN_CHECK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = 3, .retries = 1, .task_timeout = 2)));
    atomic_bool *had_once = kin_alloc(sizeof *had_once);
    kin_future *futures[FILES];
    for (int i = 0; i < FILES; i++) {
        kin_obj arguments = kin_args(kin_str(paths[i]), kin_shared(had_once));
        KIN_CHECK(kin_pool_submit(pool, count_words, arguments,
                                  KIN_OPT(kin_submit_options, .name = strrchr(paths[i], '/') + 1),
                                  &futures[i]));
    }
    for (int i = 0; i < FILES; i++) {
        report(futures[i]);
        kin_future_free(futures[i]);
        unlink(paths[i]);
    }
    kin_free(had_once);
    return rmdir(folder);
}
