"""Schemathesis, pinned and unmodified (tests/clients), drives every operation of openapi/openapi.yaml with all its checks:
no 5xx, and no answer that the document does not describe.

Against a server of its own, because it deletes what it finds.  SLUICE_SCHEMATHESIS: how many requests it makes up for each
operation beside those that it makes of each parameter and field (3; 100 take some minutes); SLUICE_SCHEMATHESIS_SEED: another
seed than 1."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from tests.api.test_bad_input import ROUTES, world  # noqa: F401: a fixture
from tests.support.stack import ROOT, Stack, call

PROGRAM = ROOT / "tests/clients/venv/bin/schemathesis"
HOOKS = pathlib.Path(__file__).with_name("schemathesis_hooks.py")
EXAMPLES, SEED = os.environ.get("SLUICE_SCHEMATHESIS", "3"), os.environ.get("SLUICE_SCHEMATHESIS_SEED", "1")

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="no schemathesis: PyPI could not be reached (scripts/deps test)")

REFUSALS = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429]
# What is right by its schema may still be refused for what is there: taken, changed since, not allowed now
CONFLICTS = ["2xx", 304, 401, 403, 404, 409, 412, 422, 428, 503]


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        yield stack


def toml(value):
    """As TOML: its texts, numbers and arrays are JSON's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def tokens(stack):
    """For each scope a credential that has it."""
    everybody = stack.mint("everybody", ("admin", *(f"approver:{role}" for role in ("engineering", "qa", "final"))), ("*",), "user")
    client = stack.api("POST", "/keys", {"name": "client", "kind": "api", "principal": {
        "kind": "service", "roles": ["flags:client"], "apps": [stack.values["app"]], "environment": "production"}})
    special = {"evidence:write": stack.mint(apps=("*",)), "flag:evaluate": client["key"]}
    return {route["scope"]: special.get(route["scope"], everybody) for route in ROUTES if route["scope"] != "public"}


def beyond_schemas(route):
    """Whether it looks at more than a schema says: bodies and cursors, names that have to differ, tickets."""
    return route["body"] or "cursor" in route["query"] or route["operation"] in ("diffFlags", "watchFlags")


def configuration(stack):
    """Who calls what, and what is there, so that half of the calls come past 404."""
    values = {**stack.values, "slot": int(stack.values["slot"])}
    return {
        "hooks": str(HOOKS),
        "generation": {"with-security-parameters": False},
        "dictionaries": {name: {"values": [value]} for name, value in values.items()},
        "parameters": {f"path.{name}": {"dictionary": name, "probability": 0.5} for name in values},
        "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS},
                   "positive_data_acceptance": {"expected-statuses": CONFLICTS}},
        "operations": [
            {"include-operation-id": "evaluateFlag", "parameters": {"path.key": {"dictionary": "flag", "probability": 0.5}}},
            *({"include-operation-id": [r["operation"] for r in ROUTES if r["scope"] == scope],
               "headers": {"Authorization": f"Bearer {token}"}} for scope, token in tokens(stack).items()),
            {"include-operation-id": [r["operation"] for r in ROUTES if beyond_schemas(r)],
             "checks": {"positive_data_acceptance": {"expected-statuses": [*CONFLICTS, 400]}}}],
    }


def test_every_answer_is_as_described(world, tmp_path):  # noqa: F811
    config, document = tmp_path / "schemathesis.toml", tmp_path / "openapi.json"
    document.write_bytes(call("GET", world.urls[0] + "/api/openapi.json").raw)  # a file: what is at its own URL it does not drive
    config.write_text("\n".join(f"{key} = {toml(value)}" for key, value in configuration(world).items()))
    ran = subprocess.run(
        # one worker: two meet a bug of CPython 3.11 (AST constructor recursion depth mismatch)
        [PROGRAM, "--config-file", config, "run", document, "--url", world.urls[0], "--checks", "all", "--seed", SEED, "--workers", "1",
         "--max-examples", EXAMPLES, "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all",
         "--generation-database", "none", "--no-color"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(ran.stdout)
    assert ran.returncode == 0, ran.stdout
    assert f"Tested: {len(ROUTES)}" in ran.stdout
    cases = int(re.search(r"(\d+) generated", ran.stdout)[1])
    assert cases > 30 * len(ROUTES)
    assert call("GET", world.urls[0] + "/api/health").status == 200
