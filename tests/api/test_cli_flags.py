"""The command line's flags and segments against a real server; against a fake one what no real one does on demand."""
import json
import re
import shlex

import pytest

from tests.api.conftest import environment_body
from tests.api.test_cli import api, expect, on_terminal, problem, run  # noqa: F401  pylint: disable=unused-import
from tests.support.flags import Client, define, rollout, say
from tests.support.stack import until

ROLLOUT = {"name": "flexibleRollout", "parameters": {"rollout": "25", "stickiness": "default"}}
PRO = {"name": "flexibleRollout", "title": "Pro", "parameters": {"rollout": "5", "stickiness": "userId", "groupId": "g"},
       "constraints": [{"context_name": "plan", "operator": "IN", "values": ["pro", "team"]}], "segments": ["beta"]}
HOSTS = {"name": "applicationHostname", "parameters": {"hostNames": "a.example"}}
BETA = {"description": "Those who asked", "constraints": [{"context_name": "userId", "operator": "IN", "values": ["7", "12"]}]}


class Shop:
    """An app with the flag checkout, as its command line sees it."""

    def __init__(self, stack, app):
        self.stack, self.app = stack, app
        self.does("flag", "create", app, "checkout", "--description", "The new checkout")

    def does(self, *words, code=0, **kwargs):
        return expect(self.stack.cli(*words, **kwargs), code)

    def flag(self, verb, *more, code=0, env="production", **kwargs):
        return self.does("flag", verb, self.app, *([env] if env else []), "checkout", *more, code=code, **kwargs)

    def state(self):
        return self.stack.api("GET", f"/apps/{self.app}/environments/production/flags/checkout").json

    def put(self, *strategies, **fields):
        answer = self.stack.api("PUT", f"/apps/{self.app}/environments/production/flags/checkout",
                                {"enabled": True, "strategies": list(strategies), **fields}, headers={"If-Match": "*"})
        assert answer.status in (200, 201), answer
        return answer.json


@pytest.fixture
def shop(stack, environment):
    return Shop(stack, environment)


def words(text):
    """Lines without times, and single spaces."""
    return re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, (just now|[^,\n]* ago|in [^,\n]*)", "", re.sub(" +", " ", text)).strip()


# --- definitions ---------------------------------------------------------------------------------------------------

def test_a_flag_is_made_listed_and_deleted(shop):
    app = shop.app
    made = shop.does("flag", "create", app, "banner", "--type", "experiment", "--value-type", "string", "--stale-after", "2020-01-01 00:00",
                     "--file", "-", "--reason", "INOPNC-412",
                     input=json.dumps({"variants": [{"name": "red", "weight": 50}, {"name": "blue", "weight": 50}],
                                       "dependencies": [{"flag": "checkout", "enabled": False}]}))
    assert made.stdout == f"flag {app}/banner created\n"
    rows = shop.does("flag", "list", app).stdout.splitlines()
    assert rows[0].split() == ["FLAG", "TYPE", "VALUE", "STALE", "STALE", "AFTER", "REVISION", "DESCRIPTION"]
    assert re.match(r"banner +experiment +string +yes +2020-01-01T00:00:00.000Z +\d+ +-$", rows[1]), rows
    assert re.match(r"checkout +release +boolean +no +- +\d+ +The new checkout$", rows[2]), rows
    assert [one["name"] for one in json.loads(shop.does("flag", "list", app, "--stale", "--json").stdout)] == ["banner"]
    states = shop.does("flag", "list", app, "production", "--stale").stdout.splitlines()
    assert len(states) == 2 and re.match(r"banner +off +everybody +yes +0 +-$", states[1])
    out = shop.does("flag", "show", app, "banner").stdout
    lines = words(out).splitlines()
    assert re.match(rf"{app}: banner, experiment, string, revision \d+$", lines[0]), out
    assert lines[1].strip().startswith("stale since 2020-01-01 00:00:00, ")
    assert [line.strip() for line in lines[2:]] == ["variants: red 50, blue 50", "depends on: checkout (off)",
                                                    f"{app}/production: banner is off and stale", "for everybody"]
    assert "in-use" in shop.does("flag", "delete", app, "checkout", code=3).stderr
    assert shop.does("flag", "delete", app, "banner", "--reason", "over").stdout == f"flag {app}/banner deleted\n"
    newest = json.loads(shop.does("flag", "history", app, "banner", "--limit", "1", "--json").stdout)
    assert [(one["action"], one["reason"]) for one in newest] == [("flag.deleted", "over")]
    assert shop.does("flag", "list", app, "production", "--stale").stderr == "none\n"


