"""Deployments over HTTP: create, list, get, abort.  What they do to the cluster is tests/e2e's."""

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import IMAGE, call, together, until


@pytest.fixture(scope="module")
def inopnc(stack):
    """INOPNC with v1.0.0 serving."""
    stack.inopnc()
    stack.image("v1.0.0")  # whatever others did to it
    stack.wait(stack.deploy("v1.0.0"), "succeeded")
    return stack


@pytest.fixture
def slow(inopnc):
    """A deployment that waits for pods, aborted when the test is over."""
    version = f"v9.0.{int(inopnc.sql('SELECT count(*) FROM deployment'))}"
    inopnc.image(version, ready_after_ms=60000)
    id = inopnc.deploy(version)
    yield id
    if inopnc.deployment(id)["state"] == "running":
        assert inopnc.api("POST", f"/deployments/{id}/abort").status == 200
    until(lambda: inopnc.deployment(id)["state"] in ("aborted", "failed", "succeeded"), 60)


def test_create_answers_as_get_does(inopnc):
    inopnc.release("v1.0.1")
    made = inopnc.create("v1.0.1", reason="a fix")
    assert made.status == 202 and made.headers["Location"] == f"/api/v1/deployments/{made['id']}"
    assert (made["app"], made["environment"], made["version"], made["strategy"], made["kind"], made["state"], made["reason"]) \
        == ("inopnc", "production", "v1.0.1", "blue-green", "deploy", "running", "a fix")
    assert made["from"]["version"] == "v1.0.0" and made["from"]["color"] != made["to"]["color"]
    assert made["to"]["image"] == f"{IMAGE}:v1.0.1" and made["failure"] is None and made["ended_at"] is None
    # others may have given this environment gates
    assert [step["name"] for step in made["steps"] if not step["name"].endswith("check-gates")] == [
        "resolve", "apply", "await-available", "health-checks", "smoke-checks", "promote", "switch-traffic",
        "await-endpoints", "validate-production", "keep-previous"]
    assert made["links"] == {"self": f"/api/v1/deployments/{made['id']}",
                             "records": f"/api/v1/deployments/{made['id']}/records",
                             "events": f"/api/v1/deployments/{made['id']}/events",
                             "environment": "/api/v1/apps/inopnc/environments/production"}
    done = inopnc.wait(made["id"], "succeeded")
    assert list(done) == list(made.json) and done["ended_at"] and all(
        step["state"] in ("done", "skipped") for step in done["steps"])
    actions = [record["action"] for record in inopnc.chain() if record["subject"] == made["id"]]
    assert actions[:2] == ["deployment.created", "deployment.started"] and actions[-1] == "deployment.succeeded"


def test_law1_sixteen_creates_at_once_start_one(inopnc):
    version = f"v1.1.{int(inopnc.sql('SELECT count(*) FROM deployment'))}"
    inopnc.release(version)
    answers = together(16, lambda i: inopnc.create(version))
    assert sorted(answer.status for answer in answers) == [202] + [409] * 15
    made = next(answer for answer in answers if answer.status == 202)
    for answer in answers:
        if answer.status == 409:
            refused(answer, 409, "environment-busy")
            assert answer["deployment"] == made["id"] and answer.headers["Location"].endswith(made["id"])
    inopnc.wait(made["id"], "succeeded")


