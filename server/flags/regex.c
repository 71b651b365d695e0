/* flags/regex.c: a program of a few instructions, run for all ways to match at once (Thompson), so
 * that no text makes it slow. */
#include "flags/regex.h"
#include "base/cleanup.h"
#include "flags/letters.h"
#include "flags/regex_program.h"
#include <string.h>

/* ---- from the tree to the program ---- */

/* The tree may say "nothing, a thousand times, a thousand times": visits are counted, too. */
enum { VISITS_MAX = 20 * REGEX_PROGRAM_MAX };

struct generator {
    struct regex_instruction program[REGEX_PROGRAM_MAX];
    size_t n, visits;
    bool full;
};

static size_t emit(struct generator *g, struct regex_instruction one) {
    if (g->n == REGEX_PROGRAM_MAX) {
        g->full = true;
        return 0;
    }
    g->program[g->n] = one;
    return g->n++;
}

static void generate(struct generator *g, const struct regex_node *n);

static size_t split(struct generator *g) {
    size_t at = emit(g, (struct regex_instruction){.op = RE_SPLIT});

    g->program[at].x = (uint16_t)g->n;
    return at;
}

static void generate_alternatives(struct generator *g, const struct regex_node *n) {
    size_t begin = split(g), jump;

    generate(g, n->a);
    jump = emit(g, (struct regex_instruction){.op = RE_JUMP});
    g->program[begin].y = (uint16_t)g->n;
    generate(g, n->b);
    g->program[jump].x = (uint16_t)g->n;
}

static void generate_repeat(struct generator *g, const struct regex_node *n) {
    for (int i = 0; i < n->min && !g->full; i++)
        generate(g, n->a);
    if (n->max < 0) {
        size_t begin = split(g);

        generate(g, n->a);
        emit(g, (struct regex_instruction){.op = RE_JUMP, .x = (uint16_t)begin});
        g->program[begin].y = (uint16_t)g->n;
    }
    for (int i = n->min; i < n->max && !g->full; i++) {
        size_t begin = split(g);

        generate(g, n->a);
        g->program[begin].y = (uint16_t)g->n;
    }
}

static void generate(struct generator *g, const struct regex_node *n) {
    if (++g->visits > VISITS_MAX)
        g->full = true;
    if (g->full)
        return;
    switch (n->kind) {
    case NODE_EMPTY:
        break;
    case NODE_ONE:
        emit(g, n->one);
        break;
    case NODE_CAT:
        generate(g, n->a);
        generate(g, n->b);
        break;
    case NODE_ALT:
        generate_alternatives(g, n);
        break;
    case NODE_REPEAT:
        generate_repeat(g, n);
        break;
    }
}

/* A set without the room it was parsed in. */
static const struct regex_set *copy_set(struct arena *arena, const struct regex_set *from) {
    struct regex_set *set = arena_alloc(arena, sizeof *set);

    *set = *from;
    set->ranges = arena_alloc(arena, set->n * sizeof *set->ranges);
    if (set->n)
        memcpy(set->ranges, from->ranges, set->n * sizeof *set->ranges);
    return set;
}

static const struct regex *copy_program(struct arena *arena, const struct generator *g) {
    struct regex *re = arena_alloc(arena, sizeof *re);

    re->program = arena_alloc(arena, g->n * sizeof *re->program);
    memcpy(re->program, g->program, g->n * sizeof *re->program);
    re->n = g->n;
    re->anchored = g->program[0].op == RE_TEXT_BEGIN;
    for (size_t i = 0; i < re->n; i++) {
        const struct regex_set *set = re->program[i].set;

        if (set && i && set == g->program[i - 1].set) /* [a-z]{64} has one set */
            re->program[i].set = re->program[i - 1].set;
        else if (set)
            re->program[i].set = copy_set(arena, set);
    }
    return re;
}

