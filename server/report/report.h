/* report/report.h: what reports of CI say, read by Sluice itself: JUnit XML, SARIF 2.1.0, and sizes
 * of a bundle's files.
 *
 * Pure: text → numbers → passed or failed.  Law 3: a report that is empty, cut, or says less than
 * it should is never a pass.  What is no such report at all is refused; hostile ones cost bounded
 * time and memory (each reader says how). */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include <stdbool.h>

#define REPORT_BYTES_MAX ((size_t)16 << 20)
enum { REPORT_SUMMARY = 512, REPORT_FIRST = 256 };

typedef enum ReportKind { REPORT_JUNIT, REPORT_SARIF, REPORT_BUNDLE, REPORT_KINDS } ReportKind;
/* The media type, without parameters, of each kind; REPORT_KINDS: none of them. */
ReportKind report_kind(const char *media_type);
extern const char *const report_media_types[REPORT_KINDS];

typedef enum ReportLevel { LEVEL_NONE, LEVEL_NOTE, LEVEL_WARNING, LEVEL_ERROR, LEVELS } ReportLevel;

struct report {
    ReportKind kind;
    char first[REPORT_FIRST]; /* names of what is wrong, the first few; for the summary */
    const char *broken; /* what makes it no whole report, whatever it counts; static or NULL */
    struct {
        int64_t tests, failures, errors, skipped; /* testcases */
        int64_t said; /* failures that only attributes of suites speak of */
    } junit;
    struct {
        int64_t runs, results[LEVELS], ignored; /* ignored: suppressed, absent, of another kind */
        double severity;                        /* the highest security-severity; -1: none */
    } sarif;
    struct {
        int64_t files, total_bytes, file_bytes; /* of the largest: its name is `first` */
    } bundle;
};

/* Why a text is no such report. */
struct report_fault {
    char field[256]; /* JSON: where, a pointer; else "" */
    char detail[256];
};

/* Refuses E_INVALID_BODY with *reterr filled. */
MUSTCHECK Status report_read(ReportKind kind, const char *text, size_t n, struct report *ret,
                             struct report_fault *reterr);

/* What a checklist's item asks for in its params; the strictest, where several environments ask. */
struct report_limits {
    ReportLevel max_level;           /* of SARIF results: those above fail */
    double max_security_severity;    /* those that reach it fail */
    int64_t total_bytes, file_bytes; /* of a bundle; -1: any */
};
extern const struct report_limits report_limits_usual; /* where params say nothing */
/* Of the params of one item, which may be NULL.  First: they replace what there is, else the
 * stricter one stays.  false: *reterr (static) names the one that is no limit. */
bool report_limits_add(struct report_limits *limits, const json_t *params, bool first,
                       const char **reterr);

/* Passed or failed, with one sentence for people.  A bundle without any limit is a question that
 * nobody asked: the caller refuses it before. */
bool report_judge(const struct report *report, const struct report_limits *limits,
                  char summary[REPORT_SUMMARY]);

/* gzip.c.  Compressed: yours, *ret_n its size. */
unsigned char *report_gzip(const char *text, size_t n, size_t *ret_n);
/* NULL when it is not exactly `size` bytes that come out.  Yours, NUL-terminated. */
char *report_gunzip(const unsigned char *bytes, size_t n, size_t size);
