"""Flags come from Unleash's documents, all of one or nothing of it, and go out as one."""

import copy
import json

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.api.test_flags import FLAG, SEGMENT, STATE, flag, items, make, put, segment, state
from tests.support.stack import IMAGE, together

# As Unleash 8.2.0 answers POST /api/admin/features-batch/export, with the segments of its /api/admin/segments.
EXPORT = {
    "features": [
        {"name": "checkout", "type": "experiment", "description": "The new one", "project": "shop", "stale": False, "impressionData": True,
         "archived": False},
        {"name": "parent", "type": "release", "description": None, "project": "shop", "stale": False, "impressionData": False}],
    "featureStrategies": [
        {"id": "798cb25a-2abd-47bd-8a95-40ec13472309", "featureName": "checkout", "name": "flexibleRollout", "title": "half", "sortOrder": 0,
         "disabled": False, "parameters": {"rollout": "50", "stickiness": "userId", "groupId": "checkout"}, "segments": [7], "variants": [],
         "constraints": [{"contextName": "plan", "operator": "IN", "values": ["pro"], "value": "", "inverted": False, "caseInsensitive": False}]}],
    "featureEnvironments": [
        {"name": "checkout", "featureName": "checkout", "environment": "production", "enabled": True, "variants": [
            {"name": "a", "weight": 1000, "weightType": "variable", "stickiness": "default", "overrides": [],
             "payload": {"type": "string", "value": "x"}}]},
        {"name": "parent", "featureName": "parent", "environment": "production", "enabled": True, "variants": []}],
    "dependencies": [{"feature": "checkout", "dependencies": [{"feature": "parent", "enabled": True, "variants": []}]}],
    "segments": [{"id": 7, "name": "Beta testers (EU)", "description": "x", "createdBy": "admin", "createdAt": "2026-11-29T17:28:21.010Z",
                  "usedInProjects": 1, "usedInFeatures": 1, "constraints": [
        {"contextName": "userId", "operator": "IN", "values": ["7"], "inverted": False, "caseInsensitive": False}]}],
    "contextFields": [{"name": "userId", "description": "x", "stickiness": False, "sortOrder": 1, "legalValues": []}],
    "featureTags": [], "tagTypes": [], "links": []}
NOBODY = {"made": [], "changed": [], "unchanged": [], "kept": []}


def export_of(**parts):
    return {**copy.deepcopy(EXPORT), **parts}


def one(name="checkout", **fields):
    """A document of one flag that is on for everybody."""
    return {"features": [{"name": name, "enabled": True, "strategies": [], **fields}]}


def place(app, what, env="production"):
    return f"/apps/{app}/environments/{env}/flags:{what}"


def bring(stack, app, document=None, env="production", **more):
    return stack.api("POST", place(app, "import", env), {"document": export_of() if document is None else document, **more})


def brought(stack, app, document=None, env="production", **more):
    answer = bring(stack, app, document, env, **more)
    assert answer.status == 200, answer
    return answer


def exported(stack, app, env="production"):
    answer = stack.api("GET", place(app, "export", env))
    assert answer.status == 200, answer
    return answer.json


@pytest.fixture
def two(stack, environment):
    """An app with production and staging."""
    assert stack.api("PUT", f"/apps/{environment}/environments/staging", environment_body(environment + "-s")).status == 201
    return environment


def test_an_export_of_unleash_becomes_flags_and_segments(stack, environment):
    done = brought(stack, environment, reason="From Unleash")
    assert done["flags"] == {**NOBODY, "made": ["checkout", "parent"]} and done["segments"] == {**NOBODY, "made": ["Beta-testers-EU"]}
    definition, there = stack.api("GET", flag(environment)), stack.api("GET", state(environment))
    assert definition["type"] == "experiment" and definition["description"] == "The new one" and definition["impression_data"] is True
    assert definition["value_type"] == "boolean" and definition["variants"][0]["payload"] == {"type": "string", "value": "x"}
    assert definition["dependencies"] == [{"flag": "parent", "enabled": True, "variants": []}]
    assert there["enabled"] is True and there["strategies"][0]["segments"] == ["Beta-testers-EU"]
    assert there["strategies"][0]["parameters"] == {"rollout": "50", "stickiness": "userId", "groupId": "checkout"}
    assert stack.api("GET", segment(environment, "Beta-testers-EU"))["constraints"] == [
        {"context_name": "userId", "operator": "IN", "values": ["7"], "inverted": False}]
    assert definition["revision"] == there["revision"] == done["revision"], "it is one change"


