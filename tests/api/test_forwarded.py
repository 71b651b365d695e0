"""Who called, where a proxy of SLUICE_TRUSTED_PROXIES brings the request; anybody else's word about it does not count."""
import http.client

import pytest

from tests.api.test_signatures import Signed
from tests.api.test_sluiced import Server
from tests.support.stack import Stack

PROXY, STRANGER = "127.0.0.1", "127.0.9.1"
TRUSTED = "127.0.0.1/32, 10.0.0.0/8,2001:db8:f::/48"


@pytest.fixture(scope="module")
def server():
    with Server(SLUICE_TRUSTED_PROXIES=TRUSTED, SLUICE_RATE_NETWORK="1,50") as server:
        yield server


def ask(port, headers, source=PROXY, path="/api/health"):
    connection = http.client.HTTPConnection("127.0.0.1", port, source_address=(source, 0), timeout=10)
    try:
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def caller(server, headers, source=PROXY, numbers=iter(range(1000))):
    """The caller and the proxy in the request's log line."""
    id = f"forwarded-{next(numbers)}"
    assert ask(server.port, [*headers, ("X-Request-Id", id)], source).status == 200
    words = dict(word.split("=", 1) for word in server.line(f"id={id} ").split())
    return words["remote"], words.get("via")


@pytest.mark.parametrize("headers, remote", [
    ({}, PROXY),
    ({"X-Forwarded-For": "192.0.2.7"}, "192.0.2.7"),
    ({"X-Forwarded-For": "192.0.2.7:4711"}, "192.0.2.7"),
    ({"X-Forwarded-For": "::ffff:192.0.2.7"}, "192.0.2.7"),
    ({"X-Forwarded-For": "2001:db8::7"}, "2001:db8::7"),
    ({"X-Forwarded-For": "[2001:db8::7]:4711"}, "2001:db8::7"),
    ({"X-Forwarded-For": "1.1.1.1, 192.0.2.7"}, "192.0.2.7"),                      # what the caller sent itself
    ({"X-Forwarded-For": "1.1.1.1,192.0.2.7 , 10.1.2.3,2001:db8:f::1"}, "192.0.2.7"),  # proxies in a row
    ({"X-Forwarded-For": "10.1.2.4, 10.1.2.3"}, "10.1.2.4"),                       # only proxies: the farthest
    ({"X-Forwarded-For": "1.1.1.1, nobody"}, PROXY),
    ({"X-Forwarded-For": "1.1.1.1, nobody, 10.1.2.3"}, "10.1.2.3"),
    ({"X-Forwarded-For": "1.1.1.1, "}, PROXY),
    ({"X-Forwarded-For": "192.0.2.256"}, PROXY),
    ({"X-Forwarded-For": "192.0.2.7:x"}, PROXY),
    ({"X-Forwarded-For": "192.0.2.7:123456"}, PROXY),
    ({"X-Forwarded-For": "[192.0.2.7]"}, PROXY),
    ({"X-Forwarded-For": "[2001:db8::7"}, PROXY),
    ({"X-Forwarded-For": '"192.0.2.7"'}, PROXY),
    ({"X-Forwarded-For": ", ".join(["10.0.0.1"] * 32)}, "10.0.0.1"),
    ({"X-Forwarded-For": ", ".join(["10.0.0.1"] * 33)}, PROXY),
    ({"Forwarded": "for=192.0.2.7"}, "192.0.2.7"),
    ({"Forwarded": 'For="[2001:db8::7]:4711";proto=https;by=10.0.0.1'}, "2001:db8::7"),
    ({"Forwarded": 'for=1.1.1.1, proto=http;for="192.0.2.7:80" , for=10.9.9.9'}, "192.0.2.7"),
    ({"Forwarded": "for=1.1.1.1, for=_hidden"}, PROXY),
    ({"Forwarded": "for=unknown"}, PROXY),
    ({"Forwarded": "by=192.0.2.7"}, PROXY),
    ({"Forwarded": "for=192.0.2.7;for=1.1.1.1"}, PROXY),
    ({"Forwarded": 'for="192.0.2.7'}, PROXY),
    ({"Forwarded": "for"}, PROXY),
    ({"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7"}, "192.0.2.7"),
    ({"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=1.1.1.1"}, PROXY),         # one is the caller's own
])
def test_who_a_trusted_proxy_says_called(server, headers, remote):
    assert caller(server, headers.items()) == (remote, PROXY if remote != PROXY else None)
    assert caller(server, headers.items(), STRANGER) == (STRANGER, None), "nobody trusts this one"


def test_lines_of_one_header_are_one_list(server):
    assert caller(server, [("X-Forwarded-For", "1.1.1.1, 192.0.2.7"), ("x-forwarded-for", "10.0.0.1")]) == ("192.0.2.7", PROXY)
    assert caller(server, [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "1.1.1.1")]) == ("1.1.1.1", PROXY)


def left(server, caller, source=PROXY):
    return int(ask(server.port, [("X-Forwarded-For", caller)], source, "/nowhere").headers["RateLimit"].split("r=")[1].split(";")[0])


def test_rates_count_the_callers_network(server):
    assert left(server, "198.51.100.1") == 49 and left(server, "198.51.100.77") == 48
    assert left(server, "203.0.113.1") == 49, "another network behind the same proxy"
    assert left(server, "198.51.100.1", STRANGER) == 49 and left(server, "203.0.113.1", STRANGER) == 48, "a stranger is one network"


def test_records_name_the_caller_and_signatures_are_for_the_host_it_asked():
    with Stack(env={"SLUICE_TRUSTED_PROXIES": "127.0.0.1"}) as stack:
        assert stack.api("PUT", "/apps/behind", {"image": "a/b"}, headers={"X-Forwarded-For": "192.0.2.7"}).status == 201
        record = stack.chain("behind")[0]
        assert record["from"] == "192.0.2.7", record
        for header, value in (("X-Forwarded-Host", "sluice.example"), ("Forwarded", "for=192.0.2.7;host=sluice.example")):
            assert signed_for(stack, "sluice.example", {header: value}).status == 200
            assert signed_for(stack, "sluice.example", {header: value.replace("sluice", "other")}).status == 401
        assert signed_for(stack, "sluice.example", {"X-Forwarded-Host": "sluice.example, other"}).status == 401


def signed_for(stack, host, headers):
    """A read that was signed for that host, brought by a proxy under another."""
    request = Signed(stack, "GET", "/me")
    local = request.headers["Host"]
    request.headers["Host"] = host
    request.sign()
    request.headers.update({"Host": local, **headers})
    return request.send()
