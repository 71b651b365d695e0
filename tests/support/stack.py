"""A stack of its own for black-box tests: PostgreSQL, kubesim and servers, by scripts/stack.

    with Stack(replicas=2) as stack:
        stack.inopnc()
        deployment = stack.deploy("v1.2.2")
        stack.wait(deployment, "succeeded")

Nothing here sleeps to wait for a guess: until() polls for a fact and fails at its deadline.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from tests.support.pg import binary
from tests.support.real import Real
from tests.support.traffic import Traffic

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "inopnc"
IMAGE = "ghcr.io/your-org/inopnc-wm"
# settings of tests, which a server would refuse as unknown
OF_TESTS = ("SLUICE_RUNS", "SLUICE_CRASHES", "SLUICE_FAULTS", "SLUICE_RACES", "SLUICE_RACES_SEED", "SLUICE_STALLS", "SLUICE_SUITE_S", "SLUICE_CRASH_BUILD",
            "SLUICE_SCHEMATHESIS", "SLUICE_SCHEMATHESIS_SEED")
FINAL = ("succeeded", "failed", "aborted", "rolled_back", "canceled")


class Answer:
    """What a server said: status, headers, body as JSON where it is JSON."""

    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        try:
            self.json = json.loads(raw) if raw else None
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"<{self.status} {self.raw[:600]!r}>"

    def __getitem__(self, key):
        return self.json[key]


class EarlyAnswer(http.client.HTTPConnection):
    """Reads an answer that comes, with the end of the connection, before the whole body was sent."""

    def send(self, data):
        try:
            super().send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass


class EarlyAnswers(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(EarlyAnswer, request)


OPENER = urllib.request.build_opener(EarlyAnswers)


def call(method, url, body=None, token=None, headers=None, timeout=30):
    request = urllib.request.Request(url, method=method)
    if isinstance(body, (dict, list)):
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    elif body is not None:
        request.data = body if isinstance(body, bytes) else body.encode()
    if token:
        request.add_header("Authorization", "Bearer " + token)
    for name, value in (headers or {}).items():
        request.remove_header(name)
        request.add_header(name, value)
    try:
        with OPENER.open(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as refusal:
        return Answer(refusal.code, refusal.headers, refusal.read())


def until(fact, seconds=20, every=0.02, what=None):
    """The first true value of fact(), or a failure after so many seconds."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        last = fact()
        if last:
            return last
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what or getattr(fact, '__doc__', None) or fact}; last: {last!r}")


def ended(pid):
    """Whether the process is gone, or only waits for its parent."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def ports_of(pid):
    """The local ports of a process's TCP connections."""
    inodes = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except FileNotFoundError:
        pass
    lines = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {int(words[1].partition(":")[2], 16) for words in lines if f"socket:[{words[9]}]" in inodes}


def own_environment():
    """Ours, without the settings of tests."""
    return {k: v for k, v in os.environ.items() if k not in OF_TESTS}


