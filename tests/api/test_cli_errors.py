"""Every command with --json, in good times and bad: standard output is JSON; every refusal says what to do next."""
import json
import re

import pytest

from tests.api.test_cli import ID, OTHER, ROOT, SUCCEEDED, api, expect, problem, run  # noqa: F401  pylint: disable=unused-import
from tests.api.test_cli_words import TABLE

CODES = re.findall(r'^ERR\(\w+, +"([a-z-]+)", +(\d+), "(.*)"\)', (ROOT / "server/base/errors.def").read_text(), re.M)
OPERANDS = {"APP": "inopnc", "ENV": "production", "VERSION": "v1.2.3", "FLAG": "checkout", "SEGMENT": "beta", "COLOR": "blue", "NAME": "a-name",
            "PERCENT": "25", "REVISION": "3", "CHAIN": "system", "REPORT": "1", "ITEM": "tests", "SHELL": "bash"}
# What a command wants to be told, besides --reason and --file where it has them.
WANTS = {"cluster create": ["--in-cluster"], "release create": ["--image", "example.org/a:1"], "resolve": ["--as", "failed"], "freeze create": ["--for", "1h"],
         "break-glass request": ["--for", "1h"], "checklist waive": ["--role", "qa", "--expires-in", "7d"], "signoff approve": ["--role", "qa"],
         "signoff reject": ["--role", "qa", "--note", "no"], "evidence junit": ["--item", "tests"], "evidence sarif": ["--item", "scan"],
         "evidence bundle": ["--item", "size"], "evidence pass": ["--summary", "good"], "evidence fail": ["--summary", "bad"], "flag request": ["--enable"],
         "flag schedule": ["--enable", "--at", "2099-01-02T03:04:05Z"], "flag reject": ["--note", "no"], "flag diff": ["--from", "staging"],
         "flag promote": ["--from", "staging"], "keys create": ["--role", "viewer", "--app", "inopnc"]}
NO_FILE = {"env manifests", "flag create", "flag request", "flag eval"}
LOCAL = {"login", "logout", "completion", "man", "audit verify"}
REMOTE = [row["command"] for row in TABLE if row["command"] not in LOCAL]
CALLS = [command for command in REMOTE if command != "health"]  # which asks for no problem and no object: test_cli.py


def line(command, file):
    """A whole command line that wants nothing more."""
    row = next(row for row in TABLE if row["command"] == command)
    names = [name.strip("[]…").split("|")[0] for name in row["operands"].split()]
    has = {option["name"] for option in row["options"]}
    return [*command.split(), *(str(file) if name == "FILE" else OPERANDS.get(name, ID) for name in names),
            *(["--reason", "why"] if "reason" in has else []), *(["--file", str(file)] if "file" in has and command not in NO_FILE else []),
            *WANTS.get(command, [])]


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "some.json"
    made.write_text('{"files": [{"name": "a", "bytes": 1}]}')
    return made


def documents(text):
    return [json.loads(part) for part in text.splitlines()]


@pytest.mark.parametrize("command", CALLS)
def test_a_refusal_with_json_is_its_problem(api, file, command):
    api.otherwise = problem(403, "forbidden", "Not allowed", detail="nothing for you")
    result = expect(run(api.url, *line(command, file), "--json"), 3, err="next: sluice me")
    assert [d["code"] for d in documents(result.stdout)] == ["forbidden"], result


@pytest.mark.parametrize("command", REMOTE)
def test_no_server_with_json_is_told_as_json(file, command):
    result = expect(run("http://127.0.0.1:1", *line(command, file), "--json"), 4, err="next: does the server run")
    assert [d["code"] for d in documents(result.stdout)] == ["unreachable"], result


@pytest.mark.parametrize("command", [row["command"] for row in TABLE])
def test_a_wrong_line_with_json_is_told_as_json(command):
    for words in ([*command.split(), "--json", "--no-such-option"], ["--output", "json", *command.split(), "--no-such-option"],
                  [*command.split(), "--no-such-option", "--output=json"]):
        assert [d["code"] for d in documents(expect(run("http://127.0.0.1:1", *words), 2, err="unknown option").stdout)] == ["usage"]


@pytest.mark.parametrize("words", [["--json", "deplyo"], ["app", "creat", "--json"], ["--json"], ["flag", "--json"]])
def test_no_command_with_json_is_told_as_json(words):
    assert [d["code"] for d in documents(expect(run("http://127.0.0.1:1", *words), 2).stdout)] == ["usage"]


ANSWER = {**SUCCEEDED, "items": [], "next_cursor": None, "name": "a-name", "key": "secret", "revision": 3, "open": True, "blockers": [], "strategies": [],
          "active": None, "groups": [], "complete": True, "outcome": "passed", "flags": [], "segments": [], "differences": [], "changes": [],
          "status": {"active": None, "drift": [], "deployment": None}, "environments": [], "enabled": True}


@pytest.mark.parametrize("command", CALLS)
def test_success_with_json_is_json(api, file, command):
    api.otherwise = (200, ANSWER)
    result = run(api.url, *line(command, file), "--json")
    assert result.returncode in (0, 1), result
    documents(result.stdout)
    assert result.stdout or command in ("audit export", "audit checkpoints", "watch", "events"), result


@pytest.mark.parametrize("code, status, title", CODES)
def test_every_code_says_what_to_do_next(api, code, status, title):
    api.otherwise = problem(int(status), code, title)
    result = run(api.url, "app", "delete", "inopnc")
    assert result.returncode in (3, 4, 5)
    says = [text for text in result.stderr.splitlines()[1:] if text.startswith("  next: ") and len(text) > 20]
    assert len(says) == 1, result


def test_where_the_problem_says_more_so_does_the_advice(api):
    api.otherwise = problem(409, "environment-busy", "Busy", deployment=OTHER)
    expect(run(api.url, "app", "delete", "inopnc"), 3, err=f"sluice watch {OTHER}")
    api.otherwise = problem(409, "wrong-state", "Not possible", state="failed", allowed=["retry"])
    expect(run(api.url, "app", "delete", "inopnc"), 3, err="it is failed; possible now: retry")
    api.otherwise = problem(418, "of-a-newer-server", "Something else")
    assert "next:" not in expect(run(api.url, "app", "delete", "inopnc"), 3, err="Something else").stderr
    api.otherwise = (200, "<html>", "text/html")
    expect(run(api.url, "app", "show", "inopnc"), 4, err="next: is this the URL of Sluice?")
