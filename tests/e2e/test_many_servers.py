"""Several servers whose clocks are apart carry many deployments at once, while servers are killed and frozen; a cluster that hangs
slows no other; a server that is told to end under load loses nothing.

SLUICE_FAULTS=all (`./scripts/test faults`) takes 200 environments on two to five servers; otherwise 40 on four."""

import collections
import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
import urllib.error
import uuid
from email.utils import parsedate_to_datetime

import pytest

from tests.support.cells import WHICH, register
from tests.support.invariants import Invariants
from tests.support.recover import strike
from tests.support.stack import FINAL, IMAGE, Stack, ended, ports_of, together, until

CLOCKS = (0, 600, 150, 450, 300)  # seconds ahead: ten minutes between the first two
APPS, SERVERS = (200, (2, 3, 4, 5)) if WHICH == "all" else (40, (4,))
FIELDS = {"checks": {"health": [{"name": "health", "path": "/api/health"}], "smoke": [], "production": []},
          "deadlines": {"available_s": 60, "checks_s": 60}}
LOST = (ConnectionError, http.client.HTTPException, urllib.error.URLError, TimeoutError)


@contextlib.contextmanager
def many_servers(n):
    with Stack(replicas=n, env={"STACK_CLOCKS": " ".join(map(str, CLOCKS))}) as stack:
        told = [parsedate_to_datetime(stack.api("GET", "/me", replica=i).headers["Date"]).timestamp() for i in range(n)]
        assert all(abs(at - told[0] - CLOCKS[i]) < 5 for i, at in enumerate(told)), told
        yield stack


