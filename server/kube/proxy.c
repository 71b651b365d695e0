/* kube/proxy.c: HTTP to a Service through the API server. */
#include "base/cleanup.h"
#include "kube/cluster.h"
#include "kube/kind.h"
#include <string.h>
#include <strings.h>

enum { HEADERS_MOST = 32 };

struct proxied {
    struct kube_cluster *cluster; /* owned: a reference */
    net_done_fn *done;
    void *ctx;
};

static void proxied_done(void *ctx, struct net_response *response) {
    struct proxied *p = ctx;

    p->done(p->ctx, response);
    kube_cluster_unref(p->cluster);
    free(p);
}

/* The path of a check is a user's: it may not climb out of the proxy, and its headers may not
 * replace ours.  Our own Authorization ends at the API server. */
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
    struct net_response response = {
        .outcome = NET_NOT_SENT, .retry_after_s = -1, .error = "not a path within a Service"};

    (void)canceled;
    proxied_done(ctx, &response);
}

uint64_t kube_service_call(struct kube_cluster *c, const char *namespace_, const char *service,
                           int port, const struct net_request *in, net_done_fn *done, void *ctx) {
    _cleanup_free_ char *path = NULL, *url = NULL, *name = NULL;
    _cleanup_(kube_headers_done) struct kube_headers own = {0};
    const char *lines[HEADERS_MOST + 3];
    struct proxied *p = xcalloc(1, sizeof(*p));
    struct net_request request = *in;
    size_t n = 0;

    *p = (struct proxied){.cluster = kube_cluster_ref(c), .done = done, .ctx = ctx};
    if (in->url[0] != '/' || climbs(in->url))
        return net_loop_after(c->set->loop, 0, refused, p);
    kube_headers_set(&own, c, NULL);
    if (own.authorization)
        lines[n++] = own.authorization;
    for (const char *const *h = in->headers; h && *h && n < HEADERS_MOST; h++)
        if (strncasecmp(*h, "authorization:", 14) != 0)
            lines[n++] = *h;
    lines[n] = NULL;
    name = kube_escape(service);
    path = kube_kind_path(KUBE_SERVICE, namespace_, NULL);
    url = xasprintf("%s%s/http:%s:%d/proxy%s", c->config.server, path, name, port, in->url);
    request.method = in->method ? in->method : "GET";
    request.url = url;
    request.headers = lines;
    request.tls = &c->tls;
    request.policy = NULL;
    return net_loop_start(c->set->loop, &request, NULL, proxied_done, p);
}
