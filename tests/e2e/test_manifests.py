"""packaging/kubernetes on a real control plane (pytest --cluster real): by dry run, and then in earnest."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from tests.support.real import Real
from tests.support.stack import until

pytestmark = pytest.mark.real
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "packaging/kubernetes"
SECRETS = {"sluice": ["database-url", "jwt-secret", "key-encryption-key", "checkpoint-key"], "sluice-owner": ["database-url"]}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    real = Real(tmp_path_factory.mktemp("real"))
    try:
        real.up()
        yield real
    finally:
        real.down()


def test_the_api_server_takes_them_by_dry_run(cluster):
    said = cluster.kubectl("apply", "--kustomize", FOLDER, "--dry-run=server", "--validate=strict")
    assert "server dry run" in said and "Warning" not in said


def test_two_servers_are_admitted_as_restricted_pods_and_become_available(cluster):
    for name, keys in SECRETS.items():
        cluster.kubectl("create", "secret", "generic", name, "--namespace", "sluice", *(f"--from-literal={key}=x" for key in keys))
    cluster.kubectl("apply", "--kustomize", FOLDER, "--validate=strict")
    cluster.kubectl("wait", "deployment/sluice", "--namespace", "sluice", "--for", "condition=Available", "--timeout", "60s")
    pods = json.loads(cluster.kubectl("get", "pods", "--namespace", "sluice", "--selector", "app=sluice", "--output", "json"))["items"]
    assert len(pods) == 2 and {pod["spec"]["serviceAccountName"] for pod in pods} == {"sluice"}
    slices = until(lambda: json.loads(cluster.kubectl("get", "endpointslices", "--namespace", "sluice", "--output", "json"))["items"],
                   what="the Services have endpoints")
    assert {one["metadata"]["labels"]["kubernetes.io/service-name"] for one in slices} == {"sluice", "sluice-flags"}
    assert json.loads(cluster.kubectl("get", "jobs", "--namespace", "sluice", "--output", "json"))["items"]


def test_the_tutorials_account_reads_the_clusters_identity_and_no_more(cluster, tmp_path):
    section = (FOLDER.parents[1] / "docs/tutorial.md").read_text().partition("## 8. An account of its own")[2]
    commands = re.search(r"```sh\n(.*?)sluice env rbac", section, re.S)[1].replace("sluice", "elsewhere")  # the suite has a `sluice`
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, env={**os.environ, "PATH": f"{cluster.dir}:{os.environ['PATH']}"},
                   check=True)
    own = ("--kubeconfig", str(tmp_path / "tutorial.kubeconfig"))
    assert cluster.kubectl(*own, "get", "namespace", "kube-system", "--output", "name").strip() == "namespace/kube-system"
    assert cluster.kubectl(*own, "get", "pods", check=False).returncode != 0
