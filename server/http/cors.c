/* http/cors.c: which pages of other origins may call the routes of flags, and read what they
 * answer (the Fetch standard, "CORS protocol").  Nothing else is for pages of others. */
#include "http/server.h"
#include <string.h>
#include <strings.h>

enum { ORIGIN_MAX = 300, HEADERS_TEXT_MAX = 1000 };
#define KEEP_S "600" /* how long a browser remembers the answer to its question */

static bool allowed(const char *origins, const char *origin) {
    size_t n = strlen(origin);

    for (const char *at = origins; *at;) {
        size_t len = strcspn(at, ",");

        if ((len == n && !strncasecmp(at, origin, n)) || (len == 1 && *at == '*'))
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

/* The caller's origin where it may; NULL. */
static const char *origin_of(const struct exchange *x) {
    const char *origins = live_of(x->server)->cors_origins, *origin;

    if (!origins || !x->q.route || !x->q.route->protocol)
        return NULL;
    origin = request_header(&x->q, "Origin");
    return origin && strlen(origin) <= ORIGIN_MAX && allowed(origins, origin) ? origin : NULL;
}

static void say(struct exchange *x, const char *name, const char *value) {
    MHD_add_response_header(x->response, name, value);
}

/* Names of headers and nothing else. */
static bool names_only(const char *list) {
    return strlen(list) <= HEADERS_TEXT_MAX &&
           !list[strspn(list,
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ")];
}

void cors_headers(struct exchange *x) {
    const char *origin, *names;

    if (!live_of(x->server)->cors_origins || !x->q.route || !x->q.route->protocol)
        return;
    say(x, "Vary", "Origin");
    origin = origin_of(x);
    if (!origin)
        return;
    say(x, "Access-Control-Allow-Origin", origin);
    if (!x->preflight) {
        say(x, "Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id");
        return;
    }
    names = request_header(&x->q, "Access-Control-Request-Headers");
    say(x, "Access-Control-Allow-Methods", "GET, POST");
    if (names && names_only(names))
        say(x, "Access-Control-Allow-Headers", names);
    say(x, "Access-Control-Max-Age", KEEP_S);
}

bool cors_preflight(struct exchange *x) {
    const char *method = request_header(&x->q, "Access-Control-Request-Method");
    int wanted = method && !strcmp(method, "GET")    ? HTTP_GET
                 : method && !strcmp(method, "POST") ? HTTP_POST
                                                     : -1;

    if (strcmp(x->method_name, "OPTIONS") != 0 || wanted < 0)
        return false;
    x->q.route = router_find(x->server->router, wanted, x->uri.segment, x->uri.segments).route;
    x->preflight = origin_of(x) != NULL;
    if (x->preflight)
        x->r.status = 204;
    else
        x->q.route = NULL;
    return x->preflight;
}
