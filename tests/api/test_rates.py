"""Rates: so many requests of one caller, so many of one network; abort, rollback, health and metrics at any time."""

import http.client
import json
import re
import time
import urllib.parse
import uuid

import pytest

from tests.support.stack import Stack, call, until

HOME, NEIGHBOR, AWAY = "127.0.7.1", "127.0.7.200", "127.0.8.1"
ITEM = re.compile(r'"(principal|network)";(?:q|r)=(\d+);(?:w|t)=(\d+)')


@pytest.fixture(scope="module")
def slow():
    """Two requests a second: what is used up stays used up while a test looks at it."""
    with Stack(env={"SLUICE_RATE_PRINCIPAL": "2,20", "SLUICE_RATE_NETWORK": "2,50"}) as stack:
        yield stack


def ask(stack, path, token=None, source=HOME, method="GET", body=None):
    where = urllib.parse.urlsplit(stack.urls[0])
    connection = http.client.HTTPConnection(where.hostname, where.port, source_address=(source, 0), timeout=10)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = "Bearer " + token
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.json = json.loads(answer.read() or "null") if "json" in answer.headers["Content-Type"] else None
        return answer
    finally:
        connection.close()


def items(answer, header):
    return {name: (int(amount), int(seconds)) for name, amount, seconds in ITEM.findall(answer.headers[header] or "")}


def exhaust(stack, burst, **how):
    """Asks until it is too much: after the burst, and what came back meanwhile (two a second)."""
    begun = time.monotonic()
    for n in range(1000):
        answer = ask(stack, "/api/v1/me", **how)
        if answer.status == 429:
            assert burst <= n <= burst + 1 + 2 * (time.monotonic() - begun), n
            return answer
    raise AssertionError("never too much")


def used_up(stack, path="/api/v1/me", token=None, source=HOME, **how):
    """Whether a request is too much, but for the one or two that came back while nobody looked."""
    return 429 in [ask(stack, path, token, source, **how).status for _ in range(5)]


@pytest.fixture(autouse=True)
def fresh(slow):
    slow.stop_servers()
    slow.up()


def test_headers_tell_what_is_left(slow):
    token = slow.mint("teller")
    first = ask(slow, "/api/v1/me", token)
    assert items(first, "RateLimit-Policy") == {"principal": (20, 10), "network": (50, 25)}
    assert items(first, "RateLimit") == {"principal": (19, 1), "network": (49, 1)}
    for _ in range(4):
        last = ask(slow, "/api/v1/me", token)
    left = items(last, "RateLimit")
    assert 15 <= left["principal"][0] < 19 and 45 <= left["network"][0] < 49 and 1 <= left["principal"][1] <= 3
    nobody = ask(slow, "/api/v1/me")
    assert nobody.status == 401 and set(items(nobody, "RateLimit")) == {"network"}
    lost = ask(slow, "/nowhere")
    assert lost.status == 404 and set(items(lost, "RateLimit")) == {"network"}


def test_one_caller_too_often_is_429_and_others_go_on(slow):
    token = slow.mint("often")
    answer = exhaust(slow, 20, token=token)
    assert answer.json["code"] == "rate-limited" and answer.json["violated-policies"] == ["principal"], answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1" and items(answer, "RateLimit")["principal"][0] == 0
    assert used_up(slow, token=token, source=AWAY), "a caller is one, wherever it calls from"
    assert ask(slow, "/api/v1/me", slow.mint("other")).status == 200
    assert until(lambda: ask(slow, "/api/v1/me", token).status == 200, 5, 0.2, what="a second later it may again")


def test_a_refused_create_makes_nothing(slow):
    token = slow.mint("maker", ("admin",), ("*",))
    exhaust(slow, 20, token=token)
    asked = [(n, ask(slow, f"/api/v1/apps/late-{n}", token, method="PUT", body="{}").status) for n in range(5)]
    assert 429 in [status for _, status in asked]
    reader = slow.mint("reader", ("viewer",), ("*",))
    for n, status in asked:
        assert ask(slow, f"/api/v1/apps/late-{n}", reader).status == (404 if status == 429 else 200)


def test_bad_credentials_use_up_the_network(slow):
    answer = exhaust(slow, 50, token="x.y.z")
    assert answer.json["violated-policies"] == ["network"]
    assert used_up(slow, token=slow.mint("neighbor"), source=NEIGHBOR)
    assert used_up(slow, "/nowhere", source=NEIGHBOR)
    away = ask(slow, "/api/v1/me", slow.mint("away"), AWAY)
    assert away.status == 200 and items(away, "RateLimit")["network"][0] == 49


def test_guessed_api_keys_use_up_the_network(slow):
    answer = exhaust(slow, 50, token=f"slk_{uuid.uuid4()}_{'0' * 64}")
    assert answer.json["violated-policies"] == ["network"]


def test_bad_credentials_at_an_exempt_route_count_too(slow):
    path = "/api/v1/deployments/01900000-0000-7000-8000-000000000000/abort"
    begun = time.monotonic()
    for _ in range(60):
        assert ask(slow, path, "x.y.z", method="POST").status == 401
    left = items(ask(slow, "/nowhere"), "RateLimit")["network"][0]
    assert left <= 2 * (time.monotonic() - begun), left


def test_health_and_metrics_are_not_counted(slow):
    exhaust(slow, 50)
    token = slow.mint("watcher")
    for _ in range(30):
        for path in ("/api/health", "/api/health/ready", "/api/health/detailed", "/metrics"):
            answer = ask(slow, path, token)
            assert answer.status == 200 and answer.headers["RateLimit"] is None
    limited, = re.findall(r"^sluice_http_limited_total (\d+)$", call("GET", slow.urls[0] + "/metrics").raw.decode(), re.M)
    assert int(limited) >= 1


def test_without_limits_nothing_is_said(stack):
    answer = stack.api("GET", "/me")
    assert answer.status == 200 and answer.headers["RateLimit"] is None and answer.headers["RateLimit-Policy"] is None
