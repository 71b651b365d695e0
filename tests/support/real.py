"""A real control plane under a Stack, by scripts/real-cluster; kwok plays the kubelets, so that nothing runs in its pods.

What kubesim's control API does is done here with Kubernetes' own means: a Stage of kwok says how the pods of an image behave,
the audit log tells every request.  Checks cannot reach pods: they go to a server of the test's own.
"""

import contextlib
import datetime
import http.server
import json
import pathlib
import re
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCOUNT = "sluice"  # namespace and name of the account that Sluice has here


class Healthy(http.server.BaseHTTPRequestHandler):
    """What INOPNC's pods would answer."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class NoTraffic:
    """Stands where kubesim's load would be: there are no addresses that answer, so nothing is sent."""
    report = {"failed": 0, "answered": 0}

    def count(self, *_, **__):
        return 0


class Real:
    def __init__(self, dir):
        self.dir = pathlib.Path(dir)
        self.web = None

    def up(self):
        subprocess.run([ROOT / "scripts/real-cluster", "up", "--dir", self.dir], check=True, stdout=subprocess.DEVNULL)
        self.accounts = self.dir / "accounts"  # what servers may name
        if not self.accounts.exists():
            self.accounts.mkdir()
            self.kubectl("create", "namespace", ACCOUNT)
            self.kubectl("create", "serviceaccount", ACCOUNT, "--namespace", ACCOUNT)
            self.kubectl("create", "clusterrole", "sluice-identity", "--verb", "get", "--resource", "namespaces",
                         "--resource-name", "kube-system")
            self.kubectl("create", "clusterrolebinding", "sluice-identity", "--clusterrole", "sluice-identity",
                         "--serviceaccount", f"{ACCOUNT}:{ACCOUNT}")
            token = self.kubectl("create", "token", ACCOUNT, "--namespace", ACCOUNT, "--duration", "24h").strip()
            config = (self.dir / "kubeconfig").read_text()
            (self.accounts / "sluice").write_text(re.sub(r"token: .*", "token: " + token, config))
        if not self.web:
            self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
            threading.Thread(target=self.web.serve_forever, daemon=True).start()
        return self.accounts / "sluice"

    def down(self):
        if self.web:
            self.web.shutdown()
            self.web.server_close()
        subprocess.run([ROOT / "scripts/real-cluster", "down", "--dir", self.dir], stderr=subprocess.DEVNULL, check=False)

    def kubectl(self, *words, input=None, check=True):
        ran = subprocess.run([self.dir / "kubectl", *words], input=input, capture_output=True, text=True, check=False)
        assert ran.returncode == 0 or not check, ran.stderr
        return ran.stdout if check else ran

    def checks(self, checks):
        """The same checks, of the server that stands in for the pods."""
        at = f"http://127.0.0.1:{self.web.server_address[1]}"
        return {key: [{**{k: v for k, v in c.items() if k != "path"}, "url": at + c["path"]} if "path" in c else c for c in value]
                if isinstance(value, list) else value for key, value in checks.items()}

    # ---- how pods behave ----
    def image(self, image, ready_after_ms=500, never_ready=False, crash_loop=False, **unknown):
        assert not unknown, f"kwok's pods cannot do that: {unknown}"
        stages = json.loads(self.kubectl("get", "stage", "pod-ready", "--output", "json"))
        ready = stages["spec"]["next"]["statusTemplate"]
        broken = re.sub(r'(status: )"True"(\n\s*type: (?:Ready|ContainersReady))', r'\1"False"\2', ready)
        broken = broken.replace("ready: true", "ready: false", 1)
        if crash_loop:
            broken = re.sub(r"restartCount: 0\s+state:\s+running:\s+startedAt: [^\n]*",
                            "restartCount: 3\n  state: { waiting: { reason: CrashLoopBackOff, message: back-off restarting } }\n"
                            "  lastState: { terminated: { exitCode: 1, reason: Error } }", broken, count=1)
        fails = never_ready or crash_loop
        stage = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage",
                 "metadata": {"name": "image-" + re.sub("[^a-z0-9]+", "-", image.rpartition("/")[2].lower())},
                 "spec": {"resourceRef": {"apiGroup": "v1", "kind": "Pod"}, "weight": 1,
                          "delay": {"durationMilliseconds": 0 if fails else ready_after_ms},
                          "selector": {"matchExpressions": [
                              {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                              {"key": ".spec.containers.[].image", "operator": "In", "values": [image]},
                              {"key": ".status.phase", "operator": "In", "values": ["Pending"]}]},
                          "next": {"statusTemplate": broken if fails else ready}}}
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(stage))
        if crash_loop:
            self.crash(image)

    def crash(self, image):
        """The running pods of an image, at once, as their kubelet would say it."""
        for pod in json.loads(self.kubectl("get", "pods", "--output", "json"))["items"]:
            statuses = pod.get("status", {}).get("containerStatuses", [])
            if not any(c["image"] == image and c["ready"] for c in statuses):
                continue
            for status in statuses:
                status.update(ready=False, restartCount=3, state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}})
            now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            conditions = [{**c, "status": "False", "lastTransitionTime": now} if c["type"] in ("Ready", "ContainersReady") else c
                          for c in pod["status"]["conditions"]]
            self.kubectl("patch", "pod", pod["metadata"]["name"], "--subresource", "status", "--type", "merge", "--patch",
                         json.dumps({"status": {"conditions": conditions, "containerStatuses": statuses}}))

    # ---- what was asked of the API server ----
    def audit(self):
        with open(self.dir / "audit.log", "rb") as log:
            return [json.loads(line) for line in log if line.endswith(b"\n")]

    def requests(self, since=0):
        return [{"n": n, "at": line["stageTimestamp"], "user_agent": line.get("userAgent", ""), "verb": line["verb"],
                 "path": line["requestURI"].partition("?")[0], "code": line.get("responseStatus", {}).get("code", 0)}
                for n, line in enumerate(self.audit(), 1) if n > since and line["stage"] == "ResponseComplete"]

    def switches(self, service):
        """The selectors that a Service had, one after the other, with when the API server was done with each."""
        found = []
        for line in self.audit():
            ref = line.get("objectRef", {})
            selector = line.get("responseObject", {}).get("spec", {}).get("selector")
            if (ref.get("resource"), ref.get("name")) == ("services", service) and selector and line["verb"] in ("create", "update", "patch"):
                if not found or found[-1]["selector"] != selector:
                    found.append({"at": line["stageTimestamp"], "selector": selector})
        return found[1:]  # the first is how it was made

    def ready_at(self, image):
        """When the API server was done with what kwok last said about each pod: that it is ready."""
        pods = {pod["metadata"]["name"] for pod in json.loads(self.kubectl("get", "pods", "--output", "json"))["items"]
                if pod["spec"]["containers"][0]["image"] == image}
        found = {}
        for line in self.audit():
            ref = line.get("objectRef", {})
            if ref.get("subresource") == "status" and ref.get("name") in pods and "kwok" in line.get("userAgent", ""):
                found[ref["name"]] = line["stageTimestamp"]
        return list(found.values())

    @contextlib.contextmanager
    def load(self):
        yield NoTraffic()

    # ---- what Sluice may do ----
    def grant(self, documents):
        self.kubectl("apply", "-f", "-", input=documents)
