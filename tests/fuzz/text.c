/* The small texts of base/: base64 in both alphabets, times, UUIDs, names.  One text has one
 * meaning. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "tests/fuzz/fuzz.h"

static void base64(const char *text) {
    size_t length = strlen(text), got = 0;
    unsigned char *bytes = xmalloc(3 * (length / 4) + 2);
    long n = base64url_decode(text, length, bytes);

    if (n >= 0) {
        _cleanup_free_ char *again = base64url_encode(bytes, (size_t)n);

        FUZZ_HOLDS(!strcmp(again, text));
    }
    free(bytes);
    bytes = base64_decode(text, &got);
    FUZZ_HOLDS(!bytes || (got <= length && bytes[got] == '\0'));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *text = fuzz_text(bytes, n);
    char written[TIME_TEXT];
    int64_t us, again;

    base64(text);
    if (clock_parse(text, &us)) {
        us -= us % US_PER_MS;
        FUZZ_HOLDS(clock_parse(clock_format(us, written), &again));
        FUZZ_HOLDS(again / US_PER_MS == us / US_PER_MS);
    }
    FUZZ_HOLDS(!uuid_valid(text) || strlen(text) == UUID_TEXT - 1);
    FUZZ_HOLDS(!name_valid(text) || strlen(text) <= 63);
    return 0;
}
