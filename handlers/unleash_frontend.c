/* handlers/unleash_frontend.c: Unleash's frontend API: what is on for one context, evaluated here.
 * Flags that are off are left out, as there. */
#include "base/cleanup.h"
#include "base/metric.h"
#include "base/strbuf.h"
#include "handlers/flag_client.h"
#include "handlers/handlers.h"
#include "handlers/unleash.h"
#include <string.h>

struct frontend {
    json_t *context;
};
static const struct field frontend_fields[] = {
    {.name = "context",
     .type = FIELD_MAP,
     .offset = offsetof(struct frontend, context),
     .max = FLAG_CONTEXT_KEYS_MAX},
};
const struct body_schema unleash_frontend_schema = {.name = "UnleashFrontendContext",
                                                    .fields = frontend_fields,
                                                    .count = 1,
                                                    .size = sizeof(struct frontend),
                                                    .open = true};

static void put_variant(struct strbuf *out, const struct flag_variant *v) {
    if (!v) {
        strbuf_adds(out, "{\"name\":\"disabled\",\"enabled\":false,\"feature_enabled\":true,"
                         "\"featureEnabled\":true}");
        return;
    }
    strbuf_adds(out, "{\"name\":");
    strbuf_add(out, v->name_json.text, v->name_json.n);
    strbuf_adds(out, ",\"enabled\":true,\"feature_enabled\":true,\"featureEnabled\":true");
    if (v->payload) {
        strbuf_adds(out, ",\"payload\":{\"type\":");
        strbuf_add_json(out, v->payload_type);
        strbuf_adds(out, ",\"value\":");
        strbuf_add_json(out, v->payload);
        strbuf_adds(out, "}");
    }
    strbuf_adds(out, "}");
}

static void put_toggles(struct strbuf *out, const struct snapshot *s,
                        const struct flag_context *context) {
    const char *comma = "";

    strbuf_adds(out, "{\"toggles\":[");
    for (size_t i = 0; i < flags_count(s->flags); i++) {
        const struct flag *flag = flags_at(s->flags, i);
        struct flag_result e = flag_evaluate(s->flags, flag, context);

        if (!e.enabled)
            continue;
        strbuf_adds(out, comma);
        strbuf_adds(out, "{\"name\":");
        strbuf_add_json(out, flag->name);
        strbuf_adds(out, ",\"enabled\":true,\"variant\":");
        put_variant(out, e.variant);
        strbuf_addf(out, ",\"impressionData\":%s}", flag->impression_data ? "true" : "false");
        comma = ",";
    }
    strbuf_adds(out, "]}");
}

/* in: {userId, …, properties: {…}}.  The caller's address counts where it says none, for the ETag
 * too. */
static Status answer_for(struct request *q, json_t *in, struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(FLAG_ANSWER_MAX);
    json_auto_t *who = in ? json_copy(in) : json_object();
    _cleanup_free_ char *text = NULL;
    struct flag_context context;
    Status status = caller_flags(q, &s, r);

    if (status != STATUS_OK)
        return status;
    if (!json_object_get(who, "remoteAddress"))
        json_object_set_new(who, "remoteAddress", json_string(q->remote));
    text = json_dumps(who, JSON_SORT_KEYS | JSON_COMPACT);
    r->etag = unleash_etag(s, arena_printf(q->arena, "%lld %s", flag_time_step(s), text), q->arena);
    if (unleash_unchanged(q, r))
        return STATUS_OK;
    context = flag_context_of(s);
    context.objects[0] = who;
    context.objects[1] = json_object_get(who, "properties");
    context.memo = arena_alloc(q->arena, flag_memo_size(s->flags));
    metric_add(METRIC_FLAG_EVALUATIONS, 0, 0, flags_count(s->flags));
    put_toggles(&out, s, &context);
    return answer_bytes(r, &out);
}

/* "properties[plan]" → "plan", its length in *ret_n; NULL: another name. */
static const char *property_name(const char *name, size_t *ret_n) {
    static const char prefix[] = "properties[";
    size_t n = strlen(name);

    if (strncmp(name, prefix, sizeof prefix - 1) != 0 || name[n - 1] != ']')
        return NULL;
    *ret_n = n - sizeof prefix;
    return name + sizeof prefix - 1;
}

Status unleash_frontend_get(struct request *q, const void *in, struct reply *r) {
    json_auto_t *context = json_object();
    json_t *properties = json_object();
    const char *name, *value;

    (void)in;
    json_object_set_new(context, "properties", properties);
    for (size_t i = 0; request_query_at(q, i, &name, &value); i++) {
        size_t n = 0;
        const char *property = property_name(name, &n);

        if (property)
            json_object_setn_new(properties, property, n, json_string(value));
        else if (strcmp(name, "properties") != 0)
            json_object_set_new(context, name, json_string(value));
    }
    return answer_for(q, context, r);
}

Status unleash_frontend_post(struct request *q, const void *in, struct reply *r) {
    const struct frontend *body = in;

    return answer_for(q, body->context, r);
}
