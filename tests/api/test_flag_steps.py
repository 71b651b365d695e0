"""What a release changes of flags is made by steps, and taken back where the deployment is; a flag never holds a rollback up."""

import contextlib
import subprocess
import time

import pytest

from tests.api.conftest import refused
from tests.support.stack import until

ENVIRONMENT = "/apps/inopnc/environments/production"
RAMP = [
    {"flag": "checkout", "at": "before", "set": {"strategies": [
        {"name": "flexibleRollout", "parameters": {"rollout": "5", "stickiness": "default", "groupId": "checkout"}}]}},
    {"flag": "checkout", "at": "after-switch", "set": {"enabled": True}},
    {"flag": "banner", "at": "after-validate", "set": {"enabled": True}},
]


@pytest.fixture
def flags(stack):
    """inopnc with the flags checkout and banner, both off, and v1.0.0 serving."""
    stack.inopnc()
    for flag in ("checkout", "banner"):
        assert stack.api("PUT", f"/apps/inopnc/flags/{flag}", {"type": "release", "value_type": "boolean"},
                         headers={"If-Match": "*"}).status in (200, 201)
        assert stack.api("PUT", f"{ENVIRONMENT}/flags/{flag}", {"enabled": False}, headers={"If-Match": "*"}).status in (200, 201)
    stack.wait(stack.deploy("v1.0.0"), "succeeded")
    return stack


def state(stack, flag):
    return stack.api("GET", f"{ENVIRONMENT}/flags/{flag}").json


def on(stack):
    return {flag for flag in ("checkout", "banner") if state(stack, flag)["enabled"]}


def changed(deployment):
    return [(row["flag"], row["at"], row["state"]) for row in deployment["flags"]]


def ramp(stack, version, **fields):
    stack.release(version, flags=RAMP)
    answer = stack.create(version, **fields)
    assert answer.status == 202, answer
    return answer["id"]


def roll_back(stack):
    return stack.api("POST", f"{ENVIRONMENT}/rollback", {"reason": "it smells"})


def test_steps_change_flags_and_a_rollback_takes_them_back(flags):
    done = flags.wait(ramp(flags, "v1.1.0"), "succeeded")
    assert [step["name"] for step in done["steps"] if step["name"].startswith("set-flags")] == [
        "set-flags-before", "set-flags-after-switch", "set-flags-after-validate"]
    assert changed(done) == [("checkout", "before", "applied"), ("checkout", "after-switch", "applied"),
                             ("banner", "after-validate", "applied")]
    assert on(flags) == {"checkout", "banner"}
    newest = flags.api("GET", f"{ENVIRONMENT}/flags/checkout/history")["items"][0]
    assert newest["source"] == "deployment" and done["id"] in newest["reason"] and newest["by"]["kind"] == "service"
    back = roll_back(flags)
    assert back.status == 200, back
    assert on(flags) == set() and state(flags, "checkout")["strategies"] == []
    assert {row["state"] for row in flags.deployment(done["id"])["flags"]} == {"restored"}
    flags.wait(back["id"], "succeeded")
    assert "flag.restored" in [record["action"] for record in flags.chain()]


def test_an_abort_takes_back_what_came_before(flags):
    id = ramp(flags, "v1.2.0", params={"promote": "manual"})
    flags.wait_state(id, "paused")
    assert len(state(flags, "checkout")["strategies"]) == 1 and on(flags) == set()
    assert flags.api("POST", f"/deployments/{id}/abort", {"reason": "no"}).status == 200
    assert state(flags, "checkout")["strategies"] == []
    assert changed(flags.wait(id, "aborted")) == [("checkout", "before", "restored")]


def test_a_failure_takes_back_too(flags):
    flags.image("v1.3.0", health="fail")
    ended = flags.wait(ramp(flags, "v1.3.0"), "failed")
    assert changed(ended) == [("checkout", "before", "restored")] and state(flags, "checkout")["strategies"] == []


def test_what_somebody_changed_since_is_left_and_named(flags):
    done = flags.wait(ramp(flags, "v1.4.0"), "succeeded")
    assert flags.api("POST", f"{ENVIRONMENT}/flags/checkout/kill", {"reason": "too many errors"}).status == 200
    assert roll_back(flags).status == 200
    rows = {(row["flag"], row["at"]): row for row in flags.deployment(done["id"])["flags"]}
    assert rows["checkout", "after-switch"]["state"] == rows["checkout", "before"]["state"] == "left"
    assert "changed it since" in rows["checkout", "before"]["note"] and rows["banner", "after-validate"]["state"] == "restored"
    assert state(flags, "checkout")["killed"] and not state(flags, "banner")["enabled"]


def test_a_flag_that_is_not_there_fails_the_deployment(flags):
    flags.release("v1.5.0", flags=[{"flag": "nowhere", "at": "before", "set": {"enabled": True}}])
    ended = flags.wait(flags.create("v1.5.0")["id"], "failed")
    assert ended["failure"]["code"] == "invalid-target" and "nowhere" in ended["failure"]["detail"]
    assert flags.workload("green") is None or "v1.5.0" not in str(flags.workload("green"))


