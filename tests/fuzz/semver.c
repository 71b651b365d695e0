/* Versions: what is one stays one without its v, and order is an order. */
#include "base/semver.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *one = fuzz_line(&bytes, &n), *two = fuzz_line(&bytes, &n);
    struct semver a, b, again;

    if (!one || !semver_parse(one, &a))
        return 0;
    FUZZ_HOLDS(semver_parse(a.key, &again) && !strcmp(a.key, again.key));
    FUZZ_HOLDS(semver_compare(&a, &again) == 0);
    if (two && semver_parse(two, &b)) {
        int there = semver_compare(&a, &b), back = semver_compare(&b, &a);

        FUZZ_HOLDS((there > 0) == (back < 0) && (there == 0) == (back == 0));
    }
    return 0;
}
