"""Bad input on every route that there is: the right problem, naming the field, and nothing changed.

The routes and the bodies that they take come from `sluiced dump-routes`: a new route is tried without being added here,
as soon as EXAMPLES_OF says what a good body for it is."""

import copy
import datetime
import http.client
import json
import subprocess
import urllib.parse

import pytest

from tests.api.conftest import ask_for, environment_body, refused
from tests.support.stack import EXAMPLES, IMAGE, call, until

PUBLIC, ANY = "public", "any"


@pytest.fixture(scope="module")
def world(stack):
    """Something behind every path: an app, an environment, a release, a deployment."""
    app = "bad-input"
    assert stack.api("PUT", f"/apps/{app}", {"image": IMAGE}).status == 201
    assert stack.api("PUT", f"/apps/{app}/environments/production", environment_body(app)).status == 201
    assert stack.api("PUT", f"/apps/{app}/environments/staging", environment_body(app + "-staging")).status == 201
    manifests = (EXAMPLES / "manifests.yaml").read_text().replace("inopnc-", f"{app}-")
    assert stack.api("PUT", f"/apps/{app}/environments/production/manifests", manifests,
                     headers={"Content-Type": "application/yaml"}).status == 201
    assert stack.api("POST", f"/apps/{app}/releases", {"version": "v1.0.0", "image": IMAGE}).status == 201
    made = stack.create("v1.0.0", app)
    assert made.status == 202
    until(lambda: stack.deployment(made["id"])["state"] in ("failed", "stuck"))  # its Service does not exist
    ask_for(stack, app)
    key = stack.api("POST", "/keys", {"name": "other", "kind": "signature",
                                      "principal": {"kind": "bot", "roles": ["viewer"], "apps": ["other"]}})
    assert key.status == 201
    evidence = stack.api("POST", f"/apps/{app}/releases/v1.0.0/evidence?item=tests&source=ci", "<testsuite/>",
                         token=stack.token_for("evidence:write"), headers={"Content-Type": "application/junit+xml"})
    assert evidence.status == 201
    freeze = stack.api("POST", "/freezes", {"app": app, "reason": "holidays", "starts_at": "2099-12-24T00:00:00Z", "ends_at": "2099-12-27T00:00:00Z"})
    assert freeze.status == 201
    assert stack.api("PUT", f"/apps/{app}/segments/beta", {"constraints": []}).status == 201
    assert stack.api("PUT", f"/apps/{app}/flags/checkout", {}).status == 201
    at = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)).isoformat()
    schedule = stack.api("POST", f"/apps/{app}/environments/production/flags/checkout/schedule", {"at": at, "change": {"enabled": True}})
    assert schedule.status == 201, schedule
    asked = stack.api("POST", f"/apps/{app}/environments/production/flag-requests",
                      {"changes": [{"flag": "checkout", "set": {"enabled": True}}], "reason": "x"})
    assert asked.status == 201, asked
    stack.values = {"key": key["id"], "request": asked["id"], "freeze": freeze["id"], "flag": "checkout", "segment": "beta", "schedule": schedule["id"], "slot": "9", "app": app, "env": "production", "cluster": "local", "template": "before-deployment",
                    "version": "v1.0.0", "id": made["id"],
                    "code": "not-found", "checklist": "success", "report": evidence["report"], "signoff": made["id"]}
    return stack


def chains(stack):
    """The chains with their heads.  Not heads() of conftest.py, which takes too long for thousands of tests."""
    found, cursor = {}, ""
    while cursor is not None:
        page = stack.api("GET", f"/audit/chains?limit=200{cursor and '&cursor=' + cursor}")
        assert page.status == 200, page
        found.update({chain["name"]: chain["head"] for chain in page["items"]})
        cursor = page["next_cursor"]
    return found


@pytest.fixture(autouse=True)
def unchanged(request):
    """No test here may leave a trace in any chain."""
    world = request.getfixturevalue("world")
    before = chains(world)
    yield
    after = chains(world)
    assert {name: head for name, head in after.items() if before.get(name) != head} == {}


CONSTRAINT = {"context_name": "a", "operator": "IN", "values": ["x"], "value": "x", "inverted": True, "case_insensitive": True}
VARIANT = {"name": "a", "weight": 1, "weight_type": "fix", "stickiness": "userId", "payload": {"type": "string", "value": "x"},
           "overrides": [{"context_name": "a", "values": ["x"]}]}
