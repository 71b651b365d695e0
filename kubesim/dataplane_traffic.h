/* kubesim/dataplane_traffic.h: what went through one Service, countable from any moment on. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct traffic_kind {
    char *version; /* NULL: no answer came */
    unsigned status;
    int64_t forgotten; /* how many of this kind have left the ring */
};

struct traffic_event {
    int64_t at_us;
    size_t kind;
};

struct traffic {
    struct traffic_kind *kinds;
    size_t n_kinds;
    struct traffic_event *ring; /* the latest, up to 2^20 */
    size_t room, first, n;
    int64_t forgotten_until_us;
};

/* Counts one answer, or, with version NULL, one request that got none. */
void traffic_add(struct traffic *t, const char *version, unsigned status);
/* As dataplane_traffic(); yours.  A moment before what the ring holds counts too much rather than
 * too little. */
json_t *traffic_since(const struct traffic *t, int64_t since_us);
void traffic_done(struct traffic *t);
