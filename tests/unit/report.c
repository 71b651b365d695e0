/* tests/unit/report.c: reports of CI: what passes, what fails, what is no report at all. */
#include "report/report.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

typedef enum Outcome { PASSED, FAILED, REFUSED } Outcome;

struct report_case {
    const char *text;
    Outcome outcome;
    const char *says; /* in the summary, or in the fault: "field detail" */
};

static Outcome outcome_of(ReportKind kind, const char *text, size_t n,
                          const struct report_limits *limits, char says[1024]) {
    struct report report;
    struct report_fault fault;
    char summary[REPORT_SUMMARY];

    if (report_read(kind, text, n, &report, &fault) != STATUS_OK) {
        snprintf(says, 1024, "%s %s", fault.field, fault.detail);
        return REFUSED;
    }
    if (report_judge(&report, limits, summary)) {
        snprintf(says, 1024, "%s", summary);
        return PASSED;
    }
    snprintf(says, 1024, "%s", summary);
    return FAILED;
}

static void check_text(ReportKind kind, const struct report_limits *limits,
                       const struct report_case *c) {
    char says[1024];
    Outcome outcome = outcome_of(kind, c->text, strlen(c->text), limits, says);

    ck_assert_msg(outcome == c->outcome, "%.200s: %d, %s", c->text, outcome, says);
    ck_assert_msg(strstr(says, c->says) != NULL, "%.200s: %s", c->text, says);
}

#define CHECK_ALL(kind, limits, cases)                                                             \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++)                                   \
    check_text(kind, limits, &(cases)[i])

/* ---- JUnit ---- */

#define SUITE(inner) "<testsuite name='s'>" inner "</testsuite>"

START_TEST(junit__passes_only_with_tests_and_no_failure) {
    static const struct report_case cases[] = {
        {SUITE("<testcase name='a'/><testcase name='b'/>"), PASSED, "Passed: 2"},
        {"<testsuites>" SUITE("<testcase/>") SUITE("<testcase/>") "</testsuites>", PASSED,
         "Passed: 2"},
        {SUITE("<testcase/><testcase><skipped/></testcase>"), PASSED, "Passed: 1, skipped: 1"},
        {SUITE("<testcase/><system-out><![CDATA[<failure/>]]></system-out>"), PASSED, "Passed: 1"},
        {SUITE("<testcase><system-err>&lt;error/></system-err></testcase>"), PASSED, "Passed: 1"},
        {SUITE("<properties><property name='failures' value='3'/></properties><testcase/>"), PASSED,
         "1"},
        {SUITE("<testcase name='a' classname='c'><failure message='no'/></testcase><testcase/>"),
         FAILED, "Failed: 1 of 2: c.a"},
        {SUITE("<testcase name='a'><error/></testcase>"), FAILED, "Failed: 1 of 1: a"},
        {SUITE("<testcase><skipped/><failure/></testcase>"), FAILED, "a test without a name"},
        {SUITE("<testcase/><error message='no database'/>"), FAILED, "a suite"},
        {SUITE("<testcase name='a' status='failed'/>"), FAILED, "1 of 1"},
        {SUITE("<testcase name='a' status='error'/>"), FAILED, "1 of 1"},
        {SUITE("<testcase name='a' status='run' result='completed'/>"), PASSED, "Passed: 1"},
        {SUITE(""), FAILED, "No test was run"},
        {"<testsuites/>", FAILED, "No test was run"},
        {"<testsuites tests='0'/>", FAILED, "No test was run"},
        {SUITE("<testcase><skipped/></testcase>"), FAILED, "Every test was skipped: 1"},
        {SUITE("<testcase status='notrun'/><testcase result='suppressed'/>"), FAILED,
         "Every test was skipped: 2"},
    };

    CHECK_ALL(REPORT_JUNIT, &report_limits_usual, cases);
}
END_TEST