def test_a_definition_is_replaced_only_on_request(shop):
    again = ("flag", "create", shop.app, "checkout", "--description")
    assert shop.does(*again, "The new checkout").stdout == f"flag {shop.app}/checkout unchanged\n"
    assert "--force" in shop.does(*again, "Another", code=3).stderr
    assert shop.does(*again, "Another", "--force").stdout == f"flag {shop.app}/checkout is as given\n"


# --- on, off, killed -----------------------------------------------------------------------------------------------

def test_switches_say_what_it_is_then(shop):
    place = f"{shop.app}/production: checkout is"
    out = shop.flag("enable", "--reason", "launch").stdout
    assert words(out).splitlines() == [f"{place} on, revision {shop.state()['revision']}", " for everybody"]
    assert words(shop.flag("show").stdout).splitlines()[0].startswith(f"{place} on")
    out = shop.flag("kill", "--reason", "errors").stdout
    assert f"{place} killed" in out and f"sluice flag unkill {shop.app} production checkout" in out
    assert shop.state()["killed"] is True
    assert f"{place} killed" in shop.flag("disable").stdout, "killed goes before off"
    assert f"{place} off" in shop.flag("unkill").stdout
    assert json.loads(shop.flag("enable", "--json").stdout) == shop.state()
    rows = shop.flag("history").stdout.splitlines()
    assert rows[0].split() == ["REVISION", "WHEN", "ENVIRONMENT", "ACTION", "BY", "FROM", "REASON"]
    assert [row.split()[3] for row in rows[1:]] == ["flag.enabled", "flag.unkilled", "flag.disabled", "flag.killed", "flag.enabled", "flag.put"]
    assert rows[4].endswith("errors") and rows[5].endswith("launch")
    assert len(shop.flag("history", "--limit", "2").stdout.splitlines()) == 3
    assert json.loads(shop.flag("show", "--json").stdout) == shop.state()


def test_it_goes_back_to_a_revision(shop):
    before = shop.put(PRO | {"segments": []})["revision"]
    shop.flag("rollout", "75")
    out = shop.flag("restore", str(before), "--reason", "too soon").stdout
    assert "for 5 % by userId (plan IN pro, team)" in out
    assert shop.state()["strategies"][0]["parameters"]["rollout"] == "5"
    first = json.loads(shop.flag("history", "--json", env=None).stdout)[-1]["revision"]
    shop.does("flag", "create", shop.app, "checkout", "--description", "Another", "--force")
    out = shop.flag("restore", str(first), "--reason", "as it was", env=None).stdout
    assert out == f"flag {shop.app}/checkout is as it was at revision {first}\n"
    assert "The new checkout" in shop.flag("show", env=None).stdout


# --- percentages ---------------------------------------------------------------------------------------------------

def test_a_percentage_is_set_and_others_stay(shop):
    out = shop.flag("rollout", "25", "--reason", "a quarter").stdout
    assert words(out).splitlines()[1] == " for 25 % by default"
    assert shop.state()["enabled"] is True and shop.state()["strategies"] == [ROLLOUT]
    shop.does("segment", "set", shop.app, "beta", "--file", "-", input=json.dumps(BETA))
    shop.put(HOSTS, PRO | {"disabled": True})
    out = shop.flag("rollout", "50").stdout
    assert shop.state()["strategies"] == [HOSTS, PRO | {"parameters": {"rollout": "50", "stickiness": "userId", "groupId": "g"}}]
    assert [line.strip() for line in words(out).splitlines()[1:]] == \
        ["for applicationHostname hostNames a.example", "or for 50 % by userId (plan IN pro, team; segment beta)"]
    shop.flag("rollout", "100", "--stickiness", "sessionId")
    assert shop.state()["strategies"][1]["parameters"] == {"rollout": "100", "stickiness": "sessionId", "groupId": "g"}
    row = shop.does("flag", "list", shop.app, "production").stdout.splitlines()[1]
    assert re.match(r"checkout +on +applicationHostname hostNames a.example; or 100 % by sessio… +no +\d+ +\d{4}-", row), row


