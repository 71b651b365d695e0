/* cli/checklist.c: the checklists before and after a deployment: shown, and their items ticked. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/flag.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* ---- drawn ---- */

static const json_t *said_of(const json_t *item) {
    return strcmp(json_str(item, "state", ""), "waived") == 0 ? json_object_get(item, "waiver")
                                                              : item;
}

static void add_part(struct strbuf *b, const char *before, const char *text) {
    if (text && *text)
        strbuf_addf(b, "%s%s", before, text);
}

/* "by ann, 2026-11-24 12:00:00, 5 min 00 s ago, until …: 412 tests"; nothing of one that nothing
 * was said about. */
static void add_said(struct strbuf *b, const json_t *item, const struct look *look) {
    const json_t *said = said_of(item), *by = json_object_get(said, "by");
    const char *subject = json_is_string(by)
                              ? json_string_value(by)
                              : json_str(by, "subject", json_str(said, "source", "?"));
    const char *until = json_str(said, "expires_at", NULL);
    bool expired = strcmp(json_str(item, "state", ""), "expired") == 0;

    if (!json_str(said, "at", NULL))
        return;
    strbuf_addf(b, "by %s", subject);
    add_part(b, " as ", json_str(said, "role", NULL));
    strbuf_adds(b, ", ");
    draw_when(b, json_str(said, "at", NULL), look);
    if (until) {
        strbuf_adds(b, expired ? ", counted until " : ", counts until ");
        draw_when(b, until, look);
    }
    add_part(b, ": ", json_str(said, "reason", json_str(item, "summary", NULL)));
    add_part(b, ": ", said == item ? json_str(item, "note", NULL) : NULL);
    add_part(b, "; names ", json_str(item, "person", NULL));
    add_part(b, " ", json_str(item, "url", NULL));
}

/* "clients since 2026-11-24 12:00:00, …: checkout on 12 times, off 3 (new 12)"; nothing of one that
 * shows none. */
static void add_exposure(struct strbuf *b, const json_t *item, const struct look *look) {
    const json_t *exposure = json_object_get(item, "exposure"), *flag;
    size_t i;

    if (!json_array_size(json_object_get(exposure, "flags")))
        return;
    if (!json_str(exposure, "since", NULL)) {
        strbuf_addf(b, "%straffic was not switched", b->len ? "; " : "");
        return;
    }
    strbuf_addf(b, "%sclients since ", b->len ? "; " : "");
    draw_when(b, json_str(exposure, "since", NULL), look);
    json_array_foreach(json_object_get(exposure, "flags"), i, flag) {
        strbuf_addf(b, "%s%s on %lld times, off %lld", i ? "; " : ": ", json_str(flag, "flag", "?"),
                    (long long)json_int(flag, "yes", 0), (long long)json_int(flag, "no", 0));
        if (json_object_size(json_object_get(flag, "variants"))) {
            strbuf_adds(b, " (");
            draw_counts(b, json_object_get(flag, "variants"));
            strbuf_adds(b, ")");
        }
    }
}

/* Both.  Yours. */
static char *remark(const json_t *item, const struct look *look) {
    struct strbuf b = STRBUF(DRAW_MOST);

    add_said(&b, item, look);
    add_exposure(&b, item, look);
    return strbuf_take(&b);
}

/* "✓ tests  All tests passing  by …": in a pipe the state is a word, and all is one line. */
static void add_item(struct strbuf *b, const json_t *item, size_t names, const struct look *look) {
    _cleanup_free_ char *said = remark(item, look);
    const char *state = json_str(item, "state", "open");
    _cleanup_free_ char *title = xasprintf("%s%s", json_str(item, "title", ""),
                                           json_bool(item, "required", true) ? "" : " (optional)");
    size_t used = 4 + names + 2;

    strbuf_adds(b, "  ");
    if (look->terminal)
        draw_mark(b, state, look);
    else
        text_add_fitted(b, state, strlen("expired"), true);
    strbuf_adds(b, " ");
    text_add_fitted(b, json_str(item, "key", "?"), names, true);
    strbuf_adds(b, "  ");
    text_add_fitted(b, title, look->width > used + 20 ? look->width - used - 1 : 20, false);
    if (!look->terminal && *said) {
        strbuf_adds(b, "  ");
        text_add_clean(b, said);
    }
    strbuf_adds(b, "\n");
    if (look->terminal && *said)
        draw_wrapped(b, said, 4, look);
}

static size_t keys_width(const json_t *checklist) {
    const json_t *group, *item;
    size_t width = 0, i, j, w;

    json_array_foreach(json_object_get(checklist, "groups"), i, group) {
        json_array_foreach(json_object_get(group, "items"), j, item) {
            w = text_width(json_str(item, "key", "?"));
            width = w > width ? w : width;
        }
    }
    return width;
}

static bool is_done(const json_t *item) {
    const char *state = json_str(item, "state", "");

    return strcmp(state, "passed") == 0 || strcmp(state, "waived") == 0;
}