START_TEST(junit__attributes_only_make_it_worse) {
    static const struct report_case cases[] = {
        {"<testsuite tests='2' failures='0' errors='0'><testcase/><testcase/></testsuite>", PASSED,
         "2"},
        {"<testsuite failures='1'><testcase/></testsuite>", FAILED, "counts 1 failures"},
        {"<testsuites errors='2'><testsuite><testcase/></testsuite></testsuites>", FAILED,
         "counts 2"},
        {"<testsuite tests='120'><testcase/></testsuite>", FAILED, "The report is cut"},
        {"<testsuites tests='2'>" SUITE("<testcase/>") "</testsuites>", FAILED,
         "The report is cut"},
        {"<testsuite tests='5' failures='0'></testsuite>", FAILED, "No test was run"},
        {"<testsuite tests='0'><testcase/></testsuite>", PASSED, "Passed: 1"},
        {"<testsuite failures='0'><testcase><failure/></testcase></testsuite>", FAILED, "1 of 1"},
        {"<testsuite failures='-1'><testcase/></testsuite>", REFUSED, "attribute failures"},
        {"<testsuite errors='none'><testcase/></testsuite>", REFUSED, "attribute errors"},
        {"<testsuite tests=''><testcase/></testsuite>", REFUSED, "attribute tests"},
    };

    CHECK_ALL(REPORT_JUNIT, &report_limits_usual, cases);
}
END_TEST

#define LAUGH(n, of)                                                                               \
    "<!ENTITY l" #n " '&l" #of ";&l" #of ";&l" #of ";&l" #of ";&l" #of ";&l" #of ";&l" #of ";'>"

START_TEST(junit__what_is_none_is_refused) {
    static const struct report_case cases[] = {
        {"", REFUSED, "Line 1: no element found"},
        {"   ", REFUSED, "no element found"},
        {"{}", REFUSED, "Line 1"},
        {"<html/>", REFUSED, "the root is neither"},
        {"<testcase/>", REFUSED, "the root is neither"},
        {"<testsuites><testcase/></testsuites>", PASSED, "Passed: 1"},
        {SUITE("<testcase><testcase/></testcase>"), REFUSED, "outside a testsuite"},
        {"<testsuite>\n<testcase>", REFUSED, "Line 2: no element found"},
        {"<testsuite>\n\n<testcase></testsuite>", REFUSED, "Line 3: mismatched tag"},
        {"<testsuite/><testsuite/>", REFUSED, "junk after document element"},
        {"<testsuite name='\xff'/>", REFUSED, "not well-formed"},
        {"<testsuite a='1' a='2'/>", REFUSED, "duplicate attribute"},
        {"<testsuite>&nothing;</testsuite>", REFUSED, "undefined entity"},
        {"<?xml version='1.0' encoding='EBCDIC-US'?><testsuite/>", REFUSED, "unknown encoding"},
        {"<!DOCTYPE testsuite><testsuite><testcase/></testsuite>", REFUSED, "document type"},
        {"<!DOCTYPE t [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><testsuite>&x;</testsuite>",
         REFUSED, "document type"},
        {"<!DOCTYPE t SYSTEM 'http://127.0.0.1/x.dtd'><testsuite/>", REFUSED, "document type"},
        {"<!DOCTYPE t [<!ENTITY % p SYSTEM 'http://127.0.0.1/x'> %p;]><testsuite/>", REFUSED,
         "document type"},
        {"<!DOCTYPE t [<!ENTITY l0 'ha'>" LAUGH(1, 0) LAUGH(2, 1) LAUGH(3, 2) LAUGH(4, 3) LAUGH(
             5, 4) LAUGH(6, 5) LAUGH(7, 6) LAUGH(8, 7) LAUGH(9, 8) "]><testsuite name='&l9;'/>",
         REFUSED, "document type"},
        {"<!DOCTYPE t [<!ATTLIST testcase status CDATA 'passed'>]><testsuite/>", REFUSED,
         "document type"},
    };

    CHECK_ALL(REPORT_JUNIT, &report_limits_usual, cases);
}
END_TEST

/* `n` times `piece` between two texts. */
static char *repeated(const char *before, const char *piece, size_t n, const char *after) {
    struct strbuf b = STRBUF((size_t)64 << 20);

    strbuf_adds(&b, before);
    for (size_t i = 0; i < n; i++)
        strbuf_adds(&b, piece);
    strbuf_adds(&b, after);
    return strbuf_take(&b);
}

