/* handlers/answer.h: what handlers share: names in paths, who may see which app, ETags, the rule of
 * PUT, records. */
#pragma once
#include "db/environment.h"
#include "db/record.h"
#include "handlers/context.h"

/* The path value `name`, which has to be a name.  Refuses E_INVALID_PATH, naming the segment. */
MUSTCHECK Status path_name(const struct request *q, const char *name, const char **ret,
                           struct reply *r);
/* The path value {app}: a name, and the principal's.  Refuses E_INVALID_PATH, E_FORBIDDEN. */
MUSTCHECK Status path_app(const struct request *q, const char **ret, struct reply *r);
/* {app} and {env} of the path.  Refuses as path_app and path_name. */
MUSTCHECK Status path_place(const struct request *q, const char **ret_app, const char **ret_env,
                            struct reply *r);
Status environment_missing(struct reply *r, const char *app, const char *name);
/* The environment that {app} and {env} name; *ret is yours, also of a refusal.  Refuses as
 * path_place, and E_NOT_FOUND. */
MUSTCHECK Status path_environment(const struct request *q, struct db_rows **ret, struct reply *r);
/* {app} and {version} of the path; *ret_key: the version without its v, in the request's arena.
 * Refuses as path_app, and E_INVALID_PATH. */
MUSTCHECK Status path_release(const struct request *q, const char **ret_app, const char **ret_key,
                              struct reply *r);
/* The release that {app} and {version} name (db_release_get); *ret is yours, also of a refusal.
 * Refuses as path_release, and E_NOT_FOUND. */
MUSTCHECK Status path_release_row(const struct request *q, struct db_rows **ret, struct reply *r);
Status release_missing(struct reply *r, const char *app, const char *version);
/* Refuses E_FORBIDDEN when the principal's apps do not hold this one. */
MUSTCHECK Status app_allowed(const struct request *q, const char *app, struct reply *r);
Status invalid_path(struct reply *r, const char *name, const char *why);

bool caller_sees_all(const struct request *q);
/* The principal's apps as text[] for a list's query; NULL when it may see all. */
const char *caller_apps(const struct request *q);

/* {kind, subject, issuer} of a stored principal in this order (jsonb has its own); yours. */
json_t *actor_value(const char *text);
/* Replaces what the reply holds (a transaction may run twice); takes body. */
Status answer(struct reply *r, unsigned status, json_t *body);
/* Of a row: changes with each write, and when a name is deleted and made again. */
const char *etag_of(struct arena *a, int64_t revision, int64_t created_us);

/* The rule of PUT: what to do, given what is there. */
enum put_what { PUT_MAKE, PUT_REPLACE, PUT_KEEP /* it is equal */ };
/* etag: of what is there, NULL when nothing is.  Refuses E_PRECONDITION_REQUIRED,
 * E_PRECONDITION_FAILED. */
MUSTCHECK Status put_rule(const struct request *q, const char *etag, bool equal, enum put_what *ret,
                          struct reply *r);
/* DELETE takes If-Match, but does not ask for it. */
MUSTCHECK Status delete_rule(const struct request *q, const char *etag, struct reply *r);

/* Adds {field, code not-supported} to the reply's errors and refuses E_NOT_SUPPORTED. */
Status not_supported(struct reply *r, const char *field, const char *format, ...) PRINTF(3, 4);

/* The body's optional name has to be the path's.  Refuses E_INVALID_BODY. */
MUSTCHECK Status body_name(const char *in_body, const char *in_path, struct reply *r);
/* Copies errors of the domain into the reply.  Refuses E_INVALID_BODY when there are any. */
MUSTCHECK Status refuse_errors(struct reply *r, const json_t *errors);

/* A record by the caller.  message is a printf format; data (taken) may be NULL. */
struct record_about {
    const char *app, *environment, *action, *subject, *deployment_id;
};
MUSTCHECK Status record_by_caller(const struct request *q, struct db_tx *tx,
                                  const struct record_about *about, json_t *data,
                                  const char *format, ...) PRINTF(5, 6);

/* Tells parked requests and event streams that something about topic changed: an environment's id,
 * or an app's name. After the commit. */
void announce(const struct request *q, const char *topic);
/* A key is somebody's, but not somebody: with one of their own a single person would be two.
 * `what`: they alone do, "break the glass".  Refuses E_FORBIDDEN. */
MUSTCHECK Status only_people(const struct request *q, const char *what, struct reply *r);
/* Whether a stored principal is who calls now. */
bool is_caller(const struct request *q, const char *actor);
/* Clusters and checklist templates belong to every app: writing one needs a credential that reaches
 * all.  Refuses E_FORBIDDEN. */
MUSTCHECK Status all_apps_allowed(const struct request *q, struct reply *r);
/* A list of nothing is no answer to a misspelt app.  Refuses E_NOT_FOUND. */
MUSTCHECK Status app_exists(const struct request *q, const char *app, struct reply *r);

/* The query value `name`, one of words (ended by NULL); *ret NULL where it is not given.  Refuses
 * E_INVALID_QUERY, saying which there are. */
MUSTCHECK Status query_word(const struct request *q, const char *name, const char *const *words,
                            const char **ret, struct reply *r);
/* request_page of a list whose positions are ids. */
MUSTCHECK Status page_of_ids(const struct request *q, struct page *ret, struct reply *r);
/* Lists ask for one row more than the page holds: how many to answer, and the position of the last
 * one (its column `position`, borrowed from the rows) when there are more, else NULL. */
size_t page_rows(const struct page *page, const struct db_rows *rows);
const char *page_next(const struct page *page, const struct db_rows *rows, const char *position);
