"""Approvals of changes of flags: what is refused where an environment asks for them, and the way from a request to a change."""

import json
import subprocess
import uuid

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.api.test_cli import expect
from tests.api.test_flag_schedules import due, in_a_month
from tests.api.test_flag_schedules import ended as schedule_ended
from tests.api.test_flags import STAR, document, flag, make, put, segment, state
from tests.support.stack import together, until

BETA = {"constraints": [{"context_name": "userId", "operator": "IN", "values": ["7"]}]}
VARIANTS = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]


@pytest.fixture(scope="module")
def who(stack):
    """Their tokens: people but for ci."""
    people = {name: stack.mint(name, ("releaser",), kind="user") for name in ("ann", "bob", "cat", "dan")}
    return {**people, "ci": stack.mint("pipeline", ("releaser",), kind="ci"), "viewer": stack.mint("v", ("viewer",), kind="user")}


def asks(stack, app, count=1, env="production"):
    gates = {"flag_approvals": {"count": count}} if count else {}
    answer = stack.api("PUT", f"/apps/{app}/environments/{env}/gates", gates, headers=STAR)
    assert answer.status in (200, 201), answer


@pytest.fixture
def asking(stack, environment):
    """An app with the flags checkout (on, for the segment beta, with a default variant) and banner (off); production asks for one approval."""
    assert stack.api("PUT", segment(environment), BETA).status == 201
    make(stack, environment, variants=VARIANTS)
    make(stack, environment, "banner")
    put(stack, environment, strategies=[{"name": "default", "segments": ["beta"]}], default_variant="a")
    put(stack, environment, "banner", enabled=False)
    asks(stack, environment)
    return environment


def requests(app, id=None, verb=None, env="production"):
    return f"/apps/{app}/environments/{env}/flag-requests" + (f"/{id}" if id else "") + (f"/{verb}" if verb else "")


def ask(stack, app, token, *changes, **more):
    body = {"changes": [{"flag": name, "set": set} for name, set in changes or [("banner", {"enabled": True})]], "reason": "Launch", **more}
    answer = stack.api("POST", requests(app), body, token=token)
    assert answer.status == 201, answer
    return answer


def decide(stack, app, id, verb, token, **body):
    return stack.api("POST", requests(app, id, verb), body, token=token)


def get(stack, app, id):
    answer = stack.api("GET", requests(app, id))
    assert answer.status == 200, answer
    return answer


def actions(stack, app):
    return [record["action"] for record in stack.chain(f"{app}/production")]


# ---- the way ----

def test_request_approve_apply(stack, asking, who):
    made = ask(stack, asking, who["ann"], ("banner", {"enabled": True}), ("checkout", {"default_variant": None, "strategies": []}))
    id = made["id"]
    assert made.headers["Location"] == "/api/v1" + requests(asking, id) and made.json == get(stack, asking, id).json
    assert (made["state"], made["flags"], made["needed"], made["approvals"], made["stale"]) == ("pending", ["banner", "checkout"], 1, [], [])
    before = {"enabled": True, "killed": False, "strategies": [{"name": "default", "segments": ["beta"]}], "default_variant": "a",
              "requires_release": None}
    assert made["changes"][1] == {"flag": "checkout", "set": {"default_variant": None, "strategies": []}, "before": before,
                                  "after": {**before, "strategies": [], "default_variant": None}}
    assert stack.api("GET", state(asking, "banner"))["enabled"] is False
    refused(decide(stack, asking, id, "apply", who["ann"]), 409, "wrong-state")
    approved = decide(stack, asking, id, "approve", who["bob"], note="looked at it")
    assert approved.status == 200 and approved["state"] == "approved", approved
    assert [(one["by"]["subject"], one["note"]) for one in approved["approvals"]] == [("bob", "looked at it")]
    applied = decide(stack, asking, id, "apply", who["ann"])
    assert applied.status == 200 and (applied["state"], applied["ended_by"]["subject"]) == ("applied", "ann"), applied
    for name in ("banner", "checkout"):
        now = stack.api("GET", state(asking, name))
        assert (now["enabled"], now["strategies"], now["default_variant"], now["revision"]) == (True, [], None, applied["revision"])
        change = stack.api("GET", state(asking, name) + "/history")["items"][0]
        assert (change["source"], change["by"]["subject"]) == ("request", "ann") and id in change["reason"] and "Launch" in change["reason"]
    assert actions(stack, asking)[-5:] == ["flag.requested", "flag.request.approved", "flag.configured", "flag.configured", "flag.request.applied"]
    asked, gave = stack.chain(f"{asking}/production")[-5:-3]
    assert (asked["actor"]["subject"], asked["subject"], asked["data"]["reason"]) == ("ann", id, "Launch")
    assert asked["data"]["spec"][0]["after"]["enabled"] is True
    assert (gave["actor"]["subject"], gave["data"]["note"]) == ("bob", "looked at it") and "ann" in gave["message"]


