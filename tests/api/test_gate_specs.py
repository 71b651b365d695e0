"""What an environment asks for: PUT and GET …/gates."""

import json

import pytest

from tests.api.conftest import environment_body, heads, refused
from tests.support.stack import IMAGE, together

FULL = {"checklist": {"before": "before-deployment", "after": "after-deployment"},
        "approvals": [{"role": "engineering", "count": 2}, {"role": "qa", "count": 1}],
        "acceptance": [{"role": "final", "count": 1}], "acceptance_blocks_next": True, "self_approval": True, "freeze": False,
        "evidence_max_age_s": 86400, "flag_approvals": {"count": 2}}
NOTHING = {"checklist": {}, "approvals": [], "acceptance": [], "acceptance_blocks_next": False, "self_approval": False,
           "freeze": True, "evidence_max_age_s": 0}


def gates(app, env="production"):
    return f"/apps/{app}/environments/{env}/gates"


def add_environment(stack, app, name):
    body = environment_body(f"{app}-{name}")
    assert stack.api("PUT", f"/apps/{app}/environments/{name}", body).status == 201


def codes(stack, app, version="v1.0.0"):
    answer = stack.api("GET", f"/apps/{app}/environments/production/blockers?version={version}")
    assert answer.status == 200, answer
    return {blocker["code"] for blocker in answer["blockers"]}


def test_put_get(stack, environment):
    refused(stack.api("GET", gates(environment)), 404, "not-found")
    made = stack.api("PUT", gates(environment), FULL)
    assert made.status == 201, made
    got = stack.api("GET", gates(environment))
    assert got.status == 200 and got.json == made.json and got.headers["ETag"] == made.headers["ETag"]
    assert {key: got[key] for key in FULL} == FULL and (got["app"], got["environment"]) == (environment, "production")
    assert list(got.json)[2:10] == list(FULL), "in the order of the contract"
    record = stack.chain(f"{environment}/production")[-1]
    assert (record["action"], record["subject"], record["data"]) == ("gates.put", "production", {"spec": FULL})
    assert record["actor"]["subject"] and record["from"]


def test_defaults(stack, environment):
    made = stack.api("PUT", gates(environment), {"approvals": [{"role": "qa"}], "checklist": None})
    assert made.status == 201
    assert {key: made[key] for key in NOTHING} == {**NOTHING, "approvals": [{"role": "qa", "count": 1}]}
    before = heads(stack)
    for same in ({"approvals": [{"role": "qa", "count": 1}]}, {**NOTHING, "approvals": [{"role": "qa"}]}):
        again = stack.api("PUT", gates(environment), same)
        assert again.status == 200 and again.headers["ETag"] == made.headers["ETag"]
    assert heads(stack) == before, "what is equal leaves no trace"


def test_what_is_replaced_is_named(stack, environment):
    refused(stack.api("PUT", gates(environment), {}, headers={"If-Match": '"x"'}), 412, "precondition-failed")
    etag = stack.api("PUT", gates(environment), {}).headers["ETag"]
    refused(stack.api("PUT", gates(environment), FULL), 428, "precondition-required")
    refused(stack.api("PUT", gates(environment), FULL, headers={"If-Match": '"stale"'}), 412, "precondition-failed")
    assert stack.api("PUT", gates(environment), FULL, headers={"If-Match": etag}).status == 200
    refused(stack.api("PUT", gates(environment), {}, headers={"If-Match": etag}), 412, "precondition-failed")
    assert stack.api("PUT", gates(environment), {}, headers={"If-Match": "*"}).status == 200


def test_of_eight_one_makes_them_and_one_replaces_them(stack, environment):
    answers = together(8, lambda i: stack.api("PUT", gates(environment), {"evidence_max_age_s": i + 1}))
    assert sorted(answer.status for answer in answers) == [201] + [428] * 7
    etag = stack.api("GET", gates(environment)).headers["ETag"]
    answers = together(8, lambda i: stack.api("PUT", gates(environment), {"evidence_max_age_s": i + 10}, headers={"If-Match": etag}))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


