/* What the fuzzer has found worth keeping, without the fuzzer. */
#include "harness.h"

#include "fuzz/loads_fuzz.h"
#include <dirent.h>

static uint8_t *read_file(const char *folder, const char *name, size_t *ret_size)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    CHECK_NOT_NULL(file);
    uint8_t *bytes = malloc(1 << 20);
    *ret_size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return realloc(bytes, *ret_size + 1); /* so that a byte too far is seen, but for one */
}

TEST(what_the_fuzzer_found_does_no_harm)
{
    static const char folder[] = KIN_TESTS_AT "/fuzz/corpus/loads";
    DIR *all = opendir(folder);
    CHECK_NOT_NULL(all);
    int n = 0;
    for (struct dirent *one = readdir(all); one != NULL; one = readdir(all)) {
        if (one->d_name[0] == '.') {
            continue;
        }
        size_t size;
        kin_obj o;
        uint8_t *bytes = read_file(folder, one->d_name, &size);
        if (fuzz_read(bytes, size, &o)) {
            fuzz_write(o, 2 + (unsigned)size % 4);
            kin_release(o);
        }
        free(bytes);
        n++;
    }
    closedir(all);
    CHECK_GE(n, 100);
}
