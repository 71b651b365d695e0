/* db/session.h: the session that says that this replica is alive.
 *
 * One connection of its own holds the session-level advisory lock (1397510483, number).  Whoever
 * finds that lock free knows that the replica with that number is dead and may take its leases at
 * once (design.md §3, Lease).  When the connection is lost, so is the number: the next one is new,
 * and leases held under the old one are no longer ours. */
#pragma once
#include <stdint.h>

/* Says the number after each change: 0 when it was lost.  Runs on the session's thread: must not
 * block long. */
typedef void db_replica_fn(void *ctx, int64_t number);

struct db_replica;
/* Starts the session's thread, which connects, and connects again, by itself.  changed may be NULL.
 */
struct db_replica *db_replica_open(const char *url, db_replica_fn *changed, void *ctx);
int64_t
db_replica_number(const struct db_replica *r); /* 0 while there is none; any thread, never blocks */
/* Waits at most ms for a number; returns it, or 0. */
int64_t db_replica_wait(struct db_replica *r, int ms);
void db_replica_close(struct db_replica *r); /* ends the session, which frees the lock; NULL-safe */
