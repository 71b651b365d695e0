/* kube/result.c: what an HTTP answer says about a call.
 *
 * Only an answer that says "no" in the API server's own words is a no: a 404 or a 200 from a load
 * balancer says nothing about the object. */
#include "base/cleanup.h"
#include "kube/cluster.h"
#include <stdio.h>
#include <string.h>

void kube_result_done(struct kube_result *r) {
    if (!r)
        return;
    json_decref(r->object);
    *r = (struct kube_result){.retry_after_s = -1};
}

static void copy_text(char *ret, size_t n, const char *text) {
    snprintf(ret, n, "%.*s", (int)strcspn(text, "\r\n"), text);
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
        copy_text(ret->reason, sizeof(ret->reason), json_str(body, "reason", ""));
        copy_text(ret->message, sizeof(ret->message), json_str(body, "message", ""));
        if (ret->retry_after_s < 0 && wait >= 0 && wait <= 86400)
            ret->retry_after_s = (int)wait;
    }
    if (!*ret->message)
        snprintf(ret->message, sizeof(ret->message), "HTTP %u without a Status%s%.80s",
                 response->status, response->body_len ? ": " : "",
                 response->body ? response->body : "");
}

void kube_result_read(const struct net_response *response, struct kube_result *ret) {
    json_t *body = NULL;

    *ret = (struct kube_result){.retry_after_s = response->retry_after_s};
    if (response->outcome != NET_ANSWERED) {
        ret->outcome = response->outcome == NET_NOT_SENT ? KUBE_UNREACHED : KUBE_UNKNOWN;
        copy_text(ret->message, sizeof(ret->message), response->error);
        return;
    }
    ret->code = response->status;
    if (response->body)
        body = json_loadb(response->body, response->body_len, 0, NULL);
    if (response->status < 200 || response->status > 299) {
        read_refusal(response, body, ret);
    } else if (json_is_object(body)) {
        ret->outcome = KUBE_DONE;
        ret->object = TAKE_PTR(body);
    } else {
        ret->outcome = KUBE_UNKNOWN;
        snprintf(ret->message, sizeof(ret->message), "HTTP %u with an answer that is no object",
                 response->status);
    }
    json_decref(body);
}
