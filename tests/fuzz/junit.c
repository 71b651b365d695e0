/* JUnit XML: only what holds tests, and nothing that went wrong, passes; no document type is ever
 * taken. */
#include "tests/fuzz/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct report report;
    bool passed = false;

    if (!fuzz_report(REPORT_JUNIT, bytes, n, &report, &passed))
        return 0;
    FUZZ_HOLDS(report.junit.tests >= report.junit.skipped && report.junit.skipped >= 0);
    FUZZ_HOLDS(!passed || (report.junit.tests > report.junit.skipped && !report.junit.failures &&
                           !report.junit.errors && !report.junit.said && !report.broken));
    FUZZ_HOLDS(!passed || n < 8 || memmem(bytes, n, "case", 4) ||
               memmem(bytes, n, "c\0a\0s\0e", 7));
    return 0;
}
