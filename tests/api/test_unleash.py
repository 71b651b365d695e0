"""Unleash's client API, from outside: what its SDKs read, and what they report."""

import datetime
import http.client
import urllib.parse

import pytest

from tests.support.flags import Client, define, rollout, say, switch
from tests.support.stack import call, until

SPEC = {"Unleash-Client-Spec": "5.2.2"}


@pytest.fixture
def client(stack, environment):
    made = stack.api("PUT", f"/apps/{environment}/segments/team", {"constraints": [
        {"context_name": "userId", "operator": "IN", "values": ["ann", "bob"]}]})
    assert made.status == 201, made
    define(stack, environment, "shop.plain", description="Plain", impression_data=True)
    define(stack, environment, "shop.off")
    define(stack, environment, "team-only")
    define(stack, environment, "color", value_type="string", variants=[
        {"name": "blue", "weight": 1, "payload": {"type": "string", "value": "#00f"}}])
    say(stack, environment, "shop.plain", strategies=[rollout(100)])
    say(stack, environment, "color")
    say(stack, environment, "team-only", strategies=[{"name": "default", "parameters": {}, "segments": ["team"]}])
    client = Client(stack, environment)
    client.app = environment
    client.revision = say(stack, environment, "shop.off", enabled=False)
    client.wait(client.revision)
    return client


def features(answer):
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json", answer
    return {feature["name"]: feature for feature in answer["features"]}


# ---- the rules ----

def test_features_with_segments_apart_or_within(client):
    apart = client.unleash("GET", "/api/client/features", headers=SPEC)
    flags = features(apart)
    assert {name: flag["enabled"] for name, flag in flags.items()} == {
        "color": True, "shop.off": False, "shop.plain": True, "team-only": True}
    assert apart["version"] == 2 and apart["meta"]["revisionId"] == client.revision
    assert apart["query"] == {"project": [], "environment": "production", "inlineSegmentConstraints": False}
    segment, = apart["segments"]
    assert flags["team-only"]["strategies"][0]["segments"] == [segment["id"]]
    assert segment["constraints"][0]["values"] == ["ann", "bob"]
    assert flags["shop.plain"]["impressionData"] is True and flags["shop.plain"]["project"] == "default"
    assert flags["color"]["variants"][0]["payload"] == {"type": "string", "value": "#00f"}

    within = client.unleash("GET", "/api/client/features")
    strategy, = features(within)["team-only"]["strategies"]
    assert "segments" not in within.json and "segments" not in strategy
    assert strategy["constraints"][0]["contextName"] == "userId" and strategy["constraints"][0]["values"] == ["ann", "bob"]
    assert within["query"]["inlineSegmentConstraints"] is True
    assert within.headers["ETag"] != apart.headers["ETag"]


@pytest.mark.parametrize("query, names", [
    ("", {"color", "shop.off", "shop.plain", "team-only"}),
    ("?namePrefix=shop.", {"shop.off", "shop.plain"}),
    ("?namePrefix=x", set()),
    ("?project=default", {"color", "shop.off", "shop.plain", "team-only"}),
    ("?project=other&project=default", {"color", "shop.off", "shop.plain", "team-only"}),
    ("?project=other", set()),
    ("?tag=simple:a", set()),
    ("?namePrefix=shop.&project=default&unknown=1", {"shop.off", "shop.plain"}),
])
def test_filters(client, query, names):
    answer = client.unleash("GET", "/api/client/features" + query, headers=SPEC)
    assert set(features(answer)) == names
    given = {**SPEC, "If-None-Match": answer.headers["ETag"]}
    assert client.unleash("GET", "/api/client/features" + query, headers=given).status == 304


def test_a_304_until_something_changes(client, stack):
    etag = client.unleash("GET", "/api/client/features", headers=SPEC).headers["ETag"]
    assert f":{client.revision}:v1" in etag
    same = client.unleash("GET", "/api/client/features", headers={**SPEC, "If-None-Match": etag})
    assert same.status == 304 and same.raw == b"" and same.headers["ETag"] == etag
    assert client.unleash("GET", "/api/client/features", headers={"If-None-Match": etag}).status == 200
    revision = switch(stack, client.app, "shop.plain", "kill")
    client.wait(revision)
    changed = client.unleash("GET", "/api/client/features", headers={**SPEC, "If-None-Match": etag})
    assert features(changed)["shop.plain"]["enabled"] is False


ROUTES = [("GET", "/api/client/features", None), ("POST", "/api/client/register", {"appName": "a"}),
          ("POST", "/api/client/metrics", {"appName": "a", "bucket": {"toggles": {}}}), ("POST", "/api/client/metrics/bulk", {}),
          ("GET", "/api/frontend", None), ("POST", "/api/frontend", {"context": {}}),
          ("POST", "/api/frontend/client/register", {"appName": "a"}),
          ("POST", "/api/frontend/client/metrics", {"appName": "a", "bucket": {"toggles": {}}})]


