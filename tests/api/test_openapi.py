"""The document that the server serves is openapi/openapi.yaml, and says what `sluiced dump-routes` says.

tests/unit/openapi.c compares field by field without a server; this is the same from outside, for what clients generate."""

import re

from tests.api.conftest import ask_for, environment_body, refused
from tests.api.test_bad_input import OURS, ROUTES
from tests.support.document import resolve
from tests.support.stack import call


def document(stack):
    answer = call("GET", stack.urls[0] + "/api/openapi.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    return answer.json


def matches(document, schema, value, at=""):
    """The little of JSON Schema that the document uses, so that real answers are held to it."""
    schema = resolve(document, schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    assert not kinds or any(isinstance(value, names[kind]) and not (kind == "integer" and isinstance(value, bool))
                            for kind in kinds), (at, kinds, value)
    if "enum" in schema:
        assert value in schema["enum"], (at, value)
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", [])) <= set(value), (at, set(schema["required"]) - set(value))
        assert set(value) <= set(schema["properties"]), (at, set(value) - set(schema["properties"]))
        for key, inner in value.items():
            matches(document, schema["properties"][key], inner, f"{at}/{key}")
    if isinstance(value, list) and "items" in schema:
        for i, inner in enumerate(value):
            matches(document, schema["items"], inner, f"{at}/{i}")


def test_real_answers_are_as_described(stack, environment):
    ask_for(stack, environment)
    stack.release("v1.0.0", environment)
    stack.inopnc()
    id = stack.deploy(f"v8.0.{int(stack.sql('SELECT count(*) FROM deployment'))}")
    stack.wait(id, "succeeded")
    version = stack.deployment(id)["version"]
    evidence = stack.api("POST", f"/apps/inopnc/releases/{version}/evidence?item=tests&source=ci",
                         "<testsuite><testcase/></testsuite>", token=stack.token_for("evidence:write"),
                         headers={"Content-Type": "application/junit+xml"})
    freeze = stack.api("POST", "/freezes", {"app": environment, "reason": "holidays", "starts_at": "2099-12-24T00:00:00Z", "ends_at": "2099-12-27T00:00:00Z"})
    assert stack.api("PUT", "/apps/inopnc/segments/beta", {"constraints": [{"context_name": "a", "operator": "IN", "values": ["b"]}]},
                     headers={"If-Match": "*"}).status in (200, 201)
    assert stack.api("PUT", "/apps/inopnc/flags/checkout", {"variants": [{"name": "a", "weight": 1, "payload": {"type": "csv", "value": "b"}}]},
                     headers={"If-Match": "*"}).status in (200, 201)
    assert stack.api("PUT", "/apps/inopnc/environments/production/flags/checkout", {"enabled": True, "strategies": [
        {"name": "default", "segments": ["beta"], "constraints": []}]}, headers={"If-Match": "*"}).status in (200, 201)
    assert stack.api("PUT", f"/apps/{environment}/environments/staging", environment_body(environment + "-s")).status == 201
    assert stack.api("PUT", f"/apps/{environment}/flags/checkout", {}).status == 201
    assert stack.api("POST", f"/apps/{environment}/environments/staging/flags/checkout/enable", {}).status == 200
    at = stack.sql("SELECT to_char(clock_timestamp() + interval '30 days', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    schedule = stack.api("POST", "/apps/inopnc/environments/production/flags/checkout/schedule", {"at": at, "change": {"enabled": True}})
    asked = stack.api("POST", "/apps/inopnc/environments/production/flag-requests",
                      {"changes": [{"flag": "checkout", "set": {"enabled": False}}], "reason": "x"})
    values = {"request": asked["id"], "flag": "checkout", "segment": "beta", "schedule": schedule["id"], "app": "inopnc", "freeze": freeze["id"], "env": "production", "cluster": "local", "template": "before-deployment",
              "id": id, "version": version,
              "report": evidence["report"], "signoff": id, "code": "not-found", "checklist": "success",
              "key": stack.api("POST", "/keys", {"name": "k", "kind": "signature",
                                                 "principal": {"kind": "bot", "roles": ["viewer"], "apps": ["*"]}})["id"]}
    doc, tried = document(stack), 0
    for route in OURS:
        if route["method"] != "GET":
            continue
        path = route["path"]
        gated = {"app": environment, "version": "v1.0.0"} if "{env}" in path and ("checklists" in path or "gates" in path) else {}
        if route["operation"] == "diffFlags":
            gated = {"app": environment}
        for name, value in {**values, **gated}.items():
            path = path.replace("{%s}" % name, value)
        needed = {"readAudit": "?chain=inopnc", "getBlockers": "?version=v1.0.0", "diffFlags": "?from=staging"}.get(route["operation"], "")
        answer = call("GET", stack.urls[0] + path + needed, token=stack.token)
        response = resolve(doc, doc["paths"][route["path"]]["get"]["responses"]["200"])
        kind = answer.headers["Content-Type"].split(";")[0]
        assert answer.status == 200 and kind in response["content"], (route, answer)
        if kind == "application/json":
            matches(doc, response["content"][kind]["schema"], answer.json, route["operation"])
            tried += 1
    assert tried >= 20


def test_problems_are_as_described(stack, name):
    doc = document(stack)
    for answer in (refused(stack.api("GET", f"/apps/{name}"), 404, "not-found"),
                   refused(stack.api("PUT", f"/apps/{name}", {"x": 1}), 400, "invalid-body"),
                   refused(stack.api("GET", "/apps/A"), 400, "invalid-path"),
                   refused(stack.api("GET", "/apps?limit=x"), 400, "invalid-query")):
        matches(doc, doc["components"]["schemas"]["Problem"], answer.json)


def test_every_code_has_a_page_with_advice(stack):
    codes = document(stack)["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert len(codes) >= 31
    for code in codes:
        page = call("GET", f"{stack.urls[0]}/api/docs/errors/{code}")
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/html"), code
        text = page.raw.decode()
        advice = re.search(r"HTTP status \d+\.</p><p>(.*?)</p>", text, re.S)[1]
        assert f"<code>{code}</code>" in text and len(advice) > 40, (code, advice)
    refused(call("GET", f"{stack.urls[0]}/api/docs/errors/nonsense"), 404, "not-found")
