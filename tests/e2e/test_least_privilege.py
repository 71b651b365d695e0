"""Sluice under exactly the account that `sluice env rbac` describes, on a real control plane (pytest --cluster real)."""

import json

import pytest

from tests.e2e.test_deploy import legacy_service, legacy_workload, register_legacy
from tests.support.stack import IMAGE, Stack, until

pytestmark = pytest.mark.real
WHO = "system:serviceaccount:sluice:sluice"


@pytest.fixture(scope="module", params=["manifests", "image"])
def stack(request):
    with Stack() as stack:
        stack.profile = request.param
        stack.app, register = {"manifests": ("inopnc", Stack.inopnc), "image": ("legacy", register_legacy)}[request.param]
        register(stack)
        stack.first = stack.wait(stack.deploy("v1.0.0", stack.app), "succeeded")
        until(lambda: denied(stack, label(stack, "sluice.dev/epoch", "0")), what="the policies are in force")
        yield stack


def as_sluice(stack, *words, input=None):
    return stack.real.kubectl("--as", WHO, "--namespace", "production", *words, input=input, check=False)


def patch(stack, what, body):
    return as_sluice(stack, "patch", *what.split("/"), "--type", "merge", "--patch", json.dumps(body))


def label(stack, key, value):
    """Sluice's account annotates the production Service."""
    return patch(stack, f"service/{stack.app}-prod", {"metadata": {"annotations": {key: value}}})


def denied(stack, ran):
    return ran.returncode != 0 and ("forbidden" in ran.stderr.lower() or "denied request" in ran.stderr)


def container(stack, color, **fields):
    name = f"{stack.app}-{color}"
    spec = json.loads(stack.real.kubectl("get", "deployment", name, "--output", "json"))["spec"]["template"]["spec"]
    spec["containers"][0].update(fields)
    return patch(stack, f"deployment/{name}", {"spec": {"template": {"spec": {"containers": spec["containers"]}}}})


def test_deploys_aborts_and_rolls_back_and_nothing_was_forbidden(stack):
    stack.image("v1.2.0", ready_after_ms=60000)
    id = stack.deploy("v1.2.0", stack.app)
    stack.wait_step(id, "await-available", ("running", "waiting"))
    assert stack.api("POST", f"/deployments/{id}/abort", {"reason": "a test"}).status == 200
    stack.wait(id, "aborted")
    stack.wait(stack.deploy("v1.3.0", stack.app), "succeeded")
    back = stack.api("POST", f"/apps/{stack.app}/environments/production/rollback", {"reason": "a test"})
    assert back.status == 200, back
    assert stack.wait(back["id"], "succeeded")["to"]["version"] == "v1.0.0"
    ours = [line for line in stack.real.audit() if line["user"]["username"] == WHO and "impersonatedUser" not in line
            and line["requestReceivedTimestamp"] > stack.first["started_at"]]
    refused = [(line["verb"], line["requestURI"]) for line in ours if line.get("responseStatus", {}).get("code") in (401, 403, 422)]
    assert ours and not refused


def test_no_right_is_missing(stack):
    status = until(lambda: (s := stack.api("GET", "/clusters/local")["status"])["reachable"] and s, what="the cluster answers")
    assert status["missing_permissions"] == []


@pytest.mark.parametrize("words", [
    "get secrets", "get configmaps --all-namespaces", "get pods --namespace kube-system", "delete deployment @-blue", "delete service @-prod",
    "delete pods --all", "get nodes", "get serviceaccounts", "create configmap x --namespace default", "scale deployment @-blue --replicas 0",
    "create deployment x --image x --namespace default", "create clusterrolebinding x --clusterrole cluster-admin --user x",
    "create token default", "create secret generic x", "create job x --image x", "annotate service kubernetes x=y --namespace default"])
def test_what_no_deployment_takes_is_forbidden(stack, words):
    ran = as_sluice(stack, *words.replace("@", stack.app).split())
    assert denied(stack, ran), (words, ran.stdout, ran.stderr)


def test_other_objects_of_the_namespace_are_not_written(stack):
    for made in (legacy_service("other-prod", "blue"), {**legacy_workload("blue", 1), "metadata": {"name": "other-blue"}}):
        stack.real.kubectl("apply", "-f", "-", input=json.dumps(made))
        ran = patch(stack, f"{made['kind'].lower()}/{made['metadata']['name']}", {"metadata": {"annotations": {"a": "b"}}})
        assert denied(stack, ran), ran


@pytest.mark.parametrize("epoch", ["0", "1", None, "none"])
def test_a_lower_epoch_is_refused_by_the_fence_whoever_writes_it(stack, epoch):
    body = {"metadata": {"annotations": {"sluice.dev/epoch": epoch}}}
    for kind in ("service", "deployment"):
        name = f"{stack.app}-prod" if kind == "service" else f"{stack.app}-green"
        assert denied(stack, patch(stack, f"{kind}/{name}", body))
        ran = stack.real.kubectl("patch", kind, name, "--type", "merge", "--patch", json.dumps(body), check=False)
        assert ran.returncode != 0 and "-fence" in ran.stderr, ran


def test_a_service_leads_nowhere_else(stack):
    service = f"service/{stack.app}-prod"
    for spec in ({"externalIPs": ["203.0.113.1"]}, {"type": "NodePort"}, {"type": "ExternalName", "externalName": "x.example"}):
        ran = patch(stack, service, {"spec": spec})
        assert denied(stack, ran), (spec, ran)
    ports = {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 3000}]}}
    assert denied(stack, as_sluice(stack, "create", "service", "clusterip", "x", "--tcp", "80"))
    if stack.profile == "image":
        assert denied(stack, patch(stack, service, ports))


def test_only_images_of_the_app_where_sluice_only_changes_images(stack):
    if stack.profile != "image":
        pytest.skip("whoever applies manifests may apply any")
    color = stack.first["to"]["color"]
    for fields in ({"image": "docker.io/library/miner:v1"}, {"image": IMAGE + "-evil:v1"}, {"command": ["sh"]}, {"env": [{"name": "A", "value": "c"}]},
                   {"securityContext": {"privileged": True}}):
        ran = container(stack, color, **fields)
        assert denied(stack, ran), (fields, ran)
    for fields in ({"serviceAccountName": "sluice"}, {"hostNetwork": True}, {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
                   {"nodeName": "node-1"}):
        ran = patch(stack, f"deployment/{stack.app}-{color}", {"spec": {"template": {"spec": fields}}})
        assert denied(stack, ran), (fields, ran)
    more = patch(stack, f"deployment/{stack.app}-{color}", {"spec": {"replicas": 2}})
    assert more.returncode == 0, more.stderr
