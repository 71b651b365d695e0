"""Evidence from CI: bound to a release's content, the last one observed counts, none is ever replaced."""

import datetime
import hashlib
import json
import time
import urllib.parse

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import IMAGE

URL = "https://github.com/your-org/inopnc/actions/runs/7"
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture(scope="session")
def ci(stack):
    return stack.mint("github-actions", ("ci",))


@pytest.fixture
def release(stack, environment):
    """The name of an app with a release v1.0.0, whose environment asks for the runbook's checklist."""
    assert stack.api("POST", f"/apps/{environment}/releases",
                     {"version": "v1.0.0", "image": f"{IMAGE}:v1.0.0", "digest": DIGEST}).status == 201
    asks_for(stack, environment, "before-deployment")
    return environment


def asks_for(stack, app, template, env="production", **gates):
    spec = json.dumps({"checklist": {"before": template}, **gates})
    stack.sql(f"INSERT INTO environment_gate (environment_id, spec) SELECT id, '{spec}' FROM environment"
              f" WHERE app = '{app}' AND name = '{env}' ON CONFLICT (environment_id) DO UPDATE SET spec = excluded.spec")


def evidence(item="tests", **fields):
    return {"item": item, "state": "passed", "source": "github-actions", "url": URL, "summary": "120 passed", **fields}


def post(stack, app, token, body, version="v1.0.0", query="", **kwargs):
    return stack.api("POST", f"/apps/{app}/releases/{version}/evidence{query}", body, token=token, **kwargs)


def listed(stack, app, query=""):
    answer = stack.api("GET", f"/apps/{app}/releases/v1.0.0/evidence{query}")
    assert answer.status == 200, answer
    return answer["items"]


def blocking(stack, app, version="v1.0.0"):
    answer = stack.api("GET", f"/apps/{app}/environments/production/blockers?version={version}")
    assert answer.status == 200, answer
    return {blocker["what"]: blocker["code"] for blocker in answer["blockers"]}


def ago(**span):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**span)).isoformat()


# ---- said in JSON ----

def test_an_item_that_no_checklist_has_is_refused(stack, ci, release):
    answer = refused(post(stack, release, ci, evidence("test")), 400, "invalid-body")
    assert answer["errors"][0]["field"] == "/item" and "has an item test" in answer["errors"][0]["detail"]
    asks_for(stack, release, None)
    assert post(stack, release, ci, evidence("test")).status == 201  # nobody asks for a checklist yet


def test_evidence_passes_an_item(stack, ci, release):
    assert blocking(stack, release)["tests"] == "item-open"
    answer = post(stack, release, ci, evidence(environment="production", expires_s=3600))
    assert answer.status == 201, answer
    digest = stack.api("GET", f"/apps/{release}/releases/v1.0.0")["content_digest"]
    expected = {"item": "tests", "environment": "production", "state": "passed", "source": "github-actions", "url": URL,
                "digest": digest, "summary": "120 passed", "by": {"kind": "ci", "subject": "github-actions", "issuer": "sluice"}}
    assert {key: answer[key] for key in expected} == expected
    assert answer["open"] is False and answer["effective"] is True
    assert "tests" not in blocking(stack, release)
    item, = listed(stack, release)
    assert item == {key: value for key, value in answer.json.items() if key not in ("open", "effective")}
    record, = [r for r in stack.chain(f"{release}/production") if r["action"].startswith("evidence.")]
    assert (record["action"], record["subject"], record["actor"]["subject"]) == ("evidence.passed", "v1.0.0", "github-actions")
    assert record["data"]["id"] == answer["id"] and record["data"]["digest"] == digest and record["data"]["url"] == URL


