"""The checklist items about feature flags: what Sluice finds by itself before a deployment, what clients were given after it."""

import datetime

import pytest

from tests.api.conftest import ask_for, refused
from tests.support.stack import until

STAR = {"If-Match": "*"}
REASON = "The fix for what was killed goes out first."
ROLLOUT = {"name": "flexibleRollout", "parameters": {"rollout": "5", "stickiness": "default", "groupId": "checkout"}}


def template(stack, name):
    """Asks for the probe alone."""
    groups = [{"name": "all", "title": "All", "items": [
        {"key": "flags", "title": "Feature flags configured appropriately", "kind": "probe", "probe": "flags"}]}]
    assert stack.api("PUT", f"/checklist-templates/{name}", {"groups": groups}).status in (200, 201)
    return name


@pytest.fixture
def gated(stack, environment):
    """An app whose production asks for nothing but the probe, with the release v1.0.0 that declares no flags."""
    ask_for(stack, environment, template(stack, "flags-alone"))
    stack.release("v1.0.0", environment)
    return environment


def flag(stack, app, name="checkout", env="production", enabled=True, **definition):
    assert stack.api("PUT", f"/apps/{app}/flags/{name}", definition, headers=STAR).status in (200, 201)
    assert stack.api("PUT", f"/apps/{app}/environments/{env}/flags/{name}", {"enabled": enabled}, headers=STAR).status in (200, 201)


def switch(stack, app, verb, name="checkout", env="production"):
    answer = stack.api("POST", f"/apps/{app}/environments/{env}/flags/{name}/{verb}", {"reason": "orders are lost"})
    assert answer.status == 200, answer


def checklist(stack, app, version="v1.0.0"):
    answer = stack.api("GET", f"/apps/{app}/releases/{version}/checklists/production")
    assert answer.status == 200, answer
    return answer


def found(stack, app, version="v1.0.0"):
    """What the item says, which the gate agrees with."""
    [item] = checklist(stack, app, version)["groups"][0]["items"]
    gate = stack.api("GET", f"/apps/{app}/environments/production/blockers?version={version}")
    blockers = [b for b in gate["blockers"] if b["gate"] == "checklist"]
    assert bool(blockers) != (item["state"] in ("passed", "waived")), gate
    for blocker in blockers:
        assert (blocker["code"], blocker["what"]) == (f"item-{item['state']}", "flags") and "releaser" in blocker["who"]
        assert item.get("summary", "") in blocker["why"]
    return item


def failed(stack, app, version="v1.0.0"):
    item = found(stack, app, version)
    assert item["state"] == "failed" and item["source"] == "sluice" and "by" not in item, item
    return item["summary"]


def say(stack, app, body, version="v1.0.0"):
    return stack.api("PUT", f"/apps/{app}/releases/{version}/checklists/production/items/flags", body)


# ---- before a deployment ----

def test_the_runbooks_item_is_a_probe(stack, environment):
    ask_for(stack, environment)
    stack.release("v1.0.0", environment)
    items = {i["key"]: i for group in checklist(stack, environment)["groups"] for i in group["items"]}
    assert items["flags"]["kind"] == "probe" and items["flags"]["state"] == "passed"
    assert items["flags"]["summary"].startswith("0 declared") and items["flags"]["at"]


def test_a_kill_switch_that_is_engaged_fails_it(stack, gated):
    flag(stack, gated)
    flag(stack, gated, "banner", enabled=False)
    assert found(stack, gated)["state"] == "passed"
    switch(stack, gated, "kill")
    switch(stack, gated, "kill", "banner")
    assert failed(stack, gated) == "banner is killed; checkout is killed"
    refused(stack.create("v1.0.0", gated), 409, "blocked")
    switch(stack, gated, "unkill")
    switch(stack, gated, "unkill", "banner")
    assert found(stack, gated)["state"] == "passed"


def test_another_environments_flags_do_not_matter(stack, gated):
    path = f"/apps/{gated}/environments"
    spec = stack.api("GET", f"{path}/production").json["blue_green"]
    spec = {**spec, "service": f"{gated}-s", "colors": {c: {"deployment": f"{gated}-s-{c}", "service": f"{gated}-s-{c}-service"}
                                                        for c in ("blue", "green")}}
    assert stack.api("PUT", f"{path}/staging", {"cluster": "local", "namespace": "staging", "container": "app", "port": 3000,
                                                "strategy": "blue-green", "blue_green": spec}).status == 201
    flag(stack, gated, env="staging")
    switch(stack, gated, "kill", env="staging")
    assert found(stack, gated)["state"] == "passed"


def test_what_is_stale_fails_it_where_it_is_on_or_declared(stack, gated):
    stack.release("v1.1.0", gated, flags=[{"flag": "checkout", "at": "before", "set": {"enabled": True}}])
    flag(stack, gated, stale_after="2026-01-02T03:04:05Z")
    assert failed(stack, gated) == "checkout is stale since 2026-01-02"
    switch(stack, gated, "disable")
    assert found(stack, gated)["state"] == "passed"
    assert failed(stack, gated, "v1.1.0") == "checkout is stale since 2026-01-02"
    flag(stack, gated, enabled=False)
    assert found(stack, gated, "v1.1.0")["state"] == "passed"


