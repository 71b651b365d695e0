#include "tests/support/race.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/deployment.h"
#include "tests/support/pg.h"
#include "worker/verbs.h"
#include <check.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 6, MOST = 100, PATIENCE_S = 120 };
#else
enum { ROUNDS = 20, MOST = 1000000, PATIENCE_S = 30 };
#endif
enum { THREADS = 8 };

/* ---- random ---- */

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t race_random(struct track *t, int64_t below) {
    return below > 0 ? (int64_t)(next_random(&t->random) % (uint64_t)below) : 0;
}

void race_sleep(int64_t us) {
    nanosleep(&(struct timespec){us / US_PER_S, us % US_PER_S * 1000}, NULL);
}

void race_broken(const struct track *t, const char *what, const char *format, ...) {
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* no ck_abort_msg: without a process of its own check would jump out of another thread's stack
     */
    fprintf(stderr, "seed %llu, %s, round %ld: %s: %s\n", (unsigned long long)t->race->seed, t->app,
            t->round, what, text);
    abort();
}

/* ---- life ---- */

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

void race_start(struct race *r, struct world *w) {
    *r = (struct race){.w = w,
                       .seed = number_of("SLUICE_RACES_SEED", (uint64_t)clock_now_us()),
                       .rounds = (long)number_of("SLUICE_RACES", ROUNDS)};
    r->rounds = r->rounds < MOST ? r->rounds : MOST;
    world_start(w);
    world_behavior(w, "{\"speed\": 60}");
    for (size_t i = 0; i < RACE_REPLICAS; i++) {
        replica_start(&r->replicas[i], w, THREADS);
        worker_begin(r->replicas[i].worker);
    }
}

void race_end(struct race *r) {
    for (size_t i = 0; i < RACE_REPLICAS; i++)
        replica_stop(&r->replicas[i], 5000);
    world_end(r->w);
}

/* ---- facts of one track ---- */

static struct db_rows *row_of(struct track *t, const char *id) {
    struct db_rows *rows = NULL;
    Status s = db_deployment_get(t->race->w->pool, id, &rows);

    LAW(t, s == STATUS_OK && db_rows_count(rows) == 1, "deployment %s: %d", id, (int)s);
    return rows;
}

bool race_is(struct track *t, const char *id, const char *state) {
    _cleanup_(db_rows_free) struct db_rows *rows = row_of(t, id);

    return strcmp(deployment_row(rows, 0).state, state) == 0;
}

static bool among(const char *state, const char *states) {
    const char *at = strstr(states, state);
    size_t n = strlen(state);

    return at && (at == states || at[-1] == ' ') && (at[n] == ' ' || !at[n]);
}

static bool final(const char *state) {
    return among(state, "succeeded failed aborted rolled_back canceled");
}

void race_await(struct track *t, const char *id, const char *states) {
    int64_t late = clock_monotonic_us() + PATIENCE_S * US_PER_S;

    for (;; race_sleep(2000)) {
        _cleanup_(db_rows_free) struct db_rows *rows = row_of(t, id);
        struct deployment_row d = deployment_row(rows, 0);

        if (among(d.state, states))
            return;
        LAW(t, !final(d.state) && strcmp(d.state, "stuck") != 0, "%s is %s at %s, not %s: %s", id,
            d.state, d.current_step, states, d.failure ? d.failure : "");
        LAW(t, clock_monotonic_us() < late, "%s is still %s at %s, not %s", id, d.state,
            d.current_step, states);
    }
}

static Color color_of(struct track *t, const json_t *service) {
    Color c = COLOR_BLUE;
    const char *text = json_str(json_at(service, "spec", "selector", NULL), "environment", "");

    LAW(t, color_find(text, &c), "the selector says \"%s\"", text); /* law 6: never empty */
    return c;
}

static json_t *service_of(struct track *t) {
    _cleanup_free_ char *name = xasprintf("%s-prod", t->app);

    return world_object(t->race->w, KUBE_SERVICE, WORLD_SPACE, name);
}

void race_expect_color(struct track *t, Color color) {
    json_auto_t *service = service_of(t);

    LAW(t, color_of(t, service) == color, "not %s serves", color_names[color]);
}

/* Whether that op is of the write which confirmed the deployment, or of a later one. */
static bool carries(struct track *t, const char *id, const char *op) {
    return pg_number(
               t->race->w->url,
               "SELECT count(*) FROM intent own JOIN intent there ON there.number >= own.number"
               " WHERE own.deployment_id = '%s' AND own.purpose IN"
               " ('restore-service', 'fence-service', 'switch-back') AND own.result = 'done'"
               " AND there.op::text = '%s'",
               id, op) > 0;
}