def test_evidence_of_every_environment(stack, ci, release):
    assert stack.api("PUT", f"/apps/{release}/environments/staging", environment_body(release + "-s")).status == 201
    assert post(stack, release, ci, evidence(environment="staging")).status == 201
    assert "tests" in blocking(stack, release)
    answer = post(stack, release, ci, evidence())
    assert answer.status == 201 and answer["environment"] is None
    assert "tests" not in blocking(stack, release)
    assert [r["action"] for r in stack.chain(release)][-1] == "evidence.passed"
    assert len(listed(stack, release, "?environment=staging")) == 2
    assert len(listed(stack, release, "?environment=production")) == 1
    assert listed(stack, release, "?item=lint") == []


def test_the_gate_opens_with_the_last_item_and_closes_with_a_failure(stack, ci, release):
    template = json.dumps([{"name": "g", "title": "G", "items": [{"key": "tests", "title": "Tests", "kind": "evidence"}]}])
    stack.sql(f"INSERT INTO checklist_template (name, version, groups) VALUES ('{release}', 1, '{template}')")
    asks_for(stack, release, release)
    assert post(stack, release, ci, evidence()).json["open"] is True
    answer = post(stack, release, ci, evidence(state="failed", summary="3 of 120 failed"))
    assert answer.status == 201 and answer["open"] is False
    assert blocking(stack, release) == {"tests": "item-failed"}
    assert [item["state"] for item in listed(stack, release)] == ["failed", "passed"]  # both stay on record
    actions = [r["action"] for r in stack.chain(f"{release}/production") if r["action"].startswith("gate.")]
    assert actions == ["gate.opened", "gate.closed"]


def test_what_was_observed_last_counts(stack, ci, release):
    assert post(stack, release, ci, evidence(observed_at=ago(minutes=5))).status == 201
    assert post(stack, release, ci, evidence(state="failed", observed_at=ago(minutes=10))).status == 201
    assert "tests" not in blocking(stack, release)
    assert post(stack, release, ci, evidence(state="failed", observed_at=ago(minutes=4))).status == 201
    assert blocking(stack, release)["tests"] == "item-failed"


def test_evidence_expires(stack, ci, release):
    answer = post(stack, release, ci, evidence(observed_at=ago(minutes=5), expires_s=60))
    assert answer.status == 201 and answer["expires_at"]
    assert blocking(stack, release)["tests"] == "item-expired"


def test_what_comes_after_the_cut_over_is_too_late_and_says_so(stack, ci):
    stack.inopnc()
    version = f"v9.0.{int(stack.sql('SELECT count(*) FROM deployment'))}"
    id = stack.deploy(version)
    stack.wait(id, "succeeded")
    answer = post(stack, "inopnc", ci, evidence(environment="production", state="failed"), version)
    assert answer.status == 201 and answer["effective"] is False and answer["deployment"] == id
    record = [r for r in stack.chain() if r["action"] == "evidence.failed"][-1]
    assert record["subject"] == version


def test_evidence_may_come_before_the_gates(stack, ci, environment):
    assert stack.api("POST", f"/apps/{environment}/releases", {"version": "v1.0.0", "image": IMAGE}).status == 201
    answer = post(stack, environment, ci, evidence("whatever"))
    assert answer.status == 201 and answer["open"] is True
    assert post(stack, environment, ci, evidence(environment="production")).status == 201
    asks_for(stack, environment, "before-deployment")
    assert "tests" not in blocking(stack, environment)


@pytest.mark.parametrize("digest", [DIGEST, "content"])
def test_a_digest_names_what_was_looked_at(stack, ci, release, digest):
    content = stack.api("GET", f"/apps/{release}/releases/v1.0.0")["content_digest"]
    assert post(stack, release, ci, evidence(digest=content if digest == "content" else digest)).status == 201
    other = "f" * 64 if digest == "content" else "sha256:" + "f" * 64
    refused(post(stack, release, ci, evidence(digest=other)), 400, "invalid-body", "/digest")


