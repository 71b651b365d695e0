"""sluice login, logout and me against a fake server: what is stored, for whom it is readable, what it is sent to."""
import json
import os
import pty
import select
import stat
import subprocess
import termios

import pytest

from tests.api.test_cli import api, environment, expect, problem, program  # noqa: F401  pylint: disable=unused-import

KEY = "slk_019ab1c2-0000-7000-8000-00000000000a_" + "7f" * 32
ME = {"kind": "bot", "subject": "019ab1c2-0000-7000-8000-00000000000a", "issuer": "sluice-key", "display_name": "laptop of ann",
      "roles": ["releaser"], "scopes": ["app:read", "deployment:create"], "apps": ["inopnc"], "environment": None, "expires_at": None}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "config"


def run(home, *words, key=None, **env):
    """Without SLUICE_URL and SLUICE_TOKEN, but for those given."""
    result = subprocess.run([program(), *words], input=None if key is None else key + "\n", text=True, capture_output=True,
                            timeout=30, stdin=subprocess.DEVNULL if key is None else None,
                            env=environment("", **{"SLUICE_TOKEN": "", "XDG_CONFIG_HOME": str(home), **env}))
    assert KEY not in result.stdout + result.stderr, "a key is never printed"
    return result


def file_of(home):
    return home / "sluice/credentials.json"


def signed_in(api, home):
    api.on("GET", "/me", ME)
    expect(run(home, "login", "--url", api.url + "/", "--key-stdin", key=KEY), 0, out=f"signed in as laptop of ann (bot {ME['subject']})")
    api.requests.clear()


def test_login_stores_what_was_tried_and_later_commands_use_it(api, home):
    api.on("GET", "/me", ME)
    result = expect(run(home, "login", "--url", api.url, "--key-stdin", key=KEY), 0, out=api.url, err=str(file_of(home)))
    assert [r["headers"]["Authorization"] for r in api.requests] == [f"Bearer {KEY}"] and result.stdout.count("\n") == 1
    assert json.loads(file_of(home).read_text()) == {"url": api.url, "key": KEY}
    assert stat.S_IMODE(file_of(home).stat().st_mode) == 0o600 and stat.S_IMODE(file_of(home).parent.stat().st_mode) == 0o700
    api.on("GET", "/apps", {"items": [], "next_cursor": None})
    expect(run(home, "app", "list"), 0)
    assert api.requests[-1]["headers"]["Authorization"] == f"Bearer {KEY}"
    assert os.listdir(file_of(home).parent) == ["credentials.json"], "nothing is left beside it"


def test_login_below_home(api, tmp_path):
    api.on("GET", "/me", ME)
    expect(run("", "login", "--url", api.url, "--key-stdin", key=KEY, HOME=str(tmp_path)), 0)
    assert (tmp_path / ".config/sluice/credentials.json").exists()


def test_a_key_that_is_refused_is_not_stored(api, home):
    signed_in(api, home)
    before = file_of(home).read_text()
    api.on("GET", "/me", problem(401, "unauthenticated", "Authentication is required"))
    expect(run(home, "login", "--key-stdin", key=KEY[:-1] + "0"), 3, err="sluice login")
    assert json.loads(expect(run(home, "login", "--key-stdin", "--json", key=KEY[:-1] + "0"), 3).stdout)["code"] == "unauthenticated"
    assert file_of(home).read_text() == before and len(api.requests) == 2, "the URL of the last time is asked"


@pytest.mark.parametrize("key, says", [("", "no key was given"), ("two words", "character"), ("x" * 9000, "character"), ("ä", "character")])
def test_what_is_no_key_is_not_sent(api, home, key, says):
    expect(run(home, "login", "--url", api.url, "--key-stdin", key=key), 2, err=says)
    assert not api.requests and not file_of(home).exists()


def test_a_key_that_can_be_read_on_its_way_is_warned_of(api, home):
    expect(run(home, "login", "--url", "http://0.0.0.0:1", "--key-stdin", key=KEY), 4, err="can be read on its way")
    api.on("GET", "/me", ME)
    assert "on its way" not in run(home, "login", "--url", api.url, "--key-stdin", key=KEY).stderr


def test_without_a_terminal_it_says_how(home):
    expect(run(home, "login"), 2, err="sluice login --key-stdin < FILE")


