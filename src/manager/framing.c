/* framing.c - frames as Python has them: four bytes of size, big-endian, and the bytes; or, for
 * what is larger than those can say, -1 and eight bytes of size. */
#include "room.h"

#define LONG UINT32_C(0xffffffff)

static uint64_t number_at(const char *at, size_t size)
{
    uint64_t n = 0;
    for (size_t i = 0; i < size; i++) {
        n = n << 8 | (unsigned char)at[i];
    }
    return n;
}

static void put_number(char *at, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (char)(unsigned char)(number >> (size - 1 - i) * 8);
    }
}

int kin__framing_look(const char *bytes, size_t have, size_t most, kin__frame *ret)
{
    uint64_t size = have >= 4 ? number_at(bytes, 4) : 0;
    size_t header = size == LONG ? 12 : 4;
    *ret = (kin__frame){ .whole = 0 };
    if (have < header) {
        return 0;
    }
    size = size == LONG ? number_at(bytes + 4, 8) : size;
    if (size > most) {
        return KIN_ERANGE;
    }
    *ret = (kin__frame){ bytes + header, (size_t)size, header + (size_t)size };
    return have >= ret->whole;
}

char *kin__framing_put(char *body, size_t size)
{
    if (size <= INT32_MAX) {
        put_number(body - 4, size, 4);
        return body - 4;
    }
    put_number(body - 12, LONG, 4);
    put_number(body - 8, size, 8);
    return body - 12;
}
