"""One stack for the black-box suites of the API; each test works under names of its own."""

import itertools
import json

import pytest

from tests.support.stack import EXAMPLES, IMAGE, Stack

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stack():
    with Stack() as stack:
        yield stack


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"app-{next(_numbers)}"


@pytest.fixture
def app(stack, name):
    assert stack.api("PUT", f"/apps/{name}", {"image": IMAGE}).status == 201
    return name


def environment_body(name, **changes):
    """INOPNC's environment with objects of its own, that nothing in the cluster answers for."""
    body = json.loads((EXAMPLES / "environment.json").read_text())
    body["blue_green"] = {
        **body["blue_green"], "service": f"{name}-prod",
        "colors": {color: {"deployment": f"{name}-{color}", "service": f"{name}-{color}-service"}
                   for color in ("blue", "green")}}
    body.update(changes)
    return body


@pytest.fixture
def environment(stack, app):
    """The name of an app with an environment called production."""
    answer = stack.api("PUT", f"/apps/{app}/environments/production", environment_body(app))
    assert answer.status == 201, answer
    return app


def ask_for(stack, app, before="before-deployment", **gates):
    """Production of an app asks for a checklist before a deployment, and for one after it."""
    answer = stack.api("PUT", f"/apps/{app}/environments/production/gates",
                       {"checklist": {"before": before, "after": "after-deployment"}, **gates}, headers={"If-Match": "*"})
    assert answer.status in (200, 201), answer


def heads(stack):
    """The chains with their heads: what is the same before and after a refusal."""
    chains, cursor = {}, ""
    while cursor is not None:
        page = stack.api("GET", f"/audit/chains?limit=200{cursor and '&cursor=' + cursor}")
        assert page.status == 200, page
        chains.update({chain["name"]: chain["head"] for chain in page["items"]})
        cursor = page["next_cursor"]
    return chains


def refused(answer, status, code, field=None):
    """A problem of that status and code, with the right shape, that names the field."""
    assert (answer.status, answer["code"]) == (status, code), answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer["type"] == f"/api/docs/errors/{code}" and answer["status"] == status
    assert answer["title"] and answer["detail"] and answer["instance"].startswith("/")
    if field is not None:
        assert field in [error["field"] for error in answer["errors"]], answer
    return answer
