"""scripts/stack: revives what died, on the same ports, and touches nothing else; ends only what it started."""
import os
import signal
import subprocess

from tests.support.stack import ROOT, Stack, call, until


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_up_revives_what_died_and_touches_nothing_else():
    with Stack(replicas=2) as stack:
        before, pids = dict(stack.env), list(stack.pids)
        clusters = stack.api("GET", "/clusters")["items"]
        assert [c["name"] for c in clusters] == ["local"] and stack.api("GET", "/apps")["items"] == []
        assert stack.selector() == "blue" and stack.workload("blue") is None
        for pid in (pids[0], int(before["POSTGRES_PID"])):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pids[0]), what="the server is dead")
        stack.up()
        same = ("SLUICE_URLS", "DATABASE_URL", "KUBESIM_URL", "KUBESIM_PID", "JWT_SECRET", "API_SIGNATURE_SECRET", "PATH")
        assert {name: stack.env[name] for name in same} == {name: before[name] for name in same}
        assert stack.pids[0] != pids[0] and stack.pids[1] == pids[1]
        for replica in (0, 1):
            # the other server notices that its database was away by itself
            until(lambda r=replica: call("GET", stack.urls[r] + "/api/health/ready").status == 200)
        now = stack.api("GET", "/clusters")["items"]
        assert [(c["name"], c["updated_at"]) for c in now] == [(c["name"], c["updated_at"]) for c in clusters]
        stack.up()
        assert stack.pids[1] == pids[1] and alive(pids[1])


def test_down_ends_only_what_it_started():
    with Stack() as stack:
        ours = [*stack.pids, int(stack.env["POSTGRES_PID"]), int(stack.env["KUBESIM_PID"])]
        stranger = subprocess.Popen(["sleep", "600"])
        try:
            # as if the server had died and its process id had gone to somebody else
            run = stack.dir / "run" / "sluiced-1"
            start = run.read_text().split()[1]
            run.write_text(f"{stranger.pid} {start}\n")
            subprocess.run([ROOT / "scripts/stack", "down", "--dir", stack.dir], check=True, stdout=subprocess.DEVNULL)
            assert stranger.poll() is None
            assert alive(ours[0]) and not any(alive(pid) for pid in ours[1:])
            assert not (stack.dir / "env").exists()
        finally:
            stranger.kill()
            stranger.wait()
            os.kill(ours[0], signal.SIGKILL)
