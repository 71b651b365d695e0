/* cli/draw.h: a deployment in lines of text: pure, so that a test can look at them. */
#pragma once
#include "base/json.h"
#include "base/strbuf.h"

enum { DRAW_MOST = 1 << 18 };

struct look {
    size_t width, rows; /* of the terminal; rows 0: as many as there are */
    bool terminal, color, utf8;
    unsigned frame; /* of the spinner */
    int64_t now_us;
};

/* Appends the mark of a state (of a step, of a checklist's item, of a flag): ✓, ✗, … */
void draw_mark(struct strbuf *b, const char *state, const struct look *look);
/* Appends a line that stands out. */
void draw_heading(struct strbuf *b, const char *text, const struct look *look);

/* Whether a state is final, or stuck: nothing moves any more by itself. */
bool state_is_over(const char *state);
/* "pending" or "rejected" of a deployment that succeeded and was not rolled back, else NULL. */
const char *acceptance_open(const json_t *d);

/* Appends the deployment: a head line, its steps, and how it ended or stands.  Lines end with a
 * newline. */
void draw_deployment(struct strbuf *b, const json_t *deployment, const struct look *look);
/* Appends the deployment as one line, with names and versions in columns of these widths. */
void draw_line(struct strbuf *b, const json_t *deployment, size_t names, size_t versions,
               const struct look *look);
/* "inopnc/production".  Yours. */
char *draw_place(const json_t *deployment);
/* Appends plain lines for what differs between two readings (`before` NULL: everything but pending
 * steps). */
void draw_changes(struct strbuf *b, const json_t *before, const json_t *now);
/* Appends how a deployment that is over ended, in sentences: what serves, or the reason and the
 * hint. */
void draw_outcome(struct strbuf *b, const json_t *deployment, const struct look *look);
/* Appends "  sluice retry ID  # what it does", a line that may be pasted; without the words where
 * they do not fit. */
void draw_way(struct strbuf *b, const char *command, const char *what, const struct look *look);
/* Appends what a person may do now with a deployment that is blocked, paused or stuck, or where it
 * goes on when it was rolled back: a command a line.  Nothing for others. */
void draw_next(struct strbuf *b, const json_t *deployment, const struct look *look);
/* Why a deployment that is blocked, paused or undoing stands there, as a sentence; NULL for others.
 * Yours.
 */
char *draw_standing(const json_t *deployment);
/* Borrowed, or NULL. */
const json_t *step_named(const json_t *deployment, const char *name);
/* Appends the rollback that took a deployment over: by whom, why, how it stands. */
void draw_taken_over(struct strbuf *b, const json_t *rollback, const struct look *look);
/* Appends what a confirmed rollback (or traffic) says, `waited_us` after it was asked for with that
 * reason (NULL: none); and how to go on, unless it is `followed`. */
void draw_moved(struct strbuf *b, const json_t *deployment, const char *reason, int64_t waited_us,
                bool followed, const struct look *look);
/* Appends `text` in lines of at most the terminal's width, each after `indent` spaces. */
void draw_wrapped(struct strbuf *b, const char *text, size_t indent, const struct look *look);
/* "v1.2.3 (green) serves inopnc/production"; `version` where the side names none.  Yours. */
char *draw_serves(const json_t *deployment, const json_t *side, const char *version);
/* Appends "ann", who asked for it. */
void draw_asked_by(struct strbuf *b, const json_t *deployment);
/* Appends what a confirmed abort says while the rest of the deployment is still being undone. */
void draw_confirmed(struct strbuf *b, const json_t *deployment);
/* Appends one record as a line. */
void draw_record(struct strbuf *b, const json_t *record);
