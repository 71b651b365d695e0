/* tests/fuzz/report.h: what holds of every report, whatever its kind. */
#pragma once
#include "base/cleanup.h"
#include "report/report.h"
#include "tests/fuzz/fuzz.h"

static inline bool fuzz_says(const char *text) {
    json_auto_t *v = json_string(text); /* NULL: not UTF-8 */

    return v && *text && !strchr(text, '\n');
}

/* Reads it, true where it is one: then *ret_passed by the strictest limits. */
static inline bool fuzz_report(ReportKind kind, const uint8_t *bytes, size_t n, struct report *ret,
                               bool *ret_passed) {
    static const struct report_limits none = {.max_level = LEVEL_NONE};
    static const struct report_limits any = {.max_level = LEVEL_ERROR,
                                             .max_security_severity = 11,
                                             .total_bytes = INT64_MAX,
                                             .file_bytes = -1};
    _cleanup_free_ char *text = xmalloc(n ? n : 1); /* nothing behind it */
    char summary[REPORT_SUMMARY];
    struct report_fault fault;

    memcpy(text, bytes, n);
    if (report_read(kind, text, n, ret, &fault) != STATUS_OK) {
        json_auto_t *field = json_string(fault.field);

        FUZZ_HOLDS(fuzz_says(fault.detail) && field);
        return false;
    }
    *ret_passed = report_judge(ret, &none, summary);
    FUZZ_HOLDS(fuzz_says(summary));
    /* what passes strict limits passes loose ones */
    FUZZ_HOLDS(report_judge(ret, &any, summary) || !*ret_passed);
    FUZZ_HOLDS(fuzz_says(summary));
    return true;
}

/* The same text as jansson reads it in one piece: whatever was accepted is JSON. */
static inline json_t *fuzz_whole(const uint8_t *bytes, size_t n) {
    size_t mark = n >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;
    json_t *v = json_loadb((const char *)bytes + mark, n - mark, 0, NULL);

    FUZZ_HOLDS(v);
    return v;
}
