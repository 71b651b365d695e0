"""Apps: PUT, GET, DELETE, lists; the general shapes of the API are tried here once."""

import datetime
import hashlib
import json

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import together


def test_put_makes_keeps_and_replaces(stack, name):
    path = f"/apps/{name}"
    body = {"name": name, "description": "Work log", "repository": "https://github.com/your-org/inopnc-wm",
            "image": "ghcr.io/your-org/inopnc-wm", "owners": ["team-a", "team-b"]}
    made = stack.api("PUT", path, body)
    assert made.status == 201 and made.headers["ETag"]
    assert {key: made[key] for key in body} == body
    before = heads(stack)
    again = stack.api("PUT", path, body)
    assert again.status == 200 and again.headers["ETag"] == made.headers["ETag"]
    assert heads(stack) == before, "an equal PUT changes nothing"
    other = {**body, "description": "Work log 2"}
    refused(stack.api("PUT", path, other), 428, "precondition-required")
    refused(stack.api("PUT", path, other, headers={"If-Match": '"nonsense"'}), 412, "precondition-failed")
    assert heads(stack) == before
    changed = stack.api("PUT", path, other, headers={"If-Match": made.headers["ETag"]})
    assert changed.status == 200 and changed["description"] == "Work log 2"
    assert changed.headers["ETag"] != made.headers["ETag"]
    refused(stack.api("PUT", path, body, headers={"If-Match": made.headers["ETag"]}), 412, "precondition-failed")
    assert stack.api("PUT", path, body, headers={"If-Match": "*"}).status == 200
    assert stack.api("GET", path).json["description"] == "Work log"


def test_put_with_the_tag_of_something_else_makes_nothing(stack, name):
    refused(stack.api("PUT", f"/apps/{name}", {}, headers={"If-Match": '"1-0"'}), 412, "precondition-failed")
    refused(stack.api("GET", f"/apps/{name}"), 404, "not-found")
    assert stack.api("PUT", f"/apps/{name}", {}, headers={"If-Match": "*"}).status == 201


def test_etag_does_not_survive_delete_and_make(stack, app):
    old = stack.api("GET", f"/apps/{app}").headers["ETag"]
    assert stack.api("DELETE", f"/apps/{app}").status == 204
    assert stack.api("PUT", f"/apps/{app}", {}).status == 201
    refused(stack.api("PUT", f"/apps/{app}", {"description": "x"}, headers={"If-Match": old}), 412, "precondition-failed")


def test_get_answers_not_modified(stack, app):
    tag = stack.api("GET", f"/apps/{app}").headers["ETag"]
    assert stack.api("GET", f"/apps/{app}", headers={"If-None-Match": tag}).status == 304


def test_delete(stack, environment):
    before = heads(stack)
    refused(stack.api("DELETE", f"/apps/{environment}"), 409, "in-use")
    assert heads(stack) == before
    assert stack.api("DELETE", f"/apps/{environment}/environments/production").status == 204
    refused(stack.api("DELETE", f"/apps/{environment}", headers={"If-Match": '"x"'}), 412, "precondition-failed")
    answer = stack.api("DELETE", f"/apps/{environment}")
    assert answer.status == 204 and not answer.raw
    refused(stack.api("DELETE", f"/apps/{environment}"), 404, "not-found")
    refused(stack.api("GET", f"/apps/{environment}"), 404, "not-found")


def test_the_chain_goes_on_when_a_name_is_made_again(stack, app):
    stack.api("DELETE", f"/apps/{app}")
    stack.api("PUT", f"/apps/{app}", {"description": "again"})
    chain = stack.chain(app)
    assert [record["action"] for record in chain] == ["app.put", "app.deleted", "app.put"]
    assert [record["seq"] for record in chain] == [1, 2, 3]
    assert chain[0]["actor"]["subject"] == "admin" and chain[0]["from"] == "127.0.0.1"
    assert chain[2]["data"]["spec"]["description"] == "again"


def test_lists_are_pages(stack, name):
    names = [f"{name}-{i:02d}" for i in range(7)]
    for each in names:
        assert stack.api("PUT", f"/apps/{each}", {}).status == 201
    token = stack.mint("lister", ("viewer",), names)
    found, cursor, pages = [], "", 0
    while cursor is not None:
        page = stack.api("GET", f"/apps?limit=3{cursor and '&cursor=' + cursor}", token=token)
        assert page.status == 200 and len(page["items"]) <= 3
        found += [item["name"] for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert found == names and pages == 3


def test_lists_show_what_the_principal_reaches(stack, app, name):
    only = stack.mint("v", ("viewer",), (app,))
    assert [item["name"] for item in stack.api("GET", "/apps", token=only)["items"]] == [app]
    assert stack.api("GET", f"/apps/{app}", token=only).status == 200
    none = stack.mint("v", ("viewer",), ("nothing",))
    assert stack.api("GET", "/apps", token=none)["items"] == []
    refused(stack.api("GET", f"/apps/{app}", token=none), 403, "forbidden")
    refused(stack.api("GET", "/apps/there-is-none", token=none), 403, "forbidden")


def test_system_is_reserved(stack):
    assert refused(stack.api("PUT", "/apps/system", {}), 400, "invalid-path")["parameter"] == "app"


def test_name_in_the_body_is_the_paths(stack, name):
    refused(stack.api("PUT", f"/apps/{name}", {"name": "other"}), 400, "invalid-body", "/name")
    refused(stack.api("PUT", f"/apps/{name}", {"image": "ghcr.io/a@sha256:" + "0" * 64}), 400, "invalid-body", "/image")
    refused(stack.api("GET", f"/apps/{name}"), 404, "not-found")


def test_sixteen_makers_at_once_make_one(stack, name):
    for attempt in range(20):
        path = f"/apps/{name}-{attempt}"
        answers = together(16, lambda i: stack.api("PUT", path, {"description": "same"}))
        assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
        assert len(stack.chain(f"{name}-{attempt}")) == 1


def test_me(stack):
    me = stack.api("GET", "/me", token=stack.mint("robot", ("ci",), ("inopnc",)))
    assert (me["kind"], me["subject"], me["issuer"], me["roles"], me["apps"]) == ("ci", "robot", "sluice", ["ci"], ["inopnc"])
    assert "release:write" in me["scopes"] and "app:write" not in me["scopes"]
    hour = datetime.timedelta(hours=1)
    left = datetime.datetime.fromisoformat(me["expires_at"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert hour * 0.9 < left <= hour


def test_long_bodies_go_on_record_as_their_digest(stack, app):
    checks = [{"name": f"c{i}", "path": "/" + "x" * 1000, "body_contains": "y" * 1000} for i in range(16)]
    body = environment_body(app, checks={"health": checks, "smoke": checks})
    assert stack.api("PUT", f"/apps/{app}/environments/long", body).status == 201
    record = stack.chain(f"{app}/long")[0]
    assert list(record["data"]) == ["spec_sha256"] and len(json.dumps(record)) < 2000
    assert len(record["data"]["spec_sha256"]) == hashlib.sha256().digest_size * 2
