"""Signed checkpoints of the record: made once, kept, sent, and what `sluice audit verify` finds with and without them."""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

from tests.api.conftest import refused
from tests.support.stack import IMAGE, Stack, call, until

APP, RECORDS = "cups", 12
CHAIN = "cups/production"


class Receiver:
    """What is posted to it, in order; answers with .status."""

    def __init__(self):
        self.got, self.traces, self.status = [], [], 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.traces.append(self.headers["traceparent"])
                if receiver.status == 200:
                    receiver.got.append((self.headers["Webhook-Id"], self.headers["Content-Type"], body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/checkpoints?secret=x"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class World:
    """A stack of two servers that make checkpoints, with their directory and receiver."""

    def __init__(self, folder):
        self.folder, self.receiver = folder, Receiver()
        self.key, self.public, self.dir = folder / "key.pem", folder / "key.pub", folder / "checkpoints"
        for key, public in ((self.key, self.public), (folder / "other.pem", folder / "other.pub")):
            public.write_text(sluiced("checkpoint-key", "--new", key).stdout)
        self.stack = Stack(replicas=2, env={
            "SLUICE_CHECKPOINT_KEY_FILE": str(self.key), "SLUICE_PUBLIC_URL": "https://sluice.example.com:8443/",
            "SLUICE_CHECKPOINT_DIR": str(self.dir), "SLUICE_CHECKPOINT_URL": self.receiver.url,
            "SLUICE_CHECKPOINT_S": "1", "SLUICE_SCAN_MS": "50"})

    def __enter__(self):
        self.receiver.status = 503
        self.stack.__enter__()
        return self

    def __exit__(self, *_):
        self.stack.__exit__()
        self.receiver.stop()

    def last(self):
        return int(self.stack.sql("SELECT coalesce(max(number), 0) FROM checkpoint"))

    def all_signed(self):
        """Waits until every record is under a checkpoint; the number of the last."""
        return until(lambda: self.health()["records_since"] == 0 and self.health()["last_number"])

    def health(self, replica=0):
        return call("GET", self.stack.urls[replica] + "/api/health/detailed", token=self.stack.token)["checkpoints"]

    def text(self):
        answer = self.stack.api("GET", "/audit/checkpoints", headers={"Accept": "text/plain"})
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain"), answer
        return answer.raw.decode()


def program(name):
    return pathlib.Path(os.environ.get("STACK_BIN", pathlib.Path(__file__).parents[2] / "build" / "bin")) / name


def sluiced(*words, status=0, **env):
    done = subprocess.run([program("sluiced"), *map(str, words)], capture_output=True, text=True, env={**os.environ, **env})
    assert done.returncode == status, (done.stdout, done.stderr)
    return done


def verify(*words, status=0):
    done = subprocess.run([program("sluice"), "audit", "verify", *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def notes_of(text):
    return re.findall(r"(?:[^\n]+\n)+\n(?:— [^\n]+\n)+", text)


def number_of(note):
    return int(note.splitlines()[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and not path.stat().st_mode & 1:
            path.chmod(path.stat().st_mode | 0o11)
    with World(folder) as world:
        yield world


@pytest.fixture(scope="module")
def history(world):
    """A chain of RECORDS records, under at least three checkpoints of different lengths: {head, text, file}."""
    stack = world.stack
    assert stack.api("PUT", f"/apps/{APP}", {"image": IMAGE}).status == 201
    for n in range(RECORDS):
        stack.sql(f"""SELECT record_append('{CHAIN}', '{{"kind": "service"}}', 'test', 'x', 's', 'm{n}', '{{}}', NULL)""")
        if n % 4 == 3:
            world.all_signed()
    file = world.folder / "chain.ndjson"
    assert stack.cli("audit", "export", CHAIN, "--out", file).returncode == 0
    text = world.folder / "checkpoints.txt"
    assert stack.cli("audit", "checkpoints", "--out", text).returncode == 0
    return {"file": file, "text": text, "lines": file.read_text().splitlines(), "last": world.last(),
            "head": hashlib.sha256(file.read_bytes().splitlines()[-1]).hexdigest()}


@pytest.fixture
def directory(world, history):
    """The directory with a file for each checkpoint."""
    world.dir.mkdir(exist_ok=True)
    until(lambda: len(list(world.dir.glob("*.checkpoint"))) >= world.last())
    return world.dir


# ---- what is made ----

def test_without_key_or_directory_the_check_says_so(world):
    env = {"DATABASE_URL": world.stack.env["DATABASE_URL"], "JWT_SECRET": "x" * 32, "SLUICE_KUBECONFIG_DIR": str(world.stack.dir / "kubesim")}
    assert "checkpoints: none are made: SLUICE_CHECKPOINT_KEY is not set\n" in sluiced("check", **env).stdout
    env["SLUICE_CHECKPOINT_KEY"] = world.key.read_text()
    assert re.search(r"^checkpoints: every 60 s or 1000 records, no files, not sent, signed as sluice\+[0-9a-f]{8}\+\S{44}$",
                     sluiced("check", **env).stdout, re.M)
    assert "SLUICE_CHECKPOINT_DIR: failed: /does/not/exist: No such file" in \
        sluiced("check", status=1, SLUICE_CHECKPOINT_DIR="/does/not/exist", **env).stdout
    assert world.key.read_text() not in sluiced("check", **env).stdout
    assert "is no Ed25519 private key" in sluiced("check", status=1, **{**env, "SLUICE_CHECKPOINT_KEY": world.public.read_text()}).stderr
    assert "is no name of a key" in sluiced("check", status=1, SLUICE_CHECKPOINT_NAME="a b", **env).stderr
    assert sluiced("checkpoint-key", **env).stdout == world.public.read_text()
    assert "exists" in sluiced("checkpoint-key", "--new", world.key, status=1).stderr
    assert world.key.stat().st_mode & 0o77 == 0


def test_a_directory_that_is_not_there_is_reported_and_caught_up_with(world, history):
    failing = until(lambda: (keep := world.health()["keep"]) and not keep["ok"] and keep)
    assert "cannot be opened: No such file" in failing["error"] and failing["number"] == 0

    def metrics():
        return call("GET", world.stack.urls[0] + "/metrics").raw.decode()
    assert 'sluice_checkpoint_failing{task="keep"} 1' in metrics() and 'sluice_checkpoint_failing{task="make"} 0' in metrics()
    until(lambda: f"sluice_checkpoint_number {world.last()}\n" in metrics(), 30, what="the census has read it")
    assert "sluice_checkpoint_age_seconds " in metrics()
    assert call("GET", world.stack.urls[0] + "/api/health/ready").status == 200
    world.dir.mkdir()
    until(lambda: len(list(world.dir.iterdir())) == world.last())
    assert until(lambda: world.health()["keep"]["ok"]) and until(lambda: world.health(1)["keep"]["ok"])
    files = sorted(world.dir.iterdir())
    assert all(re.fullmatch(r"\d{10}-[0-9a-f]{16}\.checkpoint", file.name) for file in files)
    assert "".join(file.read_text() for file in files) == world.text(), "two servers write one directory"


def test_a_receiver_that_was_down_gets_every_one_in_order(world, history):
    failing = until(lambda: (send := world.health()["send"]) and send["tries"] and send)
    assert failing["error"] == "the receiver answered 503" and failing["number"] == 0 and not failing["ok"]
    world.receiver.status = 200
    notes = notes_of(world.text())

    def delivered():
        """Every one arrived; a pause between tries, which may be a minute by now, is ended."""
        world.stack.sql("UPDATE checkpoint_delivery SET next_at = clock_timestamp() WHERE tries > 0")
        return len(world.receiver.got) >= len(notes)
    until(delivered)
    unique = list(dict.fromkeys(world.receiver.got))
    traces = [re.fullmatch("00-([0-9a-f]{32})-[0-9a-f]{16}-00", one)[1] for one in world.receiver.traces]
    assert len(set(traces)) == len(traces), "each try has its own"
    assert [body for _, _, body in unique][:len(notes)] == notes
    assert [int(id.partition("-")[0]) for id, _, _ in unique] == list(range(1, len(unique) + 1))
    assert {kind for _, kind, _ in unique} == {"text/plain; charset=utf-8"}
    assert until(lambda: (send := world.health(1)["send"])["ok"] and send["number"] == world.last() and send)["tries"] == 0
    log = (world.stack.dir / "log" / "sluiced-1.log").read_text() + (world.stack.dir / "log" / "sluiced-2.log").read_text()
    assert 1 <= log.count("event=checkpoint-failing task=send") <= 2, "said once by each server"
    assert "secret=x" not in log


def test_the_note_is_what_the_documents_say(world, history):
    """Read without any code of ours: the key by cryptography, the rest by hand."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
    public = load_pem_public_key(world.public.read_bytes())
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    before = bytes(32)
    for number, note in enumerate(notes_of(world.text()), 1):
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        dash, name, signature = signatures.strip().split(" ")
        signature = base64.b64decode(signature, validate=True)
        assert dash == "—" and name == "sluice.example.com"
        assert signature[:4] == hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
        public.verify(signature[4:], text.encode())
        lines = text.splitlines()
        assert lines[0] == name and lines[1] == str(number) and base64.b64decode(lines[2]) == before
        assert re.fullmatch(r"at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[3])
        assert all(re.fullmatch(r"chain [a-z0-9/-]+ [1-9]\d* [0-9a-f]{64}", line) for line in lines[4:])
        assert lines[4:] == sorted(lines[4:])
        before = hashlib.sha256(text.encode()).digest()
    assert f"chain {CHAIN} {RECORDS} {history['head']}" in note


def test_openssl_verifies_it_too(world, history, directory, tmp_path):
    note = notes_of(world.text())[-1]
    (tmp_path / "checkpoint").write_text(note)
    shutil.copy(world.public, tmp_path / "checkpoint.pub")
    document = (pathlib.Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    script = re.search(r"```sh verify\n(.*?)```", document, re.S)[1]
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0 and "Verified Successfully" in run.stdout, (run.stdout, run.stderr)
    (tmp_path / "checkpoint").write_text(note.replace(f" {RECORDS} ", f" {RECORDS - 1} ", 1))
    assert subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True).returncode != 0
    script = ["/usr/bin/python3", "-c", re.search(r"```python\n(.*?)```", document, re.S)[1], world.public]
    files = sorted(directory.glob("*.checkpoint"))
    run = subprocess.run([*script, *files], capture_output=True, text=True)
    assert run.returncode == 0 and f"chain {CHAIN} {RECORDS} " in run.stdout, run
    assert "does not follow" in subprocess.run([*script, files[0], *files[2:]], capture_output=True, text=True).stderr


def test_the_api_lists_them(world, history):
    api = world.stack.api
    last, notes = world.last(), notes_of(world.text())
    first = api("GET", "/audit/checkpoints?limit=2")
    assert [item["number"] for item in first["items"]] == [1, 2] and first["next_cursor"]
    second = api("GET", "/audit/checkpoints?limit=200&cursor=" + first["next_cursor"])
    items = first["items"] + second["items"]
    assert [item["note"] for item in items][:len(notes)] == notes and second["next_cursor"] is None
    item = items[-1]
    assert set(item) == {"number", "at", "records", "chains", "hash", "note"}
    text = item["note"].rpartition("\n\n")[0] + "\n"
    assert item["hash"] == base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert item["at"] == text.splitlines()[3][3:] and item["chains"] == len(text.splitlines()) - 4
    assert api("GET", f"/audit/checkpoints?from={last}")["items"][0]["number"] == last
    for query in ("from=0", "from=x", "after=1"):
        refused(api("GET", "/audit/checkpoints?" + query), 400, "invalid-query")
    refused(api("GET", "/audit/checkpoints", token=world.stack.mint("v", ("viewer",), ("*",))), 403, "forbidden")
    refused(api("GET", "/audit/checkpoints", token=world.stack.mint("o", ("operator",), (APP,))), 403, "forbidden")
    assert api("GET", "/audit/checkpoints", token=world.stack.mint("o", ("operator",), ("*",))).status == 200


def test_nothing_new_makes_none_and_two_servers_make_each_once(world, history):
    last = world.all_signed()
    made = [world.health(replica)["make"]["number"] for replica in (0, 1)]
    assert max(made) == last
    log = [re.findall(r"event=checkpoint number=(\d+)", (world.stack.dir / "log" / f"sluiced-{i}.log").read_text()) for i in (1, 2)]
    assert sorted(int(n) for n in log[0] + log[1]) == list(range(1, last + 1))
    assert world.stack.sql("SELECT count(*) FROM checkpoint c JOIN checkpoint d ON d.number = c.number + 1"
                           " WHERE d.records = c.records") == "0"


def test_they_are_never_changed_or_removed(world, history):
    for statement in ("UPDATE checkpoint SET note = ''", "DELETE FROM checkpoint", "TRUNCATE checkpoint",
                      "DELETE FROM checkpoint WHERE number = 1"):
        with pytest.raises(subprocess.CalledProcessError):
            world.stack.sql(statement)


# ---- what is found by what ----

def line_of(seq, prev, message):
    return json.dumps({"seq": seq, "prev": prev, "chain": CHAIN, "message": message})


def anew(lines):
    """The same records with links of their own, as whoever knows the format writes them."""
    prev, out = "0" * 64, []
    for seq, line in enumerate(lines, 1):
        out.append(json.dumps({**json.loads(line), "seq": seq, "prev": prev}))
        prev = hashlib.sha256(out[-1].encode()).hexdigest()
    return out


# What the superuser does to the table: SQL over (chain, seq, line); `anew` links the rest again.
TAMPERINGS = {
    "changed": ("UPDATE record SET line = replace(line, 'm5', 'm6') WHERE seq = 6", False),
    "removed": ("DELETE FROM record WHERE seq = 6", False),
    "inserted": ("UPDATE record SET seq = seq + 1000 WHERE seq > 6; UPDATE record SET seq = seq - 999 WHERE seq > 1000;"
                 " INSERT INTO record SELECT chain, 7, line, action, deployment_id, at, xid FROM record WHERE seq = 6", False),
    "re-ordered": ("UPDATE record SET seq = seq + 1000 WHERE seq IN (6, 7);"
                   " UPDATE record SET seq = CASE seq WHEN 1006 THEN 7 ELSE 6 END WHERE seq > 1000", False),
    "cut tail": ("DELETE FROM record WHERE seq > 9", False),
    "changed, written anew": ("UPDATE record SET line = replace(line, 'm5', 'm6') WHERE seq = 6", True),
    "removed, written anew": ("DELETE FROM record WHERE seq = 6", True),
    "inserted, written anew": ("INSERT INTO record SELECT chain, 1000, line, action, deployment_id, at, xid FROM record WHERE seq = 6", True),
    "all else, written anew": ("UPDATE record SET line = replace(line, 'test', 'nobody')", True),
}
# tampering → kind found with nothing, with --head, with --checkpoints; None: not found
FOUND = {
    "changed": ("changed", "changed", "changed"),
    "removed": ("removed", "removed", "removed"),
    "inserted": ("inserted", "inserted", "inserted"),
    "re-ordered": ("re-ordered", "re-ordered", "re-ordered"),
    "cut tail": (None, "cut", "cut"),
    "changed, written anew": (None, "cut", "rewritten"),
    "removed, written anew": (None, "cut", "rewritten"),
    "inserted, written anew": (None, "cut", "rewritten"),
    "all else, written anew": (None, "cut", "rewritten"),
}


def tampered(world, statements, relink):
    """The chain's lines after the superuser did that to a copy of the table."""
    stack = world.stack
    out = stack.sql("BEGIN; SET CONSTRAINTS ALL DEFERRED; CREATE TEMP TABLE copy (LIKE public.record INCLUDING INDEXES);"
                    f"INSERT INTO copy SELECT * FROM public.record WHERE chain = '{CHAIN}';"
                    + re.sub(r"\brecord\b", "copy", statements) + "; SELECT line FROM copy ORDER BY seq; ROLLBACK")
    lines = out.splitlines()
    return anew(lines) if relink else lines


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_what_is_found_by_what(world, history, tmp_path, tampering):
    lines = tampered(world, *TAMPERINGS[tampering])
    assert lines != history["lines"]
    file = tmp_path / "chain.ndjson"
    file.write_text("".join(line + "\n" for line in lines))
    trusted = ["--checkpoints", history["text"], "--key", world.public]
    for words, kind in zip(([], ["--head", history["head"]], trusted), FOUND[tampering]):
        report = verify(file, *words, status=1 if kind else 0)[-1]
        assert (report["problem"] or {}).get("kind") == kind, report
        assert report["chain"] == CHAIN
        if kind in ("changed", "removed", "rewritten"):
            assert report["problem"]["seq"], report
        said = subprocess.run([program("sluice"), "audit", "verify", file, *words], capture_output=True, text=True).stdout
        if kind:
            assert f": {kind}: chain {CHAIN}: " in said
        else:
            assert said.endswith("not shown without --head or --checkpoints: a cut tail, and a chain written anew\n")


def test_what_is_whole_is_found_whole(world, history, directory):
    for checkpoints in (history["text"], directory):
        first, report = verify(history["file"], "--checkpoints", checkpoints, "--key", world.public, "--head", history["head"])
        assert first["ok"] and first["first"] == 1 and first["last"] >= history["last"] and first["problem"] is None
        assert report["ok"] and report["checkpoint"] and report["newer"] == 0 and report["against_head"]
    said = subprocess.run([program("sluice"), "audit", "verify", history["file"], "--checkpoints", history["text"], "--key",
                           world.public], capture_output=True, text=True).stdout
    assert "are signed and follow one another" in said and "it agrees with the checkpoints up to" in said


def test_part_of_a_chain_newer_records_and_a_chain_that_none_names(world, history, tmp_path):
    trusted = ["--checkpoints", history["text"], "--key", world.public]
    file = tmp_path / "part"
    file.write_text("".join(line + "\n" for line in history["lines"][6:]))
    assert verify(file, *trusted)[-1]["first_seq"] == 7
    longer = history["lines"] + [line_of(RECORDS + 1, history["head"], "newer")]
    file.write_text("".join(line + "\n" for line in longer))
    assert verify(file, *trusted)[-1]["newer"] == 1
    file.write_text(line_of(1, "0" * 64, "x").replace(CHAIN, "other") + "\n")
    both = verify(history["file"], file, *trusted, status=1)
    assert [report["ok"] for report in both] == [True, True, False] and both[2]["problem"]["kind"] == "no-checkpoint"


def resigned(world, text):
    """The note of a text by the true key: what whoever holds it could sign."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    key = load_pem_private_key(world.key.read_bytes(), None)
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    name = text.splitlines()[0]
    id = hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
    return f"{text}\n— {name} {base64.b64encode(id + key.sign(text.encode())).decode()}\n"


def changed(note, old, new):
    assert old in note
    return note.replace(old, new)


def text_of(note):
    return note.rpartition("\n\n")[0] + "\n"


CHECKPOINT_FAULTS = {
    "bad-signature": lambda w, n: n[:2] + [changed(n[2], "chain system ", "chain system 1")] + n[3:],
    "gap": lambda w, n: n[:1] + n[2:],
    "re-ordered": lambda w, n: [n[1], n[0]] + n[2:],
    "fork": lambda w, n: n[:2] + [resigned(w, text_of(n[1]).replace("at 2", "at 1"))] + n[2:],
    "fork, one left out": lambda w, n: n[:1] + [resigned(w, text_of(n[1]).replace("at 2", "at 1"))] + n[2:],
    "went-back": lambda w, n: n + [successor(w, n[-1], f" {RECORDS} ", f" {RECORDS - 1} ")],
    "went-back, vanished": lambda w, n: n + [successor(w, n[-1], "chain cups/production", "other cups/production")],
    "rewritten": lambda w, n: n + [successor(w, n[-1], r"(?<=cups/production \d\d )[0-9a-f]{8}", "00000000")],
    "not-a-checkpoint": lambda w, n: n[:2] + ["hello\n\n— x abcd\n"] + n[2:],
    "not-a-checkpoint, signed": lambda w, n: n + [resigned(w, "sluice.example.com\nhello\n")],
    "none": lambda w, n: [],
}


def successor(world, note, old, new):
    text = text_of(note)
    lines = text.splitlines()
    lines[1] = str(int(lines[1]) + 1)
    lines[2] = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    out, count = re.subn(old, new, "\n".join(lines) + "\n")
    assert count == 1, out
    return resigned(world, out)


@pytest.mark.parametrize("fault", CHECKPOINT_FAULTS)
def test_what_is_wrong_with_checkpoints_is_found(world, history, tmp_path, fault):
    notes = notes_of(history["text"].read_text())
    file = tmp_path / "checkpoints"
    file.write_text("".join(CHECKPOINT_FAULTS[fault](world, notes)))
    report = verify(history["file"], "--checkpoints", file, "--key", world.public, status=1)[0]
    assert not report["ok"] and report["problem"]["kind"] == fault.partition(",")[0], report


def test_an_unknown_key_is_told_and_a_known_one_is_enough(world, history, tmp_path):
    other = world.folder / "other.pub"
    trusted = ["--checkpoints", history["text"]]
    report = verify(history["file"], *trusted, "--key", other, status=1)[0]
    assert report["problem"]["kind"] == "unknown-key"
    verify(history["file"], *trusted, "--key", other, "--key", world.public)
    vkey = tmp_path / "vkey"
    vkey.write_text(re.search(r"signed as (\S+?)\"?$", (world.stack.dir / "log" / "sluiced-1.log").read_text(), re.M)[1])
    assert vkey.read_text().startswith("sluice.example.com+")
    verify(history["file"], *trusted, "--key", vkey)


@pytest.mark.parametrize("words", [["--checkpoints", "TEXT"], ["--key", "KEY"], ["--checkpoints", "/none", "--key", "KEY"],
                                   ["--checkpoints", "TEXT", "--key", "TEXT"], ["--checkpoints", "TEXT", "--key", "/none"],
                                   ["FILE", "--head", "0" * 64]])
def test_verify_refuses_what_proves_nothing(world, history, words):
    names = {"TEXT": history["text"], "KEY": world.public, "FILE": history["file"]}
    done = subprocess.run([program("sluice"), "audit", "verify", history["file"], *(names.get(w, w) for w in words)],
                          capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr and not done.stdout, done


# ---- when ----

def test_many_records_make_one_before_its_time(world, history, directory):
    stack = world.stack
    stack.stop_servers()
    last = world.last()
    stack.up(SLUICE_CHECKPOINT_S="3600", SLUICE_CHECKPOINT_RECORDS="40")
    for n in (39, 1):
        assert world.last() == last, "39 are not 40"
        stack.sql(f"""SELECT record_append('{CHAIN}', '{{"kind": "service"}}', 'test', 'x', 's', 'm', '{{}}', NULL)
                      FROM generate_series(1, {n})""")
    until(lambda: world.last() == last + 1)
    until(lambda: len(list(world.dir.glob("*.checkpoint"))) == last + 1)


def test_a_database_that_was_set_back_makes_a_fork_that_shows(world, history, directory):
    """As after an older backup was restored: the directory keeps both, and verify says so."""
    stack = world.stack
    stack.stop_servers()
    stack.sql("ALTER TABLE checkpoint DISABLE TRIGGER checkpoint_stays; DELETE FROM checkpoint WHERE number > 2;"
              "ALTER TABLE checkpoint ENABLE TRIGGER checkpoint_stays")
    before = {file.name for file in directory.glob("*.checkpoint")}
    stack.up()
    world.all_signed()
    after = until(lambda: (names := {file.name for file in directory.glob("*.checkpoint")}) > before and names)
    assert {name.partition("-")[0] for name in after - before} == {"0000000003"}
    assert verify(history["file"], "--checkpoints", world.dir, "--key", world.public, status=1)[0]["problem"]["kind"] == "fork"
