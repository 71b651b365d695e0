"""Idempotency-Key: the same request again gets the answer that it got; nothing is made twice, a refusal leaves no trace."""

import json
import threading

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import IMAGE, Stack, together, until

CALLERS = 100


def keyed(key):
    return {"Idempotency-Key": key}


def rows(stack, key):
    return int(stack.sql(f"SELECT count(*) FROM idempotency WHERE key = '{key}'"))


def same(answer, first):
    """Byte for byte, but for what belongs to this request alone; and it says so."""
    assert (answer.status, answer.raw) == (first.status, first.raw)
    for header in ("Location", "ETag", "Content-Type"):
        assert answer.headers[header] == first.headers[header], header
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.headers["X-Request-Id"] != first.headers["X-Request-Id"]


@pytest.fixture(scope="module")
def idle():
    """A stack without workers: what is made stays as it was made."""
    with Stack(env={"SLUICE_WORKER_THREADS": "0"}) as stack:
        stack.inopnc()
        stack.release("v1.0.0")
        yield stack


@pytest.fixture(autouse=True)
def no_deployment_left(request):
    yield
    if "idle" in request.fixturenames:
        idle = request.getfixturevalue("idle")
        idle.sql("UPDATE deployment SET state = 'failed', ended_at = now() WHERE state = 'running'")


def create(stack, key, token=None, **fields):
    body = {"app": "inopnc", "environment": "production", "version": "v1.0.0", **fields}
    return stack.api("POST", "/deployments", body, headers=keyed(key), token=token)


def test_a_hundred_at_once_make_one_deployment_and_get_equal_answers(idle):
    before = int(idle.sql("SELECT count(*) FROM deployment"))
    answers = together(CALLERS, lambda i: create(idle, "hundred"))
    assert {a.status for a in answers} == {202}, answers
    assert len({(a.raw, a.headers["Location"]) for a in answers}) == 1
    assert sum(a.headers["Idempotency-Replayed"] is None for a in answers) == 1
    assert int(idle.sql("SELECT count(*) FROM deployment")) == before + 1
    created = [r for r in idle.chain() if r["action"] == "deployment.created" and r["subject"] == answers[0]["id"]]
    assert len(created) == 1


def test_a_replay_is_the_first_answer_byte_for_byte(stack, app):
    body = {"version": "v1.2.3", "image": f"{IMAGE}:v1.2.3", "notes": "Größe ☂"}
    first = stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(app))
    assert first.status == 201 and first.headers["ETag"] and first.headers["Idempotency-Replayed"] is None
    before = heads(stack)
    assert stack.api("POST", f"/apps/{app}/releases/v1.2.3/yank", {"reason": "changes what a GET answers"}).status == 200
    same(stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(app)), first)
    same(stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(f'"{app}"')), first)
    assert {name: head for name, head in heads(stack).items() if name != app} == \
        {name: head for name, head in before.items() if name != app}
    without = stack.api("POST", f"/apps/{app}/releases", body)
    assert without.status == 200 and without.headers["Idempotency-Replayed"] is None


def test_another_request_with_the_key_is_a_mismatch(stack, app, name):
    body = {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}
    first = stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(app))
    assert first.status == 201
    other = f"{app}-other"
    assert stack.api("PUT", f"/apps/{other}", {}).status == 201
    before = heads(stack)
    for path, changed in ((app, {**body, "notes": "x"}), (other, body), (app, json.dumps(body) + " ")):
        answer = stack.api("POST", f"/apps/{path}/releases", changed,
                           headers={**keyed(app), "Content-Type": "application/json"})
        refused(answer, 422, "idempotency-mismatch")
    assert heads(stack) == before
    same(stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(app)), first)


def test_a_refusal_leaves_no_trace(stack, name):
    body = {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}
    refused(stack.api("POST", f"/apps/{name}/releases", body, headers=keyed(name)), 404, "not-found")
    refused(stack.api("POST", f"/apps/{name}/releases", {**body, "image": "?"}, headers=keyed(name)), 400, "invalid-body")
    assert rows(stack, name) == 0
    assert stack.api("PUT", f"/apps/{name}", {}).status == 201
    first = stack.api("POST", f"/apps/{name}/releases", body, headers=keyed(name))
    assert first.status == 201 and rows(stack, name) == 1
    refused(stack.api("POST", f"/apps/{name}/releases", {**body, "image": IMAGE}, headers=keyed(name + "2")), 409,
            "release-exists")
    assert rows(stack, name + "2") == 0


