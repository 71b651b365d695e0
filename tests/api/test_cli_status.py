"""sluice status of everything, tables as wide as the terminal, --output and --color, against a fake server."""
import json
import re

import pytest

from tests.api.test_cli import (ID, OTHER, RUNNING, api, at, deployment, expect, final_screen, on_terminal, problem, run,
                                step)  # noqa: F401  pylint: disable=unused-import

ACTIVE = {"color": "blue", "version": "v1.2.2", "image": "ghcr.io/your-org/inopnc-wm:v1.2.2", "ready": 3, "since": at(0)}
DRIFT = {"object": "Service inopnc-prod", "kind": "Service", "name": "inopnc-prod", "field": "spec.selector.environment", "expected": "blue",
         "actual": "green", "by": "kubectl", "since": at(0), "message": "Service inopnc-prod selects green, not blue"}
FREEZE = {"id": OTHER, "app": "inopnc", "environment": None, "reason": "month-end closing", "active": True, "let_running_finish": False,
          "starts_at": at(0), "ends_at": None, "next": {"starts_at": at(0), "ends_at": "2026-11-24T18:00:00.000Z"},
          "created_by": {"kind": "user", "subject": "ann", "issuer": "sluice"}}


def page(*items):
    return {"items": list(items), "next_cursor": None}


def status(**more):
    return {"active": ACTIVE, "previous": None, "deployment": None, "drift": [], "observed_at": at(0), **more}


def two_apps(api):
    api.on("GET", "/apps", page({"name": "inopnc"}, {"name": "other"}))
    api.on("GET", "/apps/inopnc/environments", page(
        {"app": "inopnc", "name": "production", "cluster": "local", "status": status(deployment=ID, previous={"color": "green", "version": "v1.2.1"})},
        {"app": "inopnc", "name": "staging", "cluster": "local", "status": status(drift=[DRIFT, DRIFT])}))
    api.on("GET", "/apps/other/environments", page({"app": "other", "name": "production", "status": {
        "active": None, "previous": None, "deployment": None, "drift": [], "error": "the cluster does not answer"}}))
    api.on("GET", f"/deployments/{ID}", RUNNING)
    api.on("GET", "/freezes", page(FREEZE))


def test_everything_in_one_table(api):
    two_apps(api)
    head, first, second, third = expect(run(api.url, "status"), 0).stdout.splitlines()
    assert re.split(r"  +", head) == ["APP", "ENVIRONMENT", "SERVES", "COLOR", "SINCE", "RUNS", "DRIFT", "FROZEN"]
    assert re.match(r"inopnc +production +v1.2.2 +blue +\d.* ago +v1.2.3 running: apply +- +until 2026-11-24 18:00: month-end closing$", first)
    assert re.match(r"inopnc +staging +v1.2.2 +blue +\d.* ago +- +Service inopnc-prod spec.selector.environment and 1 more +until", second)
    assert re.match(r"other +production +- +- +- +- +unknown: the cluster does not answer +-$", third)
    assert "other" not in expect(run(api.url, "status", "inopnc"), 0).stdout


def test_wide_has_more_and_json_all(api):
    two_apps(api)
    head, first, *_ = expect(run(api.url, "status", "--output", "wide"), 0).stdout.splitlines()
    assert head.endswith("READY  PREVIOUS  CLUSTER  DEPLOYMENT                            IMAGE")
    assert re.search(rf" 3 +v1.2.1 +local +{ID} +ghcr.io/your-org/inopnc-wm:v1.2.2$", first)
    for words in (["--json"], ["--output", "json"], ["--output=json"]):
        all_ = json.loads(expect(run(api.url, "status", *words), 0).stdout)
        assert all_ == json.loads(expect(run(api.url, *words, "status"), 0).stdout)
        assert [(e["running"] and e["running"]["id"], [f["id"] for f in e["freezes"]]) for e in all_] == [(ID, [OTHER]), (None, [OTHER]), (None, [])]


@pytest.mark.parametrize("more, text", [
    ({"state": "blocked", "blockers": [{"gate": "approvals", "why": "x"}]}, "v1.2.3 blocked: approvals"),
    ({"state": "undoing", "kind": "rollback", "version": "v1.2.1", "current_step": "switch-traffic"}, "rollback to v1.2.1 undoing: switch-traffic"),
    ({"state": "stuck", "current_step": None}, "v1.2.3 stuck")])
def test_what_runs(api, more, text):
    two_apps(api)
    api.on("GET", f"/deployments/{ID}", deployment(**more))
    assert text + "  " in expect(run(api.url, "status"), 0).stdout


