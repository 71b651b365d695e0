"""Sign-offs before a deployment: who may, one person once, what is bound to what, and what the database refuses once more."""

import subprocess

import pytest

from tests.api.conftest import refused
from tests.support.stack import IMAGE, together, until


def approver(stack, subject, *roles, kind=None):
    return stack.mint(subject, tuple(f"approver:{role}" for role in roles), kind=kind)


def sign(stack, app, role="qa", decision="approve", token=None, **fields):
    return stack.api("POST", f"/apps/{app}/releases/v1.0.0/signoffs",
                     {"environment": "production", "role": role, "decision": decision, **fields},
                     token=token or approver(stack, "ann", role))


def withdraw(stack, app, id, token=None):
    return stack.api("DELETE", f"/apps/{app}/releases/v1.0.0/signoffs/{id}", token=token)


def listed(stack, app, query=""):
    answer = stack.api("GET", f"/apps/{app}/releases/v1.0.0/signoffs{query}")
    assert answer.status == 200, answer
    return answer["items"]


def records(stack, app):
    return [r["action"] for r in stack.chain(f"{app}/production") if r["action"].startswith(("signoff.", "gate."))]


def why(stack, app, token=None):
    answer = stack.api("GET", f"/apps/{app}/environments/production/blockers?version=v1.0.0", token=token)
    assert answer.status == 200, answer
    return answer["blockers"]


@pytest.fixture
def asked(stack, environment):
    """An app whose production asks for two of qa and one of final."""
    gates = {"approvals": [{"role": "qa", "count": 2}, {"role": "final", "count": 1}]}
    assert stack.api("PUT", f"/apps/{environment}/environments/production/gates", gates).status == 201
    stack.release("v1.0.0", environment)
    return environment


def test_a_quorum_opens_and_a_withdrawal_closes(stack, asked):
    answer = sign(stack, asked, note="looked at it")
    assert answer.status == 201 and answer["open"] is False and answer["valid"] is True and answer["effective"] is True, answer
    assert answer["by"] == {"kind": "user", "subject": "ann", "issuer": "sluice"} and answer["checklist"] == ""
    assert sign(stack, asked, token=approver(stack, "bob", "qa"))["open"] is False
    last = sign(stack, asked, "final", token=approver(stack, "cat", "final"))
    assert last["open"] is True
    assert withdraw(stack, asked, last["id"], approver(stack, "cat", "final")).json == {"open": False, "effective": True}
    refused(withdraw(stack, asked, last["id"], approver(stack, "cat", "final")), 409, "wrong-state")
    assert records(stack, asked) == ["signoff.approved"] * 3 + ["gate.opened", "signoff.withdrawn", "gate.closed"]
    assert [(i["valid"], i.get("void_reason")) for i in listed(stack, asked)] == [(False, "withdrawn"), (True, None), (True, None)]


def test_one_person_counts_once(stack, asked):
    both = approver(stack, "ann", "qa", "final")
    first, second = sign(stack, asked, token=both), sign(stack, asked, "final", token=both)
    assert second["replaces"] == first["id"] and second["replaces_role"] == "qa" and "replaces_role" not in first.json
    now = listed(stack, asked)
    assert [(i["role"], i["valid"]) for i in now] == [("final", True), ("qa", False)]
    assert now[1]["withdrawn_by"]["subject"] == "ann"


def test_a_reject_closes_until_its_author_withdraws(stack, asked):
    sign(stack, asked), sign(stack, asked, token=approver(stack, "bob", "qa"))
    assert sign(stack, asked, "final", token=approver(stack, "cat", "final"))["open"] is True
    dan = approver(stack, "dan", "support")
    no = sign(stack, asked, "support", "reject", dan)
    assert no["open"] is False
    refused(withdraw(stack, asked, no["id"], approver(stack, "eve", "support")), 403, "forbidden")
    assert withdraw(stack, asked, no["id"], dan)["open"] is True


