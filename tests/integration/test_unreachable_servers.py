"""Services whose servers do not respond at the start: one line for each on stderr, and exit status 2."""

import pytest

from tests.integration.started_programs import PASSWORD, UNREACHABLE_SERVERS, run

UNREACHABLE = {
    "auth_service": ["AUTH_DATABASE_URL"],
    "task_service": ["TASKS_DATABASE_URL", "TASKS_REDIS_URL", "TASKS_STORE_URL"],
}


@pytest.mark.parametrize("service", UNREACHABLE_SERVERS)
async def test_unreachable_servers_stop_the_start(service):
    """The lines name the settings and no password; the log before them has no traceback."""
    status, output = await run(service, UNREACHABLE_SERVERS[service])
    lines = [line for line in output.splitlines() if not line.startswith("{")]
    assert status == 2
    assert [line.split(": ")[:2] for line in lines] == [[service, name] for name in UNREACHABLE[service]]
    assert PASSWORD not in output
    assert "Traceback" not in output
