"""The command line's gates against a fake server: why, checklists, evidence, sign-offs, freezes, break-glass."""
import json
import re

import pytest

from tests.api.test_cli import (ID, OTHER, RUNNING, SUCCEEDED, api, expect, on_terminal, problem, run,
                                step)  # noqa: F401  pylint: disable=unused-import

PLACE = "/apps/inopnc/releases/v1.2.3"
LIST = f"{PLACE}/checklists/production"
ANN = {"kind": "user", "subject": "ann", "issuer": "sluice"}

MISSING = {"gate": "checklist", "code": "item-open", "what": "tests", "why": "All tests passing: No evidence has come from CI.",
           "who": ["ci", "operator"], "link": f"/api/v1{LIST}"}
OTHER_ITEM = {**MISSING, "what": "review", "why": "Code review: It failed: not yet\u001b[2J."}
APPROVAL = {"gate": "approvals", "code": "approval-missing", "what": "qa", "why": "0 of 1 approvals of qa are there.",
            "who": ["approver:qa"], "link": "/"}
FREEZE = {"gate": "freeze", "code": "frozen", "what": OTHER, "why": "Frozen by ann: holidays", "who": ["operator"],
          "opens_at": "2099-01-02T08:00:00.000Z", "link": "/"}
CLOSED = {"open": False, "blockers": [MISSING, OTHER_ITEM, APPROVAL, FREEZE]}


def item(key, state="open", **more):
    return {"key": key, "title": f"Title of {key}", "kind": "manual", "required": True, "state": state, **more}


CHECKLIST = {"app": "inopnc", "version": "v1.2.3", "environment": "production", "template": {"name": "before-deployment", "version": 3},
             "complete": False, "groups": [
                 {"name": "code-quality", "title": "Code Quality Checks", "items": [
                     item("tests", "passed", kind="evidence", at="2026-11-24T12:00:01.000Z", by=ANN, source="github-actions",
                          summary="412 tests", url="https://ci.example/7", expires_at="2099-01-01T00:00:00.000Z"),
                     item("security-scan", "failed", at="2026-11-24T12:00:02.000Z", by=ANN, note="2 errors\u001b[2J")]},
                 {"name": "team", "title": "Team Communication", "items": [
                     item("backup", "waived", waiver={"reason": "none to make", "role": "operator", "by": ANN,
                                                      "at": "2026-11-24T12:00:03.000Z", "expires_at": "2099-01-01T00:00:00.000Z"}),
                     item("review", "expired", at="2026-11-24T12:00:04.000Z", by=ANN, expires_at="2026-11-24T12:30:00.000Z"),
                     item("on-call"), item("scheduled", required=False)]}]}


def body_text(api):
    return api.requests[-1]["body"]


def body(api, index=-1):
    return json.loads(api.requests[index]["body"])


# --- why -----------------------------------------------------------------------------------------------------------

def test_why_says_what_who_when_and_how(api):
    api.on("GET", "/apps/inopnc/environments/production/blockers", CLOSED)
    out = expect(run(api.url, "why", "inopnc", "production", "v1.2.3"), 3).stdout
    assert api.requests[0]["path"].endswith("/blockers?version=v1.2.3")
    lines = out.splitlines()
    for line in ("v1.2.3 may not go to inopnc/production, for 4 reasons",
                 "  - tests: All tests passing: No evidence has come from CI.", "    who: ci, operator",
                 "  - qa: 0 of 1 approvals of qa are there.", "  - freeze: Frozen by ann: holidays"):
        assert line in lines, out
    assert re.search(r"^    who: operator; opens at 2099-01-02 08:00:00, in \d+ d \d+ h$", out, re.M), out
    for command in ("sluice checklist show inopnc production v1.2.3", "sluice signoff approve inopnc production v1.2.3 --role qa",
                    f"sluice freeze end {OTHER}"):
        assert out.count(command) == 1, out
    assert "\x1b" not in out
    assert json.loads(expect(run(api.url, "why", "inopnc", "production", "v1.2.3", "--json"), 3).stdout) == CLOSED


