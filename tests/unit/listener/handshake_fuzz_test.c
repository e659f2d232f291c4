/* What the fuzzer found worth keeping, without a fuzzer. */
#include "fuzz/handshake_fuzz.h"
#include "harness.h"

#include <dirent.h>

#define CORPUS KIN_TESTS_AT "/fuzz/corpus/handshake"

static kin__auth_wish replay(const char *name)
{
    char path[600];
    uint8_t bytes[4096];
    snprintf(path, sizeof path, "%s/%s", CORPUS, name);
    FILE *file = fopen(path, "rb");
    CHECK_NOT_NULL(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return handshake_run(bytes, size);
}

TEST(the_corpus_of_handshakes_is_harmless)
{
    unsigned outcomes[4] = { 0 };
    DIR *folder = opendir(CORPUS);
    CHECK_NOT_NULL(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            outcomes[replay(entry->d_name) + 1]++;
        }
    }
    closedir(folder);
    CHECK_GE(outcomes[KIN__AUTH_DONE + 1], 10); /* so it is about something */
    CHECK_GE(outcomes[KIN__AUTH_FAILED + 1], 10);
}
