"""A server that stalls past its lease right before a write, and goes on when others have acted: nothing that it sends
takes effect, on the Service and on the workloads.  Writes of deployments, rollbacks, aborts and clean-ups.

The server is a build with test points (server/base/crash.h): SLUICE_CRASH_POINT=stop:before-send:N stops it before the
N-th write, after the lease was checked.  Meanwhile the other server carries on, or a person aborts or rolls back there;
then the stalled one is continued.  SLUICE_STALLS=all tries all of that at every write; otherwise each write gets one.
"""

import itertools
import os
import pathlib
import signal
import threading

import pytest

from tests.support.recover import settle
from tests.support.stack import FINAL, ROOT, Stack, call, ended, until

BUILD = ROOT / os.environ.get("SLUICE_CRASH_BUILD", "build/dev") / "bin"
ALL = os.environ.get("SLUICE_STALLS") == "all"
STALLED, OTHER = 0, 1


@pytest.fixture(scope="module")
def stack():
    if not (BUILD / "sluiced").exists():
        pytest.skip("needs the build with test points: scripts/build dev")
    with Stack(replicas=2, bin_dir=BUILD, env={"SLUICE_LEASE_MS": "1000", "SLUICE_LEASE_RENEW_MS": "300",
                                               "SLUICE_SCAN_MS": "400"}) as stack:
        stack.control("PUT", "/behavior", {"speed": 20})
        stack.inopnc(checks={"health": [], "smoke": [], "production": []})
        stack.versions = (f"v1.0.{n}" for n in itertools.count())
        for _ in range(2):
            stack.wait(stack.deploy(next(stack.versions), replica=OTHER), "succeeded", replica=OTHER)
        yield stack


def arm(stack, n, how="stop:"):
    """The first server anew, to stop (or with how="" to die) before its n-th write."""
    pid = stack.pids[STALLED]
    if not ended(pid):
        os.kill(pid, signal.SIGKILL)
        until(lambda: ended(pid), what="the server has ended")
    stack.up(SLUICE_CRASH_POINT=f"{how}before-send:{n}")
    until(lambda: call("GET", stack.urls[STALLED] + "/api/health/ready").status == 200, what="it is ready")