@pytest.mark.parametrize("method, path, body", ROUTES)
def test_who_may_ask(client, stack, method, path, body):
    good = 202 if path.startswith("/api/client/") and method == "POST" else 200
    url = client.url + path
    assert client.unleash(method, path, body).status == good
    assert call(method, url, body, token=client.key).status == good
    assert call(method, url, body, headers={"X-API-Key": client.key}).status == good
    for headers in ({}, {"Authorization": "x"}, {"Authorization": client.key + "x"}, {"Authorization": "*:production.abc"}):
        refused = call(method, url, body, headers=headers)
        assert refused.status == 401 and refused["name"] == "unauthenticated" and refused["message"], refused
    refused = call(method, url, body, token=stack.token)
    assert refused.status == 403 and refused["name"] == "forbidden" and refused["message"], refused


# ---- the frontend API ----

def toggles(answer):
    assert answer.status == 200, answer
    return {toggle["name"]: toggle for toggle in answer["toggles"]}


def test_the_frontend_gets_what_is_on(client):
    ann = client.unleash("GET", "/api/frontend?userId=ann&appName=web&environment=x&properties[plan]=pro")
    assert set(toggles(ann)) == {"color", "shop.plain", "team-only"}
    assert toggles(ann)["color"]["variant"] == {"name": "blue", "enabled": True, "feature_enabled": True, "featureEnabled": True,
                                                "payload": {"type": "string", "value": "#00f"}}
    assert toggles(ann)["shop.plain"] == {"name": "shop.plain", "enabled": True, "impressionData": True, "variant": {
        "name": "disabled", "enabled": False, "feature_enabled": True, "featureEnabled": True}}
    same = client.unleash("POST", "/api/frontend", {"context": {"userId": "ann"}})
    assert same.json == ann.json
    assert set(toggles(client.unleash("POST", "/api/frontend", {"context": {"userId": "eve"}}))) == {"color", "shop.plain"}
    assert set(toggles(client.unleash("POST", "/api/frontend", {}))) == {"color", "shop.plain"}


def test_the_frontend_reads_properties_and_addresses(client, stack):
    client.wait(say(stack, client.app, "shop.off", strategies=[
        {"name": "default", "parameters": {}, "constraints": [{"context_name": "plan", "operator": "IN", "values": ["a b&c"]}]}]))
    assert "shop.off" in toggles(client.unleash("GET", "/api/frontend?properties%5Bplan%5D=a%20b%26c"))
    assert "shop.off" in toggles(client.unleash("POST", "/api/frontend", {"context": {"properties": {"plan": "a b&c"}}}))
    assert "shop.off" not in toggles(client.unleash("GET", "/api/frontend?properties[plan]=x"))
    client.wait(say(stack, client.app, "shop.off", strategies=[{"name": "remoteAddress", "parameters": {"IPs": "127.0.0.1, 10.0.0.0/8"}}]))
    assert "shop.off" in toggles(client.unleash("GET", "/api/frontend"))
    assert "shop.off" in toggles(client.unleash("GET", "/api/frontend?remoteAddress=10.1.2.3"))
    assert "shop.off" not in toggles(client.unleash("GET", "/api/frontend?remoteAddress=192.0.2.1"))


def test_the_frontend_gives_a_304(client):
    path = "/api/frontend?userId=ann"
    etag = client.unleash("GET", path).headers["ETag"]
    assert client.unleash("GET", path, headers={"If-None-Match": etag}).status == 304
    assert client.unleash("GET", path + "&sessionId=7", headers={"If-None-Match": etag}).status == 200


