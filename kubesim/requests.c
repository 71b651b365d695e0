#include "kubesim/requests.h"
#include "base/clock.h"
#include "base/json.h"
#include "kubesim/store.h"
#include <stdlib.h>

enum { KEPT = 20000, MAX_BODY = 64 * 1024 };

struct entry {
    uint64_t n;
    int64_t at_us;
    char *verb, *path, *query, *user_agent, *traceparent, *body; /* owned */
    unsigned code;
};

struct requests {
    uint64_t next; /* numbers begin at 1 */
    struct entry entries[KEPT];
};

struct requests *requests_new(void) {
    struct requests *r = xcalloc(1, sizeof *r);

    r->next = 1;
    return r;
}

static void entry_done(struct entry *e) {
    free(e->verb);
    free(e->path);
    free(e->query);
    free(e->user_agent);
    free(e->traceparent);
    free(e->body);
    *e = (struct entry){0};
}

void requests_free(struct requests *r) {
    if (!r)
        return;
    for (size_t i = 0; i < KEPT; i++)
        entry_done(&r->entries[i]);
    free(r);
}

uint64_t requests_add(struct requests *r, const char *verb, const char *path, const char *query,
                      const char *user_agent, const char *traceparent, const char *body) {
    struct entry *e = &r->entries[r->next % KEPT];

    entry_done(e);
    *e = (struct entry){.n = r->next++,
                        .at_us = clock_now_us(),
                        .verb = xstrdup(verb),
                        .path = xstrdup(path),
                        .query = xstrdup(query),
                        .user_agent = xstrdup(user_agent),
                        .traceparent = xstrdup(traceparent),
                        .body = body && *body ? xstrndup(body, MAX_BODY) : NULL};
    return e->n;
}

void requests_code(struct requests *r, uint64_t n, unsigned code) {
    struct entry *e = &r->entries[n % KEPT];

    if (e->n == n)
        e->code = code;
}

static json_t *entry_json(const struct entry *e) {
    char at[40];
    json_t *o =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:i}", "n", (json_int_t)e->n, "at",
                  kube_micro_time(e->at_us, at), "user_agent", e->user_agent ? e->user_agent : "",
                  "verb", e->verb, "path", e->path, "query", e->query, "code", (int)e->code);
    json_t *body;

    if (!o) /* some string is not UTF-8 */
        return json_pack("{s:I, s:s}", "n", (json_int_t)e->n, "verb", e->verb);
    if (e->traceparent)
        json_object_set_new(o, "traceparent", json_string(e->traceparent));
    if (e->body) {
        body = json_parse(e->body);
        json_object_set_new(o, "body", body ? body : json_string(e->body));
    }
    return o;
}

json_t *requests_list(const struct requests *r, uint64_t after, int64_t since_us) {
    uint64_t n = r->next > KEPT ? r->next - KEPT : 1;
    json_t *items = json_array();

    for (n = n > after ? n : after + 1; n < r->next; n++) {
        const struct entry *e = &r->entries[n % KEPT];

        if (e->at_us >= since_us)
            json_array_append_new(items, entry_json(e));
    }
    return json_pack("{s:o, s:n}", "items", items, "next_cursor");
}
