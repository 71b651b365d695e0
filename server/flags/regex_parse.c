/* flags/regex_parse.c: from a pattern to a tree. */
#include "flags/letters.h"
#include "flags/regex_program.h"
#include <string.h>

enum { DEPTH_MAX = 100 };

struct parser {
    struct arena *arena;
    const char *at, *wrong;
    bool fold, lines, dot_all; /* (?i), (?m), (?s) */
    unsigned depth;
};

static const struct regex_node *parse_alternatives(struct parser *p);

static struct regex_node *node(struct parser *p, NodeKind kind) {
    struct regex_node *n = arena_alloc(p->arena, sizeof *n);

    n->kind = kind;
    return n;
}

static const struct regex_node *fail(struct parser *p, const char *wrong) {
    if (!p->wrong)
        p->wrong = wrong;
    return NULL;
}

static const struct regex_node *one(struct parser *p, RegexOp op) {
    struct regex_node *n = node(p, NODE_ONE);

    n->one = (struct regex_instruction){.op = op, .fold = p->fold};
    return n;
}

static const struct regex_node *letter(struct parser *p, uint32_t which) {
    struct regex_node *n = node(p, NODE_ONE);

    n->one = (struct regex_instruction){
        .op = RE_LETTER, .fold = p->fold, .letter = p->fold ? letter_lower(which) : which};
    return n;
}

static const struct regex_node *set_node(struct parser *p, const struct regex_set *set) {
    struct regex_node *n = node(p, NODE_ONE);

    if (!set)
        return fail(p, "A [set] is not complete, or a class in it is unknown.");
    n->one = (struct regex_instruction){.op = RE_SET, .fold = p->fold, .set = set};
    return n;
}

static const struct regex_node *parse_dot(struct parser *p) {
    struct regex_set *set = arena_alloc(p->arena, sizeof *set);

    set->negated = true;
    if (!p->dot_all) {
        set->ranges = arena_alloc(p->arena, sizeof *set->ranges);
        set->ranges[set->n++] = (struct regex_range){'\n', '\n'};
    }
    return set_node(p, set);
}

/* p->at stands behind the backslash. */
static const struct regex_node *parse_escape(struct parser *p) {
    static const char names[] = "AzbB";
    static const RegexOp ops[] = {RE_TEXT_BEGIN, RE_TEXT_END, RE_WORD_EDGE, RE_NO_WORD_EDGE};
    const char *named = *p->at ? strchr(names, *p->at) : NULL;
    const struct regex_set *class = regex_class(p->arena, *p->at);
    uint32_t which;

    if (named || class)
        p->at++;
    if (named)
        return one(p, ops[named - names]);
    if (class)
        return set_node(p, class);
    return regex_escaped(&p->at, &which) ? letter(p, which)
                                         : fail(p, "This \\ sequence is not known.");
}

/* The flags of (?ims-ims; p->at ends at what is behind them. */
static bool parse_flags(struct parser *p) {
    bool on = true;

    for (; *p->at && strchr("imsU-", *p->at); p->at++) {
        if (*p->at == '-')
            on = false;
        else if (*p->at == 'i')
            p->fold = on;
        else if (*p->at == 'm')
            p->lines = on;
        else if (*p->at == 's')
            p->dot_all = on;
    }
    return *p->at == ':' || *p->at == ')';
}

/* ?P<name> and ?<name>: which group it is does not matter. */
static bool skip_name(struct parser *p) {
    const char *at = p->at + (*p->at == 'P');
    size_t n;

    if (*at++ != '<')
        return false;
    n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (n == 0 || at[n] != '>')
        return false;
    p->at = at + n + 1;
    return true;
}

static bool count(const char **at, int *ret) {
    size_t n = strspn(*at, "0123456789");

    *ret = 0;
    if (n == 0)
        return false;
    for (; n; n--, (*at)++)
        if (*ret <= REGEX_REPEAT_MAX)
            *ret = *ret * 10 + (**at - '0');
    return true;
}

/* {n}, {n,}, {n,m}; anything else behind a brace makes it a plain letter, as in RE2. */
static bool counted(struct parser *p, int *min, int *max) {
    const char *at = p->at + 1;

    if (*p->at != '{' || !count(&at, min))
        return false;
    *max = *min;
    if (*at == ',') {
        at++;
        if (!count(&at, max))
            *max = -1;
    }
    if (*at++ != '}')
        return false;
    p->at = at;
    return true;
}

