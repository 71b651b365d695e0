"""A watch that lags behind is no evidence: not against our own writes, and not for what somebody has just changed.

The hung watch keeps the server's cache at its first list, for longer than any of these deployments takes.
"""

import pytest

from tests.support.stack import IMAGE, Stack, until


@pytest.mark.parametrize("kind", ["services", "deployments"])
def test_law5_our_own_write_is_not_taken_for_a_third_partys(kind):
    with Stack() as stack:
        stack.inopnc(checks={"health": [], "smoke": [], "production": []}, deadlines={"available_s": 20, "checks_s": 20})
        stack.wait(stack.deploy("v1.2.2"), "succeeded")
        stack.stop_servers()
        stack.faults({"verb": "watch", "user_agent": "sluiced", "path": f"/{kind}([?]|$)", "action": {"hang": True}})
        stack.up()
        done = stack.wait(stack.deploy("v1.2.3"), "succeeded", seconds=30)
        assert stack.selector() == done["to"]["color"]


def delete_target(stack, done):
    return stack.kube("DELETE", f"/apis/apps/v1/namespaces/production/deployments/inopnc-{done['to']['color']}")


def change_what_serves(stack, done):
    path = f"/apis/apps/v1/namespaces/production/deployments/inopnc-{done['from']['color']}"
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": f"{IMAGE}:v6.6.6"}]}}}}
    return stack.kube("PATCH", path, image, "application/strategic-merge-patch+json")


@pytest.mark.parametrize("change", [delete_target, change_what_serves])
def test_law6_the_cut_over_sees_what_no_watch_has_told_yet(change):
    """The watch hangs from when the deployment waits for a person: what is in the cache is as our own writes left it."""
    with Stack() as stack:
        stack.inopnc(checks={"health": [], "smoke": [], "production": []})
        stack.wait(stack.deploy("v1.2.2"), "succeeded")
        id = stack.deploy("v1.2.3", params={"promote": "manual"})
        paused = stack.wait(id, "paused")
        stack.stop_servers()
        stack.faults({"verb": "watch", "user_agent": "sluiced", "path": "/deployments([?]|$)", "action": {"hang": True}})
        stack.up()
        until(lambda: stack.status()["active"], what="the cache has what there was")
        assert change(stack, paused).status == 200
        assert stack.api("POST", f"/deployments/{id}/promote", {}).status == 200
        done = stack.wait(id, "failed", seconds=60)
        assert done["failure"]["code"] == "third-party-change"
        assert stack.selector() == paused["from"]["color"]
        assert not stack.sql(f"SELECT 1 FROM intent WHERE deployment_id = '{id}' AND purpose = 'switch' AND result = 'done'")
