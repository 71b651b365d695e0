"""Templates of checklists: what is built in, copies with versions, what a checklist in use keeps."""

import copy

import pytest

from tests.api.conftest import heads, refused
from tests.support.stack import together

BUILT_IN = {"before-deployment": [6, 6, 4, 5], "after-deployment": [5, 4, 4], "success-criteria": [5, 4, 4]}
ITEM = {"key": "tests", "title": "All tests passing", "kind": "evidence"}
BODY = {"groups": [{"name": "code", "title": "Code", "items": [ITEM, {"key": "on-call", "title": "On call", "kind": "manual"}]},
                   {"name": "infra", "title": "Infrastructure", "items": [{"key": "cluster", "title": "Healthy", "kind": "probe"}]}]}


def path(name):
    return f"/checklist-templates/{name}"


def with_item(**changes):
    body = copy.deepcopy(BODY)
    body["groups"][0]["items"][0].update(changes)
    return body


def with_group(**changes):
    body = copy.deepcopy(BODY)
    body["groups"][0].update(changes)
    return body


def items(n, prefix="i"):
    return [{"key": f"{prefix}{i}", "title": "T", "kind": "manual"} for i in range(n)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_stays_as_it_is(stack, name):
    got = stack.api("GET", path(name))
    assert got.status == 200 and got.headers["ETag"] == '"1"'
    assert (got["name"], got["version"], got["built_in"], got["created_by"]) == (name, 1, True, None)
    assert [len(group["items"]) for group in got["groups"]] == BUILT_IN[name]
    before = heads(stack)
    for body in (BODY, {"groups": got["groups"]}):
        answer = refused(stack.api("PUT", path(name), body, headers={"If-Match": "*"}), 409, "in-use")
        assert "another name" in answer["detail"]
    assert heads(stack) == before and stack.api("GET", path(name)).json == got.json


@pytest.mark.parametrize("built_in", BUILT_IN)
def test_a_team_edits_its_own_copy(stack, name, built_in):
    groups = stack.api("GET", path(built_in))["groups"]
    made = stack.api("PUT", path(name), {"groups": groups})
    assert made.status == 201 and made["groups"] == groups and (made["version"], made["built_in"]) == (1, False)
    assert made["created_by"]["subject"]
    assert stack.api("GET", path(name)).json == made.json


def test_each_put_adds_a_version(stack, name):
    made = stack.api("PUT", path(name), BODY)
    assert made.status == 201 and made.headers["ETag"] == '"1"'
    assert made["groups"][0]["items"][0] == {**ITEM, "required": True}
    before = heads(stack)
    assert stack.api("PUT", path(name), with_item(required=True, params={}, expires_s=None)).headers["ETag"] == '"1"'
    assert heads(stack) == before, "what is equal leaves no trace"
    other = with_item(title="Tests", required=False, expires_s=60,
                      params={"max_level": "note", "max_security_severity": 7.5, "max_total_bytes": 9, "max_file_bytes": 8})
    refused(stack.api("PUT", path(name), other), 428, "precondition-required")
    refused(stack.api("PUT", path(name), other, headers={"If-Match": '"2"'}), 412, "precondition-failed")
    second = stack.api("PUT", path(name), other, headers={"If-Match": '"1"'})
    assert second.status == 200 and second.headers["ETag"] == '"2"' and second["version"] == 2
    assert second["groups"][0]["items"][0] == other["groups"][0]["items"][0]
    assert stack.api("PUT", path(name), other).status == 200
    record = stack.chain("system")[-1]
    assert (record["action"], record["subject"], record["data"]["version"]) == ("template.put", name, 2)
    assert record["data"]["spec"]["groups"] == second["groups"]
    assert stack.api("GET", path(name)).json == second.json
    first = stack.api("GET", path(name) + "?version=1")
    assert first.json == made.json and first.headers["ETag"] == '"1"'
    refused(stack.api("GET", path(name) + "?version=3"), 404, "not-found")


@pytest.mark.parametrize("version", ["0", "-1", "x", "", "1.5", "2147483648", "99999999999999999999"])
def test_versions_that_are_none(stack, version):
    refused(stack.api("GET", path("before-deployment") + f"?version={version}"), 400, "invalid-query", "version")


def test_severities_are_numbers_however_written(stack, name):
    made = stack.api("PUT", path(name), with_item(params={"max_security_severity": 9.0}))
    assert made.status == 201
    assert stack.api("PUT", path(name), with_item(params={"max_security_severity": 9})).headers["ETag"] == made.headers["ETag"]


def test_of_eight_one_makes_it_and_one_replaces_it(stack, name):
    answers = together(8, lambda i: stack.api("PUT", path(name), with_item(title=f"T{i}")))
    assert sorted(answer.status for answer in answers) == [201] + [428] * 7
    answers = together(8, lambda i: stack.api("PUT", path(name), with_item(title=f"U{i}"), headers={"If-Match": '"1"'}))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    answers = together(8, lambda i: stack.api("PUT", path(name), with_item(title=f"V{i}"), headers={"If-Match": "*"}))
    assert [answer.status for answer in answers] == [200] * 8 and stack.api("GET", path(name))["version"] == 10


A, B = "/groups/0", "/groups/0/items/0"


@pytest.mark.parametrize("body, field", [
    ({}, "/groups"), ({"groups": []}, "/groups"), ({"groups": {}}, "/groups"), ({"groups": [1]}, "/groups/0"),
    ({"groups": [{"name": f"g{i}", "title": "G", "items": items(1, f"g{i}-")} for i in range(21)]}, "/groups"),
    ({"groups": [{"name": f"g{i}", "title": "G", "items": items(67, f"g{i}-")} for i in range(3)]}, "/groups"),
    ({**BODY, "name": "x"}, "/name"),
    (with_group(name="A"), A + "/name"), (with_group(name="infra"), "/groups/1/name"), (with_group(title=""), A + "/title"),
    (with_group(title="x" * 201), A + "/title"), (with_group(items=[]), A + "/items"), (with_group(items=items(101)), A + "/items"),
    (with_group(items=None), A + "/items"), (with_group(extra=1), A + "/extra"),
    (with_item(key="A b"), B + "/key"), (with_item(key="on-call"), "/groups/0/items/1/key"),
    (with_item(key="cluster"), "/groups/1/items/0/key"), (with_item(title=""), B + "/title"),
    (with_item(title="x" * 201), B + "/title"), (with_item(kind="magic"), B + "/kind"), (with_item(kind=None), B + "/kind"),
    (with_item(required="yes"), B + "/required"), (with_item(probe="backup"), B + "/probe"),
    (with_item(kind="manual", probe="backup"), B + "/probe"), (with_item(kind="probe", probe="A"), B + "/probe"),
    (with_item(expires_s=0), B + "/expires_s"), (with_item(expires_s=365 * 86400 + 1), B + "/expires_s"),
    (with_item(extra=1), B + "/extra"),
    (with_item(params={"unknown": 1}), B + "/params/unknown"), (with_item(params=[]), B + "/params"),
    (with_item(params={"person": True}), B + "/params/person"), (with_item(params={"note": True}), B + "/params/note"),
    (with_item(kind="probe", params={"person": True}), B + "/params/person"),
    (with_item(kind="manual", params={"person": 1}), B + "/params/person"),
    (with_item(kind="manual", params={"max_level": "note"}), B + "/params/max_level"),
    (with_item(kind="manual", params={"max_security_severity": 1}), B + "/params/max_security_severity"),
    (with_item(kind="manual", params={"max_total_bytes": 1}), B + "/params/max_total_bytes"),
    (with_item(kind="probe", params={"max_file_bytes": 1}), B + "/params/max_file_bytes"),
    (with_item(params={"max_level": "fatal"}), B + "/params/max_level"),
    (with_item(params={"max_security_severity": "9"}), B + "/params/max_security_severity"),
    (with_item(params={"max_security_severity": True}), B + "/params/max_security_severity"),
    (with_item(params={"max_security_severity": -0.1}), B + "/params/max_security_severity"),
    (with_item(params={"max_security_severity": 10.1}), B + "/params/max_security_severity"),
    (with_item(params={"max_total_bytes": 0}), B + "/params/max_total_bytes"),
    (with_item(params={"max_file_bytes": 2 ** 40 + 1}), B + "/params/max_file_bytes"),
    (with_item(params={"max_file_bytes": 1.5}), B + "/params/max_file_bytes"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_bad_fields_are_named(stack, name, body, field):
    before = heads(stack)
    refused(stack.api("PUT", path(name), body), 400, "invalid-body", field)
    assert heads(stack) == before
    refused(stack.api("GET", path(name)), 404, "not-found")


def test_the_largest_there_may_be(stack, name):
    body = {"groups": [{"name": f"g{i}", "title": "G" * 200, "items": [
        {**item, "title": "T" * 200} for item in items(10, f"g{i}-")]} for i in range(20)]}
    assert stack.api("PUT", path(name), body).status == 201
    assert "spec_sha256" in stack.chain("system")[-1]["data"], "too long for a line of the record"
    got = stack.api("GET", path(name))
    assert sum(len(group["items"]) for group in got["groups"]) == 200


def test_list(stack, name):
    for n in range(2):
        assert stack.api("PUT", path(f"{name}-{n}"), BODY).status == 201
    assert stack.api("PUT", path(f"{name}-0"), with_item(title="x"), headers={"If-Match": "*"}).status == 200
    found, cursor = [], ""
    while cursor is not None:
        page = stack.api("GET", f"/checklist-templates?limit=2{cursor and '&cursor=' + cursor}")
        assert page.status == 200 and len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next_cursor"]
    assert [item["name"] for item in found] == sorted({item["name"] for item in found})
    versions = {item["name"]: (item["version"], item["built_in"]) for item in found}
    assert versions[f"{name}-0"] == (2, False) and versions["before-deployment"] == (1, True)
    assert all("groups" not in item for item in found)


def test_scopes(stack, name):
    releaser = stack.mint("rel", ("releaser",), ("*",), kind="user")
    refused(stack.api("PUT", path(name), BODY, token=releaser), 403, "forbidden")
    some = stack.mint("some", ("admin",), ("another",), kind="user")
    answer = refused(stack.api("PUT", path(name), BODY, token=some), 403, "forbidden")
    assert "every app" in answer["detail"]
    assert stack.api("PUT", path(name), BODY).status == 201
    for token in (releaser, some):
        assert stack.api("GET", path(name), token=token).status == 200
        assert stack.api("GET", "/checklist-templates", token=token).status == 200


# ---- in use ----

def checklist(stack, app, version):
    answer = stack.api("GET", f"/apps/{app}/releases/{version}/checklists/production")
    assert answer.status == 200, answer
    return answer["template"]["version"], [item["key"] for group in answer["groups"] for item in group["items"]]


def test_a_checklist_in_use_keeps_its_version(stack, environment):
    name = environment
    assert stack.api("PUT", path(name), BODY).status == 201
    assert stack.api("PUT", f"/apps/{name}/environments/production/gates", {"checklist": {"before": name}}).status == 201
    for version in ("v1.0.0", "v1.0.1"):
        stack.release(version, name)
    person = stack.mint("ann", ("releaser",), (name,), kind="user")
    ticked = stack.api("PUT", f"/apps/{name}/releases/v1.0.0/checklists/production/items/on-call", {"state": "passed"}, token=person)
    assert ticked.status == 200, ticked
    stack.api("GET", f"/apps/{name}/environments/production/blockers?version=v1.0.1")
    version = stack.sql(f"SELECT gate_version FROM environment WHERE app = '{name}'")
    more = copy.deepcopy(BODY)
    more["groups"][1]["items"].append({"key": "backup", "title": "Backup", "kind": "probe", "probe": "backup"})
    assert stack.api("PUT", path(name), more, headers={"If-Match": '"1"'}).status == 200
    assert int(stack.sql(f"SELECT gate_version FROM environment WHERE app = '{name}'")) > int(version), "law 4"
    assert checklist(stack, name, "v1.0.0") == (1, ["tests", "on-call", "cluster"])
    assert checklist(stack, name, "v1.0.1") == (2, ["tests", "on-call", "cluster", "backup"])
    asked = stack.api("GET", f"/apps/{name}/environments/production/blockers?version=v1.0.1")
    assert [blocker["what"] for blocker in asked["blockers"]] == ["tests", "on-call", "cluster", "backup"]


def test_environments_that_do_not_name_it_are_left_alone(stack, environment):
    version = stack.sql(f"SELECT gate_version FROM environment WHERE app = '{environment}'")
    assert stack.api("PUT", path(environment), BODY).status == 201
    assert stack.sql(f"SELECT gate_version FROM environment WHERE app = '{environment}'") == version