@pytest.mark.parametrize("field, value", [
    ("observed_at", "2020-01-01T00:00:00Z"), ("observed_at", "1970-01-01T00:00:00Z"), ("observed_at", "2199-01-01T00:00:00Z"), ("url", "javascript:alert(1)"),
    ("url", "https://"), ("url", "https://a b"), ("url", "ftp://example.com/"), ("item", "nonsense"), ("item", "on-call"),
    ("item", "backup"), ("state", "open"), ("expires_s", 59), ("summary", "")])
def test_bad_fields_are_named(stack, ci, release, field, value):
    before = heads(stack)
    refused(post(stack, release, ci, evidence(**{"environment": "production", field: value})), 400, "invalid-body", "/" + field)
    assert heads(stack) == before and listed(stack, release) == []


def test_evidence_never_ticks_a_person_s_item(stack, ci, release):
    refused(post(stack, release, ci, evidence("on-call")), 400, "invalid-body", "/item")
    assert stack.api("POST", f"/apps/{release}/releases", {"version": "v1.1.0", "image": IMAGE}).status == 201
    stack.sql(f"DELETE FROM environment_gate g USING environment e WHERE g.environment_id = e.id AND e.app = '{release}'")
    assert post(stack, release, ci, evidence("on-call"), "v1.1.0").status == 201  # nobody asks yet
    asks_for(stack, release, "before-deployment")
    assert blocking(stack, release, "v1.1.0")["on-call"] == "item-open"


def test_what_is_not_there(stack, ci, release):
    refused(post(stack, release, ci, evidence(), "v9.9.9"), 404, "not-found")
    refused(post(stack, release, ci, evidence(environment="nowhere")), 404, "not-found")
    refused(post(stack, release + "x", ci, evidence()), 404, "not-found")
    refused(stack.api("GET", f"/apps/{release}/releases/v9.9.9/evidence"), 404, "not-found")
    refused(stack.api("GET", f"/apps/{release}/releases/v1.0.0/evidence?environment=nowhere"), 404, "not-found")


def test_people_post_no_evidence(stack, ci, release):
    refused(post(stack, release, None, evidence()), 403, "forbidden")  # an administrator
    person = stack.mint("ann", ("ci",), kind="user")
    refused(post(stack, release, person, evidence()), 403, "forbidden")
    assert post(stack, release, stack.mint("b", ("ci",), kind="bot"), evidence()).status == 201


def test_the_same_key_stores_once(stack, ci, release):
    key = {"Idempotency-Key": f"evidence-{release}"}
    first, again = (post(stack, release, ci, evidence(), headers=key) for _ in range(2))
    assert first.status == again.status == 201 and first.raw == again.raw
    assert len(listed(stack, release)) == 1
    refused(post(stack, release, ci, evidence("lint"), headers=key), 422, "idempotency-mismatch")


def test_lists_come_in_pages(stack, ci, release):
    for i in range(5):
        assert post(stack, release, ci, evidence(summary=str(i))).status == 201
    seen, query = [], "?limit=2"
    while query:
        page = stack.api("GET", f"/apps/{release}/releases/v1.0.0/evidence{query}")
        seen += [item["summary"] for item in page["items"]]
        query = page["next_cursor"] and f"?limit=2&cursor={page['next_cursor']}"
    assert seen == ["4", "3", "2", "1", "0"]


# ---- reports that Sluice reads itself ----

JUNIT, SARIF, BUNDLE = "application/junit+xml", "application/sarif+json", "application/vnd.sluice.bundle+json"
PASSING = "<testsuites><testsuite name='unit' tests='2'><testcase name='a'/><testcase name='b'/></testsuite></testsuites>"
FAILING = "<testsuite><testcase classname='c' name='a'><failure message='no'/></testcase><testcase name='b'/></testsuite>"


def send(stack, app, token, media_type, report, item="tests", environment="production", headers=None, **query):
    query = {"item": item, "environment": environment, "source": "github-actions", **query}
    query = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
    return post(stack, app, token, report, query="?" + query, headers={"Content-Type": media_type, **(headers or {})})


