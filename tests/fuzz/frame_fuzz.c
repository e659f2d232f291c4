/* frame_fuzz.c - a connection is sent anything, in any pieces: each receive answers what is right,
 * within its bounds of memory, and nothing is left of it.
 *
 *     cmake -B build/fuzz -DKIN_FUZZ=ON -DCMAKE_C_COMPILER=clang && cmake --build build/fuzz
 *     mkdir found && build/fuzz/frame_fuzz found tests/fuzz/corpus/frame
 */
#include "frame_fuzz.h"

size_t __sanitizer_get_allocated_size(const volatile void *memory);
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    frame_memory.now += size;
    if (frame_memory.now > frame_memory.most) {
        frame_memory.most = frame_memory.now;
    }
}

static void on_free(const volatile void *memory)
{
    frame_memory.now -= memory == NULL ? 0 : __sanitizer_get_allocated_size(memory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0 ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)frame_run(data, size);
    return 0;
}
