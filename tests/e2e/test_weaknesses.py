"""The weaknesses that were found in other systems, as scenarios: argo-rollouts (C1, C2) and flagger (C3, C4).

SLUICE_RUNS=100 measures (with pytest -s); else each case is tried a few times.
"""

import pytest

from tests.support.recover import FAULTS, RUNS, Quick, expect_quick
from tests.support.stack import until


@pytest.fixture(scope="module")
def stack():
    with Quick() as stack:
        yield stack


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("crashed", (1, 3), ids=("one", "all"))
@pytest.mark.parametrize("verb", ("abort", "rollback"))
def test_c1_new_pods_crash_after_the_switch_and_a_person_goes_back(stack, verb, crashed, faults):
    """Argo Rollouts leaves the Service on the new version and scales it to 0 after 30 s, because it is not saturated."""
    stack.validating(verb == "abort")
    took = []
    for _ in range(RUNS or 3):
        deployment = stack.validate() if verb == "abort" else stack.serve()
        old = deployment["from"]
        assert stack.selector() == deployment["to"]["color"]
        stack.crash(deployment, crashed)
        stack.faults(*FAULTS[faults])
        answer, seconds = stack.back(verb, deployment["id"])
        stack.faults()
        took.append(seconds)
        assert stack.selector() == old["color"], "confirmed, but traffic is elsewhere"
        until(lambda: stack.served() == old["version"], 1, what="production answers with the old version")
        stack.settle(answer["id"], "aborted" if verb == "abort" else "succeeded")
        assert stack.selector() == old["color"] and stack.ready(old["color"]) == 3
        assert stack.served() == old["version"]
    expect_quick(f"C1: {verb}, {crashed} of 3 new pods crashed, {faults}", took)


@pytest.mark.parametrize("verb", ("abort", "rollback"))
def test_c2_the_old_version_is_short_of_pods_and_the_new_one_is_down(stack, verb):
    """Argo Rollouts returns from an abort before it sets weights when stable is short of its pods."""
    stack.validating(verb == "abort")
    took = []
    for _ in range(RUNS or 2):
        deployment = stack.validate() if verb == "abort" else stack.serve()
        old = deployment["from"]["color"]
        stack.scale(old, 1)
        stack.crash(deployment)
        answer, seconds = stack.back(verb, deployment["id"])
        took.append(seconds)
        assert stack.selector() == old
        until(lambda: stack.served() == deployment["from"]["version"], 1, what="what is left of it serves")
        stack.settle(answer["id"], "aborted" if verb == "abort" else "succeeded")
        if verb == "abort":
            stack.scale(old, 3)
        until(lambda: stack.ready(old) == 3, what="the old version has its pods again")
    expect_quick(f"C2: {verb}, 1 of 3 old pods, no new one", took)


@pytest.mark.parametrize("verb", ("abort", "rollback", "environment"))
def test_c3_a_person_goes_back_while_the_new_version_never_becomes_ready(stack, verb):
    """Flagger reads a manual rollback only when both versions are ready, for up to its progress deadline."""
    stack.validating(False)
    took = []
    for _ in range(RUNS or 2):
        version = next(stack.versions)
        stack.image(version, never_ready=True)
        id = stack.deploy(version)
        deployment = stack.wait_step(id, "await-available", ("running", "waiting"))
        until(lambda: len(stack.pods(deployment["to"]["color"])) == 3, what="its pods are there")
        answer, seconds = stack.back(verb, id)
        took.append(seconds)
        assert stack.selector() == deployment["from"]["color"]
        stack.settle(answer["id"], "aborted" if verb == "abort" else "succeeded")
        assert stack.deployment(id)["state"] == ("aborted" if verb == "abort" else "rolled_back")
    expect_quick(f"C3: {verb}, no new pod ever ready", took)
    stack.serve()  # a fix goes out at once


def test_c4_a_crash_within_max_unavailable_is_a_failure(stack):
    """Flagger takes Available=True for an answer: no rollback at all when the crash stays within maxUnavailable."""
    stack.validating(False)
    version = next(stack.versions)
    before = stack.selector()
    stack.image(version, ready_after_ms=4000)
    id = stack.deploy(version)
    color = stack.wait_step(id, "await-available", ("running", "waiting"))["to"]["color"]
    pod = until(lambda: [p for p in stack.pods(color) if p["spec"]["containers"][0]["image"].endswith(version)],
                what="a new pod")[0]
    stack.control("PUT", f"/pods/production/{pod['metadata']['name']}", {"crash_loop": True})
    failed = stack.wait(id, "failed")
    assert failed["failure"]["code"] == "crash-loop" and pod["metadata"]["name"] in failed["failure"]["detail"], failed
    assert stack.selector() == before
    assert not any(r["action"] == "traffic.switched" for r in stack.chain() if r["subject"] == id)


def test_c4_a_fix_goes_out_although_what_serves_is_down(stack):
    """Flagger does not deploy while the primary is not ready."""
    stack.validating(False)
    deployment = stack.serve()
    stack.crash(deployment)
    assert stack.ready(stack.selector()) == 0
    fixed = stack.serve()
    assert stack.selector() == fixed["to"]["color"] != deployment["to"]["color"]
    assert stack.served() == fixed["to"]["version"]
