"""What is made from the command line's table: completion in real shells, manual pages, the table of docs/cli.md."""
import json
import os
import pathlib
import pty
import select
import shutil
import subprocess

import pytest

from tests.api.test_cli import ID, ROOT, api, environment, expect, program, run  # noqa: F401  pylint: disable=unused-import

NOWHERE = "http://127.0.0.1:1"
TABLE = json.loads(run(NOWHERE, "help", "--json").stdout)
COMMON = {"--json", "--output", "--color", "--url", "--help"}


def offered(url, *words, **env):
    """What is offered for the last word, and what it means."""
    return dict(line.split("\t") for line in expect(run(url, "__complete", *words, **env), 0).stdout.splitlines())


# --- what is offered ----------------------------------------------------------------------------------------------

def test_every_command_and_option_is_offered_with_its_help():
    first = offered(NOWHERE, "")
    for row in TABLE:
        words = row["command"].split()
        assert words[0] in first
        assert (offered(NOWHERE, words[0], "") if words[1:] else first)[words[-1]] == row["summary"]
        options = offered(NOWHERE, *words, "-")
        assert set(options) == {"--" + option["name"] for option in row["options"]} | COMMON
        assert all(options["--" + option["name"]] == option["help"] for option in row["options"])


@pytest.mark.parametrize("words, expected", [
    (["depl"], ["deploy"]), (["flag", "k"], ["kill"]), (["resolve", ID, "--as", ""], ["failed", "succeeded"]),
    (["resolve", ID, "--as=s"], ["--as=succeeded"]), (["deploy", "--wait", "--reas"], ["--reason"]), (["man", "roll"], ["rollback"]),
    (["help", "app", "d"], ["delete"]), (["--json", "stat"], ["status"]), (["--url", "http://x", "stat"], ["status"]),
    (["completion", ""], ["bash", "fish", "zsh"]), (["traffic", "a", "b", "g"], ["green"]), (["nonsense", ""], []),
    (["man", "deploy", "x", ""], []), (["deploy", "a", "b", "c", ""], [])])
def test_words_of_the_table(words, expected):
    assert sorted(offered(NOWHERE, *words)) == expected


@pytest.mark.parametrize("words", [["audit", "verify", "a", ""], ["env", "create", "a", "b", "--file", ""], ["env", "create", "--file=x"]])
def test_files_are_the_shells(words):
    assert run(NOWHERE, "__complete", *words).stdout == ":files\n"


def test_names_are_asked_from_the_server(api):
    page = {"next_cursor": None}
    api.on("GET", "/apps", {"items": [{"name": "inopnc", "description": "Construction\x1b[2J"}, {"name": "other"}], **page})
    api.on("GET", "/apps/inopnc/environments", {"items": [{"name": "production", "strategy": "blue-green"}], **page})
    api.on("GET", "/apps/inopnc/releases", {"items": [{"version": "v1.2.3", "notes": "Faster"}, {"version": "v1.2.4"}], **page})
    api.on("GET", "/deployments", {"items": [{"id": ID, "environment": "production", "version": "v1.2.3", "state": "running"}], **page})
    api.on("GET", "/apps/inopnc/flags", {"items": [{"name": "checkout"}], **page})
    assert offered(api.url, "deploy", "") == {"inopnc": "Construction [2J", "other": ""}
    assert offered(api.url, "app", "show", "i") == {"inopnc": "Construction [2J"}
    assert offered(api.url, "deploy", "inopnc", "") == {"production": "blue-green"}
    assert offered(api.url, "deploy", "--wait", "inopnc", "production", "v1.2.") == {"v1.2.3": "Faster", "v1.2.4": ""}
    assert offered(api.url, "rollback", "inopnc", "production", "--to", "v") == {"v1.2.3": "Faster", "v1.2.4": ""}
    assert offered(api.url, "status", "") == {"inopnc": "Construction [2J", "other": "", ID: "production, v1.2.3, running"}
    assert offered(api.url, "flag", "show", "inopnc", "") == {"production": "blue-green", "checkout": ""}
    assert offered(api.url, "deploy", "--idempotency-key", "") == {}
    assert offered(api.url, "deploy", "nosuch", "") == {}
    assert offered(NOWHERE, "deploy", "") == {}, "no server, no names, and no delay"


# --- in shells ----------------------------------------------------------------------------------------------------

