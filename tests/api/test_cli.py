"""The command line against a fake server that answers as the API contract says, and misbehaves on demand."""
import hashlib
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ID = "019ab1c2-0000-7000-8000-000000000001"
OTHER = "019ab1c2-0000-7000-8000-000000000002"


def program():
    """The newest build of sluice; SLUICE_BIN names a folder to use instead."""
    folders = [os.environ["SLUICE_BIN"]] if "SLUICE_BIN" in os.environ else \
        [ROOT / "build/bin", *ROOT.glob("build/*/bin")]
    found = [pathlib.Path(f) / "sluice" for f in folders if (pathlib.Path(f) / "sluice").exists()]
    if not found:
        pytest.skip("sluice is not built")
    return str(max(found, key=lambda p: p.stat().st_mtime))


def at(second):
    return f"2026-11-24T12:00:{second:06.3f}Z"


def step(name, state="pending", started=None, ended=None, detail=None):
    return {"name": name, "title": f"Title of {name}", "state": state, "attempt": 1,
            "started_at": started and at(started), "ended_at": ended and at(ended), "detail": detail}


def deployment(state="running", steps=(), failure=None, ended=None, **more):
    return {"id": ID, "app": "inopnc", "environment": "production", "version": "v1.2.3", "strategy": "blue-green",
            "kind": "deploy", "state": state, "reason": None, "created_at": at(1), "started_at": at(1),
            "ended_at": ended and at(ended), "from": {"color": "blue", "version": "v1.2.2", "image": "i:v1.2.2"},
            "to": {"color": "green", "version": "v1.2.3", "image": "i:v1.2.3"}, "current_step": "apply",
            "steps": list(steps), "failure": failure, "acceptance": "not-required", "links": {},
            "requested_by": {"kind": "user", "subject": "ann", "issuer": "sluice"}, **more}


RUNNING = deployment(steps=[step("resolve", "done", 1, 1.1), step("apply", "running", 1.1)])
SUCCEEDED = deployment("succeeded", [step("resolve", "done", 1, 1.1), step("apply", "done", 1.1, 1.5)], ended=15.2)
FAILED = deployment("failed", [step("resolve", "done", 1, 1.1),
                               step("apply", "failed", 1.1, 4.2, "pod inopnc-green-7d9 cannot pull its image")],
                    {"code": "image-pull", "detail": "pod inopnc-green-7d9, container app: the image does not exist",
                     "hint": "push ghcr.io/your-org/inopnc-wm:v1.2.3, then deploy again"}, ended=9)


def record(seq, action, message="Something happened"):
    return {"seq": seq, "prev": "0" * 64, "chain": "inopnc/production", "at": at(seq),
            "actor": {"kind": "ci", "subject": "github", "issuer": "sluice"}, "from": "worker", "action": action,
            "subject": ID, "message": message, "data": {}}


class Api:
    """A server whose answers a test sets: routes[(method, path)] is a list of answers; the last one stays."""

    def __init__(self):
        self.routes, self.requests, self.streams = {}, [], []
        self.lock = threading.Lock()
        self.hung = threading.Event()
        self.otherwise = problem(404, "not-found", "Not found")
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.split("?")[0]
                with api.lock:
                    api.requests.append({"method": self.command, "path": self.path, "body": body.decode(),
                                         "headers": dict(self.headers)})
                    if path.endswith("/records") and self.headers.get("Accept") == "text/event-stream":
                        answer = api.streams.pop(0) if api.streams else (204, [])
                        stream = True
                    else:
                        answers = api.routes.get((self.command, path), [api.otherwise])
                        answer, stream = (answers.pop(0) if len(answers) > 1 else answers[0]), False
                (self.stream if stream else self.answer)(*answer)

            def answer(self, status, body, kind="application/json"):
                if status == "cut":
                    self.close_connection = True
                    return
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                if isinstance(body, dict) and "code" in body and status >= 400:
                    kind = "application/problem+json"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, status, parts):
                """parts: (id, record) pairs, or functions to call in between."""
                if status != 200:
                    self.answer(status, parts if isinstance(parts, dict) else "")
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for part in parts:
                    if callable(part):
                        part()
                        continue
                    text = f": heartbeat\n\nid: {part[0]}\nevent: {part[1]['action']}\ndata: {json.dumps(part[1])}\n\n"
                    self.wfile.write(text.encode())
                    self.wfile.flush()
                self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = serve

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def on(self, method, path, *answers):
        self.routes[(method, "/api/v1" + path)] = [a if isinstance(a, tuple) else (200, a) for a in answers]

    def of(self, method, path):
        return [r for r in self.requests if r["method"] == method and r["path"].split("?")[0] == "/api/v1" + path]

    def close(self):
        self.hung.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def problem(status, code, title, **more):
    return status, {"type": f"/api/docs/errors/{code}", "status": status, "title": title, "code": code, **more}


@pytest.fixture
def api():
    made = Api()
    yield made
    made.close()


def environment(url, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
    env.update({"SLUICE_URL": url, "SLUICE_TOKEN": "token-of-test", "TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
                "XDG_CONFIG_HOME": "/proc/nobody"})  # a folder that no shell can make: nobody's sluice login
    env.update(more)
    return env


def run(url, *words, stdin=None, **env):
    return subprocess.run([program(), *words], input=stdin, text=True, capture_output=True, timeout=30,
                          env=environment(url, **env))


def expect(result, code, out="", err=""):
    assert result.returncode == code, result
    assert out in result.stdout, result
    assert err in result.stderr, result
    return result


# --- the command line itself ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, hint", [
    ([], "Usage: sluice"),
    (["deplyo"], "did you mean 'deploy'?"),
    (["app", "creat"], "did you mean 'app create'?"),
    (["deploy", "a", "b", "c", "--wiat"], "did you mean --wait?"),
    (["deploy", "a", "b"], "deploy wants APP ENV VERSION"),
    (["deploy", "a", "b", "c", "d"], "unexpected 'd'"),
    (["deploy", "a", "b", "c", "--timeout", "soon"], "--timeout wants a duration"),
    (["deploy", "a", "b", "c", "--timeout"], "--timeout wants a value"),
    (["deploy", "a", "b", "c", "--reason", "x", "--reason", "y"], "given twice"),
    (["deploy", "a", "b", "c", "--wait=yes"], "takes no value"),
    (["status", "-x"], "options are long"),
    (["cluster", "create", "local"], "either --kubeconfig-file F or --in-cluster"),
    (["release", "create", "a", "v1"], "--image"),
    (["env", "create", "a", "b"], "--file"),
    (["env", "create", "a", "b", "--file", "/does/not/exist"], "No such file"),
    (["events", "inopnc"], "APP ENV"),
    (["audit", "verify", "/does/not/exist"], "No such file"),
    (["status", "--url", "ftp://x"], "http://"),
    (["rolback", "inopnc", "production"], "did you mean 'rollback'?"),
    (["pormote", ID], "did you mean 'promote'?"),
    (["resolv", ID], "did you mean 'resolve'?"),
    (["traffik", "a", "b", "blue"], "did you mean 'traffic'?"),
    (["rollback", "inopnc"], "APP ENV, or the id of a deployment"),
    (["rollback", "inopnc", "production"], "--reason"),
    (["rollback", ID, "--to", "v1"], "--to belongs to"),
    (["resolve", ID, "--reason", "x"], "--as failed or --as succeeded"),
    (["resolve", ID, "--as", "failed"], "--reason"),
    (["resolve", ID, "--as", "fail", "--reason", "x"], "failed|succeeded, not 'fail'; did you mean failed?"),
    (["traffic", "inopnc", "production", "blue"], "--reason"),
    (["traffic", "inopnc", "production"], "traffic wants APP ENV COLOR"),
    (["deploy", "a", "b", "c", "--promote", "manuel"], "did you mean manual?"),
    (["history", "inopnc", "--limit", "0"], "from 1 to 200"),
    (["history", "inopnc", "--limit", "ten"], "from 1 to 200"),
])
def test_usage_is_2_with_a_hint(words, hint):
    assert hint in expect(run("http://127.0.0.1:1", *words), 2).stderr


