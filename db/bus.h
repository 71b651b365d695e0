/* db/bus.h: "something about TOPIC changed", within the process at once and between replicas by
 * LISTEN and NOTIFY.
 *
 * One listener and one notifier thread per process (design.md §3, Threads): NOTIFY takes a
 * database-wide lock at commit, so it is sent only here, coalesced, never inside anybody's
 * transaction.  A lost message costs only the poll floor. */
#pragma once
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* topic: an environment's id, "APP/ENV" … as published; NULL: anything may have changed (the
 * listener was reconnected). Runs on the publisher's or the listener's thread: must not block nor
 * publish. */
typedef void bus_fn(void *ctx, const char *topic);

struct bus;
struct bus *
bus_new(const char *database_url); /* starts both threads; works without a database, locally */
void bus_subscribe(struct bus *b, bus_fn *fn, void *ctx); /* before the first publish */
void bus_publish(struct bus *b,
                 const char *topic); /* after the commit; topic at most 200 bytes; any thread */
/* To this process's subscribers only. */
void bus_publish_here(struct bus *b, const char *topic);
/* Whether what others publish arrives: LISTEN holds, as far as is known, and what was missed before
 * was told.  Any thread. */
bool bus_hears(const struct bus *b);
/* The hash of a topic, never 0; 0 for NULL. */
uint64_t topic_hash(const char *topic);
/* How many publications there were, of others too.  It grows after the commit that is told, and
 * before a subscriber is told: who looks at the database after he read it sees what was published
 * until then. */
uint64_t bus_published(const struct bus *b);
void bus_free(struct bus *b); /* sends what is pending (at most 1 s), ends the threads */