def test_why_of_what_is_open_is_0(api):
    api.on("GET", "/apps/inopnc/environments/production/blockers", {"open": True, "blockers": []})
    assert expect(run(api.url, "why", "inopnc", "production", "v1.2.3"), 0).stdout == "v1.2.3 may go to inopnc/production\n"


def test_why_says_when_time_alone_opens_it(api):
    api.on("GET", "/apps/inopnc/environments/production/blockers", {"open": False, "opens_at": FREEZE["opens_at"], "blockers": [FREEZE]})
    expect(run(api.url, "why", "inopnc", "production", "v1.2.3"), 3, out="for 1 reason; it opens by itself at 2099-01-02 08:00:00, in ")


def test_why_without_a_version_asks_about_the_newest_in_use(api):
    api.on("GET", "/apps/inopnc/environments/production/blockers", {"open": True, "blockers": []})
    api.on("GET", "/apps/inopnc/releases", {"items": [{"version": "v1.3.0", "yanked_at": "2026-11-24T12:00:00.000Z"},
                                                      {"version": "v1.2.9"}, {"version": "v1.2.3"}], "next_cursor": None})
    expect(run(api.url, "why", "inopnc", "production"), 0, out="v1.2.9 may go")
    api.on("GET", "/apps/inopnc/releases", {"items": [], "next_cursor": None})
    expect(run(api.url, "why", "inopnc", "production"), 2, err="give a VERSION")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_why_fits_a_terminal(api, columns):
    api.on("GET", "/apps/inopnc/environments/production/blockers", {**CLOSED, "blockers": [{**MISSING, "why": "word " * 40}, APPROVAL]})
    text, code = on_terminal(api.url, "why", "inopnc", "production", "v1.2.3", columns=columns)
    lines = text.replace("\r", "").splitlines()
    assert code == 3 and any("✗ tests: word" in line for line in lines)
    assert all(len(line) < columns for line in lines if "sluice" not in line), lines


@pytest.mark.parametrize("blocker, command", [
    ({"code": "release-missing", "what": "v1.2.3"}, "sluice release create inopnc v1.2.3 --image"),
    ({"code": "release-yanked", "what": "v1.2.3"}, "sluice release list inopnc"),
    ({"code": "environment-busy", "what": ID}, f"sluice watch {ID}"),
    ({"code": "not-deployed-there", "what": "staging"}, "sluice deploy inopnc staging v1.2.3"),
    ({"code": "not-accepted", "what": ID, "who": ["approver:support"]}, f"sluice signoff approve --deployment {ID} --role support"),
    ({"code": "not-accepted", "what": ID, "who": ["pia", "admin"]}, "sluice rollback inopnc production --reason"),
    ({"code": "template-missing", "what": "ours"}, "sluice template set ours"),
    ({"code": "item-expired", "what": "tests"}, "sluice checklist show inopnc production v1.2.3"),
    ({"code": "rejected", "what": OTHER}, f"sluice signoff withdraw inopnc v1.2.3 {OTHER}"),
    ({"code": "something-new", "what": "x"}, "What clears them:\n"),
])
def test_each_blocker_has_its_command(api, blocker, command):
    api.on("GET", "/apps/inopnc/environments/production/blockers",
           {"open": False, "blockers": [{"gate": "g", "why": "Because.", "who": [], "link": "/", **blocker}]})
    expect(run(api.url, "why", "inopnc", "production", "v1.2.3"), 3, out=command)


# --- a deployment that is refused ----------------------------------------------------------------------------------