def typed(shell, setup, line, until, url):
    """What an interactive shell shows after a line was typed and Tab was hit."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(shell, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                             env=environment(url, TERM="dumb", PS1="$ ", PATH=f"{pathlib.Path(program()).parent}:{os.environ['PATH']}"))
    os.close(theirs)
    seen = ""

    def wait_for(text):
        nonlocal seen
        while text not in seen:
            assert select.select([ours], [], [], 20)[0], (text, seen)
            seen += os.read(ours, 65536).decode(errors="replace").replace("\a", "")

    try:
        os.write(ours, f"{setup}; echo is-$((40+2))-ready\n".encode())
        wait_for("is-42-ready")
        seen = ""
        os.write(ours, f"{line}\t".encode())
        wait_for(until)
        return seen
    finally:
        child.kill()
        child.wait()
        os.close(ours)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(sluice completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit; compinit -D -u; source <(sluice completion zsh)"),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line, until", [
    ("sluice depl", "deploy "), ("sluice flag unsch", "unschedule "), ("sluice deploy --idem", "--idempotency-key "),
    (f"sluice resolve {ID} --as succ", "succeeded"), (f"sluice resolve {ID} --as=succ", "--as=succeeded"), ("sluice deploy ino", "inopnc "),
    ("sluice audit verify /etc/passw", "/etc/passwd")])
def test_interactive_shells(api, shell, line, until):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    api.on("GET", "/apps", {"items": [{"name": "inopnc"}, {"name": "other"}], "next_cursor": None})
    typed(*SHELLS[shell], line, until, api.url)


@pytest.mark.parametrize("line, expected", [
    ("sluice depl", ["deploy\tdeploy a release"]), ("sluice deploy ", ["inopnc\tThe app", "other"]), ("sluice resolve --as=f", ["--as=failed"]),
    (f"sluice resolve {ID} --as ", ["failed", "succeeded"]), ("sluice audit verify /etc/passw", ["/etc/passwd", "/etc/passwd-"])])
def test_fish(api, line, expected):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    api.on("GET", "/apps", {"items": [{"name": "inopnc", "description": "The app"}, {"name": "other"}], "next_cursor": None})
    out = subprocess.run(["fish", "--no-config", "-c", f'sluice completion fish | source; complete -C "{line}"'], text=True, check=True,
                         capture_output=True, timeout=60, env=environment(api.url, PATH=f"{pathlib.Path(program()).parent}:{os.environ['PATH']}"))
    assert sorted(out.stdout.splitlines()) == expected, out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_sound(shell):
    script = expect(run(NOWHERE, "completion", shell), 0).stdout
    assert json.loads(run(NOWHERE, "completion", shell, "--json").stdout) == {"completion": script}
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
    if shell == "bash" and shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, text=True, check=True)
    expect(run(NOWHERE, "completion", "csh"), 2, err="bash, zsh or fish")


# --- manual pages -------------------------------------------------------------------------------------------------

def pages():
    """The page of everything, and every command's."""
    yield expect(run(NOWHERE, "man"), 0).stdout
    for row in TABLE:
        yield expect(run(NOWHERE, "man", *row["command"].split()), 0).stdout


@pytest.mark.parametrize("checker", [["groff", "-ww", "-man", "-Tutf8", "-z"], ["mandoc", "-Tlint", "-Wwarning"]])
def test_pages_are_free_of_warnings(checker):
    if not shutil.which(checker[0]):
        pytest.skip(f"{checker[0]} is not installed")
    for page in pages():
        done = subprocess.run(checker, input=page, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), page[:200]


def test_the_page_names_every_command_and_option():
    page = run(NOWHERE, "man").stdout.replace("\\-", "-")
    for row in TABLE:
        part = page.partition(f'\n.SS "{row["command"]}"\n')[2].partition("\n.SS ")[0]
        assert part and all(f"--{option['name']}\\fR" in part for option in row["options"]), row["command"]
    assert json.loads(run(NOWHERE, "man", "deploy", "--json").stdout)["man"].startswith(".\\\"")
    expect(run(NOWHERE, "man", "deplyo"), 2, err="no such command")


def test_they_are_installed(tmp_path):
    done = subprocess.run(["cmake", "--install", pathlib.Path(program()).parents[1], "--prefix", tmp_path, "--component", "cli"],
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert installed == {"bin/sluice", "share/man/man1/sluice.1", "share/bash-completion/completions/sluice",
                         "share/zsh/site-functions/_sluice", "share/fish/vendor_completions.d/sluice.fish"}
    assert (tmp_path / "share/man/man1/sluice.1").read_text() == run(NOWHERE, "man").stdout


# --- docs/cli.md --------------------------------------------------------------------------------------------------

def commands_table():
    cells = lambda text: text.replace("|", "\\|")
    return "".join(["| command | what it does |\n|---|---|\n", *(
        f"| `{cells(row['command'] + ' ' * bool(row['operands']) + row['operands'])}` | {cells(row['summary'])} |\n" for row in TABLE)])


def test_the_table_of_the_document_is_the_programs():
    text = (ROOT / "docs/cli.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert text.endswith(commands_table()), "write it anew: /usr/bin/python3 -m tests.api.test_cli_words"


if __name__ == "__main__":
    document = ROOT / "docs/cli.md"
    before, heading, after = document.read_text().partition("\n## Commands\n")
    here, more, rest = after.partition("\n## ")
    document.write_text(before + heading + here.partition("| command ")[0] + commands_table() + more + rest)
