/* handlers/me.c: who the caller is. */
#include "handlers/answer.h"
#include "handlers/handlers.h"

static json_t *list_json(const char *const *items) {
    json_t *out = json_array();

    for (; items && *items; items++)
        json_array_append_new(out, json_string(*items));
    return out;
}

/* What is effective of them. */
static json_t *scopes_json(const struct principal *p) {
    json_t *out = json_array();

    for (const char *const *scope = p->scopes; scope && *scope; scope++)
        if (principal_may(p, *scope))
            json_array_append_new(out, json_string(*scope));
    return out;
}

Status me_get(struct request *q, const void *in, struct reply *r) {
    const struct principal *p = q->principal;
    json_t *out = json_object();

    (void)in;
    json_set_str(out, "kind", p->kind);
    json_set_str(out, "subject", p->subject);
    json_set_str(out, "issuer", p->issuer);
    json_set_str(out, "display_name", p->display_name);
    json_object_set_new(out, "roles", list_json(p->roles));
    json_object_set_new(out, "scopes", scopes_json(p));
    json_object_set_new(out, "apps", list_json(p->apps));
    json_set_str(out, "environment", p->environment);
    json_set_time(out, "expires_at", p->expires_us);
    return answer(r, 200, out);
}