def test_as_many_people_as_asked_for_now(stack, asking, who):
    asks(stack, asking, 2)
    id = ask(stack, asking, who["ci"])["id"]
    assert decide(stack, asking, id, "approve", who["ann"])["state"] == "pending"
    again = decide(stack, asking, id, "approve", who["ann"])
    assert again.status == 200 and again["state"] == "pending" and len(again["approvals"]) == 1
    assert actions(stack, asking).count("flag.request.approved") == 1, "one person counts once"
    assert "1 of the 2" in refused(decide(stack, asking, id, "apply", who["ci"]), 409, "wrong-state")["detail"]
    assert decide(stack, asking, id, "approve", who["bob"])["state"] == "approved"
    asks(stack, asking, 3)
    assert get(stack, asking, id)["state"] == "pending", "the gates count from their commit on"
    asks(stack, asking, 2)
    assert decide(stack, asking, id, "apply", who["ci"])["state"] == "applied"


def test_where_none_is_asked_for_a_request_needs_one(stack, asking, who):
    asks(stack, asking, None)
    id = ask(stack, asking, who["ann"])["id"]
    refused(decide(stack, asking, id, "apply", who["ann"]), 409, "wrong-state")
    assert decide(stack, asking, id, "approve", who["bob"])["state"] == "approved"
    assert decide(stack, asking, id, "apply", who["bob"])["state"] == "applied"


def test_unkill_by_a_request(stack, asking, who):
    assert stack.api("POST", state(asking) + "/kill", {}).status == 200
    refused(stack.api("POST", state(asking) + "/unkill", {}), 409, "approval-required")
    id = ask(stack, asking, who["ann"], ("checkout", {"killed": False}))["id"]
    assert decide(stack, asking, id, "approve", who["bob"]).status == 200
    assert decide(stack, asking, id, "apply", who["bob"]).status == 200
    assert stack.api("GET", state(asking))["killed"] is False


# ---- who may ----

def test_nobody_approves_what_they_asked_for(stack, asking, who):
    id = ask(stack, asking, who["ann"])["id"]
    before = heads(stack)
    refused(decide(stack, asking, id, "approve", who["ann"]), 403, "forbidden")
    refused(decide(stack, asking, id, "approve", stack.mint("ann", ("admin",), kind="user")), 403, "forbidden")
    refused(decide(stack, asking, id, "apply", who["ann"]), 409, "wrong-state")
    assert heads(stack) == before and get(stack, asking, id)["approvals"] == []


@pytest.mark.parametrize("kind", ["ci", "bot", "service"])
def test_only_people_approve_and_reject(stack, asking, who, kind):
    id, token = ask(stack, asking, who["ann"])["id"], stack.mint(kind, ("admin",), kind=kind)
    refused(decide(stack, asking, id, "approve", token), 403, "forbidden")
    refused(decide(stack, asking, id, "reject", token, note="no"), 403, "forbidden")
    assert get(stack, asking, id)["state"] == "pending"


