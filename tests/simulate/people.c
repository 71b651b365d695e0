/* tests/simulate/people.c: what people ask for, at any moment, by the product's own verbs. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "rollout/plan.h"
#include "rollout/rollback.h"
#include "tests/simulate/simulate.h"
#include <stdio.h>
#include <string.h>

#define SPEC(promote, idle, keep, checks)                                                          \
    "{\"namespace\": \"n\", \"container\": \"app\", \"strategy\": \"blue-green\","                 \
    " \"blue_green\": {\"service\": \"svc\", \"selector_key\": \"environment\","                   \
    "  \"colors\": {\"blue\": {\"deployment\": \"blue\", \"service\": \"svc-blue\"},"              \
    "   \"green\": {\"deployment\": \"green\", \"service\": \"svc-green\"}},"                      \
    "  \"promote\": \"" promote "\", \"idle_rollout\": \"" idle "\", \"keep_previous_s\": " keep   \
    " }, \"checks\": {" checks "},"                                                                \
    " \"deadlines\": {\"available_s\": 60, \"checks_s\": 20, \"validate_s\": 10}}"
#define CHECK "[{\"name\": \"check\", \"consecutive\": 2}]"

static const char *const specs[] = {
    SPEC("auto", "own", "86400", ""),
    SPEC("auto", "at-once", "30", ""),
    SPEC("auto", "own", "30", "\"health\": " CHECK ", \"production\": " CHECK),
    SPEC("manual", "at-once", "30", "\"smoke\": " CHECK),
};
enum { SPECS = sizeof specs / sizeof *specs };

static json_t *parsed[SPECS]; /* kept for the process's life */

void people_keep(void) {
    for (size_t i = 0; i < SPECS; i++)
        parsed[i] = json_parse(specs[i]);
}

void people_begin(void) {
    world.spec = parsed[roll(SPECS)];
    world.gated = roll(3) == 0;
    world.next_version = 2;
    world.wanted = 1 + (int)roll(3);
    world.verbs = roll(2) ? 0 : 1 + (int)roll(6);
    for (int i = 2; i < VERSIONS; i++)
        world.sick[i] = (uint8_t)(roll(10) == 0   ? SICK_NEVER_READY
                                  : roll(10) == 0 ? SICK_FAILS
                                  : roll(10) == 0 ? SICK_LATER
                                                  : 0);
}

static const struct actor person = {"{}", "here"};

static char *new_id(char id[40]) {
    snprintf(id, 40, "%08llu", (unsigned long long)++world.number);
    return id;
}

/* ---- deploying ---- */

static void make_plan(void) {
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_(seen_done) struct seen seen = {0};
    const char *why = NULL;
    char version[16], image[16];
    int number = world.next_version < VERSIONS - 1 ? world.next_version++ : VERSIONS - 1;
    struct sight now = cluster_now();
    const struct plan_request request = {
        .spec = world.spec, .version = version, .image = image, .seen = &seen};

    snprintf(version, sizeof version, "v%d", number);
    snprintf(image, sizeof image, "app:%d", number);
    cluster_see(&now, &seen);
    json_decref(world.ready_plan);
    if (plan_make(&request, &arena, &world.ready_plan, &why) != STATUS_OK)
        broke("a plan is refused: %s", why);
    world.ready_cutover = world.cutover;
    if (world.wrong != WRONG_OLD_PLAN)
        return;
    if (!world.first_plan)
        world.first_plan = json_incref(world.ready_plan);
    json_object_set(world.ready_plan, "from", json_object_get(world.first_plan, "from"));
}

/* As POST /deployments does: it looks, then begins in a transaction that sees whether anything was
 * moved since. */
static void deploy(void) {
    json_t *plan;
    char id[40];

    if (!world.ready_plan) {
        make_plan();
        if (roll(4) == 0)
            return;
    }
    if (rows_active() >= 0)
        return;
    plan = world.ready_plan;
    world.ready_plan = NULL;
    if (world.ready_cutover != world.cutover && world.wrong != WRONG_OLD_PLAN) {
        json_decref(plan);
        return;
    }
    rows_insert(new_id(id), "deploy", plan, deployment_steps_json("blue-green", world.gated, plan),
                -1);
    world.wanted--;
}

/* ---- the verbs ---- */

static const char *serving(char text[16]) {
    snprintf(text, 16, "%s v%d", color_names[world.object[SERVICE].selector],
             world.object[WORKLOAD + world.object[SERVICE].selector].version);
    return text;
}