static void check_large(ReportKind kind, char *text, Outcome outcome, const char *says) {
    size_t n = strlen(text);
    char said[1024];
    int64_t began = clock_monotonic_us();
    Outcome found = outcome_of(kind, text, n, &report_limits_usual, said);

    printf("# %s, %.1f MiB: %lld ms: %.80s\n", report_media_types[kind], (double)n / (1 << 20),
           (long long)((clock_monotonic_us() - began) / 1000), said);
    ck_assert_msg(found == outcome, "%.60s: %d, %s", text, found, said);
    ck_assert_msg(strstr(said, says) != NULL, "%.60s: %s", text, said);
    free(text);
}

START_TEST(junit__hostile_sizes) {
    static const char attribute[] = " attribute%06zu='1'";
    struct strbuf many = STRBUF(REPORT_BYTES_MAX);

    check_large(REPORT_JUNIT, repeated("<testsuite>", "<a>", 62, "</a>"), REFUSED, "no element");
    check_large(REPORT_JUNIT, repeated("", "<testsuite>", 64, ""), REFUSED, "no element found");
    check_large(REPORT_JUNIT, repeated("", "<testsuite>", 65, ""), REFUSED,
                "nested deeper than 64");
    check_large(REPORT_JUNIT, repeated("", "<testsuite>", 1000000, ""), REFUSED, "nested deeper");
    check_large(REPORT_JUNIT,
                repeated("<testsuite>", "<testcase name='a'/>", 800000, "</testsuite>"), PASSED,
                "Passed: 800000");
    check_large(
        REPORT_JUNIT,
        repeated("<testsuite>", "<testcase name='a'><failure/></testcase>", 400000, "</testsuite>"),
        FAILED, "Failed: 400000 of 400000: a, a");
    check_large(REPORT_JUNIT,
                repeated("<testsuite name='", "aaaaaaaa", 2000000, "'><testcase/></testsuite>"),
                PASSED, "Passed: 1");
    check_large(REPORT_JUNIT,
                repeated("<testsuite><testcase><system-out>", "x &lt; y\n", 1800000,
                         "</system-out></testcase></testsuite>"),
                PASSED, "Passed: 1");
    check_large(REPORT_JUNIT, repeated("<testsuite", "", 0, " a='1'><testcase/></testsuite>"),
                PASSED, "1");
    strbuf_adds(&many, "<testsuite");
    for (size_t i = 0; many.len + 64 < REPORT_BYTES_MAX; i++)
        strbuf_addf(&many, attribute, i);
    strbuf_adds(&many, "/>");
    check_large(REPORT_JUNIT, strbuf_take(&many), REFUSED, "needs too much memory");
    for (size_t i = 0; i < 65; i++)
        strbuf_addf(&many, i ? attribute : "<testsuite attribute%06zu='1'", i);
    strbuf_adds(&many, "/>");
    check_large(REPORT_JUNIT, strbuf_take(&many), REFUSED, "more than 64 attributes");
    check_large(REPORT_JUNIT,
                repeated("<testsuite>", "0123456789abcdef", (1 << 20), "</testsuite>"), REFUSED,
                "More than 16777216 bytes");
}
END_TEST

START_TEST(junit__other_encodings) {
    static const char utf16[] =
        "\xff\xfe<\0t\0e\0s\0t\0s\0u\0i\0t\0e\0>\0<\0t\0e\0s\0t\0c\0a\0s\0e\0/\0>\0"
        "<\0/\0t\0e\0s\0t\0s\0u\0i\0t\0e\0>\0";
    static const char hidden[] = "\xff\xfe<\0!\0D\0O\0C\0T\0Y\0P\0E\0 \0t\0>\0";
    char says[1024];

    ck_assert_int_eq(outcome_of(REPORT_JUNIT, utf16, sizeof utf16 - 1, &report_limits_usual, says),
                     PASSED);
    ck_assert_int_eq(
        outcome_of(REPORT_JUNIT, hidden, sizeof hidden - 1, &report_limits_usual, says), REFUSED);
    ck_assert_msg(strstr(says, "document type") != NULL, "%s", says);
    check_text(REPORT_JUNIT, &report_limits_usual,
               &(struct report_case){"<?xml version='1.0' encoding='ISO-8859-1'?>" SUITE(
                                         "<testcase name='\xe4'><failure/></testcase>"),
                                     FAILED, "Failed: 1 of 1: \xc3\xa4"});
    check_text(REPORT_JUNIT, &report_limits_usual,
               &(struct report_case){"\xef\xbb\xbf" SUITE("<testcase/>"), PASSED, "Passed: 1"});
}
END_TEST