def stopped(stack):
    stat = pathlib.Path(f"/proc/{stack.pids[STALLED]}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def state_of(stack, id):
    return stack.sql(f"SELECT state FROM deployment WHERE id = '{id}'")


def alone(stack):
    """The other server is frozen until stall() lets it go on: whatever is begun now is the first one's."""
    os.kill(stack.pids[OTHER], signal.SIGSTOP)


def objects(stack):
    """What is in the cluster, without what controllers say."""
    found = {}
    for path in ("/api/v1/namespaces/production/services/inopnc-prod",
                 "/apis/apps/v1/namespaces/production/deployments/inopnc-blue",
                 "/apis/apps/v1/namespaces/production/deployments/inopnc-green"):
        got = stack.kube("GET", path).json
        found[path] = (got["spec"], {k: v for k, v in got["metadata"]["annotations"].items() if k.startswith("sluice.dev/")})
    return found


def last_request(stack):
    stack.seen = max([getattr(stack, "seen", 0)] + [r["n"] for r in stack.requests(getattr(stack, "seen", 0))])
    return stack.seen


def late_writes(stack, since, ops):
    """Writes of the stalled server that arrived since: their op is one of before, or unknown by now."""
    return [r for r in stack.requests(since) if r["verb"] in ("PATCH", "PUT", "POST")
            and r["path"].endswith(("/inopnc-prod", "/inopnc-blue", "/inopnc-green")) and isinstance(r.get("body"), dict)
            and r["body"]["metadata"]["annotations"].get("sluice.dev/op") in ops]


def expect_nothing_takes_effect(stack, ops):
    before, since = objects(stack), last_request(stack)
    os.kill(stack.pids[STALLED], signal.SIGCONT)
    late = until(lambda: late_writes(stack, since, ops) or stack.sql(
        f"SELECT kind FROM intent WHERE op = '{ops[-1]}' AND kind NOT IN ('Service', 'Deployment')"), 10,
        what="the stalled write arrives")
    if isinstance(late, str):  # of another document of the manifests
        until(lambda: stack.api("GET", "/me", replica=STALLED).status == 200, what="it answers again")
    else:
        assert {r["code"] for r in late} == {409}, late
    assert objects(stack) == before


def carry_on(stack, id, answer):
    done = settle(stack, id, "succeeded", OTHER)
    assert stack.selector() == done["to"]["color"]


def asked(stack, path):
    """The answer of the other server.  A stalled one may hold a lock of the database until that ends its transaction
    (SLUICE_DB_IDLE_IN_TX_MS): so long the answer is 503, and the caller asks again."""
    got = until(lambda: (got := stack.api("POST", path, {"reason": "stalled"}, replica=OTHER)).status != 503 and got,
                what="the database lets go of the stalled server's locks")
    assert got.status == 200, got
    return got


def abort(stack, id, answer):
    asked(stack, f"/deployments/{id}/abort")
    done = settle(stack, id, "aborted", OTHER)
    assert stack.selector() == done["from"]["color"]


def roll_back(stack, id, answer):
    got = asked(stack, "/apps/inopnc/environments/production/rollback")
    done = settle(stack, got["id"], "succeeded", OTHER)
    was = stack.deployment(id, replica=OTHER)
    assert stack.selector() == done["to"]["color"] == was["from"]["color"]
    assert was["rolled_back_by"] == done["id"] and was["state"] in ("rolled_back", "succeeded")


def stall(stack, n, begin, then, over=lambda stack, id: state_of(stack, id) in FINAL):
    """Whether there was an n-th write to stall before."""
    arm(stack, n)
    try:
        id = begin()
        how = until(lambda: stopped(stack) and "stopped" or over(stack, id) and "final", 60, what="stopped, or final")
    finally:
        os.kill(stack.pids[OTHER], signal.SIGCONT)
    if how == "final":
        return False
    try:
        ops = stack.sql("SELECT op FROM intent ORDER BY number").split()
        then(stack, id, None)
        expect_nothing_takes_effect(stack, ops)
    finally:
        os.kill(stack.pids[STALLED], signal.SIGCONT)
    switched = stack.sql(f"SELECT count(*) FROM record WHERE deployment_id = '{id}' AND action = 'traffic.switched'")
    assert int(switched) <= 1
    return True


def every_write(stack, begin, thens, most=40, **how):
    """Stalls before each write; how many there were."""
    for n in range(1, most):
        for then in thens if ALL else [thens[n % len(thens)]]:
            if not stall(stack, n, begin, then, **how):
                return n - 1
    return most - 1


def test_law5_a_server_that_stalls_before_any_write_of_a_deployment_does_nothing_late(stack):
    def begin():
        alone(stack)
        return stack.deploy(next(stack.versions), replica=STALLED)
    stalls = every_write(stack, begin, (carry_on, abort, roll_back))
    assert stalls >= 6, f"only {stalls} writes in a whole deployment"


def rollback_by_the_stalled(stack, of):
    """Asked there, without waiting for the answer; the id of the rollback."""
    alone(stack)
    threading.Thread(target=stack.api, args=("POST", "/apps/inopnc/environments/production/rollback", {"reason": "a test"}),
                     kwargs={"replica": STALLED, "timeout": 60}, daemon=True).start()
    return until(lambda: stack.sql(f"SELECT id FROM deployment WHERE rollback_of = '{of}'"), what="the rollback has begun")


def test_law5_a_server_that_stalls_before_any_write_of_a_rollback_does_nothing_late(stack):
    def begin():
        done = stack.wait(stack.deploy(next(stack.versions), replica=OTHER), "succeeded", replica=OTHER)
        old = done["from"]["color"]
        path = f"/apis/apps/v1/namespaces/production/deployments/inopnc-{old}"
        stack.kube("PATCH", path, {"spec": {"replicas": 0}}, "application/merge-patch+json")
        until(lambda: stack.workload(old)["status"].get("readyReplicas", 0) == 0, what="the old color has no pods")
        return rollback_by_the_stalled(stack, done["id"])
    stalls = every_write(stack, begin, (carry_on,))
    assert stalls >= 3, f"only {stalls} writes in a whole rollback"


def waiting_for_pods(stack):
    """A deployment that the other server carries, and whose writes before the switch are made."""
    version = next(stack.versions)
    stack.image(version, never_ready=True)
    id = stack.deploy(version, replica=OTHER)
    until(lambda: stack.sql(f"SELECT 1 FROM intent WHERE deployment_id = '{id}' AND purpose = 'restore-strategy' AND "
                            "result = 'done'"), what="it waits for its pods")
    return id


def test_law5_a_server_that_stalls_in_a_rollback_that_preempts_does_nothing_late(stack):
    """Workload, Service, what the pre-empted deployment wrote to and, after the 30 s of law 6, its last scale-down."""
    def begin():
        return rollback_by_the_stalled(stack, waiting_for_pods(stack))
    assert every_write(stack, begin, (carry_on,), most=5) == 4


def abort_by_the_stalled(stack, id):
    alone(stack)
    threading.Thread(target=stack.api, args=("POST", f"/deployments/{id}/abort", {"reason": "a test"}),
                     kwargs={"replica": STALLED, "timeout": 60}, daemon=True).start()
    return id


def undone(stack, id, answer):
    done = settle(stack, id, "aborted", OTHER)
    assert stack.selector() == done["from"]["color"]


def test_law5_a_server_that_stalls_before_any_write_of_an_abort_does_nothing_late(stack):
    def begin():
        return abort_by_the_stalled(stack, waiting_for_pods(stack))
    stalls = every_write(stack, begin, (undone, roll_back))
    assert stalls >= 3, f"only {stalls} writes in a whole abort"


# ---- the clean-up of a previous color ----

def due(stack, n, how="stop:", meanwhile=lambda done: None):
    """A deployment that succeeded, and its clean-up, taken up by the first server, stopped (or dead) before its n-th write."""
    done = stack.wait(stack.deploy(next(stack.versions), replica=OTHER), "succeeded", replica=OTHER)
    arm(stack, n, how)
    alone(stack)
    try:
        stack.sql("UPDATE cleanup SET due_at = clock_timestamp()")
        until(lambda: ended(stack.pids[STALLED]) or stopped(stack) or not stack.sql("SELECT 1 FROM cleanup"), 30,
              what="stopped, dead, or cleaned up")
        meanwhile(done)
    finally:
        os.kill(stack.pids[OTHER], signal.SIGCONT)
    return done


def test_law6_a_server_that_stalls_before_any_write_of_a_cleanup_does_nothing_late(stack):
    for n in range(1, 4):
        done = due(stack, n)
        assert stopped(stack), f"no write {n}"
        try:
            ops = stack.sql("SELECT op FROM intent ORDER BY number").split()
            roll_back(stack, done["id"], None)
            expect_nothing_takes_effect(stack, ops)
        finally:
            os.kill(stack.pids[STALLED], signal.SIGCONT)
        assert stack.workload(done["from"]["color"])["spec"]["replicas"] > 0


def test_law6_a_cleanup_does_not_resume_its_old_intent(stack):
    """It has committed "scale to 0"; what it was to scale down serves by now (model/README.md, 1)."""
    def move_traffic_back(done):
        assert ended(stack.pids[STALLED])
        assert stack.sql("SELECT 1 FROM intent WHERE purpose = 'scale-down' AND result IS NULL")
        stack.kube("PATCH", "/api/v1/namespaces/production/services/inopnc-prod",
                   {"spec": {"selector": {"environment": done["from"]["color"]}}}, "application/merge-patch+json")
    old = due(stack, 3, "", move_traffic_back)["from"]["color"]
    until(lambda: not stack.sql("SELECT 1 FROM cleanup"), 30, what="the other server has ended the clean-up")
    assert stack.workload(old)["spec"]["replicas"] > 0
    assert stack.sql("SELECT result FROM intent WHERE purpose = 'scale-down' ORDER BY number DESC LIMIT 1") == "void"
