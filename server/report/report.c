#include "report/report.h"
#include "base/strbuf.h"
#include "report/readers.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const report_media_types[REPORT_KINDS] = {
    [REPORT_JUNIT] = "application/junit+xml",
    [REPORT_SARIF] = "application/sarif+json",
    [REPORT_BUNDLE] = "application/vnd.sluice.bundle+json",
};

ReportKind report_kind(const char *media_type) {
    size_t n = media_type ? strcspn(media_type, "; \t") : 0;
    ReportKind kind = 0;

    while (kind < REPORT_KINDS && (strlen(report_media_types[kind]) != n ||
                                   strncasecmp(report_media_types[kind], media_type, n) != 0))
        kind++;
    return kind;
}

Status report_read(ReportKind kind, const char *text, size_t n, struct report *ret,
                   struct report_fault *reterr) {
    static report_reader *const readers[REPORT_KINDS] = {
        [REPORT_JUNIT] = junit_read, [REPORT_SARIF] = sarif_read, [REPORT_BUNDLE] = bundle_read};

    *ret = (struct report){.kind = kind, .sarif.severity = -1};
    *reterr = (struct report_fault){0};
    if (n > REPORT_BYTES_MAX)
        return report_wrong(reterr, "", "More than %zu bytes.", REPORT_BYTES_MAX);
    return readers[kind](text, n, ret, reterr);
}

/* ---- what readers share ---- */

Status report_wrong(struct report_fault *reterr, const char *field, const char *format, ...) {
    va_list args;

    if (*reterr->detail)
        return E_INVALID_BODY;
    snprintf(reterr->field, sizeof reterr->field, "%s", field);
    va_start(args, format);
    vsnprintf(reterr->detail, sizeof reterr->detail, format, args);
    va_end(args);
    text_one_line(reterr->detail);
    for (char *c = reterr->detail; *c; c++) /* libraries quote half characters */
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return E_INVALID_BODY;
}

