/* handlers/unleash.c: Unleash's client API: the rules, for SDKs that evaluate by themselves.
 *
 * The whole document is made once for each revision and kept with the snapshot; a 304 makes
 * nothing. */
#include "handlers/unleash.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "flags/unleash.h"
#include "handlers/flag_client.h"
#include "handlers/handlers.h"
#include <string.h>

enum { HASH_HEX = 16, FILTERS_MAX = 64 };

/* ---- refusals: {name, message, details} as Unleash has them ---- */

static json_t *unleash_problem(const struct request *q, const struct status_row *row,
                               const struct reply *r) {
    const json_t *first = json_array_get(r->errors, 0);
    json_t *out = json_object(), *details = json_array();
    const json_t *error;
    size_t i;

    json_set_str(out, "id", q->id);
    json_set_str(out, "name", row->code);
    json_set_str(out, "message", r->detail ? r->detail : json_str(first, "detail", row->title));
    json_array_foreach(r->errors, i, error) {
        json_array_append_new(details,
                              json_pack("{s:s*, s:s*}", "path", json_str(error, "field", NULL),
                                        "message", json_str(error, "detail", NULL)));
    }
    json_object_set_new(out, "details", details);
    return out;
}

const struct protocol unleash_protocol = {.name = "unleash", .problem = unleash_problem};

const char *unleash_etag(const struct snapshot *s, const char *text, struct arena *arena) {
    _cleanup_free_ char *all = xasprintf("%s\n%s", s->environment_id, text);
    char hex[SHA256_HEX];

    return arena_printf(arena, "%.*s:%lld:v1", HASH_HEX, sha256_hex(all, strlen(all), hex),
                        (long long)s->revision);
}

bool unleash_unchanged(const struct request *q, struct reply *r) {
    if (!caller_has(q, r->etag))
        return false;
    r->status = 304;
    return true;
}

/* ---- the filters of the query ---- */

struct filters {
    const char *projects[FILTERS_MAX], *prefix;
    size_t projects_n, tags_n;
};

static struct filters filters_of(const struct request *q) {
    struct filters f = {0};
    const char *name, *value;

    for (size_t i = 0; request_query_at(q, i, &name, &value); i++) {
        if (!strcmp(name, "namePrefix") && *value)
            f.prefix = value;
        else if (!strcmp(name, "tag") && *value)
            f.tags_n++;
        else if ((!strcmp(name, "project") || !strcmp(name, "project[]")) && *value &&
                 f.projects_n < FILTERS_MAX)
            f.projects[f.projects_n++] = value;
    }
    return f;
}

/* Flags have no tags: a filter by them leaves none. */
static bool passes(const struct filters *f, const json_t *feature) {
    const char *project = json_str(feature, "project", "");
    bool listed = f->projects_n == 0;

    for (size_t i = 0; i < f->projects_n; i++)
        listed = listed || !strcmp(f->projects[i], "*") || !strcmp(f->projects[i], project);
    return listed && f->tags_n == 0 &&
           (!f->prefix || !strncmp(json_str(feature, "name", ""), f->prefix, strlen(f->prefix)));
}

static json_t *query_json(const struct filters *f, const struct snapshot *s, bool apart) {
    json_t *out = json_object(), *projects = json_array();

    for (size_t i = 0; i < f->projects_n; i++)
        json_array_append_new(projects, json_string(f->projects[i]));
    json_object_set_new(out, "project", projects);
    if (f->prefix)
        json_set_str(out, "namePrefix", f->prefix);
    json_set_str(out, "environment", s->environment);
    json_object_set_new(out, "inlineSegmentConstraints", json_boolean(!apart));
    return out;
}

/* ---- the document ---- */

static char *document_text(const struct snapshot *s, const struct filters *f, bool apart) {
    json_auto_t *native = json_parse(s->document), *out = unleash_export(native, !apart);
    json_t *features = json_object_get(out, "features");

    for (size_t i = json_array_size(features); i-- > 0;)
        if (!passes(f, json_array_get(features, i)))
            json_array_remove(features, i);
    if (!apart)
        json_object_del(out, "segments");
    json_object_set_new(out, "query", query_json(f, s, apart));
    json_object_set_new(out, "meta", json_pack("{s:I}", "revisionId", (json_int_t)s->revision));
    return json_text(out);
}

static char *whole_text(const struct snapshot *s, SnapshotText which) {
    return document_text(s, &(struct filters){0}, which == SNAPSHOT_FEATURES_APART);
}

Status unleash_features(struct request *q, const void *in, struct reply *r) {
    _cleanup_(snapshot_release) const struct snapshot *s = NULL;
    const char *spec = request_header(q, "Unleash-Client-Spec");
    struct filters f = filters_of(q);
    bool apart = spec && *spec, all = !f.projects_n && !f.tags_n && !f.prefix;
    Status status = caller_flags(q, &s, r);

    (void)in;
    if (status != STATUS_OK)
        return status;
    r->etag =
        unleash_etag(s, arena_printf(q->arena, "%d %s", (int)apart, all ? "" : q->query), q->arena);
    if (unleash_unchanged(q, r))
        return STATUS_OK;
    r->raw = all ? xstrdup(snapshot_text(s, apart ? SNAPSHOT_FEATURES_APART : SNAPSHOT_FEATURES,
                                         whole_text))
                 : document_text(s, &f, apart);
    r->raw_len = strlen(r->raw);
    r->content_type = "application/json";
    return STATUS_OK;
}
