#include "tests/support/world.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "db/deployment.h"
#include "rollout/plan.h"
#include "tests/support/pg.h"
#include "worker/observe.h"
#include "worker/start.h"
#include "worker/verbs.h"
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_S = 20, LISTED_MOST = 64 };

static const char kubeconfig[] = "{\"kubeconfig_file\": \"kubeconfig\"}";

static void ignore(void *ctx, const char *environment_id) {
    (void)ctx, (void)environment_id;
}

static struct db_pool *pool_of(const struct world *w, int size) {
    return db_pool_new(
        &(struct db_settings){.url = w->url, .size = size, .wait_ms = 5000, .app_name = "world"});
}

void world_start(struct world *w) {
    json_auto_t *spec = json_parse(kubeconfig);
    char why[256];

    net_setup();
    *w = (struct world){.url = pg_database()};
    sim_start(&w->sim, 0);
    w->pool = pool_of(w, 8);
    w->reserved = pool_of(w, 2);
    w->replica = db_replica_open(w->url, NULL, NULL);
    w->clusters = kube_clusters_new(w->sim.folder.path, NULL, NULL);
    w->hands = kube_clusters_new(w->sim.folder.path, NULL, NULL);
    ck_assert_int_eq(kube_clusters_get(w->hands, "local", spec, 1, &w->other, why, sizeof why),
                     STATUS_OK);
    w->run = (struct run_settings){
        .pool = w->pool, .clusters = w->clusters, .changed = ignore, .wake = ignore};
    ck_assert(db_replica_wait(w->replica, 10000) != 0);
}

void world_end(struct world *w) {
    kube_cluster_unref(w->other);
    kube_clusters_free(w->hands);
    kube_clusters_free(w->clusters);
    db_replica_close(w->replica);
    db_pool_free(w->reserved);
    db_pool_free(w->pool);
    sim_stop(&w->sim);
    free(w->url);
}

/* ---- what is deployed ---- */

static void make_service(struct world *w, const char *namespace_, const char *app, const char *what,
                         const char *color) {
    _cleanup_free_ char *name = xasprintf("%s-%s", app, what);
    json_auto_t *body =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:s, s:s}, s:[{s:s, s:i, s:i}]}}", "apiVersion", "v1",
                  "kind", "Service", "metadata", "name", name, "spec", "selector", "app", app,
                  "environment", color, "ports", "name", "http", "port", 80, "targetPort", 3000);
    _cleanup_(kube_result_done) struct kube_result r = {0};

    kube_create(w->other, KUBE_SERVICE, namespace_, body, false, &r);
    ck_assert_msg(r.outcome == KUBE_DONE || r.outcome == KUBE_CONFLICT, "%s", r.message);
}

static void make_namespace(struct world *w, const char *name) {
    json_auto_t *body = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
                                  "metadata", "name", name);
    _cleanup_(kube_result_done) struct kube_result r = {0};

    kube_create(w->other, KUBE_NAMESPACE, NULL, body, false, &r);
    ck_assert_msg(r.outcome == KUBE_DONE || r.outcome == KUBE_CONFLICT, "%s", r.message);
}

static char *spec_of(const struct place *in, const char *cluster, const char *namespace_) {
    _cleanup_free_ char *text = xasprintf(
        "{\"cluster\": \"%s\", \"namespace\": \"%s\", \"container\": \"app\", \"port\": 3000, "
        "\"strategy\": \"blue-green\", \"blue_green\": {\"service\": \"%s-prod\", "
        "\"selector_key\": \"environment\", \"colors\": {"
        "\"blue\": {\"deployment\": \"%s-blue\", \"service\": \"%s-blue-service\"}, "
        "\"green\": {\"deployment\": \"%s-green\", \"service\": \"%s-green-service\"}}, "
        "\"promote\": \"auto\", \"idle_rollout\": \"at-once\", \"keep_previous_s\": 86400}, "
        "\"checks\": {\"health\": [], \"smoke\": [], \"production\": []}, "
        "\"deadlines\": {\"available_s\": %d, \"checks_s\": 120, \"validate_s\": 30}}",
        cluster, namespace_, in->app, in->app, in->app, in->app, in->app,
        in->available_s ? in->available_s : 600);
    json_auto_t *spec = json_parse(text), *checks = json_parse(in->checks),
                *blue_green = json_parse(in->blue_green);

    json_object_update(json_object_get(spec, "checks"), checks);
    json_object_update(json_object_get(spec, "blue_green"), blue_green);
    return json_text(spec);
}

