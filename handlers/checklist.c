/* handlers/checklist.c: checklists as people read them: before, of a release in an environment;
 * after and success, of a deployment. */
#include "handlers/checklist.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/exposure.h"
#include "db/release.h"
#include "domain/checklist.h"
#include "handlers/deployment.h"
#include "handlers/handlers.h"
#include <string.h>

void checklist_done(struct checklist *c) {
    if (!c)
        return;
    db_rows_free(TAKE_PTR(c->rows));
    json_decref(TAKE_PTR(c->items));
}

Status path_checklist(const struct request *q, const char **ret, struct reply *r) {
    const char *kind = request_param(q, "checklist");

    if (strcmp(kind, "after") != 0 && strcmp(kind, "success") != 0)
        return invalid_path(r, "checklist", "is after or success");
    *ret = kind;
    return STATUS_OK;
}

Status checklist_read(struct checklist *c, struct reply *r) {
    if (db_rows_count(c->rows) == 0)
        return reply_refuse(r, E_NOT_FOUND, "The gates of %s ask for no checklist %s a deployment.",
                            c->environment, c->of.kind);
    c->items = db_json(c->rows, 0, "items");
    return STATUS_OK;
}

Status checklist_of_deployment(struct checklist *c, const struct db_rows *deployment,
                               struct reply *r) {
    const struct deployment_row row = deployment_row(deployment, 0);

    c->app = row.app;
    c->environment = row.environment;
    c->version = row.version;
    c->of.environment_id = row.environment_id;
    c->of.release_id = db_text(deployment, 0, "release_id");
    c->of.deployment_id = row.id;
    if (!c->of.release_id)
        return reply_refuse(r, E_NOT_FOUND, "App %s has no release %s, so no checklist of it.",
                            c->app, c->version);
    return STATUS_OK;
}

static json_t *exposure_json(const struct db_rows *rows) {
    json_t *out = json_object(), *flags = json_array();

    for (size_t i = 0; i < db_rows_count(rows); i++) {
        json_t *flag;

        if (db_null(rows, i, "flag"))
            continue;
        flag =
            json_pack("{s:s, s:I, s:I, s:o}", "flag", db_text(rows, i, "flag"), "yes",
                      (json_int_t)db_int(rows, i, "yes"), "no", (json_int_t)db_int(rows, i, "no"),
                      "variants", db_json(rows, i, "variants"));
        json_set_time(flag, "last_seen_at", db_time(rows, i, "last_at"));
        json_array_append_new(flags, flag);
    }
    json_set_time(out, "since", db_time(rows, 0, "since"));
    json_object_set_new(out, "flags", flags);
    return out;
}

/* The success criteria show at the item "flags" what clients were given since the switch. */
static Status add_exposure(struct checklist *c, const struct request *q) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const json_t *item = checklist_item(c->items, "flags");
    Status s;

    if (strcmp(c->of.kind, "success") != 0 || !item)
        return STATUS_OK;
    s = db_exposure_since_switch(context_of(q)->pool, c->of.deployment_id, &rows);
    if (s == STATUS_OK)
        json_object_set_new((json_t *)(uintptr_t)item, "exposure", exposure_json(rows));
    return s;
}

static Status checklist_answer(struct checklist *c, const struct request *q, struct reply *r) {
    Status s = db_checklist_get(context_of(q)->pool, &c->of, &c->rows);
    int64_t max_age_s, now_us = clock_now_us();
    json_t *body;

    if (s == STATUS_OK)
        s = checklist_read(c, r);
    if (s == STATUS_OK)
        s = add_exposure(c, q);
    if (s != STATUS_OK)
        return s;
    max_age_s = db_int(c->rows, 0, "max_age_s");
    body = json_pack("{s:s, s:s, s:s}", "app", c->app, "version", c->version, "environment",
                     c->environment);
    if (c->of.deployment_id)
        json_set_str(body, "deployment", c->of.deployment_id);
    json_object_set_new(body, "template",
                        json_pack("{s:s, s:I}", "name", db_text(c->rows, 0, "template"), "version",
                                  (json_int_t)db_int(c->rows, 0, "version")));
    json_object_set_new(body, "complete",
                        json_boolean(checklist_complete(c->items, max_age_s, now_us)));
    json_object_set_new(body, "groups", checklist_groups_json(c->items, max_age_s, now_us));
    return answer(r, 200, body);
}

Status checklist_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *environments = NULL, *releases = NULL;
    _cleanup_(checklist_done) struct checklist c = {.of.kind = "before"};
    struct environment_row environment;
    struct release_row release;
    Status s = path_environment(q, &environments, r);

    (void)in;
    if (s == STATUS_OK)
        s = path_release_row(q, &releases, r);
    if (s != STATUS_OK)
        return s;
    environment = environment_row(environments, 0);
    release = release_row(releases, 0, false);
    c.app = release.app;
    c.environment = environment.name;
    c.version = release.version;
    c.of.environment_id = environment.id;
    c.of.release_id = release.id;
    return checklist_answer(&c, q, r);
}

Status deployment_checklist_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(checklist_done) struct checklist c = {0};
    Status s = path_checklist(q, &c.of.kind, r);

    (void)in;
    if (s == STATUS_OK)
        s = path_deployment(q, &rows, r);
    if (s == STATUS_OK)
        s = checklist_of_deployment(&c, rows, r);
    return s == STATUS_OK ? checklist_answer(&c, q, r) : s;
}
