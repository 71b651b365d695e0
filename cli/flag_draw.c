#include "base/cleanup.h"
#include "cli/flag.h"
#include "cli/gate.h"
#include "cli/text.h"
#include <string.h>

enum { VALUES_SHOWN = 5, VALUE_COLUMNS = 60 };

static const char rollout[] = "flexibleRollout";

const char *flag_word(const json_t *state) {
    if (json_bool(state, "killed", false))
        return "killed";
    return json_bool(state, "enabled", false) ? "on" : "off";
}

/* "pro, team"; of many the first ones and how many there are. */
static void add_values(struct strbuf *b, const json_t *values) {
    const json_t *v;
    size_t i;

    json_array_foreach(values, i, v) {
        if (i == VALUES_SHOWN) {
            strbuf_addf(b, " … (%zu)", json_array_size(values));
            break;
        }
        strbuf_adds(b, i ? ", " : " ");
        text_add_fitted(b, json_is_string(v) ? json_string_value(v) : "?", VALUE_COLUMNS, false);
    }
}

/* "not plan IN pro, team" */
static void add_constraint(struct strbuf *b, const json_t *c) {
    strbuf_adds(b, json_bool(c, "inverted", false) ? "not " : "");
    text_add_clean(b, json_str(c, "context_name", "?"));
    strbuf_adds(b, " ");
    text_add_clean(b, json_str(c, "operator", "?"));
    add_values(b, json_object_get(c, "values"));
    if (json_str(c, "value", NULL)) {
        strbuf_adds(b, " ");
        text_add_fitted(b, json_str(c, "value", ""), VALUE_COLUMNS, false);
    }
}

/* "everybody", "25 % by userId", "userWithId userIds 7,12" */
static void add_strategy_name(struct strbuf *b, const json_t *strategy) {
    json_t *parameters = json_object_get(strategy, "parameters"), *v;
    const char *name = json_str(strategy, "name", "?"), *key;

    if (strcmp(name, "default") == 0) {
        strbuf_adds(b, "everybody");
    } else if (strcmp(name, rollout) == 0) {
        text_add_clean(b, json_str(parameters, "rollout", "?"));
        strbuf_adds(b, " % by ");
        text_add_clean(b, json_str(parameters, "stickiness", "default"));
    } else {
        text_add_clean(b, name);
        json_object_foreach(parameters, key, v) {
            strbuf_adds(b, " ");
            text_add_clean(b, key);
            strbuf_adds(b, " ");
            text_add_fitted(b, json_is_string(v) ? json_string_value(v) : "?", VALUE_COLUMNS,
                            false);
        }
    }
}

/* The same with what has to hold besides: "25 % by userId (plan IN pro, team; segment beta)". */
static void add_strategy(struct strbuf *b, const json_t *strategy) {
    const char *before = " (";
    const json_t *v;
    size_t i;

    add_strategy_name(b, strategy);
    json_array_foreach(json_object_get(strategy, "constraints"), i, v) {
        strbuf_adds(b, before);
        add_constraint(b, v);
        before = "; ";
    }
    json_array_foreach(json_object_get(strategy, "segments"), i, v) {
        strbuf_adds(b, before);
        strbuf_adds(b, "segment ");
        text_add_clean(b, json_is_string(v) ? json_string_value(v) : "?");
        before = "; ";
    }
    if (json_bool(strategy, "disabled", false)) {
        strbuf_adds(b, before);
        strbuf_adds(b, "disabled");
        before = "; ";
    }
    strbuf_adds(b, *before == ';' ? ")" : "");
}

void draw_whom(struct strbuf *b, const json_t *strategies) {
    const json_t *strategy;
    size_t i;

    if (!json_array_size(strategies))
        strbuf_adds(b, "everybody");
    json_array_foreach(strategies, i, strategy) {
        strbuf_adds(b, i ? "; or " : "");
        add_strategy(b, strategy);
    }
}

void draw_counts(struct strbuf *b, const json_t *variants) {
    const char *before = "", *name;
    json_t *count;

    json_object_foreach((json_t *)(uintptr_t)variants, name, count) {
        strbuf_adds(b, before);
        text_add_clean(b, name);
        strbuf_addf(b, " %lld", (long long)json_integer_value(count));
        before = ", ";
    }
}

/* A line after the mark of `word`, which a terminal shows. */
static void add_head(struct strbuf *b, const char *word, const char *line,
                     const struct look *look) {
    struct look rest = *look;

    if (look->terminal) {
        draw_mark(b, word, look);
        strbuf_adds(b, " ");
        rest.width -= rest.width > 2 ? 2 : 0;
    }
    draw_wrapped(b, line, 0, &rest);
}