char *world_environment(struct world *w, const struct place *in) {
    const char *cluster = in->cluster ? in->cluster : "local";
    const char *namespace_ = in->namespace_ ? in->namespace_ : WORLD_SPACE;
    _cleanup_free_ char *spec = spec_of(in, cluster, namespace_);
    char *id = xcalloc(1, UUID_TEXT);

    uuid_v7(id);
    free(pg_sql(w->url,
                "INSERT INTO cluster (name, spec) VALUES ('%s', '%s') ON CONFLICT DO NOTHING; "
                "INSERT INTO app (name, spec) VALUES ('%s', '{}') ON CONFLICT DO NOTHING; "
                "INSERT INTO environment (id, app, name, cluster, namespace, spec) "
                "VALUES ('%s', '%s', 'production', '%s', '%s', '%s')",
                cluster, kubeconfig, in->app, id, in->app, cluster, namespace_, spec));
    if (in->namespace_)
        make_namespace(w, namespace_);
    make_service(w, namespace_, in->app, "prod", "blue");
    make_service(w, namespace_, in->app, "blue-service", "blue");
    make_service(w, namespace_, in->app, "green-service", "green");
    return id;
}

static json_t *document(const char *app, int replicas) {
    _cleanup_free_ char *text = xasprintf(
        "[{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": "
        "\"%s-${COLOR}\"}, \"spec\": {\"replicas\": %d, \"selector\": {\"matchLabels\": {\"app\": "
        "\"%s\", \"environment\": \"${COLOR}\"}}, \"template\": {\"metadata\": {\"labels\": "
        "{\"app\": \"%s\", \"environment\": \"${COLOR}\"}}, \"spec\": {\"containers\": [{\"name\": "
        "\"app\", \"image\": \"${IMAGE}\", \"ports\": [{\"containerPort\": 3000}]}]}}}}]",
        app, replicas, app, app);

    return json_parse(text);
}

struct start {
    const char *id, *app, *plan, *steps;
    const struct deployment_basis *basis;
};

static Status start_tx(struct db_tx *tx, void *ctx) {
    const struct start *s = ctx;
    Status status = db_deployment_begin(tx, s->basis);

    if (status)
        return status;
    return db_deployment_insert(tx,
                                &(struct deployment_new){.id = s->id,
                                                         .environment_id = s->basis->environment_id,
                                                         .app = s->app,
                                                         .environment = "production",
                                                         .release_id = s->basis->release_id,
                                                         .strategy = "blue-green",
                                                         .requested_by = "{}",
                                                         .plan = s->plan,
                                                         .steps = s->steps});
}

static char *steps_text(void) {
    json_auto_t *steps = deployment_steps_json("blue-green", true, NULL);

    return json_text(steps);
}

static void make_release(struct world *w, const char *app, const char *version) {
    char id[UUID_TEXT];

    free(pg_sql(w->url,
                "INSERT INTO release (id, app, version, version_key, precedence, image, "
                "content_digest, created_by) VALUES ('%s', '%s', '%s', '%s', '', "
                "'ghcr.io/your-org/%s:%s', '', '{}') ON CONFLICT DO NOTHING",
                uuid_v7(id), app, version, version + 1, app, version));
}

