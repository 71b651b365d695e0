"""openapi/openapi.yaml says everything that a reader needs of each operation, and its examples are what its schemas say."""

import re

import jsonschema
import pytest
import yaml

from tests.api.test_bad_input import ROUTES
from tests.support.document import problem_codes, resolve
from tests.support.stack import ROOT

DOCUMENT = yaml.safe_load((ROOT / "openapi/openapi.yaml").read_text())
OPERATIONS = {operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()}
STATUS_OF = {code: int(status) for code, status in re.findall(
    r'ERR\([A-Z_]+, +"([a-z-]+)", +(\d+)', (ROOT / "server/base/errors.def").read_text())}
EACH = pytest.mark.parametrize("route", ROUTES, ids=[route["operation"] for route in ROUTES])


def answers(operation):
    return {int(status): resolve(DOCUMENT, response) for status, response in OPERATIONS[operation]["responses"].items()}


def examples_of(media):
    """Of a body: its own, its schema's, or for a list one with an example of what it lists."""
    schema = resolve(DOCUMENT, media["schema"])
    found = [media["example"]] if "example" in media else [example["value"] for example in media.get("examples", {}).values()]
    found = found or schema.get("examples", [])
    properties = schema.get("properties", {})
    if not found and set(properties) == {"items", "next_cursor"}:
        return [{"items": [one], "next_cursor": None} for one in examples_of({"schema": properties["items"]["items"]})]
    return found


def valid(media, example):
    """References stay inside the document; times, addresses and ids have their form."""
    schema = {**media["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(example)


@EACH
def test_it_says_what_it_is_for_and_who_may(route):
    operation = OPERATIONS[route["operation"]]
    assert 3 <= len(operation["summary"]) <= 100 and not operation["summary"].endswith(".")
    assert operation["tags"][0] in [tag["name"] for tag in DOCUMENT["tags"]]
    assert operation["x-scope"] == route["scope"] and (operation.get("security") == []) == (route["scope"] == "public")
    names = [resolve(DOCUMENT, parameter)["name"] for parameter in operation.get("parameters", [])]
    assert set(re.findall(r"{(\w+)}", route["path"])) | set(route["query"]) <= set(names)


@EACH
def test_its_answers_have_examples(route):
    for status, response in answers(route["operation"]).items():
        for kind, media in response.get("content", {}).items():
            if status < 300 and kind == "application/json":
                assert examples_of(media), f"{status} {kind}: no example"
            for example in examples_of(media) if "json" in kind else ():
                valid(media, example)
        assert response["description"]


@EACH
def test_its_body_has_examples(route):
    described = OPERATIONS[route["operation"]].get("requestBody")
    assert bool(described) == bool(route["body"])
    for kind, media in (described or {"content": {}})["content"].items():
        assert examples_of(media), f"{kind}: no example"
        for example in examples_of(media):
            valid(media, example)
    if route["body"] and "schema" in route["body"]:  # none is an empty object
        assert described.get("required", False) == any(field["required"] for field in route["body"]["schema"]["fields"])


@EACH
def test_it_says_which_problems_it_answers(route):
    """Each code with its status; and those that every operation may answer."""
    named = {}
    for status, response in answers(route["operation"]).items():
        if "application/problem+json" in response.get("content", {}):
            named[status] = problem_codes(DOCUMENT, response)
            assert named[status], f"{status}: no code"
            assert {STATUS_OF[code] for code in named[status]} == {status}, named
    if not route["protocol"]:  # others refuse in their own form
        expected = {400, 406} | ({401, 503} if route["scope"] != "public" else set())
        expected |= {403} if route["scope"] not in ("public", "any") else set()
        expected |= {413, 415} if route["body"] else set()
        assert expected <= set(named), expected - set(named)


def test_every_code_is_answered_by_something():
    named = {code for operation in OPERATIONS for response in answers(operation).values() for code in problem_codes(DOCUMENT, response)}
    assert set(STATUS_OF) - named == {"method-not-allowed"}  # of paths, not of operations


def test_every_reader_of_yaml_reads_the_same():
    """Bare yes and no are texts to some and booleans to others."""
    def keys(value):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            yield from [key] if isinstance(value, dict) else []
            yield from inner if key == "required" and isinstance(inner, list) else []
            yield from keys(inner)
    assert {type(key) for key in keys(DOCUMENT)} == {str}
