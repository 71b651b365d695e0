"""Settings read again at SIGHUP, and certificates whenever their files change."""
import http.client
import json
import os
import signal
import socket
import ssl
import time

import jwt
import pytest

from tests.api.test_sluiced import SECRET, Server, run
from tests.api.test_tls import ask, certificate, connect, trust
from tests.support.stack import call, until


class Reloading(Server):
    """A server whose settings come from a file."""

    def __init__(self, folder, text="", **settings):
        self.file = folder / "env"
        self.file.write_text("# settings\n" + text)
        super().__init__(SLUICE_ENV_FILE=str(self.file), **settings)
        assert self.port

    def said(self, text):
        with self.changed:
            return [line for line in self.lines if text in line]

    def reload(self, text=None):
        """The line that says what became of it."""
        if text is not None:
            self.file.write_text(text)
        before = len(self.said("event=reload"))
        self.process.send_signal(signal.SIGHUP)
        return until(lambda: self.said("event=reload")[before:], 15, what=f"it reloads: {self.lines}")[0]

    def call(self, path="/api/health", method="GET", **headers):
        return call(method, f"http://127.0.0.1:{self.port}{path}", headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_what_may_change_changes(tmp_path):
    with Reloading(tmp_path, "ENABLE_REQUEST_LOGGING=false\n") as server:
        assert server.call(X_Request_Id="first").status == 200 and server.call("/x").headers["RateLimit-Policy"] == '"network";q=600;w=2'
        line = server.reload("ENABLE_REQUEST_LOGGING=true\nSLUICE_RATE_NETWORK='1,7'\nSLUICE_TRUSTED_PROXIES=\"127.0.0.0/8\"\n"
                             "SLUICE_CORS_ORIGINS=https://shop.example\n\nFEATURE_FLAGS_CACHE_TIMEOUT=1\nSLUICE_DRAIN_TIMEOUT_S=1\n"
                             "SLUICE_IDLE_TIMEOUT_S=2\nSLUICE_LARGE_BODIES_MAX=1\n")
        assert 'changed="FEATURE_FLAGS_CACHE_TIMEOUT ENABLE_REQUEST_LOGGING SLUICE_TRUSTED_PROXIES SLUICE_CORS_ORIGINS SLUICE_LARGE_BODIES_MAX ' \
            'SLUICE_RATE_NETWORK SLUICE_IDLE_TIMEOUT_S SLUICE_DRAIN_TIMEOUT_S"' in line and "needs_a_restart" not in line, line
        assert server.call(X_Request_Id="second", X_Forwarded_For="192.0.2.7").status == 200
        assert "remote=192.0.2.7 via=127.0.0.1" in server.line("id=second") and not server.said("id=first")
        assert server.call("/x").headers["RateLimit-Policy"] == '"network";q=7;w=7'
        flags = server.call("/ofrep/v1/evaluate/flags", "OPTIONS", Origin="https://shop.example", Access_Control_Request_Method="POST")
        assert flags.headers["Access-Control-Allow-Origin"] == "https://shop.example", flags
        assert "changed=nothing" in server.reload()
        assert "changed=SLUICE_LOG_LEVEL" in server.reload(server.file.read_text() + "SLUICE_LOG_LEVEL=warning\n")
        assert server.call(X_Request_Id="third").status == 200
        assert "event=reload-refused" in server.reload("SLUICE_LOG_LEVEL=loud\n"), "warnings are still said"
        assert not server.said("id=third")


def test_timeouts_change_for_new_connections(tmp_path):
    with Reloading(tmp_path, "SLUICE_HEADER_TIMEOUT_MS=60000\n") as server:
        server.reload("SLUICE_HEADER_TIMEOUT_MS=300\nSLUICE_IDLE_TIMEOUT_S=1\n")
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), 20) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHo")
            assert s.recv(100) == b""
        with socket.create_connection(("127.0.0.1", server.port), 20) as s:
            s.sendall(b"GET /api/health HTTP/1.1\r\nHost: h\r\n\r\n")
            while s.recv(4096):
                pass
        assert time.monotonic() - begun < 15