static char *deploy(struct world *w, const char *app, const char *version,
                    const json_t *documents) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(kube_cluster_unref) struct kube_cluster *cluster = NULL;
    _cleanup_free_ char *plan_text = NULL, *steps = steps_text();
    json_auto_t *spec = NULL, *plan = NULL, *config = json_parse(kubeconfig);
    struct arena arena = {0};
    struct deployment_basis basis;
    _cleanup_(seen_done) struct seen seen = {0};
    const char *why = "";
    char *id = xcalloc(1, UUID_TEXT), line[256];

    make_release(w, app, version);
    ck_assert_int_eq(db_deployment_prepare(w->pool, app, "production", version + 1, &rows), 0);
    ck_assert_uint_eq(db_rows_count(rows), 1);
    basis = deployment_basis(rows);
    spec = json_parse(basis.spec);
    ck_assert_int_eq(
        kube_clusters_get(w->hands, basis.cluster, config, 1, &cluster, line, sizeof line), 0);
    observe_now(cluster, spec, &seen);
    ck_assert_msg(seen.reachable, "%s", seen.error);
    ck_assert_int_eq(plan_make(&(struct plan_request){.spec = spec,
                                                      .version = basis.version,
                                                      .image = basis.image,
                                                      .documents = documents,
                                                      .seen = &seen},
                               &arena, &plan, &why),
                     STATUS_OK);
    plan_text = json_text(plan);
    ck_assert_int_eq(db_tx_run(w->pool, "deploy", DB_READ_COMMITTED, start_tx,
                               &(struct start){uuid_v7(id), app, plan_text, steps, &basis}),
                     STATUS_OK);
    arena_done(&arena);
    return id;
}

char *world_deploy(struct world *w, const char *app, const char *version, int replicas) {
    json_auto_t *documents = document(app, replicas);

    return deploy(w, app, version, documents);
}

char *world_deploy_with(struct world *w, const char *app, const char *version, const char *more) {
    json_auto_t *documents = document(app, 1), *others = json_parse(more);

    ck_assert_int_eq(json_array_extend(documents, others), 0);
    return deploy(w, app, version, documents);
}

char *world_deploy_image(struct world *w, const char *app, const char *version) {
    return deploy(w, app, version, NULL);
}

void world_serve(struct world *w, const char *app, const char *environment_id, const char *version,
                 int replicas) {
    _cleanup_free_ char *id = world_deploy(w, app, version, replicas), *state = NULL;
    struct job *j = world_load(w, environment_id, 0);

    ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
    job_free(j);
    state = world_state(w, id);
    ck_assert_str_eq(state, "succeeded");
}

static Status abort_tx(struct db_tx *tx, void *ctx) {
    struct arena arena = {0};
    struct verb_result result = {0};
    const struct verb_request in = {.deployment_id = ctx,
                                    .reason = "a test",
                                    .by = {"{\"kind\": \"user\"}", "test"},
                                    .arena = &arena};
    Status s = deployment_abort(tx, &in, &result);

    arena_done(&arena);
    return s;
}

Status world_abort(struct world *w, const char *deployment_id) {
    _cleanup_free_ char *id = xstrdup(deployment_id);

    return db_tx_run(w->pool, "abort", DB_READ_COMMITTED, abort_tx, id);
}

struct back {
    const char *app, *of, *version;
    char id[UUID_TEXT];
};

static Status roll_back_tx(struct db_tx *tx, void *ctx) {
    struct back *b = ctx;
    struct arena arena = {0};
    struct verb_result result = {0};
    const struct rollback_ask in = {.app = b->app,
                                    .environment = "production",
                                    .of = b->of,
                                    .version = b->version,
                                    .id = uuid_v7(b->id),
                                    .by = {"{\"kind\": \"user\"}", "test"},
                                    .arena = &arena};
    Status s = deployment_rollback(tx, &in, &result);

    arena_done(&arena);
    return s;
}

Status world_rollback(struct world *w, const char *app, const char *of, const char *version) {
    struct back b = {.app = app, .of = of, .version = version};

    return db_tx_run(w->pool, "rollback", DB_READ_COMMITTED, roll_back_tx, &b);
}

