"""Other hands (design.md §3): what somebody else changes while Sluice works, at every step where that can happen.

Every scenario has an app with objects of its own in one cluster, made as `kubectl apply` makes them; all run at once, and
each test waits for its own.  People are played through the cluster's API, under the names that kubectl gives its writes."""

import concurrent.futures
import json
import traceback

import pytest

from tests.support.stack import IMAGE, Stack, until

APPS = "/apis/apps/v1/namespaces/production"
CORE = "/api/v1/namespaces/production"
MERGE = "application/merge-patch+json"
SLOW = "v2.0.0"  # pods of this version take three seconds to be ready: time to change something
GOOD = "v1.0.0"


def workload(app, color, replicas, image=f"{IMAGE}:v0.9.0"):
    labels = {"app": app, "environment": color}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{app}-{color}", "labels": {"app": app}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels},
                                  "spec": {"terminationGracePeriodSeconds": 1, "containers": [
                                      {"name": "app", "image": image, "ports": [{"containerPort": 3000}],
                                       "env": [{"name": "SESSION_KEY", "value": "not-for-the-record"}]}]}}}}


def service(name, app, color):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": app}},
            "spec": {"selector": {"app": app, "environment": color}, "ports": [{"port": 80, "targetPort": 3000}]}}


class Place:
    """An app whose blue version serves, with a green workload at rest, and the people who work on it."""

    def __init__(self, stack, app, green=0, manifests=True):
        self.stack, self.app, self.id = stack, app, None
        self.prod = f"{app}-prod"
        for name, color in ((self.prod, "blue"), (f"{app}-blue-service", "blue"), (f"{app}-green-service", "green")):
            self.kube("POST", f"{CORE}/services", service(name, app, color), by="kubectl-client-side-apply")
        for color, replicas in (("blue", 2), ("green", green)):
            self.kube("POST", f"{APPS}/deployments", workload(app, color, replicas), by="kubectl-client-side-apply")
        assert stack.api("PUT", f"/apps/{app}", {"image": IMAGE}).status == 201
        spec = {"cluster": "local", "namespace": "production", "container": "app", "port": 3000, "strategy": "blue-green",
                "blue_green": {"service": self.prod, "selector_key": "environment", "colors": {
                    c: {"deployment": f"{app}-{c}", "service": f"{app}-{c}-service"} for c in ("blue", "green")}},
                "checks": {"health": [{"name": "health", "path": "/api/health"}],
                           "production": [{"name": "front", "path": "/", "consecutive": 4, "failures": 20}]},
                "deadlines": {"available_s": 60, "checks_s": 60, "validate_s": 60}}
        self.ok(stack.api("PUT", f"/apps/{app}/environments/production", spec))
        if manifests:
            document = workload(app, "${COLOR}", 2, "${IMAGE}")
            self.ok(stack.api("PUT", f"/apps/{app}/environments/production/manifests", json.dumps(document),
                              headers={"Content-Type": "application/yaml"}))
        until(lambda: (stack.status(app)["active"] or {}).get("ready") == 2, 60, what=f"{app} serves")

    @staticmethod
    def ok(answer):
        assert answer.status < 300, answer
        return answer

    # ---- Sluice ----
    def deploy(self, version=GOOD, **fields):
        self.id = self.stack.deploy(version, self.app, **fields)
        return self.id

    def step(self, name, *states):
        return self.stack.wait_step(self.id, name, states or ("running", "waiting"), 60)

    def end(self, state, seconds=150):
        done = self.stack.wait(self.id, state, seconds)
        if state == "failed":
            assert done["failure"]["code"] in ("third-party-change", "invalid-target"), done
            assert done["failure"]["hint"]
        return done

    def stuck(self):
        return until(lambda: (d := self.stack.deployment(self.id))["state"] == "stuck" and d, 60, what="it is stuck")

    def verb(self, verb, **body):
        return self.stack.api("POST", f"/deployments/{self.id}/{verb}", {"reason": "a test", **body})

    def records(self, action):
        return [r["data"] for r in self.stack.chain(f"{self.app}/production") if r["action"] == action]

    def writes(self, job="deploy"):
        """What a job of the deployment wrote: (purpose, kind, name)."""
        rows = self.stack.sql(f"SELECT purpose, kind, name FROM intent WHERE deployment_id = '{self.id}' AND job = '{job}' "
                              "AND result = 'done' ORDER BY number")
        return [tuple(row.split("|")) for row in rows.splitlines()]

    # ---- people ----
    def kube(self, method, path, body=None, by="kubectl-edit", content_type="application/json"):
        return self.ok(self.stack.kube(method, f"{path}?fieldManager={by}", body, content_type))

    def patch_service(self, body, by="kubectl-edit"):
        return self.kube("PATCH", f"{CORE}/services/{self.prod}", body, by, MERGE)

    def patch(self, color, body, by="kubectl-edit"):
        return self.kube("PATCH", f"{APPS}/deployments/{self.app}-{color}", body, by, MERGE)

    def get(self, color):
        answer = self.stack.kube("GET", f"{APPS}/deployments/{self.app}-{color}")
        return answer.json if answer.status == 200 else None

    def service(self):
        answer = self.stack.kube("GET", f"{CORE}/services/{self.prod}")
        return answer.json if answer.status == 200 else None

    def selector(self):
        return self.service()["spec"]["selector"]

    def delete(self, path):
        return self.ok(self.stack.kube("DELETE", path))

    def scale(self, color, replicas, by="kubectl-scale"):
        """As kubectl scale and the autoscaler do: through the subresource."""
        path = f"{APPS}/deployments/{self.app}-{color}/scale"
        scale = self.stack.kube("GET", path).json
        scale["spec"]["replicas"] = replicas
        del scale["metadata"]["resourceVersion"]
        self.kube("PUT", path, scale, by)

    def autoscaler(self, color, least=2):
        self.kube("POST", "/apis/autoscaling/v2/namespaces/production/horizontalpodautoscalers",
                  {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": f"{self.app}-{color}"},
                   "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{self.app}-{color}"},
                            "minReplicas": least, "maxReplicas": 6, "metrics": []}})

    def pods(self, color):
        items = self.stack.kube("GET", f"{CORE}/pods?labelSelector=app%3D{self.app},environment%3D{color}")["items"]
        return [p["metadata"]["name"] for p in items if "deletionTimestamp" not in p["metadata"]]

    def counts_written(self, color):
        """Whether any write of Sluice to that workload names a number of replicas."""
        path = f"deployments/{self.app}-{color}"
        return [r for r in self.stack.requests() if "sluiced" in r["user_agent"] and r["path"].split("?")[0].endswith(path)
                and "replicas" in json.dumps((r.get("body") or {}))]