def test_a_percentage_that_two_strategies_could_have_is_not_guessed(shop):
    before = shop.put(ROLLOUT, PRO | {"segments": []})
    assert "flag set" in shop.flag("rollout", "50", code=2).stderr
    assert shop.state() == before


def test_a_percentage_leaves_default_variant_and_kill_switch(shop):
    shop.does("flag", "create", shop.app, "checkout", "--force", "--file", "-", input='{"variants": [{"name": "old", "weight": 1}]}')
    shop.put(default_variant="old")
    shop.flag("kill")
    assert "is killed" in shop.flag("rollout", "10").stdout
    assert (shop.state()["default_variant"], shop.state()["killed"]) == ("old", True)
    assert "off it is old" in shop.flag("show").stdout


# --- from files ----------------------------------------------------------------------------------------------------

def test_what_show_prints_can_be_set(shop, tmp_path):
    file = tmp_path / "state.json"
    shop.put(ROLLOUT)
    shown = json.loads(shop.flag("show", "--json").stdout)
    shown["strategies"].append(HOSTS)
    file.write_text(json.dumps(shown))
    assert "or for applicationHostname" in shop.flag("set", "--file", str(file), "--reason", "hosts too").stdout
    assert shop.state()["strategies"] == [ROLLOUT, HOSTS]
    shown["enabled"] = False
    file.write_text(json.dumps(shown))
    refused = shop.flag("set", "--file", str(file), code=3)
    assert "precondition-failed" in refused.stderr and "somebody changed it meanwhile" in refused.stderr
    assert shop.state()["enabled"] is True
    definition = json.loads(shop.flag("show", "--json", env=None).stdout) | {"description": "Edited"}
    assert shop.flag("set", "--file", "-", env=None, input=json.dumps(definition)).stdout == f"flag {shop.app}/checkout is as given\n"
    assert json.loads(shop.flag("show", "--json", env=None).stdout)["description"] == "Edited"


@pytest.mark.parametrize("change, named", [({"killed": True}, "killed"), ({"environment": "staging"}, "environment"), ({"stategies": []}, "stategies")])
def test_what_a_file_cannot_say_is_refused_by_its_name(shop, change, named):
    before = shop.put(ROLLOUT)
    assert named in shop.flag("set", "--file", "-", code=3, input=json.dumps(before | {"enabled": False} | change)).stderr
    assert shop.state() == before


def test_segments(shop, tmp_path):
    app = shop.app
    file = tmp_path / "beta.json"
    file.write_text(json.dumps(BETA))
    assert shop.does("segment", "set", app, "beta", "--file", str(file)).stdout == f"segment {app}/beta created\n"
    rows = shop.does("segment", "list", app).stdout.splitlines()
    assert rows[0].split() == ["SEGMENT", "REVISION", "CHANGED", "DESCRIPTION"] and rows[1].endswith("Those who asked")
    shown = json.loads(shop.does("segment", "show", app, "beta").stdout)
    file.write_text(json.dumps(shown | {"description": "Friends"}))
    assert shop.does("segment", "set", app, "beta", "--file", str(file), "--reason", "x").stdout == f"segment {app}/beta is as given\n"
    file.write_text(json.dumps(shown | {"description": "Others"}))
    assert "precondition-failed" in shop.does("segment", "set", app, "beta", "--file", str(file), code=3).stderr
    shop.put(PRO)
    assert "in-use" in shop.does("segment", "delete", app, "beta", code=3).stderr
    shop.put()
    assert shop.does("segment", "delete", app, "beta", "--reason", "gone").stdout == f"segment {app}/beta deleted\n"
    assert [row.split()[3] for row in shop.does("segment", "history", app, "beta").stdout.splitlines()[1:]] == \
        ["segment.deleted", "segment.put", "segment.put"]
    assert shop.does("segment", "list", app).stderr == "none\n"


def test_a_release_changes_flags(shop):
    flags = [{"flag": "checkout", "at": "after-switch", "set": {"enabled": True}}]
    release = ("release", "create", shop.app, "v1.0.0", "--image", "ghcr.io/your-org/inopnc-wm:v1.0.0", "--flags", "-")
    shop.does(*release, input=json.dumps(flags))
    assert json.loads(shop.does("release", "show", shop.app, "v1.0.0").stdout)["flags"] == flags
    assert "release-exists" in shop.does(*release, code=3, input=json.dumps([flags[0] | {"at": "before"}])).stderr
    assert "line 1" in shop.does(*release, code=2, input='[{"flag": "a", "flag": "b"}]').stderr