/* ---- one holder, step by step ---- */

struct job *world_load(struct world *w, const char *environment_id, int64_t holder) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct job *j = NULL;
    char why[256] = "";

    if (!holder)
        holder = db_replica_number(w->replica);
    ck_assert_int_eq(db_once(w->pool, SQL_LEASE_CLAIM, &rows,
                             DB_PARAMS(environment_id, DB_INT(holder), DB_INT(60000))),
                     STATUS_OK);
    ck_assert_uint_eq(db_rows_count(rows), 1);
    ck_assert_int_eq(job_load(w->pool, w->clusters, environment_id, db_int(rows, 0, "epoch"),
                              holder, &j, why, sizeof why),
                     STATUS_OK);
    ck_assert_msg(j != NULL, "nothing is active: %s", why);
    return j;
}

static void pause_a_moment(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

typedef bool job_fact_fn(struct job *j, const char *arg);

static RunEnd run_until(struct world *w, struct job *j, job_fact_fn *fact, const char *arg) {
    int64_t late = clock_monotonic_us() + PATIENCE_S * US_PER_S, until;
    RunEnd end;

    for (;;) {
        end = run_job(&w->run, j, &until);
        if (end != RUN_WAIT || fact(j, arg))
            return end;
        if (clock_monotonic_us() >= late) {
            _cleanup_free_ char *plan = json_text(j->plan.json);

            ck_abort_msg("still at step %s: %s; plan %s", job_row(j)->name, job_progress(j)->detail,
                         plan);
        }
        pause_a_moment();
    }
}

static bool at_step(struct job *j, const char *step) {
    return strcmp(job_row(j)->name, step) == 0;
}

static bool never(struct job *j, const char *arg) {
    (void)j, (void)arg;
    return false;
}

static bool intends(struct job *j, const char *purpose) {
    struct intent *open = job_open_intent(j);

    return open && strcmp(open->purpose, purpose) == 0;
}

RunEnd world_run_to_step(struct world *w, struct job *j, const char *step) {
    return run_until(w, j, at_step, step);
}

RunEnd world_run_to_end(struct world *w, struct job *j) {
    return run_until(w, j, never, NULL);
}

void world_run_to_intent(struct world *w, struct job *j, const char *purpose, const char *path) {
    _cleanup_free_ char *list = xasprintf(
        "[{\"verb\": \"PATCH\", \"path\": \"%s$\", \"action\": {\"status\": 503}}]", path);

    world_faults(w, list);
    ck_assert_int_eq(run_until(w, j, intends, purpose), RUN_WAIT);
    world_faults(w, "[]");
}

struct intent *world_intent(struct world *w, struct job *j, const char *purpose, const char *kind,
                            const char *name, const char *body) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *text = NULL;

    change_intent(j, purpose, kind, name,
                  json_pack("{s:s, s:o}", "verb", WRITE_MERGE, "body", json_parse(body)));
    text = json_text(j->changes);
    ck_assert_int_eq(db_once(w->pool, SQL_TICK_COMMIT, &rows,
                             DB_PARAMS(j->environment_id, j->deployment_id, DB_INT(j->epoch),
                                       DB_INT(j->holder), text)),
                     STATUS_OK);
    ck_assert(db_bool(rows, 0, "held"));
    json_decref(j->changes);
    j->changes = NULL;
    return &j->journal.intents[j->journal.count - 1];
}

/* ---- replicas ---- */

static void object_changed(void *ctx, const char *cluster, KubeKind kind, const char *namespace_,
                           const char *name) {
    struct replica *r = ctx;

    pthread_mutex_lock(&r->lock);
    if (r->watching)
        worker_object_changed(r->watching, cluster, kind, namespace_, name);
    pthread_mutex_unlock(&r->lock);
}

static void watch_for(struct replica *r, struct worker *worker) {
    pthread_mutex_lock(&r->lock);
    r->watching = worker;
    pthread_mutex_unlock(&r->lock);
}

