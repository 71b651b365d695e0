"""Rollback that cannot be refused, and every other verb."""

import time

import pytest

from tests.support.stack import Stack, together, until

pytestmark = pytest.mark.real
QUICK = {"health": [{"name": "health", "path": "/api/health"}], "production": []}


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc(checks=QUICK)
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        stack.wait(stack.deploy("v1.1.0"), "succeeded")
        yield stack


def serving(stack):
    return (stack.status()["active"] or {}).get("version")


def rollback(stack, body=None, **kwargs):
    return stack.api("POST", "/apps/inopnc/environments/production/rollback", {"reason": "a test", **(body or {})}, **kwargs)


def verb(stack, id, name, **body):
    return stack.api("POST", f"/deployments/{id}/{name}", body)


def wait_state(stack, id, state, seconds=30):
    return until(lambda: (d := stack.deployment(id))["state"] == state and d, seconds, what=f"{id} is {state}")


def test_rollback_goes_back_and_a_second_click_changes_nothing(stack):
    before = stack.status()["active"]
    began = time.monotonic()
    with stack.load() as load:
        answer = rollback(stack)
        took = time.monotonic() - began
        assert answer.status == 200, answer
        assert took < 1 and stack.selector() != before["color"]
        done = stack.wait(answer["id"], "succeeded")
    assert load.report["failed"] == 0
    assert done["kind"] == "rollback" and done["to"]["version"] == "v1.0.0" and done["from"]["version"] == "v1.1.0"
    assert answer.headers["Location"] == f"/api/v1/deployments/{answer['id']}"
    until(lambda: serving(stack) == "v1.0.0")
    moved = len(stack.traffic()["switches"])
    again = rollback(stack)
    assert (again.status, again["id"]) == (200, answer["id"])
    assert len(stack.traffic()["switches"]) == moved
    assert stack.deployment(done["rollback_of"])["rolled_back_by"] == done["id"]


def test_two_people_at_once_do_not_toggle(stack):
    stack.wait(stack.deploy("v1.2.0"), "succeeded")
    answers = together(8, lambda i: rollback(stack))
    assert {a.status for a in answers} == {200} and len({a["id"] for a in answers}) == 1
    stack.wait(answers[0]["id"], "succeeded")
    until(lambda: serving(stack) == "v1.0.0")


def test_rollback_preempts_what_runs_and_takes_its_apply_back(stack):
    version = "v1.3.0"
    stack.image(version, ready_after_ms=60000)
    id = stack.deploy(version)
    stack.wait_step(id, "await-available", ("running", "waiting"))
    answer = rollback(stack)
    assert answer.status == 200, answer
    ended = stack.deployment(id)
    assert ended["state"] == "rolled_back" and ended["rolled_back_by"] == answer["id"]
    done = stack.wait(answer["id"], "succeeded", seconds=60)
    assert done["to"]["version"] == "v1.0.0"
    assert stack.workload(ended["to"]["color"])["spec"]["replicas"] == 3  # what it had at resolve: the previous version's
    assert serving(stack) == "v1.0.0"


def test_rollback_after_the_previous_color_was_scaled_down(stack):
    done = stack.wait(stack.deploy("v1.4.0"), "succeeded")
    old = done["from"]["color"]
    answer = stack.kube("PATCH", f"/apis/apps/v1/namespaces/production/deployments/inopnc-{old}", {"spec": {"replicas": 0}},
                        "application/merge-patch+json")
    assert answer.status == 200
    until(lambda: stack.workload(old)["status"].get("readyReplicas", 0) == 0, what="the old color has no pods")
    with stack.load() as load:
        answer = rollback(stack)
        assert answer.status == 200, answer
        stack.wait(answer["id"], "succeeded")
    assert load.report["failed"] == 0, load.report
    assert stack.selector() == old and stack.workload(old)["spec"]["replicas"] == 3