def test_help_lists_every_command_and_needs_no_server():
    out = expect(run("http://127.0.0.1:1", "--help"), 0).stdout
    for words in ["app create", "cluster create", "env create", "release create", "deploy", "status", "watch", "abort",
                  "rollback", "traffic", "promote", "pause", "resume", "retry", "cancel", "resolve", "history", "events",
                  "audit verify"]:
        assert words in out
        assert "--json" in expect(run("http://127.0.0.1:1", *words.split(), "--help"), 0).stdout
    assert "env manifests" in expect(run("http://127.0.0.1:1", "env", "--help"), 0).stdout
    assert re.match(r"sluice \d", expect(run("http://127.0.0.1:1", "--version"), 0).stdout)


def test_unreachable_is_4_at_once():
    before = time.monotonic()
    expect(run("http://127.0.0.1:1", "status"), 4, err="does not answer")
    assert time.monotonic() - before < 2
    assert json.loads(run("http://127.0.0.1:1", "status", "--json").stdout)["code"] == "unreachable"


def test_health_needs_no_token_and_is_a_status(api):
    api.routes[("GET", "/api/health")] = [(200, {"status": "healthy"})]
    api.routes[("GET", "/api/health/ready")] = [(503, {"status": "not ready"})]
    assert run(api.url, "health", SLUICE_TOKEN="").stdout == "healthy\n"
    assert expect(run(api.url, "health", "--ready"), 4).stdout == "not ready\n"
    assert json.loads(run(api.url, "health", "--json").stdout) == {"status": "healthy"}
    api.routes[("GET", "/api/health")] = [(200, "<html>", "text/html")]
    expect(run(api.url, "health"), 4, err="not as Sluice does")
    expect(run("http://127.0.0.1:1", "health"), 4, err="does not answer")


def test_a_server_that_is_not_sluice_is_4(api):
    api.on("GET", "/apps/inopnc", (200, "<html>", "text/html"))
    expect(run(api.url, "app", "show", "inopnc"), 4, err="not as Sluice does")


def test_server_failure_is_4(api):
    api.on("GET", "/apps/inopnc", problem(500, "internal", "Internal error"))
    expect(run(api.url, "app", "show", "inopnc"), 4, err="Internal error")


def test_token_goes_out_and_bad_ones_do_not(api, tmp_path):
    api.on("GET", "/apps/inopnc", {"name": "inopnc"})
    run(api.url, "app", "show", "inopnc")
    assert api.requests[0]["headers"]["Authorization"] == "Bearer token-of-test"
    (tmp_path / "token").write_text("from-a-file\n")
    run(api.url, "app", "show", "inopnc", SLUICE_TOKEN="", SLUICE_TOKEN_FILE=str(tmp_path / "token"))
    assert api.requests[1]["headers"]["Authorization"] == "Bearer from-a-file"
    expect(run(api.url, "app", "show", "inopnc", SLUICE_TOKEN="a\r\nX-Evil: 1"), 2, err="SLUICE_TOKEN")
    assert len(api.requests) == 2


# --- resources -----------------------------------------------------------------------------------------------------

def test_app_create(api):
    api.on("PUT", "/apps/inopnc", (201, {"name": "inopnc"}))
    expect(run(api.url, "app", "create", "inopnc", "--image", "ghcr.io/your-org/inopnc-wm", "--owner", "ann",
               "--owner=bob"), 0, out="app inopnc created")
    assert json.loads(api.requests[0]["body"]) == {"image": "ghcr.io/your-org/inopnc-wm", "owners": ["ann", "bob"]}
    assert "If-Match" not in api.requests[0]["headers"]
    assert api.requests[0]["headers"]["Content-Type"] == "application/json"


def test_replacing_takes_force(api):
    api.on("PUT", "/apps/inopnc", problem(428, "precondition-required", "If-Match is required"))
    expect(run(api.url, "app", "create", "inopnc"), 3, err="--force")
    api.on("PUT", "/apps/inopnc", {"name": "inopnc"})
    expect(run(api.url, "app", "create", "inopnc", "--force"), 0)
    assert api.requests[-1]["headers"]["If-Match"] == "*"


def test_cluster_create(api):
    api.on("PUT", "/clusters/local", (201, {"name": "local"}))
    expect(run(api.url, "cluster", "create", "local", "--kubeconfig-file", "kc", "--context", "c"), 0)
    expect(run(api.url, "cluster", "create", "local", "--in-cluster"), 0)
    assert [json.loads(r["body"]) for r in api.requests] == [{"kubeconfig_file": "kc", "context": "c"},
                                                             {"in_cluster": True}]


def test_env_create_sends_the_file_as_it_is(api, tmp_path):
    api.on("PUT", "/apps/inopnc/environments/production", (201, {}))
    text = '{ "cluster": "local",\n  "namespace": "production" }\n'
    expect(run(api.url, "env", "create", "inopnc", "production", "--file", "-", stdin=text), 0,
           out="environment inopnc/production created")
    assert api.requests[0]["body"] == text
    (tmp_path / "env.json").write_text('{\n "cluster": }')
    expect(run(api.url, "env", "create", "inopnc", "production", "--file", str(tmp_path / "env.json")), 2,
           err="line 2")


