"""The files of all owners together have a limit, so that many small quotas cannot fill the storage."""

import asyncio
from typing import Any

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from tests.integration.task_service.import_calls import FILE, upload
from tests.support.grpc_calls import refused
from tests.support.rest import rest_client

STORAGE_FULL = (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    return {"max_stored_bytes": 2 * len(FILE)}


async def test_upload_above_the_total_is_refused(system, database):
    sonu, mina, tara = [await system.new_user(name) for name in ("sonu", "mina", "tara")]
    stored = [await upload(system, user) for user in (sonu, mina)]
    for finish in (True, False):  # early too, before the end of the file
        status = await refused(upload(system, tara, b"title\n", finish=finish))
        assert (status.code, status.reason) == STORAGE_FULL
    async with rest_client(system, tara) as rest:
        response = await rest.post("/imports", content=b"title\nx\n", headers={"content-type": "text/csv"})
    assert (response.status_code, response.json()["error"]["details"][0]["reason"]) == (507, "STORAGE_FULL")
    assert {path.stem for path in system.uploads.rglob("*.csv*")} == {one.id for one in stored}
    await database.execute(f"UPDATE tasks.imports SET file_stored = false WHERE id = '{stored[0].id}'")
    assert (await upload(system, tara)).state == import_pb2.Import.STATE_QUEUED


async def test_concurrent_uploads_respect_the_total(system):
    users = [await system.new_user(f"user{number}") for number in range(5)]
    arrived = asyncio.Barrier(5)

    async def messages():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions())
        yield import_service_pb2.UploadImportRequest(chunk=FILE)
        await arrived.wait()  # each upload alone fits into the total
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(FILE)))

    calls = [system.imports.UploadImport(messages(), metadata=user.metadata) for user in users]
    results = await asyncio.gather(*calls, return_exceptions=True)
    accepted = [result for result in results if isinstance(result, import_pb2.Import)]
    assert len(accepted) == 2
    assert {path.stem for path in system.uploads.rglob("*.csv*")} == {one.id for one in accepted}