void draw_flag_state(struct strbuf *b, const json_t *state, const struct look *look) {
    _cleanup_(strbuf_done) struct strbuf line = STRBUF(DRAW_MOST);
    const json_t *strategies = json_object_get(state, "strategies"), *strategy;
    const char *off = json_str(state, "default_variant", NULL);
    const char *release = json_str(state, "requires_release", NULL);
    size_t i;

    strbuf_addf(&line, "%s/%s: %s is %s", json_str(state, "app", "?"),
                json_str(state, "environment", "?"), json_str(state, "flag", "?"),
                flag_word(state));
    strbuf_adds(&line, json_bool(state, "stale", false) ? " and stale" : "");
    if (json_int(state, "revision", 0)) {
        strbuf_addf(&line, ", revision %lld, ", (long long)json_int(state, "revision", 0));
        draw_when(&line, json_str(state, "updated_at", NULL), look);
    }
    add_head(b, flag_word(state), line.data, look);
    if (!json_array_size(strategies))
        strbuf_adds(b, "  for everybody\n");
    json_array_foreach(strategies, i, strategy) {
        strbuf_clear(&line);
        strbuf_adds(&line, i ? "or for " : "for ");
        add_strategy(&line, strategy);
        draw_wrapped(b, line.data, 2, look);
    }
    if (release) {
        strbuf_clear(&line);
        strbuf_addf(&line, "only where %s or newer serves", release);
        draw_wrapped(b, line.data, 2, look);
    }
    if (off) {
        strbuf_clear(&line);
        strbuf_addf(&line, "off it is %s", off);
        draw_wrapped(b, line.data, 2, look);
    }
}

/* "  variants: old 50, new 50" and the like; nothing without any. */
static void add_list(struct strbuf *b, const char *what, const json_t *items, const char *name,
                     const char *number, const struct look *look) {
    _cleanup_(strbuf_done) struct strbuf line = STRBUF(DRAW_MOST);
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        strbuf_addf(&line, "%s%s", i ? ", " : what, json_str(item, name, "?"));
        if (number)
            strbuf_addf(&line, " %lld", (long long)json_int(item, number, 0));
        else if (!json_bool(item, "enabled", true))
            strbuf_adds(&line, " (off)");
    }
    if (line.len)
        draw_wrapped(b, line.data, 2, look);
}

void draw_flag(struct strbuf *b, const json_t *flag, const struct look *look) {
    _cleanup_(strbuf_done) struct strbuf line = STRBUF(DRAW_MOST);
    const char *after = json_str(flag, "stale_after", NULL);

    strbuf_addf(&line, "%s: %s, %s, %s, revision %lld, ", json_str(flag, "app", "?"),
                json_str(flag, "name", "?"), json_str(flag, "type", "?"),
                json_str(flag, "value_type", "?"), (long long)json_int(flag, "revision", 0));
    draw_when(&line, json_str(flag, "updated_at", NULL), look);
    draw_wrapped(b, line.data, 0, look);
    if (*json_str(flag, "description", ""))
        draw_wrapped(b, json_str(flag, "description", ""), 2, look);
    if (after) {
        strbuf_clear(&line);
        strbuf_adds(&line, json_bool(flag, "stale", false) ? "stale since " : "stale at ");
        draw_when(&line, after, look);
        draw_wrapped(b, line.data, 2, look);
    }
    add_list(b, "variants: ", json_object_get(flag, "variants"), "name", "weight", look);
    add_list(b, "depends on: ", json_object_get(flag, "dependencies"), "flag", NULL, look);
}

static void set_percent(json_t *strategy, const char *percent, const char *stickiness) {
    json_t *parameters = json_object_get(strategy, "parameters");

    if (!json_is_object(parameters)) {
        parameters = json_object();
        json_object_set_new(strategy, "parameters", parameters);
    }
    json_set_str(parameters, "rollout", percent);
    if (stickiness || !json_object_get(parameters, "stickiness"))
        json_set_str(parameters, "stickiness", stickiness ? stickiness : "default");
    json_object_del(strategy, "disabled");
}

json_t *strategies_at(const json_t *strategies, const char *percent, const char *stickiness) {
    json_auto_t *all = json_is_array(strategies) ? json_deep_copy(strategies) : json_array();
    json_t *strategy, *found = NULL;
    size_t i;

    json_array_foreach(all, i, strategy) {
        if (strcmp(json_str(strategy, "name", ""), rollout) != 0)
            continue;
        if (found)
            return NULL;
        found = strategy;
    }
    if (!found) {
        found = json_pack("{s:s}", "name", rollout);
        json_array_append_new(all, found);
    }
    set_percent(found, percent, stickiness);
    return TAKE_PTR(all);
}
