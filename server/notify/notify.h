/* notify/notify.h: what leaves the server by itself: signed checkpoints of the record chains, into
 * a directory and to a receiver (docs/audit.md).
 *
 * Any number of servers: one of them makes each checkpoint, one at a time sends, each keeps a
 * directory of its own.  Every task has a thread, so that none holds up another, nor a request or
 * a tick. */
#pragma once
#include "base/json.h"
#include "base/note.h"

struct db_pool;
struct notify_settings {
    struct db_pool *pool;       /* borrowed; a connection suffices */
    const char *key_pem, *name; /* Ed25519, and what the key is called; key NULL: makes none */
    int64_t every_s, every_records;
    const char *dir; /* NULL: writes no files */
    const char *url; /* NULL: sends none */
    const char *outbound_allow;
    int64_t poll_ms; /* how often it looks for what other servers made */
};

struct notify;
struct notify *notify_new(const struct notify_settings *in); /* texts borrowed; starts nothing */
void notify_begin(struct notify *n); /* once the schema is known to be ours */
void notify_free(struct notify *n);  /* ends calls under way; NULL-safe */
/* Of this server's tasks: {make, keep, send: null (not configured) | {ok, error, number}}. */
json_t *notify_stats(struct notify *n);
