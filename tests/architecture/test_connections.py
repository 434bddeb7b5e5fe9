"""Every connection to Postgres notices a peer that is gone."""

import re
from pathlib import Path

import pytest

from chassis.database.connection import MAX_RESPONSE_SECONDS, TimeLimitedConnection
from chassis.database.pool import open_pool
from chassis.database.provision import APP_SETTINGS

ROOT = Path(__file__).parents[2]
CONNECT = re.compile(r"(?:psycopg|Connection)\.connect\(|create_engine\(")
FILES = [
    path
    for package in ("auth_service", "task_service", "chassis")
    for path in (ROOT / package).rglob("*.py")
    if CONNECT.search(path.read_text()) and path.parent.name != "testing"
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_connections_have_socket_options(path):
    """Each call that opens a connection sets keepalives and tcp_user_timeout."""
    text = path.read_text()
    assert len(CONNECT.findall(text)) == len(re.findall(r"\*\*SOCKET_OPTIONS|= connection_options\(", text))


async def test_pool_has_time_limits(postgres):
    async with open_pool(postgres, name="test", size=1) as pool, pool.connection() as connection:
        assert isinstance(connection, TimeLimitedConnection)
        parameters = connection.info.get_parameters()
    assert {"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"} <= parameters.keys()


def test_response_limit_exceeds_the_statement_timeout():
    """Postgres ends a slow statement before its connection is given up."""
    assert float(APP_SETTINGS["statement_timeout"].removesuffix("s")) < MAX_RESPONSE_SECONDS