const struct regex *regex_compile(struct arena *arena, const char *pattern, bool fold,
                                  const char **ret_wrong) {
    _cleanup_(arena_done) struct arena scratch = {0};
    const char *wrong = "Too long for a regular expression.";
    const struct regex_node *tree = NULL;
    struct generator *g = arena_alloc(&scratch, sizeof *g);

    if (strlen(pattern) <= REGEX_PATTERN_MAX)
        tree = regex_parse(&scratch, pattern, fold, &wrong);
    if (tree) {
        generate(g, tree);
        emit(g, (struct regex_instruction){.op = RE_MATCH});
        wrong = g->full ? "Too large for a regular expression." : NULL;
    }
    *ret_wrong = wrong;
    return wrong ? NULL : copy_program(arena, g);
}

/* ---- running it ---- */

/* Where we are in the text, for the assertions. */
struct place {
    const char *text;
    size_t at, n;
};
/* The instructions that wait for a letter; each once. */
struct threads {
    uint32_t mark[REGEX_PROGRAM_MAX], round; /* mark == round: was looked at */
    uint16_t list[REGEX_PROGRAM_MAX];
    size_t n;
};

static bool word(const struct place *p, size_t at) {
    unsigned char c = at < p->n ? (unsigned char)p->text[at] : 0;

    return (c >= '0' && c <= '9') || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool holds(RegexOp assertion, const struct place *p) {
    bool edge = word(p, p->at) != (p->at > 0 && word(p, p->at - 1));

    switch ((int)assertion) {
    case RE_TEXT_BEGIN:
        return p->at == 0;
    case RE_TEXT_END:
        return p->at == p->n;
    case RE_LINE_BEGIN:
        return p->at == 0 || p->text[p->at - 1] == '\n';
    case RE_LINE_END:
        return p->at == p->n || p->text[p->at] == '\n';
    case RE_WORD_EDGE:
        return edge;
    default:
        return !edge;
    }
}

/* Adds what can go on at `begin` here; true: that is a match. */
static bool follow(const struct regex *re, struct threads *t, uint16_t begin,
                   const struct place *p) {
    uint16_t stack[REGEX_PROGRAM_MAX + 1];
    size_t depth = 0;

    stack[depth++] = begin;
    while (depth) {
        uint16_t pc = stack[--depth];
        const struct regex_instruction *i = &re->program[pc];

        if (t->mark[pc] == t->round)
            continue;
        t->mark[pc] = t->round;
        if (i->op == RE_MATCH)
            return true;
        if (i->op == RE_SPLIT) {
            stack[depth++] = i->y;
            stack[depth++] = i->x;
        } else if (i->op == RE_JUMP) {
            stack[depth++] = i->x;
        } else if (i->op == RE_LETTER || i->op == RE_SET) {
            t->list[t->n++] = pc;
        } else if (holds(i->op, p)) {
            stack[depth++] = (uint16_t)(pc + 1);
        }
    }
    return false;
}

static bool in_set(const struct regex_set *set, uint32_t letter) {
    for (size_t i = 0; i < set->n; i++)
        if (letter >= set->ranges[i].first && letter <= set->ranges[i].last)
            return true;
    return false;
}

static bool takes(const struct regex_instruction *i, uint32_t letter) {
    if (i->op == RE_LETTER)
        return i->letter == (i->fold ? letter_lower(letter) : letter);
    if (in_set(i->set, letter))
        return !i->set->negated;
    if (i->fold && (in_set(i->set, letter_lower(letter)) || in_set(i->set, letter_upper(letter))))
        return !i->set->negated;
    return i->set->negated;
}

bool regex_matches(const struct regex *re, const char *text, size_t n) {
    struct threads lists[2] = {{.round = 1}, {.round = 1}};
    struct place p = {.text = text, .n = n};

    for (uint32_t round = 1;; round++) {
        struct threads *now = &lists[round % 2], *then = &lists[(round + 1) % 2];
        size_t length = 0;
        uint32_t letter;

        if ((!re->anchored || p.at == 0) && follow(re, now, 0, &p))
            return true;
        if (p.at == n || (now->n == 0 && re->anchored))
            return false;
        letter = letter_next(text + p.at, n - p.at, &length);
        p.at += length;
        then->n = 0;
        then->round = round + 1;
        for (size_t i = 0; i < now->n; i++)
            if (takes(&re->program[now->list[i]], letter) &&
                follow(re, then, (uint16_t)(now->list[i] + 1), &p))
                return true;
    }
}
