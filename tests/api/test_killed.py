"""kill -9 around the commits that a request makes: a create is there or it is not, an abort that was asked for goes on."""

import os

import pytest

from tests.support.stack import ROOT, Stack, ended, until

BUILD = ROOT / os.environ.get("SLUICE_CRASH_BUILD", "build/dev") / "bin"


@pytest.fixture(scope="module")
def crashing():
    if not (BUILD / "sluiced").exists():
        pytest.skip("needs the build with crash points: scripts/build dev")
    with Stack(bin_dir=BUILD) as stack:
        stack.inopnc(checks={"health": [], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


def killed_by(stack, point, action):
    """Runs action while the server dies at its first pass of the point; then revives it."""
    stack.stop_servers()
    stack.up(SLUICE_CRASH_POINT=f"{point}:1")
    with pytest.raises(OSError):
        action()
    until(lambda: ended(stack.pids[0]))
    stack.up()


def test_law7_a_create_is_whole_or_not_there(crashing):
    crashing.release("v1.1.0")
    killed_by(crashing, "before-create", lambda: crashing.create("v1.1.0"))
    assert crashing.api("GET", "/deployments?version=v1.1.0")["items"] == []
    killed_by(crashing, "after-create", lambda: crashing.create("v1.1.0"))
    there, = crashing.api("GET", "/deployments?version=v1.1.0")["items"]
    assert len(there["steps"]) == 10
    done = crashing.wait(there["id"], "succeeded")
    actions = [record["action"] for record in crashing.chain() if record["subject"] == there["id"]]
    assert actions[:2] == ["deployment.created", "deployment.started"] and done["state"] == "succeeded"


def test_law7_an_abort_that_was_asked_for_goes_on(crashing):
    crashing.image("v1.2.0", ready_after_ms=60000)
    id = crashing.deploy("v1.2.0")
    crashing.wait_step(id, "await-available", ("running", "waiting"))
    killed_by(crashing, "before-abort", lambda: crashing.api("POST", f"/deployments/{id}/abort"))
    assert crashing.deployment(id)["state"] == "running"
    killed_by(crashing, "after-abort", lambda: crashing.api("POST", f"/deployments/{id}/abort", {"reason": "why not"}))
    done = crashing.wait(id, "aborted")
    assert "why not" in done["failure"]["detail"]
    assert [r["action"] for r in crashing.chain() if r["subject"] == id].count("deployment.aborted") == 1


def test_an_answer_that_was_lost_is_given_again(crashing):
    crashing.release("v1.3.0")
    body, key = {"app": "inopnc", "environment": "production", "version": "v1.3.0"}, {"Idempotency-Key": "killed"}
    killed_by(crashing, "after-create", lambda: crashing.api("POST", "/deployments", body, headers=key))
    answer = crashing.api("POST", "/deployments", body, headers=key)
    assert answer.status == 202 and answer.headers["Idempotency-Replayed"] == "true", answer
    assert answer.headers["Location"] == "/api/v1/deployments/" + answer["id"]
    there, = crashing.api("GET", "/deployments?version=v1.3.0")["items"]
    assert there["id"] == answer["id"] and crashing.wait(there["id"], "succeeded")
