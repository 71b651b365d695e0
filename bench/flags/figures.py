"""What flags cost: ./scripts/bench flags [PART…]

The server has one core, whoever asks the other.  Beside it in the same run, in turns: nginx with constants of the same size,
on the same core.  `unleash` (not among the default parts: it installs Unleash from npm) asks Unleash's frontend API on the same
PostgreSQL.  Prints each figure with its goal and, last, one line of JSON; exits 1 when a goal is missed.
"""

import contextlib
import http.client
import json
import os
import pathlib
import resource
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from beside import FREE, ROUNDS, SERVED, beside, nginx, on_core, port_of, rate  # noqa: E402
from figures import FIGURES, figure, resident  # noqa: E402
from tests.api.conftest import environment_body  # noqa: E402
from tests.support.flags import Client  # noqa: E402
from tests.support.stack import IMAGE, Stack, call, until  # noqa: E402

BIN = ROOT / "build/bin"
FLIPS, STREAMS, APPS, ENVIRONMENTS, FLAGS = 200, 10_000, 100, 10, 200

# What a team has: every fifth flag with variants, every third for some plans and half of the rest.
SPEC = """jsonb_build_object('description', 'A flag.', 'type', 'release', 'value_type', CASE WHEN n % 5 = 0 THEN 'string' ELSE 'boolean' END,
    'impression_data', false, 'dependencies', '[]'::jsonb, 'variants', CASE WHEN n % 5 = 0 THEN
    '[{"name": "blue", "weight": 500, "payload": {"type": "string", "value": "#00f"}},
      {"name": "red", "weight": 500, "payload": {"type": "string", "value": "#f00"}}]'::jsonb ELSE '[]'::jsonb END)"""
STATE = """jsonb_build_object('default_variant', NULL, 'requires_release', NULL, 'strategies', CASE WHEN n % 3 = 0 THEN
    jsonb_build_array(jsonb_build_object('name', 'flexibleRollout',
        'parameters', '{"rollout": "50", "stickiness": "default", "groupId": "g"}'::jsonb,
        'constraints', '[{"context_name": "plan", "operator": "IN", "values": ["pro", "team", "business"]}]'::jsonb))
    ELSE '[]'::jsonb END)"""


def fill(stack, flags, like):
    """Flags of every app of such a name, on in every environment."""
    stack.sql(f"""
        INSERT INTO flag_head (app, revision) SELECT name, 1 FROM app WHERE name LIKE '{like}';
        INSERT INTO flag (app, name, spec, revision) SELECT a.name, 'flag-' || n, {SPEC}, 1
        FROM app a, generate_series(1, {flags}) n WHERE a.name LIKE '{like}';
        INSERT INTO flag_environment (environment_id, app, flag, enabled, spec, revision)
        SELECT e.id, e.app, 'flag-' || n, true, {STATE}, 1 FROM environment e, generate_series(1, {flags}) n WHERE e.app LIKE '{like}';
        INSERT INTO flag_change (app, revision, kind, name, environment, action, source, by)
        SELECT name, 1, 'flag', 'flag-1', '', 'flag.created', 'api', '{{"kind": "user", "subject": "ann", "issuer": "sluice"}}'
        FROM app WHERE name LIKE '{like}'""")


def place(stack, app, *environments):
    assert stack.api("PUT", f"/apps/{app}", {"image": IMAGE}).status == 201
    for name in environments or ("production",):
        made = stack.api("PUT", f"/apps/{app}/environments/{name}", environment_body(f"{app}-{name}"))
        assert made.status == 201, made


def served(stack, app, flags, replica=0):
    """Somebody who asks for an app's flags, once they are all served."""
    client = Client(stack, app, replica=replica)
    until(lambda: len((client.all().json or {}).get("flags", ())) == flags, 60, what="the flags are served")
    return client


# ---- rates, beside nginx ----

def rates():
    """Single, bulk of 100 and Unleash's 304, each beside nginx."""
    with Stack(env=FREE) as stack:
        place(stack, "inopnc")
        fill(stack, 100, "inopnc")
        client, pid = served(stack, "inopnc", 100), stack.pids[0]
        on_core(SERVED, pid)
        who = {"targetingKey": "user-1", "plan": "pro"}
        one, every = client.one("flag-5", **who), client.all(**who)
        features = client.unleash("GET", "/api/client/features", headers={"Unleash-Client-Spec": "5.2.2"})
        key = {"X-API-Key": client.key, "Content-Type": "application/json"}
        body = json.dumps({"context": who})
        with nginx({"one": one.raw.decode(), "all": every.raw.decode(), "features": features.raw.decode()}) as port:
            beside(stack, pid, "OFREP single", ("/ofrep/v1/evaluate/flags/flag-5", key, body), (port, "/one", key, body), 0.7)
            spent = beside(stack, pid, f"OFREP bulk of 100 ({len(every.raw):,} bytes)", ("/ofrep/v1/evaluate/flags", key, body),
                           (port, "/all", key, body), None)
            figure("OFREP bulk of 100: processor time", spent, "µs", 40)
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as asked:
                asked.request("GET", "/features")
                etag = asked.getresponse().headers["ETag"]
            beside(stack, pid, "Unleash features, 304", ("/api/client/features", {
                "Authorization": client.key, "Unleash-Client-Spec": "5.2.2", "If-None-Match": features.headers["ETag"]}),
                (port, "/features", {"If-None-Match": etag}), 0.6)


