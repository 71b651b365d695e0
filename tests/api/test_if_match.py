"""If-Match wherever something is replaced: needed for other content, refused when it is stale, one of two at once wins."""

import json

import pytest

from tests.api.conftest import environment_body, refused
from tests.support.stack import EXAMPLES, together

JSON, YAML = {"Content-Type": "application/json"}, {"Content-Type": "application/yaml"}


def things(stack, app):
    """What can be replaced: path, media type, and the n-th content of it."""
    manifests = (EXAMPLES / "manifests.yaml").read_text().replace("inopnc-${COLOR}", app + "-${COLOR}")
    cluster = stack.api("GET", "/clusters/local").json
    place = {"kubeconfig_file": cluster["kubeconfig_file"]}
    return {
        "app": (f"/apps/{app}", JSON, lambda n: json.dumps({"description": f"number {n}"})),
        "cluster": (f"/clusters/{app}", JSON, lambda n: json.dumps({**place, "context": cluster["context"]} if n % 2 else place)),
        "environment": (f"/apps/{app}/environments/production", JSON,
                        lambda n: json.dumps(environment_body(app, deadlines={"available_s": 100 + n, "checks_s": 120,
                                                                              "validate_s": 30}))),
        "manifests": (f"/apps/{app}/environments/production/manifests", YAML, lambda n: manifests + f"\n# number {n}\n"),
    }


@pytest.fixture(params=["app", "cluster", "environment", "manifests"])
def thing(request, stack, app):
    all_ = things(stack, app)
    if request.param == "manifests":
        path, kind, content = all_["environment"]
        assert stack.api("PUT", path, content(0), headers=kind).status == 201
    return all_[request.param]


def put(stack, thing, n, **match):
    path, kind, content = thing
    return stack.api("PUT", path, content(n), headers={**kind, **{k.replace("_", "-"): v for k, v in match.items()}})


def test_what_is_replaced_is_named(stack, thing):
    assert put(stack, thing, 0, If_Match="*").status in (200, 201)
    first = stack.api("GET", thing[0]).headers["ETag"]
    assert first and put(stack, thing, 0).headers["ETag"] == first
    assert put(stack, thing, 0, If_Match='"stale"').status == 200, "equal content changes nothing and needs no name"
    refused(put(stack, thing, 1), 428, "precondition-required")
    refused(put(stack, thing, 1, If_Match='"stale"'), 412, "precondition-failed")
    assert stack.api("GET", thing[0]).headers["ETag"] == first
    second = put(stack, thing, 1, If_Match=f'"other", {first}')
    assert second.status == 200 and second.headers["ETag"] not in (None, first)
    assert stack.api("GET", thing[0]).headers["ETag"] == second.headers["ETag"]
    refused(put(stack, thing, 2, If_Match=first), 412, "precondition-failed")
    assert put(stack, thing, 2, If_Match="*").status == 200


def test_of_two_who_read_the_same_one_wins(stack, thing):
    if thing[0].startswith("/clusters"):
        pytest.skip("two contents are all that it has")
    assert put(stack, thing, 0, If_Match="*").status in (200, 201)
    etag = stack.api("GET", thing[0]).headers["ETag"]
    answers = together(8, lambda i: put(stack, thing, i + 1, If_Match=etag))
    assert sorted(a.status for a in answers) == [200] + [412] * 7


def test_what_is_deleted_may_be_named(stack, thing):
    if thing[0].endswith("/manifests"):
        pytest.skip("they are not deleted")
    assert put(stack, thing, 0, If_Match="*").status in (200, 201)
    refused(stack.api("DELETE", thing[0], headers={"If-Match": '"stale"'}), 412, "precondition-failed")
    etag = stack.api("GET", thing[0]).headers["ETag"]
    assert stack.api("DELETE", thing[0], headers={"If-Match": etag}).status == 204
    made = put(stack, thing, 0)
    assert made.status == 201 and made.headers["ETag"] != etag, "another one by the same name"
    refused(put(stack, thing, 1, If_Match=etag), 412, "precondition-failed")
    assert stack.api("DELETE", thing[0]).status == 204
    refused(put(stack, thing, 0, If_Match=etag), 412, "precondition-failed")