def test_whoever_has_gate_write_withdraws_another_s(stack, asked):
    sign(stack, asked), sign(stack, asked, token=approver(stack, "bob", "qa"))
    given = sign(stack, asked, "final", token=approver(stack, "cat", "final"))
    assert given["open"] is True
    for roles in (("operator",), ("releaser", "approver:qa", "approver:final"), ("viewer",), ("ci",)):
        refused(withdraw(stack, asked, given["id"], stack.mint("eve", roles)), 403, "forbidden")
    assert listed(stack, asked)[0]["valid"] is True
    admin = stack.mint("adele", ("admin",))
    assert withdraw(stack, asked, given["id"], admin).json == {"open": False, "effective": True}
    refused(withdraw(stack, asked, given["id"], admin), 409, "wrong-state")
    gone = listed(stack, asked)[0]
    assert gone["void_reason"] == "withdrawn" and gone["by"]["subject"] == "cat" and gone["withdrawn_by"]["subject"] == "adele"
    record = [r for r in stack.chain(f"{asked}/production") if r["action"] == "signoff.withdrawn"][-1]
    assert record["actor"]["subject"] == "adele" and record["data"]["id"] == given["id"], record
    assert records(stack, asked)[-2:] == ["signoff.withdrawn", "gate.closed"]


def test_two_race_for_the_last_place(stack, asked):
    sign(stack, asked, "final", token=approver(stack, "cat", "final"))
    tokens = [approver(stack, f"p{i}", "qa") for i in range(4)]
    answers = together(4, lambda i: sign(stack, asked, token=tokens[i]))
    assert [a.status for a in answers] == [201] * 4
    assert records(stack, asked).count("gate.opened") == 1


def test_the_scope_of_the_role(stack, asked):
    answer = refused(sign(stack, asked, "final", token=approver(stack, "ann", "qa")), 403, "forbidden")
    assert answer["scope"] == "signoff:final"


@pytest.mark.parametrize("kind", ["ci", "bot", "service"])
def test_only_people(stack, asked, kind):
    refused(sign(stack, asked, token=approver(stack, "x", "qa", kind=kind)), 403, "forbidden")
    with pytest.raises(subprocess.CalledProcessError):
        insert(stack, asked, f'{{"kind": "{kind}", "subject": "x", "issuer": "sluice"}}')


def insert(stack, app, by, decision="approve", digest="r.content_digest"):
    stack.sql("INSERT INTO signoff (id, release_id, environment_id, role, decision, by, content_digest, checklist) "
              f"SELECT gen_random_uuid(), r.id, e.id, 'qa', '{decision}', '{by}', {digest}, '' "
              f"FROM release r JOIN environment e ON e.app = r.app WHERE r.app = '{app}'")


def test_nobody_approves_their_own_release(stack, environment):
    token = stack.mint("ann", ("releaser", "approver:qa"))
    assert stack.api("POST", f"/apps/{environment}/releases", {"version": "v1.0.0", "image": IMAGE}, token=token).status == 201
    assert "created the release" in refused(sign(stack, environment, token=token), 403, "forbidden")["detail"]
    with pytest.raises(subprocess.CalledProcessError):
        insert(stack, environment, '{"kind": "user", "subject": "ann", "issuer": "sluice"}')
    insert(stack, environment, '{"kind": "user", "subject": "ann", "issuer": "elsewhere"}')
    no = sign(stack, environment, decision="reject", token=token)
    assert no.status == 201 and no["valid"] is True and no["open"] is False


def ask(stack, app, token, **params):
    return stack.api("POST", "/deployments", {"app": app, "environment": "production", "version": "v1.0.0", "params": params}, token=token)


def both(stack, subject):
    """Somebody who may ask for deployments and sign."""
    return stack.mint(subject, ("releaser", "approver:qa"))


@pytest.fixture
def asks_one(stack, environment):
    """An app whose production asks for one of qa."""
    gates = {"approvals": [{"role": "qa", "count": 1}]}
    assert stack.api("PUT", f"/apps/{environment}/environments/production/gates", gates).status == 201
    stack.release("v1.0.0", environment)
    return environment


def test_who_asked_for_the_deployment_does_not_approve_it(stack, asks_one):
    rel = both(stack, "rel")
    id = ask(stack, asks_one, rel, wait=True)["id"]
    assert "asked for the deployment" in refused(sign(stack, asks_one, token=rel), 403, "forbidden")["detail"]
    with pytest.raises(subprocess.CalledProcessError):
        insert(stack, asks_one, '{"kind": "user", "subject": "rel", "issuer": "sluice"}')
    assert stack.api("POST", f"/deployments/{id}/cancel").status == 200
    assert sign(stack, asks_one, token=rel)["open"] is True  # of what is canceled nothing is left


