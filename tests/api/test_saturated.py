"""Law 2: an abort is answered while everything else is saturated: no handler thread, no place in the queue, no database
connection and no request of the caller's rate is left."""

import subprocess
import threading
import time

import pytest

from tests.support.stack import Stack, together, until

THREADS, PLACES, ABORTS = 4, 4, 100


@pytest.fixture(scope="module")
def small():
    with Stack(env={"SLUICE_HANDLER_THREADS": str(THREADS), "SLUICE_QUEUE_MAX": str(PLACES), "SLUICE_DB_STATEMENT_MS": "60000",
                    "SLUICE_RATE_PRINCIPAL": "1,300"}) as stack:
        stack.inopnc(checks={"health": [], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


def held_up(stack):
    return int(stack.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'sluiced'"))


class Saturated:
    """Every list of apps waits for a lock: the threads and their connections first, then the queue's places."""

    def __init__(self, stack):
        self.stack, self.waiting = stack, []

    def __enter__(self):
        self.psql = subprocess.Popen(["psql", "-XAtq", self.stack.env["DATABASE_URL"]], stdin=subprocess.PIPE, text=True)
        self.psql.stdin.write("BEGIN; LOCK TABLE app IN ACCESS EXCLUSIVE MODE;\n")
        self.psql.stdin.flush()
        until(lambda: self.stack.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
                                     "AND relation = 'app'::regclass") == "1")
        self.token = self.stack.mint("crowd", ("viewer",), ("*",))
        self.answers = []
        for _ in range(THREADS + PLACES):
            thread = threading.Thread(target=lambda: self.answers.append(self.list_apps(90)))
            thread.start()
            self.waiting.append(thread)
        until(lambda: held_up(self.stack) == THREADS, what="every thread waits")
        refusal = until(lambda: self.refused(), what="the queue is full")
        assert refusal["code"] == "overloaded"
        return self

    def list_apps(self, timeout):
        return self.stack.api("GET", "/apps", token=self.token, timeout=timeout)

    def refused(self):
        """One more: 503 when there is no place.  A place that was left is taken by it."""
        thread_answers = []
        thread = threading.Thread(target=lambda: thread_answers.append(self.list_apps(90)))
        thread.start()
        thread.join(2)
        if not thread_answers:
            self.waiting.append(thread)
            return None
        return thread_answers[0] if thread_answers[0].status == 503 else None

    def __exit__(self, *_):
        self.psql.stdin.write("ROLLBACK;\n")
        self.psql.stdin.close()
        self.psql.wait(10)
        for thread in self.waiting:
            thread.join(60)


def test_law2_a_hundred_aborts_are_answered(small):
    small.image("v1.1.0", ready_after_ms=600000)
    id = small.deploy("v1.1.0")
    small.wait_step(id, "await-available", ("running", "waiting"))
    serving = small.selector()
    hasty = small.mint("hasty", ("releaser",), ("*",))
    until(lambda: small.api("GET", "/me", token=hasty).status == 429, 60, every=0, what="the caller's rate is used up")
    with Saturated(small) as crowd:
        begun = time.monotonic()
        first = small.api("POST", f"/deployments/{id}/abort", {"reason": "law 2"}, token=hasty)
        took = time.monotonic() - begun
        answers = together(ABORTS, lambda _: small.api("POST", f"/deployments/{id}/abort", token=hasty))
        all_took = time.monotonic() - begun
        assert held_up(small) == THREADS, "they were all still held up"
        assert crowd.refused().status == 503
    assert first.status == 200, first
    for answer in answers:
        assert answer.status == 200 or (answer.status == 409 and answer["state"] == "aborted"), answer
    assert took < 2 and all_took < 10, (took, all_took)
    assert small.selector() == serving and small.wait(id, "aborted")["failure"]["code"] == "aborted"
    held = [a.status for a in crowd.answers]  # those that came too fast for the threads found no place
    assert held.count(200) >= THREADS and set(held) <= {200, 503}, held


def test_law2_rollbacks_are_answered(small):
    hasty = small.mint("hastier", ("releaser",), ("*",))
    until(lambda: small.api("GET", "/me", token=hasty).status == 429, 60, every=0, what="the caller's rate is used up")
    with Saturated(small):
        begun = time.monotonic()
        answers = together(20, lambda _: small.api("POST", "/apps/inopnc/environments/production/rollback",
                                                   {"reason": "law 2"}, token=hasty))
        took = time.monotonic() - begun
        assert held_up(small) == THREADS
    assert {a.status for a in answers} == {200} and took < 5, (answers, took)
    assert len({a["id"] for a in answers}) == 1, "two people at once do not toggle"


def test_who_one_is_needs_no_thread(small):
    with Saturated(small):
        me = small.api("GET", "/me", token=small.mint("curious", ("viewer",), ("*",)))
        assert held_up(small) == THREADS, "they were all still held up"
    assert me.status == 200 and me["subject"] == "curious", me
