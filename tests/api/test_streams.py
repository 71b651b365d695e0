"""Event streams over several chains while 32 writers commit, some late and out of order: readers that go away at random and
resume by Last-Event-ID, at either server, miss no record and see none twice."""

import http.client
import json
import random
import subprocess
import threading
import urllib.parse

import pytest

from tests.support.stack import IMAGE, Stack, until

CALLERS, SESSIONS, EACH, READERS, APPS = 16, 16, 25, 12, 8


@pytest.fixture(scope="module")
def stack():
    with Stack(replicas=2, env={"SLUICE_WORKER_THREADS": "0"}) as stack:
        for i in range(APPS):
            assert stack.api("PUT", f"/apps/app-{i}", {}).status == 201
        yield stack


def caller(stack, n):
    """Writes over the API: each call is one record on one chain."""
    for i in range(EACH):
        app = f"app-{random.randrange(APPS)}"
        answer = stack.api("POST", f"/apps/{app}/releases", {"version": f"{n}.{i}.0", "image": f"{IMAGE}:{n}-{i}"}, replica=n % 2)
        assert answer.status in (200, 201), answer


def session(stack, n):
    """Transactions that take their time between their records, of one chain or of several, and some that are undone."""
    script = ["SET statement_timeout = '60s';"]
    for i in range(EACH):
        chains = sorted(f"app-{k}" for k in random.sample(range(APPS), random.randint(1, 3)))
        script.append("BEGIN;")
        if random.random() < 0.5:  # the transaction has its number long before it writes a record
            script.append(f"SELECT pg_current_xact_id(), pg_sleep({random.random() * 0.05});")
        for chain in chains:
            script.append(f"SELECT record_append('{chain}', '{{\"kind\": \"service\"}}', 'test', 'test.written', '{n}', "
                          f"'Session {n}, transaction {i}.', '{{}}', NULL);")
        script.append(f"SELECT pg_sleep({random.random() * 0.02});")
        script.append("ROLLBACK;" if random.random() < 0.1 else "COMMIT;")
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", stack.env["DATABASE_URL"]], input="\n".join(script),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Reader(threading.Thread):
    """Reads a stream in pieces: goes away after a few events, in the middle of one or between two, and resumes."""

    def __init__(self, stack, query=""):
        super().__init__()
        self.stack, self.query, self.seen, self.last, self.resumed, self.error = stack, query, [], None, 0, None
        self.finish = threading.Event()

    def run(self):
        try:
            while not self.finish.is_set():
                self.read_some(random.choice([1, 2, 5, 20, 100]))
                self.resumed += 1
        except Exception as error:  # the test says it
            self.error = error

    def read_some(self, most):
        where = urllib.parse.urlsplit(random.choice(self.stack.urls))
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=2)
        headers = {"Authorization": "Bearer " + self.stack.token, "Accept": "text/event-stream"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        try:
            connection.request("GET", "/api/v1/records" + self.query, headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            event = {}
            while most and not self.finish.is_set():
                line = answer.readline().decode()
                if not line:
                    return
                if line != "\n":
                    name, _, value = line.rstrip("\n").partition(": ")
                    event[name] = value
                    if name == "data" and random.random() < 0.02:
                        return  # all but the empty line: that is no event yet
                elif "data" in event:
                    record = json.loads(event["data"])
                    assert event["event"] == record["action"]
                    self.seen.append((record["chain"], record["seq"]))
                    self.last, event, most = event["id"], {}, most - 1
                else:
                    event = {}
        except TimeoutError:
            pass  # nothing new
        finally:
            connection.close()


def pages(stack, query=""):
    """The same as JSON pages."""
    seen, cursor = [], ""
    while cursor is not None:
        page = stack.api("GET", f"/records?limit=37{query}{cursor and '&cursor=' + cursor}", replica=random.randrange(2))
        assert page.status == 200, page
        seen += [(r["chain"], r["seq"]) for r in page["items"]]
        cursor = page["next_cursor"]
    return seen


def there(stack, where="true"):
    rows = stack.sql(f"SELECT chain || ' ' || seq FROM record WHERE {where}").split("\n")
    return {(row.split()[0], int(row.split()[1])) for row in rows}


def caught_up(stack, readers, resumed):
    """Until every reader has what there is, and came back that often; what there is, by query."""
    wanted = {"": there(stack), "?app=app-1": there(stack, "chain = 'app-1'"),
              "?action=test.written": there(stack, "action = 'test.written'"),
              "?action=release.created": there(stack, "action = 'release.created'")}
    until(lambda: all(r.error or (len(r.seen) >= len(wanted[r.query]) and r.resumed > resumed) for r in readers), 90, 0.1,
          what="all have caught up")
    return wanted


def test_no_record_is_missed_or_doubled(stack):
    readers = [Reader(stack) for _ in range(READERS)]
    readers += [Reader(stack, "?app=app-1"), Reader(stack, "?action=test.written"), Reader(stack, "?action=release.created")]
    errors = []

    def guarded(work, n):
        try:
            work(stack, n)
        except BaseException as error:
            errors.append(error)
    writers = [threading.Thread(target=guarded, args=(caller, n)) for n in range(CALLERS)]
    writers += [threading.Thread(target=guarded, args=(session, n)) for n in range(SESSIONS)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    try:
        assert not errors, errors
        caught_up(stack, readers, 5)
        # what came twice comes before what is newer
        session(stack, "last")
        caller(stack, CALLERS)
        assert stack.api("POST", "/apps/app-1/releases", {"version": "9.9.9", "image": f"{IMAGE}:9"}).status == 201
        wanted = caught_up(stack, readers, 0)
        assert len(wanted[""]) > (CALLERS + SESSIONS) * EACH
    finally:
        for reader in readers:
            reader.finish.set()
        for reader in readers:
            reader.join()
    for reader in readers:
        assert reader.error is None, reader.error
        assert len(reader.seen) == len(set(reader.seen)), "one came twice"
        assert set(reader.seen) == wanted[reader.query], wanted[reader.query] - set(reader.seen)
        for chain in {chain for chain, _ in reader.seen}:
            numbers = [seq for name, seq in reader.seen if name == chain]
            assert numbers == sorted(numbers), "a chain out of order"
    everything = pages(stack)
    assert len(everything) == len(set(everything)) and set(everything) == wanted[""]
    assert set(pages(stack, "&action=test.written")) == wanted["?action=test.written"]


def test_an_open_transaction_holds_back_only_what_may_still_come_before_it(stack):
    """Also a record that was committed long ago is not given before an older transaction has ended."""
    reader = Reader(stack)
    reader.last = None
    known = len(there(stack))
    psql = subprocess.Popen(["psql", "-XAtq", stack.env["DATABASE_URL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    psql.stdin.write("BEGIN; SELECT pg_current_xact_id();\n")
    psql.stdin.flush()
    assert psql.stdout.readline().strip()
    reader.start()
    try:
        until(lambda: len(reader.seen) == known, 30, what="what was there before it")
        assert stack.api("PUT", "/apps/late", {}).status == 201
        with pytest.raises(AssertionError):
            until(lambda: len(reader.seen) > known, 3)
        psql.stdin.write("SELECT record_append('app-0', '{\"kind\": \"service\"}', 'test', 'test.late', 'x', 'Late.', '{}', NULL); COMMIT;\n")
        psql.stdin.flush()
        until(lambda: len(reader.seen) == known + 2, 10, what="both, once it ended")
        assert [chain for chain, _ in reader.seen[-2:]] == ["app-0", "late"], "in the order of their transactions"
    finally:
        reader.finish.set()
        reader.join()
        psql.stdin.close()
        psql.wait(10)
    assert reader.error is None
