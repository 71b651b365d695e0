"""What answering costs: ./scripts/bench web [PART…]

Rates beside nginx as in bench/flags: the server has one core, whoever asks the other, nginx answers constants of the same size
on the server's core.  PostgreSQL goes where it likes.  Prints each figure with its goal and, last, one line of JSON; exits 1 when
a goal is missed.
"""

import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from beside import FREE, ROUNDS, SECONDS, SERVED, beside, nginx, on_core, port_of  # noqa: E402
from figures import FIGURES, figure, resident  # noqa: E402
from tests.support.stack import IMAGE, Stack, call  # noqa: E402

CHAINS, CALLERS, STREAMS, EVENTS = 64, 64, 10_000, 3

# each connection's next release goes to the next app: a record on the next chain
RELEASES = """
local n = 0
function request()
    n = n + 1
    local app = "/api/v1/apps/app-" .. n %% %(chains)d .. "/releases"
    return wrk.format("POST", app, nil, '{"version": "%(round)d.' .. n .. '.0", "image": "%(image)s:' .. n .. '"}')
end
"""


def rates():
    """Health, whoami, and what an environment is like, each beside nginx."""
    with Stack(env=FREE) as stack:
        stack.inopnc()
        stack.wait(stack.deploy("v1.0.0"), "succeeded")
        key = {"Authorization": "Bearer " + stack.token}
        paths = {"health": ("/api/health", {}, 0.8), "GET /me": ("/api/v1/me", key, 0.6),
                 "environment status": ("/api/v1/apps/inopnc/environments/production", key, 0.4)}
        said = {name: call("GET", stack.urls[0] + path, headers=headers).raw.decode() for name, (path, headers, _) in paths.items()}
        on_core(SERVED, stack.pids[0])
        with nginx({name.split()[-1].strip("/"): text for name, text in said.items()}) as port:
            for name, (path, headers, goal) in paths.items():
                beside(stack, stack.pids[0], name, (path, headers), (port, "/" + name.split()[-1].strip("/"), headers), goal)


def records():
    """Records a second, over HTTP: releases of many apps by many callers, each a record on its app's chain."""
    with Stack(env=FREE) as stack, tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        for i in range(CHAINS):
            assert stack.api("PUT", f"/apps/app-{i}", {"image": IMAGE}).status == 201
        rates, before = [], int(stack.sql("SELECT count(*) FROM record"))
        for n in range(ROUNDS):
            script.seek(0)
            script.truncate()
            script.write(RELEASES % {"chains": CHAINS, "round": n, "image": IMAGE})
            script.flush()
            done = subprocess.run(["wrk", "-t1", f"-c{CALLERS}", f"-d{SECONDS}s", "-s", script.name, "-H", "Authorization: Bearer " + stack.token,
                                   "-H", "Content-Type: application/json", f"http://127.0.0.1:{port_of(stack)}"],
                                  check=True, capture_output=True, text=True).stdout
            assert "Non-2xx" not in done and "Socket errors" not in done, done
            rates.append(float(re.search(r"Requests/sec: *(\S+)", done)[1]))
        assert int(stack.sql("SELECT count(*) FROM record")) - before >= sum(rates) * SECONDS * 0.9
        figure(f"records over {CHAINS} chains, {CALLERS} callers", rates, "/s")


def streams():
    """Thousands of dashboards, each with an event stream of everything."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    took = []
    with Stack(env=FREE) as stack:
        before = resident(stack.pids[0])
        for i in range(EVENTS):
            # an app of its own: of what happened before, a stream would begin with
            assert stack.api("PUT", f"/apps/app-{i}", {"image": IMAGE}).status == 201
            path = f"/api/v1/events?app=app-{i}&action=release.created"
            process = subprocess.Popen([ROOT / "build/bin/sluice-streams", str(port_of(stack)), stack.token, str(STREAMS), path],
                                       text=True, stdout=subprocess.PIPE)
            assert process.stdout.readline() == "ready\n", "the streams are not there"
            if i == 0:
                held = resident(stack.pids[0])
                figure(f"{STREAMS:,} event streams: memory", [held], "MB", 150)
                figure(f"{STREAMS:,} event streams: memory of each", [(held - before) * 1024 / STREAMS], "kB")
            assert stack.api("POST", f"/apps/app-{i}/releases", {"version": "1.0.0", "image": f"{IMAGE}:1"}).status == 201
            began = time.time()  # the answer comes after the commit
            said = json.loads(process.communicate(timeout=90)[0])
            assert len(said["events_us"]) == STREAMS, f"{STREAMS - len(said['events_us'])} were not told"
            took += [at / 1000 - began * 1000 for at in said["events_us"]]
        figure(f"{STREAMS:,} event streams: answered → event", took, "ms", 250, of="p99")


PARTS = {"rates": rates, "records": records, "streams": streams}


def main():
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
    print(json.dumps(FIGURES, ensure_ascii=False))
    return any(not row["met"] for row in FIGURES)


if __name__ == "__main__":
    sys.exit(main())