# ---- changes: what somebody does, and what must come of it before traffic moved, and after ----
# (do(place), field that the failure names or None, who, the end)

def set_selector(p):
    p.patch_service({"spec": {"selector": {"environment": "purple"}}})


def add_to_selector(p):
    p.patch_service({"spec": {"selector": {"tier": "front"}}}, by="kubectl-patch")


def label_service(p):
    p.patch_service({"metadata": {"labels": {"team": "web"}}}, by="kubectl-label")


def delete_service(p):
    p.delete(f"{CORE}/services/{p.prod}")


def scale_target(p):
    p.scale("green", 1)


def set_image(color):
    def do(p):
        p.kube("PATCH", f"{APPS}/deployments/{p.app}-{color}", {"spec": {"template": {"spec": {"containers": [
            {"name": "app", "image": f"{IMAGE}:v6.6.6"}]}}}}, "kubectl-set", "application/strategic-merge-patch+json")
    return do


def label_template(p):
    p.patch("green", {"spec": {"template": {"metadata": {"labels": {"team": "web"}}}}})


def delete_workload(color):
    return lambda p: p.delete(f"{APPS}/deployments/{p.app}-{color}")


def delete_replica_sets(p):
    for rs in p.stack.kube("GET", f"{APPS}/replicasets?labelSelector=app%3D{p.app},environment%3Dgreen")["items"]:
        p.delete(f"{APPS}/replicasets/{rs['metadata']['name']}")


def delete_pods(p):
    for name in p.pods("green"):
        p.delete(f"{CORE}/pods/{name}")


