"""Bad input on every route, from outside: the right problem, naming what is wrong, and nothing changed."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.support.stack import Stack, call, until  # noqa: E402

VALUES = {"request": "01990000-0000-7000-8000-000000000000", "flag": "checkout", "segment": "beta", "schedule": "01990000-0000-7000-8000-000000000000", "app": "inopnc", "env": "production", "template": "before-deployment", "cluster": "local", "version": "v1.2.2", "code": "not-found",
          "id": "01990000-0000-7000-8000-000000000000", "key": "01990000-0000-7000-8000-000000000000", "slot": "1", "checklist": "success",
          "report": "01990000-0000-7000-8000-000000000000",
          "freeze": "01990000-0000-7000-8000-000000000000", "signoff": "01990000-0000-7000-8000-000000000000"}
WRONG = {"string": 1, "name": 1, "enum": 1, "time": 1, "integer": "1", "int": "1", "boolean": "yes", "bool": "yes",
         "strings": "x", "object": [], "objects": {}, "map": []}


@pytest.fixture(scope="module")
def stack():
    with Stack() as running:
        running.inopnc()
        running.release("v1.2.2")
        yield running


@pytest.fixture(scope="module")
def routes(stack):
    words = [stack.program("sluiced"), "dump-routes"]
    table = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return [route for route in table if not route["protocol"]]  # others: test_ofrep.py, test_unleash.py


@pytest.fixture(autouse=True)
def nothing_changes(stack):
    """No refused request leaves a trace in any chain, nor a row."""
    def state():
        return stack.sql("SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM app), (SELECT count(*) FROM release),"
                         " (SELECT count(*) FROM environment), (SELECT count(*) FROM deployment)")
    before = state()
    yield
    assert state() == before


def path_of(route, **values):
    return re.sub(r"{(\w+)}", lambda m: values.get(m[1]) or VALUES[m[1]], route["path"])


def ask(stack, method, path, body=None, headers=None, token=None):
    return call(method, stack.urls[0] + path, body, token or stack.token, headers)


def refused(answer, status, code):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"] == answer["request_id"]
    assert answer["code"] == code and answer["status"] == status, answer
    assert answer["type"] == "/api/docs/errors/" + code
    assert answer["title"] and answer["detail"] and "instance" in answer.json
    return answer


def named(answer, field, code):
    assert {"field": field, "code": code} in [{"field": e["field"], "code": e["code"]} for e in answer["errors"]], answer
    assert all(e["detail"] for e in answer["errors"])


def with_json(routes):
    return [r for r in routes if r["body"] and r["body"].get("schema")]


def test_every_route_knows_its_methods(stack, routes):
    for route in routes:
        answer = refused(ask(stack, "PATCH", path_of(route)), 405, "method-not-allowed")
        assert route["method"] in answer.headers["Allow"].split(", "), route


def test_every_route_wants_a_token_unless_public(stack, routes):
    for route in routes:
        if route["scope"] == "public":
            continue
        url = stack.urls[0] + path_of(route)
        answer = refused(call(route["method"], url), 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        refused(call(route["method"], url, token="a.b.c"), 401, "unauthenticated")
        refused(call(route["method"], url, headers={"Authorization": "Basic YTpi"}), 401, "unauthenticated")


def test_every_route_names_the_scope_that_is_missing(stack, routes):
    token = stack.mint("nobody", roles=("flags:client",))
    for route in routes:
        if route["scope"] in ("public", "any"):
            continue
        answer = refused(ask(stack, route["method"], path_of(route), token=token), 403, "forbidden")
        assert answer["scope"] == route["scope"] and route["scope"] in answer["detail"]


def test_every_route_of_an_app_keeps_to_the_principals_apps(stack, routes):
    person, ci = (stack.mint("other", ("admin", "ci"), ("other",), kind) for kind in ("user", "ci"))
    for route in routes:
        if "{app}" in route["path"]:
            token = ci if route["scope"] == "evidence:write" else person
            answer = refused(ask(stack, route["method"], path_of(route), token=token), 403, "forbidden")
            assert "inopnc" in answer["detail"]


@pytest.mark.parametrize("segment", ["a%00b", "a%2Fb", "%2e%2e", "..", "a%5Cb", "a%zz", "%ff", "a%0Ab"])
def test_every_route_refuses_bad_segments(stack, routes, segment):
    for route in routes:
        if "{" in route["path"]:
            path = re.sub(r"{\w+}", segment, route["path"])
            refused(ask(stack, route["method"], path), 400, "invalid-path")


def test_every_route_knows_its_query(stack, routes):
    for route in routes:
        token = stack.token_for(route["scope"])
        answer = refused(ask(stack, route["method"], path_of(route) + "?zzz=1", token=token), 400, "invalid-query")
        named(answer, "zzz", "unknown")
        for name in route["query"]:
            answer = refused(ask(stack, route["method"], path_of(route) + f"?{name}=a&{name}=a", token=token), 400,
                             "invalid-query")
            named(answer, name, "duplicate")
        if "limit" in route["query"]:
            for bad in ("0", "201", "-1", "x", "", "1.5", "99999999999999999999"):
                answer = refused(ask(stack, "GET", path_of(route) + "?limit=" + bad), 400, "invalid-query")
                named(answer, "limit", "range")
        if "cursor" in route["query"]:
            answer = refused(ask(stack, "GET", path_of(route) + "?cursor=Zm9v"), 400, "invalid-query")
            named(answer, "cursor", "format")


def test_routes_without_a_body_take_none(stack, routes):
    for route in routes:
        if not route["body"]:
            answer = ask(stack, route["method"], path_of(route), b"{}", {"Content-Type": "application/json"})
            refused(answer, 400, "invalid-body")


def test_every_body_has_its_type_and_size(stack, routes):
    for route in routes:
        if not route["body"]:
            continue
        path, most = path_of(route), route["body"]["max_bytes"]
        answer = ask(stack, route["method"], path, b"{}", {"Content-Type": "text/plain"})
        refused(answer, 415, "unsupported-media-type")
        large = b" " * (most + 1)
        answer = ask(stack, route["method"], path, large, {"Content-Type": route["body"]["media_type"].split("|")[0]})
        refused(answer, 413, "body-too-large")


@pytest.mark.parametrize("body, field, code", [
    (b"[]", "", "type"),
    (b'"x"', "", "type"),
    (b"{", "", "format"),
    (b"{} {}", "", "format"),
    (b"nonsense", "", "format"),
    (b'{"zzz": 1}', "/zzz", "unknown"),
    (b'{"zzz": 1, "zzz": 1}', "/zzz", "duplicate"),
    (b'{"zzz": {"a": 1, "a": 2}}', "/zzz/a", "duplicate"),
    (b'{"zzz": "\xff"}', "/zzz", "format"),
    (b'{"zzz": "\\ud800"}', "/zzz", "format"),
    (b'{"zzz": NaN}', "/zzz", "format"),
    (b'{"zzz": 1e999}', "/zzz", "range"),
    (b'{"zzz": ' + b"[" * 33 + b"]" * 33 + b"}", "", "range"),
    (b"[" * 200000, "", "range"),
    (b"[" + b"{}," * 80000 + b"{}]", "", "too-long"),
], ids=range(15))
def test_every_json_body_is_json(stack, routes, body, field, code):
    for route in with_json(routes):
        answer = ask(stack, route["method"], path_of(route), body, {"Content-Type": "application/json"},
                     stack.token_for(route["scope"]))
        named(refused(answer, 400, "invalid-body"), field, code)


def test_every_field_has_its_type_and_those_required_are(stack, routes):
    for route in with_json(routes):
        fields = route["body"]["schema"]["fields"]
        for field in fields:
            if field["type"] == "any":
                continue
            assert field["type"] in WRONG, field
            answer = ask(stack, route["method"], path_of(route), {field["name"]: WRONG[field["type"]]},
                         token=stack.token_for(route["scope"]))
            named(refused(answer, 400, "invalid-body"), "/" + field["name"], "type")
        required = [f["name"] for f in fields if f["required"]]
        if required:
            answer = refused(ask(stack, route["method"], path_of(route), {}, token=stack.token_for(route["scope"])), 400,
                             "invalid-body")
            for name in required:
                named(answer, "/" + name, "missing")


def test_every_bounded_field_keeps_its_bounds(stack, routes):
    for route in with_json(routes):
        for field in route["body"]["schema"]["fields"]:
            if not field.get("max") or field["type"] not in ("string", "integer", "int", "strings"):
                continue
            most = field["max"]
            value, code = most + 1, "range"
            if field["type"] in ("string", "strings"):
                value, code = ("x" if field["type"] == "string" else ["x"]) * (most + 1), "too-long"
            body = {field["name"]: value}
            if len(json.dumps(body)) <= route["body"]["max_bytes"]:
                answer = ask(stack, route["method"], path_of(route), body, token=stack.token_for(route["scope"]))
                named(refused(answer, 400, "invalid-body"), "/" + field["name"], code)


def test_unknown_paths(stack):
    for path in ("/", "/api/v1", "/api/v1/", "/api/v1/apps/", "/api/v1/apps//releases", "/api/v2/apps", "/API/v1/apps"):
        refused(ask(stack, "GET", path), 404, "not-found")


def test_accept(stack):
    refused(ask(stack, "GET", "/api/v1/apps", headers={"Accept": "text/html"}), 406, "not-acceptable")
    refused(ask(stack, "POST", "/api/v1/deployments", {}, {"Accept": "text/html"}), 406, "not-acceptable")
    for good in ("*/*", "application/*", "application/json", "text/html, */*;q=0.1"):
        assert ask(stack, "GET", "/api/v1/apps", headers={"Accept": good}).status == 200


def test_request_ids_go_through(stack):
    assert ask(stack, "GET", "/api/health", headers={"X-Request-Id": "ci-42.a_B"}).headers["X-Request-Id"] == "ci-42.a_B"
    answer = ask(stack, "GET", "/nothing", headers={"X-Request-Id": "ci-43"})
    assert answer["request_id"] == answer.headers["X-Request-Id"] == "ci-43"
    made = ask(stack, "GET", "/api/health", headers={"X-Request-Id": "no spaces please"}).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", made)


def test_conditional_get(stack):
    first = ask(stack, "GET", "/api/v1/apps/inopnc")
    assert first.status == 200 and first.headers["ETag"].startswith('"')
    again = ask(stack, "GET", "/api/v1/apps/inopnc", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304 and not again.raw
    assert ask(stack, "GET", "/api/v1/apps/inopnc", headers={"If-None-Match": '"other"'}).status == 200
    head = ask(stack, "HEAD", "/api/v1/apps/inopnc")
    assert head.status == 200 and head.headers["ETag"] == first.headers["ETag"] and not head.raw


def test_callers_who_leave_do_no_harm(stack):
    """facts §2.4: the effect commits or not, never half; the server lives."""
    host = urllib.parse.urlsplit(stack.urls[0])
    request = (f"GET /api/v1/apps HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {stack.token}\r\n\r\n").encode()
    for i in range(200):
        with socket.create_connection((host.hostname, host.port)) as s:
            s.sendall(request[:len(request) * (i % 10 + 1) // 10])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ask(stack, "GET", "/api/v1/apps").status == 200


def test_an_event_stream_beats_and_ends_with_the_server(stack):
    """SIGTERM: not ready, then the stream is ended (not cut), then the process."""
    host = urllib.parse.urlsplit(stack.urls[0])
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=30)
    connection.request("GET", "/api/v1/apps/inopnc/environments/production/records",
                       headers={"Authorization": "Bearer " + stack.token, "Accept": "text/event-stream"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type") == "text/event-stream"
    assert answer.readline().startswith(b"id: ")
    rest = []
    reader = threading.Thread(target=lambda: rest.append(answer.read()))  # raises unless the last chunk comes
    reader.start()
    begun = time.monotonic()
    os.kill(stack.pids[0], signal.SIGTERM)
    reader.join(10)
    assert not reader.is_alive() and len(rest) == 1
    until(lambda: not pathlib.Path(f"/proc/{stack.pids[0]}/exe").exists(), what="the process ends")
    assert time.monotonic() - begun < 5
    stack.up()
    assert ask(stack, "GET", "/api/v1/apps").status == 200


SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}


def test_every_answer_of_every_route_says_what_browsers_may_do(stack):
    """Whatever the answer is: with and without a token, to a method that there is not, to a query that is wrong."""
    table = json.loads(subprocess.run([stack.program("sluiced"), "dump-routes"], check=True, capture_output=True, text=True).stdout)
    for route in table:
        path = path_of(route)
        for answer in (call("GET", stack.urls[0] + path, headers={"Accept": "*/*"}, token="x.y.z"), ask(stack, "OPTIONS", path),
                       ask(stack, "GET", path + "?nothing=1") if route["method"] != "GET" else ask(stack, "HEAD", path + "?nothing=1")):
            said = {name: answer.headers[name] for name in SAFE}
            if answer.headers["Content-Type"] == "text/html; charset=utf-8":
                assert said["Content-Security-Policy"].endswith("frame-ancestors 'none'"), path
                said["Content-Security-Policy"] = SAFE["Content-Security-Policy"]
            protocol = path.startswith(("/ofrep/", "/api/client/", "/api/frontend"))  # no browser shows these as a page
            assert said == ({**dict.fromkeys(SAFE), "X-Content-Type-Options": "nosniff"} if protocol and answer.status != 405 else SAFE), \
                (route["operation"], answer.status, said)
            assert answer.headers["Cache-Control"] and len(answer.headers.get_all("Cache-Control")) == 1, path
            if answer.status >= 400:
                assert answer.headers["Cache-Control"] == "no-store", path
    for status, path in ((404, "/nowhere"), (400, "/a%00b")):
        answer = ask(stack, "GET", path)
        assert (answer.status, {name: answer.headers[name] for name in SAFE}) == (status, SAFE)