STRATEGY = {"name": "default", "title": "x", "disabled": True, "parameters": {}, "constraints": [CONSTRAINT], "segments": ["beta"],
            "variants": [VARIANT]}


def examples_of(operation):
    """A good body for an operation."""
    return copy.deepcopy({
        "putApp": {"name": "bad-input", "description": "x", "repository": "x", "image": IMAGE, "owners": ["x"]},
        "putCluster": {"name": "local", "kubeconfig_file": "kubeconfig", "context": "kubesim"},
        "putEnvironment": {**environment_body("bad-input", deadlines={"available_s": 10, "checks_s": 10, "validate_s": 10}),
                           "checks": {"reach": "auto", **{name: [{
                               "name": "c", "path": "/", "method": "GET", "status": 200, "headers": {"X-A": "b"},
                               "json": {"/a": 1}, "body_contains": "x", "max_ms": 100, "timeout_s": 1, "interval_s": 1,
                               "consecutive": 1, "failures": 1}] for name in ("health", "smoke", "production")}}},
        "createRelease": {"version": "v2.0.0", "image": IMAGE, "digest": "sha256:" + "0" * 64, "commit": "0" * 40,
                          "notes": "x", "manifests": "kind: ConfigMap", "source": {"a": "b"},
                          "flags": [{"flag": "x", "at": "before", "set": {"enabled": True, "default_variant": "a", "strategies": [
                              {**STRATEGY, "constraints": [{"context_name": "a", "operator": "STR_CONTAINS", "values": ["x"]}]}]}}],
                          "migrations": [{"version": "1", "class": "additive"}]},
        "yankRelease": {"reason": "x"},
        "putChecklistTemplate": {"groups": [{"name": "a", "title": "A", "items": [
            {"key": "a", "title": "A", "kind": "evidence", "required": True, "expires_s": 60,
             "params": {"max_level": "error", "max_security_severity": 7.0, "max_total_bytes": 1, "max_file_bytes": 1}}]}]},
        "putFlag": {"name": "checkout", "description": "x", "type": "release", "value_type": "string", "impression_data": True,
                    "variants": [VARIANT], "dependencies": [{"flag": "other", "enabled": True, "variants": ["a"]}],
                    "stale_after": "2099-01-01T00:00:00Z", "reason": "x"},
        "putSegment": {"name": "beta", "description": "x", "constraints": [CONSTRAINT], "reason": "x"},
        "putFlagState": {"enabled": True, "default_variant": "a", "requires_release": "v1.0.0", "reason": "x", "strategies": [STRATEGY]},
        "promoteFlags": {"from": "staging", "flags": ["checkout"], "dry_run": True, "reason": "x"},
        "importFlags": {"document": {"features": []}, "existing": "keep", "dry_run": True, "reason": "x"},
        "scheduleFlag": {"at": "2027-01-01T00:00:00Z", "if_revision": 0, "reason": "x", "change": {
            "enabled": True, "default_variant": "a", "strategies": [{"name": "default", "constraints": [CONSTRAINT], "variants": [VARIANT]}]}},
        "requestFlags": {"reason": "x", "changes": [{"flag": "checkout", "set": {
            "enabled": True, "killed": False, "default_variant": "a", "requires_release": "v1.0.0", "strategies": [STRATEGY]}}]},
        **{verb + "FlagRequest": {"note": "x"} for verb in ("approve", "reject", "apply", "cancel")},
        **{operation: {"revision": 1, "reason": "x"} for operation in ("restoreFlag", "restoreFlagState", "restoreSegment")},
        "putGates": {"checklist": {"before": "before-deployment", "after": "after-deployment"},
                     "approvals": [{"role": "qa", "count": 1}], "acceptance": [{"role": "final", "count": 1}],
                     "acceptance_blocks_next": True, "self_approval": True, "freeze": True,
                     "previous_environment": "staging", "evidence_max_age_s": 60, "flag_approvals": {"count": 1}},
        "createFreeze": {"app": "bad-input", "environment": "production", "reason": "xxx", "let_running_finish": True,
                         "weekly": {"days": ["friday"], "start": "18:00", "duration_s": 3600, "timezone": "Europe/Berlin"}},
        "requestBreakGlass": {"reason": "x" * 10, "duration_s": 60},
        "createEvidence": {"item": "tests", "environment": "production", "state": "passed", "source": "x", "summary": "x",
                           "url": "https://example.com/x", "digest": "0" * 64, "observed_at": "2026-01-01T00:00:00Z",
                           "expires_s": 60},
        **{operation: {"state": "waived", "note": "x", "person": "x", "evidence": {"url": "https://ci", "summary": "x"},
                       "reason": "x" * 10, "role": "admin", "expires_s": 60}
           for operation in ("putChecklistItem", "putDeploymentChecklistItem")},
        "createAcceptance": {"role": "final", "decision": "reject", "note": "x"},
        "createSignoff": {"environment": "production", "role": "qa", "decision": "reject", "note": "x"},
        "createDeployment": {"app": "bad-input", "environment": "production", "version": "v1.0.0", "strategy": "blue-green",
                             "reason": "x", "queue": False, "dry_run": False, "params": {"promote": "auto"}},
        "createKey": {"name": "x", "kind": "api", "expires_at": "2099-01-01T00:00:00Z",
                      "principal": {"kind": "service", "roles": ["flags:client"], "apps": ["bad-input"], "environment": "production"}},
        "rotateKey": {"overlap_s": 60},
        "resolveDeployment": {"as": "failed", "reason": "x"},
        "rollbackEnvironment": {"to": "v1.0.0", "reason": "x"},
        "moveTraffic": {"color": "blue", "reason": "x"},
        **{verb + "Deployment": {"reason": "x"}
           for verb in ("abort", "rollback", "promote", "pause", "resume", "cancel", "retry")},
        **{verb + "Flag": {"reason": "x"} for verb in ("enable", "disable", "kill", "unkill")},
    }[operation])