def test_bad_fields_are_named(api):
    api.on("PUT", "/apps/inopnc/environments/production",
           problem(400, "invalid-body", "The body is not valid", detail="2 fields",
                   errors=[{"field": "/cluster", "code": "required", "detail": "is required"},
                           {"field": "/port", "code": "range", "detail": "must be 1 to 65535"}]))
    err = expect(run(api.url, "env", "create", "inopnc", "production", "--file", "-", stdin="{}"), 3).stderr
    assert "/cluster: is required" in err and "/port: must be 1 to 65535" in err and "invalid-body" in err


def test_manifests_both_ways(api, tmp_path):
    path = "/apps/inopnc/environments/production/manifests"
    api.on("GET", path, (200, "kind: Deployment\n", "application/yaml"))
    api.on("PUT", path, (201, "kind: Service\n", "application/yaml"), (200, "kind: Service\n", "application/yaml"))
    assert expect(run(api.url, "env", "manifests", "inopnc", "production"), 0).stdout == "kind: Deployment\n"
    (tmp_path / "m.yaml").write_text("kind: Service\n")
    words = ["env", "manifests", "inopnc", "production", "--file", str(tmp_path / "m.yaml")]
    expect(run(api.url, *words), 0, out="manifests of inopnc/production created")
    assert json.loads(expect(run(api.url, *words, "--json"), 0).stdout) == {"manifests": "kind: Service\n"}
    assert api.requests[-1]["headers"]["Content-Type"] == "application/yaml"
    assert api.requests[-1]["body"] == "kind: Service\n"


def test_release_create(api):
    api.on("POST", "/apps/inopnc/releases", (201, {"version": "v1.2.3"}))
    expect(run(api.url, "release", "create", "inopnc", "v1.2.3", "--image", "i:v1.2.3", "--notes", "Grüße",
               "--manifests", "-", stdin="kind: Deployment\n"), 0, out="release inopnc v1.2.3 created")
    assert json.loads(api.requests[0]["body"]) == {"version": "v1.2.3", "image": "i:v1.2.3", "notes": "Grüße",
                                                   "manifests": "kind: Deployment\n"}
    api.on("POST", "/apps/inopnc/releases", problem(409, "release-exists", "This version exists with other content"))
    expect(run(api.url, "release", "create", "inopnc", "v1.2.3", "--image", "x"), 3, err="new version number")


def test_lists_follow_their_cursors(api):
    api.on("GET", "/apps", {"items": [{"name": "one", "owners": ["ann"]}], "next_cursor": "a&b=c"},
           {"items": [{"name": "two"}], "next_cursor": None})
    out = expect(run(api.url, "app", "list"), 0).stdout
    assert re.search(r"^APP .*\n^one .*ann.*\n^two ", out, re.M)
    assert "cursor=a%26b%3Dc" in api.requests[1]["path"]


def test_names_cannot_leave_their_segment(api):
    run(api.url, "app", "show", "../clusters/x?y#z")
    assert api.requests[0]["path"] == "/api/v1/apps/..%2Fclusters%2Fx%3Fy%23z"


def test_terminal_orders_in_answers_are_harmless(api):
    api.on("GET", "/apps", {"items": [{"name": "\u001b[2Jevil\u009b", "description": "a\nb"}], "next_cursor": None})
    out = expect(run(api.url, "app", "list"), 0).stdout
    assert "\x1b" not in out and "\x9b" not in out and "evil" in out and "a b" in out


# --- status --------------------------------------------------------------------------------------------------------

def test_status_of_one_and_of_a_deployment(api):
    status = {"active": {"color": "blue", "version": "v1.2.2", "image": "i:v1.2.2", "ready": 3, "since": at(0)},
              "previous": {"color": "green", "version": "v1.2.1"}, "deployment": ID, "drift": ["image changed by hand"]}
    api.on("GET", "/apps/inopnc/environments/production", {"name": "production", "status": status})
    api.on("GET", f"/deployments/{ID}", RUNNING)
    out = expect(run(api.url, "status", "inopnc", "production"), 0).stdout
    for text in ["v1.2.2 (blue), 3 ready", "v1.2.1 (green)", "image changed by hand", "resolve", "running"]:
        assert text in out
    assert "inopnc/production: v1.2.2 (blue) → v1.2.3 (green)" in expect(run(api.url, "status", ID), 0).stdout


def test_status_says_what_was_waived_for_what_serves(api):
    waiver = {"item": "certificates", "checklist": "before", "reason": "renewed \x1b[31mtomorrow", "role": "operator",
              "by": {"kind": "user", "subject": "ann", "issuer": "sluice"}, "at": at(0), "expires_at": at(30)}
    status = {"active": {"color": "green", "version": "v1.2.3", "ready": 3}, "previous": None, "deployment": None, "drift": []}
    api.on("GET", "/apps/inopnc/environments/production", {"name": "production", "status": status})
    api.on("GET", "/deployments", {"items": [SUCCEEDED], "next_cursor": None})
    api.on("GET", f"/deployments/{ID}", {**SUCCEEDED, "waivers": [waiver]})
    line = "waived:     certificates (before), by ann as operator: renewed"
    for words in (("inopnc", "production"), (ID,)):
        out = expect(run(api.url, "status", *words), 0).stdout
        assert line in out and "\x1b" not in out, out
    asked = api.of("GET", "/deployments")[0]
    assert {"app=inopnc", "environment=production", "version=v1.2.3", "state=succeeded"} <= set(asked["path"].split("?")[1].split("&"))
    api.on("GET", "/deployments", problem(400, "invalid-query", "No version"))  # what serves is no version of ours
    assert "waived" not in expect(run(api.url, "status", "inopnc", "production"), 0).stdout


def test_status_says_what_acceptance_is_still_to_come(api):
    status = {"active": {"color": "green", "version": "v1.2.3", "ready": 3}, "previous": None, "deployment": None, "drift": []}
    api.on("GET", "/apps/inopnc/environments/production", {"name": "production", "status": status})
    api.on("GET", "/deployments", {"items": [SUCCEEDED], "next_cursor": None})
    for said, line, way in (("pending", "acceptance: pending, waits for qa, final", f"sluice signoff approve --deployment {ID} --role ROLE"),
                            ("rejected", "acceptance: rejected", f"sluice signoff list --deployment {ID}")):
        more = {"acceptance_awaits": ["qa", "final"]} if said == "pending" else {}
        api.on("GET", f"/deployments/{ID}", {**SUCCEEDED, "acceptance": said, **more})
        for words in (("inopnc", "production"), (ID,)):
            out = expect(run(api.url, "status", *words), 0).stdout
            assert line in out.splitlines() and way in out, out
    for settled in ({"acceptance": "accepted"}, {"acceptance": "pending", "rolled_back_by": OTHER}, {"acceptance": "pending", "state": "failed"}):
        api.on("GET", f"/deployments/{ID}", {**SUCCEEDED, **settled})
        assert "acceptance" not in run(api.url, "status", ID).stdout


