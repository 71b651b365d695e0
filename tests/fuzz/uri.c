/* A request target against the real routes: a method's letter, then the raw text. */
#include "http/uri.h"
#include "base/cleanup.h"
#include "handlers/routes.h"
#include "http/router.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static struct router *router; /* as the server: built once, never changed */
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_free_ char *raw = NULL;
    struct router_match match;
    struct uri_query query;
    struct uri uri;
    const char *name, *why;

    if (n < 1)
        return 0;
    router = router ? router : router_new(routes);
    raw = fuzz_text(bytes + 1, n - 1);
    if (uri_split(&arena, raw, &uri, &why) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < uri.segments && i < URI_SEGMENTS_MAX; i++) {
        FUZZ_HOLDS(strcmp(uri.segment[i], ".") != 0 && strcmp(uri.segment[i], "..") != 0);
        FUZZ_HOLDS(!strchr(uri.segment[i], '/') &&
                   text_plain(uri.segment[i], strlen(uri.segment[i])));
    }
    if (uri_query(&arena, uri.query, &query, &name, &why) == STATUS_OK)
        for (size_t i = 0; i < query.n; i++)
            FUZZ_HOLDS(text_plain(query.pair[i].value, strlen(query.pair[i].value)));
    if (uri.segments <= URI_SEGMENTS_MAX) {
        match = router_find(router, bytes[0] % 5 - 1, uri.segment, uri.segments);
        for (size_t i = 0; i < match.values; i++)
            FUZZ_HOLDS(match.value[i] && *match.value[i]);
        FUZZ_HOLDS(!match.route || match.methods >> match.route->method & 1);
    }
    return 0;
}
