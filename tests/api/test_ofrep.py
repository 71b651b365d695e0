"""OpenFeature's remote evaluation protocol, from outside, held to its own document."""

import http.client
import json
import pathlib
import urllib.parse

import jsonschema
import pytest
import yaml

from tests.api.conftest import environment_body
from tests.support.flags import Client, client_key, define, rollout, say, switch
from tests.support.stack import IMAGE, Stack, call, until

DOCUMENT = yaml.safe_load((pathlib.Path(__file__).resolve().parents[1] / "ofrep" / "openapi-0.3.0.yaml").read_text())
ONE, ALL = "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"

# The document asks that exactly one kind of value matches; its kind without a value matches every answer, and every
# integer is a number.  What it means is: at least one.
DOCUMENT["components"]["schemas"]["evaluationSuccess"]["allOf"][1] = {
    "anyOf": DOCUMENT["components"]["schemas"]["evaluationSuccess"]["allOf"][1]["oneOf"]}


def described(answer, path):
    """The answer, which is as the document has it."""
    response = DOCUMENT["paths"][path]["post"]["responses"][str(answer.status)]
    if "content" not in response:
        assert answer.raw == b"" or answer.status in (403, 429), answer
        return answer
    assert answer.headers["Content-Type"] == "application/json"
    schema = {**response["content"]["application/json"]["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json)
    return answer


@pytest.fixture
def client(stack, environment):
    """Of an app with some flags of each kind."""
    define(stack, environment, "plain")
    define(stack, environment, "off")
    define(stack, environment, "killed")
    define(stack, environment, "half")
    define(stack, environment, "paid")
    define(stack, environment, "color", value_type="string", variants=[
        {"name": "blue", "weight": 1000, "payload": {"type": "string", "value": "#00f"}},
        {"name": "red", "weight": 0, "payload": {"type": "string", "value": "#f00"}}])
    define(stack, environment, "size", value_type="number", variants=[
        {"name": "large", "weight": 1, "payload": {"type": "number", "value": "12.5"}}])
    define(stack, environment, "layout", value_type="object", variants=[
        {"name": "new", "weight": 1, "payload": {"type": "json", "value": "{\"columns\": [1, 2]}"}}])
    for name in ("plain", "color", "size", "layout", "killed"):
        say(stack, environment, name)
    say(stack, environment, "off", enabled=False)
    say(stack, environment, "half", strategies=[rollout(50)])
    say(stack, environment, "paid", strategies=[{"name": "default", "parameters": {}, "constraints": [
        {"context_name": "plan", "operator": "IN", "values": ["pro", "team"]}]}])
    client = Client(stack, environment)
    client.app = environment
    client.revision = switch(stack, environment, "killed", "kill")
    client.wait(client.revision)
    return client


# ---- one flag ----

def test_values_and_reasons(client):
    for flag, context, value, reason in [
            ("plain", {}, True, "STATIC"),
            ("off", {}, False, "DISABLED"),
            ("killed", {}, False, "DISABLED"),
            ("color", {"targetingKey": "a"}, "#00f", "STATIC"),
            ("size", {"targetingKey": "a"}, 12.5, "STATIC"),
            ("layout", {"targetingKey": "a"}, {"columns": [1, 2]}, "STATIC"),
            ("paid", {"plan": "pro"}, True, "TARGETING_MATCH"),
            ("paid", {"plan": "free"}, False, "TARGETING_MATCH"),
            ("half", {"targetingKey": "123"}, False, "SPLIT"),  # g:123 is 75 of 100
            ("half", {"userId": "123"}, False, "SPLIT")]:
        answer = described(client.one(flag, **context), ONE)
        assert answer.status == 200 and answer["key"] == flag, answer
        assert (answer["value"], answer["reason"]) == (value, reason), (flag, answer)
    assert client.one("color", targetingKey="a")["variant"] == "blue"
    assert (client.one("plain")["variant"], client.one("off")["variant"]) == ("on", "off")


def test_a_flag_that_is_not_there(client):
    answer = described(client.one("nothing"), ONE)
    assert answer.status == 404 and answer["errorCode"] == "FLAG_NOT_FOUND" and answer["key"] == "nothing"
    answer = described(client.one(urllib.parse.quote('a"b <ü')), ONE)
    assert answer.status == 404 and answer["key"] == 'a"b <ü'


def test_the_targeting_key_is_needed_only_where_it_decides(client):
    answer = described(client.one("half"), ONE)
    assert answer.status == 400 and answer["errorCode"] == "TARGETING_KEY_MISSING" and answer["key"] == "half"
    assert client.one("plain").status == client.one("paid", plan="pro").status == 200


@pytest.mark.parametrize("body, code", [
    ("{", "PARSE_ERROR"), ("", "INVALID_CONTEXT"), ("[]", "PARSE_ERROR"), ("{}", "INVALID_CONTEXT"),
    ('{"context": 1}', "INVALID_CONTEXT"), ('{"context": []}', "INVALID_CONTEXT"), ('{"context": null}', "INVALID_CONTEXT"),
    ('{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"), ('{"context": {"a": 1, "a": 2}}', "INVALID_CONTEXT"),
    ('{"context": ' + '{"a": ' * 40 + "1" + "}" * 41, "PARSE_ERROR"),
    (json.dumps({"context": {f"k{i}": i for i in range(10001)}}), "INVALID_CONTEXT"),
])
def test_bad_contexts_are_refused_in_its_form(client, body, code):
    for path, url in ((ONE, "/ofrep/v1/evaluate/flags/plain"), (ALL, "/ofrep/v1/evaluate/flags")):
        answer = described(client.ask("POST", url, body, {"Content-Type": "application/json"}), path)
        assert answer.status == 400 and answer["errorCode"] == code and answer["errorDetails"], answer
        assert answer.json.get("key") == ("plain" if path == ONE else None)


def test_wide_and_odd_contexts_are_evaluated(client):
    wide = {f"k{i}": "x" for i in range(10000)}
    assert client.one("paid", **wide)["value"] is False
    assert client.one("paid", plan=["pro"])["value"] is client.one("paid", plan={"a": None})["value"] is False
    assert client.one("paid", plan="p" * 100000)["value"] is False
    answer = client.ask("POST", "/ofrep/v1/evaluate/flags/plain", {"context": {}, "more": 1},
                        {"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 200


def test_who_may_evaluate(client, stack):
    url = client.url + "/ofrep/v1/evaluate/flags"
    for path, url in ((ALL, client.url + "/ofrep/v1/evaluate/flags"), (ONE, client.url + "/ofrep/v1/evaluate/flags/plain")):
        assert described(call("POST", url, {"context": {}}), path).status == 401
        assert described(call("POST", url, {"context": {}}, token="a.b.c"), path).status == 401
        assert call("POST", url, {"context": {}}, token=client.key).status == 200
        for token in (stack.token, stack.mint("nobody", ("flags:client",))):
            answer = call("POST", url, {"context": {}}, token=token)
            assert described(answer, path).status == 403 and answer["errorDetails"], answer
    other = Client(stack, client.app)
    assert stack.api("DELETE", "/keys/" + [k["id"] for k in stack.api("GET", "/keys?limit=200")["items"]
                                           if k["id"] in other.key][0]).status == 204
    until(lambda: other.all().status == 401, what="a revoked key is refused")


# ---- all flags ----

def test_all_flags_at_once(client):
    answer = described(client.all(targetingKey="a", plan="team"), ALL)
    flags = {flag["key"]: flag for flag in answer["flags"]}
    assert {key: flag["value"] for key, flag in flags.items() if key != "half"} == {
        "color": "#00f", "killed": False, "layout": {"columns": [1, 2]}, "off": False, "paid": True, "plain": True, "size": 12.5}
    for flag in flags.values():
        assert client.one(flag["key"], targetingKey="a", plan="team").json == flag
    assert answer["metadata"] == {**answer["metadata"], "app": client.app, "environment": "production", "source": "database",
                                  "stale": False, "revision": client.revision}
    answer = described(client.all(), ALL)
    assert answer.status == 200
    assert [f["key"] for f in answer["flags"] if f.get("errorCode") == "TARGETING_KEY_MISSING"] == ["half"]


def test_a_304_for_the_same_context_and_flags_only(client, stack):
    context = {"targetingKey": "a", "plan": "team", "deep": {"b": 1, "a": [1, 2]}}
    etag = client.all(**context).headers["ETag"]
    same = {"deep": {"a": [1, 2], "b": 1}, "plan": "team", "targetingKey": "a"}
    assert client.all(**same).headers["ETag"] == etag
    for given in (etag, "W/" + etag, f'"x", {etag}', f'W/"x",W/{etag}', "*"):
        answer = described(client.all({"If-None-Match": given}, **same), ALL)
        assert answer.status == 304 and answer.raw == b"" and answer.headers["ETag"] == etag, given
    for other in ({**context, "plan": "free"}, {**context, "targetingKey": "b"}, {}):
        assert client.all({"If-None-Match": etag}, **other).status == 200
    assert client.all({"If-None-Match": '"x"'}, **context).status == 200
    client.wait(switch(stack, client.app, "plain", "disable"))
    changed = client.all({"If-None-Match": etag}, **context)
    assert changed.status == 200 and changed.headers["ETag"] != etag


def test_environments_are_apart(client, stack):
    body = environment_body(client.app + "-s", namespace="staging")
    assert stack.api("PUT", f"/apps/{client.app}/environments/staging", body).status == 201
    staging = Client(stack, client.app, "staging")
    until(lambda: staging.all().status == 200, what="a new environment is served")
    assert staging.one("plain")["value"] is False and client.one("plain")["value"] is True
    assert staging.all().headers["ETag"] != client.all().headers["ETag"]


def test_flags_that_look_at_the_time_change_their_etag_with_it(client, stack):
    before = client.all().headers["ETag"]
    client.wait(say(stack, client.app, "off", strategies=[{"name": "default", "parameters": {}, "constraints": [
        {"context_name": "currentTime", "operator": "DATE_AFTER", "value": "2020-01-01T00:00:00Z"}]}]))
    etags = {client.all().headers["ETag"] for _ in range(3)}
    assert before not in etags and len(etags) <= 2  # one for each minute


def test_the_database_is_not_asked(client, stack):
    """Ten times as many evaluations as there could be transactions, and none is seen."""
    count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    before = int(stack.sql(count))
    for i in range(300):
        assert client.all(targetingKey=str(i)).status == 200
    assert int(stack.sql(count)) - before < 150  # the pollers'


# ---- pages of other origins, and event streams ----

class Events:
    """An open event stream; headers as a browser's EventSource sends them."""

    def __init__(self, url, path, last=None):
        host = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(host.hostname, host.port, timeout=20)
        self.connection.request("GET", path, headers={"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})})
        self.answer = self.connection.getresponse()

    def next(self):
        """The next event, without heartbeats."""
        event = {}
        while True:
            line = self.answer.readline().decode()
            assert line, "the stream has ended"
            line = line.rstrip("\n")
            if not line and event:
                return event
            name, _, value = line.partition(": ")
            if name:
                event[name] = value

    def close(self):
        self.connection.close()


def ticket(answer):
    stream, = answer["eventStreams"]
    assert stream["type"] == "sse" and stream["inactivityDelaySec"] == 120 and set(stream["endpoint"]) == {"requestUri"}
    return stream["endpoint"]["requestUri"]


def test_a_change_is_told_when_it_is_served(client, stack):
    events = Events(client.url, ticket(client.all(targetingKey="a")))
    assert events.answer.status == 200 and events.answer.headers["Content-Type"] == "text/event-stream"
    for verb, value in (("disable", False), ("enable", True), ("kill", False)):
        revision = switch(stack, client.app, "plain", verb)
        event = events.next()
        data = json.loads(event["data"])
        assert client.one("plain")["value"] is value  # at once
        assert event["id"] == str(revision) and event["event"] == "message"
        assert data["type"] == "refetchEvaluation" and data["etag"].endswith(f"-{revision}") and data["lastModified"] > 1700000000
        jsonschema.Draft202012Validator({**DOCUMENT["components"]["schemas"]["sseEventData"]}).validate(data)
        query = "?" + urllib.parse.urlencode({"flagConfigEtag": data["etag"], "flagConfigLastModified": data["lastModified"]})
        assert client.all(query=query, targetingKey="a")["metadata"]["revision"] == revision
    events.close()


def test_what_was_missed_is_told_first(client, stack):
    path = ticket(client.all(targetingKey="a"))  # and then, before the stream opens:
    revision = switch(stack, client.app, "plain", "disable")
    client.wait(revision)
    events = Events(client.url, path)
    assert events.next()["id"] == str(revision)
    events.close()
    events = Events(client.url, ticket(client.all(targetingKey="a")), last=str(client.revision))
    assert events.next()["id"] == str(revision)
    events.close()
    events = Events(client.url, ticket(client.all(targetingKey="a")), last=str(revision))  # nothing was missed
    later = switch(stack, client.app, "plain", "enable")
    assert events.next()["id"] == str(later)
    events.close()


def test_a_ticket_is_good_once_and_then_owed_a_fresh_one(client):
    context = {"targetingKey": "spent"}
    first = client.all(**context)
    etag, path = first.headers["ETag"], ticket(first)
    assert client.all({"If-None-Match": etag}, **context).status == 304
    events = Events(client.url, path)
    assert events.answer.status == 200
    again = Events(client.url, path)
    assert again.answer.status == 401
    # the web provider, whose stream broke, asks with its ETag and has to get another ticket, or it would never come back
    fresh = client.all({"If-None-Match": etag}, **context)
    assert fresh.status == 200 and fresh.headers["ETag"] == etag and ticket(fresh) != path
    assert client.all({"If-None-Match": etag}, **context).status == 304
    assert Events(client.url, ticket(fresh)).answer.status == 200
    for path in ("/ofrep/v1/events", "/ofrep/v1/events?ticket=", "/ofrep/v1/events?ticket=AAAA",
                 ticket(fresh)[:-2] + "xx", "/ofrep/v1/events?ticket=" + "A" * 5000):
        assert Events(client.url, path).answer.status == 401


def test_two_servers_tell_of_the_same_change(name):
    with Stack(replicas=2, env={"SLUICE_CORS_ORIGINS": "https://shop.example"}) as stack:
        assert stack.api("PUT", f"/apps/{name}", {"image": IMAGE}).status == 201
        assert stack.api("PUT", f"/apps/{name}/environments/production", environment_body(name)).status == 201
        define(stack, name, "plain")
        clients = [Client(stack, name, replica=i) for i in (0, 1)]
        revision = say(stack, name, "plain")
        for client in clients:
            client.wait(revision)
        tickets = [ticket(clients[0].all()) for _ in clients]
        events = [Events(client.url, path) for client, path in zip(clients, tickets)]  # one of them of the other server
        assert [e.answer.status for e in events] == [200, 200]
        revision = switch(stack, name, "plain", "kill")
        assert [e.next()["id"] for e in events] == [str(revision)] * 2
        assert [client.one("plain")["value"] for client in clients] == [False, False]
        for e in events:
            e.close()
        # pages of the configured origin
        url = clients[0].url + "/ofrep/v1/evaluate/flags"
        shop = {"Origin": "https://shop.example"}
        asked = call("OPTIONS", url, headers={**shop, "Access-Control-Request-Method": "POST",
                                              "Access-Control-Request-Headers": "content-type,x-api-key"})
        assert asked.status == 204 and asked.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert asked.headers["Access-Control-Allow-Headers"] == "content-type,x-api-key"
        answer = clients[0].all(shop)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"] and answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Origin" not in clients[0].all({"Origin": "https://evil.example"}).headers
        # no ticket gets into a log
        assert Events(clients[0].url, tickets[0]).answer.status == 401
        logs = until(lambda: (text := "".join(path.read_text(errors="replace") for path in (stack.dir / "log").glob("*.log")))
                     and "path=/ofrep/v1/events status=401" in text and text, what="the request is logged")
        assert "ticket" not in logs and tickets[0].partition("=")[2][:20] not in logs


def test_a_key_of_no_environment_makes_no_sense(stack, environment):
    refused = stack.api("POST", "/keys", {"name": "flags", "kind": "api", "principal": {
        "kind": "service", "roles": ["flags:client"], "apps": [environment]}})
    assert refused.status == 400
    key = client_key(stack, environment)
    assert stack.api("GET", "/me", token=key)["environment"] == "production"
    assert stack.api("GET", f"/apps/{environment}", token=key).status == 403