def test_it_is_in_every_history_and_once_on_record(stack, environment):
    done = brought(stack, environment, reason="From Unleash")
    for path in (flag(environment), state(environment), segment(environment, "Beta-testers-EU")):
        change = items(stack, path + "/history")[0]
        assert (change["action"], change["source"], change["reason"], change["revision"], change["before"]) == \
            ("flag.imported", "import", "From Unleash", done["revision"], None)
    record = stack.chain(f"{environment}/production")[-1]
    assert (record["action"], record["subject"]) == ("flag.imported", "production")
    assert record["data"] == {"spec": {"flags": done["flags"], "segments": done["segments"]}, "existing": "refuse",
                              "revision": done["revision"], "reason": "From Unleash"}
    assert [r["action"] for r in stack.chain(environment)][-1] != "flag.imported"


def test_the_same_again_changes_nothing(stack, environment):
    brought(stack, environment)
    chains = heads(stack)
    again = brought(stack, environment)
    assert again["flags"]["unchanged"] == ["checkout", "parent"] and again["segments"]["unchanged"] == ["Beta-testers-EU"]
    assert again["revision"] is None and heads(stack) == chains


def test_a_dry_run_says_all_and_does_nothing(stack, environment):
    chains = heads(stack)
    tried = brought(stack, environment, dry_run=True)
    assert tried["flags"]["made"] == ["checkout", "parent"] and (tried["dry_run"], tried["revision"]) == (True, None)
    assert heads(stack) == chains and items(stack, f"/apps/{environment}/flags") == [] and items(stack, f"/apps/{environment}/segments") == []
    assert {**brought(stack, environment).json, "dry_run": True, "revision": None} == tried.json


