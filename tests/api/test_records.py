"""The record: pages, event streams, the audit chain."""

import hashlib
import http.client
import json
import subprocess
import threading
import urllib.parse

import pytest

from tests.api.conftest import refused
from tests.support.stack import IMAGE, until


class Stream:
    """Server-Sent Events of one GET, read by a thread."""

    def __init__(self, stack, path, token=None, last=None):
        url = urllib.parse.urlsplit(stack.urls[0])
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        headers = {"Authorization": "Bearer " + (token or stack.token), "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        self.connection.request("GET", "/api/v1" + path, headers=headers)
        self.answer = self.connection.getresponse()
        self.status, self.events, self.ended = self.answer.status, [], False
        if self.status == 200:
            assert self.answer.headers["Content-Type"].startswith("text/event-stream")
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        event = {}
        try:
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if line.startswith(":"):
                    continue
                if line:
                    key, _, value = line.partition(": ")
                    event[key] = value
                elif event:
                    self.events.append((event["id"], event["event"], json.loads(event["data"])))
                    event = {}
        except (OSError, ValueError, AttributeError):
            return
        self.ended = True

    def close(self):
        import socket
        if self.connection.sock:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.connection.close()


@pytest.fixture
def stream(stack):
    opened = []

    def open_(*args, **kwargs):
        opened.append(Stream(stack, *args, **kwargs))
        return opened[-1]
    yield open_
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def done(stack):
    """A deployment that succeeded."""
    stack.inopnc()
    version = f"v3.0.{int(stack.sql('SELECT count(*) FROM deployment'))}"
    return stack.wait(stack.deploy(version), "succeeded")


def test_pages_are_the_chain(stack, done):
    chain = [record for record in stack.chain() if record["subject"] == done["id"]]
    for path in (f"/deployments/{done['id']}/records", f"/deployments/{done['id']}/events"):
        page = stack.api("GET", path)
        assert page["items"][:len(chain)] == chain[:len(page["items"])] or \
            [record["action"] for record in page["items"]][0] == "deployment.created"
        found, cursor = [], ""
        while cursor is not None:
            page = stack.api("GET", f"{path}?limit=2{cursor and '&cursor=' + cursor}")
            found += page["items"]
            cursor = page["next_cursor"]
        assert found == stack.api("GET", path + "?limit=200")["items"]
        assert [r["seq"] for r in found] == sorted(r["seq"] for r in found)
    record = found[0]
    assert list(record) == ["seq", "prev", "chain", "at", "actor", "from", "action", "subject", "message", "data", "trace_id"]
    assert record["chain"] == "inopnc/production" and record["message"]


def test_a_deployments_stream_ends_after_its_final_record(stack, done, stream):
    path = f"/deployments/{done['id']}/events"
    events = stream(path)
    until(lambda: events.ended)
    pages = stack.api("GET", f"/deployments/{done['id']}/records?limit=200")["items"]
    final = next(i for i, record in enumerate(pages) if record["action"] == "deployment.succeeded")
    assert [record for _, _, record in events.events] == pages[:final + 1]
    assert all(event == record["action"] for _, event, record in events.events)
    assert stream(path, last=events.events[-1][0]).status == 204
    middle = stream(path, last=events.events[2][0])
    until(lambda: middle.ended)
    assert middle.events == events.events[3:]


def test_a_stream_goes_on_with_what_happens(stack, stream):
    stack.inopnc()
    version = f"v3.1.{int(stack.sql('SELECT count(*) FROM deployment'))}"
    stack.release(version)
    id = stack.create(version)["id"]
    events = stream(f"/deployments/{id}/events")
    until(lambda: events.ended, 60)
    assert events.events[0][1] == "deployment.created" and events.events[-1][1] == "deployment.succeeded"


def test_an_environments_stream_resumes(stack, environment, stream):
    path = f"/apps/{environment}/environments/production/events"
    events = stream(path)
    until(lambda: len(events.events) == 1)
    assert stack.api("PUT", path.replace("/events", "/manifests"), "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a-${COLOR}}\n",
                     headers={"Content-Type": "application/yaml"}).status in (201, 400)
    assert stack.api("DELETE", f"/apps/{environment}/environments/production").status == 204
    until(lambda: events.events[-1][1] == "environment.deleted")
    again = stream(path, last=events.events[0][0])
    until(lambda: again.events and again.events[-1][1] == "environment.deleted")
    assert again.events == events.events[1:]
    assert not again.ended


def test_records_of_all_filter(stack, environment, stream):
    stack.api("POST", f"/apps/{environment}/releases", {"version": "v1.0.0", "image": IMAGE})

    def actions(query, token=None):
        return [record["action"] for record in stack.api("GET", "/records?limit=200&" + query, token=token)["items"]]
    until(lambda: actions(f"app={environment}") == ["app.put", "environment.put", "release.created"])
    assert actions(f"app={environment}&environment=production") == ["environment.put"]
    assert actions(f"app={environment}&action=release.created") == ["release.created"]
    assert set(actions("action=release.created")) == {"release.created"}
    mine = stack.mint("v", ("viewer",), (environment,))
    assert actions("", mine) == ["app.put", "environment.put", "release.created"], "nothing of others, nothing of system"
    events = stream(f"/events?app={environment}", token=mine)
    until(lambda: len(events.events) == 3)
    stack.api("POST", f"/apps/{environment}/releases/v1.0.0/yank", {"reason": "x"})
    until(lambda: len(events.events) == 5)
    again = stream("/events", token=mine, last=events.events[1][0])
    until(lambda: sorted(event for _, event, _ in again.events) == ["gate.closed", "release.created", "release.yanked"])


@pytest.mark.parametrize("last", ["x", "7", "AAAA", "%00", "a" * 3000],
                         ids=["x", "7", "AAAA", "NUL", "long"])
def test_a_bad_last_event_id_is_400(stack, done, environment, stream, last):
    for path in (f"/deployments/{done['id']}/events", f"/apps/{environment}/environments/production/events", "/events"):
        assert stream(path, last=last).status == 400
        refused(stack.api("GET", path + "?cursor=" + last, headers={"Accept": "text/event-stream"}), 400, "invalid-query")


def test_a_position_of_another_stream_is_400(stack, environment, stream):
    events = stream(f"/events?app={environment}")
    until(lambda: len(events.events) == 2)
    for path in (f"/apps/{environment}/environments/production/events",):
        assert stream(path, last=events.events[0][0]).status == 400


def test_accept_decides(stack, environment):
    path = f"/apps/{environment}/environments/production/records"
    assert stack.api("GET", path, headers={"Accept": "*/*"}).headers["Content-Type"] == "application/json"
    refused(stack.api("GET", path, headers={"Accept": "image/png"}), 406, "not-acceptable")


def test_law8_the_chain_verifies(stack, done, tmp_path):
    for chain in stack.api("GET", "/audit/chains?limit=200")["items"]:
        answer = stack.api("GET", "/audit?chain=" + urllib.parse.quote(chain["name"], safe=""))
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        before, lines = "0" * 64, answer.raw.decode().splitlines()
        assert answer.raw.endswith(b"\n") and len(lines) >= chain["length"]
        for number, line in enumerate(lines, 1):
            record = json.loads(line)
            assert (record["seq"], record["prev"], record["chain"]) == (number, before, chain["name"])
            before = hashlib.sha256(line.encode()).hexdigest()
            if number == chain["length"]:
                assert before == chain["head"]
    file = tmp_path / "chain"
    file.write_bytes(stack.api("GET", "/audit?chain=inopnc%2Fproduction").raw)
    verified = subprocess.run([stack.program("sluice"), "audit", "verify", file], capture_output=True, text=True)
    assert verified.returncode == 0, verified


def test_audit_ranges(stack, done):
    whole = stack.chain()
    part = stack.api("GET", "/audit?chain=inopnc%2Fproduction&from_seq=2&to_seq=4").raw.decode().splitlines()
    assert [json.loads(line) for line in part] == whole[1:4]
    tail = stack.api("GET", f"/audit?chain=inopnc%2Fproduction&from_seq={len(whole) + 1000}")
    assert tail.status == 200 and tail.raw == b""
    refused(stack.api("GET", "/audit"), 400, "invalid-query", "chain")
    refused(stack.api("GET", "/audit?chain=A"), 400, "invalid-query", "chain")
    refused(stack.api("GET", "/audit?chain=inopnc%2Fproduction&from_seq=0"), 400, "invalid-query", "from_seq")
    refused(stack.api("GET", "/audit?chain=inopnc%2Fproduction&to_seq=x"), 400, "invalid-query", "to_seq")
    refused(stack.api("GET", "/audit?chain=there-is-none"), 404, "not-found")


def test_audit_is_for_those_who_may(stack, environment):
    viewer = stack.mint("v", ("viewer",))
    refused(stack.api("GET", "/audit?chain=system", token=viewer), 403, "forbidden")
    operator = stack.mint("o", ("operator",), (environment,))
    assert stack.api("GET", f"/audit?chain={environment}%2Fproduction", token=operator).status == 200
    assert stack.api("GET", f"/audit?chain={environment}", token=operator).status == 200
    refused(stack.api("GET", "/audit?chain=inopnc", token=operator), 403, "forbidden")
    refused(stack.api("GET", "/audit?chain=system", token=operator), 403, "forbidden")
    chains = stack.api("GET", "/audit/chains", token=operator)["items"]
    assert [chain["name"] for chain in chains] == [environment, f"{environment}/production"]


def test_a_long_chain_comes_whole(stack, app):
    """More than any buffer holds: lines are paged out of the database while they are read."""
    for i in range(60):
        body = {"description": f"{i} " + "x" * 1000, "owners": ["o" * 1000] * 20}
        assert stack.api("PUT", f"/apps/{app}", body, headers={"If-Match": "*"}).status in (200, 201)
    lines = stack.api("GET", f"/audit?chain={app}").raw.decode().splitlines()
    assert len(lines) == 61 and sum(map(len, lines)) > 1_000_000
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 62))
