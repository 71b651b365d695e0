"""The command line's gates against a real server: asked for, said, and shown."""
import json

import pytest

from tests.e2e.test_cli_stack import sluice, stack  # noqa: F401  pylint: disable=unused-import
from tests.support.stack import EXAMPLES

PLACE = ("inopnc", "production", "v1.2.3")
EVIDENCE = ("inopnc", "v1.2.3")


@pytest.fixture(scope="module")
def gated(stack):  # noqa: F811
    """INOPNC with the example's gates; `stack.token` is an administrator's."""
    stack.inopnc()
    stack.release("v1.2.3")
    sluice(stack, 0, "template", "set", "inopnc", "--file", str(EXAMPLES / "checklist.json"))
    assert "created" in sluice(stack, 0, "gates", "set", "inopnc", "production", "--file", str(EXAMPLES / "gates.json")).stdout
    return stack


def as_(stack, subject, role, code, *words):  # noqa: F811
    """The same for somebody else."""
    token, stack.token = stack.token, stack.mint(subject, (role,), ("inopnc",))
    try:
        return sluice(stack, code, *words)
    finally:
        stack.token = token


def test_what_is_asked_for_is_shown_and_replaced_by_force(gated):
    assert json.loads(sluice(gated, 0, "gates", "show", "inopnc", "production").stdout)["checklist"]["before"] == "inopnc"
    assert "unchanged" in sluice(gated, 0, "gates", "set", "inopnc", "production", "--file", str(EXAMPLES / "gates.json")).stdout
    assert "--force" in sluice(gated, 3, "gates", "set", "inopnc", "production", "--file", "-", input="{}").stderr
    listed = sluice(gated, 0, "template", "list").stdout
    assert "before-deployment" in listed and "inopnc" in listed
    shown = json.loads(sluice(gated, 0, "template", "show", "before-deployment", "--json").stdout)
    assert sum(len(group["items"]) for group in shown["groups"]) == 21
    sluice(gated, 0, "template", "set", "ours", "--file", "-", input=json.dumps({"groups": shown["groups"]}))


def test_a_release_is_let_in_by_what_is_said(gated, tmp_path):
    out = sluice(gated, 3, "why", "inopnc", "production").stdout
    assert "v1.2.3 may not go to inopnc/production, for 2 reasons" in out and "- tests: " in out and "- on-call: " in out
    report = tmp_path / "junit.xml"
    report.write_text('<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>')
    assert "failed" in as_(gated, "pipeline", "ci", 1, "evidence", "junit", *EVIDENCE, str(report), "--item", "tests").stdout
    report.write_text('<testsuite><testcase name="a"/></testsuite>')
    assert "passed" in as_(gated, "pipeline", "ci", 0, "evidence", "junit", *EVIDENCE, str(report), "--item", "tests").stdout
    as_(gated, "pipeline", "ci", 3, "checklist", "pass", *PLACE, "on-call", "--person", "ben", "--note", "all week")
    assert "forbidden" in as_(gated, "ann", "releaser", 3, "evidence", "pass", *EVIDENCE, "tests", "--summary", "x").stderr
    out = as_(gated, "ann", "releaser", 0, "checklist", "pass", *PLACE, "on-call", "--person", "ben", "--note", "all week").stdout
    assert "passed  on-call" in out and "names ben" in out and "the gates are open" in out
    assert "v1.2.3 may go" in sluice(gated, 0, "why", *PLACE).stdout
    out = as_(gated, "ann", "releaser", 0, "checklist", "open", *PLACE, "on-call").stdout
    assert "the gates are closed" in out
    out = as_(gated, "ann", "operator", 0, "checklist", "waive", *PLACE, "on-call", "--reason", "nobody is awake", "--expires-in", "1h").stdout
    assert "waived" in out and "as operator" in out and "nobody is awake" in out
    out = sluice(gated, 0, "checklist", "show", *PLACE).stdout
    assert "2 of 2 done, complete" in out
    listed = json.loads(sluice(gated, 0, "evidence", "list", *EVIDENCE, "--item", "tests", "--json").stdout)
    assert [e["state"] for e in listed] == ["passed", "failed"]
    assert sluice(gated, 0, "evidence", "report", *EVIDENCE, listed[0]["report"]).stdout == report.read_text()


def test_people_decide_and_freeze(gated):
    gates = {"approvals": [{"role": "qa", "count": 1}]}
    sluice(gated, 0, "gates", "set", "inopnc", "production", "--file", "-", "--force", input=json.dumps(gates))
    assert f"sluice signoff approve {' '.join(PLACE)} --role qa" in sluice(gated, 3, "why", *PLACE).stdout
    assert "the gates are open" in as_(gated, "kim", "approver:qa", 0, "signoff", "approve", *PLACE, "--role", "qa", "--note", "by hand").stdout
    given = json.loads(sluice(gated, 0, "signoff", "list", *EVIDENCE, "--env", "production", "--json").stdout)[0]
    assert given["valid"] is True and given["by"]["subject"] == "kim"
    frozen = json.loads(as_(gated, "ann", "operator", 0, "freeze", "create", "inopnc", "production", "--reason", "month-end closing",
                            "--for", "2h", "--json").stdout)
    weekly = json.loads(as_(gated, "ann", "operator", 0, "freeze", "create", "inopnc", "--reason", "quiet evenings", "--days", "mon,Friday",
                            "--start", "16:00", "--for", "1h", "--timezone", "Asia/Seoul", "--json").stdout)
    assert weekly["weekly"]["days"] == ["monday", "friday"]
    assert frozen["id"] in sluice(gated, 0, "freeze", "list", "inopnc", "--active").stdout
    assert "Frozen by ann: month-end closing" in sluice(gated, 3, "deploy", *PLACE).stderr
    glass = json.loads(as_(gated, "ann", "operator", 0, "break-glass", "request", "inopnc", "production", "--reason", "payments are down",
                           "--for", "5m", "--json").stdout)["id"]
    as_(gated, "ann", "operator", 3, "break-glass", "confirm", "inopnc", "production", glass)
    assert "no freeze holds inopnc/production until" in \
        as_(gated, "bob", "operator", 0, "break-glass", "confirm", "inopnc", "production", glass).stdout
    assert "open" in sluice(gated, 0, "break-glass", "list", "inopnc", "production").stdout
    sluice(gated, 0, "why", *PLACE)
    for made in (frozen, weekly):
        as_(gated, "ann", "operator", 0, "freeze", "end", made["id"])
    assert "is withdrawn" in as_(gated, "kim", "approver:qa", 0, "signoff", "withdraw", *EVIDENCE, given["id"]).stdout
    sluice(gated, 3, "why", *PLACE)
