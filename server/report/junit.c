/* report/junit.c: JUnit XML, as test runners write it: no standard, so that only what all of them
 * mean counts.  What decides is the elements: testcase, and failure, error and skipped in it.
 * Attributes of suites are believed only where they make it worse.
 *
 * Hostile input: a document type declaration is refused, and with it every entity; elements nest 64
 * levels and have 64 attributes; expat may use MEMORY_MAX, whatever the document does (a start tag
 * is read whole before anybody sees it).  The text is handed over at once: in pieces, expat 2.5
 * reads a long token again with each (CVE-2023-52425). */
#include "base/cleanup.h"
#include "report/readers.h"
#include <expat.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64, ATTRIBUTES_MAX = 64 };
#define MEMORY_MAX ((size_t)64 << 20)

static inline void XML_ParserFree_cleanup(XML_Parser *p) {
    XML_ParserFree(*p); /* NULL-safe */
}

/* ---- expat's memory ---- */

static _Thread_local size_t memory_used;
union block {
    size_t n;
    max_align_t align;
};

static void *bounded_realloc(void *p, size_t n) {
    union block *old = p ? (union block *)p - 1 : NULL, *block;
    size_t before = old ? old->n : 0;

    if (n > MEMORY_MAX || memory_used - before > MEMORY_MAX - n)
        return NULL;
    block = xrealloc(old, sizeof *block + n);
    block->n = n;
    memory_used += n - before;
    return block + 1;
}

static void *bounded_malloc(size_t n) {
    return bounded_realloc(NULL, n);
}

static void bounded_free(void *p) {
    union block *block = p ? (union block *)p - 1 : NULL;

    if (block)
        memory_used -= block->n;
    free(block);
}

/* ---- the document ---- */

typedef enum Element { OTHER, SUITES, SUITE, TESTCASE, FAILURE, ERROR, SKIPPED } Element;

struct level {
    Element element;
    int64_t tests_before, tests_said; /* of a suite; said: 0 without the attribute */
};

struct reading {
    XML_Parser parser;
    struct report *report;
    struct report_fault *fault;
    struct level level[DEPTH_MAX];
    size_t depth;
    char name[REPORT_FIRST]; /* of the testcase that is open */
    bool failed, errored, skipped;
};

static void PRINTF(2, 3) refuse(struct reading *d, const char *format, ...) {
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)report_wrong(d->fault, "", "Line %lu: %s",
                       (unsigned long)XML_GetCurrentLineNumber(d->parser), text);
    XML_StopParser(d->parser, XML_FALSE);
}

static Element element_of(const char *name) {
    static const char *const names[] = {
        [SUITES] = "testsuites", [SUITE] = "testsuite", [TESTCASE] = "testcase",
        [FAILURE] = "failure",   [ERROR] = "error",     [SKIPPED] = "skipped"};

    for (Element e = SUITES; e <= SKIPPED; e++)
        if (strcmp(names[e], name) == 0)
            return e;
    return OTHER;
}

static const char *attribute(const char *const *attributes, const char *name) {
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return NULL;
}

/* A count, 0 without; -1: it is none. */
static int64_t count_of(const char *const *attributes, const char *name) {
    const char *text = attribute(attributes, name);
    size_t n = text ? strlen(text) : 0;

    if (!text)
        return 0;
    return n > 0 && n <= 12 && strspn(text, "0123456789") == n ? strtoll(text, NULL, 10) : -1;
}

static void begin_suite(struct reading *d, const char *const *attributes) {
    static const char *const counts[] = {"tests", "failures", "errors"};
    struct level *suite = &d->level[d->depth - 1];
    int64_t n[3];

    for (size_t i = 0; i < 3; i++) {
        n[i] = count_of(attributes, counts[i]);
        if (n[i] < 0) {
            refuse(d, "attribute %s is no count", counts[i]);
            return;
        }
    }
    suite->tests_before = d->report->junit.tests;
    suite->tests_said = n[0];
    if (n[1] + n[2] > d->report->junit.said)
        d->report->junit.said = n[1] + n[2];
}

static void end_suite(struct reading *d) {
    const struct level *suite = &d->level[d->depth - 1];

    if (suite->tests_said > d->report->junit.tests - suite->tests_before)
        d->report->broken = "The report is cut: a suite says that it has more tests than it holds";
}