def test_a_key_of_somebody_is_nobody(stack, asking, who):
    key = stack.api("POST", "/keys", {"name": "ann", "kind": "api", "principal": {"kind": "user", "roles": ["releaser"], "apps": [asking]}})
    id = ask(stack, asking, who["ann"])["id"]
    assert key.status == 201, key
    refused(decide(stack, asking, id, "approve", key["key"]), 403, "forbidden")


def test_scopes(stack, asking, who):
    id = ask(stack, asking, who["ann"])["id"]
    stranger = stack.mint("s", ("admin",), ("another",), kind="user")
    for token in (who["viewer"], stranger):
        refused(stack.api("POST", requests(asking), {"changes": [{"flag": "banner", "set": {"enabled": True}}], "reason": "x"}, token=token),
                403, "forbidden")
        for verb, body in (("approve", {}), ("apply", {}), ("cancel", {}), ("reject", {"note": "x"})):
            refused(decide(stack, asking, id, verb, token, **body), 403, "forbidden")
    assert stack.api("GET", requests(asking, id), token=who["viewer"]).status == 200
    refused(stack.api("GET", requests(asking, id), token=stranger), 403, "forbidden")


def test_reject_and_cancel(stack, asking, who):
    no, mine, other = (ask(stack, asking, who["ann"])["id"] for _ in range(3))
    refused(decide(stack, asking, no, "reject", who["bob"]), 400, "invalid-body", "/note")
    done = decide(stack, asking, no, "reject", who["bob"], note="not on a Friday")
    assert (done["state"], done["note"], done["ended_by"]["subject"]) == ("rejected", "not on a Friday", "bob")
    refused(decide(stack, asking, mine, "cancel", who["bob"]), 403, "forbidden")
    assert decide(stack, asking, mine, "cancel", who["ann"])["state"] == "canceled"
    assert decide(stack, asking, other, "cancel", stack.token, note="too old")["state"] == "canceled", "an administrator may"
    assert actions(stack, asking)[-3:] == ["flag.request.rejected", "flag.request.canceled", "flag.request.canceled"]
    for id, now in ((no, "rejected"), (mine, "canceled")):
        for verb, body in (("approve", {}), ("apply", {}), ("cancel", {}), ("reject", {"note": "x"})):
            answer = refused(decide(stack, asking, id, verb, who["cat"], **body), 409, "wrong-state")
            assert (answer["state"], answer["allowed"]) == (now, [])


# ---- bound to what was looked at ----

@pytest.mark.parametrize("change", ["kill", "definition", "segment"])
def test_what_was_changed_since_is_neither_approved_nor_applied(stack, asking, who, change):
    assert stack.api("PUT", segment(asking, "new"), BETA).status == 201
    wanted = ("checkout", {"strategies": [{"name": "default", "segments": ["new"]}]})
    approved, pending = (ask(stack, asking, who["ann"], wanted)["id"] for _ in range(2))
    assert decide(stack, asking, approved, "approve", who["bob"])["state"] == "approved"
    stale = {"kill": lambda: stack.api("POST", state(asking) + "/kill", {}),
             "definition": lambda: stack.api("PUT", flag(asking), {"variants": VARIANTS, "description": "New"}, headers=STAR),
             "segment": lambda: stack.api("PUT", segment(asking, "new"), {"constraints": []}, headers=STAR)}[change]()
    assert stale.status == 200, stale
    named = ["segment new" if change == "segment" else "flag checkout"]
    before = heads(stack)
    for id, verb in ((pending, "approve"), (approved, "apply"), (approved, "approve")):
        answer = refused(decide(stack, asking, id, verb, who["cat"]), 409, "wrong-state")
        assert answer["stale"] == named and named[0] in answer["detail"]
        assert get(stack, asking, id)["stale"] == named
    assert heads(stack) == before
    assert decide(stack, asking, pending, "reject", who["cat"], note="stale").status == 200


