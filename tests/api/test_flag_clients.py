"""Clients as applications use them, pinned and unmodified (tests/clients), against a running server: they evaluate, are
refreshed by a flip, and survive a restart of the server.  All at once, so that one restart is enough."""

import os
import pathlib
import platform
import shutil
import subprocess
import threading

import pytest

from tests.api.conftest import environment_body
from tests.support.flags import Client, define, rollout, say, switch
from tests.support.stack import IMAGE, ended, until

HERE = pathlib.Path(__file__).resolve().parents[1] / "clients"
PYTHON = HERE / "venv/bin/python"


def node():
    """The machine's own where it is new enough, else the one that npm brought."""
    own = shutil.which("node")
    if own:
        version = subprocess.run([own, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.lstrip("v").split(".")[0]) >= 20:
            return own
    pinned = HERE / "node_modules" / f"node-linux-{dict(x86_64='x64', aarch64='arm64').get(platform.machine(), 'none')}" / "bin/node"
    return str(pinned) if pinned.exists() else None


# The program, and how what it reports is called; None: it reports nothing.
CLIENTS = {"openfeature-server.mjs": None, "openfeature-web.mjs": None, "unleash.mjs": "unleash-client",
           "unleash-proxy.mjs": "unleash-proxy-client", "openfeature_server.py": None, "unleash_python.py": "unleash-python"}
APP, FLAG = "flag-clients", "new-shop"


def missing(name):
    """Why a client cannot be tried; None: it can."""
    if name.endswith(".py"):
        return None if (HERE / "venv/.locked").exists() else "PyPI could not be reached (scripts/deps test)"
    if not (HERE / "node_modules/.locked").exists():
        return "npm could not be reached (scripts/deps test)"
    return None if node() else "there is no Node.js 20 or newer, and npm brought none for this machine"


class Program:
    """A client at work: says each value of its flag."""

    def __init__(self, name, url, key):
        interpreter = str(PYTHON) if name.endswith(".py") else node()
        self.process = subprocess.Popen([interpreter, str(HERE / name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "SLUICE_URL": url, "SLUICE_KEY": key, "FLAG": FLAG, "USER_ID": "ann"})
        self.said, self.complaints = [], []
        for stream, lines in ((self.process.stdout, self.said), (self.process.stderr, self.complaints)):
            threading.Thread(target=lambda s=stream, to=lines: [to.append(line.strip()) for line in s], daemon=True).start()

    def wait(self, n, seconds):
        """Until it has said n values, or the time is up."""
        try:
            until(lambda: len(self.said) >= n or self.process.poll() is not None, seconds)
        except AssertionError:
            pass

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def programs(stack):
    """What each of them said: on, killed, on again, and then, after a restart, off."""
    assert stack.api("PUT", f"/apps/{APP}", {"image": IMAGE}).status == 201
    assert stack.api("PUT", f"/apps/{APP}/environments/production", environment_body(APP)).status == 201
    define(stack, APP, FLAG)
    client = Client(stack, APP)
    client.wait(say(stack, APP, FLAG, strategies=[rollout(100)]))
    running = {name: Program(name, stack.urls[0], client.key) for name in CLIENTS if not missing(name)}

    def all_said(n, seconds=60):
        for program in running.values():
            program.wait(n, seconds)
    try:
        all_said(1)
        for n, verb in ((2, "kill"), (3, "unkill")):
            switch(stack, APP, FLAG, verb)
            all_said(n)
        urls = stack.urls
        stack.stop_servers()
        assert all(ended(pid) for pid in stack.pids)
        stack.up()
        assert stack.urls == urls
        switch(stack, APP, FLAG, "disable")
        all_said(4, 90)
        yield running
    finally:
        for program in running.values():
            program.end()


@pytest.mark.parametrize("name", CLIENTS)
def test_it_evaluates_is_refreshed_and_survives(stack, request, name):
    if missing(name):
        pytest.skip(f"{name} is not installed: {missing(name)}")
    program = request.getfixturevalue("programs")[name]
    assert program.said == ["true", "false", "true", "false"], program.complaints[-20:]
    assert program.process.poll() is None
    if CLIENTS[name]:
        path = f"/apps/{APP}/environments/production/flags/{FLAG}/exposure"
        until(lambda: any(item["app_name"] == CLIENTS[name] and item["yes"] for item in stack.api("GET", path)["items"]),
              seconds=40, what=f"what {CLIENTS[name]} reports is counted")