def sarif(*results, rules=(), **run):
    return json.dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "scanner", "rules": list(rules)}}, "results": list(results), **run}]})


def bundle(*sizes):
    return json.dumps({"files": [{"name": f"{i}.js", "bytes": size} for i, size in enumerate(sizes)]})


def template(stack, app, **params):
    """A checklist of one item per name, with these params."""
    groups = json.dumps([{"name": "g", "title": "G", "items": [
        {"key": key, "title": key, "kind": "evidence", "params": value} for key, value in params.items()]}])
    stack.sql(f"INSERT INTO checklist_template (name, version, groups) VALUES ('{app}', 1, '{groups}')")
    asks_for(stack, app, app)


def test_a_junit_report_passes_and_is_kept(stack, ci, release):
    answer = send(stack, release, ci, JUNIT, PASSING, url=URL, expires_s=3600)
    assert answer.status == 201, answer
    assert (answer["state"], answer["summary"], answer["url"]) == ("passed", "Passed: 2", URL)
    assert "tests" not in blocking(stack, release)
    kept = stack.api("GET", f"/apps/{release}/releases/v1.0.0/reports/{answer['report']}")
    assert kept.status == 200 and kept.raw.decode() == PASSING
    assert kept.headers["Content-Type"] == JUNIT and kept.headers["Content-Disposition"] == "attachment"
    digest = hashlib.sha256(PASSING.encode()).hexdigest()
    assert kept.headers["ETag"] == f'"{digest}"'
    assert listed(stack, release)[0]["report"] == answer["report"]
    record = [r for r in stack.chain(f"{release}/production") if r["action"] == "evidence.passed"][-1]
    assert record["data"]["report"] == answer["report"]
    assert stack.sql(f"SELECT sha256, bytes FROM report WHERE id = '{answer['report']}'") == f"{digest}|{len(PASSING)}"


@pytest.mark.parametrize("report, summary", [
    (FAILING, "Failed: 1 of 2: c.a"), ("<testsuite/>", "No test was run"),
    ("<testsuite><testcase><skipped/></testcase></testsuite>", "Every test was skipped: 1"),
    ("<testsuite tests='120'><testcase/></testsuite>", "The report is cut")])
def test_a_junit_report_that_is_no_pass_closes_the_gate(stack, ci, release, report, summary):
    assert send(stack, release, ci, JUNIT, PASSING).status == 201
    answer = send(stack, release, ci, JUNIT, report)
    assert answer.status == 201 and answer["state"] == "failed" and answer["summary"].startswith(summary)
    assert blocking(stack, release)["tests"] == "item-failed"
    assert stack.chain(f"{release}/production")[-1]["action"] == "evidence.failed"


@pytest.mark.parametrize("media_type, report, field, detail", [
    (JUNIT, "", "", "Line 1"), (JUNIT, "<testsuite>\n<testcase>", "", "Line 2"), (JUNIT, "<html/>", "", "root"),
    (JUNIT, "<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite>&a;</testsuite>", "", "document type"), (JUNIT, b"\xff\xfe", "", "Line"),
    (SARIF, "", "", "cut"), (SARIF, "{}", "/version", "Required"), (SARIF, '{"version": "2.1.0", "runs": [{}]}', "/runs/0/tool", "Re"),
    (SARIF, sarif({"level": "fatal"}), "/runs/0/results/0/level", "level"), (SARIF, sarif().encode("utf-16"), "", "UTF-8"),
    (BUNDLE, "{}", "/files", "Required"), (BUNDLE, '{"files": [{"name": "a", "bytes": -1}]}', "/files/0/bytes", "bytes")],
    ids=range(12))
