"""Releases: made once, never changed, yanked but never gone."""

import hashlib
import json

import pytest

from tests.api.conftest import heads, refused
from tests.support.stack import EXAMPLES, IMAGE, together

DIGEST = "sha256:" + "0123456789abcdef" * 4
FULL = {"version": "v1.2.3", "image": f"{IMAGE}:v1.2.3", "digest": DIGEST, "commit": "0123abc", "notes": "Faster search",
        "manifests": (EXAMPLES / "manifests.yaml").read_text(),
        "migrations": [{"version": "20261101", "class": "additive"}], "flags": [{"flag": "new-search", "at": "before", "set": {"enabled": True}}],
        "source": {"repository": "your-org/inopnc-wm", "run_id": 7}}


def canonical(release):
    """As the OpenAPI document describes it."""
    def text(value):
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    out = b"sluice release 1\n"
    for key in ("version", "image", "digest", "commit", "manifests", "migrations", "flags"):
        value = text(release[key]).encode()
        if key == "version":
            value = value.removeprefix(b"v")
        out += b"%s %d\n%s\n" % (key.encode(), len(value), value)
    return out


def test_create_get(stack, app):
    path = f"/apps/{app}/releases"
    made = stack.api("POST", path, FULL)
    assert made.status == 201 and made.headers["Location"] == f"/api/v1{path}/v1.2.3"
    assert {key: made[key] for key in FULL} == FULL
    assert made["content_digest"] == hashlib.sha256(canonical(FULL)).hexdigest()
    assert made["created_by"] == {"kind": "user", "subject": "admin", "issuer": "sluice"} and made["yanked_at"] is None
    for spelling in ("v1.2.3", "1.2.3"):
        assert stack.api("GET", f"{path}/{spelling}").json == made.json
    record = stack.chain(app)[-1]
    assert (record["action"], record["subject"]) == ("release.created", "v1.2.3")
    assert record["data"]["content_digest"] == made["content_digest"] and record["data"]["digest"] == DIGEST


def test_law8_the_same_content_is_200_other_content_is_refused(stack, app):
    path = f"/apps/{app}/releases"
    made = stack.api("POST", path, FULL)
    before = heads(stack)
    for same in ({}, {"version": "1.2.3"}, {"notes": "other notes"}, {"source": "CI"},
                 {"image": f"{IMAGE}:v1.2.3@{DIGEST}", "digest": None}):
        again = stack.api("POST", path, {**FULL, **same})
        assert again.status == 200 and again.json == made.json, again
    for other in ({"image": f"{IMAGE}:other"}, {"digest": None}, {"commit": "0123abd"}, {"flags": []}, {"migrations": []},
                  {"manifests": None}):
        answer = refused(stack.api("POST", path, {**FULL, **other}), 409, "release-exists")
        assert answer["content_digest"] == made["content_digest"]
    assert heads(stack) == before


def test_sixteen_makers_at_once_make_one(stack, app):
    answers = together(16, lambda i: stack.api("POST", f"/apps/{app}/releases", FULL))
    assert sorted(answer.status for answer in answers) == [200] * 15 + [201]


@pytest.mark.parametrize("change, field", [
    ({"version": "1.2"}, "/version"),
    ({"version": "latest"}, "/version"),
    ({"version": "v1.2.3-01"}, "/version"),
    ({"image": "UPPER/case:1"}, "/image"),
    ({"image": "a b"}, "/image"),
    ({"image": IMAGE + "@sha256:123"}, "/image"),
    ({"image": IMAGE + "@sha256:" + "1" * 64}, "/digest"),
    ({"digest": "sha256:" + "A" * 64}, "/digest"),
    ({"digest": "md5:" + "0" * 67}, "/digest"),
    ({"commit": "not-hexadecimal"}, "/commit"),
    ({"manifests": "a: ["}, "/manifests"),
    ({"manifests": "# nothing"}, "/manifests"),
    ({"migrations": [{"version": "1", "class": "harmless"}]}, "/migrations/0/class"),
    ({"migrations": [{"class": "additive"}]}, "/migrations/0/version"),
    ({"migrations": [{"version": "1", "class": "additive"}] * 2}, "/migrations/1/version"),
    ({"flags": [1]}, "/flags/0"),
    ({"flags": [{"flag": "x", "at": "later", "set": {"enabled": True}}]}, "/flags/0/at"),
    ({"flags": [{"flag": "x", "at": "before", "set": {}}]}, "/flags/0/set"),
    ({"flags": [{"flag": "x", "at": "before", "set": {"enabled": None}}]}, "/flags/0/set"),
    ({"flags": [{"flag": "x", "at": "before", "set": {"killed": False}}]}, "/flags/0/set/killed"),
    ({"flags": [{"flag": "x", "at": "before", "set": {"strategies": [{"name": "x"}]}}]}, "/flags/0/set/strategies/0/name"),
    ({"flags": [{"flag": "x", "at": "before", "set": {"enabled": True}}] * 2}, "/flags/1"),
    ({"source": [1]}, "/source"),
    ({"source": {"a": {}}}, "/source"),
])
def test_refusals_name_the_field(stack, app, change, field):
    before = heads(stack)
    refused(stack.api("POST", f"/apps/{app}/releases", {**FULL, **change}), 400, "invalid-body", field)
    assert heads(stack) == before
    assert stack.api("GET", f"/apps/{app}/releases")["items"] == []


