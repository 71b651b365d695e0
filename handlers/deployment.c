/* handlers/deployment.c: deployments as people and pipelines read them. */
#include "handlers/deployment.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/semver.h"
#include "db/signoff.h"
#include "handlers/answer.h"
#include "handlers/environment_recent.h"
#include "handlers/handlers.h"
#include "worker/gates.h"
#include <string.h>

static const char *const states[] = {"scheduled", "queued",  "blocked",     "running",
                                     "paused",    "undoing", "stuck",       "succeeded",
                                     "failed",    "aborted", "rolled_back", "canceled"};

bool deployment_final(const char *state) {
    for (size_t i = 7; i < sizeof states / sizeof *states; i++)
        if (!strcmp(states[i], state))
            return true;
    return false;
}

const char *deployment_link(struct arena *a, const char *id) {
    return arena_printf(a, "/api/v1/deployments/%s", id);
}

/* {color, version, image} in this order (jsonb has its own), or null. */
static json_t *place_json(const char *text) {
    json_auto_t *place = json_parse(text);

    if (!json_is_object(place))
        return json_null();
    return json_pack("{s:s?, s:s?, s:s?}", "color", json_str(place, "color", NULL), "version",
                     json_str(place, "version", NULL), "image", json_str(place, "image", NULL));
}

static json_t *failure_json(const char *text) {
    json_auto_t *failure = json_parse(text);

    if (!json_is_object(failure))
        return json_null();
    return json_pack("{s:s?, s:s?, s:s?}", "code", json_str(failure, "code", NULL), "detail",
                     json_str(failure, "detail", NULL), "hint", json_str(failure, "hint", NULL));
}

static json_t *links_json(const struct deployment_row *row) {
    json_t *links = json_object();

    json_object_set_new(links, "self", json_sprintf("/api/v1/deployments/%s", row->id));
    json_object_set_new(links, "records", json_sprintf("/api/v1/deployments/%s/records", row->id));
    json_object_set_new(links, "events", json_sprintf("/api/v1/deployments/%s/events", row->id));
    json_object_set_new(
        links, "environment",
        json_sprintf("/api/v1/apps/%s/environments/%s", row->app, row->environment));
    return links;
}

json_t *deployment_json(const struct request *q, const struct deployment_row *row) {
    json_t *out = json_object(), *steps = json_parse(row->steps);

    environment_forget(context_of(q), row->environment_id);
    json_set_str(out, "id", row->id);
    json_set_str(out, "app", row->app);
    json_set_str(out, "environment", row->environment);
    json_set_str(out, "version", row->version);
    json_set_str(out, "strategy", row->strategy);
    json_set_str(out, "kind", row->kind);
    json_set_str(out, "state", row->state);
    json_set_str(out, "reason", row->reason);
    json_object_set_new(out, "requested_by", actor_value(row->requested_by));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "started_at", row->started_us);
    json_set_time(out, "ended_at", row->ended_us);
    json_object_set_new(out, "from", place_json(row->from));
    json_object_set_new(out, "to", place_json(row->to));
    json_set_str(out, "current_step", row->current_step);
    json_object_set_new(out, "steps", steps ? steps : json_array());
    json_object_set_new(out, "failure", failure_json(row->failure));
    json_set_str(out, "acceptance", row->acceptance);
    if (row->rolled_back_by)
        json_set_str(out, "rolled_back_by", row->rolled_back_by);
    if (row->rollback_of)
        json_set_str(out, "rollback_of", row->rollback_of);
    if (row->waivers)
        json_object_set_new(out, "waivers", json_parse(row->waivers));
    if (row->flags)
        json_object_set_new(out, "flags", json_parse(row->flags));
    json_object_set_new(out, "links", links_json(row));
    return out;
}

