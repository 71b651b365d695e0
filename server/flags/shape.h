/* flags/shape.h: what keys a JSON object may have, as a table.  Private to flags/, whose documents
 * come from imports, too, where no body schema has looked at them. */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include <stdbool.h>

typedef enum ShapeType {
    SHAPE_TEXT, /* string; min, max: bytes */
    SHAPE_WORD, /* one of `words`, "a|b|c" */
    SHAPE_INT,  /* min, max: value */
    SHAPE_BOOL,
    SHAPE_TEXTS,  /* array of strings of at most FLAG_TEXT_MAX bytes; max: how many */
    SHAPE_MAP,    /* object of strings of at most FLAG_TEXT_MAX bytes; max: how many */
    SHAPE_OBJECT, /* `of` describes it */
    SHAPE_LIST,   /* array of objects that `of` describes; max: how many */
    SHAPE_ANY,    /* somebody else looks at it */
} ShapeType;

struct shape;
struct shape_key {
    const char *name;
    ShapeType type;
    bool required; /* null counts as absent */
    int64_t min, max;
    const char *words;
    const struct shape *of;
    int64_t text_max; /* of each string of SHAPE_TEXTS and SHAPE_MAP */
};
struct shape {
    const struct shape_key *keys;
    size_t count;
};

/* Adds {field, code, detail} rows to errors, `at` being the pointer to v; stops at `max` rows.
 * True: nothing was added. */
bool shape_check(const struct shape *shape, const json_t *v, const char *at, size_t max,
                 json_t *errors);
/* The same of one value. */
bool shape_check_key(const struct shape_key *key, const json_t *v, const char *at, size_t max,
                     json_t *errors);
/* Whether it is one of "a|b|c". */
bool shape_word(const char *words, const char *word);
