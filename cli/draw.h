/* cli/draw.h: a deployment in lines of text: pure, so that a test can look at them. */
#pragma once
#include "base/json.h"
#include "base/strbuf.h"

enum { DRAW_MOST = 1 << 18 };

struct look {
    size_t width, rows; /* of the terminal; rows 0: as many as there are */
    bool color, utf8;
    unsigned frame; /* of the spinner */
    int64_t now_us;
};

/* Whether a state is final, or stuck: nothing moves any more by itself. */
bool state_is_over(const char *state);

/* Appends the deployment: a head line, its steps, and how it ended or stands.  Lines end with a
 * newline. */
void draw_deployment(struct strbuf *b, const json_t *deployment, const struct look *look);
/* Appends plain lines for what differs between two readings (`before` NULL: everything but pending
 * steps). */
void draw_changes(struct strbuf *b, const json_t *before, const json_t *now);
/* Appends how a deployment that is over ended, in sentences: what serves, or the reason and the
 * hint. */
void draw_outcome(struct strbuf *b, const json_t *deployment, const struct look *look);
/* Appends what a confirmed abort says while the rest of the deployment is still being undone. */
void draw_confirmed(struct strbuf *b, const json_t *deployment);
/* Appends one record as a line. */
void draw_record(struct strbuf *b, const json_t *record);