def test_a_flag_that_was_made_again_is_another_one(stack, asking, who):
    id = ask(stack, asking, who["ann"])["id"]
    assert decide(stack, asking, id, "approve", who["bob"]).status == 200
    assert stack.api("DELETE", flag(asking, "banner")).status == 204, "it is off there"
    refused(decide(stack, asking, id, "apply", who["bob"]), 409, "wrong-state")
    make(stack, asking, "banner")
    assert refused(decide(stack, asking, id, "apply", who["bob"]), 409, "wrong-state")["stale"] == ["flag banner"]


def test_it_expires(stack, asking, who):
    id = ask(stack, asking, who["ann"])["id"]
    assert decide(stack, asking, id, "approve", who["bob"])["state"] == "approved"
    days = stack.sql(f"SELECT round(extract(epoch FROM expires_at - requested_at) / 86400) FROM flag_request WHERE id = '{id}'")
    assert days == "7"
    stack.sql("ALTER TABLE flag_request DISABLE TRIGGER flag_request_is_immutable;"
              f" UPDATE flag_request SET expires_at = clock_timestamp() WHERE id = '{id}';"
              " ALTER TABLE flag_request ENABLE TRIGGER flag_request_is_immutable")
    for verb in ("approve", "apply", "cancel"):
        assert refused(decide(stack, asking, id, verb, who["bob"]), 409, "wrong-state")["state"] == "expired"
    assert [one["id"] for one in stack.api("GET", requests(asking) + "?state=expired")["items"]] == [id]


def test_what_no_longer_fits_is_named_when_it_is_applied(stack, asking, who):
    """An older release serves by then than the flag requires."""
    stack.release("v2.0.0", asking)
    stack.deployed("v2.0.0", asking)
    id = ask(stack, asking, who["ann"], ("banner", {"enabled": True, "requires_release": "v2.0.0"}))["id"]
    assert decide(stack, asking, id, "approve", who["bob"])["state"] == "approved"
    stack.release("v1.0.0", asking)
    stack.deployed("v1.0.0", asking)
    refused(decide(stack, asking, id, "apply", who["bob"]), 400, "invalid-body", "/changes/0/set/enabled")
    assert get(stack, asking, id)["state"] == "approved" and stack.api("GET", state(asking, "banner"))["enabled"] is False


# ---- no way around ----

STAY = {"cancelFlagSchedule", "killFlag", "requestFlags", "approveFlagRequest", "rejectFlagRequest", "applyFlagRequest", "cancelFlagRequest"}


def test_no_way_around(stack, asking):
    """Every route that changes flags is tried: a new one has to be added here."""
    words = [stack.program("sluiced"), "dump-routes"]
    table = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    changing = {r["operation"] for r in table if r["method"] != "GET" and (r["scope"] or "").startswith("flag:") and r["scope"] != "flag:evaluate"}
    asks(stack, asking, None)
    assert stack.api("PUT", f"/apps/{asking}/environments/staging", environment_body(asking + "-s")).status == 201
    put(stack, asking, "banner", env="staging")
    make(stack, asking, "dead")
    put(stack, asking, "dead")
    assert stack.api("POST", state(asking, "dead") + "/kill", {}).status == 200
    old = stack.api("GET", state(asking))["revision"]
    older = stack.api("GET", flag(asking))["revision"]
    empty = stack.api("PUT", segment(asking), {"constraints": []}, headers=STAR)["revision"]
    assert stack.api("PUT", segment(asking), BETA, headers=STAR).status == 200
    put(stack, asking)
    assert stack.api("PUT", flag(asking), {"variants": VARIANTS, "impression_data": True}, headers=STAR).status == 200
    put(stack, asking, strategies=[{"name": "default", "segments": ["beta"]}])
    asks(stack, asking)
    tries = {
        "putFlag": ("PUT", flag(asking), {"variants": []}),
        "deleteFlag": ("DELETE", flag(asking), None),
        "restoreFlag": ("POST", flag(asking) + "/restore", {"revision": older, "reason": "x"}),
        "putSegment": ("PUT", segment(asking), {"constraints": []}),
        "deleteSegment": ("DELETE", segment(asking), None),
        "restoreSegment": ("POST", segment(asking) + "/restore", {"revision": empty, "reason": "x"}),
        "putFlagState": ("PUT", state(asking), {"enabled": False}),
        "enableFlag": ("POST", state(asking, "banner") + "/enable", {}),
        "disableFlag": ("POST", state(asking) + "/disable", {}),
        "unkillFlag": ("POST", state(asking, "dead") + "/unkill", {}),
        "restoreFlagState": ("POST", state(asking) + "/restore", {"revision": old, "reason": "x"}),
        "scheduleFlag": ("POST", state(asking) + "/schedule", {"at": in_a_month(stack), "change": {"enabled": False}}),
        "promoteFlags": ("POST", f"/apps/{asking}/environments/production/flags:promote", {"from": "staging"}),
        "importFlags": ("POST", f"/apps/{asking}/environments/production/flags:import",
                        {"document": {"features": [{"name": "banner", "enabled": True}]}, "existing": "update"}),
    }
    assert changing == set(tries) | STAY
    served, before = document(stack, asking), heads(stack)
    for operation, (method, path, body) in tries.items():
        answer = stack.api(method, path, body, headers=STAR if method == "PUT" else {})
        if operation == "deleteSegment":
            refused(answer, 409, "in-use")
            continue
        refused(answer, 409, "approval-required")
        assert answer["environment"] == "production" and "approvals" in answer["detail"], answer
    assert document(stack, asking) == served and heads(stack) == before
    assert "/flag-requests" in stack.api("POST", state(asking) + "/disable", {})["detail"]


