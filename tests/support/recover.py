"""What tests of going back share: a stack with quick pods, pods that crash, the 30 s of law 6 made to pass, figures."""

import http.client
import itertools
import os
import signal
import time

from tests.support.stack import Stack, until

RUNS = int(os.environ.get("SLUICE_RUNS", "0"))  # of each figure; 0: a test's few
FAULTS = {"healthy": (), "faulty": ({"user_agent": "sluiced", "rate": 0.2, "action": {"status": 500}},)}
# goes on for longer than a test needs, whatever it answers
VALIDATES = [{"name": "front", "path": "/", "consecutive": 100, "failures": 100}]


def strike(stack, dice, freeze_s):
    """Kills a server, and has it begin again, or freezes it for so long at most; says which."""
    pid = dice.choice(stack.pids)
    if dice.random() < 0.5:
        os.kill(pid, signal.SIGKILL)
        stack.up()
        return "killed"
    os.kill(pid, signal.SIGSTOP)
    time.sleep(dice.random() * freeze_s)
    os.kill(pid, signal.SIGCONT)
    return "frozen"


def make_older(stack, id):
    """The 30 s of law 6 pass: what was confirmed is made older, the lease is taken away."""
    stack.sql(f"""BEGIN; UPDATE environment_lease SET epoch = epoch + 1, holder = NULL, until = NULL
        WHERE environment_id = (SELECT environment_id FROM deployment WHERE id = '{id}');
        UPDATE deployment SET confirmed_at = confirmed_at - interval '31 s' WHERE id = '{id}' AND state = 'undoing';
        UPDATE step SET started_at = started_at - interval '31 s'
        WHERE deployment_id = '{id}' AND name = 'undo-apply'; COMMIT""")


def settle(stack, id, state, replica=0):
    """Until it is over, without the 30 s of law 6."""
    for _ in range(40):
        try:
            return stack.wait(id, state, seconds=0.5, replica=replica)
        except AssertionError:
            now = stack.deployment(id, replica)
            if now["state"] == state:  # just now
                return now
            assert now["state"] in ("running", "undoing"), now
            if now["state"] == "undoing" or now["current_step"] == "undo-apply":
                make_older(stack, id)
    return stack.wait(id, state, replica=replica)


class Quick(Stack):
    """Pods are ready after 30 ms; an environment whose deployments end after the switch, or go on validating."""

    def __enter__(self):
        super().__enter__()
        self.control("PUT", "/behavior", {"speed": 10})
        self.versions = (f"v{n}.0.0" for n in itertools.count(1))
        self.validating(False)
        for _ in range(2):
            self.serve()
        return self

    def validating(self, yes, **checks):
        self.inopnc(checks={"health": [], "smoke": [], "production": VALIDATES if yes else [], **checks},
                    deadlines={"validate_s": 3600})

    def serve(self):
        """A new version; the deployment when it succeeded."""
        return self.wait(self.deploy(next(self.versions)), "succeeded")

    def validate(self):
        """A new version; the deployment when it has switched and is validating."""
        id = self.deploy(next(self.versions))
        return self.wait_step(id, "validate-production", ("running", "waiting"))

    # ---- what breaks ----
    def pods(self, color):
        items = self.kube("GET", "/api/v1/namespaces/production/pods")["items"]
        return [pod for pod in items if pod["metadata"]["labels"].get("environment") == color
                and not pod["metadata"].get("deletionTimestamp")]

    def ready(self, color):
        return (self.workload(color) or {"status": {}})["status"].get("readyReplicas", 0)

    def crash(self, deployment, how_many=3):
        color, version = deployment["to"]["color"], deployment["to"]["version"]
        if how_many == 3:
            self.image(version, crash_loop=True)
        else:
            for pod in self.pods(color)[:how_many]:
                self.control("PUT", f"/pods/production/{pod['metadata']['name']}", {"crash_loop": True})
        until(lambda: self.ready(color) == 3 - how_many, what=f"{how_many} of {color} crash")

    def scale(self, color, replicas):
        """By other hands; until it has that many ready pods."""
        answer = self.kube("PATCH", f"/apis/apps/v1/namespaces/production/deployments/inopnc-{color}",
                           {"spec": {"replicas": replicas}}, "application/merge-patch+json")
        assert answer.status == 200, answer
        until(lambda: self.ready(color) == replicas and len(self.pods(color)) == replicas, what=f"{color}: {replicas}")

    # ---- going back ----
    def back(self, verb, id):
        """abort or rollback of the deployment, or `environment`: (answer, how long it took)."""
        path = "/apps/inopnc/environments/production/rollback" if verb == "environment" else f"/deployments/{id}/{verb}"
        began = time.monotonic()
        answer = self.api("POST", path, {"reason": "a test"})
        took = time.monotonic() - began
        assert answer.status == 200, answer
        return answer.json, took

    def settle(self, id, state):
        return settle(self, id, state)

    def served(self):
        """The version that production answers with."""
        service = self.kube("GET", "/api/v1/namespaces/production/services/inopnc-prod")["spec"]
        connection = http.client.HTTPConnection(service["clusterIP"], service["ports"][0]["port"], timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().getheader("X-Version")
        except OSError:
            return None
        finally:
            connection.close()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def expect_quick(what, took):
    """Law 2's promise, and the figures."""
    print(f"{what}: p50 {percentile(took, .5) * 1000:.0f} ms, p99 {percentile(took, .99) * 1000:.0f} ms, "
          f"max {max(took) * 1000:.0f} ms over {len(took)}")
    assert percentile(took, .99) < 1, took
