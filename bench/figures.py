"""The figures of docs/performance.md, measured: ./scripts/bench blue-green [PART…]

Each part starts a stack of its own (PostgreSQL with fsync, a simulated cluster, the release build) and asks from outside:
curl could do the same.  Times are of one machine's clock: when the caller began, and what kubesim says, to the microsecond,
about when a pod became ready and when a selector changed.  Prints a table and, last, one line of JSON; exits 1 when a goal
is missed.
"""

import datetime
import http.client
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tests.support.stack import EXAMPLES, IMAGE, Stack, call, together, until  # noqa: E402

FIGURES = []


def figure(name, values, unit, goal=None, of="median", at_least=False):
    """Adds a row: of which statistic the goal speaks, median, p99 or max; at most that, or at least."""
    ordered = sorted(values)
    row = {"name": name, "unit": unit, "n": len(ordered), "median": statistics.median(ordered),
           "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], "max": ordered[-1]}
    row.update((key, round(row[key], 3)) for key in ("median", "p99", "max"))
    row["goal"] = None if goal is None else f"{of} {'≥' if at_least else '≤'} {goal}"
    row["met"] = goal is None or (row[of] >= goal if at_least else row[of] <= goal)
    FIGURES.append(row)
    print("{name}: median {median:.4g}, p99 {p99:.4g}, max {max:.4g} {unit} over {n}{0}".format(
        "" if goal is None else f"; goal {row['goal']}: {'met' if row['met'] else 'MISSED'}", **row), flush=True)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def post(stack, path, body):
    """(when it began, status, answer): on a connection of its own, with nothing prepared but the text."""
    at = urllib.parse.urlsplit(stack.urls[0])
    text = json.dumps(body)
    headers = {"Authorization": "Bearer " + stack.token, "Content-Type": "application/json"}
    began = time.time()
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
    connection.request("POST", "/api/v1" + path, text, headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    return began, answer.status, json.loads(raw)


def switched(stack, since, service="inopnc-prod"):
    """When the selector changed after that time."""
    rows = stack.traffic(service)["switches"]
    return [at for at in (seconds(row["at"]) for row in rows) if at > since]


# ---- traffic: no failed request over 20 deployments ----

def traffic():
    with Stack() as stack:
        stack.inopnc()
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        with stack.load(200) as load:
            for i in range(20):
                stack.wait(stack.deploy(f"v1.0.{i + 1}"), "succeeded")
        bad = load.report["failed"] + load.report["answered"] - load.count(status=200)
        print(f"  {load.report['requests']} requests, slowest answer {load.report['latency_ms']['max']} ms")
        figure("failed requests, 20 deployments under 200 requests/s", [bad], "requests", 0, "max")
        figure("idle memory after 20 deployments", [resident(stack.pids[0])], "MB", 30)


# ---- switch: how long a deployment takes to move traffic ----

def switch(runs=40, cluster="kubesim", where=""):
    moved, whole = [], []
    with Stack(cluster=cluster) as stack:
        stack.inopnc(checks={"health": [], "smoke": [], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        for i in range(1, runs + 1):
            version = f"v1.0.{i}"
            stack.image(version, ready_after_ms=500)
            stack.release(version)
            began, status, answer = post(stack, "/deployments", {"app": "inopnc", "environment": "production",
                                                                 "version": version})
            assert status == 202, answer
            done = stack.wait(answer["id"], "succeeded")
            pods = [seconds(at) for at in stack.ready_at(version)]
            at, = switched(stack, began)
            assert len(pods) == 3 and done["to"]["color"] == stack.selector()
            moved.append((at - max(pods)) * 1000)
            whole.append(at - began)
        if stack.real:
            by_script(stack)
    figure(f"last target pod ready → selector patched, without checks{where}", moved, "ms", 12)
    figure(f"request → selector patched, pods ready after 0.5 s{where}", whole, "s", 0.60)


# ---- real: the same on a real control plane (scripts/real-cluster), beside the runbook's own script ----

def by_script(stack, runs=10):
    """What the runbook does by hand: apply, wait, patch; by the API server's own audit log, as for Sluice."""
    for surge in ("25%", "100%"):
        moved, whole = [], []
        for i in range(runs):
            version = f"v2.{surge[0]}.{i}"
            old = stack.selector()
            new = "green" if old == "blue" else "blue"
            text = (EXAMPLES / "manifests.yaml").read_text().replace("${COLOR}", new).replace("${IMAGE}", f"{IMAGE}:{version}")
            text = text.replace("25%", surge)
            began = time.time()
            stack.real.kubectl("apply", "--namespace", "production", "--filename", "-", input=text)
            stack.real.kubectl("rollout", "status", "--namespace", "production", f"deployment/inopnc-{new}")
            stack.real.kubectl("patch", "service", "inopnc-prod", "--namespace", "production", "--patch",
                               json.dumps({"spec": {"selector": {"environment": new}}}))
            at, = switched(stack, began)
            moved.append((at - max(seconds(ready) for ready in stack.ready_at(version))) * 1000)
            whole.append(at - began)
        figure(f"the runbook's script, surge {surge}: last pod ready → selector patched", moved, "ms")
        figure(f"the runbook's script, surge {surge}: begun → selector patched", whole, "s")


def real():
    switch(20, "real", ", real control plane")
    abort(20, 0, 2, "real", ", real control plane")


# ---- abort: from the call to the selector ----

class Crowd:
    """Many environments of one app, so that aborts need not wait for the 30 s for which an aborted version keeps its pods."""

    replicas = 3

    def __init__(self, stack, count):
        self.stack, self.names = stack, [f"crowd-{i:04}" for i in range(count)]
        stack.inopnc("crowd")  # for the app; its environment is not used
        for name in self.names:
            self.register(name)

    def register(self, name):
        stack = self.stack
        answer = stack.kube("POST", "/api/v1/namespaces/production/services", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name, "environment": "blue"}, "ports": [{"port": 80, "targetPort": 3000}]}})
        assert answer.status == 201, answer
        spec = {"cluster": "local", "namespace": "production", "container": "app", "port": 3000, "strategy": "blue-green",
                "blue_green": {"service": name, "selector_key": "environment", "promote": "auto", "keep_previous_s": 86400,
                               "colors": {c: {"deployment": f"{name}-{c}", "service": f"{name}-{c}-service"}
                                          for c in ("blue", "green")}},
                "checks": {"production": []}, "deadlines": {"validate_s": 3600}}
        self.put(name, spec)
        labels = "{app: NAME, environment: '${COLOR}'}".replace("NAME", name)
        answer = stack.api("PUT", f"/apps/crowd/environments/{name}/manifests", (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: 'NAME-${COLOR}'}\nspec:\n  replicas: COUNT\n"
            "  selector: {matchLabels: LABELS}\n  template:\n    metadata: {labels: LABELS}\n    spec:\n      containers:\n"
            "        - {name: app, image: '${IMAGE}', ports: [{containerPort: 3000}]}\n"
        ).replace("NAME", name).replace("LABELS", labels).replace("COUNT", str(self.replicas)), headers={"Content-Type": "application/yaml"})
        assert answer.status == 201, answer
        stack.grant("crowd", name)

    def put(self, name, spec):
        answer = self.stack.api("PUT", f"/apps/crowd/environments/{name}", spec, headers={"If-Match": "*"})
        assert answer.status in (200, 201), answer

    def validate_without_end(self):
        """From now on a deployment stays at validate-production: one call a minute, of which it wants a thousand."""
        for name in self.names:
            spec = self.stack.api("GET", f"/apps/crowd/environments/{name}").json
            spec = {key: spec[key] for key in ("cluster", "namespace", "container", "port", "strategy", "blue_green",
                                               "checks", "deadlines")}
            spec["checks"]["production"] = [{"name": "front", "path": "/", "interval_s": 60, "consecutive": 100}]
            if self.stack.real:
                spec["checks"] = self.stack.real.checks(spec["checks"])
            self.put(name, spec)

    def deploy(self, version):
        self.stack.release(version, "crowd")
        made = []
        for name in self.names:
            _, status, answer = post(self.stack, "/deployments", {"app": "crowd", "environment": name, "version": version})
            assert status == 202, answer
            made.append(answer["id"])
        return made

    def aborts(self, version, crash):
        """Deploys everywhere, lets the new pods crash if asked, takes it back one by one: (to the selector, to the answer)."""
        stack, took = self.stack, []
        ids = self.deploy(version)
        for id in ids:
            stack.wait_step(id, "validate-production", ("waiting",), seconds=60)
        if crash:
            stack.image(version, crash_loop=True)
            until(lambda: all(self.crashed(version)), 60, what="every new pod crash-loops")
        else:
            time.sleep(1)  # a quiet cluster is what this measures
        for name, id in zip(self.names, ids):
            began, status, answer = post(stack, f"/deployments/{id}/abort", {"reason": "measured"})
            answered = time.time()
            assert status == 200, answer
            at, = switched(stack, began, name)
            took.append(((at - began) * 1000, (answered - began) * 1000))
        for id in ids:
            stack.wait(id, "aborted", seconds=90)
        return took

    def crashed(self, version):
        pods = self.stack.kube("GET", "/api/v1/namespaces/production/pods")["items"]
        mine = [p["status"]["containerStatuses"][0] for p in pods
                if p["spec"]["containers"][0]["image"].endswith(":" + version)]
        return [s["restartCount"] > 0 and "waiting" in s["state"] for s in mine] or [False]


