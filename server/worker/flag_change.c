#include "worker/flag_change.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "base/semver.h"
#include "flags/model.h"
#include <string.h>

bool version_before(const char *version, const char *required) {
    struct semver a, b;

    return semver_parse(version, &a) && semver_parse(required, &b) && semver_compare(&a, &b) < 0;
}

Status flag_change_begin(struct db_tx *tx, struct flag_change *c) {
    Status s = db_flag_lock(tx, c->app, c->wait_ms, &c->revision);

    c->revision++;
    return s;
}

/* "Flag checkout of inopnc was killed in production: too many errors" */
static char *sentence(const struct flag_change *c, const struct flag_noted *what) {
    return xasprintf("%s %s of %s was %s%s%s%s%s",
                     strcmp(what->kind, "segment") == 0 ? "Segment" : "Flag", what->name, c->app,
                     what->done, c->environment ? " in " : "", c->environment ? c->environment : "",
                     c->reason ? ": " : "", c->reason ? c->reason : "");
}

static Status record(struct db_tx *tx, const struct flag_change *c, const struct flag_noted *what) {
    json_auto_t *data = what->after ? record_of_spec(what->after) : json_object();
    _cleanup_free_ char *text = NULL, *message = sentence(c, what);

    json_object_set_new(data, "revision", json_integer(c->revision));
    json_set_str(data, "source", c->source);
    json_set_str(data, "reason", c->reason);
    text = json_text(data);
    return record_append(tx, &(struct record_entry){.app = c->app,
                                                    .environment = c->environment,
                                                    .actor = c->by.json,
                                                    .from = c->by.from,
                                                    .action = what->action,
                                                    .subject = what->name,
                                                    .message = message,
                                                    .data = text});
}

Status flag_change_note(struct db_tx *tx, const struct flag_change *c,
                        const struct flag_noted *what) {
    _cleanup_free_ char *after = what->after ? json_text(what->after) : NULL;
    const struct flag_change_row row = {.app = c->app,
                                        .kind = what->kind,
                                        .name = what->name,
                                        .environment = c->environment,
                                        .action = what->action,
                                        .source = c->source,
                                        .by = c->by.json,
                                        .reason = c->reason,
                                        .revision = c->revision,
                                        .before = what->before,
                                        .after = after};
    Status s = db_flag_change(tx, &row);

    return s == STATUS_OK ? record(tx, c, what) : s;
}

json_t *flag_state(const struct flag_state_row *row) {
    json_auto_t *spec = row->spec ? json_parse(row->spec) : json_pack("{s:[]}", "strategies");
    json_t *out = json_pack("{s:b, s:b, s:O}", "enabled", row->enabled, "killed", row->killed,
                            "strategies", json_object_get(spec, "strategies"));

    json_set_str(out, "default_variant", json_str(spec, "default_variant", NULL));
    json_set_str(out, "requires_release", json_str(spec, "requires_release", NULL));
    return out;
}

static void release_error(json_t *errors, const char *field, const char *required,
                          const char *serves) {
    if (!serves || version_before(serves, required))
        field_error(errors, field, "requires-release", "It requires %s, and %s serves here.",
                    required, serves ? serves : "nothing known");
}

/* requires_release: a version, and where the flag is on none that is older may serve. */
static Status check_release(struct db_tx *tx, const char *environment_id, const json_t *state,
                            const char *at, json_t *errors) {
    const char *required = json_str(state, "requires_release", NULL);
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *of_release = xasprintf("%s/requires_release", at),
                        *of_enabled = xasprintf("%s/enabled", at);
    struct semver needed;
    Status s;

    if (required && !semver_parse(required, &needed))
        field_error(errors, of_release, "invalid", "A semantic version, like v1.2.3.");
    if (!required || json_array_size(errors) || !json_bool(state, "enabled", false))
        return STATUS_OK;
    s = db_query(tx, SQL_FLAG_SERVING, &rows, DB_PARAMS(environment_id));
    if (s == STATUS_OK)
        release_error(errors, of_enabled, required, db_text(rows, 0, "version"));
    return s;
}

Status flag_guarded_check(struct db_tx *tx, const char *environment_id, const char *at,
                          json_t *errors) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_GUARDED, &rows, DB_PARAMS(environment_id));

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows); i++) {
        _cleanup_free_ char *field = xasprintf("%s/%s", at, db_text(rows, i, "flag"));

        release_error(errors, field, db_text(rows, i, "requires"), db_text(rows, i, "serves"));
    }
    return s;
}

Status flag_state_check(struct db_tx *tx, const char *app, const struct flag_state_row *there,
                        const json_t *state, const char *at, json_t *errors) {
    _cleanup_(db_rows_free) struct db_rows *missing = NULL;
    const json_t *strategies = json_object_get(state, "strategies");
    json_auto_t *flag = json_parse(there->definition);
    _cleanup_free_ char *text = json_text(strategies), *of_strategies = NULL, *of_variant = NULL;
    Status s;

    of_strategies = xasprintf("%s/strategies", at);
    of_variant = xasprintf("%s/default_variant", at);
    flag_strategies_check(strategies, json_str(flag, "value_type", NULL), of_strategies, errors);
    flag_default_variant_check(json_object_get(state, "default_variant"),
                               json_object_get(flag, "variants"), of_variant, errors);
    if (json_array_size(errors))
        return STATUS_OK;
    s = db_segment_missing(tx, app, text, &missing);
    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(missing); i++) {
        _cleanup_free_ char *field = xasprintf("%s%s", at, db_text(missing, i, "field"));

        field_error(errors, field, "unknown", "App %s has no segment %s.", app,
                    db_text(missing, i, "name"));
    }
    return s == STATUS_OK ? check_release(tx, there->environment_id, state, at, errors) : s;
}

Status flag_state_with(struct db_tx *tx, const char *app, const struct flag_state_row *there,
                       const json_t *set, const char *at, json_t *errors, json_t **ret) {
    *ret = flag_state(there);
    json_object_update(*ret, (json_t *)(uintptr_t)set);
    return flag_state_check(tx, app, there, *ret, at, errors);
}

Status flag_state_store(struct db_tx *tx, const struct flag_change *c, struct flag_state_row *row,
                        json_t *state, const char *action, const char *done) {
    json_auto_t *spec =
        json_pack("{s:O, s:O, s:O}", "strategies", json_object_get(state, "strategies"),
                  "default_variant", json_object_get(state, "default_variant"), "requires_release",
                  json_object_get(state, "requires_release"));
    _cleanup_free_ char *text = json_text(spec);
    const struct flag_noted noted = {.kind = "environment",
                                     .name = row->flag,
                                     .action = action,
                                     .done = done,
                                     .before = row->revision,
                                     .after = state};
    Status s;

    row->spec = text;
    row->enabled = json_bool(state, "enabled", false);
    row->killed = json_bool(state, "killed", false);
    row->revision = c->revision;
    s = db_flag_state_put(tx, c->app, row);
    row->spec = NULL;
    return s == STATUS_OK ? flag_change_note(tx, c, &noted) : s;
}
