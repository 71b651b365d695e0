"""GET /metrics: what it says, that it never waits for the database, and that Prometheus agrees."""

import os
import re
import signal
import subprocess
import time

import pytest

from tests.support.flags import Client, define, say
from tests.support.stack import ROOT, Stack, call, until

DOCUMENTS = ROOT / "docs/observability"


@pytest.fixture(scope="module")
def world():
    with Stack() as stack:
        stack.inopnc()
        stack.wait(stack.deploy("v1.2.2"), "succeeded")
        yield stack


def text_of(stack):
    answer = call("GET", stack.urls[0] + "/metrics", timeout=5)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.raw.decode()


def log_of(stack):
    return "".join(path.read_text(errors="replace") for path in (stack.dir / "log").glob("*.log"))


def values(stack):
    """{'name{label="value"}': number}"""
    samples = [line.rsplit(" ", 1) for line in text_of(stack).splitlines() if not line.startswith("#")]
    assert len({name for name, _ in samples}) == len(samples), "no sample twice"
    return {name: float(number) for name, number in samples}


def known_metrics():
    """Names of docs/observability/metrics.md, with their types."""
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", (DOCUMENTS / "metrics.md").read_text(), re.M))


def test_promtool_finds_nothing(world):
    checked = subprocess.run(["promtool", "check", "metrics"], input=text_of(world), text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_table_is_what_is_shown_and_documented(world):
    printed = subprocess.run([world.program("sluiced"), "dump-metrics"], check=True, capture_output=True, text=True).stdout
    assert printed == (DOCUMENTS / "metrics.md").read_text()
    text = until(lambda: "sluice_record_age_seconds" in (t := text_of(world)) and t, what="the census has read everything")
    shown = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    known = known_metrics()
    assert shown.items() <= known.items()
    # these need checkpoints, or a certificate
    assert known.keys() - shown.keys() <= {
        "sluice_checkpoint_number", "sluice_checkpoint_age_seconds", "sluice_checkpoint_records_since", "sluice_checkpoint_failing",
        "sluice_tls_expiry_timestamp_seconds"}


def test_requests_by_operation_and_code(world):
    before = values(world)
    world.api("GET", "/apps/inopnc")
    world.api("GET", "/apps/nobody")
    call("GET", world.urls[0] + "/nowhere")
    now = values(world)

    def more(name):
        return now.get(name, 0) - before.get(name, 0)
    assert more('sluice_http_requests_total{operation="getApp",code="200"}') == 1
    assert more('sluice_http_requests_total{operation="getApp",code="404"}') == 1
    assert more('sluice_http_requests_total{operation="none",code="404"}') == 1
    assert more('sluice_http_request_duration_seconds_count{operation="getApp"}') == 2
    assert more('sluice_http_request_duration_seconds_bucket{operation="getApp",le="+Inf"}') == 2
    assert more('sluice_http_request_duration_seconds_sum{operation="getApp"}') > 0


def test_what_a_deployment_leaves(world):
    now = values(world)
    for step in ("resolve", "apply", "switch-traffic"):
        assert now[f'sluice_step_duration_seconds_count{{step="{step}"}}'] >= 1
    assert now["sluice_http_queue_duration_seconds_count"] > 5
    assert now['sluice_kube_requests_total{verb="GET",code="200"}'] > 0
    assert now['sluice_kube_requests_total{verb="PATCH",code="200"}'] > 0
    assert now['sluice_kube_request_duration_seconds_count{verb="PATCH"}'] > 0
    assert now['sluice_kube_watches{state="live"}'] > 0
    assert now['sluice_database_connections_max{pool="sluiced"}'] == 8
    assert now['sluice_database_connections{pool="sluiced",state="idle"}'] >= 1
    assert now["process_resident_memory_bytes"] > 1e6 and now["process_open_fds"] > 10 and now["process_threads"] > 10
    assert abs(now["process_start_time_seconds"] - time.time()) < 3600
    # the census is up to ten seconds old
    counted = until(lambda: (v := values(world)).get('sluice_deployments{state="succeeded"}') and v)
    assert counted['sluice_deployments{state="stuck"}'] == 0 and 0 <= counted["sluice_census_age_seconds"] < 60
    assert counted["sluice_records"] > 5 and counted["sluice_record_chains"] >= 2 and counted["sluice_record_age_seconds"] >= 0


def test_time_to_abort(world):
    name = 'sluice_confirm_duration_seconds_count{operation="abortDeployment"}'
    world.image("v1.2.9", ready_after_ms=60000)
    running = world.deploy("v1.2.9")
    world.wait_step(running, "await-available")
    began = time.monotonic()
    assert world.api("POST", f"/deployments/{running}/abort", {"reason": "measured"}).status == 200
    took = time.monotonic() - began
    now = values(world)
    assert now[name] == 1 and 0 < now[name.replace("_count", "_sum")] <= took
    assert until(lambda: values(world)["sluice_lease_lost_total"] >= 1, what="the deploy job lost its lease to the abort")


def test_flags(world):
    for flag in ("one", "two"):
        define(world, "inopnc", flag)
        say(world, "inopnc", flag)
    client = Client(world, "inopnc")
    until(lambda: client.one("two").status == 200)
    before = values(world)
    assert client.one("one").status == 200 and client.all().status == 200
    assert client.unleash("GET", "/api/frontend").status == 200
    now = values(world)
    assert now["sluice_flag_evaluations_total"] - before["sluice_flag_evaluations_total"] == 5
    assert (now["sluice_flags"], now["sluice_flag_environments"], now["sluice_flag_snapshot_stale"]) == (2, 1, 0)
    assert 0 <= now["sluice_flag_snapshot_age_seconds"] < 60


def test_a_silent_database_neither_holds_it_up_nor_is_hidden(world):
    pid = int(world.env["POSTGRES_PID"])
    children = [int(word) for word in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()]
    for one in (pid, *children):
        os.kill(one, signal.SIGSTOP)
    try:
        before = until(lambda: (v := values(world))["sluice_database_ready"] == 0 and v, 30)
        began = time.monotonic()
        later = until(lambda: (v := values(world))["sluice_census_age_seconds"] > before["sluice_census_age_seconds"] + 1 and v)
        assert later['sluice_deployments{state="succeeded"}'] == before['sluice_deployments{state="succeeded"}']
        slowest = 0
        for _ in range(10):
            began = time.monotonic()
            text_of(world)
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2, "statements wait five seconds"
    finally:
        for one in (pid, *children):
            os.kill(one, signal.SIGCONT)
    until(lambda: values(world)["sluice_database_ready"] == 1, 30)


def test_a_listener_of_their_own(tmp_path):
    ready = tmp_path / "port"
    ready.write_text("127.0.0.1:0\n")
    with Stack(env={"SLUICE_METRICS_LISTEN_FILE": str(ready)}) as stack:
        port = until(lambda: re.search(r"event=listening for=metrics port=(\d+)", log_of(stack)))[1]
        url = f"http://127.0.0.1:{port}"
        shown = call("GET", url + "/metrics")
        assert shown.status == 200 and b"sluice_http_connections" in shown.raw
        answer = call("GET", stack.urls[0] + "/metrics")
        assert (answer.status, answer["code"]) == (404, "not-found")
        for path in ("/api/v1/apps", "/api/health", "/"):
            assert call("GET", url + path, token=stack.token).status == 404
        assert b'sluice_http_requests_total{operation="getMetrics",code="404"} 1' in call("GET", url + "/metrics").raw
        stack.stop_servers()
        with pytest.raises(OSError):
            call("GET", url + "/metrics")


def test_a_listener_that_cannot_be_is_one_line(world):
    taken = world.urls[0].removeprefix("http://")
    done = subprocess.run([world.program("sluiced"), "serve"], capture_output=True, text=True, timeout=60, check=False, env={
        "DATABASE_URL": world.env["DATABASE_URL"], "JWT_SECRET": world.env["JWT_SECRET"], "SLUICE_LISTEN": "127.0.0.1", "PORT": "0",
        "SLUICE_METRICS_LISTEN": taken})
    assert done.returncode == 1 and "Address already in use" in done.stderr
