/* Four workers count the words of files, and one of them is killed in the midst of a file. What a
 * file has comes into the shared dict in one step, when it is finished, and then the file is
 * acknowledged: before that it goes back to the queue when its worker dies. So each file counts
 * once, and none half.
 *
 * Python: counts[path] = Counter(open(path).read().split()); a file is lost with its worker
 */
#include <kin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS = 4, FILES = 40 };

static kin_obj words_of(const char *path, bool dies)
{
    char word[64];
    kin_obj words = kin_dict();
    FILE *file = fopen(path, "r");
    while (file != NULL && fscanf(file, "%63s", word) == 1) {
        int64_t before = kin_as_int(kin_lookup(words, kin_str(word))); /* 0 for what is not there */
        KIN_CHECK(kin_setitem(&words, kin_str(word), kin_int(before + 1)));
        if (dies) {
            raise(SIGKILL);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return words;
}

static kin_obj count(kin_obj args)
{
    kin_queue *files = kin_as(kin_queue, kin_arg(args, 0));
    kin_shared_dict *counts = kin_as(kin_shared_dict, kin_arg(args, 1));
    kin_obj path;
    while (kin_queue_get(files, &path, KIN_FOREVER) == 0) {
        kin_obj words = words_of(kin_as_str(path), kin_arg_int(args, 2) == 0);
        KIN_TRY(kin_shared_dict_set(counts, path, words));
        KIN_TRY(kin_queue_ack(files));
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) files = NULL;
    kin_auto(kin_shared_dict) counts = NULL;
    kin_obj all, path, words;
    char folder[] = "/tmp/kin-words-XXXXXX", name[64];
    KIN_CHECK(kin_queue_new(&files, KIN_OPT(kin_queue_options, .ack = true)));
    KIN_CHECK(kin_shared_dict_new(&counts, NULL));
    for (int i = 0; i < FILES && (i > 0 || mkdtemp(folder) != NULL); i++) {
        (void)snprintf(name, sizeof name, "%s/%d", folder, i);
        FILE *file = fopen(name, "w");
        (void)(file != NULL && fprintf(file, "to be or not to be %d\n", i) > 0 && fclose(file));
        KIN_CHECK(kin_queue_put(files, kin_str(name), KIN_FOREVER));
    }
    KIN_CHECK(kin_queue_close(files));
    for (int i = 0; i < WORKERS; i++) {
        kin_obj args = kin_args(kin_shared(files), kin_shared(counts), kin_int(i));
        KIN_CHECK(kin_start(NULL, count, args, NULL));
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));

    int64_t sum = 0;
    KIN_CHECK(kin_shared_dict_copy(counts, &all));
    for (size_t at = 0; kin_next_item(all, &at, &path, &words);) {
        sum += kin_as_int(kin_lookup(words, kin_str("to")));
        (void)unlink(kin_as_str(path));
    }
    printf("%zu files, \"to\" is in them %lld times\n", kin_len(all), (long long)sum);
    kin_release(all);
    return rmdir(folder) != 0;
}
