"""What holds of every deployment whatever breaks, looked at from outside: the cluster's own request log and traffic, the
database, the record.

    watch = Invariants(stack)        # one per environment, from before the first deployment
    ...                              # deployments, kills, faults
    watch.check()                    # I1 to I9; what was looked at once is not read again
"""

import hashlib
import json

from tests.support.stack import FINAL

MARK = "sluice.dev/"
FORWARD = "traffic.switched"


class Invariants:
    def __init__(self, stack, app="inopnc", environment="production", namespace="production", service="inopnc-prod",
                 requests=None):
        self.stack, self.app, self.environment = stack, app, environment
        self.namespace, self.service = namespace, service
        self.requests = requests or stack.requests  # (since): what the cluster was asked, and answered
        self.seen = 0           # requests of the cluster looked at
        self.epochs = {}        # object: the highest epoch that a write carried
        self.ops = {}           # op: how often it took effect
        self.selectors = []     # colors that our writes pointed the Service at, each with its op
        self.finals = {}        # deployment: the state that it ended in
        self.acknowledged = {}  # aborted deployment: the color that serves since the answer

    def where(self):
        return f"d.app = '{self.app}' AND d.environment = '{self.environment}'"

    # ---- the cluster ----
    def read_requests(self):
        """Writes of ours that the cluster carried out, in its order; fenced writes only."""
        for request in self.requests(self.seen):
            self.seen = max(self.seen, request["n"])
            body = request.get("body")
            if (request["verb"] not in ("PATCH", "PUT", "POST") or "dryRun" in request.get("query", "")
                    or not 200 <= request["code"] < 300 or f"/namespaces/{self.namespace}/" not in request["path"]
                    or not isinstance(body, dict)):
                continue
            marks = body.get("metadata", {}).get("annotations", {})
            if MARK + "op" not in marks or marks[MARK + "environment"] != f"{self.app}/{self.environment}":
                continue
            name = body["metadata"].get("name") or request["path"].rpartition("/")[2]
            at, epoch, op = f"{body.get('kind')} {name}", int(marks[MARK + "epoch"]), marks[MARK + "op"]
            assert epoch >= self.epochs.get(request["path"], 0), ("I6", at, epoch, self.epochs)
            self.epochs[request["path"]] = epoch
            self.ops[op] = self.ops.get(op, 0) + 1
            if request["path"].endswith("/services/" + self.service) and "selector" in body.get("spec", {}):
                self.selectors.append((op, body["spec"]["selector"]["environment"]))

    def selector(self):
        answer = self.stack.kube("GET", f"/api/v1/namespaces/{self.namespace}/services/{self.service}")
        return answer["spec"]["selector"].get("environment")

    # ---- each of them ----
    def look(self):
        """Everything of the database in one statement: a consistent view, and one process for it."""
        mine, known = self.where(), ", ".join(f"'{id}'" for id in self.finals) or "NULL"
        parts = {
            "deployments": f"SELECT id, kind, state, release_id FROM deployment d WHERE {mine} ORDER BY id",
            "intents": "SELECT i.op, i.deployment_id, i.job, i.step, i.purpose, i.result, i.epoch FROM intent i "
                       f"JOIN deployment d ON d.id = i.deployment_id WHERE {mine} ORDER BY i.number",
            "steps": "SELECT s.deployment_id, s.name, s.state FROM step s JOIN deployment d ON d.id = s.deployment_id "
                     f"WHERE {mine} AND d.state = 'succeeded' AND d.id::text NOT IN (SELECT unnest(ARRAY[{known}]::text[]))",
            "lease": "SELECT l.epoch FROM environment_lease l JOIN environment d ON d.id = l.environment_id "
                     f"WHERE d.app = '{self.app}' AND d.name = '{self.environment}'",
            "approvals": "SELECT a->>'role' AS role, (a->>'count')::int AS count FROM environment d JOIN environment_gate g ON "
                         "g.environment_id = d.id, jsonb_array_elements(g.spec->'approvals') a "
                         f"WHERE d.app = '{self.app}' AND d.name = '{self.environment}'"}
        queries = ", ".join(f"'{name}', (SELECT coalesce(json_agg(r), '[]') FROM ({sql}) AS r)" for name, sql in parts.items())
        return json.loads(self.stack.sql(f"SELECT json_build_object({queries})"))

    def check(self):
        self.read_requests()
        seen, records = self.look(), self.chain()
        deployments, intents = seen["deployments"], seen["intents"]
        self.one_switch(deployments, intents, records)
        self.one_active(deployments)
        self.approved(seen["approvals"], deployments, intents)
        self.aborts_hold(deployments)
        self.nothing_unearned(seen["steps"], records)
        self.epochs_grow(seen["lease"], intents)
        self.finals_stay(deployments, records)
        self.effects_once(intents)
        return self

    def one_switch(self, deployments, intents, records):
        forward = {}
        for record in records:
            if record["action"] == FORWARD:
                forward[record["subject"]] = forward.get(record["subject"], 0) + 1
        assert all(n == 1 for n in forward.values()), ("I1 on the record", forward)
        step = {i["op"]: i for i in intents}
        for deployment in deployments:
            to = [color for op, color in self.selectors if op in step and step[op]["deployment_id"] == deployment["id"]
                  and step[op]["job"] == "deploy" and step[op]["step"] == "switch-traffic"]
            assert len(to) <= 1, ("I1 in the cluster", deployment["id"], to)

    def one_active(self, deployments):
        active = [d["id"] for d in deployments if d["state"] in ("running", "paused", "undoing", "stuck")]
        assert len(active) <= 1, ("I2", active)

    def approved(self, needed, deployments, intents):
        """Where approvals are asked for, those of this content stood when the intent to switch was committed."""
        switches = {i["deployment_id"]: i["op"] for i in intents if (i["job"], i["purpose"]) == ("deploy", "switch")}
        for deployment in deployments:
            op = switches.get(deployment["id"])
            for role in needed if op and deployment["kind"] == "deploy" and deployment["id"] in self.gated else ():
                there = self.stack.sql(
                    "SELECT count(*) FROM signoff s JOIN release r ON r.id = s.release_id JOIN intent i ON "
                    f"i.op = '{op}' WHERE s.release_id = '{deployment['release_id']}' AND s.role = '{role['role']}' "
                    "AND s.decision = 'approve' AND s.content_digest = r.content_digest AND s.deployment_id IS NULL "
                    "AND s.created_at < i.created_at AND (s.withdrawn_at IS NULL OR s.withdrawn_at > i.created_at)")
                assert int(there) >= role["count"], ("I3", deployment["id"], role, there)

    gated = ()  # deployments that began when approvals were asked for

    def abort_acknowledged(self, id, color):
        self.acknowledged = {id: color}

    def aborts_hold(self, deployments):
        last = deployments[-1]["id"] if deployments else None
        for id, color in self.acknowledged.items():
            if id == last:
                assert self.selector() == color, ("I4", id, color)

    def nothing_unearned(self, steps, records):
        """Of deployments that succeeded since the last look."""
        for id in {s["deployment_id"] for s in steps}:
            mine = [s for s in steps if s["deployment_id"] == id]
            assert all(s["state"] in ("done", "skipped") for s in mine), ("I5", id, mine)
            done = [r["data"].get("step") for r in records if r["subject"] == id and r["action"] == "step.completed"]
            assert sorted(done) == sorted(s["name"] for s in mine if s["state"] == "done"), ("I5", id, done)

    def epochs_grow(self, lease, intents):
        """Of the journal, in its order; no object is ahead of the lease."""
        last = 0
        for intent in intents:
            assert intent["epoch"] >= last, ("I6", intent)
            last = intent["epoch"]
        assert max([0, *(row["epoch"] for row in lease)]) >= max([last, *self.epochs.values()]), ("I6", lease, last, self.epochs)

    def finals_stay(self, deployments, records):
        for deployment in deployments:
            was = self.finals.get(deployment["id"])
            assert was in (None, deployment["state"]), ("I7", deployment["id"], was, deployment["state"])
            if deployment["state"] in FINAL:
                self.finals[deployment["id"]] = deployment["state"]
                ends = [r["action"] for r in records if r["subject"] == deployment["id"]
                        and r["action"] in tuple("deployment." + state for state in FINAL)]
                assert len(ends) == 1, ("I7", deployment["id"], ends)

    def effects_once(self, intents):
        """An op takes effect once, and what took effect is in the journal; a request that was repeated made one deployment."""
        twice = {op: n for op, n in self.ops.items() if n > 1}
        assert not twice, ("I8", twice)
        unknown = set(self.ops) - {i["op"] for i in intents}
        assert not unknown, ("I8", "not in the journal", unknown)
        effects = {}
        for intent in intents:
            if intent["result"] != "void" and intent["op"] in self.ops:
                key = (intent["deployment_id"], intent["job"], intent["step"], intent["purpose"])
                effects[key] = effects.get(key, 0) + 1
        assert all(n == 1 for n in effects.values()), ("I8", {k: n for k, n in effects.items() if n > 1})

    def chain(self):
        """The environment's record, without a gap, each line holding the hash of the one before."""
        answer = getattr(self.stack, "any", self.stack.api)("GET", f"/audit?chain={self.app}%2F{self.environment}")
        assert answer.status == 200, answer
        before, records = "0" * 64, []
        for number, line in enumerate(answer.raw.decode().splitlines(), 1):
            record = json.loads(line)
            assert (record["seq"], record["prev"]) == (number, before), ("I9", number, record)
            before = hashlib.sha256(line.encode()).hexdigest()
            records.append(record)
        return records