def test_what_changes_nothing_there_is_free(stack, asking):
    """Another environment, a flag that is off there, a segment that no strategy names there, what nobody is served by."""
    assert stack.api("PUT", f"/apps/{asking}/environments/staging", environment_body(asking + "-s")).status == 201
    put(stack, asking, env="staging")
    assert stack.api("POST", state(asking, env="staging") + "/disable", {}).status == 200
    assert stack.api("PUT", flag(asking, "banner"), {"impression_data": True}, headers=STAR).status == 200
    assert stack.api("PUT", flag(asking), {"variants": VARIANTS, "description": "Hers", "type": "operational"}, headers=STAR).status == 200
    assert stack.api("PUT", segment(asking), {**BETA, "description": "Hers"}, headers=STAR).status == 200
    assert stack.api("PUT", segment(asking, "other"), {"constraints": []}).status == 201
    assert stack.api("PUT", segment(asking, "other"), BETA, headers=STAR).status == 200
    make(stack, asking, "new")
    same = {key: stack.api("GET", state(asking))[key] for key in ("enabled", "strategies", "default_variant")}
    assert stack.api("PUT", state(asking), same, headers=STAR).status == 200, "as it is"
    assert stack.api("POST", state(asking) + "/enable", {}).status == 200
    promoted = stack.api("POST", f"/apps/{asking}/environments/production/flags:promote", {"from": "staging", "dry_run": True})
    assert promoted.status == 200 and promoted["flags"] == ["checkout"]


def test_kill_needs_none(stack, asking):
    killed = stack.api("POST", state(asking) + "/kill", {"reason": "orders are lost"})
    assert killed.status == 200 and killed["killed"] is True, killed


def test_what_was_scheduled_before_fails(stack, asking):
    asks(stack, asking, None)
    made = stack.api("POST", state(asking) + "/schedule", {"at": in_a_month(stack), "change": {"enabled": False}})
    kept = stack.api("POST", state(asking) + "/schedule", {"at": in_a_month(stack), "change": {"enabled": False}})
    assert made.status == kept.status == 201
    asks(stack, asking)
    due(stack, made["id"])
    assert "approval" in schedule_ended(stack, asking, made["id"])["failure"]
    assert stack.api("GET", state(asking))["enabled"] is True
    assert stack.api("DELETE", state(asking) + f"/schedule/{kept['id']}").status == 204