# --- deploying -----------------------------------------------------------------------------------------------------

def test_deploy_says_how_to_go_on(api):
    api.on("POST", "/deployments", (202, RUNNING))
    out = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--reason", "release day"), 0).stdout
    assert f"sluice watch {ID}" in out and f"sluice abort {ID}" in out
    sent = api.requests[0]
    assert json.loads(sent["body"]) == {"app": "inopnc", "environment": "production", "version": "v1.2.3",
                                        "reason": "release day"}
    assert re.fullmatch(r"[0-9a-f-]{36}", sent["headers"]["Idempotency-Key"])
    run(api.url, "deploy", "inopnc", "production", "v1.2.3")
    assert api.requests[1]["headers"]["Idempotency-Key"] != sent["headers"]["Idempotency-Key"]


def test_deploy_survives_a_lost_answer_without_a_second_deployment(api):
    api.on("POST", "/deployments", ("cut", ""), problem(503, "overloaded", "Too much work at once"), (202, RUNNING))
    expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--idempotency-key", "build-7"), 0)
    sent = api.of("POST", "/deployments")
    assert [r["headers"]["Idempotency-Key"] for r in sent] == ["build-7"] * 3


def test_a_key_of_its_own_makes_a_deployment_of_unknown_fate_safe_to_repeat(api):
    api.on("POST", "/deployments", ("cut", ""), ("cut", ""), (202, RUNNING))
    expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3"), 0, out=ID)
    assert len({r["headers"]["Idempotency-Key"] for r in api.requests}) == 1 and len(api.requests) == 3
    api.on("POST", "/deployments", ("cut", ""))
    err = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3"), 4, err="may have been carried out").stderr
    assert f"--idempotency-key {api.requests[-1]['headers']['Idempotency-Key']}" in err


def test_a_verb_of_unknown_fate_is_sent_once(api):
    for verb in ("abort", "promote", "pause", "resume", "retry", "cancel"):
        api.on("POST", f"/deployments/{ID}/{verb}", ("cut", ""))
        expect(run(api.url, verb, ID), 4, err="may have been carried out")
        assert len(api.of("POST", f"/deployments/{ID}/{verb}")) == 1


PLAN = {"steps": [{"name": "resolve", "title": "Find out what serves"}, {"name": "apply", "title": "Apply it"}], "gates": [],
        "changes": [{"verb": "apply", "kind": "Deployment", "name": "inopnc-green",
                     "before": {"kind": "Deployment", "apiVersion": "apps/v1", "status": {"replicas": 3},
                                "metadata": {"name": "inopnc-green", "uid": "u1", "resourceVersion": "7", "labels": {"app": "inopnc"}},
                                "spec": {"replicas": 0, "paused": False, "revisionHistoryLimit": 10,
                                         "template": {"spec": {"containers": [{"name": "app", "image": "i:v1.2.2",
                                                                               "env": [{"name": "PORT", "value": "3000"}]}]}}}},
                     "after": {"apiVersion": "apps/v1", "kind": "Deployment",
                               "metadata": {"name": "inopnc-green", "labels": {"app": "inopnc"}},
                               "spec": {"replicas": 3, "paused": False, "revisionHistoryLimit": 10,
                                        "template": {"spec": {"containers": [{"image": "i:v1.2.3", "name": "app",
                                                                              "env": [{"name": "PORT", "value": "3000"}]}]}}}}},
                    {"verb": "create", "kind": "ConfigMap", "name": "evil\u001b[2J", "before": None,
                     "after": {"kind": "ConfigMap", "data": {"a": "one\ntwo\u001b[2J\n"}}},
                    {"verb": "patch", "kind": "Service", "name": "inopnc-prod", "before": {"kind": "Service"},
                     "after": {"kind": "Service"}}]}


