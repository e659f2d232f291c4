/* utf8.c - text as Python's str has it: UTF-8, and halves of surrogate pairs besides. */
#include "node.h"
#include <string.h>

size_t kin__utf8_decode(const char *text, size_t size, uint32_t *ret_char)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const uint8_t *s = (const uint8_t *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n == 0 || n > size || s[0] > 0xf4) {
        return 0;
    }
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    *ret_char = c;
    return c >= least[n] && c <= 0x10ffff ? n : 0;
}

/* Eight bytes of ASCII at a time. */
static size_t skip_ascii(const char *s, size_t size, size_t at)
{
    uint64_t word;
    for (; size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    if (size - at < sizeof word && size >= sizeof word) { /* with some that have been seen */
        memcpy(&word, s + size - sizeof word, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) == 0) {
            return size;
        }
    }
    while (at < size && (uint8_t)s[at] < 0x80) {
        at++;
    }
    return at;
}

size_t kin__utf8_valid(const char *s, size_t size)
{
    uint32_t c;
    size_t at = skip_ascii(s, size, 0);
    while (at < size) {
        size_t n = kin__utf8_decode(s + at, size - at, &c);
        if (n == 0) {
            break;
        }
        at = n == 1 ? skip_ascii(s, size, at) : at + n;
    }
    return at;
}