def test_the_database_refuses_it_too(stack, asking, who):
    id = ask(stack, asking, who["ann"])["id"]
    bob = '{"kind": "user", "subject": "bob", "issuer": "sluice"}'
    asked = f"SELECT requested_by FROM flag_request WHERE id = '{id}'"
    change = ("INSERT INTO flag_change (app, revision, kind, name, environment, action, source, by, after)"
              f" VALUES ('{asking}', 999, 'environment', 'banner', 'production', 'flag.enabled', '%s', '{{}}', '{{}}')")
    applied = f"UPDATE flag_request SET ended = 'applied', ended_at = now(), ended_by = '{{}}', revision = 9 WHERE id = '{id}'"
    for sql in (f"INSERT INTO flag_request_approval (request_id, by) VALUES ('{id}', ({asked}))",
                f"INSERT INTO flag_request_approval (request_id, by) VALUES ('{id}', '{bob.replace('user', 'ci')}')",
                f"INSERT INTO flag_request_approval (request_id, by) VALUES ('{id}', '{bob.replace('sluice', 'sluice-key')}')",
                applied, change % "api", change % "request", "DELETE FROM flag_request", "DELETE FROM flag_request_approval",
                f"UPDATE flag_request SET reason = 'x' WHERE id = '{id}'"):
        with pytest.raises(subprocess.CalledProcessError):
            stack.sql(sql)
    stack.sql(f"INSERT INTO flag_request_approval (request_id, by) VALUES ('{id}', '{bob}')")
    assert decide(stack, asking, id, "apply", who["bob"])["state"] == "applied"
    for sql in (f"UPDATE flag_request SET note = 'x' WHERE id = '{id}'", "UPDATE flag_request_approval SET note = 'x'"):
        with pytest.raises(subprocess.CalledProcessError):
            stack.sql(sql)


def test_a_deployment_is_exempt(stack):
    """Its own gates apply, and a rollback never waits for anybody."""
    stack.inopnc()
    place = "/apps/inopnc/environments/production"
    assert stack.api("PUT", "/apps/inopnc/flags/exempt", {}, headers=STAR).status in (200, 201)
    stack.wait(stack.deploy("v72.0.0"), "succeeded")
    stack.release("v72.0.1", flags=[{"flag": "exempt", "at": "before", "set": {"enabled": True}}])
    try:
        asks(stack, "inopnc", 5)
        id = stack.create("v72.0.1")["id"]
        stack.wait(id, "succeeded")
        assert stack.api("GET", f"{place}/flags/exempt")["enabled"] is True
        back = stack.api("POST", f"{place}/rollback", {"reason": "it smells"})
        assert back.status == 200, back
        assert stack.api("GET", f"{place}/flags/exempt")["enabled"] is False
        stack.wait(back["id"], "succeeded")
    finally:
        stack.sql("DELETE FROM environment_gate g USING environment e WHERE e.id = g.environment_id AND e.app = 'inopnc'")


# ---- at once ----

def test_two_approvals_and_applies_at_once(stack, asking, who):
    asks(stack, asking, 2)
    for _ in range(3):
        wanted = not stack.api("GET", state(asking, "banner"))["enabled"]
        id = ask(stack, asking, who["ann"], ("banner", {"enabled": wanted}))["id"]
        answers = together(6, lambda i: decide(stack, asking, id, "approve", who[("bob", "cat")[i % 2]]))
        assert {answer.status for answer in answers} == {200} and len(get(stack, asking, id)["approvals"]) == 2
        answers = together(6, lambda i: decide(stack, asking, id, "apply", who[("ann", "bob", "cat")[i % 3]]))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 5
        assert stack.api("GET", state(asking, "banner"))["enabled"] is wanted
    assert actions(stack, asking).count("flag.request.approved") == 6 and actions(stack, asking).count("flag.request.applied") == 3


