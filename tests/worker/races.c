/* tests/worker/races.c: what people ask meets what runs, and meets itself, at random moments, over
 * and over, on two replicas.  After each round: traffic is where what was confirmed says, it went
 * there by the shortest way, and the record says so. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/race.h"
#include "tests/support/suite.h"
#include <string.h>

static struct world world;
static struct race race, *const r = &race;

static void setup(void) {
    race_start(r, &world);
}

static void teardown(void) {
    race_end(r);
}

/* Any moment of a deployment, and a little after its end. */
static int64_t some_moment(struct track *t) {
    return race_random(t, t->took_us * 5 / 4);
}

static int64_t some_ms(struct track *t, int64_t most) {
    return race_random(t, most * US_PER_MS);
}

/* It was aborted, or it succeeded before that: traffic went there and back, or there, or nowhere.
 */
static void expect_aborted_or_not(struct track *t, const char *id, bool asked) {
    Color target = color_other(t->serves);

    if (asked) {
        race_confirmed(t, id, t->serves);
        race_settle(t, id);
        LAW(t, race_is(t, id, "aborted"), "%s is not aborted", id);
        race_expect_color(t, t->serves);
        return;
    }
    race_await(t, id, "succeeded");
    race_expect_color(t, target);
    race_expect_way(t, "target");
}

static void abort_and_switch(struct track *t) {
    _cleanup_free_ char *id = race_deploy(t);
    struct ask ask = {.verb = VERB_ABORT, .id = id, .delay_us = some_moment(t)};
    bool switched;

    race_ask(t, &ask, 1);
    expect_aborted_or_not(t, id, ask.status == STATUS_OK);
    if (ask.status != STATUS_OK)
        return;
    switched = pg_number(t->race->w->url,
                         "SELECT count(*) FROM intent WHERE deployment_id = '%s' AND purpose ="
                         " 'switch' AND result = 'done'",
                         id) > 0;
    if (switched)
        race_expect_way(t, "target back");
}

START_TEST(races__abort_against_switch) {
    race_run(r, &(struct place){.app = "abort"}, r->rounds, abort_and_switch);
}
END_TEST

/* A rollback is there: it is confirmed, it ends, the version before serves. */
static void expect_rolled_back(struct track *t, const char *rollback) {
    LAW(t, race_confirmed(t, rollback, t->serves), "%s ended without a confirmation", rollback);
    race_settle(t, rollback);
    LAW(t, race_is(t, rollback, "succeeded"), "%s did not succeed", rollback);
    race_expect_color(t, t->serves);
}

static void rollback_and_abort(struct track *t) {
    _cleanup_free_ char *id = race_deploy(t);
    struct ask asks[2] = {
        {.verb = race_random(t, 2) ? VERB_ROLLBACK : VERB_ROLLBACK_OF, .id = id},
        {.verb = VERB_ABORT, .id = id},
    };

    race_sleep(some_moment(t));
    for (size_t i = 0; i < 2; i++)
        asks[i].delay_us = some_ms(t, 12);
    race_ask(t, asks, 2);
    LAW(t, asks[0].status == STATUS_OK, "the rollback was refused: %d", (int)asks[0].status);
    if (asks[1].status == STATUS_OK)
        race_confirmed(t, id, t->serves);
    expect_rolled_back(t, asks[0].rollback);
    LAW(t,
        race_is(t, id, "rolled_back") || race_is(t, id, "succeeded") || race_is(t, id, "aborted"),
        "%s", id);
}

START_TEST(races__rollback_against_abort) {
    race_run(r, &(struct place){.app = "back"}, r->rounds, rollback_and_abort);
}
END_TEST

static void promote_and_abort(struct track *t) {
    _cleanup_free_ char *id = race_deploy(t);
    struct ask asks[2] = {{.verb = VERB_PROMOTE, .id = id}, {.verb = VERB_ABORT, .id = id}};

    race_await(t, id, "paused");
    asks[0].delay_us = some_ms(t, 10);
    asks[1].delay_us = some_ms(t, 60);
    race_ask(t, asks, 2);
    LAW(t, asks[0].status == STATUS_OK || asks[1].status == STATUS_OK, "both were refused");
    expect_aborted_or_not(t, id, asks[1].status == STATUS_OK);
}

START_TEST(races__promote_against_abort) {
    race_run(r, &(struct place){.app = "promote", .blue_green = "{\"promote\": \"manual\"}"},
             r->rounds, promote_and_abort);
}
END_TEST

static void two_rollbacks(struct track *t) {
    _cleanup_free_ char *id = race_deploy(t);
    struct ask asks[3];

    if (race_random(t, 2))
        race_await(t, id, "succeeded");
    else
        race_sleep(some_moment(t));
    for (size_t i = 0; i < 3; i++)
        asks[i] = (struct ask){.verb = race_random(t, 2) ? VERB_ROLLBACK : VERB_ROLLBACK_OF,
                               .id = id,
                               .delay_us = some_ms(t, i == 2 ? 80 : 10)};
    race_ask(t, asks, 3);
    for (size_t i = 0; i < 3; i++) {
        LAW(t, asks[i].status == STATUS_OK, "rollback %zu: %d", i, (int)asks[i].status);
        LAW(t, strcmp(asks[i].rollback, asks[0].rollback) == 0, "two rollbacks: they toggle");
    }
    expect_rolled_back(t, asks[0].rollback);
}

