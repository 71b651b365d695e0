"""The same requests to kubesim and to a real API server get the same answers: what differs is a row of docs/kubesim-fidelity.md."""

import copy
import fnmatch
import json
import re
import subprocess

import pytest

from tests.support.stack import EXAMPLES, IMAGE, ROOT, Stack, until

pytestmark = pytest.mark.real
SERVICES = "/api/v1/namespaces/production/services"
WORKLOADS = "/apis/apps/v1/namespaces/production/deployments"
MERGE, STRATEGIC, APPLY, JSON_PATCH = (f"application/{kind}" for kind in (
    "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml", "json-patch+json"))
# What every cluster chooses for itself.
OWN = {"uid", "resourceVersion", "creationTimestamp", "clusterIP", "clusterIPs", "time", "continue", "ipFamilies", "lastUpdateTime",
       "lastTransitionTime", "pod-template-hash",
       "deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"}  # and what its controllers do meanwhile


@pytest.fixture(scope="module")
def clusters():
    with Stack(cluster="kubesim") as simulated, Stack(cluster="real") as real:
        yield simulated, real


def workload(name="one", image=IMAGE + ":v1", replicas=0, **spec):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, **spec,
                     "template": {"metadata": {"labels": labels},
                                  "spec": {"containers": [{"name": "app", "image": image, "ports": [{"containerPort": 3000}]}]}}}}


def applied(name="one", image=IMAGE + ":v1", **metadata):
    return {**workload(name, image), "metadata": {"name": name, **metadata}}


def steady(value):
    """Without what is the cluster's own, and without the wording of refusals."""
    if isinstance(value, dict):
        refusal = value.get("kind") == "Status" or {"reason", "field"} <= value.keys()
        value = {key: item for key, item in value.items() if not (key == "status" and isinstance(item, dict)) and key != "."
                 and not (refusal and key == "message") and (key, item) != ("details", {})}
        return {key: "…" if key in OWN else managers(item) if key == "managedFields" else steady(item) for key, item in value.items()}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return value


def managers(entries):
    """By manager: kubesim has them in the order of their first writes."""
    return {entry["manager"] + " " + entry["operation"]: steady(entry["fieldsV1"]) for entry in entries if "subresource" not in entry}


