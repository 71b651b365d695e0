/* handlers/evidence.c: what CI and other programs found about a release's items: said in JSON, or
 * read from a report that they send.  Bound to the release's content; nothing is replaced, the last
 * one observed counts. */
#include "db/evidence.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/checklist.h"
#include "domain/check.h"
#include "handlers/answer.h"
#include "handlers/gate_fact.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "report/report.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SKEW_US   (60 * US_PER_S)         /* a caller's clock may be ahead of ours by so much */
#define OLDEST_US (90 * 86400 * US_PER_S) /* what was seen before says nothing of today */
enum { EXPIRES_MIN_S = 60, EXPIRES_MAX_S = 365 * 86400, URL_MAX = 2048, SOURCE_MAX = 255 };

/* What a POST says, whatever its form. */
struct evidence_in {
    const char *item, *environment, *state, *source, *url, *digest, *summary;
    int64_t observed_us, expires_s; /* expires_s 0: as long as the template says */
};

struct evidence_write {
    struct request *q;
    struct reply *r;
    struct gate_fact *f;
    struct evidence_in in;
    const struct report *report; /* what it was read from; NULL: said in JSON */
    struct report_row raw;
};

/* ---- what is wrong with it ---- */

static Status PRINTF(4, 5) wrong(const struct evidence_write *w, const char *name, const char *code,
                                 const char *format, ...) {
    char detail[512], pointer[64];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    if (w->report)
        return reply_query_error(w->r, name, code, "%s", detail);
    snprintf(pointer, sizeof pointer, "/%s", name);
    return reply_field_error(w->r, pointer, code, "%s", detail);
}

static bool observed_given(const struct evidence_write *w) {
    return w->report ? request_query(w->q, "observed_at") != NULL
                     : json_is_string(json_object_get(w->q->json, "observed_at"));
}

static Status check_said(struct evidence_write *w) {
    int64_t now = clock_now_us();
    struct evidence_in *in = &w->in;

    if (in->url && !link_valid(in->url))
        return wrong(w, "url", "format", "An http or https address.");
    if (!observed_given(w))
        in->observed_us = now;
    if (in->observed_us > now + SKEW_US)
        return wrong(w, "observed_at", "range", "It lies in the future.");
    if (in->observed_us < now - OLDEST_US)
        return wrong(w, "observed_at", "range", "It is more than 90 days ago.");
    if (in->observed_us > now)
        in->observed_us = now;
    return STATUS_OK;
}

/* It speaks of this content: of the release's digest, or of its image's. */
static Status check_digest(const struct evidence_write *w) {
    const struct release_row *release = &w->f->release;
    const char *digest = w->in.digest;

    if (!digest || strcmp(digest, release->content_digest) == 0 ||
        (release->digest && strcmp(digest, release->digest) == 0))
        return STATUS_OK;
    return wrong(w, "digest", "mismatch",
                 "It is about other content: release %s has content_digest %s%s%s.",
                 release->version, release->content_digest, release->digest ? ", image " : "",
                 release->digest ? release->digest : "");
}

/* ---- what the checklists ask for ---- */

/* The item as the i-th environment's checklist has it, if it asks for one, appended to `items`. */
static Status ask_environment(struct db_tx *tx, const struct evidence_write *w, size_t i,
                              json_t *items, size_t *checklists) {
    const struct checklist_of of = {.kind = "before",
                                    .environment_id = gate_fact_environment(w->f, i),
                                    .release_id = w->f->release.id};
    _cleanup_(db_rows_free) struct db_rows *used = NULL, *rows = NULL;
    json_t *item;
    Status s = db_checklist_use(tx, &of, &used);

    if (s != STATUS_OK || db_rows_count(used) == 0)
        return s;
    ++*checklists;
    s = db_evidence_item(tx, db_text(used, 0, "template"), db_int(used, 0, "version"), w->in.item,
                         &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return !w->in.environment
                   ? STATUS_OK
                   : wrong(w, "item", "unknown",
                           "The checklist %s that %s asks for has no item %s.",
                           db_text(used, 0, "template"), w->in.environment, w->in.item);
    item = db_json(rows, 0, "item");
    json_array_append_new(items, item);
    if (strcmp(json_str(item, "kind", ""), "evidence") != 0)
        return wrong(w, "item", "kind", "Item %s of %s is of kind %s: evidence does not decide it.",
                     w->in.item, db_text(used, 0, "template"), json_str(item, "kind", "?"));
    return STATUS_OK;
}

static Status ask_checklists(struct db_tx *tx, const struct evidence_write *w, json_t *items) {
    size_t checklists = 0;
    Status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && gate_fact_environment(w->f, i); i++)
        s = ask_environment(tx, w, i, items, &checklists);
    if (s == STATUS_OK && checklists && json_array_size(items) == 0)
        return wrong(w, "item", "unknown",
                     "No checklist that an environment of %s asks for has an item %s.", w->f->app,
                     w->in.item);
    return s;
}

