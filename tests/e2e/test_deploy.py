"""A blue-green deployment, end to end, with traffic flowing."""

import datetime

import pytest

from tests.support.stack import IMAGE, Stack, together, until

pytestmark = pytest.mark.real
STEPS = ["resolve", "apply", "await-available", "health-checks", "smoke-checks", "promote", "switch-traffic",
         "await-endpoints", "validate-production", "keep-previous"]


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc()
        stack.first = stack.wait(stack.deploy("v1.2.2"), "succeeded")
        yield stack


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def serving(stack):
    return stack.status()["active"]["version"]


def test_first_deployment_goes_to_a_color_that_the_service_does_not_select(stack):
    first = stack.deployment(stack.first["id"])
    assert first["from"] is None
    assert first["to"]["color"] == "green" and first["to"]["version"] == "v1.2.2"
    assert [s["name"] for s in first["steps"]] == STEPS
    assert all(s["state"] in ("done", "skipped") for s in first["steps"])
    assert first["failure"] is None and first["ended_at"] and first["acceptance"] == "not-required"
    assert stack.selector() == "green"


def test_a_new_version_takes_over_without_one_failed_request(stack):
    old = serving(stack)
    with stack.load() as load:
        done = stack.wait(stack.deploy("v1.2.3"), "succeeded")
    assert done["from"]["version"] == old and done["to"]["version"] == "v1.2.3"
    assert load.report["failed"] == 0, load.report
    assert load.count(status=200) == load.report["answered"]
    assert load.count("v1.2.3") > 0 or stack.real  # nothing answers there
    status = until(lambda: (s := stack.status())["previous"] and s, what="the previous color is shown")
    assert status["active"]["version"] == "v1.2.3" and status["active"]["ready"] == 3
    switched = [r["at"] for r in stack.chain() if r["action"] == "traffic.switched"][-1]
    assert abs(moment(status["active"]["since"]) - moment(switched)) < 1
    assert status["previous"]["version"] == old and status["deployment"] is None


def test_the_previous_color_keeps_its_pods_and_the_teams_own_strategy_is_back(stack):
    done = stack.wait(stack.deploy("v1.3.0"), "succeeded")
    old, new = done["from"]["color"], done["to"]["color"]
    assert stack.workload(old)["spec"]["replicas"] == 3
    strategy = stack.workload(new)["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert stack.workload(new)["metadata"]["annotations"]["sluice.dev/version"] == "v1.3.0"


def test_law1_of_16_creates_at_once_one_is_accepted(stack):
    stack.release("v1.4.0")
    answers = together(16, lambda i: stack.create("v1.4.0"))
    accepted = [a for a in answers if a.status == 202]
    assert len(accepted) == 1
    id = accepted[0]["id"]
    for refused in (a for a in answers if a.status != 202):
        assert (refused.status, refused["code"]) == (409, "environment-busy")
        assert id in refused.raw.decode()
    stack.wait(id, "succeeded")


def test_law8_the_record_tells_it_and_verifies(stack):
    id = stack.deploy("v1.5.0")
    stack.wait(id, "succeeded")
    mine = [r for r in stack.chain() if r["subject"] == id]
    actions = [r["action"] for r in mine]
    assert actions[0] == "deployment.created" and actions[1] == "deployment.started"
    assert actions[-1] == "deployment.succeeded"
    assert actions.count("traffic.switched") == 1
    assert "workload.applied" in actions
    assert mine[0]["actor"]["subject"] == "admin"
    answer = stack.api("GET", "/audit?chain=inopnc%2Fproduction")
    chain = stack.dir / "chain.ndjson"
    chain.write_bytes(answer.raw)
    assert stack.cli("audit", "verify", str(chain)).returncode == 0
    chain.write_bytes(answer.raw.replace(b"v1.5.0", b"v6.6.6", 1))
    assert stack.cli("audit", "verify", str(chain)).returncode != 0


def test_law10_a_server_that_starts_anew_writes_nothing(stack):
    last = stack.requests()[-1]["n"]
    stack.stop_servers()
    stack.up()
    until(lambda: stack.status()["active"], what="it serves the status again")
    written = [r for r in stack.requests(last) if "sluiced" in r["user_agent"] and r["verb"].lower() not in ("get", "list", "watch")
               and "accessreviews" not in r["path"]]  # those only ask what it may do
    assert written == []
    assert serving(stack) == "v1.5.0"


def legacy_workload(color, replicas):
    labels = {"app": "legacy", "environment": color}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "legacy-" + color, "labels": {"team": "old"}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                     "template": {"metadata": {"labels": labels},
                                  "spec": {"containers": [{"name": "app", "image": IMAGE + ":v0.9.0", "env": [{"name": "A", "value": "b"}],
                                                           "ports": [{"containerPort": 3000}]},
                                                          {"name": "sidecar", "image": "ghcr.io/your-org/proxy:v7"}]}}}}


def legacy_service(name, color):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": "legacy", "environment": color}, "ports": [{"port": 80, "targetPort": 3000}]}}


def register_legacy(stack):
    """Objects that others made, in an environment without manifests; until the old version is ready."""
    base = "/api/v1/namespaces/production/services"
    for name, color in (("legacy-prod", "blue"), ("legacy-blue-service", "blue"), ("legacy-green-service", "green")):
        assert stack.kube("POST", base, legacy_service(name, color)).status == 201
    for color, replicas in (("blue", 2), ("green", 0)):
        answer = stack.kube("POST", "/apis/apps/v1/namespaces/production/deployments", legacy_workload(color, replicas))
        assert answer.status == 201, answer
    assert stack.api("PUT", "/apps/legacy", {"image": IMAGE}).status == 201
    spec = {"cluster": "local", "namespace": "production", "container": "app", "port": 3000, "strategy": "blue-green",
            "blue_green": {"service": "legacy-prod", "selector_key": "environment", "colors": {
                c: {"deployment": f"legacy-{c}", "service": f"legacy-{c}-service"} for c in ("blue", "green")}}}
    assert stack.api("PUT", "/apps/legacy/environments/production", spec).status == 201
    stack.grant("legacy")
    until(lambda: (stack.status("legacy")["active"] or {}).get("ready") == 2, what="the old version is ready")


def test_workloads_that_exist_need_no_manifests_and_only_the_image_changes(stack):
    register_legacy(stack)
    done = stack.wait(stack.deploy("v1.0.0", "legacy"), "succeeded")
    assert done["from"]["version"] == "v0.9.0" and done["to"]["color"] == "green"
    after = stack.kube("GET", "/apis/apps/v1/namespaces/production/deployments/legacy-green").json
    want = legacy_workload("green", 2)["spec"]
    want["template"]["spec"]["containers"][0]["image"] = IMAGE + ":v1.0.0"
    for key in ("replicas", "strategy"):
        assert after["spec"][key] == want[key], key
    for was, now in zip(want["template"]["spec"]["containers"], after["spec"]["template"]["spec"]["containers"], strict=True):
        assert {k: now.get(k) for k in ("name", "image", "env")} == {k: was.get(k) for k in ("name", "image", "env")}
    assert after["metadata"]["labels"]["team"] == "old"
