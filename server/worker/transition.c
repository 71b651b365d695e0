#include "worker/transition.h"
#include "base/cleanup.h"
#include <string.h>

static const struct transition_row rows[] = {
    /* clang-format off */
    {NULL,      "running",   EVENT_START,   "deployment.started",   "The deployment began"},
    {"running", "undoing",   EVENT_FAIL,    "deployment.undoing",   "A step failed: everything is taken back"},
    {"running", "undoing",   EVENT_ABORT,   "deployment.undoing",   "Aborted by a person: everything is taken back"},
    {"paused",  "undoing",   EVENT_ABORT,   "deployment.undoing",   "Aborted by a person: everything is taken back"},
    {"stuck",   "undoing",   EVENT_ABORT,   "deployment.undoing",   "Aborted by a person: everything is taken back"},
    {"running", "succeeded", EVENT_SUCCEED, "deployment.succeeded", "The new version serves"},
    {"undoing", "failed",    EVENT_UNDONE,  "deployment.failed",    "Taken back: the old version serves"},
    {"undoing", "aborted",   EVENT_ABORTED, "deployment.aborted",   "Aborted: the old version serves"},
    {"undoing", "stuck",     EVENT_STUCK,   "deployment.stuck",     "It could not be taken back: a person must look"},
    {"running", "stuck",     EVENT_STUCK,   "deployment.stuck",     "It could not be decided: a person must look"},
    /* clang-format on */
};

const struct transition_row *transitions(size_t *ret_count) {
    *ret_count = sizeof rows / sizeof *rows;
    return rows;
}

const char *event_name(DeploymentEvent e) {
    static const char *const names[] = {
        [EVENT_START] = "start",     [EVENT_FAIL] = "fail",     [EVENT_ABORT] = "abort",
        [EVENT_SUCCEED] = "succeed", [EVENT_UNDONE] = "undone", [EVENT_ABORTED] = "aborted",
        [EVENT_STUCK] = "stuck",
    };

    return names[e];
}

const struct transition_row *transition_find(const char *from, DeploymentEvent e) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool same = from && rows[i].from ? strcmp(from, rows[i].from) == 0 : from == rows[i].from;

        if (same && rows[i].event == e)
            return &rows[i];
    }
    return NULL;
}

static Status abort_write(struct db_tx *tx, const char *id, const char *reason,
                          const struct actor *by, const struct db_rows *found) {
    const struct transition_row *row = transition_find(db_text(found, 0, "state"), EVENT_ABORT);
    json_auto_t *failure = json_pack("{s:s, s:s, s:s}", "code", "aborted", "detail",
                                     reason ? reason : "Aborted by a person", "hint",
                                     "Deploy again when the reason is gone.");
    json_auto_t *data = json_pack("{s:s?}", "reason", reason);
    _cleanup_free_ char *failure_text = json_text(failure), *data_text = json_text(data);
    const struct record_entry entry = {.app = db_text(found, 0, "app"),
                                       .environment = db_text(found, 0, "environment"),
                                       .actor = by->json,
                                       .from = by->from,
                                       .action = row->action,
                                       .subject = id,
                                       .message = row->title,
                                       .data = data_text,
                                       .deployment_id = id};
    Status s = db_query(tx, SQL_TICK_ABORT_BEGIN, NULL, DB_PARAMS(id, failure_text));

    return s ? s : record_append(tx, &entry);
}

Status deployment_abort(struct db_tx *tx, struct arena *arena, const char *id, const char *reason,
                        const struct actor *by, const char **ret_state) {
    _cleanup_(db_rows_free) struct db_rows *lease = NULL, *found = NULL;
    const char *state;
    Status s;

    s = db_query(tx, SQL_TICK_ABORT_FIND, &lease,
                 DB_PARAMS(id)); /* the lease first: every tick locks in this order */
    if (s)
        return s;
    s = db_query(tx, SQL_TICK_ABORT_STATE, &found, DB_PARAMS(id));
    if (s)
        return s;
    if (db_rows_count(found) == 0)
        return E_NOT_FOUND;
    state = db_text(found, 0, "state");
    if (strcmp(state, "undoing") == 0) /* joins what runs */
        return STATUS_OK;
    if (!transition_find(state, EVENT_ABORT) || strcmp(db_text(found, 0, "kind"), "deploy") != 0) {
        *ret_state = arena_strdup(arena, state);
        return E_WRONG_STATE;
    }
    return abort_write(tx, id, reason, by, found);
}