# --- from one environment to the next ------------------------------------------------------------------------------

def test_flags_are_compared_and_promoted(shop):
    staging = environment_body(shop.app + "-staging")
    assert shop.stack.api("PUT", f"/apps/{shop.app}/environments/staging", staging).status == 201
    shop.does("flag", "create", shop.app, "banner")
    for flag in ("banner", "checkout"):
        shop.does("flag", "rollout", shop.app, "staging", flag, "50")
    assert [one["flag"] for one in json.loads(shop.does("flag", "diff", shop.app, "production", "--from", "staging", "--json").stdout)] == \
        ["banner", "checkout"]
    lines = shop.does("flag", "diff", shop.app, "production", "--from", "staging").stdout.splitlines()
    for line in ("--- banner as it is", "+++ banner as it would be", "--- checkout as it is", "-enabled: false", "+enabled: true",
                 "+    rollout: \"50\""):
        assert line in lines, lines
    promote = ("flag", "promote", shop.app, "production", "checkout", "--from", "staging")
    out = shop.does(*promote, "--dry-run").stdout
    assert out.startswith(f"1 flag of {shop.app} would be promoted from staging to production\n  checkout\n")
    just_that = shlex.split(out.splitlines()[2].split("#")[0])
    assert just_that[:8] == ["sluice", *promote] and shop.state()["enabled"] is False
    shop.does("flag", "disable", shop.app, "staging", "banner")
    refused = shop.does(*just_that[1:], code=3).stderr
    assert "precondition-failed" in refused and "somebody changed it meanwhile" in refused
    just_that = shlex.split(shop.does(*promote, "--dry-run").stdout.splitlines()[2].split("#")[0])
    out = shop.does(*just_that[1:], "--reason", "good there").stdout
    assert out == f"1 flag of {shop.app} is promoted from staging to production\n  checkout\n"
    assert shop.state()["strategies"][0]["parameters"]["rollout"] == "50"
    row = shop.flag("history", "--limit", "1").stdout.splitlines()[1]
    assert re.search(r"flag.promoted +admin +promote +good there$", row), row
    done = json.loads(shop.does("flag", "promote", shop.app, "production", "--from", "staging", "--json").stdout)
    assert done["flags"] == ["banner"] and done["dry_run"] is False
    assert shop.does("flag", "diff", shop.app, "production", "--from", "staging").stderr == "none\n"
    assert "no such environment" in shop.does("flag", "diff", shop.app, "production", "--from", "nowhere", code=3).stderr


def test_flags_are_exported_and_imported(shop, tmp_path):
    shop.put({**ROLLOUT, "title": "A quarter"})
    file = tmp_path / "flags.json"
    file.write_text(shop.does("flag", "export", shop.app, "production").stdout)
    assert json.loads(file.read_text())["featureEnvironments"][0]["enabled"] is True
    shop.flag("disable")
    into = ("flag", "import", shop.app, "production", "--file", str(file))
    assert "/document/features/0" in shop.does(*into, code=3).stderr
    out = shop.does(*into, "--existing", "update", "--dry-run").stdout
    assert out == f"flags of {shop.app}/production, as they would be\n  changed   checkout\nsegments of {shop.app}/production, as they would be\n"
    assert shop.state()["enabled"] is False
    shop.does("flag", "import", shop.app, "production", "--file", "-", "--existing", "update", "--reason", "as it was", input=file.read_text())
    assert shop.state()["enabled"] is True
    row = shop.flag("history", "--limit", "1").stdout.splitlines()[1]
    assert re.search(r"flag.imported +admin +import +as it was$", row), row
    assert json.loads(shop.does(*into, "--json").stdout)["flags"]["unchanged"] == ["checkout"]


# --- evaluated -----------------------------------------------------------------------------------------------------

