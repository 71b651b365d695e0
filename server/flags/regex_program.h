/* flags/regex_program.h: what a pattern becomes.  Private to flags/regex*.c. */
#pragma once
#include "flags/regex.h"
#include <stddef.h>
#include <stdint.h>

typedef enum RegexOp {
    RE_LETTER,     /* this letter */
    RE_SET,        /* one of these */
    RE_SPLIT,      /* go on at x and at y */
    RE_JUMP,       /* go on at x */
    RE_TEXT_BEGIN, /* assertions: go on where they hold */
    RE_TEXT_END,
    RE_LINE_BEGIN,
    RE_LINE_END,
    RE_WORD_EDGE,
    RE_NO_WORD_EDGE,
    RE_MATCH,
} RegexOp;

struct regex_range {
    uint32_t first, last;
};
struct regex_set {
    struct regex_range *ranges;
    size_t n;
    bool negated;
};
struct regex_instruction {
    RegexOp op;
    bool fold;
    uint16_t x, y;
    uint32_t letter;
    const struct regex_set *set;
};
struct regex {
    struct regex_instruction *program;
    size_t n;
    bool anchored; /* can match at the beginning only */
};

/* ---- between parser and generator ---- */
typedef enum NodeKind {
    NODE_EMPTY,
    NODE_ONE,    /* an instruction: a letter, a set, an assertion */
    NODE_CAT,    /* a, then b */
    NODE_ALT,    /* a or b */
    NODE_REPEAT, /* a, min to max times (max -1: any number) */
} NodeKind;
struct regex_node {
    NodeKind kind;
    struct regex_instruction one;
    const struct regex_node *a, *b;
    int min, max;
};
/* NULL with what is wrong. */
const struct regex_node *regex_parse(struct arena *arena, const char *pattern, bool fold,
                                     const char **ret_wrong);
/* A bracket expression behind its `[`, or an escaped class (\d); moves *at behind it.  NULL: none.
 */
const struct regex_set *regex_parse_set(struct arena *arena, const char **at);
const struct regex_set *regex_class(struct arena *arena, char name);
/* The letter behind a backslash ("n", "x41", "x{1F600}", "."); false: no letter of that kind. */
bool regex_escaped(const char **at, uint32_t *ret);
