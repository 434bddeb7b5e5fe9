"""Limits in the settings of task_service apply to the upload and, through the lease, to the worker."""

from typing import Any

import grpc
import pytest
from pydantic import SecretStr
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from import_worker.bootstrap import open_worker
from import_worker.settings import ImportWorkerSettings
from tests.integration.task_service.import_calls import get, upload
from tests.support.grpc_calls import refused
from tests.support.system import new_credential


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    return {
        "max_upload_bytes": 2000,
        "max_header_bytes": 30,
        "max_columns": 3,
        "max_record_bytes": 100,
        "max_cell_characters": 10,
    }


@pytest.fixture
async def work(system):
    """A use case that processes waiting imports, as a worker that has been woken does."""
    credential = await new_credential(system.use_cases, "import_worker", "imports:ingest")
    settings = ImportWorkerSettings(
        redis_url=SecretStr("redis://unused"),
        tasks_target=system.tasks_target,
        auth_target=system.auth_target,
        auth_credential=SecretStr(credential),
    )
    async with open_worker(settings, is_stopping=lambda: False) as process_queue:
        yield process_queue


@pytest.fixture
async def run_worker(system):
    """Function that imports until no import waits, as a notified worker does."""
    settings = ImportWorkerSettings(
        redis_url=SecretStr("redis://unused"),
        tasks_target=system.tasks_target,
        auth_target=system.auth_target,
        auth_credential=SecretStr(await new_credential(system.use_cases, "import_worker", "imports:ingest")),
    )
    async with open_worker(settings, is_stopping=lambda: False) as process_queue:
        yield process_queue


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"title,description,external_id,x\n", "HEADER_TOO_LONG"),
        (b"title,a,b,c\n", "TOO_MANY_COLUMNS"),
    ],
)
async def test_header_line_over_a_limit_is_refused(system, data, reason):
    sonu = await system.new_user("sonu")
    status = await refused(upload(system, sonu, data))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_file_over_the_limit_is_refused(system):
    sonu = await system.new_user("sonu")
    status = await refused(upload(system, sonu, b"title\n" + b"x\n" * 1000))
    assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE")


async def test_cell_over_the_limit_is_a_row_error(system, run_worker):
    """A cell over the limit is an error of its row; the rows around it are imported."""
    sonu = await system.new_user("sonu")
    file = "title,other\nfirst,\nexactly 10,x\nelf Zeichen,x\nx,ganz unwichtig\nlast,\n"
    queued = await upload(system, sonu, file.encode())
    await run_worker()
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 3, 2)
    request = import_service_pb2.ListImportErrorsRequest(import_id=queued.id)
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert [(error.line, error.column, error.code, error.value) for error in errors] == [
        (4, "title", "CELL_TOO_LONG", "elf Zeiche"),
        (5, "", "CELL_TOO_LONG", ""),
    ]
    assert {error.message for error in errors} == {"A cell has more than 10 characters."}


async def test_row_over_the_limit_fails_the_import(system, run_worker):
    """A row over the limit fails the import and names its line; the rows before it stay."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, b"title,other\nfirst,\nx," + b"y" * 100 + b"\nlast,\n")
    await run_worker()
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created) == (import_pb2.Import.STATE_FAILED, 1)
    assert (done.failure.code, done.failure.line) == ("RECORD_TOO_LARGE", 3)
