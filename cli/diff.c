#include "cli/diff.h"
#include "base/cleanup.h"
#include "cli/gate.h"
#include "cli/text.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTEXT = 3,
    LINE_MOST = 1 << 16,
    PATH_MOST = 512,
    CELLS_MOST = 1 << 22, /* of the table of common lines: beyond it all is shown as replaced */
    STEPS_INDENT = 2,
};

static const char bold[] = "\033[1m", red[] = "\033[31m", green[] = "\033[32m", cyan[] = "\033[36m",
                  reset[] = "\033[0m";

/* ---- lines ---- */

struct lines {
    struct line {
        char *text; /* owned; clean */
        size_t indent;
    } * of;
    size_t n;
};

static void lines_done_cleanup(struct lines *l) {
    for (size_t i = 0; i < l->n; i++)
        free(l->of[i].text);
    free(l->of);
}

/* `lead`: what stands before the text, "- " or nothing; it counts as indentation of what follows.
 */
static void add_line(struct lines *l, size_t indent, const char *lead, const char *text) {
    struct strbuf b = STRBUF(LINE_MOST);

    strbuf_addf(&b, "%*s%s", (int)indent, "", *lead && !*text ? "-" : lead);
    text_add_clean(&b, text);
    l->of = xrealloc(l->of, (l->n + 1) * sizeof(*l->of));
    l->of[l->n++] = (struct line){strbuf_take(&b), indent + strlen(lead)};
}

/* Whether YAML reads it as the text that it is, without quotes. */
static bool is_plain(const char *text) {
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};
    char *end;

    if (!isalnum((unsigned char)*text) && !strchr("/_.$", *text))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0)
            return false;
    }
    strtod(text, &end);
    if (*end == '\0')
        return false;
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || (c[0] == ':' && (c[1] == ' ' || !c[1])) ||
            (c[0] == '#' && c > text && c[-1] == ' '))
            return false;
    }
    return text[strlen(text) - 1] != ' ';
}

static char *scalar_text(const json_t *v) {
    const char *text = json_string_value(v);

    return text && is_plain(text) ? xstrdup(text) : json_dumps(v, JSON_ENCODE_ANY);
}

static bool is_flat(const json_t *v) {
    return json_is_object(v) ? json_object_size(v) == 0
                             : !json_is_array(v) || json_array_size(v) == 0;
}

static void add_value(struct lines *l, size_t indent, const char *lead, const char *key,
                      const json_t *v);

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keys in their order of names: apiVersion, kind, metadata, spec. */
static const char **sorted_keys(const json_t *object) {
    const char **keys = xcalloc(json_object_size(object) + 1, sizeof(*keys)), *key;
    const json_t *v;
    size_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, v) keys[n++] = key;
    qsort(keys, n, sizeof(*keys), by_name);
    return keys;
}

/* The first line takes `lead`, the others are indented by as much. */
static void add_object(struct lines *l, size_t indent, const char *lead, const json_t *object) {
    _cleanup_free_ const char **keys = sorted_keys(object);

    for (size_t i = 0; keys[i]; i++)
        add_value(l, i ? indent + strlen(lead) : indent, i ? "" : lead, keys[i],
                  json_object_get(object, keys[i]));
}

static void add_array(struct lines *l, size_t indent, const json_t *array) {
    const json_t *element;
    size_t i;

    json_array_foreach(array, i, element) {
        if (json_is_object(element) && json_object_size(element))
            add_object(l, indent, "- ", element);
        else
            add_value(l, indent, "- ", NULL, element);
    }
}

/* A text of several lines, as a block. */
static void add_block(struct lines *l, size_t indent, const char *lead, const char *key,
                      const char *text) {
    _cleanup_free_ char *head = xasprintf("%s%s|", key ? key : "", key ? ": " : ""),
                        *copy = xstrdup(text);
    char *rest = copy, *line;

    add_line(l, indent, lead, head);
    while ((line = strsep(&rest, "\n"))) {
        if (*line || rest)
            add_line(l, indent + strlen(lead) + 2, "", line);
    }
}

static void add_value(struct lines *l, size_t indent, const char *lead, const char *key,
                      const json_t *v) {
    _cleanup_free_ char *scalar = is_flat(v) ? scalar_text(v) : NULL, *text = NULL;
    const char *string = json_string_value(v);

    if (string && strchr(string, '\n')) {
        add_block(l, indent, lead, key, string);
        return;
    }
    text = xasprintf("%s%s%s", key ? key : "",
                     !key     ? ""
                     : scalar ? ": "
                              : ":",
                     scalar ? scalar : "");
    add_line(l, indent, lead, text);
    if (scalar)
        return;
    if (json_is_object(v))
        add_object(l, indent + strlen(lead) + 2, "", v);
    else
        add_array(l, indent + strlen(lead), v);
}

