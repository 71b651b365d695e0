"""A person can abort at any moment: confirmed means that traffic is on the old version, by our own write."""

import time

import pytest

from tests.support.stack import Stack, until

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc(checks={"production": [{"name": "front", "path": "/", "consecutive": 30}]},
                     deadlines={"validate_s": 120})
        first(stack)
        yield stack


def first(stack):
    """The first version goes out under the quick checks, the slow validation is for what the tests abort."""
    spec = stack.api("GET", "/apps/inopnc/environments/production").json
    slow = spec["checks"]["production"]
    put(stack, [])
    done = stack.wait(stack.deploy("v1.0.0"), "succeeded")
    put(stack, slow)
    return done


def put(stack, production):
    spec = stack.api("GET", "/apps/inopnc/environments/production").json
    body = {k: spec[k] for k in ("cluster", "namespace", "container", "port", "strategy", "blue_green", "checks", "deadlines")}
    body["checks"] = {**body["checks"], "production": production}
    answer = stack.api("PUT", "/apps/inopnc/environments/production", body, headers={"If-Match": "*"})
    assert answer.status in (200, 201), answer


def abort(stack, id, **kwargs):
    began = time.monotonic()
    answer = stack.api("POST", f"/deployments/{id}/abort", {"reason": "tried by a test"}, **kwargs)
    return answer, time.monotonic() - began


# Pods of the real cluster's kwok are in CrashLoopBackOff at once, and the deployment fails before anybody can abort it.
SLOWLY = pytest.mark.kubesim("pods that take their time to crash")


# SETTLE: a version that served keeps its pods for 30 s after an abort, and the environment stays busy that long.
@pytest.mark.parametrize("step, behavior", [
    ("await-available", {"ready_after_ms": 60000}),
    pytest.param("await-available", {"crash_loop": True, "ready_after_ms": 60000}, marks=SLOWLY),
    pytest.param("health-checks", {"latency_ms": 400}, marks=pytest.mark.kubesim("pods that answer")),
    ("validate-production", {}),
], ids=["starting", "crashing", "checking", "after-the-switch"])
def test_abort(stack, step, behavior):
    version = f"v2.0.{int(time.time() * 10) % 10**8}"
    if behavior:
        stack.image(version, **behavior)
    before = stack.status()["active"]
    with stack.load() as load:
        id = stack.deploy(version)
        stack.wait_step(id, step, ("running", "waiting"))
        answer, took = abort(stack, id)
        assert answer.status == 200, answer
        assert stack.selector() == before["color"], "confirmed, but traffic is elsewhere"
        assert took < 2
        done = stack.wait(id, "aborted", seconds=60)
    assert done["failure"]["code"] == "aborted" and "tried by a test" in done["failure"]["detail"]
    assert load.report["failed"] == 0, load.report
    service = stack.kube("GET", "/api/v1/namespaces/production/services/inopnc-prod")
    ops = stack.sql(f"SELECT op FROM intent WHERE deployment_id = '{id}' AND job = 'undo' AND purpose = 'restore-service'")
    assert service["metadata"]["annotations"]["sluice.dev/op"] == ops
    assert stack.workload(done["to"]["color"])["spec"]["replicas"] == 0
    actions = [r["action"] for r in stack.chain() if r["subject"] == id]
    assert actions[-1] == "deployment.aborted" and "traffic.restored" in actions
    # again: final
    again, _ = abort(stack, id)
    assert (again.status, again["code"], again["state"]) == (409, "wrong-state", "aborted")


def test_abort_needs_its_scope_and_its_app(stack):
    id = stack.api("GET", "/deployments?limit=1")["items"][0]["id"]
    ci, _ = abort(stack, id, token=stack.mint())
    assert (ci.status, ci["code"]) == (403, "forbidden")
    other, _ = abort(stack, id, token=stack.mint("o", ("releaser",), ("other",)))
    assert other.status in (403, 404)


@pytest.mark.kubesim("faults")
def test_abort_joins_an_undo_that_runs_and_the_cluster_may_be_away(stack):
    version = f"v3.0.{int(time.time() * 10) % 10**8}"
    stack.image(version, ready_after_ms=60000)
    id = stack.deploy(version)
    stack.wait_step(id, "await-available", ("running", "waiting"))
    stack.faults({"user_agent": "sluiced", "path": "services/inopnc-prod", "action": {"status": 500}})
    try:
        answer, took = abort(stack, id)
        assert (answer.status, answer["code"]) == (504, "not-confirmed"), answer
        assert answer.headers["Location"] and 9 < took < 13
        assert stack.deployment(id)["state"] == "undoing"
    finally:
        stack.faults()
    answer, _ = abort(stack, id)
    assert answer.status == 200, answer
    stack.wait(id, "aborted", seconds=40)


@SLOWLY
def test_law2_of_abort_confirmed_within_a_second_while_every_new_pod_crashes(stack):
    took = []
    for i in range(5):
        version = f"v4.{i}.{int(time.time() * 10) % 10**8}"
        stack.image(version, crash_loop=True, ready_after_ms=30000)
        id = stack.deploy(version)
        stack.wait_step(id, "await-available", ("running", "waiting"))
        answer, seconds = abort(stack, id)
        assert answer.status == 200
        took.append(seconds)
        stack.wait(id, "aborted", seconds=40)
    assert max(took) < 1, took
    until(lambda: stack.status()["active"]["version"] == "v1.0.0")
