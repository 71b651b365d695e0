"""The command line against a real server: a release manager's day."""
import json
import os
import signal
import subprocess

import pytest

from tests.support.stack import EXAMPLES, IMAGE, Stack, until


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        yield stack


def sluice(stack, code, *words, **kwargs):
    result = stack.cli(*words, **kwargs)
    assert result.returncode == code, result
    return result


@pytest.fixture(scope="module")
def inopnc(stack):
    """Registered by hand, with the first version out."""
    sluice(stack, 0, "app", "create", "inopnc", "--image", IMAGE, "--owner", "web-team")
    sluice(stack, 0, "env", "create", "inopnc", "production", "--file", str(EXAMPLES / "environment.json"))
    sluice(stack, 0, "env", "manifests", "inopnc", "production", "--file", str(EXAMPLES / "manifests.yaml"))
    for version in ("v1.2.2", "v1.2.3", "v1.2.4"):
        sluice(stack, 0, "release", "create", "inopnc", version, "--image", f"{IMAGE}:{version}")
    out = sluice(stack, 0, "deploy", "inopnc", "production", "v1.2.2", "--wait", "--timeout", "60s").stdout
    assert "step switch-traffic done" in out and "v1.2.2" in out.splitlines()[-1]
    return stack


def idle(stack):
    """Nothing is active in the environment."""
    until(lambda: stack.status()["deployment"] is None, what="no deployment is active")


def started(stack, version):
    return json.loads(sluice(stack, 0, "deploy", "inopnc", "production", version, "--json").stdout)["id"]


def test_registering_twice_is_safe_and_changing_takes_force(inopnc):
    words = ["app", "create", "inopnc", "--image", IMAGE, "--owner", "web-team"]
    assert "unchanged" in sluice(inopnc, 0, *words).stdout
    assert "--force" in sluice(inopnc, 3, *words, "--description", "other").stderr
    sluice(inopnc, 0, *words, "--description", "other", "--force")
    assert "exists with this content" in sluice(inopnc, 0, "release", "create", "inopnc", "v1.2.3", "--image",
                                                f"{IMAGE}:v1.2.3").stdout
    assert "new version number" in sluice(inopnc, 3, "release", "create", "inopnc", "v1.2.3", "--image",
                                          f"{IMAGE}:v1.2.9").stderr


def test_every_list_and_document_can_be_read(inopnc):
    for words, part in [("app list", "web-team"), ("cluster list", "local"), ("env list inopnc", "blue-green"),
                        ("release list inopnc", "v1.2.3"), ("app show inopnc", IMAGE), ("cluster show local", "uid"),
                        ("env show inopnc production", "inopnc-prod"), ("env manifests inopnc production", "${IMAGE}"),
                        ("release show inopnc v1.2.3", "content_digest"), ("status", "v1.2.2"),
                        ("status inopnc production", "v1.2.2"), ("events inopnc production", "deployment.succeeded"),
                        ("audit chains", "inopnc/production")]:
        assert part in sluice(inopnc, 0, *words.split()).stdout, words
        out = sluice(inopnc, 0, *words.split(), "--json").stdout
        for line in out.splitlines() if words.startswith("events") else [out]:
            json.loads(line)


def test_refusals(inopnc):
    assert "/port" in sluice(inopnc, 3, "env", "create", "inopnc", "other", "--file", "-",
                             input='{"cluster": "local", "port": 99999}').stderr
    sluice(inopnc, 3, "deploy", "inopnc", "production", "v9.9.9")
    sluice(inopnc, 3, "app", "delete", "inopnc")
    sluice(inopnc, 3, "watch", "019ab1c2-0000-7000-8000-000000000001")
    refused = subprocess.run([inopnc.program("sluice"), "status"], text=True, capture_output=True,
                             env={**os.environ, "SLUICE_URL": inopnc.urls[0], "SLUICE_TOKEN": "no.such.token"})
    assert refused.returncode == 3 and "SLUICE_TOKEN" in refused.stderr


def test_a_bad_version_is_1_with_the_reason_and_what_to_do(inopnc):
    idle(inopnc)
    inopnc.image("v1.2.4", pull_error=True)
    result = sluice(inopnc, 1, "deploy", "inopnc", "production", "v1.2.4", "--wait", "--timeout", "60s")
    for part in ("step await-available failed", "image-pull", "cannot pull its image", "What to do:", "v1.2.2"):
        assert part in result.stdout, result
    assert inopnc.status()["active"]["version"] == "v1.2.2"


