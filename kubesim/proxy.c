#include "kubesim/proxy.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "kubesim/dataplane.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/podrun.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30000, MAX_ANSWER = 4 * 1024 * 1024 };

/* One request on its way to a pod. */
struct exchange {
    struct sim *sim;
    struct call *call;
    call_fn *end_call; /* what the call's note needs at its end */
    void *note;
    int fd;
    struct strbuf request, answer;
    size_t sent;
    struct simloop_timer timeout;
    struct backend to;
};

static void exchange_end(void *ctx, struct call *call) {
    struct exchange *x = ctx;

    simloop_disarm(x->sim->loop, &x->timeout);
    if (x->fd >= 0) {
        simloop_unwatch(x->sim->loop, x->fd);
        close(x->fd);
    }
    strbuf_done(&x->request);
    strbuf_done(&x->answer);
    x->end_call(x->note, call);
    free(x);
}

/* Answers the parked call: rest_… want its own note back. */
static void finish(struct exchange *x, json_t *status, unsigned code, const char *type,
                   const char *bytes, size_t n) {
    simloop_disarm(x->sim->loop, &x->timeout);
    simloop_unwatch(x->sim->loop, x->fd);
    close(x->fd);
    x->fd = -1;
    x->call->note = x->note;
    if (status)
        rest_refuse(x->call, status);
    else
        rest_plain(x->call, code, type, bytes, n);
    x->call->note = x;
}

static void fail(struct exchange *x, const char *why) {
    finish(x,
           kstatus(503, "ServiceUnavailable", "error trying to reach service: dial tcp %s:%d: %s",
                   x->to.ip, x->to.port, why),
           0, NULL, NULL, 0);
}

/* The value of a header in the answer's head; yours or NULL. */
static char *header_of(const char *head, const char *name) {
    const char *at = strcasestr(head, name);

    if (!at)
        return NULL;
    at += strlen(name);
    at += strspn(at, " ");
    return xstrndup(at, strcspn(at, "\r\n"));
}

static void complete(struct exchange *x) {
    char *body = x->answer.data ? strstr(x->answer.data, "\r\n\r\n") : NULL;
    _cleanup_free_ char *type = NULL, *version = NULL;
    unsigned code = 0;

    if (!body || sscanf(x->answer.data, "HTTP/1.%*d %u", &code) != 1 || code < 200) {
        fail(x, "EOF");
        return;
    }
    *body = '\0';
    body += 4;
    type = header_of(x->answer.data, "\r\nContent-Type:");
    version = header_of(x->answer.data, "\r\nX-Version:");
    if (version)
        call_set_header(x->call, "X-Version", version);
    finish(x, NULL, code, type ? type : "application/octet-stream", body,
           x->answer.len - (size_t)(body - x->answer.data));
}

static void on_ready(void *ctx) {
    struct exchange *x = ctx;
    char buffer[16384];
    ssize_t n;

    while (x->sent < x->request.len) {
        n = send(x->fd, x->request.data + x->sent, x->request.len - x->sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN))
            return;
        if (n < 0) {
            fail(x, strerror(errno));
            return;
        }
        x->sent += (size_t)n;
    }
    for (;;) {
        n = recv(x->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        strbuf_add(&x->answer, buffer, (size_t)n);
    }
    if (n < 0)
        fail(x, strerror(errno));
    else
        complete(x);
}

static void on_timeout(void *ctx) {
    fail(ctx, "i/o timeout");
}

