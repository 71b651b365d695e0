/* Law 4: what is withdrawn at any moment between the start and the cut-over's commit stops the
 * switch; what comes later does not, and says so. */
#include "worker/cutover.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define APP "inopnc"
#define ANN "{\"kind\": \"user\", \"subject\": \"ann\", \"issuer\": \"i\"}"
#define BEN "{\"kind\": \"user\", \"subject\": \"ben\", \"issuer\": \"i\"}"
#define GATES                                                                                      \
    "{\"checklist\": {\"before\": \"short\"}, \"approvals\": [{\"role\": \"qa\", \"count\": 1}]}"

/* What closes the gates, as SQL about release r of environment e; what opens them again. */
#define FACT(item, state, more)                                                                    \
    "INSERT INTO item_fact (id, kind, release_id, item, state, evidence, content_digest,"          \
    " observed_at, expires_at, by) SELECT gen_random_uuid(), 'before', r.id, '" item "', '" state  \
    "', " more ", '', clock_timestamp(), NULL, '" ANN "' FROM r;"
#define FLAG_KILLED "flag killed"
static const struct closing {
    const char *name, *sql;
    bool pauses;
} closings[] = {
    {"item withdrawn", FACT("scheduled", "open", "false"), false},
    {"evidence failed", FACT("tests", "failed", "true"), false},
    {"evidence expired",
     "INSERT INTO item_fact (id, kind, release_id, item, state, evidence, content_digest, "
     "observed_at, expires_at, by) SELECT gen_random_uuid(), 'before', r.id, 'tests', 'passed', "
     "true, '', clock_timestamp(), clock_timestamp(), '" ANN "' FROM r;",
     false},
    {"sign-off withdrawn",
     "UPDATE signoff SET withdrawn_at = clock_timestamp() FROM r WHERE "
     "release_id = r.id AND withdrawn_at IS NULL;",
     false},
    {"freeze begun",
     "INSERT INTO change_freeze (id, app, reason, starts_at, ends_at, created_by) SELECT "
     "gen_random_uuid(), 'inopnc', 'holidays', clock_timestamp() - interval '1 s', "
     "clock_timestamp() + interval '1 hour', '" ANN "' FROM r;",
     true},
    {"gates edited",
     "UPDATE environment_gate SET spec = jsonb_set(spec, '{approvals,0,count}', '2');", false},
    {"release yanked",
     "UPDATE release SET yanked_at = clock_timestamp(), yank_reason = 'leaks' FROM r WHERE "
     "release.id = r.id;",
     false},
    {FLAG_KILLED, "UPDATE flag_environment SET killed = true;", false},
};
enum { CLOSINGS = sizeof closings / sizeof *closings };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
enum { STRIDE = SANITIZED ? 3 : 1 }; /* slow builds try every third commit, another one per kind */

static struct world world, *const w = &world;
static char *environment;
static int versions;

static void setup(void) {
    world_start(w);
    environment = world_environment(w, &(struct place){.app = APP});
    free(pg_sql(w->url,
                "INSERT INTO checklist_template (name, version, groups) VALUES ('short', 1,"
                " '[{\"name\": \"all\", \"title\": \"All\", \"items\": [{\"key\": \"tests\","
                " \"title\": \"Tests\", \"kind\": \"evidence\"}, {\"key\": \"scheduled\","
                " \"title\": \"Scheduled\", \"kind\": \"manual\"}, {\"key\": \"flags\","
                " \"title\": \"Flags\", \"kind\": \"probe\", \"probe\": \"flags\"}]}]');"
                "INSERT INTO flag_head (app) VALUES ('" APP "');"
                "INSERT INTO flag (app, name, spec, revision) VALUES ('" APP
                "', 'checkout', '{}', 1);"
                "INSERT INTO flag_environment (environment_id, app, flag, revision)"
                " VALUES ('%s', '" APP "', 'checkout', 1)",
                environment));
}

static void teardown(void) {
    world_end(w);
    free(environment);
}

/* What the facts of a deployment's release begin with. */
#define OF_DEPLOYMENT                                                                              \
    "CREATE TEMP TABLE r AS SELECT release_id AS id FROM deployment WHERE id = '%s';"