def test_a_refused_deployment_says_each_reason_and_the_ways_on(api):
    api.on("POST", "/deployments", problem(409, "blocked", "Blocked by a gate", detail="inopnc v1.2.3 may not go", **CLOSED))
    err = expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait"), 3).stderr
    for text in ("- tests: All tests passing", "who: ci, operator", "opens at 2099-01-02", "sluice why inopnc production v1.2.3",
                 "sluice deploy inopnc production v1.2.3 --wait-for-gates"):
        assert text in err, err
    assert "\x1b" not in err
    assert json.loads(expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--json"), 3).stdout)["blockers"][2] == APPROVAL


def test_waiting_for_gates_is_asked_for(api):
    api.on("POST", "/deployments", (202, {**RUNNING, "state": "blocked"}))
    expect(run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait-for-gates"), 0, out="is blocked")
    assert body(api)["params"] == {"wait": True}
    assert "sluice why inopnc production v1.2.3" in run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait-for-gates").stdout
    run(api.url, "deploy", "inopnc", "production", "v1.2.3", "--wait-for-gates", "--promote", "manual")
    assert body(api)["params"] == {"promote": "manual", "wait": True}


def test_what_waits_for_gates_says_for_which_and_each_change_once(api):
    blocked = {**RUNNING, "state": "blocked", "steps": [], "open": False, "blockers": [MISSING, APPROVAL]}
    fewer = {**blocked, "blockers": [APPROVAL]}
    frozen = {**RUNNING, "state": "paused", "steps": [step("recheck-gates", "waiting", 2, None, "Frozen by ann: holidays")]}
    api.on("GET", f"/deployments/{ID}", blocked, blocked, fewer, fewer, frozen, SUCCEEDED)
    out = expect(run(api.url, "watch", ID), 0).stdout
    assert out.count("deployment blocked: it begins when its gates open") == 2
    assert out.count("- tests: ") == 1 and out.count("- qa: ") == 2 and "sluice why inopnc production v1.2.3" in out and f"sluice cancel {ID}" in out
    assert out.count("deployment paused: it waits to be resumed. Frozen by ann: holidays") == 1 and f"sluice resume {ID}" in out
    api.on("GET", f"/deployments/{ID}", blocked)
    expect(run(api.url, "status", ID), 0, out="- tests: ")


# --- checklists ----------------------------------------------------------------------------------------------------

def test_a_checklist_in_a_pipe_is_words(api):
    api.on("GET", LIST, CHECKLIST)
    out = expect(run(api.url, "checklist", "show", "inopnc", "production", "v1.2.3"), 0).stdout
    lines = out.splitlines()
    assert lines[0] == "inopnc/production: v1.2.3, checklist before-deployment@3, 2 of 6 done, not complete"
    assert lines[1] == "Code Quality Checks" and lines[4] == "Team Communication"
    assert re.match(r"  passed  tests          Title of tests  by ann, 2026-11-24 12:00:01, .* ago, counts until 2099-01-01 00:00:00, "
                    r"in .*: 412 tests https://ci.example/7$", lines[2]), lines[2]
    assert re.match(r"  failed  security-scan  Title of security-scan  by ann, .*: 2 errors \[2J$", lines[3]), lines[3]
    assert re.match(r"  waived  backup         Title of backup  by ann as operator, .*: none to make$", lines[5]), lines[5]
    assert re.match(r"  expired review         Title of review  by ann, .*, counted until 2026-11-24 12:30:00, ", lines[6]), lines[6]
    assert lines[7:] == ["  open    on-call        Title of on-call", "  open    scheduled      Title of scheduled (optional)"]
    assert json.loads(run(api.url, "checklist", "show", "inopnc", "production", "v1.2.3", "--json").stdout) == CHECKLIST


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_checklist_on_a_terminal_has_marks(api, columns):
    api.on("GET", LIST, CHECKLIST)
    text, code = on_terminal(api.url, "checklist", "show", "inopnc", "production", "v1.2.3", columns=columns)
    assert code == 0 and "\x1b[32m✓\x1b[0m tests" in text and "\x1b[31m✗\x1b[0m security-scan" in text
    plain = re.sub(r"\x1b\[\d*m", "", text.replace("\r", ""))
    assert all(len(line) < columns for line in plain.splitlines() if "https" not in line), plain
    for mark in ("✓ tests", "✗ security-scan", "~ backup", "! review", "· on-call"):
        assert f"  {mark}" in plain
    text, _ = on_terminal(api.url, "checklist", "show", "inopnc", "production", "v1.2.3", NO_COLOR="1")
    assert "✓ tests" in text and not re.search(r"\x1b\[\d*m", text)


def test_what_sluice_looked_at_and_what_clients_were_given_is_shown(api):
    flags = [{"flag": "banner", "yes": 0, "no": 0, "variants": {}}, {"flag": "checkout", "yes": 12, "no": 3, "variants": {"new": 9, "old": 3}}]
    items = [item("flags", "failed", kind="probe", at="2026-11-24T12:00:01.000Z", source="sluice", summary="checkout is killed"),
             item("given", exposure={"since": "2026-11-24T12:00:00.000Z", "flags": flags}),
             item("said", "passed", at="2026-11-24T13:00:00.000Z", by=ANN, exposure={"since": None, "flags": flags}),
             item("none", exposure={"since": None, "flags": []})]
    api.on("GET", LIST, {**CHECKLIST, "groups": [{"name": "all", "title": "All", "items": items}]})
    lines = expect(run(api.url, "checklist", "show", "inopnc", "production", "v1.2.3"), 0).stdout.splitlines()
    assert re.match(r"  failed  flags  Title of flags  by sluice, 2026-11-24 12:00:01, .* ago: checkout is killed$", lines[2]), lines[2]
    assert re.match(r"  open    given  Title of given  clients since 2026-11-24 12:00:00, .* ago: banner on 0 times, off 0; "
                    r"checkout on 12 times, off 3 \(new 9, old 3\)$", lines[3]), lines[3]
    assert re.match(r"  passed  said   Title of said  by ann, .* ago; traffic was not switched$", lines[4]), lines[4]
    assert lines[5] == "  open    none   Title of none"


@pytest.mark.parametrize("words, sent", [
    (["pass", "on-call", "--note", "agreed", "--person", "ben"], {"state": "passed", "note": "agreed", "person": "ben"}),
    (["pass", "on-call", "--expires-in", "1d"], {"state": "passed", "expires_s": 86400}),
    (["fail", "on-call", "--note", "nobody"], {"state": "failed", "note": "nobody"}),
    (["open", "on-call"], {"state": "open"}),
    (["waive", "on-call", "--reason", "tiny", "--role", "operator", "--expires-in", "2h"],
     {"state": "waived", "reason": "tiny", "role": "operator", "expires_s": 7200}),
])
def test_items_are_ticked(api, words, sent):
    answer = {**item("on-call", sent["state"], at="2026-11-24T12:00:04.000Z", by=ANN), "open": False, "effective": True}
    before, after = f"{LIST}/items/on-call", f"/deployments/{ID}/checklists/success/items/on-call"
    api.on("PUT", before, answer)
    api.on("PUT", after, answer)
    out = expect(run(api.url, "checklist", words[0], "inopnc", "production", "v1.2.3", *words[1:]), 0).stdout
    assert body(api) == sent and f"  {sent['state']}" in out and "sluice why inopnc production v1.2.3" in out
    out = expect(run(api.url, "checklist", *words, "--deployment", ID, "--kind", "success", "--json"), 0).stdout
    assert body(api) == sent and json.loads(out) == answer


def test_an_open_gate_and_one_that_is_too_late_are_told(api):
    api.on("PUT", f"{LIST}/items/tests", {**item("tests", "passed"), "open": True, "effective": True})
    words = ["checklist", "pass", "inopnc", "production", "v1.2.3", "tests"]
    expect(run(api.url, *words), 0, out="sluice deploy inopnc production v1.2.3")
    api.on("PUT", f"{LIST}/items/tests", {**item("tests", "failed"), "open": False, "effective": False, "deployment": ID})
    out = expect(run(api.url, *words), 0).stdout
    assert "too late" in out and f"sluice rollback {ID}" in out


@pytest.mark.parametrize("words, hint", [
    (["checklist", "show", "inopnc", "production"], "APP ENV VERSION"),
    (["checklist", "show", "inopnc", "--deployment", ID], "APP ENV VERSION"),
    (["checklist", "show", "a", "b", "c", "--kind", "after"], "--deployment ID --kind"),
    (["checklist", "pass", "a", "b", "c"], "APP ENV VERSION ITEM"),
    (["checklist", "waive", "a", "b", "c", "tests", "--reason", "x"], "--expires-in"),
    (["checklist", "waive", "a", "b", "c", "tests", "--expires-in", "1d"], "--reason"),
    (["checklist", "show", "--deployment", ID, "--kind", "later"], "after|success"),
    (["evidence", "junit", "a", "b", "/dev/null"], "--item"),
    (["evidence", "junit", "a", "b", "/dev/null", "--item", "tests"], "is empty"),
    (["evidence", "junit", "a", "b", "/does/not/exist", "--item", "tests"], "No such file"),
    (["evidence", "pass", "a", "b", "lint"], "--summary"),
    (["evidence", "pass", "a", "b", "lint", "--summary", "x", "--observed-at", "noon"], "--observed-at wants a time"),
    (["signoff", "approve", "a", "b"], "APP ENV VERSION, or --deployment"),
    (["signoff", "approve", "a", "b", "c"], "--role"),
    (["signoff", "withdraw", OTHER], "APP VERSION SIGNOFF"),
    (["signoff", "list", "a"], "APP VERSION"),
    (["freeze", "create", "a"], "--reason"),
    (["freeze", "create", "--reason", "x"], "--to TIME, --for TIME, or --days"),
    (["freeze", "create", "--reason", "x", "--to", "2099-01-01 00:00", "--for", "1h"], "--to TIME or --for TIME, not both"),
    (["freeze", "create", "--reason", "x", "--days", "fri", "--start", "16:00", "--for", "8h"], "--timezone"),
    (["freeze", "create", "--reason", "x", "--days", "fri", "--start", "16:00", "--for", "8h", "--timezone", "UTC", "--to", "2099-01-01 00:00"],
     "belong to a single freeze"),
    (["freeze", "create", "--reason", "x", "--days", "fri,someday", "--start", "16:00", "--for", "8h", "--timezone", "UTC"], "'someday'"),
    (["freeze", "create", "--reason", "x", "--for", "1h", "--start", "16:00"], "belong to --days"),
    (["break-glass", "request", "a", "b", "--for", "30m"], "--reason"),
    (["gates", "set", "a", "b"], "--file"),
    (["template", "set", "a"], "--file"),
    (["evidense", "junit"], "did you mean 'evidence junit'?"),
])
def test_usage_is_2_with_a_hint(words, hint):
    assert hint in expect(run("http://127.0.0.1:1", *words), 2).stderr


# --- evidence ------------------------------------------------------------------------------------------------------

STORED = {"id": OTHER, "item": "tests", "environment": "production", "state": "passed", "summary": "412 tests, 0 failures",
          "open": False, "effective": True}
CI = {name: "" for name in ("GITHUB_RUN_ID", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "CI_JOB_URL")}


@pytest.mark.parametrize("command, media_type", [("junit", "application/junit+xml"), ("sarif", "application/sarif+json"),
                                                 ("bundle", "application/vnd.sluice.bundle+json")])
def test_reports_are_sent_as_they_are(api, tmp_path, command, media_type):
    report = "\ufeff<testsuites/>\0é\n"
    (tmp_path / "report").write_text(report)
    api.on("POST", f"{PLACE}/evidence", (201, STORED))
    words = ["evidence", command, "inopnc", "v1.2.3", str(tmp_path / "report"), "--item", "tests"]
    out = expect(run(api.url, *words, "--env", "production", "--source", "our ci", "--link", "https://ci.example/7?a=b", "--observed-at",
                     "2026-11-24T12:00:00+01:00", "--expires-in", "7d", **CI), 0).stdout
    sent = api.requests[0]
    assert sent["path"] == ("/api/v1" + PLACE + "/evidence?item=tests&environment=production&source=our%20ci&url=https%3A%2F%2Fci.example"
                            "%2F7%3Fa%3Db&observed_at=2026-11-24T11%3A00%3A00.000Z&expires_s=604800")
    assert sent["headers"]["Content-Type"] == media_type and sent["body"] == report
    assert re.fullmatch(r"[0-9a-f-]{36}", sent["headers"]["Idempotency-Key"])
    assert "tests of inopnc v1.2.3 passed: 412 tests, 0 failures" in out and "sluice why inopnc production v1.2.3" in out
    api.on("POST", f"{PLACE}/evidence", (201, {**STORED, "state": "failed"}))
    expect(run(api.url, *words, **CI), 1, out="failed")
    assert api.requests[-1]["path"].endswith("/evidence?item=tests&source=sluice")
    assert json.loads(expect(run(api.url, *words, "--json", **CI), 1).stdout)["state"] == "failed"
    api.on("POST", f"{PLACE}/evidence", problem(400, "invalid-body", "The body is not valid"))
    expect(run(api.url, *words, **CI), 3, err="invalid-body")


def test_evidence_is_said(api):
    api.on("POST", f"{PLACE}/evidence", (201, {**STORED, "item": "lint"}))
    github = {"GITHUB_RUN_ID": "7", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "your-org/inopnc"}
    expect(run(api.url, "evidence", "pass", "inopnc", "v1.2.3", "lint", "--summary", "0 errors", "--env", "production",
               **{**CI, **github}), 0, out="lint of inopnc v1.2.3 passed")
    assert body(api) == {"item": "lint", "environment": "production", "state": "passed", "source": "github-actions", "summary": "0 errors",
                         "url": "https://github.com/your-org/inopnc/actions/runs/7"}
    api.on("POST", f"{PLACE}/evidence", (201, {**STORED, "item": "lint", "state": "failed"}))
    expect(run(api.url, "evidence", "fail", "inopnc", "v1.2.3", "lint", "--summary", "3 errors", "--digest", "sha256:ab",
               **{**CI, "CI_JOB_URL": "https://gitlab.com/j/1"}), 0, out="failed")
    assert body(api) == {"item": "lint", "state": "failed", "source": "gitlab-ci", "summary": "3 errors", "digest": "sha256:ab",
                         "url": "https://gitlab.com/j/1"}


def test_a_lost_answer_stores_nothing_twice(api):
    api.on("POST", f"{PLACE}/evidence", ("cut", ""), (201, STORED))
    expect(run(api.url, "evidence", "pass", "inopnc", "v1.2.3", "lint", "--summary", "x"), 0)
    assert len({r["headers"]["Idempotency-Key"] for r in api.requests}) == 1 and len(api.requests) == 2


def test_evidence_is_listed_and_its_report_printed(api):
    api.on("GET", f"{PLACE}/evidence", {"items": [{**STORED, "observed_at": "2026-11-24T12:00:00.000Z", "by": ANN, "source": "ci"}],
                                        "next_cursor": None})
    out = expect(run(api.url, "evidence", "list", "inopnc", "v1.2.3", "--item", "tests", "--env", "production"), 0).stdout
    assert api.requests[0]["path"].endswith("/evidence?item=tests&environment=production&limit=200")
    assert re.search(r"^2026-11-24T12:00:00.000Z +tests +production +passed +ci +ann ", out, re.M), out
    api.on("GET", f"{PLACE}/reports/{ID}", (200, "<testsuites/>", "application/junit+xml"))
    assert expect(run(api.url, "evidence", "report", "inopnc", "v1.2.3", ID), 0).stdout == "<testsuites/>"
    assert json.loads(run(api.url, "evidence", "report", "inopnc", "v1.2.3", ID, "--json").stdout) == {"report": "<testsuites/>"}


# --- sign-offs -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_signoffs(api, verb):
    signoff = {"id": OTHER, "role": "qa", "decision": verb, "by": ANN, "valid": True, "open": True, "effective": True}
    api.on("POST", f"{PLACE}/signoffs", (201, signoff))
    api.on("POST", f"/deployments/{ID}/signoffs", (201, {**signoff, "acceptance": "accepted"}))
    out = expect(run(api.url, "signoff", verb, "inopnc", "production", "v1.2.3", "--role", "qa", "--note", "looked"), 0).stdout
    assert body(api) == {"environment": "production", "decision": verb, "role": "qa", "note": "looked"}
    assert f"{verb}{'d' if verb == 'approve' else 'ed'} by ann as qa: sign-off {OTHER}" in out and "the gates are open" in out
    out = expect(run(api.url, "signoff", verb, "--deployment", ID, "--role", "final"), 0).stdout
    assert body(api) == {"decision": verb, "role": "final"} and "acceptance is accepted" in out


def test_a_sign_off_says_which_it_replaces(api):
    signoff = {"id": OTHER, "role": "final", "decision": "approve", "by": ANN, "valid": True, "open": False, "effective": True}
    words = ["signoff", "approve", "inopnc", "production", "v1.2.3", "--role", "final"]
    api.on("POST", f"{PLACE}/signoffs", (201, {**signoff, "replaces": ID, "replaces_role": "qa"}))
    expect(run(api.url, *words), 0, out="\n  it replaces the one as qa, which is withdrawn: one person counts once\n")
    api.on("POST", f"{PLACE}/signoffs", (201, signoff))
    assert "replaces" not in expect(run(api.url, *words), 0).stdout


def test_signoffs_are_withdrawn_and_listed(api):
    api.on("DELETE", f"{PLACE}/signoffs/{OTHER}", {"effective": False, "open": False, "deployment": ID})
    out = expect(run(api.url, "signoff", "withdraw", "inopnc", "v1.2.3", OTHER), 0).stdout
    assert f"sign-off {OTHER} is withdrawn" in out and f"sluice rollback {ID}" in out
    api.on("DELETE", f"/deployments/{ID}/signoffs/{OTHER}", {"effective": True, "open": True})
    assert json.loads(run(api.url, "signoff", "withdraw", OTHER, "--deployment", ID, "--json").stdout)["effective"] is True
    listed = {"items": [{"id": OTHER, "environment": "production", "role": "qa", "decision": "approve", "by": ANN, "valid": False,
                         "void_reason": "checklist"}], "next_cursor": None}
    api.on("GET", f"{PLACE}/signoffs", listed)
    out = expect(run(api.url, "signoff", "list", "inopnc", "v1.2.3", "--env", "production"), 0).stdout
    assert re.search(rf"^{OTHER} +production +qa +approve +ann +- +no +checklist ", out, re.M), out
    assert api.requests[-1]["path"].endswith("/signoffs?environment=production&limit=200")
    api.on("GET", f"/deployments/{ID}/signoffs", listed)
    expect(run(api.url, "signoff", "list", "--deployment", ID), 0, out=OTHER)


# --- freezes and break-glass ---------------------------------------------------------------------------------------

def test_freezes(api):
    made = {"id": OTHER, "app": "inopnc", "environment": "production", "reason": "holidays", "active": True,
            "ends_at": "2026-12-27T08:00:00.000Z", "created_by": ANN}
    api.on("POST", "/freezes", (201, made))
    out = expect(run(api.url, "freeze", "create", "inopnc", "production", "--reason", "holidays", "--from", "2026-12-24 18:00", "--to",
                     "2026-12-27T09:00:00+01:00", TZ="Europe/Berlin"), 0).stdout
    assert body(api) == {"app": "inopnc", "environment": "production", "reason": "holidays", "starts_at": "2026-12-24T17:00:00.000Z",
                         "ends_at": "2026-12-27T08:00:00.000Z"}
    assert "inopnc/production is frozen until 2026-12-27 09:00:00, now too" in out and f"sluice freeze end {OTHER}" in out
    expect(run(api.url, "freeze", "create", "--reason", "x", "--from", "2026-12-24 18:00", "--for", "90m", "--let-running-finish"), 0)
    assert body(api) == {"reason": "x", "starts_at": "2026-12-24T18:00:00.000Z", "ends_at": "2026-12-24T19:30:00.000Z",
                         "let_running_finish": True}
    api.on("POST", "/freezes", (201, {**made, "environment": None, "active": False, "weekly": {"days": ["friday"]}}))
    expect(run(api.url, "freeze", "create", "inopnc", "--reason", "weekend", "--days", "Fri,saturday", "--start", "16:00", "--for", "8h",
               "--timezone", "Asia/Seoul"), 0, out="inopnc freezes every week\n")
    assert body(api) == {"app": "inopnc", "reason": "weekend",
                         "weekly": {"days": ["friday", "saturday"], "start": "16:00", "timezone": "Asia/Seoul", "duration_s": 28800}}
    api.on("DELETE", f"/freezes/{OTHER}", (204, ""))
    expect(run(api.url, "freeze", "end", OTHER), 0, out=f"freeze {OTHER} is ended")
    api.on("GET", "/freezes", {"items": [{**made, "weekly": {"days": ["friday", "saturday"], "start": "16:00"}}], "next_cursor": None})
    expect(run(api.url, "freeze", "list", "inopnc", "production", "--active"), 0, out="friday, saturday")
    assert api.requests[-1]["path"] == "/api/v1/freezes?app=inopnc&environment=production&active=true&limit=200"
    run(api.url, "freeze", "list", "--active")
    assert api.requests[-1]["path"] == "/api/v1/freezes?active=true&limit=200"


def test_a_freeze_says_what_it_found_running(api):
    running = [{"deployment": ID, "app": "inopnc", "environment": "production", "finishes": False},
               {"deployment": OTHER, "app": "inopnc", "environment": "staging", "finishes": True}]
    made = {"id": OTHER, "app": "inopnc", "environment": None, "reason": "outage", "active": True, "ends_at": "2026-12-27T08:00:00.000Z"}
    api.on("POST", "/freezes", (201, {**made, "running": running}))
    out = expect(run(api.url, "freeze", "create", "inopnc", "--reason", "outage", "--for", "2h"), 0).stdout
    assert out.splitlines()[1:3] == [
        f"  inopnc/production: deployment {ID} stops before its cut-over, and goes on when it is resumed after the freeze",
        f"  inopnc/staging: deployment {OTHER} finishes"]
    api.on("POST", "/freezes", (201, {**made, "running": []}))
    assert "deployment" not in expect(run(api.url, "freeze", "create", "inopnc", "--reason", "outage", "--for", "2h"), 0).stdout


def test_break_glass_takes_two(api):
    path = "/apps/inopnc/environments/production/break-glass"
    glass = {"id": OTHER, "state": "requested", "reason": "outage", "duration_s": 1800, "requested_by": ANN}
    api.on("POST", path, (201, glass))
    out = expect(run(api.url, "break-glass", "request", "inopnc", "production", "--reason", "outage", "--for", "30m"), 0).stdout
    assert body(api) == {"reason": "outage", "duration_s": 1800}
    assert f"sluice break-glass confirm inopnc production {OTHER}" in out
    api.on("POST", f"{path}/{OTHER}/confirm", {**glass, "state": "open", "until": "2099-01-01T00:00:00.000Z"})
    expect(run(api.url, "break-glass", "confirm", "inopnc", "production", OTHER), 0,
           out="no freeze holds inopnc/production until 2099-01-01 00:00:00, in ")
    assert body_text(api) == ""  # confirming takes none
    api.on("GET", path, {"items": [glass], "next_cursor": None})
    expect(run(api.url, "break-glass", "list", "inopnc", "production"), 0, out="requested")


# --- what is asked for ---------------------------------------------------------------------------------------------

def test_gates_and_templates_go_both_ways(api):
    gates, template = '{ "freeze": true }', '{ "groups": [] }'
    api.on("PUT", "/apps/inopnc/environments/production/gates", (201, {}))
    expect(run(api.url, "gates", "set", "inopnc", "production", "--file", "-", stdin=gates), 0, out="gates of inopnc/production created")
    assert api.requests[-1]["body"] == gates
    api.on("PUT", "/checklist-templates/ours", problem(428, "precondition-required", "If-Match is required"))
    expect(run(api.url, "template", "set", "ours", "--file", "-", stdin=template), 3, err="--force")
    api.on("GET", "/apps/inopnc/environments/production/gates", {"freeze": True})
    assert json.loads(expect(run(api.url, "gates", "show", "inopnc", "production"), 0).stdout) == {"freeze": True}
    api.on("GET", "/checklist-templates/ours", {"groups": []})
    assert json.loads(expect(run(api.url, "template", "show", "ours"), 0).stdout) == {"groups": []}
    api.on("GET", "/checklist-templates", {"items": [{"name": "before-deployment", "version": 1, "built_in": True}], "next_cursor": None})
    expect(run(api.url, "template", "list"), 0, out="before-deployment  1        yes")
