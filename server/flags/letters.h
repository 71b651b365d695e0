/* flags/letters.h: UTF-8, and letters without their case.  Private to flags/. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The letter at the beginning of `n` bytes, n > 0; *ret_n: how many bytes it has.  U+FFFD of one
 * byte where there is no UTF-8. */
uint32_t letter_next(const char *text, size_t n, size_t *ret_n);
/* The same letter in lower, upper case: of Latin, Greek and Cyrillic letters up to U+04FF whose two
 * cases have equally many bytes. */
uint32_t letter_lower(uint32_t letter);
uint32_t letter_upper(uint32_t letter);
/* Lower case in place. */
void letters_lower(char *text, size_t n);
