/* Requests of clients, as the fuzzer sends them, without the fuzzer. */
#include "harness.h"

#include "fuzz/request_fuzz.h"
#include <dirent.h>

#define CORPUS KIN_TESTS_AT "/fuzz/corpus/request"

static request_world replay(const char *name)
{
    char path[600];
    static uint8_t bytes[8192];
    snprintf(path, sizeof path, "%s/%s", CORPUS, name);
    FILE *file = fopen(path, "rb");
    CHECK_NOT_NULL(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return request_run(bytes, size);
}

TEST_WITHIN(60, the_corpus_of_requests_is_harmless)
{
    unsigned requests = 0, returned = 0, refused = 0;
    DIR *folder = opendir(CORPUS);
    CHECK_NOT_NULL(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            request_world w = replay(entry->d_name);
            requests += w.requests;
            returned += w.returned;
            refused += w.refused;
        }
    }
    closedir(folder);
    CHECK_GE(requests, 100); /* so it is about something */
    CHECK_GE(returned, 60);
    CHECK_GE(refused, 3);
}
