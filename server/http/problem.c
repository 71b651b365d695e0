/* http/problem.c: refusals and faults as RFC 9457 problem details. */
#include "base/log.h"
#include "http/exchange.h"

json_t *problem_json(const struct exchange *x, const struct status_row *row) {
    const struct reply *r = &x->r;
    json_t *p = json_object(), *detail = json_string(r->detail ? r->detail : row->title);
    const char *key;
    json_t *value;

    json_object_set_new(p, "type", json_sprintf("/api/docs/errors/%s", row->code));
    json_object_set_new(p, "status", json_integer(row->http));
    json_object_set_new(p, "title", json_string(row->title));
    json_object_set_new(p, "detail", detail ? detail : json_string(row->title));
    json_object_set_new(p, "instance", json_string(x->q.path));
    json_object_set_new(p, "code", json_string(row->code));
    json_object_set_new(p, "request_id", json_string(x->q.id));
    if (r->errors)
        json_object_set(p, "errors", r->errors);
    if (r->extra)
        json_object_foreach(r->extra, key, value) json_object_set(p, key, value);
    return p;
}
