/* Bundle statistics: the sum is that of the files. */
#include "tests/fuzz/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct report report;
    json_auto_t *whole = NULL;
    const json_t *files, *file;
    int64_t total = 0;
    bool passed = false;
    size_t i;

    if (!fuzz_report(REPORT_BUNDLE, bytes, n, &report, &passed))
        return 0;
    whole = fuzz_whole(bytes, n);
    files = json_object_get(whole, "files");
    json_array_foreach((json_t *)(uintptr_t)files, i, file) total += json_int(file, "bytes", -1);
    FUZZ_HOLDS(total == report.bundle.total_bytes && report.bundle.file_bytes <= total);
    FUZZ_HOLDS((size_t)report.bundle.files == json_array_size(files));
    FUZZ_HOLDS(!passed || (report.bundle.files && !total));
    return 0;
}
