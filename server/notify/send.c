/* notify/send.c: sends checkpoints to a receiver, oldest first, each until it is taken.
 *
 * The row checkpoint_delivery says how far it came and who tries next: no transaction is open
 * while the receiver thinks. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/trace.h"
#include "db/checkpoint.h"
#include "notify/task.h"
#include <stdio.h>
#include <string.h>

enum { CALL_MS = 10000, HOLD_S = 30, ANSWER_MAX = 64 * 1024 };

/* NULL when the receiver took it. */
static const char *post(struct work *w, const char *id, const char *note,
                        struct net_response *response, char text[TASK_ERROR]) {
    _cleanup_free_ char *header = xasprintf("Webhook-Id: %s", id);
    char traceparent[TRACE_HEADER_TEXT];
    const char *const headers[] = {"Content-Type: text/plain; charset=utf-8", header,
                                   trace_header(traceparent), NULL};
    struct net_request request = {.method = "POST",
                                  .url = w->in.url,
                                  .headers = headers,
                                  .body = note,
                                  .body_len = strlen(note),
                                  .timeout_ms = CALL_MS,
                                  .max_bytes = ANSWER_MAX,
                                  .policy = &w->policy};

    net_call(w->client, &request, response);
    if (response->outcome != NET_ANSWERED)
        return response->error;
    if (response->status >= 200 && response->status < 300)
        return NULL;
    snprintf(text, TASK_ERROR, "the receiver answered %u", response->status);
    return text;
}

/* Nobody's request is behind it: each try has a trace of its own. */
static const char *deliver(struct work *w, const char *id, const char *note,
                           struct net_response *response, char text[TASK_ERROR]) {
    char uuid[UUID_TEXT];
    struct trace trace;
    const char *failed;

    trace_of_uuid(uuid_v7(uuid), &trace);
    trace_enter(&trace);
    failed = post(w, id, note, response, text);
    trace_enter(NULL);
    return failed;
}

static TaskResult database(char reterr[TASK_ERROR]) {
    snprintf(reterr, TASK_ERROR, "%s", db_fault_text());
    return TASK_FAILED;
}

/* Nothing is to be sent now: after a failure, until some server sent it. */
static TaskResult rest_or_pause(struct work *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (w->unsent && db_checkpoint_state(w->in.pool, &rows) == STATUS_OK)
        w->unsent = !db_null(rows, 0, "error");
    return w->unsent ? TASK_PAUSES : TASK_IDLE;
}

TaskResult checkpoint_send(struct work *w, int64_t *ret_number, char reterr[TASK_ERROR]) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct net_response response = {0};
    char id[CHECKPOINT_NAME], text[TASK_ERROR];
    const char *error;
    int64_t number;
    Status s;

    if (db_checkpoint_claim(w->in.pool, HOLD_S, &rows) != STATUS_OK)
        return database(reterr);
    if (db_rows_count(rows) == 0)
        return rest_or_pause(w);
    number = db_int(rows, 0, "number");
    error = deliver(w, checkpoint_name(number, db_text(rows, 0, "hash"), id),
                    db_text(rows, 0, "note"), &response, text);
    s = error ? db_checkpoint_unsent(w->in.pool, number, error)
              : db_checkpoint_sent(w->in.pool, number);
    if (error)
        snprintf(reterr, TASK_ERROR, "%s", error);
    net_response_done(&response);
    w->unsent = error != NULL;
    if (error)
        return TASK_FAILED;
    *ret_number = number;
    return s == STATUS_OK ? TASK_MORE : database(reterr);
}