@contextlib.contextmanager
def locked(stack):
    """Somebody is changing flags of the app, and takes his time."""
    holder = subprocess.Popen(["psql", "-XAtq", stack.env["DATABASE_URL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("BEGIN; SELECT app FROM flag_head WHERE app = 'inopnc' FOR UPDATE;\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "inopnc\n"
        yield
    finally:
        holder.communicate("COMMIT;\n")


def test_a_deployment_waits_for_locked_flags_and_can_be_aborted(flags):
    with locked(flags):
        id = ramp(flags, "v1.7.0")
        flags.wait_step(id, "resolve", ("done",))
        assert flags.api("POST", f"/deployments/{id}/abort", {"reason": "no"}).status == 200
        flags.wait(id, "aborted")
        other = ramp(flags, "v1.7.1")
        flags.wait_step(other, "resolve", ("done",))
        assert flags.deployment(other)["flags"] == []
    assert len(flags.wait(other, "succeeded")["flags"]) == 3


def test_locked_flags_hold_no_rollback_up(flags):
    done = flags.wait(ramp(flags, "v1.6.0"), "succeeded")
    with locked(flags):
        began = time.monotonic()
        back = roll_back(flags)
        assert back.status == 200 and time.monotonic() - began < 10, back
        assert {row["state"] for row in flags.deployment(done["id"])["flags"]} == {"restoring"}
        flags.wait(back["id"], "succeeded")
    until(lambda: {row["state"] for row in flags.deployment(done["id"])["flags"]} == {"restored"}, what="they are taken back")
    assert on(flags) == set()


def test_a_flag_asks_for_a_release(flags):
    path = f"{ENVIRONMENT}/flags/banner"
    body = {"enabled": True, "requires_release": "v2.0.0"}
    refusal = refused(flags.api("PUT", path, body, headers={"If-Match": "*"}), 400, "invalid-body", "/enabled")
    assert "v2.0.0" in refusal["errors"][0]["detail"]
    refused(flags.api("PUT", path, {**body, "requires_release": "2"}, headers={"If-Match": "*"}), 400, "invalid-body", "/requires_release")
    assert flags.api("PUT", path, {**body, "enabled": False}, headers={"If-Match": "*"}).status == 200
    refused(flags.api("POST", f"{path}/enable"), 400, "invalid-body", "/enabled")
    flags.release("v2.0.0", flags=[{"flag": "banner", "at": "before", "set": {"enabled": True}}])
    assert flags.wait(flags.create("v2.0.0")["id"], "failed")["failure"]["code"] == "invalid-target"
    flags.release("v2.0.1", flags=[{"flag": "banner", "at": "after-switch", "set": {"enabled": True}}])
    flags.wait(flags.create("v2.0.1")["id"], "succeeded")
    assert on(flags) == {"banner"}
    flags.wait(flags.deploy("v2.1.0"), "succeeded")
    assert on(flags) == {"banner"}  # and a rollback to v2.0.1 leaves it on
    back = roll_back(flags)
    assert back.status == 200 and on(flags) == {"banner"}
    flags.wait(back["id"], "succeeded")
    older = flags.api("POST", f"{ENVIRONMENT}/rollback", {"to": "v1.0.0", "reason": "further"})
    assert older.status == 200 and on(flags) == set(), older
    flags.wait(older["id"], "succeeded")


def test_an_older_version_that_comes_back_otherwise_turns_it_off(flags):
    flags.wait(flags.deploy("v3.0.0"), "succeeded")
    assert flags.api("PUT", f"{ENVIRONMENT}/flags/banner", {"enabled": True, "requires_release": "v3.0.0"},
                     headers={"If-Match": "*"}).status == 200
    flags.wait(flags.deploy("v2.9.0"), "succeeded")
    until(lambda: on(flags) == set(), what="the flag is off")
    newest = flags.api("GET", f"{ENVIRONMENT}/flags/banner/history")["items"][0]
    assert newest["action"] == "flag.disabled" and "older version" in newest["reason"]


def test_a_schedule_waits_for_locked_flags(flags):
    due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    made = flags.api("POST", f"{ENVIRONMENT}/flags/banner/schedule", {"at": due, "change": {"enabled": True}})
    assert made.status == 201, made

    def now():
        return flags.api("GET", f"{ENVIRONMENT}/flags/banner/schedule/{made['id']}")["state"]
    with locked(flags):
        until(lambda: flags.sql(f"SELECT at < clock_timestamp() FROM flag_schedule WHERE id = '{made['id']}'") == "t", what="it is due")
        flags.wait(flags.deploy("v1.8.0"), "succeeded")  # nobody waits for the flags
        assert now() == "pending"
    until(lambda: now() == "applied", what="it is made")
