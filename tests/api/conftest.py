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
    """The chains with the last thing in them that somebody asked for: what is the same before and after a refusal.
    What workers still write of earlier tests' deployments is not looked at."""
    rows = stack.sql("""SELECT json_object_agg(chain, seq) FROM
                        (SELECT chain, max(seq) AS seq FROM record WHERE line::jsonb->>'from' <> 'worker' GROUP BY chain) AS r""")
    return json.loads(rows or "{}")


def refused(answer, status, code, field=None):
    """A problem of that status and code, with the right shape, that names the field."""
    assert (answer.status, answer["code"]) == (status, code), answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer["type"] == f"/api/docs/errors/{code}" and answer["status"] == status
    assert answer["title"] and answer["detail"] and answer["instance"].startswith("/")
    if field is not None:
        assert field in [error["field"] for error in answer["errors"]], answer
    return answer