def dump_routes():
    import os
    import pathlib
    folders = [os.environ.get("STACK_BIN", ""), *map(str, pathlib.Path(__file__).resolve().parents[2].glob("build/**/bin"))]
    for folder in folders:
        program = pathlib.Path(folder) / "sluiced"
        if folder and program.exists():
            return json.loads(subprocess.run([program, "dump-routes"], check=True, capture_output=True).stdout)
    return []


ROUTES = dump_routes()
OURS = [route for route in ROUTES if not route["protocol"]]  # others refuse in their own form: test_ofrep.py, test_unleash.py
NAMES = [route["operation"] for route in OURS]
EACH = pytest.mark.parametrize("route", OURS, ids=NAMES)
SCOPED = pytest.mark.parametrize("route", [r for r in OURS if r["scope"] not in (PUBLIC, ANY)],
                                 ids=[r["operation"] for r in OURS if r["scope"] not in (PUBLIC, ANY)])
WITH_JSON = [r for r in OURS if r["body"] and "schema" in r["body"]]
EACH_JSON = pytest.mark.parametrize("route", WITH_JSON, ids=[r["operation"] for r in WITH_JSON])


def path_of(world, route, **values):
    path = route["path"]
    for name, value in {**world.values, **values}.items():
        path = path.replace("{%s}" % name, value)
    assert "{" not in path, "a new kind of path value: add it to the world"
    return path + {"readAudit": "?chain=system", "getBlockers": "?version=v1.0.0", "diffFlags": "?from=staging"}.get(route["operation"], "")


def send(world, route, body=None, token=None, headers=None, method=None, path=None):
    """What the route is asked, good but for what is given."""
    good = route["body"]
    if body is None and good:
        body = json.dumps(examples_of(route["operation"])) if "schema" in good else "kind: ConfigMap"
    headers = dict(headers or {})
    if good and body is not None:
        headers.setdefault("Content-Type", good["media_type"])
    if route["method"] == "PUT":
        headers.setdefault("If-Match", "*")
    return call(method or route["method"], world.urls[0] + (path or path_of(world, route)), body,
                token or world.token_for(route["scope"]), headers)


def test_there_are_routes():
    assert len(OURS) >= 38 and len(set(NAMES)) == len(NAMES)


# ---- the door ----

@EACH
def test_wrong_method(world, route):
    path = path_of(world, route)
    allowed = {other["method"] for other in ROUTES if other["path"] == route["path"]}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - allowed:
        answer = refused(call(method, world.urls[0] + path, token=world.token), 405, "method-not-allowed")
        assert set(answer.headers["Allow"].replace(" ", "").split(",")) >= allowed - {"HEAD"}


