/* db/flag.h: flags, what they are in environments, segments, and their history.  Rows are the
 * caller's to free; the texts of a struct are borrowed from them.
 *
 * Whoever changes something takes db_flag_lock first and ends with db_flag_change (worker/
 * flag_change.h does), and publishes flag_topic() after the commit. */
#pragma once
#include "base/ids.h"
#include "db/db.h"

/* Both belong to an app, have a name and a spec, and are written alike. */
typedef enum FlagKind { FLAG_DEFINITION, FLAG_SEGMENT } FlagKind;
struct flag_row {
    const char *name, *spec; /* spec: JSON text */
    bool stale;              /* of a flag: its stale_after is over */
    int64_t revision, created_us, updated_us;
};
struct flag_row flag_row(const struct db_rows *rows, size_t i, FlagKind kind);

/* What a flag is in an environment. */
struct flag_state_row {
    const char *environment_id; /* NULL: there is no such environment */
    const char *flag;           /* NULL: there is no such flag */
    const char *definition;     /* the flag's spec */
    const char *spec;           /* {strategies, default_variant}; NULL as long as revision is 0 */
    bool stale, enabled, killed;
    int64_t revision; /* 0: nobody said anything about it there */
    int64_t created_us, updated_us;
};
struct flag_state_row flag_state_row(const struct db_rows *rows, size_t i);

/* Others who would change flags or segments of the app wait until the transaction ends.
 * *ret_revision: of the last change so far.  Refuses E_NOT_FOUND: no such app; E_OVERLOADED: others
 * had it for wait_ms (0: as long as any statement may take, which is a fault then; else the app is
 * known to be there). */
MUSTCHECK Status db_flag_lock(struct db_tx *tx, const char *app, int wait_ms,
                              int64_t *ret_revision);

/* No row: there is none of this name. */
MUSTCHECK Status db_flag_get(struct db_pool *p, FlagKind kind, const char *app, const char *name,
                             struct db_rows **ret);
MUSTCHECK Status db_flag_get_in(struct db_tx *tx, FlagKind kind, const char *app, const char *name,
                                struct db_rows **ret);
/* By name, after the name `after` (NULL: from the first).  stale: "true", "false" or NULL (all). */
MUSTCHECK Status db_flag_list(struct db_pool *p, const char *app, const char *stale,
                              const char *after, int64_t limit, struct db_rows **ret);
MUSTCHECK Status db_segment_list(struct db_pool *p, const char *app, const char *after,
                                 int64_t limit, struct db_rows **ret);
/* How many of this kind the app has. */
MUSTCHECK Status db_flag_count(struct db_tx *tx, FlagKind kind, const char *app, int64_t *ret);
MUSTCHECK Status db_flag_put(struct db_tx *tx, FlagKind kind, const char *app, const char *name,
                             const char *spec, int64_t revision, struct db_rows **ret);
MUSTCHECK Status db_flag_delete(struct db_tx *tx, FlagKind kind, const char *app, const char *name);
/* What is wrong between a flag with this spec and what there is.  Columns: field, code, name. */
MUSTCHECK Status db_flag_conflicts(struct db_tx *tx, const char *app, const char *name,
                                   const char *spec, struct db_rows **ret);
/* What keeps one from being deleted, by name (at most 200).  Columns: flag; of a segment also
 * environment. */
MUSTCHECK Status db_flag_users(struct db_tx *tx, FlagKind kind, const char *app, const char *name,
                               struct db_rows **ret);
/* Segments that strategies (JSON text) name and that are not there.  Columns: field, name. */
MUSTCHECK Status db_segment_missing(struct db_tx *tx, const char *app, const char *strategies,
                                    struct db_rows **ret);

/* Always one row. */
MUSTCHECK Status db_flag_state(struct db_pool *p, const char *app, const char *environment,
                               const char *flag, struct db_rows **ret);
MUSTCHECK Status db_flag_state_in(struct db_tx *tx, const char *app, const char *environment,
                                  const char *flag, struct db_rows **ret);
/* Of all flags of the app, by name. */
MUSTCHECK Status db_flag_states(struct db_pool *p, const char *environment_id, const char *app,
                                const char *after, int64_t limit, struct db_rows **ret);
/* row: environment_id, flag, spec, enabled, killed, revision; its times are set. */
MUSTCHECK Status db_flag_state_put(struct db_tx *tx, const char *app, struct flag_state_row *row);

struct flag_change_row {
    const char *app, *kind, *name; /* kind: flag, environment, segment */
    const char *environment;       /* of kind environment; else NULL */
    const char *action, *source, *by, *reason;
    int64_t revision, before; /* before 0: there was nothing */
    const char *after;        /* JSON text; NULL: deleted */
};
MUSTCHECK Status db_flag_change(struct db_tx *tx, const struct flag_change_row *row);

