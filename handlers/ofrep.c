/* handlers/ofrep.c: OpenFeature's remote evaluation protocol 0.3.0, on the I/O threads.
 *
 * An answer depends on the environment's flags, on the context and, where flags look at the time,
 * on that; so does its ETag, and a 304 costs no evaluation. */
#include "handlers/ofrep.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/metric.h"
#include "base/strbuf.h"
#include "handlers/flag_client.h"
#include "handlers/handlers.h"
#include <stdio.h>
#include <string.h>

enum { ETAG_HEX = 32 };

/* ---- bodies ---- */

struct evaluation {
    json_t *context;
};
static const struct field evaluation_fields[] = {
    {.name = "context",
     .type = FIELD_MAP,
     .offset = offsetof(struct evaluation, context),
     .required = true,
     .max = FLAG_CONTEXT_KEYS_MAX},
};

static Status evaluation_check(const json_t *body, struct reply *r) {
    const json_t *key = json_at(body, "context", "targetingKey", NULL);

    if (!key || json_is_string(key))
        return STATUS_OK;
    return reply_field_error(r, "/context/targetingKey", "type", "Must be a string.");
}

const struct body_schema ofrep_schema = {.name = "OfrepEvaluation",
                                         .fields = evaluation_fields,
                                         .count = 1,
                                         .size = sizeof(struct evaluation),
                                         .check = evaluation_check,
                                         .open = true};

/* ---- refusals ---- */

/* What was wrong with a body: not its text but what it says. */
static bool about_context(const struct reply *r) {
    const char *field = json_str(json_array_get(r->errors, 0), "field", "");

    return !strncmp(field, "/context", 8);
}

static const char *error_details(const struct status_row *row, const struct reply *r,
                                 struct arena *arena) {
    const json_t *first = json_array_get(r->errors, 0);

    if (r->detail)
        return r->detail;
    return first ? arena_printf(arena, "%s: %s", json_str(first, "field", ""),
                                json_str(first, "detail", ""))
                 : row->title;
}

/* 401 says nothing; the rest is an evaluation that failed, with a code, which clients look for in
 * faults too. */
static json_t *ofrep_problem(const struct request *q, const struct status_row *row,
                             const struct reply *r) {
    const char *key = request_param(q, "key");
    json_t *out;

    if (row->http == 401)
        return NULL;
    out = json_object();
    if (key)
        json_set_str(out, "key", key);
    json_set_str(out, "errorCode",
                 row->http != 400   ? "GENERAL"
                 : about_context(r) ? "INVALID_CONTEXT"
                                    : "PARSE_ERROR");
    json_set_str(out, "errorDetails", error_details(row, r, q->arena));
    return out;
}

const struct protocol ofrep_protocol = {.name = "ofrep", .problem = ofrep_problem};

/* ---- answers ---- */

static void put_failure(struct strbuf *out, const char *key, const char *code,
                        const char *details) {
    strbuf_adds(out, "{\"key\":");
    strbuf_add_json(out, key);
    strbuf_addf(out, ",\"errorCode\":\"%s\",\"errorDetails\":\"%s\"}", code, details);
}

static void put_result(struct strbuf *out, const struct flag *flag, const struct flag_result *e) {
    strbuf_adds(out, "{");
    strbuf_add(out, flag->members.text, flag->members.n);
    strbuf_adds(out, ",\"reason\":\"");
    strbuf_adds(out, flag_reason_word(e->reason));
    if (e->value) {
        strbuf_adds(out, "\",\"value\":");
        strbuf_adds(out, e->value);
        strbuf_adds(out, ",\"variant\":");
    } else {
        strbuf_adds(out, "\",\"variant\":");
    }
    /* Python's provider takes no answer without one */
    if (e->variant)
        strbuf_add(out, e->variant->name_json.text, e->variant->name_json.n);
    else
        strbuf_adds(out, e->enabled ? "\"on\"" : "\"off\"");
    strbuf_adds(out, "}");
}

static bool put_evaluation(struct strbuf *out, const struct snapshot *s, const struct flag *flag,
                           const struct flag_context *context) {
    struct flag_result e = flag_evaluate(s->flags, flag, context);

    if (e.key_missing)
        put_failure(out, flag->name, "TARGETING_KEY_MISSING",
                    "This flag splits by targetingKey, which the context does not have.");
    else
        put_result(out, flag, &e);
    return !e.key_missing;
}

static struct flag_context context_from(const struct snapshot *s, const struct evaluation *in) {
    struct flag_context context = flag_context_of(s);

    context.objects[0] = in->context;
    return context;
}

Status ofrep_evaluate(struct request *q, const void *in, struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(FLAG_ANSWER_MAX);
    const char *key = request_param(q, "key");
    const struct flag *flag;
    Status status = caller_flags(q, &s, r);

    if (status != STATUS_OK)
        return status;
    flag = flags_find(s->flags, key);
    if (!flag) {
        put_failure(&out, key, "FLAG_NOT_FOUND", "There is no flag of this key.");
        r->status = 404;
    } else {
        struct flag_context context = context_from(s, in);

        metric_add(METRIC_FLAG_EVALUATIONS, 0, 0, 1);
        r->status = put_evaluation(&out, s, flag, &context) ? 200 : 400;
    }
    return answer_bytes(r, &out);
}

/* ---- all flags ---- */

static const char *etag_of_answer(const struct snapshot *s, const struct evaluation *in,
                                  struct arena *arena) {
    _cleanup_free_ char *context = json_dumps(in->context, JSON_SORT_KEYS | JSON_COMPACT),
                        *all = NULL;
    char hex[SHA256_HEX];

    all = xasprintf("%s\n%lld\n%lld\n%s", s->environment_id, (long long)s->revision,
                    flag_time_step(s), context);
    return arena_strndup(arena, sha256_hex(all, strlen(all), hex), ETAG_HEX);
}

static void put_metadata(const struct request *q, const struct snapshot *s, struct strbuf *out) {
    struct flag_age age = flag_loader_age(context_of(q)->flags);
    char as_of[TIME_TEXT];

    strbuf_addf(out,
                ",\"metadata\":{\"app\":\"%s\",\"environment\":\"%s\",\"revision\":%lld,"
                "\"source\":\"%s\",\"asOf\":\"%s\",\"stale\":%s}",
                s->app, s->environment, (long long)s->revision, s->from_file ? "file" : "database",
                clock_format(age.as_of_us, as_of), age.stale ? "true" : "false");
}

Status ofrep_evaluate_all(struct request *q, const void *in, struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(FLAG_ANSWER_MAX);
    struct flag_context context;
    Status status = caller_flags(q, &s, r);

    if (status != STATUS_OK)
        return status;
    r->etag = etag_of_answer(s, in, q->arena);
    if (caller_has(q, r->etag) && !ofrep_stream_owed(r->etag)) {
        r->status = 304;
        return STATUS_OK;
    }
    context = context_from(s, in);
    context.memo = arena_alloc(q->arena, flag_memo_size(s->flags));
    metric_add(METRIC_FLAG_EVALUATIONS, 0, 0, flags_count(s->flags));
    strbuf_adds(&out, "{\"flags\":[");
    for (size_t i = 0; i < flags_count(s->flags); i++) {
        if (i)
            strbuf_adds(&out, ",");
        put_evaluation(&out, s, flags_at(s->flags, i), &context);
    }
    strbuf_adds(&out, "]");
    put_metadata(q, s, &out);
    ofrep_streams_json(q, s, r->etag, &out);
    strbuf_adds(&out, "}");
    return answer_bytes(r, &out);
}