FAILS, GOES_ON, STUCK, EITHER = "failed", "succeeded", "stuck", "either"
CHANGES = {
    "selector": (set_selector, "spec.selector.environment", "kubectl-edit", FAILS, FAILS),
    "selector-key": (add_to_selector, "spec.selector.tier", "kubectl-patch", FAILS, FAILS),
    "service-label": (label_service, None, None, GOES_ON, GOES_ON),
    "service-deleted": (delete_service, "is gone", None, STUCK, STUCK),
    "replicas": (scale_target, "spec.replicas", "kubectl-scale", FAILS, FAILS),
    "image": (set_image("green"), "spec.template.spec.containers[app].image", "kubectl-set", FAILS, FAILS),
    "template-label": (label_template, "spec.template.metadata.labels.team", "kubectl-edit", FAILS, FAILS),
    "target-deleted": (delete_workload("green"), "is gone", None, FAILS, FAILS),
    "serving-image": (set_image("blue"), "spec.template.spec.containers[app].image", "kubectl-set", FAILS, GOES_ON),
    "serving-deleted": (delete_workload("blue"), None, None, GOES_ON, GOES_ON),
    "replica-set-deleted": (delete_replica_sets, None, None, GOES_ON, EITHER),
    "pods-deleted": (delete_pods, None, None, GOES_ON, EITHER),
}
WHENS = ("apply", "available", "promote", "validate")


def reach(p, when, version):
    """Deploys up to the point where the change is made."""
    if when == "promote":
        p.deploy(params={"promote": "manual"})
        p.stack.wait(p.id, "paused")
    else:
        p.deploy(version)
        p.step({"apply": "apply", "available": "await-available", "validate": "validate-production"}[when])


def check_failure(p, done, field, who):
    assert done["failure"]["code"] == "third-party-change", done["failure"]
    detail = done["failure"]["detail"]
    assert field in detail, detail
    if who:
        assert f"(by {who}" in detail, detail
    assert "not-for-the-record" not in json.dumps(done)


def put_right(p):
    """The Service is gone: a person makes it again, and what was stuck goes on."""
    p.kube("POST", f"{CORE}/services", service(p.prod, p.app, "green"))
    assert p.verb("retry").status == 202
    p.end(FAILS)


def change_scenario(stack, app, when, what):
    do, field, who, before, after = CHANGES[what]
    want = after if when == "validate" else before
    p = Place(stack, app)
    version = f"v3.0.{app.rpartition('-')[2]}" if when == "available" else GOOD
    if when == "available":  # its pods wait until the change is made
        p.stack.image(version, never_ready=True)
    reach(p, when, version)
    do(p)
    if when == "available":
        p.stack.image(version)
    if when == "promote":
        assert p.verb("promote").status == 200
    if want == STUCK:
        check_failure(p, p.stuck(), field, who)
        put_right(p)
    elif want == EITHER:
        want = p.end(None)["state"]
    else:
        done = p.end(want)
        if want == FAILS:
            check_failure(p, done, field, who)
    check_end(p, when, what, want)


def check_end(p, when, what, want):
    """The laws, whatever happened: one color is selected, it is the right one, and its pods are there."""
    color = "green" if want == GOES_ON else "blue"
    assert p.selector() == {"app": p.app, "environment": color}
    if want != GOES_ON and when != "validate":
        assert ("switch", "Service", p.prod) not in p.writes(), "traffic moved, although somebody had changed something"
    if what == "service-label":
        assert p.service()["metadata"]["labels"]["team"] == "web"
    if what == "image" and p.get("green"):
        image = p.get("green")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image.endswith(":v6.6.6"), "a forward step overwrote what somebody else set"
    if what == "serving-image":
        assert p.get("blue")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v6.6.6")
    if what in ("selector", "selector-key"):
        assert any(c["object"] == f"Service {p.prod}" and c["overwritten"] and c["field"] == CHANGES[what][1]
                   and c["by"] == CHANGES[what][2] for c in p.records("third_party.change"))
    if what == "replicas" and when == "apply":  # it had not been touched: there is nothing to take back
        assert p.get("green")["spec"]["replicas"] == 1
    elif what == "replicas":
        assert p.get("green")["spec"]["replicas"] == 0
        assert any(c["field"] == "spec.replicas" and c["overwritten"] for c in p.records("third_party.change"))
    if what not in ("serving-deleted", "service-deleted"):
        until(lambda: len(p.pods(color)) >= 2, 30, what="the serving color has its pods")


