"""What API signatures cost: ./scripts/bench signatures

Verifications per second of one core (sluice-verify), and what a signature adds to a request: the same requests with a
bearer token (in the cache of verified tokens) and with a signature of the built-in key, turn by turn on one open
connection, asked from outside.  Writes are PUTs of an app as it is: with a signature each takes its nonce (one commit).
Prints a table and, last, one line of JSON.
"""
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "docs/examples/signing")]
from tests.support.stack import IMAGE, Stack  # noqa: E402
from sign import sign  # noqa: E402

TIMES = 1500


def took(connection, head, body=b""):
    """Milliseconds from the request's first byte to the answer's last, and the status."""
    began = time.perf_counter()
    connection.sendall(head + body)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    top, _, rest = answer.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in top.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(rest) < length:
        rest += connection.recv(65536)
    return (time.perf_counter() - began) * 1000, int(top.split()[1])


def head_of(method, path, headers):
    return (f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode()


def compare(stack, method, path, body=b""):
    url = stack.urls[0] + path
    at = urllib.parse.urlsplit(url)
    common = {"Host": at.netloc, **({"Content-Type": "application/json", "Content-Length": len(body)} if body else {})}
    token, bearer, signed = stack.mint(roles=("admin",)), [], []
    with socket.create_connection((at.hostname, at.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(TIMES):
            for times, headers in ((bearer, {"Authorization": "Bearer " + token}),
                                   (signed, sign(method, url, *stack.signer, body))):
                ms, status = took(connection, head_of(method, path, {**common, **headers}), body)
                assert status == 200, status
                times.append(ms)
    return bearer, signed


def main():
    figures = json.loads(subprocess.run([ROOT / "build/bin/sluice-verify"], check=True, capture_output=True).stdout)
    with Stack() as stack:
        made = stack.api("POST", "/keys", {"name": "bench", "kind": "signature",
                                           "principal": {"kind": "service", "roles": ["admin"], "apps": ["*"]}})
        stack.signer = (made["id"], made["key"])
        body = json.dumps({"image": IMAGE, "description": "x" * 950}).encode()
        assert stack.api("PUT", "/apps/inopnc", body, headers={"Content-Type": "application/json"}).status == 201
        for name, (bearer, signed) in {"read": compare(stack, "GET", "/api/v1/me"),
                                       "write": compare(stack, "PUT", "/api/v1/apps/inopnc", body)}.items():
            for credential, times in (("bearer", bearer), ("signed", signed)):
                figures[f"{name}_{credential}_ms"] = {"median": round(statistics.median(times), 3),
                                                      "p99": round(sorted(times)[int(len(times) * 0.99)], 3)}
            figures[f"{name}_added_ms"] = round(statistics.median(signed) - statistics.median(bearer), 3)
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
