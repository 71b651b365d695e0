"""Health, and what a server without its database answers."""

import os
import signal

import pytest

from tests.api.conftest import refused
from tests.support.stack import IMAGE, Stack, call, ended, until


@pytest.fixture(scope="module")
def own():
    with Stack() as stack:
        stack.inopnc()
        yield stack


def health(stack, path="", **kwargs):
    return call("GET", stack.urls[0] + "/api/health" + path, **kwargs)


def test_health_depends_on_nothing(own):
    answer = health(own)
    assert answer.status == 200 and answer["status"] == "healthy" and answer["timestamp"].endswith("Z")


def test_ready_reports_clusters(own):
    answer = health(own, "/ready")
    assert answer.status == 200 and answer["status"] == "ready"
    assert answer["checks"] == {"database": "ok", "clusters": {"local": "reachable"}}


def test_detailed_is_for_those_who_are_known(own):
    refused(health(own, "/detailed"), 401, "unauthenticated")
    answer = health(own, "/detailed", token=own.mint("v", ("viewer",)))
    assert answer.status == 200 and answer["version"] and answer["uptime_s"] >= 0
    assert set(answer.json) >= {"checks", "http", "worker", "started_at"}


def test_without_its_database_it_says_so_and_comes_back(own):
    pid = int(own.env["POSTGRES_PID"])
    os.kill(pid, signal.SIGQUIT)  # an immediate stop, as a crash
    until(lambda: ended(pid))
    for method, path, body in (("GET", "/apps", None), ("PUT", "/apps/away", {"image": IMAGE}),
                               ("POST", "/deployments", {"app": "inopnc", "environment": "production", "version": "v1.0.0"}),
                               ("GET", "/records", None)):
        answer = refused(own.api(method, path, body), 503, "database-unavailable")
        assert answer.headers["Retry-After"]
    until(lambda: health(own, "/ready").status == 503)
    ready = health(own, "/ready")
    assert ready["status"] == "not ready" and ready["checks"]["database"] == "unavailable"
    assert health(own).status == 200 and health(own, "/detailed", token=own.token)["status"] == "degraded"
    until(lambda: b"sluice_database_ready 0\n" in call("GET", own.urls[0] + "/metrics").raw)
    assert own.api("GET", "/me").status == 200, "who one is needs no database"
    own.up()
    until(lambda: health(own, "/ready").status == 200)
    refused(own.api("GET", "/apps/away"), 404, "not-found")
    assert own.wait(own.deploy("v1.0.0"), "succeeded")