void replica_start(struct replica *r, struct world *w, int threads) {
    *r = (struct replica){.world = w};
    pthread_mutex_init(&r->lock, NULL);
    r->session = db_replica_open(w->url, NULL, NULL);
    r->clusters = kube_clusters_new(w->sim.folder.path, object_changed, r);
    ck_assert(db_replica_wait(r->session, 10000) != 0);
    r->worker = worker_new(&(struct worker_settings){.pool = w->pool,
                                                     .reserved_pool = w->reserved,
                                                     .replica = r->session,
                                                     .clusters = r->clusters,
                                                     .threads = threads,
                                                     .lease_ms = 10000,
                                                     .renew_ms = 3000,
                                                     .scan_ms = 100});
    watch_for(r, r->worker);
}

void replica_stop(struct replica *r, int timeout_ms) {
    watch_for(r, NULL);
    worker_free(r->worker, timeout_ms);
    kube_clusters_free(r->clusters);
    db_replica_close(r->session);
    pthread_mutex_destroy(&r->lock);
}

/* ---- facts ---- */

void world_await(struct world *w, int seconds, const char *format, ...) {
    int64_t late = clock_monotonic_us() + seconds * US_PER_S;
    _cleanup_free_ char *sql = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&sql, format, args) < 0)
        die("out of memory");
    va_end(args);
    while (pg_number(w->url, "SELECT (%s)::int", sql) != 1) {
        ck_assert_msg(clock_monotonic_us() < late, "not true in %d s: %s", seconds, sql);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

char *world_state(struct world *w, const char *deployment_id) {
    return pg_sql(w->url, "SELECT state FROM deployment WHERE id = '%s'", deployment_id);
}

void world_faults(struct world *w, const char *list) {
    json_decref(sim_control(&w->sim, "PUT", "/faults", list));
}

void world_image(struct world *w, const char *body) {
    json_decref(sim_control(&w->sim, "PUT", "/images", body));
}

void world_behavior(struct world *w, const char *body) {
    json_decref(sim_control(&w->sim, "PUT", "/behavior", body));
}

json_t *world_requests(struct world *w, long since) {
    _cleanup_free_ char *path = xasprintf("/requests?since=%ld", since);
    json_auto_t *all = sim_control(&w->sim, "GET", path, NULL);

    return json_incref(json_object_get(all, "items"));
}

long world_mark(struct world *w) {
    json_auto_t *items = world_requests(w, 0);
    size_t n = json_array_size(items);

    return n ? (long)json_int(json_array_get(items, n - 1), "n", 0) : 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

int world_count(struct world *w, long since, const char *method, const char *path_end) {
    json_auto_t *items = world_requests(w, since);
    const json_t *r;
    size_t i;
    int n = 0;

    json_array_foreach(items, i, r) n += strcmp(json_str(r, "verb", ""), method) == 0 &&
                                         ends_with(json_str(r, "path", ""), path_end);
    return n;
}

/* "VERB NAME" of those requests that are reads, or are not. */
static json_t *told(struct world *w, long since, bool reads) {
    json_auto_t *items = world_requests(w, since);
    json_t *list = json_array();
    const json_t *r;
    size_t i;

    json_array_foreach(items, i, r) {
        const char *verb = json_str(r, "verb", ""), *path = json_str(r, "path", "");

        if ((strcmp(verb, "GET") == 0) == reads && !strstr(path, "accessreviews") &&
            !strstr(json_str(r, "query", ""), "watch=") && json_int(r, "code", 0) != 409)
            json_array_append_new(list, json_sprintf("%s %s", verb, strrchr(path, '/') + 1));
    }
    return list;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "VERB NAME, …", in order, or (many are read at once) sorted. */
static char *listed(struct world *w, long since, bool reads) {
    json_auto_t *list = told(w, since, reads);
    const char *words[LISTED_MOST];
    struct strbuf text = STRBUF(1 << 16);
    size_t n = json_array_size(list);

    ck_assert_uint_le(n, LISTED_MOST);
    for (size_t i = 0; i < n; i++)
        words[i] = json_string_value(json_array_get(list, i));
    if (reads)
        qsort(words, n, sizeof *words, by_text);
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&text, "%s%s", i ? ", " : "", words[i]);
    return strbuf_take(&text);
}

char *world_writes(struct world *w, long since) {
    return listed(w, since, false);
}

char *world_reads(struct world *w, long since) {
    return listed(w, since, true);
}

void world_await_request(struct world *w, long since, const char *method, const char *path_end) {
    int64_t late = clock_monotonic_us() + PATIENCE_S * US_PER_S;

    while (world_count(w, since, method, path_end) == 0) {
        ck_assert_msg(clock_monotonic_us() < late, "no %s …%s", method, path_end);
        pause_a_moment();
    }
}

json_t *world_object(struct world *w, KubeKind kind, const char *namespace_, const char *name) {
    struct kube_result r = {0};
    json_t *object;

    kube_get(w->other, kind, namespace_, name, &r);
    ck_assert_msg(r.outcome == KUBE_DONE || r.outcome == KUBE_NOT_FOUND, "%s", r.message);
    object = TAKE_PTR(r.object);
    kube_result_done(&r);
    return object;
}

void world_patch(struct world *w, KubeKind kind, const char *name, const char *body) {
    _cleanup_(kube_result_done) struct kube_result r = {0};
    json_auto_t *patch = json_parse(body);

    kube_patch(w->other, kind, WORLD_SPACE, name, KUBE_MERGE_PATCH, patch, false, &r);
    ck_assert_msg(r.outcome == KUBE_DONE, "%s", r.message);
}

const char *world_color(struct world *w, const char *namespace_, const char *app) {
    _cleanup_free_ char *name = xasprintf("%s-prod", app);
    json_auto_t *service = world_object(w, KUBE_SERVICE, namespace_, name);
    Color c;

    if (color_find(json_str(json_at(service, "spec", "selector", NULL), "environment", ""), &c))
        return color_names[c];
    return "";
}

size_t world_switches(struct world *w, const char *namespace_, const char *app) {
    _cleanup_free_ char *path = xasprintf("/services/%s/%s-prod/traffic", namespace_, app);
    json_auto_t *traffic = sim_control(&w->sim, "GET", path, NULL);

    return json_array_size(json_object_get(traffic, "switches"));
}

void world_end_job(struct world *w, struct job *j) {
    ck_assert_int_eq(world_run_to_end(w, j), RUN_ENDED);
    job_free(j);
}

/* Its pods are there, and nothing is left to be written before they are ready. */
static bool holds_pods(struct job *j, const char *step) {
    return at_step(j, step) &&
           (!j->plan.idle_at_once || journal_done(&j->journal, "deploy", "restore-strategy"));
}

void world_run_to_pods(struct world *w, struct job *j) {
    const char *image = j->plan.image;
    _cleanup_free_ char *held = xasprintf("{\"image\": \"%s\", \"never_ready\": true}", image),
                        *ready = xasprintf("{\"image\": \"%s\"}", image);

    world_image(w, held);
    ck_assert_int_eq(run_until(w, j, holds_pods, "await-available"), RUN_WAIT);
    world_image(w, ready);
}

void world_expect_state(struct world *w, const char *id, const char *state, const char *code) {
    _cleanup_free_ char *is = world_state(w, id),
                        *failure = pg_sql(w->url,
                                          "SELECT coalesce(failure->>'code', '') FROM deployment"
                                          " WHERE id = '%s'",
                                          id);

    ck_assert_str_eq(is, state);
    ck_assert_str_eq(failure, code);
}

void world_expect_writes(struct world *w, long since, const char *wanted) {
    _cleanup_free_ char *writes = world_writes(w, since);

    ck_assert_str_eq(writes, wanted);
}
