#include "kubesim/sim.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/addresses.h"
#include "kubesim/controllers.h"
#include "kubesim/dataplane.h"
#include "kubesim/faults.h"
#include "kubesim/requests.h"
#include "kubesim/switches.h"
#include "kubesim/watcher.h"
#include "kubesim/write.h"

struct sim *sim_new(struct simloop *l, size_t history, const char *token) {
    struct sim *sim = xcalloc(1, sizeof *sim);

    sim->loop = l;
    sim->token = xstrdup(token);
    sim->plane = dataplane_new();
    sim->watchers = watchers_new(sim);
    sim->behaviors = behaviors_new();
    sim->faults = faults_new();
    sim->requests = requests_new();
    sim->switches = switches_new();
    sim->pod_addresses = addresses_new(10);
    sim->service_addresses = addresses_new(20);
    sim->store = store_new(history, controllers_on_event, sim);
    simloop_hook(l, controllers_drain, sim);
    return sim;
}

void sim_free(struct sim *sim) {
    if (!sim)
        return;
    controllers_stop(sim);
    store_free(sim->store);
    dataplane_free(sim->plane);
    watchers_free(sim->watchers);
    behaviors_free(sim->behaviors);
    faults_free(sim->faults);
    requests_free(sim->requests);
    switches_free(sim->switches);
    addresses_free(sim->pod_addresses);
    addresses_free(sim->service_addresses);
    free(sim->token);
    free(sim);
}

int64_t sim_delay_us(const struct sim *sim, int64_t ms) {
    return ms > 0 ? (int64_t)((double)ms * 1000 / behaviors_timing(sim->behaviors)->speed) : 0;
}

static void seed(struct sim *sim, KindId kind, const char *ns, const char *name, json_t *body) {
    struct write w = {.kind = kind_of(kind),
                      .ns = ns,
                      .name = "",
                      .sub = "",
                      .field_manager = "kubectl-client-side-apply"};
    struct object *made = NULL;
    json_t *refused;

    json_object_set_new(object_metadata(body), "name", json_string(name));
    refused = write_create(sim, &w, body, &made);
    if (refused)
        die("kubesim: seed %s: %s", name, json_str(refused, "message", ""));
    object_unref(made);
    json_decref(body);
}

static void seed_service(struct sim *sim, const char *name, const char *color) {
    seed(sim, KIND_SERVICE, "production", name,
         json_pack("{s:{s:{s:s}}, s:{s:{s:s, s:s}, s:[{s:s, s:i, s:i, s:s}]}}", "metadata",
                   "labels", "app", "inopnc", "spec", "selector", "app", "inopnc", "environment",
                   color, "ports", "name", "http", "port", 80, "targetPort", 3000, "protocol",
                   "TCP"));
}

void sim_seed(struct sim *sim, bool inopnc) {
    static const char *const namespaces[] = {"default", "kube-system", "production"};

    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        seed(sim, KIND_NAMESPACE, "", namespaces[i], json_object());
    if (!inopnc)
        return;
    seed_service(sim, "inopnc-prod", "blue");
    seed_service(sim, "inopnc-blue-service", "blue");
    seed_service(sim, "inopnc-green-service", "green");
}