class Stack:
    cluster = "kubesim"  # pytest --cluster real: scripts/real-cluster

    def __init__(self, replicas=1, env=None, bin_dir=None, cluster=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sluice-stack-"))
        self.dir.chmod(0o755)
        self.replicas = replicas
        self.extra = dict(env or {})
        if bin_dir:
            self.extra["STACK_BIN"] = str(bin_dir)
        self.real = Real(self.dir / "real") if (cluster or self.cluster) == "real" else None

    # ---- life ----
    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pid in getattr(self, "pids", []):
            try:
                os.kill(pid, signal.SIGCONT)  # one that a test froze could not end
            except ProcessLookupError:
                pass
        subprocess.run([ROOT / "scripts/stack", "down", "--dir", self.dir], stdout=subprocess.DEVNULL, check=False)
        if self.real:
            self.real.down()
        postgres = self.dir / "postgres"
        if postgres.is_symlink():
            shutil.rmtree(postgres.resolve(), ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def up(self, **env):
        """Starts, or revives what died."""
        words = ["--kubeconfig", self.real.up()] if self.real else []
        subprocess.run(
            [ROOT / "scripts/stack", "up", "--dir", self.dir, "--replicas", str(self.replicas), *words],
            check=True, stdout=subprocess.DEVNULL,
            env={**own_environment(), **self.extra, **env})
        lines = [line.partition("=") for line in (self.dir / "env").read_text().splitlines()]
        self.env = {name: value.strip("'") for name, _, value in lines}  # whole, whoever reads it meanwhile
        self.urls = self.env["SLUICE_URLS"].split()
        self.pids = [int(pid) for pid in self.env["SLUICED_PIDS"].split()]
        self.token = self.env["SLUICE_TOKEN"]
        self.kubesim_url = self.env["KUBESIM_URL"]
        return self

    def stop_servers(self):
        """Ends the servers, as a person would; the rest goes on."""
        for pid in self.pids:
            if not ended(pid):
                os.kill(pid, signal.SIGTERM)
        for pid in self.pids:
            until(lambda: ended(pid), what=f"server {pid} has ended")

    # ---- callers ----
    def api(self, method, path, body=None, replica=0, token=None, headers=None, timeout=30):
        return call(method, self.urls[replica] + "/api/v1" + path, body, token or self.token, headers, timeout)

    def mint(self, subject="ci", roles=("ci",), apps=(), kind=None):
        words = [self.program("sluiced"), "token", "--sub", subject, "--ttl", "1h", *(("--kind", kind) if kind else ())]
        for role in roles:
            words += ["--role", role]
        for app in apps:
            words += ["--app", app]
        return subprocess.run(words, check=True, capture_output=True, text=True,
                              env={**own_environment(), "JWT_SECRET": self.env["JWT_SECRET"]}).stdout.strip()

    def token_for(self, scope):
        """Of somebody who may: the administrator's, but for what administrators never have."""
        if scope != "evidence:write":
            return self.token
        self.ci = getattr(self, "ci", None) or self.mint()
        return self.ci

    def program(self, name):
        return pathlib.Path(self.env["PATH"].split(":")[0]) / name

    def cli(self, *words, token=None, **kwargs):
        env = {**os.environ, "SLUICE_URL": self.urls[0], "SLUICE_TOKEN": token or self.token}
        return subprocess.run([self.program("sluice"), *words], capture_output=True, text=True, env=env, **kwargs)

    def sql(self, text):
        # itself: Debian's psql is a Perl program that looks for it, at several times the cost
        return subprocess.run([binary("psql"), "-XAtq", "-c", text, self.env["DATABASE_URL"]], check=True,
                              capture_output=True, text=True).stdout.strip()

    # ---- INOPNC ----
    def inopnc(self, app="inopnc", **changes):
        """Registers the app with its environment, manifests and releases.  changes: blue_green, checks, deadlines …"""
        spec = json.loads((EXAMPLES / "environment.json").read_text())
        for key, value in changes.items():
            spec[key] = {**spec[key], **value} if isinstance(spec.get(key), dict) else value
        if self.real:
            spec["checks"] = self.real.checks(spec["checks"])
        assert self.api("PUT", f"/apps/{app}", {"image": IMAGE}).status in (200, 201)
        answer = self.api("PUT", f"/apps/{app}/environments/production", spec, headers={"If-Match": "*"})
        assert answer.status in (200, 201), answer
        answer = self.api("PUT", f"/apps/{app}/environments/production/manifests", (EXAMPLES / "manifests.yaml").read_text(),
                          headers={"Content-Type": "application/yaml", "If-Match": "*"})
        assert answer.status in (200, 201), answer
        self.grant(app)

    def grant(self, app, environment="production"):
        """Lets the server's account do what this app's environment takes, and no more; on kubesim everybody may do everything."""
        if self.real:
            words = self.cli("env", "rbac", app, environment)
            assert words.returncode == 0, words.stderr
            self.real.grant(words.stdout)

    def release(self, version, app="inopnc", **fields):
        answer = self.api("POST", f"/apps/{app}/releases", {"version": version, "image": f"{IMAGE}:{version}", **fields})
        assert answer.status in (200, 201), answer
        return answer.json

    def create(self, version, app="inopnc", replica=0, **fields):
        return self.api("POST", "/deployments", {"app": app, "environment": "production", "version": version, **fields},
                        replica=replica)

    def deploy(self, version, app="inopnc", replica=0, **fields):
        """Registers the release if need be, starts its deployment, returns its id."""
        self.release(version, app)
        answer = self.create(version, app, replica, **fields)
        assert answer.status == 202, answer
        return answer["id"]

    def deployment(self, id, replica=0):
        return self.api("GET", f"/deployments/{id}", replica=replica).json

    def deployed(self, version, app, environment="production", state="succeeded", started="clock_timestamp()"):
        """A deployment as a row alone, without having happened: its id."""
        ended = "now()" if state in FINAL else "NULL"
        return self.sql(f"""
            INSERT INTO deployment (id, environment_id, app, environment, release_id, version, strategy, kind, state,
                                    requested_by, plan, started_at, ended_at)
            SELECT gen_random_uuid(), e.id, e.app, e.name, r.id, '{version}', 'blue-green', 'deploy', '{state}',
                   '{{"kind": "user", "subject": "r", "issuer": "sluice"}}', '{{}}', {started}, {ended}
            FROM environment e LEFT JOIN release r ON r.app = e.app AND r.version = '{version}'
            WHERE e.app = '{app}' AND e.name = '{environment}' RETURNING id""")

    def wait(self, id, state=None, seconds=60, replica=0):
        """Until it is in that state (any final one without); a wrong final one fails at once."""
        def there():
            now = self.deployment(id, replica)
            if now["state"] == state or (state is None and now["state"] in FINAL):
                return now
            assert now["state"] not in FINAL + ("stuck",), now
            return None
        return until(there, seconds, what=f"deployment is {state or 'final'}")

    def wait_state(self, id, state, seconds=30):
        """Until it is in that state, whatever it passes through."""
        return until(lambda: (now := self.deployment(id))["state"] == state and now, seconds, what=f"{id} is {state}")

    def wait_step(self, id, step, states=("running", "waiting", "done"), seconds=30):
        def there():
            now = self.deployment(id)
            return any(s["name"] == step and s["state"] in states for s in now["steps"]) and now
        return until(there, seconds, what=f"step {step} is {states}")

    def status(self, app="inopnc"):
        return self.api("GET", f"/apps/{app}/environments/production")["status"]

    def chain(self, name="inopnc/production"):
        answer = self.api("GET", "/audit?chain=" + name.replace("/", "%2F"))
        assert answer.status == 200, answer
        return [json.loads(line) for line in answer.raw.decode().splitlines()]

    # ---- the cluster ----
    def control(self, method, path, body=None):
        answer = call(method, self.kubesim_url + path, body)
        assert answer.status < 300, answer
        return answer.json

    def image(self, version, **behavior):
        if self.real:
            return self.real.image(f"{IMAGE}:{version}", **behavior)
        self.control("PUT", "/images", {"image": f"{IMAGE}:{version}", **behavior})

    def faults(self, *faults):
        if self.real and not faults:
            return
        self.control("PUT", "/faults", list(faults))

    def requests(self, since=0):
        if self.real:
            return self.real.requests(since)
        answer = self.control("GET", f"/requests?since={since}")
        return answer["items"] if isinstance(answer, dict) else answer

    def traffic(self, service="inopnc-prod"):
        if self.real:
            return {"switches": self.real.switches(service)}
        return self.control("GET", f"/services/production/{service}/traffic")

    def ready_at(self, version):
        """When each pod of that version last became ready."""
        if self.real:
            return self.real.ready_at(f"{IMAGE}:{version}")
        return [p["ready_at"] for p in self.control("GET", "/pods/production")["items"] if p["image"] == f"{IMAGE}:{version}"]

    def kube(self, method, path, body=None, content_type="application/json"):
        """The cluster's own API, as its administrator."""
        import ssl
        import re
        config = (self.real.dir / "kubeconfig" if self.real else pathlib.Path(self.env["KUBECONFIG"])).read_text()
        server = re.search(r"server: *['\"]?([^'\"\s]+)", config)[1]
        token = re.search(r"token: *['\"]?([^'\"\s]+)", config)[1]
        request = urllib.request.Request(server + path, method=method,
                                         data=json.dumps(body).encode() if body is not None else None)
        request.add_header("Authorization", "Bearer " + token)
        request.add_header("Content-Type", content_type)
        context = ssl._create_unverified_context()
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, refusal.headers, refusal.read())

    def selector(self, service="inopnc-prod"):
        return self.kube("GET", f"/api/v1/namespaces/production/services/{service}")["spec"]["selector"]["environment"]

    def workload(self, color):
        answer = self.kube("GET", f"/apis/apps/v1/namespaces/production/deployments/inopnc-{color}")
        return answer.json if answer.status == 200 else None

    def load(self, rate=200):
        """Steady traffic at the production Service: without privileges kubesim cannot listen on port 80."""
        if self.real:
            return self.real.load()
        return Traffic(f"http://{self.traffic()['address']}/", rate, program=self.program("sluice-load"))


def together(n, action):
    """Runs action(i) in n threads that begin at once; their results in order."""
    results, gate = [None] * n, threading.Barrier(n)

    def run(i):
        gate.wait()
        results[i] = action(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
