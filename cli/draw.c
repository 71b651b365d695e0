#include "cli/draw.h"
#include "base/clock.h"
#include "cli/gate.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

enum {
    NAME_LEAST = 12,
    TIME_COLUMNS = 11,
    HINT_INDENT = 4,
    STATE_COLUMNS = 36,
    AROUND = 6,
    STATE_WORD = 11
};

static const char bold[] = "\033[1m", dim[] = "\033[2m", red[] = "\033[31m", green[] = "\033[32m",
                  yellow[] = "\033[33m", cyan[] = "\033[36m", reset[] = "\033[0m";

static const struct mark {
    const char *state, *utf8, *ascii, *color;
} marks[] = {
    {"pending", "·", ".", dim},   {"waiting", NULL, NULL, cyan}, {"running", NULL, NULL, cyan},
    {"done", "✓", "+", green},    {"failed", "✗", "x", red},     {"undone", "↶", "<", yellow},
    {"skipped", "–", "-", dim},   {"open", "·", ".", dim},       {"passed", "✓", "+", green},
    {"waived", "~", "~", yellow}, {"expired", "!", "!", yellow}, {"on", "✓", "+", green},
    {"off", "·", ".", dim},       {"killed", "✗", "x", red},
};

bool state_is_over(const char *state) {
    static const char *const over[] = {"succeeded",   "failed",   "aborted",
                                       "rolled_back", "canceled", "stuck"};

    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
        if (strcmp(state, over[i]) == 0)
            return true;
    }
    return false;
}

const char *acceptance_open(const json_t *d) {
    const char *said = json_str(d, "acceptance", "");

    if (strcmp(json_str(d, "state", ""), "succeeded") != 0 || json_str(d, "rolled_back_by", NULL))
        return NULL;
    return strcmp(said, "pending") == 0    ? "pending"
           : strcmp(said, "rejected") == 0 ? "rejected"
                                           : NULL;
}

static void painted(struct strbuf *b, const struct look *look, const char *color,
                    const char *text) {
    if (look->color)
        strbuf_adds(b, color);
    text_add_clean(b, text);
    if (look->color)
        strbuf_adds(b, reset);
}

static const struct mark *mark_of(const char *state) {
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strcmp(marks[i].state, state) == 0)
            return &marks[i];
    }
    return &marks[0];
}

