"""Fixtures for every test: real servers, and a database for each test.

Under pytest-xdist each worker process has its own servers, so that workers share nothing but the machine.
"""

import os

# Before the first import of gRPC: its fork handlers run in each child that is started as another user, and a child has
# crashed in them. Such children only replace themselves by Postgres.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# As in the processes of the services.
os.environ["GRPC_EXPERIMENTS"] = "-event_engine_client,-event_engine_listener"

import hypothesis
import pytest
import pytest_asyncio
from xdist import get_xdist_worker_id

from chassis.testing.database import temporary_database
from tests.support.database import Database, migrated_template, tune
from tests.support.embedded_servers import EmbeddedPostgres, EmbeddedValkey
from tests.support.folders import scratch_folder
from tests.support.s3_server import EmbeddedS3
from tests.support.scheduling import ModuleScheduling, put_slowest_first

# A busy machine must not fail a test: by default an example has 200 ms.
hypothesis.settings.register_profile("without deadline", deadline=None)
hypothesis.settings.load_profile("without deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("servers")
    postgres, redis = os.environ.get("TEST_POSTGRES_URL"), os.environ.get("TEST_REDIS_URL")
    group.addoption("--postgres-url", default=postgres, help="URL of a superuser of a Postgres server to use")
    group.addoption("--redis-url", default=redis, help="URL of a Redis or Valkey server to use")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ModuleScheduling:
    return ModuleScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    put_slowest_first(items)


@pytest_asyncio.fixture(scope="session")
async def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """URL of a superuser of a running Postgres server."""
    if url := request.config.getoption("--postgres-url"):
        yield url
        return
    with scratch_folder(tmp_path_factory, "postgres") as folder:
        async with EmbeddedPostgres(folder, durable=False) as server:
            tune(server.url)
            yield server.url


@pytest_asyncio.fixture(scope="session")
async def redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """URL of a running Valkey server. On a server that workers share, each worker has its own database number."""
    if url := request.config.getoption("--redis-url"):
        number = get_xdist_worker_id(request).removeprefix("gw")
        yield f"{url.rpartition('/')[0]}/{number}" if number.isdigit() else url
        return
    async with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest_asyncio.fixture(scope="session")
async def s3(tmp_path_factory: pytest.TempPathFactory):
    """A running S3 server with an empty bucket."""
    async with EmbeddedS3(tmp_path_factory.mktemp("s3")) as server:
        yield server.server


@pytest.fixture(scope="session")
def template(postgres: str):
    """Name of a database with both schemas migrated."""
    with migrated_template(postgres) as name:
        yield name


@pytest.fixture
def database(postgres: str, template: str):
    """A migrated, empty database for one test."""
    with temporary_database(postgres, template=template) as url:
        yield Database(url)