def test_flags_are_evaluated_as_an_application_asks(shop, tmp_path):
    define(shop.stack, shop.app, "color", value_type="string", variants=[
        {"name": "blue", "weight": 1, "payload": {"type": "string", "value": "#00f"}}])
    say(shop.stack, shop.app, "color", strategies=[rollout(100)])
    shop.put({**PRO, "parameters": {**PRO["parameters"], "rollout": "100"}, "segments": []})
    client = Client(shop.stack, shop.app)
    client.wait(shop.state()["revision"])
    key = {"token": client.key}
    out = shop.does("flag", "eval", "checkout", "--user", "ann", "--context", "userId=ann", "--context", "plan=pro", **key).stdout
    assert [line.split() for line in out.splitlines()] == [["FLAG", "VALUE", "VARIANT", "REASON"], ["checkout", "true", "on", "TARGETING_MATCH"]]
    (tmp_path / "context").write_text('{"targetingKey": "ann", "plan": "pro"}')
    words = ("flag", "eval", "--file", str(tmp_path / "context"), "--context", "plan=free")
    rows = [line.split() for line in shop.does(*words, **key).stdout.splitlines()]
    assert rows[1:] == [["checkout", "false", "off", "TARGETING_MATCH"], ["color", "#00f", "blue", "STATIC"]]
    assert {one["key"]: one["value"] for one in json.loads(shop.does(*words, "--json", **key).stdout)} == {"checkout": False, "color": "#00f"}
    assert json.loads(shop.does("flag", "eval", "color", "--user", "ann", "--json", **key).stdout)["variant"] == "blue"
    assert "(FLAG_NOT_FOUND)" in shop.does("flag", "eval", "nothing", code=3, **key).stderr
    assert json.loads(shop.does("flag", "eval", "nothing", "--json", code=3, **key).stdout)["errorCode"] == "FLAG_NOT_FOUND"
    for token in (shop.stack.token, "nonsense"):
        assert "--role flags:client" in shop.does("flag", "eval", "checkout", code=3, token=token).stderr


# --- at a time -----------------------------------------------------------------------------------------------------

def test_changes_are_scheduled_listed_and_canceled(shop):
    shop.put(HOSTS)
    out = shop.flag("schedule", "--at", "2027-01-02T08:00:00Z", "--rollout", "10", "--reason", "soft launch").stdout
    id = re.search(rf"sluice flag unschedule {shop.app} production checkout (\S+)", out)[1]
    assert out.startswith(f"{shop.app}/production: checkout will be on for applicationHostname hostNames a.example; or 10 % by default at 2027-01-0")
    made = json.loads(shop.flag("schedules", "--json").stdout)
    assert [(one["id"], one["at"], one["reason"], one["if_revision"]) for one in made] == [(id, "2027-01-02T08:00:00.000Z", "soft launch", None)]
    assert made[0]["change"]["strategies"][0] == HOSTS and made[0]["change"]["enabled"] is True
    later = json.loads(shop.flag("schedule", "--at", "2027-02-02T08:00:00Z", "--disable", "--if-unchanged", "--json").stdout)
    assert (later["change"], later["if_revision"]) == ({"enabled": False}, shop.state()["revision"])
    assert re.search(rf"^{id} +pending +2027-01-02T08:00:00.000Z ", shop.flag("schedules").stdout, re.M)
    assert shop.flag("unschedule", id).stdout == f"schedule {id} canceled\n"
    assert "wrong-state" in shop.flag("unschedule", id, code=3).stderr
    assert [one["id"] for one in json.loads(shop.flag("schedules", "--state", "pending", "--json").stdout)] == [later["id"]]


def test_a_scheduled_change_is_made(shop):
    id = json.loads(shop.flag("schedule", "--at", "2027-01-02T08:00:00Z", "--enable", "--json").stdout)["id"]
    shop.stack.sql("ALTER TABLE flag_schedule DISABLE TRIGGER flag_schedule_is_immutable;"
                   f"UPDATE flag_schedule SET at = clock_timestamp() WHERE id = '{id}';"
                   "ALTER TABLE flag_schedule ENABLE TRIGGER flag_schedule_is_immutable")
    until(lambda: id in shop.flag("schedules", "--state", "applied").stdout)
    assert "checkout is on" in shop.flag("show").stdout


# --- terminals, mistakes -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_marks_and_colors(shop, columns):
    shop.put(PRO | {"segments": []}, HOSTS)
    words = ("flag", "show", shop.app, "production", "checkout")
    token = {"SLUICE_TOKEN": shop.stack.token, "columns": columns}
    text, code = on_terminal(shop.stack.urls[0], *words, **token)
    assert code == 0 and text.startswith("\x1b[32m✓\x1b[0m ")
    text, _ = on_terminal(shop.stack.urls[0], *words, NO_COLOR="1", **token)
    assert text.startswith(f"✓ {shop.app}/production: checkout is on") and "\x1b" not in text
    assert all(len(line) < columns for line in text.replace("\r", "").splitlines()), text
    text, _ = on_terminal(shop.stack.urls[0], "flag", "kill", *words[2:], NO_COLOR="1", **token)
    assert text.startswith(f"✗ {shop.app}/production: checkout is") and "killed" in text


