"""Exec plugins of kubeconfig files, end to end: a script prints the token that kubesim checks."""

import pathlib
import re

import pytest

from tests.api.conftest import refused
from tests.support.stack import Stack

PLUGIN = """#!/bin/sh
[ ! -e "$FOLDER/plugin-fails" ] || { echo "no credentials today" >&2; exit 1; }
echo run >> "$FOLDER/plugin-runs"
printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":false},'
printf '"status":{"token":"%s","expirationTimestamp":"%s"}}' "$(cat "$FOLDER/token")" \\
    "$(date -u -d '+15 minutes' +%Y-%m-%dT%H:%M:%SZ)"
"""
EXEC = """exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: ./plugin
      env: [{name: FOLDER, value: 'HERE'}]
      interactiveMode: IfAvailable
      provideClusterInfo: false
"""


def plugin_config(stack):
    """A second kubeconfig beside the stack's own, in which a plugin stands in for the token."""
    own = pathlib.Path(stack.env["KUBECONFIG"])
    text = re.sub(r"token: \S+\n", EXEC.replace("HERE", str(own.parent)), own.read_text())
    assert "exec:" in text
    plugin = own.with_name("plugin")
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    own.with_name("with-plugin").write_text(text)
    return own.parent


def put(stack, name):
    return stack.api("PUT", f"/clusters/{name}", {"kubeconfig_file": "with-plugin", "context": "kubesim"})


@pytest.fixture(scope="module")
def allowing():
    with Stack(env={"SLUICE_KUBECONFIG_EXEC": "allow"}) as stack:
        yield stack


def test_is_denied_by_default(stack):
    folder = plugin_config(stack)
    try:
        answer = put(stack, "denied")
        refused(answer, 400, "invalid-body", "/kubeconfig_file")
        assert "SLUICE_KUBECONFIG_EXEC=allow" in answer["errors"][0]["detail"], answer
        assert not (folder / "plugin-runs").exists()
    finally:
        for name in ("plugin", "with-plugin"):
            (folder / name).unlink()


def test_one_run_carries_a_deployment(allowing):
    folder = plugin_config(allowing)
    made = put(allowing, "plugged")
    assert made.status == 201 and made["status"]["reachable"] is True, made
    runs = folder / "plugin-runs"
    began = runs.read_text().count("run")
    assert began <= 2  # one to look where it leads, one for the cluster itself
    allowing.inopnc(cluster="plugged")
    allowing.wait(allowing.deploy("v1.2.2"), "succeeded")
    assert runs.read_text().count("run") <= began + 1
    log = "".join(path.read_text(errors="replace") for path in allowing.dir.rglob("*.log"))
    assert (folder / "token").read_text().strip() not in log


def test_failing_plugin_is_told(allowing):
    folder = plugin_config(allowing)
    (folder / "plugin-fails").touch()
    made = put(allowing, "failing")
    assert made["status"]["reachable"] is False, made
    assert "exit status 1: no credentials today" in str(made.json), made