/* ---- SARIF ---- */

#define LOG(runs) "{\"version\": \"2.1.0\", \"runs\": [" runs "]}"
#define RUN(results)                                                                               \
    "{\"tool\": {\"driver\": {\"name\": \"t\", \"rules\": [" RULES "]}}, \"results\": [" results   \
    "]}"
#define RULES                                                                                      \
    "{\"id\": \"sqli\", \"defaultConfiguration\": {\"level\": \"error\"},"                         \
    " \"properties\": {\"security-severity\": \"9.8\"}},"                                          \
    "{\"id\": \"style\", \"defaultConfiguration\": {\"level\": \"note\"}},"                        \
    "{\"id\": \"xss\", \"properties\": {\"security-severity\": \"6.1\"}}"
#define RESULT(members) "{\"message\": {\"text\": \"m\"}, " members "}"

START_TEST(sarif__levels_and_severities) {
    static const struct report_case cases[] = {
        {LOG(RUN("")), PASSED, "0 errors, 0 warnings, 0 notes"},
        {LOG(RUN(RESULT("\"level\": \"warning\""))), PASSED, "0 errors, 1 warnings"},
        {LOG(RUN(RESULT("\"ruleId\": \"other\""))), PASSED, "1 warnings"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"ruleId\": \"other\""))), FAILED,
         "1 errors, 0 warnings, 0 notes: other"},
        {LOG(RUN(RESULT("\"ruleId\": \"style\""))), PASSED, "1 notes"},
        {LOG(RUN(RESULT("\"ruleId\": \"sqli\""))), FAILED, "security severity up to 9.8: sqli"},
        {LOG(RUN(RESULT("\"ruleId\": \"sqli/2\""))), FAILED, "9.8"},
        {LOG(RUN(RESULT("\"ruleIndex\": 0"))), FAILED, "9.8"},
        {LOG(RUN(RESULT("\"rule\": {\"index\": 0}"))), FAILED, "9.8"},
        {LOG(RUN(RESULT("\"rule\": {\"id\": \"sqli\"}"))), FAILED, "9.8: sqli"},
        {LOG(RUN(RESULT("\"ruleIndex\": -1, \"ruleId\": \"style\""))), PASSED, "1 notes"},
        {LOG(RUN(RESULT("\"ruleId\": \"sqli\", \"level\": \"note\""))), FAILED, "9.8: sqli"},
        {LOG(RUN(RESULT("\"ruleId\": \"xss\""))), PASSED, "security severity up to 6.1"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": \"9.0\"}"))), FAILED, "9.0"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": 8.9}"))), PASSED, "8.9"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"kind\": \"pass\""))), PASSED, "0 errors"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"kind\": \"fail\""))), FAILED, "1 errors"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"suppressions\": [{\"kind\": \"inSource\"}]"))),
         PASSED, "0 errors"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"suppressions\": []"))), FAILED, "1 errors"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"suppressions\": [{\"kind\": \"external\", "
                        "\"status\": \"rejected\"}]"))),
         FAILED, "1 errors"},
        {LOG(RUN(RESULT("\"level\": \"error\", \"baselineState\": \"absent\""))), PASSED,
         "0 errors"},
        {LOG(RUN("") "," RUN(RESULT("\"level\": \"error\""))), FAILED, "1 errors"},
        {"{\"version\": \"2.1.0\", \"runs\": [{\"results\": [{\"ruleId\": \"a\"}], \"tool\": "
         "{\"driver\": {\"rules\":"
         " [{\"id\": \"a\", \"defaultConfiguration\": {\"level\": \"error\"}}]}}}]}",
         FAILED, "1 errors"}, /* rules behind the results */
        {LOG("{\"tool\": {\"driver\": {}, \"extensions\": [{\"rules\": [{\"id\": \"e\"}]}, "
             "{\"rules\": [{\"id\": \"f\","
             " \"properties\": {\"security-severity\": \"10.0\"}}]}]}, \"results\": [{\"rule\": "
             "{\"index\": 0,"
             " \"toolComponent\": {\"index\": 1}}}]}"),
         FAILED, "10.0"},
    };

    CHECK_ALL(REPORT_SARIF, &report_limits_usual, cases);
}
END_TEST

