"""Flags: what they are, what they are in an environment, segments, and their history."""

import http.client
import json
import pathlib
import urllib.parse
import uuid

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import together

FLAG = {"description": "The new checkout", "type": "experiment", "value_type": "string", "impression_data": True,
        "variants": [{"name": "blue", "weight": 500, "payload": {"type": "string", "value": "#00f"}},
                     {"name": "red", "weight": 500, "weight_type": "variable", "stickiness": "userId",
                      "overrides": [{"context_name": "userId", "values": ["7"]}]}],
        "dependencies": [], "stale_after": "2099-01-01T00:00:00.000Z"}
DEFAULTS = {"description": "", "type": "release", "value_type": "boolean", "impression_data": False, "variants": [],
            "dependencies": [], "stale_after": None}
SEGMENT = {"description": "Those who asked for it", "constraints": [
    {"context_name": "userId", "operator": "IN", "values": ["7", "12"], "inverted": False}]}
STATE = {"enabled": True, "strategies": [
    {"name": "flexibleRollout", "title": "A quarter", "parameters": {"rollout": "25", "stickiness": "default", "groupId": "g"},
     "constraints": [{"context_name": "country", "operator": "NOT_IN", "values": ["de"]}]}], "default_variant": None, "requires_release": None}
STAR = {"If-Match": "*"}


def flag(app, name="checkout"):
    return f"/apps/{app}/flags/{name}"


def segment(app, name="beta"):
    return f"/apps/{app}/segments/{name}"


def state(app, name="checkout", env="production"):
    return f"/apps/{app}/environments/{env}/flags/{name}"


def make(stack, app, name="checkout", **body):
    made = stack.api("PUT", flag(app, name), body)
    assert made.status == 201, made
    return made


def put(stack, app, name="checkout", env="production", **body):
    answer = stack.api("PUT", state(app, name, env), {"enabled": True, **body}, headers=STAR)
    assert answer.status in (200, 201), answer
    return answer


def items(stack, path):
    answer = stack.api("GET", path)
    assert answer.status == 200 and answer["next_cursor"] is None, answer
    return answer["items"]


