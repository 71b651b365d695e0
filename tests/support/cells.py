"""What matrices of faults share: an environment in a namespace of its own whose jobs meet them, many at a time, and the grid.
"""

import json
import os
import threading
import time
import uuid

from tests.support.invariants import Invariants
from tests.support.recover import make_older
from tests.support.stack import EXAMPLES, FINAL, IMAGE, ROOT, until

WHICH = os.environ.get("SLUICE_FAULTS", "")
APPS = 10  # environments at a time: a cell waits more than it works
OTHER = {"blue": "green", "green": "blue"}


def register(stack, name, cluster="local", replicas=1, **fields):
    """INOPNC under another name, in a namespace of its own.  fields: of the environment."""
    created = stack.kube("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert created.status == 201, created
    for service in ("inopnc-prod", "inopnc-blue-service", "inopnc-green-service"):
        spec = stack.kube("GET", f"/api/v1/namespaces/production/services/{service}")["spec"]
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
                "spec": {"selector": spec["selector"], "ports": [{"port": p["port"], "targetPort": p["targetPort"]} for p in spec["ports"]]}}
        assert stack.kube("POST", f"/api/v1/namespaces/{name}/services", body).status == 201
    spec = {**json.loads((EXAMPLES / "environment.json").read_text()), "cluster": cluster, "namespace": name, **fields}
    manifests = (EXAMPLES / "manifests.yaml").read_text().replace("replicas: 3", f"replicas: {replicas}")
    for path, body, type in ((f"/apps/{name}", {"image": IMAGE}, "json"), (f"/apps/{name}/environments/production", spec, "json"),
                             (f"/apps/{name}/environments/production/manifests", manifests, "yaml")):
        answer = stack.api("PUT", path, body, headers={"Content-Type": f"application/{type}", "If-Match": "*"})
        assert answer.status in (200, 201), answer


