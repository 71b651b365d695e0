"""One freeze over many environments: each closes and opens on its own record, and nobody waits for anybody in a circle."""

import pytest

from tests.api.conftest import environment_body, refused
from tests.api.test_freezes import begun, now_frozen
from tests.support.stack import IMAGE, together, until

MANY = 30
NAMES = [f"env-{i:02}" for i in range(MANY)]


@pytest.fixture
def many(stack, app):
    """An app with thirty environments and a release; every third asks for an approval that nobody gives."""
    for i, env in enumerate(NAMES):
        assert stack.api("PUT", f"/apps/{app}/environments/{env}", environment_body(f"{app}-{i}")).status == 201
        if i % 3 == 0:
            assert stack.api("PUT", f"/apps/{app}/environments/{env}/gates", {"approvals": [{"role": "qa", "count": 1}]}).status == 201
    assert stack.api("POST", f"/apps/{app}/releases", {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}).status == 201
    return app


def versions(stack, app):
    return [int(line) for line in stack.sql(f"SELECT gate_version FROM environment WHERE app = '{app}' ORDER BY name").splitlines()]


def gate_records(stack, app, env):
    return [r["action"] for r in stack.chain(f"{app}/{env}") if r["action"].startswith("gate.")]


def open_now(stack, app, env):
    return stack.api("GET", f"/apps/{app}/environments/{env}/blockers?version=v1.0.0")["open"]


def settled(stack):
    """What freezes of all have closed and opened elsewhere is on record, so that it does not reach into other tests."""
    until(lambda: stack.sql("SELECT count(*) FROM gate_state WHERE look_at <= clock_timestamp()") == "0", 60, what="the gates are looked at")


def deadlocks(stack):
    return stack.sql("SELECT pg_stat_clear_snapshot(); SELECT sum(deadlocks) FROM pg_stat_database")


@pytest.mark.parametrize("of_all", [False, True], ids=["of-an-app", "of-all"])
def test_each_environment_is_closed_and_opened_by_one_call(stack, many, of_all):
    before = versions(stack, many)
    assert [open_now(stack, many, env) for env in NAMES] == [i % 3 != 0 for i in range(MANY)]
    id = begun(stack, now_frozen(None if of_all else many))["id"]
    try:
        assert versions(stack, many) == [version + 1 for version in before]
        assert not any(open_now(stack, many, env) for env in NAMES)
    finally:
        assert stack.api("DELETE", f"/freezes/{id}").status == 204
    assert versions(stack, many) == [version + 2 for version in before]
    assert [open_now(stack, many, env) for env in NAMES] == [i % 3 != 0 for i in range(MANY)]
    settled(stack)


def test_what_somebody_said_something_about_closes_and_opens_once_on_each_record(stack, many):
    """Of environments that ask for an approval nothing is recorded: the gate was closed before, and stays so."""
    evidence = {"item": "tests", "state": "passed", "source": "ci", "summary": "all passed"}
    answer = stack.api("POST", f"/apps/{many}/releases/v1.0.0/evidence", evidence, token=stack.mint())
    assert answer.status == 201 and answer["open"] is False, answer
    assert [gate_records(stack, many, env) for env in NAMES] == [[]] * MANY  # nothing opened: it was open, or is closed
    asks = lambda i: i % 3 == 0  # noqa: E731
    for round in range(1, 3):
        id = begun(stack, now_frozen(many))["id"]
        closed = (["gate.closed", "gate.opened"] * round)[:-1]
        until(lambda: all(asks(i) or gate_records(stack, many, env) == closed for i, env in enumerate(NAMES)), what="each is closed")
        assert stack.api("DELETE", f"/freezes/{id}").status == 204
        until(lambda: all(asks(i) or gate_records(stack, many, env) == [*closed, "gate.opened"] for i, env in enumerate(NAMES)),
              what="each is open")
    assert all(gate_records(stack, many, env) == [] for i, env in enumerate(NAMES) if asks(i))


def test_freezes_and_creates_at_once(stack, many):
    """Freezes lock every environment, creates one each: in one order, so that nothing is retried, and no answer is a fault."""
    before, rounds = deadlocks(stack), 6

    def freezes(i):
        found = []
        for _ in range(rounds):
            made = stack.api("POST", "/freezes", now_frozen(many if i else None))
            found += [made.status, stack.api("DELETE", f"/freezes/{made['id']}").status]
        return found

    def creates(i):
        found = []
        for n in range(rounds * 3):
            body = {"app": many, "environment": NAMES[(i * 7 + n) % MANY], "version": "v1.0.0", "params": {"wait": n % 2 == 0}}
            answer = stack.api("POST", "/deployments", body)
            assert answer.status in (202, 409), answer
            if answer.status == 409:
                refused(answer, 409, answer["code"])
                assert answer["code"] in ("blocked", "environment-busy"), answer
            found.append(answer.status)
        return found

    found = together(6, lambda i: freezes(i) if i < 2 else creates(i))
    assert found[0] == found[1] == [201, 204] * rounds
    assert {202, 409} == {status for one in found[2:] for status in one}
    assert deadlocks(stack) == before
    assert [one for one in stack.api("GET", "/freezes?active=true")["items"] if one["app"] in (None, many)] == []
    for id in stack.sql(f"SELECT id FROM deployment WHERE app = '{many}' AND state = 'blocked'").split():
        assert stack.api("POST", f"/deployments/{id}/cancel").status in (200, 409)  # 409: its gates opened, and it has begun
    until(lambda: stack.sql(f"SELECT count(*) FROM deployment WHERE app = '{many}' AND ended_at IS NULL") == "0", 60,
          what="nothing of it runs on into other tests")
    settled(stack)
