/* kubesim/dataplane_traffic.c: a ring of events and what has left it. */
#include "kubesim/dataplane_traffic.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/status.h"

#include <stdbool.h>
#include <string.h>

enum { ROOM_FIRST = 1024, ROOM_MAX = 1 << 20 };

static bool same_version(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static size_t kind_of(struct traffic *t, const char *version, unsigned status) {
    for (size_t i = 0; i < t->n_kinds; i++) {
        if (t->kinds[i].status == status && same_version(t->kinds[i].version, version))
            return i;
    }
    t->kinds = xrealloc(t->kinds, (t->n_kinds + 1) * sizeof *t->kinds);
    t->kinds[t->n_kinds] = (struct traffic_kind){.version = xstrdup(version), .status = status};
    return t->n_kinds++;
}

static void make_room(struct traffic *t) {
    if (t->n < t->room)
        return;
    if (t->room < ROOM_MAX) { /* before the first wrap `first` is 0 */
        t->room = t->room == 0 ? ROOM_FIRST : 2 * t->room;
        t->ring = xrealloc(t->ring, t->room * sizeof *t->ring);
        return;
    }
    t->kinds[t->ring[t->first].kind].forgotten++;
    t->forgotten_until_us = t->ring[t->first].at_us;
    t->first = (t->first + 1) % t->room;
    t->n--;
}

void traffic_add(struct traffic *t, const char *version, unsigned status) {
    size_t kind = kind_of(t, version, status);

    make_room(t);
    t->ring[(t->first + t->n++) % t->room] =
        (struct traffic_event){.at_us = clock_now_us(), .kind = kind};
}

json_t *traffic_since(const struct traffic *t, int64_t since_us) {
    _cleanup_free_ int64_t *counts = xcalloc(t->n_kinds + 1, sizeof *counts);
    json_t *by = json_array();
    int64_t total = 0, failed = 0;

    for (size_t i = 0; i < t->n_kinds; i++)
        counts[i] = since_us <= t->forgotten_until_us ? t->kinds[i].forgotten : 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct traffic_event *event = &t->ring[(t->first + i) % t->room];
        if (event->at_us >= since_us)
            counts[event->kind]++;
    }
    for (size_t i = 0; i < t->n_kinds; i++) {
        const struct traffic_kind *kind = &t->kinds[i];
        if (kind->version == NULL) {
            failed += counts[i];
            continue;
        }
        total += counts[i];
        if (counts[i] > 0)
            json_array_append_new(by, json_pack("{s:s,s:i,s:I}", "version", kind->version, "status",
                                                (int)kind->status, "count", (json_int_t)counts[i]));
    }
    return json_pack("{s:I,s:o,s:I}", "total", (json_int_t)total, "by", by, "failed",
                     (json_int_t)failed);
}

void traffic_done(struct traffic *t) {
    for (size_t i = 0; i < t->n_kinds; i++)
        free(t->kinds[i].version);
    free(t->kinds);
    free(t->ring);
    *t = (struct traffic){0};
}
