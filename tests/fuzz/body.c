/* Bodies of the real routes: the first byte picks one with a schema, the rest is its body. */
#include "http/body.h"
#include "base/cleanup.h"
#include "handlers/routes.h"
#include "http/exchange.h"
#include "http/jsonscan.h"
#include "tests/fuzz/fuzz.h"

static const struct body_schema *schema_picked(uint8_t pick) {
    size_t n = 0, i;

    for (const struct route *r = routes; r->operation; r++)
        n += r->body == BODY_JSON;
    i = pick % n;
    for (const struct route *r = routes;; r++)
        if (r->body == BODY_JSON && i-- == 0)
            return r->schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_(arena_done) struct arena arena = {0};
    struct reply reply = {.arena = &arena};
    _cleanup_free_ char *text = NULL;
    json_auto_t *json = NULL;
    void *in;

    if (n < 1)
        return 0;
    text = xmalloc(n);
    memcpy(text, bytes + 1, n - 1);
    jsonscan_pointer(&arena, text, n - 1);
    jsonscan_pointer(&arena, text, n / 2);
    if (body_parse(text, n - 1, &reply, &json) != STATUS_OK) {
        FUZZ_HOLDS(json_array_size(reply.errors) > 0);
    } else {
        struct json_shape shape = jsonscan_shape(text, n - 1);
        Status s = body_decode(schema_picked(bytes[0]), json, &reply, &in);

        FUZZ_HOLDS(shape.depth <= JSON_DEPTH_MAX && shape.values <= JSON_LARGE_VALUES_MAX);
        FUZZ_HOLDS((s == STATUS_OK) == (json_array_size(reply.errors) == 0));
    }
    reply_reset(&reply);
    return 0;
}
