#include "flags/constraint.h"
#include "base/clock.h"
#include "flags/letters.h"
#include "flags/regex.h"
#include <string.h>

/* ---- compiling ---- */

struct set set_of_json(struct arena *arena, const json_t *values) {
    struct set set;
    const json_t *one;
    size_t i;

    set_init(&set, arena, json_array_size(values));
    json_array_foreach(values, i, one) {
        size_t n = json_string_length(one);

        if (json_is_string(one))
            set_add(&set, arena_strndup(arena, json_string_value(one), n), n, (int)i);
    }
    return set;
}

/* How many elements "a, b" has at most. */
static size_t elements(const char *list) {
    size_t n = 1;

    for (; *list; list++)
        n += *list == ',';
    return n;
}

struct set set_of_list(struct arena *arena, const char *list, bool folds) {
    struct set set;
    const char *one;
    size_t n;

    set_init(&set, arena, elements(list));
    while ((one = parse_element(&list, &n))) {
        char *copy = n ? arena_strndup(arena, one, n) : NULL;

        if (copy && folds)
            letters_lower(copy, n);
        if (copy)
            set_add(&set, copy, n, 0);
    }
    return set;
}

static void add_network(struct network_list *list, const char *text, size_t n) {
    if (parse_network(text, n, &list->list[list->n])) /* what is none is left out, as in Unleash */
        list->n++;
}

struct network_list networks_of_list(struct arena *arena, const char *list) {
    struct network_list out = {.list = arena_alloc(arena, elements(list) * sizeof *out.list)};
    const char *one;
    size_t n;

    while ((one = parse_element(&list, &n)))
        add_network(&out, one, n);
    return out;
}

static struct network_list networks_of_json(struct arena *arena, const json_t *values) {
    struct network_list out = {.list =
                                   arena_alloc(arena, json_array_size(values) * sizeof *out.list)};
    const json_t *one;
    size_t i;

    json_array_foreach(values, i, one) if (json_is_string(one))
        add_network(&out, json_string_value(one), json_string_length(one));
    return out;
}

static struct text_list texts_of_json(struct arena *arena, const json_t *values, bool folds) {
    struct text_list out = {.texts =
                                arena_alloc(arena, json_array_size(values) * sizeof *out.texts)};
    const json_t *one;
    size_t i;

    json_array_foreach(values, i, one) {
        size_t n = json_string_length(one);
        char *copy = n ? arena_strndup(arena, json_string_value(one), n) : NULL;

        if (copy && folds)
            letters_lower(copy, n);
        if (copy) /* every text begins with "", which nobody means */
            out.texts[out.n++] = (struct set_entry){.text = copy, .n = n};
    }
    return out;
}

static bool compile_version(struct arena *arena, const char *text, struct constraint *c) {
    struct semver *version = arena_alloc(arena, sizeof *version);

    c->version = version;
    return parse_version(text, version);
}

/* The one value, or the values, that the operator compares with; false: not such a one. */
static bool compile_values(struct arena *arena, const json_t *from, OperatorKind kind,
                           struct constraint *c) {
    const json_t *values = json_object_get(from, "values");
    const char *value = json_str(from, "value", ""), *wrong;

    switch (kind) {
    case KIND_SET:
        c->set = set_of_json(arena, values);
        return true;
    case KIND_TEXT:
        c->texts = texts_of_json(arena, values, c->folds);
        return true;
    case KIND_NETWORK:
        c->networks = networks_of_json(arena, values);
        return true;
    case KIND_NUMBER:
        return parse_number(value, &c->number);
    case KIND_DATE:
        return clock_parse(value, &c->us);
    case KIND_VERSION:
        return compile_version(arena, value, c);
    case KIND_REGEX:
        c->regex = regex_compile(arena, value, c->folds, &wrong);
        return !wrong;
    }
    return false;
}