/* 0: never.  A template's limit holds whatever the caller says. */
static int64_t expires_us(const struct evidence_in *in, const json_t *items) {
    int64_t shortest_s = in->expires_s;
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)items, i, item) {
        int64_t asked_s = json_int(item, "expires_s", 0);

        if (asked_s && (!shortest_s || asked_s < shortest_s))
            shortest_s = asked_s;
    }
    return shortest_s ? in->observed_us + shortest_s * US_PER_S : 0;
}

/* Reads state and summary from the report, by what the items ask for. */
static Status judge(const struct evidence_write *w, const json_t *items, struct evidence_row *row,
                    char summary[REPORT_SUMMARY]) {
    struct report_limits limits = report_limits_usual;
    const json_t *item;
    const char *bad;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)items, i, item) {
        if (!report_limits_add(&limits, json_object_get(item, "params"), i == 0, &bad))
            return wrong(w, "item", "params", "Its template's %s is no limit.", bad);
    }
    if (w->report->kind == REPORT_BUNDLE && limits.total_bytes < 0 && limits.file_bytes < 0)
        return wrong(w, "item", "no-limit",
                     "Nothing says how large the bundle may be: give item %s max_total_bytes or "
                     "max_file_bytes, in the params of the checklist template that is asked for.",
                     w->in.item);
    row->state = report_judge(w->report, &limits, summary) ? "passed" : "failed";
    row->summary = summary;
    return STATUS_OK;
}

/* ---- the transaction ---- */

static json_t *evidence_json(const struct evidence_row *row) {
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "item", row->item);
    json_set_str(out, "environment", row->environment);
    json_set_str(out, "state", row->state);
    json_set_str(out, "source", row->source);
    json_set_str(out, "url", row->url);
    json_set_str(out, "digest", row->content_digest);
    json_set_str(out, "summary", row->summary);
    json_set_time(out, "observed_at", row->observed_us);
    json_set_time(out, "expires_at", row->expires_us);
    if (row->report_id)
        json_set_str(out, "report", row->report_id);
    json_object_set_new(out, "by", actor_value(row->by));
    return out;
}

static Status evidence_record(struct db_tx *tx, const struct evidence_write *w,
                              const struct evidence_row *row) {
    bool passed = strcmp(row->state, "passed") == 0;
    const char *version = w->f->release.version;
    const struct record_about about = {.app = w->f->app,
                                       .environment = row->environment,
                                       .action = passed ? "evidence.passed" : "evidence.failed",
                                       .subject = version};
    json_t *data = evidence_json(row);

    json_object_del(data, "by"); /* the record has its actor */
    return record_by_caller(w->q, tx, &about, data, "%s %s for release %s of %s%s%s: %s", row->item,
                            passed ? "passed" : "failed", version, w->f->app,
                            row->environment ? " in " : "",
                            row->environment ? row->environment : "", row->summary);
}

static Status evidence_store(struct db_tx *tx, const struct evidence_write *w,
                             const struct evidence_row *row) {
    const char *release_id = w->f->release.id;
    json_t *body = evidence_json(row);
    Status s = w->report ? db_report_insert(tx, row->report_id, release_id, &w->raw) : STATUS_OK;

    answer(w->r, 201, body);
    if (s == STATUS_OK)
        s = db_evidence_insert(tx, row, release_id,
                               row->environment ? gate_fact_environment(w->f, 0) : NULL);
    if (s == STATUS_OK)
        s = evidence_record(tx, w, row);
    return s == STATUS_OK ? gate_fact_end(tx, w->f, body) : s;
}

static Status evidence_create_tx(struct db_tx *tx, void *ctx) {
    const struct evidence_write *w = ctx;
    const struct evidence_in *in = &w->in;
    json_auto_t *items = json_array();
    char id[UUID_TEXT], report_id[UUID_TEXT], summary[REPORT_SUMMARY];
    struct evidence_row row;
    Status s = gate_fact_begin(tx, w->f);

    if (s == STATUS_OK)
        s = check_digest(w);
    if (s == STATUS_OK)
        s = ask_checklists(tx, w, items);
    if (s != STATUS_OK)
        return s;
    row = (struct evidence_row){.id = uuid_v7(id),
                                .item = in->item,
                                .state = in->state,
                                .source = in->source,
                                .summary = in->summary,
                                .environment = in->environment,
                                .url = in->url,
                                .content_digest = w->f->release.content_digest,
                                .report_id = w->report ? uuid_v7(report_id) : NULL,
                                .by = w->q->principal->actor_json,
                                .observed_us = in->observed_us,
                                .expires_us = expires_us(in, items)};
    if (w->report)
        s = judge(w, items, &row, summary);
    return s == STATUS_OK ? evidence_store(tx, w, &row) : s;
}

