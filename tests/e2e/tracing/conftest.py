"""The whole system with traces, which a collector receives."""

from collections.abc import Iterator

import pytest

from tests.support.otlp_collector import Collector, running_collector
from tests.support.stack import LocalStack, running_stack, server_options
from tests.support.users import User

# A batch at a time, and short timeouts, so that tests need not wait for the exporter.
EXPORT = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture(scope="module")
def traced_stack(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LocalStack]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
        "IMPORT_WORKER_MAX_BATCH_ROWS": "100",
        **EXPORT,
    }
    with running_stack(tmp_path_factory.mktemp("traced"), *server_options(request.config), **settings) as stack:
        yield stack


@pytest.fixture
def user(traced_stack: LocalStack) -> User:
    return traced_stack.api.new_user()
