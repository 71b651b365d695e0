"""docs/observability: its dashboard and alert rules use metrics that there are, each alert fires when it should and is
explained, and Debian's Prometheus scrapes a server with them."""

import contextlib
import json
import re
import socket
import subprocess
import urllib.parse

import pytest
import yaml

from tests.support.stack import Stack, call, until
from tests.api.test_metrics import DOCUMENTS, known_metrics

ALERTS = DOCUMENTS / "alerts.yaml"
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
PANELS = json.loads((DOCUMENTS / "grafana.json").read_text())["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]


def metrics_in(expression):
    known = known_metrics()
    for name in re.findall(r"\b(?:sluice|process)_\w+", expression):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        yield base if known.get(base) == "histogram" else name


def for_every_job(expression):
    return expression.replace("$job", "sluice").replace("$instance", ".*")


# ---- the documents agree ----

def test_what_is_used_exists():
    used = {name for expression in EXPRESSIONS + [rule["expr"] for rule in RULES] for name in metrics_in(expression)}
    assert len(used) > 30
    assert sorted(used - known_metrics().keys()) == []
    assert sorted({name for name in re.findall(r"\bsluice_\w+", (DOCUMENTS / "README.md").read_text())
                   for name in metrics_in(name)} - known_metrics().keys()) == []


def test_panels_are_sound():
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids)) and len(EXPRESSIONS) > 40
    assert all(panel["title"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def test_each_alert_is_explained():
    explained = re.findall(r"^\*\*(\w+)\*\* \((\w+)\)\. ", (DOCUMENTS / "README.md").read_text(), re.M)
    assert explained == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]
    assert all(rule["annotations"]["summary"].endswith(".") for rule in RULES)


def promtool(*words):
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_takes_rules_and_the_dashboard(tmp_path):
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(ALERTS))
    panels = tmp_path / "panels.yaml"
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": [
        {"record": f"panel_{i}", "expr": for_every_job(expression)} for i, expression in enumerate(EXPRESSIONS)]}]}))
    promtool("check", "rules", str(panels))


# ---- each alert fires, and is quiet on a healthy server ----

def server(name, **labels):
    words = {"instance": "a", "job": "sluice", **labels}
    return f"{name}{{{','.join(f'{key}=%s' % json.dumps(value) for key, value in words.items())}}}"


# What a healthy server shows; an alert's own values take the place of some.  "a+bxn": from a by b, n times; a minute apart.
HEALTHY = {
    server("up"): "1x40",
    server("sluice_database_ready"): "1x40",
    server("sluice_census_age_seconds"): "5x40",
    server("sluice_deployments", state="stuck"): "0x40",
    server("sluice_deployments", state="undoing"): "0 0 1 1 1 1 1 1 0x32",
    server("sluice_unconfirmed_total", operation="abortDeployment"): "0x40",
    server("sluice_records"): "100x8 101x31",
    server("sluice_confirm_duration_seconds_count", operation="abortDeployment"): "0+1x40",
    server("sluice_confirm_duration_seconds_bucket", operation="abortDeployment", le="1"): "0+1x40",
    server("sluice_http_requests_total", operation="getApp", code="200"): "0+1000x40",
    server("sluice_http_requests_total", operation="getApp", code="500"): "0+1x40",
    server("sluice_http_requests_total", operation="getReadiness", code="503"): "0+100x40",
    server("sluice_http_request_duration_seconds_bucket", operation="getApp", le="1"): "0+1000x40",
    server("sluice_http_request_duration_seconds_bucket", operation="getApp", le="5"): "0+1001x40",
    server("sluice_http_request_duration_seconds_bucket", operation="getApp", le="+Inf"): "0+1001x40",
    server("sluice_http_request_duration_seconds_bucket", operation="abortDeployment", le="1"): "0+1x40",
    server("sluice_http_request_duration_seconds_bucket", operation="abortDeployment", le="+Inf"): "0+1000x40",
    server("sluice_http_overloaded_total"): "3x40",
    server("sluice_http_connections"): "100x40",
    server("sluice_http_connections_max"): "10000x40",
    server("sluice_database_waiting", pool="sluiced"): "0 3 0 2 0 1 0x34",
    server("sluice_worker_jobs", state="queued"): "0 3 4 1 0x36",
    server("sluice_lease_renew_faults_total"): "0 0 1x38",
    server("sluice_commit_faults_total"): "0 0 2x38",
    server("sluice_kube_requests_total", verb="GET", code="200"): "0+100x40",
    server("sluice_kube_requests_total", verb="GET", code="500"): "0+5x40",
    server("sluice_kube_requests_total", verb="GET", code="403"): "2x40",
    server("sluice_kube_requests_total", verb="proxy", code="503"): "0+100x40",
    server("sluice_kube_watches", state="failing"): "0 1 1 1 0x36",
    server("sluice_flag_snapshot_stale"): "0x40",
    server("sluice_exposure_dropped_total"): "7x40",
    server("sluice_checkpoint_failing", task="send"): "0 1 1 0x37",
    server("sluice_checkpoint_records_since"): "5x40",
    server("sluice_checkpoint_age_seconds"): "30x40",
    server("sluice_tls_expiry_timestamp_seconds"): "1000000000x40",
    server("process_open_fds"): "50x40",
    server("process_max_fds"): "1000x40",
    server("process_start_time_seconds"): "0x10 600x29",
    server("sluice_build_info", version="1"): "1x40",
}
# When each fires instead: values that take the place, and the minute by which it does.
FIRES = {
    "SluiceDown": ({server("up"): "1 0x39"}, 3),
    "SluiceDatabaseAway": ({server("sluice_database_ready"): "1 0x39"}, 3),
    "SluiceDeploymentStuck": ({server("sluice_deployments", state="stuck"): "0 1x39"}, 2),
    "SluiceUndoDoesNotEnd": ({server("sluice_deployments", state="undoing"): "0 1x39"}, 13),
    "SluiceUnconfirmed": ({server("sluice_unconfirmed_total", operation="abortDeployment"): "0 0 1x38"}, 4),
    "SluiceRecordFell": ({server("sluice_records"): "100x9 80x30"}, 12),
    "SluiceConfirmSlow": ({server("sluice_confirm_duration_seconds_bucket", operation="abortDeployment", le="1"): "0 1 2 2 2 3+1x35"}, 8),
    "SluiceErrors": ({server("sluice_http_requests_total", operation="getApp", code="500"): "0+50x40"}, 12),
    "SluiceSlow": ({server("sluice_http_request_duration_seconds_bucket", operation="getApp", le="1"): "0+900x40"}, 18),
    "SluiceOverloaded": ({server("sluice_http_overloaded_total"): "0+3x40"}, 12),
    "SluiceConnectionsFull": ({server("sluice_http_connections"): "9500x40"}, 7),
    "SluiceDatabasePoolFull": ({server("sluice_database_waiting", pool="sluiced"): "0 3x39"}, 6),
    "SluiceWorkersBusy": ({server("sluice_worker_jobs", state="queued"): "0 3x39"}, 8),
    "SluiceLeasesFail": ({server("sluice_lease_renew_faults_total"): "0+2x40"}, 8),
    "SluiceKubernetesFails": ({server("sluice_kube_requests_total", verb="GET", code="none"): "0+20x40"}, 12),
    "SluiceKubernetesRefuses": ({server("sluice_kube_requests_total", verb="GET", code="403"): "0 0 2x38"}, 6),
    "SluiceWatchesFail": ({server("sluice_kube_watches", state="failing"): "0 1x39"}, 8),
    "SluiceFlagsStale": ({server("sluice_flag_snapshot_stale"): "0 1x39"}, 4),
    "SluiceExposureDropped": ({server("sluice_exposure_dropped_total"): "7 7 9x38"}, 6),
    "SluiceCheckpointFails": ({server("sluice_checkpoint_failing", task="send"): "0 1x39"}, 8),
    "SluiceCheckpointLate": ({server("sluice_checkpoint_age_seconds"): "200+60x40"}, 6),
    "SluiceCensusMissing": ({server("sluice_census_age_seconds"): "5 stale"}, 9),
    "SluiceCertificateEnds": ({server("sluice_tls_expiry_timestamp_seconds"): "600000x40"}, 8),
    "SluiceDescriptorsFull": ({server("process_open_fds"): "950x40"}, 7),
    "SluiceRestarts": ({server("process_start_time_seconds"): "0 60 120 180 240x36"}, 8),
    "SluiceVersionsDiffer": ({server("sluice_build_info", version="2"): "1x90", server("sluice_build_info", version="1"): "1x90"}, 65),
}


