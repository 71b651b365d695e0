/* tests/fuzz/fuzz.h: what each fuzz target is made of.
 *
 * A target is one file with one LLVMFuzzerTestOneInput.  With the preset `fuzz` it is a libFuzzer
 * program, in every other build a suite that reads its corpus once (replay.h). */
#pragma once
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A property of the code under test that holds for every input. */
#define FUZZ_HOLDS(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            die("%s:%d: does not hold: %s", __FILE__, __LINE__, #condition);                       \
    } while (0)

/* The input as a C string, up to its first NUL, with nothing behind it that AddressSanitizer would
 * not notice; yours. */
static inline char *fuzz_text(const uint8_t *bytes, size_t n) {
    return xstrndup((const char *)bytes, strnlen((const char *)bytes, n));
}

/* Takes the next line (without its end) from the input as a C string; yours; NULL after the last
 * one. */
static inline char *fuzz_line(const uint8_t **bytes, size_t *n) {
    const uint8_t *end = *n ? memchr(*bytes, '\n', *n) : NULL;
    size_t length = end ? (size_t)(end - *bytes) : *n, step = length + (end != NULL);
    char *line = *n ? fuzz_text(*bytes, length) : NULL;

    *bytes += step;
    *n -= step;
    return line;
}