void draw_mark(struct strbuf *b, const char *state, const struct look *look) {
    static const char *const turning[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    static const char *const plain[] = {"|", "/", "-", "\\"};
    const struct mark *mark = mark_of(state);
    const char *sign = look->utf8 ? mark->utf8 : mark->ascii;

    if (!sign)
        sign = look->utf8 ? turning[look->frame % 10] : plain[look->frame % 4];
    painted(b, look, mark->color, sign);
}

void draw_heading(struct strbuf *b, const char *text, const struct look *look) {
    painted(b, look, bold, text);
    strbuf_adds(b, "\n");
}

/* How long a step or a deployment took, or has taken so far; -1 before its start. */
static int64_t took_us(const json_t *v, int64_t now_us) {
    int64_t start = text_time(json_str(v, "started_at", NULL));
    int64_t end = text_time(json_str(v, "ended_at", NULL));

    if (!start)
        return -1;
    return (end ? end : now_us > start ? now_us : start) - start;
}

static size_t names_width(const json_t *steps) {
    size_t width = NAME_LEAST, i, w;
    const json_t *step;

    json_array_foreach(steps, i, step) {
        w = text_width(json_str(step, "name", ""));
        width = w > width ? w : width;
    }
    return width;
}

static void draw_step(struct strbuf *b, const json_t *step, size_t names, const struct look *look) {
    const char *state = json_str(step, "state", "pending"), *detail = json_str(step, "detail", "");
    const char *text = *detail ? detail : json_str(step, "title", "");
    size_t used = 4 + names + 2 + TIME_COLUMNS + 2;
    int64_t us = took_us(step, look->now_us);
    bool pending = strcmp(state, "pending") == 0;
    char duration[DURATION_TEXT] = "";

    strbuf_adds(b, "  ");
    draw_mark(b, state, look);
    strbuf_adds(b, " ");
    if (pending && look->color)
        strbuf_adds(b, dim);
    text_add_fitted(b, json_str(step, "name", "?"), names, true);
    if (us >= 0)
        text_duration(us, duration);
    strbuf_addf(b, "  %*s", TIME_COLUMNS, duration);
    if (look->width > used + 8 && *text) {
        strbuf_adds(b, "  ");
        if (look->color && !pending)
            strbuf_adds(b, strcmp(state, "failed") == 0 ? red : dim);
        text_add_fitted(b, text, look->width - used - 1, false);
    }
    if (look->color)
        strbuf_adds(b, reset);
    strbuf_adds(b, "\n");
}

/* "v1.2.2 (blue)" */
static void add_side(struct strbuf *b, const json_t *side, const char *version) {
    text_add_clean(b, json_str(side, "version", version));
    if (json_str(side, "color", NULL)) {
        strbuf_adds(b, " (");
        text_add_clean(b, json_str(side, "color", ""));
        strbuf_adds(b, ")");
    }
}

static void add_place(struct strbuf *b, const json_t *d) {
    text_add_clean(b, json_str(d, "app", "?"));
    strbuf_adds(b, "/");
    text_add_clean(b, json_str(d, "environment", "?"));
}

static void add_head(struct strbuf *b, const json_t *d, const struct look *look) {
    struct strbuf line = STRBUF(DRAW_MOST);
    const json_t *from = json_object_get(d, "from");
    const char *kind = json_str(d, "kind", "deploy");

    add_place(&line, d);
    strbuf_adds(&line, ": ");
    if (json_is_object(from)) {
        add_side(&line, from, "?");
        strbuf_adds(&line, look->utf8 ? " → " : " -> ");
    }
    add_side(&line, json_object_get(d, "to"), json_str(d, "version", "?"));
    strbuf_adds(&line, ", ");
    text_add_clean(&line, strcmp(kind, "deploy") ? kind : json_str(d, "strategy", kind));
    strbuf_adds(&line, "  ");
    text_add_clean(&line, json_str(d, "id", ""));
    if (look->color)
        strbuf_adds(b, bold);
    text_add_fitted(b, line.data, look->width - 1, false);
    if (look->color)
        strbuf_adds(b, reset);
    strbuf_adds(b, "\n");
    strbuf_done(&line);
}

void draw_wrapped(struct strbuf *b, const char *text, size_t indent, const struct look *look) {
    size_t room = look->width > indent + 20 ? look->width - indent - 1 : 20, used = 0, width;
    struct strbuf clean = STRBUF(DRAW_MOST);
    char *word, *rest;

    text_add_clean(&clean, text);
    for (word = strtok_r(clean.data, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        width = text_width(word);
        if (used && used + 1 + width > room) {
            strbuf_adds(b, "\n");
            used = 0;
        }
        if (used)
            strbuf_adds(b, " ");
        else
            strbuf_addf(b, "%*s", (int)indent, "");
        used += (used ? 1 : 0) + width;
        strbuf_adds(b, word);
    }
    strbuf_adds(b, "\n");
    strbuf_done(&clean);
}

static void add_state(struct strbuf *b, const json_t *d, const char *color,
                      const struct look *look) {
    int64_t us = took_us(d, look->now_us);
    char duration[DURATION_TEXT];

    painted(b, look, color, json_str(d, "state", "?"));
    if (us >= 0)
        strbuf_addf(b, " after %s", text_duration(us, duration));
}

char *draw_serves(const json_t *d, const json_t *side, const char *version) {
    struct strbuf b = STRBUF(DRAW_MOST);

    add_side(&b, side, version);
    strbuf_adds(&b, " serves ");
    add_place(&b, d);
    return strbuf_take(&b);
}

/* Goes on in this line, of which `used` columns are used, or in lines of their own. */
static void add_sentence(struct strbuf *b, const char *text, size_t used, const struct look *look) {
    if (used + 2 + text_width(text) < look->width) {
        strbuf_adds(b, ": ");
        text_add_clean(b, text);
        strbuf_adds(b, "\n");
    } else {
        strbuf_adds(b, "\n");
        draw_wrapped(b, text, HINT_INDENT, look);
    }
}

static void add_failure(struct strbuf *b, const json_t *failure, const struct look *look) {
    if (json_str(failure, "detail", NULL))
        draw_wrapped(b, json_str(failure, "detail", ""), HINT_INDENT, look);
    if (json_str(failure, "hint", NULL)) {
        draw_heading(b, "    What to do:", look);
        draw_wrapped(b, json_str(failure, "hint", ""), HINT_INDENT, look);
    }
}

/* What serves after a deployment that was undone. */
static void add_undone(struct strbuf *b, const json_t *d, const struct look *look) {
    const char *state = json_str(d, "state", "?");
    const json_t *from = json_object_get(d, "from");
    char *text = NULL;

    if (json_is_object(from) && (strcmp(state, "failed") == 0 || strcmp(state, "aborted") == 0))
        text = draw_serves(d, from, "the version before");
    if (text)
        draw_wrapped(b, text, HINT_INDENT, look);
    free(text);
}

void draw_confirmed(struct strbuf *b, const json_t *d) {
    const json_t *from = json_object_get(d, "from");
    char *text = json_is_object(from) ? draw_serves(d, from, "the version before") : NULL;

    strbuf_addf(b, "confirmed: %s; the rest is being undone\n",
                text ? text : "nothing of it serves");
    free(text);
}

void draw_outcome(struct strbuf *b, const json_t *d, const struct look *look) {
    bool good = strcmp(json_str(d, "state", "?"), "succeeded") == 0;
    const json_t *failure = json_object_get(d, "failure");
    char *text = NULL;

    strbuf_adds(b, look->utf8 ? good ? "✓ " : "✗ " : "");
    add_state(b, d, good ? green : red, look);
    if (good && json_str(d, "rolled_back_by", NULL))
        text = xstrdup("it served until it was rolled back");
    else if (good)
        text = draw_serves(d, json_object_get(d, "to"), json_str(d, "version", "?"));
    else if (json_str(failure, "code", NULL))
        text = xstrdup(json_str(failure, "code", NULL));
    if (text)
        add_sentence(b, text, STATE_COLUMNS, look);
    else
        strbuf_adds(b, "\n");
    free(text);
    if (!good) {
        add_failure(b, failure, look);
        add_undone(b, d, look);
    }
    draw_next(b, d, look);
}

/* Ends the line of a state that is not over: why it stands there, and the commands that move it. */
static void add_standing(struct strbuf *b, const json_t *d, const struct look *look) {
    char *why = draw_standing(d);

    if (why)
        add_sentence(b, why, STATE_COLUMNS, look);
    else
        strbuf_adds(b, "\n");
    free(why);
    draw_blockers(b, json_object_get(d, "blockers"), look);
    draw_next(b, d, look);
}

/* The steps to leave out at the top so that the rest fits: what has happened scrolls away first. */
static size_t first_step(const json_t *steps, const struct look *look) {
    size_t n = json_array_size(steps), room = look->rows > AROUND ? look->rows - AROUND : 1,
           last = 0;
    const json_t *step;
    size_t i;

    if (look->rows == 0 || n <= room)
        return 0;
    json_array_foreach(steps, i, step) {
        if (strcmp(json_str(step, "state", ""), "pending") != 0)
            last = i;
    }
    return last + 1 > room ? last + 1 - room : 0;
}

void draw_deployment(struct strbuf *b, const json_t *d, const struct look *look) {
    const json_t *steps = json_object_get(d, "steps"), *step;
    const char *state = json_str(d, "state", "?");
    size_t names = names_width(steps), first = first_step(steps, look), i, shown = 0;
    size_t room = look->rows > AROUND ? look->rows - AROUND : 1;

    add_head(b, d, look);
    json_array_foreach(steps, i, step) {
        if (i < first || (look->rows && shown == room))
            continue;
        draw_step(b, step, names, look);
        shown++;
    }
    if (state_is_over(state)) {
        draw_outcome(b, d, look);
    } else {
        add_state(b, d, strcmp(state, "running") == 0 ? cyan : yellow, look);
        add_standing(b, d, look);
    }
}

char *draw_place(const json_t *d) {
    struct strbuf b = STRBUF(DRAW_MOST);

    add_place(&b, d);
    return strbuf_take(&b);
}

/* The mark of a step whose state means the same. */
static const char *state_like(const char *state) {
    static const char *const like[][2] = {{"succeeded", "done"},   {"running", "running"},
                                          {"undoing", "running"},  {"failed", "failed"},
                                          {"stuck", "failed"},     {"aborted", "undone"},
                                          {"canceled", "skipped"}, {"rolled_back", "undone"}};

    for (size_t i = 0; i < sizeof(like) / sizeof(like[0]); i++) {
        if (strcmp(like[i][0], state) == 0)
            return like[i][1];
    }
    return "pending";
}

/* What there is to say in the rest of a line: the step it is at, why it stands, or how it ended. */
static void add_saying(struct strbuf *b, const json_t *d) {
    const char *state = json_str(d, "state", "?"), *at = json_str(d, "current_step", NULL);
    const json_t *failure = json_object_get(d, "failure");
    char *why = state_is_over(state) ? NULL : draw_standing(d);

    if (why)
        strbuf_adds(b, why);
    else if (state_is_over(state))
        strbuf_adds(b, json_str(failure, "detail", json_str(failure, "code", "")));
    else if (at)
        strbuf_addf(b, "%s: %s", at, json_str(step_named(d, at), "detail", ""));
    free(why);
}

void draw_line(struct strbuf *b, const json_t *d, size_t names, size_t versions,
               const struct look *look) {
    const char *state = json_str(d, "state", "?");
    struct strbuf saying = STRBUF(DRAW_MOST);
    size_t used = 2 + names + 2 + versions + 2 + STATE_WORD + 2 + TIME_COLUMNS + 2;
    char *place = draw_place(d), duration[DURATION_TEXT] = "";
    int64_t us = took_us(d, look->now_us);

    draw_mark(b, state_like(state), look);
    strbuf_adds(b, " ");
    text_add_fitted(b, place, names, true);
    strbuf_adds(b, "  ");
    text_add_fitted(b, json_str(d, "version", "?"), versions, true);
    strbuf_adds(b, "  ");
    text_add_fitted(b, state, STATE_WORD, true);
    if (us >= 0)
        text_duration(us, duration);
    strbuf_addf(b, "  %*s", TIME_COLUMNS, duration);
    add_saying(&saying, d);
    if (look->width > used + 8 && saying.len) {
        strbuf_adds(b, "  ");
        text_add_fitted(b, saying.data, look->width - used - 1, false);
    }
    strbuf_adds(b, "\n");
    strbuf_done(&saying);
    free(place);
}

const json_t *step_named(const json_t *d, const char *name) {
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(d, "steps"), i, step) {
        if (strcmp(json_str(step, "name", ""), name) == 0)
            return step;
    }
    return NULL;
}

static void add_step_change(struct strbuf *b, const json_t *step) {
    const char *state = json_str(step, "state", "?"), *detail = json_str(step, "detail", "");
    const char *ended = json_str(step, "ended_at", NULL);
    int64_t at = text_time(ended ? ended : json_str(step, "started_at", NULL));
    char clock[DURATION_TEXT], duration[DURATION_TEXT];

    strbuf_addf(b, "%s step ", text_clock(at ? at : clock_now_us(), clock));
    text_add_clean(b, json_str(step, "name", "?"));
    strbuf_adds(b, " ");
    text_add_clean(b, state);
    if (ended && took_us(step, 0) >= 0)
        strbuf_addf(b, " %s", text_duration(took_us(step, 0), duration));
    if (*detail) {
        strbuf_adds(b, ": ");
        text_add_clean(b, detail);
    }
    strbuf_adds(b, "\n");
}

/* A step that waits changes its detail often: that alone is worth a line, a second start is not. */
static bool step_changed(const json_t *before, const json_t *now) {
    const char *state = json_str(now, "state", "pending");

    if (!before)
        return strcmp(state, "pending") != 0;
    return strcmp(json_str(before, "state", "pending"), state) != 0 ||
           strcmp(json_str(before, "detail", ""), json_str(now, "detail", "")) != 0;
}

/* Whether its state, or what it is blocked by, is another. */
static bool stands_elsewhere(const json_t *before, const json_t *now) {
    const char *state = json_str(now, "state", "?");
    const json_t *was = json_object_get(before, "blockers"), *is = json_object_get(now, "blockers");

    if (!before)
        return strcmp(state, "running") != 0;
    return strcmp(state, json_str(before, "state", "")) != 0 || (is && !json_equal(was, is));
}

void draw_changes(struct strbuf *b, const json_t *before, const json_t *now) {
    const char *state = json_str(now, "state", "?");
    const json_t *step;
    char text[DURATION_TEXT];
    int64_t at;
    size_t i;
    const struct look plain = {.width = SIZE_MAX / 2};

    if (!before) {
        strbuf_addf(b, "%s deployment ",
                    text_clock(text_time(json_str(now, "created_at", NULL)), text));
        add_head(b, now, &plain);
    }
    json_array_foreach(json_object_get(now, "steps"), i, step) {
        if (step_changed(before ? step_named(before, json_str(step, "name", "")) : NULL, step))
            add_step_change(b, step);
    }
    if (!stands_elsewhere(before, now))
        return;
    at = text_time(json_str(now, "ended_at", NULL));
    strbuf_addf(b, "%s deployment ", text_clock(at ? at : clock_now_us(), text));
    if (state_is_over(state)) {
        draw_outcome(b, now, &plain);
    } else {
        text_add_clean(b, state);
        add_standing(b, now, &plain);
    }
}

void draw_record(struct strbuf *b, const json_t *record) {
    const json_t *actor = json_object_get(record, "actor");
    char clock[DURATION_TEXT];

    strbuf_addf(b, "%s ", text_clock(text_time(json_str(record, "at", NULL)), clock));
    text_add_clean(b, json_str(record, "action", "?"));
    if (json_str(actor, "subject", NULL)) {
        strbuf_adds(b, " by ");
        text_add_clean(b, json_str(actor, "subject", ""));
    }
    if (json_str(record, "message", NULL)) {
        strbuf_adds(b, ": ");
        text_add_clean(b, json_str(record, "message", ""));
    }
    strbuf_adds(b, "\n");
}