def test_somebody_who_was_faster_is_told(api):
    state = "/apps/inopnc/environments/production/flags/checkout"
    api.on("GET", state, {"flag": "checkout", "revision": 7, "enabled": True, "killed": False, "strategies": [], "default_variant": None})
    api.on("PUT", state, problem(412, "precondition-failed", "Precondition failed"))
    for command in (("rollout", "5"), ("set", "--file", "-")):
        result = run(api.url, "flag", command[0], "inopnc", "production", "checkout", *command[1:], stdin='{"enabled": true}')
        expect(result, 3, err="somebody changed it meanwhile: look at it again, then repeat")
    assert [request["method"] for request in api.of("PUT", state)] == ["PUT", "PUT"], "and nothing is repeated"


def test_a_percentage_keeps_all_else_that_was_said(api):
    path = "/apps/inopnc/environments/production/flags/checkout"
    state = {"app": "inopnc", "environment": "production", "flag": "checkout", "enabled": False, "killed": False, "strategies": [],
             "default_variant": "old", "requires_release": "v1.2.3", "stale": False, "revision": 7}
    api.on("GET", path, state)
    api.on("PUT", path, state)
    expect(run(api.url, "flag", "rollout", "inopnc", "production", "checkout", "25"), 0, out="only where v1.2.3 or newer serves")
    sent = api.of("PUT", path)[0]
    assert json.loads(sent["body"]) == {"enabled": True, "strategies": [ROLLOUT], "default_variant": "old", "requires_release": "v1.2.3"}
    api.on("GET", path, state, {**state, "revision": 8})
    expect(run(api.url, "flag", "rollout", "inopnc", "production", "checkout", "25"), 0)
    assert api.of("PUT", path)[1]["headers"]["If-Match"] == '"changed-since"', "somebody came between the two reads"


def test_a_kill_is_repeated_until_it_is_heard(api):
    path = "/apps/inopnc/environments/production/flags/checkout"
    state = {"app": "inopnc", "environment": "production", "flag": "checkout", "enabled": True, "killed": True, "strategies": []}
    api.on("POST", f"{path}/kill", ("cut", ""), (503, {"code": "overloaded", "title": "x"}), state)
    expect(run(api.url, "flag", "kill", "inopnc", "production", "checkout"), 0, out="inopnc/production: checkout is killed")
    assert len(api.of("POST", f"{path}/kill")) == 3
    api.on("POST", f"{path}/enable", ("cut", ""), state)
    expect(run(api.url, "flag", "enable", "inopnc", "production", "checkout"), 4, err="it may have been carried out all the same")
    assert len(api.of("POST", f"{path}/enable")) == 1, "somebody may have switched it off meanwhile"


def test_what_clients_were_given_is_shown(api):
    path = "/apps/inopnc/environments/production/flags/checkout/exposure"
    command = ("flag", "exposure", "inopnc", "production", "checkout")
    rows = [{"hour": "2026-11-24T12:00:00.000Z", "app_name": "shop\u001b[2J", "yes": 12, "no": 3, "variants": {"new": 9, "old": 3}},
            {"hour": "2026-11-24T11:00:00.000Z", "app_name": "mail", "yes": 0, "no": 7, "variants": {}}]
    seen = {"last_seen_at": "2026-11-24T12:34:56.000Z", "items": rows}
    api.on("GET", path, seen)
    lines = expect(run(api.url, *command), 0).stdout.splitlines()
    assert api.requests[-1]["path"].endswith("/exposure?hours=24")
    assert [line.split() for line in lines[:3]] == [
        ["HOUR", "APPLICATION", "ON", "OFF", "VARIANTS"], ["2026-11-24T12:00:00.000Z", "shop", "[2J", "12", "3", "new", "9,", "old", "3"],
        ["2026-11-24T11:00:00.000Z", "mail", "0", "7", "-"]]
    assert lines[3].startswith("last reported 2026-11-24 12:34:56, ")
    assert json.loads(expect(run(api.url, *command, "--last", "61m", "--json"), 0).stdout) == seen
    assert api.requests[-1]["path"].endswith("/exposure?hours=2")
    api.on("GET", path, {"last_seen_at": None, "items": []})
    nothing = expect(run(api.url, *command), 0)
    assert nothing.stdout == "never reported\n" and nothing.stderr == "none\n"