# Each: what it shows, then method, path, body, content type; {version} of the object at `path` is put into the body.
def scenario():
    path = WORKLOADS + "/one"
    service = SERVICES + "/inopnc-prod"
    selector = {"spec": {"selector": {"app": "inopnc", "environment": "green"}}}
    yield "no such object", "GET", path
    yield "no such path", "GET", "/apis/apps/v1/namespaces/production/nothings"
    yield "no such group", "GET", "/apis/nothing.example/v1/nothings"
    yield "create", "POST", WORKLOADS, workload()
    yield "create again", "POST", WORKLOADS, workload()
    yield "create without a selector", "POST", WORKLOADS, workload("two", selector={})
    yield "create with a selector that its template does not have", "POST", WORKLOADS, workload("two", selector={"matchLabels": {"app": "x"}})
    yield "create with a bad name", "POST", WORKLOADS, workload("Two_")
    yield "create in another namespace than the path's", "POST", WORKLOADS, {**workload("two"), "metadata": {"name": "two", "namespace": "default"}}
    yield "create in no namespace", "POST", WORKLOADS.replace("production", "nowhere"), workload("two")
    yield "create with an unknown field", "POST", WORKLOADS, {**workload("two"), "speck": {}}
    yield "create what is no JSON", "POST", WORKLOADS, "}"
    yield "merge patch", "PATCH", path, {"metadata": {"annotations": {"a": "1"}}}, MERGE
    yield "merge patch that changes nothing", "PATCH", path, {"metadata": {"annotations": {"a": "1"}}}, MERGE
    yield "merge patch with the current version", "PATCH", path, {"metadata": {"resourceVersion": "{version}", "annotations": {"a": "2"}}}, MERGE
    yield "merge patch with a stale version", "PATCH", path, {"metadata": {"resourceVersion": "1", "annotations": {"a": "3"}}}, MERGE
    yield "merge patch of nothing there", "PATCH", WORKLOADS + "/none", {"metadata": {"annotations": {"a": "3"}}}, MERGE
    yield "merge patch that takes an annotation away", "PATCH", path, {"metadata": {"annotations": {"a": None}}}, MERGE
    yield "merge patch of the wrong type", "PATCH", path, {"spec": {"replicas": "three"}}, MERGE
    yield "merge patch of a negative number", "PATCH", path, {"spec": {"replicas": -1}}, MERGE
    yield "merge patch of what never changes", "PATCH", path, {"spec": {"selector": {"matchLabels": {"app": "x"}}}}, MERGE
    yield "merge patch with another name", "PATCH", path, {"metadata": {"name": "other"}}, MERGE
    yield "merge patch with another uid", "PATCH", path, {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}}, MERGE
    yield "strategic patch of a container by name", "PATCH", path, {"spec": {"template": {"spec": {"containers": [
        {"name": "app", "image": IMAGE + ":v2"}]}}}}, STRATEGIC
    yield "strategic patch that adds a container", "PATCH", path, {"spec": {"template": {"spec": {"containers": [
        {"name": "side", "image": "x"}]}}}}, STRATEGIC
    yield "strategic patch that deletes it", "PATCH", path, {"spec": {"template": {"spec": {"containers": [
        {"name": "side", "$patch": "delete"}]}}}}, STRATEGIC
    yield "JSON patch", "PATCH", path, [{"op": "add", "path": "/metadata/labels/b", "value": "c"}], JSON_PATCH
    yield "JSON patch whose test fails", "PATCH", path, [{"op": "test", "path": "/spec/replicas", "value": 7}], JSON_PATCH
    yield "patch of no known kind", "PATCH", path, {}, "application/x-patch"
    yield "apply that conflicts", "PATCH", path + "?fieldManager=me", applied(image=IMAGE + ":v3"), APPLY
    yield "apply with force", "PATCH", path + "?fieldManager=me&force=true", applied(image=IMAGE + ":v3"), APPLY
    yield "apply without a manager", "PATCH", path, applied(), APPLY
    yield "apply with a stale version", "PATCH", path + "?fieldManager=me&force=true", applied(image=IMAGE + ":v4", resourceVersion="1"), APPLY
    yield "apply with the current version", "PATCH", path + "?fieldManager=me&force=true", applied(image=IMAGE + ":v4", resourceVersion="{version}"), APPLY
    yield "apply that changes nothing", "PATCH", path + "?fieldManager=me&force=true", applied(image=IMAGE + ":v4"), APPLY
    yield "apply that leaves a field out", "PATCH", path + "?fieldManager=me&force=true", {**applied(image=IMAGE + ":v4"), "spec": {
        k: v for k, v in workload(image=IMAGE + ":v4")["spec"].items() if k != "replicas"}}, APPLY
    yield "apply of something new", "PATCH", WORKLOADS + "/two?fieldManager=me", applied("two"), APPLY
    yield "apply under another name", "PATCH", WORKLOADS + "/two?fieldManager=me", applied("three"), APPLY
    yield "dry run", "PATCH", path + "?dryRun=All", {"metadata": {"annotations": {"dry": "run"}}}, MERGE
    yield "after it", "GET", path
    yield "scale", "GET", path + "/scale"
    yield "scale by patch", "PATCH", path + "/scale", {"spec": {"replicas": 0}}, MERGE
    yield "switch the Service", "PATCH", service, selector, MERGE
    yield "with a stale version", "PATCH", service, {**selector, "metadata": {"resourceVersion": "1"}}, MERGE
    yield "to no selector", "PATCH", service, {"spec": {"selector": None}}, MERGE
    yield "bad ports", "PATCH", service, {"spec": {"ports": "none"}}, MERGE
    yield "no ports", "PATCH", service, {"spec": {"ports": []}}, MERGE
    yield "a port out of range", "PATCH", service, {"spec": {"ports": [{"name": "http", "port": 99999}]}}, MERGE
    yield "a selector with a bad value", "PATCH", service, {"spec": {"selector": {"app": "a b"}}}, MERGE
    yield "back to its selector", "PATCH", service, {"spec": {"selector": {"app": "inopnc", "environment": "blue"}}}, MERGE
    yield "another clusterIP", "PATCH", service, {"spec": {"clusterIP": "10.0.9.9"}}, MERGE
    yield "list by label", "GET", WORKLOADS + "?labelSelector=app%3Dtwo"
    yield "list by a bad label", "GET", WORKLOADS + "?labelSelector=%3D%3D"
    yield "list by name", "GET", WORKLOADS + "?fieldSelector=metadata.name%3Dtwo"
    yield "list by a field that it does not know", "GET", WORKLOADS + "?fieldSelector=spec.x%3Dtwo"
    yield "replace", "PUT", WORKLOADS + "/two", {**workload("two"), "metadata": {"name": "two", "resourceVersion": "{version}"}}
    yield "replace with a stale version", "PUT", WORKLOADS + "/two", {**workload("two"), "metadata": {"name": "two", "resourceVersion": "1"}}
    yield "replace what is not there", "PUT", WORKLOADS + "/three", workload("three")
    yield "delete with a stale version", "DELETE", WORKLOADS + "/two", {"preconditions": {"resourceVersion": "1"}}
    yield "delete", "DELETE", WORKLOADS + "/two", {"propagationPolicy": "Background"}
    yield "delete what is gone", "DELETE", WORKLOADS + "/two"
    yield "may I", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": "production", "verb": "patch", "resource": "services"}}}


def filled(stack, path, body):
    if "{version}" not in json.dumps(body):
        return body
    version = stack.kube("GET", path.partition("?")[0])["metadata"]["resourceVersion"]
    return json.loads(json.dumps(body).replace("{version}", version))