def test_busy_then_abort(inopnc):
    idle(inopnc)
    id = started(inopnc, "v1.2.3")
    err = sluice(inopnc, 3, "deploy", "inopnc", "production", "v1.2.3").stderr
    assert f"sluice watch {id}" in err and f"sluice abort {id}" in err
    assert "v1.2.2" in sluice(inopnc, 0, "abort", id, "--reason", "a try").stdout
    assert "aborted" in sluice(inopnc, 1, "watch", id, "--timeout", "30s").stdout
    assert "it is aborted" in sluice(inopnc, 3, "abort", id).stderr
    assert inopnc.status()["active"]["version"] == "v1.2.2"


def test_waiting_too_short_is_5_and_the_deployment_goes_on(inopnc):
    idle(inopnc)
    err = sluice(inopnc, 5, "deploy", "inopnc", "production", "v1.2.3", "--wait", "--timeout", "1s")
    id = err.stderr.split("sluice watch ")[1].split()[0]
    document = json.loads(sluice(inopnc, 0, "watch", id, "--json").stdout.splitlines()[-1])
    assert document["action"] == "deployment.succeeded"


def test_a_server_that_is_killed_while_waiting_costs_nothing(inopnc):
    idle(inopnc)
    id = started(inopnc, "v1.2.2")
    watching = subprocess.Popen([inopnc.program("sluice"), "watch", id, "--json"], text=True, stdout=subprocess.PIPE,
                                env={**os.environ, "SLUICE_URL": inopnc.urls[0], "SLUICE_TOKEN": inopnc.token})
    first = watching.stdout.readline()
    for pid in inopnc.pids:
        os.kill(pid, signal.SIGKILL)
    inopnc.up()
    records = [json.loads(line) for line in [first, *watching.stdout]] # communicate() would lose what is buffered
    assert watching.wait(60) == 0
    assert records[-1]["action"] == "deployment.succeeded"
    numbers = [record["seq"] for record in records]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_chain_is_exported_and_verified_and_every_tampering_shows(inopnc, tmp_path):
    chain = tmp_path / "chain.ndjson"
    head = next(c["head"] for c in json.loads(sluice(inopnc, 0, "audit", "chains", "--json").stdout)
                if c["name"] == "inopnc/production")
    sluice(inopnc, 0, "audit", "export", "inopnc/production", "--out", str(chain))
    sluice(inopnc, 0, "audit", "verify", str(chain), "--head", head)
    lines = chain.read_text().splitlines(keepends=True)
    for kind, spoilt in [("changed", lines[:4] + [lines[4].replace("admin", "nobody").replace("sluiced", "nobody")] + lines[5:]),
                         ("removed", lines[:4] + lines[5:]), ("inserted", lines[:5] + lines[4:]),
                         ("re-ordered", lines[:4] + [lines[5], lines[4]] + lines[6:]), ("cut", lines[:-1])]:
        chain.write_text("".join(spoilt))
        assert kind in sluice(inopnc, 1, "audit", "verify", str(chain), "--head", head).stdout, kind


def test_events_follow_goes_on_where_a_script_was(inopnc):
    idle(inopnc)
    all_of = [json.loads(line) for line in sluice(inopnc, 0, "events", "inopnc", "production", "--json").stdout.splitlines()]
    assert [record["seq"] for record in all_of] == list(range(1, len(all_of) + 1))
    following = subprocess.Popen([inopnc.program("sluice"), "events", "inopnc", "production", "--follow", "--json"], text=True,
                                 stdout=subprocess.PIPE, env={**os.environ, "SLUICE_URL": inopnc.urls[0],
                                                              "SLUICE_TOKEN": inopnc.token})
    try:
        seen = [json.loads(following.stdout.readline())["seq"] for _ in all_of]
        assert seen == [record["seq"] for record in all_of]
        id = started(inopnc, "v1.2.3")
        assert json.loads(following.stdout.readline())["subject"] == id
        sluice(inopnc, 0, "watch", id)
    finally:
        following.terminate()
        following.stdout.close()
        assert following.wait(10) == 130
