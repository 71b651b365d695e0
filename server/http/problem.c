/* http/problem.c: refusals and faults as RFC 9457 problem details. */
#include "http/exchange.h"

/* The refusal's own sentence, else what its first error says (its field is "" where it is about the
 * whole body), else the title. */
static json_t *detail_of(const struct reply *r, const struct status_row *row) {
    const json_t *first = json_array_get(r->errors, 0);
    const char *field = json_str(first, "field", "");
    json_t *detail = r->detail ? json_string(r->detail) : NULL;

    if (!detail && first)
        detail = json_sprintf("%s%s%s", field, *field ? ": " : "", json_str(first, "detail", ""));
    return detail ? detail : json_string(row->title);
}

json_t *problem_json(const struct exchange *x, const struct status_row *row) {
    const struct reply *r = &x->r;
    json_t *p = json_object();
    const char *key;
    json_t *value;

    json_object_set_new(p, "type", json_sprintf("/api/docs/errors/%s", row->code));
    json_object_set_new(p, "status", json_integer(row->http));
    json_object_set_new(p, "title", json_string(row->title));
    json_object_set_new(p, "detail", detail_of(r, row));
    json_object_set_new(p, "instance", json_string(x->q.path));
    json_object_set_new(p, "code", json_string(row->code));
    json_object_set_new(p, "request_id", json_string(x->q.id));
    if (r->errors)
        json_object_set(p, "errors", r->errors);
    if (r->extra)
        json_object_foreach(r->extra, key, value) json_object_set(p, key, value);
    return p;
}
