/* kubesim/dataplane_answer.c: what INOPNC answers: a Next.js application on Supabase, as far as a
 * release control plane looks at it. */
#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "kubesim/dataplane_parts.h"

#include <string.h>

static json_t *check_row(const char *status, int latency_ms) {
    return json_pack("{s:s,s:i}", "status", status, "latency_ms", latency_ms);
}

static struct pod_answer health(const struct pod *pod, const char *good, bool detailed) {
    bool ok = pod->behavior.health_ok;
    const char *part = ok ? "healthy" : "unhealthy";
    json_auto_t *body = json_pack("{s:s}", "status", ok ? good : "unhealthy");

    json_set_time(body, "timestamp", clock_now_us());
    if (detailed) {
        json_set_str(body, "version", pod->version);
        json_set_str(body, "environment", "production");
        json_object_set_new(body, "uptime",
                            json_integer((clock_monotonic_us() - pod->opened_us) / US_PER_S));
        json_object_set_new(body, "checks",
                            json_pack("{s:o,s:o,s:o,s:o}", "database", check_row(part, 4), "auth",
                                      check_row(part, 6), "storage", check_row("healthy", 9),
                                      "realtime", check_row("healthy", 3)));
    }
    return (struct pod_answer){ok ? 200 : 503, json_text(body)};
}

struct pod_answer pod_answer(const struct pod *pod, const char *path) {
    double error_rate = pod->behavior.error_rate;

    if (strcmp(path, "/api/health") == 0)
        return health(pod, "healthy", false);
    if (strcmp(path, "/api/health/ready") == 0)
        return health(pod, "ready", false);
    if (error_rate > 0 && random_unit() < error_rate)
        return (struct pod_answer){
            500, xstrdup("{\"error\":\"Internal Server Error\",\"code\":\"simulated\"}")};
    if (strcmp(path, "/api/health/detailed") == 0)
        return health(pod, "healthy", true);
    return (struct pod_answer){200, xstrdup(pod->body)};
}