def test_what_is_no_report_is_refused(stack, ci, release, media_type, report, field, detail):
    before = heads(stack)
    answer = refused(send(stack, release, ci, media_type, report), 400, "invalid-body", field)
    assert detail in answer["errors"][0]["detail"]
    assert answer["detail"] == (f"{field}: " if field else "") + answer["errors"][0]["detail"]
    assert heads(stack) == before and listed(stack, release) == []


@pytest.mark.parametrize("query, field", [
    ({"item": None}, "item"), ({"item": "A b"}, "item"), ({"item": "nonsense"}, "item"), ({"item": "on-call"}, "item"),
    ({"source": None}, "source"), ({"source": ""}, "source"), ({"source": "x" * 256}, "source"), ({"url": "javascript:x"}, "url"),
    ({"environment": "A"}, "environment"), ({"digest": "f" * 64}, "digest"), ({"observed_at": "yesterday"}, "observed_at"),
    ({"observed_at": "1970-01-01T00:00:00Z"}, "observed_at"), ({"expires_s": "59"}, "expires_s"), ({"expires_s": "1h"}, "expires_s"),
    ({"expires_s": "-60"}, "expires_s"), ({"state": "passed"}, "state")])
def test_bad_queries_of_reports_are_named(stack, ci, release, query, field):
    refused(send(stack, release, ci, JUNIT, PASSING, **query), 400, "invalid-query", field)
    assert listed(stack, release) == []


def test_json_says_it_without_a_query(stack, ci, release):
    refused(post(stack, release, ci, evidence(), query="?item=tests"), 400, "invalid-query", "item")


def test_sarif_is_held_to_the_item_s_thresholds(stack, ci, release):
    severe = {"id": "sqli", "properties": {"security-severity": "7.5"}}
    warning = sarif({"ruleId": "sqli", "message": {"text": "m"}}, rules=[severe])
    template(stack, release, usual={}, strict={"max_level": "note"}, low={"max_security_severity": 7})
    assert send(stack, release, ci, SARIF, warning, "usual")["state"] == "passed"
    assert send(stack, release, ci, SARIF, warning, "strict")["state"] == "failed"
    answer = send(stack, release, ci, SARIF, warning, "low")
    assert answer["state"] == "failed" and answer["summary"] == \
        "0 errors, 1 warnings, 0 notes, security severity up to 7.5: sqli"
    assert send(stack, release, ci, SARIF, sarif({"level": "error"}), "usual")["state"] == "failed"
    assert send(stack, release, ci, SARIF, sarif(invocations=[{"executionSuccessful": False}]), "usual")["state"] == "failed"


def test_the_strictest_of_several_environments(stack, ci, release):
    assert stack.api("PUT", f"/apps/{release}/environments/staging", environment_body(release + "-s")).status == 201
    for name, params in (("loose", {"max_total_bytes": 100}), ("tight", {"max_total_bytes": 10, "max_file_bytes": 9})):
        groups = json.dumps([{"name": "g", "title": "G", "items": [
            {"key": "bundle", "title": "B", "kind": "evidence", "params": params}]}])
        stack.sql(f"INSERT INTO checklist_template (name, version, groups) VALUES ('{release}-{name}', 1, '{groups}')")
    asks_for(stack, release, f"{release}-loose", "staging")
    asks_for(stack, release, f"{release}-tight", "production")
    assert send(stack, release, ci, BUNDLE, bundle(20, 30), "bundle", "staging")["state"] == "passed"
    answer = send(stack, release, ci, BUNDLE, bundle(20, 30), "bundle", None)
    assert answer["state"] == "failed" and answer["summary"] == "50 bytes in all, at most 10 may be"
    assert send(stack, release, ci, BUNDLE, bundle(5, 5), "bundle", None)["state"] == "passed"


def test_a_bundle_without_limits_is_refused(stack, ci, release):
    answer = refused(send(stack, release, ci, BUNDLE, bundle(1), "bundle"), 400, "invalid-query", "item")
    assert "max_total_bytes" in answer["errors"][0]["detail"]
    assert blocking(stack, release)["bundle"] == "item-open"


