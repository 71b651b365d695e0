"""Gates: why a version cannot be deployed, and who can change that."""

import time

import pytest

from tests.api.conftest import environment_body, refused
from tests.support.stack import EXAMPLES, IMAGE, until


def blockers(stack, app, query, env="production"):
    return stack.api("GET", f"/apps/{app}/environments/{env}/blockers{query}")


def codes(answer):
    assert answer.status == 200, answer
    assert answer["open"] == (answer["blockers"] == [])
    return [blocker["code"] for blocker in answer["blockers"]]


def test_blockers_name_what_a_create_refuses(stack, environment):
    for version in ("v1.0.0", "1.0.0"): # as it was asked for
        answer = blockers(stack, environment, f"?version={version}")
        assert codes(answer) == ["release-missing"] and f"no release {version}:" in answer["blockers"][0]["why"]
    assert stack.api("POST", f"/apps/{environment}/releases", {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"}).status == 201
    assert codes(blockers(stack, environment, "?version=1.0.0")) == []
    assert stack.api("POST", f"/apps/{environment}/releases/v1.0.0/yank", {"reason": "leaks"}).status == 200
    answer = blockers(stack, environment, "?version=v1.0.0")
    assert codes(answer) == ["release-yanked"]
    assert answer["blockers"][0] == {
        "gate": "release", "code": "release-yanked", "what": "v1.0.0",
        "why": "Release v1.0.0 was taken out of use: deploy another.", "who": ["releaser"],
        "link": f"/api/v1/apps/{environment}/releases/v1.0.0"}


def test_blockers_name_the_deployment_that_is_active(stack):
    stack.inopnc()
    stack.image("v1.0.0", ready_after_ms=60000)
    id = stack.deploy("v1.0.0")
    stack.release("v1.0.1")
    answer = blockers(stack, "inopnc", "?version=v1.0.1")
    assert codes(answer) == ["environment-busy"] and answer["blockers"][0]["what"] == id
    assert stack.api("POST", f"/deployments/{id}/abort").status == 200
    stack.wait(id, "aborted")
    assert codes(blockers(stack, "inopnc", "?version=v1.0.1")) == []


@pytest.mark.parametrize("query, field", [("", "version"), ("?version=latest", "version"), ("?version=v1.0.0&app=x", "app")])
def test_bad_queries_name_the_field(stack, environment, query, field):
    answer = refused(blockers(stack, environment, query), 400, "invalid-query")
    assert field in str(answer.json)


def test_an_environment_that_is_not_there(stack, app):
    refused(blockers(stack, app, "?version=v1.0.0", "staging"), 404, "not-found")


def gates_are(stack, app, spec):
    """Sets them; returns what the environment's record says of its gates once everybody's were looked at again."""
    answer = stack.api("PUT", f"/apps/{app}/environments/production/gates", spec, headers={"If-Match": "*"})
    assert answer.status in (200, 201), answer
    until(lambda: stack.sql("SELECT count(*) FROM gate_state s JOIN environment e ON e.id = s.environment_id "
                            f"WHERE e.app = '{app}' AND s.look_at <= clock_timestamp()") == "0", what="the gates are looked at")
    return [(r["action"], r["subject"]) for r in stack.chain(f"{app}/production") if r["action"].startswith("gate.")]


def test_what_was_always_open_never_opened(stack, environment):
    """Where nothing is asked for, nothing opens; gates that come close it, and gates that go open it."""
    stack.release("v1.0.0", environment)
    evidence = {"item": "tests", "state": "passed", "source": "ci", "summary": "all passed", "environment": "production"}
    answer = stack.api("POST", f"/apps/{environment}/releases/v1.0.0/evidence", evidence, token=stack.mint())
    assert answer.status == 201 and answer["open"] is True, answer
    assert gates_are(stack, environment, {}) == []
    closed = [("gate.closed", "v1.0.0")]
    assert gates_are(stack, environment, {"approvals": [{"role": "qa", "count": 1}]}) == closed
    assert gates_are(stack, environment, {}) == [*closed, ("gate.opened", "v1.0.0")]


# ---- a create asks ----


@pytest.fixture
def gated(stack):
    """inopnc, whose production asks for one approval of QA; nothing is asked for any more afterwards."""
    stack.inopnc()
    path = "/apps/inopnc/environments/production/gates"
    assert stack.api("PUT", path, {"approvals": [{"role": "qa", "count": 1}]}, headers={"If-Match": "*"}).status in (200, 201)
    yield stack
    for freeze in stack.api("GET", "/freezes?app=inopnc&active=true")["items"]:
        stack.api("DELETE", f"/freezes/{freeze['id']}")
    assert stack.api("PUT", path, {}, headers={"If-Match": "*"}).status == 200


def approve(stack, version, decision="approve", subject="quentin"):
    token = stack.mint(subject, ("approver:qa",), kind="user")
    return stack.api("POST", f"/apps/inopnc/releases/{version}/signoffs",
                     {"environment": "production", "role": "qa", "decision": decision}, token=token)


def freeze(stack, seconds, **fields):
    made = stack.api("POST", "/freezes", {
        "app": "inopnc", "reason": "holidays",
        "starts_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5)),
        "ends_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds)), **fields})
    assert made.status == 201, made
    return made["id"]


def actions(stack, id):
    return [record["action"] for record in stack.api("GET", f"/deployments/{id}/records?limit=200")["items"]]


def test_a_create_is_refused_with_its_blockers_and_goes_through_with_the_approval(gated):
    gated.release("v3.0.0")
    answer = refused(gated.create("v3.0.0"), 409, "blocked")
    assert [blocker["code"] for blocker in answer["blockers"]] == ["approval-missing"]
    assert answer["blockers"][0]["who"] == ["approver:qa"]
    dry = gated.create("v3.0.0", dry_run=True)
    assert dry.status == 200 and [b["code"] for b in dry["gates"]] == ["approval-missing"]
    assert approve(gated, "v3.0.0")["open"] is True
    made = gated.create("v3.0.0")
    assert made.status == 202, made
    done = gated.wait(made["id"], "succeeded")
    assert [s["name"] for s in done["steps"] if s["name"].endswith("gates")] == ["check-gates", "recheck-gates"]
    assert all(s["state"] in ("done", "skipped") for s in done["steps"])


def test_one_that_waits_begins_when_its_gates_open(gated):
    gated.release("v3.1.0")
    made = gated.create("v3.1.0", params={"wait": True})
    assert made.status == 202 and made["state"] == "blocked" and made["steps"] == [] and made["started_at"] is None
    assert made["to"]["color"] is None and made["to"]["version"] == "v3.1.0"
    assert [b["code"] for b in made["blockers"]] == ["approval-missing"]
    assert made.json == gated.deployment(made["id"])
    assert approve(gated, "v3.1.0").status == 201
    gated.wait(made["id"], "succeeded")
    assert actions(gated, made["id"])[:3] == ["deployment.created", "deployment.blocked", "deployment.started"]


def test_one_that_waits_is_canceled(gated):
    gated.release("v3.2.0")
    id = gated.create("v3.2.0", params={"wait": True})["id"]
    assert gated.api("POST", f"/deployments/{id}/cancel").status == 200
    assert approve(gated, "v3.2.0").status == 201
    assert gated.deployment(id)["state"] == "canceled"


def test_time_opens_a_freeze_and_what_waits_begins(gated):
    gated.release("v3.3.0")
    assert approve(gated, "v3.3.0").status == 201
    freeze(gated, 3)
    answer = refused(gated.create("v3.3.0"), 409, "blocked")
    assert [b["code"] for b in answer["blockers"]] == ["frozen"] and answer["opens_at"]
    id = gated.create("v3.3.0", params={"wait": True})["id"]
    gated.wait(id, "succeeded")


def test_a_freeze_pauses_what_runs_until_it_is_resumed_after_it(gated):
    gated.release("v3.4.0")
    assert approve(gated, "v3.4.0").status == 201
    id = gated.create("v3.4.0", params={"promote": "manual"})["id"]
    gated.wait_state(id, "paused")
    selects = gated.selector()
    frozen = freeze(gated, 3600)
    assert gated.api("POST", f"/deployments/{id}/promote").status == 200
    gated.wait_state(id, "paused")
    step = next(s for s in gated.deployment(id)["steps"] if s["name"] == "recheck-gates")
    assert "holidays" in step["detail"] and gated.selector() == selects
    assert gated.api("DELETE", f"/freezes/{frozen}").status == 204
    assert gated.api("POST", f"/deployments/{id}/resume").status == 200
    gated.wait(id, "succeeded")


def test_what_is_withdrawn_before_the_switch_ends_it_and_after_it_comes_too_late(gated):
    gated.release("v3.5.0")
    given = approve(gated, "v3.5.0")
    id = gated.create("v3.5.0", params={"promote": "manual"})["id"]
    gated.wait_state(id, "paused")
    token = gated.mint("quentin", ("approver:qa",), kind="user")
    gone = gated.api("DELETE", f"/apps/inopnc/releases/v3.5.0/signoffs/{given['id']}", token=token)
    assert gone.status == 200 and gone["effective"] is True and gone["open"] is False
    assert gated.api("POST", f"/deployments/{id}/promote").status == 200
    assert gated.wait(id, "failed")["failure"]["code"] == "gate-closed"
    given = approve(gated, "v3.5.0")
    id = gated.create("v3.5.0")["id"]
    gated.wait(id, "succeeded")
    late = gated.api("DELETE", f"/apps/inopnc/releases/v3.5.0/signoffs/{given['id']}", token=token)
    assert late["effective"] is False and late["deployment"] == id


def test_rollbacks_go_through_whatever_is_closed(gated):
    gated.release("v3.6.0")
    assert approve(gated, "v3.6.0").status == 201
    gated.wait(gated.create("v3.6.0")["id"], "succeeded")
    freeze(gated, 3600)
    refused(gated.create("v3.6.0"), 409, "blocked")
    back = gated.api("POST", "/apps/inopnc/environments/production/rollback", {"reason": "it smells"})
    assert back.status == 200, back


def test_traffic_by_hand_is_asked_about_too(gated):
    for version in ("v3.7.0", "v3.7.1"):
        gated.release(version)
        assert approve(gated, version).status == 201
        gated.wait(gated.create(version)["id"], "succeeded")
    back = gated.api("POST", "/apps/inopnc/environments/production/rollback", {"reason": "it smells"})
    assert back.status == 200, back
    gated.wait(back["id"], "succeeded")
    other = gated.status()["previous"]["color"]
    body = {"color": other, "reason": "it did not smell"}
    frozen = freeze(gated, 3600)
    answer = refused(gated.api("POST", "/apps/inopnc/environments/production/traffic", body), 409, "blocked")
    assert [b["code"] for b in answer["blockers"]] == ["frozen"] and gated.selector() != other
    assert gated.api("DELETE", f"/freezes/{frozen}").status == 204
    moved = gated.api("POST", "/apps/inopnc/environments/production/traffic", body)
    assert moved.status == 200 and moved["kind"] == "traffic", moved
    gated.wait(moved["id"], "succeeded")


@pytest.fixture
def staged(stack, environment):
    """An app whose production asks for a success in staging first, with release v1.0.0."""
    staging = stack.api("PUT", f"/apps/{environment}/environments/staging", environment_body(f"{environment}-s"))
    assert staging.status == 201, staging
    gates = stack.api("PUT", f"/apps/{environment}/environments/production/gates", {"previous_environment": "staging"})
    assert gates.status == 201, gates
    stack.release("v1.0.0", environment)
    return environment


def test_a_success_elsewhere_opens_and_its_end_closes(stack, staged):
    def version():
        return int(stack.sql(f"SELECT gate_version FROM environment WHERE app = '{staged}' AND name = 'production'"))

    assert codes(blockers(stack, staged, "?version=v1.0.0")) == ["not-deployed-there"]
    stack.deployed("v1.0.0", staged, "staging", "running")
    before = version()
    stack.sql(f"UPDATE deployment SET state = 'succeeded' WHERE app = '{staged}'")
    assert codes(blockers(stack, staged, "?version=v1.0.0")) == [] and version() == before + 1
    stack.sql(f"UPDATE deployment SET rolled_back_by = id WHERE app = '{staged}'")
    assert codes(blockers(stack, staged, "?version=v1.0.0")) == ["not-deployed-there"] and version() == before + 2


def test_one_that_waits_ends_with_its_environment(stack, staged):
    made = stack.create("v1.0.0", staged, params={"wait": True})
    assert made.status == 202 and made["state"] == "blocked", made
    assert stack.api("DELETE", f"/apps/{staged}/environments/production").status == 204
    stack.wait(made["id"], "canceled")


def test_one_that_waits_and_cannot_begin_fails(stack, staged):
    manifests = (EXAMPLES / "manifests.yaml").read_text().replace("inopnc-", f"{staged}-")
    path = f"/apps/{staged}/environments/production"
    assert stack.api("PUT", f"{path}/manifests", manifests, headers={"Content-Type": "application/yaml"}).status == 201
    made = stack.create("v1.0.0", staged, params={"wait": True})
    assert made["state"] == "blocked", made
    other = environment_body(f"{staged}-o", namespace="elsewhere")
    assert stack.api("PUT", path, other, headers={"If-Match": "*"}).status == 200  # the manifests fit no more
    assert stack.api("PUT", f"{path}/gates", {}, headers={"If-Match": "*"}).status == 200
    ended = stack.wait(made["id"], "failed")
    assert ended["failure"]["code"] == "invalid-target" and ended["started_at"] is None and ended["failure"]["hint"]


def test_a_yanked_release_is_not_switched_to(gated):
    gated.release("v3.8.0")
    assert approve(gated, "v3.8.0").status == 201
    id = gated.create("v3.8.0", params={"promote": "manual"})["id"]
    gated.wait_state(id, "paused")
    assert gated.api("POST", "/apps/inopnc/releases/v3.8.0/yank", {"reason": "leaks"}).status == 200
    assert gated.api("POST", f"/deployments/{id}/promote").status == 200
    ended = gated.wait(id, "failed")
    assert ended["failure"]["code"] == "gate-closed" and "out of use" in ended["failure"]["detail"]