def test_newest_first_by_precedence_in_pages(stack, app):
    ordered = ["v10.0.0", "2.0.0", "v2.0.0-rc.1", "v1.10.0", "1.9.0+build.7", "v1.9.0", "v1.9.0-beta.11", "v1.9.0-beta.2",
               "v1.9.0-alpha", "v0.1.0"]
    for version in sorted(ordered):
        assert stack.api("POST", f"/apps/{app}/releases", {"version": version, "image": IMAGE}).status == 201
    found, cursor = [], ""
    while cursor is not None:
        page = stack.api("GET", f"/apps/{app}/releases?limit=3{cursor and '&cursor=' + cursor}")
        found += [item["version"] for item in page["items"]]
        assert all("manifests" not in item for item in page["items"])
        cursor = page["next_cursor"]
    assert found == ordered
    assert stack.api("GET", f"/apps/{app}/releases/1.9.0%2Bbuild.7")["version"] == "1.9.0+build.7"


def test_yank_takes_it_out_of_use_never_out_of_the_record(stack, environment):
    path = f"/apps/{environment}/releases"
    assert stack.api("POST", path, {"version": "v1.0.0", "image": IMAGE}).status == 201
    yanked = stack.api("POST", f"{path}/v1.0.0/yank", {"reason": "leaks memory"})
    assert yanked.status == 200 and yanked["yanked_at"] and yanked["yank_reason"] == "leaks memory"
    assert (yanked["open"], yanked["effective"]) == (False, True) and "deployment" not in yanked.json
    assert [r["action"] for r in stack.chain(f"{environment}/production") if r["action"].startswith("gate.")] == ["gate.closed"]
    before = heads(stack)
    again = stack.api("POST", f"{path}/1.0.0/yank", {"reason": "other"})
    assert again.status == 200 and again.json == yanked.json and heads(stack) == before
    refused(stack.create("v1.0.0", environment), 409, "release-yanked")
    assert [item["version"] for item in stack.api("GET", path)["items"]] == ["v1.0.0"]
    record = stack.chain(environment)[-1]
    assert (record["action"], record["data"]) == ("release.yanked", {"reason": "leaks memory"})
    refused(stack.api("POST", f"{path}/v1.0.1/yank", {"reason": "x"}), 404, "not-found")
    refused(stack.api("POST", f"{path}/v1.0.0/yank", {}), 400, "invalid-body", "/reason")


def test_law4_a_yank_after_the_cut_over_comes_too_late_and_says_so(stack):
    stack.inopnc()
    id = stack.deploy("v8.9.0")
    stack.wait(id, "succeeded")
    serves = stack.selector()
    yanked = stack.api("POST", "/apps/inopnc/releases/v8.9.0/yank", {"reason": "leaks memory"})
    assert yanked.status == 200 and yanked["yanked_at"], yanked
    assert (yanked["open"], yanked["effective"], yanked["deployment"]) == (False, False, id)
    assert stack.api("POST", "/apps/inopnc/releases/v8.9.0/yank", {"reason": "again"}).json == yanked.json
    assert stack.deployment(id)["state"] == "succeeded" and stack.selector() == serves
    stack.release("v8.9.1")
    early = stack.api("POST", "/apps/inopnc/releases/v8.9.1/yank", {"reason": "never went out"})
    assert early["effective"] is True and "deployment" not in early.json


def test_releases_need_their_app_and_outlive_it(stack, app):
    assert stack.api("POST", f"/apps/{app}/releases", FULL).status == 201
    assert stack.api("DELETE", f"/apps/{app}").status == 204
    refused(stack.api("POST", f"/apps/{app}/releases", {**FULL, "version": "v2.0.0"}), 404, "not-found")
    refused(stack.api("GET", "/apps/never-was/releases"), 404, "not-found")
    assert stack.api("PUT", f"/apps/{app}", {}).status == 201
    assert stack.api("GET", f"/apps/{app}/releases/v1.2.3").status == 200


def test_ci_may_register_and_a_viewer_may_not(stack, app):
    ci = stack.mint("ci", ("ci",), (app,))
    assert stack.api("POST", f"/apps/{app}/releases", FULL, token=ci).status == 201
    viewer = stack.mint("v", ("viewer",), (app,))
    answer = refused(stack.api("POST", f"/apps/{app}/releases", FULL, token=viewer), 403, "forbidden")
    assert "release:write" in answer["detail"]
