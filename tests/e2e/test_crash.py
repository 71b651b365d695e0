"""kill -9 at every crash point of every step and write: another replica resumes, and I1 to I9 hold.

The servers are a build with crash points (server/base/crash.h is their registry).  Each scenario runs once unharmed, which
tells the points that it passes (SLUICE_CRASH_LOG); then again and again with the first server to reach a point killed
there, the other one going on, and everything looked at from outside (tests/support/invariants.py).  A point of the registry
that no scenario passes, or a step without the points that every step or write has, fails the suite.

SLUICE_CRASHES=all kills at every point of every step and write of every scenario (`./scripts/test faults`); otherwise at a
sample, in which every point and every scenario is there.
"""

import collections
import concurrent.futures
import http.client
import itertools
import json
import os
import re
import statistics
import subprocess
import threading
import time
import uuid

import pytest

from tests.support.invariants import Invariants
from tests.support.recover import settle
from tests.support.stack import ROOT, Stack, ended, until

BUILD = ROOT / os.environ.get("SLUICE_CRASH_BUILD", "build/dev") / "bin"
ALL = os.environ.get("SLUICE_CRASHES") == "all"
LANES = 3  # stacks at a time: a run waits more than it works
ENVIRONMENT = "/apps/inopnc/environments/production"
POINTS = re.findall(r'POINT\(\w+, "([a-z-]+)"\)', (ROOT / "server/base/crash.h").read_text())
OF_WRITES = ("before-intent", "after-intent", "before-read", "after-read", "before-send", "after-send", "after-effect",
             "after-reply", "before-result", "after-result")
OF_STEPS = ("before-step-end", "after-step-end")
# where there is a write that a server may die around
WRITING = ("apply", "await-available", "switch-traffic", "undo-traffic", "undo-fence", "undo-apply", "seize", "prepare",
           "await-endpoints", "clean-up")
# steps that are not among those of a deployment, and those of a past that was lost (tests/worker/history.c)
UNSEEN = ("undo-prepare", "undo-traffic", "undo-fence", "undo-adopt", "adopt", "clean-up")
MOST_S = 15  # until another server goes on


