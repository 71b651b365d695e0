import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.support.stack import Stack  # noqa: E402

ONLY_REAL = ("test_fidelity.py", "test_least_privilege.py", "test_manifests.py")


def pytest_addoption(parser):
    parser.addoption("--cluster", choices=("kubesim", "real"), default="kubesim",
                     help="what stacks run on; real: only tests marked so")


def pytest_configure(config):
    Stack.cluster = config.getoption("--cluster")
    config.addinivalue_line("markers", "real: runs on a real control plane too")
    config.addinivalue_line("markers", "kubesim(why): but this one does not")


def pytest_ignore_collect(collection_path, config):
    return collection_path.name in ONLY_REAL and config.getoption("--cluster") != "real" or None


def pytest_collection_modifyitems(config, items):
    if config.getoption("--cluster") != "real":
        return
    config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker("real")])
    items[:] = [item for item in items if item.get_closest_marker("real")]
    for item in items:
        for mark in item.iter_markers("kubesim"):
            item.add_marker(pytest.mark.skip(reason="needs kubesim: " + mark.args[0]))
