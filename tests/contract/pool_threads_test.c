/* The contract of pools of threads, by itself: ThreadSanitizer sees all of it. */
#define ENGINES(ENGINE_, seconds, name)                                                            \
    ENGINE_(threaded, nothing, false, .threads = 1, seconds, name)

#include "pool_suite.h"
