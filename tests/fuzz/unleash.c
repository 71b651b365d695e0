/* What somebody says Unleash exported. */
#include "flags/unleash.h"
#include "base/cleanup.h"
#include "flags/compile.h"
#include "flags/model.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *text = fuzz_text(bytes, n);
    json_auto_t *from = json_parse(text), *before = json_deep_copy(from);
    json_auto_t *errors = json_array(), *found = json_array();
    json_auto_t *document = unleash_import(from, errors);
    struct flags *f = flags_compile(document);

    FUZZ_HOLDS(!from || json_equal(from, before));
    FUZZ_HOLDS(json_array_size(errors) <= FLAG_ERRORS_MAX);
    flag_model_check(document, found);
    FUZZ_HOLDS(json_array_size(errors) || !json_array_size(found));
    flags_free(f);
    return 0;
}