def test_dry_run_is_a_unified_diff(api):
    api.on("POST", "/deployments", (200, PLAN))
    out = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run"), 0).stdout
    assert json.loads(api.requests[0]["body"])["dry_run"] is True and "Idempotency-Key" not in api.requests[0]["headers"]
    lines = out.splitlines()
    for line in ("  resolve               Find out what serves", "apply Deployment inopnc-green",
                 "--- Deployment inopnc-green as it is", "+++ Deployment inopnc-green as it would be", "-  replicas: 0",
                 "+  replicas: 3", "-        image: i:v1.2.2", "+        image: i:v1.2.3", '           value: "3000"',
                 "--- ConfigMap evil [2J (none)", "+  a: |", "+    one", "+    two [2J", "  no difference",
                 "Nothing was changed: this was a dry run."):
        assert line in lines, (line, out)
    assert "status" not in out and "resourceVersion" not in out and "uid" not in out and "\x1b" not in out
    assert json.loads(expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run", "--json"), 0).stdout) == PLAN
    expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run", "--wait"), 2, err="--dry-run")


def test_dry_run_that_would_fail(api):
    api.on("POST", "/deployments", problem(409, "wrong-state", "Not possible", detail="The deployment would fail: quota",
                                           failure={"code": "quota", "detail": "quota", "hint": "Ask for more."}))
    expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run"), 3, err="what to do: Ask for more.")


def test_dry_run_says_where_in_the_object(api):
    was = {"kind": "Deployment", "spec": {"a1": 1, "a2": 2, "a3": 3, "a4": 4, "template": {"spec": {"containers": [
        {"name": "app", "args": ["a", "b", "c", "d", "e"], "b1": 1, "b2": 2, "b3": 3, "image": "i:1"}]}}}}
    now = json.loads(json.dumps(was).replace("i:1", "i:2"))
    api.on("POST", "/deployments", (200, {"steps": [], "gates": [{"gate": "freeze", "open": False, "why": "release week"}],
                                          "changes": [{"verb": "apply", "kind": "Deployment", "name": "d", "before": was,
                                                       "after": now}]}))
    out = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run"), 0).stdout
    assert "@@ spec.template.spec.containers @@" in out.splitlines(), out
    assert "- freeze: release week" in out


def test_busy_names_the_active_one(api):
    api.on("POST", "/deployments", problem(409, "environment-busy", "Another deployment is active", deployment=ID))
    err = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait"), 3).stderr
    assert f"sluice watch {ID}" in err and f"sluice abort {ID}" in err


def waiting(api, end, *parts):
    """A deployment that runs until its stream has brought the parts."""
    api.on("POST", "/deployments", (202, RUNNING))
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.streams.append((200, [("1", record(1, "deployment.started")), *parts,
                              lambda: api.on("GET", f"/deployments/{ID}", end),
                              ("9", record(9, "deployment.ended"))]))


@pytest.mark.parametrize("end, code, texts", [
    (SUCCEEDED, 0, ["step apply done 0.4 s", "succeeded after 14.2 s", "v1.2.3 (green) serves inopnc/production"]),
    (FAILED, 1, ["step apply failed 3.1 s: pod inopnc-green-7d9 cannot pull its image", "failed after 8.0 s: image-pull",
                 "the image does not exist", "What to do:", "push ghcr.io/your-org",
                 "v1.2.2 (blue) serves inopnc/production"]),
    (deployment("aborted", failure={"code": "aborted", "detail": "by ann"}, ended=3), 1, ["aborted", "by ann"]),
    (deployment("rolled_back", ended=3, rolled_back_by=OTHER), 1, ["rolled_back", f"sluice watch {OTHER}"]),
    (deployment("stuck", failure={"code": "history-lost", "detail": "d", "hint": "h"}), 1,
     ["stuck", "What to do:", f"sluice retry {ID}", f"sluice resolve {ID} --as failed", f"sluice abort {ID}"]),
])
def test_wait_in_a_pipe_is_plain_lines(api, end, code, texts):
    waiting(api, end)
    out = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait"), code).stdout
    assert "12:00:01 step resolve done 0.1 s" in out
    assert "\x1b" not in out
    for text in texts:
        assert text in out, out


def test_wait_with_json_is_one_document(api):
    waiting(api, SUCCEEDED)
    result = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait", "--json"), 0)
    assert json.loads(result.stdout)["state"] == "succeeded"
    assert len(result.stdout.splitlines()) == 1


def test_watch_with_json_is_records(api):
    waiting(api, FAILED)
    result = expect(run(api.url, "watch", ID, "--json"), 1)
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [1, 9]


def test_timeout_is_5_and_the_deployment_goes_on(api):
    api.on("POST", "/deployments", (202, RUNNING))
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.streams.append((200, [("1", record(1, "x")), lambda: api.hung.wait(20)]))
    err = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait", "--timeout", "1s"), 5).stderr
    assert "goes on" in err and f"sluice watch {ID}" in err


def test_watch_reconnects_where_it_was(api):
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.streams += [(200, [("a1", record(1, "one"))]), (503, problem(503, "overloaded", "Busy")[1]),
                    (200, [("a2", record(2, "two")), lambda: api.on("GET", f"/deployments/{ID}", SUCCEEDED)])]
    result = expect(run(api.url, "watch", ID, "--json"), 0)
    assert [json.loads(line)["action"] for line in result.stdout.splitlines()] == ["one", "two"]
    ids = [r["headers"].get("Last-Event-ID") for r in api.of("GET", f"/deployments/{ID}/records")]
    assert ids == [None, "a1", "a1", "a2"]


def test_watch_polls_where_there_is_no_stream(api):
    api.on("GET", f"/deployments/{ID}", RUNNING, RUNNING, SUCCEEDED)
    api.streams += [(406, problem(406, "not-acceptable", "Not acceptable")[1])] * 9
    expect(run(api.url, "watch", ID), 0, out="succeeded")


def test_watch_of_nothing_is_3(api):
    expect(run(api.url, "watch", ID), 3, err="Not found")


def test_watch_of_what_is_over_ends_at_once(api):
    api.on("GET", f"/deployments/{ID}", FAILED)
    expect(run(api.url, "watch", ID), 1, out="image-pull")


def test_abort_says_what_serves(api):
    api.on("POST", f"/deployments/{ID}/abort", deployment("aborted", ended=5))
    expect(run(api.url, "abort", ID, "--reason", "errors"), 0, out="v1.2.2 (blue) serves inopnc/production")
    assert json.loads(api.requests[0]["body"]) == {"reason": "errors"}
    api.on("POST", f"/deployments/{ID}/abort", deployment("undoing"))
    expect(run(api.url, "abort", ID), 0, out="confirmed: v1.2.2 (blue) serves inopnc/production; the rest")
    api.on("POST", f"/deployments/{ID}/abort",
           problem(409, "wrong-state", "Not possible in this state", state="succeeded", allowed=["rollback"]))
    expect(run(api.url, "abort", ID), 3, err="it is succeeded; possible now: rollback")
    api.on("POST", f"/deployments/{ID}/abort", problem(504, "not-confirmed", "Not confirmed yet"))
    expect(run(api.url, "abort", ID), 5, err="the work goes on")


# --- the other verbs -----------------------------------------------------------------------------------------------

PAUSED = deployment("paused", [step("apply", "done", 1, 2), step("promote", "waiting", 2, None, "waits for a person")])
STOPPED = deployment("paused", [step("apply", "done", 1, 2), step("promote", "pending")])
ROLLBACK_STEPS = [step("prepare", "done", 1.01, 1.02), step("switch-traffic", "done", 1.02, 1.03)]

AT_ONCE = [step("prepare", "done", 1, 1.001), step("switch-traffic", "done", 1.001, 1.001)] # the fake server is fast


def rollback(state="running", steps=ROLLBACK_STEPS, **more):
    return deployment(state, steps, **{
        "id": OTHER, "kind": "rollback", "version": "v1.2.2", "rollback_of": ID, "reason": "errors in checkout",
        "from": {"color": "green", "version": "v1.2.3", "image": "i"}, "to": {"color": "blue", "version": "v1.2.2", "image": "i"},
        **more})


@pytest.mark.parametrize("words, body, answer, out", [
    (["promote", ID, "--reason", "looks good"], {"reason": "looks good"}, RUNNING, "v1.2.3 is promoted; it is running"),
    (["pause", ID], {}, RUNNING, "stops before its next step"),
    (["resume", ID], {}, RUNNING, f"sluice watch {ID}"),
    (["retry", ID], {}, deployment("undoing"), "tries again; it is undoing"),
    (["cancel", ID], {}, deployment("canceled"), "will not begin; it is canceled"),
    (["resolve", ID, "--as", "failed", "--reason", "looked"], {"as": "failed", "reason": "looked"}, FAILED, "is resolved; it is failed"),
])
def test_verbs(api, words, body, answer, out):
    api.on("POST", f"/deployments/{ID}/{words[0]}", answer)
    expect(run(api.url, *words), 0, out=out)
    assert json.loads(api.requests[0]["body"]) == body
    assert json.loads(expect(run(api.url, *words, "--json"), 0).stdout)["id"] == ID
    api.on("POST", f"/deployments/{ID}/{words[0]}", problem(409, "wrong-state", "Not possible in this state", state="running",
                                                            allowed=["pause", "abort"]))
    expect(run(api.url, *words), 3, err="it is running; possible now: pause, abort")
    assert json.loads(expect(run(api.url, *words, "--json"), 3).stdout)["code"] == "wrong-state"


def test_promote_and_wait(api):
    waiting(api, SUCCEEDED)
    api.on("POST", f"/deployments/{ID}/promote", RUNNING)
    expect(run(api.url, "promote", ID, "--wait"), 0, out="v1.2.3 (green) serves")


def test_waiting_for_a_person_says_for_what_and_how(api):
    for stands, wait, command in [(PAUSED, "it waits to be promoted", "promote"), (STOPPED, "it waits to be resumed", "resume")]:
        api.on("GET", f"/deployments/{ID}", stands)
        api.streams = [(200, [("1", record(1, "x")), lambda: api.hung.wait(20)])]
        out = expect(run(api.url, "watch", ID, "--timeout", "1s"), 5).stdout
        assert wait in out and f"  sluice {command} {ID} " in out and f"  sluice abort {ID} " in out
        assert out.count(wait) == 1
        assert wait in expect(run(api.url, "status", ID), 0).stdout


def test_manual_promotion_is_asked_for(api):
    api.on("POST", "/deployments", (202, RUNNING))
    expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--promote", "manual"), 0)
    assert json.loads(api.requests[0]["body"])["params"] == {"promote": "manual"}


def test_taken_over_says_by_whom_and_why(api):
    api.on("GET", f"/deployments/{ID}", deployment("rolled_back", ended=3, rolled_back_by=OTHER))
    api.on("GET", f"/deployments/{OTHER}", rollback())
    out = expect(run(api.url, "watch", ID), 1).stdout
    assert "Rolled back to v1.2.2 by ann: errors in checkout; the rollback is running" in out and f"sluice watch {OTHER}" in out
    api.on("GET", f"/deployments/{ID}", deployment("succeeded", ended=3, rolled_back_by=OTHER))
    assert "until it was rolled back" in expect(run(api.url, "status", ID), 0).stdout


def test_a_stuck_rollback_is_not_aborted(api):
    api.on("GET", f"/deployments/{OTHER}", rollback("stuck", failure={"code": "third-party-change", "detail": "d", "hint": "h"}))
    out = expect(run(api.url, "watch", OTHER), 1).stdout
    assert f"sluice retry {OTHER}" in out and "sluice abort" not in out


def test_rollback_of_an_environment(api):
    path = "/apps/inopnc/environments/production/rollback"
    api.on("POST", path, rollback(steps=AT_ONCE))
    out = expect(run(api.url, "rollback", "inopnc", "production", "--reason", "errors in checkout"), 0).stdout
    assert re.search(r"^confirmed at \d\d:\d\d:\d\d, after \d+ ms: v1.2.2 \(blue\) serves inopnc/production, not v1.2.3 \(green\)$",
                     out, re.M), out
    assert f"sluice watch {OTHER}" in out
    assert json.loads(api.requests[0]["body"]) == {"reason": "errors in checkout"}
    run(api.url, "rollback", "inopnc", "production", "--to", "v1.2.0", "--reason", "x")
    assert json.loads(api.requests[1]["body"]) == {"reason": "x", "to": "v1.2.0"}
    assert json.loads(run(api.url, "rollback", "inopnc", "production", "--reason", "x", "--json").stdout)["id"] == OTHER


def test_a_second_rollback_says_that_there_is_nothing_to_do(api):
    api.on("POST", "/apps/inopnc/environments/production/rollback",
           rollback("succeeded", [step("prepare", "done", 1, 20), step("switch-traffic", "done", 20, 20.1)], ended=21))
    out = expect(run(api.url, "rollback", "inopnc", "production", "--reason", "x"), 0).stdout
    assert "nothing to do: v1.2.2 (blue) serves inopnc/production since 12:00:20" in out
    assert "by ann: errors in checkout" in out and OTHER in out


def test_rollback_of_a_deployment_and_wait(api):
    api.on("POST", f"/deployments/{ID}/rollback", rollback(steps=AT_ONCE))
    api.on("GET", f"/deployments/{OTHER}", rollback("succeeded", ended=1.05))
    out = expect(run(api.url, "rollback", ID, "--wait"), 0).stdout
    assert "confirmed at" in out and "step switch-traffic done 10 ms" in out and "succeeded after" in out and ", rollback  " in out
    assert json.loads(api.requests[0]["body"]) == {}
    document = json.loads(expect(run(api.url, "rollback", ID, "--wait", "--json"), 0).stdout)
    assert (document["id"], document["state"]) == (OTHER, "succeeded")


def test_rollback_that_is_not_confirmed_yet(api):
    path = "/apps/inopnc/environments/production/rollback"
    api.on("POST", path, problem(504, "not-confirmed", "Not confirmed yet", state="running", deployment=rollback(),
                                 seen={"active": {"version": "v1.2.3", "color": "green"}}))
    words = ["rollback", "inopnc", "production", "--reason", "x"]
    err = expect(run(api.url, *words), 5, err="the work goes on").stderr
    assert "seen serving:  v1.2.3 (green)" in err and f"sluice watch {OTHER}" in err
    api.on("GET", f"/deployments/{OTHER}", rollback("succeeded", ended=9))
    expect(run(api.url, *words, "--wait"), 0, out="v1.2.2 (blue) serves", err="Not confirmed yet")
    assert json.loads(expect(run(api.url, *words, "--wait", "--json"), 0).stdout)["state"] == "succeeded"
    api.on("POST", path, problem(504, "not-confirmed", "Not confirmed yet", state="stuck", deployment=rollback("stuck")))
    err = expect(run(api.url, *words), 1).stderr
    assert f"sluice status {OTHER}" in err and "goes on" not in err
    api.on("POST", f"/deployments/{ID}/abort", problem(504, "not-confirmed", "Not confirmed yet", state="stuck"))
    expect(run(api.url, "abort", ID), 1)


@pytest.mark.parametrize("path, words", [
    ("/apps/inopnc/environments/production/rollback", ["rollback", "inopnc", "production", "--to", "v1.2.2", "--reason", "x"]),
    (f"/deployments/{ID}/rollback", ["rollback", ID]),
    ("/apps/inopnc/environments/production/traffic", ["traffic", "inopnc", "production", "blue", "--reason", "x"]),
])
def test_moving_traffic_survives_a_lost_answer(api, path, words):
    own = {"reason": "x"} if "x" in words else {}  # the server keeps the reason that was given
    api.on("POST", path, ("cut", ""), problem(503, "overloaded", "Busy"), rollback(steps=AT_ONCE, **own))
    expect(run(api.url, *words), 0, out="confirmed")
    assert len(api.requests) == 3 and len({r["headers"]["Idempotency-Key"] for r in api.requests}) == 1


def test_traffic(api):
    path = "/apps/inopnc/environments/production/traffic"
    api.on("POST", path, deployment(kind="traffic", id=OTHER))
    expect(run(api.url, "traffic", "inopnc", "production", "green", "--reason", "by hand"), 0,
           out="v1.2.3 (green) serves inopnc/production, not v1.2.2 (blue)")
    assert json.loads(api.requests[0]["body"]) == {"color": "green", "reason": "by hand"}
    api.on("POST", path, problem(409, "no-capacity", "Too few pods"))
    expect(run(api.url, "traffic", "inopnc", "production", "green", "--reason", "x"), 3, err="ready pods")


def test_history(api):
    api.on("GET", "/deployments", {"items": [rollback("succeeded", ended=1.5), deployment("succeeded", ended=15, rolled_back_by=OTHER),
                                             RUNNING], "next_cursor": "more"})
    out = expect(run(api.url, "history", "inopnc", "production"), 0).stdout.splitlines()
    assert api.requests[0]["path"] == "/api/v1/deployments?app=inopnc&environment=production&limit=20"
    assert re.match(r"WHEN +VERSION +KIND +STATE +TOOK +BY +DEPLOYMENT +ROLLED BACK BY +REASON$", out[0])
    assert re.match(rf"2026-11-24 12:00:01 +v1.2.2 +rollback +succeeded +0.5 s +ann +{OTHER} +- +errors in checkout$", out[1])
    assert re.match(rf"2026-11-24 12:00:01 +v1.2.3 +deploy +succeeded +14.0 s +ann +{ID} +{OTHER} +-$", out[2])
    assert re.search(r" running .* \+ +ann", out[3])
    run(api.url, "history", "inopnc", "--limit", "7")
    assert api.requests[1]["path"] == "/api/v1/deployments?app=inopnc&limit=7"
    assert len(json.loads(run(api.url, "history", "inopnc", "--json").stdout)) == 3
    api.on("GET", "/deployments", {"items": [], "next_cursor": None})
    expect(run(api.url, "history", "inopnc"), 0, err="none")


def test_history_says_what_is_not_accepted(api):
    api.on("GET", "/deployments", {"items": [
        deployment("succeeded", ended=15, acceptance="pending"), deployment("succeeded", ended=15, acceptance="rejected"),
        deployment("succeeded", ended=15, acceptance="accepted"), deployment("failed", ended=15, acceptance="pending")], "next_cursor": None})
    out = expect(run(api.url, "history", "inopnc", "production"), 0).stdout.splitlines()
    assert re.match(r"WHEN +VERSION +KIND +STATE +ACCEPTANCE +TOOK +BY ", out[0])
    assert [re.search(r"(?:succeeded|failed) +(\S+) +14.0 s", line).group(1) for line in out[1:]] == ["pending", "rejected", "-", "-"]


def test_interrupt_says_that_it_goes_on(api):
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.streams.append((200, [lambda: api.hung.wait(20)]))
    process = subprocess.Popen([program(), "watch", ID], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(api.url))
    assert "deployment" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "goes on" in err and f"sluice abort {ID}" in err


# --- on a terminal -------------------------------------------------------------------------------------------------

def on_terminal(url, *words, columns=80, rows=24, end=None, **env):
    """Runs on a pseudo-terminal; returns what was written and the exit code."""
    import fcntl
    import struct
    import termios
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([program(), *words], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=environment(url, TERM="xterm", **env))
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
        if end and end(written):
            end = None
    os.close(ours)
    return written.decode(), process.wait(10)


def final_screen(text):
    """The lines that a terminal shows in the end: enough of one for what we write."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            row += 1
        elif part == "\r":
            column = 0
        elif part.startswith("\x1b["):
            number = int(re.sub(r"\D", "", part) or 0)
            if part.endswith("A"):
                row -= number or 1
            elif part.endswith("J"):
                lines[row:] = [lines[row][:column] if row < len(lines) else ""]
            elif part.endswith("K"):
                lines[row] = lines[row][:column]
        else:
            lines[row] = lines[row][:column] + part + lines[row][column + len(part):]
            column += len(part)
        while row >= len(lines):
            lines.append("")
    return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_terminal_draws_in_place_and_fits(api, columns):
    waiting(api, FAILED)
    text, code = on_terminal(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait", columns=columns)
    assert code == 1
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    shown = final_screen(text)
    assert sum("resolve" in line for line in shown) == 1
    assert any("✓ resolve" in line for line in shown) and any("✗ apply" in line for line in shown)
    assert any("image-pull" in line for line in shown) and any("What to do:" in line for line in shown)
    assert all(len(line) < columns for line in shown), shown
    assert "\x1b[31m" in text


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_what_waits_for_a_person_fits_too(api, columns):
    api.on("GET", f"/deployments/{ID}", PAUSED)
    api.streams.append((200, [("1", record(1, "x")), lambda: api.hung.wait(20)]))
    text, code = on_terminal(api.url, "watch", ID, "--timeout", "1s", columns=columns)
    assert code == 5
    shown = final_screen(text.split("The time to wait")[0])
    assert sum("waits to be promoted" in line for line in shown) == 1, shown
    assert sum(f"sluice promote" in line for line in shown) == 1 and all(len(line) < columns for line in shown), shown


def test_dry_run_is_coloured_on_a_terminal(api):
    api.on("POST", "/deployments", (200, PLAN))
    text, code = on_terminal(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run")
    assert code == 0 and "\x1b[31m-  replicas: 0\x1b[0m" in text and "\x1b[32m+  replicas: 3\x1b[0m" in text
    text, _ = on_terminal(api.url, "deploy", "inopnc", "production", "v1.2.3", "--dry-run", NO_COLOR="1")
    assert "\x1b[3" not in text


def test_no_color_is_honoured(api):
    waiting(api, SUCCEEDED)
    text, code = on_terminal(api.url, "watch", ID, NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[\d*m", text)


def test_low_terminal_shows_what_moves(api):
    steps = [step(f"step-{i:02}", "done", 1, 2) for i in range(20)] + [step("the-moving-one", "running", 2)]
    api.on("GET", f"/deployments/{ID}", deployment(steps=steps))
    api.streams.append((200, [("1", record(1, "x")), lambda: api.hung.wait(20)]))
    done = deployment("succeeded", steps, ended=20)
    text, code = on_terminal(
        api.url, "watch", ID, rows=12,
        end=lambda seen: b"the-moving-one" in seen and (api.on("GET", f"/deployments/{ID}", done) or True))
    assert code == 0
    first = text.split("the-moving-one")[0]
    assert "step-00" not in first and "step-19" in first


# --- events --------------------------------------------------------------------------------------------------------

def test_events_pages_and_stream(api):
    path = "/apps/inopnc/environments/production/records"
    api.on("GET", path, {"items": [record(1, "environment.put", "Created")], "next_cursor": None})
    expect(run(api.url, "events", "inopnc", "production"), 0, out="12:00:01 environment.put by github: Created")
    run(api.url, "events", "inopnc", "production", "--since-id", "a&b")
    assert api.requests[-1]["path"] == f"/api/v1{path}?cursor=a%26b&limit=200"
    api.streams += [(200, [("7", record(2, "deployment.created"))])]
    out = expect(run(api.url, "events", "inopnc", "production", "--follow", "--since-id", "6", "--json"), 0).stdout
    assert json.loads(out)["action"] == "deployment.created"
    streams = [r for r in api.requests if r["headers"]["Accept"] == "text/event-stream"]
    assert [r["headers"]["Last-Event-ID"] for r in streams] == ["6", "7"]


def test_reader_that_goes_away_ends_it(api):
    api.streams.append((200, [(str(i), record(i, "x")) for i in range(1, 50)] * 40 + [lambda: api.hung.wait(20)]))
    result = subprocess.run(f"{program()} events inopnc production --follow | head -1", shell=True, text=True,
                            capture_output=True, timeout=10, env=environment(api.url))
    assert len(result.stdout.splitlines()) == 1


# --- the audit chain -----------------------------------------------------------------------------------------------

def chain(n, name="inopnc/production", first=1, prev="0" * 64):
    lines = []
    for seq in range(first, first + n):
        line = json.dumps({"seq": seq, "prev": prev, "chain": name, "at": at(1), "actor": {}, "from": "worker",
                           "action": "x", "subject": "s", "message": f"m{seq} Grüße", "data": {}}, ensure_ascii=False)
        prev = hashlib.sha256(line.encode()).hexdigest()
        lines.append(line)
    return lines, prev


def swap(lines, a, b):
    lines[a], lines[b] = lines[b], lines[a]


def forged(lines, i, **change):
    return json.dumps({**json.loads(lines[i]), **change}, ensure_ascii=False)


def inserted_after(lines, i):
    """A record that links to its predecessor and takes the next number."""
    before = hashlib.sha256(lines[i].encode()).hexdigest()
    return forged(lines, i, seq=i + 2, prev=before, message="forged")


@pytest.mark.parametrize("spoil, line, kind", [
    (lambda l: l.__setitem__(4, l[4].replace("m5", "m6")), 5, "changed"),
    (lambda l: l.__setitem__(0, l[0].replace("m1", "m2")), 1, "changed"),
    (lambda l: l.__setitem__(4, l[4].replace('"seq": 5', '"seq":  5')), 5, "changed"),
    (lambda l: l.__setitem__(4, forged(l, 4, prev="a" * 64)), 5, "changed"),
    (lambda l: l.__setitem__(0, forged(l, 0, prev="a" * 64)), 1, "changed"),
    (lambda l: l.pop(4), 5, "removed"),
    (lambda l: l.__delitem__(slice(4, 7)), 5, "removed"),
    (lambda l: l.insert(5, l[4]), 6, "inserted"),
    (lambda l: l.insert(5, inserted_after(l, 4)), 6, "inserted"),
    (lambda l: swap(l, 4, 5), 5, "re-ordered"),
    (lambda l: swap(l, 2, 8), 3, "re-ordered"),
    (lambda l: l.__setitem__(4, "{"), 5, "not-a-record"),
    (lambda l: l.__setitem__(9, l[9][:20]), 10, "cut"),
    (lambda l: l.__setitem__(4, forged(l, 4, chain="system")), 5, "other-chain"),
    (lambda l: l.clear(), None, "cut"),
])
def test_audit_verify_says_what_is_wrong_where(tmp_path, spoil, line, kind):
    lines, _ = chain(10)
    spoil(lines)
    file = tmp_path / "chain"
    file.write_text("".join(text + "\n" for text in lines))
    found = json.loads(expect(run("http://127.0.0.1:1", "audit", "verify", str(file), "--json"), 1).stdout)
    assert found["ok"] is False
    assert (found["problem"]["line"], found["problem"]["kind"]) == (line, kind), found
    out = expect(run("http://127.0.0.1:1", "audit", "verify", str(file)), 1).stdout
    assert kind in out and (line is None or f"line {line}:" in out)


def test_audit_verify_of_a_whole_chain(tmp_path):
    lines, head = chain(10)
    file = tmp_path / "chain"
    file.write_text("".join(text + "\n" for text in lines))
    out = expect(run("http://127.0.0.1:1", "audit", "verify", str(file), "--head", head), 0).stdout
    assert "10 records, 1 to 10" in out and head in out
    older = hashlib.sha256(lines[6].encode()).hexdigest()
    expect(run("http://127.0.0.1:1", "audit", "verify", str(file), "--head", older.upper()), 0, out="3 records are newer")
    file.write_text("".join(text + "\n" for text in lines[:8]))
    expect(run("http://127.0.0.1:1", "audit", "verify", str(file)), 0)
    expect(run("http://127.0.0.1:1", "audit", "verify", str(file), "--head", head), 1, out="cut off")
    expect(run("http://127.0.0.1:1", "audit", "verify", str(file), "--head", "xyz"), 2)
    file.write_text("\n".join(lines[3:]))
    expect(run("http://127.0.0.1:1", "audit", "verify", str(file)), 0, out="4 to 10")


def test_audit_verify_from_standard_input():
    lines, _ = chain(3)
    expect(run("http://127.0.0.1:1", "audit", "verify", "-", stdin="\n".join(lines) + "\n"), 0)


def test_audit_export_takes_all_pages_and_verifies(api, tmp_path):
    lines, head = chain(10)
    api.on("GET", "/audit", (200, "".join(x + "\n" for x in lines[:6]), "application/x-ndjson"),
           (200, "".join(x + "\n" for x in lines[6:]), "application/x-ndjson"), (200, "", "application/x-ndjson"))
    api.on("GET", "/audit/chains", {"items": [{"name": "inopnc/production", "length": 10, "head": head}],
                                    "next_cursor": None})
    file = tmp_path / "chain"
    expect(run(api.url, "audit", "export", "inopnc/production", "--out", str(file)), 0)
    assert file.read_text() == "".join(x + "\n" for x in lines)
    assert api.requests[1]["path"] == "/api/v1/audit?chain=inopnc%2Fproduction&from_seq=7&to_seq=5006"
    expect(run(api.url, "audit", "verify", str(file), "--head", head), 0)
    expect(run(api.url, "audit", "chains"), 0, out=head)
