"""The pipelines under docs/examples/ci: their jobs that use sluice are run as they stand, against a real server."""

import http.server
import json
import os
import re
import subprocess
import threading

import pytest
import yaml

from tests.support.stack import EXAMPLES, IMAGE, ROOT, Stack, until

CI = ROOT / "docs" / "examples" / "ci"
ITEMS = ["tests", "review", "security-scan", "bundle", "typescript", "lint"]
COMMIT = "4f2a91c0d2b54c1f8b1a6e7d3c9f0a2b4d6e8f01"
SUBJECT = "repo:your-org/inopnc:environment:production"

JUNIT = '<testsuites><testsuite name="all" tests="{n}" failures="{f}" errors="0">{cases}</testsuite></testsuites>\n'
PASSED, FAILED = '<testcase name="a" classname="x" time="0.1"/>', '<testcase name="b" classname="x"><failure message="1 != 2"/></testcase>'
SARIF = {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
         "runs": [{"tool": {"driver": {"name": "Trivy", "rules": []}}, "results": []}]}


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def inopnc(stack):
    """INOPNC, whose production asks for what the pipelines send, and for a person."""
    stack.inopnc()
    items = [{"key": key, "title": f"Title of {key}", "kind": "evidence", "required": True} for key in ITEMS]
    items[ITEMS.index("bundle")]["params"] = {"max_total_bytes": 500000}
    items.append({"key": "on-call", "title": "On-call engineer identified", "kind": "manual", "required": True})
    template = {"groups": [{"name": "all", "title": "All", "items": items}]}
    assert stack.api("PUT", "/checklist-templates/from-ci", template).status == 201
    assert stack.api("PUT", "/apps/inopnc/environments/production/gates", {"checklist": {"before": "from-ci"}}).status == 201
    return stack


@pytest.fixture(scope="module")
def tokens(stack):
    """Answers like GitHub's: a token for a job that proves itself."""
    token, asked = stack.mint(SUBJECT, ("ci",), ("inopnc",)), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            data = json.dumps({"value": token}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"url": f"http://127.0.0.1:{server.server_port}/token?api-version=2.0", "token": token, "asked": asked}
    server.shutdown()


class Job:
    """A folder with what the build left there, and the steps that are run in it."""

    def __init__(self, stack, folder, version, failures=0):
        self.folder, self.ran, self.variables = folder, [], {}
        reports = folder / "reports"
        reports.mkdir()
        (reports / "junit.xml").write_text(JUNIT.format(n=1 + failures, f=failures, cases=PASSED + FAILED * failures))
        (reports / "scan.sarif").write_text(json.dumps(SARIF))
        (reports / "bundle.json").write_text(json.dumps({"files": [{"name": "chunks/main.js", "bytes": 81234}]}))
        (reports / "digest").write_text("sha256:" + version.encode().hex().ljust(64, "0"))
        self.env = {"PATH": f"{stack.program('sluice').parent}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8"}

    def run(self, script, **env):
        """One step: what it printed; its status is kept."""
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=self.folder, env={**self.env, **env, **self.variables},
                              capture_output=True, text=True, timeout=120, check=False)
        self.ran.append((script, done.returncode, done.stdout + done.stderr))
        return done.returncode == 0

    def output(self, words):
        return next(output for script, _, output in self.ran if words in script)

    def status(self, words):
        return next(status for script, status, _ in self.ran if words in script)


def github(stack, tokens, job, version):
    """The steps of job release, with what GitHub puts into expressions and variables."""
    workflow = yaml.safe_load((CI / "github-actions.yaml").read_text())
    release = workflow["jobs"]["release"]
    known = {"inputs.version": version, "needs.build.outputs.digest": (job.folder / "reports" / "digest").read_text()}
    variables = job.folder / "variables"
    variables.write_text("")
    env = {name: re.sub(r"\$\{\{ (.*?) }}", lambda found: known[found[1]], value)
           for name, value in {**workflow["env"], **release["env"]}.items()}
    assert release["environment"] == "production" and release["permissions"] == {"id-token": "write"}
    env |= {"SLUICE_URL": stack.urls[0], "GITHUB_ENV": str(variables), "GITHUB_RUN_ID": f"77{version[-1]}", "GITHUB_SHA": COMMIT,
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "your-org/inopnc", "ACTIONS_ID_TOKEN_REQUEST_URL": tokens["url"],
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "proof"}
    good = True
    for step in release["steps"]:
        if "run" in step and (good or "cancelled" in step.get("if", "")):
            good = job.run(step["run"], **env) and good
            job.variables = dict(line.split("=", 1) for line in variables.read_text().splitlines())
    return good


