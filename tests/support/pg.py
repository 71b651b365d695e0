"""A throw-away PostgreSQL cluster for black-box suites: tests/support/pg.c for pytest.

    with Cluster() as pg:
        url = pg.database()      # empty: `sluiced migrate` or `serve --migrate` makes the schema

A guardian process keeps the cluster; it ends it and removes its files when its standard input closes: at stop(), and
however else the test run ends (kill -9 too).  Only a socket in a directory of its own.  Run as root, the cluster belongs
to an ordinary user.  crash() and start_again() are for tests of what an outage does.
"""
import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

CONF = """
listen_addresses=''
unix_socket_directories='{directory}'
fsync=off
full_page_writes=off
shared_buffers=16MB
max_connections=200
autovacuum=off
"""


def binary(name):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/" + name))
    if not found:
        raise RuntimeError("no PostgreSQL below /usr/lib/postgresql (apt-get install postgresql)")
    return found[-1]


def ordinary_user():
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses root, and there is no other user")


class Cluster:
    def __init__(self, **settings):
        self.settings = settings
        self.directory = tempfile.mkdtemp(prefix="sluice-pg-")
        self.databases = 0
        user = ordinary_user()
        if user:
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        with open(__file__, encoding="utf-8") as source:  # handed over: that user may not be allowed to read it here
            program = source.read()
        self.guardian = subprocess.Popen(
            [sys.executable, "-c", program, self.directory, *(f"{k}={v}" for k, v in settings.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True, cwd="/",
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}))
        self._answer()
        self._await_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _answer(self):
        if not self.guardian.stdout.readline():
            raise RuntimeError("PostgreSQL cannot be started")

    def _command(self, word):
        self.guardian.stdin.write(word + "\n")
        self.guardian.stdin.flush()
        self._answer()

    def _await_ready(self):
        deadline = time.monotonic() + 30
        while subprocess.run([binary("pg_isready"), "-q", "-h", self.directory, "-U", "postgres"]).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not get ready: see {self.directory}/log")
            time.sleep(0.02)

    def url(self, database="postgres"):
        return f"postgresql:///{database}?host={self.directory}&user=postgres"

    def database(self):
        """The URL of a new, empty database."""
        self.databases += 1
        name = f"test_{os.getpid()}_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, text, url=None):
        """Runs SQL outside the code under test; the output's lines, columns separated by |."""
        done = subprocess.run([binary("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, url or self.url()],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{text}: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def crash(self):
        """Immediate stop."""
        self._command("crash")

    def start_again(self):
        self._command("start")
        self._await_ready()

    def stop(self):
        if self.guardian.poll() is None:
            self.guardian.stdin.close()
            self.guardian.wait()


# ---- the guardian: runs as the cluster's owner ----

def end(postgres):
    if postgres is None or postgres.poll() is not None:
        return
    postgres.send_signal(3)  # SIGQUIT: immediate
    try:
        postgres.wait(timeout=10)
    except subprocess.TimeoutExpired:
        postgres.kill()
        postgres.wait()


def guard(directory, settings):
    data = os.path.join(directory, "data")
    log = open(os.path.join(directory, "log"), "ab")

    def start():
        return subprocess.Popen([binary("postgres"), "-D", data], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    postgres = None
    try:
        subprocess.run([binary("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                        "--no-sync", "--no-instructions"], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        with open(os.path.join(data, "postgresql.conf"), "a", encoding="utf-8") as conf:
            conf.write(CONF.format(directory=directory))
            conf.writelines(line + "\n" for line in settings)
        postgres = start()
        print("started", flush=True)
        for line in sys.stdin:
            end(postgres)
            postgres = start() if line.strip() == "start" else None
            print("done", flush=True)
    finally:
        end(postgres)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    guard(sys.argv[1], sys.argv[2:])