START_TEST(sarif__no_scan_is_no_pass) {
    static const struct report_case cases[] = {
        {LOG(""), FAILED, "It has no run"},
        {LOG("{\"tool\": {\"driver\": {}}}"), FAILED, "A run has no results"},
        {LOG("{\"tool\": {\"driver\": {}}, \"results\": null}"), FAILED, "A run has no results"},
        {LOG(RUN("") ", {\"tool\": {\"driver\": {}}}"), FAILED, "A run has no results"},
        {LOG("{\"tool\": {\"driver\": {}}, \"results\": [], \"invocations\": "
             "[{\"executionSuccessful\": false}]}"),
         FAILED, "executionSuccessful"},
        {LOG("{\"tool\": {\"driver\": {}}, \"results\": [], \"invocations\": "
             "[{\"executionSuccessful\": true}]}"),
         PASSED, "0 errors"},
        {LOG("{\"tool\": {\"driver\": {}}, \"results\": [{}], \"invocations\": "
             "[{\"executionSuccessful\": true,"
             " \"ruleConfigurationOverrides\": [{\"configuration\": {\"level\": \"error\"}}]}]}"),
         FAILED, "1 errors"},
        {LOG("{\"tool\": {\"driver\": {}}, \"results\": [], \"invocations\": [{}]}"), REFUSED,
         "/runs/0/invocations executionSuccessful"},
        {LOG("{\"tool\": {\"driver\": {}}, \"results\": [], \"externalPropertyFileReferences\":"
             " {\"results\": [{\"location\": {\"uri\": \"a\"}}]}}"),
         REFUSED, "in other files"},
        {LOG("{\"results\": []}"), REFUSED, "/runs/0/tool Required"},
    };

    CHECK_ALL(REPORT_SARIF, &report_limits_usual, cases);
}
END_TEST

START_TEST(sarif__what_is_none_is_refused) {
    static const struct report_case cases[] = {
        {"", REFUSED, "it is cut"},
        {"[]", REFUSED, "Must be an object"},
        {"{}", REFUSED, "/version Required"},
        {"{\"runs\": []}", REFUSED, "/version Required"},
        {"{\"version\": \"2.1.0\"}", REFUSED, "/runs Required"},
        {"{\"version\": \"2.0.0\", \"runs\": []}", REFUSED, "/version Only 2.1.0"},
        {"{\"version\": 2.1, \"runs\": []}", REFUSED, "/version Only 2.1.0"},
        {"{\"version\": \"2.1.0\", \"runs\": {}}", REFUSED, "/runs Must be an array"},
        {"{\"version\": \"2.1.0\", \"runs\": [], \"runs\": []}", REFUSED,
         "/runs It is there twice"},
        {"{\"version\": \"2.1.0\", \"runs\": []} x", REFUSED, "no JSON"},
        {"{\"version\": \"2.1.0\", \"runs\": [", REFUSED, "Line 1: it is cut"},
        {"{\"version\": \"2.1.0\",\n \"runs\": [{\"tool\":", REFUSED, "Line 2: it is cut"},
        {"{\"version\": \"2.1.0\", \"runs\": [,]}", REFUSED, "/runs/0 Must be"},
        {"{\"version\": \"2.1.0\", \"runs\": [],}", REFUSED, "no JSON"},
        {"{\"version\": \"2.1.0\" \"runs\": []}", REFUSED, "no JSON"},
        {"{\"version\": \"2.1.0\", \"runs\": [], \"x\": {\"a\": 1, \"a\": 2}}", REFUSED,
         "/x It is no JSON: duplicate"},
        {"{\"version\": \"2.1.0\", \"runs\": [], \"x\": nul}", REFUSED, "/x It is no JSON"},
        {"{\"version\": \"2.1.0\", \"runs\": [], \"x\": \"\xff\"}", REFUSED, "/x It is no JSON"},
        {LOG(RUN("7")), REFUSED, "/runs/0/results/0 Must be an object"},
        {LOG(RUN(RESULT("\"level\": \"fatal\""))), REFUSED, "/runs/0/results/0/level No level"},
        {LOG(RUN(RESULT("\"level\": 1"))), REFUSED, "/runs/0/results/0/level"},
        {LOG(RUN(RESULT("\"kind\": \"ok\""))), REFUSED, "/runs/0/results/0/kind"},
        {LOG(RUN(RESULT("\"level\": \"note\", \"level\": \"note\""))), REFUSED,
         "level is there twice"},
        {LOG(RUN(RESULT("\"ruleIndex\": 3"))), REFUSED,
         "/runs/0/results/0/ruleIndex There is no such rule"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": \"high\"}"))), REFUSED,
         "security-severity A number"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": \"nan\"}"))), REFUSED,
         "security-severity"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": \"0x9\"}"))), REFUSED,
         "security-severity"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": \"-1\"}"))), REFUSED,
         "security-severity"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": \"11\"}"))), REFUSED,
         "security-severity"},
        {LOG(RUN(RESULT("\"properties\": {\"security-severity\": true}"))), REFUSED,
         "security-severity"},
        {"{\"version\": \"2.1.0\", \"runs\": [], \"inlineExternalProperties\": [{}]}", REFUSED,
         "External"},
    };

    CHECK_ALL(REPORT_SARIF, &report_limits_usual, cases);
}
END_TEST

