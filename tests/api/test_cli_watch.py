"""sluice watch of several deployments at once, against a fake server."""
import json
import resource
import signal
import subprocess

import pytest

from tests.api.test_cli import (ID, OTHER, RUNNING, SUCCEEDED, FAILED, api, environment, expect, final_screen, on_terminal, program,
                                record, run)  # noqa: F401  pylint: disable=unused-import

STAGING = {"id": OTHER, "environment": "staging"}
THIRD = "019ab1c2-0000-7000-8000-000000000003"


def page(*items):
    return {"items": list(items), "next_cursor": None}


def test_lines_say_which_and_one_that_failed_is_1(api):
    api.on("GET", f"/deployments/{ID}", RUNNING, SUCCEEDED)
    api.on("GET", f"/deployments/{OTHER}", {**RUNNING, **STAGING}, {**FAILED, **STAGING})
    lines = expect(run(api.url, "watch", ID, OTHER), 1).stdout.splitlines()
    assert "inopnc/production v1.2.3: 12:00:01 step apply done 0.4 s" in lines
    assert any(line.startswith("inopnc/staging v1.2.3: 12:00:09 deployment failed after 8.0 s: image-pull") for line in lines)
    assert any(line.startswith("inopnc/staging v1.2.3: ") and "push ghcr.io" in line for line in lines)
    assert lines[-1] == "1 of 2 succeeded" and all(": " in line for line in lines[:-1])


def test_all_that_succeed_are_0_and_each_is_watched_once(api):
    api.on("GET", f"/deployments/{ID}", RUNNING, SUCCEEDED)
    api.on("GET", f"/deployments/{OTHER}", {**SUCCEEDED, **STAGING})
    assert expect(run(api.url, "watch", ID, OTHER, ID), 0).stdout.splitlines()[-1] == "2 of 2 succeeded"


def test_records_of_all_with_json(api):
    api.on("GET", f"/deployments/{ID}", SUCCEEDED)
    api.on("GET", f"/deployments/{OTHER}", {**FAILED, **STAGING})
    api.streams += [(200, [("1", record(1, "one"))]), (200, [("2", record(2, "two"))])]
    out = expect(run(api.url, "watch", ID, OTHER, "--json"), 1).stdout
    assert sorted(json.loads(line)["action"] for line in out.splitlines()) == ["one", "two"]


@pytest.mark.parametrize("words, query", [
    (["--all"], ""), (["--app", "inopnc"], "&app=inopnc"), (["--app", "inopnc", "--env", "production"], "&app=inopnc&environment=production")])
def test_what_is_active_somewhere(api, words, query):
    api.on("GET", "/deployments", page(RUNNING))
    api.on("GET", f"/deployments/{ID}", RUNNING, SUCCEEDED)
    expect(run(api.url, "watch", *words), 0, out="v1.2.3 (green) serves inopnc/production")
    asked = [r["path"].partition("?")[2] for r in api.of("GET", "/deployments")]
    assert asked == [f"state={state}{query}&limit=200" for state in ("running", "undoing", "paused", "stuck", "scheduled", "queued", "blocked")]


def test_nothing_active_is_0(api):
    api.on("GET", "/deployments", page())
    expect(run(api.url, "watch", "--all"), 0, err="nothing runs there now")


@pytest.mark.parametrize("words", [[], [ID, "--all"], ["--app", "a", "--all"], ["--env", "b"], [ID, "--app", "a"]])
def test_which_ones_has_to_be_clear(words):
    expect(run("http://127.0.0.1:1", "watch", *words), 2, err="DEPLOYMENT…, or --app APP [--env ENV], or --all")


def test_too_many_are_refused(api):
    api.on("GET", "/deployments", page(*({**RUNNING, "id": ID[:-3] + f"{n:03}"} for n in range(65))))
    expect(run(api.url, "watch", "--all"), 2, err="more than 64")


def test_one_that_is_not_there_is_3(api):
    api.on("GET", f"/deployments/{ID}", RUNNING)
    expect(run(api.url, "watch", ID, OTHER), 3, err="Not found")


def test_on_a_terminal_with_room_each_has_its_steps(api):
    api.on("GET", f"/deployments/{ID}", RUNNING, SUCCEEDED)
    api.on("GET", f"/deployments/{OTHER}", {**RUNNING, **STAGING}, {**FAILED, **STAGING})
    text, code = on_terminal(api.url, "watch", ID, OTHER, rows=40, columns=120)
    shown = final_screen(text)
    assert code == 1 and sum("✓ resolve" in line for line in shown) == 2 and shown[-1] == "1 of 2 succeeded"


def test_on_a_terminal_without_room_each_has_a_line(api):
    api.on("GET", f"/deployments/{ID}", RUNNING, RUNNING, SUCCEEDED)
    api.on("GET", f"/deployments/{OTHER}", {**RUNNING, **STAGING}, {**FAILED, **STAGING})
    api.on("GET", f"/deployments/{THIRD}", {**SUCCEEDED, "id": THIRD, "environment": "demo"})
    text, code = on_terminal(api.url, "watch", ID, OTHER, THIRD, rows=20, columns=100)
    shown = final_screen(text)
    assert code == 1 and shown[-1] == "2 of 3 succeeded"
    assert [line.split()[:4] for line in shown[:3]] == [
        ["✓", "inopnc/production", "v1.2.3", "succeeded"], ["✗", "inopnc/staging", "v1.2.3", "failed"], ["✓", "inopnc/demo", "v1.2.3", "succeeded"]]
    assert any("What to do:" in line for line in shown), "what failed is told whole"
    assert max(len(line) for line in shown) <= 100


def test_interrupted_it_names_those_that_go_on(api):
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.on("GET", f"/deployments/{OTHER}", {**SUCCEEDED, **STAGING})
    process = subprocess.Popen([program(), "watch", ID, OTHER], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(api.url))
    assert "deployment" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130 and f"sluice watch {ID}\n" in err and OTHER not in err


def test_waiting_costs_nothing(api):
    """Streams that have ended, while what they are about has not."""
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.on("GET", f"/deployments/{OTHER}", {**RUNNING, **STAGING})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    expect(run(api.url, "watch", ID, OTHER, "--timeout", "3s"), 5, err=f"sluice watch {ID} {OTHER}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
