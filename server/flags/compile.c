#include "base/cleanup.h"
#include "base/strbuf.h"
#include "flags/compiled.h"
#include "flags/model.h"
#include <string.h>

/* A text of the document, kept; NULL stays NULL. */
static const char *keep(struct flags *f, const json_t *from, const char *key,
                        const char *otherwise) {
    return arena_strdup(&f->arena, json_str(from, key, otherwise));
}

static void *room(struct flags *f, const json_t *list, size_t size) {
    return arena_alloc(&f->arena, json_array_size(list) * size);
}

static struct flag_json kept(struct flags *f, struct strbuf *b) {
    struct flag_json json = {arena_strndup(&f->arena, b->data, b->len), b->len};

    strbuf_done(b);
    return json;
}

/* ---- variants ---- */

static struct flag_json json_of(struct flags *f, const char *text) {
    struct strbuf b = STRBUF(SIZE_MAX);

    strbuf_add_json(&b, text);
    return kept(f, &b);
}

static const char *payload_value(struct flags *f, const char *type, const char *text) {
    bool quoted = strcmp(type, "string") == 0 || strcmp(type, "csv") == 0;
    json_auto_t *value = quoted ? json_string(text) : json_loads(text, JSON_DECODE_ANY, NULL);
    _cleanup_free_ char *json = NULL;

    if (!value || (strcmp(type, "number") == 0 && !json_is_number(value)))
        return NULL;
    json = json_text(value);
    return arena_strdup(&f->arena, json);
}

static struct flag_variant compile_view(struct flags *f, const json_t *from) {
    const json_t *payload = json_object_get(from, "payload");
    struct flag_variant v = {.name = keep(f, from, "name", "")};

    v.name_json = json_of(f, v.name);
    v.payload_type = keep(f, payload, "type", NULL);
    v.payload = keep(f, payload, "value", NULL);
    if (v.payload_type && v.payload)
        v.value = payload_value(f, v.payload_type, v.payload);
    else
        v.payload_type = v.payload = NULL;
    return v;
}

static void compile_overrides(struct flags *f, const json_t *from, struct variant *v) {
    const json_t *one;
    size_t i;

    v->overrides = room(f, from, sizeof *v->overrides);
    json_array_foreach(from, i, one) v->overrides[v->override_count++] =
        (struct override){.field = context_field(&f->fields, json_str(one, "context_name", "")),
                          .values = set_of_json(&f->arena, json_object_get(one, "values"))};
}

static struct stickiness stickiness(struct flags *f, const char *name) {
    if (!name || !*name || strcmp(name, "default") == 0)
        return (struct stickiness){.kind = STICKY_DEFAULT};
    if (strcmp(name, "random") == 0)
        return (struct stickiness){.kind = STICKY_RANDOM};
    return (struct stickiness){STICKY_FIELD, context_field(&f->fields, name)};
}

static uint32_t weight_of(const json_t *variant) {
    int64_t weight = json_int(variant, "weight", 0);

    return weight < 0 || weight > FLAG_WEIGHT_MAX ? 0 : (uint32_t)weight;
}

/* sticky: of the strategy around them, for those that have none of their own. */
static struct variants compile_variants(struct flags *f, const json_t *from, const char *group,
                                        const char *sticky) {
    struct variants out = {.group = group};
    size_t i, weighted = 0;
    const json_t *one;

    out.list = room(f, from, sizeof *out.list);
    json_array_foreach(from, i, one) {
        struct variant *v = &out.list[out.n++];

        v->view = compile_view(f, one);
        v->weight = weight_of(one);
        out.total += v->weight;
        weighted += v->weight > 0;
        compile_overrides(f, json_object_get(one, "overrides"), v);
    }
    out.split = weighted > 1;
    out.sticky = stickiness(f, json_str(json_array_get(from, 0), "stickiness", sticky));
    return out;
}

/* ---- strategies ---- */

static struct constraints compile_constraints(struct flags *f, const json_t *from) {
    struct constraints out = {.list = room(f, from, sizeof *out.list)};
    const json_t *one;
    size_t i;