/* What the API server keeps for itself says nothing about a change. */
static json_t *without_bookkeeping(const json_t *object) {
    static const char *const kept[] = {"managedFields", "resourceVersion",   "uid",
                                       "generation",    "creationTimestamp", "selfLink"};
    json_t *copy = json_deep_copy(object);
    json_t *metadata = json_object_get(copy, "metadata"),
           *annotations = json_object_get(metadata, "annotations");

    json_object_del(copy, "status");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        json_object_del(metadata, kept[i]);
    json_object_del(annotations, "kubectl.kubernetes.io/last-applied-configuration");
    return copy;
}

static void lines_of(struct lines *l, const json_t *object) {
    json_auto_t *copy = json_is_object(object) ? without_bookkeeping(object) : NULL;

    if (json_object_size(copy))
        add_object(l, 0, "", copy);
}

/* ---- the difference ---- */

struct edit {
    char sign; /* ' ', '-', '+' */
    const struct line *line;
};
struct edits {
    struct edit *of; /* owned; lines borrowed */
    size_t n, changed;
};

static void add_edit(struct edits *e, char sign, const struct line *line) {
    e->of[e->n++] = (struct edit){sign, line};
    e->changed += sign != ' ';
}

static bool same(const struct line *a, const struct line *b) {
    return strcmp(a->text, b->text) == 0;
}

/* cells[i][j]: how many lines a[i…] and b[j…] have in common, in order. */
static unsigned *common_lines(const struct line *a, size_t n, const struct line *b, size_t m) {
    unsigned *cells = xcalloc((n + 1) * (m + 1), sizeof(*cells));

    for (size_t i = n; i-- > 0;) {
        for (size_t j = m; j-- > 0;) {
            unsigned *cell = &cells[i * (m + 1) + j], down = cells[(i + 1) * (m + 1) + j];

            if (same(&a[i], &b[j]))
                *cell = cells[(i + 1) * (m + 1) + j + 1] + 1;
            else
                *cell = down > cell[1] ? down : cell[1];
        }
    }
    return cells;
}

static void edit_middle(struct edits *e, const struct line *a, size_t n, const struct line *b,
                        size_t m) {
    _cleanup_free_ unsigned *cells =
        (n + 1) * (m + 1) <= CELLS_MOST ? common_lines(a, n, b, m) : NULL;
    size_t i = 0, j = 0;

    while (cells && i < n && j < m) {
        if (same(&a[i], &b[j])) {
            add_edit(e, ' ', &a[i++]);
            j++;
        } else if (cells[(i + 1) * (m + 1) + j] >= cells[i * (m + 1) + j + 1]) {
            add_edit(e, '-', &a[i++]);
        } else {
            add_edit(e, '+', &b[j++]);
        }
    }
    while (i < n)
        add_edit(e, '-', &a[i++]);
    while (j < m)
        add_edit(e, '+', &b[j++]);
}

static void edits_of(struct edits *e, const struct lines *a, const struct lines *b) {
    size_t first = 0, n = a->n, m = b->n;

    e->of = xcalloc(n + m + 1, sizeof(*e->of));
    while (first < n && first < m && same(&a->of[first], &b->of[first]))
        add_edit(e, ' ', &a->of[first++]);
    while (n > first && m > first && same(&a->of[n - 1], &b->of[m - 1])) {
        n--;
        m--;
    }
    edit_middle(e, a->of ? a->of + first : NULL, n - first, b->of ? b->of + first : NULL,
                m - first);
    for (; n < a->n; n++)
        add_edit(e, ' ', &a->of[n]);
}

/* ---- drawing ---- */

/* Whether a line is shown: it changes, or is near one that does. */
static bool shown(const struct edits *e, size_t at) {
    size_t first = at > CONTEXT ? at - CONTEXT : 0;

    for (size_t i = first; i < e->n && i <= at + CONTEXT; i++) {
        if (e->of[i].sign != ' ')
            return true;
    }
    return false;
}

