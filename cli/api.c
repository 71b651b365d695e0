/* cli/api.c: calls of the API. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "cli/session.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PATH_MOST = 8192,
    ANSWER_MOST = 64 << 20,
    TIMEOUT_MS = 30000,
    TRIES = 4,
    LIST_PAGES_MOST = 10000,
};

static void add_encoded(struct strbuf *b, const char *text) {
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            strbuf_add(b, text, 1);
        else
            strbuf_addf(b, "%%%02X", (unsigned char)*text);
    }
}

char *api_path(const char *format, ...) {
    struct strbuf b = STRBUF(PATH_MOST);
    va_list args;

    strbuf_adds(&b, "/api/v1");
    va_start(args, format);
    for (const char *c = format; *c; c++) {
        if (c[0] == '%' && c[1] == 's') {
            add_encoded(&b, va_arg(args, const char *));
            c++;
        } else {
            strbuf_add(&b, c, 1);
        }
    }
    va_end(args);
    return strbuf_take(&b);
}

void api_headers(const struct session *s, const char *headers[8]) {
    size_t n = 0;

    while (headers[n])
        n++;
    headers[n++] = s->authorization;
    headers[n] = NULL;
}

void api_answer_done(struct api_answer *a) {
    json_decref(a->json);
    free(a->text);
    free(a->location);
    free(a->content_type);
    free(a->etag);
    *a = (struct api_answer){0};
}

static void take_answer(struct net_response *r, struct api_answer *ret) {
    *ret = (struct api_answer){
        .answered = r->outcome == NET_ANSWERED,
        .status = r->status,
        .text = TAKE_PTR(r->body),
        .n = r->body_len,
        .location = TAKE_PTR(r->location),
        .content_type = TAKE_PTR(r->content_type),
        .etag = TAKE_PTR(r->etag),
        .retry_after_s = r->retry_after_s,
    };
    memcpy(ret->error, r->error, sizeof(ret->error));
    if (ret->text)
        ret->json = json_loadb(ret->text, ret->n, JSON_ALLOW_NUL, NULL);
}

/* `json`: a success that carries anything else comes from some other server. */
static ExitCode exit_code(const struct api_answer *a, bool json) {
    if (!a->answered)
        return EXIT_UNREACHABLE;
    if (a->status == 200 && json && !a->json)
        return EXIT_UNREACHABLE;
    if (a->status >= 200 && a->status < 300)
        return EXIT_DONE;
    if (a->status < 500)
        return EXIT_REFUSED;
    return strcmp(json_str(a->json, "code", ""), "not-confirmed") == 0 ? EXIT_TIMED_OUT
                                                                       : EXIT_UNREACHABLE;
}

/* Whether the call may do better when made once more: its fate is unknown, or the server asks for
 * patience. */
static bool worth_repeating(const struct net_response *r) {
    if (r->outcome == NET_ANSWERED)
        return r->status == 502 || r->status == 503 ||
               (r->status == 429 && r->retry_after_s >= 0 && r->retry_after_s <= 5);
    return r->outcome == NET_UNKNOWN;
}

static void pause_before_try(const struct net_response *r, int try) {
    int64_t us = (int64_t)(250 << try) * US_PER_MS;
    struct timespec pause;

    if (r->retry_after_s > 0)
        us = (r->retry_after_s < 5 ? r->retry_after_s : 5) * US_PER_S;
    us += (int64_t)(random_unit() * 100) * US_PER_MS;
    pause = (struct timespec){us / US_PER_S, us % US_PER_S * 1000};
    nanosleep(&pause, NULL); /* a signal may end it early */
}

/* Repeats what may be repeated without harm. */
static void send_call(struct session *s, const struct api_call *call, const struct net_request *in,
                      struct net_response *ret) {
    bool repeatable = !call->once &&
                      (call->repeatable || call->idempotency_key || strcmp(in->method, "GET") == 0);

    for (int try = 0;; try++) {
        net_call(s->client, in, ret);
        if (!repeatable || try + 1 == TRIES || !worth_repeating(ret))
            return;
        pause_before_try(ret, try);
        net_response_done(ret);
    }
}

ExitCode api_try(struct session *s, const struct api_call *call, struct api_answer *ret) {
    _cleanup_free_ char *url = xasprintf("%s%s", s->url, call->path);
    _cleanup_free_ char *dumped = call->json ? json_text(call->json) : NULL;
    _cleanup_free_ char *accept =
        xasprintf("Accept: %s", call->accept ? call->accept : "application/json");
    _cleanup_free_ char *type = NULL, *match = NULL, *key = NULL;
    const char *headers[8] = {accept}, *body = dumped ? dumped : call->text;
    size_t n = 1;
    struct net_request in = {
        .method = call->method ? call->method : "GET",
        .url = url,
        .headers = headers,
        .body = body,
        .body_len = !body            ? 0
                    : call->text_len ? call->text_len
                                     : strlen(body),
        .timeout_ms = call->timeout_ms ? call->timeout_ms : TIMEOUT_MS,
        .max_bytes = ANSWER_MOST,
        .tls = &s->tls,
    };
    struct net_response response;

    if (body)
        headers[n++] = type =
            xasprintf("Content-Type: %s", dumped ? "application/json" : call->content_type);
    if (call->if_match)
        headers[n++] = match = xasprintf("If-Match: %s", call->if_match);
    if (call->idempotency_key)
        headers[n++] = key = xasprintf("Idempotency-Key: %s", call->idempotency_key);
    api_headers(s, headers);
    send_call(s, call, &in, &response);
    take_answer(&response, ret);
    ret->may_have_acted = response.outcome == NET_UNKNOWN && strcmp(in.method, "GET") != 0;
    net_response_done(&response);
    return exit_code(ret, !call->accept);
}

ExitCode api_do(struct session *s, const struct api_call *call, struct api_answer *ret) {
    ExitCode code = api_try(s, call, ret);

    if (code != EXIT_DONE)
        report_answer(s, ret);
    return code;
}

ExitCode api_list(struct session *s, const char *path, json_t **ret) {
    char separator = strchr(path, '?') ? '&' : '?';
    _cleanup_free_ char *next = xasprintf("%s%climit=200", path, separator);
    json_auto_t *all = json_array();

    for (int page = 0; next && page < LIST_PAGES_MOST; page++) {
        _cleanup_(api_answer_done) struct api_answer answer = {0};
        ExitCode code = api_do(s, &(struct api_call){.path = next}, &answer);
        _cleanup_free_ char *cursor = NULL, *with = NULL;

        if (code != EXIT_DONE)
            return code;
        json_array_extend(all, json_object_get(answer.json, "items"));
        if (json_is_string(json_object_get(answer.json, "next_cursor"))) {
            cursor = api_path("%s", json_str(answer.json, "next_cursor", ""));
            with =
                xasprintf("%s%climit=200&cursor=%s", path, separator, cursor + strlen("/api/v1"));
        }
        free(next);
        next = TAKE_PTR(with);
    }
    *ret = TAKE_PTR(all);
    return EXIT_DONE;
}
