"""An environment is given from memory where that is the same: as nobody was told of anything since."""

import pytest

from tests.api.conftest import environment_body, refused
from tests.support.stack import Stack, until

AGAIN = 20  # each is over within the time for which an answer is given again, unless the machine is held up


def path(app):
    return f"/apps/{app}/environments/production"


def get(stack, app, **how):
    return stack.api("GET", path(app), **how)


def moment(stack, app):
    """When what is answered was seen."""
    return get(stack, app)["status"]["observed_at"]


def test_it_is_given_again(stack, environment):
    first, second = until(lambda: (pair := (get(stack, environment), get(stack, environment)))[0].raw == pair[1].raw and pair,
                          every=0, what="one answer is given twice")
    for header in ("ETag", "Content-Type", "Cache-Control"):
        assert first.headers[header] == second.headers[header]
    assert get(stack, environment, headers={"If-None-Match": first.headers["ETag"]}).status == 200
    refused(get(stack, environment, headers={"Accept": "text/plain"}), 406, "not-acceptable")
    refused(stack.api("GET", path(environment) + "?what=1"), 400, "invalid-query")
    assert stack.api("HEAD", path(environment)).headers["ETag"] == first.headers["ETag"]


def test_a_read_after_a_write_shows_it(stack, environment):
    for seconds in range(31, 31 + AGAIN):
        get(stack, environment)
        body = environment_body(environment, deadlines={"available_s": 600, "checks_s": 120, "validate_s": seconds})
        put = stack.api("PUT", path(environment), body, headers={"If-Match": "*"})
        got = get(stack, environment)
        assert put.status == 200 and got["deadlines"] == body["deadlines"] and got.headers["ETag"] == put.headers["ETag"]


def test_what_was_deleted_is_gone_at_once(stack, app):
    for _ in range(AGAIN):
        assert stack.api("PUT", path(app), environment_body(app)).status == 201
        assert get(stack, app).status == 200
        assert stack.api("DELETE", path(app)).status == 204
        refused(get(stack, app), 404, "not-found")


def test_a_read_after_the_cluster_was_changed_is_a_new_one(stack, environment):
    local = stack.api("GET", "/clusters/local").json
    spec = {key: local[key] for key in ("kubeconfig_file", "context") if local.get(key)}
    for _ in range(AGAIN):
        before = moment(stack, environment)
        assert stack.api("PUT", "/clusters/local", spec).status == 200
        assert moment(stack, environment) > before


@pytest.mark.parametrize("tell", ["/deployments/{id}", "/deployments?app={app}"])
def test_who_was_told_of_a_deployment_is_given_it(stack, environment, tell):
    """Also where this server was not told of it itself: here nobody was."""
    assert stack.api("POST", f"/apps/{environment}/releases", {"version": "1.0.0", "image": "shop:1"}).status == 201
    for _ in range(AGAIN):
        get(stack, environment)
        id = stack.deployed("1.0.0", environment, state="stuck")
        assert id in stack.api("GET", tell.format(id=id, app=environment)).raw.decode()
        assert get(stack, environment)["status"]["deployment"] == id
        stack.sql(f"UPDATE deployment SET state = 'failed', ended_at = now() WHERE id = '{id}'")


def test_it_is_nobody_elses(stack, environment):
    strangers = [(stack.mint("x", ("admin",), ("another",)), 403, "forbidden"), ("nobody", 401, "unauthenticated")]
    for _ in range(AGAIN):
        for token, status, code in strangers:
            get(stack, environment)
            refused(get(stack, environment, token=token), status, code)
    assert get(stack, environment, token=stack.mint("y", ("viewer",), (environment,))).status == 200


def test_another_server_shows_it_soon():
    with Stack(replicas=2) as two:
        two.inopnc()
        for seconds in range(31, 31 + AGAIN):
            get(two, "inopnc", replica=1)
            deadlines = {"available_s": 600, "checks_s": 120, "validate_s": seconds}
            two.inopnc(deadlines=deadlines)
            until(lambda: get(two, "inopnc", replica=1)["deadlines"] == deadlines, every=0, what="the other server shows it")
