"""Documents whose commands are run.

A fenced block that begins with ```sh run is run, in order, all blocks of a document in one bash, in a folder that looks like
a clone (scripts/, docs/, build/).  ```sh run exit=1 expects that status of its last command.  A block ```text output right
after it must be what it printed, but for what differs from run to run (times, ids, ports, names of pods); ```text output
varies is as real, and not compared: what is seen of something quick is a matter of luck.

    /usr/bin/python3 -m tests.support.docs README.md docs/getting-started.md     writes the real output into the documents

The commands of docs/tutorial.md find a cluster of the reader's, which is kubesim with nothing in it.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from tests.support.stack import call

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```sh run(?: exit=(?P<exit>\d+))?\n(?P<script>.*?)^```\n(?:\n?^```text output(?P<varies> varies)?\n(?P<output>.*?)^```\n)?",
                   re.M | re.S)
VARIES = [
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "AT"),
    (r"\b\d{4}-\d\d-\d\d\b", "DAY"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "TOOK"),
    (r"\b(inopnc|shop)-(blue|green)-[a-z0-9]+-[a-z0-9]{5}\b", "POD"),
    (r"(127\.0\.0\.1:|port )\d+", "PORT"),
    (r"127\.20\.\d+\.\d+", "ADDRESS"),
    (r"\b\d+ records, 1 to \d+|\b(line|record) \d+", "COUNT"),
    (r"[ \t]+", " "),
]
# What a watcher sees between two looks is a matter of luck.
PASSING = re.compile(r" (step \S+ (waiting|running)|deployment undoing)| # (all|the rest) of it$")
PASSING_UNDONE = re.compile(r" (step|deployment undoing)")


def kubectl():
    """The program, where there is one: the machine's, or the one that scripts/real-cluster built; else None."""
    built = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache").glob("sluice/real-cluster/*/kubectl")
    return shutil.which("kubectl") or next(map(str, built), None)


def steady(text):
    """A text without what differs from run to run."""
    passing = PASSING_UNDONE if re.search(r" deployment (failed|aborted)", text) else PASSING
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return [line.strip() for line in text.strip().splitlines() if not passing.search(line)]


class Cluster:
    """A simulated cluster as somebody's own: an empty one, in whose registry nginx 9.9.9 is missing."""

    def __init__(self, dir):
        self.process = subprocess.Popen([ROOT / "build/bin/kubesim", "--dir", dir], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        control = re.search(r"KUBESIM_URL='?([^'\n]+)", (dir / "kubesim.env").read_text())[1]
        call("PUT", control + "/images", {"image": "docker.io/library/nginx:9.9.9", "pull_error": True})
        self.kubeconfig = dir / "kubeconfig"

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Clone:
    """A folder like a clone, in which ./scripts/stack starts what was built already."""

    def __init__(self, path):
        self.own_cluster = path.name == "tutorial.md"
        self.cluster = None

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-docs-"))
        self.path.chmod(0o755)
        for name in ("scripts", "docs", "build"):
            (self.path / name).symlink_to(ROOT / name)
        self.env = {**os.environ, "STACK_BIN": str(ROOT / "build" / "bin"), "HOME": str(self.path), "NO_COLOR": "1"}
        if self.own_cluster:
            (self.path / "cluster").mkdir()
            self.cluster = Cluster(self.path / "cluster")
            self.env |= {"KUBECONFIG": str(self.cluster.kubeconfig), "PATH": f"{pathlib.Path(kubectl()).parent}:{os.environ['PATH']}"}
        return self

    def __exit__(self, *_):
        subprocess.run([ROOT / "scripts" / "stack", "down"], cwd=self.path, env=self.env, stdout=subprocess.DEVNULL, check=False)
        if self.cluster:
            self.cluster.end()
        postgres = self.path / ".stack" / "postgres"
        if postgres.is_symlink():
            shutil.rmtree(postgres.resolve(), ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def run(self, blocks, timeout=300):
        """The output of each block; fails at the first that ends with another status than it says."""
        script = ["set -uo pipefail"]
        for i, block in enumerate(blocks):
            script.append(f"exec >out.{i} 2>&1\nset -e\n")
            if block["exit"]:
                script.append(f"set +e\n{block['script']}\ngot=$?; set -e; [ $got = {block['exit']} ]")
            else:
                script.append(block["script"])
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=self.path, env=self.env, stdin=subprocess.DEVNULL,
                              timeout=timeout, check=False)
        outputs = []
        for i in range(len(blocks)):
            file = self.path / f"out.{i}"
            if not file.exists():
                break
            outputs.append(file.read_text().replace(f"{self.path}/", ""))
        assert done.returncode == 0 and len(outputs) == len(blocks), \
            f"status {done.returncode} of\n{blocks[len(outputs) - 1]['script']}\nwhich printed\n{outputs[-1]}"
        return outputs


def blocks_of(path):
    return [found.groupdict() for found in FENCE.finditer(path.read_text())]


def write(path):
    """Puts the real output into the document."""
    with Clone(path) as clone:
        outputs = iter(clone.run(blocks_of(path)))

    def filled(found):
        output = next(outputs)
        if found["output"] is None:
            return found[0]
        start, end = found.span("output")
        return found[0][:start - found.start()] + output.rstrip() + "\n" + found[0][end - found.start():]
    path.write_text(FENCE.sub(filled, path.read_text()))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(pathlib.Path(name))
