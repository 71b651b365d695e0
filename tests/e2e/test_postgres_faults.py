"""Every transaction met by every fault of PostgreSQL: what the caller hears, and that what is stored is whole.

The matrix is postgres_faults.tsv: a row for each transaction (its name, where the trigger of tests/support/database_faults.py
meets it, the scenario of workers that comes to it), a column for each fault, and in each cell what is expected:

    2xx   the caller hears of success, and it is on the record exactly once
    503   nothing is stored; 503 with Retry-After; asked again, it succeeds exactly once
    on    the job goes on and ends as it would have without the fault, and I1 to I9 hold
    -     there is no such fault for this transaction

A fault happens once; those called `lasting` go on for the whole of a request.  SLUICE_FAULTS=all tries all cells
(`./scripts/test faults`), otherwise one of each fault; SLUICE_FAULTS=NAME tries one row.
"""

import csv
import itertools
import json
import os
import pathlib
import uuid

import pytest

from tests.api.conftest import environment_body
from tests.support.cells import App, try_cells
from tests.support.database_faults import DatabaseFaults
from tests.support.stack import EXAMPLES, IMAGE, ROOT, Stack, until

TABLE = pathlib.Path(__file__).with_name("postgres_faults.tsv")
BIN = os.environ.get("STACK_BIN", ROOT / "build/bin")
STAR = {"If-Match": "*"}
FLAG = {"type": "release", "value_type": "boolean"}
TEMPLATE = {"groups": [{"title": "A", "items": [{"key": "tests", "title": "Tests", "kind": "manual", "required": True}]}]}
FREEZE = {"reason": "holidays", "starts_at": "2099-12-24T00:00:00Z", "ends_at": "2099-12-27T00:00:00Z"}


