"""What bench/ copies of the server's work, so that it can be compared, is still what the server does."""
import pytest

from bench import figures
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack():
    with Stack(env={"SLUICE_WORKER_THREADS": "0"}) as one:
        yield one


def test_pgbench_can_run_a_creates_statements(stack):
    figures.many_environments(stack, figures.SHARE)
    before = int(stack.sql("SELECT count(*) FROM deployment"))
    assert figures.pgbench(stack, 0, 1) > 0
    made = int(stack.sql("SELECT count(*) FROM deployment")) - before
    assert made > 0 and stack.sql("SELECT count(*) FROM record WHERE action = 'deployment.created'") == str(2 * made + 1)
