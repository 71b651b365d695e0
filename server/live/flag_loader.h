/* live/flag_loader.h: keeps the snapshots of flags current.
 *
 * One thread reads what changed, compiles it and swaps it in: when the bus says so, else every few
 * seconds.  Only environments that changed are read again.  While the database is away the last
 * snapshots stay; a server that starts without it begins with the files, if it has a folder. */
#pragma once
#include "db/bus.h"
#include "db/db.h"
#include "flags/snapshot.h"

struct flag_files;
struct flag_loader;
struct flag_loader_settings {
    struct db_pool *pool;      /* a connection suffices */
    struct bus *bus;           /* ends after flag_loader_stop and before flag_loader_free; NULL:
                                  only polls */
    struct flag_files *files;  /* NULL: keeps none */
    int64_t poll_ms, stale_ms; /* stale: older than this is reported */
};
struct flag_loader *flag_loader_new(const struct flag_loader_settings *in); /* borrows all */
/* Ends its thread, which publishes; what was read is still there, and the bus may still tell it. */
void flag_loader_stop(struct flag_loader *l);
void flag_loader_free(struct flag_loader *l);                    /* NULL-safe */
void flag_loader_stale(struct flag_loader *l, int64_t stale_ms); /* any thread */
struct snapshots *flag_loader_set(struct flag_loader *l);
/* Looks at once instead of at the next poll: somebody asked for what is not there (yet).  Any
 * thread, never blocks. */
void flag_loader_nudge(struct flag_loader *l);

struct flag_age {
    bool read;        /* the database was asked, successfully, since the start */
    int64_t as_of_us; /* wall clock: what is served was current then; 0: nothing is served */
    int64_t age_ms;
    bool stale;
};
struct flag_age flag_loader_age(struct flag_loader *l); /* any thread */
json_t *flag_loader_stats(struct flag_loader *l);       /* for /api/health/detailed */

/* What is published, in this process only, once a newer snapshot is being served.  Returns text. */
enum { FLAG_SERVED_TOPIC = 144 };
char *flag_served_topic(const char *app, const char *environment, char text[FLAG_SERVED_TOPIC]);
