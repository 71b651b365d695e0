"""kill -9 before and after every commit and every write of a deployment: one switch, and the record equals the cluster.

The server is a build with crash points (build/dev): SLUICE_CRASH_POINT=NAME:N ends it at the N-th pass of a point.
"""

import os

import pytest

from tests.support.stack import ROOT, Stack, until

POINTS = ("before-commit", "after-commit", "before-write", "after-write")
DEV = ROOT / "build" / "dev" / "bin"


def ended(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def switches(stack, id):
    return [r for r in stack.chain() if r["subject"] == id and r["action"] == "traffic.switched"]


def crash_through(stack, point, expect, make):
    """Deploys again and again, with the server killed at the 1st, 2nd, … pass of the point, until a run survives."""
    for n in range(1, 60):
        before = stack.status()["active"]
        stack.stop_servers()
        stack.up(SLUICE_CRASH_POINT=f"{point}:{n}")
        id, load_ok = make(stack, n)
        died = until(lambda: ended(stack.pids[0]) or stack.deployment(id)["state"] in ("succeeded", "failed") and "no",
                     60, what="killed or done")
        if died != "no":
            stack.up()
        done = stack.wait(id, expect, seconds=60)
        moved = switches(stack, id)
        assert len(moved) == (1 if expect == "succeeded" else len(moved)) and len(moved) <= 1, (point, n, moved)
        want = done["to"] if expect == "succeeded" else before
        assert stack.selector() == want["color"], (point, n)
        kube_switches = stack.traffic()["switches"]
        assert [s["selector"].get("environment") for s in kube_switches][-1:] in ([want["color"]], []), kube_switches
        if died == "no":
            return n - 1
    raise AssertionError("the runs never survive")


@pytest.mark.skipif(not DEV.joinpath("sluiced").exists(), reason="needs the build with crash points: scripts/build dev")
@pytest.mark.parametrize("point", POINTS)
def test_law5_killed_at_every_point_one_switch(point):
    with Stack(bin_dir=DEV) as stack:
        stack.inopnc(checks={"health": [{"name": "health", "path": "/api/health"}], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        passes = crash_through(stack, point, "succeeded", lambda s, n: (s.deploy(f"v1.1.{n}"), True))
        assert passes >= 6, passes