static void add_head(struct strbuf *b, const json_t *c, const struct look *look) {
    struct strbuf line = STRBUF(DRAW_MOST);
    const json_t *template = json_object_get(c, "template"), *group, *item;
    size_t n = 0, done = 0, i, j;

    json_array_foreach(json_object_get(c, "groups"), i, group) {
        json_array_foreach(json_object_get(group, "items"), j, item) {
            n++;
            done += is_done(item);
        }
    }
    strbuf_addf(&line, "%s/%s: %s, checklist %s@%lld, %zu of %zu done, %s", json_str(c, "app", "?"),
                json_str(c, "environment", "?"), json_str(c, "version", "?"),
                json_str(template, "name", "?"), (long long)json_int(template, "version", 0), done,
                n, json_bool(c, "complete", false) ? "complete" : "not complete");
    draw_wrapped(b, line.data, 0, look);
    strbuf_done(&line);
}

void draw_checklist(struct strbuf *b, const json_t *checklist, const struct look *look) {
    size_t names = keys_width(checklist), i, j;
    const json_t *group, *item;

    add_head(b, checklist, look);
    json_array_foreach(json_object_get(checklist, "groups"), i, group) {
        draw_heading(b, json_str(group, "title", json_str(group, "name", "?")), look);
        json_array_foreach(json_object_get(group, "items"), j, item) add_item(b, item, names, look);
    }
}

void draw_item(struct strbuf *b, const json_t *item, const struct look *look) {
    add_item(b, item, text_width(json_str(item, "key", "?")), look);
}

/* ---- the commands ---- */

/* The path of the checklist that the words name, yours; NULL after a line on stderr.  `extra`
 * operands follow APP ENV VERSION, or --deployment. */
static char *checklist_path(const struct args *a, size_t extra, struct gate_place *ret) {
    const char *deployment = arg_text(a, "deployment"), *kind = arg_text(a, "kind");

    *ret = (struct gate_place){0};
    if (!deployment && a->n_operands == 3 + extra && !kind) {
        *ret = (struct gate_place){arg_operand(a, 0), arg_operand(a, 1), arg_operand(a, 2)};
        return api_path("/apps/%s/releases/%s/checklists/%s", ret->app, ret->version,
                        ret->environment);
    }
    if (deployment && a->n_operands == extra)
        return api_path("/deployments/%s/checklists/%s", deployment, kind ? kind : "after");
    usage_error("%s wants APP ENV VERSION%s (before), or --deployment ID --kind after|success%s",
                a->command->words, extra ? " ITEM" : "", extra ? " ITEM" : "");
    return NULL;
}

/* Makes the call and shows the whole list, or the item with what it changed. */
static ExitCode call_and_show(struct session *s, const struct api_call *call,
                              const struct gate_place *of_item) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    ExitCode code = api_do(s, call, &answer);
    struct look look = screen_look(); /* now, not before the answer */

    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
        return EXIT_DONE;
    }
    if (of_item) {
        draw_item(&b, answer.json, &look);
        draw_effect(&b, answer.json, of_item, &look);
    } else {
        draw_checklist(&b, answer.json, &look);
    }
    fputs(b.data, stdout);
    return EXIT_DONE;
}

ExitCode run_checklist_show(struct session *s, const struct args *a) {
    struct gate_place place;
    _cleanup_free_ char *path = checklist_path(a, 0, &place);

    return path ? call_and_show(s, &(struct api_call){.path = path}, NULL) : EXIT_USAGE;
}

/* Sets the state of an item; the rest of the body comes from the options. */
static ExitCode tick(struct session *s, const struct args *a, const char *state, json_t *body) {
    struct gate_place place;
    _cleanup_free_ char *list = checklist_path(a, 1, &place), *item = NULL, *path = NULL;

    if (!list)
        return EXIT_USAGE;
    item = api_path("/items/%s", arg_operand(a, a->n_operands - 1));
    path = xasprintf("%s%s", list, item + strlen("/api/v1"));
    json_set_str(body, "state", state);
    return call_and_show(s, &(struct api_call){.method = "PUT", .path = path, .json = body},
                         &place);
}

static json_t *said_body(const struct args *a) {
    json_t *body = json_object();

    set_option(body, a, "note", "note");
    set_option(body, a, "person", "person");
    if (arg_text(a, "expires-in"))
        json_object_set_new(body, "expires_s", json_integer(arg_seconds(a, "expires-in", 0)));
    return body;
}

ExitCode run_checklist_pass(struct session *s, const struct args *a) {
    json_auto_t *body = said_body(a);

    return tick(s, a, "passed", body);
}

ExitCode run_checklist_fail(struct session *s, const struct args *a) {
    json_auto_t *body = json_object();

    set_option(body, a, "note", "note");
    return tick(s, a, "failed", body);
}

ExitCode run_checklist_open(struct session *s, const struct args *a) {
    json_auto_t *body = json_object();

    set_option(body, a, "note", "note");
    return tick(s, a, "open", body);
}

ExitCode run_checklist_waive(struct session *s, const struct args *a) {
    json_auto_t *body = json_object();

    if (!arg_text(a, "reason") || !arg_text(a, "expires-in"))
        return usage_error("checklist waive wants --reason TEXT and --expires-in TIME");
    set_option(body, a, "reason", "reason");
    set_option(body, a, "role", "role");
    json_object_set_new(body, "expires_s", json_integer(arg_seconds(a, "expires-in", 0)));
    return tick(s, a, "waived", body);
}