def document(stack, app):
    """What the evaluator is given: the statement itself, as the server runs it."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "db/sql/flag/document.sql").read_text()
    text = text.replace("$1", f"'{app}'").replace("$2", "'production'")
    return json.loads(stack.sql(f"SELECT row_to_json(t) FROM ({text.strip().rstrip(';')}) t"))


# ---- definitions ----

def test_put_get(stack, app):
    refused(stack.api("GET", flag(app)), 404, "not-found")
    made = stack.api("PUT", flag(app), {**FLAG, "name": "checkout", "reason": "INOPNC-412"})
    assert made.status == 201, made
    got = stack.api("GET", flag(app))
    assert got.status == 200 and got.json == made.json and got.headers["ETag"] == made.headers["ETag"]
    assert {key: got[key] for key in FLAG} == FLAG
    assert (got["app"], got["name"], got["stale"], got["revision"]) == (app, "checkout", False, 1)
    assert list(got.json)[2:9] == list(FLAG) and list(got["variants"][1]) == list(FLAG["variants"][1]), "the contract's order"
    record = stack.chain(app)[-1]
    assert (record["action"], record["subject"]) == ("flag.put", "checkout")
    assert record["data"] == {"spec": FLAG, "revision": 1, "source": "api", "reason": "INOPNC-412"}
    assert "INOPNC-412" in record["message"] and record["actor"]["subject"]


def test_defaults_and_what_is_equal(stack, app):
    made = stack.api("PUT", flag(app), {"description": None})
    assert {key: made[key] for key in DEFAULTS} == DEFAULTS
    before = heads(stack)
    again = stack.api("PUT", flag(app), {**DEFAULTS, "reason": "no change"})
    assert again.status == 200 and again.headers["ETag"] == made.headers["ETag"]
    assert heads(stack) == before and again["revision"] == made["revision"]


def test_what_is_replaced_is_named(stack, app):
    for path, one, two in ((flag(app), {}, {"description": "x"}), (segment(app), SEGMENT, {"constraints": []})):
        refused(stack.api("PUT", path, one, headers={"If-Match": '"x"'}), 412, "precondition-failed")
        etag = stack.api("PUT", path, one).headers["ETag"]
        refused(stack.api("PUT", path, two), 428, "precondition-required")
        refused(stack.api("PUT", path, two, headers={"If-Match": '"x"'}), 412, "precondition-failed")
        assert stack.api("PUT", path, two, headers={"If-Match": etag}).status == 200
        refused(stack.api("PUT", path, one, headers={"If-Match": etag}), 412, "precondition-failed")
        refused(stack.api("DELETE", path, headers={"If-Match": etag}), 412, "precondition-failed")


def test_of_eight_one_makes_it_and_one_replaces_it(stack, environment):
    make(stack, environment)
    for path, key in ((flag(environment, "race"), "description"), (state(environment), "reason")):
        answers = together(8, lambda i: stack.api("PUT", path, {"description": f"n{i}"} if key == "description" else
                                                  {"enabled": True, "strategies": [{"name": "userWithId", "parameters": {"userIds": str(i)}}]}))
        assert sorted(answer.status for answer in answers) == [201] + [428] * 7
    revisions = [change["revision"] for change in items(stack, flag(environment, "race") + "/history")]
    assert len(revisions) == 1, "who was refused left no revision"


NAMES_OK = ["a", "newCheckout", "team.checkout_v2", "A-1~x", "7", "a" * 100]
NAMES_BAD = ["-a", ".a", "_a", "a%20b", "a:b", "%C3%A4", "a" * 101, "a,b", "a%2Bb"]


@pytest.mark.parametrize("called", NAMES_OK)
def test_names_of_flags_are_those_that_clients_use(stack, app, called):
    assert stack.api("PUT", flag(app, called), {}).status == 201
    assert stack.api("PUT", segment(app, called), SEGMENT).status == 201
    assert stack.api("GET", flag(app, called))["name"] == called


@pytest.mark.parametrize("called", NAMES_BAD)
def test_bad_names(stack, app, called):
    refused(stack.api("PUT", flag(app, called), {}), 400, "invalid-path")
    refused(stack.api("PUT", segment(app, called), SEGMENT), 400, "invalid-path")


@pytest.mark.parametrize("body, field", [
    ({"type": "toggle"}, "/type"),
    ({"value_type": "int"}, "/value_type"),
    ({"name": "other"}, "/name"),
    ({"stale_after": "soon"}, "/stale_after"),
    ({"stale_after": 30}, "/stale_after"),
    ({"enabled": True}, "/enabled"),
    ({"variants": [{"name": "a"}]}, "/variants/0/weight"),
    ({"variants": [{"name": "a", "weight": -1}]}, "/variants/0/weight"),
    ({"variants": [{"name": "a", "weight": 1, "payload": {"type": "xml", "value": ""}}]}, "/variants/0/payload/type"),
    ({"variants": [{"name": "a", "weight": 1, "payload": {"type": "json", "value": "{"}}]}, "/variants/0/payload/value"),
    ({"variants": [{"name": "a", "weight": 1, "x": 1}]}, "/variants/0/x"),
    ({"variants": [{"name": "a", "weight": 1}, {"name": "a", "weight": 2}]}, "/variants/1/name"),
    ({"value_type": "number", "variants": [{"name": "a", "weight": 1, "payload": {"type": "string", "value": "x"}}]},
     "/variants/0/payload/type"),
    ({"dependencies": [{"flag": "nothing"}]}, "/dependencies/0/flag"),
    ({"dependencies": [{"flag": "checkout"}]}, "/dependencies/0/flag"),
    ({"dependencies": "x"}, "/dependencies"),
    ({"reason": "x" * 1025}, "/reason"),
], ids=json.dumps)
def test_bad_fields_of_a_flag_are_named(stack, app, body, field):
    before = heads(stack)
    refused(stack.api("PUT", flag(app), body), 400, "invalid-body", field)
    assert heads(stack) == before
    refused(stack.api("GET", flag(app)), 404, "not-found")


def test_a_value_type_never_changes(stack, app):
    make(stack, app)
    refused(stack.api("PUT", flag(app), {"value_type": "string"}, headers=STAR), 400, "invalid-body", "/value_type")


def test_where_there_is_no_app_or_environment(stack, app, name):
    for path in (flag(name + "-x"), segment(name + "-x")):
        refused(stack.api("PUT", path, SEGMENT if "segments" in path else {}), 404, "not-found")
        refused(stack.api("GET", path), 404, "not-found")
        refused(stack.api("DELETE", path), 404, "not-found")
        refused(stack.api("GET", path.rsplit("/", 1)[0]), 404, "not-found")
    make(stack, app)
    for verb in ("enable", "disable", "kill", "unkill"):
        refused(stack.api("POST", f"{state(app)}/{verb}", {}), 404, "not-found")
    refused(stack.api("PUT", state(app), {"enabled": True}), 404, "not-found")
    refused(stack.api("GET", state(app)), 404, "not-found")
    refused(stack.api("GET", f"/apps/{app}/environments/production/flags"), 404, "not-found")


def test_lists_go_by_name_and_by_what_is_stale(stack, environment):
    for name, after in (("c", None), ("a", "2020-01-01T00:00:00Z"), ("B", "2099-01-01T00:00:00Z")):
        make(stack, environment, name, stale_after=after)
    path = f"/apps/{environment}/flags"
    first = stack.api("GET", path + "?limit=2")
    second = stack.api("GET", path + "?limit=2&cursor=" + first["next_cursor"])
    assert [one["name"] for one in first["items"] + second["items"]] == sorted(["c", "a", "B"]) and second["next_cursor"] is None
    assert [one["name"] for one in items(stack, path + "?stale=true")] == ["a"]
    assert {one["name"] for one in items(stack, path + "?stale=false")} == {"B", "c"}
    assert stack.api("GET", flag(environment, "a"))["stale"] is True
    refused(stack.api("GET", path + "?stale=maybe"), 400, "invalid-query", "stale")
    assert [(one["flag"], one["stale"]) for one in items(stack, f"/apps/{environment}/environments/production/flags")] == \
        [("B", False), ("a", True), ("c", False)]


@pytest.mark.parametrize("kind, path", [("flag", flag), ("segment", segment)])
def test_an_app_has_so_many_at_most(stack, app, kind, path):
    assert stack.api("PUT", path(app, "first"), SEGMENT if kind == "segment" else {}).status == 201
    stack.sql(f"INSERT INTO {kind} (app, name, spec, revision) SELECT '{app}', 'n' || n, spec, 1 FROM {kind}, generate_series(2, 10000) n"
              f" WHERE app = '{app}'")
    refused(stack.api("PUT", path(app, "other"), SEGMENT if kind == "segment" else {}), 400, "invalid-body", "")
    assert stack.api("PUT", path(app, "first"), {**SEGMENT, "description": "y"} if kind == "segment" else {"description": "y"},
                     headers=STAR).status == 200
    assert stack.api("DELETE", path(app, "n2")).status == 204
    assert stack.api("PUT", path(app, "other"), SEGMENT if kind == "segment" else {}).status == 201


# ---- dependencies, segments ----

def test_a_flag_that_others_depend_on(stack, app):
    make(stack, app, "parent")
    make(stack, app, "child", dependencies=[{"flag": "parent", "enabled": False}])
    answer = refused(stack.api("DELETE", flag(app, "parent")), 409, "in-use")
    assert answer["flags"] == [{"flag": "child"}]
    refused(stack.api("PUT", flag(app, "grandchild"), {"dependencies": [{"flag": "child"}]}), 400, "invalid-body",
            "/dependencies/0/flag")
    make(stack, app, "other")
    refused(stack.api("PUT", flag(app, "parent"), {"dependencies": [{"flag": "other"}]}, headers=STAR), 400, "invalid-body",
            "/dependencies")
    assert stack.api("DELETE", flag(app, "child")).status == 204
    assert stack.api("DELETE", flag(app, "parent")).status == 204


def test_two_who_would_close_a_circle_do_not(stack, app):
    make(stack, app, "a")
    make(stack, app, "b")
    answers = together(2, lambda i: stack.api("PUT", flag(app, "ab"[i]), {"dependencies": [{"flag": "ba"[i]}]}, headers=STAR))
    assert sorted(answer.status for answer in answers) == [200, 400]


def test_a_segment_in_use(stack, environment):
    make(stack, environment)
    refused(stack.api("PUT", state(environment), {"enabled": True, "strategies": [{"name": "default", "segments": ["beta"]}]}),
            400, "invalid-body", "/strategies/0/segments/0")
    made = stack.api("PUT", segment(environment), SEGMENT)
    assert made.status == 201 and {key: made[key] for key in SEGMENT} == SEGMENT
    assert stack.api("GET", segment(environment)).json == made.json
    assert items(stack, f"/apps/{environment}/segments") == [made.json]
    put(stack, environment, strategies=[{"name": "default"}, {"name": "default", "segments": ["beta"]}])
    answer = refused(stack.api("DELETE", segment(environment)), 409, "in-use")
    assert answer["flags"] == [{"flag": "checkout", "environment": "production"}]
    put(stack, environment, strategies=[])
    assert stack.api("DELETE", segment(environment) + "?reason=unused").status == 204
    changes = items(stack, segment(environment) + "/history")
    assert [(one["action"], one["reason"], one["before"] and one["before"]["description"], one["after"] is None) for one in changes] == \
        [("segment.deleted", "unused", SEGMENT["description"], True), ("segment.put", None, None, False)]
    assert [record["action"] for record in stack.chain(environment)][-2:] == ["segment.put", "segment.deleted"]


def test_a_segment_and_its_first_user_at_once(stack, environment):
    """Either the segment goes and the strategy is refused, or the strategy comes and the segment stays."""
    make(stack, environment)
    for _ in range(10):
        stack.api("PUT", segment(environment), SEGMENT)
        put(stack, environment, strategies=[])
        answers = together(2, lambda i: stack.api("DELETE", segment(environment)) if i else
                           stack.api("PUT", state(environment), {"enabled": True, "strategies": [{"name": "default", "segments": ["beta"]}]},
                                     headers=STAR))
        assert [answer.status for answer in answers] in ([200, 409], [400, 204])


@pytest.mark.parametrize("body, field", [
    ({}, "/constraints"),
    ({"constraints": [{"context_name": "a", "operator": "IS"}]}, "/constraints/0/operator"),
    ({"constraints": [{"context_name": "a", "operator": "NUM_GT", "value": "x"}]}, "/constraints/0/value"),
    ({"constraints": [{"context_name": "a", "operator": "DATE_AFTER", "value": "soon"}]}, "/constraints/0/value"),
    ({"constraints": [{"context_name": "a", "operator": "SEMVER_GT", "value": "1"}]}, "/constraints/0/value"),
    ({"constraints": [{"context_name": "a", "operator": "IN", "values": [1]}]}, "/constraints/0/values/0"),
    ({"constraints": [{"operator": "IN", "values": []}]}, "/constraints/0/context_name"),
], ids=json.dumps)
def test_bad_fields_of_a_segment_are_named(stack, app, body, field):
    refused(stack.api("PUT", segment(app), body), 400, "invalid-body", field)


def of_users(n):
    return {"constraints": [{"context_name": "userId", "operator": "IN", "values": [str(uuid.UUID(int=i)) for i in range(n)]}]}


def test_a_segment_has_a_hundred_thousand_values_and_no_more(stack, app):
    assert stack.api("PUT", segment(app), of_users(100_000)).status == 201
    assert stack.api("GET", segment(app))["constraints"] == of_users(100_000)["constraints"]
    refused(stack.api("PUT", segment(app, "more"), of_users(100_001)), 400, "invalid-body", "/constraints/0/values")
    refused(stack.api("PUT", segment(app, "more"), of_users(110_000)), 413, "body-too-large")


def test_a_segment_is_restored(stack, app):
    first = stack.api("PUT", segment(app), SEGMENT)["revision"]
    assert stack.api("PUT", segment(app), {"constraints": []}, headers={"If-Match": "*"}).status == 200
    refused(stack.api("POST", segment(app) + "/restore", {"revision": 0, "reason": "x"}), 400, "invalid-body", "/revision")
    refused(stack.api("POST", segment(app) + "/restore", {"revision": first, "reason": "x"}, headers={"If-Match": '"0"'}), 412, "precondition-failed")
    restored = stack.api("POST", segment(app) + "/restore", {"revision": first, "reason": "too many"})
    assert restored.status == 200 and restored["constraints"] == stack.api("GET", segment(app))["constraints"] != [], restored
    assert stack.api("DELETE", segment(app)).status == 204
    again = stack.api("POST", segment(app) + "/restore", {"revision": first, "reason": "y"})
    assert again.status == 201 and again["constraints"] == restored["constraints"], again
    assert items(stack, segment(app) + "/history")[0]["source"] == "restore"
    assert stack.chain(app)[-1]["action"] == "segment.restored"


# ---- in an environment ----

def test_state_put_get(stack, environment):
    make(stack, environment)
    off = stack.api("GET", state(environment))
    assert off.status == 200 and "ETag" not in off.headers
    assert (off["enabled"], off["killed"], off["strategies"], off["revision"], off["updated_at"]) == (False, False, [], 0, None)
    made = stack.api("PUT", state(environment), {**STATE, "reason": "go"})
    assert made.status == 201, made
    got = stack.api("GET", state(environment))
    assert got.json == made.json and got.headers["ETag"] == made.headers["ETag"]
    assert {key: got[key] for key in STATE} == STATE and list(got["strategies"][0]) == list(STATE["strategies"][0])
    record = stack.chain(f"{environment}/production")[-1]
    assert (record["action"], record["subject"], record["data"]["spec"]) == ("flag.configured", "checkout", {**STATE, "killed": False})
    before = heads(stack)
    assert stack.api("PUT", state(environment), STATE).headers["ETag"] == made.headers["ETag"]
    assert heads(stack) == before
    refused(stack.api("PUT", state(environment), {"enabled": False}), 428, "precondition-required")
    refused(stack.api("PUT", state(environment), {"enabled": False}, headers={"If-Match": '"x"'}), 412, "precondition-failed")
    assert stack.api("PUT", state(environment), {"enabled": False}, headers={"If-Match": made.headers["ETag"]}).status == 200


@pytest.mark.parametrize("body, field", [
    ({}, "/enabled"),
    ({"enabled": True, "killed": False}, "/killed"),
    ({"enabled": True, "default_variant": "green"}, "/default_variant"),
    ({"enabled": True, "strategies": [{"name": "nonsense"}]}, "/strategies/0/name"),
    ({"enabled": True, "strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "101"}}]}, "/strategies/0/parameters/rollout"),
    ({"enabled": True, "strategies": [{"name": "default", "parameters": {"x": 1}}]}, "/strategies/0/parameters/x"),
    ({"enabled": True, "strategies": [{"name": "default", "segments": ["no"]}]}, "/strategies/0/segments/0"),
    ({"enabled": True, "strategies": [{"name": "default", "constraints": [{"context_name": "a", "operator": "IS"}]}]},
     "/strategies/0/constraints/0/operator"),
    ({"enabled": True, "strategies": [{"name": "default", "variants": [
        {"name": "a", "weight": 1, "payload": {"type": "json", "value": "{}"}}]}]}, "/strategies/0/variants/0/payload/type"),
], ids=json.dumps)
def test_bad_fields_of_a_state_are_named(stack, environment, body, field):
    stack.api("PUT", flag(environment), FLAG)
    before = heads(stack)
    refused(stack.api("PUT", state(environment), body), 400, "invalid-body", field)
    assert heads(stack) == before and stack.api("GET", state(environment))["revision"] == 0


def test_a_default_variant_in_use_cannot_go(stack, environment):
    stack.api("PUT", flag(environment), FLAG)
    put(stack, environment, default_variant="red")
    answer = refused(stack.api("PUT", flag(environment), {**FLAG, "variants": FLAG["variants"][:1]}, headers=STAR), 400,
                     "invalid-body", "/variants")
    assert "production" in answer["errors"][0]["detail"]
    put(stack, environment, default_variant=None)
    assert stack.api("PUT", flag(environment), {**FLAG, "variants": FLAG["variants"][:1]}, headers=STAR).status == 200


def test_enable_disable(stack, environment):
    make(stack, environment)
    made = stack.api("POST", state(environment) + "/enable", {"reason": "go"})
    assert made.status == 200 and made["enabled"] is True and made.headers["ETag"]
    before = heads(stack)
    assert stack.api("POST", state(environment) + "/enable", {}).status == 200
    assert heads(stack) == before, "so already"
    refused(stack.api("POST", state(environment) + "/disable", {}, headers={"If-Match": '"x"'}), 412, "precondition-failed")
    off = stack.api("POST", state(environment) + "/disable", {"reason": "no"}, headers={"If-Match": made.headers["ETag"]})
    assert off.status == 200 and off["enabled"] is False
    assert [(one["action"], one["reason"]) for one in items(stack, state(environment) + "/history")][:2] == \
        [("flag.disabled", "no"), ("flag.enabled", "go")]


def test_the_kill_switch_is_never_overridden(stack, environment):
    make(stack, environment)
    first = put(stack, environment, **STATE)
    killed = stack.api("POST", state(environment) + "/kill", {"reason": "errors"}, headers={"If-Match": '"stale"'})
    assert killed.status == 200 and killed["killed"] is True and killed["enabled"] is True
    assert stack.api("POST", state(environment) + "/kill", {})["revision"] == killed["revision"]
    refused(stack.api("PUT", state(environment), {"enabled": False}, headers={"If-Match": first.headers["ETag"]}), 412,
            "precondition-failed")
    assert put(stack, environment, strategies=[])["killed"] is True
    assert stack.api("POST", state(environment) + "/enable", {})["killed"] is True
    back = stack.api("POST", state(environment) + "/restore", {"revision": first["revision"], "reason": "as before"})
    assert back.status == 200 and back["killed"] is True and back["strategies"] == STATE["strategies"]
    assert document(stack, environment)["document"]["flags"][0]["killed"] is True
    alive = stack.api("POST", state(environment) + "/unkill", {"reason": "mended"})
    assert alive["killed"] is False and alive["enabled"] is True
    assert [record["action"] for record in stack.chain(f"{environment}/production")][-4:] == \
        ["flag.killed", "flag.configured", "flag.restored", "flag.unkilled"]


def test_what_nobody_spoke_of_can_be_killed(stack, environment):
    make(stack, environment)
    assert stack.api("POST", state(environment) + "/kill", {})["killed"] is True
    assert put(stack, environment)["killed"] is True


# ---- history ----

def test_history_says_who_when_why_before_and_after(stack, environment):
    stack.api("PUT", flag(environment), {**FLAG, "reason": "one"})
    stack.api("PUT", flag(environment), {**FLAG, "description": "x", "reason": "two"}, headers=STAR)
    put(stack, environment, **STATE, reason="three")
    stack.api("POST", state(environment) + "/disable", {"reason": "four"})
    changes = items(stack, flag(environment) + "/history")
    assert [one["reason"] for one in changes] == ["four", "three", "two", "one"]
    assert [one["revision"] for one in changes] == [4, 3, 2, 1]
    assert [one["environment"] for one in changes] == ["production", "production", None, None]
    assert changes[3]["before"] is None and changes[3]["after"] == FLAG == changes[2]["before"]
    assert changes[0]["before"] == {**STATE, "killed": False} and changes[0]["after"] == {**STATE, "enabled": False, "killed": False}
    assert all(one["by"]["subject"] and one["at"] and one["source"] == "api" for one in changes)
    page = stack.api("GET", flag(environment) + "/history?limit=3")
    rest = stack.api("GET", flag(environment) + "/history?limit=3&cursor=" + page["next_cursor"])
    assert page["items"] + rest["items"] == changes and rest["next_cursor"] is None
    body = environment_body(environment + "-s")
    assert stack.api("PUT", f"/apps/{environment}/environments/staging", body).status == 201
    put(stack, environment, env="staging", reason="five")
    assert [one["reason"] for one in items(stack, state(environment, env="staging") + "/history")] == ["five", "two", "one"]
    assert [one["reason"] for one in items(stack, flag(environment) + "/history")] == ["five", "four", "three", "two", "one"]
    refused(stack.api("GET", flag(environment, "none") + "/history"), 404, "not-found")


def test_restore_a_definition(stack, environment):
    first = stack.api("PUT", flag(environment), FLAG)["revision"]
    second = stack.api("PUT", flag(environment), {**FLAG, "description": "x"}, headers=STAR)
    refused(stack.api("POST", flag(environment) + "/restore", {"revision": first, "reason": "r"}, headers={"If-Match": '"x"'}), 412,
            "precondition-failed")
    for wrong in (second["revision"] + 1, 999999):
        refused(stack.api("POST", flag(environment) + "/restore", {"revision": wrong, "reason": "r"}), 400, "invalid-body", "/revision")
    refused(stack.api("POST", flag(environment) + "/restore", {"revision": first}), 400, "invalid-body", "/reason")
    back = stack.api("POST", flag(environment) + "/restore", {"revision": first, "reason": "as it was"})
    assert back.status == 200 and {key: back[key] for key in FLAG} == FLAG and back["revision"] == second["revision"] + 1
    assert items(stack, flag(environment) + "/history")[0]["source"] == "restore"


def test_what_was_deleted_can_be_restored(stack, environment):
    stack.api("PUT", flag(environment), FLAG)
    configured = put(stack, environment, **STATE)["revision"]
    assert stack.api("DELETE", flag(environment)).status == 204
    refused(stack.api("GET", state(environment)), 404, "not-found")
    refused(stack.api("POST", flag(environment) + "/restore", {"revision": configured + 1, "reason": "r"}), 400, "invalid-body", "/revision")
    back = stack.api("POST", flag(environment) + "/restore", {"revision": configured, "reason": "needed"})
    assert back.status == 201 and back["description"] == FLAG["description"]
    assert stack.api("GET", state(environment))["revision"] == 0, "off everywhere"
    again = stack.api("POST", state(environment) + "/restore", {"revision": configured, "reason": "needed"})
    assert again.status == 201 and {key: again[key] for key in STATE} == STATE


def test_a_restored_state_has_to_fit_what_there_is(stack, environment):
    stack.api("PUT", segment(environment), SEGMENT)
    make(stack, environment)
    first = put(stack, environment, strategies=[{"name": "default", "segments": ["beta"]}])["revision"]
    put(stack, environment, strategies=[])
    assert stack.api("DELETE", segment(environment)).status == 204
    refused(stack.api("POST", state(environment) + "/restore", {"revision": first, "reason": "r"}), 400, "invalid-body",
            "/strategies/0/segments/0")


def test_history_only_grows(stack, environment):
    make(stack, environment)
    for sql in ("DELETE FROM flag_change", "UPDATE flag_change SET reason = 'x'", "TRUNCATE flag_change", "DELETE FROM flag_head"):
        with pytest.raises(Exception):
            stack.sql(sql)


# ---- who may ----

def test_scopes(stack, environment):
    make(stack, environment)
    viewer = stack.mint("v", ("viewer",), (environment,))
    releaser = stack.mint("r", ("releaser",), (environment,))
    stranger = stack.mint("s", ("admin",), ("another",))
    client = stack.mint("c", ("flags:client",), (environment,))
    assert stack.api("GET", state(environment), token=viewer).status == 200
    refused(stack.api("GET", state(environment), token=client), 403, "forbidden")
    for verb in ("enable", "disable", "kill", "unkill"):
        refused(stack.api("POST", f"{state(environment)}/{verb}", {}, token=viewer), 403, "forbidden")
        refused(stack.api("POST", f"{state(environment)}/{verb}", {}, token=stranger), 403, "forbidden")
        assert stack.api("POST", f"{state(environment)}/{verb}", {}, token=releaser).status == 200
    assert stack.api("PUT", flag(environment, "mine"), {}, token=releaser).status == 201
    refused(stack.api("DELETE", flag(environment, "mine"), token=releaser), 403, "forbidden")
    assert stack.api("DELETE", flag(environment, "mine")).status == 204


# ---- what is served ----

def test_the_document_is_the_models(stack, environment):
    empty = document(stack, environment)
    assert empty["document"] == {"flags": [], "segments": []} and empty["revision"] == 0
    stack.api("PUT", segment(environment), SEGMENT)
    stack.api("PUT", flag(environment), FLAG)
    make(stack, environment, "old", stale_after="2020-01-01T00:00:00Z")
    put(stack, environment, **STATE)
    seen = document(stack, environment)
    configured, unspoken = seen["document"]["flags"]
    served = {k: v for k, v in {**FLAG, **STATE, "name": "checkout"}.items() if k not in ("stale_after", "requires_release")}
    default = {"type": "release", "value_type": "boolean"}
    assert configured == {k: v for k, v in served.items() if v not in (None, False, []) and v != default.get(k)}, "what is so by itself is left out"
    assert unspoken == {"name": "old", "stale": True, "description": ""}
    assert seen["document"]["segments"] == [{"name": "beta", "constraints": SEGMENT["constraints"]}]
    assert seen["environment_id"] == stack.sql(f"SELECT id FROM environment WHERE app = '{environment}'")


def test_the_revision_counts_what_an_environment_serves(stack, environment):
    body = environment_body(environment + "-s")
    assert stack.api("PUT", f"/apps/{environment}/environments/staging", body).status == 201
    make(stack, environment)
    first = document(stack, environment)["revision"]
    put(stack, environment, env="staging")
    assert document(stack, environment)["revision"] == first, "not what others do"
    put(stack, environment)
    second = document(stack, environment)["revision"]
    stack.api("PUT", segment(environment), SEGMENT)
    assert first < second < document(stack, environment)["revision"]
    assert stack.api("DELETE", flag(environment)).status == 204
    assert document(stack, environment)["document"]["flags"] == []


def test_flags_go_with_their_app_and_revisions_go_on(stack, app):
    last = make(stack, app)["revision"]
    assert stack.api("DELETE", f"/apps/{app}").status == 204
    assert stack.api("PUT", f"/apps/{app}", {}).status == 201
    refused(stack.api("GET", flag(app)), 404, "not-found")
    assert make(stack, app)["revision"] == last + 1


def test_a_change_wakes_the_streams_of_its_environment(stack, environment):
    make(stack, environment)
    url = stack.urls[0] + f"/api/v1/apps/{environment}/environments/production/events"
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=4)  # the poll floor is 5 s
    connection.request("GET", parts.path, headers={"Authorization": "Bearer " + stack.token, "Accept": "text/event-stream"})
    stream = connection.getresponse()
    assert stack.api("POST", state(environment) + "/kill", {}).status == 200
    while b"event: flag.killed" not in stream.readline():
        pass
    connection.close()
