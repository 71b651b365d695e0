/* An exported audit chain, as `sluice audit verify` reads it. */
#include "cli/chain.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char head[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct chain_report report;
    FILE *file;

    if (n == 0)
        return 0;
    for (int with_head = 0; with_head < 2; with_head++) {
        file = fmemopen((void *)(uintptr_t)bytes, n, "r");
        if (!file)
            die("no file in memory");
        chain_verify(file, with_head ? head : NULL, NULL, &report);
        fclose(file);
        FUZZ_HOLDS(report.good || (report.kind && *report.text));
        FUZZ_HOLDS(memchr(report.text, '\0', sizeof report.text));
    }
    return 0;
}
