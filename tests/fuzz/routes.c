/* Path templates: up to eight lines are a route table; when its check lets it pass, each template
 * finds itself. */
#include "base/cleanup.h"
#include "http/router.h"
#include "http/uri.h"
#include "tests/fuzz/fuzz.h"

enum { ROUTES = 8 };

static Status answer(struct request *q, const void *in, struct reply *r) {
    (void)q;
    (void)in;
    (void)r;
    return STATUS_OK;
}

/* The template with each {value} as the text "x". */
static size_t segments_of(char *path, const char *segment[URI_SEGMENTS_MAX]) {
    size_t n = 0;

    for (char *at = path + 1, *one; (one = strsep(&at, "/")); n++)
        segment[n] = *one == '{' ? "x" : one;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char *const names[ROUTES] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct route table[ROUTES + 1] = {0};
    char *line[ROUTES] = {0};
    size_t count = 0;

    while (count < ROUTES && (line[count] = fuzz_line(&bytes, &n))) {
        table[count] = (struct route){.operation = names[count],
                                      .path = line[count],
                                      .scope = SCOPE_PUBLIC,
                                      .handler = answer};
        count++;
    }
    if (!http_routes_check(table)) {
        struct router *router = router_new(table);

        for (size_t i = 0; i < count; i++) {
            _cleanup_free_ char *path = xstrdup(line[i]);
            const char *segment[URI_SEGMENTS_MAX];
            size_t parts = segments_of(path, segment);

            FUZZ_HOLDS(router_find(router, HTTP_GET, segment, parts).route);
        }
        router_free(router);
    }
    for (size_t i = 0; i < count; i++)
        free(line[i]);
    return 0;
}