@EACH
def test_no_token_and_bad_tokens(world, route):
    if route["scope"] == PUBLIC:
        return
    url = world.urls[0] + path_of(world, route)
    tampered = world.token[:-4] + ("AAAA" if world.token[-4:] != "AAAA" else "BBBB")
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic YTpi"},
                    {"Authorization": "Bearer " + tampered}):
        answer = refused(call(route["method"], url, headers=headers), 401, "unauthenticated")
        assert "WWW-Authenticate" in answer.headers


@SCOPED
def test_wrong_scope(world, route):
    nobody = world.mint("n", ("flags:client",))
    answer = refused(send(world, route, token=nobody), 403, "forbidden")
    assert route["scope"] in answer["detail"]


@EACH
def test_wrong_app(world, route):
    """A credential for another app: refused where the path or the body says which app, blind where it does not."""
    other = world.mint("o", ("admin",), ("other",))
    if "{app}" in route["path"] or "{id}" in route["path"] or "{freeze}" in route["path"] \
            or route["operation"] in ("createDeployment", "createFreeze", "readAudit"):
        refused(send(world, route, token=other), 403, "forbidden")
    elif route["operation"] == "listCheckpoints":
        refused(send(world, route, token=other), 403, "forbidden")  # they name the chains of every app
    elif ("{cluster}" in route["path"] or "{template}" in route["path"]) and route["method"] != "GET":
        refused(send(world, route, token=other), 403, "forbidden")  # they belong to every app
    elif route["scope"] != PUBLIC and route["method"] == "GET" and "cluster" not in route["path"]:
        answer = send(world, route, token=other)
        assert answer.status == 200 and b"bad-input" not in answer.raw


@EACH
@pytest.mark.parametrize("bad", ["UPPER", "a_b", "a" * 300, "%C3%A4", "-a", "%20"])
def test_bad_path_segments(world, route, bad):
    for name in world.values:
        if "{%s}" % name not in route["path"] or name == "code":
            continue
        if name in ("flag", "segment") and bad in ("UPPER", "a_b"):
            continue  # clients call their flags so
        answer = refused(send(world, route, path=path_of(world, route, **{name: bad})), 400, "invalid-path")
        assert answer["parameter"] == name and name in answer["detail"]


@EACH
@pytest.mark.parametrize("bad", ["%00", "a%00", "%2F", "..%2Fa", "%zz", "%", "a%5Cb", "%FF"])
def test_path_segments_that_are_no_text(world, route, bad):
    if "{" not in route["path"]:
        return
    name = route["path"].split("{")[1].split("}")[0]
    answer = send(world, route, path=path_of(world, route, **{name: bad}))
    assert answer.status == 400 and answer["code"] in ("invalid-path", "invalid-request"), answer


@EACH
def test_unknown_and_repeated_queries(world, route):
    path = path_of(world, route)
    joint = "&" if "?" in path else "?"
    refused(send(world, route, path=f"{path}{joint}nonsense=1"), 400, "invalid-query", "nonsense")
    for name in route["query"]:
        answer = send(world, route, path=f"{route_path(world, route)}?{name}=1&{name}=1")
        assert (answer.status, answer["code"]) == (400, "invalid-query"), answer
        answer = send(world, route, path=f"{route_path(world, route)}?{name}=%FF")
        assert (answer.status, answer["code"]) == (400, "invalid-query"), answer


def route_path(world, route):
    return path_of(world, route).split("?")[0]


@EACH
def test_bad_pages(world, route):
    if "limit" not in route["query"]:
        return
    path = route_path(world, route)
    for value in ("0", "201", "-1", "x", "1.5", "", "99999999999999999999"):
        refused(send(world, route, path=f"{path}?limit={value}"), 400, "invalid-query", "limit")
    for value in ("x", "AAAA", "%00", "a" * 3000, "'; DROP TABLE app; --".replace(" ", "%20")):
        refused(send(world, route, path=f"{path}?cursor={value}"), 400, "invalid-query", "cursor")


# ---- bodies ----

@EACH
def test_content_types(world, route):
    if not route["body"]:
        return
    for media_type in ("text/plain", "application/xml", "nonsense", "application/x-www-form-urlencoded"):
        refused(send(world, route, headers={"Content-Type": media_type}), 415, "unsupported-media-type")


@EACH
def test_too_large(world, route):
    if route["body"]:
        refused(send(world, route, body=b" " * (route["body"]["max_bytes"] + 1)), 413, "body-too-large")


