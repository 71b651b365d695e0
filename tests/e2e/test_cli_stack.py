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
    assert "is aborted" in sluice(inopnc, 3, "abort", id).stderr
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


def test_rollback_by_hand_and_a_second_one_that_changes_nothing(inopnc):
    idle(inopnc)
    sluice(inopnc, 0, "deploy", "inopnc", "production", "v1.2.3", "--wait", "--timeout", "60s", "--promote", "auto")
    before = inopnc.status()["active"]
    with inopnc.load() as load:
        out = sluice(inopnc, 0, "rollback", "inopnc", "production", "--reason", "errors in checkout").stdout
        assert "confirmed at" in out and "serves inopnc/production, not v1.2.3" in out, out
        id = out.split("sluice watch ")[1].split()[0] if "sluice watch" in out else out.split("sluice status ")[1].split()[0]
        assert "serves inopnc/production" in sluice(inopnc, 0, "watch", id, "--timeout", "30s").stdout.splitlines()[-1]
        switches = len(inopnc.traffic()["switches"])
        for words in (["inopnc", "production", "--reason", "the same"], [id]):
            again = sluice(inopnc, 0, "rollback", *words, "--wait").stdout
            assert "nothing to do" in again and id in again and "errors in checkout" in again, again
        assert json.loads(sluice(inopnc, 0, "rollback", "inopnc", "production", "--reason", "x", "--json").stdout)["id"] == id
        assert len(inopnc.traffic()["switches"]) == switches
    assert load.report["failed"] == 0, load.report
    assert inopnc.status()["active"]["color"] != before["color"]
    newest, replaced = json.loads(sluice(inopnc, 0, "history", "inopnc", "production", "--limit", "2", "--json").stdout)
    assert (newest["id"], newest["kind"], newest["reason"]) == (id, "rollback", "errors in checkout")
    assert replaced["rolled_back_by"] == id and "until it was rolled back" in sluice(inopnc, 0, "status", replaced["id"]).stdout
    table = sluice(inopnc, 0, "history", "inopnc").stdout
    assert id in table and "errors in checkout" in table and "ENVIRONMENT" in table


def paused(stack, version):
    """A deployment that waits to be promoted."""
    id = json.loads(sluice(stack, 0, "deploy", "inopnc", "production", version, "--promote", "manual", "--json").stdout)["id"]
    stack.wait_state(id, "paused")
    return id


def test_manual_promotion(inopnc):
    idle(inopnc)
    id = paused(inopnc, "v1.2.3")
    out = sluice(inopnc, 5, "watch", id, "--timeout", "1s").stdout
    assert "it waits to be promoted" in out and f"sluice promote {id}" in out
    assert "possible now" in sluice(inopnc, 3, "resume", id).stderr
    assert "step switch-traffic done" in sluice(inopnc, 0, "promote", id, "--reason", "looks good", "--wait").stdout
    assert "it is succeeded" in sluice(inopnc, 3, "promote", id).stderr


def test_pause_and_resume(inopnc):
    idle(inopnc)
    inopnc.image("v1.2.2", ready_after_ms=1500)
    id = started(inopnc, "v1.2.2")
    sluice(inopnc, 0, "pause", id, "--reason", "lunch")
    inopnc.wait_state(id, "paused")
    assert f"sluice resume {id}" in sluice(inopnc, 0, "status", id).stdout
    sluice(inopnc, 0, "resume", id, "--wait", "--timeout", "60s")
    assert "it is succeeded" in sluice(inopnc, 3, "cancel", id).stderr
    inopnc.image("v1.2.2")


def test_a_deployment_that_a_rollback_takes_over_says_so(inopnc):
    idle(inopnc)
    serves = inopnc.status()["active"]["version"]
    other = "v1.2.3" if serves == "v1.2.2" else "v1.2.2"
    id = paused(inopnc, other)
    out = sluice(inopnc, 0, "rollback", "inopnc", "production", "--reason", "not today").stdout
    assert f"{serves} " in out, out
    watched = sluice(inopnc, 1, "watch", id).stdout
    assert f"Rolled back to {serves} by" in watched and "not today" in watched and "sluice watch " in watched, watched
    sluice(inopnc, 0, "watch", watched.split("sluice watch ")[1].split()[0], "--timeout", "60s")
    assert inopnc.status()["active"]["version"] == serves


def test_dry_run_shows_a_diff_and_changes_nothing(inopnc):
    idle(inopnc)
    serves, selected = inopnc.status()["active"], inopnc.selector()
    other = "blue" if selected == "green" else "green"
    held = inopnc.workload(other)["metadata"]["resourceVersion"]
    records = len(inopnc.chain())
    out = sluice(inopnc, 0, "deploy", "inopnc", "production", "v1.2.4", "--dry-run").stdout
    lines = out.splitlines()
    assert f"+++ Deployment inopnc-{other} as it would be" in lines and f"+        image: {IMAGE}:v1.2.4" in lines, out
    assert f"-    environment: {selected}" in lines and f"+    environment: {other}" in lines, out
    assert "resourceVersion" not in out and "sluice.dev/op" not in out, out
    assert json.loads(sluice(inopnc, 0, "deploy", "inopnc", "production", "v1.2.4", "--dry-run", "--json").stdout)["changes"]
    assert inopnc.workload(other)["metadata"]["resourceVersion"] == held and inopnc.selector() == selected
    assert len(inopnc.chain()) == records and inopnc.status()["active"]["version"] == serves["version"]
    assert "v9.9.9" in sluice(inopnc, 3, "deploy", "inopnc", "production", "v9.9.9", "--dry-run").stderr


