/* flags/constraint.h: one condition about a field of the context, compiled.  Private to flags/. */
#pragma once
#include "base/arena.h"
#include "flags/context.h"
#include "flags/parse.h"
#include "flags/set.h"
#include "flags/words.h"

struct regex;
struct text_list {
    struct set_entry *texts; /* hash and index are not used */
    size_t n;
};
struct network_list {
    struct network *list;
    size_t n;
};
struct constraint {
    const struct operator_row *row; /* NULL: cannot be evaluated, and so holds for nobody */
    struct context_field field;
    bool inverted, folds;
    union {
        struct set set;
        struct text_list texts;
        struct network_list networks;
        double number;
        int64_t us;
        const struct semver *version;
        const struct regex *regex;
    };
};

/* Of any JSON; what it keeps is in the fields' arena. */
struct constraint constraint_compile(struct context_fields *fields, const json_t *from);
/* A field that the context lacks fails the test (and passes NOT_IN); then `inverted` counts. */
bool constraint_holds(const struct constraint *one, const struct flag_context *context);

/* Shared with strategies: an array of strings, or of "a, b". */
struct set set_of_json(struct arena *arena, const json_t *values);
struct set set_of_list(struct arena *arena, const char *list, bool folds);
struct network_list networks_of_list(struct arena *arena, const char *list);
bool networks_hold(const struct network_list *networks, const struct context_value *address);
