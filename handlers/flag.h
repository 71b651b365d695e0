/* handlers/flag.h: what the handlers of flags and segments share. */
#pragma once
#include "db/flag.h"
#include "handlers/context.h"
#include "worker/flag_change.h"

struct body_schema;

/* What a body says, or what is stored, with its keys in the schema's order and without nulls, all
 * the way down (jsonb has an order of its own); yours. */
json_t *flag_form(const struct body_schema *schema, const json_t *v);
/* {description, type, value_type, impression_data, variants, dependencies, stale_after} with every
 * default, of a FlagInput; yours. */
json_t *flag_spec(const json_t *in);
/* {description, constraints} of a SegmentInput; yours. */
json_t *segment_spec(const json_t *in);
/* What a schedule or a deployment sets of a flag: {enabled?, strategies?, default_variant?}. */
extern const struct body_schema flag_change_schema;
/* What a request sets: that, and killed; what is null is to be none.  Of a stored one the same.
 * Yours. */
json_t *flag_request_set(const json_t *in);
/* {enabled, killed, strategies, default_variant} of a FlagStateInput; yours. */
json_t *flag_state_spec(const json_t *in, bool killed);

/* {flag} or {segment} of the path: a name of a flag, which may hold capitals, '.', '_' and '~',
 * too.  Refuses E_INVALID_PATH. */
MUSTCHECK Status path_flag(const struct request *q, const char *name, const char **ret,
                           struct reply *r);
const char *kind_word(FlagKind kind); /* flag, segment */
Status flag_missing(struct reply *r, FlagKind kind, const char *app, const char *name);

/* What the flag of {app}, {env} and {flag} of the path is there (db_flag_state); *ret is yours,
 * also of a refusal.  Refuses as path_place and path_flag, and E_NOT_FOUND. */
MUSTCHECK Status path_flag_state(const struct request *q, struct db_rows **ret, struct reply *r);

/* A change by the caller. */
struct flag_change caller_change(const struct request *q, const char *app, const char *environment,
                                 const char *reason);
/* flag_change_begin, whose refusal it explains. */
MUSTCHECK Status begin_change(struct db_tx *tx, struct flag_change *c, struct reply *r);
/* Says of E_APPROVAL_REQUIRED, which any change may be refused with, who asks for it; passes every
 * status on. */
Status explain_approval(struct db_tx *tx, const struct flag_change *c, Status s, struct reply *r);
/* After the commit. */
void announce_flags(const struct request *q, const char *app, const char *environment);

/* A put of the definition of a flag, or of a segment, in a transaction: what PUT and restore do. */
struct flag_put {
    struct request *q;
    struct reply *r;
    FlagKind kind;
    const char *name, *action; /* action: of the record */
    json_t *spec;
    struct flag_change change;
};
/* Whatever the ETag of `there` (what is there). Answers, and notes it. */
MUSTCHECK Status flag_put_in(struct db_tx *tx, const struct flag_put *w,
                             const struct db_rows *there);
const char *flag_etag(const struct request *q, const struct db_rows *rows, FlagKind kind);

/* A change of what a flag is in an environment: {app}, {env} and {flag} of the path. */
struct flag_state_change {
    struct request *q;
    struct reply *r;
    const char *flag;
    struct flag_change change;
    struct db_rows *rows;        /* owned */
    struct flag_state_row there; /* borrowed from rows */
};
/* Refuses as path_place and path_flag. */
MUSTCHECK Status flag_state_path(struct flag_state_change *w, const char *reason);
/* In a transaction: begins the change and reads what is there.  Refuses E_NOT_FOUND. */
MUSTCHECK Status flag_state_begin(struct db_tx *tx, struct flag_state_change *w);
/* In the transaction: answers, stores and notes it.  Refuses E_INVALID_BODY. */
MUSTCHECK Status flag_state_end(struct db_tx *tx, struct flag_state_change *w, json_t *state,
                                const char *action, const char *done);
/* Runs fn (with w) as a transaction, tells whoever serves flags, and frees what w owns. */
MUSTCHECK Status flag_state_run(struct flag_state_change *w, db_tx_fn *fn);
/* NULL: nobody said anything about it there. */
const char *flag_state_etag(const struct request *q, const struct flag_state_row *row);