def gitlab(stack, tokens, job, version):
    """The scripts of job release, with what GitLab puts into variables."""
    pipeline = yaml.safe_load((CI / "gitlab-ci.yaml").read_text())
    release = pipeline["release"]
    assert release["environment"] == "production" and list(release["id_tokens"]) == ["SLUICE_TOKEN"]
    env = {**pipeline["variables"], **release["variables"], "SLUICE_URL": stack.urls[0], "SLUICE_TOKEN": tokens["token"], "VERSION": version,
           "CI_COMMIT_SHA": COMMIT, "CI_PIPELINE_ID": f"88{version[-1]}", "CI_JOB_URL": "https://gitlab.com/your-org/inopnc/-/jobs/9"}
    good = all(job.run(line, **env) for line in release["script"])
    for line in release["after_script"]:
        job.run(line, **env)
    return good


PIPELINES = [(github, "github-actions", "v1.4.1", "v1.4.2"), (gitlab, "gitlab-ci", "v1.5.1", "v1.5.2")]


@pytest.mark.parametrize("pipeline, source, version, _", PIPELINES)
def test_a_pipeline_brings_a_release_to_production(inopnc, tokens, tmp_path, pipeline, source, version, _):
    job = Job(inopnc, tmp_path, version)
    ann = inopnc.mint("ann", ("releaser",), ("inopnc",))
    done = []
    thread = threading.Thread(target=lambda: done.append(pipeline(inopnc, tokens, job, version)))
    thread.start()

    def waiting():
        found = inopnc.api("GET", f"/deployments?app=inopnc&version={version}")["items"]
        return found and found[0]["state"] == "blocked" and found[0]
    blocked = until(waiting, 60, what="it waits for a person")
    ticked = inopnc.api("PUT", f"/apps/inopnc/releases/{version}/checklists/production/items/on-call", {"state": "passed"}, token=ann)
    assert ticked.status == 200 and ticked["open"] is True, ticked
    thread.join(120)
    assert done == [True], job.ran
    now = inopnc.wait(blocked["id"], "succeeded")
    assert now["requested_by"]["subject"] == SUBJECT
    for item in ITEMS:
        found = inopnc.api("GET", f"/apps/inopnc/releases/{version}/evidence?item={item}&environment=production")["items"]
        assert [(e["state"], e["source"]) for e in found] == [("passed", source)], found
        assert found[0]["url"].startswith("https://git") and found[0]["by"]["subject"] == SUBJECT
    assert f"{version} may go to inopnc/production" in job.output("sluice why")


@pytest.mark.parametrize("pipeline, _, __, version", PIPELINES)
def test_a_red_test_ends_it_before_it_deploys(inopnc, tokens, tmp_path, pipeline, _, __, version):
    job = Job(inopnc, tmp_path, version, failures=1)
    assert not pipeline(inopnc, tokens, job, version)
    assert job.status("sluice evidence junit") == 1 and not [script for script, *_ in job.ran if "sluice deploy" in script]
    assert "tests: Title of tests: It failed" in job.output("sluice why")
    assert inopnc.api("GET", f"/deployments?app=inopnc&version={version}")["items"] == []
    assert inopnc.api("GET", f"/apps/inopnc/releases/{version}")["image"] == f"{IMAGE}:{version}"


def test_github_is_asked_for_a_token_of_the_servers_audience(inopnc, tokens):
    assert tokens["asked"] and all(proof == "bearer proof" and f"&audience={inopnc.urls[0]}" in path for path, proof in tokens["asked"])


@pytest.mark.parametrize("name", ["github-actions", "gitlab-ci"])
def test_the_issuers_that_the_pipelines_need_are_those_of_the_examples(name):
    issuer = json.loads((EXAMPLES.parent / "issuers" / f"{name}.json").read_text())["issuers"][0]
    assert issuer["audience"] in (CI / f"{name}.yaml").read_text()
    assert issuer["rules"][-1]["match"]["environment"] == "production" and issuer["rules"][-1]["roles"] == ["ci"]


@pytest.mark.parametrize("path", sorted(CI.glob("*.yaml")), ids=lambda path: path.name)
def test_no_command_line_is_left_out(path):
    """Every line that calls sluice is in a job that is run above."""
    document = yaml.safe_load(path.read_text())
    release = document.get("jobs", document)["release"]
    scripts = [step.get("run", "") for step in release["steps"]] if "steps" in release else release["script"] + release["after_script"]
    lines = [line for line in path.read_text().splitlines() if re.search(r"\bsluice (release|evidence|deploy|why) ", line) and not line.strip().startswith("#")]
    ran = "\n".join(scripts)
    assert len(lines) > 8 and all(re.sub(r"^\s*(- )?(run: )?", "", line).strip() in ran for line in lines), lines
