/* handlers/documents.c: the API's own description: the OpenAPI document, and pages that people can
 * read. */
#include "handlers/documents.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/routes.h"
#include <string.h>

const char openapi_json[] = {
#include "openapi/openapi.inc"
};

/* The files of openapi/page with what npm gave for them (cmake/SluiceTargets.cmake). */
// clang-format off
#define EMBED(name_, file_)                                                                        \
    __asm__(".pushsection .rodata\n" #name_ ":\n.incbin \"" file_ "\"\n" #name_ "_end:\n.popsection"); \
    extern const char name_[], name_##_end[]
// clang-format on
EMBED(page_css, SLUICE_PAGE "/page.css");
EMBED(page_js, SLUICE_PAGE "/page.js");

enum { PAGE_BYTES = 512 * 1024 };

static const char html[] = "text/html; charset=utf-8";
/* Nothing from elsewhere, and no script or style within the page; the renderer's icons are data. */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                             "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

/* Bytes of the program, up to two megabytes: nobody copies them. */
static Status answer_fixed(struct reply *r, const char *bytes, size_t n, const char *type) {
    r->fixed = bytes;
    r->raw_len = n;
    r->content_type = type;
    return STATUS_OK;
}

Status openapi_get(struct request *q, const void *in, struct reply *r) {
    (void)q;
    (void)in;
    return answer_fixed(r, openapi_json, strlen(openapi_json), "application/json");
}

static Status answer_file(struct reply *r, const char *begin, const char *end, const char *type) {
    r->cache_control = "public, max-age=3600";
    return answer_fixed(r, begin, (size_t)(end - begin), type);
}

Status docs_style_get(struct request *q, const void *in, struct reply *r) {
    (void)q;
    (void)in;
    return answer_file(r, page_css, page_css_end, "text/css; charset=utf-8");
}

Status docs_script_get(struct request *q, const void *in, struct reply *r) {
    (void)q;
    (void)in;
    return answer_file(r, page_js, page_js_end, "text/javascript; charset=utf-8");
}

static const char *method_text(HttpMethod m) {
    static const char *const texts[] = {"GET", "PUT", "POST", "DELETE"};

    return texts[m];
}

static void page_begin(struct strbuf *out, const char *title) {
    strbuf_addf(out,
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
                "<link rel=\"stylesheet\" href=\"/api/docs/page.css\"><h1>%s</h1>",
                title, title);
}

static Status page_end(struct strbuf *out, struct reply *r) {
    r->csp = policy;
    r->raw_len = out->len;
    r->raw = strbuf_take(out);
    r->content_type = html;
    return STATUS_OK;
}

/* Where a code is said: what it means, and what to do. */
static const struct {
    const char *code, *text;
} advice[] = {
#include "handlers/advice.inc"
};

static const char *advice_for(const char *code) {
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        if (!strcmp(advice[i].code, code))
            return advice[i].text;
    return "";
}

static const struct status_row *row_of(const char *code) {
    const struct status_row *row;

    for (unsigned i = 0; (row = status_row_at(i)); i++)
        if (!strcmp(row->code, code))
            return row;
    return !strcmp(code, "internal") ? status_row(FAULT_BUG) : NULL;
}

Status docs_error_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(PAGE_BYTES);
    const struct status_row *row = row_of(request_param(q, "code"));

    (void)in;
    if (!row)
        return reply_refuse(r, E_NOT_FOUND, "There is no such error code.");
    page_begin(&out, row->title);
    strbuf_addf(&out,
                "<p>Code <code>%s</code>, HTTP status %u.</p><p>%s</p>"
                "<p><a href=\"/api/docs\">All operations and codes</a></p>",
                row->code, row->http, advice_for(row->code));
    return page_end(&out, r);
}

static void put_operations(struct strbuf *out) {
    strbuf_adds(
        out, "<div id=\"operations\"><h2>Operations</h2><table><tr><th>Operation<th>Call<th>Scope");
    for (const struct route *route = routes; route->operation; route++)
        strbuf_addf(out, "<tr><td>%s<td><code>%s %s</code><td><code>%s</code>", route->operation,
                    method_text(route->method), route->path, route->scope);
    strbuf_adds(out, "</table></div>");
}

static void put_codes(struct strbuf *out) {
    const struct status_row *row;

    strbuf_adds(out,
                "<details><summary>Error codes</summary><table><tr><th>Status<th>Code<th>Meaning");
    for (unsigned i = 0; (row = status_row_at(i)); i++)
        strbuf_addf(out, "<tr><td>%u<td><a href=\"/api/docs/errors/%s\"><code>%s</code></a><td>%s",
                    row->http, row->code, row->code, row->title);
    strbuf_adds(out, "</table></details>");
}

Status docs_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(PAGE_BYTES);

    (void)q;
    (void)in;
    page_begin(&out, "Sluice " SLUICE_VERSION);
    strbuf_adds(&out, "<p>The whole description is the OpenAPI document at "
                      "<a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>");
    put_codes(&out);
    put_operations(&out);
    strbuf_adds(&out, "<script src=\"/api/docs/page.js\"></script>");
    return page_end(&out, r);
}