def firing(alert, samples):
    return {"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "exp_samples": samples}


def test_alerts_fire_and_are_quiet(tmp_path):
    assert sorted(FIRES) == sorted(rule["alert"] for rule in RULES)
    one = [{"labels": "{}", "value": 1}]
    tests = [{"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in HEALTHY.items()],
              "promql_expr_test": [{**firing(alert, []), "eval_time": f"{minute}m"} for alert in FIRES for minute in range(1, 40, 3)]}]
    for alert, (instead, minute) in FIRES.items():
        series = {**HEALTHY, **instead}
        tests.append({"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series.items()],
                      "promql_expr_test": [{**firing(alert, one), "eval_time": f"{minute}m"}]})
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", str(path))


# ---- Prometheus itself ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def prometheus(folder, targets):
    """Scrapes them each second, with the alert rules; gives its URL."""
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(yaml.safe_dump({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "sluice", "static_configs": [{"targets": targets}]}]}))
    with open(folder / "log", "wb") as log, subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log) as running:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(30)


def query(url, expression):
    """[(labels, number)], or None while it does not answer."""
    try:
        answer = call("GET", f"{url}/api/v1/query?query={urllib.parse.quote(expression)}")
    except OSError:
        return None
    if answer.status == 503:
        return None
    assert answer.status == 200, answer
    return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]


@pytest.fixture(scope="module")
def world():
    with Stack() as stack:
        stack.inopnc()
        stack.wait(stack.deploy("v1.2.2"), "succeeded")
        yield stack


def test_prometheus_scrapes_a_server(world, tmp_path):
    target = world.urls[0].removeprefix("http://")
    with prometheus(tmp_path, [target]) as url:
        until(lambda: [n for _, n in query(url, 'up{job="sluice"}') or [] if n == 1], 60, every=0.2, what="it has scraped")
        found = until(lambda: query(url, 'sluice_deployments{state="succeeded"} > 0'), 60, every=0.2)
        assert [labels["instance"] for labels, _ in found] == [target]
        assert query(url, 'histogram_quantile(0.5, sum by (le) (sluice_step_duration_seconds_bucket{step="apply"}))')[0][1] > 0
        assert until(lambda: query(url, 'sum(rate(sluice_http_requests_total{operation="getMetrics"}[10s])) > 0'), 60, every=0.2)
        for expression in EXPRESSIONS:
            query(url, for_every_job(expression))
        rules = [rule for group in call("GET", url + "/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
        assert len(rules) == len(RULES)
        assert until(lambda: all(rule["health"] == "ok" for group in call("GET", url + "/api/v1/rules")["data"]["groups"]
                                 for rule in group["rules"]), 30, every=0.2)
        assert query(url, 'ALERTS{alertstate="firing"}') == []