static bool repetition(struct parser *p, int *min, int *max) {
    char c = *p->at;

    *min = c == '+';
    *max = c == '?' ? 1 : -1;
    if (c && strchr("*+?", c))
        p->at++;
    else if (!counted(p, min, max))
        return false;
    if (*p->at == '?') /* as little as possible: no difference to whether it matches */
        p->at++;
    return true;
}

/* Whether a repetition stands here, where there is nothing to repeat. */
static bool repeats(const struct parser *p) {
    struct parser ahead = *p;
    int min, max;

    return repetition(&ahead, &min, &max);
}

/* p->at stands behind the parenthesis. */
static const struct regex_node *parse_group(struct parser *p) {
    const struct parser before = *p;
    const struct regex_node *n;

    if (++p->depth > DEPTH_MAX)
        return fail(p, "Too many groups within each other.");
    if (*p->at == '?') {
        p->at++;
        if (!skip_name(p)) {
            if (!parse_flags(p))
                return fail(p, "This kind of (?…) is not supported.");
            if (*p->at++ == ')') { /* from here to the end of the group around it */
                p->depth--;
                return repeats(p) ? fail(p, "There is nothing to repeat.") : node(p, NODE_EMPTY);
            }
        }
    }
    n = parse_alternatives(p);
    if (n && *p->at++ != ')')
        return fail(p, "A parenthesis is not closed.");
    p->depth--;
    p->fold = before.fold;
    p->lines = before.lines;
    p->dot_all = before.dot_all;
    return n;
}

static const struct regex_node *parse_atom(struct parser *p) {
    size_t n;
    uint32_t which;

    if (repeats(p))
        return fail(p, "There is nothing to repeat.");
    switch (*p->at) {
    case '(':
        p->at++;
        return parse_group(p);
    case '[':
        p->at++;
        return set_node(p, regex_parse_set(p->arena, &p->at));
    case '\\':
        p->at++;
        return parse_escape(p);
    case '.':
        p->at++;
        return parse_dot(p);
    case '^':
        p->at++;
        return one(p, p->lines ? RE_LINE_BEGIN : RE_TEXT_BEGIN);
    case '$':
        p->at++;
        return one(p, p->lines ? RE_LINE_END : RE_TEXT_END);
    case '*':
    case '+':
    case '?':
        return fail(p, "There is nothing to repeat.");
    default:
        which = letter_next(p->at, strlen(p->at), &n);
        p->at += n;
        return letter(p, which);
    }
}

static const struct regex_node *parse_repeated(struct parser *p) {
    const struct regex_node *atom = parse_atom(p);
    struct regex_node *n;
    int min, max;

    if (!atom || !repetition(p, &min, &max))
        return atom;
    if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX || (max >= 0 && max < min))
        return fail(p, "A repetition is out of range (0 to 1000).");
    n = node(p, NODE_REPEAT);
    n->a = atom;
    n->min = min;
    n->max = max;
    if (repetition(p, &min, &max))
        return fail(p, "A repetition is repeated.");
    return n;
}

static const struct regex_node *pair(struct parser *p, NodeKind kind, const struct regex_node *a,
                                     const struct regex_node *b) {
    struct regex_node *n = node(p, kind);

    n->a = a;
    n->b = b;
    return n;
}

static const struct regex_node *parse_sequence(struct parser *p) {
    const struct regex_node *all = node(p, NODE_EMPTY);

    while (*p->at && *p->at != '|' && *p->at != ')') {
        const struct regex_node *next = parse_repeated(p);

        if (!next)
            return NULL;
        all = pair(p, NODE_CAT, all, next);
    }
    return all;
}

static const struct regex_node *parse_alternatives(struct parser *p) {
    const struct regex_node *all = parse_sequence(p);

    while (all && *p->at == '|') {
        const struct regex_node *next;

        p->at++;
        next = parse_sequence(p);
        all = next ? pair(p, NODE_ALT, all, next) : NULL;
    }
    return all;
}

const struct regex_node *regex_parse(struct arena *arena, const char *pattern, bool fold,
                                     const char **ret_wrong) {
    struct parser p = {.arena = arena, .at = pattern, .fold = fold};
    const struct regex_node *all = parse_alternatives(&p);

    if (all && *p.at)
        all = fail(&p, "A parenthesis was not opened.");
    *ret_wrong = p.wrong;
    return all;
}