/* A deployment with everything that is asked for. */
static char *deploy(void) {
    _cleanup_free_ char *version = xasprintf("v1.0.%d", ++versions);
    char *id;

    free(pg_sql(w->url,
                "INSERT INTO environment_gate (environment_id, spec) VALUES ('%s', '" GATES
                "') ON CONFLICT (environment_id) DO UPDATE SET spec = excluded.spec;"
                "UPDATE change_freeze SET ended_at = clock_timestamp() WHERE ended_at IS NULL;"
                "UPDATE flag_environment SET killed = false",
                environment));
    id = world_deploy(w, APP, version, 1);
    free(pg_sql(
        w->url,
        OF_DEPLOYMENT FACT("tests", "passed", "true")
            FACT("scheduled", "passed",
                 "false") "INSERT INTO signoff (id, release_id, environment_id, role, decision, by,"
                          " content_digest, checklist) SELECT gen_random_uuid(), r.id, '%s', 'qa',"
                          " 'approve', '" BEN "', '', 'short@1' FROM r",
        id, environment));
    return id;
}

/* As a handler does it: the environment's row first, or the app's flags.  Whether the cut-over was
 * committed by then. */
static bool close_gates(const struct closing *c, const char *id) {
    const char *first = strcmp(c->name, FLAG_KILLED) == 0
                            ? "UPDATE flag_head SET revision = revision + 1;"
                            : "UPDATE environment SET gate_version = gate_version + 1;";
    _cleanup_free_ char *sql = xasprintf(
        "%s" OF_DEPLOYMENT
        "%s SELECT count(*) FROM intent WHERE purpose = 'switch' AND deployment_id = '%s'",
        first, id, c->sql, id);

    return pg_number(w->url, "%s", sql) > 0;
}

/* It switched once and serves, or never: it is paused or failed, saying why. */
static void expect_end(const struct closing *c, const char *id, bool too_late, size_t switches) {
    _cleanup_free_ char *state = world_state(w, id), *code = NULL;

    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), switches + too_late);
    ck_assert_str_eq(state, too_late ? "succeeded" : c->pauses ? "paused" : "failed");
    code = pg_sql(w->url, "SELECT coalesce(failure ->> 'code', '') FROM deployment WHERE id = '%s'",
                  id);
    ck_assert_str_eq(code, too_late || c->pauses ? "" : "gate-closed");
    ck_assert_int_eq(pg_number(w->url,
                               "SELECT count(*) FROM intent WHERE purpose = 'switch' AND "
                               "deployment_id = '%s'",
                               id),
                     too_late);
}

static void clear(const char *id) {
    _cleanup_free_ char *state = world_state(w, id);
    struct job *j;

    if (strcmp(state, "paused") != 0)
        return;
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
    job_free(j);
}

/* ---- at every commit ---- */

struct moment {
    const struct closing *closing;
    const char *id;
    int commits, at;
    bool closed, too_late;
};

static void on_commit(void *ctx, const char *environment_id) {
    struct moment *m = ctx;

    (void)environment_id;
    if (++m->commits != m->at)
        return;
    m->closed = true;
    m->too_late = close_gates(m->closing, m->id);
}

/* false: it ended before that commit came. */
static bool closed_at(const struct closing *c, int commit, bool *ret_too_late) {
    _cleanup_free_ char *id = deploy();
    struct moment m = {.closing = c, .id = id, .at = commit};
    size_t switches = world_switches(w, WORLD_SPACE, APP);
    struct job *j = world_load(w, environment, 0);
    RunEnd end;

    w->run.changed = on_commit;
    w->run.ctx = &m;
    end = world_run_to_end(w, j);
    ck_assert_int_eq(end, RUN_ENDED);
    job_free(j);
    if (m.closed)
        expect_end(c, id, m.too_late, switches);
    clear(id);
    *ret_too_late = m.too_late;
    return m.closed;
}

