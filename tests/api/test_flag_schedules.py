"""Changes of flags that are made at a time: asked for, made once, failed with a reason, canceled."""

import json
import uuid

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.api.test_flags import FLAG, SEGMENT, STAR, flag, make, put, segment, state
from tests.support.stack import together, until

LATER = "2099-01-01T00:00:00Z"


def schedule(app, id=None):
    return state(app) + "/schedule" + (f"/{id}" if id else "")


def soon(stack, seconds=0.4):
    return stack.sql(f"SELECT to_char((clock_timestamp() + interval '{seconds} s') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")


def in_a_month(stack):
    return soon(stack, 30 * 86400)


def ask(stack, app, change, at=None, **more):
    answer = stack.api("POST", schedule(app), {"at": at or in_a_month(stack), "change": change, **more})
    assert answer.status == 201, answer
    return answer


def due(stack, id):
    """As if its time had come: nobody waits for a month."""
    stack.sql("ALTER TABLE flag_schedule DISABLE TRIGGER flag_schedule_is_immutable;"
              f" UPDATE flag_schedule SET at = clock_timestamp() WHERE id = '{id}';"
              " ALTER TABLE flag_schedule ENABLE TRIGGER flag_schedule_is_immutable")


def ended(stack, app, id):
    return until(lambda: (lambda answer: answer if answer["state"] != "pending" else None)(stack.api("GET", schedule(app, id))))


def test_it_is_made_when_its_time_has_come(stack, environment):
    make(stack, environment)
    person = stack.mint("ann", ("releaser",), (environment,), kind="user")
    at = soon(stack)
    answer = stack.api("POST", schedule(environment), {"at": at, "change": {"enabled": True}, "reason": "Launch"}, token=person)
    assert answer.status == 201 and answer["state"] == "pending" and answer["at"] == at, answer
    assert answer.headers["Location"] == "/api/v1" + schedule(environment, answer["id"])
    assert stack.api("GET", state(environment))["enabled"] is False
    made = ended(stack, environment, answer["id"])
    assert (made["state"], made["failure"], made["change"], made["created_by"]["subject"]) == ("applied", None, {"enabled": True}, "ann")
    assert made["ended_at"] >= at
    now = stack.api("GET", state(environment))
    assert now["enabled"] is True and now["revision"] == made["revision"]
    change = stack.api("GET", state(environment) + "/history")["items"][0]
    assert (change["source"], change["reason"], change["by"]["subject"], change["revision"]) == ("schedule", "Launch", "ann", made["revision"])
    asked, done = stack.chain(f"{environment}/production")[-2:]
    assert (asked["action"], done["action"]) == ("flag.scheduled", "flag.configured")
    assert done["actor"]["subject"] == "ann" and done["from"] == "schedule" and "scheduled" in done["message"]


def test_what_the_change_leaves_out_stays_as_it_is_then(stack, environment):
    stack.api("PUT", flag(environment), FLAG)
    id = ask(stack, environment, {"strategies": [{"name": "default", "title": "All"}], "default_variant": "red"})["id"]
    put(stack, environment, enabled=True)
    assert stack.api("POST", state(environment) + "/kill", {}).status == 200
    due(stack, id)
    assert ended(stack, environment, id)["state"] == "applied"
    now = stack.api("GET", state(environment))
    assert (now["enabled"], now["killed"], now["default_variant"]) == (True, True, "red"), "and the kill switch stays"
    assert now["strategies"] == [{"name": "default", "title": "All"}]


def test_many_are_made_once_each_in_the_order_of_their_times(stack, environment):
    make(stack, environment)
    ids = [ask(stack, environment, {"strategies": [{"name": "default", "title": str(n)}]})["id"] for n in range(10)]
    stack.sql("ALTER TABLE flag_schedule DISABLE TRIGGER flag_schedule_is_immutable;"
              + "".join(f"UPDATE flag_schedule SET at = clock_timestamp() - interval '{n} s' WHERE id = '{id}';" for n, id in enumerate(ids))
              + "ALTER TABLE flag_schedule ENABLE TRIGGER flag_schedule_is_immutable")
    revisions = [ended(stack, environment, id)["revision"] for id in ids]
    assert revisions == sorted(revisions, reverse=True) and len(set(revisions)) == 10
    assert stack.api("GET", state(environment))["strategies"][0]["title"] == "0"
    changes = [one for one in stack.api("GET", state(environment) + "/history")["items"] if one["source"] == "schedule"]
    assert len(changes) == 10


