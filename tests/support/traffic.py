"""Steady traffic for tests: sluice-load (bench/load) as a context manager.

    with Traffic("http://127.20.0.1:80/", rate=200) as traffic:
        ...                              # deploy
        traffic.so_far()                 # {"requests", "answered", "failed", "by": [...], ...}
    assert traffic.report["failed"] == 0
    assert traffic.count("v1.2.3", 200) > 0
"""
import json
import os
import pathlib
import shutil
import subprocess
import threading


def built():
    """The program: $SLUICE_LOAD, the PATH's (scripts/stack puts build/bin there), or build/bin's."""
    here = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "sluice-load"
    return os.environ.get("SLUICE_LOAD") or shutil.which("sluice-load") or str(here)


class Traffic:
    def __init__(self, url, rate=200, keep_alive=0, timeout_ms=5000, live_ms=100, program=None):
        self.command = [program or built(), url, "--until-stdin-closes", f"--rate={rate}",
                        f"--keep-alive={keep_alive}", f"--timeout-ms={timeout_ms}",
                        f"--live-ms={live_ms}"]
        self.report = None
        self._first = threading.Event()

    def __enter__(self):
        self._program = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self):
        for line in self._program.stdout:
            self.report = json.loads(line)
            self._first.set()
        self._first.set()

    def so_far(self):
        """The latest report, at most live_ms old."""
        self._first.wait(10)
        return self.report

    def count(self, version=None, status=None):
        return sum(row["count"] for row in self.so_far()["by"]
                   if version in (None, row["version"]) and status in (None, row["status"]))

    def __exit__(self, *_):
        self._program.stdin.close()
        self._program.wait(30)
        self._reader.join(10)
        self._program.stdout.close()
        if self.report is None:
            raise RuntimeError(f"{self.command[0]} reported nothing")