def abort(count=20, crashing=5, healthy=2, cluster="kubesim", where=""):
    bad, good = [], []
    with Stack(cluster=cluster) as stack:
        crowd = Crowd(stack, count)
        for id in crowd.deploy("v1.0.0"):
            stack.wait(id, "succeeded")
        crowd.validate_without_end()
        for i in range(healthy):
            good += crowd.aborts(f"v1.1.{i}", False)
        for i in range(crashing):
            bad += crowd.aborts(f"v1.2.{i}", True)
    if bad:
        figure("abort → selector patched, every new pod crash-looping", [row[0] for row in bad], "ms", 1000, "p99")
        figure("abort → answer, every new pod crash-looping", [row[1] for row in bad], "ms")
    figure(f"abort → selector patched, healthy cluster{where}", [row[0] for row in good], "ms", 15)
    figure(f"abort → answer, healthy cluster{where}", [row[1] for row in good], "ms")


def by_kubectl(stack, name, app, replicas, version):
    """A blue workload that Sluice did not make."""
    labels = {"app": app, "environment": "blue"}
    answer = stack.kube("POST", "/apis/apps/v1/namespaces/production/deployments", {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": f"{IMAGE}:{version}", "ports": [{"containerPort": 3000}]}]}}}})
    assert answer.status == 201, answer


# ---- fleet: a thousand deployments in flight ----

class Fleet(Crowd):
    """Many environments whose blue version serves already with two pods, as kubectl made them."""

    replicas = 2

    def register(self, name):
        super().register(name)
        by_kubectl(self.stack, f"{name}-blue", name, 2, "v0.9.0")


def fleet(count=1000):
    """Every environment deploys at once and waits for pods that are not ready yet; then they become ready."""
    with Stack(env={"SLUICE_WORKER_THREADS": "4", "SLUICE_RATE_PRINCIPAL": "off", "SLUICE_RATE_NETWORK": "off"}) as stack:
        crowd = Fleet(stack, count)
        until(lambda: stack.sql("SELECT 1") and len(ready(stack)) >= 2 * count, 120, 0.5, "every blue pod is ready")
        stack.image("v2.0.0", never_ready=True)
        began = time.time()
        ids = crowd.deploy("v2.0.0")
        made = time.time() - began
        waiting = """SELECT count(*) FROM deployment d JOIN step s ON s.deployment_id = d.id
                     WHERE d.state = 'running' AND s.name = 'await-available' AND s.state = 'waiting'"""
        until(lambda: int(stack.sql(waiting)) == count, 600, 1, "every deployment waits for its pods")
        figure(f"memory of the server with {count} deployments in flight, 4 workers", [resident(stack.pids[0])], "MB", 100)
        figure(f"memory of kubesim with {2 * count} Deployments and {4 * count} pods",
               [resident(int(stack.env["KUBESIM_PID"]))], "MB", 512 * count / 1250)
        began = time.time()
        stack.image("v2.0.0")
        until(lambda: stack.sql("SELECT count(*) FROM deployment WHERE state = 'succeeded'") == str(count), 900, 1, "all succeed")
        figure(f"{count} deployments: created one by one", [made], "s")
        figure(f"{count} deployments: pods become ready → all succeeded", [time.time() - began], "s")
        assert len(ids) == count


def ready(stack):
    return [p for p in stack.control("GET", "/pods/production")["items"] if p["ready_at"]]


# ---- creates: one of many wins ----

def creates(rounds=10):
    wrong, took = [], []
    with Stack() as stack:
        stack.inopnc(checks={"health": [], "smoke": [], "production": []})
        for i in range(16):
            stack.release(f"v1.0.{i}")
        for _ in range(rounds):
            began = time.time()
            answers = together(16, lambda i: stack.create(f"v1.0.{i}"))
            took.append((time.time() - began) * 1000)
            accepted = [a for a in answers if a.status == 202]
            busy = [a for a in answers if a.status == 409 and a["code"] == "environment-busy"]
            wrong.append(0 if (len(accepted), len(busy)) == (1, 15) else 1)
            stack.wait(accepted[0]["id"], "succeeded")
    figure("16 creates at once not answered by one 202 and 15 environment-busy", wrong, "rounds", 0, "max")
    figure("16 creates at once: all answered", took, "ms")


# ---- rate: creates against pgbench, which runs the same statements ----

ISO = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""
SHARE = 6000  # environments for each run: more than it can use up in its time


def statements():
    """What a create asks of PostgreSQL, as pgbench's script; what is in JSON is in a table, so that no colon is a variable."""
    def sql(name):
        text = (pathlib.Path(__file__).resolve().parents[1] / "db" / "sql" / f"{name}.sql").read_text()
        return " ".join(re.sub("--.*", "", line) for line in text.splitlines()).strip("; ")

    def with_values(text, *values):
        return re.sub(r"\$(\d+)", lambda m: values[int(m[1]) - 1], text)
    given = {c: f"(SELECT {c} FROM given)" for c in ("plan", "steps", "actor", "data")}
    append = with_values(sql("record/append"), "'inopnc/e' || :n::text", given["actor"], "'127.0.0.1'", "'deployment.created'",
                         ":id::text", "'Deployment of inopnc v1.0.1 was requested.'", given["data"], ":id::uuid", "NULL")
    return "\n".join((
        "\\set i :i + 1",
        f"\\set n :first + :client_id * {SHARE // 8} + :i",
        with_values(sql("deployment/prepare"), "'inopnc'", "'e' || :n::text", "'1.0.1'").replace(", e.spec,", ", e.spec AS spec,")
        + " \\gset",
        "BEGIN;",
        with_values(sql("environment/begin"), ":environment_id::uuid", ":revision::bigint", ":cutover::bigint") + ";",
        with_values(sql("gate/facts"), ":environment_id::uuid", "'1.0.1'", "NULL::uuid", given["actor"], "NULL::jsonb") + ";",
        with_values(sql("deployment/insert"), "gen_random_uuid()", ":environment_id::uuid", "'inopnc'", "'e' || :n::text",
                    ":release_id::uuid", "'blue-green'", "NULL", given["actor"], given["plan"], given["steps"], "NULL") + " \\gset",
        with_values(sql("deployment/get"), ":id::uuid").replace(ISO, "(SELECT iso FROM given)") + ";",
        append + ";", append + ";",
        "COMMIT;"))


def many_environments(stack, count):
    """Like the first one, where v1.0.0 serves, and a table with what statements() give to PostgreSQL."""
    stack.inopnc(checks={"health": [], "smoke": [], "production": []})
    by_kubectl(stack, "inopnc-blue", "inopnc", 3, "v1.0.0")
    until(lambda: stack.status()["active"], what="v1.0.0 serves")
    id = stack.deploy("v1.0.1")
    stack.sql(f"""INSERT INTO environment (id, app, name, cluster, namespace, spec, manifests, manifests_revision)
        SELECT gen_random_uuid(), app, 'e' || n, cluster, namespace, spec, manifests, manifests_revision
        FROM environment, generate_series(0, {count - 1}) n WHERE name = 'production'""")
    stack.sql(f"""CREATE TABLE given AS SELECT {ISO}::text AS iso, plan, requested_by AS actor, (SELECT line::jsonb->'data' FROM record
        WHERE deployment_id = d.id AND action = 'deployment.created') AS data, (SELECT jsonb_agg(jsonb_build_object(
        'name', name, 'title', title) ORDER BY ordinal) FROM step WHERE deployment_id = d.id) AS steps
        FROM deployment d WHERE id = '{id}'; ANALYZE environment, given""")
    until(lambda: call("GET", stack.urls[0] + "/api/health/detailed", token=stack.token)["flags"]["environments"]
          > count, 120, 0.5, "the flags of all are loaded")


def rate(rounds=3, seconds_each=4):
    with Stack(env={"SLUICE_WORKER_THREADS": "0", "SLUICE_RATE_PRINCIPAL": "off", "SLUICE_RATE_NETWORK": "off"}) as stack:
        many_environments(stack, 2 * rounds * SHARE)
        ratios, ours, theirs = [], [], []
        for i in range(rounds):
            theirs.append(pgbench(stack, 2 * i * SHARE, seconds_each))
            ours.append(wrk(stack, (2 * i + 1) * SHARE, seconds_each))
            ratios.append(ours[-1] / theirs[-1])
    figure("creates by 8 callers at once, over HTTP", ours, "1/s")
    figure("pgbench with 8 clients running a create's statements", theirs, "1/s")
    figure("creates over HTTP against pgbench", ratios, "times", 0.8, at_least=True)


def told_by(command):
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{command[0]} failed: {ran.stderr}")
    return ran.stdout


def pgbench(stack, first, seconds_each):
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(statements())
        script.flush()
        told = told_by(["/usr/lib/postgresql/15/bin/pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds_each),
                               "-D", "i=-1", "-D", f"first={first}", "-f", script.name, stack.env["DATABASE_URL"]])
    return float(re.search(r"tps = ([\d.]+)", told)[1])


def wrk(stack, first, seconds_each):
    told = told_by(["wrk", "-t", "2", "-c", "8", "-d", f"{seconds_each}s", "-s", pathlib.Path(__file__).with_name("creates.lua"),
                           "-H", "Authorization: Bearer " + stack.token, "-H", "Content-Type: application/json",
                           stack.urls[0] + "/api/v1/deployments", "--", str(first), "2"])
    said = json.loads(told.splitlines()[-1])
    assert said["bad"] == 0, told
    return said["answers"] / said["us"] * 1e6


# ---- takeover: another replica goes on ----

def holder(stack):
    """Which of the replicas holds the environment's lease."""
    number = until(lambda: stack.sql("SELECT holder FROM environment_lease WHERE holder IS NOT NULL"))
    for i in range(stack.replicas):
        log = (stack.dir / "log" / f"sluiced-{i + 1}.log").read_text()
        if re.findall(r"event=replica-number number=(\d+)", log)[-1] == number:
            return i
    raise AssertionError(f"nobody is replica {number}")


def take_over(stack, version, stop):
    """Stops the holder while pods start; the time to the first record of another.  It must end well."""
    stack.image(version, never_ready=True)
    id = stack.deploy(version)
    stack.wait_step(id, "await-available", ("waiting",))
    lost = holder(stack)
    other = 1 - lost
    stopped = time.time()
    os.kill(stack.pids[lost], stop)
    taken = until(lambda: stack.sql("SELECT line FROM record WHERE line LIKE '%lease.taken%' AND deployment_id = '" + id + "'"),
                  30, what="another replica goes on")
    at = seconds(json.loads(taken.splitlines()[0])["at"])
    stack.image(version)
    done = stack.wait(id, "succeeded", replica=other)
    if stop == signal.SIGSTOP:
        os.kill(stack.pids[lost], signal.SIGCONT)
    else:
        stack.up()
    assert stack.selector() == done["to"]["color"]
    moved = [r for r in stack.chain() if r["subject"] == id and r["action"] == "traffic.switched"]
    assert len(moved) == 1, moved
    return at - stopped


def takeover(runs=5):
    with Stack(replicas=2) as stack:
        stack.inopnc(checks={"health": [], "smoke": [], "production": []})
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        killed = [take_over(stack, f"v1.1.{i}", signal.SIGKILL) for i in range(runs)]
        frozen = [take_over(stack, f"v1.2.{i}", signal.SIGSTOP) for i in range(runs)]
    figure("kill -9 of the holder → another goes on", killed, "s", 2, "max")
    figure("SIGSTOP of the holder → another goes on", frozen, "s", 12, "max")


# ---- start ----

def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def answers(port, path, deadline):
    """When the first 200 came."""
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return time.time()
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.0005)
    raise AssertionError("no answer")


def start_once(stack):
    port = int(urllib.parse.urlsplit(stack.urls[0]).port)
    env = {k: stack.env[k] for k in ("DATABASE_URL", "JWT_SECRET", "PATH")}
    env.update(PORT=str(port), SLUICE_LISTEN="127.0.0.1", SLUICE_KUBECONFIG_DIR=str(pathlib.Path(stack.env["KUBECONFIG"]).parent))
    with tempfile.TemporaryFile() as log:
        began = time.time()
        running = subprocess.Popen([stack.program("sluiced")], env=env, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        first = answers(port, "/api/health", deadline) - began
        ready = answers(port, "/api/health/ready", deadline) - began
        time.sleep(1)  # idle is what this measures
        memory = resident(running.pid)
        running.terminate()
        assert running.wait(20) == 0
    return first * 1000, ready * 1000, memory


def start(runs=10):
    with Stack() as stack:
        stack.inopnc()
        stack.stop_servers()
        rows = [start_once(stack) for _ in range(runs)]
    figure("start → first answer", [row[0] for row in rows], "ms", 100)
    figure("start → ready", [row[1] for row in rows], "ms", 100)
    figure("idle memory", [row[2] for row in rows], "MB", 30)


# ---- the machine ----

def fsync_ms():
    """What a commit cannot be quicker than: an 8 KiB write and fdatasync, median of 200."""
    took = []
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        for _ in range(200):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"\0" * 8192, 0)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "fdatasync_ms": round(fsync_ms(), 3), "load": [round(n, 2) for n in os.getloadavg()]}


USUAL = {"traffic": traffic, "switch": switch, "abort": abort, "fleet": fleet, "creates": creates, "rate": rate, "takeover": takeover, "start": start}
PARTS = {**USUAL, "real": real}  # where it can be built


def main(names):
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"unknown part {unknown[0]}; parts: {' '.join(PARTS)}")
    before = machine()
    print("{cpu}, {cores} cores, Linux {kernel}; fdatasync {fdatasync_ms} ms; load {load}".format(**before), flush=True)
    for name in names or USUAL:
        PARTS[name]()
    print(json.dumps({"machine": before, "load_after": [round(n, 2) for n in os.getloadavg()], "figures": FIGURES},
                     ensure_ascii=False))
    return 0 if all(row["met"] for row in FIGURES) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
