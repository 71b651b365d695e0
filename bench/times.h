/* bench/times.h: measured times, put in order, so that times[n / 2] is the median. */
#pragma once
#include <stdint.h>
#include <stdlib.h>

static inline int times_compare(const void *a, const void *b) {
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static inline void times_sort(int64_t *times, size_t n) {
    qsort(times, n, sizeof *times, times_compare);
}