# ---- while it is taken back: the write that puts traffic back takes its time ----

def undoing(stack, app, do):
    p = Place(stack, app)
    p.deploy(SLOW)
    p.step("await-available")
    with concurrent.futures.ThreadPoolExecutor(1) as person:
        aborting = person.submit(p.verb, "abort")
        until(lambda: stack.deployment(p.id)["state"] == "undoing", what="it is being undone")
        do(p)
        return p, aborting.result()


def undo_selector(stack, app):
    p, answer = undoing(stack, app, lambda p: (set_selector(p), add_to_selector(p)))
    assert answer.status == 200, answer
    assert p.selector() == {"app": app, "environment": "blue"}, "confirmed, but traffic is elsewhere"
    p.end("aborted")
    changed = {c["field"]: c for c in p.records("third_party.change")}
    assert changed["spec.selector.environment"]["after"] == '"purple"' and changed["spec.selector.tier"]["overwritten"]


def undo_replicas_and_image(stack, app):
    p, answer = undoing(stack, app, lambda p: (scale_target(p), set_image("green")(p)))
    assert answer.status == 200, answer
    p.end("aborted")
    green = p.get("green")
    assert green["spec"]["replicas"] == 0 and green["spec"]["template"]["spec"]["containers"][0]["image"].endswith("v6.6.6")
    changed = {c["field"]: c["overwritten"] for c in p.records("third_party.change")}
    assert changed == {"spec.replicas": True, "spec.template.spec.containers[app].image": False}


def undo_target_deleted(stack, app):
    p, answer = undoing(stack, app, delete_workload("green"))
    assert answer.status == 200, answer
    p.end("aborted")
    assert p.selector()["environment"] == "blue" and p.get("green") is None


def undo_service_deleted(stack, app):
    p, answer = undoing(stack, app, delete_service)
    assert answer.status in (409, 504), answer
    assert p.stuck()["failure"]["code"] == "third-party-change"
    p.kube("POST", f"{CORE}/services", service(p.prod, app, "purple"))
    assert p.verb("abort").status == 200
    assert p.selector()["environment"] == "blue"
    p.end("aborted")


def undo_pods_deleted(stack, app):
    p, answer = undoing(stack, app, delete_pods)
    assert answer.status == 200, answer
    p.end("aborted")


def law2_abort_after_somebody_scaled_the_old_version_down(stack, app):
    """Traffic stays where pods are until the old version has its own again."""
    p = Place(stack, app)
    p.deploy()
    p.step("validate-production")
    p.scale("blue", 0)
    until(lambda: not p.pods("blue"), what="the old version has no pods")
    answer = p.verb("abort")
    assert answer.status == 200, answer
    assert p.selector()["environment"] == "blue"
    assert len(ready_pods(p, "blue")) >= 2, "traffic went to a version without pods"
    until(lambda: len(ready_endpoints(p)) >= 2, what="the Service's endpoints follow its selector")
    p.end("aborted")
    assert p.get("blue")["spec"]["replicas"] == 2


def ready_pods(p, color):
    items = p.stack.kube("GET", f"{CORE}/pods?labelSelector=app%3D{p.app},environment%3D{color}")["items"]
    return [i for i in items if any(c["type"] == "Ready" and c["status"] == "True" for c in i["status"].get("conditions", ()))]


def ready_endpoints(p):
    slices = p.stack.kube("GET", "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices"
                                 f"?labelSelector=kubernetes.io/service-name%3D{p.prod}")["items"]
    return [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]


def undo_law2_old_version_deleted(stack, app):
    p = Place(stack, app)
    p.deploy()
    p.step("validate-production")
    p.delete(f"{APPS}/deployments/{app}-blue")
    until(lambda: stack.status(app)["previous"] is None, what="it is seen that the old version is gone")
    p.verb("abort")
    assert p.stuck()["failure"]["code"] == "third-party-change"
    assert p.selector()["environment"] == "green", "traffic left the only pods there are"
    p.kube("POST", f"{APPS}/deployments", workload(app, "blue", 2))
    until(lambda: stack.status(app)["previous"], what="it is seen that it is there again")
    assert p.verb("retry").status == 202
    p.end("aborted")
    assert p.selector()["environment"] == "blue"


