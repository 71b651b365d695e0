/* handlers/unleash_metrics.c: what Unleash's clients report: that they are there, and how often
 * they evaluated what.  Only flags that the environment has are counted, so that a client cannot
 * fill the memory with names. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "flags/model.h"
#include "handlers/flag_client.h"
#include "handlers/handlers.h"
#include "live/exposure.h"
#include <string.h>

enum {
    TOGGLES_MAX = 10000,
    REPORTS_MAX = 1000,
    APP_NAME_GIVEN_MAX = 1024,
    APP_NAME_MAX = 100, /* of what is kept */
    HOUR_S = 3600,
    LATE_HOURS = 7 * 24,
};
#define COUNT_MAX_AT_ONCE INT64_C(1000000000)

/* ---- bodies ---- */

struct client {
    const char *app_name;
};
#define CLIENT(member) offsetof(struct client, member)
static const struct field register_fields[] = {
    {.name = "appName",
     .type = FIELD_STRING,
     .offset = CLIENT(app_name),
     .required = true,
     .min = 1,
     .max = APP_NAME_GIVEN_MAX},
};
const struct body_schema unleash_register_schema = {.name = "UnleashRegistration",
                                                    .fields = register_fields,
                                                    .count = 1,
                                                    .size = sizeof(struct client),
                                                    .open = true};

static const struct field toggle_fields[] = {
    {.name = "yes", .type = FIELD_INT, .offset = FIELD_NOWHERE, .max = COUNT_MAX_AT_ONCE},
    {.name = "no", .type = FIELD_INT, .offset = FIELD_NOWHERE, .max = COUNT_MAX_AT_ONCE},
    {.name = "variants", .type = FIELD_MAP, .offset = FIELD_NOWHERE, .max = FLAG_VARIANTS_MAX + 1},
};
static const struct body_schema toggle_schema = {
    .name = "UnleashToggleCounts", .fields = toggle_fields, .count = 3, .open = true};
static const struct field toggle_value[] = {
    {.name = "", .type = FIELD_OBJECT, .offset = FIELD_NOWHERE, .schema = &toggle_schema},
};
static const struct body_schema toggles_schema = {
    .name = "UnleashToggles", .fields = toggle_value, .count = 1};
static const struct field bucket_fields[] = {
    {.name = "start", .type = FIELD_ANY, .offset = FIELD_NOWHERE},
    {.name = "stop", .type = FIELD_ANY, .offset = FIELD_NOWHERE},
    {.name = "toggles",
     .type = FIELD_MAP,
     .offset = FIELD_NOWHERE,
     .required = true,
     .max = TOGGLES_MAX,
     .schema = &toggles_schema},
};
static const struct body_schema bucket_schema = {
    .name = "UnleashBucket", .fields = bucket_fields, .count = 3, .open = true};

struct report {
    const char *app_name;
    json_t *bucket;
};
static const struct field report_fields[] = {
    {.name = "appName",
     .type = FIELD_STRING,
     .offset = offsetof(struct report, app_name),
     .required = true,
     .min = 1,
     .max = APP_NAME_GIVEN_MAX},
    {.name = "bucket",
     .type = FIELD_OBJECT,
     .offset = offsetof(struct report, bucket),
     .schema = &bucket_schema},
};
const struct body_schema unleash_metrics_schema = {.name = "UnleashMetrics",
                                                   .fields = report_fields,
                                                   .count = 2,
                                                   .size = sizeof(struct report),
                                                   .open = true};

struct bulk {
    json_t *metrics;
};
static const struct field bulk_row_fields[] = {
    {.name = "appName",
     .type = FIELD_STRING,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = APP_NAME_GIVEN_MAX},
    {.name = "featureName", .type = FIELD_STRING, .offset = FIELD_NOWHERE, .required = true},
    {.name = "timestamp", .type = FIELD_ANY, .offset = FIELD_NOWHERE},
    {.name = "yes", .type = FIELD_INT, .offset = FIELD_NOWHERE, .max = COUNT_MAX_AT_ONCE},
    {.name = "no", .type = FIELD_INT, .offset = FIELD_NOWHERE, .max = COUNT_MAX_AT_ONCE},
    {.name = "variants", .type = FIELD_MAP, .offset = FIELD_NOWHERE, .max = FLAG_VARIANTS_MAX + 1},
};
static const struct body_schema bulk_row_schema = {
    .name = "UnleashBulkRow", .fields = bulk_row_fields, .count = 6, .open = true};
