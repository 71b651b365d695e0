"""Reads an OpenAPI document; imports nothing, because schemathesis' Python runs it too (tests/api/schemathesis_hooks.py)."""

import re


def resolve(document, value):
    """What a reference leads to; a description beside it stands for that of what it leads to."""
    described = {}
    while "$ref" in value:
        described = {"description": value["description"], **described} if "description" in value else described
        at = document
        for key in value["$ref"].removeprefix("#/").split("/"):
            at = at[key]
        value = at
    return {**value, **described} if described else value


def problem_codes(document, response):
    """The codes that the description of a response names."""
    known = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    words = set(re.findall(r"[a-z]+(?:-[a-z]+)*", resolve(document, response)["description"]))
    return words & set(known)
