/* cli/next.c: what became of a deployment that a person moved, and which commands go on from
 * there. */
#include "base/clock.h"
#include "cli/draw.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

enum { INDENT = 2, DETAIL_INDENT = 4, COMMAND_COLUMN = 52 };

static bool is(const json_t *d, const char *key, const char *value) {
    return strcmp(json_str(d, key, ""), value) == 0;
}

/* Waits to be promoted, and not to be resumed. */
static bool waits_for_promote(const json_t *d) {
    const json_t *step = step_named(d, "promote");

    return is(step, "state", "waiting") || is(step, "state", "running");
}

/* The freeze that stopped it before the cut-over; NULL for none. */
static const char *frozen_by(const json_t *d) {
    static const char *const asking[] = {"check-gates", "recheck-gates", "switch-traffic"};

    for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
        const json_t *step = step_named(d, asking[i]);

        if (is(step, "state", "waiting"))
            return json_str(step, "detail", NULL);
    }
    return NULL;
}

char *draw_standing(const json_t *d) {
    const json_t *step = step_named(d, "switch-traffic"), *from = json_object_get(d, "from");
    const char *frozen = frozen_by(d);
    bool moved = step && !is(step, "state", "pending") && !is(step, "state", "undone");
    char *serves, *text;

    if (is(d, "state", "blocked"))
        return xstrdup("it begins when its gates open");
    if (is(d, "state", "paused") && frozen)
        return xasprintf("it waits to be resumed. %s", frozen);
    if (is(d, "state", "paused"))
        return xstrdup(waits_for_promote(d) ? "it waits to be promoted" : "it waits to be resumed");
    if (!is(d, "state", "undoing"))
        return NULL;
    if (moved)
        return xstrdup("traffic is being taken back");
    if (!json_is_object(from))
        return xstrdup("nothing of it serves; what it applied is being taken back");
    serves = draw_serves(d, from, "the version before");
    text = xasprintf("%s; what was applied is taken back when traffic has settled", serves);
    free(serves);
    return text;
}

void draw_way(struct strbuf *b, const char *command, const char *what, const struct look *look) {
    size_t width = text_width(command), column = width > COMMAND_COLUMN ? width : COMMAND_COLUMN;

    if (INDENT + column + 4 + text_width(what) < look->width) {
        strbuf_addf(b, "%*s", INDENT, "");
        text_add_clean(b, command);
        strbuf_addf(b, "%*s# %s\n", (int)(column - width + 2), "", what);
    } else {
        draw_wrapped(b, command, INDENT, look);
    }
}

static void add_way(struct strbuf *b, const char *verb, const char *id, const char *after,
                    const char *what, const struct look *look) {
    char *command = xasprintf("sluice %s %s%s", verb, id, after);

    draw_way(b, command, what, look);
    free(command);
}

static void add_blocked(struct strbuf *b, const json_t *d, const struct look *look) {
    char *why = xasprintf("sluice why %s %s %s", json_str(d, "app", "?"),
                          json_str(d, "environment", "?"), json_str(d, "version", "?"));

    draw_way(b, why, "the commands that open them", look);
    add_way(b, "cancel", json_str(d, "id", "?"), "", "let it not begin", look);
    free(why);
}

void draw_next(struct strbuf *b, const json_t *d, const struct look *look) {
    const char *id = json_str(d, "id", "?"), *by = json_str(d, "rolled_back_by", NULL);
    /* a rollback is what takes things back: nothing takes it back */
    bool abortable = !is(d, "kind", "rollback");

    if (is(d, "state", "blocked")) {
        add_blocked(b, d, look);
    } else if (is(d, "state", "paused")) {
        if (waits_for_promote(d))
            add_way(b, "promote", id, "", "let it serve", look);
        else
            add_way(b, "resume", id, "", "go on", look);
    } else if (is(d, "state", "stuck")) {
        add_way(b, "retry", id, "", "try again what was refused", look);
        add_way(b, "resolve", id, " --as failed --reason …",
                "or succeeded: say how it ended; writes nothing to the cluster", look);
    } else if (by) {
        add_way(b, "watch", by, "", "the rollback that took it over", look);
    }
    if (abortable && (is(d, "state", "paused") || is(d, "state", "stuck")))
        add_way(b, "abort", id, "", "take it back", look);
}