static const struct field bulk_fields[] = {
    {.name = "metrics",
     .type = FIELD_OBJECTS,
     .offset = offsetof(struct bulk, metrics),
     .max = REPORTS_MAX,
     .schema = &bulk_row_schema},
};
const struct body_schema unleash_bulk_schema = {.name = "UnleashBulkMetrics",
                                                .fields = bulk_fields,
                                                .count = 1,
                                                .size = sizeof(struct bulk),
                                                .open = true};

/* ---- counting ---- */

/* The hour that a client means; now where it means none, or one that cannot be. */
static int64_t hour_of(const json_t *when) {
    int64_t now = clock_now_us() / US_PER_S / HOUR_S, us, hour;

    if (!json_is_string(when) || !clock_parse(json_string_value(when), &us))
        return now;
    hour = us / US_PER_S / HOUR_S;
    return hour > now || hour < now - LATE_HOURS ? now : hour;
}

static void count_one(struct exposure *e, const struct snapshot *s, struct exposure_count c,
                      const json_t *counts) {
    const char *variant;
    json_t *times;

    if (!flags_find(s->flags, c.flag))
        return;
    c.variant = "";
    c.yes = json_int(counts, "yes", 0);
    c.no = json_int(counts, "no", 0);
    if (c.yes || c.no)
        exposure_add(e, &c);
    c.no = 0;
    json_object_foreach(json_object_get(counts, "variants"), variant, times) {
        c.yes = json_integer_value(times);
        c.variant = variant;
        if (c.yes > 0 && c.yes <= COUNT_MAX_AT_ONCE && *variant && strlen(variant) <= FLAG_NAME_MAX)
            exposure_add(e, &c);
    }
}

/* What a client calls itself, cut: it is a label, nothing depends on it. */
static const char *label(const struct request *q, const char *app_name) {
    char text[APP_NAME_MAX + 1];

    text_cut(text, sizeof text, app_name);
    return arena_strdup(q->arena, text);
}

static Status accepted(struct reply *r, unsigned status) {
    r->status = status;
    r->json = json_object();
    return STATUS_OK;
}

static Status take_report(struct request *q, const struct report *in, unsigned status,
                          struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    const char *flag;
    json_t *counts;
    Status why = caller_flags(q, &s, r);

    if (why != STATUS_OK)
        return why;
    json_object_foreach(json_object_get(in->bucket, "toggles"), flag, counts) {
        count_one(context_of(q)->exposure, s,
                  (struct exposure_count){.environment_id = s->environment_id,
                                          .flag = flag,
                                          .app_name = label(q, in->app_name),
                                          .hour = hour_of(json_object_get(in->bucket, "start"))},
                  counts);
    }
    return accepted(r, status);
}

Status unleash_metrics(struct request *q, const void *in, struct reply *r) {
    return take_report(q, in, 202, r);
}

Status unleash_frontend_metrics(struct request *q, const void *in, struct reply *r) {
    return take_report(q, in, 200, r);
}

Status unleash_metrics_bulk(struct request *q, const void *in, struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    const struct bulk *bulk = in;
    const json_t *row;
    size_t i;
    Status why = caller_flags(q, &s, r);

    if (why != STATUS_OK)
        return why;
    json_array_foreach(bulk->metrics, i, row) {
        count_one(context_of(q)->exposure, s,
                  (struct exposure_count){.environment_id = s->environment_id,
                                          .flag = json_str(row, "featureName", ""),
                                          .app_name = label(q, json_str(row, "appName", "")),
                                          .hour = hour_of(json_object_get(row, "timestamp"))},
                  row);
    }
    return accepted(r, 202);
}

/* Nothing is kept of it: who evaluates what is in the metrics. */
static Status take_registration(struct request *q, unsigned status, struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    Status why = caller_flags(q, &s, r);

    return why == STATUS_OK ? accepted(r, status) : why;
}

Status unleash_register(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return take_registration(q, 202, r);
}

Status unleash_frontend_register(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return take_registration(q, 200, r);
}
