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

Status request_may(const struct request *q, const char *scope, struct reply *r) {
    if (principal_may(q->principal, scope))
        return STATUS_OK;
    reply_extra(r, "scope", json_string(scope));
    if (kind_never(q->principal->kind, scope))
        return reply_refuse(r, E_FORBIDDEN,
                            "This needs the scope %s, which a caller of kind %s never has, "
                            "whatever its roles.",
                            scope, q->principal->kind);
    return reply_refuse(r, E_FORBIDDEN, "This needs the scope %s.", scope);
}

const char *request_query(const struct request *q, const char *name) {
    const struct exchange *x = request_exchange(q);

    for (size_t i = 0; x->query && i < x->query->n; i++)
        if (!strcmp(x->query->pair[i].name, name))
            return x->query->pair[i].value;
    return NULL;
}

bool request_query_at(const struct request *q, size_t i, const char **ret_name,
                      const char **ret_value) {
    const struct exchange *x = request_exchange(q);

    if (!x->query || i >= x->query->n)
        return false;
    *ret_name = x->query->pair[i].name;
    *ret_value = x->query->pair[i].value;
    return true;
}

const char *request_header(const struct request *q, const char *name) {
    return MHD_lookup_connection_value(request_exchange(q)->connection, MHD_HEADER_KIND, name);
}
