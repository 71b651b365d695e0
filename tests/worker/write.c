/* One intended write against the simulated cluster: fenced, sent at most once, never lost. */
#include "worker/write.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SERVICE      "inopnc-prod"
#define SERVICE_PATH "/services/inopnc-prod"

static struct world world, *const w = &world;
static char *environment, *deployment;
static struct job *job; /* of a deployment that has done nothing yet */

static void setup(void) {
    world_start(w);
    environment = world_environment(w, &(struct place){.app = "inopnc"});
    deployment = world_deploy(w, "inopnc", "v1.2.2", 1);
    job = world_load(w, environment, 0);
}

static void teardown(void) {
    job_free(job);
    world_end(w);
    free(environment);
    free(deployment);
}

static struct intent *mark_service(const char *purpose) {
    return world_intent(w, job, purpose, "Service", SERVICE,
                        "{\"metadata\": {\"annotations\": {\"test/mark\": \"1\"}}}");
}

static struct write_outcome send_out(struct job *j, const struct intent *n) {
    struct write_outcome out = {0};

    write_intent(w->pool, j, n, &out);
    write_outcome_done(&out);
    return out;
}

static WriteEnd outcome(struct job *j, const struct intent *n) {
    return send_out(j, n).end;
}

static char *annotation(const char *key) {
    json_auto_t *service = world_object(w, KUBE_SERVICE, WORLD_SPACE, SERVICE);
    const char *value = kube_annotation(service, key);

    return xstrdup(value ? value : "");
}

#define EXPECT_ANNOTATION(key, value)                                                              \
    do {                                                                                           \
        _cleanup_free_ char *found_ = annotation(key);                                             \
        ck_assert_str_eq(found_, value);                                                           \
    } while (0)

/* A write on a thread of its own. */
struct sending {
    pthread_t thread;
    struct job *job;
    const struct intent *intent;
    struct write_outcome out;
};

static void *sending_thread(void *arg) {
    struct sending *s = arg;

    write_intent(w->pool, s->job, s->intent, &s->out);
    write_outcome_done(&s->out);
    return NULL;
}

static void sending_begin(struct sending *s, struct job *j, const struct intent *n) {
    s->job = j;
    s->intent = n;
    ck_assert_int_eq(pthread_create(&s->thread, NULL, sending_thread, s), 0);
}

static WriteEnd sending_end(struct sending *s) {
    pthread_join(s->thread, NULL);
    return s->out.end;
}

/* ---- what a write leaves ---- */

START_TEST(write__fences_the_object_it_writes) {
    struct intent *n = mark_service("mark");
    struct write_outcome out = send_out(job, n);
    json_auto_t *service = NULL;
    _cleanup_free_ char *epoch = xasprintf("%lld", (long long)job->epoch);

    ck_assert_int_eq(out.end, WRITE_DONE);
    service = world_object(w, KUBE_SERVICE, WORLD_SPACE, SERVICE);
    ck_assert_str_eq(kube_resource_version(service), out.resource_version);
    ck_assert_str_eq(kube_annotation(service, "sluice.dev/op"), n->op);
    ck_assert_str_eq(kube_annotation(service, "sluice.dev/epoch"), epoch);
    ck_assert_str_eq(kube_annotation(service, "sluice.dev/environment"), "inopnc/production");
    ck_assert_str_eq(kube_label(service, "sluice.dev/managed"), "true");
    ck_assert_str_eq(kube_annotation(service, "test/mark"), "1");
}
END_TEST

static json_t *watched(struct job *j, const char *namespace_, const char *name,
                       const char *at_least) {
    int64_t late = clock_monotonic_us() + 10 * US_PER_S;

    for (;;) {
        json_t *seen = kube_cached(j->cluster, KUBE_SERVICE, namespace_, name);

        if (seen && !kube_version_newer(at_least, kube_resource_version(seen)))
            return seen;
        ck_assert_msg(clock_monotonic_us() < late, "the watch does not show %s", name);
        json_decref(seen);
        sched_yield();
    }
}