bool race_confirmed(struct track *t, const char *id, Color color) {
    int64_t late = clock_monotonic_us() + PATIENCE_S * US_PER_S;
    bool confirmed = false;
    json_auto_t *service = NULL;
    const char *op;

    for (;; race_sleep(1000)) {
        _cleanup_(db_rows_free) struct db_rows *rows = row_of(t, id);
        struct deployment_row d = deployment_row(rows, 0);

        confirmed = d.confirmed_us != 0;
        if (confirmed || final(d.state))
            break;
        LAW(t, strcmp(d.state, "stuck") != 0, "%s is stuck: %s", id, d.failure);
        LAW(t, clock_monotonic_us() < late, "%s (%s, %s) is not confirmed", id, d.state,
            d.current_step ? d.current_step : "");
    }
    service = service_of(t);
    if (!confirmed)
        return false;
    LAW(t, color_of(t, service) == color, "%s is confirmed, but %s serves", id,
        color_names[color_other(color)]);
    op = kube_annotation(service, "sluice.dev/op");
    LAW(t, carries(t, id, op ? op : ""), "%s is confirmed, but the op on the Service is %s", id,
        op ? op : "none");
    return true;
}

/* ---- switches ---- */

static json_t *switches_of(struct track *t) {
    _cleanup_free_ char *path = xasprintf("/services/%s/%s-prod/traffic", WORLD_SPACE, t->app);
    json_auto_t *traffic = sim_control(&t->race->w->sim, "GET", path, NULL);

    return json_incref(json_object_get(traffic, "switches"));
}

void race_expect_way(struct track *t, const char *way) {
    json_auto_t *switches = switches_of(t);
    Color now = t->serves;
    char went[256] = "";

    for (size_t i = t->switches; i < json_array_size(switches); i++) {
        Color c = t->serves;
        const char *text =
            json_str(json_object_get(json_array_get(switches, i), "selector"), "environment", "");

        LAW(t, color_find(text, &c), "the selector said \"%s\"", text);
        if (c != now && strlen(went) < sizeof went - 16)
            snprintf(went + strlen(went), sizeof went - strlen(went), "%s%s", *went ? " " : "",
                     c == t->serves ? "back" : "target");
        now = c;
    }
    LAW(t, strcmp(went, way) == 0, "traffic went \"%s\" instead of \"%s\"", went, way);
}

/* ---- deployments ---- */

char *race_next_image(const struct track *t) {
    return xasprintf("ghcr.io/your-org/%s:v%d.0.0", t->app, t->version + 1);
}

static struct replica *any_replica(struct track *t) {
    return &t->race->replicas[race_random(t, RACE_REPLICAS)];
}

char *race_deploy(struct track *t) {
    _cleanup_free_ char *version = xasprintf("v%d.0.0", ++t->version);
    char *id = world_deploy(t->race->w, t->app, version, 1 + (int)race_random(t, 2));

    worker_wake(any_replica(t)->worker, t->environment_id);
    return id;
}

/* Makes 30 s of it pass, once it waits for them. */
static bool age(struct track *t, const char *id) {
    struct pg_session *lease; /* locked first, as everywhere */
    bool aged = pg_number(t->race->w->url,
                          "SELECT count(*) FROM step WHERE deployment_id = '%s' AND"
                          " name = 'undo-apply' AND started_at IS NOT NULL",
                          id) > 0 ||
                pg_number(t->race->w->url,
                          "SELECT count(*) FROM deployment WHERE id = '%s' AND job = 'undo'"
                          " AND confirmed_at IS NOT NULL",
                          id) > 0;
    _cleanup_free_ char *lock = NULL, *older = NULL;

    if (!aged)
        return false;
    lock = xasprintf("UPDATE environment_lease SET epoch = epoch + 1, holder = NULL, until = NULL"
                     " WHERE environment_id = '%s'",
                     t->environment_id);
    older = xasprintf("UPDATE deployment SET confirmed_at = confirmed_at - interval '31 s' WHERE"
                      " id = '%s' AND state = 'undoing'; UPDATE step SET started_at = started_at -"
                      " interval '31 s' WHERE deployment_id = '%s' AND name = 'undo-apply'",
                      id, id);
    lease = pg_hold(t->race->w->url, lock);
    pg_let_go(lease, older);
    return true;
}

