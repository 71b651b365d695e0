"""The listener with a certificate of its own: what a plain one does, over TLS 1.2 and 1.3, and nothing else on that port."""
import http.client
import json
import socket
import ssl
import subprocess
import time

import pytest

from tests.api.test_sluiced import Server, run
from tests.support.stack import call

SMUGGLED = b"GET /api/health HTTP/1.1\r\nHost: h\r\n\r\n"
KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


def certificate(folder, name, kind="ec"):
    """A self-signed certificate for localhost and 127.0.0.1: its files."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", *KEYS[kind], "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", cert,
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return {name: certificate(folder, name, kind) for name, kind in (("one", "ec"), ("two", "rsa"))}


def pair(files):
    return {"SLUICE_TLS_CERT_FILE": str(files[0]), "SLUICE_TLS_KEY_FILE": str(files[1])}


@pytest.fixture(scope="module")
def server(certs):
    with Server(SLUICE_HEADER_TIMEOUT_MS="1000", **pair(certs["one"])) as server:
        assert "tls=true" in server.line("listening")
        yield server


def trust(cert, version=None):
    context = ssl.create_default_context(cafile=cert)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def connect(server, context):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="localhost")


def ask(server, cert, path="/api/health", headers=None):
    connection = http.client.HTTPSConnection("localhost", server.port, context=trust(cert), timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        answer.body = answer.read()
        return answer
    finally:
        connection.close()


def read_all(s):
    """What still comes until the other side closes, however it does."""
    got = b""
    try:
        while piece := s.recv(65536):
            got += piece
    except (ssl.SSLError, ConnectionResetError):
        pass
    return got


@pytest.mark.parametrize("kind", ["one", "two"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_with_both_kinds_of_key(certs, kind, version):
    with Server(**pair(certs[kind])) as server, connect(server, trust(certs[kind][0], version)) as s:
        s.sendall(b"GET /api/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert read_all(s).startswith(b"HTTP/1.1 200 ") and s.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_older_and_nothing_plain(server, certs):
    old = trust(certs["one"][0])
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(OSError):
        connect(server, old)
    with socket.create_connection(("127.0.0.1", server.port), 10) as s:
        s.sendall(SMUGGLED)
        assert b"healthy" not in read_all(s)
    assert ask(server, certs["one"][0]).status == 200


def test_hsts_is_said_over_tls_only(server, certs):
    for path in ("/api/health", "/nothing", "/api/v1/me"):
        assert ask(server, certs["one"][0], path).getheader("Strict-Transport-Security") == "max-age=31536000"
    with Server(SLUICE_TRUSTED_PROXIES="127.0.0.1") as plain:
        url = f"http://127.0.0.1:{plain.port}/api/health"
        said = {proto: call("GET", url, headers={"X-Forwarded-Proto": proto}).headers["Strict-Transport-Security"]
                for proto in ("https", "http", "https, http", "ftp")}
        assert said == {"https": "max-age=31536000", "http": None, "https, http": None, "ftp": None}
    with Server() as plain:
        assert call("GET", f"http://127.0.0.1:{plain.port}/api/health", headers={"X-Forwarded-Proto": "https"}).headers["Strict-Transport-Security"] is None


@pytest.mark.parametrize("head", [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    b"Content-Length : 5\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"Host: other\r\n\r\n",
])
def test_the_guard_sees_what_comes_over_tls(server, certs, head):
    with connect(server, trust(certs["one"][0])) as s:
        s.sendall(b"POST /api/v1/deployments HTTP/1.1\r\nHost: h\r\n" + head + SMUGGLED)
        got = read_all(s)
        assert got.startswith(b"HTTP/1.1 400 ") and b"healthy" not in got, got


@pytest.mark.parametrize("speak", ["nothing", "a byte of a handshake", "a handshake alone", "half a header"])
def test_the_reaper_ends_who_is_slow(server, certs, speak):
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), 10) as s:
        if speak == "a byte of a handshake":
            s.sendall(b"\x16")
        elif speak.startswith(("a handshake", "half")):
            s = trust(certs["one"][0]).wrap_socket(s, server_hostname="localhost")
            if speak == "half a header":
                s.sendall(b"GET /api/health HTTP/1.1\r\nHo")
        assert read_all(s) == b""
        s.close()
    assert 0.9 < time.monotonic() - begun < 9


@pytest.mark.parametrize("cert, key, line", [
    ("one.crt", None, "SLUICE_TLS_CERT and SLUICE_TLS_KEY: one does not work without the other"),
    (None, "one.key", "SLUICE_TLS_CERT and SLUICE_TLS_KEY: one does not work without the other"),
    ("one.crt", "two.key", "SLUICE_TLS_KEY: it is not the key of the first certificate of SLUICE_TLS_CERT"),
    ("one.key", "one.key", "SLUICE_TLS_CERT: "),
    ("one.crt", "one.crt", "SLUICE_TLS_KEY: "),
    ("empty", "one.key", "SLUICE_TLS_CERT_FILE: "),
    ("garbled", "one.key", "SLUICE_TLS_CERT: "),
    ("text", "one.key", "SLUICE_TLS_CERT: "),
])
def test_a_bad_pair_stops_the_start_with_one_line(certs, cert, key, line):
    folder = certs["one"][0].parent
    (folder / "empty").write_text("")
    (folder / "text").write_text("no certificate")
    (folder / "garbled").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    files = {"SLUICE_TLS_CERT_FILE": cert and str(folder / cert), "SLUICE_TLS_KEY_FILE": key and str(folder / key)}
    status, out, err = run("serve", **files)
    assert status == 1 and not out
    lines = [one for one in err.splitlines() if one.startswith("sluiced: ")]
    assert len(lines) == 1 and lines[0].startswith(f"sluiced: {line}") and "PRIVATE" not in err, err
    checked = run("check", **files)
    assert checked[0] == 1 and (line in checked[2] or line.replace("SLUICE_TLS", "tls: failed: SLUICE_TLS", 1) in checked[1]), checked


def test_the_command_line_and_event_streams(stack, name, certs):
    with Server(DATABASE_URL=stack.env["DATABASE_URL"], JWT_SECRET=stack.env["JWT_SECRET"], **pair(certs["one"])) as server:
        url = f"https://localhost:{server.port}"
        env = {"SLUICE_URL": url, "SLUICE_TOKEN": stack.token, "PATH": stack.env["PATH"]}
        listed = subprocess.run(["sluice", "app", "list"], env={**env, "SLUICE_CA_FILE": str(certs["one"][0])}, capture_output=True, text=True, check=False)
        assert listed.returncode == 0, listed.stderr
        untrusted = subprocess.run(["sluice", "app", "list"], env=env, capture_output=True, text=True, check=False)
        assert untrusted.returncode != 0 and "certificate" in untrusted.stderr, untrusted.stderr
        assert stack.api("PUT", f"/apps/{name}", {"image": "a/b"}).status == 201
        connection = http.client.HTTPSConnection("localhost", server.port, context=trust(certs["one"][0]), timeout=30)
        connection.request("GET", f"/api/v1/events?app={name}", headers={"Authorization": "Bearer " + stack.token, "Accept": "text/event-stream"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert stack.api("PUT", f"/apps/{name}", {"image": "a/c"}, headers={"If-Match": "*"}).status == 200
        event = next(json.loads(line[6:]) for line in iter(answer.readline, b"") if line.startswith(b"data: "))
        assert event["subject"] == name, event
        connection.close()


def test_metrics_say_when_the_certificate_ends(server, certs):
    shown = ask(server, certs["one"][0], "/metrics").body.decode()
    ends = float(shown.partition("\nsluice_tls_expiry_timestamp_seconds ")[2].partition("\n")[0])
    assert 86400 < ends - time.time() <= 2 * 86400