def test_what_one_may_not_know_is_not_made_up(api):
    two_apps(api)
    api.on("GET", "/freezes", problem(403, "forbidden", "Not allowed"))
    api.on("GET", f"/deployments/{ID}", problem(403, "forbidden", "Not allowed"))
    first = expect(run(api.url, "status"), 0).stdout.splitlines()[1]
    assert re.search(rf"{ID} +- +\?$", first)
    assert json.loads(run(api.url, "status", "--json").stdout)[0]["freezes"] is None


def test_nothing_yet_says_what_to_do(api):
    api.on("GET", "/apps", page())
    expect(run(api.url, "status"), 0, err="sluice env create")


def test_one_environment_says_what_is_frozen(api):
    api.on("GET", "/apps/inopnc/environments/production", {"name": "production", "status": status()})
    api.on("GET", "/freezes", page(FREEZE, {**FREEZE, "app": "other", "reason": "not here"}))
    out = expect(run(api.url, "status", "inopnc", "production"), 0).stdout
    assert "frozen:     until 2026-11-24 18:00, by ann: month-end closing" in out and "not here" not in out


def test_one_environment_says_that_a_break_glass_is_open(api):
    api.on("GET", "/apps/inopnc/environments/production", {"name": "production", "status": status(thawed_until="2099-01-01T18:00:00.000Z")})
    api.on("GET", "/freezes", page(FREEZE))
    lines = expect(run(api.url, "status", "inopnc", "production"), 0).stdout.splitlines()
    assert lines[-2].startswith("frozen:     until") and re.match(
        r"thawed:     no freeze holds until 2099-01-01 18:00:00, in \d+ d \d+ h, by break-glass$", lines[-1]), lines
    api.on("GET", "/apps/inopnc/environments/production", {"name": "production", "status": status()})
    assert "thawed" not in run(api.url, "status", "inopnc", "production").stdout


def test_the_table_says_it_too(api):
    api.on("GET", "/apps/inopnc/environments", page({"app": "inopnc", "name": "production", "status": status(thawed_until="2099-01-01T18:00:00.000Z")}))
    api.on("GET", "/freezes", page(FREEZE))
    assert expect(run(api.url, "status", "inopnc"), 0).stdout.splitlines()[1].endswith("thawed until 2099-01-01 18:00")


# --- how it looks -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("columns", [150, 200])
def test_tables_fit_the_terminal_and_keep_ids(api, columns):
    api.on("GET", "/freezes", page({**FREEZE, "reason": "a long reason " * 20}))
    lines = final_screen(on_terminal(api.url, "freeze", "list", "--output", "table", columns=300)[0])
    narrow = final_screen(on_terminal(api.url, "freeze", "list", columns=columns)[0])
    assert len(lines[1]) == 300 and OTHER in narrow[1] and "…" in narrow[1]
    assert max(len(line) for line in narrow) == columns and len(narrow) == 2
    assert "a long reason " * 20 in on_terminal(api.url, "freeze", "list", columns=80)[0], "cutting would not make it fit"
    assert "a long reason " * 20 in run(api.url, "freeze", "list").stdout, "nothing is cut in a pipe"
    wide = on_terminal(api.url, "freeze", "list", "--output", "wide", columns=columns)[0]
    assert "a long reason " * 20 in wide and "…" not in wide


def test_status_fits_eighty_columns(api):
    two_apps(api)
    shown = final_screen(on_terminal(api.url, "status", columns=80)[0])
    assert len(shown) == 4 and max(len(line) for line in shown) <= 80, shown
    assert "v1.2.2" in shown[1] and "RUNS" in shown[0]


@pytest.mark.parametrize("words, env, terminal, colored", [
    ([], {}, True, True), ([], {}, False, False), ([], {"NO_COLOR": "1"}, True, False), (["--color", "never"], {}, True, False),
    (["--color", "always"], {"NO_COLOR": "1"}, True, True), (["--color=always"], {}, False, True), (["--color", "auto"], {}, False, False)])
def test_colors_are_for_terminals(api, words, env, terminal, colored):
    api.on("GET", f"/deployments/{ID}", deployment(steps=[step("apply", "running", 1)]))
    if not terminal:
        out = run(api.url, "status", ID, *words, **env).stdout
    else:
        out = on_terminal(api.url, "status", ID, *words, **env)[0]
    assert bool(re.search(r"\x1b\[[0-9;]*m", out)) == colored, out


def test_a_wrong_choice_is_named(api):
    expect(run(api.url, "status", "--output", "yaml"), 2, err="table|wide|json, not 'yaml'")
    expect(run(api.url, "status", "--color", "alway"), 2, err="did you mean always?")