START_TEST(write__to_a_service_goes_by_a_watch_that_follows) {
    struct intent *n = mark_service("first");
    struct write_outcome out = send_out(job, n);
    long since = world_mark(w);

    ck_assert_int_eq(out.end, WRITE_DONE);
    snprintf(n->resource_version, sizeof n->resource_version, "%s", out.resource_version);
    json_decref(watched(job, WORLD_SPACE, SERVICE, out.resource_version));
    n = mark_service("second");
    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "GET", SERVICE_PATH), 0);
    EXPECT_ANNOTATION("sluice.dev/op", n->op);
    /* where it is behind our own writes it is not asked */
    snprintf(n->resource_version, sizeof n->resource_version, "18446744073709551615");
    n = mark_service("third");
    since = world_mark(w);
    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "GET", SERVICE_PATH), 1);
    EXPECT_ANNOTATION("sluice.dev/op", n->op);
}
END_TEST

/* The watch hangs after its first list; then somebody else changes the Service. */
START_TEST(write__by_a_watch_that_is_behind_is_refused_and_reads) {
    _cleanup_(kube_result_done) struct kube_result theirs = {0}, now = {0};
    _cleanup_free_ char *id = NULL, *id_deployed = NULL;
    json_auto_t *listed = NULL,
                *patch = json_parse("{\"metadata\": {\"annotations\": {\"x\": \"y\"}}}");
    struct intent *n;
    struct job *j;
    long since;

    world_faults(w, "[{\"verb\": \"watch\", \"path\": \"/services([?]|$)\","
                    " \"action\": {\"hang\": true}}]");
    id = world_environment(w, &(struct place){.app = "other", .namespace_ = "elsewhere"});
    id_deployed = world_deploy(w, "other", "v1.0.0", 1);
    j = world_load(w, id, 0);
    listed = watched(j, "elsewhere", "other-prod", "");
    n = world_intent(w, j, "first", "Service", "other-prod", "{}");
    snprintf(n->resource_version, sizeof n->resource_version, "%s", kube_resource_version(listed));
    kube_patch(w->other, KUBE_SERVICE, "elsewhere", "other-prod", KUBE_MERGE_PATCH, patch, false,
               &theirs);
    ck_assert_int_eq(theirs.outcome, KUBE_DONE);
    since = world_mark(w);
    n = world_intent(w, j, "second", "Service", "other-prod", "{}");
    ck_assert_int_eq(outcome(j, n), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "PATCH", "/services/other-prod"), 2);
    ck_assert_int_eq(world_count(w, since, "GET", "/services/other-prod"), 1);
    kube_get(w->other, KUBE_SERVICE, "elsewhere", "other-prod", &now);
    ck_assert_str_eq(kube_annotation(now.object, "sluice.dev/op"), n->op);
    ck_assert_str_eq(kube_annotation(now.object, "x"), "y");
    job_free(j);
}
END_TEST

START_TEST(law5__a_write_that_is_there_is_not_sent_again) {
    struct intent *n = mark_service("mark");
    struct write_outcome first = send_out(job, n), second;
    long since = world_mark(w);

    world_patch(w, KUBE_SERVICE, SERVICE, "{\"metadata\": {\"annotations\": {\"x\": \"y\"}}}");
    second = send_out(job, n);
    ck_assert_int_eq(first.end, WRITE_DONE);
    ck_assert_int_eq(second.end, WRITE_DONE);
    ck_assert_str_ne(first.resource_version, second.resource_version); /* of the object as it is */
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 1); /* other hands' */
}
END_TEST

START_TEST(law5__a_lost_reply_has_one_effect) {
    struct intent *n = mark_service("mark");
    long since = world_mark(w);

    world_faults(w, "[{\"verb\": \"PATCH\", \"count\": 1, \"action\": {\"cut\": \"after\"}}]");
    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 1);
    EXPECT_ANNOTATION("sluice.dev/op", n->op);
    n = mark_service("again");
    since = world_mark(w);
    world_faults(w, "[{\"verb\": \"PATCH\", \"count\": 1, \"action\": {\"cut\": \"before\"}}]");
    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 2); /* the first never arrived */
    EXPECT_ANNOTATION("sluice.dev/op", n->op);
}
END_TEST

/* ---- stale holders ---- */