def test_what_may_not_change_waits_for_a_restart(tmp_path):
    with Reloading(tmp_path) as server:
        line = server.reload(f"SLUICE_QUEUE_MAX=1\nAPI_SIGNATURE_SECRET={SECRET}\nSLUICE_RATE_NETWORK=off\n")
        assert "level=warning" in line and "changed=SLUICE_RATE_NETWORK" in line
        assert 'needs_a_restart="API_SIGNATURE_SECRET SLUICE_QUEUE_MAX"' in line and SECRET not in line
        assert 'needs_a_restart="API_SIGNATURE_SECRET SLUICE_QUEUE_MAX"' in server.reload(), "it still does"


@pytest.mark.parametrize("text, detail", [
    ("SLUICE_RATE_NETWORK=fast\n", 'SLUICE_RATE_NETWORK: \\"fast\\" is not RATE,BURST'),
    ("SLUICE_RATE_NETWROK=off\n", "SLUICE_ENV_FILE: line 1: SLUICE_RATE_NETWROK is no setting of Sluice"),
    ("SLUICE_TRUSTED_PROXIES=x\n", "is no CIDR"),
    ("SLUICE_RATE_NETWORK=off\nhidden-in-here\n", "SLUICE_ENV_FILE: line 2 is not NAME=value"),
    ("API_SIGNATURE_SECRET=too-short-hidden\n", "API_SIGNATURE_SECRET: the value is not a text of 32 to 4096 bytes"),
    ("SLUICE_RATE_NETWORK=off\nSLUICE_RATE_NETWORK=off\n", "SLUICE_ENV_FILE: SLUICE_RATE_NETWORK is there twice"),
    ("PORT=3000\n", "PORT is set in the environment and in SLUICE_ENV_FILE; set one"),
    ("SLUICE_RATE_NETWORK=off\nSLUICE_RATE_NETWORK_FILE=/x\n", "SLUICE_RATE_NETWORK and SLUICE_RATE_NETWORK_FILE are both set"),
    ("SLUICE_LOG_LEVEL_FILE=/nowhere\n", "SLUICE_LOG_LEVEL_FILE: cannot read /nowhere"),
    ("PATH=/bin\n", "SLUICE_ENV_FILE: line 1: PATH is no setting of Sluice"),
])
def test_what_is_not_right_changes_nothing(tmp_path, text, detail):
    with Reloading(tmp_path, "SLUICE_RATE_NETWORK=3,7\n") as server:
        line = server.reload(text)
        assert "reload-refused" in line and detail in line and "hidden" not in line, line
        assert server.call("/x").headers["RateLimit-Policy"] == '"network";q=7;w=3'
    status, out, err = run("serve", SLUICE_ENV_FILE=str(server.file))
    assert (status, out) == (1, "") and err.startswith("sluiced: ") and detail.replace("\\", "") in err and "hidden" not in err


def test_files_of_names_are_read_again(tmp_path):
    level = tmp_path / "level"
    level.write_text("info\n")
    with Reloading(tmp_path, f"SLUICE_LOG_LEVEL_FILE={level}\n") as server:
        level.write_text("debug\n")
        assert "changed=SLUICE_LOG_LEVEL" in server.reload()


def test_it_ends_as_before(tmp_path):
    with Reloading(tmp_path) as server:
        server.reload()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


# ---- certificates ----

def shown(server):
    """The certificate that a new connection gets."""
    with connect(server, trust_nobody()) as s:
        return s.getpeercert(True)


def trust_nobody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def put(folder, files):
    """The pair moves to where the server reads it, the key a moment before the certificate."""
    for source, name in zip(reversed(files), ("key", "crt")):
        (folder / "new").write_bytes(source.read_bytes())
        os.rename(folder / "new", folder / f"now.{name}")


@pytest.fixture
def pairs(tmp_path):
    pairs = {name: certificate(tmp_path, name) for name in ("one", "two")}
    put(tmp_path, pairs["one"])
    return pairs


def tls_server(folder):
    return Reloading(folder, f"SLUICE_TLS_CERT_FILE={folder}/now.crt\nSLUICE_TLS_KEY_FILE={folder}/now.key\n")


def test_a_new_certificate_for_new_connections(tmp_path, pairs):
    with tls_server(tmp_path) as server:
        kept = http.client.HTTPSConnection("localhost", server.port, context=trust(pairs["one"][0]), timeout=20)
        kept.request("GET", "/api/health")
        assert kept.getresponse().read()
        old = shown(server)
        put(tmp_path, pairs["two"])
        assert 'changed="SLUICE_TLS_CERT SLUICE_TLS_KEY"' in server.reload()
        assert shown(server) != old and ask(server, pairs["two"][0]).status == 200
        socket_before = kept.sock
        kept.request("GET", "/api/health")
        assert kept.getresponse().status == 200 and kept.sock is socket_before, "open ones go on"