@EACH
def test_too_large_without_saying_so(world, route):
    """Chunked: the size shows only while it comes."""
    if not route["body"]:
        return
    url = urllib.parse.urlsplit(world.urls[0])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    piece = b" " * 65536
    pieces = [piece] * (route["body"]["max_bytes"] // len(piece) + 1)
    try:
        connection.request(route["method"], path_of(world, route), body=iter(pieces), encode_chunked=True, headers={
            "Authorization": "Bearer " + world.token_for(route["scope"]),
            "Content-Type": route["body"]["media_type"],
            "Transfer-Encoding": "chunked", "If-Match": "*"})
        answer = connection.getresponse()
        assert answer.status == 413 and json.loads(answer.read())["code"] == "body-too-large"
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was cut off instead, which is as good
    finally:
        connection.close()


@EACH_JSON
@pytest.mark.parametrize("body, field", [
    (b"", None),
    (b"{", ""),
    (b"[]", ""),
    (b"null", ""),
    (b'"x"', ""),
    (b"7", ""),
    (b"{}x", ""),
    (b"{} {}", ""),
    (b"{'a': 1}", ""),
    (b'{"a": NaN}', "/a"),
    (b'{"a": 1e999}', "/a"),
    (b'{"a": "\xff"}', None),
    (b'{"a": "\xed\xa0\x80"}', None),
    (b'{"a": "\xc0\xaf"}', None),
    (b'{"a": "\\ud800"}', None),
    (b'{"a": "\\u0000"}', None),
    (b'\xef\xbb\xbf{}', ""),
    (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", None),
    (b"[" * 5000, None),
    (b'{"a":' * 3000, None),
], ids=["nothing", "brace", "array", "null", "string", "number", "trailing", "two", "quotes", "NaN", "overflow", "FF",
        "surrogate", "overlong", "half", "NUL", "BOM", "deep", "deeper", "deepest"])
def test_what_is_no_json_object(world, route, body, field):
    if body == b"":
        required = [f["name"] for f in route["body"]["schema"]["fields"] if f["required"]]
        if not required:
            return
        field = "/" + required[0]
    refused(send(world, route, body=body), 400, "invalid-body", field)


@EACH_JSON
def test_unknown_and_duplicate_keys(world, route):
    good = examples_of(route["operation"])
    refused(send(world, route, body={**good, "nonsense": 1}), 400, "invalid-body", "/nonsense")
    refused(send(world, route, body={**good, "a/b~c": 1}), 400, "invalid-body", "/a~1b~0c")
    key = next(iter(good))
    text = json.dumps(good)[:-1] + ", %s: %s}" % (json.dumps(key), json.dumps(good[key]))
    refused(send(world, route, body=text), 400, "invalid-body", "/" + key)


def fields_of(schema, value, at=""):
    """Every field of a body with its pointer, nested ones too, as far as the good body goes."""
    for field in schema["fields"]:
        pointer = f"{at}/{field['name']}"
        yield field, pointer
        inner = value.get(field["name"]) if value else None
        if field["type"] == "object" and inner:
            yield from fields_of(field["schema"], inner, pointer)
        if field["type"] == "objects" and inner:
            yield from fields_of(field["schema"], inner[0], pointer + "/0")


def changed(body, pointer, value=None, drop=False):
    body = copy.deepcopy(body)
    at = body
    keys = pointer.strip("/").split("/")
    for key in keys[:-1]:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if drop:
        at.pop(keys[-1], None)
    else:
        at[keys[-1]] = value
    return body


WRONG = {
    "string": [1, True, [], {}], "name": [1, True, [], {}, "", "A", "a b", "a" * 64, "-a", "ä"],
    "enum": [1, [], "nonsense", ""], "time": [1, "yesterday", "2026-13-01T00:00:00Z", ""],
    "int": ["1", 1.5, True, [], 2 ** 63 - 1, -2 ** 63], "bool": [1, "true", []],
    "strings": ["x", {}, [1], [None], ["x" * 1025]], "object": [[], "x", 1], "objects": [{}, "x", [1], [None], [[]]],
    "map": [[], "x", 1],
}


@EACH_JSON
def test_wrong_types_and_ranges(world, route):
    good = examples_of(route["operation"])
    tried = 0
    for field, pointer in fields_of(route["body"]["schema"], good):
        values = list(WRONG.get(field["type"], []))
        if field["type"] == "int":
            values += [field["min"] - 1, field["max"] + 1]
        if field["type"] == "string" and "max" in field and field["max"] < 200000:
            values += ["x" * (field["max"] + 1)] + ([""] if field["min"] else [])
        if field["type"] == "strings":
            values.append(["x"] * (field["max"] + 1))
        if field["type"] == "objects":
            values.append([{}] * (field["max"] + 1))
        if field["type"] == "map":
            values.append({f"k{i}": "v" for i in range(field["max"] + 1)})
        for value in values:
            answer = send(world, route, body=changed(good, pointer, value))
            if len(json.dumps(changed(good, pointer, value))) > route["body"]["max_bytes"]:
                assert (answer.status, answer["code"]) == (413, "body-too-large"), (pointer, answer)
                continue
            assert (answer.status, answer["code"]) == (400, "invalid-body"), (pointer, value, answer)
            named = [error["field"] for error in answer["errors"]]
            assert any(name == pointer or name.startswith(pointer + "/") for name in named), (pointer, value, answer)
            tried += 1
    assert tried >= 4


@EACH_JSON
def test_missing_fields(world, route):
    good = examples_of(route["operation"])
    for field, pointer in fields_of(route["body"]["schema"], good):
        if not field["required"]:
            continue
        refused(send(world, route, body=changed(good, pointer, drop=True)), 400, "invalid-body", pointer)
        refused(send(world, route, body=changed(good, pointer, None)), 400, "invalid-body", pointer)


@EACH_JSON
def test_unknown_keys_deep_inside(world, route):
    good = examples_of(route["operation"])
    for field, pointer in fields_of(route["body"]["schema"], good):
        if field["type"] == "object" and pointer.strip("/") in good:
            refused(send(world, route, body=changed(good, pointer + "/nonsense", 1)), 400, "invalid-body",
                    pointer + "/nonsense")
        if field["type"] == "objects" and field["schema"]["fields"]:
            refused(send(world, route, body=changed(good, pointer + "/0/nonsense", 1)), 400, "invalid-body",
                    pointer + "/0/nonsense")


@EACH_JSON
def test_several_errors_are_all_named(world, route):
    good = examples_of(route["operation"])
    bad = {**good, "one": 1, "two": 2}
    named = {error["field"] for error in refused(send(world, route, body=bad), 400, "invalid-body")["errors"]}
    assert named == {"/one", "/two"}


# ---- headers ----

@EACH
def test_bodies_where_none_belongs(world, route):
    """A body on a call that takes none is not read as anything."""
    if route["body"] or route["method"] != "DELETE":
        return
    answer = send(world, route, body=b"{}", headers={"Content-Type": "application/json", "If-Match": '"nothing"'})
    assert answer.status in (400, 412, 415), answer


@EACH
def test_accept_that_excludes_the_answer(world, route):
    if route["method"] != "GET" or route["scope"] == PUBLIC:
        return
    refused(send(world, route, headers={"Accept": "image/png"}), 406, "not-acceptable")


def test_paths_that_do_not_exist(world):
    for path in ("/", "/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/apps", "/api/v1/apps/", "/api/v1//apps",
                 "/api/v1/apps/a/b/c/d/e", "/api/health/", "/metrics/x", "/API/v1/apps"):
        answer = call("GET", world.urls[0] + path, token=world.token)
        assert (answer.status, answer["code"]) in ((404, "not-found"), (400, "invalid-path")), (path, answer)


def test_a_chain_of_a_stranger_cannot_be_guessed(world):
    operator = world.mint("o", ("operator",), ("other",))
    for chain in ("bad-input", "bad-input%2Fproduction", "system"):
        refused(call("GET", world.urls[0] + "/api/v1/audit?chain=" + chain, token=operator), 403, "forbidden")


def test_every_code_has_a_page(world):
    import re
    document = call("GET", world.urls[0] + "/api/openapi.json")
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    for code in codes:
        page = call("GET", world.urls[0] + f"/api/docs/errors/{code}")
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
        text = page.raw.decode()
        assert code in text and re.search(r"<p>[A-Z`].{20,}</p>", text), code
    refused(call("GET", world.urls[0] + "/api/docs/errors/nonsense"), 404, "not-found")
    docs = call("GET", world.urls[0] + "/api/docs").raw.decode()
    assert all(route["operation"] in docs for route in ROUTES)


def test_the_log_of_all_this_holds_no_fault(world):
    log = "".join(path.read_text(errors="replace") for path in (world.dir / "log").glob("sluiced*.log"))
    assert "event=fault" not in log and "Sanitizer" not in log