def test_a_304_is_for_the_address_that_asked(client, stack):
    """The caller's own address decides where the context names none."""
    client.wait(say(stack, client.app, "shop.off", strategies=[{"name": "remoteAddress", "parameters": {"IPs": "127.0.0.1"}}]))

    def ask(source, headers):
        url = urllib.parse.urlsplit(stack.urls[0])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20, source_address=(source, 0))
        connection.request("GET", "/api/frontend", headers={"Authorization": client.key, **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers["ETag"], answer.read()
    status, etag, body = ask("127.0.0.1", {})
    assert status == 200 and b"shop.off" in body
    assert ask("127.0.0.1", {"If-None-Match": etag})[0] == 304
    status, _, body = ask("127.0.0.2", {"If-None-Match": etag})
    assert status == 200 and b"shop.off" not in body


# ---- what clients report ----

def exposure(client, stack, flag, hours=24):
    answer = stack.api("GET", f"/apps/{client.app}/environments/production/flags/{flag}/exposure?hours={hours}")
    assert answer.status == 200, answer
    return answer


def report(start, **counts):
    return {"appName": "web", "instanceId": "i", "bucket": {"start": start, "stop": start, "toggles": counts}, "more": [1]}


def test_metrics_become_hours(client, stack):
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = now.replace(minute=0, second=0, microsecond=0)
    earlier = hour - datetime.timedelta(hours=3)
    assert exposure(client, stack, "color").json == {"last_seen_at": None, "items": []}
    for _ in range(3):
        assert client.unleash("POST", "/api/client/metrics", report(now.isoformat(), **{
            "color": {"yes": 2, "no": 1, "variants": {"blue": 2}}, "nothing": {"yes": 1, "no": 1}})).status == 202
    assert client.unleash("POST", "/api/frontend/client/metrics", report(now.isoformat(), color={"yes": 1, "no": 0})).status == 200
    assert client.unleash("POST", "/api/client/metrics/bulk", {"applications": [], "metrics": [
        {"featureName": "color", "appName": "edge", "environment": "production", "timestamp": earlier.isoformat(),
         "yes": 10, "no": 0, "variants": {"blue": 7, "red": 3}}]}).status == 202
    until(lambda: len(exposure(client, stack, "color")["items"]) == 2, what="metrics are written")
    newest, older = exposure(client, stack, "color")["items"]
    stamp = "%Y-%m-%dT%H:%M:%S.000Z"
    assert newest == {"hour": hour.strftime(stamp), "app_name": "web", "yes": 7, "no": 3, "variants": {"blue": 6}}
    assert older == {"hour": earlier.strftime(stamp), "app_name": "edge", "yes": 10, "no": 0, "variants": {"blue": 7, "red": 3}}
    assert exposure(client, stack, "color")["last_seen_at"] > older["hour"]
    assert exposure(client, stack, "color", hours=2)["items"] == [newest]
    assert exposure(client, stack, "shop.plain").json == {"last_seen_at": None, "items": []}
    assert stack.sql("SELECT count(*) FROM flag_exposure WHERE flag = 'nothing'") == "0"


def test_reports_that_cannot_be_are_counted_now(client, stack):
    for start in ("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "never", 7, None):
        assert client.unleash("POST", "/api/client/metrics", report(start, color={"yes": 1})).status == 202
    until(lambda: sum(item["yes"] for item in exposure(client, stack, "color", hours=2)["items"]) == 5, what="all are counted")


@pytest.mark.parametrize("body, path", [
    ({"appName": "a", "bucket": {"toggles": {"color": {"yes": -1}}}}, "/bucket/toggles/color/yes"),
    ({"appName": "a", "bucket": {"toggles": {"color": {"yes": "1"}}}}, "/bucket/toggles/color/yes"),
    ({"appName": "a", "bucket": {"toggles": {"color": 1}}}, "/bucket/toggles/color"),
    ({"appName": "a", "bucket": {"toggles": []}}, "/bucket/toggles"),
    ({"appName": "a", "bucket": {}}, "/bucket/toggles"),
    ({"appName": "a", "bucket": {"toggles": {"color": {"yes": 10**12}}}}, "/bucket/toggles/color/yes"),
    ({"appName": "a", "bucket": {"toggles": {"color": {"variants": {f"v{i}": 1 for i in range(102)}}}}}, "/bucket/toggles/color/variants"),
    ({"appName": "", "bucket": {"toggles": {}}}, "/appName"),
    ({"bucket": {"toggles": {}}}, "/appName"),
    ([], ""),
])
def test_bad_reports_are_refused_naming_the_field(client, body, path):
    answer = client.unleash("POST", "/api/client/metrics", body)
    assert answer.status == 400 and answer["name"] == "invalid-body", answer
    assert path in [detail["path"] for detail in answer["details"]], answer


def test_exposure_asks_for_sensible_hours(client, stack):
    for hours in ("0", "-1", "x", "", "2161"):
        answer = stack.api("GET", f"/apps/{client.app}/environments/production/flags/color/exposure?hours={hours}")
        assert answer.status == 400 and answer["errors"][0]["field"] == "hours", answer
    assert stack.api("GET", f"/apps/{client.app}/environments/production/flags/nothing/exposure").status == 404
    assert stack.api("GET", f"/apps/{client.app}/environments/nowhere/flags/color/exposure").status == 404


def test_what_is_reported_survives_the_end_of_a_server(stack, client):
    assert client.unleash("POST", "/api/client/metrics", report(None, **{"team-only": {"yes": 4, "no": 0}})).status == 202
    waiting = call("GET", stack.urls[0] + "/api/health/detailed", token=stack.token)
    assert waiting["exposure"]["ok"] is True and waiting["exposure"]["dropped"] == 0
    assert waiting["flags"]["source"] == "database" and waiting["flags"]["stale"] is False
    stack.stop_servers()
    assert stack.sql("SELECT sum(yes) FROM flag_exposure WHERE flag = 'team-only'") == "4"
    stack.up()
    client.url = stack.urls[0]
    until(lambda: client.all().status == 200, what="flags are served again")
