"""Clusters: where they are, whether they answer, what they are used for."""

import pathlib
import re

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import call, together


@pytest.fixture
def kubeconfig(stack, name):
    """Writes kubeconfig files beside the stack's own: kubeconfig(server=…) → a file name."""
    own = pathlib.Path(stack.env["KUBECONFIG"])
    made = []

    def write(server=None):
        text = own.read_text()
        if server:
            text = re.sub(r"(server: *)\S+", r"\1" + server, text)
        path = own.with_name(f"{name}-{len(made)}")
        path.write_text(text)
        path.chmod(0o644)
        made.append(path)
        return path.name
    yield write
    for path in made:
        path.unlink()


def test_put_get_delete(stack, name, kubeconfig):
    body = {"kubeconfig_file": kubeconfig(), "context": "kubesim"}
    made = stack.api("PUT", f"/clusters/{name}", body)
    assert made.status == 201 and made["status"]["reachable"] is True
    got = stack.api("GET", f"/clusters/{name}")
    assert {key: got[key] for key in body} == body and got.headers["ETag"] == made.headers["ETag"]
    status = got["status"]
    assert status["version"] and status["uid"] and status["missing_permissions"] == [] and status["checked_at"]
    assert stack.api("PUT", f"/clusters/{name}", body).status == 200
    assert name in [cluster["name"] for cluster in stack.api("GET", "/clusters")["items"]]
    assert stack.api("DELETE", f"/clusters/{name}").status == 204
    refused(stack.api("GET", f"/clusters/{name}"), 404, "not-found")
    actions = [(record["action"], record["subject"]) for record in stack.chain("system")]
    assert ("cluster.put", name) in actions and ("cluster.deleted", name) in actions


def test_eight_at_once_make_one(stack, name):
    body = {"kubeconfig_file": "kubeconfig", "context": "kubesim"}
    for attempt in range(10):
        answers = together(8, lambda i: stack.api("PUT", f"/clusters/{name}-{attempt}", body))
        assert sorted(answer.status for answer in answers) == [200] * 7 + [201]


@pytest.mark.parametrize("body, field", [
    ({}, "/kubeconfig_file"),
    ({"kubeconfig_file": "kubeconfig", "in_cluster": True}, "/in_cluster"),
    ({"in_cluster": True, "context": "kubesim"}, "/context"),
    ({"in_cluster": False}, "/kubeconfig_file"),
    ({"in_cluster": True}, "/in_cluster"),
    ({"kubeconfig_file": "no-such-file"}, "/kubeconfig_file"),
    ({"kubeconfig_file": "../kubeconfig"}, "/kubeconfig_file"),
    ({"kubeconfig_file": "/etc/passwd"}, "/kubeconfig_file"),
    ({"kubeconfig_file": ".hidden"}, "/kubeconfig_file"),
    ({"kubeconfig_file": "kubeconfig", "context": "no-such-context"}, "/context"),
])
def test_refusals_name_the_field(stack, name, body, field):
    before = heads(stack)
    refused(stack.api("PUT", f"/clusters/{name}", body), 400, "invalid-body", field)
    assert heads(stack) == before


def test_one_that_does_not_answer_is_registered_and_reported(stack, name, kubeconfig, app):
    body = {"kubeconfig_file": kubeconfig("https://127.0.0.1:1"), "context": "kubesim"}
    made = stack.api("PUT", f"/clusters/{name}", body)
    assert made.status == 201
    status = made["status"]
    assert status["reachable"] is False and status["version"] is None and status["error"]
    answer = stack.api("PUT", f"/apps/{app}/environments/away", environment_body(app, cluster=name))
    assert refused(answer, 503, "cluster-unavailable").headers["Retry-After"]
    refused(stack.api("GET", f"/apps/{app}/environments/away"), 404, "not-found")
    ready = call("GET", stack.urls[0] + "/api/health/ready")
    assert ready.status == 200 and ready["checks"]["clusters"][name] == "unreachable", "reported, never deciding"


def test_environments_hold_their_cluster(stack, name, kubeconfig, app):
    body = {"kubeconfig_file": kubeconfig(), "context": "kubesim"}
    assert stack.api("PUT", f"/clusters/{name}", body).status == 201
    assert stack.api("PUT", f"/apps/{app}/environments/production", environment_body(app, cluster=name)).status == 201
    before = heads(stack)
    refused(stack.api("DELETE", f"/clusters/{name}"), 409, "in-use")
    away = {"kubeconfig_file": kubeconfig("https://127.0.0.1:1"), "context": "kubesim"}
    refused(stack.api("PUT", f"/clusters/{name}", away, headers={"If-Match": "*"}), 503, "cluster-unavailable")
    assert heads(stack) == before
    same = {"kubeconfig_file": kubeconfig(), "context": "kubesim"}
    assert stack.api("PUT", f"/clusters/{name}", same, headers={"If-Match": "*"}).status == 200


def test_status_of_an_environment_says_why_nothing_is_known(stack, name, kubeconfig, app):
    """Its Services do not exist, or its kubeconfig leads nowhere any more: GET still answers."""
    file = kubeconfig()
    assert stack.api("PUT", f"/clusters/{name}", {"kubeconfig_file": file, "context": "kubesim"}).status == 201
    assert stack.api("PUT", f"/apps/{app}/environments/production", environment_body(app, cluster=name)).status == 201
    status = stack.api("GET", f"/apps/{app}/environments/production")["status"]
    assert status["active"] is None and status["deployment"] is None and status["observed_at"]
    assert "does not exist" in status["error"]
