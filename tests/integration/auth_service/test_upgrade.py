"""auth_service on schemas of other releases, and the exit status of its command `migrate`."""

import asyncio

import pytest
from structlog.testing import capture_logs

from auth_service.persistence.schema import MIGRATIONS
from auth_service.server import run_server
from auth_service.settings import DEFAULT_SCHEMA
from chassis.database.revisions import RevisionHistory
from chassis.database.schema_check import SchemaCheck
from chassis.probes.process_status import ProcessStatus
from deploy.local.host.free_ports import find_free_port
from tests.integration.auth_service.auth_server import make_settings
from tests.support.commands import command_runner
from tests.support.database import Database
from tests.support.waiting import until

HEAD = RevisionHistory(DEFAULT_SCHEMA, MIGRATIONS).expand_head
CONTRACT = "INSERT INTO auth.schema_compatibility (contract_revision, required_revision) VALUES ('c9999', '9999')"
REASON = "schema auth was contracted by a newer release: start a release with revision 9999 or newer"


@pytest.fixture
def migrate(database: Database):
    """Function that runs the command `migrate` on the test's database."""
    settings = {"AUTH_OWNER_DATABASE_URL": database.url("auth_owner"), "AUTH_DATABASE_URL": database.auth_url}
    return command_runner("auth_service", "AUTH", settings)


async def test_service_runs_on_an_expanded_schema(database):
    """A newer release has run its expand phase: this one starts."""
    database.rows("UPDATE auth.alembic_version SET version_num = '9999'")
    async with run_server(make_settings(database.auth_url)) as server, asyncio.timeout(20):
        await server.is_ready.wait()


async def test_service_waits_on_a_contracted_schema(database):
    """It says so in one line, and becomes ready when the schema fits again."""
    database.rows(CONTRACT)
    with capture_logs() as logs:
        async with run_server(make_settings(database.auth_url)) as server:
            await until(lambda: any(line["event"] == "waiting for the schema" for line in logs))
            assert not server.is_ready.is_set()
            database.rows("DELETE FROM auth.schema_compatibility")
            async with asyncio.timeout(20):
                await server.is_ready.wait()
    assert [line["reason"] for line in logs if "reason" in line] == [REASON]


async def test_running_service_stays_ready_after_a_contract_phase(database):
    """/statusz and one log line show the problem."""
    status = ProcessStatus("auth_service")
    check = SchemaCheck(database.auth_url, RevisionHistory(DEFAULT_SCHEMA, MIGRATIONS), status)
    assert await check() is None
    status.set_ready()
    database.rows(CONTRACT)
    with capture_logs() as logs:
        for _ in range(2):
            await check()
    assert status.is_ready
    assert status.to_json()["schema_problem"] == REASON
    assert [line["reason"] for line in logs] == [REASON]


async def test_both_revisions_are_in_the_status(database):
    database.rows("INSERT INTO auth.alembic_version VALUES ('c0001')")
    status = ProcessStatus("auth_service")
    await SchemaCheck(database.auth_url, RevisionHistory(DEFAULT_SCHEMA, MIGRATIONS), status)()
    assert status.to_json()["schema_revision"] == f"{HEAD}, c0001"


async def test_service_waits_until_the_schema_is_migrated(database):
    database.rows("UPDATE auth.alembic_version SET version_num = '0009'")
    with capture_logs() as logs:
        async with run_server(make_settings(database.auth_url)) as server:
            await until(lambda: any(line["event"] == "waiting for the schema" for line in logs))
            reason = next(line["reason"] for line in logs if line["event"] == "waiting for the schema")
            assert reason == f"schema auth is at revision 0009 and must be at {HEAD}: run migrate"
            assert not server.is_ready.is_set()


async def test_plan_prints_sql_and_succeeds(migrate):
    status, out, _ = await migrate("migrate", "--plan")
    assert status == 0
    assert out.splitlines() == [
        f"-- Schema auth is at revision {HEAD}.",
        "-- Phase expand: 0 revisions.",
        "-- Phase contract: 0 revisions.",
    ]


@pytest.mark.parametrize("arguments", [[], ["--contract"]])
async def test_migrate_without_pending_revisions_succeeds(migrate, arguments):
    status, out, err = await migrate("migrate", *arguments)
    assert (status, out, err) == (0, "", "")


@pytest.mark.parametrize("arguments", [[], ["--contract"], ["--plan"]])
async def test_unreachable_database_fails_in_one_line(migrate, arguments):
    url = f"postgresql://auth_owner:canary@127.0.0.1:{find_free_port()}/nothing"
    status, out, err = await migrate("migrate", *arguments, AUTH_OWNER_DATABASE_URL=url)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("AUTH_OWNER_DATABASE_URL: ")
    assert "canary" not in err


async def test_refused_migration_fails_in_one_line(database, migrate):
    database.rows(CONTRACT)
    assert await migrate("migrate") == (1, "", f"{REASON}\n")


@pytest.mark.parametrize("arguments", [["--plan", "--contract"], ["--downgrade"]])
async def test_wrong_arguments_exit_with_status_2(migrate, arguments):
    status, _, err = await migrate("migrate", *arguments)
    assert status == 2
    assert "usage: python -m auth_service.commands.migrate" in err


async def test_wrong_setting_exits_with_status_2(migrate):
    status, _, err = await migrate("migrate", AUTH_OWNER_DATABASE_URL="nonsense")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("AUTH_OWNER_DATABASE_URL: ")
