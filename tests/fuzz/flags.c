/* An environment's flags and who asks: a document, a line break, a context.  What is in order means
 * the same to Unleash's clients. */
#include "base/cleanup.h"
#include "flags/evaluate.h"
#include "flags/model.h"
#include "flags/unleash.h"
#include "tests/fuzz/fuzz.h"

static struct flag_result ask(const struct flags *f, const struct flag *flag, const json_t *who,
                              void *memo) {
    uint64_t random = 1;
    const struct flag_context context = {.objects = {who, json_object_get(who, "properties")},
                                         .now_us = 1,
                                         .random = &random,
                                         .memo = memo};

    return flag_evaluate(f, flag, &context);
}

static void ask_all(const struct flags *f, const json_t *who) {
    _cleanup_free_ void *memo = xcalloc(1, flag_memo_size(f));

    for (size_t i = 0; i < flags_count(f); i++) {
        const struct flag *flag = flags_at(f, i);
        struct flag_result r = ask(f, flag, who, NULL), again = ask(f, flag, who, memo);
        json_auto_t *value = json_parse(r.value);

        FUZZ_HOLDS(r.enabled == again.enabled && r.variant == again.variant);
        FUZZ_HOLDS(!r.value == !value);
        FUZZ_HOLDS(r.enabled || !r.variant);
        if (flag->killed || !flag->enabled)
            FUZZ_HOLDS(!r.enabled && r.reason == FLAG_DISABLED);
    }
}

static void holds_for_clients(const json_t *document, const struct flags *f, const json_t *who,
                              bool inline_segments) {
    json_auto_t *features = unleash_export(document, inline_segments), *errors = json_array();
    json_auto_t *back = unleash_import(features, NULL, errors);
    struct flags *theirs = flags_compile(back);

    FUZZ_HOLDS(flags_count(theirs) == flags_count(f));
    if (!inline_segments) /* inline they may be more constraints than a strategy may have */
        FUZZ_HOLDS(json_array_size(errors) == 0);
    for (size_t i = 0; i < flags_count(f); i++) {
        struct flag_result r = ask(f, flags_at(f, i), who, NULL);
        struct flag_result other = ask(theirs, flags_at(theirs, i), who, NULL);

        FUZZ_HOLDS(r.enabled == other.enabled && !r.variant == !other.variant);
        FUZZ_HOLDS(!r.variant || strcmp(r.variant->name, other.variant->name) == 0);
    }
    flags_free(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *first = fuzz_line(&bytes, &n), *second = fuzz_line(&bytes, &n);
    json_auto_t *document = json_parse(first), *who = json_parse(second), *errors = json_array();
    struct flags *f = flags_compile(document);

    flag_model_check(document, errors);
    FUZZ_HOLDS(json_array_size(errors) <= FLAG_ERRORS_MAX);
    ask_all(f, who);
    if (json_array_size(errors) == 0) {
        holds_for_clients(document, f, who, false);
        holds_for_clients(document, f, who, true);
    }
    flags_free(f);
    return 0;
}