def test_traffic_by_hand(inopnc):
    idle(inopnc)
    sluice(inopnc, 0, "deploy", "inopnc", "production", "v1.2.3", "--wait", "--timeout", "60s")
    color = inopnc.selector()
    other = "blue" if color == "green" else "green"
    assert "serves already" in sluice(inopnc, 3, "traffic", "inopnc", "production", color, "--reason", "x").stderr
    out = sluice(inopnc, 0, "traffic", "inopnc", "production", other, "--reason", "by hand", "--wait").stdout
    assert "confirmed at" in out and f"({other}) serves" in out.splitlines()[-1]
    assert inopnc.selector() == other
    assert "/color" in sluice(inopnc, 3, "traffic", "inopnc", "production", "mauve", "--reason", "x").stderr


def test_a_stuck_one_says_how_to_go_on_and_is_resolved(inopnc):
    idle(inopnc)
    id = paused(inopnc, "v1.2.3")
    inopnc.sql(f"""UPDATE deployment SET state = 'stuck', failure = '{{"code": "history-lost", "detail": "unknown op",
                   "hint": "look at the cluster"}}' WHERE id = '{id}'""")
    out = sluice(inopnc, 1, "watch", id).stdout
    for verb in ("retry", "resolve", "abort"):
        assert f"sluice {verb} {id}" in out, out
    assert "look at the cluster" in out
    sluice(inopnc, 2, "resolve", id, "--as", "failed")
    assert "it is failed" in sluice(inopnc, 0, "resolve", id, "--as", "failed", "--reason", "looked: nothing moved").stdout
    assert "is failed" in sluice(inopnc, 3, "retry", id).stderr


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


def test_signing_in_with_a_key_until_it_is_revoked(inopnc, tmp_path):
    made = json.loads(sluice(inopnc, 0, "keys", "create", "laptop of ann", "--api", "--kind", "user", "--role", "releaser", "--app", "inopnc",
                             "--expires-in", "1h", "--json").stdout)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}

    def mine(code, *words, **kwargs):
        result = subprocess.run([inopnc.program("sluice"), *words], text=True, capture_output=True, env={**env, "XDG_CONFIG_HOME": str(tmp_path)}, **kwargs)
        assert result.returncode == code and made["key"] not in result.stdout + result.stderr, result
        return result

    mine(0, "login", "--url", inopnc.urls[0], "--key-stdin", input=made["key"])
    me = json.loads(mine(0, "me", "--json").stdout)
    assert (me["subject"], me["roles"], me["expires_at"]) == (made["id"], ["releaser"], made["expires_at"])
    assert [e["name"] for e in json.loads(mine(0, "status", "--json").stdout)] == ["production"]
    assert "inopnc" in mine(0, "__complete", "deploy", "").stdout
    assert "next: sluice me" in mine(3, "app", "delete", "inopnc").stderr
    sluice(inopnc, 0, "keys", "revoke", made["id"])
    until(lambda: subprocess.run([inopnc.program("sluice"), "me"], capture_output=True, check=False,
                                 env={**env, "XDG_CONFIG_HOME": str(tmp_path)}).returncode == 3, what="the key counts no more")
    assert "next: sluice login" in mine(3, "me").stderr
    mine(0, "logout")


def test_everything_that_is_active_is_seen_and_watched(inopnc):
    idle(inopnc)
    id = json.loads(sluice(inopnc, 0, "deploy", "inopnc", "production", "v1.2.3", "--promote", "manual", "--json").stdout)["id"]
    until(lambda: "paused: promote" in sluice(inopnc, 0, "status").stdout, what="it waits to be promoted")
    freeze = json.loads(sluice(inopnc, 0, "freeze", "create", "inopnc", "--reason", "closing", "--for", "1h", "--let-running-finish", "--json").stdout)["id"]
    seen = json.loads(sluice(inopnc, 0, "status", "inopnc", "--json").stdout)[0]
    assert seen["running"]["id"] == id and [one["id"] for one in seen["freezes"]] == [freeze]
    assert ": closing" in sluice(inopnc, 0, "status").stdout and ": closing" in sluice(inopnc, 0, "status", "inopnc", "production").stdout
    sluice(inopnc, 0, "freeze", "end", freeze)
    watching = subprocess.Popen([inopnc.program("sluice"), "watch", "--app", "inopnc"], text=True, stdout=subprocess.PIPE,
                                env={**os.environ, "SLUICE_URL": inopnc.urls[0], "SLUICE_TOKEN": inopnc.token})
    assert id in watching.stdout.readline()
    sluice(inopnc, 0, "promote", id)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0 and "v1.2.3" in out.splitlines()[-1], out
    assert "nothing runs there now" in sluice(inopnc, 0, "watch", "--all").stderr
