"""What ends at auth_service ends at task_service too, within seconds: calls and open streams."""

import asyncio

import grpc
import pytest
from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc, user_service_pb2, user_service_pb2_grpc
from taskmanager.imports.v1 import import_ingest_service_pb2, import_ingest_service_pb2_grpc, import_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from chassis.kernel.identity import Caller
from chassis.kernel.pagination import PageRequest
from chassis.rpc.client import sync_channel
from chassis.rpc.errors import read_status
from chassis.rpc.service_token import ThreadTokenSource
from tests.integration.conftest import PASSWORD, new_credential

FILE = b"title\nBuy milk\n"
REVOKED = (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")


async def upload():
    yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(file_name="tasks.csv"))
    yield import_service_pb2.UploadImportRequest(chunk=FILE)
    yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(FILE)))


async def end_of(stream):
    """The status that a stream ends with."""
    try:
        async with asyncio.timeout(20):
            async for _ in stream:
                pass
    except grpc.aio.AioRpcError as error:
        status = read_status(error)
        return status.code, status.reason
    raise AssertionError("the stream came to a good end")


async def until_turned_away(system, person):
    async with asyncio.timeout(20):
        while True:
            try:
                await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=person.metadata)
            except grpc.aio.AioRpcError as error:
                status = read_status(error)
                return status.code, status.reason
            await asyncio.sleep(0.05)


async def watching(system, person):
    """A stream that stays open by itself: its import waits for a worker."""
    made = await system.imports.UploadImport(upload(), metadata=person.metadata)
    stream = system.imports.WatchImport(import_service_pb2.WatchImportRequest(id=made.id), metadata=person.metadata)
    await anext(aiter(stream))
    return stream


async def test_a_logout_turns_away_calls_and_ends_open_streams_of_another_service(system):
    person, other = await system.person("sonu"), await system.person("mona")
    mine, hers = await watching(system, person), await watching(system, other)
    await system.auth.Logout(auth_service_pb2.LogoutRequest(), metadata=person.metadata)
    assert await end_of(mine) == REVOKED
    assert await until_turned_away(system, person) == REVOKED
    await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=other.metadata)
    assert not hers.done()
    hers.cancel()


async def test_a_changed_password_ends_the_streams_of_every_session(system):
    person = await system.person("sonu")
    stream = await watching(system, person)
    request = user_service_pb2.ChangePasswordRequest(current_password=PASSWORD, new_password="another horse battery")
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        changed = await user_service_pb2_grpc.UserServiceStub(channel).ChangePassword(request, metadata=person.metadata)
    assert await end_of(stream) == REVOKED
    fresh = (("authorization", f"Bearer {changed.access_token}"),)
    await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=fresh)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_a_service_whose_token_was_ended_takes_a_new_one_with_its_next_call(system, stream):
    credential = await new_credential(system.use_cases, "worker", "imports:ingest")
    issued = []

    def issue():
        request = auth_service_pb2.IssueServiceTokenRequest(credential=credential)
        with grpc.insecure_channel(system.auth_target) as channel:
            answer = auth_service_pb2_grpc.AuthServiceStub(channel).IssueServiceToken(request, timeout=10)
        issued.append(answer.access_token)
        return answer.access_token, float(answer.expires_in)

    claim = import_ingest_service_pb2.ClaimNextImportRequest(worker="test")

    def code_of_a_call():
        try:
            if stream:
                list(stub.IngestRows(iter(()), timeout=10))
            else:
                stub.ClaimNextImport(claim, timeout=10)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    with sync_channel(system.tasks_target, token=ThreadTokenSource(issue=issue)) as channel:
        stub = import_ingest_service_pb2_grpc.ImportIngestServiceStub(channel)
        good = await asyncio.to_thread(code_of_a_call)
        assert good is not grpc.StatusCode.UNAUTHENTICATED
        page = await system.use_cases.list_service_accounts(PageRequest.parse(0, "", query=""))
        for disabled in (True, False):
            await system.use_cases.switch_service_account(Caller(page.items[0].id), page.items[0].id, disabled=disabled)
        async with asyncio.timeout(20):
            while await asyncio.to_thread(code_of_a_call) is not grpc.StatusCode.UNAUTHENTICATED:
                pass
        # It was refused once; the next call is good again, long before the old token would have run out.
        assert await asyncio.to_thread(code_of_a_call) is good
    assert len(issued) == 2