    json_array_foreach(from, i, one) out.list[out.n++] = constraint_compile(&f->fields, one);
    return out;
}

static void compile_segments_named(struct flags *f, const json_t *names, struct strategy *s) {
    const json_t *name;
    size_t i;

    s->segments = room(f, names, sizeof *s->segments);
    json_array_foreach(names, i, name) {
        s->segments[s->segment_count++] =
            json_is_string(name)
                ? set_find(&f->segment_names, json_string_value(name), json_string_length(name))
                : SET_NONE;
    }
}

/* Empty counts as not given, as in Unleash. */
static const char *parameter(const json_t *parameters, const char *name, const char *otherwise) {
    const char *text = json_str(parameters, name, "");

    return *text ? text : otherwise;
}

static void compile_parameters(struct flags *f, const json_t *p, struct strategy *s) {
    const char *percentage =
        parameter(p, s->kind == STRATEGY_FLEXIBLE ? "rollout" : "percentage", "");

    if (!parse_percentage(percentage, &s->percentage))
        s->percentage = 0;
    s->sticky = stickiness(f, json_str(p, "stickiness", NULL));
    if (s->kind == STRATEGY_GRADUAL_USER)
        s->sticky = (struct stickiness){STICKY_FIELD, context_known[FIELD_ID_USER]};
    if (s->kind == STRATEGY_GRADUAL_SESSION)
        s->sticky = (struct stickiness){STICKY_FIELD, context_known[FIELD_ID_SESSION]};
    if (s->kind == STRATEGY_GRADUAL_RANDOM)
        s->sticky.kind = STICKY_RANDOM;
    if (s->kind == STRATEGY_USER_IDS)
        s->names = set_of_list(&f->arena, parameter(p, "userIds", ""), false);
    if (s->kind == STRATEGY_HOSTNAMES)
        s->names = set_of_list(&f->arena, parameter(p, "hostNames", ""), true);
    if (s->kind == STRATEGY_ADDRESSES)
        s->networks = networks_of_list(&f->arena, parameter(p, "IPs", ""));
}

static struct strategy compile_strategy(struct flags *f, const json_t *from, const char *flag) {
    const struct strategy_row *row = strategy_named(json_str(from, "name", ""));
    const json_t *parameters = json_object_get(from, "parameters");
    const char *group = parameter(parameters, "groupId", NULL);
    struct strategy s = {.kind = row ? row->kind : STRATEGY_UNKNOWN};

    /* The gradual strategies of older SDKs hash nothing before the colon where no group is given;
     * variants have always had the flag's name. */
    s.group = group ? arena_strdup(&f->arena, group) : s.kind == STRATEGY_FLEXIBLE ? flag : "";
    compile_parameters(f, parameters, &s);
    s.constraints = compile_constraints(f, json_object_get(from, "constraints"));
    compile_segments_named(f, json_object_get(from, "segments"), &s);
    s.variants = compile_variants(f, json_object_get(from, "variants"), group ? s.group : flag,
                                  json_str(parameters, "stickiness", NULL));
    return s;
}

/* ---- flags ---- */

static FlagValueType value_type(const json_t *from) {
    static const char *const words[] = {"boolean", "string", "number", "object"};
    const char *word = json_str(from, "value_type", "boolean");

    for (unsigned i = 1; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0)
            return (FlagValueType)i;
    return FLAG_BOOLEAN;
}

static void compile_strategies(struct flags *f, const json_t *from, struct compiled_flag *flag) {
    const json_t *one;
    size_t i;

    flag->strategies = room(f, from, sizeof *flag->strategies);
    flag->everybody =
        !from || json_is_null(from) || (json_is_array(from) && json_array_size(from) == 0);
    json_array_foreach(from, i, one) if (!json_bool(one, "disabled", false))
        flag->strategies[flag->strategy_count++] = compile_strategy(f, one, flag->view.name);
}

