#include "report/walk.h"
#include <stdio.h>
#include <string.h>

bool walk_wrong(struct walk *w, const char *below, const char *format, ...) {
    char field[sizeof w->fault->field], text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(field, sizeof field, "%s%s", w->path, below);
    (void)report_wrong(w->fault, field, "%s", text);
    return false;
}

static void space(struct walk *w) {
    while (w->at < w->n && w->text[w->at] && strchr(" \t\r\n", w->text[w->at]))
        w->at++;
}

static char next(struct walk *w) {
    space(w);
    return w->at < w->n ? w->text[w->at] : '\0';
}

static bool no_json(struct walk *w) {
    size_t line = 1;

    for (size_t i = 0; i < w->at && i < w->n; i++)
        line += w->text[i] == '\n';
    return walk_wrong(w, "", "Line %zu: %s.", line,
                      w->at < w->n ? "it is no JSON" : "it is cut: no whole JSON");
}

bool walk_begin(struct walk *w, const char *text, size_t n, struct report_fault *fault) {
    *w = (struct walk){.text = text, .n = n, .fault = fault};
    if (n >= 2 &&
        (!text[0] || !text[1] || !memcmp(text, "\xfe\xff", 2) || !memcmp(text, "\xff\xfe", 2)))
        return walk_wrong(w, "", "It is not UTF-8.");
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        w->at = 3;
    return true;
}

bool walk_end(struct walk *w) {
    if (*w->fault->detail)
        return false;
    next(w);
    return w->at == w->n || no_json(w);
}

bool walk_open(struct walk *w, char bracket) {
    if (*w->fault->detail)
        return false;
    if (next(w) == '\0' && w->at == w->n)
        return no_json(w);
    if (next(w) != bracket)
        return walk_wrong(w, "", "Must be an %s.", bracket == '{' ? "object" : "array");
    w->at++;
    return true;
}

/* Whether another one comes: after a comma, but before the first. */
static bool more(struct walk *w, size_t i, char closing) {
    char c;

    if (*w->fault->detail)
        return false;
    c = next(w);
    if (c == closing) {
        w->at++;
        return false;
    }
    if (i > 0 && c != ',')
        return no_json(w);
    w->at += i > 0;
    return true;
}

bool walk_item(struct walk *w, size_t *i) {
    if (!more(w, *i, ']'))
        return false;
    ++*i;
    return true;
}

bool walk_member(struct walk *w, size_t *i, char key[WALK_KEY_MAX]) {
    json_auto_t *name = NULL;

    if (!more(w, *i, '}'))
        return false;
    ++*i;
    if (next(w) != '"')
        return no_json(w);
    name = walk_value(w);
    if (!name)
        return false;
    if (next(w) != ':')
        return no_json(w);
    w->at++;
    /* none of ours is so long */
    snprintf(key, WALK_KEY_MAX, "%s",
             json_string_length(name) < WALK_KEY_MAX ? json_string_value(name) : "");
    return true;
}

static bool delimits(char c) {
    return c && strchr(",]}: \t\r\n", c);
}

/* The end of the value here, by its brackets and quotes alone; 0: it is cut, or too deep. */
static size_t span(struct walk *w) {
    size_t depth = 0, i;

    next(w);
    for (i = w->at; i < w->n; i++) {
        char c = w->text[i];

        if (c == '"') {
            for (i++; i < w->n && w->text[i] != '"'; i++)
                i += w->text[i] == '\\';
        } else if (c == '[' || c == '{') {
            if (++depth > WALK_DEPTH_MAX) {
                walk_wrong(w, "", "Nested deeper than %d levels.", WALK_DEPTH_MAX);
                return 0;
            }
        } else if (depth && (c == ']' || c == '}')) {
            depth--;
        } else if (!depth && !delimits(c) && i + 1 < w->n && !delimits(w->text[i + 1])) {
            continue; /* a number or a word goes on */
        }
        if (!depth && i < w->n)
            return i + 1;
    }
    w->at = w->n;
    no_json(w);
    return 0;
}

static json_t *load(struct walk *w, size_t end) {
    json_error_t e;
    json_t *v =
        json_loadb(w->text + w->at, end - w->at, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);

    if (v)
        w->at = end;
    else
        walk_wrong(w, "", "It is no JSON: %s.", e.text);
    return v;
}

json_t *walk_value(struct walk *w) {
    size_t end;

    if (*w->fault->detail)
        return NULL;
    end = span(w);
    if (end && end - w->at > WALK_VALUE_MAX)
        walk_wrong(w, "", "More than %d bytes.", WALK_VALUE_MAX);
    return *w->fault->detail ? NULL : load(w, end);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as span() lets it
bool walk_pass(struct walk *w) {
    char opening, key[WALK_KEY_MAX];
    size_t end, i = 0;

    if (*w->fault->detail)
        return false;
    opening = next(w);
    end = span(w);
    if (!end)
        return false;
    if (end - w->at <= WALK_VALUE_MAX) {
        json_t *v = load(w, end);

        json_decref(v);
        return v != NULL;
    }
    if (opening != '{' && opening != '[')
        return walk_wrong(w, "", "More than %d bytes.", WALK_VALUE_MAX);
    w->at++;
    while (opening == '{' ? walk_member(w, &i, key) : walk_item(w, &i))
        walk_pass(w);
    return !*w->fault->detail;
}

bool walk_leap(struct walk *w) {
    size_t end;

    if (*w->fault->detail)
        return false;
    end = span(w);
    if (!end)
        return false;
    w->at = end;
    return true;
}

bool walk_null(struct walk *w) {
    return !*w->fault->detail && next(w) == 'n' && walk_pass(w);
}

static bool named(const char *name, const char *const *names) {
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

json_t *walk_some(struct walk *w, const char *const *names) {
    json_auto_t *out = json_object();
    char key[WALK_KEY_MAX];
    size_t i = 0;

    if (!walk_open(w, '{'))
        return NULL;
    while (walk_member(w, &i, key)) {
        if (!named(key, names))
            walk_pass(w);
        else if (json_object_get(out, key))
            walk_wrong(w, "", "%s is there twice.", key);
        else if (!walk_null(w))
            json_object_set_new(out, key, walk_value(w));
    }
    return *w->fault->detail ? NULL : json_incref(out);
}

size_t walk_down(struct walk *w, const char *key, size_t i) {
    size_t there = strlen(w->path);

    if (key)
        snprintf(w->path + there, sizeof w->path - there, "/%s", key);
    else
        snprintf(w->path + there, sizeof w->path - there, "/%zu", i);
    return there;
}

void walk_up(struct walk *w, size_t length) {
    w->path[length] = '\0';
}