def in_threads(names, action, n=8):
    """action(name) for each, n at a time; in their order."""
    names = list(names)
    parts = together(n, lambda i: [action(name) for name in names[i::n]])
    return [parts[i % n][i // n] for i in range(len(names))]


def deploy(stack, app, version, replica=None):
    """Asks servers (any, or that one) until one takes it; a question that is asked again is the same question."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"app": app, "environment": "production", "version": version}

    def taken():
        try:
            asked = random.randrange(stack.replicas) if replica is None else replica
            answer = stack.api("POST", "/deployments", body, replica=asked, headers=key, timeout=15)
        except LOST:
            return None
        assert answer.status in (200, 202, 503), answer
        return answer if answer.status != 503 else None
    return until(taken, 60, 0.1, "a server takes it")["id"]


def ends(stack, ids):
    listed = ", ".join(f"'{id}'" for id in ids)
    return collections.Counter(stack.sql(f"SELECT state FROM deployment WHERE id IN ({listed})").split())


class Log:
    """The writes that the cluster was asked for, by namespace: it forgets all but its latest requests."""

    def __init__(self, stack):
        self.stack, self.seen, self.writes = stack, 0, {}

    def read(self):
        for request in self.stack.requests(self.seen):
            assert request["n"] == self.seen + 1, ("the cluster forgot requests", self.seen, request["n"])
            self.seen = request["n"]
            if request["verb"] != "GET":
                self.writes.setdefault(request["path"].partition("/namespaces/")[2].partition("/")[0], []).append(request)
        return True

    def of(self, namespace, since):
        return [r for r in self.writes.get(namespace, ()) if r["n"] > since]


class Disturber(threading.Thread):
    """Kills or freezes a server now and then, never all of them at a time."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.over, self.done = stack, threading.Event(), collections.Counter()
        self.start()

    def run(self):
        while not self.over.wait(0.5 + random.random()):
            self.done[strike(self.stack, random, 4)] += 1

    def end(self):
        self.over.set()
        self.join()
        self.stack.up()


@pytest.mark.parametrize("servers", SERVERS)
def test_many_deployments_at_once(servers):
    with many_servers(servers) as stack:
        stack.control("PUT", "/behavior", {"speed": 10})
        apps = [f"many{n:03}" for n in range(APPS)]
        log = Log(stack)
        watches = [Invariants(stack, app, namespace=app, requests=lambda since, app=app: log.of(app, since))
                   for app in apps]
        in_threads(apps, lambda app: register(stack, app, **FIELDS))
        for round, disturbed in enumerate((False, True)):
            version = f"v1.0.{round}"
            in_threads(apps, lambda app: stack.release(version, app))
            disturber = Disturber(stack) if disturbed else None
            began = time.monotonic()
            ids = in_threads(apps, lambda app: deploy(stack, app, version), 16)
            until(lambda: log.read() and set(ends(stack, ids)) <= set(FINAL), 240, 0.3, "all have ended")
            took = time.monotonic() - began
            if disturber:
                disturber.end()
            assert ends(stack, ids) == {"succeeded": APPS}, (ends(stack, ids), stack.sql(
                "SELECT app, state, failure->>'code', failure->>'detail' FROM deployment WHERE state <> 'succeeded' LIMIT 5"))
            waited = stack.sql("SELECT round(max(extract(epoch FROM first - started_at))::numeric, 2), round((percentile_cont(0.5) WITHIN "
                               "GROUP (ORDER BY extract(epoch FROM first - started_at)))::numeric, 3) FROM (SELECT d.started_at, min(r.at) "
                               "AS first FROM deployment d JOIN record r ON r.deployment_id = d.id AND r.action = 'step.started' "
                               f"WHERE d.version = '{version}' GROUP BY d.id) x")
            print(f"{servers} servers, {APPS} deployments in {took:.1f} s, {dict(disturber.done) if disturber else 'undisturbed'}; "
                  f"claimed after (longest|median, s) {waited}", flush=True)
        for watch in watches:
            watch.check()
        assert int(stack.sql("SELECT count(*) FROM record WHERE action = 'traffic.switched'")) == 2 * APPS


def wait_for_pods(stack, app, version, replica=None):
    """A deployment that waits until its image is told to become ready."""
    stack.image(version, never_ready=True)
    stack.release(version, app)
    id = deploy(stack, app, version, replica)
    stack.wait_step(id, "await-available", ("running", "waiting"))
    return id


def test_a_cluster_that_hangs_slows_no_other():
    with many_servers(2) as stack:
        stack.control("PUT", "/behavior", {"speed": 10})
        spec = {"kubeconfig_file": "kubeconfig", "context": stack.sql("SELECT spec->>'context' FROM cluster WHERE name = 'local'")}
        for cluster in ("second", "hung"):
            answer = stack.api("PUT", f"/clusters/{cluster}", {"name": cluster, **spec})
            assert answer.status == 201, answer
        apps = {cluster: [f"{cluster}{n}" for n in range(10)] for cluster in ("local", "second", "hung")}
        for cluster, names in apps.items():
            in_threads(names, lambda app: register(stack, app, cluster, **FIELDS))
        hung = in_threads(apps["hung"], lambda app: wait_for_pods(stack, app, "v6.0.0"))
        others = apps["local"] + apps["second"]
        took = []
        for version in ("v1.0.0", "v1.0.1"):
            in_threads(others, lambda app: stack.release(version, app))
            began = time.monotonic()
            ids = in_threads(others, lambda app: deploy(stack, app, version))
            until(lambda: set(ends(stack, ids)) == {"succeeded"}, 60, what="the other clusters' have ended")
            took.append(time.monotonic() - began)
            assert ends(stack, hung) == {"running": len(hung)}
            if len(took) == 1:  # before the second time
                stack.faults({"path": "/namespaces/hung", "action": {"hang": True}})
                stack.image("v6.0.0")  # all of them want to go on
                until(lambda: [r for r in stack.requests() if "/namespaces/hung" in r["path"] and not r["code"] and "watch" not in r["query"]],
                      what="their calls hang")
        print(f"20 deployments on two clusters in {took[0]:.1f} s, while a third hung in {took[1]:.1f} s")
        stack.faults()
        until(lambda: set(ends(stack, hung)) == {"succeeded"}, 60, what="those of the hung one go on")


class Caller(threading.Thread):
    """Makes releases on one server, on connections that are kept, until it takes no more."""

    def __init__(self, stack, number):
        super().__init__(daemon=True)
        self.stack, self.number, self.answered, self.lost = stack, number, [], []
        self.start()

    def run(self):
        address = self.stack.urls[1].partition("//")[2]
        headers = {"Authorization": f"Bearer {self.stack.token}", "Content-Type": "application/json"}
        connection, n = None, 0
        while True:
            n += 1
            version = f"v{self.number}.0.{n}"
            try:
                if not connection:
                    connection = http.client.HTTPConnection(address, timeout=20)
                    connection.connect()
            except OSError:
                return  # nobody listens any more
            try:
                connection.request("POST", "/api/v1/apps/inopnc/releases", json.dumps({"version": version, "image": f"{IMAGE}:{version}"}),
                                   headers)
                answer = connection.getresponse()
                answer.read()
                self.answered.append((version, answer.status))
                if answer.will_close:
                    connection.close()
                    connection = None
            except LOST as why:
                self.lost.append((version, repr(why)))
                return


def test_a_server_that_ends_under_load_loses_no_request_and_hands_over():
    with many_servers(3) as stack:
        stack.inopnc()
        apps = [f"busy{n}" for n in range(12)]
        in_threads(apps, lambda app: register(stack, app, **FIELDS))
        ids = in_threads(apps, lambda app: wait_for_pods(stack, app, "v7.0.0", apps.index(app) % 3))
        callers = [Caller(stack, n) for n in range(1, 7)]
        until(lambda: all(len(c.answered) > 20 for c in callers), what="there is load")
        held = stack.sql("SELECT string_agg(l.environment_id || ' ' || l.epoch, ',') FROM environment_lease l JOIN pg_locks k ON "
                         "k.locktype = 'advisory' AND k.classid = 1397510483 AND k.objid = l.holder::oid JOIN pg_stat_activity a "
                         f"ON a.pid = k.pid WHERE a.client_port IN ({', '.join(map(str, ports_of(stack.pids[1])))})")
        held = [pair.split() for pair in held.split(",") if pair]
        assert held, "it carries nothing"
        os.kill(stack.pids[1], signal.SIGTERM)
        began = time.monotonic()
        given = " OR ".join(f"(environment_id = '{id}' AND epoch > {epoch} AND holder IS NOT NULL)" for id, epoch in held)
        until(lambda: int(stack.sql(f"SELECT count(*) FROM environment_lease WHERE {given}")) == len(held), 10,
              what="others have its leases")
        took = time.monotonic() - began
        until(lambda: ended(stack.pids[1]), 40, what="it has ended")
        for caller in callers:
            caller.join()
        lost, answered = [x for c in callers for x in c.lost], [x for c in callers for x in c.answered]
        print(f"{len(held)} leases handed over in {took:.2f} s; {len(answered)} requests answered, {len(lost)} lost")
        assert not lost and took < 2.5, (lost, took)
        there = set(stack.sql("SELECT version FROM release WHERE app = 'inopnc'").split())
        assert all((version in there) == (status == 201) for version, status in answered)
        assert {status for _, status in answered} <= {201, 503}
        stack.image("v7.0.0")
        until(lambda: set(ends(stack, ids)) == {"succeeded"}, 60, what="the others carry them to their end")
