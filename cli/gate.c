#include "cli/gate.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

enum { WHO_INDENT = 4, LINE_MOST = 1 << 14 };

void draw_when(struct strbuf *b, const char *rfc3339, const struct look *look) {
    int64_t us = text_time(rfc3339), away_us = us - look->now_us;
    char date[DURATION_TEXT], duration[DURATION_TEXT];

    strbuf_adds(b, text_date(us, date));
    if (us && away_us >= 0)
        strbuf_addf(b, ", in %s", text_duration(away_us, duration));
    else if (us && away_us > -60 * US_PER_S)
        strbuf_adds(b, ", just now");
    else if (us)
        strbuf_addf(b, ", %s ago", text_duration(-away_us, duration));
}

/* What is named: an item, a role, a version; where that is an id, the gate says more. */
static const char *blocker_name(const json_t *blocker) {
    const char *what = json_str(blocker, "what", "");

    return *what && !uuid_valid(what) ? what : json_str(blocker, "gate", "gate");
}

/* "who: ci, operator; opens at …" */
static void add_who(struct strbuf *b, const json_t *blocker, const struct look *look) {
    _cleanup_(strbuf_done) struct strbuf line = STRBUF(LINE_MOST);
    const char *opens = json_str(blocker, "opens_at", NULL);
    const json_t *who;
    size_t i;

    json_array_foreach(json_object_get(blocker, "who"), i, who) {
        strbuf_adds(&line, i ? ", " : "who: ");
        text_add_clean(&line, json_is_string(who) ? json_string_value(who) : "?");
    }
    if (opens) {
        strbuf_adds(&line, line.len ? "; opens at " : "opens at ");
        draw_when(&line, opens, look);
    }
    if (line.len)
        draw_wrapped(b, line.data, WHO_INDENT, look);
}

void draw_blockers(struct strbuf *b, const json_t *blockers, const struct look *look) {
    const json_t *blocker;
    size_t i;

    json_array_foreach(blockers, i, blocker) {
        _cleanup_free_ char *text = xasprintf("%s %s: %s",
                                              !look->terminal ? "-"
                                              : look->utf8    ? "✗"
                                                              : "x",
                                              blocker_name(blocker), json_str(blocker, "why", "?"));

        draw_wrapped(b, text, 2, look);
        add_who(b, blocker, look);
    }
}

/* By the code of a blocker, or how it begins: what clears it.  $a $e $v: the place; $w: what; $r:
 * the role of the approver that it names first, without whom there is no such way. */
static const struct way {
    const char *code, *command, *what;
    bool once; /* it serves for all blockers of the code */
} ways[] = {
    {"release-missing", "release create $a $v --image …", "CI registers it", true},
    {"release-yanked", "release list $a", "choose another", true},
    {"environment-busy", "watch $w", "what is active", false},
    {"frozen", "freeze end $w", "or break-glass request", false},
    {"not-deployed-there", "deploy $a $w $v --wait", "there first", false},
    {"not-accepted", "signoff approve --deployment $w --role $r", "accept what serves", false},
    {"not-accepted", "rollback $a $e --reason …", "or take it back", true},
    {"template-missing", "template set $w --file …", "or change the gates", false},
    {"item-", "checklist show $a $e $v", "all its items", true},
    {"rejected", "signoff withdraw $a $v $w", "by who rejected it", false},
    {"approval-missing", "signoff approve $a $e $v --role $w", "by who has that role", false},
};

/* "qa" of {"who": ["approver:qa", …]}; NULL: it names somebody else. */
static const char *role_named(const json_t *blocker) {
    const char *who = json_string_value(json_array_get(json_object_get(blocker, "who"), 0));

    return who && strncmp(who, "approver:", strlen("approver:")) == 0 ? who + strlen("approver:")
                                                                      : NULL;
}

/* NULL: there is no such way for this one. */
static char *way_command(const char *format, const struct gate_place *place,
                         const json_t *blocker) {
    const char *role = role_named(blocker);
    struct strbuf b = STRBUF(LINE_MOST);

    if (strstr(format, "$r") && !role)
        return NULL;
    strbuf_adds(&b, "sluice ");
    for (const char *c = format; *c; c++) {
        if (*c != '$') {
            strbuf_add(&b, c, 1);
            continue;
        }
        c++;
        strbuf_adds(&b, *c == 'a'   ? place->app
                        : *c == 'e' ? place->environment
                        : *c == 'v' ? place->version
                        : *c == 'r' ? role
                                    : json_str(blocker, "what", ""));
    }
    return strbuf_take(&b);
}

static bool way_serves(const struct way *way, const json_t *blocker) {
    const char *code = json_str(blocker, "code", "");
    size_t n = strlen(way->code);

    return n && way->code[n - 1] == '-' ? strncmp(code, way->code, n) == 0
                                        : strcmp(code, way->code) == 0;
}

void draw_blocker_ways(struct strbuf *b, const json_t *blockers, const struct gate_place *place,
                       const struct look *look) {
    const json_t *blocker;
    size_t i;

    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        json_array_foreach(blockers, i, blocker) {
            _cleanup_free_ char *command = NULL;

            if (!way_serves(&ways[w], blocker))
                continue;
            command = way_command(ways[w].command, place, blocker);
            if (!command)
                continue;
            draw_way(b, command, ways[w].what, look);
            if (ways[w].once)
                break;
        }
    }
}

void draw_verdict(struct strbuf *b, const json_t *verdict, const struct gate_place *place,
                  const struct look *look) {
    const json_t *blockers = json_object_get(verdict, "blockers");
    const char *opens = json_str(verdict, "opens_at", NULL);
    size_t n = json_array_size(blockers);
    _cleanup_(strbuf_done) struct strbuf line = STRBUF(LINE_MOST);
    bool open = json_bool(verdict, "open", false);

    strbuf_addf(&line, "%s may %sgo to %s/%s", place->version, open ? "" : "not ", place->app,
                place->environment);
    if (!open)
        strbuf_addf(&line, ", for %zu reason%s", n, n == 1 ? "" : "s");
    if (opens) {
        strbuf_adds(&line, "; it opens by itself at ");
        draw_when(&line, opens, look);
    }
    draw_wrapped(b, line.data, 0, look);
    draw_blockers(b, blockers, look);
    if (open)
        return;
    strbuf_adds(b, "What clears them:\n");
    draw_blocker_ways(b, blockers, place, look);
}

void draw_effect(struct strbuf *b, const json_t *answer, const struct gate_place *place,
                 const struct look *look) {
    const char *deployment = json_str(answer, "deployment", "?");
    _cleanup_free_ char *command = NULL;

    if (!json_bool(answer, "effective", true)) {
        command = xasprintf("sluice rollback %s", deployment);
        strbuf_adds(b, "  too late for the deployment that was cut over before: it stays as it "
                       "is\n");
        draw_way(b, command, "take it back", look);
    } else if (place->environment && json_is_boolean(json_object_get(answer, "open"))) {
        bool open = json_bool(answer, "open", false);

        command = xasprintf("sluice %s %s %s %s", open ? "deploy" : "why", place->app,
                            place->environment, place->version);
        draw_way(b, command, open ? "the gates are open" : "the gates are closed: why", look);
    }
}
