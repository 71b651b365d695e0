#include "kubesim/podlog.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/podrun.h"
#include "kubesim/rest.h"
#include <stdlib.h>
#include <string.h>

static void write_lines(struct strbuf *b, const struct pod_run *run, bool crashed) {
    _cleanup_free_ char *version = image_tag(podrun_image(run->slot));
    const char *at = *run->started_at && !crashed ? run->started_at : run->last_started_at;

    strbuf_addf(b, "%s starting %s, version %s\n", at, run->slot->name, version);
    strbuf_addf(b, "%s configuration read, database reachable\n", at);
    if (crashed)
        strbuf_addf(b, "%s Error: cannot go on: unhandled exception in startup\n%s exit code 1\n",
                    run->last_finished_at, run->last_finished_at);
    else if (run->stage == POD_READY)
        strbuf_addf(b, "%s listening on port %d, ready\n", run->ready_at, run->port);
}

/* Where the last `lines` lines begin. */
static const char *tail_of(const char *text, long lines) {
    const char *at = text + strlen(text);

    if (at > text && lines > 0)
        at--;
    while (at > text && (at[-1] != '\n' || --lines > 0))
        at--;
    return at;
}

void podlog_answer(struct sim *sim, struct call *call, const struct slot *pod) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(65536);
    const struct pod_run *run = pod->attached;
    const char *tail = call_arg(call, "tailLines"), *previous = call_arg(call, "previous");
    const char *text;
    bool crashed;

    (void)sim;
    if (!run || (!*run->started_at && run->stage != POD_CRASHED)) {
        rest_refuse(call, kstatus(400, "BadRequest",
                                  "container in pod \"%s\" is waiting to start: ContainerCreating",
                                  pod->name));
        return;
    }
    crashed = run->stage == POD_CRASHED || (previous && !strcmp(previous, "true"));
    if (crashed && !run->exits) {
        rest_refuse(call,
                    kstatus(400, "BadRequest",
                            "previous terminated container in pod \"%s\" not found", pod->name));
        return;
    }
    write_lines(&b, run, crashed);
    text = b.data;
    if (tail)
        text = tail_of(text, strtol(tail, NULL, 10));
    rest_plain(call, 200, "text/plain", text, strlen(text));
}