Status path_deployment(const struct request *q, struct db_rows **ret, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *id = request_param(q, "id");
    Status s;

    if (!uuid_valid(id))
        return invalid_path(r, "id", "is no deployment's id: a UUID in lower case");
    s = db_deployment_get(request_pool(q), id, &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return reply_refuse(r, E_NOT_FOUND, "There is no deployment %s.", id);
    s = app_allowed(q, deployment_row(rows, 0).app, r);
    if (s == STATUS_OK)
        *ret = TAKE_PTR(rows);
    return s;
}

Status refuse_blocked(struct reply *r, const struct gate_verdict *v, const char *app,
                      const char *version, const char *environment) {
    _cleanup_free_ char *why = gate_verdict_text(v);
    char at[TIME_TEXT];

    reply_extra(r, "blockers", json_incref(v->blockers));
    if (v->opens_us) {
        clock_format(v->opens_us, at);
        reply_extra(r, "opens_at", json_string(at));
    }
    return reply_refuse(r, E_BLOCKED, "%s %s may not go to %s: %s", app, version, environment, why);
}

/* Why a blocked one has not begun. */
static Status add_blockers(const struct request *q, const struct deployment_row *row, json_t *out) {
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const struct gate_ask ask = {.environment_id = row->environment_id,
                                 .version_key = row->version + (*row->version == 'v'),
                                 .version = row->version,
                                 .deployment_id = row->id};
    Status s;

    if (strcmp(row->state, "blocked") != 0)
        return STATUS_OK;
    s = gates_look(request_pool(q), &ask, GATE_ASKED, &v);
    if (s == E_NOT_FOUND) /* its environment was deleted: it ends */
        return STATUS_OK;
    if (s == STATUS_OK)
        gate_verdict_add(&v, out);
    return s;
}

/* Whose acceptance is still missing. */
static Status add_awaited(const struct request *q, const struct deployment_row *row, json_t *out) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s;

    if (strcmp(row->acceptance, "pending") != 0)
        return STATUS_OK;
    s = db_signoff_awaited(request_pool(q), row->id, &rows);
    if (s == STATUS_OK)
        json_object_set_new(out, "acceptance_awaits", db_json(rows, 0, "roles"));
    return s;
}

Status deployment_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct deployment_row row;
    Status s = path_deployment(q, &rows, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = deployment_row_whole(rows);
    answer(r, 200, deployment_json(q, &row));
    s = add_blockers(q, &row, r->json);
    return s == STATUS_OK ? add_awaited(q, &row, r->json) : s;
}

static Status read_filter(struct request *q, struct deployment_filter *ret, struct semver *version,
                          struct reply *r) {
    const char *text = request_query(q, "version");
    Status s = STATUS_OK;
    bool known = false;

    *ret = (struct deployment_filter){.apps = caller_apps(q),
                                      .app = request_query(q, "app"),
                                      .environment = request_query(q, "environment"),
                                      .state = request_query(q, "state")};
    if (ret->app && !name_valid(ret->app))
        s = reply_query_error(r, "app", "format", "Not a name.");
    if (ret->environment && !name_valid(ret->environment))
        s = reply_query_error(r, "environment", "format", "Not a name.");
    for (size_t i = 0; ret->state && i < sizeof states / sizeof *states; i++)
        known = known || !strcmp(states[i], ret->state);
    if (ret->state && !known)
        s = reply_query_error(r, "state", "enum", "Not a state of a deployment.");
    if (text && !semver_parse(text, version))
        s = reply_query_error(r, "version", "format", "Not a semantic version.");
    else if (text)
        ret->version_key = version->key;
    return s;
}

Status deployment_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct deployment_filter filter;
    struct semver version;
    struct page page;
    json_t *items;
    Status s = read_filter(q, &filter, &version, r);

    (void)in;
    if (s == STATUS_OK)
        s = page_of_ids(q, &page, r);
    if (s == STATUS_OK)
        s = db_deployment_list(context_of(q)->pool, &filter, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct deployment_row row = deployment_row(rows, i);

        json_array_append_new(items, deployment_json(q, &row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}
