"""Environments and their manifests."""

import copy
import datetime

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import EXAMPLES, IMAGE


def test_put_answers_with_every_default(stack, app):
    body = environment_body(app)
    body["checks"] = {"health": [{"name": "health", "path": "/api/health"}]}
    del body["deadlines"], body["strategy"]
    for key in ("promote", "idle_rollout", "keep_previous_s"):
        del body["blue_green"][key]
    made = stack.api("PUT", f"/apps/{app}/environments/production", body)
    assert made.status == 201
    assert made["strategy"] == "blue-green"
    assert made["deadlines"] == {"available_s": 600, "checks_s": 120, "validate_s": 30}
    assert (made["blue_green"]["promote"], made["blue_green"]["idle_rollout"], made["blue_green"]["keep_previous_s"]) == \
        ("auto", "at-once", 86400)
    assert made["checks"] == {"reach": "auto", "smoke": [], "production": [], "health": [
        {"name": "health", "path": "/api/health", "method": "GET", "status": 200, "timeout_s": 5, "interval_s": 1,
         "consecutive": 1, "failures": 3}]}
    again = stack.api("PUT", f"/apps/{app}/environments/production", body)
    assert again.status == 200 and again.headers["ETag"] == made.headers["ETag"]
    full = {key: made[key] for key in ("cluster", "namespace", "container", "port", "strategy", "blue_green", "checks",
                                       "deadlines")}
    assert stack.api("PUT", f"/apps/{app}/environments/production", full).status == 200, "with defaults it is the same"
    got = stack.api("GET", f"/apps/{app}/environments/production")
    assert list(got.json)[:10] == ["app", "name", "cluster", "namespace", "container", "port", "strategy", "blue_green",
                                   "checks", "deadlines"]
    assert set(got["status"]) >= {"active", "previous", "deployment", "drift", "observed_at"}
    observed = datetime.datetime.fromisoformat(got["status"]["observed_at"])
    assert abs(observed - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=5)
    assert stack.api("GET", f"/apps/{app}/environments/production", headers={"If-None-Match": got.headers["ETag"]}).status \
        == 200, "the tag is the settings': the status may be another"


def change(body, pointer, value):
    body = copy.deepcopy(body)
    at = body
    keys = pointer.strip("/").split("/")
    for key in keys[:-1]:
        at = at[int(key) if isinstance(at, list) else key]
    at[int(keys[-1]) if isinstance(at, list) else keys[-1]] = value
    return body


@pytest.mark.parametrize("pointer, value, code, field", [
    ("/strategy", "canary", "not-supported", "/strategy"),
    ("/strategy", "rolling", "not-supported", "/strategy"),
    ("/strategy", "other", "invalid-body", "/strategy"),
    ("/blue_green/keep_previous_s", 29, "invalid-body", "/blue_green/keep_previous_s"),
    ("/blue_green/selector_key", "a b", "invalid-body", "/blue_green/selector_key"),
    ("/blue_green/colors/green/deployment", "same", "invalid-body", "/blue_green/colors/green/deployment"),
    ("/blue_green/colors", {"blue": {"deployment": "a", "service": "b"}}, "invalid-body", "/blue_green/colors/green"),
    ("/blue_green/colors/red", {"deployment": "a", "service": "b"}, "invalid-body", "/blue_green/colors/red"),
    ("/port", 0, "invalid-body", "/port"),
    ("/port", 65536, "invalid-body", "/port"),
    ("/port", "3000", "invalid-body", "/port"),
    ("/port", 3000.5, "invalid-body", "/port"),
    ("/deadlines/available_s", 0, "invalid-body", "/deadlines/available_s"),
    ("/deadlines/checks_s", 86401, "invalid-body", "/deadlines/checks_s"),
    ("/checks/health/0/path", "no-slash", "invalid-body", "/checks/health/0/path"),
    ("/checks/health/1/name", "health", "invalid-body", "/checks/health/1/name"),
    ("/checks/health/0/headers", {"Authorization": "Bearer secret"}, "invalid-body", "/checks/health/0/headers/Authorization"),
    ("/checks/health/0/json", {"status": "healthy"}, "invalid-body", "/checks/health/0/json/status"),
    ("/checks/smoke", [{"name": f"c{i}", "path": "/"} for i in range(17)], "invalid-body", "/checks/smoke"),
    ("/cluster", "no-such-cluster", "invalid-body", "/cluster"),
    ("/status", {}, "invalid-body", "/status"),
])
def test_refusals_name_the_field(stack, app, pointer, value, code, field):
    body = environment_body(app)
    body["blue_green"]["colors"]["blue"]["deployment"] = "same"
    before = heads(stack)
    refused(stack.api("PUT", f"/apps/{app}/environments/production", change(body, pointer, value)), 400, code, field)
    assert heads(stack) == before
    refused(stack.api("GET", f"/apps/{app}/environments/production"), 404, "not-found")


