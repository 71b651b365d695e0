"""docs/operating.md, "Back up and restore": its commands, on a database that went on after the dump."""

import os
import re
import subprocess

import pytest

from tests.support.docs import ROOT
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def commands():
    """Dump, restore."""
    section = (ROOT / "docs/operating.md").read_text().partition("\n## Back up and restore\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    assert len(found) == 2
    return found


def test_the_commands_restore_and_an_abort_ends_what_is_not_known(commands, tmp_path):
    def run(script):
        path = f"{stack.env['PATH']}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env={**os.environ, **stack.env, "PATH": path},
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    with Stack() as stack:
        stack.inopnc()
        stack.wait(stack.deploy("v1.2.2"), "succeeded")
        run(commands[0])
        stack.wait(stack.deploy("v1.2.3"), "succeeded")
        stack.stop_servers()
        run(commands[1])
        stack.up()
        assert stack.api("GET", "/apps/inopnc/releases/v1.2.3").status == 404
        chain = stack.cli("audit", "export", "inopnc/production", "--out", str(tmp_path / "chain"))
        assert chain.returncode == 0 and stack.cli("audit", "verify", str(tmp_path / "chain")).returncode == 0
        lost = stack.deploy("v1.2.4")
        assert stack.wait(lost, "stuck")["failure"]["code"] == "history-lost"
        assert stack.api("POST", f"/deployments/{lost}/abort", {"reason": "restored"}).status == 200
        stack.wait(lost, "aborted")
        assert stack.wait(stack.deploy("v1.2.5"), "succeeded")["from"]["version"] == "v1.2.3"
        stack.wait(stack.deploy("v1.2.6"), "succeeded")  # to the other color: its objects are known, too