/* The length of at most `max` bytes of UTF-8 that ends with a whole character. */
static size_t whole_characters(const char *text, size_t max) {
    size_t n = strnlen(text, max + 1);

    if (n <= max)
        return n;
    for (n = max; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

void report_name(struct report *ret, const char *name) {
    enum { NAME = 100, MORE = 8 };
    size_t there = strlen(ret->first), n = whole_characters(name, NAME);
    bool cut = name[n] != '\0', full = there + n + MORE + 8 > sizeof ret->first;

    if (there && ret->first[there - 1] == '.')
        return; /* it says already that there are more */
    snprintf(ret->first + there, sizeof ret->first - there, "%s%.*s%s", there ? ", " : "",
             full ? 3 : (int)n, full ? "..." : name, !full && cut ? "\u2026" : "");
    text_one_line(ret->first);
}

/* ---- limits ---- */

const struct report_limits report_limits_usual = {
    .max_level = LEVEL_WARNING, .max_security_severity = 9.0, .total_bytes = -1, .file_bytes = -1};

static ReportLevel level_of(const char *word) {
    static const char *const words[LEVELS] = {"none", "note", "warning", "error"};
    ReportLevel level = 0;

    while (level < LEVELS && strcmp(words[level], word) != 0)
        level++;
    return level;
}

static bool size_limit(const json_t *v, bool first, int64_t *limit) {
    int64_t n = json_integer_value(v);

    if (!v)
        return true;
    if (!json_is_integer(v) || n < 0)
        return false;
    if (first || *limit < 0 || n < *limit)
        *limit = n;
    return true;
}

bool report_limits_add(struct report_limits *limits, const json_t *params, bool first,
                       const char **reterr) {
    const json_t *severity = json_object_get(params, "max_security_severity");
    const json_t *level_word = json_object_get(params, "max_level");
    double reaches =
        severity ? json_number_value(severity) : report_limits_usual.max_security_severity;
    ReportLevel level = !level_word                  ? report_limits_usual.max_level
                        : json_is_string(level_word) ? level_of(json_string_value(level_word))
                                                     : LEVELS;

    *reterr = level == LEVELS                                              ? "max_level"
              : (severity && !json_is_number(severity)) || !(reaches >= 0) ? "max_security_severity"
              : !size_limit(json_object_get(params, "max_total_bytes"), first, &limits->total_bytes)
                  ? "max_total_bytes"
              : !size_limit(json_object_get(params, "max_file_bytes"), first, &limits->file_bytes)
                  ? "max_file_bytes"
                  : NULL;
    if (*reterr)
        return false;
    if (first || level < limits->max_level)
        limits->max_level = level;
    if (first || reaches < limits->max_security_severity)
        limits->max_security_severity = reaches;
    return true;
}

/* ---- judgement ---- */

static bool judge_junit(const struct report *r, char summary[REPORT_SUMMARY]) {
    int64_t bad = r->junit.failures + r->junit.errors;

    if (bad)
        snprintf(summary, REPORT_SUMMARY, "Failed: %" PRId64 " of %" PRId64 ": %s", bad,
                 r->junit.tests, r->first);
    else if (r->junit.said)
        snprintf(summary, REPORT_SUMMARY,
                 "A suite counts %" PRId64 " failures or errors that no test shows", r->junit.said);
    else if (!r->junit.tests)
        snprintf(summary, REPORT_SUMMARY, "No test was run");
    else if (r->junit.skipped == r->junit.tests)
        snprintf(summary, REPORT_SUMMARY, "Every test was skipped: %" PRId64, r->junit.tests);
    else if (r->junit.skipped)
        snprintf(summary, REPORT_SUMMARY, "Passed: %" PRId64 ", skipped: %" PRId64,
                 r->junit.tests - r->junit.skipped, r->junit.skipped);
    else
        snprintf(summary, REPORT_SUMMARY, "Passed: %" PRId64, r->junit.tests);
    return !bad && !r->junit.said && r->junit.skipped < r->junit.tests;
}

static bool judge_sarif(const struct report *r, const struct report_limits *limits,
                        char summary[REPORT_SUMMARY]) {
    bool severe = r->sarif.severity >= limits->max_security_severity, above = false;
    char worst[64] = "";

    for (ReportLevel level = limits->max_level + 1; level < LEVELS; level++)
        above = above || r->sarif.results[level];
    if (r->sarif.severity >= 0)
        snprintf(worst, sizeof worst, ", security severity up to %.1f", r->sarif.severity);
    snprintf(summary, REPORT_SUMMARY,
             "%" PRId64 " errors, %" PRId64 " warnings, %" PRId64 " notes%s%s%s",
             r->sarif.results[LEVEL_ERROR], r->sarif.results[LEVEL_WARNING],
             r->sarif.results[LEVEL_NOTE], worst, severe || above ? ": " : "",
             severe || above ? r->first : "");
    return !severe && !above;
}

static bool judge_bundle(const struct report *r, const struct report_limits *limits,
                         char summary[REPORT_SUMMARY]) {
    bool total = limits->total_bytes >= 0 && r->bundle.total_bytes > limits->total_bytes;
    bool file = limits->file_bytes >= 0 && r->bundle.file_bytes > limits->file_bytes;

    if (!r->bundle.files)
        snprintf(summary, REPORT_SUMMARY, "It has no files");
    else if (total)
        snprintf(summary, REPORT_SUMMARY, "%" PRId64 " bytes in all, at most %" PRId64 " may be",
                 r->bundle.total_bytes, limits->total_bytes);
    else if (file)
        snprintf(summary, REPORT_SUMMARY, "%s has %" PRId64 " bytes, at most %" PRId64 " may be",
                 r->first, r->bundle.file_bytes, limits->file_bytes);
    else
        snprintf(summary, REPORT_SUMMARY, "%" PRId64 " bytes in %" PRId64 " files",
                 r->bundle.total_bytes, r->bundle.files);
    return r->bundle.files && !total && !file &&
           (limits->total_bytes >= 0 || limits->file_bytes >= 0);
}

bool report_judge(const struct report *report, const struct report_limits *limits,
                  char summary[REPORT_SUMMARY]) {
    bool passed = report->kind == REPORT_JUNIT   ? judge_junit(report, summary)
                  : report->kind == REPORT_SARIF ? judge_sarif(report, limits, summary)
                                                 : judge_bundle(report, limits, summary);

    if (!passed || !report->broken)
        return passed;
    snprintf(summary, REPORT_SUMMARY, "%s", report->broken);
    return false;
}
