#include "handlers/environment_recent.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "live/recent.h"
#include <stdio.h>
#include <string.h>

enum { PLACE = 160 }; /* two names and what is around them */

static const char *key_of(const char *app, const char *name, char text[PLACE]) {
    snprintf(text, PLACE, "%s/%s", app, name);
    return text;
}

static const char *cluster_topic(const char *cluster, char text[PLACE]) {
    snprintf(text, PLACE, "cluster:%s", cluster);
    return text;
}

static const char *seen_topic(const char *cluster, const char *namespace_, char text[PLACE]) {
    snprintf(text, PLACE, "seen:%s/%s", cluster, namespace_);
    return text;
}

bool environment_recall(const struct request *q, struct reply *r) {
    char key[PLACE];

    if (!recent_find(context_of(q)->recent,
                     key_of(request_param(q, "app"), request_param(q, "env"), key), q->arena,
                     &r->etag, &r->raw))
        return false;
    r->raw_len = strlen(r->raw);
    r->content_type = "application/json";
    r->live = true;
    return true;
}

void environment_remember(const struct request *q, const struct environment_row *row,
                          int64_t began_us, struct reply *r) {
    char key[PLACE], cluster[PLACE], seen[PLACE];

    r->raw = json_line(r->json);
    r->raw_len = strlen(r->raw);
    r->content_type = "application/json";
    json_decref(r->json);
    r->json = NULL;
    recent_keep(context_of(q)->recent,
                &(struct recent_answer){.key = key_of(row->app, row->name, key),
                                        .etag = r->etag,
                                        .body = r->raw,
                                        .topics = {row->id, cluster_topic(row->cluster, cluster),
                                                   seen_topic(row->cluster, row->namespace_, seen)},
                                        .began_us = began_us});
}

void environment_forget(struct server_context *context, const char *environment_id) {
    if (environment_id)
        recent_tell(context->recent, environment_id);
}

void environments_of_cluster_changed(struct server_context *context, const char *cluster) {
    char topic[PLACE];

    bus_publish(context->bus, cluster_topic(cluster, topic));
}

void environments_saw_change(struct server_context *context, const char *cluster,
                             const char *namespace_) {
    char topic[PLACE];

    recent_tell(context->recent, seen_topic(cluster, namespace_, topic));
}