class Request:
    """One transaction of a handler: what comes before it, and the request."""

    def __init__(self, stack, number):
        self.stack, self.app = stack, f"p{number}"
        self.env = f"/apps/{self.app}/environments/production"
        self.release = f"/apps/{self.app}/releases/v1.0.0"

    def ok(self, method, path, body=None, token=None, headers=None):
        answer = self.stack.api(method, path, body, token=token, headers=headers)
        assert answer.status < 300, (method, path, answer)
        return answer

    def there(self, *what):
        self.ok("PUT", f"/apps/{self.app}", {"image": IMAGE})
        self.ok("PUT", self.env, environment_body(self.app))
        self.ok("POST", f"/apps/{self.app}/releases", {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0"})
        if "flag" in what:
            self.ok("PUT", f"/apps/{self.app}/flags/banner", FLAG)
            self.ok("PUT", self.env + "/flags/banner", {"enabled": False})
        if "gates" in what:
            self.ok("PUT", self.env + "/gates", {"approvals": [{"role": "qa", "count": 1}], "checklist": {"before": "before-deployment"}},
                    headers=STAR)
        if "deployment" in what:
            return self.ok("POST", "/deployments", {"app": self.app, "environment": "production", "version": "v1.0.0"})["id"]
        return None

    def person(self, name, *roles):
        return self.stack.mint(name, roles, kind="user")

    # ---- resources ----
    def app_put(self):
        return "PUT", f"/apps/{self.app}", {"image": IMAGE}

    def app_delete(self):
        self.ok(*self.app_put())
        return "DELETE", f"/apps/{self.app}"

    def environment_put(self):
        self.ok(*self.app_put())
        return "PUT", self.env, environment_body(self.app)

    def environment_delete(self):
        self.there()
        return "DELETE", self.env, None, STAR

    def manifests_put(self):
        self.there()
        return "PUT", self.env + "/manifests", (EXAMPLES / "manifests.yaml").read_text().replace("inopnc-$", self.app + "-$"), {"Content-Type": "application/yaml", **STAR}

    def release_create(self):
        self.there()
        return "POST", f"/apps/{self.app}/releases", {"version": "v1.1.0", "image": f"{IMAGE}:v1.1.0"}

    def release_yank(self):
        self.there()
        return "POST", self.release + "/yank", {"reason": "leaks"}

    # ---- gates ----
    def gates_put(self):
        self.there()
        return "PUT", self.env + "/gates", {"approvals": [{"role": "qa", "count": 1}]}, STAR

    def item_put(self):
        self.there("gates")
        return "PUT", self.release + "/checklists/production/items/on-call", {
            "state": "passed", "note": "seen", "person": "Pat"}, None, self.person("pat", "operator", "releaser")

    def evidence_create(self):
        self.there()
        body = {"item": "tests", "state": "passed", "source": "ci", "summary": "all passed", "environment": "production"}
        return "POST", self.release + "/evidence", body, None, self.stack.token_for("evidence:write")

    def signoff_create(self):
        self.there("gates")
        body = {"role": "qa", "decision": "approve", "environment": "production"}
        return "POST", self.release + "/signoffs", body, None, self.person("quinn", "approver:qa")

    def signoff_delete(self):
        method, path, body, _, token = self.signoff_create()
        id = self.ok(method, path, body, token)["id"]
        return "DELETE", f"{path}/{id}", None, None, token

    def freeze_create(self):
        self.there()
        return "POST", "/freezes", {"app": self.app, **FREEZE}

    def freeze_end(self):
        id = self.ok(*self.freeze_create())["id"]
        return "DELETE", f"/freezes/{id}"

    def break_glass_request(self):
        self.there()
        return "POST", self.env + "/break-glass", {"reason": "Login is down, the fix is v1.0.0", "duration_s": 600}, None, self.person("ann", "operator")

    def break_glass_confirm(self):
        method, path, body, _, token = self.break_glass_request()
        id = self.ok(method, path, body, token)["id"]
        return "POST", f"{path}/{id}/confirm", None, None, self.person("bob", "operator")

    # ---- flags ----
    def flag_put(self):
        self.there()
        return "PUT", f"/apps/{self.app}/flags/banner", FLAG

    def flag_delete(self):
        self.there()
        self.ok("PUT", f"/apps/{self.app}/flags/banner", FLAG)
        return "DELETE", f"/apps/{self.app}/flags/banner"

    def flag_restore(self):
        self.there("flag")
        first = self.ok("GET", f"/apps/{self.app}/flags/banner")["revision"]
        self.ok("PUT", f"/apps/{self.app}/flags/banner", {**FLAG, "description": "other"}, headers=STAR)
        return "POST", f"/apps/{self.app}/flags/banner/restore", {"revision": first, "reason": "as before"}

    def segment_put(self):
        self.there()
        return "PUT", f"/apps/{self.app}/segments/beta", {"constraints": []}

    def segment_delete(self):
        self.ok(*self.segment_put())
        return "DELETE", f"/apps/{self.app}/segments/beta"

    def flag_state_put(self):
        self.there("flag")
        return "PUT", self.env + "/flags/banner", {"enabled": True}, STAR

    def flag_enable(self):
        self.there("flag")
        return "POST", self.env + "/flags/banner/enable", {}

    def flag_disable(self):
        self.ok(*self.flag_enable())
        return "POST", self.env + "/flags/banner/disable", {}

    def flag_kill(self):
        self.ok(*self.flag_enable())
        return "POST", self.env + "/flags/banner/kill", {"reason": "orders are lost"}

    def flag_unkill(self):
        self.ok(*self.flag_kill())
        return "POST", self.env + "/flags/banner/unkill", {"reason": "mended"}

    def flag_schedule_create(self):
        self.there("flag")
        at = self.stack.sql("""SELECT to_char((now() + interval '30 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""")
        return "POST", self.env + "/flags/banner/schedule", {"at": at, "change": {"enabled": True}}

    def flag_schedule_cancel(self):
        made = self.flag_schedule_create()
        return "DELETE", f"{made[1]}/{self.ok(*made)['id']}"

    def flag_import(self):
        self.there()
        return "POST", self.env + "/flags:import", {"document": {"features": [{"name": "one", "enabled": True, "strategies": []}]}}

    def flag_promote(self):
        self.there("flag")
        staging = self.env.replace("production", "staging")
        self.ok("PUT", staging, environment_body(self.app + "-s"))
        self.ok("PUT", staging + "/flags/banner", {"enabled": True}, headers=STAR)
        return "POST", self.env + "/flags:promote", {"from": "staging"}

    def flag_request_create(self):
        self.there("flag")
        self.ok("PUT", self.env + "/gates", {"flag_approvals": {"count": 1}}, headers=STAR)
        body = {"changes": [{"flag": "banner", "set": {"enabled": True}}], "reason": "Launch"}
        return "POST", self.env + "/flag-requests", body, None, self.person("ann", "releaser")

    def requested(self):
        method, path, body, _, token = self.flag_request_create()
        return f"{path}/{self.ok(method, path, body, token)['id']}"

    def flag_request_approve(self):
        return "POST", self.requested() + "/approve", {}, None, self.person("bob", "releaser")

    def flag_request_reject(self):
        return "POST", self.requested() + "/reject", {"note": "not yet"}, None, self.person("bob", "releaser")

    def flag_request_cancel(self):
        return "POST", self.requested() + "/cancel", {}, None, self.person("ann", "releaser")

    def flag_request_apply(self):
        path, bob = self.requested(), self.person("bob", "releaser")
        self.ok("POST", path + "/approve", {}, bob)
        return "POST", path + "/apply", {}, None, bob

    # ---- deployments: nobody carries them here ----
    def deployment_create(self):
        self.there()
        return "POST", "/deployments", {"app": self.app, "environment": "production", "version": "v1.0.0"}

    def verb(self, name, state, more="", body=None):
        id = self.there("deployment")
        if state != "running":
            self.stack.sql(f"UPDATE deployment SET state = '{state}'{more} WHERE id = '{id}'")
        return "POST", f"/deployments/{id}/{name}", body or {"reason": "a test"}

    def deployment_pause(self):
        return self.verb("pause", "running")

    def deployment_resume(self):
        return self.verb("resume", "paused", ", current_step = 'apply'")

    def deployment_promote(self):
        return self.verb("promote", "paused", ", current_step = 'promote'")

    def deployment_retry(self):
        return self.verb("retry", "stuck")

    def deployment_resolve(self):
        return self.verb("resolve", "stuck", body={"as": "failed", "reason": "a test"})

    def deployment_cancel(self):
        self.there("gates")
        id = self.ok("POST", "/deployments", {"app": self.app, "environment": "production", "version": "v1.0.0",
                                              "params": {"wait": True}})["id"]
        return "POST", f"/deployments/{id}/cancel", {"reason": "a test"}


KEYED = ("release_create", "signoff_create", "freeze_create", "break_glass_request", "flag_schedule_create",
         "flag_request_create", "deployment_create")  # take an Idempotency-Key
TRANSACTIONS = [name for name in vars(Request) if "_" in name.strip("_")]


def table():
    with TABLE.open() as file:
        rows = {row["transaction"]: row for row in csv.DictReader(file, delimiter="\t")}
    faults = [name for name in next(iter(rows.values())) if name not in ("transaction", "event", "scenario")]
    return rows, {(name, fault): row[fault] for name, row in rows.items() for fault in faults if row[fault] != "-"}


def send(stack, method, path, body=None, headers=None, token=None, key=None):
    return stack.api(method, path, body, token=token, headers={**(headers or {}), **({"Idempotency-Key": key} if key else {})})


def on_record(stack, app, event):
    return int(stack.sql(f"SELECT count(*) FROM record WHERE split_part(chain, '/', 1) = '{app}' AND action = '{event}'"))


def request_cell(stack, faults, numbers, event):
    def cell(_, name, fault):
        request = Request(stack, next(numbers))
        how = getattr(request, name)()
        how, key = [*how, *[None] * (5 - len(how))], str(uuid.uuid4()) if name in KEYED else None
        before = on_record(stack, request.app, event)
        armed = faults.arm(request.app, event, fault.removesuffix("-lasting"), 1000 if fault.endswith("-lasting") else 1)
        answer = send(stack, *how, key=key)
        assert faults.met(armed) >= 1, f"the fault was not met: {answer}"
        faults.disarm(armed)
        told = "2xx" if answer.status < 300 else str(answer.status)
        there = on_record(stack, request.app, event) - before
        assert there == (1 if told == "2xx" else 0), (there, answer)
        if told == "503":
            assert answer.headers["Retry-After"], answer
        if told == "503" or key:  # asked again: done now, or the answer of before
            again = send(stack, *how, key=key)
            assert again.status < 300, again
            assert on_record(stack, request.app, event) - before == 1, again
            assert told != "2xx" or again.json == answer.json, (answer, again)
        return told
    return cell


def job_cell(faults, row):
    def cell(app, _, fault):
        context = app.prepare(row["scenario"])
        armed = faults.arm(app.name, row["event"], fault)
        ended, _, wanted = app.act(row["scenario"], context)
        app.watch.check()
        until(lambda: faults.met(armed), 10, 0.1, what="the fault was met")
        faults.disarm(armed)
        return "on" if ended == wanted else ended
    return cell


def test_every_transaction_of_a_request_met_by_every_fault():
    rows, expected = table()
    assert sorted(TRANSACTIONS) == sorted(name for name in rows if not rows[name]["scenario"])
    with Stack(bin_dir=BIN, env={"SLUICE_WORKER_THREADS": "0", "SLUICE_HANDLER_THREADS": "16"}) as stack:
        faults, numbers = DatabaseFaults(stack), itertools.count(1)
        cells = {name: request_cell(stack, faults, numbers, row["event"]) for name, row in rows.items()}
        only = {key: word for key, word in expected.items() if not rows[key[0]]["scenario"]}
        try:
            try_cells("postgres-requests", only, lambda number: None, lambda app, name, fault: cells[name](app, name, fault))
        finally:
            faults.close()


def test_every_transaction_of_a_job_met_by_every_fault():
    rows, expected = table()
    with Stack(bin_dir=BIN, env={"SLUICE_WORKER_THREADS": "32", "SLUICE_HANDLER_THREADS": "16", "SLUICE_LEASE_MS": "3000",
                                 "SLUICE_LEASE_RENEW_MS": "500"}) as stack:
        stack.control("PUT", "/behavior", {"speed": 20})
        faults = DatabaseFaults(stack)
        cells = {name: job_cell(faults, row) for name, row in rows.items()}
        only = {key: word for key, word in expected.items() if rows[key[0]]["scenario"]}
        try:
            try_cells("postgres-jobs", only, lambda number: App(stack, number),
                      lambda app, name, fault: cells[name](app, name, fault))
        finally:
            faults.close()
