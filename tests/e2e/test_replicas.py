"""Any number of servers on one database: work goes on when one dies or freezes, and none of it is done twice."""

import os
import signal
import time

import pytest

from tests.support.stack import Stack, ended, ports_of, until


@pytest.fixture(scope="module")
def stack():
    with Stack(replicas=2) as stack:
        stack.inopnc(checks={"health": [{"name": "health", "path": "/api/health"}], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


def holder(stack):
    """The process that holds the lease: the one whose session holds the advisory lock of the holder's number."""
    port = stack.sql("SELECT a.client_port FROM environment_lease l JOIN pg_locks k ON k.locktype = 'advisory' AND "
                     "k.objid = l.holder::oid AND k.classid = 1397510483 JOIN pg_stat_activity a ON a.pid = k.pid LIMIT 1")
    if not port:
        return None
    return next((pid for pid in stack.pids if int(port) in ports_of(pid)), None)


def slow_deployment(stack, version):
    """One that waits for its pods, and the server that carries it."""
    stack.image(version, ready_after_ms=4000)
    id = stack.deploy(version)
    stack.wait_step(id, "await-available", ("running", "waiting"))
    return id, until(lambda: holder(stack), what="somebody holds the lease")


def taken_over(stack, epoch, seconds):
    """How long until another holder has the lease."""
    began = time.monotonic()
    until(lambda: int(stack.sql("SELECT max(epoch) FROM environment_lease")) > epoch, seconds + 5,
          what="another server goes on")
    return time.monotonic() - began


def other_replica(stack, pid):
    return 1 - stack.pids.index(pid)


def one_switch(stack, id, replica):
    answer = stack.api("GET", f"/deployments/{id}/records?limit=200", replica=replica)
    return [r["action"] for r in answer["items"]].count("traffic.switched") == 1


def test_kill_9_costs_at_most_two_seconds(stack):
    id, pid = slow_deployment(stack, "v1.1.0")
    epoch = int(stack.sql("SELECT max(epoch) FROM environment_lease"))
    os.kill(pid, signal.SIGKILL)
    assert taken_over(stack, epoch, 2) < 2.5
    done = stack.wait(id, "succeeded", replica=other_replica(stack, pid))
    assert one_switch(stack, id, other_replica(stack, pid))
    assert stack.selector() == done["to"]["color"]
    stack.up()


def test_a_frozen_server_costs_at_most_twelve_and_does_no_harm_when_it_wakes(stack):
    id, pid = slow_deployment(stack, "v1.2.0")
    other = other_replica(stack, pid)
    epoch = int(stack.sql("SELECT max(epoch) FROM environment_lease"))
    os.kill(pid, signal.SIGSTOP)
    try:
        assert taken_over(stack, epoch, 12) < 12.5
        done = stack.wait(id, "succeeded", replica=other)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: stack.deployment(id, 1 - other)["state"] == "succeeded", what="the woken server answers")
    assert one_switch(stack, id, other) and stack.selector() == done["to"]["color"]
    # the woken one carries work again
    stack.wait(stack.deploy("v1.2.1", replica=1 - other), "succeeded")


def test_a_server_that_ends_hands_over_at_once(stack):
    id, pid = slow_deployment(stack, "v1.3.0")
    epoch = int(stack.sql("SELECT max(epoch) FROM environment_lease"))
    os.kill(pid, signal.SIGTERM)
    assert taken_over(stack, epoch, 2) < 2.5
    until(lambda: ended(pid), what="the server has ended")
    stack.wait(id, "succeeded", replica=other_replica(stack, pid))
    stack.up()


def test_an_abort_by_another_server_is_confirmed_while_the_holder_is_frozen(stack):
    id, pid = slow_deployment(stack, "v1.4.0")
    other = other_replica(stack, pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = stack.api("POST", f"/deployments/{id}/abort", {"reason": "frozen"}, replica=other)
        assert answer.status == 200, answer
        assert time.monotonic() - began < 1.5
        stack.wait(id, "aborted", replica=other)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: (stack.status()["active"] or {}).get("version") == "v1.3.0", what="the old version serves")
