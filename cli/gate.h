/* cli/gate.h: gates in lines of text: why they are closed, who can change that, and what a fact
 * that was just stored has changed.  Pure, so that a test can look at it. */
#pragma once
#include "cli/draw.h"

/* What is asked about: a release that is to go to an environment. */
struct gate_place {
    const char *app, *environment, *version;
};

/* Appends each blocker: what, why, who can clear it, when it opens by itself. */
void draw_blockers(struct strbuf *b, const json_t *blockers, const struct look *look);
/* Appends the commands that clear them, one a line. */
void draw_blocker_ways(struct strbuf *b, const json_t *blockers, const struct gate_place *place,
                       const struct look *look);
/* Appends the answer of …/blockers: open, or all of the above. */
void draw_verdict(struct strbuf *b, const json_t *verdict, const struct gate_place *place,
                  const struct look *look);
/* Appends what storing a fact has changed: the gate is open, still closed, or it came too late. */
void draw_effect(struct strbuf *b, const json_t *answer, const struct gate_place *place,
                 const struct look *look);
/* Appends "2026-11-24 18:00:00, in 2 h 10 min", or "…, 5 min 00 s ago". */
void draw_when(struct strbuf *b, const char *rfc3339, const struct look *look);

/* Appends a checklist, its items under their groups. */
void draw_checklist(struct strbuf *b, const json_t *checklist, const struct look *look);
/* Appends an item by itself, as a PUT answers it. */
void draw_item(struct strbuf *b, const json_t *item, const struct look *look);