def test_apply_and_kill_at_once(stack, asking, who):
    """Whichever comes first: a flag that was killed stays killed."""
    for _ in range(5):
        id = ask(stack, asking, who["ann"], ("checkout", {"strategies": [{"name": "default", "title": str(uuid.uuid4())}]}))["id"]
        assert decide(stack, asking, id, "approve", who["bob"]).status == 200
        calls = [lambda: decide(stack, asking, id, "apply", who["bob"]), lambda: stack.api("POST", state(asking) + "/kill", {})]
        applied, killed = together(2, lambda i: calls[i]())
        assert killed.status == 200 and applied.status in (200, 409)
        assert stack.api("GET", state(asking))["killed"] is True
        back = ask(stack, asking, who["ann"], ("checkout", {"killed": False}))["id"]
        assert decide(stack, asking, back, "approve", who["bob"]).status == 200
        assert decide(stack, asking, back, "apply", who["bob"]).status == 200


def test_the_same_request_again(stack, asking, who):
    body = {"changes": [{"flag": "banner", "set": {"enabled": True}}], "reason": "x"}
    answers = together(4, lambda i: stack.api("POST", requests(asking), body, token=who["ann"], headers={"Idempotency-Key": asking}))
    assert {answer.status for answer in answers} == {201} and len({answer["id"] for answer in answers}) == 1
    assert len(stack.api("GET", requests(asking))["items"]) == 1


# ---- lists, bad input ----

def test_lists(stack, asking, who):
    ids = [ask(stack, asking, who["ann"])["id"] for _ in range(3)]
    assert decide(stack, asking, ids[1], "cancel", who["ann"]).status == 200
    first = stack.api("GET", requests(asking) + "?limit=2")
    rest = stack.api("GET", requests(asking) + "?limit=2&cursor=" + first["next_cursor"])
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1] and rest["next_cursor"] is None
    assert "changes" not in first["items"][0] and first["items"][0]["flags"] == ["banner"]
    assert [one["id"] for one in stack.api("GET", requests(asking) + "?state=canceled")["items"]] == [ids[1]]
    refused(stack.api("GET", requests(asking) + "?state=done"), 400, "invalid-query", "state")
    for path in (requests(asking, env="none"), requests(asking, uuid.uuid4())):
        refused(stack.api("GET", path), 404, "not-found")
    refused(stack.api("GET", requests(asking, "x")), 400, "invalid-path")
    refused(decide(stack, asking, uuid.uuid4(), "approve", who["bob"]), 404, "not-found")


ON = {"flag": "banner", "set": {"enabled": True}}


@pytest.mark.parametrize("body, field", [
    ({"changes": [ON]}, "/reason"),
    ({"changes": [ON], "reason": ""}, "/reason"),
    ({"changes": [ON], "reason": "x" * 1025}, "/reason"),
    ({"reason": "x"}, "/changes"),
    ({"changes": [], "reason": "x"}, "/changes"),
    ({"changes": [ON] * 101, "reason": "x"}, "/changes"),
    ({"changes": [ON, ON], "reason": "x"}, "/changes/1/flag"),
    ({"changes": [{"flag": "none", "set": {"enabled": True}}], "reason": "x"}, "/changes/0/flag"),
    ({"changes": [{"flag": "banner", "set": {}}], "reason": "x"}, "/changes/0/set"),
    ({"changes": [{"flag": "banner", "set": {"enabled": False}}], "reason": "x"}, "/changes/0/set"),
    ({"changes": [{"flag": "banner", "set": {"enabled": None}}], "reason": "x"}, "/changes/0/set"),
    ({"changes": [{"flag": "banner", "set": {"enabled": 1}}], "reason": "x"}, "/changes/0/set/enabled"),
    ({"changes": [{"flag": "banner", "set": {"unknown": 1}}], "reason": "x"}, "/changes/0/set/unknown"),
    ({"changes": [ON, {"flag": "checkout", "set": {"default_variant": "z"}}], "reason": "x"}, "/changes/1/set/default_variant"),
    ({"changes": [{"flag": "banner", "set": {"strategies": [{"name": "default", "segments": ["no"]}]}}], "reason": "x"},
     "/changes/0/set/strategies/0/segments/0"),
    ({"changes": [{"flag": "banner", "set": {"enabled": True, "requires_release": "v1.0.0"}}], "reason": "x"}, "/changes/0/set/enabled"),
], ids=lambda value: json.dumps(value)[:80])
def test_bad_fields_are_named(stack, asking, who, body, field):
    before = heads(stack)
    refused(stack.api("POST", requests(asking), body, token=who["ann"]), 400, "invalid-body", field)
    assert heads(stack) == before and stack.api("GET", requests(asking))["items"] == []


