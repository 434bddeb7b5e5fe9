"""Parameters of database URLs, and the warning about too few connections."""

import psycopg
import pytest
import structlog

from chassis.database.connection_budget import warn_if_pool_does_not_fit
from chassis.database.pool import open_pool
from chassis.database.schema_check import WrongSearchPath, read_schema_state
from chassis.testing.database import temporary_database
from tests.integration.started_programs import UNREACHABLE_SERVERS, run
from tests.support.database import Database


@pytest.mark.parametrize(("parameters", "name"), [("", "a_service"), ("?application_name=blue", "blue")])
async def test_application_name_is_the_service_or_that_of_the_url(database, parameters, name):
    url = database.tasks_url + parameters
    async with open_pool(url, name="a_service", size=1) as pool, pool.connection() as connection:
        row = await (await connection.execute("SHOW application_name")).fetchone()
    assert row == (name,)


async def test_sslmode_of_the_url_is_honoured(database):
    """The embedded server has no TLS, so a service that requires it does not start, and says why."""
    url = f"{database.auth_url}?sslmode=require"
    settings = UNREACHABLE_SERVERS["auth_service"] | {"AUTH_DATABASE_URL": url, "AUTH_START_TIMEOUT_SECONDS": "3"}
    status, output = await run("auth_service", settings)
    assert status == 2
    assert "AUTH_DATABASE_URL: " in output
    assert "server does not support SSL, but SSL was required" in output


async def test_pool_that_does_not_fit_is_logged(database):
    """The connections that the pool has opened are not needed again."""
    url = database.tasks_url
    ((limit,),) = database.rows("SELECT current_setting('max_connections')::int")
    async with (
        open_pool(url, name="small", size=2) as small,
        open_pool(url, name="large", size=limit) as large,
        large.connection(),
        large.connection(),
        large.connection(),
    ):
        with structlog.testing.capture_logs() as logs:
            await warn_if_pool_does_not_fit(url, small)
            assert logs == []
            await warn_if_pool_does_not_fit(url, large, others=1)
    (line,) = logs
    # The pool opens connections ahead of those that are used: perhaps one.
    assert (limit + 1 - line["needed"] in {3, 4}, line["log_level"]) == (True, "warning")
    assert 0 < line["free"] < line["needed"]


async def test_role_without_the_search_path_is_explained(postgres, template):
    """Statements name no schema, so a role that finds another schema first must not serve."""
    with temporary_database(postgres, template=template) as url:
        database = Database(url)
        name = url.rpartition("/")[2]
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE tasks_app IN DATABASE {name} SET search_path = public")
        with pytest.raises(WrongSearchPath, match="run provision"):
            await read_schema_state(database.tasks_url, "tasks")