void race_settle(struct track *t, const char *id) {
    int64_t late = clock_monotonic_us() + PATIENCE_S * US_PER_S, wait_until = 0;
    bool aged = false;

    for (;; race_sleep(2000)) {
        _cleanup_(db_rows_free) struct db_rows *rows = row_of(t, id);
        struct deployment_row d = deployment_row(rows, 0);

        if (final(d.state))
            return;
        LAW(t, strcmp(d.state, "stuck") != 0, "%s is stuck: %s", id, d.failure);
        LAW(t, clock_monotonic_us() < late, "%s is still %s at %s", id, d.state,
            d.current_step ? d.current_step : "");
        if (!d.confirmed_us || aged)
            continue;
        if (!wait_until) /* most are over by themselves */
            wait_until = clock_monotonic_us() + 60 * US_PER_MS;
        aged = clock_monotonic_us() > wait_until && age(t, id);
    }
}

/* ---- verbs ---- */

static Status roll_back(struct db_tx *tx, struct ask *a, struct arena *arena) {
    char id[UUID_TEXT];
    struct verb_result result = {0};
    const struct rollback_ask in = {.app = a->track->app,
                                    .environment = "production",
                                    .of = a->verb == VERB_ROLLBACK_OF ? a->id : NULL,
                                    .id = uuid_v7(id),
                                    .reason = "a race",
                                    .by = {"{\"kind\": \"user\"}", "test"},
                                    .arena = arena};
    Status s = deployment_rollback(tx, &in, &result);

    if (s == STATUS_OK)
        snprintf(a->rollback, sizeof a->rollback, "%s", result.deployment_id);
    return s;
}

static Status ask_tx(struct db_tx *tx, void *ctx) {
    struct ask *a = ctx;
    struct arena arena = {0};
    struct verb_result result = {0};
    const struct verb_request in = {.deployment_id = a->id,
                                    .reason = "a race",
                                    .by = {"{\"kind\": \"user\"}", "test"},
                                    .arena = &arena};
    Status s = FAULT_BUG;

    switch (a->verb) {
    case VERB_ABORT:
        s = deployment_abort(tx, &in, &result);
        break;
    case VERB_PROMOTE:
        s = deployment_promote(tx, &in, &result);
        break;
    case VERB_PAUSE:
        s = deployment_pause(tx, &in, &result);
        break;
    case VERB_RESUME:
        s = deployment_resume(tx, &in, &result);
        break;
    case VERB_ROLLBACK:
    case VERB_ROLLBACK_OF:
        s = roll_back(tx, a, &arena);
        break;
    }
    arena_done(&arena);
    return s;
}

static void *ask_thread(void *arg) {
    struct ask *a = arg;

    race_sleep(a->delay_us);
    a->status = db_tx_run(a->track->race->w->pool, "race", DB_READ_COMMITTED, ask_tx, a);
    if (a->status != STATUS_OK)
        return NULL;
    if (a->verb == VERB_ABORT || a->verb == VERB_ROLLBACK || a->verb == VERB_ROLLBACK_OF)
        worker_wake_undo(a->at->worker, a->track->environment_id);
    else
        worker_wake(a->at->worker, a->track->environment_id);
    return NULL;
}

void race_ask(struct track *t, struct ask *asks, size_t n) {
    pthread_t threads[8];

    for (size_t i = 0; i < n; i++) {
        asks[i].track = t;
        asks[i].at = any_replica(t);
        if (pthread_create(&threads[i], NULL, ask_thread, &asks[i]))
            die("no thread");
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        LAW(t, asks[i].status == STATUS_OK || asks[i].status == E_WRONG_STATE, "verb %d: %d",
            (int)asks[i].verb, (int)asks[i].status);
    }
}

/* ---- rounds ---- */

struct run {
    struct track track;
    round_fn *fn;
    long rounds;
    pthread_t thread;
    atomic_bool ended;
};

static void first_deployment(struct track *t) {
    for (int i = 0; i < 2; i++) {
        int64_t began = clock_monotonic_us();
        _cleanup_free_ char *id = race_deploy(t);

        if (race_is(t, id, "paused"))
            t->took_us = 0;
        race_await(t, id, "succeeded paused");
        t->took_us = clock_monotonic_us() - began;
        if (race_is(t, id, "paused")) {
            race_ask(t, &(struct ask){.verb = VERB_PROMOTE, .id = id}, 1);
            race_await(t, id, "succeeded");
        }
    }
}

static void *run_thread(void *arg) {
    struct run *run = arg;
    struct track *t = &run->track;

    first_deployment(t);
    for (t->round = 0; t->round < run->rounds; t->round++) {
        json_auto_t *service = service_of(t), *switches = switches_of(t);

        t->serves = color_of(t, service);
        t->switches = json_array_size(switches);
        run->fn(t);
    }
    atomic_store(&run->ended, true);
    return NULL;
}