# ---- compiling, and what it takes to hold many ----

def compiling():
    with Stack(env=FREE) as stack:
        place(stack, "inopnc")
        fill(stack, 1000, "inopnc")
        text = (ROOT / "db/sql/flag/document.sql").read_text().rstrip(";\n").replace("$1", "'inopnc'").replace("$2", "'production'")
        document = stack.sql(f"SELECT document FROM ({text}) d")
    said = json.loads(subprocess.run([BIN / "sluice-flags"], input=document, capture_output=True, check=True, text=True).stdout)
    assert said["flags"] == 1000, said
    figure("1,000 flags read and compiled", [said["compile"]["p50_us"] / 1000], "ms", 5)
    figure("one evaluation", [said["one_ns"]], "ns")
    figure("one evaluation of all of a context", [said["of_all_ns"]], "ns")


def memory():
    """1,000 environments × 200 flags: loaded at a start, as after an upgrade."""
    names = [f"e{i}" for i in range(ENVIRONMENTS)]
    with Stack(env=FREE) as stack:
        for i in range(APPS):
            place(stack, f"app-{i}", *names)
        fill(stack, FLAGS, "app-%")
        stack.sql("VACUUM ANALYZE")
        stack.stop_servers()
        began = time.monotonic()
        stack.up()
        count = APPS * ENVIRONMENTS
        until(lambda: health(stack)["flags"]["environments"] == count, 120, what="all flags are served")
        figure(f"{count:,} environments of {FLAGS} flags: from the start to all served", [time.monotonic() - began], "s")
        figure(f"{count:,} environments of {FLAGS} flags: memory", [resident(stack.pids[0])], "MB", 400)


def health(stack):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port_of(stack))) as asked:
        asked.request("GET", "/api/health/detailed", headers={"Authorization": "Bearer " + stack.token})
        return json.loads(asked.getresponse().read())


# ---- being told ----

class Stream(threading.Thread):
    """An event stream; arrivals: when its events came."""

    def __init__(self, client):
        super().__init__(daemon=True)
        at = urllib.parse.urlsplit(client.url)
        self.arrivals, self.came = [], threading.Condition()
        self.connection = http.client.HTTPConnection(at.hostname, at.port)
        self.connection.request("GET", client.all()["eventStreams"][0]["endpoint"]["requestUri"])
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        self.start()

    def run(self):
        for line in self.answer:
            if b"refetchEvaluation" in line:
                with self.came:
                    self.arrivals.append(time.time())
                    self.came.notify()


def wire():
    """From the flip's request to the event, at the server that was asked and at the other."""
    with Stack(replicas=2, env=FREE) as stack:
        place(stack, "inopnc")
        fill(stack, 100, "inopnc")
        streams = [Stream(served(stack, "inopnc", 100, replica)) for replica in (0, 1)]
        began = []
        for i in range(FLIPS):
            time.sleep(0.1)  # one flip, not a burst, whose later events are gathered
            began.append(time.time())
            done = stack.api("POST", f"/apps/inopnc/environments/production/flags/flag-1/{('disable', 'enable')[i % 2]}", {})
            assert done.status == 200, done
            for stream in streams:
                with stream.came:
                    assert stream.came.wait_for(lambda: len(stream.arrivals) > i, 10), "no event"
        for stream, where in zip(streams, ("there", "at the other server")):
            figure(f"flip → event on the wire, {where}", [(came - since) * 1000 for since, came in zip(began, stream.arrivals)], "ms",
                   20, of="p99")


