"""Checklists: who may say what about which item, what counts of it, and what is kept."""

import datetime
import json

import pytest

from tests.api.conftest import ask_for, heads, refused
from tests.support.stack import together

REASON = "The scanner is down; the last scan is from yesterday."
NOTES = {"scheduled", "stakeholders", "rollback-plan", "on-call"}
EVIDENCE = ["tests", "review", "security-scan", "bundle", "typescript", "lint"]


@pytest.fixture
def gated(stack, environment):
    """An app whose production asks for the runbook's checklists, with a release."""
    ask_for(stack, environment)
    stack.release("v1.0.0", environment)
    return environment


def person(stack, subject, *roles, app=None):
    return stack.mint(subject, roles or ("releaser",), (app,) if app else ())


def checklist(stack, app, version="v1.0.0", env="production"):
    return stack.api("GET", f"/apps/{app}/releases/{version}/checklists/{env}")


def say(stack, app, key, body, token=None, version="v1.0.0"):
    return stack.api("PUT", f"/apps/{app}/releases/{version}/checklists/production/items/{key}", body, token=token)


def items(answer):
    assert answer.status == 200, answer
    return {item["key"]: item for group in answer["groups"] for item in group["items"]}


def item(stack, app, key):
    return items(checklist(stack, app))[key]


def said(answer, state, **members):
    assert answer.status == 200, answer
    assert {"state": answer["state"], **{name: answer.json.get(name) for name in members}} == {"state": state, **members}, answer
    return answer


def records(stack, app, action="checklist."):
    return [record for record in stack.chain(f"{app}/production") if record["action"].startswith(action)]


def template(stack, name, *items_, version=1):
    groups = [{"name": "all", "title": "All", "items": list(items_)}]
    stack.sql(f"INSERT INTO checklist_template (name, version, groups) VALUES ('{name}', {version}, '{json.dumps(groups)}')")


def an_item(key, kind="manual", **members):
    return {"key": key, "title": key.title(), "kind": kind, "required": True, **members}


def evidence(stack, app, key, state, ago="0"):
    """As CI would post it."""
    stack.sql("INSERT INTO item_fact (id, kind, release_id, item, state, evidence, source, content_digest, observed_at, by) "
              f"SELECT gen_random_uuid(), 'before', id, '{key}', '{state}', true, 'ci', content_digest, "
              f"clock_timestamp() - interval '{ago}', '{{\"kind\": \"ci\", \"subject\": \"ci\", \"issuer\": \"sluice\"}}' "
              f"FROM release WHERE app = '{app}'")


def in_time(**delta):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)).isoformat()


# ---- reading ----

def test_nothing_is_asked_for(stack, environment):
    stack.release("v1.0.0", environment)
    assert "ask for no checklist" in refused(checklist(stack, environment), 404, "not-found")["detail"]
    refused(say(stack, environment, "tests", {"state": "failed"}), 404, "not-found")


def test_the_runbooks_list_begins_open(stack, gated):
    answer = checklist(stack, gated, "1.0.0")
    assert answer.status == 200 and (answer["app"], answer["version"], answer["environment"]) == (gated, "v1.0.0", "production")
    assert answer["template"] == {"name": "before-deployment", "version": 1} and answer["complete"] is False
    assert [(group["name"], group["title"], len(group["items"])) for group in answer["groups"]] == [
        ("code-quality", "Code Quality Checks", 6), ("environment-preparation", "Environment Preparation", 6),
        ("team-communication", "Team Communication", 4), ("infrastructure", "Infrastructure Checks", 5)]
    assert answer["groups"][0]["items"][0] == {"key": "tests", "title": "All tests passing (unit, integration, E2E)",
                                               "kind": "evidence", "required": True, "state": "open"}
    assert {one["state"] for one in items(answer).values() if one["key"] != "flags"} == {"open"}  # Sluice looks at flags itself


def test_what_is_not_there(stack, gated):
    refused(checklist(stack, gated, "v9.9.9"), 404, "not-found")
    refused(checklist(stack, gated, env="staging"), 404, "not-found")
    refused(say(stack, gated, "variables", {"state": "passed"}, version="v9.9.9"), 404, "not-found")
    assert "has no item nonsense" in refused(say(stack, gated, "nonsense", {"state": "passed"}), 404, "not-found")["detail"]
    refused(say(stack, gated, "NO", {"state": "passed"}), 400, "invalid-path")


