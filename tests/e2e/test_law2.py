"""Law 2, each branch: with old and new the ready pods of the two colors, traffic returns at once when old ≥ floor or
old ≥ new; otherwise the old color is scaled to the floor, and traffic moves as soon as that holds."""

import pytest

from tests.support.recover import FAULTS, RUNS, Quick, expect_quick
from tests.support.stack import until


@pytest.fixture(scope="module")
def stack():
    with Quick() as stack:
        yield stack


def ready_times(stack, version):
    """When each ready pod of that version became ready."""
    return sorted(p["ready_at"] for p in stack.control("GET", "/pods/production")["items"]
                  if p["ready"] and p["image"].endswith(":" + version))


def back_and_over(stack, deployment):
    answer, took = stack.back("environment", deployment["id"])
    switch = stack.traffic()["switches"][-1]
    assert stack.selector() == switch["selector"]["environment"] == deployment["from"]["color"]
    over = stack.settle(answer["id"], "succeeded")
    old = deployment["from"]["color"]
    assert stack.ready(old) == 3 and stack.workload(old)["spec"]["replicas"] == 3
    assert stack.served() == deployment["from"]["version"]
    return over, took, switch["at"]


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("old, crashed", ((3, 0), (3, 3), (2, 1), (1, 3), (0, 3)),
                         ids=("old-is-enough", "old-is-enough-new-is-down", "equal", "old-is-better", "0-to-0"))
def test_law2_traffic_returns_at_once(stack, old, crashed, faults):
    took = []
    for _ in range(RUNS or 2):
        deployment = stack.serve()
        if old < 3:
            stack.scale(deployment["from"]["color"], old)
        if crashed:
            stack.crash(deployment, crashed)
        stack.faults(*FAULTS[faults])
        answer, seconds = stack.back("environment", deployment["id"])
        stack.faults()
        took.append(seconds)
        assert stack.selector() == deployment["from"]["color"]
        stack.settle(answer["id"], "succeeded")
        assert stack.ready(deployment["from"]["color"]) == 3  # what traffic had overtaken was done
        assert stack.served() == deployment["from"]["version"]
    expect_quick(f"rollback, old {old} of 3, new {3 - crashed} of 3, {faults}", took)


def test_law2_a_version_without_pods_is_brought_back_before_a_healthy_one_is_left(stack):
    deployment = stack.serve()
    old = deployment["from"]
    stack.image(old["version"], ready_after_ms=5000)
    stack.scale(old["color"], 0)
    with stack.load() as load:
        _, _, at = back_and_over(stack, deployment)
    assert load.report["failed"] == 0, load.report
    assert ready_times(stack, old["version"])[2] <= at, "traffic moved before three pods were ready"


def test_law2_a_short_side_and_a_half_crashed_one_meet_in_the_middle(stack):
    """Scaled to 0, and one of three new pods serves: traffic moves when the first old pod is ready."""
    deployment = stack.serve()
    old = deployment["from"]
    stack.scale(old["color"], 0)
    stack.crash(deployment, 2)
    stack.image(old["version"], ready_after_ms=3000)
    answer, _ = stack.back("environment", deployment["id"])
    at = stack.traffic()["switches"][-1]["at"]
    assert stack.selector() == old["color"]
    assert ready_times(stack, old["version"])[0] <= at, "traffic moved to a color without a pod"
    stack.settle(answer["id"], "succeeded")
    assert stack.ready(old["color"]) == 3


def test_law2_pods_that_fail_the_health_checks_are_no_reason_to_stay(stack):
    stack.validating(False, health=[{"name": "health", "path": "/api/health", "json": {"/status": "healthy"}}])
    deployment = stack.serve()
    old = deployment["from"]
    stack.scale(old["color"], 1)
    stack.image(old["version"], never_ready=True)  # it will not have more
    stack.image(deployment["to"]["version"], health="fail")
    answer, took = stack.back("environment", deployment["id"])
    assert took < 3 and stack.selector() == old["color"]
    stack.image(old["version"], never_ready=False)
    for pod in stack.pods(old["color"]):  # those that were made meanwhile begin anew
        if not any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"]):
            stack.kube("DELETE", f"/api/v1/namespaces/production/pods/{pod['metadata']['name']}")
    stack.settle(answer["id"], "succeeded")
    stack.validating(False)


def test_law2_an_api_server_that_was_away_does_not_leave_a_rollback_waiting(stack):
    """Scaling up fails for longer than the patience with a seizure."""
    deployment = stack.serve()
    old = deployment["from"]["color"]
    stack.scale(old, 0)
    stack.faults({"verb": "PATCH", "path": f"deployments/inopnc-{old}$", "nth": 2, "count": 12, "action": {"status": 503}})
    _, took, _ = back_and_over(stack, deployment)
    stack.faults()
    assert took > 0.3, "the fault had no effect"