static void roll_back(struct verb_request *in) {
    const struct deployed *last = &world.d[world.count - 1];
    bool active = rows_active() >= 0, has_from = last->has_from;
    bool backward = strcmp(last->kind, "rollback") == 0;
    bool nothing_moves =
        !active &&
        (backward || strcmp(last->state, "aborted") == 0 || strcmp(last->state, "failed") == 0) &&
        strcmp(last->kind, "deploy") == 0;
    char id[40], before[16], version[16];
    const char *of = roll(4) ? NULL : world.d[roll((uint64_t)world.count)].id,
               *named = of || roll(8) ? NULL : version;
    const struct rollback_ask ask = {.app = "app",
                                     .environment = "production",
                                     .of = of,
                                     .version = named,
                                     .id = new_id(id),
                                     .reason = in->reason,
                                     .by = in->by,
                                     .arena = in->arena};
    struct verb_result result = {0};
    Status s;

    if (world.count > DEPLOYMENTS - 4)
        return;
    snprintf(version, sizeof version, "v%d", 1 + (int)roll((uint64_t)world.next_version));
    serving(before);
    s = deployment_rollback(NULL, &ask, &result);
    TRACE("rollback of %s to %s: %d", ask.of ? ask.of : "what was last",
          ask.version ? ask.version : "what was before", (int)s);
    if (!ask.of && !ask.version)
        HOLDS(s == STATUS_OK || !has_from, "law 2: a rollback is refused: %s",
              result.detail ? result.detail : "?");
    if (s != STATUS_OK)
        return;
    HOLDS(!named || result.existing ||
              strcmp(named, json_str(json_object_get(world.d[world.count - 1].plan, "target"),
                                     "version", "")) == 0,
          "a rollback to %s goes to v%d", named, world.d[world.count - 1].version);
    HOLDS(!backward || ask.of || ask.version || result.existing, "law 2: two rollbacks toggle");
    if (nothing_moves && !ask.of && !ask.version) /* finding 2 */
        HOLDS(world.d[world.count - 1].target == world.object[SERVICE].selector,
              "law 5: a rollback after %s moves traffic away from %s", last->state, before);
}

static void traffic(struct verb_request *in) {
    _cleanup_(seen_done) struct seen seen = {0};
    json_auto_t *plan = NULL;
    struct sight now = cluster_now();
    Color color = roll(2) ? COLOR_BLUE : COLOR_GREEN;
    char id[40];
    const struct rollback_ask ask = {.app = "app",
                                     .environment = "production",
                                     .id = new_id(id),
                                     .by = in->by,
                                     .arena = in->arena};
    struct verb_result result = {0};

    if (world.count > DEPLOYMENTS - 4 || color == now.object[SERVICE].selector)
        return;
    cluster_see(&now, &seen);
    plan = traffic_plan(world.spec, &seen, color);
    if (deployment_traffic(NULL, &ask, plan, traffic_has_capacity(&seen, color), &result) !=
        STATUS_OK)
        return;
}

/* A sign-off withdrawn, a freeze: law 4. */
static void close_gates(void) {
    int active = rows_active();

    world.gate_open = !world.gate_open;
    world.gate_frozen = roll(2);
    TRACE("gates %s", world.gate_open ? "open" : "close");
    if (!world.gate_open && active >= 0 && world.gated && !world.gate_frozen &&
        strcmp(world.d[active].kind, "deploy") == 0 && !world.d[active].cut)
        world.d[active].withdrawn = world.wrong == WRONG_GATE_SKEW;
}

static struct verb_request request_of(int of, struct arena *arena) {
    return (struct verb_request){.deployment_id = world.d[of].id, .by = person, .arena = arena};
}

typedef Status verb_fn(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret);

static bool ask(verb_fn *verb, struct verb_request *in) {
    struct verb_result result = {0};

    return verb(NULL, in, &result) == STATUS_OK;
}

static void some_verb(void) {
    static verb_fn *const verbs[] = {deployment_abort,  deployment_abort,   deployment_pause,
                                     deployment_resume, deployment_promote, deployment_retry};
    _cleanup_(arena_done) struct arena arena = {0};
    struct verb_request in = request_of(world.count - 1, &arena);
    uint64_t which = roll(12);

    TRACE("a person asks for %llu", (unsigned long long)which);
    if (which < 6)
        ask(verbs[which], &in);
    else if (which < 9)
        roll_back(&in);
    else if (which == 9)
        traffic(&in);
    else
        close_gates();
}

void people_act(void) {
    if (world.wanted > 0 && rows_active() < 0 && world.count < DEPLOYMENTS - 4)
        deploy();
    else if (world.verbs > 0 && world.count > 0 && chance(24)) {
        world.verbs--;
        some_verb();
    }
}

bool people_finish(void) {
    _cleanup_(arena_done) struct arena arena = {0};
    int active = rows_active();
    struct verb_request in;
    struct verb_result result = {0};

    world.gate_open = true;
    if (active < 0)
        return world.cleanup.deployment >= 0;
    in = request_of(active, &arena);
    if (strcmp(world.d[active].state, "paused") == 0)
        HOLDS(ask(deployment_promote, &in) || ask(deployment_resume, &in),
              "%s is paused and goes on by nothing", in.deployment_id);
    else if (strcmp(world.d[active].state, "stuck") == 0) {
        cluster_heal();
        if (roll(3) == 0)
            ask(deployment_retry, &in);
        else if (roll(2) || !ask(deployment_abort, &in))
            roll_back(&in);
        if (strcmp(world.d[active].state, "stuck") == 0 && roll(4) == 0 &&
            deployment_resolve(NULL, &in, false, &result) == STATUS_OK)
            world.d[active].closed = true;
    }
    return true;
}