def test_a_renewal_is_noticed_and_a_bad_pair_is_not_taken(tmp_path, pairs):
    with tls_server(tmp_path) as server:
        old = shown(server)
        (tmp_path / "now.key").write_bytes(pairs["two"][1].read_bytes())
        line = server.line("event=reload-refused", 20)
        assert "not the key of the first certificate" in line and "PRIVATE" not in line
        assert shown(server) == old and ask(server, pairs["one"][0]).status == 200
        (tmp_path / "now.crt").write_text("nothing")
        until(lambda: len(server.said("event=reload-refused")) == 2, 20)
        assert shown(server) == old
        put(tmp_path, pairs["two"])
        server.line("event=reloaded", 20)
        assert shown(server) != old and ask(server, pairs["two"][0]).status == 200


def test_tls_does_not_begin_or_end_while_it_runs(tmp_path, pairs):
    with Reloading(tmp_path) as server:
        line = server.reload(f"SLUICE_TLS_CERT_FILE={pairs['one'][0]}\nSLUICE_TLS_KEY_FILE={pairs['one'][1]}\n")
        assert 'needs_a_restart="SLUICE_TLS_CERT SLUICE_TLS_KEY"' in line and server.call().status == 200


# ---- the record ----

def test_it_is_recorded_without_values(stack, tmp_path):
    before = len(stack.chain("system"))
    with Reloading(tmp_path, DATABASE_URL=stack.env["DATABASE_URL"], JWT_SECRET=stack.env["JWT_SECRET"]) as server:
        until(lambda: server.call("/api/health/ready").status == 200)
        server.reload(f"SLUICE_LOG_LEVEL=debug\nAPI_SIGNATURE_SECRET={SECRET}hidden\n")
        record = until(lambda: stack.chain("system")[before:])[-1]
        assert (record["action"], record["subject"], record["from"]) == ("settings.reloaded", "settings", "server")
        assert record["actor"] == {"kind": "service", "subject": "sluiced", "issuer": "sluice"}
        assert record["data"] == {"changed": ["SLUICE_LOG_LEVEL"], "needs_restart": ["API_SIGNATURE_SECRET"], "server": socket.gethostname()}
        assert "hidden" not in str(record)
        server.reload()
        assert len(stack.chain("system")) == before + 1, "nothing changed, nothing is recorded"


# ---- issuers ----

def issuers_file(folder, *names):
    file = folder / "issuers.json"
    (folder / "secret").write_text(SECRET)
    file.write_text(json.dumps({"issuers": [
        {"issuer": f"https://{name}.example", "audience": "sluice", "algorithm": "HS256", "key": {"secret_file": "secret"},
         "rules": [{"match": {"role": "reader"}, "kind": "user", "roles": ["viewer"], "apps": ["*"]}]} for name in names]}))
    return file


def test_issuers_are_read_again(tmp_path):
    tokens = {name: jwt.encode({"iss": f"https://{name}.example", "aud": "sluice", "sub": name, "role": "reader", "exp": int(time.time()) + 600,
                                "iat": int(time.time())}, SECRET, "HS256") for name in ("one", "two")}
    file = issuers_file(tmp_path, "one")
    with Reloading(tmp_path, f"SLUICE_ISSUERS_FILE={file}\n") as server:
        def accepted():
            return {name for name, token in tokens.items() if server.call("/api/v1/me", Authorization=f"Bearer {token}").status != 401}
        assert accepted() == {"one"} and "changed=nothing" in server.reload()
        issuers_file(tmp_path, "one", "two")
        assert "changed=SLUICE_ISSUERS_FILE" in server.reload() and accepted() == {"one", "two"}
        issuers_file(tmp_path, "two")
        assert "changed=SLUICE_ISSUERS_FILE" in server.reload() and accepted() == {"two"}, "what was verified before counts no more"
        (tmp_path / "secret").write_text("0" * 40)
        assert "changed=nothing" in server.reload() and accepted() == set(), "its secret is another"
        file.write_text("{}")
        assert "event=reload-refused" in server.reload() and accepted() == set()
        assert "changed=SLUICE_ISSUERS_FILE" in server.reload("# none\n") and accepted() == set()