/* What holds of every deployment that there was. */
static void expect_laws(struct race *r) {
    static const struct {
        const char *law, *broken;
    } laws[] = {
        {"one forward switch per deployment",
         "SELECT count(*) FROM (SELECT 1 FROM record WHERE action = 'traffic.switched' GROUP BY"
         " deployment_id HAVING count(*) > 1) x"},
        {"one restoration per deployment",
         "SELECT count(*) FROM (SELECT 1 FROM record WHERE action = 'traffic.restored' GROUP BY"
         " deployment_id HAVING count(*) > 1) x"},
        {"one cut-over intent per deployment",
         "SELECT count(*) FROM (SELECT 1 FROM intent WHERE purpose = 'switch' GROUP BY"
         " deployment_id HAVING count(*) > 1) x"},
        {"nothing but its clean-up is on record after the end of a deployment",
         "SELECT count(*) FROM record e JOIN record l ON l.deployment_id = e.deployment_id AND"
         " l.seq > e.seq AND l.chain = e.chain WHERE e.action IN ('deployment.succeeded',"
         " 'deployment.failed', 'deployment.aborted', 'deployment.rolled_back',"
         " 'deployment.canceled') AND l.action <> 'lease.taken' AND l.line NOT LIKE "
         "'%%Clean-up%%'"},
        {"one end of a deployment is on record",
         "SELECT count(*) FROM deployment d WHERE 1 <> (SELECT count(*) FROM record e WHERE"
         " e.deployment_id = d.id AND e.action = 'deployment.' || d.state)"},
        {"no final one has an open intent of its last job",
         "SELECT count(*) FROM intent i JOIN deployment d ON d.id = i.deployment_id WHERE i.result"
         " IS NULL AND i.job = CASE d.kind WHEN 'deploy' THEN d.job ELSE d.kind END AND d.state <>"
         " 'rolled_back' AND (d.job = 'undo' OR d.state = 'succeeded')"},
        {"law 1: no two were active at once",
         "SELECT count(*) FROM deployment a JOIN deployment b ON a.environment_id ="
         " b.environment_id AND a.id < b.id WHERE b.started_at < a.ended_at - interval '100 ms'"
         " AND a.state <> 'rolled_back'"},
    };

    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        long broken = pg_number(r->w->url, "%s", laws[i].broken);

        ck_assert_msg(broken == 0, "seed %llu: %s: broken %ld times", (unsigned long long)r->seed,
                      laws[i].law, broken);
    }
}

/* Until every track has ended, somebody's lease is lost every few milliseconds. */
static void take_leases(struct race *r, struct run *runs) {
    uint64_t random = r->seed;

    for (;;) {
        struct run *run = &runs[next_random(&random) % RACE_TRACKS];
        size_t ended = 0;

        for (size_t i = 0; i < RACE_TRACKS; i++)
            ended += atomic_load(&runs[i].ended);
        if (ended == RACE_TRACKS)
            return;
        free(pg_sql(r->w->url,
                    "UPDATE environment_lease SET epoch = epoch + 1, holder = NULL, until = NULL"
                    " WHERE environment_id = '%s'",
                    run->track.environment_id));
        race_sleep((int64_t)(next_random(&random) % 60) * US_PER_MS);
    }
}

void race_run(struct race *r, const struct place *place, long rounds, round_fn *fn) {
    struct run runs[RACE_TRACKS] = {0};
    int64_t began = clock_monotonic_us();

    for (long i = 0; i < RACE_TRACKS; i++) {
        struct place here = *place;

        runs[i].track = (struct track){.race = r, .random = r->seed * 64 + (uint64_t)i};
        runs[i].fn = fn;
        runs[i].rounds = rounds / RACE_TRACKS + (i < rounds % RACE_TRACKS);
        snprintf(runs[i].track.app, sizeof runs[i].track.app, "%s%ld", place->app, i);
        here.app = runs[i].track.app;
        runs[i].track.environment_id = world_environment(r->w, &here);
    }
    for (size_t i = 0; i < RACE_TRACKS; i++)
        if (pthread_create(&runs[i].thread, NULL, run_thread, &runs[i]))
            die("no thread");
    if (r->chaos)
        take_leases(r, runs);
    for (size_t i = 0; i < RACE_TRACKS; i++) {
        pthread_join(runs[i].thread, NULL);
        free(runs[i].track.environment_id);
    }
    expect_laws(r);
    printf("# %s: %ld rounds in %lld ms, seed %llu\n", place->app, rounds,
           (long long)((clock_monotonic_us() - began) / US_PER_MS), (unsigned long long)r->seed);
    fflush(stdout);
}
