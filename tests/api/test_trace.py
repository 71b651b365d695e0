"""W3C Trace Context: a request's trace goes on into Kubernetes, the log, the record and what the worker does later."""
import re

import pytest

from tests.support.stack import Stack, call, until

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER = "11111111111111111111111111111111"


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc()
        yield stack


def parent(id=ID, flags="01"):
    return {"traceparent": f"00-{id}-{SPAN}-{flags}"}


def log_of(stack):
    return "".join(path.read_text() for path in (stack.dir / "log").glob("sluiced*"))


def traced(stack, id, since=0):
    return [one for one in stack.requests(since) if id in one.get("traceparent", "")]


@pytest.mark.parametrize("given, kept", [
    (f"00-{ID}-{SPAN}-01", True), (f"00-{ID}-{SPAN}-00", True), (f"7a-{ID}-{SPAN}-01-later", True),
    (f"ff-{ID}-{SPAN}-01", False), (f"00-{ID}-{SPAN}-01-later", False), (f"00-{ID.upper()}-{SPAN}-01", False),
    (f"00-{'0' * 32}-{SPAN}-01", False), (f"00-{ID}-{'0' * 16}-01", False), ("x", False), ("", False),
])
def test_a_traceparent_is_taken_or_replaced(stack, given, kept):
    answer = stack.api("GET", "/me", headers={"traceparent": given})
    assert answer.status == 200
    assert answer.headers["X-Trace-Id"] == (ID if kept else answer.headers["X-Request-Id"].replace("-", ""))


def test_every_answer_names_its_trace_but_where_flags_are_asked_for(stack):
    answer = stack.api("GET", "/nothing", headers={"X-Request-Id": "own"})
    assert answer.status == 404 and re.fullmatch("[0-9a-f]{32}", answer.headers["X-Trace-Id"])
    assert call("GET", stack.urls[0] + "/api/health").headers["X-Trace-Id"] is None
    assert call("GET", stack.urls[0] + "/api/health", headers=parent()).headers["X-Trace-Id"] == ID
    line = until(lambda: [line for line in log_of(stack).splitlines() if "id=own " in line])[0]
    assert "trace=" + answer.headers["X-Trace-Id"] in line


def test_a_deployment_keeps_the_trace_of_its_request(stack):
    stack.release("v1.2.2")
    answer = stack.api("POST", "/deployments", {"app": "inopnc", "environment": "production", "version": "v1.2.2"}, headers=parent())
    assert answer.status == 202 and answer.headers["X-Trace-Id"] == ID
    id = answer["id"]
    stack.wait(id, "succeeded")
    calls = traced(stack, ID)
    assert {"GET", "PATCH"} <= {one["verb"].upper() for one in calls} and any("/proxy" in one["path"] for one in calls), \
        {(one["verb"], one["path"]) for one in calls}
    found = [re.fullmatch(f"00-{ID}-([0-9a-f]{{16}})-01", one["traceparent"]) for one in calls]
    assert all(found) and len({one[1] for one in found}) == len(calls) and SPAN not in {one[1] for one in found}
    writes = [one for one in stack.requests() if one["verb"].upper() == "PATCH" and "sluice" in one["user_agent"]]
    assert writes and all(ID in one.get("traceparent", "") for one in writes), "no write of the worker goes without"
    transitions = [line for line in log_of(stack).splitlines() if "event=transition" in line and id in line]
    assert transitions and all(f"trace={ID}" in line for line in transitions), transitions
    records = [one for one in stack.chain() if one["subject"] == id]
    assert {"deployment.created", "deployment.succeeded"} <= {one["action"] for one in records}
    assert all(one["trace_id"] == ID for one in records), records


def test_who_aborts_has_a_trace_of_its_own(stack):
    stack.image("v1.2.3", ready_after_ms=60000)
    stack.release("v1.2.3")
    answer = stack.api("POST", "/deployments", {"app": "inopnc", "environment": "production", "version": "v1.2.3"}, headers=parent(flags="00"))
    assert answer.status == 202
    id = answer["id"]
    stack.wait_step(id, "apply", ("done",))
    assert stack.api("POST", f"/deployments/{id}/abort", {"reason": "test"}, headers=parent(OTHER)).status == 200
    stack.wait(id, "aborted")
    of = {one["action"]: one.get("trace_id") for one in stack.chain() if one["subject"] == id}
    assert of["deployment.undoing"] == OTHER and of["deployment.created"] == of["deployment.aborted"] == ID, of
    assert not traced(stack, OTHER), "its writes are the deployment's"
    flags = {one["traceparent"][-2:] for one in traced(stack, ID)}
    assert flags == {"00", "01"}, "the flag is handed on as it came"


def test_a_record_without_a_request_names_none(stack):
    sample = stack.chain("system")
    assert sample and all("trace_id" not in one or re.fullmatch("[0-9a-f]{32}", one["trace_id"]) for one in sample)
    of_requests = [one for one in sample if one["from"].startswith("127.")]
    assert all("trace_id" in one for one in of_requests)
