"""Freezes: windows in which deployments are refused, never rollbacks; when they hold is PostgreSQL's clock and zone rules."""

import datetime
import json

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import IMAGE, until

UTC = datetime.timezone.utc
WEEKLY = {"days": ["friday"], "start": "18:00", "duration_s": 3600, "timezone": "Europe/Berlin"}
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def at(**span):
    return (datetime.datetime.now(UTC) + datetime.timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def now_frozen(app=None, environment=None, **fields):
    body = {"app": app, "environment": environment, "reason": "holidays", "starts_at": at(minutes=-1), "ends_at": at(hours=2), **fields}
    return {key: value for key, value in body.items() if value is not None}


def begin(stack, body, **kwargs):
    return stack.api("POST", "/freezes", body, **kwargs)


def begun(stack, body, **kwargs):
    answer = begin(stack, body, **kwargs)
    assert answer.status == 201, answer
    return answer


@pytest.fixture
def released(stack, environment):
    assert stack.api("POST", f"/apps/{environment}/releases", {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}).status == 201
    return environment


@pytest.fixture
def ends(stack):
    """Ids of freezes of every app, which would hold other tests too."""
    ids = []
    yield ids
    for id in ids:
        stack.api("DELETE", f"/freezes/{id}")


def gate(stack, app, env="production"):
    answer = stack.api("GET", f"/apps/{app}/environments/{env}/blockers?version=v1.0.0")
    assert answer.status == 200, answer
    return answer.json


# ---- what they do ----

def test_a_freeze_closes_the_gate_until_it_ends(stack, released):
    body = now_frozen(released, "production", reason="Fêtes de fin d’année")
    made = begun(stack, body)
    assert made.headers["Location"] == f"/api/v1/freezes/{made['id']}"
    expected = {**body, "let_running_finish": False, "active": True, "running": [],
                "next": {"starts_at": body["starts_at"], "ends_at": body["ends_at"]},
                "created_by": stack.api("GET", "/me").json and made["created_by"]}
    assert {key: made[key] for key in expected} == expected and "ended_at" not in made.json and "weekly" not in made.json
    found = gate(stack, released)
    assert found == {"open": False, "opens_at": body["ends_at"], "blockers": [{
        "gate": "freeze", "code": "frozen", "what": made["id"], "who": ["operator"], "opens_at": body["ends_at"],
        "why": f"Frozen by {made['created_by']['subject']}: Fêtes de fin d’année", "link": f"/api/v1/freezes/{made['id']}"}]}
    assert stack.api("DELETE", f"/freezes/{made['id']}").status == 204
    assert gate(stack, released)["open"] is True
    kept = stack.api("GET", f"/freezes/{made['id']}").json
    assert kept["active"] is False and kept["next"] is None and kept["ended_at"] and kept["ended_by"] == made["created_by"]
    records = [r for r in stack.chain(f"{released}/production") if r["action"].startswith("freeze.")]
    assert [(r["action"], r["subject"]) for r in records] == [("freeze.created", made["id"]), ("freeze.ended", made["id"])]
    assert "Fêtes de fin d’année" in records[0]["message"] and f"{released}/production is frozen from" in records[0]["message"]


def test_ending_twice(stack, released):
    id = begun(stack, now_frozen(released))["id"]
    assert stack.api("DELETE", f"/freezes/{id}").status == 204
    before = heads(stack)
    answer = refused(stack.api("DELETE", f"/freezes/{id}"), 409, "wrong-state")
    assert answer["state"] == "ended" and answer["allowed"] == [] and heads(stack) == before


def test_ending_what_is_over(stack, released):
    id = begun(stack, now_frozen(released, ends_at=at(seconds=1)))["id"]
    until(lambda: gate(stack, released)["open"], what="the freeze is over by itself")
    assert "over" in refused(stack.api("DELETE", f"/freezes/{id}"), 409, "wrong-state")["detail"]
    assert stack.api("GET", f"/freezes/{id}").json["next"] is None


def test_of_an_app_and_of_all(stack, released, ends):
    assert stack.api("PUT", f"/apps/{released}/environments/staging", environment_body(released + "-s")).status == 201
    only = begun(stack, now_frozen(released, "staging"))["id"]
    assert gate(stack, released)["open"] is True and gate(stack, released, "staging")["open"] is False
    assert stack.api("DELETE", f"/freezes/{only}").status == 204
    app = begun(stack, now_frozen(released))["id"]
    assert [gate(stack, released, env)["open"] for env in ("production", "staging")] == [False, False]
    assert [r["subject"] for r in stack.chain(released) if r["action"] == "freeze.created"] == [app]
    assert stack.api("DELETE", f"/freezes/{app}").status == 204
    every = begun(stack, now_frozen())
    ends.append(every["id"])
    assert (every["app"], every["environment"]) == (None, None)
    assert [gate(stack, released, env)["open"] for env in ("production", "staging")] == [False, False]
    record = [r for r in stack.chain("system") if r["action"] == "freeze.created"][-1]
    assert record["subject"] == every["id"] and record["message"].startswith("Every app is frozen from ")


def test_freezes_that_meet_open_when_the_last_ends(stack, released):
    middle, end = at(hours=1), at(hours=3)
    begun(stack, now_frozen(released, ends_at=middle))
    begun(stack, now_frozen(released, "production", starts_at=middle, ends_at=end))
    found = gate(stack, released)
    assert found["opens_at"] == end and len(found["blockers"]) == 1


def test_what_somebody_asked_about_opens_on_record(stack, released):
    """The openings and closings themselves are the worker's to record (tests/worker/gates.c); here: that it is told to look."""
    environment_id = stack.sql(f"SELECT id FROM environment WHERE app = '{released}'")
    release_id = stack.sql(f"SELECT id FROM release WHERE app = '{released}'")
    for move in (lambda: begun(stack, now_frozen(released, "production")),
                 lambda: stack.api("DELETE", f"/freezes/{stack.api('GET', f'/freezes?app={released}')['items'][0]['id']}")):
        stack.sql(f"INSERT INTO gate_state VALUES ('{environment_id}', '{release_id}', true, now() + interval '1 year')"
                  " ON CONFLICT (environment_id, release_id) DO UPDATE SET look_at = excluded.look_at")
        move()
        until(lambda: stack.sql(f"SELECT count(*) FROM gate_state WHERE environment_id = '{environment_id}'"
                                " AND look_at > now() + interval '300 days'") == "0", 5)


def test_rollbacks_are_never_frozen(stack):
    stack.inopnc()
    for version in ("v5.0.0", "v5.0.1"):
        stack.wait(stack.deploy(version), "succeeded")
    freeze = begun(stack, now_frozen("inopnc"))["id"]
    try:
        assert stack.api("GET", "/apps/inopnc/environments/production/blockers?version=v5.0.0")["open"] is False
        answer = stack.api("POST", "/apps/inopnc/environments/production/rollback", {"reason": "it is broken"})
        assert answer.status == 200, answer
        stack.wait(answer.headers["Location"].rpartition("/")[2], "succeeded")
        assert stack.status()["active"]["version"] == "v5.0.0"
    finally:
        assert stack.api("DELETE", f"/freezes/{freeze}").status == 204


@pytest.mark.parametrize("lets", [False, True])
def test_it_says_what_it_stops(stack, lets):
    stack.inopnc()
    version = f"v6.0.{int(lets)}"
    stack.image(version, ready_after_ms=60000)
    id = stack.deploy(version)
    freeze = begun(stack, now_frozen("inopnc", let_running_finish=lets))
    try:
        assert freeze["running"] == [{"deployment": id, "app": "inopnc", "environment": "production", "finishes": lets}]
        later = begun(stack, now_frozen("inopnc", starts_at=at(hours=1)))
        assert later["running"] == [] and later["active"] is False
        assert stack.api("DELETE", f"/freezes/{later['id']}").status == 204
    finally:
        assert stack.api("DELETE", f"/freezes/{freeze['id']}").status == 204
        assert stack.api("POST", f"/deployments/{id}/abort").status == 200
        stack.wait(id, "aborted")


# ---- weekly ----

def windows(stack, weekly, start, end):
    """What PostgreSQL makes of it: [(from, to)] in UTC."""
    window = "to_char(lower(w), 'YYYY-MM-DD HH24:MI'), to_char(upper(w), 'YYYY-MM-DD HH24:MI')"
    text = stack.sql("BEGIN; SET LOCAL timezone = 'UTC'; INSERT INTO change_freeze (id, reason, weekly, created_by) VALUES"
                     f" (gen_random_uuid(), 'r', '{json.dumps(weekly)}', '{{}}') RETURNING (SELECT json_agg(json_build_array({window}))"
                     f" FROM unnest(freeze_windows(change_freeze, '{start}', '{end}')) w); ROLLBACK")
    return [tuple(window) for window in json.loads(text)]


@pytest.mark.parametrize("weekly, start, end, expected", [
    # Berlin's clocks go forward on 29 March 2026, back on 25 October: the local start stays, the duration is what elapses
    ({**WEEKLY, "days": ["saturday", "sunday"]}, "2026-03-28", "2026-03-30",
     [("2026-03-28 17:00", "2026-03-28 18:00"), ("2026-03-29 16:00", "2026-03-29 17:00")]),
    ({**WEEKLY, "days": ["saturday", "sunday"]}, "2026-10-24", "2026-10-26",
     [("2026-10-24 16:00", "2026-10-24 17:00"), ("2026-10-25 17:00", "2026-10-25 18:00")]),
    # a start that the clocks leave out comes as much later; one that comes twice is the second
    ({**WEEKLY, "days": ["sunday"], "start": "02:30"}, "2026-03-29", "2026-03-30", [("2026-03-29 01:30", "2026-03-29 02:30")]),
    ({**WEEKLY, "days": ["sunday"], "start": "02:30"}, "2026-10-25", "2026-10-26", [("2026-10-25 01:30", "2026-10-25 02:30")]),
    # over midnight, and over the change of the clocks
    ({**WEEKLY, "days": ["saturday"], "start": "23:00", "duration_s": 6 * 3600}, "2026-03-28", "2026-03-30",
     [("2026-03-28 22:00", "2026-03-29 04:00")]),
    # those that meet are one
    ({**WEEKLY, "days": ["friday", "saturday", "sunday"], "start": "00:00", "duration_s": 86400, "timezone": "UTC"},
     "2026-06-05", "2026-06-08", [("2026-06-05 00:00", "2026-06-08 00:00")]),
    # where the zone's days are another than UTC's
    ({**WEEKLY, "days": ["monday"], "start": "00:30", "timezone": "Pacific/Auckland"}, "2026-06-07", "2026-06-09",
     [("2026-06-07 12:30", "2026-06-07 13:30")]),
])
def test_windows_follow_the_zone(stack, weekly, start, end, expected):
    assert windows(stack, weekly, start, end) == expected


def weekly_now(**fields):
    """Since ten minutes, for an hour, in UTC."""
    start = datetime.datetime.now(UTC) - datetime.timedelta(minutes=10)
    return {"days": [DAY_NAMES[start.weekday()]], "start": start.strftime("%H:%M"), "duration_s": 3600, "timezone": "UTC", **fields}


def test_a_weekly_freeze_holds_now_and_names_its_window(stack, released):
    weekly = weekly_now()
    made = begun(stack, {"app": released, "reason": "each week", "weekly": weekly})
    assert made["active"] is True and made["weekly"] == weekly and list(made["weekly"]) == ["days", "start", "duration_s", "timezone"]
    assert "starts_at" not in made.json
    assert gate(stack, released)["opens_at"] == made["next"]["ends_at"]
    starts, ends = (datetime.datetime.fromisoformat(made["next"][key].replace("Z", "+00:00")) for key in ("starts_at", "ends_at"))
    assert ends - starts == datetime.timedelta(hours=1) and starts.strftime("%H:%M") == weekly["start"]
    assert f"each {weekly['days'][0]} at {weekly['start']} (UTC) for 3600 s" in stack.chain(released)[-1]["message"]


def test_a_weekly_freeze_to_come(stack, released):
    ahead = datetime.datetime.now(UTC) + datetime.timedelta(days=6)
    made = begun(stack, {"app": released, "reason": "each week", "weekly": weekly_now(days=[DAY_NAMES[ahead.weekday()]])})
    assert made["active"] is False and made["next"]["starts_at"] > at(days=4)
    assert gate(stack, released)["open"] is True


@pytest.mark.parametrize("days, duration_s, whole", [
    (DAY_NAMES, 86400, True), (DAY_NAMES, 86399, False), (("monday", "thursday"), 4 * 86400, True),
    (("monday", "thursday"), 4 * 86400 - 1, False), (("sunday",), 7 * 86400 - 1, False)])
def test_never_the_whole_week(stack, released, days, duration_s, whole):
    body = {"app": released, "reason": "never again", "weekly": {**WEEKLY, "days": list(days), "duration_s": duration_s}}
    if whole:
        refused(begin(stack, body), 400, "invalid-body", "/weekly")
    else:
        begun(stack, body)


# ---- bad input ----

@pytest.mark.parametrize("changes, field", [
    ({"app": "nobody-s"}, "/app"), ({"environment": "nowhere"}, "/environment"), ({"reason": "no"}, "/reason"),
    ({"starts_at": None}, "/starts_at"), ({"ends_at": None}, "/ends_at"), ({"weekly": WEEKLY}, "/starts_at"),
    ({"starts_at": at(hours=3)}, "/ends_at"), ({"starts_at": at(hours=-2), "ends_at": at(hours=-1)}, "/ends_at"),
    ({"starts_at": "2099-01-01T00:00:00Z", "ends_at": "2100-01-02T00:00:00.001Z"}, "/ends_at"),
    *(({"starts_at": None, "ends_at": None, "weekly": {**WEEKLY, **bad}}, field) for bad, field in (
        ({"days": ["Friday"]}, "/weekly/days/0"), ({"days": ["friday", "friday"]}, "/weekly/days/1"), ({"days": []}, "/weekly/days"),
        ({"start": "24:00"}, "/weekly/start"), ({"start": "1:000"}, "/weekly/start"), ({"start": "12:60"}, "/weekly/start"),
        ({"duration_s": 59}, "/weekly/duration_s"), ({"duration_s": 604800}, "/weekly/duration_s"),
        ({"timezone": "Mars/Olympus"}, "/weekly/timezone"), ({"timezone": "CET"}, "/weekly/timezone"),
        ({"timezone": "EST"}, "/weekly/timezone"), ({"timezone": "posix/Europe/Berlin"}, "/weekly/timezone"),
        ({"timezone": "<+03>-3"}, "/weekly/timezone"), ({"timezone": "localtime"}, "/weekly/timezone")))])
def test_bad_fields_are_named(stack, released, changes, field):
    body = {**now_frozen(released), **changes}
    before = heads(stack)
    refused(begin(stack, {key: value for key, value in body.items() if value is not None}), 400, "invalid-body", field)
    assert heads(stack) == before


@pytest.mark.parametrize("start", ["9:00", "", "09:00:00", "noon"])
def test_a_start_that_is_no_time_of_day_says_how_it_is_written(stack, released, start):
    answer = begin(stack, {"app": released, "reason": "each week", "weekly": {**WEEKLY, "start": start}})
    assert refused(answer, 400, "invalid-body", "/weekly/start")["errors"][0]["detail"] == "A local time, HH:MM."


def test_an_end_in_the_past_is_said_to_be_past(stack, released):
    answer = begin(stack, now_frozen(released, starts_at=at(), ends_at=at(hours=-1)))
    assert refused(answer, 400, "invalid-body", "/ends_at")["errors"][0]["detail"] == "It lies in the past."


def test_a_year_is_the_limit(stack, released):
    begun(stack, now_frozen(released, starts_at="2099-01-01T00:00:00Z", ends_at="2100-01-02T00:00:00Z"))


def test_an_environment_belongs_to_an_app(stack):
    refused(begin(stack, {**now_frozen(), "environment": "production"}), 400, "invalid-body", "/app")


# ---- who may ----

def test_a_caller_of_one_app(stack, released, name, ends):
    other = stack.mint("o", ("operator",), (released,), kind="user")
    every = begun(stack, now_frozen())["id"]
    ends.append(every)
    refused(begin(stack, now_frozen(), token=other), 403, "forbidden")
    refused(stack.api("DELETE", f"/freezes/{every}", token=other), 403, "forbidden")
    refused(begin(stack, now_frozen("inopnc"), token=other), 403, "forbidden")
    assert stack.api("GET", f"/freezes/{every}", token=other).status == 200
    mine = begun(stack, now_frozen(released), token=other)["id"]
    stranger = stack.mint("s", ("operator",), (name + "-not",), kind="user")
    for method in ("GET", "DELETE"):
        refused(stack.api(method, f"/freezes/{mine}", token=stranger), 403, "forbidden")
    seen = {freeze["id"] for freeze in stack.api("GET", "/freezes?limit=200", token=stranger)["items"]}
    assert every in seen and mine not in seen
    refused(begin(stack, now_frozen(released), token=stack.mint("r", ("releaser",), kind="user")), 403, "forbidden")
    assert stack.api("DELETE", f"/freezes/{mine}", token=other).status == 204


def test_what_is_not_there(stack):
    for method in ("GET", "DELETE"):
        refused(stack.api(method, "/freezes/0190a000-0000-7000-8000-000000000000"), 404, "not-found")


# ---- lists ----

def test_lists_are_filtered_and_come_in_pages(stack, released):
    ids = [begun(stack, now_frozen(released))["id"], begun(stack, now_frozen(released, "production"))["id"],
           begun(stack, now_frozen(released, starts_at=at(hours=1)))["id"]]
    def listed(query):
        answer = stack.api("GET", f"/freezes?app={released}{query}")
        assert answer.status == 200, answer
        return [freeze["id"] for freeze in answer["items"]]
    assert listed("") == ids[::-1]
    assert listed("&environment=production") == [ids[1]]
    assert listed("&active=true") == [ids[1], ids[0]] and listed("&active=false") == [ids[2]]
    seen, query = [], "&limit=2"
    while query:
        page = stack.api("GET", f"/freezes?app={released}{query}")
        seen += [freeze["id"] for freeze in page["items"]]
        query = page["next_cursor"] and f"&limit=2&cursor={page['next_cursor']}"
    assert seen == ids[::-1]
    for query, field in (("active=yes", "active"), ("app=A", "app"), ("environment=A", "environment")):
        refused(stack.api("GET", f"/freezes?{query}"), 400, "invalid-query", field)


def test_the_same_key_freezes_once(stack, released):
    key, body = {"Idempotency-Key": f"freeze-{released}"}, now_frozen(released)
    first, again = (begin(stack, body, headers=key) for _ in range(2))
    assert first.status == again.status == 201 and first.raw == again.raw and first.headers["Location"] == again.headers["Location"]
    assert len(stack.api("GET", f"/freezes?app={released}")["items"]) == 1
    refused(begin(stack, {**body, "reason": "other"}, headers=key), 422, "idempotency-mismatch")
