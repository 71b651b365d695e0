"""Acceptance: what people say of a deployment that succeeded, and what that frees."""
import pytest

from tests.api.conftest import refused

ROLES = ["engineering", "product", "final"]  # one of each of the runbook's kinds: technical, business, final
PATH = "/apps/inopnc/environments/production/gates"
ASKED = {"acceptance": [{"role": role, "count": 1} for role in ROLES], "acceptance_blocks_next": True}


def person(stack, subject, role):
    return stack.mint(subject, (f"approver:{role}",), kind="user")


def say(stack, id, role, decision="approve", subject=None, **headers):
    return stack.api("POST", f"/deployments/{id}/signoffs", {"role": role, "decision": decision, "note": "looked at it"},
                     token=person(stack, subject or f"{role}-1", role), headers=headers)


def withdraw(stack, id, signoff, role, subject=None):
    return stack.api("DELETE", f"/deployments/{id}/signoffs/{signoff}", token=person(stack, subject or f"{role}-1", role))


def actions(stack, id):
    return [record["action"] for record in stack.api("GET", f"/deployments/{id}/records?limit=200")["items"]]


def gates_are(stack, spec):
    answer = stack.api("PUT", PATH, spec, headers={"If-Match": "*"})
    assert answer.status in (200, 201), answer


def blockers(stack, version):
    return stack.api("GET", f"/apps/inopnc/environments/production/blockers?version={version}")["blockers"]


def kept(stack, id):
    """Whether the previous version waits for the final approval of that deployment."""
    return stack.sql(f"SELECT awaits_final FROM cleanup WHERE deployment_id = '{id}'")


@pytest.fixture(scope="module")
def accepting(stack):
    stack.inopnc()
    stack.wait(stack.deploy("v4.0.0"), "succeeded")
    gates_are(stack, ASKED)
    yield stack
    gates_are(stack, {})


@pytest.fixture
def deployed(accepting):
    """A deployment that waits to be accepted; afterwards it is, so that the next one may begin."""
    version = f"v4.1.{accepting.sql('SELECT count(*) FROM release')}"
    id = accepting.deploy(version)
    accepting.wait(id, "succeeded")
    assert accepting.deployment(id)["acceptance"] == "pending" and kept(accepting, id) == "t"
    yield id
    for signoff in accepting.api("GET", f"/deployments/{id}/signoffs")["items"]:
        if signoff["decision"] == "reject" and "withdrawn_at" not in signoff:
            role = signoff["role"]
            assert withdraw(accepting, id, signoff["id"], role, signoff["by"]["subject"]).status == 200
    for role in ROLES:
        assert say(accepting, id, role, subject=f"last-{role}").status == 201
    assert accepting.deployment(id)["acceptance"] == "accepted"


def test_a_deployment_says_whose_acceptance_it_waits_for(accepting, deployed):
    assert accepting.deployment(deployed)["acceptance_awaits"] == ROLES
    given = say(accepting, deployed, "product")
    assert accepting.deployment(deployed)["acceptance_awaits"] == ["engineering", "final"]
    say(accepting, deployed, "engineering", "reject")
    assert "acceptance_awaits" not in accepting.deployment(deployed)
    say(accepting, deployed, "engineering")
    assert accepting.deployment(deployed)["acceptance_awaits"] == ["final"]
    assert withdraw(accepting, deployed, given["id"], "product").status == 200
    assert accepting.deployment(deployed)["acceptance_awaits"] == ["product", "final"]


def test_every_role_makes_it_accepted_and_frees_what_was_kept(accepting, deployed):
    accepting.release("v5.0.0")
    blocked = refused(accepting.create("v5.0.0"), 409, "blocked")
    assert [b["code"] for b in blocked["blockers"]] == ["not-accepted"]
    waiting = accepting.create("v5.0.0", params={"wait": True})["id"]
    given = [say(accepting, deployed, role) for role in ROLES]
    assert [answer.status for answer in given] == [201, 201, 201]
    assert [answer["acceptance"] for answer in given] == ["pending", "pending", "accepted"]
    assert all(answer["valid"] and answer["effective"] for answer in given)
    assert kept(accepting, deployed) == "f"
    assert actions(accepting, deployed)[-4:] == ["signoff.approved"] * 3 + ["deployment.accepted"]
    accepting.wait(waiting, "succeeded")
    for role in ROLES:
        assert say(accepting, waiting, role).status == 201


def test_a_final_approval_alone_releases_the_previous_version(accepting, deployed):
    assert say(accepting, deployed, "final")["acceptance"] == "pending"
    assert kept(accepting, deployed) == "f"


def test_a_reject_is_an_outcome_until_it_is_withdrawn(accepting, deployed):
    given = say(accepting, deployed, "product", "reject")
    assert given["acceptance"] == "rejected" and actions(accepting, deployed)[-1] == "deployment.rejected"
    assert [say(accepting, deployed, role, subject="x" + role)["acceptance"] for role in ROLES] == ["rejected"] * 3
    assert kept(accepting, deployed) == "t"
    gone = withdraw(accepting, deployed, given["id"], "product")
    assert gone.status == 200 and gone.json == {"acceptance": "accepted", "effective": True}
    refused(withdraw(accepting, deployed, given["id"], "product"), 409, "wrong-state")