void draw_asked_by(struct strbuf *b, const json_t *d) {
    const json_t *actor = json_object_get(d, "requested_by");

    text_add_clean(b, json_str(actor, "subject", "somebody"));
}

static void add_reason(struct strbuf *b, const json_t *d) {
    if (json_str(d, "reason", NULL)) {
        strbuf_adds(b, ": ");
        text_add_clean(b, json_str(d, "reason", ""));
    }
}

void draw_taken_over(struct strbuf *b, const json_t *rollback, const struct look *look) {
    struct strbuf line = STRBUF(DRAW_MOST);
    const json_t *to = json_object_get(rollback, "to");

    strbuf_adds(&line, "Rolled back to ");
    text_add_clean(&line, json_str(to, "version", json_str(rollback, "version", "?")));
    strbuf_adds(&line, " by ");
    draw_asked_by(&line, rollback);
    add_reason(&line, rollback);
    strbuf_adds(&line, "; the rollback is ");
    text_add_clean(&line, json_str(rollback, "state", "?"));
    draw_wrapped(b, line.data, DETAIL_INDENT, look);
    strbuf_done(&line);
}

static int64_t later(int64_t a, const char *rfc3339) {
    int64_t b = text_time(rfc3339);

    return a > b ? a : b;
}

/* Whether it was there before it was asked for: somebody gave another reason, or what it has done
 * took longer than we waited.  By the server's clock alone. */
static bool was_there(const json_t *d, const char *reason, int64_t waited_us) {
    int64_t last = text_time(json_str(d, "ended_at", NULL));
    const json_t *step;
    size_t i;

    if (reason && strcmp(json_str(d, "reason", ""), reason) != 0)
        return true;
    json_array_foreach(json_object_get(d, "steps"), i, step) {
        last = later(last, json_str(step, "started_at", NULL));
        last = later(last, json_str(step, "ended_at", NULL));
    }
    return last - text_time(json_str(d, "created_at", NULL)) > waited_us + US_PER_MS;
}

static void add_existing(struct strbuf *b, const json_t *d) {
    const char *since = json_str(step_named(d, "switch-traffic"), "ended_at", NULL);
    char *serves = draw_serves(d, json_object_get(d, "to"), json_str(d, "version", "?"));
    char clock[DURATION_TEXT];

    strbuf_adds(b, "nothing to do: ");
    strbuf_adds(b, serves);
    strbuf_addf(b, " since %s\n    rolled back by ", text_clock(text_time(since), clock));
    draw_asked_by(b, d);
    add_reason(b, d);
    strbuf_adds(b, "\n");
    free(serves);
}

/* ", not v1.2.3 (green)": what traffic left. */
static void add_left(struct strbuf *b, const json_t *d) {
    const json_t *from = json_object_get(d, "from"), *to = json_object_get(d, "to");

    if (!json_str(from, "version", NULL) || is(from, "color", json_str(to, "color", "")))
        return;
    strbuf_adds(b, ", not ");
    text_add_clean(b, json_str(from, "version", "?"));
    strbuf_adds(b, " (");
    text_add_clean(b, json_str(from, "color", "?"));
    strbuf_adds(b, ")");
}

static void add_confirmed(struct strbuf *b, const json_t *d, int64_t waited_us,
                          const struct look *look) {
    char *serves = draw_serves(d, json_object_get(d, "to"), json_str(d, "version", "?"));
    char clock[DURATION_TEXT], duration[DURATION_TEXT];

    strbuf_addf(b, "confirmed at %s, after %s: ", text_clock(look->now_us, clock),
                text_duration(waited_us, duration));
    strbuf_adds(b, serves);
    add_left(b, d);
    strbuf_adds(b, "\n");
    free(serves);
}

void draw_moved(struct strbuf *b, const json_t *d, const char *reason, int64_t waited_us,
                bool followed, const struct look *look) {
    if (is(d, "state", "rolled_back"))
        strbuf_adds(b, "another rollback took this one over\n");
    else if (is(d, "kind", "rollback") && was_there(d, reason, waited_us))
        add_existing(b, d);
    else
        add_confirmed(b, d, waited_us, look);
    if (is(d, "state", "rolled_back"))
        draw_next(b, d, look);
    else if (state_is_over(json_str(d, "state", "?")) && !followed)
        add_way(b, "status", json_str(d, "id", "?"), "", "all of it", look);
    else if (!followed)
        add_way(b, "watch", json_str(d, "id", "?"), "", "the rest of it", look);
}
