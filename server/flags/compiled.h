/* flags/compiled.h: what compile.c makes and evaluate.c reads.  Private to flags/. */
#pragma once
#include "flags/compile.h"
#include "flags/constraint.h"

typedef enum StickyKind { STICKY_DEFAULT, STICKY_RANDOM, STICKY_FIELD } StickyKind;
struct stickiness {
    StickyKind kind;
    struct context_field field;
};

struct override {
    struct context_field field;
    struct set values;
};
struct variant {
    struct flag_variant view;
    uint32_t weight;
    struct override *overrides;
    size_t override_count;
};
struct variants {
    struct variant *list;
    size_t n;
    uint32_t total; /* of the weights */
    bool split;     /* more than one has a weight */
    struct stickiness sticky;
    const char *group; /* of the hash */
};

struct constraints {
    struct constraint *list;
    size_t n;
};
struct strategy {
    StrategyKind kind;
    double percentage;
    const char *group;
    struct stickiness sticky;
    struct set names; /* users, hosts */
    struct network_list networks;
    struct constraints constraints;
    int *segments; /* indices; SET_NONE: there is none of that name */
    size_t segment_count;
    struct variants variants;
};

struct dependency {
    int parent; /* index; SET_NONE: there is none of that name */
    bool enabled;
    struct set variants;
};

struct compiled_flag {
    struct flag view; /* first: a struct flag * of ours is one of these */
    struct strategy *strategies;
    size_t strategy_count;
    bool everybody; /* it has no strategies (disabled ones count: they are for nobody) */
    struct variants variants;
    const struct flag_variant *default_variant;
    struct dependency *dependencies;
    size_t dependency_count;
};

struct flags {
    struct arena arena;
    struct compiled_flag *list;
    size_t n;
    struct set names, segment_names;
    struct constraints *segments;
    size_t segment_count;
    struct context_fields fields;
};