def rollback_overwrites(stack, app):
    p = Place(stack, app)
    p.deploy()
    p.end(GOES_ON)
    add_to_selector(p)
    answer = stack.api("POST", f"/apps/{app}/environments/production/rollback", {"reason": "a test"})
    assert answer.status == 200, answer
    assert p.selector() == {"app": app, "environment": "blue"}
    assert [c["field"] for c in p.records("third_party.change")] == ["spec.selector.tier"]
    stack.wait(answer["id"], "succeeded")


# ---- autoscalers ----

def autoscaler_on_the_target(stack, app, manifests=True):
    p = Place(stack, app, green=2, manifests=manifests)
    p.autoscaler("green")
    p.deploy(SLOW)
    p.step("await-available")
    p.scale("green", 4, by="kube-controller-manager")
    p.end(GOES_ON)
    assert p.get("green")["spec"]["replicas"] == 4 and p.counts_written("green") == []
    assert stack.status(app)["drift"] == []


def autoscaler_on_the_target_without_manifests(stack, app):
    autoscaler_on_the_target(stack, app, manifests=False)


def autoscaler_on_the_serving_side(stack, app):
    """The floor is what serves now: the target follows before traffic moves."""
    p = Place(stack, app)
    p.autoscaler("blue")
    p.deploy(SLOW)
    p.step("await-available")
    p.scale("blue", 3, by="kube-controller-manager")
    p.end(GOES_ON)
    assert p.get("green")["spec"]["replicas"] == 3 and p.get("blue")["spec"]["replicas"] == 3
    assert p.counts_written("blue") == []


def autoscaler_at_rest(stack, app):
    """At 0 replicas an autoscaler rests: a deployment wakes it, and taking it back puts it to rest again."""
    p = Place(stack, app)
    p.autoscaler("green", least=3)
    p.deploy(SLOW)
    p.step("await-available")
    assert p.get("green")["spec"]["replicas"] == 3
    assert p.verb("abort").status == 200
    p.end("aborted")
    assert p.get("green")["spec"]["replicas"] == 0


def autoscaler_and_abort(stack, app):
    p = Place(stack, app, green=2)
    p.autoscaler("green")
    p.deploy(SLOW)
    p.step("await-available")
    p.scale("green", 4, by="kube-controller-manager")
    assert p.verb("abort").status == 200
    p.end("aborted")
    assert p.get("green")["spec"]["replicas"] == 4 and p.counts_written("green") == []


def autoscaler_that_never_changed_our_count(stack, app):
    """A count that we applied ourselves stays in the document: leaving it out would make it 1."""
    p = Place(stack, app)
    p.deploy()
    p.end(GOES_ON)
    p.deploy("v1.1.0")  # to blue
    p.end(GOES_ON)
    p.autoscaler("green")
    p.deploy("v1.2.0", params={"promote": "manual"})  # to green, whose count we applied
    p.stack.wait(p.id, "paused")
    assert p.get("green")["spec"]["replicas"] == 2
    assert p.verb("promote").status == 200
    p.end(GOES_ON)


# ---- GitOps ----

def argo_owns_the_selector(stack, app):
    p = Place(stack, app)
    body = service(p.prod, app, "blue")
    body["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:/Service:production/x"}
    p.ok(stack.kube("PATCH", f"{CORE}/services/{p.prod}?fieldManager=argocd-controller&force=true", body,
                    "application/apply-patch+yaml"))
    p.deploy()
    done = p.end(FAILS)
    assert done["failure"]["code"] == "invalid-target"
    assert "Argo CD" in done["failure"]["detail"] and "shop:/Service" in done["failure"]["detail"], done["failure"]
    assert "ignoreDifferences" in done["failure"]["hint"] and p.writes() == []
    p.patch_service({"metadata": {"annotations": {"sluice.dev/gitops": "ignored"}}})
    p.deploy("v1.1.0")
    p.end(GOES_ON)


