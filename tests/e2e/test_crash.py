"""kill -9 before and after every commit and every write of a deployment: one switch, and the record equals the cluster.

The server is a build with crash points (server/worker/crash.h): SLUICE_CRASH_POINT=NAME:N ends it at the N-th pass of a
point.  Each test deploys again and again, killed at the 1st, 2nd, 3rd … pass, until a run goes through unharmed, so that
every point of a deployment was one to die at.
"""

import os

import pytest

from tests.support.stack import FINAL, ROOT, Stack, ended, until

BUILD = ROOT / os.environ.get("SLUICE_CRASH_BUILD", "build/dev") / "bin"
POINTS = ("before-commit", "after-commit", "before-write", "after-write")


@pytest.fixture(scope="module", params=POINTS)
def stack(request):
    if not (BUILD / "sluiced").exists():
        pytest.skip("needs the build with crash points: scripts/build dev")
    with Stack(bin_dir=BUILD) as stack:
        stack.point = request.param
        stack.inopnc(checks={"health": [{"name": "health", "path": "/api/health"}], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


def selectors(stack):
    """The colors that traffic was given to, one after the other."""
    colors = []
    for switch in stack.traffic()["switches"]:
        color = switch["selector"]["environment"]
        if colors[-1:] != [color]:
            colors.append(color)
    return colors


def run_once(stack, n, version, final):
    """One deployment, with the server killed at the n-th pass.  Whether it was."""
    before, moved_before = stack.status()["active"], selectors(stack)
    stack.stop_servers()
    stack.up(SLUICE_CRASH_POINT=f"{stack.point}:{n}")
    id = stack.deploy(version)

    def over():
        try:
            return ended(stack.pids[0]) and "killed" or stack.deployment(id)["state"] in FINAL and "final"
        except OSError:
            return None
    how = until(over, 60, what="killed, or final")
    if how == "killed":
        stack.up()
    done = stack.wait(id, final)
    records = [r["action"] for r in stack.chain() if r["subject"] == id]
    forward = 1 if final == "succeeded" else records.count("traffic.switched")
    serving = done["to"]["color"] if final == "succeeded" else before["color"]
    assert records.count("traffic.switched") == forward <= 1, (n, records)
    assert records.count("deployment." + final) == 1 and records[-1] == "deployment." + final
    assert stack.selector() == serving
    moved = selectors(stack)[len(moved_before):]
    assert moved == ([serving] if final == "succeeded" else [done["to"]["color"], serving][:len(moved)]), (n, moved)
    assert stack.sql(f"SELECT count(*) FROM intent WHERE deployment_id = '{id}' AND result IS NULL AND job = "
                     f"(SELECT job FROM deployment WHERE id = '{id}')") == "0"
    until(lambda: (stack.status()["active"] or {}).get("color") == serving, what="the status equals the record")
    return how == "killed"


def until_unharmed(stack, prefix, final):
    for n in range(1, 80):
        if not run_once(stack, n, f"{prefix}.{n}", final):
            return n - 1
    raise AssertionError("no run goes through")


def test_law5_one_switch_wherever_it_is_killed(stack):
    killed = until_unharmed(stack, "v1.1", "succeeded")
    assert killed >= 7, f"only {killed} passes of {stack.point} in a whole deployment"


def test_law5_taken_back_wherever_it_is_killed(stack):
    for n in range(1, 80):
        stack.image(f"v1.2.{n}", crash_loop=True)
    killed = until_unharmed(stack, "v1.2", "failed")
    assert killed >= 7, f"only {killed} passes of {stack.point} in a whole deployment"