def test_list_filters_and_pages(inopnc):
    everything = inopnc.api("GET", "/deployments?app=inopnc&limit=200")["items"]
    assert [item["id"] for item in everything] == sorted((item["id"] for item in everything), reverse=True)
    found, cursor = [], ""
    while cursor is not None:
        page = inopnc.api("GET", f"/deployments?app=inopnc&limit=1{cursor and '&cursor=' + cursor}")
        found += page["items"]
        cursor = page["next_cursor"]
    assert [item["id"] for item in found] == [item["id"] for item in everything]
    assert {item["version"] for item in inopnc.api("GET", "/deployments?app=inopnc&version=1.0.0")["items"]} == {"v1.0.0"}
    assert inopnc.api("GET", "/deployments?app=inopnc&environment=staging")["items"] == []
    assert all(item["state"] == "succeeded" for item in inopnc.api("GET", "/deployments?state=succeeded")["items"])
    assert inopnc.api("GET", "/deployments?state=queued")["items"] == []
    for query, name in (("state=done", "state"), ("version=latest", "version"), ("app=A", "app"), ("environment=_", "environment"),
                        ("cursor=x", "cursor"), ("limit=0", "limit"), ("limit=201", "limit"), ("color=blue", "color")):
        refused(inopnc.api("GET", f"/deployments?{query}"), 400, "invalid-query", name)
    other = inopnc.mint("v", ("viewer",), ("other",))
    assert inopnc.api("GET", "/deployments", token=other)["items"] == []
    refused(inopnc.api("GET", f"/deployments/{everything[0]['id']}", token=other), 403, "forbidden")


def test_get_of_nothing(inopnc):
    refused(inopnc.api("GET", "/deployments/01890000-0000-7000-8000-000000000000"), 404, "not-found")
    assert refused(inopnc.api("GET", "/deployments/17"), 400, "invalid-path")["parameter"] == "id"


@pytest.mark.parametrize("fields, code, field", [
    ({"strategy": "canary"}, "not-supported", "/strategy"),
    ({"strategy": "magic"}, "invalid-body", "/strategy"),
    ({"scheduled_at": "2030-01-01T00:00:00Z"}, "not-supported", "/scheduled_at"),
    ({"scheduled_at": "tomorrow"}, "invalid-body", "/scheduled_at"),
    ({"queue": True}, "not-supported", "/queue"),
    ({"params": {"promote": "never"}}, "invalid-body", "/params/promote"),
    ({"params": {"wait": 60}}, "invalid-body", "/params/wait"),
    ({"params": {"other": 1}}, "invalid-body", "/params/other"),
    ({"version": "newest"}, "invalid-body", "/version"),
])
def test_what_cannot_be_asked_for(inopnc, fields, code, field):
    before = heads(inopnc)
    refused(inopnc.api("POST", "/deployments", {"app": "inopnc", "environment": "production", "version": "v1.0.0", **fields}),
            400, code, field)
    assert heads(inopnc) == before


def test_what_is_spelt_out_but_default_is_fine(inopnc):
    refused(inopnc.create("v7.7.7", strategy="blue-green", queue=False, dry_run=False, params={"promote": "auto", "wait": False}),
            404, "not-found")


def test_not_found_names_which(inopnc):
    assert "release v7.7.7" in refused(inopnc.create("v7.7.7"), 404, "not-found")["detail"]
    answer = inopnc.api("POST", "/deployments", {"app": "inopnc", "environment": "moon", "version": "v1.0.0"})
    assert "environment moon" in refused(answer, 404, "not-found")["detail"]
    answer = inopnc.create("v1.0.0", token=None) if False else inopnc.api(
        "POST", "/deployments", {"app": "other", "environment": "production", "version": "v1.0.0"},
        token=inopnc.mint("ci", ("ci",), ("inopnc",)))
    refused(answer, 403, "forbidden")


def test_manifests_that_do_not_fit_the_environment(inopnc):
    inopnc.release("v1.9.9", manifests="apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n")
    before = heads(inopnc)
    answer = refused(inopnc.create("v1.9.9"), 400, "invalid-body", "/version")
    assert "Secret" in answer["errors"][0]["detail"]
    assert heads(inopnc) == before


def test_an_unreachable_cluster_is_503_and_starts_nothing(inopnc):
    inopnc.release("v1.8.0")
    before = heads(inopnc)
    inopnc.faults({"user_agent": "sluiced", "verb": "GET", "path": "inopnc-prod", "action": {"status": 500}})
    try:
        answer = refused(inopnc.create("v1.8.0"), 503, "cluster-unavailable")
        assert answer.headers["Retry-After"]
    finally:
        inopnc.faults()
    assert heads(inopnc) == before