def flux_owns_the_image(stack, app):
    p = Place(stack, app)
    body = workload(app, "green", 0, f"{IMAGE}:v0.9.1")
    body["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "apps"
    p.ok(stack.kube("PATCH", f"{APPS}/deployments/{app}-green?fieldManager=kustomize-controller&force=true", body,
                    "application/apply-patch+yaml"))
    p.deploy()
    done = p.end(FAILS)
    assert done["failure"]["code"] == "invalid-target" and "Flux" in done["failure"]["detail"], done["failure"]
    assert p.writes() == [] and p.selector()["environment"] == "blue"
    p.patch("green", {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}})
    p.deploy("v1.1.0")
    p.end(GOES_ON)


# ---- outside deployments ----

def drift(stack, app):
    p = Place(stack, app)
    assert stack.status(app)["drift"] == [], "nothing was deployed: there is nothing to compare with"
    p.deploy()
    p.end(GOES_ON)

    def shows(*fields):
        return until(lambda: (d := {(x["name"], x["field"]): x for x in stack.status(app)["drift"]}) is not None
                     and set(d) == set(fields) and (d or "none"), 10, what=f"drift is {fields}")
    shows()
    label_service(p)
    p.patch_service({"spec": {"selector": {"environment": "blue"}}})
    one = shows((p.prod, "spec.selector.environment"))[(p.prod, "spec.selector.environment")]
    assert (one["expected"], one["actual"], one["by"]) == ('"green"', '"blue"', "kubectl-edit") and one["since"]
    assert "spec.selector.environment" in stack.cli("status", app, "production").stdout
    set_image("green")(p)
    p.scale("green", 3)
    image = "spec.template.spec.containers[app].image"
    shows((p.prod, "spec.selector.environment"), (f"{app}-green", image), (f"{app}-green", "spec.replicas"))
    p.autoscaler("green")
    shows((p.prod, "spec.selector.environment"), (f"{app}-green", image))
    p.patch_service({"spec": {"selector": {"environment": "green"}}})
    shows((f"{app}-green", image))
    p.delete(f"{APPS}/deployments/{app}-blue")
    until(lambda: any(x["name"] == f"{app}-blue" and x["actual"] == "absent" for x in stack.status(app)["drift"]), 15)


# ---- all at once ----

SINGLE = [undo_selector, undo_replicas_and_image, undo_target_deleted, undo_service_deleted, undo_pods_deleted,
          law2_abort_after_somebody_scaled_the_old_version_down, undo_law2_old_version_deleted, rollback_overwrites,
          autoscaler_on_the_target, autoscaler_on_the_target_without_manifests, autoscaler_on_the_serving_side,
          autoscaler_at_rest, autoscaler_and_abort, autoscaler_that_never_changed_our_count, argo_owns_the_selector,
          flux_owns_the_image, drift]


def scenarios():
    """(test's name, app, what runs): the long ones first."""
    all_of = []
    for i, (when, what) in enumerate((when, what) for when in reversed(WHENS) for what in CHANGES):
        if when == "apply" and what in ("replica-set-deleted", "pods-deleted"):
            continue  # it has none yet
        prefix = "slow" if when == "apply" else "hand"
        all_of.append((f"{what}-at-{when}", f"{prefix}-{i}", lambda s, a, when=when, what=what: change_scenario(s, a, when, what)))
    for i, run in enumerate(SINGLE):
        prefix = "undo" if run.__name__.startswith("undo_") and "law2" not in run.__name__ else "one"
        all_of.insert(0 if run.__name__ in ("drift",) or "law2" in run.__name__ else len(all_of),
                      (run.__name__, f"{prefix}-{i}", run))
    return all_of


@pytest.fixture(scope="module")
def running():
    with Stack() as stack:
        stack.image(SLOW, ready_after_ms=3000)
        stack.faults({"user_agent": "sluiced", "verb": "patch", "path": "services/slow-", "action": {"delay_ms": 1500}},
                     {"user_agent": "sluiced", "verb": "patch", "path": "services/undo-.*-prod", "action": {"delay_ms": 700}})
        with concurrent.futures.ThreadPoolExecutor(20) as people:
            yield {name: people.submit(run, stack, app) for name, app, run in scenarios()}


@pytest.mark.parametrize("name", [name for name, _, _ in scenarios()])
def test_other_hands(running, name):
    try:
        running[name].result(180)
    except Exception as wrong:  # the line that failed is in another thread
        pytest.fail("".join(traceback.format_exception(wrong)[-4:]))