/* Where in the object a line stands: "spec.template.spec.containers". */
static void add_path(struct strbuf *b, const struct edits *e, size_t at) {
    const char *keys[32];
    size_t lengths[32], n = 0, indent = e->of[at].line->indent;

    for (size_t i = at; i-- > 0 && indent > 0 && n < 32;) {
        const struct line *line = e->of[i].line;
        size_t length = strlen(line->text);

        /* a key whose lines follow, further in (or, for a list, as far in) */
        if (e->of[i].sign == '+' || length == 0 || line->text[length - 1] != ':' ||
            line->indent >= indent)
            continue;
        indent = line->indent;
        keys[n] = line->text + indent;
        lengths[n++] = length - indent - 1;
    }
    while (n-- > 0)
        strbuf_addf(b, "%.*s%s", (int)lengths[n], keys[n], n ? "." : "");
}

static void add_painted(struct strbuf *b, const struct look *look, const char *color,
                        const char *text) {
    strbuf_addf(b, "%s%s%s\n", look->color ? color : "", text, look->color ? reset : "");
}

static void add_hunk_head(struct strbuf *b, const struct edits *e, size_t at,
                          const struct look *look) {
    struct strbuf head = STRBUF(PATH_MOST);

    while (e->of[at].sign == ' ') /* a hunk has a line that changes */
        at++;
    strbuf_adds(&head, "@@ ");
    add_path(&head, e, at);
    strbuf_adds(&head, head.len > 3 ? " @@" : "@@");
    add_painted(b, look, cyan, head.data);
    strbuf_done(&head);
}

static void add_edits(struct strbuf *b, const struct edits *e, const struct look *look) {
    bool before = false;

    for (size_t i = 0; i < e->n; i++) {
        const struct edit *edit = &e->of[i];
        _cleanup_free_ char *text = NULL;
        bool now = shown(e, i);

        if (now && !before)
            add_hunk_head(b, e, i, look);
        before = now;
        if (!now)
            continue;
        text = xasprintf("%c%s", edit->sign, edit->line->text);
        add_painted(b, look, edit->sign == '+' ? green : edit->sign == '-' ? red : "", text);
    }
}

bool diff_objects(struct strbuf *b, const char *title, const json_t *before, const json_t *after,
                  const struct look *look) {
    _cleanup_(lines_done) struct lines was = {0}, is = {0};
    struct edits edits = {0};
    char *head;
    bool differ;

    lines_of(&was, before);
    lines_of(&is, after);
    edits_of(&edits, &was, &is);
    differ = edits.changed > 0;
    if (differ) {
        head = xasprintf("--- %s%s\n%s%s+++ %s%s", title, was.n ? " as it is" : " (none)",
                         look->color ? reset : "", look->color ? bold : "", title,
                         is.n ? " as it would be" : " (none)");
        add_painted(b, look, bold, head);
        free(head);
        add_edits(b, &edits, look);
    }
    free(edits.of);
    return differ;
}

/* ---- the answer of a dry run ---- */

static void add_step(struct strbuf *b, const json_t *step) {
    strbuf_addf(b, "%*s", STEPS_INDENT, "");
    if (json_is_string(step)) {
        text_add_clean(b, json_string_value(step));
    } else {
        text_add_fitted(b, json_str(step, "name", "?"), 20, true);
        strbuf_adds(b, "  ");
        text_add_clean(b, json_str(step, "title", ""));
    }
    strbuf_adds(b, "\n");
}

/* "2. apply Deployment inopnc-blue" and what it would change. */
static void add_change(struct strbuf *b, const json_t *change, const struct look *look) {
    struct strbuf title = STRBUF(PATH_MOST);
    _cleanup_free_ char *line = NULL;

    text_add_clean(&title, json_str(change, "kind", "object"));
    strbuf_adds(&title, " ");
    text_add_clean(&title, json_str(change, "name", "?"));
    line = xasprintf("\n%s %s", json_str(change, "verb", "write"), title.data);
    add_painted(b, look, bold, line);
    if (!diff_objects(b, title.data, json_object_get(change, "before"),
                      json_object_get(change, "after"), look))
        strbuf_adds(b, "  no difference\n");
    strbuf_done(&title);
}

void draw_plan(struct strbuf *b, const json_t *plan, const struct look *look) {
    const json_t *changes = json_object_get(plan, "changes"),
                 *gates = json_object_get(plan, "gates");
    const json_t *element;
    size_t i;

    add_painted(b, look, bold, "Steps");
    json_array_foreach(json_object_get(plan, "steps"), i, element) add_step(b, element);
    if (json_array_size(gates))
        add_painted(b, look, bold, "\nThe gates are closed");
    draw_blockers(b, gates, look);
    add_painted(b, look, bold, json_array_size(changes) ? "\nChanges" : "\nNo changes");
    json_array_foreach(changes, i, element) add_change(b, element, look);
    strbuf_adds(b, "\nNothing was changed: this was a dry run.\n");
}
