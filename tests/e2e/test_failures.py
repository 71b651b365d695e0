"""Bad versions are taken back by themselves, early and with the reason in plain words."""

import pytest

from tests.support.stack import Stack, until


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc(deadlines={"available_s": 6, "checks_s": 5, "validate_s": 5})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


CASES = [
    ("v2.0.1", {"pull_error": True}, "image-pull", "await-available"),
    ("v2.0.2", {"crash_loop": True}, "crash-loop", "await-available"),
    ("v2.0.3", {"never_ready": True}, "deadline", "await-available"),
    ("v2.0.4", {"health": "fail"}, "check-failed", "health-checks"),
    ("v2.0.5", {"error_rate": 1}, "check-failed", "validate-production"),
]


@pytest.mark.parametrize("version, behavior, code, step", CASES, ids=[c[2] + "-" + c[3] for c in CASES])
def test_a_bad_version_is_taken_back(stack, version, behavior, code, step):
    before = stack.status()["active"]
    stack.image(version, **behavior)
    with stack.load() as load:
        done = stack.wait(stack.deploy(version), "failed", seconds=60)
    assert done["failure"]["code"] == code, done["failure"]
    assert done["failure"]["detail"] and done["failure"]["hint"]
    states = {s["name"]: s["state"] for s in done["steps"]}
    assert states[step] == "failed" and states["apply"] == "undone", states
    if code in ("image-pull", "crash-loop"):
        assert "app" in done["failure"]["detail"] and "inopnc-" in done["failure"]["detail"]
    assert stack.selector() == before["color"]
    until(lambda: stack.status()["active"]["version"] == before["version"], what="the old version serves")
    assert stack.workload(done["to"]["color"])["spec"]["replicas"] == 0
    assert load.report["failed"] == 0
    assert load.count(before["version"], 200) + load.count(version) == load.report["answered"]
    if step != "validate-production":
        assert load.count(version) == 0, "traffic reached a version that had not passed its checks"


def test_quota_is_named(stack):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "4"}}}
    assert stack.kube("POST", "/api/v1/namespaces/production/resourcequotas", quota).status == 201
    try:
        done = stack.wait(stack.deploy("v2.1.0"), "failed")
        assert done["failure"]["code"] == "quota"
        assert "quota" in done["failure"]["detail"]
    finally:
        stack.kube("DELETE", "/api/v1/namespaces/production/resourcequotas/few")


def test_unschedulable_is_named(stack):
    manifests = stack.api("GET", "/apps/inopnc/environments/production/manifests")
    text = manifests.raw.decode().replace("      containers:", "      nodeSelector: {disk: none}\n      containers:")
    stack.release("v2.2.0", manifests=text)
    done = stack.create("v2.2.0")
    assert done.status == 202, done
    done = stack.wait(done["id"], "failed", seconds=60)
    assert done["failure"]["code"] in ("unschedulable", "deadline"), done["failure"]
    assert "schedul" in done["failure"]["detail"] or "available" in done["failure"]["detail"]


def test_after_failures_a_good_version_still_goes_out(stack):
    stack.wait(stack.deploy("v3.0.0"), "succeeded")
    assert stack.status()["active"]["version"] == "v3.0.0"
    assert len([d for d in stack.api("GET", "/deployments?state=failed")["items"]]) >= len(CASES)