def test_a_final_approval_that_is_withdrawn_gives_nothing_back(accepting, deployed):
    given = say(accepting, deployed, "final")
    gone = withdraw(accepting, deployed, given["id"], "final")
    assert gone.json == {"acceptance": "pending", "effective": False} and kept(accepting, deployed) == "f"


def test_one_person_counts_once(accepting, deployed):
    first = say(accepting, deployed, "engineering", subject="ann")
    second = say(accepting, deployed, "final", subject="ann")
    assert second["replaces"] == first["id"] and second["replaces_role"] == "engineering"
    listed = {signoff["id"]: signoff for signoff in accepting.api("GET", f"/deployments/{deployed}/signoffs")["items"]}
    assert listed[first["id"]]["void_reason"] == "withdrawn" and listed[second["id"]]["valid"]


def test_who_asked_for_it_does_not_accept_it(accepting, deployed):
    by = accepting.deployment(deployed)["requested_by"]["subject"]
    answer = refused(say(accepting, deployed, "final", subject=by), 403, "forbidden")
    assert "asked for the deployment" in answer["detail"] or "created the release" in answer["detail"]
    assert say(accepting, deployed, "final", "reject", subject=by)["acceptance"] == "rejected"


def test_whoever_has_gate_write_withdraws_another_s(accepting, deployed):
    given = say(accepting, deployed, "engineering")
    path = f"/deployments/{deployed}/signoffs/{given['id']}"
    for roles in (("operator",), ("releaser", "approver:engineering", "approver:final")):
        refused(accepting.api("DELETE", path, token=accepting.mint("eve", roles)), 403, "forbidden")
    gone = accepting.api("DELETE", path, token=accepting.mint("adele", ("admin",)))
    assert gone.status == 200 and gone.json == {"acceptance": "pending", "effective": True}
    listed = accepting.api("GET", f"/deployments/{deployed}/signoffs")["items"]
    assert [(i["by"]["subject"], i["withdrawn_by"]["subject"]) for i in listed] == [("engineering-1", "adele")]
    assert actions(accepting, deployed)[-1] == "signoff.withdrawn"


@pytest.mark.parametrize("kind, role", [("ci", "ci"), ("bot", "approver:final"), ("service", "approver:final"), ("user", "approver:qa")])
def test_only_people_in_the_role_accept(accepting, deployed, kind, role):
    answer = accepting.api("POST", f"/deployments/{deployed}/signoffs", {"role": "final", "decision": "approve"},
                           token=accepting.mint("x", (role,), kind=kind))
    refused(answer, 403, "forbidden")


def test_the_same_key_signs_once(accepting, deployed):
    answers = [say(accepting, deployed, "engineering", **{"Idempotency-Key": f"accept-{deployed}"}) for _ in range(2)]
    assert answers[0].json == answers[1].json
    assert len(accepting.api("GET", f"/deployments/{deployed}/signoffs")["items"]) == 1


def test_law3__a_deployment_that_failed_does_not_make_what_serves_accepted(accepting, deployed):
    gates_are(accepting, {**ASKED, "acceptance_blocks_next": False})
    accepting.image("v4.98.0", pull_error=True)
    accepting.wait(accepting.deploy("v4.98.0"), "failed")
    gates_are(accepting, ASKED)
    accepting.release("v4.98.1")
    blocker, = blockers(accepting, "v4.98.1")
    assert (blocker["code"], blocker["what"]) == ("not-accepted", deployed)
    assert blocker["who"] == [f"approver:{role}" for role in ROLES]
    assert say(accepting, deployed, "product").status == 201
    assert blockers(accepting, "v4.98.1")[0]["who"] == ["approver:engineering", "approver:final"]
    say(accepting, deployed, "product", "reject", subject="pia")
    assert blockers(accepting, "v4.98.1")[0]["who"] == ["pia", "admin"]


def test_what_is_not_asked_for_any_more_is_waited_for_no_longer(accepting):
    id = accepting.deploy("v4.97.0")
    accepting.wait(id, "succeeded")
    assert accepting.deployment(id)["acceptance"] == "pending" and kept(accepting, id) == "t"
    gates_are(accepting, {"acceptance_blocks_next": True})
    assert accepting.deployment(id)["acceptance"] == "not-required" and kept(accepting, id) == "f"
    assert actions(accepting, id)[-1] == "deployment.settled"
    gates_are(accepting, ASKED)
    accepting.release("v4.97.1")
    assert blockers(accepting, "v4.97.1") == []


def test_only_what_succeeded_is_accepted(accepting):
    accepting.image("v4.99.0", pull_error=True)
    accepting.release("v4.99.0")
    answer = accepting.create("v4.99.0")
    assert answer.status == 202, answer
    accepting.wait(answer["id"], "failed")
    refused(say(accepting, answer["id"], "final"), 409, "wrong-state")
    assert accepting.deployment(answer["id"])["acceptance"] == "not-required"


def test_bad_paths(accepting, deployed):
    refused(withdraw(accepting, deployed, "x", "final"), 400, "invalid-path")
    refused(withdraw(accepting, deployed, deployed, "final"), 404, "not-found")