def test_it_counts_until_something_will_be_stale(stack, gated):
    flag(stack, gated, "later", stale_after="2099-06-01T00:00:00Z")
    flag(stack, gated, "never")
    flag(stack, gated, "off", enabled=False, stale_after="2098-01-01T00:00:00Z")
    assert found(stack, gated)["expires_at"] == "2099-06-01T00:00:00.000Z"
    say(stack, gated, {"state": "open"})  # from the first thing said on it is on record when the gate opens and closes
    until(lambda: stack.sql("SELECT look_at FROM gate_state s JOIN environment e ON e.id = s.environment_id "
                            f"WHERE e.app = '{gated}'").startswith("2099-0"), what="it will be looked at then")


def test_what_is_declared_exists(stack, gated):
    stack.release("v1.1.0", gated, flags=[{"flag": name, "at": "after-switch", "set": {"enabled": True}} for name in ("checkout", "banner")])
    flag(stack, gated, "banner", enabled=False)
    assert failed(stack, gated, "v1.1.0") == "checkout does not exist"
    flag(stack, gated, enabled=False)
    assert found(stack, gated, "v1.1.0")["summary"].startswith("2 declared")
    assert found(stack, gated)["state"] == "passed"


def test_many_are_counted(stack, gated):
    for i in range(12):
        flag(stack, gated, f"f{i:02}")
        switch(stack, gated, "kill", f"f{i:02}")
    summary = failed(stack, gated)
    assert summary.startswith("f00 is killed; ") and summary.endswith("f09 is killed; and 2 more")


def test_people_waive_and_fail_it_and_never_pass_it(stack, gated):
    refused(say(stack, gated, {"state": "passed", "note": "by hand"}), 400, "invalid-body", "/state")
    assert say(stack, gated, {"state": "failed", "note": "the wrong percentage"})["open"] is False
    assert (found(stack, gated)["note"], found(stack, gated)["by"]["kind"]) == ("the wrong percentage", "user")
    assert say(stack, gated, {"state": "open"})["open"] is True
    assert found(stack, gated)["state"] == "passed"
    flag(stack, gated)
    switch(stack, gated, "kill")
    failed(stack, gated)
    assert say(stack, gated, {"state": "waived", "reason": REASON, "expires_s": 3600})["open"] is True
    assert found(stack, gated)["state"] == "waived" and "killed" in found(stack, gated)["summary"]


def test_what_people_ticked_before_does_not_count(stack, gated):
    """Of a template in which it was theirs."""
    flag(stack, gated)
    switch(stack, gated, "kill")
    stack.sql("INSERT INTO item_fact (id, kind, release_id, environment_id, item, state, content_digest, observed_at, by) "
              "SELECT gen_random_uuid(), 'before', r.id, e.id, 'flags', 'passed', r.content_digest, clock_timestamp(), "
              "'{\"kind\": \"user\", \"subject\": \"ann\", \"issuer\": \"sluice\"}' "
              f"FROM release r JOIN environment e ON e.app = r.app WHERE r.app = '{gated}'")
    assert failed(stack, gated) == "checkout is killed"


def test_openings_and_closings_are_on_record(stack, gated):
    flag(stack, gated)
    say(stack, gated, {"state": "failed"})
    say(stack, gated, {"state": "open"})

    def gate_records():
        return [(r["action"], r["actor"]["kind"]) for r in stack.chain(f"{gated}/production") if r["action"].startswith("gate.")]
    people = [("gate.closed", "user"), ("gate.opened", "user")]
    assert gate_records() == people
    switch(stack, gated, "kill")
    until(lambda: gate_records() == [*people, ("gate.closed", "service")], what="the gate closes")
    switch(stack, gated, "unkill")
    until(lambda: gate_records()[3:] == [("gate.opened", "service")], what="the gate opens")


# ---- with deployments ----

@pytest.fixture
def inopnc(stack):
    """inopnc with the flags checkout and banner, both off; its production asks for the probe until the end."""
    stack.inopnc()
    for name in ("checkout", "banner"):
        flag(stack, "inopnc", name, enabled=False)
        switch(stack, "inopnc", "unkill", name)
    ask_for(stack, "inopnc", template(stack, "flags-alone"))
    yield stack
    assert stack.api("PUT", "/apps/inopnc/environments/production/gates", {}, headers=STAR).status == 200


def test_what_waits_begins_when_the_kill_switch_is_released(inopnc):
    switch(inopnc, "inopnc", "kill")
    inopnc.release("v71.0.0")
    id = inopnc.create("v71.0.0", params={"wait": True})["id"]
    assert "checkout is killed" in inopnc.deployment(id)["blockers"][0]["why"]
    switch(inopnc, "inopnc", "unkill")
    inopnc.wait(id, "succeeded")


