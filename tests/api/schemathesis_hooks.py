"""What test_schemathesis.py adds to schemathesis, in whose process this runs."""

import json
import pathlib
import sys

import schemathesis
from schemathesis.core.media_types import YAML_MEDIA_TYPES

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.support.document import problem_codes  # noqa: E402

DOCUMENT = json.loads(pathlib.Path("openapi.json").read_text())  # as it is; schemathesis puts links into its own


def holds_null(value):
    if isinstance(value, dict):
        return any(map(holds_null, value.values()))
    return value is None or (isinstance(value, list) and any(map(holds_null, value)))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """What holds everywhere, and the document says once: null for a field that is not required is as if it were not there, and
    a request line that is too long is 414."""
    null = type(failure).__name__ == "AcceptedNegativeData" and holds_null(case.body)
    return not null and response.status_code != 414


@schemathesis.deserializer(*YAML_MEDIA_TYPES)
def manifests(context, response):
    """A text, as the document says: schemathesis itself reads one YAML document only, and there may be several."""
    return response.content.decode()


@schemathesis.check
def problem_is_described(context, response, case):
    """The code of a problem is one that the document names for this operation and status."""
    if response.headers.get("content-type", [""])[0].startswith("application/problem+json"):
        code = response.json()["code"]
        described = DOCUMENT["paths"][case.operation.path][case.operation.method.lower()]["responses"]
        if str(response.status_code) in described:
            codes = problem_codes(DOCUMENT, described[str(response.status_code)])
            assert code in codes, f"{response.status_code} {code} is not among {sorted(codes)}"
