"""PostgreSQL stops, starts again, freezes, and is replaced by its standby while a deployment runs: none fails for it, none
switches twice, writes are refused with Retry-After meanwhile, and the servers go on by themselves."""

import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from tests.support.invariants import Invariants
from tests.support.pg import binary, ordinary_user
from tests.support.stack import FINAL, Stack, ended, until

RESUMED_S = 15
AT_ONCE = {"health": [{"name": "health", "path": "/api/health", "interval_s": 1}], "production": []}
versions = (f"v1.{n}.0" for n in itertools.count(1))


def children(pid):
    """Of a postmaster: itself and its processes."""
    tasks = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *map(int, tasks.read_text().split())] if tasks.exists() else []


def signal_all(pid, number):
    for one in children(pid):
        try:
            os.kill(one, number)
        except ProcessLookupError:
            pass


class Pair(Stack):
    """Two servers; PostgreSQL and, once asked for, a standby of it that the servers know too."""

    def __enter__(self):
        super().__enter__()
        self.standby = None
        self.watch = Invariants(self)
        self.inopnc(checks=AT_ONCE)
        self.wait(self.deploy("v1.0.0"), "succeeded")
        return self

    def __exit__(self, *_):
        super().__exit__()
        if self.standby:
            self.standby.stop()

    @property
    def postgres(self):
        return int(self.env["POSTGRES_PID"])

    def kill(self, number=signal.SIGKILL):
        if number == signal.SIGKILL:
            signal_all(self.postgres, number)
        else:
            os.kill(self.postgres, number)
        until(lambda: ended(self.postgres), what="PostgreSQL has ended")

    def with_standby(self, synchronous):
        self.standby = Standby(self)
        self.sql_admin(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if synchronous else ''}'", "SELECT pg_reload_conf()")
        state = "sync" if synchronous else "async"
        until(lambda: self.sql_admin("SELECT sync_state FROM pg_stat_replication") == state, what=f"the standby is {state}")
        self.stop_servers()
        self.extra["STACK_DATABASE_URL"] = re.sub(
            r"sluice:(.*)@127.0.0.1:(\d+)/", rf"sluice_app:\1@127.0.0.1:\2,127.0.0.1:{self.standby.port}/", self.env["DATABASE_URL"])
        self.up()

    @property
    def admin_url(self):
        return re.sub("//sluice:(.*)/sluice$", r"//postgres:\1/postgres", self.env["DATABASE_URL"])

    def sql_admin(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        return subprocess.run(["psql", "-XAtq", *words, self.admin_url], check=True, capture_output=True, text=True).stdout.strip()

    def standby_has_all(self):
        until(lambda: self.sql_admin("SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication") == "t",
              what="the standby has all so far")

    def fails_over(self):
        """From the death of one PostgreSQL to the first answer from the other."""
        self.kill()
        refusal = self.refused()
        self.standby.promote()
        self.env["DATABASE_URL"] = self.standby.url
        return refusal, self.resumed()

    # ---- what callers see ----
    def refused(self):
        """A write while there is no database, once the servers know."""
        def there():
            answer = self.api("PUT", "/apps/other", {}, timeout=20)
            return answer if answer.status == 503 else None
        return until(there, what="a write is refused")

    def resumed(self):
        """How long until both servers take writes; each by itself."""
        began = time.monotonic()
        for i in range(self.replicas):
            until(lambda i=i: self.writes(i), RESUMED_S + 15, what=f"server {i} takes writes")
        return time.monotonic() - began

    def writes(self, replica):
        return self.api("PUT", "/apps/other", {"description": f"at {time.monotonic()}"}, replica=replica,
                        headers={"If-Match": "*"}, timeout=20).status in (200, 201)

    def slow_deployment(self):
        version = next(versions)
        self.image(version, ready_after_ms=2500)
        id = self.deploy(version)
        self.wait_step(id, "await-available", ("running", "waiting"))
        return id

    def expect_done(self, id):
        """Not wait(): a server whose database is away answers 503."""
        def there():
            answer = self.api("GET", f"/deployments/{id}")
            assert answer.status in (200, 503), answer
            return answer.json if answer.status == 200 and answer["state"] in FINAL + ("stuck",) else None
        done = until(there, 90, what="the deployment ends")
        assert done["state"] == "succeeded", done
        assert self.selector() == done["to"]["color"]
        self.watch.check()


class Standby:
    """A streaming copy of a stack's PostgreSQL, on a port of its own."""

    def __init__(self, stack):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sluice-standby-"))
        self.user = ordinary_user()
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = re.sub(r":\d+/", f":{self.port}/", stack.env["DATABASE_URL"])
        data = self.dir / "data"
        self.run("pg_basebackup", "-R", "-c", "fast", "-X", "stream", "-D", str(data), "-d", stack.admin_url)
        self.process = subprocess.Popen(
            [binary("postgres"), "-D", data, "-p", str(self.port), "-k", ""], stdin=subprocess.DEVNULL, cwd="/",
            stdout=subprocess.DEVNULL, stderr=open(self.dir / "log", "ab"), **self.identity())
        until(lambda: subprocess.run([binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0,
              what="the standby is ready")

    def identity(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def run(self, program, *words):
        subprocess.run([binary(program), *words], check=True, cwd="/", capture_output=True, **self.identity())

    def promote(self):
        self.run("pg_ctl", "promote", "-w", "-D", str(self.dir / "data"))

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def alone():
    with Pair(replicas=2) as stack:
        yield stack


@pytest.fixture
def pair():
    with Pair(replicas=2) as stack:
        yield stack


@pytest.mark.parametrize("how", ("SIGINT", "SIGQUIT", "SIGKILL"))
def test_it_stops_and_starts_again(alone, how):
    id = alone.slow_deployment()
    alone.kill(getattr(signal, how))
    assert int(alone.refused().headers["Retry-After"]) >= 1
    alone.up()
    resumed = alone.resumed()
    print(f"{how}: resumed after {resumed:.1f} s")
    assert resumed <= RESUMED_S
    alone.expect_done(id)


def test_it_freezes(alone):
    id = alone.slow_deployment()
    signal_all(alone.postgres, signal.SIGSTOP)
    try:
        assert int(alone.refused().headers["Retry-After"]) >= 1
    finally:
        signal_all(alone.postgres, signal.SIGCONT)
    resumed = alone.resumed()
    print(f"frozen: resumed after {resumed:.1f} s")
    assert resumed <= RESUMED_S
    alone.expect_done(id)


def test_a_synchronous_standby_takes_over(pair):
    pair.with_standby(synchronous=True)
    id = pair.slow_deployment()
    refusal, resumed = pair.fails_over()
    print(f"failover, synchronous: resumed after {resumed:.1f} s")
    assert int(refusal.headers["Retry-After"]) >= 1 and resumed <= RESUMED_S
    pair.expect_done(id)
    pair.wait(pair.deploy(next(versions)), "succeeded")


def test_an_asynchronous_standby_that_has_all_takes_over(pair):
    pair.with_standby(synchronous=False)
    id = pair.slow_deployment()
    pair.standby_has_all()
    _, resumed = pair.fails_over()
    print(f"failover, asynchronous: resumed after {resumed:.1f} s")
    assert resumed <= RESUMED_S
    pair.expect_done(id)


def test_what_an_asynchronous_standby_did_not_get_is_recognised(pair):
    """The standby knows a deployment that waits for its pods; the cluster has been switched by it since."""
    pair.with_standby(synchronous=False)
    before = pair.status()["active"]
    id = pair.slow_deployment()
    pair.standby_has_all()
    os.kill(int(pair.sql_admin("SELECT pid FROM pg_stat_replication")), signal.SIGSTOP)
    done = pair.wait(id, "succeeded")
    assert pair.selector() == done["to"]["color"] != before["color"]
    pair.fails_over()
    until(lambda: pair.api("GET", f"/deployments/{id}").status == 200)
    stuck = until(lambda: (now := pair.deployment(id))["state"] == "stuck" and now, 60, what="it is stuck")
    assert stuck["failure"]["code"] == "history-lost", stuck
    assert pair.selector() == done["to"]["color"], "nobody guesses"
    answer = pair.api("POST", f"/deployments/{id}/abort", {"reason": "the past was lost"})
    assert answer.status == 200 and pair.selector() == before["color"], answer
    pair.wait_state(id, "aborted", 90)
    pair.wait(pair.deploy(next(versions)), "succeeded")
