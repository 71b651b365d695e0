"""Pods are ready before their endpoints are known everywhere: that gap is the cluster's, not a failed check of the version."""

import pytest

from tests.support.stack import Stack, until

ONCE = {"name": "health", "path": "/api/health", "failures": 1}


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        stack.inopnc(checks={"health": [ONCE], "smoke": [], "production": [{**ONCE, "name": "front"}]},
                     deadlines={"checks_s": 20})
        stack.wait(stack.deploy("v1.2.2"), "succeeded")
        yield stack
        stack.control("PUT", "/behavior", {"endpoint_lag_ms": 0, "proxy_lag_ms": 0})


def test_a_check_that_may_fail_once_outlives_the_lag(stack):
    stack.control("PUT", "/behavior", {"endpoint_lag_ms": 400, "proxy_lag_ms": 100})
    done = stack.wait(stack.deploy("v1.2.3"), "succeeded")
    proxied = [r["code"] for r in stack.requests() if "service:80/proxy" in r["path"]]
    assert 503 in proxied, "the lag was never met: this test tests nothing"
    assert done["steps"][3]["detail"] == "1 check passed"


def endpoints(stack, service):
    slices = stack.kube("GET", "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices"
                               f"?labelSelector=kubernetes.io/service-name%3D{service}")["items"]
    return [e for s in slices for e in s.get("endpoints") or []]


def test_a_service_without_endpoints_still_fails(stack):
    color = "green" if stack.selector() == "blue" else "blue"
    stack.kube("PATCH", f"/api/v1/namespaces/production/services/inopnc-{color}-service",
               {"spec": {"selector": {"app": "nobody"}}}, "application/merge-patch+json")
    until(lambda: not endpoints(stack, f"inopnc-{color}-service"), what="it has no endpoints")
    done = stack.wait(stack.deploy("v1.2.4"), "failed")
    assert done["failure"]["code"] == "check-failed" and "503" in done["failure"]["detail"], done["failure"]