def test_params_that_are_no_limits_are_refused(stack, ci, release):
    template(stack, release, scan={"max_level": "high"})
    answer = refused(send(stack, release, ci, SARIF, sarif(), "scan"), 400, "invalid-query", "item")
    assert "max_level" in answer["errors"][0]["detail"]


def test_the_same_key_reads_a_report_once(stack, ci, release):
    key = {"Idempotency-Key": f"report-{release}"}
    first, again = (send(stack, release, ci, JUNIT, PASSING, headers=key) for _ in range(2))
    assert first.status == again.status == 201 and first.raw == again.raw
    assert stack.sql(f"SELECT count(*) FROM report WHERE release_id = (SELECT id FROM release WHERE app = '{release}')") == "1"
    refused(send(stack, release, ci, JUNIT, PASSING, "lint", headers=key), 422, "idempotency-mismatch")  # the query counts


def test_types_and_sizes(stack, ci, release):
    for media_type in ("application/xml", "text/xml", "application/vnd.sluice.bundle", "application/junit+xmlx"):
        refused(send(stack, release, ci, media_type, PASSING), 415, "unsupported-media-type")
    refused(send(stack, release, ci, JUNIT, b" " * ((16 << 20) + 1)), 413, "body-too-large")
    refused(post(stack, release, ci, b" " * ((256 << 10) + 1), headers={"Content-Type": "application/json"}), 413, "body-too-large")
    assert send(stack, release, ci, JUNIT + "; charset=utf-8", PASSING).status == 201


def test_large_reports(stack, ci, release):
    case = "<testcase name='a'/>"
    suite = "<testsuite>" + case * (((16 << 20) - 40) // len(case)) + "</testsuite>"
    scan = sarif(*[{"ruleId": "r", "level": "note", "message": {"text": str(i)}} for i in range(10 ** 5)])
    for media_type, report, item in ((JUNIT, suite, "tests"), (SARIF, scan, "security-scan")):
        began = time.monotonic()
        answer = send(stack, release, ci, media_type, report, item)
        print(f"{media_type}: {len(report)} bytes in {time.monotonic() - began:.2f} s")
        assert answer.status == 201 and answer["state"] == "passed", answer
        kept = stack.api("GET", f"/apps/{release}/releases/v1.0.0/reports/{answer['report']}")
        assert kept.raw == report.encode()


def test_reports_that_are_not_there(stack, ci, release, name):
    report = send(stack, release, ci, JUNIT, PASSING)["report"]
    none = "01990000-0000-7000-8000-000000000000"
    refused(stack.api("GET", f"/apps/{release}/releases/v1.0.0/reports/{none}"), 404, "not-found")
    refused(stack.api("GET", f"/apps/{release}/releases/v1.0.0/reports/x"), 400, "invalid-path")
    assert stack.api("POST", f"/apps/{release}/releases", {"version": "v1.1.0", "image": IMAGE}).status == 201
    refused(stack.api("GET", f"/apps/{release}/releases/v1.1.0/reports/{report}"), 404, "not-found")
    stranger = stack.mint("s", ("viewer",), (name + "-other",))
    refused(stack.api("GET", f"/apps/{release}/releases/v1.0.0/reports/{report}", token=stranger), 403, "forbidden")


def test_the_command_line_sends_and_fetches_reports(stack, ci, release, tmp_path):
    file = tmp_path / "junit.xml"
    for report, status, state in ((PASSING, 0, "passed"), (FAILING, 1, "failed")):
        file.write_text(report)
        said = stack.cli("evidence", "junit", release, "v1.0.0", file, "--item", "tests", "--env", "production", token=ci)
        assert said.returncode == status, said
        newest = listed(stack, release)[0]
        assert newest["state"] == state
        assert stack.cli("evidence", "report", release, "v1.0.0", newest["report"], token=ci).stdout == report
