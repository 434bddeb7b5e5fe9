"""`provision`, and services whose roles and schema it created. Roles belong to a server, so it has one of its own."""

import psycopg
import pytest
import pytest_asyncio
from taskmanager.tasks.v1 import task_service_pb2

from chassis.testing.database import temporary_database
from tests.integration.task_service.import_calls import get, upload
from tests.support.commands import command_runner
from tests.support.database import Database
from tests.support.embedded_servers import EmbeddedPostgres
from tests.support.folders import scratch_folder
from tests.support.system import running_system

SERVICES = {"auth_service": "AUTH", "task_service": "TASKS"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server_url(tmp_path_factory):
    with scratch_folder(tmp_path_factory, "provision") as folder:
        async with EmbeddedPostgres(folder, durable=False) as server:
            yield server.url


@pytest.fixture
def database(server_url):
    """An empty database on a server without the services' roles."""
    with temporary_database(server_url) as url:
        yield Database(url)
    with psycopg.connect(server_url, autocommit=True) as connection:
        for role in ("auth_app", "auth_owner", "tasks_app", "tasks_owner", "limited"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def run(database):
    """Return a function that runs a command of a service, with the settings of all its commands."""

    async def run(service: str, command: str, **environment: str) -> tuple[int | None, str]:
        prefix, schema = SERVICES[service], SERVICES[service].lower()
        settings = {
            f"{prefix}_PROVISION_DATABASE_URL": database.administrator_url,
            f"{prefix}_OWNER_DATABASE_URL": database.url(f"{schema}_owner"),
            f"{prefix}_DATABASE_URL": database.url(f"{schema}_app"),
        }
        status, _, error = await command_runner(service, prefix, settings)(command, **environment)
        return status, "\n".join(line for line in error.splitlines() if not line.startswith("{"))

    return run


@pytest.mark.parametrize("service", SERVICES)
async def test_provision_is_safe_to_repeat(run, database, service):
    for command in ("provision", "provision", "migrate", "provision", "migrate"):
        assert await run(service, command) == (0, "")
    schema = SERVICES[service].lower()
    assert await database.execute("SHOW search_path", role=f"{schema}_app") == [(schema,)]


async def test_migrate_creates_no_role(run, database):
    status, error = await run("task_service", "migrate")
    assert (status, error.count("\n")) == (1, 0)
    assert error.startswith("TASKS_OWNER_DATABASE_URL: ")
    assert database.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tasks%%'") == []


async def test_migrate_without_a_schema_names_provision(run):
    assert await run("task_service", "provision") == (0, "")
    settings = {"TASKS_DATABASE_SCHEMA": "elsewhere"}
    assert await run("task_service", "migrate", **settings) == (
        1,
        "schema elsewhere does not exist: run provision first",
    )


PROBLEMS = {
    "role of an administrator": ("CREATE ROLE tasks_app LOGIN CREATEROLE", "TASKS_DATABASE_URL: role tasks_app exists"),
    "role that is a group": ("CREATE ROLE tasks_app NOLOGIN", "TASKS_DATABASE_URL: role tasks_app exists and may not"),
    "role of another schema": (
        "CREATE ROLE tasks_app LOGIN; ALTER ROLE tasks_app SET search_path = reports",
        "TASKS_DATABASE_URL: role tasks_app has search_path reports, not tasks",
    ),
    "schema of another role": ("CREATE SCHEMA tasks", "schema tasks exists and belongs to role postgres"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
async def test_existing_roles_and_schemas_are_refused(run, database, problem):
    """One line names the setting, and nothing is changed."""
    statement, expected = PROBLEMS[problem]
    await database.execute(statement)
    status, error = await run("task_service", "provision")
    assert status == 2
    assert error.startswith(expected)
    assert "\n" not in error
    assert database.rows("SELECT 1 FROM pg_roles WHERE rolname = 'tasks_owner'") == []


async def test_provision_refuses_wrong_urls(run, database):
    await database.execute("CREATE ROLE limited LOGIN PASSWORD 'test'")
    cases = {
        "TASKS_PROVISION_DATABASE_URL": [
            database.url("limited"),
            database.url("nobody"),
            "postgresql://a:b@127.0.0.1:1/c",
        ],
        "TASKS_DATABASE_URL": [database.url("other"), database.tasks_url.replace(":test@", "@")],
        "TASKS_OWNER_DATABASE_URL": [database.administrator_url],
    }
    for variable, urls in cases.items():
        for url in urls:
            status, error = await run("task_service", "provision", **{variable: url})
            assert status == 2
            assert error.startswith(f"{variable}: "), error
            assert "\n" not in error


async def test_limited_administrator_can_provision(run, database):
    """A role with CREATEROLE that owns the database, as the administrator of a managed server."""
    name = database.administrator_url.rpartition("/")[2]
    await database.execute("CREATE ROLE limited LOGIN CREATEROLE PASSWORD 'test'")
    await database.execute(f"ALTER DATABASE {name} OWNER TO limited")
    for _ in range(2):
        assert await run("task_service", "provision", TASKS_PROVISION_DATABASE_URL=database.url("limited")) == (0, "")
    assert await run("task_service", "migrate") == (0, "")
    await database.execute(f"ALTER DATABASE {name} OWNER TO postgres; DROP SCHEMA tasks CASCADE; DROP OWNED BY limited")


async def test_services_work_in_schemas_of_other_names(run, database, redis_url, tmp_path, process_queue_of):
    schemas = {"auth_service": "accounts", "task_service": "work_1"}
    for service, schema in schemas.items():
        for command in ("provision", "migrate"):
            assert await run(service, command, **{f"{SERVICES[service]}_DATABASE_SCHEMA": schema}) == (0, "")
    async with running_system(
        database,
        redis_url=redis_url,
        uploads=tmp_path / "uploads",
        auth_settings={"database_schema": schemas["auth_service"]},
        tasks_settings={"database_schema": schemas["task_service"]},
    ) as system:
        user = await system.new_user("sonu")
        queued = await upload(system, user)
        async with process_queue_of(system) as process_queue:
            await process_queue()
        assert (await get(system, user, queued.id)).rows_created == 2
        tasks = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=user.metadata)
        assert len(tasks.tasks) == 2
    assert database.rows("SELECT count(*) FROM work_1.tasks") == [(2,)]
    assert database.rows("SELECT to_regnamespace('tasks'), to_regnamespace('auth')") == [(None, None)]
    assert (await run("task_service", "verify"))[0] == 0
    assert (await run("task_service", "expire_cursors"))[0] == 0
