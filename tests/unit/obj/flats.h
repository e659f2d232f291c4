/* flats.h - for tests: objects as flat copies. */
#ifndef KIN_FLATS_H
#define KIN_FLATS_H

#include "harness.h"

#include "obj/flat.h"
#include <stdlib.h>

/* There and back; the object is given, the copy is what comes out. */
static inline kin_obj copy(kin_obj o)
{
    size_t size = 0;
    CHECK_OK(kin__flat_size(o, &size));
    CHECK_EQ(size % 8, 0);
    void *at = malloc(size);
    CHECK_OK(kin__flat_write(o, at, size));
    kin_release(o);
    kin_obj back = { 0 };
    CHECK_OK(kin__flat_read(at, size, &back));
    memset(at, 0xee, size);
    free(at);
    return back;
}

#endif