# ---- ticking ----

def test_ticked_failed_and_unticked(stack, gated):
    ann, bob = person(stack, "ann"), person(stack, "bob")
    answer = said(say(stack, gated, "variables", {"state": "passed", "note": "looked at all 14", "evidence": {
        "url": "https://wiki.example.com/v1#variables", "summary": "the list"}}, ann), "passed", note="looked at all 14",
        url="https://wiki.example.com/v1#variables", summary="the list", open=False, effective=True)
    assert answer["by"] == {"kind": "user", "subject": "ann", "issuer": "sluice"} and "deployment" not in answer.json
    assert item(stack, gated, "variables") == {name: value for name, value in answer.json.items() if name not in ("open", "effective")}
    said(say(stack, gated, "variables", {"state": "failed", "note": "one is missing"}, bob), "failed", note="one is missing", url=None)
    assert item(stack, gated, "variables")["by"]["subject"] == "bob"
    said(say(stack, gated, "variables", {"state": "open"}, ann), "open")
    made = records(stack, gated)
    assert [(r["action"], r["actor"]["subject"], r["subject"], r["data"]["item"], r["data"]["checklist"]) for r in made] == [
        ("checklist.passed", "ann", "v1.0.0", "variables", "before"), ("checklist.failed", "bob", "v1.0.0", "variables", "before"),
        ("checklist.open", "ann", "v1.0.0", "variables", "before")]
    assert made[0]["data"]["note"] == "looked at all 14" and made[0]["data"]["evidence"]["summary"] == "the list"
    assert made[0]["message"] == "variables of v1.0.0 in production: passed."
    assert stack.sql(f"SELECT count(*) FROM item_fact f JOIN release r ON r.id = f.release_id WHERE r.app = '{gated}'") == "3"


@pytest.mark.parametrize("key, body, field", [
    ("scheduled", {}, "/note"), ("stakeholders", {}, "/note"), ("rollback-plan", {}, "/note"),
    ("on-call", {"person": "ann"}, "/note"), ("on-call", {"note": "for the week"}, "/person"),
    *((key, {"note": "by hand", "person": "ann"}, "/state") for key in EVIDENCE)])
def test_what_an_item_asks_for(stack, gated, key, body, field):
    before = heads(stack)
    refused(say(stack, gated, key, {"state": "passed", **body}), 400, "invalid-body", field)
    assert heads(stack) == before and item(stack, gated, key)["state"] == "open"
    said(say(stack, gated, key, {"state": "failed"}), "failed")
    said(say(stack, gated, key, {"state": "open"}), "open")


def test_on_call_names_the_person(stack, gated):
    said(say(stack, gated, "on-call", {"state": "passed", "note": "until Monday", "person": "Åsa"}), "passed", person="Åsa")
    assert records(stack, gated)[-1]["data"]["person"] == "Åsa"


@pytest.mark.parametrize("key", ["backup", "cluster", "registry", "load-balancer", "certificates", "monitoring"])
def test_probe_items_are_ticked_by_hand_for_now(stack, gated, key):
    said(say(stack, gated, key, {"state": "passed"}), "passed")