START_TEST(law5__a_lease_taken_over_after_the_read_sends_nothing) {
    struct sending s = {0};
    struct intent *n = mark_service("mark");
    struct pg_session *hold =
        pg_hold(w->url, "LOCK TABLE environment_lease IN ACCESS EXCLUSIVE MODE");
    long since = world_mark(w);

    sending_begin(&s, job, n);
    world_await_request(w, since, "GET", SERVICE_PATH);
    world_await(w, 10,
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
                " query LIKE '%%environment_lease%%' AND pid <> pg_backend_pid()");
    pg_let_go(hold, "UPDATE environment_lease SET epoch = epoch + 1, holder = 4242");
    ck_assert_int_eq(sending_end(&s), WRITE_DROPPED);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 0);
    EXPECT_ANNOTATION("sluice.dev/op", "");
}
END_TEST

START_TEST(law5__an_expired_lease_sends_nothing) {
    struct intent *n = mark_service("mark");
    long since = world_mark(w);

    free(pg_sql(w->url, "UPDATE environment_lease SET until = clock_timestamp()"));
    ck_assert_int_eq(outcome(job, n), WRITE_DROPPED);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 0);
}
END_TEST

/* The write of a holder that stalls after its lease check arrives after the undo of its deployment
 * was confirmed. */
START_TEST(law5__a_stalled_write_never_lands_after_an_abort) {
    struct sending s = {0};
    struct intent *n = world_intent(w, job, "switch", "Service", SERVICE,
                                    "{\"spec\": {\"selector\": {\"environment\": \"green\"}}}"),
                  *restore;
    long since = world_mark(w);
    struct job *undo;

    world_faults(w, "[{\"verb\": \"PATCH\", \"path\": \"" SERVICE_PATH "$\", \"count\": 1,"
                    " \"action\": {\"delay_ms\": 1500}}]");
    sending_begin(&s, job, n);
    world_await_request(w, since, "PATCH", SERVICE_PATH);
    ck_assert_int_eq(world_abort(w, deployment), STATUS_OK);
    undo = world_load(w, environment, 4242);
    restore = world_intent(w, undo, "restore-service", "Service", SERVICE,
                           "{\"spec\": {\"selector\": {\"environment\": \"blue\"}}}");
    /* the selector is right already: only the fresh op makes it a write */
    ck_assert_int_eq(outcome(undo, restore), WRITE_DONE);
    ck_assert_int_eq(sending_end(&s), WRITE_DROPPED);
    ck_assert_str_eq(world_color(w, WORLD_SPACE, "inopnc"), "blue");
    EXPECT_ANNOTATION("sluice.dev/op", restore->op);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 2);
    job_free(undo);
}
END_TEST

START_TEST(law5__two_holders_of_one_intent_have_one_effect) {
    struct sending s = {0};
    struct intent *n = mark_service("mark");
    long since = world_mark(w);
    struct write_outcome second;
    struct job *next;

    world_faults(w, "[{\"verb\": \"PATCH\", \"path\": \"" SERVICE_PATH "$\", \"count\": 1,"
                    " \"action\": {\"delay_ms\": 1500}}]");
    sending_begin(&s, job, n);
    world_await_request(w, since, "PATCH", SERVICE_PATH);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL"));
    next = world_load(w, environment, 4242);
    ck_assert_ptr_nonnull(job_open_intent(next));
    second = send_out(next, job_open_intent(next));
    ck_assert_int_eq(second.end, WRITE_DONE);
    ck_assert_int_eq(sending_end(&s), WRITE_DONE); /* the other's write of the same op: but ... */
    ck_assert_str_eq(s.out.resource_version, second.resource_version);
    ck_assert_int_eq(pg_number(w->url, "SELECT tick_commit('%s', '%s', %lld, %lld, '{}')::int",
                               environment, deployment, (long long)job->epoch,
                               (long long)job->holder),
                     0); /* ... nobody records it twice */
    job_free(next);
}
END_TEST

