/* loads_fuzz.c - kin_loads is given anything: it refuses, or makes an object that can be compared,
 * written, and read again as what it was; within its bounds of memory, and without a leak.
 *
 *     cmake -B build/fuzz -DKIN_FUZZ=ON -DCMAKE_C_COMPILER=clang && cmake --build build/fuzz
 *     mkdir found && build/fuzz/loads_fuzz found tests/fuzz/corpus/loads
 */
#include "loads_fuzz.h"

size_t __sanitizer_get_allocated_size(const volatile void *memory);
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t now, most;

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    now += size;
    most = now > most ? now : most;
}

static void on_free(const volatile void *memory)
{
    now -= memory == NULL ? 0 : __sanitizer_get_allocated_size(memory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0 ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kin_obj o;
    now = most = 0;
    bool made = fuzz_read(data, size, &o);
    fuzz_must(most <= 100 * size + 65536, "it took more memory than it may");
    if (made) {
        fuzz_write(o, 2 + (unsigned)size % 4);
        kin_release(o);
    }
    return 0;
}
