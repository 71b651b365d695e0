/* http/router.c: the route table as a tree of path segments, so that a look-up costs one comparison
 * per candidate of each segment, however many routes there are. */
#include "http/router.h"
#include "auth/principal.h"
#include "base/cleanup.h"
#include "http/uri.h"
#include <stdio.h>
#include <string.h>

enum { METHODS = 4 };

struct node {
    char *text; /* NULL: matches any segment that is not empty */
    struct node *children, *next;
    const struct route *route[METHODS];
    unsigned methods; /* bit 1 << HttpMethod of each route */
};
struct router {
    struct node root;
};
DEFINE_CLEANUP(router_free, struct router *);

static struct node *node_child(struct node *parent, const char *text, size_t n) {
    bool any = n > 0 && text[0] == '{' && text[n - 1] == '}';
    struct node **at = &parent->children, *child;

    for (; *at; at = &(*at)->next)
        if (any ? !(*at)->text
                : (*at)->text && strlen((*at)->text) == n && !memcmp((*at)->text, text, n))
            return *at;
    /* literals before {value}: the first match of the list is then the better one */
    if (!any)
        at = &parent->children;
    child = xcalloc(1, sizeof *child);
    child->text = any ? NULL : xstrndup(text, n);
    child->next = *at;
    *at = child;
    return child;
}

/* Where the route belongs; NULL where another one of this method is already. */
static bool node_insert(struct node *root, const struct route *route) {
    const char *at = route->path + 1;
    struct node *node = root;

    for (;;) {
        size_t n = strcspn(at, "/");

        node = node_child(node, at, n);
        if (!at[n])
            break;
        at += n + 1;
    }
    if (node->route[route->method])
        return false;
    node->route[route->method] = route;
    node->methods |= 1u << route->method;
    return true;
}

static void node_free(struct node *node) {
    while (node) {
        struct node *next = node->next;

        node_free(node->children);
        free(node->text);
        free(node);
        node = next;
    }
}

struct router *router_new(const struct route *routes) {
    struct router *r = xcalloc(1, sizeof *r);

    for (const struct route *route = routes; route->operation; route++)
        node_insert(&r->root, route);
    return r;
}

void router_free(struct router *r) {
    if (!r)
        return;
    node_free(r->root.children);
    free(r);
}

static const struct node *node_match(const struct node *node, const char *const *segment, size_t n,
                                     struct router_match *m) {
    const struct node *leaf;

    if (n == 0)
        return node->methods ? node : NULL;
    for (const struct node *c = node->children; c; c = c->next) {
        size_t values = m->values;

        if (c->text ? strcmp(c->text, *segment) != 0 : !**segment || values == ROUTER_VALUES_MAX)
            continue;
        if (!c->text)
            m->value[m->values++] = *segment;
        leaf = node_match(c, segment + 1, n - 1, m);
        if (leaf)
            return leaf;
        m->values = values;
    }
    return NULL;
}

struct router_match router_find(const struct router *r, int method, const char *const *segment,
                                size_t n) {
    struct router_match m = {0};
    const struct node *leaf = n ? node_match(&r->root, segment, n, &m) : NULL;

    if (leaf) {
        m.methods = leaf->methods;
        if (method >= 0 && method < METHODS)
            m.route = leaf->route[method];
    }
    return m;
}

/* ---- the check of a table ---- */

static const char *template_fault(const char *path) {
    size_t segments = 0, values = 0;

    if (path[0] != '/')
        return "the path does not begin with '/'";
    for (const char *at = path; *at; segments++) {
        size_t n = strcspn(++at, "/");

        if (n == 0)
            return "the path has an empty segment";
        if (at[0] == '{') {
            if (n < 3 || at[n - 1] != '}' || memchr(at + 1, '{', n - 1))
                return "the path has a malformed {value}";
            values++;
        } else if (memchr(at, '{', n) || memchr(at, '}', n)) {
            return "a {value} must be a whole segment";
        }
        at += n;
    }
    if (segments > URI_SEGMENTS_MAX || values > ROUTER_VALUES_MAX)
        return "the path is too long";
    return NULL;
}

static const char *route_fault(const struct route *r) {
    if (!r->scope)
        return "no scope (public is SCOPE_PUBLIC)";
    if (strcmp(r->scope, SCOPE_PUBLIC) != 0 && strcmp(r->scope, SCOPE_ANY) != 0 &&
        !scope_known(r->scope))
        return "no role carries its scope";
    if (!r->handler)
        return "no handler";
    if ((r->body == BODY_JSON) != (r->schema != NULL))
        return "a schema belongs to a JSON body, and to nothing else";
    if (r->body == BODY_RAW ? !r->media_type : r->body == BODY_NONE && r->media_type)
        return "a raw body has a media type, and no body has none";
    if (r->method == HTTP_GET && r->body != BODY_NONE)
        return "GET takes no body";
    return template_fault(r->path);
}

const char *http_routes_check(const struct route *routes) {
    static _Thread_local char text[256];
    _cleanup_(router_free) struct router *tree = xcalloc(1, sizeof *tree);
    const char *fault = NULL;

    for (const struct route *r = routes; r->operation; r++) {
        fault = route_fault(r);
        for (const struct route *other = routes; !fault && other < r; other++)
            if (!strcmp(other->operation, r->operation))
                fault = "its name is taken";
        if (!fault && !node_insert(&tree->root, r))
            fault = "method and path are another's";
        if (fault) {
            snprintf(text, sizeof text, "route %s (%s): %s", r->operation, r->path, fault);
            return text;
        }
    }
    return NULL;
}
