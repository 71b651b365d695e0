/* http/router.h: from a method and a path's segments to a route.  Built once, then read by any
 * thread. */
#pragma once
#include "http/http.h"

enum { ROUTER_VALUES_MAX = 8 };

struct router;
/* The table must have passed http_routes_check. */
struct router *router_new(const struct route *routes);
void router_free(struct router *r); /* NULL-safe */

struct router_match {
    const struct route *route; /* NULL: none of this method */
    unsigned methods;          /* bit 1 << HttpMethod of each that the path has; 0: no such path */
    const char *value[ROUTER_VALUES_MAX]; /* path values in the template's order; borrowed from the
                                             segments */
    size_t values;
};
/* `method` may be none of ours (-1).  A literal segment wins over a {value}. */
struct router_match router_find(const struct router *r, int method, const char *const *segment,
                                size_t n);
