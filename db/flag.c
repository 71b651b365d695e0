#include "db/flag.h"
#include "base/cleanup.h"
#include "db/app.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is done alike to both kinds. */
static const struct {
    enum db_statement get, put, del, users;
} of[] = {
    [FLAG_DEFINITION] = {SQL_FLAG_GET, SQL_FLAG_PUT, SQL_FLAG_DELETE, SQL_FLAG_DEPENDENTS},
    [FLAG_SEGMENT] = {SQL_SEGMENT_GET, SQL_SEGMENT_PUT, SQL_SEGMENT_DELETE, SQL_SEGMENT_USERS},
};

struct flag_row flag_row(const struct db_rows *rows, size_t i, FlagKind kind) {
    return (struct flag_row){
        .name = db_text(rows, i, "name"),
        .spec = db_text(rows, i, "spec"),
        .stale = kind == FLAG_DEFINITION && db_bool(rows, i, "stale"),
        .revision = db_int(rows, i, "revision"),
        .created_us = db_time(rows, i, "created_at"),
        .updated_us = db_time(rows, i, "updated_at"),
    };
}

struct flag_state_row flag_state_row(const struct db_rows *rows, size_t i) {
    return (struct flag_state_row){
        .environment_id = db_text(rows, i, "environment_id"),
        .flag = db_text(rows, i, "flag"),
        .definition = db_text(rows, i, "definition"),
        .spec = db_text(rows, i, "spec"),
        .stale = db_bool(rows, i, "stale"),
        .enabled = db_bool(rows, i, "enabled"),
        .killed = db_bool(rows, i, "killed"),
        .revision = db_int(rows, i, "revision"),
        .created_us = db_time(rows, i, "created_at"),
        .updated_us = db_time(rows, i, "updated_at"),
    };
}

Status db_flag_lock(struct db_tx *tx, const char *app, int wait_ms, int64_t *ret_revision) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        wait_ms ? STATUS_OK : db_app_share(tx, app); /* who cannot wait knows that it is there */

    if (s == STATUS_OK)
        s = wait_ms ? db_query_waiting(tx, wait_ms, SQL_FLAG_LOCK, &rows, DB_PARAMS(app))
                    : db_query(tx, SQL_FLAG_LOCK, &rows, DB_PARAMS(app));
    if (s == STATUS_OK)
        *ret_revision = db_int(rows, 0, "revision");
    return s;
}

Status db_flag_get(struct db_pool *p, FlagKind kind, const char *app, const char *name,
                   struct db_rows **ret) {
    return db_once(p, of[kind].get, ret, DB_PARAMS(app, name));
}

Status db_flag_get_in(struct db_tx *tx, FlagKind kind, const char *app, const char *name,
                      struct db_rows **ret) {
    return db_query(tx, of[kind].get, ret, DB_PARAMS(app, name));
}

Status db_flag_list(struct db_pool *p, const char *app, const char *stale, const char *after,
                    int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_LIST, ret, DB_PARAMS(app, stale, after, DB_INT(limit)));
}

Status db_segment_list(struct db_pool *p, const char *app, const char *after, int64_t limit,
                       struct db_rows **ret) {
    return db_once(p, SQL_SEGMENT_LIST, ret, DB_PARAMS(app, after, DB_INT(limit)));
}

Status db_flag_count(struct db_tx *tx, FlagKind kind, const char *app, int64_t *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_ROOM, &rows, DB_PARAMS(app));

    if (s == STATUS_OK)
        *ret = db_int(rows, 0, kind == FLAG_SEGMENT ? "segments" : "flags");
    return s;
}

Status db_flag_put(struct db_tx *tx, FlagKind kind, const char *app, const char *name,
                   const char *spec, int64_t revision, struct db_rows **ret) {
    return db_query(tx, of[kind].put, ret, DB_PARAMS(app, name, spec, DB_INT(revision)));
}

Status db_flag_delete(struct db_tx *tx, FlagKind kind, const char *app, const char *name) {
    return db_query(tx, of[kind].del, NULL, DB_PARAMS(app, name));
}

Status db_flag_conflicts(struct db_tx *tx, const char *app, const char *name, const char *spec,
                         struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_CONFLICTS, ret, DB_PARAMS(app, name, spec));
}

Status db_flag_users(struct db_tx *tx, FlagKind kind, const char *app, const char *name,
                     struct db_rows **ret) {
    return db_query(tx, of[kind].users, ret, DB_PARAMS(app, name));
}

Status db_segment_missing(struct db_tx *tx, const char *app, const char *strategies,
                          struct db_rows **ret) {
    return db_query(tx, SQL_SEGMENT_MISSING, ret, DB_PARAMS(app, strategies));
}

Status db_flag_state(struct db_pool *p, const char *app, const char *environment, const char *flag,
                     struct db_rows **ret) {
    return db_once(p, SQL_FLAG_STATE, ret, DB_PARAMS(app, environment, flag));
}

Status db_flag_state_in(struct db_tx *tx, const char *app, const char *environment,
                        const char *flag, struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_STATE, ret, DB_PARAMS(app, environment, flag));
}

Status db_flag_states(struct db_pool *p, const char *environment_id, const char *app,
                      const char *after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_STATES, ret, DB_PARAMS(environment_id, app, after, DB_INT(limit)));
}