@pytest.mark.parametrize("body, field", [
    ({"state": "passed", "reason": REASON}, "/reason"), ({"state": "open", "role": "admin"}, "/role"),
    ({"state": "failed", "expires_s": 60}, "/expires_s"), ({"state": "passed", "expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
    ({"state": "open", "expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
    ({"state": "waived", "expires_s": 60}, "/reason"), ({"state": "waived", "reason": "too short", "expires_s": 60}, "/reason"),
    ({"state": "waived", "reason": REASON}, "/expires_s"),
    ({"state": "waived", "reason": REASON, "expires_s": 60, "expires_at": "2099-01-01T00:00:00Z"}, "/expires_s"),
    ({"state": "waived", "reason": REASON, "expires_s": 90 * 86400 + 1}, "/expires_s"),
    ({"state": "waived", "reason": REASON, "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ({"state": "waived", "reason": REASON, "expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
    ({"state": "passed", "evidence": {"url": "javascript:alert(1)"}}, "/evidence/url"),
    ({"state": "passed", "evidence": {"summary": "no link"}}, "/evidence/url"), ({"state": "expired"}, "/state")])
def test_bad_bodies_name_the_field(stack, gated, body, field):
    before = heads(stack)
    refused(say(stack, gated, "variables", body), 400, "invalid-body", field)
    assert heads(stack) == before


# ---- who ----

@pytest.mark.parametrize("kind", ["ci", "bot", "service"])
@pytest.mark.parametrize("body", [{"state": "passed"}, {"state": "failed"}, {"state": "open"},
                                  {"state": "waived", "reason": REASON, "expires_s": 60}], ids=lambda body: body["state"])
def test_only_people_say_anything(stack, gated, kind, body):
    answer = refused(say(stack, gated, "variables", body, stack.mint(kind, ("admin",), kind=kind)), 403, "forbidden")
    assert answer["scope"] == "checklist:write" and f"a caller of kind {kind} never has" in answer["detail"]


def test_who_may_read_and_who_may_tick(stack, gated):
    viewer = person(stack, "v", "viewer")
    assert stack.api("GET", f"/apps/{gated}/releases/v1.0.0/checklists/production", token=viewer).status == 200
    assert refused(say(stack, gated, "variables", {"state": "passed"}, viewer), 403, "forbidden")["scope"] == "checklist:write"
    refused(say(stack, gated, "variables", {"state": "passed"}, person(stack, "r", app="other")), 403, "forbidden")
    said(say(stack, gated, "variables", {"state": "passed"}, person(stack, "r", app=gated)), "passed")


# ---- waivers ----

def test_a_waiver_needs_its_right(stack, gated):
    body = {"state": "waived", "reason": REASON, "expires_s": 3600}
    assert refused(say(stack, gated, "security-scan", body, person(stack, "r")), 403, "forbidden")["scope"] == "checklist:waive"
    answer = said(say(stack, gated, "security-scan", body, person(stack, "ops", "viewer", "operator")), "waived")
    assert answer["waiver"]["reason"] == REASON and answer["waiver"]["role"] == "operator"
    assert answer["waiver"]["by"]["subject"] == "ops" and answer["expires_at"] == answer["waiver"]["expires_at"]
    assert answer["waiver"]["at"] < answer["waiver"]["expires_at"] and "at" not in answer.json
    made = records(stack, gated)[-1]
    assert made["action"] == "checklist.waived" and made["data"]["reason"] == REASON and made["data"]["role"] == "operator"
    assert made["data"]["expires_at"] == answer["expires_at"]


def test_the_role_of_a_waiver_is_one_of_the_callers(stack, gated):
    body = {"state": "waived", "reason": REASON, "expires_at": in_time(days=89)}
    both = person(stack, "ops", "operator", "approver:devops")
    assert said(say(stack, gated, "lint", {**body, "role": "approver:devops"}, both), "waived")["waiver"]["role"] == "approver:devops"
    assert "the role admin" in refused(say(stack, gated, "lint", {**body, "role": "admin"}, both), 403, "forbidden")["detail"]


def test_a_waiver_stands_until_it_expires(stack, gated):
    said(say(stack, gated, "variables", {"state": "failed"}), "failed")
    said(say(stack, gated, "variables", {"state": "waived", "reason": REASON, "expires_s": 1}), "waived")
    stack.sql("SELECT pg_sleep(1.1)")
    now = item(stack, gated, "variables")
    assert now["state"] == "failed" and now["waiver"]["reason"] == REASON and now["waiver"]["expires_at"] < in_time()


def test_evidence_does_not_end_a_waiver_and_a_person_does(stack, gated):
    waived = {"state": "waived", "reason": REASON, "expires_s": 3600}
    said(say(stack, gated, "tests", waived), "waived")
    evidence(stack, gated, "tests", "failed")
    assert item(stack, gated, "tests")["state"] == "waived" and item(stack, gated, "tests")["source"] == "ci"
    answer = said(say(stack, gated, "tests", {"state": "open"}), "open")
    assert "waiver" not in answer.json
    evidence(stack, gated, "tests", "passed")
    assert item(stack, gated, "tests")["state"] == "passed"
    said(say(stack, gated, "tests", waived), "waived")
    said(say(stack, gated, "tests", {**waived, "reason": "Another reason to wait."}), "waived")
    assert item(stack, gated, "tests")["waiver"]["reason"] == "Another reason to wait."


# ---- what counts ----

def test_what_a_person_says_counts_before_evidence_from_a_clock_ahead(stack, gated):
    evidence(stack, gated, "tests", "passed", ago="-30 seconds")
    assert item(stack, gated, "tests")["state"] == "passed"
    said(say(stack, gated, "tests", {"state": "failed", "note": "flaky"}), "failed")


def test_a_tick_does_not_become_evidence(stack, environment, name):
    """Where other gates ask CI for what a person ticked."""
    template(stack, name, an_item("scan"))
    template(stack, f"{name}-ci", an_item("scan", "evidence"))
    ask_for(stack, environment, name)
    stack.release("v1.0.0", environment)
    said(say(stack, environment, "scan", {"state": "passed"}), "passed", open=True)
    ask_for(stack, environment, f"{name}-ci")
    assert item(stack, environment, "scan")["state"] == "open"
    evidence(stack, environment, "scan", "passed", ago="1 hour")
    assert item(stack, environment, "scan")["state"] == "passed"
    said(say(stack, environment, "scan", {"state": "failed"}), "failed")


def test_evidence_is_too_old(stack, environment):
    ask_for(stack, environment, evidence_max_age_s=3600)
    stack.release("v1.0.0", environment)
    evidence(stack, environment, "tests", "passed", ago="2 hours")
    evidence(stack, environment, "lint", "passed", ago="10 minutes")
    now = items(checklist(stack, environment))
    assert now["tests"]["state"] == "expired" and now["lint"]["state"] == "passed"


def test_a_tick_expires_as_its_item_says(stack, environment, name):
    template(stack, name, an_item("short", expires_s=1), an_item("optional", required=False), an_item("chosen", required=False))
    ask_for(stack, environment, name)
    stack.release("v1.0.0", environment)
    said(say(stack, environment, "chosen", {"state": "passed", "expires_s": 1}), "passed")
    said(say(stack, environment, "short", {"state": "passed", "expires_s": 600}), "passed", open=True)
    assert checklist(stack, environment)["complete"] is True
    stack.sql("SELECT pg_sleep(1.1)")
    assert item(stack, environment, "short")["state"] == item(stack, environment, "chosen")["state"] == "expired"
    assert checklist(stack, environment)["complete"] is False


def test_a_checklist_in_use_keeps_its_template(stack, environment, name):
    template(stack, name, an_item("one"))
    ask_for(stack, environment, name)
    stack.release("v1.0.0", environment)
    stack.release("v1.0.1", environment)
    said(say(stack, environment, "one", {"state": "passed"}), "passed", open=True)
    template(stack, name, an_item("one"), an_item("two"), version=2)
    used, fresh = checklist(stack, environment), checklist(stack, environment, "v1.0.1")
    assert used["template"]["version"] == 1 and set(items(used)) == {"one"} and used["complete"]
    assert fresh["template"]["version"] == 2 and set(items(fresh)) == {"one", "two"}
    refused(say(stack, environment, "two", {"state": "passed"}), 404, "not-found")
    said(say(stack, environment, "two", {"state": "passed"}, version="v1.0.1"), "passed", open=False)


def test_the_gate_opens_with_the_last_item_and_closes_with_the_first(stack, environment, name):
    template(stack, name, an_item("one"), an_item("two"), an_item("ci", "evidence"))
    ask_for(stack, environment, name)
    stack.release("v1.0.0", environment)
    said(say(stack, environment, "one", {"state": "passed"}), "passed", open=False)
    said(say(stack, environment, "ci", {"state": "waived", "reason": REASON, "expires_s": 60}), "waived", open=False)
    said(say(stack, environment, "two", {"state": "passed"}), "passed", open=True)
    said(say(stack, environment, "one", {"state": "open"}), "open", open=False)
    assert [record["action"] for record in records(stack, environment, "gate.")] == ["gate.opened", "gate.closed"]


def test_two_people_at_once(stack, environment, name):
    """Each is on record, in one order, and the last one counts; the checklist is made once."""
    template(stack, name, an_item("one"))
    ask_for(stack, environment, name)
    stack.release("v1.0.0", environment)
    tokens = [person(stack, f"p{i}") for i in range(8)]
    states = ["passed", "open", "failed", "passed"] * 2
    answers = together(8, lambda i: say(stack, environment, "one", {"state": states[i], "note": str(i)}, tokens[i]))
    assert [answer.status for answer in answers] == [200] * 8, answers
    made = records(stack, environment)
    assert sorted(record["data"]["note"] for record in made) == [str(i) for i in range(8)]
    assert [(answer["state"], answer["note"]) for answer in answers] == [(states[i], str(i)) for i in range(8)]
    now = item(stack, environment, "one")
    assert now["note"] == made[-1]["data"]["note"] and now["state"] == states[int(now["note"])]
    assert stack.sql(f"SELECT count(*) FROM checklist WHERE template = '{name}'") == "1"
    verdicts = [record["action"] for record in records(stack, environment, "gate.")]
    assert all(one != other for one, other in zip(verdicts, verdicts[1:]))


# ---- of a deployment ----

@pytest.fixture
def deployed(stack, gated):
    """A deployment of the release that started, as rows: (app, id)."""
    return gated, stack.deployed("v1.0.0", gated)


def end(stack, id, state):
    """Nothing that a worker could take up is left behind."""
    stack.sql(f"UPDATE deployment SET state = '{state}', ended_at = clock_timestamp() WHERE id = '{id}' "
              "AND state IN ('scheduled', 'queued', 'blocked', 'paused', 'stuck')")


def after(stack, id, kind="after"):
    return stack.api("GET", f"/deployments/{id}/checklists/{kind}")


def say_after(stack, id, key, body, kind="after", token=None):
    return stack.api("PUT", f"/deployments/{id}/checklists/{kind}/items/{key}", body, token=token)


def test_the_lists_after_a_deployment(stack, deployed):
    app, id = deployed
    answer = after(stack, id)
    assert answer.status == 200 and answer["deployment"] == id and answer["template"] == {"name": "after-deployment", "version": 1}
    assert [len(group["items"]) for group in answer["groups"]] == [5, 4, 4] and answer["complete"] is False
    success = after(stack, id, "success")
    assert success["template"]["name"] == "success-criteria" and [len(group["items"]) for group in success["groups"]] == [5, 4, 4]
    refused(after(stack, id, "before"), 400, "invalid-path")
    refused(after(stack, "0190a000-0000-7000-8000-000000000000"), 404, "not-found")


def test_success_criteria_are_always_there(stack, environment):
    stack.release("v1.0.0", environment)
    id = stack.deployed("v1.0.0", environment)
    refused(after(stack, id), 404, "not-found")
    refused(say_after(stack, id, "login", {"state": "passed"}), 404, "not-found")
    said(say_after(stack, id, "pods", {"state": "passed"}, "success"), "passed", complete=False)


def test_items_belong_to_the_deployment(stack, deployed):
    app, id = deployed
    other = stack.deployed("v1.0.0", app)
    for key in items(after(stack, id)):
        answer = said(say_after(stack, id, key, {"state": "passed"}), "passed")
        assert "open" not in answer.json and "effective" not in answer.json
    assert answer["complete"] is True and after(stack, id)["complete"] is True
    said(say_after(stack, id, "login", {"state": "failed", "note": "on Safari"}), "failed", complete=False)
    assert items(after(stack, other))["login"]["state"] == "open"
    assert items(after(stack, id, "success"))["journeys"]["state"] == "open"  # also a key of the list after
    assert stack.deployment(id)["state"] == "succeeded"
    said(say_after(stack, id, "login", {"state": "waived", "reason": REASON, "expires_s": 60}), "waived", complete=True)
    page = stack.api("GET", f"/deployments/{id}/records?limit=200")["items"]
    assert [record["action"] for record in page[-2:]] == ["checklist.failed", "checklist.waived"]
    assert page[-1]["subject"] == id and page[-1]["data"]["checklist"] == "after"


@pytest.mark.parametrize("state", ["scheduled", "queued", "blocked", "canceled"])
def test_not_before_it_has_started(stack, gated, state):
    id = stack.deployed("v1.0.0", gated, state=state, started="NULL")
    assert after(stack, id).status == 200
    assert refused(say_after(stack, id, "login", {"state": "passed"}), 409, "wrong-state")["state"] == state
    end(stack, id, "canceled")


@pytest.mark.parametrize("state", ["paused", "stuck", "failed", "aborted", "rolled_back"])
def test_whatever_it_came_to_once_it_started(stack, gated, state):
    id = stack.deployed("v1.0.0", gated, state=state)
    said(say_after(stack, id, "login", {"state": "passed"}), "passed")
    end(stack, id, "failed")


def test_a_version_without_a_release_has_no_list(stack, gated):
    refused(after(stack, stack.deployed("v0.0.1", gated), "success"), 404, "not-found")


def test_who_may_after_a_deployment(stack, deployed):
    app, id = deployed
    refused(say_after(stack, id, "login", {"state": "passed"}, token=stack.mint("b", ("admin",), kind="bot")), 403, "forbidden")
    refused(say_after(stack, id, "login", {"state": "passed"}, token=person(stack, "r", app="other")), 403, "forbidden")
    answer = say_after(stack, id, "login", {"state": "waived", "reason": REASON, "expires_s": 60}, token=person(stack, "r"))
    assert refused(answer, 403, "forbidden")["scope"] == "checklist:waive"
    refused(say_after(stack, id, "nonsense", {"state": "passed"}), 404, "not-found")


def test_an_item_of_evidence_after_a_deployment_is_ticked(stack, environment, name):
    """Evidence is about releases, so that nobody else could."""
    template(stack, name, an_item("load", "evidence"))
    ask_for(stack, environment, checklist={"after": name})
    stack.release("v1.0.0", environment)
    said(say_after(stack, stack.deployed("v1.0.0", environment), "load", {"state": "passed"}), "passed", complete=True)


def test_waivers_stay_visible_in_the_deployment(stack, gated):
    first = stack.deployed("v1.0.0", gated)
    assert stack.deployment(first)["waivers"] == []
    waived = {"state": "waived", "reason": REASON, "expires_s": 1}
    said(say(stack, gated, "tests", waived), "waived")
    said(say(stack, gated, "tests", {"state": "open"}), "open")
    said(say_after(stack, first, "login", {**waived, "expires_s": 60}), "waived")
    second = stack.deployed("v1.0.0", gated)
    stack.sql("SELECT pg_sleep(1.1)")
    both = stack.deployment(first)["waivers"]
    assert [(one["item"], one["checklist"], one["role"], one["reason"]) for one in both] == [
        ("tests", "before", "admin", REASON), ("login", "after", "admin", REASON)]
    assert set(both[0]["by"]) == {"kind", "subject", "issuer"} and both[0]["at"] < both[0]["expires_at"] < in_time()
    assert stack.deployment(second)["waivers"] == both[:1]


# ---- after the cut-over ----

def test_unticked_after_the_cutover(stack, name):
    """On record, and too late for what serves."""
    stack.inopnc()
    template(stack, name, an_item("one"))
    id = stack.deploy("v7.0.0")
    stack.wait(id, "succeeded")
    ask_for(stack, "inopnc", name)
    try:
        answer = said(say(stack, "inopnc", "one", {"state": "passed"}, version="v7.0.0"), "passed", open=True)
        answer = said(say(stack, "inopnc", "one", {"state": "open"}, version="v7.0.0"), "open", open=False)
        assert (answer["effective"], answer["deployment"]) == (False, id)
        stack.release("v7.0.1")
        answer = said(say(stack, "inopnc", "one", {"state": "open"}, version="v7.0.1"), "open")
        assert answer["effective"] is True and "deployment" not in answer.json
        assert stack.deployment(id)["state"] == "succeeded"
    finally:
        stack.sql("DELETE FROM environment_gate g USING environment e WHERE e.id = g.environment_id AND e.app = 'inopnc'")
