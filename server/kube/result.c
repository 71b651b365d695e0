/* kube/result.c: what an HTTP answer says about a call.
 *
 * Only an answer that says "no" in the API server's own words is a no: a 404 or a 200 from a load
 * balancer says nothing about the object. */
#include "base/cleanup.h"
#include "base/metric.h"
#include "kube/cluster.h"
#include <stdio.h>
#include <string.h>

void kube_result_done(struct kube_result *r) {
    if (!r)
        return;
    json_decref(r->object);
    *r = (struct kube_result){.retry_after_s = -1};
}

void kube_call_count(const char *verb, const struct net_response *response, bool timed) {
    size_t place = metric_place(LABEL_KUBE_VERB, verb);

    metric_add(METRIC_KUBE_REQUESTS, place, metric_code_place(response->status), 1);
    if (timed)
        metric_observe(METRIC_KUBE_REQUEST_TIME, place, response->took_us);
}

void kube_text_copy(char *ret, size_t n, const char *text) {
    size_t length = strcspn(text, "\r\n");

    if (length >= n) {
        length = n - 1;
        while (length && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(ret, text, length);
    ret[length] = '\0';
}

/* The beginning of a body of unknown make, fit for a log line. */
static void quote_body(char *ret, size_t n, const struct net_response *response) {
    size_t length = response->body_len < 80 ? response->body_len : 80;
    int at = snprintf(ret, n, "an answer without a Status%s", length ? ": " : "");

    for (size_t i = 0; i < length && at > 0 && (size_t)at + 1 < n; i++) {
        char c = response->body[i];

        ret[at++] = c >= ' ' && c <= '~' ? c : '?';
        ret[at] = '\0';
    }
}

static KubeOutcome outcome_of(unsigned status, bool has_status_object) {
    if (status == 404)
        return has_status_object ? KUBE_NOT_FOUND : KUBE_UNKNOWN;
    if (status == 409)
        return KUBE_CONFLICT;
    if (status == 429)
        return KUBE_LATER;
    if (status == 408) /* a proxy's: nobody knows how far the request came */
        return KUBE_UNKNOWN;
    return status >= 400 && status < 500 ? KUBE_REFUSED : KUBE_UNKNOWN;
}

static void read_refusal(const struct net_response *response, const json_t *body,
                         struct kube_result *ret) {
    bool is_status = strcmp(json_str(body, "kind", ""), "Status") == 0;
    int64_t wait = json_int(json_object_get(body, "details"), "retryAfterSeconds", -1);

    ret->outcome = outcome_of(response->status, is_status);
    if (is_status) {
        kube_text_copy(ret->reason, sizeof(ret->reason), json_str(body, "reason", ""));
        kube_text_copy(ret->message, sizeof(ret->message), json_str(body, "message", ""));
        if (ret->retry_after_s < 0 && wait >= 0 && wait <= 86400)
            ret->retry_after_s = (int)wait;
    }
    if (!*ret->message)
        quote_body(ret->message, sizeof(ret->message), response);
}

void kube_result_read(const struct net_response *response, struct kube_result *ret) {
    json_t *body = NULL;

    *ret = (struct kube_result){.retry_after_s = response->retry_after_s};
    if (response->outcome != NET_ANSWERED) {
        ret->outcome = response->outcome == NET_NOT_SENT ? KUBE_UNREACHED : KUBE_UNKNOWN;
        kube_text_copy(ret->message, sizeof(ret->message), response->error);
        return;
    }
    ret->code = response->status;
    if (response->body)
        body = json_loadb(response->body, response->body_len, JSON_ALLOW_NUL, NULL);
    if (response->status < 200 || response->status > 299) {
        read_refusal(response, body, ret);
    } else if (json_is_object(body)) {
        ret->outcome = KUBE_DONE;
        ret->object = TAKE_PTR(body);
    } else {
        ret->outcome = KUBE_UNKNOWN;
        kube_text_copy(ret->message, sizeof(ret->message), "an answer that is no object");
    }
    json_decref(body);
}