def paused(stack, version):
    """A deployment that set checkout's strategies, and waits to be promoted."""
    stack.release(version, flags=[{"flag": "checkout", "at": "before", "set": {"strategies": [ROLLOUT]}}])
    made = stack.create(version, params={"promote": "manual"})
    assert made.status == 202, made
    stack.wait_state(made["id"], "paused")
    assert found(stack, "inopnc", version)["summary"].startswith("1 declared")
    return made["id"]


def test_a_kill_before_the_cut_over_is_no_switch(inopnc):
    id = paused(inopnc, "v71.1.0")
    switch(inopnc, "inopnc", "kill", "banner")
    assert inopnc.api("POST", f"/deployments/{id}/promote").status == 200
    ended = inopnc.wait(id, "failed")
    assert ended["failure"]["code"] == "gate-closed" and "banner is killed" in ended["failure"]["detail"]


def test_what_the_deployment_set_has_to_be_so_still(inopnc):
    id, path = paused(inopnc, "v71.2.0"), "/apps/inopnc/environments/production/flags/checkout"
    assert inopnc.api("PUT", path, {"enabled": True, "strategies": [ROLLOUT]}, headers=STAR).status == 200
    assert found(inopnc, "inopnc", "v71.2.0")["state"] == "passed"  # somebody changed it, and not that
    assert inopnc.api("PUT", path, {"enabled": True}, headers=STAR).status == 200
    assert failed(inopnc, "inopnc", "v71.2.0") == "checkout is not what the deployment made of it"
    assert inopnc.api("POST", f"/deployments/{id}/promote").status == 200
    assert inopnc.wait(id, "failed")["failure"]["code"] == "gate-closed"


# ---- after a deployment ----

def exposure(stack, id):
    answer = stack.api("GET", f"/deployments/{id}/checklists/success")
    assert answer.status == 200, answer
    items = {i["key"]: i for group in answer["groups"] for i in group["items"]}
    assert [key for key, item in items.items() if "exposure" in item] == ["flags"]
    return items["flags"]["exposure"]


def given(stack, name, hour, variant, yes, no, app_name="shop"):
    stack.sql("INSERT INTO flag_exposure (environment_id, flag, hour, app_name, variant, yes, no, last_at) "
              f"SELECT id, '{name}', '{hour}', '{app_name}', '{variant}', {yes}, {no}, '2026-11-29 12:34:56Z' FROM environment "
              "WHERE app = 'inopnc' AND name = 'production'")


def test_success_shows_what_clients_got_since_the_switch(inopnc):
    set_ = [{"flag": name, "at": "after-switch", "set": {"enabled": True}} for name in ("checkout", "banner")]
    inopnc.release("v71.3.0", flags=set_)
    id = inopnc.create("v71.3.0")["id"]
    inopnc.wait(id, "succeeded")
    now = exposure(inopnc, id)
    assert [row["flag"] for row in now["flags"]] == ["banner", "checkout"]
    hour = datetime.datetime.fromisoformat(now["since"].replace("Z", "+00:00"))
    assert (hour.minute, hour.second, hour.microsecond) == (0, 0, 0)
    later, before = hour + datetime.timedelta(hours=1), hour - datetime.timedelta(hours=1)
    for at, variant, yes, no, app_name in ((before, "", 1000, 1000, "shop"), (hour, "", 3, 4, "shop"), (later, "", 5, 0, "shop"),
                                           (hour, "", 1, 1, "mail"), (hour, "new", 2, 0, "shop"), (later, "new", 4, 0, "shop")):
        given(inopnc, "checkout", at, variant, yes, no, app_name)
    given(inopnc, "other", hour, "", 9, 9)
    assert exposure(inopnc, id) == {"since": now["since"], "flags": [
        {"flag": "banner", "yes": 0, "no": 0, "variants": {}, "last_seen_at": None},
        {"flag": "checkout", "yes": 9, "no": 5, "variants": {"new": 6}, "last_seen_at": "2026-11-29T12:34:56.000Z"}]}
    said = inopnc.api("PUT", f"/deployments/{id}/checklists/success/items/flags", {"state": "passed"})
    assert said.status == 200 and said["state"] == "passed"


def test_success_of_what_never_switched_or_declares_nothing(inopnc):
    id = paused(inopnc, "v71.4.0")
    assert inopnc.api("POST", f"/deployments/{id}/abort", {"reason": "no"}).status == 200
    inopnc.wait(id, "aborted")
    assert exposure(inopnc, id) == {"since": None, "flags": [
        {"flag": "checkout", "yes": 0, "no": 0, "variants": {}, "last_seen_at": None}]}
    inopnc.release("v71.5.0")
    other = inopnc.create("v71.5.0")["id"]
    inopnc.wait(other, "succeeded")
    assert exposure(inopnc, other)["flags"] == [] and exposure(inopnc, other)["since"]
