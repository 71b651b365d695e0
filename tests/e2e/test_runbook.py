"""The runbook's chain, from a release of CI to the clean-up after the final approval, by the people whose work it is."""
import pytest

from tests.support.stack import IMAGE, Stack, until

PATH = "/apps/inopnc/environments/production"
VERSION = f"{PATH.rsplit('/environments', 1)[0]}/releases/v1.1.0"
JUNIT = "<testsuite tests='2'><testcase name='a'/><testcase name='b'/></testsuite>"
SARIF = '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scan"}}, "results": []}]}'
REPORTS = {"tests": ("application/junit+xml", JUNIT), "security-scan": ("application/sarif+json", SARIF)}


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc()
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        yield stack


def test_a_release_goes_the_whole_way(stack):
    ci, rel = stack.mint("pipeline", ("ci",)), stack.mint("rita", ("releaser",), kind="user")

    def person(role):
        return stack.mint(f"{role}-person", (f"approver:{role}",), kind="user")

    def blockers():
        answer = stack.api("GET", f"{PATH}/blockers?version=v1.1.0", token=rel)
        return sorted({b["code"] for b in answer["blockers"]})

    roles = {"approvals": ("engineering", "qa", "devops"), "acceptance": ("product", "customer-success", "support", "final")}
    spec = {"checklist": {"before": "before-deployment", "after": "after-deployment"}, "acceptance_blocks_next": True,
            **{key: [{"role": role, "count": 1} for role in some] for key, some in roles.items()}}
    assert stack.api("PUT", f"{PATH}/gates", spec).status == 201
    assert blockers() == ["approval-missing", "item-open", "release-missing"]

    # CI: the release, and what it found
    assert stack.api("POST", "/apps/inopnc/releases", {"version": "v1.1.0", "image": f"{IMAGE}:v1.1.0"}, token=ci).status == 201
    for item, (kind, report) in REPORTS.items():
        found = stack.api("POST", f"{VERSION}/evidence?item={item}&source=ci&environment=production", report, token=ci,
                          headers={"Content-Type": kind})
        assert found.status == 201 and found["state"] == "passed", found
    for item in ("review", "bundle", "typescript", "lint"):
        found = stack.api("POST", f"{VERSION}/evidence", {"item": item, "state": "passed", "source": "ci", "summary": "ok"}, token=ci)
        assert found.status == 201, found

    # the team: everything else, one thing waived
    checklist = stack.api("GET", f"{VERSION}/checklists/production")
    items = [item for group in checklist["groups"] for item in group["items"] if item["state"] == "open"]
    assert len(items) == 14  # Sluice looks at flags itself
    for item in items:
        body = {"state": "passed", "note": "looked at it", **({"person": "oscar"} if item["key"] == "on-call" else {})}
        token = rel
        if item["key"] == "certificates":
            body = {"state": "waived", "reason": "renewed tomorrow, still valid today", "expires_s": 86400}
            token = stack.mint("otto", ("operator",), kind="user")
        said = stack.api("PUT", f"{VERSION}/checklists/production/items/{item['key']}", body, token=token)
        assert said.status == 200, said
    assert blockers() == ["approval-missing"]
    refused = stack.api("POST", "/deployments", {"app": "inopnc", "environment": "production", "version": "v1.1.0"}, token=ci)
    assert refused.status == 409 and refused["code"] == "blocked" and len(refused["blockers"]) == 3
    for role in roles["approvals"]:
        signed = stack.api("POST", f"{VERSION}/signoffs", {"environment": "production", "role": role, "decision": "approve"},
                           token=person(role))
        assert signed.status == 201, signed
    assert signed["open"] is True and blockers() == []

    # it goes out
    made = stack.api("POST", "/deployments", {"app": "inopnc", "environment": "production", "version": "v1.1.0"}, token=ci)
    assert made.status == 202, made
    id = made["id"]
    done = stack.wait(id, "succeeded")
    assert done["acceptance"] == "pending" and [w["item"] for w in done["waivers"]] == ["certificates"]
    assert blockers() == ["not-accepted"]
    stack.release("v1.2.0")
    assert [b["code"] for b in stack.create("v1.2.0")["blockers"] if b["gate"] == "acceptance"] == ["not-accepted"]

    # afterwards: looked at, accepted, and only then cleaned up
    for kind in ("after", "success"):
        for group in stack.api("GET", f"/deployments/{id}/checklists/{kind}")["groups"]:
            for item in group["items"]:
                said = stack.api("PUT", f"/deployments/{id}/checklists/{kind}/items/{item['key']}", {"state": "passed"}, token=rel)
                assert said.status == 200, said
        assert said["complete"] is True
    stack.sql("UPDATE cleanup SET due_at = clock_timestamp()")
    assert stack.workload("blue")["spec"]["replicas"] > 0 and stack.workload("green")["spec"]["replicas"] > 0
    for role in roles["acceptance"]:
        said = stack.api("POST", f"/deployments/{id}/signoffs", {"role": role, "decision": "approve"}, token=person(role))
        assert said.status == 201, said
    assert said["acceptance"] == "accepted" and stack.deployment(id)["acceptance"] == "accepted"
    old = done["from"]["color"]
    until(lambda: "workload.scaled" in [record["action"] for record in stack.chain()], what="the previous version is scaled down")
    assert stack.workload(old)["spec"]["replicas"] == 0
    assert [b["gate"] for b in stack.create("v1.2.0")["blockers"] if b["gate"] == "acceptance"] == []
    actions = [record["action"] for record in stack.chain()]
    chain = ["gates.put", "gate.opened", "deployment.created", "traffic.switched", "deployment.succeeded", "deployment.accepted",
             "workload.scaled"]
    assert [a for a in chain if a in actions] == chain
    assert actions.index("gate.opened") < actions.index("deployment.accepted")
