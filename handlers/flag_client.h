/* handlers/flag_client.h: what the protocols of flag clients share: for whom, of which environment.
 *
 * All of it runs on I/O threads: no database, no waiting. */
#pragma once
#include "flags/evaluate.h"
#include "flags/snapshot.h"
#include "handlers/context.h"
#include "live/flag_loader.h"

/* The flags of the one environment that the caller's key names; released by snapshot_release.
 * Refuses E_FORBIDDEN: the credential names no environment, or one that is gone;
 * E_DATABASE_UNAVAILABLE: they were not read yet. */
MUSTCHECK Status caller_flags(const struct request *q, const struct snapshot **ret,
                              struct reply *r);
static inline void snapshot_release_cleanup(const struct snapshot **s) {
    snapshot_release(*s);
}
enum { FLAG_ANSWER_MAX = 64 << 20, FLAG_CONTEXT_KEYS_MAX = 10000 };
/* What an ETag has to cover besides flags and context: where flags look at the time, the minute. */
long long flag_time_step(const struct snapshot *s);
/* Whether If-None-Match lists this ETag. */
bool caller_has(const struct request *q, const char *etag);
/* A context with nothing but the environment, the time and this thread's source of chance. */
struct flag_context flag_context_of(const struct snapshot *s);
/* Bytes as an answer; takes what is in `out`.  Refuses E_OVERLOADED when that was too much. */
Status answer_bytes(struct reply *r, struct strbuf *out);