def test_busy_is_refused_and_tried_again(idle):
    active = create(idle, "busy-1")
    assert active.status == 202
    refused(create(idle, "busy-2"), 409, "environment-busy")
    same(create(idle, "busy-1"), active)
    idle.sql("UPDATE deployment SET state = 'failed', ended_at = now() WHERE state = 'running'")
    same(create(idle, "busy-1"), active)
    assert create(idle, "busy-2").status == 202


def test_two_principals_do_not_share_a_key(stack, app):
    body = {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}
    for subject in ("one", "two"):
        answer = stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(app), token=stack.mint(subject, ("ci",), (app,)))
        assert answer.status == (201 if subject == "one" else 200) and answer.headers["Idempotency-Replayed"] is None
    assert rows(stack, app) == 2
    stranger = stack.mint("one", ("ci",), ("elsewhere",))
    refused(stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(app), token=stranger), 403, "forbidden")


@pytest.mark.parametrize("key", ['a', 'x' * 255, '"' + 'x' * 255 + '"', 'with space', '"with \\" and \\\\"', 'a"b', "a,b;c=d"])
def test_keys_that_are_accepted(stack, app, key):
    body = {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}
    first = stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(key), token=stack.mint(app, ("ci",), (app,)))
    assert first.status == 201
    same(stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(key), token=stack.mint(app, ("ci",), (app,))), first)


@pytest.mark.parametrize("key", ['', '""', 'x' * 256, '"' + 'x' * 256 + '"', '"open', '"', '"a"b"', '"a\\n"', '"a\\"', 'a\tb',
                                 'größe'])
def test_keys_that_are_refused(stack, app, key):
    body = {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}
    refused(stack.api("POST", f"/apps/{app}/releases", body, headers=keyed(key)), 400, "invalid-request", "Idempotency-Key")
    assert stack.api("GET", f"/apps/{app}/releases")["items"] == []


def test_an_answer_is_kept_for_a_day(idle):
    body = {"version": "v9.0.0", "image": f"{IMAGE}:v9.0.0"}
    first = idle.api("POST", "/apps/inopnc/releases", body, headers=keyed("day"))
    assert first.status == 201
    assert idle.sql("SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM idempotency WHERE key = 'day'") == "24"
    idle.sql("UPDATE idempotency SET expires_at = now() + interval '1 minute' WHERE key = 'day'")
    same(idle.api("POST", "/apps/inopnc/releases", body, headers=keyed("day")), first)
    idle.sql("UPDATE idempotency SET expires_at = now() - interval '1 second' WHERE key = 'day'")
    again = idle.api("POST", "/apps/inopnc/releases", body, headers=keyed("day"))
    assert again.status == 200 and again.headers["Idempotency-Replayed"] is None
    same(idle.api("POST", "/apps/inopnc/releases", body, headers=keyed("day")), again)
    idle.sql("UPDATE idempotency SET expires_at = now() - interval '1 second' WHERE key = 'day'")
    other = idle.api("POST", "/apps/inopnc/releases", {**body, "version": "v9.0.1"}, headers=keyed("day"))
    assert other.status == 201, "an expired key may be used for another request"


def test_expired_keys_are_dropped_in_the_background(stack):
    """More than one batch of them."""
    stack.sql("INSERT INTO idempotency (issuer, subject, key, fingerprint, status, body, expires_at) "
              "SELECT 'sluice', 'purged', n::text, 'f', 201, '{}', now() - interval '1 minute' FROM generate_series(1, 1200) n")
    stack.sql("INSERT INTO idempotency (issuer, subject, key, fingerprint, status, body) "
              "VALUES ('sluice', 'purged', 'alive', 'f', 201, '{}')")
    stack.stop_servers()
    stack.up()  # looks at once, then each minute
    until(lambda: stack.sql("SELECT string_agg(key, ',') FROM idempotency WHERE subject = 'purged'") == "alive", 20,
          what="the expired ones are gone")