static Status evidence_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "evidence_create", evidence_create_tx, ctx);
}

/* ---- POST ---- */

#define AT(member) .offset = offsetof(struct evidence_in, member)
static const struct field evidence_fields[] = {
    {.name = "item", .type = FIELD_NAME, AT(item), .required = true},
    {.name = "environment", .type = FIELD_NAME, AT(environment)},
    {.name = "state", .type = FIELD_ENUM, AT(state), .required = true, .words = "passed|failed"},
    {.name = "source",
     .type = FIELD_STRING,
     AT(source),
     .required = true,
     .min = 1,
     .max = SOURCE_MAX},
    {.name = "url", .type = FIELD_STRING, AT(url), .min = 1, .max = URL_MAX},
    {.name = "digest", .type = FIELD_STRING, AT(digest), .min = 64, .max = 71},
    {.name = "summary", .type = FIELD_STRING, AT(summary), .required = true, .min = 1, .max = 1024},
    {.name = "observed_at", .type = FIELD_TIME, AT(observed_us)},
    {.name = "expires_s",
     .type = FIELD_INT,
     AT(expires_s),
     .min = EXPIRES_MIN_S,
     .max = EXPIRES_MAX_S},
};
#undef AT
const struct body_schema evidence_schema = {
    .name = "EvidenceInput",
    .fields = evidence_fields,
    .count = sizeof evidence_fields / sizeof *evidence_fields,
    .size = sizeof(struct evidence_in),
};

/* What the query says of a report. */
static Status read_query(struct evidence_write *w) {
    struct request *q = w->q;
    const char *expires = request_query(q, "expires_s"),
               *observed = request_query(q, "observed_at");
    struct evidence_in *in = &w->in;

    *in = (struct evidence_in){.item = request_query(q, "item"),
                               .environment = request_query(q, "environment"),
                               .source = request_query(q, "source"),
                               .url = request_query(q, "url"),
                               .digest = request_query(q, "digest"),
                               .expires_s = expires ? strtoll(expires, NULL, 10) : 0};
    if (!in->item || !name_valid(in->item))
        return wrong(w, "item", in->item ? "format" : "required",
                     "Which item it is about: a name.");
    if (in->environment && !name_valid(in->environment))
        return wrong(w, "environment", "format", "Not a name.");
    if (!in->source || !*in->source || strlen(in->source) > SOURCE_MAX)
        return wrong(w, "source", in->source ? "range" : "required", "What ran: 1 to %d bytes.",
                     SOURCE_MAX);
    if (expires && (strlen(expires) > 9 || strspn(expires, "0123456789") != strlen(expires) ||
                    in->expires_s < EXPIRES_MIN_S || in->expires_s > EXPIRES_MAX_S))
        return wrong(w, "expires_s", "range", "Seconds, from %d to %d.", EXPIRES_MIN_S,
                     EXPIRES_MAX_S);
    if (observed && !clock_parse(observed, &in->observed_us))
        return wrong(w, "observed_at", "format",
                     "Must be a time as 2026-11-24T21:53:28Z (RFC 3339).");
    return STATUS_OK;
}

static Status evidence_say(struct evidence_write *w) {
    struct request *q = w->q;
    Status s = check_said(w);

    if (s != STATUS_OK)
        return s;
    w->f->environment = w->in.environment;
    s = idempotent_run(q, w->r, evidence_make, w);
    if (s == STATUS_OK && !w->r->replayed)
        gate_fact_announce(w->f);
    return s;
}

static Status evidence_read(struct evidence_write *w) {
    const struct request *q = w->q;
    struct report report = {.kind = report_kind(request_header(q, "Content-Type"))};
    _cleanup_free_ unsigned char *gzip = NULL;
    struct report_fault fault;
    char sha256[SHA256_HEX];
    Status s;

    w->report = &report;
    s = read_query(w);
    if (s == STATUS_OK &&
        report_read(report.kind, q->body, q->body_len, &report, &fault) != STATUS_OK)
        s = reply_field_error(w->r, fault.field, "format", "%s", fault.detail);
    if (s != STATUS_OK)
        return s;
    gzip = report_gzip(q->body, q->body_len, &w->raw.gzip_n);
    w->raw.gzip = gzip;
    w->raw.media_type = report_media_types[report.kind];
    w->raw.size = (int64_t)q->body_len;
    w->raw.sha256 = sha256_hex(q->body, q->body_len, sha256);
    return evidence_say(w);
}