def test_if_revision(stack, environment):
    make(stack, environment)
    first = ask(stack, environment, {"enabled": True}, if_revision=0)["id"]
    due(stack, first)
    revision = ended(stack, environment, first)["revision"]
    again = ask(stack, environment, {"enabled": False}, if_revision=revision)["id"]
    late = ask(stack, environment, {"enabled": True}, if_revision=revision)["id"]
    due(stack, again)
    assert ended(stack, environment, again)["state"] == "applied"
    due(stack, late)
    failed = ended(stack, environment, late)
    assert failed["state"] == "failed" and "changed since" in failed["failure"] and str(revision) in failed["failure"]
    assert stack.api("GET", state(environment))["enabled"] is False
    record = stack.chain(f"{environment}/production")[-1]
    assert (record["action"], record["data"]) == ("flag.schedule_failed", {"schedule": late, "failure": failed["failure"]})


def test_what_does_not_apply_any_more_fails_and_says_why(stack, environment):
    stack.api("PUT", segment(environment), SEGMENT)
    make(stack, environment)
    id = ask(stack, environment, {"strategies": [{"name": "default", "segments": ["beta"]}]})["id"]
    assert stack.api("DELETE", segment(environment)).status == 204
    due(stack, id)
    failed = ended(stack, environment, id)
    assert failed["state"] == "failed" and "/strategies/0/segments/0" in failed["failure"] and "beta" in failed["failure"]
    assert stack.api("GET", state(environment))["revision"] == 0


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("what", ["flag", "environment"])
def test_the_flag_or_the_environment_was_deleted(stack, environment, what, again):
    """Also where it was made again under the same name: that one was not meant."""
    make(stack, environment)
    id = ask(stack, environment, {"enabled": True})["id"]
    place = f"/apps/{environment}/environments/production"
    assert stack.api("DELETE", flag(environment) if what == "flag" else place).status == 204
    if again and what == "flag":
        make(stack, environment)
    elif again:
        assert stack.api("PUT", place, environment_body(environment)).status == 201
    due(stack, id)
    until(lambda: stack.sql(f"SELECT state FROM flag_schedule WHERE id = '{id}'") == "failed")
    assert "deleted" in stack.sql(f"SELECT failure FROM flag_schedule WHERE id = '{id}'")
    assert stack.chain(f"{environment}/production")[-1]["action"] == "flag.schedule_failed"
    if again:
        assert stack.api("GET", state(environment))["enabled"] is False


def test_cancel(stack, environment):
    make(stack, environment)
    id = ask(stack, environment, {"enabled": True}, reason="Launch")["id"]
    assert stack.api("DELETE", schedule(environment, id)).status == 204
    got = stack.api("GET", schedule(environment, id))
    assert got["state"] == "canceled" and got["ended_by"]["subject"] and got["revision"] is None
    record = stack.chain(f"{environment}/production")[-1]
    assert (record["action"], record["data"]) == ("flag.schedule_canceled", {"schedule": id})
    answer = refused(stack.api("DELETE", schedule(environment, id)), 409, "wrong-state")
    assert answer["state"] == "canceled"
    due_id = ask(stack, environment, {"enabled": True})["id"]
    due(stack, due_id)
    ended(stack, environment, due_id)
    assert refused(stack.api("DELETE", schedule(environment, due_id)), 409, "wrong-state")["state"] == "applied"
    refused(stack.api("DELETE", schedule(environment, str(uuid.uuid4()))), 404, "not-found")
    refused(stack.api("GET", schedule(environment, str(uuid.uuid4()))), 404, "not-found")


def test_cancel_and_its_time_meet(stack, environment):
    """Either it was canceled and nothing was made, or it was made and the cancel is refused."""
    make(stack, environment)
    for _ in range(5):
        id = ask(stack, environment, {"enabled": True})["id"]
        due(stack, id)
        status = stack.api("DELETE", schedule(environment, id)).status
        end = ended(stack, environment, id)
        assert (status, end["state"]) in ((204, "canceled"), (409, "applied"))


