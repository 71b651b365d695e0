"""Break-glass: two people lift the freezes of an environment, for at most an hour, loudly."""

import pytest

from tests.api.conftest import heads, refused
from tests.api.test_freezes import begun, gate, now_frozen, released  # noqa: F401
from tests.support.stack import until

BODY = {"reason": "Login is down, the fix is v1.0.0", "duration_s": 600}


@pytest.fixture(scope="session")
def ann(stack):
    return stack.mint("ann", ("operator",), kind="user")


@pytest.fixture(scope="session")
def bob(stack):
    return stack.mint("bob", ("operator",), kind="user")


def ask(stack, app, token, body=None, **kwargs):
    return stack.api("POST", f"/apps/{app}/environments/production/break-glass", body or BODY, token=token, **kwargs)


def confirm(stack, app, id, token):
    return stack.api("POST", f"/apps/{app}/environments/production/break-glass/{id}/confirm", token=token)


def asked(stack, app, token, **body):
    answer = ask(stack, app, token, {**BODY, **body})
    assert answer.status == 201, answer
    return answer


def test_two_people_lift_a_freeze(stack, ann, bob, released):
    begun(stack, now_frozen(released))
    made = asked(stack, released, ann)
    assert {**made.json, "id": 0, "requested_at": 0} == {
        "id": 0, "state": "requested", **BODY, "requested_by": {"kind": "user", "subject": "ann", "issuer": "sluice"},
        "requested_at": 0, "deployments": []}
    assert gate(stack, released)["open"] is False
    answer = confirm(stack, released, made["id"], bob)
    assert answer.status == 200 and answer["state"] == "open" and answer["confirmed_by"]["subject"] == "bob", answer
    assert answer["until"] > answer["confirmed_at"]
    assert gate(stack, released) == {"open": True, "blockers": []}
    assert stack.api("GET", f"/apps/{released}/environments/production/break-glass")["items"] == [answer.json]
    requested, opened = [r for r in stack.chain(f"{released}/production") if r["action"].startswith("breakglass.")]
    assert (requested["action"], requested["actor"]["subject"]) == ("breakglass.requested", "ann")
    assert (opened["action"], opened["actor"]["subject"], opened["subject"]) == ("breakglass.opened", "bob", made["id"])
    for said in ("ann", "bob", answer["until"], BODY["reason"]):
        assert said in opened["message"]


def test_the_environment_says_until_when_no_freeze_holds(stack, ann, bob, released):
    path = f"/apps/{released}/environments/production"
    begun(stack, now_frozen(released))
    made = asked(stack, released, ann)
    assert "thawed_until" not in stack.api("GET", path)["status"]
    opened = confirm(stack, released, made["id"], bob)
    assert stack.api("GET", path)["status"]["thawed_until"] == opened["until"]
    one, = stack.api("GET", f"/apps/{released}/environments")["items"]
    assert one["status"]["thawed_until"] == opened["until"]


def test_one_person_is_not_two(stack, ann, released):
    begun(stack, now_frozen(released))
    id, before = asked(stack, released, ann)["id"], heads(stack)
    refused(confirm(stack, released, id, ann), 403, "forbidden")
    refused(confirm(stack, released, id, stack.mint("ann", ("admin",), kind="user")), 403, "forbidden")
    assert heads(stack) == before and gate(stack, released)["open"] is False


def test_the_database_counts_them_too(stack, ann, released):
    id = asked(stack, released, ann)["id"]
    with pytest.raises(Exception):
        stack.sql(f"UPDATE break_glass SET confirmed_by = requested_by, confirmed_at = now(), until = now() WHERE id = '{id}'")


@pytest.mark.parametrize("kind", ["ci", "bot", "service"])
def test_only_people(stack, ann, released, kind):
    token, before = stack.mint(kind, ("operator", "admin"), kind=kind), None
    id, before = asked(stack, released, ann)["id"], heads(stack)
    refused(ask(stack, released, token), 403, "forbidden")
    refused(confirm(stack, released, id, token), 403, "forbidden")
    assert heads(stack) == before