def test_the_environment_goes_before_the_file(api, home):
    signed_in(api, home)
    expect(run(home, "me", SLUICE_TOKEN="another"), 0, out="key:     of SLUICE_TOKEN")
    assert api.requests[-1]["headers"]["Authorization"] == "Bearer another"
    expect(run(home, "me", "--url", "http://127.0.0.1:1"), 4, err="127.0.0.1:1")
    expect(run(home, "me", SLUICE_URL="http://127.0.0.1:1"), 4, err="127.0.0.1:1")
    err = expect(run(home, "login", "--key-stdin", key=KEY, SLUICE_TOKEN="another"), 0).stderr
    assert "SLUICE_TOKEN is set, and goes before" in err
    assert api.requests[-1]["headers"]["Authorization"] == f"Bearer {KEY}", "login tries what was given, not SLUICE_TOKEN"


def test_a_key_goes_to_no_other_server(api, home):
    signed_in(api, home)
    other = api.url.replace("127.0.0.1", "localhost")
    for env in ({"SLUICE_URL": other}, {"SLUICE_URL": api.url + "/../"}):
        run(home, "me", **env)
        assert "Authorization" not in api.requests[-1]["headers"]
    expect(run(home, "me", SLUICE_URL=api.url + "/"), 0)
    assert api.requests[-1]["headers"]["Authorization"] == f"Bearer {KEY}"


def mode(file, home):
    file.chmod(0o640)


def link(file, home):
    file.rename(home / "elsewhere")
    file.symlink_to(home / "elsewhere")


def folder(file, home):
    file.unlink()
    file.mkdir()


def owner(file, home):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(file, 1, 1)


@pytest.mark.parametrize("spoil, says", [
    (mode, "may be read by others"), (link, "is a symbolic link"), (owner, "belongs to somebody else"), (folder, "is no regular file"),
    (lambda file, home: file.write_text("{"), "does not hold what sluice login writes"),
    (lambda file, home: file.write_text('{"url": "http://x", "key": "a\\nb"}'), "does not hold what sluice login writes")])
def test_a_file_that_is_not_to_be_trusted_is_refused(api, home, spoil, says):
    signed_in(api, home)
    spoil(file_of(home), home)
    expect(run(home, "me"), 2, err=says)
    assert not api.requests
    expect(run(home, "me", SLUICE_URL=api.url, SLUICE_TOKEN="another"), 0), "who says both needs no file"
    if spoil is not folder:
        expect(run(home, "login", "--url", api.url, "--key-stdin", key=KEY), 0)
        assert stat.S_IMODE(os.lstat(file_of(home)).st_mode) == 0o600 and not file_of(home).is_symlink()
        expect(run(home, "me"), 0)


def test_a_folder_that_others_may_write_is_refused(api, home):
    api.on("GET", "/me", ME)
    (home / "sluice").mkdir(parents=True)
    (home / "sluice").chmod(0o777)
    expect(run(home, "login", "--url", api.url, "--key-stdin", key=KEY), 2, err="may be written by others")
    assert not file_of(home).exists()


def test_logout(api, home):
    signed_in(api, home)
    expect(run(home, "logout"), 0, out="signed out", err="sluice keys revoke")
    assert not file_of(home).exists()
    expect(run(home, "logout"), 0, out="nothing was stored")
    assert json.loads(expect(run(home, "logout", "--json"), 0).stdout) == {"signed_out": False}


def test_me(api, home):
    signed_in(api, home)
    out = expect(run(home, "me"), 0).stdout
    for part in (f"laptop of ann (bot {ME['subject']}) at {api.url}", "roles:   releaser", "apps:    inopnc",
                 "may:     app:read, deployment:create", "until:   it is revoked", f"key:     of {file_of(home)}"):
        assert part in out
    assert json.loads(expect(run(home, "me", "--json"), 0).stdout) == ME
    api.on("GET", "/me", {**ME, "environment": "production", "expires_at": "2099-01-02T03:04:05.000Z"})
    out = expect(run(home, "me"), 0).stdout
    assert "only in: production" in out and "until:   2099-01-02 03:04:05, " in out


def test_on_a_terminal_the_key_is_asked_for_and_not_shown(api, home):
    api.on("GET", "/me", ME)
    ours, theirs = pty.openpty()
    child = subprocess.Popen([program(), "login", "--url", api.url], stdin=theirs, stdout=theirs, stderr=theirs,
                             env=environment("", SLUICE_TOKEN="", XDG_CONFIG_HOME=str(home)))
    seen = b""
    try:
        while b"): " not in seen:
            assert select.select([ours], [], [], 20)[0], seen
            seen += os.read(ours, 4096)
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        os.write(ours, KEY.encode() + b"\n")
        while b"stored in" not in seen:
            assert select.select([ours], [], [], 20)[0], seen
            seen += os.read(ours, 4096)
        assert child.wait(20) == 0 and KEY.encode() not in seen
        assert termios.tcgetattr(theirs)[3] & termios.ECHO, "the terminal is as it was"
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)
    assert json.loads(file_of(home).read_text())["key"] == KEY