@pytest.mark.parametrize("body, field", [
    ({"checklist": {"before": "nothing"}}, "/checklist/before"),
    ({"checklist": {"after": "nothing"}}, "/checklist/after"),
    ({"checklist": {"before": "A"}}, "/checklist/before"),
    ({"checklist": {"success": "success-criteria"}}, "/checklist/success"),
    ({"checklist": "before-deployment"}, "/checklist"),
    ({"approvals": [{"role": "boss"}]}, "/approvals/0/role"),
    ({"approvals": [{"count": 1}]}, "/approvals/0/role"),
    ({"approvals": [{"role": "qa"}, {"role": "final"}, {"role": "qa", "count": 2}]}, "/approvals/2/role"),
    ({"acceptance": [{"role": "qa"}, {"role": "qa"}]}, "/acceptance/1/role"),
    ({"approvals": [{"role": "qa", "count": 0}]}, "/approvals/0/count"),
    ({"approvals": [{"role": "qa", "count": 11}]}, "/approvals/0/count"),
    ({"acceptance": [{"role": "qa", "count": 1.5}]}, "/acceptance/0/count"),
    ({"approvals": [{"role": "qa"}] * 8}, "/approvals"),
    ({"freeze": "yes"}, "/freeze"),
    ({"self_approval": 1}, "/self_approval"),
    ({"acceptance_blocks_next": []}, "/acceptance_blocks_next"),
    ({"previous_environment": "production"}, "/previous_environment"),
    ({"previous_environment": "staging"}, "/previous_environment"),
    ({"previous_environment": "Ä"}, "/previous_environment"),
    ({"evidence_max_age_s": -1}, "/evidence_max_age_s"),
    ({"evidence_max_age_s": 365 * 86400 + 1}, "/evidence_max_age_s"),
    ({"flag_approvals": {"count": 0}}, "/flag_approvals/count"),
    ({"flag_approvals": {"count": 6}}, "/flag_approvals/count"),
    ({"flag_approvals": {"roles": []}}, "/flag_approvals/roles"),
    ({"flag_approvals": 2}, "/flag_approvals"),
    ({"unknown": 1}, "/unknown"),
], ids=json.dumps)
def test_bad_fields_are_named(stack, environment, body, field):
    before = heads(stack)
    refused(stack.api("PUT", gates(environment), body), 400, "invalid-body", field)
    assert heads(stack) == before
    refused(stack.api("GET", gates(environment)), 404, "not-found")


def test_every_name_that_is_missing_is_named(stack, environment):
    answer = refused(stack.api("PUT", gates(environment), {"checklist": {"before": "x", "after": "y"}, "previous_environment": "z"}),
                     400, "invalid-body")
    assert {(error["field"], error["code"]) for error in answer["errors"]} == {
        ("/checklist/before", "unknown"), ("/checklist/after", "unknown"), ("/previous_environment", "unknown")}


def test_the_environment_before_is_another_one_of_the_app(stack, environment):
    add_environment(stack, environment, "staging")
    add_environment(stack, environment, "test")
    made = stack.api("PUT", gates(environment), {"previous_environment": "staging"})
    assert made.status == 201 and made["previous_environment"] == "staging"
    assert stack.api("PUT", gates(environment, "staging"), {"previous_environment": "test"}).status == 201
    for lead_back in ("production", "test", "staging"):
        answer = refused(stack.api("PUT", gates(environment, "test"), {"previous_environment": lead_back}), 400, "invalid-body",
                         "/previous_environment")
        assert answer["errors"][0]["code"] == "conflict"


def test_the_environment_before_of_another_app_does_not_count(stack, environment, name):
    other = f"{name}-other"
    assert stack.api("PUT", f"/apps/{other}", {"image": IMAGE}).status == 201
    add_environment(stack, other, "staging")
    refused(stack.api("PUT", gates(environment), {"previous_environment": "staging"}), 400, "invalid-body", "/previous_environment")


def test_where_there_is_no_environment(stack, app):
    refused(stack.api("PUT", gates(app), {}), 404, "not-found")
    refused(stack.api("GET", gates(app)), 404, "not-found")


def test_scopes(stack, environment):
    releaser = stack.mint("rel", ("releaser",), (environment,), kind="user")
    refused(stack.api("PUT", gates(environment), {}, token=releaser), 403, "forbidden")
    assert stack.api("PUT", gates(environment), {}).status == 201
    assert stack.api("GET", gates(environment), token=releaser).status == 200
    stranger = stack.mint("str", ("admin",), ("another",), kind="user")
    refused(stack.api("GET", gates(environment), token=stranger), 403, "forbidden")
    refused(stack.api("PUT", gates(environment), FULL, token=stranger), 403, "forbidden")


def test_it_counts_at_once(stack, environment):
    stack.release("v1.0.0", environment)
    assert codes(stack, environment) == set()
    stack.sql(f"INSERT INTO gate_state (environment_id, release_id, open) SELECT e.id, r.id, true FROM environment e, release r"
              f" WHERE e.app = '{environment}' AND r.app = e.app")
    version = stack.sql(f"SELECT gate_version FROM environment WHERE app = '{environment}'")
    assert stack.api("PUT", gates(environment), FULL).status == 201
    assert codes(stack, environment) == {"item-open", "approval-missing"}
    assert int(stack.sql(f"SELECT gate_version FROM environment WHERE app = '{environment}'")) > int(version)
    assert stack.sql(f"SELECT look_at IS NOT NULL OR NOT open FROM gate_state g JOIN environment e ON e.id = g.environment_id"
                     f" WHERE e.app = '{environment}'") == "t"
    assert stack.api("PUT", gates(environment), {}, headers={"If-Match": "*"}).status == 200
    assert codes(stack, environment) == set()


def test_they_go_with_their_environment(stack, environment):
    assert stack.api("PUT", gates(environment), FULL).status == 201
    etag = stack.api("GET", gates(environment)).headers["ETag"]
    assert stack.api("DELETE", f"/apps/{environment}/environments/production").status == 204
    assert stack.api("PUT", f"/apps/{environment}/environments/production", environment_body(environment)).status == 201
    refused(stack.api("GET", gates(environment)), 404, "not-found")
    made = stack.api("PUT", gates(environment), FULL)
    assert made.status == 201 and made.headers["ETag"] != etag