static bool among(const char *word, const char *words) {
    const char *at = word && *word ? strstr(words, word) : NULL;
    size_t n = at ? strlen(word) : 0;

    return at && at[-1] == '|' && at[n] == '|';
}

/* Some runners say it in attributes (GoogleTest: status="notrun"). */
static void begin_testcase(struct reading *d, const char *const *attributes) {
    const char *name = attribute(attributes, "name");
    const char *class = attribute(attributes, "classname");
    const char *status = attribute(attributes, "status");

    snprintf(d->name, sizeof d->name, "%s%s%s", class ? class : "", class && name ? "." : "",
             name ? name : "");
    d->failed = among(status, "|failed|failure|");
    d->errored = among(status, "|error|");
    d->skipped = among(status, "|notrun|disabled|skipped|") ||
                 among(attribute(attributes, "result"), "|skipped|suppressed|");
    d->report->junit.tests++;
}

static void end_testcase(struct reading *d) {
    struct report *r = d->report;

    r->junit.errors += d->errored;
    r->junit.failures += d->failed && !d->errored;
    r->junit.skipped += d->skipped && !d->failed && !d->errored;
    if (d->failed || d->errored)
        report_name(r, *d->name ? d->name : "a test without a name");
}

/* Outside a testcase: of a suite that could not be set up. */
static void begin_outcome(struct reading *d, Element element, Element in) {
    if (in == TESTCASE) {
        d->failed = d->failed || element == FAILURE;
        d->errored = d->errored || element == ERROR;
        d->skipped = d->skipped || element == SKIPPED;
    } else if (element != SKIPPED && (in == SUITE || in == SUITES)) {
        d->report->junit.errors++;
        report_name(d->report, "a suite");
    }
}

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes) {
    struct reading *d = ctx;
    Element element = element_of(name), in = d->depth ? d->level[d->depth - 1].element : OTHER;

    if (XML_GetSpecifiedAttributeCount(d->parser) > 2 * ATTRIBUTES_MAX)
        refuse(d, "an element has more than %d attributes", ATTRIBUTES_MAX);
    else if (d->depth == DEPTH_MAX)
        refuse(d, "nested deeper than %d levels", DEPTH_MAX);
    else if (!d->depth && element != SUITES && element != SUITE)
        refuse(d, "the root is neither testsuites nor testsuite");
    else if (element == TESTCASE && in != SUITE && in != SUITES)
        refuse(d, "a testcase outside a testsuite");
    if (*d->fault->detail)
        return;
    d->level[d->depth++] = (struct level){.element = element};
    if (element == SUITES || element == SUITE)
        begin_suite(d, attributes);
    else if (element == TESTCASE)
        begin_testcase(d, attributes);
    else if (element != OTHER)
        begin_outcome(d, element, in);
}

static void XMLCALL on_end(void *ctx, const char *name) {
    struct reading *d = ctx;
    Element element;

    (void)name;
    if (*d->fault->detail)
        return; /* expat ends an empty element that it was stopped in */
    element = d->level[d->depth - 1].element;
    if (element == SUITES || element == SUITE)
        end_suite(d);
    else if (element == TESTCASE)
        end_testcase(d);
    d->depth--;
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system, const char *public,
                               int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    refuse(ctx, "a document type declaration is not taken, nor the entities in it");
}

Status junit_read(const char *text, size_t n, struct report *ret, struct report_fault *reterr) {
    static const XML_Memory_Handling_Suite memory = {bounded_malloc, bounded_realloc, bounded_free};
    struct reading d;
    _cleanup_(XML_ParserFree) XML_Parser parser = NULL;

    memory_used = 0;
    parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (!parser)
        die("out of memory for expat");
    d = (struct reading){.parser = parser, .report = ret, .fault = reterr};
    XML_SetUserData(parser, &d);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    XML_SetParamEntityParsing(parser, XML_PARAM_ENTITY_PARSING_NEVER);
    if (XML_Parse(parser, text, (int)n, XML_TRUE) != XML_STATUS_OK && !*reterr->detail)
        refuse(&d, "%s",
               XML_GetErrorCode(parser) == XML_ERROR_NO_MEMORY
                   ? "it needs too much memory"
                   : XML_ErrorString(XML_GetErrorCode(parser)));
    return *reterr->detail ? E_INVALID_BODY : STATUS_OK;
}
