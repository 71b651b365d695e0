/* http/limit.c: rates as requests meet them: who is counted, what is said.  Abort and rollback are
 * never refused (design.md, law 2); health and metrics are not counted. */
#include "base/clock.h"
#include "http/server.h"

static Status limited(struct exchange *x, RateKind kind) {
    json_t *violated = json_pack("[s]", rate_names[kind]);

    x->r.retry_after_s = (int)x->rate[kind].retry_after_s;
    atomic_fetch_add(&x->server->limited, 1);
    reply_extra(&x->r, "violated-policies", violated);
    return reply_refuse(&x->r, E_RATE_LIMITED,
                        kind == RATE_PRINCIPAL ? "You ask too often: come back in %d s."
                                               : "Your network asks too often: come back in %d s.",
                        x->r.retry_after_s);
}

static bool take(struct exchange *x, RateKind kind, uint64_t who) {
    x->rated[kind] = true;
    return rates_take(x->server->rates, kind, who, clock_monotonic_us(), &x->rate[kind]);
}

static bool counted(const struct exchange *x, RateKind kind) {
    const struct route *route = x->q.route;

    return rates_limit(x->server->rates, kind) && !(route && (route->urgent || route->unmetered));
}

Status limit_network(struct exchange *x) {
    if (!counted(x, RATE_NETWORK) || take(x, RATE_NETWORK, x->network))
        return STATUS_OK;
    return limited(x, RATE_NETWORK);
}

Status limit_principal(struct exchange *x) {
    if (!counted(x, RATE_PRINCIPAL) ||
        take(x, RATE_PRINCIPAL, rates_of_principal(x->server->rates, x->q.principal)))
        return STATUS_OK;
    return limited(x, RATE_PRINCIPAL);
}

void limit_failure(struct exchange *x) {
    if (rates_limit(x->server->rates, RATE_NETWORK) && !x->rated[RATE_NETWORK])
        (void)take(x, RATE_NETWORK, x->network);
}

const char *limit_policy_text(struct exchange *x) {
    const struct live *live = live_of(x->server);

    if (x->rated[RATE_PRINCIPAL] && x->rated[RATE_NETWORK])
        return arena_printf(&x->arena, "%s, %s", live->rate_policy[RATE_PRINCIPAL],
                            live->rate_policy[RATE_NETWORK]);
    for (RateKind kind = RATE_PRINCIPAL; kind < RATE_KINDS; kind++)
        if (x->rated[kind])
            return live->rate_policy[kind];
    return NULL;
}

const char *limit_text(struct exchange *x) {
    const char *text = NULL;

    for (RateKind kind = RATE_PRINCIPAL; kind < RATE_KINDS; kind++)
        if (x->rated[kind])
            text =
                arena_printf(&x->arena, "%s%s\"%s\";r=%lld;t=%lld", text ? text : "",
                             text ? ", " : "", rate_names[kind], (long long)x->rate[kind].remaining,
                             (long long)x->rate[kind].full_s);
    return text;
}