def answer(stack, method, path, body=None, content_type="application/json"):
    answer = stack.kube(method, path, filled(stack, path, copy.deepcopy(body)), content_type)
    return {"code": answer.status, "body": steady(answer.json) if answer.json is not None else answer.raw.decode(errors="replace")}


def differences(a, b, at=""):
    """Paths where two values differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for key in sorted({*a, *b}) for d in (
            differences(a[key], b[key], f"{at}/{key}") if key in a and key in b else
            [f"{at}/{key}: {'only real' if key in b else 'only kubesim'} {json.dumps(b.get(key, a.get(key)))[:90]}"])]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{at}/{i}")]
    return [] if a == b else [f"{at}: {json.dumps(a)[:160]} but really {json.dumps(b)[:160]}"]


def rows():
    """What is known to differ: request, where in the answer."""
    text = (ROOT / "docs/kubesim-fidelity.md").read_text().partition("\n## Known differences\n")[2].partition("\n## ")[0]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")][:2] for line in text.splitlines() if line.startswith("|")][2:]


def test_each_difference_is_a_row_of_the_document(clusters):
    known, met, unknown = rows(), set(), []
    for name, *call in scenario():
        simulated, real = (answer(stack, *call) for stack in clusters)
        for difference in differences(simulated, real):
            at = difference.partition(": ")[0]
            row = next((i for i, (request, where) in enumerate(known) if fnmatch.fnmatch(name, request) and fnmatch.fnmatch(at, where)), None)
            met.add(row)
            if row is None:
                unknown.append(f"{name}: {difference}")
    assert not unknown, "\n" + "\n".join(unknown)
    assert [row for i, row in enumerate(known) if i not in met] == [], "rows that no answer differs by"


# kubectl's words, and what it prints, without ages, names and addresses that a cluster chooses.
KUBECTL = """
apply --server-side -f manifests.yaml
rollout status deployment/inopnc-blue --timeout 60s
get deployment inopnc-blue -o jsonpath={.spec.replicas}/{.status.readyReplicas}
get service inopnc-prod -o jsonpath={.spec.selector}
get pods -l environment=blue -o jsonpath={.items[*].status.phase}
describe deployment inopnc-blue
describe service inopnc-green-service
patch service inopnc-prod --type merge -p {"spec":{"selector":{"environment":"green"}}}
patch deployment inopnc-blue --type strategic -p {"spec":{"template":{"spec":{"containers":[{"name":"app","image":"ghcr.io/your-org/inopnc-wm:v1.2.4"}]}}}}
rollout status deployment/inopnc-blue --timeout 60s
rollout history deployment/inopnc-blue
apply --server-side --field-manager other -f manifests.yaml
apply --server-side --field-manager other --force-conflicts -f manifests.yaml
apply --server-side --dry-run=server -f manifests.yaml
rollout status deployment/inopnc-blue --timeout 60s
logs deployment/nothing
delete -f manifests.yaml
get deployment inopnc-blue
delete pod nothing
"""


def test_kubectl_says_the_same_of_both(clusters, tmp_path):
    simulated, real = clusters
    manifests = (EXAMPLES / "manifests.yaml").read_text().replace("${COLOR}", "blue").replace("${IMAGE}", IMAGE + ":v1.2.3")
    (tmp_path / "manifests.yaml").write_text(manifests)
    said = {}
    for stack in clusters:
        config = real.real.dir / "kubeconfig" if stack is real else stack.env["KUBECONFIG"]
        for number, line in enumerate(KUBECTL.strip().splitlines()):
            ran = subprocess.run([real.real.dir / "kubectl", "--kubeconfig", config, "--cache-dir", tmp_path / f"cache-{stack is real}",
                                  "--namespace", "production", *line.split(" ")], cwd=tmp_path, capture_output=True, text=True, check=False)
            said.setdefault((number, line), []).append((ran.returncode, printed(ran.stdout + ran.stderr)))
    assert {line: both for line, both in said.items() if both[0] != both[1]} == {}


def printed(text):
    for pattern, to in ((r"\b[a-z0-9]{8,10}(-[a-z0-9]{5})?\b(?=[ \n(]|$)", "…"), (r"\d+\.\d+\.\d+\.\d+", "…"), (r"CreationTimestamp:.*", "…"),
                        (r"(?s)\nEvents:.*", ""), (r"Waiting for .*\n", ""), (r"\n{2,}", "\n")):
        text = re.sub(pattern, to, text)
    return text


def test_logs_of_kubesims_pods(clusters, tmp_path):
    """kwok's pods have none; that kubectl reads kubesim's is shown alone."""
    simulated, real = clusters
    simulated.kube("POST", WORKLOADS, workload("logs", IMAGE + ":v1.0.0", 1))
    until(lambda: simulated.kube("GET", WORKLOADS + "/logs")["status"].get("readyReplicas"), what="its pod is ready")
    ran = subprocess.run([real.real.dir / "kubectl", "--kubeconfig", simulated.env["KUBECONFIG"], "--cache-dir", tmp_path, "--namespace",
                          "production", "logs", "deployment/logs", "--tail", "5"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "version v1.0.0" in ran.stdout, ran
