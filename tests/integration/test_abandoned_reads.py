"""Reads whose client has gone before the response: the statement in Postgres ends, and its connection stays usable."""

import logging

import pytest
import structlog
from structlog.testing import capture_logs

from tests.integration.held_reads import TASKS, USERS, disable_timeouts, held, waiting
from tests.integration.task_service.calls import create
from tests.support.rest import rest_client
from tests.support.waiting import until

READS = {
    "/tasks:stats": TASKS,
    "/tasks": TASKS,
    "/tasks?q=milk": TASKS,
    "/tasks?order_by=title": TASKS,
    "/tasks?include_total=true": TASKS,
    "/tasks/{task_id}": TASKS,
    "/tasks:export": TASKS,
    "/me": USERS,
    "/users/{user_id}": USERS,
}
CONNECTIONS = """
    SELECT pid FROM pg_stat_activity WHERE usename IN ('tasks_app', 'auth_app') AND datname = current_database()
"""


@pytest.fixture
def tasks_settings(database):
    disable_timeouts(database)
    return {}


@pytest.mark.parametrize("read", READS)
async def test_abandoned_read_ends_its_statement(system, database, read, caplog):
    """Its connection serves the next call, and the services log nothing but the call."""
    admin = await system.new_admin()
    task = await create(system, admin, title="Buy milk")
    path = read.format(task_id=task.id, user_id=admin.id)
    async with rest_client(system, admin) as client:
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            calls = [lambda: client.get(path)]
            async with held(database, admin, calls=calls, at_least=1, table=READS[read]) as (request,):
                connections = set(database.rows(CONNECTIONS))
                request.cancel()
                await until(lambda: not waiting(database))
                await until(lambda: len(access_lines(logs, admin)) == 2)
        assert access_lines(logs, admin) == [("call", "CANCELLED"), ("request", 499)]
        assert not [line for line in logs if line["log_level"] not in {"debug", "info"}]
        assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert (await client.get(path)).status_code == 200
        assert connections <= set(database.rows(CONNECTIONS))


def access_lines(logs, caller):
    """Return event and status of the service's line and of the gateway's."""
    own = [line for line in logs if line["event"] == "request" or line.get("caller") == caller.id]
    return sorted((line["event"], line["status"]) for line in own)
