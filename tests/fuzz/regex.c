/* Regular expressions: a pattern, a line break, a text. */
#include "flags/regex.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* 1: it matches, 0: it does not, -1: no expression. */
static int matches(const char *pattern, bool fold, const char *text, size_t n) {
    _cleanup_(arena_done) struct arena arena = {0};
    const char *wrong;
    const struct regex *re = regex_compile(&arena, pattern, fold, &wrong);

    FUZZ_HOLDS((re == NULL) == (wrong != NULL));
    return re ? regex_matches(re, text, n) : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *pattern = fuzz_line(&bytes, &n), *folded = NULL, *whole = NULL;
    _cleanup_free_ char *text = xmalloc(n + 1);
    int plain, other;

    if (!pattern)
        return 0;
    memcpy(text, bytes, n);
    plain = matches(pattern, false, text, n);
    folded = xasprintf("(?i)%s", pattern);
    whole = xasprintf("^(?:%s)$", pattern);
    other = matches(folded, false, text, n);
    FUZZ_HOLDS(other < 0 || other == matches(pattern, true, text, n));
    FUZZ_HOLDS(plain != 0 || matches(whole, false, text, n) != 1);
    return 0;
}
