/* handlers/gate.c: "why can't I deploy, who can change it, when does it open?" */
#include "base/cleanup.h"
#include "base/semver.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "worker/gates.h"

Status blockers_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const char *version = request_query(q, "version");
    struct gate_ask ask = {0};
    struct semver parsed;
    Status s = path_environment(q, &rows, r);

    (void)in;
    if (s == STATUS_OK && !version)
        s = reply_query_error(r, "version", "required", "Which version is to be deployed.");
    else if (s == STATUS_OK && !semver_parse(version, &parsed))
        s = reply_query_error(r, "version", "format", "Not a semantic version.");
    if (s != STATUS_OK)
        return s;
    ask.environment_id = environment_row(rows, 0).id;
    ask.version_key = parsed.key;
    ask.version = version;
    ask.asked_by =
        principal_may(q->principal, "deployment:create") ? q->principal->actor_json : "{}";
    s = gates_look(context_of(q)->pool, &ask, GATE_ASKED, &v);
    return s == STATUS_OK ? answer(r, 200, gate_verdict_json(&v)) : s;
}
