/* Accept, as clients write it. */
#include "base/cleanup.h"
#include "http/exchange.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char *const types[] = {"application/json", "text/event-stream",
                                        "application/problem+json", "text/html; charset=utf-8"};
    _cleanup_free_ char *accept = fuzz_text(bytes, n);

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        accepts_type(accept, types[i]);
    return 0;
}