/* The holder before sent the switch, which arrives during the next holder's last look. */
START_TEST(law6__a_switch_that_arrives_during_the_last_look_is_no_veto) {
    struct sending s = {0};
    _cleanup_free_ char *arrives = NULL;
    struct intent *n;
    long since;

    ck_assert_int_eq(world_run_to_step(w, job, "await-available"), RUN_WAIT);
    world_run_to_intent(w, job, "switch", SERVICE_PATH);
    n = job_open_intent(job);
    arrives = xasprintf("{\"metadata\": {\"annotations\": {\"sluice.dev/op\": \"%s\"}},"
                        " \"spec\": {\"selector\": {\"environment\": \"%s\"}}}",
                        n->op, color_names[job->plan.target]);
    since = world_mark(w);
    world_faults(w, "[{\"verb\": \"GET\", \"path\": \"/deployments/\", \"count\": 1,"
                    " \"action\": {\"delay_ms\": 700}}]");
    sending_begin(&s, job, n);
    world_await_request(w, since, "GET", "/deployments/inopnc-blue");
    world_patch(w, KUBE_SERVICE, SERVICE, arrives);
    ck_assert_int_eq(sending_end(&s), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "GET", SERVICE_PATH), 1); /* after the conflict */
    EXPECT_ANNOTATION("sluice.dev/op", n->op);
}
END_TEST

/* ---- what the API server says ---- */

START_TEST(write__goes_on_through_conflicts_and_gives_way_to_a_fight) {
    struct intent *n = mark_service("mark");
    struct write_outcome out;
    long since = world_mark(w);

    world_faults(w, "[{\"verb\": \"PATCH\", \"count\": 5, \"action\": {\"status\": 409}}]");
    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 6);
    n = mark_service("again");
    since = world_mark(w);
    world_faults(w, "[{\"verb\": \"PATCH\", \"action\": {\"status\": 409}}]");
    out = send_out(job, n);
    ck_assert_int_eq(out.end, WRITE_LATER);
    ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 10);
    ck_assert(out.until_us > clock_monotonic_us() &&
              out.until_us < clock_monotonic_us() + US_PER_S);
}
END_TEST

START_TEST(write__comes_back_when_the_server_says_so) {
    static const struct {
        const char *action;
        int seconds;
    } cases[] = {
        {"{\"status\": 429, \"retry_after_s\": 7}", 7},
        {"{\"status\": 429, \"retry_after_s\": 3600}", 60},
        {"{\"status\": 503, \"retry_after_s\": 5}", 5},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *purpose = xasprintf("%zu", i),
                            *list = xasprintf("[{\"verb\": \"PATCH\", \"action\": %s}]",
                                              cases[i].action);
        struct intent *n = mark_service(purpose);
        struct write_outcome out;
        int64_t wait;

        world_faults(w, list);
        out = send_out(job, n);
        wait = out.until_us - clock_monotonic_us();
        ck_assert_int_eq(out.end, WRITE_LATER);
        ck_assert_msg(wait > (cases[i].seconds - 1) * US_PER_S &&
                          wait <= cases[i].seconds * US_PER_S,
                      "%s: %lld us", cases[i].action, (long long)wait);
    }
}
END_TEST

START_TEST(write__outlasts_a_storm_of_errors) {
    static const char *const storms[] = {
        "[{\"verb\": \"PATCH\", \"action\": {\"status\": 500}}]",
        "[{\"path\": \"" SERVICE_PATH "$\", \"action\": {\"status\": 500}}]",
        "[{\"path\": \"" SERVICE_PATH "$\", \"action\": {\"cut\": \"before\"}}]",
    };

    for (size_t i = 0; i < sizeof storms / sizeof *storms; i++) {
        _cleanup_free_ char *purpose = xasprintf("%zu", i);
        struct intent *n = mark_service(purpose);
        int64_t last = 0;

        world_faults(w, storms[i]);
        for (int k = 0; k < 6; k++) {
            struct write_outcome out = send_out(job, n);

            ck_assert_int_eq(out.end, WRITE_LATER);
            last = out.until_us - clock_monotonic_us();
            ck_assert(*out.detail);
        }
        ck_assert(last > US_PER_S && last < 4 * US_PER_S); /* it backs off, and not for ever */
        world_faults(w, "[]");
        ck_assert_int_eq(outcome(job, n), WRITE_DONE);
        ck_assert_int_eq(job->failures, 0);
        EXPECT_ANNOTATION("sluice.dev/op", n->op);
    }
}
END_TEST

