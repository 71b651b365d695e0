/* tests/support/flags.h: a flag asked about, from texts. */
#pragma once
#include "base/cleanup.h"
#include "base/json.h"
#include "flags/evaluate.h"
#include <check.h>

#define FLAGS_NOW INT64_C(1790000000000000) /* 2026-09-21 */

/* A document, compiled, and who asks. */
struct asked {
    struct flags *flags;
    json_t *context;
    uint64_t random;
};

/* The context as OFREP has it; the document is JSON. */
static inline struct asked asked_new(const char *document, const char *context) {
    json_auto_t *parsed = json_parse(document);
    struct asked a = {.flags = flags_compile(parsed), .context = json_parse(context)};

    ck_assert_msg(parsed && a.context, "%s\n%s", document, context);
    return a;
}

/* Asked alone and with a memo, as one of many: both have to say the same. */
static inline struct flag_result ask(struct asked *a, const char *flag) {
    _cleanup_free_ void *memo = xcalloc(1, flag_memo_size(a->flags));
    uint64_t random = a->random;
    struct flag_context context = {
        .objects = {a->context, json_object_get(a->context, "properties")},
        .now_us = FLAGS_NOW,
        .random = &random,
        .memo = memo};
    const struct flag *found = flags_find(a->flags, flag);
    struct flag_result first, second, r;

    ck_assert_msg(found != NULL, "%s", flag);
    first = flag_evaluate(a->flags, found, &context);
    random = a->random;
    second = flag_evaluate(a->flags, found, &context);
    context.memo = NULL;
    context.random = &a->random;
    r = flag_evaluate(a->flags, found, &context);
    ck_assert(r.enabled == first.enabled && r.variant == first.variant &&
              r.reason == first.reason && r.key_missing == first.key_missing);
    ck_assert(r.enabled == second.enabled && r.variant == second.variant &&
              r.reason == second.reason);
    return r;
}

static inline void asked_done_cleanup(struct asked *a) {
    flags_free(a->flags);
    json_decref(a->context);
}