Status db_flag_state_put(struct db_tx *tx, const char *app, struct flag_state_row *row) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_STATE_PUT, &rows,
                        DB_PARAMS(row->environment_id, app, row->flag, DB_BOOL(row->enabled),
                                  DB_BOOL(row->killed), row->spec, DB_INT(row->revision)));

    if (s != STATUS_OK)
        return s;
    row->created_us = db_time(rows, 0, "created_at");
    row->updated_us = db_time(rows, 0, "updated_at");
    return STATUS_OK;
}

Status db_flag_change(struct db_tx *tx, const struct flag_change_row *row) {
    return db_query(tx, SQL_FLAG_CHANGE, NULL,
                    DB_PARAMS(row->app, DB_INT(row->revision), row->kind, row->name,
                              row->environment, row->action, row->source, row->by, row->reason,
                              row->before ? DB_INT(row->before) : NULL, row->after));
}

Status db_flag_history(struct db_pool *p, const struct flag_history *of_, const char *after,
                       int64_t limit, struct db_rows **ret) {
    const char *environment = after ? strchr(after, '/') : NULL;
    size_t digits = after ? strspn(after, "0123456789") : 0;
    int64_t revision = after ? strtoll(after, NULL, 10) : 0;

    if (after && (!digits || digits > 18 || after + digits != environment))
        return E_INVALID_QUERY;
    return db_once(p, SQL_FLAG_HISTORY, ret,
                   DB_PARAMS(of_->app, of_->kind, of_->name, of_->environment,
                             after ? DB_INT(revision) : NULL, after ? environment + 1 : NULL,
                             DB_INT(limit)));
}

Status db_flag_as_of(struct db_tx *tx, const struct flag_history *of_, int64_t revision,
                     struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_AS_OF, ret,
                    DB_PARAMS(of_->app, of_->kind, of_->name, of_->environment, DB_INT(revision)));
}

Status db_flag_document(struct db_pool *p, const char *app, const char *environment,
                        struct db_rows **ret) {
    return db_once(p, SQL_FLAG_DOCUMENT, ret, DB_PARAMS(app, environment));
}

Status db_flag_revisions(struct db_pool *p, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_REVISIONS, ret, DB_NO_PARAMS);
}

static void read_places(const struct db_rows *rows, struct flag_places *ret) {
    const char *from = db_text(rows, 0, "from_id"), *to = db_text(rows, 0, "to_id");

    *ret = (struct flag_places){.from_revision = db_int(rows, 0, "from_revision"),
                                .to_revision = db_int(rows, 0, "to_revision")};
    snprintf(ret->from_id, UUID_TEXT, "%s", from ? from : "");
    snprintf(ret->to_id, UUID_TEXT, "%s", to ? to : "");
}

Status db_flag_places(struct db_pool *p, const char *app, const char *from, const char *to,
                      struct flag_places *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(p, SQL_FLAG_PLACES, &rows, DB_PARAMS(app, from, to));

    if (s == STATUS_OK)
        read_places(rows, ret);
    return s;
}

Status db_flag_places_in(struct db_tx *tx, const char *app, const char *from, const char *to,
                         struct flag_places *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_PLACES, &rows, DB_PARAMS(app, from, to));

    if (s == STATUS_OK)
        read_places(rows, ret);
    return s;
}

Status db_flag_diff(struct db_pool *p, const char *app, const struct flag_places *places,
                    const char *after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_DIFF, ret,
                   DB_PARAMS(app, places->from_id, places->to_id, after, DB_INT(limit)));
}

Status db_flag_diff_in(struct db_tx *tx, const char *app, const struct flag_places *places,
                       const char *flags, struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_DIFF_NAMES, ret,
                    DB_PARAMS(app, places->from_id, places->to_id, flags));
}

Status db_flag_unknown(struct db_tx *tx, const char *app, const char *flags, struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_UNKNOWN, ret, DB_PARAMS(app, flags));
}

Status db_flag_promote(struct db_tx *tx, const struct flag_promotion *in, struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_PROMOTE, ret,
                    DB_PARAMS(in->app, DB_INT(in->revision), in->places->from_id, in->places->to_id,
                              in->flags, in->environment, in->by, in->reason));
}

Status db_flag_everything(struct db_pool *p, const char *app, const char *environment,
                          struct db_rows **ret) {
    return db_once(p, SQL_FLAG_EVERYTHING, ret, DB_PARAMS(app, environment));
}

Status db_flag_import(struct db_tx *tx, const struct flag_import *in) {
    return db_query(tx, SQL_FLAG_IMPORT, NULL,
                    DB_PARAMS(in->app, DB_INT(in->revision), in->environment_id, in->environment,
                              in->changes, in->by, in->reason));
}

Status db_flag_import_conflicts(struct db_tx *tx, const char *app, const char *flags,
                                struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_IMPORT_CONFLICTS, ret, DB_PARAMS(app, flags));
}

char *flag_topic(const char *app, const char *environment, char text[FLAG_TOPIC]) {
    snprintf(text, FLAG_TOPIC, "flags:%s%s%s", app, environment ? "/" : "",
             environment ? environment : "");
    return text;
}
