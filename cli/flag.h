/* cli/flag.h: flags: which one is meant, how it reads in lines of text, and what a percentage makes
 * of its strategies. */
#pragma once
#include "cli/args.h"
#include "cli/draw.h"
#include "cli/session.h"

/* Which flag a command names: APP [ENV] FLAG.  Borrowed. */
struct flag_place {
    const char *app, *environment, *flag; /* environment: NULL for the definition */
};
/* `after`: how many operands come after FLAG. */
struct flag_place flag_place(const struct args *a, size_t after);
/* Its path, with `tail` as it is.  Yours. */
char *flag_path(const struct flag_place *p, const char *tail);

/* The JSON object of --file; NULL after a line on stderr. */
json_t *flag_file(const struct args *a);
/* Puts `body` over what is at `path`, if that is still what was read just before: 412 where it is
 * not.  Of a document as `show --json` prints it, what cannot be set is left out, and the revision
 * has to be the current one. */
ExitCode flag_put(struct session *s, const char *path, json_t *body, struct api_answer *ret);
/* Adds to `change` what makes a percentage (and --stickiness) of what the flag is there now. */
ExitCode add_percent(const struct args *a, const char *percent, const json_t *state,
                     json_t *change);
/* Prints the answer of a call about a flag in an environment. */
void flag_print(const struct session *s, const struct api_answer *answer);

/* Lists the newest changes at a path …/history. */
ExitCode flag_changes(struct session *s, const struct args *a, const char *path);
/* Deletes the "flag" or "segment" that APP NAME says. */
ExitCode flag_delete(struct session *s, const struct args *a, const char *what);

/* ---- pure ---- */

/* "on", "off" or "killed". */
const char *flag_word(const json_t *state);
/* Appends for whom strategies are on: "everybody", "25 % by userId (plan IN pro, team)". */
void draw_whom(struct strbuf *b, const json_t *strategies);
/* Appends how often variants were given: "new 12, old 3". */
void draw_counts(struct strbuf *b, const json_t *variants);
/* Appends a flag in an environment, its strategies a line each. */
void draw_flag_state(struct strbuf *b, const json_t *state, const struct look *look);
/* Appends a flag's definition. */
void draw_flag(struct strbuf *b, const json_t *flag, const struct look *look);
/* The strategies with the percentage of flexibleRollout set, or with that strategy added, by
 * `stickiness` (NULL: as it is, otherwise default).  Yours; NULL when several have that name. */
json_t *strategies_at(const json_t *strategies, const char *percent, const char *stickiness);