@pytest.mark.parametrize("document, field", [
    ({"features": 1}, "/document/features"),
    ({}, "/document/features"),
    (one(name="a b"), "/document/features/0/name"),
    (one(name="x" * 101), "/document/features/0/name"),
    (one(colour=1), "/document/features/0/colour"),
    (one(strategies=[{"name": "ours"}]), "/document/features/0/strategies/0/name"),
    (export_of(featureStrategies=[{"featureName": "parent", "name": "default"}, {"featureName": "checkout", "name": "default"},
                                  {"featureName": "checkout", "name": "ours"}]), "/document/featureStrategies/2/name"),
    (export_of(featureStrategies=[{"featureName": "checkout", "strategyName": "ours"}]), "/document/featureStrategies/0/strategyName"),
    (export_of(featureStrategies=[{"featureName": "checkout", "name": "default", "segments": [9]}]), "/document/featureStrategies/0/segments/0"),
    (export_of(featureEnvironments=[{"featureName": "parent", "enabled": "yes"}]), "/document/featureEnvironments/0/enabled"),
    (export_of(featureEnvironments=[{"featureName": "parent", "variants": [{"name": "a", "weight": -1}]}]),
     "/document/featureEnvironments/0/variants/0/weight"),
    (export_of(dependencies=[{"feature": "checkout", "dependencies": [{"feature": "gone"}]}]), "/document/dependencies/0/dependencies/0/feature"),
    (export_of(segments=[{"id": 7, "name": "beta"}]), "/document/segments/0/constraints"),
    (export_of(segments=EXPORT["segments"] + [{"id": 8, "name": "Beta-testers-EU", "constraints": []}]), "/document/segments/1/name"),
    (export_of(sluice={"flags": {"checkout": {"killed": True}}}), "/document/sluice/flags/checkout/killed"),
    (export_of(sluice={"flags": {"checkout": {"value_type": "text"}}}), "/document/sluice/flags/checkout/value_type"),
    (export_of(sluice={"flags": {"checkout": {"value_type": "number"}}}), "/document/featureEnvironments/0/variants/0/payload"),
    (export_of(sluice={"flags": {"checkout": {"default_variant": "b"}}}), "/document/sluice/flags/checkout/default_variant"),
    (export_of(sluice={"flags": {"checkout": {"requires_release": "two"}}}), "/document/sluice/flags/checkout/requires_release"),
    (export_of(sluice={"flags": {"checkout": {"stale_after": "soon"}}}), "/document/sluice/flags/checkout/stale_after"),
    (export_of(sluice={"segments": {"beta": {"constraints": [{"contextName": 7}]}}}, segments=[{"id": 7, "name": "beta"}]),
     "/document/sluice/segments/beta/constraints/0/contextName"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_does_not_map_is_named_and_nothing_is_imported(stack, environment, document, field):
    chains = heads(stack)
    answer = refused(bring(stack, environment, document), 400, "invalid-body")
    assert any(error["field"].startswith(field) for error in answer["errors"]), answer
    assert heads(stack) == chains and items(stack, f"/apps/{environment}/flags") == [] and items(stack, f"/apps/{environment}/segments") == []


def test_segments_that_become_the_same_name_are_both_named(stack, environment):
    answer = refused(bring(stack, environment, export_of(segments=[
        {"id": 7, "name": "beta testers", "constraints": []}, {"id": 8, "name": "beta/testers", "constraints": []}])), 400, "invalid-body")
    assert [error["detail"] for error in answer["errors"]] == ['Segments "beta testers" and "beta/testers" are both beta-testers here.']


def test_segments_get_names_that_they_may_have(stack, environment):
    names = {"Beta testers (EU)": "Beta-testers-EU", "  a  b ": "a-b", "ok_1.2~x-": "ok_1.2~x-", "Größe": "Gr-e", "日本": "segment-5", "__x": "x"}
    document = {"features": [], "segments": [{"id": i + 1, "name": name, "constraints": []} for i, name in enumerate(names)]}
    assert brought(stack, environment, document)["segments"]["made"] == list(names.values())


def test_a_segment_of_which_only_the_name_is_given_is_the_one_here(stack, environment):
    document = export_of(segments=[{"id": 7, "name": "beta"}])
    refused(bring(stack, environment, document), 400, "invalid-body", "/document/segments/0/constraints")
    assert stack.api("PUT", segment(environment), SEGMENT).status == 201
    done = brought(stack, environment, document)
    assert done["segments"]["unchanged"] == ["beta"]
    assert stack.api("GET", segment(environment))["description"] == SEGMENT["description"]
    assert stack.api("GET", state(environment))["strategies"][0]["segments"] == ["beta"]


def test_what_clients_get_of_unleash_is_read_too(stack, environment):
    document = {"version": 2, "query": {}, "meta": {}, "segments": [{"id": 1, "constraints": [{"contextName": "a", "operator": "IN", "values": ["x"]}]}],
                "features": [{"name": "f", "type": "release", "enabled": True, "project": "default", "stale": True, "variants": [],
                              "strategies": [{"name": "default", "constraints": [], "parameters": {}, "segments": [1], "variants": []}]}]}
    assert brought(stack, environment, document)["segments"]["made"] == ["segment-1"]
    assert stack.api("GET", state(environment, "f"))["strategies"][0]["segments"] == ["segment-1"]
    assert stack.api("GET", flag(environment, "f"))["stale"] is True
    assert brought(stack, environment, document)["flags"]["unchanged"] == ["f"], "when it became stale stays"


# ---- what is there already ----

def test_what_is_there_and_differs_is_refused(stack, environment):
    make(stack, environment, description="Mine")
    put(stack, environment, "checkout", enabled=False)
    stack.api("PUT", segment(environment, "Beta-testers-EU"), SEGMENT)
    chains = heads(stack)
    answer = refused(bring(stack, environment), 400, "invalid-body")
    assert {(e["field"], e["code"]) for e in answer["errors"]} == {("/document/features/0", "exists"), ("/document/segments/0", "exists")}
    assert heads(stack) == chains and stack.api("GET", flag(environment, "parent")).status == 404


def test_what_is_there_may_be_updated_or_kept(stack, environment):
    make(stack, environment, description="Mine")
    put(stack, environment, enabled=False)
    kept = brought(stack, environment, existing="keep")
    assert kept["flags"] == {**NOBODY, "made": ["parent"], "kept": ["checkout"]}
    assert stack.api("GET", flag(environment))["description"] == "Mine" and stack.api("GET", state(environment))["enabled"] is False
    before = stack.api("GET", flag(environment))["revision"]
    done = brought(stack, environment, existing="update")
    assert done["flags"] == {**NOBODY, "changed": ["checkout"], "unchanged": ["parent"]}
    change = items(stack, flag(environment) + "/history")
    assert stack.api("GET", flag(environment))["description"] == "The new one" and stack.api("GET", state(environment))["enabled"] is True
    assert [c["before"]["description"] for c in change if c["environment"] is None and c["before"]] == ["Mine"] and before < done["revision"]


def test_one_environment_after_the_other(stack, two):
    """What they share is there the second time."""
    brought(stack, two)
    document = export_of()
    document["featureEnvironments"][0]["enabled"] = False
    assert brought(stack, two, document, env="staging")["flags"]["made"] == ["checkout", "parent"]
    assert [stack.api("GET", state(two, env=env))["enabled"] for env in ("production", "staging")] == [True, False]


def test_what_unleash_has_no_word_for_stays(stack, environment):
    make(stack, environment, **FLAG)
    put(stack, environment, default_variant="red", requires_release="v1.0.0", enabled=False)
    document = one(type="operational", variants=[{"name": "red", "weight": 1}])
    document["features"][0]["enabled"] = False
    brought(stack, environment, document, existing="update")
    now = stack.api("GET", flag(environment))
    assert (now["type"], now["value_type"], now["stale_after"]) == ("operational", "string", FLAG["stale_after"])
    there = stack.api("GET", state(environment))
    assert (there["default_variant"], there["requires_release"]) == ("red", "v1.0.0")


def test_the_kill_switch_stays(stack, environment):
    make(stack, environment)
    assert stack.api("POST", state(environment) + "/kill", {}).status == 200
    brought(stack, environment, one(), existing="update")
    there = stack.api("GET", state(environment))
    assert (there["killed"], there["enabled"]) == (True, True)


def test_what_other_flags_and_environments_rely_on(stack, two):
    make(stack, two, "checkout", variants=FLAG["variants"], value_type="string")
    put(stack, two, "checkout", env="staging", default_variant="red")
    make(stack, two, "child", dependencies=[{"flag": "checkout"}])
    document = export_of(segments=[], featureStrategies=[])
    answer = refused(bring(stack, two, document, existing="update"), 400, "invalid-body", "/document/features/0")
    assert {error["code"] for error in answer["errors"]} == {"conflict", "in-use"}
    assert stack.api("GET", flag(two, "parent")).status == 404


def test_what_requires_a_release_is_not_on_where_an_older_one_serves(stack, two):
    stack.release("v1.0.0", two)
    stack.deployed("v1.0.0", two, "production")
    document = {**one(), "sluice": {"flags": {"checkout": {"requires_release": "v2.0.0"}}}}
    refused(bring(stack, two, document), 400, "invalid-body", "/document/features/checkout")
    document["features"][0]["enabled"] = False
    brought(stack, two, document)
    assert stack.api("GET", state(two))["requires_release"] == "v2.0.0"


def test_of_two_at_once_one_imports(stack, environment):
    answers = together(4, lambda i: bring(stack, environment))
    assert sorted(len(answer["flags"]["made"]) for answer in answers) == [0, 0, 0, 2]


# ---- export ----

def fill(stack, app):
    """Everything that flags may be."""
    stack.api("PUT", segment(app), SEGMENT)
    make(stack, app, "parent")
    variants = [{"weight_type": "variable", "stickiness": "default", **variant} for variant in FLAG["variants"]]
    make(stack, app, **{**FLAG, "variants": variants, "dependencies": [{"flag": "parent", "enabled": False, "variants": ["x"]}]})
    put(stack, app, **{**STATE, "default_variant": "red", "requires_release": "v1.0.0", "enabled": False, "strategies": [
        {**STATE["strategies"][0], "segments": ["beta"], "disabled": True,
         "variants": [{"name": "v", "weight": 1, "weight_type": "fix", "stickiness": "userId", "payload": {"type": "csv", "value": "a,b"}}]},
        {"name": "userWithId", "parameters": {"userIds": "a,b"}},
        {"name": "default", "constraints": [{"context_name": "v", "operator": "SEMVER_GT", "value": "1.0.0", "inverted": True},
                                            {"context_name": "u", "operator": "STR_CONTAINS", "values": ["x"], "case_insensitive": True}]}]})
    put(stack, app, "parent")
    make(stack, app, "features", description="a key of the document, too")
    put(stack, app, "features", enabled=True)


def test_what_was_exported_and_imported_is_what_was_there(stack, two, name):
    fill(stack, two)
    document = exported(stack, two)
    other = name + "-other"
    assert stack.api("PUT", f"/apps/{other}", {"image": IMAGE}).status == 201
    assert stack.api("PUT", f"/apps/{other}/environments/production", environment_body(other)).status == 201
    brought(stack, other, document)
    times = ("app", "revision", "created_at", "updated_at")

    def there(app):
        return {path: [{key: value for key, value in item.items() if key not in times} for item in items(stack, f"/apps/{app}{path}")]
                for path in ("/flags", "/segments", "/environments/production/flags")}
    assert there(two) == there(other) and exported(stack, other) == document
    assert brought(stack, two, document)["revision"] is None, "it says what is there"


def test_an_export_is_unleashs(stack, environment):
    fill(stack, environment)
    assert stack.api("POST", state(environment, "parent") + "/kill", {}).status == 200
    document = exported(stack, environment)
    assert document["features"][0] == {"name": "checkout", "type": "experiment", "description": "The new checkout", "project": "default",
                                       "stale": False, "impressionData": True}
    assert {row["featureName"]: row["enabled"] for row in document["featureEnvironments"]} == {"checkout": False, "features": True, "parent": False}
    assert [row["name"] for row in document["featureStrategies"]] == ["flexibleRollout", "userWithId", "default"]
    assert document["featureStrategies"][0]["segments"] == [document["segments"][0]["id"]] and document["featureStrategies"][0]["disabled"] is True
    assert document["segments"] == [{"id": 1, "name": "beta"}]
    variants = {row["featureName"]: row["variants"] for row in document["featureEnvironments"]}["checkout"]
    assert all(variant["weightType"] and variant["stickiness"] for variant in variants), "Unleash asks for them"
    assert document["dependencies"] == [{"feature": "checkout", "dependencies": [{"feature": "parent", "enabled": False, "variants": ["x"]}]}]
    assert document["sluice"]["flags"]["checkout"] == {"value_type": "string", "default_variant": "red", "stale_after": FLAG["stale_after"],
                                                       "requires_release": "v1.0.0"}
    del document["sluice"]
    assert brought(stack, environment, document, existing="update", dry_run=True)["segments"]["unchanged"] == ["beta"]


def test_an_export_has_a_tag(stack, environment):
    first = stack.api("GET", place(environment, "export"))
    make(stack, environment)
    assert stack.api("GET", place(environment, "export")).headers["ETag"] != first.headers["ETag"]
    refused(stack.api("GET", place(environment, "export", "nowhere")), 404, "not-found")


# ---- sizes, scopes, fields ----

def test_a_large_export_is_imported_at_once(stack, environment):
    many = {"features": [{"name": f"f{n:04}", "type": "release", "description": "x" * 200, "enabled": True, "strategies": [
        {"name": "flexibleRollout", "parameters": {"rollout": "50", "stickiness": "userId", "groupId": f"f{n}"}, "constraints": [
            {"contextName": "userId", "operator": "IN", "values": [f"user-{n}-{i}" for i in range(20)]}]}]} for n in range(2000)]}
    assert 1 << 20 < len(json.dumps(many)) < 4 << 20
    done = brought(stack, environment, many)
    assert len(done["flags"]["made"]) == 2000
    assert len(exported(stack, environment)["featureStrategies"]) == 2000
    assert brought(stack, environment, exported(stack, environment))["revision"] is None


def test_too_many_flags_are_refused(stack, environment):
    many = {"features": [{"name": f"f{n}"} for n in range(10001)]}
    refused(bring(stack, environment, many), 400, "invalid-body", "/document/features")
    make(stack, environment, "mine")
    refused(bring(stack, environment, {"features": many["features"][:10000]}), 400, "invalid-body", "/document/features")


@pytest.mark.parametrize("body, field", [
    ({"existing": "replace"}, "/existing"), ({"dry_run": "yes"}, "/dry_run"), ({"document": []}, "/document"), ({"document": None}, "/document"),
    ({"partial": True}, "/partial"),
], ids=json.dumps)
def test_bad_fields_are_named(stack, environment, body, field):
    refused(stack.api("POST", place(environment, "import"), {"document": one(), **body}), 400, "invalid-body", field)


def test_scopes(stack, environment):
    viewer, stranger = stack.mint("v", ("viewer",), (environment,)), stack.mint("s", ("admin",), ("another",))
    assert stack.api("GET", place(environment, "export"), token=viewer).status == 200
    refused(stack.api("GET", place(environment, "export"), token=stranger), 403, "forbidden")
    for token in (viewer, stranger):
        refused(stack.api("POST", place(environment, "import"), {"document": one()}, token=token), 403, "forbidden")
    refused(bring(stack, environment, env="nowhere"), 404, "not-found")
    refused(bring(stack, "nowhere-at-all"), 404, "not-found")
