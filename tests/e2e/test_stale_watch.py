"""A watch that lags behind our own writes is no evidence against them: nobody else moved what we have just moved.

The hung watch keeps the server's cache at the first list, for longer than any of these deployments takes.
"""

import pytest

from tests.support.stack import Stack


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