def test_lists(stack, environment):
    make(stack, environment)
    ids = [ask(stack, environment, {"enabled": True})["id"] for _ in range(3)]
    assert stack.api("DELETE", schedule(environment, ids[1])).status == 204
    first = stack.api("GET", schedule(environment) + "?limit=2")
    rest = stack.api("GET", schedule(environment) + "?limit=2&cursor=" + first["next_cursor"])
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1] and rest["next_cursor"] is None
    assert [one["id"] for one in stack.api("GET", schedule(environment) + "?state=canceled")["items"]] == [ids[1]]
    refused(stack.api("GET", schedule(environment) + "?state=done"), 400, "invalid-query", "state")
    refused(stack.api("GET", schedule(environment).replace("checkout", "none")), 404, "not-found")


@pytest.mark.parametrize("body, field", [
    ({"at": LATER, "change": {"enabled": True}}, "/at"),
    ({"at": "2020-01-01T00:00:00Z", "change": {"enabled": True}}, "/at"),
    ({"at": "22:00", "change": {"enabled": True}}, "/at"),
    ({"change": {"enabled": True}}, "/at"),
    ({"at": "month"}, "/change"),
    ({"at": "month", "change": {}}, "/change"),
    ({"at": "month", "change": {"enabled": None}}, "/change"),
    ({"at": "month", "change": {"killed": False}}, "/change/killed"),
    ({"at": "month", "change": {"default_variant": "green"}}, "/change/default_variant"),
    ({"at": "month", "change": {"strategies": [{"name": "default", "segments": ["no"]}]}}, "/change/strategies/0/segments/0"),
    ({"at": "month", "change": {"strategies": [{"name": "nonsense"}]}}, "/change/strategies/0/name"),
    ({"at": "month", "change": {"enabled": True}, "if_revision": -1}, "/if_revision"),
], ids=json.dumps)
def test_bad_fields_are_named(stack, environment, body, field):
    make(stack, environment)
    before = heads(stack)
    if body.get("at") == "month":
        body = {**body, "at": in_a_month(stack)}
    refused(stack.api("POST", schedule(environment), body), 400, "invalid-body", field)
    assert heads(stack) == before and stack.api("GET", schedule(environment))["items"] == []


def test_so_many_wait_at_most(stack, environment):
    make(stack, environment)
    ask(stack, environment, {"enabled": True})
    stack.sql("INSERT INTO flag_schedule (id, app, environment, environment_id, flag, flag_created_at, at, change, created_by)"
              " SELECT gen_random_uuid(), app, environment, environment_id, flag, flag_created_at, at, change, created_by"
              f" FROM flag_schedule, generate_series(1, 99) WHERE app = '{environment}'")
    refused(stack.api("POST", schedule(environment), {"at": in_a_month(stack), "change": {"enabled": True}}), 400, "invalid-body", "/at")


def test_the_same_request_again(stack, environment):
    make(stack, environment)
    body = {"at": in_a_month(stack), "change": {"enabled": True}}
    answers = together(4, lambda i: stack.api("POST", schedule(environment), body, headers={"Idempotency-Key": environment}))
    assert {answer.status for answer in answers} == {201} and len({answer["id"] for answer in answers}) == 1
    assert len(stack.api("GET", schedule(environment))["items"]) == 1


def test_scopes(stack, environment):
    make(stack, environment)
    viewer, stranger = stack.mint("v", ("viewer",), (environment,)), stack.mint("s", ("admin",), ("another",))
    body = {"at": in_a_month(stack), "change": {"enabled": True}}
    id = ask(stack, environment, {"enabled": True})["id"]
    for token in (viewer, stranger):
        refused(stack.api("POST", schedule(environment), body, token=token), 403, "forbidden")
        refused(stack.api("DELETE", schedule(environment, id), token=token), 403, "forbidden")
    assert stack.api("GET", schedule(environment, id), token=viewer).status == 200
    refused(stack.api("GET", schedule(environment, id), token=stranger), 403, "forbidden")


def test_they_stay_on_record(stack, environment):
    make(stack, environment)
    id = ask(stack, environment, {"enabled": True})["id"]
    for sql in ("DELETE FROM flag_schedule", f"UPDATE flag_schedule SET reason = 'x' WHERE id = '{id}'"):
        with pytest.raises(Exception):
            stack.sql(sql)
    assert stack.api("PUT", state(environment), {"enabled": True}, headers=STAR).status == 201
