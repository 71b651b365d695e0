#include "flags/evaluate.h"
#include "flags/compiled.h"
#include "flags/hash.h"
#include "flags/letters.h"
#include <string.h>

/* What was looked at on the way. */
struct trace {
    const struct flags *flags;
    bool targeted, split, key_missing;
};

/* The memo: what fields the context has, then what segments said. */
typedef enum SegmentMemo { SEGMENT_UNASKED, SEGMENT_HOLDS, SEGMENT_FAILS } SegmentMemo;

size_t flag_memo_size(const struct flags *f) {
    return f->fields.n * sizeof(struct context_found) + f->segment_count;
}

const char *flag_reason_word(FlagReason reason) {
    static const char *const words[] = {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"};

    return words[reason];
}

/* ---- who it is ---- */

static const struct context_value *
there(const struct flag_context *c, const struct context_field *field, struct context_value *room) {
    const struct context_value *v = context_get(c, field, room);

    return v && v->n > 0 ? v : NULL;
}

/* The default: the user, else the session; variants may also go by the address. */
static const struct context_value *default_id(const struct flag_context *c, bool address,
                                              struct context_value *room) {
    static const FieldId ids[] = {FIELD_ID_USER, FIELD_ID_SESSION, FIELD_ID_ADDRESS};
    const struct context_value *v = NULL;

    for (size_t i = 0; !v && i < (address ? 3 : 2); i++)
        v = there(c, &context_known[ids[i]], room);
    return v;
}

/* Whom the hash is of; NULL: nobody is named, or it goes by chance. */
static const struct context_value *sticky_id(const struct stickiness *sticky, bool address,
                                             const struct flag_context *c, struct trace *trace,
                                             struct context_value *room) {
    const struct context_value *v;

    if (sticky->kind == STICKY_RANDOM)
        return NULL;
    v = sticky->kind == STICKY_DEFAULT ? default_id(c, address, room)
                                       : there(c, &sticky->field, room);
    trace->key_missing |= !v;
    return v;
}

/* From 1 to 100, the same each time for somebody; 0: the field it goes by is lacking. */
static uint32_t strategy_bucket(const struct strategy *s, const struct flag_context *c,
                                struct trace *trace) {
    struct context_value room;
    const struct context_value *id = sticky_id(&s->sticky, false, c, trace, &room);

    if (id)
        return hash_bucket(s->group, id->text, id->n, 100, HASH_ROLLOUT);
    return s->sticky.kind == STICKY_FIELD ? 0 : (uint32_t)(hash_random(c->random) % 100 + 1);
}

/* From 1 to the sum of the weights. */
static uint32_t variant_bucket(const struct variants *v, const struct flag_context *c,
                               struct trace *trace) {
    struct context_value room;
    const struct context_value *id = sticky_id(&v->sticky, true, c, trace, &room);

    if (id)
        return hash_bucket(v->group, id->text, id->n, v->total, HASH_VARIANT);
    return (uint32_t)(hash_random(c->random) % v->total + 1);
}

/* ---- strategies ---- */

static bool rollout_holds(const struct strategy *s, const struct flag_context *c,
                          struct trace *trace) {
    uint32_t bucket;

    trace->split |= s->percentage > 0 && s->percentage < 100;
    if (s->percentage <= 0)
        return false;
    bucket = strategy_bucket(s, c, trace);
    return bucket > 0 && bucket <= s->percentage;
}

static bool user_holds(const struct strategy *s, const struct flag_context *c) {
    struct context_value room;
    const struct context_value *v = there(c, &context_known[FIELD_ID_USER], &room);

    return v && set_find(&s->names, v->text, v->n) != SET_NONE;
}

static bool host_holds(const struct strategy *s, const struct flag_context *c) {
    char lower[FLAG_VALUE_MAX];
    struct context_value room;
    const struct context_value *v = there(c, &context_known[FIELD_ID_HOST], &room);

    if (!v)
        return false;
    memcpy(lower, v->text, v->n);
    letters_lower(lower, v->n);
    return set_find(&s->names, lower, v->n) != SET_NONE;
}

static bool address_holds(const struct strategy *s, const struct flag_context *c) {
    struct context_value room;
    const struct context_value *v = there(c, &context_known[FIELD_ID_ADDRESS], &room);

    return v && networks_hold(&s->networks, v);
}

static bool kind_holds(const struct strategy *s, const struct flag_context *c,
                       struct trace *trace) {
    switch (s->kind) {
    case STRATEGY_DEFAULT:
        return true;
    case STRATEGY_FLEXIBLE:
    case STRATEGY_GRADUAL_USER:
    case STRATEGY_GRADUAL_SESSION:
    case STRATEGY_GRADUAL_RANDOM:
        return rollout_holds(s, c, trace);
    case STRATEGY_USER_IDS:
        trace->targeted = true;
        return user_holds(s, c);
    case STRATEGY_HOSTNAMES:
        trace->targeted = true;
        return host_holds(s, c);
    case STRATEGY_ADDRESSES:
        trace->targeted = true;
        return address_holds(s, c);
    case STRATEGY_UNKNOWN:
        break;
    }
    return false;
}

static bool constraints_hold(const struct constraints *constraints, const struct flag_context *c) {
    for (size_t i = 0; i < constraints->n; i++)
        if (!constraint_holds(&constraints->list[i], c))
            return false;
    return true;
}

/* Many flags name the same segments: with a memo each is asked once. */
static bool segment_holds(const struct flags *f, int index, const struct flag_context *c) {
    char *memo = c->memo ? (char *)c->memo + f->fields.n * sizeof(struct context_found) : NULL;
    bool holds;

    if (index == SET_NONE)
        return false;
    if (memo && memo[index] != SEGMENT_UNASKED)
        return memo[index] == SEGMENT_HOLDS;
    holds = constraints_hold(&f->segments[index], c);
    if (memo)
        memo[index] = holds ? SEGMENT_HOLDS : SEGMENT_FAILS;
    return holds;
}

static bool strategy_holds(const struct strategy *s, const struct flag_context *c,
                           struct trace *trace) {
    trace->targeted |= s->constraints.n > 0 || s->segment_count > 0;
    if (!constraints_hold(&s->constraints, c))
        return false;
    for (size_t i = 0; i < s->segment_count; i++)
        if (!segment_holds(trace->flags, s->segments[i], c))
            return false;
    return kind_holds(s, c, trace);
}

/* ---- variants ---- */

static const struct variant *overridden(const struct variants *v, const struct flag_context *c) {
    struct context_value room;

    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->list[i].override_count; k++) {
            const struct override *o = &v->list[i].overrides[k];
            const struct context_value *value = context_get(c, &o->field, &room);

            if (value && set_find(&o->values, value->text, value->n) != SET_NONE)
                return &v->list[i];
        }
    return NULL;
}