def test_the_scope_is_asked_of_both(stack, ann, released):
    viewer = stack.mint("v", ("releaser",), kind="user")
    refused(ask(stack, released, viewer), 403, "forbidden")
    refused(confirm(stack, released, asked(stack, released, ann)["id"], viewer), 403, "forbidden")


def test_a_request_lapses(stack, ann, bob, released):
    id = asked(stack, released, ann)["id"]
    stack.sql("ALTER TABLE break_glass DISABLE TRIGGER break_glass_is_immutable;"
              f" UPDATE break_glass SET requested_at = now() - interval '60 minutes' WHERE id = '{id}';"
              " ALTER TABLE break_glass ENABLE TRIGGER break_glass_is_immutable")
    answer = refused(confirm(stack, released, id, bob), 409, "wrong-state")
    assert answer["state"] == "over" and answer["allowed"] == []
    assert [item["state"] for item in stack.api("GET", f"/apps/{released}/environments/production/break-glass")["items"]] == ["over"]


def test_it_is_confirmed_once(stack, ann, bob, released):
    id = asked(stack, released, ann)["id"]
    assert confirm(stack, released, id, bob).status == 200
    assert refused(confirm(stack, released, id, bob), 409, "wrong-state")["state"] == "open"


def test_it_closes_by_itself(stack, ann, bob, released):
    begun(stack, now_frozen(released))
    id = asked(stack, released, ann)["id"]
    assert confirm(stack, released, id, bob).status == 200 and gate(stack, released)["open"] is True
    stack.sql("ALTER TABLE break_glass DISABLE TRIGGER break_glass_is_immutable;"
              f" UPDATE break_glass SET until = clock_timestamp() + interval '1 second' WHERE id = '{id}';"
              " ALTER TABLE break_glass ENABLE TRIGGER break_glass_is_immutable")
    until(lambda: gate(stack, released)["open"] is False, 5)
    assert stack.api("GET", f"/apps/{released}/environments/production/break-glass")["items"][0]["state"] == "over"


def test_it_lifts_freezes_only(stack, ann, bob, released):
    begun(stack, now_frozen(released))
    assert stack.api("POST", f"/apps/{released}/releases/v1.0.0/yank", {"reason": "leaks"}).status == 200
    assert confirm(stack, released, asked(stack, released, ann)["id"], bob).status == 200
    assert [blocker["code"] for blocker in gate(stack, released)["blockers"]] == ["release-yanked"]


def test_bad_input(stack, ann, bob, released):
    for field, value in (("reason", "too short"), ("duration_s", 59), ("duration_s", 3601)):
        refused(ask(stack, released, ann, {**BODY, field: value}), 400, "invalid-body", "/" + field)
    nobody = "0190a000-0000-7000-8000-000000000000"
    refused(confirm(stack, released, nobody, bob), 404, "not-found")
    refused(stack.api("POST", f"/apps/{released}/environments/nowhere/break-glass", BODY, token=ann), 404, "not-found")
    refused(stack.api("GET", f"/apps/{released}/environments/nowhere/break-glass", token=ann), 404, "not-found")


def test_the_same_key_asks_once(stack, ann, released):
    key = {"Idempotency-Key": f"glass-{released}"}
    first, again = (ask(stack, released, ann, headers=key) for _ in range(2))
    assert first.status == again.status == 201 and first.raw == again.raw
    assert len(stack.api("GET", f"/apps/{released}/environments/production/break-glass")["items"]) == 1


def test_what_goes_out_meanwhile_is_listed(stack, ann, bob):
    stack.inopnc()

    def glass():
        return stack.api("GET", "/apps/inopnc/environments/production/break-glass")["items"][0]
    assert confirm(stack, "inopnc", asked(stack, "inopnc", ann, duration_s=60)["id"], bob).status == 200
    id = stack.deploy("v7.0.0")
    stack.wait(id, "succeeded")
    assert glass()["deployments"] == [id]
    until(lambda: glass()["state"] == "over", 70)  # so that freezes count in other tests of this environment
