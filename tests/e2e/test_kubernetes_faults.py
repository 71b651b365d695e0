"""Every distinct call to Kubernetes met by every fault, once: what became of it, and that I1 to I9 hold.

The matrix is kubernetes_faults.tsv: a row for each call (the scenario that makes it; method, path and keys of `spec` that
tell it from others), a column for each fault of tests/support/fault_proxy.py, and in each cell what is expected:

    on         the job goes on and ends as it would have without the fault
    failed     the deployment is taken back, and the old version serves
    stuck      the job is stuck with a reason; after a person's retry it ends as it would have
    given-up   the clean-up is left, and says so on the record
    left       a mark of a lost past stays unknown; the next deployment stops at it, and an abort of that takes it over
    -          there is no such fault for this call

Many environments, each with a namespace of its own, try cells at the same time.  SLUICE_FAULTS=all tries all of them
(`./scripts/test faults`), otherwise one of each fault; SLUICE_FAULTS=CALL tries one row.
"""

import csv
import os
import pathlib

import pytest

from tests.support.cells import OTHER, App, try_cells
from tests.support.fault_proxy import FaultProxy
from tests.support.stack import ROOT, Stack, until

TABLE = pathlib.Path(__file__).with_name("kubernetes_faults.tsv")


def table():
    """Rows by the name of their call; what is expected of each cell."""
    with TABLE.open() as file:
        rows = {row["call"]: row for row in csv.DictReader(file, delimiter="\t")}
    faults = [name for name in next(iter(rows.values())) if name not in ("call", "scenario", "method", "path", "spec")]
    return rows, {(call, fault): row[fault] for call, row in rows.items() for fault in faults if row[fault] != "-"}


def cell_of(proxy, row):
    def cell(app, _, fault):
        """What became of it, in the words of the table."""
        context, target = app.prepare(row["scenario"]), app.idle()
        # what a rollback returns to and a clean-up scales down is what is not served from
        back = row["scenario"] in ("rollback", "restore", "clean-up")
        path = row["path"].replace("TARGET", target).replace("FROM", target if back else OTHER[target])
        number = proxy.arm(app.name, fault, row["method"], path, None if row["spec"] == "*" else row["spec"])
        before, plural = app.watch.selector(), row["call"].partition("-")[2]
        if row["scenario"] == "list":  # a watch that is told to begin anew lists
            proxy.arm(app.name, "410-in-200", "GET", f"/{plural}\\?watch=1")
        if row["scenario"] in ("list", "watch"):
            # one that an earlier cell left without an answer is given up by its caller first
            until(lambda: proxy.cut_watch(app.name, plural), 70, 0.1, what="a watch is cut")
        ended, id, wanted = app.act(row["scenario"], context)
        if ended == "stuck":
            failure = app.stack.deployment(id)["failure"]
            assert failure["code"] and failure["detail"] and failure["hint"], failure
            answer = app.stack.api("POST", f"/deployments/{id}/retry", {"reason": "a test"})
            assert answer.status == 202, answer
            assert app.end(id) == wanted, f"after a retry, not {wanted}"
        app.watch.check()
        until(lambda: proxy.met(number), 10, 0.1, what="the call met the fault")
        proxy.disarm(number)
        if ended == "failed":
            assert app.watch.selector() == before, "the old version does not serve"
        return "on" if ended == wanted else ended
    return cell


@pytest.fixture(scope="module")
def stack():
    bin_dir = os.environ.get("STACK_BIN", ROOT / "build/bin")
    with Stack(bin_dir=bin_dir, env={"SLUICE_WORKER_THREADS": "48", "SLUICE_HANDLER_THREADS": "16"}) as stack:
        stack.control("PUT", "/behavior", {"speed": 20})
        yield stack


@pytest.fixture
def proxy(stack):
    proxy = FaultProxy(stack)
    answer = stack.api("PUT", "/clusters/faulty", {"name": "faulty", "kubeconfig_file": "faulty",
                                                   "context": stack.sql("SELECT spec->>'context' FROM cluster WHERE name = 'local'")})
    assert answer.status in (200, 201), answer
    yield proxy
    proxy.close()


def test_every_call_met_by_every_fault(stack, proxy):
    rows, expected = table()
    cells = {call: cell_of(proxy, row) for call, row in rows.items()}
    try_cells("kubernetes", expected,
              lambda number: App(stack, number, "faulty", lambda since: proxy.writes(f"m{number:02}", since)),
              lambda app, call, fault: cells[call](app, call, fault))