Status evidence_create(struct request *q, const void *body, struct reply *r) {
    _cleanup_(gate_fact_done) struct gate_fact f = {
        .q = q, .r = r, .version = request_param(q, "version")};
    struct evidence_write w = {.q = q, .r = r, .f = &f};
    Status s = path_release(q, &f.app, &f.version_key, r);

    if (s != STATUS_OK)
        return s;
    if (!body)
        return evidence_read(&w);
    if (q->query && *q->query)
        return reply_query_error(r, "item", "unknown",
                                 "A query is for reports: JSON says it itself.");
    w.in = *(const struct evidence_in *)body;
    return evidence_say(&w);
}

/* ---- GET ---- */

struct evidence_filter {
    const char *release_id, *item, *environment_id;
};

static Status filter_environment(struct request *q, const char *app, struct db_rows **rows,
                                 struct evidence_filter *ret, struct reply *r) {
    const char *name = request_query(q, "environment");
    Status s;

    if (!name)
        return STATUS_OK;
    if (!name_valid(name))
        return reply_query_error(r, "environment", "format", "Not a name.");
    s = db_environment_get(context_of(q)->pool, app, name, rows);
    if (s == STATUS_OK && db_rows_count(*rows) == 0)
        return environment_missing(r, app, name);
    ret->environment_id = s == STATUS_OK ? environment_row(*rows, 0).id : NULL;
    return s;
}

static Status evidence_page(struct request *q, const struct evidence_filter *filter,
                            struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct page page;
    int64_t before = 0;
    json_t *items;
    Status s = request_page(q, &page, r);

    if (s == STATUS_OK && page.after && (before = strtoll(page.after, NULL, 10)) <= 0)
        return reply_query_error(r, "cursor", "format", "Not a next_cursor of this list.");
    if (s == STATUS_OK)
        s = db_evidence_list(context_of(q)->pool, filter->release_id, filter->item,
                             filter->environment_id, before, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct evidence_row row = evidence_row(rows, i);

        json_array_append_new(items, evidence_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "number"));
    return STATUS_OK;
}

Status evidence_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *releases = NULL, *environments = NULL;
    struct evidence_filter filter = {.item = request_query(q, "item")};
    Status s = path_release_row(q, &releases, r);

    (void)in;
    if (s == STATUS_OK && filter.item && !name_valid(filter.item))
        s = reply_query_error(r, "item", "format", "Not a name.");
    if (s == STATUS_OK)
        s = filter_environment(q, db_text(releases, 0, "app"), &environments, &filter, r);
    if (s != STATUS_OK)
        return s;
    filter.release_id = db_text(releases, 0, "id");
    return evidence_page(q, &filter, r);
}

static Status report_answer(struct request *q, const struct db_rows *rows, struct reply *r) {
    size_t n = 0, size = (size_t)db_int(rows, 0, "bytes");
    _cleanup_free_ unsigned char *gzip = db_bytea(rows, 0, "gzip", &n);
    ReportKind kind = report_kind(db_text(rows, 0, "media_type"));

    r->raw = gzip && kind < REPORT_KINDS ? report_gunzip(gzip, n, size) : NULL;
    if (!r->raw)
        return FAULT_BUG;
    r->raw_len = size;
    r->content_type = report_media_types[kind];
    r->etag = arena_strdup(q->arena, db_text(rows, 0, "sha256"));
    r->download = true;
    return STATUS_OK;
}

Status report_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *releases = NULL, *rows = NULL;
    const char *id = request_param(q, "report");
    Status s = uuid_valid(id) ? STATUS_OK : invalid_path(r, "report", "is no id");

    (void)in;
    if (s == STATUS_OK)
        s = path_release_row(q, &releases, r);
    if (s == STATUS_OK)
        s = db_report_get(context_of(q)->pool, db_text(releases, 0, "id"), id, &rows);
    if (s != STATUS_OK)
        return s;
    return db_rows_count(rows)
               ? report_answer(q, rows, r)
               : reply_refuse(r, E_NOT_FOUND, "Release %s of %s has no report %s.",
                              request_param(q, "version"), request_param(q, "app"), id);
}
