"""Dry run: what a deployment would write, from the API server itself; nothing is stored and nothing in the cluster changes."""

import json

import pytest

from tests.api.conftest import refused
from tests.support.stack import IMAGE, Stack, until

OURS = ("sluice.dev/epoch", "sluice.dev/op")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc(checks={"health": [], "production": []})
        stack.release("v1.0.0")
        stack.release("v1.1.0")
        yield stack


def dry_run(stack, version, app="inopnc", **kwargs):
    return stack.api("POST", "/deployments", {"app": app, "environment": "production", "version": version, "dry_run": True},
                     **kwargs)


def tables(stack):
    """Every row of every table."""
    names = stack.sql("SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'").split()
    assert "deployment" in names and "record" in names and "intent" in names
    return {name: stack.sql(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {name} t") for name in names}


def objects(stack):
    paths = [f"/api/v1/namespaces/production/{kind}" for kind in ("services", "configmaps", "pods")]
    paths += [f"/apis/apps/v1/namespaces/production/{kind}" for kind in ("deployments", "replicasets")]
    return {path: stack.kube("GET", path)["items"] for path in paths}


def writes(stack, since):
    """What was sent to the cluster since, but for questions about our permissions."""
    return [r for r in stack.requests(since) if r["verb"] in WRITES and "selfsubjectaccessreviews" not in r["path"]]


def last(stack):
    return max([r["n"] for r in stack.requests()], default=0)


def body_of(request):
    """What was sent, without what is another for each sending."""
    body = request["body"] if isinstance(request["body"], dict) else json.loads(request["body"])
    body["metadata"].pop("resourceVersion", None)
    for key in OURS:
        assert body["metadata"]["annotations"].pop(key)
    return request["verb"], request["path"], json.dumps(body, sort_keys=True)


def changes(answer):
    return {(c["kind"], c["name"]): c for c in answer["changes"]}


def image(workload):
    return workload["spec"]["template"]["spec"]["containers"][0]["image"]


def untouched(stack, version):
    """A dry run of that version, with the proof that it left everything as it was: the answer and what it sent."""
    rows, there, since = tables(stack), objects(stack), last(stack)
    answer = dry_run(stack, version)
    sent = writes(stack, since)
    assert all("dryRun=All" in (r.get("query") or r["path"]) for r in sent), sent
    assert tables(stack) == rows and objects(stack) == there
    return answer, sent


def deployed(stack, version):
    """The writes of a real deployment, without the one that puts the team's own strategy back in between."""
    since = last(stack)
    stack.wait(stack.create(version)["id"], "succeeded")
    return [r for r in writes(stack, since) if list(json.loads(json.dumps(r["body"])).get("spec", {})) != ["strategy"]]


def test_of_a_first_version_everything_is_made(stack):
    answer, sent = untouched(stack, "v1.0.0")
    assert answer.status == 200, answer
    assert [s["name"] for s in answer["steps"]][:2] == ["resolve", "apply"] and answer["gates"] == []
    assert answer.headers["Location"] is None
    seen = changes(answer)
    color = {"blue": "green", "green": "blue"}[stack.selector()]
    made = seen["Deployment", f"inopnc-{color}"]
    assert made["verb"] == "create" and made["before"] is None and image(made["after"]) == f"{IMAGE}:v1.0.0"
    assert made["after"]["metadata"]["annotations"]["sluice.dev/version"] == "v1.0.0"
    moved = seen["Service", "inopnc-prod"]
    assert moved["verb"] == "patch" and moved["after"]["spec"]["selector"]["environment"] == color
    assert moved["before"]["spec"]["selector"]["environment"] != color
    assert list(map(body_of, deployed(stack, "v1.0.0"))) == list(map(body_of, sent))


def test_of_a_next_version_what_is_shown_is_what_is_sent(stack):
    answer, sent = untouched(stack, "v1.1.0")
    assert answer.status == 200, answer
    text = answer.raw.decode()
    assert not any(word in text for word in OURS + ("managedFields", "resourceVersion", '"status"', "last-applied"))
    for change in answer["changes"]:
        assert set(change) == {"verb", "kind", "name", "before", "after"} and change["before"] != change["after"]
    assert len(changes(answer)) == len(answer["changes"]), "one change of each object"
    moved = changes(answer)["Service", "inopnc-prod"]
    assert moved["before"]["spec"]["selector"]["environment"] == stack.selector()
    color = moved["after"]["spec"]["selector"]["environment"]
    real = deployed(stack, "v1.1.0")
    assert list(map(body_of, real)) == list(map(body_of, sent))
    assert image(changes(answer)["Deployment", f"inopnc-{color}"]["after"]) == image(stack.workload(color)) == f"{IMAGE}:v1.1.0"
    assert stack.selector() == color


def test_of_what_changes_an_existing_workload(stack):
    stack.release("v1.2.0")
    answer, _ = untouched(stack, "v1.2.0")
    color = changes(answer)["Service", "inopnc-prod"]["after"]["spec"]["selector"]["environment"]
    change = changes(answer)["Deployment", f"inopnc-{color}"]
    assert change["verb"] == "apply"
    assert (image(change["before"]), image(change["after"])) == (f"{IMAGE}:v1.0.0", f"{IMAGE}:v1.2.0")


def test_a_refused_write_is_its_problem(stack):
    for path, status in (("/deployments/inopnc-(blue|green)$", 403), ("/services/inopnc-prod$", 422)):
        stack.faults({"verb": "PATCH", "path": path, "action": {"status": status}})
        try:
            answer, _ = untouched(stack, "v1.1.0")
        finally:
            stack.faults()
        refused(answer, 409, "wrong-state")
        assert answer["failure"]["code"] == "invalid-target" and "would be refused" in answer["detail"], answer
        assert answer["failure"]["hint"]


def test_what_resolve_would_refuse(stack):
    serving = stack.selector()
    path = "/api/v1/namespaces/production/services/inopnc-prod"
    merge = "application/merge-patch+json"
    stack.kube("PATCH", path, {"spec": {"selector": {"environment": "purple"}}}, merge)
    try:
        answer, sent = untouched(stack, "v1.1.0")
        assert sent == [] and "purple" in refused(answer, 409, "wrong-state")["failure"]["detail"]
    finally:
        stack.kube("PATCH", path, {"spec": {"selector": {"environment": serving}}}, merge)


def test_lost_history_is_said(stack):
    stack.sql("BEGIN; ALTER TABLE intent DISABLE TRIGGER USER; CREATE TABLE kept AS SELECT op FROM intent; "
              "UPDATE intent SET op = gen_random_uuid(); COMMIT")
    try:
        answer, _ = untouched(stack, "v1.1.0")
        assert refused(answer, 409, "wrong-state")["failure"]["code"] == "history-lost"
    finally:
        stack.sql("BEGIN; UPDATE intent i SET op = k.op FROM (SELECT op, row_number() OVER () n FROM kept) k, "
                  "(SELECT op, row_number() OVER (ORDER BY number) n FROM intent) j WHERE i.op = j.op AND j.n = k.n; "
                  "DROP TABLE kept; ALTER TABLE intent ENABLE TRIGGER USER; COMMIT")


def test_the_cluster_away_is_503(stack):
    stack.faults({"verb": "PATCH", "action": {"status": 500}})
    try:
        answer, _ = untouched(stack, "v1.1.0")
    finally:
        stack.faults()
    assert refused(answer, 503, "cluster-unavailable").headers["Retry-After"]


def test_unknown_things_and_a_busy_environment_are_refused_as_ever(stack):
    refused(dry_run(stack, "v7.7.7"), 404, "not-found")
    refused(dry_run(stack, "v1.0.0", app="nothing"), 404, "not-found")
    refused(dry_run(stack, "v1.0.0", token=stack.mint("v", ("viewer",), ("*",))), 403, "forbidden")
    stack.image("v1.2.0", ready_after_ms=600000)
    id = stack.create("v1.2.0")["id"]
    busy = refused(dry_run(stack, "v1.1.0"), 409, "environment-busy")
    assert busy["deployment"] == id
    assert stack.api("POST", f"/deployments/{id}/abort").status == 200
    until(lambda: stack.deployment(id)["state"] == "aborted", 60)


def test_a_dry_run_keeps_no_key(stack):
    for _ in range(2):
        answer = dry_run(stack, "v1.1.0", headers={"Idempotency-Key": "dry"})
        assert answer.status == 200 and answer.headers["Idempotency-Replayed"] is None
    assert stack.sql("SELECT count(*) FROM idempotency WHERE key = 'dry'") == "0"


def test_the_command_line_shows_it(stack):
    said = stack.cli("deploy", "inopnc", "production", "v1.1.0", "--dry-run")
    assert said.returncode == 0, said
    assert "patch Service inopnc-prod" in said.stdout and "Nothing was changed" in said.stdout


def test_an_autoscaler_keeps_its_count(stack):
    """The target rests at two pods of its autoscaler's while three serve: no count is written, and the switch is shown."""
    color = {"blue": "green", "green": "blue"}[stack.selector()]
    path = "/apis/autoscaling/v2/namespaces/production/horizontalpodautoscalers"
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": f"inopnc-{color}"},
              "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"inopnc-{color}"},
                       "minReplicas": 1, "maxReplicas": 9}}
    workload = f"/apis/apps/v1/namespaces/production/deployments/inopnc-{color}"
    assert stack.kube("POST", path, scaler).status == 201
    try:
        stack.kube("PATCH", workload, {"spec": {"replicas": 2}}, "application/merge-patch+json")
        pods = f"/api/v1/namespaces/production/pods?labelSelector=environment%3D{color}"
        until(lambda: len(stack.kube("GET", pods)["items"]) == 2, what="the third pod is gone")
        answer, _ = untouched(stack, "v1.2.0")
        assert answer.status == 200, answer
        assert changes(answer)["Deployment", f"inopnc-{color}"]["after"]["spec"]["replicas"] == 2
        assert changes(answer)["Service", "inopnc-prod"]["after"]["spec"]["selector"]["environment"] == color
    finally:
        stack.kube("DELETE", f"{path}/inopnc-{color}")
        stack.kube("PATCH", workload, {"spec": {"replicas": 3}}, "application/merge-patch+json")


def test_a_gitops_owner_is_named(stack):
    path = "/api/v1/namespaces/production/services/inopnc-prod"
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "inopnc-prod"},
              "spec": {"selector": stack.kube("GET", path)["spec"]["selector"]}}
    applied = stack.kube("PATCH", path + "?fieldManager=kustomize-controller&force=true", theirs, "application/apply-patch+yaml")
    assert applied.status == 200, applied
    try:
        answer, sent = untouched(stack, "v1.2.0")
        assert sent == [] and refused(answer, 409, "wrong-state")["failure"]["code"] == "invalid-target"
        assert "Flux" in answer["detail"]
    finally:
        stack.kube("PATCH", path, {"metadata": {"annotations": {"sluice.dev/gitops": "ignored"}}}, "application/merge-patch+json")
    assert untouched(stack, "v1.2.0")[0].status == 200
