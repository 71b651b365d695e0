"""What flags would become if they were what they are in another environment, and making them so."""

import json

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.api.test_flags import FLAG, STATE, document, flag, items, make, put, state
from tests.support.stack import together


@pytest.fixture
def two(stack, environment):
    """An app with production and staging."""
    assert stack.api("PUT", f"/apps/{environment}/environments/staging", environment_body(environment + "-s")).status == 201
    return environment


def place(app, what, env="production"):
    return f"/apps/{app}/environments/{env}/flags:{what}"


def diff(stack, app, env="production", source="staging"):
    answer = stack.api("GET", place(app, "diff", env) + f"?from={source}")
    assert answer.status == 200 and answer["next_cursor"] is None, answer
    return {one["flag"]: (one["before"], one["after"]) for one in answer["items"]}


def promote(stack, app, **body):
    headers = {"If-Match": body.pop("etag")} if "etag" in body else {}
    return stack.api("POST", place(app, "promote"), {"from": "staging", **body}, headers=headers)


OFF = {"enabled": False, "killed": False, "strategies": [], "default_variant": None, "requires_release": None}
ON = {**OFF, "enabled": True}


def test_the_difference(stack, two):
    for name in ("same", "new", "other", "unspoken", "here"):
        make(stack, two, name)
    put(stack, two, "same")
    put(stack, two, "same", env="staging", reason="another revision is no difference")
    put(stack, two, "new", env="staging", **STATE)
    put(stack, two, "other", strategies=[{"name": "default", "title": "x"}])
    put(stack, two, "other", env="staging")
    put(stack, two, "here")
    assert diff(stack, two) == {"new": (OFF, {**STATE, "killed": False}),
                                "other": ({**ON, "strategies": [{"name": "default", "title": "x"}]}, ON)}
    assert set(diff(stack, two, "staging", "production")) == {"here", "other"}, "what nobody spoke of there is left alone"
    first = stack.api("GET", place(two, "diff") + "?from=staging&limit=1")
    rest = stack.api("GET", place(two, "diff") + "?from=staging&limit=1&cursor=" + first["next_cursor"])
    assert [one["flag"] for one in first["items"] + rest["items"]] == ["new", "other"] and rest["next_cursor"] is None
    assert first.headers["ETag"] == rest.headers["ETag"]


def test_what_requires_a_release_is_not_promoted_where_an_older_one_serves(stack, two):
    make(stack, two, "new")
    stack.release("v2.0.0", two)
    stack.deployed("v2.0.0", two, "staging")
    put(stack, two, "new", env="staging", requires_release="v2.0.0")
    before = heads(stack)
    refused(promote(stack, two), 400, "invalid-body", "/flags/new")
    assert not stack.api("GET", state(two, "new"))["enabled"] and {two, f"{two}/production"} & {k for k, v in heads(stack).items() if before.get(k) != v} == set()


def test_promote_makes_all_of_it_one_revision(stack, two):
    stack.api("PUT", flag(two, "a"), FLAG)
    for name in ("b", "c"):
        make(stack, two, name)
    put(stack, two, "a", env="staging", enabled=False, default_variant="red")
    put(stack, two, "b", env="staging", **STATE)
    before = put(stack, two, "b", strategies=[])
    put(stack, two, "c")
    done = promote(stack, two, reason="Tested for a week")
    assert done.status == 200 and done["flags"] == ["a", "b"] and done["dry_run"] is False, done
    assert diff(stack, two) == {}
    now = {one["flag"]: one for one in items(stack, f"/apps/{two}/environments/production/flags")}
    assert now["a"]["default_variant"] == "red" and {key: now["b"][key] for key in STATE} == STATE and now["c"]["enabled"] is True
    assert now["a"]["revision"] == now["b"]["revision"] == done["revision"] == document(stack, two)["revision"]
    change = items(stack, state(two, "b") + "/history")[0]
    assert (change["action"], change["source"], change["reason"], change["revision"]) == \
        ("flag.promoted", "promote", "Tested for a week", done["revision"])
    assert change["before"] == ON and change["after"] == {**STATE, "killed": False}
    record = stack.chain(f"{two}/production")[-1]
    assert (record["action"], record["subject"]) == ("flag.promoted", "production")
    assert record["data"] == {"spec": {"flags": ["a", "b"]}, "from": "staging", "revision": done["revision"], "reason": "Tested for a week"}
    refused(stack.api("PUT", state(two, "b"), {"enabled": False}, headers={"If-Match": before.headers["ETag"]}), 412, "precondition-failed")
    chains = heads(stack)
    again = promote(stack, two)
    assert again.status == 200 and again["flags"] == [] and again["revision"] is None
    assert heads(stack) == chains, "nothing differs, nothing is left behind"


