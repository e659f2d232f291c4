/* request_fuzz.c - a client of a manager sends anything: each request is answered, and whatever it
 * did, all that it took is given back.
 *
 *     cmake -B build/fuzz -DKIN_FUZZ=ON -DCMAKE_C_COMPILER=clang && cmake --build build/fuzz
 *     mkdir found && build/fuzz/request_fuzz found tests/fuzz/corpus/request
 */
#include "request_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)request_run(data, size);
    return 0;
}