START_TEST(races__two_rollbacks) {
    race_run(r, &(struct place){.app = "twice"}, r->rounds, two_rollbacks);
}
END_TEST

/* Its checks fail, before the switch or after it, and somebody pauses it. */
static void pause_and_failure(struct track *t) {
    _cleanup_free_ char *image = race_next_image(t), *id = NULL,
                        *bad = xasprintf("{\"image\": \"%s\", \"health\": \"fail\"}", image);
    struct ask pause = {.verb = VERB_PAUSE, .delay_us = some_moment(t)};
    int64_t late = clock_monotonic_us() + 30 * US_PER_S;

    world_image(t->race->w, bad);
    pause.id = id = race_deploy(t);
    race_ask(t, &pause, 1);
    while (pause.status == STATUS_OK && !race_is(t, id, "failed")) {
        struct ask resume = {.verb = VERB_RESUME, .id = id};

        LAW(t, !race_is(t, id, "stuck") && clock_monotonic_us() < late, "%s does not end", id);
        if (race_is(t, id, "paused")) {
            race_ask(t, &resume, 1);
            LAW(t, resume.status == STATUS_OK, "it cannot be resumed");
        } else if (race_is(t, id, "undoing")) {
            break;
        }
        race_sleep(2000);
    }
    race_settle(t, id);
    LAW(t, race_is(t, id, "failed"), "%s did not fail", id);
    race_expect_color(t, t->serves);
}

#define CHECK                                                                                      \
    "[{\"name\": \"health\", \"path\": \"/api/health\", \"interval_s\": 0, \"failures\": 5,"       \
    " \"consecutive\": 3, \"json\": {\"/status\": \"healthy\"}}]"

START_TEST(races__pause_against_failure) {
    race_run(r, &(struct place){.app = "before", .checks = "{\"health\": " CHECK "}"},
             r->rounds / 2, pause_and_failure);
    race_run(r, &(struct place){.app = "after", .checks = "{\"production\": " CHECK "}"},
             r->rounds / 2, pause_and_failure);
}
END_TEST

/* The previous version is scaled down as soon as it may be, just when it is wanted back. */
static void cleanup_and_rollback(struct track *t) {
    _cleanup_free_ char *id = race_deploy(t), *name = NULL;
    struct ask ask = {.verb = VERB_ROLLBACK, .delay_us = some_ms(t, 60)};
    json_auto_t *workload = NULL;

    race_await(t, id, "succeeded");
    race_ask(t, &ask, 1);
    LAW(t, ask.status == STATUS_OK, "the rollback was refused");
    expect_rolled_back(t, ask.rollback);
    /* Let the clean-up of what was left end, or not.  It begins anew with each lease that is lost.
     */
    if (race_random(t, 2))
        world_await(t->race->w, t->race->chaos ? 300 : 60,
                    "SELECT count(*) = 0 FROM cleanup WHERE environment_id = '%s'",
                    t->environment_id);
    name = xasprintf("%s-%s", t->app, color_names[t->serves]);
    workload = world_object(t->race->w, KUBE_DEPLOYMENT, WORLD_SPACE, name);
    LAW(t, json_int(json_object_get(workload, "spec"), "replicas", 0) > 0,
        "%s serves and was scaled to 0", name);
    race_expect_color(t, t->serves);
}

START_TEST(races__clean_up_against_rollback) {
    race_run(r, &(struct place){.app = "clean", .blue_green = "{\"keep_previous_s\": 0}"},
             r->rounds, cleanup_and_rollback);
}
END_TEST

/* A fifth of the writes fail, some of them after they took effect, and leases are lost. */
START_TEST(races__with_lost_replies_and_lost_leases) {
    world_faults(&world, "[{\"verb\": \"PATCH\", \"rate\": 0.1, \"action\": {\"cut\": \"after\"}},"
                         " {\"verb\": \"PATCH\", \"rate\": 0.1, \"action\": {\"status\": 500}}]");
    r->chaos = true;
    race_run(r, &(struct place){.app = "labort"}, r->rounds / 3, abort_and_switch);
    race_run(r, &(struct place){.app = "lback"}, r->rounds / 3, rollback_and_abort);
    race_run(r, &(struct place){.app = "lclean", .blue_green = "{\"keep_previous_s\": 0}"},
             r->rounds / 3, cleanup_and_rollback);
    world_faults(&world, "[]");
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH(
        "races", 1800, setup, teardown, races__abort_against_switch, races__rollback_against_abort,
        races__promote_against_abort, races__two_rollbacks, races__pause_against_failure,
        races__clean_up_against_rollback, races__with_lost_replies_and_lost_leases);
}