static void compile_dependencies(struct flags *f, const json_t *from, struct compiled_flag *flag) {
    const json_t *one;
    size_t i;

    flag->dependencies = room(f, from, sizeof *flag->dependencies);
    json_array_foreach(from, i, one) {
        const char *parent = json_str(one, "flag", "");

        flag->dependencies[flag->dependency_count++] = (struct dependency){
            .parent = set_find(&f->names, parent, strlen(parent)),
            .enabled = json_bool(one, "enabled", true),
            .variants = set_of_json(&f->arena, json_object_get(one, "variants"))};
    }
}

static const struct flag_variant *variant_named(const struct variants *variants, const char *name) {
    for (size_t i = 0; name && i < variants->n; i++)
        if (strcmp(variants->list[i].view.name, name) == 0)
            return &variants->list[i].view;
    return NULL;
}

static struct flag_json members_of(struct flags *f, const struct flag *flag) {
    struct strbuf b = STRBUF(SIZE_MAX);

    strbuf_adds(&b, "\"key\":");
    strbuf_add_json(&b, flag->name);
    strbuf_adds(&b, ",\"metadata\":{\"type\":");
    strbuf_add_json(&b, flag->type);
    strbuf_adds(&b, flag->stale ? ",\"stale\":true}" : "}");
    return kept(f, &b);
}

static void compile_flag(struct flags *f, const json_t *from, struct compiled_flag *flag) {
    flag->view.type = keep(f, from, "type", "release");
    flag->view.value_type = value_type(from);
    flag->view.impression_data = json_bool(from, "impression_data", false);
    flag->view.stale = json_bool(from, "stale", false);
    flag->view.enabled = json_bool(from, "enabled", false);
    flag->view.killed = json_bool(from, "killed", false);
    flag->view.members = members_of(f, &flag->view);
    compile_strategies(f, json_object_get(from, "strategies"), flag);
    flag->variants = compile_variants(f, json_object_get(from, "variants"), flag->view.name, NULL);
    flag->default_variant = variant_named(&flag->variants, json_str(from, "default_variant", NULL));
    compile_dependencies(f, json_object_get(from, "dependencies"), flag);
}

static void compile_segments(struct flags *f, const json_t *list) {
    const json_t *one;
    size_t i;

    set_init(&f->segment_names, &f->arena, json_array_size(list));
    f->segments = room(f, list, sizeof *f->segments);
    f->segment_count = json_array_size(list);
    json_array_foreach(list, i, one) {
        const char *name = keep(f, one, "name", "");

        set_add(&f->segment_names, name, strlen(name), (int)i);
        f->segments[i] = compile_constraints(f, json_object_get(one, "constraints"));
    }
}

struct flags *flags_compile(const json_t *document) {
    const json_t *list = json_object_get(document, "flags"), *one;
    struct flags *f = xcalloc(1, sizeof *f);
    size_t i;

    context_fields_init(&f->fields, &f->arena);
    compile_segments(f, json_object_get(document, "segments"));
    set_init(&f->names, &f->arena, json_array_size(list));
    f->list = room(f, list, sizeof *f->list);
    f->n = json_array_size(list);
    json_array_foreach(list, i, one) { /* all names first: dependencies may name later ones */
        f->list[i].view.name = keep(f, one, "name", "");
        set_add(&f->names, f->list[i].view.name, strlen(f->list[i].view.name), (int)i);
    }
    json_array_foreach(list, i, one) compile_flag(f, one, &f->list[i]);
    context_fields_done(&f->fields);
    return f;
}

void flags_free(struct flags *f) {
    if (!f)
        return;
    arena_done(&f->arena);
    free(f);
}

size_t flags_count(const struct flags *f) {
    return f->n;
}

const struct flag *flags_at(const struct flags *f, size_t i) {
    return &f->list[i].view;
}

const struct flag *flags_find(const struct flags *f, const char *name) {
    int at = set_find(&f->names, name, strlen(name));

    return at == SET_NONE ? NULL : &f->list[at].view;
}