START_TEST(sarif__thresholds_are_parameters) {
    static const struct {
        const char *params, *result;
        Outcome outcome;
    } cases[] = {
        {"{\"max_level\": \"note\"}", RESULT("\"level\": \"warning\""), FAILED},
        {"{\"max_level\": \"error\"}", RESULT("\"level\": \"error\""), PASSED},
        {"{\"max_level\": \"none\"}", RESULT("\"level\": \"note\""), FAILED},
        {"{\"max_security_severity\": 7}",
         RESULT("\"properties\": {\"security-severity\": \"7.0\"}"), FAILED},
        {"{\"max_security_severity\": 7}",
         RESULT("\"properties\": {\"security-severity\": \"6.9\"}"), PASSED},
        {"{\"max_security_severity\": 10.1}",
         RESULT("\"properties\": {\"security-severity\": \"10\"}"), PASSED},
        {"{}", RESULT("\"level\": \"error\""), FAILED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *params = json_parse(cases[i].params);
        _cleanup_free_ char *text = xasprintf(
            "{\"version\": \"2.1.0\", \"runs\": [{\"tool\": {\"driver\": {}}, \"results\": [%s]}]}",
            cases[i].result);
        struct report_limits limits = report_limits_usual;
        const char *fault;

        ck_assert(report_limits_add(&limits, params, true, &fault));
        check_text(REPORT_SARIF, &limits, &(struct report_case){text, cases[i].outcome, "errors"});
    }
}
END_TEST

START_TEST(sarif__other_encodings) {
    static const char text[] = LOG(RUN(""));
    static const char *const marks[] = {"\xff\xfe", "\xfe\xff", ""};
    char wide[2 * sizeof text + 2], says[1024], *marked = xasprintf("\xef\xbb\xbf%s", text);

    for (size_t i = 0; i < 6; i++) { /* UTF-16, both orders, with and without a mark */
        const char *mark = marks[i / 2];
        size_t n = strlen(mark);

        memcpy(wide, mark, n);
        for (size_t c = 0; text[c]; c++, n += 2) {
            wide[n + i % 2] = text[c];
            wide[n + !(i % 2)] = '\0';
        }
        ck_assert_int_eq(outcome_of(REPORT_SARIF, wide, n, &report_limits_usual, says), REFUSED);
        ck_assert_msg(strstr(says, "It is not UTF-8") != NULL, "%s", says);
    }
    check_text(REPORT_SARIF, &report_limits_usual,
               &(struct report_case){marked, PASSED, "0 errors"});
    free(marked);
}
END_TEST

START_TEST(sarif__hostile_sizes) {
    static const char before[] =
        "{\"version\": \"2.1.0\", \"runs\": [{\"tool\": {\"driver\": {\"rules\": [" RULES
        "]}}, \"results\": [";
    static const char one[] =
        "{\"ruleId\":\"style\",\"message\":{\"text\":\"m\"},\"locations\":[{\"physicalLocation\":"
        "{\"artifactLocation\":{\"uri\":\"a.js\"},\"region\":{\"startLine\":1}}}]}";
    _cleanup_free_ char *piece = xasprintf("%s,", one), *after = xasprintf("%s]}]}", one);

    check_large(REPORT_SARIF, repeated(before, piece, 99999, after), PASSED, "100000 notes");
    check_large(REPORT_SARIF, repeated(before, "{},", 5000000, "{}]}]}"), REFUSED,
                "More than 1000000 results");
    check_large(REPORT_SARIF,
                repeated("{\"version\": \"2.1.0\", \"runs\": [], \"x\": [", "{},", 5000000, "{}]}"),
                FAILED, "no run");
    check_large(REPORT_SARIF, repeated("{\"version\": \"2.1.0\", \"runs\": ", "[", 16000000, ""),
                REFUSED, "/runs/0 Must be");
    check_large(REPORT_SARIF, repeated("{\"version\": \"2.1.0\", \"x\": ", "{\"a\":", 3000000, "1"),
                REFUSED, "Nested deeper");
    check_large(REPORT_SARIF,
                repeated("{\"version\": \"2.1.0\", \"x\": \"", "aaaaaaaa", 2000000, "\"}"), REFUSED,
                "/x More than");
    check_large(
        REPORT_SARIF,
        repeated("{\"version\": \"2.1.0\", \"runs\": [{\"tool\": {\"driver\": {\"rules\": [",
                 "{\"id\":\"a\"},", 1000000, "{}]}}}]}"),
        REFUSED, "More than 50000 rules");
    check_large(REPORT_SARIF,
                repeated("{\"version\": \"2.1.0\", \"runs\": [", "{\"tool\":{},\"results\":[]},",
                         600000, "{}]}"),
                REFUSED, "More than 1000 runs");
    check_large(REPORT_SARIF, repeated("", "0123456789abcdef", (1 << 20) + 1, ""), REFUSED,
                "More than 16777216");
}
END_TEST

/* ---- bundles ---- */

START_TEST(bundle__sizes_against_limits) {
    static const struct report_case cases[] = {
        {"{\"files\": [{\"name\": \"a.js\", \"bytes\": 60}, {\"name\": \"b.js\", \"bytes\": 40}]}",
         PASSED, "100 bytes in 2 files"},
        {"{\"files\": [{\"name\": \"a.js\", \"bytes\": 61}, {\"name\": \"b.js\", \"bytes\": 40}]}",
         FAILED, "101 bytes in all, at most 100"},
        {"{\"files\": [{\"name\": \"a.js\", \"bytes\": 71}]}", FAILED,
         "a.js has 71 bytes, at most 70"},
        {"{\"files\": [{\"name\": \"a.js\", \"bytes\": 0}]}", PASSED, "0 bytes in 1 files"},
        {"{\"files\": []}", FAILED, "It has no files"},
        {"{}", REFUSED, "/files Required"},
        {"{\"files\": {}}", REFUSED, "/files Must be an array"},
        {"{\"files\": [], \"files\": []}", REFUSED, "/files It is there twice"},
        {"{\"files\": [], \"total\": 7}", REFUSED, "/total There is no such field"},
        {"{\"files\": [{\"bytes\": 1}]}", REFUSED, "/files/0/name"},
        {"{\"files\": [{\"name\": \"\", \"bytes\": 1}]}", REFUSED, "/files/0/name"},
        {"{\"files\": [{\"name\": \"a\"}]}", REFUSED, "/files/0/bytes"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": -1}]}", REFUSED, "/files/0/bytes"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": \"1\"}]}", REFUSED, "/files/0/bytes"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": 1.5}]}", REFUSED, "/files/0/bytes"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": 1e999}]}", REFUSED, "/files/0"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": 9007199254740993}]}", REFUSED,
         "/files/0/bytes"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": 99999999999999999999}]}", REFUSED, "/files/0"},
        {"{\"files\": [{\"name\": \"a\", \"bytes\": 1}, {\"name\": \"a\", \"bytes\": 1}]}", REFUSED,
         "/files/1/name"},
        {"", REFUSED, "it is cut"},
    };
    const struct report_limits limits = {.total_bytes = 100, .file_bytes = 70};

    CHECK_ALL(REPORT_BUNDLE, &limits, cases);
    check_text(
        REPORT_BUNDLE, &report_limits_usual,
        &(struct report_case){"{\"files\": [{\"name\": \"a\", \"bytes\": 1}]}", FAILED, "1 bytes"});
}
END_TEST

START_TEST(limits__the_stricter_one_stays) {
    json_auto_t *loose = json_parse(
        "{\"max_level\": \"error\", \"max_security_severity\": 10, \"max_total_bytes\": 9}");
    json_auto_t *strict = json_parse(
        "{\"max_level\": \"note\", \"max_security_severity\": 4.5, \"max_file_bytes\": 3}");
    static const char *const bad[] = {
        "{\"max_level\": \"high\"}",          "{\"max_level\": 3}",
        "{\"max_security_severity\": \"9\"}", "{\"max_security_severity\": -1}",
        "{\"max_total_bytes\": -1}",          "{\"max_file_bytes\": 1.5}"};
    struct report_limits limits = report_limits_usual;
    const char *fault;

    ck_assert(report_limits_add(&limits, loose, true, &fault));
    ck_assert_int_eq(limits.max_level, LEVEL_ERROR);
    ck_assert(report_limits_add(&limits, NULL, false, &fault)); /* the usual limits are stricter */
    ck_assert_int_eq(limits.max_level, LEVEL_WARNING);
    ck_assert(report_limits_add(&limits, strict, false, &fault));
    ck_assert(report_limits_add(&limits, loose, false, &fault));
    ck_assert(limits.max_level == LEVEL_NOTE && limits.max_security_severity == 4.5 &&
              limits.total_bytes == 9 && limits.file_bytes == 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_auto_t *params = json_parse(bad[i]);

        ck_assert_msg(!report_limits_add(&limits, params, true, &fault), "%s", bad[i]);
        ck_assert_msg(strstr(bad[i], fault) != NULL, "%s: %s", bad[i], fault);
    }
}
END_TEST

START_TEST(report__kinds_and_names) {
    struct report report;
    struct report_fault fault;
    char summary[REPORT_SUMMARY];
    _cleanup_free_ char *text =
        repeated("<testsuite><testcase name='", "\xc3\xa4", 300,
                 "'><failure/></testcase><testcase name='a&#10;b'><error/></testcase><testcase "
                 "name='c'><error/></testcase></testsuite>");

    ck_assert_int_eq(report_kind("application/junit+xml; charset=utf-8"), REPORT_JUNIT);
    ck_assert_int_eq(report_kind("Application/SARIF+json"), REPORT_SARIF);
    ck_assert_int_eq(report_kind("application/json"), REPORT_KINDS);
    ck_assert_int_eq(report_kind(NULL), REPORT_KINDS);
    ck_assert_int_eq(report_read(REPORT_JUNIT, text, strlen(text), &report, &fault), STATUS_OK);
    ck_assert(!report_judge(&report, &report_limits_usual, summary));
    ck_assert_msg(strstr(summary, "\xc3\xa4\u2026, a b, c") != NULL, "%s", summary);
}
END_TEST

START_TEST(gzip__gives_back_what_it_took) {
    _cleanup_free_ char *text = repeated("<testsuite>", "<testcase/>", 100000, "</testsuite>");
    size_t n = strlen(text), small = 0;
    _cleanup_free_ unsigned char *bytes = report_gzip(text, n, &small);
    _cleanup_free_ char *back = report_gunzip(bytes, small, n);

    ck_assert(small < n / 50 && back && strcmp(back, text) == 0);
    ck_assert_ptr_null(report_gunzip(bytes, small, n - 1));
    ck_assert_ptr_null(report_gunzip(bytes, small, n + 1));
    ck_assert_ptr_null(report_gunzip(bytes, small - 1, n));
}
END_TEST

int main(void) {
    return RUN_SUITE("report", 120, junit__passes_only_with_tests_and_no_failure,
                     junit__attributes_only_make_it_worse, junit__what_is_none_is_refused,
                     junit__hostile_sizes, junit__other_encodings, sarif__levels_and_severities,
                     sarif__no_scan_is_no_pass, sarif__what_is_none_is_refused,
                     sarif__thresholds_are_parameters, sarif__other_encodings, sarif__hostile_sizes,
                     bundle__sizes_against_limits, limits__the_stricter_one_stays,
                     report__kinds_and_names, gzip__gives_back_what_it_took);
}
