/* SARIF: read member by member, it is what jansson reads in one piece; every result is counted;
 * none of level error passes. */
#include "tests/fuzz/report.h"

static size_t results(const json_t *log) {
    const json_t *run;
    size_t i, n = 0;

    json_array_foreach(json_object_get(log, "runs"), i, run) n +=
        json_array_size(json_object_get(run, "results"));
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct report report;
    json_auto_t *log = NULL;
    int64_t counted;
    bool passed = false;

    if (!fuzz_report(REPORT_SARIF, bytes, n, &report, &passed))
        return 0;
    log = fuzz_whole(bytes, n);
    counted = report.sarif.ignored;
    for (ReportLevel level = 0; level < LEVELS; level++)
        counted += report.sarif.results[level];
    FUZZ_HOLDS((size_t)counted == results(log));
    FUZZ_HOLDS((size_t)report.sarif.runs == json_array_size(json_object_get(log, "runs")));
    FUZZ_HOLDS(!passed || (report.sarif.runs && !report.broken &&
                           !report.sarif.results[LEVEL_ERROR] && report.sarif.severity < 0));
    return 0;
}
