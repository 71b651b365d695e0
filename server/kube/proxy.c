/* kube/proxy.c: HTTP to a Service through the API server. */
#include "base/cleanup.h"
#include "kube/cluster.h"
#include "kube/kind.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct proxied {
    struct kube_cluster *cluster; /* owned: a reference */
    struct kube_headers with;
    net_done_fn *done;
    void *ctx;
    char why[KUBE_EXEC_TEXT]; /* nothing was sent */
};
static void proxied_done(void *ctx, struct net_response *response) {
    struct proxied *p = ctx;
    kube_call_count("proxy", response, true);
    p->done(p->ctx, response);
    kube_headers_done(&p->with);
    kube_cluster_unref(p->cluster);
    free(p);
}

/* Whether a segment is "." or "..", escaped or not.  The path of a check is a user's: it may not
 * climb out of the proxy. */
static bool climbs(const char *path) {
    size_t n;

    for (; *path == '/'; path += n) {
        size_t dots = 0;
        const char *c = ++path;

        n = strcspn(path, "/?#");
        for (; c < path + n; dots++) {
            if (*c == '.')
                c++;
            else if (strncasecmp(c, "%2e", 3) == 0)
                c += 3;
            else
                break;
        }
        if (c == path + n && (dots == 1 || dots == 2))
            return true;
    }
    return false;
}

static void refused(void *ctx, bool canceled) {
    struct net_response response = {.outcome = NET_NOT_SENT, .retry_after_s = -1};
    struct proxied *p = ctx;

    (void)canceled;
    snprintf(response.error, sizeof(response.error), "%.150s", p->why);
    proxied_done(p, &response);
}

static uint64_t refuse(struct proxied *p, const char *why) {
    if (why != p->why)
        snprintf(p->why, sizeof(p->why), "%s", why);
    return net_loop_after(p->cluster->set->loop, 0, refused, p);
}
/* Theirs, our Authorization, which ends at the API server, and the trace; the list is yours. */
static const char **with_ours(const char *const *theirs, const struct kube_headers *ours) {
    const char **lines;
    size_t n = 0;

    while (theirs && theirs[n])
        n++;
    lines = xcalloc(n + 3, sizeof(*lines));
    n = 0;
    if (ours->authorization)
        lines[n++] = ours->authorization;
    if (*ours->trace)
        lines[n++] = ours->trace;
    for (; theirs && *theirs; theirs++)
        if (strncasecmp(*theirs, "authorization:", 14) != 0)
            lines[n++] = *theirs;
    return lines;
}

uint64_t kube_service_call(struct kube_cluster *c, const char *namespace_, const char *service,
                           int port, const struct net_request *in, net_done_fn *done, void *ctx) {
    _cleanup_free_ char *path = NULL, *url = NULL, *name = NULL;
    _cleanup_free_ const char **lines = NULL;
    struct proxied *p = xcalloc(1, sizeof(*p));
    struct net_request request = *in;
    *p = (struct proxied){.cluster = kube_cluster_ref(c), .done = done, .ctx = ctx};
    if (in->url[0] != '/' || climbs(in->url))
        return refuse(p, "not a path within a Service");
    if (kube_headers_set(&p->with, c, NULL, 0, p->why, sizeof(p->why)) != LOGIN_READY)
        return refuse(p, p->why);
    lines = with_ours(in->headers, &p->with);
    name = kube_escape(service);
    path = kube_kind_path(KUBE_SERVICE, namespace_, NULL);
    url = xasprintf("%s%s/http:%s:%d/proxy%s", c->config.server, path, name, port, in->url);
    request.method = in->method ? in->method : "GET";
    request.url = url;
    request.headers = lines;
    request.tls = p->with.tls;
    request.policy = NULL;
    return net_loop_start(c->set->loop, &request, NULL, proxied_done, p);
}