def test_text_from_elsewhere_is_harmless(api):
    bad = "x\u001b[2Jy"
    state = {"app": "inopnc", "environment": "production", "flag": bad, "enabled": True, "strategies": [
        {"name": bad, "parameters": {bad: bad}, "constraints": [{"context_name": bad, "operator": bad, "value": bad, "values": [bad] * 9}]}]}
    api.on("GET", "/apps/inopnc/environments/production/flags/checkout", state)
    api.on("GET", "/apps/inopnc/environments/production/flags", {"items": [state], "next_cursor": None})
    for command in (["show", "inopnc", "production", "checkout"], ["list", "inopnc", "production"]):
        out = expect(run(api.url, "flag", *command), 0).stdout
        assert "x [2Jy" in out and "\x1b" not in out
    assert "… (9)" in run(api.url, "flag", "show", "inopnc", "production", "checkout").stdout


@pytest.mark.parametrize("words, hint", [
    (["flag", "show", "a"], "flag show wants APP [ENV] FLAG"),
    (["flag", "restore", "a", "f"], "flag restore wants APP [ENV] FLAG REVISION"),
    (["flag", "restore", "a", "f", "last", "--reason", "x"], "REVISION is a number of the history, not 'last'"),
    (["flag", "restore", "a", "f", "7"], "--reason"),
    (["flag", "create", "a", "f", "--type", "kill"], "--type is one of release|"),
    (["flag", "create", "a", "f", "--file", "/does/not/exist"], "No such file"),
    (["flag", "set", "a", "e", "f"], "flag set wants --file FILE"),
    (["segment", "set", "a", "s"], "segment set wants --file FILE"),
    (["flag", "eval", "f", "--context", "plan"], "--context wants FIELD=VALUE, not 'plan'"),
    (["flag", "eval", "f", "--context", "=pro"], "--context wants FIELD=VALUE"),
    (["flag", "diff", "a", "e"], "--from ENV"),
    (["flag", "promote", "a", "e", "f"], "--from ENV"),
    (["flag", "import", "a", "e"], "flag import wants --file FILE"),
    (["flag", "import", "a", "e", "--file", "x", "--existing", "both"], "--existing is one of refuse|update|keep"),
    (["flag", "schedule", "a", "e", "f", "--enable"], "--at TIME"),
    (["flag", "schedule", "a", "e", "f", "--at", "2027-01-01 00:00"], "one of --enable, --disable and --rollout PERCENT"),
    (["flag", "schedule", "a", "e", "f", "--at", "2027-01-01 00:00", "--enable", "--disable"], "one of --enable, --disable"),
    (["flag", "schedule", "a", "e", "f", "--at", "2027-01-01 00:00", "--enable", "--stickiness", "userId"], "--stickiness belongs to --rollout"),
    (["flag", "schedule", "a", "e", "f", "--at", "noon", "--enable"], "--at wants a time"),
    (["flag", "enabel", "a", "e", "f"], "did you mean 'flag enable'?"),
])
def test_usage_is_2_with_a_hint(words, hint):
    assert hint in expect(run("http://127.0.0.1:1", *words), 2).stderr


@pytest.mark.parametrize("text, hint", [('{"enabled": true, "enabled": false}', "line 1"), ("[]", "holds no JSON object"), ("{", "line 1")])
def test_a_file_that_is_not_what_it_should_be(text, hint):
    assert hint in expect(run("http://127.0.0.1:1", "flag", "set", "a", "e", "f", "--file", "-", stdin=text), 2).stderr


@pytest.mark.parametrize("percent", ["", "-1", "101", "50%", "2.5", "1e1"])
def test_a_percentage_is_a_whole_number(api, percent):
    api.on("GET", "/apps/a/environments/e/flags/f", {"flag": "f", "strategies": []})
    for command in (["rollout", "a", "e", "f", "--", percent], ["schedule", "a", "e", "f", "--at", "2027-01-01 00:00", f"--rollout={percent}"]):
        expect(run(api.url, "flag", *command), 2, err="a whole number from 0 to 100")
    assert {request["method"] for request in api.requests} == {"GET"}
