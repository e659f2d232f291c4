/* handshake_fuzz.c - a handshake with anybody at all: nobody gets through who has not answered
 * rightly.
 *
 *     cmake -B build/fuzz -DKIN_FUZZ=ON -DCMAKE_C_COMPILER=clang && cmake --build build/fuzz
 *     build/fuzz/handshake_fuzz build/fuzz/found tests/fuzz/corpus/handshake
 */
#include "handshake_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)handshake_run(data, size);
    return 0;
}
