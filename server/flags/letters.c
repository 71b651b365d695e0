#include "flags/letters.h"
#include <stdbool.h>

/* How a range of capitals becomes small: by adding `add`, or, where that is 0, the next one (they
 * take turns, the first being a capital). */
static const struct {
    uint16_t first, last, add;
} capitals[] = {
    {'A', 'Z', 32},     {0xc0, 0xd6, 32},   {0xd8, 0xde, 32},   {0x100, 0x12f, 0},
    {0x132, 0x137, 0},  {0x139, 0x148, 0},  {0x14a, 0x177, 0},  {0x179, 0x17e, 0},
    {0x391, 0x3a1, 32}, {0x3a3, 0x3ab, 32}, {0x400, 0x40f, 80}, {0x410, 0x42f, 32},
    {0x460, 0x481, 0},  {0x48a, 0x4bf, 0},  {0x4c1, 0x4ce, 0},  {0x4d0, 0x4ff, 0},
};
enum { RANGES = sizeof capitals / sizeof *capitals };

uint32_t letter_lower(uint32_t letter) {
    for (size_t i = 0; i < RANGES && letter >= capitals[i].first; i++) {
        if (letter > capitals[i].last)
            continue;
        return capitals[i].add ? letter + capitals[i].add
                               : letter + ((letter - capitals[i].first) % 2 == 0);
    }
    return letter;
}

uint32_t letter_upper(uint32_t letter) {
    for (size_t i = 0; i < RANGES; i++) {
        uint32_t first = capitals[i].first, last = capitals[i].last, add = capitals[i].add;

        if (add && letter >= first + add && letter <= last + add)
            return letter - add;
        if (!add && letter >= first && letter <= last)
            return letter - (letter - first) % 2;
    }
    return letter;
}

/* How many bytes the letter has whose first byte this is; 0: it begins none. */
static size_t length_of(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

uint32_t letter_next(const char *text, size_t n, size_t *ret_n) {
    const unsigned char *at = (const unsigned char *)text;
    size_t length = length_of(at[0]);
    uint32_t letter = at[0];

    *ret_n = 1;
    if (length == 1)
        return letter;
    if (length == 0 || length > n)
        return 0xfffd;
    letter &= 0x7fu >> length;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0xfffd;
        letter = letter << 6 | (at[i] & 0x3f);
    }
    *ret_n = length;
    return letter;
}

void letters_lower(char *text, size_t n) {
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t letter = letter_next(text + i, n - i, &length), lower = letter_lower(letter);

        if (lower == letter)
            continue;
        if (length == 1) {
            text[i] = (char)lower;
        } else {
            text[i] = (char)(0xc0 | lower >> 6);
            text[i + 1] = (char)(0x80 | (lower & 0x3f));
        }
    }
}
