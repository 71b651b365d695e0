/* An event stream, as the command line reads it: in pieces of the length that the first byte says,
 * it says the same as in one. */
#include "cli/sse.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void on_event(void *ctx, const struct sse_event *event) {
    struct strbuf *out = ctx;

    strbuf_addf(out, "%s|%s|%s\n", event->id, event->event, event->text);
}

static char *events(const uint8_t *bytes, size_t n, size_t piece) {
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(1 << 20);
    struct sse sse = sse_new(256, on_event, &out);

    for (size_t at = 0; at < n; at += piece)
        sse_feed(&sse, (const char *)bytes + at, n - at < piece ? n - at : piece);
    sse_done(&sse);
    return strbuf_take(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *whole = NULL, *pieces = NULL;

    if (n < 2 || bytes[0] == 0)
        return 0;
    whole = events(bytes + 1, n - 1, n);
    pieces = events(bytes + 1, n - 1, bytes[0]);
    FUZZ_HOLDS(!strcmp(whole, pieces));
    return 0;
}
