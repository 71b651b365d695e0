"""What several benches need: nginx on the server's core, wrk on the other, and their rates side by side."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.parse

from figures import figure
from tests.support.stack import until

ROUNDS, SECONDS, CONNECTIONS = 5, 3, 16
SERVED, ASKS = "0", "1"  # cores
# what nginx does not do either, or what would end the measurement
FREE = {"ENABLE_REQUEST_LOGGING": "false", "SLUICE_RATE_PRINCIPAL": "off", "SLUICE_RATE_NETWORK": "off", "SLUICE_MAX_CONNECTIONS": "15000"}


def on_core(core, pid):
    subprocess.run(["taskset", "-a", "-p", "-c", core, str(pid)], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def nginx(answers):
    """nginx on the server's core: path → text.  Yields its port."""
    with tempfile.TemporaryDirectory(prefix="sluice-nginx-") as name:
        folder, port = pathlib.Path(name), 18000 + os.getpid() % 2000
        folder.chmod(0o755)
        for path, text in answers.items():
            (folder / path).write_text(text)
        # a file is what answers If-None-Match; POST is answered as GET is
        (folder / "conf").write_text(f"""
            worker_processes 1; daemon off; pid {folder}/pid; error_log stderr crit; events {{ worker_connections 1024; }}
            http {{ access_log off; keepalive_requests 100000000; default_type application/json; open_file_cache max=10;
                    server {{ listen 127.0.0.1:{port}; root {folder}; error_page 405 =200 $uri; }} }}""")
        process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "conf"], stderr=subprocess.DEVNULL)
        try:
            until(lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip(), what="nginx runs")
            children = f"/proc/{process.pid}/task/{process.pid}/children"
            until(lambda: pathlib.Path(children).read_text(), what="nginx has its worker")
            for pid in (process.pid, *pathlib.Path(children).read_text().split()):
                on_core(SERVED, pid)
            yield port
        finally:
            process.terminate()
            process.wait()


def rate(port, path, headers, body=None):
    """Answers a second that wrk gets; none may be a refusal."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = {json.dumps('POST' if body else 'GET')}\n")
        if body:
            script.write(f"wrk.body = {json.dumps(body)}\n")
        for name, value in headers.items():
            script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.flush()
        said = subprocess.run(["taskset", "-c", ASKS, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name,
                               f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return float(re.search(r"Requests/sec: *(\S+)", said)[1])


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def port_of(stack, replica=0):
    return urllib.parse.urlsplit(stack.urls[replica]).port


def beside(stack, pid, name, ours, theirs, goal):
    """Rates of both in turns, and the median of their ratios; ours and theirs: what rate() takes."""
    pairs, spent = [], []
    for _ in range(ROUNDS):
        before, began = cpu(pid), time.monotonic()
        mine = rate(port_of(stack), *ours)
        spent.append((cpu(pid) - before) / (mine * (time.monotonic() - began)) * 1e6)
        pairs.append((mine, rate(*theirs)))
    figure(f"{name}: answers of ours", [a for a, _ in pairs], "/s")
    figure(f"{name}: answers of nginx", [b for _, b in pairs], "/s")
    figure(f"{name}: ours of nginx's", [a / b for a, b in pairs], "", goal, at_least=True)
    return spent
