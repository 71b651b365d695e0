/* http/request.c: what handlers ask of a request. */
#include "http/exchange.h"
#include <string.h>

const char *request_param(const struct request *q, const char *name) {
    const struct exchange *x = request_exchange(q);
    size_t n = strlen(name), i = 0;

    for (const char *at = strchr(q->route->path, '{'); at; at = strchr(at, '{'), i++) {
        at++;
        if (!strncmp(at, name, n) && at[n] == '}')
            return x->match.value[i];
    }
    return NULL;
}

const char *request_query(const struct request *q, const char *name) {
    const struct exchange *x = request_exchange(q);

    for (size_t i = 0; x->query && i < x->query->n; i++)
        if (!strcmp(x->query->pair[i].name, name))
            return x->query->pair[i].value;
    return NULL;
}

const char *request_header(const struct request *q, const char *name) {
    return MHD_lookup_connection_value(request_exchange(q)->connection, MHD_HEADER_KIND, name);
}