class App:
    """An environment in a namespace of its own, and the jobs that cells make it do."""

    def __init__(self, stack, number, cluster="local", requests=None):
        self.stack, self.name, self.next = stack, f"m{number:02}", 0
        self.path = f"/apps/{self.name}/environments/production"
        register(stack, self.name, cluster, checks={"health": [{"name": "health", "path": "/api/health"}], "smoke": [],
                                                    "production": [{"name": "front", "path": "/", "failures": 3}]})
        self.watch = Invariants(stack, self.name, namespace=self.name, requests=requests)
        for _ in range(2):
            assert self.end(self.deploy()) == "succeeded"

    # ---- jobs ----
    def version(self):
        self.next += 1
        return f"v1.{int(self.name[1:])}.{self.next}"  # images behave alike in all namespaces

    def deploy(self, version=None):
        version = version or self.version()
        self.stack.release(version, self.name)
        # a cluster that does not answer just then is told to the caller, who asks again
        answer = until(lambda: (a := self.stack.create(version, self.name)).status != 503 and a, 40, 0.2, "it is accepted")
        assert answer.status == 202, answer
        return answer["id"]

    def ask(self, path, **body):
        """The id of the deployment that carries it.  504: not confirmed in time, perhaps stuck; the work goes on."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answer = until(lambda: (a := self.stack.api("POST", path, {"reason": "a test", **body}, headers=key)).status
                       != 503 and a, 40, 0.2, "it is answered")
        assert answer.status in (200, 504), answer
        return self.stack.sql(f"SELECT id FROM deployment WHERE app = '{self.name}' ORDER BY id DESC LIMIT 1")

    def end(self, id, seconds=75):
        """The state that it ends in, or "stuck"; without the 30 s of law 6."""
        deadline, aged = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            now = self.stack.deployment(id)
            if now["state"] in FINAL or now["state"] == "stuck":
                return now["state"]
            waits = now["state"] == "undoing" or now["current_step"] == "undo-apply"
            if waits and time.monotonic() > aged and self.stack.sql(
                    f"SELECT 1 FROM deployment d WHERE id = '{id}' AND (confirmed_at IS NOT NULL OR EXISTS (SELECT 1 FROM step "
                    "WHERE deployment_id = d.id AND name = 'undo-apply' AND state = 'waiting')) AND NOT EXISTS (SELECT 1 FROM step "
                    "WHERE deployment_id = d.id AND name IN ('undo-adopt', 'adopt') AND state IN ('pending', 'running', 'waiting'))"):
                make_older(self.stack, id)
                aged = time.monotonic() + 2
            time.sleep(0.1)
        raise AssertionError(f"{self.name}: {id} does not end: {json.dumps(now)[:1500]}")

    def waits_for_pods(self):
        version = self.version()
        self.stack.image(version, never_ready=True)
        id = self.deploy(version)
        until(lambda: self.stack.sql(f"SELECT 1 FROM intent WHERE deployment_id = '{id}' AND purpose = 'restore-strategy' AND "
                                     "result = 'done'"), 30, 0.1, what="it waits for its pods")
        return id

    # ---- scenarios: prepare, act ----
    def prepare(self, scenario):
        if scenario in ("abort", "preempt"):
            return self.waits_for_pods()
        if scenario == "first":
            for what in (f"/apis/apps/v1/namespaces/{self.name}/deployments/inopnc-{self.idle()}",
                         f"/api/v1/namespaces/{self.name}/configmaps/inopnc-{self.idle()}-config"):
                self.stack.kube("DELETE", what)
        if scenario == "rollback":
            assert self.end(self.deploy()) == "succeeded"
            path = f"/apis/apps/v1/namespaces/{self.name}/deployments/inopnc-{self.idle()}"
            self.stack.kube("PATCH", path, {"spec": {"replicas": 0}}, "application/merge-patch+json")
            until(lambda: not self.stack.kube("GET", path)["status"].get("readyReplicas"), 20, 0.1)
        if scenario == "restore":
            first = self.deploy()
            assert self.end(first) == "succeeded"
            aborted = self.waits_for_pods()
            self.ask(f"/deployments/{aborted}/abort")
            assert self.end(aborted) == "aborted"
            return first
        if scenario == "traffic":
            assert self.end(self.deploy()) == "succeeded"
            assert self.end(self.ask(self.path + "/rollback")) == "succeeded"
        if scenario == "clean-up":
            assert self.end(self.deploy()) == "succeeded"
        if scenario == "lost":
            self.lose()
            id = self.deploy()
            assert self.end(id) == "stuck" and self.stack.deployment(id)["failure"]["code"] == "history-lost"
            return id
        return None

    def lose(self):
        """All objects carry marks of writes that the database does not know, as after a failover that lost the last transactions."""
        color = self.idle()
        for path in ("/api/v1/namespaces/{}/services/inopnc-prod", "/apis/apps/v1/namespaces/{}/deployments/inopnc-blue",
                     "/apis/apps/v1/namespaces/{}/deployments/inopnc-green", f"/api/v1/namespaces/{{}}/configmaps/inopnc-{color}-config"):
            mark = {"metadata": {"annotations": {"sluice.dev/op": str(uuid.uuid4())}}}
            answer = self.stack.kube("PATCH", path.format(self.name), mark, "application/merge-patch+json")
            assert answer.status == 200, answer

    def idle(self):
        return OTHER[self.watch.selector()]

    def act(self, scenario, context):
        """(what it ended as, the id of what can be retried, what it was to end as)"""
        if scenario in ("abort", "lost"):
            self.ask(f"/deployments/{context}/abort")
            ended = self.end(context)
            return self.adopted() if scenario == "lost" and ended == "aborted" else ended, context, "aborted"
        if scenario in ("rollback", "preempt", "restore"):
            path = f"/deployments/{context}/rollback" if scenario == "restore" else self.path + "/rollback"
            id = self.ask(path)
            return self.end(id), id, "succeeded"
        if scenario == "traffic":
            id = self.ask(self.path + "/traffic", color=self.idle())
            return self.end(id), id, "succeeded"
        if scenario == "clean-up":
            return self.clean_up(), None, "cleaned"
        id = self.deploy()
        return self.end(id), id, "succeeded"

    def adopted(self):
        """After an abort of a lost past: whether the next deployment meets a mark that is not known."""
        id = self.deploy()
        ended = self.end(id)
        if ended != "stuck":
            return "aborted" if ended == "succeeded" else ended
        self.ask(f"/deployments/{id}/abort")
        assert self.end(id) == "aborted" and self.end(self.deploy()) == "succeeded"
        return "left"

    def clean_up(self):
        mine = f"(SELECT id FROM environment WHERE app = '{self.name}')"
        color = self.stack.sql(f"SELECT color FROM cleanup WHERE environment_id = {mine}")
        self.stack.sql(f"UPDATE cleanup SET due_at = clock_timestamp() WHERE environment_id = {mine}")
        until(lambda: not self.stack.sql(f"SELECT 1 FROM cleanup WHERE environment_id = {mine}"), 40, 0.1, "the clean-up is over")
        path = f"/apis/apps/v1/namespaces/{self.name}/deployments/inopnc-{color}"
        return "cleaned" if self.stack.kube("GET", path)["spec"]["replicas"] == 0 else "given-up"


def grid(rows, columns, expected, got):
    """Where it is not as expected, what it was; "-": there is no such cell; ".": it was not tried."""
    width = max(len(row) for row in rows)
    lines = [" " * width + "  " + "  ".join(columns)]
    for row in rows:
        words = []
        for column in columns:
            wanted, word = expected.get((row, column)), got.get((row, column))
            text = "-" if wanted is None else "." if word is None else word if word == wanted else "!" + word
            words.append(text[:max(8, len(column))].ljust(len(column)))
        lines.append((row.ljust(width) + "  " + "  ".join(words)).rstrip())
    return "\n".join(lines)


def chosen(keys):
    """Of cells, (row, column), those that SLUICE_FAULTS names: `all`, or those of a row; otherwise one of each column."""
    if WHICH:
        return [key for key in keys if WHICH in ("all", key[0])]
    columns = list(dict.fromkeys(column for _, column in keys))
    of = {column: [key for key in keys if key[1] == column] for column in columns}
    return [of[column][7 * n % len(of[column])] for n, column in enumerate(columns)]


def try_cells(name, expected, make, cell):
    """Tries cells, (row, column), each on an environment of make(number) with cell(environment, row, column), which answers
    with what became of it; prints the grid, and keeps it in build/reports; fails where that is not what was expected."""
    queue, got, why, lock, began = chosen(list(expected))[::-1], {}, [], threading.Lock(), time.monotonic()
    asked = len(queue)

    def wrong(text):
        why.append(text[:3000])
        print(why[-1], flush=True)

    def work(number):
        app = None
        while True:
            with lock:
                if not queue:
                    return
                row, column = queue.pop()
            try:
                app = app or make(number)
                word = cell(app, row, column)
                if word != expected[row, column]:
                    wrong(f"{row} x {column}: {word}, not {expected[row, column]}")
            except Exception as error:  # that environment may not be fit for another cell
                word = "broken"
                wrong(f"{row} x {column} ({app and app.name}): {error!r}")
                app, number = None, number + APPS
            got[row, column] = word

    threads = [threading.Thread(target=work, args=(n,)) for n in range(min(APPS, asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows, columns = (list(dict.fromkeys(key[i] for key in expected)) for i in (0, 1))
    green = sum(got.get(key) == word for key, word in expected.items())
    report = (f"{grid(rows, columns, expected, got)}\n{green} of {asked} cells as expected, {asked - green} not, in "
              f"{time.monotonic() - began:.0f} s\n")
    (ROOT / "build/reports").mkdir(parents=True, exist_ok=True)
    (ROOT / "build/reports" / f"{name}.grid").write_text(report)
    print("\n" + report)
    assert len(got) == asked and not why, "\n".join(why)
