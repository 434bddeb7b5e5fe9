"""Services whose servers do not respond at the start: one line for each on stderr, and exit status 2."""

import pytest

from deploy.local.host.free_ports import find_free_port
from tests.integration.test_malformed_urls import PASSWORD, run

NOWHERE = f"127.0.0.1:{find_free_port()}"
POSTGRES = f"postgresql://role:{PASSWORD}@{NOWHERE}/db"
SETTINGS = {
    "auth_service": {
        "AUTH_DATABASE_URL": POSTGRES,
        "AUTH_KEY_ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "AUTH_LISTEN": "127.0.0.1:0",
        "AUTH_START_TIMEOUT_SECONDS": "0.5",
    },
    "task_service": {
        "TASKS_DATABASE_URL": POSTGRES,
        "TASKS_REDIS_URL": f"redis://:{PASSWORD}@{NOWHERE}/0",
        "TASKS_STORE_URL": "s3://bucket/uploads",
        "TASKS_AUTH_TARGET": NOWHERE,
        "TASKS_AUTH_CREDENTIAL": f"tasks.{PASSWORD}",
        "TASKS_LISTEN": "127.0.0.1:0",
        "TASKS_START_TIMEOUT_SECONDS": "0.5",
        "AWS_ENDPOINT": f"http://{NOWHERE}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
    },
}
UNREACHABLE = {
    "auth_service": ["AUTH_DATABASE_URL"],
    "task_service": ["TASKS_DATABASE_URL", "TASKS_REDIS_URL", "TASKS_STORE_URL"],
}


@pytest.mark.parametrize("service", SETTINGS)
async def test_unreachable_servers_stop_the_start(service):
    """The lines name the settings and no password; the log before them has no traceback."""
    status, output = await run(service, SETTINGS[service])
    lines = [line for line in output.splitlines() if not line.startswith("{")]
    assert status == 2
    assert [line.split(": ")[:2] for line in lines] == [[service, name] for name in UNREACHABLE[service]]
    assert PASSWORD not in output
    assert "Traceback" not in output