def test_law1_no_two_environments_name_one_object(stack, environment):
    second = environment + "-b"
    assert stack.api("PUT", f"/apps/{second}", {"image": IMAGE}).status == 201
    theirs = environment_body(environment)["blue_green"]
    for take in ({"service": theirs["service"]},
                 {"colors": {"blue": {"deployment": theirs["colors"]["blue"]["deployment"], "service": "x-service"},
                             "green": {"deployment": "y", "service": "y-service"}}},
                 {"colors": {"blue": {"deployment": "x", "service": "x-service"},
                             "green": {"deployment": "y", "service": theirs["colors"]["green"]["service"]}}}):
        body = environment_body(second)
        body["blue_green"] = {**body["blue_green"], **take}
        before = heads(stack)
        answer = refused(stack.api("PUT", f"/apps/{second}/environments/production", body), 409, "in-use")
        assert answer["environment"] == f"{environment}/production" and answer["object"]["kind"] in ("Service", "Deployment")
        assert heads(stack) == before
        blind = stack.mint("x", ("admin",), (second,))
        answer = stack.api("PUT", f"/apps/{second}/environments/production", body, token=blind)
        assert environment + "/" not in refused(answer, 409, "in-use").raw.decode(), "not the caller's to know"
    body = environment_body(environment, namespace="staging")
    assert stack.api("PUT", f"/apps/{second}/environments/staging", body).status == 201, "another namespace is another object"


def test_objects_are_given_up(stack, environment):
    second = environment + "-b"
    assert stack.api("PUT", f"/apps/{second}", {"image": IMAGE}).status == 201
    path = f"/apps/{environment}/environments/production"
    moved = stack.api("PUT", path, environment_body(environment + "-c"), headers={"If-Match": "*"})
    assert moved.status == 200, moved
    assert stack.api("PUT", f"/apps/{second}/environments/one", environment_body(environment)).status == 201
    assert stack.api("DELETE", path).status == 204
    assert stack.api("PUT", f"/apps/{second}/environments/two", environment_body(environment + "-c")).status == 201


def test_an_environment_needs_its_app(stack, name):
    refused(stack.api("PUT", f"/apps/{name}/environments/production", environment_body(name)), 404, "not-found")
    refused(stack.api("GET", f"/apps/{name}/environments"), 404, "not-found")
    refused(stack.api("GET", f"/apps/{name}/environments/production"), 404, "not-found")
    refused(stack.api("DELETE", f"/apps/{name}/environments/production"), 404, "not-found")


def test_list(stack, environment):
    assert stack.api("PUT", f"/apps/{environment}/environments/alpha", environment_body(environment + "-a")).status == 201
    page = stack.api("GET", f"/apps/{environment}/environments")
    assert [item["name"] for item in page["items"]] == ["alpha", "production"] and page["next_cursor"] is None
    assert all("status" in item for item in page["items"])


YAML = {"Content-Type": "application/yaml"}


def manifests(name):
    return (EXAMPLES / "manifests.yaml").read_text().replace("inopnc-", f"{name}-")


def test_manifests(stack, environment):
    path = f"/apps/{environment}/environments/production/manifests"
    refused(stack.api("GET", path), 404, "not-found")
    text = manifests(environment)
    made = stack.api("PUT", path, text, headers=YAML)
    assert made.status == 201 and made.raw.decode() == text, made
    got = stack.api("GET", path)
    assert got.raw.decode() == text and got.headers["Content-Type"].startswith("application/yaml")
    assert stack.api("PUT", path, text, headers=YAML).status == 200
    refused(stack.api("PUT", path, text + "\n# more\n", headers=YAML), 428, "precondition-required")
    changed = stack.api("PUT", path, text + "\n# more\n", headers={**YAML, "If-Match": got.headers["ETag"]})
    assert changed.status == 200 and changed.headers["ETag"] != got.headers["ETag"]
    records = [record for record in stack.chain(f"{environment}/production") if record["action"] == "manifests.put"]
    assert len(records) == 2 and records[1]["data"]["bytes"] == len(text) + 8


@pytest.mark.parametrize("edit", [
    lambda text, name: "a: [",
    lambda text, name: "",
    lambda text, name: "# nothing\n",
    lambda text, name: "\x00",
    lambda text, name: text.replace("kind: Deployment", "kind: Secret"),
    lambda text, name: text.replace("kind: Deployment", "kind: DaemonSet"),
    lambda text, name: text.replace("metadata:", "metadata:\n  namespace: other", 1),
    lambda text, name: text + f"\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}-prod}}\nspec: {{}}\n",
    lambda text, name: "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
], ids=["broken", "empty", "only a comment", "NUL", "secret", "kind", "namespace", "production service", "cluster-scoped"])
def test_manifests_that_are_refused(stack, environment, edit):
    path = f"/apps/{environment}/environments/production/manifests"
    before = heads(stack)
    text = edit(manifests(environment), environment)
    assert text != manifests(environment)
    refused(stack.api("PUT", path, text, headers=YAML), 400, "invalid-body", "")
    assert heads(stack) == before


def test_manifests_are_bounded(stack, environment):
    path = f"/apps/{environment}/environments/production/manifests"
    comment = "# " + "x" * 1000 + "\n"
    most = manifests(environment) + comment * ((1 << 20) // len(comment) - 10)
    assert stack.api("PUT", path, most, headers=YAML).status == 201
    refused(stack.api("PUT", path, "#" * ((1 << 20) + 1), headers=YAML), 413, "body-too-large")
    refused(stack.api("PUT", path, "{}", headers={"Content-Type": "application/json"}), 415, "unsupported-media-type")