START_TEST(write__of_a_fifth_of_failures_arrives_once) {
    world_faults(w, "[{\"rate\": 0.2, \"action\": {\"status\": 500}},"
                    " {\"verb\": \"PATCH\", \"rate\": 0.2, \"action\": {\"cut\": \"after\"}}]");
    for (int i = 0; i < 40; i++) {
        _cleanup_free_ char *purpose = xasprintf("%d", i);
        struct intent *n = mark_service(purpose);
        WriteEnd end = WRITE_LATER;

        for (int k = 0; k < 20 && end == WRITE_LATER; k++)
            end = outcome(job, n);
        ck_assert_int_eq(end, WRITE_DONE);
    }
    world_faults(w, "[]");
    EXPECT_ANNOTATION("sluice.dev/op", job->journal.intents[job->journal.count - 1].op);
}
END_TEST

START_TEST(write__that_is_refused_says_why) {
    static const struct {
        const char *verb;
        int status;
        WriteEnd forward, backward;
        const char *code;
    } cases[] = {
        {"PATCH", 422, WRITE_NO, WRITE_NO, "invalid-target"},
        {"PATCH", 403, WRITE_NO, WRITE_NO, "invalid-target"},
        {"GET", 403, WRITE_NO, WRITE_LATER, "cluster-unavailable"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int backward = 0; backward < 2; backward++) {
            _cleanup_free_ char *purpose = xasprintf("%zu-%d", i, backward),
                                *list =
                                    xasprintf("[{\"verb\": \"%s\", \"action\": {\"status\": %d}}]",
                                              cases[i].verb, cases[i].status);
            struct intent *n = mark_service(purpose);
            struct write_outcome out;

            world_faults(w, list);
            job->undoing = backward;
            out = send_out(job, n);
            job->undoing = false;
            ck_assert_int_eq(out.end, backward ? cases[i].backward : cases[i].forward);
            if (out.end == WRITE_NO) {
                ck_assert_str_eq(out.code, cases[i].code);
                ck_assert_ptr_nonnull(strstr(out.detail, SERVICE));
                ck_assert(*out.hint);
            }
        }
}
END_TEST

/* ---- histories that we do not know ---- */

START_TEST(law5__a_past_that_we_do_not_know_stops_forward_writes) {
    static const char *const pasts[] = {
        "{\"sluice.dev/op\": \"0190b6a0-0000-7000-8000-000000000001\"}",
        "{\"sluice.dev/op\": \"no uuid at all\", \"sluice.dev/epoch\": \"1\"}",
        "{\"sluice.dev/op\": null, \"sluice.dev/epoch\": \"99\"}",
    };

    for (size_t i = 0; i < sizeof pasts / sizeof *pasts; i++) {
        _cleanup_free_ char *purpose = xasprintf("%zu", i),
                            *patch = xasprintf("{\"metadata\": {\"annotations\": %s}}", pasts[i]);
        struct intent *n = mark_service(purpose);
        long since;

        world_patch(w, KUBE_SERVICE, SERVICE, patch);
        since = world_mark(w);
        ck_assert_int_eq(outcome(job, n), WRITE_HISTORY);
        ck_assert_int_eq(world_count(w, since, "PATCH", SERVICE_PATH), 0);
    }
}
END_TEST

START_TEST(law2__a_backward_write_goes_on_with_a_higher_epoch) {
    struct intent *n = mark_service("back");

    world_patch(w, KUBE_SERVICE, SERVICE,
                "{\"metadata\": {\"annotations\": {\"sluice.dev/op\": \"unknown\","
                " \"sluice.dev/epoch\": \"99\"}}}");
    job->undoing = true;
    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    job->undoing = false;
    EXPECT_ANNOTATION("sluice.dev/epoch", "100");
    EXPECT_ANNOTATION("sluice.dev/op", n->op);
}
END_TEST

START_TEST(law5__a_past_of_our_own_is_gone_on_from) {
    struct intent *n = mark_service("mark");
    struct job *next;

    ck_assert_int_eq(outcome(job, n), WRITE_DONE);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL"));
    next = world_load(w, environment, 4242);
    free(pg_sql(w->url, "UPDATE intent SET result = 'done'"));
    n = world_intent(w, next, "more", "Service", SERVICE, "{}");
    journal_clear(&next->journal); /* as if another deployment of ours had been there */
    {
        struct intent copy = {.job = xstrdup("deploy"),
                              .step = xstrdup("resolve"),
                              .purpose = xstrdup("more"),
                              .kind = xstrdup("Service"),
                              .name = xstrdup(SERVICE),
                              .write = json_pack("{s:s, s:{}}", "verb", WRITE_MERGE, "body")};

        snprintf(copy.op, sizeof copy.op, "0190b6a0-0000-7000-8000-00000000000a");
        next->journal.intents = xcalloc(1, sizeof copy);
        next->journal.intents[0] = copy;
        next->journal.count = 1;
        ck_assert_int_eq(outcome(next, &next->journal.intents[0]), WRITE_DONE);
    }
    job_free(next);
}
END_TEST

/* ---- objects that are not there ---- */

static struct intent *create_blue(const char *purpose) {
    struct intent *n = world_intent(w, job, purpose, "Deployment", "inopnc-blue", "{}");

    json_decref(n->write);
    n->write = json_pack(
        "{s:s, s:o}", "verb", WRITE_APPLY, "body",
        json_parse("{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": "
                   "{\"name\": \"inopnc-blue\"}, \"spec\": {\"replicas\": 0, \"selector\": "
                   "{\"matchLabels\": {\"a\": \"b\"}}, \"template\": {\"metadata\": {\"labels\": "
                   "{\"a\": \"b\"}}, \"spec\": {\"containers\": [{\"name\": \"app\", \"image\": "
                   "\"ghcr.io/your-org/inopnc:v1.2.2\"}]}}}}"));
    return n;
}

START_TEST(write__creates_what_it_applies_and_meets_another_creator) {
    struct intent *n = create_blue("create");
    struct sending s = {0};
    long since = world_mark(w);
    json_auto_t *made = NULL, *body = json_deep_copy(json_object_get(n->write, "body"));
    struct kube_result r;

    world_faults(w, "[{\"verb\": \"POST\", \"count\": 1, \"action\": {\"delay_ms\": 1000}}]");
    sending_begin(&s, job, n);
    world_await_request(w, since, "POST", "/deployments");
    kube_create(w->other, KUBE_DEPLOYMENT, WORLD_SPACE, body, false, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    ck_assert_int_eq(sending_end(&s), WRITE_DONE);
    made = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, "inopnc-blue");
    ck_assert_str_eq(kube_annotation(made, "sluice.dev/op"), n->op);
}
END_TEST

START_TEST(write__to_what_is_gone_is_refused_or_needless) {
    struct intent *workload = world_intent(w, job, "a", "Deployment", "inopnc-green", "{}"),
                  *service;
    struct write_outcome out = send_out(job, workload);

    ck_assert_int_eq(out.end, WRITE_NO);
    ck_assert_str_eq(out.code, "third-party-change");
    job->undoing = true;
    ck_assert_int_eq(outcome(job, workload), WRITE_DONE);
    service = world_intent(w, job, "b", "Service", "nowhere", "{}");
    ck_assert_int_eq(outcome(job, service), WRITE_NO); /* traffic cannot be put back */
    job->undoing = false;
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH(
        "write", 60, setup, teardown, write__fences_the_object_it_writes,
        write__to_a_service_goes_by_a_watch_that_follows,
        write__by_a_watch_that_is_behind_is_refused_and_reads,
        law5__a_write_that_is_there_is_not_sent_again, law5__a_lost_reply_has_one_effect,
        law5__a_lease_taken_over_after_the_read_sends_nothing, law5__an_expired_lease_sends_nothing,
        law5__a_stalled_write_never_lands_after_an_abort,
        law5__two_holders_of_one_intent_have_one_effect,
        law6__a_switch_that_arrives_during_the_last_look_is_no_veto,
        write__goes_on_through_conflicts_and_gives_way_to_a_fight,
        write__comes_back_when_the_server_says_so, write__outlasts_a_storm_of_errors,
        write__of_a_fifth_of_failures_arrives_once, write__that_is_refused_says_why,
        law5__a_past_that_we_do_not_know_stops_forward_writes,
        law2__a_backward_write_goes_on_with_a_higher_epoch, law5__a_past_of_our_own_is_gone_on_from,
        write__creates_what_it_applies_and_meets_another_creator,
        write__to_what_is_gone_is_refused_or_needless);
}
