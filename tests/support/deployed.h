/* tests/support/deployed.h: the plan of a deployment that suites roll back from, and of a rollback.
 */
#pragma once
#include "base/json.h"
#include "rollout/rollback.h"
#include "tests/support/suite.h"

#define IMAGE "ghcr.io/your-org/inopnc-wm:"

static const char spec_text[] =
    "{\"cluster\":\"local\",\"namespace\":\"production\",\"container\":\"app\",\"port\":3000,"
    "\"strategy\":\"blue-green\",\"blue_green\":{\"service\":\"inopnc-prod\",\"selector_key\":"
    "\"environment\",\"colors\":{\"blue\":{\"deployment\":\"inopnc-blue\",\"service\":\"inopnc-"
    "blue-service\"},\"green\":{\"deployment\":\"inopnc-green\",\"service\":\"inopnc-green-"
    "service\"}}},\"checks\":{\"health\":[{\"name\":\"health\",\"path\":\"/api/health\"}]},"
    "\"deadlines\":{\"available_s\":600,\"checks_s\":120,\"validate_s\":30}}";

/* v1.2.3 went to green while blue served v1.2.2 with three pods: the plan of that deployment. */
static json_t *deployed(void) {
    json_t *plan = json_object();

    json_object_set_new(plan, "spec", json_parse(spec_text));
    json_object_set_new(
        plan, "target",
        json_pack("{s:s,s:s,s:s}", "color", "green", "version", "v1.2.3", "image", IMAGE "v1.2.3"));
    json_object_set_new(
        plan, "from",
        json_pack("{s:s,s:s,s:s}", "color", "blue", "version", "v1.2.2", "image", IMAGE "v1.2.2"));
    json_object_set_new(
        plan, "resolved",
        json_parse("{\"color\":\"blue\",\"floor\":3,\"target\":{\"exists\":true,\"replicas\":2},"
                   "\"from\":{\"exists\":true,\"uid\":\"u-blue\",\"replicas\":3,\"template_hash\":"
                   "\"h122\",\"template\":{\"metadata\":{\"labels\":{\"app\":\"inopnc\","
                   "\"environment\":\"blue\"}},\"spec\":{\"n\":122}}}}"));
    return plan;
}

/* took_over: `last` is pre-empted and had written. */
static inline json_t *plan_of(json_t *basis, json_t *last, Color leaves, bool took_over) {
    const struct rollback_request in = {
        .basis = basis, .last = last, .leaves = leaves, .pre_empts = took_over, .wrote = took_over};
    struct arena arena = {0};
    const char *why = NULL;
    json_t *plan = rollback_plan(&in, &arena, &why);

    ck_assert_msg(plan != NULL, "%s", why);
    arena_done(&arena);
    return plan;
}
