#include "worker/transition.h"
#include <string.h>

const struct actor worker_actor = {
    "{\"kind\": \"service\", \"subject\": \"sluiced\", \"issuer\": \"sluice\"}", "worker"};

static const struct transition_row rows[] = {
    /* clang-format off */
    {NULL,        "blocked",     EVENT_BLOCK,             "deployment.blocked",     "It waits for its gates"},
    {"blocked",   "running",     EVENT_OPEN,              "deployment.started",     "Its gates opened: the deployment began"},
    {"blocked",   "failed",      EVENT_REFUSED,           "deployment.failed",      "It could not begin"},
    {NULL,        "running",     EVENT_START,             "deployment.started",     "The deployment began"},
    {"running",   "undoing",     EVENT_FAIL,              "deployment.undoing",     "A step failed: everything is taken back"},
    {"running",   "undoing",     EVENT_ABORT,             "deployment.undoing",     "Aborted by a person: everything is taken back"},
    {"paused",    "undoing",     EVENT_ABORT,             "deployment.undoing",     "Aborted by a person: everything is taken back"},
    {"stuck",     "undoing",     EVENT_ABORT,             "deployment.undoing",     "Aborted by a person: everything is taken back"},
    {"running",   "paused",      EVENT_PAUSE,             "deployment.paused",      "It waits for a person"},
    {"paused",    "running",     EVENT_RESUME,            "deployment.resumed",     "It goes on"},
    {"paused",    "running",     EVENT_PROMOTE,           "deployment.promoted",    "Promoted by a person"},
    {"running",   "succeeded",   EVENT_SUCCEED,           "deployment.succeeded",   "The new version serves"},
    {"undoing",   "failed",      EVENT_UNDONE,            "deployment.failed",      "Taken back: the old version serves"},
    {"undoing",   "aborted",     EVENT_ABORTED,           "deployment.aborted",     "Aborted: the old version serves"},
    {"running",   "stuck",       EVENT_STUCK,             "deployment.stuck",       "It could not be decided: a person must look"},
    {"undoing",   "stuck",       EVENT_STUCK,             "deployment.stuck",       "It could not be taken back: a person must look"},
    {"stuck",     "running",     EVENT_RETRY,             "deployment.retried",     "It tries again"},
    {"stuck",     "undoing",     EVENT_RETRY_UNDO,        "deployment.retried",     "It tries again to take everything back"},
    {"stuck",     "failed",      EVENT_RESOLVE_FAILED,    "deployment.failed",      "Resolved by a person as failed"},
    {"stuck",     "succeeded",   EVENT_RESOLVE_SUCCEEDED, "deployment.succeeded",   "Resolved by a person as succeeded"},
    {"running",   "rolled_back", EVENT_TAKEN_OVER,        "deployment.rolled_back", "Taken over by a rollback"},
    {"paused",    "rolled_back", EVENT_TAKEN_OVER,        "deployment.rolled_back", "Taken over by a rollback"},
    {"undoing",   "rolled_back", EVENT_TAKEN_OVER,        "deployment.rolled_back", "Taken over by a rollback"},
    {"stuck",     "rolled_back", EVENT_TAKEN_OVER,        "deployment.rolled_back", "Taken over by a rollback"},
    {"scheduled", "canceled",    EVENT_CANCEL,            "deployment.canceled",    "Canceled before it began"},
    {"queued",    "canceled",    EVENT_CANCEL,            "deployment.canceled",    "Canceled before it began"},
    {"blocked",   "canceled",    EVENT_CANCEL,            "deployment.canceled",    "Canceled before it began"},
    /* clang-format on */
};

const struct transition_row *transitions(size_t *ret_count) {
    *ret_count = sizeof rows / sizeof *rows;
    return rows;
}

const char *event_name(DeploymentEvent e) {
    static const char *const names[] = {
        [EVENT_START] = "start",
        [EVENT_BLOCK] = "block",
        [EVENT_OPEN] = "open",
        [EVENT_REFUSED] = "refused",
        [EVENT_FAIL] = "fail",
        [EVENT_ABORT] = "abort",
        [EVENT_PAUSE] = "pause",
        [EVENT_RESUME] = "resume",
        [EVENT_PROMOTE] = "promote",
        [EVENT_SUCCEED] = "succeed",
        [EVENT_UNDONE] = "undone",
        [EVENT_ABORTED] = "aborted",
        [EVENT_STUCK] = "stuck",
        [EVENT_RETRY] = "retry",
        [EVENT_RETRY_UNDO] = "retry-undo",
        [EVENT_RESOLVE_FAILED] = "resolve-failed",
        [EVENT_RESOLVE_SUCCEEDED] = "resolve-succeeded",
        [EVENT_TAKEN_OVER] = "taken-over",
        [EVENT_CANCEL] = "cancel",
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