struct flag_history {
    const char *app, *kind, *name; /* kind: flag, segment */
    const char *environment;       /* NULL: of a flag, all of them */
};
/* Newest first, after the position `after` (column `position`; NULL: from the newest).  Refuses
 * E_INVALID_QUERY when it is no position.  Columns: position, revision, kind, environment, action,
 * source, by, reason, before, after, at. */
MUSTCHECK Status db_flag_history(struct db_pool *p, const struct flag_history *of,
                                 const char *after, int64_t limit, struct db_rows **ret);
/* What it was as of a revision of the app (environment NULL: the definition, or the segment).
 * Column: after, null: it was deleted.  No row: there was none, or there is no such revision. */
MUSTCHECK Status db_flag_as_of(struct db_tx *tx, const struct flag_history *of, int64_t revision,
                               struct db_rows **ret);

/* Everything that an environment serves, in one query, in the form of flags/model.h.  Columns:
 * environment_id, revision, document.  The same environment_id with the same revision is the same
 * document, but for `stale`, which time changes.  No row: there is no such environment. */
MUSTCHECK Status db_flag_document(struct db_pool *p, const char *app, const char *environment,
                                  struct db_rows **ret);
/* How far all environments are.  Columns: app, environment, environment_id, revision. */
MUSTCHECK Status db_flag_revisions(struct db_pool *p, struct db_rows **ret);

/* Two environments of an app. */
struct flag_places {
    char from_id[UUID_TEXT], to_id[UUID_TEXT]; /* "": there is none */
    int64_t from_revision, to_revision;
};
MUSTCHECK Status db_flag_places(struct db_pool *p, const char *app, const char *from,
                                const char *to, struct flag_places *ret);
MUSTCHECK Status db_flag_places_in(struct db_tx *tx, const char *app, const char *from,
                                   const char *to, struct flag_places *ret);
/* What would be another thing in the second if it were there what it is in the first (flag_diff,
 * migration 0012), by name.  Columns: flag, before, after. */
MUSTCHECK Status db_flag_diff(struct db_pool *p, const char *app, const struct flag_places *places,
                              const char *after, int64_t limit, struct db_rows **ret);
/* The same, names only (column flag).  flags (text[]): only these; NULL: all. */
MUSTCHECK Status db_flag_diff_in(struct db_tx *tx, const char *app,
                                 const struct flag_places *places, const char *flags,
                                 struct db_rows **ret);
/* Which of flags (text[]) there are not.  Columns: field, name. */
MUSTCHECK Status db_flag_unknown(struct db_tx *tx, const char *app, const char *flags,
                                 struct db_rows **ret);
struct flag_promotion {
    const char *app, *environment; /* to */
    const struct flag_places *places;
    const char *flags; /* text[]; NULL: all that differ */
    const char *by, *reason;
    int64_t revision;
};
/* With the history; *ret: flag, of each that was changed.  Refuses E_APPROVAL_REQUIRED. */
MUSTCHECK Status db_flag_promote(struct db_tx *tx, const struct flag_promotion *in,
                                 struct db_rows **ret);

/* All that is said about an environment's flags, in the form of flags/model.h; a flag that nobody
 * spoke of there has no `enabled`.  Columns: environment_id, revision, head (of the app's last
 * change), document.  No row: there is no such environment. */
MUSTCHECK Status db_flag_everything(struct db_pool *p, const char *app, const char *environment,
                                    struct db_rows **ret);
struct flag_import {
    const char *app, *environment, *environment_id;
    const char *changes; /* [{kind, name, after}] as flag_change_row has them */
    const char *by, *reason;
    int64_t revision;
};
/* With the history. */
MUSTCHECK Status db_flag_import(struct db_tx *tx, const struct flag_import *in);
/* What is then wrong between these flags (text[]) and others: code conflict, where flag `one`
 * depends on `other`, which depends on others itself; in-use, where environment `one` falls back on
 * the variant `other` that is gone.  Columns: flag (which of these), code, one, other. */
MUSTCHECK Status db_flag_import_conflicts(struct db_tx *tx, const char *app, const char *flags,
                                          struct db_rows **ret);

/* What the bus (db/bus.h) says after a change: "flags:APP/ENV", or "flags:APP" where it concerns
 * every environment of the app.  Returns text. */
enum { FLAG_TOPIC = 136 };
char *flag_topic(const char *app, const char *environment, char text[FLAG_TOPIC]);
