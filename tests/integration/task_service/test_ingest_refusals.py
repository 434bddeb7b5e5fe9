"""What a worker that does not keep to the contract is told: which of its words is wrong, not that the server is."""

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2

from tests.integration.task_service.import_calls import refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "x" * 256])
async def test_a_worker_whose_name_can_not_be_kept_gets_no_lease(system, worker, name):
    request = ingest_pb2.ClaimNextImportRequest(worker=name)
    call = system.ingest.ClaimNextImport(request, metadata=worker.metadata)
    assert (await refused(call))[:2] == (INVALID, "INVALID_WORKER")