/* NULL: none has a weight. */
static const struct flag_variant *choose(const struct variants *v, const struct flag_context *c,
                                         struct trace *trace) {
    const struct variant *one = v->total ? overridden(v, c) : NULL;
    uint32_t bucket, sum = 0;

    if (one)
        trace->targeted = true;
    if (one || !v->total)
        return one ? &one->view : NULL;
    trace->split |= v->split;
    bucket = v->split ? variant_bucket(v, c, trace) : 1;
    for (one = v->list; (sum += one->weight) < bucket;)
        one++;
    return &one->view;
}

/* ---- flags ---- */

/* Whether it is on, leaving aside what it depends on; *ret_strategy: by which (NULL: none has to
 * hold). */
static bool gate(const struct compiled_flag *flag, const struct flag_context *c,
                 struct trace *trace, const struct strategy **ret_strategy) {
    *ret_strategy = NULL;
    if (flag->view.killed || !flag->view.enabled)
        return false;
    for (size_t i = 0; i < flag->strategy_count; i++)
        if (strategy_holds(&flag->strategies[i], c, trace)) {
            *ret_strategy = &flag->strategies[i];
            return true;
        }
    return flag->everybody;
}

static const struct flag_variant *variant_of(const struct compiled_flag *flag,
                                             const struct strategy *strategy,
                                             const struct flag_context *c, struct trace *trace) {
    if (strategy && strategy->variants.total)
        return choose(&strategy->variants, c, trace);
    return choose(&flag->variants, c, trace);
}

/* A parent that depends on others itself satisfies nobody, as in Unleash: so there are no cycles.
 */
static bool dependency_holds(const struct dependency *d, const struct flag_context *c,
                             struct trace *trace) {
    const struct compiled_flag *parent =
        d->parent == SET_NONE ? NULL : &trace->flags->list[d->parent];
    const struct flag_variant *variant;
    const struct strategy *strategy;
    const char *name;
    bool on;

    trace->targeted = true;
    if (!parent || parent->dependency_count)
        return false;
    on = gate(parent, c, trace, &strategy);
    if (on != d->enabled || !on || !d->variants.slots)
        return on == d->enabled;
    variant = variant_of(parent, strategy, c, trace);
    name = variant ? variant->name : "disabled";
    return set_find(&d->variants, name, strlen(name)) != SET_NONE;
}

static bool dependencies_hold(const struct compiled_flag *flag, const struct flag_context *c,
                              struct trace *trace) {
    for (size_t i = 0; i < flag->dependency_count; i++)
        if (!dependency_holds(&flag->dependencies[i], c, trace))
            return false;
    return true;
}

static const char *value_of(const struct compiled_flag *flag, const struct flag_result *r) {
    if (flag->view.value_type == FLAG_BOOLEAN)
        return r->enabled ? "true" : "false";
    if (r->enabled && r->variant && r->variant->value)
        return r->variant->value;
    return flag->default_variant ? flag->default_variant->value : NULL;
}

struct flag_result flag_evaluate(const struct flags *f, const struct flag *flag,
                                 const struct flag_context *context) {
    const struct compiled_flag *compiled = (const struct compiled_flag *)(const void *)flag;
    const struct strategy *strategy;
    struct flag_result r = {.reason = FLAG_DISABLED};
    struct trace trace = {.flags = f};

    if (!flag->killed && flag->enabled) {
        r.enabled = dependencies_hold(compiled, context, &trace) &&
                    gate(compiled, context, &trace, &strategy);
        if (r.enabled)
            r.variant = variant_of(compiled, strategy, context, &trace);
        r.reason = trace.split ? FLAG_SPLIT : trace.targeted ? FLAG_TARGETING_MATCH : FLAG_STATIC;
        r.key_missing = trace.key_missing;
    }
    r.value = value_of(compiled, &r);
    return r;
}