def test_a_dry_run_changes_nothing(stack, two):
    make(stack, two)
    put(stack, two, env="staging")
    chains = heads(stack)
    tried = promote(stack, two, dry_run=True)
    assert tried.status == 200 and (tried["flags"], tried["revision"], tried["dry_run"]) == (["checkout"], None, True)
    assert heads(stack) == chains and stack.api("GET", state(two))["revision"] == 0
    assert tried.headers["ETag"] == stack.api("GET", place(two, "diff") + "?from=staging").headers["ETag"]


def test_only_what_was_looked_at(stack, two):
    make(stack, two)
    put(stack, two, env="staging")
    etag = promote(stack, two, dry_run=True).headers["ETag"]
    put(stack, two, env="staging", enabled=False)
    refused(promote(stack, two, etag=etag), 412, "precondition-failed")
    etag = promote(stack, two, dry_run=True).headers["ETag"]
    make(stack, two, "another")
    refused(promote(stack, two, etag=etag), 412, "precondition-failed")
    put(stack, two, env="staging")
    etag = stack.api("GET", place(two, "diff") + "?from=staging").headers["ETag"]
    assert promote(stack, two, etag=etag)["flags"] == ["checkout"]


def test_some_flags(stack, two):
    for name in ("a", "b"):
        make(stack, two, name)
        put(stack, two, name, env="staging")
    refused(promote(stack, two, flags=["a", "x"]), 400, "invalid-body", "/flags/1")
    assert promote(stack, two, flags=["b"])["flags"] == ["b"]
    assert set(diff(stack, two)) == {"a"}


def test_the_kill_switch_is_not_promoted(stack, two):
    make(stack, two)
    put(stack, two, env="staging")
    assert stack.api("POST", state(two) + "/kill", {}).status == 200
    assert promote(stack, two)["flags"] == ["checkout"]
    now = stack.api("GET", state(two))
    assert now["killed"] is True and now["enabled"] is True
    assert stack.api("POST", state(two, env="staging") + "/kill", {}).status == 200
    assert diff(stack, two) == {}


def test_of_two_at_once_one_promotes(stack, two):
    for n in range(20):
        make(stack, two, f"f{n}")
        put(stack, two, f"f{n}", env="staging")
    answers = together(4, lambda i: promote(stack, two))
    assert sorted(len(answer["flags"]) for answer in answers) == [0, 0, 0, 20]


@pytest.mark.parametrize("body, field", [
    ({"from": "production"}, "/from"), ({"from": "nowhere"}, "/from"), ({"from": "A"}, "/from"), ({"from": None}, "/from"),
    ({"flags": []}, "/flags"), ({"flags": "checkout"}, "/flags"), ({"flags": ["x"]}, "/flags/0"), ({"dry_run": "yes"}, "/dry_run"),
], ids=json.dumps)
def test_bad_fields_are_named(stack, two, body, field):
    refused(promote(stack, two, **body), 400, "invalid-body", field)


def test_bad_differences(stack, two):
    path = place(two, "diff")
    for query in ("", "?from=production", "?from=nowhere", "?from=A"):
        refused(stack.api("GET", path + query), 400, "invalid-query", "from")
    refused(stack.api("GET", place(two, "diff", "nowhere") + "?from=staging"), 404, "not-found")
    refused(stack.api("POST", place(two, "promote", "nowhere"), {"from": "staging"}), 404, "not-found")


def test_scopes(stack, two):
    viewer, stranger = stack.mint("v", ("viewer",), (two,)), stack.mint("s", ("admin",), ("another",))
    assert stack.api("GET", place(two, "diff") + "?from=staging", token=viewer).status == 200
    for token in (viewer, stranger):
        refused(stack.api("POST", place(two, "promote"), {"from": "staging"}, token=token), 403, "forbidden")
    refused(stack.api("GET", place(two, "diff") + "?from=staging", token=stranger), 403, "forbidden")