START_TEST(law4__withdrawn_before_the_cutover_is_no_switch) {
    for (size_t i = 0; i < CLOSINGS; i++) {
        bool too_late = false;
        int before = 0;

        for (int commit = 1 + (int)i % STRIDE;
             !too_late && closed_at(&closings[i], commit, &too_late); commit += STRIDE)
            before += !too_late;
        ck_assert_msg(too_late || SANITIZED, "%s: no commit came after the cut-over",
                      closings[i].name);
        ck_assert_int_gt(before, 0);
    }
}
END_TEST

/* ---- at any moment ---- */

struct hand {
    const struct closing *closing;
    const char *id;
    long after_us;
    bool too_late;
};

static void *hand_thread(void *arg) {
    struct hand *h = arg;

    nanosleep(&(struct timespec){h->after_us / US_PER_S, h->after_us % US_PER_S * 1000}, NULL);
    h->too_late = close_gates(h->closing, h->id);
    return NULL;
}

START_TEST(law4__a_withdrawal_and_the_cutover_are_one_after_the_other) {
    enum { ROUNDS = SANITIZED ? 14 : 42 };
    long after_us = 200000; /* comes nearer to the cut-over with each round, from both sides */
    int late = 0;

    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_free_ char *id = deploy();
        struct hand h = {&closings[i % CLOSINGS], id, after_us, false};
        size_t switches = world_switches(w, WORLD_SPACE, APP);
        struct job *j = world_load(w, environment, 0);
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, hand_thread, &h), 0);
        ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
        job_free(j);
        pthread_join(thread, NULL);
        late += h.too_late;
        after_us += (h.too_late ? -after_us : after_us) / 4;
        expect_end(h.closing, id, h.too_late, switches);
        clear(id);
    }
    printf("# %d of %d came after the cut-over, %ld us after the start at last\n", late, ROUNDS,
           after_us);
    ck_assert(late > 0 && late < ROUNDS);
}
END_TEST

/* The gates are asked in the commit itself, also where no step asks before. */
START_TEST(law4__a_frozen_cutover_waits_and_goes_on_when_resumed) {
    _cleanup_free_ char *id = deploy();
    struct job *j = world_load(w, environment, 0);
    size_t switches = world_switches(w, WORLD_SPACE, APP);
    _cleanup_free_ char *detail = NULL;

    free(pg_sql(w->url, "UPDATE step SET state = 'skipped' WHERE name LIKE '%%gates'"));
    job_free(j);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL, until = NULL"));
    j = world_load(w, environment, 0);
    close_gates(&closings[4], id);
    ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
    job_free(j);
    expect_end(&closings[4], id, false, switches);
    detail = pg_sql(w->url,
                    "SELECT current_step || ': ' || s.detail FROM deployment d JOIN step s ON "
                    "s.deployment_id = d.id AND s.name = d.current_step WHERE d.id = '%s'",
                    id);
    ck_assert_str_eq(detail, "switch-traffic: Frozen by ann: holidays");
    free(pg_sql(w->url, "UPDATE change_freeze SET ended_at = clock_timestamp();"
                        "UPDATE deployment SET state = 'running' WHERE state = 'paused'"));
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
    job_free(j);
    expect_end(&closings[4], id, true, switches);
}
END_TEST

/* Nobody who kills a flag takes the environment's row: the cut-over waits until he has done so. */
START_TEST(law4__flags_that_are_being_changed_hold_the_cutover_back) {
    _cleanup_free_ char *id = deploy();
    size_t switches = world_switches(w, WORLD_SPACE, APP);
    struct job *j = world_load(w, environment, 0);
    struct pg_session *kill = pg_hold(w->url, "UPDATE flag_head SET revision = revision + 1;"
                                              "UPDATE flag_environment SET killed = true");

    ck_assert_int_eq(world_run_to_end(w, j), RUN_FAULT);
    job_free(j);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM intent WHERE purpose = 'switch'"), 0);
    pg_let_go(kill, NULL);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL, until = NULL"));
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
    job_free(j);
    expect_end(&closings[CLOSINGS - 1], id, false, switches);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("cutover", 200, setup, teardown,
                          law4__withdrawn_before_the_cutover_is_no_switch,
                          law4__a_withdrawal_and_the_cutover_are_one_after_the_other,
                          law4__a_frozen_cutover_waits_and_goes_on_when_resumed,
                          law4__flags_that_are_being_changed_hold_the_cutover_back);
}