def crowd():
    """Thousands of web clients, each with a stream, are told and fetch anew."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the server's too: a socket for each stream, and for fetches
    with Stack(env=FREE) as stack:
        place(stack, "inopnc")
        fill(stack, 20, "inopnc")
        client, before = served(stack, "inopnc", 20), resident(stack.pids[0])
        process = subprocess.Popen([BIN / "sluice-streams", str(port_of(stack)), client.key, str(STREAMS)], text=True,
                                   stdout=subprocess.PIPE)
        assert process.stdout.readline() == "ready\n", "the streams are not there"
        figure(f"{STREAMS:,} streams: memory of each", [(resident(stack.pids[0]) - before) * 1024 / STREAMS], "kB")
        began = time.time()
        assert stack.api("POST", "/apps/inopnc/environments/production/flags/flag-1/disable", {}).status == 200
        said = json.loads(process.communicate(timeout=90)[0])
        assert len(said["events_us"]) == len(said["fetches_us"]) == STREAMS, "some were not told, or not answered"
        figure(f"{STREAMS:,} streams: flip → event", [at / 1000 - began * 1000 for at in said["events_us"]], "ms", 250, of="p99")
        figure(f"{STREAMS:,} streams: each fetch after it", [us / 1000 for us in said["fetches_us"]], "ms")
        figure(f"{STREAMS:,} streams: fetches refused", [said["refused"]], "", 0)


# ---- a peer ----

UNLEASH = "unleash-server@8.2.0"
ADMIN, FRONTEND = "*:*.sluice-bench-admin", "*:development.sluice-bench-frontend"


def node():
    return next((ROOT / "tests/clients/node_modules").glob("node-linux-*/bin/node"))


def installed():
    """Where Unleash is: npm puts it below build/, once."""
    folder = ROOT / "build/bench/unleash"
    if not (folder / "node_modules/unleash-server").exists():
        print(f"installing {UNLEASH} with npm", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
                        UNLEASH], check=True, stdout=subprocess.DEVNULL)
    return folder / "node_modules/unleash-server/dist/server.js"


@contextlib.contextmanager
def unleash_server(stack):
    """Unleash on the stack's PostgreSQL and on the server's core, with the same hundred flags.  Yields its port."""
    stack.sql("CREATE DATABASE unleash")
    port = 20000 + os.getpid() % 2000
    process = subprocess.Popen(["taskset", "-c", SERVED, node(), installed()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={
        "PATH": os.environ["PATH"], "DATABASE_URL": stack.env["DATABASE_URL"].rpartition("/")[0] + "/unleash", "DATABASE_SSL": "false",
        "PORT": str(port), "INIT_ADMIN_API_TOKENS": ADMIN, "INIT_FRONTEND_API_TOKENS": FRONTEND, "LOG_LEVEL": "error",
        "CHECK_VERSION": "false", "SEND_TELEMETRY": "false", "NODE_ENV": "production"})
    base = f"http://127.0.0.1:{port}"

    def ask(method, path, body=None):
        answer = call(method, base + path, body, headers={"Authorization": ADMIN})
        assert answer.status < 300, answer
    try:
        def ready():
            with contextlib.suppress(OSError):
                return call("GET", base + "/health").status == 200
        until(ready, 120, what="Unleash answers")
        for n in range(1, FLAGS // 2 + 1):
            there = f"/api/admin/projects/default/features/flag-{n}/environments/development"
            ask("POST", "/api/admin/projects/default/features", {"name": f"flag-{n}", "type": "release"})
            constraints = [{"contextName": "plan", "operator": "IN", "values": ["pro", "team", "business"]}] if n % 3 == 0 else []
            ask("POST", there + "/strategies", {"name": "flexibleRollout", "constraints": constraints, "parameters": {
                "rollout": "50" if n % 3 == 0 else "100", "stickiness": "default", "groupId": "g"}})
            ask("POST", there + "/on")
        yield port
    finally:
        process.terminate()
        process.wait()


def unleash():
    """Our bulk of 100 beside Unleash's frontend API, of the same flags."""
    with Stack(env=FREE) as stack, unleash_server(stack) as port:
        place(stack, "inopnc")
        fill(stack, FLAGS // 2, "inopnc")
        client = served(stack, "inopnc", FLAGS // 2)
        on_core(SERVED, stack.pids[0])
        ours = ("/ofrep/v1/evaluate/flags", {"X-API-Key": client.key, "Content-Type": "application/json"},
                json.dumps({"context": {"targetingKey": "user-1", "plan": "pro"}}))
        theirs = ("/api/frontend?userId=user-1&properties[plan]=pro", {"Authorization": FRONTEND})
        rate(port, *theirs)  # once to warm it up
        pairs = [(rate(port_of(stack), *ours), rate(port, *theirs)) for _ in range(ROUNDS)]
        figure("Unleash's frontend API: answers", [b for _, b in pairs], "/s")
        figure("OFREP bulk of 100: of Unleash's", [a / b for a, b in pairs], "×", 10, at_least=True)


PARTS = {"rates": rates, "compiling": compiling, "memory": memory, "wire": wire, "crowd": crowd}


def main():
    for part in sys.argv[1:] or PARTS:
        {**PARTS, "unleash": unleash}[part]()
    print(json.dumps(FIGURES))
    return any(not row["met"] for row in FIGURES)


if __name__ == "__main__":
    sys.exit(main())