def test_rollback_brings_the_recorded_template_back(stack):
    """An aborted deployment left its template on the color that is returned to (model/README.md, 3)."""
    first = stack.wait(stack.deploy("v1.5.0"), "succeeded")
    stack.image("v1.6.0", ready_after_ms=60000)
    aborted = stack.deploy("v1.6.0")
    stack.wait_step(aborted, "await-available", ("running", "waiting"))
    assert verb(stack, aborted, "abort").status == 200
    stack.wait(aborted, "aborted")
    after_abort = rollback(stack)  # the `from` of what was active last: v1.5.0 serves, so nothing moves
    assert after_abort.status == 200
    assert stack.wait(after_abort["id"], "succeeded")["to"]["version"] == "v1.5.0"
    assert serving(stack) == "v1.5.0"
    named = verb(stack, first["id"], "rollback", reason="back to before")
    assert named.status == 200, named
    done = stack.wait(named["id"], "succeeded")
    assert done["to"]["version"] == first["from"]["version"]
    image = stack.workload(done["to"]["color"])["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(":" + first["from"]["version"])
    until(lambda: serving(stack) == first["from"]["version"])


def test_rollback_to_a_version(stack):
    for version in ("v2.0.0", "v2.1.0", "v2.2.0"):
        stack.wait(stack.deploy(version), "succeeded")
    answer = rollback(stack, {"to": "v2.0.0"})
    assert answer.status == 200, answer
    stack.wait(answer["id"], "succeeded")
    until(lambda: serving(stack) == "v2.0.0")
    again = rollback(stack, {"to": "v2.0.0"})
    assert (again.status, again["id"]) == (200, answer["id"]), "a second person changes nothing"
    answer = rollback(stack, {"to": "v9.9.9"})
    assert (answer.status, answer["code"]) == (409, "wrong-state")


def test_manual_promotion_pause_and_resume(stack):
    id = stack.deploy("v3.0.0", params={"promote": "manual"})
    paused = wait_state(stack, id, "paused")
    assert paused["current_step"] == "promote"
    before = stack.selector()
    assert verb(stack, id, "resume")["code"] == "wrong-state"
    assert stack.create("v3.0.0")["code"] == "environment-busy"
    assert verb(stack, id, "promote", reason="looks good").status == 200
    done = stack.wait(id, "succeeded")
    assert stack.selector() != before and done["to"]["version"] == "v3.0.0"
    assert verb(stack, id, "promote")["code"] == "wrong-state"

    stack.image("v3.1.0", ready_after_ms=1500)
    id = stack.deploy("v3.1.0")
    assert verb(stack, id, "pause", reason="lunch").status == 200
    paused = wait_state(stack, id, "paused")
    assert all(s["state"] == "pending" for s in paused["steps"] if s["name"] in ("switch-traffic", "validate-production"))
    assert verb(stack, id, "pause")["code"] == "wrong-state"
    refused = verb(stack, id, "retry")
    assert (refused.status, refused["state"]) == (409, "paused") and "resume" in refused["allowed"]
    assert verb(stack, id, "resume").status == 200
    stack.wait(id, "succeeded")


def test_abort_and_rollback_of_a_paused_one(stack):
    id = stack.deploy("v3.2.0", params={"promote": "manual"})
    wait_state(stack, id, "paused")
    assert verb(stack, id, "abort").status == 200
    stack.wait(id, "aborted")
    id = stack.deploy("v3.3.0", params={"promote": "manual"})
    wait_state(stack, id, "paused")
    answer = verb(stack, id, "rollback")
    assert answer.status == 200, answer
    assert stack.wait(answer["id"], "succeeded")["to"]["version"] == "v3.1.0"
    assert stack.deployment(id)["state"] == "rolled_back"


def test_traffic_by_hand(stack):
    stack.wait(stack.deploy("v4.0.0"), "succeeded")
    serves = stack.selector()
    other = "blue" if serves == "green" else "green"
    path = "/apps/inopnc/environments/production/traffic"
    refused = stack.api("POST", path, {"color": serves, "reason": "x"})
    assert (refused.status, refused["code"]) == (409, "wrong-state")
    back = stack.api("POST", path, {"color": other, "reason": "the runbook's single manual step"})
    assert back.status == 200 and back["kind"] == "rollback", back
    stack.wait(back["id"], "succeeded")
    assert stack.selector() == other
    forward = stack.api("POST", path, {"color": serves, "reason": "and forth"})
    assert forward.status == 200 and forward["kind"] == "traffic", forward
    stack.wait(forward["id"], "succeeded")
    assert stack.selector() == serves
    stack.kube("PATCH", f"/apis/apps/v1/namespaces/production/deployments/inopnc-{other}", {"spec": {"replicas": 1}},
               "application/merge-patch+json")
    until(lambda: stack.workload(other)["status"].get("readyReplicas") == 1, what="one pod is left")
    short = stack.api("POST", path, {"color": other, "reason": "too few"})
    assert (short.status, short["code"]) == (409, "no-capacity"), short


@pytest.mark.parametrize("faults", [
    (),
    pytest.param(({"user_agent": "sluiced", "rate": 0.2, "action": {"status": 500}},), marks=pytest.mark.kubesim("faults")),
], ids=["healthy", "faulty"])
def test_law2_crashed_after_the_switch(stack, faults):
    """C1 of facts/peers.md: Argo Rollouts leaves the Service on the new version and scales it to zero."""
    version = f"v5.{len(faults)}.0"
    done = stack.wait(stack.deploy(version), "succeeded")
    stack.image(version, crash_loop=True)
    until(lambda: stack.workload(done["to"]["color"])["status"].get("readyReplicas", 0) < 3, what="new pods crash")
    stack.faults(*faults)
    began = time.monotonic()
    answer = rollback(stack)
    took = time.monotonic() - began
    stack.faults()
    assert answer.status == 200, answer
    assert stack.selector() == done["from"]["color"] and took < 2, took
    stack.wait(answer["id"], "succeeded")


def test_keep_previous_is_cleaned_up_later_and_never_what_serves(stack):
    stack.inopnc(checks=QUICK, blue_green={"keep_previous_s": 30})
    done = stack.wait(stack.deploy("v6.0.0"), "succeeded")
    old = done["from"]["color"]
    assert stack.workload(old)["spec"]["replicas"] >= 1
    stack.image("v6.1.0", ready_after_ms=60000)  # one that was taken back meanwhile leaves its template there
    aborted = stack.deploy("v6.1.0")
    stack.wait_step(aborted, "await-available", ("running", "waiting"))
    assert verb(stack, aborted, "abort").status == 200
    stack.wait(aborted, "aborted")
    assert stack.workload(old)["spec"]["replicas"] >= 1
    stack.sql("UPDATE cleanup SET due_at = clock_timestamp()")
    until(lambda: stack.workload(old)["spec"]["replicas"] == 0, what="the previous color is scaled down")
    assert serving(stack) == "v6.0.0"
    answer = verb(stack, done["id"], "rollback")  # also when the previous workload was scaled down
    assert answer.status == 200, answer
    stack.wait(answer["id"], "succeeded")
    assert stack.selector() == old and stack.workload(old)["spec"]["replicas"] == 3