def test_an_approval_does_not_count_for_a_deployment_asked_for_afterwards(stack, asks_one):
    """The sign-off came first, and was right; whoever gave it then asks for the deployment."""
    rel = both(stack, "rel")
    given = sign(stack, asks_one, token=rel)
    assert given.status == 201 and given["valid"] is True and given["open"] is True
    answer = refused(ask(stack, asks_one, rel), 409, "blocked")
    assert [b["code"] for b in answer["blockers"]] == ["approval-missing"]
    id = ask(stack, asks_one, rel, wait=True)["id"]
    assert stack.deployment(id)["state"] == "blocked"
    assert listed(stack, asks_one)[0]["void_reason"] == "self-approval"
    assert sign(stack, asks_one, token=approver(stack, "ann", "qa")).status == 201  # somebody else's counts
    until(lambda: not stack.deployment(id).get("blockers"), what="the deployment is not held by its gates")
    stack.api("POST", f"/deployments/{id}/cancel")


def test_other_content_is_refused_by_the_database(stack, asked):
    with pytest.raises(subprocess.CalledProcessError):
        insert(stack, asked, '{"kind": "user", "subject": "x", "issuer": "sluice"}', digest="'other'")


def test_another_checklist_makes_it_void(stack, asked):
    sign(stack, asked)
    gates = {"checklist": {"before": "before-deployment"}}
    assert stack.api("PUT", f"/apps/{asked}/environments/production/gates", gates, headers={"If-Match": "*"}).status == 200
    assert listed(stack, asked)[0]["void_reason"] == "checklist-changed"
    assert sign(stack, asked, token=approver(stack, "bob", "qa"))["checklist"] == "before-deployment@1"


def test_a_reject_stands_whatever_checklist_is_asked_for(stack, asked):
    dan = approver(stack, "dan", "support")
    no = sign(stack, asked, "support", "reject", dan)
    gates = {"checklist": {"before": "before-deployment"}}
    assert stack.api("PUT", f"/apps/{asked}/environments/production/gates", gates, headers={"If-Match": "*"}).status == 200
    assert listed(stack, asked)[0]["valid"] is True
    assert "rejected" in [b["code"] for b in why(stack, asked)]
    assert withdraw(stack, asked, no["id"], dan).status == 200
    assert "rejected" not in [b["code"] for b in why(stack, asked)]


def test_who_approves_and_then_deploys_is_told_the_same_by_both(stack, environment):
    gates = {"approvals": [{"role": "qa", "count": 1}]}
    assert stack.api("PUT", f"/apps/{environment}/environments/production/gates", gates).status == 201
    stack.release("v1.0.0", environment)
    eva = stack.mint("eva", ("releaser", "approver:qa"))
    assert sign(stack, environment, token=eva)["open"] is True
    said = "0 of 1 approvals of qa are there; that of eva does not count: who asks for a deployment does not approve it."
    body = {"app": environment, "environment": "production", "version": "v1.0.0"}
    assert refused(stack.api("POST", "/deployments", body, token=eva), 409, "blocked")["blockers"][0]["why"] == said
    assert [b["why"] for b in why(stack, environment, eva)] == [said]
    assert why(stack, environment) == [] and why(stack, environment, stack.mint("vic", ("viewer",))) == []
    waiting = stack.api("POST", "/deployments", {**body, "params": {"wait": True}}, token=eva)
    assert [b["why"] for b in why(stack, environment)] == [said]
    assert stack.api("POST", f"/deployments/{waiting['id']}/cancel").status == 200


def test_the_same_key_stores_once(stack, asked):
    key = {"Idempotency-Key": f"signoff-{asked}"}
    token = approver(stack, "ann", "qa")
    body = {"environment": "production", "role": "qa", "decision": "approve"}
    first, again = (stack.api("POST", f"/apps/{asked}/releases/v1.0.0/signoffs", body, token=token, headers=key) for _ in range(2))
    assert first.status == again.status == 201 and first.raw == again.raw and len(listed(stack, asked)) == 1


def test_what_is_not_there(stack, asked):
    nobody = "0190a000-0000-7000-8000-000000000000"
    refused(withdraw(stack, asked, nobody), 404, "not-found")
    refused(withdraw(stack, asked, "x"), 400, "invalid-path")
    refused(stack.api("GET", f"/apps/{asked}/releases/v9.9.9/signoffs"), 404, "not-found")
    refused(stack.api("GET", f"/apps/{asked}/releases/v1.0.0/signoffs?environment=nowhere"), 404, "not-found")