struct constraint constraint_compile(struct context_fields *fields, const json_t *from) {
    const struct operator_row *row = operator_named(json_str(from, "operator", ""));
    const char *name = json_str(from, "context_name", NULL);
    struct constraint c = {.inverted = json_bool(from, "inverted", false)};

    if (!row || !name)
        return c;
    c.folds = row->folds && json_bool(from, "case_insensitive", false);
    c.field = context_field(fields, name);
    if (compile_values(fields->arena, from, row->kind, &c))
        c.row = row;
    return c;
}

/* ---- testing ---- */

static bool order_passes(OperatorTest test, int order) {
    switch ((int)test) {
    case TEST_EQ:
        return order == 0;
    case TEST_GT:
        return order > 0;
    case TEST_GTE:
        return order >= 0;
    case TEST_LT:
        return order < 0;
    case TEST_LTE:
        return order <= 0;
    default:
        return false;
    }
}

static bool text_passes(OperatorTest test, const char *text, size_t n,
                        const struct set_entry *part) {
    if (part->n > n)
        return false;
    switch ((int)test) {
    case TEST_STARTS:
        return memcmp(text, part->text, part->n) == 0;
    case TEST_ENDS:
        return memcmp(text + n - part->n, part->text, part->n) == 0;
    default:
        return memmem(text, n, part->text, part->n) != NULL;
    }
}

static bool texts_pass(const struct constraint *c, const struct context_value *v) {
    char lower[FLAG_VALUE_MAX];
    const char *text = v->text;

    if (c->folds) {
        memcpy(lower, v->text, v->n);
        letters_lower(lower, v->n);
        text = lower;
    }
    for (size_t i = 0; i < c->texts.n; i++)
        if (text_passes(c->row->test, text, v->n, &c->texts.texts[i]))
            return true;
    return false;
}

bool networks_hold(const struct network_list *networks, const struct context_value *address) {
    struct network from;

    if (memchr(address->text, '/', address->n) || !parse_network(address->text, address->n, &from))
        return false;
    for (size_t i = 0; i < networks->n; i++)
        if (network_holds(&networks->list[i], &from))
            return true;
    return false;
}

static bool number_passes(const struct constraint *c, const struct context_value *v) {
    double number;

    return parse_number(v->text, &number) &&
           order_passes(c->row->test, (number > c->number) - (number < c->number));
}

static bool version_passes(const struct constraint *c, const struct context_value *v) {
    struct semver version;

    return parse_version(v->text, &version) &&
           order_passes(c->row->test, semver_compare(&version, c->version));
}

static bool date_passes(const struct constraint *c, const struct flag_context *context) {
    struct context_value room;
    const struct context_value *v;
    int64_t us;

    if (c->field.id == FIELD_ID_TIME) {
        if (!context_time(context, &us))
            return false;
    } else {
        v = context_get(context, &c->field, &room);
        if (!v || !clock_parse(v->text, &us))
            return false;
    }
    return order_passes(c->row->test, (us > c->us) - (us < c->us));
}

static bool passes(const struct constraint *c, const struct flag_context *context) {
    struct context_value room;
    const struct context_value *v;

    if (c->row->kind == KIND_DATE)
        return date_passes(c, context);
    v = context_get(context, &c->field, &room);
    if (!v)
        return c->row->test == TEST_NOT;
    switch (c->row->kind) {
    case KIND_SET:
        return (set_find(&c->set, v->text, v->n) == SET_NONE) == (c->row->test == TEST_NOT);
    case KIND_TEXT:
        return texts_pass(c, v);
    case KIND_NUMBER:
        return number_passes(c, v);
    case KIND_VERSION:
        return version_passes(c, v);
    case KIND_REGEX:
        return regex_matches(c->regex, v->text, v->n);
    case KIND_NETWORK:
        return networks_hold(&c->networks, v);
    case KIND_DATE:
        break;
    }
    return false;
}

bool constraint_holds(const struct constraint *one, const struct flag_context *context) {
    return one->row && passes(one, context) != one->inverted;
}