def test_so_many_and_so_much_at_most(stack, asking, who):
    ask(stack, asking, who["ann"])
    stack.sql("INSERT INTO flag_request (id, app, environment, environment_id, changes, bound, reason, requested_by)"
              " SELECT gen_random_uuid(), app, environment, environment_id, changes, bound, reason, requested_by"
              f" FROM flag_request, generate_series(1, 99) WHERE app = '{asking}'")
    refused(stack.api("POST", requests(asking), {"changes": [ON], "reason": "x"}, token=who["ann"]), 400, "invalid-body", "")
    stack.sql(f"UPDATE flag_request SET ended = 'canceled', ended_at = now(), ended_by = '{{}}' WHERE app = '{asking}'")
    asks(stack, asking, None)
    values = {"name": "default", "constraints": [{"context_name": "a", "operator": "IN", "values": ["x" * 1000 for _ in range(240)]}]}
    names = [f"large-{n}" for n in range(5)]
    for name in names:
        make(stack, asking, name)
        put(stack, asking, name, strategies=[values])
    body = {"changes": [{"flag": name, "set": {"enabled": False}} for name in names], "reason": "x"}
    refused(stack.api("POST", requests(asking), body, token=who["ann"]), 400, "invalid-body", "/changes")


# ---- readers and the command line ----

def test_what_was_applied_is_served(stack, asking, who):
    from tests.support.flags import Client
    client = Client(stack, asking)
    until(lambda: client.one("banner", targetingKey="7").json.get("value") is False)
    id = ask(stack, asking, who["ann"])["id"]
    assert decide(stack, asking, id, "approve", who["bob"]).status == 200
    assert decide(stack, asking, id, "apply", who["bob"]).status == 200
    until(lambda: client.one("banner", targetingKey="7").json.get("value") is True)


def test_the_command_line(stack, asking, who):
    def run(verb, *words, token="ann", code=0, **kwargs):
        return expect(stack.cli("flag", verb, asking, "production", *words, token=who[token], **kwargs), code)
    said = run("enable", "banner", code=3)
    assert "approval-required" in said.stderr and "sluice flag request" in said.stderr
    made = json.loads(run("request", "banner", "--rollout", "25", "--reason", "Launch", "--json").stdout)
    assert made["changes"][0]["after"]["enabled"] is True and made["changes"][0]["after"]["strategies"][0]["parameters"]["rollout"] == "25"
    listed = run("requests", "--state", "pending").stdout
    assert made["id"] in listed and "banner" in listed and "ann" in listed
    seen = run("review", made["id"], token="bob").stdout
    assert "+enabled: true" in seen.replace(" ", "").replace("enabled:true", "enabled: true") and f"sluice flag approve {asking} production {made['id']}" in seen
    run("approve", made["id"], code=3)
    said = run("approve", made["id"], "--note", "fine", token="bob").stdout
    assert "is approved: 1 of 1 approvals" in said and "approved by bob: fine" in said and "sluice flag apply" in said
    assert "is applied" in run("apply", made["id"]).stdout
    assert json.loads(run("review", made["id"], "--json").stdout)["state"] == "applied"
    two = json.loads(run("request", "banner", "checkout", "--disable", "--reason", "x", "--json").stdout)
    assert two["flags"] == ["banner", "checkout"]
    run("reject", two["id"], token="bob", code=2)
    assert "is rejected" in run("reject", two["id"], "--note", "no", token="bob").stdout
    mine = json.loads(run("request", "checkout", "--file", "-", "--reason", "x", "--json", input='{"strategies": []}').stdout)
    assert "is canceled" in run("cancel", mine["id"]).stdout
    run("request", "banner", "--reason", "x", code=2)
    run("request", "banner", "--enable", code=2)
