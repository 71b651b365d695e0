/* What somebody says Unleash exported. */
#include "flags/unleash.h"
#include "base/cleanup.h"
#include "flags/compile.h"
#include "flags/model.h"
#include "tests/fuzz/fuzz.h"

/* What was imported can be exported, and then says the same, whether or not it is there already. */
static void holds_as_file(const json_t *document) {
    json_auto_t *file = unleash_export_file(document, "production"), *errors = json_array();
    json_auto_t *back = unleash_import(file, NULL, errors);
    json_auto_t *again = unleash_export_file(back, "production");
    json_auto_t *over = unleash_import(file, document, errors);
    json_auto_t *third = unleash_export_file(over, "production");

    FUZZ_HOLDS(json_array_size(errors) == 0);
    FUZZ_HOLDS(json_equal(file, again));
    FUZZ_HOLDS(json_equal(file, third));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *text = fuzz_text(bytes, n);
    json_auto_t *from = json_parse(text), *before = json_deep_copy(from);
    json_auto_t *errors = json_array(), *found = json_array();
    json_auto_t *document = unleash_import(from, NULL, errors);
    struct flags *f = flags_compile(document);

    FUZZ_HOLDS(!from || json_equal(from, before));
    FUZZ_HOLDS(json_array_size(errors) <= FLAG_ERRORS_MAX);
    flag_model_check(document, found);
    FUZZ_HOLDS(json_array_size(errors) || !json_array_size(found));
    if (!json_array_size(errors))
        holds_as_file(document);
    flags_free(f);
    return 0;
}