static void exchange_start(struct sim *sim, struct call *call, const struct backend *to,
                           const char *path) {
    struct exchange *x = xcalloc(1, sizeof *x);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to->port)};
    const char *type = call_header(call, "Content-Type");

    inet_pton(AF_INET, to->ip, &address.sin_addr);
    *x = (struct exchange){.sim = sim,
                           .call = call,
                           .end_call = call->on_end,
                           .note = call->note,
                           .request = STRBUF(MAX_ANSWER),
                           .answer = STRBUF(MAX_ANSWER),
                           .to = *to};
    strbuf_addf(&x->request, "%s /%s%s%s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n",
                call->method, path, *call->query ? "?" : "", call->query, to->ip, to->port);
    if (type)
        strbuf_addf(&x->request, "Content-Type: %s\r\n", type);
    strbuf_addf(&x->request, "Content-Length: %zu\r\n\r\n", call->body_len);
    strbuf_add(&x->request, call->body, call->body_len);
    call->note = x;
    call->on_end = exchange_end;
    call_park(call);
    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (x->fd < 0)
        die("socket: %s", strerror(errno));
    simloop_watch(sim->loop, x->fd, EPOLLIN | EPOLLOUT | EPOLLET, on_ready, x);
    simloop_arm(sim->loop, &x->timeout, TIMEOUT_MS * US_PER_MS, on_timeout, x);
    connect(x->fd, (struct sockaddr *)&address, sizeof address);
}

/* Splits "http:inopnc-prod:80" (colons may be %3A); the scheme and an empty port are optional. */
static void name_split(const char *text, char name[254], char port[64]) {
    _cleanup_free_ char *plain = xstrdup(text);
    char *at, *colon;

    while ((at = strcasestr(plain, "%3a"))) {
        *at = ':';
        memmove(at + 1, at + 3, strlen(at + 3) + 1);
    }
    at = plain;
    if (!strncmp(at, "http:", 5))
        at += 5;
    else if (!strncmp(at, "https:", 6))
        at += 6;
    colon = strchr(at, ':');
    if (colon)
        *colon = '\0';
    snprintf(name, 254, "%s", at);
    snprintf(port, 64, "%s", colon ? colon + 1 : "");
}

/* A ready endpoint of the Service, as its EndpointSlice has it. */
static bool choose(struct sim *sim, const struct slot *service, struct backend *ret) {
    struct bucket *slices = store_bucket(sim->store, KIND_ENDPOINTSLICE, service->ns);
    size_t n = 0;

    for (size_t s = 0; slices && s < slices->n; s++) {
        const json_t *body = slices->slots[s]->now->body, *endpoint;
        const json_t *port = json_array_get(json_object_get(body, "ports"), 0);
        size_t i;

        if (strcmp(json_str(object_labels(body), "kubernetes.io/service-name", ""), service->name))
            continue;
        json_array_foreach(json_object_get(body, "endpoints"), i, endpoint) {
            const char *ip =
                json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0));

            if (!json_bool(json_object_get(endpoint, "conditions"), "ready", false) || !ip)
                continue;
            if (random_unit() * (double)++n >= 1)
                continue; /* each with the same chance */
            snprintf(ret->ip, sizeof ret->ip, "%s", ip);
            ret->port = (int)json_int(port, "port", 0);
        }
    }
    return n > 0;
}

void proxy_call(struct sim *sim, struct call *call, const struct target *target) {
    char name[254], port[64];
    struct backend to = {0};
    struct slot *slot;

    name_split(target->name, name, port);
    slot = store_find(sim->store, target->kind->id, target->ns, name);
    if (!slot) {
        rest_refuse(call, kstatus_not_found(target->kind, name));
        return;
    }
    if (target->kind->id == KIND_POD) {
        snprintf(to.ip, sizeof to.ip, "%s",
                 json_str(json_object_get(slot->now->body, "status"), "podIP", ""));
        to.port = slot->attached ? ((struct pod_run *)slot->attached)->port : 3000;
        if (*port)
            to.port = (int)strtol(port, NULL, 10);
    } else {
        choose(sim, slot, &to);
    }
    if (!*to.ip) {
        rest_refuse(call, kstatus(503, "ServiceUnavailable",
                                  "no endpoints available for service \"%s\"", target->name));
        return;
    }
    exchange_start(sim, call, &to, target->rest);
}