def test_a_request_waits_for_the_one_that_has_the_key(idle):
    """Five seconds at most; then it is told to come back."""
    import subprocess
    psql = subprocess.Popen(["psql", "-XAtq", idle.env["DATABASE_URL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(text):
        psql.stdin.write(text + "\n\\echo said\n")
        psql.stdin.flush()
        while psql.stdout.readline().strip() != "said":
            pass
    take = ("INSERT INTO idempotency (issuer, subject, key, fingerprint) SELECT issuer, subject, 'held', 'f' FROM idempotency "
            "WHERE key = 'who' LIMIT 1;")
    try:
        assert create(idle, "who").status == 202
        idle.sql("UPDATE deployment SET state = 'failed', ended_at = now() WHERE state = 'running'")
        say("BEGIN; " + take)
        answers = []
        caller = threading.Thread(target=lambda: answers.append(create(idle, "held")))
        caller.start()
        until(lambda: idle.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%idempotency%'")
              == "1", what="it waits")
        caller.join(10)
        answer = refused(answers[0], 409, "idempotency-in-flight")
        assert answer.headers["Retry-After"] == "1"
        caller = threading.Thread(target=lambda: answers.append(create(idle, "held")))
        caller.start()
        until(lambda: idle.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%idempotency%'")
              == "1", what="it waits again")
        say("ROLLBACK;")
        caller.join(10)
        assert answers[1].status == 202 and answers[1].headers["Idempotency-Replayed"] is None
    finally:
        psql.stdin.close()
        psql.wait(10)


def test_other_requests_take_no_notice_of_the_header(stack, app):
    for _ in range(2):
        assert stack.api("PUT", f"/apps/{app}", {"image": IMAGE}, headers=keyed("put")).status == 200
    assert stack.api("PUT", f"/apps/{app}/environments/production", environment_body(app), headers=keyed("put")).status == 201
    assert rows(stack, "put") == 0


# ---- rollback and traffic: answered when confirmed, after the transaction that began them ----

@pytest.fixture(scope="module")
def served():
    """A stack that carries its deployments: v1.0.0 went before v1.1.0."""
    with Stack() as stack:
        stack.inopnc(checks={"health": [], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


def rollback(stack, key, **body):
    return stack.api("POST", "/apps/inopnc/environments/production/rollback", {"reason": "a test", **body}, headers=keyed(key))


def test_a_rollback_is_begun_once_and_answered_alike(served):
    served.wait(served.deploy("v1.1.0"), "succeeded")
    answers = together(20, lambda _: rollback(served, "back"))
    assert {a.status for a in answers} == {200}, answers
    assert len({a.raw for a in answers}) == 1 and len({a.headers["Location"] for a in answers}) == 1
    first = answers[0]
    served.wait(first["id"], "succeeded")
    served.wait(served.deploy("v1.2.0"), "succeeded")
    moved = len(served.traffic()["switches"])
    same(rollback(served, "back"), first)
    assert len(served.traffic()["switches"]) == moved, "an old key moves nothing"
    refused(rollback(served, "back", to="v1.0.0"), 422, "idempotency-mismatch")
    again = rollback(served, "back-again")
    assert again.status == 200 and again["id"] != first["id"] and served.wait(again["id"], "succeeded")
    by_id = served.api("POST", f"/deployments/{again['rollback_of']}/rollback", headers=keyed("back-again"))
    refused(by_id, 422, "idempotency-mismatch")


def test_a_rollback_that_is_not_confirmed_is_waited_for_again(served):
    served.wait(served.deploy("v1.3.0"), "succeeded")
    served.faults({"verb": "PATCH", "path": "/services/inopnc-prod$", "action": {"status": 500}},
                  {"verb": "PUT", "path": "/services/inopnc-prod$", "action": {"status": 500}})
    try:
        late = refused(rollback(served, "late"), 504, "not-confirmed")
    finally:
        served.faults()
    answer = rollback(served, "late")
    assert answer.status == 200 and answer.headers["Location"] == late.headers["Location"]
    assert answer.headers["Idempotency-Replayed"] is None
    same(rollback(served, "late"), answer)
    served.wait(answer["id"], "succeeded")


def test_traffic_is_moved_once(served):
    served.wait(served.deploy("v1.4.0"), "succeeded")
    color = {"blue": "green", "green": "blue"}[served.selector()]

    def move():
        return served.api("POST", "/apps/inopnc/environments/production/traffic", {"color": color, "reason": "a test"},
                          headers=keyed("move"))
    answers = together(8, lambda _: move())
    assert {a.status for a in answers} == {200} and len({a.raw for a in answers}) == 1, answers
    assert served.selector() == color
    same(move(), answers[0])
    refused(served.api("POST", "/apps/inopnc/environments/production/traffic", {"color": color, "reason": "a test"}), 409,
            "wrong-state")
