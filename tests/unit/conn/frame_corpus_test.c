/* What the fuzzer found worth keeping, without the fuzzer. */
#include "harness.h"

#include "fuzz/frame_fuzz.h"
#include <dirent.h>

#define CORPUS KIN_TESTS_AT "/fuzz/corpus/frame"

static frame_world replay(const char *name)
{
    char path[600];
    static uint8_t bytes[4096];
    snprintf(path, sizeof path, "%s/%s", CORPUS, name);
    FILE *file = fopen(path, "rb");
    CHECK_NOT_NULL(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return frame_run(bytes, size);
}

TEST(the_corpus_of_frames_is_harmless)
{
    unsigned letters = 0;
    unsigned refused = 0;
    unsigned cut = 0;
    unsigned descriptors = 0;
    DIR *folder = opendir(CORPUS);
    CHECK_NOT_NULL(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            frame_world w = replay(entry->d_name);
            letters += w.letters;
            refused += w.refused;
            cut += w.cut;
            descriptors += w.descriptors;
        }
    }
    closedir(folder);
    CHECK_GE(letters, 100); /* so it is about something */
    CHECK_GE(refused, 20);
    CHECK_GE(cut, 10);
    CHECK_GE(descriptors, 3);
}
