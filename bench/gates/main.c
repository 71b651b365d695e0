/* bench/gates/main.c: sluice-gates ENVIRONMENT_ID RELEASES: what the gate of a cut-over costs: the
 * query of its facts, their parsing and the evaluation, of releases in turn.  Prints one line of
 * JSON. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "bench/times.h"
#include "worker/gates.h"
#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 2000, WARM = 20 };

static int64_t look_us(struct db_pool *pool, const char *environment, long number) {
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    _cleanup_free_ char *key = xasprintf("1.0.%ld", number);
    const struct gate_ask ask = {.environment_id = environment, .version_key = key};
    int64_t began = clock_monotonic_us();

    if (gates_look(pool, &ask, GATE_CUTOVER, &v) != STATUS_OK)
        die("the gate could not be asked");
    if (!v.open)
        die("the gate of %s is closed: %s", key, gate_verdict_text(&v));
    return clock_monotonic_us() - began;
}

int main(int argc, char **argv) {
    struct db_pool *pool = db_pool_new(&(struct db_settings){
        .url = getenv("DATABASE_URL"), .size = 1, .wait_ms = 5000, .app_name = "bench"});
    long releases = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    static int64_t times[CALLS];

    if (releases < 1)
        die("usage: sluice-gates ENVIRONMENT_ID RELEASES");
    for (int i = -WARM; i < CALLS; i++) {
        int64_t t = look_us(pool, argv[1], 1 + (i + WARM) * 7919L % releases);

        if (i >= 0)
            times[i] = t;
    }
    times_sort(times, CALLS);
    printf("{\"n\": %d, \"p50_us\": %lld, \"p99_us\": %lld}\n", CALLS, (long long)times[CALLS / 2],
           (long long)times[CALLS * 99 / 100]);
    db_pool_free(pool);
    return 0;
}