def test_busy_environments_stay_where_they_are(inopnc, slow):
    path = "/apps/inopnc/environments/production"
    spec = inopnc.api("GET", path)
    assert spec["status"]["deployment"] == slow
    body = {key: spec[key] for key in ("cluster", "namespace", "container", "port", "strategy", "blue_green", "checks",
                                       "deadlines")}
    before = heads(inopnc)
    answer = refused(inopnc.api("PUT", path, {**body, "namespace": "other"}, headers={"If-Match": "*"}), 409,
                     "environment-busy")
    assert answer["deployment"] == slow
    assert refused(inopnc.api("DELETE", path), 409, "in-use")["deployment"] == slow
    assert [r for r in heads(inopnc).items() if r[0] == "system"] == [r for r in before.items() if r[0] == "system"]
    slower = {**body, "deadlines": {**body["deadlines"], "checks_s": body["deadlines"]["checks_s"] + 1}}
    assert inopnc.api("PUT", path, slower, headers={"If-Match": "*"}).status == 200, "what does not move it may change"


def test_abort(inopnc, slow):
    inopnc.wait_step(slow, "await-available", ("running", "waiting"))
    answer = inopnc.api("POST", f"/deployments/{slow}/abort", {"reason": "changed my mind"})
    assert answer.status == 200 and answer["state"] in ("undoing", "aborted") and answer["id"] == slow
    assert inopnc.wait(slow, "aborted")["failure"]["code"] == "aborted"
    again = refused(inopnc.api("POST", f"/deployments/{slow}/abort"), 409, "wrong-state")
    assert (again["state"], again["allowed"]) == ("aborted", [])


def test_abort_of_nothing(inopnc):
    refused(inopnc.api("POST", "/deployments/01890000-0000-7000-8000-000000000000/abort"), 404, "not-found")
    refused(inopnc.api("POST", "/deployments/x/abort"), 400, "invalid-path")


def test_status_comes_in_milliseconds(inopnc):
    import time
    path = "/apps/inopnc/environments/production"
    inopnc.api("GET", path)
    took = []
    for _ in range(20):
        began = time.monotonic()
        status = inopnc.api("GET", path)["status"]
        took.append(time.monotonic() - began)
    assert status["active"]["ready"] == 3 and status["active"]["color"] in ("blue", "green")
    assert sorted(took)[10] < 0.05, took


def test_a_second_environment_is_not_busy(inopnc, slow, environment):
    """Its own objects do not exist: the plan stands, and resolve says what is missing."""
    assert inopnc.api("POST", f"/apps/{environment}/releases", {"version": "v1.0.0", "image": IMAGE}).status == 201
    answer = inopnc.create("v1.0.0", environment)
    assert answer.status == 202, answer
    done = until(lambda: (lambda d: d["state"] in ("failed", "stuck") and d)(inopnc.deployment(answer["id"])), 30)
    assert done["failure"]["detail"] and environment_body(environment)["blue_green"]["service"] in str(done["failure"])


def test_verbs_of_what_is_over_are_refused_when_its_environment_is_gone(stack, environment):
    stack.release("v1.0.0", environment)
    id = stack.deployed("v1.0.0", environment, state="failed")
    assert stack.api("DELETE", f"/apps/{environment}/environments/production").status == 204
    for verb in ("abort", "promote", "pause", "resume", "cancel", "retry"):
        refused(stack.api("POST", f"/deployments/{id}/{verb}", {}), 409, "wrong-state")
    for outcome in ("failed", "succeeded"):
        refused(stack.api("POST", f"/deployments/{id}/resolve", {"as": outcome, "reason": "x"}), 409, "wrong-state")