class Lane(Stack):
    """Two servers that die where the file `crash` says."""

    def __init__(self):
        super().__init__(replicas=2, bin_dir=BUILD)
        self.crash, self.log = self.dir / "crash", self.dir / "passed"
        self.extra.update(SLUICE_CRASH_POINT=f"@{self.crash}", SLUICE_CRASH_LOG=str(self.log))

    def __enter__(self):
        super().__enter__()
        self.control("PUT", "/behavior", {"speed": 20})
        self.inopnc(checks={"health": [{"name": "health", "path": "/api/health"}], "smoke": [],
                            "production": [{"name": "front", "path": "/", "failures": 2}]})
        self.flag()
        self.watch = Invariants(self)
        self.versions = (f"v1.0.{n}" for n in itertools.count())
        self.resumed = []
        for _ in range(2):
            self.wait(self.begin_deploy(next(self.versions)), "succeeded")
        return self

    def any(self, method, path, body=None, token=None, headers=None):
        """Of whichever server answers: as a caller behind a load balancer asks again."""
        def answer():
            for replica in range(self.replicas):
                try:
                    got = self.api(method, path, body, replica, token, headers, timeout=15)
                    if got.status != 503:
                        return got
                except (OSError, http.client.HTTPException, AttributeError):
                    pass  # it died under the request; the last: http.client's own way to say so
            return None
        return until(answer, 20, what=f"{method} {path} is answered")

    def deployment(self, id, replica=0):
        return self.any("GET", f"/deployments/{id}").json

    def flag(self):
        assert self.api("PUT", "/apps/inopnc/flags/banner", {"type": "release", "value_type": "boolean"},
                        headers={"If-Match": "*"}).status in (200, 201)
        assert self.api("PUT", f"{ENVIRONMENT}/flags/banner", {"enabled": False}, headers={"If-Match": "*"}).status in (200, 201)

    def gates(self, spec):
        assert self.any("PUT", ENVIRONMENT + "/gates", spec, headers={"If-Match": "*"}).status in (200, 201)

    def begin_deploy(self, version, flags=None, **fields):
        body = {"version": version, "image": f"ghcr.io/your-org/inopnc-wm:{version}", **({"flags": flags} if flags else {})}
        answer = self.any("POST", "/apps/inopnc/releases", body, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.status in (200, 201), answer
        body, key = {"app": "inopnc", "environment": "production", "version": version, **fields}, str(uuid.uuid4())
        answer = self.any("POST", "/deployments", body, headers={"Idempotency-Key": key})
        assert answer.status == 202, answer
        count = self.sql(f"SELECT count(*) FROM deployment WHERE app = 'inopnc' AND version = '{version}' AND kind = 'deploy'")
        assert count == "1", ("I8", version, count)
        return answer["id"]

    def ask(self, path, **body):
        answer = self.any("POST", path, {"reason": "a test", **body}, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.status == 200, answer
        return answer.json

    def settle(self, id, state):
        done = settle(self, id, state)
        assert self.watch.selector() == (done["to"] if state == "succeeded" else done["from"])["color"]
        return done


# ---- scenarios: what comes before a server may die, and what it may die in ----

def nothing(lane):
    return None


def deploys(lane, _):
    lane.settle(lane.begin_deploy(next(lane.versions)), "succeeded")


def fails(lane, _):
    """In the checks of production: traffic has moved and goes back."""
    version = next(lane.versions)
    lane.image(version, error_rate=1)
    lane.settle(lane.begin_deploy(version), "failed")


def waits_for_pods(lane):
    version = next(lane.versions)
    lane.image(version, never_ready=True)
    id = lane.begin_deploy(version)
    until(lambda: lane.sql(f"SELECT 1 FROM intent WHERE deployment_id = '{id}' AND purpose = 'restore-strategy' AND "
                           "result = 'done'"), what="it waits for its pods")
    return id


def aborts(lane, id):
    lane.ask(f"/deployments/{id}/abort")
    before = lane.deployment(id)["from"]["color"]
    lane.watch.abort_acknowledged(id, before)
    assert lane.watch.selector() == before, "I4"
    lane.settle(id, "aborted")


def without_pods(lane):
    """What a rollback returns to has to be brought back first."""
    done = lane.wait(lane.begin_deploy(next(lane.versions)), "succeeded")
    old = done["from"]["color"]
    lane.kube("PATCH", f"/apis/apps/v1/namespaces/production/deployments/inopnc-{old}", {"spec": {"replicas": 0}},
              "application/merge-patch+json")
    until(lambda: lane.workload(old)["status"].get("readyReplicas", 0) == 0, what="the old color has no pods")


def rolls_back(lane, _):
    lane.settle(lane.ask(ENVIRONMENT + "/rollback")["id"], "succeeded")


def rolled_back(lane):
    lane.wait(lane.begin_deploy(next(lane.versions)), "succeeded")
    rolls_back(lane, None)


def moves_traffic(lane, _):
    other = {"blue": "green", "green": "blue"}[lane.watch.selector()]
    id = lane.ask(ENVIRONMENT + "/traffic", color=other)["id"]
    assert lane.settle(id, "succeeded")["kind"] == "traffic"


def cleans_up(lane, _):
    lane.sql("UPDATE cleanup SET due_at = clock_timestamp()")
    until(lambda: not lane.sql("SELECT 1 FROM cleanup"), 30, what="it is cleaned up")
    other = {"blue": "green", "green": "blue"}[lane.watch.selector()]
    assert lane.workload(other)["spec"]["replicas"] == 0


def deployed(lane):
    lane.wait(lane.begin_deploy(next(lane.versions)), "succeeded")


def opens_and_changes_flags(lane, _):
    """Blocked until somebody approves; flags change before the switch, after it and at the end."""
    approver, version = lane.mint("quinn", ("approver:qa",), kind="user"), next(lane.versions)
    lane.gates({"approvals": [{"role": "qa", "count": 1}]})
    try:
        flags = [{"flag": "banner", "at": at, "set": {"enabled": at == "after-switch"}}
                 for at in ("before", "after-switch", "after-validate")]
        id = lane.begin_deploy(version, flags, params={"wait": True})
        lane.watch.gated += (id,)
        answer = lane.any("POST", f"/apps/inopnc/releases/{version}/signoffs",
                          {"role": "qa", "decision": "approve", "environment": "production"}, token=approver)
        assert answer.status in (200, 201), answer
        until(lambda: lane.deployment(id)["state"] != "blocked", 30, what="its gates opened")
        lane.settle(id, "succeeded")
        assert lane.any("GET", f"{ENVIRONMENT}/flags/banner")["enabled"] is False
        lane.watch.check()
    finally:
        lane.gates({})


SCENARIOS = {
    "deploy": (nothing, deploys), "fail": (nothing, fails), "abort": (waits_for_pods, aborts),
    "rollback": (without_pods, rolls_back), "preempt": (waits_for_pods, rolls_back), "traffic": (rolled_back, moves_traffic),
    "clean-up": (deployed, cleans_up), "gates and flags": (nothing, opens_and_changes_flags),
}


def run(lane, scenario, label=None):
    """One run.  With a label: whether a server died there; how long until another went on is noted."""
    prepare, act = SCENARIOS[scenario]
    context = prepare(lane)
    lane.log.unlink(missing_ok=True)
    if label:
        lane.crash.write_text(label)
        noted = threading.Thread(target=note_death, args=(lane,), daemon=True)
        noted.start()
    try:
        act(lane, context)
    finally:
        armed = lane.crash.exists()
        lane.crash.unlink(missing_ok=True)
        if label:
            noted.join()
    lane.watch.check()
    if label and not armed:
        assert any(ended(pid) for pid in lane.pids), "the file is gone and nobody died"
        lane.up()
    return bool(label) and not armed


def note_death(lane):
    while lane.crash.exists():
        time.sleep(0.002)
    lane.died_at = time.time()


def resumed_after(lane, since):
    """Seconds from a death to the moment that another server took the lease, if it did."""
    taken = lane.sql(f"SELECT extract(epoch FROM min(at)) FROM record WHERE action = 'lease.taken' AND at >= to_timestamp({since})")
    return float(taken) - since if taken else None


@pytest.fixture(scope="module")
def passed():
    """scenario: the labels that one unharmed run of it passes, in their order."""
    if not (BUILD / "sluiced").exists():
        pytest.skip("needs the build with crash points: scripts/build dev")
    found = {}
    with Lane() as lane:
        for scenario in SCENARIOS:
            run(lane, scenario)
            labels = lane.log.read_text().split("\n")[:-1]  # names of other documents hold a color, which varies
            found[scenario] = list(dict.fromkeys(re.sub(r"/apply-(\d+)-.*", r"/apply-\1-*", label) for label in labels))
    return found


def test_every_point_of_every_step_is_passed(passed):
    labels = set(itertools.chain(*passed.values()))
    reached = {label.split(":")[0] for label in labels}
    assert not set(POINTS) - reached, f"points that no run reached: {sorted(set(POINTS) - reached)}"
    assert not reached - set(POINTS)
    steps = {step["name"] for rows in json.loads(subprocess.run([BUILD / "sluiced", "dump-steps"], check=True, text=True,
                                                                capture_output=True).stdout).values() for step in rows}
    ended_steps = {label.split(":")[1] for label in labels if label.startswith("before-step-end:")}
    assert ended_steps == steps - set(UNSEEN), ended_steps ^ (steps - set(UNSEEN))
    writes = {label.split(":")[1] for label in labels if label.startswith("before-send:")}
    assert {write.split("/")[0] for write in writes} == set(WRITING), writes
    missing = [f"{point}:{write}" for point in OF_WRITES for write in sorted(writes) if f"{point}:{write}" not in labels]
    assert not missing, missing


OF_COMMITS = ("commit", "step-end", "result", "intent")
# scenarios whose points of the same name are of the same steps
JOBS = {"rollback": "rollback", "preempt": "rollback", "traffic": "traffic", "clean-up": "clean-up"}


def instants(labels):
    """Labels in their order, of those that one commit passes together only the last."""
    kept = []
    for label in labels:
        when, _, point = label.split(":")[0].partition("-")
        if point == "commit" or point not in OF_COMMITS or not kept or kept[-1][:2] != (when, "of a commit"):
            kept.append((when, "of a commit" if point in OF_COMMITS else "by itself", label))
        else:
            kept[-1] = (when, "of a commit", label)
    return [label for _, _, label in kept]


def chosen(passed):
    """What to kill at: every instant of every job, or a few so that every point is there, at other steps for other points."""
    picked, by_point = {}, collections.defaultdict(list)
    for scenario, labels in passed.items():
        for label in labels:
            by_point[label.split(":")[0]].append((scenario, label))
        for label in instants(labels) if ALL else ():
            picked.setdefault((JOBS.get(scenario, "deploy"), label), (scenario, label))
    for n, point in enumerate(POINTS):
        scenario, label = by_point[point][(7 * n) % len(by_point[point])]
        picked.setdefault((JOBS.get(scenario, "deploy"), label), (scenario, label))
    for n, scenario in enumerate(passed):
        if scenario not in [s for s, _ in picked.values()]:
            picked[scenario, passed[scenario][n]] = (scenario, passed[scenario][n])
    return list(picked.values())


def test_law5_whoever_dies_anywhere_another_goes_on(passed):
    queue, lock = chosen(passed), threading.Lock()
    queue.reverse()
    died, missed, wrong, resumed, began = [], [], [], [], time.monotonic()

    def work():
        with Lane() as lane:
            while True:
                with lock:
                    if not queue or wrong:
                        return
                    scenario, label = queue.pop()
                lane.died_at = None
                try:
                    there = run(lane, scenario, label)
                except Exception as error:  # the first one that goes wrong ends the test, with its place
                    wrong.append(f"{scenario}, killed at {label}: {error!r}")
                    return
                (died if there else missed).append((scenario, label))
                print(f"{scenario}: {'died' if there else 'not reached'} {label}", flush=True)
                took = resumed_after(lane, lane.died_at) if lane.died_at else None
                if took is not None:
                    resumed.append(took)

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        for lane in [pool.submit(work) for _ in range(LANES)]:
            lane.result()
    print(f"{len(died)} deaths at {len(set(label for _, label in died))} places in {time.monotonic() - began:.0f} s, "
          f"{len(missed)} not reached; resumed after {statistics.median(resumed):.2f} s (median), {max(resumed):.2f} s (most) "
          f"of {len(resumed)}")
    assert not wrong, "\n".join(wrong)
    assert len(missed) <= len(died) // 20, missed
    assert {label.split(":")[0] for _, label in died} == set(POINTS)
    assert max(resumed) < MOST_S
